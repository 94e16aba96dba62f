/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of a peer fails once: nothing leaks, the caller is told; and in the steady state
 * there is none. */
#include "rpc_world.h"

static const char *const story[] = {
    "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"$/hello\",\"params\":{\"v\":[1,1]}}",
    "{\"jsonrpc\":\"2.0\",\"id\":\"\\u0061\",\"method\":\"test.hold\",\"params\":{\"a\\n\":[1]},"
    "\"meta\":{\"timeout_ms\":500,\"idem\":\"k\"}}",
    "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"test.hold\"},"
    "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"sum\",\"params\":[1,2]},1,"
    "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"test.hold_cancel\",\"params\":[]}]",
    "{\"jsonrpc\":\"2.0\",\"method\":\"test.hold\",\"params\":[1]}",
    "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancel\",\"params\":{\"id\":\"\\u0061\"}}",
    "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancel\",\"params\":{\"id\":3}}",
    "{\"jsonrpc\":\"2.0\",\"method\":\"$/ping\"}",
    "{\"jsonrpc\":\"2.0\",\"id\":\"$s1\",\"result\":[1,2,3]}",
    "not json",
    "{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"rpc.discover\"}",
    "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"test.hurry\",\"params\":{\"k\":\"v\"}}"};

static void count_answer(void *ctx, const struct weft_rpc_answer *answer)
{
    (void)answer;
    ++*(int *)ctx;
}

static int tell_story(struct world *world)
{
    for (size_t i = 0; i < WEFT_ARRAY_LEN(story); ++i) {
        int err = world_receive(world, story[i]);
        if (err)
            return err;
        for (size_t h = 0; i == 5 && h < world->held_count; ++h)
            weft__rpc_call_result(world_take(world, h), WEFT_SLICE_LIT("[1]"));
        if (world->failed)
            return world->failed;
    }
    return 0;
}

static int call_twice(struct world *world, int *answers, int *calls)
{
    for (int i = 0; i < 2; ++i) {
        struct weft_rpc_call_options call = {.method = WEFT_SLICE_LIT("x"),
                                             .meta = {.has_timeout = true, .timeout_ms = 10},
                                             .answer = count_answer,
                                             .ctx = answers};
        int err = weft__rpc_peer_call(&world->peer, &call, world->now_ns, NULL);
        if (err)
            return err;
        ++*calls;
    }
    world_advance_ms(world, 20);
    return world->failed;
}

/* Calls with items: one ends by its answer, one is canceled, one by the end of the connection. */
static int call_with_items(struct world *world, int *answers, int *calls)
{
    static const struct weft_rpc_outgoing_ops ops = {.item = NULL};
    uint64_t numbers[3] = {0};
    char text[128];
    for (size_t i = 0; i < WEFT_ARRAY_LEN(numbers); ++i) {
        const struct weft_rpc_call_options call = {.method = WEFT_SLICE_LIT("x"),
                                                   .params = WEFT_SLICE_LIT("[1]"),
                                                   .answer = count_answer,
                                                   .ctx = answers,
                                                   .stream = &ops,
                                                   .sends = true,
                                                   .window_items = 100};
        int err = weft__rpc_peer_call(&world->peer, &call, world->now_ns, &numbers[i]);
        if (err)
            return err;
        ++*calls;
        int sent = weft__rpc_peer_send(&world->peer, numbers[i], WEFT_SLICE_LIT("{\"a\":1}"));
        assert_true(sent == 0 || world->failed);
    }
    snprintf(
        text, sizeof(text),
        "{\"jsonrpc\":\"2.0\",\"method\":\"$/item\",\"params\":{\"id\":\"$s%llu\",\"value\":[1]}}",
        (unsigned long long)numbers[0]);
    int err = world_receive(world, text);
    snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":\"$s%llu\",\"result\":null}",
             (unsigned long long)numbers[0]);
    err = err ? err : world_receive(world, text);
    weft__rpc_peer_end(&world->peer, numbers[1]);
    weft__rpc_peer_cancel(&world->peer, numbers[1]);
    return err ? err : world->failed;
}

static int live(const struct weft_alloc *alloc, void *ctx)
{
    struct world world;
    int answers = 0, calls = 0;
    (void)ctx;
    int err = world_init(&world, alloc, true);
    if (!err)
        err = tell_story(&world);
    if (!err)
        err = call_twice(&world, &answers, &calls);
    if (!err)
        err = call_with_items(&world, &answers, &calls);
    world_done(&world);
    assert_int_equal(answers, calls);
    return err;
}

static void out_of_memory_is_reported_and_nothing_leaks(void **state)
{
    (void)state;
    assert_true(test_each_alloc_failure(live, NULL) > 20);
}

static void calls_answered_at_once_allocate_nothing(void **state)
{
    (void)state;
    static const char call[] = "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"demo.echo\","
                               "\"params\":{\"text\":\"line\\n\",\"n\":[1,2,3]}}";
    struct test_alloc mem;
    struct world world;
    test_alloc_init(&mem);
    assert_ok(world_init(&world, &mem.alloc, true));
    assert_ok(world_receive(&world, call));
    size_t before = mem.calls;
    for (int i = 0; i < 100; ++i)
        assert_ok(world_receive(&world, call));
    assert_int_equal(mem.calls, before);
    world_done(&world);
    test_alloc_done(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(out_of_memory_is_reported_and_nothing_leaks),
        cmocka_unit_test(calls_answered_at_once_allocate_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
