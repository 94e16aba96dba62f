/* SPDX-License-Identifier: Apache-2.0 */
/* JSON operations: what is accepted and refused, what they do to a document, hostile ones, memory.
 */
#include "lib/fault_alloc.h"
#include "unit/ot/json_model.h"

static void assert_reads(const char *json, const char *want)
{
    struct weft_tree_op *op = op_of(json);
    assert_op_is(op, want);
    weft__tree_op_free(op);
}

static void assert_refused(const char *json)
{
    struct weft_tree_op *op = NULL;
    struct weft_ot_error error = {0};
    if (op_from(json, &op, &error) == 0)
        fail_msg("accepted: %s", json);
    assert_null(op);
    assert_int_equal(error.status, WEFT_STATUS_INVALID_ARGUMENT);
    assert_non_null(error.message);
}

static void operations_are_read_and_written(void **state)
{
    (void)state;
    static const char *const ops[] = {
        "null",
        "[{\"i\":1}]",
        "[{\"r\":true,\"i\":{\"a\":[1,2.5,null,true,\"x\"]}}]",
        "[\"a\",{\"r\":true}]",
        "[\"a\",{\"r\":{\"old\":1}},\"b\",{\"r\":true}]",
        "[[\"a\",{\"p\":0}],[\"b\",{\"d\":0}]]",
        "[\"x\",[0,{\"r\":true}],[1,{\"es\":[1,\"y\"]}],[\"0\",{\"ena\":-2.5}]]",
        "[\"__proto__\",\"constructor\",\"\",2147483647,{\"i\":null}]",
        /* keys are in the order of their UTF-16 units */
        "[[\"\xf0\x9f\x98\x80\",{\"r\":true}],[\"\xef\xbf\xbd\",{\"r\":true}]]",
    };
    for (size_t i = 0; i < WEFT_ARRAY_LEN(ops); i++)
        assert_reads(ops[i], ops[i]);
}

static void long_and_empty_edits_take_their_canonical_form(void **state)
{
    (void)state;
    assert_reads("[\"a\",{\"et\":\"text-unicode\",\"e\":[\"x\",\"y\"]}]",
                 "[\"a\",{\"es\":[\"xy\"]}]");
    assert_reads("[\"a\",{\"e\":2,\"et\":\"number\"}]", "[\"a\",{\"ena\":2}]");
    assert_reads("[\"a\",{\"es\":[]}]", "null");
    assert_reads("[[\"a\",{\"es\":[]}],[\"b\",{\"r\":true}]]", "[\"b\",{\"r\":true}]");
}

static void malformed_operations_are_refused(void **state)
{
    (void)state;
    static const char *const ops[] = {
        "5",
        "\"x\"",
        "{}",
        "true",
        "[]",
        "[[]]",
        "[{}]",
        "[\"a\"]",
        "[\"a\",{}]",
        "[\"a\",\"b\"]",
        /* components */
        "[{\"i\":1},{\"i\":2}]",
        "[\"a\",{\"q\":1}]",
        "[\"a\",{\"i\":1},{\"r\":true}]",
        "[\"a\",{\"p\":0,\"r\":true}]",
        "[[\"a\",{\"p\":0}],[\"b\",{\"d\":0,\"i\":1}]]",
        "[\"a\",{\"es\":[\"x\"],\"ena\":1}]",
        "[\"a\",{\"es\":[\"x\"],\"et\":\"number\",\"e\":1}]",
        "[\"a\",{\"e\":1}]",
        "[\"a\",{\"et\":\"number\"}]",
        "[\"a\",{\"et\":\"nosuch\",\"e\":1}]",
        "[\"a\",{\"et\":5,\"e\":1}]",
        "[\"a\",{\"es\":[1]}]",
        "[\"a\",{\"es\":\"x\"}]",
        "[\"a\",{\"es\":null}]",
        "[\"a\",{\"es\":[1e300,\"x\"]}]",
        "[\"a\",{\"ena\":\"x\"}]",
        "[\"a\",{\"ena\":null}]",
        /* keys */
        "[-1,{\"r\":true}]",
        "[1.5,{\"r\":true}]",
        "[true,{\"r\":true}]",
        "[null,{\"r\":true}]",
        "[2147483648,{\"r\":true}]",
        "[1e300,\"x\"]",
        "[1e300,{\"r\":true}]",
        /* lists */
        "[[\"a\",{\"r\":true}]]",
        "[\"a\",[\"b\",{\"r\":true}]]",
        "[[\"b\",{\"r\":true}],[\"a\",{\"r\":true}]]",
        "[[\"a\",{\"r\":true}],[\"a\",{\"i\":1}]]",
        "[[\"a\",{\"r\":true}],[0,{\"r\":true}]]",
        "[[1,{\"r\":true}],[0,{\"r\":true}]]",
        "[[\"a\",{\"r\":true}],[\"b\",{\"r\":true}],\"c\",{\"r\":true}]",
        "[[\"a\",{\"r\":true}],[\"b\",{\"r\":true}],{\"r\":true}]",
        "[[{\"r\":true}],[\"b\",{\"r\":true}]]",
        /* slots */
        "[{\"p\":0}]",
        "[\"a\",{\"d\":0}]",
        "[[\"a\",{\"p\":0}],[\"b\",{\"d\":1}]]",
        "[[\"a\",{\"p\":1}],[\"b\",{\"d\":1}]]",
        "[[\"a\",{\"p\":-1}],[\"b\",{\"d\":-1}]]",
        "[[\"a\",{\"p\":0.5}],[\"b\",{\"d\":0.5}]]",
        "[[\"a\",{\"p\":1e9}],[\"b\",{\"d\":1e9}]]",
        "[[\"a\",{\"p\":0}],[\"b\",{\"p\":0}],[\"c\",{\"d\":0}]]",
        "[[\"a\",{\"p\":0}],[\"b\",{\"d\":0}],[\"c\",{\"d\":0}]]",
    };
    for (size_t i = 0; i < WEFT_ARRAY_LEN(ops); i++)
        assert_refused(ops[i]);
}

