/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of a connection, conn.c, conn_deflate.c and conn_out.c, share. Not for others. */
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

/* A fresh mask for a client's frame, made in |key|, or NULL for a server's. */
const uint8_t *weft__ws_conn_mask(const struct weft_ws_conn *conn, uint8_t key[4]);

/* Bytes that the message being received may have on the wire. */
size_t weft__ws_conn_wire_max(const struct weft_ws_conn *conn);

/* Inflates |content|, a whole compressed message. **Errors:** WEFT_ERR_PROTOCOL, WEFT_ERR_TOO_BIG,
 * WEFT_ERR_NOMEM. **Lifetime:** |ret_message| is the pool's. */
WEFT_MUST_USE int weft__ws_conn_inflate(struct weft_ws_conn *conn, struct weft_slice content,
                                        struct weft_slice *ret_message);

/* Frees the contexts of compression. */
void weft__ws_conn_drop_contexts(struct weft_ws_conn *conn);

/* Frees everything that waits to be sent. */
void weft__ws_conn_drop_out(struct weft_ws_conn *conn);

#endif
