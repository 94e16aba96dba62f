/* SPDX-License-Identifier: Apache-2.0 */
/* zlib in memory of a given allocator, one block at a time. */
#include "codec/zblock.h"

#include <limits.h>
#include <stddef.h>
#define ZLIB_CONST
#include <zlib.h>

enum {
    RAW_WINDOW = -15, /* zlib: raw DEFLATE, the largest window */
    LEVEL = 9,
    MEMORY = 8, /* zlib's default */
};

/* zlib does not say how much it frees: the size stands before each block. */
union block_head {
    size_t size;
    max_align_t align;
};

static voidpf block_alloc(voidpf ctx, uInt items, uInt size)
{
    size_t bytes = sizeof(union block_head) + (size_t)items * size;
    union block_head *head = weft__mem_zalloc((const struct weft_alloc *)ctx, bytes);
    if (!head)
        return NULL;
    head->size = bytes;
    return head + 1;
}

static void block_free(voidpf ctx, voidpf ptr)
{
    union block_head *head = (union block_head *)ptr - 1;
    weft__mem_free((const struct weft_alloc *)ctx, head, head->size);
}

static z_stream stream_on(const struct weft_alloc *alloc, struct weft_slice src)
{
    return (z_stream){
        .zalloc = block_alloc,
        .zfree = block_free,
        .opaque = (voidpf)(uintptr_t)alloc,
        .next_in = src.ptr,
        .avail_in = (uInt)src.len,
    };
}

int weft__zblock_deflate(struct weft_bytes *b, struct weft_slice src)
{
    if (src.len > UINT_MAX / 2)
        return WEFT_ERR_TOO_BIG;
    z_stream stream = stream_on(b->alloc, src);
    if (deflateInit2(&stream, LEVEL, Z_DEFLATED, RAW_WINDOW, MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
        return WEFT_ERR_NOMEM;
    uLong bound = deflateBound(&stream, (uLong)src.len);
    size_t before = b->len;
    uint8_t *room = weft__bytes_extend(b, bound);
    if (room) {
        stream.next_out = room;
        stream.avail_out = (uInt)bound;
        (void)deflate(&stream, Z_FINISH); /* The room suffices, so it finishes. */
        b->len = before + stream.total_out;
    }
    (void)deflateEnd(&stream);
    return weft__bytes_error(b);
}

int weft__zblock_inflate(const struct weft_alloc *alloc, struct weft_slice src, uint8_t *ret_dst,
                         size_t size)
{
    if (src.len > UINT_MAX || size >= UINT_MAX)
        return WEFT_ERR_CORRUPT;
    z_stream stream = stream_on(alloc, src);
    if (inflateInit2(&stream, RAW_WINDOW) != Z_OK)
        return WEFT_ERR_NOMEM;
    stream.next_out = ret_dst;
    stream.avail_out = (uInt)size;
    int rc = inflate(&stream, Z_FINISH);
    bool whole = rc == Z_STREAM_END && stream.avail_in == 0 && stream.avail_out == 0;
    (void)inflateEnd(&stream);
    if (rc == Z_MEM_ERROR)
        return WEFT_ERR_NOMEM;
    return whole ? 0 : WEFT_ERR_CORRUPT;
}
