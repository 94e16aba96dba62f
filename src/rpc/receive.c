/* SPDX-License-Identifier: Apache-2.0 */
/* What comes in: one message decoded, its frames judged in order, its calls started. */
#include "rpc/peer_internal.h"

/* The message at hand. */
struct inbound {
    struct weft_rpc_peer *peer;
    struct weft_rpc_batch *batch; /* NULL for a message of one frame */
    uint64_t now_ns;
    size_t size; /* in bytes; 0 once a session has counted it */
};

/* Why a call is not started. */
struct refusal {
    struct weft_rpc_failure failure;
    bool hide_id; /* the answer could be taken for that of another call */
};

static const struct refusal refuse_method = {
    .failure = {.status = WEFT_STATUS_UNIMPLEMENTED, .message = "Method not found"}};

static const struct refusal refuse_batched = {.failure = {.status = WEFT_STATUS_INVALID_ARGUMENT,
                                                          .number = WEFT_RPC_INVALID_REQUEST,
                                                          .message = "not allowed in a batch"}};

static const struct refusal refuse_meta = {.failure = {.status = WEFT_STATUS_INVALID_ARGUMENT,
                                                       .number = WEFT_RPC_INVALID_REQUEST,
                                                       .message = "malformed meta"}};

static const struct refusal refuse_server_id = {
    .failure = {.status = WEFT_STATUS_INVALID_ARGUMENT,
                .number = WEFT_RPC_INVALID_REQUEST,
                .message = "ids beginning with $s are the server's"},
    .hide_id = true};

static const struct refusal refuse_live_id = {
    .failure = {.status = WEFT_STATUS_INVALID_ARGUMENT,
                .number = WEFT_RPC_INVALID_REQUEST,
                .message = "a call with this id is in flight",
                .reason = "weft.rpc.duplicate_id"},
    .hide_id = true};

static const struct refusal refuse_in_flight = {
    .failure = {.status = WEFT_STATUS_RESOURCE_EXHAUSTED,
                .message = "too many calls in flight",
                .reason = "weft.rpc.in_flight"}};

static const struct refusal refuse_streams = {.failure = {.status = WEFT_STATUS_RESOURCE_EXHAUSTED,
                                                          .message = "too many streams open",
                                                          .reason = "weft.rpc.streams"}};

static const struct refusal refuse_ungreeted = {
    .failure = {.status = WEFT_STATUS_FAILED_PRECONDITION,
                .message = "needs a greeting first",
                .reason = "weft.rpc.not_greeted"}};

static const struct refusal refuse_items = {.failure = {.status = WEFT_STATUS_FAILED_PRECONDITION,
                                                        .message = "a method with items",
                                                        .reason = "weft.rpc.streams_unsupported"}};

static const struct refusal refuse_expired = {
    .failure = {.status = WEFT_STATUS_DEADLINE_EXCEEDED, .executed = WEFT_RPC_EXECUTED_NO}};

static const struct refusal refuse_leaving = {.failure = {.status = WEFT_STATUS_UNAVAILABLE,
                                                          .message = "the server is shutting down",
                                                          .reason = "weft.draining",
                                                          .executed = WEFT_RPC_EXECUTED_NO}};

/* ---- frames ---- */

/* Answers with an error a frame that never became a call. */
static void refuse(struct inbound *in, struct weft_slice id, const struct weft_rpc_failure *failure)
{
    struct weft_rpc_peer *peer = in->peer;
    struct weft_bytes out = weft__rpc_env_take_out(peer->env);
    struct weft_rpc_head head = {.kind = WEFT_RPC_KIND_ERROR, .id = id, .failure = failure};
    peer->wire->begin(&out, &head);
    ++peer->env->counters.errors[failure->status];
    ++peer->errors;
    if (in->batch)
        weft__rpc_batch_add(in->batch, &out, &head);
    else
        weft__rpc_peer_emit(peer, &out, &head, false);
    weft__rpc_env_return_out(peer->env, &out);
}

