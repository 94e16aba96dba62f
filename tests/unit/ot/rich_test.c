/* SPDX-License-Identifier: Apache-2.0 */
/* Rich text through the table of types: what is refused, and the laws over random documents. */
#include "lib/test.h"
#include "ot/rich.h"

static const struct weft_ot_type *const rich = &weft__ot_rich;

static struct weft_arena arena;

static const struct weft_json *parse(const char *json)
{
    const struct weft_json *value;
    assert_ok(weft__json_parse(weft__slice_str(json), &arena, NULL, NULL, &value));
    return value;
}

static void *op_of(const char *json)
{
    void *op;
    assert_ok(rich->op_parse(weft_alloc_default(), parse(json), &op, NULL));
    return op;
}

static void *doc_of(const char *json)
{
    void *doc;
    assert_ok(rich->doc_new(weft_alloc_default(), parse(json), &doc, NULL));
    return doc;
}

static void text_of(void *doc, const void *op, struct weft_bytes *out)
{
    struct weft_json_writer w;
    weft__bytes_init(out, weft_alloc_default(), SIZE_MAX);
    weft__json_writer_init(&w, out);
    if (doc)
        rich->doc_write(doc, &w);
    else
        rich->op_write(op, &w);
    assert_ok(weft__bytes_error(out));
}

static void assert_reads(void *doc, const void *op, const char *want)
{
    struct weft_bytes out;
    text_of(doc, op, &out);
    assert_bytes(out.ptr, out.len, want, strlen(want));
    weft__bytes_done(&out);
}

