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

/* Writes |len| bytes to the lane of control. */
static int control(struct fixture *f, const void *data, size_t len)
{
    struct weft_bytes out;
    int err = weft__outq_open_control(&f->q, &f->pool, len, &out);
    if (err)
        return err;
    weft__bytes_append(&out, data, len);
    assert_ok(weft__bytes_error(&out));
    weft__outq_close_control(&f->q, &f->pool, &out);
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

static void control_passes_what_was_not_begun(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    uint8_t *big = calloc(1, 2 * WEFT_OUTQ_BATCH_BYTES);
    uint8_t *got = calloc(1, 2 * WEFT_OUTQ_BATCH_BYTES);
    assert_true(big && got);
    assert_ok(cork(&f, "data", 4));
    assert_ok(control(&f, "pong", 4));
    assert_int_equal(take(&f, got), 8);
    assert_memory_equal(got, "pongdata", 8);
    weft__outq_sent(&f.q, &f.pool);
    /* A large frame of which a part is out is finished first. */
    big[2 * WEFT_OUTQ_BATCH_BYTES - 1] = 'z';
    assert_ok(cork(&f, big, 2 * WEFT_OUTQ_BATCH_BYTES));
    assert_ok(cork(&f, "data", 4));
    assert_int_equal(take(&f, got), WEFT_OUTQ_BATCH_BYTES);
    weft__outq_sent(&f.q, &f.pool);
    assert_ok(control(&f, "pong", 4));
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

static void control_in_an_empty_queue_keeps_the_order_of_later_writes(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    uint8_t got[64];
    assert_ok(control(&f, "a", 1));
    assert_ok(cork(&f, "b", 1));
    assert_int_equal(take(&f, got), 2);
    assert_memory_equal(got, "ab", 2);
    weft__outq_sent(&f.q, &f.pool);
    fixture_done(&f);
}

static void control_keeps_its_own_order(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    uint8_t got[256];
    /* The first one finds nothing to pass, so data may come to share its chunk. */
    assert_ok(control(&f, "1", 1));
    assert_ok(cork(&f, "a", 1));
    assert_ok(control(&f, "2", 1));
    assert_ok(weft__outq_append(&f.q, &f.pool, WEFT_SLICE_LIT("b"), NULL));
    assert_ok(control(&f, "3", 1));
    assert_int_equal(f.q.bytes, 5);
    assert_int_equal(take(&f, got), 5);
    assert_memory_equal(got, "1a23b", 5);
    /* What comes while a send is in flight waits beside the queue. */
    assert_ok(cork(&f, "c", 1));
    assert_ok(control(&f, "4", 1));
    assert_ok(control(&f, "5", 1));
    weft__outq_sent(&f.q, &f.pool);
    assert_ok(control(&f, "6", 1));
    assert_int_equal(f.q.bytes, 4);
    assert_int_equal(take(&f, got), 4);
    assert_memory_equal(got, "456c", 4);
    weft__outq_sent(&f.q, &f.pool);
    assert_true(weft__outq_empty(&f.q));
    assert_null(f.q.head);
    assert_null(f.q.control_end);
    fixture_done(&f);
}

static void nothing_passes_a_bar(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    uint8_t got[64];
    assert_ok(weft__outq_append(&f.q, &f.pool, WEFT_SLICE_LIT("head"), NULL));
    weft__outq_bar(&f.q);
    assert_ok(cork(&f, "data", 4));
    assert_ok(control(&f, "pong", 4));
    assert_int_equal(take(&f, got), 12);
    assert_memory_equal(got, "headpongdata", 12);
    weft__outq_sent(&f.q, &f.pool);
    fixture_done(&f);
}

static void control_that_waits_is_freed_with_the_queue(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    uint8_t got[64];
    static const uint8_t long_one[WEFT_OUTQ_CHUNK];
    assert_ok(cork(&f, "data", 4));
    (void)take(&f, got);
    assert_ok(control(&f, "a", 1));
    assert_ok(control(&f, long_one, sizeof(long_one)));
    weft__outq_sent(&f.q, &f.pool);
    weft__outq_clear(&f.q, &f.pool);
    assert_true(weft__outq_empty(&f.q));
    fixture_done(&f);
}

/* Many acknowledgements while one large message goes out take no chunk each. */
static void control_behind_a_begun_message_shares_a_chunk(void **state)
{
    (void)state;
    enum { BIG = 20 * WEFT_OUTQ_BATCH_BYTES };
    struct fixture f;
    fixture_init(&f);
    uint8_t *big = calloc(1, BIG);
    uint8_t *got = calloc(1, WEFT_OUTQ_BATCH_BYTES);
    assert_true(big && got);
    assert_ok(cork(&f, big, BIG));
    size_t most = 0;
    for (int i = 0; i < 20; i++) {
        size_t n = take(&f, got);
        assert_int_equal(n, WEFT_OUTQ_BATCH_BYTES);
        assert_ok(control(&f, "ack", 3));
        weft__outq_sent(&f.q, &f.pool);
        most = WEFT_MAX(most, f.mem.live_bytes);
    }
    assert_in_range(most, BIG, BIG + 4 * WEFT_OUTQ_CHUNK);
    assert_int_equal(take(&f, got), 60);
    weft__outq_sent(&f.q, &f.pool);
    free(big);
    free(got);
    fixture_done(&f);
}

static void chunk_that_was_opened_in_vain_is_skipped(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    struct weft_bytes out = {0};
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
static void rest_of_a_frame_that_was_begun_comes_before_control(void **state)
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
            assert_ok(control(&f, "pong", 4));
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

/* What one message of the model is: its lane, its number there and its length in bytes. */
struct model_head {
    uint32_t lane;
    uint32_t number;
    uint32_t len;
};

/* Reads whole messages from |got|; each must be the next one of its lane. */
static void check_lanes(const uint8_t *got, size_t len, uint32_t ret_count[2])
{
    for (size_t at = 0; at < len;) {
        struct model_head head;
        assert_true(len - at >= sizeof(head));
        memcpy(&head, got + at, sizeof(head));
        assert_in_range(head.lane, 0, 1);
        assert_int_equal(head.number, ret_count[head.lane]++);
        assert_true(len - at >= head.len);
        for (size_t i = sizeof(head); i < head.len; i++)
            assert_int_equal(got[at + i], (uint8_t)(head.number + i));
        at += head.len;
    }
}

/* Random operations, also while a send is in flight: messages stay whole, each lane in order, and
 * control waits for no more than the send, the message and the chunk that were begun. */
static void lanes_keep_their_order_and_messages_stay_whole(void **state)
{
    (void)state;
    enum { BYTES = 32 << 20, ROUNDS = 4000, MOST = 100000 };
    struct fixture f;
    fixture_init(&f);
    struct test_random random;
    test_random_init(&random, "lanes");
    uint8_t *got = malloc(BYTES);
    uint8_t *message = malloc(MOST);
    assert_true(got && message);
    struct weft_buf *shared = NULL;
    size_t got_len = 0;
    uint32_t sent[2] = {0};
    bool flying = false;
    for (int round = 0; round < ROUNDS; round++) {
        bool urgent = test_random_below(&random, 4) == 0;
        size_t len = sizeof(struct model_head) + test_random_below(&random, urgent       ? 200
                                                                            : round % 30 ? 400
                                                                                         : 90000);
        struct model_head head = {urgent, sent[urgent]++, (uint32_t)len};
        memcpy(message, &head, sizeof(head));
        for (size_t i = sizeof(head); i < len; i++)
            message[i] = (uint8_t)(head.number + i);
        if (urgent) {
            assert_ok(control(&f, message, len));
        } else if (test_random_below(&random, 2)) {
            assert_ok(cork(&f, message, len));
        } else {
            shared = weft__buf_new_copy(&f.mem.alloc, weft__slice(message, len));
            assert_non_null(shared);
            assert_ok(weft__outq_append(&f.q, &f.pool, weft__buf_slice(shared), shared));
            weft__buf_unref(shared);
        }
        if (test_random_below(&random, 5) == 0) {
            if (flying)
                weft__outq_sent(&f.q, &f.pool);
            else if (!weft__outq_empty(&f.q))
                got_len += take(&f, got + got_len);
            flying = f.q.in_flight > 0;
        }
        assert_true(got_len < BYTES / 2);
    }
    if (flying)
        weft__outq_sent(&f.q, &f.pool);
    while (!weft__outq_empty(&f.q)) {
        got_len += take(&f, got + got_len);
        weft__outq_sent(&f.q, &f.pool);
    }
    uint32_t came[2] = {0};
    check_lanes(got, got_len, came);
    assert_memory_equal(came, sent, sizeof(sent));
    free(got);
    free(message);
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
        err = weft__outq_open_control(&q, &pool, 5, &out);
    if (!err) {
        weft__bytes_append(&out, "first", 5);
        weft__outq_close_control(&q, &pool, &out);
    }
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
        cmocka_unit_test(control_passes_what_was_not_begun),
        cmocka_unit_test(control_in_an_empty_queue_keeps_the_order_of_later_writes),
        cmocka_unit_test(control_keeps_its_own_order),
        cmocka_unit_test(nothing_passes_a_bar),
        cmocka_unit_test(control_that_waits_is_freed_with_the_queue),
        cmocka_unit_test(control_behind_a_begun_message_shares_a_chunk),
        cmocka_unit_test(chunk_that_was_opened_in_vain_is_skipped),
        cmocka_unit_test(rest_of_a_frame_that_was_begun_comes_before_control),
        cmocka_unit_test(unused_memory_of_the_pool_is_bounded),
        cmocka_unit_test(any_mix_of_writes_comes_out_in_order),
        cmocka_unit_test(lanes_keep_their_order_and_messages_stay_whole),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
