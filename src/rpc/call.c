/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls being served. Two parties hold a deferred call, and each lets go once:
 *
 *   the handler   until it answers            then the object is released
 *   the peer      until the call is settled   its id is free again, nothing more will be sent
 *
 * Usually the answer does both. A deadline, a cancellation or the end of the connection settles a
 * call first; the handler's answer is then dropped.
 */
#include "rpc/peer_internal.h"

enum {
    CALL_MAGIC = 0x77637031,
    IDLE_CALLS_MAX = 64 /* call objects kept for reuse */
};

static const struct weft_rpc_failure no_answer = {.status = WEFT_STATUS_INTERNAL,
                                                  .message = "the method gave no answer"};

static const struct weft_rpc_failure unwritable = {.status = WEFT_STATUS_INTERNAL,
                                                   .message = "the result could not be written"};

/* ---- life ---- */

struct weft_rpc_call *weft__rpc_call_new(struct weft_rpc_env *env)
{
    struct weft_list *link = weft__list_pop(&env->idle_calls);
    struct weft_rpc_call *call;
    if (link) {
        --env->idle_count;
        call = WEFT_CONTAINER_OF(link, struct weft_rpc_call, link);
    } else {
        call = weft__mem_alloc(env->alloc, sizeof(*call));
        if (!call)
            return NULL;
    }
    *call = (struct weft_rpc_call){
        .magic = CALL_MAGIC, .env = env, .deadline_ns = WEFT_RPC_NO_DEADLINE};
    weft__list_init(&call->link);
    return call;
}

static void release(struct weft_rpc_call *call)
{
    struct weft_rpc_env *env = call->env;
    WEFT_ASSERT(call->settled && call->answered);
    if (call->deferred) {
        --env->counters.in_flight;
        if (call->peer)
            --call->peer->in_flight;
    }
    weft__list_remove(&call->link);
    weft__mem_free(env->alloc, call->copy, call->copy_size);
    if (call->stream)
        weft__rpc_call_close_stream(call);
    if (call->order)
        weft__rpc_order_leave(call);
    if (call->resolved)
        weft__rpc_env_release_method(env, call->method);
    call->magic = 0;
    if (env->idle_count == IDLE_CALLS_MAX) {
        weft__mem_free(env->alloc, call, sizeof(*call));
        return;
    }
    ++env->idle_count;
    weft__list_push_front(&env->idle_calls, &call->link);
}

/* The peer's side lets go: frees the id and stops the clock. The caller sees to the batch. */
static void settle(struct weft_rpc_call *call)
{
    WEFT_ASSERT(!call->settled);
    call->settled = true;
    if (!call->deferred)
        return;
    weft__timer_stop(call->env->wheel, &call->timer);
    weft__map_remove(&call->peer->incoming, &call->node);
}

/* The handler's side lets go. */
static void end_answer(struct weft_rpc_call *call)
{
    call->answered = true;
    if (!call->running)
        release(call);
}

static void assert_answerable(const struct weft_rpc_call *call)
{
    WEFT_ASSERT(call->magic == CALL_MAGIC && !call->answered);
}

void *weft__rpc_call_user(const struct weft_rpc_call *call)
{
    return call->peer ? call->peer->user : NULL;
}

/* ---- answers ---- */

static bool is_protocol(const struct weft_rpc_call *call)
{
    return (call->method->flags & WEFT_RPC_METHOD_RESERVED) && call->method->name[0] == '$';
}

