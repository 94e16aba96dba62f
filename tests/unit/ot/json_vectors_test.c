/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cases of tests/vectors/ot/json.*, through the type table as the hub and `weft ot` use it.
 * Results are compared as JSON in canonical form.
 */
#include "unit/ot/json_model.h"

static const struct weft_ot_type *const type = &weft__ot_json;

static void *get_op(const struct weft_json *line, const char *key)
{
    void *op;
    assert_ok(type->op_parse(weft_alloc_default(), weft__json_get(line, key), &op, NULL));
    return op;
}

static void *get_doc(const struct weft_json *line, const char *key)
{
    void *doc;
    assert_ok(type->doc_new(weft_alloc_default(), weft__json_get(line, key), &doc, NULL));
    return doc;
}

static void assert_same_op(const void *op, const struct weft_json *line, const char *key)
{
    void *want = get_op(line, key);
    char *json = json_of(want, NULL);
    assert_op_is(op, json);
    free(json);
    type->op_free(want);
}

static void assert_same_doc(void *doc, const struct weft_json *want)
{
    struct weft_tree_value *value;
    struct weft_bytes got;
    struct weft_json_writer w;
    assert_ok(weft__tree_from_json(weft_alloc_default(), want, &value, NULL));
    weft__bytes_init(&got, weft_alloc_default(), SIZE_MAX);
    weft__json_writer_init(&w, &got);
    type->doc_write(doc, &w);
    char *json = json_of(NULL, value);
    assert_bytes(got.ptr, got.len, json, strlen(json));
    free(json);
    weft__bytes_done(&got);
    weft__tree_unref(value);
}

static void check_apply(const struct weft_json *line)
{
    void *doc = get_doc(line, "doc");
    void *op = get_op(line, "op");
    void *normalized;
    assert_ok(type->op_normalize(weft_alloc_default(), op, &normalized, NULL));
    assert_same_op(normalized, line, "normalized");
    assert_ok(type->doc_apply(doc, op, NULL));
    assert_same_doc(doc, weft__json_get(line, "result"));
    type->op_free(normalized);
    type->op_free(op);
    type->doc_free(doc);
}

static void check_compose(const struct weft_json *line)
{
    void *a = get_op(line, "a");
    void *b = get_op(line, "b");
    void *ab;
    assert_ok(type->op_compose(weft_alloc_default(), a, b, &ab, NULL));
    assert_same_op(ab, line, "ab");
    type->op_free(ab);
    type->op_free(b);
    type->op_free(a);
}

/* What is reported must begin with the conflict that |line| has at |key|, or be nothing. */
static void check_conflict(const struct weft_json *line, const char *key, struct weft_slice got)
{
    struct weft_arena arena;
    const struct weft_json *reported;
    const struct weft_json *want = weft__json_get(weft__json_get(line, "conflicts"), key);
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    assert_ok(weft__json_parse(got, &arena, NULL, NULL, &reported));
    const struct weft_json *first = weft__json_at(reported, 0);
    assert_true((first != NULL) == (want != NULL));
    if (want) {
        struct weft_tree_value *x;
        struct weft_tree_value *y;
        assert_ok(weft__tree_from_json(weft_alloc_default(), first, &x, NULL));
        assert_ok(weft__tree_from_json(weft_alloc_default(), want, &y, NULL));
        assert_true(weft__tree_equal(x, y));
        weft__tree_unref(x);
        weft__tree_unref(y);
    }
    weft__arena_done(&arena);
}

static void check_transform(const struct weft_json *line)
{
    static const struct {
        const char *key, *op, *other;
        enum weft_ot_side side;
    } ways[] = {
        {"a_left", "a", "b", WEFT_OT_SIDE_LEFT},
        {"b_right", "b", "a", WEFT_OT_SIDE_RIGHT},
        {"a_right", "a", "b", WEFT_OT_SIDE_RIGHT},
        {"b_left", "b", "a", WEFT_OT_SIDE_LEFT},
    };
    for (size_t i = 0; i < WEFT_ARRAY_LEN(ways); i++) {
        if (!weft__json_get(line, ways[i].key))
            continue;
        void *op = get_op(line, ways[i].op);
        void *other = get_op(line, ways[i].other);
        void *moved;
        struct weft_bytes out;
        struct weft_json_writer w;
        weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
        weft__json_writer_init(&w, &out);
        assert_ok(type->op_transform_reported(weft_alloc_default(), op, other, ways[i].side, &w,
                                              &moved, NULL));
        assert_same_op(moved, line, ways[i].key);
        if (weft__json_get(line, "a_right"))
            check_conflict(line, ways[i].key, weft__bytes_slice(&out));
        weft__bytes_done(&out);
        type->op_free(moved);
        type->op_free(other);
        type->op_free(op);
    }
}

static void check_drift(const struct weft_json *line)
{
    if (weft__json_string_is(weft__json_get(line, "f"), "compose"))
        check_compose(line);
    else if (weft__json_string_is(weft__json_get(line, "f"), "transform"))
        check_transform(line);
}

