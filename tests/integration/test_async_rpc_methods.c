/* SPDX-License-Identifier: Apache-2.0 */
/* Methods that answer later, from other threads, from the pool, or never. */
#include "rpc_support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <weft/client.h>

enum { WORKERS = 4, CALLS = 2000 };

static struct test_in_process *world;

static void pause_ms(long ms)
{
    const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static struct weft_client *connect_client(void)
{
    struct weft_client_options options;
    struct weft_client *client = NULL;
    char message[256];
    weft_client_options_init(&options);
    options.loop =
        strcmp(test_loop(), "uring") == 0 ? WEFT_CLIENT_LOOP_URING : WEFT_CLIENT_LOOP_EPOLL;
    options.url = world->url;
    if (weft_client_connect(&options, &client, message, sizeof(message)))
        fail_msg("%s", message);
    return client;
}

static struct weft_answer *call(struct weft_client *client, const char *method, const char *params,
                                uint32_t timeout_ms)
{
    struct weft_answer *answer = NULL;
    struct weft_call_options options;
    weft_call_options_init(&options);
    options.timeout_ms = timeout_ms;
    assert_ok(weft_peer_call_wait(weft_client_peer(client), method, params, &options, &answer));
    return answer;
}

static void expect_status(struct weft_client *client, const char *method, uint32_t timeout_ms,
                          int status)
{
    struct weft_answer *answer = call(client, method, NULL, timeout_ms);
    if (answer->status != status)
        fail_msg("%s: %d %s", method, answer->status, answer->message);
    weft_answer_free(answer);
}

/* ---- a queue of calls, answered by threads of the application ---- */

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    struct weft_call *calls[CALLS + 16];
    size_t count;
    bool stop;
    pthread_t threads[WORKERS];
} queue = {.mutex = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};

static void serve_later(struct weft_call *call, void *ctx)
{
    (void)ctx;
    pthread_mutex_lock(&queue.mutex);
    queue.calls[queue.count++] = weft_call_keep(call);
    pthread_cond_signal(&queue.cond);
    pthread_mutex_unlock(&queue.mutex);
}

static void *answer_calls(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&queue.mutex);
    while (!queue.stop || queue.count) {
        if (!queue.count) {
            pthread_cond_wait(&queue.cond, &queue.mutex);
            continue;
        }
        struct weft_call *call = queue.calls[--queue.count];
        pthread_mutex_unlock(&queue.mutex);
        char *copy = weft_call_alloc(call, 64);
        snprintf(copy, 64, "{\"params\":%.40s}", weft_call_params(call, NULL));
        (void)weft_call_finish(call, copy);
        weft_call_release(call);
        pthread_mutex_lock(&queue.mutex);
    }
    pthread_mutex_unlock(&queue.mutex);
    return NULL;
}

/* ---- other methods ---- */

static struct weft_call *_Atomic held;
static atomic_int canceled;

static void on_cancel(struct weft_call *call, void *ctx)
{
    static const struct weft_failure failure = {.status = WEFT_STATUS_CANCELED};
    (void)ctx;
    assert_true(weft_call_is_canceled(call));
    atomic_fetch_add(&canceled, 1);
    (void)weft_call_fail(call, &failure);
    weft_call_release(call);
}

static void serve_until_canceled(struct weft_call *call, void *ctx)
{
    (void)ctx;
    weft_call_on_cancel(weft_call_keep(call), on_cancel, NULL);
}

static void serve_held(struct weft_call *call, void *ctx)
{
    (void)ctx;
    held = weft_call_keep(call);
}

static void serve_nothing(struct weft_call *call, void *ctx)
{
    (void)call;
    (void)ctx;
}

static void serve_twice(struct weft_call *call, void *ctx)
{
    static const struct weft_failure failure = {.status = WEFT_STATUS_INTERNAL};
    (void)ctx;
    assert_err(weft_call_finish(call, "[1"), WEFT_ERR_JSON);
    assert_ok(weft_call_finish(call, "1"));
    assert_err(weft_call_finish(call, "2"), WEFT_ERR_STATE);
    assert_err(weft_call_fail(call, &failure), WEFT_ERR_STATE);
}

