/* SPDX-License-Identifier: Apache-2.0 */
/* Gluing transport, session and hub for one connection. */
#include "server/conn.h"

#include "base/assert.h"
#include "server/http_routes.h"
#include "transport/broadcast.h"

#include <stdio.h>

static struct weft_conn *conn_of(struct weft_transport *transport)
{
    return WEFT_CONTAINER_OF(transport, struct weft_conn, transport);
}

/* A failed send has ended the connection; on_end follows and cleans up. */
static void ignore(int err)
{
    (void)err;
}

/* ---- What the session wants ---- */

static void session_send(void *ctx, struct weft_slice message, enum weft_rpc_lane lane)
{
    struct weft_conn *conn = ctx;
    (void)lane; /* One message is encoded and queued at a time: nothing waits that it could pass. */
    enum weft_ws_opcode opcode = conn->wire->is_text ? WEFT_WS_OPCODE_TEXT : WEFT_WS_OPCODE_BINARY;
    ignore(weft__transport_send(&conn->transport, opcode, message));
}

static void session_failed(void *ctx, unsigned code, const char *reason)
{
    struct weft_conn *conn = ctx;
    if (code == WEFT_WS_CLOSE_ABNORMAL) {
        conn->worker->timeouts++;
        weft__transport_abort(&conn->transport, WEFT_ERR_TIMEOUT);
        return;
    }
    weft__transport_close(&conn->transport, code, weft__slice_str(reason));
}

/* ---- What the hub wants ---- */

static struct weft_conn *member_conn(const struct weft_hub_member *member)
{
    return WEFT_CONTAINER_OF(member, struct weft_conn, member);
}

/* The hub encodes as text, once for all; on another wire each message is encoded anew. */
static void forward_frames(struct weft_conn *conn, struct weft_slice frames)
{
    while (frames.len > 0 && conn->joined) {
        struct weft_ws_head head;
        ptrdiff_t used = weft__ws_head_decode(frames.ptr, frames.len, &head);
        WEFT_ASSERT(used > 0 && !head.rsv && head.len <= frames.len - (size_t)used);
        weft__session_forward(&conn->session, weft__slice(frames.ptr + used, (size_t)head.len));
        size_t whole = (size_t)used + (size_t)head.len;
        frames = weft__slice(frames.ptr + whole, frames.len - whole);
    }
}

static void member_send(struct weft_hub_member *member, struct weft_slice frames,
                        struct weft_buf *owner, size_t count)
{
    struct weft_conn *conn = member_conn(member);
    if (conn->wire->is_text)
        ignore(weft__transport_send_frames(&conn->transport, frames, owner, count));
    else
        forward_frames(conn, frames);
}

static void member_send_message(struct weft_hub_member *member, struct weft_ws_message *message)
{
    weft__session_forward(&member_conn(member)->session, weft__ws_message_payload(message));
}

static size_t member_unsent(const struct weft_hub_member *member)
{
    return weft__transport_unsent(&member_conn(member)->transport);
}

static void member_held(struct weft_hub_member *member)
{
    weft__transport_want_drain(&member_conn(member)->transport);
}

static void member_present(struct weft_hub_member *member, bool present)
{
    struct weft_conn *conn = member_conn(member);
    weft__session_watch(&conn->session, present, weft__loop_now_ns(conn->worker->loop));
}

/* ---- What the transport reports ---- */

/* A proxy said whose connection it passes on, and that one it counts for. */
static void on_proxied(struct weft_transport *transport, const struct weft_proxy_header *header)
{
    struct weft_conn *conn = conn_of(transport);
    struct weft_address source;
    if (weft__transport_proxy_source(header, &source))
        return; /* the proxy's own, or somebody on its machine */
    const struct weft_alloc *alloc = &conn->worker->server->connection_memory.alloc;
    conn->peer = weft__mem_alloc(alloc, sizeof(*conn->peer));
    if (!conn->peer) {
        weft__transport_abort(transport, WEFT_ERR_NOMEM);
        return;
    }
    *conn->peer = source;
    int err = weft__admission_proxied(conn->worker, &source, &conn->address);
    if (err)
        weft__transport_abort(transport, err);
}

