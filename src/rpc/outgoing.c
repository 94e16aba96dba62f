/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calls a peer makes itself, and the items beside them.
 *
 *   call ──► in flight ──┬─► answered ─┐
 *                        ├─► expired   ├─► finish: freed, then its callback, exactly once
 *                        ├─► canceled  │
 *                        └─► peer gone ┘
 */
#include "rpc/peer_internal.h"
#include "rpc/session.h"

/* A call of ours that waits for its answer. */
struct pending_call {
    struct weft_rpc_outgoing outgoing;
    struct weft_rpc_peer *peer;
    weft_rpc_answer_fn *answer;
    void *ctx;
    const struct weft_rpc_outgoing_ops *ops; /* NULL: nobody wants items */
    struct weft_rpc_stream stream;           /* nothing is open when there are no items */
    uint64_t seq;                            /* of the session; 0: not numbered */
    bool unsent;                             /* never was on a connection */
    bool is_greeting;
};

static struct pending_call *pending_of(struct weft_rpc_outgoing *outgoing)
{
    return outgoing ? WEFT_CONTAINER_OF(outgoing, struct pending_call, outgoing) : NULL;
}

static struct pending_call *find(struct weft_rpc_peer *peer, uint64_t number)
{
    return pending_of(weft__rpc_correlation_find_number(&peer->outgoing, number));
}

static bool is_unsent(const struct pending_call *pending)
{
    const struct weft_rpc_session *session = pending->peer->session;
    return pending->unsent || (session && pending->seq > session->transmitted);
}

/* The answer to a call that ends on this side. One that never left was not executed. */
static struct weft_rpc_answer local_answer(const struct pending_call *pending, int status)
{
    struct weft_slice message = weft__slice_str(weft_status_name(status));
    return (struct weft_rpc_answer){.error = {.status = status,
                                              .number = weft_status_jsonrpc(status),
                                              .message = message,
                                              .executed = is_unsent(pending)
                                                              ? WEFT_RPC_EXECUTED_NO
                                                              : WEFT_RPC_EXECUTED_UNKNOWN}};
}

/* Frees |pending|, which is no longer in flight, and hands over its answer. */
static void finish(struct pending_call *pending, const struct weft_rpc_answer *answer)
{
    weft_rpc_answer_fn *callback = pending->answer;
    void *ctx = pending->ctx;
    weft__mem_free(pending->peer->env->alloc, pending, sizeof(*pending));
    if (callback)
        callback(ctx, answer);
}

static void send_cancel(struct weft_rpc_peer *peer, const struct weft_rpc_outgoing *outgoing)
{
    if (peer->session)
        weft__rpc_session_canceled(peer->session, weft__rpc_outgoing_id(outgoing),
                                   weft__rpc_outgoing_key(&peer->outgoing, outgoing));
    weft__rpc_peer_emit_head(peer, &(struct weft_rpc_head){.kind = WEFT_RPC_KIND_CANCEL,
                                                           .id = weft__rpc_outgoing_id(outgoing)});
}

void weft__rpc_outgoing_expired(struct weft_rpc_outgoing *outgoing)
{
    struct pending_call *pending = pending_of(outgoing);
    struct weft_rpc_answer answer = local_answer(pending, WEFT_STATUS_DEADLINE_EXCEEDED);
    send_cancel(pending->peer, outgoing);
    finish(pending, &answer);
}

void weft__rpc_outgoing_end_all(struct weft_rpc_peer *peer, int status)
{
    /* Those that callbacks make meanwhile are not meant. */
    uint64_t last = peer->outgoing.last;
    struct pending_call *pending;
    while ((pending = pending_of(weft__rpc_correlation_first(&peer->outgoing))) != NULL &&
           pending->outgoing.number <= last) {
        struct weft_rpc_answer answer = local_answer(pending, status);
        weft__rpc_correlation_remove(&pending->outgoing);
        finish(pending, &answer);
    }
}

void weft__rpc_outgoing_leave_session(struct weft_rpc_peer *peer)
{
    WEFT_LIST_EACH (link, &peer->outgoing.in_flight) {
        struct pending_call *pending =
            pending_of(WEFT_CONTAINER_OF(link, struct weft_rpc_outgoing, link));
        pending->unsent = is_unsent(pending);
        pending->seq = 0;
    }
}

