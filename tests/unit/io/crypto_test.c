/* SPDX-License-Identifier: Apache-2.0 */
/* The digests against their standards' examples (FIPS 180-4), randomness, and the clocks. */
#include "lib/test.h"

#include "io/clock.h"
#include "io/crypto.h"

static void sha1_of_abc_is_the_standards_example(void **state)
{
    (void)state;
    const struct weft_crypto *crypto = weft__crypto_openssl();
    static const uint8_t want[] = {0xa9, 0x99, 0x3e, 0x36, 0x47, 0x06, 0x81, 0x6a, 0xba, 0x3e,
                                   0x25, 0x71, 0x78, 0x50, 0xc2, 0x6c, 0x9c, 0xd0, 0xd8, 0x9d};
    uint8_t digest[WEFT_SHA1_SIZE];
    assert_ok(crypto->sha1(crypto->ctx, "abc", 3, digest));
    assert_memory_equal(digest, want, sizeof(want));
}

static void sha256_of_nothing_and_of_abc_are_the_standards_examples(void **state)
{
    (void)state;
    const struct weft_crypto *crypto = weft__crypto_openssl();
    static const uint8_t want[2][4] = {{0xe3, 0xb0, 0xc4, 0x42}, {0xba, 0x78, 0x16, 0xbf}};
    static const uint8_t ends[2][4] = {{0x78, 0x52, 0xb8, 0x55}, {0xf2, 0x00, 0x15, 0xad}};
    uint8_t digest[WEFT_SHA256_SIZE];
    assert_ok(crypto->sha256(crypto->ctx, "", 0, digest));
    assert_memory_equal(digest, want[0], 4);
    assert_memory_equal(digest + 28, ends[0], 4);
    assert_ok(crypto->sha256(crypto->ctx, "abc", 3, digest));
    assert_memory_equal(digest, want[1], 4);
    assert_memory_equal(digest + 28, ends[1], 4);
}

static void random_bytes_differ_and_fill_everything(void **state)
{
    (void)state;
    const struct weft_crypto *crypto = weft__crypto_openssl();
    uint8_t a[300] = {0};
    uint8_t b[300] = {0};
    crypto->random(crypto->ctx, a, sizeof(a));
    crypto->random(crypto->ctx, b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
    /* Eight zeroes at the end by chance: once in 2^64 runs. */
    static const uint8_t zero[8] = {0};
    assert_memory_not_equal(a + sizeof(a) - 8, zero, 8);
}

static void monotonic_clock_never_goes_back(void **state)
{
    (void)state;
    const struct weft_clock *clock = weft__clock_system();
    uint64_t last_ns = weft__clock_now_ns();
    for (int i = 0; i < 1000; i++) {
        uint64_t now_ns = weft__clock_monotonic_ns(clock);
        assert_true(now_ns >= last_ns);
        last_ns = now_ns;
    }
    /* Some time after this was written. */
    assert_true(weft__clock_wall_ms(clock) > 1700000000000u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha1_of_abc_is_the_standards_example),
        cmocka_unit_test(sha256_of_nothing_and_of_abc_are_the_standards_examples),
        cmocka_unit_test(random_bytes_differ_and_fill_everything),
        cmocka_unit_test(monotonic_clock_never_goes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
