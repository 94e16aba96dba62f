/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compressing half, and histories. ISA-L has no allocator: its state is a struct, made once a
 * pool. It can limit its window, so every window that a peer may ask for is served by the same
 * state.
 */
#include "codec/deflate.h"

#include "base/assert.h"
#include "base/mem.h"
#include "codec/deflate_internal.h"

#include <isa-l/igzip_lib.h>

enum {
    LEVEL = 1,
    LEVEL_BYTES = ISAL_DEF_LVL1_SMALL,
    /* Up to here the fixed code is taken instead of one made for the message: a fifth larger, but
     * seven times faster, since nearly all of a small message's time goes into making its code. */
    FIXED_MAX = 512,
    SRC_MAX = 1 << 30, /* ISA-L counts in 32 bits */
    HISTORY_MIN = 512,
};

struct weft_deflater {
    struct isal_zstream stream;
    uint8_t level[LEVEL_BYTES];
};

void weft__deflate_pool_init(struct weft_deflate_pool *pool, const struct weft_alloc *alloc)
{
    *pool = (struct weft_deflate_pool){.alloc = alloc};
}

void weft__deflate_pool_done(struct weft_deflate_pool *pool)
{
    weft__mem_free(pool->alloc, pool->deflater, sizeof(*pool->deflater));
    weft__inflater_free(pool->inflater, pool->alloc);
    weft__mem_free(pool->alloc, pool->scratch, pool->scratch_cap);
    *pool = (struct weft_deflate_pool){.alloc = pool->alloc};
}

void weft__deflate_pool_trim(struct weft_deflate_pool *pool)
{
    if (pool->scratch_cap <= WEFT_DEFLATE_KEEP)
        return;
    weft__mem_free(pool->alloc, pool->scratch, pool->scratch_cap);
    pool->scratch = NULL;
    pool->scratch_cap = 0;
}

static struct weft_deflater *get_deflater(struct weft_deflate_pool *pool)
{
    if (!pool->deflater) {
        pool->deflater = weft__mem_zalloc(pool->alloc, sizeof(*pool->deflater));
        if (pool->deflater)
            isal_deflate_init(&pool->deflater->stream);
    }
    return pool->deflater;
}

/* ISA-L reads through pointers to mutable bytes, and writes nothing there. */
static uint8_t *readable(struct weft_slice s)
{
    return (uint8_t *)(uintptr_t)s.ptr;
}

/* Sets |stream| up for one message. */
static void prepare(struct weft_deflater *deflater, unsigned window_bits, struct weft_slice src,
                    uint8_t *dst)
{
    struct isal_zstream *stream = &deflater->stream;
    bool fixed = src.len <= FIXED_MAX;
    isal_deflate_reset(stream);
    (void)isal_deflate_set_hufftables(stream, NULL,
                                      fixed ? IGZIP_HUFFTABLE_STATIC : IGZIP_HUFFTABLE_DEFAULT);
    stream->level = fixed ? 0 : LEVEL;
    stream->level_buf = deflater->level;
    stream->level_buf_size = sizeof(deflater->level);
    stream->hist_bits = (uint16_t)window_bits;
    stream->gzip_flag = IGZIP_DEFLATE;
    stream->end_of_stream = 0;
    stream->flush = FULL_FLUSH;
    stream->next_in = readable(src);
    stream->avail_in = (uint32_t)src.len;
    stream->next_out = dst;
    /* More than that never pays. It is also less than ISA-L would need to store the message without
     * compression, so it reports that there is no room instead. */
    stream->avail_out = (uint32_t)src.len + 4;
}

/* Ends the |len| bytes at |dst|, whole blocks that end at a byte, as RFC 7692 §7.2.1 wants it:
 * without the 00 00 ff ff of a last, empty stored block. Returns the new length. */
static size_t cut_tail(uint8_t *dst, size_t len, struct weft_slice src)
{
    static const uint8_t tail[4] = {0x00, 0x00, 0xff, 0xff};
    /* Are these bytes the marker, or the end of a stored block that holds the end of |src|? */
    bool marked = len >= 4 && memcmp(dst + len - 4, tail, 4) == 0;
    bool stored = src.len >= 4 && memcmp(src.ptr + src.len - 4, tail, 4) == 0;
    if (marked && !stored)
        return len - 4;
    /* One more empty stored block, of which only the header remains, is right in any case. */
    dst[len] = 0;
    return len + 1;
}

size_t weft__deflate(struct weft_deflate_pool *pool, unsigned window_bits,
                     struct weft_slice history, struct weft_slice src, uint8_t *ret_dst)
{
    WEFT_ASSERT(window_bits >= WEFT_DEFLATE_BITS_MIN && window_bits <= WEFT_DEFLATE_BITS_MAX);
    struct weft_deflater *deflater = get_deflater(pool);
    if (!deflater || !src.len || src.len > SRC_MAX)
        return 0;
    struct isal_zstream *stream = &deflater->stream;
    prepare(deflater, window_bits, src, ret_dst);
    int rc;
    if (history.len) {
        size_t window = (size_t)1 << window_bits;
        if (history.len > window)
            history = weft__slice(history.ptr + history.len - window, window);
        stream->flush = SYNC_FLUSH;
        rc = isal_deflate_set_dict(stream, readable(history), (uint32_t)history.len);
        if (rc == COMP_OK)
            rc = isal_deflate(stream);
    } else {
        rc = isal_deflate_stateless(stream);
    }
    /* Out of room: not everything was taken, or there was no place left for the last marker. */
    if (rc != COMP_OK || stream->avail_in || !stream->avail_out ||
        stream->internal_state.state != ZSTATE_NEW_HDR ||
        stream->internal_state.b_bytes_processed != stream->internal_state.b_bytes_valid)
        return 0;
    size_t len = cut_tail(ret_dst, (size_t)(stream->next_out - ret_dst), src);
    if (len >= src.len)
        return 0;
    pool->stats.deflated++;
    pool->stats.deflated_from += src.len;
    pool->stats.deflated_to += len;
    return len;
}

int weft__deflate_history_add(struct weft_deflate_history *history, const struct weft_alloc *alloc,
                              unsigned bits, struct weft_slice said)
{
    size_t most = (size_t)1 << bits;
    if (!said.len)
        return 0;
    if (said.len > most)
        said = weft__slice(said.ptr + said.len - most, most);
    size_t kept = WEFT_MIN(history->len, most - said.len);
    size_t need = kept + said.len;
    if (need > history->cap) {
        size_t cap = WEFT_MAX((size_t)HISTORY_MIN, (size_t)history->cap * 2);
        cap = WEFT_MIN(WEFT_MAX(cap, need), most);
        uint8_t *p = weft__mem_realloc(alloc, history->ptr, history->cap, cap);
        if (!p)
            return WEFT_ERR_NOMEM;
        history->ptr = p;
        history->cap = (uint32_t)cap;
    }
    if (kept && kept < history->len)
        memmove(history->ptr, history->ptr + history->len - kept, kept);
    memcpy(history->ptr + kept, said.ptr, said.len);
    history->len = (uint32_t)need;
    return 0;
}

void weft__deflate_history_done(struct weft_deflate_history *history,
                                const struct weft_alloc *alloc)
{
    weft__mem_free(alloc, history->ptr, history->cap);
    *history = (struct weft_deflate_history){0};
}
