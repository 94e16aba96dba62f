/* SPDX-License-Identifier: Apache-2.0 */
/* Rich text through the table of types: canonical form, sides, and what is refused. */
#include "unit/ot/rich_model.h"

static struct weft_arena arena;

static const struct weft_json *parse(const char *json)
{
    return json_parse(&arena, json);
}

static int setup(void **state)
{
    (void)state;
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    weft__arena_done(&arena);
    return 0;
}

static void operations_are_brought_into_canonical_form(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"{\"ops\":[]}", "{\"ops\":[]}"},
        {"[{\"delete\":1},{\"insert\":\"a\"},{\"delete\":2},{\"insert\":\"b\"},{\"retain\":4}]",
         "{\"ops\":[{\"insert\":\"ab\"},{\"delete\":3}]}"},
        {"{\"ops\":[{\"insert\":\"a\",\"attributes\":{\"b\":1,\"a\":{\"d\":7.0,\"c\":null}}}]}",
         "{\"ops\":[{\"insert\":\"a\",\"attributes\":{\"a\":{\"c\":null,\"d\":7},\"b\":1}}]}"},
        {"{\"ops\":[{\"insert\":\"a\",\"attributes\":{\"b\":null}}]}",
         "{\"ops\":[{\"insert\":\"a\"}]}"},
        {"{\"ops\":[{\"retain\":1,\"attributes\":{\"b\":null}}]}",
         "{\"ops\":[{\"retain\":1,\"attributes\":{\"b\":null}}]}"},
    };
    for (size_t i = 0; i < WEFT_ARRAY_LEN(pairs); i++) {
        void *op = op_of(pairs[i][0]);
        assert_op_is(op, pairs[i][1]);
        rich->op_free(op);
    }
}

static void malformed_operations_are_refused(void **state)
{
    (void)state;
    static const char *const ops[] = {
        "null",
        "5",
        "{}",
        "{\"ops\":{}}",
        "{\"ops\":[],\"x\":1}",
        "[null]",
        "[5]",
        "[[]]",
        "[{}]",
        "[{\"insert\":\"\"}]",
        "[{\"insert\":5}]",
        "[{\"insert\":null}]",
        "[{\"insert\":{}}]",
        "[{\"insert\":[\"a\"]}]",
        "[{\"insert\":{\"a\":1,\"b\":2}}]",
        "[{\"retain\":0}]",
        "[{\"retain\":-1}]",
        "[{\"retain\":1.5}]",
        "[{\"retain\":1e300}]",
        "[{\"retain\":\"1\"}]",
        "[{\"delete\":0}]",
        "[{\"delete\":4294967297}]",
        "[{\"delete\":{\"delta\":[]}}]",
        "[{\"delete\":1,\"attributes\":{}}]",
        "[{\"retain\":1,\"delete\":1}]",
        "[{\"insert\":\"a\",\"x\":1}]",
        "[{\"insert\":\"a\",\"attributes\":[]}]",
        "[{\"insert\":\"a\",\"attributes\":null}]",
        "[{\"insert\":\"a\",\"attributes\":\"b\"}]",
        "[{\"retain\":{\"image\":1}}]",
        "[{\"retain\":{\"delta\":5}}]",
        "[{\"insert\":{\"delta\":[{\"retain\":1}]}}]",
        "[{\"retain\":2147483647},{\"delete\":2147483647}]",
    };
    for (size_t i = 0; i < WEFT_ARRAY_LEN(ops); i++) {
        struct weft_ot_error error = {0};
        void *op = NULL;
        assert_err(rich->op_parse(weft_alloc_default(), parse(ops[i]), &op, &error), WEFT_ERR_OP);
        assert_int_equal(error.status, WEFT_STATUS_INVALID_ARGUMENT);
        assert_null(op);
    }
}

