/* SPDX-License-Identifier: Apache-2.0 */
/* What stands in front of methods, and the numbers kept of each. */
#include "rpc_world.h"

static struct world world;

/* What the interceptors saw. */
static struct {
    char log[256];
    bool refuse;
    int status;
    uint64_t latency_ns;
} seen;

static uint64_t fake_now(void *ctx)
{
    return ((struct world *)ctx)->now_ns;
}

static struct weft_clock fake_clock = {.monotonic_ns = fake_now, .ctx = &world};

/* Counts how often it was asked: each time a microsecond has passed. */
static uint64_t count_reads(void *ctx)
{
    uint64_t *reads = ctx;
    return ++*reads * 1000;
}

static void note(const char *word)
{
    size_t len = strlen(seen.log);
    snprintf(seen.log + len, sizeof(seen.log) - len, "%s ", word);
}

static bool first_before(struct weft_rpc_call *call, void *ctx)
{
    (void)call;
    note(ctx);
    return true;
}

static bool second_before(struct weft_rpc_call *call, void *ctx)
{
    note(ctx);
    if (seen.refuse)
        weft__rpc_call_error(call, WEFT_STATUS_PERMISSION_DENIED, "acme.no", NULL);
    return !seen.refuse;
}

static void after(const struct weft_rpc_call *call, int status, uint64_t latency_ns, void *ctx)
{
    (void)call;
    note(ctx);
    seen.status = status;
    seen.latency_ns = latency_ns;
}

static const struct weft_rpc_interceptor first = {
    .before = first_before, .after = after, .ctx = (void *)(uintptr_t) "first"};
static const struct weft_rpc_interceptor second = {
    .before = second_before, .after = after, .ctx = (void *)(uintptr_t) "second"};

static int set_up(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof(seen));
    int err = world_init(&world, weft_alloc_default(), true);
    if (!err)
        err = weft__rpc_env_count_methods(&world.env);
    world.env.clock = &fake_clock;
    weft__rpc_env_intercept(&world.env, &first);
    weft__rpc_env_intercept(&world.env, &second);
    return err;
}

static int tear_down(void **state)
{
    (void)state;
    world_done(&world);
    return 0;
}

static const struct weft_rpc_method_stats *stats_of(const char *name)
{
    const struct weft_rpc_method *method =
        weft__rpc_registry_find(&world.registry, weft__slice_str(name));
    assert_non_null(method);
    return &world.env.method_stats[method->index];
}

static void interceptors_stand_around_the_method(void **state)
{
    (void)state;
    assert_ok(world_receive(&world, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"demo.echo\"}"));
    assert_string_equal(seen.log, "first second second first ");
    assert_int_equal(seen.status, WEFT_STATUS_OK);
}

static void an_interceptor_can_refuse(void **state)
{
    (void)state;
    seen.refuse = true;
    assert_exchange(&world, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"test.hold\"}",
                    ERROR_TEXT("1", "-32007", "permission_denied",
                               "\"code\":\"permission_denied\",\"reason\":\"acme.no\","
                               "\"retryable\":false,\"executed\":\"no\"") "\n");
    assert_int_equal(world.runs, 0);
    assert_int_equal(seen.status, WEFT_STATUS_PERMISSION_DENIED);
    /* Notifications are refused without a word. */
    assert_exchange(&world, "{\"jsonrpc\":\"2.0\",\"method\":\"test.hold\"}", "");
    assert_int_equal(world.runs, 0);
}

static void methods_of_the_protocol_pass_by(void **state)
{
    (void)state;
    seen.refuse = true;
    world_greet(&world);
    assert_string_equal(seen.log, "");
}

static void a_deferred_call_is_over_with_its_answer(void **state)
{
    (void)state;
    assert_ok(world_receive(&world, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"test.hold\"}"));
    assert_string_equal(seen.log, "first second ");
    const struct weft_rpc_method_stats *stats = stats_of("test.hold");
    assert_int_equal(stats->calls - stats->ended, 1);
    world_advance_ms(&world, 3);
    weft__rpc_call_result(world_take(&world, 0), WEFT_SLICE_LIT("[1]"));
    assert_string_equal(seen.log, "first second second first ");
    assert_int_equal(seen.latency_ns, 3 * WEFT_NS_PER_MS);
    assert_int_equal(stats->ended, 1);
    assert_int_equal(stats->latency_sum_ns, 3 * WEFT_NS_PER_MS);
    assert_int_equal(stats->latency[7], 1); /* up to 5 ms */
    assert_int_equal(stats->bytes_out, 3);
}

