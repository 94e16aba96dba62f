/* SPDX-License-Identifier: Apache-2.0 */
/* Timers, tasks and hooks of a loop, on both backends. */
#include "integration/io_support.h"

#include <pthread.h>
#include <unistd.h>

/* ---- Options ---- */

static void backend_is_the_one_asked_for(void **state)
{
    struct weft_loop *loop = io_loop_new(io_backend(state), NULL, 0, 0);
    const char *want = io_backend(state) == WEFT_LOOP_URING ? "uring" : "epoll";
    assert_string_equal(weft__loop_backend_name(loop), want);
    enum weft_loop_backend parsed;
    assert_ok(weft__loop_backend_parse(want, &parsed));
    assert_int_equal(parsed, io_backend(state));
    assert_ok(weft__loop_backend_parse("auto", &parsed));
    assert_int_equal(parsed, WEFT_LOOP_AUTO);
    assert_err(weft__loop_backend_parse("kqueue", &parsed), WEFT_ERR_USAGE);
    weft__loop_free(loop);
}

static void automatic_choice_always_finds_a_backend(void **state)
{
    (void)state;
    weft__loop_free(io_loop_new(WEFT_LOOP_AUTO, NULL, 0, 0));
}

static void unusable_buffer_counts_are_refused(void **state)
{
    static const unsigned bad[] = {3, 65536, 100};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(bad); i++) {
        struct weft_loop_options options = {.backend = io_backend(state),
                                            .recv_buffer_count = bad[i]};
        struct weft_loop *loop = NULL;
        assert_err(weft__loop_new(&options, &loop), WEFT_ERR_USAGE);
        assert_null(loop);
    }
}

static int make_loop(const struct weft_alloc *alloc, void *ctx)
{
    struct weft_loop_options options = {.backend = *(enum weft_loop_backend *)ctx, .alloc = alloc};
    struct weft_loop *loop = NULL;
    int err = weft__loop_new(&options, &loop);
    weft__loop_free(loop);
    return err;
}

static void every_allocation_may_fail(void **state)
{
    assert_true(test_each_alloc_failure(make_loop, *state) >= 2);
}

/* ---- Timers ---- */

struct order {
    struct weft_loop *loop;
    struct weft_timer timers[5];
    int fired[5];
    int count;
    uint64_t started_ns;
};

static struct order *order;

static void note(struct weft_timer *timer)
{
    int index = (int)(timer - order->timers);
    order->fired[order->count++] = index;
    assert_true(weft__loop_now_ns(order->loop) >= timer->due_ms * WEFT_NS_PER_MS);
    if (index == 1)
        weft__loop_timer_stop(order->loop, &order->timers[4]);
    if (order->count == 4)
        weft__loop_stop(order->loop);
}

static void timers_fire_in_order_and_never_early(void **state)
{
    struct order o = {.loop = io_loop_new(io_backend(state), NULL, 0, 0)};
    static const uint64_t delays[] = {30, 5, 18, 12, 40};
    order = &o;
    for (int i = 0; i < 5; i++) {
        weft__timer_init(&o.timers[i], note);
        weft__loop_timer_start(o.loop, &o.timers[i], 1000);
        weft__loop_timer_start(o.loop, &o.timers[i], delays[i]);
    }
    io_run(o.loop, 5000);
    assert_int_equal(o.count, 4);
    static const int want[] = {1, 3, 2, 0};
    assert_memory_equal(o.fired, want, sizeof(want));
    weft__loop_free(o.loop);
}

static void far_timers_do_not_keep_the_loop_turning(void **state)
{
    struct weft_loop *loop = io_loop_new(io_backend(state), NULL, 0, 0);
    struct weft_timer far;
    weft__timer_init(&far, note);
    weft__loop_timer_start(loop, &far, UINT64_MAX);
    struct io_guard pause = {.loop = loop};
    weft__timer_init(&pause.timer, io_guard_fired);
    weft__loop_timer_start(loop, &pause.timer, 100);
    assert_ok(weft__loop_run(loop));
    assert_in_range(weft__loop_stats(loop)->ticks, 1, 10);
    weft__loop_timer_stop(loop, &far);
    weft__loop_free(loop);
}

/* ---- Tasks ---- */

enum { POSTERS = 4, POSTS = 20000 };

struct poster {
    struct weft_loop *loop;
    struct letter *letters;
    pthread_t thread;
    int next; /* the index that must come next */
};

struct letter {
    struct weft_task task;
    struct poster *poster;
    int index;
    int payload; /* written before the post, read on the loop */
};

static int letters_received;

static void receive_letter(struct weft_task *task)
{
    struct letter *letter = WEFT_CONTAINER_OF(task, struct letter, task);
    struct poster *poster = letter->poster;
    assert_int_equal(letter->index, poster->next);
    assert_int_equal(letter->payload, letter->index * 3);
    poster->next++;
    if (++letters_received == POSTERS * POSTS)
        weft__loop_stop(poster->loop);
}

static void *post_letters(void *arg)
{
    struct poster *poster = arg;
    for (int i = 0; i < POSTS; i++) {
        struct letter *letter = &poster->letters[i];
        *letter = (struct letter){.poster = poster, .index = i, .payload = i * 3};
        weft__task_init(&letter->task, receive_letter);
        weft__loop_post(poster->loop, &letter->task);
        /* Now and then the loop gets the chance to fall asleep. */
        if (i % 5000 == 0)
            (void)usleep(3000);
    }
    return NULL;
}

