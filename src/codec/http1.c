/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP/1 head parser: a scan for the end that lets no control character pass, the start line,
 * the header lines, and then the rules about framing and Host on which smuggling rests.
 */
#include "codec/http1.h"

/* What a byte may be part of; RFC 9110 §5.6.2 and §5.5, RFC 3986 §3.2.2. */
enum {
    CLASS_TOKEN = 1,
    CLASS_VALUE = 2,  /* tab, visible ASCII, space, bytes from 0x80 */
    CLASS_TARGET = 4, /* visible ASCII but '#' */
    CLASS_HOST = 8,   /* letters, digits, "-._~", sub-delims */
};

static unsigned classify(uint8_t c)
{
    bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    unsigned class = 0;
    if (alnum || (c && strchr("!#$%&'*+-.^_`|~", c)))
        class |= CLASS_TOKEN;
    if (c == '\t' || (c >= ' ' && c != 0x7f))
        class |= CLASS_VALUE;
    if (c > ' ' && c < 0x7f && c != '#')
        class |= CLASS_TARGET;
    if (alnum || (c && strchr("-._~!$&'()*+,;=", c)))
        class |= CLASS_HOST;
    return class;
}

/* Whether every byte of |s| is of |class|. */
static bool all_of(struct weft_slice s, unsigned class)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!(classify(s.ptr[i]) & class))
            return false;
    }
    return true;
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

bool weft__http1_equal_nocase(struct weft_slice a, struct weft_slice b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    }
    return true;
}

bool weft__http1_is_token(struct weft_slice s)
{
    return s.len > 0 && all_of(s, CLASS_TOKEN);
}

bool weft__http1_is_value(struct weft_slice s)
{
    return all_of(s, CLASS_VALUE);
}

bool weft__http1_is_target(struct weft_slice s)
{
    return s.len > 0 && s.ptr[0] == '/' && all_of(s, CLASS_TARGET);
}

/* Digits only, at most 65535; |s| is what follows the colon, maybe nothing (RFC 3986 §3.2.3). */
static bool is_port(struct weft_slice s)
{
    unsigned port = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
        port = port * 10 + (s.ptr[i] - (unsigned)'0');
        if (port > 65535)
            return false;
    }
    return true;
}

bool weft__http1_is_host(struct weft_slice s)
{
    size_t name_len = 0;
    if (s.len && s.ptr[0] == '[') {
        const uint8_t *end = memchr(s.ptr, ']', s.len);
        if (!end || end - s.ptr < 3)
            return false;
        name_len = (size_t)(end - s.ptr) + 1;
        for (size_t i = 1; i + 1 < name_len; i++) {
            if (s.ptr[i] != ':' && !(classify(s.ptr[i]) & CLASS_HOST))
                return false;
        }
    } else {
        while (name_len < s.len && s.ptr[name_len] != ':')
            name_len++;
        if (name_len == 0 || !all_of(weft__slice(s.ptr, name_len), CLASS_HOST))
            return false;
    }
    if (name_len == s.len)
        return true;
    return s.ptr[name_len] == ':' &&
           is_port(weft__slice(s.ptr + name_len + 1, s.len - name_len - 1));
}

/* Looks for the empty line from |*scanned| on. Returns the length of the head, 0 when more is
 * needed, WEFT_ERR_HTTP for a byte that may not occur, WEFT_ERR_TOO_BIG. */
static ptrdiff_t scan(const uint8_t *data, size_t len, size_t *scanned)
{
    size_t end = len < WEFT_HTTP1_HEAD_MAX ? len : WEFT_HTTP1_HEAD_MAX;
    size_t at = *scanned;
    for (; at < end; at++) {
        uint8_t c = data[at];
        if ((c >= ' ' && c != 0x7f) || c == '\t')
            continue;
        if (c == '\r') {
            if (at + 1 == end)
                break; /* look again when the next byte is there */
            /* RFC 9112 §2.2: a bare CR is invalid. */
            if (data[at + 1] != '\n')
                return WEFT_ERR_HTTP;
        } else if (c == '\n') {
            /* A bare LF may be taken for a line's end (§2.2), which is how requests are smuggled.
             */
            if (at == 0 || data[at - 1] != '\r')
                return WEFT_ERR_HTTP;
            if (at >= 3 && data[at - 2] == '\n')
                return (ptrdiff_t)at + 1;
        } else {
            return WEFT_ERR_HTTP;
        }
    }
    *scanned = at;
    return len >= WEFT_HTTP1_HEAD_MAX ? WEFT_ERR_TOO_BIG : 0;
}

/* Takes the next line off |rest|, which ends with CRLF. */
static struct weft_slice next_line(struct weft_slice *rest)
{
    const uint8_t *cr = memchr(rest->ptr, '\r', rest->len);
    struct weft_slice line = weft__slice(rest->ptr, (size_t)(cr - rest->ptr));
    rest->ptr += line.len + 2;
    rest->len -= line.len + 2;
    return line;
}

