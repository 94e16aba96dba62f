/* SPDX-License-Identifier: Apache-2.0 */
/* Text ─► frames. Every judgement about the form of a JSON-RPC 2.0 object is made here. */
#include "rpc/jsonrpc.h"

#define ID_INTEGER_MAX ((int64_t)1 << 53)

static const struct weft_rpc_failure parse_error = {.status = WEFT_STATUS_INVALID_ARGUMENT,
                                                    .number = WEFT_RPC_PARSE_ERROR,
                                                    .message = "Parse error"};

static const struct weft_rpc_failure invalid_request = {.status = WEFT_STATUS_INVALID_ARGUMENT,
                                                        .number = WEFT_RPC_INVALID_REQUEST,
                                                        .message = "Invalid Request"};

static const struct weft_rpc_failure batch_too_large = {.status = WEFT_STATUS_RESOURCE_EXHAUSTED,
                                                        .message = "batch too large",
                                                        .reason = "weft.rpc.batch"};

/* The members of a message that mean something; NULL: not there. */
struct members {
    const struct weft_json *jsonrpc;
    const struct weft_json *id;
    const struct weft_json *method;
    const struct weft_json *params;
    const struct weft_json *result;
    const struct weft_json *error;
    const struct weft_json *meta;
    const struct weft_json *seq;
};

/* A string id is compared by what it says, not by how it is spelled. */
static bool string_key(const struct weft_json *value, struct weft_arena *arena,
                       struct weft_slice *ret_key)
{
    struct weft_slice raw = weft__json_raw(value);
    struct weft_slice text = weft__json_string(value);
    if (text.ptr == raw.ptr + 1) {
        *ret_key = weft__slice(raw.ptr, raw.len - 1);
        return true;
    }
    uint8_t *key = weft__arena_alloc(arena, text.len + 1);
    if (!key)
        return false;
    key[0] = '"';
    weft__mem_copy(key + 1, text.ptr, text.len);
    *ret_key = weft__slice(key, text.len + 1);
    return true;
}

/* Reads an id, as calls and `$/cancel` carry it. False for what is no id, and when memory ran out,
 * which |*ret_nomem| says. */
static bool read_id(const struct weft_json *value, struct weft_arena *arena,
                    struct weft_rpc_id *ret_id, bool *ret_nomem)
{
    *ret_nomem = false;
    struct weft_rpc_id id = {.raw = weft__json_raw(value)};
    int64_t integer;
    if (weft__json_is(value, WEFT_JSON_STRING)) {
        if (weft__json_string(value).len > WEFT_RPC_ID_MAX)
            return false;
        if (!string_key(value, arena, &id.key)) {
            *ret_nomem = true;
            return false;
        }
    } else if (weft__json_short_integer(value, &integer) && integer <= ID_INTEGER_MAX &&
               integer >= -ID_INTEGER_MAX) {
        id.key = id.raw;
    } else {
        return false;
    }
    *ret_id = id;
    return true;
}

/* A string of |meta|; one that is there but no string spoils it. */
static struct weft_slice meta_string(const struct weft_json *meta, const char *key, bool *malformed)
{
    const struct weft_json *value = weft__json_get(meta, key);
    if (value && !weft__json_is(value, WEFT_JSON_STRING))
        *malformed = true;
    return weft__json_string(value);
}

static void decode_meta(const struct weft_json *value, struct weft_rpc_meta *meta)
{
    if (!value)
        return;
    meta->malformed = !weft__json_is(value, WEFT_JSON_OBJECT);
    meta->idem = meta_string(value, "idem", &meta->malformed);
    meta->traceparent = meta_string(value, "traceparent", &meta->malformed);
    meta->order = meta_string(value, "order", &meta->malformed);
    const struct weft_json *timeout = weft__json_get(value, "timeout_ms");
    meta->has_timeout = timeout != NULL;
    if (timeout && !weft__json_u53(timeout, &meta->timeout_ms))
        meta->malformed = true;
}

static bool is_structured(const struct weft_json *value)
{
    return weft__json_is(value, WEFT_JSON_ARRAY) || weft__json_is(value, WEFT_JSON_OBJECT);
}

