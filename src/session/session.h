/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One peer's session: joins the messages of a WebSocket to the RPC peer behind them, chooses the
 * wire, and watches whether the other side is alive, without I/O.
 *
 *   transport ── message ──► session ─► rpc peer ─► handlers
 *             ◄── events.send ─────────────┘
 *
 * The wires are subprotocols (docs/protocol/README.md, "Transport"): "weft.v1.json", "weft.v1.pb",
 * and without any plain JSON-RPC 2.0 for clients that know nothing of weft.
 *
 * *Watching*: as long as a peer has presence somewhere, both sides send `$/ping` every 5 s. Nothing
 * heard for 10 s means that the connection is cut without a word, and the owner ends it.
 *
 * **Thread:** that of the environment.
 */
#ifndef WEFT_SESSION_SESSION_H
#define WEFT_SESSION_SESSION_H

#include "rpc/peer.h"
#include "ws/frame.h"

/* The subprotocols, best first; NULL-terminated. */
extern const char *const weft__session_protocols[];

/* The wire that |protocol|, the subprotocol chosen or an empty slice, stands for. */
const struct weft_rpc_wire *weft__session_wire(struct weft_slice protocol);

enum {
    WEFT_SESSION_PING_MS = 5000,  /* between two pings of a watched peer */
    WEFT_SESSION_DEAD_MS = 10000, /* silence after which it is given up */
};

struct weft_session_events {
    /* As in struct weft_rpc_peer_events. */
    void (*send)(void *ctx, struct weft_slice message, enum weft_rpc_lane lane);
    /* The connection should be closed with |code|, but not in here: a message of a kind the wire
     * does not have (1003), a violation of the protocol (1008), no memory (1011), a peer that is
     * silent (1006: without a word). */
    void (*failed)(void *ctx, unsigned code, const char *reason);
    /* Each as in struct weft_rpc_peer_events, and may be NULL. */
    void (*identified)(void *ctx);
    void (*expired)(void *ctx);
    void (*expiring)(void *ctx, uint64_t in_ms);
    void (*goaway)(void *ctx, const struct weft_rpc_goaway *goaway);
    void (*resume)(void *ctx, const struct weft_rpc_session_request *request,
                   struct weft_rpc_welcome *welcome);
    void (*resume_failed)(void *ctx, struct weft_slice reason);
};

struct weft_session {
    struct weft_rpc_peer peer;
    const struct weft_session_events *events;
    void *events_ctx;
    struct weft_timer timer;
    uint64_t heard_ns; /* when the last message came */
    uint64_t ping_ns;  /* when the next `$/ping` is due, while watched */
    bool watched;
};

struct weft_session_options {
    struct weft_rpc_env *env; /* outlives the session */
    bool is_server;
    const struct weft_rpc_wire *wire; /* NULL: JSON-RPC 2.0 */
    const char *name;                 /* server: of the session, told in the greeting; copied */
    const struct weft_session_events *events;
    void *events_ctx;
    void *user;          /* for handlers: weft__rpc_call_user */
    size_t replay_bytes; /* client: as in struct weft_rpc_peer_options */
};

void weft__session_init(struct weft_session *session, const struct weft_session_options *options);

/* The connection is gone for good. Not inside a callback of the session. */
void weft__session_done(struct weft_session *session);

/* The connection is gone and another one may follow; only for a peer with a session
 * (rpc/session.h). Not inside a callback of the session. */
void weft__session_detach(struct weft_session *session);

/* Server: another connection has taken its place, and its greeting was answered. */
void weft__session_attach(struct weft_session *session, uint64_t now_ns);

/* Takes one message. |now_ns| is the monotonic time. */
void weft__session_receive(struct weft_session *session, enum weft_ws_opcode opcode,
                           struct weft_slice data, uint64_t now_ns);

/* Sends a notification that was encoded once for many, as text: as it is, or in the session's own
 * wire. */
void weft__session_forward(struct weft_session *session, struct weft_slice text);

/* Starts or ends watching. A peer that did not greet knows no `$/ping` and is not watched: its
 * transport's pings have to do. */
void weft__session_watch(struct weft_session *session, bool watch, uint64_t now_ns);

#endif
