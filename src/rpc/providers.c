/* SPDX-License-Identifier: Apache-2.0 */
/* The table of provided names. */
#include "rpc/providers.h"

#include "base/assert.h"

/* That a provider serves a name. */
struct offer {
    struct weft_list by_name;
    struct weft_list by_provider;
    struct weft_rpc_provided *name;
    struct weft_rpc_provider *provider;
    bool idempotent;
};

static struct weft_slice id_key(const struct weft_rpc_provider *provider)
{
    return weft__slice(&provider->id, sizeof(provider->id));
}

/* ---- names ---- */

struct weft_rpc_provided *weft__rpc_provided_find(const struct weft_rpc_providers *table,
                                                  struct weft_slice name)
{
    struct weft_map_node *node = weft__map_get(&table->names, name);
    return node ? WEFT_CONTAINER_OF(node, struct weft_rpc_provided, node) : NULL;
}

void weft__rpc_provided_each(const struct weft_rpc_providers *table,
                             void (*fn)(const struct weft_rpc_method *method, void *arg), void *arg)
{
    for (struct weft_map_node *node = weft__map_first(&table->names); node;
         node = weft__map_next(&table->names, node)) {
        const struct weft_rpc_provided *name =
            WEFT_CONTAINER_OF(node, struct weft_rpc_provided, node);
        if (weft__rpc_provided_is_offered(name))
            fn(&name->method, arg);
    }
}

static int add_name(struct weft_rpc_providers *table, struct weft_slice text,
                    struct weft_rpc_provided **ret_name)
{
    WEFT_ASSERT(text.len > 0 && text.len <= WEFT_RPC_METHOD_NAME_MAX);
    struct weft_rpc_provided *name = weft__mem_zalloc(table->alloc, sizeof(*name));
    if (!name)
        return WEFT_ERR_NOMEM;
    memcpy(name->name, text.ptr, text.len);
    weft__list_init(&name->offers);
    name->method = table->method;
    name->method.name = name->name;
    name->method.ctx = name;
    name->method.index = UINT32_MAX;
    int err = weft__map_add(&table->names, &name->node, weft__slice(name->name, text.len));
    if (err) {
        weft__mem_free(table->alloc, name, sizeof(*name));
        return err;
    }
    *ret_name = name;
    return 0;
}

/* Frees |name| unless somebody offers it or holds it. */
static void free_unused(struct weft_rpc_providers *table, struct weft_rpc_provided *name)
{
    if (name->offer_count > 0 || name->holders > 0)
        return;
    weft__map_remove(&table->names, &name->node);
    weft__mem_free(table->alloc, name, sizeof(*name));
}

struct weft_rpc_provided *weft__rpc_provided_hold(struct weft_rpc_providers *table,
                                                  struct weft_slice text, bool expected)
{
    struct weft_rpc_provided *name = weft__rpc_provided_find(table, text);
    if (!expected && !(name && weft__rpc_provided_is_offered(name)))
        return NULL;
    if (!name && add_name(table, text, &name))
        return NULL;
    ++name->holders;
    return name;
}

void weft__rpc_provided_release(struct weft_rpc_providers *table, struct weft_rpc_provided *name)
{
    WEFT_ASSERT(name->holders > 0);
    --name->holders;
    free_unused(table, name);
}

/* ---- offers ---- */

/* Goes through the shorter one of both lists: hardly any name has many providers. */
static struct offer *find_offer(const struct weft_rpc_provider *provider,
                                const struct weft_rpc_provided *name)
{
    if (name->offer_count < provider->offer_count) {
        WEFT_LIST_EACH (link, &name->offers) {
            struct offer *offer = WEFT_CONTAINER_OF(link, struct offer, by_name);
            if (offer->provider == provider)
                return offer;
        }
        return NULL;
    }
    WEFT_LIST_EACH (link, &provider->offers) {
        struct offer *offer = WEFT_CONTAINER_OF(link, struct offer, by_provider);
        if (offer->name == name)
            return offer;
    }
    return NULL;
}

