/* SPDX-License-Identifier: Apache-2.0 */
/* The generator behind every random test. */
#include "lib/test.h"

#include <inttypes.h>
#include <sys/random.h>

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint64_t rotate_left(uint64_t x, unsigned k)
{
    return (x << k) | (x >> (64 - k));
}

void test_random_seed(struct test_random *rng, uint64_t seed)
{
    rng->seed = seed;
    for (size_t i = 0; i < 4; i++)
        rng->s[i] = splitmix64(&seed);
}

void test_random_init(struct test_random *rng, const char *name)
{
    uint64_t seed = 0;
    const char *text = getenv("WEFT_TEST_SEED");
    if (text && *text) {
        seed = strtoull(text, NULL, 0);
    } else {
        /* Short seeds are easier to type again, and 32 bits of them are plenty. */
        if (getrandom(&seed, 4, 0) != 4)
            fail_msg("no random bytes from the system");
    }
    fprintf(stderr, "# %s: WEFT_TEST_SEED=%" PRIu64 "\n", name, seed);
    test_random_seed(rng, seed);
}

uint64_t test_random_u64(struct test_random *rng)
{
    uint64_t *s = rng->s;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t test_random_below(struct test_random *rng, uint64_t bound)
{
    /* Values under the threshold would make small results more likely; they are drawn again. */
    uint64_t threshold = (0 - bound) % bound;
    uint64_t x;
    do {
        x = test_random_u64(rng);
    } while (x < threshold);
    return x % bound;
}

size_t test_random_size(struct test_random *rng, size_t lo, size_t hi)
{
    return lo + (size_t)test_random_below(rng, (uint64_t)(hi - lo) + 1);
}

bool test_random_one_in(struct test_random *rng, unsigned n)
{
    return test_random_below(rng, n) == 0;
}

void test_random_bytes(struct test_random *rng, void *buf, size_t len)
{
    uint8_t *out = buf;
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(test_random_u64(rng) >> 56);
}
