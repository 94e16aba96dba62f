/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many operations, one after the other, made into one. Composing each onto the sum of all before it
 * takes quadratic time; here neighbours of equal weight are composed, as when adding one to a
 * binary counter, so each operation takes part in O(log n) compositions of its own size.
 *
 *   pushed   a  b  c  d  e
 *   held     abcd        e      at most one sum of each power of two, the oldest the heaviest
 *
 * Composition is associative, so the order in which neighbours meet does not show.
 *
 * **Thread:** one at a time; operations pushed may be shared, they are only read.
 */
#ifndef WEFT_OT_FOLD_H
#define WEFT_OT_FOLD_H

#include "ot/type.h"

enum { WEFT_OT_FOLD_RANKS = 64 };

struct weft_ot_fold {
    const struct weft_alloc *alloc;
    const struct weft_ot_type *type;
    unsigned depth;
    struct weft_ot_fold_sum {
        const void *op;
        unsigned rank; /* the sum of 2^rank operations */
        bool owned;
    } sums[WEFT_OT_FOLD_RANKS];
};

/* An empty sum of operations of |type|. */
void weft__ot_fold_init(struct weft_ot_fold *fold, const struct weft_alloc *alloc,
                        const struct weft_ot_type *type);

/* Frees what is held. */
void weft__ot_fold_done(struct weft_ot_fold *fold);

/* Adds |op|, to be done after everything that was added before. |owned|: |op| is the fold's from
 * now on, also when this fails; otherwise it must stay until the fold is done or finished.
 * **Errors:** those of op_compose; the fold can only be done with then. */
WEFT_MUST_USE int weft__ot_fold_push(struct weft_ot_fold *fold, const void *op, bool owned,
                                     struct weft_ot_error *error);

/* One operation that does what all do that were added, at least one, and leaves the fold empty.
 * It is valid as long as the fold's types say of an operation of the caller's own: free it with
 * op_free if |*ret_owned|, otherwise it is the one that was lent. **Errors:** those of op_compose.
 */
WEFT_MUST_USE int weft__ot_fold_finish(struct weft_ot_fold *fold, const void **ret_op,
                                       bool *ret_owned, struct weft_ot_error *error);

#endif
