/* SPDX-License-Identifier: Apache-2.0 */
/* The output queue, against a plain array of the bytes that should come out. */
#include "lib/test.h"

#include "transport/outq.h"

struct fixture {
    struct test_alloc mem;
    struct weft_outq_pool pool;
    struct weft_outq q;
};

static void fixture_init(struct fixture *f)
{
    test_alloc_init(&f->mem);
    weft__outq_pool_init(&f->pool, &f->mem.alloc);
    f->q = (struct weft_outq){0};
}

static void fixture_done(struct fixture *f)
{
    weft__outq_clear(&f->q, &f->pool);
    weft__outq_pool_done(&f->pool);
    test_alloc_done(&f->mem);
}

static int cork(struct fixture *f, const void *data, size_t len)
{
    struct weft_bytes out;
    int err = weft__outq_open(&f->q, &f->pool, len, &out);
    if (err)
        return err;
    weft__bytes_append(&out, data, len);
    assert_ok(weft__bytes_error(&out));
    weft__outq_close(&f->q, &out);
    return 0;
}

/* Takes one batch out of the queue, appends it to |got| and returns its bytes. */
static size_t take(struct fixture *f, uint8_t *got)
{
    struct iovec *iov;
    int count = weft__outq_gather(&f->q, &f->pool, &iov);
    size_t total = 0;
    assert_in_range(count, 1, WEFT_OUTQ_BATCH_SLICES);
    for (int i = 0; i < count; i++) {
        memcpy(got + total, iov[i].iov_base, iov[i].iov_len);
        total += iov[i].iov_len;
    }
    assert_in_range(total, 1, WEFT_OUTQ_BATCH_BYTES);
    return total;
}

static void small_writes_leave_in_one_slice(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    assert_true(weft__outq_empty(&f.q));
    for (int i = 0; i < 100; i++)
        assert_ok(cork(&f, "0123456789", 10));
    struct iovec *iov;
    assert_int_equal(weft__outq_gather(&f.q, &f.pool, &iov), 1);
    assert_int_equal(iov[0].iov_len, 1000);
    weft__outq_sent(&f.q, &f.pool);
    assert_true(weft__outq_empty(&f.q));
    assert_null(f.q.head);
    /* One chunk served them all and waits in the pool. */
    assert_int_equal(f.mem.calls, 1);
    fixture_done(&f);
}

static void writes_during_a_send_come_after_it(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    uint8_t got[64];
    assert_ok(cork(&f, "one", 3));
    assert_int_equal(take(&f, got), 3);
    assert_ok(cork(&f, "two", 3));
    weft__outq_sent(&f.q, &f.pool);
    assert_int_equal(f.q.bytes, 3);
    assert_int_equal(take(&f, got), 3);
    assert_memory_equal(got, "two", 3);
    weft__outq_sent(&f.q, &f.pool);
    fixture_done(&f);
}

static void references_are_held_until_they_are_sent(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    struct weft_buf *buf = weft__buf_new_copy(&f.mem.alloc, WEFT_SLICE_LIT("shared"));
    assert_non_null(buf);
    assert_ok(weft__outq_append(&f.q, &f.pool, weft__buf_slice(buf), buf));
    assert_ok(weft__outq_append(&f.q, &f.pool, WEFT_SLICE_LIT(" static"), NULL));
    assert_ok(weft__outq_append(&f.q, &f.pool, (struct weft_slice){0}, buf));
    assert_int_equal(atomic_load(&buf->refs), 2);
    uint8_t got[64];
    assert_int_equal(take(&f, got), 13);
    assert_memory_equal(got, "shared static", 13);
    assert_int_equal(atomic_load(&buf->refs), 2);
    weft__outq_sent(&f.q, &f.pool);
    assert_int_equal(atomic_load(&buf->refs), 1);
    weft__buf_unref(buf);
    fixture_done(&f);
}

