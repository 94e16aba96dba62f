/* SPDX-License-Identifier: Apache-2.0 */
/* Many operations as one, and the law of catching up that rests on it: docs/protocol/documents.md,
 * "Catching up". */
#include "lib/fault_alloc.h"
#include "lib/test.h"
#include "ot/fold.h"

enum { ROUNDS = 300, LONGEST = 40, TEXT = 160 };

/* A kind of document, with operations that somebody might make. |len| is the length of what is
 * edited, of which the operation keeps count. */
struct subject {
    const struct weft_ot_type *type;
    const char *snapshot;
    size_t len;
    void (*make)(struct test_random *rng, size_t *len, char *text);
};

static void make_text(struct test_random *rng, size_t *len, char *text)
{
    size_t at = test_random_below(rng, *len + 1);
    size_t gone = 1 + test_random_below(rng, 3);
    char skip[32] = "";
    if (at)
        snprintf(skip, sizeof(skip), "%zu,", at);
    if (test_random_below(rng, 3) && *len < 60) {
        snprintf(text, TEXT, "[%s\"%c\"]", skip, 'a' + (int)test_random_below(rng, 26));
        (*len)++;
    } else if (at + gone <= *len) {
        snprintf(text, TEXT, "[%s{\"d\":%zu}]", skip, gone);
        *len -= gone;
    } else {
        snprintf(text, TEXT, "[]");
    }
}

static void make_json(struct test_random *rng, size_t *len, char *text)
{
    size_t at = *len ? test_random_below(rng, *len) : 0;
    unsigned kind = (unsigned)test_random_below(rng, *len ? 6 : 2);
    unsigned number = (unsigned)test_random_below(rng, 100);
    switch (kind) {
    case 0:
        snprintf(text, TEXT, "[\"list\",%zu,{\"i\":%u}]", at, number);
        (*len)++;
        break;
    case 1:
        snprintf(text, TEXT, "[\"%c\",{\"r\":true,\"i\":%u}]", 'a' + (int)test_random_below(rng, 3),
                 number);
        break;
    case 2:
        snprintf(text, TEXT, "[\"list\",%zu,{\"r\":true}]", at);
        (*len)--;
        break;
    case 3:
        snprintf(text, TEXT, "[\"text\",{\"es\":[\"%c\"]}]", 'a' + (int)test_random_below(rng, 26));
        break;
    case 4:
        snprintf(text, TEXT, "[\"n\",{\"ena\":%u}]", number);
        break;
    default:
        snprintf(text, TEXT, "[\"list\",[0,{\"d\":0}],[%zu,{\"p\":0}]]", at);
        if (at == 0)
            snprintf(text, TEXT, "null");
        break;
    }
}

static void make_rich(struct test_random *rng, size_t *len, char *text)
{
    size_t at = (size_t)test_random_below(rng, *len + 1);
    size_t left = *len - at;
    char skip[48] = "";
    if (at > 0)
        snprintf(skip, sizeof(skip), "{\"retain\":%zu},", at);
    if (left == 0 || test_random_one_in(rng, 2)) {
        snprintf(text, TEXT, "[%s{\"insert\":\"%c\"}]", skip,
                 'a' + (int)test_random_below(rng, 26));
        (*len)++;
    } else if (test_random_one_in(rng, 2)) {
        snprintf(text, TEXT, "[%s{\"retain\":1,\"attributes\":{\"b\":%s}}]", skip,
                 test_random_one_in(rng, 2) ? "1" : "null");
    } else {
        snprintf(text, TEXT, "[%s{\"delete\":1}]", skip);
        (*len)--;
    }
}

static const struct subject subjects[] = {
    {&weft__ot_text, "\"abc\"", 3, make_text},
    {&weft__ot_json, "{\"a\":1,\"b\":2,\"c\":3,\"list\":[1,2,3],\"n\":0,\"text\":\"\"}", 3,
     make_json},
    {&weft__ot_rich, "[{\"insert\":\"abc\"}]", 3, make_rich},
};