/* |count| times |unit|, then |end|. */
static char *repeated(const char *begin, const char *unit, size_t count, const char *end)
{
    struct weft_bytes out;
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    weft__bytes_append_str(&out, begin);
    for (size_t i = 0; i < count; i++)
        weft__bytes_append_str(&out, unit);
    weft__bytes_append_str(&out, end);
    weft__bytes_append_byte(&out, 0);
    assert_ok(weft__bytes_error(&out));
    char *copy = strdup((const char *)out.ptr);
    assert_non_null(copy);
    weft__bytes_done(&out);
    return copy;
}

static void nesting_is_limited(void **state)
{
    (void)state;
    char *fits = repeated("[", "\"k\",", WEFT_TREE_DEPTH_MAX, "{\"r\":true}]");
    char *deep = repeated("[", "\"k\",", WEFT_TREE_DEPTH_MAX + 1, "{\"r\":true}]");
    char *deeper = repeated("[", "\"k\",", 100000, "{\"r\":true}]");
    char *inside = repeated("[", "\"k\",", WEFT_TREE_DEPTH_MAX, "{\"i\":[]}]");
    assert_reads(fits, fits);
    assert_refused(deep);
    assert_refused(deeper);
    assert_refused(inside);
    free(fits);
    free(deep);
    free(deeper);
    free(inside);
}

/* A document that would be nested too deep by a move of what it has. */
static void moves_cannot_nest_a_document_too_deep(void **state)
{
    (void)state;
    char *list = repeated("", "[", 40, "1");
    char *ends = repeated("", "]", 40, "");
    char json[512];
    snprintf(json, sizeof(json), "{\"a\":%s%s,\"b\":%s%s}", list, ends, list, ends);
    struct weft_tree_value *doc = value_of(json);
    char *way = repeated("", "0,", 40, "");
    snprintf(json, sizeof(json), "[[\"a\",%s{\"d\":0,\"r\":true}],[\"b\",{\"p\":0}]]", way);
    struct weft_tree_op *op = op_of(json);
    struct weft_tree_value *result = NULL;
    struct weft_ot_error error = {0};
    assert_err(weft__tree_apply(weft_alloc_default(), doc, op, &result, &error), WEFT_ERR_TOO_BIG);
    assert_int_equal(error.status, WEFT_STATUS_RESOURCE_EXHAUSTED);
    weft__tree_op_free(op);
    weft__tree_unref(doc);
    free(list);
    free(ends);
    free(way);
}

static void assert_result(const char *doc, const char *op, const char *want)
{
    struct weft_tree_value *value = value_of(doc);
    struct weft_tree_op *change = op_of(op);
    struct weft_tree_value *result = after(value, change);
    assert_value_is(result, want);
    weft__tree_unref(result);
    weft__tree_op_free(change);
    weft__tree_unref(value);
}

