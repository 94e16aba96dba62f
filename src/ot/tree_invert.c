/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way back from a JSON operation: what it took is put, what it put is taken, with the content
 * that it found. An edit inside of what it inserted goes with that; any other edit is inverted, and
 * belongs where the edited thing was before.
 */
#include "ot/tree_work.h"

#include "base/assert.h"
#include "base/mem.h"

struct invert {
    struct weft_tree_work work;
    const struct weft_tree_node **picks; /* by slot: where it is picked up */
    struct weft_tree_value **held;       /* by slot: what is, as it was before */
    struct weft_tree_node **edits;       /* by slot: inverted edits inside it */
    struct weft_tree_value **removed;    /* by place: what is removed there */
};

static size_t count_children(const struct weft_tree_node *node)
{
    size_t count = 0;
    for (const struct weft_tree_node *child = node->first; child; child = child->next)
        count++;
    return count;
}

/* |value| after |changes|, owned by the work. */
static struct weft_tree_value *changed(struct invert *v, struct weft_tree_value *value,
                                       struct weft_tree_change *changes, size_t count)
{
    if (count == 0)
        return value;
    return weft__tree_own(&v->work, weft__tree_rebuild(v->work.alloc, value, changes, count));
}

/* Finds what the operation takes at |node| and below. Returns what is left of |value|, or NULL. */
static struct weft_tree_value *find_taken(struct invert *v, const struct weft_tree_node *node,
                                          struct weft_tree_value *value)
{
    if (node->has & WEFT_TREE_PICK) {
        v->picks[node->pick] = node;
        v->held[node->pick] = value;
    }
    if (node->first) {
        size_t count = 0;
        struct weft_tree_change *changes =
            weft__tree_zalloc(&v->work, count_children(node), sizeof(*changes));
        for (const struct weft_tree_node *child = node->first; child && changes;
             child = child->next) {
            uint32_t at;
            struct weft_tree_value *before = weft__tree_child(value, child->key, &at);
            struct weft_tree_value *after = find_taken(v, child, before);
            if (after != before)
                changes[count++] =
                    (struct weft_tree_change){.at = at, .value = weft__tree_ref(after)};
        }
        value = changed(v, value, changes, count);
    }
    if (node->has & WEFT_TREE_REMOVE)
        v->removed[node->id] = value;
    return WEFT_TREE_HAS(node, WEFT_TREE_TAKES) ? NULL : value;
}

/* |value|, inside of what was inserted, after the edit of |node|. */
static struct weft_tree_value *edited(struct invert *v, const struct weft_tree_node *node,
                                      struct weft_tree_value *value)
{
    struct weft_tree_value *result = NULL;
    struct weft_ot_error error;
    if (node->has & WEFT_TREE_EDIT_NUMBER) {
        double sum = weft__tree_is_number(value) ? weft__tree_number(value) + node->number : 0;
        return weft__tree_own(&v->work, weft__tree_new_number(v->work.alloc, sum));
    }
    int err = weft__tree_edit_text(v->work.alloc, value, node->text, &result, &error);
    if (!err)
        return weft__tree_own(&v->work, result);
    weft__tree_fail(&v->work, err, error.status, error.message);
    return value;
}

/* Writes the opposite of everything but edits. |literal| is what of an insertion around it is here,
 * or NULL. Returns what that becomes. */
static struct weft_tree_value *write_opposite(struct invert *v, const struct weft_tree_node *node,
                                              struct weft_tree_node *w,
                                              struct weft_tree_value *literal)
{
    if (node->has & WEFT_TREE_PICK)
        weft__tree_put_drop(&v->work, w, node->pick);
    if (node->has & WEFT_TREE_REMOVE)
        weft__tree_put_insert(&v->work, w, v->removed[node->id]);
    if (node->has & WEFT_TREE_DROP) {
        weft__tree_put_pick(&v->work, w, node->drop);
        literal = NULL;
    }
    if (node->has & WEFT_TREE_INSERT)
        literal = node->inserted;
    if (literal && (node->has & WEFT_TREE_EDITS))
        literal = edited(v, node, literal);
    int64_t drops = 0;
    size_t count = 0;
    struct weft_tree_change *changes =
        weft__tree_zalloc(&v->work, count_children(node), sizeof(*changes));
    for (const struct weft_tree_node *child = node->first; child && changes; child = child->next) {
        uint32_t at;
        bool puts = WEFT_TREE_HAS(child, WEFT_TREE_PUTS);
        struct weft_tree_key key = weft__tree_shift(child->key, -drops);
        struct weft_tree_value *before = puts ? NULL : weft__tree_child(literal, key, &at);
        struct weft_tree_value *after =
            write_opposite(v, child, weft__tree_descend(&v->work, w, child->key), before);
        drops += puts && !child->key.name;
        if (before && after != before)
            changes[count++] = (struct weft_tree_change){.at = at, .value = weft__tree_ref(after)};
    }
    literal = changed(v, literal, changes, count);
    if (node->has & WEFT_TREE_INSERT) {
        weft__tree_put_remove(&v->work, w, literal);
        return NULL;
    }
    return literal;
}

