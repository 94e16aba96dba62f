/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of names. */
#include "hub/listing.h"

#include "base/assert.h"
#include "hub/internal.h"
#include "hub/params.h"

enum { PAGE = 100, PAGE_MAX = 1000 };

struct listing {
    struct weft_store_request request;
    struct weft_hub *hub;
    struct weft_rpc_call *call;
    struct weft_slice page;                            /* in |text|: of the store's request */
    uint8_t text[255 + WEFT_NAME_MAX + WEFT_NAME_MAX]; /* tenant, prefix, page */
};

static void put_string(struct weft_json_writer *w, const char *name, struct weft_slice value)
{
    weft__json_key(w, name);
    weft__json_put_string(w, value);
}

static void put_document(struct weft_json_writer *w, const struct weft_store_name *name)
{
    weft__json_begin_object(w);
    put_string(w, "doc", weft__buf_slice(name->name));
    put_string(w, "type", weft__slice_str(name->state.type));
    put_string(w, "epoch", weft__slice_str(name->state.epoch));
    weft__json_key(w, "version");
    weft__json_put_u64(w, name->state.version);
    weft__json_end_object(w);
}

static void answer(struct listing *listing)
{
    struct weft_rpc_reply reply;
    const struct weft_store_name *last = NULL;
    struct weft_json_writer *w = weft__rpc_reply_begin(&reply, listing->call);
    weft__json_begin_object(w);
    weft__json_key(w, "docs");
    weft__json_begin_array(w);
    WEFT_LIST_EACH (node, &listing->request.u.list.ret_names) {
        last = WEFT_CONTAINER_OF(node, struct weft_store_name, node);
        put_document(w, last);
    }
    weft__json_end_array(w);
    if (last && listing->request.u.list.ret_more)
        put_string(w, "next", weft__buf_slice(last->name));
    weft__json_end_object(w);
    weft__rpc_reply_send(&reply);
}

static void listed(struct weft_store_request *request)
{
    struct listing *listing = WEFT_CONTAINER_OF(request, struct listing, request);
    struct weft_hub *hub = listing->hub;
    struct weft_list *node;
    WEFT_ASSERT(hub->asked > 0);
    hub->asked--;
    if (request->result)
        weft__rpc_call_error(listing->call, WEFT_STATUS_UNAVAILABLE, "weft.store",
                             "the store cannot list documents now");
    else
        answer(listing);
    while (!request->result && (node = weft__list_pop(&request->u.list.ret_names)))
        weft__store_name_free(hub->options.alloc,
                              WEFT_CONTAINER_OF(node, struct weft_store_name, node));
    weft__mem_free(hub->options.alloc, listing, sizeof(*listing));
}

static struct weft_slice keep(uint8_t **at, struct weft_slice text)
{
    struct weft_slice kept = weft__slice(*at, text.len);
    weft__mem_copy(*at, text.ptr, text.len);
    *at += text.len;
    return kept;
}

/* What reaches the store goes its way there and back. */
static void let_it_end(struct weft_rpc_call *call, int status, void *ctx)
{
    (void)call;
    (void)status;
    (void)ctx;
}

static void ask(struct weft_hub *hub, struct weft_rpc_call *call, struct weft_slice prefix,
                struct weft_slice page, uint64_t limit)
{
    const struct weft_hub_member *member = weft__rpc_call_user(call);
    struct listing *listing = weft__mem_zalloc(hub->options.alloc, sizeof(*listing));
    if (!listing || weft__rpc_call_defer(call, let_it_end, NULL)) {
        weft__mem_free(hub->options.alloc, listing, sizeof(*listing));
        weft__rpc_call_error(call, WEFT_STATUS_RESOURCE_EXHAUSTED, "weft.memory", "out of memory");
        return;
    }
    uint8_t *at = listing->text;
    listing->hub = hub;
    listing->call = call;
    listing->request.kind = WEFT_STORE_LIST;
    listing->request.exec = hub->options.exec;
    listing->request.done = listed;
    listing->request.key.tenant = keep(&at, member->tenant);
    listing->request.key.name = keep(&at, prefix);
    listing->request.u.list.after = keep(&at, page);
    listing->request.u.list.limit = (size_t)limit;
    hub->asked++;
    weft__store_submit(hub->options.store, &listing->request);
}

void weft__doc_list(struct weft_rpc_call *call, void *ctx)
{
    struct weft_params params;
    weft__params_init(&params, weft__rpc_call_params(call));
    if (!weft__rpc_call_params(call))
        params = (struct weft_params){.object = NULL};
    struct weft_slice prefix =
        weft__params_string(&params, "prefix", WEFT_PARAM_OPTIONAL, 0, WEFT_NAME_MAX);
    struct weft_slice page =
        weft__params_string(&params, "page", WEFT_PARAM_OPTIONAL, 0, WEFT_NAME_MAX);
    uint64_t limit = weft__params_u53(&params, "limit", WEFT_PARAM_OPTIONAL, PAGE);
    if (limit == 0 || limit > PAGE_MAX)
        weft__params_refuse(&params, "limit", "must be from 1 to 1000");
    if (!params.field) {
        ask(ctx, call, prefix, page, limit);
        return;
    }
    const struct weft_rpc_violation violation = {params.field, params.rule};
    const struct weft_rpc_failure failure = {
        .status = WEFT_STATUS_INVALID_ARGUMENT,
        .message = "a parameter is wrong",
        .executed = WEFT_RPC_EXECUTED_NO,
        .violations = &violation,
        .violation_count = 1,
    };
    weft__rpc_call_fail(call, &failure);
}
