/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a connection that is announced (PROTOCOL §5): `$/goaway`, after which no call is
 * started any more, and the end of calls that took too long.
 */
#include "rpc/peer_internal.h"

static int send_goaway(struct weft_rpc_peer *peer)
{
    struct weft_bytes params;
    struct weft_json_writer w;
    weft__bytes_init(&params, peer->env->alloc, SIZE_MAX);
    weft__json_writer_init(&w, &params);
    weft__json_begin_object(&w);
    weft__json_key(&w, "reason");
    weft__json_put_str(&w, "drain");
    weft__json_key(&w, "grace_ms");
    weft__json_put_u64(&w, peer->goaway.grace_ms);
    weft__json_key(&w, "reconnect_after_ms");
    weft__json_put_u64(&w, peer->goaway.reconnect_after_ms);
    weft__json_end_object(&w);
    int err = weft__bytes_error(&params);
    if (!err)
        err = weft__rpc_peer_notify(peer, WEFT_SLICE_LIT("$/goaway"), weft__bytes_slice(&params));
    weft__bytes_done(&params);
    return err;
}

int weft__rpc_peer_goaway(struct weft_rpc_peer *peer, const struct weft_rpc_goaway *goaway)
{
    if (peer->closed || peer->leaving)
        return WEFT_ERR_STATE;
    peer->leaving = true;
    peer->goaway = *goaway;
    /* Everything that JSON-RPC 2.0 does not have needs the greeting; one that comes later is
     * followed by it. */
    return peer->greeted ? send_goaway(peer) : 0;
}

void weft__rpc_goaway_after_hello(struct weft_rpc_peer *peer)
{
    int err = peer->leaving ? send_goaway(peer) : 0;
    if (err)
        weft__rpc_peer_failed(peer, err);
}

size_t weft__rpc_peer_cut_off(struct weft_rpc_peer *peer)
{
    struct weft_list done;
    struct weft_list *link;
    size_t count = 0;
    weft__list_init(&done);
    while ((link = weft__list_pop(&peer->deferred))) {
        /* Some handlers answer in here, which takes the call out of any list. */
        weft__list_push(&done, link);
        count += weft__rpc_call_cut_off(WEFT_CONTAINER_OF(link, struct weft_rpc_call, link));
    }
    weft__list_splice(&peer->deferred, &done);
    return count;
}

/* A member of |params| that is a time, at most a day. */
static uint32_t read_ms(const struct weft_json *params, const char *name)
{
    enum { DAY_MS = 24 * 3600 * 1000 };
    uint64_t value;
    if (!weft__json_u53(weft__json_get(params, name), &value))
        return 0;
    return (uint32_t)WEFT_MIN(value, (uint64_t)DAY_MS);
}

void weft__rpc_serve_goaway(struct weft_rpc_call *call, void *ctx)
{
    (void)ctx;
    struct weft_rpc_peer *peer = call->peer;
    const struct weft_rpc_goaway goaway = {
        .grace_ms = read_ms(call->params, "grace_ms"),
        .reconnect_after_ms = read_ms(call->params, "reconnect_after_ms"),
    };
    weft__rpc_call_result(call, WEFT_SLICE_LIT("null"));
    if (!peer->is_server && peer->events->goaway)
        peer->events->goaway(peer->events_ctx, &goaway);
}
