/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses as text and back, and name lookups. */
#include "io/address.h"

#include "base/assert.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char UNIX_PREFIX[] = "unix:";

_Static_assert(sizeof(((struct sockaddr_un *)NULL)->sun_path) == WEFT_ADDRESS_PATH_SIZE,
               "a path of a Unix socket");
_Static_assert(WEFT_ADDRESS_PATH_SIZE + sizeof(UNIX_PREFIX) <= WEFT_ADDRESS_TEXT_SIZE,
               "the text of a Unix socket");

/* A port: one to five digits, no sign, no space, at most 65,535. */
static int parse_port(const char *text, uint16_t *ret_port)
{
    size_t len = strlen(text);
    if (len < 1 || len > 5 || strspn(text, "0123456789") != len)
        return WEFT_ERR_USAGE;
    unsigned port = 0;
    for (size_t i = 0; i < len; i++)
        port = port * 10 + (unsigned)(text[i] - '0');
    if (port > UINT16_MAX)
        return WEFT_ERR_USAGE;
    *ret_port = (uint16_t)port;
    return 0;
}

int weft__address_split(const char *text, char ret_host[WEFT_HOST_SIZE], uint16_t *ret_port)
{
    const char *host = text;
    const char *colon = strrchr(text, ':');
    if (!colon)
        return WEFT_ERR_USAGE;
    size_t len = (size_t)(colon - text);
    if (len && text[0] == '[') {
        if (len < 3 || text[len - 1] != ']')
            return WEFT_ERR_USAGE;
        host++;
        len -= 2;
    } else if (memchr(text, ':', len)) {
        /* An IPv6 address without brackets: where its port begins is a guess. */
        return WEFT_ERR_USAGE;
    }
    uint16_t port;
    if (len >= WEFT_HOST_SIZE || parse_port(colon + 1, &port))
        return WEFT_ERR_USAGE;
    memcpy(ret_host, host, len);
    ret_host[len] = '\0';
    *ret_port = port;
    return 0;
}

int weft__address_from_numeric(const char *host, uint16_t port, struct weft_address *ret_address)
{
    struct weft_address address = {0};
    if (inet_pton(AF_INET, host, &address.u.v4.sin_addr) == 1) {
        address.u.v4.sin_family = AF_INET;
    } else if (inet_pton(AF_INET6, host, &address.u.v6.sin6_addr) == 1) {
        address.u.v6.sin6_family = AF_INET6;
    } else {
        return WEFT_ERR_USAGE;
    }
    weft__address_set_port(&address, port);
    *ret_address = address;
    return 0;
}

int weft__address_from_path(const char *path, struct weft_address *ret_address)
{
    struct weft_address address = {0};
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof(address.u.local.sun_path))
        return WEFT_ERR_USAGE;
    address.u.local.sun_family = AF_UNIX;
    memcpy(address.u.local.sun_path, path, len);
    *ret_address = address;
    return 0;
}

int weft__address_parse(const char *text, struct weft_address *ret_address)
{
    if (strncmp(text, UNIX_PREFIX, sizeof(UNIX_PREFIX) - 1) == 0)
        return weft__address_from_path(text + sizeof(UNIX_PREFIX) - 1, ret_address);
    char host[WEFT_HOST_SIZE];
    uint16_t port;
    int err = weft__address_split(text, host, &port);
    if (err)
        return err;
    if (strcmp(host, "localhost") == 0)
        return weft__address_from_numeric("127.0.0.1", port, ret_address);
    return weft__address_from_numeric(host[0] ? host : "::", port, ret_address);
}

/* The IPv4 address inside an IPv6 one, or NULL. */
static const struct in_addr *mapped_v4(const struct weft_address *address, struct in_addr *v4)
{
    if (address->u.any.sa_family == AF_INET)
        return &address->u.v4.sin_addr;
    const struct in6_addr *v6 = &address->u.v6.sin6_addr;
    if (address->u.any.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(v6))
        return NULL;
    memcpy(v4, &v6->s6_addr[12], sizeof(*v4));
    return v4;
}

void weft__address_format_host(const struct weft_address *address,
                               char ret_text[WEFT_ADDRESS_TEXT_SIZE])
{
    struct in_addr storage;
    const struct in_addr *v4 = mapped_v4(address, &storage);
    const char *text = NULL;
    if (weft__address_is_unix(address)) {
        memcpy(ret_text, "unix", sizeof("unix"));
        return;
    }
    if (v4)
        text = inet_ntop(AF_INET, v4, ret_text, WEFT_ADDRESS_TEXT_SIZE);
    else if (address->u.any.sa_family == AF_INET6)
        text = inet_ntop(AF_INET6, &address->u.v6.sin6_addr, ret_text, WEFT_ADDRESS_TEXT_SIZE);
    if (!text)
        memcpy(ret_text, "?", 2);
}

