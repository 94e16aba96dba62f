/* SPDX-License-Identifier: Apache-2.0 */
/* What each scenario of the load generator does. The rules are in docs/guides/benchmarking.md. */
#include "bench.h"
#include "io/clock.h"

/* ---- echo, rpc: messages in flight on each connection ---- */

static bool running(const struct bench_worker *worker)
{
    return worker->phase == BENCH_PHASE_RUN;
}

void bench_flood_go_on(struct bench_conn *conn, uint32_t count)
{
    const struct bench_worker *worker = conn->worker;
    if (worker->options->rate > 0) {
        uint64_t waiting = conn->due - conn->sent - conn->wanted;
        bench_conn_want(conn, (uint32_t)WEFT_MIN(waiting, (uint64_t)count));
    } else if (running(worker)) {
        bench_conn_want(conn, count);
    }
}

static void flood_begin(struct bench_worker *worker)
{
    if (worker->options->rate > 0)
        return;
    for (uint32_t i = 0; i < worker->count; i++) {
        struct bench_conn *conn = &worker->conns[i];
        worker->now_ns = weft__clock_now_ns();
        if (conn->state == BENCH_OPEN)
            bench_conn_want(conn, worker->options->depth);
    }
}

static bool flood_due(struct bench_worker *worker, uint64_t number, uint64_t due_ns)
{
    struct bench_conn *conn = &worker->conns[number % worker->count];
    (void)due_ns;
    /* That it is gone was counted as an error. */
    if (conn->state != BENCH_OPEN)
        return true;
    conn->due++;
    if (conn->sent - conn->done + conn->wanted < worker->options->depth)
        bench_conn_want(conn, 1);
    return true;
}

static bool flood_busy(const struct bench_worker *worker)
{
    for (uint32_t i = 0; i < worker->count; i++) {
        const struct bench_conn *conn = &worker->conns[i];
        if (conn->state == BENCH_OPEN && conn->done < conn->due)
            return true;
    }
    return false;
}

/* Messages that were due and got no answer count with the time they have waited so far. */
static void flood_abandon(struct bench_worker *worker)
{
    for (uint32_t i = 0; i < worker->count; i++) {
        struct bench_conn *conn = &worker->conns[i];
        for (uint64_t k = conn->done; conn->state == BENCH_OPEN && k < conn->due; k++) {
            bench_worker_error(worker, BENCH_ERROR_UNANSWERED, "not answered in time");
            bench_worker_latency(worker, bench_due_ns(worker, i + k * worker->count), 1);
        }
    }
}

static void echo_arrived(struct bench_conn *conn, uint32_t count)
{
    struct bench_worker *worker = conn->worker;
    if (count > conn->sent - conn->done) {
        bench_conn_fail(conn, BENCH_ERROR_PROTOCOL, "more messages came than were sent");
        return;
    }
    /* All of a burst were sent at the same moment. */
    for (uint32_t left = count; left;) {
        uint64_t since_ns = conn->times[conn->get];
        uint32_t same = 0;
        do {
            same++;
            conn->get = conn->get + 1 == conn->images->count ? 0 : conn->get + 1;
        } while (same < left && conn->times[conn->get] == since_ns);
        conn->done += same;
        bench_worker_latency(worker, since_ns, same);
        left -= same;
    }
    bench_flood_go_on(conn, count);
}

/* Whether |opcode| is that of the messages that are sent. */
static bool kind_fits(const struct bench_options *options, unsigned opcode)
{
    return (opcode == WEFT_WS_OPCODE_TEXT) == (options->text || options->deflate);
}

static void echo_message(struct bench_conn *conn, unsigned opcode, struct weft_slice data)
{
    const struct bench_options *options = conn->worker->options;
    uint32_t slot = (uint32_t)(conn->checked++ % options->depth);
    if (!kind_fits(options, opcode) || !bench_images_match(conn->images, slot, data))
        bench_conn_fail(conn, BENCH_ERROR_CONTENT, "an echo differs from what was sent");
}

/* ---- broadcast ---- */

