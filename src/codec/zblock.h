/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks of raw DEFLATE (RFC 1951) for what is stored: compressed once, as small as zlib makes
 * them, and inflated to exactly the size that was written down beside them. Messages have
 * codec/deflate.h, which is made for speed.
 *
 * **Thread:** any; nothing is shared.
 */
#ifndef WEFT_CODEC_ZBLOCK_H
#define WEFT_CODEC_ZBLOCK_H

#include "base/bytes.h"

/* Appends |src|, compressed, to |b|. **Errors:** WEFT_ERR_NOMEM, WEFT_ERR_TOO_BIG; |b| may have
 * grown then. */
WEFT_MUST_USE int weft__zblock_deflate(struct weft_bytes *b, struct weft_slice src);

/* Whether |size| bytes can come out of |compressed| bytes at all: to be asked before memory is
 * allocated for them. */
static inline bool weft__zblock_possible(size_t compressed, size_t size)
{
    /* A block of DEFLATE yields at most 258 bytes for two bits. */
    return size / 1032 <= compressed;
}

/* Inflates |src| into the |size| bytes at |ret_dst|. **Errors:** WEFT_ERR_CORRUPT: not one whole
 * stream, or not of that size; WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__zblock_inflate(const struct weft_alloc *alloc, struct weft_slice src,
                                       uint8_t *ret_dst, size_t size);

#endif
