/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON parser: JSONTestSuite, the settings, the faults it names, hostile input. */
#include "lib/test.h"

#include "codec/json.h"

/* One text, copied to a block of its exact size, and what came of it. */
struct parsed {
    struct weft_arena arena;
    uint8_t *text;
    size_t len;
    int err;
    struct weft_json_error error;
    const struct weft_json *value;
};

static void parse_bytes(struct parsed *p, const void *text, size_t len,
                        const struct weft_json_options *options)
{
    weft__arena_init(&p->arena, weft_alloc_default(), SIZE_MAX);
    p->text = malloc(len ? len : 1);
    assert_non_null(p->text);
    weft__mem_copy(p->text, text, len);
    p->len = len;
    p->value = NULL;
    p->err = weft__json_parse(weft__slice(p->text, len), &p->arena, options, &p->error, &p->value);
}

static void parsed_done(struct parsed *p)
{
    weft__arena_done(&p->arena);
    free(p->text);
}

/* Parses a literal and requires that it is refused for |fault| at |offset|. */
static void assert_fault(const char *text, const struct weft_json_options *options,
                         enum weft_json_fault fault, size_t offset)
{
    struct parsed p;
    parse_bytes(&p, text, strlen(text), options);
    if (p.err == 0 || p.error.fault != fault || p.error.offset != offset)
        fail_msg("%s: err %d, fault %d at %zu (%s)", text, p.err, (int)p.error.fault,
                 p.error.offset, p.error.message ? p.error.message : "");
    assert_non_null(p.error.message);
    parsed_done(&p);
}

/* ---- the suite ---- */

static void judge_suite_file(const char *name, const char *data, size_t len, void *ctx)
{
    (void)ctx;
    struct weft_json_options options = {.allow_duplicate_keys = true};
    struct parsed p;
    parse_bytes(&p, data, len, &options);
    if (name[0] == 'y' && p.err)
        fail_msg("%s was refused: %s", name, p.error.message);
    if (name[0] == 'n' && !p.err)
        fail_msg("%s was accepted", name);
    parsed_done(&p);
}

static void suite_valid_texts_are_accepted(void **state)
{
    (void)state;
    assert_int_equal(test_file_each("vectors/json", "y_", judge_suite_file, NULL), 95);
}

static void suite_invalid_texts_are_refused(void **state)
{
    (void)state;
    assert_int_equal(test_file_each("vectors/json", "n_", judge_suite_file, NULL), 186);
}

static void suite_undefined_texts_do_no_harm(void **state)
{
    (void)state;
    assert_int_equal(test_file_each("vectors/json", "i_", judge_suite_file, NULL), 35);
}

static char *repeat(const char *unit, size_t times, size_t *ret_len)
{
    size_t len = strlen(unit);
    char *text = malloc(len * times + 1);
    assert_non_null(text);
    for (size_t i = 0; i < times; ++i)
        memcpy(text + i * len, unit, len);
    *ret_len = len * times;
    return text;
}

static void hundred_thousand_brackets_are_refused_at_the_limit(void **state)
{
    (void)state;
    static const char *const units[] = {"[", "[{\"\":"};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(units); ++i) {
        size_t len;
        char *text = repeat(units[i], 100000, &len);
        struct parsed p;
        parse_bytes(&p, text, len, NULL);
        assert_err(p.err, WEFT_ERR_TOO_BIG);
        assert_int_equal(p.error.fault, WEFT_JSON_FAULT_DEPTH);
        assert_true(p.error.offset < 64 * strlen(units[i]) + 1);
        parsed_done(&p);
        free(text);
    }
}

/* ---- settings ---- */

