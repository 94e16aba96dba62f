/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a rope: chunks of a range, copies, comparison. Nothing here writes to nodes. */
#include "ot/rope_node.h"

void weft__rope_iter_init(struct weft_rope_iter *iter, struct weft_rope *rope, size_t pos,
                          size_t count)
{
    iter->path.leaf = NULL;
    iter->skip = iter->left = 0;
    if (pos >= rope->size.points || count == 0)
        return;
    weft__rope_flush(rope);
    weft__rope_descend(rope, pos, false, &iter->path);
    iter->skip = (uint32_t)pos - iter->path.start;
    iter->left = (uint32_t)WEFT_MIN(count, rope->size.points - pos);
}

/* Moves |path| to the next leaf; there is one. */
static void next_leaf(struct weft_rope_path *path)
{
    unsigned level = path->height;
    do {
        WEFT_ASSERT(level > 0);
        level--;
    } while (path->at[level] + 1u >= path->nodes[level]->count);
    path->at[level]++;
    path->start += path->leaf->points;
    struct weft_rope_node *node = path->nodes[level]->child[path->at[level]];
    while (node->height > 0) {
        level++;
        path->nodes[level] = weft__rope_inner(node);
        path->at[level] = 0;
        node = path->nodes[level]->child[0];
    }
    path->leaf = weft__rope_leaf(node);
}

bool weft__rope_iter_next(struct weft_rope_iter *iter, struct weft_slice *ret_chunk)
{
    if (iter->left == 0)
        return false;
    if (iter->skip == iter->path.leaf->points) {
        next_leaf(&iter->path);
        iter->skip = 0;
    }
    const struct weft_rope_leaf *leaf = iter->path.leaf;
    struct weft_slice chunk = {leaf->text, leaf->before};
    uint32_t from = iter->skip; /* code points of this side of the gap: [from, to) */
    uint32_t to = leaf->before_points;
    if (iter->skip >= leaf->before_points) {
        chunk = (struct weft_slice){weft__rope_leaf_tail(leaf), leaf->after};
        from -= leaf->before_points;
        to = leaf->points - (uint32_t)leaf->before_points;
    }
    uint32_t points = WEFT_MIN(to - from, iter->left);
    size_t start = from ? weft__rope_text_offset(chunk.ptr, chunk.len, from) : 0;
    size_t len = chunk.len - start;
    if (points < to - from)
        len = weft__rope_text_offset(chunk.ptr + start, len, points);
    *ret_chunk = (struct weft_slice){chunk.ptr + start, len};
    iter->skip += points;
    iter->left -= points;
    return true;
}

void weft__rope_copy(struct weft_rope *rope, size_t pos, size_t count, struct weft_bytes *out)
{
    struct weft_rope_iter iter;
    struct weft_slice chunk;
    weft__rope_iter_init(&iter, rope, pos, count);
    while (weft__rope_iter_next(&iter, &chunk))
        weft__bytes_append_slice(out, chunk);
}

bool weft__rope_matches(struct weft_rope *rope, size_t pos, struct weft_slice text)
{
    struct weft_rope_iter iter;
    struct weft_slice chunk;
    weft__rope_iter_init(&iter, rope, pos, SIZE_MAX);
    while (text.len > 0) {
        if (!weft__rope_iter_next(&iter, &chunk))
            return false;
        size_t len = WEFT_MIN(chunk.len, text.len);
        if (memcmp(chunk.ptr, text.ptr, len) != 0)
            return false;
        text.ptr += len;
        text.len -= len;
    }
    return true;
}