static void operations_that_do_not_fit_change_nothing(void **state)
{
    (void)state;
    static const char *const text =
        "[{\"insert\":\"a\xf0\x9f\x98\x80\"},{\"insert\":{\"delta\":[{\"insert\":\"x\"}]}},"
        "{\"insert\":{\"image\":1}}]";
    static const char *const ops[] = {
        "[{\"insert\":\"x\"},{\"retain\":2},{\"insert\":\"x\"}]",
        "[{\"insert\":\"x\"},{\"delete\":2}]",
        "[{\"insert\":\"x\"},{\"retain\":2,\"attributes\":{\"b\":1}}]",
        "[{\"insert\":\"x\"},{\"delete\":6}]",
        "[{\"retain\":5},{\"insert\":\"x\"},{\"retain\":1,\"attributes\":{\"b\":1}}]",
        "[{\"retain\":{\"delta\":[{\"insert\":\"x\"}]}}]",
        "[{\"retain\":4},{\"retain\":{\"delta\":[{\"insert\":\"x\"}]}}]",
        "[{\"retain\":3},{\"retain\":{\"delta\":[{\"delete\":2}]}}]",
    };
    void *doc = doc_of(text);
    for (size_t i = 0; i < WEFT_ARRAY_LEN(ops); i++) {
        void *inverse = NULL;
        void *op = op_of(ops[i]);
        assert_err(rich->doc_apply(doc, op, NULL), WEFT_ERR_OP);
        assert_err(rich->op_invert(weft_alloc_default(), op, doc, &inverse, NULL), WEFT_ERR_OP);
        assert_doc_is(doc, text);
        rich->op_free(op);
    }
    rich->doc_free(doc);
}

/* Not so in the reference, which forgets the removal. */
static void removing_an_attribute_of_an_embed_survives_composition(void **state)
{
    (void)state;
    void *result;
    void *a = op_of("[{\"retain\":{\"delta\":[{\"insert\":\"x\"}]}}]");
    void *b = op_of("[{\"retain\":1,\"attributes\":{\"b\":null}}]");
    assert_ok(rich->op_compose(weft_alloc_default(), a, b, &result, NULL));
    assert_op_is(result, "{\"ops\":[{\"retain\":{\"delta\":[{\"insert\":\"x\"}]},"
                         "\"attributes\":{\"b\":null}}]}");
    rich->op_free(a);
    rich->op_free(b);
    rich->op_free(result);
}

static void left_puts_its_own_insertion_first(void **state)
{
    (void)state;
    void *left;
    void *right;
    void *a = op_of("[{\"insert\":\"a\"}]");
    void *b = op_of("[{\"insert\":\"bc\"}]");
    assert_ok(rich->op_transform(weft_alloc_default(), a, b, WEFT_OT_SIDE_LEFT, &left, NULL));
    assert_ok(rich->op_transform(weft_alloc_default(), a, b, WEFT_OT_SIDE_RIGHT, &right, NULL));
    assert_op_is(left, "{\"ops\":[{\"insert\":\"a\"}]}");
    assert_op_is(right, "{\"ops\":[{\"retain\":2},{\"insert\":\"a\"}]}");
    assert_int_equal(rich->op_position(b, 0, WEFT_OT_SIDE_LEFT), 0);
    assert_int_equal(rich->op_position(b, 0, WEFT_OT_SIDE_RIGHT), 2);
    rich->op_free(a);
    rich->op_free(b);
    rich->op_free(left);
    rich->op_free(right);
}

/* The JSON of |levels| documents in one another, the innermost with |inner|. */
static char *nested(unsigned levels, const char *inner)
{
    static const char head[] = "[{\"insert\":{\"delta\":";
    struct weft_bytes out;
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    for (unsigned i = 0; i < levels; i++)
        weft__bytes_append_str(&out, head);
    weft__bytes_append_str(&out, inner);
    for (unsigned i = 0; i < levels; i++)
        weft__bytes_append_str(&out, "}}]");
    weft__bytes_append_byte(&out, 0);
    assert_ok(weft__bytes_error(&out));
    char *copy = strdup((const char *)out.ptr);
    weft__bytes_done(&out);
    return copy;
}

/* |op| is a valid operation, or refused as too large. */
static void assert_size(char *json, bool valid)
{
    struct weft_ot_error error = {0};
    void *op = NULL;
    assert_err(op_from(json, &op, &error), valid ? 0 : WEFT_ERR_TOO_BIG);
    if (!valid)
        assert_int_equal(error.status, WEFT_STATUS_INVALID_ARGUMENT);
    rich->op_free(op);
    free(json);
}

