/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The course of a run, as the main thread sees it:
 *
 *   memory ─► threads connect ─► warm-up ─► CPU ─► measuring ─► CPU, memory ─► threads finish
 *
 * Who measures what when is told to the threads once, as points in time; they count by their own
 * clock, and nothing has to be stopped to be counted.
 */
#include "base/mem.h"
#include "bench.h"
#include "io/clock.h"

#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* ---- Progress ---- */

struct progress {
    bool shown;
    uint64_t begin_ns;
    uint64_t next_ns;
    uint64_t last_ns;
    uint64_t last_messages;
};

static void show(struct progress *progress, struct bench_run *run, uint64_t now_ns)
{
    uint64_t messages = 0;
    uint64_t errors = 0;
    uint32_t open = 0;
    for (uint32_t i = 0; i < run->options->workers; i++) {
        messages += atomic_load_explicit(&run->workers[i].live_messages, memory_order_relaxed);
        errors += atomic_load_explicit(&run->workers[i].live_errors, memory_order_relaxed);
        open += atomic_load_explicit(&run->workers[i].live_open, memory_order_relaxed);
    }
    double seconds = (double)(now_ns - progress->last_ns) / (double)WEFT_NS_PER_S;
    (void)fprintf(stderr, "%4.0f s  %u open  %.0f messages/s  %llu errors\n",
                  (double)(now_ns - progress->begin_ns) / (double)WEFT_NS_PER_S, open,
                  (double)(messages - progress->last_messages) / seconds,
                  (unsigned long long)errors);
    progress->last_ns = now_ns;
    progress->last_messages = messages;
}

/* ---- Waiting ---- */

/* Waits until |until_ns|, or |ready| workers are ready, or the run broke; false then. */
static bool wait_for(struct bench_run *run, struct progress *progress, uint64_t until_ns,
                     uint32_t ready)
{
    bool good = true;
    pthread_mutex_lock(&run->lock);
    for (;;) {
        uint64_t now_ns = weft__clock_now_ns();
        good = !run->broken && run->lost < run->options->workers;
        if (!good || now_ns >= until_ns || run->ready >= ready)
            break;
        if (progress->shown && now_ns >= progress->next_ns) {
            show(progress, run, now_ns);
            progress->next_ns = now_ns + WEFT_NS_PER_S;
        }
        uint64_t wake_ns = progress->shown ? WEFT_MIN(until_ns, progress->next_ns) : until_ns;
        struct timespec at = {.tv_sec = (time_t)(wake_ns / WEFT_NS_PER_S),
                              .tv_nsec = (long)(wake_ns % WEFT_NS_PER_S)};
        (void)pthread_cond_timedwait(&run->changed, &run->lock, &at);
    }
    pthread_mutex_unlock(&run->lock);
    return good;
}

/* ---- Measuring ---- */

static uint64_t own_cpu_ns(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage))
        return 0;
    return ((uint64_t)usage.ru_utime.tv_sec + (uint64_t)usage.ru_stime.tv_sec) * WEFT_NS_PER_S +
           ((uint64_t)usage.ru_utime.tv_usec + (uint64_t)usage.ru_stime.tv_usec) * 1000;
}

static uint64_t server_cpu_ns(const struct bench_run *run)
{
    uint64_t ns = 0;
    if (run->options->server_pid && !bench_process_cpu(run->options->server_pid, &ns))
        ns = 0;
    return ns;
}

static uint64_t server_memory(const struct bench_run *run)
{
    uint64_t bytes = 0;
    if (run->options->server_pid && !bench_process_memory(run->options->server_pid, &bytes))
        bytes = 0;
    return bytes;
}

/* From the start of the workers' threads to the end of measuring. False when nothing could be
 * measured. */
static bool measure(struct bench_run *run, struct progress *progress)
{
    const struct bench_options *options = run->options;
    uint64_t start_ns = weft__clock_now_ns();
    progress->begin_ns = progress->last_ns = start_ns;
    progress->next_ns = start_ns + WEFT_NS_PER_S;
    (void)wait_for(run, progress, UINT64_MAX, options->workers);
    uint64_t now_ns = weft__clock_now_ns();
    run->connect_ns = now_ns - start_ns;
    for (uint32_t i = 0; i < options->workers; i++)
        run->opened += atomic_load(&run->workers[i].live_open);
    if (!run->opened && bench_scenarios[options->scenario].connects)
        return false;
    run->begin_ns = now_ns;
    run->measure_ns = now_ns + options->warmup_ns;
    run->end_ns = run->measure_ns + options->duration_ns;
    for (uint32_t i = 0; i < options->workers; i++)
        weft__loop_post(run->workers[i].loop, &run->workers[i].begin_task);
    bool good = wait_for(run, progress, run->measure_ns, UINT32_MAX);
    uint64_t server_ns = server_cpu_ns(run);
    uint64_t client_ns = own_cpu_ns();
    if (good)
        (void)wait_for(run, progress, run->end_ns, UINT32_MAX);
    uint64_t end_ns = WEFT_MIN(weft__clock_now_ns(), run->end_ns);
    run->measured_ns = end_ns > run->measure_ns ? end_ns - run->measure_ns : 0;
    run->server_cpu_ns = server_cpu_ns(run) - server_ns;
    run->client_cpu_ns = own_cpu_ns() - client_ns;
    run->memory_after = server_memory(run);
    return true;
}

