/* SPDX-License-Identifier: Apache-2.0 */
/* Sending an HTTP answer on a connection: whether it stays open afterwards, whose pages may read
 * it (conn->origin), and the counters. */
#ifndef WEFT_SERVER_HTTP_SEND_H
#define WEFT_SERVER_HTTP_SEND_H

#include "rpc/http.h"
#include "server/conn.h"
#include "server/http_answer.h"

/*
 * Answers the request that waits on |conn| with |answer|, whose |keep_alive| and |origin| are
 * filled in here, and |body|, which |owner| keeps alive (NULL: it is static). When memory is out
 * the connection ends.
 */
void weft__http_send(struct weft_conn *conn, struct weft_http_answer *answer,
                     struct weft_slice body, struct weft_buf *owner);

/* The same with a copy of |body|, whose length is filled in. */
void weft__http_send_copy(struct weft_conn *conn, struct weft_http_answer *answer,
                          struct weft_slice body);

/* Answers with the HTTP status |status| and the object about |failure|. |allow|: as of struct
 * weft_http_answer. */
void weft__http_send_failure(struct weft_conn *conn, int status,
                             const struct weft_rpc_failure *failure, const char *allow);

/* Answers with what a call was answered with: a result, or an error. */
void weft__http_send_answer(struct weft_conn *conn, const struct weft_rpc_http_answer *answer);

/* Begins an answer of |type| that has no end yet. False when the connection ends instead. */
bool weft__http_send_stream(struct weft_conn *conn, const char *type);

#endif
