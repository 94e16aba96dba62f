/* SPDX-License-Identifier: Apache-2.0 */
/* The table of document types, and text documents through it. */
#include "lib/test.h"
#include "ot/type.h"

static void types_are_found_by_their_whole_name(void **state)
{
    (void)state;
    assert_ptr_equal(weft__ot_type_find(WEFT_SLICE_LIT("text")), &weft__ot_text);
    assert_ptr_equal(weft__ot_type_find(WEFT_SLICE_LIT("rich")), &weft__ot_rich);
    assert_null(weft__ot_type_find(WEFT_SLICE_LIT("")));
    assert_null(weft__ot_type_find(WEFT_SLICE_LIT("tex")));
    assert_null(weft__ot_type_find(WEFT_SLICE_LIT("texts")));
    assert_null(weft__ot_type_find(WEFT_SLICE_LIT("Text")));
}

static const struct weft_json *parse(struct weft_arena *arena, const char *json)
{
    const struct weft_json *value;
    assert_ok(weft__json_parse(weft__slice_str(json), arena, NULL, NULL, &value));
    return value;
}

static int write_doc(void *doc, const char *want)
{
    struct weft_bytes out;
    struct weft_json_writer w;
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    weft__json_writer_init(&w, &out);
    weft__ot_text.doc_write(doc, &w);
    int err = weft__bytes_error(&out);
    if (!err)
        assert_bytes(out.ptr, out.len, want, strlen(want));
    weft__bytes_done(&out);
    return err;
}

static void text_document_is_a_string(void **state)
{
    (void)state;
    static const char *const others[] = {"null", "1", "[]", "{}", "true", "[\"x\"]"};
    struct weft_arena arena;
    void *doc = NULL;
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    for (size_t i = 0; i < WEFT_ARRAY_LEN(others); i++) {
        struct weft_ot_error error = {0};
        assert_err(
            weft__ot_text.doc_new(weft_alloc_default(), parse(&arena, others[i]), &doc, &error),
            WEFT_ERR_OP);
        assert_int_equal(error.status, WEFT_STATUS_INVALID_ARGUMENT);
        assert_null(doc);
    }
    assert_ok(weft__ot_text.doc_new(weft_alloc_default(), NULL, &doc, NULL));
    assert_ok(write_doc(doc, "\"\""));
    weft__ot_text.doc_free(doc);
    assert_ok(weft__ot_text.doc_new(weft_alloc_default(), parse(&arena, "\"a\\n\\ud83d\\ude00\""),
                                    &doc, NULL));
    assert_int_equal(weft__ot_text.doc_length(doc), 3);
    assert_int_equal(weft__ot_text.doc_bytes(doc), 6);
    assert_ok(write_doc(doc, "\"a\\n\xf0\x9f\x98\x80\""));
    weft__ot_text.doc_free(doc);
    weft__ot_text.doc_free(NULL);
    weft__ot_text.op_free(NULL);
    weft__arena_done(&arena);
}

static int life_under_failure(const struct weft_alloc *alloc, void *ctx)
{
    (void)ctx;
    struct weft_arena arena;
    void *doc = NULL;
    void *snapshot = NULL;
    void *op = NULL;
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    int err = weft__ot_text.doc_new(alloc, parse(&arena, "\"hello\""), &doc, NULL);
    if (!err)
        err = weft__ot_text.op_parse(alloc, parse(&arena, "[5,\" world\"]"), &op, NULL);
    if (!err)
        err = weft__ot_text.doc_snapshot(doc, &snapshot);
    if (!err)
        err = weft__ot_text.doc_apply(doc, op, NULL);
    if (!err) {
        assert_true(weft__ot_text.op_memory(op) > 6);
        err = write_doc(doc, "\"hello world\"");
    }
    if (snapshot && !err)
        err = write_doc(snapshot, "\"hello\"");
    weft__ot_text.op_free(op);
    weft__ot_text.doc_free(snapshot);
    weft__ot_text.doc_free(doc);
    weft__arena_done(&arena);
    return err;
}

static void failing_memory_leaks_nothing(void **state)
{
    (void)state;
    assert_true(test_each_alloc_failure(life_under_failure, NULL) >= 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_are_found_by_their_whole_name),
        cmocka_unit_test(text_document_is_a_string),
        cmocka_unit_test(failing_memory_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
