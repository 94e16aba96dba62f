/* SPDX-License-Identifier: Apache-2.0 */
/* Counting credit. */
#include "rpc/stream.h"

#include "base/assert.h"

void weft__rpc_stream_init(struct weft_rpc_stream *stream, uint32_t window_items,
                           uint32_t window_bytes, bool receives, bool sends)
{
    WEFT_ASSERT(window_items > 0 && window_bytes > 0);
    const struct weft_rpc_flow flow = {.items_total = window_items, .bytes_total = window_bytes};
    *stream = (struct weft_rpc_stream){
        .out = flow, .in = flow, .window_items = window_items, .window_bytes = window_bytes};
    stream->in.open = receives;
    stream->out.open = sends;
}

static bool has_credit(const struct weft_rpc_flow *flow)
{
    return flow->items < flow->items_total && flow->bytes < flow->bytes_total;
}

static int count(struct weft_rpc_flow *flow, size_t size)
{
    if (!flow->open)
        return WEFT_ERR_STATE;
    if (!has_credit(flow))
        return WEFT_ERR_LIMIT;
    ++flow->items;
    flow->bytes += size;
    return 0;
}

int weft__rpc_stream_send(struct weft_rpc_stream *stream, size_t size)
{
    int err = count(&stream->out, size);
    if (err == WEFT_ERR_LIMIT)
        stream->blocked = true;
    return err;
}

bool weft__rpc_stream_granted(struct weft_rpc_stream *stream, uint64_t items_total,
                              uint64_t bytes_total)
{
    struct weft_rpc_flow *out = &stream->out;
    out->items_total = WEFT_MAX(out->items_total, items_total);
    out->bytes_total = WEFT_MAX(out->bytes_total, bytes_total);
    if (!stream->blocked || !out->open || !has_credit(out))
        return false;
    stream->blocked = false;
    return true;
}

int weft__rpc_stream_received(struct weft_rpc_stream *stream, size_t size)
{
    return count(&stream->in, size);
}

/* Grants a window beyond what has been dealt with, once half of the last one is used up. */
static bool grant(struct weft_rpc_stream *stream)
{
    struct weft_rpc_flow *in = &stream->in;
    uint64_t items_total = stream->items_done + stream->window_items;
    uint64_t bytes_total = stream->bytes_done + stream->window_bytes;
    if (!in->open || (items_total < in->items_total + (stream->window_items + 1) / 2 &&
                      bytes_total < in->bytes_total + (stream->window_bytes + 1) / 2))
        return false;
    in->items_total = WEFT_MAX(in->items_total, items_total);
    in->bytes_total = WEFT_MAX(in->bytes_total, bytes_total);
    return true;
}

bool weft__rpc_stream_consumed(struct weft_rpc_stream *stream, uint64_t items, uint64_t bytes)
{
    stream->items_done += items;
    stream->bytes_done += bytes;
    WEFT_ASSERT(stream->items_done <= stream->in.items && stream->bytes_done <= stream->in.bytes);
    return grant(stream);
}

bool weft__rpc_stream_set_window(struct weft_rpc_stream *stream, uint32_t items, uint32_t bytes)
{
    WEFT_ASSERT(items > 0 && bytes > 0);
    stream->window_items = items;
    stream->window_bytes = bytes;
    return grant(stream);
}
