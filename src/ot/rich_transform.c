/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Composition, transformation and inversion of rich text operations: each walks two lists of parts
 * side by side, one pass, in pieces that both have.
 */
#include "ot/rich_embed.h"

/* |second|, a retain or a deletion, on |first|, which yields as many units. */
static void compose_piece(struct weft_rich_build *b, const struct weft_rich_part *first,
                          const struct weft_rich_part *second)
{
    struct weft_rich_part part = *first;
    bool retained = first->kind == WEFT_RICH_KIND_RETAIN;
    if (second->kind == WEFT_RICH_KIND_DELETE) {
        if (retained)
            weft__rich_build_add(b, *second);
        return;
    }
    if (second->embed && retained && !first->embed) {
        part.embed = true;
        part.text = second->text;
        part.len = second->len;
    } else if (second->embed) {
        weft__rich_embed_compose(b, first, second, &part);
    }
    weft__rich_attributes_compose(b, first, second, retained, &part);
    weft__rich_build_add(b, part);
}

void weft__rich_compose_into(struct weft_rich_build *b, struct weft_rich_cursor *f,
                             struct weft_rich_cursor *s, bool open)
{
    while (s->part != s->end && !b->err) {
        if (weft__rich_cursor_is(s, WEFT_RICH_KIND_INSERT)) {
            weft__rich_build_add(b, weft__rich_cursor_take(s, UINT32_MAX, b));
        } else if (weft__rich_cursor_is(f, WEFT_RICH_KIND_DELETE)) {
            weft__rich_build_add(b, weft__rich_cursor_take(f, UINT32_MAX, b));
        } else {
            if (f->part == f->end && !open)
                return;
            uint32_t units = WEFT_MIN(weft__rich_cursor_left(f), weft__rich_cursor_left(s));
            struct weft_rich_part first = weft__rich_cursor_take(f, units, b);
            struct weft_rich_part second = weft__rich_cursor_take(s, units, b);
            if (!b->err)
                compose_piece(b, &first, &second);
        }
    }
}

int weft__rich_compose(const struct weft_alloc *alloc, const struct weft_rich_op *first,
                       const struct weft_rich_op *second, struct weft_rich_op **ret_op,
                       struct weft_ot_error *error)
{
    struct weft_rich_build b;
    struct weft_rich_cursor f;
    struct weft_rich_cursor s;
    weft__rich_build_init(&b, alloc);
    weft__rich_cursor_init(&f, first);
    weft__rich_cursor_init(&s, second);
    weft__rich_compose_into(&b, &f, &s, true);
    while (f.part != f.end && !b.err)
        weft__rich_build_add(&b, weft__rich_cursor_take(&f, UINT32_MAX, &b));
    int err = weft__rich_build_finish(&b, ret_op, error);
    weft__rich_build_done(&b);
    return err;
}

/* |op|, a retain or a deletion, where |other| has a retain or a deletion of as many units. */
static void transform_piece(struct weft_rich_build *b, const struct weft_rich_part *op,
                            const struct weft_rich_part *other, enum weft_ot_side side)
{
    struct weft_rich_part part = *op;
    if (other->kind == WEFT_RICH_KIND_DELETE)
        return;
    if (op->kind == WEFT_RICH_KIND_RETAIN) {
        if (op->embed && other->embed)
            weft__rich_embed_transform(b, op, other, side, &part);
        if (side == WEFT_OT_SIDE_RIGHT)
            weft__rich_attributes_without(b, op, other, &part);
    }
    weft__rich_build_add(b, part);
}

int weft__rich_transform(const struct weft_alloc *alloc, const struct weft_rich_op *op,
                         const struct weft_rich_op *other, enum weft_ot_side side,
                         struct weft_rich_op **ret_op, struct weft_ot_error *error)
{
    struct weft_rich_build b;
    struct weft_rich_cursor c;
    struct weft_rich_cursor o;
    weft__rich_build_init(&b, alloc);
    weft__rich_cursor_init(&c, op);
    weft__rich_cursor_init(&o, other);
    while (c.part != c.end && !b.err) {
        bool insert = weft__rich_cursor_is(&c, WEFT_RICH_KIND_INSERT);
        if (weft__rich_cursor_is(&o, WEFT_RICH_KIND_INSERT) &&
            !(insert && side == WEFT_OT_SIDE_LEFT)) {
            struct weft_rich_part theirs = weft__rich_cursor_take(&o, UINT32_MAX, &b);
            weft__rich_build_add(
                &b, (struct weft_rich_part){.kind = WEFT_RICH_KIND_RETAIN, .units = theirs.units});
        } else if (insert) {
            weft__rich_build_add(&b, weft__rich_cursor_take(&c, UINT32_MAX, &b));
        } else {
            uint32_t units = WEFT_MIN(weft__rich_cursor_left(&c), weft__rich_cursor_left(&o));
            struct weft_rich_part ours = weft__rich_cursor_take(&c, units, &b);
            struct weft_rich_part theirs = weft__rich_cursor_take(&o, units, &b);
            transform_piece(&b, &ours, &theirs, side);
        }
    }
    int err = weft__rich_build_finish(&b, ret_op, error);
    weft__rich_build_done(&b);
    return err;
}

