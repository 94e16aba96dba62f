/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer target of JSON operations. The input is three lines: a document, operation a, operation
 * b. Whatever is accepted must survive writing and reading; what fits the document must be undone
 * by its inverse and obey TP1; two operations that fit nothing give results or clean errors.
 */
#include "base/assert.h"
#include "ot/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct weft_json *read_json(struct weft_arena *arena, struct weft_slice text)
{
    const struct weft_json *value;
    return weft__json_parse(text, arena, NULL, NULL, &value) ? NULL : value;
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

static struct weft_tree_op *parse(struct weft_slice text)
{
    struct weft_arena arena;
    struct weft_tree_op *op = NULL;
    struct weft_ot_error error = {0};
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    const struct weft_json *json = read_json(&arena, text);
    if (json) {
        int err = weft__tree_parse(weft_alloc_default(), json, &op, &error);
        WEFT_ASSERT(err ? !op && error.message && error.status : op != NULL);
    }
    weft__arena_done(&arena);
    return op;
}

/* What is written is read as the same. */
static void check_canonical(const struct weft_tree_op *op)
{
    struct weft_bytes once;
    struct weft_bytes twice;
    struct weft_json_writer w;
    weft__bytes_init(&once, weft_alloc_default(), SIZE_MAX);
    weft__bytes_init(&twice, weft_alloc_default(), SIZE_MAX);
    weft__json_writer_init(&w, &once);
    weft__tree_op_write(op, &w);
    struct weft_tree_op *again = parse(weft__bytes_slice(&once));
    WEFT_ASSERT(again);
    weft__json_writer_init(&w, &twice);
    weft__tree_op_write(again, &w);
    WEFT_ASSERT(weft__slice_eq(weft__bytes_slice(&once), weft__bytes_slice(&twice)));
    weft__tree_op_free(again);
    weft__bytes_done(&once);
    weft__bytes_done(&twice);
}

static struct weft_tree_value *apply(struct weft_tree_value *doc, const struct weft_tree_op *op)
{
    struct weft_tree_value *result = NULL;
    return weft__tree_apply(weft_alloc_default(), doc, op, &result, NULL) ? NULL : result;
}

/* True when |op| fits |doc|; then its inverse leads back. */
static bool check_one(struct weft_tree_value *doc, const struct weft_tree_op *op)
{
    struct weft_tree_op *inverse = NULL;
    check_canonical(op);
    struct weft_tree_value *end = apply(doc, op);
    int err = weft__tree_invert(weft_alloc_default(), op, doc, &inverse, NULL);
    if (!end) {
        WEFT_ASSERT(err);
        return false;
    }
    if (!err) { /* else the content found makes it too deep */
        struct weft_tree_value *back = apply(end, inverse);
        check_canonical(inverse);
        WEFT_ASSERT(back);
        weft__tree_unref(back); /* sums of doubles need not lead back exactly */
        weft__tree_op_free(inverse);
    }
    weft__tree_unref(end);
    return true;
}

static struct weft_tree_op *transform(const struct weft_tree_op *a, const struct weft_tree_op *b,
                                      enum weft_ot_side side)
{
    struct weft_tree_op *result = NULL;
    if (weft__tree_transform(weft_alloc_default(), a, b, side, NULL, &result, NULL))
        return NULL;
    check_canonical(result);
    return result;
}

/* Whatever the operations are: results that can be written, or errors. With |doc| both fit it. */
static void check_pair(struct weft_tree_value *doc, const struct weft_tree_op *a,
                       const struct weft_tree_op *b)
{
    struct weft_tree_op *both = NULL;
    struct weft_tree_op *a_left = transform(a, b, WEFT_OT_SIDE_LEFT);
    struct weft_tree_op *b_right = transform(b, a, WEFT_OT_SIDE_RIGHT);
    if (weft__tree_compose(weft_alloc_default(), a, b_right ? b_right : b, &both, NULL) == 0)
        check_canonical(both);
    if (doc && a_left && b_right) {
        struct weft_tree_value *x = apply(doc, a);
        struct weft_tree_value *y = apply(doc, b);
        struct weft_tree_value *x2 = apply(x, b_right);
        struct weft_tree_value *y2 = apply(y, a_left);
        WEFT_ASSERT((x2 != NULL) == (y2 != NULL));
        WEFT_ASSERT(!x2 || x2->height == y2->height);
        weft__tree_unref(x2);
        weft__tree_unref(y2);
        weft__tree_unref(x);
        weft__tree_unref(y);
    }
    weft__tree_op_free(a_left);
    weft__tree_op_free(b_right);
    weft__tree_op_free(both);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct weft_slice rest = {data, size};
    struct weft_arena arena;
    struct weft_tree_value *doc = NULL;
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    const struct weft_json *json = read_json(&arena, next_line(&rest));
    struct weft_tree_op *a = parse(next_line(&rest));
    struct weft_tree_op *b = parse(next_line(&rest));
    if (json && weft__tree_from_json(weft_alloc_default(), json, &doc, NULL))
        doc = NULL;
    bool a_fits = doc && a && check_one(doc, a);
    bool b_fits = doc && b && check_one(doc, b);
    if (a && b)
        check_pair(a_fits && b_fits ? doc : NULL, a, b);
    weft__tree_op_free(a);
    weft__tree_op_free(b);
    weft__tree_unref(doc);
    weft__arena_done(&arena);
    return 0;
}
