/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of a peer share: peer.c (life, output, our calls), receive.c (what comes in),
 * call.c (calls being served), builtin.c (the methods `$/…`).
 */
#ifndef WEFT_RPC_PEER_INTERNAL_H
#define WEFT_RPC_PEER_INTERNAL_H

#include "base/assert.h"
#include "rpc/peer.h"

/* ---- output (peer.c) ---- */

/* Scratch memory to write one message into; given back with weft__rpc_env_return_out. */
struct weft_bytes weft__rpc_env_take_out(struct weft_rpc_env *env);
void weft__rpc_env_return_out(struct weft_rpc_env *env, struct weft_bytes *out);

/* Notes that something could not be sent. */
void weft__rpc_peer_failed(struct weft_rpc_peer *peer, int err);

/* Sends |out|, or notes why it could not be written. */
void weft__rpc_peer_emit(struct weft_rpc_peer *peer, const struct weft_bytes *out,
                         enum weft_rpc_lane lane);

/* ---- batches (receive.c) ---- */

/* The answers to one array of calls; lives until the last of them is answered. */
struct weft_rpc_batch {
    struct weft_rpc_env *env;
    struct weft_rpc_peer *peer; /* NULL when it is gone */
    size_t pending;             /* calls not yet answered, and 1 while the array is dispatched */
    struct weft_bytes out;
};

/* Adds one answer. */
void weft__rpc_batch_add(struct weft_rpc_batch *batch, const struct weft_bytes *answer);

/* One call less to wait for; the last one sends the answers and frees |batch|. */
void weft__rpc_batch_leave(struct weft_rpc_batch *batch);

/* ---- calls being served (call.c) ---- */

/* A call without content, from the idle ones when there are any; NULL when out of memory. */
struct weft_rpc_call *weft__rpc_call_new(struct weft_rpc_env *env);

/* Runs the handler of |call|, and sees to it that the call is answered or deferred. */
void weft__rpc_call_run(struct weft_rpc_call *call);

/* Tells a deferred call that it is not wanted any more; see weft_rpc_cancel_fn. |call| may be gone
 * afterwards. */
void weft__rpc_call_cancel(struct weft_rpc_call *call, int status);

/* Answers a deferred call with `unavailable`, outcome unknown, while its connection lasts. False
 * when nobody waits for its answer. |call| may be gone afterwards. */
bool weft__rpc_call_cut_off(struct weft_rpc_call *call);

/* ---- the announced end (goaway.c) ---- */

/* The peer greeted after the end was announced: it is told now. */
void weft__rpc_goaway_after_hello(struct weft_rpc_peer *peer);

/* The handler of `$/goaway`. */
void weft__rpc_serve_goaway(struct weft_rpc_call *call, void *ctx);

/* ---- our calls (peer.c) ---- */

/* Ends one of our calls: the other side answered |frame|, a RESULT or ERROR. */
void weft__rpc_peer_answered(struct weft_rpc_peer *peer, const struct weft_rpc_frame *frame);

/* When a call with |meta| that starts at |now_ns| must be over, or WEFT_RPC_NO_DEADLINE. */
static inline uint64_t weft__rpc_deadline(const struct weft_rpc_meta *meta, uint64_t now_ns)
{
    uint64_t timeout_ns, deadline_ns;
    if (!meta->has_timeout || WEFT_MUL_OVERFLOW(meta->timeout_ms, WEFT_NS_PER_MS, &timeout_ns) ||
        WEFT_ADD_OVERFLOW(now_ns, timeout_ns, &deadline_ns))
        return WEFT_RPC_NO_DEADLINE;
    return deadline_ns;
}

/* ---- the methods of the protocol (builtin.c) ---- */

/* The built-in method called |name|, which serves calls alone or notifications alone; NULL when
 * there is none of this kind. */
const struct weft_rpc_method *weft__rpc_builtin_find(struct weft_slice name, bool is_notification);

#endif