static void each_method_has_its_numbers(void **state)
{
    (void)state;
    assert_ok(world_receive(
        &world, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"demo.echo\",\"params\":[1, 2]}"));
    assert_ok(world_receive(&world, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"subtract\"}"));
    assert_ok(world_receive(&world, "{\"jsonrpc\":\"2.0\",\"method\":\"demo.echo\"}"));
    const struct weft_rpc_method_stats *echo = stats_of("demo.echo");
    assert_int_equal(echo->calls, 1);
    assert_int_equal(echo->notifications, 1);
    assert_int_equal(echo->ended, 1);
    assert_int_equal(echo->statuses[WEFT_STATUS_OK], 1);
    assert_int_equal(echo->bytes_in, 6);
    assert_int_equal(echo->bytes_out, 6);
    assert_int_equal(stats_of("subtract")->statuses[WEFT_STATUS_INVALID_ARGUMENT], 1);
}

static void a_lost_connection_ends_calls(void **state)
{
    (void)state;
    assert_ok(world_receive(&world, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"test.hold\"}"));
    weft__rpc_peer_done(&world.peer);
    assert_int_equal(seen.status, WEFT_STATUS_UNAVAILABLE);
    assert_int_equal(stats_of("test.hold")->statuses[WEFT_STATUS_UNAVAILABLE], 1);
    weft__rpc_call_drop(world_take(&world, 0));
    assert_int_equal(stats_of("test.hold")->ended, 1);
    const struct weft_rpc_peer_options options = {.events = &world_events, .events_ctx = &world};
    weft__rpc_peer_init(&world.peer, &world.env, &options);
}

static void latencies_fall_into_ascending_buckets(void **state)
{
    (void)state;
    struct weft_rpc_method_stats stats = {0};
    for (size_t i = 0; i < WEFT_RPC_LATENCY_BOUNDS; i++) {
        assert_true(i == 0 || weft__rpc_latency_bounds_ns[i - 1] < weft__rpc_latency_bounds_ns[i]);
        weft__rpc_method_stats_end(&stats, 0, weft__rpc_latency_bounds_ns[i]);
        assert_int_equal(stats.latency[i], 1);
    }
    weft__rpc_method_stats_end(&stats, 0, UINT64_MAX);
    assert_int_equal(stats.latency[WEFT_RPC_LATENCY_BOUNDS], 1);
}

static void calls_of_one_turn_begin_when_the_one_before_has_ended(void **state)
{
    (void)state;
    uint64_t reads = 0;
    const struct weft_clock clock = {.monotonic_ns = count_reads, .ctx = &reads};
    const char *echo = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"demo.echo\"}";
    world.env.clock = &clock;
    assert_ok(world_receive(&world, echo));
    assert_int_equal(reads, 2);
    assert_ok(world_receive(&world, echo));
    assert_int_equal(reads, 3);
    assert_int_equal(seen.latency_ns, 1000);
    /* What a method does before it defers its call is not the next one's time. */
    assert_ok(world_receive(&world, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"test.hold\"}"));
    assert_ok(world_receive(&world, echo));
    assert_int_equal(reads, 5);
    assert_int_equal(seen.latency_ns, 1000);
    /* Nor is a turn the one before. */
    world_advance_ms(&world, 1);
    assert_ok(world_receive(&world, echo));
    assert_int_equal(reads, 7);
    /* A call that is answered late does not begin the next one. */
    weft__rpc_call_result(world_take(&world, 0), WEFT_SLICE_LIT("1"));
    assert_ok(world_receive(&world, echo));
    assert_int_equal(reads, 10);
    world.env.clock = &fake_clock;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(interceptors_stand_around_the_method, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_interceptor_can_refuse, set_up, tear_down),
        cmocka_unit_test_setup_teardown(methods_of_the_protocol_pass_by, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_deferred_call_is_over_with_its_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_method_has_its_numbers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_lost_connection_ends_calls, set_up, tear_down),
        cmocka_unit_test_setup_teardown(calls_of_one_turn_begin_when_the_one_before_has_ended,
                                        set_up, tear_down),
        cmocka_unit_test(latencies_fall_into_ascending_buckets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
