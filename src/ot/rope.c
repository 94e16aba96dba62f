/* SPDX-License-Identifier: Apache-2.0 */
/* The rope as a whole: its life, snapshots, and the finger that makes its path writable. */
#include "ot/rope.h"

#include "ot/rope_node.h"

void weft__rope_init(struct weft_rope *rope, const struct weft_alloc *alloc)
{
    *rope = (struct weft_rope){.alloc = alloc};
}

void weft__rope_done(struct weft_rope *rope)
{
    if (rope->root)
        weft__rope_node_unref(rope->alloc, rope->root);
    *rope = (struct weft_rope){.alloc = rope->alloc};
}

void weft__rope_snapshot(struct weft_rope *rope, struct weft_rope *ret_snapshot)
{
    weft__rope_flush(rope);
    weft__rope_finger_drop(rope);
    *ret_snapshot = (struct weft_rope){
        .alloc = rope->alloc,
        .root = rope->root ? weft__rope_node_ref(rope->root) : NULL,
        .size = rope->size,
    };
}

void weft__rope_flush(struct weft_rope *rope)
{
    struct weft_rope_path *finger = &rope->finger;
    if (!finger->leaf || finger->height == 0)
        return;
    unsigned level = finger->height - 1;
    struct weft_rope_size now = weft__rope_node_size(&finger->leaf->node);
    const struct weft_rope_inner *parent = finger->nodes[level];
    unsigned at = finger->at[level];
    /* Differences wrap around like the sums they are added to. */
    uint32_t points = now.points - parent->points[at];
    uint32_t bytes = now.bytes - parent->bytes[at];
    uint32_t astral = now.astral - parent->astral[at];
    if (!points && !bytes && !astral)
        return;
    for (unsigned i = 0; i < finger->height; i++) {
        finger->nodes[i]->points[finger->at[i]] += points;
        finger->nodes[i]->bytes[finger->at[i]] += bytes;
        finger->nodes[i]->astral[finger->at[i]] += astral;
    }
}

void weft__rope_descend(const struct weft_rope *rope, size_t pos, bool at_end,
                        struct weft_rope_path *ret_path)
{
    struct weft_rope_node *node = rope->root;
    uint32_t rest = (uint32_t)pos;
    ret_path->height = node->height;
    for (unsigned level = 0; node->height > 0; level++) {
        struct weft_rope_inner *inner = weft__rope_inner(node);
        unsigned i = 0;
        if (at_end) {
            for (; rest > inner->points[i] && i + 1 < inner->count; i++)
                rest -= inner->points[i];
        } else {
            for (; rest >= inner->points[i] && i + 1 < inner->count; i++)
                rest -= inner->points[i];
        }
        ret_path->nodes[level] = inner;
        ret_path->at[level] = (uint8_t)i;
        node = inner->child[i];
    }
    ret_path->leaf = weft__rope_leaf(node);
    ret_path->start = (uint32_t)pos - rest;
}

/* Makes every node of |path| the rope's own, from the root down. Each step leaves the same text, so
 * a failure half-way harms nothing. */
static int own_path(struct weft_rope *rope, struct weft_rope_path *path)
{
    struct weft_rope_node **link = &rope->root;
    for (unsigned level = 0;; level++) {
        if (!weft__rope_node_owned(*link)) {
            struct weft_rope_node *copy = weft__rope_node_replace(rope->alloc, *link);
            if (!copy)
                return WEFT_ERR_NOMEM;
            *link = copy;
        }
        if (level == path->height)
            break;
        path->nodes[level] = weft__rope_inner(*link);
        link = &path->nodes[level]->child[path->at[level]];
    }
    path->leaf = weft__rope_leaf(*link);
    return 0;
}

int weft__rope_seek(struct weft_rope *rope, size_t pos, bool at_end)
{
    WEFT_ASSERT(rope->root && pos <= rope->size.points);
    weft__rope_flush(rope);
    weft__rope_finger_drop(rope);
    struct weft_rope_path path = {0};
    weft__rope_descend(rope, pos, at_end, &path);
    int err = own_path(rope, &path);
    if (!err)
        rope->finger = path;
    return err;
}
