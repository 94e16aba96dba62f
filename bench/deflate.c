/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compression libraries compared on JSON messages, and what weft makes of them.
 *
 *     deflate [MILLISECONDS a cell]
 *
 * Everybody compresses the same messages one by one, without a context, level 1, as
 * permessage-deflate wants them; the rounds alternate, and the best counts. libdeflate takes part
 * where it is installed; it knows neither contexts nor windows.
 */
#include "codec/deflate.h"

#include <isa-l/igzip_lib.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#define ZLIB_CONST
#include <zlib.h>
#ifdef BENCH_LIBDEFLATE
#include <libdeflate.h>
#endif

enum { MESSAGES = 64, LENGTH_MAX = 16384, ROUNDS = 15, ROOM = 2 * LENGTH_MAX };

static uint8_t messages[MESSAGES][LENGTH_MAX];
static uint8_t packed[MESSAGES][ROOM];
static size_t packed_len[MESSAGES];
static uint8_t out[ROOM];
static size_t length;

/* ---- The messages: rows of a table, with names that recur and numbers that do not ---- */

static unsigned next_random(void)
{
    static unsigned state = 12345;
    state = state * 1664525u + 1013904223u;
    return state >> 8;
}

static void make_messages(size_t len)
{
    static const char *const names[] = {"alice", "bob", "carol", "dave", "erin", "frank", "grace"};
    static const char *const states[] = {"active", "idle", "away", "offline"};
    length = len;
    for (size_t i = 0; i < MESSAGES; i++) {
        size_t at = 0;
        while (at < len) {
            char row[200];
            int n =
                snprintf(row, sizeof(row),
                         "{\"id\":%u,\"user\":\"%s%u\",\"state\":\"%s\",\"score\":%u.%02u,"
                         "\"key\":\"%06x%06x\",\"at\":\"2024-0%u-1%uT%02u:%02u:%02uZ\"},",
                         next_random() % 100000, names[next_random() % 7], next_random() % 1000,
                         states[next_random() % 4], next_random() % 1000, next_random() % 100,
                         next_random(), next_random(), next_random() % 9 + 1, next_random() % 10,
                         next_random() % 24, next_random() % 60, next_random() % 60);
            size_t part = (size_t)n < len - at ? (size_t)n : len - at;
            memcpy(messages[i] + at, row, part);
            at += part;
        }
    }
}

/* ---- The candidates: each handles message |i| and returns the bytes it made ---- */

static struct weft_deflate_pool pool;
static struct isal_zstream isal;
static uint8_t isal_level[ISAL_DEF_LVL1_SMALL];
static struct inflate_state isal_inflater;
static z_stream zlib_deflater[2];
static z_stream zlib_inflater;

static size_t weft_deflate(size_t i)
{
    return weft__deflate(&pool, 15, weft__slice(NULL, 0), weft__slice(messages[i], length), out);
}

static size_t isal_deflate_one(size_t i)
{
    isal_deflate_stateless_init(&isal);
    isal.level = 1;
    isal.level_buf = isal_level;
    isal.level_buf_size = sizeof(isal_level);
    isal.flush = FULL_FLUSH;
    isal.next_in = messages[i];
    isal.avail_in = (uint32_t)length;
    isal.next_out = out;
    isal.avail_out = sizeof(out);
    if (isal_deflate_stateless(&isal) != COMP_OK)
        abort();
    return isal.total_out - 4;
}

static size_t zlib_deflate(z_stream *zs, size_t i)
{
    (void)deflateReset(zs);
    zs->next_in = messages[i];
    zs->avail_in = (uInt)length;
    zs->next_out = out;
    zs->avail_out = sizeof(out);
    (void)deflate(zs, Z_SYNC_FLUSH);
    return zs->total_out - 4;
}

static size_t zlib_deflate_1(size_t i)
{
    return zlib_deflate(&zlib_deflater[0], i);
}

static size_t zlib_deflate_6(size_t i)
{
    return zlib_deflate(&zlib_deflater[1], i);
}

static size_t weft_inflate(size_t i)
{
    struct weft_slice data = {NULL, 0};
    if (weft__inflate(&pool, weft__slice(NULL, 0), weft__slice(packed[i], packed_len[i]),
                      LENGTH_MAX, &data))
        abort();
    return data.len;
}

static size_t isal_inflate_one(size_t i)
{
    isal_inflate_reset(&isal_inflater);
    isal_inflater.next_in = packed[i];
    isal_inflater.avail_in = (uint32_t)packed_len[i] + 4;
    isal_inflater.next_out = out;
    isal_inflater.avail_out = sizeof(out);
    (void)isal_inflate_stateless(&isal_inflater);
    return isal_inflater.total_out;
}

