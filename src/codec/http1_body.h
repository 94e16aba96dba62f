/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The body of an HTTP/1 request (RFC 9112 §6, §7.1): finds out where it ends and which of its bytes
 * are content, whatever pieces it comes in. Content is handed on where it lies.
 *
 *   Content-Length: n      n bytes
 *   chunked                (size [;extensions] CRLF content CRLF)*  0 CRLF  trailers CRLF
 *   neither                nothing
 *
 * As with heads (codec/http1.h), what two readers could take in two ways is refused: line ends are
 * CRLF, sizes have at most 16 digits, nothing but an extension stands behind one. Extensions and
 * trailers are read and dropped. Nothing is allocated.
 *
 * **Thread:** one at a time.
 */
#ifndef WEFT_CODEC_HTTP1_BODY_H
#define WEFT_CODEC_HTTP1_BODY_H

#include "codec/http1.h"

enum {
    WEFT_HTTP1_BODY_EXTRA_MAX = 16384, /* bytes of extensions and trailers of one body */
};

/* Private. */
struct weft_http1_body {
    uint64_t left;  /* content bytes to come, of the body or of the chunk */
    uint64_t room;  /* content bytes that may be announced yet */
    uint32_t extra; /* bytes of extensions and trailers so far */
    uint8_t state;
    uint8_t digits; /* of the size being read */
};

/* The body that |head| announces, of at most |limit| content bytes. **Errors:** WEFT_ERR_TOO_BIG:
 * its Content-Length says more. */
WEFT_MUST_USE int weft__http1_body_init(struct weft_http1_body *body,
                                        const struct weft_http1_head *head, uint64_t limit);

/* Whether all of it was read; true from the beginning for one that is empty. */
bool weft__http1_body_is_done(const struct weft_http1_body *body);

/*
 * Reads from the |len| bytes at |data| up to the end of the next run of content, or of the body,
 * or of |data|. Returns how many bytes that were, of which |ret_content| is the content, maybe
 * nothing. Once the body is done no byte is used.
 * **Errors:** WEFT_ERR_HTTP, WEFT_ERR_TOO_BIG (more content than |limit| is announced, or more
 * extensions and trailers than WEFT_HTTP1_BODY_EXTRA_MAX). The connection must then be closed:
 * where the next request begins is unknown.
 */
WEFT_MUST_USE ptrdiff_t weft__http1_body_read(struct weft_http1_body *body, const uint8_t *data,
                                              size_t len, struct weft_slice *ret_content);

#endif
