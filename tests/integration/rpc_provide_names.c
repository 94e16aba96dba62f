/* SPDX-License-Identifier: Apache-2.0 */
/* Names of methods that clients provide come and go, over real connections to two workers: each is
 * freed with its last provider and its last call, and nobody takes more than its part. */
#include "provide_support.h"

#include "rpc/providers.h"

static void a_name_that_nobody_expects_goes_with_its_provider(void **state)
{
    (void)state;
    struct test_ws *worker = provide(0, "{\"methods\":[\"app.goes\"]}");
    struct test_ws *ws = caller(1);
    rpc_send(ws, 1, "app.goes", "[]", "");
    const struct weft_json *call = next_call(worker, "app.goes");
    (void)test_ws_result(worker, "rpc.unprovide", NULL);
    assert_int_equal(metric("weft_provide_names"), 0);
    rpc_send(ws, 2, "app.goes", "[]", "");
    (void)rpc_next_error(ws, 2, "unimplemented", NULL);
    answer(worker, call, "\"result\":1");
    assert_int_equal(rpc_next_number(ws, 1), 1);
    test_ws_close(ws);
    test_ws_close(worker);
}

/* Offers |count| (at most 64) names "PREFIX.FIRST" and on; returns the answer. */
static const struct weft_json *offer_many(struct test_ws *ws, const char *prefix, int first,
                                          int count)
{
    char text[64 * 24 + 128];
    size_t len = (size_t)snprintf(text, sizeof(text),
                                  "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"rpc.provide\","
                                  "\"params\":{\"methods\":[\"%s.%d\"",
                                  prefix, first);
    for (int i = 1; i < count; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, ",\"%s.%d\"", prefix, first + i);
    snprintf(text + len, sizeof(text) - len, "]}}");
    test_ws_send(ws, text);
    return rpc_next(ws, 1);
}

static void one_client_provides_so_many_names(void **state)
{
    (void)state;
    struct weft_server_options options;
    test_in_process_options(&options);
    options.rpc.provide_names = 3;
    struct test_in_process *before = begin_world(&options);
    struct test_ws *worker = provide(0, "{\"methods\":[\"app.1\",\"app.2\"]}");
    struct test_ws *ws = caller(1);
    test_ws_send(worker, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"rpc.provide\","
                         "\"params\":{\"methods\":[\"app.3\",\"app.4\"]}}");
    (void)rpc_next_error(worker, 7, "resource_exhausted", "weft.provide.client_limit");
    assert_int_equal(metric("weft_provide_names"), 2); /* all or none */
    (void)test_ws_result(worker, "rpc.provide", "{\"methods\":[\"app.2\",\"app.3\"]}");
    (void)test_ws_result(ws, "rpc.provide", "{\"methods\":[\"app.4\"]}");
    (void)test_ws_result(worker, "rpc.unprovide", "{\"methods\":[\"app.1\"]}");
    (void)test_ws_result(worker, "rpc.provide", "{\"methods\":[\"app.5\"]}");
    assert_int_equal(metric("weft_provide_names"), 4);
    test_ws_close(ws);
    test_ws_close(worker);
    end_world(before);
}

/* It provides, leaves, and does so again with other names: everybody else has all the room there
 * is. */
