/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random numbers whose seed is printed, so that a failing run can be repeated with
 * WEFT_TEST_SEED=<number>. xoshiro256**, seeded by splitmix64.
 */
#ifndef WEFT_TESTS_LIB_RANDOM_H
#define WEFT_TESTS_LIB_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct test_random {
    uint64_t s[4];
    uint64_t seed;
};

/* Seeds from WEFT_TEST_SEED, or from the system's randomness, and prints the seed with |name|. */
void test_random_init(struct test_random *rng, const char *name);

/* Seeds with |seed| and prints nothing. */
void test_random_seed(struct test_random *rng, uint64_t seed);

uint64_t test_random_u64(struct test_random *rng);

/* Even in 0 … |bound| - 1; |bound| > 0. */
uint64_t test_random_below(struct test_random *rng, uint64_t bound);

/* The same as size_t in |lo| … |hi|, both included. */
size_t test_random_size(struct test_random *rng, size_t lo, size_t hi);

/* True once in |n| times on average. */
bool test_random_one_in(struct test_random *rng, unsigned n);

void test_random_bytes(struct test_random *rng, void *buf, size_t len);

#endif
