/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and writing of protobuf fields. */
#include "codec/pb_wire.h"

#include "base/assert.h"

enum { VARINT_MAX_SIZE = 10 };

static bool read_long_varint(struct weft_pb_reader *reader, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < VARINT_MAX_SIZE && reader->at + i < reader->end; i++) {
        uint8_t byte = reader->at[i];
        /* The tenth byte holds bit 63 alone. */
        if (i == VARINT_MAX_SIZE - 1 && byte > 1)
            return false;
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            reader->at += i + 1;
            *ret_value = value;
            return true;
        }
    }
    return false;
}

/* Nearly all are tags, flags and lengths below 128: one byte. */
static inline bool read_varint(struct weft_pb_reader *reader, uint64_t *ret_value)
{
    if (WEFT_UNLIKELY(reader->at == reader->end || *reader->at >= 0x80))
        return read_long_varint(reader, ret_value);
    *ret_value = *reader->at++;
    return true;
}

static bool read_fixed(struct weft_pb_reader *reader, size_t size, uint64_t *ret_value)
{
    if ((size_t)(reader->end - reader->at) < size)
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)reader->at[i] << (8 * i);
    reader->at += size;
    *ret_value = value;
    return true;
}

static bool read_bytes(struct weft_pb_reader *reader, struct weft_slice *ret_bytes)
{
    uint64_t len;
    if (!read_varint(reader, &len) || len > (size_t)(reader->end - reader->at))
        return false;
    *ret_bytes = weft__slice(reader->at, (size_t)len);
    reader->at += len;
    return true;
}

static bool read_value(struct weft_pb_reader *reader, struct weft_pb_field *field)
{
    switch (field->type) {
    case WEFT_PB_VARINT:
        return read_varint(reader, &field->value);
    case WEFT_PB_FIXED64:
        return read_fixed(reader, 8, &field->value);
    case WEFT_PB_BYTES:
        return read_bytes(reader, &field->bytes);
    case WEFT_PB_FIXED32:
        return read_fixed(reader, 4, &field->value);
    }
    return false;
}

bool weft__pb_read(struct weft_pb_reader *reader, struct weft_pb_field *ret_field)
{
    if (reader->err || reader->at == reader->end)
        return false;
    uint64_t tag;
    struct weft_pb_field field = {0};
    if (!read_varint(reader, &tag) || tag >> 3 == 0 || tag >> 3 > 0x1fffffff)
        goto malformed;
    field.number = (uint32_t)(tag >> 3);
    field.type = (enum weft_pb_type)(tag & 7);
    if (!read_value(reader, &field))
        goto malformed;
    *ret_field = field;
    return true;
malformed:
    reader->err = WEFT_ERR_PROTOCOL;
    return false;
}

void weft__pb_append_long_varint(struct weft_bytes *b, uint64_t value)
{
    uint8_t bytes[VARINT_MAX_SIZE];
    size_t len = 0;
    while (value >= 0x80) {
        bytes[len++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    bytes[len++] = (uint8_t)value;
    weft__bytes_append(b, bytes, len);
}

static void append_tag(struct weft_bytes *b, uint32_t number, enum weft_pb_type type)
{
    WEFT_ASSERT(number > 0 && number <= 0x1fffffff);
    weft__pb_append_varint(b, (uint64_t)number << 3 | type);
}

void weft__pb_write_varint(struct weft_bytes *b, uint32_t number, uint64_t value)
{
    append_tag(b, number, WEFT_PB_VARINT);
    weft__pb_append_varint(b, value);
}

void weft__pb_write_fixed64(struct weft_bytes *b, uint32_t number, uint64_t value)
{
    append_tag(b, number, WEFT_PB_FIXED64);
    uint8_t bytes[8];
    for (unsigned i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
    weft__bytes_append(b, bytes, sizeof(bytes));
}

void weft__pb_write_bytes(struct weft_bytes *b, uint32_t number, struct weft_slice value)
{
    append_tag(b, number, WEFT_PB_BYTES);
    weft__pb_append_varint(b, value.len);
    weft__bytes_append_slice(b, value);
}
