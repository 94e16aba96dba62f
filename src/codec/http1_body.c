/* SPDX-License-Identifier: Apache-2.0 */
/* Where a body ends: a counter, or the automaton of the chunked transfer coding. */
#include "codec/http1_body.h"

#include "base/compiler.h"

enum {
    STATE_LENGTH,     /* content of a body with Content-Length */
    STATE_SIZE,       /* digits of a chunk's size */
    STATE_BEFORE_EXT, /* white space before an extension's ';' */
    STATE_EXT,        /* extensions, up to CR */
    STATE_SIZE_LF,    /* behind the CR of that line */
    STATE_DATA,       /* content of a chunk */
    STATE_DATA_CR,    /* its line end */
    STATE_DATA_LF,    /* … */
    STATE_LINE,       /* the beginning of a trailer, or of the empty line */
    STATE_NAME,       /* of a trailer */
    STATE_VALUE,      /* of a trailer, up to CR */
    STATE_TRAILER_LF, /* behind that CR */
    STATE_END_LF,     /* behind the CR of the empty line */
    STATE_DONE,
};

enum { SIZE_DIGITS_MAX = 16 };

int weft__http1_body_init(struct weft_http1_body *body, const struct weft_http1_head *head,
                          uint64_t limit)
{
    *body = (struct weft_http1_body){.room = limit, .state = STATE_SIZE};
    if (head->chunked)
        return 0;
    uint64_t length = head->content_length > 0 ? (uint64_t)head->content_length : 0;
    if (length > limit)
        return WEFT_ERR_TOO_BIG;
    body->left = length;
    body->state = length ? STATE_LENGTH : STATE_DONE;
    return 0;
}

bool weft__http1_body_is_done(const struct weft_http1_body *body)
{
    return body->state == STATE_DONE;
}

/* The value of a hexadecimal digit, or -1. */
static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_name_byte(uint8_t c)
{
    return weft__http1_is_token(weft__slice(&c, 1));
}

/* RFC 9110 §5.5: what may stand in a value, and in an extension. */
static bool is_value_byte(uint8_t c)
{
    return c == '\t' || (c >= ' ' && c != 0x7f);
}

static int read_size(struct weft_http1_body *body, uint8_t c)
{
    int digit = hex_digit(c);
    if (digit >= 0) {
        if (body->digits == SIZE_DIGITS_MAX)
            return WEFT_ERR_TOO_BIG;
        body->digits++;
        body->left = body->left << 4 | (uint64_t)digit;
        return body->left > body->room ? WEFT_ERR_TOO_BIG : 0;
    }
    if (body->digits == 0)
        return WEFT_ERR_HTTP;
    if (c == '\r')
        body->state = STATE_SIZE_LF;
    else if (c == ';')
        body->state = STATE_EXT;
    else if (c == ' ' || c == '\t')
        body->state = STATE_BEFORE_EXT;
    else
        return WEFT_ERR_HTTP;
    return 0;
}

/* A line of framing moves on when |c| is |want|. */
static int expect(struct weft_http1_body *body, uint8_t c, uint8_t want, uint8_t next)
{
    if (c != want)
        return WEFT_ERR_HTTP;
    body->state = next;
    return 0;
}

/* A byte of what is dropped: an extension or a trailer. */
static int drop(struct weft_http1_body *body, uint8_t c, bool allowed, uint8_t at_cr)
{
    if (c == '\r') {
        body->state = at_cr;
        return 0;
    }
    if (!allowed)
        return WEFT_ERR_HTTP;
    return ++body->extra > WEFT_HTTP1_BODY_EXTRA_MAX ? WEFT_ERR_TOO_BIG : 0;
}

/* White space behind a size has to lead to an extension (RFC 9112 §7.1.1). */
static int read_before_ext(struct weft_http1_body *body, uint8_t c)
{
    if (c == '\r')
        return WEFT_ERR_HTTP;
    if (c == ';')
        body->state = STATE_EXT;
    return drop(body, c, c == ';' || c == ' ' || c == '\t', STATE_EXT);
}

static int read_trailer(struct weft_http1_body *body, uint8_t c)
{
    if (body->state == STATE_LINE && c == '\r') {
        body->state = STATE_END_LF;
        return 0;
    }
    if (body->state == STATE_NAME && c == ':') {
        body->state = STATE_VALUE;
        return 0;
    }
    if (!is_name_byte(c)) /* RFC 9112 §5.1, §5.2: no folding, no space before the colon */
        return WEFT_ERR_HTTP;
    body->state = STATE_NAME;
    return drop(body, c, true, STATE_NAME);
}

/* The line behind a size is over: content follows, or after the last chunk the trailers. */
static int end_size(struct weft_http1_body *body, uint8_t c)
{
    body->room -= body->left;
    body->digits = 0;
    return expect(body, c, '\n', body->left ? STATE_DATA : STATE_LINE);
}

/* One byte of framing. */
static int read_byte(struct weft_http1_body *body, uint8_t c)
{
    switch (body->state) {
    case STATE_SIZE:
        return read_size(body, c);
    case STATE_BEFORE_EXT:
        return read_before_ext(body, c);
    case STATE_EXT:
        return drop(body, c, is_value_byte(c), STATE_SIZE_LF);
    case STATE_SIZE_LF:
        return end_size(body, c);
    case STATE_DATA_CR:
        return expect(body, c, '\r', STATE_DATA_LF);
    case STATE_DATA_LF:
        return expect(body, c, '\n', STATE_SIZE);
    case STATE_VALUE:
        return drop(body, c, is_value_byte(c), STATE_TRAILER_LF);
    case STATE_TRAILER_LF:
        return expect(body, c, '\n', STATE_LINE);
    case STATE_END_LF:
        return expect(body, c, '\n', STATE_DONE);
    default:
        return read_trailer(body, c);
    }
}

/* Takes what there is of the content being read. */
static size_t take_content(struct weft_http1_body *body, const uint8_t *data, size_t len,
                           struct weft_slice *ret_content)
{
    size_t n = len < body->left ? len : (size_t)body->left;
    *ret_content = weft__slice(data, n);
    body->left -= n;
    if (body->left == 0)
        body->state = body->state == STATE_LENGTH ? STATE_DONE : STATE_DATA_CR;
    return n;
}

ptrdiff_t weft__http1_body_read(struct weft_http1_body *body, const uint8_t *data, size_t len,
                                struct weft_slice *ret_content)
{
    size_t at = 0;
    *ret_content = weft__slice(NULL, 0);
    while (at < len && body->state != STATE_DONE) {
        if (body->state == STATE_LENGTH || body->state == STATE_DATA)
            return (ptrdiff_t)(at + take_content(body, data + at, len - at, ret_content));
        int err = read_byte(body, data[at]);
        if (err)
            return err;
        at++;
    }
    return (ptrdiff_t)at;
}
