/* SPDX-License-Identifier: Apache-2.0 */
/* What parsed values say: numbers, strings, lookup, sources, copies. */
#include "lib/test.h"

#include "base/utf8.h"
#include "codec/json.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

static struct weft_arena arena;

static int set_up(void **state)
{
    (void)state;
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    weft__arena_done(&arena);
    return 0;
}

/* |text| must live as long as the value. */
static const struct weft_json *parse(const char *text)
{
    const struct weft_json *value = NULL;
    struct weft_json_error error;
    int err = weft__json_parse(weft__slice_str(text), &arena, NULL, &error, &value);
    if (err)
        fail_msg("%s: %s", text, error.message);
    return value;
}

static void assert_integer(const char *text, int64_t want)
{
    int64_t got;
    if (!weft__json_i64(parse(text), &got))
        fail_msg("%s is no integer", text);
    assert_int_equal(got, want);
}

static void assert_no_integer(const char *text)
{
    int64_t got;
    if (weft__json_i64(parse(text), &got))
        fail_msg("%s is an integer", text);
}

static void whole_numbers_are_integers_in_any_spelling(void **state)
{
    (void)state;
    assert_integer("0", 0);
    assert_integer("-0", 0);
    assert_integer("1.0", 1);
    assert_integer("1e2", 100);
    assert_integer("120.50e3", 120500);
    assert_integer("-70e-1", -7);
    assert_integer("0e99999999999999999999", 0);
    assert_integer("0.000000000000000000000000000001e30", 1);
    assert_integer("100000000000000000000000000000000e-32", 1);
    assert_integer("123456789012345678", 123456789012345678);
    assert_integer("9223372036854775807", INT64_MAX);
    assert_integer("-9223372036854775808", INT64_MIN);
    assert_integer("9.223372036854775807e18", INT64_MAX);
    assert_integer("9223372036854775807.000", INT64_MAX);
    assert_no_integer("9223372036854775808");
    assert_no_integer("-9223372036854775809");
    assert_no_integer("18446744073709551616");
    assert_no_integer("1e19");
    assert_no_integer("1e300");
    assert_no_integer("0.5");
    assert_no_integer("1e-1");
    assert_no_integer("1e-999999999999");
    assert_no_integer("9007199254740993.5");
}

static void assert_double(const char *text, double want)
{
    double got;
    assert_true(weft__json_double(parse(text), &got));
    if (memcmp(&got, &want, sizeof(got)) != 0)
        fail_msg("%s gave %.17g, not %.17g", text, got, want);
}

static void short_integers_are_spelled_with_digits_alone(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
    } cases[] = {{"0", 0},
                 {"-0", 0},
                 {"-12", -12},
                 {" 7 ", 7},
                 {"999999999999999999", 999999999999999999},
                 {"-999999999999999999", -999999999999999999}};
    static const char *const others[] = {"7.0", "1e2", "70e-1", "1000000000000000000", "\"7\""};
    int64_t got;
    for (size_t i = 0; i < WEFT_ARRAY_LEN(cases); i++) {
        char array[64];
        snprintf(array, sizeof(array), "[%s,1]", cases[i].text);
        assert_true(weft__json_short_integer(parse(array) + 1, &got));
        assert_int_equal(got, cases[i].value);
        assert_true(weft__json_short_integer(parse(cases[i].text), &got));
        assert_int_equal(got, cases[i].value);
    }
    for (size_t i = 0; i < WEFT_ARRAY_LEN(others); i++)
        assert_false(weft__json_short_integer(parse(others[i]), &got));
}

static void doubles_are_the_nearest_ones(void **state)
{
    (void)state;
    assert_double("0", 0.0);
    assert_double("-0", -0.0);
    assert_double("-0.0", -0.0);
    assert_double("0.1", 0.1);
    assert_double("-2.5e3", -2500.0);
    assert_double("1e22", 1e22);
    assert_double("1e23", 1e23);
    assert_double("9007199254740993", 9007199254740992.0);
    assert_double("9007199254740993.0000000000000000000000000000000001", 9007199254740994.0);
    assert_double("18446744073709551615", 18446744073709551616.0);
    assert_double("1.7976931348623157e308", DBL_MAX);
    assert_double("1.797693134862315807e308", DBL_MAX);
    assert_double("2.2250738585072011e-308", 2.2250738585072011e-308);
    assert_double("5e-324", 5e-324);
    assert_double("2e-324", 0.0);
    assert_double("1e-400", 0.0);
    assert_double("-1e-999999999999", -0.0);
}