static void operations_change_documents(void **state)
{
    (void)state;
    assert_result("null", "[{\"i\":{\"a\":1}}]", "{\"a\":1}");
    assert_result("{\"a\":1}", "[{\"r\":true}]", "null");
    assert_result("{\"a\":1}", "[{\"r\":true,\"i\":[]}]", "[]");
    assert_result("[1,2,3]", "[[0,{\"r\":true}],[2,{\"i\":9}]]", "[2,3,9]");
    assert_result("[1,2,3]", "[[0,{\"d\":0}],[2,{\"p\":0}]]", "[3,1,2]");
    assert_result("{\"x\":{\"y\":[1]}}", "[[\"x\",{\"r\":true},\"y\",{\"p\":0}],[\"z\",{\"d\":0}]]",
                  "{\"z\":[1]}");
    assert_result("{\"t\":\"abc\"}", "[\"t\",{\"es\":[1,\"X\",{\"d\":1}]}]", "{\"t\":\"aXc\"}");
    assert_result("{\"n\":0.5}", "[\"n\",{\"ena\":0.5}]", "{\"n\":1}");
    assert_result("{}", "[\"__proto__\",{\"i\":1}]", "{\"__proto__\":1}");
    assert_result("[[1],2]", "[{\"r\":true,\"i\":{}},[0,{\"p\":0}],[\"k\",{\"d\":0}]]",
                  "{\"k\":[1]}");
}

static void assert_misfits(const char *doc, const char *json, int status)
{
    struct weft_tree_value *value = value_of(doc);
    struct weft_tree_op *op = op_of(json);
    struct weft_tree_op *inverse = NULL;
    struct weft_tree_value *result = NULL;
    struct weft_ot_error error = {0};
    if (weft__tree_apply(weft_alloc_default(), value, op, &result, &error) == 0)
        fail_msg("applied: %s to %s", json, doc);
    assert_int_equal(error.status, status);
    assert_true(weft__tree_invert(weft_alloc_default(), op, value, &inverse, NULL) != 0);
    assert_value_is(value, doc);
    weft__tree_op_free(op);
    weft__tree_unref(value);
}

static void operations_that_do_not_fit_change_nothing(void **state)
{
    (void)state;
    const int unfit = WEFT_STATUS_FAILED_PRECONDITION;
    assert_misfits("{\"a\":1}", "[\"b\",{\"r\":true}]", unfit);
    assert_misfits("{\"a\":1}", "[0,{\"r\":true}]", unfit);
    assert_misfits("[1]", "[\"a\",{\"i\":1}]", unfit);
    assert_misfits("[1]", "[3,{\"i\":1}]", unfit);
    assert_misfits("[1]", "[2147483647,{\"i\":1}]", unfit);
    assert_misfits("{\"a\":1}", "[\"a\",{\"i\":2}]", unfit);
    assert_misfits("{\"a\":1}", "[{\"i\":2}]", unfit);
    assert_misfits("{\"a\":1}", "[\"a\",\"b\",{\"i\":2}]", unfit);
    assert_misfits("{\"a\":1}", "[\"a\",{\"es\":[\"x\"]}]", unfit);
    assert_misfits("{\"a\":\"1\"}", "[\"a\",{\"ena\":1}]", unfit);
    assert_misfits("{}", "[\"a\",{\"ena\":1}]", unfit);
    assert_misfits("{\"a\":\"\"}", "[\"a\",{\"es\":[1,\"x\"]}]", WEFT_STATUS_OUT_OF_RANGE);
    assert_misfits("{\"a\":1.7e+308}", "[\"a\",{\"ena\":1.7e308}]", WEFT_STATUS_OUT_OF_RANGE);
    assert_misfits("{\"a\":[1],\"b\":2}", "[[\"a\",0,{\"p\":0}],[\"b\",0,{\"d\":0}]]", unfit);
}

