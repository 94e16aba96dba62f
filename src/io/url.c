/* SPDX-License-Identifier: Apache-2.0 */
/* WebSocket URLs. */
#include "io/url.h"

#include <string.h>
#include <strings.h>

/* The bytes of a host that are not refused later by the resolver or the request writer anyway. */
static bool authority_ok(struct weft_slice authority)
{
    for (size_t i = 0; i < authority.len; i++) {
        uint8_t c = authority.ptr[i];
        if (c <= ' ' || c >= 0x7f || c == '@' || c == '\\')
            return false;
    }
    return authority.len > 0;
}

static bool target_ok(const char *target)
{
    for (const char *c = target; *c; c++)
        if (*c <= ' ' || *c >= 0x7f || *c == '#')
            return false;
    return true;
}

/* Splits the authority, which may lack its port. */
static int split_authority(struct weft_url *url)
{
    char full[sizeof(url->authority) + 4];
    size_t len = strlen(url->authority);
    const char *bracket = strrchr(url->authority, ']');
    memcpy(full, url->authority, len + 1);
    if (!strchr(bracket ? bracket : url->authority, ':'))
        memcpy(full + len, url->secure ? ":443" : ":80", url->secure ? 5 : 4);
    int err = weft__address_split(full, url->host, &url->port);
    if (!err && !url->host[0])
        err = WEFT_ERR_USAGE;
    return err;
}

/* |text| is what follows "ws+unix:". Requests to a socket name "localhost" as their host. */
static int parse_unix(const char *text, struct weft_url *ret_url)
{
    struct weft_url url = {.host = "localhost", .authority = "localhost", .target = "/ws"};
    const char *colon = strstr(text, ":/");
    size_t len = colon ? (size_t)(colon - text) : strlen(text);
    if (len == 0 || len >= sizeof(url.socket))
        return WEFT_ERR_USAGE;
    memcpy(url.socket, text, len);
    if (colon) {
        size_t target_len = strlen(colon + 1);
        if (target_len >= sizeof(url.target) || !target_ok(colon + 1))
            return WEFT_ERR_USAGE;
        memcpy(url.target, colon + 1, target_len + 1);
    }
    *ret_url = url;
    return 0;
}

int weft__url_parse(const char *text, struct weft_url *ret_url)
{
    static const char unix_prefix[] = "ws+unix:";
    struct weft_url url = {0};
    if (strncasecmp(text, unix_prefix, sizeof(unix_prefix) - 1) == 0)
        return parse_unix(text + sizeof(unix_prefix) - 1, ret_url);
    if (strncasecmp(text, "wss://", 6) == 0)
        url.secure = true;
    else if (strncasecmp(text, "ws://", 5) != 0)
        return WEFT_ERR_USAGE;
    text += url.secure ? 6 : 5;
    size_t len = strcspn(text, "/?#");
    struct weft_slice authority = weft__slice(text, len);
    const char *target = text + len;
    /* A query without a path belongs to the path "/". */
    const char *slash = *target == '/' ? "" : "/";
    size_t target_len = strlen(slash) + strlen(target);
    if (!authority_ok(authority) || len >= sizeof(url.authority) ||
        target_len >= sizeof(url.target) || !target_ok(target))
        return WEFT_ERR_USAGE;
    memcpy(url.authority, authority.ptr, len);
    memcpy(url.target, slash, strlen(slash));
    memcpy(url.target + strlen(slash), target, strlen(target));
    int err = split_authority(&url);
    if (!err)
        *ret_url = url;
    return err;
}

int weft__url_resolve(const struct weft_url *url, int max, struct weft_address *ret_addresses)
{
    if (!url->socket[0])
        return weft__address_resolve(url->host, url->port, max, ret_addresses);
    int err = weft__address_from_path(url->socket, &ret_addresses[0]);
    return err ? err : 1;
}
