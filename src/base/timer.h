/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hierarchical timer wheel (Varghese and Lauck, "Hashed and hierarchical timing wheels", 1987):
 * starting and cancelling are O(1) whatever the number of timers. Resolution is one millisecond; a
 * timer fires at its time or up to one tick later, never before. Four levels of 64 slots reach
 * 4.6 hours; what lies further waits in the last level and is sorted in again.
 *
 * Time is an argument: the wheel reads no clock. **Thread:** one at a time.
 */
#ifndef WEFT_BASE_TIMER_H
#define WEFT_BASE_TIMER_H

#include "base/list.h"

#include <stdint.h>

enum { WEFT_TIMER_LEVELS = 4, WEFT_TIMER_SLOTS = 64 };

#define WEFT_NS_PER_MS 1000000ull
#define WEFT_NS_PER_S 1000000000ull

struct weft_timer;

/* Called when |timer| is due; it is stopped then and may be started again, or freed. */
typedef void weft_timer_fn(struct weft_timer *timer);

/* Embedded in the object that waits. */
struct weft_timer {
    struct weft_list node; /* in a slot, or in no list when stopped */
    uint64_t due_ms;
    weft_timer_fn *fn;
};

struct weft_timer_wheel {
    uint64_t now_ms;                  /* all ticks up to here have fired */
    size_t count;                     /* timers running */
    uint64_t used[WEFT_TIMER_LEVELS]; /* a bit for each slot that may hold timers */
    struct weft_list slots[WEFT_TIMER_LEVELS][WEFT_TIMER_SLOTS];
};

/* An empty wheel standing at |now_ns| (monotonic, nanoseconds). */
void weft__timer_wheel_init(struct weft_timer_wheel *wheel, uint64_t now_ns);

/* A stopped timer that will call |fn|. */
void weft__timer_init(struct weft_timer *timer, weft_timer_fn *fn);

/* Starts |timer|, or moves it when it runs, to fire once |due_ns| is past. */
void weft__timer_start(struct weft_timer_wheel *wheel, struct weft_timer *timer, uint64_t due_ns);

/* Stops |timer|; harmless when it is stopped. */
void weft__timer_stop(struct weft_timer_wheel *wheel, struct weft_timer *timer);

static inline bool weft__timer_running(const struct weft_timer *timer)
{
    return !weft__list_empty(&timer->node);
}

/* Fires, in order of their ticks, all timers due at |now_ns|. Callbacks may start, stop and free
 * any timer. */
void weft__timer_wheel_advance(struct weft_timer_wheel *wheel, uint64_t now_ns);

/* A time in nanoseconds at which weft__timer_wheel_advance should next be called: never later than
 * the first timer's. UINT64_MAX when no timer runs. */
uint64_t weft__timer_wheel_next_ns(const struct weft_timer_wheel *wheel);

#endif