static void names_that_come_and_go_do_no_harm(void **state)
{
    (void)state;
    enum { ROUNDS = 160, NAMES = 64, FULL = WEFT_RPC_PROVIDER_OFFERS / NAMES };
    enum { CLIENTS = WEFT_RPC_PROVIDED_NAMES_MAX / WEFT_RPC_PROVIDER_OFFERS };
    struct test_ws *clients[CLIENTS];
    struct test_ws *worker = provide(0, "{\"methods\":[\"app.steady\"]}");
    struct test_ws *ws = caller(1);
    for (int i = 0; i < ROUNDS; i++) {
        struct test_ws *greedy = caller((unsigned)i % 2);
        assert_non_null(weft__json_get(offer_many(greedy, "app.come", i * NAMES, NAMES), "result"));
        if (i % 3 == 0)
            (void)test_ws_result(greedy, "rpc.unprovide", NULL);
        if (i % 3 == 1)
            test_ws_cut(greedy);
        else
            test_ws_close(greedy);
    }
    await_metric("weft_provide_names", 1);
    for (int c = 0; c < CLIENTS; c++) {
        clients[c] = caller((unsigned)c % 2);
        for (int i = 0; i < FULL; i++)
            offer_many(clients[c], "app.full", (c * FULL + i) * NAMES, NAMES - (c + i == 0));
    }
    assert_int_equal(metric("weft_provide_names"), WEFT_RPC_PROVIDED_NAMES_MAX);
    rpc_send(ws, 1, "app.steady", "[]", "");
    answer(worker, next_call(worker, "app.steady"), "\"result\":5");
    assert_int_equal(rpc_next_number(ws, 1), 5);
    assert_string_equal(test_ws_error(ws, "rpc.provide", "{\"methods\":[\"app.more\"]}"),
                        "resource_exhausted");
    test_ws_close(clients[0]);
    await_metric("weft_provide_names", WEFT_RPC_PROVIDED_NAMES_MAX - WEFT_RPC_PROVIDER_OFFERS + 1);
    (void)test_ws_result(ws, "rpc.provide", "{\"methods\":[\"app.more\"]}");
    for (int c = 1; c < CLIENTS; c++)
        test_ws_close(clients[c]);
    test_ws_close(ws);
    test_ws_close(worker);
    await_metric("weft_provide_names", 0);
}

/* Names are freed while calls of them begin and end on other threads: each call has one answer. */
static void calls_and_names_that_come_and_go_meet(void **state)
{
    (void)state;
    enum { ROUNDS = 60, CALLS = 20, CALLERS = 3 };
    struct test_ws *callers[CALLERS];
    for (unsigned c = 0; c < CALLERS; c++)
        callers[c] = caller(c % 2);
    for (int round = 0; round < ROUNDS; round++) {
        char offer[64], name[32];
        snprintf(name, sizeof(name), "app.meet%d", round % 2);
        snprintf(offer, sizeof(offer), "{\"methods\":[\"%s\"]}", name);
        struct test_ws *worker = provide((unsigned)round % 2, offer);
        for (int i = 0; i < CALLS; i++) {
            for (int c = 0; c < CALLERS; c++)
                rpc_send(callers[c], i, name, "[1]", "");
            if (i == CALLS / 2 && round % 3 == 0)
                test_ws_send(worker, "{\"jsonrpc\":\"2.0\",\"method\":\"rpc.unprovide\"}");
            if (i == CALLS / 2 && round % 3 == 1)
                test_ws_close(worker);
        }
        if (round % 3 == 0) {
            while (work(worker) > 0)
                ;
            test_ws_close(worker);
        } else if (round % 3 == 2) {
            test_ws_cut(worker);
        }
        for (int c = 0; c < CALLERS; c++) {
            bool seen[CALLS] = {false};
            for (int i = 0; i < CALLS; i++) {
                int64_t id = -1;
                const struct weft_json *got = test_ws_next(callers[c]);
                assert_true(weft__json_i64(weft__json_get(got, "id"), &id));
                assert_true(id >= 0 && id < CALLS && !seen[id]);
                seen[id] = true;
            }
        }
    }
    for (int c = 0; c < CALLERS; c++)
        test_ws_close(callers[c]);
    await_metric("weft_provide_in_flight", 0);
    await_metric("weft_provide_names", 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_that_nobody_expects_goes_with_its_provider),
        cmocka_unit_test(one_client_provides_so_many_names),
        cmocka_unit_test(names_that_come_and_go_do_no_harm),
        cmocka_unit_test(calls_and_names_that_come_and_go_meet),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
