/* SPDX-License-Identifier: Apache-2.0 */
/* Binary messages ─► frames. */
#include "base/utf8.h"
#include "codec/pb_wire.h"
#include "rpc/binary.h"

static const struct weft_rpc_failure parse_error = {.status = WEFT_STATUS_INVALID_ARGUMENT,
                                                    .number = WEFT_RPC_PARSE_ERROR,
                                                    .message = "Parse error"};

static const struct weft_rpc_failure invalid_request = {.status = WEFT_STATUS_INVALID_ARGUMENT,
                                                        .number = WEFT_RPC_INVALID_REQUEST,
                                                        .message = "Invalid Request"};

/* Above this a number is not exact in every language; as on the text wire. */
#define NUMBER_MAX ((UINT64_C(1) << 53) - 1)

/* The fields of one Frame. */
struct raw_frame {
    uint32_t id;
    uint64_t flags;
    uint64_t seq;
    uint64_t ack;
    bool has_payload;
    struct weft_slice payload;
    uint32_t body; /* number of its field; 0: none */
    struct weft_slice inside;
};

struct decoder {
    struct weft_arena *arena;
    struct weft_json_options json;
};

/* ---- Fields ---- */

static inline bool take_field(struct raw_frame *raw, const struct weft_pb_field *field)
{
    bool is_number = field->number <= WEFT_RPC_BINARY_ACK;
    if (field->number > WEFT_RPC_BINARY_BODY_MAX)
        return true; /* of a later version */
    if (field->type != (is_number ? WEFT_PB_VARINT : WEFT_PB_BYTES))
        return false;
    switch (field->number) {
    case WEFT_RPC_BINARY_ID:
        raw->id = (uint32_t)field->value;
        return field->value <= UINT32_MAX;
    case WEFT_RPC_BINARY_FLAGS:
        raw->flags = field->value;
        break;
    case WEFT_RPC_BINARY_SEQ:
        raw->seq = field->value;
        return field->value <= NUMBER_MAX;
    case WEFT_RPC_BINARY_ACK:
        raw->ack = field->value;
        return field->value <= NUMBER_MAX;
    case WEFT_RPC_BINARY_PAYLOAD:
        raw->has_payload = true;
        raw->payload = field->bytes;
        break;
    default: /* of two bodies the last counts, as of any oneof */
        raw->body = field->number;
        raw->inside = field->bytes;
        break;
    }
    return true;
}

static int read_frame(struct weft_slice bytes, struct raw_frame *raw)
{
    struct weft_pb_reader reader;
    struct weft_pb_field field;
    *raw = (struct raw_frame){.body = 0};
    weft__pb_reader_init(&reader, bytes);
    while (weft__pb_read_short(&reader, &field))
        if (!take_field(raw, &field))
            return WEFT_ERR_PROTOCOL;
    return reader.err;
}

/* The text of a field; one that is no text spoils |ok|. */
static struct weft_slice text_of(const struct weft_pb_field *field, bool *ok)
{
    if (field->type == WEFT_PB_BYTES && weft__utf8_valid(field->bytes.ptr, field->bytes.len))
        return field->bytes;
    *ok = false;
    return weft__slice(NULL, 0);
}

static uint64_t number_of(const struct weft_pb_field *field, bool *ok)
{
    if (field->type != WEFT_PB_VARINT)
        *ok = false;
    return field->value;
}

/* ---- Payloads ---- */

/* Parses the payload; NULL when there is none. **Errors:** WEFT_ERR_NOMEM; WEFT_ERR_JSON for all
 * that cannot be read. */
static int read_payload(const struct decoder *decoder, const struct raw_frame *raw,
                        const struct weft_json **ret_value)
{
    *ret_value = NULL;
    if (!raw->payload.len)
        return 0;
    if ((raw->flags & WEFT_RPC_BINARY_COMPRESSED) || !(raw->flags & WEFT_RPC_BINARY_JSON))
        return WEFT_ERR_JSON;
    int err = weft__json_parse(raw->payload, decoder->arena, &decoder->json, NULL, ret_value);
    return err && err != WEFT_ERR_NOMEM ? WEFT_ERR_JSON : err;
}

/* ---- Bodies ---- */

static bool read_call(struct weft_slice inside, struct weft_rpc_frame *frame)
{
    struct weft_pb_reader reader;
    struct weft_pb_field field;
    struct weft_rpc_meta *meta = &frame->meta;
    bool method_ok = false, meta_ok = true;
    weft__pb_reader_init(&reader, inside);
    while (weft__pb_read_short(&reader, &field)) {
        switch (field.number) {
        case 2:
            method_ok = true;
            frame->method = text_of(&field, &method_ok);
            break;
        case 3:
            meta->has_timeout = true;
            meta->timeout_ms = number_of(&field, &meta_ok);
            meta_ok = meta_ok && meta->timeout_ms <= NUMBER_MAX;
            break;
        case 4:
            meta->idem = text_of(&field, &meta_ok);
            break;
        case 5:
            meta->traceparent = text_of(&field, &meta_ok);
            break;
        case 6:
            meta->order = text_of(&field, &meta_ok);
            break;
        default:
            break;
        }
    }
    meta->malformed = !meta_ok;
    return method_ok && !reader.err;
}

