/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The protobuf wire format (protobuf.dev, "Encoding"): fields of tag, type and value, without any
 * schema. Readers skip fields they do not know, so what is stored or sent can grow.
 *
 *   field ──► varint(number << 3 | type) value       type 0 varint, 1 eight bytes, 2 length +
 * bytes, 5 four bytes
 *
 * Groups (types 3 and 4) are refused. **Thread:** one at a time.
 */
#ifndef WEFT_CODEC_PB_WIRE_H
#define WEFT_CODEC_PB_WIRE_H

#include "base/bytes.h"
#include "base/slice.h"

enum weft_pb_type {
    WEFT_PB_VARINT = 0,
    WEFT_PB_FIXED64 = 1,
    WEFT_PB_BYTES = 2,
    WEFT_PB_FIXED32 = 5,
};

struct weft_pb_field {
    uint32_t number;
    enum weft_pb_type type;
    uint64_t value;          /* VARINT, FIXED64, FIXED32 */
    struct weft_slice bytes; /* BYTES: borrowed from the input */
};

struct weft_pb_reader {
    const uint8_t *at;
    const uint8_t *end;
    int err;
};

static inline void weft__pb_reader_init(struct weft_pb_reader *reader, struct weft_slice input)
{
    *reader = (struct weft_pb_reader){.at = input.ptr, .end = input.ptr + input.len};
}

/* Reads the next field. False at the end of the input and at the first error; reader->err then
 * tells which: 0, or WEFT_ERR_PROTOCOL for truncated or malformed input. */
bool weft__pb_read(struct weft_pb_reader *reader, struct weft_pb_field *ret_field);

/* The same where it is read a million times a second: fields whose tag and number, or length, take
 * a byte each are read in place and stay in registers. */
static inline bool weft__pb_read_short(struct weft_pb_reader *reader,
                                       struct weft_pb_field *ret_field)
{
    const uint8_t *at = reader->at;
    size_t left = (size_t)(reader->end - at);
    if (left == 0)
        return false;
    if (left >= 2 && !reader->err && at[0] >= 8 && at[0] < 0x80 && at[1] < 0x80) {
        enum weft_pb_type type = (enum weft_pb_type)(at[0] & 7);
        if (type == WEFT_PB_VARINT) {
            *ret_field = (struct weft_pb_field){at[0] >> 3, type, at[1], {NULL, 0}};
            reader->at = at + 2;
            return true;
        }
        if (type == WEFT_PB_BYTES && at[1] <= left - 2) {
            *ret_field = (struct weft_pb_field){at[0] >> 3, type, 0, {at + 2, at[1]}};
            reader->at = at + 2 + at[1];
            return true;
        }
    }
    struct weft_pb_field field;
    if (!weft__pb_read(reader, &field))
        return false;
    *ret_field = field;
    return true;
}

/* Appends one field. A failure is kept in |b|. */
void weft__pb_write_varint(struct weft_bytes *b, uint32_t number, uint64_t value);
void weft__pb_write_fixed64(struct weft_bytes *b, uint32_t number, uint64_t value);
void weft__pb_write_bytes(struct weft_bytes *b, uint32_t number, struct weft_slice value);

/* Bytes that |value| takes as a varint: 1 to 10. */
static inline size_t weft__pb_varint_size(uint64_t value)
{
    size_t size = 1;
    for (; value >= 0x80; value >>= 7)
        size++;
    return size;
}

/* Out of line part of weft__pb_append_varint. */
void weft__pb_append_long_varint(struct weft_bytes *b, uint64_t value);

/* Appends |value| as a bare varint. */
static inline void weft__pb_append_varint(struct weft_bytes *b, uint64_t value)
{
    if (value < 0x80)
        weft__bytes_append_byte(b, (uint8_t)value);
    else
        weft__pb_append_long_varint(b, value);
}

#endif
