/* SPDX-License-Identifier: Apache-2.0 */
/* The environment, the life of a peer, and its output. */
#include "rpc/auth.h"
#include "rpc/jsonrpc.h"
#include "rpc/peer_internal.h"
#include "rpc/session.h"

enum {
    ARENA_LIMIT = 256 * 1024 * 1024, /* far above what the limits of JSON let a message need */
    OUT_MAX = 256 * 1024 * 1024,     /* bytes of one message */
    OUT_KEPT = 64 * 1024             /* scratch up to this size is kept for the next message */
};

/* ---- environment ---- */

void weft__rpc_env_init(struct weft_rpc_env *env, const struct weft_alloc *alloc,
                        const struct weft_rpc_registry *registry, struct weft_timer_wheel *wheel,
                        struct weft_hash_key hash_key)
{
    *env = (struct weft_rpc_env){.alloc = alloc,
                                 .registry = registry,
                                 .wheel = wheel,
                                 .hash_key = hash_key,
                                 .decode = {.hash_key = hash_key},
                                 .limits = WEFT_RPC_LIMITS_DEFAULT};
    weft__arena_init(&env->arena, alloc, ARENA_LIMIT);
    weft__bytes_init(&env->out, alloc, OUT_MAX);
    weft__list_init(&env->idle_calls);
}

void weft__rpc_env_done(struct weft_rpc_env *env)
{
    WEFT_ASSERT(!env->arena_lent && env->counters.in_flight == 0);
    for (struct weft_list *link; (link = weft__list_pop(&env->idle_calls)) != NULL;) {
        struct weft_rpc_call *call = WEFT_CONTAINER_OF(link, struct weft_rpc_call, link);
        weft__mem_free(env->alloc, call, sizeof(*call));
    }
    weft__mem_free(env->alloc, env->method_stats, env->method_count * sizeof(*env->method_stats));
    weft__bytes_done(&env->out);
    weft__arena_done(&env->arena);
}

int weft__rpc_env_count_methods(struct weft_rpc_env *env)
{
    size_t count = env->registry->count;
    WEFT_ASSERT(!env->method_stats);
    env->method_stats = weft__mem_zalloc(env->alloc, count * sizeof(*env->method_stats));
    if (!env->method_stats)
        return WEFT_ERR_NOMEM;
    env->method_count = count;
    return 0;
}

void weft__rpc_env_intercept(struct weft_rpc_env *env,
                             const struct weft_rpc_interceptor *interceptor)
{
    WEFT_ASSERT(env->interceptor_count < WEFT_RPC_INTERCEPTORS_MAX);
    env->interceptors[env->interceptor_count++] = interceptor;
}

struct weft_bytes weft__rpc_env_take_out(struct weft_rpc_env *env)
{
    /* Taken, not lent: a callback that sends may write another message meanwhile. */
    struct weft_bytes out = env->out;
    weft__bytes_clear(&out);
    weft__bytes_init(&env->out, env->alloc, OUT_MAX);
    return out;
}

void weft__rpc_env_return_out(struct weft_rpc_env *env, struct weft_bytes *out)
{
    if (env->out.ptr || out->cap > OUT_KEPT)
        weft__bytes_done(out);
    else
        env->out = *out;
}

/* ---- life ---- */

void weft__rpc_peer_init(struct weft_rpc_peer *peer, struct weft_rpc_env *env,
                         const struct weft_rpc_peer_options *options)
{
    *peer = (struct weft_rpc_peer){.env = env,
                                   .wire = options->wire ? options->wire : &weft__rpc_wire_json,
                                   .events = options->events,
                                   .events_ctx = options->events_ctx,
                                   .user = options->user,
                                   .is_server = options->is_server,
                                   .greeted = options->greeted,
                                   .no_streams = options->no_streams,
                                   .version = options->greeted ? WEFT_RPC_VERSION : 0,
                                   .replay_bytes = options->replay_bytes};
    if (options->session) {
        size_t len = strlen(options->session);
        WEFT_ASSERT(len <= WEFT_RPC_SESSION_MAX);
        memcpy(peer->session_name, options->session, len);
    }
    weft__map_init(&peer->incoming, env->alloc, env->hash_key);
    weft__map_init(&peer->orders, env->alloc, env->hash_key);
    weft__list_init(&peer->deferred);
    weft__list_init(&peer->watches);
    weft__rpc_correlation_init(&peer->outgoing, env->alloc, env->hash_key, env->wheel,
                               weft__rpc_outgoing_expired, peer->wire, options->is_server);
}

void weft__rpc_peer_end_calls(struct weft_rpc_peer *peer)
{
    while (!weft__list_empty(&peer->deferred)) {
        struct weft_rpc_call *call =
            WEFT_CONTAINER_OF(peer->deferred.next, struct weft_rpc_call, link);
        weft__rpc_call_cancel(call, WEFT_STATUS_UNAVAILABLE);
    }
    weft__rpc_orders_done(peer);
    weft__rpc_outgoing_end_all(peer, WEFT_STATUS_UNAVAILABLE);
    WEFT_ASSERT(peer->in_flight == 0 && peer->incoming.count == 0);
}

