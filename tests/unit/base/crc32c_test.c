/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32C, against the examples of RFC 3720 and a bit at a time. */
#include "lib/test.h"

#include "base/crc32c.h"

static uint32_t slow(uint32_t crc, const uint8_t *data, size_t len)
{
    crc = ~crc;
    for (size_t i = 0; i < len; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0x82f63b78u : crc >> 1;
    }
    return ~crc;
}

/* RFC 3720, B.4. */
static void examples_of_rfc_3720_hold(void **state)
{
    uint8_t data[32];
    (void)state;
    memset(data, 0, sizeof(data));
    assert_int_equal(weft__crc32c(0, data, sizeof(data)), 0x8a9136aa);
    memset(data, 0xff, sizeof(data));
    assert_int_equal(weft__crc32c(0, data, sizeof(data)), 0x62a8ab43);
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)i;
    assert_int_equal(weft__crc32c(0, data, sizeof(data)), 0x46dd794e);
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(31 - i);
    assert_int_equal(weft__crc32c(0, data, sizeof(data)), 0x113fdb5c);
    assert_int_equal(weft__crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(weft__crc32c(0, NULL, 0), 0);
}

static void every_length_and_alignment_agrees_with_bits(void **state)
{
    struct test_random rng;
    uint8_t data[400];
    (void)state;
    test_random_init(&rng, "crc32c");
    test_random_bytes(&rng, data, sizeof(data));
    for (size_t from = 0; from < 9; from++)
        for (size_t len = 0; len < 300; len++)
            assert_int_equal(weft__crc32c(7, data + from, len), slow(7, data + from, len));
}

static void checksum_may_be_made_in_parts(void **state)
{
    struct test_random rng;
    uint8_t data[500];
    (void)state;
    test_random_init(&rng, "crc32c parts");
    test_random_bytes(&rng, data, sizeof(data));
    uint32_t whole = weft__crc32c(0, data, sizeof(data));
    for (size_t cut = 0; cut <= sizeof(data); cut++)
        assert_int_equal(weft__crc32c(weft__crc32c(0, data, cut), data + cut, sizeof(data) - cut),
                         whole);
}

static void every_single_bit_counts(void **state)
{
    uint8_t data[64] = {0};
    (void)state;
    uint32_t whole = weft__crc32c(0, data, sizeof(data));
    for (size_t bit = 0; bit < 8 * sizeof(data); bit++) {
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_not_equal(weft__crc32c(0, data, sizeof(data)), whole);
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples_of_rfc_3720_hold),
        cmocka_unit_test(every_length_and_alignment_agrees_with_bits),
        cmocka_unit_test(checksum_may_be_made_in_parts),
        cmocka_unit_test(every_single_bit_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
