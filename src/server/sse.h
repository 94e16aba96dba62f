/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call whose items go out as server-sent events (docs/protocol/http.md, section 4; WHATWG HTML,
 * "Server-sent events"). The connection ends with the stream.
 *
 *   weft__sse_begin ─► peer ─► handler ─► item ─► event ─► transport ─► socket
 *                       ▲                                      │
 *                       └────── credit ◄── weft__sse_drained ◄─┘ everything is out
 *
 * The method gets credit for another window whenever all events have left for the kernel, so that a
 * slow reader costs one window of memory, and slows the method down. An error before the first
 * event is an ordinary answer with its status; behind it, it is an event.
 *
 * **Thread:** the connection's worker.
 */
#ifndef WEFT_SERVER_SSE_H
#define WEFT_SERVER_SSE_H

#include "rpc/http.h"
#include "server/conn.h"

enum {
    WEFT_SSE_BEAT_MS = 15000,    /* between two comments, while nothing else is said */
    WEFT_SSE_WINDOW_ITEMS = 256, /* that may be unsent */
    WEFT_SSE_WINDOW_BYTES = 65536,
};

/* The streams of one connection, one at a time. |peer| may be read. */
struct weft_sse {
    struct weft_conn *conn;
    struct weft_rpc_peer peer;
    struct weft_timer beat;
    uint64_t items; /* sent, of this call */
    uint64_t bytes; /* of their JSON */
    uint64_t id;    /* of the newest event */
    bool open;      /* the answer has begun */
};

/* For |conn|; handlers are told |user|. */
void weft__sse_init(struct weft_sse *sse, struct weft_conn *conn, void *user);

/* Makes the call |request|, which answers the HTTP request that waits. */
void weft__sse_begin(struct weft_sse *sse, const struct weft_rpc_http_request *request);

/* Everything sent so far is out. */
void weft__sse_drained(struct weft_sse *sse);

/* Tells the client that the server stops; the stream goes on. */
void weft__sse_goaway(struct weft_sse *sse, const struct weft_rpc_goaway *goaway);

/* The connection is gone: a call that runs is told. */
void weft__sse_done(struct weft_sse *sse);

#endif
