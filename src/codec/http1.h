/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1 heads (RFC 9110, RFC 9112): a parser of requests and responses for a peer that may be
 * hostile, and a writer that cannot be made to emit a line of somebody else's. Whatever two
 * implementations could read in two ways is refused: the parser accepts one spelling of everything.
 *
 *   method SP target SP HTTP/1.x CRLF  (name ":" OWS value OWS CRLF)*  CRLF
 *
 * Parsing has two steps. While the head is incomplete only new bytes are looked at, once, for bytes
 * that may not occur; when the empty line is there, the whole is taken apart. Slices point into the
 * caller's bytes; nothing is allocated.
 *
 * **Thread:** pure functions; any thread.
 */
#ifndef WEFT_CODEC_HTTP1_H
#define WEFT_CODEC_HTTP1_H

#include "base/bytes.h"
#include "base/slice.h"

#include <weft/err.h>

enum {
    WEFT_HTTP1_HEAD_MAX = 16384,  /* bytes of a head, its empty line included → 431 */
    WEFT_HTTP1_HEADERS_MAX = 100, /* header lines → 431 */
    WEFT_HTTP1_METHOD_MAX = 32,   /* bytes → 501 */
    WEFT_HTTP1_TARGET_MAX = 8192, /* bytes → 414 */
};

struct weft_http1_header {
    struct weft_slice name;  /* a token, case as it came */
    struct weft_slice value; /* without the white space around it; may be empty */
};

/* A parsed head. **Lifetime:** its slices point into the bytes that were parsed. */
struct weft_http1_head {
    struct weft_slice method; /* request: a token; methods are case-sensitive */
    struct weft_slice target; /* request: path and query as they came, begins with '/' */
    struct weft_slice host;   /* the value of Host; empty only in HTTP/1.0 and responses */
    struct weft_slice reason; /* response: may be empty */
    int status;               /* response: 100 to 999 */
    int minor;                /* 0 or 1: the version is HTTP/1.minor */
    int64_t content_length;   /* -1 when absent */
    bool chunked;             /* Transfer-Encoding: chunked */
    bool keep_alive;          /* from the version and Connection */
    size_t header_count;
    struct weft_http1_header headers[WEFT_HTTP1_HEADERS_MAX];
};

/* Parses the request head at |data|, of which |len| bytes are there. |scanned| is 0 at the first
 * call and kept by the caller between calls on the same growing data (which may move). Returns the
 * length of the head, or 0 when more bytes are needed.
 * **Errors:** WEFT_ERR_HTTP, and the status to answer in |ret_status|: 400, 414, 431, 501 or 505.
 * The connection must then be closed: where the next request begins is unknown. */
WEFT_MUST_USE ptrdiff_t weft__http1_read_request(const uint8_t *data, size_t len, size_t *scanned,
                                                 struct weft_http1_head *ret_head, int *ret_status);

/* Parses a response head in the same way. **Errors:** WEFT_ERR_HTTP. */
WEFT_MUST_USE ptrdiff_t weft__http1_read_response(const uint8_t *data, size_t len, size_t *scanned,
                                                  struct weft_http1_head *ret_head);

/* The first header called |name| (any case), or NULL. */
const struct weft_http1_header *weft__http1_find(const struct weft_http1_head *head,
                                                 const char *name);

/* How many headers are called |name| (any case). */
size_t weft__http1_count(const struct weft_http1_head *head, const char *name);

/* Walks the elements of all headers called |name|, which are comma-separated lists. Start with
 * |at| = {0}. Empty elements are skipped. False at the end. */
struct weft_http1_list {
    size_t header; /* index of the header being read */
    size_t offset; /* where in its value */
};
bool weft__http1_list_next(const struct weft_http1_head *head, const char *name,
                           struct weft_http1_list *at, struct weft_slice *ret_element);

/* Whether the list of all headers called |name| has the element |token|, in any case. */
bool weft__http1_has_token(const struct weft_http1_head *head, const char *name, const char *token);

/* Whether the Accept-Encoding of a request allows |coding| ("br", "gzip"; RFC 9110 §12.5.3): named,
 * or covered by "*", with a weight that is not 0. */
bool weft__http1_accepts_coding(const struct weft_http1_head *head, const char *coding);

/* Whether |s| is a token (RFC 9110 §5.6.2): not empty, no separators. */
bool weft__http1_is_token(struct weft_slice s);

/* Whether |s| may be a header's value: no control characters but the tab (RFC 9110 §5.5). */
bool weft__http1_is_value(struct weft_slice s);

/* Whether |s| may be a target that begins with '/': visible ASCII, no '#'. */
bool weft__http1_is_target(struct weft_slice s);

/* Whether |s| may be a Host: a name, an address or a bracketed address, maybe with a port. */
bool weft__http1_is_host(struct weft_slice s);

/* Whether |a| and |b| are equal but for the case of ASCII letters. */
bool weft__http1_equal_nocase(struct weft_slice a, struct weft_slice b);

/* The standard phrase of |status|, "" for an unknown one. **Lifetime:** static. */
const char *weft__http1_reason(int status);

/* The writer. A head is one start line, any headers, one end. Each call appends to |out|, whose
 * sticky error becomes WEFT_ERR_USAGE when something could not stand in a head (for example a value
 * with CR or LF); weft__bytes_error(out) tells at the end. */
void weft__http1_write_request(struct weft_bytes *out, struct weft_slice method,
                               struct weft_slice target);
void weft__http1_write_status(struct weft_bytes *out, int status);
void weft__http1_write_header(struct weft_bytes *out, struct weft_slice name,
                              struct weft_slice value);
void weft__http1_write_header_str(struct weft_bytes *out, const char *name, const char *value);
void weft__http1_write_header_u64(struct weft_bytes *out, const char *name, uint64_t value);
void weft__http1_write_end(struct weft_bytes *out);

/* Splits a target at its first '?'. |ret_query| is empty when there is none. */
void weft__http1_target_split(struct weft_slice target, struct weft_slice *ret_path,
                              struct weft_slice *ret_query);

/* Decodes %XX in |s| into |ret_data| of |cap| bytes; |plus| also reads '+' as a space, as queries
 * do. Returns the decoded length. The result may hold any byte, also 0.
 * **Errors:** WEFT_ERR_HTTP for a '%' without two hexadecimal digits, WEFT_ERR_TOO_BIG. */
WEFT_MUST_USE ptrdiff_t weft__http1_percent_decode(struct weft_slice s, bool plus, void *ret_data,
                                                   size_t cap);

/* Finds the first parameter |name| in |query| ("a=1&b=%20") and decodes its value into |ret_data|
 * of |cap| bytes; returns the value's length. Names are compared decoded.
 * **Errors:** WEFT_ERR_NOT_FOUND, those of weft__http1_percent_decode. */
WEFT_MUST_USE ptrdiff_t weft__http1_query_get(struct weft_slice query, const char *name,
                                              void *ret_data, size_t cap);

#endif
