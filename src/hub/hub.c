/* SPDX-License-Identifier: Apache-2.0 */
/* The hub itself: its documents, its members, and the way of requests between workers. */
#include "hub/hub.h"

#include "base/assert.h"
#include "base/timer.h"
#include "hub/document.h"
#include "hub/internal.h"
#include "hub/relay.h"
#include "hub/segment.h"

enum { HUB_ARENA_LIMIT = 64 * 1024 * 1024 /* bytes for one stored operation or snapshot */ };

#define HUB_IDLE_NS (30 * WEFT_NS_PER_S)

int weft__hub_new(const struct weft_hub_options *options, struct weft_hub **ret_hub)
{
    struct weft_hub *hub = weft__mem_zalloc(options->alloc, sizeof(*hub));
    if (!hub)
        return WEFT_ERR_NOMEM;
    hub->options = *options;
    if (!hub->options.max_document)
        hub->options.max_document = WEFT_HUB_MAX_DOCUMENT;
    if (!hub->options.seal_ops)
        hub->options.seal_ops = WEFT_HUB_SEAL_OPS;
    hub->options.seal_ops = WEFT_MIN(hub->options.seal_ops, (uint64_t)WEFT_SEGMENT_OPS_MAX);
    if (!hub->options.idle_ns)
        hub->options.idle_ns = HUB_IDLE_NS;
    if (!hub->options.max_unsent)
        hub->options.max_unsent = WEFT_HUB_MAX_UNSENT;
    weft__map_init(&hub->documents, options->alloc, options->hash_key);
    weft__map_init(&hub->relays, options->alloc, options->hash_key);
    weft__map_init(&hub->subscriptions, options->alloc, options->hash_key);
    weft__topics_init(&hub->topics, &(struct weft_topics_options){
                                        .alloc = options->alloc,
                                        .hold_bytes = hub->options.max_unsent,
                                        .deflate = options->deflate,
                                        .deflate_ctx = options->deflate_ctx,
                                        .recode = options->recode,
                                        .recode_ctx = options->recode_ctx,
                                    });
    weft__list_init(&hub->dirty);
    weft__bytes_init(&hub->scratch, options->alloc, SIZE_MAX);
    weft__arena_init(&hub->arena, options->alloc, HUB_ARENA_LIMIT);
    *ret_hub = hub;
    return 0;
}

static struct weft_document *document_of(struct weft_map_node *node)
{
    return node ? WEFT_CONTAINER_OF(node, struct weft_document, node) : NULL;
}

static void drop_document(struct weft_hub *hub, struct weft_document *document)
{
    weft__map_remove(&hub->documents, &document->node);
    weft__document_free(document);
    hub->stats.documents--;
}

void weft__hub_free(struct weft_hub *hub)
{
    struct weft_map_node *node;
    if (!hub)
        return;
    WEFT_ASSERT(!weft__hub_busy(hub) && hub->relays.count == 0);
    while ((node = weft__map_first(&hub->documents)))
        drop_document(hub, document_of(node));
    weft__map_done(&hub->documents);
    weft__map_done(&hub->relays);
    weft__map_done(&hub->subscriptions);
    weft__bytes_done(&hub->scratch);
    weft__arena_done(&hub->arena);
    weft__mem_free(hub->options.alloc, hub, sizeof(*hub));
}

void weft__hub_flush(struct weft_hub *hub)
{
    struct weft_list *node;
    while ((node = weft__list_pop(&hub->dirty)))
        weft__document_presence_flush(WEFT_CONTAINER_OF(node, struct weft_document, dirty_node));
}

void weft__hub_deliver(struct weft_hub *hub)
{
    weft__topics_flush(&hub->topics);
    hub->stats.deliveries = hub->topics.stats.deliveries;
    hub->stats.lagged = hub->topics.stats.lagged;
}

void weft__hub_tick(struct weft_hub *hub, uint64_t now_ns)
{
    struct weft_map_node *next;
    for (struct weft_map_node *node = weft__map_first(&hub->documents); node; node = next) {
        struct weft_document *document = document_of(node);
        next = weft__map_next(&hub->documents, node);
        if (!weft__document_idle(document) || now_ns < document->used_ns ||
            now_ns - document->used_ns < hub->options.idle_ns)
            continue;
        weft__document_snapshot(document, WEFT_DOC_IDLE_SNAPSHOT_OPS);
        if (!weft__document_busy(document))
            drop_document(hub, document);
    }
}

bool weft__hub_busy(const struct weft_hub *hub)
{
    if (hub->asked)
        return true;
    for (struct weft_map_node *node = weft__map_first(&hub->documents); node;
         node = weft__map_next(&hub->documents, node))
        if (weft__document_busy(document_of(node)))
            return true;
    return false;
}

