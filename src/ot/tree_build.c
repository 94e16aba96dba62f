/* SPDX-License-Identifier: Apache-2.0 */
/* Unfinished JSON operations: places, what is done at them, and how they become finished ones. */
#include "ot/tree_work.h"

#include "base/assert.h"
#include "base/mem.h"

#include <math.h>

static struct weft_tree_node *new_node(struct weft_tree_work *work, struct weft_tree_node *parent,
                                       struct weft_tree_key key)
{
    struct weft_tree_node *node = work->err ? NULL : weft__arena_alloc(&work->arena, sizeof(*node));
    if (!node) {
        weft__tree_fail(work, WEFT_ERR_NOMEM, WEFT_STATUS_RESOURCE_EXHAUSTED, "out of memory");
        work->sink = (struct weft_tree_node){0};
        return &work->sink;
    }
    *node = (struct weft_tree_node){.key = key, .parent = parent};
    return node;
}

struct weft_tree_node *weft__tree_grow(struct weft_tree_work *work)
{
    return new_node(work, NULL, (struct weft_tree_key){0});
}

struct weft_tree_node *weft__tree_descend(struct weft_tree_work *work,
                                          struct weft_tree_node *parent, struct weft_tree_key key)
{
    if (!key.name && key.n < 0) {
        weft__tree_misfit(work);
        return &work->sink;
    }
    struct weft_tree_node *before = parent->last;
    int order = before ? weft__tree_order(before->key, key) : 0;
    if (before && order == 0)
        return before;
    if (!before || order > 0) { /* look from the beginning */
        before = NULL;
        if (parent->first && weft__tree_order(parent->first->key, key) <= 0)
            before = parent->first;
    }
    while (before && before->next && weft__tree_order(before->next->key, key) <= 0)
        before = before->next;
    if (before && weft__tree_order(before->key, key) == 0) {
        parent->last = before;
        return before;
    }
    struct weft_tree_node *node = new_node(work, parent, key);
    if (node == &work->sink)
        return node;
    node->next = before ? before->next : parent->first;
    if (before)
        before->next = node;
    else
        parent->first = node;
    parent->last = node;
    return node;
}

/* Notes |act| at |at|; two different ones are a sign of operations that do not fit. */
static bool mark(struct weft_tree_work *work, struct weft_tree_node *at, unsigned act)
{
    if (work->err)
        return false;
    if (at->has & act) {
        weft__tree_misfit(work);
        return false;
    }
    at->has |= act;
    return true;
}

void weft__tree_put_pick(struct weft_tree_work *work, struct weft_tree_node *at, uint32_t slot)
{
    if ((at->has & WEFT_TREE_PICK) && at->pick == slot)
        return;
    if (mark(work, at, WEFT_TREE_PICK))
        at->pick = slot;
}

void weft__tree_put_drop(struct weft_tree_work *work, struct weft_tree_node *at, uint32_t slot)
{
    if ((at->has & WEFT_TREE_DROP) && at->drop == slot)
        return;
    if (mark(work, at, WEFT_TREE_DROP))
        at->drop = slot;
}

void weft__tree_put_remove(struct weft_tree_work *work, struct weft_tree_node *at,
                           struct weft_tree_value *removed)
{
    if (work->err || (at->has & WEFT_TREE_REMOVE))
        return;
    at->has |= WEFT_TREE_REMOVE;
    at->removed = removed;
}

void weft__tree_put_insert(struct weft_tree_work *work, struct weft_tree_node *at,
                           struct weft_tree_value *inserted)
{
    if (mark(work, at, WEFT_TREE_INSERT))
        at->inserted = inserted;
}

void weft__tree_put_text(struct weft_tree_work *work, struct weft_tree_node *at,
                         const struct weft_text_op *text)
{
    if (text->count > 0 && mark(work, at, WEFT_TREE_EDIT_TEXT))
        at->text = text;
}

void weft__tree_put_number(struct weft_tree_work *work, struct weft_tree_node *at, double number)
{
    if (mark(work, at, WEFT_TREE_EDIT_NUMBER))
        at->number = number;
}

void weft__tree_put_edit(struct weft_tree_work *work, struct weft_tree_node *at,
                         const struct weft_tree_node *from)
{
    if (from->has & WEFT_TREE_EDIT_TEXT)
        weft__tree_put_text(work, at, from->text);
    if (from->has & WEFT_TREE_EDIT_NUMBER)
        weft__tree_put_number(work, at, from->number);
}

