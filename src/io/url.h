/* SPDX-License-Identifier: Apache-2.0 */
/* A WebSocket URL (RFC 6455 §3) taken apart: ws://HOST[:PORT][/PATH][?QUERY]. Thread: any. */
#ifndef WEFT_IO_URL_H
#define WEFT_IO_URL_H

#include "base/slice.h"
#include "io/address.h"

enum { WEFT_URL_TARGET_SIZE = 4096 };

struct weft_url {
    bool secure;                         /* wss */
    uint16_t port;                       /* 80 or 443 when none is given */
    char host[WEFT_HOST_SIZE];           /* to resolve: an IPv6 address is without brackets */
    char authority[WEFT_HOST_SIZE + 10]; /* for the Host header, as in the URL */
    char target[WEFT_URL_TARGET_SIZE];   /* begins with '/' */
};

/* Takes |text| apart. User information and fragments are refused (RFC 6455 §3).
 * **Errors:** WEFT_ERR_USAGE. */
WEFT_MUST_USE int weft__url_parse(const char *text, struct weft_url *ret_url);

#endif
