/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection of one worker that serves a session of another: a client that comes back is accepted
 * by any worker, and its session, with the calls that run, stays where it is.
 *
 *   worker with the connection                        worker with the session
 *   conn ─ weft__link_open ────────────► OPEN ──────► an outlet and a fresh session, which gets the
 *        ─ weft__link_receive ─────────► MESSAGE ───► greeting once more
 *        ◄─ weft__transport_send ◄────── MESSAGE ◄─── outlet
 *        ◄─ weft__transport_close ◄───── CLOSE ◄───── outlet
 *        ─ weft__link_lost ────────────► LOST ──────► the session is lost, the outlet freed
 *   freed ◄───────────────────────────── GONE ◄────── the last word
 *
 * Messages are copied, and travel in the mesh between the workers. What one side has under way to
 * the other is bounded: the connection of a client that sends faster than its session takes is
 * closed with 1013.
 *
 * **Thread:** that of the connection's worker, but for weft__link_tick.
 */
#ifndef WEFT_SERVER_LINK_H
#define WEFT_SERVER_LINK_H

#include "ws/frame.h"

#include <weft/err.h>

struct weft_conn;
struct weft_link;
struct weft_worker;
struct weft_rpc_goaway;

/* Hands |conn|, whose message |greeting| asks for a session of worker |to|, over to it.
 * **Errors:** WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__link_open(struct weft_conn *conn, unsigned to, struct weft_slice greeting);

/* A message came. |opcode| is one of data. */
void weft__link_receive(struct weft_link *link, enum weft_ws_opcode opcode, struct weft_slice data);

/* As weft__sessions_drained. */
void weft__link_drained(struct weft_link *link);

/* The connection is over, with |code|. |link| frees itself. */
void weft__link_lost(struct weft_link *link, unsigned code);

/* The session is to be told that the server stops. */
void weft__link_goaway(struct weft_link *link, const struct weft_rpc_goaway *goaway);

/* Calls of the session that run, as of the last tick of its worker. */
size_t weft__link_in_flight(const struct weft_link *link);

/* Called at the end of every tick by the worker of sessions: publishes how many calls run. */
void weft__link_tick(struct weft_worker *worker);

#endif
