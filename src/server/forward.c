/* SPDX-License-Identifier: Apache-2.0 */
/* Forwarding calls to providers, on this worker or another one. */
#include "server/forward.h"

#include "base/assert.h"
#include "server/provide.h"
#include "server/worker.h"

/* Tells the provider's worker that a call is not wanted any more. */
struct forward_cancel {
    struct weft_task task;
    struct weft_worker *worker; /* where it goes */
    uint64_t id;                /* of the request */
};

struct weft_forward {
    struct weft_task task;
    struct weft_map_node node; /* among those that providers of a worker have */
    uint64_t id;
    struct weft_worker *caller;   /* whose call it is */
    struct weft_worker *provider; /* where the provider is */
    struct weft_rpc_provided *name;
    struct weft_rpc_pick pick;
    /* the caller's */
    struct weft_rpc_call *call;
    struct forward_cancel *cancel; /* NULL: on its way, or has been */
    struct weft_rpc_attempt attempt;
    bool begun; /* some provider may have executed it */
    /* the provider's */
    uint64_t number;              /* of the call to the peer */
    bool moves;                   /* the provider is away, and another one gets it */
    bool lost;                    /* the provider is gone */
    struct weft_rpc_kept *answer; /* NULL: lost, or there was no memory */
    bool is_result;
    /* of the call, for the other thread */
    uint64_t deadline_ns;
    struct weft_rpc_meta meta;
    struct weft_slice params;
    size_t size;
    uint8_t text[];
};

static const struct weft_alloc *alloc_of(const struct weft_worker *worker)
{
    return &worker->server->connection_memory.alloc;
}

/* ---- making ---- */

static struct weft_slice keep(uint8_t **at, struct weft_slice slice)
{
    struct weft_slice kept = {*at, slice.len};
    weft__mem_copy(*at, slice.ptr, slice.len);
    *at += slice.len;
    return kept;
}

static struct weft_forward *forward_new(struct weft_worker *caller, struct weft_rpc_call *call,
                                        struct weft_rpc_provided *name)
{
    const struct weft_rpc_meta *meta = weft__rpc_call_meta(call);
    const struct weft_json *params = weft__rpc_call_params(call);
    struct weft_slice raw = params ? weft__json_raw(params) : weft__slice(NULL, 0);
    size_t size = sizeof(struct weft_forward) + raw.len + meta->idem.len + meta->traceparent.len;
    struct weft_forward *forward = weft__mem_alloc(alloc_of(caller), size);
    struct forward_cancel *cancel = weft__mem_alloc(alloc_of(caller), sizeof(*cancel));
    if (!forward || !cancel) {
        weft__mem_free(alloc_of(caller), forward, size);
        weft__mem_free(alloc_of(caller), cancel, sizeof(*cancel));
        return NULL;
    }
    *forward = (struct weft_forward){
        .id = weft__mesh_next_id(caller->port),
        .caller = caller,
        .name = name,
        .call = call,
        .cancel = cancel,
        .deadline_ns = weft__rpc_call_deadline_ns(call),
        .size = size,
    };
    uint8_t *at = forward->text;
    forward->params = keep(&at, raw);
    forward->meta.idem = keep(&at, meta->idem);
    forward->meta.traceparent = keep(&at, meta->traceparent);
    forward->attempt.has_key = meta->idem.len > 0;
    return forward;
}

static void forward_free(struct weft_forward *forward)
{
    const struct weft_alloc *alloc = alloc_of(forward->caller);
    weft__rpc_kept_unref(forward->answer);
    weft__mem_free(alloc, forward->cancel, sizeof(*forward->cancel));
    weft__mem_free(alloc, forward, forward->size);
}

/* ---- on the provider's worker ---- */

static struct weft_slice id_key(const struct weft_forward *forward)
{
    return weft__slice(&forward->id, sizeof(forward->id));
}

static void came_back(struct weft_task *task);