/* |ret_resolved|: it is to be given back (weft__rpc_env_release_method). */
static const struct weft_rpc_method *
find_method(const struct inbound *in, const struct weft_rpc_frame *frame, bool *ret_resolved)
{
    const struct weft_rpc_env *env = in->peer->env;
    const struct weft_rpc_method *method = NULL;
    *ret_resolved = false;
    if (weft__rpc_name_is_reserved(frame->method))
        method = weft__rpc_builtin_find(frame->method, frame->kind == WEFT_RPC_KIND_NOTIFY);
    if (!method)
        method = weft__rpc_registry_find(env->registry, frame->method);
    if (!method && env->resolver) {
        method = env->resolver->find(env->resolver->ctx, frame->method);
        *ret_resolved = method != NULL;
    }
    return method;
}

void weft__rpc_env_release_method(const struct weft_rpc_env *env,
                                  const struct weft_rpc_method *method)
{
    const struct weft_rpc_resolver *resolver = env->resolver;
    if (resolver->release)
        resolver->release(resolver->ctx, method);
}

/* Items go beside a call alone: a notification has no id that they could name, and the answers to a
 * batch go back together. */
static const struct refusal *judge_stream(const struct inbound *in,
                                          const struct weft_rpc_frame *frame)
{
    if (in->peer->no_streams)
        return &refuse_items;
    if (in->batch || frame->kind == WEFT_RPC_KIND_NOTIFY)
        return &refuse_batched;
    return in->peer->streams >= in->peer->env->limits.streams ? &refuse_streams : NULL;
}

/* Why |frame| can be no call, whatever it calls; NULL when it can. */
static const struct refusal *judge_frame(const struct inbound *in,
                                         const struct weft_rpc_frame *frame)
{
    const struct weft_rpc_peer *peer = in->peer;
    if (peer->is_server && frame->id.key.len && peer->wire->is_server_id(frame->id.key))
        return &refuse_server_id;
    if (frame->id.key.len && weft__map_get(&peer->incoming, frame->id.key))
        return &refuse_live_id;
    /* PROTOCOL §9: `$/` methods are not allowed in a batch. */
    return in->batch && weft__rpc_name_is_protocol(frame->method) ? &refuse_batched : NULL;
}

/* Why |frame|, a call or notification of |method|, may not start; NULL when it may. */
static const struct refusal *judge(const struct inbound *in, const struct weft_rpc_frame *frame,
                                   const struct weft_rpc_method *method)
{
    const struct weft_rpc_peer *peer = in->peer;
    if (!method)
        return &refuse_method;
    if ((method->flags & (WEFT_RPC_METHOD_GREETED | WEFT_RPC_METHOD_STREAMS)) && !peer->greeted)
        return &refuse_ungreeted;
    if (peer->greeted && (frame->meta.malformed || frame->meta.order.len > WEFT_RPC_ORDER_MAX))
        return &refuse_meta;
    if (peer->greeted && frame->meta.has_timeout && frame->meta.timeout_ms == 0)
        return &refuse_expired;
    if (peer->leaving && !(method->flags & WEFT_RPC_METHOD_RESERVED))
        return &refuse_leaving;
    /* Methods of the protocol pass: a cancellation makes room. */
    if (peer->in_flight >= peer->env->limits.in_flight &&
        !(method->flags & WEFT_RPC_METHOD_RESERVED))
        return &refuse_in_flight;
    return method->flags & WEFT_RPC_METHOD_STREAMS ? judge_stream(in, frame) : NULL;
}

static void out_of_memory(struct weft_rpc_call *call)
{
    weft__rpc_call_error(call, WEFT_STATUS_RESOURCE_EXHAUSTED, "weft.memory", "out of memory");
}

/* Runs |call| now or, when it has an ordering key, in its turn. The methods of the protocol wait
 * for nobody: a token is judged while its message is received. */
static void run_in_order(struct weft_rpc_call *call)
{
    bool streams = call->method->flags & WEFT_RPC_METHOD_STREAMS;
    bool ordered = call->meta.order.len && !streams &&
                   !weft__rpc_name_is_protocol(weft__slice_str(call->method->name));
    enum weft_rpc_turn turn = WEFT_RPC_TURN_NOW;
    if (streams && weft__rpc_call_make_stream(call))
        turn = WEFT_RPC_TURN_NEVER;
    else if (ordered)
        turn = weft__rpc_order_enter(call);
    if (turn == WEFT_RPC_TURN_NOW)
        weft__rpc_call_run(call);
    else if (turn == WEFT_RPC_TURN_NEVER)
        out_of_memory(call);
}

