/* SPDX-License-Identifier: Apache-2.0 */
/* The composition root: store, mesh and workers, their start and their end. */
#include "base/assert.h"
#include "io/clock.h"
#include "io/crypto.h"
#include "peer/methods.h"
#include "server/worker.h"
#include "store/memory/memory.h"
#ifdef WEFT_HAVE_SQLITE
#include "store/sqlite/sqlite.h"
#endif

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <weft/version.h>

enum {
    STOP_MS = 10000,  /* for the store and for peers to hang up */
    STOP_STEP_MS = 2, /* between two looks */
    CALM_MS = 5000,   /* beyond the grace, for the steps of the drain */
    POOL_THREADS = 4,
    POOL_QUEUE = 1024,
    ALIVE_MS = 5000,               /* a loop beats once a second */
    STRINGS_MAX = 4 * 1024 * 1024, /* bytes of copied options */
    CERTIFICATES_MAX = 256,
};

static void log_write(void *ctx, enum weft_log_level level, const char *line)
{
    struct weft_server *server = ctx;
    if (server->options.log)
        server->options.log(server->options.log_ctx, (int)level, line);
}

/* Threads for methods that block, if there are such. */
static int make_pool(struct weft_server *server)
{
    const struct weft_server_options *own = &server->options;
    bool blocking = false;
    for (size_t i = 0; i < own->method_count; i++)
        blocking |= (own->methods[i].flags & WEFT_METHOD_BLOCKING) != 0;
    if (!blocking)
        return 0;
    return weft__pool_new(server->base, own->pool_threads ? own->pool_threads : POOL_THREADS,
                          own->pool_queue ? own->pool_queue : POOL_QUEUE, &server->pool);
}

/* Their strings are copied when they are read. */
static int open_tls(struct weft_server *server, char *ret_message, size_t message_size)
{
    struct weft_server_tls *tls = &server->options.tls;
    struct weft_tls_certificate certificates[CERTIFICATES_MAX];
    char message[WEFT_TLS_MESSAGE_SIZE] = "";
    struct weft_tls_options options = {
        .role = WEFT_TLS_SERVER,
        .alloc = server->alloc,
        .log = &server->log,
        .certificates = certificates,
        .ca_file = tls->client_ca_file,
        .client_cert = (enum weft_tls_client_cert)tls->client_cert,
        .min_version = tls->min_version,
    };
    const struct weft_server_certificate *from = tls->certificates;
    size_t count = 0;
    for (; from && (from[count].cert_file || from[count].key_file); count++) {
        if (count == CERTIFICATES_MAX) {
            weft__server_say(ret_message, message_size, "there can be at most 256 certificates");
            return WEFT_ERR_USAGE;
        }
        certificates[count] =
            (struct weft_tls_certificate){from[count].cert_file, from[count].key_file};
    }
    *tls = (struct weft_server_tls){0};
    if (!count)
        return 0;
    options.certificate_count = count;
    int err = weft__tls_context_new(&options, &server->tls, message, sizeof(message));
    weft__server_say(ret_message, message_size, message);
    return err;
}

/* ---- Making ---- */

#ifdef WEFT_HAVE_SQLITE
static int open_folder(struct weft_server *server, char *ret_message, size_t message_size)
{
    const struct weft_sqlite_options options = {
        .alloc = server->alloc,
        .folder = server->options.data_folder,
        .log = &server->log,
    };
    return weft__sqlite_store_open(&options, &server->store, ret_message, message_size);
}
#else
static int open_folder(struct weft_server *server, char *ret_message, size_t message_size)
{
    (void)server;
    weft__server_say(ret_message, message_size,
                     "this build of weft has no store for a data folder");
    return WEFT_ERR_UNAVAILABLE;
}
#endif

static int open_store(struct weft_server *server, char *ret_message, size_t message_size)
{
    if (server->options.data_folder)
        return open_folder(server, ret_message, message_size);
    return weft__memory_store_open(server->alloc, &server->store);
}

