/* SPDX-License-Identifier: Apache-2.0 */
/* Connecting, the client's thread, and what its transport and session report. */
#include "client/client_internal.h"

#include "base/assert.h"
#include "base/utf8.h"
#include "io/clock.h"
#include "io/crypto.h"

#include <signal.h>
#include <stdio.h>

enum {
    CLOSE_MS = 1000, /* for the closing handshake */
    CONNECT_TIMEOUT_MS = 5000,
    CALL_TIMEOUT_MS = 30000,
    MAX_MESSAGE = 16 * 1024 * 1024,
    SERVER_LIMIT = 1024 * 1024, /* unless the greeting says otherwise */
    STRINGS_MAX = 1024 * 1024,
    HANDLERS_MAX = 1024,
    RECV_BUFFERS = 16, /* io_uring; there is one connection */
};

void weft_client_options_init(struct weft_client_options *options)
{
    *options = (struct weft_client_options){
        .struct_size = sizeof(*options),
        .url = "ws://127.0.0.1:8080/ws",
        .name = "weft-c",
        .version = "",
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
        .call_timeout_ms = CALL_TIMEOUT_MS,
        .max_message = MAX_MESSAGE,
    };
}

bool weft__client_on_loop(const struct weft_client *client)
{
    return pthread_equal(pthread_self(), client->thread) != 0;
}

int weft_client_is_open(const struct weft_client *client)
{
    return atomic_load(&client->open);
}

void weft__client_fail(struct weft_client *client, const char *reason)
{
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
    weft__loop_timer_stop(client->loop, &client->deadline);
    weft__client_wait_tell(&client->connected);
}

