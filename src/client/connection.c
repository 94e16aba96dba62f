/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection: dialling, greeting, its end, and the next one. What its transport and session
 * report arrives here.
 *
 *   dial ─► DIALING ─► GREETING ─► OPEN ─► OVER ─┬─► closed
 *    ▲                                           └─► with options.reconnect: a delay
 *    └───────────────────────────────────────────────────┘
 *
 * The session, once there is one, lives through all connections until the server has forgotten it.
 */
#include "client/client_internal.h"

#include "base/assert.h"
#include "io/crypto.h"

#include <stdio.h>

enum { CLOSE_FENCED = 4001 /* somebody has taken up our session */ };

static uint64_t now_ns(const struct weft_client *client)
{
    return weft__loop_now_ns(client->loop);
}

static const struct weft_client_target *target_of(const struct weft_client *client)
{
    return &client->targets[client->target];
}

static const char *url_of(const struct weft_client *client)
{
    return client->servers[target_of(client)->server].text;
}

void weft__client_fail(struct weft_client *client, const char *reason)
{
    if (client->dialed)
        weft__transport_close(&client->transport, WEFT_WS_CLOSE_PROTOCOL, weft__slice_str(reason));
}

/* ---- The result of connecting ---- */

/* Tells weft_client_connect, once. */
static void tell_connected(struct weft_client *client, int err, const char *message)
{
    if (client->has_result)
        return;
    client->has_result = true;
    client->connect_err = err;
    client->was_open = err == 0;
    snprintf(client->connect_message, sizeof(client->connect_message), "%s", message);
    weft__wait_tell(&client->connected);
}

static void tell_not_connected(struct weft_client *client)
{
    char message[WEFT_CLIENT_MESSAGE_SIZE];
    int err = client->timed_out ? WEFT_ERR_TIMEOUT : client->transport.err;
    const char *url = url_of(client);
    if (!err)
        err = WEFT_ERR_CLOSED;
    if (err == WEFT_ERR_HANDSHAKE && client->transport.status)
        snprintf(message, sizeof(message), "%s answered with HTTP status %d", url,
                 client->transport.status);
    else if (err == WEFT_ERR_TLS && client->dial.failure[0])
        snprintf(message, sizeof(message), "cannot connect to %s: %s", url, client->dial.failure);
    else if (err == WEFT_ERR_UNAVAILABLE)
        snprintf(message, sizeof(message), "cannot connect to %s: nobody answers there", url);
    else
        snprintf(message, sizeof(message), "cannot connect to %s: %s", url, weft_err_message(err));
    tell_connected(client, err, message);
}

/* Whether the first connection may still be made to another server than the present one. */
static bool others_left(const struct weft_client *client)
{
    return !client->has_result && !client->timed_out &&
           client->targets[client->target_count - 1].server != target_of(client)->server;
}

static void tell_status(struct weft_client *client, int status, unsigned code, const char *reason)
{
    if (client->was_open && !client->closing && client->options.status)
        client->options.status(client->options.closed_ctx, status, code, reason);
}

static void greeted(void *ctx, const struct weft_rpc_answer *answer)
{
    struct weft_client *client = ctx;
    uint64_t limit;
    char message[WEFT_CLIENT_MESSAGE_SIZE];
    if (!answer->result) {
        bool denied = answer->error.status == WEFT_STATUS_UNAUTHENTICATED ||
                      answer->error.status == WEFT_STATUS_PERMISSION_DENIED;
        snprintf(message, sizeof(message), "%s refused the greeting: %.*s", url_of(client),
                 (int)WEFT_MIN(answer->error.message.len, (size_t)160),
                 (const char *)answer->error.message.ptr);
        /* When the connection broke, its own end says more. */
        if (client->state == WEFT_CLIENT_GREETING) {
            if (denied || !others_left(client))
                tell_connected(client, denied ? WEFT_ERR_DENIED : WEFT_ERR_HANDSHAKE, message);
            weft__transport_close(&client->transport, WEFT_WS_CLOSE_NORMAL, weft__slice(NULL, 0));
            if (denied)
                weft__client_token_wanted(client, 0);
        }
        return;
    }
    const struct weft_json *limits = weft__json_get(answer->result, "limits");
    if (weft__json_u53(weft__json_get(limits, "message_bytes"), &limit))
        weft__domain_set_message_max(client->domain, (size_t)limit);
    client->state = WEFT_CLIENT_OPEN;
    weft__loop_timer_stop(client->loop, &client->deadline);
    weft__reconnect_opened(&client->reconnect, client->target, now_ns(client));
    atomic_store(&client->open, true);
    atomic_store(&client->accepting, true);
    if (client->has_result)
        tell_status(client, WEFT_CLIENT_CONNECTED, 0, "");
    else
        tell_connected(client, 0, "");
}

