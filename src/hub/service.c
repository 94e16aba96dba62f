/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The methods doc.* on the connection's worker: parameters are read and checked here, the operation
 * is parsed here; what is left goes to the document's owner as one request, and its answer comes
 * back to the call (docs/protocol/documents.md).
 */
#include "hub/listing.h"
#include "hub/params.h"
#include "hub/record.h"
#include "hub/relay.h"
#include "rpc/call.h"

#include <stdio.h>

enum {
    HISTORY_LIMIT = 100, /* operations in one answer of doc.history */
    HISTORY_LIMIT_MAX = 1000,
};

static void answer_call(struct weft_doc_request *request)
{
    struct weft_rpc_call *call = request->call;
    request->call = NULL;
    if (!request->status && weft__bytes_error(&request->result)) {
        /* It was carried out, but the answer could not be written. */
        weft__doc_request_fail(request, WEFT_STATUS_RESOURCE_EXHAUSTED, "weft.memory",
                               "out of memory");
        request->executed_unknown = true;
    }
    if (request->status) {
        const struct weft_rpc_failure failure = {
            .status = request->status,
            .message = request->text,
            .reason = request->reason,
            .executed =
                request->executed_unknown ? WEFT_RPC_EXECUTED_UNKNOWN : WEFT_RPC_EXECUTED_NO,
        };
        weft__rpc_call_fail(call, &failure);
    } else {
        weft__rpc_call_result(call, weft__bytes_slice(&request->result));
    }
}

/* The end of most requests. */
static void answered(struct weft_hub *hub, struct weft_doc_request *request)
{
    struct weft_subscription *subscription = weft__subscription_find(hub, request->subscription);
    if (subscription)
        weft__subscription_catch_up(subscription);
    answer_call(request);
    weft__doc_request_free(request);
}

static void refuse_params(struct weft_rpc_call *call, const struct weft_params *params)
{
    const struct weft_rpc_violation violation = {params->field, params->rule};
    const struct weft_rpc_failure failure = {
        .status = WEFT_STATUS_INVALID_ARGUMENT,
        .message = "a parameter is wrong",
        .executed = WEFT_RPC_EXECUTED_NO,
        .violations = &violation,
        .violation_count = 1,
    };
    weft__rpc_call_fail(call, &failure);
}

static void refuse_memory(struct weft_rpc_call *call)
{
    weft__rpc_call_error(call, WEFT_STATUS_RESOURCE_EXHAUSTED, "weft.memory", "out of memory");
}

/* Whether |call| has to come back later because there is no room for |what|; then it is answered.
 */
static bool refuse_crowded(const struct weft_hub *hub, struct weft_rpc_call *call,
                           enum weft_hub_load what)
{
    if (!hub->options.room || hub->options.room(hub->options.room_ctx, what))
        return false;
    const struct weft_rpc_failure failure = {
        .status = WEFT_STATUS_RESOURCE_EXHAUSTED,
        .message = "memory is short",
        .reason = "weft.overloaded",
        .executed = WEFT_RPC_EXECUTED_NO,
        .retryable = true,
        .retry_after_ms = WEFT_HUB_RETRY_MS,
    };
    weft__rpc_call_fail(call, &failure);
    return true;
}

/* The key of the document that the parameters name. */
static struct weft_doc_key read_key(struct weft_params *params,
                                    const struct weft_hub_member *member)
{
    struct weft_doc_key key = {0};
    struct weft_slice name = weft__params_name(params, "doc");
    if (!params->field)
        weft__doc_key_set(&key, member->tenant, name);
    return key;
}

static void read_epoch(struct weft_params *params, struct weft_doc_request *request,
                       enum weft_param_need need)
{
    struct weft_slice epoch = weft__params_string(params, "epoch", need, 1, WEFT_STORE_EPOCH_SIZE);
    request->has_epoch = epoch.len > 0;
    if (!params->field)
        snprintf(request->epoch, sizeof(request->epoch), "%.*s", (int)epoch.len,
                 (const char *)epoch.ptr);
}