static void serve_failure(struct weft_call *call, void *ctx)
{
    static const struct weft_violation violations[] = {{"user.name", "string.max_len"},
                                                       {"user.age", "int.min"}};
    static const struct weft_failure failure = {.status = WEFT_STATUS_RESOURCE_EXHAUSTED,
                                                .message = "slow down",
                                                .reason = "test.slow",
                                                .details = "{\"a\":[1]}",
                                                .violations = violations,
                                                .violation_count = 2,
                                                .retryable = 1,
                                                .retry_after_ms = 1200,
                                                .executed = WEFT_EXECUTED_NO};
    static const struct weft_failure none = {.status = 0};
    static const struct weft_failure unfit = {.status = WEFT_STATUS_INTERNAL, .message = "\xff"};
    static const struct weft_failure broken = {.status = WEFT_STATUS_INTERNAL, .details = "{"};
    (void)ctx;
    assert_err(weft_call_fail(call, &none), WEFT_ERR_USAGE);
    assert_err(weft_call_fail(call, &unfit), WEFT_ERR_UTF8);
    assert_err(weft_call_fail(call, &broken), WEFT_ERR_JSON);
    assert_ok(weft_call_fail(call, &failure));
}

static void serve_meta(struct weft_call *call, void *ctx)
{
    uint64_t left_ms = weft_call_time_left_ms(call);
    char text[200];
    (void)ctx;
    assert_in_range(left_ms, 1, 12345);
    snprintf(text, sizeof(text), "[\"%s\",\"%s\",\"%s\"]", weft_call_method(call),
             weft_call_idempotency_key(call), weft_call_traceparent(call));
    assert_ok(weft_call_finish(call, text));
}

static atomic_int blocked;
static atomic_bool go_on;

static void serve_blocking(struct weft_call *call, void *ctx)
{
    (void)ctx;
    atomic_fetch_add(&blocked, 1);
    while (!atomic_load(&go_on) && !weft_call_is_canceled(call))
        pause_ms(1);
    (void)weft_call_finish(call, "\"done\"");
}

static void serve_blocking_nothing(struct weft_call *call, void *ctx)
{
    (void)call;
    (void)ctx;
}

static const struct weft_method methods[] = {
    {.name = "test.later", .handler = serve_later},
    {.name = "test.until_canceled", .handler = serve_until_canceled},
    {.name = "test.held", .handler = serve_held},
    {.name = "test.nothing", .handler = serve_nothing},
    {.name = "test.twice", .handler = serve_twice},
    {.name = "test.failure", .handler = serve_failure},
    {.name = "test.meta", .handler = serve_meta},
    {.name = "test.blocking", .handler = serve_blocking, .flags = WEFT_METHOD_BLOCKING},
    {.name = "test.blocking_nothing",
     .handler = serve_blocking_nothing,
     .flags = WEFT_METHOD_BLOCKING},
};

/* ---- the tests ---- */

struct counted {
    atomic_int answers;
    atomic_int good;
};

static void on_counted(void *ctx, const struct weft_answer *answer)
{
    struct counted *counted = ctx;
    atomic_fetch_add(&counted->good, answer->status == 0);
    atomic_fetch_add(&counted->answers, 1);
}

static void test_async_rpc_methods(void **state)
{
    (void)state;
    struct weft_client *client = connect_client();
    struct counted counted = {.answers = 0};
    for (int i = 0; i < CALLS; i++) {
        char params[32];
        snprintf(params, sizeof(params), "[%d]", i);
        while (i - atomic_load(&counted.answers) > 500)
            pause_ms(1);
        assert_ok(weft_peer_call(weft_client_peer(client), "test.later", params, NULL, on_counted,
                                 &counted));
    }
    for (int i = 0; i < 2000 && atomic_load(&counted.answers) < CALLS; i++)
        pause_ms(10);
    assert_int_equal(atomic_load(&counted.answers), CALLS);
    assert_int_equal(atomic_load(&counted.good), CALLS);
    struct weft_answer *answer = call(client, "test.later", "[7]", 5000);
    assert_string_equal(answer->result, "{\"params\":[7]}");
    weft_answer_free(answer);
    weft_client_close(client);
}

static void a_cancellation_reaches_the_method(void **state)
{
    (void)state;
    int before = atomic_load(&canceled);
    struct test_ws *ws = test_ws_connect_greeted(world->url);
    test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"test.until_canceled\"}");
    test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancel\",\"params\":{\"id\":1}}");
    const struct weft_json *data =
        weft__json_get(weft__json_get(test_ws_next(ws), "error"), "data");
    assert_true(weft__json_string_is(weft__json_get(data, "code"), "canceled"));
    assert_int_equal(atomic_load(&canceled), before + 1);
    test_ws_close(ws);
}

