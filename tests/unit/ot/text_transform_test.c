/* SPDX-License-Identifier: Apache-2.0 */
/* Transform, compose and positions: cases that decide ties, and the laws on random operations. */
#include "unit/ot/model.h"

static struct weft_text_op *transform(const struct weft_text_op *a, const struct weft_text_op *b,
                                      enum weft_ot_side side)
{
    struct weft_text_op *op;
    assert_ok(weft__text_transform(weft_alloc_default(), a, b, side, &op, NULL));
    return op;
}

static struct weft_text_op *compose(const struct weft_text_op *a, const struct weft_text_op *b)
{
    struct weft_text_op *op;
    assert_ok(weft__text_compose(weft_alloc_default(), a, b, &op, NULL));
    return op;
}

static void assert_transforms(const char *a, const char *b, enum weft_ot_side side,
                              const char *want)
{
    struct weft_text_op *op = op_of(a);
    struct weft_text_op *other = op_of(b);
    struct weft_text_op *result = transform(op, other, side);
    assert_op_is(result, want);
    weft__text_free(result);
    weft__text_free(other);
    weft__text_free(op);
}

static void left_insertion_comes_first(void **state)
{
    (void)state;
    assert_transforms("[\"A\"]", "[\"BB\"]", WEFT_OT_SIDE_LEFT, "[\"A\"]");
    assert_transforms("[\"A\"]", "[\"BB\"]", WEFT_OT_SIDE_RIGHT, "[2,\"A\"]");
    assert_transforms("[3,\"A\"]", "[3,\"BB\"]", WEFT_OT_SIDE_LEFT, "[3,\"A\"]");
    assert_transforms("[3,\"A\"]", "[3,\"BB\"]", WEFT_OT_SIDE_RIGHT, "[5,\"A\"]");
    /* Not at one place: the side does not matter. */
    assert_transforms("[3,\"A\"]", "[2,\"BB\"]", WEFT_OT_SIDE_LEFT, "[5,\"A\"]");
    assert_transforms("[2,\"A\"]", "[3,\"BB\"]", WEFT_OT_SIDE_RIGHT, "[2,\"A\"]");
}

static void text_already_deleted_is_not_deleted_again(void **state)
{
    (void)state;
    assert_transforms("[{\"d\":3}]", "[1,{\"d\":1}]", WEFT_OT_SIDE_LEFT, "[{\"d\":2}]");
    assert_transforms("[1,{\"d\":1}]", "[{\"d\":3}]", WEFT_OT_SIDE_LEFT, "[]");
    assert_transforms("[{\"d\":\"abc\"}]", "[1,{\"d\":1}]", WEFT_OT_SIDE_LEFT, "[{\"d\":\"ac\"}]");
    assert_transforms("[{\"d\":\"abc\"}]", "[1,\"X\"]", WEFT_OT_SIDE_LEFT,
                      "[{\"d\":\"a\"},1,{\"d\":\"bc\"}]");
}

static void insertion_inside_deleted_text_stays(void **state)
{
    (void)state;
    assert_transforms("[2,\"X\"]", "[1,{\"d\":3}]", WEFT_OT_SIDE_RIGHT, "[1,\"X\"]");
    assert_transforms("[1,{\"d\":3}]", "[2,\"X\"]", WEFT_OT_SIDE_LEFT, "[1,{\"d\":1},1,{\"d\":2}]");
}

/* Why a server transforms over each operation by itself (docs/protocol/text.md): composed first,
 * the same two operations decide the tie differently. */
static void composed_and_single_transforms_differ_in_ties(void **state)
{
    (void)state;
    struct weft_text_op *pending = op_of("[2,\"X\"]");
    struct weft_text_op *first = op_of("[1,{\"d\":1}]");
    struct weft_text_op *second = op_of("[1,\"Y\"]");
    struct weft_text_op *over_first = transform(pending, first, WEFT_OT_SIDE_LEFT);
    struct weft_text_op *one_by_one = transform(over_first, second, WEFT_OT_SIDE_LEFT);
    struct weft_text_op *both = compose(first, second);
    struct weft_text_op *at_once = transform(pending, both, WEFT_OT_SIDE_LEFT);
    assert_op_is(one_by_one, "[1,\"X\"]");
    assert_op_is(at_once, "[2,\"X\"]");
    weft__text_free(at_once);
    weft__text_free(both);
    weft__text_free(one_by_one);
    weft__text_free(over_first);
    weft__text_free(second);
    weft__text_free(first);
    weft__text_free(pending);
}