void weft__address_format(const struct weft_address *address, char ret_text[WEFT_ADDRESS_TEXT_SIZE])
{
    char host[WEFT_ADDRESS_TEXT_SIZE];
    if (weft__address_is_unix(address)) {
        (void)snprintf(ret_text, WEFT_ADDRESS_TEXT_SIZE, "%s%.*s", UNIX_PREFIX,
                       (int)sizeof(address->u.local.sun_path), address->u.local.sun_path);
        return;
    }
    weft__address_format_host(address, host);
    unsigned port = weft__address_port(address);
    if (strchr(host, ':'))
        (void)snprintf(ret_text, WEFT_ADDRESS_TEXT_SIZE, "[%.50s]:%u", host, port);
    else
        (void)snprintf(ret_text, WEFT_ADDRESS_TEXT_SIZE, "%.50s:%u", host, port);
}

uint16_t weft__address_port(const struct weft_address *address)
{
    switch (address->u.any.sa_family) {
    case AF_INET:
        return ntohs(address->u.v4.sin_port);
    case AF_INET6:
        return ntohs(address->u.v6.sin6_port);
    default:
        return 0;
    }
}

void weft__address_set_port(struct weft_address *address, uint16_t port)
{
    if (address->u.any.sa_family == AF_INET)
        address->u.v4.sin_port = htons(port);
    else if (address->u.any.sa_family == AF_INET6)
        address->u.v6.sin6_port = htons(port);
}

socklen_t weft__address_len(const struct weft_address *address)
{
    switch (address->u.any.sa_family) {
    case AF_INET:
        return sizeof(address->u.v4);
    case AF_UNIX:
        return (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
                           strnlen(address->u.local.sun_path, WEFT_ADDRESS_PATH_SIZE - 1) + 1);
    default:
        return sizeof(address->u.v6);
    }
}

bool weft__address_is_unix(const struct weft_address *address)
{
    return address->u.any.sa_family == AF_UNIX;
}

bool weft__address_is_loopback(const struct weft_address *address)
{
    struct in_addr storage;
    const struct in_addr *v4 = mapped_v4(address, &storage);
    if (v4)
        return (ntohl(v4->s_addr) >> 24) == 127;
    if (weft__address_is_unix(address))
        return true;
    return address->u.any.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&address->u.v6.sin6_addr);
}

bool weft__address_of_peer(int fd, struct weft_address *ret_address)
{
    struct weft_address address = {0};
    socklen_t len = sizeof(address);
    if (getpeername(fd, &address.u.any, &len) ||
        (address.u.any.sa_family != AF_INET && address.u.any.sa_family != AF_INET6 &&
         address.u.any.sa_family != AF_UNIX))
        return false;
    *ret_address = address;
    return true;
}

static int resolve_error(int code)
{
    switch (code) {
    case EAI_MEMORY:
        return WEFT_ERR_NOMEM;
    case EAI_AGAIN:
    case EAI_SYSTEM:
        return WEFT_ERR_UNAVAILABLE;
    default:
        return WEFT_ERR_NOT_FOUND;
    }
}

/* RFC 6761 §6.3: "localhost" and names below it are this machine, whatever a resolver thinks. */
static bool is_localhost(const char *host)
{
    static const char name[] = "localhost";
    size_t len = strlen(host);
    size_t tail = sizeof(name) - 1;
    return len >= tail && strcasecmp(host + len - tail, name) == 0 &&
           (len == tail || host[len - tail - 1] == '.');
}

static int loopback(uint16_t port, int max, struct weft_address *ret_addresses)
{
    static const char *const hosts[] = {"127.0.0.1", "::1"};
    int count = 0;
    for (size_t i = 0; i < WEFT_ARRAY_LEN(hosts) && count < max; i++)
        count += weft__address_from_numeric(hosts[i], port, &ret_addresses[count]) == 0;
    return count;
}

int weft__address_resolve(const char *host, uint16_t port, int max,
                          struct weft_address *ret_addresses)
{
    WEFT_ASSERT(max > 0);
    if (is_localhost(host))
        return loopback(port, max, ret_addresses);
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int code = getaddrinfo(host, NULL, &hints, &list);
    if (code)
        return resolve_error(code);
    int count = 0;
    for (struct addrinfo *at = list; at && count < max; at = at->ai_next) {
        if ((at->ai_family != AF_INET && at->ai_family != AF_INET6) ||
            at->ai_addrlen > sizeof(ret_addresses->u))
            continue;
        struct weft_address *address = &ret_addresses[count++];
        *address = (struct weft_address){0};
        memcpy(&address->u, at->ai_addr, at->ai_addrlen);
        weft__address_set_port(address, port);
    }
    freeaddrinfo(list);
    return count ? count : WEFT_ERR_NOT_FOUND;
}
