/* SPDX-License-Identifier: Apache-2.0 */
/* Comparing names of certificates. */
#include "io/tls_names.h"

#include <stdbool.h>

enum { NAME_MAX = 253 };

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

static bool equal(struct weft_slice a, struct weft_slice b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    return true;
}

/* Labels of letters, digits, '-' and '_', none empty. A zero byte inside of a name, which others
 * might take for its end, is found here. */
static bool is_name(struct weft_slice name)
{
    if (!name.len || name.len > NAME_MAX || name.ptr[0] == '.' || name.ptr[name.len - 1] == '.')
        return false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = lower(name.ptr[i]);
        bool fine = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
        if (!fine && !(c == '.' && name.ptr[i - 1] != '.'))
            return false;
    }
    return true;
}

/* The name behind the first dot; empty when there is none. */
static struct weft_slice parent(struct weft_slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] == '.')
            return weft__slice(name.ptr + i + 1, name.len - i - 1);
    return weft__slice(NULL, 0);
}

enum weft_tls_fit weft__tls_name_fit(struct weft_slice pattern, struct weft_slice host)
{
    if (host.len > 1 && host.ptr[host.len - 1] == '.')
        host.len--;
    if (!is_name(host))
        return WEFT_TLS_FIT_NONE;
    if (is_name(pattern))
        return equal(pattern, host) ? WEFT_TLS_FIT_EXACT : WEFT_TLS_FIT_NONE;
    if (pattern.len < 2 || pattern.ptr[0] != '*' || pattern.ptr[1] != '.')
        return WEFT_TLS_FIT_NONE;
    /* RFC 6125 §6.4.3: nothing but the left-most label, and one label only; "*.com" is nobody's. */
    struct weft_slice behind = weft__slice(pattern.ptr + 2, pattern.len - 2);
    if (!is_name(behind) || !parent(behind).len || !equal(behind, parent(host)))
        return WEFT_TLS_FIT_NONE;
    return WEFT_TLS_FIT_WILDCARD;
}
