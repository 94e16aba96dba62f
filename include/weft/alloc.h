/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The allocator that every weft object takes at its creation and keeps a pointer to. Sizes are
 * passed back on free and realloc, so an allocator can count and limit without headers of its own.
 *
 * **Lifetime:** the struct must outlive every object made with it.
 * **Thread:** an allocator is called on the thread of the object that uses it; one shared by
 * objects of several threads must be thread-safe (the default one is). Since: 0.1.
 */
#ifndef WEFT_ALLOC_H
#define WEFT_ALLOC_H

#include <stddef.h>
#include <weft/export.h>

#ifdef __cplusplus
extern "C" {
#endif

struct weft_alloc {
    /* |size| > 0 bytes aligned for any type, or NULL. */
    void *(*alloc)(void *ctx, size_t size);
    /* Grows or shrinks |ptr| of |old_size| bytes to |new_size| > 0 bytes; NULL leaves |ptr| as it
     * was. */
    void *(*realloc)(void *ctx, void *ptr, size_t old_size, size_t new_size);
    /* Releases |ptr|, which was allocated with |size| bytes. Never called with NULL. */
    void (*free)(void *ctx, void *ptr, size_t size);
    void *ctx;
};

/* The C library's malloc. **Lifetime:** static. Thread: any. */
WEFT_API const struct weft_alloc *weft_alloc_default(void);

#ifdef __cplusplus
}
#endif

#endif
