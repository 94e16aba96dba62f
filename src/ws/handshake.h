/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The opening handshake of RFC 6455 §4, both ends, without I/O: a server decides about a parsed
 * request head and writes the answer; a client writes the request and checks the answer's head.
 *
 *   server:  weft__http1_read_request ─► weft__ws_upgrade_wanted ─► weft__ws_upgrade_check
 *              ─► (the caller looks at host, origin, target) ─► weft__ws_upgrade_accept | _refuse
 *   client:  weft__ws_request_write ─► weft__http1_read_response ─► weft__ws_response_check
 *
 * The only extension is permessage-deflate (ws/extension.h): the request carries what is offered,
 * the answer what the caller makes of it.
 *
 * **Thread:** pure functions; any thread.
 */
#ifndef WEFT_WS_HANDSHAKE_H
#define WEFT_WS_HANDSHAKE_H

#include "base/bytes.h"
#include "base/slice.h"
#include "codec/http1.h"
#include "port/crypto.h"
#include "ws/extension.h"

#include <weft/err.h>

enum {
    WEFT_WS_KEY_LEN = 24,       /* a key: 16 bytes in base64 */
    WEFT_WS_NONCE_LEN = 16,     /* those bytes */
    WEFT_WS_ACCEPT_LEN = 28,    /* the answer to it: a SHA-1 digest in base64 */
    WEFT_WS_PROTOCOLS_MAX = 32, /* most subprotocols a client may offer */
};

/* What a valid upgrade request asked for. **Lifetime:** slices of the request's bytes, but
 * |protocol|, which is the entry of the server's own list. */
struct weft_ws_upgrade {
    struct weft_slice key;
    struct weft_slice host;
    struct weft_slice origin;            /* empty when !has_origin */
    bool has_origin;                     /* browsers always send one */
    struct weft_slice protocol;          /* the subprotocol chosen; empty when none */
    struct weft_ws_deflate_params offer; /* of permessage-deflate; not on: none that is valid */
};

/* Whether |head| asks for the protocol "websocket" at all, well-formed or not; if not, it is an
 * ordinary HTTP request. */
bool weft__ws_upgrade_wanted(const struct weft_http1_head *head);

/* Decides whether the request may become a WebSocket (RFC 6455 §4.2.1). Of the |count| subprotocols
 * in |protocols| the one is chosen that comes first in the *client's* list; none in common is no
 * error: the answer then names none.
 * **Errors:** WEFT_ERR_HANDSHAKE, and the HTTP status for weft__ws_upgrade_refuse in |ret_status|:
 * 405 for another method than GET, 426 for another version of the protocol, 400 for the rest. */
WEFT_MUST_USE int weft__ws_upgrade_check(const struct weft_http1_head *head,
                                         const struct weft_slice *protocols, size_t count,
                                         struct weft_ws_upgrade *ret_upgrade, int *ret_status);

/* Writes the 101 answer, with |deflate| (from weft__ws_deflate_answer; NULL: none) and |count| more
 * headers |extra|. **Errors:** WEFT_ERR_USAGE when an extra header is not well-formed, those of
 * |crypto| and |out|. */
WEFT_MUST_USE int weft__ws_upgrade_accept(struct weft_bytes *out,
                                          const struct weft_ws_upgrade *upgrade,
                                          const struct weft_crypto *crypto,
                                          const struct weft_ws_deflate_params *deflate,
                                          const struct weft_http1_header *extra, size_t count);

/* Writes a complete answer with |status|, |count| more headers |extra| and |text| as its plain text
 * body (NULL: the status' own phrase). It says `Connection: close`; 426 names the version spoken,
 * 405 the method allowed. **Errors:** as weft__ws_upgrade_accept. */
WEFT_MUST_USE int weft__ws_upgrade_refuse(struct weft_bytes *out, int status, const char *text,
                                          const struct weft_http1_header *extra, size_t count);

/* What a client asks for. */
struct weft_ws_request {
    struct weft_slice host;             /* "example.org" or "example.org:8080", as in the URL */
    struct weft_slice target;           /* path and query, begins with '/' */
    struct weft_slice origin;           /* empty: none is sent */
    const struct weft_slice *protocols; /* subprotocols in order of preference */
    size_t protocol_count;
    struct weft_ws_deflate_params deflate; /* what is offered; all zero: nothing */
    const struct weft_http1_header *extra; /* more headers */
    size_t extra_count;
};

/* Writes the request. |nonce| is random; the key made of it is what weft__ws_response_check needs.
 * **Errors:** WEFT_ERR_USAGE for a host, target, protocol (not a token, or twice) or header that is
 * not well-formed; those of |out|. */
WEFT_MUST_USE int weft__ws_request_write(struct weft_bytes *out,
                                         const struct weft_ws_request *request,
                                         const uint8_t nonce[WEFT_WS_NONCE_LEN],
                                         char ret_key[WEFT_WS_KEY_LEN + 1]);

/* Checks the answer (RFC 6455 §4.1): status 101, Upgrade, Connection, the right Accept, and an
 * extension or a subprotocol only if |request| offered it. |ret_protocol| gets that entry of
 * request->protocols, or an empty slice, |ret_deflate| what the server says to request->deflate.
 * **Errors:** WEFT_ERR_HANDSHAKE (look at head->status for a refusal), those of |crypto|. */
WEFT_MUST_USE int weft__ws_response_check(const struct weft_http1_head *head,
                                          const struct weft_ws_request *request,
                                          const char key[WEFT_WS_KEY_LEN],
                                          const struct weft_crypto *crypto,
                                          struct weft_slice *ret_protocol,
                                          struct weft_ws_deflate_params *ret_deflate);

/* The value of Sec-WebSocket-Accept for |key|, without a terminating zero (RFC 6455 §4.2.2).
 * **Errors:** those of |crypto|. */
WEFT_MUST_USE int weft__ws_accept_value(const struct weft_crypto *crypto, struct weft_slice key,
                                        char ret_accept[WEFT_WS_ACCEPT_LEN]);

#endif
