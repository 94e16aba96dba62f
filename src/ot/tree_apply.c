/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON operations on a document: first everything marked leaves it, then everything is put in and
 * edited. Each container on the way is made anew once in each step, whatever the number of changes
 * in it; all else is shared with the document before.
 */
#include "base/assert.h"
#include "ot/tree_work.h"

#include <math.h>

struct apply {
    struct weft_tree_work work;    /* its |alloc| is that of the values */
    struct weft_tree_value **held; /* by slot: what was picked up and not yet dropped */
};

static void unfit(struct apply *a, const char *message)
{
    weft__tree_fail(&a->work, WEFT_ERR_OP, WEFT_STATUS_FAILED_PRECONDITION, message);
}

static void no_memory(struct apply *a)
{
    weft__tree_fail(&a->work, WEFT_ERR_NOMEM, WEFT_STATUS_RESOURCE_EXHAUSTED, "out of memory");
}

static size_t count_children(const struct weft_tree_node *node)
{
    size_t count = 0;
    for (const struct weft_tree_node *child = node->first; child; child = child->next)
        count++;
    return count;
}

/* |value| after |changes|; takes over the reference. NULL when it fails. */
static struct weft_tree_value *changed(struct apply *a, struct weft_tree_value *value,
                                       struct weft_tree_change *changes, size_t count)
{
    if (count == 0)
        return value;
    struct weft_tree_value *result = weft__tree_rebuild(a->work.alloc, value, changes, count);
    weft__tree_unref(value);
    if (!result)
        no_memory(a);
    return result;
}

static struct weft_tree_value *pick(struct apply *a, const struct weft_tree_node *node,
                                    struct weft_tree_value *value);

/* |value| without what is taken from below it. Takes over and returns a reference. */
static struct weft_tree_value *pick_below(struct apply *a, const struct weft_tree_node *node,
                                          struct weft_tree_value *value)
{
    size_t count = 0;
    struct weft_tree_change *changes =
        weft__tree_zalloc(&a->work, count_children(node), sizeof(*changes));
    if (!changes)
        return value;
    for (const struct weft_tree_node *child = node->first; child && !a->work.err;
         child = child->next) {
        uint32_t at;
        struct weft_tree_value *before = weft__tree_child(value, child->key, &at);
        struct weft_tree_value *after = pick(a, child, weft__tree_ref(before));
        if (after == before)
            weft__tree_unref(after);
        else
            changes[count++] = (struct weft_tree_change){.at = at, .value = after};
    }
    return changed(a, value, changes, count);
}

/* What is left of |value|, which may be NULL, at |node|: NULL when it is taken. Takes over and
 * returns a reference. */
static struct weft_tree_value *pick(struct apply *a, const struct weft_tree_node *node,
                                    struct weft_tree_value *value)
{
    if (node->first)
        value = pick_below(a, node, value);
    if (!WEFT_TREE_HAS(node, WEFT_TREE_TAKES) || a->work.err)
        return value;
    if (!value) {
        unfit(a, "nothing is where something should be removed or picked up");
        return NULL;
    }
    if (node->has & WEFT_TREE_PICK)
        a->held[node->pick] = value;
    else
        weft__tree_unref(value);
    return NULL;
}

/* |value| after the edit of |node|. Takes over and returns a reference. */
static struct weft_tree_value *edit(struct apply *a, const struct weft_tree_node *node,
                                    struct weft_tree_value *value)
{
    struct weft_tree_value *result = NULL;
    if (node->has & WEFT_TREE_EDIT_TEXT) {
        struct weft_ot_error error;
        if (!value || !weft__tree_is_string(value)) {
            unfit(a, "a text edit finds no string");
            return value;
        }
        int err = weft__tree_edit_text(a->work.alloc, value, node->text, &result, &error);
        if (err)
            weft__tree_fail(&a->work, err, error.status, error.message);
    } else {
        if (!value || !weft__tree_is_number(value)) {
            unfit(a, "a number edit finds no number");
            return value;
        }
        double sum = weft__tree_number(value) + node->number;
        if (!isfinite(sum))
            weft__tree_fail(&a->work, WEFT_ERR_OP, WEFT_STATUS_OUT_OF_RANGE,
                            "a number grows too large");
        else if (!(result = weft__tree_new_number(a->work.alloc, sum)))
            no_memory(a);
    }
    weft__tree_unref(value);
    return result;
}

/* What |node| drops or inserts. */
static struct weft_tree_value *take_put(struct apply *a, const struct weft_tree_node *node)
{
    if (node->has & WEFT_TREE_INSERT)
        return weft__tree_ref(node->inserted);
    struct weft_tree_value *value = a->held[node->drop];
    a->held[node->drop] = NULL;
    return value;
}

