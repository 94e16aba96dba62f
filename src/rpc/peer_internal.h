/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of a peer share: peer.c (life, output), outgoing.c (our calls), receive.c (what
 * comes in), batch.c, call.c and call_stream.c (calls being served), session.c, builtin.c (the
 * methods `$/…`).
 */
#ifndef WEFT_RPC_PEER_INTERNAL_H
#define WEFT_RPC_PEER_INTERNAL_H

#include "base/assert.h"
#include "rpc/ordering.h"
#include "rpc/peer.h"

/* ---- output (peer.c) ---- */

/* Scratch memory to write one message into; given back with weft__rpc_env_return_out. */
struct weft_bytes weft__rpc_env_take_out(struct weft_rpc_env *env);
void weft__rpc_env_return_out(struct weft_rpc_env *env, struct weft_bytes *out);

/* Notes that something could not be sent. */
void weft__rpc_peer_failed(struct weft_rpc_peer *peer, int err);

/* The other side broke the protocol: the connection is to be closed. |why| is static. */
void weft__rpc_peer_violated(struct weft_rpc_peer *peer, const char *why);

/* Ends the frame begun in |out| and sends it, or notes why it could not be written.
 * |is_protocol|: a method `$/…` or the answer to one, which no session numbers. */
void weft__rpc_peer_emit(struct weft_rpc_peer *peer, struct weft_bytes *out,
                         struct weft_rpc_head *head, bool is_protocol);

/* Sends a message of the text wire that is complete: the answers to a batch. |numbers| of the
 * session's are in it. */
void weft__rpc_peer_emit_text(struct weft_rpc_peer *peer, const struct weft_bytes *out,
                              uint32_t numbers);

/* Every call ends, both ways, as when the connection ends. */
void weft__rpc_peer_end_calls(struct weft_rpc_peer *peer);

/* Sends a frame without payload. */
void weft__rpc_peer_emit_head(struct weft_rpc_peer *peer, struct weft_rpc_head *head);

/* Sends an item of the call |id|, one JSON value. */
void weft__rpc_peer_send_item(struct weft_rpc_peer *peer, struct weft_slice id,
                              struct weft_slice value);

/* Sends the call |options| with |id|, or with an empty one a notification. **Errors:**
 * WEFT_ERR_NOMEM, WEFT_ERR_UTF8; nothing was sent then. */
WEFT_MUST_USE int weft__rpc_peer_send_request(struct weft_rpc_peer *peer, struct weft_slice id,
                                              const struct weft_rpc_call_options *options);

/* Tells what |stream| of the call |id| has granted so far. */
void weft__rpc_peer_send_credit(struct weft_rpc_peer *peer, struct weft_slice id,
                                const struct weft_rpc_stream *stream);

/* Tells those who watch that there is a connection, or none. */
void weft__rpc_peer_tell_linked(struct weft_rpc_peer *peer, bool linked);

/* ---- batches (batch.c) ---- */

/* The answers to one array of calls; lives until the last of them is answered. */
struct weft_rpc_batch {
    struct weft_rpc_env *env;
    struct weft_rpc_peer *peer; /* NULL when it is gone */
    size_t pending;             /* calls not yet answered, and 1 while the array is dispatched */
    size_t answers;             /* written so far */
    struct weft_bytes out;
    struct weft_bytes ends; /* in |out|, of each answer: size_t */
};

/* **Errors:** NULL when out of memory. */
struct weft_rpc_batch *weft__rpc_batch_new(struct weft_rpc_peer *peer);

/* Adds the answer begun in |out|. */
void weft__rpc_batch_add(struct weft_rpc_batch *batch, struct weft_bytes *out,
                         const struct weft_rpc_head *head);

/* One call less to wait for; the last one sends the answers and frees |batch|. */
void weft__rpc_batch_leave(struct weft_rpc_batch *batch);

/* ---- calls being served (call.c) ---- */

/* A call without content, from the idle ones when there are any; NULL when out of memory. */
struct weft_rpc_call *weft__rpc_call_new(struct weft_rpc_env *env);