/* Sends message worker->sent, which counts from |since_ns| on. */
static void broadcast_send(struct bench_worker *worker, uint64_t since_ns)
{
    struct bench_run *run = worker->run;
    uint64_t number = worker->sent++;
    struct bench_broadcast *broadcast = &run->broadcasts[number % worker->options->in_flight];
    struct bench_conn *conn = bench_worker_open_conn(worker, number % worker->options->senders);
    if (!conn)
        return; /* their end has broken the run */
    atomic_store_explicit(&broadcast->sent_ns, since_ns, memory_order_relaxed);
    atomic_store(&broadcast->copies, run->opened);
    bench_conn_want(conn, 1);
}

/* Sends what the completed ones have made room for. */
static void broadcast_go_on(struct bench_worker *worker)
{
    while (worker->released) {
        worker->released--;
        worker->completed++;
        if (worker->options->rate <= 0 && running(worker))
            broadcast_send(worker, worker->now_ns);
    }
}

static void broadcast_complete(struct weft_task *task)
{
    struct bench_broadcast *broadcast = WEFT_CONTAINER_OF(task, struct bench_broadcast, task);
    struct bench_worker *worker = &broadcast->run->workers[0];
    worker->now_ns = weft__clock_now_ns();
    worker->released++;
    broadcast_go_on(worker);
}

void bench_broadcast_init(struct bench_broadcast *broadcast, struct bench_run *run)
{
    broadcast->run = run;
    weft__task_init(&broadcast->task, broadcast_complete);
    atomic_init(&broadcast->sent_ns, 0);
    atomic_init(&broadcast->copies, 0);
}

static void broadcast_begin(struct bench_worker *worker)
{
    if (worker->index || worker->options->rate > 0)
        return;
    for (uint32_t i = 0; i < worker->options->in_flight; i++)
        broadcast_send(worker, worker->now_ns);
}

static bool broadcast_due(struct bench_worker *worker, uint64_t number, uint64_t due_ns)
{
    (void)number;
    if (worker->sent - worker->completed == worker->options->in_flight)
        return false;
    broadcast_send(worker, due_ns);
    return true;
}

static bool broadcast_busy(const struct bench_worker *worker)
{
    return worker->index == 0 && worker->sent != worker->completed;
}

static void broadcast_arrived(struct bench_conn *conn, uint32_t count)
{
    struct bench_worker *worker = conn->worker;
    struct bench_run *run = worker->run;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t number = conn->done++;
        struct bench_broadcast *broadcast = &run->broadcasts[number % worker->options->in_flight];
        uint32_t copies = atomic_load(&broadcast->copies);
        if (!copies) {
            bench_conn_fail(conn, BENCH_ERROR_PROTOCOL, "more messages came than were sent");
            return;
        }
        uint64_t since_ns = atomic_load_explicit(&broadcast->sent_ns, memory_order_relaxed);
        bench_worker_latency(worker, since_ns, 1);
        if (atomic_fetch_sub(&broadcast->copies, 1) != 1)
            continue;
        if (worker->index)
            weft__loop_post(run->workers[0].loop, &broadcast->task);
        else
            worker->released++;
    }
    if (!worker->index)
        broadcast_go_on(worker);
}

static void broadcast_message(struct bench_conn *conn, unsigned opcode, struct weft_slice data)
{
    const struct bench_options *options = conn->worker->options;
    if (!kind_fits(options, opcode) || !bench_images_match(conn->images, 0, data))
        bench_conn_fail(conn, BENCH_ERROR_CONTENT, "a copy differs from what was sent");
}

/* A message in flight can no longer reach everybody. */
static void broadcast_closed(struct bench_conn *conn)
{
    if (running(conn->worker))
        bench_worker_break(conn->worker);
}

/* ---- idle ---- */

static void idle_arrived(struct bench_conn *conn, uint32_t count)
{
    (void)conn;
    (void)count;
}

/* ---- storm: a connection, one round trip, and the next connection ---- */

/* |conn| failed, which was counted. What failed would fail again at once, so it has a pause. */
static void storm_failed(struct bench_conn *conn)
{
    enum { PAUSE_MS = 20 };
    struct bench_worker *worker = conn->worker;
    if (worker->options->rate > 0)
        weft__list_push(&worker->idle, &conn->node);
    else
        weft__loop_timer_start(worker->loop, &conn->timer, PAUSE_MS);
}

