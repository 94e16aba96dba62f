/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time as an interface, for the modules that may not read a clock themselves. Deadlines, leases and
 * ordering use the monotonic time; wall time is only for people and tokens.
 */
#ifndef WEFT_PORT_CLOCK_H
#define WEFT_PORT_CLOCK_H

#include <stdint.h>

struct weft_clock {
    uint64_t (*monotonic_ns)(
        void *ctx);                 /* nanoseconds since an arbitrary moment; never goes back */
    uint64_t (*wall_ms)(void *ctx); /* milliseconds since 1970-01-01 UTC */
    void *ctx;
};

static inline uint64_t weft__clock_monotonic_ns(const struct weft_clock *clock)
{
    return clock->monotonic_ns(clock->ctx);
}

static inline uint64_t weft__clock_wall_ms(const struct weft_clock *clock)
{
    return clock->wall_ms(clock->ctx);
}

#endif
