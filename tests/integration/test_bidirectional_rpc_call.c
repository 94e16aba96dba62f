/* SPDX-License-Identifier: Apache-2.0 */
/* Both ends of a connection serve methods and call the other side, with the same functions. */
#include "lib/in_process.h"
#include "lib/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <weft/client.h>

static struct test_in_process *world;

static void pause_ms(long ms)
{
    const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static struct weft_client *connect_with(const struct weft_method *methods, size_t count)
{
    struct weft_client_options options;
    struct weft_client *client = NULL;
    char message[256];
    weft_client_options_init(&options);
    options.loop =
        strcmp(test_loop(), "uring") == 0 ? WEFT_CLIENT_LOOP_URING : WEFT_CLIENT_LOOP_EPOLL;
    options.url = world->url;
    options.methods = methods;
    options.method_count = count;
    if (weft_client_connect(&options, &client, message, sizeof(message)))
        fail_msg("%s", message);
    return client;
}

/* Calls and compares the result. */
static void expect(struct weft_client *client, const char *method, const char *params,
                   const char *result)
{
    struct weft_answer *answer = NULL;
    assert_ok(weft_peer_call_wait(weft_client_peer(client), method, params, NULL, &answer));
    if (answer->status)
        fail_msg("%s: %s", method, answer->message);
    assert_string_equal(answer->result, result);
    weft_answer_free(answer);
}

/* ---- the server's methods ---- */

/* Answers with what it was given. */
static void serve_same(struct weft_call *call, void *ctx)
{
    size_t len;
    const char *params = weft_call_params(call, &len);
    (void)ctx;
    assert_int_equal(strlen(params), len);
    assert_ok(weft_call_finish(call, len ? params : NULL));
}

static void answered_by_caller(void *ctx, const struct weft_answer *answer)
{
    struct weft_call *call = ctx;
    char text[200];
    if (answer->status) {
        const struct weft_failure failure = {
            .status = answer->status, .message = answer->message, .reason = answer->reason};
        assert_ok(weft_call_fail(call, &failure));
    } else {
        snprintf(text, sizeof(text), "[\"the client says\",%s]", answer->result);
        assert_ok(weft_call_finish(call, text));
    }
    weft_call_release(call);
}

/* Asks the caller, and answers with its answer. */
static void serve_ask_back(struct weft_call *call, void *ctx)
{
    (void)ctx;
    weft_call_keep(call);
    assert_ok(weft_peer_call(weft_call_peer(call), "client.add", weft_call_params(call, NULL), NULL,
                             answered_by_caller, call));
}

/* The same on a pool thread, where it may wait. */
static void serve_ask_back_blocking(struct weft_call *call, void *ctx)
{
    struct weft_answer *answer = NULL;
    (void)ctx;
    assert_ok(weft_peer_call_wait(weft_call_peer(call), "client.add", weft_call_params(call, NULL),
                                  NULL, &answer));
    assert_int_equal(answer->status, 0);
    assert_ok(weft_call_finish(call, answer->result));
    weft_answer_free(answer);
}

static atomic_int notified;

static void serve_notify_back(struct weft_call *call, void *ctx)
{
    (void)ctx;
    assert_ok(weft_peer_notify(weft_call_peer(call), "client.told", "[1]"));
    assert_ok(weft_call_finish(call, NULL));
}

static struct weft_peer *_Atomic kept;

static void serve_keep_me(struct weft_call *call, void *ctx)
{
    (void)ctx;
    kept = weft_peer_ref(weft_call_peer(call));
    assert_ok(weft_call_finish(call, NULL));
}

static const struct weft_method server_methods[] = {
    {.name = "test.same", .handler = serve_same, .summary = "gives back what it gets"},
    {.name = "test.ask_back", .handler = serve_ask_back},
    {.name = "test.ask_back_blocking",
     .handler = serve_ask_back_blocking,
     .flags = WEFT_METHOD_BLOCKING},
    {.name = "test.notify_back", .handler = serve_notify_back},
    {.name = "test.keep_me", .handler = serve_keep_me},
};

/* ---- the client's methods ---- */

static void serve_add(struct weft_call *call, void *ctx)
{
    int a = 0;
    int b = 0;
    char text[32];
    (void)ctx;
    if (sscanf(weft_call_params(call, NULL), "[%d,%d]", &a, &b) != 2) {
        const struct weft_failure failure = {.status = WEFT_STATUS_INVALID_ARGUMENT,
                                             .message = "two numbers",
                                             .reason = "test.numbers"};
        assert_ok(weft_call_fail(call, &failure));
        return;
    }
    snprintf(text, sizeof(text), "%d", a + b);
    assert_ok(weft_call_finish(call, text));
}

static void serve_told(struct weft_call *call, void *ctx)
{
    (void)ctx;
    assert_true(weft_call_is_notification(call));
    atomic_fetch_add(&notified, 1);
    (void)weft_call_finish(call, NULL);
}

static const struct weft_method client_methods[] = {
    {.name = "client.add", .handler = serve_add},
    {.name = "client.told", .handler = serve_told},
};

/* ---- the tests ---- */

static void test_bidirectional_rpc_call(void **state)
{
    (void)state;
    struct weft_client *client = connect_with(client_methods, WEFT_ARRAY_LEN(client_methods));
    expect(client, "test.same", "{\"a\":[1,2,\"ä\"]}", "{\"a\":[1,2,\"ä\"]}");
    expect(client, "test.same", NULL, "null");
    expect(client, "test.ask_back", "[20,22]", "[\"the client says\",42]");
    expect(client, "test.ask_back_blocking", "[20,23]", "43");
    weft_client_close(client);
}

static void errors_come_back_both_ways(void **state)
{
    (void)state;
    struct weft_client *client = connect_with(client_methods, WEFT_ARRAY_LEN(client_methods));
    struct weft_answer *answer = NULL;
    assert_ok(
        weft_peer_call_wait(weft_client_peer(client), "test.ask_back", "[\"x\"]", NULL, &answer));
    assert_int_equal(answer->status, WEFT_STATUS_INVALID_ARGUMENT);
    assert_string_equal(answer->message, "two numbers");
    assert_string_equal(answer->reason, "test.numbers");
    weft_answer_free(answer);
    weft_client_close(client);
    /* A client that serves nothing. */
    client = connect_with(NULL, 0);
    assert_ok(
        weft_peer_call_wait(weft_client_peer(client), "test.ask_back", "[1,2]", NULL, &answer));
    assert_int_equal(answer->status, WEFT_STATUS_UNIMPLEMENTED);
    weft_answer_free(answer);
    weft_client_close(client);
}

static void notifications_go_both_ways(void **state)
{
    (void)state;
    struct weft_client *client = connect_with(client_methods, WEFT_ARRAY_LEN(client_methods));
    int before = atomic_load(&notified);
    expect(client, "test.notify_back", NULL, "null");
    assert_int_equal(atomic_load(&notified), before + 1); /* it came first */
    assert_ok(weft_peer_notify(weft_client_peer(client), "test.notify_back", NULL));
    for (int i = 0; i < 500 && atomic_load(&notified) < before + 2; i++)
        pause_ms(10);
    assert_int_equal(atomic_load(&notified), before + 2);
    weft_client_close(client);
}

static void a_client_that_did_not_greet_is_not_called(void **state)
{
    (void)state;
    struct test_ws *ws = test_ws_connect(world->url, NULL);
    assert_string_equal(test_ws_error(ws, "test.ask_back", "[1,2]"), "failed_precondition");
    assert_non_null(test_ws_result(ws, "test.same", "[1]"));
    test_ws_close(ws);
}

static void a_peer_can_be_kept_and_called_when_it_is_gone(void **state)
{
    (void)state;
    struct weft_client *client = connect_with(client_methods, WEFT_ARRAY_LEN(client_methods));
    struct weft_answer *answer = NULL;
    expect(client, "test.keep_me", NULL, "null");
    assert_ok(weft_peer_call_wait(kept, "client.add", "[1,2]", NULL, &answer));
    assert_string_equal(answer->result, "3");
    weft_answer_free(answer);
    weft_client_close(client);
    struct weft_call_options options;
    weft_call_options_init(&options);
    options.timeout_ms = 5000;
    /* The close may still be on its way: until it has come the call waits for an answer. */
    assert_ok(weft_peer_call_wait(kept, "client.add", "[1,2]", &options, &answer));
    assert_int_equal(answer->status, WEFT_STATUS_UNAVAILABLE);
    weft_answer_free(answer);
    weft_peer_unref(kept);
    kept = NULL;
}

static void what_cannot_be_sent_is_refused(void **state)
{
    (void)state;
    struct weft_client *client = connect_with(NULL, 0);
    struct weft_peer *peer = weft_client_peer(client);
    assert_err(weft_peer_call(peer, "", NULL, NULL, NULL, NULL), WEFT_ERR_USAGE);
    assert_err(weft_peer_call(peer, NULL, NULL, NULL, NULL, NULL), WEFT_ERR_USAGE);
    assert_err(weft_peer_call(peer, "test.same", "7", NULL, NULL, NULL), WEFT_ERR_USAGE);
    assert_err(weft_peer_call(peer, "test.same", "[1", NULL, NULL, NULL), WEFT_ERR_JSON);
    assert_err(weft_peer_call(peer, "test\xff", NULL, NULL, NULL, NULL), WEFT_ERR_UTF8);
    weft_client_close(client);
}

static void unfit_methods_are_refused(void **state)
{
    (void)state;
    static const struct weft_method unfit[] = {
        {.name = "rpc.mine", .handler = serve_same}, {.name = "", .handler = serve_same},
        {.name = "doc.open", .handler = serve_same}, {.name = "test.none"},
        {.name = NULL, .handler = serve_same},
    };
    for (size_t i = 0; i < WEFT_ARRAY_LEN(unfit); i++) {
        struct weft_server_options options;
        struct weft_server *server = NULL;
        test_in_process_options(&options);
        options.methods = &unfit[i];
        options.method_count = 1;
        assert_err(weft_server_new(&options, &server, NULL, 0), WEFT_ERR_USAGE);
    }
}

static int start_world(void **state)
{
    struct weft_server_options options;
    (void)state;
    test_in_process_options(&options);
    options.methods = server_methods;
    options.method_count = WEFT_ARRAY_LEN(server_methods);
    world = test_in_process_start(&options);
    return 0;
}

static int stop_world(void **state)
{
    (void)state;
    test_in_process_free(world);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bidirectional_rpc_call),
        cmocka_unit_test(errors_come_back_both_ways),
        cmocka_unit_test(notifications_go_both_ways),
        cmocka_unit_test(a_client_that_did_not_greet_is_not_called),
        cmocka_unit_test(a_peer_can_be_kept_and_called_when_it_is_gone),
        cmocka_unit_test(what_cannot_be_sent_is_refused),
        cmocka_unit_test(unfit_methods_are_refused),
    };
    return cmocka_run_group_tests(tests, start_world, stop_world);
}
