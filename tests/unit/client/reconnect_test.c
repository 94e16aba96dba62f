/* SPDX-License-Identifier: Apache-2.0 */
/* Backoff, jitter and circuit breakers, with times made up. */
#include "client/reconnect.h"

#include "base/timer.h"
#include "lib/random.h"
#include "lib/test.h"

static const uint64_t MS = WEFT_NS_PER_MS;

static void delays_double_up_to_the_most(void **state)
{
    (void)state;
    static const uint32_t most[] = {500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000};
    struct weft_reconnect reconnect;
    weft__reconnect_init(&reconnect, 1, 500, 30000);
    for (size_t i = 0; i < WEFT_ARRAY_LEN(most); i++)
        assert_int_equal(weft__reconnect_delay_ms(&reconnect, UINT32_MAX), most[i]);
    for (int i = 0; i < 100; i++)
        assert_int_equal(weft__reconnect_delay_ms(&reconnect, UINT32_MAX), 30000);
}

static void delays_are_spread_evenly(void **state)
{
    (void)state;
    struct test_random rng;
    unsigned counts[10] = {0};
    test_random_init(&rng, "jitter");
    for (int i = 0; i < 100000; i++) {
        struct weft_reconnect reconnect;
        weft__reconnect_init(&reconnect, 1, 999, 30000);
        uint32_t ms = weft__reconnect_delay_ms(&reconnect, (uint32_t)test_random_u64(&rng));
        assert_true(ms <= 999);
        counts[ms / 100]++;
    }
    for (size_t i = 0; i < WEFT_ARRAY_LEN(counts); i++)
        assert_in_range(counts[i], 9000, 11000);
}

static void only_a_steady_connection_begins_anew(void **state)
{
    (void)state;
    struct weft_reconnect reconnect;
    weft__reconnect_init(&reconnect, 1, 500, 30000);
    for (int i = 0; i < 4; i++)
        (void)weft__reconnect_delay_ms(&reconnect, 0);
    weft__reconnect_opened(&reconnect, 0, 1000 * MS);
    weft__reconnect_lost(&reconnect, 5999 * MS);
    assert_int_equal(weft__reconnect_delay_ms(&reconnect, UINT32_MAX), 8000);
    weft__reconnect_opened(&reconnect, 0, 10000 * MS);
    weft__reconnect_lost(&reconnect, 15000 * MS);
    assert_int_equal(weft__reconnect_delay_ms(&reconnect, UINT32_MAX), 500);
}

static void addresses_take_turns(void **state)
{
    (void)state;
    struct weft_reconnect reconnect;
    uint64_t until_ns;
    weft__reconnect_init(&reconnect, 3, 500, 30000);
    assert_int_equal(weft__reconnect_choose(&reconnect, 0, &until_ns), 0);
    weft__reconnect_failed(&reconnect, 0, 0);
    assert_int_equal(weft__reconnect_choose(&reconnect, 0, &until_ns), 1);
    weft__reconnect_failed(&reconnect, 1, 0);
    assert_int_equal(weft__reconnect_choose(&reconnect, 0, &until_ns), 2);
    weft__reconnect_opened(&reconnect, 2, 0);
    /* The one that worked goes first. */
    assert_int_equal(weft__reconnect_choose(&reconnect, 0, &until_ns), 2);
}

static void an_address_that_fails_is_left_alone(void **state)
{
    (void)state;
    struct weft_reconnect reconnect;
    uint64_t until_ns = 0;
    weft__reconnect_init(&reconnect, 2, 500, 3000);
    for (int i = 0; i < 3; i++)
        weft__reconnect_failed(&reconnect, 0, 100 * MS);
    reconnect.next = 0;
    assert_int_equal(weft__reconnect_choose(&reconnect, 100 * MS, &until_ns), 1);
    for (int i = 0; i < 4; i++)
        weft__reconnect_failed(&reconnect, 1, 100 * MS);
    /* Both are: the first to be tried again is the one that failed less often. */
    assert_int_equal(weft__reconnect_choose(&reconnect, 101 * MS, &until_ns), -1);
    assert_int_equal(until_ns, 1100 * MS);
    assert_int_equal(weft__reconnect_choose(&reconnect, 1100 * MS, &until_ns), 0);
    /* One attempt decides: failing again leaves it alone for twice as long … */
    weft__reconnect_failed(&reconnect, 0, 1100 * MS);
    assert_int_equal(weft__reconnect_choose(&reconnect, 1101 * MS, &until_ns), -1);
    assert_int_equal(until_ns, 2100 * MS); /* the other one */
    weft__reconnect_failed(&reconnect, 1, 2100 * MS);
    assert_int_equal(weft__reconnect_choose(&reconnect, 3099 * MS, &until_ns), -1);
    assert_int_equal(weft__reconnect_choose(&reconnect, 3100 * MS, &until_ns), 0);
    /* … and success closes the circuit. */
    weft__reconnect_opened(&reconnect, 0, 3100 * MS);
    weft__reconnect_failed(&reconnect, 0, 3200 * MS);
    weft__reconnect_failed(&reconnect, 0, 3200 * MS);
    reconnect.next = 0;
    assert_int_equal(weft__reconnect_choose(&reconnect, 3200 * MS, &until_ns), 0);
}

static void nobody_is_left_alone_for_longer_than_the_most(void **state)
{
    (void)state;
    struct weft_reconnect reconnect;
    uint64_t until_ns;
    weft__reconnect_init(&reconnect, 1, 10, 50);
    for (int i = 0; i < 100; i++)
        weft__reconnect_failed(&reconnect, 0, 0);
    assert_int_equal(weft__reconnect_choose(&reconnect, 0, &until_ns), -1);
    assert_int_equal(until_ns, 50 * MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delays_double_up_to_the_most),
        cmocka_unit_test(delays_are_spread_evenly),
        cmocka_unit_test(only_a_steady_connection_begins_anew),
        cmocka_unit_test(addresses_take_turns),
        cmocka_unit_test(an_address_that_fails_is_left_alone),
        cmocka_unit_test(nobody_is_left_alone_for_longer_than_the_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
