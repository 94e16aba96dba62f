/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is let in at a worker's listener, and when it listens at all:
 *
 *   as many connections as there may be, or too fast   the listener pauses: others wait in the
 *                                                      backlog, and unfinished handshakes make room
 *   too many of one address                            429 and the end
 *   not through a trusted proxy, where      a reset
 *   the PROXY protocol is required
 *   memory is scarce                                   503 and the end (http_routes.c refuses
 *                                                      upgrades earlier than that)
 *
 * **Thread:** the worker's.
 */
#ifndef WEFT_SERVER_ADMISSION_H
#define WEFT_SERVER_ADMISSION_H

#include "base/timer.h"
#include "io/address.h"

#include <weft/err.h>

struct weft_worker;
struct weft_limits_address;

struct weft_admission {
    struct weft_timer timer; /* runs while the listener is paused */
    uint64_t pauses;         /* times it was */
    uint64_t waits;          /* what is known of the loop's accept_waits */
    uint64_t late_ns;        /* no connection is accepted before this, for the rate */
};

void weft__admission_init(struct weft_worker *worker);

/* How the listener should be opened: enum weft_listener_flag. */
unsigned weft__admission_listener(const struct weft_worker *worker);

/* A connection from |peer| was accepted as |fd|, which is taken over in any case. */
void weft__admission_accept(struct weft_worker *worker, int fd, const struct weft_address *peer);

/* A trusted proxy says that a connection which was let in is |source|'s. |ret_address| is what it
 * counts for now. **Errors:** WEFT_ERR_LIMIT, WEFT_ERR_NOMEM: it has to end. */
WEFT_MUST_USE int weft__admission_proxied(struct weft_worker *worker,
                                          const struct weft_address *source,
                                          struct weft_limits_address **ret_address);

/* A connection that was let in is gone. |address| may be NULL. */
void weft__admission_left(struct weft_worker *worker, struct weft_limits_address *address);

/* Called about once a second: looks whether descriptors ran short. */
void weft__admission_tick(struct weft_worker *worker);

/* The listener is about to be closed: it is not resumed any more. */
void weft__admission_done(struct weft_worker *worker);

#endif
