/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transformation of JSON operations, private to src/ot/tree_*.c: how |op| (1) must be applied after
 * |other| (2), in five steps over one state.
 *
 *   scan     walks |other|: what of it does |op| remove or carry off?         (tree_scan.c)
 *   picks    writes what |op| takes, where |other| left it                    (tree_picks.c)
 *   drops    writes what |op| puts and edits, between what |other| put        (tree_drops.c)
 *   settle   hangs in what was written for things that |other| moved          (tree_settle.c)
 *   resolve  removes what cannot be had both ways, and begins again           (tree_conflict.c)
 *
 * A step that meets conflicts notes them, and the next ones are left out.
 */
#ifndef WEFT_OT_TREE_TRANSFORM_H
#define WEFT_OT_TREE_TRANSFORM_H

#include "ot/tree_work.h"

/* What cannot be had both ways; the numbers are those of the published type. */
enum weft_tree_clash {
    WEFT_TREE_CLASH_NONE,
    WEFT_TREE_CLASH_REMOVED,   /* one puts or edits inside what the other removes */
    WEFT_TREE_CLASH_COLLISION, /* both put something at one key */
    WEFT_TREE_CLASH_CYCLE,     /* each moves something into what the other moves */
};

/* What one operation has to do with a conflict: a removal, something put, an edit; or more. */
struct weft_tree_part {
    unsigned act; /* REMOVE, one of PUTS, or EDITS; 0: see |tree| */
    const struct weft_tree_node *at;
    const struct weft_tree_node *from; /* where what is put was picked up, or NULL */
    struct weft_tree_node *tree;
};

struct weft_tree_conflict {
    enum weft_tree_clash clash;
    struct weft_tree_part op1;
    struct weft_tree_part op2;
};

struct weft_tree_list; /* of slots */

/* By slot of |op|. */
struct weft_tree_slot1 {
    const struct weft_tree_node *pick1; /* where it takes it */
    const struct weft_tree_node *drop1;
    const struct weft_tree_node *pick2; /* the same thing in |other|, when met */
    const struct weft_tree_node *drop2;
    const struct weft_tree_node *removed2; /* what |other| removes around it */
    struct weft_tree_node *taken;          /* where the result takes it; NULL: it does not */
    struct weft_tree_list *into2;          /* slots of |other| dropped inside it */
    struct weft_tree_list *into2_last;
    bool also2; /* |other| picks it up, too */
};

/* By slot of |other|. */
struct weft_tree_slot2 {
    const struct weft_tree_node *pick1;
    const struct weft_tree_node *pick2;
    const struct weft_tree_node *drop2;
    const struct weft_tree_node *removed1; /* what |op| removes around it */
    struct weft_tree_node *takes;          /* what the result takes inside it */
    struct weft_tree_node *puts;           /* what the result puts inside it */
    uint32_t slot1;                        /* of |op| that picks it up, too; or NONE */
    bool cancelled;                        /* |op| removes it */
    bool discarded;                        /* and where it is dropped */
};

struct weft_tree_xf {
    struct weft_tree_work *work;
    enum weft_ot_side side;
    const struct weft_tree_node *op1, *op2;
    struct weft_tree_size size1, size2;
    struct weft_tree_slot1 *slots1;
    struct weft_tree_slot2 *slots2;
    bool *cancelled_removes; /* by place of |op|: its removal is none in the result's lists */
    uint32_t *from1;         /* by slot of the result: that of |op| */
    uint32_t slots;          /* of the result */
    struct weft_tree_node *out;
    struct weft_tree_conflict first;   /* conflict met */
    struct weft_tree_conflict removed; /* the first of these */
};

struct weft_tree_list {
    struct weft_tree_list *next;
    uint32_t slot;
};

/* True when |op| moves slot |slot2| of |other| elsewhere, and wins. */
static inline bool weft__tree_xf_wins(const struct weft_tree_xf *x,
                                      const struct weft_tree_slot2 *slot2)
{
    return slot2->slot1 != WEFT_TREE_NONE && x->side == WEFT_OT_SIDE_LEFT;
}

void weft__tree_xf_scan(struct weft_tree_xf *x);
void weft__tree_xf_picks(struct weft_tree_xf *x);
void weft__tree_xf_drops(struct weft_tree_xf *x);
void weft__tree_xf_settle(struct weft_tree_xf *x);

/* ---- conflicts ---- */

/* Notes a conflict. */
void weft__tree_xf_clash(struct weft_tree_xf *x, enum weft_tree_clash clash,
                         struct weft_tree_part op1, struct weft_tree_part op2);

static inline struct weft_tree_part weft__tree_part(unsigned act, const struct weft_tree_node *at,
                                                    const struct weft_tree_node *from)
{
    return (struct weft_tree_part){.act = act, .at = at, .from = from};
}

/* Adds a move from |pick| to |drop| to the operation at |root|. */
void weft__tree_add_move(struct weft_tree_work *work, struct weft_tree_node *root,
                         const struct weft_tree_node *pick, const struct weft_tree_node *drop,
                         uint32_t slot);

#endif
