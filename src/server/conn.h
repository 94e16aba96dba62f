/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection of the server: an HTTP request or two, and mostly a WebSocket with a session that is
 * a member of the hub.
 *
 *   transport ─ on_request ─► http_routes.h: a page, a probe, or an upgrade ─► session + member
 *             ─ on_message ─► session ─► rpc ─► hub ─► member ops ─► transport
 */
#ifndef WEFT_SERVER_CONN_H
#define WEFT_SERVER_CONN_H

#include "server/worker.h"
#include "session/session.h"

struct weft_conn {
    struct weft_transport transport;
    struct weft_worker *worker;
    const struct weft_rpc_wire *wire; /* that the upgrade chose */
    struct weft_session session;
    struct weft_hub_member member;
    struct weft_limits_address *address; /* what it counts for; NULL: nothing */
    struct weft_address *peer;           /* what a PROXY header said; NULL: ask the socket */
    struct weft_list node;               /* of the worker's drain */
    uint64_t accepted_ns;
    uint64_t told_ns; /* that the server stops; 0: was not */
    bool joined;      /* session and member exist */
    bool asked;       /* a request came */
    bool leaving;     /* the drain has closed it */
};

/* Takes over the accepted socket |fd| and what it counts for. **Errors:** WEFT_ERR_NOMEM, those of
 * weft__tcp_open; both stay the caller's then. **Thread:** the worker's. */
WEFT_MUST_USE int weft__conn_accept(struct weft_worker *worker, int fd,
                                    struct weft_limits_address *address);

/* Whose connection |transport|, one of a struct weft_conn, is. False when it is gone. */
bool weft__conn_peer(const struct weft_transport *transport, struct weft_address *ret_address);

#endif