/* ---- The run ---- */

uint64_t bench_error_sum(const struct bench_stats *stats)
{
    uint64_t sum = 0;
    for (int i = 0; i < BENCH_ERROR_COUNT; i++)
        sum += stats->errors[i];
    return sum;
}

static void add_up(struct bench_run *run)
{
    for (uint32_t i = 0; i < run->options->workers; i++) {
        const struct bench_worker *worker = &run->workers[i];
        run->total.messages += worker->stats.messages;
        run->total.streams += worker->stats.streams;
        run->total.bytes_in += worker->stats.bytes_in;
        run->total.bytes_out += worker->stats.bytes_out;
        weft__histogram_merge(&run->total.latency, &worker->stats.latency);
        for (int e = 0; e < BENCH_ERROR_COUNT; e++)
            run->total.errors[e] += worker->stats.errors[e];
        if (!run->first_error[0])
            memcpy(run->first_error, worker->first_error, sizeof(run->first_error));
    }
}

static void init_run(struct bench_run *run, const struct bench_options *options)
{
    pthread_condattr_t attributes;
    *run = (struct bench_run){.options = options};
    (void)pthread_mutex_init(&run->lock, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&run->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
}

static int make_tls(struct bench_run *run)
{
    char message[WEFT_TLS_MESSAGE_SIZE];
    const struct bench_options *options = run->options;
    struct weft_tls_options tls = {
        .role = WEFT_TLS_CLIENT, .ca_file = options->ca, .accept_any = options->insecure};
    if (!options->url.secure)
        return 0;
    int err = weft__tls_context_new(&tls, &run->tls, message, sizeof(message));
    if (err)
        (void)fprintf(stderr, "weft bench: %s\n", message);
    return err;
}

static int make_workers(struct bench_run *run)
{
    const struct bench_options *options = run->options;
    const struct weft_alloc *alloc = weft_alloc_default();
    run->workers = weft__mem_alloc_array(alloc, options->workers, sizeof(*run->workers));
    run->broadcasts = weft__mem_alloc_array(alloc, options->in_flight, sizeof(*run->broadcasts));
    if (!run->workers || !run->broadcasts)
        return WEFT_ERR_NOMEM;
    memset(run->workers, 0, options->workers * sizeof(*run->workers));
    for (uint32_t i = 0; i < options->in_flight; i++)
        bench_broadcast_init(&run->broadcasts[i], run);
    for (uint32_t i = 0; i < options->workers; i++) {
        int err = bench_worker_init(&run->workers[i], run, i);
        if (err)
            return err;
    }
    return 0;
}

static void done_run(struct bench_run *run)
{
    const struct bench_options *options = run->options;
    const struct weft_alloc *alloc = weft_alloc_default();
    for (uint32_t i = 0; run->workers && i < options->workers; i++)
        bench_worker_done(&run->workers[i]);
    weft__mem_free(alloc, run->workers, options->workers * sizeof(*run->workers));
    weft__mem_free(alloc, run->broadcasts, options->in_flight * sizeof(*run->broadcasts));
    weft__tls_context_free(run->tls);
    (void)pthread_cond_destroy(&run->changed);
    (void)pthread_mutex_destroy(&run->lock);
}

/* Starts the threads, measures, ends them. */
static int run_threads(struct bench_run *run)
{
    const struct bench_options *options = run->options;
    struct progress progress = {.shown = !options->quiet && isatty(STDERR_FILENO)};
    uint32_t started = 0;
    run->memory_before = server_memory(run);
    run->loop_name = weft__loop_backend_name(run->workers[0].loop);
    while (started < options->workers && !pthread_create(&run->workers[started].thread, NULL,
                                                         bench_worker_main, &run->workers[started]))
        started++;
    int err = started == options->workers ? 0 : WEFT_ERR_SYSTEM;
    if (!err && !measure(run, &progress))
        err = WEFT_ERR_UNAVAILABLE;
    for (uint32_t i = 0; i < started; i++)
        weft__loop_post(run->workers[i].loop, &run->workers[i].finish_task);
    for (uint32_t i = 0; i < started; i++)
        (void)pthread_join(run->workers[i].thread, NULL);
    add_up(run);
    return err;
}

static int conclude(const struct bench_run *run)
{
    if (run->options->json)
        bench_report_json(run);
    else
        bench_report_table(run);
    bool silent = run->options->scenario != BENCH_IDLE && !run->total.messages;
    if (silent && !bench_error_sum(&run->total))
        (void)fprintf(stderr, "weft bench: the server answered nothing\n");
    return silent || bench_error_sum(&run->total) ? 1 : 0;
}

int bench_run(const struct bench_options *options)
{
    static struct bench_run run; /* with its histogram too large for a stack */
    init_run(&run, options);
    int err = make_tls(&run);
    if (err) {
        done_run(&run);
        return 1;
    }
    err = make_workers(&run);
    if (!err)
        err = run_threads(&run);
    int status = 1;
    if (!err)
        status = conclude(&run);
    if (err == WEFT_ERR_UNAVAILABLE && options->json)
        bench_report_json(&run);
    if (err)
        (void)fprintf(stderr, "weft bench: %s: %s\n", options->url_text,
                      run.first_error[0] ? run.first_error : weft_err_message(err));
    done_run(&run);
    return status;
}
