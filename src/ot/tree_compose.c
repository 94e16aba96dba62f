/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Composition of JSON operations. The document between the two is walked where either of them
 * knows a place: what |first| put there meets what |second| takes from there.
 *
 * Four places move along together: where |first| had it from and where it put it, where |second|
 * takes it from and where that ends up; and two places of the result, |wp| among what is taken and
 * |wd| among what is put. What |first| moved to here is taken elsewhere, and what |second| moves
 * away is put elsewhere: such things get trees of their own, by slot, which are hung in at the end.
 *
 * What |first| inserts is changed by |second| in the literal, as far as it can be.
 */
#include "base/assert.h"
#include "ot/tree_work.h"

struct compose {
    struct weft_tree_work *work;
    uint32_t slots; /* of the result */
    /* By slot of |first|: where it is picked up; its slot in the result; its tree of takings. */
    const struct weft_tree_node **picked1;
    uint32_t *slot1;
    struct weft_tree_node **takes1;
    /* By slot of |second|: where it is dropped; its slot in the result; its tree of puttings. */
    const struct weft_tree_node **dropped2;
    uint32_t *slot2;
    struct weft_tree_node **puts2;
    bool *edited2; /* by place of |second|: its edit is in the result already */
};

/* The places that move along together; each may be NULL but |wp| and |wd|. */
struct spot {
    const struct weft_tree_node *pick1, *drop1;
    const struct weft_tree_node *pick2, *drop2;
    struct weft_tree_value *literal; /* what |first| inserted here, inside of something */
    bool removed;                    /* |second| removed what is around it */
    struct weft_tree_node *wp, *wd;
};

static void find_slots(const struct weft_tree_node *node, const struct weft_tree_node **picks,
                       const struct weft_tree_node **drops)
{
    if (picks && (node->has & WEFT_TREE_PICK))
        picks[node->pick] = node;
    if (drops && (node->has & WEFT_TREE_DROP))
        drops[node->drop] = node;
    for (const struct weft_tree_node *child = node->first; child; child = child->next)
        find_slots(child, picks, drops);
}

/* Where |second| takes it: where what is here goes on being edited, and put. */
static void enter_second(struct compose *c, struct spot *s)
{
    if (WEFT_TREE_HAS(s->pick2, WEFT_TREE_PICK)) {
        uint32_t slot = s->pick2->pick;
        s->drop2 = c->dropped2[slot];
        s->wd = c->puts2[slot] = weft__tree_grow(c->work);
    } else if (WEFT_TREE_HAS(s->pick2, WEFT_TREE_REMOVE) ||
               WEFT_TREE_HAS(s->drop2, WEFT_TREE_DROP)) {
        s->drop2 = NULL;
    }
}

/* Where |first| had it from. |gone|: it is removed with all that stays in it. */
static void enter_first(struct compose *c, struct spot *s, bool gone)
{
    if (WEFT_TREE_HAS(s->drop1, WEFT_TREE_DROP)) {
        uint32_t slot = s->drop1->drop;
        s->pick1 = c->picked1[slot];
        s->wp = c->takes1[slot] = weft__tree_grow(c->work);
        if (!gone)
            weft__tree_put_drop(c->work, s->wd, c->slot1[slot] = c->slots++);
        else if (s->removed && !WEFT_TREE_HAS(s->pick2, WEFT_TREE_REMOVE))
            weft__tree_put_remove(c->work, s->wp, NULL);
    } else if (WEFT_TREE_HAS(s->drop1, WEFT_TREE_INSERT) ||
               WEFT_TREE_HAS(s->pick1, WEFT_TREE_PICK)) {
        s->pick1 = NULL;
    }
}

/* What |second| takes from here, unless |first| inserted it. */
static void take(struct compose *c, struct spot *s)
{
    if (s->literal)
        return;
    if (WEFT_TREE_HAS(s->pick2, WEFT_TREE_PICK)) {
        bool moved = WEFT_TREE_HAS(s->drop1, WEFT_TREE_DROP);
        uint32_t slot = moved ? c->slot1[s->drop1->drop] : c->slots++;
        c->slot2[s->pick2->pick] = slot;
        weft__tree_put_pick(c->work, s->wp, slot);
    } else if (WEFT_TREE_HAS(s->pick2, WEFT_TREE_REMOVE)) {
        weft__tree_put_remove(c->work, s->wp, s->pick2->removed);
    }
}

static void put_edits(struct compose *c, struct spot *s, bool gone)
{
    const struct weft_tree_node *first =
        !gone && WEFT_TREE_HAS(s->drop1, WEFT_TREE_EDITS) ? s->drop1 : NULL;
    const struct weft_tree_node *second =
        WEFT_TREE_HAS(s->drop2, WEFT_TREE_EDITS) ? s->drop2 : NULL;
    if (first && second)
        weft__tree_put_both_edits(c->work, s->wd, first, second);
    else if (first || second)
        weft__tree_put_edit(c->work, s->wd, first ? first : second);
    if (second)
        c->edited2[second->id] = true;
}

