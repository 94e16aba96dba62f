/* SPDX-License-Identifier: Apache-2.0 */
/* The mesh: order, overflow, wake-ups, and the end. */
#include "hub/mesh.h"
#include "lib/test.h"

#include <pthread.h>

struct note {
    struct weft_mesh_message message;
    unsigned number;
};

struct receiver {
    unsigned expected;
    unsigned freed;
};

static unsigned wakes;
static struct weft_task *woken;

static void post(void *ctx, struct weft_task *task)
{
    (void)ctx;
    wakes++;
    woken = task;
}

static void run(struct weft_mesh_message *message, void *owner)
{
    struct note *note = WEFT_CONTAINER_OF(message, struct note, message);
    struct receiver *receiver = owner;
    if (receiver)
        assert_int_equal(note->number, receiver->expected++);
    free(note);
}

static void send(struct weft_mesh_port *port, unsigned to, unsigned number)
{
    struct note *note = calloc(1, sizeof(*note));
    note->message.run = run;
    note->number = number;
    weft__mesh_send(port, to, &note->message);
}

static struct weft_mesh *make(struct receiver receivers[2])
{
    static const struct weft_exec exec = {post, NULL};
    struct weft_mesh *mesh;
    assert_ok(weft__mesh_new(weft_alloc_default(), 2, &mesh));
    for (unsigned i = 0; i < 2; i++) {
        receivers[i] = (struct receiver){0};
        weft__mesh_port_bind(weft__mesh_port(mesh, i), &exec, &receivers[i]);
    }
    wakes = 0;
    woken = NULL;
    return mesh;
}

static void messages_arrive_in_order_with_one_wakeup_a_tick(void **state)
{
    (void)state;
    struct receiver receivers[2];
    struct weft_mesh *mesh = make(receivers);
    struct weft_mesh_port *port = weft__mesh_port(mesh, 0);
    for (unsigned i = 0; i < 10; i++)
        send(port, 1, i);
    assert_int_equal(wakes, 0);
    assert_false(weft__mesh_flush(port));
    assert_int_equal(wakes, 1);
    woken->fn(woken);
    assert_int_equal(receivers[1].expected, 10);
    assert_int_equal(weft__mesh_stats(weft__mesh_port(mesh, 1))->received, 10);
    weft__mesh_free(mesh);
}

static void a_full_ring_spills_in_order_and_says_that_it_is_congested(void **state)
{
    (void)state;
    struct receiver receivers[2];
    struct weft_mesh *mesh = make(receivers);
    struct weft_mesh_port *port = weft__mesh_port(mesh, 0);
    for (unsigned i = 0; i < WEFT_MESH_RING; i++)
        send(port, 1, i);
    assert_false(weft__mesh_congested(port, 1));
    for (unsigned i = 0; i < 5000; i++)
        send(port, 1, WEFT_MESH_RING + i);
    assert_true(weft__mesh_congested(port, 1));
    while (weft__mesh_flush(port))
        woken->fn(woken);
    woken->fn(woken);
    assert_false(weft__mesh_congested(port, 1));
    assert_int_equal(receivers[1].expected, WEFT_MESH_RING + 5000);
    assert_int_equal(weft__mesh_stats(port)->spilled, 5000);
    weft__mesh_free(mesh);
}

static void a_message_to_oneself_runs_at_the_end_of_the_tick(void **state)
{
    (void)state;
    struct receiver receivers[2];
    struct weft_mesh *mesh = make(receivers);
    struct weft_mesh_port *port = weft__mesh_port(mesh, 0);
    send(port, 0, 0);
    assert_int_equal(receivers[0].expected, 0);
    assert_false(weft__mesh_flush(port));
    assert_int_equal(receivers[0].expected, 1);
    weft__mesh_free(mesh);
}

static void messages_that_never_arrived_are_run_without_an_owner(void **state)
{
    (void)state;
    struct receiver receivers[2];
    struct weft_mesh *mesh = make(receivers);
    for (unsigned i = 0; i < 2000; i++)
        send(weft__mesh_port(mesh, 0), i % 2, i);
    weft__mesh_free(mesh);
    assert_int_equal(receivers[0].expected + receivers[1].expected, 0);
}

/* ---- Two threads ---- */

enum { THREAD_MESSAGES = 200000 };

static _Atomic(struct weft_task *) pending;
static atomic_bool finished;

static void post_across(void *ctx, struct weft_task *task)
{
    (void)ctx;
    atomic_store(&pending, task);
}

static void *consume(void *arg)
{
    struct receiver *receiver = arg;
    while (receiver->expected < THREAD_MESSAGES) {
        struct weft_task *task = atomic_exchange(&pending, NULL);
        if (task)
            task->fn(task);
    }
    atomic_store(&finished, true);
    return NULL;
}

static void two_threads_lose_nothing_and_keep_the_order(void **state)
{
    (void)state;
    static const struct weft_exec exec = {post_across, NULL};
    struct receiver receivers[2];
    struct weft_mesh *mesh = make(receivers);
    struct weft_mesh_port *port = weft__mesh_port(mesh, 0);
    pthread_t thread;
    weft__mesh_port_bind(weft__mesh_port(mesh, 1), &exec, &receivers[1]);
    assert_int_equal(pthread_create(&thread, NULL, consume, &receivers[1]), 0);
    for (unsigned i = 0; i < THREAD_MESSAGES; i++) {
        send(port, 1, i);
        if (i % 7 == 0)
            (void)weft__mesh_flush(port);
    }
    while (!atomic_load(&finished))
        (void)weft__mesh_flush(port);
    pthread_join(thread, NULL);
    assert_int_equal(receivers[1].expected, THREAD_MESSAGES);
    weft__mesh_free(mesh);
}

static int make_only(const struct weft_alloc *alloc, void *ctx)
{
    struct weft_mesh *mesh;
    (void)ctx;
    int err = weft__mesh_new(alloc, 3, &mesh);
    if (!err)
        weft__mesh_free(mesh);
    return err;
}

static void out_of_memory_is_reported_and_nothing_leaks(void **state)
{
    (void)state;
    test_each_alloc_failure(make_only, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_arrive_in_order_with_one_wakeup_a_tick),
        cmocka_unit_test(a_full_ring_spills_in_order_and_says_that_it_is_congested),
        cmocka_unit_test(a_message_to_oneself_runs_at_the_end_of_the_tick),
        cmocka_unit_test(messages_that_never_arrived_are_run_without_an_owner),
        cmocka_unit_test(two_threads_lose_nothing_and_keep_the_order),
        cmocka_unit_test(out_of_memory_is_reported_and_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