void weft__rpc_peer_done(struct weft_rpc_peer *peer)
{
    WEFT_ASSERT(!peer->receiving);
    peer->closed = true;
    for (struct weft_list *link; (link = weft__list_pop(&peer->watches)) != NULL;) {
        struct weft_rpc_peer_watch *watch =
            WEFT_CONTAINER_OF(link, struct weft_rpc_peer_watch, link);
        watch->ended(watch);
    }
    weft__rpc_peer_end_calls(peer);
    if (peer->handle)
        peer->handle_done(peer);
    weft__rpc_session_free(peer);
    weft__rpc_peer_forget(peer);
    weft__rpc_correlation_done(&peer->outgoing);
    weft__map_done(&peer->incoming);
}

void weft__rpc_peer_watch(struct weft_rpc_peer *peer, struct weft_rpc_peer_watch *watch)
{
    WEFT_ASSERT(!peer->closed);
    weft__list_push(&peer->watches, &watch->link);
}

void weft__rpc_peer_tell_linked(struct weft_rpc_peer *peer, bool linked)
{
    WEFT_LIST_EACH (link, &peer->watches) {
        struct weft_rpc_peer_watch *watch =
            WEFT_CONTAINER_OF(link, struct weft_rpc_peer_watch, link);
        watch->linked(watch, linked);
    }
}

/* ---- output ---- */

void weft__rpc_peer_failed(struct weft_rpc_peer *peer, int err)
{
    if (peer->err)
        return;
    peer->err = err;
    /* While a message is being received, weft__rpc_peer_receive returns it. */
    if (!peer->receiving && peer->events->failed)
        peer->events->failed(peer->events_ctx, err);
}

void weft__rpc_peer_violated(struct weft_rpc_peer *peer, const char *why)
{
    WEFT_ASSERT(peer->receiving); /* whose result tells the owner */
    if (peer->err)
        return;
    peer->err = WEFT_ERR_PROTOCOL;
    peer->violation = why;
}

/* What a frame is to a session. */
enum traffic {
    TRAFFIC_DATA,      /* between two peers: numbered */
    TRAFFIC_PUBLISHED, /* to many: everybody knows how far they have read */
    TRAFFIC_PROTOCOL,  /* `$/…` and the answers to it */
};

/* Control passes data not yet begun (PROTOCOL §1), but not what it is about: a cancellation stays
 * behind its call. */
static enum weft_rpc_lane lane_of(const struct weft_rpc_head *head, enum traffic traffic)
{
    if (head->kind > WEFT_RPC_KIND_CANCEL)
        return head->in_order ? WEFT_RPC_LANE_DATA : WEFT_RPC_LANE_CONTROL;
    if (traffic != TRAFFIC_PROTOCOL)
        return WEFT_RPC_LANE_DATA;
    return head->kind == WEFT_RPC_KIND_NOTIFY ? WEFT_RPC_LANE_CONTROL : WEFT_RPC_LANE_GREETING;
}

static bool is_numbered(const struct weft_rpc_peer *peer, const struct weft_rpc_head *head,
                        enum traffic traffic)
{
    return peer->session && traffic == TRAFFIC_DATA && head->kind >= WEFT_RPC_KIND_CALL &&
           head->kind <= WEFT_RPC_KIND_END;
}

/* Whether there is a connection for it now. */
static bool may_send(const struct weft_rpc_peer *peer, const struct weft_rpc_head *head,
                     enum traffic traffic)
{
    if (peer->link == WEFT_RPC_LINK_GREETING)
        return traffic == TRAFFIC_PROTOCOL || head->kind >= WEFT_RPC_KIND_PING;
    return peer->link == WEFT_RPC_LINK_OPEN;
}

/* Ends the frame begun in |out| with the next number of the session and keeps it. */
static int end_numbered(struct weft_rpc_peer *peer, struct weft_bytes *out,
                        struct weft_rpc_head *head, struct weft_slice *ret_message)
{
    struct weft_rpc_session *session = peer->session;
    bool open = peer->link == WEFT_RPC_LINK_OPEN;
    head->seq = weft__rpc_delivery_next(&session->delivery);
    if (open && !peer->wire->is_text)
        head->ack = weft__rpc_delivery_take_ack(&session->delivery);
    *ret_message = peer->wire->end(out, head);
    int err = weft__bytes_error(out);
    if (err)
        return err;
    weft__rpc_delivery_keep(&session->delivery, *ret_message, 1);
    if (open)
        session->transmitted = head->seq;
    return 0;
}

/* Ends the frame begun in |out| and sends it; every frame but the answers to a batch leaves through
 * here. */
