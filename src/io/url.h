/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A WebSocket URL taken apart. **Thread:** any.
 *
 *   ws://HOST[:PORT][/PATH][?QUERY]     RFC 6455 §3; wss: alike
 *   ws+unix:SOCKET[:/PATH[?QUERY]]      a Unix socket, in the form that the package `ws` of npm
 * has; without a path "/ws"
 */
#ifndef WEFT_IO_URL_H
#define WEFT_IO_URL_H

#include "base/slice.h"
#include "io/address.h"

enum { WEFT_URL_TARGET_SIZE = 4096 };

struct weft_url {
    char socket[WEFT_ADDRESS_PATH_SIZE]; /* the path of a Unix socket, or "" */
    bool secure;                         /* wss */
    uint16_t port;                       /* 80 or 443 when none is given */
    char host[WEFT_HOST_SIZE];           /* to resolve: an IPv6 address is without brackets */
    char authority[WEFT_HOST_SIZE + 10]; /* for the Host header, as in the URL */
    char target[WEFT_URL_TARGET_SIZE];   /* begins with '/' */
};

/* Takes |text| apart. User information and fragments are refused (RFC 6455 §3).
 * **Errors:** WEFT_ERR_USAGE. */
WEFT_MUST_USE int weft__url_parse(const char *text, struct weft_url *ret_url);

/* The addresses of |url|: its socket's, or those of its host as weft__address_resolve finds them.
 * **Errors:** those of weft__address_resolve. Blocks as that does. */
WEFT_MUST_USE int weft__url_resolve(const struct weft_url *url, int max,
                                    struct weft_address *ret_addresses);

#endif
