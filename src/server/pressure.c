/* SPDX-License-Identifier: Apache-2.0 */
/* Shedding when memory runs short. */
#include "server/pressure.h"

#include "server/worker.h"

#include <malloc.h>

enum {
    RELIEF_MS = 50,                   /* between two rounds of shedding */
    STILL_MS = 1000,                  /* connections that did not move for so long go first */
    POOL_KEEP = 1024 * 1024,          /* bytes of unused output buffers that may stay for ever */
    GIVE_BACK_MIN = 16 * 1024 * 1024, /* bytes that have to be free for returning them */
    GIVE_BACK_MS = 5000,              /* between two times */
    FALLING_MIN = 1024 * 1024,        /* bytes freed within a second: more will be */
};

static struct weft_limits *limits_of(const struct weft_worker *worker)
{
    return &worker->server->limits;
}

/* Ends connections of this worker that are its share of what has to go. */
static void shed(struct weft_worker *worker, enum weft_memory_level level, uint64_t still_ms)
{
    size_t excess = weft__limits_excess(limits_of(worker), level);
    size_t share = excess / worker->server->worker_count;
    uint64_t before = worker->transports.stats.shed;
    size_t freed = share ? weft__transport_set_shed(&worker->transports, share, still_ms) : 0;
    uint64_t count = worker->transports.stats.shed - before;
    if (count && weft__notice(&worker->notices, WEFT_LIMIT_MEMORY_SHED, count,
                              weft__loop_now_ns(worker->loop))) {
        const struct weft_log_field detail = weft__log_u64("bytes", freed);
        weft__notice_write(&worker->notices, WEFT_LIMIT_MEMORY_SHED, &detail);
    }
}

static void relieve(struct weft_worker *worker)
{
    /* Those whose clients are gone have the least to lose. */
    size_t excess = weft__limits_excess(limits_of(worker), WEFT_MEMORY_TIGHT);
    (void)weft__sessions_shed(worker, excess / worker->server->worker_count);
    weft__transport_set_trim(&worker->transports, 0);
    if (worker->memory >= WEFT_MEMORY_SCARCE)
        shed(worker, WEFT_MEMORY_SCARCE, 0);
    else
        shed(worker, WEFT_MEMORY_TIGHT, STILL_MS);
}

static void relief_due(struct weft_timer *timer)
{
    struct weft_pressure *pressure = WEFT_CONTAINER_OF(timer, struct weft_pressure, timer);
    struct weft_worker *worker = WEFT_CONTAINER_OF(pressure, struct weft_worker, pressure);
    worker->memory = weft__limits_level(limits_of(worker), worker->memory);
    if (worker->memory == WEFT_MEMORY_CALM)
        return;
    relieve(worker);
    weft__loop_timer_start(worker->loop, timer, RELIEF_MS);
}

void weft__pressure_look(struct weft_worker *worker)
{
    enum weft_memory_level before = worker->memory;
    worker->memory = weft__limits_level(limits_of(worker), before);
    if (worker->memory == WEFT_MEMORY_CALM)
        return;
    if (worker->memory > before)
        relieve(worker);
    if (!weft__timer_running(&worker->pressure.timer))
        weft__loop_timer_start(worker->loop, &worker->pressure.timer, RELIEF_MS);
}

/* The C library keeps what was freed. After a flood that would be most of it for ever. */
static void give_back(struct weft_worker *worker)
{
    struct weft_pressure *pressure = &worker->pressure;
    size_t total = weft__budget_total(&limits_of(worker)->budget);
    size_t last = pressure->last;
    uint64_t now_ns = weft__loop_now_ns(worker->loop);
    pressure->last = total;
    pressure->peak = WEFT_MAX(pressure->peak, total);
    bool falling = total < last && last - total > FALLING_MIN;
    if (worker->index != 0 || falling || pressure->peak - total < GIVE_BACK_MIN ||
        now_ns - pressure->returned_ns < GIVE_BACK_MS * WEFT_NS_PER_MS)
        return;
    pressure->peak = total;
    pressure->returned_ns = now_ns;
#ifdef __GLIBC__
    (void)malloc_trim(0);
#endif
}

void weft__pressure_tick(struct weft_worker *worker)
{
    struct weft_pressure *pressure = &worker->pressure;
    uint64_t refused = weft__budget_account_refused(&worker->server->connection_memory);
    if (worker->index == 0 && refused != pressure->refused &&
        weft__notice(&worker->notices, WEFT_LIMIT_MEMORY_SPENT, refused - pressure->refused,
                     weft__loop_now_ns(worker->loop)))
        weft__notice_write(&worker->notices, WEFT_LIMIT_MEMORY_SPENT, NULL);
    pressure->refused = refused;
    weft__transport_set_trim(&worker->transports,
                             WEFT_MAX(worker->transports.pool.unused / 2, (size_t)POOL_KEEP));
    give_back(worker);
}

void weft__pressure_init(struct weft_worker *worker)
{
    weft__timer_init(&worker->pressure.timer, relief_due);
}

void weft__pressure_done(struct weft_worker *worker)
{
    weft__loop_timer_stop(worker->loop, &worker->pressure.timer);
}
