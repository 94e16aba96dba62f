/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Third step of a transformation: what |op| puts and edits, between what |other| put. Four places
 * move along together, before and after each of the operations; the offsets between them in lists
 * are kept in struct shifts.
 */
#include "ot/tree_transform.h"

#include "base/assert.h"

/* One place of |op| among what it puts. */
struct put1 {
    const struct weft_tree_node *pick1;
    const struct weft_tree_node *drop1;
    const struct weft_tree_node *pick2;
    const struct weft_tree_node *drop2;
    const struct weft_tree_node *removed2; /* what |other| removes around it */
    struct weft_tree_node *w;              /* where it is in the result */
};

static bool write_puts(struct weft_tree_xf *x, struct put1 p);

/* Notes that both put something here, unless it is the same or |op| wins by its side. */
static bool is_identical(struct weft_tree_xf *x, const struct put1 *p,
                         const struct weft_tree_slot1 *slot1)
{
    const struct weft_tree_node *drop2 = p->drop2;
    const struct weft_tree_slot2 *slot2 = NULL;
    bool identical;
    if (WEFT_TREE_HAS(drop2, WEFT_TREE_DROP)) {
        slot2 = &x->slots2[drop2->drop];
        if (slot2->cancelled)
            return false;
        identical = slot1 && slot2->slot1 == p->drop1->drop;
    } else if (WEFT_TREE_HAS(drop2, WEFT_TREE_INSERT)) {
        identical = !slot1 && weft__tree_equal(drop2->inserted, p->drop1->inserted);
    } else {
        return false;
    }
    if (!identical && !(slot2 && weft__tree_xf_wins(x, slot2)))
        weft__tree_xf_clash(x, WEFT_TREE_CLASH_COLLISION,
                            weft__tree_part(WEFT_TREE_PUTS, p->drop1, slot1 ? slot1->pick1 : NULL),
                            weft__tree_part(WEFT_TREE_PUTS, drop2, slot2 ? slot2->pick2 : NULL));
    return identical;
}

/* Writes the drop or insertion at |p|. True when there is one in the result. */
static bool write_put(struct weft_tree_xf *x, struct put1 *p, struct weft_tree_slot1 *slot1,
                      bool *ret_identical)
{
    if (slot1 && !slot1->taken) {
        if (slot1->removed2)
            p->removed2 = slot1->removed2;
        return false;
    }
    *ret_identical = is_identical(x, p, slot1);
    if (*ret_identical)
        return false;
    if (p->removed2) {
        weft__tree_xf_clash(x, WEFT_TREE_CLASH_REMOVED,
                            weft__tree_part(WEFT_TREE_PUTS, p->drop1, slot1 ? slot1->pick1 : NULL),
                            weft__tree_part(WEFT_TREE_REMOVE, p->removed2, NULL));
        return false;
    }
    if (!slot1) {
        weft__tree_put_insert(x->work, p->w, p->drop1->inserted);
        return true;
    }
    uint32_t slot = x->slots++;
    x->from1[slot] = p->drop1->drop;
    weft__tree_put_drop(x->work, p->w, slot);
    weft__tree_put_pick(x->work, slot1->taken, slot);
    return true;
}

/* Where the thing at |p| was before |op|. True when the result puts it here. */
static bool enter_first(struct weft_tree_xf *x, struct put1 *p)
{
    bool put_here = false;
    bool identical = false;
    if (p->drop1->has & WEFT_TREE_DROP) {
        struct weft_tree_slot1 *slot1 = &x->slots1[p->drop1->drop];
        slot1->drop1 = p->drop1;
        put_here = write_put(x, p, slot1, &identical);
        p->pick1 = slot1->pick1;
        p->pick2 = slot1->pick2;
        p->drop2 = slot1->drop2;
    } else if (p->drop1->has & WEFT_TREE_INSERT) {
        put_here = write_put(x, p, NULL, &identical);
        p->pick1 = p->pick2 = NULL;
        if (!identical)
            p->drop2 = NULL;
    } else if (WEFT_TREE_HAS(p->pick1, WEFT_TREE_TAKES)) {
        p->pick1 = p->pick2 = p->drop2 = NULL;
    }
    return put_here;
}

