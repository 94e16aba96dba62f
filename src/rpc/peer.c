/* SPDX-License-Identifier: Apache-2.0 */
/* The environment, the life of a peer, its output, and the calls it makes itself. */
#include "rpc/peer_internal.h"

enum {
    ARENA_LIMIT = 256 * 1024 * 1024, /* far above what the limits of JSON let a message need */
    OUT_MAX = 256 * 1024 * 1024,     /* bytes of one message */
    OUT_KEPT = 64 * 1024             /* scratch up to this size is kept for the next message */
};

/* A call of ours that waits for its answer. */
struct pending_call {
    struct weft_rpc_outgoing outgoing;
    struct weft_rpc_peer *peer;
    weft_rpc_answer_fn *answer;
    void *ctx;
    bool is_greeting;
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
    weft__bytes_done(&env->out);
    weft__arena_done(&env->arena);
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

/* Fills the answer to a call that ends on this side. */
static struct weft_rpc_answer local_answer(int status)
{
    struct weft_slice message = weft__slice_str(weft_status_name(status));
    return (struct weft_rpc_answer){.error = {.status = status,
                                              .number = weft_status_jsonrpc(status),
                                              .message = message,
                                              .executed = WEFT_RPC_EXECUTED_UNKNOWN}};
}

/* Frees |pending|, which is no longer in flight, and hands over its answer. */
static void finish(struct pending_call *pending, const struct weft_rpc_answer *answer)
{
    weft_rpc_answer_fn *callback = pending->answer;
    void *ctx = pending->ctx;
    weft__mem_free(pending->peer->env->alloc, pending, sizeof(*pending));
    if (callback)
        callback(ctx, answer);
}

static void send_cancel(struct weft_rpc_peer *peer, const struct weft_rpc_outgoing *outgoing);

static struct pending_call *pending_of(struct weft_rpc_outgoing *outgoing)
{
    return outgoing ? WEFT_CONTAINER_OF(outgoing, struct pending_call, outgoing) : NULL;
}

static void on_expired(struct weft_rpc_outgoing *outgoing)
{
    struct pending_call *pending = pending_of(outgoing);
    struct weft_rpc_answer answer = local_answer(WEFT_STATUS_DEADLINE_EXCEEDED);
    send_cancel(pending->peer, outgoing);
    finish(pending, &answer);
}

void weft__rpc_peer_init(struct weft_rpc_peer *peer, struct weft_rpc_env *env,
                         const struct weft_rpc_peer_options *options)
{
    *peer = (struct weft_rpc_peer){.env = env,
                                   .events = options->events,
                                   .events_ctx = options->events_ctx,
                                   .user = options->user,
                                   .is_server = options->is_server};
    if (options->session) {
        size_t len = strlen(options->session);
        WEFT_ASSERT(len <= WEFT_RPC_SESSION_MAX);
        memcpy(peer->session, options->session, len);
    }
    weft__map_init(&peer->incoming, env->alloc, env->hash_key);
    weft__list_init(&peer->deferred);
    weft__rpc_correlation_init(&peer->outgoing, env->alloc, env->hash_key, env->wheel, on_expired,
                               options->is_server);
}

void weft__rpc_peer_done(struct weft_rpc_peer *peer)
{
    WEFT_ASSERT(!peer->receiving);
    peer->closed = true;
    while (!weft__list_empty(&peer->deferred)) {
        struct weft_rpc_call *call =
            WEFT_CONTAINER_OF(peer->deferred.next, struct weft_rpc_call, link);
        weft__rpc_call_cancel(call, WEFT_STATUS_UNAVAILABLE);
    }
    struct weft_rpc_answer gone = local_answer(WEFT_STATUS_UNAVAILABLE);
    for (struct pending_call *pending;
         (pending = pending_of(weft__rpc_correlation_take_first(&peer->outgoing))) != NULL;)
        finish(pending, &gone);
    WEFT_ASSERT(peer->in_flight == 0 && peer->incoming.count == 0);
    weft__rpc_correlation_done(&peer->outgoing);
    weft__map_done(&peer->incoming);
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

void weft__rpc_peer_emit(struct weft_rpc_peer *peer, const struct weft_bytes *out,
                         enum weft_rpc_lane lane)
{
    int err = weft__bytes_error(out);
    if (err)
        weft__rpc_peer_failed(peer, err);
    else if (!peer->closed)
        peer->events->send(peer->events_ctx, weft__bytes_slice(out), lane);
}

/* Sends a call or a notification. */
static int send_request(struct weft_rpc_peer *peer, struct weft_slice id, struct weft_slice method,
                        struct weft_slice params, const struct weft_rpc_meta *meta,
                        enum weft_rpc_lane lane)
{
    struct weft_bytes out = weft__rpc_env_take_out(peer->env);
    weft__jsonrpc_put_request(&out, id, method, params, meta);
    int err = weft__bytes_error(&out);
    if (!err)
        weft__rpc_peer_emit(peer, &out, lane);
    weft__rpc_env_return_out(peer->env, &out);
    return err;
}

int weft__rpc_peer_notify(struct weft_rpc_peer *peer, struct weft_slice method,
                          struct weft_slice params, enum weft_rpc_lane lane)
{
    return send_request(peer, (struct weft_slice){NULL, 0}, method, params, NULL, lane);
}

int weft__rpc_peer_ping(struct weft_rpc_peer *peer)
{
    return weft__rpc_peer_notify(peer, WEFT_SLICE_LIT("$/ping"), (struct weft_slice){NULL, 0},
                                 WEFT_RPC_LANE_CONTROL);
}

/* ---- our calls ---- */

static void send_cancel(struct weft_rpc_peer *peer, const struct weft_rpc_outgoing *outgoing)
{
    uint8_t room[64];
    struct weft_slice id = weft__rpc_outgoing_id(outgoing);
    size_t len = 0;
    memcpy(room, "{\"id\":", 6);
    len += 6;
    memcpy(room + len, id.ptr, id.len);
    len += id.len;
    room[len++] = '}';
    int err = weft__rpc_peer_notify(peer, WEFT_SLICE_LIT("$/cancel"), weft__slice(room, len),
                                    WEFT_RPC_LANE_CONTROL);
    if (err)
        weft__rpc_peer_failed(peer, err);
}

static int start_call(struct weft_rpc_peer *peer, const struct weft_rpc_call_options *options,
                      bool is_greeting, uint64_t now_ns, uint64_t *ret_number)
{
    struct pending_call *pending = weft__mem_alloc(peer->env->alloc, sizeof(*pending));
    if (!pending)
        return WEFT_ERR_NOMEM;
    pending->peer = peer;
    pending->answer = options->answer;
    pending->ctx = options->ctx;
    pending->is_greeting = is_greeting;
    int err = weft__rpc_correlation_add(&peer->outgoing, &pending->outgoing,
                                        weft__rpc_deadline(&options->meta, now_ns));
    if (err)
        goto out;
    uint64_t number = pending->outgoing.number;
    err = send_request(peer, weft__rpc_outgoing_id(&pending->outgoing), options->method,
                       options->params, &options->meta, WEFT_RPC_LANE_DATA);
    if (err) {
        (void)weft__rpc_correlation_take_number(&peer->outgoing, number);
        goto out;
    }
    ++peer->env->counters.outgoing;
    if (ret_number)
        *ret_number = number;
out:
    if (err)
        weft__mem_free(peer->env->alloc, pending, sizeof(*pending));
    return err;
}

int weft__rpc_peer_call(struct weft_rpc_peer *peer, const struct weft_rpc_call_options *options,
                        uint64_t now_ns, uint64_t *ret_number)
{
    /* PROTOCOL §3: everything non-standard, a call from the server among it, needs the greeting. */
    if (peer->closed || (peer->is_server && !peer->greeted))
        return WEFT_ERR_STATE;
    return start_call(peer, options, false, now_ns, ret_number);
}

int weft__rpc_peer_greet(struct weft_rpc_peer *peer, const char *name, const char *version,
                         weft_rpc_answer_fn *answer, void *ctx, uint64_t now_ns)
{
    if (peer->closed || peer->is_server || peer->greeted)
        return WEFT_ERR_STATE;
    struct weft_bytes params;
    struct weft_json_writer w;
    weft__bytes_init(&params, peer->env->alloc, OUT_MAX);
    weft__json_writer_init(&w, &params);
    weft__json_begin_object(&w);
    weft__json_key(&w, "v");
    weft__json_put_raw(&w, WEFT_SLICE_LIT("[1,1]"));
    weft__json_key(&w, "features");
    weft__json_put_raw(&w, WEFT_SLICE_LIT("[]"));
    weft__json_key(&w, "client");
    weft__json_begin_object(&w);
    weft__json_key(&w, "name");
    weft__json_put_str(&w, name);
    weft__json_key(&w, "version");
    weft__json_put_str(&w, version);
    weft__json_end_object(&w);
    weft__json_end_object(&w);
    int err = weft__bytes_error(&params);
    if (!err) {
        struct weft_rpc_call_options options = {.method = WEFT_SLICE_LIT("$/hello"),
                                                .params = weft__bytes_slice(&params),
                                                .answer = answer,
                                                .ctx = ctx};
        err = start_call(peer, &options, true, now_ns, NULL);
    }
    weft__bytes_done(&params);
    return err;
}

void weft__rpc_peer_cancel(struct weft_rpc_peer *peer, uint64_t number)
{
    struct pending_call *pending =
        pending_of(weft__rpc_correlation_take_number(&peer->outgoing, number));
    if (!pending)
        return;
    struct weft_rpc_answer answer = local_answer(WEFT_STATUS_CANCELED);
    send_cancel(peer, &pending->outgoing);
    finish(pending, &answer);
}

/* The server accepted our greeting. */
static void note_greeting(struct weft_rpc_peer *peer, const struct weft_json *result)
{
    uint64_t version;
    if (!weft__json_u53(weft__json_get(result, "v"), &version))
        version = WEFT_RPC_VERSION;
    peer->greeted = true;
    peer->version = (uint32_t)version;
}

void weft__rpc_peer_answered(struct weft_rpc_peer *peer, const struct weft_rpc_frame *frame)
{
    struct pending_call *pending =
        pending_of(weft__rpc_correlation_take(&peer->outgoing, frame->id.key));
    if (!pending) {
        ++peer->env->counters.strays;
        return;
    }
    struct weft_rpc_answer answer = {.result = NULL};
    if (frame->kind == WEFT_RPC_KIND_RESULT)
        answer.result = frame->value;
    else
        weft__jsonrpc_read_error(frame->value, &answer.error);
    if (pending->is_greeting && answer.result)
        note_greeting(peer, answer.result);
    finish(pending, &answer);
}
