/* SPDX-License-Identifier: Apache-2.0 */
/* Making, running and ending a worker. */
#include "server/worker.h"

#include "base/assert.h"
#include "io/clock.h"
#include "io/crypto.h"
#include "rpc/demo.h"
#include "server/conn.h"
#include "server/http_answer.h"
#include "server/identity.h"
#include "server/link.h"
#include "server/tunnel.h"
#include "session/recode.h"
#include "transport/broadcast.h"

#include <limits.h>
#include <signal.h>
#include <unistd.h>

enum { PATIENCE_MS = 2000 /* for peers to answer our close frame */ };

static void exec_post(void *ctx, struct weft_task *task)
{
    struct weft_worker *worker = ctx;
    weft__loop_post(worker->loop, task);
}

static void publish(struct weft_worker *worker)
{
    struct weft_metrics *m = &worker->metrics;
    const struct weft_loop_stats *loop = weft__loop_stats(worker->loop);
    const struct weft_transport_stats *transport = &worker->transports.stats;
    const struct weft_deflate_stats *deflate = &worker->transports.deflate.stats;
    const struct weft_hub_stats *hub = weft__hub_stats(worker->hub);
    const struct weft_mesh_stats *mesh = weft__mesh_stats(worker->port);
    const struct weft_rpc_counters *rpc = &worker->rpc.counters;
    uint64_t errors = 0;
    for (size_t i = 0; i < WEFT_ARRAY_LEN(rpc->errors); i++)
        errors += rpc->errors[i];
    weft__metrics_set(m, WEFT_METRIC_CONNECTIONS, transport->count);
    weft__metrics_set(m, WEFT_METRIC_ACCEPTED, loop->accepts);
    weft__metrics_set(m, WEFT_METRIC_WEBSOCKETS, transport->upgrades);
    weft__metrics_set(m, WEFT_METRIC_REFUSED, worker->refused);
    weft__metrics_set(m, WEFT_METRIC_HTTP, worker->http);
    weft__metrics_set(m, WEFT_METRIC_MESSAGES_IN, transport->messages_in);
    weft__metrics_set(m, WEFT_METRIC_MESSAGES_OUT, transport->messages_out);
    weft__metrics_set(m, WEFT_METRIC_BYTES_IN, loop->bytes_in);
    weft__metrics_set(m, WEFT_METRIC_BYTES_OUT, loop->bytes_out);
    weft__metrics_set(m, WEFT_METRIC_PROTOCOL_ERRORS, transport->protocol_errors);
    weft__metrics_set(m, WEFT_METRIC_TIMEOUTS,
                      worker->timeouts + transport->lost + transport->stalls);
    weft__metrics_set(m, WEFT_METRIC_TLS_HANDSHAKES, transport->tls_handshakes);
    weft__metrics_set(m, WEFT_METRIC_TLS_RESUMED, transport->tls_resumed);
    weft__metrics_set(m, WEFT_METRIC_TLS_FAILED, transport->tls_failures);
    weft__metrics_set(m, WEFT_METRIC_DEFLATE_WEBSOCKETS, transport->deflate_upgrades);
    weft__metrics_set(m, WEFT_METRIC_DEFLATED, deflate->deflated);
    weft__metrics_set(m, WEFT_METRIC_DEFLATED_FROM, deflate->deflated_from);
    weft__metrics_set(m, WEFT_METRIC_DEFLATED_TO, deflate->deflated_to);
    weft__metrics_set(m, WEFT_METRIC_INFLATED, deflate->inflated);
    weft__metrics_set(m, WEFT_METRIC_INFLATED_FROM, deflate->inflated_from);
    weft__metrics_set(m, WEFT_METRIC_INFLATED_TO, deflate->inflated_to);
    weft__metrics_set(m, WEFT_METRIC_CALLS, rpc->calls);
    weft__metrics_set(m, WEFT_METRIC_CALL_ERRORS, errors);
    weft__metrics_set(m, WEFT_METRIC_DOCUMENTS, hub->documents);
    weft__metrics_set(m, WEFT_METRIC_DOC_OPENS, hub->opens);
    weft__metrics_set(m, WEFT_METRIC_DOC_SUBMITS, hub->submits);
    weft__metrics_set(m, WEFT_METRIC_DOC_COMMITS, hub->commits);
    weft__metrics_set(m, WEFT_METRIC_DOC_REFUSED, hub->refused);
    weft__metrics_set(m, WEFT_METRIC_DOC_DELIVERED, hub->deliveries);
    weft__metrics_set(m, WEFT_METRIC_DOC_PRESENCE, hub->presence);
    weft__metrics_set(m, WEFT_METRIC_DOC_LAGGED, hub->lagged);
    weft__metrics_set(m, WEFT_METRIC_DOC_DELETES, hub->deletes);
    weft__metrics_set(m, WEFT_METRIC_MESH_SENT, mesh->sent);
    weft__metrics_set(m, WEFT_METRIC_MESH_RECEIVED, mesh->received);
    weft__metrics_set(m, WEFT_METRIC_MESH_SPILLED, mesh->spilled);
    weft__metrics_set(m, WEFT_METRIC_SESSIONS, worker->sessions.table.count);
    weft__metrics_set(m, WEFT_METRIC_SESSIONS_WAITING, worker->sessions.waiting_count);
    weft__metrics_set(m, WEFT_METRIC_SESSION_LINKS, worker->near_links);
    weft__metrics_set(m, WEFT_METRIC_SESSIONS_RESUMED, rpc->resumed);
    weft__metrics_set(m, WEFT_METRIC_SESSIONS_REFUSED, worker->sessions.refused);
    weft__metrics_set(m, WEFT_METRIC_SESSIONS_EXPIRED, worker->sessions.expired);
    weft__metrics_set(m, WEFT_METRIC_REPLAYED, rpc->replayed);
    weft__metrics_set(m, WEFT_METRIC_AUTH_ACCEPTED, rpc->auth_accepted);
    weft__metrics_set(m, WEFT_METRIC_AUTH_REFUSED, rpc->auth_refused);
    weft__metrics_set(m, WEFT_METRIC_AUTH_EXPIRED, rpc->auth_expired);
    weft__metrics_set(m, WEFT_METRIC_DUPLICATES, rpc->duplicates);
    weft__metrics_set(m, WEFT_METRIC_GOAWAYS, worker->drain.goaways);
    weft__metrics_set(m, WEFT_METRIC_PROXY_ERRORS, transport->proxy_errors);
    weft__metrics_set(m, WEFT_METRIC_CUT_OFF, worker->drain.cut_off);
    weft__metrics_set(m, WEFT_METRIC_TICKS, loop->ticks);
    weft__metrics_set(m, WEFT_METRIC_ACCEPT_PAUSES, worker->admission.pauses);
    weft__metrics_set(m, WEFT_METRIC_MEMORY_LEVEL, worker->memory);
    weft__metrics_set(m, WEFT_METRIC_SSE_STREAMS, worker->sse_streams);
    weft__metrics_set(m, WEFT_METRIC_TUNNELS, worker->tunnels.count);
    for (size_t i = 0; i < WEFT_METRICS_ANSWERS; i++)
        weft__metrics_set_answers(m, i, worker->answers[i]);
    for (size_t i = 0; i < WEFT_LIMIT_COUNT; i++)
        weft__metrics_set_limit(m, (enum weft_limit)i, worker->notices.counts[i]);
}