static void count_call(const struct weft_rpc_call *call)
{
    struct weft_rpc_method_stats *stats = weft__rpc_call_stats(call);
    bool notification = weft__rpc_call_is_notification(call);
    ++call->peer->calls;
    if (notification)
        ++call->env->counters.notifications;
    else
        ++call->env->counters.calls;
    if (!stats)
        return;
    if (notification)
        ++stats->notifications;
    else
        ++stats->calls;
    stats->bytes_in += call->params ? weft__json_raw(call->params).len : 0;
}

/* False when out of memory: nothing was started. */
static bool start_call(struct inbound *in, const struct weft_rpc_frame *frame,
                       const struct weft_rpc_method *method, bool resolved)
{
    struct weft_rpc_peer *peer = in->peer;
    struct weft_rpc_call *call = weft__rpc_call_new(peer->env);
    if (!call) {
        weft__rpc_peer_failed(peer, WEFT_ERR_NOMEM);
        return false;
    }
    call->peer = peer;
    call->wire = peer->wire;
    call->method = method;
    call->resolved = resolved;
    call->id = frame->id;
    call->params = frame->params;
    call->now_ns = in->now_ns;
    call->started_ns = weft__rpc_env_start_ns(peer->env, in->now_ns);
    /* JSON-RPC 2.0 §4.1: a notification is never answered. */
    call->settled = frame->kind == WEFT_RPC_KIND_NOTIFY;
    if (peer->greeted) {
        call->meta = frame->meta;
        call->deadline_ns = weft__rpc_deadline(&frame->meta, in->now_ns);
    }
    if (!call->settled && in->batch) {
        call->batch = in->batch;
        ++in->batch->pending;
    }
    count_call(call);
    run_in_order(call);
    return true;
}

static void receive_request(struct inbound *in, const struct weft_rpc_frame *frame)
{
    bool resolved;
    const struct weft_rpc_method *method = find_method(in, frame, &resolved);
    const struct refusal *refusal = judge_frame(in, frame);
    bool protocol = method && weft__rpc_name_is_protocol(frame->method);
    /* Which methods there are is not for strangers to know. */
    const struct weft_rpc_failure *failure =
        refusal || protocol ? NULL : weft__rpc_auth_objection(in->peer);
    if (!refusal && !failure)
        refusal = judge(in, frame, method);
    if (refusal)
        failure = &refusal->failure;
    if (!failure && start_call(in, frame, method, resolved))
        return;
    if (resolved)
        weft__rpc_env_release_method(in->peer->env, method);
    if (failure && frame->kind == WEFT_RPC_KIND_CALL)
        refuse(in, refusal && refusal->hide_id ? (struct weft_slice){NULL, 0} : frame->id.raw,
               failure);
}

/* ---- frames about calls that run ---- */

static struct weft_rpc_call *find_call(const struct weft_rpc_peer *peer, struct weft_slice key)
{
    struct weft_map_node *node = weft__map_get(&peer->incoming, key);
    return node ? WEFT_CONTAINER_OF(node, struct weft_rpc_call, node) : NULL;
}

static void receive_item(struct weft_rpc_peer *peer, struct weft_rpc_call *call,
                         const struct weft_json *value)
{
    size_t size = weft__json_raw(value).len;
    if (!call->stream || weft__rpc_stream_received(call->stream, size))
        weft__rpc_peer_violated(peer, "an item without credit");
    else
        weft__rpc_call_item(call, value, size);
}

/* An item, an end, credit or a cancellation of a call that the other side made. That its answer
 * crossed them is no mistake. */
static void receive_about(struct weft_rpc_peer *peer, const struct weft_rpc_frame *frame)
{
    struct weft_rpc_call *call = find_call(peer, frame->id.key);
    if (!call)
        return;
    if (frame->kind == WEFT_RPC_KIND_CANCEL)
        weft__rpc_call_cancel(call, WEFT_STATUS_CANCELED);
    else if (frame->kind == WEFT_RPC_KIND_ITEM)
        receive_item(peer, call, frame->value);
    else if (frame->kind == WEFT_RPC_KIND_END && call->stream && call->stream->in.open)
        weft__rpc_call_items_ended(call);
    else if (frame->kind == WEFT_RPC_KIND_CREDIT && call->stream)
        weft__rpc_call_granted(call, frame->items_total, frame->bytes_total);
}

