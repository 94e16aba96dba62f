/* SPDX-License-Identifier: Apache-2.0 */
/* What the server says about documents unasked: operations in their order, presence, the end. */
#include "client/client_internal.h"

enum { EARLY_MAX = 4096 /* operations that wait for one before them */ };

/* An operation that came before its turn: a copy of the notification's parameters. */
struct early_op {
    struct weft_list node;
    uint64_t version;
    size_t size;
    const struct weft_json *params;
};

static void early_free(struct weft_client_doc *doc, struct early_op *early)
{
    weft__list_remove(&early->node);
    doc->early_count--;
    weft__mem_free(doc->client->alloc, early, early->size);
}

void weft__client_doc_forget_early(struct weft_client_doc *doc)
{
    WEFT_LIST_EACH_SAFE (node, &doc->early)
        early_free(doc, WEFT_CONTAINER_OF(node, struct early_op, node));
}

/* A zero-terminated copy in the scratch memory; NULL when out of memory. */
static const char *scratch_copy(struct weft_client_doc *doc, struct weft_slice s)
{
    return weft__arena_copy(&doc->client->scratch, s.ptr, s.len);
}

/* Tells the application one operation, whose turn it is. */
static void tell_op(struct weft_client_doc *doc, const struct weft_json *params, uint64_t version)
{
    const struct weft_json *by = weft__json_get(params, "by");
    struct weft_slice raw = weft__json_raw(weft__json_get(params, "op"));
    struct weft_client_doc_op op = {
        .version = version,
        .op = scratch_copy(doc, raw),
        .op_len = raw.len,
        .author = scratch_copy(doc, weft__json_string(weft__json_get(by, "sub"))),
        .client = scratch_copy(doc, weft__json_string(weft__json_get(by, "client"))),
    };
    if (!weft__json_u53(weft__json_get(by, "seq"), &op.seq))
        op.seq = 0;
    if (!weft__json_u53(weft__json_get(by, "time"), &op.time_ms))
        op.time_ms = 0;
    atomic_store(&doc->version, version);
    if (!op.op || !op.author || !op.client)
        weft__client_fail(doc->client, "out of memory");
    else if (doc->callbacks.op)
        doc->callbacks.op(doc->ctx, doc, &op);
    weft__arena_reset(&doc->client->scratch);
}

/* Tells the operations whose turn has come. */
static void drain(struct weft_client_doc *doc)
{
    while (!doc->gone && !atomic_load(&doc->ended)) {
        uint64_t wanted = atomic_load(&doc->version) + 1;
        struct early_op *next = NULL;
        WEFT_LIST_EACH (node, &doc->early) {
            struct early_op *early = WEFT_CONTAINER_OF(node, struct early_op, node);
            if (early->version == wanted)
                next = early;
        }
        if (!next)
            return;
        weft__list_remove(&next->node);
        tell_op(doc, next->params, wanted);
        early_free(doc, next);
    }
}

/* An operation is missing and will not come: most likely an edit of ours whose outcome was never
 * told. The document has to be opened anew; nobody gets a silent hole. */
static void end_with_gap(struct weft_client_doc *doc)
{
    weft__client_doc_forget_early(doc);
    weft__client_doc_unsubscribe(doc->client, doc->name);
    weft__client_doc_end(doc, "gap");
}

void weft__client_doc_edit_over(struct weft_client_doc *doc)
{
    drain(doc);
    if (!doc->gone && !atomic_load(&doc->ended) && doc->early_count)
        end_with_gap(doc);
}

/* Keeps an operation until its turn comes. */
static void keep_early(struct weft_client_doc *doc, const struct weft_json *params,
                       uint64_t version)
{
    size_t size = sizeof(struct early_op) + weft__json_copy_size(params);
    struct early_op *early =
        doc->early_count < EARLY_MAX ? weft__mem_alloc(doc->client->alloc, size) : NULL;
    if (!early) {
        weft__client_fail(doc->client, "too many operations out of order");
        return;
    }
    *early = (struct early_op){.version = version, .size = size};
    early->params = weft__json_copy(params, early + 1);
    weft__list_push(&doc->early, &early->node);
    doc->early_count++;
}