static void decode_request(const struct members *members, bool has_id, struct weft_rpc_frame *frame)
{
    /* JSON-RPC 2.0 §4: method is a string, params a structured value when there is one. A null is
     * taken for none, since clients are seen to send it. */
    const struct weft_json *params = members->params;
    if (weft__json_is(params, WEFT_JSON_NULL))
        params = NULL;
    if (!weft__json_is(members->method, WEFT_JSON_STRING) || (params && !is_structured(params)))
        return;
    frame->kind = has_id ? WEFT_RPC_KIND_CALL : WEFT_RPC_KIND_NOTIFY;
    frame->method = weft__json_string(members->method);
    frame->params = params;
    decode_meta(members->meta, &frame->meta);
}

/* A notification of the protocol; its own kind instead of NOTIFY when it has one. */
static int decode_protocol(struct weft_arena *arena, struct weft_rpc_frame *frame)
{
    static const struct {
        const char *method;
        enum weft_rpc_kind kind;
    } kinds[] = {
        {"$/item", WEFT_RPC_KIND_ITEM},     {"$/end", WEFT_RPC_KIND_END},
        {"$/cancel", WEFT_RPC_KIND_CANCEL}, {"$/credit", WEFT_RPC_KIND_CREDIT},
        {"$/ack", WEFT_RPC_KIND_ACK},       {"$/ping", WEFT_RPC_KIND_PING},
        {"$/pong", WEFT_RPC_KIND_PONG},
    };
    bool nomem = false;
    for (size_t i = 0; i < WEFT_ARRAY_LEN(kinds); ++i) {
        if (weft__slice_eq_str(frame->method, kinds[i].method))
            frame->kind = kinds[i].kind;
    }
    if (frame->kind >= WEFT_RPC_KIND_ITEM && frame->kind <= WEFT_RPC_KIND_CREDIT &&
        !read_id(weft__json_get(frame->params, "id"), arena, &frame->id, &nomem))
        frame->kind = WEFT_RPC_KIND_IGNORED;
    if (frame->kind == WEFT_RPC_KIND_ITEM)
        frame->value = weft__json_get(frame->params, "value");
    bool ok = true;
    if (frame->kind == WEFT_RPC_KIND_CREDIT)
        ok = weft__json_u53(weft__json_get(frame->params, "items_total"), &frame->items_total) &&
             weft__json_u53(weft__json_get(frame->params, "bytes_total"), &frame->bytes_total);
    else if (frame->kind == WEFT_RPC_KIND_ACK)
        ok = weft__json_u53(weft__json_get(frame->params, "seq"), &frame->ack);
    else if (frame->kind == WEFT_RPC_KIND_ITEM)
        ok = frame->value != NULL;
    /* Unknown members and odd values of `$/` notifications mean nothing (PROTOCOL §9). */
    if (!ok)
        frame->kind = WEFT_RPC_KIND_IGNORED;
    return nomem ? WEFT_ERR_NOMEM : 0;
}

static bool is_protocol_name(struct weft_slice name)
{
    return name.len >= 2 && memcmp(name.ptr, "$/", 2) == 0;
}

static int decode_answer(const struct members *members, struct weft_arena *arena,
                         struct weft_rpc_frame *frame)
{
    const struct weft_json *result = members->result;
    const struct weft_json *error = members->error;
    /* JSON-RPC 2.0 §5: either the result member or the error member, and an id in any case; it is
     * null only where the one of the call could not be found out. */
    if (!members->id || !result == !error)
        return 0;
    if (result && frame->id.raw.len > 0) {
        frame->kind = WEFT_RPC_KIND_RESULT;
        frame->value = result;
    } else if (weft__json_is(error, WEFT_JSON_OBJECT)) {
        frame->kind = WEFT_RPC_KIND_ERROR;
        return weft__jsonrpc_read_error(error, arena, &frame->error);
    }
    return 0;
}

static bool name_is(struct weft_slice name, const char *text, size_t len)
{
    return name.len == len && memcmp(name.ptr, text, len) == 0;
}

/* Where the member |name| goes; NULL when it means nothing. */
static const struct weft_json **place_of(void *ctx, struct weft_slice name)
{
    struct members *members = ctx;
    switch (name.len) {
    case 2:
        return name_is(name, "id", 2) ? &members->id : NULL;
    case 3:
        return name_is(name, "seq", 3) ? &members->seq : NULL;
    case 4:
        return name_is(name, "meta", 4) ? &members->meta : NULL;
    case 5:
        return name_is(name, "error", 5) ? &members->error : NULL;
    case 6:
        return name_is(name, "method", 6)   ? &members->method
               : name_is(name, "params", 6) ? &members->params
               : name_is(name, "result", 6) ? &members->result
                                            : NULL;
    case 7:
        return name_is(name, "jsonrpc", 7) ? &members->jsonrpc : NULL;
    default:
        return NULL;
    }
}

