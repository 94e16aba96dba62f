/* SPDX-License-Identifier: Apache-2.0 */
/* A borrowed run of bytes. Who gets one in a callback may read it until the callback returns,
 * unless the callee's header says otherwise. */
#ifndef WEFT_BASE_SLICE_H
#define WEFT_BASE_SLICE_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct weft_slice {
    const uint8_t *ptr; /* may be NULL when len is 0 */
    size_t len;         /* bytes */
};

/* A slice over a string literal, without its terminating zero. */
#define WEFT_SLICE_LIT(literal)                                                                    \
    ((struct weft_slice){(const uint8_t *)(literal), sizeof(literal) - 1})

static inline struct weft_slice weft__slice(const void *ptr, size_t len)
{
    return (struct weft_slice){(const uint8_t *)ptr, len};
}

static inline struct weft_slice weft__slice_str(const char *str)
{
    return (struct weft_slice){(const uint8_t *)str, strlen(str)};
}

static inline bool weft__slice_eq(struct weft_slice a, struct weft_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool weft__slice_eq_str(struct weft_slice a, const char *str)
{
    return weft__slice_eq(a, weft__slice_str(str));
}

#endif