static bool is_structured(const struct weft_json *value)
{
    return weft__json_is(value, WEFT_JSON_ARRAY) || weft__json_is(value, WEFT_JSON_OBJECT);
}

static void refuse(struct weft_rpc_frame *frame, const struct weft_rpc_failure *failure)
{
    frame->kind = WEFT_RPC_KIND_INVALID;
    frame->failure = *failure;
}

static int decode_call(const struct decoder *decoder, const struct raw_frame *raw,
                       struct weft_rpc_frame *frame)
{
    bool notify = raw->flags & WEFT_RPC_BINARY_NOTIFY;
    frame->kind = notify ? WEFT_RPC_KIND_NOTIFY : WEFT_RPC_KIND_CALL;
    if (notify)
        frame->id = (struct weft_rpc_id){.raw = {NULL, 0}};
    int err = read_payload(decoder, raw, &frame->params);
    if (err == WEFT_ERR_NOMEM)
        return err;
    if (weft__json_is(frame->params, WEFT_JSON_NULL))
        frame->params = NULL;
    if (err)
        refuse(frame, &parse_error);
    else if (!read_call(raw->inside, frame) || (!notify && !raw->id) ||
             (frame->params && !is_structured(frame->params)))
        refuse(frame, &invalid_request);
    return 0;
}

/* What stands for an answer that cannot be read: the call is over all the same. */
static void unreadable(struct weft_rpc_frame *frame)
{
    frame->kind = WEFT_RPC_KIND_ERROR;
    frame->error = (struct weft_rpc_error){.status = WEFT_STATUS_DATA_LOSS,
                                           .number = weft_status_jsonrpc(WEFT_STATUS_DATA_LOSS),
                                           .message = WEFT_SLICE_LIT("unreadable answer"),
                                           .executed = WEFT_RPC_EXECUTED_UNKNOWN};
}

static int decode_result(const struct decoder *decoder, const struct raw_frame *raw,
                         struct weft_rpc_frame *frame)
{
    frame->kind = WEFT_RPC_KIND_RESULT;
    int err = read_payload(decoder, raw, &frame->value);
    if (!err && !frame->value) /* an empty payload: nothing to say */
        err = weft__json_parse(WEFT_SLICE_LIT("null"), decoder->arena, NULL, NULL, &frame->value);
    if (err == WEFT_ERR_NOMEM)
        return err;
    if (err)
        unreadable(frame);
    return 0;
}

static bool read_rule(struct weft_slice inside, struct weft_rpc_broken_rule *rule)
{
    struct weft_pb_reader reader;
    struct weft_pb_field field;
    bool ok = true;
    weft__pb_reader_init(&reader, inside);
    *rule = (struct weft_rpc_broken_rule){.field = {NULL, 0}};
    while (weft__pb_read(&reader, &field)) {
        if (field.number == 1)
            rule->field = text_of(&field, &ok);
        else if (field.number == 2)
            rule->rule = text_of(&field, &ok);
    }
    return ok && !reader.err;
}

static size_t count_rules(struct weft_slice inside)
{
    struct weft_pb_reader reader;
    struct weft_pb_field field;
    size_t count = 0;
    weft__pb_reader_init(&reader, inside);
    while (weft__pb_read(&reader, &field))
        count += field.number == 7;
    return count;
}

static enum weft_rpc_executed executed_of(uint64_t value)
{
    return value == 1   ? WEFT_RPC_EXECUTED_NO
           : value == 2 ? WEFT_RPC_EXECUTED_YES
                        : WEFT_RPC_EXECUTED_UNKNOWN;
}

/* An sint32. */
static int64_t unzigzag(uint64_t value, bool *ok)
{
    if (value > UINT32_MAX)
        *ok = false;
    return value % 2 ? -(int64_t)(value / 2) - 1 : (int64_t)(value / 2);
}

