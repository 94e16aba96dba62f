/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP/1 head parser: what is accepted, what is refused and with which status, and that a split
 * never changes the answer. RFC 9110, RFC 9112. */
#include "codec/http1.h"

#include "lib/test.h"

static struct test_random rng;

/* Parses |len| bytes as they come in: each call sees everything so far, at another address. Returns
 * what the last call returned. */
struct outcome {
    ptrdiff_t consumed;
    int status;
    struct weft_http1_head head; /* slices point into |data| */
    uint8_t data[40000];
};

static struct outcome whole;

static void read_pieces(const struct test_piece *pieces, size_t count, void *ctx)
{
    (void)ctx;
    static struct outcome got;
    static struct weft_http1_head head;
    size_t scanned = 0;
    size_t len = 0;
    got.consumed = 0;
    got.status = 0;
    for (size_t i = 0; i < count && got.consumed == 0; i++) {
        uint8_t *copy = malloc(len + pieces[i].len + 1);
        memcpy(copy, got.data, len);
        if (pieces[i].len)
            memcpy(copy + len, pieces[i].data, pieces[i].len);
        len += pieces[i].len;
        memcpy(got.data, copy, len);
        uint8_t *exact = realloc(copy, len ? len : 1);
        got.consumed = weft__http1_read_request(exact, len, &scanned, &head, &got.status);
        if (got.consumed > 0) {
            assert_int_equal(head.header_count, whole.head.header_count);
            assert_int_equal(head.content_length, whole.head.content_length);
            assert_true(weft__slice_eq(head.target, whole.head.target));
            assert_true(weft__slice_eq(head.method, whole.head.method));
            for (size_t h = 0; h < head.header_count; h++) {
                assert_true(weft__slice_eq(head.headers[h].name, whole.head.headers[h].name));
                assert_true(weft__slice_eq(head.headers[h].value, whole.head.headers[h].value));
            }
        }
        free(exact);
    }
    assert_int_equal(got.consumed, whole.consumed);
    assert_int_equal(got.status, whole.status);
}

/* The status of a request: 200 when it is accepted, 0 when more is needed. */
static int judge_bytes(const void *data, size_t len)
{
    assert_true(len <= sizeof(whole.data));
    size_t scanned = 0;
    memcpy(whole.data, data, len);
    whole.status = 0;
    whole.consumed =
        weft__http1_read_request(whole.data, len, &scanned, &whole.head, &whole.status);
    if (len < 600)
        test_each_split(whole.data, len, &rng, 10, read_pieces, NULL);
    if (whole.consumed < 0) {
        assert_err((int)whole.consumed, WEFT_ERR_HTTP);
        return whole.status;
    }
    return whole.consumed > 0 ? 200 : 0;
}

static int judge(const char *text)
{
    return judge_bytes(text, strlen(text));
}

#define REQUEST(lines) "GET / HTTP/1.1\r\nHost: a\r\n" lines "\r\n"

static void good_request_is_taken_apart(void **state)
{
    (void)state;
    static const char text[] = "POST /rpc/x?y=1 HTTP/1.1\r\n"
                               "Host: example.org:8080\r\n"
                               "Content-Length: 12\r\n"
                               "X-Empty:\r\n"
                               "X-Padded: \t a b \t\r\n"
                               "x-Latin: caf\xe9\r\n"
                               "\r\nbody follows";
    assert_int_equal(judge(text), 200);
    const struct weft_http1_head *head = &whole.head;
    assert_int_equal(whole.consumed, sizeof(text) - 1 - 12);
    assert_true(weft__slice_eq_str(head->method, "POST"));
    assert_true(weft__slice_eq_str(head->target, "/rpc/x?y=1"));
    assert_true(weft__slice_eq_str(head->host, "example.org:8080"));
    assert_int_equal(head->minor, 1);
    assert_int_equal(head->content_length, 12);
    assert_false(head->chunked);
    assert_true(head->keep_alive);
    assert_int_equal(head->header_count, 5);
    assert_true(weft__slice_eq_str(weft__http1_find(head, "x-padded")->value, "a b"));
    assert_true(weft__slice_eq_str(weft__http1_find(head, "X-EMPTY")->value, ""));
    assert_null(weft__http1_find(head, "x"));
    assert_int_equal(weft__http1_count(head, "host"), 1);
}

