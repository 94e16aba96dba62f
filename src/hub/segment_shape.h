/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shape of an operation as bytes of JSON, without knowing its type: what an edit of a text at
 * one place looks like. A shape stands for exactly one run of bytes, so whatever has one comes back
 * as it was; everything else has none.
 *
 *   [5,"abc"]  [5,{"d":3}]  [5,{"d":3},"abc"]  [5,"abc",{"d":3}]     each also without the 5
 *
 * The text is what stands between the quotes, escapes and all. **Thread:** any.
 */
#ifndef WEFT_HUB_SEGMENT_SHAPE_H
#define WEFT_HUB_SEGMENT_SHAPE_H

#include "base/bytes.h"

enum {
    WEFT_SHAPE_OTHER = 0,  /* none of these */
    WEFT_SHAPE_INSERT = 1, /* bits of the others */
    WEFT_SHAPE_DELETE = 2,
    WEFT_SHAPE_INSERT_FIRST = 4, /* of both, the insertion */
};

struct weft_shape {
    unsigned kind;
    uint64_t place;   /* 0: at the beginning */
    uint64_t deleted; /* at least 1, if anything is */
    struct weft_slice text;
};

/* The shape of |op|, which its text borrows; of kind WEFT_SHAPE_OTHER when it has none. */
struct weft_shape weft__shape_of(struct weft_slice op);

/* Appends the operation; |shape| is not of kind OTHER. A failure is kept in |b|. */
void weft__shape_write(struct weft_bytes *b, const struct weft_shape *shape);

/* Whether |kind| is one of the kinds, OTHER among them. */
static inline bool weft__shape_known(uint64_t kind)
{
    return kind <= 3 || kind == 7;
}

/* Where the same author will probably go on. Part of the format: it may never change. */
uint64_t weft__shape_next_place(const struct weft_shape *shape);

#endif
