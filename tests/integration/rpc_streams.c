/* SPDX-License-Identifier: Apache-2.0 */
/* Items beside calls over a real connection, as a client written by hand sends and takes them. */
#include "lib/server_process.h"
#include "lib/test.h"

/* The next message, which must be an item of call |id|: its value. */
static int64_t next_item(struct test_ws *ws, const char *id)
{
    const struct weft_json *message = test_ws_next(ws);
    const struct weft_json *params = weft__json_get(message, "params");
    int64_t value = 0;
    assert_true(weft__json_string_is(weft__json_get(message, "method"), "$/item"));
    assert_true(weft__slice_eq_str(weft__json_raw(weft__json_get(params, "id")), id));
    assert_true(weft__json_i64(weft__json_get(params, "value"), &value));
    return value;
}

static void expect_answer(struct test_ws *ws, const char *id, const char *result)
{
    const struct weft_json *answer = test_ws_next(ws);
    assert_true(weft__slice_eq_str(weft__json_raw(weft__json_get(answer, "id")), id));
    assert_true(weft__slice_eq_str(weft__json_raw(weft__json_get(answer, "result")), result));
}

static void credit(struct test_ws *ws, const char *id, unsigned items_total, unsigned bytes_total)
{
    char text[160];
    snprintf(text, sizeof(text),
             "{\"jsonrpc\":\"2.0\",\"method\":\"$/credit\",\"params\":{\"id\":%s,"
             "\"items_total\":%u,\"bytes_total\":%u}}",
             id, items_total, bytes_total);
    test_ws_send(ws, text);
}

static void item(struct test_ws *ws, const char *id, const char *value)
{
    char text[160];
    snprintf(text, sizeof(text),
             "{\"jsonrpc\":\"2.0\",\"method\":\"$/item\",\"params\":{\"id\":%s,\"value\":%s}}", id,
             value);
    test_ws_send(ws, text);
}

static void a_stream_from_the_server_waits_for_credit(void **state)
{
    (void)state;
    struct test_ws *ws = test_ws_connect_greeted(group_server->url);
    test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"id\":\"c\",\"method\":\"demo.count\","
                     "\"params\":[40]}");
    for (int64_t i = 1; i <= 16; i++)
        assert_int_equal(next_item(ws, "\"c\""), i);
    /* Other calls go on meanwhile, and nothing of the stream comes before their answers. */
    int64_t sum;
    assert_true(weft__json_i64(test_ws_result(ws, "sum", "[1,2]"), &sum));
    credit(ws, "\"c\"", 20, 1000);
    credit(ws, "\"c\"", 20, 1000); /* totals: repeating them gives nothing */
    for (int64_t i = 17; i <= 20; i++)
        assert_int_equal(next_item(ws, "\"c\""), i);
    assert_null(test_ws_recv(ws, 50));
    credit(ws, "\"c\"", 1000, 100000);
    for (int64_t i = 21; i <= 40; i++)
        assert_int_equal(next_item(ws, "\"c\""), i);
    expect_answer(ws, "\"c\"", "40");
    test_ws_close(ws);
}

static void a_stream_to_the_server_is_answered_behind_its_end(void **state)
{
    (void)state;
    struct test_ws *ws = test_ws_connect_greeted(group_server->url);
    test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"demo.total\"}");
    for (int i = 0; i < 7; i++)
        item(ws, "5", "6");
    assert_null(test_ws_recv(ws, 50));
    test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"method\":\"$/end\",\"params\":{\"id\":5}}");
    expect_answer(ws, "5", "42");
    test_ws_close(ws);
}

static void both_ways_at_once(void **state)
{
    (void)state;
    struct test_ws *ws = test_ws_connect_greeted(group_server->url);
    test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"demo.mirror\"}");
    for (int i = 0; i < 5; i++) {
        char value[16];
        snprintf(value, sizeof(value), "%d", i);
        item(ws, "5", value);
        assert_int_equal(next_item(ws, "5"), i);
    }
    test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"method\":\"$/end\",\"params\":{\"id\":5}}");
    expect_answer(ws, "5", "null");
    test_ws_close(ws);
}

