/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers, acknowledgements and kept messages of one side; delivery_link_test.c joins two. */
#include "base/compiler.h"
#include "lib/test.h"
#include "rpc/delivery.h"

enum { CAP = 64 * 1024 };

static struct test_alloc mem;
static struct weft_timer_wheel wheel;
static struct weft_rpc_delivery d;
static int acks_due;

static void ack_due(struct weft_rpc_delivery *delivery)
{
    assert_ptr_equal(delivery, &d);
    ++acks_due;
}

static int set_up_cap(size_t cap)
{
    test_alloc_init(&mem);
    weft__timer_wheel_init(&wheel, 0);
    weft__rpc_delivery_init(&d, &mem.alloc, &wheel, cap, ack_due);
    acks_due = 0;
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    return set_up_cap(CAP);
}

static int tear_down(void **state)
{
    (void)state;
    weft__rpc_delivery_done(&d);
    assert_int_equal(wheel.count, 0);
    test_alloc_done(&mem);
    return 0;
}

static void at_ms(uint64_t ms)
{
    weft__timer_wheel_advance(&wheel, ms * WEFT_NS_PER_MS);
}

/* Keeps a message of |len| bytes that begins with the number of its first frame. */
static void keep(size_t len, uint32_t frames)
{
    static uint8_t bytes[2 * CAP];
    uint64_t first = weft__rpc_delivery_next(&d);
    assert_in_range(len, sizeof(first), sizeof(bytes));
    memcpy(bytes, &first, sizeof(first));
    memset(bytes + sizeof(first), (int)first, len - sizeof(first));
    weft__rpc_delivery_keep(&d, weft__slice(bytes, len), frames);
    assert_int_equal(weft__rpc_delivery_next(&d), first + frames);
    assert_int_equal(weft__rpc_delivery_memory(&d), mem.live_bytes);
}

struct replayed {
    uint64_t firsts[1024];
    size_t count;
};

static void note(void *ctx, struct weft_slice message)
{
    struct replayed *replayed = ctx;
    uint64_t first;
    memcpy(&first, message.ptr, sizeof(first));
    for (size_t i = sizeof(first); i < message.len; ++i)
        assert_int_equal(message.ptr[i], (uint8_t)first);
    assert_true(replayed->count < WEFT_ARRAY_LEN(replayed->firsts));
    replayed->firsts[replayed->count++] = first;
}

/* The first numbers of what replay hands over, as text. */
static const char *replay(void)
{
    static char text[8192];
    static struct replayed replayed;
    size_t len = 0;
    replayed.count = 0;
    text[0] = '\0';
    weft__rpc_delivery_replay(&d, note, &replayed);
    for (size_t i = 0; i < replayed.count; ++i)
        len += (size_t)snprintf(text + len, sizeof(text) - len, i ? " %llu" : "%llu",
                                (unsigned long long)replayed.firsts[i]);
    return text;
}

/* ---- out ---- */

static void numbers_begin_with_one_and_belong_to_a_frame_once_it_is_kept(void **state)
{
    (void)state;
    assert_int_equal(weft__rpc_delivery_next(&d), 1);
    assert_int_equal(weft__rpc_delivery_next(&d), 1);
    keep(10, 1);
    assert_int_equal(weft__rpc_delivery_next(&d), 2);
    keep(10, 5);
    assert_int_equal(weft__rpc_delivery_next(&d), 7);
    assert_string_equal(replay(), "1 2");
}

static void without_messages_there_is_no_memory(void **state)
{
    (void)state;
    assert_int_equal(mem.calls, 0);
    for (int i = 0; i < 100; ++i)
        keep(100, 1);
    assert_true(mem.live_bytes >= 100 * 100);
    assert_ok(weft__rpc_delivery_acked(&d, 100));
    assert_int_equal(mem.live_bytes, 0);
    assert_string_equal(replay(), "");
}

static void many_small_messages_need_few_allocations(void **state)
{
    (void)state;
    for (int i = 0; i < 400; ++i)
        keep(40, 1);
    assert_in_range(mem.calls, 1, 10);
    assert_false(weft__rpc_delivery_overflowed(&d));
}

static void memory_is_freed_while_acknowledgements_come(void **state)
{
    (void)state;
    size_t peak = 0;
    for (uint64_t i = 1; i <= 5000; ++i) {
        keep(200, 1);
        peak = WEFT_MAX(peak, mem.live_bytes);
        if (i > 10)
            assert_ok(weft__rpc_delivery_acked(&d, i - 10));
    }
    assert_in_range(peak, 2000, 16 * 1024);
    assert_false(weft__rpc_delivery_overflowed(&d));
}

