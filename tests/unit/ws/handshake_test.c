/* SPDX-License-Identifier: Apache-2.0 */
/* The opening handshake of both ends: RFC 6455 §1.3, §4. */
#include "ws/handshake.h"

#include "io/crypto.h"
#include "lib/test.h"

static const struct weft_slice protocols[] = {
    {(const uint8_t *)"weft.v1.json", 12},
    {(const uint8_t *)"weft.v1.pb", 10},
};

/* A request that is all right; tests take lines out or put others in. */
static const char good[] = "GET /ws?x=1 HTTP/1.1\r\n"
                           "Host: server.example.com\r\n"
                           "Upgrade: websocket\r\n"
                           "Connection: Upgrade\r\n"
                           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                           "Origin: http://example.com\r\n"
                           "Sec-WebSocket-Protocol: chat, weft.v1.pb, weft.v1.json\r\n"
                           "Sec-WebSocket-Version: 13\r\n"
                           "\r\n";

/* |text| with the line that begins with |from| replaced by |to| ("" takes it out). */
static char *replaced(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    assert_non_null(at);
    const char *end = strstr(at, "\r\n") + 2;
    char *result = malloc(strlen(text) + strlen(to) + 1);
    memcpy(result, text, (size_t)(at - text));
    strcpy(result + (at - text), to);
    strcat(result, end);
    return result;
}

static void parse(const char *text, struct weft_http1_head *ret_head)
{
    size_t scanned = 0;
    int status = 0;
    ptrdiff_t n =
        weft__http1_read_request((const uint8_t *)text, strlen(text), &scanned, ret_head, &status);
    if (n <= 0)
        fail_msg("status %d for %s", status, text);
}

/* What becomes of the request: 101, or the status it is refused with. */
static int judge(const char *text, struct weft_ws_upgrade *ret_upgrade)
{
    struct weft_http1_head head;
    parse(text, &head);
    int status = 0;
    int rc = weft__ws_upgrade_check(&head, protocols, 2, ret_upgrade, &status);
    if (rc == 0)
        return 101;
    assert_err(rc, WEFT_ERR_HANDSHAKE);
    return status;
}

static void check_replaced(const char *from, const char *to, int want)
{
    struct weft_ws_upgrade upgrade;
    char *text = replaced(good, from, to);
    int status = judge(text, &upgrade);
    if (status != want)
        fail_msg("%d instead of %d for %s", status, want, text);
    free(text);
}

static void good_request_is_accepted_and_taken_apart(void **state)
{
    (void)state;
    struct weft_ws_upgrade upgrade;
    assert_int_equal(judge(good, &upgrade), 101);
    assert_true(weft__slice_eq_str(upgrade.key, "dGhlIHNhbXBsZSBub25jZQ=="));
    assert_true(weft__slice_eq_str(upgrade.host, "server.example.com"));
    assert_true(upgrade.has_origin);
    assert_true(weft__slice_eq_str(upgrade.origin, "http://example.com"));
    assert_ptr_equal(upgrade.protocol.ptr, protocols[1].ptr);
}

static void request_without_origin_is_accepted_and_says_so(void **state)
{
    (void)state;
    struct weft_ws_upgrade upgrade;
    char *text = replaced(good, "Origin:", "");
    assert_int_equal(judge(text, &upgrade), 101);
    assert_false(upgrade.has_origin);
    assert_int_equal(upgrade.origin.len, 0);
    free(text);
    check_replaced("Origin:", "Origin: http://a\r\nOrigin: http://b\r\n", 400);
}

static void only_get_is_an_upgrade(void **state)
{
    (void)state;
    check_replaced("GET", "POST /ws HTTP/1.1\r\n", 405);
    check_replaced("GET", "get /ws HTTP/1.1\r\n", 405);
}

static void http_1_0_is_refused(void **state)
{
    (void)state;
    check_replaced("GET", "GET /ws HTTP/1.0\r\n", 400);
}

static void request_with_a_body_is_refused(void **state)
{
    (void)state;
    check_replaced("Origin:", "Content-Length: 3\r\n", 400);
    check_replaced("Origin:", "Transfer-Encoding: chunked\r\n", 400);
    check_replaced("Origin:", "Content-Length: 0\r\n", 101);
}