static void assert_composes(const char *a, const char *b, const char *want)
{
    struct weft_text_op *first = op_of(a);
    struct weft_text_op *second = op_of(b);
    struct weft_text_op *both = compose(first, second);
    assert_op_is(both, want);
    weft__text_free(both);
    weft__text_free(second);
    weft__text_free(first);
}

static void composition_is_canonical(void **state)
{
    (void)state;
    assert_composes("[]", "[]", "[]");
    assert_composes("[\"abc\"]", "[1,{\"d\":1}]", "[\"ac\"]");
    assert_composes("[\"abc\"]", "[{\"d\":3}]", "[]");
    assert_composes("[5,\"abc\"]", "[5,{\"d\":3}]", "[]");
    assert_composes("[1,\"b\"]", "[2,\"c\"]", "[1,\"bc\"]");
    assert_composes("[{\"d\":2}]", "[{\"d\":3}]", "[{\"d\":5}]");
    assert_composes("[{\"d\":2}]", "[\"x\"]", "[\"x\",{\"d\":2}]");
    assert_composes("[1,{\"d\":\"bc\"}]", "[{\"d\":\"ad\"}]", "[{\"d\":\"abcd\"}]");
    assert_composes("[\"xyz\"]", "[1,{\"d\":\"yz\"},{\"d\":\"a\"}]", "[\"x\",{\"d\":\"a\"}]");
}

static void deletion_of_other_text_than_was_inserted_is_refused(void **state)
{
    (void)state;
    struct weft_ot_error error = {0};
    struct weft_text_op *first = op_of("[\"abc\"]");
    struct weft_text_op *second = op_of("[1,{\"d\":\"x\"}]");
    struct weft_text_op *both = NULL;
    assert_err(weft__text_compose(weft_alloc_default(), first, second, &both, &error), WEFT_ERR_OP);
    assert_int_equal(error.status, WEFT_STATUS_FAILED_PRECONDITION);
    assert_null(both);
    weft__text_free(second);
    weft__text_free(first);
}

static void counts_that_add_up_past_every_document_are_refused(void **state)
{
    (void)state;
    struct weft_ot_error error = {0};
    struct weft_text_op *a = op_of("[2147483647,\"a\"]");
    struct weft_text_op *b = op_of("[\"b\"]");
    struct weft_text_op *result = NULL;
    assert_err(weft__text_transform(weft_alloc_default(), a, b, WEFT_OT_SIDE_LEFT, &result, &error),
               WEFT_ERR_OP);
    assert_int_equal(error.status, WEFT_STATUS_OUT_OF_RANGE);
    assert_null(result);
    weft__text_free(b);
    weft__text_free(a);
}

static void assert_position(const char *json, uint64_t pos, uint64_t left, uint64_t right)
{
    struct weft_text_op *op = op_of(json);
    assert_int_equal(weft__text_position(op, pos, WEFT_OT_SIDE_LEFT), left);
    assert_int_equal(weft__text_position(op, pos, WEFT_OT_SIDE_RIGHT), right);
    weft__text_free(op);
}

static void left_position_stays_before_what_is_inserted_there(void **state)
{
    (void)state;
    assert_position("[]", 7, 7, 7);
    assert_position("[\"abc\"]", 0, 0, 3);
    assert_position("[2,\"abc\"]", 1, 1, 1);
    assert_position("[2,\"abc\"]", 2, 2, 5);
    assert_position("[2,\"abc\"]", 3, 6, 6);
    assert_position("[1,{\"d\":3}]", 1, 1, 1);
    assert_position("[1,{\"d\":3}]", 3, 1, 1);
    assert_position("[1,{\"d\":3}]", 4, 1, 1);
    assert_position("[1,{\"d\":3}]", 6, 3, 3);
    /* Inserted behind the deleted text, which began at the position: not exactly there. */
    assert_position("[{\"d\":1},\"b\"]", 0, 0, 0);
    assert_position("[{\"d\":1},\"b\"]", 1, 0, 1);
    assert_position("[\"b\",{\"d\":1}]", 1, 1, 1);
}

