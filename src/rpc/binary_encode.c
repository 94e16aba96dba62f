/* SPDX-License-Identifier: Apache-2.0 */
/* Frames ─► binary messages. */
#include "base/assert.h"
#include "base/utf8.h"
#include "codec/pb_wire.h"
#include "rpc/binary.h"

enum {
    /* length 5, id 1 + 5, flags 1 + 1, seq 1 + 10, ack 1 + 10, payload 1 + 5 */
    PREFIX_MAX = 48
};

void weft__rpc_binary_begin(struct weft_bytes *out, const struct weft_rpc_head *head)
{
    (void)head;
    WEFT_ASSERT(out->len == 0);
    (void)weft__bytes_extend(out, PREFIX_MAX);
}

/* ---- Bodies, behind the payload ---- */

/* A string of proto3 is UTF-8; anything else is refused here, as the text wire does. */
static void put_string(struct weft_bytes *out, uint32_t number, struct weft_slice value)
{
    if (!value.len)
        return;
    if (!out->err && !weft__utf8_valid(value.ptr, value.len))
        out->err = WEFT_ERR_UTF8;
    weft__pb_write_bytes(out, number, value);
}

static void put_str(struct weft_bytes *out, uint32_t number, const char *value)
{
    if (value)
        put_string(out, number, weft__slice_str(value));
}

static void put_call(struct weft_bytes *out, const struct weft_rpc_head *head)
{
    const struct weft_rpc_meta *meta = head->meta;
    put_string(out, 2, head->method);
    if (!meta)
        return;
    if (meta->has_timeout)
        weft__pb_write_varint(out, 3, meta->timeout_ms);
    put_string(out, 4, meta->idem);
    put_string(out, 5, meta->traceparent);
    put_string(out, 6, meta->order);
}

/* An sint32. */
static uint64_t zigzag(int value)
{
    return value < 0 ? 2 * (uint64_t) - (int64_t)value - 1 : 2 * (uint64_t)value;
}

static void put_error(struct weft_bytes *out, const struct weft_rpc_failure *failure)
{
    static const uint8_t executed[] = {
        [WEFT_RPC_EXECUTED_NO] = 1, [WEFT_RPC_EXECUTED_YES] = 2, [WEFT_RPC_EXECUTED_UNKNOWN] = 3};
    weft__pb_write_varint(out, 1, (uint64_t)failure->status);
    put_str(out, 2, failure->message ? failure->message : weft_status_name(failure->status));
    put_str(out, 3, failure->reason);
    if (weft__rpc_failure_retryable(failure))
        weft__pb_write_varint(out, 4, 1);
    if (failure->retry_after_ms)
        weft__pb_write_varint(out, 5, failure->retry_after_ms);
    weft__pb_write_varint(out, 6, executed[weft__rpc_failure_executed(failure)]);
    for (size_t i = 0; i < failure->violation_count; ++i) {
        const struct weft_rpc_violation *rule = &failure->violations[i];
        struct weft_bytes nested;
        weft__bytes_init(&nested, out->alloc, SIZE_MAX);
        put_str(&nested, 1, rule->field);
        put_str(&nested, 2, rule->rule);
        weft__pb_write_bytes(out, 7, weft__bytes_slice(&nested));
        out->err = out->err ? out->err : nested.err;
        weft__bytes_done(&nested);
    }
    if (failure->details.len)
        weft__pb_write_bytes(out, 8, failure->details);
    if (failure->number)
        weft__pb_write_varint(out, 9, zigzag(failure->number));
}

static void put_credit(struct weft_bytes *out, const struct weft_rpc_head *head)
{
    weft__pb_write_varint(out, 1, head->items_total);
    weft__pb_write_varint(out, 2, head->bytes_total);
}

/* What is inside the body. */
static void put_inside(struct weft_bytes *out, const struct weft_rpc_head *head)
{
    switch (head->kind) {
    case WEFT_RPC_KIND_CALL:
    case WEFT_RPC_KIND_NOTIFY:
        put_call(out, head);
        break;
    case WEFT_RPC_KIND_ERROR:
        put_error(out, head->failure);
        break;
    case WEFT_RPC_KIND_CREDIT:
        put_credit(out, head);
        break;
    default:
        break;
    }
}

static uint32_t body_of(enum weft_rpc_kind kind)
{
    switch (kind) {
    case WEFT_RPC_KIND_CALL:
    case WEFT_RPC_KIND_NOTIFY:
        return WEFT_RPC_BINARY_CALL;
    case WEFT_RPC_KIND_RESULT:
        return WEFT_RPC_BINARY_RESULT;
    case WEFT_RPC_KIND_ERROR:
        return WEFT_RPC_BINARY_ERROR;
    case WEFT_RPC_KIND_END:
        return WEFT_RPC_BINARY_END;
    case WEFT_RPC_KIND_CANCEL:
        return WEFT_RPC_BINARY_CANCEL;
    case WEFT_RPC_KIND_CREDIT:
        return WEFT_RPC_BINARY_CREDIT;
    case WEFT_RPC_KIND_PING:
        return WEFT_RPC_BINARY_PING;
    case WEFT_RPC_KIND_PONG:
        return WEFT_RPC_BINARY_PONG;
    default:
        return 0; /* an item is a payload alone, an acknowledgement nothing but that */
    }
}