/* The call has its answer, or lost whoever waited for it. */
static void note_end(struct weft_rpc_call *call, int status)
{
    struct weft_rpc_env *env = call->env;
    if (status) {
        ++env->counters.errors[status];
        ++call->peer->errors;
    } else {
        ++env->counters.results;
    }
    env->ended_ns = weft__rpc_env_now_ns(env, call->now_ns);
    env->ended_turn_ns = call->deferred ? 0 : call->now_ns;
    uint64_t latency_ns = env->ended_ns - call->started_ns;
    struct weft_rpc_method_stats *stats = weft__rpc_call_stats(call);
    if (stats)
        weft__rpc_method_stats_end(stats, status, latency_ns);
    for (size_t i = call->intercepted; i-- > 0;) {
        const struct weft_rpc_interceptor *interceptor = env->interceptors[i];
        if (interceptor->after)
            interceptor->after(call, status, latency_ns, interceptor->ctx);
    }
}

/* The call is being answered, whoever still waits for that. */
static void note_answer(struct weft_rpc_call *call, struct weft_slice result,
                        const struct weft_rpc_failure *failure)
{
    const struct weft_rpc_outcome outcome = {result, failure};
    for (size_t i = call->intercepted; i-- > 0;) {
        const struct weft_rpc_interceptor *interceptor = call->env->interceptors[i];
        if (interceptor->answered)
            interceptor->answered(call, &outcome, interceptor->ctx);
    }
}

/* Sends the answer begun in |out| and settles the call. */
static void deliver(struct weft_rpc_call *call, struct weft_bytes *out, struct weft_rpc_head *head)
{
    struct weft_rpc_batch *batch = call->batch;
    settle(call);
    if (!batch) {
        weft__rpc_peer_emit(call->peer, out, head, is_protocol(call));
        return;
    }
    call->batch = NULL;
    weft__rpc_batch_add(batch, out, head);
    weft__rpc_batch_leave(batch);
}

static void deliver_error(struct weft_rpc_call *call, const struct weft_rpc_failure *failure)
{
    struct weft_rpc_env *env = call->env;
    struct weft_bytes out = weft__rpc_env_take_out(env);
    struct weft_rpc_head head = {
        .kind = WEFT_RPC_KIND_ERROR, .id = call->id.raw, .failure = failure};
    call->wire->begin(&out, &head);
    note_end(call, failure->status);
    deliver(call, &out, &head);
    weft__rpc_env_return_out(env, &out);
}

/* Sends a result; one that could not be written for another reason than memory becomes an error. */
static void deliver_result(struct weft_rpc_call *call, struct weft_rpc_reply *reply)
{
    struct weft_rpc_method_stats *stats = weft__rpc_call_stats(call);
    int err = weft__bytes_error(&reply->out);
    if (err && err != WEFT_ERR_NOMEM) {
        deliver_error(call, &unwritable);
        return;
    }
    note_end(call, WEFT_STATUS_OK);
    if (stats)
        stats->bytes_out += reply->out.len - reply->payload_at;
    deliver(call, &reply->out, &reply->head);
}

void weft__rpc_call_fail(struct weft_rpc_call *call, const struct weft_rpc_failure *failure)
{
    assert_answerable(call);
    WEFT_ASSERT(failure->status > WEFT_STATUS_OK && failure->status <= WEFT_STATUS_UNAUTHENTICATED);
    note_answer(call, weft__slice(NULL, 0), failure);
    if (!call->settled)
        deliver_error(call, failure);
    end_answer(call);
}

void weft__rpc_call_error(struct weft_rpc_call *call, int status, const char *reason,
                          const char *message)
{
    weft__rpc_call_fail(
        call, &(struct weft_rpc_failure){.status = status, .reason = reason, .message = message});
}

void weft__rpc_call_drop(struct weft_rpc_call *call)
{
    if (call)
        weft__rpc_call_fail(call, &no_answer);
}

void weft__rpc_call_result(struct weft_rpc_call *call, struct weft_slice result)
{
    struct weft_rpc_reply reply;
    (void)weft__rpc_reply_begin(&reply, call);
    weft__bytes_append_slice(&reply.out, result);
    weft__rpc_reply_send(&reply);
}

