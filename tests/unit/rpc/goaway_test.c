/* SPDX-License-Identifier: Apache-2.0 */
/* The announced end of a connection, from both sides. */
#include "rpc_world.h"

static struct world world;

static int setup(void **state)
{
    (void)state;
    return world_init(&world, weft_alloc_default(), true);
}

static int teardown(void **state)
{
    (void)state;
    world_done(&world);
    return 0;
}

static const struct weft_rpc_goaway goaway = {.grace_ms = 1000, .reconnect_after_ms = 300};

#define GOAWAY                                                                                     \
    "{\"jsonrpc\":\"2.0\",\"method\":\"$/goaway\",\"params\":{\"reason\":\"drain\","               \
    "\"grace_ms\":1000,\"reconnect_after_ms\":300}}\n"

#define CALL(id, method) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"" method "\"}"

#define REFUSED(id)                                                                                \
    ERROR_TEXT(id, "-32014", "the server is shutting down",                                        \
               "\"code\":\"unavailable\",\"reason\":\"weft.draining\",\"retryable\":true,"         \
               "\"executed\":\"no\"")                                                              \
    "\n"

#define CUT_OFF(id)                                                                                \
    ERROR_TEXT(id, "-32014", "the server is shutting down",                                        \
               "\"code\":\"unavailable\",\"reason\":\"weft.draining\",\"retryable\":true,"         \
               "\"executed\":\"unknown\"")                                                         \
    "\n"

static void new_calls_are_refused_and_running_ones_go_on(void **state)
{
    (void)state;
    world_greet(&world);
    assert_exchange(&world, CALL("1", "test.hold"), "");
    assert_ok(weft__rpc_peer_goaway(&world.peer, &goaway));
    assert_sent(&world, GOAWAY);
    assert_int_equal(world.lane, WEFT_RPC_LANE_CONTROL);
    assert_exchange(&world, CALL("2", "get_data"), REFUSED("2"));
    assert_exchange(&world, "{\"jsonrpc\":\"2.0\",\"method\":\"test.hold\"}", "");
    assert_int_equal(world.runs, 1);
    assert_exchange(&world, "{\"jsonrpc\":\"2.0\",\"method\":\"$/ping\"}",
                    "{\"jsonrpc\":\"2.0\",\"method\":\"$/pong\"}\n");
    weft__rpc_call_result(world_take(&world, 0), WEFT_SLICE_LIT("7"));
    assert_sent(&world, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":7}\n");
    assert_err(weft__rpc_peer_goaway(&world.peer, &goaway), WEFT_ERR_STATE);
}

static void a_peer_that_did_not_greet_is_told_when_it_does(void **state)
{
    (void)state;
    assert_ok(weft__rpc_peer_goaway(&world.peer, &goaway));
    assert_sent(&world, "");
    assert_exchange(&world, CALL("2", "get_data"), REFUSED("2"));
    assert_ok(world_receive(&world, "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"$/hello\","
                                    "\"params\":{\"v\":[1,1]}}"));
    weft__bytes_append_byte(&world.sent, '\0');
    assert_non_null(strstr((const char *)world.sent.ptr, "}}}\n" GOAWAY));
}

static void calls_are_cut_off_once_and_their_late_answers_dropped(void **state)
{
    (void)state;
    assert_exchange(&world, CALL("1", "test.hold"), "");
    assert_exchange(&world, CALL("2", "test.hold_cancel"), "");
    assert_exchange(&world, "{\"jsonrpc\":\"2.0\",\"method\":\"test.hold\"}", "");
    assert_int_equal(weft__rpc_peer_cut_off(&world.peer), 2);
    assert_sent(&world, CUT_OFF("1") CUT_OFF("2"));
    assert_int_equal(world.cancel_status, WEFT_STATUS_DEADLINE_EXCEEDED);
    assert_int_equal(world.cancel_count, 1);
    assert_int_equal(weft__rpc_peer_cut_off(&world.peer), 0);
    weft__rpc_call_result(world_take(&world, 0), WEFT_SLICE_LIT("7"));
    assert_sent(&world, "");
    assert_int_equal(weft__rpc_peer_in_flight(&world.peer), 2);
}

static void calls_of_a_batch_are_cut_off_together(void **state)
{
    (void)state;
    assert_exchange(&world, "[" CALL("1", "test.hold") "," CALL("2", "test.hold") "]", "");
    assert_int_equal(weft__rpc_peer_cut_off(&world.peer), 2);
    weft__bytes_append_byte(&world.sent, '\0');
    assert_int_equal(world.sent_count, 1);
    assert_int_equal(world.sent.ptr[0], '[');
}

/* ---- The client's side ---- */

struct heard {
    int count;
    struct weft_rpc_goaway goaway;
};

static void hear(void *ctx, const struct weft_rpc_goaway *said)
{
    struct heard *heard = ctx;
    heard->count++;
    heard->goaway = *said;
}

static void ignore(void *ctx, struct weft_slice message, enum weft_rpc_lane lane)
{
    (void)ctx;
    (void)message;
    (void)lane;
}

static void say(struct weft_rpc_peer *peer, const char *params)
{
    char text[256];
    int len = snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"method\":\"$/goaway\"%s%s}",
                       params ? ",\"params\":" : "", params ? params : "");
    assert_ok(weft__rpc_peer_receive(peer, weft__slice(text, (size_t)len), 1));
}

static void a_client_hears_of_the_end_and_a_server_does_not(void **state)
{
    (void)state;
    static const struct weft_rpc_peer_events events = {.send = ignore, .goaway = hear};
    for (int server = 0; server < 2; server++) {
        struct heard heard = {0};
        struct weft_rpc_peer peer;
        const struct weft_rpc_peer_options options = {
            .is_server = server != 0, .session = "s", .events = &events, .events_ctx = &heard};
        weft__rpc_peer_init(&peer, &world.env, &options);
        say(&peer, "{\"reason\":\"drain\",\"grace_ms\":1000,\"reconnect_after_ms\":3187}");
        assert_int_equal(heard.count, server ? 0 : 1);
        assert_int_equal(heard.goaway.reconnect_after_ms, server ? 0 : 3187);
        say(&peer, NULL); /* members may be missing, and of any kind or size */
        say(&peer, "{\"grace_ms\":\"x\",\"reconnect_after_ms\":9007199254740991}");
        assert_int_equal(heard.goaway.grace_ms, 0);
        assert_int_equal(heard.goaway.reconnect_after_ms, server ? 0 : 24 * 3600 * 1000);
        weft__rpc_peer_done(&peer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(new_calls_are_refused_and_running_ones_go_on, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_peer_that_did_not_greet_is_told_when_it_does, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(calls_are_cut_off_once_and_their_late_answers_dropped,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(calls_of_a_batch_are_cut_off_together, setup, teardown),
        cmocka_unit_test_setup_teardown(a_client_hears_of_the_end_and_a_server_does_not, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
