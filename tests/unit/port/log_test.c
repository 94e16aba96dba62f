/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines: levels, both formats, time, cuts, and that what peers sent cannot forge anything. */
#include "lib/test.h"

#include "base/utf8.h"
#include "codec/json.h"
#include "lib/random.h"
#include "port/log.h"

#include <time.h>

struct sink {
    struct weft_log log;
    struct weft_clock clock;
    uint64_t now_ms;
    char line[WEFT_LOG_LINE_MAX + 1];
    enum weft_log_level level;
    int count;
};

static void take(void *ctx, enum weft_log_level level, const char *line)
{
    struct sink *sink = ctx;
    assert_true(strlen(line) <= WEFT_LOG_LINE_MAX);
    snprintf(sink->line, sizeof(sink->line), "%s", line);
    sink->level = level;
    sink->count++;
}

static uint64_t wall(void *ctx)
{
    return ((struct sink *)ctx)->now_ms;
}

static void sink_init(struct sink *sink, enum weft_log_format format)
{
    memset(sink, 0, sizeof(*sink));
    sink->log =
        (struct weft_log){.write = take, .ctx = sink, .level = WEFT_LOG_DEBUG, .format = format};
    sink->clock = (struct weft_clock){.wall_ms = wall, .ctx = sink};
}

/* The line of an event "e" with the one string field "s". */
static const char *line_with(struct sink *sink, enum weft_log_format format, const void *bytes,
                             size_t len)
{
    sink_init(sink, format);
    WEFT_LOG(&sink->log, WEFT_LOG_INFO, "e", weft__log_slice("s", weft__slice(bytes, len)));
    return sink->line;
}

static void check_json(const struct sink *sink)
{
    struct weft_arena arena;
    const struct weft_json *value;
    weft__arena_init(&arena, weft_alloc_default(), 1 << 20);
    if (weft__json_parse(weft__slice_str(sink->line), &arena, NULL, NULL, &value))
        fail_msg("%s", sink->line);
    assert_true(weft__json_is(value, WEFT_JSON_OBJECT));
    weft__arena_done(&arena);
}

static void fields_are_written_in_both_formats(void **state)
{
    struct sink sink;
    (void)state;
    for (int json = 0; json < 2; json++) {
        sink_init(&sink, json ? WEFT_LOG_JSON : WEFT_LOG_TEXT);
        sink.log.clock = &sink.clock;
        sink.now_ms = 1767225600007; /* the beginning of 2026 and 7 ms */
        WEFT_LOG(&sink.log, WEFT_LOG_WARN, "server.start",
                 weft__log_str("address", "127.0.0.1:8080"), weft__log_u64("big", UINT64_MAX),
                 weft__log_i64("small", INT64_MIN), weft__log_bool("tls", true),
                 weft__log_bool("old", false), weft__log_str("empty", ""),
                 weft__log_str("words", "a b"));
        assert_int_equal(sink.level, WEFT_LOG_WARN);
        assert_string_equal(
            sink.line,
            json ? "{\"time\":\"2026-01-01T00:00:00.007Z\",\"level\":\"warn\","
                   "\"event\":\"server.start\",\"address\":\"127.0.0.1:8080\","
                   "\"big\":18446744073709551615,\"small\":-9223372036854775808,\"tls\":true,"
                   "\"old\":false,\"empty\":\"\",\"words\":\"a b\"}"
                 : "2026-01-01T00:00:00.007Z warn server.start address=127.0.0.1:8080 "
                   "big=18446744073709551615 small=-9223372036854775808 tls=true old=false "
                   "empty=\"\" words=\"a b\"");
    }
    weft__log_event(&sink.log, WEFT_LOG_INFO, "bare", NULL, 0);
    assert_string_equal(sink.line, "{\"time\":\"2026-01-01T00:00:00.007Z\",\"level\":\"info\","
                                   "\"event\":\"bare\"}");
}

/* Every day for four hundred years, against the C library. */
static void dates_are_right(void **state)
{
    struct sink sink;
    (void)state;
    sink_init(&sink, WEFT_LOG_TEXT);
    sink.log.clock = &sink.clock;
    for (uint64_t day = 0; day < 146097; day++) {
        char expected[32];
        struct tm utc;
        time_t at = (time_t)(day * 86400 + day % 86400);
        sink.now_ms = (uint64_t)at * 1000 + day % 1000;
        gmtime_r(&at, &utc);
        strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S", &utc);
        weft__log_event(&sink.log, WEFT_LOG_INFO, "e", NULL, 0);
        assert_memory_equal(sink.line, expected, 19);
        assert_int_equal(strtol(sink.line + 20, NULL, 10), day % 1000);
    }
}

static void lines_above_the_level_are_dropped(void **state)
{
    (void)state;
    for (int limit = WEFT_LOG_ERROR; limit <= WEFT_LOG_DEBUG; limit++)
        for (int level = WEFT_LOG_ERROR; level <= WEFT_LOG_DEBUG; level++) {
            struct sink sink;
            int evaluated = 0;
            sink_init(&sink, WEFT_LOG_TEXT);
            sink.log.level = (enum weft_log_level)limit;
            WEFT_LOG(&sink.log, (enum weft_log_level)level, "e", weft__log_i64("n", ++evaluated));
            assert_int_equal(sink.count, level <= limit);
            assert_int_equal(evaluated, level <= limit);
        }
}

static void without_a_sink_nothing_happens(void **state)
{
    const struct weft_log log = {.level = WEFT_LOG_DEBUG};
    (void)state;
    weft__log_event(&log, WEFT_LOG_ERROR, "x", NULL, 0);
    weft__log_event(NULL, WEFT_LOG_ERROR, "x", NULL, 0);
}

