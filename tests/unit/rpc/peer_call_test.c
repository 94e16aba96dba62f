/* SPDX-License-Identifier: Apache-2.0 */
/* Calling: two peers joined by queues, either side calling the other, and all ways a call can end.
 */
#include "rpc_world.h"

static const struct weft_rpc_greeting greeting = {.name = "test", .version = "1"};

/* What a callback was told. */
struct outcome {
    int count;
    int status; /* 0 for a result */
    char text[512];
};

static void on_answer(void *ctx, const struct weft_rpc_answer *answer)
{
    struct outcome *outcome = ctx;
    ++outcome->count;
    outcome->status = answer->error.status;
    struct weft_slice text =
        answer->result ? weft__json_raw(answer->result) : answer->error.message;
    snprintf(outcome->text, sizeof(outcome->text), "%.*s", (int)text.len, (const char *)text.ptr);
}

static struct world client, server;

static int set_up(void **state)
{
    (void)state;
    return world_init(&client, weft_alloc_default(), false) ||
           world_init(&server, weft_alloc_default(), true);
}

static int tear_down(void **state)
{
    (void)state;
    world_done(&client);
    world_done(&server);
    return 0;
}

/* Hands all that |from| sent to |to|. */
static bool pump(struct world *from, struct world *to)
{
    struct weft_bytes messages = from->sent;
    weft__bytes_init(&from->sent, weft_alloc_default(), SIZE_MAX);
    size_t at = 0;
    while (at < messages.len) {
        const uint8_t *end = memchr(messages.ptr + at, '\n', messages.len - at);
        size_t len = (size_t)(end - messages.ptr) - at;
        assert_ok(
            weft__rpc_peer_receive(&to->peer, weft__slice(messages.ptr + at, len), to->now_ns));
        at += len + 1;
    }
    weft__bytes_done(&messages);
    return at > 0;
}

static void run_until_quiet(void)
{
    bool busy = true;
    while (busy) {
        busy = pump(&client, &server);
        busy = pump(&server, &client) || busy;
    }
}

static struct weft_rpc_call_options call_of(const char *method, const char *params,
                                            struct outcome *outcome)
{
    return (struct weft_rpc_call_options){.method = weft__slice_str(method),
                                          .params = weft__slice_str(params),
                                          .answer = on_answer,
                                          .ctx = outcome};
}

static void greet(void)
{
    struct outcome outcome = {.count = 0};
    assert_ok(weft__rpc_peer_greet(&client.peer, &greeting, on_answer, &outcome, client.now_ns));
    run_until_quiet();
    assert_int_equal(outcome.count, 1);
    assert_int_equal(outcome.status, 0);
    assert_true(client.peer.greeted && server.peer.greeted);
}

static void either_side_calls_the_other(void **state)
{
    (void)state;
    struct outcome one = {.count = 0}, two = {.count = 0};
    greet();
    struct weft_rpc_call_options there = call_of("sum", "[1,2.5]", &one);
    struct weft_rpc_call_options back = call_of("subtract", "[7,9]", &two);
    assert_ok(weft__rpc_peer_call(&client.peer, &there, client.now_ns, NULL));
    assert_ok(weft__rpc_peer_call(&server.peer, &back, server.now_ns, NULL));
    run_until_quiet();
    assert_int_equal(one.count, 1);
    assert_string_equal(one.text, "3.5");
    assert_int_equal(two.count, 1);
    assert_string_equal(two.text, "-2");
}

static void a_server_does_not_call_before_the_greeting(void **state)
{
    (void)state;
    struct outcome outcome = {.count = 0};
    struct weft_rpc_call_options call = call_of("sum", "[1]", &outcome);
    assert_err(weft__rpc_peer_call(&server.peer, &call, server.now_ns, NULL), WEFT_ERR_STATE);
    assert_err(weft__rpc_peer_greet(&server.peer, &greeting, NULL, NULL, 0), WEFT_ERR_STATE);
    assert_sent(&server, "");
    greet();
    assert_err(weft__rpc_peer_greet(&client.peer, &greeting, NULL, NULL, 0), WEFT_ERR_STATE);
    assert_ok(weft__rpc_peer_call(&server.peer, &call, server.now_ns, NULL));
    assert_int_equal(outcome.count, 0);
    run_until_quiet();
    assert_int_equal(outcome.count, 1);
}

static void errors_arrive_with_their_details(void **state)
{
    (void)state;
    struct outcome outcome = {.count = 0};
    struct weft_rpc_call_options call = call_of("nothing", "{}", &outcome);
    assert_ok(weft__rpc_peer_call(&client.peer, &call, client.now_ns, NULL));
    run_until_quiet();
    assert_int_equal(outcome.status, WEFT_STATUS_UNIMPLEMENTED);
    assert_string_equal(outcome.text, "Method not found");
}

