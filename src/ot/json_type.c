/* SPDX-License-Identifier: Apache-2.0 */
/* JSON documents as an entry of the table of types. A document is one reference to a value. */
#include "base/mem.h"
#include "ot/tree.h"

struct weft_tree_doc {
    const struct weft_alloc *alloc;
    struct weft_tree_value *value;
};

static int op_parse(const struct weft_alloc *alloc, const struct weft_json *value, void **ret_op,
                    struct weft_ot_error *error)
{
    struct weft_tree_op *op;
    int err = weft__tree_parse(alloc, value, &op, error);
    if (!err)
        *ret_op = op;
    return err;
}

static void op_write(const void *op, struct weft_json_writer *out)
{
    weft__tree_op_write(op, out);
}

static void op_free(void *op)
{
    weft__tree_op_free(op);
}

static bool op_is_empty(const void *op)
{
    const struct weft_tree_op *tree = op;
    return tree->count == 0;
}

static size_t op_memory(const void *op)
{
    const struct weft_tree_op *tree = op;
    return tree->size + tree->values;
}

static int op_transform_reported(const struct weft_alloc *alloc, const void *op, const void *other,
                                 enum weft_ot_side side, struct weft_json_writer *conflicts,
                                 void **ret_op, struct weft_ot_error *error)
{
    struct weft_tree_op *result;
    int err = weft__tree_transform(alloc, op, other, side, conflicts, &result, error);
    if (!err)
        *ret_op = result;
    return err;
}

static int op_transform(const struct weft_alloc *alloc, const void *op, const void *other,
                        enum weft_ot_side side, void **ret_op, struct weft_ot_error *error)
{
    return op_transform_reported(alloc, op, other, side, NULL, ret_op, error);
}

static int op_compose(const struct weft_alloc *alloc, const void *first, const void *second,
                      void **ret_op, struct weft_ot_error *error)
{
    struct weft_tree_op *result;
    int err = weft__tree_compose(alloc, first, second, &result, error);
    if (!err)
        *ret_op = result;
    return err;
}

static int op_normalize(const struct weft_alloc *alloc, const void *op, void **ret_op,
                        struct weft_ot_error *error)
{
    struct weft_tree_op *result;
    int err = weft__tree_normalize(alloc, op, &result, error);
    if (!err)
        *ret_op = result;
    return err;
}

static int op_invert(const struct weft_alloc *alloc, const void *op, void *doc, void **ret_op,
                     struct weft_ot_error *error)
{
    const struct weft_tree_doc *tree = doc;
    struct weft_tree_op *result;
    int err = weft__tree_invert(alloc, op, tree->value, &result, error);
    if (!err)
        *ret_op = result;
    return err;
}

/* Places in a tree are paths; a number stays what it is. */
static uint64_t op_position(const void *op, uint64_t pos, enum weft_ot_side side)
{
    (void)op;
    (void)side;
    return pos;
}

static int op_path(const struct weft_alloc *alloc, const void *op, const struct weft_json *path,
                   enum weft_ot_side side, struct weft_json_writer *out,
                   struct weft_ot_error *error)
{
    return weft__tree_path(alloc, op, path, side, out, error);
}

/* Wraps |value|, a reference that it takes over. */
static int doc_of(const struct weft_alloc *alloc, struct weft_tree_value *value, void **ret_doc)
{
    struct weft_tree_doc *doc = value ? weft__mem_alloc(alloc, sizeof(*doc)) : NULL;
    if (!doc) {
        weft__tree_unref(value);
        return WEFT_ERR_NOMEM;
    }
    *doc = (struct weft_tree_doc){alloc, value};
    *ret_doc = doc;
    return 0;
}

static int doc_new(const struct weft_alloc *alloc, const struct weft_json *snapshot, void **ret_doc,
                   struct weft_ot_error *error)
{
    struct weft_tree_value *value = NULL;
    int err = 0;
    if (snapshot)
        err = weft__tree_from_json(alloc, snapshot, &value, error);
    else
        value = weft__tree_new(alloc, WEFT_TREE_NULL, 0);
    if (err)
        return err;
    err = doc_of(alloc, value, ret_doc);
    return err ? weft__tree_no_memory(error) : 0;
}

static void doc_free(void *doc)
{
    struct weft_tree_doc *tree = doc;
    if (!tree)
        return;
    weft__tree_unref(tree->value);
    weft__mem_free(tree->alloc, tree, sizeof(*tree));
}

static int doc_apply(void *doc, const void *op, struct weft_ot_error *error)
{
    struct weft_tree_doc *tree = doc;
    struct weft_tree_value *value;
    int err = weft__tree_apply(tree->alloc, tree->value, op, &value, error);
    if (err)
        return err;
    weft__tree_unref(tree->value);
    tree->value = value;
    return 0;
}

static int doc_snapshot(void *doc, void **ret_doc)
{
    const struct weft_tree_doc *tree = doc;
    return doc_of(tree->alloc, weft__tree_ref(tree->value), ret_doc);
}

static void doc_write(void *doc, struct weft_json_writer *out)
{
    const struct weft_tree_doc *tree = doc;
    weft__tree_write(tree->value, out);
}

static size_t doc_bytes(const void *doc)
{
    const struct weft_tree_doc *tree = doc;
    return tree->value->bytes;
}

/* Numbers are no positions here, so none is too great. */
static uint64_t doc_length(const void *doc)
{
    (void)doc;
    return UINT64_MAX;
}

static int doc_diff(const struct weft_alloc *alloc, void *from, void *to, void **ret_op,
                    struct weft_ot_error *error)
{
    const struct weft_tree_doc *a = from;
    const struct weft_tree_doc *b = to;
    struct weft_tree_op *result;
    int err = weft__tree_diff(alloc, a->value, b->value, &result, error);
    if (!err)
        *ret_op = result;
    return err;
}

const struct weft_ot_type weft__ot_json = {
    .name = "json",
    .op_parse = op_parse,
    .op_write = op_write,
    .op_free = op_free,
    .op_is_empty = op_is_empty,
    .op_memory = op_memory,
    .op_transform = op_transform,
    .op_compose = op_compose,
    .op_invert = op_invert,
    .op_position = op_position,
    .op_transform_reported = op_transform_reported,
    .op_normalize = op_normalize,
    .op_path = op_path,
    .doc_new = doc_new,
    .doc_free = doc_free,
    .doc_apply = doc_apply,
    .doc_snapshot = doc_snapshot,
    .doc_write = doc_write,
    .doc_bytes = doc_bytes,
    .doc_length = doc_length,
    .doc_diff = doc_diff,
};