/* ---- Session ---- */

static void session_send(void *ctx, struct weft_slice message, enum weft_rpc_lane lane)
{
    struct weft_client *client = ctx;
    /* A send that fails has ended the connection, and on_end follows. */
    if (lane == WEFT_RPC_LANE_DATA)
        (void)!weft__transport_send(&client->transport, WEFT_WS_OPCODE_TEXT, message);
    else
        (void)!weft__transport_send_control(&client->transport, WEFT_WS_OPCODE_TEXT, message);
}

static void session_failed(void *ctx, unsigned code, const char *reason)
{
    struct weft_client *client = ctx;
    if (!client->dialed)
        return; /* the next greeting finds out */
    if (code == WEFT_WS_CLOSE_ABNORMAL)
        weft__transport_abort(&client->transport, WEFT_ERR_TIMEOUT);
    else
        weft__transport_close(&client->transport, code, weft__slice_str(reason));
}

/* The server stops: it would refuse what is called from now on, or not even answer. */
static void session_goaway(void *ctx, const struct weft_rpc_goaway *goaway)
{
    struct weft_client *client = ctx;
    if (client->leaving)
        return;
    client->leaving = true;
    client->come_back_ms = goaway->reconnect_after_ms;
    if (client->was_open && !client->closing && client->options.goaway)
        client->options.goaway(client->options.closed_ctx, goaway->grace_ms,
                               goaway->reconnect_after_ms);
}

static void session_expiring(void *ctx, uint64_t in_ms)
{
    weft__client_token_wanted(ctx, in_ms);
}

static void session_resume_failed(void *ctx, struct weft_slice reason)
{
    char text[64];
    snprintf(text, sizeof(text), "%.*s", (int)WEFT_MIN(reason.len, sizeof(text) - 1),
             (const char *)reason.ptr);
    tell_status(ctx, WEFT_CLIENT_SESSION_LOST, 0, text);
}

static void session_init(struct weft_client *client)
{
    static const struct weft_session_events events = {.send = session_send,
                                                      .failed = session_failed,
                                                      .expiring = session_expiring,
                                                      .goaway = session_goaway,
                                                      .resume_failed = session_resume_failed};
    const struct weft_session_options options = {
        .env = &client->env,
        .events = &events,
        .events_ctx = client,
        .user = client,
        .replay_bytes = client->options.reconnect ? client->options.replay_bytes : 0,
    };
    if (client->session_live)
        return;
    weft__session_init(&client->session, &options);
    weft__peer_attach(client->peer, &client->session.peer);
    client->session_live = true;
}

/* Everything under way ends. */
static void session_done(struct weft_client *client)
{
    atomic_store(&client->accepting, false);
    if (client->session_live)
        weft__session_done(&client->session);
    client->session_live = false;
}

/* ---- Transport ---- */

static struct weft_client *client_of(struct weft_transport *transport)
{
    return WEFT_CONTAINER_OF(transport, struct weft_client, transport);
}

