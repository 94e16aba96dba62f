/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A segment: a run of operations of a document's log that will not change any more, packed. It
 * stands in the store where the records were (hub/record.h) that it replaces. Stored for ever, so
 * it has a format version, a checksum, and fields that older readers skip.
 *
 *   head (hub/sealed.h), format version 2 (1 is a record: the two are told apart by it)
 *   protobuf fields: 1 epoch, 2 first version, 3 operations, 4 a column each: 1 number (enum
 *   weft_segment_column), 2 its bytes, 3 the same as raw DEFLATE
 *
 * A column of at most WEFT_SEGMENT_SMALL bytes, or one that does not shrink, is stored as it is and
 * has no field 3; any other has fields 1, 2 (as a number: how many bytes) and 3. What the columns
 * hold: docs/protocol/segment.md. Every operation comes back byte by byte, with one exception: of
 * the hashes of submitted bytes only that of each author's last operation is kept, which is the
 * only one that can be asked for again.
 *
 * **Thread:** any; nothing is shared.
 */
#ifndef WEFT_HUB_SEGMENT_H
#define WEFT_HUB_SEGMENT_H

#include "base/map.h"
#include "hub/record.h"

enum {
    WEFT_SEGMENT_FORMAT = 2,
    WEFT_SEGMENT_OPS_MAX = 65536,              /* operations in one */
    WEFT_SEGMENT_BYTES_MAX = 64 * 1024 * 1024, /* of all its columns, inflated */
    WEFT_SEGMENT_SMALL = 32,
};

enum weft_segment_column {
    WEFT_SEGMENT_AUTHORS = 1, /* client, principal, hash of the last operation */
    WEFT_SEGMENT_RUNS = 2,    /* author, operations in a row */
    WEFT_SEGMENT_SEQ = 3,
    WEFT_SEGMENT_BASE = 4,
    WEFT_SEGMENT_TIME = 5, /* since the operation before, without its last eight bits */
    WEFT_SEGMENT_FLAGS = 6,
    WEFT_SEGMENT_SHAPE = 7,
    WEFT_SEGMENT_PLACE = 8,
    WEFT_SEGMENT_DELETED = 9,
    WEFT_SEGMENT_LENGTH = 10,   /* of inserted texts, and of operations of no known shape */
    WEFT_SEGMENT_TEXT = 11,     /* inserted */
    WEFT_SEGMENT_OTHER = 12,    /* operations of no known shape */
    WEFT_SEGMENT_TIME_LOW = 13, /* those, a byte each */
    WEFT_SEGMENT_COLUMNS = 14,
};

struct weft_segment_author;

/* Private. */
struct weft_segment_writer {
    const struct weft_alloc *alloc;
    struct weft_bytes columns[WEFT_SEGMENT_COLUMNS];
    struct weft_map authors;
    struct weft_segment_author *first_author; /* in the order of their numbers */
    struct weft_segment_author *last_author;
    struct weft_segment_author *run; /* whose operations are being counted */
    uint64_t run_length;
    char epoch[16];
    uint64_t first;
    uint64_t count;
    uint64_t time_ms;
    size_t bytes;
    unsigned column; /* written last; 0: not begun to write */
    size_t columns_bytes;
    int err;
};

/* Begins a segment of the operations after version |first|; |epoch| has 16 bytes. */
void weft__segment_begin(struct weft_segment_writer *writer, const struct weft_alloc *alloc,
                         struct weft_slice epoch, uint64_t first);

/* Adds the next operation. A failure is kept and reported by weft__segment_finish. */
void weft__segment_add(struct weft_segment_writer *writer, const struct weft_record_op *op,
                       uint64_t time_ms);

/* Writes the segment into |b|, which is empty. **Errors:** WEFT_ERR_NOMEM; WEFT_ERR_TOO_BIG for
 * more than fits one segment; WEFT_ERR_USAGE for none or what no record holds. */
WEFT_MUST_USE int weft__segment_finish(struct weft_segment_writer *writer, struct weft_bytes *b);

/* The same in steps of a column each, for who has other work: 1 when there are more, 0 at the end.
 * Errors as above. */
WEFT_MUST_USE int weft__segment_finish_step(struct weft_segment_writer *writer,
                                            struct weft_bytes *b);

/* Frees it; after weft__segment_begin or on all zeroes, whatever happened since. */
void weft__segment_done(struct weft_segment_writer *writer);

struct weft_segment_cursor {
    const uint8_t *at;
    const uint8_t *end;
};

/* Private. */
struct weft_segment_reader {
    const struct weft_alloc *alloc;
    struct weft_segment_cursor columns[WEFT_SEGMENT_COLUMNS];
    uint8_t *inflated[WEFT_SEGMENT_COLUMNS]; /* NULL for columns stored as they are */
    size_t sizes[WEFT_SEGMENT_COLUMNS];
    struct weft_segment_author *authors;
    size_t author_count;
    struct weft_segment_author *run;
    uint64_t run_left;
    uint64_t first;
    uint64_t count;
    uint64_t given;
    uint64_t time_ms;
    struct weft_bytes op;
};

/* True when |input| is a segment by its format version. */
static inline bool weft__segment_is(struct weft_slice input)
{
    return input.len > 0 && input.ptr[0] == WEFT_SEGMENT_FORMAT;
}

/* Checks format and checksum, reads the head (whose time is 0) and inflates the columns. |input|
 * must outlive the reader. weft__segment_close is to be called only after success. **Errors:**
 * WEFT_ERR_CORRUPT, WEFT_ERR_UNSUPPORTED, WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__segment_open(struct weft_segment_reader *reader,
                                     const struct weft_alloc *alloc, struct weft_slice input,
                                     struct weft_record_head *ret_head);

/* The next operation and its time: 1, or 0 at the end. The operation lives until the next call.
 * **Errors:** WEFT_ERR_CORRUPT, WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__segment_next(struct weft_segment_reader *reader,
                                     struct weft_record_op *ret_op, uint64_t *ret_time_ms);

void weft__segment_close(struct weft_segment_reader *reader);

#endif
