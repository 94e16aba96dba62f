/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reference that ropes and text operations are checked against: a text as an array of code
 * points, edited in the most obvious way, and random texts and operations for it.
 */
#ifndef WEFT_TESTS_UNIT_OT_MODEL_H
#define WEFT_TESTS_UNIT_OT_MODEL_H

#include "base/utf8.h"
#include "lib/test.h"
#include "ot/text.h"

struct model {
    uint32_t *points;
    size_t len;
};

static inline void model_done(struct model *m)
{
    free(m->points);
    *m = (struct model){0};
}

/* Replaces |gone| code points at |pos| by the |count| given ones. */
static inline void model_splice(struct model *m, size_t pos, size_t gone, const uint32_t *points,
                                size_t count)
{
    assert_true(pos + gone <= m->len);
    size_t len = m->len - gone + count;
    uint32_t *next = calloc(len + 1, sizeof(*next));
    assert_non_null(next);
    weft__mem_copy(next, m->points, pos * sizeof(*next));
    weft__mem_copy(next + pos, points, count * sizeof(*next));
    weft__mem_copy(next + pos + count, m->points ? m->points + pos + gone : NULL,
                   (m->len - pos - gone) * sizeof(*next));
    free(m->points);
    m->points = next;
    m->len = len;
}

static inline struct model model_copy(const struct model *m)
{
    struct model copy = {0};
    model_splice(&copy, 0, 0, m->points, m->len);
    return copy;
}

/* A character of any length in UTF-8, mostly of the same few. */
static inline uint32_t model_random_point(struct test_random *rng)
{
    switch (test_random_below(rng, 8)) {
    case 0:
        return 0x80 + (uint32_t)test_random_below(rng, 0x780);
    case 1:
        return 0x800 + (uint32_t)test_random_below(rng, 0xd000);
    case 2:
        return 0x10000 + (uint32_t)test_random_below(rng, 0x100000);
    case 3:
        return (uint32_t)test_random_below(rng, 0x80);
    default:
        return 'a' + (uint32_t)test_random_below(rng, 26);
    }
}

static inline struct model model_random(struct test_random *rng, size_t len)
{
    struct model m = {.points = calloc(len + 1, sizeof(uint32_t)), .len = len};
    assert_non_null(m.points);
    for (size_t i = 0; i < len; i++)
        m.points[i] = model_random_point(rng);
    return m;
}

/* Appends UTF-8 of |count| code points from |pos| on. */
static inline void model_encode(const struct model *m, size_t pos, size_t count,
                                struct weft_bytes *out)
{
    uint8_t bytes[4];
    for (size_t i = pos; i < pos + count; i++)
        weft__bytes_append(out, bytes, weft__utf8_encode(m->points[i], bytes));
}

static inline struct weft_bytes model_utf8(const struct model *m)
{
    struct weft_bytes out;
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    weft__bytes_reserve(&out, m->len * 4 + 1);
    model_encode(m, 0, m->len, &out);
    assert_ok(weft__bytes_error(&out));
    return out;
}

static inline void model_decode(struct model *m, struct weft_slice text)
{
    m->len = 0;
    m->points = calloc(text.len + 1, sizeof(uint32_t));
    assert_non_null(m->points);
    for (size_t at = 0; at < text.len; at += weft__utf8_lead_len(text.ptr[at]))
        m->points[m->len++] = weft__utf8_decode(text.ptr + at);
}

/* Applies |op| part by part. */
static inline void model_apply(struct model *m, const struct weft_text_op *op)
{
    size_t at = 0;
    for (uint32_t i = 0; i < op->count; i++) {
        const struct weft_text_part *part = &op->parts[i];
        struct model text = {0};
        switch ((enum weft_text_kind)part->kind) {
        case WEFT_TEXT_KIND_SKIP:
            at += part->points;
            break;
        case WEFT_TEXT_KIND_INSERT:
            model_decode(&text, (struct weft_slice){part->text, part->len});
            assert_int_equal(text.len, part->points);
            model_splice(m, at, 0, text.points, text.len);
            at += text.len;
            model_done(&text);
            break;
        case WEFT_TEXT_KIND_DELETE:
            model_splice(m, at, part->points, NULL, 0);
            break;
        }
    }
}

static inline bool model_eq(const struct model *a, const struct model *b)
{
    return a->len == b->len &&
           (a->len == 0 || memcmp(a->points, b->points, a->len * sizeof(*a->points)) == 0);
}

