/* SPDX-License-Identifier: Apache-2.0 */
/* Records and segments behind one face. */
#include "hub/log_reader.h"

int weft__log_open(struct weft_log_reader *reader, const struct weft_alloc *alloc,
                   const struct weft_store_record *row, const char *epoch)
{
    struct weft_slice input = weft__buf_slice(row->content);
    struct weft_record_head head;
    reader->sealed = weft__segment_is(input);
    reader->left = row->count;
    int err = reader->sealed ? weft__segment_open(&reader->segment, alloc, input, &head)
                             : weft__record_open(&reader->record, input, &head);
    if (err)
        return err;
    reader->time_ms = head.time_ms;
    if (head.first == row->first && weft__slice_eq_str(head.epoch, epoch))
        return 0;
    weft__log_close(reader);
    return WEFT_ERR_CORRUPT;
}

int weft__log_next(struct weft_log_reader *reader, struct weft_record_op *ret_op,
                   uint64_t *ret_time_ms)
{
    int got;
    if (reader->sealed) {
        got = weft__segment_next(&reader->segment, ret_op, ret_time_ms);
    } else {
        *ret_time_ms = reader->time_ms;
        got = weft__record_next(&reader->record, ret_op);
    }
    if (got >= 0 && (got > 0) != (reader->left > 0))
        return WEFT_ERR_CORRUPT;
    reader->left -= got > 0;
    return got;
}

void weft__log_close(struct weft_log_reader *reader)
{
    if (reader->sealed)
        weft__segment_close(&reader->segment);
}
