/* SPDX-License-Identifier: Apache-2.0 */
/* The laws of ot/type.h on random rich text, with embeds that hold documents. */
#include "unit/ot/rich_model.h"

enum {
    ROUNDS = 2000,
    ROUNDS_LARGE = 20,
    LONGEST = 6,           /* characters of an insertion */
    LONGEST_LARGE = 20000, /* so that documents have many chunks */
};

static void fail_on(const char *law, void *doc, const void *a, const void *b)
{
    char *text = json_of(NULL, doc);
    char *one = json_of(a, NULL);
    char *two = b ? json_of(b, NULL) : NULL;
    fail_msg("%s: doc %s a %s b %s", law, text, one, two ? two : "");
}

static void check_compose(struct test_random *rng, size_t longest)
{
    void *doc = random_doc(rng, longest);
    void *a = random_op(rng, doc, longest);
    void *middle = after(doc, a);
    void *b = random_op(rng, middle, longest);
    void *end = after(middle, b);
    void *c = random_op(rng, end, longest);
    void *ab = compose(a, b);
    void *bc = compose(b, c);
    void *one = compose(ab, c);
    void *two = compose(a, bc);
    void *same = after(doc, ab);
    void *last = after(end, c);
    void *last_one = after(doc, one);
    void *last_two = after(doc, two);
    if (!same_docs(end, same))
        fail_on("compose", doc, a, b);
    assert_true(rich->doc_bytes(middle) <= rich->doc_bytes(doc) + rich->op_growth(a));
    assert_true(rich->doc_bytes(last) <= rich->doc_bytes(end) + rich->op_growth(c));
    if (!same_docs(last, last_one) || !same_docs(last, last_two))
        fail_on("associativity", doc, ab, c);
    char *written = json_of(two, NULL);
    assert_op_is(one, written);
    free(written);
    rich->doc_free(last_two);
    rich->doc_free(last_one);
    rich->doc_free(last);
    rich->doc_free(same);
    rich->doc_free(end);
    rich->doc_free(middle);
    rich->doc_free(doc);
    rich->op_free(two);
    rich->op_free(one);
    rich->op_free(bc);
    rich->op_free(ab);
    rich->op_free(c);
    rich->op_free(b);
    rich->op_free(a);
}

static void applying_in_turn_is_applying_the_composition(void **state)
{
    (void)state;
    struct test_random rng;
    test_random_init(&rng, "rich compose");
    for (unsigned i = 0; i < ROUNDS; i++)
        check_compose(&rng, LONGEST);
    for (unsigned i = 0; i < ROUNDS_LARGE; i++)
        check_compose(&rng, LONGEST_LARGE);
}

/* |doc| after |first|, then |second| as it is behind it. */
static void *one_way(void *doc, const void *first, const void *second, enum weft_ot_side side)
{
    void *middle = after(doc, first);
    void *moved = transform(second, first, side);
    void *end = after(middle, moved);
    rich->doc_free(middle);
    rich->op_free(moved);
    return end;
}

static void check_transform(struct test_random *rng, size_t longest)
{
    void *doc = random_doc(rng, longest);
    void *a = random_op(rng, doc, longest);
    void *b = random_op(rng, doc, longest);
    void *x = one_way(doc, a, b, WEFT_OT_SIDE_RIGHT);
    void *y = one_way(doc, b, a, WEFT_OT_SIDE_LEFT);
    if (!same_docs(x, y))
        fail_on("transform", doc, a, b);
    rich->doc_free(x);
    rich->doc_free(y);
    rich->doc_free(doc);
    rich->op_free(b);
    rich->op_free(a);
}

static void both_orders_lead_to_one_document(void **state)
{
    (void)state;
    struct test_random rng;
    test_random_init(&rng, "rich transform");
    for (unsigned i = 0; i < ROUNDS; i++)
        check_transform(&rng, LONGEST);
    for (unsigned i = 0; i < ROUNDS_LARGE; i++)
        check_transform(&rng, LONGEST_LARGE);
}

static void check_invert(struct test_random *rng, size_t longest)
{
    void *doc = random_doc(rng, longest);
    void *op = random_op(rng, doc, longest);
    void *middle = after(doc, op);
    void *inverse;
    assert_ok(rich->op_invert(weft_alloc_default(), op, doc, &inverse, NULL));
    void *back = after(middle, inverse);
    if (!same_docs(doc, back))
        fail_on("invert", doc, op, inverse);
    rich->doc_free(back);
    rich->doc_free(middle);
    rich->doc_free(doc);
    rich->op_free(inverse);
    rich->op_free(op);
}