/* Gives back |method|, which env->resolver found (receive.c). */
void weft__rpc_env_release_method(const struct weft_rpc_env *env,
                                  const struct weft_rpc_method *method);

/* Runs the handler of |call|, and sees to it that the call is answered or deferred. */
void weft__rpc_call_run(struct weft_rpc_call *call);

/* Tells a deferred call that it is not wanted any more; see weft_rpc_cancel_fn. |call| may be gone
 * afterwards. */
void weft__rpc_call_cancel(struct weft_rpc_call *call, int status);

/* Answers a deferred call with `unavailable`, outcome unknown, while its connection lasts. False
 * when nobody waits for its answer. |call| may be gone afterwards. */
bool weft__rpc_call_cut_off(struct weft_rpc_call *call);

/* Keeps |call|, whose handler has not run, until its turn comes: weft__rpc_call_run, which goes on
 * behind the interceptors that were asked. Meanwhile |cancel| is told as a handler is. **Errors:**
 * WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__rpc_call_wait(struct weft_rpc_call *call, weft_rpc_cancel_fn *cancel,
                                      void *ctx);

/* The numbers of its method; NULL when they are not kept. */
struct weft_rpc_method_stats *weft__rpc_call_stats(const struct weft_rpc_call *call);

/* The time for measuring; |now_ns| without a clock. */
static inline uint64_t weft__rpc_env_now_ns(const struct weft_rpc_env *env, uint64_t now_ns)
{
    return env->clock ? weft__clock_monotonic_ns(env->clock) : now_ns;
}

/*
 * The time for measuring the call that begins now. Reading the clock costs a twentieth of a short
 * call, so one that follows another in the same turn of the loop begins when that one has ended,
 * unless a handler ran since that did not answer.
 */
static inline uint64_t weft__rpc_env_start_ns(const struct weft_rpc_env *env, uint64_t now_ns)
{
    return env->ended_turn_ns && env->ended_turn_ns == now_ns ? env->ended_ns
                                                              : weft__rpc_env_now_ns(env, now_ns);
}

/* A callback of |call| or its handler has returned. False when the call is gone. */
bool weft__rpc_call_leave(struct weft_rpc_call *call);

/* ---- their items (call_stream.c) ---- */

/* Begins the stream of a call of a method with one. **Errors:** WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__rpc_call_make_stream(struct weft_rpc_call *call);

/* Frees it. */
void weft__rpc_call_close_stream(struct weft_rpc_call *call);

/* Something came for the stream of |call|, which may be gone afterwards. An item is counted
 * already. */
void weft__rpc_call_item(struct weft_rpc_call *call, const struct weft_json *value, size_t size);
void weft__rpc_call_items_ended(struct weft_rpc_call *call);
void weft__rpc_call_granted(struct weft_rpc_call *call, uint64_t items_total, uint64_t bytes_total);

/* Says again what was granted to the streams of calls being served. */
void weft__rpc_calls_repeat_credit(struct weft_rpc_peer *peer);

/* ---- sessions (session.c) ---- */

/* A frame came. False when it is not to be processed: it came before, or the peer has violated. The
 * message takes |size| bytes, told with one of its frames. */
bool weft__rpc_session_received(struct weft_rpc_session *session,
                                const struct weft_rpc_frame *frame, size_t size, uint64_t now_ns);

/* A message has been dealt with. */
void weft__rpc_session_received_message(struct weft_rpc_session *session);

/* A call of ours was given up; its id and the key of it. */
void weft__rpc_session_canceled(struct weft_rpc_session *session, struct weft_slice raw,
                                struct weft_slice key);

/* An answer to no call that waits came: true when it is to one that was given up. */
bool weft__rpc_session_answered(struct weft_rpc_session *session, struct weft_slice key);

/* Frees what the peer has of a session, if anything. */
void weft__rpc_session_free(struct weft_rpc_peer *peer);

/* ---- the greeting (greeting.c) ---- */

/* The handler of `$/hello`. */
void weft__rpc_serve_hello(struct weft_rpc_call *call, void *ctx);

/* What came for ours; NULL: an error, or nothing over this connection. */
void weft__rpc_greeting_answered(struct weft_rpc_peer *peer, const struct weft_json *result);

