/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What two sequences have in common: a shortest edit script by E. W. Myers, "An O(ND) Difference
 * Algorithm and Its Variations" (Algorithmica 1, 1986), in linear space. Elements are numbers that
 * are equal when what they stand for is.
 *
 * Two sequences with more than WEFT_SEQUENCE_DIFF_MAX differences between what they have in common
 * at their beginnings and ends are not searched to the end: what is left counts as different, so
 * the time is bounded by about WEFT_SEQUENCE_DIFF_MAX² steps, whatever they hold.
 *
 * **Thread:** any.
 */
#ifndef WEFT_OT_SEQUENCE_DIFF_H
#define WEFT_OT_SEQUENCE_DIFF_H

#include "base/compiler.h"

#include <stddef.h>
#include <stdint.h>
#include <weft/alloc.h>

enum { WEFT_SEQUENCE_DIFF_MAX = 4096 };

struct weft_sequence {
    const uint32_t *items;
    uint32_t count; /* ≤ INT32_MAX / 2 */
};

/* |count| > 0 elements from |from| of the first sequence are those from |to| of the second. Called
 * in order; runs that touch in both are one. */
typedef void weft_sequence_kept_fn(void *ctx, uint32_t from, uint32_t to, uint32_t count);

/* Reports all runs that both have in common. **Errors:** WEFT_ERR_NOMEM, before the first report.
 */
WEFT_MUST_USE int weft__sequence_diff(const struct weft_alloc *alloc, struct weft_sequence first,
                                      struct weft_sequence second, weft_sequence_kept_fn *kept,
                                      void *ctx);

#endif
