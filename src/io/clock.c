/* SPDX-License-Identifier: Apache-2.0 */
/* The system's clocks. */
#include "io/clock.h"

#include "base/assert.h"

#include <time.h>

static uint64_t read_ns(clockid_t id)
{
    struct timespec ts;
    int result = clock_gettime(id, &ts);
    WEFT_ASSERT(result == 0);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t weft__clock_now_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

uint64_t weft__clock_now_wall_ms(void)
{
    return read_ns(CLOCK_REALTIME) / 1000000u;
}

static uint64_t monotonic_ns(void *ctx)
{
    (void)ctx;
    return weft__clock_now_ns();
}

static uint64_t wall_ms(void *ctx)
{
    (void)ctx;
    return weft__clock_now_wall_ms();
}

const struct weft_clock *weft__clock_system(void)
{
    static const struct weft_clock system = {.monotonic_ns = monotonic_ns, .wall_ms = wall_ms};
    return &system;
}