static int transmit(struct weft_rpc_peer *peer, struct weft_bytes *out, struct weft_rpc_head *head,
                    enum traffic traffic)
{
    struct weft_slice message;
    int err = 0;
    if (peer->closed)
        return 0;
    if (is_numbered(peer, head, traffic)) {
        err = end_numbered(peer, out, head, &message);
    } else {
        message = peer->wire->end(out, head);
        err = weft__bytes_error(out);
    }
    if (!err && may_send(peer, head, traffic))
        peer->events->send(peer->events_ctx, message, lane_of(head, traffic));
    return err;
}

void weft__rpc_peer_emit(struct weft_rpc_peer *peer, struct weft_bytes *out,
                         struct weft_rpc_head *head, bool is_protocol)
{
    int err = transmit(peer, out, head, is_protocol ? TRAFFIC_PROTOCOL : TRAFFIC_DATA);
    if (err)
        weft__rpc_peer_failed(peer, err);
}

void weft__rpc_peer_emit_text(struct weft_rpc_peer *peer, const struct weft_bytes *out,
                              uint32_t numbers)
{
    struct weft_rpc_session *session = peer->session;
    bool open = peer->link == WEFT_RPC_LINK_OPEN;
    int err = weft__bytes_error(out);
    if (err) {
        weft__rpc_peer_failed(peer, err);
        return;
    }
    if (peer->closed)
        return;
    if (session && numbers) {
        weft__rpc_delivery_keep(&session->delivery, weft__bytes_slice(out), numbers);
        if (open)
            session->transmitted = weft__rpc_delivery_next(&session->delivery) - 1;
    }
    if (open)
        peer->events->send(peer->events_ctx, weft__bytes_slice(out), WEFT_RPC_LANE_DATA);
}

void weft__rpc_peer_emit_head(struct weft_rpc_peer *peer, struct weft_rpc_head *head)
{
    struct weft_bytes out = weft__rpc_env_take_out(peer->env);
    peer->wire->begin(&out, head);
    weft__rpc_peer_emit(peer, &out, head, false);
    weft__rpc_env_return_out(peer->env, &out);
}

void weft__rpc_peer_send_item(struct weft_rpc_peer *peer, struct weft_slice id,
                              struct weft_slice value)
{
    struct weft_rpc_head head = {.kind = WEFT_RPC_KIND_ITEM, .id = id};
    struct weft_bytes out = weft__rpc_env_take_out(peer->env);
    peer->wire->begin(&out, &head);
    weft__bytes_append_slice(&out, value);
    weft__rpc_peer_emit(peer, &out, &head, false);
    weft__rpc_env_return_out(peer->env, &out);
}

void weft__rpc_peer_send_credit(struct weft_rpc_peer *peer, struct weft_slice id,
                                const struct weft_rpc_stream *stream)
{
    weft__rpc_peer_emit_head(peer, &(struct weft_rpc_head){.kind = WEFT_RPC_KIND_CREDIT,
                                                           .id = id,
                                                           .in_order = stream->in.items == 0,
                                                           .items_total = stream->in.items_total,
                                                           .bytes_total = stream->in.bytes_total});
}

static int send_request(struct weft_rpc_peer *peer, struct weft_slice id,
                        const struct weft_rpc_call_options *options, enum traffic traffic)
{
    struct weft_rpc_head head = {
        .kind = id.len ? WEFT_RPC_KIND_CALL : WEFT_RPC_KIND_NOTIFY,
        .id = id,
        .method = options->method,
        .meta = &options->meta,
        .has_payload = options->params.len > 0,
    };
    struct weft_bytes out = weft__rpc_env_take_out(peer->env);
    peer->wire->begin(&out, &head);
    weft__bytes_append_slice(&out, options->params);
    if (weft__rpc_name_is_protocol(options->method))
        traffic = TRAFFIC_PROTOCOL;
    int err = transmit(peer, &out, &head, traffic);
    weft__rpc_env_return_out(peer->env, &out);
    return err;
}

int weft__rpc_peer_send_request(struct weft_rpc_peer *peer, struct weft_slice id,
                                const struct weft_rpc_call_options *options)
{
    return send_request(peer, id, options, TRAFFIC_DATA);
}

int weft__rpc_peer_notify(struct weft_rpc_peer *peer, struct weft_slice method,
                          struct weft_slice params)
{
    const struct weft_rpc_call_options options = {.method = method, .params = params};
    return weft__rpc_peer_send_request(peer, (struct weft_slice){NULL, 0}, &options);
}

int weft__rpc_peer_publish(struct weft_rpc_peer *peer, struct weft_slice method,
                           struct weft_slice params)
{
    const struct weft_rpc_call_options options = {.method = method, .params = params};
    return send_request(peer, (struct weft_slice){NULL, 0}, &options, TRAFFIC_PUBLISHED);
}

void weft__rpc_peer_ping(struct weft_rpc_peer *peer)
{
    weft__rpc_peer_emit_head(peer, &(struct weft_rpc_head){.kind = WEFT_RPC_KIND_PING});
}
