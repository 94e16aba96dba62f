/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that are served by an application. */
#include "peer/call.h"

#include "base/assert.h"
#include "io/clock.h"
#include "peer/failure.h"
#include "peer/handle.h"
#include "peer/stream.h"
#include "rpc/auth.h"
#include "rpc/peer.h"

#include <pthread.h>
#include <stdatomic.h>

enum { ARENA_MAX = 256 * 1024 * 1024 };

enum call_state { CALL_OPEN, CALL_ANSWERED, CALL_OVER };

struct weft_call {
    /* Constant after it was made. */
    struct weft_domain *domain;
    const struct weft_method *method;
    struct weft_peer *peer;
    struct weft_rpc_principal *principal; /* NULL: nobody signs in */
    struct weft_stream *stream;           /* NULL: the method has no items */
    const char *name;                     /* of the method; in |texts|, as the three behind it */
    char *params;
    size_t params_len;
    const char *idem;
    const char *traceparent;
    uint64_t deadline_ns;
    bool is_notification;
    size_t texts_size;
    char *texts;

    atomic_uint refs;  /* |users|, and one while there is |rpc| or something is posted */
    atomic_uint users; /* who may answer */
    atomic_int state;  /* enum call_state */
    atomic_bool unwanted;
    atomic_bool starved;   /* there was no memory for an answer that was given */
    pthread_mutex_t mutex; /* of |cancel| and |cancel_ctx| */
    void (*cancel)(struct weft_call *call, void *ctx);
    void *cancel_ctx;
    struct weft_arena arena; /* of whoever has the call */

    /* The loop's thread. */
    struct weft_rpc_call *rpc; /* NULL: it has its answer, or nobody waits any more */
    bool answer_waits;         /* kept, behind items that have no credit */

    /* Whoever has set ANSWERED, then the loop's thread. */
    struct weft_task answer_task;
    struct weft_bytes result;
    const struct weft_rpc_failure *failure; /* constant, or |kept|'s; NULL: |result| */
    struct weft_kept_failure *kept;

    struct weft_pool_job job;
};

static const struct weft_rpc_failure no_answer = {.status = WEFT_STATUS_INTERNAL,
                                                  .message = "the method gave no answer"};

static const struct weft_rpc_failure no_memory = {.status = WEFT_STATUS_RESOURCE_EXHAUSTED,
                                                  .message = "out of memory",
                                                  .reason = "weft.memory",
                                                  .executed = WEFT_RPC_EXECUTED_NO};

/* The handler has run, or runs. */
static const struct weft_rpc_failure no_memory_left = {.status = WEFT_STATUS_RESOURCE_EXHAUSTED,
                                                       .message = "out of memory",
                                                       .reason = "weft.memory",
                                                       .executed = WEFT_RPC_EXECUTED_UNKNOWN};

static const struct weft_rpc_failure pool_full = {.status = WEFT_STATUS_RESOURCE_EXHAUSTED,
                                                  .message = "too many calls wait for a thread",
                                                  .reason = "weft.pool.full",
                                                  .executed = WEFT_RPC_EXECUTED_NO};

/* ---- life ---- */

static void unref(struct weft_call *call)
{
    if (atomic_fetch_sub_explicit(&call->refs, 1, memory_order_acq_rel) > 1)
        return;
    struct weft_domain *domain = call->domain;
    const struct weft_alloc *alloc = weft__domain_alloc(domain);
    WEFT_ASSERT(!call->rpc);
    if (call->stream)
        weft__stream_let_go(call->stream);
    weft_peer_unref(call->peer);
    weft__rpc_principal_unref(call->principal);
    weft__kept_failure_free(alloc, call->kept);
    weft__bytes_done(&call->result);
    weft__arena_done(&call->arena);
    pthread_mutex_destroy(&call->mutex);
    weft__mem_free(alloc, call->texts, call->texts_size);
    weft__mem_free(alloc, call, sizeof(*call));
    weft__domain_unref(domain);
}

static char *put_text(char **at, struct weft_slice text)
{
    char *begin = *at;
    weft__mem_copy(begin, text.ptr, text.len);
    begin[text.len] = '\0';
    *at = begin + text.len + 1;
    return begin;
}