/* The provider has no part in it any more. */
static void send_back(struct weft_forward *forward)
{
    struct weft_provide *provide = &forward->provider->server->provide;
    pthread_mutex_lock(&provide->mutex);
    weft__rpc_provider_release(&provide->table, forward->pick.provider);
    pthread_mutex_unlock(&provide->mutex);
    weft__task_init(&forward->task, came_back);
    weft__loop_post(forward->caller->loop, &forward->task);
}

static const char *text_of(struct weft_arena *arena, struct weft_slice text)
{
    return text.len ? weft__arena_copy(arena, text.ptr, text.len) : NULL;
}

/* |error|, passed on as it is; NULL when out of memory. */
static struct weft_rpc_kept *copy_error(const struct weft_alloc *alloc,
                                        const struct weft_rpc_error *error)
{
    struct weft_rpc_kept *answer = NULL;
    struct weft_arena arena;
    weft__arena_init(&arena, alloc, SIZE_MAX);
    struct weft_rpc_violation *rules =
        weft__arena_alloc_array(&arena, error->violation_count + 1, sizeof(*rules));
    bool standard = error->number == 0 || error->number == weft_status_jsonrpc(error->status);
    struct weft_rpc_failure failure = {
        .status = error->status,
        .number = standard || error->number < INT32_MIN || error->number > INT32_MAX
                      ? 0
                      : (int)error->number,
        .message = text_of(&arena, error->message),
        .reason = text_of(&arena, error->reason),
        .executed = error->executed,
        .retryable = error->retryable,
        .retry_after_ms = (uint32_t)WEFT_MIN(error->retry_after_ms, (uint64_t)UINT32_MAX),
        .violations = rules,
        .violation_count = error->violation_count,
        .details = error->details ? weft__json_raw(error->details) : weft__slice(NULL, 0),
    };
    bool ok =
        rules && (failure.message || !error->message.len) && (failure.reason || !error->reason.len);
    for (size_t i = 0; i < error->violation_count && ok; i++) {
        const struct weft_rpc_broken_rule *rule = &error->violations[i];
        rules[i].field = weft__arena_copy(&arena, rule->field.ptr, rule->field.len);
        rules[i].rule = weft__arena_copy(&arena, rule->rule.ptr, rule->rule.len);
        ok = rules[i].field && rules[i].rule;
    }
    if (ok)
        answer = weft__rpc_kept_new(alloc, &(struct weft_rpc_outcome){.failure = &failure});
    weft__arena_done(&arena);
    return answer;
}

/* The peer answered, or it is gone, or the call's time is over, or it was canceled. */
static void answered(void *ctx, const struct weft_rpc_answer *from)
{
    struct weft_forward *forward = ctx;
    struct weft_provide_worker *own = &forward->provider->provide;
    const struct weft_alloc *alloc = alloc_of(forward->caller);
    weft__map_remove(&own->served, &forward->node);
    forward->is_result = from->result != NULL;
    if (from->result) {
        const struct weft_rpc_outcome outcome = {.result = weft__json_raw(from->result)};
        forward->answer = weft__rpc_kept_new(alloc, &outcome);
    } else if (forward->moves || !weft__provide_link(own, forward->pick.provider)) {
        forward->lost = true;
        forward->moves = false;
        forward->attempt.executed = from->error.executed;
    } else {
        forward->answer = copy_error(alloc, &from->error);
    }
    send_back(forward);
}

/* What is left of the caller's time. */
static void set_timeout(struct weft_forward *forward, uint64_t now_ns)
{
    if (forward->deadline_ns == WEFT_RPC_NO_DEADLINE)
        return;
    uint64_t left_ns = forward->deadline_ns > now_ns ? forward->deadline_ns - now_ns : 0;
    forward->meta.has_timeout = true;
    forward->meta.timeout_ms = WEFT_MAX(left_ns / WEFT_NS_PER_MS, UINT64_C(1));
}

