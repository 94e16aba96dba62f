/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer target of text operations: parse, apply, invert, transform, compose and positions, with
 * the laws of ot/type.h asserted on whatever is accepted.
 *
 * The input is lines. The first byte of the input says how to read them:
 *   '#'   three lines: a document (taken as it is), operation a, operation b, both JSON
 *   else  bytes that choose the parts of two operations which fit a fixed document
 */
#include "base/assert.h"
#include "base/utf8.h"
#include "ot/text.h"

#include <stdlib.h>

static const char fixed_doc[] = "plain \xc3\xa9\xc3\xa0 \xe6\xbc\xa2\xe5\xad\x97 "
                                "\xf0\x9f\x98\x80\xf0\x9f\xa4\x96 and the end of it";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Parses |json|; NULL when it is refused. What is accepted must survive writing and reading. */
static struct weft_text_op *parse(struct weft_slice json)
{
    struct weft_arena arena;
    const struct weft_json *value;
    struct weft_ot_error error = {0};
    struct weft_text_op *op = NULL;
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    if (!weft__json_parse(json, &arena, NULL, NULL, &value)) {
        int err = weft__text_parse(weft_alloc_default(), value, &op, &error);
        WEFT_ASSERT(err ? !op && error.message && error.status : op != NULL);
    }
    weft__arena_done(&arena);
    return op;
}

static void write_op(const struct weft_text_op *op, struct weft_bytes *out)
{
    struct weft_json_writer w;
    weft__bytes_init(out, weft_alloc_default(), SIZE_MAX);
    weft__json_writer_init(&w, out);
    weft__text_write(op, &w);
    WEFT_ASSERT(!weft__bytes_error(out));
}

static void check_canonical(const struct weft_text_op *op)
{
    struct weft_bytes once;
    struct weft_bytes twice;
    for (uint32_t i = 0; i < op->count; i++) {
        WEFT_ASSERT(op->parts[i].points > 0);
        WEFT_ASSERT(i == 0 || op->parts[i].kind != op->parts[i - 1].kind);
        WEFT_ASSERT(!op->parts[i].text ||
                    weft__utf8_count(op->parts[i].text, op->parts[i].len) == op->parts[i].points);
    }
    WEFT_ASSERT(op->count == 0 || op->parts[op->count - 1].kind != WEFT_TEXT_KIND_SKIP);
    write_op(op, &once);
    struct weft_text_op *again = parse(weft__bytes_slice(&once));
    WEFT_ASSERT(again);
    write_op(again, &twice);
    WEFT_ASSERT(weft__slice_eq(weft__bytes_slice(&once), weft__bytes_slice(&twice)));
    weft__text_free(again);
    weft__bytes_done(&once);
    weft__bytes_done(&twice);
}

static bool same_text(struct weft_rope *a, struct weft_rope *b)
{
    struct weft_bytes text;
    weft__bytes_init(&text, weft_alloc_default(), SIZE_MAX);
    weft__rope_copy(b, 0, SIZE_MAX, &text);
    bool same = weft__rope_check(a) && weft__rope_check(b) &&
                weft__rope_bytes(a) == weft__rope_bytes(b) &&
                weft__rope_matches(a, 0, weft__bytes_slice(&text));
    weft__bytes_done(&text);
    return same;
}

/* Applies |op|, which must fit. */
static void must_apply(struct weft_rope *rope, const struct weft_text_op *op)
{
    int err = weft__text_apply(rope, op, NULL);
    WEFT_ASSERT(!err);
}

/* True when |op| fits; then it must be undone by its inverse, and keep positions in the text. */
static bool check_one(struct weft_rope *doc, const struct weft_text_op *op)
{
    struct weft_rope rope;
    struct weft_text_op *inverse;
    check_canonical(op);
    weft__rope_snapshot(doc, &rope);
    bool fits = weft__text_apply(&rope, op, NULL) == 0;
    int err = weft__text_invert(weft_alloc_default(), op, doc, &inverse, NULL);
    WEFT_ASSERT(fits == (err == 0));
    if (fits) {
        uint64_t last = 0;
        for (size_t pos = 0; pos <= weft__rope_points(doc); pos++) {
            uint64_t left = weft__text_position(op, pos, WEFT_OT_SIDE_LEFT);
            uint64_t right = weft__text_position(op, pos, WEFT_OT_SIDE_RIGHT);
            WEFT_ASSERT(last <= left && left <= right && right <= weft__rope_points(&rope));
            last = left;
        }
        check_canonical(inverse);
        must_apply(&rope, inverse);
        weft__text_free(inverse);
    }
    WEFT_ASSERT(same_text(&rope, doc));
    weft__rope_done(&rope);
    return fits;
}

