/* SPDX-License-Identifier: Apache-2.0 */
/* Plain text as a document type: the table of ot/type.h over ot/text.h and the rope. */
#include "base/mem.h"
#include "ot/text.h"

static int op_parse(const struct weft_alloc *alloc, const struct weft_json *value, void **ret_op,
                    struct weft_ot_error *error)
{
    struct weft_text_op *op;
    int err = weft__text_parse(alloc, value, &op, error);
    if (!err)
        *ret_op = op;
    return err;
}

static void op_write(const void *op, struct weft_json_writer *out)
{
    weft__text_write(op, out);
}

static void op_free(void *op)
{
    weft__text_free(op);
}

static bool op_is_empty(const void *op)
{
    const struct weft_text_op *text = op;
    return text->count == 0;
}

static size_t op_memory(const void *op)
{
    const struct weft_text_op *text = op;
    return text->size;
}

static int op_transform(const struct weft_alloc *alloc, const void *op, const void *other,
                        enum weft_ot_side side, void **ret_op, struct weft_ot_error *error)
{
    struct weft_text_op *result;
    int err = weft__text_transform(alloc, op, other, side, &result, error);
    if (!err)
        *ret_op = result;
    return err;
}

static int op_compose(const struct weft_alloc *alloc, const void *first, const void *second,
                      void **ret_op, struct weft_ot_error *error)
{
    struct weft_text_op *result;
    int err = weft__text_compose(alloc, first, second, &result, error);
    if (!err)
        *ret_op = result;
    return err;
}

static int op_invert(const struct weft_alloc *alloc, const void *op, void *doc, void **ret_op,
                     struct weft_ot_error *error)
{
    struct weft_text_op *result;
    int err = weft__text_invert(alloc, op, doc, &result, error);
    if (!err)
        *ret_op = result;
    return err;
}

static uint64_t op_position(const void *op, uint64_t pos, enum weft_ot_side side)
{
    return weft__text_position(op, pos, side);
}

static void doc_free(void *doc)
{
    struct weft_rope *rope = doc;
    if (!rope)
        return;
    const struct weft_alloc *alloc = rope->alloc;
    weft__rope_done(rope);
    weft__mem_free(alloc, rope, sizeof(*rope));
}

static int doc_new(const struct weft_alloc *alloc, const struct weft_json *snapshot, void **ret_doc,
                   struct weft_ot_error *error)
{
    if (snapshot && !weft__json_is(snapshot, WEFT_JSON_STRING))
        return weft__ot_fail(error, WEFT_ERR_OP, WEFT_STATUS_INVALID_ARGUMENT,
                             "a text document must be a string");
    struct weft_rope *rope = weft__mem_alloc(alloc, sizeof(*rope));
    if (!rope)
        return weft__ot_fail(error, WEFT_ERR_NOMEM, WEFT_STATUS_RESOURCE_EXHAUSTED,
                             "out of memory");
    weft__rope_init(rope, alloc);
    int err = weft__rope_insert(rope, 0, weft__json_string(snapshot));
    if (err) {
        doc_free(rope);
        return weft__ot_fail(error, err, WEFT_STATUS_RESOURCE_EXHAUSTED,
                             err == WEFT_ERR_TOO_BIG ? "the document is too large"
                                                     : "out of memory");
    }
    *ret_doc = rope;
    return 0;
}

static int doc_apply(void *doc, const void *op, struct weft_ot_error *error)
{
    return weft__text_apply(doc, op, error);
}

static int doc_snapshot(void *doc, void **ret_doc)
{
    struct weft_rope *rope = doc;
    struct weft_rope *copy = weft__mem_alloc(rope->alloc, sizeof(*copy));
    if (!copy)
        return WEFT_ERR_NOMEM;
    weft__rope_snapshot(rope, copy);
    *ret_doc = copy;
    return 0;
}

/* The text of |rope|, owned by |out|. */
static struct weft_slice text_of(struct weft_rope *rope, struct weft_bytes *out)
{
    weft__bytes_init(out, rope->alloc, SIZE_MAX);
    weft__bytes_reserve(out, weft__rope_bytes(rope));
    weft__rope_copy(rope, 0, SIZE_MAX, out);
    return weft__bytes_slice(out);
}

static void doc_write(void *doc, struct weft_json_writer *out)
{
    struct weft_rope *rope = doc;
    struct weft_bytes text;
    (void)text_of(rope, &text);
    if (weft__bytes_error(&text) && !out->out->err)
        out->out->err = weft__bytes_error(&text);
    weft__json_put_string(out, weft__bytes_slice(&text));
    weft__bytes_done(&text);
}

static size_t doc_bytes(const void *doc)
{
    return weft__rope_bytes(doc);
}

static uint64_t doc_length(const void *doc)
{
    return weft__rope_points(doc);
}

static int doc_diff(const struct weft_alloc *alloc, void *from, void *to, void **ret_op,
                    struct weft_ot_error *error)
{
    struct weft_bytes a;
    struct weft_bytes b;
    struct weft_text_op *op;
    struct weft_slice first = text_of(from, &a);
    struct weft_slice second = text_of(to, &b);
    int err = weft__bytes_error(&a) ? weft__bytes_error(&a) : weft__bytes_error(&b);
    if (err)
        weft__ot_fail(error, err, WEFT_STATUS_RESOURCE_EXHAUSTED, "out of memory");
    else
        err = weft__text_diff(alloc, first, second, &op, error);
    if (!err)
        *ret_op = op;
    weft__bytes_done(&b);
    weft__bytes_done(&a);
    return err;
}

const struct weft_ot_type weft__ot_text = {
    .name = "text",
    .op_parse = op_parse,
    .op_write = op_write,
    .op_free = op_free,
    .op_is_empty = op_is_empty,
    .op_memory = op_memory,
    .op_transform = op_transform,
    .op_compose = op_compose,
    .op_invert = op_invert,
    .op_position = op_position,
    .doc_new = doc_new,
    .doc_free = doc_free,
    .doc_apply = doc_apply,
    .doc_snapshot = doc_snapshot,
    .doc_write = doc_write,
    .doc_bytes = doc_bytes,
    .doc_length = doc_length,
    .doc_diff = doc_diff,
};