/* ---- signing in (auth.c) ---- */

/* Why |peer| may not call; NULL when it may, and from then on it stays who it is.
 * **Lifetime:** static. */
const struct weft_rpc_failure *weft__rpc_auth_objection(struct weft_rpc_peer *peer);

/* |peer|, while it receives, presents |token|. NULL when it is known now who it is, or why not. */
const struct weft_rpc_failure *weft__rpc_auth_present(struct weft_rpc_peer *peer,
                                                      struct weft_slice token, uint64_t now_ns);

/* The same for the greeting |call|, which need not present one when it is known already. */
const struct weft_rpc_failure *weft__rpc_auth_greeting(struct weft_rpc_call *call);

/* Writes the member "auth" about |peer|, if there is anything to say. */
void weft__rpc_auth_write(struct weft_json_writer *w, const struct weft_rpc_peer *peer,
                          uint64_t now_ns);

/* The peer can be told from now on: of an end that is near, it is. */
void weft__rpc_auth_remind(struct weft_rpc_peer *peer);

/* The handler of `$/auth.refresh`. */
void weft__rpc_serve_auth_refresh(struct weft_rpc_call *call, void *ctx);

/* The handler of `$/auth.expiring`. */
void weft__rpc_serve_auth_expiring(struct weft_rpc_call *call, void *ctx);

/* ---- the announced end (goaway.c) ---- */

/* The peer greeted after the end was announced: it is told now. */
void weft__rpc_goaway_after_hello(struct weft_rpc_peer *peer);

/* The handler of `$/goaway`. */
void weft__rpc_serve_goaway(struct weft_rpc_call *call, void *ctx);

/* ---- our calls (outgoing.c) ---- */

/* A frame about one of our calls came: RESULT, ERROR, ITEM, END or CREDIT. */
void weft__rpc_outgoing_received(struct weft_rpc_peer *peer, const struct weft_rpc_frame *frame);

/* Sends `$/hello` with |params|; weft__rpc_greeting_answered follows. **Errors:** as those of
 * weft__rpc_peer_call. */
WEFT_MUST_USE int weft__rpc_outgoing_greet(struct weft_rpc_peer *peer, struct weft_slice params,
                                           weft_rpc_answer_fn *answer, void *ctx, uint64_t now_ns);

/* The connection of a greeting is gone: it ends, if there is one. */
void weft__rpc_outgoing_end_greeting(struct weft_rpc_peer *peer);

/* Says again what was granted to the streams of our calls. */
void weft__rpc_outgoing_repeat_credit(struct weft_rpc_peer *peer);

/* The session is about to be freed, and their ends are told later. */
void weft__rpc_outgoing_leave_session(struct weft_rpc_peer *peer);

/* Ends every call of ours with |status|; nothing is sent. */
void weft__rpc_outgoing_end_all(struct weft_rpc_peer *peer, int status);

/* Of the correlation: a deadline passed. */
void weft__rpc_outgoing_expired(struct weft_rpc_outgoing *outgoing);

/* When a call with |meta| that starts at |now_ns| must be over, or WEFT_RPC_NO_DEADLINE. */
static inline uint64_t weft__rpc_deadline(const struct weft_rpc_meta *meta, uint64_t now_ns)
{
    uint64_t timeout_ns, deadline_ns;
    if (!meta->has_timeout || WEFT_MUL_OVERFLOW(meta->timeout_ms, WEFT_NS_PER_MS, &timeout_ns) ||
        WEFT_ADD_OVERFLOW(now_ns, timeout_ns, &deadline_ns))
        return WEFT_RPC_NO_DEADLINE;
    return deadline_ns;
}

/* ---- what there is to call (discover.c) ---- */

/* The handler of `rpc.discover`. */
void weft__rpc_serve_discover(struct weft_rpc_call *call, void *ctx);

/* ---- the methods of the protocol (builtin.c) ---- */

/* The built-in method called |name|, which serves calls alone or notifications alone; NULL when
 * there is none of this kind. */
const struct weft_rpc_method *weft__rpc_builtin_find(struct weft_slice name, bool is_notification);

#endif
