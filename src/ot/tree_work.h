/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the functions on JSON operations share: memory for as long as one of them runs, unfinished
 * operations, and walks over two of them.
 *
 * Unfinished operations live in an arena (its first bytes on the stack of the caller) and may have
 * places at which nothing is done. The first failure sticks, like that of a writer, until
 * weft__tree_finish reports it; after one, writes go to a place that nobody reads.
 */
#ifndef WEFT_OT_TREE_WORK_H
#define WEFT_OT_TREE_WORK_H

#include "base/arena.h"
#include "ot/tree.h"

#define WEFT_TREE_NONE UINT32_MAX /* no slot */

struct weft_tree_owned;

struct weft_tree_work {
    const struct weft_alloc *alloc; /* of results */
    struct weft_alloc scratch;      /* of the arena */
    struct weft_arena arena;
    struct weft_tree_owned *owned; /* values made on the way */
    int err;
    struct weft_ot_error error;
    struct weft_tree_node sink;
    _Alignas(16) uint8_t few[6144];
};

void weft__tree_work_init(struct weft_tree_work *work, const struct weft_alloc *alloc);
void weft__tree_work_done(struct weft_tree_work *work);

/* Keeps the first failure. */
void weft__tree_fail(struct weft_tree_work *work, int err, int status, const char *message);
/* Two operations that were not made for each other, or one that its document does not fit. */
void weft__tree_misfit(struct weft_tree_work *work);

/* |count| × |size| bytes of zeroes for as long as |work| lives; NULL, and failed, when there are
 * none. |count| 0 gives NULL, too. */
void *weft__tree_zalloc(struct weft_tree_work *work, size_t count, size_t size);

/* Takes over one reference to |value| until the work is done. NULL is out of memory. */
struct weft_tree_value *weft__tree_own(struct weft_tree_work *work, struct weft_tree_value *value);

/* ---- unfinished operations ---- */

/* A new root at which nothing is done. */
struct weft_tree_node *weft__tree_grow(struct weft_tree_work *work);

/* The child at |key|, made if there is none. Going from front to back costs O(1) each. */
struct weft_tree_node *weft__tree_descend(struct weft_tree_work *work,
                                          struct weft_tree_node *parent, struct weft_tree_key key);

void weft__tree_put_pick(struct weft_tree_work *work, struct weft_tree_node *at, uint32_t slot);
void weft__tree_put_drop(struct weft_tree_work *work, struct weft_tree_node *at, uint32_t slot);
void weft__tree_put_remove(struct weft_tree_work *work, struct weft_tree_node *at,
                           struct weft_tree_value *removed);
void weft__tree_put_insert(struct weft_tree_work *work, struct weft_tree_node *at,
                           struct weft_tree_value *inserted);
/* A text edit without parts is none. */
void weft__tree_put_text(struct weft_tree_work *work, struct weft_tree_node *at,
                         const struct weft_text_op *text);
void weft__tree_put_number(struct weft_tree_work *work, struct weft_tree_node *at, double number);
/* Whatever |from| edits. */
void weft__tree_put_edit(struct weft_tree_work *work, struct weft_tree_node *at,
                         const struct weft_tree_node *from);
/* The edit of |first|, then that of |second|, which must be of one kind. */
void weft__tree_put_both_edits(struct weft_tree_work *work, struct weft_tree_node *at,
                               const struct weft_tree_node *first,
                               const struct weft_tree_node *second);

/* Adds everything done at |from| and below to |at|. |from| may be NULL. */
void weft__tree_merge(struct weft_tree_work *work, struct weft_tree_node *at,
                      const struct weft_tree_node *from);

/* A copy that changes of the original leave as it is. */
struct weft_tree_node *weft__tree_clone(struct weft_tree_work *work,
                                        const struct weft_tree_node *root);

/* Numbers and sizes of an operation, as weft__tree_trim finds them. */
struct weft_tree_size {
    uint32_t count;
    uint32_t slots;
};

/* Takes out all places without effect and numbers the others. NULL when none is left. */
struct weft_tree_node *weft__tree_trim(struct weft_tree_work *work, struct weft_tree_node *root,
                                       struct weft_tree_size *ret_size);

/* The finished operation, or the failure that stuck. **Errors:** also WEFT_ERR_TOO_BIG (deeper than
 * WEFT_TREE_DEPTH_MAX), WEFT_ERR_OP (its slots do not pair). */
WEFT_MUST_USE int weft__tree_finish(struct weft_tree_work *work, struct weft_tree_node *root,
                                    struct weft_tree_op **ret_op, struct weft_ot_error *error);

/* Two operations become one. |a| and |b| are read only. */
struct weft_tree_node *weft__tree_compose_nodes(struct weft_tree_work *work,
                                                const struct weft_tree_node *a,
                                                struct weft_tree_size a_size,
                                                const struct weft_tree_node *b,
                                                struct weft_tree_size b_size);

/* ---- values ---- */

/* One difference between a container and the next one. */
struct weft_tree_change {
    uint32_t at;                   /* item or member of the old one */
    bool insert;                   /* before it; else instead of it */
    struct weft_tree_key key;      /* of an inserted member */
    struct weft_tree_value *value; /* owned by the change; NULL: nothing instead */
};

/* |old| after |changes|, which are in order and lose their values, whatever happens.
 * NULL when out of memory or too large. */
struct weft_tree_value *weft__tree_rebuild(const struct weft_alloc *alloc,
                                           const struct weft_tree_value *old,
                                           struct weft_tree_change *changes, size_t count);

/* What is at |key| in |value|: NULL when nothing is, or |value| is NULL or no such container.
 * |ret_at| is where it is or belongs. */
struct weft_tree_value *weft__tree_child(const struct weft_tree_value *value,
                                         struct weft_tree_key key, uint32_t *ret_at);

/* ---- walks ---- */

/*
 * Walks the children of one place to given keys, front to back, and counts those indexes that it
 * has passed and whose acts shift the ones behind (|counts|). With |shifted| the keys asked for are
 * those after taking away what is counted, and a child that is counted itself is nobody's.
 */
struct weft_tree_walk {
    const struct weft_tree_node *at;
    unsigned counts; /* enum weft_tree_act */
    bool shifted;
    int64_t passed;
};

static inline struct weft_tree_walk weft__tree_walk(const struct weft_tree_node *parent,
                                                    unsigned counts, bool shifted)
{
    return (struct weft_tree_walk){parent ? parent->first : NULL, counts, shifted, 0};
}

/* The child at |key|, or NULL. Keys must be asked for in order. */
const struct weft_tree_node *weft__tree_walk_to(struct weft_tree_walk *walk,
                                                struct weft_tree_key key);

static inline struct weft_tree_key weft__tree_index(int64_t index)
{
    return (struct weft_tree_key){NULL, index};
}

/* |key|, moved by |offset| if it is an index. */
static inline struct weft_tree_key weft__tree_shift(struct weft_tree_key key, int64_t offset)
{
    return key.name ? key : weft__tree_index(key.n + offset);
}

#endif
