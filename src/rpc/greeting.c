/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The greeting (`$/hello`) on both sides: agreeing on a version, and on a session to begin or to
 * take up again (PROTOCOL §3, §5). A client that wants one names the feature "resume".
 */
#include "rpc/peer_internal.h"
#include "rpc/session.h"

static const char resume_feature[] = "resume";

/* ---- serving ---- */

/* Reads [lowest, highest]. */
static bool read_version_range(const struct weft_json *offer, uint64_t *ret_low, uint64_t *ret_high)
{
    return weft__json_is(offer, WEFT_JSON_ARRAY) && weft__json_count(offer) == 2 &&
           weft__json_u53(weft__json_at(offer, 0), ret_low) &&
           weft__json_u53(weft__json_at(offer, 1), ret_high) && *ret_low <= *ret_high;
}

static void put_number(struct weft_json_writer *w, const char *name, uint64_t value)
{
    weft__json_key(w, name);
    weft__json_put_u64(w, value);
}

static void put_string(struct weft_json_writer *w, const char *name, const char *value)
{
    weft__json_key(w, name);
    weft__json_put_str(w, value);
}

static void put_limits(struct weft_json_writer *w, const struct weft_rpc_limits *limits)
{
    weft__json_key(w, "limits");
    weft__json_begin_object(w);
    put_number(w, "message_bytes", limits->message_bytes);
    put_number(w, "in_flight", limits->in_flight);
    put_number(w, "streams", limits->streams);
    put_number(w, "batch", limits->batch);
    put_number(w, "window_items", limits->window_items);
    put_number(w, "window_bytes", limits->window_bytes);
    weft__json_end_object(w);
}

static void put_session(struct weft_json_writer *w, const struct weft_rpc_welcome *welcome)
{
    put_string(w, "session", welcome->session);
    weft__json_key(w, "resumed");
    weft__json_put_bool(w, welcome->resumed);
    if (welcome->resumed)
        put_number(w, "seen", welcome->seen);
    if (welcome->reason)
        put_string(w, "reason", welcome->reason);
    if (welcome->token) {
        put_string(w, "resume_token", welcome->token);
        put_number(w, "resume_ms", welcome->resume_ms);
    }
}

static void answer_hello(struct weft_rpc_call *call, const struct weft_rpc_welcome *welcome)
{
    const struct weft_rpc_peer *peer = call->peer;
    struct weft_rpc_reply reply;
    struct weft_json_writer *w = weft__rpc_reply_begin(&reply, call);
    weft__json_begin_object(w);
    put_session(w, welcome);
    put_number(w, "v", peer->version);
    weft__json_key(w, "features");
    weft__json_begin_array(w);
    if (welcome->token)
        weft__json_put_str(w, resume_feature);
    weft__json_end_array(w);
    put_number(w, "ping_ms", peer->env->limits.ping_ms);
    put_limits(w, &peer->env->limits);
    weft__rpc_auth_write(w, peer, call->now_ns);
    weft__json_end_object(w);
    weft__rpc_reply_send(&reply);
}

/* What |params| want of a session. False when they want none. */
static bool read_session_request(const struct weft_json *params,
                                 struct weft_rpc_session_request *ret_request)
{
    const struct weft_json *features = weft__json_get(params, "features");
    const struct weft_json *resume = weft__json_get(params, "resume");
    bool wanted = false;
    if (!weft__json_is(features, WEFT_JSON_ARRAY))
        return false;
    WEFT_JSON_EACH (feature, features)
        wanted |= weft__json_string_is(feature, resume_feature);
    *ret_request = (struct weft_rpc_session_request){
        .token = weft__json_string(weft__json_get(resume, "token"))};
    if (!weft__json_u53(weft__json_get(resume, "seen"), &ret_request->seen))
        ret_request->token.len = 0;
    return wanted;
}