const struct weft_hub_stats *weft__hub_stats(const struct weft_hub *hub)
{
    return &hub->stats;
}

/* ---- Requests between workers ---- */

int weft__hub_parse_op(struct weft_hub *hub, const struct weft_ot_type *type,
                       struct weft_slice json, void **ret_op)
{
    const struct weft_json *value;
    weft__arena_reset(&hub->arena);
    int err = weft__json_parse(json, &hub->arena, NULL, NULL, &value);
    if (!err)
        err = type->op_parse(hub->options.alloc, value, ret_op, NULL);
    return err && err != WEFT_ERR_NOMEM ? WEFT_ERR_CORRUPT : err;
}

unsigned weft__hub_owner(const struct weft_hub *hub, const struct weft_doc_key *key)
{
    uint64_t hash = weft__hash(&hub->options.hash_key, weft__doc_key_bytes(key));
    /* The low bits choose buckets in the owner's maps; the high ones choose the owner. */
    return (unsigned)((hash >> 32) % weft__mesh_workers(hub->options.port));
}

static struct weft_document *document_get(struct weft_hub *hub, const struct weft_doc_key *key)
{
    struct weft_document *document =
        document_of(weft__map_get(&hub->documents, weft__doc_key_bytes(key)));
    if (document)
        return document;
    if (hub->documents.count >= WEFT_HUB_MAX_DOCUMENTS || weft__document_new(hub, key, &document))
        return NULL;
    if (weft__map_add(&hub->documents, &document->node, weft__doc_key_bytes(&document->key))) {
        weft__document_free(document);
        return NULL;
    }
    hub->stats.documents++;
    return document;
}

/* On the worker that asked. Without a hub the process ends: nobody is there to be answered. */
static void came_back(struct weft_mesh_message *message, void *owner)
{
    struct weft_doc_request *request = WEFT_CONTAINER_OF(message, struct weft_doc_request, message);
    struct weft_hub *hub = owner;
    WEFT_ASSERT(hub && hub->asked > 0);
    hub->asked--;
    request->done(hub, request);
}

void weft__hub_answer(struct weft_hub *hub, struct weft_doc_request *request)
{
    request->message.run = came_back;
    weft__mesh_send(hub->options.port, request->worker, &request->message);
}

/* On the owner. */
static void asked(struct weft_mesh_message *message, void *owner)
{
    struct weft_doc_request *request = WEFT_CONTAINER_OF(message, struct weft_doc_request, message);
    struct weft_hub *hub = owner;
    WEFT_ASSERT(hub);
    if (request->kind == WEFT_DOC_CLOSE &&
        !weft__map_get(&hub->documents, weft__doc_key_bytes(&request->key))) {
        weft__hub_answer(hub, request);
        return;
    }
    struct weft_document *document = document_get(hub, &request->key);
    if (!document) {
        weft__doc_request_fail(request, WEFT_STATUS_RESOURCE_EXHAUSTED, "weft.documents",
                               "too many documents are open");
        weft__hub_answer(hub, request);
        return;
    }
    if (request->kind == WEFT_DOC_SUBMIT)
        hub->stats.submits++;
    weft__document_request(document, request);
}

void weft__hub_ask(struct weft_hub *hub, struct weft_doc_request *request)
{
    WEFT_ASSERT(request->done);
    hub->asked++;
    request->worker = weft__mesh_index(hub->options.port);
    request->message.run = asked;
    weft__mesh_send(hub->options.port, weft__hub_owner(hub, &request->key), &request->message);
}

/* ---- Members ---- */

void weft__hub_member_init(struct weft_hub_member *member, struct weft_hub *hub,
                           const struct weft_hub_member_ops *ops, struct weft_slice tenant,
                           struct weft_slice sub, enum weft_topic_variant variant)
{
    WEFT_ASSERT(tenant.len <= 255 && sub.len <= 255);
    *member = (struct weft_hub_member){
        .hub = hub, .ops = ops, .tenant = tenant, .sub = sub, .variant = (uint8_t)variant};
    weft__list_init(&member->subscriptions);
}

void weft__hub_member_done(struct weft_hub_member *member)
{
    while (!weft__list_empty(&member->subscriptions))
        weft__subscription_end(
            member->hub,
            WEFT_CONTAINER_OF(member->subscriptions.next, struct weft_subscription, member_node),
            true);
    WEFT_ASSERT(member->subscription_count == 0 && member->present_count == 0);
}

void weft__hub_member_drained(struct weft_hub_member *member)
{
    WEFT_LIST_EACH (node, &member->subscriptions)
        weft__subscription_drained(WEFT_CONTAINER_OF(node, struct weft_subscription, member_node));
}