static void nesting_is_allowed_up_to_the_limit(void **state)
{
    (void)state;
    for (uint32_t limit = 1; limit < 200; limit += 7) {
        struct weft_json_options options = {.max_depth = limit};
        size_t len, closing_len;
        char *text = repeat("[", limit + 1, &len);
        char *closing = repeat("]", limit + 1, &closing_len);
        char all[512];
        snprintf(all, sizeof(all), "%.*s%.*s", (int)limit, text, (int)limit, closing);
        struct parsed p;
        parse_bytes(&p, all, strlen(all), &options);
        assert_ok(p.err);
        assert_int_equal(p.value->span, limit);
        parsed_done(&p);
        snprintf(all, sizeof(all), "%.*s%.*s", (int)limit + 1, text, (int)limit + 1, closing);
        assert_fault(all, &options, WEFT_JSON_FAULT_DEPTH, limit);
        free(text);
        free(closing);
    }
}

static void values_are_allowed_up_to_the_limit(void **state)
{
    (void)state;
    struct weft_json_options options = {.max_values = 4};
    struct parsed p;
    parse_bytes(&p, "[1,2,3]", 7, &options);
    assert_ok(p.err);
    parsed_done(&p);
    assert_fault("[1,2,3,4]", &options, WEFT_JSON_FAULT_SIZE, 7);
    assert_fault("{\"a\":1,\"b\":2}", &options, WEFT_JSON_FAULT_SIZE, 11);
}

static void repeated_keys_are_refused_unless_allowed(void **state)
{
    (void)state;
    static const char text[] = "{\"a\":1,\"b\":2,\"\\u0061\":3}";
    assert_fault(text, NULL, WEFT_JSON_FAULT_DUPLICATE, 13);
    assert_fault("{\"x\":{\"\":1,\"\":1}}", NULL, WEFT_JSON_FAULT_DUPLICATE, 11);
    struct weft_json_options options = {.allow_duplicate_keys = true};
    struct parsed p;
    parse_bytes(&p, text, strlen(text), &options);
    assert_ok(p.err);
    int64_t last;
    assert_true(weft__json_i64(weft__json_get(p.value, "a"), &last));
    assert_int_equal(last, 3);
    parsed_done(&p);
}

/* |count| members, of which the one at |repeat_at| has the key of the first. */
static char *object_of(size_t count, size_t repeat_at)
{
    char *text = malloc(count * 16 + 16);
    assert_non_null(text);
    size_t len = 1;
    text[0] = '{';
    for (size_t i = 0; i < count; ++i)
        len += (size_t)sprintf(text + len, "%s\"k%zu\":0", i ? "," : "", i == repeat_at ? 0 : i);
    text[len++] = '}';
    text[len] = '\0';
    return text;
}

static void repeated_keys_are_found_in_objects_of_any_size(void **state)
{
    (void)state;
    static const size_t counts[] = {1, 2, 7, 8, 9, 10, 15, 16, 17, 31, 33, 1000, 50000};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(counts); ++i) {
        struct parsed p;
        char *text = object_of(counts[i], SIZE_MAX);
        parse_bytes(&p, text, strlen(text), NULL);
        assert_ok(p.err);
        assert_int_equal(weft__json_count(p.value), counts[i]);
        parsed_done(&p);
        free(text);
        if (counts[i] < 2)
            continue;
        text = object_of(counts[i], counts[i] - 1);
        parse_bytes(&p, text, strlen(text), NULL);
        assert_err(p.err, WEFT_ERR_JSON);
        assert_int_equal(p.error.fault, WEFT_JSON_FAULT_DUPLICATE);
        parsed_done(&p);
        free(text);
    }
}

/* ---- faults ---- */