static void tasks_of_four_threads_arrive_in_each_threads_order(void **state)
{
    struct weft_loop *loop = io_loop_new(io_backend(state), NULL, 0, 0);
    struct poster posters[POSTERS] = {0};
    letters_received = 0;
    for (int i = 0; i < POSTERS; i++) {
        posters[i].loop = loop;
        posters[i].letters = calloc(POSTS, sizeof(struct letter));
        assert_non_null(posters[i].letters);
        assert_int_equal(pthread_create(&posters[i].thread, NULL, post_letters, &posters[i]), 0);
    }
    io_run(loop, 30000);
    for (int i = 0; i < POSTERS; i++) {
        (void)pthread_join(posters[i].thread, NULL);
        free(posters[i].letters);
    }
    const struct weft_loop_stats *stats = weft__loop_stats(loop);
    assert_int_equal(stats->tasks, POSTERS * POSTS);
    /* A burst costs one wake-up, not one each; none when the loop found it before it slept. */
    assert_true(stats->wakeups <= POSTERS * POSTS / 2);
    weft__loop_free(loop);
}

struct chain {
    struct weft_task task;
    struct weft_loop *loop;
    int left;
};

static void post_through_exec(struct weft_loop *loop, struct weft_task *task)
{
    struct weft_exec exec = weft__loop_exec(loop);
    weft__exec_post(&exec, task);
}

static void post_again(struct weft_task *task)
{
    struct chain *chain = WEFT_CONTAINER_OF(task, struct chain, task);
    if (--chain->left)
        post_through_exec(chain->loop, task);
    else
        weft__loop_stop(chain->loop);
}

static void task_that_posts_itself_runs_again_without_a_wake_up(void **state)
{
    struct chain chain = {.loop = io_loop_new(io_backend(state), NULL, 0, 0), .left = 1000};
    weft__task_init(&chain.task, post_again);
    weft__loop_post(chain.loop, &chain.task);
    io_run(chain.loop, 5000);
    assert_int_equal(weft__loop_stats(chain.loop)->tasks, 1000);
    assert_int_equal(weft__loop_stats(chain.loop)->wakeups, 0);
    weft__loop_free(chain.loop);
}

static int leftovers;

static void count_leftover(struct weft_task *task)
{
    (void)task;
    leftovers++;
}

static void tasks_left_in_the_queue_are_run_when_the_loop_is_freed(void **state)
{
    struct weft_loop *loop = io_loop_new(io_backend(state), NULL, 0, 0);
    struct weft_task tasks[3];
    leftovers = 0;
    for (int i = 0; i < 3; i++) {
        weft__task_init(&tasks[i], count_leftover);
        weft__loop_post(loop, &tasks[i]);
    }
    weft__loop_free(loop);
    assert_int_equal(leftovers, 3);
}

/* ---- Hooks ---- */

struct counter {
    struct weft_loop_hook hook;
    struct weft_loop *loop;
    int calls;
    int limit;
};

static void count_call(struct weft_loop_hook *hook)
{
    struct counter *counter = WEFT_CONTAINER_OF(hook, struct counter, hook);
    if (++counter->calls < counter->limit)
        weft__loop_again(counter->loop);
    else
        weft__loop_hook_remove(hook);
}

static void hook_that_asks_for_another_turn_gets_it_at_once(void **state)
{
    struct weft_loop *loop = io_loop_new(io_backend(state), NULL, 0, 0);
    struct counter a = {.loop = loop, .limit = 50};
    struct counter b = {.loop = loop, .limit = 1};
    weft__loop_hook_add(loop, &a.hook, count_call);
    weft__loop_hook_add(loop, &b.hook, count_call);
    struct io_guard pause = {.loop = loop};
    weft__timer_init(&pause.timer, io_guard_fired);
    weft__loop_timer_start(loop, &pause.timer, 50);
    assert_ok(weft__loop_run(loop));
    assert_int_equal(a.calls, 50);
    assert_int_equal(b.calls, 1);
    assert_in_range(weft__loop_stats(loop)->ticks, 50, 60);
    weft__loop_hook_remove(&a.hook);
    weft__loop_free(loop);
}

static void *run_loop(void *arg)
{
    struct weft_loop *loop = arg;
    int err = weft__loop_run(loop);
    return err ? arg : NULL;
}

static void stop_it(struct weft_task *task)
{
    struct chain *chain = WEFT_CONTAINER_OF(task, struct chain, task);
    weft__loop_stop(chain->loop);
}

static void loop_made_here_runs_in_another_thread(void **state)
{
    struct weft_loop *loop = io_loop_new(io_backend(state), NULL, 0, 0);
    struct chain chain = {.loop = loop};
    weft__task_init(&chain.task, stop_it);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run_loop, loop), 0);
    weft__loop_post(loop, &chain.task);
    void *result;
    (void)pthread_join(thread, &result);
    assert_null(result);
    weft__loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(backend_is_the_one_asked_for),
        cmocka_unit_test(automatic_choice_always_finds_a_backend),
        cmocka_unit_test(unusable_buffer_counts_are_refused),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(timers_fire_in_order_and_never_early),
        cmocka_unit_test(far_timers_do_not_keep_the_loop_turning),
        cmocka_unit_test(tasks_of_four_threads_arrive_in_each_threads_order),
        cmocka_unit_test(task_that_posts_itself_runs_again_without_a_wake_up),
        cmocka_unit_test(tasks_left_in_the_queue_are_run_when_the_loop_is_freed),
        cmocka_unit_test(hook_that_asks_for_another_turn_gets_it_at_once),
        cmocka_unit_test(loop_made_here_runs_in_another_thread),
    };
    return io_run_tests("io_loop", tests, WEFT_ARRAY_LEN(tests));
}
