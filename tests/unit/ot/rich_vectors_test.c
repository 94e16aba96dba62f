/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cases of tests/vectors/ot/rich.*, through the type table as the hub and `weft ot` use it.
 * Results are compared as JSON in canonical form.
 */
#include "lib/file.h"
#include "unit/ot/rich_model.h"

static void *get_op(const struct weft_json *line, const char *key)
{
    void *op;
    assert_ok(rich->op_parse(weft_alloc_default(), weft__json_get(line, key), &op, NULL));
    return op;
}

static void *get_doc(const struct weft_json *line, const char *key)
{
    void *doc;
    assert_ok(rich->doc_new(weft_alloc_default(), weft__json_get(line, key), &doc, NULL));
    return doc;
}

static void assert_same_op(const void *op, const struct weft_json *line, const char *key)
{
    void *want = get_op(line, key);
    char *json = json_of(want, NULL);
    assert_op_is(op, json);
    free(json);
    rich->op_free(want);
}

static void assert_same_doc(void *doc, const struct weft_json *line, const char *key)
{
    void *want = get_doc(line, key);
    assert_true(same_docs(doc, want));
    rich->doc_free(want);
}

/* apply(doc, op) is what |line| has at |key|. */
static void assert_applied(const struct weft_json *line, const char *from, const char *op_key,
                           const char *key)
{
    void *doc = get_doc(line, from);
    void *op = get_op(line, op_key);
    assert_ok(rich->doc_apply(doc, op, NULL));
    assert_same_doc(doc, line, key);
    rich->op_free(op);
    rich->doc_free(doc);
}

static void assert_composed(const struct weft_json *line, const char *a_key, const char *b_key,
                            const char *key, const char *result)
{
    void *doc = get_doc(line, "doc");
    void *a = get_op(line, a_key);
    void *b = get_op(line, b_key);
    void *ab = compose(a, b);
    if (weft__json_get(line, key))
        assert_same_op(ab, line, key);
    assert_ok(rich->doc_apply(doc, ab, NULL));
    assert_same_doc(doc, line, result);
    rich->op_free(ab);
    rich->op_free(b);
    rich->op_free(a);
    rich->doc_free(doc);
}

static void assert_inverted(const struct weft_json *line, const char *op_key, const char *key)
{
    void *doc = get_doc(line, "doc");
    void *op = get_op(line, op_key);
    void *inverse;
    assert_ok(rich->op_invert(weft_alloc_default(), op, doc, &inverse, NULL));
    assert_same_op(inverse, line, key);
    assert_ok(rich->doc_apply(doc, op, NULL));
    assert_ok(rich->doc_apply(doc, inverse, NULL));
    assert_same_doc(doc, line, "doc");
    rich->op_free(inverse);
    rich->op_free(op);
    rich->doc_free(doc);
}

/* In the reference, x.transform(y, true) makes y as it is behind x, which goes first. */
static void assert_transformed(const struct weft_json *line)
{
    static const struct {
        const char *key, *op, *other;
        enum weft_ot_side side;
    } ways[] = {
        {"a.transform(b,true)", "b", "a", WEFT_OT_SIDE_RIGHT},
        {"a.transform(b,false)", "b", "a", WEFT_OT_SIDE_LEFT},
        {"b.transform(a,true)", "a", "b", WEFT_OT_SIDE_RIGHT},
        {"b.transform(a,false)", "a", "b", WEFT_OT_SIDE_LEFT},
    };
    for (size_t i = 0; i < WEFT_ARRAY_LEN(ways); i++) {
        if (!weft__json_get(line, ways[i].key))
            continue;
        void *op = get_op(line, ways[i].op);
        void *other = get_op(line, ways[i].other);
        void *moved = transform(op, other, ways[i].side);
        assert_same_op(moved, line, ways[i].key);
        rich->op_free(moved);
        rich->op_free(other);
        rich->op_free(op);
    }
}

/* Both orders lead to what |line| has at |key|, with a in front. */
static void assert_converges(const struct weft_json *line, const char *key)
{
    void *a = get_op(line, "a");
    void *b = get_op(line, "b");
    void *a_left = transform(a, b, WEFT_OT_SIDE_LEFT);
    void *b_right = transform(b, a, WEFT_OT_SIDE_RIGHT);
    void *one = get_doc(line, "doc");
    void *two = get_doc(line, "doc");
    assert_ok(rich->doc_apply(one, a, NULL));
    assert_ok(rich->doc_apply(one, b_right, NULL));
    assert_ok(rich->doc_apply(two, b, NULL));
    assert_ok(rich->doc_apply(two, a_left, NULL));
    assert_same_doc(one, line, key);
    assert_same_doc(two, line, key);
    rich->doc_free(one);
    rich->doc_free(two);
    rich->op_free(a_left);
    rich->op_free(b_right);
    rich->op_free(b);
    rich->op_free(a);
}

static void check_apply(const struct weft_json *line)
{
    assert_applied(line, "doc", "op", "result");
}

static void check_compose(const struct weft_json *line)
{
    assert_composed(line, "a", "b", "ab", "result");
}

static void check_transform(const struct weft_json *line)
{
    assert_transformed(line);
    assert_converges(line, "result_a_first");
}

static void check_invert(const struct weft_json *line)
{
    assert_inverted(line, "op", "inverse");
    assert_applied(line, "doc", "op", "after");
}

static void check_embed(const struct weft_json *line)
{
    assert_applied(line, "doc", "a", "after_a");
    assert_transformed(line);
    assert_converges(line, "result");
    assert_composed(line, "a", "c", "a.compose(c)", "after_ac");
    assert_inverted(line, "a", "a.invert(doc)");
}

