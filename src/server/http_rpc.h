/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls over plain HTTP (docs/protocol/http.md):
 *
 *   POST /rpc/<method>   one call: parameters in the body, the bare result or an error back
 *   POST /rpc            a message of JSON-RPC 2.0, or a batch
 *   GET /sse/<method>    a call whose items come as server-sent events (sse.h); POST as well
 *
 * A connection gets, with its first call, a peer for each of these and a member of the hub, which
 * stay until it ends; so handlers, limits and interceptors are those of the sockets. Requests are
 * served one after the other: the next is looked at when the one before has its answer. What a
 * method would push beside its answer goes nowhere: that needs a WebSocket.
 *
 * **Thread:** the connection's worker.
 */
#ifndef WEFT_SERVER_HTTP_RPC_H
#define WEFT_SERVER_HTTP_RPC_H

#include "codec/http1.h"
#include "server/conn.h"

/* Whether |path| belongs here. */
bool weft__http_rpc_has(struct weft_slice path);

/* Answers the request |head|, or reads its body. */
void weft__http_rpc_route(struct weft_conn *conn, const struct weft_http1_head *head,
                          struct weft_slice path, struct weft_slice query);

/* As on_body of the transport. */
void weft__http_rpc_body(struct weft_conn *conn, struct weft_slice body, int status);

/* Everything sent on |conn|, which streams, is out. */
void weft__http_rpc_drained(struct weft_conn *conn);

/* Whether |conn| streams, and is to be told when the server stops. */
bool weft__http_rpc_streams(const struct weft_conn *conn);

/* Tells it. */
void weft__http_rpc_goaway(struct weft_conn *conn, const struct weft_rpc_goaway *goaway);

/* Whether a call of |conn| has no answer yet; those that are |late| are answered now, and counted
 * in |cut_off|. For the drain. */
bool weft__http_rpc_busy(struct weft_conn *conn, bool late, uint64_t *cut_off);

/* The connection is gone: calls that run are told. */
void weft__http_rpc_done(struct weft_conn *conn);

#endif
