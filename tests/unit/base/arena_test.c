/* SPDX-License-Identifier: Apache-2.0 */
/* The arena: alignment, limit, reuse, and that nothing it gives out overlaps. */
#include "lib/test.h"

#include "base/arena.h"

static void allocations_are_aligned_and_apart(void **state)
{
    struct test_alloc mem;
    struct weft_arena arena;
    struct test_random rng;
    enum { COUNT = 2000 };
    static uint8_t *ptrs[COUNT];
    static size_t sizes[COUNT];
    (void)state;
    test_random_init(&rng, "arena");
    test_alloc_init(&mem);
    weft__arena_init(&arena, &mem.alloc, SIZE_MAX);
    assert_int_equal(mem.calls, 0);
    for (int i = 0; i < COUNT; i++) {
        sizes[i] = test_random_size(&rng, 0, test_random_one_in(&rng, 50) ? 20000 : 100);
        ptrs[i] = weft__arena_alloc(&arena, sizes[i]);
        assert_non_null(ptrs[i]);
        assert_int_equal((uintptr_t)ptrs[i] % 8, 0);
        memset(ptrs[i], i & 0xff, sizes[i]);
    }
    for (int i = 0; i < COUNT; i++)
        for (size_t j = 0; j < sizes[i]; j++)
            assert_int_equal(ptrs[i][j], i & 0xff);
    assert_int_equal(arena.total, mem.live_bytes);
    /* Chunks double, so there are few of them. */
    assert_true(mem.calls < 20);
    weft__arena_done(&arena);
    test_alloc_done(&mem);
}

static void nothing_is_a_valid_pointer_of_its_own(void **state)
{
    struct weft_arena arena;
    (void)state;
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    void *a = weft__arena_alloc(&arena, 0);
    void *b = weft__arena_alloc(&arena, 0);
    assert_non_null(a);
    assert_non_null(b);
    assert_ptr_not_equal(a, b);
    weft__arena_done(&arena);
}

static void limit_is_never_passed(void **state)
{
    struct test_alloc mem;
    struct test_random rng;
    (void)state;
    test_random_init(&rng, "arena limit");
    for (int round = 0; round < 200; round++) {
        struct weft_arena arena;
        size_t limit = test_random_size(&rng, 0, 100000);
        size_t given = 0;
        test_alloc_init(&mem);
        weft__arena_init(&arena, &mem.alloc, limit);
        for (int i = 0; i < 300; i++) {
            size_t size = test_random_size(&rng, 0, 3000);
            uint8_t *p = weft__arena_alloc(&arena, size);
            if (p) {
                memset(p, 1, size);
                given += size;
            }
            assert_true(mem.live_bytes <= limit);
            assert_int_equal(mem.live_bytes, arena.total);
        }
        assert_true(given <= limit);
        weft__arena_done(&arena);
        test_alloc_done(&mem);
    }
}

static void last_bytes_below_the_limit_can_be_had(void **state)
{
    struct weft_arena arena;
    (void)state;
    size_t head = sizeof(struct weft_arena_chunk);
    /* One allocation that needs a chunk of its own, exactly as large as the limit. */
    weft__arena_init(&arena, weft_alloc_default(), 10000 + head + 8);
    assert_non_null(weft__arena_alloc(&arena, 10000));
    weft__arena_done(&arena);
    weft__arena_init(&arena, weft_alloc_default(), 10000);
    assert_null(weft__arena_alloc(&arena, 10000));
    weft__arena_done(&arena);
}

static void sizes_that_overflow_are_refused(void **state)
{
    struct test_alloc mem;
    struct weft_arena arena;
    (void)state;
    test_alloc_init(&mem);
    weft__arena_init(&arena, &mem.alloc, SIZE_MAX);
    for (size_t back = 0; back < 64; back++)
        assert_null(weft__arena_alloc(&arena, SIZE_MAX - back));
    assert_non_null(weft__arena_alloc(&arena, 1));
    for (size_t back = 0; back < 64; back++)
        assert_null(weft__arena_alloc(&arena, SIZE_MAX - back));
    assert_null(weft__arena_alloc_array(&arena, SIZE_MAX / 2, 3));
    assert_null(weft__arena_alloc_array(&arena, SIZE_MAX, SIZE_MAX));
    assert_non_null(weft__arena_alloc_array(&arena, 0, SIZE_MAX));
    assert_null(weft__arena_copy(&arena, "", SIZE_MAX));
    weft__arena_done(&arena);
    test_alloc_done(&mem);
}

static void reset_keeps_a_small_chunk_and_the_next_round_allocates_nothing(void **state)
{
    struct test_alloc mem;
    struct weft_arena arena;
    (void)state;
    test_alloc_init(&mem);
    weft__arena_init(&arena, &mem.alloc, SIZE_MAX);
    weft__arena_reset(&arena); /* of nothing */
    for (int i = 0; i < 20000 / 8; i++)
        assert_non_null(weft__arena_alloc(&arena, 8));
    assert_true(mem.live_blocks > 1);
    weft__arena_reset(&arena);
    assert_int_equal(mem.live_blocks, 1);
    assert_int_equal(arena.total, mem.live_bytes);
    size_t calls = mem.calls;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 10000 / 8; i++)
            memset(weft__arena_alloc(&arena, 8), round, 8);
        weft__arena_reset(&arena);
    }
    assert_int_equal(mem.calls, calls);
    assert_non_null(weft__arena_alloc(&arena, 100000));
    weft__arena_reset(&arena);
    assert_int_equal(mem.live_blocks, 0);
    assert_non_null(weft__arena_alloc(&arena, 1));
    weft__arena_done(&arena);
    weft__arena_done(&arena); /* twice is harmless */
    test_alloc_done(&mem);
}

static void copy_is_terminated(void **state)
{
    struct weft_arena arena;
    (void)state;
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    char *copy = weft__arena_copy(&arena, "a\0b", 3);
    assert_memory_equal(copy, "a\0b", 4);
    copy = weft__arena_copy(&arena, NULL, 0);
    assert_string_equal(copy, "");
    weft__arena_done(&arena);
}

static int use_arena(const struct weft_alloc *alloc, void *ctx)
{
    struct weft_arena arena;
    int err = 0;
    (void)ctx;
    weft__arena_init(&arena, alloc, SIZE_MAX);
    for (int i = 0; i < 200 && !err; i++)
        err = weft__arena_alloc(&arena, 500) ? 0 : WEFT_ERR_NOMEM;
    weft__arena_done(&arena);
    return err;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(test_each_alloc_failure(use_arena, NULL) > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_are_aligned_and_apart),
        cmocka_unit_test(nothing_is_a_valid_pointer_of_its_own),
        cmocka_unit_test(limit_is_never_passed),
        cmocka_unit_test(last_bytes_below_the_limit_can_be_had),
        cmocka_unit_test(sizes_that_overflow_are_refused),
        cmocka_unit_test(reset_keeps_a_small_chunk_and_the_next_round_allocates_nothing),
        cmocka_unit_test(copy_is_terminated),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