static void storm_start(struct bench_conn *conn, uint64_t since_ns)
{
    conn->start_ns = since_ns;
    bench_conn_start(conn);
    if (conn->state == BENCH_CLOSED)
        storm_failed(conn);
}

static void storm_retry(struct bench_conn *conn)
{
    if (running(conn->worker))
        storm_start(conn, weft__clock_now_ns());
}

static void storm_begin(struct bench_worker *worker)
{
    for (uint32_t i = 0; i < worker->count; i++) {
        if (worker->options->rate > 0)
            weft__list_push(&worker->idle, &worker->conns[i].node);
        else
            storm_start(&worker->conns[i], weft__clock_now_ns());
    }
}

static void storm_opened(struct bench_conn *conn)
{
    bench_conn_want(conn, 1);
}

static void storm_arrived(struct bench_conn *conn, uint32_t count)
{
    (void)count;
    conn->replied = true;
    bench_worker_latency(conn->worker, conn->start_ns, 1);
    bench_conn_close(conn);
}

static void storm_message(struct bench_conn *conn, unsigned opcode, struct weft_slice data)
{
    struct bench_event event;
    if (!conn->worker->options->rpc) {
        echo_message(conn, opcode, data);
        return;
    }
    while (conn->worker->options->wire->next(&data, &event))
        if (event.kind == BENCH_EVENT_ERROR)
            bench_calls_refused(conn, &event);
}

static void storm_closed(struct bench_conn *conn)
{
    struct bench_worker *worker = conn->worker;
    bool draining = worker->phase == BENCH_PHASE_DRAIN && worker->options->rate > 0;
    if (!running(worker) && !draining)
        return;
    if (conn->replied && worker->options->rate <= 0)
        storm_start(conn, weft__clock_now_ns());
    else
        storm_failed(conn);
}

static bool storm_due(struct bench_worker *worker, uint64_t number, uint64_t due_ns)
{
    struct weft_list *node = weft__list_pop(&worker->idle);
    (void)number;
    if (!node)
        return false;
    storm_start(WEFT_CONTAINER_OF(node, struct bench_conn, node), due_ns);
    return true;
}

static bool storm_busy(const struct bench_worker *worker)
{
    return worker->alive != 0;
}

static void storm_abandon(struct bench_worker *worker)
{
    for (uint32_t i = 0; i < worker->count; i++) {
        struct bench_conn *conn = &worker->conns[i];
        if (conn->state == BENCH_CLOSED || conn->replied)
            continue;
        bench_worker_error(worker, BENCH_ERROR_UNANSWERED, "not answered in time");
        bench_worker_latency(worker, conn->start_ns, 1);
    }
}

const struct bench_scenario bench_scenarios[] = {
    [BENCH_ECHO] = {.connects = true,
                    .begin = flood_begin,
                    .arrived = echo_arrived,
                    .message = echo_message,
                    .due = flood_due,
                    .busy = flood_busy,
                    .abandon = flood_abandon},
    [BENCH_RPC] = {.connects = true,
                   .begin = flood_begin,
                   .arrived = bench_calls_arrived,
                   .message = bench_calls_message,
                   .due = flood_due,
                   .busy = flood_busy,
                   .abandon = flood_abandon},
    [BENCH_BROADCAST] = {.connects = true,
                         .begin = broadcast_begin,
                         .arrived = broadcast_arrived,
                         .message = broadcast_message,
                         .closed = broadcast_closed,
                         .due = broadcast_due,
                         .busy = broadcast_busy},
    [BENCH_IDLE] = {.connects = true, .arrived = idle_arrived},
    [BENCH_STORM] = {.begin = storm_begin,
                     .opened = storm_opened,
                     .arrived = storm_arrived,
                     .message = storm_message,
                     .closed = storm_closed,
                     .due = storm_due,
                     .busy = storm_busy,
                     .retry = storm_retry,
                     .abandon = storm_abandon},
};
