/* SPDX-License-Identifier: Apache-2.0 */
/* The default allocator: the C library's. */
#include <weft/alloc.h>

#include "base/compiler.h"

#include <stdlib.h>

static void *default_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void *default_realloc(void *ctx, void *ptr, size_t old_size, size_t new_size)
{
    (void)ctx;
    (void)old_size;
    return realloc(ptr, new_size);
}

static void default_free(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)size;
    free(ptr);
}

const struct weft_alloc *weft_alloc_default(void)
{
    static const struct weft_alloc alloc = {
        .alloc = default_alloc,
        .realloc = default_realloc,
        .free = default_free,
    };
    return &alloc;
}
