/* SPDX-License-Identifier: Apache-2.0 */
/* Gluing a transport to the session that it serves. */
#include "server/conn.h"

#include "base/assert.h"
#include "server/http_routes.h"
#include "server/http_rpc.h"
#include "server/identity.h"
#include "server/tunnel.h"
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

static struct weft_conn *outlet_conn(const struct weft_outlet *outlet)
{
    return WEFT_CONTAINER_OF((struct weft_outlet *)outlet, struct weft_conn, outlet);
}

static void outlet_send(struct weft_outlet *outlet, struct weft_slice message,
                        enum weft_rpc_lane lane)
{
    weft__conn_send(outlet_conn(outlet), message, lane);
}

static void outlet_send_frames(struct weft_outlet *outlet, struct weft_slice frames,
                               struct weft_buf *owner, size_t count)
{
    weft__conn_send_frames(outlet_conn(outlet), frames, owner, count);
}

static size_t outlet_unsent(const struct weft_outlet *outlet)
{
    return weft__transport_unsent(&outlet_conn(outlet)->transport);
}

static void outlet_want_drain(struct weft_outlet *outlet)
{
    weft__transport_want_drain(&outlet_conn(outlet)->transport);
}

static void outlet_close(struct weft_outlet *outlet, unsigned code, const char *reason)
{
    weft__conn_close(outlet_conn(outlet), code, reason);
}

static bool outlet_address(const struct weft_outlet *outlet, struct weft_address *ret_address)
{
    return weft__conn_peer(&outlet_conn(outlet)->transport, ret_address);
}

void weft__conn_close(struct weft_conn *conn, unsigned code, const char *reason)
{
    if (code == WEFT_WS_CLOSE_ABNORMAL) {
        conn->worker->timeouts++;
        weft__transport_abort(&conn->transport, WEFT_ERR_TIMEOUT);
        return;
    }
    if (conn->tunnel)
        weft__tunnel_close(conn->tunnel, code, weft__slice_str(reason));
    else
        weft__transport_close(&conn->transport, code, weft__slice_str(reason));
}

void weft__conn_send(struct weft_conn *conn, struct weft_slice message, enum weft_rpc_lane lane)
{
    enum weft_ws_opcode opcode = weft__conn_opcode(conn);
    if (conn->tunnel)
        weft__tunnel_send(conn->tunnel, message);
    else if (lane == WEFT_RPC_LANE_DATA)
        ignore(weft__transport_send(&conn->transport, opcode, message));
    else
        ignore(weft__transport_send_control(&conn->transport, opcode, message));
}

void weft__conn_send_frames(struct weft_conn *conn, struct weft_slice frames,
                            struct weft_buf *owner, size_t count)
{
    if (conn->tunnel)
        weft__tunnel_send_frames(conn->tunnel, frames);
    else
        ignore(weft__transport_send_frames(&conn->transport, frames, owner, count));
}

enum weft_ws_opcode weft__conn_opcode(const struct weft_conn *conn)
{
    return conn->outlet.wire->is_text ? WEFT_WS_OPCODE_TEXT : WEFT_WS_OPCODE_BINARY;
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

static void on_body(struct weft_transport *transport, struct weft_slice body, int status)
{
    weft__http_rpc_body(conn_of(transport), body, status);
}

void weft__conn_join(struct weft_conn *conn, enum weft_topic_variant variant)
{
    static const struct weft_outlet_ops ops = {
        .send = outlet_send,
        .send_frames = outlet_send_frames,
        .unsent = outlet_unsent,
        .want_drain = outlet_want_drain,
        .close = outlet_close,
        .address = outlet_address,
    };
    conn->outlet.ops = &ops;
    conn->outlet.variant = variant;
    if (weft__sessions_open(conn->worker, &conn->outlet)) {
        weft__transport_abort(&conn->transport, WEFT_ERR_NOMEM);
        return;
    }
    weft__drain_joined(conn);
}

static void on_open(struct weft_transport *transport)
{
    weft__conn_join(conn_of(transport), weft__transport_topic_variant(transport));
}

/* The session asked for is another worker's, which gets the greeting and all that follows. */
static void serve_elsewhere(struct weft_conn *conn, struct weft_slice greeting)
{
    weft__identity_note(&conn->outlet, &conn->outlet.session->session.peer);
    weft__sessions_lost(&conn->outlet, WEFT_WS_CLOSE_NORMAL);
    if (weft__link_open(conn, (unsigned)conn->outlet.elsewhere, greeting))
        weft__transport_abort(&conn->transport, WEFT_ERR_NOMEM);
    else
        weft__drain_joined(conn);
}

void weft__conn_receive(struct weft_conn *conn, enum weft_ws_opcode opcode, struct weft_slice data)
{
    struct weft_server_session *before = conn->outlet.session;
    if (conn->link) {
        weft__link_receive(conn->link, opcode, data);
        return;
    }
    if (!before)
        return; /* fenced: the close is on its way */
    weft__sessions_receive(&conn->outlet, opcode, data);
    if (conn->outlet.elsewhere >= 0 && conn->outlet.session)
        serve_elsewhere(conn, data);
    else if (conn->outlet.session && conn->outlet.session != before)
        weft__drain_joined(conn);
}

static void on_message(struct weft_transport *transport, enum weft_ws_opcode opcode,
                       struct weft_slice data)
{
    weft__conn_receive(conn_of(transport), opcode, data);
}

static void on_drain(struct weft_transport *transport)
{
    struct weft_conn *conn = conn_of(transport);
    if (conn->link)
        weft__link_drained(conn->link);
    else if (conn->outlet.session)
        weft__sessions_drained(&conn->outlet);
    else if (conn->calls)
        weft__http_rpc_drained(conn);
}

static void lost(struct weft_conn *conn, unsigned code)
{
    if (conn->link)
        weft__link_lost(conn->link, code);
    conn->link = NULL;
    weft__sessions_lost(&conn->outlet, code);
}

static void on_end(struct weft_transport *transport, unsigned code, struct weft_slice reason)
{
    (void)reason;
    lost(conn_of(transport), code);
}

static void on_closed(struct weft_transport *transport)
{
    struct weft_conn *conn = conn_of(transport);
    struct weft_worker *worker = conn->worker;
    struct weft_limits_address *address = conn->address;
    if (conn->tunnel) {
        lost(conn, WEFT_WS_CLOSE_ABNORMAL);
        weft__tunnel_free(conn->tunnel);
    }
    if (conn->post)
        weft__tunnel_post_left(conn->post);
    WEFT_ASSERT(!weft__conn_joined(conn));
    weft__http_rpc_done(conn);
    weft__buf_unref(conn->origin);
    weft__identity_drop(&conn->outlet);
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
        .on_body = on_body,
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
