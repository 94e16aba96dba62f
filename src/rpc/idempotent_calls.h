/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interceptor that gives repeats of a call their answer (docs/protocol/rpc.md, section 9). One
 * for each environment; all of a server share one cache (rpc/idempotency.h).
 *
 *   call with meta.idem ─► begin ─┬─ RUN ──► the method ──► answered ─┬─ final ──► kept, and given
 *                                 │                                   │            to who waits
 *                                 │                                   └─ not ──► the first who
 * waits │                                              runs, or forgotten ├─ STORED ──► answered ├─
 * RUNNING ─┬─ in this environment ──► waits │           └─ in another one ──► `aborted`,
 * weft.idem.in_progress └─ MISMATCH, FULL ──► refused
 *
 * A repeat in the same environment waits because that costs nothing and gives the answer at the
 * earliest moment; in another one it would need a message between threads for what a client does
 * once after a reconnect, so it is asked to come again.
 *
 * *Final* is what the method says about what it did: a result, also one that comes when nobody
 * waits for it any more, and errors, but not
 *   - `executed` "no": the method did not run, so a repeat may;
 *   - unavailable, resource_exhausted, deadline_exceeded, canceled, unless `executed` is "yes":
 *     they invite to try again, and kept they would make every repeat futile for a day;
 *   - an error that comes after the call was canceled or too late: a handler that gives up says
 *     anything.
 * So a method that was stopped halfway runs again when it is repeated, with its key at hand
 * (weft__rpc_call_meta): one that cannot be stopped halfway does not stop, and answers.
 *
 * **Thread:** that of the environment; |guard| keeps the threads of one cache apart.
 */
#ifndef WEFT_RPC_IDEMPOTENT_CALLS_H
#define WEFT_RPC_IDEMPOTENT_CALLS_H

#include "rpc/idempotency.h"
#include "rpc/peer.h"

/* A lock around the cache. Nothing else is entered inside of it. */
struct weft_rpc_idem_guard {
    void (*enter)(void *ctx);
    void (*leave)(void *ctx);
    void *ctx;
};

/* Whose call it is, as the cache tells callers apart. **Lifetime:** until the call has started. */
typedef struct weft_slice weft_rpc_idem_principal_fn(const struct weft_rpc_call *call);

/* Does not move while it lives. Fields are private. */
struct weft_rpc_idem_calls {
    struct weft_rpc_env *env;
    struct weft_rpc_idem_cache *cache;
    const struct weft_rpc_idem_guard *guard;
    weft_rpc_idem_principal_fn *principal;
    struct weft_rpc_interceptor interceptor;
    struct weft_list turning; /* running entries whose call ended without an answer */
    struct weft_timer timer;  /* runs while there are some */
};

/* Puts itself among the interceptors of |env|, behind those that decide who may call. |guard| may
 * be NULL when the cache has one thread; |principal| NULL: all are the same one. */
void weft__rpc_idem_calls_init(struct weft_rpc_idem_calls *calls, struct weft_rpc_env *env,
                               struct weft_rpc_idem_cache *cache,
                               const struct weft_rpc_idem_guard *guard,
                               weft_rpc_idem_principal_fn *principal);

/* All peers are done and all deferred calls answered. */
void weft__rpc_idem_calls_done(struct weft_rpc_idem_calls *calls);

#endif