/* Takes the part of |line| before its first |separator|; all of it when there is none. */
static struct weft_slice take_until(struct weft_slice *line, uint8_t separator)
{
    const uint8_t *p = line->len ? memchr(line->ptr, separator, line->len) : NULL;
    struct weft_slice part = weft__slice(line->ptr, p ? (size_t)(p - line->ptr) : line->len);
    size_t used = part.len + (p ? 1 : 0);
    line->ptr += used;
    line->len -= used;
    return part;
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

/* "HTTP/1.0" or "HTTP/1.1" → 0; else the status to refuse with. */
static int parse_version(struct weft_slice s, int *ret_minor)
{
    if (s.len != 8 || memcmp(s.ptr, "HTTP/", 5) != 0 || s.ptr[6] != '.' || s.ptr[5] < '0' ||
        s.ptr[5] > '9' || s.ptr[7] < '0' || s.ptr[7] > '9')
        return 400;
    if (s.ptr[5] != '1' || s.ptr[7] > '1')
        return 505;
    *ret_minor = s.ptr[7] - '0';
    return 0;
}

/* Splits "http://authority/path" (RFC 9112 §3.2.2). False when |target| is not of that form. */
static bool split_absolute(struct weft_slice target, struct weft_slice *ret_authority,
                           struct weft_slice *ret_target)
{
    size_t scheme = target.len >= 8 && target.ptr[4] == 's' ? 8 : 7;
    if (target.len <= scheme ||
        !weft__http1_equal_nocase(weft__slice(target.ptr, scheme),
                                  weft__slice(scheme == 8 ? "https://" : "http://", scheme)))
        return false;
    struct weft_slice rest = weft__slice(target.ptr + scheme, target.len - scheme);
    const uint8_t *slash = memchr(rest.ptr, '/', rest.len);
    size_t authority = slash ? (size_t)(slash - rest.ptr) : rest.len;
    if (authority == 0)
        return false;
    *ret_authority = weft__slice(rest.ptr, authority);
    *ret_target = slash ? weft__slice(slash, rest.len - authority) : WEFT_SLICE_LIT("/");
    return true;
}

/* method SP target SP version. 0, or the status to refuse with. |ret_authority| is empty unless the
 * target is in absolute form. */
static int parse_request_line(struct weft_slice line, struct weft_http1_head *head,
                              struct weft_slice *ret_authority)
{
    /* RFC 9112 §3: exactly one space between the parts; more or other white space is refused. */
    head->method = take_until(&line, ' ');
    if (!weft__http1_is_token(head->method))
        return 400;
    if (head->method.len > WEFT_HTTP1_METHOD_MAX)
        return 501;
    head->target = take_until(&line, ' ');
    if (head->target.len > WEFT_HTTP1_TARGET_MAX)
        return 414;
    int status = parse_version(line, &head->minor);
    if (status)
        return status;
    *ret_authority = weft__slice(NULL, 0);
    if (head->target.len && head->target.ptr[0] != '/' &&
        !split_absolute(head->target, ret_authority, &head->target))
        return 400; /* authority-form and "*" are for methods that are not served */
    return weft__http1_is_target(head->target) ? 0 : 400;
}

/* version SP status [SP reason]. False when malformed. */
static bool parse_status_line(struct weft_slice line, struct weft_http1_head *head)
{
    if (parse_version(take_until(&line, ' '), &head->minor) != 0)
        return false;
    struct weft_slice code = take_until(&line, ' ');
    if (code.len != 3 || code.ptr[0] < '1')
        return false;
    int status = 0;
    for (size_t i = 0; i < 3; i++) {
        if (code.ptr[i] < '0' || code.ptr[i] > '9')
            return false;
        status = status * 10 + (code.ptr[i] - '0');
    }
    head->status = status;
    head->reason = line;
    return true;
}

/* The header lines of |rest|, which ends with the empty line. 0, or the status to refuse with. */
static int parse_headers(struct weft_slice rest, struct weft_http1_head *head)
{
    head->header_count = 0;
    for (;;) {
        struct weft_slice line = next_line(&rest);
        if (line.len == 0)
            return 0;
        if (head->header_count == WEFT_HTTP1_HEADERS_MAX)
            return 431;
        /* A name is a token, so neither a folded line (RFC 9112 §5.2) nor white space before the
         * colon (§5.1) gets past this. */
        if (!memchr(line.ptr, ':', line.len))
            return 400;
        struct weft_slice name = take_until(&line, ':');
        if (!weft__http1_is_token(name))
            return 400;
        head->headers[head->header_count++] = (struct weft_http1_header){name, trim(line)};
    }
}

/* RFC 9112 §6.3: what tells where the message ends must be said once and in one way. 0, or the
 * status to refuse with. */
static int parse_framing(struct weft_http1_head *head)
{
    const struct weft_http1_header *length = weft__http1_find(head, "content-length");
    const struct weft_http1_header *coding = weft__http1_find(head, "transfer-encoding");
    head->content_length = -1;
    head->chunked = false;
    if (coding) {
        if (length || head->minor == 0 || weft__http1_count(head, "transfer-encoding") != 1)
            return 400;
        if (!weft__http1_equal_nocase(coding->value, WEFT_SLICE_LIT("chunked")))
            return 501; /* §6.1 */
        head->chunked = true;
    }
    if (!length)
        return 0;
    if (weft__http1_count(head, "content-length") != 1 || length->value.len == 0 ||
        length->value.len > 18)
        return 400;
    int64_t value = 0;
    for (size_t i = 0; i < length->value.len; i++) {
        uint8_t c = length->value.ptr[i];
        if (c < '0' || c > '9')
            return 400;
        value = value * 10 + (c - '0');
    }
    head->content_length = value;
    return 0;
}

/* RFC 9112 §3.2: a request of HTTP/1.1 has exactly one Host, and it is well-formed. An absolute
 * target has to name the same one, so that nobody can be of two opinions. */
static int parse_host(struct weft_http1_head *head, struct weft_slice authority)
{
    size_t count = weft__http1_count(head, "host");
    head->host = weft__slice(NULL, 0);
    if (count == 0)
        return head->minor == 0 && authority.len == 0 ? 0 : 400;
    head->host = weft__http1_find(head, "host")->value;
    if (count != 1 || !weft__http1_is_host(head->host))
        return 400;
    if (authority.len && !weft__http1_equal_nocase(authority, head->host))
        return 400;
    return 0;
}

/* RFC 9112 §9.3. */
static void parse_keep_alive(struct weft_http1_head *head)
{
    if (head->minor == 0)
        head->keep_alive = weft__http1_has_token(head, "connection", "keep-alive");
    else
        head->keep_alive = !weft__http1_has_token(head, "connection", "close");
}

/* The whole head in |data|. 0, or the status to refuse with. */
static int parse_request(struct weft_slice data, struct weft_http1_head *head)
{
    struct weft_slice authority;
    int status = parse_request_line(next_line(&data), head, &authority);
    if (status == 0)
        status = parse_headers(data, head);
    if (status == 0)
        status = parse_host(head, authority);
    if (status == 0)
        status = parse_framing(head);
    if (status == 0)
        parse_keep_alive(head);
    return status;
}

ptrdiff_t weft__http1_read_request(const uint8_t *data, size_t len, size_t *scanned,
                                   struct weft_http1_head *ret_head, int *ret_status)
{
    ptrdiff_t n = scan(data, len, scanned);
    if (n == 0)
        return 0;
    int status = n == WEFT_ERR_TOO_BIG ? 431 : 400;
    if (n > 0) {
        ret_head->reason = weft__slice(NULL, 0);
        ret_head->status = 0;
        status = parse_request(weft__slice(data, (size_t)n), ret_head);
    }
    if (status == 0)
        return n;
    *ret_status = status;
    return WEFT_ERR_HTTP;
}

ptrdiff_t weft__http1_read_response(const uint8_t *data, size_t len, size_t *scanned,
                                    struct weft_http1_head *ret_head)
{
    ptrdiff_t n = scan(data, len, scanned);
    if (n == 0)
        return 0;
    if (n < 0)
        return WEFT_ERR_HTTP;
    struct weft_slice rest = weft__slice(data, (size_t)n);
    ret_head->method = ret_head->target = ret_head->host = weft__slice(NULL, 0);
    if (!parse_status_line(next_line(&rest), ret_head) || parse_headers(rest, ret_head) != 0 ||
        parse_framing(ret_head) != 0)
        return WEFT_ERR_HTTP;
    parse_keep_alive(ret_head);
    return n;
}

static const struct weft_http1_header *find_from(const struct weft_http1_head *head, size_t from,
                                                 struct weft_slice name)
{
    for (size_t i = from; i < head->header_count; i++) {
        if (weft__http1_equal_nocase(head->headers[i].name, name))
            return &head->headers[i];
    }
    return NULL;
}

const struct weft_http1_header *weft__http1_find(const struct weft_http1_head *head,
                                                 const char *name)
{
    return find_from(head, 0, weft__slice_str(name));
}

size_t weft__http1_count(const struct weft_http1_head *head, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < head->header_count; i++)
        count += weft__http1_equal_nocase(head->headers[i].name, weft__slice_str(name));
    return count;
}

bool weft__http1_list_next(const struct weft_http1_head *head, const char *name,
                           struct weft_http1_list *at, struct weft_slice *ret_element)
{
    const struct weft_http1_header *header;
    while ((header = find_from(head, at->header, weft__slice_str(name))) != NULL) {
        at->header = (size_t)(header - head->headers);
        struct weft_slice rest =
            weft__slice(header->value.ptr + at->offset, header->value.len - at->offset);
        while (rest.len) {
            struct weft_slice element = trim(take_until(&rest, ','));
            at->offset = header->value.len - rest.len;
            if (element.len) {
                *ret_element = element;
                return true;
            }
        }
        at->header++;
        at->offset = 0;
    }
    return false;
}

bool weft__http1_has_token(const struct weft_http1_head *head, const char *name, const char *token)
{
    struct weft_http1_list at = {0};
    struct weft_slice element;
    while (weft__http1_list_next(head, name, &at, &element)) {
        if (weft__http1_equal_nocase(element, weft__slice_str(token)))
            return true;
    }
    return false;
}
