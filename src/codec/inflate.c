/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inflating half, over zlib. Input comes from peers, so the limit holds while it is inflated:
 * the room grows with what has come out, never past the limit, and one byte more is an error.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "codec/deflate_internal.h"

#include <limits.h>
#include <stddef.h>
#define ZLIB_CONST
#include <zlib.h>

enum {
    RAW_WINDOW = -15, /* zlib: raw DEFLATE, the largest window */
    WINDOW = 32 * 1024,
    ROOM_MIN = 4096,
    GUESS = 4, /* a message is this much longer than its compressed form, to begin with */
};

struct weft_inflater {
    const struct weft_alloc *alloc;
    z_stream stream;
};

/* zlib does not say how much it frees: the size stands before each block. */
union block_head {
    size_t size;
    max_align_t align;
};

static voidpf block_alloc(voidpf ctx, uInt items, uInt size)
{
    struct weft_inflater *inflater = ctx;
    size_t bytes = sizeof(union block_head) + (size_t)items * size;
    union block_head *head = weft__mem_alloc(inflater->alloc, bytes);
    if (!head)
        return NULL;
    head->size = bytes;
    return head + 1;
}

static void block_free(voidpf ctx, voidpf ptr)
{
    struct weft_inflater *inflater = ctx;
    union block_head *head = (union block_head *)ptr - 1;
    weft__mem_free(inflater->alloc, head, head->size);
}

static struct weft_inflater *get_inflater(struct weft_deflate_pool *pool)
{
    if (pool->inflater)
        return pool->inflater;
    struct weft_inflater *inflater = weft__mem_zalloc(pool->alloc, sizeof(*inflater));
    if (!inflater)
        return NULL;
    inflater->alloc = pool->alloc;
    inflater->stream.zalloc = block_alloc;
    inflater->stream.zfree = block_free;
    inflater->stream.opaque = inflater;
    if (inflateInit2(&inflater->stream, RAW_WINDOW) != Z_OK) {
        weft__mem_free(pool->alloc, inflater, sizeof(*inflater));
        return NULL;
    }
    pool->inflater = inflater;
    return inflater;
}

void weft__inflater_free(struct weft_inflater *inflater, const struct weft_alloc *alloc)
{
    if (!inflater)
        return;
    (void)inflateEnd(&inflater->stream);
    weft__mem_free(alloc, inflater, sizeof(*inflater));
}

/* One message being inflated. */
struct run {
    struct weft_deflate_pool *pool;
    z_stream *stream;
    size_t limit;
    size_t len; /* bytes that came out */
};

/* Gives zlib the last |s| to refer to. */
static int set_dictionary(struct run *run, struct weft_slice s)
{
    if (s.len > WINDOW)
        s = weft__slice(s.ptr + s.len - WINDOW, WINDOW);
    if (!s.len)
        return 0;
    return inflateSetDictionary(run->stream, s.ptr, (uInt)s.len) == Z_OK ? 0 : WEFT_ERR_NOMEM;
}

/* Makes the scratch |cap| bytes large. */
static int resize(struct run *run, size_t cap)
{
    struct weft_deflate_pool *pool = run->pool;
    uint8_t *p = weft__mem_realloc(pool->alloc, pool->scratch, pool->scratch_cap, cap);
    if (!p)
        return WEFT_ERR_NOMEM;
    pool->scratch = p;
    pool->scratch_cap = cap;
    return 0;
}

/* Room for more output, one byte beyond the limit at most: when that is written, it is too much. */
static int make_room(struct run *run)
{
    size_t most = run->limit < SIZE_MAX ? run->limit + 1 : run->limit;
    size_t cap = run->pool->scratch_cap;
    int err = 0;
    if (run->len == WEFT_MIN(cap, most)) {
        if (run->len == most)
            return WEFT_ERR_TOO_BIG;
        err = resize(run, WEFT_MIN(most, cap > most / 2 ? most : cap * 2));
    }
    size_t room = WEFT_MIN(run->pool->scratch_cap, most) - run->len;
    run->stream->next_out = run->pool->scratch + run->len;
    run->stream->avail_out = (uInt)WEFT_MIN(room, (size_t)UINT_MAX);
    return err;
}

/* RFC 7692 §7.2.3.4: a block may say that it is the last; blocks may follow nevertheless, and refer
 * to what came before. The window stays as it is: a peer may end any number of blocks of two bytes
 * in this way, and each must cost as little as another. */
static int begin_again(struct run *run)
{
    return inflateResetKeep(run->stream) == Z_OK ? 0 : WEFT_ERR_INTERNAL;
}

/* Inflates the |len| bytes at |data|, all of them. */
static int feed(struct run *run, const uint8_t *data, size_t len)
{
    z_stream *stream = run->stream;
    int rc = Z_OK;
    if (!len)
        return 0;
    while (len || rc == Z_OK) {
        int err = make_room(run);
        if (err)
            return err;
        uInt in = (uInt)WEFT_MIN(len, (size_t)UINT_MAX);
        uInt room = stream->avail_out;
        stream->next_in = data;
        stream->avail_in = in;
        rc = inflate(stream, Z_SYNC_FLUSH);
        data += in - stream->avail_in;
        len -= in - stream->avail_in;
        run->len += room - stream->avail_out;
        if (rc == Z_STREAM_END) {
            err = begin_again(run);
            if (err)
                return err;
            rc = Z_BUF_ERROR; /* Goes on only when there is more input. */
        } else if (rc == Z_MEM_ERROR) {
            return WEFT_ERR_NOMEM;
        } else if (rc != Z_OK && rc != Z_BUF_ERROR) {
            return WEFT_ERR_PROTOCOL;
        } else if (stream->avail_out) {
            rc = Z_BUF_ERROR; /* Room is left: nothing more comes out of what was given. */
        }
    }
    return run->len > run->limit ? WEFT_ERR_TOO_BIG : 0;
}

/* zlib.h, inflate: after a whole block, with no bit of the next, and when no "last" was said. */
static bool between_blocks(const z_stream *stream)
{
    enum { AFTER_BLOCK = 128 };
    return stream->data_type == AFTER_BLOCK;
}

int weft__inflate(struct weft_deflate_pool *pool, struct weft_slice history, struct weft_slice src,
                  size_t limit, struct weft_slice *ret_data)
{
    static const uint8_t tail[4] = {0x00, 0x00, 0xff, 0xff};
    struct weft_inflater *inflater = get_inflater(pool);
    if (!inflater)
        return WEFT_ERR_NOMEM;
    struct run run = {.pool = pool, .stream = &inflater->stream, .limit = limit};
    size_t room = src.len < SIZE_MAX / GUESS ? src.len * GUESS : SIZE_MAX;
    room = WEFT_MAX(WEFT_MIN(room, (size_t)WEFT_DEFLATE_KEEP), (size_t)ROOM_MIN);
    int err = 0;
    if (pool->scratch_cap < room)
        err = resize(&run, room);
    if (!err)
        err = inflateReset(run.stream) == Z_OK ? set_dictionary(&run, history) : WEFT_ERR_INTERNAL;
    if (!err)
        err = feed(&run, src.ptr, src.len);
    /* RFC 7692 §7.2.2: the four octets are appended, then the whole is inflated. */
    if (!err)
        err = feed(&run, tail, sizeof(tail));
    if (!err && !between_blocks(run.stream))
        err = WEFT_ERR_PROTOCOL;
    if (err)
        return err;
    pool->stats.inflated++;
    pool->stats.inflated_from += src.len;
    pool->stats.inflated_to += run.len;
    *ret_data = weft__slice(pool->scratch, run.len);
    return 0;
}