static void inverse_leads_back(void **state)
{
    (void)state;
    struct test_random rng;
    test_random_init(&rng, "rich invert");
    for (unsigned i = 0; i < ROUNDS; i++)
        check_invert(&rng, LONGEST);
    for (unsigned i = 0; i < ROUNDS_LARGE; i++)
        check_invert(&rng, LONGEST_LARGE);
}

static void positions_are_in_order_and_inside_the_document(void **state)
{
    (void)state;
    struct test_random rng;
    test_random_init(&rng, "rich position");
    for (unsigned i = 0; i < ROUNDS; i++) {
        void *doc = random_doc(&rng, LONGEST);
        void *op = random_op(&rng, doc, LONGEST);
        void *end = after(doc, op);
        uint64_t at = test_random_below(&rng, rich->doc_length(doc) + 1);
        uint64_t left = rich->op_position(op, at, WEFT_OT_SIDE_LEFT);
        uint64_t right = rich->op_position(op, at, WEFT_OT_SIDE_RIGHT);
        assert_true(left <= right && right <= rich->doc_length(end));
        rich->doc_free(end);
        rich->doc_free(doc);
        rich->op_free(op);
    }
}

static void check_diff(struct test_random *rng, size_t longest)
{
    void *from = random_doc(rng, longest);
    void *op = random_op(rng, from, longest);
    void *to = test_random_one_in(rng, 4) ? random_doc(rng, longest) : after(from, op);
    void *difference;
    assert_ok(rich->doc_diff(weft_alloc_default(), from, to, &difference, NULL));
    void *end = after(from, difference);
    if (!same_docs(end, to))
        fail_on("diff", from, difference, op);
    rich->doc_free(end);
    rich->doc_free(to);
    rich->doc_free(from);
    rich->op_free(difference);
    rich->op_free(op);
}

static void difference_leads_from_one_document_to_the_other(void **state)
{
    (void)state;
    struct test_random rng;
    test_random_init(&rng, "rich diff");
    for (unsigned i = 0; i < ROUNDS; i++)
        check_diff(&rng, LONGEST);
    for (unsigned i = 0; i < ROUNDS_LARGE; i++)
        check_diff(&rng, LONGEST_LARGE);
}

static void normal_operations_do_the_same(void **state)
{
    (void)state;
    struct test_random rng;
    test_random_init(&rng, "rich normalize");
    for (unsigned i = 0; i < ROUNDS; i++) {
        void *doc = random_doc(&rng, LONGEST);
        void *op = random_op(&rng, doc, LONGEST);
        void *normal;
        assert_ok(rich->op_normalize(weft_alloc_default(), op, &normal, NULL));
        void *one = after(doc, op);
        void *two = after(doc, normal);
        if (!same_docs(one, two))
            fail_on("normalize", doc, op, normal);
        rich->doc_free(two);
        rich->doc_free(one);
        rich->doc_free(doc);
        rich->op_free(normal);
        rich->op_free(op);
    }
}

/* What is written reads back as the same. */
static void written_operations_are_canonical(void **state)
{
    (void)state;
    struct test_random rng;
    test_random_init(&rng, "rich canonical");
    for (unsigned i = 0; i < ROUNDS; i++) {
        void *doc = random_doc(&rng, LONGEST);
        void *op = random_op(&rng, doc, LONGEST);
        char *json = json_of(op, NULL);
        char *text = json_of(NULL, doc);
        void *again = op_of(json);
        void *copy = doc_of(text);
        assert_op_is(again, json);
        assert_true(same_docs(doc, copy));
        rich->doc_free(copy);
        rich->op_free(again);
        rich->op_free(op);
        rich->doc_free(doc);
        free(text);
        free(json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(applying_in_turn_is_applying_the_composition),
        cmocka_unit_test(both_orders_lead_to_one_document),
        cmocka_unit_test(inverse_leads_back),
        cmocka_unit_test(difference_leads_from_one_document_to_the_other),
        cmocka_unit_test(normal_operations_do_the_same),
        cmocka_unit_test(positions_are_in_order_and_inside_the_document),
        cmocka_unit_test(written_operations_are_canonical),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
