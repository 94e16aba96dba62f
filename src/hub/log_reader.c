/* SPDX-License-Identifier: Apache-2.0 */
/* Records and segments behind one face. */
#include "hub/log_reader.h"

int weft__log_open(struct weft_log_reader *reader, const struct weft_alloc *alloc,
                   struct weft_slice input, struct weft_record_head *ret_head)
{
    reader->sealed = weft__segment_is(input);
    if (reader->sealed)
        return weft__segment_open(&reader->segment, alloc, input, ret_head);
    int err = weft__record_open(&reader->record, input, ret_head);
    if (!err)
        reader->time_ms = ret_head->time_ms;
    return err;
}

int weft__log_next(struct weft_log_reader *reader, struct weft_record_op *ret_op,
                   uint64_t *ret_time_ms)
{
    if (reader->sealed)
        return weft__segment_next(&reader->segment, ret_op, ret_time_ms);
    *ret_time_ms = reader->time_ms;
    return weft__record_next(&reader->record, ret_op);
}

void weft__log_close(struct weft_log_reader *reader)
{
    if (reader->sealed)
        weft__segment_close(&reader->segment);
}
