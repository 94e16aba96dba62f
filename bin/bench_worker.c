/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread of the load generator. Its phases are changed by the main thread's tasks and by its
 * own clock; what a phase has to do each tick is done in the hook, when the tick's bytes are read.
 *
 * With --rate messages are due at begin + number × interval, whatever became of the ones before.
 * The thread sleeps until shortly before that and then turns without sleeping: timers have a
 * resolution of a millisecond, which is far longer than a message takes.
 */
#include "base/mem.h"
#include "bench_stream.h"
#include "io/clock.h"

#include <stdio.h>

/* With less than this until something is due, the loop does not sleep. */
static const uint64_t SPIN_NS = 3 * WEFT_NS_PER_MS;

/* ---- Telling the main thread ---- */

void bench_worker_error(struct bench_worker *worker, enum bench_error error, const char *text)
{
    if (worker->phase == BENCH_PHASE_CLOSE)
        return;
    worker->stats.errors[error]++;
    if (!worker->first_error[0])
        (void)snprintf(worker->first_error, sizeof(worker->first_error), "%s", text);
}

void bench_worker_break(struct bench_worker *worker)
{
    struct bench_run *run = worker->run;
    pthread_mutex_lock(&run->lock);
    run->broken = true;
    pthread_cond_signal(&run->changed);
    pthread_mutex_unlock(&run->lock);
}

static void tell_ready(struct bench_worker *worker)
{
    struct bench_run *run = worker->run;
    worker->ready = true;
    atomic_store(&worker->live_open, worker->open);
    pthread_mutex_lock(&run->lock);
    run->ready++;
    pthread_cond_signal(&run->changed);
    pthread_mutex_unlock(&run->lock);
}

static void tell_live(struct bench_worker *worker)
{
    uint64_t errors = 0;
    for (int i = 0; i < BENCH_ERROR_COUNT; i++)
        errors += worker->stats.errors[i];
    atomic_store_explicit(&worker->live_messages, worker->stats.messages, memory_order_relaxed);
    atomic_store_explicit(&worker->live_errors, errors, memory_order_relaxed);
    atomic_store_explicit(&worker->live_open, worker->open, memory_order_relaxed);
}

/* ---- Connections ---- */

static void connect_more(struct bench_worker *worker)
{
    while (worker->next < worker->count && worker->connecting < BENCH_CONNECTING_MAX)
        bench_conn_start(&worker->conns[worker->next++]);
    if (!worker->connecting && !worker->ready)
        tell_ready(worker);
}

void bench_worker_settled(struct bench_worker *worker)
{
    worker->connecting--;
}

void bench_worker_closed(struct bench_worker *worker, struct bench_conn *conn)
{
    worker->alive--;
    if (worker->scenario->closed)
        worker->scenario->closed(conn);
    if (worker->phase == BENCH_PHASE_RUN && worker->scenario->connects && !worker->alive) {
        struct bench_run *run = worker->run;
        pthread_mutex_lock(&run->lock);
        run->lost++;
        pthread_cond_signal(&run->changed);
        pthread_mutex_unlock(&run->lock);
    }
}

struct bench_conn *bench_worker_open_conn(struct bench_worker *worker, uint64_t number)
{
    for (uint32_t i = 0; i < worker->count; i++) {
        struct bench_conn *conn = &worker->conns[(number + i) % worker->count];
        if (conn->state == BENCH_OPEN)
            return conn;
    }
    return NULL;
}

/* ---- Phases ---- */

static void begin(struct weft_task *task)
{
    struct bench_worker *worker = WEFT_CONTAINER_OF(task, struct bench_worker, begin_task);
    worker->phase = BENCH_PHASE_RUN;
    worker->begin_ns = worker->run->begin_ns;
    worker->measure_ns = worker->run->measure_ns;
    worker->end_ns = worker->run->end_ns;
    worker->now_ns = weft__clock_now_ns();
    if (worker->scenario->begin)
        worker->scenario->begin(worker);
}

static void close_all(struct bench_worker *worker)
{
    worker->phase = BENCH_PHASE_CLOSE;
    for (uint32_t i = 0; i < worker->count; i++) {
        weft__loop_timer_stop(worker->loop, &worker->conns[i].timer);
        bench_conn_close(&worker->conns[i]);
    }
    weft__loop_timer_start(worker->loop, &worker->timer, BENCH_CLOSE_MS);
}

static void finish(struct weft_task *task)
{
    struct bench_worker *worker = WEFT_CONTAINER_OF(task, struct bench_worker, finish_task);
    /* What is sent from here on is not within the time of measuring. */
    worker->now_ns = weft__clock_now_ns();
    if (worker->phase == BENCH_PHASE_RUN && worker->options->rate > 0) {
        worker->phase = BENCH_PHASE_DRAIN;
        weft__loop_timer_start(worker->loop, &worker->timer, BENCH_DRAIN_MS);
    } else {
        close_all(worker);
    }
}

/* What was due and could not even be begun counts with the time it has waited so far, as what waits
 * for its answer does. */
static void abandon(struct bench_worker *worker)
{
    worker->now_ns = weft__clock_now_ns();
    for (;;) {
        uint64_t due_ns = bench_due_ns(worker, worker->due_next);
        if (worker->interval_ns <= 0 || due_ns >= worker->end_ns)
            break;
        worker->due_next++;
        bench_worker_error(worker, BENCH_ERROR_UNANSWERED, "not answered in time");
        bench_worker_latency(worker, due_ns, 1);
    }
    if (worker->scenario->abandon)
        worker->scenario->abandon(worker);
}

