/* SPDX-License-Identifier: Apache-2.0 */
/* Text operations from and to JSON: the canonical form, and everything that is refused. */
#include "unit/ot/model.h"

static int parse(const struct weft_alloc *alloc, const char *json, struct weft_text_op **ret_op,
                 struct weft_ot_error *error)
{
    struct weft_arena arena;
    const struct weft_json *value;
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    assert_ok(weft__json_parse(weft__slice_str(json), &arena, NULL, NULL, &value));
    int err = weft__text_parse(alloc, value, ret_op, error);
    weft__arena_done(&arena);
    return err;
}

static void assert_refused(const char *json)
{
    struct weft_ot_error error = {0};
    struct weft_text_op *op = NULL;
    int err = parse(weft_alloc_default(), json, &op, &error);
    if (err != WEFT_ERR_OP)
        fail_msg("%s: result %d", json, err);
    assert_null(op);
    assert_non_null(error.message);
    assert_true(error.status == WEFT_STATUS_INVALID_ARGUMENT ||
                error.status == WEFT_STATUS_OUT_OF_RANGE);
}

static void assert_normalized(const char *json, const char *want)
{
    struct weft_text_op *op = op_of(json);
    assert_op_is(op, want);
    weft__text_free(op);
}

static void canonical_operations_come_back_as_they_are(void **state)
{
    (void)state;
    static const char *const ops[] = {
        "[]",
        "[\"a\"]",
        "[{\"d\":1}]",
        "[{\"d\":\"x\"}]",
        "[5,\"abc\",3,{\"d\":2},1,\"\xf0\x9f\x98\x80\"]",
        "[\"a\",{\"d\":1},\"b\",{\"d\":\"c\"}]",
        "[2147483647,\"x\"]",
        "[\"\\u0000\\n\\\"\\\\\"]",
    };
    for (size_t i = 0; i < WEFT_ARRAY_LEN(ops); i++)
        assert_normalized(ops[i], ops[i]);
}

static void neighbours_of_one_kind_are_joined(void **state)
{
    (void)state;
    assert_normalized("[\"a\",\"b\",\"c\"]", "[\"abc\"]");
    assert_normalized("[{\"d\":1},{\"d\":2}]", "[{\"d\":3}]");
    assert_normalized("[{\"d\":\"a\"},{\"d\":\"b\"}]", "[{\"d\":\"ab\"}]");
    /* Where one of them has no text, the text of the whole is not known. */
    assert_normalized("[{\"d\":\"a\"},{\"d\":2}]", "[{\"d\":3}]");
    assert_normalized("[{\"d\":2},{\"d\":\"a\"},{\"d\":\"b\"}]", "[{\"d\":4}]");
    assert_normalized("[{\"d\":\"a\"},\"x\",{\"d\":\"b\"}]", "[{\"d\":\"a\"},\"x\",{\"d\":\"b\"}]");
}

static void whole_numbers_count_in_any_notation(void **state)
{
    (void)state;
    assert_normalized("[2.0,\"x\",{\"d\":1e2}]", "[2,\"x\",{\"d\":100}]");
}

static void malformed_operations_are_refused(void **state)
{
    (void)state;
    static const char *const ops[] = {
        "null",
        "5",
        "\"x\"",
        "{}",
        "{\"d\":1}",
        "true",
        /* counts */
        "[0,\"x\"]",
        "[-1,\"x\"]",
        "[-0,\"x\"]",
        "[1.5,\"x\"]",
        "[1e300,\"x\"]",
        "[1e-300,\"x\"]",
        "[2147483648,\"x\"]",
        "[9007199254740993,\"x\"]",
        "[18446744073709551617,\"x\"]",
        "[{\"d\":0}]",
        "[{\"d\":-3}]",
        "[{\"d\":1.5}]",
        "[{\"d\":1e300}]",
        "[{\"d\":2147483648}]",
        /* sums */
        "[2147483647,\"x\",1,\"y\"]",
        "[{\"d\":2147483647},{\"d\":1}]",
        "[2147483647,{\"d\":2147483647}]",
        /* skips that a canonical operation does not have */
        "[1]",
        "[\"a\",1]",
        "[{\"d\":1},5]",
        "[1,1,\"x\"]",
        "[1,2]",
        /* nothing inserted or deleted */
        "[\"\"]",
        "[\"a\",\"\"]",
        "[{\"d\":\"\"}]",
        /* parts of another kind */
        "[null]",
        "[true]",
        "[false,\"x\"]",
        "[[1]]",
        "[[\"x\"]]",
        "[{}]",
        "[{\"d\":null}]",
        "[{\"d\":true}]",
        "[{\"d\":[1]}]",
        "[{\"d\":{}}]",
        "[{\"i\":\"x\"}]",
        "[{\"d\":1,\"x\":2}]",
        "[{\"x\":2,\"d\":1}]",
    };
    for (size_t i = 0; i < WEFT_ARRAY_LEN(ops); i++)
        assert_refused(ops[i]);
}

