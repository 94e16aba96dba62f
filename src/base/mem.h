/* SPDX-License-Identifier: Apache-2.0 */
/* Short calls through a struct weft_alloc, with checked multiplication. NULL-safe frees. */
#ifndef WEFT_BASE_MEM_H
#define WEFT_BASE_MEM_H

#include "base/compiler.h"

#include <stdint.h>
#include <string.h>
#include <weft/alloc.h>

/* |size| > 0 bytes, not initialised; NULL when out of memory. */
static inline void *weft__mem_alloc(const struct weft_alloc *alloc, size_t size)
{
    return alloc->alloc(alloc->ctx, size);
}

/* |size| > 0 bytes of zeroes; NULL when out of memory. */
static inline void *weft__mem_zalloc(const struct weft_alloc *alloc, size_t size)
{
    void *ptr = alloc->alloc(alloc->ctx, size);
    if (ptr)
        memset(ptr, 0, size);
    return ptr;
}

/* An array of |count| × |size| bytes, not initialised; NULL when out of memory or on overflow. */
static inline void *weft__mem_alloc_array(const struct weft_alloc *alloc, size_t count, size_t size)
{
    size_t bytes;
    if (WEFT_MUL_OVERFLOW(count, size, &bytes))
        return NULL;
    return alloc->alloc(alloc->ctx, bytes);
}

/* |ptr| may be NULL (|old_size| 0): then it is an allocation. NULL leaves |ptr| as it was. */
static inline void *weft__mem_realloc(const struct weft_alloc *alloc, void *ptr, size_t old_size,
                                      size_t new_size)
{
    if (!ptr)
        return alloc->alloc(alloc->ctx, new_size);
    return alloc->realloc(alloc->ctx, ptr, old_size, new_size);
}

/* |ptr| may be NULL. |size| is what it was allocated with. */
static inline void weft__mem_free(const struct weft_alloc *alloc, void *ptr, size_t size)
{
    if (ptr)
        alloc->free(alloc->ctx, ptr, size);
}

/* memcpy that allows NULL with a length of 0. */
static inline void weft__mem_copy(void *dst, const void *src, size_t len)
{
    if (len)
        memcpy(dst, src, len);
}

#endif
