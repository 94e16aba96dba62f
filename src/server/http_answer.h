/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Complete HTTP answers with the headers every answer carries: no sniffing, no framing, no
 * referrer, no foreign scripts, nothing shared across origins (OWASP, "HTTP Security Response
 * Headers Cheat Sheet").
 */
#ifndef WEFT_SERVER_HTTP_ANSWER_H
#define WEFT_SERVER_HTTP_ANSWER_H

#include "codec/http1.h"

enum {
    WEFT_HTTP_NONCE_LEN = 22,        /* characters: 128 bits in base64url */
    WEFT_HTTP_NONCE_SIZE = 25,       /* room for them */
    WEFT_HTTP_RETRY_AFTER_MS = 5000, /* what those are told who came at a bad moment */
};

struct weft_http_answer {
    int status;
    const char *type;   /* Content-Type; NULL: no body, no type (304) */
    size_t length;      /* bytes of the body */
    const char *etag;   /* or NULL */
    const char *coding; /* Content-Encoding, or NULL */
    bool vary;          /* it depends on Accept-Encoding */
    const char *cache;  /* Cache-Control */
    const char *nonce;  /* of the page's inline styles, or NULL */
    const char *allow;  /* for 405, or NULL */
    bool keep_alive;
    bool open_ended;          /* the body ends with the connection; |length| says nothing */
    uint32_t retry_after_s;   /* 0: not said */
    struct weft_slice origin; /* whose pages may read it (CORS); empty: only our own */
    const char *preflight;    /* the methods that they may use, in the answer to OPTIONS; or NULL */
};

/* Writes the head of |answer|. **Errors:** sticky in |out|. */
void weft__http_answer_head(struct weft_bytes *out, const struct weft_http_answer *answer);

/* The headers of answers that something else writes: a refused upgrade, a malformed request.
 * **Lifetime:** static. */
const struct weft_http1_header *weft__http_security_headers(size_t *ret_count);

/* The same and Retry-After, for 429 and 503. **Lifetime:** static. */
const struct weft_http1_header *weft__http_busy_headers(size_t *ret_count);

#endif
