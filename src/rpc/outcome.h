/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a method answered: a result or an error. While it is being sent it is a struct
 * weft_rpc_outcome, borrowed from whoever answers; to be kept, or taken to another thread, it is
 * copied into one block that is counted and never changed.
 */
#ifndef WEFT_RPC_OUTCOME_H
#define WEFT_RPC_OUTCOME_H

#include "base/mem.h"
#include "rpc/frame.h"

#include <stdatomic.h>

struct weft_rpc_call;

struct weft_rpc_outcome {
    struct weft_slice result;               /* one JSON value; empty for an error */
    const struct weft_rpc_failure *failure; /* NULL for a result */
};

/* A kept outcome. Slices and strings are inside of it. */
struct weft_rpc_kept {
    const struct weft_alloc *alloc; /* NULL: static, not counted */
    atomic_uint refs;
    size_t size; /* of the block */
    bool is_result;
    struct weft_slice result;
    struct weft_rpc_failure failure;
};

/* A copy of |outcome| with one reference; NULL when out of memory. |alloc| is thread-safe when it
 * crosses threads. **Thread:** any. */
struct weft_rpc_kept *weft__rpc_kept_new(const struct weft_alloc *alloc,
                                         const struct weft_rpc_outcome *outcome);

/* One more reference. **Thread:** any. */
struct weft_rpc_kept *weft__rpc_kept_ref(struct weft_rpc_kept *kept);

/* Lets go. NULL is allowed. **Thread:** any. */
void weft__rpc_kept_unref(struct weft_rpc_kept *kept);

/* Answers |call| with it. **Thread:** that of the call. */
void weft__rpc_kept_give(const struct weft_rpc_kept *kept, struct weft_rpc_call *call);

#endif
