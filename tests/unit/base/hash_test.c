/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SipHash-1-3, against a plain second implementation of the algorithm's description with the rounds
 * as parameters, which is itself checked with the values that its authors published for 2-4.
 */
#include "lib/test.h"

#include "base/hash.h"

static uint64_t left(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

/* "SipHash: a fast short-input PRF", section 2.1, figure 2.1. */
static void sip_rounds(uint64_t v[4], int rounds)
{
    for (int i = 0; i < rounds; i++) {
        v[0] += v[1];
        v[1] = left(v[1], 13);
        v[1] ^= v[0];
        v[0] = left(v[0], 32);
        v[2] += v[3];
        v[3] = left(v[3], 16);
        v[3] ^= v[2];
        v[0] += v[3];
        v[3] = left(v[3], 21);
        v[3] ^= v[0];
        v[2] += v[1];
        v[1] = left(v[1], 17);
        v[1] ^= v[2];
        v[2] = left(v[2], 32);
    }
}

/* Pads the input with zeroes and its length to whole words first, as the description does. */
static uint64_t sip(int c, int d, uint64_t k0, uint64_t k1, const uint8_t *data, size_t len)
{
    uint64_t v[4];
    uint8_t *padded = calloc(1, len + 8);
    size_t words = len / 8 + 1;
    memcpy(padded, data, len);
    padded[words * 8 - 1] = (uint8_t)len;
    for (int i = 0; i < 4; i++) {
        uint64_t start = 0;
        for (int j = 0; j < 8; j++)
            start = start << 8 | (uint8_t) "somepseudorandomlygeneratedbytes"[8 * i + j];
        v[i] = start ^ (i % 2 ? k1 : k0);
    }
    for (size_t w = 0; w < words; w++) {
        uint64_t m = 0;
        for (size_t j = 8; j > 0; j--)
            m = m << 8 | padded[8 * w + j - 1];
        v[3] ^= m;
        sip_rounds(v, c);
        v[0] ^= m;
    }
    free(padded);
    v[2] ^= 0xff;
    sip_rounds(v, d);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static const uint64_t K0 = UINT64_C(0x0706050403020100);
static const uint64_t K1 = UINT64_C(0x0f0e0d0c0b0a0908);

static void second_implementation_gives_the_published_values_of_2_4(void **state)
{
    uint8_t data[16];
    (void)state;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)i;
    /* Appendix A of the paper, and the first value of the authors' table of 64. */
    assert_int_equal(sip(2, 4, K0, K1, data, 15), UINT64_C(0xa129ca6149be45e5));
    assert_int_equal(sip(2, 4, K0, K1, data, 0), UINT64_C(0x726fdb47dd0e0e31));
}

static void known_values_of_1_3(void **state)
{
    const struct weft_hash_key zero = {0, 0};
    (void)state;
    /* Key of zeroes: what other implementations of 1-3 give. */
    assert_int_equal(weft__hash(&zero, weft__slice(NULL, 0)), UINT64_C(0xd1fba762150c532c));
    assert_int_equal(weft__hash(&zero, weft__slice("\0", 1)), UINT64_C(0x68a914128e01e473));
    assert_int_equal(weft__hash(&zero, WEFT_SLICE_LIT("siphash")), UINT64_C(0x8264ceeccb16bcbe));
}

static void hash_agrees_with_the_second_implementation(void **state)
{
    struct test_random rng;
    uint8_t data[300];
    (void)state;
    test_random_init(&rng, "siphash");
    for (size_t len = 0; len <= sizeof(data); len++) {
        const struct weft_hash_key key = {test_random_u64(&rng), test_random_u64(&rng)};
        test_random_bytes(&rng, data, len);
        uint8_t *exact = malloc(len ? len : 1); /* so that a read past the end is seen */
        memcpy(exact, data, len);
        assert_int_equal(weft__hash(&key, weft__slice(exact, len)),
                         sip(1, 3, key.k0, key.k1, data, len));
        free(exact);
    }
}

static void hash_depends_on_the_key(void **state)
{
    const struct weft_hash_key a = {1, 2};
    const struct weft_hash_key b = {1, 3};
    const struct weft_hash_key c = {0, 2};
    (void)state;
    uint64_t hash = weft__hash(&a, WEFT_SLICE_LIT("x"));
    assert_int_not_equal(hash, weft__hash(&b, WEFT_SLICE_LIT("x")));
    assert_int_not_equal(hash, weft__hash(&c, WEFT_SLICE_LIT("x")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(second_implementation_gives_the_published_values_of_2_4),
        cmocka_unit_test(known_values_of_1_3),
        cmocka_unit_test(hash_agrees_with_the_second_implementation),
        cmocka_unit_test(hash_depends_on_the_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
