/* SPDX-License-Identifier: Apache-2.0 */
/* Text operations on a document: does it fit, apply, invert. */
#include "base/assert.h"
#include "base/utf8.h"
#include "ot/text_build.h"

int weft__text_fits(struct weft_rope *rope, const struct weft_text_op *op,
                    struct weft_ot_error *error)
{
    if (op->base > weft__rope_points(rope))
        return weft__ot_fail(error, WEFT_ERR_OP, WEFT_STATUS_OUT_OF_RANGE,
                             "a count goes past the end of the document");
    size_t at = 0;
    for (uint32_t i = 0; i < op->count; i++) {
        const struct weft_text_part *part = &op->parts[i];
        if (part->kind == WEFT_TEXT_KIND_INSERT)
            continue;
        if (part->text && !weft__rope_matches(rope, at, (struct weft_slice){part->text, part->len}))
            return weft__ot_fail(error, WEFT_ERR_OP, WEFT_STATUS_FAILED_PRECONDITION,
                                 "a deletion names other text than it finds");
        at += part->points;
    }
    return 0;
}

static int edit(struct weft_rope *rope, const struct weft_text_op *op)
{
    size_t at = 0;
    int err = 0;
    for (uint32_t i = 0; i < op->count && !err; i++) {
        const struct weft_text_part *part = &op->parts[i];
        switch ((enum weft_text_kind)part->kind) {
        case WEFT_TEXT_KIND_SKIP:
            at += part->points;
            break;
        case WEFT_TEXT_KIND_INSERT:
            err = weft__rope_insert(rope, at, (struct weft_slice){part->text, part->len});
            at += part->points;
            break;
        case WEFT_TEXT_KIND_DELETE:
            err = weft__rope_delete(rope, at, part->points);
            break;
        }
    }
    return err;
}

static bool is_one_edit(const struct weft_text_op *op)
{
    return op->count <= 1 || (op->count == 2 && op->parts[0].kind == WEFT_TEXT_KIND_SKIP);
}

int weft__text_apply(struct weft_rope *rope, const struct weft_text_op *op,
                     struct weft_ot_error *error)
{
    int err = weft__text_fits(rope, op, error);
    if (err)
        return err;
    if (is_one_edit(op)) { /* the rope itself does one edit whole or not at all */
        err = edit(rope, op);
    } else {
        struct weft_rope before;
        weft__rope_snapshot(rope, &before);
        err = edit(rope, op);
        if (err) {
            weft__rope_done(rope);
            *rope = before;
        } else {
            weft__rope_done(&before);
        }
    }
    if (err == WEFT_ERR_TOO_BIG)
        return weft__ot_fail(error, err, WEFT_STATUS_RESOURCE_EXHAUSTED,
                             "the document would be too large");
    if (err)
        return weft__ot_fail(error, err, WEFT_STATUS_RESOURCE_EXHAUSTED, "out of memory");
    WEFT_DCHECK(weft__rope_check(rope));
    return 0;
}

/* Appends all text that |op| deletes to |gone|, in order. */
static void copy_deleted(const struct weft_text_op *op, struct weft_rope *rope,
                         struct weft_bytes *gone)
{
    size_t at = 0;
    for (uint32_t i = 0; i < op->count; i++) {
        const struct weft_text_part *part = &op->parts[i];
        if (part->kind == WEFT_TEXT_KIND_INSERT)
            continue;
        if (part->kind == WEFT_TEXT_KIND_DELETE)
            weft__rope_copy(rope, at, part->points, gone);
        at += part->points;
    }
}

/* Adds the inverse of each part; |gone| is the text that the deletions take, in order. */
static void add_inverse(struct weft_text_build *b, const struct weft_text_op *op,
                        struct weft_slice gone)
{
    for (uint32_t i = 0; i < op->count; i++) {
        struct weft_text_part part = op->parts[i];
        if (part.kind == WEFT_TEXT_KIND_INSERT) {
            part.kind = WEFT_TEXT_KIND_DELETE;
        } else if (part.kind == WEFT_TEXT_KIND_DELETE) {
            part.kind = WEFT_TEXT_KIND_INSERT;
            part.text = gone.ptr;
            part.len = (uint32_t)weft__utf8_offset(gone.ptr, gone.len, part.points);
            gone.ptr += part.len;
            gone.len -= part.len;
        }
        weft__text_build_add(b, part);
    }
}

int weft__text_invert(const struct weft_alloc *alloc, const struct weft_text_op *op,
                      struct weft_rope *rope, struct weft_text_op **ret_op,
                      struct weft_ot_error *error)
{
    int err = weft__text_fits(rope, op, error);
    if (err)
        return err;
    struct weft_bytes gone;
    struct weft_text_build b;
    weft__bytes_init(&gone, alloc, WEFT_ROPE_BYTES_MAX);
    weft__text_build_init(&b, alloc);
    copy_deleted(op, rope, &gone);
    err = weft__bytes_error(&gone);
    if (err) {
        weft__ot_fail(error, err, WEFT_STATUS_RESOURCE_EXHAUSTED, "out of memory");
    } else {
        add_inverse(&b, op, weft__bytes_slice(&gone));
        err = weft__text_build_finish(&b, ret_op, error);
    }
    weft__text_build_done(&b);
    weft__bytes_done(&gone);
    return err;
}
