/* SPDX-License-Identifier: Apache-2.0 */
/* A stack of sums whose weights fall from the bottom to the top. */
#include "ot/fold.h"

#include "base/assert.h"

void weft__ot_fold_init(struct weft_ot_fold *fold, const struct weft_alloc *alloc,
                        const struct weft_ot_type *type)
{
    *fold = (struct weft_ot_fold){.alloc = alloc, .type = type};
}

static void release(const struct weft_ot_fold *fold, const struct weft_ot_fold_sum *sum)
{
    /* The fold made it, or it was given away to it. */
    if (sum->owned)
        fold->type->op_free((void *)(uintptr_t)sum->op);
}

void weft__ot_fold_done(struct weft_ot_fold *fold)
{
    while (fold->depth)
        release(fold, &fold->sums[--fold->depth]);
}

/* Makes the two newest sums into one. */
static int join(struct weft_ot_fold *fold, struct weft_ot_error *error)
{
    struct weft_ot_fold_sum *first = &fold->sums[fold->depth - 2];
    struct weft_ot_fold_sum *second = &fold->sums[fold->depth - 1];
    void *both;
    int err = fold->type->op_compose(fold->alloc, first->op, second->op, &both, error);
    if (err)
        return err;
    release(fold, first);
    release(fold, second);
    *first = (struct weft_ot_fold_sum){
        .op = both,
        .rank = WEFT_MAX(first->rank, second->rank) + 1,
        .owned = true,
    };
    fold->depth--;
    return 0;
}

int weft__ot_fold_push(struct weft_ot_fold *fold, const void *op, bool owned,
                       struct weft_ot_error *error)
{
    WEFT_ASSERT(fold->depth < WEFT_OT_FOLD_RANKS);
    fold->sums[fold->depth++] = (struct weft_ot_fold_sum){.op = op, .owned = owned};
    while (fold->depth > 1 &&
           fold->sums[fold->depth - 2].rank == fold->sums[fold->depth - 1].rank) {
        int err = join(fold, error);
        if (err)
            return err;
    }
    return 0;
}

int weft__ot_fold_finish(struct weft_ot_fold *fold, const void **ret_op, bool *ret_owned,
                         struct weft_ot_error *error)
{
    WEFT_ASSERT(fold->depth > 0);
    while (fold->depth > 1) {
        int err = join(fold, error);
        if (err)
            return err;
    }
    *ret_op = fold->sums[0].op;
    *ret_owned = fold->sums[0].owned;
    fold->depth = 0;
    return 0;
}
