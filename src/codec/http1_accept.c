/* SPDX-License-Identifier: Apache-2.0 */
/* Content codings that a request accepts: the weights of Accept-Encoding. */
#include "codec/http1.h"

static struct weft_slice trim(struct weft_slice s)
{
    while (s.len && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = weft__slice(s.ptr + 1, s.len - 1);
    while (s.len && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* Whether |parameters| give the weight 0: "q=0", "q=0.", "q=0.000" (RFC 9110 §12.4.2). A malformed
 * weight counts as 0 too: then the answer goes out as it is, which everybody can read. */
static bool weighs_nothing(struct weft_slice parameters)
{
    struct weft_slice s = trim(parameters);
    if (!s.len)
        return false;
    if (s.len < 3 || (s.ptr[0] != 'q' && s.ptr[0] != 'Q') || s.ptr[1] != '=')
        return true;
    for (size_t i = 2; i < s.len; i++)
        if (s.ptr[i] >= '1' && s.ptr[i] <= '9')
            return false;
    return true;
}

bool weft__http1_accepts_coding(const struct weft_http1_head *head, const char *coding)
{
    struct weft_http1_list at = {0};
    struct weft_slice element;
    bool any = false;
    while (weft__http1_list_next(head, "Accept-Encoding", &at, &element)) {
        const uint8_t *semicolon = element.len ? memchr(element.ptr, ';', element.len) : NULL;
        size_t len = semicolon ? (size_t)(semicolon - element.ptr) : element.len;
        struct weft_slice name = trim(weft__slice(element.ptr, len));
        struct weft_slice parameters =
            semicolon ? weft__slice(semicolon + 1, element.len - len - 1) : weft__slice(NULL, 0);
        if (weft__http1_equal_nocase(name, weft__slice_str(coding)))
            return !weighs_nothing(parameters);
        if (weft__slice_eq_str(name, "*"))
            any = !weighs_nothing(parameters);
    }
    return any;
}
