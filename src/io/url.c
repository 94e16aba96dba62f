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

int weft__url_parse(const char *text, struct weft_url *ret_url)
{
    struct weft_url url = {0};
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
