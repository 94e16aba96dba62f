/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PROXY protocol's header, versions 1 (text) and 2 (binary), with which a proxy says whose
 * connection it passes on (HAProxy, "The PROXY protocol", sections 2.1 to 2.3).
 *
 *   PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n
 *   0D 0A 0D 0A 00 0D 0A 51 55 49 54 0A │ 21 │ 11 │ 00 0C │ addresses, ports │ TLVs
 *
 * The reader is strict: a header that two readers could understand differently is refused.
 */
#ifndef WEFT_CODEC_PROXY_H
#define WEFT_CODEC_PROXY_H

#include "base/compiler.h"

#include <stddef.h>
#include <stdint.h>
#include <weft/err.h>

enum {
    WEFT_PROXY_V1_MAX = 107,  /* bytes of a text header, its end of line included (§2.1) */
    WEFT_PROXY_V2_HEAD = 16,  /* bytes of a binary header before its length counts */
    WEFT_PROXY_V2_MAX = 4096, /* bytes behind those: addresses and TLVs */
};

/* Whose connection it is. */
enum weft_proxy_family {
    WEFT_PROXY_FAMILY_NONE, /* not said: the proxy's own (LOCAL, UNKNOWN), or of a kind without
                               addresses; the connection's real ends count */
    WEFT_PROXY_FAMILY_IP4,
    WEFT_PROXY_FAMILY_IP6,
    WEFT_PROXY_FAMILY_UNIX, /* a socket of the proxy's machine; its names are not read */
};

struct weft_proxy_header {
    enum weft_proxy_family family;
    uint8_t source[16]; /* network byte order, the first 4 bytes for IPv4 */
    uint8_t destination[16];
    uint16_t source_port;
    uint16_t destination_port;
    uint8_t version; /* 1 or 2 */
};

/*
 * Reads a header at the beginning of |data|. Returns its length, and 0 when |len| bytes are not
 * enough to tell: it is called again with the same bytes and more.
 * **Errors:** WEFT_ERR_PROTOCOL (no header, a malformed one, or a wrong checksum),
 * WEFT_ERR_TOO_BIG. As early as can be: bytes that cannot begin a header are an error at once.
 */
WEFT_MUST_USE ptrdiff_t weft__proxy_read(const uint8_t *data, size_t len,
                                         struct weft_proxy_header *ret_header);

#endif