static int make_workers(struct weft_server *server, char *ret_message, size_t message_size)
{
    unsigned count = server->worker_count;
    server->workers = weft__mem_zalloc(server->alloc, count * sizeof(struct weft_worker *));
    server->metrics = weft__mem_zalloc(server->alloc, count * sizeof(struct weft_metrics *));
    server->method_metrics =
        weft__mem_zalloc(server->alloc, count * sizeof(struct weft_method_metrics *));
    if (!server->workers || !server->metrics || !server->method_metrics)
        return WEFT_ERR_NOMEM;
    for (unsigned i = 0; i < count; i++) {
        int err = weft__worker_new(server, i, &server->workers[i]);
        if (err == WEFT_ERR_UNAVAILABLE)
            weft__server_say(ret_message, message_size,
                             "this machine does not have the loop asked for");
        if (err == WEFT_ERR_USAGE)
            weft__server_say(ret_message, message_size,
                             "a method has no handler, an unfit name, or a known one");
        if (err)
            return err;
        server->metrics[i] = &server->workers[i]->metrics;
        server->method_metrics[i] = &server->workers[i]->method_metrics;
    }
    return 0;
}

/*
 * From here on what is allocated counts. Only what connections take can be refused when the budget
 * is spent: a document that got no memory for what it acknowledged would have to end the process
 * (hub/document_subscribers.c), so its growth is refused before.
 */
static int make_limits(struct weft_server *server, char *ret_message, size_t message_size)
{
    struct weft_budget *budget = &server->limits.budget;
    int err =
        weft__limits_init(&server->limits, &server->options.limits, server->hash_key, server->base);
    if (err) {
        weft__server_say(ret_message, message_size, "limits.memory must be at least 16 MiB");
        return err;
    }
    weft__budget_account_init(&server->connection_memory, budget, server->base, true);
    weft__budget_account_init(&server->shared_memory, budget, server->base, false);
    server->alloc = &server->shared_memory.alloc;
    return 0;
}

static int server_init(struct weft_server *server, const struct weft_server_options *options,
                       char *ret_message, size_t message_size)
{
    int err = weft__server_copy_options(server, options, ret_message, message_size);
    if (err)
        return err;
    server->log = (struct weft_log){
        .write = log_write,
        .ctx = server,
        .level = (enum weft_log_level)server->options.log_level,
        .format =
            server->options.log_format == WEFT_SERVER_LOG_JSON ? WEFT_LOG_JSON : WEFT_LOG_TEXT,
        .clock = weft__clock_system(),
    };
    err = open_tls(server, ret_message, message_size);
    if (err)
        return err;
    const struct weft_crypto *crypto = weft__crypto_openssl();
    crypto->random(crypto->ctx, &server->hash_key, sizeof(server->hash_key));
    weft__rpc_resume_key_init(&server->resume_key, crypto);
    err = make_limits(server, ret_message, message_size);
    if (!err)
        weft__idempotency_init(&server->idempotency, server->alloc, server->hash_key,
                               &server->options.rpc, server->limits.set.memory);
    if (!err)
        weft__provide_init(&server->provide, server->alloc, server->hash_key,
                           server->options.rpc.provide, server->options.rpc.provide_names);
    if (!err)
        err = open_store(server, ret_message, message_size);
    if (!err)
        err = weft__mesh_new(server->alloc, server->worker_count, &server->mesh);
    if (!err)
        err = make_pool(server);
    if (!err)
        err = make_workers(server, ret_message, message_size);
    return err;
}

int weft_server_new(const struct weft_server_options *options, struct weft_server **ret_server,
                    char *ret_message, size_t message_size)
{
    const struct weft_alloc *alloc = options->alloc ? options->alloc : weft_alloc_default();
    struct weft_server *server = weft__mem_zalloc(alloc, sizeof(*server));
    weft__server_say(ret_message, message_size, "");
    if (!server)
        return WEFT_ERR_NOMEM;
    server->base = alloc;
    server->alloc = alloc;
    atomic_init(&server->draining, false);
    weft__arena_init(&server->strings, alloc, STRINGS_MAX);
    int err = server_init(server, options, ret_message, message_size);
    if (err) {
        if (ret_message && message_size && !ret_message[0])
            weft__server_say(ret_message, message_size, weft_err_message(err));
        weft_server_free(server);
        return err;
    }
    *ret_server = server;
    return 0;
}

