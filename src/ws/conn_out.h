/* SPDX-License-Identifier: Apache-2.0 */
/* What the two halves of a connection, conn.c and conn_out.c, share. Not for others. */
#ifndef WEFT_WS_CONN_OUT_H
#define WEFT_WS_CONN_OUT_H

#include "ws/conn.h"

/* Queues the pong that answers a ping with |payload|, at most WEFT_WS_CONTROL_MAX bytes. False when
 * out of memory. */
bool weft__ws_conn_queue_pong(struct weft_ws_conn *conn, struct weft_slice payload);

/* A valid close frame with |code| (WEFT_WS_CLOSE_NONE: without one) arrived: queues the reply if
 * this side has not sent one, and moves on in the closing handshake. */
void weft__ws_conn_on_close(struct weft_ws_conn *conn, unsigned code);

/* Fails the connection (RFC 6455 §7.1.7): queues a close frame with |code| and static |text|, if
 * none was sent before, and goes to CLOSED. */
void weft__ws_conn_fail(struct weft_ws_conn *conn, unsigned code, const char *text);

/* Frees everything that waits to be sent. */
void weft__ws_conn_drop_out(struct weft_ws_conn *conn);

#endif