/* Both orders of two concurrent operations, TP1; and the same through the composed operation. */
static void check_pair(const struct model *m, const struct weft_text_op *a,
                       const struct weft_text_op *b)
{
    struct weft_text_op *a_left = transform(a, b, WEFT_OT_SIDE_LEFT);
    struct weft_text_op *b_right = transform(b, a, WEFT_OT_SIDE_RIGHT);
    struct weft_text_op *b_then_a = compose(b, a_left);
    struct weft_text_op *a_then_b = compose(a, b_right);
    struct model one = model_copy(m);
    struct model two = model_copy(m);
    struct model three = model_copy(m);
    model_apply(&one, a);
    model_apply(&one, b_right);
    model_apply(&two, b);
    model_apply(&two, a_left);
    model_apply(&three, b_then_a);
    assert_true(model_eq(&one, &two));
    assert_true(model_eq(&one, &three));
    model_done(&three);
    three = model_copy(m);
    model_apply(&three, a_then_b);
    assert_true(model_eq(&one, &three));
    model_done(&one);
    model_done(&two);
    model_done(&three);
    weft__text_free(a_left);
    weft__text_free(b_right);
    weft__text_free(b_then_a);
    weft__text_free(a_then_b);
}

/* A position goes where an insertion at it goes, on either side. */
static void check_positions(const struct model *m, const struct weft_text_op *op)
{
    for (size_t pos = 0; pos <= m->len; pos++) {
        char json[32];
        snprintf(json, sizeof(json), pos ? "[%zu,\"|\"]" : "[\"|\"]", pos);
        struct weft_text_op *mark = op_of(json);
        for (int side = WEFT_OT_SIDE_LEFT; side <= WEFT_OT_SIDE_RIGHT; side++) {
            struct weft_text_op *moved = transform(mark, op, (enum weft_ot_side)side);
            uint64_t want = moved->count == 2 ? moved->parts[0].points : 0;
            assert_int_equal(weft__text_position(op, pos, (enum weft_ot_side)side), want);
            weft__text_free(moved);
        }
        weft__text_free(mark);
    }
}

static void random_operations_keep_the_laws(void **state)
{
    (void)state;
    struct test_random rng;
    test_random_init(&rng, "random_operations_keep_the_laws");
    for (size_t run = 0; run < 2000; run++) {
        struct model m = model_random(&rng, test_random_size(&rng, 0, 25));
        struct weft_text_op *a = op_random(&rng, &m);
        struct weft_text_op *b = op_random(&rng, &m);
        check_pair(&m, a, b);
        check_pair(&m, b, a);
        if (run % 10 == 0)
            check_positions(&m, a);
        weft__text_free(b);
        weft__text_free(a);
        model_done(&m);
    }
}

/* compose(compose(a, b), c) = compose(a, compose(b, c)), as text. */
static void composition_is_associative(void **state)
{
    (void)state;
    struct test_random rng;
    test_random_init(&rng, "composition_is_associative");
    for (size_t run = 0; run < 1000; run++) {
        struct model m = model_random(&rng, test_random_size(&rng, 0, 25));
        struct model end = model_copy(&m);
        struct weft_text_op *a = op_random(&rng, &end);
        model_apply(&end, a);
        struct weft_text_op *b = op_random(&rng, &end);
        model_apply(&end, b);
        struct weft_text_op *c = op_random(&rng, &end);
        model_apply(&end, c);
        struct weft_text_op *ab = compose(a, b);
        struct weft_text_op *bc = compose(b, c);
        struct weft_text_op *ab_c = compose(ab, c);
        struct weft_text_op *a_bc = compose(a, bc);
        struct model one = model_copy(&m);
        struct model two = model_copy(&m);
        model_apply(&one, ab_c);
        model_apply(&two, a_bc);
        assert_true(model_eq(&one, &end) && model_eq(&two, &end));
        struct weft_text_op *ops[] = {a, b, c, ab, bc, ab_c, a_bc};
        for (size_t i = 0; i < WEFT_ARRAY_LEN(ops); i++)
            weft__text_free(ops[i]);
        model_done(&one);
        model_done(&two);
        model_done(&end);
        model_done(&m);
    }
}

