/* SPDX-License-Identifier: Apache-2.0 */
/* The methods `$/…` that a peer serves itself and that are no frames of their own. They are
 * handlers like any other. */
#include "rpc/peer_internal.h"

/* ---- $/hello ---- */

/* Reads [lowest, highest]. */
static bool read_version_range(const struct weft_json *offer, uint64_t *ret_low, uint64_t *ret_high)
{
    return weft__json_is(offer, WEFT_JSON_ARRAY) && weft__json_count(offer) == 2 &&
           weft__json_u53(weft__json_at(offer, 0), ret_low) &&
           weft__json_u53(weft__json_at(offer, 1), ret_high) && *ret_low <= *ret_high;
}

static void put_limit(struct weft_json_writer *w, const char *name, uint64_t value)
{
    weft__json_key(w, name);
    weft__json_put_u64(w, value);
}

static void put_limits(struct weft_json_writer *w, const struct weft_rpc_limits *limits)
{
    weft__json_begin_object(w);
    put_limit(w, "message_bytes", limits->message_bytes);
    put_limit(w, "in_flight", limits->in_flight);
    put_limit(w, "streams", limits->streams);
    put_limit(w, "batch", limits->batch);
    put_limit(w, "window_items", limits->window_items);
    put_limit(w, "window_bytes", limits->window_bytes);
    weft__json_end_object(w);
}

static void answer_hello(struct weft_rpc_call *call)
{
    const struct weft_rpc_peer *peer = call->peer;
    struct weft_rpc_reply reply;
    struct weft_json_writer *w = weft__rpc_reply_begin(&reply, call);
    weft__json_begin_object(w);
    weft__json_key(w, "session");
    weft__json_put_str(w, peer->session);
    weft__json_key(w, "resumed");
    weft__json_put_bool(w, false);
    put_limit(w, "v", peer->version);
    weft__json_key(w, "features");
    weft__json_begin_array(w);
    weft__json_end_array(w);
    put_limit(w, "ping_ms", peer->env->limits.ping_ms);
    weft__json_key(w, "limits");
    put_limits(w, &peer->env->limits);
    weft__json_end_object(w);
    weft__rpc_reply_send(&reply);
}

static void serve_hello(struct weft_rpc_call *call, void *ctx)
{
    (void)ctx;
    struct weft_rpc_peer *peer = call->peer;
    uint64_t low = 0, high = 0;
    if (!peer->is_server) {
        weft__rpc_call_error(call, WEFT_STATUS_UNIMPLEMENTED, NULL, "Method not found");
    } else if (peer->greeted) {
        weft__rpc_call_error(call, WEFT_STATUS_FAILED_PRECONDITION, "weft.hello.repeated",
                             "this connection was greeted before");
    } else if (!read_version_range(weft__json_get(call->params, "v"), &low, &high)) {
        weft__rpc_call_error(call, WEFT_STATUS_INVALID_ARGUMENT, NULL,
                             "v must be [lowest, highest] version");
    } else if (low > WEFT_RPC_VERSION || high < WEFT_RPC_VERSION) {
        weft__rpc_call_error(call, WEFT_STATUS_FAILED_PRECONDITION, "weft.hello.version",
                             "no protocol version in common");
    } else {
        peer->greeted = true;
        peer->version = WEFT_RPC_VERSION;
        answer_hello(call);
        weft__rpc_goaway_after_hello(peer);
        if (peer->events->greeted)
            peer->events->greeted(peer->events_ctx, call->params);
    }
}

static const struct {
    struct weft_rpc_method method;
    bool is_notification;
} builtins[] = {
    {{.name = "$/hello", .handler = serve_hello, .flags = WEFT_RPC_METHOD_RESERVED}, false},
    {{.name = "$/goaway", .handler = weft__rpc_serve_goaway, .flags = WEFT_RPC_METHOD_RESERVED},
     true},
    {{.name = "rpc.discover",
      .handler = weft__rpc_serve_discover,
      .flags = WEFT_RPC_METHOD_RESERVED},
     false},
};

const struct weft_rpc_method *weft__rpc_builtin_find(struct weft_slice name, bool is_notification)
{
    for (size_t i = 0; i < WEFT_ARRAY_LEN(builtins); ++i) {
        if (builtins[i].is_notification == is_notification &&
            weft__slice_eq_str(name, builtins[i].method.name))
            return &builtins[i].method;
    }
    return NULL;
}
