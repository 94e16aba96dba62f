/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON-RPC 2.0 as `weft bench` needs it (docs/protocol/rpc.md). Answers and items in the two or
 * three spellings that servers use are known by their first bytes; all others are walked through,
 * member by member.
 */
#include "bench_wire.h"

#include <string.h>

/* Ids are this and the number: all have the same length. */
static const uint64_t ID_FIRST = 10000000;

#define OPENING "{\"jsonrpc\":\"2.0\","
static const char ANSWER[] = OPENING "\"id\":";
static const char RESULT[] = OPENING "\"result\":";
static const char ITEM[] = OPENING "\"method\":\"$/item\",\"params\":{\"id\":";

/* ---- What is sent ---- */

static void put_call(struct weft_bytes *out, const struct bench_call *call)
{
    weft__bytes_append_str(out, ANSWER);
    weft__bytes_append_u64(out, ID_FIRST + call->number);
    weft__bytes_append_str(out, ",\"method\":\"");
    weft__bytes_append_str(out, call->method);
    weft__bytes_append_str(out, "\",\"params\":");
    weft__bytes_append_slice(out, call->params);
    weft__bytes_append_byte(out, '}');
}

static void put_credit(struct weft_bytes *out, uint64_t number, uint64_t items, uint64_t bytes)
{
    weft__bytes_append_str(out, OPENING "\"method\":\"$/credit\",\"params\":{\"id\":");
    weft__bytes_append_u64(out, ID_FIRST + number);
    weft__bytes_append_str(out, ",\"items_total\":");
    weft__bytes_append_u64(out, items);
    weft__bytes_append_str(out, ",\"bytes_total\":");
    weft__bytes_append_u64(out, bytes);
    weft__bytes_append_str(out, "}}");
}

static void put_pong(struct weft_bytes *out)
{
    weft__bytes_append_str(out, OPENING "\"method\":\"$/pong\"}");
}

/* ---- Known spellings ---- */

