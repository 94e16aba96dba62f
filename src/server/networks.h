/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of addresses: "10.0.0.0/8", "2001:db8::/32", "192.0.2.7". **Thread:** any, once made. */
#ifndef WEFT_SERVER_NETWORKS_H
#define WEFT_SERVER_NETWORKS_H

#include "base/arena.h"
#include "io/address.h"

struct weft_network {
    uint8_t bytes[16]; /* IPv4 inside IPv6 */
    unsigned bits;     /* of these that count */
};

struct weft_networks {
    struct weft_network *list; /* in the arena */
    size_t count;
};

/* Reads |text|. Bits behind the prefix must be zero. **Errors:** WEFT_ERR_USAGE. */
WEFT_MUST_USE int weft__network_parse(const char *text, struct weft_network *ret_network);

/* Reads a NULL-terminated array; NULL is an empty one. **Errors:** WEFT_ERR_USAGE, with the text
 * that is wrong in |ret_wrong|; WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__networks_parse(struct weft_arena *arena, const char *const *texts,
                                       struct weft_networks *ret_networks, const char **ret_wrong);

/* Whether |address| is in one of |networks|. Unix sockets are in none. */
bool weft__networks_have(const struct weft_networks *networks, const struct weft_address *address);

#endif