static void drop_offer(struct weft_rpc_providers *table, struct offer *offer)
{
    struct weft_rpc_provided *name = offer->name;
    weft__list_remove(&offer->by_name);
    weft__list_remove(&offer->by_provider);
    --offer->provider->offer_count;
    if (--name->offer_count == 0)
        --table->stats.names;
    weft__mem_free(table->alloc, offer, sizeof(*offer));
    free_unused(table, name);
}

static int add_offer(struct weft_rpc_providers *table, struct weft_rpc_provider *provider,
                     struct weft_rpc_provided *name, bool idempotent)
{
    bool fresh = name->offer_count == 0;
    if (name->offer_count >= WEFT_RPC_PROVIDERS_MAX ||
        (fresh && table->stats.names >= WEFT_RPC_PROVIDED_NAMES_MAX))
        return WEFT_ERR_LIMIT;
    struct offer *offer = weft__mem_alloc(table->alloc, sizeof(*offer));
    if (!offer)
        return WEFT_ERR_NOMEM;
    *offer = (struct offer){.name = name, .provider = provider, .idempotent = idempotent};
    weft__list_push_front(&name->offers, &offer->by_name); /* who is new is next */
    weft__list_push(&provider->offers, &offer->by_provider);
    ++name->offer_count;
    ++provider->offer_count;
    table->stats.names += fresh;
    return 0;
}

int weft__rpc_provider_offer(struct weft_rpc_providers *table, struct weft_rpc_provider *provider,
                             struct weft_slice text, bool idempotent)
{
    struct weft_rpc_provided *name = weft__rpc_provided_find(table, text);
    struct offer *offer = name ? find_offer(provider, name) : NULL;
    if (offer) {
        offer->idempotent = idempotent;
        return 0;
    }
    if (provider->offer_count >= table->offers_max)
        return WEFT_ERR_DENIED;
    int err = name ? 0 : add_name(table, text, &name);
    if (err)
        return err;
    err = add_offer(table, provider, name, idempotent);
    if (err)
        free_unused(table, name);
    return err;
}

bool weft__rpc_provider_offers(const struct weft_rpc_providers *table,
                               const struct weft_rpc_provider *provider, struct weft_slice text)
{
    const struct weft_rpc_provided *name = weft__rpc_provided_find(table, text);
    return name && find_offer(provider, name);
}

bool weft__rpc_provider_withdraw(struct weft_rpc_providers *table,
                                 struct weft_rpc_provider *provider, struct weft_slice text)
{
    struct weft_rpc_provided *name = weft__rpc_provided_find(table, text);
    struct offer *offer = name ? find_offer(provider, name) : NULL;
    if (offer)
        drop_offer(table, offer);
    return offer != NULL;
}

void weft__rpc_provider_withdraw_all(struct weft_rpc_providers *table,
                                     struct weft_rpc_provider *provider)
{
    while (!weft__list_empty(&provider->offers))
        drop_offer(table, WEFT_CONTAINER_OF(provider->offers.next, struct offer, by_provider));
}

/* ---- providers ---- */

int weft__rpc_provider_add(struct weft_rpc_providers *table, uint64_t id, unsigned worker,
                           struct weft_rpc_provider **ret_provider)
{
    struct weft_rpc_provider *provider = weft__mem_alloc(table->alloc, sizeof(*provider));
    if (!provider)
        return WEFT_ERR_NOMEM;
    *provider = (struct weft_rpc_provider){
        .id = id, .worker = worker, .capacity = WEFT_RPC_PROVIDER_CAPACITY};
    weft__list_init(&provider->offers);
    int err = weft__map_add(&table->providers, &provider->node, id_key(provider));
    WEFT_ASSERT(err != WEFT_ERR_EXISTS);
    if (err) {
        weft__mem_free(table->alloc, provider, sizeof(*provider));
        return err;
    }
    ++table->stats.providers;
    *ret_provider = provider;
    return 0;
}

