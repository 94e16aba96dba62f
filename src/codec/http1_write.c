/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP/1 writer, and targets taken apart: path, query, parameters. Nothing is written that
 * would not be one well-formed line of a head, whatever the caller was told to put there.
 */
#include "codec/http1.h"

const char *weft__http1_reason(int status)
{
    switch (status) {
    case 101:
        return "Switching Protocols";
    case 200:
        return "OK";
    case 204:
        return "No Content";
    case 301:
        return "Moved Permanently";
    case 302:
        return "Found";
    case 304:
        return "Not Modified";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 408:
        return "Request Timeout";
    case 409:
        return "Conflict";
    case 411:
        return "Length Required";
    case 413:
        return "Content Too Large";
    case 414:
        return "URI Too Long";
    case 415:
        return "Unsupported Media Type";
    case 421:
        return "Misdirected Request";
    case 426:
        return "Upgrade Required";
    case 429:
        return "Too Many Requests";
    case 431:
        return "Request Header Fields Too Large";
    case 499: /* of the Connect protocol, for calls that were canceled */
        return "Client Closed Request";
    case 500:
        return "Internal Server Error";
    case 501:
        return "Not Implemented";
    case 503:
        return "Service Unavailable";
    case 504:
        return "Gateway Timeout";
    case 505:
        return "HTTP Version Not Supported";
    default:
        return "";
    }
}

/* Refuses: nothing more is appended, the caller learns at the end. */
static void refuse(struct weft_bytes *out)
{
    if (!out->err)
        out->err = WEFT_ERR_USAGE;
}

void weft__http1_write_request(struct weft_bytes *out, struct weft_slice method,
                               struct weft_slice target)
{
    if (!weft__http1_is_token(method) || !weft__http1_is_target(target)) {
        refuse(out);
        return;
    }
    weft__bytes_append_slice(out, method);
    weft__bytes_append_byte(out, ' ');
    weft__bytes_append_slice(out, target);
    weft__bytes_append_str(out, " HTTP/1.1\r\n");
}

void weft__http1_write_status(struct weft_bytes *out, int status)
{
    if (status < 100 || status > 999) {
        refuse(out);
        return;
    }
    weft__bytes_append_str(out, "HTTP/1.1 ");
    weft__bytes_append_u64(out, (uint64_t)status);
    weft__bytes_append_byte(out, ' '); /* RFC 9112 §4: the space stays without a phrase. */
    weft__bytes_append_str(out, weft__http1_reason(status));
    weft__bytes_append_str(out, "\r\n");
}

void weft__http1_write_header(struct weft_bytes *out, struct weft_slice name,
                              struct weft_slice value)
{
    if (!weft__http1_is_token(name) || !weft__http1_is_value(value)) {
        refuse(out);
        return;
    }
    weft__bytes_append_slice(out, name);
    weft__bytes_append_str(out, ": ");
    weft__bytes_append_slice(out, value);
    weft__bytes_append_str(out, "\r\n");
}

void weft__http1_write_header_str(struct weft_bytes *out, const char *name, const char *value)
{
    weft__http1_write_header(out, weft__slice_str(name), weft__slice_str(value));
}

void weft__http1_write_header_u64(struct weft_bytes *out, const char *name, uint64_t value)
{
    if (!weft__http1_is_token(weft__slice_str(name))) {
        refuse(out);
        return;
    }
    weft__bytes_append_str(out, name);
    weft__bytes_append_str(out, ": ");
    weft__bytes_append_u64(out, value);
    weft__bytes_append_str(out, "\r\n");
}

void weft__http1_write_end(struct weft_bytes *out)
{
    weft__bytes_append_str(out, "\r\n");
}

/* Splits |s| at its first |separator|; |ret_after| is empty when there is none. */
static void split(struct weft_slice s, uint8_t separator, struct weft_slice *ret_before,
                  struct weft_slice *ret_after)
{
    const uint8_t *p = s.len ? memchr(s.ptr, separator, s.len) : NULL;
    size_t before = p ? (size_t)(p - s.ptr) : s.len;
    *ret_before = weft__slice(s.ptr, before);
    *ret_after = p ? weft__slice(p + 1, s.len - before - 1) : weft__slice(NULL, 0);
}

void weft__http1_target_split(struct weft_slice target, struct weft_slice *ret_path,
                              struct weft_slice *ret_query)
{
    split(target, '?', ret_path, ret_query);
}

/* The value of a hexadecimal digit, or -1. */
static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes the first byte of |*s| and takes it off. Returns the byte, or WEFT_ERR_HTTP. */
static int decode_one(struct weft_slice *s, bool plus)
{
    uint8_t c = s->ptr[0];
    size_t used = 1;
    int byte = plus && c == '+' ? ' ' : c;
    if (c == '%') {
        int high = s->len >= 3 ? hex_digit(s->ptr[1]) : -1;
        int low = s->len >= 3 ? hex_digit(s->ptr[2]) : -1;
        if (high < 0 || low < 0)
            return WEFT_ERR_HTTP;
        byte = high << 4 | low;
        used = 3;
    }
    s->ptr += used;
    s->len -= used;
    return byte;
}

ptrdiff_t weft__http1_percent_decode(struct weft_slice s, bool plus, void *ret_data, size_t cap)
{
    uint8_t *dst = ret_data;
    size_t len = 0;
    while (s.len) {
        int byte = decode_one(&s, plus);
        if (byte < 0)
            return byte;
        if (len == cap)
            return WEFT_ERR_TOO_BIG;
        dst[len++] = (uint8_t)byte;
    }
    return (ptrdiff_t)len;
}

/* Whether |s|, decoded, is |name|. A malformed one is nobody's name. */
static bool decodes_to(struct weft_slice s, const char *name)
{
    while (s.len) {
        int byte = decode_one(&s, true);
        if (byte <= 0 || byte != (uint8_t)*name)
            return false;
        name++;
    }
    return *name == 0;
}

ptrdiff_t weft__http1_query_get(struct weft_slice query, const char *name, void *ret_data,
                                size_t cap)
{
    while (query.len) {
        struct weft_slice pair;
        struct weft_slice key;
        struct weft_slice value;
        split(query, '&', &pair, &query);
        split(pair, '=', &key, &value);
        if (pair.len && decodes_to(key, name))
            return weft__http1_percent_decode(value, true, ret_data, cap);
    }
    return WEFT_ERR_NOT_FOUND;
}
