/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations on JSON documents, json1: a tree of places, each with what is done there. An operation
 * is done in two steps. First everything marked to be picked up or removed leaves the document, all
 * at once, keys being those of the document before. Then, from front to back, everything is dropped
 * or inserted, and edited, keys being those of the document after.
 *
 *   ["list", [0, {"p":0}], [3, {"d":0}]]        move element 0 to place 3
 *
 *   root ─► "list" ─► 0 pick up as slot 0
 *                └──► 3 drop slot 0
 *
 * So one place of the tree can mean two places of the document: the one before, for PICK and REMOVE
 * at it and below it, and the one after, for DROP, INSERT and edits. Everything here walks such
 * trees side by side; the offsets between their keys are kept by struct weft_tree_walk.
 *
 * A finished operation is one allocation (places, keys, text edits) that refers to the values it
 * inserts. Functions that take `struct weft_tree_node *` for an operation also take NULL, which
 * changes nothing. What is accepted and refused is said in docs/protocol/documents-json.md.
 *
 * **Thread:** operations are immutable and may be read by any thread.
 */
#ifndef WEFT_OT_TREE_H
#define WEFT_OT_TREE_H

#include "ot/tree_value.h"

#define WEFT_TREE_INDEX_MAX INT32_MAX

/* A key of an object or the index of a list. Indexes come before names. */
struct weft_tree_key {
    const uint8_t *name; /* NULL: an index */
    int64_t n;           /* the index, or the bytes of |name| */
};

/* What is done at a place; also the sets of it below. */
enum weft_tree_act {
    WEFT_TREE_PICK = 1,
    WEFT_TREE_REMOVE = 2,
    WEFT_TREE_DROP = 4,
    WEFT_TREE_INSERT = 8,
    WEFT_TREE_EDIT_TEXT = 16,
    WEFT_TREE_EDIT_NUMBER = 32,
    WEFT_TREE_TAKES = WEFT_TREE_PICK | WEFT_TREE_REMOVE,
    WEFT_TREE_PUTS = WEFT_TREE_DROP | WEFT_TREE_INSERT,
    WEFT_TREE_EDITS = WEFT_TREE_EDIT_TEXT | WEFT_TREE_EDIT_NUMBER,
};

struct weft_tree_node {
    struct weft_tree_key key; /* from the parent; of the root meaningless */
    struct weft_tree_node *parent;
    struct weft_tree_node *first;    /* child; children are in the order of their keys */
    struct weft_tree_node *next;     /* sibling */
    struct weft_tree_node *last;     /* child that was used last, where to look for the next one */
    uint32_t has;                    /* enum weft_tree_act, any of them */
    uint32_t id;                     /* among the places of the operation, from 0 */
    uint32_t pick;                   /* slot */
    uint32_t drop;                   /* slot */
    struct weft_tree_value *removed; /* what is, as far as recorded; else NULL */
    struct weft_tree_value *inserted;
    const struct weft_text_op *text;
    double number;
};

struct weft_tree_op {
    const struct weft_alloc *alloc;
    size_t size;                   /* bytes of this allocation */
    size_t values;                 /* bytes of the values it refers to */
    uint32_t count;                /* places */
    uint32_t slots;                /* things moved */
    struct weft_tree_node nodes[]; /* the root first; none: it changes nothing */
};

static inline struct weft_tree_node *weft__tree_root(const struct weft_tree_op *op)
{
    return op->count ? (struct weft_tree_node *)(uintptr_t)op->nodes : NULL;
}

/* True when something of |acts| is done at |node|, which may be NULL. A macro, because that shows
 * the analyser that what has something is no null pointer. */
#define WEFT_TREE_HAS(node, acts) ((node) != NULL && ((node)->has & (unsigned)(acts)) != 0)

/* The order of keys: < 0, 0 or > 0. */
int weft__tree_order(struct weft_tree_key a, struct weft_tree_key b);

int weft__tree_parse(const struct weft_alloc *alloc, const struct weft_json *json,
                     struct weft_tree_op **ret_op, struct weft_ot_error *error);
void weft__tree_op_write(const struct weft_tree_op *op, struct weft_json_writer *out);
/* As weft__tree_op_write for an operation that may be unfinished. */
void weft__tree_node_write(const struct weft_tree_node *root, struct weft_json_writer *out);
void weft__tree_op_free(struct weft_tree_op *op);

/* |doc| after |op|. **Errors:** WEFT_ERR_OP, WEFT_ERR_TOO_BIG, WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__tree_apply(const struct weft_alloc *alloc, struct weft_tree_value *doc,
                                   const struct weft_tree_op *op, struct weft_tree_value **ret_doc,
                                   struct weft_ot_error *error);

WEFT_MUST_USE int weft__tree_compose(const struct weft_alloc *alloc,
                                     const struct weft_tree_op *first,
                                     const struct weft_tree_op *second,
                                     struct weft_tree_op **ret_op, struct weft_ot_error *error);

/* Conflicts are resolved as docs/protocol/documents-json.md says, and written to |conflicts|, which
 * may be NULL, as a JSON array. */
WEFT_MUST_USE int weft__tree_transform(const struct weft_alloc *alloc,
                                       const struct weft_tree_op *op,
                                       const struct weft_tree_op *other, enum weft_ot_side side,
                                       struct weft_json_writer *conflicts,
                                       struct weft_tree_op **ret_op, struct weft_ot_error *error);

WEFT_MUST_USE int weft__tree_invert(const struct weft_alloc *alloc, const struct weft_tree_op *op,
                                    struct weft_tree_value *doc, struct weft_tree_op **ret_op,
                                    struct weft_ot_error *error);

/* |op| with its slots numbered in the order of the tree. */
WEFT_MUST_USE int weft__tree_normalize(const struct weft_alloc *alloc,
                                       const struct weft_tree_op *op, struct weft_tree_op **ret_op,
                                       struct weft_ot_error *error);

/* Writes where |path|, an array of keys, leads after |op|: an array, or null when it is gone. */
WEFT_MUST_USE int weft__tree_path(const struct weft_alloc *alloc, const struct weft_tree_op *op,
                                  const struct weft_json *path, enum weft_ot_side side,
                                  struct weft_json_writer *out, struct weft_ot_error *error);

/* An operation that leads from |from| to |to|. */
WEFT_MUST_USE int weft__tree_diff(const struct weft_alloc *alloc, struct weft_tree_value *from,
                                  struct weft_tree_value *to, struct weft_tree_op **ret_op,
                                  struct weft_ot_error *error);

#endif
