/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `weft echo --listen`: one thread, loop and listener for each worker, all on one port. The main
 * thread makes them, then waits for a signal and posts each worker the task to end: it stops
 * accepting, closes its connections with 1001, and its loop stops when the last is gone.
 *
 * With --broadcast each worker has a topic that all its connections subscribe to; a message is
 * published on every worker's.
 */
#include "echo.h"

#include "base/mem.h"
#include "transport/broadcast.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

struct worker {
    struct weft_loop *loop;
    struct weft_listener listener;
    struct weft_loop_hook hook; /* before that of the transports: it makes their output */
    struct weft_transport_set transports;
    struct weft_topics topics;
    struct weft_topic topic;
    const struct weft_transport_callbacks *callbacks;
    struct worker *all; /* the array of workers, this one among them */
    unsigned count;
    struct weft_task stop_task;
    pthread_t thread;
    bool listening;
    bool stopping;
    bool running; /* has a thread */
};

struct echo_conn {
    struct weft_transport transport;
    struct weft_transport_subscription subscription;
};

/* A message on its way to another worker. */
struct post {
    struct weft_task task;
    struct worker *to;
    struct weft_ws_message *message;
};

/* ---- Connections ---- */

static struct worker *worker_of(struct weft_loop *loop)
{
    return weft__loop_owner(loop);
}

static void stop_when_idle(struct worker *worker)
{
    if (worker->stopping && !worker->listening && !worker->transports.stats.count)
        weft__loop_stop(worker->loop);
}

static void on_request(struct weft_transport *transport, const struct weft_http1_head *head)
{
    struct weft_ws_upgrade upgrade;
    int status = 426;
    int err = WEFT_ERR_HANDSHAKE;
    if (weft__ws_upgrade_wanted(head))
        err = weft__ws_upgrade_check(head, NULL, 0, &upgrade, &status);
    if (!err)
        err = weft__transport_accept(transport, &upgrade, NULL, 0);
    else
        err = weft__transport_refuse(transport, status, NULL, NULL, 0);
    if (err)
        weft__transport_abort(transport, err);
}

static void on_closed(struct weft_transport *transport)
{
    struct echo_conn *conn = WEFT_CONTAINER_OF(transport, struct echo_conn, transport);
    struct worker *worker = worker_of(transport->tcp.loop);
    weft__mem_free(weft_alloc_default(), conn, sizeof(*conn));
    stop_when_idle(worker);
}

static const struct weft_transport_callbacks echo_callbacks = {
    .on_request = on_request, .on_message = echo_message, .on_closed = on_closed};

/* ---- Broadcasts ---- */

static struct echo_conn *conn_of(struct weft_transport *transport)
{
    return WEFT_CONTAINER_OF(transport, struct echo_conn, transport);
}

static void on_open(struct weft_transport *transport)
{
    struct worker *worker = worker_of(transport->tcp.loop);
    weft__transport_subscribe(&conn_of(transport)->subscription, transport, &worker->topic);
}

static void on_end(struct weft_transport *transport, unsigned code, struct weft_slice reason)
{
    (void)code;
    (void)reason;
    weft__transport_unsubscribe(&conn_of(transport)->subscription);
}

static void on_drain(struct weft_transport *transport)
{
    weft__transport_subscription_drained(&conn_of(transport)->subscription);
}

static void publish(struct worker *worker, struct weft_ws_message *message)
{
    int err = weft__topic_publish(&worker->topic, message, NULL, 0);
    if (err)
        echo_complain("a message was lost", err);
}

static void on_post(struct weft_task *task)
{
    struct post *post = WEFT_CONTAINER_OF(task, struct post, task);
    publish(post->to, post->message);
    weft__ws_message_unref(post->message);
    weft__mem_free(weft_alloc_default(), post, sizeof(*post));
}

