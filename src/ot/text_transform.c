/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transformation and composition of text operations: both walk two operations side by side, one
 * pass, in O(parts of both).
 *
 * Transform walks |other| and moves the parts of |op| past it: where |other| inserted, |op| skips;
 * what |other| deleted, |op| neither skips nor deletes again. An insertion is never divided.
 *
 * Compose walks |second| over the outcome of |first|: skips let parts of |first| through, deletions
 * take away what |first| inserted and delete what it skipped. A deletion is never divided by it.
 */
#include "ot/text_build.h"

/* The parts of |op| over |points| code points that |other| kept, or (|gone|) deleted. */
static void transform_over(struct weft_text_build *b, struct weft_text_cursor *c, uint32_t points,
                           bool gone)
{
    while (points > 0) {
        if (weft__text_cursor_is(c, WEFT_TEXT_KIND_INSERT)) {
            weft__text_build_add(b, weft__text_cursor_take_part(c));
            continue;
        }
        struct weft_text_part piece = weft__text_cursor_take(c, points);
        if (!gone)
            weft__text_build_add(b, piece);
        points -= piece.points;
    }
}

int weft__text_transform(const struct weft_alloc *alloc, const struct weft_text_op *op,
                         const struct weft_text_op *other, enum weft_ot_side side,
                         struct weft_text_op **ret_op, struct weft_ot_error *error)
{
    struct weft_text_build b;
    struct weft_text_cursor c;
    weft__text_build_init(&b, alloc);
    weft__text_cursor_init(&c, op);
    for (uint32_t i = 0; i < other->count; i++) {
        const struct weft_text_part *part = &other->parts[i];
        if (part->kind != WEFT_TEXT_KIND_INSERT) {
            transform_over(&b, &c, part->points, part->kind == WEFT_TEXT_KIND_DELETE);
            continue;
        }
        if (side == WEFT_OT_SIDE_LEFT && weft__text_cursor_is(&c, WEFT_TEXT_KIND_INSERT))
            weft__text_build_add(&b, weft__text_cursor_take_part(&c));
        weft__text_build_skip(&b, part->points);
    }
    while (c.part != c.end)
        weft__text_build_add(&b, weft__text_cursor_take_part(&c));
    int err = weft__text_build_finish(&b, ret_op, error);
    weft__text_build_done(&b);
    return err;
}

static void compose_skip(struct weft_text_build *b, struct weft_text_cursor *c, uint32_t points)
{
    while (points > 0) {
        if (weft__text_cursor_is(c, WEFT_TEXT_KIND_DELETE)) {
            weft__text_build_add(b, weft__text_cursor_take_part(c));
            continue;
        }
        struct weft_text_part piece = weft__text_cursor_take(c, points);
        weft__text_build_add(b, piece);
        points -= piece.points;
    }
}

/* Deletes |part| of |second| from the outcome of |first|. False when it names other text than
 * |first| inserted there. */
static bool compose_delete(struct weft_text_build *b, struct weft_text_cursor *c,
                           struct weft_text_cursor *second)
{
    const struct weft_text_part *part = second->part;
    while (second->part == part) {
        if (weft__text_cursor_is(c, WEFT_TEXT_KIND_DELETE)) {
            weft__text_build_add(b, weft__text_cursor_take_part(c));
            continue;
        }
        struct weft_text_part piece = weft__text_cursor_take(c, part->points - second->points);
        struct weft_text_part gone = weft__text_cursor_take(second, piece.points);
        if (piece.kind == WEFT_TEXT_KIND_SKIP)
            weft__text_build_add(b, gone);
        else if (gone.text &&
                 (gone.len != piece.len || memcmp(gone.text, piece.text, piece.len) != 0))
            return false;
    }
    return true;
}

int weft__text_compose(const struct weft_alloc *alloc, const struct weft_text_op *first,
                       const struct weft_text_op *second, struct weft_text_op **ret_op,
                       struct weft_ot_error *error)
{
    struct weft_text_build b;
    struct weft_text_cursor c;
    struct weft_text_cursor s;
    int err = 0;
    weft__text_build_init(&b, alloc);
    weft__text_cursor_init(&c, first);
    weft__text_cursor_init(&s, second);
    while (s.part != s.end && !err) {
        if (weft__text_cursor_is(&s, WEFT_TEXT_KIND_INSERT))
            weft__text_build_add(&b, weft__text_cursor_take_part(&s));
        else if (weft__text_cursor_is(&s, WEFT_TEXT_KIND_SKIP))
            compose_skip(&b, &c, weft__text_cursor_take_part(&s).points);
        else if (!compose_delete(&b, &c, &s))
            err = weft__ot_fail(error, WEFT_ERR_OP, WEFT_STATUS_FAILED_PRECONDITION,
                                "a deletion names other text than it finds");
    }
    while (c.part != c.end)
        weft__text_build_add(&b, weft__text_cursor_take_part(&c));
    if (!err)
        err = weft__text_build_finish(&b, ret_op, error);
    weft__text_build_done(&b);
    return err;
}

uint64_t weft__text_position(const struct weft_text_op *op, uint64_t pos, enum weft_ot_side side)
{
    uint64_t at = 0; /* in the document before |op| */
    uint64_t result = pos;
    for (uint32_t i = 0; i < op->count && at <= pos; i++) {
        const struct weft_text_part *part = &op->parts[i];
        switch ((enum weft_text_kind)part->kind) {
        case WEFT_TEXT_KIND_SKIP:
            at += part->points;
            break;
        case WEFT_TEXT_KIND_INSERT:
            if (at < pos || side == WEFT_OT_SIDE_RIGHT)
                result += part->points;
            break;
        case WEFT_TEXT_KIND_DELETE:
            result -= WEFT_MIN(part->points, pos - at);
            at += part->points;
            break;
        }
    }
    return result;
}
