/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DEFLATE (RFC 1951) for messages, as permessage-deflate (RFC 7692 §7.2) puts them on the wire:
 * raw blocks that end at a byte, without the four bytes 00 00 ff ff that every message would end
 * with.
 *
 *   weft__deflate:  what was said before (history) + message ─► bytes for the wire
 *   weft__inflate:  what was heard before (history) + bytes   ─► message, never more than a limit
 *
 * Compressor, decompressor and the room for what is inflated are pooled: one of each for all
 * connections of a loop, made when they are first needed. A connection that keeps no context has no
 * memory of its own here. A context (RFC 7692: "context takeover") is nothing but the last bytes of
 * the messages before, a struct weft_deflate_history, given to the pooled machine with each
 * message.
 *
 * ISA-L compresses and zlib inflates; ARCHITECTURE.md says why.
 *
 * **Thread:** a pool belongs to one thread.
 */
#ifndef WEFT_CODEC_DEFLATE_H
#define WEFT_CODEC_DEFLATE_H

#include "base/slice.h"

#include <weft/alloc.h>
#include <weft/err.h>

enum {
    WEFT_DEFLATE_BITS_MIN = 8, /* log2 of a window's bytes, RFC 7692 §7.1.2 */
    WEFT_DEFLATE_BITS_MAX = 15,
    WEFT_DEFLATE_KEEP = 64 * 1024, /* bytes of a pool's scratch that outlive a tick */
    WEFT_DEFLATE_SLACK = 16,       /* room that weft__deflate needs beyond the message's length */
};

/* Messages that got smaller, and messages inflated, with their bytes before and after. */
struct weft_deflate_stats {
    uint64_t deflated;
    uint64_t deflated_from;
    uint64_t deflated_to;
    uint64_t inflated;
    uint64_t inflated_from;
    uint64_t inflated_to;
};

/* Private but |stats|. */
struct weft_deflate_pool {
    struct weft_deflate_stats stats;
    const struct weft_alloc *alloc;
    struct weft_deflater *deflater; /* NULL until first used */
    struct weft_inflater *inflater; /* NULL until first used */
    uint8_t *scratch;               /* the message inflated last */
    size_t scratch_cap;
};

/* The last bytes of a sequence of messages. Zero it to begin; the memory grows with what is said.
 */
struct weft_deflate_history {
    uint8_t *ptr;
    uint32_t len;
    uint32_t cap;
};

void weft__deflate_pool_init(struct weft_deflate_pool *pool, const struct weft_alloc *alloc);
void weft__deflate_pool_done(struct weft_deflate_pool *pool);

/* Frees what a large message left behind; nothing that was inflated may be in use. */
void weft__deflate_pool_trim(struct weft_deflate_pool *pool);

/*
 * Compresses |src| into |ret_dst|, which has room for src.len + WEFT_DEFLATE_SLACK bytes. No
 * reference goes back further than 2^|window_bits| bytes, nor before the beginning of |history|,
 * what the receiver has in its window (empty: the message stands alone). Returns the compressed
 * length, or 0 when that would not be less than src.len, or when there is no memory: the message is
 * then to be sent as it is.
 */
size_t weft__deflate(struct weft_deflate_pool *pool, unsigned window_bits,
                     struct weft_slice history, struct weft_slice src, uint8_t *ret_dst);

/*
 * Inflates |src|, one whole message without its last four bytes, which may refer to |history|.
 * **Errors:** WEFT_ERR_PROTOCOL (not a whole number of DEFLATE blocks), WEFT_ERR_TOO_BIG (more than
 * |limit| bytes would come out: noticed without memory for them), WEFT_ERR_NOMEM.
 * **Lifetime:** |ret_data| lies in the pool, until the next weft__inflate or _trim.
 */
WEFT_MUST_USE int weft__inflate(struct weft_deflate_pool *pool, struct weft_slice history,
                                struct weft_slice src, size_t limit, struct weft_slice *ret_data);

/* **Lifetime:** until the next weft__deflate_history_add. */
static inline struct weft_slice
weft__deflate_history_slice(const struct weft_deflate_history *history)
{
    return weft__slice(history->ptr, history->len);
}

/* Appends |said| and keeps the last 2^|bits| bytes. **Errors:** WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__deflate_history_add(struct weft_deflate_history *history,
                                            const struct weft_alloc *alloc, unsigned bits,
                                            struct weft_slice said);

void weft__deflate_history_done(struct weft_deflate_history *history,
                                const struct weft_alloc *alloc);

#endif
