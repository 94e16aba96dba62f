/* SPDX-License-Identifier: Apache-2.0 */
/* Calling the other side from any thread. */
#include "peer/handle.h"

#include "base/assert.h"
#include "base/utf8.h"
#include "peer/answer.h"
#include "peer/stream.h"
#include "peer/wait.h"
#include "rpc/idempotency.h"

#include <stdatomic.h>

enum { CALL_TIMEOUT_MS = 30000 };

struct weft_peer {
    struct weft_domain *domain;
    atomic_uint refs;
    struct weft_rpc_peer *rpc; /* the domain's thread; NULL: it is over */
};

/* A call or notification on its way; all texts lie behind it. */
struct request {
    struct weft_task task;
    struct weft_peer *peer;
    struct weft_rpc_call_options options;
    weft_answer_fn *answer; /* NULL for a notification, too */
    void *ctx;
    struct weft_stream *stream; /* NULL: without items */
    uint64_t number;            /* of the call, once it has begun */
    bool is_notification;
    bool starved; /* it was given up for want of memory for an item */
    int err;      /* why it could not be sent when it was tried first */
    size_t size;
    char texts[];
};

/* ---- life ---- */

struct weft_peer *weft__peer_new(struct weft_domain *domain)
{
    struct weft_peer *handle = weft__mem_zalloc(weft__domain_alloc(domain), sizeof(*handle));
    if (!handle)
        return NULL;
    handle->domain = weft__domain_ref(domain);
    atomic_init(&handle->refs, 1);
    return handle;
}

struct weft_peer *weft_peer_ref(struct weft_peer *peer)
{
    if (peer)
        atomic_fetch_add_explicit(&peer->refs, 1, memory_order_relaxed);
    return peer;
}

void weft_peer_unref(struct weft_peer *peer)
{
    if (!peer || atomic_fetch_sub_explicit(&peer->refs, 1, memory_order_acq_rel) > 1)
        return;
    struct weft_domain *domain = peer->domain;
    weft__mem_free(weft__domain_alloc(domain), peer, sizeof(*peer));
    weft__domain_unref(domain);
}

static void rpc_done(struct weft_rpc_peer *rpc)
{
    struct weft_peer *handle = rpc->handle;
    handle->rpc = NULL;
    rpc->handle = NULL;
    weft_peer_unref(handle);
}

void weft__peer_attach(struct weft_peer *handle, struct weft_rpc_peer *rpc)
{
    WEFT_ASSERT(!handle->rpc && !rpc->handle);
    handle->rpc = rpc;
    rpc->handle = weft_peer_ref(handle);
    rpc->handle_done = rpc_done;
}

struct weft_peer *weft__peer_of(struct weft_rpc_peer *rpc, struct weft_domain *domain)
{
    if (rpc->handle)
        return weft_peer_ref(rpc->handle);
    struct weft_peer *handle = weft__peer_new(domain);
    if (handle)
        weft__peer_attach(handle, rpc);
    return handle;
}

/* ---- requests ---- */

void weft_call_options_init(struct weft_call_options *options)
{
    *options = (struct weft_call_options){.struct_size = sizeof(*options)};
}

/* Whether |params| may stand in a call: absent, a JSON array or an object. */
static int check_params(const struct weft_alloc *alloc, const char *params)
{
    struct weft_arena arena;
    const struct weft_json *value;
    if (!params)
        return 0;
    weft__arena_init(&arena, alloc, SIZE_MAX);
    int err = weft__json_parse(weft__slice_str(params), &arena, NULL, NULL, &value);
    if (!err && !weft__json_is(value, WEFT_JSON_ARRAY) && !weft__json_is(value, WEFT_JSON_OBJECT))
        err = WEFT_ERR_USAGE;
    weft__arena_done(&arena);
    return err;
}

static bool is_text(const char *text)
{
    return !text || weft__utf8_valid((const uint8_t *)text, strlen(text));
}

static struct weft_slice put(char **at, const char *text)
{
    size_t len = text ? strlen(text) : 0;
    struct weft_slice kept = weft__slice(*at, len);
    weft__mem_copy(*at, text, len);
    *at += len;
    return kept;
}

static size_t length(const char *text)
{
    return text ? strlen(text) : 0;
}

