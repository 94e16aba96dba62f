/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small pool of threads for work that blocks: name lookups, storage, slow hashes. A job runs on a
 * pool thread and reports back as a task on the loop that submitted it.
 *
 *   weft__pool_submit ─► queue (bounded, FIFO) ─► work() on a pool thread ─► done() on the loop
 *
 * **Thread:** weft__pool_submit and weft__pool_read_stats from any; new and free from the owner's.
 */
#ifndef WEFT_IO_POOL_H
#define WEFT_IO_POOL_H

#include "io/loop.h"

struct weft_pool;
struct weft_pool_job;

typedef void weft_pool_fn(struct weft_pool_job *job);

/* Embedded in the object that carries arguments and result. */
struct weft_pool_job {
    struct weft_task task;  /* the way back */
    struct weft_list node;  /* in the queue */
    struct weft_loop *loop; /* where done is called; NULL: work is the last that is called */
    weft_pool_fn *work;     /* on a pool thread; may block */
    weft_pool_fn *done;     /* on the loop's thread; may free or submit the job */
    uint64_t queued_ns;     /* when it was submitted */
};

enum { WEFT_POOL_WAIT_BOUNDS = 7 };

/* Up to how long a job waited for a thread, for each of the numbers in weft_pool_stats.waits but
 * the last. */
extern const uint64_t weft__pool_wait_bounds_ns[WEFT_POOL_WAIT_BOUNDS];

/* A pool at one moment, and since its beginning. */
struct weft_pool_stats {
    unsigned threads;
    size_t running;                            /* jobs at work */
    size_t queued;                             /* jobs that wait for a thread */
    uint64_t refused;                          /* because the queue was full */
    uint64_t waits[WEFT_POOL_WAIT_BOUNDS + 1]; /* jobs begun, by the time they waited */
    uint64_t wait_sum_ns;
};

static inline void weft__pool_job_init(struct weft_pool_job *job, struct weft_loop *loop,
                                       weft_pool_fn *work, weft_pool_fn *done)
{
    *job = (struct weft_pool_job){.loop = loop, .work = work, .done = done};
    weft__list_init(&job->node);
}

/* |threads| ≥ 1 threads, and at most |queue_max| jobs waiting. **Errors:** WEFT_ERR_NOMEM,
 * WEFT_ERR_SYSTEM. */
WEFT_MUST_USE int weft__pool_new(const struct weft_alloc *alloc, unsigned threads, size_t queue_max,
                                 struct weft_pool **ret_pool);

/* Queues |job|. **Lifetime:** it belongs to the pool until done (or, without a loop, work) is
 * called. **Errors:** WEFT_ERR_LIMIT (queue full), WEFT_ERR_CLOSED (being freed): nothing is called
 * then. */
WEFT_MUST_USE int weft__pool_submit(struct weft_pool *pool, struct weft_pool_job *job);

/* **Thread:** any. */
void weft__pool_read_stats(struct weft_pool *pool, struct weft_pool_stats *ret_stats);

/*
 * Runs what is queued, waits for the threads, frees the pool; NULL is allowed. The done of the last
 * jobs may still be under way to their loops, which must therefore live longer than the pool and
 * (see weft__loop_free) run them.
 */
void weft__pool_free(struct weft_pool *pool);

#endif