static void check_selection(const void *op, const struct weft_json *from,
                            const struct weft_json *to, enum weft_ot_side side)
{
    uint64_t at;
    uint64_t length;
    uint64_t want;
    assert_true(weft__json_u53(weft__json_get(from, "index"), &at));
    assert_true(weft__json_u53(weft__json_get(from, "length"), &length));
    assert_true(weft__json_u53(weft__json_get(to, "index"), &want));
    assert_int_equal(rich->op_position(op, at, side), want);
    uint64_t end = want;
    assert_true(weft__json_u53(weft__json_get(to, "length"), &want));
    assert_int_equal(rich->op_position(op, at + length, side), end + want);
}

static void check_position(const struct weft_json *line)
{
    uint64_t at;
    uint64_t want;
    void *op = get_op(line, "op");
    const struct weft_json *presence = weft__json_get(line, "presence");
    assert_true(weft__json_u53(weft__json_get(line, "index"), &at));
    assert_true(weft__json_u53(weft__json_get(line, "result"), &want));
    assert_int_equal(rich->op_position(op, at, WEFT_OT_SIDE_RIGHT), want);
    assert_true(weft__json_u53(weft__json_get(line, "resultPriority"), &want));
    assert_int_equal(rich->op_position(op, at, WEFT_OT_SIDE_LEFT), want);
    check_selection(op, presence, weft__json_get(line, "presenceOwn"), WEFT_OT_SIDE_RIGHT);
    check_selection(op, presence, weft__json_get(line, "presenceOther"), WEFT_OT_SIDE_LEFT);
    rich->op_free(op);
}

static void check_session(const struct weft_json *line)
{
    const struct weft_json *ops = weft__json_get(line, "ops");
    void **log = calloc(weft__json_count(ops) + 1, sizeof(*log));
    void *doc = get_doc(line, "doc");
    size_t head = 0;
    assert_non_null(log);
    assert_true(rich->logged_first);
    WEFT_JSON_EACH (entry, ops) {
        uint64_t version;
        assert_true(weft__json_u53(weft__json_get(entry, "v"), &version));
        void *op = get_op(entry, "op");
        for (size_t i = (size_t)version; i < head; i++) {
            void *moved = transform(op, log[i], WEFT_OT_SIDE_RIGHT);
            rich->op_free(op);
            op = moved;
        }
        log[head++] = op;
        assert_same_op(op, entry, "committed");
        assert_ok(rich->doc_apply(doc, op, NULL));
    }
    assert_same_doc(doc, line, "final");
    while (head > 0)
        rich->op_free(log[--head]);
    rich->doc_free(doc);
    free(log);
}

/* Returns whether the operation is refused, by itself or on the document, which is as it was then;
 * else the document is changed. */
static bool is_refused(const struct weft_json *line, void *doc)
{
    struct weft_ot_error error = {0};
    void *op = NULL;
    int err = rich->op_parse(weft_alloc_default(), weft__json_get(line, "op"), &op, &error);
    if (!err)
        err = rich->doc_apply(doc, op, &error);
    if (err) {
        assert_true(error.status != 0 && error.message);
        assert_same_doc(doc, line, "doc");
    }
    rich->op_free(op);
    return err != 0;
}

static void check_reject(const struct weft_json *line)
{
    void *doc = get_doc(line, "doc");
    assert_true(is_refused(line, doc));
    rich->doc_free(doc);
}

/* What the reference lets pass is refused; what is not gives the same, but for attributes that an
 * insertion takes away, and does not have. */
static void check_lenient(const struct weft_json *line)
{
    void *doc = get_doc(line, "doc");
    if (!is_refused(line, doc))
        assert_same_doc(doc, line, "refResult");
    rich->doc_free(doc);
}

static void each_line(const char *name, void (*check)(const struct weft_json *line), size_t least)
{
    char path[128];
    size_t len;
    size_t lines = 0;
    snprintf(path, sizeof(path), "vectors/ot/rich.%s.jsonl", name);
    char *text = test_file_load(path, &len);
    for (char *at = text; at < text + len; lines++) {
        char *end = strchr(at, '\n');
        assert_non_null(end);
        struct weft_arena arena;
        const struct weft_json *line;
        weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
        if (weft__json_parse(weft__slice(at, (size_t)(end - at)), &arena, NULL, NULL, &line))
            fail_msg("%s line %zu", path, lines + 1);
        check(line);
        weft__arena_done(&arena);
        at = end + 1;
    }
    assert_true(lines >= least);
    free(text);
}

static void apply_cases(void **state)
{
    (void)state;
    each_line("apply", check_apply, 100);
}

static void compose_cases(void **state)
{
    (void)state;
    each_line("compose", check_compose, 100);
}

static void transform_cases(void **state)
{
    (void)state;
    each_line("transform", check_transform, 100);
}

static void invert_cases(void **state)
{
    (void)state;
    each_line("invert", check_invert, 100);
}

static void embed_cases(void **state)
{
    (void)state;
    each_line("embed", check_embed, 50);
}

static void position_cases(void **state)
{
    (void)state;
    each_line("position", check_position, 100);
}

static void session_cases(void **state)
{
    (void)state;
    each_line("session", check_session, 2);
}

static void reject_cases(void **state)
{
    (void)state;
    each_line("reject", check_reject, 50);
    each_line("surrogate-split", check_reject, 30);
}

static void lenient_cases(void **state)
{
    (void)state;
    each_line("lenient", check_lenient, 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(apply_cases),     cmocka_unit_test(compose_cases),
        cmocka_unit_test(transform_cases), cmocka_unit_test(invert_cases),
        cmocka_unit_test(embed_cases),     cmocka_unit_test(position_cases),
        cmocka_unit_test(session_cases),   cmocka_unit_test(reject_cases),
        cmocka_unit_test(lenient_cases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
