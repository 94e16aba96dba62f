/* SPDX-License-Identifier: Apache-2.0 */
/* Frames ─► text. */
#include "rpc/jsonrpc.h"

#define OPENING "{\"jsonrpc\":\"2.0\""

static void append_id(struct weft_bytes *out, struct weft_slice id)
{
    weft__bytes_append_slice(out, WEFT_SLICE_LIT(",\"id\":"));
    weft__bytes_append_slice(out, id.len ? id : WEFT_SLICE_LIT("null"));
}

static const char *executed_name(enum weft_rpc_executed executed)
{
    switch (executed) {
    case WEFT_RPC_EXECUTED_NO:
        return "no";
    case WEFT_RPC_EXECUTED_YES:
        return "yes";
    default:
        return "unknown";
    }
}

static void put_violations(struct weft_json_writer *w, const struct weft_rpc_failure *failure)
{
    weft__json_key(w, "violations");
    weft__json_begin_array(w);
    for (size_t i = 0; i < failure->violation_count; ++i) {
        weft__json_begin_object(w);
        weft__json_key(w, "field");
        weft__json_put_str(w, failure->violations[i].field);
        weft__json_key(w, "rule");
        weft__json_put_str(w, failure->violations[i].rule);
        weft__json_end_object(w);
    }
    weft__json_end_array(w);
}

void weft__jsonrpc_put_failure(struct weft_json_writer *w, const struct weft_rpc_failure *failure,
                               const char *message)
{
    weft__json_key(w, "code");
    weft__json_put_str(w, weft_status_name(failure->status));
    if (message) {
        weft__json_key(w, "message");
        weft__json_put_str(w, message);
    }
    if (failure->reason) {
        weft__json_key(w, "reason");
        weft__json_put_str(w, failure->reason);
    }
    weft__json_key(w, "retryable");
    weft__json_put_bool(w, weft__rpc_failure_retryable(failure));
    if (failure->retry_after_ms) {
        weft__json_key(w, "retry_after_ms");
        weft__json_put_u64(w, failure->retry_after_ms);
    }
    weft__json_key(w, "executed");
    weft__json_put_str(w, executed_name(weft__rpc_failure_executed(failure)));
    if (failure->violation_count)
        put_violations(w, failure);
    if (failure->details.len) {
        weft__json_key(w, "details");
        weft__json_put_raw(w, failure->details);
    }
}

static void put_error(struct weft_bytes *out, const struct weft_rpc_failure *failure)
{
    struct weft_json_writer w;
    weft__bytes_append_slice(out, WEFT_SLICE_LIT(",\"error\":"));
    weft__json_writer_init(&w, out);
    weft__json_begin_object(&w);
    weft__json_key(&w, "code");
    weft__json_put_i64(&w, weft__rpc_failure_number(failure));
    weft__json_key(&w, "message");
    weft__json_put_str(&w, failure->message ? failure->message : weft_status_name(failure->status));
    weft__json_key(&w, "data");
    weft__json_begin_object(&w);
    weft__jsonrpc_put_failure(&w, failure, NULL);
    weft__json_end_object(&w);
    weft__json_end_object(&w);
}

static void put_meta(struct weft_bytes *out, const struct weft_rpc_meta *meta)
{
    struct weft_json_writer w;
    if (!meta->has_timeout && !meta->idem.len && !meta->traceparent.len && !meta->order.len)
        return;
    weft__bytes_append_slice(out, WEFT_SLICE_LIT(",\"meta\":"));
    weft__json_writer_init(&w, out);
    weft__json_begin_object(&w);
    if (meta->has_timeout) {
        weft__json_key(&w, "timeout_ms");
        weft__json_put_u64(&w, meta->timeout_ms);
    }
    if (meta->idem.len) {
        weft__json_key(&w, "idem");
        weft__json_put_string(&w, meta->idem);
    }
    if (meta->traceparent.len) {
        weft__json_key(&w, "traceparent");
        weft__json_put_string(&w, meta->traceparent);
    }
    if (meta->order.len) {
        weft__json_key(&w, "order");
        weft__json_put_string(&w, meta->order);
    }
    weft__json_end_object(&w);
}

static void begin_request(struct weft_bytes *out, const struct weft_rpc_head *head)
{
    struct weft_json_writer w;
    if (head->id.len)
        append_id(out, head->id);
    weft__bytes_append_slice(out, WEFT_SLICE_LIT(",\"method\":"));
    weft__json_writer_init(&w, out);
    weft__json_put_string(&w, head->method);
    if (head->has_payload)
        weft__bytes_append_slice(out, WEFT_SLICE_LIT(",\"params\":"));
}