static void arrived(struct weft_task *task)
{
    struct weft_forward *forward = WEFT_CONTAINER_OF(task, struct weft_forward, task);
    struct weft_worker *worker = forward->provider;
    struct weft_provide_link *link = weft__provide_link(&worker->provide, forward->pick.provider);
    uint64_t now_ns = weft__loop_now_ns(worker->loop);
    int err = link ? weft__map_add(&worker->provide.served, &forward->node, id_key(forward))
                   : WEFT_ERR_CLOSED;
    if (!err) {
        set_timeout(forward, now_ns);
        const struct weft_rpc_call_options options = {
            .method = weft__slice_str(forward->name->name),
            .params = forward->params,
            .meta = forward->meta,
            .answer = answered,
            .ctx = forward,
        };
        err = weft__rpc_peer_call(link->peer, &options, now_ns, &forward->number);
        if (err)
            weft__map_remove(&worker->provide.served, &forward->node);
    }
    if (err) {
        forward->lost = true;
        forward->attempt.executed = WEFT_RPC_EXECUTED_NO;
        send_back(forward);
    }
}

static void cancel_arrived(struct weft_task *task)
{
    struct forward_cancel *cancel = WEFT_CONTAINER_OF(task, struct forward_cancel, task);
    struct weft_worker *worker = cancel->worker;
    struct weft_map_node *node =
        weft__map_get(&worker->provide.served, weft__slice(&cancel->id, sizeof(cancel->id)));
    weft__mem_free(alloc_of(worker), cancel, sizeof(*cancel));
    if (!node)
        return; /* it was answered meanwhile */
    struct weft_forward *forward = WEFT_CONTAINER_OF(node, struct weft_forward, node);
    struct weft_provide_link *link = weft__provide_link(&worker->provide, forward->pick.provider);
    WEFT_ASSERT(link); /* else its calls have ended */
    weft__rpc_peer_cancel(link->peer, forward->number);
}

/* Whether |forward|, which |provider| has, may go to somebody who is there. */
static bool may_move(struct weft_forward *forward, uint64_t provider)
{
    struct weft_provide *provide = &forward->provider->server->provide;
    struct weft_rpc_attempt attempt = forward->attempt;
    attempt.executed = WEFT_RPC_EXECUTED_UNKNOWN;
    if (forward->pick.provider != provider || !weft__rpc_attempt_may_fail_over(&attempt))
        return false;
    pthread_mutex_lock(&provide->mutex);
    bool somebody = weft__rpc_provided_has_room(forward->name);
    pthread_mutex_unlock(&provide->mutex);
    return somebody;
}

size_t weft__forward_move(struct weft_provide_link *link)
{
    struct weft_map *served = &link->owner->served;
    size_t left = 0;
    struct weft_map_node *next;
    for (struct weft_map_node *node = weft__map_first(served); node; node = next) {
        struct weft_forward *forward = WEFT_CONTAINER_OF(node, struct weft_forward, node);
        next = weft__map_next(served, node);
        if (!may_move(forward, link->id)) {
            left += forward->pick.provider == link->id;
            continue;
        }
        forward->moves = true;
        weft__rpc_peer_cancel(link->peer, forward->number);
    }
    return left;
}

/* ---- on the caller's worker ---- */

static int pick(struct weft_forward *forward, bool again)
{
    struct weft_server *server = forward->caller->server;
    struct weft_provide *provide = &server->provide;
    pthread_mutex_lock(&provide->mutex);
    int err = weft__rpc_provided_pick(&provide->table, forward->name, &forward->pick);
    struct weft_rpc_providers_stats *stats = &provide->table.stats;
    if (again)
        ++*(err ? &stats->lost : &stats->failovers);
    else if (err)
        ++*(err == WEFT_ERR_BUSY ? &stats->busy : &stats->unserved);
    pthread_mutex_unlock(&provide->mutex);
    if (!err) {
        forward->provider = server->workers[forward->pick.worker];
        forward->attempt.idempotent = forward->pick.idempotent;
    }
    return err;
}

static void send_there(struct weft_forward *forward)
{
    forward->lost = false;
    weft__task_init(&forward->task, arrived);
    weft__loop_post(forward->provider->loop, &forward->task);
}