/* Copies what the application may look at on any thread, also when |method| is gone. */
static bool copy_texts(struct weft_call *call, const struct weft_rpc_call *rpc)
{
    struct weft_slice name = weft__slice_str(call->method->name);
    struct weft_slice params = weft__json_raw(rpc->params);
    call->texts_size = name.len + params.len + rpc->meta.idem.len + rpc->meta.traceparent.len + 4;
    call->texts = weft__mem_alloc(weft__domain_alloc(call->domain), call->texts_size);
    if (!call->texts)
        return false;
    char *at = call->texts;
    call->name = put_text(&at, name);
    call->params = put_text(&at, params);
    call->params_len = params.len;
    call->idem = put_text(&at, rpc->meta.idem);
    call->traceparent = put_text(&at, rpc->meta.traceparent);
    return true;
}

static const struct weft_stream_carrier carrier;

static bool make_stream(struct weft_call *call)
{
    unsigned flags = call->method->flags;
    if (!(flags & (WEFT_METHOD_RECEIVES | WEFT_METHOD_SENDS)))
        return true;
    call->stream = weft__stream_new(call->domain, &carrier, flags & WEFT_METHOD_RECEIVES,
                                    flags & WEFT_METHOD_SENDS);
    return call->stream != NULL;
}

/* The public call for |rpc|, with one user and the reference of |rpc|; NULL when out of memory. */
static struct weft_call *call_new(const struct weft_served_method *served,
                                  struct weft_rpc_call *rpc)
{
    const struct weft_alloc *alloc = weft__domain_alloc(served->domain);
    struct weft_call *call = weft__mem_zalloc(alloc, sizeof(*call));
    if (!call)
        return NULL;
    call->domain = weft__domain_ref(served->domain);
    call->method = served->method;
    call->deadline_ns = weft__rpc_call_deadline_ns(rpc);
    call->is_notification = weft__rpc_call_is_notification(rpc);
    atomic_init(&call->refs, 2);
    atomic_init(&call->users, 1);
    atomic_init(&call->state, CALL_OPEN);
    atomic_init(&call->unwanted, false);
    atomic_init(&call->starved, false);
    pthread_mutex_init(&call->mutex, NULL);
    weft__arena_init(&call->arena, alloc, ARENA_MAX);
    weft__bytes_init(&call->result, alloc, SIZE_MAX);
    call->peer = weft__peer_of(weft__rpc_call_peer(rpc), served->domain);
    call->principal = weft__rpc_principal_ref(weft__rpc_peer_principal(weft__rpc_call_peer(rpc)));
    if (call->peer && copy_texts(call, rpc) && make_stream(call)) {
        call->rpc = rpc;
        return call;
    }
    unref(call);
    unref(call);
    return NULL;
}

/* ---- answering ---- */

/* Takes the right to answer. */
static bool take(struct weft_call *call, enum call_state next)
{
    int open = CALL_OPEN;
    bool mine = atomic_compare_exchange_strong(&call->state, &open, (int)next);
    if (mine && next == CALL_ANSWERED && call->stream)
        weft__stream_seal(call->stream);
    return mine;
}

/* The loop's call is done with. */
static struct weft_rpc_call *leave_rpc(struct weft_call *call)
{
    struct weft_rpc_call *rpc = call->rpc;
    call->rpc = NULL;
    call->answer_waits = false;
    if (call->stream)
        weft__stream_detach(call->stream);
    return rpc;
}

/* On the loop: hands the kept answer over, unless items that wait for credit come before it. */
static void hand_over(struct weft_call *call)
{
    if (!call->rpc)
        return;
    call->answer_waits = call->stream && !weft__stream_is_drained(call->stream);
    if (call->answer_waits)
        return;
    struct weft_rpc_call *rpc = leave_rpc(call);
    if (call->failure)
        weft__rpc_call_fail(rpc, call->failure);
    else
        weft__rpc_call_result(rpc, weft__bytes_slice(&call->result));
    unref(call);
}

static void deliver_kept(struct weft_task *task)
{
    struct weft_call *call = WEFT_CONTAINER_OF(task, struct weft_call, answer_task);
    if (call->stream)
        weft__stream_pump(call->stream);
    hand_over(call);
    unref(call);
}