static void on_timer(struct weft_timer *timer)
{
    struct bench_worker *worker = WEFT_CONTAINER_OF(timer, struct bench_worker, timer);
    /* While the run lasts the timer only wakes the loop. */
    if (worker->phase == BENCH_PHASE_DRAIN) {
        abandon(worker);
        close_all(worker);
    } else if (worker->phase == BENCH_PHASE_CLOSE) {
        for (uint32_t i = 0; i < worker->count; i++)
            bench_conn_abort(&worker->conns[i]);
    }
}

/* Starts everything that is due, and sees to it that the loop wakes for the next. */
static void start_due(struct bench_worker *worker)
{
    uint64_t now_ns = weft__clock_now_ns();
    uint64_t due_ns = bench_due_ns(worker, worker->due_next);
    worker->now_ns = now_ns;
    while (due_ns <= now_ns && due_ns < worker->end_ns) {
        if (!worker->scenario->due(worker, worker->due_next, due_ns))
            return; /* an answer will make it possible */
        due_ns = bench_due_ns(worker, ++worker->due_next);
    }
    if (due_ns >= worker->end_ns)
        return;
    if (due_ns - now_ns < SPIN_NS)
        weft__loop_again(worker->loop);
    else
        weft__loop_timer_start_at(worker->loop, &worker->timer, due_ns - SPIN_NS);
}

static void end_of_tick(struct weft_loop_hook *hook)
{
    struct bench_worker *worker = WEFT_CONTAINER_OF(hook, struct bench_worker, hook);
    switch (worker->phase) {
    case BENCH_PHASE_CONNECT:
        connect_more(worker);
        break;
    case BENCH_PHASE_RUN:
        if (worker->interval_ns > 0)
            start_due(worker);
        break;
    case BENCH_PHASE_DRAIN:
        if (worker->interval_ns > 0)
            start_due(worker);
        if (!worker->scenario->busy || !worker->scenario->busy(worker))
            close_all(worker);
        break;
    case BENCH_PHASE_CLOSE:
        if (!worker->alive)
            weft__loop_stop(worker->loop);
        break;
    }
    tell_live(worker);
}

void *bench_worker_main(void *arg)
{
    struct bench_worker *worker = arg;
    int err = weft__loop_run(worker->loop);
    if (err) {
        (void)fprintf(stderr, "weft bench: the event loop failed: %s\n", weft_err_message(err));
        worker->stats.errors[BENCH_ERROR_PROTOCOL]++;
        if (!worker->ready)
            tell_ready(worker);
        bench_worker_break(worker);
    }
    return NULL;
}

/* ---- Life ---- */

/* What a worker's share of the rate makes of the time between two messages; 0: no rate. */
static double interval_of(const struct bench_worker *worker)
{
    const struct bench_options *options = worker->options;
    if (options->rate <= 0)
        return 0;
    if (options->scenario == BENCH_BROADCAST)
        return worker->index == 0 ? (double)WEFT_NS_PER_S / options->rate : 0;
    double share = (double)worker->count / options->connections;
    return (double)WEFT_NS_PER_S / (options->rate * share);
}

static int init_conns(struct bench_worker *worker)
{
    const struct weft_alloc *alloc = weft_alloc_default();
    worker->conns = weft__mem_alloc_array(alloc, worker->count, sizeof(*worker->conns));
    if (!worker->conns)
        return WEFT_ERR_NOMEM;
    memset(worker->conns, 0, worker->count * sizeof(*worker->conns));
    for (uint32_t i = 0; i < worker->count; i++)
        worker->conns[i].worker = worker;
    for (uint32_t i = 0; i < worker->count; i++) {
        int err = bench_conn_init(&worker->conns[i], worker, worker->first + i);
        if (err)
            return err;
    }
    return 0;
}

int bench_worker_init(struct bench_worker *worker, struct bench_run *run, uint32_t index)
{
    const struct bench_options *options = run->options;
    *worker = (struct bench_worker){.run = run, .options = options, .index = index};
    worker->begin_ns = worker->measure_ns = worker->end_ns = UINT64_MAX;
    worker->scenario = &bench_scenarios[options->scenario];
    worker->looks = worker->scenario->message && (options->check || options->rpc);
    worker->first = (uint32_t)((uint64_t)options->connections * index / options->workers);
    uint64_t behind = (uint64_t)options->connections * (index + 1) / options->workers;
    worker->count = (uint32_t)behind - worker->first;
    worker->next = worker->scenario->connects ? 0 : worker->count;
    worker->interval_ns = interval_of(worker);
    weft__list_init(&worker->idle);
    weft__task_init(&worker->begin_task, begin);
    weft__task_init(&worker->finish_task, finish);
    weft__timer_init(&worker->timer, on_timer);
    weft__deflate_pool_init(&worker->deflate, weft_alloc_default());
    int err = bench_images_init(&worker->images, options, &worker->deflate, 0);
    if (!err)
        err =
            weft__loop_new(&(struct weft_loop_options){.backend = options->backend}, &worker->loop);
    if (!err)
        err = init_conns(worker);
    if (!err && run->tls)
        err = bench_stream_init(worker);
    if (!err)
        weft__loop_hook_add(worker->loop, &worker->hook, end_of_tick);
    return err;
}

void bench_worker_done(struct bench_worker *worker)
{
    for (uint32_t i = 0; worker->conns && i < worker->count; i++)
        bench_conn_done(&worker->conns[i]);
    weft__mem_free(weft_alloc_default(), worker->conns, worker->count * sizeof(*worker->conns));
    bench_images_done(&worker->images);
    if (worker->deflate.alloc)
        weft__deflate_pool_done(&worker->deflate);
    if (worker->plain)
        bench_stream_done(worker);
    weft__loop_free(worker->loop);
}
