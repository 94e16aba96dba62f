/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wires of HTTP. What a wire decodes and encodes is bytes elsewhere; here requests come in as a
 * struct whose address and size are the message, and answers of the plain wire go out behind a
 * prefix that tells what they are:
 *
 *   kind (1) status (1) retry_after_ms (4, as in memory) JSON
 */
#include "rpc/http.h"

#include "rpc/jsonrpc.h"
#include "rpc/peer_internal.h"

enum { AT_KIND, AT_STATUS, AT_RETRY, PREFIX_LEN = AT_RETRY + 4 };

/* There is at most one call at a time, so that its id says nothing. */
#define CALL_ID WEFT_SLICE_LIT("1")

static const struct weft_rpc_failure not_json = {.status = WEFT_STATUS_INVALID_ARGUMENT,
                                                 .number = WEFT_RPC_PARSE_ERROR,
                                                 .message = "the body is not JSON"};

static const struct weft_rpc_failure not_params = {.status = WEFT_STATUS_INVALID_ARGUMENT,
                                                   .number = WEFT_RPC_INVALID_REQUEST,
                                                   .message =
                                                       "parameters are an array or an object"};

int weft__rpc_http_status(int status)
{
    switch (status) {
    case WEFT_STATUS_OK:
        return 200;
    case WEFT_STATUS_CANCELED:
        return 499;
    case WEFT_STATUS_INVALID_ARGUMENT:
    case WEFT_STATUS_FAILED_PRECONDITION:
    case WEFT_STATUS_OUT_OF_RANGE:
        return 400;
    case WEFT_STATUS_DEADLINE_EXCEEDED:
        return 504;
    case WEFT_STATUS_NOT_FOUND:
        return 404;
    case WEFT_STATUS_ALREADY_EXISTS:
    case WEFT_STATUS_ABORTED:
        return 409;
    case WEFT_STATUS_PERMISSION_DENIED:
        return 403;
    case WEFT_STATUS_RESOURCE_EXHAUSTED:
        return 429;
    case WEFT_STATUS_UNIMPLEMENTED:
        return 501;
    case WEFT_STATUS_UNAVAILABLE:
        return 503;
    case WEFT_STATUS_UNAUTHENTICATED:
        return 401;
    default: /* unknown, internal, data_loss */
        return 500;
    }
}

const struct weft_rpc_method *weft__rpc_http_method(const struct weft_rpc_env *env,
                                                    struct weft_slice name)
{
    if (weft__rpc_name_is_protocol(name))
        return NULL;
    if (weft__rpc_name_is_reserved(name))
        return weft__rpc_builtin_find(name, false);
    return weft__rpc_registry_find(env->registry, name);
}

void weft__rpc_http_write_failure(struct weft_bytes *out, const struct weft_rpc_failure *failure)
{
    struct weft_json_writer w;
    weft__json_writer_init(&w, out);
    weft__json_begin_object(&w);
    weft__jsonrpc_put_failure(
        &w, failure, failure->message ? failure->message : weft_status_name(failure->status));
    weft__json_end_object(&w);
}

/* ---- requests ---- */

int weft__rpc_http_receive(struct weft_rpc_peer *peer, const struct weft_rpc_http_request *request,
                           uint64_t now_ns)
{
    return weft__rpc_peer_receive(
        peer, weft__slice((const uint8_t *)(const void *)request, sizeof(*request)), now_ns);
}

static const struct weft_rpc_http_request *request_of(struct weft_slice message)
{
    WEFT_ASSERT(message.len == sizeof(struct weft_rpc_http_request));
    return (const void *)message.ptr;
}

/* Parses the parameters of |request| for |frame|, which becomes INVALID when they are none. */
static int decode_params(const struct weft_rpc_http_request *request, struct weft_arena *arena,
                         const struct weft_rpc_decode_options *options,
                         struct weft_rpc_frame *frame)
{
    const struct weft_json_options strict = {.hash_key = options->hash_key};
    const struct weft_json *params = NULL;
    if (request->body.len == 0)
        return 0;
    int err = weft__json_parse(request->body, arena, &strict, NULL, &params);
    if (err == WEFT_ERR_NOMEM)
        return err;
    if (!err && (weft__json_is(params, WEFT_JSON_ARRAY) || weft__json_is(params, WEFT_JSON_OBJECT)))
        frame->params = params;
    else if (err || !weft__json_is(params, WEFT_JSON_NULL)) {
        frame->kind = WEFT_RPC_KIND_INVALID;
        frame->failure = err ? not_json : not_params;
    }
    return 0;
}

static int plain_decode(struct weft_slice message, struct weft_arena *arena,
                        const struct weft_rpc_decode_options *options,
                        struct weft_rpc_message *ret_message)
{
    const struct weft_rpc_http_request *request = request_of(message);
    struct weft_rpc_frame *frame = weft__arena_alloc(arena, sizeof(*frame));
    int err = 0;
    if (!frame)
        return WEFT_ERR_NOMEM;
    *frame = (struct weft_rpc_frame){.id = {CALL_ID, CALL_ID}};
    if (request->kind == WEFT_RPC_HTTP_CREDIT) {
        frame->kind = WEFT_RPC_KIND_CREDIT;
        frame->items_total = request->items_total;
        frame->bytes_total = request->bytes_total;
    } else {
        frame->kind = WEFT_RPC_KIND_CALL;
        frame->method = request->method;
        frame->meta = request->meta;
        err = decode_params(request, arena, options, frame);
    }
    if (!err)
        *ret_message = (struct weft_rpc_message){.count = 1, .frames = frame};
    return err;
}

