/* SPDX-License-Identifier: Apache-2.0 */
/* The content of messages. */
#include "base/mem.h"
#include "bench.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled",
 * 2016): the payload is the same in each run, and different for each |index| and slot. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(0x2545F4914F6CDD1D);
}

static uint64_t seed_of(uint32_t index, uint32_t slot)
{
    return UINT64_C(0x9E3779B97F4A7C15) * (((uint64_t)index << 32 | slot) + 1);
}

/* Letters and digits, which are text and binary as well; hardly to be compressed. */
static void fill_plain(uint8_t *data, size_t len, uint64_t seed)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (size_t i = 0; i < len; i++)
        data[i] = (uint8_t)letters[next_random(&seed) >> 58];
}

/*
 * JSON as applications send it, cut off at |len| bytes: repeated keys, numbers and identifiers that
 * differ. 1 KiB of it is about 424 bytes after zlib at level 6.
 */
static void fill_json(uint8_t *data, size_t len, uint64_t seed)
{
    static const char *const words[] = {"update", "insert", "remove", "select",
                                        "online", "hidden", "active", "locked"};
    size_t at = 0;
    while (at < len) {
        char item[160];
        uint64_t r = next_random(&seed);
        uint64_t s = next_random(&seed);
        int n = snprintf(
            item, sizeof(item),
            "{\"id\":%" PRIu64 ",\"type\":\"%s\",\"user\":\"u%07" PRIx64 "\",\"x\":%" PRIu64
            ".%04" PRIu64 ",\"y\":%" PRIu64 ",\"tag\":\"%016" PRIx64 "\",\"state\":\"%s\"},",
            r % 1000000, words[s & 7], (s >> 8) & 0xfffffff, (r >> 32) % 2000, (r >> 48) % 10000,
            (s >> 24) % 100000, next_random(&seed), words[(s >> 3) & 7]);
        size_t part = WEFT_MIN((size_t)n, len - at);
        memcpy(data + at, item, part);
        at += part;
    }
}

static void append_filled(struct weft_bytes *out, size_t len, uint64_t seed,
                          void (*fill)(uint8_t *data, size_t len, uint64_t seed))
{
    if (!weft__bytes_reserve(out, len))
        return;
    fill(out->ptr + out->len, len, seed);
    out->len += len;
}

void bench_payload_append_params(struct weft_bytes *out, const struct bench_options *options,
                                 uint32_t slot)
{
    if (options->params) {
        weft__bytes_append_str(out, options->params);
        return;
    }
    weft__bytes_append_str(out, "[\"");
    append_filled(out, options->size, seed_of(0, slot), fill_plain);
    weft__bytes_append_str(out, "\"]");
}

/* Appends the call with the number |number|. */
static void append_call(struct weft_bytes *out, const struct bench_options *options,
                        uint32_t number)
{
    struct weft_bytes params;
    weft__bytes_init(&params, weft_alloc_default(), SIZE_MAX);
    bench_payload_append_params(&params, options, number % options->depth);
    const struct bench_call call = {
        .number = number, .method = options->method, .params = weft__bytes_slice(&params)};
    options->wire->call(out, &call);
    out->err = out->err ? out->err : weft__bytes_error(&params);
    weft__bytes_done(&params);
}

void bench_payload_append(struct weft_bytes *out, const struct bench_options *options,
                          uint32_t index, uint32_t slot)
{
    if (options->rpc)
        append_call(out, options, slot);
    else
        append_filled(out, options->size, seed_of(index, slot),
                      options->deflate ? fill_json : fill_plain);
}