static void assert_same_docs(void *a, void *b)
{
    struct weft_bytes one;
    struct weft_bytes two;
    text_of(a, NULL, &one);
    text_of(b, NULL, &two);
    assert_bytes(one.ptr, one.len, two.ptr, two.len);
    assert_int_equal(rich->doc_length(a), rich->doc_length(b));
    assert_int_equal(rich->doc_bytes(a), rich->doc_bytes(b));
    weft__bytes_done(&one);
    weft__bytes_done(&two);
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
        assert_reads(NULL, op, pairs[i][1]);
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
        assert_reads(doc, NULL, text);
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
    assert_reads(NULL, result,
                 "{\"ops\":[{\"retain\":{\"delta\":[{\"insert\":\"x\"}]},"
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
    assert_reads(NULL, left, "{\"ops\":[{\"insert\":\"a\"}]}");
    assert_reads(NULL, right, "{\"ops\":[{\"retain\":2},{\"insert\":\"a\"}]}");
    assert_int_equal(rich->op_position(b, 0, WEFT_OT_SIDE_LEFT), 0);
    assert_int_equal(rich->op_position(b, 0, WEFT_OT_SIDE_RIGHT), 2);
    rich->op_free(a);
    rich->op_free(b);
    rich->op_free(left);
    rich->op_free(right);
}

/* ---- random operations ---- */

static uint64_t dice;

static uint32_t roll(uint32_t below)
{
    dice = dice * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(dice >> 33) % below;
}

static void put(struct weft_bytes *out, const char *text)
{
    if (out->len > 1)
        weft__bytes_append_byte(out, ',');
    weft__bytes_append_str(out, text);
}

static void put_attributes(struct weft_bytes *out)
{
    static const char *const some[] = {
        "",
        "",
        ",\"attributes\":{\"b\":true}",
        ",\"attributes\":{\"c\":\"red\",\"b\":true}",
        ",\"attributes\":{\"b\":null}",
        ",\"attributes\":{\"m\":{\"id\":[1,2]}}",
    };
    weft__bytes_append_str(out, some[roll(WEFT_ARRAY_LEN(some))]);
    weft__bytes_append_byte(out, '}');
}

static void put_insert(struct weft_bytes *out, uint32_t longest)
{
    if (roll(8) == 0) {
        put(out, roll(2) ? "{\"insert\":{\"image\":\"u\"}" : "{\"insert\":{\"divider\":true}");
    } else {
        put(out, "{\"insert\":\"");
        for (uint32_t n = 1 + roll(longest); n > 0; n--)
            weft__bytes_append_byte(out, (uint8_t)('a' + roll(26)));
        weft__bytes_append_byte(out, '"');
    }
    put_attributes(out);
}

static void *random_op(uint64_t length, uint32_t longest)
{
    struct weft_bytes out;
    const struct weft_json *value;
    void *op;
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    weft__bytes_append_byte(&out, '[');
    for (uint32_t parts = 1 + roll(6); parts > 0; parts--) {
        uint32_t kind = roll(3);
        if (kind == 0 || length == 0) {
            put_insert(&out, longest);
            continue;
        }
        uint64_t most = roll(3) ? 9 : UINT32_MAX;
        uint32_t units = 1 + roll((uint32_t)WEFT_MIN(length, most));
        length -= units;
        put(&out, kind == 1 ? "{\"retain\":" : "{\"delete\":");
        weft__bytes_append_u64(&out, units);
        if (kind == 1)
            put_attributes(&out);
        else
            weft__bytes_append_byte(&out, '}');
    }
    weft__bytes_append_byte(&out, ']');
    assert_ok(weft__bytes_error(&out));
    assert_ok(weft__json_parse(weft__bytes_slice(&out), &arena, NULL, NULL, &value));
    assert_ok(rich->op_parse(weft_alloc_default(), value, &op, NULL));
    weft__bytes_done(&out);
    return op;
}

static void *after(void *doc, const void *one, const void *two)
{
    void *copy;
    assert_ok(rich->doc_snapshot(doc, &copy));
    assert_ok(rich->doc_apply(copy, one, NULL));
    if (two)
        assert_ok(rich->doc_apply(copy, two, NULL));
    return copy;
}

static void check_pair(void *doc, uint32_t longest)
{
    void *a = random_op(rich->doc_length(doc), longest);
    void *b = random_op(rich->doc_length(doc), longest);
    void *a_left;
    void *b_right;
    void *both;
    void *inverse;
    const struct weft_alloc *alloc = weft_alloc_default();
    assert_ok(rich->op_transform(alloc, a, b, WEFT_OT_SIDE_LEFT, &a_left, NULL));
    assert_ok(rich->op_transform(alloc, b, a, WEFT_OT_SIDE_RIGHT, &b_right, NULL));
    assert_ok(rich->op_compose(alloc, a, b_right, &both, NULL));
    assert_ok(rich->op_invert(alloc, a, doc, &inverse, NULL));
    void *one = after(doc, a, b_right);
    void *two = after(doc, b, a_left);
    void *three = after(doc, both, NULL);
    void *back = after(doc, a, inverse);
    assert_same_docs(one, two);
    assert_same_docs(one, three);
    assert_same_docs(back, doc);
    rich->doc_free(one);
    rich->doc_free(two);
    rich->doc_free(three);
    rich->doc_free(back);
    rich->op_free(a_left);
    rich->op_free(b_right);
    rich->op_free(both);
    rich->op_free(inverse);
    rich->op_free(b);
    assert_ok(rich->doc_apply(doc, a, NULL));
    rich->op_free(a);
}

static void laws_hold(uint64_t seed, uint32_t longest, unsigned rounds)
{
    void *doc;
    dice = seed;
    print_message("seed %llu\n", (unsigned long long)seed);
    assert_ok(rich->doc_new(weft_alloc_default(), NULL, &doc, NULL));
    for (unsigned i = 0; i < rounds; i++) {
        check_pair(doc, longest);
        weft__arena_reset(&arena);
    }
    rich->doc_free(doc);
}

static void laws_hold_for_short_documents(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++)
        laws_hold(seed, 6, 40);
}

static void laws_hold_for_documents_of_many_chunks(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++)
        laws_hold(seed, 30000, 40);
}

static int life_under_failure(const struct weft_alloc *alloc, void *ctx)
{
    (void)ctx;
    void *doc = NULL;
    void *snapshot = NULL;
    void *op = NULL;
    void *other = NULL;
    void *made[3] = {NULL, NULL, NULL};
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
        cmocka_unit_test(left_puts_its_own_insertion_first),
        cmocka_unit_test(laws_hold_for_short_documents),
        cmocka_unit_test(laws_hold_for_documents_of_many_chunks),
        cmocka_unit_test(failing_memory_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
