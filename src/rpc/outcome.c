/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of answers. */
#include "rpc/outcome.h"

#include "rpc/call.h"

static size_t str_size(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

static size_t kept_size(const struct weft_rpc_outcome *outcome)
{
    size_t size = sizeof(struct weft_rpc_kept) + outcome->result.len;
    const struct weft_rpc_failure *failure = outcome->failure;
    if (!failure)
        return size;
    size += failure->violation_count * sizeof(*failure->violations);
    for (size_t i = 0; i < failure->violation_count; ++i)
        size += str_size(failure->violations[i].field) + str_size(failure->violations[i].rule);
    return size + str_size(failure->message) + str_size(failure->reason) + failure->details.len;
}

static struct weft_slice copy_slice(uint8_t **at, struct weft_slice slice)
{
    struct weft_slice copy = {slice.len ? *at : NULL, slice.len};
    weft__mem_copy(*at, slice.ptr, slice.len);
    *at += slice.len;
    return copy;
}

static const char *copy_str(uint8_t **at, const char *text)
{
    return (const char *)copy_slice(at, weft__slice(text, str_size(text))).ptr;
}

static void copy_failure(struct weft_rpc_failure *copy, const struct weft_rpc_failure *failure,
                         uint8_t *at)
{
    struct weft_rpc_violation *rules = (void *)at; /* directly behind the struct: aligned */
    *copy = *failure;
    copy->executed = weft__rpc_failure_executed(failure);
    copy->violations = failure->violation_count ? rules : NULL;
    at += failure->violation_count * sizeof(*rules);
    for (size_t i = 0; i < failure->violation_count; ++i)
        rules[i] = (struct weft_rpc_violation){copy_str(&at, failure->violations[i].field),
                                               copy_str(&at, failure->violations[i].rule)};
    copy->message = copy_str(&at, failure->message);
    copy->reason = copy_str(&at, failure->reason);
    copy->details = copy_slice(&at, failure->details);
}

struct weft_rpc_kept *weft__rpc_kept_new(const struct weft_alloc *alloc,
                                         const struct weft_rpc_outcome *outcome)
{
    size_t size = kept_size(outcome);
    struct weft_rpc_kept *kept = weft__mem_alloc(alloc, size);
    if (!kept)
        return NULL;
    *kept =
        (struct weft_rpc_kept){.alloc = alloc, .size = size, .is_result = outcome->failure == NULL};
    atomic_init(&kept->refs, 1);
    uint8_t *at = (uint8_t *)(kept + 1);
    if (outcome->failure)
        copy_failure(&kept->failure, outcome->failure, at);
    else
        kept->result = copy_slice(&at, outcome->result);
    return kept;
}

struct weft_rpc_kept *weft__rpc_kept_ref(struct weft_rpc_kept *kept)
{
    if (kept->alloc)
        (void)atomic_fetch_add_explicit(&kept->refs, 1, memory_order_relaxed);
    return kept;
}

void weft__rpc_kept_unref(struct weft_rpc_kept *kept)
{
    if (kept && kept->alloc && atomic_fetch_sub_explicit(&kept->refs, 1, memory_order_acq_rel) == 1)
        weft__mem_free(kept->alloc, kept, kept->size);
}

void weft__rpc_kept_give(const struct weft_rpc_kept *kept, struct weft_rpc_call *call)
{
    if (kept->is_result)
        weft__rpc_call_result(call, kept->result);
    else
        weft__rpc_call_fail(call, &kept->failure);
}
