/* SPDX-License-Identifier: Apache-2.0 */
/* The failing allocator itself: what it counts, and that it tries every place. */
#include "lib/test.h"

static void live_blocks_and_bytes_are_counted(void **state)
{
    (void)state;
    struct test_alloc mem;
    test_alloc_init(&mem);
    void *a = mem.alloc.alloc(mem.alloc.ctx, 10);
    void *b = mem.alloc.alloc(mem.alloc.ctx, 20);
    assert_int_equal(mem.live_blocks, 2);
    assert_int_equal(mem.live_bytes, 30);
    a = mem.alloc.realloc(mem.alloc.ctx, a, 10, 100);
    assert_int_equal(mem.live_bytes, 120);
    mem.alloc.free(mem.alloc.ctx, a, 100);
    mem.alloc.free(mem.alloc.ctx, b, 20);
    assert_int_equal(mem.live_bytes, 0);
    assert_int_equal(mem.calls, 3);
    test_alloc_done(&mem);
}

static void realloc_keeps_the_content_and_failure_leaves_the_block(void **state)
{
    (void)state;
    struct test_alloc mem;
    test_alloc_init(&mem);
    char *text = mem.alloc.alloc(mem.alloc.ctx, 4);
    assert_non_null(text);
    memcpy(text, "abc", 4);
    mem.fail_at = 2;
    assert_null(mem.alloc.realloc(mem.alloc.ctx, text, 4, 8));
    assert_string_equal(text, "abc");
    text = mem.alloc.realloc(mem.alloc.ctx, text, 4, 8);
    assert_non_null(text);
    assert_string_equal(text, "abc");
    mem.alloc.free(mem.alloc.ctx, text, 8);
    test_alloc_done(&mem);
}

static void limit_refuses_what_would_exceed_it(void **state)
{
    (void)state;
    struct test_alloc mem;
    test_alloc_init(&mem);
    mem.limit_bytes = 100;
    void *a = mem.alloc.alloc(mem.alloc.ctx, 60);
    assert_non_null(a);
    assert_null(mem.alloc.alloc(mem.alloc.ctx, 41));
    assert_int_equal(mem.failures, 1);
    mem.alloc.free(mem.alloc.ctx, a, 60);
    test_alloc_done(&mem);
}

struct tried {
    unsigned runs;
    unsigned failed;
};

/* Needs two allocations, and can do without a third. */
static int three_allocations(const struct weft_alloc *alloc, void *ctx)
{
    struct tried *tried = ctx;
    int err = WEFT_ERR_NOMEM;
    void *b = NULL;
    tried->runs++;
    void *a = alloc->alloc(alloc->ctx, 1);
    if (!a)
        goto out;
    b = alloc->alloc(alloc->ctx, 2);
    if (!b)
        goto out;
    void *spare = alloc->alloc(alloc->ctx, 3);
    if (spare)
        alloc->free(alloc->ctx, spare, 3);
    err = WEFT_OK;
out:
    if (b)
        alloc->free(alloc->ctx, b, 2);
    if (a)
        alloc->free(alloc->ctx, a, 1);
    if (err)
        tried->failed++;
    return err;
}

static void every_allocation_fails_once_alone_and_once_with_all_later_ones(void **state)
{
    (void)state;
    struct tried tried = {0};
    assert_int_equal(test_each_alloc_failure(three_allocations, &tried), 3);
    assert_int_equal(tried.runs, 8);
    assert_int_equal(tried.failed, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(live_blocks_and_bytes_are_counted),
        cmocka_unit_test(realloc_keeps_the_content_and_failure_leaves_the_block),
        cmocka_unit_test(limit_refuses_what_would_exceed_it),
        cmocka_unit_test(every_allocation_fails_once_alone_and_once_with_all_later_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