struct weft_json_writer *weft__rpc_reply_begin(struct weft_rpc_reply *reply,
                                               struct weft_rpc_call *call)
{
    assert_answerable(call);
    reply->call = call;
    reply->out = weft__rpc_env_take_out(call->env);
    reply->head = (struct weft_rpc_head){.kind = WEFT_RPC_KIND_RESULT, .id = call->id.raw};
    call->wire->begin(&reply->out, &reply->head);
    reply->payload_at = reply->out.len;
    weft__json_writer_init(&reply->json, &reply->out);
    return &reply->json;
}

void weft__rpc_reply_send(struct weft_rpc_reply *reply)
{
    struct weft_rpc_call *call = reply->call;
    struct weft_rpc_env *env = call->env;
    assert_answerable(call);
    WEFT_ASSERT(reply->json.depth == 0);
    if (weft__bytes_error(&reply->out))
        note_answer(call, weft__slice(NULL, 0), &unwritable);
    else
        note_answer(
            call,
            weft__slice(reply->out.ptr + reply->payload_at, reply->out.len - reply->payload_at),
            NULL);
    if (!call->settled)
        deliver_result(call, reply);
    weft__rpc_env_return_out(env, &reply->out);
    end_answer(call);
}

/* ---- running and deferring ---- */

/* Nobody is in front of the methods `rpc.…`, but they are not for strangers. */
static bool admit_to_reserved(struct weft_rpc_call *call)
{
    const struct weft_rpc_failure *failure =
        is_protocol(call) ? NULL : weft__rpc_auth_objection(call->peer);
    if (failure)
        weft__rpc_call_fail(call, failure);
    return !failure;
}

/* Asks those in front of the method. False when one of them has answered, or makes it wait. */
static bool intercept(struct weft_rpc_call *call)
{
    struct weft_rpc_env *env = call->env;
    if (call->method->flags & WEFT_RPC_METHOD_RESERVED)
        return admit_to_reserved(call);
    while (call->intercepted < env->interceptor_count) {
        const struct weft_rpc_interceptor *interceptor = env->interceptors[call->intercepted++];
        if (interceptor->before && !interceptor->before(call, interceptor->ctx)) {
            WEFT_ASSERT(call->answered || call->waiting);
            return false;
        }
    }
    return true;
}

void weft__rpc_call_run(struct weft_rpc_call *call)
{
    call->running = true;
    bool passed = intercept(call);
    if (passed)
        call->method->handler(call, call->method->ctx);
    if (weft__rpc_call_leave(call) && passed && (!call->deferred || call->waiting))
        weft__rpc_call_drop(call);
}

struct weft_rpc_method_stats *weft__rpc_call_stats(const struct weft_rpc_call *call)
{
    const struct weft_rpc_env *env = call->env;
    /* Methods of a resolver have no numbers in here. */
    bool counted = !(call->method->flags & WEFT_RPC_METHOD_RESERVED) &&
                   call->method->index < env->method_count;
    return counted ? &env->method_stats[call->method->index] : NULL;
}

bool weft__rpc_call_leave(struct weft_rpc_call *call)
{
    call->running = false;
    if (!call->answered)
        return true;
    release(call);
    return false;
}

static struct weft_slice keep(uint8_t **at, struct weft_slice slice)
{
    struct weft_slice kept = {*at, slice.len};
    weft__mem_copy(*at, slice.ptr, slice.len);
    *at += slice.len;
    return kept;
}

/* Moves all that points into the message to memory of the call's own. */
static int copy_message(struct weft_rpc_call *call)
{
    size_t params_size = call->params ? weft__json_copy_size(call->params) : 0;
    size_t size = params_size + call->id.raw.len + call->id.key.len + call->meta.idem.len +
                  call->meta.traceparent.len + call->meta.order.len;
    if (size == 0)
        return 0;
    call->copy = weft__mem_alloc(call->env->alloc, size);
    if (!call->copy)
        return WEFT_ERR_NOMEM;
    call->copy_size = size;
    if (call->params)
        call->params = weft__json_copy(call->params, call->copy);
    uint8_t *at = (uint8_t *)call->copy + params_size;
    call->id.raw = keep(&at, call->id.raw);
    call->id.key = keep(&at, call->id.key);
    call->meta.idem = keep(&at, call->meta.idem);
    call->meta.traceparent = keep(&at, call->meta.traceparent);
    call->meta.order = keep(&at, call->meta.order);
    return 0;
}