static void faults_are_named_and_placed(void **state)
{
    (void)state;
    assert_fault("", NULL, WEFT_JSON_FAULT_TRUNCATED, 0);
    assert_fault("  ", NULL, WEFT_JSON_FAULT_TRUNCATED, 2);
    assert_fault("\xef\xbb\xbf{}", NULL, WEFT_JSON_FAULT_SYNTAX, 0);
    assert_fault("{} x", NULL, WEFT_JSON_FAULT_SYNTAX, 3);
    assert_fault("[1,]", NULL, WEFT_JSON_FAULT_SYNTAX, 3);
    assert_fault("[1 2]", NULL, WEFT_JSON_FAULT_SYNTAX, 3);
    assert_fault("[1}", NULL, WEFT_JSON_FAULT_SYNTAX, 2);
    assert_fault("{\"a\" 1}", NULL, WEFT_JSON_FAULT_SYNTAX, 5);
    assert_fault("{a:1}", NULL, WEFT_JSON_FAULT_SYNTAX, 1);
    assert_fault("{\"a\":1,}", NULL, WEFT_JSON_FAULT_SYNTAX, 7);
    assert_fault("nul", NULL, WEFT_JSON_FAULT_TRUNCATED, 3);
    assert_fault("nulL", NULL, WEFT_JSON_FAULT_SYNTAX, 0);
    assert_fault("\"ab", NULL, WEFT_JSON_FAULT_TRUNCATED, 3);
    assert_fault("\"ab\\", NULL, WEFT_JSON_FAULT_TRUNCATED, 4);
    assert_fault("\"a\tb\"", NULL, WEFT_JSON_FAULT_SYNTAX, 2);
    assert_fault("\"a\\x\"", NULL, WEFT_JSON_FAULT_SYNTAX, 2);
    assert_fault("\"a\\u12g4\"", NULL, WEFT_JSON_FAULT_SYNTAX, 4);
    assert_fault("[\"\xff\"]", NULL, WEFT_JSON_FAULT_UTF8, 1);
    assert_fault("[\"\xed\xa0\x80\"]", NULL, WEFT_JSON_FAULT_UTF8, 1);
    assert_fault("\"\\ud800\"", NULL, WEFT_JSON_FAULT_SURROGATE, 1);
    assert_fault("\"x\\udc00\"", NULL, WEFT_JSON_FAULT_SURROGATE, 2);
    assert_fault("\"\\ud800\\u0041\"", NULL, WEFT_JSON_FAULT_SURROGATE, 1);
    assert_fault("\"\\ud800\\ud800\\udc00\"", NULL, WEFT_JSON_FAULT_SURROGATE, 1);
    assert_fault("[1e400]", NULL, WEFT_JSON_FAULT_NUMBER, 1);
    assert_fault("[-1e400]", NULL, WEFT_JSON_FAULT_NUMBER, 1);
    assert_fault("-", NULL, WEFT_JSON_FAULT_TRUNCATED, 1);
    assert_fault("01", NULL, WEFT_JSON_FAULT_SYNTAX, 0);
    assert_fault("1.", NULL, WEFT_JSON_FAULT_TRUNCATED, 2);
    assert_fault("1.e1", NULL, WEFT_JSON_FAULT_SYNTAX, 2);
    assert_fault("1e+", NULL, WEFT_JSON_FAULT_TRUNCATED, 3);
}

static const char sample[] =
    "{\"jsonrpc\":\"2.0\",\"id\":\"a\\u00e9\\ud83d\\ude00b\",\"method\":\"acme.chat.v1.Chat/Send\","
    "\"params\":{\"room\":\"r1\",\"text\":\"hi \xf0\x9f\x98\x80 \\\"there\\\"\",\"n\":[1,-2.5e3,"
    "12345678901234567890,0.1,true,false,null,[],{},[[1],{\"x\":[]}]]},"
    "\"meta\":{\"timeout_ms\":5000}}  \n";

static void every_prefix_of_a_text_is_truncated(void **state)
{
    (void)state;
    size_t whole = strlen(sample) - 3; /* the white space at the end */
    for (size_t len = 0; len < whole; ++len) {
        struct parsed p;
        parse_bytes(&p, sample, len, NULL);
        assert_true(p.err == WEFT_ERR_JSON || p.err == WEFT_ERR_UTF8);
        assert_int_equal(p.error.fault, WEFT_JSON_FAULT_TRUNCATED);
        assert_int_equal(p.error.offset, len);
        parsed_done(&p);
    }
    for (size_t len = whole; len <= strlen(sample); ++len) {
        struct parsed p;
        parse_bytes(&p, sample, len, NULL);
        assert_ok(p.err);
        parsed_done(&p);
    }
}

