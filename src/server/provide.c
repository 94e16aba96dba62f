/* SPDX-License-Identifier: Apache-2.0 */
/* `rpc.provide`, `rpc.unprovide`, and finding what was provided. */
#include "server/provide.h"

#include "base/assert.h"
#include "rpc/binary.h"
#include "rpc/jsonrpc.h"
#include "server/forward.h"
#include "server/worker.h"

#include <stdio.h>

enum {
    METHODS_MAX = 64, /* in one call */
    CAPACITY_MAX = 1000000,
    /* Time for a session to come back before its provider's calls go elsewhere; a client that is
     * well makes its first tries in it. */
    AWAY_MS = 1000,
    FIELD_SIZE = 64,
};

static struct weft_provide *provide_of(const struct weft_provide_worker *own)
{
    return &own->worker->server->provide;
}

/* ---- what may be provided ---- */

static bool is_any(const char *prefix)
{
    return strcmp(prefix, "*") == 0;
}

static bool begins_with(struct weft_slice name, const char *prefix)
{
    size_t len = strlen(prefix);
    return name.len > len && memcmp(name.ptr, prefix, len) == 0;
}

static bool is_permitted(const struct weft_provide *provide, struct weft_slice name)
{
    for (const char *const *prefix = provide->prefixes; prefix && *prefix; prefix++)
        if (is_any(*prefix) || begins_with(name, *prefix))
            return true;
    return false;
}

/* Nobody may provide it now, but somebody is expected to: whoever calls may come again. */
static bool is_expected(const struct weft_provide *provide, struct weft_slice name)
{
    for (const char *const *prefix = provide->prefixes; prefix && *prefix; prefix++)
        if (!is_any(*prefix) && begins_with(name, *prefix))
            return true;
    return false;
}

static void serve_expected(struct weft_rpc_call *call, void *ctx)
{
    (void)ctx;
    weft__rpc_call_fail(call,
                        &(struct weft_rpc_failure){.status = WEFT_STATUS_UNAVAILABLE,
                                                   .reason = "weft.provide.nobody",
                                                   .message = "nobody provides this method now",
                                                   .executed = WEFT_RPC_EXECUTED_NO});
}

/* Stands for a name that is expected when there is no memory for one. */
static const struct weft_rpc_method expected_method = {
    .name = "expected", .handler = serve_expected, .index = UINT32_MAX};

static const struct weft_rpc_method *find(void *ctx, struct weft_slice name)
{
    struct weft_provide *provide = ctx;
    if (!weft__rpc_name_is_valid(name))
        return NULL;
    bool expected = is_expected(provide, name);
    pthread_mutex_lock(&provide->mutex);
    const struct weft_rpc_provided *provided =
        weft__rpc_provided_hold(&provide->table, name, expected);
    pthread_mutex_unlock(&provide->mutex);
    if (provided)
        return &provided->method;
    return expected ? &expected_method : NULL;
}

static void release(void *ctx, const struct weft_rpc_method *method)
{
    struct weft_provide *provide = ctx;
    if (method == &expected_method)
        return;
    pthread_mutex_lock(&provide->mutex);
    weft__rpc_provided_release(&provide->table, method->ctx);
    pthread_mutex_unlock(&provide->mutex);
}

static void each(void *ctx, void (*fn)(const struct weft_rpc_method *method, void *arg), void *arg)
{
    struct weft_provide *provide = ctx;
    pthread_mutex_lock(&provide->mutex);
    weft__rpc_provided_each(&provide->table, fn, arg);
    pthread_mutex_unlock(&provide->mutex);
}

/* ---- links ---- */

static struct weft_provide_link *link_of(struct weft_rpc_peer_watch *watch)
{
    return WEFT_CONTAINER_OF(watch, struct weft_provide_link, watch);
}