static void on_op(struct weft_client_doc *doc, const struct weft_json *params)
{
    uint64_t version;
    uint64_t before = atomic_load(&doc->version);
    if (!weft__json_u53(weft__json_get(params, "version"), &version) ||
        !weft__json_get(params, "op")) {
        weft__client_fail(doc->client, "a malformed operation");
        return;
    }
    if (version <= before)
        return;
    if (version > before + 1) {
        /* In between is one's own edit, its answer on the way, or nothing that will ever come. */
        if (atomic_load(&doc->busy))
            keep_early(doc, params, version);
        else
            end_with_gap(doc);
        return;
    }
    weft__client_doc_enter(doc);
    tell_op(doc, params, version);
    drain(doc);
    weft__client_doc_leave(doc);
}

static void on_presence(struct weft_client_doc *doc, const struct weft_json *params)
{
    struct weft_slice raw = weft__json_raw(params);
    if (!doc->callbacks.presence)
        return;
    const char *text = scratch_copy(doc, raw);
    weft__client_doc_enter(doc);
    if (text)
        doc->callbacks.presence(doc->ctx, doc, text, raw.len);
    else
        weft__client_fail(doc->client, "out of memory");
    weft__arena_reset(&doc->client->scratch);
    weft__client_doc_leave(doc);
}

void weft__client_doc_end(struct weft_client_doc *doc, const char *reason)
{
    /* Of one that is being opened, its answer tells. */
    if (atomic_exchange(&doc->ended, true) || doc->opening)
        return;
    weft__client_doc_enter(doc);
    if (doc->callbacks.closed)
        doc->callbacks.closed(doc->ctx, doc, reason);
    weft__client_doc_leave(doc);
}

void weft__client_docs_end(struct weft_client *client, const char *reason)
{
    /* A callback may close any document, so the walk begins anew after each. */
    for (struct weft_client_doc *next;; weft__client_doc_end(next, reason)) {
        next = NULL;
        WEFT_LIST_EACH (node, &client->docs) {
            struct weft_client_doc *doc = WEFT_CONTAINER_OF(node, struct weft_client_doc, link);
            if (!atomic_load(&doc->ended))
                next = doc;
        }
        if (!next)
            return;
    }
}

static void on_closed(struct weft_client_doc *doc, const struct weft_json *params)
{
    const char *reason = scratch_copy(doc, weft__json_string(weft__json_get(params, "reason")));
    struct weft_client *client = doc->client;
    weft__client_doc_end(doc, reason ? reason : "");
    weft__arena_reset(&client->scratch);
}

/* ---- Registration ---- */

typedef void doc_notified_fn(struct weft_client_doc *doc, const struct weft_json *params);

static void notified(struct weft_rpc_call *call, doc_notified_fn *fn)
{
    struct weft_client *client = weft__rpc_call_user(call);
    const struct weft_json *params = weft__rpc_call_params(call);
    struct weft_client_doc *doc =
        weft__client_doc_find(client, weft__json_string(weft__json_get(params, "doc")));
    if (!weft__rpc_call_is_notification(call)) {
        weft__rpc_call_error(call, WEFT_STATUS_UNIMPLEMENTED, NULL, "only notified of this");
        return;
    }
    /* What was under way when the document was closed here finds none. */
    if (doc && !doc->opening && !atomic_load(&doc->ended))
        fn(doc, params);
    weft__rpc_call_result(call, WEFT_SLICE_LIT("null"));
}

static void notified_op(struct weft_rpc_call *call, void *ctx)
{
    (void)ctx;
    notified(call, on_op);
}

static void notified_presence(struct weft_rpc_call *call, void *ctx)
{
    (void)ctx;
    notified(call, on_presence);
}

static void notified_closed(struct weft_rpc_call *call, void *ctx)
{
    (void)ctx;
    notified(call, on_closed);
}

int weft__client_docs_register(struct weft_client *client)
{
    static const struct weft_rpc_method methods[] = {
        {.name = "doc.op", .handler = notified_op},
        {.name = "doc.presence", .handler = notified_presence},
        {.name = "doc.closed", .handler = notified_closed},
    };
    return weft__rpc_registry_add_all(&client->registry, methods, WEFT_ARRAY_LEN(methods));
}
