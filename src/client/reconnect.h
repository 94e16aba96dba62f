/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When to connect again, and to which address, without I/O.
 *
 *   lost ─► delay ─► choose ─► dial ─┬─► opened
 *                      ▲             └─► failed ─► delay ─┐
 *                      └─────────────────────────────────┘
 *
 * *Delay*: exponential backoff with full jitter (M. Brooker, "Exponential Backoff And Jitter", AWS
 * Architecture Blog, 2015): a random time up to min, 2 min, 4 min … max. The first one is random,
 * too, so that those who lost the same server do not come back in one moment. Only a connection
 * that has lasted WEFT_RECONNECT_STEADY_MS begins anew at min.
 *
 * *Circuit breaker* of each address (M. Nygard, "Release It!", 2007): after
 * WEFT_RECONNECT_FAILURES failures in a row it is left alone for a while that doubles each time, up
 * to max; then one attempt decides. Of those that are not left alone, the one that worked last goes
 * first, then each in its turn.
 *
 * **Thread:** one at a time.
 */
#ifndef WEFT_CLIENT_RECONNECT_H
#define WEFT_CLIENT_RECONNECT_H

#include <stdint.h>

enum {
    WEFT_RECONNECT_ADDRESSES_MAX = 32,
    WEFT_RECONNECT_FAILURES = 3,
    WEFT_RECONNECT_PAUSE_MS = 1000, /* the first time an address is left alone */
    WEFT_RECONNECT_STEADY_MS = 5000,
};

/* Fields are private. */
struct weft_reconnect {
    uint32_t min_ms;
    uint32_t max_ms;
    int count;
    int next;          /* address to try next */
    unsigned attempts; /* since a steady connection */
    uint64_t opened_ns;
    struct {
        unsigned failures; /* in a row */
        uint64_t until_ns; /* it is left alone */
    } health[WEFT_RECONNECT_ADDRESSES_MAX];
};

/* |count| addresses, from 1 to WEFT_RECONNECT_ADDRESSES_MAX; 0 < |min_ms| ≤ |max_ms|. */
void weft__reconnect_init(struct weft_reconnect *reconnect, int count, uint32_t min_ms,
                          uint32_t max_ms);

/* The connection to address |index| was greeted. */
void weft__reconnect_opened(struct weft_reconnect *reconnect, int index, uint64_t now_ns);

/* A connection that was open is over. */
void weft__reconnect_lost(struct weft_reconnect *reconnect, uint64_t now_ns);

/* Address |index| could not be connected to. */
void weft__reconnect_failed(struct weft_reconnect *reconnect, int index, uint64_t now_ns);

/* Milliseconds to wait before the next attempt; |random| is any random number. */
uint32_t weft__reconnect_delay_ms(struct weft_reconnect *reconnect, uint32_t random);

/* The address to try now; -1 when all are left alone until |*ret_until_ns|. */
int weft__reconnect_choose(struct weft_reconnect *reconnect, uint64_t now_ns,
                           uint64_t *ret_until_ns);

#endif
