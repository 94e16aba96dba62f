/* SPDX-License-Identifier: Apache-2.0 */
/* Sending HTTP answers. */
#include "server/http_send.h"

#include "base/assert.h"

static void count(struct weft_conn *conn, int status)
{
    WEFT_ASSERT(status >= 100 && status / 100 < WEFT_METRICS_ANSWERS);
    conn->worker->answers[status / 100]++;
}

static struct weft_slice origin_of(const struct weft_conn *conn)
{
    return conn->origin ? weft__buf_slice(conn->origin) : weft__slice(NULL, 0);
}

void weft__http_send(struct weft_conn *conn, struct weft_http_answer *answer,
                     struct weft_slice body, struct weft_buf *owner)
{
    struct weft_transport *transport = &conn->transport;
    struct weft_server *server = conn->worker->server;
    struct weft_bytes head;
    answer->keep_alive = transport->keep_alive && !atomic_load(&server->draining);
    answer->origin = origin_of(conn);
    count(conn, answer->status);
    weft__bytes_init(&head, server->alloc, SIZE_MAX);
    weft__http_answer_head(&head, answer);
    if (weft__bytes_error(&head) || weft__transport_respond(transport, weft__bytes_slice(&head),
                                                            body, owner, !answer->keep_alive))
        weft__transport_abort(transport, WEFT_ERR_NOMEM);
    weft__bytes_done(&head);
}

void weft__http_send_copy(struct weft_conn *conn, struct weft_http_answer *answer,
                          struct weft_slice body)
{
    /* Answers to calls count as what connections hold. */
    struct weft_buf *copy =
        weft__buf_new_copy(&conn->worker->server->connection_memory.alloc, body);
    answer->length = body.len;
    if (copy)
        weft__http_send(conn, answer, weft__buf_slice(copy), copy);
    else
        weft__transport_abort(&conn->transport, WEFT_ERR_NOMEM);
    weft__buf_unref(copy);
}

/* What Retry-After says for an answer with |status|; 0: nothing. */
static uint32_t retry_after_s(int status, uint32_t retry_after_ms)
{
    bool says = status == 429 || status == 503;
    return says ? retry_after_ms / 1000 + (retry_after_ms % 1000 ? 1 : 0) : 0;
}

void weft__http_send_failure(struct weft_conn *conn, int status,
                             const struct weft_rpc_failure *failure, const char *allow)
{
    struct weft_http_answer answer = {
        .status = status,
        .type = "application/json",
        .allow = allow,
        .retry_after_s = retry_after_s(status, failure->retry_after_ms),
    };
    struct weft_bytes body;
    weft__bytes_init(&body, conn->worker->server->alloc, SIZE_MAX);
    weft__rpc_http_write_failure(&body, failure);
    if (weft__bytes_error(&body))
        weft__transport_abort(&conn->transport, WEFT_ERR_NOMEM);
    else
        weft__http_send_copy(conn, &answer, weft__bytes_slice(&body));
    weft__bytes_done(&body);
}

void weft__http_send_answer(struct weft_conn *conn, const struct weft_rpc_http_answer *answer)
{
    int status = weft__rpc_http_status(answer->status);
    struct weft_http_answer http = {
        .status = status,
        .type = "application/json",
        .retry_after_s = retry_after_s(status, answer->retry_after_ms),
    };
    weft__http_send_copy(conn, &http, answer->body);
}

bool weft__http_send_stream(struct weft_conn *conn, const char *type)
{
    const struct weft_http_answer answer = {
        .status = 200, .type = type, .open_ended = true, .origin = origin_of(conn)};
    struct weft_bytes head;
    count(conn, answer.status);
    weft__bytes_init(&head, conn->worker->server->alloc, SIZE_MAX);
    weft__http_answer_head(&head, &answer);
    bool sent = !weft__bytes_error(&head) &&
                !weft__transport_stream(&conn->transport, weft__bytes_slice(&head));
    if (!sent)
        weft__transport_abort(&conn->transport, WEFT_ERR_NOMEM);
    weft__bytes_done(&head);
    return sent;
}