/* ---- Start ---- */

static void pause_ms(long ms)
{
    const struct timespec step = {.tv_nsec = ms * 1000000L};
    nanosleep(&step, NULL);
}

static int listen_all(struct weft_server *server)
{
    int err = weft__listen_open(&server->listen, &server->options, server->worker_count,
                                &server->address);
    for (unsigned i = 0; !err && i < server->worker_count; i++)
        err = weft__worker_listen(server->workers[i]);
    if (err)
        return err;
    weft__address_format(&server->address, server->address_text);
    server->origins = (struct weft_origin_policy){
        .hosts = server->options.hosts,
        .origins = server->options.origins,
        .tls = server->tls,
    };
    return 0;
}

static void log_start(struct weft_server *server)
{
    WEFT_LOG(&server->log, WEFT_LOG_INFO, "server.start", weft__log_str("version", weft_version()),
             weft__log_str("address", server->address_text),
             weft__log_bool("tls", weft_server_is_secure(server)),
             weft__log_str("loop", weft_server_loop_name(server)),
             weft__log_u64("workers", server->worker_count),
             weft__log_str("store",
                           server->options.data_folder ? server->options.data_folder : ":memory:"));
}

static int start_all(struct weft_server *server)
{
    int err = listen_all(server);
    if (err)
        return err; /* Without threads the loops never ran: weft_server_free closes what is open. */
    server->started = true; /* The first worker may be asked before the last one runs. */
    for (unsigned i = 0; i < server->worker_count; i++)
        weft__worker_beat(server->workers[i]);
    for (unsigned i = 0; !err && i < server->worker_count; i++) {
        err = weft__worker_start(server->workers[i]);
        WEFT_ASSERT(err == 0 || i == 0); /* Half a server would own documents it cannot reach. */
    }
    if (err)
        server->started = false; /* It was the first worker: there is no thread. */
    return err;
}

int weft_server_start(struct weft_server *server)
{
    if (server->started)
        return WEFT_ERR_STATE;
    int err = start_all(server);
    if (err)
        WEFT_LOG(&server->log, WEFT_LOG_ERROR, "server.start_failed",
                 weft__log_str("error", weft_err_message(err)));
    else
        log_start(server);
    return err;
}

size_t weft_server_listen_fds(const struct weft_server *server, int *ret_fds, size_t max)
{
    size_t count = server->listen.count;
    for (size_t i = 0; i < count && i < max; i++)
        ret_fds[i] = server->listen.fds[i];
    return count;
}

void weft_server_hand_over(struct weft_server *server)
{
    server->listen.handed_over = true;
}

const char *weft_server_address(const struct weft_server *server)
{
    return server->address_text;
}

const char *weft_server_loop_name(const struct weft_server *server)
{
    return weft__loop_backend_name(server->workers[0]->loop);
}

int weft_server_is_secure(const struct weft_server *server)
{
    return server->tls != NULL;
}

unsigned weft_server_workers(const struct weft_server *server)
{
    return server->worker_count;
}

int weft_server_is_alive(const struct weft_server *server)
{
    if (!server->started)
        return 0;
    for (unsigned i = 0; i < server->worker_count; i++)
        if (weft__worker_silent_ms(server->workers[i]) > ALIVE_MS)
            return 0;
    return 1;
}

/* ---- Reload ---- */

int weft_server_reload(struct weft_server *server)
{
    char message[WEFT_TLS_MESSAGE_SIZE];
    if (!server->tls)
        return 0;
    int err = weft__tls_context_reload(server->tls, message, sizeof(message));
    if (err)
        WEFT_LOG(&server->log, WEFT_LOG_ERROR, "tls.reload_failed",
                 weft__log_str("error", message[0] ? message : weft_err_message(err)));
    else
        weft__log_event(&server->log, WEFT_LOG_INFO, "tls.reloaded", NULL, 0);
    return err;
}

/* ---- End ---- */

static bool all_calm(const struct weft_server *server)
{
    for (unsigned i = 0; i < server->worker_count; i++)
        if (!atomic_load(&server->workers[i]->calm))
            return false;
    return true;
}