static void end_of_tick(struct weft_loop_hook *hook)
{
    struct weft_worker *worker = WEFT_CONTAINER_OF(hook, struct weft_worker, hook);
    weft__hub_flush(worker->hub);
    weft__link_tick(worker);
    if (weft__mesh_flush(worker->port))
        weft__loop_again(worker->loop);
    weft__hub_deliver(worker->hub);
    weft__pressure_look(worker);
    publish(worker);
    if (worker->draining)
        atomic_store(&worker->quiet,
                     worker->transports.stats.count == 0 && worker->near_links == 0 &&
                         worker->tunnel_posts == 0 && weft__list_empty(&worker->far_links) &&
                         !weft__hub_busy(worker->hub) && worker->provide.pending == 0);
}

/* While /readyz sends everybody away, nobody may write, which alone shows that the disk is well
 * again: now and then it is given the benefit of the doubt. */
static void forgive_store(struct weft_worker *worker)
{
    enum { FORGIVE_S = 10 };
    if (worker->index == 0 && ++worker->seconds % FORGIVE_S == 0)
        atomic_store_explicit(&worker->server->store->refusing, false, memory_order_relaxed);
}

static void second_passed(struct weft_timer *timer)
{
    struct weft_worker *worker = WEFT_CONTAINER_OF(timer, struct weft_worker, second);
    uint64_t now_ns = weft__loop_now_ns(worker->loop);
    atomic_store(&worker->beat_ns, now_ns);
    forgive_store(worker);
    if (worker->index == 0)
        weft__idempotency_tick(&worker->server->idempotency, now_ns);
    weft__hub_tick(worker->hub, now_ns);
    weft__admission_tick(worker);
    weft__pressure_tick(worker);
    weft__notices_tick(&worker->notices, now_ns);
    weft__method_metrics_publish(&worker->method_metrics, &worker->rpc);
    weft__loop_timer_start(worker->loop, timer, 1000);
}