/* What a call does not say about itself, the headers may; a key for several calls would make one
 * of them the answer to the others. */
static void add_meta(struct weft_rpc_meta *meta, const struct weft_rpc_meta *headers, bool alone)
{
    if (!meta->has_timeout) {
        meta->has_timeout = headers->has_timeout;
        meta->timeout_ms = headers->timeout_ms;
    }
    if (!meta->traceparent.len)
        meta->traceparent = headers->traceparent;
    if (!meta->idem.len && alone)
        meta->idem = headers->idem;
}

static int jsonrpc_decode(struct weft_slice message, struct weft_arena *arena,
                          const struct weft_rpc_decode_options *options,
                          struct weft_rpc_message *ret_message)
{
    const struct weft_rpc_http_request *request = request_of(message);
    struct weft_rpc_decode_options unchecked = *options;
    unchecked.text_is_utf8 = false; /* no WebSocket has looked at it */
    int err = weft__jsonrpc_decode(request->body, arena, &unchecked, ret_message);
    if (err)
        return err;
    for (size_t i = 0; i < ret_message->count; ++i) {
        struct weft_rpc_frame *frame = &ret_message->frames[i];
        if (frame->kind == WEFT_RPC_KIND_CALL || frame->kind == WEFT_RPC_KIND_NOTIFY)
            add_meta(&frame->meta, &request->meta, !ret_message->batch);
    }
    return 0;
}

/* ---- answers ---- */

/* Nobody can be called over HTTP. True for a frame that would do so; |out| then fails. */
static bool refuses(struct weft_bytes *out, const struct weft_rpc_head *head)
{
    if (head->kind != WEFT_RPC_KIND_CALL && head->kind != WEFT_RPC_KIND_NOTIFY)
        return false;
    if (!out->err)
        out->err = WEFT_ERR_STATE;
    return true;
}

static void plain_begin(struct weft_bytes *out, const struct weft_rpc_head *head)
{
    const struct weft_rpc_failure *failure = head->failure;
    uint8_t prefix[PREFIX_LEN] = {[AT_KIND] = (uint8_t)head->kind};
    if (refuses(out, head))
        return;
    if (head->kind == WEFT_RPC_KIND_ERROR) {
        prefix[AT_STATUS] = (uint8_t)failure->status;
        memcpy(prefix + AT_RETRY, &failure->retry_after_ms, sizeof(failure->retry_after_ms));
    }
    weft__bytes_append(out, prefix, sizeof(prefix));
    if (head->kind == WEFT_RPC_KIND_ERROR)
        weft__rpc_http_write_failure(out, failure);
}

static struct weft_slice plain_end(struct weft_bytes *out, const struct weft_rpc_head *head)
{
    (void)head;
    return weft__bytes_slice(out);
}

struct weft_rpc_http_answer weft__rpc_http_answer(struct weft_slice message)
{
    WEFT_ASSERT(message.len >= PREFIX_LEN);
    struct weft_rpc_http_answer answer = {
        .kind = (enum weft_rpc_kind)message.ptr[AT_KIND],
        .status = message.ptr[AT_STATUS],
        .body = weft__slice(message.ptr + PREFIX_LEN, message.len - PREFIX_LEN),
    };
    memcpy(&answer.retry_after_ms, message.ptr + AT_RETRY, sizeof(answer.retry_after_ms));
    return answer;
}

static void jsonrpc_begin(struct weft_bytes *out, const struct weft_rpc_head *head)
{
    if (!refuses(out, head))
        weft__jsonrpc_begin(out, head);
}

static size_t write_id(uint64_t number, bool by_server, uint8_t room[WEFT_RPC_OWN_ID_MAX])
{
    return weft__rpc_wire_json.write_id(number, by_server, room);
}

/* The one call there is was made by the client. */
static bool is_no_server_id(struct weft_slice key)
{
    (void)key;
    return false;
}

static bool is_server_id(struct weft_slice key)
{
    return weft__rpc_wire_json.is_server_id(key);
}

const struct weft_rpc_wire weft__rpc_wire_http_plain = {
    .name = "http",
    .is_text = true,
    .decode = plain_decode,
    .begin = plain_begin,
    .end = plain_end,
    .write_id = write_id,
    .is_server_id = is_no_server_id,
};

const struct weft_rpc_wire weft__rpc_wire_http_jsonrpc = {
    .name = "http-jsonrpc",
    .is_text = true,
    .decode = jsonrpc_decode,
    .begin = jsonrpc_begin,
    .end = weft__jsonrpc_end,
    .write_id = write_id,
    .is_server_id = is_server_id,
};