bool weft__conn_peer(const struct weft_transport *transport, struct weft_address *ret_address)
{
    const struct weft_conn *conn = WEFT_CONTAINER_OF(transport, const struct weft_conn, transport);
    if (!conn->peer)
        return weft__address_of_peer(transport->tcp.fd, ret_address);
    *ret_address = *conn->peer;
    return true;
}

static void on_request(struct weft_transport *transport, const struct weft_http1_head *head)
{
    struct weft_conn *conn = conn_of(transport);
    conn->asked = true;
    weft__http_route(conn, head);
}

static void on_open(struct weft_transport *transport)
{
    static const struct weft_session_events events = {.send = session_send,
                                                      .failed = session_failed};
    static const struct weft_hub_member_ops ops = {member_send, member_send_message, member_unsent,
                                                   member_held, member_present};
    struct weft_conn *conn = conn_of(transport);
    struct weft_worker *worker = conn->worker;
    char name[WEFT_RPC_SESSION_MAX + 1];
    snprintf(name, sizeof(name), "s_%u_%llu", worker->index,
             (unsigned long long)++worker->sessions);
    const struct weft_session_options options = {
        .env = &worker->rpc,
        .is_server = true,
        .wire = conn->wire,
        .name = name,
        .events = &events,
        .events_ctx = conn,
        .user = &conn->member,
    };
    weft__session_init(&conn->session, &options);
    /* Until somebody signs in, everybody is the same principal of the default tenant. */
    enum weft_topic_variant variant =
        conn->wire->is_text ? weft__transport_topic_variant(transport) : WEFT_TOPIC_PLAIN;
    weft__hub_member_init(&conn->member, worker->hub, &ops, weft__slice(NULL, 0),
                          WEFT_SLICE_LIT("anonymous"), variant);
    conn->joined = true;
    weft__drain_joined(conn);
}

static void on_message(struct weft_transport *transport, enum weft_ws_opcode opcode,
                       struct weft_slice data)
{
    struct weft_conn *conn = conn_of(transport);
    weft__session_receive(&conn->session, opcode, data, weft__loop_now_ns(conn->worker->loop));
}

static void on_drain(struct weft_transport *transport)
{
    struct weft_conn *conn = conn_of(transport);
    if (conn->joined)
        weft__hub_member_drained(&conn->member);
}

static void on_end(struct weft_transport *transport, unsigned code, struct weft_slice reason)
{
    struct weft_conn *conn = conn_of(transport);
    (void)code;
    (void)reason;
    /* The hub first: its documents stop sending before their answers have nowhere to go. */
    weft__hub_member_done(&conn->member);
    weft__session_done(&conn->session);
    conn->joined = false;
}

static void on_closed(struct weft_transport *transport)
{
    struct weft_conn *conn = conn_of(transport);
    struct weft_worker *worker = conn->worker;
    struct weft_limits_address *address = conn->address;
    WEFT_ASSERT(!conn->joined);
    weft__list_remove(&conn->node);
    weft__mem_free(&worker->server->connection_memory.alloc, conn->peer, sizeof(*conn->peer));
    weft__mem_free(&worker->server->connection_memory.alloc, conn, sizeof(*conn));
    weft__admission_left(worker, address);
}

int weft__conn_accept(struct weft_worker *worker, int fd, struct weft_limits_address *address)
{
    static const struct weft_transport_callbacks callbacks = {
        .on_proxied = on_proxied,
        .on_request = on_request,
        .on_open = on_open,
        .on_message = on_message,
        .on_end = on_end,
        .on_closed = on_closed,
        .on_drain = on_drain,
    };
    const struct weft_alloc *alloc = &worker->server->connection_memory.alloc;
    struct weft_conn *conn = weft__mem_zalloc(alloc, sizeof(*conn));
    if (!conn)
        return WEFT_ERR_NOMEM;
    conn->worker = worker;
    conn->address = address;
    int err = weft__transport_serve(&conn->transport, &worker->transports, fd, &callbacks);
    if (err) {
        weft__mem_free(alloc, conn, sizeof(*conn));
        return err;
    }
    conn->accepted_ns = weft__loop_now_ns(worker->loop);
    weft__drain_add(conn);
    return 0;
}