/* The answer was kept; the caller has set ANSWERED. */
static void post_kept(struct weft_call *call)
{
    if (weft__domain_here(call->domain)) {
        hand_over(call);
        return;
    }
    weft__task_init(&call->answer_task, deliver_kept);
    atomic_fetch_add_explicit(&call->refs, 1, memory_order_relaxed);
    if (!weft__domain_post(call->domain, &call->answer_task))
        unref(call); /* its thread has ended, and told the call so */
}

/* Whether an answer given now can go out as it is, without a copy. */
static bool goes_straight(struct weft_call *call)
{
    return weft__domain_here(call->domain) &&
           (!call->stream || weft__stream_is_drained(call->stream));
}

/* Why an answer came too late. */
static int too_late(const struct weft_call *call)
{
    return atomic_load(&call->state) == CALL_OVER ? WEFT_ERR_CLOSED : WEFT_ERR_STATE;
}

/* Answers with |failure|, a constant, on whatever thread; somebody's to take first. Needs no
 * memory. */
static int answer_constant(struct weft_call *call, const struct weft_rpc_failure *failure)
{
    bool straight = goes_straight(call);
    if (!take(call, CALL_ANSWERED))
        return too_late(call);
    if (!straight) {
        call->failure = failure;
        post_kept(call);
        return 0;
    }
    struct weft_rpc_call *rpc = leave_rpc(call);
    WEFT_ASSERT(rpc);
    weft__rpc_call_fail(rpc, failure);
    unref(call);
    return 0;
}

/* The same with any |failure|; the call stays open without memory for a copy. */
static int answer_failure(struct weft_call *call, const struct weft_rpc_failure *failure)
{
    if (goes_straight(call))
        return answer_constant(call, failure); /* which does not keep it */
    struct weft_kept_failure *kept =
        weft__kept_failure_new(weft__domain_alloc(call->domain), failure);
    if (!kept)
        return WEFT_ERR_NOMEM;
    if (!take(call, CALL_ANSWERED)) {
        weft__kept_failure_free(weft__domain_alloc(call->domain), kept);
        return too_late(call);
    }
    call->kept = kept;
    call->failure = &kept->failure;
    post_kept(call);
    return 0;
}
static int answer_result(struct weft_call *call, struct weft_slice result)
{
    bool straight = goes_straight(call);
    struct weft_bytes copy;
    weft__bytes_init(&copy, weft__domain_alloc(call->domain), SIZE_MAX);
    if (!straight) {
        weft__bytes_append_slice(&copy, result);
        if (weft__bytes_error(&copy))
            return WEFT_ERR_NOMEM;
    }
    if (!take(call, CALL_ANSWERED)) {
        weft__bytes_done(&copy);
        return too_late(call);
    }
    if (!straight) {
        call->result = copy;
        post_kept(call);
        return 0;
    }
    struct weft_rpc_call *rpc = leave_rpc(call);
    WEFT_ASSERT(rpc);
    weft__rpc_call_result(rpc, result);
    unref(call);
    return 0;
}

static int check_json(const struct weft_alloc *alloc, struct weft_slice text)
{
    struct weft_arena arena;
    const struct weft_json *value;
    weft__arena_init(&arena, alloc, SIZE_MAX);
    int err = weft__json_parse(text, &arena, NULL, NULL, &value);
    weft__arena_done(&arena);
    return !err || err == WEFT_ERR_NOMEM ? err : WEFT_ERR_JSON;
}

/* Notes that memory was missing, for when nobody answers in another way. Returns |err|. */
static int note_memory(struct weft_call *call, int err)
{
    if (err == WEFT_ERR_NOMEM)
        atomic_store(&call->starved, true);
    return err;
}

int weft_call_finish(struct weft_call *call, const char *result)
{
    struct weft_slice text = weft__slice_str(result ? result : "null");
    int err = check_json(weft__domain_alloc(call->domain), text);
    if (!err && !weft__domain_takes(call->domain, text.len))
        err = WEFT_ERR_TOO_BIG;
    return note_memory(call, err ? err : answer_result(call, text));
}

