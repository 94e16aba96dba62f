/* SPDX-License-Identifier: Apache-2.0 */
/* The laws of ot/type.h on random JSON documents and operations. */
#include "unit/ot/json_model.h"

enum { ROUNDS = 3000 };

static void fail_on(const char *law, struct weft_tree_value *doc, const struct weft_tree_op *a,
                    const struct weft_tree_op *b)
{
    char *text = json_of(NULL, doc);
    char *one = json_of(a, NULL);
    char *two = b ? json_of(b, NULL) : NULL;
    fail_msg("%s: doc %s a %s b %s", law, text, one, two ? two : "");
}

static void applying_two_is_applying_their_composition(void **state)
{
    (void)state;
    struct test_random rng;
    test_random_init(&rng, "json compose");
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct weft_tree_value *doc = random_doc(&rng);
        struct weft_tree_op *a = random_op(&rng, doc);
        struct weft_tree_value *middle = after(doc, a);
        struct weft_tree_op *b = random_op(&rng, middle);
        struct weft_tree_value *end = after(middle, b);
        struct weft_tree_op *both;
        assert_ok(weft__tree_compose(weft_alloc_default(), a, b, &both, NULL));
        struct weft_tree_value *same = after(doc, both);
        if (!weft__tree_equal(end, same))
            fail_on("compose", doc, a, b);
        weft__tree_unref(same);
        weft__tree_unref(end);
        weft__tree_unref(middle);
        weft__tree_unref(doc);
        weft__tree_op_free(both);
        weft__tree_op_free(b);
        weft__tree_op_free(a);
    }
}

/* |doc| after |first|, then |second| as it is behind it. */
static struct weft_tree_value *one_way(struct weft_tree_value *doc,
                                       const struct weft_tree_op *first,
                                       const struct weft_tree_op *second, enum weft_ot_side side)
{
    struct weft_tree_op *moved;
    struct weft_tree_value *middle = after(doc, first);
    assert_ok(weft__tree_transform(weft_alloc_default(), second, first, side, NULL, &moved, NULL));
    struct weft_tree_value *end = after(middle, moved);
    weft__tree_unref(middle);
    weft__tree_op_free(moved);
    return end;
}

static void both_orders_lead_to_one_document(void **state)
{
    (void)state;
    struct test_random rng;
    test_random_init(&rng, "json transform");
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct weft_tree_value *doc = random_doc(&rng);
        struct weft_tree_op *a = random_op(&rng, doc);
        struct weft_tree_op *b = random_op(&rng, doc);
        struct weft_tree_value *x = one_way(doc, a, b, WEFT_OT_SIDE_RIGHT);
        struct weft_tree_value *y = one_way(doc, b, a, WEFT_OT_SIDE_LEFT);
        if (!weft__tree_equal(x, y))
            fail_on("transform", doc, a, b);
        weft__tree_unref(x);
        weft__tree_unref(y);
        weft__tree_unref(doc);
        weft__tree_op_free(b);
        weft__tree_op_free(a);
    }
}

static void inverse_leads_back(void **state)
{
    (void)state;
    struct test_random rng;
    test_random_init(&rng, "json invert");
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct weft_tree_value *doc = random_doc(&rng);
        struct weft_tree_op *op = random_op(&rng, doc);
        struct weft_tree_op *inverse;
        struct weft_tree_value *middle = after(doc, op);
        assert_ok(weft__tree_invert(weft_alloc_default(), op, doc, &inverse, NULL));
        struct weft_tree_value *back = after(middle, inverse);
        if (!weft__tree_equal(doc, back))
            fail_on("invert", doc, op, inverse);
        weft__tree_unref(back);
        weft__tree_unref(middle);
        weft__tree_unref(doc);
        weft__tree_op_free(inverse);
        weft__tree_op_free(op);
    }
}

static void difference_leads_from_one_document_to_the_other(void **state)
{
    (void)state;
    struct test_random rng;
    test_random_init(&rng, "json diff");
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct weft_tree_value *from = random_doc(&rng);
        struct weft_tree_op *op = random_op(&rng, from);
        struct weft_tree_value *to =
            test_random_one_in(&rng, 4) ? random_doc(&rng) : after(from, op);
        struct weft_tree_op *difference;
        assert_ok(weft__tree_diff(weft_alloc_default(), from, to, &difference, NULL));
        struct weft_tree_value *end = after(from, difference);
        if (!weft__tree_equal(to, end))
            fail_on("diff", from, difference, op);
        weft__tree_unref(end);
        weft__tree_unref(to);
        weft__tree_unref(from);
        weft__tree_op_free(difference);
        weft__tree_op_free(op);
    }
}

/* What is written reads back as the same. */
static void written_operations_are_canonical(void **state)
{
    (void)state;
    struct test_random rng;
    test_random_init(&rng, "json canonical");
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct weft_tree_value *doc = random_doc(&rng);
        struct weft_tree_op *op = random_op(&rng, doc);
        char *json = json_of(op, NULL);
        struct weft_tree_op *again = op_of(json);
        assert_op_is(again, json);
        weft__tree_op_free(again);
        weft__tree_op_free(op);
        weft__tree_unref(doc);
        free(json);
    }
}

/* Each removes what the other puts something into, and both put something at one key: whichever
 * conflict is met first, both sides resolve the removals first. The reference does not. */
static void conflicts_are_resolved_in_one_order(void **state)
{
    (void)state;
    struct weft_tree_value *doc =
        value_of("{\"b\":{\"a\":\"x\",\"b\":{\"l\":\"hello\"}},\"list\":[1,{\"c\":true}]}");
    struct weft_tree_op *a =
        op_of("[[\"\",{\"d\":0}],[\"b\",[\"a\",{\"p\":0}],[\"b\",\"l\",{\"r\":true,"
              "\"i\":\"\"}]],[\"list\",{\"r\":true,\"i\":null}]]");
    struct weft_tree_op *b = op_of("[[\"\",{\"i\":true}],[\"b\",{\"p\":0},\"b\",{\"r\":true}],"
                                   "[\"list\",1,\"l\",{\"d\":0}]]");
    struct weft_tree_value *x = one_way(doc, a, b, WEFT_OT_SIDE_RIGHT);
    struct weft_tree_value *y = one_way(doc, b, a, WEFT_OT_SIDE_LEFT);
    assert_value_is(x, "{\"\":true,\"list\":null}");
    assert_value_is(y, "{\"\":true,\"list\":null}");
    weft__tree_unref(x);
    weft__tree_unref(y);
    weft__tree_unref(doc);
    weft__tree_op_free(a);
    weft__tree_op_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(applying_two_is_applying_their_composition),
        cmocka_unit_test(both_orders_lead_to_one_document),
        cmocka_unit_test(conflicts_are_resolved_in_one_order),
        cmocka_unit_test(inverse_leads_back),
        cmocka_unit_test(difference_leads_from_one_document_to_the_other),
        cmocka_unit_test(written_operations_are_canonical),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