static void on_open(struct weft_transport *transport)
{
    struct weft_client *client = client_of(transport);
    session_init(client);
    client->state = WEFT_CLIENT_GREETING;
    if (!transport->protocol.len) {
        if (!others_left(client))
            tell_connected(client, WEFT_ERR_HANDSHAKE, "this server does not speak weft.v1.json");
        weft__transport_close(transport, WEFT_WS_CLOSE_NORMAL, weft__slice(NULL, 0));
        return;
    }
    const struct weft_rpc_greeting greeting = {
        .name = client->options.name, .version = client->options.version, .token = client->token};
    int err =
        weft__rpc_peer_greet(&client->session.peer, &greeting, greeted, client, now_ns(client));
    if (err) {
        tell_connected(client, err, weft_err_message(err));
        weft__transport_close(transport, WEFT_WS_CLOSE_INTERNAL, weft__slice(NULL, 0));
    }
}

static void on_message(struct weft_transport *transport, enum weft_ws_opcode opcode,
                       struct weft_slice data)
{
    struct weft_client *client = client_of(transport);
    weft__session_receive(&client->session, opcode, data, now_ns(client));
}

/* Whether another connection follows one that has ended with |code|. */
static bool comes_back(const struct weft_client *client, unsigned code)
{
    return client->options.reconnect && client->was_open && !client->closing &&
           code != CLOSE_FENCED;
}

static void on_end(struct weft_transport *transport, unsigned code, struct weft_slice reason)
{
    struct weft_client *client = client_of(transport);
    char text[WEFT_WS_REASON_MAX + 1] = "";
    bool was_open = client->state == WEFT_CLIENT_OPEN;
    weft__mem_copy(text, reason.ptr, WEFT_MIN(reason.len, sizeof(text) - 1));
    atomic_store(&client->open, false);
    client->state = WEFT_CLIENT_OVER;
    client->retry = comes_back(client, code);
    if (client->retry && client->session.peer.session)
        weft__session_detach(&client->session);
    else
        session_done(client);
    weft__client_docs_end(client, "connection");
    if (client->retry && was_open) {
        weft__reconnect_lost(&client->reconnect, now_ns(client));
        tell_status(client, WEFT_CLIENT_RECONNECTING, code, text);
    } else if (client->retry) {
        weft__reconnect_failed(&client->reconnect, client->target, now_ns(client));
    } else if (client->was_open && !client->closing && client->options.closed) {
        client->options.closed(client->options.closed_ctx, code, text);
    }
}

static const struct weft_transport_callbacks transport_callbacks;

/* Connects to address |index|. **Errors:** those of weft__transport_dial. */
static int dial(struct weft_client *client, int index)
{
    client->target = index;
    const struct weft_client_target *target = target_of(client);
    const struct weft_url *url = &client->servers[target->server].url;
    client->request = (struct weft_ws_request){
        .host = weft__slice_str(url->authority),
        .target = weft__slice_str(url->target),
        .protocols = &client->protocol,
        .protocol_count = 1,
    };
    client->transport.err =
        weft__transport_dial(&client->transport, &client->transports, &target->address,
                             &client->request, &client->dial, &transport_callbacks);
    if (!client->transport.err) {
        client->dialed = true;
        client->state = WEFT_CLIENT_DIALING;
    }
    return client->transport.err;
}

/* ---- The first connection ---- */

/* Connects to the next address. False when there is none. */
static bool dial_next(struct weft_client *client)
{
    while (client->tried < client->target_count) {
        if (!dial(client, client->tried++))
            return true;
        weft__reconnect_failed(&client->reconnect, client->target, now_ns(client));
    }
    return false;
}

void weft__client_dial_first(struct weft_client *client)
{
    weft__loop_timer_start(client->loop, &client->deadline, client->options.connect_timeout_ms);
    if (!dial_next(client))
        tell_not_connected(client);
}

/* A name may have addresses where nobody listens, IPv6 beside IPv4. A server that has answered, but
 * will not have us, would do so at each of its own: the next one may. */