/* A notification of the protocol with a kind of its own. */
static void receive_protocol(struct inbound *in, const struct weft_rpc_frame *frame)
{
    struct weft_rpc_peer *peer = in->peer;
    /* PROTOCOL §9: they are not allowed in a batch, and a notification is not answered. */
    if (in->batch)
        return;
    if (frame->kind == WEFT_RPC_KIND_PING)
        weft__rpc_peer_emit_head(peer, &(struct weft_rpc_head){.kind = WEFT_RPC_KIND_PONG});
    else if (frame->kind == WEFT_RPC_KIND_PONG && peer->events->pong)
        peer->events->pong(peer->events_ctx);
    else if (frame->kind >= WEFT_RPC_KIND_ITEM && frame->kind <= WEFT_RPC_KIND_CREDIT) {
        if (peer->wire->is_server_id(frame->id.key) == peer->is_server)
            weft__rpc_outgoing_received(peer, frame);
        else
            receive_about(peer, frame);
    }
}

/* What the session says to a frame, if there is one. False when it is to be dropped. */
static bool pass_session(struct inbound *in, const struct weft_rpc_frame *frame)
{
    struct weft_rpc_session *session = in->peer->session;
    if (!session)
        return true;
    size_t size = in->size;
    in->size = 0;
    return weft__rpc_session_received(session, frame, size, in->now_ns);
}

static void receive_frame(struct inbound *in, const struct weft_rpc_frame *frame)
{
    if (!pass_session(in, frame))
        return;
    switch (frame->kind) {
    case WEFT_RPC_KIND_INVALID:
        ++in->peer->env->counters.invalid;
        refuse(in, frame->id.raw, &frame->failure);
        break;
    case WEFT_RPC_KIND_IGNORED:
        break;
    case WEFT_RPC_KIND_CALL:
    case WEFT_RPC_KIND_NOTIFY:
        receive_request(in, frame);
        break;
    case WEFT_RPC_KIND_RESULT:
    case WEFT_RPC_KIND_ERROR:
        weft__rpc_outgoing_received(in->peer, frame);
        break;
    default:
        receive_protocol(in, frame);
        break;
    }
}

static int receive_message(struct weft_rpc_peer *peer, struct weft_slice text,
                           struct weft_arena *arena, uint64_t now_ns)
{
    struct weft_rpc_env *env = peer->env;
    struct weft_rpc_message message;
    env->decode.max_batch = env->limits.batch;
    int err = peer->wire->decode(text, arena, &env->decode, &message);
    if (err == WEFT_ERR_PROTOCOL)
        weft__rpc_peer_violated(peer, "a malformed frame");
    if (err)
        return err;
    struct inbound in = {.peer = peer, .now_ns = now_ns, .size = text.len};
    if (message.batch) {
        in.batch = weft__rpc_batch_new(peer);
        if (!in.batch)
            return WEFT_ERR_NOMEM;
    }
    for (size_t i = 0; i < message.count && !peer->err && !peer->left; ++i)
        receive_frame(&in, &message.frames[i]);
    if (in.batch)
        weft__rpc_batch_leave(in.batch);
    if (peer->session)
        weft__rpc_session_received_message(peer->session);
    return 0;
}

int weft__rpc_peer_receive(struct weft_rpc_peer *peer, struct weft_slice message, uint64_t now_ns)
{
    struct weft_rpc_env *env = peer->env;
    WEFT_ASSERT(!peer->receiving && !peer->closed);
    peer->receiving = true;
    /* A handler may make another peer of this environment receive; that one gets an arena of its
     * own. */
    bool nested = env->arena_lent;
    struct weft_arena own;
    struct weft_arena *arena = nested ? &own : &env->arena;
    if (nested)
        weft__arena_init(&own, env->alloc, env->arena.limit);
    env->arena_lent = true;
    int err = receive_message(peer, message, arena, now_ns);
    if (err)
        weft__rpc_peer_failed(peer, err);
    if (nested) {
        weft__arena_done(&own);
    } else {
        weft__arena_reset(arena);
        env->arena_lent = false;
    }
    peer->receiving = false;
    return peer->err;
}