/* All in one walk: looking each up by itself took a sixth of what a call costs. */
static struct members members_of(const struct weft_json *object)
{
    struct members members = {0};
    WEFT_JSON_EACH_KEY (key, object) {
        const struct weft_json **place = place_of(&members, weft__json_string(key));
        if (place)
            *place = weft__json_member(key);
    }
    return members;
}

/* Reads one object into |frame|, which is INVALID until something better is known. */
static int read_frame(const struct members *members, struct weft_arena *arena,
                      struct weft_rpc_frame *frame)
{
    /* JSON-RPC 2.0 §4: the member jsonrpc must be exactly "2.0". */
    if (!name_is(weft__json_string(members->jsonrpc), "2.0", 3))
        return 0;
    const struct weft_json *id = members->id;
    bool nomem = false;
    bool id_ok = id && read_id(id, arena, &frame->id, &nomem);
    if (nomem)
        return WEFT_ERR_NOMEM;
    /* A null id is what errors without a call carry; a call that has one could not be told apart
     * from them, so it is refused as §4 advises. */
    if (id && !id_ok && (members->method || !weft__json_is(id, WEFT_JSON_NULL)))
        return 0;
    if (!weft__json_u53(members->seq, &frame->seq))
        frame->seq = 0;
    if (!members->method)
        return decode_answer(members, arena, frame);
    if (!members->result && !members->error)
        decode_request(members, id_ok, frame);
    if (frame->kind == WEFT_RPC_KIND_NOTIFY && is_protocol_name(frame->method))
        return decode_protocol(arena, frame);
    return 0;
}

static int decode_frame(const struct members *members, struct weft_arena *arena,
                        struct weft_rpc_frame *frame)
{
    weft__rpc_frame_clear(frame);
    frame->kind = WEFT_RPC_KIND_INVALID;
    int err = read_frame(members, arena, frame);
    if (frame->kind == WEFT_RPC_KIND_INVALID)
        frame->failure = invalid_request;
    return err;
}

static int single_failure(struct weft_arena *arena, const struct weft_rpc_failure *failure,
                          struct weft_rpc_message *ret_message)
{
    struct weft_rpc_frame *frame = weft__arena_alloc(arena, sizeof(*frame));
    if (!frame)
        return WEFT_ERR_NOMEM;
    *frame = (struct weft_rpc_frame){.kind = WEFT_RPC_KIND_INVALID, .failure = *failure};
    *ret_message = (struct weft_rpc_message){.count = 1, .frames = frame};
    return 0;
}

static int decode_batch(const struct weft_json *array, struct weft_arena *arena,
                        struct weft_rpc_message *ret_message)
{
    size_t count = weft__json_count(array);
    struct weft_rpc_frame *frames = weft__arena_alloc_array(arena, count, sizeof(*frames));
    if (!frames)
        return WEFT_ERR_NOMEM;
    struct weft_rpc_frame *frame = frames;
    WEFT_JSON_EACH (member, array) {
        const struct members members = members_of(member);
        int err = decode_frame(&members, arena, frame++);
        if (err)
            return err;
    }
    *ret_message = (struct weft_rpc_message){.batch = true, .count = count, .frames = frames};
    return 0;
}

static int decode_single(const struct members *members, struct weft_arena *arena,
                         struct weft_rpc_message *ret_message)
{
    struct weft_rpc_frame *frame = weft__arena_alloc(arena, sizeof(*frame));
    int err = frame ? decode_frame(members, arena, frame) : WEFT_ERR_NOMEM;
    if (!err)
        *ret_message = (struct weft_rpc_message){.count = 1, .frames = frame};
    return err;
}

