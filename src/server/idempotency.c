/* SPDX-License-Identifier: Apache-2.0 */
/* The server's cache of answers: its lock, its settings, its numbers. */
#include "server/idempotency.h"

#include "base/timer.h"
#include "server/metrics.h"

#include <limits.h>

enum {
    PRINCIPAL_SHARE = 4, /* one principal gets a quarter by default */
    MEMORY_SHARE = 8,    /* and all of them no more than an eighth of the server's memory */
};

static void enter(void *ctx)
{
    pthread_mutex_lock(ctx);
}

static void leave(void *ctx)
{
    pthread_mutex_unlock(ctx);
}

/* A principal may have as large a part of the bytes as of the entries. */
static struct weft_rpc_idem_limits limits_of(const struct weft_server_rpc *asked, size_t memory)
{
    struct weft_rpc_idem_limits limits = WEFT_RPC_IDEM_LIMITS_DEFAULT;
    limits.bytes = WEFT_MIN(limits.bytes, memory / MEMORY_SHARE);
    if (asked->idem_entries)
        limits.entries = asked->idem_entries;
    if (asked->idem_bytes)
        limits.bytes = asked->idem_bytes;
    if (asked->idem_ms)
        limits.ttl_ns = asked->idem_ms == UINT_MAX ? UINT64_MAX : asked->idem_ms * WEFT_NS_PER_MS;
    limits.principal_entries = asked->idem_per_principal
                                   ? WEFT_MIN(asked->idem_per_principal, limits.entries)
                                   : WEFT_MAX(limits.entries / PRINCIPAL_SHARE, 1u);
    double part = (double)limits.principal_entries / (double)limits.entries;
    limits.principal_bytes = part < 1 ? (size_t)((double)limits.bytes * part) : limits.bytes;
    return limits;
}

void weft__idempotency_init(struct weft_idempotency *idem, const struct weft_alloc *alloc,
                            struct weft_hash_key hash_key, const struct weft_server_rpc *asked,
                            size_t memory)
{
    const struct weft_rpc_idem_limits limits = limits_of(asked, memory);
    pthread_mutex_init(&idem->mutex, NULL);
    idem->guard = (struct weft_rpc_idem_guard){.enter = enter, .leave = leave, .ctx = &idem->mutex};
    weft__rpc_idem_init(&idem->cache, alloc, hash_key, &limits);
    idem->made = true;
}

void weft__idempotency_done(struct weft_idempotency *idem)
{
    if (!idem->made)
        return;
    weft__rpc_idem_done(&idem->cache);
    pthread_mutex_destroy(&idem->mutex);
}

void weft__idempotency_tick(struct weft_idempotency *idem, uint64_t now_ns)
{
    pthread_mutex_lock(&idem->mutex);
    weft__rpc_idem_tick(&idem->cache, now_ns);
    pthread_mutex_unlock(&idem->mutex);
}

void weft__idempotency_write(struct weft_bytes *out, struct weft_idempotency *idem)
{
    pthread_mutex_lock(&idem->mutex);
    const struct weft_rpc_idem_stats stats = idem->cache.stats;
    pthread_mutex_unlock(&idem->mutex);
    const struct {
        const char *name;
        const char *type;
        const char *help;
        uint64_t value;
    } numbers[] = {
        {"weft_idem_hits_total", "counter", "Repeats answered from memory", stats.hits},
        {"weft_idem_stored_total", "counter", "Answers kept", stats.stored},
        {"weft_idem_forgotten_total", "counter", "Calls that left no answer to keep",
         stats.forgotten},
        {"weft_idem_joined_total", "counter", "Repeats that waited for the running call",
         stats.joined},
        {"weft_idem_in_progress_total", "counter", "Repeats refused while the call ran elsewhere",
         stats.busy},
        {"weft_idem_mismatches_total", "counter", "Keys used again with other parameters",
         stats.mismatches},
        {"weft_idem_evicted_total", "counter", "Answers that made room before their time",
         stats.evicted},
        {"weft_idem_expired_total", "counter", "Answers kept to the end", stats.expired},
        {"weft_idem_full_total", "counter", "Calls refused for want of room", stats.full},
        {"weft_idem_lost_total", "counter", "Answers too large to be kept", stats.lost},
        {"weft_idem_entries", "gauge", "Keys known, running calls included", stats.entries},
        {"weft_idem_running", "gauge", "Calls with a key that run", stats.running},
        {"weft_idem_bytes", "gauge", "Memory of keys and answers", stats.bytes},
    };
    for (size_t i = 0; i < WEFT_ARRAY_LEN(numbers); i++)
        weft__metrics_write_one(out, numbers[i].name, numbers[i].type, numbers[i].help,
                                numbers[i].value);
}
