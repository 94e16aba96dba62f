/* SPDX-License-Identifier: Apache-2.0 */
/* Calls with idempotency keys: kept answers, repeats that wait, whose turn it is. */
#include "rpc/idempotent_calls.h"

#include "rpc/peer_internal.h"

enum { RETRY_MS = 250 /* for a repeat of what runs on another thread */ };

/* A repeat that waits for the call of |entry|. */
struct waiter {
    struct weft_list link; /* of entry->waiters */
    struct weft_rpc_call *call;
    struct weft_rpc_idem_entry *entry;
};

static void enter(const struct weft_rpc_idem_calls *calls)
{
    if (calls->guard)
        calls->guard->enter(calls->guard->ctx);
}

static void leave(const struct weft_rpc_idem_calls *calls)
{
    if (calls->guard)
        calls->guard->leave(calls->guard->ctx);
}

static uint64_t now_of(const struct weft_rpc_call *call)
{
    return weft__rpc_env_now_ns(call->env, call->now_ns);
}

/* ---- answering repeats ---- */

static void refuse_busy(struct weft_rpc_call *call)
{
    /* Not "no": the call that runs may have its effect, so it is not to be made without its key. */
    weft__rpc_call_fail(call,
                        &(struct weft_rpc_failure){.status = WEFT_STATUS_ABORTED,
                                                   .message = "a call with this key is running",
                                                   .reason = "weft.idem.in_progress",
                                                   .executed = WEFT_RPC_EXECUTED_UNKNOWN,
                                                   .retryable = true,
                                                   .retry_after_ms = RETRY_MS});
}

/* Takes |waiter| out and frees it; its call is the caller's. */
static struct weft_rpc_call *end_wait(struct waiter *waiter)
{
    struct weft_rpc_call *call = waiter->call;
    weft__list_remove(&waiter->link);
    weft__mem_free(call->env->alloc, waiter, sizeof(*waiter));
    return call;
}

static void waited_in_vain(struct weft_rpc_call *call, int status, void *ctx)
{
    (void)end_wait(ctx);
    weft__rpc_call_fail(
        call, &(struct weft_rpc_failure){.status = status, .executed = WEFT_RPC_EXECUTED_UNKNOWN});
}

static void join(struct weft_rpc_call *call, struct weft_rpc_idem_entry *entry)
{
    struct waiter *waiter = weft__mem_alloc(call->env->alloc, sizeof(*waiter));
    if (!waiter || weft__rpc_call_wait(call, waited_in_vain, waiter)) {
        weft__mem_free(call->env->alloc, waiter, sizeof(*waiter));
        refuse_busy(call);
        return;
    }
    *waiter = (struct waiter){.call = call, .entry = entry};
    weft__list_push(&entry->waiters, &waiter->link);
}

/* ---- before the method ---- */

static bool look_up(struct weft_rpc_idem_calls *calls, struct weft_rpc_call *call)
{
    const struct weft_rpc_idem_call about = {
        .principal = calls->principal ? calls->principal(call) : weft__slice(NULL, 0),
        .method = weft__slice_str(call->method->name),
        .key = call->meta.idem,
        .params = call->params ? weft__json_raw(call->params) : weft__slice(NULL, 0),
        .owner = calls,
    };
    struct weft_rpc_idem_found found;
    enter(calls);
    enum weft_rpc_idem_verdict verdict =
        weft__rpc_idem_begin(calls->cache, &about, now_of(call), &found);
    leave(calls);
    switch (verdict) {
    case WEFT_RPC_IDEM_RUN:
        call->idem = found.entry;
        return true;
    case WEFT_RPC_IDEM_STORED:
        weft__rpc_kept_give(found.answer, call);
        weft__rpc_kept_unref(found.answer);
        return false;
    case WEFT_RPC_IDEM_RUNNING:
        if (found.entry)
            join(call, found.entry);
        else
            refuse_busy(call);
        return false;
    case WEFT_RPC_IDEM_MISMATCH:
        weft__rpc_call_error(call, WEFT_STATUS_FAILED_PRECONDITION, "weft.idem.mismatch",
                             "the idempotency key was used with other parameters");
        return false;
    default:
        weft__rpc_call_error(call, WEFT_STATUS_RESOURCE_EXHAUSTED, "weft.idem.full",
                             "too many calls with idempotency keys are running");
        return false;
    }
}

static bool before(struct weft_rpc_call *call, void *ctx)
{
    enum { WITHOUT_KEY = WEFT_RPC_METHOD_STREAMS | WEFT_RPC_METHOD_NO_IDEM };
    if (!call->meta.idem.len)
        return true;
    if (!weft__rpc_idem_key_valid(call->meta.idem))
        weft__rpc_call_error(call, WEFT_STATUS_INVALID_ARGUMENT, "weft.idem.key",
                             "an idempotency key is 1 to 128 visible characters of ASCII");
    else if (call->method->flags & WITHOUT_KEY)
        weft__rpc_call_error(call, WEFT_STATUS_INVALID_ARGUMENT, "weft.idem.method",
                             "this method takes no idempotency key");
    else
        return look_up(ctx, call);
    return false;
}