static void digits_past_any_buffer_still_decide_a_tie(void **state)
{
    (void)state;
    char text[4096];
    /* 1 + 2^-53 lies half way; a 1 far behind it rounds up. */
    static const char half[] = "1.00000000000000011102230246251565404236316680908203125";
    assert_double(half, 1.0);
    strcpy(text, half);
    memset(text + strlen(half), '0', 2000);
    strcpy(text + strlen(half) + 2000, "1");
    assert_double(text, 1.0 + DBL_EPSILON);
    strcpy(text + strlen(half) + 2000, "0");
    assert_double(text, 1.0);
}

static void random_doubles_read_back(void **state)
{
    (void)state;
    struct test_random rng;
    test_random_init(&rng, "json doubles");
    for (int i = 0; i < 20000; ++i) {
        uint64_t bits = test_random_u64(&rng);
        double want;
        memcpy(&want, &bits, sizeof(want));
        if (!isfinite(want))
            continue;
        char text[64];
        snprintf(text, sizeof(text), "%.17g", want);
        assert_double(text, want);
        weft__arena_reset(&arena);
    }
}

static void u53_takes_numbers_and_digits_up_to_its_bound(void **state)
{
    (void)state;
    uint64_t got;
    assert_true(weft__json_u53(parse("9007199254740991"), &got));
    assert_true(got == 9007199254740991u);
    assert_true(weft__json_u53(parse("\"9007199254740991\""), &got));
    assert_true(got == 9007199254740991u);
    assert_true(weft__json_u53(parse("\"0\""), &got));
    assert_true(got == 0);
    static const char *const refused[] = {"9007199254740992",
                                          "-1",
                                          "1.5",
                                          "\"9007199254740992\"",
                                          "\"\"",
                                          "\"01\"",
                                          "\"-1\"",
                                          "\"1 \"",
                                          "\"1.0\"",
                                          "null",
                                          "\"99999999999999999999999999\"",
                                          "[1]"};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(refused); ++i)
        assert_false(weft__json_u53(parse(refused[i]), &got));
}

static void assert_string(const char *text, const char *want, size_t len)
{
    struct weft_slice got = weft__json_string(parse(text));
    assert_bytes(got.ptr, got.len, want, len);
    assert_true(weft__utf8_valid(got.ptr, got.len));
}

#define ASSERT_STRING(text, want) assert_string(text, want, sizeof(want) - 1)