static void on_accept(struct weft_listener *listener, int fd, const struct weft_address *peer)
{
    weft__admission_accept(weft__loop_owner(listener->loop), fd, peer);
}

_Static_assert((int)WEFT_LIMIT_HANDSHAKE == (int)WEFT_TRANSPORT_LIMIT_HANDSHAKE &&
                   (int)WEFT_LIMIT_CONTROL == (int)WEFT_TRANSPORT_LIMIT_CONTROL &&
                   (int)WEFT_LIMIT_UNSENT == (int)WEFT_TRANSPORT_LIMIT_UNSENT &&
                   (int)WEFT_LIMIT_CONNECTIONS == (int)WEFT_TRANSPORT_LIMIT_COUNT,
               "enum weft_limit begins with the limits of transports, in their order");

/* A connection ran into a limit: counts it, and says so once a second. */
static void on_limit(void *ctx, struct weft_transport *transport, enum weft_transport_limit limit)
{
    struct weft_worker *worker = ctx;
    struct weft_address peer;
    char host[WEFT_ADDRESS_TEXT_SIZE];
    struct weft_log_field detail = {0};
    enum weft_limit which = (enum weft_limit)limit;
    if (!weft__notice(&worker->notices, which, 1, weft__loop_now_ns(worker->loop)))
        return;
    if (weft__conn_peer(transport, &peer)) {
        weft__address_format_host(&peer, host);
        detail = weft__log_str("peer", host);
    }
    weft__notice_write(&worker->notices, which, detail.key ? &detail : NULL);
}

/* What the hub asks before it takes on more. */
static bool has_room(void *ctx, enum weft_hub_load what)
{
    struct weft_worker *worker = ctx;
    enum weft_memory_level limit =
        what == WEFT_HUB_LOAD_WRITE ? WEFT_MEMORY_SPENT : WEFT_MEMORY_TIGHT;
    if (worker->memory < limit)
        return true;
    if (weft__notice(&worker->notices, WEFT_LIMIT_MEMORY_DOCUMENT, 1,
                     weft__loop_now_ns(worker->loop)))
        weft__notice_write(&worker->notices, WEFT_LIMIT_MEMORY_DOCUMENT, NULL);
    return false;
}

static void on_listener_closed(struct weft_listener *listener)
{
    struct weft_worker *worker = weft__loop_owner(listener->loop);
    worker->listening--;
    /* Nobody else runs the loop of a server that was not started, see close_unstarted. */
    if (!worker->listening && !worker->server->started)
        weft__loop_stop(worker->loop);
}

static void drain(struct weft_task *task)
{
    struct weft_worker *worker = WEFT_CONTAINER_OF(task, struct weft_worker, drain_task);
    worker->draining = true;
    weft__admission_done(worker);
    for (unsigned i = 0; i < worker->listening; i++)
        weft__listener_close(&worker->listeners[i]);
    weft__drain_begin(worker);
    (void)weft__sessions_shed(worker, SIZE_MAX);
}

