/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON writer: commas, escapes, numbers, sticky errors, and the way back through the parser. */
#include "lib/test.h"

#include "codec/json.h"

#include <float.h>
#include <math.h>

static struct weft_bytes out;
static struct weft_json_writer w;

static int set_up(void **state)
{
    (void)state;
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    weft__json_writer_init(&w, &out);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    weft__bytes_done(&out);
    return 0;
}

static void assert_written(const char *want)
{
    assert_ok(weft__bytes_error(&out));
    assert_bytes(out.ptr, out.len, want, strlen(want));
    weft__bytes_clear(&out);
    weft__json_writer_init(&w, &out);
}

static void commas_and_brackets_are_placed(void **state)
{
    (void)state;
    weft__json_begin_object(&w);
    weft__json_key(&w, "a");
    weft__json_begin_array(&w);
    weft__json_put_i64(&w, -1);
    weft__json_begin_object(&w);
    weft__json_end_object(&w);
    weft__json_begin_array(&w);
    weft__json_end_array(&w);
    weft__json_put_null(&w);
    weft__json_end_array(&w);
    weft__json_key(&w, "b");
    weft__json_put_bool(&w, true);
    weft__json_key(&w, "c");
    weft__json_put_raw(&w, WEFT_SLICE_LIT("{\"x\": 1}"));
    weft__json_key(&w, "");
    weft__json_put_u64(&w, UINT64_MAX);
    weft__json_end_object(&w);
    assert_written("{\"a\":[-1,{},[],null],\"b\":true,\"c\":{\"x\": 1},\"\":18446744073709551615}");
}

static void the_deepest_level_is_written(void **state)
{
    (void)state;
    char want[2 * WEFT_JSON_WRITER_DEPTH + 4] = "";
    for (int i = 0; i < WEFT_JSON_WRITER_DEPTH; ++i) {
        weft__json_begin_array(&w);
        strcat(want, "[");
    }
    weft__json_put_i64(&w, 1);
    weft__json_put_i64(&w, 2);
    strcat(want, "1,2");
    for (int i = 0; i < WEFT_JSON_WRITER_DEPTH; ++i) {
        weft__json_end_array(&w);
        strcat(want, "]");
    }
    assert_written(want);
}

static void strings_are_escaped(void **state)
{
    (void)state;
    weft__json_put_string(&w, WEFT_SLICE_LIT("a\"b\\c/\b\f\n\r\t\x01\x1f\0\x7f"));
    assert_written("\"a\\\"b\\\\c/\\b\\f\\n\\r\\t\\u0001\\u001f\\u0000\x7f\"");
    weft__json_put_str(&w, "\xc3\xa9\xf0\x9f\x98\x80\xe2\x80\xa8");
    assert_written("\"\xc3\xa9\xf0\x9f\x98\x80\xe2\x80\xa8\"");
    weft__json_put_string(&w, (struct weft_slice){NULL, 0});
    assert_written("\"\"");
}

static void text_that_is_not_utf8_is_a_sticky_error(void **state)
{
    (void)state;
    weft__json_begin_object(&w);
    weft__json_key(&w, "a");
    weft__json_put_str(&w, "\xff");
    weft__json_end_object(&w);
    assert_err(weft__bytes_error(&out), WEFT_ERR_UTF8);
    weft__bytes_clear(&out);
    weft__json_writer_init(&w, &out);
    weft__json_begin_object(&w);
    weft__json_key(&w, "\xc3");
    weft__json_put_null(&w);
    weft__json_end_object(&w);
    assert_err(weft__bytes_error(&out), WEFT_ERR_UTF8);
}

static void what_is_no_number_is_a_sticky_error(void **state)
{
    (void)state;
    static const double values[] = {(double)NAN, (double)INFINITY, -(double)INFINITY};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(values); ++i) {
        weft__bytes_clear(&out);
        weft__json_put_double(&w, values[i]);
        assert_err(weft__bytes_error(&out), WEFT_ERR_USAGE);
    }
}

