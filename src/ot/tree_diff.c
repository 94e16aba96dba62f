/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An operation that leads from one JSON document to another. Values that are shared by both are the
 * same at a glance, so the difference between two versions costs what has changed. Members are
 * compared by key; lists by what their beginnings and ends have in common, and between these place
 * by place. A string of which enough is kept is edited, anything else replaced.
 */
#include "ot/tree_work.h"

#include "base/utf8.h"
#include "ot/text_build.h"

struct diff {
    struct weft_tree_work work;
};

static void diff_values(struct diff *d, struct weft_tree_value *a, struct weft_tree_value *b,
                        struct weft_tree_node *w);

static struct weft_tree_key key_of(const struct weft_tree_member *member)
{
    struct weft_slice name = weft__tree_string(member->key);
    return (struct weft_tree_key){name.ptr, (int64_t)name.len};
}

static void diff_objects(struct diff *d, struct weft_tree_value *a, struct weft_tree_value *b,
                         struct weft_tree_node *w)
{
    const struct weft_tree_member *x = weft__tree_members(a);
    const struct weft_tree_member *y = weft__tree_members(b);
    for (uint32_t i = 0, k = 0; i < a->count || k < b->count;) {
        int order = i == a->count   ? 1
                    : k == b->count ? -1
                                    : weft__tree_order(key_of(&x[i]), key_of(&y[k]));
        struct weft_tree_node *at =
            weft__tree_descend(&d->work, w, key_of(order <= 0 ? &x[i] : &y[k]));
        if (order < 0)
            weft__tree_put_remove(&d->work, at, x[i++].value);
        else if (order > 0)
            weft__tree_put_insert(&d->work, at, y[k++].value);
        else
            diff_values(d, x[i++].value, y[k++].value, at);
    }
}

static void diff_lists(struct diff *d, struct weft_tree_value *a, struct weft_tree_value *b,
                       struct weft_tree_node *w)
{
    struct weft_tree_value **x = weft__tree_items(a);
    struct weft_tree_value **y = weft__tree_items(b);
    uint32_t start = 0;
    uint32_t a_end = a->count;
    uint32_t b_end = b->count;
    while (start < a_end && start < b_end && weft__tree_equal(x[start], y[start]))
        start++;
    while (a_end > start && b_end > start && weft__tree_equal(x[a_end - 1], y[b_end - 1])) {
        a_end--;
        b_end--;
    }
    for (uint32_t i = start; i < WEFT_MAX(a_end, b_end); i++) {
        struct weft_tree_node *at = weft__tree_descend(&d->work, w, weft__tree_index(i));
        if (i < a_end && i < b_end)
            diff_values(d, x[i], y[i], at);
        else if (i < a_end)
            weft__tree_put_remove(&d->work, at, x[i]);
        else
            weft__tree_put_insert(&d->work, at, y[i]);
    }
}

/* The bytes of |value|, a string. False, and failed, when out of memory. */
static bool bytes_of(struct diff *d, const struct weft_tree_value *value,
                     struct weft_slice *ret_bytes)
{
    if (value->type == WEFT_TREE_STRING) {
        *ret_bytes = weft__tree_string(value);
        return true;
    }
    struct weft_bytes bytes;
    weft__bytes_init(&bytes, &d->work.scratch, SIZE_MAX);
    weft__bytes_reserve(&bytes, value->count);
    weft__rope_copy(weft__tree_rope(value), 0, SIZE_MAX, &bytes);
    *ret_bytes = weft__bytes_slice(&bytes);
    if (!weft__bytes_error(&bytes))
        return true;
    weft__tree_fail(&d->work, WEFT_ERR_NOMEM, WEFT_STATUS_RESOURCE_EXHAUSTED, "out of memory");
    return false;
}

static void replace(struct diff *d, struct weft_tree_value *a, struct weft_tree_value *b,
                    struct weft_tree_node *w)
{
    weft__tree_put_remove(&d->work, w, a);
    weft__tree_put_insert(&d->work, w, b);
}

/* Characters that |op| keeps of the text it is made for. */
static uint32_t kept_by(const struct weft_text_op *op, uint32_t points)
{
    for (uint32_t i = 0; i < op->count; i++) {
        if (op->parts[i].kind == WEFT_TEXT_KIND_DELETE)
            points -= op->parts[i].points;
    }
    return points;
}

static void diff_strings(struct diff *d, struct weft_tree_value *a, struct weft_tree_value *b,
                         struct weft_tree_node *w)
{
    struct weft_slice from;
    struct weft_slice to;
    struct weft_text_op *text;
    struct weft_ot_error error;
    if (!bytes_of(d, a, &from) || !bytes_of(d, b, &to))
        return;
    int err = weft__text_diff(&d->work.scratch, from, to, &text, &error);
    uint32_t points = (uint32_t)weft__utf8_count(from.ptr, from.len);
    if (err)
        weft__tree_fail(&d->work, err, error.status, error.message);
    else if (kept_by(text, points) < points / 4) /* less than a quarter is kept */
        replace(d, a, b, w);
    else
        weft__tree_put_text(&d->work, w, text);
}

static void diff_values(struct diff *d, struct weft_tree_value *a, struct weft_tree_value *b,
                        struct weft_tree_node *w)
{
    if (d->work.err || weft__tree_equal(a, b))
        return;
    if (weft__tree_is_string(a) && weft__tree_is_string(b))
        diff_strings(d, a, b, w);
    else if (a->type == WEFT_TREE_OBJECT && b->type == WEFT_TREE_OBJECT)
        diff_objects(d, a, b, w);
    else if (a->type == WEFT_TREE_LIST && b->type == WEFT_TREE_LIST)
        diff_lists(d, a, b, w);
    else
        replace(d, a, b, w);
}

int weft__tree_diff(const struct weft_alloc *alloc, struct weft_tree_value *from,
                    struct weft_tree_value *to, struct weft_tree_op **ret_op,
                    struct weft_ot_error *error)
{
    struct diff d;
    weft__tree_work_init(&d.work, alloc);
    struct weft_tree_node *root = weft__tree_grow(&d.work);
    diff_values(&d, from, to, root);
    int err = weft__tree_finish(&d.work, root, ret_op, error);
    weft__tree_work_done(&d.work);
    return err;
}
