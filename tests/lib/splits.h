/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Feeds the same bytes to a decoder in many splits: whole, byte by byte, every cut in two (short
 * inputs), and random pieces (empty ones among them). A decoder must not see a difference.
 */
#ifndef WEFT_TESTS_LIB_SPLITS_H
#define WEFT_TESTS_LIB_SPLITS_H

#include <stddef.h>
#include <stdint.h>

struct test_random;

/* A heap copy of exactly |len| bytes, so that AddressSanitizer sees a read past its end. The
 * decoder may write to it (unmasking in place). Freed after the run. */
struct test_piece {
    uint8_t *data;
    size_t len;
};

/*
 * Calls |run| once a split; it makes a new decoder, feeds the pieces in order and asserts the
 * result. |rng| and |random_runs| give the number of random splits; |rng| may be NULL when it is 0.
 */
void test_each_split(const void *data, size_t len, struct test_random *rng, unsigned random_runs,
                     void (*run)(const struct test_piece *pieces, size_t count, void *ctx),
                     void *ctx);

#endif