static void link_free(struct weft_provide_link *link)
{
    struct weft_provide_worker *own = link->owner;
    struct weft_provide *provide = provide_of(own);
    pthread_mutex_lock(&provide->mutex);
    weft__rpc_provider_remove(&provide->table, weft__rpc_provider_find(&provide->table, link->id));
    pthread_mutex_unlock(&provide->mutex);
    weft__map_remove(&own->links, &link->node);
    weft__loop_timer_stop(own->worker->loop, &link->away);
    weft__list_remove(&link->watch.link);
    weft__mem_free(own->worker->server->alloc, link, sizeof(*link));
}

static void peer_ended(struct weft_rpc_peer_watch *watch)
{
    link_free(link_of(watch));
}

static void peer_linked(struct weft_rpc_peer_watch *watch, bool linked)
{
    struct weft_provide_link *link = link_of(watch);
    struct weft_provide *provide = provide_of(link->owner);
    pthread_mutex_lock(&provide->mutex);
    weft__rpc_provider_set_away(weft__rpc_provider_find(&provide->table, link->id), !linked);
    pthread_mutex_unlock(&provide->mutex);
    if (linked)
        weft__loop_timer_stop(link->owner->worker->loop, &link->away);
    else
        weft__loop_timer_start(link->owner->worker->loop, &link->away, AWAY_MS);
}

static void away_for_long(struct weft_timer *timer)
{
    struct weft_provide_link *link = WEFT_CONTAINER_OF(timer, struct weft_provide_link, away);
    if (weft__forward_move(link) > 0)
        weft__loop_timer_start(link->owner->worker->loop, timer, AWAY_MS);
}

static struct weft_provide_link *find_link(const struct weft_rpc_peer *peer)
{
    WEFT_LIST_EACH (node, &peer->watches) {
        struct weft_rpc_peer_watch *watch =
            WEFT_CONTAINER_OF(node, struct weft_rpc_peer_watch, link);
        if (watch->ended == peer_ended)
            return link_of(watch);
    }
    return NULL;
}

/* The link to |peer|, made when there is none; NULL when out of memory. */
static struct weft_provide_link *get_link(struct weft_provide_worker *own,
                                          struct weft_rpc_peer *peer)
{
    const struct weft_alloc *alloc = own->worker->server->alloc;
    struct weft_provide *provide = provide_of(own);
    struct weft_rpc_provider *provider;
    struct weft_provide_link *link = find_link(peer);
    if (link)
        return link;
    link = weft__mem_zalloc(alloc, sizeof(*link));
    if (!link)
        return NULL;
    link->owner = own;
    link->peer = peer;
    link->id = weft__mesh_next_id(own->worker->port);
    link->watch.ended = peer_ended;
    link->watch.linked = peer_linked;
    weft__timer_init(&link->away, away_for_long);
    if (weft__map_add(&own->links, &link->node, weft__slice(&link->id, sizeof(link->id)))) {
        weft__mem_free(alloc, link, sizeof(*link));
        return NULL;
    }
    weft__rpc_peer_watch(peer, &link->watch);
    pthread_mutex_lock(&provide->mutex);
    int err = weft__rpc_provider_add(&provide->table, link->id, own->worker->index, &provider);
    pthread_mutex_unlock(&provide->mutex);
    if (!err)
        return link;
    link_free(link);
    return NULL;
}

struct weft_provide_link *weft__provide_link(const struct weft_provide_worker *own, uint64_t id)
{
    struct weft_map_node *node = weft__map_get(&own->links, weft__slice(&id, sizeof(id)));
    return node ? WEFT_CONTAINER_OF(node, struct weft_provide_link, node) : NULL;
}

/* ---- parameters ---- */

struct offers {
    size_t count;
    struct weft_slice names[METHODS_MAX];
    bool idempotent[METHODS_MAX];
    uint64_t capacity; /* 0: not said */
};

static void refuse(struct weft_rpc_call *call, const char *field, const char *rule)
{
    const struct weft_rpc_violation violation = {field, rule};
    weft__rpc_call_fail(call, &(struct weft_rpc_failure){.status = WEFT_STATUS_INVALID_ARGUMENT,
                                                         .message = "a parameter is wrong",
                                                         .violations = &violation,
                                                         .violation_count = 1});
}

