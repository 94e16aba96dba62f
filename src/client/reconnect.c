/* SPDX-License-Identifier: Apache-2.0 */
/* Backoff and circuit breakers. */
#include "client/reconnect.h"

#include "base/assert.h"
#include "base/compiler.h"
#include "base/timer.h"

/* |base| doubled |times| times, at most |max|. */
static uint32_t doubled(uint32_t base, unsigned times, uint32_t max)
{
    uint64_t value = base;
    for (unsigned i = 0; i < times && value < max; i++)
        value *= 2;
    return value < max ? (uint32_t)value : max;
}

void weft__reconnect_init(struct weft_reconnect *reconnect, int count, uint32_t min_ms,
                          uint32_t max_ms)
{
    WEFT_ASSERT(count > 0 && count <= WEFT_RECONNECT_ADDRESSES_MAX);
    WEFT_ASSERT(min_ms > 0 && min_ms <= max_ms);
    *reconnect = (struct weft_reconnect){.min_ms = min_ms, .max_ms = max_ms, .count = count};
}

void weft__reconnect_opened(struct weft_reconnect *reconnect, int index, uint64_t now_ns)
{
    reconnect->opened_ns = now_ns;
    reconnect->health[index].failures = 0;
    reconnect->health[index].until_ns = 0;
    reconnect->next = index;
}

void weft__reconnect_lost(struct weft_reconnect *reconnect, uint64_t now_ns)
{
    if (now_ns - reconnect->opened_ns >= WEFT_RECONNECT_STEADY_MS * WEFT_NS_PER_MS)
        reconnect->attempts = 0;
}

void weft__reconnect_failed(struct weft_reconnect *reconnect, int index, uint64_t now_ns)
{
    unsigned failures = ++reconnect->health[index].failures;
    if (failures >= WEFT_RECONNECT_FAILURES) {
        uint32_t first = WEFT_RECONNECT_PAUSE_MS < reconnect->max_ms ? WEFT_RECONNECT_PAUSE_MS
                                                                     : reconnect->max_ms;
        uint32_t pause_ms = doubled(first, failures - WEFT_RECONNECT_FAILURES, reconnect->max_ms);
        reconnect->health[index].until_ns = now_ns + pause_ms * WEFT_NS_PER_MS;
    }
    reconnect->next = (index + 1) % reconnect->count;
}

uint32_t weft__reconnect_delay_ms(struct weft_reconnect *reconnect, uint32_t random)
{
    uint32_t most = doubled(reconnect->min_ms, reconnect->attempts, reconnect->max_ms);
    if (reconnect->attempts < 32)
        reconnect->attempts++;
    return (uint32_t)((uint64_t)random * ((uint64_t)most + 1) >> 32);
}

int weft__reconnect_choose(struct weft_reconnect *reconnect, uint64_t now_ns,
                           uint64_t *ret_until_ns)
{
    uint64_t first_ns = UINT64_MAX;
    for (int i = 0; i < reconnect->count; i++) {
        int index = (reconnect->next + i) % reconnect->count;
        uint64_t until_ns = reconnect->health[index].until_ns;
        if (until_ns <= now_ns)
            return index;
        first_ns = until_ns < first_ns ? until_ns : first_ns;
    }
    *ret_until_ns = first_ns;
    return -1;
}
