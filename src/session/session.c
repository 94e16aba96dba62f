/* SPDX-License-Identifier: Apache-2.0 */
/* Messages to the RPC peer, and watching. */
#include "session/session.h"

#include "rpc/binary.h"
#include "rpc/jsonrpc.h"
#include "rpc/session.h"
#include "ws/conn.h"

const char *const weft__session_protocols[] = {"weft.v1.json", "weft.v1.pb", NULL};

const struct weft_rpc_wire *weft__session_wire(struct weft_slice protocol)
{
    return weft__slice_eq_str(protocol, weft__rpc_wire_binary.name) ? &weft__rpc_wire_binary
                                                                    : &weft__rpc_wire_json;
}

static void peer_send(void *ctx, struct weft_slice message, enum weft_rpc_lane lane)
{
    struct weft_session *session = ctx;
    session->events->send(session->events_ctx, message, lane);
}

static void peer_failed(void *ctx, int err)
{
    struct weft_session *session = ctx;
    session->events->failed(session->events_ctx, WEFT_WS_CLOSE_INTERNAL, weft_err_message(err));
}

static void peer_goaway(void *ctx, const struct weft_rpc_goaway *goaway)
{
    struct weft_session *session = ctx;
    if (session->events->goaway)
        session->events->goaway(session->events_ctx, goaway);
}

static void peer_identified(void *ctx)
{
    struct weft_session *session = ctx;
    if (session->events->identified)
        session->events->identified(session->events_ctx);
}

static void peer_expired(void *ctx)
{
    struct weft_session *session = ctx;
    if (session->events->expired)
        session->events->expired(session->events_ctx);
}

static void peer_expiring(void *ctx, uint64_t in_ms)
{
    struct weft_session *session = ctx;
    if (session->events->expiring)
        session->events->expiring(session->events_ctx, in_ms);
}

static void peer_resume(void *ctx, const struct weft_rpc_session_request *request,
                        struct weft_rpc_welcome *welcome)
{
    struct weft_session *session = ctx;
    if (session->events->resume)
        session->events->resume(session->events_ctx, request, welcome);
}

static void peer_resume_failed(void *ctx, struct weft_slice reason)
{
    struct weft_session *session = ctx;
    if (session->events->resume_failed)
        session->events->resume_failed(session->events_ctx, reason);
}

static uint64_t wheel_now_ns(const struct weft_session *session)
{
    return session->peer.env->wheel->now_ms * WEFT_NS_PER_MS;
}

/* Waits for the next ping or the end of patience, whichever comes first. */
static void wait_on(struct weft_session *session)
{
    uint64_t dead_ns = session->heard_ns + WEFT_SESSION_DEAD_MS * WEFT_NS_PER_MS;
    weft__timer_start(session->peer.env->wheel, &session->timer,
                      WEFT_MIN(session->ping_ns, dead_ns));
}

static void timer_due(struct weft_timer *timer)
{
    struct weft_session *session = WEFT_CONTAINER_OF(timer, struct weft_session, timer);
    uint64_t now_ns = wheel_now_ns(session);
    if (now_ns >= session->heard_ns + WEFT_SESSION_DEAD_MS * WEFT_NS_PER_MS) {
        session->watched = false;
        session->events->failed(session->events_ctx, WEFT_WS_CLOSE_ABNORMAL, "silent");
        return;
    }
    bool due = now_ns >= session->ping_ns;
    if (due)
        session->ping_ns = now_ns + WEFT_SESSION_PING_MS * WEFT_NS_PER_MS;
    wait_on(session);
    if (due)
        weft__rpc_peer_ping(&session->peer);
}

void weft__session_init(struct weft_session *session, const struct weft_session_options *options)
{
    static const struct weft_rpc_peer_events peer_events = {
        .send = peer_send,
        .failed = peer_failed,
        .identified = peer_identified,
        .expired = peer_expired,
        .expiring = peer_expiring,
        .goaway = peer_goaway,
        .session = peer_resume,
        .session_ended = peer_resume_failed,
    };
    *session = (struct weft_session){
        .events = options->events,
        .events_ctx = options->events_ctx,
    };
    const struct weft_rpc_peer_options peer = {
        .is_server = options->is_server,
        .wire = options->wire,
        .session = options->name,
        .events = &peer_events,
        .events_ctx = session,
        .user = options->user,
        .replay_bytes = options->replay_bytes,
    };
    weft__rpc_peer_init(&session->peer, options->env, &peer);
    weft__timer_init(&session->timer, timer_due);
}

void weft__session_done(struct weft_session *session)
{
    weft__timer_stop(session->peer.env->wheel, &session->timer);
    weft__rpc_peer_done(&session->peer);
}

void weft__session_detach(struct weft_session *session)
{
    weft__timer_stop(session->peer.env->wheel, &session->timer);
    session->watched = false;
    weft__rpc_session_detach(&session->peer);
}

void weft__session_attach(struct weft_session *session, uint64_t now_ns)
{
    session->heard_ns = now_ns;
    ++session->peer.env->counters.resumed;
    weft__rpc_session_attach(&session->peer);
}

void weft__session_receive(struct weft_session *session, enum weft_ws_opcode opcode,
                           struct weft_slice data, uint64_t now_ns)
{
    session->heard_ns = now_ns;
    bool is_text = session->peer.wire->is_text;
    if (opcode != (is_text ? WEFT_WS_OPCODE_TEXT : WEFT_WS_OPCODE_BINARY)) {
        session->events->failed(session->events_ctx, WEFT_WS_CLOSE_UNSUPPORTED,
                                is_text ? "this wire is text" : "this wire is binary");
        return;
    }
    int err = weft__rpc_peer_receive(&session->peer, data, now_ns);
    if (err == WEFT_ERR_PROTOCOL)
        session->events->failed(session->events_ctx, WEFT_WS_CLOSE_POLICY, session->peer.violation);
    else if (err)
        session->events->failed(session->events_ctx, WEFT_WS_CLOSE_INTERNAL, weft_err_message(err));
}

void weft__session_watch(struct weft_session *session, bool watch, uint64_t now_ns)
{
    if (session->watched == watch || (watch && !session->peer.greeted))
        return;
    session->watched = watch;
    if (watch) {
        session->heard_ns = now_ns;
        session->ping_ns = now_ns + WEFT_SESSION_PING_MS * WEFT_NS_PER_MS;
        wait_on(session);
    } else {
        weft__timer_stop(session->peer.env->wheel, &session->timer);
    }
}

void weft__session_forward(struct weft_session *session, struct weft_slice text)
{
    /* The limits for what peers send are not for our own text, which may pass them: an operation
     * grows when it is transformed. */
    static const struct weft_json_options own = {
        .max_values = UINT32_MAX, .allow_duplicate_keys = true, .text_is_utf8 = true};
    struct weft_arena arena;
    const struct weft_json *notification;
    if (session->peer.wire->is_text) {
        session->events->send(session->events_ctx, text, WEFT_RPC_LANE_DATA);
        return;
    }
    weft__arena_init(&arena, session->peer.env->alloc, SIZE_MAX);
    int err = weft__json_parse(text, &arena, &own, NULL, &notification);
    if (!err)
        err = weft__rpc_peer_publish(&session->peer,
                                     weft__json_string(weft__json_get(notification, "method")),
                                     weft__json_raw(weft__json_get(notification, "params")));
    weft__arena_done(&arena);
    if (err)
        session->events->failed(session->events_ctx, WEFT_WS_CLOSE_INTERNAL, weft_err_message(err));
}
