/* SPDX-License-Identifier: Apache-2.0 */
/* The cache of answers by idempotency key. */
#include "rpc/idempotency.h"

#include "base/assert.h"
#include "rpc/registry.h"

enum {
    NAME_MAX_SIZE =
        3 + WEFT_RPC_IDEM_PRINCIPAL_MAX + WEFT_RPC_METHOD_NAME_MAX + WEFT_RPC_IDEM_KEY_MAX,
    EXPIRE_AT_BEGIN = 2,    /* more than one, so that what expires does not pile up */
    EXPIRE_AT_TICK = 16384, /* bounds how long a tick holds others up */
};

/* Whose calls they are: what it takes, and what of it may go. Lives while it has entries. */
struct weft_rpc_idem_principal {
    struct weft_map_node node;
    struct weft_list uses; /* its kept entries, least recently used first */
    size_t entries;
    size_t bytes;
    size_t name_len;
    uint8_t name[];
};

/* What is kept of answers that cannot be: only that there was one. Nobody counts or frees them. */
static struct weft_rpc_kept lost_result = {
    .failure = {.status = WEFT_STATUS_FAILED_PRECONDITION,
                .message = "the call was executed, its result was not kept",
                .reason = "weft.idem.answer_lost",
                .executed = WEFT_RPC_EXECUTED_YES}};
static struct weft_rpc_kept lost_error = {
    .failure = {.status = WEFT_STATUS_FAILED_PRECONDITION,
                .message = "the call failed, its error was not kept",
                .reason = "weft.idem.answer_lost",
                .executed = WEFT_RPC_EXECUTED_UNKNOWN}};

/* ---- principals ---- */

static struct weft_rpc_idem_principal *principal_get(struct weft_rpc_idem_cache *cache,
                                                     struct weft_slice name)
{
    struct weft_map_node *node = weft__map_get(&cache->principals, name);
    if (node)
        return WEFT_CONTAINER_OF(node, struct weft_rpc_idem_principal, node);
    struct weft_rpc_idem_principal *principal =
        weft__mem_zalloc(cache->alloc, sizeof(*principal) + name.len);
    if (!principal)
        return NULL;
    weft__list_init(&principal->uses);
    principal->name_len = name.len;
    weft__mem_copy(principal->name, name.ptr, name.len);
    if (weft__map_add(&cache->principals, &principal->node,
                      weft__slice(principal->name, name.len))) {
        weft__mem_free(cache->alloc, principal, sizeof(*principal) + name.len);
        return NULL;
    }
    return principal;
}

static void count_in(struct weft_rpc_idem_cache *cache, struct weft_rpc_idem_principal *principal,
                     size_t size)
{
    ++cache->stats.entries;
    ++principal->entries;
    cache->stats.bytes += size;
    principal->bytes += size;
}

/* The principal is gone with its last entry. */
static void count_out(struct weft_rpc_idem_cache *cache, struct weft_rpc_idem_principal *principal,
                      size_t size)
{
    --cache->stats.entries;
    cache->stats.bytes -= size;
    principal->bytes -= size;
    if (--principal->entries > 0)
        return;
    weft__map_remove(&cache->principals, &principal->node);
    weft__mem_free(cache->alloc, principal, sizeof(*principal) + principal->name_len);
}

/* ---- entries ---- */

/* Takes |entry|, running or kept, out of everything and frees it. */
static void drop(struct weft_rpc_idem_cache *cache, struct weft_rpc_idem_entry *entry)
{
    WEFT_ASSERT(weft__list_empty(&entry->waiters) && weft__list_empty(&entry->turn));
    weft__list_remove(&entry->use);
    weft__list_remove(&entry->own_use);
    weft__list_remove(&entry->age);
    weft__map_remove(&cache->entries, &entry->node);
    count_out(cache, entry->principal, entry->size);
    weft__rpc_kept_unref(entry->answer);
    weft__mem_free(cache->alloc, entry, sizeof(*entry) + entry->key_len);
}

static bool own_room(const struct weft_rpc_idem_cache *cache,
                     const struct weft_rpc_idem_principal *principal)
{
    return principal->entries <= cache->limits.principal_entries &&
           principal->bytes <= cache->limits.principal_bytes;
}

static bool all_room(const struct weft_rpc_idem_cache *cache)
{
    return cache->stats.entries <= cache->limits.entries &&
           cache->stats.bytes <= cache->limits.bytes;
}

/* Evicts until what was counted in fits; false when only what runs is left. |principal| has
 * something that is not evicted in here, so it stays. */
