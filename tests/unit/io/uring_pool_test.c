/* SPDX-License-Identifier: Apache-2.0 */
/* Which kernels share receive buffers, and the order in which a pool hands out its memory. What
 * connections make of it is in tests/integration/io_buffers.c. */
#include "lib/test.h"

#include "io/uring_pool.h"

static void only_kernels_that_keep_the_order_of_bytes_share(void **state)
{
    (void)state;
    static const char *const good[] = {"6.16.0", "6.18.44-fc", "6.100", "7.0-rc1", "10.2.3"};
    static const char *const bad[] = {
        "6.15.11", "6.12.30+deb13", "6.1.0-9-amd64", "5.19.17", "6.9", "6", "", "x.y", ".17"};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(good); i++)
        assert_true(weft__uring_kernel_can_share(good[i]));
    for (size_t i = 0; i < WEFT_ARRAY_LEN(bad); i++)
        assert_false(weft__uring_kernel_can_share(bad[i]));
}

enum { COUNT = 4, SIZE = 64 };

/* A pool as after its registration, with all buffers the kernel's. */
struct fixture {
    struct io_uring_buf entries[COUNT];
    uint8_t memory[COUNT * SIZE];
    struct weft_uring_pool pool;
};

static void fixture_init(struct fixture *f, bool sharing)
{
    *f = (struct fixture){.pool = {.ring = (struct io_uring_buf_ring *)(void *)f->entries,
                                   .memory = f->memory,
                                   .memory_size = sizeof(f->memory),
                                   .size = SIZE,
                                   .count = COUNT,
                                   .sharing = sharing}};
}

static unsigned returned(const struct fixture *f)
{
    return f->pool.ring->tail;
}

/* Takes a receive of |n| bytes from |id| on and checks where it lies: |at| in the memory, and the
 * bytes behind its end at the beginning. */
static void take(struct fixture *f, unsigned id, size_t n, size_t at)
{
    weft__uring_pool_begin(&f->pool, id);
    size_t seen = 0;
    while (seen < n) {
        uint8_t *data;
        size_t len = weft__uring_pool_slice(&f->pool, seen, n, &data);
        assert_in_range(len, 1, n - seen);
        assert_ptr_equal(data, f->memory + (at + seen) % sizeof(f->memory));
        assert_true(data + len <= f->memory + sizeof(f->memory));
        seen += len;
    }
    weft__uring_pool_end(&f->pool, n);
}

static void shared_buffers_go_back_when_they_are_full(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, true);
    take(&f, 0, 10, 0);
    take(&f, 0, 10, 10);
    assert_int_equal(returned(&f), 0);
    take(&f, 0, SIZE - 20, 20); /* to the end of the first */
    assert_int_equal(returned(&f), 1);
    take(&f, 1, 0, SIZE); /* the end of a stream */
    assert_int_equal(returned(&f), 1);
    take(&f, 1, 2 * SIZE + 6, SIZE);
    assert_int_equal(returned(&f), 3);
    take(&f, 3, SIZE, 3 * SIZE + 6); /* passes the end of the memory */
    assert_int_equal(returned(&f), 4);
    take(&f, 0, 1, 6);
    assert_int_equal(f.entries[0].bid, 0);
    assert_int_equal(f.entries[3].bid, 3);
    assert_int_equal(f.entries[3].len, SIZE);
    assert_true(f.entries[3].addr == (uint64_t)(uintptr_t)(f.memory + 3 * SIZE));
}

static void single_buffers_go_back_one_by_one(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, false);
    take(&f, 0, 10, 0);
    take(&f, 1, SIZE, SIZE);
    take(&f, 2, 0, 2 * SIZE);
    assert_int_equal(returned(&f), 3);
    take(&f, 3, 1, 3 * SIZE);
    take(&f, 0, 1, 0);
    assert_int_equal(returned(&f), 5);
}

static void buffers_that_the_kernel_passed_over_go_back_too(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, true);
    take(&f, 0, 10, 0);
    take(&f, 2, 5, 2 * SIZE);
    assert_int_equal(returned(&f), 2);
    take(&f, 2, 5, 2 * SIZE + 5);
    assert_int_equal(returned(&f), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_kernels_that_keep_the_order_of_bytes_share),
        cmocka_unit_test(shared_buffers_go_back_when_they_are_full),
        cmocka_unit_test(single_buffers_go_back_one_by_one),
        cmocka_unit_test(buffers_that_the_kernel_passed_over_go_back_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
