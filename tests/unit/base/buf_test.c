/* SPDX-License-Identifier: Apache-2.0 */
/* Shared buffers: the last reference frees, on whatever thread it is. */
#include "lib/test.h"

#include "base/buf.h"

#include <pthread.h>

static void last_reference_frees(void **state)
{
    struct test_alloc mem;
    (void)state;
    test_alloc_init(&mem);
    struct weft_buf *buf = weft__buf_new_copy(&mem.alloc, WEFT_SLICE_LIT("content"));
    assert_bytes(weft__buf_slice(buf).ptr, weft__buf_slice(buf).len, "content", 7);
    assert_ptr_equal(weft__buf_ref(buf), buf);
    weft__buf_unref(buf);
    assert_int_equal(mem.live_blocks, 1);
    weft__buf_unref(buf);
    assert_int_equal(mem.live_blocks, 0);
    weft__buf_unref(NULL);
    test_alloc_done(&mem);
}

static void empty_buffer_is_a_buffer(void **state)
{
    struct test_alloc mem;
    (void)state;
    test_alloc_init(&mem);
    struct weft_buf *buf = weft__buf_new_copy(&mem.alloc, weft__slice(NULL, 0));
    assert_non_null(buf);
    assert_int_equal(buf->len, 0);
    weft__buf_unref(buf);
    test_alloc_done(&mem);
}

static void shortened_buffer_is_freed_with_its_size(void **state)
{
    struct test_alloc mem;
    (void)state;
    test_alloc_init(&mem);
    struct weft_buf *buf = weft__buf_new(&mem.alloc, 1000);
    memset(weft__buf_data(buf), 1, 1000);
    buf->len = 10;
    assert_int_equal(weft__buf_slice(buf).len, 10);
    weft__buf_unref(buf);
    test_alloc_done(&mem);
}

static void without_memory_there_is_none(void **state)
{
    struct test_alloc mem;
    (void)state;
    test_alloc_init(&mem);
    mem.fail_at = 1;
    mem.fail_after = true;
    assert_null(weft__buf_new(&mem.alloc, 10));
    assert_null(weft__buf_new_copy(&mem.alloc, WEFT_SLICE_LIT("x")));
    mem.fail_at = 0;
    assert_null(weft__buf_new(&mem.alloc, SIZE_MAX));
    assert_null(weft__buf_new(&mem.alloc, SIZE_MAX - sizeof(struct weft_buf) + 1));
    test_alloc_done(&mem);
}

static void *share(void *arg)
{
    struct weft_buf *buf = arg;
    for (int i = 0; i < 20000; i++) {
        struct weft_buf *mine = weft__buf_ref(buf);
        assert_int_equal(weft__buf_data(mine)[i % 4], "bufs"[i % 4]);
        weft__buf_unref(mine);
    }
    weft__buf_unref(buf);
    return NULL;
}

static void threads_share_references(void **state)
{
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    (void)state;
    struct weft_buf *buf = weft__buf_new_copy(weft_alloc_default(), WEFT_SLICE_LIT("bufs"));
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, share, weft__buf_ref(buf)), 0);
    weft__buf_unref(buf);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(last_reference_frees),
        cmocka_unit_test(empty_buffer_is_a_buffer),
        cmocka_unit_test(shortened_buffer_is_freed_with_its_size),
        cmocka_unit_test(without_memory_there_is_none),
        cmocka_unit_test(threads_share_references),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