static void wait_calm(struct weft_server *server)
{
    uint64_t limit_ms = (uint64_t)server->options.operations.drain_ms + CALM_MS;
    uint64_t end_ns = weft__clock_now_ns() + limit_ms * WEFT_NS_PER_MS;
    while (!all_calm(server) && weft__clock_now_ns() < end_ns)
        pause_ms(STOP_STEP_MS);
}

static bool all_quiet(const struct weft_server *server)
{
    for (unsigned i = 0; i < server->worker_count; i++)
        if (!atomic_load(&server->workers[i]->quiet))
            return false;
    return true;
}

static void wait_quiet(struct weft_server *server)
{
    uint64_t end_ns = weft__clock_now_ns() + STOP_MS * WEFT_NS_PER_MS;
    /* Twice in a row: a worker may be given work by another one after it was looked at. */
    for (int quiet = 0; quiet < 2;) {
        quiet = all_quiet(server) ? quiet + 1 : 0;
        if (weft__clock_now_ns() > end_ns) {
            /* A store that does not answer: what was acknowledged is safe, the rest was not
             * acknowledged. Memory it may still write to cannot be freed. */
            weft__log_event(&server->log, WEFT_LOG_ERROR, "server.stop_timeout", NULL, 0);
            _exit(EXIT_FAILURE);
        }
        pause_ms(STOP_STEP_MS);
    }
}

/* Runs a loop whose thread was never started until its listeners are closed, which stops it. */
static void close_unstarted(struct weft_server *server)
{
    for (unsigned i = 0; server->workers && i < server->worker_count; i++) {
        struct weft_worker *worker = server->workers[i];
        if (!worker || !worker->listening)
            continue;
        weft__worker_drain(worker);
        int err = weft__loop_run(worker->loop);
        WEFT_ASSERT(err == 0);
    }
}

void weft_server_stop(struct weft_server *server)
{
    if (!server->started || server->stopped)
        return;
    server->stopped = true;
    weft__log_event(&server->log, WEFT_LOG_INFO, "server.stopping", NULL, 0);
    atomic_store(&server->draining, true);
    weft__listen_close(&server->listen, &server->options, &server->address, false);
    for (unsigned i = 0; i < server->worker_count; i++)
        weft__worker_drain(server->workers[i]);
    wait_calm(server);
    for (unsigned i = 0; i < server->worker_count; i++)
        weft__worker_hang_up(server->workers[i]);
    wait_quiet(server);
    for (unsigned i = 0; i < server->worker_count; i++)
        weft__worker_stop(server->workers[i]);
    for (unsigned i = 0; i < server->worker_count; i++)
        pthread_join(server->workers[i]->thread, NULL);
    weft__log_event(&server->log, WEFT_LOG_INFO, "server.stopped", NULL, 0);
}

void weft_server_free(struct weft_server *server)
{
    if (!server)
        return;
    const struct weft_alloc *alloc = server->alloc;
    const struct weft_alloc *base = server->base;
    if (server->started)
        weft_server_stop(server);
    else
        close_unstarted(server);
    weft__listen_close(&server->listen, &server->options, &server->address, true);
    weft__store_free(server->store);
    for (unsigned i = 0; server->workers && i < server->worker_count; i++)
        weft__worker_free(server->workers[i]);
    /* Behind the loops: a handler that waits for an answer of theirs has it now. */
    weft__pool_free(server->pool);
    weft__mesh_free(server->mesh);
    weft__idempotency_done(&server->idempotency);
    weft__provide_done(&server->provide);
    weft__tls_context_free(server->tls);
    weft__mem_free(alloc, server->workers, server->worker_count * sizeof(struct weft_worker *));
    weft__mem_free(alloc, server->metrics, server->worker_count * sizeof(struct weft_metrics *));
    weft__mem_free(alloc, server->method_metrics,
                   server->worker_count * sizeof(struct weft_method_metrics *));
    weft__arena_done(&server->strings);
    weft__limits_done(&server->limits);
    weft__mem_free(base, server, sizeof(*server));
}
