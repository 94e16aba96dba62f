/* SPDX-License-Identifier: Apache-2.0 */
/* Objects read into the places of their members: what comes there is what a parsed tree says, and
 * what a parser refuses never comes there. */
#include "lib/test.h"

#include "codec/json.h"
#include "lib/fault_alloc.h"
#include "lib/random.h"

#include <stdio.h>

static const char *const names[] = {"id", "method", "params", "a", ""};
enum { NAMES = 5 };

struct places {
    const struct weft_json *values[NAMES];
};

static const struct weft_json **place_of(void *ctx, struct weft_slice name)
{
    struct places *places = ctx;
    for (size_t i = 0; i < NAMES; i++)
        if (weft__slice_eq_str(name, names[i]))
            return &places->values[i];
    return NULL;
}

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

static bool read_members(struct weft_slice text, struct places *places)
{
    static const struct weft_json_options options = {.hash_key = {1, 2}};
    *places = (struct places){0};
    return weft__json_parse_members(text, &arena, &options, place_of, places);
}

static void assert_same_tree(const struct weft_json *a, const struct weft_json *b)
{
    assert_int_equal(a->span, b->span);
    for (uint32_t i = 0; i < a->span; i++) {
        int64_t integer_a, integer_b;
        assert_int_equal(a[i].type, b[i].type);
        assert_int_equal(a[i].flags, b[i].flags);
        assert_int_equal(a[i].count, b[i].count);
        assert_true(weft__slice_eq(weft__json_raw(a + i), weft__json_raw(b + i)));
        assert_true(weft__slice_eq(weft__json_string(a + i), weft__json_string(b + i)));
        assert_int_equal(weft__json_i64(a + i, &integer_a), weft__json_i64(b + i, &integer_b));
    }
}

/* Whatever is read must be what the parser reads. Returns whether it was. */
static bool read_as_parsed(struct weft_slice text)
{
    static const struct weft_json_options options = {.hash_key = {1, 2}};
    struct places places;
    const struct weft_json *object;
    if (!read_members(text, &places))
        return false;
    assert_int_equal(weft__json_parse(text, &arena, &options, NULL, &object), 0);
    size_t count = 0;
    for (size_t i = 0; i < NAMES; i++) {
        const struct weft_json *value = weft__json_get(object, names[i]);
        assert_int_equal(!value, !places.values[i]);
        if (value)
            assert_same_tree(value, places.values[i]);
        count += value != NULL;
    }
    assert_int_equal(count, weft__json_count(object));
    return true;
}

static void members_come_into_their_places(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"id\":1}",
        "{\"method\":\"x\",\"id\":-12,\"params\":[1,2,{\"a\":null}]}",
        "{\"id\":\"\\u00e4\\n\",\"method\":\"long enough to be compared in several parts\"}",
        "{\"a\":true,\"id\":false,\"method\":null,\"params\":{},\"\":[]}",
        "{\"id\":123456789012345678901234567890,\"a\":1.5e3}",
        "{ \"id\" : 1 , \"a\" : \"b\" }",
        "{\"a\":\"\xc3\xa4\"}",
    };
    for (size_t i = 0; i < WEFT_ARRAY_LEN(texts); i++)
        if (!read_as_parsed(weft__slice_str(texts[i])))
            fail_msg("not read: %s", texts[i]);
}

static void what_is_not_so_simple_is_left_to_the_parser(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "{",
        "}",
        "{}",
        "[]",
        "{\"id\"}",
        "{\"id\":}",
        "{\"id\":1",
        "{\"id\":1,}",
        "{\"id\":1 \"a\":2}",
        "{\"id\":1}}",
        "{\"id\":1} ",
        "{\"id\":[1}",
        "{\"id\":{}",
        "{\"id\":01}",
        "{\"id\":\"x}",
        "{\"id\":1,\"id\":1}",
        "{\"other\":1}",
        "{\"i\\u0064\":1}",
        "{\"id\":\"\xc3\"}",
        "{\"id\":\"\x01\"}",
        "{\"id\":nul}",
        "{\"params\":{\"x\":1,\"x\":2}}",
    };
    struct places places;
    for (size_t i = 0; i < WEFT_ARRAY_LEN(texts); i++)
        if (read_members(weft__slice_str(texts[i]), &places))
            fail_msg("read: %s", texts[i]);
}

