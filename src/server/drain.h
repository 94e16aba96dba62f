/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a worker's connections end when the server stops.
 *
 *   weft__drain_begin ─► each session is told (`$/goaway`) and starts no more calls
 *                     ─► has nothing under way, or the grace is over ─► closed with 1001
 *                     ─► calm: no session is open and nobody is still asking for one
 *
 * Both happen in steps, so that a hundred thousand peers do not get, and send, everything in one
 * moment, and each peer is asked to come back after another while: the hints of one worker divide
 * the time there is evenly.
 *
 * A connection that came just before the end, whose request is still on the way, is served as any
 * other and then told: the socket may live on in another process, so nobody should be refused.
 *
 * **Thread:** the worker's.
 */
#ifndef WEFT_SERVER_DRAIN_H
#define WEFT_SERVER_DRAIN_H

#include "base/list.h"
#include "base/timer.h"

struct weft_conn;
struct weft_worker;

struct weft_drain {
    struct weft_list conns; /* every connection, but while draining those that were told */
    struct weft_list told;
    struct weft_timer timer; /* of the next step */
    uint64_t end_ns;         /* of the grace */
    uint32_t grace_ms;
    uint32_t reconnect_ms;
    size_t total; /* connections at the beginning */
    size_t hints; /* given so far */
    size_t batch; /* connections told in one step */
    bool begun;
    uint64_t goaways; /* sent */
    uint64_t cut_off; /* calls that took longer than the grace */
};

void weft__drain_init(struct weft_worker *worker);
void weft__drain_done(struct weft_worker *worker);

/* Begins. worker->calm tells when it is done; nothing waits longer than the server's drain_ms. */
void weft__drain_begin(struct weft_worker *worker);

/* |conn| was accepted; it is forgotten with weft__list_remove(&conn->node). */
void weft__drain_add(struct weft_conn *conn);

/* |conn| has a session now: is it told at once? */
void weft__drain_joined(struct weft_conn *conn);

#endif
