/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Collects the parts of a new operation, in order, and makes the canonical operation of them.
 * Parts are kept as given, with text borrowed from wherever it is; neighbours of one kind become
 * one part, and their text one run, in weft__text_build_finish. Failures stick until then.
 */
#ifndef WEFT_OT_TEXT_BUILD_H
#define WEFT_OT_TEXT_BUILD_H

#include "ot/text.h"

struct weft_text_build {
    const struct weft_alloc *alloc;
    struct weft_text_part *parts; /* |few|, or an allocation */
    size_t count;
    size_t cap;
    int err;
    struct weft_text_part few[16];
};

void weft__text_build_init(struct weft_text_build *b, const struct weft_alloc *alloc);
void weft__text_build_done(struct weft_text_build *b);

/* Adds |part|; one of 0 code points is nothing. |part.text| is borrowed until finish. */
void weft__text_build_add(struct weft_text_build *b, struct weft_text_part part);

static inline void weft__text_build_skip(struct weft_text_build *b, uint32_t points)
{
    weft__text_build_add(b, (struct weft_text_part){.kind = WEFT_TEXT_KIND_SKIP, .points = points});
}

/* The operation in canonical form.
 * **Errors:** WEFT_ERR_OP (counts add up past the limit), WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__text_build_finish(struct weft_text_build *b, struct weft_text_op **ret_op,
                                          struct weft_ot_error *error);

/* Walks the parts of an operation in pieces of chosen length. */
struct weft_text_cursor {
    const struct weft_text_part *part; /* the next one, or end */
    const struct weft_text_part *end;
    uint32_t points; /* of *part taken already */
    uint32_t bytes;
};

static inline void weft__text_cursor_init(struct weft_text_cursor *c, const struct weft_text_op *op)
{
    *c = (struct weft_text_cursor){.part = op->parts, .end = op->parts + op->count};
}

static inline bool weft__text_cursor_is(const struct weft_text_cursor *c, enum weft_text_kind kind)
{
    return c->part != c->end && c->part->kind == (uint32_t)kind;
}

/* Takes at most |max| > 0 code points of the next part. Behind the last part comes a skip without
 * end. */
struct weft_text_part weft__text_cursor_take(struct weft_text_cursor *c, uint32_t max);

/* Takes what is left of the next part; there is one. */
static inline struct weft_text_part weft__text_cursor_take_part(struct weft_text_cursor *c)
{
    return weft__text_cursor_take(c, UINT32_MAX);
}

#endif
