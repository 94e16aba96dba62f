/* SPDX-License-Identifier: Apache-2.0 */
/* The ring between two threads. */
#include "lib/test.h"

#include "base/ring.h"

#include <pthread.h>
#include <sched.h>

static void ring_is_first_in_first_out_and_bounded(void **state)
{
    struct test_alloc mem;
    struct weft_ring ring;
    int items[5];
    (void)state;
    test_alloc_init(&mem);
    assert_ok(weft__ring_init(&ring, &mem.alloc, 4));
    for (int round = 0; round < 10; round++) {
        assert_null(weft__ring_pop(&ring));
        for (int i = 0; i < 4; i++)
            assert_true(weft__ring_push(&ring, &items[i]));
        assert_false(weft__ring_push(&ring, &items[4]));
        assert_ptr_equal(weft__ring_pop(&ring), &items[0]);
        assert_true(weft__ring_push(&ring, &items[4]));
        for (int i = 1; i < 5; i++)
            assert_ptr_equal(weft__ring_pop(&ring), &items[i]);
    }
    weft__ring_done(&ring);
    weft__ring_done(&ring);
    test_alloc_done(&mem);
}

static void ring_of_one_holds_one(void **state)
{
    struct weft_ring ring;
    int item;
    (void)state;
    assert_ok(weft__ring_init(&ring, weft_alloc_default(), 1));
    for (int i = 0; i < 3; i++) {
        assert_true(weft__ring_push(&ring, &item));
        assert_false(weft__ring_push(&ring, &item));
        assert_ptr_equal(weft__ring_pop(&ring), &item);
        assert_null(weft__ring_pop(&ring));
    }
    weft__ring_done(&ring);
}

/* Head and tail are counters that wrap. */
static void counters_may_wrap(void **state)
{
    struct weft_ring ring;
    int items[8];
    (void)state;
    assert_ok(weft__ring_init(&ring, weft_alloc_default(), 8));
    atomic_store(&ring.head, SIZE_MAX - 3);
    atomic_store(&ring.tail, SIZE_MAX - 3);
    for (int i = 0; i < 8; i++)
        assert_true(weft__ring_push(&ring, &items[i]));
    assert_false(weft__ring_push(&ring, &items[0]));
    for (int i = 0; i < 8; i++)
        assert_ptr_equal(weft__ring_pop(&ring), &items[i]);
    assert_null(weft__ring_pop(&ring));
    weft__ring_done(&ring);
}

static void without_memory_there_is_no_ring(void **state)
{
    struct test_alloc mem;
    struct weft_ring ring = {0};
    (void)state;
    test_alloc_init(&mem);
    mem.fail_at = 1;
    assert_err(weft__ring_init(&ring, &mem.alloc, 8), WEFT_ERR_NOMEM);
    weft__ring_done(&ring);
    test_alloc_done(&mem);
}

enum { COUNT = 200000 };

struct message {
    uint64_t number; /* written by the producer, read by the consumer */
};

static struct message messages[COUNT];

static void *produce(void *arg)
{
    for (uint64_t i = 0; i < COUNT; i++) {
        messages[i].number = i * 3;
        while (!weft__ring_push(arg, &messages[i]))
            sched_yield();
    }
    return NULL;
}

static void what_was_written_before_a_push_is_seen_after_the_pop(void **state)
{
    struct weft_ring ring;
    pthread_t producer;
    (void)state;
    assert_ok(weft__ring_init(&ring, weft_alloc_default(), 64));
    assert_int_equal(pthread_create(&producer, NULL, produce, &ring), 0);
    for (uint64_t i = 0; i < COUNT;) {
        struct message *m = weft__ring_pop(&ring);
        if (!m) {
            sched_yield();
            continue;
        }
        assert_ptr_equal(m, &messages[i]);
        assert_int_equal(m->number, i * 3);
        i++;
    }
    pthread_join(producer, NULL);
    assert_null(weft__ring_pop(&ring));
    weft__ring_done(&ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ring_is_first_in_first_out_and_bounded),
        cmocka_unit_test(ring_of_one_holds_one),
        cmocka_unit_test(counters_may_wrap),
        cmocka_unit_test(without_memory_there_is_no_ring),
        cmocka_unit_test(what_was_written_before_a_push_is_seen_after_the_pop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
