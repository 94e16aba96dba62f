/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An operation that leads from one rich text to another and keeps as much as it can in place
 * (ot/sequence_diff.h). Characters and embeds are compared without their attributes; what is kept
 * gets the difference of its attributes, and embeds of the kind delta the one of their content.
 */
#include "base/hash.h"
#include "base/utf8.h"
#include "ot/rich_embed.h"
#include "ot/sequence_diff.h"

#define EMBED 0x80000000u /* beyond all characters */

struct side {
    const struct weft_rich_op *op;
    uint32_t *codes; /* code points, or embeds */
    uint32_t count;
    uint32_t done; /* of them */
    struct weft_rich_cursor cursor;
};

struct diff {
    struct weft_rich_build build;
    struct side from;
    struct side to;
};

/* Embeds of the kind delta can be made of one another. Others are the same when they are equal,
 * which is looked at again before one is kept: different ones may have one number. */
static uint32_t embed_code(const struct weft_rich_part *part)
{
    static const struct weft_hash_key key = {0};
    if (weft__rich_embed_is_delta(part))
        return EMBED;
    return EMBED | (uint32_t)weft__hash(&key, weft__slice(part->text, part->len));
}

static bool load(const struct weft_alloc *alloc, const struct weft_rich_op *op, struct side *side)
{
    side->op = op;
    weft__rich_cursor_init(&side->cursor, op);
    /* A character has one or two units, an embed one. */
    side->codes = weft__mem_alloc_array(alloc, WEFT_MAX(op->inserted, 1u), sizeof(*side->codes));
    if (!side->codes)
        return false;
    for (uint32_t i = 0; i < op->count; i++) {
        const struct weft_rich_part *part = &op->parts[i];
        if (part->embed) {
            side->codes[side->count++] = embed_code(part);
            continue;
        }
        for (uint32_t at = 0; at < part->len; at += (uint32_t)weft__utf8_lead_len(part->text[at]))
            side->codes[side->count++] = weft__utf8_decode(part->text + at);
    }
    return true;
}

static void unload(const struct weft_alloc *alloc, struct side *side)
{
    if (side->codes)
        weft__mem_free(alloc, side->codes, WEFT_MAX(side->op->inserted, 1u) * sizeof(*side->codes));
}

/* Units of what follows in |side| up to |end|, which is passed then. */
static uint32_t pass(struct side *side, uint32_t end)
{
    uint32_t units = 0;
    for (; side->done < end; side->done++) {
        uint32_t code = side->codes[side->done];
        units += code > 0xffff && !(code & EMBED) ? 2 : 1;
    }
    return units;
}

/* Replaces what differs before |from| and |to|. */
static void replace(struct diff *d, uint32_t from, uint32_t to)
{
    uint32_t gone = pass(&d->from, from);
    uint32_t come = pass(&d->to, to);
    while (come > 0 && !d->build.err) {
        struct weft_rich_part part = weft__rich_cursor_take(&d->to.cursor, come, &d->build);
        weft__rich_build_add(&d->build, part);
        come -= part.units;
    }
    weft__rich_build_add(&d->build,
                         (struct weft_rich_part){.kind = WEFT_RICH_KIND_DELETE, .units = gone});
    while (gone > 0 && !d->build.err)
        gone -= weft__rich_cursor_take(&d->from.cursor, gone, &d->build).units;
}

/* |from| and |to| have one number. */
static void keep_piece(struct diff *d, const struct weft_rich_part *from,
                       const struct weft_rich_part *to)
{
    struct weft_rich_part part = {.kind = WEFT_RICH_KIND_RETAIN, .units = to->units};
    bool same = from->len == to->len && memcmp(from->text, to->text, to->len) == 0;
    if (!same && !(weft__rich_embed_is_delta(from) && weft__rich_embed_is_delta(to))) {
        weft__rich_build_add(&d->build, *to);
        part.kind = WEFT_RICH_KIND_DELETE;
    } else {
        if (from->embed)
            weft__rich_embed_diff(&d->build, from, to, &part);
        weft__rich_attributes_diff(&d->build, from, to, &part);
    }
    weft__rich_build_add(&d->build, part);
}

static void kept(void *ctx, uint32_t from, uint32_t to, uint32_t count)
{
    struct diff *d = ctx;
    replace(d, from, to);
    (void)pass(&d->to, to + count);
    for (uint32_t units = pass(&d->from, from + count); units > 0 && !d->build.err;) {
        uint32_t left = WEFT_MIN(weft__rich_cursor_left(&d->from.cursor),
                                 weft__rich_cursor_left(&d->to.cursor));
        uint32_t piece = WEFT_MIN(units, left);
        struct weft_rich_part old = weft__rich_cursor_take(&d->from.cursor, piece, &d->build);
        struct weft_rich_part new = weft__rich_cursor_take(&d->to.cursor, piece, &d->build);
        keep_piece(d, &old, &new);
        units -= piece;
    }
}

int weft__rich_diff(const struct weft_alloc *alloc, uint32_t skip, const struct weft_rich_op *from,
                    const struct weft_rich_op *to, struct weft_rich_op **ret_op,
                    struct weft_ot_error *error)
{
    struct diff d = {.from = {0}};
    int err = 0;
    weft__rich_build_init(&d.build, alloc);
    weft__rich_build_add(&d.build,
                         (struct weft_rich_part){.kind = WEFT_RICH_KIND_RETAIN, .units = skip});
    if (!load(alloc, from, &d.from) || !load(alloc, to, &d.to))
        err = WEFT_ERR_NOMEM;
    if (!err)
        err = weft__sequence_diff(alloc, (struct weft_sequence){d.from.codes, d.from.count},
                                  (struct weft_sequence){d.to.codes, d.to.count}, kept, &d);
    if (!err) {
        replace(&d, d.from.count, d.to.count);
        err = weft__rich_build_finish(&d.build, ret_op, error);
    } else {
        weft__ot_fail(error, err, WEFT_STATUS_RESOURCE_EXHAUSTED, "out of memory");
    }
    unload(alloc, &d.from);
    unload(alloc, &d.to);
    weft__rich_build_done(&d.build);
    return err;
}