struct weft_rpc_provider *weft__rpc_provider_find(const struct weft_rpc_providers *table,
                                                  uint64_t id)
{
    struct weft_map_node *node = weft__map_get(&table->providers, weft__slice(&id, sizeof(id)));
    return node ? WEFT_CONTAINER_OF(node, struct weft_rpc_provider, node) : NULL;
}

void weft__rpc_provider_remove(struct weft_rpc_providers *table, struct weft_rpc_provider *provider)
{
    if (!provider)
        return;
    weft__rpc_provider_withdraw_all(table, provider);
    table->stats.outstanding -= provider->outstanding;
    --table->stats.providers;
    weft__map_remove(&table->providers, &provider->node);
    weft__mem_free(table->alloc, provider, sizeof(*provider));
}

void weft__rpc_provider_set_away(struct weft_rpc_provider *provider, bool away)
{
    provider->away = away;
}

void weft__rpc_provider_release(struct weft_rpc_providers *table, uint64_t id)
{
    struct weft_rpc_provider *provider = weft__rpc_provider_find(table, id);
    if (!provider)
        return;
    WEFT_ASSERT(provider->outstanding > 0);
    --provider->outstanding;
    --table->stats.outstanding;
}

/* ---- choosing ---- */

int weft__rpc_provided_pick(struct weft_rpc_providers *table, struct weft_rpc_provided *name,
                            struct weft_rpc_pick *ret_pick)
{
    struct offer *best = NULL;
    bool busy = false;
    WEFT_LIST_EACH (link, &name->offers) {
        struct offer *offer = WEFT_CONTAINER_OF(link, struct offer, by_name);
        const struct weft_rpc_provider *provider = offer->provider;
        if (provider->away)
            continue;
        if (provider->outstanding >= provider->capacity)
            busy = true;
        else if (!best || provider->outstanding < best->provider->outstanding)
            best = offer;
    }
    if (!best)
        return busy ? WEFT_ERR_BUSY : WEFT_ERR_NOT_FOUND;
    /* Behind all others: among equals the first in the list is chosen. */
    weft__list_remove(&best->by_name);
    weft__list_push(&name->offers, &best->by_name);
    ++best->provider->outstanding;
    ++name->forwarded;
    ++table->stats.outstanding;
    ++table->stats.forwarded;
    *ret_pick = (struct weft_rpc_pick){.provider = best->provider->id,
                                       .worker = best->provider->worker,
                                       .idempotent = best->idempotent};
    return 0;
}

bool weft__rpc_provided_has_room(const struct weft_rpc_provided *name)
{
    WEFT_LIST_EACH (link, &name->offers) {
        const struct weft_rpc_provider *provider =
            WEFT_CONTAINER_OF(link, struct offer, by_name)->provider;
        if (!provider->away && provider->outstanding < provider->capacity)
            return true;
    }
    return false;
}

bool weft__rpc_attempt_may_fail_over(const struct weft_rpc_attempt *attempt)
{
    bool harmless =
        attempt->executed == WEFT_RPC_EXECUTED_NO || attempt->idempotent || attempt->has_key;
    return harmless && attempt->failovers < WEFT_RPC_FAILOVERS_MAX;
}

/* ---- the table ---- */

void weft__rpc_providers_init(struct weft_rpc_providers *table, const struct weft_alloc *alloc,
                              struct weft_hash_key hash_key, const struct weft_rpc_method *method)
{
    *table = (struct weft_rpc_providers){
        .alloc = alloc, .method = *method, .offers_max = WEFT_RPC_PROVIDER_OFFERS};
    weft__map_init(&table->names, alloc, hash_key);
    weft__map_init(&table->providers, alloc, hash_key);
}

void weft__rpc_providers_done(struct weft_rpc_providers *table)
{
    for (struct weft_map_node *node; (node = weft__map_first(&table->providers)) != NULL;)
        weft__rpc_provider_remove(table, WEFT_CONTAINER_OF(node, struct weft_rpc_provider, node));
    WEFT_ASSERT(table->names.count == 0);
    weft__map_done(&table->providers);
    weft__map_done(&table->names);
}
