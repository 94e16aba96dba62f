/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Socket addresses, IPv4, IPv6 and Unix, as text and as the kernel's structs, and the blocking
 * resolver.
 *
 *   "127.0.0.1:8080"  "[::1]:8080"  "localhost:8080"  ":8080" (every address) "unix:/run/weft.sock"
 *   "8080" is refused
 */
#ifndef WEFT_IO_ADDRESS_H
#define WEFT_IO_ADDRESS_H

#include "base/slice.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <weft/err.h>

struct weft_address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un local; /* "" is a peer that has no name */
    } u;
};

enum {
    WEFT_ADDRESS_TEXT_SIZE = 128, /* the longest text of an address, with port and zero */
    WEFT_ADDRESS_PATH_SIZE = 108, /* the longest path of a Unix socket with its zero */
    WEFT_HOST_SIZE = 254,         /* the longest host name with its zero */
};

/*
 * Splits "HOST:PORT", where HOST may be empty, a name, an IPv4 address or an IPv6 address in
 * brackets (which are not part of |ret_host|). **Errors:** WEFT_ERR_USAGE.
 */
WEFT_MUST_USE int weft__address_split(const char *text, char ret_host[WEFT_HOST_SIZE],
                                      uint16_t *ret_port);

/*
 * Reads an address to listen on without asking any name server: numeric addresses, `localhost`
 * (127.0.0.1) and the empty host (every IPv4 and IPv6 address, through ::); or "unix:" and a path.
 * **Errors:** WEFT_ERR_USAGE.
 */
WEFT_MUST_USE int weft__address_parse(const char *text, struct weft_address *ret_address);

/* The address of numeric |host| (no brackets) and |port|. **Errors:** WEFT_ERR_USAGE. */
WEFT_MUST_USE int weft__address_from_numeric(const char *host, uint16_t port,
                                             struct weft_address *ret_address);

/* The Unix socket at |path|. **Errors:** WEFT_ERR_USAGE (empty or too long). */
WEFT_MUST_USE int weft__address_from_path(const char *path, struct weft_address *ret_address);

/* Writes "1.2.3.4:80" or "[::1]:80" (an IPv4 address inside IPv6 is shown as IPv4), "unix:/path",
 * or "unix:" for a Unix socket without a name. */
void weft__address_format(const struct weft_address *address,
                          char ret_text[WEFT_ADDRESS_TEXT_SIZE]);

/* Writes the address alone, without port and brackets; "unix" for every Unix socket. */
void weft__address_format_host(const struct weft_address *address,
                               char ret_text[WEFT_ADDRESS_TEXT_SIZE]);

uint16_t weft__address_port(const struct weft_address *address);
void weft__address_set_port(struct weft_address *address, uint16_t port);

/* The size of the kernel's struct inside. */
socklen_t weft__address_len(const struct weft_address *address);

bool weft__address_is_unix(const struct weft_address *address);

/* True for 127.0.0.0/8, ::1, 127.0.0.0/8 inside IPv6, and Unix sockets: who is there is on this
 * machine. */
bool weft__address_is_loopback(const struct weft_address *address);

/* Stores the address of the other end of |fd|; false when it is gone. */
bool weft__address_of_peer(int fd, struct weft_address *ret_address);

/*
 * Asks the system's resolver for up to |max| addresses of |host|, in the order in which they should
 * be tried, and gives them |port|; "localhost" is this machine without asking. Returns how many.
 * Blocks: call it on a pool (io/pool.h).
 * **Errors:** WEFT_ERR_NOT_FOUND, WEFT_ERR_UNAVAILABLE (may work later), WEFT_ERR_NOMEM.
 * **Thread:** any.
 */
WEFT_MUST_USE int weft__address_resolve(const char *host, uint16_t port, int max,
                                        struct weft_address *ret_addresses);

#endif