/* Whether the body says more than that it is there, as that of a result does not. */
static bool has_inside(enum weft_rpc_kind kind)
{
    return kind == WEFT_RPC_KIND_CALL || kind == WEFT_RPC_KIND_NOTIFY ||
           kind == WEFT_RPC_KIND_ERROR || kind == WEFT_RPC_KIND_CREDIT;
}

/* Appends the body: its tag, its length, which is known only when it is written, and itself. */
static void append_body(struct weft_bytes *out, const struct weft_rpc_head *head)
{
    enum { LEN_MAX = 5 };
    uint32_t number = body_of(head->kind);
    if (!number)
        return;
    weft__pb_append_varint(out, (uint64_t)number << 3 | WEFT_PB_BYTES);
    if (!has_inside(head->kind)) {
        weft__bytes_append_byte(out, 0);
        return;
    }
    size_t at = out->len;
    (void)weft__bytes_extend(out, LEN_MAX);
    size_t begin = out->len;
    put_inside(out, head);
    if (weft__bytes_error(out))
        return;
    size_t len = out->len - begin;
    WEFT_ASSERT(len <= UINT32_MAX);
    size_t size = weft__pb_varint_size(len);
    memmove(out->ptr + at + size, out->ptr + begin, len);
    out->len = at;
    weft__pb_append_varint(out, len);
    out->len += len;
}

/* ---- What comes before the payload, written from behind: |at| is where the next thing begins ----
 */

static uint8_t *put_varint(uint8_t *at, uint64_t value)
{
    at -= weft__pb_varint_size(value);
    uint8_t *p = at;
    for (; value >= 0x80; value >>= 7)
        *p++ = (uint8_t)(value | 0x80);
    *p = (uint8_t)value;
    return at;
}

static uint8_t *put_number(uint8_t *at, uint32_t field, uint64_t value)
{
    if (!value)
        return at;
    at = put_varint(at, value);
    *--at = (uint8_t)(field << 3 | WEFT_PB_VARINT);
    return at;
}

static unsigned flags_of(const struct weft_rpc_head *head, size_t payload_len)
{
    unsigned flags = head->kind == WEFT_RPC_KIND_NOTIFY ? WEFT_RPC_BINARY_NOTIFY : 0u;
    return payload_len ? flags | WEFT_RPC_BINARY_JSON : flags;
}

/* All but the frame's length. */
static uint8_t *put_prefix(uint8_t *at, const struct weft_rpc_head *head, size_t payload_len)
{
    if (payload_len) {
        at = put_varint(at, payload_len);
        *--at = WEFT_RPC_BINARY_PAYLOAD << 3 | WEFT_PB_BYTES;
    }
    at = put_number(at, WEFT_RPC_BINARY_ACK, head->ack);
    at = put_number(at, WEFT_RPC_BINARY_SEQ, head->seq);
    at = put_number(at, WEFT_RPC_BINARY_FLAGS, flags_of(head, payload_len));
    return put_number(at, WEFT_RPC_BINARY_ID, weft__rpc_binary_id(head->id));
}

struct weft_slice weft__rpc_binary_end(struct weft_bytes *out, const struct weft_rpc_head *head)
{
    size_t payload_len = out->len - WEFT_MIN(out->len, (size_t)PREFIX_MAX);
    append_body(out, head);
    if (weft__bytes_error(out))
        return weft__slice(NULL, 0);
    const uint8_t *end = out->ptr + out->len;
    uint8_t *at = put_prefix(out->ptr + PREFIX_MAX, head, payload_len);
    at = put_varint(at, (uint64_t)(end - at));
    WEFT_ASSERT(at >= out->ptr);
    return weft__slice(at, (size_t)(end - at));
}

/* 2^31 − 1 ids for each side, none of them 0. */
static size_t write_id(uint64_t number, bool by_server, uint8_t room[WEFT_RPC_OWN_ID_MAX])
{
    enum { IDS = 0x7fffffff };
    uint32_t turn = (uint32_t)((number - 1) % IDS) + 1;
    weft__rpc_binary_put_id(2 * turn - (by_server ? 0u : 1u), room);
    return 4;
}

static bool is_server_id(struct weft_slice key)
{
    return weft__rpc_binary_id(key) % 2 == 0;
}

const struct weft_rpc_wire weft__rpc_wire_binary = {
    .name = "weft.v1.pb",
    .is_text = false,
    .decode = weft__rpc_binary_decode,
    .begin = weft__rpc_binary_begin,
    .end = weft__rpc_binary_end,
    .write_id = write_id,
    .is_server_id = is_server_id,
};