/* A notification `$/…` about the call |id|, as far as "params":{"id":… */
static void begin_about(struct weft_bytes *out, const char *method, struct weft_slice id)
{
    weft__bytes_append_slice(out, WEFT_SLICE_LIT(",\"method\":\"$/"));
    weft__bytes_append_str(out, method);
    weft__bytes_append_slice(out, WEFT_SLICE_LIT("\",\"params\":{\"id\":"));
    weft__bytes_append_slice(out, id);
}

static void append_member(struct weft_bytes *out, const char *opening, uint64_t value)
{
    weft__bytes_append_str(out, opening);
    weft__bytes_append_u64(out, value);
}

static void begin_stream(struct weft_bytes *out, const struct weft_rpc_head *head)
{
    switch (head->kind) {
    case WEFT_RPC_KIND_ITEM:
        begin_about(out, "item", head->id);
        weft__bytes_append_slice(out, WEFT_SLICE_LIT(",\"value\":"));
        break;
    case WEFT_RPC_KIND_END:
        begin_about(out, "end", head->id);
        break;
    case WEFT_RPC_KIND_CREDIT:
        begin_about(out, "credit", head->id);
        append_member(out, ",\"items_total\":", head->items_total);
        append_member(out, ",\"bytes_total\":", head->bytes_total);
        break;
    default:
        begin_about(out, "cancel", head->id);
        break;
    }
}

void weft__jsonrpc_begin(struct weft_bytes *out, const struct weft_rpc_head *head)
{
    weft__bytes_append_slice(out, WEFT_SLICE_LIT(OPENING));
    switch (head->kind) {
    case WEFT_RPC_KIND_CALL:
    case WEFT_RPC_KIND_NOTIFY:
        begin_request(out, head);
        break;
    case WEFT_RPC_KIND_RESULT:
        append_id(out, head->id);
        weft__bytes_append_slice(out, WEFT_SLICE_LIT(",\"result\":"));
        break;
    case WEFT_RPC_KIND_ERROR:
        append_id(out, head->id);
        put_error(out, head->failure);
        break;
    case WEFT_RPC_KIND_ACK:
        append_member(out, ",\"method\":\"$/ack\",\"params\":{\"seq\":", head->ack);
        break;
    case WEFT_RPC_KIND_PING:
        weft__bytes_append_slice(out, WEFT_SLICE_LIT(",\"method\":\"$/ping\""));
        break;
    case WEFT_RPC_KIND_PONG:
        weft__bytes_append_slice(out, WEFT_SLICE_LIT(",\"method\":\"$/pong\""));
        break;
    default:
        begin_stream(out, head);
        break;
    }
}

struct weft_slice weft__jsonrpc_end(struct weft_bytes *out, const struct weft_rpc_head *head)
{
    switch (head->kind) {
    case WEFT_RPC_KIND_CALL:
    case WEFT_RPC_KIND_NOTIFY:
        if (head->meta)
            put_meta(out, head->meta);
        break;
    case WEFT_RPC_KIND_ITEM:
    case WEFT_RPC_KIND_END:
    case WEFT_RPC_KIND_CANCEL:
    case WEFT_RPC_KIND_CREDIT:
    case WEFT_RPC_KIND_ACK:
        weft__bytes_append_byte(out, '}');
        break;
    default:
        break;
    }
    if (head->seq)
        append_member(out, ",\"seq\":", head->seq);
    weft__bytes_append_byte(out, '}');
    return weft__bytes_slice(out);
}

/* Ids of calls by a server are strings (PROTOCOL §3), so that they never meet a client's. */
static size_t write_id(uint64_t number, bool by_server, uint8_t room[WEFT_RPC_OWN_ID_MAX])
{
    uint8_t digits[20];
    size_t count = 0, len = 0;
    do
        digits[count++] = (uint8_t)('0' + number % 10);
    while ((number /= 10) > 0);
    if (by_server) {
        memcpy(room, "\"$s", 3);
        len = 3;
    }
    while (count > 0)
        room[len++] = digits[--count];
    if (by_server)
        room[len++] = '"';
    return len;
}

static bool is_server_id(struct weft_slice key)
{
    return key.len >= 3 && memcmp(key.ptr, "\"$s", 3) == 0;
}

const struct weft_rpc_wire weft__rpc_wire_json = {
    .name = "weft.v1.json",
    .is_text = true,
    .decode = weft__jsonrpc_decode,
    .begin = weft__jsonrpc_begin,
    .end = weft__jsonrpc_end,
    .write_id = write_id,
    .is_server_id = is_server_id,
};