static void tell_not_connected(struct weft_client *client)
{
    char message[WEFT_CLIENT_MESSAGE_SIZE];
    int err = client->timed_out ? WEFT_ERR_TIMEOUT : client->transport.err;
    const char *url = client->options.url;
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

static void deadline_due(struct weft_timer *timer)
{
    struct weft_client *client = WEFT_CONTAINER_OF(timer, struct weft_client, deadline);
    client->timed_out = true;
    weft__transport_abort(&client->transport, WEFT_ERR_TIMEOUT);
}

static void greeted(void *ctx, const struct weft_rpc_answer *answer)
{
    struct weft_client *client = ctx;
    uint64_t limit;
    char message[WEFT_CLIENT_MESSAGE_SIZE];
    if (!answer->result) {
        snprintf(message, sizeof(message), "%s refused the greeting: %.*s", client->options.url,
                 (int)WEFT_MIN(answer->error.message.len, (size_t)160),
                 (const char *)answer->error.message.ptr);
        /* When the connection broke, its own end says more. */
        if (client->state == WEFT_CLIENT_GREETING) {
            tell_connected(client, WEFT_ERR_HANDSHAKE, message);
            weft__transport_close(&client->transport, WEFT_WS_CLOSE_NORMAL, weft__slice(NULL, 0));
        }
        return;
    }
    const struct weft_json *limits = weft__json_get(answer->result, "limits");
    if (weft__json_u53(weft__json_get(limits, "message_bytes"), &limit))
        atomic_store(&client->server_limit, (size_t)limit);
    client->state = WEFT_CLIENT_OPEN;
    atomic_store(&client->open, true);
    tell_connected(client, 0, "");
}

/* ---- Session ---- */

static void session_send(void *ctx, struct weft_slice message, enum weft_rpc_lane lane)
{
    struct weft_client *client = ctx;
    (void)lane;
    /* A send that fails has ended the connection, and on_end follows. */
    int err = weft__transport_send(&client->transport, WEFT_WS_OPCODE_TEXT, message);
    (void)err;
}

static void session_failed(void *ctx, unsigned code, const char *reason)
{
    struct weft_client *client = ctx;
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
    if (client->was_open && !client->closing && client->options.goaway)
        client->options.goaway(client->options.closed_ctx, goaway->grace_ms,
                               goaway->reconnect_after_ms);
}

/* ---- Transport ---- */

static struct weft_client *client_of(struct weft_transport *transport)
{
    return WEFT_CONTAINER_OF(transport, struct weft_client, transport);
}

static void on_open(struct weft_transport *transport)
{
    static const struct weft_session_events events = {
        .send = session_send, .failed = session_failed, .goaway = session_goaway};
    struct weft_client *client = client_of(transport);
    const struct weft_session_options options = {
        .env = &client->env, .events = &events, .events_ctx = client, .user = client};
    weft__session_init(&client->session, &options);
    client->state = WEFT_CLIENT_GREETING;
    if (!transport->protocol.len) {
        tell_connected(client, WEFT_ERR_HANDSHAKE, "this server does not speak weft.v1.json");
        weft__transport_close(transport, WEFT_WS_CLOSE_NORMAL, weft__slice(NULL, 0));
        return;
    }
    int err =
        weft__rpc_peer_greet(&client->session.peer, client->options.name, client->options.version,
                             greeted, client, weft__loop_now_ns(client->loop));
    if (err) {
        tell_connected(client, err, weft_err_message(err));
        weft__transport_close(transport, WEFT_WS_CLOSE_INTERNAL, weft__slice(NULL, 0));
    }
}

static void on_message(struct weft_transport *transport, enum weft_ws_opcode opcode,
                       struct weft_slice data)
{
    struct weft_client *client = client_of(transport);
    weft__session_receive(&client->session, opcode, data, weft__loop_now_ns(client->loop));
}

static void on_end(struct weft_transport *transport, unsigned code, struct weft_slice reason)
{
    struct weft_client *client = client_of(transport);
    char text[WEFT_WS_REASON_MAX + 1] = "";
    atomic_store(&client->open, false);
    client->state = WEFT_CLIENT_OVER;
    weft__session_done(&client->session);
    weft__client_docs_end(client, "connection");
    weft__mem_copy(text, reason.ptr, WEFT_MIN(reason.len, sizeof(text) - 1));
    if (client->was_open && !client->closing && client->options.closed)
        client->options.closed(client->options.closed_ctx, code, text);
}

static const struct weft_transport_callbacks transport_callbacks;

/* Connects to the next address. False when there is none. */
static bool dial_next(struct weft_client *client)
{
    while (client->next_address < client->address_count) {
        const struct weft_address *address = &client->addresses[client->next_address++];
        client->request = (struct weft_ws_request){
            .host = weft__slice_str(client->url.authority),
            .target = weft__slice_str(client->url.target),
            .protocols = &client->protocol,
            .protocol_count = 1,
        };
        client->transport.err =
            weft__transport_dial(&client->transport, &client->transports, address, &client->request,
                                 &client->dial, &transport_callbacks);
        if (!client->transport.err) {
            client->dialed = true;
            client->state = WEFT_CLIENT_DIALING;
            return true;
        }
    }
    return false;
}

static void on_closed(struct weft_transport *transport)
{
    struct weft_client *client = client_of(transport);
    bool dialing = client->state == WEFT_CLIENT_DIALING;
    client->dialed = false;
    if (client->closing) {
        weft__loop_stop(client->loop);
        return;
    }
    /* A name may have addresses where nobody listens, IPv6 beside IPv4. */
    if (dialing && !client->timed_out && transport->status == 0 &&
        transport->err != WEFT_ERR_HANDSHAKE && transport->err != WEFT_ERR_TLS) {
        int err = transport->err;
        if (dial_next(client))
            return;
        transport->err = err;
    }
    client->state = WEFT_CLIENT_OVER;
    tell_not_connected(client);
}

static const struct weft_transport_callbacks transport_callbacks = {
    .on_open = on_open, .on_message = on_message, .on_end = on_end, .on_closed = on_closed};

/* ---- The thread ---- */

static void start(struct weft_task *task)
{
    struct weft_client *client = WEFT_CONTAINER_OF(task, struct weft_client, start_task);
    weft__loop_timer_start(client->loop, &client->deadline, client->options.connect_timeout_ms);
    if (!dial_next(client))
        tell_not_connected(client);
}

static void begin_close(struct weft_task *task)
{
    struct weft_client *client = WEFT_CONTAINER_OF(task, struct weft_client, close_task);
    client->closing = true;
    weft__loop_timer_stop(client->loop, &client->deadline);
    if (client->dialed)
        weft__transport_close(&client->transport, WEFT_WS_CLOSE_NORMAL, weft__slice(NULL, 0));
    else
        weft__loop_stop(client->loop);
}

/* Frees what belongs to the loop's thread. */
static void loop_done(struct weft_client *client)
{
    weft__transport_set_done(&client->transports);
    weft__rpc_env_done(&client->env);
    weft__rpc_registry_done(&client->registry);
    /* Requests that were posted last end here, so their callbacks come on this thread, too. */
    weft__loop_free(client->loop);
    weft__arena_done(&client->scratch);
}

static void *thread_main(void *arg)
{
    struct weft_client *client = arg;
    int err = weft__loop_run(client->loop);
    /* Waiting for events failed, for which the kernel gives no reason that a program could mend. */
    WEFT_ASSERT(err == 0 && client->closing);
    loop_done(client);
    return NULL;
}

/* Signals are for the application's own threads. */
static int start_thread(struct weft_client *client)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&client->thread, NULL, thread_main, client);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed ? WEFT_ERR_SYSTEM : 0;
}

