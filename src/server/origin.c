/* SPDX-License-Identifier: Apache-2.0 */
/* Comparing hosts and origins. */
#include "server/origin.h"

#include "codec/http1.h"

#include <arpa/inet.h>

enum { AUTHORITY_MAX = 253 };

static bool is_v4(struct weft_slice host)
{
    char text[INET_ADDRSTRLEN];
    struct in_addr address;
    if (host.len == 0 || host.len >= sizeof(text))
        return false;
    memcpy(text, host.ptr, host.len);
    text[host.len] = '\0';
    return inet_pton(AF_INET, text, &address) == 1;
}

static bool is_v6(struct weft_slice host)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    if (host.len == 0 || host.len >= sizeof(text))
        return false;
    memcpy(text, host.ptr, host.len);
    text[host.len] = '\0';
    return inet_pton(AF_INET6, text, &address) == 1;
}

/* A port of one to five digits, 1 to 65,535. */
static bool parse_port(struct weft_slice text, uint32_t *ret_port)
{
    uint32_t port = 0;
    if (text.len == 0 || text.len > 5)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        port = port * 10 + (uint32_t)(text.ptr[i] - '0');
    }
    *ret_port = port;
    return port > 0 && port <= 65535;
}

static bool is_name(struct weft_slice host)
{
    for (size_t i = 0; i < host.len; i++) {
        uint8_t c = host.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool other = (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
        if (!letter && !other)
            return false;
    }
    return host.len > 0 && host.ptr[0] != '.';
}

/* Splits off the port: at the bracket's end, or at the only colon. */
static bool split_port(struct weft_slice text, struct weft_authority *authority)
{
    bool bracket = text.len && text.ptr[0] == '[';
    const uint8_t *end = memchr(text.ptr, bracket ? ']' : ':', text.len);
    if (bracket && !end)
        return false;
    size_t at = bracket ? (size_t)(end - text.ptr) + 1 : end ? (size_t)(end - text.ptr) : text.len;
    authority->host = bracket ? weft__slice(text.ptr + 1, at - 2) : weft__slice(text.ptr, at);
    if (at == text.len)
        return true;
    return text.ptr[at] == ':' &&
           parse_port(weft__slice(text.ptr + at + 1, text.len - at - 1), &authority->port);
}

bool weft__authority_parse(struct weft_slice text, struct weft_authority *ret_authority)
{
    struct weft_authority authority = {0};
    if (text.len == 0 || text.len > AUTHORITY_MAX + 8 || !split_port(text, &authority))
        return false;
    if (text.ptr[0] == '[') {
        authority.numeric = is_v6(authority.host);
        *ret_authority = authority;
        return authority.numeric;
    }
    authority.numeric = is_v4(authority.host);
    /* The root's dot at the end of a name changes nothing. */
    if (authority.host.len > 1 && authority.host.ptr[authority.host.len - 1] == '.')
        authority.host.len--;
    *ret_authority = authority;
    return authority.numeric || is_name(authority.host);
}

static bool ends_with_nocase(struct weft_slice text, const char *end)
{
    size_t len = strlen(end);
    return text.len > len && weft__http1_equal_nocase(weft__slice(text.ptr + text.len - len, len),
                                                      weft__slice_str(end));
}

bool weft__origin_host_allowed(const struct weft_origin_policy *policy, struct weft_slice host)
{
    struct weft_authority authority;
    if (!weft__authority_parse(host, &authority))
        return false;
    /* An address cannot be rebound, and "localhost" never leaves the machine (RFC 6761 §6.3). */
    if (authority.numeric ||
        weft__http1_equal_nocase(authority.host, WEFT_SLICE_LIT("localhost")) ||
        ends_with_nocase(authority.host, ".localhost"))
        return true;
    for (const char *const *name = policy->hosts; name && *name; name++)
        if (weft__http1_equal_nocase(authority.host, weft__slice_str(*name)))
            return true;
    return policy->tls && weft__tls_context_covers(policy->tls, authority.host);
}

/* The rest of |origin| behind "http://" or "https://", and that scheme's port. Behind TLS, what a
 * page loaded without it says may be anybody's: only "https://" is our own. */
static bool strip_scheme(const struct weft_origin_policy *policy, struct weft_slice origin,
                         struct weft_slice *ret_rest, uint32_t *ret_port)
{
    static const struct {
        const char *scheme;
        uint32_t port;
    } schemes[] = {{"http://", 80}, {"https://", 443}};
    for (size_t i = policy->tls ? 1 : 0; i < WEFT_ARRAY_LEN(schemes); i++) {
        size_t len = strlen(schemes[i].scheme);
        if (origin.len <= len || !weft__http1_equal_nocase(weft__slice(origin.ptr, len),
                                                           weft__slice_str(schemes[i].scheme)))
            continue;
        *ret_rest = weft__slice(origin.ptr + len, origin.len - len);
        *ret_port = schemes[i].port;
        return true;
    }
    return false;
}

bool weft__origin_allowed(const struct weft_origin_policy *policy, struct weft_slice origin,
                          struct weft_slice host)
{
    struct weft_slice rest;
    uint32_t port;
    struct weft_authority from;
    struct weft_authority to;
    for (const char *const *allowed = policy->origins; allowed && *allowed; allowed++)
        if (weft__http1_equal_nocase(origin, weft__slice_str(*allowed)))
            return true;
    if (!strip_scheme(policy, origin, &rest, &port) || !weft__authority_parse(rest, &from) ||
        !weft__authority_parse(host, &to))
        return false;
    return weft__http1_equal_nocase(from.host, to.host) &&
           (from.port ? from.port : port) == (to.port ? to.port : port);
}