void weft__rpc_outgoing_end_greeting(struct weft_rpc_peer *peer)
{
    struct pending_call *pending = find(peer, peer->greeting);
    peer->greeting = 0;
    if (!pending)
        return;
    struct weft_rpc_answer answer = local_answer(pending, WEFT_STATUS_UNAVAILABLE);
    weft__rpc_correlation_remove(&pending->outgoing);
    finish(pending, &answer);
}

void weft__rpc_outgoing_repeat_credit(struct weft_rpc_peer *peer)
{
    WEFT_LIST_EACH (link, &peer->outgoing.in_flight) {
        struct pending_call *pending =
            pending_of(WEFT_CONTAINER_OF(link, struct weft_rpc_outgoing, link));
        if (pending->ops)
            weft__rpc_peer_send_credit(peer, weft__rpc_outgoing_id(&pending->outgoing),
                                       &pending->stream);
    }
}

void weft__rpc_peer_cancel(struct weft_rpc_peer *peer, uint64_t number)
{
    struct pending_call *pending = find(peer, number);
    if (!pending)
        return;
    struct weft_rpc_answer answer = local_answer(pending, WEFT_STATUS_CANCELED);
    weft__rpc_correlation_remove(&pending->outgoing);
    send_cancel(peer, &pending->outgoing);
    finish(pending, &answer);
}

/* ---- calling ---- */

static void init_stream(struct pending_call *pending, const struct weft_rpc_call_options *options)
{
    const struct weft_rpc_limits *limits = &pending->peer->env->limits;
    weft__rpc_stream_init(&pending->stream, limits->window_items, limits->window_bytes,
                          options->stream != NULL, options->sends);
}

/* Grants more than the greeting did, once the call is out. */
static void widen_window(struct pending_call *pending, const struct weft_rpc_call_options *options)
{
    struct weft_rpc_stream *stream = &pending->stream;
    if (options->stream &&
        weft__rpc_stream_set_window(stream, WEFT_MAX(options->window_items, stream->window_items),
                                    WEFT_MAX(options->window_bytes, stream->window_bytes)))
        weft__rpc_peer_send_credit(pending->peer, weft__rpc_outgoing_id(&pending->outgoing),
                                   stream);
}

static int start_call(struct weft_rpc_peer *peer, const struct weft_rpc_call_options *options,
                      bool is_greeting, uint64_t now_ns, uint64_t *ret_number)
{
    struct pending_call *pending = weft__mem_zalloc(peer->env->alloc, sizeof(*pending));
    if (!pending)
        return WEFT_ERR_NOMEM;
    pending->peer = peer;
    pending->answer = options->answer;
    pending->ctx = options->ctx;
    pending->ops = options->stream;
    pending->is_greeting = is_greeting;
    init_stream(pending, options);
    int err = weft__rpc_correlation_add(&peer->outgoing, &pending->outgoing,
                                        weft__rpc_deadline(&options->meta, now_ns));
    if (err)
        goto out;
    uint64_t number = pending->outgoing.number;
    if (peer->session && !is_greeting)
        pending->seq = weft__rpc_delivery_next(&peer->session->delivery);
    err = weft__rpc_peer_send_request(peer, weft__rpc_outgoing_id(&pending->outgoing), options);
    if (err) {
        weft__rpc_correlation_remove(&pending->outgoing);
        goto out;
    }
    ++peer->env->counters.outgoing;
    widen_window(pending, options);
    if (ret_number)
        *ret_number = number;
out:
    if (err)
        weft__mem_free(peer->env->alloc, pending, sizeof(*pending));
    return err;
}

int weft__rpc_peer_call(struct weft_rpc_peer *peer, const struct weft_rpc_call_options *options,
                        uint64_t now_ns, uint64_t *ret_number)
{
    /* PROTOCOL §3: everything non-standard, calls from the server and items among it, needs the
     * greeting. */
    bool beyond = peer->is_server || options->stream || options->sends;
    if (peer->closed || (beyond && !peer->greeted))
        return WEFT_ERR_STATE;
    return start_call(peer, options, false, now_ns, ret_number);
}

int weft__rpc_outgoing_greet(struct weft_rpc_peer *peer, struct weft_slice params,
                             weft_rpc_answer_fn *answer, void *ctx, uint64_t now_ns)
{
    const struct weft_rpc_call_options options = {
        .method = WEFT_SLICE_LIT("$/hello"), .params = params, .answer = answer, .ctx = ctx};
    return start_call(peer, &options, true, now_ns, &peer->greeting);
}

