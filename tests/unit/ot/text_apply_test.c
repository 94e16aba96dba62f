/* SPDX-License-Identifier: Apache-2.0 */
/* Text operations on documents: apply, refuse whole, invert. */
#include "unit/ot/model.h"

static void rope_of(const char *text, struct weft_rope *ret_rope)
{
    weft__rope_init(ret_rope, weft_alloc_default());
    assert_ok(weft__rope_insert(ret_rope, 0, weft__slice_str(text)));
}

static void assert_rope_text(struct weft_rope *rope, const char *text)
{
    assert_int_equal(weft__rope_bytes(rope), strlen(text));
    assert_true(weft__rope_matches(rope, 0, weft__slice_str(text)));
}

static void assert_applies(const char *doc, const char *json, const char *want)
{
    struct weft_rope rope;
    struct weft_text_op *op = op_of(json);
    rope_of(doc, &rope);
    assert_ok(weft__text_apply(&rope, op, NULL));
    assert_rope_text(&rope, want);
    weft__text_free(op);
    weft__rope_done(&rope);
}

static void assert_does_not_fit(const char *doc, const char *json, int status)
{
    struct weft_rope rope;
    struct weft_ot_error error = {0};
    struct weft_text_op *inverse = NULL;
    struct weft_text_op *op = op_of(json);
    rope_of(doc, &rope);
    assert_err(weft__text_apply(&rope, op, &error), WEFT_ERR_OP);
    assert_int_equal(error.status, status);
    assert_rope_text(&rope, doc);
    error.status = 0;
    assert_err(weft__text_invert(weft_alloc_default(), op, &rope, &inverse, &error), WEFT_ERR_OP);
    assert_int_equal(error.status, status);
    assert_null(inverse);
    assert_err(weft__text_apply(&rope, op, NULL), WEFT_ERR_OP);
    weft__text_free(op);
    weft__rope_done(&rope);
}

static void positions_count_code_points(void **state)
{
    (void)state;
    assert_applies("", "[]", "");
    assert_applies("", "[\"hi\"]", "hi");
    assert_applies("abc", "[1,\"X\",{\"d\":1}]", "aXc");
    assert_applies("a\xf0\x9f\x98\x80z", "[1,{\"d\":1},\"\xc3\xa9\",1,\"!\"]", "a\xc3\xa9z!");
    assert_applies("a\xf0\x9f\x98\x80z", "[1,{\"d\":\"\xf0\x9f\x98\x80\"}]", "az");
    assert_applies("abc", "[{\"d\":3}]", "");
    assert_applies("abc", "[3,\"d\"]", "abcd");
}

static void counts_past_the_end_are_out_of_range(void **state)
{
    (void)state;
    assert_does_not_fit("", "[1,\"x\"]", WEFT_STATUS_OUT_OF_RANGE);
    assert_does_not_fit("", "[{\"d\":1}]", WEFT_STATUS_OUT_OF_RANGE);
    assert_does_not_fit("a\xf0\x9f\x98\x80", "[3,\"x\"]", WEFT_STATUS_OUT_OF_RANGE);
    assert_does_not_fit("abc", "[2,{\"d\":2}]", WEFT_STATUS_OUT_OF_RANGE);
    assert_does_not_fit("abc", "[\"x\",2147483647,\"y\"]", WEFT_STATUS_OUT_OF_RANGE);
    assert_does_not_fit("abc", "[{\"d\":\"abcd\"}]", WEFT_STATUS_OUT_OF_RANGE);
}

static void deletion_of_other_text_is_refused_whole(void **state)
{
    (void)state;
    assert_does_not_fit("abc", "[\"x\",{\"d\":\"ab\"},{\"d\":\"x\"}]",
                        WEFT_STATUS_FAILED_PRECONDITION);
    assert_does_not_fit("abc", "[1,{\"d\":\"c\"}]", WEFT_STATUS_FAILED_PRECONDITION);
    /* As many bytes, other characters. */
    assert_does_not_fit("\xc3\xa9", "[{\"d\":\"\xc3\xa8\"}]", WEFT_STATUS_FAILED_PRECONDITION);
}