static void a_deadline_and_the_end_of_a_connection_do_too(void **state)
{
    (void)state;
    int before = atomic_load(&canceled);
    struct weft_client *client = connect_client();
    expect_status(client, "test.until_canceled", 30, WEFT_STATUS_DEADLINE_EXCEEDED);
    assert_ok(
        weft_peer_call(weft_client_peer(client), "test.until_canceled", NULL, NULL, NULL, NULL));
    for (int i = 0; i < 500 && atomic_load(&canceled) < before + 1; i++)
        pause_ms(10);
    expect_status(client, "test.nothing", 5000, WEFT_STATUS_INTERNAL);
    weft_client_close(client);
    for (int i = 0; i < 500 && atomic_load(&canceled) < before + 2; i++)
        pause_ms(10);
    assert_int_equal(atomic_load(&canceled), before + 2);
}

static void a_canceled_call_without_anybody_to_tell_is_answered(void **state)
{
    (void)state;
    struct test_ws *ws = test_ws_connect_greeted(world->url);
    test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"test.held\"}");
    test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancel\",\"params\":{\"id\":1}}");
    const struct weft_json *data =
        weft__json_get(weft__json_get(test_ws_next(ws), "error"), "data");
    assert_true(weft__json_string_is(weft__json_get(data, "code"), "canceled"));
    assert_true(weft_call_is_canceled(held));
    assert_int_equal(weft_call_time_left_ms(held), 0);
    assert_err(weft_call_finish(held, "1"), WEFT_ERR_CLOSED);
    weft_call_release(held);
    test_ws_close(ws);
}

static void each_call_is_answered_once(void **state)
{
    (void)state;
    struct weft_client *client = connect_client();
    struct weft_answer *answer = call(client, "test.twice", NULL, 5000);
    assert_string_equal(answer->result, "1");
    weft_answer_free(answer);
    expect_status(client, "test.nothing", 5000, WEFT_STATUS_INTERNAL);
    expect_status(client, "test.blocking_nothing", 5000, WEFT_STATUS_INTERNAL);
    weft_client_close(client);
}

static void errors_say_all_they_have_to(void **state)
{
    (void)state;
    struct weft_client *client = connect_client();
    struct weft_answer *answer = call(client, "test.failure", NULL, 5000);
    assert_int_equal(answer->status, WEFT_STATUS_RESOURCE_EXHAUSTED);
    assert_string_equal(answer->message, "slow down");
    assert_string_equal(answer->reason, "test.slow");
    assert_int_equal(answer->retry_after_ms, 1200);
    assert_int_equal(answer->executed, WEFT_EXECUTED_NO);
    assert_true(answer->retryable);
    assert_non_null(strstr(answer->data, "{\"field\":\"user.age\",\"rule\":\"int.min\"}"));
    assert_non_null(strstr(answer->data, "\"details\":{\"a\":[1]}"));
    weft_answer_free(answer);
    weft_client_close(client);
}