/* Children of two places, in the order of their keys. */
struct pair {
    const struct weft_tree_node *a, *b;
};

static struct weft_tree_key next_pair(struct pair *rest, struct pair *ret_pair)
{
    int order = !rest->b ? -1 : !rest->a ? 1 : weft__tree_order(rest->a->key, rest->b->key);
    *ret_pair = (struct pair){order <= 0 ? rest->a : NULL, order >= 0 ? rest->b : NULL};
    if (ret_pair->a)
        rest->a = rest->a->next;
    if (ret_pair->b)
        rest->b = rest->b->next;
    return ret_pair->a ? ret_pair->a->key : ret_pair->b->key;
}

/* Walking the children of a spot. */
struct descent {
    struct pair rest;
    struct weft_tree_walk pick1;
    struct weft_tree_walk drop2;
    int64_t drops1; /* passed so far */
    int64_t picks2;
    size_t change_count;
    struct weft_tree_change *changes; /* of the literal */
};

/* The next child of |s|, and where it is in the literal. */
static struct spot next_child(struct compose *c, const struct spot *s, struct descent *d,
                              struct weft_tree_key *ret_in_literal)
{
    struct pair pair;
    struct spot child = {0};
    struct weft_tree_key key = next_pair(&d->rest, &pair);
    struct weft_tree_key before = weft__tree_shift(key, -d->drops1);
    struct weft_tree_key after = weft__tree_shift(key, -d->picks2);
    child.drop1 = pair.a;
    child.pick2 = pair.b;
    child.drop2 = weft__tree_walk_to(&d->drop2, after);
    child.pick1 = weft__tree_walk_to(&d->pick1, before);
    child.wp = weft__tree_descend(c->work, s->wp, weft__tree_shift(before, d->pick1.passed));
    child.wd = weft__tree_descend(c->work, s->wd, weft__tree_shift(after, d->drop2.passed));
    *ret_in_literal = before;
    if (!key.name) {
        d->drops1 += WEFT_TREE_HAS(pair.a, WEFT_TREE_PUTS);
        d->picks2 += WEFT_TREE_HAS(pair.b, WEFT_TREE_TAKES);
    }
    return child;
}

static struct weft_tree_value *walk(struct compose *c, struct spot s);

static size_t count_children(const struct spot *s)
{
    size_t count = 0;
    for (const struct weft_tree_node *child = s->pick2 ? s->pick2->first : NULL; child;
         child = child->next)
        count++;
    for (const struct weft_tree_node *child = s->drop1 ? s->drop1->first : NULL; child;
         child = child->next)
        count++;
    return count;
}

/* Walks what is below |s|; |literal| is what |first| inserted here, or NULL. Returns what is left
 * of it. */
static struct weft_tree_value *walk_below(struct compose *c, const struct spot *s, bool gone,
                                          struct weft_tree_value *literal)
{
    struct descent d = {
        .rest = {s->drop1 ? s->drop1->first : NULL, s->pick2 ? s->pick2->first : NULL},
        .pick1 = weft__tree_walk(s->pick1, WEFT_TREE_TAKES, true),
        .drop2 = weft__tree_walk(s->drop2, WEFT_TREE_PUTS, true),
    };
    bool follow = weft__tree_is_container(literal);
    if (follow)
        d.changes = weft__tree_zalloc(c->work, count_children(s), sizeof(*d.changes));
    while ((d.rest.a || d.rest.b) && !c->work->err) {
        struct weft_tree_key key;
        uint32_t at = 0;
        struct spot child = next_child(c, s, &d, &key);
        child.removed = gone;
        if (follow && !WEFT_TREE_HAS(child.drop1, WEFT_TREE_PUTS))
            child.literal = weft__tree_child(literal, key, &at);
        struct weft_tree_value *left = walk(c, child);
        if (d.changes && !gone && left != child.literal)
            d.changes[d.change_count++] =
                (struct weft_tree_change){.at = at, .value = weft__tree_ref(left)};
    }
    if (d.change_count == 0)
        return literal;
    return weft__tree_own(c->work,
                          weft__tree_rebuild(c->work->alloc, literal, d.changes, d.change_count));
}

/* Walks |s| and below. Returns what is left of the literal inside the one around it. */
static struct weft_tree_value *walk(struct compose *c, struct spot s)
{
    const bool inserted = WEFT_TREE_HAS(s.drop1, WEFT_TREE_INSERT);
    const bool picked = WEFT_TREE_HAS(s.pick2, WEFT_TREE_PICK);
    const bool removed = WEFT_TREE_HAS(s.pick2, WEFT_TREE_REMOVE);
    const bool gone = (s.removed || removed) && !picked;
    enter_second(c, &s);
    enter_first(c, &s, gone);
    if (inserted)
        s.literal = s.drop1->inserted;
    take(c, &s);
    put_edits(c, &s, gone);
    struct weft_tree_value *left = walk_below(c, &s, gone, s.literal);
    if (picked ? s.literal != NULL : inserted && !s.removed && !removed) {
        weft__tree_put_insert(c->work, s.wd, left);
        return NULL;
    }
    return s.removed || removed || picked ? NULL : left;
}