/* Several people and one order: each operation is made against an old version and transformed one
 * by one over what was committed since; a replica that transforms its pending operation over each
 * committed one, and each committed one over the pending one, ends with the same text. */
static void replicas_of_one_order_converge(void **state)
{
    (void)state;
    enum { OPS = 40 };
    struct test_random rng;
    test_random_init(&rng, "replicas_of_one_order_converge");
    for (size_t run = 0; run < 40; run++) {
        struct model server = model_random(&rng, test_random_size(&rng, 0, 30));
        struct model replica = model_copy(&server);
        struct weft_text_op *pending = op_random(&rng, &replica);
        model_apply(&replica, pending);
        for (size_t i = 0; i < OPS; i++) {
            struct weft_text_op *committed = op_random(&rng, &server);
            model_apply(&server, committed);
            struct weft_text_op *seen = transform(committed, pending, WEFT_OT_SIDE_RIGHT);
            struct weft_text_op *rebased = transform(pending, committed, WEFT_OT_SIDE_LEFT);
            model_apply(&replica, seen);
            weft__text_free(seen);
            weft__text_free(pending);
            weft__text_free(committed);
            pending = rebased;
        }
        model_apply(&server, pending); /* the server has transformed it the same way */
        assert_true(model_eq(&server, &replica));
        weft__text_free(pending);
        model_done(&replica);
        model_done(&server);
    }
}

struct pair {
    struct weft_text_op *a;
    struct weft_text_op *b;
};

static int transform_under_failure(const struct weft_alloc *alloc, void *ctx)
{
    struct pair *pair = ctx;
    struct weft_text_op *op = NULL;
    struct weft_ot_error error = {0};
    int err = weft__text_transform(alloc, pair->a, pair->b, WEFT_OT_SIDE_LEFT, &op, &error);
    assert_int_equal(error.status, err ? WEFT_STATUS_RESOURCE_EXHAUSTED : 0);
    weft__text_free(op);
    return err;
}

static int compose_under_failure(const struct weft_alloc *alloc, void *ctx)
{
    struct pair *pair = ctx;
    struct weft_text_op *op = NULL;
    int err = weft__text_compose(alloc, pair->a, pair->b, &op, NULL);
    weft__text_free(op);
    return err;
}

static void failing_memory_leaks_nothing(void **state)
{
    (void)state;
    char json[2048] = "[";
    for (size_t i = 0; i < 60; i++)
        strcat(json, "3,\"text\",{\"d\":1},");
    strcat(json, "\"end\"]");
    struct pair pair = {op_of(json), op_of("[1,\"x\",30,\"y\"]")};
    assert_true(test_each_alloc_failure(transform_under_failure, &pair) > 3);
    assert_true(test_each_alloc_failure(compose_under_failure, &pair) > 3);
    weft__text_free(pair.a);
    weft__text_free(pair.b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(left_insertion_comes_first),
        cmocka_unit_test(text_already_deleted_is_not_deleted_again),
        cmocka_unit_test(insertion_inside_deleted_text_stays),
        cmocka_unit_test(composed_and_single_transforms_differ_in_ties),
        cmocka_unit_test(composition_is_canonical),
        cmocka_unit_test(deletion_of_other_text_than_was_inserted_is_refused),
        cmocka_unit_test(counts_that_add_up_past_every_document_are_refused),
        cmocka_unit_test(left_position_stays_before_what_is_inserted_there),
        cmocka_unit_test(random_operations_keep_the_laws),
        cmocka_unit_test(composition_is_associative),
        cmocka_unit_test(replicas_of_one_order_converge),
        cmocka_unit_test(failing_memory_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