static bool begins(struct weft_slice json, const char *start, size_t len)
{
    return json.len > len && memcmp(json.ptr, start, len) == 0;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* The number of the id that begins at |*at|, which is behind it then. Anything but digits makes
 * none of ours, and so do too many of them. */
static uint64_t read_number(struct weft_slice json, size_t *at)
{
    uint64_t id = 0;
    size_t i = *at;
    while (i < json.len && i - *at < 19 && is_digit(json.ptr[i]))
        id = id * 10 + (uint64_t)(json.ptr[i++] - '0');
    *at = i;
    return id - ID_FIRST;
}

/* {"jsonrpc":"2.0","id":1,"result":…} */
static bool read_answer(struct weft_slice json, struct bench_event *event)
{
    static const char between[] = ",\"result\":";
    size_t at = sizeof(ANSWER) - 1;
    if (!begins(json, ANSWER, at))
        return false;
    event->number = read_number(json, &at);
    if (!begins(weft__slice(json.ptr + at, json.len - at), between, sizeof(between) - 1))
        return false;
    at += sizeof(between) - 1;
    event->kind = BENCH_EVENT_RESULT;
    event->payload = weft__slice(json.ptr + at, json.len - at - 1);
    return true;
}

/* {"jsonrpc":"2.0","result":…,"id":1}. The last bracket is that of the object, so the number before
 * it is its last member; a quote behind a comma begins a key. */
static bool read_answer_backwards(struct weft_slice json, struct bench_event *event)
{
    static const char before[] = ",\"id\":";
    size_t key = sizeof(before) - 1;
    size_t begin = sizeof(RESULT) - 1;
    size_t at = json.len - 1;
    if (!begins(json, RESULT, begin) || json.ptr[at] != '}')
        return false;
    while (at > begin + key && is_digit(json.ptr[at - 1]))
        at--;
    if (at + 1 == json.len || at < begin + key || memcmp(json.ptr + at - key, before, key) != 0)
        return false;
    event->kind = BENCH_EVENT_RESULT;
    event->payload = weft__slice(json.ptr + begin, at - key - begin);
    event->number = read_number(json, &at);
    return true;
}

/* {"jsonrpc":"2.0","method":"$/item","params":{"id":1,"value":…}}. Were there members behind the
 * value, the item would count as so much longer. */
static bool read_item(struct weft_slice json, struct bench_event *event)
{
    static const char between[] = ",\"value\":";
    size_t at = sizeof(ITEM) - 1;
    if (!begins(json, ITEM, at))
        return false;
    event->number = read_number(json, &at);
    if (!begins(weft__slice(json.ptr + at, json.len - at), between, sizeof(between) - 1))
        return false;
    at += sizeof(between) - 1;
    if (json.len < at + 3)
        return false;
    event->kind = BENCH_EVENT_ITEM;
    event->payload = weft__slice(json.ptr + at, json.len - at - 2);
    return true;
}

/* ---- Everything else ---- */

static size_t skip_space(struct weft_slice json, size_t at)
{
    while (at < json.len && (json.ptr[at] == ' ' || json.ptr[at] == '\t' || json.ptr[at] == '\n' ||
                             json.ptr[at] == '\r'))
        at++;
    return at;
}

/* The place behind the string that begins with the quote at |at|. */
static size_t skip_string(struct weft_slice json, size_t at)
{
    for (at++; at < json.len && json.ptr[at] != '"'; at++)
        at += json.ptr[at] == '\\';
    return at < json.len ? at + 1 : json.len;
}

/* The place behind the value that begins at |at|. */
static size_t skip_value(struct weft_slice json, size_t at)
{
    size_t depth = 0;
    while (at < json.len) {
        uint8_t c = json.ptr[at];
        bool closes = c == '}' || c == ']';
        if (depth == 0 && (closes || c == ','))
            break;
        if (c == '"') {
            at = skip_string(json, at);
            continue;
        }
        depth += c == '{' || c == '[';
        depth -= closes;
        at++;
    }
    return at;
}

/* The next member of |object|; |*at| is 0 at first. False at its end, and where it makes no sense,
 * which is short of its end. */
static bool next_member(struct weft_slice object, size_t *at, struct weft_slice *ret_key,
                        struct weft_slice *ret_value)
{
    size_t i = *at ? *at : skip_space(object, 0);
    if (i >= object.len || object.ptr[i] != (*at ? ',' : '{'))
        return false;
    size_t key = skip_space(object, i + 1);
    if (key >= object.len || object.ptr[key] != '"')
        return false;
    size_t behind = skip_string(object, key);
    size_t colon = skip_space(object, behind);
    if (colon >= object.len || object.ptr[colon] != ':')
        return false;
    size_t value = skip_space(object, colon + 1);
    size_t end = skip_value(object, value);
    *at = end;
    while (end > value && skip_space(object, end - 1) == *at)
        end--;
    *ret_key = weft__slice(object.ptr + key + 1, behind - key - 2);
    *ret_value = weft__slice(object.ptr + value, end - value);
    return true;
}

static uint64_t whole_number(struct weft_slice value)
{
    size_t at = 0;
    uint64_t number = read_number(value, &at);
    return at == value.len ? number : UINT64_MAX;
}

static void read_item_params(struct weft_slice params, struct bench_event *event)
{
    struct weft_slice key;
    struct weft_slice value;
    size_t at = 0;
    event->kind = BENCH_EVENT_ITEM;
    while (next_member(params, &at, &key, &value)) {
        if (weft__slice_eq_str(key, "id"))
            event->number = whole_number(value);
        else if (weft__slice_eq_str(key, "value"))
            event->payload = value;
    }
}

static void read_any(struct weft_slice json, struct bench_event *event)
{
    struct weft_slice key;
    struct weft_slice value;
    struct weft_slice params = {NULL, 0};
    size_t at = 0;
    bool item = false;
    while (next_member(json, &at, &key, &value)) {
        if (weft__slice_eq_str(key, "id"))
            event->number = whole_number(value);
        else if (weft__slice_eq_str(key, "method") && weft__slice_eq_str(value, "\"$/item\""))
            item = true;
        else if (weft__slice_eq_str(key, "method") && weft__slice_eq_str(value, "\"$/ping\""))
            event->kind = BENCH_EVENT_PING;
        else if (weft__slice_eq_str(key, "params"))
            params = value;
        else if (weft__slice_eq_str(key, "result") || weft__slice_eq_str(key, "error")) {
            /* Some servers say "error": null beside a result, and the other way round. */
            bool error = key.ptr[0] == 'e';
            if (event->kind != BENCH_EVENT_OTHER && weft__slice_eq_str(value, "null"))
                continue;
            event->kind = error ? BENCH_EVENT_ERROR : BENCH_EVENT_RESULT;
            event->payload = value;
        }
    }
    if (at >= json.len || json.ptr[at] != '}' || skip_space(json, at + 1) != json.len)
        event->kind = BENCH_EVENT_BROKEN;
    else if (item)
        read_item_params(params, event);
}

static bool next(struct weft_slice *rest, struct bench_event *ret_event)
{
    struct weft_slice json = *rest;
    if (!json.len)
        return false;
    *rest = (struct weft_slice){NULL, 0};
    *ret_event = (struct bench_event){.number = UINT64_MAX};
    if (read_answer(json, ret_event) || read_item(json, ret_event) ||
        read_answer_backwards(json, ret_event))
        return true;
    *ret_event = (struct bench_event){.number = UINT64_MAX};
    read_any(json, ret_event);
    return true;
}

const struct bench_wire bench_wire_text = {
    .name = "text", .call = put_call, .credit = put_credit, .pong = put_pong, .next = next};
