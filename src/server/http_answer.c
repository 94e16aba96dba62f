/* SPDX-License-Identifier: Apache-2.0 */
/* Heads of HTTP answers. */
#include "server/http_answer.h"

#include <stdio.h>

enum { BARE_COUNT = 2, BUSY_COUNT = 1 };

#define TEXT(literal)                                                                              \
    {                                                                                              \
        (const uint8_t *)(literal), sizeof(literal) - 1                                            \
    }

/* The first BARE_COUNT are for answers that have no others of these names, the last BUSY_COUNT for
 * those that may be asked for again. */
static const struct weft_http1_header SECURITY[] = {
    {TEXT("Cache-Control"), TEXT("no-store")},
    {TEXT("Content-Security-Policy"), TEXT("default-src 'none'; frame-ancestors 'none'")},
    {TEXT("X-Content-Type-Options"), TEXT("nosniff")},
    {TEXT("X-Frame-Options"), TEXT("DENY")},
    {TEXT("Referrer-Policy"), TEXT("no-referrer")},
    {TEXT("Cross-Origin-Opener-Policy"), TEXT("same-origin")},
    {TEXT("Cross-Origin-Resource-Policy"), TEXT("same-origin")},
    {TEXT("Cross-Origin-Embedder-Policy"), TEXT("require-corp")},
    {TEXT("Permissions-Policy"), TEXT("camera=(), geolocation=(), microphone=(), payment=()")},
    {TEXT("Retry-After"), TEXT("5")},
};

enum { SECURITY_COUNT = WEFT_ARRAY_LEN(SECURITY) - BUSY_COUNT };

#undef TEXT

const struct weft_http1_header *weft__http_security_headers(size_t *ret_count)
{
    *ret_count = SECURITY_COUNT;
    return SECURITY;
}

const struct weft_http1_header *weft__http_busy_headers(size_t *ret_count)
{
    *ret_count = WEFT_ARRAY_LEN(SECURITY);
    return SECURITY;
}

/* The page loads its own files and talks to its own server; the editor's styles carry the nonce. */
static void write_policy(struct weft_bytes *out, const char *nonce)
{
    char policy[512];
    char style[64] = "";
    if (nonce)
        snprintf(style, sizeof(style), " 'nonce-%s'", nonce);
    snprintf(policy, sizeof(policy),
             "default-src 'none'; script-src 'self'; style-src 'self'%s; img-src 'self' data:; "
             "font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; "
             "form-action 'self'; frame-ancestors 'none'",
             style);
    weft__http1_write_header_str(out, "Content-Security-Policy", policy);
}

/* Fetch §3.2: what pages of |origin| may do with the answer, or may ask for. */
static void write_origin(struct weft_bytes *out, const struct weft_http_answer *answer)
{
    weft__http1_write_header(out, WEFT_SLICE_LIT("Access-Control-Allow-Origin"), answer->origin);
    weft__http1_write_header_str(out, "Vary", "Origin");
    if (!answer->preflight) {
        weft__http1_write_header_str(out, "Access-Control-Expose-Headers", "Retry-After");
        return;
    }
    weft__http1_write_header_str(out, "Access-Control-Allow-Methods", answer->preflight);
    weft__http1_write_header_str(
        out, "Access-Control-Allow-Headers",
        "Content-Type, Weft-Timeout-Ms, Connect-Timeout-Ms, "
        "Authorization, Idempotency-Key, traceparent, Last-Event-ID, Weft-Connection, "
        "Weft-Sequence");
    weft__http1_write_header_str(out, "Access-Control-Max-Age", "600");
}

static void write_connection(struct weft_bytes *out, const struct weft_http_answer *answer)
{
    const char *connection = answer->keep_alive ? "keep-alive" : "close";
    if (answer->status == 426) {
        /* RFC 9110 §15.5.22 wants Upgrade, and Connection has to name it (§7.8). */
        weft__http1_write_header_str(out, "Upgrade", "websocket");
        weft__http1_write_header_str(out, "Sec-WebSocket-Version", "13");
        connection = answer->keep_alive ? "upgrade, keep-alive" : "upgrade, close";
    }
    weft__http1_write_header_str(out, "Connection", connection);
}

void weft__http_answer_head(struct weft_bytes *out, const struct weft_http_answer *answer)
{
    weft__http1_write_status(out, answer->status);
    if (answer->type) {
        weft__http1_write_header_str(out, "Content-Type", answer->type);
        if (answer->open_ended) /* and nginx is not to wait for it */
            weft__http1_write_header_str(out, "X-Accel-Buffering", "no");
        else
            weft__http1_write_header_u64(out, "Content-Length", answer->length);
    }
    weft__http1_write_header_str(out, "Cache-Control", answer->cache ? answer->cache : "no-store");
    if (answer->etag)
        weft__http1_write_header_str(out, "ETag", answer->etag);
    if (answer->coding)
        weft__http1_write_header_str(out, "Content-Encoding", answer->coding);
    if (answer->vary)
        weft__http1_write_header_str(out, "Vary", "Accept-Encoding");
    if (answer->allow)
        weft__http1_write_header_str(out, "Allow", answer->allow);
    if (answer->status == 401) /* RFC 9110 §15.5.2 */
        weft__http1_write_header_str(out, "WWW-Authenticate", "Bearer");
    if (answer->retry_after_s)
        weft__http1_write_header_u64(out, "Retry-After", answer->retry_after_s);
    if (answer->origin.len)
        write_origin(out, answer);
    for (size_t i = BARE_COUNT; i < SECURITY_COUNT; i++)
        weft__http1_write_header(out, SECURITY[i].name, SECURITY[i].value);
    write_policy(out, answer->nonce);
    write_connection(out, answer);
    weft__http1_write_end(out);
}
