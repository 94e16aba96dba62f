/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The nodes of a rope, private to ot/rope*.c.
 *
 * A leaf is a gap buffer: text[0 … before) and text[CAP − after … CAP) with the gap between, always
 * on a character boundary, where the last edit was.
 *
 *   text:  | before bytes |········ gap ········| after bytes |
 *
 * A node with one reference belongs to its parent alone and may be written if that holds for the
 * parent too, up to the root; a node with more is immutable. Copying an inner node takes a
 * reference to each child, which makes them shared in turn.
 */
#ifndef WEFT_OT_ROPE_NODE_H
#define WEFT_OT_ROPE_NODE_H

#include "base/assert.h"
#include "base/mem.h"
#include "ot/rope.h"

#include <stdatomic.h>

#define WEFT_ROPE_FANOUT 30
#define WEFT_ROPE_FANOUT_LOW 10 /* an inner node below it looks for a neighbour to join */
#define WEFT_ROPE_LEAF_CAP 1006 /* bytes of text; a leaf is 1,024 bytes */
#define WEFT_ROPE_LEAF_LOW 336  /* a leaf below it looks for a neighbour to join */
/* The longest text put into a leaf at once: it fits into either half of a full leaf. */
#define WEFT_ROPE_PIECE_MAX 496u

struct weft_rope_node {
    atomic_uint refs;
    uint8_t height; /* 0: a leaf */
};

struct weft_rope_leaf {
    struct weft_rope_node node;
    uint16_t before;        /* bytes before the gap */
    uint16_t after;         /* bytes behind the gap */
    uint16_t before_points; /* code points before the gap */
    uint16_t points;        /* code points on both sides */
    uint16_t astral;        /* four-byte characters on both sides */
    uint8_t text[WEFT_ROPE_LEAF_CAP];
};

struct weft_rope_inner {
    struct weft_rope_node node;
    uint32_t count;                    /* children in use, ≥ 1 */
    uint32_t points[WEFT_ROPE_FANOUT]; /* sizes of what is below each child */
    uint32_t bytes[WEFT_ROPE_FANOUT];
    uint32_t astral[WEFT_ROPE_FANOUT];
    struct weft_rope_node *child[WEFT_ROPE_FANOUT];
};

static inline struct weft_rope_leaf *weft__rope_leaf(struct weft_rope_node *node)
{
    WEFT_ASSERT(node->height == 0);
    return (struct weft_rope_leaf *)(void *)node;
}

static inline struct weft_rope_inner *weft__rope_inner(struct weft_rope_node *node)
{
    WEFT_ASSERT(node->height > 0);
    return (struct weft_rope_inner *)(void *)node;
}

/* True when nobody else holds |node|. Acquire: whoever held it before has finished reading. */
static inline bool weft__rope_node_owned(struct weft_rope_node *node)
{
    return atomic_load_explicit(&node->refs, memory_order_acquire) == 1;
}

static inline struct weft_rope_node *weft__rope_node_ref(struct weft_rope_node *node)
{
    unsigned before = atomic_fetch_add_explicit(&node->refs, 1, memory_order_relaxed);
    WEFT_ASSERT(before > 0 && before < 0x7fffffffu);
    return node;
}

/* Drops one reference; the last one releases the subtree. NULL is allowed. */
void weft__rope_node_unref(const struct weft_alloc *alloc, struct weft_rope_node *node);

/* Releases an owned inner node without touching its children. */
void weft__rope_inner_free(const struct weft_alloc *alloc, struct weft_rope_inner *inner);

/* Empty nodes with one reference; NULL when out of memory. */
struct weft_rope_leaf *weft__rope_leaf_new(const struct weft_alloc *alloc);
struct weft_rope_inner *weft__rope_inner_new(const struct weft_alloc *alloc, uint8_t height);

/* A copy of |node| with one reference; the caller's reference to |node| moves into it.
 * NULL when out of memory: nothing changed. */
struct weft_rope_node *weft__rope_node_replace(const struct weft_alloc *alloc,
                                               struct weft_rope_node *node);

/* The size of everything below |node|. */
struct weft_rope_size weft__rope_node_size(const struct weft_rope_node *node);

struct weft_rope_size weft__rope_text_size(struct weft_slice text);

static inline size_t weft__rope_leaf_bytes(const struct weft_rope_leaf *leaf)
{
    return (size_t)leaf->before + leaf->after;
}

/* The text behind the gap. */
static inline const uint8_t *weft__rope_leaf_tail(const struct weft_rope_leaf *leaf)
{
    return leaf->text + WEFT_ROPE_LEAF_CAP - leaf->after;
}

/* The byte offset of code point |index| in valid text, or |len|. */
size_t weft__rope_text_offset(const uint8_t *ptr, size_t len, size_t index);

/* Moves the gap before code point |point| of the leaf. */
void weft__rope_leaf_seek(struct weft_rope_leaf *leaf, uint32_t point);

/* Inserts |text| of |size|, which fits, before code point |point|. */
void weft__rope_leaf_insert(struct weft_rope_leaf *leaf, uint32_t point, const uint8_t *text,
                            struct weft_rope_size size);

/* Removes |count| code points from |point| on and returns the size removed. */
struct weft_rope_size weft__rope_leaf_delete(struct weft_rope_leaf *leaf, uint32_t point,
                                             uint32_t count);

/* Moves everything from the gap on into |right|, which is empty. */
void weft__rope_leaf_split(struct weft_rope_leaf *leaf, struct weft_rope_leaf *right);

static inline void weft__rope_inner_set_size(struct weft_rope_inner *inner, unsigned at,
                                             struct weft_rope_size size)
{
    inner->points[at] = size.points;
    inner->bytes[at] = size.bytes;
    inner->astral[at] = size.astral;
}

/* Adds |child| at index |at|; there is room. Takes over one reference. */
void weft__rope_inner_add(struct weft_rope_inner *inner, unsigned at, struct weft_rope_node *child);

/* Removes |count| entries from |at| on, without dropping references. */
void weft__rope_inner_remove(struct weft_rope_inner *inner, unsigned at, unsigned count);

/* Moves the entries from |at| on into |right|, which is empty. */
void weft__rope_inner_split(struct weft_rope_inner *inner, unsigned at,
                            struct weft_rope_inner *right);

/* Finds the leaf that holds code point |pos| ≤ length. With |at_end|, a position between two leaves
 * belongs to the left one, else to the right one (the last position always to the last leaf).
 * The rope is not empty and its finger is flushed. */
void weft__rope_descend(const struct weft_rope *rope, size_t pos, bool at_end,
                        struct weft_rope_path *ret_path);

/* Moves the finger to the leaf of |pos| (as weft__rope_descend) and makes its path the rope's own.
 * **Errors:** WEFT_ERR_NOMEM; the text is unchanged. */
WEFT_MUST_USE int weft__rope_seek(struct weft_rope *rope, size_t pos, bool at_end);

/* Forgets the finger; its counts must have been flushed. */
static inline void weft__rope_finger_drop(struct weft_rope *rope)
{
    rope->finger.leaf = NULL;
}

#endif
