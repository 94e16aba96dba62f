/* SPDX-License-Identifier: Apache-2.0 */
/* Calls with an ordering key run one after the other; others do not wait for them. */
#include "rpc/ordering.h"
#include "rpc_world.h"

static struct world world;

static int set_up(void **state)
{
    (void)state;
    int err = world_init(&world, weft_alloc_default(), true);
    world_greet(&world);
    return err;
}

static int tear_down(void **state)
{
    (void)state;
    world_done(&world);
    return 0;
}

/* A call of |method| with ordering key |order|, none when that is empty. */
static void call(int id, const char *method, const char *order, const char *more_meta)
{
    char text[512];
    snprintf(text, sizeof(text),
             "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"%s\",\"params\":[%d],"
             "\"meta\":{\"order\":\"%s\"%s}}",
             id, method, id, order, more_meta);
    assert_ok(world_receive(&world, text));
}

#define RESULT(id, value) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":" value "}\n"

static void answer(size_t index)
{
    weft__rpc_call_result(world_take(&world, index), WEFT_SLICE_LIT("0"));
}

static void the_next_starts_when_the_one_before_is_answered(void **state)
{
    (void)state;
    call(1, "test.hold", "k", "");
    call(2, "test.hold", "k", "");
    call(3, "demo.echo", "k", "");
    assert_int_equal(world.runs, 1);
    assert_sent(&world, "");
    answer(0);
    assert_int_equal(world.runs, 2);
    assert_sent(&world, RESULT("1", "0"));
    answer(1);
    assert_sent(&world, RESULT("2", "0") RESULT("3", "[3]"));
    assert_int_equal(world.env.counters.in_flight, 0);
    assert_int_equal(world.peer.orders.count, 0);
}

static void other_keys_and_calls_without_one_do_not_wait(void **state)
{
    (void)state;
    call(1, "test.hold", "k", "");
    call(2, "test.hold", "l", "");
    call(3, "demo.echo", "", "");
    assert_int_equal(world.runs, 2);
    assert_sent(&world, RESULT("3", "[3]"));
    assert_int_equal(world.peer.orders.count, 2);
    answer(1);
    answer(0);
    assert_sent(&world, RESULT("2", "0") RESULT("1", "0"));
}

static void a_long_queue_of_quick_calls_needs_no_stack(void **state)
{
    (void)state;
    call(0, "test.hold", "k", "");
    for (int i = 1; i < 1000; i++)
        call(i, "demo.echo", "k", "");
    assert_sent(&world, "");
    answer(0);
    assert_int_equal(world.sent_count, 1000);
    weft__bytes_clear(&world.sent);
    assert_int_equal(world.peer.orders.count, 0);
}

static void a_waiting_call_can_be_canceled(void **state)
{
    (void)state;
    call(1, "test.hold", "k", "");
    call(2, "test.hold", "k", "");
    call(3, "test.hold", "k", "");
    assert_exchange(
        &world, "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancel\",\"params\":{\"id\":2}}",
        ERROR_TEXT("2", "-32800", "canceled",
                   "\"code\":\"canceled\",\"retryable\":false,\"executed\":\"no\"") "\n");
    answer(0);
    assert_sent(&world, RESULT("1", "0"));
    assert_int_equal(world.held_count, 2);
    answer(1);
    assert_sent(&world, RESULT("3", "0"));
}

static void a_waiting_call_can_be_late(void **state)
{
    (void)state;
    call(1, "test.hold", "k", "");
    call(2, "test.hold", "k", ",\"timeout_ms\":20");
    world_advance_ms(&world, 30);
    weft__bytes_append_byte(&world.sent, '\0');
    assert_non_null(strstr((const char *)world.sent.ptr, "deadline_exceeded"));
    weft__bytes_clear(&world.sent);
    answer(0);
    assert_int_equal(world.runs, 1);
    assert_int_equal(world.env.counters.in_flight, 0);
}

static void the_end_of_the_connection_ends_the_queue(void **state)
{
    (void)state;
    call(1, "test.hold", "k", "");
    call(2, "test.hold", "k", "");
    call(3, "test.hold", "l", "");
    weft__rpc_peer_done(&world.peer);
    assert_int_equal(world.runs, 2);
    answer(0);
    answer(1);
    assert_int_equal(world.runs, 2);
    const struct weft_rpc_peer_options options = {.events = &world_events, .events_ctx = &world};
    weft__rpc_peer_init(&world.peer, &world.env, &options);
}

static void members_of_a_batch_take_turns_too(void **state)
{
    (void)state;
    assert_ok(world_receive(
        &world,
        "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"test.hold\",\"meta\":{\"order\":\"k\"}},"
        "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"demo.echo\",\"meta\":{\"order\":\"k\"}}]"));
    assert_sent(&world, "");
    answer(0);
    assert_sent(&world, "[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":0},"
                        "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":null}]\n");
}

static void notifications_take_turns_too(void **state)
{
    (void)state;
    call(1, "test.hold", "k", "");
    assert_ok(world_receive(&world, "{\"jsonrpc\":\"2.0\",\"method\":\"test.hold\",\"params\":[],"
                                    "\"meta\":{\"order\":\"k\"}}"));
    assert_int_equal(world.runs, 1);
    answer(0);
    assert_int_equal(world.runs, 2);
    answer(1);
    assert_sent(&world, RESULT("1", "0"));
}

static void a_key_too_long_is_refused(void **state)
{
    (void)state;
    char key[WEFT_RPC_ORDER_MAX + 2];
    memset(key, 'k', sizeof(key) - 1);
    key[sizeof(key) - 1] = '\0';
    call(1, "demo.echo", key, "");
    weft__bytes_append_byte(&world.sent, '\0');
    assert_non_null(strstr((const char *)world.sent.ptr, "malformed meta"));
    weft__bytes_clear(&world.sent);
    call(2, "demo.echo", key + 1, "");
    assert_sent(&world, RESULT("2", "[2]"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_next_starts_when_the_one_before_is_answered, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(other_keys_and_calls_without_one_do_not_wait, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_long_queue_of_quick_calls_needs_no_stack, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_waiting_call_can_be_canceled, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_waiting_call_can_be_late, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_end_of_the_connection_ends_the_queue, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(members_of_a_batch_take_turns_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(notifications_take_turns_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_key_too_long_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
