/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP/1 writer, percent decoding and query parameters. */
#include "codec/http1.h"
#include "lib/test.h"

static void heads_are_written_line_by_line(void **state)
{
    (void)state;
    struct weft_bytes out;
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    weft__http1_write_status(&out, 200);
    weft__http1_write_header_str(&out, "Content-Type", "text/html");
    weft__http1_write_header_u64(&out, "Content-Length", 18446744073709551615u);
    weft__http1_write_header(&out, WEFT_SLICE_LIT("X"), WEFT_SLICE_LIT(""));
    weft__http1_write_end(&out);
    weft__http1_write_status(&out, 299);
    weft__http1_write_end(&out);
    weft__http1_write_request(&out, WEFT_SLICE_LIT("GET"), WEFT_SLICE_LIT("/a?b"));
    assert_ok(weft__bytes_error(&out));
    static const char want[] = "HTTP/1.1 200 OK\r\n"
                               "Content-Type: text/html\r\n"
                               "Content-Length: 18446744073709551615\r\n"
                               "X: \r\n"
                               "\r\n"
                               "HTTP/1.1 299 \r\n"
                               "\r\n"
                               "GET /a?b HTTP/1.1\r\n";
    assert_bytes(out.ptr, out.len, want, sizeof(want) - 1);
    weft__bytes_done(&out);
}

static void check_header_refused(const char *name, struct weft_slice value)
{
    struct weft_bytes out;
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    weft__http1_write_status(&out, 200);
    size_t before = out.len;
    weft__http1_write_header(&out, weft__slice_str(name), value);
    weft__http1_write_end(&out);
    assert_err(weft__bytes_error(&out), WEFT_ERR_USAGE);
    assert_int_equal(out.len, before);
    weft__bytes_done(&out);
}

static void header_injection_is_refused(void **state)
{
    (void)state;
    check_header_refused("X", WEFT_SLICE_LIT("a\r\nSet-Cookie: b"));
    check_header_refused("X", WEFT_SLICE_LIT("a\n"));
    check_header_refused("X", WEFT_SLICE_LIT("a\r"));
    check_header_refused("X", WEFT_SLICE_LIT("a\0b"));
    check_header_refused("X", WEFT_SLICE_LIT("a\x7f"));
    check_header_refused("", WEFT_SLICE_LIT("a"));
    check_header_refused("X: a\r\nY", WEFT_SLICE_LIT("a"));
    check_header_refused("X:", WEFT_SLICE_LIT("a"));
    check_header_refused("X Y", WEFT_SLICE_LIT("a"));
    check_header_refused("X\xc3\xa9", WEFT_SLICE_LIT("a"));
}

static void malformed_start_lines_are_refused(void **state)
{
    (void)state;
    static const char *const bad[][2] = {{"GET", "/a b"},  {"GET", "a"},    {"GET", ""},
                                         {"GET", "/\r\n"}, {"GE T", "/"},   {"", "/"},
                                         {"GET\n", "/"},   {"GET", "/a#b"}, {"GET", "/\xc3\xa9"}};
    struct weft_bytes out;
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        weft__http1_write_request(&out, weft__slice_str(bad[i][0]), weft__slice_str(bad[i][1]));
        assert_err(weft__bytes_error(&out), WEFT_ERR_USAGE);
        assert_int_equal(out.len, 0);
        weft__bytes_clear(&out);
    }
    weft__http1_write_status(&out, 99);
    assert_err(weft__bytes_error(&out), WEFT_ERR_USAGE);
    weft__bytes_clear(&out);
    weft__http1_write_status(&out, 1000);
    assert_err(weft__bytes_error(&out), WEFT_ERR_USAGE);
    weft__bytes_clear(&out);
    weft__http1_write_header_u64(&out, "X\r\n", 1);
    assert_err(weft__bytes_error(&out), WEFT_ERR_USAGE);
    weft__bytes_done(&out);
}

static int write_head(const struct weft_alloc *alloc, void *ctx)
{
    (void)ctx;
    struct weft_bytes out;
    weft__bytes_init(&out, alloc, SIZE_MAX);
    weft__http1_write_status(&out, 200);
    for (int i = 0; i < 10; i++)
        weft__http1_write_header_str(&out, "Content-Type", "text/html; charset=utf-8");
    weft__http1_write_end(&out);
    int rc = weft__bytes_error(&out);
    weft__bytes_done(&out);
    return rc;
}

