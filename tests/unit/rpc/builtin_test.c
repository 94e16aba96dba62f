/* SPDX-License-Identifier: Apache-2.0 */
/* The methods of the protocol: greeting, ping, pong, and what is said about unknown ones. */
#include "rpc_world.h"

static struct world world;

static int set_up(void **state)
{
    (void)state;
    return world_init(&world, weft_alloc_default(), true);
}

static int tear_down(void **state)
{
    (void)state;
    world_done(&world);
    return 0;
}

#define HELLO(id, params)                                                                          \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"$/hello\",\"params\":" params "}"

#define WELCOME(id)                                                                                \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":{\"session\":\"s_1\",\"resumed\":false,"        \
    "\"v\":1,\"features\":[],\"ping_ms\":25000,\"limits\":{\"message_bytes\":1048576,"             \
    "\"in_flight\":1024,\"streams\":32,\"batch\":100,\"window_items\":16,"                         \
    "\"window_bytes\":65536}}}\n"

static void hello_announces_version_and_limits(void **state)
{
    (void)state;
    assert_exchange(&world,
                    HELLO("1", "{\"v\":[1,1],\"features\":[\"x\"],\"client\":{\"name\":\"web\","
                               "\"version\":\"1.0\"},\"token\":\"t\",\"resume\":{\"token\":\"rs\","
                               "\"seen\":4},\"new\":[]}"),
                    WELCOME("1"));
    assert_true(world.peer.greeted);
    assert_int_equal(world.peer.version, 1);
    assert_int_equal(world.greetings, 1);
}

static void hello_accepts_a_range_around_our_version(void **state)
{
    (void)state;
    assert_exchange(&world, HELLO("\"h\"", "{\"v\":[0,9]}"), WELCOME("\"h\""));
}

static void a_second_hello_is_refused(void **state)
{
    (void)state;
    world_greet(&world);
    assert_exchange(&world, HELLO("2", "{\"v\":[1,1]}"),
                    ERROR_TEXT("2", "-32009", "this connection was greeted before",
                               "\"code\":\"failed_precondition\",\"reason\":"
                               "\"weft.hello.repeated\",\"retryable\":false,"
                               "\"executed\":\"no\"") "\n");
    assert_int_equal(world.greetings, 1);
}

static void hello_without_a_common_version_is_refused(void **state)
{
    (void)state;
    static const char want[] =
        ERROR_TEXT("1", "-32009", "no protocol version in common",
                   "\"code\":\"failed_precondition\",\"reason\":\"weft.hello.version\","
                   "\"retryable\":false,\"executed\":\"no\"") "\n";
    assert_exchange(&world, HELLO("1", "{\"v\":[2,3]}"), want);
    assert_exchange(&world, HELLO("1", "{\"v\":[0,0]}"), want);
    assert_false(world.peer.greeted);
    assert_exchange(&world, HELLO("1", "{\"v\":[1,2]}"), WELCOME("1"));
}

static void hello_with_a_malformed_version_is_refused(void **state)
{
    (void)state;
    static const char want[] =
        ERROR_TEXT("1", "-32602", "v must be [lowest, highest] version",
                   "\"code\":\"invalid_argument\",\"retryable\":false,\"executed\":\"no\"") "\n";
    static const char *const params[] = {"{}",
                                         "[]",
                                         "[1,1]",
                                         "{\"v\":1}",
                                         "{\"v\":[1]}",
                                         "{\"v\":[1,1,1]}",
                                         "{\"v\":[2,1]}",
                                         "{\"v\":[1.5,2]}",
                                         "{\"v\":{\"a\":1,\"b\":1}}",
                                         "{\"v\":[-1,1]}"};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(params); ++i) {
        char text[128];
        snprintf(text, sizeof(text),
                 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"$/hello\",\"params\":%s}", params[i]);
        assert_exchange(&world, text, want);
    }
    assert_false(world.peer.greeted);
}