/* TP1, and the same through composed operations. */
static void check_pair(struct weft_rope *doc, const struct weft_text_op *a,
                       const struct weft_text_op *b)
{
    struct weft_text_op *a_left = NULL;
    struct weft_text_op *b_right = NULL;
    struct weft_text_op *both = NULL;
    struct weft_rope one;
    struct weft_rope two;
    struct weft_rope three;
    int err = weft__text_transform(weft_alloc_default(), a, b, WEFT_OT_SIDE_LEFT, &a_left, NULL);
    WEFT_ASSERT(!err);
    err = weft__text_transform(weft_alloc_default(), b, a, WEFT_OT_SIDE_RIGHT, &b_right, NULL);
    WEFT_ASSERT(!err);
    err = weft__text_compose(weft_alloc_default(), a, b_right, &both, NULL);
    WEFT_ASSERT(!err);
    weft__rope_snapshot(doc, &one);
    weft__rope_snapshot(doc, &two);
    weft__rope_snapshot(doc, &three);
    must_apply(&one, a);
    must_apply(&one, b_right);
    must_apply(&two, b);
    must_apply(&two, a_left);
    must_apply(&three, both);
    WEFT_ASSERT(same_text(&one, &two) && same_text(&one, &three));
    check_canonical(both);
    weft__rope_done(&one);
    weft__rope_done(&two);
    weft__rope_done(&three);
    weft__text_free(a_left);
    weft__text_free(b_right);
    weft__text_free(both);
}

/* Transform and compose of operations that may fit no document: results or clean errors. */
static void check_unfit(const struct weft_text_op *a, const struct weft_text_op *b)
{
    struct weft_text_op *result;
    if (weft__text_transform(weft_alloc_default(), a, b, WEFT_OT_SIDE_RIGHT, &result, NULL) == 0) {
        check_canonical(result);
        weft__text_free(result);
    }
    if (weft__text_compose(weft_alloc_default(), a, b, &result, NULL) == 0) {
        check_canonical(result);
        weft__text_free(result);
    }
}

static struct weft_slice next_line(struct weft_slice *rest)
{
    const uint8_t *end = rest->len ? memchr(rest->ptr, '\n', rest->len) : NULL;
    struct weft_slice line = {rest->ptr, end ? (size_t)(end - rest->ptr) : rest->len};
    size_t used = line.len + (end != NULL);
    rest->ptr += used;
    rest->len -= used;
    return line;
}

static uint8_t take_byte(struct weft_slice *rest)
{
    if (rest->len == 0)
        return 0;
    rest->len--;
    return *rest->ptr++;
}

/* An operation that fits the fixed document, chosen by bytes: two bits of kind, six of length. */
static struct weft_text_op *build(struct weft_slice *rest)
{
    static const char inserts[] = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const size_t points = weft__utf8_count((const uint8_t *)fixed_doc, sizeof(fixed_doc) - 1);
    struct weft_bytes out;
    struct weft_json_writer w;
    size_t at = 0;
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    weft__json_writer_init(&w, &out);
    weft__json_begin_array(&w);
    bool skipped = false;
    for (uint8_t parts = take_byte(rest) % 12; parts > 0; parts--) {
        uint8_t byte = take_byte(rest);
        size_t count = 1u + (byte & 0x1f);
        size_t left = points - at;
        if ((byte >> 6) == 0 && !skipped && parts > 1 && left > 0) {
            count = WEFT_MIN(count, left);
            weft__json_put_u64(&w, count);
            at += count;
            skipped = true;
            continue;
        }
        skipped = false;
        if ((byte >> 6) == 1 && left > 0) {
            count = WEFT_MIN(count, left);
            size_t from = weft__utf8_offset((const uint8_t *)fixed_doc, sizeof(fixed_doc) - 1, at);
            at += count;
            size_t to = weft__utf8_offset((const uint8_t *)fixed_doc, sizeof(fixed_doc) - 1, at);
            weft__json_begin_object(&w);
            weft__json_key(&w, "d");
            if (byte & 0x20)
                weft__json_put_string(&w, weft__slice(fixed_doc + from, to - from));
            else
                weft__json_put_u64(&w, count);
            weft__json_end_object(&w);
            continue;
        }
        weft__json_put_string(&w, weft__slice(inserts + (byte & 0x1f), count % 24 + 1));
    }
    weft__json_end_array(&w);
    struct weft_text_op *op = parse(weft__bytes_slice(&out));
    WEFT_ASSERT(op);
    weft__bytes_done(&out);
    return op;
}

static void run(struct weft_slice text, struct weft_text_op *a, struct weft_text_op *b)
{
    struct weft_rope doc;
    weft__rope_init(&doc, weft_alloc_default());
    int err = weft__rope_insert(&doc, 0, text);
    WEFT_ASSERT(!err);
    bool a_fits = a && check_one(&doc, a);
    bool b_fits = b && check_one(&doc, b);
    if (a_fits && b_fits) {
        check_pair(&doc, a, b);
        check_pair(&doc, b, a);
    } else if (a && b) {
        check_unfit(a, b);
    }
    weft__rope_done(&doc);
    weft__text_free(a);
    weft__text_free(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct weft_slice rest = {data, size};
    struct weft_slice text = weft__slice_str(fixed_doc);
    struct weft_text_op *a;
    struct weft_text_op *b;
    if (size > 0 && data[0] == '#') {
        take_byte(&rest);
        struct weft_slice line = next_line(&rest);
        if (line.len > 0 && line.len < 4096 && weft__utf8_valid(line.ptr, line.len))
            text = line;
        a = parse(next_line(&rest));
        b = parse(next_line(&rest));
    } else {
        a = build(&rest);
        b = build(&rest);
    }
    run(text, a, b);
    return 0;
}
