/* SPDX-License-Identifier: Apache-2.0 */
/* First step of a transformation: what of |other| does |op| remove or carry off? */
#include "ot/tree_transform.h"

/* Walks what |other| takes, and the same places of |op| (|n1|, or NULL). |removed1| is what |op|
 * removes around it. */
static void scan_picks(struct weft_tree_xf *x, const struct weft_tree_node *n2,
                       const struct weft_tree_node *n1, const struct weft_tree_node *removed1)
{
    if (WEFT_TREE_HAS(n1, WEFT_TREE_REMOVE)) {
        removed1 = n1;
    } else if (WEFT_TREE_HAS(n1, WEFT_TREE_PICK)) {
        removed1 = NULL;
        x->slots1[n1->pick].pick2 = n2;
    }
    if (n2->has & WEFT_TREE_PICK) {
        struct weft_tree_slot2 *slot2 = &x->slots2[n2->pick];
        slot2->pick1 = n1;
        slot2->pick2 = n2;
        slot2->removed1 = removed1;
        slot2->cancelled = removed1 != NULL;
        if (WEFT_TREE_HAS(n1, WEFT_TREE_PICK)) {
            slot2->slot1 = n1->pick;
            x->slots1[n1->pick].also2 = true;
        }
    }
    struct weft_tree_walk walk1 = weft__tree_walk(n1, 0, false);
    for (const struct weft_tree_node *child = n2->first; child; child = child->next)
        scan_picks(x, child, weft__tree_walk_to(&walk1, child->key), removed1);
}

/* A place of |other| among what it puts, and where that was before. */
struct put2 {
    const struct weft_tree_node *pick1; /* in |op| */
    const struct weft_tree_node *pick2;
    const struct weft_tree_node *drop2;
    uint32_t inside1;                      /* slot of |op| that it is inside of */
    const struct weft_tree_node *removed1; /* what |op| removes around it */
};

static void note_inside(struct weft_tree_xf *x, uint32_t slot1, uint32_t slot2)
{
    struct weft_tree_list *entry = weft__tree_zalloc(x->work, 1, sizeof(*entry));
    if (!entry)
        return;
    struct weft_tree_slot1 *s = &x->slots1[slot1];
    entry->slot = slot2;
    *(s->into2_last ? &s->into2_last->next : &s->into2) = entry;
    s->into2_last = entry;
}

static void scan_drop(struct weft_tree_xf *x, struct put2 *p)
{
    struct weft_tree_slot2 *slot2 = &x->slots2[p->drop2->drop];
    slot2->drop2 = p->drop2;
    if (p->inside1 != WEFT_TREE_NONE)
        note_inside(x, p->inside1, p->drop2->drop);
    p->pick1 = slot2->pick1;
    p->pick2 = slot2->pick2;
    if (slot2->cancelled) {
        slot2->discarded = p->removed1 != NULL;
        p->removed1 = slot2->removed1;
    } else if (p->removed1 && !weft__tree_xf_wins(x, slot2)) {
        weft__tree_xf_clash(x, WEFT_TREE_CLASH_REMOVED,
                            weft__tree_part(WEFT_TREE_REMOVE, p->removed1, NULL),
                            weft__tree_part(WEFT_TREE_PUTS, p->drop2, p->pick2));
    }
}

static void scan_insert(struct weft_tree_xf *x, struct put2 *p)
{
    p->pick1 = p->pick2 = NULL;
    if (p->removed1)
        weft__tree_xf_clash(x, WEFT_TREE_CLASH_REMOVED,
                            weft__tree_part(WEFT_TREE_REMOVE, p->removed1, NULL),
                            weft__tree_part(WEFT_TREE_PUTS, p->drop2, NULL));
}

/* Walks what |other| puts and edits. */
static void scan_puts(struct weft_tree_xf *x, struct put2 p)
{
    if (p.drop2->has & WEFT_TREE_DROP)
        scan_drop(x, &p);
    else if (p.drop2->has & WEFT_TREE_INSERT)
        scan_insert(x, &p);
    if (WEFT_TREE_HAS(p.pick1, WEFT_TREE_REMOVE)) {
        p.removed1 = p.pick1;
    } else if (WEFT_TREE_HAS(p.pick1, WEFT_TREE_PICK)) {
        p.inside1 = p.pick1->pick;
        p.removed1 = NULL;
    }
    if ((p.drop2->has & WEFT_TREE_EDITS) && p.removed1)
        weft__tree_xf_clash(x, WEFT_TREE_CLASH_REMOVED,
                            weft__tree_part(WEFT_TREE_REMOVE, p.removed1, NULL),
                            weft__tree_part(WEFT_TREE_EDITS, p.drop2, NULL));
    int64_t drops = 0;
    struct weft_tree_walk walk1 = weft__tree_walk(p.pick1, 0, false);
    struct weft_tree_walk walk2 = weft__tree_walk(p.pick2, WEFT_TREE_TAKES, true);
    for (const struct weft_tree_node *child = p.drop2->first; child && !x->work->err;
         child = child->next) {
        struct put2 below = {.drop2 = child, .inside1 = p.inside1, .removed1 = p.removed1};
        struct weft_tree_key key = weft__tree_shift(child->key, -drops);
        below.pick2 = weft__tree_walk_to(&walk2, key);
        below.pick1 = weft__tree_walk_to(&walk1, weft__tree_shift(key, walk2.passed));
        scan_puts(x, below);
        drops += !child->key.name && (child->has & WEFT_TREE_PUTS);
    }
}

void weft__tree_xf_scan(struct weft_tree_xf *x)
{
    scan_picks(x, x->op2, x->op1, NULL);
    scan_puts(x, (struct put2){x->op1, x->op2, x->op2, WEFT_TREE_NONE, NULL});
}
