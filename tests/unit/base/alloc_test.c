/* SPDX-License-Identifier: Apache-2.0 */
/* The default allocator and the short calls of base/mem.h. */
#include "lib/test.h"

#include "base/mem.h"

static void default_allocator_allocates_grows_and_frees(void **state)
{
    (void)state;
    const struct weft_alloc *alloc = weft_alloc_default();
    char *p = weft__mem_alloc(alloc, 10);
    assert_non_null(p);
    assert_int_equal((uintptr_t)p % sizeof(void *), 0);
    memcpy(p, "0123456789", 10);
    p = weft__mem_realloc(alloc, p, 10, 100000);
    assert_memory_equal(p, "0123456789", 10);
    p = weft__mem_realloc(alloc, p, 100000, 5);
    assert_memory_equal(p, "01234", 5);
    weft__mem_free(alloc, p, 5);
    assert_ptr_equal(alloc, weft_alloc_default());
}

static void zeroed_memory_is_zero(void **state)
{
    struct test_alloc mem;
    (void)state;
    test_alloc_init(&mem);
    static const uint8_t zeroes[1000];
    uint8_t *p = weft__mem_zalloc(&mem.alloc, sizeof(zeroes));
    assert_memory_equal(p, zeroes, sizeof(zeroes));
    weft__mem_free(&mem.alloc, p, sizeof(zeroes));
    mem.fail_at = mem.calls + 1;
    assert_null(weft__mem_zalloc(&mem.alloc, 10));
    test_alloc_done(&mem);
}

static void array_whose_size_overflows_is_not_allocated(void **state)
{
    struct test_alloc mem;
    (void)state;
    test_alloc_init(&mem);
    assert_null(weft__mem_alloc_array(&mem.alloc, SIZE_MAX / 2 + 1, 2));
    assert_null(weft__mem_alloc_array(&mem.alloc, 2, SIZE_MAX / 2 + 1));
    assert_int_equal(mem.calls, 0);
    void *p = weft__mem_alloc_array(&mem.alloc, 3, 5);
    assert_int_equal(mem.live_bytes, 15);
    weft__mem_free(&mem.alloc, p, 15);
    test_alloc_done(&mem);
}

static void nothing_is_reallocated_as_new_and_freed_as_nothing(void **state)
{
    struct test_alloc mem;
    (void)state;
    test_alloc_init(&mem);
    void *p = weft__mem_realloc(&mem.alloc, NULL, 0, 7);
    assert_int_equal(mem.live_bytes, 7);
    weft__mem_free(&mem.alloc, p, 7);
    weft__mem_free(&mem.alloc, NULL, 0);
    test_alloc_done(&mem);
}

static void copy_of_nothing_may_come_from_nowhere(void **state)
{
    char to[2] = "x";
    (void)state;
    weft__mem_copy(to, NULL, 0);
    weft__mem_copy(NULL, NULL, 0);
    assert_string_equal(to, "x");
    weft__mem_copy(to, "y", 1);
    assert_string_equal(to, "y");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(default_allocator_allocates_grows_and_frees),
        cmocka_unit_test(zeroed_memory_is_zero),
        cmocka_unit_test(array_whose_size_overflows_is_not_allocated),
        cmocka_unit_test(nothing_is_reallocated_as_new_and_freed_as_nothing),
        cmocka_unit_test(copy_of_nothing_may_come_from_nowhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
