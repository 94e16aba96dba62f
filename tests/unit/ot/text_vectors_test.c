/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cases of tests/vectors/ot, through the type table as the hub and `weft ot` use it. Every
 * function checks one kind of line; results are compared as canonical JSON.
 */
#include "codec/json.h"
#include "lib/test.h"
#include "ot/type.h"

static const struct weft_ot_type *const type = &weft__ot_text;

static void *parse_op(const struct weft_json *value)
{
    void *op;
    assert_ok(type->op_parse(weft_alloc_default(), value, &op, NULL));
    return op;
}

static void *get_op(const struct weft_json *line, const char *key)
{
    return parse_op(weft__json_get(line, key));
}

static void *get_doc(const struct weft_json *line, const char *key)
{
    void *doc;
    assert_ok(type->doc_new(weft_alloc_default(), weft__json_get(line, key), &doc, NULL));
    return doc;
}

static enum weft_ot_side side_of(bool left)
{
    return left ? WEFT_OT_SIDE_LEFT : WEFT_OT_SIDE_RIGHT;
}

/* Writes |op|, or with |doc| that, and compares it with |want| as it stands in the file. */
static void assert_written(const void *op, void *doc, const struct weft_json *want)
{
    struct weft_bytes got;
    struct weft_bytes expected;
    struct weft_json_writer w;
    weft__bytes_init(&got, weft_alloc_default(), SIZE_MAX);
    weft__bytes_init(&expected, weft_alloc_default(), SIZE_MAX);
    weft__json_writer_init(&w, &got);
    if (doc)
        type->doc_write(doc, &w);
    else
        type->op_write(op, &w);
    weft__json_writer_init(&w, &expected);
    if (doc) {
        weft__json_put_string(&w, weft__json_string(want));
    } else {
        /* The expected operation in our notation: it is canonical, so this only rewrites escapes.
         */
        void *canonical = parse_op(want);
        assert_int_equal(type->op_is_empty(canonical), weft__json_count(want) == 0);
        type->op_write(canonical, &w);
        type->op_free(canonical);
    }
    assert_ok(weft__bytes_error(&got));
    assert_bytes(got.ptr, got.len, expected.ptr, expected.len);
    weft__bytes_done(&got);
    weft__bytes_done(&expected);
}

static void assert_applies(void *doc, const void *op, const struct weft_json *want)
{
    assert_ok(type->doc_apply(doc, op, NULL));
    assert_written(NULL, doc, want);
}

static void check_apply(const struct weft_json *line)
{
    void *doc = get_doc(line, "doc");
    void *again = get_doc(line, "doc");
    void *op = get_op(line, "op");
    void *normalized = get_op(line, "normalized");
    assert_written(op, NULL, weft__json_get(line, "normalized"));
    assert_applies(doc, op, weft__json_get(line, "result"));
    assert_applies(again, normalized, weft__json_get(line, "result"));
    type->op_free(normalized);
    type->op_free(op);
    type->doc_free(again);
    type->doc_free(doc);
}

static void check_compose(const struct weft_json *line)
{
    void *doc = get_doc(line, "doc");
    void *a = get_op(line, "a");
    void *b = get_op(line, "b");
    void *ab;
    assert_ok(type->op_compose(weft_alloc_default(), a, b, &ab, NULL));
    assert_written(ab, NULL, weft__json_get(line, "ab"));
    assert_applies(doc, ab, weft__json_get(line, "result"));
    type->op_free(ab);
    type->op_free(b);
    type->op_free(a);
    type->doc_free(doc);
}

static void check_one_transform(const struct weft_json *line, bool a_moves, bool left)
{
    void *a = get_op(line, a_moves ? "a" : "b");
    void *b = get_op(line, a_moves ? "b" : "a");
    void *doc = get_doc(line, "doc");
    void *moved;
    const char *key = a_moves ? (left ? "a_left" : "a_right") : left ? "b_left" : "b_right";
    assert_ok(type->op_transform(weft_alloc_default(), a, b, side_of(left), &moved, NULL));
    assert_written(moved, NULL, weft__json_get(line, key));
    assert_ok(type->doc_apply(doc, b, NULL));
    /* TP1: a after b with a first is b after a with b second, and the other way round. */
    assert_applies(doc, moved,
                   weft__json_get(line, a_moves == left ? "result_a_left" : "result_a_right"));
    type->op_free(moved);
    type->doc_free(doc);
    type->op_free(b);
    type->op_free(a);
}

static void check_transform(const struct weft_json *line)
{
    for (int i = 0; i < 4; i++)
        check_one_transform(line, i & 1, i & 2);
}

static void check_invert(const struct weft_json *line)
{
    static const char *const forms[] = {"op", "invertible", "stripped"};
    for (size_t i = 0; i < 3; i++) {
        void *doc = get_doc(line, "doc");
        void *op = get_op(line, forms[i]);
        void *inverse;
        assert_ok(type->op_invert(weft_alloc_default(), op, doc, &inverse, NULL));
        assert_written(inverse, NULL, weft__json_get(line, "inverse"));
        assert_applies(doc, op, weft__json_get(line, "after"));
        assert_applies(doc, inverse, weft__json_get(line, "doc"));
        type->op_free(inverse);
        type->op_free(op);
        type->doc_free(doc);
    }
}