static void upgrade_and_connection_are_lists_in_any_case(void **state)
{
    (void)state;
    check_replaced("Upgrade:", "Upgrade: WebSocket\r\n", 101);
    check_replaced("Upgrade:", "upgrade: h2c, websocket\r\n", 101);
    check_replaced("Upgrade:", "Upgrade: h2c\r\nUpgrade: WEBSOCKET\r\n", 101);
    check_replaced("Upgrade:", "Upgrade: websockets\r\n", 400);
    check_replaced("Upgrade:", "", 400);
    check_replaced("Connection:", "Connection: keep-alive, upgrade\r\n", 101);
    check_replaced("Connection:", "CONNECTION: keep-alive\r\nConnection: UPGRADE\r\n", 101);
    check_replaced("Connection:", "Connection: keep-alive\r\n", 400);
    check_replaced("Connection:", "", 400);
}

static void other_version_is_refused_with_426(void **state)
{
    (void)state;
    check_replaced("Sec-WebSocket-Version", "Sec-WebSocket-Version: 8\r\n", 426);
    check_replaced("Sec-WebSocket-Version", "Sec-WebSocket-Version: 013\r\n", 426);
    check_replaced("Sec-WebSocket-Version", "Sec-WebSocket-Version: 13, 8\r\n", 426);
    check_replaced("Sec-WebSocket-Version", "", 426);
    check_replaced("Sec-WebSocket-Version",
                   "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 13\r\n", 400);
}

static void key_is_16_bytes_in_strict_base64(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "Sec-WebSocket-Key:\r\n",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR==\r\n",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ\r\n",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQAA\r\n",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j_w==\r\n",
        "Sec-WebSocket-Key: dGhl IHNhbXBsZSBub25jZ==\r\n",
        ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"),
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        check_replaced("Sec-WebSocket-Key", bad[i], 400);
    check_replaced("Sec-WebSocket-Key", "sec-websocket-key:AQIDBAUGBwgJCgsMDQ4PEA==\r\n", 101);
}

static void check_protocol(const char *headers, const char *want)
{
    struct weft_ws_upgrade upgrade;
    char *text = replaced(good, "Sec-WebSocket-Protocol", headers);
    assert_int_equal(judge(text, &upgrade), 101);
    assert_true(weft__slice_eq_str(upgrade.protocol, want));
    free(text);
}

static void subprotocol_is_the_clients_first_that_the_server_has(void **state)
{
    (void)state;
    check_protocol("", "");
    check_protocol("Sec-WebSocket-Protocol: weft.v1.json, weft.v1.pb\r\n", "weft.v1.json");
    check_protocol("Sec-WebSocket-Protocol: weft.v1.pb,weft.v1.json\r\n", "weft.v1.pb");
    check_protocol("Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: weft.v1.pb\r\n",
                   "weft.v1.pb");
    check_protocol("Sec-WebSocket-Protocol: chat\r\n", "");
    check_protocol("Sec-WebSocket-Protocol: WEFT.v1.json\r\n", "");
    check_protocol("Sec-WebSocket-Protocol: weft.bearer.abc, weft.v1.json\r\n", "weft.v1.json");
}

static void malformed_subprotocols_are_refused(void **state)
{
    (void)state;
    check_replaced("Sec-WebSocket-Protocol", "Sec-WebSocket-Protocol: a b\r\n", 400);
    check_replaced("Sec-WebSocket-Protocol", "Sec-WebSocket-Protocol: \"a\"\r\n", 400);
    check_replaced("Sec-WebSocket-Protocol", "Sec-WebSocket-Protocol: a, b, a\r\n", 400);
    char many[300] = "Sec-WebSocket-Protocol: p0";
    for (int i = 1; i < 32; i++)
        snprintf(many + strlen(many), 16, ",p%d", i);
    char *end = many + strlen(many);
    strcpy(end, "\r\n");
    check_replaced("Sec-WebSocket-Protocol", many, 101);
    strcpy(end, ",p32\r\n");
    check_replaced("Sec-WebSocket-Protocol", many, 400);
}