static void acknowledgement_of_a_part_of_a_message_keeps_it(void **state)
{
    (void)state;
    keep(10, 3);
    keep(10, 3);
    keep(10, 1);
    assert_ok(weft__rpc_delivery_acked(&d, 5));
    assert_string_equal(replay(), "4 7");
    assert_ok(weft__rpc_delivery_acked(&d, 6));
    assert_string_equal(replay(), "7");
}

static void older_and_repeated_acknowledgements_change_nothing(void **state)
{
    (void)state;
    assert_ok(weft__rpc_delivery_acked(&d, 0));
    for (int i = 0; i < 4; ++i)
        keep(10, 1);
    assert_ok(weft__rpc_delivery_acked(&d, 2));
    assert_ok(weft__rpc_delivery_acked(&d, 2));
    assert_ok(weft__rpc_delivery_acked(&d, 1));
    assert_ok(weft__rpc_delivery_acked(&d, 0));
    assert_string_equal(replay(), "3 4");
}

static void acknowledgement_of_what_was_never_sent_is_protocol_error(void **state)
{
    (void)state;
    assert_err(weft__rpc_delivery_acked(&d, 1), WEFT_ERR_PROTOCOL);
    keep(10, 2);
    assert_err(weft__rpc_delivery_acked(&d, 3), WEFT_ERR_PROTOCOL);
    assert_err(weft__rpc_delivery_acked(&d, UINT64_MAX), WEFT_ERR_PROTOCOL);
    assert_err(weft__rpc_delivery_acked(&d, (uint64_t)1 << 63), WEFT_ERR_PROTOCOL);
    assert_string_equal(replay(), "1");
    assert_ok(weft__rpc_delivery_acked(&d, 2));
    assert_string_equal(replay(), "");
}

/* ---- resuming ---- */

static void resume_drops_what_was_seen_and_replays_the_rest(void **state)
{
    (void)state;
    for (int i = 0; i < 6; ++i)
        keep(1000, 1);
    assert_ok(weft__rpc_delivery_acked(&d, 1));
    weft__rpc_delivery_detach(&d);
    keep(8, 1);
    assert_ok(weft__rpc_delivery_resume(&d, 4));
    assert_string_equal(replay(), "5 6 7");
    keep(8, 1);
    assert_ok(weft__rpc_delivery_resume(&d, 5));
    assert_string_equal(replay(), "6 7 8");
    assert_ok(weft__rpc_delivery_resume(&d, 8));
    assert_string_equal(replay(), "");
    assert_int_equal(mem.live_bytes, 0);
}

static void resume_owes_no_acknowledgement_of_what_came_before(void **state)
{
    (void)state;
    weft__rpc_delivery_received(&d, 1, WEFT_RPC_ACK_BYTES, 0);
    assert_ok(weft__rpc_delivery_resume(&d, 0));
    assert_false(weft__rpc_delivery_wants_ack(&d));
    assert_int_equal(wheel.count, 0);
}

static void resume_inside_a_batch_replays_it_whole(void **state)
{
    (void)state;
    keep(10, 4);
    keep(10, 1);
    assert_ok(weft__rpc_delivery_resume(&d, 2));
    assert_string_equal(replay(), "1 5");
    /* Less than before, and still all that follows is kept. */
    assert_ok(weft__rpc_delivery_resume(&d, 1));
    assert_string_equal(replay(), "1 5");
}

static void resume_with_more_than_was_sent_is_protocol_error_and_changes_nothing(void **state)
{
    (void)state;
    keep(10, 2);
    assert_err(weft__rpc_delivery_resume(&d, 3), WEFT_ERR_PROTOCOL);
    assert_err(weft__rpc_delivery_resume(&d, UINT64_MAX), WEFT_ERR_PROTOCOL);
    assert_string_equal(replay(), "1");
}

static void resume_with_less_than_was_acknowledged_is_refused(void **state)
{
    (void)state;
    for (int i = 0; i < 4; ++i)
        keep(10, 1);
    assert_ok(weft__rpc_delivery_acked(&d, 3));
    assert_err(weft__rpc_delivery_resume(&d, 2), WEFT_ERR_LIMIT);
    assert_ok(weft__rpc_delivery_resume(&d, 3));
    assert_string_equal(replay(), "4");
}

/* ---- overflow ---- */

