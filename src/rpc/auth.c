/* SPDX-License-Identifier: Apache-2.0 */
/* Identities of peers, and the methods about them. */
#include "rpc/auth.h"

#include "rpc/peer_internal.h"

/* What a peer has that has signed in. */
struct weft_rpc_auth {
    struct weft_rpc_peer *peer;
    struct weft_rpc_principal *principal;
    uint64_t expires_ns;
    uint64_t warn_ns;
    struct weft_timer timer;
    bool warned;
    bool expired;
    bool assumed; /* came without a token, and was not made use of */
};

static const struct weft_rpc_failure not_signed_in = {.status = WEFT_STATUS_UNAUTHENTICATED,
                                                      .message = "sign in first",
                                                      .reason = "weft.auth.required",
                                                      .executed = WEFT_RPC_EXECUTED_NO};
static const struct weft_rpc_failure no_longer = {.status = WEFT_STATUS_UNAUTHENTICATED,
                                                  .message = "the token has expired",
                                                  .reason = "weft.auth.expired",
                                                  .executed = WEFT_RPC_EXECUTED_NO};
static const struct weft_rpc_failure refused = {.status = WEFT_STATUS_UNAUTHENTICATED,
                                                .message = "this token is not accepted",
                                                .reason = "weft.auth.refused",
                                                .executed = WEFT_RPC_EXECUTED_NO};
static const struct weft_rpc_failure somebody_else = {
    .status = WEFT_STATUS_PERMISSION_DENIED,
    .message = "this connection belongs to somebody else",
    .reason = "weft.auth.principal",
    .executed = WEFT_RPC_EXECUTED_NO};
static const struct weft_rpc_failure unable = {.status = WEFT_STATUS_UNAVAILABLE,
                                               .message = "tokens cannot be checked now",
                                               .reason = "weft.auth.unavailable",
                                               .executed = WEFT_RPC_EXECUTED_NO};
static const struct weft_rpc_failure no_memory = {.status = WEFT_STATUS_RESOURCE_EXHAUSTED,
                                                  .message = "out of memory",
                                                  .reason = "weft.memory",
                                                  .executed = WEFT_RPC_EXECUTED_NO};

/* ---- judging ---- */

int weft__rpc_auth_judge(struct weft_rpc_env *env, struct weft_slice token,
                         struct weft_rpc_grant *ret_grant)
{
    const struct weft_rpc_authenticator *authenticator = env->authenticator;
    int err = token.len > WEFT_RPC_AUTH_TOKEN_MAX
                  ? WEFT_ERR_DENIED
                  : authenticator->judge(authenticator->ctx, token, ret_grant);
    if (!err)
        ++env->counters.auth_accepted;
    else if (token.len)
        ++env->counters.auth_refused;
    return err;
}

const struct weft_rpc_failure *weft__rpc_auth_objection(struct weft_rpc_peer *peer)
{
    if (!peer->env->authenticator || !peer->is_server)
        return NULL;
    if (!peer->auth)
        return &not_signed_in;
    if (peer->auth->expired)
        return &no_longer;
    peer->auth->assumed = false;
    return NULL;
}

static bool before_call(struct weft_rpc_call *call, void *ctx)
{
    (void)ctx;
    const struct weft_rpc_failure *failure = weft__rpc_auth_objection(call->peer);
    if (failure)
        weft__rpc_call_fail(call, failure);
    return !failure;
}

void weft__rpc_env_authenticate(struct weft_rpc_env *env,
                                struct weft_rpc_authenticator *authenticator)
{
    WEFT_ASSERT(env->interceptor_count == 0 && !env->authenticator);
    authenticator->interceptor = (struct weft_rpc_interceptor){.before = before_call};
    env->authenticator = authenticator;
    weft__rpc_env_intercept(env, &authenticator->interceptor);
}

/* ---- identities ---- */

static void send_expiring(struct weft_rpc_auth *auth, uint64_t now_ns)
{
    struct weft_bytes params;
    struct weft_json_writer w;
    struct weft_rpc_peer *peer = auth->peer;
    auth->warned = true;
    weft__bytes_init(&params, peer->env->alloc, SIZE_MAX);
    weft__json_writer_init(&w, &params);
    weft__json_begin_object(&w);
    weft__json_key(&w, "in_ms");
    weft__json_put_u64(&w, (auth->expires_ns - now_ns) / WEFT_NS_PER_MS);
    weft__json_end_object(&w);
    int err = weft__bytes_error(&params);
    if (!err)
        err = weft__rpc_peer_notify(peer, WEFT_SLICE_LIT("$/auth.expiring"),
                                    weft__bytes_slice(&params));
    if (err && err != WEFT_ERR_STATE) /* over HTTP there is nobody to tell */
        weft__rpc_peer_failed(peer, err);
    weft__bytes_done(&params);
}

