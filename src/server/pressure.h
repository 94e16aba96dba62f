/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker does when the server's memory runs short (the levels are in limits.h), long before
 * the machine's does: unused memory is given back, then connections that hold much and have not
 * moved for a while are ended, then whoever holds most.
 *
 * **Thread:** the worker's.
 */
#ifndef WEFT_SERVER_PRESSURE_H
#define WEFT_SERVER_PRESSURE_H

#include "base/timer.h"

struct weft_worker;

struct weft_pressure {
    struct weft_timer timer; /* runs while memory is not calm */
    size_t peak;             /* worker 0: most bytes in use since freed memory was returned */
    size_t last;             /* and bytes in use a second ago */
    uint64_t returned_ns;    /* and when that was */
    uint64_t refused;        /* worker 0: what is known of refused allocations */
};

void weft__pressure_init(struct weft_worker *worker);

/* Called at the end of every tick: notices a change of level. */
void weft__pressure_look(struct weft_worker *worker);

/* Called about once a second. */
void weft__pressure_tick(struct weft_worker *worker);

void weft__pressure_done(struct weft_worker *worker);

#endif
