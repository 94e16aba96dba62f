/* SPDX-License-Identifier: Apache-2.0 */
/* weft's binary wire as `weft bench` needs it (docs/protocol/binary.md, proto/weft/v1/wire.proto).
 */
#include "bench_wire.h"

#include "codec/pb_wire.h"

/* Fields of Frame, of Call, of Error and of Credit; flags. */
enum { ID = 1, FLAGS = 2, PAYLOAD = 5, CALL = 6, RESULT = 7, ERROR = 8, ITEM = 9, CREDIT = 12 };
enum { PONG = 15, PING = 21, BODY_MAX = 31 };
enum { CALL_METHOD = 2, ERROR_MESSAGE = 2, CREDIT_ITEMS = 1, CREDIT_BYTES = 2 };
enum { FLAG_JSON = 8 };

/* ---- What is sent ---- */

/* Ids of a client are odd. */
static uint64_t id_of(uint64_t number)
{
    return 2 * number + 1;
}

/* Appends |frame| behind its length, and frees it. */
static void put_frame(struct weft_bytes *out, struct weft_bytes *frame)
{
    weft__pb_append_varint(out, frame->len);
    weft__bytes_append_slice(out, weft__bytes_slice(frame));
    out->err = out->err ? out->err : weft__bytes_error(frame);
    weft__bytes_done(frame);
}

static void put_call(struct weft_bytes *out, const struct bench_call *call)
{
    struct weft_bytes frame;
    struct weft_bytes body;
    weft__bytes_init(&frame, out->alloc, SIZE_MAX);
    weft__bytes_init(&body, out->alloc, SIZE_MAX);
    weft__pb_write_bytes(&body, CALL_METHOD, weft__slice_str(call->method));
    weft__pb_write_varint(&frame, ID, id_of(call->number));
    weft__pb_write_varint(&frame, FLAGS, FLAG_JSON);
    weft__pb_write_bytes(&frame, PAYLOAD, call->params);
    weft__pb_write_bytes(&frame, CALL, weft__bytes_slice(&body));
    out->err = out->err ? out->err : weft__bytes_error(&body);
    weft__bytes_done(&body);
    put_frame(out, &frame);
}

static void put_credit(struct weft_bytes *out, uint64_t number, uint64_t items, uint64_t bytes)
{
    uint8_t room[32];
    struct weft_bytes body = {.ptr = room, .cap = sizeof(room), .limit = sizeof(room)};
    struct weft_bytes frame;
    weft__bytes_init(&frame, out->alloc, SIZE_MAX);
    weft__pb_write_varint(&body, CREDIT_ITEMS, items);
    weft__pb_write_varint(&body, CREDIT_BYTES, bytes);
    weft__pb_write_varint(&frame, ID, id_of(number));
    weft__pb_write_bytes(&frame, CREDIT, weft__bytes_slice(&body));
    put_frame(out, &frame);
}

static void put_pong(struct weft_bytes *out)
{
    struct weft_bytes frame;
    weft__bytes_init(&frame, out->alloc, SIZE_MAX);
    weft__pb_write_bytes(&frame, PONG, (struct weft_slice){NULL, 0});
    put_frame(out, &frame);
}

/* ---- What comes ---- */

static enum bench_event_kind kind_of(uint32_t body, bool has_payload)
{
    switch (body) {
    case 0:
        return has_payload ? BENCH_EVENT_ITEM : BENCH_EVENT_OTHER;
    case RESULT:
        return BENCH_EVENT_RESULT;
    case ERROR:
        return BENCH_EVENT_ERROR;
    case ITEM:
        return BENCH_EVENT_ITEM;
    case PING:
        return BENCH_EVENT_PING;
    default:
        return BENCH_EVENT_OTHER;
    }
}

static struct weft_slice message_of(struct weft_slice error)
{
    struct weft_pb_reader reader;
    struct weft_pb_field field;
    struct weft_slice message = {NULL, 0};
    weft__pb_reader_init(&reader, error);
    while (weft__pb_read(&reader, &field))
        if (field.number == ERROR_MESSAGE && field.type == WEFT_PB_BYTES)
            message = field.bytes;
    return message;
}

/* False when the frame makes no sense. */
static bool read_frame(struct weft_slice frame, struct bench_event *event)
{
    struct weft_pb_reader reader;
    struct weft_pb_field field;
    struct weft_slice inside = {NULL, 0};
    uint32_t body = 0;
    bool has_payload = false;
    weft__pb_reader_init(&reader, frame);
    while (weft__pb_read_short(&reader, &field)) {
        if (field.number == ID && field.type == WEFT_PB_VARINT) {
            event->number = field.value & 1 ? field.value >> 1 : UINT64_MAX;
        } else if (field.number == PAYLOAD && field.type == WEFT_PB_BYTES) {
            event->payload = field.bytes;
            has_payload = true;
        } else if (field.number >= CALL && field.number <= BODY_MAX) {
            body = field.number;
            inside = field.bytes;
        }
    }
    event->kind = kind_of(body, has_payload);
    if (event->kind == BENCH_EVENT_ERROR)
        event->payload = message_of(inside);
    return !reader.err;
}

/* The length at the beginning of |rest|, which is behind it then. */
static bool take_length(struct weft_slice *rest, size_t *ret_len)
{
    uint64_t len = 0;
    for (size_t i = 0; i < rest->len && i < 5; i++) {
        len |= (uint64_t)(rest->ptr[i] & 0x7f) << (7 * i);
        if (rest->ptr[i] >= 0x80)
            continue;
        *rest = weft__slice(rest->ptr + i + 1, rest->len - i - 1);
        *ret_len = (size_t)len;
        return len <= rest->len;
    }
    return false;
}

static bool next(struct weft_slice *rest, struct bench_event *ret_event)
{
    size_t len;
    if (!rest->len)
        return false;
    *ret_event = (struct bench_event){.number = UINT64_MAX};
    if (!take_length(rest, &len) || !read_frame(weft__slice(rest->ptr, len), ret_event)) {
        ret_event->kind = BENCH_EVENT_BROKEN;
        *rest = (struct weft_slice){NULL, 0};
    } else {
        *rest = weft__slice(rest->ptr + len, rest->len - len);
    }
    return true;
}

const struct bench_wire bench_wire_binary = {.name = "binary",
                                             .protocol = "weft.v1.pb",
                                             .binary = true,
                                             .call = put_call,
                                             .credit = put_credit,
                                             .pong = put_pong,
                                             .next = next};
