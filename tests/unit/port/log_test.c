/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines: levels, the cut, and that what peers sent cannot forge lines. */
#include "lib/test.h"

#include "port/log.h"

struct sink {
    struct weft_log log;
    char line[2000];
    enum weft_log_level level;
    int count;
};

static void take(void *ctx, enum weft_log_level level, const char *msg)
{
    struct sink *sink = ctx;
    snprintf(sink->line, sizeof(sink->line), "%s", msg);
    sink->level = level;
    sink->count++;
}

static void sink_init(struct sink *sink, enum weft_log_level level)
{
    memset(sink, 0, sizeof(*sink));
    sink->log = (struct weft_log){take, sink, level};
}

static void line_arrives_formatted_with_its_level(void **state)
{
    struct sink sink;
    (void)state;
    sink_init(&sink, WEFT_LOG_DEBUG);
    weft__log(&sink.log, WEFT_LOG_WARN, "%d %s", 42, "things");
    assert_string_equal(sink.line, "42 things");
    assert_int_equal(sink.level, WEFT_LOG_WARN);
    weft__log(&sink.log, WEFT_LOG_INFO, "%s", "");
    assert_string_equal(sink.line, "");
    assert_int_equal(sink.count, 2);
}

static void lines_above_the_level_are_dropped(void **state)
{
    (void)state;
    for (int limit = WEFT_LOG_ERROR; limit <= WEFT_LOG_DEBUG; limit++)
        for (int level = WEFT_LOG_ERROR; level <= WEFT_LOG_DEBUG; level++) {
            struct sink sink;
            sink_init(&sink, (enum weft_log_level)limit);
            weft__log(&sink.log, (enum weft_log_level)level, "x");
            assert_int_equal(sink.count, level <= limit);
        }
}

static void without_a_sink_nothing_happens(void **state)
{
    const struct weft_log log = {.level = WEFT_LOG_DEBUG};
    (void)state;
    weft__log(NULL, WEFT_LOG_ERROR, "x");
    weft__log(&log, WEFT_LOG_ERROR, "x");
}

static void control_characters_cannot_forge_lines(void **state)
{
    struct sink sink;
    char all[256];
    (void)state;
    for (int i = 1; i < 256; i++)
        all[i - 1] = (char)i;
    all[255] = '\0';
    sink_init(&sink, WEFT_LOG_DEBUG);
    weft__log(&sink.log, WEFT_LOG_INFO, "%s", all);
    assert_int_equal(strlen(sink.line), 255);
    for (int i = 1; i < 256; i++)
        assert_int_equal(sink.line[i - 1], i < 0x20 || i == 0x7f ? '?' : (char)i);
}

/* ECMA-48, 8.3.16: CSI is also U+009B, which UTF-8 writes as two bytes above 0x7f. */
static void eight_bit_control_characters_cannot_forge_sequences(void **state)
{
    struct sink sink;
    (void)state;
    sink_init(&sink, WEFT_LOG_DEBUG);
    weft__log(&sink.log, WEFT_LOG_INFO, "%s",
              "a\xc2\x9b"
              "31mb\xc2\x85"
              "c\xc2\xa0"
              "d\xc3\x9b");
    assert_string_equal(sink.line, "a??31mb??c\xc2\xa0"
                                   "d\xc3\x9b");
}

static void long_line_is_cut(void **state)
{
    struct sink sink;
    char text[1500];
    (void)state;
    memset(text, 'x', sizeof(text));
    sink_init(&sink, WEFT_LOG_DEBUG);
    for (int len = 990; len < 1010; len++) {
        weft__log(&sink.log, WEFT_LOG_INFO, "%.*s", len, text);
        assert_in_range(strlen(sink.line), 990, 1000);
    }
}

/* U+20AC is three bytes. */
static void cut_never_splits_a_character(void **state)
{
    struct sink sink;
    char text[1204];
    (void)state;
    for (size_t i = 0; i < 1200; i += 3)
        memcpy(text + i, "\xe2\x82\xac", 3);
    text[1200] = '\0';
    sink_init(&sink, WEFT_LOG_DEBUG);
    for (int shift = 0; shift < 3; shift++) {
        weft__log(&sink.log, WEFT_LOG_INFO, "%.*s%s", shift, "xx", text);
        size_t len = strlen(sink.line);
        assert_in_range(len, 990, 1000);
        assert_int_equal((len - (size_t)shift) % 3, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(line_arrives_formatted_with_its_level),
        cmocka_unit_test(lines_above_the_level_are_dropped),
        cmocka_unit_test(without_a_sink_nothing_happens),
        cmocka_unit_test(control_characters_cannot_forge_lines),
        cmocka_unit_test(eight_bit_control_characters_cannot_forge_sequences),
        cmocka_unit_test(long_line_is_cut),
        cmocka_unit_test(cut_never_splits_a_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
