/* SPDX-License-Identifier: Apache-2.0 */
/* Frames ─► text. */
#include "rpc/jsonrpc.h"

#define OPENING "{\"jsonrpc\":\"2.0\""

static void append_id(struct weft_bytes *out, struct weft_slice id)
{
    weft__bytes_append_slice(out, WEFT_SLICE_LIT(",\"id\":"));
    weft__bytes_append_slice(out, id.len ? id : WEFT_SLICE_LIT("null"));
}

void weft__jsonrpc_begin_result(struct weft_bytes *out, struct weft_slice id)
{
    weft__bytes_append_slice(out, WEFT_SLICE_LIT(OPENING));
    append_id(out, id);
    weft__bytes_append_slice(out, WEFT_SLICE_LIT(",\"result\":"));
}

void weft__jsonrpc_end_result(struct weft_bytes *out)
{
    weft__bytes_append_byte(out, '}');
}

/* A status that says "refused" is given before anything was done. */
static bool status_is_refusal(int status)
{
    switch (status) {
    case WEFT_STATUS_INVALID_ARGUMENT:
    case WEFT_STATUS_NOT_FOUND:
    case WEFT_STATUS_ALREADY_EXISTS:
    case WEFT_STATUS_PERMISSION_DENIED:
    case WEFT_STATUS_RESOURCE_EXHAUSTED:
    case WEFT_STATUS_FAILED_PRECONDITION:
    case WEFT_STATUS_OUT_OF_RANGE:
    case WEFT_STATUS_UNIMPLEMENTED:
    case WEFT_STATUS_UNAUTHENTICATED:
        return true;
    default:
        return false;
    }
}

static const char *executed_name(const struct weft_rpc_failure *failure)
{
    switch (failure->executed) {
    case WEFT_RPC_EXECUTED_NO:
        return "no";
    case WEFT_RPC_EXECUTED_YES:
        return "yes";
    case WEFT_RPC_EXECUTED_AUTO:
        return status_is_refusal(failure->status) ? "no" : "unknown";
    default:
        return "unknown";
    }
}

static bool is_retryable(const struct weft_rpc_failure *failure)
{
    return failure->retryable || failure->status == WEFT_STATUS_UNAVAILABLE ||
           failure->status == WEFT_STATUS_RESOURCE_EXHAUSTED;
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

static void put_error_data(struct weft_json_writer *w, const struct weft_rpc_failure *failure)
{
    weft__json_begin_object(w);
    weft__json_key(w, "code");
    weft__json_put_str(w, weft_status_name(failure->status));
    if (failure->reason) {
        weft__json_key(w, "reason");
        weft__json_put_str(w, failure->reason);
    }
    weft__json_key(w, "retryable");
    weft__json_put_bool(w, is_retryable(failure));
    if (failure->retry_after_ms) {
        weft__json_key(w, "retry_after_ms");
        weft__json_put_u64(w, failure->retry_after_ms);
    }
    weft__json_key(w, "executed");
    weft__json_put_str(w, executed_name(failure));
    if (failure->violation_count)
        put_violations(w, failure);
    weft__json_end_object(w);
}

void weft__jsonrpc_put_error(struct weft_bytes *out, struct weft_slice id,
                             const struct weft_rpc_failure *failure)
{
    const char *name = weft_status_name(failure->status);
    int number = failure->number ? failure->number : weft_status_jsonrpc(failure->status);
    weft__bytes_append_slice(out, WEFT_SLICE_LIT(OPENING));
    append_id(out, id);
    weft__bytes_append_slice(out, WEFT_SLICE_LIT(",\"error\":"));
    struct weft_json_writer w;
    weft__json_writer_init(&w, out);
    weft__json_begin_object(&w);
    weft__json_key(&w, "code");
    weft__json_put_i64(&w, number);
    weft__json_key(&w, "message");
    weft__json_put_str(&w, failure->message ? failure->message : name);
    weft__json_key(&w, "data");
    put_error_data(&w, failure);
    weft__json_end_object(&w);
    weft__bytes_append_byte(out, '}');
}

static void put_meta(struct weft_json_writer *w, const struct weft_rpc_meta *meta)
{
    if (!meta->has_timeout && !meta->idem.len && !meta->traceparent.len)
        return;
    weft__json_key(w, "meta");
    weft__json_begin_object(w);
    if (meta->has_timeout) {
        weft__json_key(w, "timeout_ms");
        weft__json_put_u64(w, meta->timeout_ms);
    }
    if (meta->idem.len) {
        weft__json_key(w, "idem");
        weft__json_put_string(w, meta->idem);
    }
    if (meta->traceparent.len) {
        weft__json_key(w, "traceparent");
        weft__json_put_string(w, meta->traceparent);
    }
    weft__json_end_object(w);
}

void weft__jsonrpc_put_request(struct weft_bytes *out, struct weft_slice id,
                               struct weft_slice method, struct weft_slice params,
                               const struct weft_rpc_meta *meta)
{
    struct weft_json_writer w;
    weft__json_writer_init(&w, out);
    weft__json_begin_object(&w);
    weft__json_key(&w, "jsonrpc");
    weft__json_put_str(&w, "2.0");
    if (id.len) {
        weft__json_key(&w, "id");
        weft__json_put_raw(&w, id);
    }
    weft__json_key(&w, "method");
    weft__json_put_string(&w, method);
    if (params.len) {
        weft__json_key(&w, "params");
        weft__json_put_raw(&w, params);
    }
    if (meta)
        put_meta(&w, meta);
    weft__json_end_object(&w);
}