/* One field of Error but its details. */
static void take_error(struct weft_rpc_error *e, struct weft_rpc_broken_rule *rules,
                       const struct weft_pb_field *field, bool *ok)
{
    switch (field->number) {
    case 1:
        e->status = number_of(field, ok) <= WEFT_STATUS_UNAUTHENTICATED && field->value > 0
                        ? (int)field->value
                        : WEFT_STATUS_UNKNOWN;
        break;
    case 2:
        e->message = text_of(field, ok);
        break;
    case 3:
        e->reason = text_of(field, ok);
        break;
    case 4:
        e->retryable = number_of(field, ok) != 0;
        break;
    case 5:
        e->retry_after_ms = number_of(field, ok);
        break;
    case 6:
        e->executed = executed_of(number_of(field, ok));
        break;
    case 7:
        *ok = field->type == WEFT_PB_BYTES && read_rule(field->bytes, &rules[e->violation_count++]);
        break;
    case 9:
        e->number = unzigzag(number_of(field, ok), ok);
        break;
    default:
        break;
    }
}

static int decode_error(const struct decoder *decoder, const struct raw_frame *raw,
                        struct weft_rpc_frame *frame)
{
    struct weft_rpc_error *e = &frame->error;
    struct weft_pb_reader reader;
    struct weft_pb_field field;
    bool ok = true;
    size_t count = count_rules(raw->inside);
    struct weft_rpc_broken_rule *rules = NULL;
    if (count && !(rules = weft__arena_alloc_array(decoder->arena, count, sizeof(*rules))))
        return WEFT_ERR_NOMEM;
    frame->kind = WEFT_RPC_KIND_ERROR;
    *e = (struct weft_rpc_error){
        .status = WEFT_STATUS_UNKNOWN, .executed = WEFT_RPC_EXECUTED_UNKNOWN, .violations = rules};
    weft__pb_reader_init(&reader, raw->inside);
    while (ok && weft__pb_read(&reader, &field)) {
        take_error(e, rules, &field, &ok);
        if (field.number != 8)
            continue;
        int err = field.type == WEFT_PB_BYTES ? weft__json_parse(field.bytes, decoder->arena,
                                                                 &decoder->json, NULL, &e->details)
                                              : WEFT_ERR_JSON;
        if (err == WEFT_ERR_NOMEM)
            return err;
        ok = ok && !err;
    }
    if (!ok || reader.err)
        unreadable(frame);
    else if (!e->number)
        e->number = weft_status_jsonrpc(e->status);
    return 0;
}

static int decode_credit(struct weft_slice inside, struct weft_rpc_frame *frame)
{
    struct weft_pb_reader reader;
    struct weft_pb_field field;
    bool ok = true;
    frame->kind = WEFT_RPC_KIND_CREDIT;
    weft__pb_reader_init(&reader, inside);
    while (weft__pb_read(&reader, &field)) {
        if (field.number == 1)
            frame->items_total = number_of(&field, &ok);
        else if (field.number == 2)
            frame->bytes_total = number_of(&field, &ok);
    }
    if (!ok || reader.err)
        return WEFT_ERR_PROTOCOL;
    /* Such a total cannot be said on the text wire, where it means nothing either. */
    if (frame->items_total > NUMBER_MAX || frame->bytes_total > NUMBER_MAX)
        frame->kind = WEFT_RPC_KIND_IGNORED;
    return 0;
}

/* A payload without a body is an item; with neither, a frame acknowledges or says nothing. */
static int decode_item(const struct decoder *decoder, const struct raw_frame *raw,
                       struct weft_rpc_frame *frame)
{
    if (!raw->has_payload && !raw->body) {
        frame->kind = raw->ack ? WEFT_RPC_KIND_ACK : WEFT_RPC_KIND_IGNORED;
        return 0;
    }
    frame->kind = WEFT_RPC_KIND_ITEM;
    int err = read_payload(decoder, raw, &frame->value);
    if (err == WEFT_ERR_NOMEM)
        return err;
    return frame->value ? 0 : WEFT_ERR_PROTOCOL;
}

static int decode_body(const struct decoder *decoder, const struct raw_frame *raw,
                       struct weft_rpc_frame *frame)
{
    switch (raw->body) {
    case 0:
    case WEFT_RPC_BINARY_ITEM:
        return decode_item(decoder, raw, frame);
    case WEFT_RPC_BINARY_CALL:
        return decode_call(decoder, raw, frame);
    case WEFT_RPC_BINARY_RESULT:
        return decode_result(decoder, raw, frame);
    case WEFT_RPC_BINARY_ERROR:
        return decode_error(decoder, raw, frame);
    case WEFT_RPC_BINARY_CREDIT:
        return decode_credit(raw->inside, frame);
    case WEFT_RPC_BINARY_END:
        frame->kind = WEFT_RPC_KIND_END;
        break;
    case WEFT_RPC_BINARY_CANCEL:
        frame->kind = WEFT_RPC_KIND_CANCEL;
        break;
    case WEFT_RPC_BINARY_PING:
        frame->kind = WEFT_RPC_KIND_PING;
        break;
    case WEFT_RPC_BINARY_PONG:
        frame->kind = WEFT_RPC_KIND_PONG;
        break;
    default:
        frame->kind = WEFT_RPC_KIND_IGNORED; /* of a later version */
        break;
    }
    return 0;
}