static void drop_unanswered(struct weft_rpc_call *call, int status, void *ctx)
{
    (void)status;
    (void)ctx;
    weft__rpc_call_drop(call);
}

/* The peer is about to end, and nothing is sent then. */
static void leave_unanswered(struct weft_rpc_call *call)
{
    if (weft__rpc_call_defer(call, drop_unanswered, NULL))
        weft__rpc_call_error(call, WEFT_STATUS_RESOURCE_EXHAUSTED, "weft.memory", "out of memory");
}

static void welcome(struct weft_rpc_call *call)
{
    struct weft_rpc_peer *peer = call->peer;
    struct weft_rpc_session_request request;
    struct weft_rpc_welcome welcome = {.session = peer->session_name};
    peer->greeted = true;
    peer->version = WEFT_RPC_VERSION;
    if (peer->events->session && read_session_request(call->params, &request))
        peer->events->session(peer->events_ctx, &request, &welcome);
    peer->left = welcome.resumed || welcome.elsewhere;
    if (welcome.elsewhere)
        leave_unanswered(call);
    else
        answer_hello(call, &welcome);
    /* Who takes over from here says the rest. */
    if (peer->left)
        return;
    weft__rpc_goaway_after_hello(peer);
    weft__rpc_auth_remind(peer);
    if (peer->events->greeted)
        peer->events->greeted(peer->events_ctx, call->params);
}

void weft__rpc_serve_hello(struct weft_rpc_call *call, void *ctx)
{
    (void)ctx;
    struct weft_rpc_peer *peer = call->peer;
    const struct weft_rpc_failure *failure;
    uint64_t low = 0, high = 0;
    if (!peer->is_server)
        weft__rpc_call_error(call, WEFT_STATUS_UNIMPLEMENTED, NULL, "Method not found");
    else if (peer->greeted)
        weft__rpc_call_error(call, WEFT_STATUS_FAILED_PRECONDITION, "weft.hello.repeated",
                             "this connection was greeted before");
    else if (!read_version_range(weft__json_get(call->params, "v"), &low, &high))
        weft__rpc_call_error(call, WEFT_STATUS_INVALID_ARGUMENT, NULL,
                             "v must be [lowest, highest] version");
    else if (low > WEFT_RPC_VERSION || high < WEFT_RPC_VERSION)
        weft__rpc_call_error(call, WEFT_STATUS_FAILED_PRECONDITION, "weft.hello.version",
                             "no protocol version in common");
    else if ((failure = weft__rpc_auth_greeting(call)))
        weft__rpc_call_fail(call, failure);
    else
        welcome(call);
}

/* ---- greeting ---- */

static void put_resume(struct weft_json_writer *w, const struct weft_rpc_session *session)
{
    weft__json_key(w, "resume");
    weft__json_begin_object(w);
    put_string(w, "token", session->token);
    put_number(w, "seen", weft__rpc_delivery_seen(&session->delivery));
    weft__json_end_object(w);
}

static void put_greeting(struct weft_bytes *params, const struct weft_rpc_peer *peer,
                         const struct weft_rpc_greeting *greeting)
{
    struct weft_json_writer w;
    weft__json_writer_init(&w, params);
    weft__json_begin_object(&w);
    weft__json_key(&w, "v");
    weft__json_put_raw(&w, WEFT_SLICE_LIT("[1,1]"));
    weft__json_key(&w, "features");
    weft__json_begin_array(&w);
    if (peer->replay_bytes)
        weft__json_put_str(&w, resume_feature);
    weft__json_end_array(&w);
    weft__json_key(&w, "client");
    weft__json_begin_object(&w);
    put_string(&w, "name", greeting->name);
    put_string(&w, "version", greeting->version);
    weft__json_end_object(&w);
    if (greeting->token)
        put_string(&w, "token", greeting->token);
    if (peer->session && peer->session->token[0])
        put_resume(&w, peer->session);
    weft__json_end_object(&w);
}

