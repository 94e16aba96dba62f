/* SPDX-License-Identifier: Apache-2.0 */
/* PROXY protocol headers, whole, in pieces, and malformed. */
#include "lib/test.h"

#include "base/crc32c.h"
#include "codec/proxy.h"

enum { HEADER_SIZE = offsetof(struct weft_proxy_header, version) + 1 /* without padding */ };

static struct test_random rng;
static bool rng_ready;

/* A header and what must come of it. */
struct sample {
    const uint8_t *data;
    size_t len;
    ptrdiff_t want; /* its length, or an error */
    struct weft_proxy_header header;
};

/* Reads what has come so far, from a copy that ends where it ends. */
static ptrdiff_t read_copy(const uint8_t *data, size_t len, struct weft_proxy_header *ret_header)
{
    uint8_t *copy = malloc(len ? len : 1);
    memcpy(copy, data, len);
    ptrdiff_t got = weft__proxy_read(copy, len, ret_header);
    free(copy);
    return got;
}

static void run(const struct test_piece *pieces, size_t count, void *ctx)
{
    const struct sample *sample = ctx;
    struct weft_proxy_header header = {0};
    uint8_t gathered[8192];
    size_t len = 0;
    ptrdiff_t got = 0;
    for (size_t i = 0; i < count && got == 0; i++) {
        memcpy(gathered + len, pieces[i].data, pieces[i].len);
        len += pieces[i].len;
        got = read_copy(gathered, len, &header);
    }
    assert_int_equal(got, sample->want);
    if (got > 0)
        assert_memory_equal(&header, &sample->header, HEADER_SIZE);
}

static void check(const void *data, size_t len, ptrdiff_t want,
                  const struct weft_proxy_header *header)
{
    struct sample sample = {data, len, want, {0}};
    if (!rng_ready)
        test_random_init(&rng, "proxy");
    rng_ready = true;
    if (header)
        sample.header = *header;
    test_each_split(data, len, &rng, 20, run, &sample);
}

static void check_text(const char *text, ptrdiff_t want)
{
    check(text, strlen(text), want, NULL);
}

static void a_text_header_names_both_ends(void **state)
{
    (void)state;
    static const char v4[] = "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n";
    static const char v6[] = "PROXY TCP6 2001:db8::7 ::ffff:10.1.2.3 0 65535\r\n";
    const struct weft_proxy_header want4 = {.family = WEFT_PROXY_FAMILY_IP4,
                                            .source = {192, 0, 2, 7},
                                            .destination = {198, 51, 100, 1},
                                            .source_port = 56324,
                                            .destination_port = 443,
                                            .version = 1};
    const struct weft_proxy_header want6 = {
        .family = WEFT_PROXY_FAMILY_IP6,
        .source = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7},
        .destination = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 1, 2, 3},
        .destination_port = 65535,
        .version = 1};
    check(v4, sizeof(v4) - 1, sizeof(v4) - 1, &want4);
    check(v6, sizeof(v6) - 1, sizeof(v6) - 1, &want6);
}

static void what_follows_the_header_is_not_touched(void **state)
{
    (void)state;
    struct weft_proxy_header header;
    static const char text[] = "PROXY UNKNOWN\r\nGET / HTTP/1.1\r\n";
    assert_int_equal(read_copy((const uint8_t *)text, sizeof(text) - 1, &header), 15);
}

static void unknown_is_accepted_with_whatever_follows(void **state)
{
    (void)state;
    const struct weft_proxy_header none = {.version = 1};
    static const char bare[] = "PROXY UNKNOWN\r\n";
    static const char full[] = "PROXY UNKNOWN ffff::1 whatever 1\r\n";
    check(bare, sizeof(bare) - 1, sizeof(bare) - 1, &none);
    check(full, sizeof(full) - 1, sizeof(full) - 1, &none);
    check_text("PROXY UNKNOWNS\r\n", WEFT_ERR_PROTOCOL);
}

