/* SPDX-License-Identifier: Apache-2.0 */
/* Defaults, and counting what all workers share. */
#include "server/limits.h"

#include "base/assert.h"
#include "base/timer.h"
#include "hub/hub.h"
#include "server/machine.h"
#include "transport/transport.h"

#include <limits.h>

enum {
    PER_ADDRESS = 1000,
    DESCRIPTORS_SPARE = 64, /* for the store, the loops and libraries */
    CONNECTIONS_MIN = 16,
    BURST_MS = 100, /* of the accept rate may come at once */
};

/* A share of the budget at which a level begins, and below which it is left; in percent. */
static const struct {
    unsigned enter;
    unsigned leave;
} LEVELS[] = {
    [WEFT_MEMORY_CALM] = {0, 0},
    [WEFT_MEMORY_TIGHT] = {80, 75},
    [WEFT_MEMORY_SCARCE] = {90, 85},
    [WEFT_MEMORY_SPENT] = {100, 95},
};

struct weft_limits_address {
    struct weft_map_node node;
    struct weft_limits_shard *shard;
    unsigned count;
    uint8_t len;
    uint8_t bytes[8];
};

/* ---- Defaults ---- */

static unsigned or_default(unsigned value, unsigned otherwise)
{
    return value ? value : otherwise;
}

static unsigned default_connections(void)
{
    unsigned all = weft__machine_descriptors();
    if (all == UINT_MAX)
        return UINT_MAX;
    unsigned tenth = WEFT_MAX(all / 10, (unsigned)DESCRIPTORS_SPARE);
    return all > tenth + CONNECTIONS_MIN ? all - tenth : CONNECTIONS_MIN;
}

static void fill_defaults(struct weft_server_limits *set)
{
    set->max_message = set->max_message ? set->max_message : WEFT_WS_MAX_MESSAGE_DEFAULT;
    set->max_fragments = or_default(set->max_fragments, WEFT_WS_MAX_FRAGMENTS_DEFAULT);
    set->max_control = or_default(set->max_control, WEFT_TRANSPORT_MAX_CONTROL);
    set->handshake_ms = or_default(set->handshake_ms, WEFT_TRANSPORT_HANDSHAKE_MS);
    set->ping_ms = or_default(set->ping_ms, WEFT_TRANSPORT_PING_MS);
    set->pings_missed = or_default(set->pings_missed, WEFT_TRANSPORT_PINGS_MISSED);
    set->stall_ms = or_default(set->stall_ms, WEFT_TRANSPORT_STALL_MS);
    set->message_ms = or_default(set->message_ms, WEFT_TRANSPORT_MESSAGE_MS);
    set->max_unsent = set->max_unsent ? set->max_unsent : WEFT_HUB_MAX_UNSENT;
    set->max_connections = or_default(set->max_connections, default_connections());
    set->max_per_address = or_default(set->max_per_address, PER_ADDRESS);
    set->max_accepts = or_default(set->max_accepts, UINT_MAX);
    set->memory = set->memory ? set->memory : weft__machine_memory("") / 2;
}

int weft__limits_init(struct weft_limits *limits, const struct weft_server_limits *asked,
                      struct weft_hash_key hash_key, const struct weft_alloc *alloc)
{
    if (asked->memory && asked->memory < WEFT_LIMITS_MEMORY_MIN)
        return WEFT_ERR_USAGE;
    limits->set = *asked;
    limits->loopback_counts = asked->max_per_address != 0;
    limits->alloc = alloc;
    fill_defaults(&limits->set);
    weft__budget_init(&limits->budget, limits->set.memory);
    atomic_init(&limits->connections, 0);
    atomic_init(&limits->accepts_ns, 0);
    for (unsigned i = 0; i < WEFT_LIMITS_SHARDS; i++) {
        pthread_mutex_init(&limits->shards[i].mutex, NULL);
        weft__map_init(&limits->shards[i].addresses, alloc, hash_key);
    }
    return 0;
}

void weft__limits_done(struct weft_limits *limits)
{
    if (!limits->alloc)
        return;
    WEFT_ASSERT(atomic_load(&limits->connections) == 0);
    for (unsigned i = 0; i < WEFT_LIMITS_SHARDS; i++) {
        WEFT_ASSERT(limits->shards[i].addresses.count == 0);
        weft__map_done(&limits->shards[i].addresses);
        pthread_mutex_destroy(&limits->shards[i].mutex);
    }
}

/* ---- Connections in all ---- */

unsigned weft__limits_enter(struct weft_limits *limits)
{
    return atomic_fetch_add_explicit(&limits->connections, 1, memory_order_relaxed) + 1;
}

unsigned weft__limits_leave(struct weft_limits *limits)
{
    unsigned before = atomic_fetch_sub_explicit(&limits->connections, 1, memory_order_relaxed);
    WEFT_ASSERT(before > 0);
    return before - 1;
}

bool weft__limits_full(struct weft_limits *limits)
{
    return atomic_load_explicit(&limits->connections, memory_order_relaxed) >=
           limits->set.max_connections;
}