/* Reads one element of `methods`. False when it is refused. */
static bool read_method(struct weft_rpc_call *call, const struct weft_json *from,
                        struct offers *offers)
{
    char field[FIELD_SIZE];
    size_t at = offers->count;
    const struct weft_json *idempotent = weft__json_get(from, "idempotent");
    struct weft_slice name = weft__json_string(
        weft__json_is(from, WEFT_JSON_STRING) ? from : weft__json_get(from, "name"));
    snprintf(field, sizeof(field), "methods[%zu]", at);
    offers->names[at] = name;
    offers->idempotent[at] = false;
    ++offers->count;
    if (!weft__rpc_name_is_valid(name))
        refuse(call, field, "the name of a method");
    else if (idempotent && !weft__json_bool(idempotent, &offers->idempotent[at]))
        refuse(call, field, "idempotent is true or false");
    else if (weft__json_get(from, "stream"))
        weft__rpc_call_error(call, WEFT_STATUS_UNIMPLEMENTED, "weft.provide.stream",
                             "methods with items cannot be provided");
    else
        return true;
    return false;
}

static bool read_methods(struct weft_rpc_call *call, struct offers *offers)
{
    const struct weft_json *methods = weft__json_get(weft__rpc_call_params(call), "methods");
    offers->count = 0;
    if (!weft__json_is(methods, WEFT_JSON_ARRAY) || weft__json_count(methods) == 0 ||
        weft__json_count(methods) > METHODS_MAX) {
        refuse(call, "methods", "1 to 64 methods");
        return false;
    }
    WEFT_JSON_EACH (method, methods)
        if (!read_method(call, method, offers))
            return false;
    return true;
}

static bool read_capacity(struct weft_rpc_call *call, struct offers *offers)
{
    const struct weft_json *capacity = weft__json_get(weft__rpc_call_params(call), "capacity");
    offers->capacity = 0;
    if (!capacity)
        return true;
    if (weft__json_u53(capacity, &offers->capacity) && offers->capacity > 0 &&
        offers->capacity <= CAPACITY_MAX)
        return true;
    refuse(call, "capacity", "1 to 1000000");
    return false;
}

/* Whether all names may be provided; refused here when one may not. */
static bool check_names(const struct weft_provide_worker *own, struct weft_rpc_call *call,
                        const struct offers *offers)
{
    for (size_t i = 0; i < offers->count; i++)
        if (!is_permitted(provide_of(own), offers->names[i]) ||
            weft__rpc_registry_find(&own->worker->registry, offers->names[i])) {
            weft__rpc_call_error(call, WEFT_STATUS_PERMISSION_DENIED, "weft.provide.name",
                                 "a method of this name may not be provided");
            return false;
        }
    return true;
}

/* ---- the methods ---- */

static void answer_count(struct weft_rpc_call *call, size_t count)
{
    struct weft_rpc_reply reply;
    struct weft_json_writer *w = weft__rpc_reply_begin(&reply, call);
    weft__json_begin_object(w);
    weft__json_key(w, "methods");
    weft__json_put_u64(w, count);
    weft__json_end_object(w);
    weft__rpc_reply_send(&reply);
}

/* All of them, or none. The table is locked. */
static int offer_all(struct weft_rpc_providers *table, struct weft_rpc_provider *provider,
                     const struct offers *offers)
{
    uint64_t fresh = 0;
    _Static_assert(METHODS_MAX <= 64, "a bit for each");
    int err = 0;
    for (size_t i = 0; i < offers->count && !err; i++) {
        bool known = weft__rpc_provider_offers(table, provider, offers->names[i]);
        err = weft__rpc_provider_offer(table, provider, offers->names[i], offers->idempotent[i]);
        if (!err && !known)
            fresh |= UINT64_C(1) << i;
    }
    for (size_t i = 0; i < offers->count && err; i++)
        if (fresh >> i & 1)
            (void)weft__rpc_provider_withdraw(table, provider, offers->names[i]);
    if (!err && offers->capacity)
        provider->capacity = (uint32_t)offers->capacity;
    return err;
}