static void post_message(struct worker *to, struct weft_ws_message *message)
{
    struct post *post = weft__mem_zalloc(weft_alloc_default(), sizeof(*post));
    if (!post) {
        echo_complain("a message was lost", WEFT_ERR_NOMEM);
        return;
    }
    weft__task_init(&post->task, on_post);
    post->to = to;
    post->message = weft__ws_message_ref(message);
    weft__loop_post(to->loop, &post->task);
}

static void on_broadcast(struct weft_transport *transport, enum weft_ws_opcode opcode,
                         struct weft_slice data)
{
    struct worker *worker = worker_of(transport->tcp.loop);
    struct weft_ws_message *message = weft__ws_message_new(weft_alloc_default(), opcode, data);
    if (!message) {
        echo_complain("a message was lost", WEFT_ERR_NOMEM);
        return;
    }
    for (unsigned i = 0; i < worker->count; i++) {
        if (&worker->all[i] == worker)
            publish(worker, message);
        else
            post_message(&worker->all[i], message);
    }
    weft__ws_message_unref(message);
}

static const struct weft_transport_callbacks broadcast_callbacks = {
    .on_request = on_request,
    .on_open = on_open,
    .on_message = on_broadcast,
    .on_end = on_end,
    .on_closed = on_closed,
    .on_drain = on_drain,
};

static void end_of_tick(struct weft_loop_hook *hook)
{
    weft__topics_flush(&WEFT_CONTAINER_OF(hook, struct worker, hook)->topics);
}

/* ---- Accepting ---- */

static void on_accept(struct weft_listener *listener, int fd, const struct weft_address *peer)
{
    (void)peer;
    struct worker *worker = worker_of(listener->loop);
    struct echo_conn *conn = weft__mem_zalloc(weft_alloc_default(), sizeof(*conn));
    if (conn &&
        !weft__transport_serve(&conn->transport, &worker->transports, fd, worker->callbacks))
        return;
    weft__mem_free(weft_alloc_default(), conn, sizeof(*conn));
    (void)close(fd);
}

static void on_listener_closed(struct weft_listener *listener)
{
    struct worker *worker = worker_of(listener->loop);
    worker->listening = false;
    stop_when_idle(worker);
}

static const struct weft_listener_callbacks listener_callbacks = {on_accept, on_listener_closed};

/* ---- Workers ---- */

static void stop_worker(struct weft_task *task)
{
    struct worker *worker = WEFT_CONTAINER_OF(task, struct worker, stop_task);
    worker->stopping = true;
    if (worker->listening)
        weft__listener_close(&worker->listener);
    weft__transport_set_close(&worker->transports, WEFT_WS_CLOSE_GOING_AWAY, "shutting down");
    stop_when_idle(worker);
}

static int init_worker(struct worker *worker, const struct echo_options *options,
                       struct weft_tls_context *tls)
{
    struct weft_loop_options loop_options = {.backend = options->backend};
    int err = weft__loop_new(&loop_options, &worker->loop);
    if (err)
        return err;
    struct weft_transport_options transport_options;
    echo_transport_options(options, tls, &transport_options);
    weft__loop_set_owner(worker->loop, worker);
    worker->callbacks = options->broadcast ? &broadcast_callbacks : &echo_callbacks;
    const struct weft_topics_options topics = {.alloc = weft_alloc_default(),
                                               .deflate = weft__transport_topic_deflate,
                                               .deflate_ctx = &worker->transports};
    weft__topics_init(&worker->topics, &topics);
    weft__topic_init(&worker->topic, &worker->topics);
    weft__loop_hook_add(worker->loop, &worker->hook, end_of_tick);
    weft__transport_set_init(&worker->transports, worker->loop, &transport_options);
    weft__task_init(&worker->stop_task, stop_worker);
    return 0;
}

static int listen_worker(struct worker *worker, struct weft_address *address)
{
    int err = weft__listener_open(&worker->listener, worker->loop, address, WEFT_LISTENER_REUSEPORT,
                                  &listener_callbacks);
    if (err)
        return err;
    worker->listening = true;
    /* The first worker finds out the port for all when 0 was asked for. */
    return weft__listener_address(&worker->listener, address);
}

