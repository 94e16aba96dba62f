/* SPDX-License-Identifier: Apache-2.0 */
/* A flood of reached limits is counted in full and written of once a second. */
#include "lib/test.h"

#include "base/timer.h"
#include "server/notices.h"

enum { LINES_MAX = 64 };

static char lines[LINES_MAX][256];
static size_t count;

static void keep(void *ctx, enum weft_log_level level, const char *msg)
{
    (void)ctx;
    (void)level;
    assert_true(count < LINES_MAX);
    snprintf(lines[count++], sizeof(lines[0]), "%s", msg);
}

static const struct weft_log test_log = {.write = keep, .level = WEFT_LOG_DEBUG};

static void reach(struct weft_notices *notices, enum weft_limit limit, uint64_t now_ns)
{
    const struct weft_log_field peer = weft__log_str("peer", "192.0.2.1");
    if (weft__notice(notices, limit, 1, now_ns))
        weft__notice_write(notices, limit, &peer);
}

static int start(void **state)
{
    (void)state;
    count = 0;
    return 0;
}

static void the_first_is_written_at_once(void **state)
{
    struct weft_notices notices;
    (void)state;
    weft__notices_init(&notices, &test_log);
    reach(&notices, WEFT_LIMIT_CONTROL, 5 * WEFT_NS_PER_S);
    assert_int_equal(count, 1);
    assert_string_equal(lines[0], "warn limit.reached limit=max_control peer=192.0.2.1");
}

static void a_flood_is_one_line_a_second_and_a_number(void **state)
{
    struct weft_notices notices;
    (void)state;
    weft__notices_init(&notices, &test_log);
    for (uint64_t i = 0; i < 3000; i++)
        reach(&notices, WEFT_LIMIT_CONTROL, WEFT_NS_PER_S + i * WEFT_NS_PER_MS);
    assert_int_equal(notices.counts[WEFT_LIMIT_CONTROL], 3000);
    assert_int_equal(count, 3);
    assert_string_equal(lines[1], "warn limit.reached limit=max_control peer=192.0.2.1 more=999");
}

static void limits_do_not_hide_one_another(void **state)
{
    struct weft_notices notices;
    (void)state;
    weft__notices_init(&notices, &test_log);
    reach(&notices, WEFT_LIMIT_CONTROL, WEFT_NS_PER_S);
    reach(&notices, WEFT_LIMIT_STALL, WEFT_NS_PER_S);
    assert_int_equal(count, 2);
}

static void what_was_held_back_is_written_when_it_is_over(void **state)
{
    struct weft_notices notices;
    (void)state;
    weft__notices_init(&notices, &test_log);
    for (int i = 0; i < 5; i++)
        reach(&notices, WEFT_LIMIT_STALL, WEFT_NS_PER_S);
    weft__notices_tick(&notices, WEFT_NS_PER_S + WEFT_NS_PER_S / 2);
    assert_int_equal(count, 1);
    weft__notices_tick(&notices, 2 * WEFT_NS_PER_S);
    assert_int_equal(count, 2);
    assert_string_equal(lines[1], "warn limit.reached limit=stall_ms more=3");
    weft__notices_tick(&notices, 10 * WEFT_NS_PER_S);
    assert_int_equal(count, 2);
    assert_int_equal(notices.counts[WEFT_LIMIT_STALL], 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_first_is_written_at_once, start),
        cmocka_unit_test_setup(a_flood_is_one_line_a_second_and_a_number, start),
        cmocka_unit_test_setup(limits_do_not_hide_one_another, start),
        cmocka_unit_test_setup(what_was_held_back_is_written_when_it_is_over, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
