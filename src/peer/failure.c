/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and copying. */
#include "peer/failure.h"

#include "base/utf8.h"

static bool is_text(const char *text)
{
    return !text || weft__utf8_valid((const uint8_t *)text, strlen(text));
}

static enum weft_rpc_executed executed_of(int executed)
{
    switch (executed) {
    case WEFT_EXECUTED_NO:
        return WEFT_RPC_EXECUTED_NO;
    case WEFT_EXECUTED_YES:
        return WEFT_RPC_EXECUTED_YES;
    default:
        return WEFT_RPC_EXECUTED_AUTO;
    }
}

int weft__failure_read(const struct weft_failure *failure,
                       struct weft_rpc_violation rules[WEFT_FAILURE_VIOLATIONS_MAX],
                       struct weft_rpc_failure *ret_failure)
{
    if (failure->status <= WEFT_STATUS_OK || failure->status > WEFT_STATUS_UNAUTHENTICATED)
        return WEFT_ERR_USAGE;
    if (!is_text(failure->message) || !is_text(failure->reason) || !is_text(failure->details))
        return WEFT_ERR_UTF8;
    size_t count = WEFT_MIN(failure->violation_count, (size_t)WEFT_FAILURE_VIOLATIONS_MAX);
    for (size_t i = 0; i < count; i++) {
        const struct weft_violation *violation = &failure->violations[i];
        if (!is_text(violation->field) || !is_text(violation->rule))
            return WEFT_ERR_UTF8;
        rules[i] = (struct weft_rpc_violation){violation->field ? violation->field : "",
                                               violation->rule ? violation->rule : ""};
    }
    *ret_failure = (struct weft_rpc_failure){
        .status = failure->status,
        .message = failure->message,
        .reason = failure->reason,
        .executed = executed_of(failure->executed),
        .retryable = failure->retryable != 0,
        .retry_after_ms = failure->retry_after_ms,
        .violations = rules,
        .violation_count = count,
        .details = failure->details ? weft__slice_str(failure->details) : weft__slice(NULL, 0),
    };
    return 0;
}

static size_t text_size(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

static const char *put(char **at, const char *text)
{
    if (!text)
        return NULL;
    char *begin = *at;
    size_t size = strlen(text) + 1;
    memcpy(begin, text, size);
    *at = begin + size;
    return begin;
}

struct weft_kept_failure *weft__kept_failure_new(const struct weft_alloc *alloc,
                                                 const struct weft_rpc_failure *failure)
{
    size_t size = sizeof(struct weft_kept_failure) + text_size(failure->message) +
                  text_size(failure->reason) + failure->details.len;
    for (size_t i = 0; i < failure->violation_count; i++)
        size += text_size(failure->violations[i].field) + text_size(failure->violations[i].rule);
    struct weft_kept_failure *kept = weft__mem_alloc(alloc, size);
    if (!kept)
        return NULL;
    char *at = kept->texts;
    kept->size = size;
    kept->failure = *failure;
    kept->failure.message = put(&at, failure->message);
    kept->failure.reason = put(&at, failure->reason);
    for (size_t i = 0; i < failure->violation_count; i++)
        kept->rules[i] = (struct weft_rpc_violation){put(&at, failure->violations[i].field),
                                                     put(&at, failure->violations[i].rule)};
    kept->failure.violations = kept->rules;
    weft__mem_copy(at, failure->details.ptr, failure->details.len);
    kept->failure.details = weft__slice(at, failure->details.len);
    return kept;
}

void weft__kept_failure_free(const struct weft_alloc *alloc, struct weft_kept_failure *kept)
{
    if (kept)
        weft__mem_free(alloc, kept, kept->size);
}