/* Where |other| has it. */
static void enter_second(struct weft_tree_xf *x, struct put1 *p)
{
    if (!WEFT_TREE_HAS(p->pick2, WEFT_TREE_TAKES)) {
        if (!WEFT_TREE_HAS(p->drop1, WEFT_TREE_PUTS) && WEFT_TREE_HAS(p->drop2, WEFT_TREE_PUTS))
            p->drop2 = NULL;
        return;
    }
    struct weft_tree_slot2 *slot2 =
        p->pick2->has & WEFT_TREE_PICK ? &x->slots2[p->pick2->pick] : NULL;
    bool removed_by_other = !slot2 && !WEFT_TREE_HAS(p->pick1, WEFT_TREE_REMOVE);
    if (removed_by_other || (slot2 && slot2->cancelled)) {
        p->drop2 = NULL;
        p->removed2 = p->pick2;
    } else if (slot2) {
        p->drop2 = slot2->drop2;
        if (!weft__tree_xf_wins(x, slot2)) {
            if (!slot2->puts)
                slot2->puts = weft__tree_grow(x->work);
            p->w = slot2->puts;
        }
        p->removed2 = NULL;
    }
}

static void write_both_texts(struct weft_tree_xf *x, const struct put1 *p)
{
    struct weft_text_op *text;
    struct weft_ot_error error;
    int err = weft__text_transform(&x->work->scratch, p->drop1->text, p->drop2->text, x->side,
                                   &text, &error);
    if (err)
        weft__tree_fail(x->work, err, error.status, error.message);
    else
        weft__tree_put_text(x->work, p->w, text);
}

static void write_edit(struct weft_tree_xf *x, const struct put1 *p)
{
    if (p->removed2) {
        weft__tree_xf_clash(x, WEFT_TREE_CLASH_REMOVED,
                            weft__tree_part(WEFT_TREE_EDITS, p->drop1, NULL),
                            weft__tree_part(WEFT_TREE_REMOVE, p->removed2, NULL));
        return;
    }
    if (!WEFT_TREE_HAS(p->drop2, WEFT_TREE_EDITS) ||
        (p->drop1->has & p->drop2->has & WEFT_TREE_EDIT_NUMBER))
        weft__tree_put_edit(x->work, p->w, p->drop1);
    else if (p->drop1->has & p->drop2->has & WEFT_TREE_EDIT_TEXT)
        write_both_texts(x, p);
    else
        weft__tree_misfit(x->work);
}

/* The offsets between the lists of one place, while its children are walked. */
struct shifts {
    const struct weft_tree_node *at1; /* next child of what |op| takes */
    const struct weft_tree_node *at2; /* next child of what |other| puts */
    struct weft_tree_walk picks2;
    int64_t picked1; /* passed so far */
    int64_t dropped1;
    int64_t dropped2;
    int64_t out_picked; /* of the result */
    int64_t out_dropped;
};

/* True when the result does not take what |op| takes at |node|. */
static bool takes_nothing(const struct weft_tree_xf *x, const struct weft_tree_node *node)
{
    if (node->has & WEFT_TREE_REMOVE)
        return x->cancelled_removes[node->id];
    const struct weft_tree_slot1 *slot1 = &x->slots1[node->pick];
    return !slot1->taken || (slot1->also2 && x->side == WEFT_OT_SIDE_LEFT);
}

/* Passes what |op| takes before index |key|, of the document without it. */
static const struct weft_tree_node *pass_picks(struct weft_tree_xf *x, struct shifts *s,
                                               int64_t key, bool puts)
{
    int64_t at = -1;
    for (; s->at1 && !s->at1->key.name; s->at1 = s->at1->next) {
        bool takes = WEFT_TREE_HAS(s->at1, WEFT_TREE_TAKES);
        at = s->at1->key.n - s->picked1;
        if (at > key || (at == key && (!takes || (x->side == WEFT_OT_SIDE_LEFT && puts))))
            break;
        if (takes) {
            s->picked1++;
            if (!takes_nothing(x, s->at1))
                s->out_picked++;
        }
    }
    return s->at1 && !s->at1->key.name && at == key ? s->at1 : NULL;
}