/* Adds what |first| takes and its trees of takings. */
static void merge_first(struct compose *c, const struct weft_tree_node *from,
                        struct weft_tree_node *to)
{
    if (from->has & WEFT_TREE_PICK) {
        if (c->slot1[from->pick] != WEFT_TREE_NONE)
            weft__tree_put_pick(c->work, to, c->slot1[from->pick]);
        weft__tree_merge(c->work, to, c->takes1[from->pick]);
    } else if (from->has & WEFT_TREE_REMOVE) {
        weft__tree_put_remove(c->work, to, from->removed);
    }
    for (const struct weft_tree_node *child = from->first; child && !c->work->err;
         child = child->next)
        merge_first(c, child, weft__tree_descend(c->work, to, child->key));
}

/* Adds what |second| puts and edits and its trees of puttings. */
static void merge_second(struct compose *c, const struct weft_tree_node *from,
                         struct weft_tree_node *to)
{
    if (from->has & WEFT_TREE_DROP) {
        if (c->slot2[from->drop] != WEFT_TREE_NONE)
            weft__tree_put_drop(c->work, to, c->slot2[from->drop]);
        weft__tree_merge(c->work, to, c->puts2[from->drop]);
    } else if (from->has & WEFT_TREE_INSERT) {
        weft__tree_put_insert(c->work, to, from->inserted);
    }
    if ((from->has & WEFT_TREE_EDITS) && !c->edited2[from->id])
        weft__tree_put_edit(c->work, to, from);
    for (const struct weft_tree_node *child = from->first; child && !c->work->err;
         child = child->next)
        merge_second(c, child, weft__tree_descend(c->work, to, child->key));
}

static void prepare(struct compose *c, const struct weft_tree_node *a, struct weft_tree_size a_size,
                    const struct weft_tree_node *b, struct weft_tree_size b_size)
{
    struct weft_tree_work *work = c->work;
    c->picked1 = weft__tree_zalloc(work, a_size.slots, sizeof(struct weft_tree_node *));
    c->takes1 = weft__tree_zalloc(work, a_size.slots, sizeof(struct weft_tree_node *));
    c->slot1 = weft__tree_zalloc(work, a_size.slots, sizeof(uint32_t));
    c->dropped2 = weft__tree_zalloc(work, b_size.slots, sizeof(struct weft_tree_node *));
    c->puts2 = weft__tree_zalloc(work, b_size.slots, sizeof(struct weft_tree_node *));
    c->slot2 = weft__tree_zalloc(work, b_size.slots, sizeof(uint32_t));
    c->edited2 = weft__tree_zalloc(work, b_size.count, sizeof(bool));
    if (work->err)
        return;
    for (uint32_t i = 0; i < a_size.slots; i++)
        c->slot1[i] = WEFT_TREE_NONE;
    for (uint32_t i = 0; i < b_size.slots; i++)
        c->slot2[i] = WEFT_TREE_NONE;
    if (a_size.slots)
        find_slots(a, c->picked1, NULL);
    if (b_size.slots)
        find_slots(b, NULL, c->dropped2);
}

struct weft_tree_node *weft__tree_compose_nodes(struct weft_tree_work *work,
                                                const struct weft_tree_node *a,
                                                struct weft_tree_size a_size,
                                                const struct weft_tree_node *b,
                                                struct weft_tree_size b_size)
{
    struct weft_tree_node *result = weft__tree_grow(work);
    if (!a || !b) {
        weft__tree_merge(work, result, a ? a : b);
        return result;
    }
    struct compose c = {.work = work};
    struct weft_tree_node *takes = weft__tree_grow(work);
    prepare(&c, a, a_size, b, b_size);
    if (work->err)
        return result;
    walk(&c, (struct spot){a, a, b, b, NULL, false, takes, result});
    weft__tree_merge(work, result, takes);
    if (!work->err)
        merge_first(&c, a, result);
    if (!work->err)
        merge_second(&c, b, result);
    return result;
}

static struct weft_tree_size size_of(const struct weft_tree_op *op)
{
    return (struct weft_tree_size){op->count, op->slots};
}

int weft__tree_compose(const struct weft_alloc *alloc, const struct weft_tree_op *first,
                       const struct weft_tree_op *second, struct weft_tree_op **ret_op,
                       struct weft_ot_error *error)
{
    struct weft_tree_work work;
    weft__tree_work_init(&work, alloc);
    struct weft_tree_node *root = weft__tree_compose_nodes(
        &work, weft__tree_root(first), size_of(first), weft__tree_root(second), size_of(second));
    int err = weft__tree_finish(&work, root, ret_op, error);
    weft__tree_work_done(&work);
    return err;
}