static void *thread_main(void *arg)
{
    struct worker *worker = arg;
    int err = weft__loop_run(worker->loop);
    if (err)
        echo_complain("a worker failed", err);
    return NULL;
}

/* Waits for the worker's end; one that never had a thread is run to its end here. */
static void done_worker(struct worker *worker)
{
    if (!worker->loop)
        return;
    weft__loop_post(worker->loop, &worker->stop_task);
    if (worker->running)
        (void)pthread_join(worker->thread, NULL);
    else
        (void)thread_main(worker);
    weft__transport_set_done(&worker->transports);
}

/* When no worker runs any more: those that ended first may have been posted to since. */
static void free_worker(struct worker *worker)
{
    if (!worker->loop)
        return;
    weft__loop_hook_remove(&worker->hook);
    weft__loop_free(worker->loop);
    weft__topic_done(&worker->topic);
}

/* ---- The main thread ---- */

static int resolve(const char *text, struct weft_address *ret_address)
{
    char host[WEFT_HOST_SIZE];
    uint16_t port;
    int err = weft__address_parse(text, ret_address);
    if (!err)
        return 0;
    err = weft__address_split(text, host, &port);
    if (err)
        return err;
    err = weft__address_resolve(host, port, 1, ret_address);
    return err < 0 ? err : 0;
}

static int start(struct worker *workers, const struct echo_options *options,
                 struct weft_tls_context *tls, struct weft_address *address)
{
    for (unsigned i = 0; i < options->workers; i++) {
        workers[i].all = workers;
        workers[i].count = options->workers;
        int err = init_worker(&workers[i], options, tls);
        if (err) {
            echo_complain("cannot make an event loop", err);
            return err;
        }
        err = listen_worker(&workers[i], address);
        if (err) {
            char text[WEFT_ADDRESS_TEXT_SIZE];
            weft__address_format(address, text);
            echo_complain(text, err);
            return err;
        }
    }
    for (unsigned i = 0; i < options->workers; i++) {
        if (pthread_create(&workers[i].thread, NULL, thread_main, &workers[i])) {
            echo_complain("cannot start a thread", WEFT_ERR_SYSTEM);
            return WEFT_ERR_SYSTEM;
        }
        workers[i].running = true;
    }
    return 0;
}

int echo_serve(const struct echo_options *options)
{
    struct weft_address address;
    struct weft_tls_context *tls = NULL;
    int err = resolve(options->listen, &address);
    if (err) {
        echo_complain(options->listen, err);
        return 1;
    }
    if (options->cert_file && echo_tls(options, WEFT_TLS_SERVER, &tls))
        return 1;
    size_t size = options->workers * sizeof(struct worker);
    struct worker *workers = weft__mem_zalloc(weft_alloc_default(), size);
    if (!workers) {
        echo_complain("cannot start", WEFT_ERR_NOMEM);
        weft__tls_context_free(tls);
        return 1;
    }
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    /* The workers inherit the mask: only the main thread takes the signal. */
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    err = start(workers, options, tls, &address);
    if (!err) {
        char text[WEFT_ADDRESS_TEXT_SIZE];
        weft__address_format(&address, text);
        (void)printf("weft echo: listening on %s://%s (loop %s, %u worker%s)\n", tls ? "wss" : "ws",
                     text, weft__loop_backend_name(workers[0].loop), options->workers,
                     options->workers == 1 ? "" : "s");
        (void)fflush(stdout);
        int received;
        (void)sigwait(&signals, &received);
    }
    /* A second signal ends the process at once. */
    (void)pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
    for (unsigned i = 0; i < options->workers; i++)
        done_worker(&workers[i]);
    for (unsigned i = 0; i < options->workers; i++)
        free_worker(&workers[i]);
    weft__tls_context_free(tls);
    weft__mem_free(weft_alloc_default(), workers, size);
    return err ? 1 : 0;
}