static void strings_are_decoded(void **state)
{
    (void)state;
    ASSERT_STRING("\"\"", "");
    ASSERT_STRING("\"plain\"", "plain");
    ASSERT_STRING("\"a\\\"b\\\\c\\/d\\b\\f\\n\\r\\t\"", "a\"b\\c/d\b\f\n\r\t");
    ASSERT_STRING("\"\\u0000x\\u001F\"", "\0x\x1f");
    ASSERT_STRING("\"\\u00e9\\u20AC\\ud83d\\uDE00\"", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    ASSERT_STRING("\"\xf0\x9f\x98\x80 1234567 \\n\"", "\xf0\x9f\x98\x80 1234567 \n");
    ASSERT_STRING("\"\\uffff\\udbff\\udfff\"", "\xef\xbf\xbf\xf4\x8f\xbf\xbf");
}

static void quotes_and_escapes_are_found_at_any_offset(void **state)
{
    (void)state;
    for (size_t before = 0; before < 20; ++before) {
        for (size_t after = 0; after < 20; ++after) {
            char text[64], want[64];
            snprintf(text, sizeof(text), "\"%.*s\\n%.*s\"", (int)before, "abcdefghijklmnopqrst",
                     (int)after, "ABCDEFGHIJKLMNOPQRST");
            snprintf(want, sizeof(want), "%.*s\n%.*s", (int)before, "abcdefghijklmnopqrst",
                     (int)after, "ABCDEFGHIJKLMNOPQRST");
            assert_string(text, want, strlen(want));
        }
    }
}

static const char object_text[] =
    " {\"a\":[1,[2,3],{\"x\":null}], \"b\" : \"s\\n\",\"c\":{\"d\":true},\"e\":false} ";

static void members_and_elements_are_found(void **state)
{
    (void)state;
    const struct weft_json *object = parse(object_text);
    bool flag = true;
    assert_int_equal(weft__json_count(object), 4);
    assert_int_equal(weft__json_count(weft__json_get(object, "a")), 3);
    assert_true(weft__json_is(weft__json_at(weft__json_get(object, "a"), 2), WEFT_JSON_OBJECT));
    assert_null(weft__json_at(weft__json_get(object, "a"), 3));
    assert_true(weft__json_string_is(weft__json_get(object, "b"), "s\n"));
    assert_true(weft__json_bool(weft__json_get(object, "e"), &flag) && !flag);
    assert_true(weft__json_bool(weft__json_get(weft__json_get(object, "c"), "d"), &flag) && flag);
    assert_null(weft__json_get(object, "x"));
    assert_null(weft__json_get(weft__json_get(object, "a"), "x"));
    assert_null(weft__json_get(NULL, "x"));
    assert_null(weft__json_at(object, 0));
    assert_int_equal(weft__json_count(weft__json_get(object, "b")), 0);
}

static void every_value_keeps_its_source(void **state)
{
    (void)state;
    const struct weft_json *object = parse(object_text);
    static const char *const want[] = {"[1,[2,3],{\"x\":null}]", "\"s\\n\"", "{\"d\":true}",
                                       "false"};
    size_t at = 0;
    WEFT_JSON_EACH_KEY (key, object) {
        struct weft_slice raw = weft__json_raw(weft__json_member(key));
        assert_bytes(raw.ptr, raw.len, want[at], strlen(want[at]));
        ++at;
    }
    assert_int_equal(at, 4);
    struct weft_slice whole = weft__json_raw(object);
    assert_bytes(whole.ptr, whole.len, object_text + 1, strlen(object_text) - 2);
    struct weft_slice deep = weft__json_raw(weft__json_at(weft__json_get(object, "a"), 1));
    assert_bytes(deep.ptr, deep.len, "[2,3]", 5);
}

static void a_copy_stands_alone(void **state)
{
    (void)state;
    char *text = strdup(object_text);
    const struct weft_json *object = parse(text);
    static const char *const members[] = {"a", "b", "c", "e", NULL};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(members); ++i) {
        const struct weft_json *value = members[i] ? weft__json_get(object, members[i]) : object;
        void *memory = malloc(weft__json_copy_size(value));
        assert_non_null(memory);
        const struct weft_json *copy = weft__json_copy(value, memory);
        struct weft_slice raw = weft__json_raw(value), raw_copy = weft__json_raw(copy);
        assert_bytes(raw_copy.ptr, raw_copy.len, raw.ptr, raw.len);
        assert_true(raw_copy.ptr != raw.ptr);
        free(memory);
    }
    void *memory = malloc(weft__json_copy_size(object));
    assert_non_null(memory);
    const struct weft_json *copy = weft__json_copy(object, memory);
    memset(text, 'x', strlen(text));
    free(text);
    weft__arena_reset(&arena);
    assert_true(weft__json_string_is(weft__json_get(copy, "b"), "s\n"));
    int64_t two;
    assert_true(
        weft__json_i64(weft__json_at(weft__json_at(weft__json_get(copy, "a"), 1), 0), &two));
    assert_int_equal(two, 2);
    free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whole_numbers_are_integers_in_any_spelling, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(short_integers_are_spelled_with_digits_alone, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(doubles_are_the_nearest_ones, set_up, tear_down),
        cmocka_unit_test_setup_teardown(digits_past_any_buffer_still_decide_a_tie, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(random_doubles_read_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(u53_takes_numbers_and_digits_up_to_its_bound, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(strings_are_decoded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(quotes_and_escapes_are_found_at_any_offset, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(members_and_elements_are_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_value_keeps_its_source, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_copy_stands_alone, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
