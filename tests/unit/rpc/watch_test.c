/* SPDX-License-Identifier: Apache-2.0 */
/* Those who depend on a peer are told of its end and of its connection; methods beside the
 * registry are found. */
#include "rpc_world.h"

#include "rpc/session.h"

static struct world world;

static struct {
    struct weft_rpc_peer_watch watch;
    int ended;
    int linked; /* 1, -1, 0: not told */
    int answers_before_end;
    int answers;
} seen;

static void on_ended(struct weft_rpc_peer_watch *watch)
{
    assert_ptr_equal(watch, &seen.watch);
    assert_true(weft__list_empty(&watch->link));
    seen.answers_before_end = seen.answers;
    ++seen.ended;
}

static void on_linked(struct weft_rpc_peer_watch *watch, bool linked)
{
    assert_ptr_equal(watch, &seen.watch);
    seen.linked = linked ? 1 : -1;
}

static void count_answer(void *ctx, const struct weft_rpc_answer *answer)
{
    (void)ctx;
    assert_int_equal(answer->error.status, WEFT_STATUS_UNAVAILABLE);
    ++seen.answers;
}

static void start(bool is_server)
{
    memset(&seen, 0, sizeof(seen));
    assert_ok(world_init(&world, weft_alloc_default(), is_server));
    seen.watch.ended = on_ended;
    seen.watch.linked = on_linked;
    weft__rpc_peer_watch(&world.peer, &seen.watch);
}

static void the_end_is_told_before_calls_end(void **state)
{
    (void)state;
    const struct weft_rpc_call_options call = {.method = WEFT_SLICE_LIT("x"),
                                               .answer = count_answer};
    start(false);
    assert_ok(weft__rpc_peer_call(&world.peer, &call, world.now_ns, NULL));
    world_done(&world);
    assert_int_equal(seen.ended, 1);
    assert_int_equal(seen.answers, 1);
    assert_int_equal(seen.answers_before_end, 0);
}

static void a_watch_can_be_taken_away(void **state)
{
    (void)state;
    start(true);
    weft__list_remove(&seen.watch.link);
    world_done(&world);
    assert_int_equal(seen.ended, 0);
}

static void a_lost_connection_is_told_and_a_new_one(void **state)
{
    (void)state;
    start(false);
    world.peer.greeted = true;
    assert_ok(weft__rpc_session_begin(&world.peer, 1024, NULL));
    weft__rpc_session_detach(&world.peer);
    assert_int_equal(seen.linked, -1);
    weft__rpc_session_attach(&world.peer);
    assert_int_equal(seen.linked, 1);
    assert_int_equal(seen.ended, 0);
    world_done(&world);
    assert_int_equal(seen.ended, 1);
}

/* ---- methods beside the registry ---- */

static void serve_beside(struct weft_rpc_call *call, void *ctx)
{
    weft__rpc_call_result(call, weft__slice_str(ctx));
}

static const struct weft_rpc_method beside = {.name = "beside",
                                              .handler = serve_beside,
                                              .ctx = (void *)(uintptr_t) "\"here\"",
                                              .index = UINT32_MAX};

static const struct weft_rpc_method *find(void *ctx, struct weft_slice name)
{
    ++*(int *)ctx;
    return weft__slice_eq_str(name, "beside") ? &beside : NULL;
}

static void give_back(void *ctx, const struct weft_rpc_method *method)
{
    assert_ptr_equal(method, &beside);
    *(int *)ctx += 100;
}

static void each(void *ctx, void (*fn)(const struct weft_rpc_method *method, void *arg), void *arg)
{
    (void)ctx;
    fn(&beside, arg);
}

static void methods_beside_the_registry_are_found(void **state)
{
    (void)state;
    int asked = 0;
    const struct weft_rpc_resolver resolver = {
        .find = find, .release = give_back, .each = each, .ctx = &asked};
    start(true);
    assert_ok(weft__rpc_env_count_methods(&world.env));
    world.env.resolver = &resolver;
    assert_exchange(&world, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"beside\"}",
                    "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"here\"}\n");
    assert_exchange(&world, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"besides\"}",
                    METHOD_NOT_FOUND("2") "\n");
    assert_int_equal(asked, 102); /* what was found was given back, once */
    assert_ok(world_receive(&world, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"demo.echo\"}"));
    assert_ok(world_receive(&world, "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"rpc.discover\"}"));
    weft__bytes_append_byte(&world.sent, '\0');
    assert_non_null(strstr((const char *)world.sent.ptr, "{\"name\":\"beside\","));
    assert_int_equal(asked, 102);
    world_done(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_end_is_told_before_calls_end),
        cmocka_unit_test(a_watch_can_be_taken_away),
        cmocka_unit_test(a_lost_connection_is_told_and_a_new_one),
        cmocka_unit_test(methods_beside_the_registry_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