static void assert_position(const void *op, const struct weft_json *pos,
                            const struct weft_json *want)
{
    uint64_t from = 0;
    uint64_t to = 0;
    assert_true(weft__json_u53(pos, &from));
    assert_true(weft__json_u53(want, &to));
    assert_int_equal(type->op_position(op, from, WEFT_OT_SIDE_LEFT), to);
}

static void check_position(const struct weft_json *line)
{
    const struct weft_json *from = weft__json_get(line, "selection");
    const struct weft_json *to = weft__json_get(line, "selectionResult");
    void *op = get_op(line, "op");
    assert_position(op, weft__json_get(line, "pos"), weft__json_get(line, "result"));
    for (size_t i = 0; i < 2; i++)
        assert_position(op, weft__json_at(from, i), weft__json_at(to, i));
    type->op_free(op);
}

/* The operation made at |version|, brought to the head over each later one. */
static void *to_head(void *op, void *const *log, size_t version, size_t head)
{
    for (size_t i = version; i < head; i++) {
        void *moved;
        assert_ok(
            type->op_transform(weft_alloc_default(), op, log[i], WEFT_OT_SIDE_LEFT, &moved, NULL));
        type->op_free(op);
        op = moved;
    }
    return op;
}

static void check_session(const struct weft_json *line)
{
    const struct weft_json *ops = weft__json_get(line, "ops");
    void **log = calloc(weft__json_count(ops), sizeof(*log));
    void *doc = get_doc(line, "doc");
    size_t head = 0;
    assert_non_null(log);
    WEFT_JSON_EACH (entry, ops) {
        uint64_t version;
        assert_true(weft__json_u53(weft__json_get(entry, "v"), &version));
        log[head] = to_head(get_op(entry, "op"), log, (size_t)version, head);
        assert_written(log[head], NULL, weft__json_get(entry, "committed"));
        assert_ok(type->doc_apply(doc, log[head], NULL));
        head++;
    }
    assert_written(NULL, doc, weft__json_get(line, "final"));
    while (head > 0)
        type->op_free(log[--head]);
    type->doc_free(doc);
    free(log);
}

/* Neither as an operation at all, nor on the document where there is one. */
static void check_refused(const struct weft_json *line)
{
    struct weft_ot_error error = {0};
    void *op = NULL;
    int err = type->op_parse(weft_alloc_default(), weft__json_get(line, "op"), &op, &error);
    if (!err && weft__json_get(line, "doc")) {
        void *doc = get_doc(line, "doc");
        err = type->doc_apply(doc, op, &error);
        assert_written(NULL, doc, weft__json_get(line, "doc"));
        type->doc_free(doc);
    }
    type->op_free(op);
    assert_err(err, WEFT_ERR_OP);
    assert_true(error.status != 0 && error.message);
}

/* Of what the reference lets pass, only neighbours that could be one part are accepted. */
static void check_lenient(const struct weft_json *line)
{
    struct weft_slice op = weft__json_raw(weft__json_get(line, "op"));
    if (!weft__slice_eq_str(op, "[\"a\",\"b\"]") &&
        !weft__slice_eq_str(op, "[{\"d\":1},{\"d\":1}]")) {
        check_refused(line);
        return;
    }
    void *doc = get_doc(line, "doc");
    void *parsed = get_op(line, "op");
    assert_applies(doc, parsed, weft__json_get(line, "refResult"));
    type->op_free(parsed);
    type->doc_free(doc);
}

/* Calls |check| for every line of the file. A line with half a surrogate pair is refused by the
 * JSON parser already: that counts as |refused|. Returns the lines checked. */
static size_t each_line(const char *path, bool refused, void (*check)(const struct weft_json *line))
{
    size_t len;
    size_t lines = 0;
    char *text = test_file_load(path, &len);
    for (char *at = text; at < text + len; lines++) {
        char *end = strchr(at, '\n');
        assert_non_null(end);
        struct weft_arena arena;
        const struct weft_json *line;
        weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
        int err = weft__json_parse(weft__slice(at, (size_t)(end - at)), &arena, NULL, NULL, &line);
        if (err && !refused)
            fail_msg("%s line %zu: %s", path, lines + 1, weft_err_message(err));
        if (!err)
            check(line);
        weft__arena_done(&arena);
        at = end + 1;
    }
    free(text);
    return lines;
}

static void apply_cases(void **state)
{
    (void)state;
    assert_true(each_line("vectors/ot/text.apply.jsonl", false, check_apply) > 100);
}

static void compose_cases(void **state)
{
    (void)state;
    assert_true(each_line("vectors/ot/text.compose.jsonl", false, check_compose) > 100);
}

static void transform_cases(void **state)
{
    (void)state;
    assert_true(each_line("vectors/ot/text.transform.jsonl", false, check_transform) > 100);
}

static void invert_cases(void **state)
{
    (void)state;
    assert_true(each_line("vectors/ot/text.invert.jsonl", false, check_invert) > 100);
}

static void position_cases(void **state)
{
    (void)state;
    assert_true(each_line("vectors/ot/text.position.jsonl", false, check_position) > 100);
}

static void session_cases(void **state)
{
    (void)state;
    assert_true(each_line("vectors/ot/text.session.jsonl", false, check_session) >= 10);
}

static void reject_cases(void **state)
{
    (void)state;
    assert_true(each_line("vectors/ot/text.reject.jsonl", true, check_refused) > 40);
}

static void lenient_cases(void **state)
{
    (void)state;
    assert_true(each_line("vectors/ot/text.lenient.jsonl", true, check_lenient) > 20);
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
