/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 against RFC 4648 §10, and its strictness. */
#include "lib/test.h"

#include "codec/base64.h"

static void assert_round_trip(enum weft_base64_alphabet alphabet, const char *bytes,
                              const char *text)
{
    char encoded[64];
    uint8_t decoded[64];
    size_t len = weft__base64_encode(alphabet, (const uint8_t *)bytes, strlen(bytes), encoded);
    assert_bytes(encoded, len, text, strlen(text));
    ptrdiff_t back = weft__base64_decode(alphabet, weft__slice_str(text), decoded);
    assert_true(back >= 0);
    assert_bytes(decoded, (size_t)back, bytes, strlen(bytes));
}

static void rfc4648_vectors(void **state)
{
    (void)state;
    assert_round_trip(WEFT_BASE64_STANDARD, "", "");
    assert_round_trip(WEFT_BASE64_STANDARD, "f", "Zg==");
    assert_round_trip(WEFT_BASE64_STANDARD, "fo", "Zm8=");
    assert_round_trip(WEFT_BASE64_STANDARD, "foo", "Zm9v");
    assert_round_trip(WEFT_BASE64_STANDARD, "foob", "Zm9vYg==");
    assert_round_trip(WEFT_BASE64_STANDARD, "fooba", "Zm9vYmE=");
    assert_round_trip(WEFT_BASE64_STANDARD, "foobar", "Zm9vYmFy");
    assert_round_trip(WEFT_BASE64_URL, "f", "Zg");
    assert_round_trip(WEFT_BASE64_URL, "fooba", "Zm9vYmE");
    assert_round_trip(WEFT_BASE64_STANDARD, "\xfb\xff\xbf", "+/+/");
    assert_round_trip(WEFT_BASE64_URL, "\xfb\xff\xbf", "-_-_");
}

static void assert_refused(enum weft_base64_alphabet alphabet, const char *text)
{
    uint8_t decoded[64];
    ptrdiff_t len = weft__base64_decode(alphabet, weft__slice_str(text), decoded);
    if (len != WEFT_ERR_PROTOCOL)
        fail_msg("\"%s\" was accepted", text);
}

static void anything_but_the_one_encoding_is_refused(void **state)
{
    (void)state;
    static const char *const standard[] = {
        "A",     "AA",   "AAA",   "A===", "====", "AA=",  "AA=A",     "=AAA",   "AAAA=",
        "AA== ", "A A=", "AA\n=", "AB==", "AAB=", "-_-_", "AA==AA==", "AAA\xff"};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(standard); ++i)
        assert_refused(WEFT_BASE64_STANDARD, standard[i]);
    static const char *const url[] = {"A",   "AA==",  "AAA=", "+/+/", "AB",
                                      "AAB", "AAAAA", "A.",   "A="};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(url); ++i)
        assert_refused(WEFT_BASE64_URL, url[i]);
}

static void random_bytes_round_trip(void **state)
{
    (void)state;
    struct test_random rng;
    test_random_init(&rng, "base64");
    for (int i = 0; i < 2000; ++i) {
        uint8_t bytes[48], decoded[WEFT_BASE64_DECODED_MAX(64)];
        char text[WEFT_BASE64_ENCODED_MAX(48)];
        size_t len = test_random_size(&rng, 0, sizeof(bytes));
        enum weft_base64_alphabet alphabet =
            test_random_one_in(&rng, 2) ? WEFT_BASE64_URL : WEFT_BASE64_STANDARD;
        test_random_bytes(&rng, bytes, len);
        size_t encoded = weft__base64_encode(alphabet, bytes, len, text);
        ptrdiff_t back = weft__base64_decode(alphabet, weft__slice(text, encoded), decoded);
        assert_true(back >= 0);
        assert_bytes(decoded, (size_t)back, bytes, len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc4648_vectors),
        cmocka_unit_test(anything_but_the_one_encoding_is_refused),
        cmocka_unit_test(random_bytes_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