static void writing_without_memory_is_reported_once(void **state)
{
    (void)state;
    assert_true(test_each_alloc_failure(write_head, NULL) >= 2);
}

static void targets_are_split_at_the_first_question_mark(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"/", "/", ""}, {"/a?b=c", "/a", "b=c"}, {"/a?", "/a", ""}, {"/?x?y", "/", "x?y"}};
    for (size_t i = 0; i < 4; i++) {
        struct weft_slice path;
        struct weft_slice query;
        weft__http1_target_split(weft__slice_str(cases[i][0]), &path, &query);
        assert_true(weft__slice_eq_str(path, cases[i][1]));
        assert_true(weft__slice_eq_str(query, cases[i][2]));
    }
}

static void percent_decoding_is_exact_and_bounded(void **state)
{
    (void)state;
    char data[8];
    assert_int_equal(weft__http1_percent_decode(WEFT_SLICE_LIT("a%20%C3%a9+"), false, data, 8), 5);
    assert_memory_equal(data, "a \xc3\xa9+", 5);
    assert_int_equal(weft__http1_percent_decode(WEFT_SLICE_LIT("a+b"), true, data, 8), 3);
    assert_memory_equal(data, "a b", 3);
    assert_int_equal(weft__http1_percent_decode(WEFT_SLICE_LIT("%00"), false, data, 8), 1);
    assert_int_equal(data[0], 0);
    assert_int_equal(weft__http1_percent_decode(WEFT_SLICE_LIT(""), false, data, 0), 0);
    assert_int_equal(weft__http1_percent_decode(WEFT_SLICE_LIT("12345678"), false, data, 8), 8);
    assert_err((int)weft__http1_percent_decode(WEFT_SLICE_LIT("123456789"), false, data, 8),
               WEFT_ERR_TOO_BIG);
    static const char *const bad[] = {"%", "%2", "a%", "%zz", "%2g", "%g2", "%%41"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_err((int)weft__http1_percent_decode(weft__slice_str(bad[i]), false, data, 8),
                   WEFT_ERR_HTTP);
}

static void check_query(const char *query, const char *name, const char *want)
{
    char data[32];
    ptrdiff_t n = weft__http1_query_get(weft__slice_str(query), name, data, sizeof(data));
    if (!want) {
        assert_err((int)n, WEFT_ERR_NOT_FOUND);
        return;
    }
    assert_bytes(data, (size_t)n, want, strlen(want));
}

static void query_parameters_are_found_and_decoded(void **state)
{
    (void)state;
    check_query("doc=notes", "doc", "notes");
    check_query("a=1&doc=my%20notes&doc=2", "doc", "my notes");
    check_query("a=1&doc=my+notes", "doc", "my notes");
    check_query("doc", "doc", "");
    check_query("doc=", "doc", "");
    check_query("doc=a=b", "doc", "a=b");
    check_query("%64oc=x", "doc", "x");
    check_query("&&doc=x&", "doc", "x");
    check_query("docs=x&do=y", "doc", NULL);
    check_query("", "doc", NULL);
    check_query("do%=1&doc=2", "doc", "2");
    check_query("=x", "doc", NULL);
    char data[4];
    assert_err((int)weft__http1_query_get(WEFT_SLICE_LIT("d=%4"), "d", data, 4), WEFT_ERR_HTTP);
    assert_err((int)weft__http1_query_get(WEFT_SLICE_LIT("d=12345"), "d", data, 4),
               WEFT_ERR_TOO_BIG);
}

static void statuses_have_their_phrases(void **state)
{
    (void)state;
    assert_string_equal(weft__http1_reason(404), "Not Found");
    assert_string_equal(weft__http1_reason(426), "Upgrade Required");
    assert_string_equal(weft__http1_reason(299), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_are_written_line_by_line),
        cmocka_unit_test(header_injection_is_refused),
        cmocka_unit_test(malformed_start_lines_are_refused),
        cmocka_unit_test(writing_without_memory_is_reported_once),
        cmocka_unit_test(targets_are_split_at_the_first_question_mark),
        cmocka_unit_test(percent_decoding_is_exact_and_bounded),
        cmocka_unit_test(query_parameters_are_found_and_decoded),
        cmocka_unit_test(statuses_have_their_phrases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
