/* SPDX-License-Identifier: Apache-2.0 */
/* `rpc.discover`: the methods of a peer as an OpenRPC document (open-rpc.org, version 1.3.2). What
 * a method takes and gives is not described yet: that comes with typed methods. */
#include "rpc/peer_internal.h"

#include <weft/version.h>

/* The methods in the order of their addition. */
struct listing {
    const struct weft_rpc_method **methods;
    size_t count;
};

static void list(const struct weft_rpc_method *method, void *ctx)
{
    struct listing *listing = ctx;
    WEFT_ASSERT(method->index < listing->count);
    listing->methods[method->index] = method;
}

static const char *stream_name(unsigned flags)
{
    switch (flags & WEFT_RPC_METHOD_STREAMS) {
    case WEFT_RPC_METHOD_RECEIVES:
        return "client";
    case WEFT_RPC_METHOD_SENDS:
        return "server";
    default:
        return "both";
    }
}

static void put_member(struct weft_json_writer *w, const char *key, const char *value)
{
    weft__json_key(w, key);
    weft__json_put_str(w, value);
}

static void put_method(const struct weft_rpc_method *method, void *writer)
{
    struct weft_json_writer *w = writer;
    weft__json_begin_object(w);
    put_member(w, "name", method->name);
    if (method->summary)
        put_member(w, "summary", method->summary);
    weft__json_key(w, "params");
    weft__json_put_raw(w, WEFT_SLICE_LIT("[]"));
    weft__json_key(w, "result");
    weft__json_put_raw(w, WEFT_SLICE_LIT("{\"name\":\"result\",\"schema\":{}}"));
    if (method->alias)
        put_member(w, "x-weft-alias", method->alias);
    if (method->flags & WEFT_RPC_METHOD_STREAMS)
        put_member(w, "x-weft-stream", stream_name(method->flags));
    weft__json_end_object(w);
}

static void answer(struct weft_rpc_call *call, const struct listing *listing)
{
    const struct weft_rpc_resolver *resolver = call->env->resolver;
    struct weft_rpc_reply reply;
    struct weft_json_writer *w = weft__rpc_reply_begin(&reply, call);
    weft__json_begin_object(w);
    put_member(w, "openrpc", "1.3.2");
    weft__json_key(w, "info");
    weft__json_begin_object(w);
    put_member(w, "title", "weft");
    put_member(w, "version", WEFT_VERSION);
    weft__json_end_object(w);
    weft__json_key(w, "methods");
    weft__json_begin_array(w);
    for (size_t i = 0; i < listing->count; ++i) {
        if (!(listing->methods[i]->flags & WEFT_RPC_METHOD_RESERVED))
            put_method(listing->methods[i], w);
    }
    if (resolver)
        resolver->each(resolver->ctx, put_method, w);
    weft__json_end_array(w);
    weft__json_end_object(w);
    weft__rpc_reply_send(&reply);
}

void weft__rpc_serve_discover(struct weft_rpc_call *call, void *ctx)
{
    const struct weft_rpc_registry *registry = call->env->registry;
    struct listing listing = {.count = registry->count};
    size_t size = WEFT_MAX(listing.count, (size_t)1) * sizeof(*listing.methods);
    (void)ctx;
    listing.methods = weft__mem_alloc(call->env->alloc, size);
    if (!listing.methods) {
        weft__rpc_call_error(call, WEFT_STATUS_RESOURCE_EXHAUSTED, "weft.memory", "out of memory");
        return;
    }
    weft__rpc_registry_each(registry, list, &listing);
    answer(call, &listing);
    weft__mem_free(call->env->alloc, listing.methods, size);
}