static void on_deadline(struct weft_timer *timer)
{
    weft__rpc_call_cancel(WEFT_CONTAINER_OF(timer, struct weft_rpc_call, timer),
                          WEFT_STATUS_DEADLINE_EXCEEDED);
}

/* Keeps |call| beyond the message it came in. */
static int hold(struct weft_rpc_call *call)
{
    int err = copy_message(call);
    if (err)
        return err;
    weft__timer_init(&call->timer, on_deadline);
    if (!call->settled) {
        err = weft__map_add(&call->peer->incoming, &call->node, call->id.key);
        WEFT_ASSERT(err != WEFT_ERR_EXISTS); /* receive.c has refused a live id */
        if (err)
            return err;
        if (call->deadline_ns != WEFT_RPC_NO_DEADLINE)
            weft__timer_start(call->env->wheel, &call->timer, call->deadline_ns);
    }
    call->deferred = true;
    call->env->ended_turn_ns = 0;
    weft__list_push(&call->peer->deferred, &call->link);
    ++call->peer->in_flight;
    ++call->env->counters.in_flight;
    return 0;
}

int weft__rpc_call_defer(struct weft_rpc_call *call, weft_rpc_cancel_fn *cancel, void *ctx)
{
    assert_answerable(call);
    WEFT_ASSERT(call->running && (!call->deferred || call->waiting));
    int err = call->waiting ? 0 : hold(call); /* one that waited is held already */
    if (err)
        return err;
    call->waiting = false;
    call->cancel = cancel;
    call->ctx = ctx;
    return 0;
}

int weft__rpc_call_wait(struct weft_rpc_call *call, weft_rpc_cancel_fn *cancel, void *ctx)
{
    int err = call->waiting ? 0 : hold(call); /* it may wait a second time */
    if (err)
        return err;
    call->waiting = true;
    call->cancel = cancel;
    call->ctx = ctx;
    return 0;
}

/* Takes |call| out of a connection that is gone. */
static void detach(struct weft_rpc_call *call)
{
    if (!call->settled) {
        note_end(call, WEFT_STATUS_UNAVAILABLE);
        settle(call);
    }
    if (call->batch) {
        call->batch->peer = NULL;
        weft__rpc_batch_leave(call->batch);
        call->batch = NULL;
    }
    weft__list_remove(&call->link);
    --call->peer->in_flight;
    call->peer = NULL;
}

void weft__rpc_call_cancel(struct weft_rpc_call *call, int status)
{
    if (status == WEFT_STATUS_UNAVAILABLE)
        detach(call);
    else if (call->settled || (status == WEFT_STATUS_CANCELED && call->canceled))
        return;
    else if (status == WEFT_STATUS_DEADLINE_EXCEEDED || !call->cancel)
        deliver_error(call, &(struct weft_rpc_failure){.status = status});
    call->canceled = true;
    if (call->cancel)
        call->cancel(call, status, call->ctx);
}

bool weft__rpc_call_cut_off(struct weft_rpc_call *call)
{
    static const struct weft_rpc_failure cut_off = {.status = WEFT_STATUS_UNAVAILABLE,
                                                    .message = "the server is shutting down",
                                                    .reason = "weft.draining",
                                                    .executed = WEFT_RPC_EXECUTED_UNKNOWN};
    if (call->settled)
        return false;
    deliver_error(call, &cut_off);
    call->canceled = true;
    if (call->cancel)
        call->cancel(call, WEFT_STATUS_DEADLINE_EXCEEDED, call->ctx);
    return true;
}