static void values_cannot_forge_lines_or_fields(void **state)
{
    /* U+202E, byte by byte: compilers warn of it in a string. */
    static const char right_to_left[] = {(char)0xe2, (char)0x80, (char)0xae, 0};
    static const struct {
        const char *value;
        const char *text;
    } cases[] = {
        {"a\nb", "\"a\\nb\""},
        {"a b=c", "\"a b=c\""},
        {"a=b", "\"a=b\""},
        {"\"", "\"\\\"\""},
        {"\\", "\"\\\\\""},
        {"\x1b[31m", "\"\\u001b[31m\""},
        {"\x7f", "\"\\u007f\""},
        {"\r\t", "\"\\u000d\\u0009\""},
        {"\xc2\x9b", "\"\\u009b\""},
        {"\xe2\x80\xa8", "\"\\u2028\""},
        {right_to_left, "\"\\u202e\""},
        {"\xff", "\"\xef\xbf\xbd\""},
        {"a\xe2\x80", "\"a\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\xc3\xa9", "\"\xc3\xa9\""},
        {"{}", "\"{}\""},
        {"[::1]:80", "[::1]:80"},
    };
    struct sink sink;
    (void)state;
    for (size_t i = 0; i < WEFT_ARRAY_LEN(cases); i++) {
        char expected[128];
        snprintf(expected, sizeof(expected), "info e s=%s", cases[i].text);
        const char *line = line_with(&sink, WEFT_LOG_TEXT, cases[i].value, strlen(cases[i].value));
        assert_string_equal(line, expected);
        line_with(&sink, WEFT_LOG_JSON, cases[i].value, strlen(cases[i].value));
        check_json(&sink);
    }
    assert_string_equal(line_with(&sink, WEFT_LOG_TEXT, "a\0b", 3), "info e s=\"a\\u0000b\"");
}

/* Whatever the bytes: one line of valid UTF-8 without controls, and valid JSON. */
static void any_bytes_give_one_sound_line(void **state)
{
    struct test_random random;
    struct sink sink;
    uint8_t bytes[1200];
    (void)state;
    test_random_init(&random, "log_test");
    for (int i = 0; i < 20000; i++) {
        size_t len = test_random_below(&random, i % 10 ? 40 : sizeof(bytes));
        for (size_t j = 0; j < len; j++)
            bytes[j] = (uint8_t)test_random_below(&random, 256);
        const char *line = line_with(&sink, WEFT_LOG_JSON, bytes, len);
        check_json(&sink);
        for (int text = 0; text < 2; text++) {
            assert_true(weft__utf8_valid((const uint8_t *)line, strlen(line)));
            for (const char *at = line; *at; at++)
                assert_true((unsigned char)*at >= 0x20 && *at != 0x7f);
            line = line_with(&sink, WEFT_LOG_TEXT, bytes, len);
        }
    }
}

static void long_values_are_cut_at_a_character(void **state)
{
    struct sink sink;
    char text[1503];
    (void)state;
    for (size_t shift = 0; shift < 3; shift++) {
        memset(text, 'x', 3);
        for (size_t i = shift; i + 3 <= sizeof(text); i += 3)
            memcpy(text + i, "\xe2\x82\xac", 3);
        const char *line = line_with(&sink, WEFT_LOG_TEXT, text, 1500);
        assert_in_range(strlen(line), WEFT_LOG_STRING_MAX, WEFT_LOG_STRING_MAX + 20);
        assert_true(weft__utf8_valid((const uint8_t *)line, strlen(line)));
        assert_non_null(strstr(line, "...\""));
    }
}

static void fields_that_do_not_fit_are_left_out_and_it_is_said(void **state)
{
    struct sink sink;
    char control[WEFT_LOG_STRING_MAX];
    (void)state;
    memset(control, 1, sizeof(control)); /* six bytes each, escaped */
    for (int json = 0; json < 2; json++) {
        sink_init(&sink, json ? WEFT_LOG_JSON : WEFT_LOG_TEXT);
        WEFT_LOG(&sink.log, WEFT_LOG_INFO, "e", weft__log_str("a", "first"),
                 weft__log_slice("b", weft__slice(control, sizeof(control))),
                 weft__log_str("c", "last"));
        assert_string_equal(sink.line, json ? "{\"level\":\"info\",\"event\":\"e\",\"a\":\"first\","
                                              "\"c\":\"last\",\"truncated\":true}"
                                            : "info e a=first c=last truncated=true");
    }
    /* Up to the last byte of a line. */
    for (size_t len = 200; len < WEFT_LOG_STRING_MAX; len++) {
        struct weft_slice value = weft__slice(control, len);
        memset(control, 'x', sizeof(control));
        sink_init(&sink, WEFT_LOG_JSON);
        WEFT_LOG(&sink.log, WEFT_LOG_INFO, "e", weft__log_slice("a", value),
                 weft__log_slice("b", value), weft__log_slice("c", value),
                 weft__log_slice("d", value), weft__log_slice("f", value));
        check_json(&sink);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_written_in_both_formats),
        cmocka_unit_test(dates_are_right),
        cmocka_unit_test(lines_above_the_level_are_dropped),
        cmocka_unit_test(without_a_sink_nothing_happens),
        cmocka_unit_test(values_cannot_forge_lines_or_fields),
        cmocka_unit_test(any_bytes_give_one_sound_line),
        cmocka_unit_test(long_values_are_cut_at_a_character),
        cmocka_unit_test(fields_that_do_not_fit_are_left_out_and_it_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