static void wanted_tells_upgrades_from_ordinary_requests(void **state)
{
    (void)state;
    struct weft_http1_head head;
    parse(good, &head);
    assert_true(weft__ws_upgrade_wanted(&head));
    parse("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n", &head);
    assert_false(weft__ws_upgrade_wanted(&head));
    parse("GET / HTTP/1.1\r\nHost: a\r\n\r\n", &head);
    assert_false(weft__ws_upgrade_wanted(&head));
}

static void expect_text(struct weft_bytes *out, const char *want)
{
    weft__bytes_append_byte(out, 0);
    assert_ok(weft__bytes_error(out));
    assert_string_equal((const char *)out->ptr, want);
    weft__bytes_clear(out);
}

static void answers_are_written_as_they_should_be(void **state)
{
    (void)state;
    struct weft_bytes out;
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    struct weft_ws_upgrade upgrade;
    assert_int_equal(judge(good, &upgrade), 101);
    const struct weft_http1_header extra = {WEFT_SLICE_LIT("Server"), WEFT_SLICE_LIT("weft")};
    assert_ok(weft__ws_upgrade_accept(&out, &upgrade, weft__crypto_openssl(), NULL, &extra, 1));
    expect_text(&out, "HTTP/1.1 101 Switching Protocols\r\n"
                      "Upgrade: websocket\r\n"
                      "Connection: Upgrade\r\n"
                      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
                      "Sec-WebSocket-Protocol: weft.v1.pb\r\n"
                      "Server: weft\r\n"
                      "\r\n");
    assert_ok(weft__ws_upgrade_refuse(&out, 400, NULL, NULL, 0));
    expect_text(&out, "HTTP/1.1 400 Bad Request\r\n"
                      "Content-Type: text/plain; charset=utf-8\r\n"
                      "Content-Length: 12\r\n"
                      "Connection: close\r\n"
                      "\r\n"
                      "Bad Request\n");
    assert_ok(weft__ws_upgrade_refuse(&out, 426, "version 13 only", &extra, 1));
    expect_text(&out, "HTTP/1.1 426 Upgrade Required\r\n"
                      "Content-Type: text/plain; charset=utf-8\r\n"
                      "Content-Length: 16\r\n"
                      "Sec-WebSocket-Version: 13\r\n"
                      "Upgrade: websocket\r\n"
                      "Connection: upgrade, close\r\n"
                      "Server: weft\r\n"
                      "\r\n"
                      "version 13 only\n");
    assert_ok(weft__ws_upgrade_refuse(&out, 405, "no", NULL, 0));
    weft__bytes_append_byte(&out, 0);
    assert_non_null(strstr((const char *)out.ptr, "Allow: GET\r\n"));
    weft__bytes_done(&out);
}

static void extra_header_cannot_break_the_answer(void **state)
{
    (void)state;
    struct weft_ws_upgrade upgrade;
    assert_int_equal(judge(good, &upgrade), 101);
    const struct weft_http1_header bad = {WEFT_SLICE_LIT("X"),
                                          WEFT_SLICE_LIT("a\r\nSet-Cookie: b")};
    struct weft_bytes out;
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    assert_err(weft__ws_upgrade_accept(&out, &upgrade, weft__crypto_openssl(), NULL, &bad, 1),
               WEFT_ERR_USAGE);
    weft__bytes_clear(&out);
    assert_err(weft__ws_upgrade_refuse(&out, 400, NULL, &bad, 1), WEFT_ERR_USAGE);
    weft__bytes_done(&out);
}

static int failing_sha1(void *ctx, const void *data, size_t len, uint8_t ret_digest[WEFT_SHA1_SIZE])
{
    (void)ctx;
    (void)data;
    (void)len;
    (void)ret_digest;
    return WEFT_ERR_NOMEM;
}

static void failure_of_the_hash_is_passed_on(void **state)
{
    (void)state;
    const struct weft_crypto crypto = {.sha1 = failing_sha1};
    struct weft_ws_upgrade upgrade;
    assert_int_equal(judge(good, &upgrade), 101);
    struct weft_bytes out;
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    assert_err(weft__ws_upgrade_accept(&out, &upgrade, &crypto, NULL, NULL, 0), WEFT_ERR_NOMEM);
    assert_int_equal(out.len, 0);
    weft__bytes_done(&out);
}