static void ipv6_addresses_are_read_in_every_form(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint8_t bytes[16];
    } good[] = {
        {"::", {0}},
        {"::1", {[15] = 1}},
        {"1::", {0, 1}},
        {"1:2:3:4:5:6:7:8", {0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8}},
        {"1:2:3:4:5:6:7::", {0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 0}},
        {"::2:3:4:5:6:7:8", {0, 0, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8}},
        {"FFFF:abcd::Ef", {0xff, 0xff, 0xab, 0xcd, [15] = 0xef}},
        {"1:2:3:4:5:6:1.2.3.4", {0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 1, 2, 3, 4}},
        {"::1.2.3.4", {[12] = 1, 2, 3, 4}},
    };
    static const char *const bad[] = {
        "",
        ":",
        ":::",
        "1",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "1::2::3",
        "12345::",
        "g::",
        "1:2:3:4:5:6:7:1.2.3.4",
        "1.2.3.4",
        "::1.2.3",
        "::1.2.3.256",
        "1:2:3:4:5:6:7:8::",
        "1:",
        ":1",
        "1::2:",
        "::1%eth0",
        "[::1]",
        "1:2:3:4::5:6:7:8",
        "::1.2.3.4:5",
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        char text[160];
        struct weft_proxy_header header;
        int len = snprintf(text, sizeof(text), "PROXY TCP6 %s :: 1 2\r\n", good[i].text);
        assert_int_equal(read_copy((const uint8_t *)text, (size_t)len, &header), len);
        assert_memory_equal(header.source, good[i].bytes, 16);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char text[160];
        struct weft_proxy_header header;
        int len = snprintf(text, sizeof(text), "PROXY TCP6 %s :: 1 2\r\n", bad[i]);
        if (read_copy((const uint8_t *)text, (size_t)len, &header) != WEFT_ERR_PROTOCOL)
            fail_msg("accepted: %s", text);
    }
}

static void malformed_text_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "GET / HTTP/1.1\r\n",
        "PROXX TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
        "proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
        "PROXY TCP4 1.2.3.4\r\n",
        "PROXY TCP4\r\n",
        "PROXY \r\n",
        "PROXY TCP4 01.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY TCP4 256.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 4294967298\r\n",
        "PROXY TCP4 ::1 ::1 1 2\r\n",
        "PROXY TCP4\t1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\rX",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        check_text(bad[i], WEFT_ERR_PROTOCOL);
}

static void a_text_header_has_at_most_107_bytes(void **state)
{
    (void)state;
    char text[160];
    const struct weft_proxy_header none = {.version = 1};
    memset(text, 'x', sizeof(text));
    memcpy(text, "PROXY UNKNOWN ", 14);
    check(text, sizeof(text), WEFT_ERR_TOO_BIG, NULL);
    memcpy(text + 105, "\r\n", 2);
    check(text, 107, 107, &none);
    memcpy(text + 105, "x\r\n", 3);
    check(text, 108, WEFT_ERR_TOO_BIG, NULL);
}

/* Writes a binary header. Returns its length. */
static size_t binary(uint8_t out[8192], uint8_t command, uint8_t kind, const void *rest,
                     size_t rest_len)
{
    static const char signature[] = "\r\n\r\n\0\r\nQUIT\n";
    memcpy(out, signature, 12);
    out[12] = command;
    out[13] = kind;
    out[14] = (uint8_t)(rest_len >> 8);
    out[15] = (uint8_t)rest_len;
    if (rest_len)
        memcpy(out + 16, rest, rest_len);
    return 16 + rest_len;
}

static void a_binary_header_names_both_ends(void **state)
{
    (void)state;
    uint8_t data[8192];
    const uint8_t v4[] = {192, 0, 2, 7, 198, 51, 100, 1, 0xdc, 4, 1, 0xbb};
    uint8_t v6[36] = {0x20, 1, [15] = 7, [31] = 1, [33] = 80, [35] = 90};
    const struct weft_proxy_header want4 = {.family = WEFT_PROXY_FAMILY_IP4,
                                            .source = {192, 0, 2, 7},
                                            .destination = {198, 51, 100, 1},
                                            .source_port = 56324,
                                            .destination_port = 443,
                                            .version = 2};
    const struct weft_proxy_header want6 = {.family = WEFT_PROXY_FAMILY_IP6,
                                            .source = {0x20, 1, [15] = 7},
                                            .destination = {[15] = 1},
                                            .source_port = 80,
                                            .destination_port = 90,
                                            .version = 2};
    size_t len = binary(data, 0x21, 0x11, v4, sizeof(v4));
    check(data, len, (ptrdiff_t)len, &want4);
    len = binary(data, 0x21, 0x21, v6, sizeof(v6));
    check(data, len, (ptrdiff_t)len, &want6);
}