uint64_t weft__limits_accepted(struct weft_limits *limits, uint64_t now_ns)
{
    if (limits->set.max_accepts == UINT_MAX)
        return 0;
    uint64_t step = WEFT_NS_PER_S / limits->set.max_accepts;
    uint64_t burst = WEFT_MAX(BURST_MS * WEFT_NS_PER_MS, step);
    uint64_t before = atomic_load_explicit(&limits->accepts_ns, memory_order_relaxed);
    uint64_t after;
    do {
        after = WEFT_MAX(before, now_ns) + step;
    } while (!atomic_compare_exchange_weak_explicit(&limits->accepts_ns, &before, after,
                                                    memory_order_relaxed, memory_order_relaxed));
    /* The next one would be too many when the bucket has no room for another step. */
    return after - now_ns + step > burst ? after - now_ns + step - burst : 0;
}

/* ---- Connections of an address ---- */

/* The bytes that count as one peer: an IPv4 address, also inside IPv6, or an IPv6 /64, which is
 * what one subscriber gets. Returns their number; 0: no limit. */
uint8_t weft__limits_address_key(const struct weft_limits *limits, const struct weft_address *peer,
                                 uint8_t ret_bytes[8])
{
    if (limits->set.max_per_address == UINT_MAX ||
        (!limits->loopback_counts && weft__address_is_loopback(peer)))
        return 0;
    if (peer->u.any.sa_family == AF_INET) {
        memcpy(ret_bytes, &peer->u.v4.sin_addr, 4);
        return 4;
    }
    if (peer->u.any.sa_family != AF_INET6)
        return 0;
    const uint8_t *bytes = peer->u.v6.sin6_addr.s6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&peer->u.v6.sin6_addr)) {
        memcpy(ret_bytes, bytes + 12, 4);
        return 4;
    }
    memcpy(ret_bytes, bytes, 8);
    return 8;
}

/* The counted address, made when it is new; NULL when out of memory. The shard is locked. */
static struct weft_limits_address *
address_get(struct weft_limits *limits, struct weft_limits_shard *shard, struct weft_slice key)
{
    struct weft_map_node *node = weft__map_get(&shard->addresses, key);
    if (node)
        return WEFT_CONTAINER_OF(node, struct weft_limits_address, node);
    struct weft_limits_address *address = weft__mem_zalloc(limits->alloc, sizeof(*address));
    if (!address)
        return NULL;
    address->shard = shard;
    address->len = (uint8_t)key.len;
    memcpy(address->bytes, key.ptr, key.len);
    if (weft__map_add(&shard->addresses, &address->node,
                      weft__slice(address->bytes, address->len))) {
        weft__mem_free(limits->alloc, address, sizeof(*address));
        return NULL;
    }
    return address;
}

int weft__limits_address_enter(struct weft_limits *limits, const struct weft_address *peer,
                               struct weft_limits_address **ret_address)
{
    uint8_t bytes[8];
    struct weft_slice key = weft__slice(bytes, weft__limits_address_key(limits, peer, bytes));
    if (!key.len) {
        *ret_address = NULL;
        return 0;
    }
    uint64_t hash = weft__hash(&limits->shards[0].addresses.hash_key, key);
    struct weft_limits_shard *shard = &limits->shards[(hash >> 32) % WEFT_LIMITS_SHARDS];
    int err = 0;
    pthread_mutex_lock(&shard->mutex);
    struct weft_limits_address *address = address_get(limits, shard, key);
    if (!address)
        err = WEFT_ERR_NOMEM;
    else if (address->count >= limits->set.max_per_address)
        err = WEFT_ERR_LIMIT;
    else
        address->count++;
    pthread_mutex_unlock(&shard->mutex);
    if (!err)
        *ret_address = address;
    return err;
}

void weft__limits_address_leave(struct weft_limits *limits, struct weft_limits_address *address)
{
    if (!address)
        return;
    struct weft_limits_shard *shard = address->shard;
    pthread_mutex_lock(&shard->mutex);
    WEFT_ASSERT(address->count > 0);
    bool last = --address->count == 0;
    if (last)
        weft__map_remove(&shard->addresses, &address->node);
    pthread_mutex_unlock(&shard->mutex);
    if (last)
        weft__mem_free(limits->alloc, address, sizeof(*address));
}

/* ---- Memory ---- */

static size_t percent(size_t bytes, unsigned share)
{
    return bytes / 100 * share;
}

enum weft_memory_level weft__limits_level(const struct weft_limits *limits,
                                          enum weft_memory_level before)
{
    size_t total = weft__budget_total(&limits->budget);
    size_t limit = limits->budget.limit;
    enum weft_memory_level level = WEFT_MEMORY_SPENT;
    while (level > WEFT_MEMORY_CALM &&
           total < percent(limit, level <= before ? LEVELS[level].leave : LEVELS[level].enter))
        level--;
    return level;
}

size_t weft__limits_excess(const struct weft_limits *limits, enum weft_memory_level level)
{
    size_t total = weft__budget_total(&limits->budget);
    size_t goal = percent(limits->budget.limit, LEVELS[level].leave);
    return total > goal ? total - goal : 0;
}