static bool try_another(struct weft_client *client, bool dialing)
{
    int err = client->transport.err;
    bool answered = !dialing || client->transport.status != 0 || err == WEFT_ERR_HANDSHAKE ||
                    err == WEFT_ERR_TLS;
    if (client->has_result || client->timed_out)
        return false;
    size_t server = target_of(client)->server;
    while (answered && client->tried < client->target_count &&
           client->targets[client->tried].server == server)
        client->tried++;
    if (dial_next(client))
        return true;
    client->transport.err = err;
    return false;
}

/* ---- The next ones ---- */

static void wait_ms(struct weft_client *client, uint64_t ms)
{
    weft__loop_timer_start(client->loop, &client->retry_timer, ms);
}

static void retry_later(struct weft_client *client)
{
    const struct weft_crypto *crypto = weft__crypto_openssl();
    uint32_t random;
    crypto->random(crypto->ctx, &random, sizeof(random));
    uint32_t delay_ms = weft__reconnect_delay_ms(&client->reconnect, random);
    /* A server that stops says when it wants to be asked again. */
    wait_ms(client, client->leaving ? client->come_back_ms : delay_ms);
    client->leaving = false;
}

static void retry_due(struct weft_timer *timer)
{
    struct weft_client *client = WEFT_CONTAINER_OF(timer, struct weft_client, retry_timer);
    uint64_t until_ns = 0;
    uint64_t now = now_ns(client);
    int index = weft__reconnect_choose(&client->reconnect, now, &until_ns);
    if (index < 0) {
        wait_ms(client, (until_ns - now) / WEFT_NS_PER_MS + 1);
        return;
    }
    client->timed_out = false;
    if (dial(client, index)) {
        weft__reconnect_failed(&client->reconnect, index, now);
        retry_later(client);
        return;
    }
    weft__loop_timer_start(client->loop, &client->deadline, client->options.connect_timeout_ms);
}

static void on_closed(struct weft_transport *transport)
{
    struct weft_client *client = client_of(transport);
    bool dialing = client->state == WEFT_CLIENT_DIALING;
    client->dialed = false;
    weft__loop_timer_stop(client->loop, &client->retry_timer);
    if (client->closing) {
        session_done(client);
        weft__loop_stop(client->loop);
        return;
    }
    if (dialing || !client->has_result) {
        weft__reconnect_failed(&client->reconnect, client->target, now_ns(client));
        if (try_another(client, dialing))
            return;
        client->state = WEFT_CLIENT_OVER;
    }
    tell_not_connected(client);
    if (!client->retry)
        return;
    weft__loop_timer_stop(client->loop, &client->deadline);
    retry_later(client);
}

static const struct weft_transport_callbacks transport_callbacks = {
    .on_open = on_open, .on_message = on_message, .on_end = on_end, .on_closed = on_closed};

/* ---- Deadline and end ---- */

static void deadline_due(struct weft_timer *timer)
{
    struct weft_client *client = WEFT_CONTAINER_OF(timer, struct weft_client, deadline);
    client->timed_out = true;
    weft__transport_abort(&client->transport, WEFT_ERR_TIMEOUT);
}

void weft__client_connection_init(struct weft_client *client)
{
    weft__timer_init(&client->deadline, deadline_due);
    weft__timer_init(&client->retry_timer, retry_due);
    weft__reconnect_init(
        &client->reconnect, client->target_count, WEFT_MAX(client->options.reconnect_min_ms, 1u),
        WEFT_MAX(client->options.reconnect_max_ms, WEFT_MAX(client->options.reconnect_min_ms, 1u)));
    client->protocol = weft__slice_str(weft__session_protocols[0]);
}

void weft__client_connection_close(struct weft_client *client)
{
    client->closing = true;
    weft__loop_timer_stop(client->loop, &client->deadline);
    weft__loop_timer_stop(client->loop, &client->retry_timer);
    if (client->dialed) {
        weft__transport_close(&client->transport, WEFT_WS_CLOSE_NORMAL, weft__slice(NULL, 0));
        return;
    }
    session_done(client);
    weft__loop_stop(client->loop);
}