/* Over plain HTTP there is nobody whom the server could call. */
static bool can_be_called(const struct weft_rpc_peer *peer)
{
    return peer->wire == &weft__rpc_wire_json || peer->wire == &weft__rpc_wire_binary;
}

/* Why an offer could not be made. */
static void refuse_offer(struct weft_rpc_call *call, int err)
{
    if (err == WEFT_ERR_NOMEM)
        weft__rpc_call_error(call, WEFT_STATUS_RESOURCE_EXHAUSTED, "weft.memory", "out of memory");
    else if (err == WEFT_ERR_DENIED)
        weft__rpc_call_error(call, WEFT_STATUS_RESOURCE_EXHAUSTED, "weft.provide.client_limit",
                             "this client provides as many methods as one may");
    else
        weft__rpc_call_error(call, WEFT_STATUS_RESOURCE_EXHAUSTED, "weft.provide.limit",
                             "too many methods, or providers of one");
}

static void serve_provide(struct weft_rpc_call *call, void *ctx)
{
    struct weft_provide_worker *own = ctx;
    struct weft_provide *provide = provide_of(own);
    struct offers offers;
    size_t count = 1;
    if (!can_be_called(weft__rpc_call_peer(call))) {
        weft__rpc_call_error(call, WEFT_STATUS_FAILED_PRECONDITION, "weft.provide.connection",
                             "needs a WebSocket, over which the server can call");
        return;
    }
    if (!read_methods(call, &offers) || !read_capacity(call, &offers) ||
        !check_names(own, call, &offers))
        return;
    bool fresh = !find_link(weft__rpc_call_peer(call));
    struct weft_provide_link *link = get_link(own, weft__rpc_call_peer(call));
    int err = link ? 0 : WEFT_ERR_NOMEM;
    if (link) {
        pthread_mutex_lock(&provide->mutex);
        struct weft_rpc_provider *provider = weft__rpc_provider_find(&provide->table, link->id);
        err = offer_all(&provide->table, provider, &offers);
        count = provider->offer_count;
        pthread_mutex_unlock(&provide->mutex);
        /* One that was there before may have calls, though it offers nothing any more. */
        if (count == 0 && fresh)
            link_free(link);
    }
    if (err)
        refuse_offer(call, err);
    else
        answer_count(call, count);
}

/* Calls under way go on, so the link stays as long as its peer. */
static void serve_unprovide(struct weft_rpc_call *call, void *ctx)
{
    struct weft_provide_worker *own = ctx;
    struct weft_provide *provide = provide_of(own);
    struct weft_provide_link *link = find_link(weft__rpc_call_peer(call));
    bool all = !weft__json_get(weft__rpc_call_params(call), "methods");
    struct offers offers = {.count = 0};
    size_t count = 0;
    if (!all && !read_methods(call, &offers))
        return;
    if (link) {
        pthread_mutex_lock(&provide->mutex);
        struct weft_rpc_provider *provider = weft__rpc_provider_find(&provide->table, link->id);
        for (size_t i = 0; i < offers.count; i++)
            (void)weft__rpc_provider_withdraw(&provide->table, provider, offers.names[i]);
        if (all)
            weft__rpc_provider_withdraw_all(&provide->table, provider);
        count = provider->offer_count;
        pthread_mutex_unlock(&provide->mutex);
    }
    answer_count(call, count);
}

/* ---- life ---- */

void weft__provide_init(struct weft_provide *provide, const struct weft_alloc *alloc,
                        struct weft_hash_key hash_key, const char *const *prefixes, size_t names)
{
    static const struct weft_rpc_method forwarded = {.handler = weft__forward_call,
                                                     .summary = "provided by a client"};
    pthread_mutex_init(&provide->mutex, NULL);
    weft__rpc_providers_init(&provide->table, alloc, hash_key, &forwarded);
    provide->table.offers_max = names;
    provide->prefixes = prefixes;
    provide->made = true;
}