static void invert_edit(struct invert *v, const struct weft_tree_node *node,
                        struct weft_tree_node *w, const struct weft_tree_value *value)
{
    struct weft_rope rope;
    struct weft_text_op *text;
    struct weft_ot_error error;
    if (node->has & WEFT_TREE_EDIT_NUMBER) {
        weft__tree_put_number(&v->work, w, -node->number);
        return;
    }
    if (!value || !weft__tree_is_string(value)) {
        weft__tree_misfit(&v->work);
        return;
    }
    if (weft__tree_open_text(v->work.alloc, value, &rope)) {
        weft__tree_fail(&v->work, WEFT_ERR_NOMEM, WEFT_STATUS_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    int err = weft__text_invert(&v->work.scratch, node->text, &rope, &text, &error);
    weft__rope_done(&rope);
    if (err)
        weft__tree_fail(&v->work, err, error.status, error.message);
    else
        weft__tree_put_text(&v->work, w, text);
}

/* Writes the opposite of edits: |w| is where |pick|, the same thing before the operation, is, and
 * |value| what it was. */
static void write_edits(struct invert *v, const struct weft_tree_node *drop,
                        const struct weft_tree_node *pick, struct weft_tree_node *w,
                        const struct weft_tree_value *value)
{
    if (drop->has & WEFT_TREE_INSERT) { /* goes with all edits in it, but for what moved there */
        pick = NULL;
        value = NULL;
        w = NULL;
    } else if (drop->has & WEFT_TREE_DROP) {
        pick = v->picks[drop->drop];
        value = v->held[drop->drop];
        w = v->edits[drop->drop] = weft__tree_grow(&v->work);
    }
    if (w && (drop->has & WEFT_TREE_EDITS))
        invert_edit(v, drop, w, value);
    int64_t drops = 0;
    struct weft_tree_walk picks = weft__tree_walk(pick, WEFT_TREE_TAKES, true);
    for (const struct weft_tree_node *child = drop->first; child && !v->work.err;
         child = child->next) {
        uint32_t at;
        struct weft_tree_key key = weft__tree_shift(child->key, -drops);
        const struct weft_tree_node *below = weft__tree_walk_to(&picks, key);
        struct weft_tree_key before = weft__tree_shift(key, picks.passed);
        write_edits(v, child, below, w ? weft__tree_descend(&v->work, w, before) : NULL,
                    weft__tree_child(value, before, &at));
        drops += !child->key.name && (child->has & WEFT_TREE_PUTS);
    }
}

/* Adds the edits inside things that were moved, where they are dropped again. */
static void hang_edits(struct invert *v, const struct weft_tree_node *node,
                       struct weft_tree_node *w)
{
    if (node->has & WEFT_TREE_PICK)
        weft__tree_merge(&v->work, w, v->edits[node->pick]);
    for (const struct weft_tree_node *child = node->first; child && !v->work.err;
         child = child->next)
        hang_edits(v, child, weft__tree_descend(&v->work, w, child->key));
}

static struct weft_tree_node *invert(struct invert *v, const struct weft_tree_op *op,
                                     struct weft_tree_value *doc)
{
    const struct weft_tree_node *root = weft__tree_root(op);
    v->picks = weft__tree_zalloc(&v->work, op->slots, sizeof(struct weft_tree_node *));
    v->held = weft__tree_zalloc(&v->work, op->slots, sizeof(struct weft_tree_value *));
    v->edits = weft__tree_zalloc(&v->work, op->slots, sizeof(struct weft_tree_node *));
    v->removed = weft__tree_zalloc(&v->work, op->count, sizeof(struct weft_tree_value *));
    struct weft_tree_node *result = weft__tree_grow(&v->work);
    if (v->work.err || !root)
        return result;
    find_taken(v, root, doc);
    if (!v->work.err)
        write_opposite(v, root, result, NULL);
    if (!v->work.err)
        write_edits(v, root, root, result, doc);
    if (!v->work.err && op->slots)
        hang_edits(v, root, result);
    return result;
}

int weft__tree_invert(const struct weft_alloc *alloc, const struct weft_tree_op *op,
                      struct weft_tree_value *doc, struct weft_tree_op **ret_op,
                      struct weft_ot_error *error)
{
    struct weft_tree_value *after;
    struct invert v;
    int err = weft__tree_apply(alloc, doc, op, &after, error);
    if (err)
        return err;
    weft__tree_unref(after);
    weft__tree_work_init(&v.work, alloc);
    struct weft_tree_node *root = invert(&v, op, doc);
    err = weft__tree_finish(&v.work, root, ret_op, error);
    weft__tree_work_done(&v.work);
    return err;
}
