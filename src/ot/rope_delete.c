/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deletion. Inside one leaf it moves the gap's edge. A longer range first makes the paths to both
 * of its ends the rope's own, which is all that can fail; then whole subtrees are let go, the two
 * leaves at the ends are trimmed, and what became small joins a neighbour where both fit in one.
 */
#include "ot/rope_node.h"

/* Puts the text of |from| before (or behind) that of |to|; it fits. */
static void leaf_take(struct weft_rope_leaf *to, const struct weft_rope_leaf *from, bool before)
{
    struct weft_slice head = {from->text, from->before};
    struct weft_slice tail = {weft__rope_leaf_tail(from), from->after};
    struct weft_rope_size tail_size = weft__rope_text_size(tail);
    struct weft_rope_size head_size = {
        .bytes = from->before,
        .points = from->before_points,
        .astral = from->astral - tail_size.astral,
    };
    uint32_t at = before ? 0 : to->points;
    if (tail.len)
        weft__rope_leaf_insert(to, at, tail.ptr, tail_size);
    if (head.len)
        weft__rope_leaf_insert(to, at, head.ptr, head_size);
}

/* Puts the children of |from| before (or behind) those of |to|; they fit. Takes a reference to
 * each of them. */
static void inner_take(struct weft_rope_inner *to, struct weft_rope_inner *from, bool before)
{
    unsigned at = before ? 0 : to->count;
    for (unsigned i = 0; i < from->count; i++)
        weft__rope_inner_add(to, at + i, weft__rope_node_ref(from->child[i]));
}

static bool is_low(const struct weft_rope_inner *inner, unsigned at)
{
    const struct weft_rope_node *node = inner->child[at];
    if (node->height == 0)
        return inner->bytes[at] < WEFT_ROPE_LEAF_LOW;
    return ((const struct weft_rope_inner *)(const void *)node)->count < WEFT_ROPE_FANOUT_LOW;
}

static bool fit_in_one(const struct weft_rope_inner *inner, unsigned at)
{
    struct weft_rope_node *left = inner->child[at];
    struct weft_rope_node *right = inner->child[at + 1];
    if (left->height == 0)
        return inner->bytes[at] + inner->bytes[at + 1] <= WEFT_ROPE_LEAF_CAP;
    return weft__rope_inner(left)->count + weft__rope_inner(right)->count <= WEFT_ROPE_FANOUT;
}

/* Joins children |at| and |at| + 1 when one is low, both fit in one node and one is the rope's own
 * to write: joining needs no memory, so it cannot fail. */
static void join(const struct weft_alloc *alloc, struct weft_rope_inner *inner, unsigned at)
{
    if (at + 1 >= inner->count || !(is_low(inner, at) || is_low(inner, at + 1)) ||
        !fit_in_one(inner, at))
        return;
    struct weft_rope_node *left = inner->child[at];
    struct weft_rope_node *right = inner->child[at + 1];
    bool into_left = weft__rope_node_owned(left);
    if (!into_left && !weft__rope_node_owned(right))
        return;
    struct weft_rope_node *to = into_left ? left : right;
    struct weft_rope_node *from = into_left ? right : left;
    if (to->height == 0)
        leaf_take(weft__rope_leaf(to), weft__rope_leaf(from), !into_left);
    else
        inner_take(weft__rope_inner(to), weft__rope_inner(from), !into_left);
    weft__rope_inner_remove(inner, at + 1, 1);
    inner->child[at] = to;
    weft__rope_inner_set_size(inner, at, weft__rope_node_size(to));
    weft__rope_node_unref(alloc, from);
}

/* Lets the neighbours of the children at |first| and before it join, from right to left. */
static void settle(const struct weft_alloc *alloc, struct weft_rope_inner *inner, unsigned first)
{
    join(alloc, inner, first + 1);
    join(alloc, inner, first);
    if (first > 0)
        join(alloc, inner, first - 1);
}

/* Removes |count| code points from |pos| of what is below |inner|, which is the rope's own and
 * keeps some of its text; so is every node on the paths to both ends of the range. */