static void the_oldest_are_dropped_at_the_cap_and_sending_goes_on(void **state)
{
    (void)state;
    for (int i = 0; i < 200; ++i) {
        keep(1000, 1);
        assert_in_range(mem.live_bytes, 1, CAP);
    }
    assert_true(weft__rpc_delivery_overflowed(&d));
    assert_err(weft__rpc_delivery_resume(&d, 0), WEFT_ERR_LIMIT);
    assert_err(weft__rpc_delivery_resume(&d, 100), WEFT_ERR_LIMIT);
    /* A third of the cap is there for sure. */
    assert_ok(weft__rpc_delivery_resume(&d, 180));
    const char *rest = replay();
    assert_string_equal(rest, "181 182 183 184 185 186 187 188 189 190 191 192 193 194 195 196 197 "
                              "198 199 200");
}

static void a_third_of_the_cap_is_always_kept(void **state)
{
    (void)state;
    struct test_random rng;
    test_random_init(&rng, "a_third_of_the_cap_is_always_kept");
    static size_t costs[20000];
    uint64_t acked = 0, oldest = 1;
    size_t live = 0;
    for (uint64_t n = 1; n < WEFT_ARRAY_LEN(costs); ++n) {
        unsigned scale = (unsigned)test_random_below(&rng, 4);
        size_t len = test_random_size(&rng, 8, (size_t)16 << (3 * scale));
        costs[n] = len + WEFT_RPC_DELIVERY_OVERHEAD;
        live += costs[n];
        while (live > CAP / 3)
            live -= costs[oldest++];
        if (acked + 1 < oldest) {
            acked = oldest - 1;
            assert_ok(weft__rpc_delivery_acked(&d, acked));
        }
        keep(len, 1);
        assert_false(weft__rpc_delivery_overflowed(&d));
        assert_in_range(mem.live_bytes, 1, CAP);
    }
}

static void a_session_recovers_from_overflow_once_all_dropped_is_acknowledged(void **state)
{
    (void)state;
    for (int i = 0; i < 100; ++i)
        keep(1000, 1);
    uint64_t first_kept = strtoull(replay(), NULL, 10);
    assert_in_range(first_kept, 2, 81);
    assert_ok(weft__rpc_delivery_acked(&d, first_kept - 2));
    assert_true(weft__rpc_delivery_overflowed(&d));
    assert_ok(weft__rpc_delivery_acked(&d, first_kept - 1));
    assert_false(weft__rpc_delivery_overflowed(&d));
    assert_ok(weft__rpc_delivery_resume(&d, first_kept - 1));
    assert_int_equal(strtoull(replay(), NULL, 10), first_kept);
}

static void a_message_larger_than_the_cap_is_not_kept(void **state)
{
    (void)state;
    keep(10, 1);
    keep(CAP + 1, 1);
    assert_int_equal(mem.live_bytes, 0);
    assert_true(weft__rpc_delivery_overflowed(&d));
    assert_err(weft__rpc_delivery_resume(&d, 1), WEFT_ERR_LIMIT);
    keep(10, 1);
    assert_string_equal(replay(), "3");
    assert_ok(weft__rpc_delivery_resume(&d, 2));
}

static void each_size_around_the_cap_stays_below_it(void **state)
{
    (void)state;
    for (size_t len = CAP - 80; len <= CAP + 1; ++len) {
        keep(10, 1);
        keep(len, 1);
        assert_in_range(mem.live_bytes, 0, CAP);
        assert_int_equal(mem.live_bytes > 0, len + 56 <= CAP);
        assert_ok(weft__rpc_delivery_acked(&d, weft__rpc_delivery_next(&d) - 1));
        assert_int_equal(mem.live_bytes, 0);
    }
}

static void a_cap_of_zero_keeps_nothing(void **state)
{
    (void)state;
    set_up_cap(0);
    keep(8, 1);
    assert_true(weft__rpc_delivery_overflowed(&d));
    assert_int_equal(mem.calls, 0);
    assert_ok(weft__rpc_delivery_resume(&d, 1));
    assert_false(weft__rpc_delivery_overflowed(&d));
}

static void tiny_caps_keep_what_fits(void **state)
{
    (void)state;
    for (size_t cap = 1; cap < 1000; cap += 7) {
        set_up_cap(cap);
        for (int i = 0; i < 20; ++i)
            keep(8, 1);
        assert_in_range(mem.live_bytes, 0, cap);
        assert_int_equal(replay()[0] != '\0', cap >= 64);
        weft__rpc_delivery_done(&d);
        test_alloc_done(&mem);
    }
    set_up_cap(0);
}