static void hang_up(struct weft_task *task)
{
    struct weft_worker *worker = WEFT_CONTAINER_OF(task, struct weft_worker, hang_up_task);
    weft__transport_set_close(&worker->transports, WEFT_WS_CLOSE_GOING_AWAY, "shutting down");
    weft__loop_timer_start(worker->loop, &worker->patience, PATIENCE_MS);
}

/* Peers that do not answer our close are not waited for longer. */
static void patience_over(struct weft_timer *timer)
{
    struct weft_worker *worker = WEFT_CONTAINER_OF(timer, struct weft_worker, patience);
    weft__transport_set_abort(&worker->transports, WEFT_ERR_CLOSED);
}

static void stop(struct weft_task *task)
{
    weft__loop_stop(WEFT_CONTAINER_OF(task, struct weft_worker, stop_task)->loop);
}

static enum weft_loop_backend backend_of(int option)
{
    switch (option) {
    case WEFT_SERVER_LOOP_EPOLL:
        return WEFT_LOOP_EPOLL;
    case WEFT_SERVER_LOOP_URING:
        return WEFT_LOOP_URING;
    default:
        return WEFT_LOOP_AUTO;
    }
}

static enum weft_transport_deflate deflate_of(int option)
{
    switch (option) {
    case WEFT_SERVER_DEFLATE_OFF:
        return WEFT_TRANSPORT_DEFLATE_OFF;
    case WEFT_SERVER_DEFLATE_TAKEOVER:
        return WEFT_TRANSPORT_DEFLATE_TAKEOVER;
    default:
        return WEFT_TRANSPORT_DEFLATE_SHARED;
    }
}

static void set_rpc_limits(struct weft_worker *worker)
{
    const struct weft_server *server = worker->server;
    const struct weft_server_rpc *rpc = &server->options.rpc;
    struct weft_rpc_limits *limits = &worker->rpc.limits;
    /* What a greeting can say: an integer that every JSON parser reads (RFC 8259 §6). */
    limits->message_bytes = WEFT_MIN(server->limits.set.max_message, (UINT64_C(1) << 53) - 1);
    limits->in_flight = rpc->in_flight;
    limits->streams = rpc->streams;
    limits->batch = rpc->batch;
}

static int make_hub(struct weft_worker *worker)
{
    struct weft_server *server = worker->server;
    const struct weft_hub_options options = {
        .alloc = server->alloc,
        .store = server->store,
        .port = worker->port,
        .exec = &worker->exec,
        .clock = weft__clock_system(),
        .crypto = weft__crypto_openssl(),
        .log = &server->log,
        .hash_key = server->hash_key,
        .seal_ops = server->options.seal_ops,
        .max_unsent = server->limits.set.max_unsent,
        .room = has_room,
        .room_ctx = worker,
        .deflate = weft__transport_topic_deflate,
        .deflate_ctx = &worker->transports,
        .recode = weft__session_recode,
    };
    int err = weft__hub_new(&options, &worker->hub);
    if (err)
        return err;
    weft__mesh_port_bind(worker->port, &worker->exec, worker->hub);
    err = weft__hub_register(worker->hub, &worker->registry);
    if (!err)
        err = weft__provide_worker_init(&worker->provide, worker);
    if (!err && server->options.development)
        err = weft__rpc_demo_register(&worker->registry);
    return err;
}

/* The application's methods, and the form in which it holds calls of them. */
static int serve_methods(struct weft_worker *worker)
{
    struct weft_server *server = worker->server;
    worker->domain = weft__domain_new(server->base, worker->loop, server->pool);
    return worker->domain
               ? weft__methods_register(worker->domain, &worker->registry, server->options.methods,
                                        server->options.method_count, &worker->served)
               : WEFT_ERR_NOMEM;
}

/* Once the registry is complete. */
static int count_methods(struct weft_worker *worker)
{
    int err = weft__rpc_env_count_methods(&worker->rpc);
    if (!err)
        err =
            weft__method_metrics_init(&worker->method_metrics, worker->server->alloc, &worker->rpc);
    return err;
}

