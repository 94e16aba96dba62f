/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The limits that all workers of a server share: how many connections there are, in all and from
 * each address, how fast they come, and how much memory is in use. Counting only: what follows from
 * it is in admission.h and pressure.h.
 *
 *   memory in use   0 %        80 %             90 %                100 %
 *   level           CALM       TIGHT            SCARCE              SPENT
 *                   everything no new sessions, greediest closed,   allocations for connections
 *                              no new documents new ones turned off fail, no more operations
 *   and back down when 5 % less than that is in use.
 *
 * **Thread:** any, but init and done.
 */
#ifndef WEFT_SERVER_LIMITS_H
#define WEFT_SERVER_LIMITS_H

#include "base/budget.h"
#include "base/map.h"
#include "io/address.h"

#include <pthread.h>
#include <stdatomic.h>
#include <weft/server.h>

enum {
    WEFT_LIMITS_SHARDS = 16,
    WEFT_LIMITS_MEMORY_MIN = 16 * 1024 * 1024, /* bytes: less makes no sense */
};

enum weft_memory_level {
    WEFT_MEMORY_CALM,
    WEFT_MEMORY_TIGHT,
    WEFT_MEMORY_SCARCE,
    WEFT_MEMORY_SPENT,
};

/* The connections of one IPv4 address or IPv6 /64. Private. */
struct weft_limits_address;

struct weft_limits_shard {
    pthread_mutex_t mutex;
    struct weft_map addresses;
};

/* Read |set| and |budget|; the rest is private. */
struct weft_limits {
    struct weft_server_limits set; /* as asked for, with the defaults filled in */
    bool loopback_counts;          /* max_per_address was given, so it holds for loopback too */
    struct weft_budget budget;
    const struct weft_alloc *alloc;
    atomic_uint connections;
    _Atomic uint64_t accepts_ns; /* until when the connections accepted use up their rate */
    struct weft_limits_shard shards[WEFT_LIMITS_SHARDS];
};

/*
 * Fills in the defaults for this machine and |asked|. |alloc| is thread-safe and outlives |limits|.
 * **Errors:** WEFT_ERR_USAGE (memory below WEFT_LIMITS_MEMORY_MIN).
 */
WEFT_MUST_USE int weft__limits_init(struct weft_limits *limits,
                                    const struct weft_server_limits *asked,
                                    struct weft_hash_key hash_key, const struct weft_alloc *alloc);

/* Every connection has left. Harmless for one that is all zero. */
void weft__limits_done(struct weft_limits *limits);

/* Counts one connection more, and one less. Returns how many there are now. */
unsigned weft__limits_enter(struct weft_limits *limits);
unsigned weft__limits_leave(struct weft_limits *limits);

/* Whether there are as many connections as there may be. */
bool weft__limits_full(struct weft_limits *limits);

/* Counts a connection accepted at |now_ns| against the rate; returns for how many nanoseconds no
 * more should be accepted. */
uint64_t weft__limits_accepted(struct weft_limits *limits, uint64_t now_ns);

/*
 * Counts a connection of |peer|. |ret_address| is what weft__limits_address_leave wants when it
 * ends; NULL for a peer that has no limit: a Unix socket, loopback.
 * **Errors:** WEFT_ERR_LIMIT (it has as many as it may), WEFT_ERR_NOMEM; it is not counted then.
 */
WEFT_MUST_USE int weft__limits_address_enter(struct weft_limits *limits,
                                             const struct weft_address *peer,
                                             struct weft_limits_address **ret_address);

/* The bytes that stand for |peer| there; returns their number, 0 for a peer that has no limit. */
uint8_t weft__limits_address_key(const struct weft_limits *limits, const struct weft_address *peer,
                                 uint8_t ret_bytes[8]);

/* NULL is allowed. */
void weft__limits_address_leave(struct weft_limits *limits, struct weft_limits_address *address);

/* The level of memory for one who was at |before|. */
enum weft_memory_level weft__limits_level(const struct weft_limits *limits,
                                          enum weft_memory_level before);

/* Bytes that have to become free before |level| is left. */
size_t weft__limits_excess(const struct weft_limits *limits, enum weft_memory_level level);

#endif
