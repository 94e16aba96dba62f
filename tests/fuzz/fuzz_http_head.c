/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes the HTTP/1 head parser, requests and responses, and what is built on a parsed head: lists,
 * the target, the WebSocket handshake. Checked besides memory safety: byte by byte gives what the
 * whole gave, slices lie inside the input, and an accepted head obeys the rules that keep two
 * readers from disagreeing.
 */
#include "codec/http1.h"
#include "ws/handshake.h"

#include <stdio.h>
#include <stdlib.h>

static void require(bool condition, const char *what)
{
    if (condition)
        return;
    (void)fprintf(stderr, "fuzz_http_head: %s\n", what);
    abort();
}

static void inside(struct weft_slice s, const uint8_t *data, size_t len)
{
    require(s.len == 0 || (s.ptr >= data && s.len <= len && s.ptr + s.len <= data + len),
            "slice outside the input");
}

static void check_headers(const struct weft_http1_head *head, const uint8_t *data, size_t len)
{
    require(head->header_count <= WEFT_HTTP1_HEADERS_MAX, "too many headers");
    for (size_t i = 0; i < head->header_count; i++) {
        inside(head->headers[i].name, data, len);
        inside(head->headers[i].value, data, len);
        require(weft__http1_is_token(head->headers[i].name), "name is not a token");
        require(weft__http1_is_value(head->headers[i].value), "control character in a value");
    }
    require(!(head->chunked && head->content_length >= 0), "two opinions about the length");
    require(weft__http1_count(head, "content-length") <= 1, "Content-Length twice");
}

static void check_request(const struct weft_http1_head *head, const uint8_t *data, size_t len)
{
    check_headers(head, data, len);
    inside(head->method, data, len);
    require(weft__http1_is_token(head->method), "method is not a token");
    require(weft__http1_is_target(head->target), "malformed target");
    require(head->minor == 0 || head->host.len, "no Host");
    struct weft_slice path;
    struct weft_slice query;
    weft__http1_target_split(head->target, &path, &query);
    char value[64];
    ptrdiff_t n = weft__http1_query_get(query, "doc", value, sizeof(value));
    require(n <= (ptrdiff_t)sizeof(value), "value too long");
    n = weft__http1_percent_decode(path, false, value, sizeof(value));
    require(n <= (ptrdiff_t)sizeof(value), "path too long");
    struct weft_http1_list at = {0};
    struct weft_slice element;
    while (weft__http1_list_next(head, "connection", &at, &element)) {
        inside(element, data, len);
        require(element.len > 0, "empty element");
    }
    static const struct weft_slice protocols[] = {{(const uint8_t *)"weft.v1.json", 12},
                                                  {(const uint8_t *)"weft.v1.pb", 10}};
    struct weft_ws_upgrade upgrade;
    int status = 0;
    if (weft__ws_upgrade_check(head, protocols, 2, &upgrade, &status) == 0)
        require(upgrade.key.len == WEFT_WS_KEY_LEN && upgrade.host.len, "incomplete upgrade");
    else
        require(status == 400 || status == 405 || status == 426, "unknown status");
}

static void fuzz_request(const uint8_t *data, size_t len)
{
    static struct weft_http1_head head;
    size_t scanned = 0;
    int status = 0;
    ptrdiff_t whole = weft__http1_read_request(data, len, &scanned, &head, &status);
    require(scanned <= len, "scanned too far");
    if (whole > 0) {
        require(status == 0 && (size_t)whole <= len, "consumed too much");
        check_request(&head, data, (size_t)whole);
    } else if (whole < 0) {
        require(status == 400 || status == 414 || status == 431 || status == 501 || status == 505,
                "unknown status");
    }
    ptrdiff_t pieces = 0;
    int again = 0;
    scanned = 0;
    for (size_t n = 1; n <= len && pieces == 0; n++)
        pieces = weft__http1_read_request(data, n, &scanned, &head, &again);
    require(pieces == whole && again == status, "a split changes the answer");
}

static void fuzz_response(const uint8_t *data, size_t len)
{
    static struct weft_http1_head head;
    size_t scanned = 0;
    ptrdiff_t whole = weft__http1_read_response(data, len, &scanned, &head);
    if (whole > 0) {
        require((size_t)whole <= len && head.status >= 100 && head.status <= 999, "bad status");
        inside(head.reason, data, (size_t)whole);
        check_headers(&head, data, (size_t)whole);
    }
    ptrdiff_t pieces = 0;
    scanned = 0;
    for (size_t n = 1; n <= len && pieces == 0; n++)
        pieces = weft__http1_read_response(data, n, &scanned, &head);
    require(pieces == whole, "a split changes the answer");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_request(data, size);
    fuzz_response(data, size);
    return 0;
}