/* ---- Making ---- */

static enum weft_transport_deflate deflate_of(int option)
{
    switch (option) {
    case WEFT_CLIENT_DEFLATE_SHARED:
        return WEFT_TRANSPORT_DEFLATE_SHARED;
    case WEFT_CLIENT_DEFLATE_TAKEOVER:
        return WEFT_TRANSPORT_DEFLATE_TAKEOVER;
    default:
        return WEFT_TRANSPORT_DEFLATE_OFF;
    }
}

static void user_notified(struct weft_rpc_call *call, void *ctx)
{
    const struct weft_client_handler *handler = ctx;
    struct weft_client *client = weft__rpc_call_user(call);
    struct weft_slice raw = weft__json_raw(weft__rpc_call_params(call));
    if (!weft__rpc_call_is_notification(call)) {
        weft__rpc_call_error(call, WEFT_STATUS_UNIMPLEMENTED, NULL, "only notified of this");
        return;
    }
    const char *params = raw.ptr ? weft__arena_copy(&client->scratch, raw.ptr, raw.len) : NULL;
    if (raw.ptr && !params)
        weft__rpc_call_error(call, WEFT_STATUS_RESOURCE_EXHAUSTED, NULL, NULL);
    else
        handler->notify(handler->ctx, handler->method, params, params ? raw.len : 0);
    weft__arena_reset(&client->scratch);
    if (params || !raw.ptr)
        weft__rpc_call_result(call, WEFT_SLICE_LIT("null"));
    else
        weft__client_fail(client, "out of memory");
}

static int register_handlers(struct weft_client *client)
{
    int err = weft__client_docs_register(client);
    for (size_t i = 0; !err && i < client->options.handler_count; i++) {
        const struct weft_client_handler *handler = &client->options.handlers[i];
        const struct weft_rpc_method method = {
            .name = handler->method,
            .handler = user_notified,
            .ctx = (void *)(uintptr_t)handler,
        };
        err = weft__rpc_registry_add(&client->registry, &method);
        if (err == WEFT_ERR_EXISTS)
            err = WEFT_ERR_USAGE;
    }
    return err;
}

static const char *copy_string(struct weft_client *client, const char *string)
{
    return weft__arena_copy(&client->strings, string ? string : "", string ? strlen(string) : 0);
}