static const struct weft_json *parse(struct weft_arena *arena, const char *json)
{
    const struct weft_json *value;
    assert_ok(weft__json_parse(weft__slice_str(json), arena, NULL, NULL, &value));
    return value;
}

static void *doc_of(const struct subject *s)
{
    struct weft_arena arena;
    void *doc;
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    assert_ok(s->type->doc_new(weft_alloc_default(), parse(&arena, s->snapshot), &doc, NULL));
    weft__arena_done(&arena);
    return doc;
}

static void *op_of(const struct weft_ot_type *type, const char *json)
{
    struct weft_arena arena;
    struct weft_ot_error error = {0};
    void *op;
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    if (type->op_parse(weft_alloc_default(), parse(&arena, json), &op, &error))
        fail_msg("%s: %s", json, error.message);
    weft__arena_done(&arena);
    return op;
}

static void apply(const struct subject *s, void *doc, const void *op)
{
    struct weft_ot_error error = {0};
    if (s->type->doc_apply(doc, op, &error))
        fail_msg("%s: %s", s->type->name, error.message);
}

static char *text_of(const struct subject *s, void *doc)
{
    struct weft_bytes out;
    struct weft_json_writer w;
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    weft__json_writer_init(&w, &out);
    s->type->doc_write(doc, &w);
    weft__bytes_append_byte(&out, '\0');
    assert_ok(weft__bytes_error(&out));
    char *text = strdup((const char *)out.ptr);
    weft__bytes_done(&out);
    return text;
}

/* |count| operations of one author, one after the other, as one; |doc| becomes what they lead to.
 */
static void *branch(const struct subject *s, struct test_random *rng, size_t count, void *doc)
{
    struct weft_ot_fold fold;
    char text[TEXT];
    size_t len = s->len;
    const void *sum;
    bool owned;
    weft__ot_fold_init(&fold, weft_alloc_default(), s->type);
    for (size_t i = 0; i < count; i++) {
        s->make(rng, &len, text);
        void *op = op_of(s->type, text);
        apply(s, doc, op);
        assert_ok(weft__ot_fold_push(&fold, op, true, NULL));
    }
    assert_ok(weft__ot_fold_finish(&fold, &sum, &owned, NULL));
    assert_true(owned);
    return (void *)(uintptr_t)sum;
}

static void assert_same(const struct subject *s, void *a, void *b)
{
    char *one = text_of(s, a);
    char *two = text_of(s, b);
    assert_string_equal(one, two);
    free(one);
    free(two);
}

static void the_sum_does_what_all_do_one_after_the_other(void **state)
{
    (void)state;
    struct test_random rng;
    test_random_init(&rng, "fold");
    for (unsigned i = 0; i < ROUNDS; i++) {
        const struct subject *s = &subjects[i % WEFT_ARRAY_LEN(subjects)];
        void *singly = doc_of(s);
        void *at_once = doc_of(s);
        void *sum = branch(s, &rng, 1 + test_random_below(&rng, LONGEST), singly);
        apply(s, at_once, sum);
        assert_same(s, singly, at_once);
        s->type->op_free(sum);
        s->type->doc_free(singly);
        s->type->doc_free(at_once);
    }
}

/* What a client does that comes back: its own edits as one over those of everybody else as one. */
static void two_branches_meet_after_one_transformation_each(void **state)
{
    (void)state;
    struct test_random rng;
    test_random_init(&rng, "catching up");
    for (unsigned i = 0; i < ROUNDS; i++) {
        const struct subject *s = &subjects[i % WEFT_ARRAY_LEN(subjects)];
        void *client = doc_of(s);
        void *server = doc_of(s);
        void *pending = branch(s, &rng, 1 + test_random_below(&rng, LONGEST), client);
        void *missed = branch(s, &rng, 1 + test_random_below(&rng, LONGEST), server);
        void *submitted;
        void *received;
        assert_ok(s->type->op_transform(weft_alloc_default(), pending, missed, WEFT_OT_SIDE_LEFT,
                                        &submitted, NULL));
        assert_ok(s->type->op_transform(weft_alloc_default(), missed, pending, WEFT_OT_SIDE_RIGHT,
                                        &received, NULL));
        apply(s, client, received);
        apply(s, server, submitted);
        assert_same(s, client, server);
        s->type->op_free(submitted);
        s->type->op_free(received);
        s->type->op_free(pending);
        s->type->op_free(missed);
        s->type->doc_free(client);
        s->type->doc_free(server);
    }
}

