/* SPDX-License-Identifier: Apache-2.0 */
/* Accept-Encoding: RFC 9110 §12.5.3 and §12.4.2. */
#include "codec/http1.h"

#include "lib/test.h"

static bool accepts(const char *headers, const char *coding)
{
    static struct weft_http1_head head;
    char text[512];
    size_t scanned = 0;
    int status = 0;
    int len = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", headers);
    assert_int_equal(
        weft__http1_read_request((uint8_t *)text, (size_t)len, &scanned, &head, &status), len);
    return weft__http1_accepts_coding(&head, coding);
}

static void coding_is_accepted_when_it_is_named(void **state)
{
    (void)state;
    assert_true(accepts("Accept-Encoding: gzip, deflate, br\r\n", "br"));
    assert_true(accepts("Accept-Encoding: gzip\r\nAccept-Encoding: BR\r\n", "br"));
    assert_true(accepts("Accept-Encoding: br;q=1.0, gzip;q=0.8\r\n", "gzip"));
    assert_true(accepts("Accept-Encoding: br ; q=0.001\r\n", "br"));
    assert_true(accepts("Accept-Encoding: *\r\n", "br"));
    assert_true(accepts("Accept-Encoding: gzip;q=0, *;q=0.5\r\n", "br"));
}

static void coding_is_refused_when_it_is_absent_or_weighs_nothing(void **state)
{
    (void)state;
    assert_false(accepts("", "gzip"));
    assert_false(accepts("Accept-Encoding:\r\n", "gzip"));
    assert_false(accepts("Accept-Encoding: identity\r\n", "gzip"));
    assert_false(accepts("Accept-Encoding: gzipped\r\n", "gzip"));
    assert_false(accepts("Accept-Encoding: gzip;q=0\r\n", "gzip"));
    assert_false(accepts("Accept-Encoding: gzip;q=0.000, *\r\n", "gzip"));
    assert_false(accepts("Accept-Encoding: *;q=0\r\n", "gzip"));
    assert_false(accepts("Accept-Encoding: gzip;level=9\r\n", "gzip"));
    assert_false(accepts("Accept-Encoding: gzip;q\r\n", "gzip"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(coding_is_accepted_when_it_is_named),
        cmocka_unit_test(coding_is_refused_when_it_is_absent_or_weighs_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