static void delete_below(const struct weft_alloc *alloc, struct weft_rope_inner *inner,
                         uint32_t pos, uint32_t count)
{
    unsigned at = 0;
    for (; pos >= inner->points[at]; at++)
        pos -= inner->points[at];
    const unsigned first = at;
    unsigned gone_at = at; /* children to let go: they are neighbours */
    unsigned gone = 0;
    while (count > 0) {
        uint32_t here = WEFT_MIN(count, inner->points[at] - pos);
        struct weft_rope_node *child = inner->child[at];
        if (here == inner->points[at]) {
            gone_at = gone++ ? gone_at : at;
            weft__rope_node_unref(alloc, child);
        } else {
            WEFT_ASSERT(weft__rope_node_owned(child));
            if (child->height == 0)
                weft__rope_leaf_delete(weft__rope_leaf(child), pos, here);
            else
                delete_below(alloc, weft__rope_inner(child), pos, here);
            weft__rope_inner_set_size(inner, at, weft__rope_node_size(child));
        }
        count -= here;
        pos = 0;
        at++;
    }
    weft__rope_inner_remove(inner, gone_at, gone);
    settle(alloc, inner, first);
}

/* Takes away roots that have one child only. */
static void lower_root(struct weft_rope *rope)
{
    while (rope->root->height > 0) {
        struct weft_rope_inner *inner = weft__rope_inner(rope->root);
        if (inner->count > 1)
            return;
        rope->root = weft__rope_node_ref(inner->child[0]);
        weft__rope_node_unref(rope->alloc, &inner->node);
    }
}

/* The general case: the text keeps something, and the root is an inner node. */
static int delete_range(struct weft_rope *rope, size_t pos, size_t count)
{
    int err = weft__rope_seek(rope, pos, false);
    if (!err)
        err = weft__rope_seek(rope, pos + count - 1, false);
    if (err)
        return err;
    weft__rope_finger_drop(rope);
    delete_below(rope->alloc, weft__rope_inner(rope->root), (uint32_t)pos, (uint32_t)count);
    lower_root(rope);
    rope->size = weft__rope_node_size(rope->root);
    return 0;
}

static bool finger_covers(const struct weft_rope *rope, size_t pos, size_t count)
{
    const struct weft_rope_leaf *leaf = rope->finger.leaf;
    return leaf && pos >= rope->finger.start && pos - rope->finger.start <= leaf->points &&
           count <= leaf->points - (pos - rope->finger.start);
}

/* True when the finger's leaf may lose |count| code points and stay as it is. A leaf looks for a
 * neighbour to join when it becomes low, not again while it is; so two low leaves side by side do
 * not last. */
static bool finger_spares(const struct weft_rope *rope, size_t count)
{
    const struct weft_rope_leaf *leaf = rope->finger.leaf;
    if (rope->finger.height == 0)
        return true;
    size_t bytes = weft__rope_leaf_bytes(leaf);
    if (bytes < WEFT_ROPE_LEAF_LOW)
        return count < leaf->points;
    return bytes >= WEFT_ROPE_LEAF_LOW + 4 * count; /* a character takes four bytes at most */
}

static int delete_some(struct weft_rope *rope, size_t pos, size_t count)
{
    if (!finger_covers(rope, pos, count)) {
        int err = weft__rope_seek(rope, pos, false);
        if (err)
            return err;
    }
    if (!finger_covers(rope, pos, count) || !finger_spares(rope, count))
        return delete_range(rope, pos, count);
    uint32_t point = (uint32_t)(pos - rope->finger.start);
    struct weft_rope_size gone = weft__rope_leaf_delete(rope->finger.leaf, point, (uint32_t)count);
    rope->size.bytes -= gone.bytes;
    rope->size.points -= gone.points;
    rope->size.astral -= gone.astral;
    return 0;
}

int weft__rope_delete(struct weft_rope *rope, size_t pos, size_t count)
{
    if (pos > rope->size.points || count > rope->size.points - pos)
        return WEFT_ERR_USAGE;
    if (count == 0)
        return 0;
    if (count == rope->size.points) {
        weft__rope_done(rope);
        return 0;
    }
    return delete_some(rope, pos, count);
}
