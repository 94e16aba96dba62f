/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection of the server: an HTTP request or two, and mostly a WebSocket that serves a session.
 *
 *   transport ─ on_request ─► http_routes.h: a page, a probe, or an upgrade ─► session
 *                         └─► http_rpc.h: a call ─► a peer of its own
 *                         └─► tunnel.h: messages without a WebSocket ─► session
 *             ─ on_message ─► sessions.h: session ─► rpc ─► hub
 *                         └─► link.h, when the session is another worker's
 *             ◄── outlet ──── session
 */
#ifndef WEFT_SERVER_CONN_H
#define WEFT_SERVER_CONN_H

#include "server/link.h"
#include "server/outlet.h"
#include "server/sessions.h"
#include "server/worker.h"

struct weft_http_calls;
struct weft_tunnel;
struct weft_tunnel_post;

struct weft_conn {
    struct weft_transport transport;
    struct weft_worker *worker;
    struct weft_outlet outlet;           /* its wire is the one that the upgrade chose */
    struct weft_link *link;              /* to a session of another worker; NULL: none */
    struct weft_limits_address *address; /* what it counts for; NULL: nothing */
    struct weft_address *peer;           /* what a PROXY header said; NULL: ask the socket */
    struct weft_http_calls *calls;       /* over plain HTTP; NULL: there was none (http_rpc.h) */
    struct weft_tunnel *tunnel;          /* its session speaks through; NULL: a WebSocket */
    struct weft_tunnel_post *post;       /* request for a tunnel, on its way; NULL: none */
    struct weft_buf *origin;             /* of the request, when its pages may call; or NULL */
    struct weft_list node;               /* of the worker's drain */
    uint64_t accepted_ns;
    uint64_t told_ns; /* that the server stops; 0: was not */
    bool asked;       /* a request came */
    bool leaving;     /* the drain has closed it */
};

/* Whether it serves a session. */
static inline bool weft__conn_joined(const struct weft_conn *conn)
{
    return conn->outlet.session || conn->link;
}

/* The kind of its messages. */
enum weft_ws_opcode weft__conn_opcode(const struct weft_conn *conn);

/* It can carry messages from now on: it gets a session, and takes frames of |variant|. */
void weft__conn_join(struct weft_conn *conn, enum weft_topic_variant variant);

/* A message came. */
void weft__conn_receive(struct weft_conn *conn, enum weft_ws_opcode opcode, struct weft_slice data);

/* Sends a message, or |count| whole frames, which |owner| keeps alive. What fails ends the
 * connection. */
void weft__conn_send(struct weft_conn *conn, struct weft_slice message, enum weft_rpc_lane lane);
void weft__conn_send_frames(struct weft_conn *conn, struct weft_slice frames,
                            struct weft_buf *owner, size_t count);

/* Closes it with |code|, without a word for WEFT_WS_CLOSE_ABNORMAL. */
void weft__conn_close(struct weft_conn *conn, unsigned code, const char *reason);

/* Takes over the accepted socket |fd| and what it counts for. **Errors:** WEFT_ERR_NOMEM, those of
 * weft__tcp_open; both stay the caller's then. **Thread:** the worker's. */
WEFT_MUST_USE int weft__conn_accept(struct weft_worker *worker, int fd,
                                    struct weft_limits_address *address);

/* Whose connection |transport|, one of a struct weft_conn, is. False when it is gone. */
bool weft__conn_peer(const struct weft_transport *transport, struct weft_address *ret_address);

#endif