static void doubles_are_short_and_laid_out_like_ecmascript(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {{0.0, "0"},
                 {-0.0, "-0"},
                 {1.0, "1"},
                 {-17.0, "-17"},
                 {0.1, "0.1"},
                 {0.1 + 0.2, "0.30000000000000004"},
                 {1.5, "1.5"},
                 {123456.789, "123456.789"},
                 {1e-6, "0.000001"},
                 {1e-7, "1e-7"},
                 {1.25e-7, "1.25e-7"},
                 {9007199254740992.0, "9007199254740992"},
                 {1e20, "100000000000000000000"},
                 {1e21, "1e+21"},
                 {1.5e300, "1.5e+300"},
                 {DBL_MAX, "1.7976931348623157e+308"},
                 {DBL_MIN, "2.2250738585072014e-308"},
                 {5e-324, "5e-324"},
                 {1.0 / 3.0, "0.3333333333333333"}};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(cases); ++i) {
        weft__json_put_double(&w, cases[i].value);
        assert_written(cases[i].text);
    }
}

static void random_doubles_survive_the_round_trip(void **state)
{
    (void)state;
    struct test_random rng;
    struct weft_arena arena;
    test_random_init(&rng, "json writer");
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    for (int i = 0; i < 20000; ++i) {
        uint64_t bits = test_random_u64(&rng);
        double want, got;
        memcpy(&want, &bits, sizeof(want));
        if (!isfinite(want))
            continue;
        const struct weft_json *value;
        weft__bytes_clear(&out);
        weft__json_put_double(&w, want);
        assert_ok(weft__json_parse(weft__bytes_slice(&out), &arena, NULL, NULL, &value));
        assert_true(weft__json_double(value, &got));
        assert_memory_equal(&got, &want, sizeof(got));
        weft__arena_reset(&arena);
    }
    weft__arena_done(&arena);
}

static void random_strings_survive_the_round_trip(void **state)
{
    (void)state;
    struct test_random rng;
    struct weft_arena arena;
    test_random_init(&rng, "json strings");
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    static const char *const units[] = {
        "a", "\"", "\\", "\n", "\x01", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "12345678"};
    for (int i = 0; i < 5000; ++i) {
        char text[256] = "";
        for (size_t n = test_random_size(&rng, 0, 24); n > 0; --n)
            strcat(text, units[test_random_size(&rng, 0, WEFT_ARRAY_LEN(units) - 1)]);
        const struct weft_json *value;
        weft__bytes_clear(&out);
        weft__json_put_str(&w, text);
        assert_ok(weft__json_parse(weft__bytes_slice(&out), &arena, NULL, NULL, &value));
        assert_true(weft__json_string_is(value, text));
        weft__arena_reset(&arena);
    }
    weft__arena_done(&arena);
}

static int write_much(const struct weft_alloc *alloc, void *ctx)
{
    (void)ctx;
    struct weft_bytes bytes;
    struct weft_json_writer writer;
    weft__bytes_init(&bytes, alloc, SIZE_MAX);
    weft__json_writer_init(&writer, &bytes);
    weft__json_begin_array(&writer);
    for (int i = 0; i < 200; ++i)
        weft__json_put_str(&writer, "some text");
    weft__json_end_array(&writer);
    int err = weft__bytes_error(&bytes);
    weft__bytes_done(&bytes);
    return err;
}

static void out_of_memory_is_a_sticky_error(void **state)
{
    (void)state;
    assert_true(test_each_alloc_failure(write_much, NULL) > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(commas_and_brackets_are_placed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_deepest_level_is_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(strings_are_escaped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(text_that_is_not_utf8_is_a_sticky_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_number_is_a_sticky_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(doubles_are_short_and_laid_out_like_ecmascript, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(random_doubles_survive_the_round_trip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(random_strings_survive_the_round_trip, set_up, tear_down),
        cmocka_unit_test(out_of_memory_is_a_sticky_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
