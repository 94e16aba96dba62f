/* SPDX-License-Identifier: Apache-2.0 */
/* What the heads of requests for calls say, and what is refused of it. */
#include "server/http_call.h"

#include "lib/test.h"

static char text[4096];
static struct weft_http1_head head;
static struct weft_http_call call;

/* Makes |head| of a request with |headers|. */
static void parse(const char *headers)
{
    size_t scanned = 0;
    int status;
    snprintf(text, sizeof(text), "POST /rpc/x HTTP/1.1\r\nHost: app.example\r\n%s\r\n", headers);
    assert_true(weft__http1_read_request((const uint8_t *)text, strlen(text), &scanned, &head,
                                         &status) > 0);
}

static bool is_json(const char *headers)
{
    parse(headers);
    return weft__http_call_is(&head, "application/json");
}

static bool comes_from(const char *headers)
{
    static const char *const origins[] = {"https://friend.example", NULL};
    static const struct weft_origin_policy policy = {.origins = origins};
    parse(headers);
    return weft__http_call_origin(&policy, &head);
}

static const char *meta(const char *headers)
{
    parse(headers);
    return weft__http_call_meta(&call, &head);
}

static void names_are_decoded_and_have_128_bytes_at_most(void **state)
{
    (void)state;
    char name[200];
    assert_true(weft__http_call_name(&call, WEFT_SLICE_LIT("weft.v1.Documents/Open")));
    assert_true(weft__slice_eq_str(call.method, "weft.v1.Documents/Open"));
    assert_true(weft__http_call_name(&call, WEFT_SLICE_LIT("a%2Eb+c")));
    assert_true(weft__slice_eq_str(call.method, "a.b+c"));
    assert_false(weft__http_call_name(&call, WEFT_SLICE_LIT("")));
    assert_false(weft__http_call_name(&call, WEFT_SLICE_LIT("a%2")));
    memset(name, 'n', sizeof(name));
    assert_true(weft__http_call_name(&call, weft__slice(name, 128)));
    assert_false(weft__http_call_name(&call, weft__slice(name, 129)));
}

static void only_json_in_utf_8_is_json(void **state)
{
    (void)state;
    assert_true(is_json("Content-Type: application/json\r\n"));
    assert_true(is_json("content-type: APPLICATION/JSON ; charset=utf-8 ;\r\n"));
    assert_true(is_json("Content-Type: application/json\r\nContent-Encoding: identity\r\n"));
    assert_false(is_json(""));
    assert_false(is_json("Content-Type:\r\n"));
    assert_false(is_json("Content-Type: ;application/json\r\n"));
    assert_false(is_json("Content-Type: application/json, text/plain\r\n"));
    assert_false(is_json("Content-Type: application/json; charset=utf-16\r\n"));
    assert_false(is_json("Content-Type: application/json; boundary=x\r\n"));
    assert_false(is_json("Content-Type: application/json\r\nContent-Encoding: br\r\n"));
}

static void origins_are_judged_as_for_a_websocket(void **state)
{
    (void)state;
    assert_true(comes_from(""));
    assert_true(comes_from("Origin: http://app.example\r\n"));
    assert_true(comes_from("Origin: https://friend.example\r\nSec-Fetch-Site: cross-site\r\n"));
    assert_false(comes_from("Origin: https://evil.example\r\n"));
    assert_false(comes_from("Origin: null\r\n"));
    assert_false(comes_from("Origin:\r\n"));
    assert_false(comes_from("Origin: http://app.example\r\nOrigin: http://app.example\r\n"));
}

static void without_origin_the_browser_may_say_that_another_site_asks(void **state)
{
    (void)state;
    assert_true(comes_from("Sec-Fetch-Site: same-origin\r\n"));
    assert_true(comes_from("Sec-Fetch-Site: none\r\n"));
    assert_false(comes_from("Sec-Fetch-Site: cross-site\r\n"));
    assert_false(comes_from("Sec-Fetch-Site: same-site\r\n"));
    assert_false(comes_from("Sec-Fetch-Site: same-origin\r\nSec-Fetch-Site: none\r\n"));
}

static void timeouts_have_ten_digits_at_most(void **state)
{
    (void)state;
    assert_null(meta(""));
    assert_false(call.meta.has_timeout);
    assert_null(meta("Connect-Timeout-Ms: 9999999999\r\n"));
    assert_true(call.meta.has_timeout);
    assert_int_equal(call.meta.timeout_ms, 9999999999);
    assert_null(meta("Connect-Timeout-Ms: 5\r\nWeft-Timeout-Ms: 7\r\n"));
    assert_int_equal(call.meta.timeout_ms, 7);
    assert_non_null(meta("Connect-Timeout-Ms: 10000000000\r\n"));
    assert_non_null(meta("Connect-Timeout-Ms: 1.5\r\n"));
    assert_non_null(meta("Connect-Timeout-Ms: -1\r\n"));
    assert_non_null(meta("Weft-Timeout-Ms: 1\r\nWeft-Timeout-Ms: 2\r\n"));
}

static void keys_lose_their_quotes_and_traces_that_are_none_are_ignored(void **state)
{
    (void)state;
    char headers[600];
    assert_null(meta("Idempotency-Key: \"8e03\"\r\ntraceparent: 00-ab\r\n"));
    assert_true(weft__slice_eq_str(call.meta.idem, "8e03"));
    assert_true(weft__slice_eq_str(call.meta.traceparent, "00-ab"));
    assert_null(meta("Idempotency-Key: \"\r\n"));
    assert_true(weft__slice_eq_str(call.meta.idem, "\""));
    assert_non_null(meta("Idempotency-Key: a\r\nIdempotency-Key: b\r\n"));
    assert_non_null(meta("Idempotency-Key: \xc3\xa9\r\n"));
    snprintf(headers, sizeof(headers), "Idempotency-Key: \"%0128d\"\r\n", 1);
    assert_null(meta(headers));
    assert_int_equal(call.meta.idem.len, 128);
    snprintf(headers, sizeof(headers), "Idempotency-Key: %0129d\r\n", 1);
    assert_non_null(meta(headers));
    snprintf(headers, sizeof(headers), "traceparent: %0256d\r\n", 1);
    assert_null(meta(headers));
    assert_int_equal(call.meta.traceparent.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_decoded_and_have_128_bytes_at_most),
        cmocka_unit_test(only_json_in_utf_8_is_json),
        cmocka_unit_test(origins_are_judged_as_for_a_websocket),
        cmocka_unit_test(without_origin_the_browser_may_say_that_another_site_asks),
        cmocka_unit_test(timeouts_have_ten_digits_at_most),
        cmocka_unit_test(keys_lose_their_quotes_and_traces_that_are_none_are_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
