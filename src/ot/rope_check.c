/* SPDX-License-Identifier: Apache-2.0 */
/* The walk over every invariant of a rope. */
#include "base/utf8.h"
#include "ot/rope_node.h"

static bool size_eq(struct weft_rope_size a, struct weft_rope_size b)
{
    return a.bytes == b.bytes && a.points == b.points && a.astral == b.astral;
}

static bool check_leaf(const struct weft_rope_leaf *leaf)
{
    struct weft_slice head = {leaf->text, leaf->before};
    struct weft_slice tail = {weft__rope_leaf_tail(leaf), leaf->after};
    if (head.len + tail.len == 0 || head.len + tail.len > WEFT_ROPE_LEAF_CAP)
        return false;
    /* The gap lies between two characters: each side is valid by itself. */
    if (!weft__utf8_valid(head.ptr, head.len) || !weft__utf8_valid(tail.ptr, tail.len))
        return false;
    size_t points = weft__utf8_count(head.ptr, head.len);
    size_t astral =
        weft__utf8_count_astral(head.ptr, head.len) + weft__utf8_count_astral(tail.ptr, tail.len);
    return points == leaf->before_points &&
           points + weft__utf8_count(tail.ptr, tail.len) == leaf->points && astral == leaf->astral;
}

static bool check_node(const struct weft_rope_node *node, unsigned height)
{
    if (node->height != height || atomic_load_explicit(&node->refs, memory_order_relaxed) == 0)
        return false;
    if (height == 0)
        return check_leaf((const struct weft_rope_leaf *)(const void *)node);
    const struct weft_rope_inner *inner = (const struct weft_rope_inner *)(const void *)node;
    if (inner->count == 0 || inner->count > WEFT_ROPE_FANOUT)
        return false;
    for (unsigned i = 0; i < inner->count; i++) {
        struct weft_rope_size entry = {inner->bytes[i], inner->points[i], inner->astral[i]};
        if (!size_eq(entry, weft__rope_node_size(inner->child[i])) ||
            !check_node(inner->child[i], height - 1))
            return false;
    }
    return true;
}

bool weft__rope_check(struct weft_rope *rope)
{
    struct weft_rope_size none = {0};
    if (!rope->root)
        return size_eq(rope->size, none) && !rope->finger.leaf;
    weft__rope_flush(rope);
    return rope->root->height <= WEFT_ROPE_HEIGHT_MAX &&
           size_eq(rope->size, weft__rope_node_size(rope->root)) &&
           check_node(rope->root, rope->root->height);
}