/* What an operation and a message put around it fits the 64 levels of every message. */
static void operations_have_limits(void **state)
{
    (void)state;
    char deep[256];
    char wide[WEFT_RICH_ATTRIBUTE_BYTES_MAX + 128];
    assert_size(nested(WEFT_RICH_NEST_MAX, "[{\"insert\":\"x\"}]"), true);
    assert_size(nested(WEFT_RICH_NEST_MAX + 1, "[{\"insert\":\"x\"}]"), false);
    for (int levels = 52; levels <= 53; levels++) { /* after the array, the part and the object */
        snprintf(deep, sizeof(deep), "[{\"insert\":\"x\",\"attributes\":{\"a\":%.*s%.*s}}]",
                 levels + 1, "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
                 levels + 1, "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]");
        assert_size(strdup(deep), levels == 52);
    }
    for (int more = 0; more <= 1; more++) {
        snprintf(wide, sizeof(wide), "[{\"retain\":1,\"attributes\":{\"a\":\"%0*d\"}}]",
                 WEFT_RICH_ATTRIBUTE_BYTES_MAX - 8 - 1 - 2 + more, 0);
        assert_size(strdup(wide), more == 0);
    }
}

/* Attributes are kept with every piece of text: what is small on the wire may become large. */
static void documents_do_not_grow_without_bounds(void **state)
{
    (void)state;
    enum { RUNS = 5001 };
    struct weft_ot_error error = {0};
    struct weft_bytes out;
    char wide[WEFT_RICH_ATTRIBUTE_BYTES_MAX];
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    weft__bytes_append_byte(&out, '[');
    for (unsigned i = 0; i < RUNS; i++)
        weft__bytes_append_str(&out, i % 2 ? "{\"insert\":\"b\"},"
                                           : "{\"insert\":\"a\",\"attributes\":{\"b\":1}},");
    weft__bytes_append_str(&out, "{\"insert\":\"c\"}]");
    weft__bytes_append_byte(&out, 0);
    assert_ok(weft__bytes_error(&out));
    snprintf(wide, sizeof(wide), "[{\"retain\":%d,\"attributes\":{\"a\":\"%0*d\"}}]", RUNS, 15000,
             0);
    void *doc = doc_of((const char *)out.ptr);
    void *op = op_of(wide);
    size_t before = rich->doc_bytes(doc);
    assert_true(rich->op_growth(op) > WEFT_RICH_BYTES_MAX);
    assert_err(rich->doc_apply(doc, op, &error), WEFT_ERR_TOO_BIG);
    assert_int_equal(error.status, WEFT_STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(rich->doc_bytes(doc), before);
    assert_doc_is(doc, (const char *)out.ptr);
    rich->op_free(op);
    rich->doc_free(doc);
    weft__bytes_done(&out);
}

static void difference_keeps_what_is_the_same(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"[]", "[]", "{\"ops\":[]}"},
        {"[{\"insert\":\"the fox\"}]", "[{\"insert\":\"the red fox\"}]",
         "{\"ops\":[{\"retain\":4},{\"insert\":\"red \"}]}"},
        {"[{\"insert\":\"abcabba\"}]", "[{\"insert\":\"cbabac\"}]", NULL},
        {"[{\"insert\":\"\xf0\x9f\x98\x80x\"}]", "[{\"insert\":\"\xf0\x9f\x98\x81x\"}]",
         "{\"ops\":[{\"insert\":\"\xf0\x9f\x98\x81\"},{\"delete\":2}]}"},
        {"[{\"insert\":\"ab\",\"attributes\":{\"b\":1,\"c\":2}}]",
         "[{\"insert\":\"a\",\"attributes\":{\"b\":1,\"c\":3}},{\"insert\":\"b\"}]",
         "{\"ops\":[{\"retain\":1,\"attributes\":{\"c\":3}},"
         "{\"retain\":1,\"attributes\":{\"b\":null,\"c\":null}}]}"},
        {"[{\"insert\":{\"delta\":[{\"insert\":\"in\"}]}},{\"insert\":{\"image\":1}}]",
         "[{\"insert\":{\"delta\":[{\"insert\":\"inn\"}]}},{\"insert\":{\"image\":2}}]",
         "{\"ops\":[{\"retain\":{\"delta\":[{\"retain\":2},{\"insert\":\"n\"}]}},"
         "{\"insert\":{\"image\":2}},{\"delete\":1}]}"},
    };
    for (size_t i = 0; i < WEFT_ARRAY_LEN(cases); i++) {
        void *from = doc_of(cases[i][0]);
        void *to = doc_of(cases[i][1]);
        void *op;
        assert_ok(rich->doc_diff(weft_alloc_default(), from, to, &op, NULL));
        if (cases[i][2])
            assert_op_is(op, cases[i][2]);
        assert_ok(rich->doc_apply(from, op, NULL));
        assert_true(same_docs(from, to));
        rich->op_free(op);
        rich->doc_free(to);
        rich->doc_free(from);
    }
}

