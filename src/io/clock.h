/* SPDX-License-Identifier: Apache-2.0 */
/* The two clocks of the system, as functions and as port/clock.h. Deadlines, leases and order use
 * the monotonic one; wall time is for people. **Thread:** any. */
#ifndef WEFT_IO_CLOCK_H
#define WEFT_IO_CLOCK_H

#include "port/clock.h"

#include <stdint.h>

/* Monotonic nanoseconds, read now; within a loop's callbacks weft__loop_now_ns is cheaper. */
uint64_t weft__clock_now_ns(void);

/* Milliseconds since 1970-01-01 UTC. */
uint64_t weft__clock_now_wall_ms(void);

/* Both as an interface. **Lifetime:** static. */
const struct weft_clock *weft__clock_system(void);

#endif