static void incomplete_request_needs_more(void **state)
{
    (void)state;
    assert_int_equal(judge(""), 0);
    assert_int_equal(judge("GET / HTTP/1.1\r\nHost: a\r\n\r"), 0);
    assert_int_equal(judge("GET / HTTP/1.1\r"), 0);
}

static void request_line_has_one_spelling(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "GET  / HTTP/1.1",
        " GET / HTTP/1.1",
        "GET / HTTP/1.1 ",
        "GET /  HTTP/1.1",
        "GET\t/ HTTP/1.1",
        "GET / http/1.1",
        "GET /",
        "GET",
        "",
        "GET / HTTP/1.1x",
        "GET / HTTP/11",
        "G@T / HTTP/1.1",
        "GET a HTTP/1.1",
        "GET  HTTP/1.1",
        "GET / HTTP/1.",
        "GET / HTTPS/1.1",
        "GET * HTTP/1.1",
        "CONNECT a:1 HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "GET /a#b HTTP/1.1",
        "GET /caf\xc3\xa9 HTTP/1.1",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char text[200];
        snprintf(text, sizeof(text), "%s\r\nHost: a\r\n\r\n", bad[i]);
        if (judge(text) != 400)
            fail_msg("not refused: %s", bad[i]);
    }
    assert_int_equal(judge("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
}

static void versions_other_than_1_0_and_1_1_are_refused(void **state)
{
    (void)state;
    assert_int_equal(judge("GET / HTTP/1.0\r\n\r\n"), 200);
    assert_int_equal(whole.head.minor, 0);
    assert_int_equal(judge("GET / HTTP/1.2\r\nHost: a\r\n\r\n"), 505);
    assert_int_equal(judge("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), 505);
    assert_int_equal(judge("GET / HTTP/0.9\r\nHost: a\r\n\r\n"), 505);
    assert_int_equal(judge("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505);
}

static void absolute_target_must_name_the_host(void **state)
{
    (void)state;
    assert_int_equal(judge("GET http://a.b/c?d HTTP/1.1\r\nHost: A.b\r\n\r\n"), 200);
    assert_true(weft__slice_eq_str(whole.head.target, "/c?d"));
    assert_int_equal(judge("GET https://a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n"), 200);
    assert_true(weft__slice_eq_str(whole.head.target, "/"));
    assert_int_equal(judge("GET http://evil/ HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    assert_int_equal(judge("GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    assert_int_equal(judge("GET http:/// HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    assert_int_equal(judge("GET http:// HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    assert_int_equal(judge("GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    assert_int_equal(judge("GET http://a/ HTTP/1.0\r\n\r\n"), 400);
}

static void bare_cr_and_bare_lf_are_refused(void **state)
{
    (void)state;
    assert_int_equal(judge("GET / HTTP/1.1\nHost: a\r\n\r\n"), 400);
    assert_int_equal(judge("GET / HTTP/1.1\r\nHost: a\n\r\n"), 400);
    assert_int_equal(judge("GET / HTTP/1.1\r\nHost: a\n\n"), 400);
    assert_int_equal(judge(REQUEST("X: a\rb\r\n")), 400);
    assert_int_equal(judge(REQUEST("X: a\r\r\n")), 400);
    assert_int_equal(judge("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
}

static void control_characters_are_refused_at_once(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 128; c++) {
        if (c == '\t' || c == '\r' || c == '\n' || (c >= ' ' && c < 127))
            continue;
        char text[] = REQUEST("X: a?b\r\n");
        *strchr(text, '?') = (char)c;
        assert_int_equal(judge_bytes(text, sizeof(text) - 1), 400);
        /* No need to wait for the head's end: this never becomes a request. */
        text[0] = (char)c;
        assert_int_equal(judge_bytes(text, 1), 400);
    }
    /* The first bytes of a TLS hello. */
    assert_int_equal(judge_bytes("\x16\x03\x01\x02\x00", 5), 400);
    assert_int_equal(judge(REQUEST("X: a\tb\r\n")), 200);
}

static void header_lines_have_one_spelling(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "X : a",   " X: a",    "\tX: a", "X",      ": a",      "X Y: a", "X\t: a",
        "X(y): a", "X\xe9: a", "X@: a",  "X/y: a", "\"X\": a", "X;: a",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char text[200];
        snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n", bad[i]);
        if (judge(text) != 400)
            fail_msg("not refused: %s", bad[i]);
    }
    assert_int_equal(judge(REQUEST("!#$%&'*+-.^_`|~09AZaz: ok\r\n")), 200);
}

static void folded_lines_are_refused(void **state)
{
    (void)state;
    assert_int_equal(judge(REQUEST("X: a\r\n b\r\n")), 400);
    assert_int_equal(judge(REQUEST("X: a\r\n\tb: c\r\n")), 400);
    assert_int_equal(judge("GET / HTTP/1.1\r\n Host: a\r\n\r\n"), 400);
}

static void host_is_there_once_and_well_formed(void **state)
{
    (void)state;
    assert_int_equal(judge("GET / HTTP/1.1\r\n\r\n"), 400);
    assert_int_equal(judge("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"), 400);
    assert_int_equal(judge("GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n"), 400);
    assert_int_equal(judge("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"), 400);
    static const char *const bad[] = {"",     "a b", "a/b",   "u@a",    "a:b",   "a:1:2",
                                      "[::1", "[]",  "::1",   "[::1]x", "a,b c", "a:65536",
                                      "a#",   "a?b", "[a b]", ":80",    "a\\b",  "<a>"};
    static const char *const ok[] = {"a",     "a.b-c_d",      "127.0.0.1:8080",
                                     "[::1]", "[fe80::1]:80", "a:"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char text[200];
        snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", bad[i]);
        if (judge(text) != 400)
            fail_msg("not refused: %s", bad[i]);
    }
    for (size_t i = 0; i < sizeof(ok) / sizeof(ok[0]); i++) {
        char text[200];
        snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", ok[i]);
        if (judge(text) != 200)
            fail_msg("refused: %s", ok[i]);
        assert_true(weft__slice_eq_str(whole.head.host, ok[i]));
    }
}

static void length_of_a_body_is_said_once_and_in_one_way(void **state)
{
    (void)state;
    assert_int_equal(judge(REQUEST("Content-Length: 0\r\n")), 200);
    assert_int_equal(whole.head.content_length, 0);
    assert_int_equal(judge(REQUEST("")), 200);
    assert_int_equal(whole.head.content_length, -1);
    assert_int_equal(judge(REQUEST("Content-Length: 999999999999999999\r\n")), 200);
    assert_true(whole.head.content_length == 999999999999999999);
    static const char *const bad[] = {
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5, 5",
        "Content-Length: +5",
        "Content-Length: -5",
        "Content-Length: 5 ,",
        "Content-Length: 0x5",
        "Content-Length: 5.0",
        "Content-Length:",
        "Content-Length: 1234567890123456789",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\ntransfer-encoding: identity",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char text[200];
        snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n", bad[i]);
        if (judge(text) != 400)
            fail_msg("not refused: %s", bad[i]);
    }
    assert_int_equal(judge(REQUEST("Transfer-Encoding: Chunked\r\n")), 200);
    assert_true(whole.head.chunked);
    assert_int_equal(judge(REQUEST("Transfer-Encoding: gzip, chunked\r\n")), 501);
    assert_int_equal(judge(REQUEST("Transfer-Encoding: chunked, chunked\r\n")), 501);
    assert_int_equal(judge(REQUEST("Transfer-Encoding: xchunked\r\n")), 501);
    assert_int_equal(judge(REQUEST("Transfer-Encoding:\r\n")), 501);
    assert_int_equal(judge("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
}

static void connections_live_on_as_version_and_header_say(void **state)
{
    (void)state;
    assert_int_equal(judge(REQUEST("Connection: foo, Close\r\n")), 200);
    assert_false(whole.head.keep_alive);
    assert_int_equal(judge("GET / HTTP/1.0\r\n\r\n"), 200);
    assert_false(whole.head.keep_alive);
    assert_int_equal(judge("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"), 200);
    assert_true(whole.head.keep_alive);
}

/* A request of exactly |len| bytes. */
static char *padded(size_t len)
{
    char *text = malloc(len + 1);
    int n = sprintf(text, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
    memset(text + n, 'x', len - (size_t)n);
    strcpy(text + len - 4, "\r\n\r\n");
    return text;
}

static void limits_hold_to_the_byte(void **state)
{
    (void)state;
    char *text = padded(WEFT_HTTP1_HEAD_MAX);
    assert_int_equal(judge(text), 200);
    free(text);
    text = padded(WEFT_HTTP1_HEAD_MAX + 1);
    assert_int_equal(judge(text), 431);
    assert_int_equal(judge_bytes(text, WEFT_HTTP1_HEAD_MAX), 431);
    assert_int_equal(judge_bytes(text, WEFT_HTTP1_HEAD_MAX - 1), 0);
    free(text);

    static char many[4000] = "GET / HTTP/1.1\r\nHost: a\r\n";
    for (int i = 1; i < WEFT_HTTP1_HEADERS_MAX; i++)
        sprintf(many + strlen(many), "X%d: %d\r\n", i, i);
    size_t len = strlen(many);
    strcpy(many + len, "\r\n");
    assert_int_equal(judge(many), 200);
    assert_int_equal(whole.head.header_count, WEFT_HTTP1_HEADERS_MAX);
    strcpy(many + len, "Y: y\r\n\r\n");
    assert_int_equal(judge(many), 431);

    static char line[WEFT_HTTP1_TARGET_MAX + 100];
    for (size_t over = 0; over < 2; over++) {
        int n = sprintf(line, "GET /");
        memset(line + n, 'p', WEFT_HTTP1_TARGET_MAX - 1 + over);
        strcpy(line + n + WEFT_HTTP1_TARGET_MAX - 1 + over, " HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_int_equal(judge(line), over ? 414 : 200);
        memset(line, 'M', WEFT_HTTP1_METHOD_MAX + over);
        strcpy(line + WEFT_HTTP1_METHOD_MAX + over, " / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_int_equal(judge(line), over ? 501 : 200);
    }
}

static void new_bytes_alone_are_looked_at_while_the_head_is_incomplete(void **state)
{
    (void)state;
    char *text = padded(2000);
    size_t scanned = 0;
    for (size_t len = 1; len < 2000; len++) {
        assert_int_equal(weft__http1_read_request((const uint8_t *)text, len, &scanned, &whole.head,
                                                  &whole.status),
                         0);
        assert_true(scanned + 1 >= len);
    }
    free(text);
}

static void lists_are_walked_over_lines_and_empty_elements(void **state)
{
    (void)state;
    assert_int_equal(judge(REQUEST("L: a, b ,,c\r\nM: x\r\nl:\r\nL: ,\tD\t, \r\n")), 200);
    static const char *const want[] = {"a", "b", "c", "D"};
    struct weft_http1_list at = {0};
    struct weft_slice element;
    for (size_t i = 0; i < 4; i++) {
        assert_true(weft__http1_list_next(&whole.head, "l", &at, &element));
        assert_true(weft__slice_eq_str(element, want[i]));
    }
    assert_false(weft__http1_list_next(&whole.head, "l", &at, &element));
    assert_false(weft__http1_list_next(&whole.head, "l", &at, &element));
    assert_true(weft__http1_has_token(&whole.head, "L", "d"));
    assert_false(weft__http1_has_token(&whole.head, "L", "x"));
    assert_false(weft__http1_has_token(&whole.head, "none", "a"));
}

static int read_response(const char *text)
{
    static struct weft_http1_head head;
    size_t len = strlen(text);
    uint8_t *exact = malloc(len ? len : 1);
    memcpy(exact, text, len);
    size_t scanned = 0;
    ptrdiff_t n = weft__http1_read_response(exact, len, &scanned, &head);
    int result = n > 0 ? head.status : (int)n;
    /* Byte by byte gives the same. */
    ptrdiff_t again = 0;
    scanned = 0;
    for (size_t i = 1; i <= len && again == 0; i++)
        again = weft__http1_read_response(exact, i, &scanned, &head);
    assert_int_equal(again, n);
    free(exact);
    return result;
}

static void responses_are_parsed_as_strictly(void **state)
{
    (void)state;
    assert_int_equal(read_response("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"), 101);
    assert_int_equal(read_response("HTTP/1.0 200 \r\n\r\n"), 200);
    assert_int_equal(read_response("HTTP/1.1 404\r\n\r\n"), 404);
    assert_int_equal(read_response("HTTP/1.1 404"), 0);
    static const char *const bad[] = {
        "HTTP/1.1 99 x\r\n\r\n",
        "HTTP/1.1 1000 x\r\n\r\n",
        "HTTP/1.1 2x0 x\r\n\r\n",
        "HTTP/2.0 200 x\r\n\r\n",
        "HTTP/1.1  200 x\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\n\n",
        "HTTP/1.1 200 OK\r\n X: y\r\n\r\n",
        "HTTP/1.1 099 x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_err(read_response(bad[i]), WEFT_ERR_HTTP);
}

static void random_bytes_never_confuse_the_parser(void **state)
{
    (void)state;
    static const char *const parts[] = {"GET / HTTP/1.1",
                                        "\r\n",
                                        "\r\n",
                                        "\r\n\r\n",
                                        "Host: a",
                                        "X: y",
                                        " ",
                                        "\r",
                                        "\n",
                                        ":",
                                        ",",
                                        "\t",
                                        "Content-Length: 3",
                                        "Connection: close"};
    for (unsigned run = 0; run < 400; run++) {
        char text[300] = "";
        size_t count = test_random_size(&rng, 1, 12);
        if (test_random_one_in(&rng, 2))
            strcpy(text, "GET / HTTP/1.1\r\nHost: a\r\n");
        for (size_t i = 0; i < count; i++)
            strcat(text, parts[test_random_below(&rng, sizeof(parts) / sizeof(parts[0]))]);
        int status = judge(text);
        assert_true(status == 0 || status == 200 || status == 400 || status == 505);
    }
}

static int seed(void **state)
{
    (void)state;
    test_random_init(&rng, "http1_test");
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_request_is_taken_apart),
        cmocka_unit_test(incomplete_request_needs_more),
        cmocka_unit_test(request_line_has_one_spelling),
        cmocka_unit_test(versions_other_than_1_0_and_1_1_are_refused),
        cmocka_unit_test(absolute_target_must_name_the_host),
        cmocka_unit_test(bare_cr_and_bare_lf_are_refused),
        cmocka_unit_test(control_characters_are_refused_at_once),
        cmocka_unit_test(header_lines_have_one_spelling),
        cmocka_unit_test(folded_lines_are_refused),
        cmocka_unit_test(host_is_there_once_and_well_formed),
        cmocka_unit_test(length_of_a_body_is_said_once_and_in_one_way),
        cmocka_unit_test(connections_live_on_as_version_and_header_say),
        cmocka_unit_test(limits_hold_to_the_byte),
        cmocka_unit_test(new_bytes_alone_are_looked_at_while_the_head_is_incomplete),
        cmocka_unit_test(lists_are_walked_over_lines_and_empty_elements),
        cmocka_unit_test(responses_are_parsed_as_strictly),
        cmocka_unit_test(random_bytes_never_confuse_the_parser),
    };
    return cmocka_run_group_tests(tests, seed, NULL);
}