static void put_both_texts(struct weft_tree_work *work, struct weft_tree_node *at,
                           const struct weft_text_op *first, const struct weft_text_op *second)
{
    struct weft_text_op *both;
    struct weft_ot_error error;
    int err = weft__text_compose(&work->scratch, first, second, &both, &error);
    if (err)
        weft__tree_fail(work, err, error.status, error.message);
    else
        weft__tree_put_text(work, at, both);
}

void weft__tree_put_both_edits(struct weft_tree_work *work, struct weft_tree_node *at,
                               const struct weft_tree_node *first,
                               const struct weft_tree_node *second)
{
    if ((first->has & WEFT_TREE_EDITS) != (second->has & WEFT_TREE_EDITS)) {
        weft__tree_misfit(work);
        return;
    }
    if (first->has & WEFT_TREE_EDIT_TEXT) {
        put_both_texts(work, at, first->text, second->text);
        return;
    }
    double sum = first->number + second->number;
    if (!isfinite(sum))
        weft__tree_fail(work, WEFT_ERR_OP, WEFT_STATUS_OUT_OF_RANGE, "a number grows too large");
    else
        weft__tree_put_number(work, at, sum);
}

static void put_all(struct weft_tree_work *work, struct weft_tree_node *at,
                    const struct weft_tree_node *from)
{
    if (from->has & WEFT_TREE_PICK)
        weft__tree_put_pick(work, at, from->pick);
    if (from->has & WEFT_TREE_REMOVE)
        weft__tree_put_remove(work, at, from->removed);
    if (from->has & WEFT_TREE_DROP)
        weft__tree_put_drop(work, at, from->drop);
    if (from->has & WEFT_TREE_INSERT)
        weft__tree_put_insert(work, at, from->inserted);
    weft__tree_put_edit(work, at, from);
}

void weft__tree_merge(struct weft_tree_work *work, struct weft_tree_node *at,
                      const struct weft_tree_node *from)
{
    if (!from || work->err)
        return;
    put_all(work, at, from);
    for (const struct weft_tree_node *child = from->first; child; child = child->next)
        weft__tree_merge(work, weft__tree_descend(work, at, child->key), child);
}

struct weft_tree_node *weft__tree_clone(struct weft_tree_work *work,
                                        const struct weft_tree_node *root)
{
    struct weft_tree_node *copy = weft__tree_grow(work);
    weft__tree_merge(work, copy, root);
    return copy;
}

/* True when something is left of |node|. */
static bool trim(struct weft_tree_node *node, struct weft_tree_size *size)
{
    struct weft_tree_node **link = &node->first;
    node->id = size->count++;
    node->last = NULL;
    while (*link) {
        if (trim(*link, size))
            link = &(*link)->next;
        else
            *link = (*link)->next;
    }
    if (!node->has && !node->first) {
        size->count--;
        return false;
    }
    if (node->has & WEFT_TREE_PICK)
        size->slots++;
    return true;
}

static void count_slots(const struct weft_tree_node *node, uint8_t *seen, uint32_t slots,
                        bool *all_right)
{
    if ((node->has & WEFT_TREE_TAKES) == WEFT_TREE_TAKES ||
        (node->has & WEFT_TREE_PUTS) == WEFT_TREE_PUTS ||
        (node->has & WEFT_TREE_EDITS) == WEFT_TREE_EDITS)
        *all_right = false;
    if (node->has & WEFT_TREE_PICK) {
        if (node->pick >= slots || (seen[node->pick] & 1))
            *all_right = false;
        else
            seen[node->pick] |= 1;
    }
    if (node->has & WEFT_TREE_DROP) {
        if (node->drop >= slots || (seen[node->drop] & 2))
            *all_right = false;
        else
            seen[node->drop] |= 2;
    }
    for (const struct weft_tree_node *child = node->first; child && *all_right; child = child->next)
        count_slots(child, seen, slots, all_right);
}

struct weft_tree_node *weft__tree_trim(struct weft_tree_work *work, struct weft_tree_node *root,
                                       struct weft_tree_size *ret_size)
{
    *ret_size = (struct weft_tree_size){0};
    if (work->err || !root || !trim(root, ret_size)) {
        *ret_size = (struct weft_tree_size){0};
        return NULL;
    }
    bool all_right = true;
    uint8_t none = 0;
    uint8_t *seen = ret_size->slots ? weft__tree_zalloc(work, ret_size->slots, 1) : &none;
    if (!seen)
        return NULL;
    count_slots(root, seen, ret_size->slots, &all_right);
    for (uint32_t i = 0; i < ret_size->slots; i++)
        all_right = all_right && seen[i] == 3;
    if (!all_right) {
        weft__tree_misfit(work);
        return NULL;
    }
    return root;
}