static void read_client(struct weft_params *params, struct weft_doc_request *request,
                        enum weft_param_need need)
{
    struct weft_slice client = weft__params_string(params, "client", need, 1, WEFT_CLIENT_ID_MAX);
    if (params->field)
        return;
    request->client_len = (uint8_t)client.len;
    weft__mem_copy(request->client, client.ptr, client.len);
}

static struct weft_doc_request *request_begin(struct weft_hub_member *member,
                                              struct weft_params *params,
                                              struct weft_rpc_call *call,
                                              enum weft_doc_request_kind kind)
{
    struct weft_doc_request *request = weft__doc_request_new(member->hub->options.alloc, kind);
    weft__params_init(params, weft__rpc_call_params(call));
    if (!request) {
        refuse_memory(call);
        return NULL;
    }
    request->done = answered;
    request->key = read_key(params, member);
    request->sub_len = (uint8_t)member->sub.len;
    weft__mem_copy(request->sub, member->sub.ptr, member->sub.len);
    return request;
}

/* What is on its way to the owner cannot be called back: a canceled call gets the answer that its
 * request brings, which says what really happened. */
static void let_it_end(struct weft_rpc_call *call, int status, void *ctx)
{
    (void)call;
    (void)status;
    (void)ctx;
}

/* Sends |request| on its way, or answers why not; takes it in any case. False when it was not
 * sent. */
static bool request_send(struct weft_hub *hub, struct weft_doc_request *request,
                         struct weft_rpc_call *call, const struct weft_params *params)
{
    if (params->field) {
        refuse_params(call, params);
    } else if (weft__mesh_congested(hub->options.port, weft__hub_owner(hub, &request->key))) {
        weft__rpc_call_error(call, WEFT_STATUS_RESOURCE_EXHAUSTED, "weft.overloaded",
                             "the worker of this document is behind");
    } else if (weft__rpc_call_defer(call, let_it_end, NULL)) {
        refuse_memory(call);
    } else {
        request->call = call;
        weft__hub_ask(hub, request);
        return true;
    }
    weft__doc_request_free(request);
    return false;
}

/* The open subscription that a request speaks of; answers the call when there is none. */
static struct weft_subscription *require_open(struct weft_hub_member *member,
                                              const struct weft_doc_request *request,
                                              struct weft_rpc_call *call)
{
    struct weft_subscription *subscription = weft__subscription_of(member, &request->key);
    if (subscription && subscription->type)
        return subscription;
    weft__rpc_call_error(call, WEFT_STATUS_FAILED_PRECONDITION, "weft.doc.closed",
                         "open the document first");
    return NULL;
}

/* ---- doc.open ---- */

static void open_answered(struct weft_hub *hub, struct weft_doc_request *request)
{
    /* The owner clears the id of an open whose subscription ended meanwhile. */
    struct weft_subscription *subscription = weft__subscription_find(hub, request->subscription);
    if (subscription && request->status)
        weft__subscription_end(hub, subscription, false);
    else if (subscription)
        weft__subscription_live(subscription, weft__ot_type_find(weft__slice_str(request->type)));
    answer_call(request);
    weft__doc_request_free(request);
}

static void read_open(struct weft_params *params, struct weft_doc_request *request)
{
    struct weft_slice type =
        weft__params_string(params, "type", WEFT_PARAM_OPTIONAL, 1, WEFT_STORE_TYPE_SIZE - 1);
    if (type.len && !weft__ot_type_find(type))
        weft__params_refuse(params, "type", "is not a type of documents");
    read_client(params, request, WEFT_PARAM_OPTIONAL);
    read_epoch(params, request, WEFT_PARAM_OPTIONAL);
    request->create = weft__params_bool(params, "create");
    request->has_version = weft__params_has(params, "version");
    request->version = weft__params_u53(params, "version", WEFT_PARAM_OPTIONAL, 0);
    if (request->has_version && !request->has_epoch)
        weft__params_refuse(params, "epoch", "is required with version");
    if (!params->field)
        snprintf(request->type, sizeof(request->type), "%.*s", (int)type.len,
                 (const char *)type.ptr);
}

