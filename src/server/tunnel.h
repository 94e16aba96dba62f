/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A WebSocket's messages over plain HTTP, for clients whose network lets no WebSocket through
 * (docs/protocol/http.md, section 5). What it carries is the text wire, sessions and all.
 *
 *   GET /sse ─► weft__tunnel_open ─► an answer without end: an event for each message
 *   POST /sse ─► weft__tunnel_post ─► mesh ─► the worker that has the answer ─► its session
 *            ◄── 204 ◄─────────────── mesh ◄─┘
 *
 * A tunnel is named by a secret that only its client is told. Requests carry numbers, so that one
 * which a browser or proxy repeats is taken once.
 *
 * **Thread:** the connection's worker.
 */
#ifndef WEFT_SERVER_TUNNEL_H
#define WEFT_SERVER_TUNNEL_H

#include "codec/http1.h"
#include "server/conn.h"

enum { WEFT_TUNNEL_NAME_MAX = 40 };

/* Where the body of a request goes. */
struct weft_tunnel_target {
    char name[WEFT_TUNNEL_NAME_MAX + 1];
    uint64_t sequence; /* of the request; from 1 */
};

/* What is wrong with a request for messages. */
enum weft_tunnel_fault {
    WEFT_TUNNEL_FINE,
    WEFT_TUNNEL_UNKNOWN, /* no such tunnel, any more */
    WEFT_TUNNEL_AHEAD,   /* a request before it is missing */
};

void weft__tunnels_init(struct weft_worker *worker);
void weft__tunnels_done(struct weft_worker *worker);

/* Answers the request of |conn| with the events of a new tunnel. **Errors:** WEFT_ERR_NOMEM;
 * nothing was answered then. */
WEFT_MUST_USE int weft__tunnel_open(struct weft_conn *conn);

/* Reads the headers of a request for messages. False when one is missing or malformed. */
bool weft__tunnel_read_target(const struct weft_http1_head *head,
                              struct weft_tunnel_target *ret_target);

/*
 * Has the messages in |body|, one a line, taken by the tunnel that |target| names, on whatever
 * worker. |done| is called with |conn| later, unless that is over by then. **Errors:**
 * WEFT_ERR_NOT_FOUND (no tunnel has such a name), WEFT_ERR_NOMEM.
 */
WEFT_MUST_USE int weft__tunnel_post(struct weft_conn *conn, const struct weft_tunnel_target *target,
                                    struct weft_slice body,
                                    void (*done)(struct weft_conn *conn,
                                                 enum weft_tunnel_fault fault));

/* The connection of a request for messages is over; |post| is not answered any more. */
void weft__tunnel_post_left(struct weft_tunnel_post *post);

/* Sends a message, or whole frames of the kind WEFT_TOPIC_PLAIN. */
void weft__tunnel_send(struct weft_tunnel *tunnel, struct weft_slice message);
void weft__tunnel_send_frames(struct weft_tunnel *tunnel, struct weft_slice frames);

/* Says why, and ends the answer. */
void weft__tunnel_close(struct weft_tunnel *tunnel, unsigned code, struct weft_slice reason);

/* The connection is gone, and the tunnel with it. */
void weft__tunnel_free(struct weft_tunnel *tunnel);

#endif