/* What the finished operation needs behind its places. */
struct need {
    size_t names;
    size_t texts;
    size_t values;
    bool deep;
};

static size_t aligned(size_t size)
{
    return (size + 7u) & ~(size_t)7u;
}

static void add_up(const struct weft_tree_node *node, unsigned depth, struct need *need)
{
    unsigned height = 0;
    if (depth > 0 && node->key.name)
        need->names += (size_t)node->key.n;
    if (node->has & WEFT_TREE_EDIT_TEXT)
        need->texts += aligned(node->text->size);
    if (node->inserted) {
        need->values += node->inserted->bytes;
        height = node->inserted->height;
    }
    if (node->removed) {
        need->values += node->removed->bytes;
        height = WEFT_MAX(height, (unsigned)node->removed->height);
    }
    if (depth + height > WEFT_TREE_DEPTH_MAX)
        need->deep = true;
    for (const struct weft_tree_node *child = node->first; child && !need->deep;
         child = child->next)
        add_up(child, depth + 1, need);
}

/* The finished operation while it is filled. */
struct fill {
    struct weft_tree_op *op;
    uint8_t *texts;
    uint8_t *names;
};

/* Copies |text| with the pointers into itself. */
static const struct weft_text_op *place_text(struct fill *f, const struct weft_text_op *text)
{
    struct weft_text_op *copy = (struct weft_text_op *)(void *)f->texts;
    memcpy(copy, text, text->size);
    for (uint32_t i = 0; i < copy->count; i++) {
        if (text->parts[i].text)
            copy->parts[i].text =
                (const uint8_t *)copy + (text->parts[i].text - (const uint8_t *)text);
    }
    f->texts += aligned(text->size);
    return copy;
}

static struct weft_tree_node *place(struct fill *f, const struct weft_tree_node *node,
                                    struct weft_tree_node *parent)
{
    struct weft_tree_node *copy = &f->op->nodes[node->id];
    *copy = *node;
    copy->parent = parent;
    copy->next = copy->last = NULL;
    weft__tree_ref(copy->inserted);
    weft__tree_ref(copy->removed);
    if (node->has & WEFT_TREE_EDIT_TEXT)
        copy->text = place_text(f, node->text);
    if (parent && node->key.name) {
        weft__mem_copy(f->names, node->key.name, (size_t)node->key.n);
        copy->key.name = f->names;
        f->names += node->key.n;
    }
    struct weft_tree_node **link = &copy->first;
    for (const struct weft_tree_node *child = node->first; child; child = child->next) {
        *link = place(f, child, copy);
        link = &(*link)->next;
    }
    return copy;
}

int weft__tree_finish(struct weft_tree_work *work, struct weft_tree_node *root,
                      struct weft_tree_op **ret_op, struct weft_ot_error *error)
{
    struct weft_tree_size size;
    struct need need = {0};
    root = weft__tree_trim(work, root, &size);
    if (root)
        add_up(root, 0, &need);
    if (need.deep)
        weft__tree_fail(work, WEFT_ERR_TOO_BIG, WEFT_STATUS_INVALID_ARGUMENT,
                        "the operation is nested too deep");
    size_t nodes = sizeof(struct weft_tree_op) + size.count * sizeof(struct weft_tree_node);
    /* One byte more, so that the empty name at the end has an address inside. */
    size_t bytes = nodes + need.texts + need.names + 1;
    struct weft_tree_op *op = work->err ? NULL : weft__mem_alloc(work->alloc, bytes);
    if (!op) {
        weft__tree_fail(work, WEFT_ERR_NOMEM, WEFT_STATUS_RESOURCE_EXHAUSTED, "out of memory");
        return weft__ot_fail(error, work->err, work->error.status, work->error.message);
    }
    op->alloc = work->alloc;
    op->size = bytes;
    op->values = need.values;
    op->count = size.count;
    op->slots = size.slots;
    struct fill f = {op, (uint8_t *)op + nodes, (uint8_t *)op + nodes + need.texts};
    if (root)
        place(&f, root, NULL);
    *ret_op = op;
    return 0;
}

void weft__tree_op_free(struct weft_tree_op *op)
{
    if (!op)
        return;
    for (uint32_t i = 0; i < op->count; i++) {
        weft__tree_unref(op->nodes[i].inserted);
        weft__tree_unref(op->nodes[i].removed);
    }
    weft__mem_free(op->alloc, op, op->size);
}
