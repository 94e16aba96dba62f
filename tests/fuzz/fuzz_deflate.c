/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes DEFLATE both ways. The first byte picks the window and what the input is: bytes of a peer
 * to be inflated, or messages to be compressed, of which the second byte says where one ends and
 * the next, with the first as its context, begins. What is compressed inflates to the same; what
 * is inflated holds its limit, and is refused by a limit one byte lower.
 */
#include "codec/deflate.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

enum { LIMIT = 100000 };

static void require(bool condition, const char *what)
{
    if (condition)
        return;
    (void)fprintf(stderr, "fuzz_deflate: %s\n", what);
    abort();
}

/* A heap copy of exactly its length. */
static uint8_t *copy_of(struct weft_slice s)
{
    uint8_t *copy = malloc(s.len ? s.len : 1);
    weft__mem_copy(copy, s.ptr, s.len);
    return copy;
}

static void fuzz_inflate(struct weft_deflate_pool *pool, struct weft_slice history,
                         struct weft_slice src)
{
    struct weft_slice data;
    uint8_t *copy = copy_of(src);
    struct weft_slice exact = weft__slice(copy, src.len);
    int err = weft__inflate(pool, history, exact, LIMIT, &data);
    require(err == 0 || err == WEFT_ERR_PROTOCOL || err == WEFT_ERR_TOO_BIG, "unknown error");
    if (!err) {
        size_t len = data.len;
        require(len <= LIMIT, "more than the limit");
        require(weft__inflate(pool, history, exact, len, &data) == 0, "its own length is too much");
        require(data.len == len, "another length");
        if (len)
            require(weft__inflate(pool, history, exact, len - 1, &data) == WEFT_ERR_TOO_BIG,
                    "a limit below its length is not noticed");
    }
    free(copy);
}

static void fuzz_message(struct weft_deflate_pool *pool, unsigned bits, struct weft_slice history,
                         struct weft_slice src)
{
    struct weft_slice data;
    uint8_t *copy = copy_of(src);
    uint8_t *wire = malloc(src.len + WEFT_DEFLATE_SLACK);
    size_t len = weft__deflate(pool, bits, history, weft__slice(copy, src.len), wire);
    require(len == 0 || len < src.len, "it grew");
    if (len) {
        require(weft__inflate(pool, history, weft__slice(wire, len), src.len, &data) == 0,
                "does not inflate");
        require(weft__slice_eq(data, src), "inflates to something else");
    }
    free(wire);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct weft_deflate_pool pool;
    if (!pool.alloc)
        weft__deflate_pool_init(&pool, weft_alloc_default());
    if (size < 2)
        return 0;
    unsigned bits = WEFT_DEFLATE_BITS_MIN + (data[0] & 7u);
    struct weft_slice input = weft__slice(data + 2, size - 2);
    size_t first = input.len * data[1] / 256;
    struct weft_slice history = weft__slice(input.ptr, WEFT_MIN(first, (size_t)1 << bits));
    struct weft_slice rest = weft__slice(input.ptr + first, input.len - first);
    if (data[0] & 8) {
        fuzz_inflate(&pool, history, rest);
        return 0;
    }
    history = weft__slice(rest.ptr - history.len, history.len);
    fuzz_message(&pool, bits, weft__slice(NULL, 0), weft__slice(input.ptr, first));
    fuzz_message(&pool, bits, history, rest);
    return 0;
}