static void refuse(struct weft_rpc_call *call, int err)
{
    if (err == WEFT_ERR_BUSY)
        weft__rpc_call_error(call, WEFT_STATUS_RESOURCE_EXHAUSTED, "weft.provide.busy",
                             "all providers of this method are busy");
    else if (err == WEFT_ERR_NOMEM)
        weft__rpc_call_error(call, WEFT_STATUS_RESOURCE_EXHAUSTED, "weft.memory", "out of memory");
    else
        weft__rpc_call_fail(call,
                            &(struct weft_rpc_failure){.status = WEFT_STATUS_UNAVAILABLE,
                                                       .reason = "weft.provide.nobody",
                                                       .message = "nobody provides this method now",
                                                       .executed = WEFT_RPC_EXECUTED_NO});
}

/* Not wanted any more. Of a call with an idempotency key that means only that nobody waits: its
 * answer is kept for who comes back. */
static void unwanted(struct weft_rpc_call *call, int status, void *ctx)
{
    struct weft_forward *forward = ctx;
    struct forward_cancel *cancel = forward->cancel;
    (void)call;
    if (!cancel || (status != WEFT_STATUS_CANCELED && forward->attempt.has_key))
        return;
    forward->cancel = NULL;
    *cancel = (struct forward_cancel){.worker = forward->provider, .id = forward->id};
    weft__task_init(&cancel->task, cancel_arrived);
    weft__loop_post(cancel->worker->loop, &cancel->task);
}

/* The provider was lost: to another one, if that is harmless and anybody wants it. */
static bool fail_over(struct weft_forward *forward)
{
    forward->begun = forward->begun || forward->attempt.executed != WEFT_RPC_EXECUTED_NO;
    bool wanted = forward->cancel != NULL;
    if (!wanted || !weft__rpc_attempt_may_fail_over(&forward->attempt)) {
        struct weft_provide *provide = &forward->caller->server->provide;
        pthread_mutex_lock(&provide->mutex);
        ++provide->table.stats.lost;
        pthread_mutex_unlock(&provide->mutex);
        return false;
    }
    ++forward->attempt.failovers;
    if (pick(forward, true))
        return false;
    send_there(forward);
    return true;
}

static void answer_call(struct weft_forward *forward)
{
    struct weft_rpc_call *call = forward->call;
    const struct weft_rpc_kept *answer = forward->answer;
    const struct weft_rpc_failure lost = {
        .status = WEFT_STATUS_UNAVAILABLE,
        .reason = "weft.provide.lost",
        .message = "the provider of this method was lost",
        .executed = forward->begun ? WEFT_RPC_EXECUTED_UNKNOWN : WEFT_RPC_EXECUTED_NO,
    };
    const struct weft_rpc_failure no_memory = {
        .status = WEFT_STATUS_RESOURCE_EXHAUSTED,
        .reason = "weft.memory",
        .message = "out of memory for the answer",
        .executed = forward->is_result ? WEFT_RPC_EXECUTED_YES : WEFT_RPC_EXECUTED_UNKNOWN,
    };
    if (forward->lost)
        weft__rpc_call_fail(call, &lost);
    else if (!answer)
        weft__rpc_call_fail(call, &no_memory);
    else
        weft__rpc_kept_give(answer, call);
}

static void came_back(struct weft_task *task)
{
    struct weft_forward *forward = WEFT_CONTAINER_OF(task, struct weft_forward, task);
    if (forward->lost && fail_over(forward))
        return;
    --forward->caller->provide.pending;
    answer_call(forward);
    forward_free(forward);
}

void weft__forward_call(struct weft_rpc_call *call, void *name)
{
    struct weft_worker *worker = WEFT_CONTAINER_OF(call->env, struct weft_worker, rpc);
    struct weft_forward *forward = forward_new(worker, call, name);
    int err = forward ? weft__rpc_call_defer(call, unwanted, forward) : WEFT_ERR_NOMEM;
    if (!err)
        err = pick(forward, false);
    if (err) {
        refuse(call, err);
        if (forward)
            forward_free(forward);
        return;
    }
    ++worker->provide.pending;
    send_there(forward);
}