static void a_client_does_not_answer_hello(void **state)
{
    (void)state;
    struct world client;
    assert_ok(world_init(&client, weft_alloc_default(), false));
    assert_exchange(&client, HELLO("1", "{\"v\":[1,1]}"), METHOD_NOT_FOUND("1") "\n");
    world_done(&client);
}

/* In front of the control and the data that it permits. */
static void the_answer_to_a_greeting_leads_the_control_lane(void **state)
{
    (void)state;
    assert_exchange(&world, HELLO("1", "{\"v\":[1,1]}"), WELCOME("1"));
    assert_int_equal(world.lane, WEFT_RPC_LANE_GREETING);
}

static void ping_is_answered_with_pong_on_the_control_lane(void **state)
{
    (void)state;
    assert_exchange(&world, "{\"jsonrpc\":\"2.0\",\"method\":\"$/ping\"}",
                    "{\"jsonrpc\":\"2.0\",\"method\":\"$/pong\"}\n");
    assert_int_equal(world.lane, WEFT_RPC_LANE_CONTROL);
    assert_exchange(&world, "{\"jsonrpc\":\"2.0\",\"method\":\"$/pong\"}", "");
    assert_int_equal(world.pongs, 1);
    weft__rpc_peer_ping(&world.peer);
    assert_sent(&world, "{\"jsonrpc\":\"2.0\",\"method\":\"$/ping\"}\n");
    assert_int_equal(world.lane, WEFT_RPC_LANE_CONTROL);
}

static void unknown_protocol_methods_are_unimplemented_or_ignored(void **state)
{
    (void)state;
    assert_exchange(&world, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"$/nothing\"}",
                    METHOD_NOT_FOUND("1") "\n");
    assert_exchange(&world, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"$/ping\"}",
                    METHOD_NOT_FOUND("1") "\n");
    assert_exchange(&world, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"rpc.unknown\"}",
                    METHOD_NOT_FOUND("1") "\n");
    assert_exchange(&world, "{\"jsonrpc\":\"2.0\",\"method\":\"$/nothing\"}", "");
    assert_exchange(&world, "{\"jsonrpc\":\"2.0\",\"method\":\"$/hello\"}", "");
    assert_false(world.peer.greeted);
}

static void discovery_lists_methods_in_their_order(void **state)
{
    (void)state;
    assert_ok(world_receive(&world, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"rpc.discover\"}"));
    weft__bytes_append_byte(&world.sent, '\0');
    const char *text = (const char *)world.sent.ptr;
    const char *subtract =
        strstr(text, "{\"name\":\"subtract\",\"summary\":\"the difference of two numbers\","
                     "\"params\":[],\"result\":{\"name\":\"result\",\"schema\":{}}}");
    const char *hold = strstr(text, "{\"name\":\"test.hold\"");
    assert_true(subtract && hold && subtract < hold);
    assert_non_null(strstr(text, "\"x-weft-stream\":\"client\""));
    assert_null(strstr(text, "$/hello"));
    weft__bytes_clear(&world.sent);
}

static void methods_may_require_a_greeting(void **state)
{
    (void)state;
    static const char call[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"test.greeted\"}";
    assert_exchange(&world, call,
                    ERROR_TEXT("1", "-32009", "needs a greeting first",
                               "\"code\":\"failed_precondition\",\"reason\":"
                               "\"weft.rpc.not_greeted\",\"retryable\":false,"
                               "\"executed\":\"no\"") "\n");
    world_greet(&world);
    assert_exchange(&world, call, "");
    assert_int_equal(world.held_count, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(hello_announces_version_and_limits),
        TEST(hello_accepts_a_range_around_our_version),
        TEST(a_second_hello_is_refused),
        TEST(hello_without_a_common_version_is_refused),
        TEST(hello_with_a_malformed_version_is_refused),
        TEST(a_client_does_not_answer_hello),
        TEST(the_answer_to_a_greeting_leads_the_control_lane),
        TEST(ping_is_answered_with_pong_on_the_control_lane),
        TEST(unknown_protocol_methods_are_unimplemented_or_ignored),
        TEST(discovery_lists_methods_in_their_order),
        TEST(methods_may_require_a_greeting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
