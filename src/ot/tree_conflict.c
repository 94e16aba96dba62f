/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transformation as a whole: the steps of ot/tree_transform.h, repeated until there is no conflict.
 * Each conflict is resolved by removing from one operation, or both, what cannot be had; what goes
 * from |other| is also removed by the result, because |other| has been applied already.
 */
#include "ot/tree_transform.h"

#include "base/assert.h"

enum {
    WORK_MAX = 1 << 19 /* places walked for conflicts in one transformation, all rounds together */
};

void weft__tree_xf_clash(struct weft_tree_xf *x, enum weft_tree_clash clash,
                         struct weft_tree_part op1, struct weft_tree_part op2)
{
    struct weft_tree_conflict conflict = {clash, op1, op2};
    if (!x->first.clash)
        x->first = conflict;
    if (!x->removed.clash && clash == WEFT_TREE_CLASH_REMOVED)
        x->removed = conflict;
}

/* The same place below |root| as |at| below its own. */
static struct weft_tree_node *same_place(struct weft_tree_work *work, struct weft_tree_node *root,
                                         const struct weft_tree_node *at)
{
    if (!at->parent)
        return root;
    return weft__tree_descend(work, same_place(work, root, at->parent), at->key);
}

void weft__tree_add_move(struct weft_tree_work *work, struct weft_tree_node *root,
                         const struct weft_tree_node *pick, const struct weft_tree_node *drop,
                         uint32_t slot)
{
    weft__tree_put_pick(work, same_place(work, root, pick), slot);
    weft__tree_put_drop(work, same_place(work, root, drop), slot);
}

/* The operation that does no more than |part|. */
static struct weft_tree_node *only(struct weft_tree_work *work, const struct weft_tree_part *part)
{
    if (!part->act)
        return part->tree;
    struct weft_tree_node *root = weft__tree_grow(work);
    struct weft_tree_node *at = same_place(work, root, part->at);
    if (part->act == WEFT_TREE_REMOVE)
        weft__tree_put_remove(work, at, NULL);
    else if (part->act == WEFT_TREE_EDITS)
        weft__tree_put_edit(work, at, part->at);
    else if (part->at->has & WEFT_TREE_INSERT)
        weft__tree_put_insert(work, at, part->at->inserted);
    else if (part->from)
        weft__tree_add_move(work, root, part->from, part->at, 0);
    return root;
}

/* Adds to |to| the removal of everything that |from| puts or edits. */
static void remove_puts(struct weft_tree_work *work, const struct weft_tree_node *from,
                        struct weft_tree_node *to)
{
    if (from->has & (WEFT_TREE_PUTS | WEFT_TREE_EDITS))
        weft__tree_put_remove(work, to, NULL);
    for (const struct weft_tree_node *child = from->first; child; child = child->next)
        remove_puts(work, child, weft__tree_descend(work, to, child->key));
}

/* An operation of the transformation, with what its conflicts took out of it. */
struct party {
    const struct weft_tree_node *root;
    struct weft_tree_size size;
};

static void then(struct weft_tree_work *work, struct party *p, struct party next)
{
    struct weft_tree_node *root =
        weft__tree_compose_nodes(work, p->root, p->size, next.root, next.size);
    p->root = weft__tree_trim(work, root, &p->size);
}

static struct party removal_of(struct weft_tree_work *work, const struct weft_tree_part *part)
{
    struct party removal = {0};
    struct weft_tree_node *root = weft__tree_grow(work);
    if (part->act)
        weft__tree_put_remove(work, same_place(work, root, part->at), NULL);
    else
        remove_puts(work, part->tree, root);
    removal.root = weft__tree_trim(work, root, &removal.size);
    return removal;
}

/* Takes |conflict| out of the operations; |since| is what of |other| is to be removed. */
static void resolve(struct weft_tree_work *work, const struct weft_tree_conflict *conflict,
                    enum weft_ot_side side, struct party *op, struct party *other,
                    struct party *since)
{
    bool from1 = true;
    bool from2 = true;
    if (conflict->clash == WEFT_TREE_CLASH_COLLISION)
        from2 = side == WEFT_OT_SIDE_LEFT;
    else if (conflict->clash == WEFT_TREE_CLASH_REMOVED)
        from2 = conflict->op1.act == WEFT_TREE_REMOVE;
    if (conflict->clash != WEFT_TREE_CLASH_CYCLE)
        from1 = !from2;
    if (from1)
        then(work, op, removal_of(work, &conflict->op1));
    if (from2) {
        struct party removal = removal_of(work, &conflict->op2);
        then(work, other, removal);
        then(work, since, removal);
    }
}