/* ---- behind the method ---- */

static bool is_final(const struct weft_rpc_call *call, const struct weft_rpc_failure *failure)
{
    if (!failure)
        return true;
    enum weft_rpc_executed executed = weft__rpc_failure_executed(failure);
    if (executed == WEFT_RPC_EXECUTED_YES)
        return true;
    if (executed == WEFT_RPC_EXECUTED_NO || call->canceled)
        return false;
    return failure->status != WEFT_STATUS_UNAVAILABLE &&
           failure->status != WEFT_STATUS_RESOURCE_EXHAUSTED &&
           failure->status != WEFT_STATUS_DEADLINE_EXCEEDED &&
           failure->status != WEFT_STATUS_CANCELED;
}

/* Keeps |outcome|, then gives it to who waits. */
static void keep(struct weft_rpc_idem_calls *calls, const struct weft_rpc_call *call,
                 struct weft_rpc_idem_entry *entry, const struct weft_rpc_outcome *outcome)
{
    struct weft_list waiters;
    struct weft_list *link;
    struct weft_rpc_kept *answer = weft__rpc_kept_new(calls->cache->alloc, outcome);
    weft__list_init(&waiters);
    weft__list_splice(&waiters, &entry->waiters);
    enter(calls);
    weft__rpc_idem_finish(calls->cache, entry, answer, !outcome->failure, now_of(call));
    leave(calls);
    /* What the cache has may be gone already; they get what the method said. */
    while ((link = weft__list_pop(&waiters))) {
        struct weft_rpc_call *waiting = end_wait(WEFT_CONTAINER_OF(link, struct waiter, link));
        if (outcome->failure)
            weft__rpc_call_fail(waiting, outcome->failure);
        else
            weft__rpc_call_result(waiting, outcome->result);
    }
}

static void forget(struct weft_rpc_idem_calls *calls, struct weft_rpc_idem_entry *entry)
{
    enter(calls);
    weft__rpc_idem_forget(calls->cache, entry);
    leave(calls);
}

static void answered(struct weft_rpc_call *call, const struct weft_rpc_outcome *outcome, void *ctx)
{
    struct weft_rpc_idem_calls *calls = ctx;
    struct weft_rpc_idem_entry *entry = call->idem;
    if (!entry)
        return;
    call->idem = NULL;
    if (is_final(call, outcome->failure)) {
        keep(calls, call, entry, outcome);
    } else if (weft__list_empty(&entry->waiters)) {
        forget(calls, entry);
    } else {
        /* Not in here: the method would run in the middle of another call's answer. */
        weft__list_push(&calls->turning, &entry->turn);
        weft__timer_start(calls->env->wheel, &calls->timer, 0);
    }
}

/* The first who waits runs in place of the call that ended without an answer. */
static void turn(struct weft_rpc_idem_calls *calls, struct weft_rpc_idem_entry *entry)
{
    struct weft_list *link = weft__list_pop(&entry->waiters);
    if (!link) {
        forget(calls, entry);
        return;
    }
    struct weft_rpc_call *call = end_wait(WEFT_CONTAINER_OF(link, struct waiter, link));
    call->idem = entry;
    weft__rpc_call_run(call);
}

static void on_timer(struct weft_timer *timer)
{
    struct weft_rpc_idem_calls *calls = WEFT_CONTAINER_OF(timer, struct weft_rpc_idem_calls, timer);
    struct weft_list now;
    struct weft_list *link;
    weft__list_init(&now);
    weft__list_splice(&now, &calls->turning);
    while ((link = weft__list_pop(&now)))
        turn(calls, WEFT_CONTAINER_OF(link, struct weft_rpc_idem_entry, turn));
}

/* ---- life ---- */

void weft__rpc_idem_calls_init(struct weft_rpc_idem_calls *calls, struct weft_rpc_env *env,
                               struct weft_rpc_idem_cache *cache,
                               const struct weft_rpc_idem_guard *guard,
                               weft_rpc_idem_principal_fn *principal)
{
    *calls = (struct weft_rpc_idem_calls){
        .env = env,
        .cache = cache,
        .guard = guard,
        .principal = principal,
        .interceptor = {.before = before, .answered = answered, .ctx = calls},
    };
    weft__list_init(&calls->turning);
    weft__timer_init(&calls->timer, on_timer);
    weft__rpc_env_intercept(env, &calls->interceptor);
}

void weft__rpc_idem_calls_done(struct weft_rpc_idem_calls *calls)
{
    weft__timer_stop(calls->env->wheel, &calls->timer);
    for (struct weft_list *link; (link = weft__list_pop(&calls->turning)) != NULL;)
        forget(calls, WEFT_CONTAINER_OF(link, struct weft_rpc_idem_entry, turn));
}