static void local_unspecified_and_unix_name_nobody(void **state)
{
    (void)state;
    uint8_t data[8192];
    uint8_t rest[216] = {'x'};
    const struct weft_proxy_header none = {.version = 2};
    const struct weft_proxy_header local = {.family = WEFT_PROXY_FAMILY_UNIX, .version = 2};
    size_t len = binary(data, 0x20, 0x00, NULL, 0);
    check(data, len, (ptrdiff_t)len, &none);
    len = binary(data, 0x20, 0x77, rest, 5); /* whatever LOCAL carries is discarded */
    check(data, len, (ptrdiff_t)len, &none);
    len = binary(data, 0x21, 0x00, NULL, 0);
    check(data, len, (ptrdiff_t)len, &none);
    len = binary(data, 0x21, 0x31, rest, sizeof(rest));
    check(data, len, (ptrdiff_t)len, &local);
}

static void malformed_binary_headers_are_refused(void **state)
{
    (void)state;
    uint8_t data[8192];
    uint8_t rest[216] = {0};
    static const struct {
        uint8_t command;
        uint8_t kind;
        size_t len;
    } bad[] = {
        {0x21, 0x11, 11},  {0x21, 0x21, 35}, {0x21, 0x31, 215}, {0x21, 0x12, 12}, {0x21, 0x22, 36},
        {0x21, 0x32, 216}, {0x21, 0x41, 12}, {0x21, 0x01, 0},   {0x22, 0x11, 12}, {0x11, 0x11, 12},
        {0x21, 0x11, 13},  {0x21, 0x11, 14}, {0x21, 0x00, 2},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        size_t len = binary(data, bad[i].command, bad[i].kind, rest, bad[i].len);
        check(data, len, WEFT_ERR_PROTOCOL, NULL);
    }
    size_t len = binary(data, 0x21, 0x11, rest, 12);
    for (size_t i = 0; i < 12;
         i++) { /* every byte of the signature counts, as soon as it is there */
        uint8_t was = data[i];
        data[i] ^= 1;
        check(data, i + 1, WEFT_ERR_PROTOCOL, NULL);
        data[i] = was;
    }
    data[14] = 0x10;
    data[15] = 0x01; /* 4,097 bytes to come */
    check(data, len, WEFT_ERR_TOO_BIG, NULL);
}

static void tlvs_are_skipped_and_the_checksum_is_checked(void **state)
{
    (void)state;
    uint8_t data[8192];
    /* ALPN "h2", a checksum, and one of no length. */
    uint8_t rest[12 + 5 + 7 + 3] = {192, 0,   2,   7, 198, 51, 100, 1, 0, 1, 0, 2, 1, 0,
                                    2,   'h', '2', 3, 0,   4,  0,   0, 0, 0, 4, 0, 0};
    const struct weft_proxy_header want = {.family = WEFT_PROXY_FAMILY_IP4,
                                           .source = {192, 0, 2, 7},
                                           .destination = {198, 51, 100, 1},
                                           .source_port = 1,
                                           .destination_port = 2,
                                           .version = 2};
    size_t len = binary(data, 0x21, 0x11, rest, sizeof(rest));
    uint32_t crc = weft__crc32c(0, data, len);
    size_t at = 16 + 12 + 5 + 3;
    check(data, len, WEFT_ERR_PROTOCOL, NULL);
    for (int i = 0; i < 4; i++)
        data[at + (size_t)i] = (uint8_t)(crc >> (24 - 8 * i));
    check(data, len, (ptrdiff_t)len, &want);
    data[16 + 15] ^= 1; /* a byte of another TLV */
    check(data, len, WEFT_ERR_PROTOCOL, NULL);
    data[16 + 15] ^= 1;
    data[len - 1] = 1; /* the last one is longer than what is there */
    check(data, len, WEFT_ERR_PROTOCOL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_header_names_both_ends),
        cmocka_unit_test(what_follows_the_header_is_not_touched),
        cmocka_unit_test(unknown_is_accepted_with_whatever_follows),
        cmocka_unit_test(ipv6_addresses_are_read_in_every_form),
        cmocka_unit_test(malformed_text_is_refused),
        cmocka_unit_test(a_text_header_has_at_most_107_bytes),
        cmocka_unit_test(a_binary_header_names_both_ends),
        cmocka_unit_test(local_unspecified_and_unix_name_nobody),
        cmocka_unit_test(malformed_binary_headers_are_refused),
        cmocka_unit_test(tlvs_are_skipped_and_the_checksum_is_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
