/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Insertion. A piece that fits goes into the leaf at the finger; one that does not splits the leaf,
 * with every node that the split may need allocated before anything changes. Longer text goes in
 * piece by piece over a snapshot, which is what a failure half-way returns to.
 */
#include "base/utf8.h"
#include "ot/rope_node.h"

/* Nodes allocated ahead, so that a split cannot fail half-way. */
struct spare {
    struct weft_rope_leaf *leaf;
    struct weft_rope_inner *inner[WEFT_ROPE_HEIGHT_MAX + 1];
    unsigned count;
};

static void spare_done(const struct weft_alloc *alloc, struct spare *spare)
{
    weft__mem_free(alloc, spare->leaf, sizeof(*spare->leaf));
    while (spare->count > 0)
        weft__rope_inner_free(alloc, spare->inner[--spare->count]);
}

/* One leaf, one inner node for each full one above the finger's leaf, one more for a new root. */
static int spare_init(const struct weft_rope *rope, struct spare *spare)
{
    *spare = (struct spare){0};
    const struct weft_rope_path *path = &rope->finger;
    unsigned level = path->height;
    while (level > 0 && path->nodes[level - 1]->count == WEFT_ROPE_FANOUT)
        level--;
    unsigned need = path->height - level + (level == 0);
    if (level == 0 && path->height == WEFT_ROPE_HEIGHT_MAX)
        return WEFT_ERR_TOO_BIG;
    spare->leaf = weft__rope_leaf_new(rope->alloc);
    if (!spare->leaf)
        return WEFT_ERR_NOMEM;
    for (; spare->count < need; spare->count++) {
        spare->inner[spare->count] = weft__rope_inner_new(rope->alloc, 1);
        if (!spare->inner[spare->count]) {
            spare_done(rope->alloc, spare);
            return WEFT_ERR_NOMEM;
        }
    }
    return 0;
}

static struct weft_rope_inner *spare_take(struct spare *spare, unsigned height)
{
    WEFT_ASSERT(spare->count > 0);
    struct weft_rope_inner *inner = spare->inner[--spare->count];
    inner->node.height = (uint8_t)height;
    return inner;
}

/* Adds |node| behind child |at| of |inner|, splitting it when full. Returns the new right
 * neighbour of |inner|, or NULL. */
static struct weft_rope_node *add_behind(struct weft_rope_inner *inner, unsigned at,
                                         struct weft_rope_node *node, struct spare *spare)
{
    weft__rope_inner_set_size(inner, at, weft__rope_node_size(inner->child[at]));
    if (inner->count < WEFT_ROPE_FANOUT) {
        weft__rope_inner_add(inner, at + 1, node);
        return NULL;
    }
    struct weft_rope_inner *right = spare_take(spare, inner->node.height);
    /* Text that grows at its end fills its nodes; elsewhere both halves keep room. */
    unsigned half = at + 1 == inner->count ? inner->count : inner->count / 2;
    weft__rope_inner_split(inner, half, right);
    if (at + 1 <= half && half < WEFT_ROPE_FANOUT)
        weft__rope_inner_add(inner, at + 1, node);
    else
        weft__rope_inner_add(right, at + 1 - half, node);
    return &right->node;
}

/* Puts |node| behind the finger's leaf and carries splits up to the root. */
static void add_leaf(struct weft_rope *rope, struct weft_rope_node *node, struct spare *spare)
{
    struct weft_rope_path *path = &rope->finger;
    for (unsigned level = path->height; level-- > 0;) {
        struct weft_rope_inner *inner = path->nodes[level];
        unsigned at = path->at[level];
        if (node)
            node = add_behind(inner, at, node, spare);
        else
            weft__rope_inner_set_size(inner, at, weft__rope_node_size(inner->child[at]));
    }
    if (!node)
        return;
    struct weft_rope_inner *root = spare_take(spare, path->height + 1);
    weft__rope_inner_add(root, 0, rope->root);
    weft__rope_inner_add(root, 1, node);
    rope->root = &root->node;
}

/* Moves the gap to the character boundary nearest below the middle of the leaf's bytes. */
static void seek_middle(struct weft_rope_leaf *leaf)
{
    size_t middle = weft__rope_leaf_bytes(leaf) / 2;
    const uint8_t *side = leaf->text;
    uint32_t points = 0;
    if (middle >= leaf->before) {
        side = weft__rope_leaf_tail(leaf);
        middle -= leaf->before;
        points = leaf->before_points;
    }
    while (middle > 0 && (side[middle] & 0xc0) == 0x80)
        middle--;
    weft__rope_leaf_seek(leaf, points + (uint32_t)weft__utf8_count(side, middle));
}

