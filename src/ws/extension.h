/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sec-WebSocket-Extensions (RFC 6455 §9.1) and the one extension there is, permessage-deflate
 * (RFC 7692 §7.1): reading offers and answers, deciding, writing.
 *
 *   server:  weft__ws_extensions_offered ─► weft__ws_deflate_answer ─► weft__ws_extensions_write
 *   client:  weft__ws_extensions_write ─► weft__ws_extensions_answered
 *   both:    weft__ws_deflate_agreed: what it means for messages
 *
 * **Thread:** pure functions; any thread.
 */
#ifndef WEFT_WS_EXTENSION_H
#define WEFT_WS_EXTENSION_H

#include "base/bytes.h"
#include "codec/http1.h"

enum {
    WEFT_WS_DEFLATE_BITS_ANY = 255, /* a window parameter without a value */
};

/* The parameters of an offer or an answer, RFC 7692 §7.1. All zero: no permessage-deflate. */
struct weft_ws_deflate_params {
    bool on;
    bool server_no_takeover; /* server_no_context_takeover */
    bool client_no_takeover; /* client_no_context_takeover */
    uint8_t server_bits;     /* server_max_window_bits: 8 to 15; 0: absent */
    uint8_t client_bits;     /* client_max_window_bits: the same; _BITS_ANY only in an offer */
};

/* What was agreed on, as one end sees it. All zero: messages are not compressed. */
struct weft_ws_deflate {
    bool on;
    bool out_takeover; /* messages sent may refer to those before */
    bool in_takeover;  /* messages received may */
    uint8_t out_bits;  /* log2 of the receiver's window in bytes: 8 to 15 */
    uint8_t in_bits;   /* of our own */
};

/*
 * Reads what the client of request |head| offers: the first offer of permessage-deflate that is
 * well-formed (RFC 7692 §7.1: one with an unknown, doubled or wrong parameter is declined), or
 * none.
 * **Errors:** WEFT_ERR_HANDSHAKE when a header is not a list of extensions at all (RFC 6455 §9.1).
 */
WEFT_MUST_USE int weft__ws_extensions_offered(const struct weft_http1_head *head,
                                              struct weft_ws_deflate_params *ret_offer);

/* What a server says to |offer|. |takeover|: whether it wants contexts kept where the client allows
 * it. */
struct weft_ws_deflate_params weft__ws_deflate_answer(const struct weft_ws_deflate_params *offer,
                                                      bool takeover);

/*
 * Reads what the server's answer |head| says to |offer|. **Errors:** WEFT_ERR_HANDSHAKE: malformed,
 * an extension or a parameter that was not offered, or not what the offer asked for (RFC 6455 §4.1,
 * RFC 7692 §7.1): the connection is to be failed.
 */
WEFT_MUST_USE int weft__ws_extensions_answered(const struct weft_http1_head *head,
                                               const struct weft_ws_deflate_params *offer,
                                               struct weft_ws_deflate_params *ret_answer);

/* Writes the header; nothing when |params| is not on. **Errors:** sticky in |out|. */
void weft__ws_extensions_write(struct weft_bytes *out, const struct weft_ws_deflate_params *params);

/* What |answer| means for the server or the client. |takeover|: whether this end wants to refer to
 * earlier messages where it may. */
struct weft_ws_deflate weft__ws_deflate_agreed(const struct weft_ws_deflate_params *answer,
                                               bool is_server, bool takeover);

#endif