static void check_invert(const struct weft_json *line)
{
    void *doc = get_doc(line, "doc");
    void *op = get_op(line, "op");
    void *inverse;
    assert_ok(type->op_invert(weft_alloc_default(), op, doc, &inverse, NULL));
    assert_same_op(inverse, line, "inverse");
    assert_ok(type->doc_apply(doc, op, NULL));
    assert_same_doc(doc, weft__json_get(line, "after"));
    assert_ok(type->doc_apply(doc, inverse, NULL));
    assert_same_doc(doc, weft__json_get(line, "doc"));
    type->op_free(inverse);
    type->op_free(op);
    type->doc_free(doc);
}

static void check_position(const struct weft_json *line)
{
    struct weft_bytes out;
    struct weft_json_writer w;
    struct weft_tree_value *want;
    void *op = get_op(line, "op");
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    weft__json_writer_init(&w, &out);
    assert_ok(type->op_path(weft_alloc_default(), op, weft__json_get(line, "path"),
                            WEFT_OT_SIDE_LEFT, &w, NULL));
    assert_ok(
        weft__tree_from_json(weft_alloc_default(), weft__json_get(line, "result"), &want, NULL));
    char *json = json_of(NULL, want);
    assert_bytes(out.ptr, out.len, json, strlen(json));
    free(json);
    weft__tree_unref(want);
    weft__bytes_done(&out);
    type->op_free(op);
}

static void check_session(const struct weft_json *line)
{
    const struct weft_json *ops = weft__json_get(line, "ops");
    void **log = calloc(weft__json_count(ops) + 1, sizeof(*log));
    void *doc = get_doc(line, "doc");
    size_t head = 0;
    assert_non_null(log);
    WEFT_JSON_EACH (entry, ops) {
        uint64_t version;
        assert_true(weft__json_u53(weft__json_get(entry, "v"), &version));
        void *op = get_op(entry, "op");
        for (size_t i = (size_t)version; i < head; i++) {
            void *moved;
            assert_ok(type->op_transform(weft_alloc_default(), op, log[i], WEFT_OT_SIDE_LEFT,
                                         &moved, NULL));
            type->op_free(op);
            op = moved;
        }
        log[head++] = op;
        assert_same_op(op, entry, "committed");
        assert_ok(type->doc_apply(doc, op, NULL));
    }
    assert_same_doc(doc, weft__json_get(line, "final"));
    while (head > 0)
        type->op_free(log[--head]);
    type->doc_free(doc);
    free(log);
}

/* Returns whether the operation is refused, by itself or on the document where there is one; the
 * document is as it was then. */
static bool is_refused(const struct weft_json *line, void *doc)
{
    struct weft_ot_error error = {0};
    void *op = NULL;
    int err = type->op_parse(weft_alloc_default(), weft__json_get(line, "op"), &op, &error);
    if (!err && doc)
        err = type->doc_apply(doc, op, &error);
    if (err)
        assert_true(error.status != 0 && error.message);
    if (err && doc)
        assert_same_doc(doc, weft__json_get(line, "doc"));
    type->op_free(op);
    return err != 0;
}

static void check_reject(const struct weft_json *line)
{
    void *doc = weft__json_get(line, "doc") ? get_doc(line, "doc") : NULL;
    struct weft_slice op = weft__json_raw(weft__json_get(line, "op"));
    /* The reference is a JavaScript program; to us this is a key like any other. */
    bool ordinary = op.len > 12 && memcmp(op.ptr, "[\"__proto__\"", 12) == 0;
    assert_int_equal(is_refused(line, doc), !ordinary);
    type->doc_free(doc);
}

/* What the reference lets pass is refused, or gives the same result. */
static void check_lenient(const struct weft_json *line)
{
    const struct weft_json *want = weft__json_get(line, "refResult");
    void *doc = weft__json_get(line, "doc") ? get_doc(line, "doc") : NULL;
    if (!is_refused(line, doc) && want) {
        bool nothing = weft__json_get(want, "undefined") != NULL;
        struct weft_arena arena;
        weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
        assert_same_doc(doc, nothing ? json_parse(&arena, "null") : want);
        weft__arena_done(&arena);
    }
    type->doc_free(doc);
}

static void each_line(const char *name, void (*check)(const struct weft_json *line), size_t least)
{
    char path[128];
    size_t len;
    size_t lines = 0;
    snprintf(path, sizeof(path), "vectors/ot/json.%s.jsonl", name);
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
    each_line("transform-conflict", check_transform, 100);
    each_line("setnull", check_transform, 20);
    each_line("float-drift", check_drift, 5);
}

static void invert_cases(void **state)
{
    (void)state;
    each_line("invert", check_invert, 100);
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
    each_line("reject", check_reject, 100);
}

static void lenient_cases(void **state)
{
    (void)state;
    each_line("lenient", check_lenient, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(apply_cases),     cmocka_unit_test(compose_cases),
        cmocka_unit_test(transform_cases), cmocka_unit_test(invert_cases),
        cmocka_unit_test(position_cases),  cmocka_unit_test(session_cases),
        cmocka_unit_test(reject_cases),    cmocka_unit_test(lenient_cases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