static void doc_open(struct weft_rpc_call *call, void *ctx)
{
    struct weft_hub *hub = ctx;
    struct weft_hub_member *member = weft__rpc_call_user(call);
    struct weft_params params;
    if (refuse_crowded(hub, call, WEFT_HUB_LOAD_OPEN))
        return;
    struct weft_doc_request *request = request_begin(member, &params, call, WEFT_DOC_OPEN);
    if (!request)
        return;
    read_open(&params, request);
    if (weft__rpc_call_is_notification(call))
        weft__params_refuse(&params, "id", "doc.open must be a call");
    struct weft_subscription *subscription =
        params.field ? NULL : weft__subscription_of(member, &request->key);
    if (subscription)
        weft__subscription_end(hub, subscription, true);
    if (!params.field && member->subscription_count >= WEFT_HUB_MAX_SUBSCRIPTIONS) {
        weft__rpc_call_error(call, WEFT_STATUS_RESOURCE_EXHAUSTED, "weft.doc.subscriptions",
                             "too many documents are open on this connection");
        weft__doc_request_free(request);
        return;
    }
    subscription = params.field ? NULL
                                : weft__subscription_new(hub, member, &request->key,
                                                         weft__doc_request_client(request));
    if (!params.field && !subscription) {
        refuse_memory(call);
        weft__doc_request_free(request);
        return;
    }
    request->subscription = subscription ? subscription->id : 0;
    request->done = open_answered;
    if (!request_send(hub, request, call, &params) && subscription)
        weft__subscription_end(hub, subscription, false);
}

/* ---- doc.submit ---- */

/* Parses the operation; answers the call when it is malformed. */
static bool read_op(struct weft_doc_request *request, const struct weft_subscription *subscription,
                    const struct weft_json *value, struct weft_rpc_call *call)
{
    struct weft_ot_error error = {0};
    snprintf(request->type, sizeof(request->type), "%s", subscription->type->name);
    request->hash = weft__record_hash(weft__json_raw(value));
    int err = subscription->type->op_parse(request->alloc, value, &request->op, &error);
    if (!err)
        return true;
    const struct weft_rpc_violation violation = {"op", error.message};
    const struct weft_rpc_failure failure = {
        .status = error.status ? error.status : weft_status_from_err(err),
        .message = "the operation is malformed",
        .reason = "weft.doc.op_invalid",
        .executed = WEFT_RPC_EXECUTED_NO,
        .violations = error.message ? &violation : NULL,
        .violation_count = error.message ? 1 : 0,
    };
    weft__rpc_call_fail(call, &failure);
    return false;
}

static void doc_submit(struct weft_rpc_call *call, void *ctx)
{
    struct weft_hub *hub = ctx;
    struct weft_hub_member *member = weft__rpc_call_user(call);
    struct weft_params params;
    if (refuse_crowded(hub, call, WEFT_HUB_LOAD_WRITE))
        return;
    struct weft_doc_request *request = request_begin(member, &params, call, WEFT_DOC_SUBMIT);
    if (!request)
        return;
    read_epoch(&params, request, WEFT_PARAM_REQUIRED);
    read_client(&params, request, WEFT_PARAM_REQUIRED);
    request->seq = weft__params_u53(&params, "seq", WEFT_PARAM_REQUIRED, 0);
    request->version = weft__params_u53(&params, "version", WEFT_PARAM_REQUIRED, 0);
    request->base_version = request->version;
    /* null may be an operation: that of json which changes nothing. */
    const struct weft_json *op = weft__json_get(params.object, "op");
    if (!op)
        weft__params_refuse(&params, "op", "is required");
    if (!params.field && request->seq == 0)
        weft__params_refuse(&params, "seq", "counts from 1");
    struct weft_subscription *subscription =
        params.field ? NULL : require_open(member, request, call);
    bool ready = subscription != NULL;
    if (ready && !weft__slice_eq(weft__doc_request_client(request),
                                 weft__slice(subscription->client, subscription->client_len)))
        weft__params_refuse(&params, "client", "is not the one the document was opened with");
    if (ready && !params.field)
        ready = read_op(request, subscription, op, call);
    if (ready || params.field) {
        request->subscription = ready ? subscription->id : 0;
        request_send(hub, request, call, &params);
    } else {
        weft__doc_request_free(request);
    }
}