/* Any text. */
static int decode_any(struct weft_slice text, struct weft_arena *arena,
                      const struct weft_json_options *strict, size_t max_batch,
                      struct weft_rpc_message *ret_message)
{
    const struct weft_json *value;
    int err = weft__json_parse(text, arena, strict, NULL, &value);
    if (err == WEFT_ERR_NOMEM)
        return err;
    if (err)
        return single_failure(arena, &parse_error, ret_message);
    if (!weft__json_is(value, WEFT_JSON_ARRAY)) {
        const struct members members = members_of(value);
        return decode_single(&members, arena, ret_message);
    }
    /* JSON-RPC 2.0 §6: an empty array is one Invalid Request, not an empty batch. */
    if (weft__json_count(value) == 0)
        return single_failure(arena, &invalid_request, ret_message);
    if (weft__json_count(value) > max_batch)
        return single_failure(arena, &batch_too_large, ret_message);
    return decode_batch(value, arena, ret_message);
}

int weft__jsonrpc_decode(struct weft_slice text, struct weft_arena *arena,
                         const struct weft_rpc_decode_options *options,
                         struct weft_rpc_message *ret_message)
{
    struct weft_json_options strict = {.hash_key = options->hash_key,
                                       .text_is_utf8 = options->text_is_utf8};
    struct members members = {0};
    /* Nearly every message is one object with no members but these. */
    if (weft__json_parse_members(text, arena, &strict, place_of, &members))
        return decode_single(&members, arena, ret_message);
    size_t max_batch = options->max_batch ? options->max_batch : WEFT_RPC_BATCH_MAX;
    return decode_any(text, arena, &strict, max_batch, ret_message);
}

/* ---- error answers ---- */

static int status_from_number(int64_t number)
{
    for (int status = WEFT_STATUS_CANCELED; status <= WEFT_STATUS_UNAUTHENTICATED; ++status) {
        if (weft_status_jsonrpc(status) == number)
            return status;
    }
    if (number == WEFT_RPC_PARSE_ERROR || number == WEFT_RPC_INVALID_REQUEST)
        return WEFT_STATUS_INVALID_ARGUMENT;
    return WEFT_STATUS_UNKNOWN;
}

static enum weft_rpc_executed read_executed(const struct weft_json *value)
{
    if (weft__json_string_is(value, "no"))
        return WEFT_RPC_EXECUTED_NO;
    if (weft__json_string_is(value, "yes"))
        return WEFT_RPC_EXECUTED_YES;
    return WEFT_RPC_EXECUTED_UNKNOWN;
}

/* The rules that parameters broke; elements that are none are left out. */
static int read_violations(const struct weft_json *list, struct weft_arena *arena,
                           struct weft_rpc_error *e)
{
    size_t count = weft__json_is(list, WEFT_JSON_ARRAY) ? weft__json_count(list) : 0;
    if (count == 0)
        return 0;
    struct weft_rpc_broken_rule *rules = weft__arena_alloc_array(arena, count, sizeof(*rules));
    if (!rules)
        return WEFT_ERR_NOMEM;
    e->violations = rules;
    WEFT_JSON_EACH (element, list) {
        if (weft__json_is(element, WEFT_JSON_OBJECT))
            rules[e->violation_count++] = (struct weft_rpc_broken_rule){
                .field = weft__json_string(weft__json_get(element, "field")),
                .rule = weft__json_string(weft__json_get(element, "rule")),
            };
    }
    return 0;
}

int weft__jsonrpc_read_error(const struct weft_json *error, struct weft_arena *arena,
                             struct weft_rpc_error *ret_error)
{
    struct weft_rpc_error *e = ret_error;
    *e = (struct weft_rpc_error){.data = weft__json_get(error, "data")};
    if (!weft__json_i64(weft__json_get(error, "code"), &e->number))
        e->number = 0;
    struct weft_slice code = weft__json_string(weft__json_get(e->data, "code"));
    e->status = code.len ? weft_status_from_name((const char *)code.ptr, code.len)
                         : status_from_number(e->number);
    e->message = weft__json_string(weft__json_get(error, "message"));
    e->reason = weft__json_string(weft__json_get(e->data, "reason"));
    e->executed = read_executed(weft__json_get(e->data, "executed"));
    e->details = weft__json_get(e->data, "details");
    if (!weft__json_bool(weft__json_get(e->data, "retryable"), &e->retryable))
        e->retryable = false;
    if (!weft__json_u53(weft__json_get(e->data, "retry_after_ms"), &e->retry_after_ms))
        e->retry_after_ms = 0;
    return read_violations(weft__json_get(e->data, "violations"), arena, e);
}