int weft_call_fail(struct weft_call *call, const struct weft_failure *failure)
{
    struct weft_rpc_failure own;
    struct weft_rpc_violation rules[WEFT_FAILURE_VIOLATIONS_MAX];
    int err = weft__failure_read(failure, rules, &own);
    if (!err && own.details.len)
        err = check_json(weft__domain_alloc(call->domain), own.details);
    if (!err && !weft__domain_takes(call->domain, own.details.len))
        err = WEFT_ERR_TOO_BIG;
    return note_memory(call, err ? err : answer_failure(call, &own));
}

struct weft_call *weft_call_keep(struct weft_call *call)
{
    atomic_fetch_add_explicit(&call->users, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&call->refs, 1, memory_order_relaxed);
    return call;
}

void weft_call_release(struct weft_call *call)
{
    if (!call)
        return;
    if (atomic_fetch_sub_explicit(&call->users, 1, memory_order_acq_rel) == 1)
        (void)answer_constant(call, atomic_load(&call->starved) ? &no_memory_left : &no_answer);
    unref(call);
}

/* ---- when nobody waits any more ---- */

/* The application's function, which is told once. */
static bool tell_unwanted(struct weft_call *call)
{
    pthread_mutex_lock(&call->mutex);
    void (*fn)(struct weft_call *, void *) = call->cancel;
    void *ctx = call->cancel_ctx;
    bool first = !atomic_exchange(&call->unwanted, true);
    pthread_mutex_unlock(&call->mutex);
    if (fn && first)
        fn(call, ctx);
    return fn != NULL;
}

static void on_cancel(struct weft_rpc_call *rpc, int status, void *ctx)
{
    static const struct weft_rpc_failure canceled = {.status = WEFT_STATUS_CANCELED};
    struct weft_call *call = ctx;
    atomic_fetch_add_explicit(&call->refs, 1, memory_order_relaxed);
    WEFT_ASSERT(call->rpc == rpc);
    if (status == WEFT_STATUS_CANCELED) {
        if (call->stream)
            weft__stream_detach(call->stream); /* tells the application, which may answer */
        if ((!tell_unwanted(call) && take(call, CALL_OVER)) || call->answer_waits) {
            weft__rpc_call_fail(leave_rpc(call), &canceled);
            unref(call);
        }
    } else {
        (void)take(call, CALL_OVER);
        weft__rpc_call_drop(leave_rpc(call)); /* nothing is sent */
        unref(call);
        (void)tell_unwanted(call);
    }
    unref(call);
}

void weft_call_on_cancel(struct weft_call *call, void (*fn)(struct weft_call *call, void *ctx),
                         void *ctx)
{
    pthread_mutex_lock(&call->mutex);
    call->cancel = fn;
    call->cancel_ctx = ctx;
    bool late = fn && atomic_load(&call->unwanted);
    pthread_mutex_unlock(&call->mutex);
    if (late)
        fn(call, ctx);
}

/* ---- items ---- */

static int carry(void *owner, struct weft_slice value)
{
    return weft__rpc_call_send(((struct weft_call *)owner)->rpc, value);
}

static void grant(void *owner, uint64_t items, uint64_t bytes)
{
    weft__rpc_call_consumed(((struct weft_call *)owner)->rpc, items, bytes);
}

static void items_left(void *owner)
{
    struct weft_call *call = owner;
    if (call->answer_waits)
        hand_over(call);
}

static void no_memory_for_item(void *owner)
{
    (void)answer_constant(owner, &no_memory_left);
}

static const struct weft_stream_carrier carrier = {
    .send = carry, .consumed = grant, .drained = items_left, .no_memory = no_memory_for_item};

static void on_item(struct weft_rpc_call *rpc, const struct weft_json *value, void *ctx)
{
    (void)rpc;
    weft__stream_push(((struct weft_call *)ctx)->stream, weft__json_raw(value));
}

static void on_end(struct weft_rpc_call *rpc, void *ctx)
{
    (void)rpc;
    weft__stream_ended(((struct weft_call *)ctx)->stream);
}

static void on_credit(struct weft_rpc_call *rpc, void *ctx)
{
    (void)rpc;
    weft__stream_pump(((struct weft_call *)ctx)->stream);
}