/* Operations that were made for no document give results or errors, not disasters. */
static void operations_of_no_document_do_no_harm(void **state)
{
    (void)state;
    static const char *const ops[] = {
        "null",
        "[{\"r\":true}]",
        "[{\"i\":[[1],{\"a\":1}]}]",
        "[0,{\"p\":0},0,{\"d\":0}]",
        "[[0,{\"p\":0,\"d\":1}],[1,{\"p\":1,\"d\":0}]]",
        "[\"a\",{\"d\":0},\"b\",{\"p\":0}]",
        "[[\"a\",{\"p\":0},\"b\",{\"d\":1}],[\"c\",{\"p\":1},\"d\",{\"d\":0}]]",
        "[[\"a\",\"b\",{\"d\":0}],[\"c\",{\"p\":0}]]",
        "[[\"a\",{\"p\":0}],[\"c\",\"d\",{\"d\":0}]]",
        "[5,{\"es\":[3,\"x\"]}]",
        "[5,{\"ena\":1e308}]",
        "[[0,{\"r\":true}],[5,{\"i\":\"x\",\"es\":[9,\"x\"]}]]",
        "[\"a\",{\"i\":{\"b\":[1,2,3]}},\"b\",[0,{\"i\":1}],[9,{\"i\":1}]]",
        "[\"a\",[\"b\",[0,{\"r\":true}],[7,{\"p\":0}]],[\"x\",{\"d\":0}]]",
    };
    for (size_t i = 0; i < WEFT_ARRAY_LEN(ops) * WEFT_ARRAY_LEN(ops); i++) {
        struct weft_tree_op *a = op_of(ops[i / WEFT_ARRAY_LEN(ops)]);
        struct weft_tree_op *b = op_of(ops[i % WEFT_ARRAY_LEN(ops)]);
        for (int what = 0; what < 3; what++) {
            struct weft_tree_op *result = NULL;
            int err = what == 2
                          ? weft__tree_compose(weft_alloc_default(), a, b, &result, NULL)
                          : weft__tree_transform(weft_alloc_default(), a, b,
                                                 what ? WEFT_OT_SIDE_LEFT : WEFT_OT_SIDE_RIGHT,
                                                 NULL, &result, NULL);
            assert_true(err ? !result : result != NULL);
            weft__tree_op_free(result);
        }
        weft__tree_op_free(a);
        weft__tree_op_free(b);
    }
}

/* A list with as many changes as an operation may have costs a walk over both. */
static void many_changes_in_one_list_are_one_pass(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    struct weft_bytes out;
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    weft__bytes_append_str(&out, "[");
    for (unsigned i = 0; i < COUNT; i++) {
        weft__bytes_append_str(&out, i ? ",[" : "[");
        weft__bytes_append_u64(&out, i);
        weft__bytes_append_str(&out, ",{\"i\":1}]");
    }
    weft__bytes_append_str(&out, "]");
    weft__bytes_append_byte(&out, 0);
    struct weft_tree_op *op = op_of((const char *)out.ptr);
    struct weft_tree_op *moved;
    struct weft_tree_op *both;
    struct weft_tree_value *doc = value_of("[]");
    struct weft_tree_value *one = after(doc, op);
    assert_int_equal(one->count, COUNT);
    assert_ok(
        weft__tree_transform(weft_alloc_default(), op, op, WEFT_OT_SIDE_RIGHT, NULL, &moved, NULL));
    assert_ok(weft__tree_compose(weft_alloc_default(), op, moved, &both, NULL));
    struct weft_tree_value *two = after(doc, both);
    assert_int_equal(two->count, 2 * COUNT);
    weft__tree_unref(two);
    weft__tree_unref(one);
    weft__tree_unref(doc);
    weft__tree_op_free(both);
    weft__tree_op_free(moved);
    weft__tree_op_free(op);
    weft__bytes_done(&out);
}

static void number_of_conflicts_is_limited(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    struct weft_bytes out;
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    weft__bytes_append_str(&out, "[");
    for (unsigned i = 0; i < COUNT; i++) {
        weft__bytes_append_str(&out, i ? ",[" : "[");
        weft__bytes_append_u64(&out, i);
        weft__bytes_append_str(&out, ",{\"ena\":1}]");
    }
    weft__bytes_append_str(&out, "]");
    weft__bytes_append_byte(&out, 0);
    struct weft_tree_op *edits = op_of((const char *)out.ptr);
    struct weft_tree_op *remove = op_of("[{\"r\":true}]");
    struct weft_tree_op *result = NULL;
    struct weft_ot_error error = {0};
    assert_err(weft__tree_transform(weft_alloc_default(), edits, remove, WEFT_OT_SIDE_LEFT, NULL,
                                    &result, &error),
               WEFT_ERR_TOO_BIG);
    assert_int_equal(error.status, WEFT_STATUS_RESOURCE_EXHAUSTED);
    weft__tree_op_free(remove);
    weft__tree_op_free(edits);
    weft__bytes_done(&out);
}

