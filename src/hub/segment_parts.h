/* SPDX-License-Identifier: Apache-2.0 */
/* What writer and reader of segments share (hub/segment.h). */
#ifndef WEFT_HUB_SEGMENT_PARTS_H
#define WEFT_HUB_SEGMENT_PARTS_H

#include "hub/segment.h"

enum weft_segment_field {
    WEFT_SEGMENT_FIELD_EPOCH = 1,
    WEFT_SEGMENT_FIELD_FIRST = 2,
    WEFT_SEGMENT_FIELD_COUNT = 3,
    WEFT_SEGMENT_FIELD_COLUMN = 4,
};

enum weft_segment_column_field {
    WEFT_SEGMENT_COLUMN_NUMBER = 1,
    WEFT_SEGMENT_COLUMN_BYTES = 2,
    WEFT_SEGMENT_COLUMN_DEFLATED = 3,
};

enum { WEFT_SEGMENT_NAME_MAX = 255 }; /* bytes of a client's or a principal's name */

/* Who submits: a client, and as which principal. What is expected of the next operation follows
 * from the one before of the same author. */
struct weft_segment_author {
    struct weft_map_node node;        /* writer: by both names */
    struct weft_segment_author *next; /* writer */
    struct weft_slice client;
    struct weft_slice principal;
    uint64_t number;
    uint64_t seq;
    uint64_t place;
    uint64_t hash;
    uint64_t last;   /* reader: number of its last operation in the segment, from 1 */
    uint8_t names[]; /* writer: length of the first, both */
};

/* Small numbers of either sign as small numbers without. Differences wrap around, so that any two
 * numbers have one. */
static inline uint64_t weft__segment_fold(uint64_t difference)
{
    return difference << 1 ^ (uint64_t) - (int64_t)(difference >> 63);
}

static inline uint64_t weft__segment_unfold(uint64_t folded)
{
    return folded >> 1 ^ (uint64_t) - (int64_t)(folded & 1);
}

#endif