/* ---- Messages ---- */

/* Takes a frame of |len| bytes, whose length takes |used|, off |rest|. */
static inline bool take_frame(struct weft_slice *rest, size_t used, uint64_t len,
                              struct weft_slice *ret_bytes)
{
    if (len == 0 || len > rest->len - used)
        return false;
    *ret_bytes = weft__slice(rest->ptr + used, (size_t)len);
    *rest = weft__slice(rest->ptr + used + len, rest->len - used - (size_t)len);
    return true;
}

static WEFT_NOINLINE bool next_long_frame(struct weft_slice *rest, struct weft_slice *ret_bytes)
{
    uint64_t len = 0;
    for (unsigned i = 0; i < 5 && i < rest->len; ++i) {
        len |= (uint64_t)(rest->ptr[i] & 0x7f) << (7 * i);
        if (rest->ptr[i] < 0x80)
            return take_frame(rest, i + 1, len, ret_bytes);
    }
    return false;
}

/* Takes the next frame off |rest|. */
static inline bool next_frame(struct weft_slice *rest, struct weft_slice *ret_bytes)
{
    if (rest->len && rest->ptr[0] < 0x80)
        return take_frame(rest, 1, rest->ptr[0], ret_bytes);
    return next_long_frame(rest, ret_bytes);
}

/* How many frames there are; 0 when that cannot be said or is more than |max|. */
static size_t count_frames(struct weft_slice message, size_t max)
{
    struct weft_slice bytes;
    size_t count = 0;
    while (message.len > 0) {
        if (count == max || !next_frame(&message, &bytes))
            return 0;
        ++count;
    }
    return count;
}

static bool is_data(enum weft_rpc_kind kind)
{
    return kind >= WEFT_RPC_KIND_CALL && kind <= WEFT_RPC_KIND_END;
}

/* PROTOCOL §9: the first numbered frame of a message says its number, the others count on. False
 * when there is no such number. */
static bool number(struct weft_rpc_frame *frame, uint64_t *last)
{
    if (!is_data(frame->kind) && frame->kind != WEFT_RPC_KIND_INVALID)
        frame->seq = 0;
    else if (!frame->seq && *last)
        frame->seq = *last + 1;
    *last = frame->seq ? frame->seq : *last;
    return *last <= NUMBER_MAX;
}

static int decode_frame(const struct decoder *decoder, struct weft_slice bytes,
                        struct weft_rpc_frame *frame, uint8_t id[4], bool *ret_last)
{
    struct raw_frame raw;
    int err = read_frame(bytes, &raw);
    if (err)
        return err;
    weft__rpc_frame_clear(frame);
    frame->seq = raw.seq;
    frame->ack = raw.ack;
    if (raw.id) {
        weft__rpc_binary_put_id(raw.id, id);
        frame->id = (struct weft_rpc_id){.raw = weft__slice(id, 4), .key = weft__slice(id, 4)};
    }
    err = decode_body(decoder, &raw, frame);
    *ret_last = frame->kind == WEFT_RPC_KIND_ITEM && (raw.flags & WEFT_RPC_BINARY_LAST);
    return err;
}

int weft__rpc_binary_decode(struct weft_slice message, struct weft_arena *arena,
                            const struct weft_rpc_decode_options *options,
                            struct weft_rpc_message *ret_message)
{
    size_t max = options->max_batch ? options->max_batch : WEFT_RPC_BATCH_MAX;
    size_t count = count_frames(message, max);
    if (!count)
        return WEFT_ERR_PROTOCOL;
    const struct decoder decoder = {.arena = arena, .json = {.hash_key = options->hash_key}};
    /* An item may be two frames. */
    struct weft_rpc_frame *frames = weft__arena_alloc_array(arena, count, 2 * sizeof(*frames));
    uint8_t(*ids)[4] = weft__arena_alloc_array(arena, count, sizeof(*ids));
    if (!frames || !ids)
        return WEFT_ERR_NOMEM;
    struct weft_rpc_message decoded = {.frames = frames};
    struct weft_slice bytes;
    uint64_t last_seq = 0;
    for (size_t i = 0; i < count && next_frame(&message, &bytes); ++i) {
        struct weft_rpc_frame *frame = &frames[decoded.count++];
        bool last = false;
        int err = decode_frame(&decoder, bytes, frame, ids[i], &last);
        if (err)
            return err;
        if (!number(frame, &last_seq))
            return WEFT_ERR_PROTOCOL;
        /* The end that an item brings comes with it and has no number of its own. */
        if (last)
            frames[decoded.count++] =
                (struct weft_rpc_frame){.kind = WEFT_RPC_KIND_END, .id = frame->id};
    }
    *ret_message = decoded;
    return 0;
}