static void inserted_bytes_pass_what_was_not_begun(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    uint8_t *big = calloc(1, 2 * WEFT_OUTQ_BATCH_BYTES);
    uint8_t *got = calloc(1, 2 * WEFT_OUTQ_BATCH_BYTES);
    assert_true(big && got);
    assert_ok(cork(&f, "data", 4));
    assert_ok(weft__outq_insert(&f.q, &f.pool, WEFT_SLICE_LIT("pong")));
    assert_int_equal(take(&f, got), 8);
    assert_memory_equal(got, "pongdata", 8);
    weft__outq_sent(&f.q, &f.pool);
    /* A large frame of which a part is out is finished first. */
    big[2 * WEFT_OUTQ_BATCH_BYTES - 1] = 'z';
    assert_ok(cork(&f, big, 2 * WEFT_OUTQ_BATCH_BYTES));
    assert_ok(cork(&f, "data", 4));
    assert_int_equal(take(&f, got), WEFT_OUTQ_BATCH_BYTES);
    weft__outq_sent(&f.q, &f.pool);
    assert_ok(weft__outq_insert(&f.q, &f.pool, WEFT_SLICE_LIT("pong")));
    assert_int_equal(take(&f, got), WEFT_OUTQ_BATCH_BYTES);
    assert_int_equal(got[WEFT_OUTQ_BATCH_BYTES - 1], 'z');
    weft__outq_sent(&f.q, &f.pool);
    assert_int_equal(take(&f, got), 8);
    assert_memory_equal(got, "pongdata", 8);
    weft__outq_sent(&f.q, &f.pool);
    free(big);
    free(got);
    fixture_done(&f);
}

static void inserting_at_the_end_keeps_the_order_of_later_writes(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    uint8_t got[64];
    assert_ok(weft__outq_insert(&f.q, &f.pool, WEFT_SLICE_LIT("a")));
    assert_ok(cork(&f, "b", 1));
    assert_int_equal(take(&f, got), 2);
    assert_memory_equal(got, "ab", 2);
    weft__outq_sent(&f.q, &f.pool);
    fixture_done(&f);
}

static void chunk_that_was_opened_in_vain_is_skipped(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    struct weft_bytes out;
    assert_ok(weft__outq_open(&f.q, &f.pool, 10, &out));
    weft__outq_close(&f.q, &out);
    assert_true(weft__outq_empty(&f.q));
    assert_ok(weft__outq_append(&f.q, &f.pool, WEFT_SLICE_LIT("x"), NULL));
    uint8_t got[8];
    assert_int_equal(take(&f, got), 1);
    weft__outq_sent(&f.q, &f.pool);
    fixture_done(&f);
}

/* What a socket did not take of a frame of two slices, wherever it stopped. */
static void rest_of_a_frame_that_was_begun_comes_before_inserted_bytes(void **state)
{
    (void)state;
    char head[] = "head";
    char body[] = "payload";
    const struct iovec iov[] = {{head, 4}, {body, 7}};
    for (size_t sent = 0; sent <= 11; sent++) {
        struct fixture f;
        fixture_init(&f);
        struct weft_bytes out;
        assert_ok(weft__outq_open(&f.q, &f.pool, 10, &out)); /* in vain */
        assert_ok(weft__outq_rest(&f.q, &f.pool, iov, 2, sent));
        assert_int_equal(f.q.bytes, 11 - sent);
        if (sent < 11) {
            assert_ok(weft__outq_insert(&f.q, &f.pool, WEFT_SLICE_LIT("pong")));
            assert_ok(cork(&f, "next", 4));
            uint8_t got[64];
            size_t n = take(&f, got);
            weft__outq_sent(&f.q, &f.pool);
            const char *want = sent ? "headpayloadpongnext" : "pongheadpayloadnext";
            assert_bytes(got, n, want + sent, 19 - sent);
        }
        assert_true(weft__outq_empty(&f.q));
        fixture_done(&f);
    }
}

