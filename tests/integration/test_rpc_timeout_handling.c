/* SPDX-License-Identifier: Apache-2.0 */
/* Deadlines and cancellations over a real connection: each call ends, exactly once. */
#include "lib/server_process.h"
#include "lib/test.h"

#include <weft/client.h>

#include <time.h>

static uint64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static const struct weft_json *error_data(const struct weft_json *answer)
{
    return weft__json_get(weft__json_get(answer, "error"), "data");
}

static void the_server_ends_a_call_at_its_deadline(void **state)
{
    (void)state;
    struct test_ws *ws = test_ws_connect_greeted(group_server->url);
    uint64_t before = now_ms();
    test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"demo.sleep\",\"params\":[30000],"
                     "\"meta\":{\"timeout_ms\":60}}");
    const struct weft_json *answer = test_ws_next(ws);
    assert_true(now_ms() - before >= 55);
    assert_true(
        weft__json_string_is(weft__json_get(error_data(answer), "code"), "deadline_exceeded"));
    assert_true(weft__slice_eq_str(weft__json_raw(weft__json_get(answer, "id")), "7"));
    /* Nothing is left of it: the id is free, and no second answer comes. */
    test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"sum\",\"params\":[1,2]}");
    int64_t sum;
    assert_true(weft__json_i64(weft__json_get(test_ws_next(ws), "result"), &sum));
    assert_int_equal(sum, 3);
    test_ws_close(ws);
}

static void a_call_without_time_is_not_started(void **state)
{
    (void)state;
    struct test_ws *ws = test_ws_connect_greeted(group_server->url);
    test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"demo.echo\",\"params\":[1],"
                     "\"meta\":{\"timeout_ms\":0}}");
    const struct weft_json *data = error_data(test_ws_next(ws));
    assert_true(weft__json_string_is(weft__json_get(data, "code"), "deadline_exceeded"));
    assert_true(weft__json_string_is(weft__json_get(data, "executed"), "no"));
    test_ws_close(ws);
}

static void a_canceled_call_is_answered_once(void **state)
{
    (void)state;
    struct test_ws *ws = test_ws_connect_greeted(group_server->url);
    test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"demo.sleep\",\"params\":[30000]}");
    for (int i = 0; i < 3; i++)
        test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancel\",\"params\":{\"id\":1}}");
    const struct weft_json *data = error_data(test_ws_next(ws));
    assert_true(weft__json_string_is(weft__json_get(data, "code"), "canceled"));
    int64_t sum;
    assert_true(weft__json_i64(test_ws_result(ws, "sum", "[1,1]"), &sum));
    test_ws_close(ws);
}

static void a_call_that_waits_for_its_turn_can_be_late(void **state)
{
    (void)state;
    struct test_ws *ws = test_ws_connect_greeted(group_server->url);
    test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"demo.sleep\",\"params\":[300],"
                     "\"meta\":{\"order\":\"k\"}}");
    test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"demo.echo\",\"params\":[2],"
                     "\"meta\":{\"order\":\"k\",\"timeout_ms\":50}}");
    test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"demo.echo\",\"params\":[3],"
                     "\"meta\":{\"order\":\"k\"}}");
    static const char *const order[] = {"2", "1", "3"};
    for (size_t i = 0; i < 3; i++)
        assert_true(
            weft__slice_eq_str(weft__json_raw(weft__json_get(test_ws_next(ws), "id")), order[i]));
    test_ws_close(ws);
}

static void the_client_library_carries_its_deadline_across(void **state)
{
    (void)state;
    struct weft_client_options options;
    struct weft_client *client;
    struct weft_answer *answer;
    weft_client_options_init(&options);
    options.url = group_server->url;
    assert_ok(weft_client_connect(&options, &client, NULL, 0));
    uint64_t before = now_ms();
    assert_ok(weft_client_call_wait(client, "demo.sleep", "[30000]", 60, &answer));
    assert_in_range(now_ms() - before, 50, 5000);
    assert_int_equal(answer->status, WEFT_STATUS_DEADLINE_EXCEEDED);
    weft_answer_free(answer);
    assert_ok(weft_client_call_wait(client, "sum", "[1,2]", 0, &answer));
    assert_string_equal(answer->result, "3");
    weft_answer_free(answer);
    weft_client_close(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_server_ends_a_call_at_its_deadline),
        cmocka_unit_test(a_call_without_time_is_not_started),
        cmocka_unit_test(a_canceled_call_is_answered_once),
        cmocka_unit_test(a_call_that_waits_for_its_turn_can_be_late),
        cmocka_unit_test(the_client_library_carries_its_deadline_across),
    };
    return cmocka_run_group_tests(tests, test_server_group_start, test_server_group_stop);
}
