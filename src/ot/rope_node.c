/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes of the rope: their lives, and the elementary changes inside one node. */
#include "ot/rope_node.h"

#include "base/utf8.h"

_Static_assert(sizeof(struct weft_rope_leaf) == 1024, "a leaf fills a power of two");

void weft__rope_inner_free(const struct weft_alloc *alloc, struct weft_rope_inner *inner)
{
    weft__mem_free(alloc, inner, sizeof(*inner));
}

void weft__rope_node_unref(const struct weft_alloc *alloc, struct weft_rope_node *node)
{
    if (!node || atomic_fetch_sub_explicit(&node->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (node->height == 0) {
        weft__mem_free(alloc, node, sizeof(struct weft_rope_leaf));
        return;
    }
    /* The depth of the recursion is the height of the tree, at most WEFT_ROPE_HEIGHT_MAX. */
    struct weft_rope_inner *inner = weft__rope_inner(node);
    for (unsigned i = 0; i < inner->count; i++)
        weft__rope_node_unref(alloc, inner->child[i]);
    weft__rope_inner_free(alloc, inner);
}

struct weft_rope_leaf *weft__rope_leaf_new(const struct weft_alloc *alloc)
{
    struct weft_rope_leaf *leaf = weft__mem_alloc(alloc, sizeof(*leaf));
    if (!leaf)
        return NULL;
    atomic_init(&leaf->node.refs, 1);
    leaf->node.height = 0;
    leaf->before = leaf->after = leaf->before_points = leaf->points = leaf->astral = 0;
    return leaf;
}

struct weft_rope_inner *weft__rope_inner_new(const struct weft_alloc *alloc, uint8_t height)
{
    struct weft_rope_inner *inner = weft__mem_alloc(alloc, sizeof(*inner));
    if (!inner)
        return NULL;
    atomic_init(&inner->node.refs, 1);
    inner->node.height = height;
    inner->count = 0;
    return inner;
}

static struct weft_rope_node *copy_leaf(const struct weft_alloc *alloc,
                                        const struct weft_rope_leaf *from)
{
    struct weft_rope_leaf *leaf = weft__rope_leaf_new(alloc);
    if (!leaf)
        return NULL;
    leaf->before = from->before;
    leaf->after = from->after;
    leaf->before_points = from->before_points;
    leaf->points = from->points;
    leaf->astral = from->astral;
    memcpy(leaf->text, from->text, from->before);
    memcpy(leaf->text + WEFT_ROPE_LEAF_CAP - from->after, weft__rope_leaf_tail(from), from->after);
    return &leaf->node;
}

/* Copies |count| entries of |from| beginning at |first| behind those of |to|. */
static void copy_entries(struct weft_rope_inner *to, const struct weft_rope_inner *from,
                         unsigned first, unsigned count)
{
    memcpy(to->points + to->count, from->points + first, count * sizeof(*to->points));
    memcpy(to->bytes + to->count, from->bytes + first, count * sizeof(*to->bytes));
    memcpy(to->astral + to->count, from->astral + first, count * sizeof(*to->astral));
    memcpy(to->child + to->count, from->child + first, count * sizeof(struct weft_rope_node *));
    to->count += count;
}

static struct weft_rope_node *copy_inner(const struct weft_alloc *alloc,
                                         const struct weft_rope_inner *from)
{
    struct weft_rope_inner *inner = weft__rope_inner_new(alloc, from->node.height);
    if (!inner)
        return NULL;
    copy_entries(inner, from, 0, from->count);
    for (unsigned i = 0; i < inner->count; i++)
        weft__rope_node_ref(inner->child[i]);
    return &inner->node;
}

struct weft_rope_node *weft__rope_node_replace(const struct weft_alloc *alloc,
                                               struct weft_rope_node *node)
{
    struct weft_rope_node *copy = node->height == 0 ? copy_leaf(alloc, weft__rope_leaf(node))
                                                    : copy_inner(alloc, weft__rope_inner(node));
    if (copy)
        weft__rope_node_unref(alloc, node);
    return copy;
}

struct weft_rope_size weft__rope_node_size(const struct weft_rope_node *node)
{
    struct weft_rope_size size = {0};
    if (node->height == 0) {
        const struct weft_rope_leaf *leaf = (const struct weft_rope_leaf *)(const void *)node;
        size.bytes = (uint32_t)weft__rope_leaf_bytes(leaf);
        size.points = leaf->points;
        size.astral = leaf->astral;
        return size;
    }
    const struct weft_rope_inner *inner = (const struct weft_rope_inner *)(const void *)node;
    for (unsigned i = 0; i < inner->count; i++) {
        size.points += inner->points[i];
        size.bytes += inner->bytes[i];
        size.astral += inner->astral[i];
    }
    return size;
}

struct weft_rope_size weft__rope_text_size(struct weft_slice text)
{
    if (text.len == 1) /* a keystroke */
        return (struct weft_rope_size){.bytes = 1, .points = 1};
    return (struct weft_rope_size){
        .bytes = (uint32_t)text.len,
        .points = (uint32_t)weft__utf8_count(text.ptr, text.len),
        .astral = (uint32_t)weft__utf8_count_astral(text.ptr, text.len),
    };
}

size_t weft__rope_text_offset(const uint8_t *ptr, size_t len, size_t index)
{
    size_t at = 0;
    while (len - at >= 8) {
        uint64_t x;
        memcpy(&x, ptr + at, 8);
        /* A continuation byte is 10xxxxxx; every other byte begins a character. */
        size_t begins = 8u - weft__popcount_u64((x >> 7) & ~(x >> 6) & 0x0101010101010101u);
        if (begins > index)
            break;
        index -= begins;
        at += 8;
    }
    for (; at < len; at++) {
        if ((ptr[at] & 0xc0) == 0x80)
            continue;
        if (index == 0)
            return at;
        index--;
    }
    return len;
}

void weft__rope_leaf_seek(struct weft_rope_leaf *leaf, uint32_t point)
{
    if (point == leaf->before_points)
        return;
    bool ascii = leaf->points == weft__rope_leaf_bytes(leaf);
    if (point < leaf->before_points) {
        size_t to = ascii ? point : weft__rope_text_offset(leaf->text, leaf->before, point);
        size_t moved = leaf->before - to;
        leaf->after = (uint16_t)(leaf->after + moved);
        memmove(leaf->text + WEFT_ROPE_LEAF_CAP - leaf->after, leaf->text + to, moved);
        leaf->before = (uint16_t)to;
    } else {
        const uint8_t *tail = weft__rope_leaf_tail(leaf);
        size_t skip = point - leaf->before_points;
        size_t moved = ascii ? skip : weft__rope_text_offset(tail, leaf->after, skip);
        memmove(leaf->text + leaf->before, tail, moved);
        leaf->before = (uint16_t)(leaf->before + moved);
        leaf->after = (uint16_t)(leaf->after - moved);
    }
    leaf->before_points = (uint16_t)point;
}

void weft__rope_leaf_insert(struct weft_rope_leaf *leaf, uint32_t point, const uint8_t *text,
                            struct weft_rope_size size)
{
    WEFT_ASSERT(weft__rope_leaf_bytes(leaf) + size.bytes <= WEFT_ROPE_LEAF_CAP);
    weft__rope_leaf_seek(leaf, point);
    memcpy(leaf->text + leaf->before, text, size.bytes);
    leaf->before = (uint16_t)(leaf->before + size.bytes);
    leaf->before_points = (uint16_t)(leaf->before_points + size.points);
    leaf->points = (uint16_t)(leaf->points + size.points);
    leaf->astral = (uint16_t)(leaf->astral + size.astral);
}

/* Takes |count| code points away in front of the gap. */
static struct weft_rope_size delete_before(struct weft_rope_leaf *leaf, uint32_t count)
{
    struct weft_rope_size gone = {.points = count};
    size_t at = leaf->before;
    for (uint32_t i = 0; i < count; i++) {
        do
            at--;
        while ((leaf->text[at] & 0xc0) == 0x80);
        gone.astral += leaf->text[at] >= 0xf0;
    }
    gone.bytes = (uint32_t)(leaf->before - at);
    leaf->before = (uint16_t)at;
    leaf->before_points = (uint16_t)(leaf->before_points - count);
    return gone;
}

/* Takes |count| code points away behind the gap. */
static struct weft_rope_size delete_behind(struct weft_rope_leaf *leaf, uint32_t count)
{
    const uint8_t *tail = weft__rope_leaf_tail(leaf);
    struct weft_rope_size gone = {.points = count};
    gone.bytes = (uint32_t)weft__rope_text_offset(tail, leaf->after, count);
    gone.astral = (uint32_t)weft__utf8_count_astral(tail, gone.bytes);
    leaf->after = (uint16_t)(leaf->after - gone.bytes);
    return gone;
}

struct weft_rope_size weft__rope_leaf_delete(struct weft_rope_leaf *leaf, uint32_t point,
                                             uint32_t count)
{
    WEFT_ASSERT(point + count <= leaf->points);
    struct weft_rope_size gone;
    if (point + count == leaf->before_points) { /* backspace: nothing moves */
        gone = delete_before(leaf, count);
    } else {
        weft__rope_leaf_seek(leaf, point);
        gone = delete_behind(leaf, count);
    }
    leaf->points = (uint16_t)(leaf->points - gone.points);
    leaf->astral = (uint16_t)(leaf->astral - gone.astral);
    return gone;
}

void weft__rope_leaf_split(struct weft_rope_leaf *leaf, struct weft_rope_leaf *right)
{
    struct weft_slice tail = {weft__rope_leaf_tail(leaf), leaf->after};
    if (tail.len == 0)
        return;
    struct weft_rope_size size = weft__rope_text_size(tail);
    weft__rope_leaf_insert(right, 0, tail.ptr, size);
    leaf->after = 0;
    leaf->points = (uint16_t)(leaf->points - size.points);
    leaf->astral = (uint16_t)(leaf->astral - size.astral);
}

/* Shifts the entries from |from| on to |to|; the count is the caller's business. */
static void move_entries(struct weft_rope_inner *inner, unsigned to, unsigned from)
{
    size_t n = inner->count - from;
    memmove(inner->points + to, inner->points + from, n * sizeof(*inner->points));
    memmove(inner->bytes + to, inner->bytes + from, n * sizeof(*inner->bytes));
    memmove(inner->astral + to, inner->astral + from, n * sizeof(*inner->astral));
    memmove(inner->child + to, inner->child + from, n * sizeof(struct weft_rope_node *));
}

void weft__rope_inner_add(struct weft_rope_inner *inner, unsigned at, struct weft_rope_node *child)
{
    WEFT_ASSERT(inner->count < WEFT_ROPE_FANOUT && at <= inner->count);
    move_entries(inner, at + 1, at);
    inner->child[at] = child;
    weft__rope_inner_set_size(inner, at, weft__rope_node_size(child));
    inner->count++;
}

void weft__rope_inner_remove(struct weft_rope_inner *inner, unsigned at, unsigned count)
{
    WEFT_ASSERT(at + count <= inner->count);
    move_entries(inner, at, at + count);
    inner->count -= count;
}

void weft__rope_inner_split(struct weft_rope_inner *inner, unsigned at,
                            struct weft_rope_inner *right)
{
    copy_entries(right, inner, at, inner->count - at);
    inner->count = at;
}