/* ---- doc.presence, doc.close ---- */

static void doc_presence(struct weft_rpc_call *call, void *ctx)
{
    struct weft_hub *hub = ctx;
    struct weft_hub_member *member = weft__rpc_call_user(call);
    struct weft_params params;
    struct weft_doc_request *request = request_begin(member, &params, call, WEFT_DOC_PRESENCE);
    if (!request)
        return;
    read_epoch(&params, request, WEFT_PARAM_REQUIRED);
    request->version = weft__params_u53(&params, "version", WEFT_PARAM_REQUIRED, 0);
    request->has_presence = weft__params_has(&params, "state");
    if (request->has_presence)
        weft__presence_read(&params, weft__json_get(params.object, "state"), &request->presence);
    struct weft_subscription *subscription =
        params.field ? NULL : require_open(member, request, call);
    if (!subscription && !params.field) {
        weft__doc_request_free(request);
        return;
    }
    if (subscription) {
        request->subscription = subscription->id;
        request->client_len = subscription->client_len;
        memcpy(request->client, subscription->client, subscription->client_len);
        weft__subscription_present(subscription, request->has_presence);
    }
    request_send(hub, request, call, &params);
}

static void doc_close(struct weft_rpc_call *call, void *ctx)
{
    struct weft_hub *hub = ctx;
    struct weft_hub_member *member = weft__rpc_call_user(call);
    struct weft_params params;
    weft__params_init(&params, weft__rpc_call_params(call));
    struct weft_doc_key key = read_key(&params, member);
    if (params.field) {
        refuse_params(call, &params);
        return;
    }
    /* Closing what is not open is no mistake: it may just have been closed by the owner. */
    struct weft_subscription *subscription = weft__subscription_of(member, &key);
    if (subscription)
        weft__subscription_end(hub, subscription, true);
    weft__rpc_call_result(call, WEFT_SLICE_LIT("{}"));
}

/* ---- doc.fetch, doc.history ---- */

static void doc_fetch(struct weft_rpc_call *call, void *ctx)
{
    struct weft_hub *hub = ctx;
    struct weft_params params;
    struct weft_doc_request *request =
        request_begin(weft__rpc_call_user(call), &params, call, WEFT_DOC_FETCH);
    if (!request)
        return;
    request->has_version = weft__params_has(&params, "version");
    request->version = weft__params_u53(&params, "version", WEFT_PARAM_OPTIONAL, 0);
    request_send(hub, request, call, &params);
}

static void doc_history(struct weft_rpc_call *call, void *ctx)
{
    struct weft_hub *hub = ctx;
    struct weft_params params;
    struct weft_doc_request *request =
        request_begin(weft__rpc_call_user(call), &params, call, WEFT_DOC_HISTORY);
    if (!request)
        return;
    request->from = weft__params_u53(&params, "from", WEFT_PARAM_OPTIONAL, 0);
    request->limit = weft__params_u53(&params, "limit", WEFT_PARAM_OPTIONAL, HISTORY_LIMIT);
    if (request->limit == 0 || request->limit > HISTORY_LIMIT_MAX)
        weft__params_refuse(&params, "limit", "must be from 1 to 1000");
    request_send(hub, request, call, &params);
}