static void unused_memory_of_the_pool_is_bounded(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    static const uint8_t data[16 * 1024];
    for (int i = 0; i < 2048; i++)
        assert_ok(cork(&f, data, sizeof(data)));
    weft__outq_clear(&f.q, &f.pool);
    assert_in_range(f.pool.unused, 1, WEFT_OUTQ_POOL_BYTES);
    assert_in_range(f.mem.live_bytes, 1, WEFT_OUTQ_POOL_BYTES + WEFT_OUTQ_CHUNK);
    fixture_done(&f);
}

/* Random operations; what comes out must be what the model holds. */
static void any_mix_of_writes_comes_out_in_order(void **state)
{
    (void)state;
    enum { BYTES = 4 << 20, ROUNDS = 3000 };
    struct fixture f;
    fixture_init(&f);
    struct test_random random;
    test_random_init(&random, "outq");
    uint8_t *want = malloc(BYTES);
    uint8_t *got = malloc(BYTES);
    assert_true(want && got);
    size_t want_len = 0;
    size_t got_len = 0;
    struct weft_buf *buf = weft__buf_new(&f.mem.alloc, 100000);
    for (size_t i = 0; i < buf->len; i++)
        weft__buf_data(buf)[i] = (uint8_t)test_random_below(&random, 256);
    for (int round = 0; round < ROUNDS; round++) {
        size_t len = 1 + test_random_below(&random, round % 50 ? 300 : 90000);
        struct weft_slice part =
            weft__slice(weft__buf_data(buf) + test_random_below(&random, 100), len);
        if (want_len + len > BYTES)
            break;
        memcpy(want + want_len, part.ptr, len);
        want_len += len;
        if (test_random_below(&random, 2))
            assert_ok(cork(&f, part.ptr, len));
        else
            assert_ok(weft__outq_append(&f.q, &f.pool, part, buf));
        if (test_random_below(&random, 20) == 0) {
            got_len += take(&f, got + got_len);
            weft__outq_sent(&f.q, &f.pool);
        }
    }
    while (!weft__outq_empty(&f.q)) {
        got_len += take(&f, got + got_len);
        weft__outq_sent(&f.q, &f.pool);
    }
    assert_bytes(got, got_len, want, want_len);
    assert_int_equal(atomic_load(&buf->refs), 1);
    weft__buf_unref(buf);
    free(want);
    free(got);
    fixture_done(&f);
}

static int use_everything(const struct weft_alloc *alloc, void *ctx)
{
    (void)ctx;
    struct weft_outq_pool pool;
    struct weft_outq q = {0};
    struct weft_bytes out;
    weft__outq_pool_init(&pool, alloc);
    int err = weft__outq_open(&q, &pool, 4, &out);
    if (!err) {
        weft__bytes_append(&out, "data", 4);
        weft__outq_close(&q, &out);
        err = weft__outq_append(&q, &pool, WEFT_SLICE_LIT("more"), NULL);
    }
    if (!err)
        err = weft__outq_insert(&q, &pool, WEFT_SLICE_LIT("first"));
    while (!err && !weft__outq_empty(&q)) {
        struct iovec *iov;
        assert_true(weft__outq_gather(&q, &pool, &iov) > 0);
        weft__outq_sent(&q, &pool);
    }
    weft__outq_clear(&q, &pool);
    weft__outq_pool_done(&pool);
    return err;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    assert_int_equal(test_each_alloc_failure(use_everything, NULL), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_writes_leave_in_one_slice),
        cmocka_unit_test(writes_during_a_send_come_after_it),
        cmocka_unit_test(references_are_held_until_they_are_sent),
        cmocka_unit_test(inserted_bytes_pass_what_was_not_begun),
        cmocka_unit_test(inserting_at_the_end_keeps_the_order_of_later_writes),
        cmocka_unit_test(chunk_that_was_opened_in_vain_is_skipped),
        cmocka_unit_test(rest_of_a_frame_that_was_begun_comes_before_inserted_bytes),
        cmocka_unit_test(unused_memory_of_the_pool_is_bounded),
        cmocka_unit_test(any_mix_of_writes_comes_out_in_order),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