static void without_memory_the_session_overflows_and_goes_on(void **state)
{
    (void)state;
    keep(10, 1);
    mem.fail_at = mem.calls + 1;
    keep(1000, 1);
    assert_int_equal(mem.failures, 1);
    assert_int_equal(mem.live_bytes, 0);
    assert_true(weft__rpc_delivery_overflowed(&d));
    keep(20, 1);
    assert_err(weft__rpc_delivery_resume(&d, 1), WEFT_ERR_LIMIT);
    assert_ok(weft__rpc_delivery_resume(&d, 2));
    assert_string_equal(replay(), "3");
}

static int live_with_failures(const struct weft_alloc *alloc, void *ctx)
{
    (void)ctx;
    static const uint8_t bytes[3000] = {0};
    static struct replayed replayed;
    weft__rpc_delivery_init(&d, alloc, &wheel, CAP, ack_due);
    for (uint64_t i = 1; i <= 60; ++i) {
        weft__rpc_delivery_keep(&d, weft__slice(bytes, 8 + i * 37), 1);
        if (i % 20 == 0)
            assert_ok(weft__rpc_delivery_acked(&d, i - 7));
    }
    replayed.count = 0;
    int err = weft__rpc_delivery_resume(&d, 55);
    /* What is kept is the end, without a hole. */
    weft__rpc_delivery_replay(&d, note, &replayed);
    assert_true(err == WEFT_ERR_LIMIT ? replayed.count < 5 : replayed.count == 5);
    assert_ok(weft__rpc_delivery_acked(&d, 60));
    assert_int_equal(weft__rpc_delivery_memory(&d), 0);
    weft__rpc_delivery_done(&d);
    return err == WEFT_ERR_LIMIT ? WEFT_ERR_NOMEM : err;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    assert_in_range(test_each_alloc_failure(live_with_failures, NULL), 3, 60);
    set_up_cap(CAP);
}

/* ---- in ---- */

static enum weft_rpc_delivery_verdict receive(uint64_t seq, size_t size, uint64_t ms)
{
    return weft__rpc_delivery_received(&d, seq, size, ms * WEFT_NS_PER_MS);
}

static void each_number_is_new_once_and_none_may_be_left_out(void **state)
{
    (void)state;
    assert_int_equal(receive(0, 1, 0), WEFT_RPC_DELIVERY_GAP);
    assert_int_equal(receive(2, 1, 0), WEFT_RPC_DELIVERY_GAP);
    assert_int_equal(receive(1, 1, 0), WEFT_RPC_DELIVERY_NEW);
    assert_int_equal(receive(1, 1, 0), WEFT_RPC_DELIVERY_DUPLICATE);
    assert_int_equal(receive(2, 1, 0), WEFT_RPC_DELIVERY_NEW);
    assert_int_equal(receive(1, 1, 0), WEFT_RPC_DELIVERY_DUPLICATE);
    assert_int_equal(receive(4, 1, 0), WEFT_RPC_DELIVERY_GAP);
    assert_int_equal(receive(UINT64_MAX, 1, 0), WEFT_RPC_DELIVERY_GAP);
    assert_int_equal(receive(0, 1, 0), WEFT_RPC_DELIVERY_GAP);
    assert_int_equal(weft__rpc_delivery_seen(&d), 2);
    assert_int_equal(receive(3, 1, 0), WEFT_RPC_DELIVERY_NEW);
}

static void an_acknowledgement_is_wanted_after_32_frames(void **state)
{
    (void)state;
    for (int round = 0; round < 3; ++round) {
        for (uint64_t i = 1; i <= 32; ++i) {
            assert_false(weft__rpc_delivery_wants_ack(&d));
            receive(weft__rpc_delivery_seen(&d) + 1, 1, 0);
        }
        assert_true(weft__rpc_delivery_wants_ack(&d));
        assert_int_equal(weft__rpc_delivery_take_ack(&d), weft__rpc_delivery_seen(&d));
        assert_false(weft__rpc_delivery_wants_ack(&d));
        assert_int_equal(weft__rpc_delivery_take_ack(&d), 0);
    }
    assert_int_equal(weft__rpc_delivery_seen(&d), 96);
}

