/* SPDX-License-Identifier: Apache-2.0 */
/* demo.fail: an error answer as the caller wants it, for those who write clients. */
#include "rpc/demo.h"
#include "rpc/peer.h"

enum { TEXT_MAX = 256, RULES_MAX = 8 };

/* Copies a string member, zero-terminated; NULL when there is none or it is too long. */
static const char *text_of(const struct weft_json *params, const char *name, char room[TEXT_MAX])
{
    struct weft_slice text = weft__json_string(weft__json_get(params, name));
    if (!text.len || text.len >= TEXT_MAX || memchr(text.ptr, 0, text.len))
        return NULL;
    memcpy(room, text.ptr, text.len);
    room[text.len] = '\0';
    return room;
}

/* Reads the array of {"field", "rule"}. */
static size_t rules_of(const struct weft_json *list, struct weft_rpc_violation rules[RULES_MAX],
                       char fields[RULES_MAX][TEXT_MAX], char names[RULES_MAX][TEXT_MAX])
{
    size_t count = 0;
    if (!weft__json_is(list, WEFT_JSON_ARRAY))
        return 0;
    WEFT_JSON_EACH (rule, list) {
        if (count == RULES_MAX || !weft__json_is(rule, WEFT_JSON_OBJECT))
            break;
        const char *field = text_of(rule, "field", fields[count]);
        const char *name = text_of(rule, "rule", names[count]);
        rules[count++] = (struct weft_rpc_violation){field ? field : "", name ? name : ""};
    }
    return count;
}

static void fail(struct weft_rpc_call *call, void *ctx)
{
    const struct weft_json *params = weft__rpc_call_params(call);
    struct weft_slice code = weft__json_string(weft__json_get(params, "code"));
    const struct weft_json *details = weft__json_get(params, "details");
    struct weft_rpc_violation rules[RULES_MAX];
    char message[TEXT_MAX], reason[TEXT_MAX];
    char fields[RULES_MAX][TEXT_MAX], names[RULES_MAX][TEXT_MAX];
    uint64_t after_ms;
    bool retryable;
    (void)ctx;
    if (!weft__json_u53(weft__json_get(params, "retry_after_ms"), &after_ms))
        after_ms = 0;
    if (!weft__json_bool(weft__json_get(params, "retryable"), &retryable))
        retryable = false;
    const struct weft_rpc_failure failure = {
        .status = weft_status_from_name((const char *)code.ptr, code.len),
        .message = text_of(params, "message", message),
        .reason = text_of(params, "reason", reason),
        .retryable = retryable,
        .retry_after_ms = (uint32_t)WEFT_MIN(after_ms, (uint64_t)UINT32_MAX),
        .violations = rules,
        .violation_count = rules_of(weft__json_get(params, "violations"), rules, fields, names),
        .details = details ? weft__json_raw(details) : weft__slice(NULL, 0),
    };
    weft__rpc_call_fail(call, &failure);
}

int weft__rpc_demo_register_fail(struct weft_rpc_registry *registry)
{
    static const struct weft_rpc_method method = {
        .name = "demo.fail", .handler = fail, .summary = "answers the error described"};
    return weft__rpc_registry_add(registry, &method);
}
