/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A refcounted, immutable buffer: what is sent to more than one peer is encoded once into one of
 * these, and every output queue that holds it has a reference.
 *
 *   weft__buf_new ──► fill through weft__buf_data (only the maker, only while refs == 1)
 *                 ──► weft__buf_ref for each holder, weft__buf_unref by each; the last frees it
 *
 * **Thread:** references may be taken and dropped on any thread; the content is never written after
 * it was shared.
 */
#ifndef WEFT_BASE_BUF_H
#define WEFT_BASE_BUF_H

#include "base/assert.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "base/slice.h"

#include <stdatomic.h>

struct weft_buf {
    const struct weft_alloc *alloc;
    atomic_uint refs;
    size_t len; /* bytes of content */
    size_t cap; /* bytes allocated behind this header */
};

/* A buffer of |len| bytes, not initialised, with one reference; NULL when out of memory. |alloc|
 * must be thread-safe when the buffer crosses threads. */
struct weft_buf *weft__buf_new(const struct weft_alloc *alloc, size_t len);

/* A buffer holding a copy of |content|; NULL when out of memory. */
struct weft_buf *weft__buf_new_copy(const struct weft_alloc *alloc, struct weft_slice content);

/* Its content; writable by the maker until it is shared. */
static inline uint8_t *weft__buf_data(struct weft_buf *buf)
{
    return (uint8_t *)(buf + 1);
}

static inline struct weft_slice weft__buf_slice(struct weft_buf *buf)
{
    return (struct weft_slice){weft__buf_data(buf), buf->len};
}

/* Takes one more reference and returns |buf|. */
static inline struct weft_buf *weft__buf_ref(struct weft_buf *buf)
{
    unsigned before = atomic_fetch_add_explicit(&buf->refs, 1, memory_order_relaxed);
    WEFT_ASSERT(before > 0 && before < 0x7fffffffu);
    return buf;
}

/* Drops one reference; the last one frees the buffer. NULL is allowed. */
void weft__buf_unref(struct weft_buf *buf);

#endif
