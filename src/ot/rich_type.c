/* SPDX-License-Identifier: Apache-2.0 */
/* Rich text as a document type: the table of ot/type.h over ot/rich.h and ot/rich_doc.h. */
#include "ot/rich_doc.h"

static int op_parse(const struct weft_alloc *alloc, const struct weft_json *value, void **ret_op,
                    struct weft_ot_error *error)
{
    struct weft_rich_op *op;
    int err = weft__rich_parse(alloc, value, &op, error);
    if (!err)
        *ret_op = op;
    return err;
}

static void op_write(const void *op, struct weft_json_writer *out)
{
    weft__json_begin_object(out);
    weft__json_key(out, "ops");
    weft__rich_write(op, out);
    weft__json_end_object(out);
}

static void op_free(void *op)
{
    weft__rich_free(op);
}

static bool op_is_empty(const void *op)
{
    const struct weft_rich_op *rich = op;
    return rich->count == 0;
}

static size_t op_memory(const void *op)
{
    const struct weft_rich_op *rich = op;
    return rich->size;
}

static uint64_t op_growth(const void *op)
{
    return weft__rich_doc_growth(op);
}

static int op_transform(const struct weft_alloc *alloc, const void *op, const void *other,
                        enum weft_ot_side side, void **ret_op, struct weft_ot_error *error)
{
    struct weft_rich_op *result;
    int err = weft__rich_transform(alloc, op, other, side, &result, error);
    if (!err)
        *ret_op = result;
    return err;
}

static int op_compose(const struct weft_alloc *alloc, const void *first, const void *second,
                      void **ret_op, struct weft_ot_error *error)
{
    struct weft_rich_op *result;
    int err = weft__rich_compose(alloc, first, second, &result, error);
    if (!err)
        *ret_op = result;
    return err;
}

static int op_invert(const struct weft_alloc *alloc, const void *op, void *doc, void **ret_op,
                     struct weft_ot_error *error)
{
    struct weft_rich_op *result;
    int err = weft__rich_doc_invert(alloc, op, doc, &result, error);
    if (!err)
        *ret_op = result;
    return err;
}

static int op_normalize(const struct weft_alloc *alloc, const void *op, void **ret_op,
                        struct weft_ot_error *error)
{
    struct weft_rich_op *result;
    int err = weft__rich_normalize(alloc, op, &result, error);
    if (!err)
        *ret_op = result;
    return err;
}

static uint64_t op_position(const void *op, uint64_t pos, enum weft_ot_side side)
{
    return weft__rich_position(op, pos, side);
}

static void doc_free(void *doc)
{
    weft__rich_doc_free(doc);
}

static int doc_new(const struct weft_alloc *alloc, const struct weft_json *snapshot, void **ret_doc,
                   struct weft_ot_error *error)
{
    struct weft_rich_op *content = NULL;
    struct weft_rich_doc *doc;
    int err = snapshot ? weft__rich_parse_doc(alloc, snapshot, &content, error) : 0;
    if (!err)
        err = weft__rich_doc_new(alloc, content, &doc, error);
    if (!err)
        *ret_doc = doc;
    return err;
}

static int doc_apply(void *doc, const void *op, struct weft_ot_error *error)
{
    return weft__rich_doc_apply(doc, op, error);
}

static int doc_snapshot(void *doc, void **ret_doc)
{
    struct weft_rich_doc *copy;
    int err = weft__rich_doc_snapshot(doc, &copy);
    if (!err)
        *ret_doc = copy;
    return err;
}

static void doc_write(void *doc, struct weft_json_writer *out)
{
    struct weft_rich_op *content;
    int err = weft__rich_doc_content(doc, &content, NULL);
    if (err) {
        if (!out->out->err)
            out->out->err = err;
        return;
    }
    weft__rich_write(content, out);
    weft__rich_free(content);
}

static size_t doc_bytes(const void *doc)
{
    return weft__rich_doc_bytes(doc);
}

static uint64_t doc_length(const void *doc)
{
    return weft__rich_doc_length(doc);
}

static int doc_diff(const struct weft_alloc *alloc, void *from, void *to, void **ret_op,
                    struct weft_ot_error *error)
{
    struct weft_rich_op *result;
    int err = weft__rich_doc_diff(alloc, from, to, &result, error);
    if (!err)
        *ret_op = result;
    return err;
}

const struct weft_ot_type weft__ot_rich = {
    .name = "rich",
    .logged_first = true,
    .op_parse = op_parse,
    .op_write = op_write,
    .op_free = op_free,
    .op_is_empty = op_is_empty,
    .op_memory = op_memory,
    .op_growth = op_growth,
    .op_transform = op_transform,
    .op_compose = op_compose,
    .op_invert = op_invert,
    .op_position = op_position,
    .op_normalize = op_normalize,
    .doc_new = doc_new,
    .doc_free = doc_free,
    .doc_apply = doc_apply,
    .doc_snapshot = doc_snapshot,
    .doc_write = doc_write,
    .doc_bytes = doc_bytes,
    .doc_length = doc_length,
    .doc_diff = doc_diff,
};