static void keep_error(void *ctx, const struct weft_rpc_answer *answer)
{
    struct weft_rpc_error *error = ctx;
    *error = answer->error;
    assert_null(answer->result);
    assert_true(weft__slice_eq_str(error->message, "slow\ndown"));
    assert_true(weft__slice_eq_str(error->reason, "acme.quota"));
}

static void details_of_errors_are_read(void **state)
{
    (void)state;
    struct weft_rpc_error error = {.status = 0};
    struct weft_rpc_call_options call = {
        .method = WEFT_SLICE_LIT("x"), .answer = keep_error, .ctx = &error};
    assert_ok(weft__rpc_peer_call(&client.peer, &call, client.now_ns, NULL));
    assert_ok(world_receive(
        &client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32008,\"message\":"
                 "\"slow\\ndown\",\"data\":{\"code\":\"resource_exhausted\",\"reason\":\"acme."
                 "quota\",\"retryable\":true,\"retry_after_ms\":1200,\"executed\":\"no\"}}}"));
    assert_int_equal(error.status, WEFT_STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(error.number, -32008);
    assert_true(error.retryable);
    assert_int_equal(error.retry_after_ms, 1200);
    assert_int_equal(error.executed, WEFT_RPC_EXECUTED_NO);
}

static void errors_of_plain_servers_get_a_status(void **state)
{
    (void)state;
    static const struct {
        const char *error;
        int status;
    } cases[] = {
        {"{\"code\":-32601,\"message\":\"m\"}", WEFT_STATUS_UNIMPLEMENTED},
        {"{\"code\":-32602,\"message\":\"m\"}", WEFT_STATUS_INVALID_ARGUMENT},
        {"{\"code\":-32700,\"message\":\"m\"}", WEFT_STATUS_INVALID_ARGUMENT},
        {"{\"code\":-32600,\"message\":\"m\",\"data\":\"text\"}", WEFT_STATUS_INVALID_ARGUMENT},
        {"{\"code\":-32014,\"message\":\"m\",\"data\":{\"code\":7}}", WEFT_STATUS_UNAVAILABLE},
        {"{\"code\":1,\"message\":\"m\",\"data\":{\"code\":\"odd\"}}", WEFT_STATUS_UNKNOWN},
        {"{\"message\":\"m\"}", WEFT_STATUS_UNKNOWN},
    };
    for (size_t i = 0; i < WEFT_ARRAY_LEN(cases); ++i) {
        struct outcome outcome = {.count = 0};
        struct weft_rpc_call_options call = call_of("x", "", &outcome);
        char text[256];
        assert_ok(weft__rpc_peer_call(&client.peer, &call, client.now_ns, NULL));
        snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%zu,\"error\":%s}", i + 1,
                 cases[i].error);
        assert_ok(world_receive(&client, text));
        assert_int_equal(outcome.count, 1);
        assert_int_equal(outcome.status, cases[i].status);
        assert_string_equal(outcome.text, "m");
    }
}

static void calls_and_notifications_are_written_in_full(void **state)
{
    (void)state;
    struct weft_rpc_call_options call = {.method = WEFT_SLICE_LIT("a\"b"),
                                         .params = WEFT_SLICE_LIT("{\"x\": 1}"),
                                         .meta = {.has_timeout = true,
                                                  .timeout_ms = 5000,
                                                  .idem = WEFT_SLICE_LIT("01J"),
                                                  .traceparent = WEFT_SLICE_LIT("00-1")}};
    assert_ok(weft__rpc_peer_call(&client.peer, &call, client.now_ns, NULL));
    assert_sent(&client,
                "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\\\"b\",\"params\":{\"x\": 1},"
                "\"meta\":{\"timeout_ms\":5000,\"idem\":\"01J\",\"traceparent\":\"00-1\"}}"
                "\n");
    assert_ok(weft__rpc_peer_notify(&client.peer, WEFT_SLICE_LIT("n"), WEFT_SLICE_LIT("[1]")));
    assert_sent(&client, "{\"jsonrpc\":\"2.0\",\"method\":\"n\",\"params\":[1]}\n");
    call.method = WEFT_SLICE_LIT("\xff");
    assert_err(weft__rpc_peer_call(&client.peer, &call, client.now_ns, NULL), WEFT_ERR_UTF8);
    assert_err(weft__rpc_peer_notify(&client.peer, WEFT_SLICE_LIT("\xff"), WEFT_SLICE_LIT("")),
               WEFT_ERR_UTF8);
    assert_sent(&client, "");
}