static int copy_handlers(struct weft_client *client)
{
    struct weft_client_options *own = &client->options;
    if (own->handler_count > HANDLERS_MAX)
        return WEFT_ERR_USAGE;
    struct weft_client_handler *copy =
        weft__arena_alloc_array(&client->strings, own->handler_count, sizeof(*copy));
    if (!copy)
        return WEFT_ERR_NOMEM;
    for (size_t i = 0; i < own->handler_count; i++) {
        copy[i] = own->handlers[i];
        if (!copy[i].method || !copy[i].notify)
            return WEFT_ERR_USAGE;
        copy[i].method = copy_string(client, copy[i].method);
        if (!copy[i].method)
            return WEFT_ERR_NOMEM;
    }
    own->handlers = copy;
    return 0;
}

/* The files of TLS, which may be absent. */
static bool copy_files(struct weft_client *client)
{
    struct weft_client_options *own = &client->options;
    const char **files[] = {&own->ca_file, &own->cert_file, &own->key_file};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(files); i++) {
        if (*files[i] && !(*files[i] = copy_string(client, *files[i])))
            return false;
    }
    return true;
}

static int copy_options(struct weft_client *client, const struct weft_client_options *options)
{
    struct weft_client_options *own = &client->options;
    weft_client_options_init(own);
    memcpy(own, options, WEFT_MIN(options->struct_size, sizeof(*own)));
    if (!own->url || !own->connect_timeout_ms || !own->call_timeout_ms || !own->max_message ||
        own->loop < WEFT_CLIENT_LOOP_AUTO || own->loop > WEFT_CLIENT_LOOP_URING ||
        own->deflate < WEFT_CLIENT_DEFLATE_OFF || own->deflate > WEFT_CLIENT_DEFLATE_TAKEOVER)
        return WEFT_ERR_USAGE;
    own->url = copy_string(client, own->url);
    own->name = copy_string(client, own->name);
    own->version = copy_string(client, own->version);
    if (!own->url || !own->name || !own->version || !copy_files(client))
        return WEFT_ERR_NOMEM;
    if (!weft__utf8_valid((const uint8_t *)own->name, strlen(own->name)) ||
        !weft__utf8_valid((const uint8_t *)own->version, strlen(own->version)))
        return WEFT_ERR_UTF8;
    return copy_handlers(client);
}

/* Takes the URL apart and looks its host up. */
static int find_server(struct weft_client *client, char *ret_message, size_t size)
{
    const char *url = client->options.url;
    if (weft__url_parse(url, &client->url)) {
        snprintf(ret_message, size, "%s is no URL of a WebSocket (ws://HOST:PORT/ws)", url);
        return WEFT_ERR_USAGE;
    }
    int count = weft__url_resolve(&client->url, WEFT_CLIENT_ADDRESSES_MAX, client->addresses);
    if (count < 0) {
        snprintf(ret_message, size, "cannot find the host %s", client->url.host);
        return count;
    }
    client->address_count = count;
    return 0;
}

/* What wss needs. */
static int make_tls(struct weft_client *client, char *ret_message, size_t size)
{
    const struct weft_client_options *own = &client->options;
    const struct weft_tls_certificate certificate = {own->cert_file, own->key_file};
    const struct weft_tls_options options = {
        .role = WEFT_TLS_CLIENT,
        .alloc = client->alloc,
        .certificates = &certificate,
        .certificate_count = own->cert_file != NULL,
        .ca_file = own->ca_file,
        .accept_any = own->insecure_accept_any_certificate != 0,
    };
    if (!own->cert_file != !own->key_file) {
        snprintf(ret_message, size, "a certificate and its key belong together");
        return WEFT_ERR_USAGE;
    }
    return client->url.secure ? weft__tls_context_new(&options, &client->tls, ret_message, size)
                              : 0;
}

static int make_loop(struct weft_client *client)
{
    const struct weft_loop_options options = {
        .backend = (enum weft_loop_backend)client->options.loop,
        .alloc = client->alloc,
        .recv_buffer_count = RECV_BUFFERS,
    };
    return weft__loop_new(&options, &client->loop);
}

