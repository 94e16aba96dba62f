/* SPDX-License-Identifier: Apache-2.0 */
/* Helpers of the tests of rich text: operations and documents as text, and random ones. */
#ifndef WEFT_TESTS_UNIT_OT_RICH_MODEL_H
#define WEFT_TESTS_UNIT_OT_RICH_MODEL_H

#include "lib/test.h"
#include "ot/rich.h"

static const struct weft_ot_type *const rich = &weft__ot_rich;

/* Parses |json|; the arena keeps it. */
static inline const struct weft_json *json_parse(struct weft_arena *arena, const char *json)
{
    const struct weft_json *value;
    int err = weft__json_parse(weft__slice_str(json), arena, NULL, NULL, &value);
    if (err)
        fail_msg("%s: %s", weft_err_message(err), json);
    return value;
}

static inline int op_from(const char *json, void **ret_op, struct weft_ot_error *error)
{
    struct weft_arena arena;
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    int err = rich->op_parse(weft_alloc_default(), json_parse(&arena, json), ret_op, error);
    weft__arena_done(&arena);
    return err;
}

static inline void *op_of(const char *json)
{
    void *op;
    struct weft_ot_error error = {0};
    if (op_from(json, &op, &error))
        fail_msg("%s: %s", error.message, json);
    return op;
}

static inline void *doc_of(const char *json)
{
    void *doc;
    struct weft_arena arena;
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    assert_ok(rich->doc_new(weft_alloc_default(), json_parse(&arena, json), &doc, NULL));
    weft__arena_done(&arena);
    return doc;
}

/* The JSON of an operation, or of |doc|; the caller frees it. */
static inline char *json_of(const void *op, void *doc)
{
    struct weft_bytes out;
    struct weft_json_writer w;
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    weft__json_writer_init(&w, &out);
    if (op)
        rich->op_write(op, &w);
    else
        rich->doc_write(doc, &w);
    weft__bytes_append_byte(&out, 0);
    assert_ok(weft__bytes_error(&out));
    char *copy = strdup((const char *)out.ptr);
    assert_non_null(copy);
    weft__bytes_done(&out);
    return copy;
}

static inline void assert_op_is(const void *op, const char *want)
{
    char *got = json_of(op, NULL);
    assert_string_equal(got, want);
    free(got);
}

static inline void assert_doc_is(void *doc, const char *want)
{
    char *got = json_of(NULL, doc);
    assert_string_equal(got, want);
    free(got);
}

static inline bool same_docs(void *a, void *b)
{
    char *one = json_of(NULL, a);
    char *two = json_of(NULL, b);
    bool same = strcmp(one, two) == 0 && rich->doc_length(a) == rich->doc_length(b);
    free(one);
    free(two);
    return same;
}

/* |doc| after |op|, which must fit. */
static inline void *after(void *doc, const void *op)
{
    void *result;
    struct weft_ot_error error = {0};
    assert_ok(rich->doc_snapshot(doc, &result));
    if (rich->doc_apply(result, op, &error)) {
        char *json = json_of(op, NULL);
        char *text = json_of(NULL, doc);
        fail_msg("%s: %s on %s", error.message, json, text);
    }
    return result;
}

static inline void *transform(const void *op, const void *other, enum weft_ot_side side)
{
    void *result;
    assert_ok(rich->op_transform(weft_alloc_default(), op, other, side, &result, NULL));
    return result;
}

static inline void *compose(const void *first, const void *second)
{
    void *result;
    assert_ok(rich->op_compose(weft_alloc_default(), first, second, &result, NULL));
    return result;
}

/* ---- random ---- */

static inline void put_random_attributes(struct test_random *rng, struct weft_json_writer *w,
                                         bool null)
{
    static const char *const names[] = {"bold", "color", "link", "__proto__", ""};
    static const char *const values[] = {"true", "\"red\"", "{\"id\":[1,null]}", "7", "[]", "null"};
    size_t count = test_random_one_in(rng, 2) ? 0 : test_random_size(rng, 1, 3);
    size_t start = (size_t)test_random_below(rng, WEFT_ARRAY_LEN(names));
    weft__json_key(w, "attributes");
    weft__json_begin_object(w);
    for (size_t i = 0; i < count; i++) {
        size_t value = (size_t)test_random_below(rng, WEFT_ARRAY_LEN(values) - !null);
        weft__json_key(w, names[(start + i) % WEFT_ARRAY_LEN(names)]);
        weft__json_put_raw(w, weft__slice_str(values[value]));
    }
    weft__json_end_object(w);
}

static inline void put_random_text(struct test_random *rng, struct weft_json_writer *w,
                                   size_t longest)
{
    static const char *const letters[] = {
        "a", "b", " ", "\n", "\xc3\xa9", "\xe5\xad\x97", "\xf0\x9f\x98\x80"};
    struct weft_bytes text;
    weft__bytes_init(&text, weft_alloc_default(), SIZE_MAX);
    for (size_t n = test_random_size(rng, 1, longest); n > 0; n--)
        weft__bytes_append_str(&text, letters[test_random_below(rng, WEFT_ARRAY_LEN(letters))]);
    assert_ok(weft__bytes_error(&text));
    weft__json_put_string(w, weft__bytes_slice(&text));
    weft__bytes_done(&text);
}

static inline void put_random_insert(struct test_random *rng, struct weft_json_writer *w,
                                     size_t longest, unsigned depth);

