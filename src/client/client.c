/* SPDX-License-Identifier: Apache-2.0 */
/* Making a client, its thread, and its end. */
#include "client/client_internal.h"

#include "base/assert.h"
#include "io/clock.h"
#include "io/crypto.h"

#include <signal.h>
#include <stdio.h>

enum {
    CLOSE_MS = 1000,            /* for the closing handshake */
    SERVER_LIMIT = 1024 * 1024, /* unless the greeting says otherwise */
    STRINGS_MAX = 1024 * 1024,
    RECV_BUFFERS = 16, /* io_uring; there is one connection */
};

bool weft__client_on_loop(const struct weft_client *client)
{
    return pthread_equal(pthread_self(), client->thread) != 0;
}

struct weft_peer *weft_client_peer(struct weft_client *client)
{
    return client->peer;
}

int weft_client_is_open(const struct weft_client *client)
{
    return atomic_load(&client->open);
}

/* ---- The thread ---- */

static void start(struct weft_task *task)
{
    struct weft_client *client = WEFT_CONTAINER_OF(task, struct weft_client, start_task);
    weft__client_dial_first(client);
}

static void begin_close(struct weft_task *task)
{
    struct weft_client *client = WEFT_CONTAINER_OF(task, struct weft_client, close_task);
    weft__client_connection_close(client);
}

/* Frees what belongs to the loop's thread. */
static void loop_done(struct weft_client *client)
{
    weft__transport_set_done(&client->transports);
    weft__rpc_env_done(&client->env);
    weft__rpc_registry_done(&client->registry);
    weft__served_free(client->served);
    if (client->domain)
        weft__domain_close(client->domain);
    /* Requests that were posted last end here, so their callbacks come on this thread, too. */
    weft__loop_free(client->loop);
    weft__arena_done(&client->scratch);
}

static void *thread_main(void *arg)
{
    struct weft_client *client = arg;
    weft__domain_enter(client->domain);
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

/* What the server may call. */
static int serve_methods(struct weft_client *client)
{
    enum { POOL_QUEUE = 1024 };
    const struct weft_client_options *own = &client->options;
    bool blocking = false;
    for (size_t i = 0; i < own->method_count; i++)
        blocking |= (own->methods[i].flags & WEFT_METHOD_BLOCKING) != 0;
    int err = blocking ? weft__pool_new(client->alloc, WEFT_MAX(own->pool_threads, 1u), POOL_QUEUE,
                                        &client->pool)
                       : 0;
    if (err)
        return err;
    client->domain = weft__domain_new(client->alloc, client->loop, client->pool);
    if (client->domain)
        weft__domain_set_message_max(client->domain, SERVER_LIMIT);
    client->peer = client->domain ? weft__peer_new(client->domain) : NULL;
    return client->peer ? weft__methods_register(client->domain, &client->registry, own->methods,
                                                 own->method_count, &client->served)
                        : WEFT_ERR_NOMEM;
}

static int register_handlers(struct weft_client *client)
{
    int err = serve_methods(client);
    if (!err)
        err = weft__client_docs_register(client);
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

/* Takes the URL of server |index| apart and looks its host up. */
static int find_server(struct weft_client *client, size_t index, char *ret_message, size_t size)
{
    struct weft_client_server *server = &client->servers[index];
    struct weft_address addresses[WEFT_CLIENT_ADDRESSES_MAX];
    if (weft__url_parse(server->text, &server->url)) {
        snprintf(ret_message, size, "%s is no URL of a WebSocket (ws://HOST:PORT/ws)",
                 server->text);
        return WEFT_ERR_USAGE;
    }
    if (server->url.secure != client->servers[0].url.secure) {
        snprintf(ret_message, size, "either all servers are reached by wss or none");
        return WEFT_ERR_USAGE;
    }
    int count = weft__url_resolve(&server->url, WEFT_CLIENT_ADDRESSES_MAX, addresses);
    if (count < 0) {
        snprintf(ret_message, size, "cannot find the host %s", server->url.host);
        return count;
    }
    for (int i = 0; i < count; i++)
        client->targets[client->target_count++] =
            (struct weft_client_target){.address = addresses[i], .server = index};
    return 0;
}

/* A server whose name nobody knows is done without, as long as there is another one. */
static int find_servers(struct weft_client *client, char *ret_message, size_t size)
{
    int err = 0;
    for (size_t i = 0; i < client->server_count; i++) {
        err = find_server(client, i, ret_message, size);
        if (err && err != WEFT_ERR_NOT_FOUND && err != WEFT_ERR_UNAVAILABLE)
            return err;
    }
    return client->target_count ? 0 : err;
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
    return client->servers[0].url.secure
               ? weft__tls_context_new(&options, &client->tls, ret_message, size)
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
    client->env.decode.text_is_utf8 = true;
    weft__arena_init(&client->scratch, client->alloc, SIZE_MAX);
    weft__list_init(&client->docs);
    weft__client_connection_init(client);
    weft__task_init(&client->start_task, start);
    weft__task_init(&client->close_task, begin_close);
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
    weft__pool_free(client->pool);
    weft_peer_unref(client->peer);
    weft__domain_unref(client->domain);
    weft__wait_done(&client->connected);
    weft__tls_context_free(client->tls);
    weft__client_token_done(client);
    weft__arena_done(&client->strings);
    weft__mem_free(alloc, client, sizeof(*client));
}

/* Everything up to the running thread. */
static int client_init(struct weft_client *client, const struct weft_client_options *options,
                       char *ret_message, size_t size)
{
    int err = weft__client_copy_options(client, options);
    if (!err)
        err = find_servers(client, ret_message, size);
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
        weft__wait_init(&client->connected);
        weft__arena_init(&client->strings, alloc, STRINGS_MAX);
        err = client_init(client, options, message, sizeof(message));
        if (err) {
            client_free(client);
        } else {
            weft__loop_post(client->loop, &client->start_task);
            weft__wait_for(&client->connected);
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
    /* Methods on it may use the client to their end. */
    weft__pool_free(client->pool);
    client->pool = NULL;
    while (!weft__list_empty(&client->docs)) {
        struct weft_client_doc *doc =
            WEFT_CONTAINER_OF(client->docs.next, struct weft_client_doc, link);
        weft__list_remove(&doc->link);
        weft__client_doc_free(doc);
    }
    client_free(client);
}
