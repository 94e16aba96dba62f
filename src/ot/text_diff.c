/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An operation that leads from one text to another and keeps as many characters in place as it can,
 * so that cursors and concurrent edits stay where they belong (ot/sequence_diff.h).
 */
#include "ot/text_build.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "ot/sequence_diff.h"

/* A text as code points. */
struct points {
    uint32_t *items;
    uint32_t count;
};

static int decode(const struct weft_alloc *alloc, struct weft_slice text, struct points *ret_points)
{
    size_t count = weft__utf8_count(text.ptr, text.len);
    uint32_t *items = weft__mem_alloc_array(alloc, count + 1, sizeof(*items));
    if (!items)
        return WEFT_ERR_NOMEM;
    const uint8_t *at = text.ptr;
    for (size_t i = 0; i < count; i++) {
        items[i] = weft__utf8_decode(at);
        at += weft__utf8_lead_len(*at);
    }
    *ret_points = (struct points){items, (uint32_t)count};
    return 0;
}

static void points_done(const struct weft_alloc *alloc, struct points *points)
{
    if (points->items)
        weft__mem_free(alloc, points->items, ((size_t)points->count + 1) * sizeof(uint32_t));
}

struct diff {
    struct weft_text_build *build;
    struct weft_slice from; /* what is left of both texts */
    struct weft_slice to;
    uint32_t at_from; /* code points before that */
    uint32_t at_to;
};

/* The first |points| code points of |*text|, which begins behind them then. */
static struct weft_slice take(struct weft_slice *text, uint32_t points)
{
    size_t len = 0;
    for (uint32_t i = 0; i < points; i++)
        len += weft__utf8_lead_len(text->ptr[len]);
    struct weft_slice taken = weft__slice(text->ptr, len);
    *text = weft__slice(text->ptr + len, text->len - len);
    return taken;
}

static void add(struct diff *d, enum weft_text_kind kind, struct weft_slice *text, uint32_t points)
{
    struct weft_slice part = take(text, points);
    weft__text_build_add(d->build, (struct weft_text_part){
                                       .kind = kind,
                                       .points = points,
                                       .len = (uint32_t)part.len,
                                       .text = part.ptr,
                                   });
}

/* Replaces what differs before the next run. */
static void replace(struct diff *d, uint32_t from, uint32_t to)
{
    add(d, WEFT_TEXT_KIND_INSERT, &d->to, to - d->at_to);
    add(d, WEFT_TEXT_KIND_DELETE, &d->from, from - d->at_from);
    d->at_from = from;
    d->at_to = to;
}

static void kept(void *ctx, uint32_t from, uint32_t to, uint32_t count)
{
    struct diff *d = ctx;
    replace(d, from, to);
    (void)take(&d->from, count);
    (void)take(&d->to, count);
    weft__text_build_skip(d->build, count);
    d->at_from += count;
    d->at_to += count;
}

int weft__text_diff(const struct weft_alloc *alloc, struct weft_slice from, struct weft_slice to,
                    struct weft_text_op **ret_op, struct weft_ot_error *error)
{
    struct points a = {0};
    struct points b = {0};
    struct weft_text_build build;
    struct diff d = {.build = &build, .from = from, .to = to};
    weft__text_build_init(&build, alloc);
    int err = decode(alloc, from, &a);
    if (!err)
        err = decode(alloc, to, &b);
    if (!err)
        err = weft__sequence_diff(alloc, (struct weft_sequence){a.items, a.count},
                                  (struct weft_sequence){b.items, b.count}, kept, &d);
    if (!err) {
        replace(&d, a.count, b.count);
        err = weft__text_build_finish(&build, ret_op, error);
    } else {
        weft__ot_fail(error, err, WEFT_STATUS_RESOURCE_EXHAUSTED, "out of memory");
    }
    weft__text_build_done(&build);
    points_done(alloc, &b);
    points_done(alloc, &a);
    return err;
}