static struct weft_ws_request client_request(void)
{
    return (struct weft_ws_request){
        .host = WEFT_SLICE_LIT("server.example.com"),
        .target = WEFT_SLICE_LIT("/chat"),
        .protocols = protocols,
        .protocol_count = 2,
    };
}

static void client_request_is_written_as_it_should_be(void **state)
{
    (void)state;
    struct weft_ws_request request = client_request();
    request.origin = WEFT_SLICE_LIT("http://example.com");
    const struct weft_http1_header extra = {WEFT_SLICE_LIT("Authorization"),
                                            WEFT_SLICE_LIT("Bearer x")};
    request.extra = &extra;
    request.extra_count = 1;
    struct weft_bytes out;
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    char key[WEFT_WS_KEY_LEN + 1];
    assert_ok(weft__ws_request_write(&out, &request, (const uint8_t *)"the sample nonce", key));
    assert_string_equal(key, "dGhlIHNhbXBsZSBub25jZQ==");
    struct weft_slice written = weft__bytes_slice(&out);
    struct weft_http1_head head;
    struct weft_ws_upgrade upgrade;
    size_t scanned = 0;
    int status = 0;
    assert_int_equal(weft__http1_read_request(written.ptr, written.len, &scanned, &head, &status),
                     written.len);
    assert_ok(weft__ws_upgrade_check(&head, protocols + 1, 1, &upgrade, &status));
    assert_true(weft__slice_eq_str(upgrade.protocol, "weft.v1.pb"));
    expect_text(&out, "GET /chat HTTP/1.1\r\n"
                      "Host: server.example.com\r\n"
                      "Upgrade: websocket\r\n"
                      "Connection: Upgrade\r\n"
                      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                      "Sec-WebSocket-Version: 13\r\n"
                      "Origin: http://example.com\r\n"
                      "Sec-WebSocket-Protocol: weft.v1.json, weft.v1.pb\r\n"
                      "Authorization: Bearer x\r\n"
                      "\r\n");
    weft__bytes_done(&out);
}

static void check_refused(struct weft_ws_request request)
{
    static const uint8_t nonce[WEFT_WS_NONCE_LEN] = {0};
    struct weft_bytes out;
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    char key[WEFT_WS_KEY_LEN + 1];
    assert_err(weft__ws_request_write(&out, &request, nonce, key), WEFT_ERR_USAGE);
    weft__bytes_done(&out);
}

static void malformed_client_request_is_refused(void **state)
{
    (void)state;
    struct weft_ws_request request = client_request();
    request.host = WEFT_SLICE_LIT("a\r\nX: y");
    check_refused(request);
    request = client_request();
    request.host = WEFT_SLICE_LIT("");
    check_refused(request);
    request = client_request();
    request.target = WEFT_SLICE_LIT("no-slash");
    check_refused(request);
    request = client_request();
    request.target = WEFT_SLICE_LIT("/a b");
    check_refused(request);
    request = client_request();
    request.origin = WEFT_SLICE_LIT("a\nb");
    check_refused(request);
    const struct weft_slice twice[] = {WEFT_SLICE_LIT("a"), WEFT_SLICE_LIT("a")};
    request = client_request();
    request.protocols = twice;
    check_refused(request);
    const struct weft_slice no_token[] = {WEFT_SLICE_LIT("a,b"), WEFT_SLICE_LIT("c")};
    request.protocols = no_token;
    check_refused(request);
    const struct weft_http1_header bad = {WEFT_SLICE_LIT("X Y"), WEFT_SLICE_LIT("z")};
    request = client_request();
    request.extra = &bad;
    request.extra_count = 1;
    check_refused(request);
}

static const char good_answer[] = "HTTP/1.1 101 Switching Protocols\r\n"
                                  "Upgrade: websocket\r\n"
                                  "Connection: Upgrade\r\n"
                                  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
                                  "Sec-WebSocket-Protocol: weft.v1.pb\r\n"
                                  "\r\n";