/* UINT_MAX is no limit of time. */
static uint64_t ms_of(unsigned ms)
{
    return ms == UINT_MAX ? UINT64_MAX : ms;
}

static void init_transports(struct weft_worker *worker)
{
    const struct weft_server_limits *limits = &worker->server->limits.set;
    struct weft_transport_options options = {
        .alloc = &worker->server->connection_memory.alloc,
        .crypto = weft__crypto_openssl(),
        .max_message = limits->max_message,
        .max_fragments = limits->max_fragments,
        .max_control = limits->max_control,
        .handshake_ms = ms_of(limits->handshake_ms),
        .ping_ms = ms_of(limits->ping_ms),
        .pings_missed = limits->pings_missed,
        .stall_ms = ms_of(limits->stall_ms),
        .message_ms = ms_of(limits->message_ms),
        .pause_bytes = limits->max_unsent,
        .on_limit = on_limit,
        .on_limit_ctx = worker,
        .proxied = worker->server->options.operations.proxy_protocol ==
                   WEFT_SERVER_PROXY_PROTOCOL_REQUIRED,
        .tls_serve = worker->server->tls,
        .log = &worker->server->log,
        .deflate = deflate_of(worker->server->options.deflate),
        .deflate_min = worker->server->options.deflate_min,
    };
    options.refusal_headers = weft__http_security_headers(&options.refusal_header_count);
    weft__transport_set_init(&worker->transports, worker->loop, &options);
}

/* Whose idempotency keys those of |call| are. */
static struct weft_slice scope_of(const struct weft_rpc_call *call)
{
    return weft__rpc_principal_scope(weft__rpc_peer_principal(call->peer));
}

int weft__worker_new(struct weft_server *server, unsigned index, struct weft_worker **ret_worker)
{
    const struct weft_loop_options loop = {
        .backend = backend_of(server->options.loop),
        .alloc = server->alloc,
    };
    struct weft_worker *worker = weft__mem_zalloc(server->alloc, sizeof(*worker));
    if (!worker)
        return WEFT_ERR_NOMEM;
    worker->server = server;
    worker->index = index;
    worker->port = weft__mesh_port(server->mesh, index);
    worker->exec = (struct weft_exec){exec_post, worker};
    weft__notices_init(&worker->notices, &server->log);
    weft__sessions_init(worker);
    weft__tunnels_init(worker);
    weft__list_init(&worker->far_links);
    weft__admission_init(worker);
    weft__pressure_init(worker);
    weft__rpc_registry_init(&worker->registry, server->alloc, server->hash_key);
    int err = weft__loop_new(&loop, &worker->loop);
    if (err)
        goto fail;
    weft__loop_set_owner(worker->loop, worker);
    weft__rpc_env_init(&worker->rpc, &server->connection_memory.alloc, &worker->registry,
                       weft__loop_wheel(worker->loop), server->hash_key);
    worker->rpc.clock = weft__clock_system();
    set_rpc_limits(worker);
    worker->rpc.decode.text_is_utf8 = true; /* ws/conn.h has checked every text message. */
    weft__identity_init(worker);
    weft__rpc_idem_calls_init(&worker->idem_calls, &worker->rpc, &server->idempotency.cache,
                              &server->idempotency.guard, scope_of);
    /* First what gathers output, then what sends it. */
    weft__loop_hook_add(worker->loop, &worker->hook, end_of_tick);
    init_transports(worker);
    weft__timer_init(&worker->second, second_passed);
    weft__timer_init(&worker->patience, patience_over);
    weft__task_init(&worker->drain_task, drain);
    weft__task_init(&worker->hang_up_task, hang_up);
    weft__drain_init(worker);
    weft__task_init(&worker->stop_task, stop);
    atomic_init(&worker->quiet, false);
    atomic_init(&worker->beat_ns, 0);
    err = make_hub(worker);
    if (!err)
        err = serve_methods(worker);
    if (!err)
        err = count_methods(worker);
    if (err)
        goto fail;
    *ret_worker = worker;
    return 0;
fail:
    weft__worker_free(worker);
    return err;
}

