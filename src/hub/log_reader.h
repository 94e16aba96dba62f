/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One value of a document's log, whichever of its two forms it has: a record or a segment. To who
 * reads operations they are the same. **Thread:** any.
 */
#ifndef WEFT_HUB_LOG_READER_H
#define WEFT_HUB_LOG_READER_H

#include "hub/segment.h"

/* Private. */
struct weft_log_reader {
    bool sealed;
    struct weft_record_reader record;
    struct weft_segment_reader segment;
    uint64_t time_ms; /* of a record's operations */
};

/* Checks |input|, which must outlive the reader, and gives its epoch and the version before its
 * first operation. weft__log_close is to be called only after success. **Errors:**
 * WEFT_ERR_CORRUPT, WEFT_ERR_UNSUPPORTED, WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__log_open(struct weft_log_reader *reader, const struct weft_alloc *alloc,
                                 struct weft_slice input, struct weft_record_head *ret_head);

/* The next operation and its time: 1, or 0 at the end. The operation lives until the next call.
 * **Errors:** WEFT_ERR_CORRUPT, WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__log_next(struct weft_log_reader *reader, struct weft_record_op *ret_op,
                                 uint64_t *ret_time_ms);

void weft__log_close(struct weft_log_reader *reader);

#endif
