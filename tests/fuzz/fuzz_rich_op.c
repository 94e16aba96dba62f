/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer target of rich text. The input is three lines: a document, operation a, operation b.
 * Whatever is accepted must survive writing and reading; what fits the document must be undone by
 * its inverse and obey TP1; two operations that fit nothing give results or clean errors; the
 * difference of two documents leads from one to the other.
 */
#include "base/assert.h"
#include "ot/rich.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct weft_ot_type *const rich = &weft__ot_rich;

static struct weft_slice next_line(struct weft_slice *rest)
{
    const uint8_t *end = rest->len ? memchr(rest->ptr, '\n', rest->len) : NULL;
    struct weft_slice line = {rest->ptr, end ? (size_t)(end - rest->ptr) : rest->len};
    size_t used = line.len + (end != NULL);
    rest->ptr += used;
    rest->len -= used;
    return line;
}

/* An operation of |text|, or a document; NULL when it is none. */
static void *parse(struct weft_slice text, bool doc)
{
    struct weft_arena arena;
    const struct weft_json *json;
    void *result = NULL;
    struct weft_ot_error error = {0};
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    if (weft__json_parse(text, &arena, NULL, NULL, &json) == 0) {
        int err = doc ? rich->doc_new(weft_alloc_default(), json, &result, &error)
                      : rich->op_parse(weft_alloc_default(), json, &result, &error);
        WEFT_ASSERT(err ? !result && error.message && error.status : result != NULL);
    }
    weft__arena_done(&arena);
    return result;
}

static void write(const void *op, void *doc, struct weft_bytes *out)
{
    struct weft_json_writer w;
    weft__bytes_init(out, weft_alloc_default(), SIZE_MAX);
    weft__json_writer_init(&w, out);
    if (doc)
        rich->doc_write(doc, &w);
    else
        rich->op_write(op, &w);
    WEFT_ASSERT(weft__bytes_error(out) == 0);
}

/* What is written is read as the same. */
static void check_canonical(const void *op, void *doc)
{
    struct weft_bytes once;
    struct weft_bytes twice;
    write(op, doc, &once);
    void *again = parse(weft__bytes_slice(&once), doc != NULL);
    WEFT_ASSERT(again);
    write(doc ? NULL : again, doc ? again : NULL, &twice);
    WEFT_ASSERT(weft__slice_eq(weft__bytes_slice(&once), weft__bytes_slice(&twice)));
    if (doc)
        rich->doc_free(again);
    else
        rich->op_free(again);
    weft__bytes_done(&once);
    weft__bytes_done(&twice);
}

static void check_same(void *one, void *two)
{
    struct weft_bytes a;
    struct weft_bytes b;
    write(NULL, one, &a);
    write(NULL, two, &b);
    WEFT_ASSERT(weft__slice_eq(weft__bytes_slice(&a), weft__bytes_slice(&b)));
    WEFT_ASSERT(rich->doc_length(one) == rich->doc_length(two));
    weft__bytes_done(&a);
    weft__bytes_done(&b);
}

/* |doc| after |op|; NULL when it does not fit. */
static void *apply(void *doc, const void *op)
{
    void *result;
    struct weft_ot_error error = {0};
    WEFT_ASSERT(rich->doc_snapshot(doc, &result) == 0);
    if (rich->doc_apply(result, op, &error)) {
        WEFT_ASSERT(error.message && error.status);
        rich->doc_free(result);
        return NULL;
    }
    return result;
}

/* True when |op| fits |doc|; then its inverse leads back, and so does the difference. */
static bool check_one(void *doc, const void *op)
{
    void *inverse = NULL;
    void *difference = NULL;
    void *normal = NULL;
    void *end = apply(doc, op);
    int err = rich->op_invert(weft_alloc_default(), op, doc, &inverse, NULL);
    check_canonical(op, NULL);
    if (!end) {
        WEFT_ASSERT(err);
        return false;
    }
    WEFT_ASSERT(!err);
    WEFT_ASSERT(rich->doc_bytes(end) <= rich->doc_bytes(doc) + rich->op_growth(op));
    WEFT_ASSERT(rich->doc_diff(weft_alloc_default(), end, doc, &difference, NULL) == 0);
    WEFT_ASSERT(rich->op_normalize(weft_alloc_default(), op, &normal, NULL) == 0);
    check_canonical(inverse, NULL);
    check_canonical(difference, NULL);
    check_canonical(normal, NULL);
    check_canonical(NULL, end);
    void *back = apply(end, inverse);
    void *same = apply(end, difference);
    void *again = apply(doc, normal);
    WEFT_ASSERT(back && same && again);
    check_same(back, doc);
    check_same(same, doc);
    check_same(again, end);
    rich->doc_free(back);
    rich->doc_free(same);
    rich->doc_free(again);
    rich->doc_free(end);
    rich->op_free(inverse);
    rich->op_free(difference);
    rich->op_free(normal);
    return true;
}

static void *transform(const void *a, const void *b, enum weft_ot_side side)
{
    void *result = NULL;
    if (rich->op_transform(weft_alloc_default(), a, b, side, &result, NULL))
        return NULL;
    check_canonical(result, NULL);
    return result;
}

/* Both orders and the composition lead to one document. */
static void check_orders(void *doc, const void *a, const void *b, const void *a_left,
                         const void *b_right)
{
    void *both = NULL;
    void *x = apply(doc, a);
    void *y = apply(doc, b);
    void *x2 = apply(x, b_right);
    void *y2 = apply(y, a_left);
    WEFT_ASSERT(x2 && y2);
    WEFT_ASSERT(rich->op_compose(weft_alloc_default(), a, b_right, &both, NULL) == 0);
    void *z = apply(doc, both);
    WEFT_ASSERT(z);
    check_same(x2, y2);
    check_same(x2, z);
    rich->op_free(both);
    rich->doc_free(z);
    rich->doc_free(x2);
    rich->doc_free(y2);
    rich->doc_free(x);
    rich->doc_free(y);
}

/* Whatever the operations are: results that can be written, or errors. With |doc| both fit it. */
static void check_pair(void *doc, const void *a, const void *b)
{
    void *both = NULL;
    void *a_left = transform(a, b, WEFT_OT_SIDE_LEFT);
    void *b_right = transform(b, a, WEFT_OT_SIDE_RIGHT);
    if (rich->op_compose(weft_alloc_default(), a, b, &both, NULL) == 0)
        check_canonical(both, NULL);
    if (doc) {
        WEFT_ASSERT(a_left && b_right);
        check_orders(doc, a, b, a_left, b_right);
    }
    rich->op_free(a_left);
    rich->op_free(b_right);
    rich->op_free(both);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct weft_slice rest = {data, size};
    void *doc = parse(next_line(&rest), true);
    void *a = parse(next_line(&rest), false);
    void *b = parse(next_line(&rest), false);
    bool a_fits = doc && a && check_one(doc, a);
    bool b_fits = doc && b && check_one(doc, b);
    if (a && b)
        check_pair(a_fits && b_fits ? doc : NULL, a, b);
    rich->op_free(a);
    rich->op_free(b);
    rich->doc_free(doc);
    return 0;
}