static void inverse_is_the_walk_with_insertions_and_deletions_exchanged(void **state)
{
    (void)state;
    struct weft_rope rope;
    struct weft_text_op *inverse;
    struct weft_text_op *op = op_of("[1,\"XY\",{\"d\":2},1,{\"d\":\"e\"},\"Z\"]");
    rope_of("abcde", &rope);
    assert_ok(weft__text_invert(weft_alloc_default(), op, &rope, &inverse, NULL));
    assert_op_is(inverse, "[1,{\"d\":\"XY\"},\"bc\",1,\"e\",{\"d\":\"Z\"}]");
    weft__text_free(inverse);
    weft__text_free(op);
    weft__rope_done(&rope);
}

static void random_operations_equal_the_array_and_invert(void **state)
{
    (void)state;
    struct test_random rng;
    test_random_init(&rng, "random_operations_equal_the_array_and_invert");
    for (size_t run = 0; run < 1500; run++) {
        struct model m = model_random(&rng, test_random_size(&rng, 0, run % 50 ? 30 : 4000));
        struct model after = model_copy(&m);
        struct weft_text_op *op = op_random(&rng, &m);
        struct weft_text_op *inverse;
        struct weft_rope rope;
        model_rope(&m, weft_alloc_default(), &rope);
        assert_ok(weft__text_invert(weft_alloc_default(), op, &rope, &inverse, NULL));
        assert_ok(weft__text_apply(&rope, op, NULL));
        model_apply(&after, op);
        assert_rope_is(&rope, &after);
        assert_ok(weft__text_apply(&rope, inverse, NULL));
        assert_rope_is(&rope, &m);
        weft__text_free(inverse);
        weft__text_free(op);
        weft__rope_done(&rope);
        model_done(&after);
        model_done(&m);
    }
}

/* A document, an operation and what becomes of both while memory fails. */
struct failing {
    struct model m;
    struct weft_text_op *op;
};

static int apply_under_failure(const struct weft_alloc *alloc, void *ctx)
{
    struct failing *f = ctx;
    struct weft_rope rope;
    struct weft_ot_error error = {0};
    struct weft_bytes text = model_utf8(&f->m);
    weft__rope_init(&rope, alloc);
    int err = weft__rope_insert(&rope, 0, weft__bytes_slice(&text));
    if (!err) {
        err = weft__text_apply(&rope, f->op, &error);
        if (err) {
            assert_int_equal(error.status, WEFT_STATUS_RESOURCE_EXHAUSTED);
            assert_rope_is(&rope, &f->m);
        }
    }
    weft__bytes_done(&text);
    weft__rope_done(&rope);
    return err;
}

static int invert_under_failure(const struct weft_alloc *alloc, void *ctx)
{
    struct failing *f = ctx;
    struct weft_rope rope;
    struct weft_text_op *inverse = NULL;
    struct weft_ot_error error = {0};
    model_rope(&f->m, weft_alloc_default(), &rope);
    int err = weft__text_invert(alloc, f->op, &rope, &inverse, &error);
    assert_int_equal(error.status, err ? WEFT_STATUS_RESOURCE_EXHAUSTED : 0);
    weft__text_free(inverse);
    weft__rope_done(&rope);
    return err;
}

static void failing_memory_applies_nothing(void **state)
{
    (void)state;
    struct test_random rng;
    test_random_seed(&rng, 3);
    struct failing f = {.m = model_random(&rng, 3000)};
    char json[4096] = "[";
    for (size_t i = 0; i < 20; i++)
        strcat(json, "30,\"some text that makes leaves split sooner or later\",{\"d\":20},");
    strcat(json, "\"end\"]");
    f.op = op_of(json);
    assert_true(test_each_alloc_failure(apply_under_failure, &f) > 5);
    assert_true(test_each_alloc_failure(invert_under_failure, &f) > 2);
    weft__text_free(f.op);
    model_done(&f.m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(positions_count_code_points),
        cmocka_unit_test(counts_past_the_end_are_out_of_range),
        cmocka_unit_test(deletion_of_other_text_is_refused_whole),
        cmocka_unit_test(inverse_is_the_walk_with_insertions_and_deletions_exchanged),
        cmocka_unit_test(random_operations_equal_the_array_and_invert),
        cmocka_unit_test(failing_memory_applies_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