/* Counts what |other| puts at |node|, which goes before what |op| does. */
static void pass_drop(struct weft_tree_xf *x, struct shifts *s, const struct weft_tree_node *node)
{
    const struct weft_tree_slot2 *slot2 =
        node->has & WEFT_TREE_DROP ? &x->slots2[node->drop] : NULL;
    bool leaves = slot2 && (slot2->cancelled || weft__tree_xf_wins(x, slot2));
    s->dropped2++;
    if (leaves)
        s->out_dropped--;
}

/* Passes what |other| puts before index |key|, of the document without it. */
static const struct weft_tree_node *pass_drops(struct weft_tree_xf *x, struct shifts *s,
                                               int64_t key, bool puts, bool takes2)
{
    for (; s->at2 && !s->at2->key.name; s->at2 = s->at2->next) {
        bool puts2 = WEFT_TREE_HAS(s->at2, WEFT_TREE_PUTS);
        int64_t at = s->at2->key.n - s->dropped2;
        if (at > key)
            return NULL;
        if (at == key) {
            bool first = x->side == WEFT_OT_SIDE_LEFT;
            if (!puts2 || (first && puts))
                return s->at2;
            if (first && takes2)
                return NULL;
        }
        if (puts2)
            pass_drop(x, s, s->at2);
    }
    return NULL;
}

static void write_index(struct weft_tree_xf *x, const struct put1 *p, struct shifts *s,
                        const struct weft_tree_node *child)
{
    struct put1 below = {.drop1 = child, .removed2 = p->removed2};
    bool puts = WEFT_TREE_HAS(child, WEFT_TREE_PUTS);
    int64_t middle = child->key.n - s->dropped1;
    below.pick1 = pass_picks(x, s, middle, puts);
    int64_t before = middle + s->picked1;
    below.pick2 = weft__tree_walk_to(&s->picks2, weft__tree_index(before));
    int64_t after = before - s->picks2.passed;
    below.drop2 = pass_drops(x, s, after, puts, WEFT_TREE_HAS(below.pick2, WEFT_TREE_TAKES));
    int64_t place = after + s->dropped2 - s->out_picked + s->out_dropped;
    below.w = weft__tree_descend(x->work, p->w, weft__tree_index(place));
    if (puts) {
        below.pick1 = below.pick2 = NULL;
        below.drop2 = NULL;
        s->dropped1++;
    }
    s->out_dropped += write_puts(x, below);
}

/* Passes the children before the name |key|. */
static const struct weft_tree_node *pass_names(const struct weft_tree_node **at,
                                               struct weft_tree_key key)
{
    while (*at && weft__tree_order((*at)->key, key) < 0)
        *at = (*at)->next;
    return *at && weft__tree_order((*at)->key, key) == 0 ? *at : NULL;
}

static void write_name(struct weft_tree_xf *x, const struct put1 *p, struct shifts *s,
                       const struct weft_tree_node *child)
{
    struct put1 below = {.drop1 = child, .removed2 = p->removed2};
    below.pick1 = pass_names(&s->at1, child->key);
    below.pick2 = weft__tree_walk_to(&s->picks2, child->key);
    below.drop2 = pass_names(&s->at2, child->key);
    below.w = weft__tree_descend(x->work, p->w, child->key);
    write_puts(x, below);
}

/* True when the result puts something at |p|. */
static bool write_puts(struct weft_tree_xf *x, struct put1 p)
{
    bool put_here = enter_first(x, &p);
    enter_second(x, &p);
    if (p.drop1->has & WEFT_TREE_EDITS)
        write_edit(x, &p);
    struct shifts s = {
        .at1 = p.pick1 ? p.pick1->first : NULL,
        .at2 = p.drop2 ? p.drop2->first : NULL,
        .picks2 = weft__tree_walk(p.pick2, WEFT_TREE_TAKES, false),
    };
    for (const struct weft_tree_node *child = p.drop1->first; child && !x->work->err;
         child = child->next) {
        if (child->key.name)
            write_name(x, &p, &s, child);
        else
            write_index(x, &p, &s, child);
    }
    return put_here;
}

void weft__tree_xf_drops(struct weft_tree_xf *x)
{
    write_puts(x, (struct put1){x->op1, x->op1, x->op2, x->op2, NULL, x->out});
}