/* An embed to insert; of the kind delta while |depth| lasts. */
static inline void put_random_embed(struct test_random *rng, struct weft_json_writer *w,
                                    unsigned depth)
{
    if (depth == 0 || test_random_one_in(rng, 2)) {
        weft__json_put_raw(w, weft__slice_str(test_random_one_in(rng, 2)
                                                  ? "{\"image\":\"u\"}"
                                                  : "{\"formula\":{\"b\":1,\"a\":[]}}"));
        return;
    }
    weft__json_begin_object(w);
    weft__json_key(w, "delta");
    weft__json_begin_array(w);
    for (size_t n = test_random_size(rng, 0, 3); n > 0; n--)
        put_random_insert(rng, w, 5, depth - 1);
    weft__json_end_array(w);
    weft__json_end_object(w);
}

static inline void put_random_insert(struct test_random *rng, struct weft_json_writer *w,
                                     size_t longest, unsigned depth)
{
    weft__json_begin_object(w);
    weft__json_key(w, "insert");
    if (test_random_one_in(rng, 4))
        put_random_embed(rng, w, depth);
    else
        put_random_text(rng, w, longest);
    put_random_attributes(rng, w, true);
    weft__json_end_object(w);
}

static inline void put_random_parts(struct test_random *rng, struct weft_json_writer *w,
                                    const struct weft_rich_op *content, size_t longest,
                                    unsigned depth);

/* What to do with |embed|, one of the kind delta. */
static inline void put_random_inner(struct test_random *rng, struct weft_json_writer *w,
                                    const struct weft_rich_part *embed, unsigned depth)
{
    struct weft_arena arena;
    const struct weft_json *value;
    struct weft_rich_op *content;
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    assert_ok(weft__json_parse(weft__slice(embed->text, embed->len), &arena, NULL, NULL, &value));
    assert_ok(
        weft__rich_parse_doc(weft_alloc_default(), weft__json_get(value, "delta"), &content, NULL));
    weft__json_begin_object(w);
    weft__json_key(w, "delta");
    put_random_parts(rng, w, content, 5, depth);
    weft__json_end_object(w);
    weft__rich_free(content);
    weft__arena_done(&arena);
}

/* The number of units at the beginning of |part|, from |at|, that ends at a character. */
static inline uint32_t random_units(struct test_random *rng, const struct weft_rich_part *part)
{
    uint32_t units = (uint32_t)test_random_size(rng, 1, part->units);
    uint32_t have = 0;
    if (part->embed || test_random_one_in(rng, 3))
        return part->units;
    for (uint32_t at = 0; have < units; at++)
        have += (part->text[at] & 0xc0) == 0x80 ? 0 : part->text[at] >= 0xf0 ? 2 : 1;
    return have;
}

/* Parts of an operation that fits |content|: each of its parts is kept, changed or deleted up to
 * some character of it. */
static inline void put_random_parts(struct test_random *rng, struct weft_json_writer *w,
                                    const struct weft_rich_op *content, size_t longest,
                                    unsigned depth)
{
    weft__json_begin_array(w);
    for (uint32_t i = 0; i < content->count; i++) {
        const struct weft_rich_part *part = &content->parts[i];
        uint32_t units = random_units(rng, part);
        if (test_random_one_in(rng, 4))
            put_random_insert(rng, w, longest, depth);
        weft__json_begin_object(w);
        if (test_random_one_in(rng, 4)) {
            weft__json_key(w, "delete");
            weft__json_put_u64(w, units);
        } else {
            weft__json_key(w, "retain");
            if (part->embed && part->len > 8 && memcmp(part->text, "{\"delta\"", 8) == 0 &&
                !test_random_one_in(rng, 4))
                put_random_inner(rng, w, part, depth > 0 ? depth - 1 : 0);
            else
                weft__json_put_u64(w, units);
            put_random_attributes(rng, w, true);
        }
        weft__json_end_object(w);
        if (units < part->units) {
            weft__json_begin_object(w);
            weft__json_key(w, "retain");
            weft__json_put_u64(w, part->units - units);
            weft__json_end_object(w);
        }
    }
    if (content->count == 0 || test_random_one_in(rng, 4))
        put_random_insert(rng, w, longest, depth);
    weft__json_end_array(w);
}

/* An operation that fits |doc|. */
static inline void *random_op(struct test_random *rng, void *doc, size_t longest)
{
    struct weft_arena arena;
    struct weft_bytes out;
    struct weft_json_writer w;
    struct weft_rich_op *content;
    char *text = json_of(NULL, doc);
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    assert_ok(weft__rich_parse_doc(weft_alloc_default(), json_parse(&arena, text), &content, NULL));
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    weft__json_writer_init(&w, &out);
    put_random_parts(rng, &w, content, longest, 2);
    weft__bytes_append_byte(&out, 0);
    assert_ok(weft__bytes_error(&out));
    void *op = op_of((const char *)out.ptr);
    weft__bytes_done(&out);
    weft__rich_free(content);
    weft__arena_done(&arena);
    free(text);
    return op;
}

/* A document that some random operations have made. */
static inline void *random_doc(struct test_random *rng, size_t longest)
{
    void *doc = doc_of("[]");
    for (size_t n = test_random_size(rng, 0, 4); n > 0; n--) {
        void *op = random_op(rng, doc, longest);
        assert_ok(rich->doc_apply(doc, op, NULL));
        rich->op_free(op);
    }
    return doc;
}

#endif