/* The call was deferred. */
static void open_stream(struct weft_call *call)
{
    static const struct weft_rpc_stream_ops ops = {
        .item = on_item, .end = on_end, .writable = on_credit};
    weft__stream_attach(call->stream, call);
    weft__rpc_call_stream(call->rpc, &ops);
    weft__rpc_call_hold_credit(call->rpc);
}

/* ---- running ---- */

/* On the loop: somebody may answer later. |ran|: the handler has returned already. */
static void keep_open(struct weft_call *call, bool ran)
{
    if (!call->rpc || !weft__rpc_call_defer(call->rpc, on_cancel, call))
        return;
    (void)take(call, CALL_OVER);
    weft__rpc_call_fail(leave_rpc(call), ran ? &no_memory_left : &no_memory);
    unref(call);
}

static void run_blocking(struct weft_pool_job *job)
{
    struct weft_call *call = WEFT_CONTAINER_OF(job, struct weft_call, job);
    if (!weft_call_is_canceled(call))
        call->method->handler(call, call->method->ctx);
    weft_call_release(call);
}

static void submit(struct weft_call *call)
{
    weft__pool_job_init(&call->job, NULL, run_blocking, NULL);
    if (weft__pool_submit(weft__domain_pool(call->domain), &call->job)) {
        (void)answer_constant(call, &pool_full);
        weft_call_release(call);
    }
}

static void run(struct weft_call *call)
{
    atomic_fetch_add_explicit(&call->refs, 1, memory_order_relaxed);
    call->method->handler(call, call->method->ctx);
    weft_call_release(call);
    if (!call->stream)
        keep_open(call, true);
    unref(call);
}

void weft__call_serve(struct weft_rpc_call *rpc, void *ctx)
{
    const struct weft_served_method *served = ctx;
    struct weft_call *call = call_new(served, rpc);
    if (!call) {
        weft__rpc_call_error(rpc, WEFT_STATUS_RESOURCE_EXHAUSTED, "weft.memory", "out of memory");
        return;
    }
    bool blocking = served->method->flags & WEFT_METHOD_BLOCKING;
    if (blocking || call->stream)
        keep_open(call, false);
    if (call->rpc && call->stream)
        open_stream(call);
    if (!call->rpc)
        weft_call_release(call);
    else if (blocking)
        submit(call);
    else
        run(call);
}

/* ---- what the application sees ---- */

const char *weft_call_method(const struct weft_call *call)
{
    return call->name;
}

const char *weft_call_params(const struct weft_call *call, size_t *ret_len)
{
    if (ret_len)
        *ret_len = call->params_len;
    return call->params;
}

uint64_t weft_call_time_left_ms(const struct weft_call *call)
{
    uint64_t now_ns = weft__clock_now_ns();
    if (atomic_load(&call->state) == CALL_OVER)
        return 0;
    if (call->deadline_ns == WEFT_RPC_NO_DEADLINE)
        return UINT64_MAX;
    return now_ns < call->deadline_ns ? (call->deadline_ns - now_ns) / WEFT_NS_PER_MS : 0;
}

const char *weft_call_idempotency_key(const struct weft_call *call)
{
    return call->idem;
}

const char *weft_call_traceparent(const struct weft_call *call)
{
    return call->traceparent;
}

const char *weft_call_subject(const struct weft_call *call)
{
    return (const char *)weft__rpc_principal_subject(call->principal).ptr;
}

const char *weft_call_tenant(const struct weft_call *call)
{
    return (const char *)weft__rpc_principal_tenant(call->principal).ptr;
}

int weft_call_is_notification(const struct weft_call *call)
{
    return call->is_notification;
}

struct weft_peer *weft_call_peer(const struct weft_call *call)
{
    return call->peer;
}

struct weft_stream *weft_call_stream(const struct weft_call *call)
{
    return call->stream;
}

void *weft_call_alloc(struct weft_call *call, size_t size)
{
    return weft__arena_alloc(&call->arena, size);
}

int weft_call_is_canceled(const struct weft_call *call)
{
    return atomic_load(&call->unwanted);
}
