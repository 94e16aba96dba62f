/* SPDX-License-Identifier: Apache-2.0 */
/* Errors cross a real connection whole: code, number, message, reason, hints, rules, details. */
#include "lib/server_process.h"
#include "lib/test.h"

#include <weft/client.h>

static void every_code_arrives_with_its_number(void **state)
{
    (void)state;
    struct test_ws *ws = test_ws_connect(group_server->url, NULL);
    for (int status = WEFT_STATUS_CANCELED; status <= WEFT_STATUS_UNAUTHENTICATED; status++) {
        char params[64];
        int64_t number = 0;
        snprintf(params, sizeof(params), "{\"code\":\"%s\"}", weft_status_name(status));
        const struct weft_json *answer = test_ws_call(ws, "demo.fail", params);
        const struct weft_json *error = weft__json_get(answer, "error");
        assert_true(weft__json_i64(weft__json_get(error, "code"), &number));
        assert_int_equal(number, weft_status_jsonrpc(status));
        assert_true(weft__json_string_is(weft__json_get(weft__json_get(error, "data"), "code"),
                                         weft_status_name(status)));
    }
    test_ws_close(ws);
}

static void all_that_an_error_says_arrives(void **state)
{
    (void)state;
    struct test_ws *ws = test_ws_connect(group_server->url, NULL);
    const struct weft_json *answer = test_ws_call(
        ws, "demo.fail",
        "{\"code\":\"resource_exhausted\",\"message\":\"slow \\u00e9\",\"reason\":\"acme.quota\","
        "\"retry_after_ms\":1200,\"violations\":[{\"field\":\"text\",\"rule\":\"max_len\"}],"
        "\"details\":{\"limit\":[10,20]}}");
    assert_true(weft__slice_eq_str(
        weft__json_raw(weft__json_get(answer, "error")),
        "{\"code\":-32008,\"message\":\"slow \xc3\xa9\",\"data\":{\"code\":\"resource_exhausted\","
        "\"reason\":\"acme.quota\",\"retryable\":true,\"retry_after_ms\":1200,\"executed\":\"no\","
        "\"violations\":[{\"field\":\"text\",\"rule\":\"max_len\"}],"
        "\"details\":{\"limit\":[10,20]}}}"));
    test_ws_close(ws);
}

static void the_client_library_understands_them(void **state)
{
    (void)state;
    struct weft_client_options options;
    struct weft_client *client;
    struct weft_answer *answer;
    weft_client_options_init(&options);
    options.url = group_server->url;
    assert_ok(weft_client_connect(&options, &client, NULL, 0));
    assert_ok(weft_client_call_wait(client, "demo.fail",
                                    "{\"code\":\"unavailable\",\"message\":\"later\","
                                    "\"reason\":\"acme.busy\",\"retry_after_ms\":30}",
                                    0, &answer));
    assert_int_equal(answer->status, WEFT_STATUS_UNAVAILABLE);
    assert_string_equal(answer->message, "later");
    assert_string_equal(answer->reason, "acme.busy");
    assert_int_equal(answer->retry_after_ms, 30);
    assert_int_equal(answer->executed, WEFT_EXECUTED_UNKNOWN);
    assert_true(answer->retryable);
    weft_answer_free(answer);
    weft_client_close(client);
}

static void what_is_no_code_is_unknown(void **state)
{
    (void)state;
    struct test_ws *ws = test_ws_connect(group_server->url, NULL);
    assert_string_equal(test_ws_error(ws, "demo.fail", "{\"code\":\"teapot\"}"), "unknown");
    assert_string_equal(test_ws_error(ws, "demo.fail", "[]"), "unknown");
    assert_string_equal(test_ws_error(ws, "no.such.method", NULL), "unimplemented");
    test_ws_close(ws);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_arrives_with_its_number),
        cmocka_unit_test(all_that_an_error_says_arrives),
        cmocka_unit_test(the_client_library_understands_them),
        cmocka_unit_test(what_is_no_code_is_unknown),
    };
    return cmocka_run_group_tests(tests, test_server_group_start, test_server_group_stop);
}
