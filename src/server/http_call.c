/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the heads of requests for calls. */
#include "server/http_call.h"

enum { TIMEOUT_DIGITS_MAX = 10 /* as the Connect protocol has it */ };

bool weft__http_call_name(struct weft_http_call *call, struct weft_slice text)
{
    ptrdiff_t len = weft__http1_percent_decode(text, false, call->name, sizeof(call->name));
    if (len <= 0)
        return false;
    call->method = weft__slice(call->name, (size_t)len);
    return true;
}

/* The value of the header |name|. False when it is given more than once. */
static bool only_value(const struct weft_http1_head *head, const char *name,
                       struct weft_slice *ret_value)
{
    const struct weft_http1_header *header = weft__http1_find(head, name);
    *ret_value = header ? header->value : weft__slice(NULL, 0);
    return weft__http1_count(head, name) <= 1;
}

static bool read_timeout(struct weft_rpc_meta *meta, struct weft_slice digits)
{
    uint64_t value = 0;
    if (digits.len > TIMEOUT_DIGITS_MAX)
        return false;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(digits.ptr[i] - '0');
    }
    meta->has_timeout = digits.len > 0;
    meta->timeout_ms = value;
    return true;
}

static bool is_ascii(struct weft_slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] >= 0x80)
            return false;
    return true;
}

/* Copies |text| into |room| of |max| bytes. False for one that is too long or not ASCII. */
static bool keep(struct weft_slice text, char *room, size_t max, struct weft_slice *ret_kept)
{
    if (text.len > max || !is_ascii(text))
        return false;
    weft__mem_copy(room, text.ptr, text.len);
    *ret_kept = weft__slice(room, text.len);
    return true;
}

/* Some write the key as a string of structured fields, in quotes. */
static struct weft_slice without_quotes(struct weft_slice text)
{
    if (text.len >= 2 && text.ptr[0] == '"' && text.ptr[text.len - 1] == '"')
        return weft__slice(text.ptr + 1, text.len - 2);
    return text;
}

const char *weft__http_call_meta(struct weft_http_call *call, const struct weft_http1_head *head)
{
    struct weft_slice timeout, theirs, idem, trace;
    call->meta = (struct weft_rpc_meta){0};
    if (!only_value(head, "Weft-Timeout-Ms", &timeout) ||
        !only_value(head, "Connect-Timeout-Ms", &theirs) ||
        !read_timeout(&call->meta, timeout.len ? timeout : theirs))
        return "the timeout is not a number of milliseconds";
    if (!only_value(head, "Idempotency-Key", &idem) ||
        !keep(without_quotes(idem), call->idem, sizeof(call->idem), &call->meta.idem))
        return "the idempotency key is malformed";
    /* A trace that cannot be read is not worth a call (W3C Trace Context §3.2). */
    if (!only_value(head, "traceparent", &trace) ||
        !keep(trace, call->trace, sizeof(call->trace), &call->meta.traceparent))
        call->meta.traceparent = weft__slice(NULL, 0);
    return NULL;
}

bool weft__http_call_origin(const struct weft_origin_policy *policy,
                            const struct weft_http1_head *head)
{
    struct weft_slice origin, site;
    if (!only_value(head, "Origin", &origin))
        return false;
    if (weft__http1_find(head, "Origin"))
        return weft__origin_allowed(policy, origin, head->host);
    /* A picture of another site is asked for without Origin. */
    return only_value(head, "Sec-Fetch-Site", &site) &&
           (!site.len || weft__slice_eq_str(site, "same-origin") ||
            weft__slice_eq_str(site, "none"));
}

static struct weft_slice trim(struct weft_slice s)
{
    while (s.len && (s.ptr[0] == ' ' || s.ptr[0] == '\t')) {
        s.ptr++;
        s.len--;
    }
    while (s.len && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* Takes the part of |rest| before its first ';', without white space around it. */
static struct weft_slice next_part(struct weft_slice *rest)
{
    const uint8_t *end = rest->len ? memchr(rest->ptr, ';', rest->len) : NULL;
    struct weft_slice part = weft__slice(rest->ptr, end ? (size_t)(end - rest->ptr) : rest->len);
    size_t used = part.len + (end ? 1 : 0);
    *rest = weft__slice(rest->ptr + used, rest->len - used);
    return trim(part);
}

bool weft__http_call_is(const struct weft_http1_head *head, const char *wanted)
{
    struct weft_slice type, coding;
    if (!only_value(head, "Content-Type", &type) || !only_value(head, "Content-Encoding", &coding))
        return false;
    if (coding.len && !weft__http1_equal_nocase(coding, WEFT_SLICE_LIT("identity")))
        return false;
    if (!weft__http1_equal_nocase(next_part(&type), weft__slice_str(wanted)))
        return false;
    while (type.len) {
        struct weft_slice parameter = next_part(&type);
        if (parameter.len &&
            !weft__http1_equal_nocase(parameter, WEFT_SLICE_LIT("charset=utf-8")) &&
            !weft__http1_equal_nocase(parameter, WEFT_SLICE_LIT("charset=\"utf-8\"")))
            return false;
    }
    return true;
}
