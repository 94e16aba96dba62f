/* SPDX-License-Identifier: Apache-2.0 */
/* Encoding and decoding of log records. */
#include "hub/record.h"

#include "base/hash.h"
#include "hub/sealed.h"

enum record_field {
    RECORD_EPOCH = 1,
    RECORD_FIRST = 2,
    RECORD_TIME = 3,
    RECORD_OP = 5,
};

enum op_field {
    OP_CLIENT = 1,
    OP_SEQ = 2,
    OP_PRINCIPAL = 3,
    OP_BASE = 4,
    OP_HASH = 5,
    OP_FLAGS = 6,
    OP_BYTES = 7,
};

uint64_t weft__record_hash(struct weft_slice op)
{
    static const struct weft_hash_key key = {0, 0};
    return weft__hash(&key, op);
}

void weft__record_begin(struct weft_bytes *b, const struct weft_record_head *head)
{
    weft__sealed_begin(b, WEFT_RECORD_FORMAT);
    weft__pb_write_bytes(b, RECORD_EPOCH, head->epoch);
    weft__pb_write_varint(b, RECORD_FIRST, head->first);
    weft__pb_write_varint(b, RECORD_TIME, head->time_ms);
}

/* Bytes of a field with a one-byte tag. */
static size_t varint_field(uint64_t value)
{
    return 1 + weft__pb_varint_size(value);
}

static size_t bytes_field(struct weft_slice value)
{
    return varint_field(value.len) + value.len;
}

void weft__record_add(struct weft_bytes *b, const struct weft_record_op *op)
{
    size_t len = bytes_field(op->client) + varint_field(op->seq) + bytes_field(op->principal) +
                 varint_field(op->base) + 9 + (op->flags ? varint_field(op->flags) : 0) +
                 bytes_field(op->op);
    weft__pb_append_varint(b, (uint64_t)RECORD_OP << 3 | WEFT_PB_BYTES);
    weft__pb_append_varint(b, len);
    weft__pb_write_bytes(b, OP_CLIENT, op->client);
    weft__pb_write_varint(b, OP_SEQ, op->seq);
    weft__pb_write_bytes(b, OP_PRINCIPAL, op->principal);
    weft__pb_write_varint(b, OP_BASE, op->base);
    weft__pb_write_fixed64(b, OP_HASH, op->hash);
    if (op->flags)
        weft__pb_write_varint(b, OP_FLAGS, op->flags);
    weft__pb_write_bytes(b, OP_BYTES, op->op);
}

int weft__record_finish(struct weft_bytes *b)
{
    return weft__sealed_finish(b);
}

int weft__record_open(struct weft_record_reader *reader, struct weft_slice input,
                      struct weft_record_head *ret_head)
{
    struct weft_slice content;
    int err = weft__sealed_open(input, WEFT_RECORD_FORMAT, &content);
    if (err)
        return err;
    struct weft_record_head head = {0};
    struct weft_pb_reader fields;
    struct weft_pb_field field;
    bool unknown = false;
    weft__pb_reader_init(&fields, content);
    while (weft__pb_read(&fields, &field)) {
        if (field.number == RECORD_EPOCH && field.type == WEFT_PB_BYTES)
            head.epoch = field.bytes;
        else if (field.number == RECORD_FIRST && field.type == WEFT_PB_VARINT)
            head.first = field.value;
        else if (field.number == RECORD_TIME && field.type == WEFT_PB_VARINT)
            head.time_ms = field.value;
        else if (field.number != RECORD_OP)
            unknown = true;
    }
    if (fields.err)
        return WEFT_ERR_CORRUPT;
    weft__pb_reader_init(&reader->fields, content);
    reader->unknown = unknown;
    *ret_head = head;
    return 0;
}

static int read_op(struct weft_slice input, struct weft_record_op *ret_op, bool *unknown)
{
    struct weft_record_op op = {0};
    struct weft_pb_reader fields;
    struct weft_pb_field field;
    weft__pb_reader_init(&fields, input);
    while (weft__pb_read(&fields, &field)) {
        bool bytes = field.type == WEFT_PB_BYTES;
        if (field.number == OP_CLIENT && bytes)
            op.client = field.bytes;
        else if (field.number == OP_PRINCIPAL && bytes)
            op.principal = field.bytes;
        else if (field.number == OP_BYTES && bytes)
            op.op = field.bytes;
        else if (field.number == OP_SEQ && !bytes)
            op.seq = field.value;
        else if (field.number == OP_BASE && !bytes)
            op.base = field.value;
        else if (field.number == OP_HASH && !bytes)
            op.hash = field.value;
        else if (field.number == OP_FLAGS && !bytes)
            op.flags = field.value;
        else
            *unknown = true;
    }
    if (fields.err)
        return WEFT_ERR_CORRUPT;
    *ret_op = op;
    return 1;
}

int weft__record_next(struct weft_record_reader *reader, struct weft_record_op *ret_op)
{
    struct weft_pb_field field;
    while (weft__pb_read(&reader->fields, &field))
        if (field.number == RECORD_OP && field.type == WEFT_PB_BYTES)
            return read_op(field.bytes, ret_op, &reader->unknown);
    return reader->fields.err ? WEFT_ERR_CORRUPT : 0;
}