static int check_answer(const char *text, struct weft_slice *ret_protocol)
{
    struct weft_http1_head head;
    size_t scanned = 0;
    assert_int_equal(
        weft__http1_read_response((const uint8_t *)text, strlen(text), &scanned, &head),
        strlen(text));
    const struct weft_ws_request request = client_request();
    struct weft_ws_deflate_params deflate;
    return weft__ws_response_check(&head, &request,
                                   "dGhlIHNhbXBsZSBub25jZQ==", weft__crypto_openssl(), ret_protocol,
                                   &deflate);
}

static void check_answer_replaced(const char *from, const char *to, int want)
{
    char *text = replaced(good_answer, from, to);
    struct weft_slice protocol;
    assert_err(check_answer(text, &protocol), want);
    free(text);
}

static void good_answer_is_accepted(void **state)
{
    (void)state;
    struct weft_slice protocol;
    assert_ok(check_answer(good_answer, &protocol));
    assert_ptr_equal(protocol.ptr, protocols[1].ptr);
    char *text = replaced(good_answer, "Sec-WebSocket-Protocol", "");
    assert_ok(check_answer(text, &protocol));
    assert_int_equal(protocol.len, 0);
    free(text);
    check_answer_replaced("Upgrade:", "UPGRADE: WebSocket\r\n", WEFT_OK);
    check_answer_replaced("Connection:", "Connection: keep-alive, upgrade\r\n", WEFT_OK);
    check_answer_replaced("Connection:", "Connection: upgrade\r\nSec-WebSocket-Extensions:\r\n",
                          WEFT_OK);
}

static void answer_that_is_not_what_the_client_asked_for_fails(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"HTTP", "HTTP/1.1 200 OK\r\n"},
        {"HTTP", "HTTP/1.0 101 Switching Protocols\r\n"},
        {"Upgrade:", ""},
        {"Upgrade:", "Upgrade: h2c\r\n"},
        {"Upgrade:", "Upgrade: websocket, h2c\r\n"},
        {"Upgrade:", "Upgrade: websocket\r\nUpgrade: websocket\r\n"},
        {"Connection:", ""},
        {"Connection:", "Connection: close\r\n"},
        {"Sec-WebSocket-Accept", ""},
        {"Sec-WebSocket-Accept", "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"},
        {"Sec-WebSocket-Accept", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo\r\n"},
        {"Sec-WebSocket-Protocol", "Sec-WebSocket-Protocol: chat\r\n"},
        {"Sec-WebSocket-Protocol", "Sec-WebSocket-Protocol: WEFT.v1.pb\r\n"},
        {"Sec-WebSocket-Protocol", "Sec-WebSocket-Protocol:\r\n"},
        {"Sec-WebSocket-Protocol", "Sec-WebSocket-Protocol: weft.v1.pb, weft.v1.json\r\n"},
        {"Sec-WebSocket-Protocol", ("Sec-WebSocket-Protocol: weft.v1.pb\r\n"
                                    "Sec-WebSocket-Protocol: weft.v1.json\r\n")},
        {"Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions: permessage-deflate\r\n"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        check_answer_replaced(bad[i][0], bad[i][1], WEFT_ERR_HANDSHAKE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_request_is_accepted_and_taken_apart),
        cmocka_unit_test(request_without_origin_is_accepted_and_says_so),
        cmocka_unit_test(only_get_is_an_upgrade),
        cmocka_unit_test(http_1_0_is_refused),
        cmocka_unit_test(request_with_a_body_is_refused),
        cmocka_unit_test(upgrade_and_connection_are_lists_in_any_case),
        cmocka_unit_test(other_version_is_refused_with_426),
        cmocka_unit_test(key_is_16_bytes_in_strict_base64),
        cmocka_unit_test(subprotocol_is_the_clients_first_that_the_server_has),
        cmocka_unit_test(malformed_subprotocols_are_refused),
        cmocka_unit_test(wanted_tells_upgrades_from_ordinary_requests),
        cmocka_unit_test(answers_are_written_as_they_should_be),
        cmocka_unit_test(extra_header_cannot_break_the_answer),
        cmocka_unit_test(failure_of_the_hash_is_passed_on),
        cmocka_unit_test(client_request_is_written_as_it_should_be),
        cmocka_unit_test(malformed_client_request_is_refused),
        cmocka_unit_test(good_answer_is_accepted),
        cmocka_unit_test(answer_that_is_not_what_the_client_asked_for_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