static int request_new(struct weft_peer *peer, const char *method, const char *params,
                       const struct weft_call_options *options, struct request **ret_request)
{
    const struct weft_alloc *alloc = weft__domain_alloc(peer->domain);
    if (!method || !*method)
        return WEFT_ERR_USAGE;
    if (!is_text(method) || !is_text(options->idempotency_key) || !is_text(options->traceparent))
        return WEFT_ERR_UTF8;
    if (options->idempotency_key &&
        !weft__rpc_idem_key_valid(weft__slice_str(options->idempotency_key)))
        return WEFT_ERR_USAGE;
    int err = check_params(alloc, params);
    if (err)
        return err;
    size_t texts = strlen(method) + length(params) + length(options->idempotency_key) +
                   length(options->traceparent);
    /* The other side would end the connection. */
    if (!weft__domain_takes(peer->domain, texts))
        return WEFT_ERR_TOO_BIG;
    size_t size = sizeof(struct request) + texts;
    struct request *request = weft__mem_zalloc(alloc, size);
    if (!request)
        return WEFT_ERR_NOMEM;
    char *at = request->texts;
    request->size = size;
    request->peer = weft_peer_ref(peer);
    request->options = (struct weft_rpc_call_options){
        .method = put(&at, method),
        .params = put(&at, params),
        .meta = {.has_timeout = true,
                 .timeout_ms = options->timeout_ms ? options->timeout_ms : CALL_TIMEOUT_MS},
    };
    request->options.meta.idem = put(&at, options->idempotency_key);
    request->options.meta.traceparent = put(&at, options->traceparent);
    *ret_request = request;
    return 0;
}

static void request_free(struct request *request)
{
    struct weft_peer *peer = request->peer;
    if (request->stream)
        weft__stream_let_go(request->stream);
    weft__mem_free(weft__domain_alloc(peer->domain), request, request->size);
    weft_peer_unref(peer);
}

static void request_answered(void *ctx, const struct weft_rpc_answer *from)
{
    const struct weft_rpc_answer no_memory = {
        .error = {.status = WEFT_STATUS_RESOURCE_EXHAUSTED,
                  .number = weft_status_jsonrpc(WEFT_STATUS_RESOURCE_EXHAUSTED),
                  .message = WEFT_SLICE_LIT("out of memory for an item"),
                  .reason = WEFT_SLICE_LIT("weft.client.memory"),
                  .executed = WEFT_RPC_EXECUTED_UNKNOWN}};
    struct request *request = ctx;
    if (request->starved && from->error.status == WEFT_STATUS_CANCELED)
        from = &no_memory;
    if (request->stream)
        weft__stream_answered(request->stream, from);
    if (request->answer) {
        const struct weft_answer *answer =
            weft__answer_new(weft__domain_alloc(request->peer->domain), from);
        request->answer(request->ctx, answer);
        weft__answer_drop(answer);
    }
    request_free(request);
}

/* ---- items, on the domain's thread ---- */

static int carry(void *owner, struct weft_slice value)
{
    struct request *request = owner;
    struct weft_rpc_peer *rpc = request->peer->rpc;
    return rpc ? weft__rpc_peer_send(rpc, request->number, value) : WEFT_ERR_STATE;
}

static void grant(void *owner, uint64_t items, uint64_t bytes)
{
    struct request *request = owner;
    if (request->peer->rpc)
        weft__rpc_peer_consumed(request->peer->rpc, request->number, items, bytes);
}

static void items_left(void *owner)
{
    struct request *request = owner;
    if (request->peer->rpc)
        weft__rpc_peer_end(request->peer->rpc, request->number);
}

static void cancel(void *owner)
{
    struct request *request = owner;
    if (request->peer->rpc)
        weft__rpc_peer_cancel(request->peer->rpc, request->number);
}

static void no_memory_for_item(void *owner)
{
    ((struct request *)owner)->starved = true;
    cancel(owner);
}

static const struct weft_stream_carrier carrier = {.send = carry,
                                                   .consumed = grant,
                                                   .drained = items_left,
                                                   .give_up = cancel,
                                                   .no_memory = no_memory_for_item,
                                                   .is_caller = true};

static void on_item(void *ctx, uint64_t number, const struct weft_json *value)
{
    (void)number;
    weft__stream_push(((struct request *)ctx)->stream, weft__json_raw(value));
}

static void on_credit(void *ctx, uint64_t number)
{
    (void)number;
    weft__stream_pump(((struct request *)ctx)->stream);
}

static void prepare_stream(struct request *request)
{
    static const struct weft_rpc_outgoing_ops ops = {.item = on_item, .writable = on_credit};
    request->options.stream = &ops;
    request->options.sends = true;
}

/* The call has begun: what was sent meanwhile follows it. */
static void open_stream(struct request *request)
{
    weft__rpc_peer_hold_credit(request->peer->rpc, request->number);
    weft__stream_attach(request->stream, request);
    weft__stream_pump(request->stream);
}

/* ---- on the domain's thread ---- */

/* Sends it. **Errors:** WEFT_ERR_CLOSED (the peer is over), those of the peer. */
static int start(struct request *request)
{
    struct weft_rpc_peer *rpc = request->peer->rpc;
    if (!rpc)
        return WEFT_ERR_CLOSED;
    if (request->is_notification)
        return weft__rpc_peer_notify(rpc, request->options.method, request->options.params);
    request->options.answer = request_answered;
    request->options.ctx = request;
    if (request->stream)
        prepare_stream(request);
    int err = weft__rpc_peer_call(rpc, &request->options,
                                  weft__loop_now_ns(weft__domain_loop(request->peer->domain)),
                                  &request->number);
    if (!err && request->stream)
        open_stream(request);
    return err;
}