static void a_local_deadline_cancels_over_there(void **state)
{
    (void)state;
    struct outcome outcome = {.count = 0};
    struct weft_rpc_call_options call = call_of("test.hold_cancel", "[]", &outcome);
    call.meta.has_timeout = true;
    call.meta.timeout_ms = 20;
    assert_ok(weft__rpc_peer_call(&client.peer, &call, client.now_ns, NULL));
    run_until_quiet();
    world_advance_ms(&client, 25);
    assert_int_equal(outcome.count, 1);
    assert_int_equal(outcome.status, WEFT_STATUS_DEADLINE_EXCEEDED);
    /* Never in front of its call. */
    assert_int_equal(client.lane, WEFT_RPC_LANE_DATA);
    run_until_quiet();
    assert_int_equal(server.cancel_status, WEFT_STATUS_CANCELED);
    weft__rpc_call_result(world_take(&server, 0), WEFT_SLICE_LIT("\"late\""));
    run_until_quiet();
    assert_int_equal(outcome.count, 1);
    assert_int_equal(client.env.counters.strays, 1);
}

static void giving_up_cancels_over_there(void **state)
{
    (void)state;
    struct outcome outcome = {.count = 0};
    struct weft_rpc_call_options call = call_of("test.hold", "[]", &outcome);
    uint64_t number = 0;
    assert_ok(weft__rpc_peer_call(&client.peer, &call, client.now_ns, &number));
    run_until_quiet();
    weft__rpc_peer_cancel(&client.peer, number);
    weft__rpc_peer_cancel(&client.peer, number);
    weft__rpc_peer_cancel(&client.peer, number + 1);
    assert_int_equal(outcome.count, 1);
    assert_int_equal(outcome.status, WEFT_STATUS_CANCELED);
    assert_sent(&client, "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancel\",\"params\":{\"id\":1}}\n");
}

static void thousands_of_calls_come_back_in_any_order(void **state)
{
    (void)state;
    enum { CALLS = 1000 };
    static struct outcome outcomes[CALLS];
    struct test_random rng;
    test_random_init(&rng, "peer calls");
    memset(outcomes, 0, sizeof(outcomes));
    for (size_t i = 0; i < CALLS; ++i) {
        struct weft_rpc_call_options call = call_of("test.hold", "[]", &outcomes[i]);
        assert_ok(weft__rpc_peer_call(&client.peer, &call, client.now_ns, NULL));
    }
    run_until_quiet();
    assert_int_equal(server.held_count, CALLS);
    for (size_t left = CALLS; left > 0; --left) {
        size_t pick = test_random_size(&rng, 0, left - 1);
        struct weft_rpc_call *call = server.held[pick];
        server.held[pick] = server.held[left - 1];
        server.held[left - 1] = NULL;
        weft__rpc_call_result(call, call->id.raw);
        if (test_random_one_in(&rng, 10))
            run_until_quiet();
    }
    run_until_quiet();
    for (size_t i = 0; i < CALLS; ++i) {
        char want[16];
        snprintf(want, sizeof(want), "%zu", i + 1);
        assert_int_equal(outcomes[i].count, 1);
        assert_string_equal(outcomes[i].text, want);
    }
}

static void a_lost_connection_ends_every_call(void **state)
{
    (void)state;
    struct outcome outcomes[20] = {{.count = 0}};
    struct world lost;
    assert_ok(world_init(&lost, weft_alloc_default(), false));
    for (size_t i = 0; i < WEFT_ARRAY_LEN(outcomes); ++i) {
        struct weft_rpc_call_options call = call_of("test.hold", "[]", &outcomes[i]);
        call.meta = (struct weft_rpc_meta){.has_timeout = true, .timeout_ms = 1000};
        assert_ok(weft__rpc_peer_call(&lost.peer, &call, lost.now_ns, NULL));
    }
    world_done(&lost);
    for (size_t i = 0; i < WEFT_ARRAY_LEN(outcomes); ++i) {
        assert_int_equal(outcomes[i].count, 1);
        assert_int_equal(outcomes[i].status, WEFT_STATUS_UNAVAILABLE);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(either_side_calls_the_other),
        TEST(a_server_does_not_call_before_the_greeting),
        TEST(errors_arrive_with_their_details),
        TEST(details_of_errors_are_read),
        TEST(errors_of_plain_servers_get_a_status),
        TEST(calls_and_notifications_are_written_in_full),
        TEST(a_local_deadline_cancels_over_there),
        TEST(giving_up_cancels_over_there),
        TEST(thousands_of_calls_come_back_in_any_order),
        TEST(a_lost_connection_ends_every_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
