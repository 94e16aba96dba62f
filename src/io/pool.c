/* SPDX-License-Identifier: Apache-2.0 */
/* The pool of blocking threads: one queue under one lock. */
#include "io/pool.h"

#include "base/assert.h"
#include "base/mem.h"

#include <pthread.h>
#include <signal.h>

struct weft_pool {
    const struct weft_alloc *alloc;
    pthread_mutex_t lock;
    pthread_cond_t more; /* the queue got a job, or closing was set */
    struct weft_list queue;
    size_t queued;
    size_t queue_max;
    bool closing;
    unsigned thread_count; /* threads running */
    unsigned thread_max;   /* size of |threads| */
    pthread_t threads[];
};

static void job_done(struct weft_task *task)
{
    struct weft_pool_job *job = WEFT_CONTAINER_OF(task, struct weft_pool_job, task);
    job->done(job);
}

/* The next job, waited for; NULL when the pool is closing and the queue is empty. */
static struct weft_pool_job *next_job(struct weft_pool *pool)
{
    (void)pthread_mutex_lock(&pool->lock);
    while (weft__list_empty(&pool->queue) && !pool->closing)
        (void)pthread_cond_wait(&pool->more, &pool->lock);
    struct weft_list *node = weft__list_pop(&pool->queue);
    if (node)
        pool->queued--;
    (void)pthread_mutex_unlock(&pool->lock);
    return node ? WEFT_CONTAINER_OF(node, struct weft_pool_job, node) : NULL;
}

static void *thread_main(void *arg)
{
    struct weft_pool *pool = arg;
    struct weft_pool_job *job;
    while ((job = next_job(pool))) {
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
    } else if (pool->queued >= pool->queue_max) {
        err = WEFT_ERR_LIMIT;
    } else {
        weft__list_push(&pool->queue, &job->node);
        pool->queued++;
        (void)pthread_cond_signal(&pool->more);
    }
    (void)pthread_mutex_unlock(&pool->lock);
    return err;
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