/* Whoever did not greet does not know the notification, and one without a connection does not get
 * it: weft__rpc_auth_remind comes then. */
static bool can_be_told(const struct weft_rpc_peer *peer)
{
    return peer->greeted && peer->link == WEFT_RPC_LINK_OPEN;
}

static void wait_on(struct weft_rpc_auth *auth, uint64_t now_ns)
{
    if (auth->expires_ns == WEFT_RPC_AUTH_NEVER)
        weft__timer_stop(auth->peer->env->wheel, &auth->timer);
    else
        weft__timer_start(auth->peer->env->wheel, &auth->timer,
                          now_ns < auth->warn_ns ? auth->warn_ns : auth->expires_ns);
}

static void timer_due(struct weft_timer *timer)
{
    struct weft_rpc_auth *auth = WEFT_CONTAINER_OF(timer, struct weft_rpc_auth, timer);
    struct weft_rpc_peer *peer = auth->peer;
    uint64_t now_ns = peer->env->wheel->now_ms * WEFT_NS_PER_MS;
    if (now_ns < auth->expires_ns) {
        wait_on(auth, now_ns);
        if (now_ns >= auth->warn_ns && !auth->warned && can_be_told(peer))
            send_expiring(auth, now_ns);
        return;
    }
    auth->expired = true;
    ++peer->env->counters.auth_expired;
    if (peer->events->expired)
        peer->events->expired(peer->events_ctx);
}

/* The identity lasts until |expires_ns|. */
static void set_end(struct weft_rpc_auth *auth, uint64_t expires_ns)
{
    uint64_t now_ns = auth->peer->env->wheel->now_ms * WEFT_NS_PER_MS;
    uint64_t left_ns = expires_ns > now_ns ? expires_ns - now_ns : 0;
    uint64_t before_ns = WEFT_MIN(WEFT_RPC_AUTH_WARN_MS * WEFT_NS_PER_MS, left_ns / 2);
    auth->expires_ns = expires_ns;
    auth->warn_ns = expires_ns - before_ns;
    auth->warned = false;
    auth->expired = false;
    wait_on(auth, now_ns);
}

int weft__rpc_peer_identify(struct weft_rpc_peer *peer, struct weft_rpc_principal *principal,
                            uint64_t expires_ns)
{
    struct weft_rpc_auth *auth = peer->auth;
    WEFT_ASSERT(principal && !peer->closed);
    if (!auth) {
        auth = weft__mem_zalloc(peer->env->alloc, sizeof(*auth));
        if (!auth)
            return WEFT_ERR_NOMEM;
        auth->peer = peer;
        weft__timer_init(&auth->timer, timer_due);
        peer->auth = auth;
    }
    /* The one that is known stays when it is the same: others may look at its names. */
    if (!auth->principal || !weft__rpc_principal_equal(auth->principal, principal)) {
        weft__rpc_principal_unref(auth->principal);
        auth->principal = weft__rpc_principal_ref(principal);
        if (peer->events->identified)
            peer->events->identified(peer->events_ctx);
    }
    auth->assumed = false;
    set_end(auth, expires_ns);
    return 0;
}

void weft__rpc_peer_assume(struct weft_rpc_peer *peer)
{
    WEFT_ASSERT(peer->auth);
    peer->auth->assumed = true;
}

void weft__rpc_peer_forget(struct weft_rpc_peer *peer)
{
    struct weft_rpc_auth *auth = peer->auth;
    if (!auth)
        return;
    peer->auth = NULL;
    weft__timer_stop(peer->env->wheel, &auth->timer);
    weft__rpc_principal_unref(auth->principal);
    weft__mem_free(peer->env->alloc, auth, sizeof(*auth));
}

void weft__rpc_peer_renew(struct weft_rpc_peer *peer, const struct weft_rpc_peer *fresh)
{
    WEFT_ASSERT(!peer->auth == !fresh->auth);
    if (peer->auth)
        set_end(peer->auth, fresh->auth->expires_ns);
}

struct weft_rpc_principal *weft__rpc_peer_principal(const struct weft_rpc_peer *peer)
{
    return peer->auth ? peer->auth->principal : NULL;
}

uint64_t weft__rpc_peer_expires_ns(const struct weft_rpc_peer *peer)
{
    return peer->auth ? peer->auth->expires_ns : WEFT_RPC_AUTH_NEVER;
}

uint64_t weft__rpc_auth_end_ns(uint64_t now_ns, uint64_t expires_in_ms)
{
    uint64_t left_ns, end_ns;
    if (expires_in_ms == WEFT_RPC_AUTH_NEVER ||
        WEFT_MUL_OVERFLOW(expires_in_ms, WEFT_NS_PER_MS, &left_ns) ||
        WEFT_ADD_OVERFLOW(now_ns, left_ns, &end_ns))
        return WEFT_RPC_AUTH_NEVER;
    return end_ns;
}

