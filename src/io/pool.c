/* SPDX-License-Identifier: Apache-2.0 */
/* The pool of blocking threads: one queue under one lock. */
#include "io/pool.h"

#include "base/assert.h"
#include "base/mem.h"
#include "io/clock.h"

#include <pthread.h>
#include <signal.h>

struct weft_pool {
    const struct weft_alloc *alloc;
    pthread_mutex_t lock;
    pthread_cond_t more; /* the queue got a job, or closing was set */
    struct weft_list queue;
    size_t queue_max;
    struct weft_pool_stats stats;
    bool closing;
    unsigned thread_count; /* threads running */
    unsigned thread_max;   /* size of |threads| */
    pthread_t threads[];
};

const uint64_t weft__pool_wait_bounds_ns[WEFT_POOL_WAIT_BOUNDS] = {
    WEFT_NS_PER_MS / 10, WEFT_NS_PER_MS,     WEFT_NS_PER_MS * 10, WEFT_NS_PER_MS * 100,
    WEFT_NS_PER_S,       WEFT_NS_PER_S * 10, WEFT_NS_PER_S * 60,
};

static void job_done(struct weft_task *task)
{
    struct weft_pool_job *job = WEFT_CONTAINER_OF(task, struct weft_pool_job, task);
    job->done(job);
}

static void count_wait(struct weft_pool_stats *stats, uint64_t queued_ns)
{
    uint64_t now_ns = weft__clock_now_ns();
    uint64_t wait_ns = now_ns > queued_ns ? now_ns - queued_ns : 0;
    size_t i = 0;
    while (i < WEFT_POOL_WAIT_BOUNDS && wait_ns > weft__pool_wait_bounds_ns[i])
        i++;
    stats->waits[i]++;
    stats->wait_sum_ns += wait_ns;
}

/* The next job, waited for; NULL when the pool is closing and the queue is empty. |ran| tells that
 * the thread has done one before. */
static struct weft_pool_job *next_job(struct weft_pool *pool, bool ran)
{
    (void)pthread_mutex_lock(&pool->lock);
    pool->stats.running -= ran;
    while (weft__list_empty(&pool->queue) && !pool->closing)
        (void)pthread_cond_wait(&pool->more, &pool->lock);
    struct weft_list *node = weft__list_pop(&pool->queue);
    struct weft_pool_job *job = node ? WEFT_CONTAINER_OF(node, struct weft_pool_job, node) : NULL;
    if (job) {
        pool->stats.queued--;
        pool->stats.running++;
        count_wait(&pool->stats, job->queued_ns);
    }
    (void)pthread_mutex_unlock(&pool->lock);
    return job;
}

static void *thread_main(void *arg)
{
    struct weft_pool *pool = arg;
    struct weft_pool_job *job;
    for (bool ran = false; (job = next_job(pool, ran)); ran = true) {
        /* Read before the work: a job without a loop may free itself there. */
        struct weft_loop *loop = job->loop;
        job->work(job);
        if (loop) {
            weft__task_init(&job->task, job_done);
            weft__loop_post(loop, &job->task);
        }
    }
    return NULL;
}

/* Starts the threads with all signals blocked: those are the main thread's affair. */
static int start_threads(struct weft_pool *pool)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = 0;
    while (!result && pool->thread_count < pool->thread_max) {
        result = pthread_create(&pool->threads[pool->thread_count], NULL, thread_main, pool);
        if (!result)
            pool->thread_count++;
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result ? WEFT_ERR_SYSTEM : 0;
}

int weft__pool_new(const struct weft_alloc *alloc, unsigned threads, size_t queue_max,
                   struct weft_pool **ret_pool)
{
    WEFT_ASSERT(threads >= 1 && threads <= 1024);
    size_t size = sizeof(struct weft_pool) + threads * sizeof(pthread_t);
    struct weft_pool *pool = weft__mem_zalloc(alloc, size);
    if (!pool)
        return WEFT_ERR_NOMEM;
    pool->alloc = alloc;
    pool->queue_max = queue_max;
    pool->thread_max = threads;
    pool->stats.threads = threads;
    weft__list_init(&pool->queue);
    /* With default attributes neither can fail on Linux. */
    (void)pthread_mutex_init(&pool->lock, NULL);
    (void)pthread_cond_init(&pool->more, NULL);
    int err = start_threads(pool);
    if (err) {
        weft__pool_free(pool);
        return err;
    }
    *ret_pool = pool;
    return 0;
}

int weft__pool_submit(struct weft_pool *pool, struct weft_pool_job *job)
{
    int err = 0;
    (void)pthread_mutex_lock(&pool->lock);
    if (pool->closing) {
        err = WEFT_ERR_CLOSED;
    } else if (pool->stats.queued >= pool->queue_max) {
        pool->stats.refused++;
        err = WEFT_ERR_LIMIT;
    } else {
        job->queued_ns = weft__clock_now_ns();
        weft__list_push(&pool->queue, &job->node);
        pool->stats.queued++;
        (void)pthread_cond_signal(&pool->more);
    }
    (void)pthread_mutex_unlock(&pool->lock);
    return err;
}

void weft__pool_read_stats(struct weft_pool *pool, struct weft_pool_stats *ret_stats)
{
    (void)pthread_mutex_lock(&pool->lock);
    *ret_stats = pool->stats;
    (void)pthread_mutex_unlock(&pool->lock);
}

void weft__pool_free(struct weft_pool *pool)
{
    if (!pool)
        return;
    (void)pthread_mutex_lock(&pool->lock);
    pool->closing = true;
    (void)pthread_cond_broadcast(&pool->more);
    (void)pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->thread_count; i++)
        (void)pthread_join(pool->threads[i], NULL);
    (void)pthread_cond_destroy(&pool->more);
    (void)pthread_mutex_destroy(&pool->lock);
    weft__mem_free(pool->alloc, pool, sizeof(*pool) + pool->thread_max * sizeof(pool->threads[0]));
}
