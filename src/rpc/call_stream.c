/* SPDX-License-Identifier: Apache-2.0 */
/* The items of calls being served: in from receive.c, out through the handler. */
#include "rpc/peer_internal.h"

int weft__rpc_call_make_stream(struct weft_rpc_call *call)
{
    const struct weft_rpc_limits *limits = &call->env->limits;
    unsigned flags = call->method->flags;
    call->stream = weft__mem_alloc(call->env->alloc, sizeof(*call->stream));
    if (!call->stream)
        return WEFT_ERR_NOMEM;
    weft__rpc_stream_init(call->stream, limits->window_items, limits->window_bytes,
                          flags & WEFT_RPC_METHOD_RECEIVES, flags & WEFT_RPC_METHOD_SENDS);
    ++call->peer->streams;
    return 0;
}

void weft__rpc_call_close_stream(struct weft_rpc_call *call)
{
    weft__mem_free(call->env->alloc, call->stream, sizeof(*call->stream));
    call->stream = NULL;
    if (call->peer)
        --call->peer->streams;
}

void weft__rpc_call_stream(struct weft_rpc_call *call, const struct weft_rpc_stream_ops *ops)
{
    WEFT_ASSERT(call->deferred && (call->stream || call->settled));
    call->stream_ops = ops;
}

static void send_credit(struct weft_rpc_call *call)
{
    if (!call->settled)
        weft__rpc_peer_send_credit(call->peer, call->id.raw, call->stream);
}

void weft__rpc_calls_repeat_credit(struct weft_rpc_peer *peer)
{
    WEFT_LIST_EACH (link, &peer->deferred) {
        struct weft_rpc_call *call = WEFT_CONTAINER_OF(link, struct weft_rpc_call, link);
        if (call->stream && call->stream->in.open)
            send_credit(call);
    }
}

void weft__rpc_call_hold_credit(struct weft_rpc_call *call)
{
    if (call->stream)
        call->stream->manual = true;
}

void weft__rpc_call_consumed(struct weft_rpc_call *call, uint64_t items, uint64_t bytes)
{
    WEFT_ASSERT(!call->stream || call->stream->manual);
    if (call->stream && weft__rpc_stream_consumed(call->stream, items, bytes))
        send_credit(call);
}

void weft__rpc_call_set_window(struct weft_rpc_call *call, uint32_t items, uint32_t bytes)
{
    if (call->stream && weft__rpc_stream_set_window(call->stream, items, bytes))
        send_credit(call);
}

int weft__rpc_call_send(struct weft_rpc_call *call, struct weft_slice value)
{
    WEFT_ASSERT(!call->answered);
    if (call->settled || !call->stream)
        return WEFT_ERR_STATE;
    int err = weft__rpc_stream_send(call->stream, value.len);
    if (err)
        return err;
    struct weft_rpc_method_stats *stats = weft__rpc_call_stats(call);
    if (stats)
        stats->bytes_out += value.len;
    weft__rpc_peer_send_item(call->peer, call->id.raw, value);
    return 0;
}

/* Callbacks may answer, so they run as the handler does: the call is released behind them. */
static void enter(struct weft_rpc_call *call)
{
    WEFT_ASSERT(!call->running);
    call->running = true;
}

void weft__rpc_call_item(struct weft_rpc_call *call, const struct weft_json *value, size_t size)
{
    struct weft_rpc_method_stats *stats = weft__rpc_call_stats(call);
    if (stats)
        stats->bytes_in += size;
    if (call->stream_ops && call->stream_ops->item) {
        enter(call);
        call->stream_ops->item(call, value, call->ctx);
        if (!weft__rpc_call_leave(call))
            return;
    }
    if (!call->stream->manual && weft__rpc_stream_consumed(call->stream, 1, size))
        send_credit(call);
}

void weft__rpc_call_items_ended(struct weft_rpc_call *call)
{
    call->stream->in.open = false;
    if (!call->stream_ops || !call->stream_ops->end)
        return;
    enter(call);
    call->stream_ops->end(call, call->ctx);
    (void)weft__rpc_call_leave(call);
}

void weft__rpc_call_granted(struct weft_rpc_call *call, uint64_t items_total, uint64_t bytes_total)
{
    if (!weft__rpc_stream_granted(call->stream, items_total, bytes_total) || !call->stream_ops ||
        !call->stream_ops->writable)
        return;
    enter(call);
    call->stream_ops->writable(call, call->ctx);
    (void)weft__rpc_call_leave(call);
}