static void limits_are_those_of_the_whole_text(void **state)
{
    (void)state;
    const char *text = "{\"a\":[[1]],\"id\":2}"; /* three deep, with seven values and keys */
    struct weft_json_options options = {.max_depth = 3, .max_values = 7};
    struct places places = {0};
    const struct weft_json *value;
    struct weft_slice slice = weft__slice_str(text);
    assert_true(weft__json_parse_members(slice, &arena, &options, place_of, &places));
    assert_int_equal(weft__json_parse(slice, &arena, &options, NULL, &value), 0);
    for (uint32_t depth = 1; depth < 3; depth++) {
        options.max_depth = depth;
        places = (struct places){0};
        assert_false(weft__json_parse_members(slice, &arena, &options, place_of, &places));
    }
    options.max_depth = 3;
    for (uint32_t values = 1; values < 7; values++) {
        options.max_values = values;
        places = (struct places){0};
        assert_false(weft__json_parse_members(slice, &arena, &options, place_of, &places));
        assert_int_equal(weft__json_parse(slice, &arena, &options, NULL, &value), WEFT_ERR_TOO_BIG);
    }
}

/* One piece after the other, and some bytes changed: texts that are nearly right. */
static void random_texts_are_read_as_parsed_or_not_at_all(void **state)
{
    (void)state;
    static const char *const pieces[] = {"{",
                                         "}",
                                         "[",
                                         "]",
                                         ",",
                                         ":",
                                         "\"id\":",
                                         "\"a\":",
                                         "\"id\":1",
                                         "1",
                                         "-0",
                                         "1.5",
                                         "\"x\"",
                                         " ",
                                         "null",
                                         "\"params\":{",
                                         "\"method\"",
                                         "\\u00",
                                         "\"a\":",
                                         "\"b\\\"c\"",
                                         "\"\xc3\xa4\"",
                                         "99999999999999999999"};
    struct test_random rng;
    size_t read = 0;
    test_random_init(&rng, "json members");
    for (int round = 0; round < 20000; round++) {
        char text[256] = "{";
        size_t len = 1;
        for (size_t n = test_random_size(&rng, 1, 8); n > 0; n--) {
            const char *piece = pieces[test_random_below(&rng, WEFT_ARRAY_LEN(pieces))];
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s", piece);
        }
        len += (size_t)snprintf(text + len, sizeof(text) - len, "}");
        /* Memory of its own: nothing may be read behind it. */
        uint8_t *copy = malloc(len);
        assert_non_null(copy);
        memcpy(copy, text, len);
        read += read_as_parsed(weft__slice(copy, len));
        free(copy);
        weft__arena_reset(&arena);
    }
    assert_true(read > 20);
}

static int read_with(const struct weft_alloc *alloc, void *ctx)
{
    (void)ctx;
    static const struct weft_json_options options = {.max_depth = 0};
    struct weft_arena own;
    struct places places = {0};
    struct weft_slice text = WEFT_SLICE_LIT("{\"id\":1,\"params\":[1,2,3]}");
    weft__arena_init(&own, alloc, SIZE_MAX);
    bool ok = weft__json_parse_members(text, &own, &options, place_of, &places);
    weft__arena_done(&own);
    return ok ? 0 : WEFT_ERR_NOMEM;
}

static void without_memory_nothing_is_read(void **state)
{
    (void)state;
    test_each_alloc_failure(read_with, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(members_come_into_their_places, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_so_simple_is_left_to_the_parser, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(limits_are_those_of_the_whole_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(random_texts_are_read_as_parsed_or_not_at_all, set_up,
                                        tear_down),
        cmocka_unit_test(without_memory_nothing_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
