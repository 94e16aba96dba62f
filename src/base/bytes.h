/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growable run of bytes and the sticky-error writer of every encoder: appending never fails by
 * itself; the first failure (out of memory, over the limit) is kept and reported once by
 * weft__bytes_error. After a failure further appends do nothing.
 *
 * **Ownership:** the object owns its memory until weft__bytes_done or weft__bytes_take.
 * **Thread:** one at a time.
 */
#ifndef WEFT_BASE_BYTES_H
#define WEFT_BASE_BYTES_H

#include "base/mem.h"
#include "base/slice.h"

#include <weft/err.h>

struct weft_bytes {
    const struct weft_alloc *alloc;
    uint8_t *ptr;
    size_t len;   /* bytes in use */
    size_t cap;   /* bytes allocated */
    size_t limit; /* most bytes ever; SIZE_MAX = none */
    int err;      /* first failure, or 0 */
};

/* Starts empty, without memory. Any growth past |limit| bytes is WEFT_ERR_TOO_BIG. */
static inline void weft__bytes_init(struct weft_bytes *b, const struct weft_alloc *alloc,
                                    size_t limit)
{
    *b = (struct weft_bytes){.alloc = alloc, .limit = limit};
}

static inline void weft__bytes_done(struct weft_bytes *b)
{
    if (b->ptr)
        weft__mem_free(b->alloc, b->ptr, b->cap);
    b->ptr = NULL;
    b->len = b->cap = 0;
}

/* Empties it for reuse: keeps the memory, forgets the error. */
static inline void weft__bytes_clear(struct weft_bytes *b)
{
    b->len = 0;
    b->err = 0;
}

/* Makes room for |more| bytes behind len. Out of line part of the append functions.
 * **Errors:** false, and the sticky error set: WEFT_ERR_NOMEM, WEFT_ERR_TOO_BIG. */
bool weft__bytes_grow(struct weft_bytes *b, size_t more);

static inline bool weft__bytes_reserve(struct weft_bytes *b, size_t more)
{
    if (WEFT_LIKELY(!b->err && more <= b->cap - b->len))
        return true;
    return weft__bytes_grow(b, more);
}

/* |more| fresh bytes at the end to be filled by the caller; NULL after a failure. */
static inline uint8_t *weft__bytes_extend(struct weft_bytes *b, size_t more)
{
    if (!weft__bytes_reserve(b, more))
        return NULL;
    uint8_t *p = b->ptr + b->len;
    b->len += more;
    return p;
}

static inline void weft__bytes_append(struct weft_bytes *b, const void *src, size_t len)
{
    if (len && weft__bytes_reserve(b, len)) {
        memcpy(b->ptr + b->len, src, len);
        b->len += len;
    }
}

static inline void weft__bytes_append_byte(struct weft_bytes *b, uint8_t byte)
{
    if (weft__bytes_reserve(b, 1))
        b->ptr[b->len++] = byte;
}

static inline void weft__bytes_append_slice(struct weft_bytes *b, struct weft_slice s)
{
    weft__bytes_append(b, s.ptr, s.len);
}

static inline void weft__bytes_append_str(struct weft_bytes *b, const char *str)
{
    weft__bytes_append(b, str, strlen(str));
}

/* Decimal digits of |value|. */
void weft__bytes_append_u64(struct weft_bytes *b, uint64_t value);
void weft__bytes_append_i64(struct weft_bytes *b, int64_t value);

/* 0, or the first failure since init or clear: WEFT_ERR_NOMEM, WEFT_ERR_TOO_BIG. */
WEFT_MUST_USE static inline int weft__bytes_error(const struct weft_bytes *b)
{
    return b->err;
}

static inline struct weft_slice weft__bytes_slice(const struct weft_bytes *b)
{
    return (struct weft_slice){b->ptr, b->len};
}

#endif