static void a_call_knows_what_came_with_it(void **state)
{
    (void)state;
    static const char trace[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    struct weft_client *client = connect_client();
    struct weft_answer *answer = NULL;
    struct weft_call_options options;
    char expected[200];
    weft_call_options_init(&options);
    options.timeout_ms = 12345;
    options.idempotency_key = "key-1";
    options.traceparent = trace;
    assert_ok(weft_peer_call_wait(weft_client_peer(client), "test.meta", NULL, &options, &answer));
    snprintf(expected, sizeof(expected), "[\"test.meta\",\"key-1\",\"%s\"]", trace);
    assert_int_equal(answer->status, 0);
    assert_string_equal(answer->result, expected);
    weft_answer_free(answer);
    weft_client_close(client);
}

/* Two threads, two places to wait: the fifth call is refused at once, the others all end. */
static void the_pool_is_bounded(void **state)
{
    (void)state;
    struct weft_client *client = connect_client();
    struct counted counted = {.answers = 0};
    uint64_t refused = rpc_metric(world->url, "weft_pool_refused_total");
    uint64_t begun = rpc_metric(world->url, "weft_pool_wait_seconds_count");
    atomic_store(&go_on, false);
    atomic_store(&blocked, 0);
    for (int i = 0; i < 4; i++) {
        assert_ok(weft_peer_call(weft_client_peer(client), "test.blocking", NULL, NULL, on_counted,
                                 &counted));
        for (int k = 0; i < 2 && k < 500 && atomic_load(&blocked) <= i; k++)
            pause_ms(10);
    }
    struct weft_answer *answer = call(client, "test.blocking", NULL, 5000);
    assert_int_equal(answer->status, WEFT_STATUS_RESOURCE_EXHAUSTED);
    assert_string_equal(answer->reason, "weft.pool.full");
    assert_true(answer->retryable);
    weft_answer_free(answer);
    assert_int_equal(atomic_load(&counted.answers), 0);
    assert_int_equal(rpc_metric(world->url, "weft_pool_threads"), 2);
    assert_int_equal(rpc_metric(world->url, "weft_pool_running"), 2);
    assert_int_equal(rpc_metric(world->url, "weft_pool_queued"), 2);
    assert_int_equal(rpc_metric(world->url, "weft_pool_refused_total"), refused + 1);
    atomic_store(&go_on, true);
    for (int i = 0; i < 500 && atomic_load(&counted.answers) < 4; i++)
        pause_ms(10);
    assert_int_equal(atomic_load(&counted.good), 4);
    assert_int_equal(rpc_metric(world->url, "weft_pool_queued"), 0);
    assert_int_equal(rpc_metric(world->url, "weft_pool_wait_seconds_count"), begun + 4);
    assert_int_equal(rpc_metric(world->url, "weft_pool_wait_seconds_bucket{le=\"+Inf\"}"),
                     begun + 4);
    weft_client_close(client);
}

/* The application holds a call, and the server is gone. */
static void a_call_outlives_its_server(void **state)
{
    (void)state;
    struct weft_server_options options;
    test_in_process_options(&options);
    options.methods = methods;
    options.method_count = WEFT_ARRAY_LEN(methods);
    options.operations.drain_ms = 50;
    struct test_in_process *other = test_in_process_start(&options);
    struct test_ws *ws = test_ws_connect(other->url, NULL);
    held = NULL;
    test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"id\":\"h\",\"method\":\"test.held\",\"params\":[1]}");
    assert_non_null(test_ws_result(ws, "sum", "[1]"));
    test_ws_close(ws);
    test_in_process_free(other);
    assert_non_null(held);
    assert_true(weft_call_is_canceled(held));
    assert_string_equal(weft_call_params(held, NULL), "[1]");
    assert_err(weft_call_finish(held, "1"), WEFT_ERR_CLOSED);
    assert_err(weft_peer_notify(weft_call_peer(held), "x", NULL), WEFT_ERR_CLOSED);
    weft_call_release(held);
}

static int start_world(void **state)
{
    struct weft_server_options options;
    (void)state;
    test_in_process_options(&options);
    options.methods = methods;
    options.method_count = WEFT_ARRAY_LEN(methods);
    options.pool_threads = 2;
    options.pool_queue = 2;
    world = test_in_process_start(&options);
    for (size_t i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_create(&queue.threads[i], NULL, answer_calls, NULL), 0);
    return 0;
}

static int stop_world(void **state)
{
    (void)state;
    pthread_mutex_lock(&queue.mutex);
    queue.stop = true;
    pthread_cond_broadcast(&queue.cond);
    pthread_mutex_unlock(&queue.mutex);
    for (size_t i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_join(queue.threads[i], NULL), 0);
    test_in_process_free(world);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_async_rpc_methods),
        cmocka_unit_test(a_cancellation_reaches_the_method),
        cmocka_unit_test(a_deadline_and_the_end_of_a_connection_do_too),
        cmocka_unit_test(a_canceled_call_without_anybody_to_tell_is_answered),
        cmocka_unit_test(each_call_is_answered_once),
        cmocka_unit_test(errors_say_all_they_have_to),
        cmocka_unit_test(a_call_knows_what_came_with_it),
        cmocka_unit_test(the_pool_is_bounded),
        cmocka_unit_test(a_call_outlives_its_server),
    };
    return cmocka_run_group_tests(tests, start_world, stop_world);
}