/* A count is a claim: refusing or keeping it must not cost memory in its size. */
static void huge_counts_cost_nothing(void **state)
{
    (void)state;
    struct test_alloc mem;
    struct weft_text_op *op;
    test_alloc_init(&mem);
    assert_ok(parse(&mem.alloc, "[2147483000,\"x\",{\"d\":600}]", &op, NULL));
    assert_true(mem.peak_bytes < 1024);
    weft__text_free(op);
    test_alloc_done(&mem);
}

static void too_many_parts_are_refused(void **state)
{
    (void)state;
    const size_t parts = (size_t)WEFT_TEXT_PARTS_MAX + 1;
    struct weft_json *value = calloc(parts + 1, sizeof(*value));
    struct weft_ot_error error;
    struct weft_text_op *op;
    assert_non_null(value);
    *value = (struct weft_json){
        .type = WEFT_JSON_ARRAY, .span = (uint32_t)parts + 1, .count = (uint32_t)parts};
    for (size_t i = 1; i <= parts; i++)
        value[i] = (struct weft_json){
            .type = WEFT_JSON_STRING, .span = 1, .count = 1, .as.string = (const uint8_t *)"x"};
    assert_err(weft__text_parse(weft_alloc_default(), value, &op, &error), WEFT_ERR_TOO_BIG);
    assert_int_equal(error.status, WEFT_STATUS_INVALID_ARGUMENT);
    value->count--;
    value->span--;
    assert_ok(weft__text_parse(weft_alloc_default(), value, &op, &error));
    assert_int_equal(op->count, 1);
    assert_int_equal(op->inserted, WEFT_TEXT_PARTS_MAX);
    weft__text_free(op);
    free(value);
}

/* An operation must stay good after the text it was read from is gone. */
static void operation_owns_its_text(void **state)
{
    (void)state;
    struct weft_arena arena;
    const struct weft_json *value;
    struct weft_text_op *op;
    char *json = strdup("[\"plain\",{\"d\":\"escaped\\n\"}]");
    assert_non_null(json);
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    assert_ok(weft__json_parse(weft__slice_str(json), &arena, NULL, NULL, &value));
    assert_ok(weft__text_parse(weft_alloc_default(), value, &op, NULL));
    weft__arena_done(&arena);
    free(json);
    assert_op_is(op, "[\"plain\",{\"d\":\"escaped\\n\"}]");
    weft__text_free(op);
}

static int parse_under_failure(const struct weft_alloc *alloc, void *ctx)
{
    struct weft_text_op *op = NULL;
    int err = parse(alloc, ctx, &op, NULL);
    assert_true(err || op);
    weft__text_free(op);
    return err;
}

static void failing_memory_in_parse_leaks_nothing(void **state)
{
    (void)state;
    char json[2048] = "[";
    for (size_t i = 0; i < 100; i++)
        strcat(json, "1,\"x\",{\"d\":1},");
    strcat(json, "\"end\"]");
    assert_true(test_each_alloc_failure(parse_under_failure, json) > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(canonical_operations_come_back_as_they_are),
        cmocka_unit_test(neighbours_of_one_kind_are_joined),
        cmocka_unit_test(whole_numbers_count_in_any_notation),
        cmocka_unit_test(malformed_operations_are_refused),
        cmocka_unit_test(huge_counts_cost_nothing),
        cmocka_unit_test(too_many_parts_are_refused),
        cmocka_unit_test(operation_owns_its_text),
        cmocka_unit_test(failing_memory_in_parse_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