void weft__rpc_auth_remind(struct weft_rpc_peer *peer)
{
    struct weft_rpc_auth *auth = peer->auth;
    uint64_t now_ns = peer->env->wheel->now_ms * WEFT_NS_PER_MS;
    if (auth && !auth->warned && !auth->expired && now_ns >= auth->warn_ns &&
        now_ns < auth->expires_ns)
        send_expiring(auth, now_ns);
}

/* ---- the methods ---- */

/* |grant|, whose reference this takes, is for |peer|. NULL, or why it cannot have it. */
static const struct weft_rpc_failure *
take_grant(struct weft_rpc_peer *peer, const struct weft_rpc_grant *grant, uint64_t now_ns)
{
    const struct weft_rpc_failure *failure = NULL;
    if (peer->auth && !peer->auth->assumed &&
        !weft__rpc_principal_equal(peer->auth->principal, grant->principal))
        failure = &somebody_else;
    else if (weft__rpc_peer_identify(peer, grant->principal,
                                     weft__rpc_auth_end_ns(now_ns, grant->expires_in_ms)))
        failure = &no_memory;
    weft__rpc_principal_unref(grant->principal);
    return failure;
}

const struct weft_rpc_failure *weft__rpc_auth_present(struct weft_rpc_peer *peer,
                                                      struct weft_slice token, uint64_t now_ns)
{
    struct weft_rpc_grant grant;
    int err = weft__rpc_auth_judge(peer->env, token, &grant);
    if (!err)
        return take_grant(peer, &grant, now_ns);
    if (err != WEFT_ERR_DENIED)
        return &unable;
    if (++peer->auth_refused == WEFT_RPC_AUTH_REFUSED_MAX)
        weft__rpc_peer_violated(peer, "too many tokens refused");
    return &refused;
}

const struct weft_rpc_failure *weft__rpc_auth_greeting(struct weft_rpc_call *call)
{
    struct weft_rpc_peer *peer = call->peer;
    if (!peer->env->authenticator)
        return NULL;
    const struct weft_json *token = weft__json_get(call->params, "token");
    if (weft__json_is(token, WEFT_JSON_STRING))
        return weft__rpc_auth_present(peer, weft__json_string(token), call->now_ns);
    return weft__rpc_auth_objection(peer);
}

void weft__rpc_auth_write(struct weft_json_writer *w, const struct weft_rpc_peer *peer,
                          uint64_t now_ns)
{
    const struct weft_rpc_auth *auth = peer->auth;
    if (!auth)
        return;
    weft__json_key(w, "auth");
    weft__json_begin_object(w);
    weft__json_key(w, "sub");
    weft__json_put_string(w, weft__rpc_principal_subject(auth->principal));
    if (auth->expires_ns != WEFT_RPC_AUTH_NEVER) {
        weft__json_key(w, "expires_in_ms");
        weft__json_put_u64(
            w, auth->expires_ns > now_ns ? (auth->expires_ns - now_ns) / WEFT_NS_PER_MS : 0);
    }
    weft__json_end_object(w);
}

void weft__rpc_serve_auth_refresh(struct weft_rpc_call *call, void *ctx)
{
    (void)ctx;
    struct weft_rpc_peer *peer = call->peer;
    struct weft_slice token = weft__json_string(weft__json_get(call->params, "token"));
    const struct weft_rpc_failure *failure;
    struct weft_rpc_reply reply;
    if (!peer->is_server || !peer->env->authenticator) {
        weft__rpc_call_error(call, WEFT_STATUS_UNIMPLEMENTED, NULL, "Method not found");
        return;
    }
    if (token.len == 0) {
        weft__rpc_call_error(call, WEFT_STATUS_INVALID_ARGUMENT, NULL, "token must be a string");
        return;
    }
    failure = weft__rpc_auth_present(peer, token, call->now_ns);
    if (failure) {
        weft__rpc_call_fail(call, failure);
        return;
    }
    struct weft_json_writer *w = weft__rpc_reply_begin(&reply, call);
    weft__json_begin_object(w);
    weft__rpc_auth_write(w, peer, call->now_ns);
    weft__json_end_object(w);
    weft__rpc_reply_send(&reply);
}

void weft__rpc_serve_auth_expiring(struct weft_rpc_call *call, void *ctx)
{
    (void)ctx;
    struct weft_rpc_peer *peer = call->peer;
    uint64_t in_ms;
    if (!weft__json_u53(weft__json_get(call->params, "in_ms"), &in_ms))
        in_ms = 0;
    weft__rpc_call_result(call, WEFT_SLICE_LIT("null"));
    if (!peer->is_server && peer->events->expiring)
        peer->events->expiring(peer->events_ctx, in_ms);
}
