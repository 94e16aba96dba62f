/* SPDX-License-Identifier: Apache-2.0 */
/* `weft echo --connect`: one connection, in a thread of its own so that the main one can wait for
 * signals, as the server does. */
#include "echo.h"

#include "io/url.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

struct client {
    struct weft_loop *loop;
    struct weft_transport_set transports;
    struct weft_transport transport;
    struct weft_transport_dial dial;
    struct weft_task stop_task;
    bool opened;
    bool closed;
};

static struct client *client_of(struct weft_transport *transport)
{
    return WEFT_CONTAINER_OF(transport, struct client, transport);
}

static void on_open(struct weft_transport *transport)
{
    client_of(transport)->opened = true;
}

static void on_closed(struct weft_transport *transport)
{
    struct client *client = client_of(transport);
    client->closed = true;
    weft__loop_stop(client->loop);
}

static const struct weft_transport_callbacks callbacks = {
    .on_open = on_open, .on_message = echo_message, .on_closed = on_closed};

static void stop_client(struct weft_task *task)
{
    struct client *client = WEFT_CONTAINER_OF(task, struct client, stop_task);
    if (!client->closed)
        weft__transport_close(&client->transport, WEFT_WS_CLOSE_GOING_AWAY,
                              weft__slice_str("shutting down"));
}

static void *thread_main(void *arg)
{
    struct client *client = arg;
    int err = weft__loop_run(client->loop);
    if (err)
        echo_complain("the event loop failed", err);
    (void)kill(getpid(), SIGUSR1);
    return NULL;
}

/* Lets the thread run until the connection ended; a signal ends it. */
static int run(struct client *client)
{
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGUSR1);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    pthread_t thread;
    if (pthread_create(&thread, NULL, thread_main, client))
        return WEFT_ERR_SYSTEM;
    int received;
    (void)sigwait(&signals, &received);
    if (received != SIGUSR1) {
        (void)sigdelset(&signals, SIGUSR1);
        (void)pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
        weft__loop_post(client->loop, &client->stop_task);
    }
    (void)pthread_join(thread, NULL);
    return 0;
}

static void report(const struct client *client, const char *url)
{
    const struct weft_transport *transport = &client->transport;
    if (client->opened)
        return;
    if (transport->status && transport->err == WEFT_ERR_HANDSHAKE)
        (void)fprintf(stderr, "weft echo: %s: refused with status %d\n", url, transport->status);
    else if (client->dial.failure[0])
        (void)fprintf(stderr, "weft echo: %s: %s\n", url, client->dial.failure);
    else
        echo_complain(url, transport->err);
}

int echo_connect(const struct echo_options *options)
{
    struct weft_url url;
    struct weft_address address;
    int err = weft__url_parse(options->connect, &url);
    if (!err)
        err = weft__url_resolve(&url, 1, &address);
    if (err < 0) {
        echo_complain(options->connect, err);
        return 1;
    }
    struct client client = {0};
    struct weft_tls_context *tls = NULL;
    if (url.secure && echo_tls(options, WEFT_TLS_CLIENT, &tls))
        return 1;
    struct weft_loop_options loop_options = {.backend = options->backend};
    err = weft__loop_new(&loop_options, &client.loop);
    if (err) {
        echo_complain("cannot make an event loop", err);
        weft__tls_context_free(tls);
        return 1;
    }
    struct weft_transport_options transport_options;
    echo_transport_options(options, tls, &transport_options);
    weft__transport_set_init(&client.transports, client.loop, &transport_options);
    weft__task_init(&client.stop_task, stop_client);
    struct weft_ws_request request = {.host = weft__slice_str(url.authority),
                                      .target = weft__slice_str(url.target)};
    err = weft__transport_dial(&client.transport, &client.transports, &address, &request,
                               &client.dial, &callbacks);
    if (!err)
        err = run(&client);
    if (err)
        echo_complain(options->connect, err);
    else
        report(&client, options->connect);
    /* Without a thread the connection is still open: the end of the process ends it. */
    if (err)
        return 1;
    weft__transport_set_done(&client.transports);
    weft__loop_free(client.loop);
    weft__tls_context_free(tls);
    return client.opened ? 0 : 1;
}
