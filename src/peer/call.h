/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call being served, in the form that an application holds (weft/rpc.h): a reference-counted
 * object between the loop's call (rpc/call.h) and any threads.
 *
 *   rpc call ─► struct weft_call ─► handler, on the loop or on the pool
 *                 OPEN ── finish, fail ──► ANSWERED ─► (posted, when not on the loop) ─► rpc call
 *                      ── deadline, peer gone, canceled without anybody to tell ──► OVER
 *                      ── the last user has let go ──► ANSWERED with `internal`
 *
 * The answer to a call with items waits behind those that have no credit yet (peer/stream.h).
 * **Thread:** the loop's; what is public, any.
 */
#ifndef WEFT_PEER_CALL_H
#define WEFT_PEER_CALL_H

#include "base/arena.h"
#include "peer/domain.h"
#include "rpc/registry.h"

#include <weft/rpc.h>

/* A method and the thread that it is served on. */
struct weft_served_method {
    const struct weft_method *method;
    struct weft_domain *domain;
};

/* Serves |call|; |ctx| is a struct weft_served_method that outlives it. */
void weft__call_serve(struct weft_rpc_call *call, void *ctx);

#endif