/* Why what a submit in flight meets is not composed: the two sides would place it differently. */
static void a_sum_and_its_parts_differ_in_ties(void **state)
{
    (void)state;
    const struct weft_alloc *alloc = weft_alloc_default();
    const struct weft_ot_type *type = &weft__ot_text;
    void *pending = op_of(type, "[2,\"X\"]");
    void *first = op_of(type, "[1,{\"d\":1}]");
    void *second = op_of(type, "[1,\"Y\"]");
    void *both;
    void *once;
    void *step;
    void *twice;
    assert_ok(type->op_compose(alloc, first, second, &both, NULL));
    assert_ok(type->op_transform(alloc, pending, both, WEFT_OT_SIDE_LEFT, &once, NULL));
    assert_ok(type->op_transform(alloc, pending, first, WEFT_OT_SIDE_LEFT, &step, NULL));
    assert_ok(type->op_transform(alloc, step, second, WEFT_OT_SIDE_LEFT, &twice, NULL));
    assert_int_equal(type->op_position(once, 0, WEFT_OT_SIDE_RIGHT), 0);
    assert_int_equal(type->op_position(once, 1, WEFT_OT_SIDE_RIGHT), 1);
    assert_int_equal(type->op_position(twice, 1, WEFT_OT_SIDE_RIGHT), 2);
    void *const all[] = {pending, first, second, both, once, step, twice};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(all); i++)
        type->op_free(all[i]);
}

static void one_operation_that_was_lent_comes_back(void **state)
{
    (void)state;
    struct weft_ot_fold fold;
    const void *sum;
    bool owned;
    void *op = op_of(&weft__ot_text, "[\"x\"]");
    weft__ot_fold_init(&fold, weft_alloc_default(), &weft__ot_text);
    assert_ok(weft__ot_fold_push(&fold, op, false, NULL));
    assert_ok(weft__ot_fold_finish(&fold, &sum, &owned, NULL));
    assert_ptr_equal(sum, op);
    assert_false(owned);
    assert_ok(weft__ot_fold_push(&fold, op, false, NULL));
    weft__ot_fold_done(&fold);
    weft__ot_text.op_free(op);
}

/* Seven operations of |ctx|, lent, so that sums of every weight are made. */
static int fold_all(const struct weft_alloc *alloc, void *ctx)
{
    struct weft_ot_fold fold;
    const void *sum;
    bool owned = false;
    int err = 0;
    weft__ot_fold_init(&fold, alloc, &weft__ot_text);
    for (int i = 0; i < 7 && !err; i++)
        err = weft__ot_fold_push(&fold, ctx, false, NULL);
    if (!err)
        err = weft__ot_fold_finish(&fold, &sum, &owned, NULL);
    if (!err && owned)
        weft__ot_text.op_free((void *)(uintptr_t)sum);
    weft__ot_fold_done(&fold);
    return err;
}

static void every_lack_of_memory_is_told_and_leaks_nothing(void **state)
{
    (void)state;
    void *op = op_of(&weft__ot_text, "[\"x\"]");
    assert_true(test_each_alloc_failure(fold_all, op) >= 6);
    weft__ot_text.op_free(op);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sum_does_what_all_do_one_after_the_other),
        cmocka_unit_test(two_branches_meet_after_one_transformation_each),
        cmocka_unit_test(a_sum_and_its_parts_differ_in_ties),
        cmocka_unit_test(one_operation_that_was_lent_comes_back),
        cmocka_unit_test(every_lack_of_memory_is_told_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
