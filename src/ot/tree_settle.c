/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fourth step of a transformation: what was written for things that |other| moved is hung in where
 * they are now. What cannot be hung in anywhere hangs in itself: each operation moves something
 * into what the other moves.
 */
#include "ot/tree_transform.h"

struct settle {
    struct weft_tree_xf *x;
    const struct weft_tree_node **drops; /* by slot of the result: where it is dropped */
    struct weft_tree_node **puts;        /* by slot of the result: what is put inside it */
    bool any;                            /* of |puts| */
};

/* Adds the takings inside things that |other| moved, and removes those that |op| removes. */
static void hang_takes(struct weft_tree_xf *x, const struct weft_tree_node *drop2,
                       struct weft_tree_node *w)
{
    if (drop2->has & WEFT_TREE_DROP) {
        const struct weft_tree_slot2 *slot2 = &x->slots2[drop2->drop];
        if (slot2->cancelled && !slot2->discarded)
            weft__tree_put_remove(x->work, w, NULL);
        weft__tree_merge(x->work, w, slot2->takes);
    }
    for (const struct weft_tree_node *child = drop2->first; child && !x->work->err;
         child = child->next)
        hang_takes(x, child, weft__tree_descend(x->work, w, child->key));
}

static void find_drops(const struct weft_tree_node *node, const struct weft_tree_node **drops)
{
    if (!node)
        return;
    if (node->has & WEFT_TREE_DROP)
        drops[node->drop] = node;
    for (const struct weft_tree_node *child = node->first; child; child = child->next)
        find_drops(child, drops);
}

/* Walks what |other| puts along with the result (|pick| and |drop|) and adds at |w| what the result
 * puts inside things that |other| moved. */
static void hang_puts(struct settle *s, const struct weft_tree_node *drop2,
                      const struct weft_tree_node *pick, const struct weft_tree_node *drop,
                      struct weft_tree_node *w)
{
    struct weft_tree_work *work = s->x->work;
    if (WEFT_TREE_HAS(pick, WEFT_TREE_PICK)) {
        drop = s->drops[pick->pick];
        w = s->puts[pick->pick] = weft__tree_grow(work);
        s->any = true;
    } else if (WEFT_TREE_HAS(pick, WEFT_TREE_REMOVE) || WEFT_TREE_HAS(drop, WEFT_TREE_PUTS)) {
        drop = NULL;
    }
    if ((drop2->has & WEFT_TREE_DROP) && s->x->slots2[drop2->drop].puts) {
        drop = s->x->slots2[drop2->drop].puts;
        weft__tree_merge(work, w, drop);
    }
    struct weft_tree_walk picks = weft__tree_walk(pick, WEFT_TREE_TAKES, false);
    struct weft_tree_walk drops = weft__tree_walk(drop, WEFT_TREE_PUTS, true);
    for (const struct weft_tree_node *child = drop2->first; child && !work->err;
         child = child->next) {
        const struct weft_tree_node *below = weft__tree_walk_to(&picks, child->key);
        struct weft_tree_key key = weft__tree_shift(child->key, -picks.passed);
        const struct weft_tree_node *there = weft__tree_walk_to(&drops, key);
        hang_puts(s, child, below, there,
                  weft__tree_descend(work, w, weft__tree_shift(key, drops.passed)));
    }
}

static bool is_blank(const struct weft_tree_node *node)
{
    if (!node || node->has)
        return !node;
    for (const struct weft_tree_node *child = node->first; child; child = child->next) {
        if (!is_blank(child))
            return false;
    }
    return true;
}

/* Adds what is put inside things that the result moves, as |at| had them. */
static void hang_moved(struct settle *s, const struct weft_tree_node *at, struct weft_tree_node *w)
{
    if ((at->has & WEFT_TREE_DROP) && s->puts[at->drop]) {
        weft__tree_merge(s->x->work, w, s->puts[at->drop]);
        s->puts[at->drop] = NULL;
    }
    for (const struct weft_tree_node *child = at->first; child && !s->x->work->err;
         child = child->next)
        hang_moved(s, child, weft__tree_descend(s->x->work, w, child->key));
}

/* The moves of both operations around the cycle. */
struct cycle {
    struct weft_tree_node *op1, *op2;
    uint32_t slots1, slots2;
};

static void add_to_cycle(struct settle *s, const struct weft_tree_node *node, struct cycle *c)
{
    struct weft_tree_xf *x = s->x;
    if (node->has & WEFT_TREE_DROP) {
        const struct weft_tree_slot1 *slot1 = &x->slots1[x->from1[node->drop]];
        weft__tree_add_move(x->work, c->op1, slot1->pick1, slot1->drop1, c->slots1++);
        for (const struct weft_tree_list *at = slot1->into2; at; at = at->next) {
            const struct weft_tree_slot2 *slot2 = &x->slots2[at->slot];
            if (!slot2->cancelled && !weft__tree_xf_wins(x, slot2))
                weft__tree_add_move(x->work, c->op2, slot2->pick2, slot2->drop2, c->slots2++);
        }
    }
    for (const struct weft_tree_node *child = node->first; child; child = child->next)
        add_to_cycle(s, child, c);
}

/* True when something could not be hung in. */
static bool find_cycle(struct settle *s)
{
    struct weft_tree_xf *x = s->x;
    struct cycle c = {0};
    for (uint32_t i = 0; i < x->slots; i++) {
        if (is_blank(s->puts[i]))
            continue;
        if (!c.op1) {
            c.op1 = weft__tree_grow(x->work);
            c.op2 = weft__tree_grow(x->work);
        }
        add_to_cycle(s, s->puts[i], &c);
    }
    if (c.op1)
        weft__tree_xf_clash(x, WEFT_TREE_CLASH_CYCLE, (struct weft_tree_part){.tree = c.op1},
                            (struct weft_tree_part){.tree = c.op2});
    return c.op1 != NULL;
}

/* Adds the puttings. */
static void settle_puts(struct weft_tree_xf *x)
{
    struct settle s = {.x = x};
    s.drops = weft__tree_zalloc(x->work, x->slots, sizeof(struct weft_tree_node *));
    s.puts = weft__tree_zalloc(x->work, x->slots, sizeof(struct weft_tree_node *));
    struct weft_tree_node *before = weft__tree_clone(x->work, x->out);
    if (x->work->err)
        return;
    find_drops(before, s.drops);
    for (uint32_t i = 0; i < x->size2.slots; i++)
        find_drops(x->slots2[i].puts, s.drops);
    hang_puts(&s, x->op2, before, before, x->out);
    if (x->work->err || !s.any)
        return;
    hang_moved(&s, weft__tree_clone(x->work, x->out), x->out);
    if (!x->work->err)
        find_cycle(&s);
}

void weft__tree_xf_settle(struct weft_tree_xf *x)
{
    bool any = false;
    for (uint32_t i = 0; i < x->size2.slots; i++)
        any = any || x->slots2[i].cancelled || x->slots2[i].puts;
    if (x->size2.slots)
        hang_takes(x, x->op2, x->out);
    if (any && !x->work->err)
        settle_puts(x);
}