int weft__rpc_peer_greet(struct weft_rpc_peer *peer, const struct weft_rpc_greeting *greeting,
                         weft_rpc_answer_fn *answer, void *ctx, uint64_t now_ns)
{
    bool again = peer->session && peer->link == WEFT_RPC_LINK_NONE;
    if (peer->closed || peer->is_server || (peer->greeted && !again))
        return WEFT_ERR_STATE;
    struct weft_bytes params;
    weft__bytes_init(&params, peer->env->alloc, SIZE_MAX);
    put_greeting(&params, peer, greeting);
    int err = weft__bytes_error(&params);
    if (again)
        peer->link = WEFT_RPC_LINK_GREETING;
    if (!err)
        err = weft__rpc_outgoing_greet(peer, weft__bytes_slice(&params), answer, ctx, now_ns);
    weft__bytes_done(&params);
    if (err && again)
        peer->link = WEFT_RPC_LINK_NONE;
    return err;
}

/* Remembers the token for the next greeting; an unfit one cannot be used. */
static bool take_token(struct weft_rpc_session *session, const struct weft_json *result)
{
    struct weft_slice token = weft__json_string(weft__json_get(result, "resume_token"));
    bool fits = token.len <= WEFT_RPC_SESSION_TOKEN_MAX &&
                (!token.len || !memchr(token.ptr, '\0', token.len));
    memset(session->token, 0, sizeof(session->token));
    if (fits)
        weft__mem_copy(session->token, token.ptr, token.len);
    return session->token[0] != '\0';
}

/* The server has taken up the session. */
static void resumed(struct weft_rpc_peer *peer, const struct weft_json *result)
{
    struct weft_rpc_session *session = peer->session;
    uint64_t seen;
    if (!weft__json_u53(weft__json_get(result, "seen"), &seen) ||
        weft__rpc_delivery_resume(&session->delivery, seen)) {
        /* Nothing can be made of it: the next greeting asks for a new one. */
        session->token[0] = '\0';
        weft__rpc_peer_violated(peer, "resumed a session that was another");
        return;
    }
    (void)take_token(session, result);
    ++peer->env->counters.resumed;
    weft__rpc_session_attach(peer);
}

/* There is a session from here on, or none. */
static void begin(struct weft_rpc_peer *peer, const struct weft_json *result)
{
    peer->link = WEFT_RPC_LINK_OPEN;
    if (!peer->replay_bytes || !weft__json_get(result, "resume_token"))
        return;
    int err = weft__rpc_session_begin(peer, peer->replay_bytes, NULL);
    if (err)
        weft__rpc_peer_failed(peer, err);
    else if (!take_token(peer->session, result))
        weft__rpc_session_free(peer);
}

/* The server does not know the session any more. Calls that callbacks make belong to the next one.
 */
static void ended(struct weft_rpc_peer *peer, const struct weft_json *result)
{
    weft__rpc_outgoing_leave_session(peer);
    weft__rpc_session_free(peer);
    begin(peer, result);
    weft__rpc_peer_end_calls(peer);
    if (peer->events->session_ended)
        peer->events->session_ended(peer->events_ctx,
                                    weft__json_string(weft__json_get(result, "reason")));
}

void weft__rpc_greeting_answered(struct weft_rpc_peer *peer, const struct weft_json *result)
{
    uint64_t version;
    bool is_resumed;
    peer->greeting = 0;
    if (!result)
        return;
    if (!weft__json_u53(weft__json_get(result, "v"), &version))
        version = WEFT_RPC_VERSION;
    peer->greeted = true;
    peer->version = (uint32_t)version;
    if (!weft__json_bool(weft__json_get(result, "resumed"), &is_resumed))
        is_resumed = false;
    if (!peer->session)
        begin(peer, result);
    else if (is_resumed && peer->session->token[0])
        resumed(peer, result);
    else
        ended(peer, result);
}