void weft__provide_done(struct weft_provide *provide)
{
    if (!provide->made)
        return;
    weft__rpc_providers_done(&provide->table);
    pthread_mutex_destroy(&provide->mutex);
}

int weft__provide_worker_init(struct weft_provide_worker *own, struct weft_worker *worker)
{
    struct weft_server *server = worker->server;
    const struct weft_rpc_method methods[] = {
        {.name = "rpc.provide",
         .handler = serve_provide,
         .ctx = own,
         .flags = WEFT_RPC_METHOD_RESERVED | WEFT_RPC_METHOD_GREETED,
         .summary = "offers to serve methods for others"},
        {.name = "rpc.unprovide",
         .handler = serve_unprovide,
         .ctx = own,
         .flags = WEFT_RPC_METHOD_RESERVED | WEFT_RPC_METHOD_GREETED,
         .summary = "takes such offers back"},
    };
    own->worker = worker;
    own->resolver = (struct weft_rpc_resolver){
        .find = find, .release = release, .each = each, .ctx = &server->provide};
    weft__map_init(&own->links, server->alloc, server->hash_key);
    weft__map_init(&own->served, server->alloc, server->hash_key);
    worker->rpc.resolver = &own->resolver;
    return weft__rpc_registry_add_all(&worker->registry, methods, WEFT_ARRAY_LEN(methods));
}

void weft__provide_worker_done(struct weft_provide_worker *own)
{
    if (!own->worker)
        return;
    WEFT_ASSERT(own->links.count == 0 && own->served.count == 0 && own->pending == 0);
    weft__map_done(&own->links);
    weft__map_done(&own->served);
}

/* ---- numbers ---- */

static void write_names(struct weft_bytes *out, const struct weft_rpc_providers *table)
{
    if (table->stats.names > 0)
        weft__bytes_append_str(out, "# HELP weft_provide_forwarded_total Calls given to providers\n"
                                    "# TYPE weft_provide_forwarded_total counter\n");
    for (struct weft_map_node *node = weft__map_first(&table->names); node;
         node = weft__map_next(&table->names, node)) {
        const struct weft_rpc_provided *name =
            WEFT_CONTAINER_OF(node, const struct weft_rpc_provided, node);
        if (!weft__rpc_provided_is_offered(name))
            continue;
        weft__bytes_append_str(out, "weft_provide_forwarded_total{method=\"");
        weft__bytes_append_str(out, name->name);
        weft__bytes_append_str(out, "\"} ");
        weft__bytes_append_u64(out, name->forwarded);
        weft__bytes_append_byte(out, '\n');
    }
}

void weft__provide_write(struct weft_bytes *out, struct weft_provide *provide)
{
    pthread_mutex_lock(&provide->mutex);
    const struct weft_rpc_providers_stats stats = provide->table.stats;
    write_names(out, &provide->table);
    pthread_mutex_unlock(&provide->mutex);
    weft__metrics_write_one(out, "weft_provide_failovers_total", "counter",
                            "Calls given to another provider", stats.failovers);
    weft__metrics_write_one(out, "weft_provide_lost_total", "counter",
                            "Calls that failed with their provider", stats.lost);
    weft__metrics_write_one(out, "weft_provide_busy_total", "counter",
                            "Calls refused because all providers had enough", stats.busy);
    weft__metrics_write_one(out, "weft_provide_nobody_total", "counter",
                            "Calls refused because nobody was there", stats.unserved);
    weft__metrics_write_one(out, "weft_provide_names", "gauge", "Names that are provided",
                            stats.names);
    weft__metrics_write_one(out, "weft_providers", "gauge", "Peers that provide methods",
                            stats.providers);
    weft__metrics_write_one(out, "weft_provide_in_flight", "gauge", "Calls with providers",
                            stats.outstanding);
}
