/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sessions of a worker, with their connections and without: what a cut connection leaves
 * behind waits for its client, for a while and up to limits (docs/protocol/sessions.md).
 *
 *   open ─► a fresh session ─ greeting without "resume" ─► lives as long as its connection
 *                           ─ greeting asks for a session ─► in the table
 *                           ─ greeting resumes another one ─► that one gets the connection, the
 *                             fresh one is over; its old connection is closed with 4001
 *                           ─ … of another worker ─► outlet->elsewhere (link.h)
 *
 *   lost ─► waits:  resume_ms, at most so many of an address or a principal, as long as there is
 *          memory ─► over
 *
 * A session that waits is not a member of documents: its client opens them again, which tells it
 * what it missed.
 *
 * **Thread:** the worker's.
 */
#ifndef WEFT_SERVER_SESSIONS_H
#define WEFT_SERVER_SESSIONS_H

#include "base/list.h"
#include "base/map.h"
#include "hub/hub.h"
#include "rpc/resume_token.h"
#include "server/outlet.h"
#include "server/waiting.h"
#include "session/session.h"

struct weft_worker;

enum { WEFT_CLOSE_FENCED = 4001 };

struct weft_server_session {
    struct weft_worker *worker;
    struct weft_outlet *outlet; /* NULL while it waits */
    struct weft_session session;
    struct weft_hub_member member;
    uint64_t number;
    uint8_t number_key[8];
    struct weft_map_node node;             /* of the table */
    bool listed;                           /* in the table */
    struct weft_server_session *successor; /* takes over the connection when a message is done */
    struct weft_timer timer;               /* ends the waiting */
    struct weft_list waiting;              /* oldest first */
    struct weft_waiting_place places[WEFT_WAITING_KINDS];
    struct weft_address peer; /* of the newest connection that asked for a session */
    bool peer_known;
};

struct weft_sessions {
    struct weft_map table; /* those that can be resumed, by number */
    struct weft_waiting groups;
    struct weft_list waiting;
    size_t waiting_count;
    char token[WEFT_RPC_RESUME_TOKEN_LEN + 1]; /* of the answer being written */
    uint64_t last;                             /* number given */
    uint64_t refused;                          /* greetings that wanted a session which was over */
    uint64_t expired;                          /* waited in vain, or had to go */
};

void weft__sessions_init(struct weft_worker *worker);

/* Every connection is gone; sessions that wait end. */
void weft__sessions_done(struct weft_worker *worker);

/* A session for a new connection. **Errors:** WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__sessions_open(struct weft_worker *worker, struct weft_outlet *outlet);

/* A message came. Afterwards outlet->session may be another one, and outlet->elsewhere may say that
 * the whole message, and all that follow, are for another worker. */
void weft__sessions_receive(struct weft_outlet *outlet, enum weft_ws_opcode opcode,
                            struct weft_slice data);

/* As weft__hub_member_drained. */
void weft__sessions_drained(struct weft_outlet *outlet);

/* The connection is over, with |code|. Harmless when it has no session. */
void weft__sessions_lost(struct weft_outlet *outlet, unsigned code);

/* Ends those that wait, oldest first, until |bytes| were freed. Returns how many bytes were. */
size_t weft__sessions_shed(struct weft_worker *worker, size_t bytes);

#endif