/* Everything on the loop; afterwards loop_done frees it. */
static int loop_init(struct weft_client *client)
{
    const struct weft_crypto *crypto = weft__crypto_openssl();
    const struct weft_transport_options transport_options = {
        .alloc = client->alloc,
        .crypto = crypto,
        .max_message = client->options.max_message,
        .handshake_ms = client->options.connect_timeout_ms,
        .close_ms = CLOSE_MS,
        .tls_dial = client->tls,
        .deflate = deflate_of(client->options.deflate),
    };
    struct weft_hash_key hash_key;
    crypto->random(crypto->ctx, &hash_key, sizeof(hash_key));
    weft__transport_set_init(&client->transports, client->loop, &transport_options);
    weft__rpc_registry_init(&client->registry, client->alloc, hash_key);
    weft__rpc_env_init(&client->env, client->alloc, &client->registry,
                       weft__loop_wheel(client->loop), hash_key);
    client->env.text_is_utf8 = true;
    weft__arena_init(&client->scratch, client->alloc, SIZE_MAX);
    weft__list_init(&client->docs);
    weft__timer_init(&client->deadline, deadline_due);
    weft__task_init(&client->start_task, start);
    weft__task_init(&client->close_task, begin_close);
    client->protocol = weft__slice_str(weft__session_protocols[0]);
    int err = register_handlers(client);
    if (!err)
        err = start_thread(client);
    if (err)
        loop_done(client);
    return err;
}

static void client_free(struct weft_client *client)
{
    const struct weft_alloc *alloc = client->alloc;
    weft__client_wait_done(&client->connected);
    weft__tls_context_free(client->tls);
    weft__arena_done(&client->strings);
    weft__mem_free(alloc, client, sizeof(*client));
}

/* Everything up to the running thread. */
static int client_init(struct weft_client *client, const struct weft_client_options *options,
                       char *ret_message, size_t size)
{
    int err = copy_options(client, options);
    if (!err)
        err = find_server(client, ret_message, size);
    if (!err)
        err = make_tls(client, ret_message, size);
    if (!err) {
        err = make_loop(client);
        if (err == WEFT_ERR_UNAVAILABLE)
            snprintf(ret_message, size, "this machine does not have the loop asked for");
    }
    if (!err)
        err = loop_init(client);
    return err;
}

int weft_client_connect(const struct weft_client_options *options, struct weft_client **ret_client,
                        char *ret_message, size_t message_size)
{
    const struct weft_alloc *alloc = options->alloc ? options->alloc : weft_alloc_default();
    char message[WEFT_CLIENT_MESSAGE_SIZE] = "";
    struct weft_client *client = weft__mem_zalloc(alloc, sizeof(*client));
    int err = WEFT_ERR_NOMEM;
    if (client) {
        client->alloc = alloc;
        atomic_init(&client->server_limit, (size_t)SERVER_LIMIT);
        weft__client_wait_init(&client->connected);
        weft__arena_init(&client->strings, alloc, STRINGS_MAX);
        err = client_init(client, options, message, sizeof(message));
        if (err) {
            client_free(client);
        } else {
            weft__loop_post(client->loop, &client->start_task);
            weft__client_wait_for(&client->connected);
            err = client->connect_err;
            snprintf(message, sizeof(message), "%s", client->connect_message);
            if (err)
                weft_client_close(client);
            else
                *ret_client = client;
        }
    }
    if (ret_message && message_size)
        snprintf(ret_message, message_size, "%s",
                 err && !message[0] ? weft_err_message(err) : message);
    return err;
}

void weft_client_close(struct weft_client *client)
{
    if (!client)
        return;
    WEFT_ASSERT(!weft__client_on_loop(client));
    weft__loop_post(client->loop, &client->close_task);
    pthread_join(client->thread, NULL);
    while (!weft__list_empty(&client->docs)) {
        struct weft_client_doc *doc =
            WEFT_CONTAINER_OF(client->docs.next, struct weft_client_doc, link);
        weft__list_remove(&doc->link);
        weft__client_doc_free(doc);
    }
    client_free(client);
}