/* Splits the leaf at the finger and inserts |text| at |point| of it. Text that grows at a leaf's
 * end leaves that leaf full and begins the next one. */
static int insert_splitting(struct weft_rope *rope, uint32_t point, const uint8_t *text,
                            struct weft_rope_size size)
{
    struct spare spare;
    int err = spare_init(rope, &spare);
    if (err)
        return err;
    struct weft_rope_leaf *left = rope->finger.leaf;
    struct weft_rope_leaf *right = spare.leaf;
    spare.leaf = NULL;
    if (point < left->points) {
        seek_middle(left);
        weft__rope_leaf_split(left, right);
    }
    if (point < left->points)
        weft__rope_leaf_insert(left, point, text, size);
    else
        weft__rope_leaf_insert(right, point - left->points, text, size);
    add_leaf(rope, &right->node, &spare);
    weft__rope_finger_drop(rope);
    spare_done(rope->alloc, &spare);
    return 0;
}

static bool finger_fits(const struct weft_rope *rope, size_t pos, size_t bytes)
{
    const struct weft_rope_leaf *leaf = rope->finger.leaf;
    return leaf && pos >= rope->finger.start && pos - rope->finger.start <= leaf->points &&
           weft__rope_leaf_bytes(leaf) + bytes <= WEFT_ROPE_LEAF_CAP;
}

/* Moves the finger to a leaf that takes |bytes| more at |pos|, the one before |pos| or the one
 * behind it; to one to be split when neither does. */
static int seek_room(struct weft_rope *rope, size_t pos, size_t bytes)
{
    int err = weft__rope_seek(rope, pos, true);
    if (err || finger_fits(rope, pos, bytes) ||
        pos != (size_t)rope->finger.start + rope->finger.leaf->points || pos == rope->size.points)
        return err;
    err = weft__rope_seek(rope, pos, false);
    if (err || finger_fits(rope, pos, bytes))
        return err;
    return weft__rope_seek(rope, pos, true);
}

/* Inserts at most WEFT_ROPE_PIECE_MAX bytes. */
static int insert_piece(struct weft_rope *rope, size_t pos, struct weft_slice text)
{
    struct weft_rope_size size = weft__rope_text_size(text);
    if (!rope->root) {
        struct weft_rope_leaf *leaf = weft__rope_leaf_new(rope->alloc);
        if (!leaf)
            return WEFT_ERR_NOMEM;
        rope->root = &leaf->node;
    }
    if (!finger_fits(rope, pos, text.len)) {
        int err = seek_room(rope, pos, text.len);
        if (err)
            return err;
    }
    uint32_t point = (uint32_t)(pos - rope->finger.start);
    if (finger_fits(rope, pos, text.len)) {
        weft__rope_leaf_insert(rope->finger.leaf, point, text.ptr, size);
    } else {
        int err = insert_splitting(rope, point, text.ptr, size);
        if (err)
            return err;
    }
    rope->size.bytes += size.bytes;
    rope->size.points += size.points;
    rope->size.astral += size.astral;
    return 0;
}

/* The longest beginning of |text| that is one piece and ends between two characters. */
static struct weft_slice first_piece(struct weft_slice text)
{
    if (text.len > WEFT_ROPE_PIECE_MAX) {
        text.len = WEFT_ROPE_PIECE_MAX;
        while ((text.ptr[text.len] & 0xc0) == 0x80)
            text.len--;
    }
    return text;
}

static int insert_long(struct weft_rope *rope, size_t pos, struct weft_slice text)
{
    struct weft_rope before;
    weft__rope_snapshot(rope, &before);
    while (text.len > 0) {
        struct weft_slice piece = first_piece(text);
        size_t points = rope->size.points;
        int err = insert_piece(rope, pos, piece);
        if (err) {
            weft__rope_done(rope);
            *rope = before;
            return err;
        }
        pos += rope->size.points - points;
        text.ptr += piece.len;
        text.len -= piece.len;
    }
    weft__rope_done(&before);
    return 0;
}

int weft__rope_insert(struct weft_rope *rope, size_t pos, struct weft_slice text)
{
    if (pos > rope->size.points)
        return WEFT_ERR_USAGE;
    if (text.len > WEFT_ROPE_BYTES_MAX - rope->size.bytes)
        return WEFT_ERR_TOO_BIG;
    if (text.len == 0)
        return 0;
    return text.len <= WEFT_ROPE_PIECE_MAX ? insert_piece(rope, pos, text)
                                           : insert_long(rope, pos, text);
}
