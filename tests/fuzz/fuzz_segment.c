/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer target of log segments: the input is what follows the checksum, which is made right.
 * What is read must survive writing and reading again.
 */
#include "base/assert.h"
#include "hub/sealed.h"
#include "hub/segment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads |input| and, if |writer| is not NULL, adds what it holds. The number of operations, or an
 * error. */
static int64_t walk(struct weft_slice input, struct weft_segment_writer *writer)
{
    struct weft_segment_reader reader;
    struct weft_record_head head;
    struct weft_record_op op;
    uint64_t time_ms;
    int64_t count = 0;
    int err = weft__segment_open(&reader, weft_alloc_default(), input, &head);
    if (err)
        return err;
    if (writer)
        weft__segment_begin(writer, weft_alloc_default(), weft__slice_str("0123456789abcdef"),
                            head.first);
    while ((err = weft__segment_next(&reader, &op, &time_ms)) > 0) {
        count++;
        if (writer)
            weft__segment_add(writer, &op, time_ms);
    }
    weft__segment_close(&reader);
    if (err && writer)
        weft__segment_done(writer);
    return err ? err : count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct weft_segment_writer writer;
    struct weft_bytes b;
    weft__bytes_init(&b, weft_alloc_default(), SIZE_MAX);
    weft__sealed_begin(&b, WEFT_SEGMENT_FORMAT);
    weft__bytes_append(&b, data, size);
    int err = weft__sealed_finish(&b);
    int64_t count = err ? err : walk(weft__bytes_slice(&b), &writer);
    weft__bytes_done(&b);
    if (count < 0)
        return 0;
    weft__bytes_init(&b, weft_alloc_default(), SIZE_MAX);
    err = weft__segment_finish(&writer, &b);
    WEFT_ASSERT(err == 0 || err == WEFT_ERR_TOO_BIG);
    WEFT_ASSERT(err || walk(weft__bytes_slice(&b), NULL) == count);
    weft__segment_done(&writer);
    weft__bytes_done(&b);
    return 0;
}