/* What puts |base| back, a piece of the document, after |op|, a retain or a deletion. */
static void invert_piece(struct weft_rich_build *b, const struct weft_rich_part *op,
                         const struct weft_rich_part *base)
{
    struct weft_rich_part part = {.kind = WEFT_RICH_KIND_RETAIN, .units = base->units};
    if (op->kind == WEFT_RICH_KIND_DELETE) {
        part = *base;
    } else {
        if (op->embed)
            weft__rich_embed_invert(b, op, base, &part);
        weft__rich_attributes_invert(b, op, base, &part);
    }
    weft__rich_build_add(b, part);
}

int weft__rich_invert(const struct weft_alloc *alloc, uint32_t skip, const struct weft_rich_op *op,
                      const struct weft_rich_op *doc, struct weft_rich_op **ret_op,
                      struct weft_ot_error *error)
{
    struct weft_rich_build b;
    struct weft_rich_cursor c;
    struct weft_rich_cursor d;
    if (op->base > (uint64_t)skip + doc->inserted)
        return weft__ot_fail(error, WEFT_ERR_OP, WEFT_STATUS_OUT_OF_RANGE,
                             "a count goes past the end of the document");
    weft__rich_build_init(&b, alloc);
    weft__rich_cursor_init(&c, op);
    weft__rich_cursor_init(&d, doc);
    if (skip > 0)
        weft__rich_build_add(&b, weft__rich_cursor_take(&c, skip, &b));
    while (c.part != c.end && !b.err) {
        if (weft__rich_cursor_is(&c, WEFT_RICH_KIND_INSERT)) {
            struct weft_rich_part ours = weft__rich_cursor_take(&c, UINT32_MAX, &b);
            weft__rich_build_add(
                &b, (struct weft_rich_part){.kind = WEFT_RICH_KIND_DELETE, .units = ours.units});
            continue;
        }
        uint32_t units = WEFT_MIN(weft__rich_cursor_left(&c), weft__rich_cursor_left(&d));
        struct weft_rich_part base = weft__rich_cursor_take(&d, units, &b);
        struct weft_rich_part ours = weft__rich_cursor_take(&c, units, &b);
        if (!b.err)
            invert_piece(&b, &ours, &base);
    }
    int err = weft__rich_build_finish(&b, ret_op, error);
    weft__rich_build_done(&b);
    return err;
}

int weft__rich_normalize(const struct weft_alloc *alloc, const struct weft_rich_op *op,
                         struct weft_rich_op **ret_op, struct weft_ot_error *error)
{
    struct weft_rich_build b;
    weft__rich_build_init(&b, alloc);
    for (uint32_t i = 0; i < op->count && !b.err; i++) {
        struct weft_rich_part part = op->parts[i];
        weft__rich_embed_normalize(&b, &part);
        weft__rich_build_add(&b, part);
    }
    int err = weft__rich_build_finish(&b, ret_op, error);
    weft__rich_build_done(&b);
    return err;
}

uint64_t weft__rich_position(const struct weft_rich_op *op, uint64_t pos, enum weft_ot_side side)
{
    uint64_t at = 0; /* in the document before |op| */
    uint64_t result = pos;
    for (uint32_t i = 0; i < op->count && at <= pos; i++) {
        const struct weft_rich_part *part = &op->parts[i];
        if (part->kind == WEFT_RICH_KIND_INSERT) {
            if (at < pos || side == WEFT_OT_SIDE_RIGHT)
                result += part->units;
            continue;
        }
        if (part->kind == WEFT_RICH_KIND_DELETE)
            result -= WEFT_MIN(part->units, pos - at);
        at += part->units;
    }
    return result;
}