static size_t zlib_inflate(size_t i)
{
    (void)inflateReset(&zlib_inflater);
    zlib_inflater.next_in = packed[i];
    zlib_inflater.avail_in = (uInt)packed_len[i] + 4;
    zlib_inflater.next_out = out;
    zlib_inflater.avail_out = sizeof(out);
    (void)inflate(&zlib_inflater, Z_SYNC_FLUSH);
    return zlib_inflater.total_out;
}

#ifdef BENCH_LIBDEFLATE
static struct libdeflate_compressor *ld_compressor;
static struct libdeflate_decompressor *ld_decompressor;

static size_t libdeflate_deflate(size_t i)
{
    return libdeflate_deflate_compress(ld_compressor, messages[i], length, out, sizeof(out));
}

static size_t libdeflate_inflate(size_t i)
{
    size_t got = 0;
    /* It wants a last block: one more, empty, stands behind the marker. */
    (void)libdeflate_deflate_decompress(ld_decompressor, packed[i], packed_len[i] + 9, out,
                                        sizeof(out), &got);
    return got;
}
#endif

struct candidate {
    const char *name;
    size_t (*run)(size_t i);
    bool inflates;
    double best_us;
    double bytes;
};

static struct candidate candidates[] = {
    {.name = "weft", .run = weft_deflate},
    {.name = "ISA-L 1", .run = isal_deflate_one},
    {.name = "zlib 1", .run = zlib_deflate_1},
    {.name = "zlib 6", .run = zlib_deflate_6},
#ifdef BENCH_LIBDEFLATE
    {.name = "libdeflate 1", .run = libdeflate_deflate},
#endif
    {.name = "weft", .run = weft_inflate, .inflates = true},
    {.name = "ISA-L", .run = isal_inflate_one, .inflates = true},
    {.name = "zlib", .run = zlib_inflate, .inflates = true},
#ifdef BENCH_LIBDEFLATE
    {.name = "libdeflate", .run = libdeflate_inflate, .inflates = true},
#endif
};

enum { CANDIDATES = sizeof(candidates) / sizeof(candidates[0]) };

/* ---- Measuring ---- */

static double now_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* Microseconds a message over about |us|. */
static double measure(struct candidate *candidate, double us)
{
    double begin = now_us();
    double end = begin;
    size_t count = 0;
    size_t bytes = 0;
    while (end - begin < us) {
        for (size_t i = 0; i < MESSAGES; i++)
            bytes += candidate->run(i);
        count += MESSAGES;
        end = now_us();
    }
    candidate->bytes = (double)bytes / (double)count;
    return (end - begin) / (double)count;
}

static void compare(size_t len, double us)
{
    make_messages(len);
    for (size_t i = 0; i < MESSAGES; i++) {
        packed_len[i] = zlib_deflate_1(i);
        memcpy(packed[i], out, packed_len[i]);
        memcpy(packed[i] + packed_len[i], "\x00\x00\xff\xff\x01\x00\x00\xff\xff", 9);
    }
    for (size_t c = 0; c < CANDIDATES; c++)
        candidates[c].best_us = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t c = 0; c < CANDIDATES; c++) {
            double took = measure(&candidates[c], us / ROUNDS);
            if (took < candidates[c].best_us)
                candidates[c].best_us = took;
        }
    }
    for (size_t c = 0; c < CANDIDATES; c++)
        (void)printf("%6zu  %-8s  %-12s  %8.2f  %7.0f\n", len,
                     candidates[c].inflates ? "inflate" : "deflate", candidates[c].name,
                     candidates[c].best_us, candidates[c].bytes);
}

int main(int argc, char **argv)
{
    static const size_t lengths[] = {256, 1024, LENGTH_MAX};
    double ms = argc > 1 ? strtod(argv[1], NULL) : 300;
    weft__deflate_pool_init(&pool, weft_alloc_default());
    isal_deflate_init(&isal);
    isal_inflate_init(&isal_inflater);
    if (deflateInit2(&zlib_deflater[0], 1, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK ||
        deflateInit2(&zlib_deflater[1], 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK ||
        inflateInit2(&zlib_inflater, -15) != Z_OK)
        return 1;
#ifdef BENCH_LIBDEFLATE
    ld_compressor = libdeflate_alloc_compressor(1);
    ld_decompressor = libdeflate_alloc_decompressor();
#endif
    (void)printf("%6s  %-8s  %-12s  %8s  %7s\n", "bytes", "", "", "µs", "→ bytes");
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
        compare(lengths[i], ms * 1000);
    weft__deflate_pool_done(&pool);
    return 0;
}