/* ---- doc.diff, doc.restore ---- */

static void doc_diff(struct weft_rpc_call *call, void *ctx)
{
    struct weft_hub *hub = ctx;
    struct weft_params params;
    struct weft_doc_request *request =
        request_begin(weft__rpc_call_user(call), &params, call, WEFT_DOC_DIFF);
    if (!request)
        return;
    request->from = weft__params_u53(&params, "from", WEFT_PARAM_REQUIRED, 0);
    request->has_version = weft__params_has(&params, "version");
    request->version = weft__params_u53(&params, "version", WEFT_PARAM_OPTIONAL, 0);
    request_send(hub, request, call, &params);
}

static void doc_restore(struct weft_rpc_call *call, void *ctx)
{
    struct weft_hub *hub = ctx;
    struct weft_params params;
    if (refuse_crowded(hub, call, WEFT_HUB_LOAD_WRITE))
        return;
    struct weft_doc_request *request =
        request_begin(weft__rpc_call_user(call), &params, call, WEFT_DOC_RESTORE);
    if (!request)
        return;
    read_epoch(&params, request, WEFT_PARAM_OPTIONAL);
    request->has_version = true;
    request->version = weft__params_u53(&params, "version", WEFT_PARAM_REQUIRED, 0);
    request_send(hub, request, call, &params);
}

/* ---- doc.delete ---- */

static void doc_delete(struct weft_rpc_call *call, void *ctx)
{
    struct weft_hub *hub = ctx;
    struct weft_params params;
    struct weft_doc_request *request =
        request_begin(weft__rpc_call_user(call), &params, call, WEFT_DOC_DELETE);
    if (!request)
        return;
    read_epoch(&params, request, WEFT_PARAM_OPTIONAL);
    request_send(hub, request, call, &params);
}

int weft__hub_register(struct weft_hub *hub, struct weft_rpc_registry *registry)
{
    static const struct {
        const char *name;
        const char *alias;
        weft_rpc_handler_fn *handler;
        const char *summary;
        unsigned flags; /* NO_IDEM: about this connection, and repeats are known by `seq` */
    } methods[] = {
        {"weft.v1.Documents/Open", "doc.open", doc_open, "opens a document and subscribes to it",
         WEFT_RPC_METHOD_NO_IDEM},
        {"weft.v1.Documents/Submit", "doc.submit", doc_submit, "applies an operation",
         WEFT_RPC_METHOD_NO_IDEM},
        {"weft.v1.Documents/Fetch", "doc.fetch", doc_fetch, "the content of a document", 0},
        {"weft.v1.Documents/History", "doc.history", doc_history, "operations, who and when", 0},
        {"weft.v1.Documents/Diff", "doc.diff", doc_diff, "what changed between two versions", 0},
        {"weft.v1.Documents/Restore", "doc.restore", doc_restore,
         "makes a document what it was at an earlier version", 0},
        {"weft.v1.Documents/Presence", "doc.presence", doc_presence, "shows oneself to others",
         WEFT_RPC_METHOD_NO_IDEM},
        {"weft.v1.Documents/Delete", "doc.delete", doc_delete, "deletes a document for good", 0},
        {"weft.v1.Documents/List", "doc.list", weft__doc_list, "names of documents", 0},
        {"weft.v1.Documents/Close", "doc.close", doc_close, "ends a subscription",
         WEFT_RPC_METHOD_NO_IDEM},
    };
    int err = 0;
    for (size_t i = 0; i < WEFT_ARRAY_LEN(methods) && !err; i++) {
        const struct weft_rpc_method method = {
            .name = methods[i].name,
            .handler = methods[i].handler,
            .ctx = hub,
            .flags = methods[i].flags,
            .summary = methods[i].summary,
        };
        err = weft__rpc_registry_add(registry, &method);
        if (!err)
            err = weft__rpc_registry_alias(registry, methods[i].alias, methods[i].name);
    }
    return err;
}
