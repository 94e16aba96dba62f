/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a session sends: a connection of its own worker (conn.h), or one of another worker
 * (link.h).
 *
 *   sessions.h ── ops ──► conn ─► transport
 *              └─ ops ──► link ─► the other worker's connection
 *
 * **Thread:** that of the session's worker.
 */
#ifndef WEFT_SERVER_OUTLET_H
#define WEFT_SERVER_OUTLET_H

#include "io/address.h"
#include "rpc/peer.h"
#include "topic/topic.h"

struct weft_outlet;
struct weft_rpc_principal;
struct weft_server_session;

struct weft_outlet_ops {
    /* Sends a message in the wire's kind. */
    void (*send)(struct weft_outlet *outlet, struct weft_slice message, enum weft_rpc_lane lane);
    /* As struct weft_hub_member_ops. */
    void (*send_frames)(struct weft_outlet *outlet, struct weft_slice frames,
                        struct weft_buf *owner, size_t count);
    /* Bytes handed over and not yet sent. */
    size_t (*unsent)(const struct weft_outlet *outlet);
    /* weft__sessions_drained is awaited. */
    void (*want_drain)(struct weft_outlet *outlet);
    /* Closes the connection with |code|; WEFT_WS_CLOSE_ABNORMAL: without a word. It no longer has a
     * session then, or gets weft__sessions_lost later. */
    void (*close)(struct weft_outlet *outlet, unsigned code, const char *reason);
    /* Whose connection it is; false when nobody knows. */
    bool (*address)(const struct weft_outlet *outlet, struct weft_address *ret_address);
};

struct weft_outlet {
    const struct weft_outlet_ops *ops;
    struct weft_server_session *session; /* that it belongs to; NULL: none any more */
    const struct weft_rpc_wire *wire;
    enum weft_topic_variant variant;      /* frames that it can send */
    struct weft_rpc_principal *principal; /* who asked for the connection, one reference; or NULL */
    uint64_t expires_ns;                  /* of |principal| */
    bool assumed;                         /* |principal| is whom one without a token is let in as */
    int elsewhere; /* the worker that has the session which was asked for; -1: this one */
};

#endif