static bool make_room(struct weft_rpc_idem_cache *cache, struct weft_rpc_idem_principal *principal)
{
    for (;;) {
        struct weft_rpc_idem_entry *entry;
        bool own = !own_room(cache, principal);
        if (!own && all_room(cache))
            return true;
        if (weft__list_empty(own ? &principal->uses : &cache->uses))
            return false;
        entry = own ? WEFT_CONTAINER_OF(principal->uses.next, struct weft_rpc_idem_entry, own_use)
                    : WEFT_CONTAINER_OF(cache->uses.next, struct weft_rpc_idem_entry, use);
        ++cache->stats.evicted;
        drop(cache, entry);
    }
}

static void expire(struct weft_rpc_idem_cache *cache, uint64_t now_ns, unsigned most)
{
    while (most-- > 0 && !weft__list_empty(&cache->ages)) {
        struct weft_rpc_idem_entry *entry =
            WEFT_CONTAINER_OF(cache->ages.next, struct weft_rpc_idem_entry, age);
        if (entry->expires_ns > now_ns)
            return;
        ++cache->stats.expired;
        drop(cache, entry);
    }
}

static void append(uint8_t **at, struct weft_slice part)
{
    weft__mem_copy(*at, part.ptr, part.len);
    *at += part.len;
}

/* Appends what makes two calls the same: lengths first, so that parts cannot be mistaken. */
static struct weft_slice name_of(const struct weft_rpc_idem_call *call, uint8_t room[NAME_MAX_SIZE])
{
    uint8_t *at = room;
    WEFT_ASSERT(call->principal.len <= WEFT_RPC_IDEM_PRINCIPAL_MAX &&
                call->method.len <= WEFT_RPC_METHOD_NAME_MAX &&
                call->key.len <= WEFT_RPC_IDEM_KEY_MAX);
    *at++ = (uint8_t)(call->principal.len >> 8);
    *at++ = (uint8_t)call->principal.len;
    *at++ = (uint8_t)call->method.len;
    append(&at, call->principal);
    append(&at, call->method);
    append(&at, call->key);
    return weft__slice(room, (size_t)(at - room));
}

static struct weft_rpc_idem_entry *new_entry(struct weft_rpc_idem_cache *cache,
                                             const struct weft_rpc_idem_call *call,
                                             struct weft_slice name)
{
    struct weft_rpc_idem_entry *entry = weft__mem_zalloc(cache->alloc, sizeof(*entry) + name.len);
    if (!entry)
        return NULL;
    weft__list_init(&entry->use);
    weft__list_init(&entry->own_use);
    weft__list_init(&entry->age);
    weft__list_init(&entry->waiters);
    weft__list_init(&entry->turn);
    entry->owner = call->owner;
    entry->params_hash = weft__hash(&cache->params_key, call->params);
    entry->params_len = call->params.len;
    entry->size = sizeof(*entry) + name.len;
    entry->key_len = name.len;
    memcpy(entry->key, name.ptr, name.len);
    if (weft__map_add(&cache->entries, &entry->node, weft__slice(entry->key, name.len))) {
        weft__mem_free(cache->alloc, entry, sizeof(*entry) + name.len);
        return NULL;
    }
    return entry;
}

/* A running entry, for which room was made; NULL when there is none, or no memory. */
static struct weft_rpc_idem_entry *add(struct weft_rpc_idem_cache *cache,
                                       const struct weft_rpc_idem_call *call,
                                       struct weft_slice name)
{
    struct weft_rpc_idem_principal *principal = principal_get(cache, call->principal);
    if (!principal)
        return NULL;
    size_t size = sizeof(struct weft_rpc_idem_entry) + name.len;
    count_in(cache, principal, size);
    struct weft_rpc_idem_entry *entry =
        make_room(cache, principal) ? new_entry(cache, call, name) : NULL;
    if (!entry) {
        count_out(cache, principal, size);
        return NULL;
    }
    entry->principal = principal;
    ++cache->stats.running;
    return entry;
}

/* ---- the cache ---- */

void weft__rpc_idem_init(struct weft_rpc_idem_cache *cache, const struct weft_alloc *alloc,
                         struct weft_hash_key hash_key, const struct weft_rpc_idem_limits *limits)
{
    *cache =
        (struct weft_rpc_idem_cache){.alloc = alloc, .params_key = hash_key, .limits = *limits};
    weft__map_init(&cache->entries, alloc, hash_key);
    weft__map_init(&cache->principals, alloc, hash_key);
    weft__list_init(&cache->uses);
    weft__list_init(&cache->ages);
}

void weft__rpc_idem_done(struct weft_rpc_idem_cache *cache)
{
    while (!weft__list_empty(&cache->ages))
        drop(cache, WEFT_CONTAINER_OF(cache->ages.next, struct weft_rpc_idem_entry, age));
    WEFT_ASSERT(cache->stats.running == 0 && cache->entries.count == 0 &&
                cache->principals.count == 0);
    weft__map_done(&cache->entries);
    weft__map_done(&cache->principals);
}

