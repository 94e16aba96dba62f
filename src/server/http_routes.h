/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an HTTP request to the server gets:
 *
 *   /ws                upgrade to a WebSocket (Host and Origin checked)
 *   /rpc, /sse         calls (http_rpc.h)
 *   /healthz           200 while the process answers at all
 *   /readyz            200 while new work is welcome, 503 when it drains
 *   /metrics           numbers, Prometheus text format
 *   / and its files    the playground, in development mode
 *
 * Everything else is 404; other methods than GET and HEAD are 405. Requests but those for calls
 * have no bodies: one that announces a body is answered and the connection ends. Every answer
 * carries the security headers of http_answer.h.
 */
#ifndef WEFT_SERVER_HTTP_ROUTES_H
#define WEFT_SERVER_HTTP_ROUTES_H

#include "codec/http1.h"
#include "server/conn.h"

/* Answers the request |head| of |conn|. **Thread:** the connection's worker. */
void weft__http_route(struct weft_conn *conn, const struct weft_http1_head *head);

#endif
