/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One value of a document's log, whichever of its two forms it has: a record or a segment. To who
 * reads operations they are the same. What the value says must agree with where it stands in the
 * store: the document's epoch, the version before it, the number of operations.
 *
 * **Thread:** any.
 */
#ifndef WEFT_HUB_LOG_READER_H
#define WEFT_HUB_LOG_READER_H

#include "hub/segment.h"
#include "port/store.h"

/* Private. */
struct weft_log_reader {
    bool sealed;
    struct weft_record_reader record;
    struct weft_segment_reader segment;
    uint64_t time_ms; /* of a record's operations */
    uint64_t left;    /* operations that must follow */
};

/* Checks |row|, which must outlive the reader, of the document with |epoch|. weft__log_close is to
 * be called only after success. **Errors:** WEFT_ERR_CORRUPT, WEFT_ERR_UNSUPPORTED,
 * WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__log_open(struct weft_log_reader *reader, const struct weft_alloc *alloc,
                                 const struct weft_store_record *row, const char *epoch);

/* The next operation and its time: 1, or 0 at the end. The operation lives until the next call.
 * **Errors:** WEFT_ERR_CORRUPT, WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__log_next(struct weft_log_reader *reader, struct weft_record_op *ret_op,
                                 uint64_t *ret_time_ms);

/* Whether what was read so far holds fields that this version of weft does not know, which a
 * segment would lose. */
static inline bool weft__log_unknown(const struct weft_log_reader *reader)
{
    return !reader->sealed && reader->record.unknown;
}

void weft__log_close(struct weft_log_reader *reader);

#endif
