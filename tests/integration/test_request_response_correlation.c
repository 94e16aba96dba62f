/* SPDX-License-Identifier: Apache-2.0 */
/* Answers find their calls over a real connection, whatever the order, the number, and the ids. */
#include "lib/server_process.h"
#include "lib/test.h"

static void a_thousand_calls_in_flight_get_each_its_own_answer(void **state)
{
    (void)state;
    enum { CALLS = 1000 };
    static bool answered[CALLS];
    char text[128];
    struct test_ws *ws = test_ws_connect(group_server->url, "weft.v1.json");
    for (unsigned i = 0; i < CALLS; i++) {
        snprintf(text, sizeof(text),
                 "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"subtract\",\"params\":[%u,1]}", i,
                 i + 1);
        test_ws_send(ws, text);
    }
    for (unsigned i = 0; i < CALLS; i++) {
        int64_t id;
        int64_t result;
        const struct weft_json *answer = test_ws_next(ws);
        assert_true(weft__json_i64(weft__json_get(answer, "id"), &id));
        assert_true(weft__json_i64(weft__json_get(answer, "result"), &result));
        assert_in_range(id, 0, CALLS - 1);
        assert_int_equal(result, id);
        assert_false(answered[id]);
        answered[id] = true;
    }
    test_ws_close(ws);
}

static void ids_come_back_byte_for_byte(void **state)
{
    (void)state;
    static const char *const ids[] = {
        "0", "-1", "9007199254740991", "\"\"", "\"7\"", "\"\\u0041\"", "\"$/x\"", "\"\xc3\xa9\"",
    };
    char text[256];
    struct test_ws *ws = test_ws_connect(group_server->url, NULL);
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        snprintf(text, sizeof(text),
                 "{\"jsonrpc\":\"2.0\",\"method\":\"sum\",\"params\":[1,2],\"id\":%s}", ids[i]);
        test_ws_send(ws, text);
        const struct weft_json *answer = test_ws_next(ws);
        struct weft_slice raw = weft__json_raw(weft__json_get(answer, "id"));
        assert_bytes(raw.ptr, raw.len, ids[i], strlen(ids[i]));
    }
    test_ws_close(ws);
}

static void ids_that_no_call_may_have_are_refused(void **state)
{
    (void)state;
    static const char *const ids[] = {"1.5", "true", "{}", "[1]", "18446744073709551616", "1e30"};
    char text[512];
    char longest[200];
    struct test_ws *ws = test_ws_connect(group_server->url, NULL);
    memset(longest, 'x', sizeof(longest));
    for (size_t i = 0; i <= sizeof(ids) / sizeof(ids[0]); i++) {
        if (i < sizeof(ids) / sizeof(ids[0]))
            snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"method\":\"sum\",\"id\":%s}",
                     ids[i]);
        else
            snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"method\":\"sum\",\"id\":\"%.*s\"}",
                     129, longest);
        test_ws_send(ws, text);
        int64_t code;
        const struct weft_json *error = weft__json_get(test_ws_next(ws), "error");
        assert_true(weft__json_i64(weft__json_get(error, "code"), &code));
        assert_int_equal(code, -32600);
    }
    assert_non_null(test_ws_result(ws, "sum", "[1]"));
    test_ws_close(ws);
}

static void answers_that_belong_to_no_call_are_harmless(void **state)
{
    (void)state;
    struct test_ws *ws = test_ws_connect(group_server->url, NULL);
    test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"id\":77,\"result\":1}");
    test_ws_send(ws,
                 "{\"jsonrpc\":\"2.0\",\"id\":\"$s1\",\"error\":{\"code\":1,\"message\":\"x\"}}");
    int64_t sum;
    assert_true(weft__json_i64(test_ws_result(ws, "sum", "[1,2,4]"), &sum));
    assert_int_equal(sum, 7);
    test_ws_close(ws);
}

static void calls_of_two_connections_do_not_meet(void **state)
{
    (void)state;
    struct test_ws *a = test_ws_connect(group_server->url, NULL);
    struct test_ws *b = test_ws_connect(group_server->url, NULL);
    test_ws_send(a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"demo.echo\",\"params\":[\"a\"]}");
    test_ws_send(b, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"demo.echo\",\"params\":[\"b\"]}");
    assert_true(
        weft__json_string_is(weft__json_at(weft__json_get(test_ws_next(a), "result"), 0), "a"));
    assert_true(
        weft__json_string_is(weft__json_at(weft__json_get(test_ws_next(b), "result"), 0), "b"));
    test_ws_close(a);
    test_ws_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thousand_calls_in_flight_get_each_its_own_answer),
        cmocka_unit_test(ids_come_back_byte_for_byte),
        cmocka_unit_test(ids_that_no_call_may_have_are_refused),
        cmocka_unit_test(answers_that_belong_to_no_call_are_harmless),
        cmocka_unit_test(calls_of_two_connections_do_not_meet),
    };
    return cmocka_run_group_tests(tests, test_server_group_start, test_server_group_stop);
}