void weft__worker_free(struct weft_worker *worker)
{
    if (!worker)
        return;
    weft__sessions_done(worker);
    weft__tunnels_done(worker);
    weft__hub_free(worker->hub);
    if (worker->loop) {
        weft__loop_timer_stop(worker->loop, &worker->second);
        weft__loop_timer_stop(worker->loop, &worker->patience);
        weft__admission_done(worker);
        weft__pressure_done(worker);
        weft__drain_done(worker);
        weft__rpc_idem_calls_done(&worker->idem_calls);
        weft__rpc_env_done(&worker->rpc);
        weft__transport_set_done(&worker->transports);
        if (worker->domain)
            weft__domain_close(worker->domain);
        weft__loop_free(worker->loop);
    }
    weft__domain_unref(worker->domain);
    weft__provide_worker_done(&worker->provide);
    weft__method_metrics_done(&worker->method_metrics);
    weft__rpc_registry_done(&worker->registry);
    weft__served_free(worker->served);
    weft__mem_free(worker->server->alloc, worker->listeners,
                   worker->listener_count * sizeof(*worker->listeners));
    weft__mem_free(worker->server->alloc, worker, sizeof(*worker));
}

int weft__worker_listen(struct weft_worker *worker)
{
    static const struct weft_listener_callbacks callbacks = {
        .on_accept = on_accept,
        .on_closed = on_listener_closed,
    };
    struct weft_server *server = worker->server;
    unsigned count = weft__listen_share(&server->listen, worker->index, server->worker_count);
    worker->listeners = weft__mem_alloc_array(server->alloc, count, sizeof(*worker->listeners));
    if (!worker->listeners)
        return WEFT_ERR_NOMEM;
    worker->listener_count = count;
    unsigned flags = WEFT_LISTENER_REUSEPORT | weft__admission_listener(worker);
    for (unsigned i = 0; i < count; i++) {
        int fd = -1;
        int err = weft__listen_dup(&server->listen, worker->index + i * server->worker_count, &fd);
        if (!err)
            err = weft__listener_adopt(&worker->listeners[i], worker->loop, fd, flags, &callbacks);
        if (err && fd >= 0)
            (void)close(fd);
        if (err)
            return err;
        worker->listening++;
    }
    return 0;
}

static void *run(void *arg)
{
    struct weft_worker *worker = arg;
    weft__domain_enter(worker->domain);
    weft__loop_timer_start(worker->loop, &worker->second, 1000);
    int err = weft__loop_run(worker->loop);
    if (err)
        WEFT_LOG(&worker->server->log, WEFT_LOG_ERROR, "worker.loop_failed",
                 weft__log_u64("worker", worker->index),
                 weft__log_str("error", weft_err_message(err)));
    WEFT_ASSERT(err == 0); /* A worker that cannot wait any more owns documents nobody can reach. */
    return NULL;
}

int weft__worker_start(struct weft_worker *worker)
{
    /* Signals are for the main thread: workers block them all. */
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&worker->thread, NULL, run, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed ? WEFT_ERR_SYSTEM : 0;
}

void weft__worker_beat(struct weft_worker *worker)
{
    atomic_store(&worker->beat_ns, weft__clock_now_ns());
}

uint64_t weft__worker_silent_ms(const struct weft_worker *worker)
{
    uint64_t beat_ns = atomic_load(&worker->beat_ns);
    uint64_t now_ns = weft__clock_now_ns();
    return now_ns > beat_ns ? (now_ns - beat_ns) / WEFT_NS_PER_MS : 0;
}

void weft__worker_drain(struct weft_worker *worker)
{
    weft__loop_post(worker->loop, &worker->drain_task);
}

void weft__worker_hang_up(struct weft_worker *worker)
{
    weft__loop_post(worker->loop, &worker->hang_up_task);
}

void weft__worker_stop(struct weft_worker *worker)
{
    weft__loop_post(worker->loop, &worker->stop_task);
}