static void a_client_that_ignores_credit_is_closed_with_1008(void **state)
{
    (void)state;
    struct test_ws *ws = test_ws_connect_greeted(group_server->url);
    test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"demo.mirror\"}");
    for (int i = 0; i < 64; i++)
        item(ws, "5", "1");
    assert_int_equal(test_ws_wait_closed(ws, 5000), 1008);
    test_ws_close(ws);
}

static void a_canceled_stream_ends_with_one_answer(void **state)
{
    (void)state;
    struct test_ws *ws = test_ws_connect_greeted(group_server->url);
    test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"demo.count\",\"params\":[1000]}");
    for (int64_t i = 1; i <= 16; i++)
        assert_int_equal(next_item(ws, "5"), i);
    test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancel\",\"params\":{\"id\":5}}");
    const struct weft_json *error = weft__json_get(test_ws_next(ws), "error");
    assert_true(
        weft__json_string_is(weft__json_get(weft__json_get(error, "data"), "code"), "canceled"));
    credit(ws, "5", 1000, 100000); /* crosses the answer: harmless */
    int64_t sum;
    assert_true(weft__json_i64(test_ws_result(ws, "sum", "[1,2]"), &sum));
    test_ws_close(ws);
}

static void too_many_streams_are_refused(void **state)
{
    (void)state;
    struct test_ws *ws = test_ws_connect_greeted(group_server->url);
    char text[96];
    for (int i = 0; i < 33; i++) {
        snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"demo.total\"}",
                 i);
        test_ws_send(ws, text);
    }
    const struct weft_json *answer = test_ws_next(ws);
    const struct weft_json *data = weft__json_get(weft__json_get(answer, "error"), "data");
    assert_true(weft__slice_eq_str(weft__json_raw(weft__json_get(answer, "id")), "32"));
    assert_true(weft__json_string_is(weft__json_get(data, "reason"), "weft.rpc.streams"));
    test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"method\":\"$/end\",\"params\":{\"id\":0}}");
    expect_answer(ws, "0", "0");
    test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"id\":32,\"method\":\"demo.total\"}");
    test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"method\":\"$/end\",\"params\":{\"id\":32}}");
    expect_answer(ws, "32", "0");
    test_ws_close(ws);
}

static void a_plain_client_is_told_to_greet(void **state)
{
    (void)state;
    struct test_ws *ws = test_ws_connect(group_server->url, NULL);
    assert_string_equal(test_ws_error(ws, "demo.count", "[3]"), "failed_precondition");
    test_ws_close(ws);
}

static void a_connection_cut_in_a_stream_leaves_nothing_behind(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct test_ws *ws = test_ws_connect_greeted(group_server->url);
        test_ws_send(ws,
                     "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"demo.count\",\"params\":[1000]}");
        test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":\"demo.mirror\"}");
        assert_int_equal(next_item(ws, "5"), 1);
        test_ws_cut(ws);
    }
    struct test_ws *ws = test_ws_connect(group_server->url, NULL);
    int64_t sum;
    assert_true(weft__json_i64(test_ws_result(ws, "sum", "[1,2]"), &sum));
    test_ws_close(ws);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_from_the_server_waits_for_credit),
        cmocka_unit_test(a_stream_to_the_server_is_answered_behind_its_end),
        cmocka_unit_test(both_ways_at_once),
        cmocka_unit_test(a_client_that_ignores_credit_is_closed_with_1008),
        cmocka_unit_test(a_canceled_stream_ends_with_one_answer),
        cmocka_unit_test(too_many_streams_are_refused),
        cmocka_unit_test(a_plain_client_is_told_to_greet),
        cmocka_unit_test(a_connection_cut_in_a_stream_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, test_server_group_start, test_server_group_stop);
}