static struct weft_tree_value *put(struct apply *a, const struct weft_tree_node *node,
                                   struct weft_tree_value *value);

/* Where in |value| the change of |child| is; |inserted| items precede it. False when it does not
 * fit. */
static bool place(struct apply *a, const struct weft_tree_value *value,
                  const struct weft_tree_node *child, int64_t inserted,
                  struct weft_tree_change *ret_change)
{
    struct weft_tree_key key = weft__tree_shift(child->key, -inserted);
    struct weft_tree_value *there = weft__tree_child(value, key, &ret_change->at);
    ret_change->key = child->key;
    ret_change->insert = WEFT_TREE_HAS(child, WEFT_TREE_PUTS);
    if (!ret_change->insert) {
        ret_change->value = weft__tree_ref(there);
        return true;
    }
    if (!value || value->type != (key.name ? WEFT_TREE_OBJECT : WEFT_TREE_LIST)) {
        unfit(a, "something is put into what is no such container");
    } else if (key.name ? there != NULL : key.n > (int64_t)value->count) {
        unfit(a, key.name ? "something is put where something is already"
                          : "something is put behind the end of a list");
    } else {
        ret_change->value = take_put(a, child);
        return true;
    }
    return false;
}

/* |value| with what is put in and edited below it. Takes over and returns a reference. */
static struct weft_tree_value *put_below(struct apply *a, const struct weft_tree_node *node,
                                         struct weft_tree_value *value)
{
    size_t count = 0;
    int64_t inserted = 0;
    struct weft_tree_change *changes =
        weft__tree_zalloc(&a->work, count_children(node), sizeof(*changes));
    if (!changes)
        return value;
    for (const struct weft_tree_node *child = node->first; child && !a->work.err;
         child = child->next) {
        struct weft_tree_change change = {0};
        if (!place(a, value, child, inserted, &change))
            break;
        const struct weft_tree_value *before = change.value;
        change.value = put(a, child, change.value);
        if (change.insert && !child->key.name)
            inserted++;
        if (change.insert || change.value != before)
            changes[count++] = change;
        else
            weft__tree_unref(change.value);
    }
    return changed(a, value, changes, count);
}

/* |value| after the edit of |node| and all below. Takes over and returns a reference. */
static struct weft_tree_value *put(struct apply *a, const struct weft_tree_node *node,
                                   struct weft_tree_value *value)
{
    if (WEFT_TREE_HAS(node, WEFT_TREE_EDITS) && !a->work.err)
        value = edit(a, node, value);
    if (node->first && !a->work.err)
        value = put_below(a, node, value);
    return value;
}

/* The root is a value at all times: null when nothing is there, and null may be replaced. */
static struct weft_tree_value *put_root(struct apply *a, const struct weft_tree_node *root,
                                        struct weft_tree_value *value)
{
    if (a->work.err)
        return value;
    if (WEFT_TREE_HAS(root, WEFT_TREE_PUTS)) {
        if (value && value->type != WEFT_TREE_NULL) {
            unfit(a, "something is put where something is already");
            return value;
        }
        weft__tree_unref(value);
        value = take_put(a, root);
    }
    if (!value)
        value = weft__tree_new(a->work.alloc, WEFT_TREE_NULL, 0);
    if (!value)
        no_memory(a);
    return value ? put(a, root, value) : NULL;
}

int weft__tree_apply(const struct weft_alloc *alloc, struct weft_tree_value *doc,
                     const struct weft_tree_op *op, struct weft_tree_value **ret_doc,
                     struct weft_ot_error *error)
{
    struct weft_tree_value *value = weft__tree_ref(doc);
    const struct weft_tree_node *root = weft__tree_root(op);
    if (!root) {
        *ret_doc = value;
        return 0;
    }
    struct apply a;
    weft__tree_work_init(&a.work, alloc);
    a.held = weft__tree_zalloc(&a.work, op->slots, sizeof(struct weft_tree_value *));
    if (!a.work.err)
        value = pick(&a, root, value);
    value = put_root(&a, root, value);
    if (!a.work.err && value->height > WEFT_TREE_DEPTH_MAX)
        weft__tree_fail(&a.work, WEFT_ERR_TOO_BIG, WEFT_STATUS_RESOURCE_EXHAUSTED,
                        "the document would be nested too deep");
    for (uint32_t i = 0; a.held && i < op->slots; i++)
        weft__tree_unref(a.held[i]);
    int err = a.work.err;
    if (err) {
        weft__tree_unref(value);
        weft__ot_fail(error, err, a.work.error.status, a.work.error.message);
    } else {
        *ret_doc = value;
    }
    weft__tree_work_done(&a.work);
    return err;
}