bool weft__rpc_idem_key_valid(struct weft_slice key)
{
    if (key.len == 0 || key.len > WEFT_RPC_IDEM_KEY_MAX)
        return false;
    for (size_t i = 0; i < key.len; ++i) {
        if (key.ptr[i] <= ' ' || key.ptr[i] > '~')
            return false;
    }
    return true;
}

static void note_use(struct weft_rpc_idem_cache *cache, struct weft_rpc_idem_entry *entry)
{
    weft__list_remove(&entry->use);
    weft__list_remove(&entry->own_use);
    weft__list_push(&cache->uses, &entry->use);
    weft__list_push(&entry->principal->uses, &entry->own_use);
}

static enum weft_rpc_idem_verdict again(struct weft_rpc_idem_cache *cache,
                                        struct weft_rpc_idem_entry *entry,
                                        const struct weft_rpc_idem_call *call,
                                        struct weft_rpc_idem_found *ret_found)
{
    if (entry->params_len != call->params.len ||
        entry->params_hash != weft__hash(&cache->params_key, call->params)) {
        ++cache->stats.mismatches;
        return WEFT_RPC_IDEM_MISMATCH;
    }
    if (entry->answer) {
        ++cache->stats.hits;
        note_use(cache, entry);
        ret_found->answer = weft__rpc_kept_ref(entry->answer);
        return WEFT_RPC_IDEM_STORED;
    }
    bool own = entry->owner == call->owner;
    ++*(own ? &cache->stats.joined : &cache->stats.busy);
    ret_found->entry = own ? entry : NULL;
    return WEFT_RPC_IDEM_RUNNING;
}

enum weft_rpc_idem_verdict weft__rpc_idem_begin(struct weft_rpc_idem_cache *cache,
                                                const struct weft_rpc_idem_call *call,
                                                uint64_t now_ns,
                                                struct weft_rpc_idem_found *ret_found)
{
    uint8_t room[NAME_MAX_SIZE];
    struct weft_slice name = name_of(call, room);
    *ret_found = (struct weft_rpc_idem_found){NULL, NULL};
    expire(cache, now_ns, EXPIRE_AT_BEGIN);
    struct weft_map_node *node = weft__map_get(&cache->entries, name);
    if (node) {
        struct weft_rpc_idem_entry *entry =
            WEFT_CONTAINER_OF(node, struct weft_rpc_idem_entry, node);
        if (!entry->answer || entry->expires_ns > now_ns)
            return again(cache, entry, call, ret_found);
        ++cache->stats.expired;
        drop(cache, entry);
    }
    ret_found->entry = add(cache, call, name);
    if (ret_found->entry)
        return WEFT_RPC_IDEM_RUN;
    ++cache->stats.full;
    return WEFT_RPC_IDEM_FULL;
}

/* |entry| counts for |more| bytes more. False, and it does not, when there is no room. */
static bool grow(struct weft_rpc_idem_cache *cache, struct weft_rpc_idem_entry *entry, size_t more)
{
    /* One answer may not drive out all others. */
    if (more > cache->limits.principal_bytes / 8 || more > cache->limits.bytes / 8)
        return false;
    cache->stats.bytes += more;
    entry->principal->bytes += more;
    if (make_room(cache, entry->principal)) {
        entry->size += more;
        return true;
    }
    cache->stats.bytes -= more;
    entry->principal->bytes -= more;
    return false;
}

void weft__rpc_idem_finish(struct weft_rpc_idem_cache *cache, struct weft_rpc_idem_entry *entry,
                           struct weft_rpc_kept *answer, bool is_result, uint64_t now_ns)
{
    WEFT_ASSERT(!entry->answer && weft__list_empty(&entry->waiters));
    if (!answer || !grow(cache, entry, answer->size)) {
        weft__rpc_kept_unref(answer);
        answer = is_result ? &lost_result : &lost_error;
        ++cache->stats.lost;
    }
    entry->answer = answer;
    entry->owner = NULL;
    if (WEFT_ADD_OVERFLOW(now_ns, cache->limits.ttl_ns, &entry->expires_ns))
        entry->expires_ns = UINT64_MAX;
    ++cache->stats.stored;
    --cache->stats.running;
    weft__list_push(&cache->ages, &entry->age);
    note_use(cache, entry);
}

void weft__rpc_idem_forget(struct weft_rpc_idem_cache *cache, struct weft_rpc_idem_entry *entry)
{
    WEFT_ASSERT(!entry->answer);
    ++cache->stats.forgotten;
    --cache->stats.running;
    drop(cache, entry);
}

void weft__rpc_idem_tick(struct weft_rpc_idem_cache *cache, uint64_t now_ns)
{
    expire(cache, now_ns, EXPIRE_AT_TICK);
}