static void normal_form_has_no_operations_that_change_nothing(void **state)
{
    (void)state;
    void *normal;
    void *op = op_of("[{\"retain\":1},{\"retain\":{\"delta\":[{\"retain\":{\"delta\":[]}}]},"
                     "\"attributes\":{\"b\":1}},{\"retain\":{\"delta\":[]}}]");
    assert_ok(rich->op_normalize(weft_alloc_default(), op, &normal, NULL));
    assert_op_is(normal, "{\"ops\":[{\"retain\":1},{\"retain\":1,\"attributes\":{\"b\":1}}]}");
    rich->op_free(normal);
    rich->op_free(op);
}

static int life_under_failure(const struct weft_alloc *alloc, void *ctx)
{
    (void)ctx;
    void *doc = NULL;
    void *snapshot = NULL;
    void *op = NULL;
    void *other = NULL;
    void *made[5] = {NULL, NULL, NULL, NULL, NULL};
    int err = rich->doc_new(
        alloc,
        parse("[{\"insert\":\"hello\",\"attributes\":{\"b\":{\"x\":1}}},"
              "{\"insert\":{\"delta\":[{\"insert\":\"in\",\"attributes\":{\"b\":1}}]}}]"),
        &doc, NULL);
    if (!err)
        err = rich->op_parse(alloc,
                             parse("[{\"retain\":5,\"attributes\":{\"b\":null,\"c\":1}},"
                                   "{\"retain\":{\"delta\":[{\"retain\":1},{\"insert\":\"x\"}]}}]"),
                             &op, NULL);
    if (!err)
        err = rich->op_parse(alloc,
                             parse("[{\"retain\":2,\"attributes\":{\"c\":2,\"d\":1}},"
                                   "{\"delete\":3},{\"retain\":{\"delta\":[{\"delete\":1}]}}]"),
                             &other, NULL);
    if (!err)
        err = rich->op_transform(alloc, op, other, WEFT_OT_SIDE_RIGHT, &made[0], NULL);
    if (!err)
        err = rich->op_compose(alloc, op, other, &made[1], NULL);
    if (!err)
        err = rich->op_invert(alloc, op, doc, &made[2], NULL);
    if (!err)
        err = rich->doc_snapshot(doc, &snapshot);
    if (!err)
        err = rich->doc_apply(doc, op, NULL);
    if (!err)
        err = rich->op_normalize(alloc, op, &made[3], NULL);
    if (!err)
        err = rich->doc_diff(alloc, snapshot, doc, &made[4], NULL);
    for (size_t i = 0; i < WEFT_ARRAY_LEN(made); i++)
        rich->op_free(made[i]);
    rich->op_free(op);
    rich->op_free(other);
    rich->doc_free(snapshot);
    rich->doc_free(doc);
    return err;
}

static void failing_memory_leaks_nothing(void **state)
{
    (void)state;
    assert_true(test_each_alloc_failure(life_under_failure, NULL) >= 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations_are_brought_into_canonical_form),
        cmocka_unit_test(malformed_operations_are_refused),
        cmocka_unit_test(operations_that_do_not_fit_change_nothing),
        cmocka_unit_test(removing_an_attribute_of_an_embed_survives_composition),
        cmocka_unit_test(operations_have_limits),
        cmocka_unit_test(documents_do_not_grow_without_bounds),
        cmocka_unit_test(difference_keeps_what_is_the_same),
        cmocka_unit_test(normal_form_has_no_operations_that_change_nothing),
        cmocka_unit_test(left_puts_its_own_insertion_first),
        cmocka_unit_test(failing_memory_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
