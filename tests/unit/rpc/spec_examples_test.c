/* SPDX-License-Identifier: Apache-2.0 */
/* The examples of the JSON-RPC 2.0 specification, section 7, one by one. */
#include "rpc_world.h"

static void exchange(const char *text, const char *want)
{
    struct world world;
    assert_ok(world_init(&world, weft_alloc_default(), true));
    assert_exchange(&world, text, want);
    world_done(&world);
}

static void positional_parameters(void **state)
{
    (void)state;
    exchange("{\"jsonrpc\": \"2.0\", \"method\": \"subtract\", \"params\": [42, 23], \"id\": 1}",
             "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":19}\n");
    exchange("{\"jsonrpc\": \"2.0\", \"method\": \"subtract\", \"params\": [23, 42], \"id\": 2}",
             "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":-19}\n");
}

static void named_parameters(void **state)
{
    (void)state;
    exchange("{\"jsonrpc\": \"2.0\", \"method\": \"subtract\", \"params\": {\"subtrahend\": 23, "
             "\"minuend\": 42}, \"id\": 3}",
             "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":19}\n");
    exchange("{\"jsonrpc\": \"2.0\", \"method\": \"subtract\", \"params\": {\"minuend\": 42, "
             "\"subtrahend\": 23}, \"id\": 4}",
             "{\"jsonrpc\":\"2.0\",\"id\":4,\"result\":19}\n");
}

static void a_notification_is_not_answered(void **state)
{
    (void)state;
    exchange("{\"jsonrpc\": \"2.0\", \"method\": \"update\", \"params\": [1,2,3,4,5]}", "");
    exchange("{\"jsonrpc\": \"2.0\", \"method\": \"foobar\"}", "");
}

static void call_of_a_method_that_does_not_exist(void **state)
{
    (void)state;
    exchange("{\"jsonrpc\": \"2.0\", \"method\": \"foobar\", \"id\": \"1\"}",
             METHOD_NOT_FOUND("\"1\"") "\n");
}

static void call_with_invalid_json(void **state)
{
    (void)state;
    exchange("{\"jsonrpc\": \"2.0\", \"method\": \"foobar, \"params\": \"bar\", \"baz]",
             PARSE_ERROR "\n");
}

static void call_with_an_invalid_request_object(void **state)
{
    (void)state;
    exchange("{\"jsonrpc\": \"2.0\", \"method\": 1, \"params\": \"bar\"}",
             INVALID_REQUEST("null") "\n");
}

static void batch_with_invalid_json(void **state)
{
    (void)state;
    exchange("[\n  {\"jsonrpc\": \"2.0\", \"method\": \"sum\", \"params\": [1,2,4], \"id\": "
             "\"1\"},\n  {\"jsonrpc\": \"2.0\", \"method\"\n]",
             PARSE_ERROR "\n");
}

static void empty_array(void **state)
{
    (void)state;
    exchange("[]", INVALID_REQUEST("null") "\n");
}

static void invalid_batch_that_is_not_empty(void **state)
{
    (void)state;
    exchange("[1]", "[" INVALID_REQUEST("null") "]\n");
}

static void invalid_batch(void **state)
{
    (void)state;
    exchange("[1,2,3]", "[" INVALID_REQUEST("null") "," INVALID_REQUEST("null") "," INVALID_REQUEST(
                            "null") "]\n");
}

static void batch(void **state)
{
    (void)state;
    exchange("[\n"
             "{\"jsonrpc\": \"2.0\", \"method\": \"sum\", \"params\": [1,2,4], \"id\": \"1\"},\n"
             "{\"jsonrpc\": \"2.0\", \"method\": \"notify_hello\", \"params\": [7]},\n"
             "{\"jsonrpc\": \"2.0\", \"method\": \"subtract\", \"params\": [42,23], \"id\": "
             "\"2\"},\n"
             "{\"foo\": \"boo\"},\n"
             "{\"jsonrpc\": \"2.0\", \"method\": \"foo.get\", \"params\": {\"name\": "
             "\"myself\"}, \"id\": \"5\"},\n"
             "{\"jsonrpc\": \"2.0\", \"method\": \"get_data\", \"id\": \"9\"}\n"
             "]",
             "[{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"result\":7},"
             "{\"jsonrpc\":\"2.0\",\"id\":\"2\",\"result\":19}," INVALID_REQUEST(
                 "null") "," METHOD_NOT_FOUND("\"5\"") ","
                                                       "{\"jsonrpc\":\"2.0\",\"id\":\"9\","
                                                       "\"result\":[\"hello\",5]}]\n");
}

static void batch_of_notifications_is_not_answered(void **state)
{
    (void)state;
    exchange("[\n{\"jsonrpc\": \"2.0\", \"method\": \"notify_sum\", \"params\": [1,2,4]},\n"
             "{\"jsonrpc\": \"2.0\", \"method\": \"notify_hello\", \"params\": [7]}\n]",
             "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(positional_parameters),
        cmocka_unit_test(named_parameters),
        cmocka_unit_test(a_notification_is_not_answered),
        cmocka_unit_test(call_of_a_method_that_does_not_exist),
        cmocka_unit_test(call_with_invalid_json),
        cmocka_unit_test(call_with_an_invalid_request_object),
        cmocka_unit_test(batch_with_invalid_json),
        cmocka_unit_test(empty_array),
        cmocka_unit_test(invalid_batch_that_is_not_empty),
        cmocka_unit_test(invalid_batch),
        cmocka_unit_test(batch),
        cmocka_unit_test(batch_of_notifications_is_not_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
