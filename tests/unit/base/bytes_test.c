/* SPDX-License-Identifier: Apache-2.0 */
/* The growable bytes: growth, the sticky error, decimal digits. */
#include "lib/test.h"

#include "base/bytes.h"

#include <inttypes.h>

static void appended_bytes_follow_one_another(void **state)
{
    struct test_alloc mem;
    struct weft_bytes b;
    struct test_random rng;
    static uint8_t model[100000];
    size_t len = 0;
    (void)state;
    test_random_init(&rng, "bytes");
    test_alloc_init(&mem);
    weft__bytes_init(&b, &mem.alloc, SIZE_MAX);
    assert_int_equal(mem.calls, 0);
    while (len < 90000) {
        size_t more = test_random_size(&rng, 0, 300);
        test_random_bytes(&rng, model + len, more);
        if (more == 1)
            weft__bytes_append_byte(&b, model[len]);
        else if (more % 2)
            weft__bytes_append_slice(&b, weft__slice(model + len, more));
        else if (more % 3)
            weft__bytes_append(&b, model + len, more);
        else
            memcpy(weft__bytes_extend(&b, more), model + len, more);
        len += more;
    }
    assert_ok(weft__bytes_error(&b));
    assert_bytes(weft__bytes_slice(&b).ptr, weft__bytes_slice(&b).len, model, len);
    assert_true(mem.calls < 20);
    assert_int_equal(mem.live_bytes, b.cap);
    weft__bytes_done(&b);
    weft__bytes_done(&b);
    test_alloc_done(&mem);
}

static void nothing_may_be_appended_from_nowhere(void **state)
{
    struct weft_bytes b;
    (void)state;
    weft__bytes_init(&b, weft_alloc_default(), 0);
    weft__bytes_append(&b, NULL, 0);
    weft__bytes_append_str(&b, "");
    assert_ok(weft__bytes_error(&b));
    assert_int_equal(b.len, 0);
    weft__bytes_append_byte(&b, 'x');
    assert_err(weft__bytes_error(&b), WEFT_ERR_TOO_BIG);
    weft__bytes_done(&b);
}

static void limit_is_exact_and_the_error_stays(void **state)
{
    struct weft_bytes b;
    (void)state;
    weft__bytes_init(&b, weft_alloc_default(), 100);
    for (int i = 0; i < 100; i++)
        weft__bytes_append_byte(&b, 'x');
    assert_ok(weft__bytes_error(&b));
    weft__bytes_append_byte(&b, 'y');
    assert_err(weft__bytes_error(&b), WEFT_ERR_TOO_BIG);
    assert_int_equal(b.len, 100);
    weft__bytes_clear(&b);
    assert_ok(weft__bytes_error(&b));
    weft__bytes_append_str(&b, "again");
    assert_bytes(b.ptr, b.len, "again", 5);
    weft__bytes_done(&b);
}

/* The memory may be larger than the limit: that must not let bytes past it. */
static void limit_holds_whatever_was_allocated(void **state)
{
    struct weft_bytes b;
    (void)state;
    weft__bytes_init(&b, weft_alloc_default(), 10);
    weft__bytes_append(&b, "0123456789", 10);
    assert_ok(weft__bytes_error(&b));
    weft__bytes_append(&b, "x", 1);
    assert_err(weft__bytes_error(&b), WEFT_ERR_TOO_BIG);
    assert_int_equal(b.len, 10);
    weft__bytes_done(&b);
}

static void after_an_error_nothing_more_is_appended(void **state)
{
    struct test_alloc mem;
    struct weft_bytes b;
    (void)state;
    test_alloc_init(&mem);
    weft__bytes_init(&b, &mem.alloc, SIZE_MAX);
    weft__bytes_append_str(&b, "kept");
    mem.fail_at = mem.calls + 1;
    assert_null(weft__bytes_extend(&b, 1000));
    assert_err(weft__bytes_error(&b), WEFT_ERR_NOMEM);
    weft__bytes_append_byte(&b, 'x'); /* There would be room for it. */
    weft__bytes_append_u64(&b, 12);
    assert_false(weft__bytes_reserve(&b, 0));
    assert_bytes(b.ptr, b.len, "kept", 4);
    assert_err(weft__bytes_error(&b), WEFT_ERR_NOMEM);
    weft__bytes_done(&b);
    test_alloc_done(&mem);
}

static void sizes_that_overflow_are_too_big(void **state)
{
    struct weft_bytes b;
    (void)state;
    weft__bytes_init(&b, weft_alloc_default(), SIZE_MAX);
    weft__bytes_append_byte(&b, 'x');
    assert_null(weft__bytes_extend(&b, SIZE_MAX));
    assert_err(weft__bytes_error(&b), WEFT_ERR_TOO_BIG);
    weft__bytes_done(&b);
}

static void numbers_are_written_as_printf_does(void **state)
{
    struct weft_bytes b;
    struct test_random rng;
    char want[32];
    (void)state;
    test_random_init(&rng, "decimal");
    weft__bytes_init(&b, weft_alloc_default(), SIZE_MAX);
    for (int i = 0; i < 20000; i++) {
        uint64_t value = test_random_u64(&rng) >> test_random_below(&rng, 64);
        const uint64_t edges[] = {0, 9, 10, 99, 100, UINT64_MAX, INT64_MAX, (uint64_t)INT64_MIN};
        if (i < 8)
            value = edges[i];
        weft__bytes_clear(&b);
        weft__bytes_append_u64(&b, value);
        int len = snprintf(want, sizeof(want), "%" PRIu64, value);
        assert_bytes(b.ptr, b.len, want, (size_t)len);
        weft__bytes_clear(&b);
        weft__bytes_append_i64(&b, (int64_t)value);
        len = snprintf(want, sizeof(want), "%" PRId64, (int64_t)value);
        assert_bytes(b.ptr, b.len, want, (size_t)len);
    }
    weft__bytes_done(&b);
}

static int use_bytes(const struct weft_alloc *alloc, void *ctx)
{
    struct weft_bytes b;
    (void)ctx;
    weft__bytes_init(&b, alloc, SIZE_MAX);
    for (int i = 0; i < 1000; i++)
        weft__bytes_append_i64(&b, -i);
    int err = weft__bytes_error(&b);
    weft__bytes_done(&b);
    return err;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(test_each_alloc_failure(use_bytes, NULL) > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appended_bytes_follow_one_another),
        cmocka_unit_test(nothing_may_be_appended_from_nowhere),
        cmocka_unit_test(limit_is_exact_and_the_error_stays),
        cmocka_unit_test(limit_holds_whatever_was_allocated),
        cmocka_unit_test(after_an_error_nothing_more_is_appended),
        cmocka_unit_test(sizes_that_overflow_are_too_big),
        cmocka_unit_test(numbers_are_written_as_printf_does),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
