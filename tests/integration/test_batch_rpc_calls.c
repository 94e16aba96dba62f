/* SPDX-License-Identifier: Apache-2.0 */
/* Batches, as JSON-RPC 2.0 §6 and its examples (§7) want them, over a real connection. */
#include "lib/server_process.h"
#include "lib/test.h"

/* The member of a batch's answer whose id is |id| as it stands in the text; NULL when absent. */
static const struct weft_json *member(const struct weft_json *batch, const char *id)
{
    WEFT_JSON_EACH (answer, batch) {
        if (weft__slice_eq_str(weft__json_raw(weft__json_get(answer, "id")), id))
            return answer;
    }
    return NULL;
}

static int64_t error_number(const struct weft_json *answer)
{
    int64_t number = 0;
    assert_true(weft__json_i64(weft__json_get(weft__json_get(answer, "error"), "code"), &number));
    return number;
}

static void the_batch_of_the_specification(void **state)
{
    (void)state;
    struct test_ws *ws = test_ws_connect(group_server->url, NULL);
    test_ws_send(ws,
                 "[{\"jsonrpc\":\"2.0\",\"method\":\"sum\",\"params\":[1,2,4],\"id\":\"1\"},"
                 "{\"jsonrpc\":\"2.0\",\"method\":\"notify_hello\",\"params\":[7]},"
                 "{\"jsonrpc\":\"2.0\",\"method\":\"subtract\",\"params\":[42,23],\"id\":\"2\"},"
                 "{\"foo\":\"boo\"},"
                 "{\"jsonrpc\":\"2.0\",\"method\":\"foo.get\",\"params\":{\"name\":\"myself\"},"
                 "\"id\":\"5\"},"
                 "{\"jsonrpc\":\"2.0\",\"method\":\"get_data\",\"id\":\"9\"}]");
    const struct weft_json *batch = test_ws_next(ws);
    int64_t number;
    assert_int_equal(weft__json_count(batch), 5);
    assert_true(weft__json_i64(weft__json_get(member(batch, "\"1\""), "result"), &number));
    assert_int_equal(number, 7);
    assert_true(weft__json_i64(weft__json_get(member(batch, "\"2\""), "result"), &number));
    assert_int_equal(number, 19);
    assert_int_equal(error_number(member(batch, "null")), -32600);
    assert_int_equal(error_number(member(batch, "\"5\"")), -32601);
    const struct weft_json *data = weft__json_get(member(batch, "\"9\""), "result");
    assert_true(weft__json_string_is(weft__json_at(data, 0), "hello"));
    assert_int_equal(weft__json_count(data), 2);
    test_ws_close(ws);
}

static void malformed_batches(void **state)
{
    (void)state;
    struct test_ws *ws = test_ws_connect(group_server->url, NULL);
    test_ws_send(ws, "[{\"jsonrpc\":\"2.0\",\"method\":\"sum\",\"params\":[1,2,4],\"id\":\"1\"},"
                     "{\"jsonrpc\":\"2.0\",\"method\"]");
    assert_int_equal(error_number(test_ws_next(ws)), -32700);
    test_ws_send(ws, "[]");
    assert_int_equal(error_number(test_ws_next(ws)), -32600);
    test_ws_send(ws, "[1]");
    const struct weft_json *batch = test_ws_next(ws);
    assert_int_equal(weft__json_count(batch), 1);
    test_ws_send(ws, "[1,2,3]");
    batch = test_ws_next(ws);
    assert_int_equal(weft__json_count(batch), 3);
    WEFT_JSON_EACH (answer, batch)
        assert_int_equal(error_number(answer), -32600);
    test_ws_close(ws);
}

static void a_batch_of_notifications_gets_nothing(void **state)
{
    (void)state;
    struct test_ws *ws = test_ws_connect(group_server->url, NULL);
    test_ws_send(ws, "[{\"jsonrpc\":\"2.0\",\"method\":\"notify_hello\",\"params\":[7]},"
                     "{\"jsonrpc\":\"2.0\",\"method\":\"update\",\"params\":[1,2]}]");
    int64_t sum;
    /* The next thing that comes is the answer to the next call. */
    assert_true(weft__json_i64(test_ws_result(ws, "sum", "[1,1]"), &sum));
    assert_int_equal(sum, 2);
    test_ws_close(ws);
}

static void a_batch_over_the_limit_is_refused_whole(void **state)
{
    (void)state;
    char text[16 * 1024] = "[";
    struct test_ws *ws = test_ws_connect(group_server->url, NULL);
    for (unsigned i = 0; i < 101; i++) {
        char one[96];
        snprintf(one, sizeof(one),
                 "%s{\"jsonrpc\":\"2.0\",\"method\":\"sum\",\"params\":[1],\"id\":%u}",
                 i ? "," : "", i);
        strcat(text, one);
    }
    strcat(text, "]");
    test_ws_send(ws, text);
    const struct weft_json *answer = test_ws_next(ws);
    assert_true(weft__json_is(answer, WEFT_JSON_OBJECT));
    assert_true(error_number(answer) < 0);
    test_ws_close(ws);
}

static void calls_of_a_batch_that_end_later_are_in_its_one_answer(void **state)
{
    (void)state;
    struct test_ws *ws = test_ws_connect(group_server->url, NULL);
    test_ws_send(ws, "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"doc.open\",\"params\":{\"doc\":"
                     "\"batch\",\"create\":true,\"client\":\"c\"}},"
                     "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"sum\",\"params\":[1,2]},"
                     "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"doc.fetch\",\"params\":{\"doc\":"
                     "\"no such document\"}}]");
    const struct weft_json *batch = test_ws_next(ws);
    assert_int_equal(weft__json_count(batch), 3);
    assert_non_null(weft__json_get(member(batch, "1"), "result"));
    assert_non_null(weft__json_get(member(batch, "2"), "result"));
    assert_int_equal(error_number(member(batch, "3")), -32005);
    test_ws_close(ws);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_batch_of_the_specification),
        cmocka_unit_test(malformed_batches),
        cmocka_unit_test(a_batch_of_notifications_gets_nothing),
        cmocka_unit_test(a_batch_over_the_limit_is_refused_whole),
        cmocka_unit_test(calls_of_a_batch_that_end_later_are_in_its_one_answer),
    };
    return cmocka_run_group_tests(tests, test_server_group_start, test_server_group_stop);
}
