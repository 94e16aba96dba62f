/* SPDX-License-Identifier: Apache-2.0 */
/* Credit: who may send how much, and when more is granted. */
#include "lib/test.h"

#include "rpc/stream.h"

static struct weft_rpc_stream stream;

static int set_up(void **state)
{
    (void)state;
    weft__rpc_stream_init(&stream, 4, 100, true, true);
    return 0;
}

static void sending_stops_at_either_total(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        assert_ok(weft__rpc_stream_send(&stream, 1));
    assert_err(weft__rpc_stream_send(&stream, 1), WEFT_ERR_LIMIT);
    weft__rpc_stream_init(&stream, 4, 100, true, true);
    assert_ok(weft__rpc_stream_send(&stream, 100));
    assert_err(weft__rpc_stream_send(&stream, 0), WEFT_ERR_LIMIT);
}

static void an_item_larger_than_the_window_gets_through(void **state)
{
    (void)state;
    assert_ok(weft__rpc_stream_send(&stream, 99));
    assert_ok(weft__rpc_stream_send(&stream, 1000000));
    assert_err(weft__rpc_stream_send(&stream, 1), WEFT_ERR_LIMIT);
    assert_ok(weft__rpc_stream_received(&stream, 99));
    assert_ok(weft__rpc_stream_received(&stream, 1000000));
    assert_err(weft__rpc_stream_received(&stream, 1), WEFT_ERR_LIMIT);
    /* Totals count what came, so the excess is made up for. */
    assert_true(weft__rpc_stream_consumed(&stream, 2, 1000099));
    assert_int_equal(stream.in.bytes_total, 1000199);
}

static void a_grant_wakes_only_who_waits(void **state)
{
    (void)state;
    assert_false(weft__rpc_stream_granted(&stream, 5, 200));
    for (int i = 0; i < 5; i++)
        assert_ok(weft__rpc_stream_send(&stream, 1));
    assert_err(weft__rpc_stream_send(&stream, 1), WEFT_ERR_LIMIT);
    assert_true(weft__rpc_stream_granted(&stream, 6, 200));
    assert_false(weft__rpc_stream_granted(&stream, 7, 200));
}

static void totals_repeated_or_smaller_change_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        assert_ok(weft__rpc_stream_send(&stream, 1));
    assert_err(weft__rpc_stream_send(&stream, 1), WEFT_ERR_LIMIT);
    assert_false(weft__rpc_stream_granted(&stream, 4, 100));
    assert_false(weft__rpc_stream_granted(&stream, 0, 0));
    assert_int_equal(stream.out.items_total, 4);
    assert_int_equal(stream.out.bytes_total, 100);
    assert_true(weft__rpc_stream_granted(&stream, UINT64_MAX, UINT64_MAX));
    assert_false(weft__rpc_stream_granted(&stream, UINT64_MAX, UINT64_MAX));
    assert_ok(weft__rpc_stream_send(&stream, 1));
}

static void items_without_credit_or_after_the_end_are_violations(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        assert_ok(weft__rpc_stream_received(&stream, 1));
    assert_err(weft__rpc_stream_received(&stream, 1), WEFT_ERR_LIMIT);
    weft__rpc_stream_init(&stream, 4, 100, false, true);
    assert_err(weft__rpc_stream_received(&stream, 1), WEFT_ERR_STATE);
}

static void credit_is_told_when_half_a_window_is_used_up(void **state)
{
    (void)state;
    unsigned told = 0;
    for (int i = 0; i < 1000; i++) {
        assert_ok(weft__rpc_stream_received(&stream, 1));
        told += weft__rpc_stream_consumed(&stream, 1, 1);
    }
    assert_int_equal(told, 500);
    assert_int_equal(stream.in.items_total, 1004);
}

static void a_wider_window_is_told_at_once(void **state)
{
    (void)state;
    assert_false(weft__rpc_stream_set_window(&stream, 4, 100));
    assert_true(weft__rpc_stream_set_window(&stream, 1024, 1 << 20));
    assert_int_equal(stream.in.items_total, 1024);
    /* Granted is granted: a narrower one takes nothing back. */
    assert_false(weft__rpc_stream_set_window(&stream, 1, 1));
    assert_int_equal(stream.in.items_total, 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(sending_stops_at_either_total, set_up),
        cmocka_unit_test_setup(an_item_larger_than_the_window_gets_through, set_up),
        cmocka_unit_test_setup(a_grant_wakes_only_who_waits, set_up),
        cmocka_unit_test_setup(totals_repeated_or_smaller_change_nothing, set_up),
        cmocka_unit_test_setup(items_without_credit_or_after_the_end_are_violations, set_up),
        cmocka_unit_test_setup(credit_is_told_when_half_a_window_is_used_up, set_up),
        cmocka_unit_test_setup(a_wider_window_is_told_at_once, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