/* Asserts that |rope| is sound and holds the text of |m|. */
static inline void assert_rope_is(struct weft_rope *rope, const struct model *m)
{
    struct weft_bytes text = model_utf8(m);
    assert_true(weft__rope_check(rope));
    assert_int_equal(weft__rope_points(rope), m->len);
    assert_int_equal(weft__rope_bytes(rope), text.len);
    assert_int_equal(weft__rope_utf16(rope), m->len + weft__utf8_count_astral(text.ptr, text.len));
    assert_true(weft__rope_matches(rope, 0, weft__bytes_slice(&text)));
    weft__bytes_done(&text);
}

/* A rope with the text of |m|. */
static inline void model_rope(const struct model *m, const struct weft_alloc *alloc,
                              struct weft_rope *ret_rope)
{
    struct weft_bytes text = model_utf8(m);
    weft__rope_init(ret_rope, alloc);
    assert_ok(weft__rope_insert(ret_rope, 0, weft__bytes_slice(&text)));
    weft__bytes_done(&text);
}

/* The operation that |json| stands for. */
static inline struct weft_text_op *op_of(const char *json)
{
    struct weft_arena arena;
    const struct weft_json *value;
    struct weft_text_op *op;
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    assert_ok(weft__json_parse(weft__slice_str(json), &arena, NULL, NULL, &value));
    assert_ok(weft__text_parse(weft_alloc_default(), value, &op, NULL));
    weft__arena_done(&arena);
    return op;
}

/* |op| as JSON with a zero byte behind it; the caller frees the bytes. */
static inline struct weft_bytes op_json(const struct weft_text_op *op)
{
    struct weft_bytes out;
    struct weft_json_writer w;
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    weft__json_writer_init(&w, &out);
    weft__text_write(op, &w);
    weft__bytes_append_byte(&out, 0);
    assert_ok(weft__bytes_error(&out));
    return out;
}

static inline void assert_op_is(const struct weft_text_op *op, const char *json)
{
    struct weft_bytes out = op_json(op);
    assert_string_equal((const char *)out.ptr, json);
    weft__bytes_done(&out);
}

static inline void assert_op_eq(const struct weft_text_op *a, const struct weft_text_op *b)
{
    struct weft_bytes text = op_json(b);
    assert_op_is(a, (const char *)text.ptr);
    weft__bytes_done(&text);
}

static inline void write_range(struct weft_json_writer *w, const struct model *m, size_t pos,
                               size_t count)
{
    struct weft_bytes text;
    weft__bytes_init(&text, weft_alloc_default(), SIZE_MAX);
    model_encode(m, pos, count, &text);
    weft__json_put_string(w, weft__bytes_slice(&text));
    weft__bytes_done(&text);
}

static inline void write_random_part(struct test_random *rng, struct weft_json_writer *w,
                                     const struct model *m, size_t *at)
{
    size_t left = m->len - *at;
    if (left == 0 || test_random_one_in(rng, 2)) {
        struct model text = model_random(rng, test_random_size(rng, 1, 6));
        write_range(w, &text, 0, text.len);
        model_done(&text);
        return;
    }
    size_t count = test_random_size(rng, 1, WEFT_MIN(left, (size_t)6));
    weft__json_begin_object(w);
    weft__json_key(w, "d");
    if (test_random_one_in(rng, 4))
        write_range(w, m, *at, count);
    else
        weft__json_put_u64(w, count);
    weft__json_end_object(w);
    *at += count;
}

/* An operation that fits |m|; what it deletes is recorded now and then. */
static inline struct weft_text_op *op_random(struct test_random *rng, const struct model *m)
{
    struct weft_bytes out;
    struct weft_json_writer w;
    size_t at = 0;
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    weft__json_writer_init(&w, &out);
    weft__json_begin_array(&w);
    for (size_t parts = test_random_size(rng, 0, 6); parts > 0; parts--) {
        size_t left = m->len - at;
        if (left > 0 && test_random_one_in(rng, 2)) {
            size_t skip = test_random_size(rng, 1, test_random_one_in(rng, 3) ? left : 1);
            weft__json_put_u64(&w, skip);
            at += skip;
        }
        write_random_part(rng, &w, m, &at);
    }
    weft__json_end_array(&w);
    weft__bytes_append_byte(&out, 0);
    assert_ok(weft__bytes_error(&out));
    struct weft_text_op *op = op_of((const char *)out.ptr);
    weft__bytes_done(&out);
    return op;
}

#endif
