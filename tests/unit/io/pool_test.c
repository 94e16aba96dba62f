/* SPDX-License-Identifier: Apache-2.0 */
/* The pool of blocking threads. */
#include "integration/io_support.h"

#include "io/address.h"
#include "io/pool.h"

#include <pthread.h>
#include <semaphore.h>

struct sum_job {
    struct weft_pool_job job;
    int input;
    int output;
    pthread_t worked_on;
};

static int jobs_done;
static int jobs_wanted;
static pthread_t loop_thread;

static void square(struct weft_pool_job *job)
{
    struct sum_job *sum = WEFT_CONTAINER_OF(job, struct sum_job, job);
    sum->output = sum->input * sum->input;
    sum->worked_on = pthread_self();
}

static void square_done(struct weft_pool_job *job)
{
    struct sum_job *sum = WEFT_CONTAINER_OF(job, struct sum_job, job);
    assert_int_equal(sum->output, sum->input * sum->input);
    assert_false(pthread_equal(sum->worked_on, loop_thread));
    assert_true(pthread_equal(pthread_self(), loop_thread));
    if (++jobs_done == jobs_wanted)
        weft__loop_stop(job->loop);
}

static void jobs_run_on_the_pool_and_report_on_the_loop(void **state)
{
    enum { JOBS = 500 };
    struct weft_loop *loop = io_loop_new(io_backend(state), NULL, 0, 0);
    struct weft_pool *pool = NULL;
    assert_ok(weft__pool_new(weft_alloc_default(), 3, JOBS, &pool));
    static struct sum_job jobs[JOBS];
    jobs_done = 0;
    jobs_wanted = JOBS;
    loop_thread = pthread_self();
    for (int i = 0; i < JOBS; i++) {
        jobs[i].input = i;
        weft__pool_job_init(&jobs[i].job, loop, square, square_done);
        assert_ok(weft__pool_submit(pool, &jobs[i].job));
    }
    io_run(loop, 10000);
    assert_int_equal(jobs_done, JOBS);
    weft__pool_free(pool);
    weft__loop_free(loop);
}

static sem_t gate;
static sem_t entered;

static void wait_at_gate(struct weft_pool_job *job)
{
    (void)job;
    (void)sem_post(&entered);
    while (sem_wait(&gate))
        continue;
}

static void full_queue_refuses_and_freeing_runs_what_waits(void **state)
{
    (void)state;
    struct weft_pool *pool = NULL;
    assert_int_equal(sem_init(&gate, 0, 0), 0);
    assert_int_equal(sem_init(&entered, 0, 0), 0);
    assert_ok(weft__pool_new(weft_alloc_default(), 1, 2, &pool));
    struct weft_pool_job jobs[4];
    for (int i = 0; i < 4; i++)
        weft__pool_job_init(&jobs[i], NULL, wait_at_gate, NULL);
    assert_ok(weft__pool_submit(pool, &jobs[0]));
    while (sem_wait(&entered))
        continue;
    /* The first is at work, so two more may wait. */
    assert_ok(weft__pool_submit(pool, &jobs[1]));
    assert_ok(weft__pool_submit(pool, &jobs[2]));
    assert_err(weft__pool_submit(pool, &jobs[3]), WEFT_ERR_LIMIT);
    struct weft_pool_stats stats;
    weft__pool_read_stats(pool, &stats);
    assert_int_equal(stats.threads, 1);
    assert_int_equal(stats.running, 1);
    assert_int_equal(stats.queued, 2);
    assert_int_equal(stats.refused, 1);
    uint64_t begun = 0;
    for (size_t i = 0; i <= WEFT_POOL_WAIT_BOUNDS; i++)
        begun += stats.waits[i];
    assert_int_equal(begun, 1);
    for (int i = 0; i < 3; i++)
        (void)sem_post(&gate);
    weft__pool_free(pool);
    int passed;
    assert_int_equal(sem_getvalue(&entered, &passed), 0);
    assert_int_equal(passed, 2);
    (void)sem_destroy(&gate);
    (void)sem_destroy(&entered);
}

static void result_that_arrives_after_the_pool_is_freed_is_delivered(void **state)
{
    struct weft_loop *loop = io_loop_new(io_backend(state), NULL, 0, 0);
    struct weft_pool *pool = NULL;
    struct sum_job job = {.input = 7};
    jobs_done = 0;
    jobs_wanted = 1;
    loop_thread = pthread_self();
    weft__pool_job_init(&job.job, loop, square, square_done);
    assert_ok(weft__pool_new(weft_alloc_default(), 1, 1, &pool));
    assert_ok(weft__pool_submit(pool, &job.job));
    weft__pool_free(pool);
    weft__loop_free(loop);
    assert_int_equal(jobs_done, 1);
}

struct lookup {
    struct weft_pool_job job;
    struct weft_address found[4];
    int count;
};

static void look_up(struct weft_pool_job *job)
{
    struct lookup *lookup = WEFT_CONTAINER_OF(job, struct lookup, job);
    lookup->count = weft__address_resolve("127.0.0.1", 80, 4, lookup->found);
}

static void looked_up(struct weft_pool_job *job)
{
    weft__loop_stop(job->loop);
}

static void resolver_runs_as_a_job(void **state)
{
    struct weft_loop *loop = io_loop_new(io_backend(state), NULL, 0, 0);
    struct weft_pool *pool = NULL;
    struct lookup lookup = {.count = 0};
    assert_ok(weft__pool_new(weft_alloc_default(), 1, 1, &pool));
    weft__pool_job_init(&lookup.job, loop, look_up, looked_up);
    assert_ok(weft__pool_submit(pool, &lookup.job));
    io_run(loop, 10000);
    assert_int_equal(lookup.count, 1);
    assert_true(weft__address_is_loopback(&lookup.found[0]));
    weft__pool_free(pool);
    weft__loop_free(loop);
}

static int make_pool(const struct weft_alloc *alloc, void *ctx)
{
    (void)ctx;
    struct weft_pool *pool = NULL;
    int err = weft__pool_new(alloc, 2, 1, &pool);
    weft__pool_free(pool);
    return err;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    assert_int_equal(test_each_alloc_failure(make_pool, NULL), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_run_on_the_pool_and_report_on_the_loop),
        cmocka_unit_test(full_queue_refuses_and_freeing_runs_what_waits),
        cmocka_unit_test(result_that_arrives_after_the_pool_is_freed_is_delivered),
        cmocka_unit_test(resolver_runs_as_a_job),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return io_run_tests("io_pool", tests, WEFT_ARRAY_LEN(tests));
}