/* The spans of a tree must nest exactly, and sources must lie inside their parents'. */
static void check_tree(const struct weft_json *value)
{
    size_t count = 0;
    const struct weft_json *end = value + value->span;
    const struct weft_json *child = value + 1;
    if (value->type < WEFT_JSON_ARRAY) {
        assert_int_equal(value->span, 1);
        return;
    }
    for (; child != end; child = weft__json_next(child), ++count) {
        assert_true(child < end);
        assert_true(child->raw >= value->raw &&
                    child->raw + child->raw_len <= value->raw + value->raw_len);
        const struct weft_json *item = child;
        if (value->type == WEFT_JSON_OBJECT) {
            item = weft__json_member(child);
            assert_int_equal(child->type, WEFT_JSON_STRING);
            assert_int_equal(child->span, item->span + 1);
        }
        check_tree(item);
    }
    assert_int_equal(count, weft__json_count(value));
}

static void mutated_texts_give_a_sound_tree_or_an_error(void **state)
{
    (void)state;
    struct test_random rng;
    test_random_init(&rng, "json mutations");
    static const char bytes[] = "{}[]\",:0123456789.eE+-truefalsnl\\u d8\xf0\x9f\x80\x01";
    for (int i = 0; i < 20000; ++i) {
        char text[sizeof(sample)];
        size_t len = strlen(sample);
        memcpy(text, sample, len);
        for (size_t n = test_random_size(&rng, 1, 4); n > 0; --n) {
            size_t at = test_random_size(&rng, 0, len - 1);
            text[at] = bytes[test_random_size(&rng, 0, sizeof(bytes) - 2)];
        }
        struct parsed p;
        parse_bytes(&p, text, test_random_size(&rng, len / 2, len), NULL);
        if (p.err == 0)
            check_tree(p.value);
        else
            assert_true(p.error.offset <= p.len && p.error.fault != WEFT_JSON_FAULT_NONE);
        parsed_done(&p);
    }
}

static int parse_sample(const struct weft_alloc *alloc, void *ctx)
{
    struct weft_arena arena;
    const struct weft_json *value;
    weft__arena_init(&arena, alloc, SIZE_MAX);
    int err = weft__json_parse(weft__slice_str(ctx), &arena, NULL, NULL, &value);
    weft__arena_done(&arena);
    return err;
}

static void out_of_memory_is_reported(void **state)
{
    (void)state;
    char *large = object_of(3000, SIZE_MAX);
    assert_true(test_each_alloc_failure(parse_sample, large) > 2);
    free(large);
    (void)test_each_alloc_failure(parse_sample, (void *)(uintptr_t)sample);
}

static void an_exhausted_arena_is_reported(void **state)
{
    (void)state;
    struct weft_arena arena;
    struct weft_json_error error;
    const struct weft_json *value;
    char *large = object_of(3000, SIZE_MAX);
    weft__arena_init(&arena, weft_alloc_default(), 20000);
    int err = weft__json_parse(weft__slice_str(large), &arena, NULL, &error, &value);
    assert_err(err, WEFT_ERR_NOMEM);
    assert_int_equal(error.fault, WEFT_JSON_FAULT_MEMORY);
    weft__arena_done(&arena);
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(suite_valid_texts_are_accepted),
        cmocka_unit_test(suite_invalid_texts_are_refused),
        cmocka_unit_test(suite_undefined_texts_do_no_harm),
        cmocka_unit_test(hundred_thousand_brackets_are_refused_at_the_limit),
        cmocka_unit_test(nesting_is_allowed_up_to_the_limit),
        cmocka_unit_test(values_are_allowed_up_to_the_limit),
        cmocka_unit_test(repeated_keys_are_refused_unless_allowed),
        cmocka_unit_test(repeated_keys_are_found_in_objects_of_any_size),
        cmocka_unit_test(faults_are_named_and_placed),
        cmocka_unit_test(every_prefix_of_a_text_is_truncated),
        cmocka_unit_test(mutated_texts_give_a_sound_tree_or_an_error),
        cmocka_unit_test(out_of_memory_is_reported),
        cmocka_unit_test(an_exhausted_arena_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