/* ---- items ---- */

int weft__rpc_peer_send(struct weft_rpc_peer *peer, uint64_t number, struct weft_slice value)
{
    struct pending_call *pending = find(peer, number);
    int err = pending ? weft__rpc_stream_send(&pending->stream, value.len) : WEFT_ERR_STATE;
    if (!err)
        weft__rpc_peer_send_item(peer, weft__rpc_outgoing_id(&pending->outgoing), value);
    return err;
}

void weft__rpc_peer_end(struct weft_rpc_peer *peer, uint64_t number)
{
    struct pending_call *pending = find(peer, number);
    if (!pending || !pending->stream.out.open)
        return;
    pending->stream.out.open = false;
    weft__rpc_peer_emit_head(
        peer, &(struct weft_rpc_head){.kind = WEFT_RPC_KIND_END,
                                      .id = weft__rpc_outgoing_id(&pending->outgoing)});
}

static void consumed(struct pending_call *pending, uint64_t items, uint64_t bytes)
{
    if (weft__rpc_stream_consumed(&pending->stream, items, bytes))
        weft__rpc_peer_send_credit(pending->peer, weft__rpc_outgoing_id(&pending->outgoing),
                                   &pending->stream);
}

void weft__rpc_peer_hold_credit(struct weft_rpc_peer *peer, uint64_t number)
{
    struct pending_call *pending = find(peer, number);
    if (pending)
        pending->stream.manual = true;
}

void weft__rpc_peer_consumed(struct weft_rpc_peer *peer, uint64_t number, uint64_t items,
                             uint64_t bytes)
{
    struct pending_call *pending = find(peer, number);
    WEFT_ASSERT(!pending || pending->stream.manual);
    if (pending)
        consumed(pending, items, bytes);
}

static void receive_item(struct pending_call *pending, const struct weft_json *value)
{
    struct weft_rpc_peer *peer = pending->peer;
    uint64_t number = pending->outgoing.number;
    size_t size = weft__json_raw(value).len;
    /* Nobody wants the items of a call made without |stream|: that the method has some is no
     * violation, but there is no more credit than the first. */
    if (!pending->ops)
        return;
    if (weft__rpc_stream_received(&pending->stream, size)) {
        weft__rpc_peer_violated(peer, "an item without credit");
        return;
    }
    if (pending->ops->item)
        pending->ops->item(pending->ctx, number, value);
    pending = find(peer, number); /* the callback may have ended it */
    if (pending && !pending->stream.manual)
        consumed(pending, 1, size);
}

static void receive_credit(struct pending_call *pending, const struct weft_rpc_frame *frame)
{
    if (weft__rpc_stream_granted(&pending->stream, frame->items_total, frame->bytes_total) &&
        pending->ops && pending->ops->writable)
        pending->ops->writable(pending->ctx, pending->outgoing.number);
}

/* ---- answers ---- */

static void receive_answer(struct pending_call *pending, const struct weft_rpc_frame *frame)
{
    struct weft_rpc_answer answer = {.result = NULL};
    if (frame->kind == WEFT_RPC_KIND_RESULT)
        answer.result = frame->value;
    else
        answer.error = frame->error;
    weft__rpc_correlation_remove(&pending->outgoing);
    if (pending->is_greeting)
        weft__rpc_greeting_answered(pending->peer, answer.result);
    finish(pending, &answer);
}

void weft__rpc_outgoing_received(struct weft_rpc_peer *peer, const struct weft_rpc_frame *frame)
{
    struct pending_call *pending =
        pending_of(weft__rpc_correlation_find(&peer->outgoing, frame->id.key));
    bool is_answer = frame->kind == WEFT_RPC_KIND_RESULT || frame->kind == WEFT_RPC_KIND_ERROR;
    if (!pending && is_answer && peer->session &&
        weft__rpc_session_answered(peer->session, frame->id.key))
        return;
    if (!pending)
        peer->env->counters.strays += is_answer;
    else if (is_answer)
        receive_answer(pending, frame);
    else if (frame->kind == WEFT_RPC_KIND_ITEM)
        receive_item(pending, frame->value);
    else if (frame->kind == WEFT_RPC_KIND_CREDIT)
        receive_credit(pending, frame);
    /* An end says only what the answer will say. */
}