static void an_acknowledgement_is_wanted_after_16_kib(void **state)
{
    (void)state;
    receive(1, 16 * 1024 - 1, 0);
    assert_false(weft__rpc_delivery_wants_ack(&d));
    receive(1, 16 * 1024, 0);
    assert_false(weft__rpc_delivery_wants_ack(&d));
    receive(2, 1, 0);
    assert_true(weft__rpc_delivery_wants_ack(&d));
    assert_int_equal(weft__rpc_delivery_take_ack(&d), 2);
    receive(3, 16 * 1024 - 1, 0);
    assert_false(weft__rpc_delivery_wants_ack(&d));
}

static void an_acknowledgement_is_due_200_ms_after_the_first_frame(void **state)
{
    (void)state;
    at_ms(1000);
    receive(1, 1, 1000);
    at_ms(1150);
    receive(2, 1, 1150);
    at_ms(1199);
    assert_int_equal(acks_due, 0);
    at_ms(1201);
    assert_int_equal(acks_due, 1);
    assert_int_equal(weft__rpc_delivery_take_ack(&d), 2);
    at_ms(3000);
    assert_int_equal(acks_due, 1);
}

static void an_acknowledgement_that_went_along_stops_the_clock(void **state)
{
    (void)state;
    receive(1, 1, 0);
    at_ms(100);
    assert_int_equal(weft__rpc_delivery_take_ack(&d), 1);
    assert_int_equal(wheel.count, 0);
    receive(2, 1, 100);
    at_ms(250);
    assert_int_equal(acks_due, 0);
    at_ms(301);
    assert_int_equal(acks_due, 1);
}

static void duplicates_need_no_acknowledgement(void **state)
{
    (void)state;
    receive(1, 1, 0);
    assert_int_equal(weft__rpc_delivery_take_ack(&d), 1);
    for (int i = 0; i < 100; ++i)
        assert_int_equal(receive(1, 1000, 0), WEFT_RPC_DELIVERY_DUPLICATE);
    assert_false(weft__rpc_delivery_wants_ack(&d));
    assert_int_equal(wheel.count, 0);
}

static void without_a_connection_no_acknowledgement_is_due(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 40; ++i)
        receive(i, 1, 0);
    weft__rpc_delivery_detach(&d);
    at_ms(1000);
    assert_int_equal(acks_due, 0);
    assert_false(weft__rpc_delivery_wants_ack(&d));
    /* The greeting says it. */
    assert_int_equal(weft__rpc_delivery_take_ack(&d), 0);
    assert_int_equal(weft__rpc_delivery_seen(&d), 40);
    assert_ok(weft__rpc_delivery_resume(&d, 0));
    receive(41, 1, 1000);
    assert_int_equal(weft__rpc_delivery_take_ack(&d), 41);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(numbers_begin_with_one_and_belong_to_a_frame_once_it_is_kept),
        TEST(without_messages_there_is_no_memory),
        TEST(many_small_messages_need_few_allocations),
        TEST(memory_is_freed_while_acknowledgements_come),
        TEST(acknowledgement_of_a_part_of_a_message_keeps_it),
        TEST(older_and_repeated_acknowledgements_change_nothing),
        TEST(acknowledgement_of_what_was_never_sent_is_protocol_error),
        TEST(resume_drops_what_was_seen_and_replays_the_rest),
        TEST(resume_owes_no_acknowledgement_of_what_came_before),
        TEST(resume_inside_a_batch_replays_it_whole),
        TEST(resume_with_more_than_was_sent_is_protocol_error_and_changes_nothing),
        TEST(resume_with_less_than_was_acknowledged_is_refused),
        TEST(the_oldest_are_dropped_at_the_cap_and_sending_goes_on),
        TEST(a_third_of_the_cap_is_always_kept),
        TEST(a_session_recovers_from_overflow_once_all_dropped_is_acknowledged),
        TEST(a_message_larger_than_the_cap_is_not_kept),
        TEST(each_size_around_the_cap_stays_below_it),
        TEST(a_cap_of_zero_keeps_nothing),
        TEST(tiny_caps_keep_what_fits),
        TEST(without_memory_the_session_overflows_and_goes_on),
        TEST(every_allocation_may_fail),
        TEST(each_number_is_new_once_and_none_may_be_left_out),
        TEST(an_acknowledgement_is_wanted_after_32_frames),
        TEST(an_acknowledgement_is_wanted_after_16_kib),
        TEST(an_acknowledgement_is_due_200_ms_after_the_first_frame),
        TEST(an_acknowledgement_that_went_along_stops_the_clock),
        TEST(duplicates_need_no_acknowledgement),
        TEST(without_a_connection_no_acknowledgement_is_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
