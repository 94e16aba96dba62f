/* SPDX-License-Identifier: Apache-2.0 */
/* Second step of a transformation: what |op| takes, at the places where |other| left it. */
#include "ot/tree_transform.h"

/* One place of |op| among what it takes, and where |other| has it. */
struct take1 {
    const struct weft_tree_node *pick1;
    const struct weft_tree_node *pick2;
    const struct weft_tree_node *drop2;
    const struct weft_tree_node *removed2; /* what |other| removes around it */
    struct weft_tree_node *w;              /* where it is after |other| */
};

static void write_take(struct weft_tree_xf *x, const struct take1 *t, bool moved2)
{
    if (t->pick1->has & WEFT_TREE_PICK) {
        struct weft_tree_slot1 *slot1 = &x->slots1[t->pick1->pick];
        bool lost = t->removed2 || (moved2 && x->side == WEFT_OT_SIDE_RIGHT);
        slot1->removed2 = t->removed2;
        slot1->taken = lost ? NULL : t->w;
        slot1->pick1 = t->pick1;
        slot1->drop2 = t->drop2;
    } else if (t->pick1->has & WEFT_TREE_REMOVE) {
        if (!t->removed2)
            weft__tree_put_remove(x->work, t->w, NULL);
        x->cancelled_removes[t->pick1->id] = t->removed2 || moved2;
    }
}

static void write_picks(struct weft_tree_xf *x, struct take1 t)
{
    bool moved2 = false;
    if (WEFT_TREE_HAS(t.pick2, WEFT_TREE_PICK)) {
        struct weft_tree_slot2 *slot2 = &x->slots2[t.pick2->pick];
        t.drop2 = slot2->drop2;
        t.w = slot2->takes = weft__tree_grow(x->work);
        t.removed2 = NULL;
        moved2 = true;
    } else if (WEFT_TREE_HAS(t.pick2, WEFT_TREE_REMOVE)) {
        t.drop2 = NULL;
        t.removed2 = t.pick2;
    } else if (WEFT_TREE_HAS(t.drop2, WEFT_TREE_PUTS)) {
        t.drop2 = NULL;
    }
    write_take(x, &t, moved2);
    struct weft_tree_walk picks2 = weft__tree_walk(t.pick2, WEFT_TREE_TAKES, false);
    struct weft_tree_walk drops2 = weft__tree_walk(t.drop2, WEFT_TREE_PUTS, true);
    for (const struct weft_tree_node *child = t.pick1->first; child && !x->work->err;
         child = child->next) {
        struct take1 below = {.pick1 = child, .removed2 = t.removed2};
        below.pick2 = weft__tree_walk_to(&picks2, child->key);
        struct weft_tree_key key = weft__tree_shift(child->key, -picks2.passed);
        if (key.name || !WEFT_TREE_HAS(below.pick2, WEFT_TREE_TAKES))
            below.drop2 = weft__tree_walk_to(&drops2, key);
        below.w = weft__tree_descend(x->work, t.w, weft__tree_shift(key, drops2.passed));
        write_picks(x, below);
    }
}

void weft__tree_xf_picks(struct weft_tree_xf *x)
{
    write_picks(x, (struct take1){x->op1, x->op2, x->op2, NULL, x->out});
}