/* Long strings are edited as ropes, and shared by snapshots meanwhile. */
static void long_strings_are_edited_and_shared(void **state)
{
    (void)state;
    char *json = repeated("{\"t\":\"", "0123456789", 1000, "\"}");
    struct weft_tree_value *doc = value_of(json);
    struct weft_tree_op *op = op_of("[\"t\",{\"es\":[5000,\"X\",{\"d\":1}]}]");
    struct weft_tree_op *inverse;
    struct weft_tree_value *once = after(doc, op);
    struct weft_tree_value *twice = after(once, op);
    assert_int_equal(weft__tree_members(twice)[0].value->type, WEFT_TREE_TEXT);
    assert_false(weft__tree_equal(doc, once));
    assert_true(weft__tree_equal(once, twice)); /* X for X */
    assert_ok(weft__tree_invert(weft_alloc_default(), op, doc, &inverse, NULL));
    struct weft_tree_value *back = after(once, inverse);
    assert_true(weft__tree_equal(back, doc));
    assert_value_is(back, json);
    weft__tree_unref(back);
    weft__tree_unref(twice);
    weft__tree_unref(once);
    weft__tree_unref(doc);
    weft__tree_op_free(inverse);
    weft__tree_op_free(op);
    free(json);
}

/* Everything once, with |alloc|. */
static int life_under_failure(const struct weft_alloc *alloc, void *ctx)
{
    static const char one[] =
        "[[\"a\",{\"p\":0}],[\"list\",[0,{\"r\":true}],[1,{\"i\":{\"x\":[1]}}]],"
        "[\"t\",{\"es\":[1,\"long\"]}],[\"z\",{\"d\":0},\"q\",{\"i\":1}]]";
    static const char two[] = "[[\"a\",{\"r\":true}],[\"list\",[0,{\"d\":0}],[2,{\"p\":0}]],"
                              "[\"t\",{\"es\":[{\"d\":2}]}],[\"z\",{\"i\":5}]]";
    const struct weft_ot_type *type = ctx;
    struct weft_arena arena;
    void *doc = NULL, *snapshot = NULL, *a = NULL, *b = NULL, *moved = NULL, *both = NULL,
         *inverse = NULL, *difference = NULL;
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    const struct weft_json *text =
        json_parse(&arena, "{\"a\":{\"k\":1},\"list\":[1,2,3],\"t\":\"some text\"}");
    int err = type->doc_new(alloc, text, &doc, NULL);
    if (!err)
        err = type->op_parse(alloc, json_parse(&arena, one), &a, NULL);
    if (!err)
        err = type->op_parse(alloc, json_parse(&arena, two), &b, NULL);
    if (!err)
        err = type->op_transform(alloc, b, a, WEFT_OT_SIDE_LEFT, &moved, NULL);
    if (!err)
        err = type->op_compose(alloc, a, moved, &both, NULL);
    if (!err)
        err = type->op_invert(alloc, both, doc, &inverse, NULL);
    if (!err)
        err = type->doc_snapshot(doc, &snapshot);
    if (!err)
        err = type->doc_apply(doc, both, NULL);
    if (!err)
        err = type->doc_diff(alloc, snapshot, doc, &difference, NULL);
    if (!err)
        err = type->doc_apply(doc, inverse, NULL);
    type->op_free(difference);
    type->op_free(inverse);
    type->op_free(both);
    type->op_free(moved);
    type->op_free(b);
    type->op_free(a);
    type->doc_free(snapshot);
    type->doc_free(doc);
    weft__arena_done(&arena);
    return err;
}

static void failing_memory_leaks_nothing(void **state)
{
    (void)state;
    struct weft_ot_type type = weft__ot_json;
    assert_true(test_each_alloc_failure(life_under_failure, &type) >= 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations_are_read_and_written),
        cmocka_unit_test(long_and_empty_edits_take_their_canonical_form),
        cmocka_unit_test(malformed_operations_are_refused),
        cmocka_unit_test(nesting_is_limited),
        cmocka_unit_test(moves_cannot_nest_a_document_too_deep),
        cmocka_unit_test(operations_change_documents),
        cmocka_unit_test(operations_that_do_not_fit_change_nothing),
        cmocka_unit_test(operations_of_no_document_do_no_harm),
        cmocka_unit_test(many_changes_in_one_list_are_one_pass),
        cmocka_unit_test(number_of_conflicts_is_limited),
        cmocka_unit_test(long_strings_are_edited_and_shared),
        cmocka_unit_test(failing_memory_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