static void write_conflict(struct weft_tree_work *work, const struct weft_tree_conflict *conflict,
                           struct weft_json_writer *out)
{
    struct weft_tree_size size;
    const struct weft_tree_node *op1 = weft__tree_trim(work, only(work, &conflict->op1), &size);
    const struct weft_tree_node *op2 = weft__tree_trim(work, only(work, &conflict->op2), &size);
    if (work->err)
        return;
    weft__json_begin_object(out);
    weft__json_key(out, "type");
    weft__json_put_i64(out, (int64_t)conflict->clash);
    weft__json_key(out, "op1");
    weft__tree_node_write(op1, out);
    weft__json_key(out, "op2");
    weft__tree_node_write(op2, out);
    weft__json_end_object(out);
}

/* Transforms |op| over |other|, as long as there is no conflict; else notes it. */
static void run(struct weft_tree_xf *x, const struct party *op, const struct party *other)
{
    x->op1 = op->root;
    x->op2 = other->root;
    x->size1 = op->size;
    x->size2 = other->size;
    x->slots = 0;
    x->first = x->removed = (struct weft_tree_conflict){0};
    x->slots1 = weft__tree_zalloc(x->work, op->size.slots, sizeof(*x->slots1));
    x->slots2 = weft__tree_zalloc(x->work, other->size.slots, sizeof(*x->slots2));
    x->from1 = weft__tree_zalloc(x->work, op->size.slots, sizeof(*x->from1));
    x->cancelled_removes = weft__tree_zalloc(x->work, op->size.count, sizeof(bool));
    x->out = weft__tree_grow(x->work);
    if (x->work->err)
        return;
    for (uint32_t i = 0; i < other->size.slots; i++)
        x->slots2[i].slot1 = WEFT_TREE_NONE;
    void (*const steps[])(struct weft_tree_xf *) = {weft__tree_xf_scan, weft__tree_xf_picks,
                                                    weft__tree_xf_drops, weft__tree_xf_settle};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(steps) && !x->first.clash && !x->work->err; i++)
        steps[i](x);
}

/* The transformed operation, unfinished. */
static struct weft_tree_node *transform(struct weft_tree_work *work, struct party op,
                                        struct party other, enum weft_ot_side side,
                                        struct weft_json_writer *conflicts)
{
    struct party since = {0};
    size_t walked = 0;
    bool met = false; /* the first conflict is written already */
    while (op.root && other.root && !work->err) {
        struct weft_tree_xf x = {.work = work, .side = side};
        run(&x, &op, &other);
        if (work->err)
            return NULL;
        if (!x.first.clash) {
            if (!since.root)
                return x.out;
            op.root = weft__tree_trim(work, x.out, &op.size);
            break;
        }
        walked += op.size.count + other.size.count;
        if (walked > WORK_MAX) {
            weft__tree_fail(work, WEFT_ERR_TOO_BIG, WEFT_STATUS_RESOURCE_EXHAUSTED,
                            "the operations have too many conflicts");
            return NULL;
        }
        /* Removals first: what they take with them may have been in the way of something else.
         * Both sides resolve in this order, or they would not end with one document. */
        bool later = x.removed.clash && x.first.clash != WEFT_TREE_CLASH_REMOVED;
        const struct weft_tree_conflict *next = later ? &x.removed : &x.first;
        if (conflicts && !met)
            write_conflict(work, &x.first, conflicts);
        if (conflicts && later)
            write_conflict(work, next, conflicts);
        met = later;
        resolve(work, next, side, &op, &other, &since);
    }
    then(work, &since, op);
    return (struct weft_tree_node *)(uintptr_t)since.root;
}

int weft__tree_transform(const struct weft_alloc *alloc, const struct weft_tree_op *op,
                         const struct weft_tree_op *other, enum weft_ot_side side,
                         struct weft_json_writer *conflicts, struct weft_tree_op **ret_op,
                         struct weft_ot_error *error)
{
    struct weft_tree_work work;
    struct party one = {weft__tree_root(op), {op->count, op->slots}};
    struct party two = {weft__tree_root(other), {other->count, other->slots}};
    weft__tree_work_init(&work, alloc);
    if (conflicts)
        weft__json_begin_array(conflicts);
    struct weft_tree_node *root = transform(&work, one, two, side, conflicts);
    if (conflicts)
        weft__json_end_array(conflicts);
    int err = weft__tree_finish(&work, root, ret_op, error);
    weft__tree_work_done(&work);
    return err;
}