/* Tells why it could not be sent. A notification is lost without a word then, as one that meets the
 * end of the connection. */
static void fail(struct request *request, int err)
{
    struct weft_rpc_answer answer =
        weft__answer_local(weft_status_from_err(err), "", weft_err_message(err));
    if (request->is_notification) {
        request_free(request);
        return;
    }
    if (err == WEFT_ERR_CLOSED)
        answer = weft__answer_local(WEFT_STATUS_UNAVAILABLE, "weft.peer.gone",
                                    "the connection is closed");
    else if (err == WEFT_ERR_NOMEM)
        answer = weft__answer_local(WEFT_STATUS_RESOURCE_EXHAUSTED, "weft.client.memory",
                                    "out of memory for the call");
    else if (err == WEFT_ERR_STATE)
        answer = weft__answer_local(WEFT_STATUS_FAILED_PRECONDITION, "weft.rpc.not_greeted",
                                    "the client did not greet, so it cannot be called");
    request_answered(request, &answer);
}

static void run(struct weft_task *task)
{
    struct request *request = WEFT_CONTAINER_OF(task, struct request, task);
    bool done = request->is_notification;
    int err = request->err ? request->err : start(request);
    if (err)
        fail(request, err);
    else if (done)
        request_free(request);
}

/* On the peer's own thread it goes out at once, in front of what the caller does next; the callback
 * comes later in any case. */
static int submit(struct request *request)
{
    struct weft_domain *domain = request->peer->domain;
    if (weft__domain_here(domain)) {
        request->err = start(request);
        if (!request->err) {
            if (request->is_notification)
                request_free(request);
            return 0;
        }
    }
    weft__task_init(&request->task, run);
    if (weft__domain_post(domain, &request->task))
        return 0;
    request_free(request);
    return WEFT_ERR_CLOSED;
}

/* ---- the public functions ---- */

static void read_options(struct weft_call_options *options, const struct weft_call_options *given)
{
    weft_call_options_init(options);
    if (given)
        memcpy(options, given, WEFT_MIN(given->struct_size, sizeof(*options)));
}

int weft_peer_call(struct weft_peer *peer, const char *method, const char *params,
                   const struct weft_call_options *given, weft_answer_fn *answer, void *ctx)
{
    struct weft_call_options options;
    struct request *request = NULL;
    read_options(&options, given);
    int err = request_new(peer, method, params, &options, &request);
    if (err)
        return err;
    request->answer = answer;
    request->ctx = ctx;
    return submit(request);
}

int weft_peer_notify(struct weft_peer *peer, const char *method, const char *params)
{
    struct weft_call_options options;
    struct request *request = NULL;
    weft_call_options_init(&options);
    int err = request_new(peer, method, params, &options, &request);
    if (err)
        return err;
    request->is_notification = true;
    return submit(request);
}

int weft_peer_open(struct weft_peer *peer, const char *method, const char *params,
                   const struct weft_call_options *given, struct weft_stream **ret_stream)
{
    struct weft_call_options options;
    struct request *request = NULL;
    read_options(&options, given);
    int err = request_new(peer, method, params, &options, &request);
    if (err)
        return err;
    request->options.meta.has_timeout = options.timeout_ms != 0;
    request->options.window_items = options.window_items;
    request->options.window_bytes = options.window_bytes;
    struct weft_stream *stream = weft__stream_new(peer->domain, &carrier, true, true);
    if (!stream) {
        request_free(request);
        return WEFT_ERR_NOMEM;
    }
    request->stream = stream;
    weft__stream_hold(stream);
    err = submit(request);
    if (err)
        weft__stream_let_go(stream);
    else
        *ret_stream = stream;
    return err;
}

struct waiting_call {
    struct weft_wait wait;
    struct weft_answer *answer; /* NULL: there was no memory for it */
};

static void waiting_answered(void *ctx, const struct weft_answer *answer)
{
    struct waiting_call *waiting = ctx;
    waiting->answer = weft__answer_keep(answer);
    weft__wait_tell(&waiting->wait);
}

int weft_peer_call_wait(struct weft_peer *peer, const char *method, const char *params,
                        const struct weft_call_options *options, struct weft_answer **ret_answer)
{
    struct waiting_call waiting = {.answer = NULL};
    if (weft__domain_anywhere())
        return WEFT_ERR_STATE;
    weft__wait_init(&waiting.wait);
    int err = weft_peer_call(peer, method, params, options, waiting_answered, &waiting);
    if (!err) {
        weft__wait_for(&waiting.wait);
        if (waiting.answer)
            *ret_answer = waiting.answer;
        else
            err = WEFT_ERR_NOMEM;
    }
    weft__wait_done(&waiting.wait);
    return err;
}
