/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The items that flow beside a call, in either direction or both, and their credit
 * (docs/protocol/rpc.md, "Streams"). Arithmetic alone: no frames, no I/O.
 *
 *   sender     may send while items < items_total and bytes < bytes_total
 *   receiver   grants totals, counted since the stream began: what it is done with plus a window
 *
 * Totals make a repeated grant harmless. An item may pass the total of bytes once begun below it,
 * so that one larger than the window gets through. **Thread:** one at a time.
 */
#ifndef WEFT_RPC_STREAM_H
#define WEFT_RPC_STREAM_H

#include "base/compiler.h"

#include <weft/err.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Counts of one direction. */
struct weft_rpc_flow {
    uint64_t items;
    uint64_t bytes;
    uint64_t items_total; /* granted */
    uint64_t bytes_total;
    bool open; /* more may come */
};

struct weft_rpc_stream {
    struct weft_rpc_flow out;
    struct weft_rpc_flow in;
    uint64_t items_done; /* of |in|: dealt with */
    uint64_t bytes_done;
    uint32_t window_items; /* what the other side may have under way */
    uint32_t window_bytes;
    bool blocked; /* somebody wanted to send and waits for credit */
    bool manual;  /* the receiver says when it is done with an item */
};

/* A stream that begins. Both sides start with a credit of one window, which both know from the
 * greeting. |receives| and |sends| say which directions there are. */
void weft__rpc_stream_init(struct weft_rpc_stream *stream, uint32_t window_items,
                           uint32_t window_bytes, bool receives, bool sends);

/* Takes credit for an item of |size| bytes. **Errors:** WEFT_ERR_STATE when this side has ended,
 * WEFT_ERR_LIMIT without credit: weft__rpc_stream_granted will tell. */
WEFT_MUST_USE int weft__rpc_stream_send(struct weft_rpc_stream *stream, size_t size);

/* The other side grants totals; smaller ones than before change nothing. True when somebody was
 * waiting and may send now. */
WEFT_MUST_USE bool weft__rpc_stream_granted(struct weft_rpc_stream *stream, uint64_t items_total,
                                            uint64_t bytes_total);

/* An item of |size| bytes came. **Errors:** WEFT_ERR_STATE after the end, WEFT_ERR_LIMIT without
 * credit; both are violations. */
WEFT_MUST_USE int weft__rpc_stream_received(struct weft_rpc_stream *stream, size_t size);

/* |items| of |bytes| have been dealt with. True when in.items_total and in.bytes_total have grown
 * enough to be told. */
WEFT_MUST_USE bool weft__rpc_stream_consumed(struct weft_rpc_stream *stream, uint64_t items,
                                             uint64_t bytes);

/* Changes the window. True when the totals have grown and must be told. */
WEFT_MUST_USE bool weft__rpc_stream_set_window(struct weft_rpc_stream *stream, uint32_t items,
                                               uint32_t bytes);

#endif
