/* SPDX-License-Identifier: Apache-2.0 */
/* What peers see when a server stops: goaway, running calls, close codes, probes. */
#include "lib/in_process.h"
#include "lib/test.h"

#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <weft/client.h>

enum { PATIENCE_MS = 10000 };

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct test_in_process *start(unsigned drain_ms, unsigned reconnect_ms)
{
    struct weft_server_options options;
    test_in_process_options(&options);
    options.operations.drain_ms = drain_ms;
    options.operations.reconnect_ms = reconnect_ms;
    return test_in_process_start(&options);
}

static uint64_t number(const struct weft_json *object, const char *name)
{
    uint64_t value = UINT64_MAX;
    assert_true(weft__json_u53(weft__json_get(object, name), &value));
    return value;
}

static bool is(const struct weft_json *object, const char *name, const char *want)
{
    return weft__json_string_is(weft__json_get(object, name), want);
}

/* The parameters of `$/goaway`, which must come next. */
static const struct weft_json *expect_goaway(struct test_ws *ws)
{
    const struct weft_json *message = test_ws_next(ws);
    const struct weft_json *params = weft__json_get(message, "params");
    assert_true(is(message, "method", "$/goaway"));
    assert_true(is(params, "reason", "drain"));
    return params;
}

static void sessions_are_told_and_then_closed_with_1001(void **state)
{
    (void)state;
    struct test_in_process *world = start(5000, 3000);
    struct test_ws *ws = test_ws_connect_greeted(world->url);
    int64_t begin = now_ms();
    test_in_process_stop_begin(world);
    const struct weft_json *params = expect_goaway(ws);
    assert_in_range(number(params, "grace_ms"), 4000, 5000);
    assert_in_range(number(params, "reconnect_after_ms"), 0, 3000);
    assert_int_equal(test_ws_wait_closed(ws, PATIENCE_MS), 1001);
    test_ws_close(ws);
    test_in_process_stop_wait(world);
    assert_in_range(now_ms() - begin, 0, 4000); /* nobody had anything to finish */
    test_in_process_free(world);
}

static void a_peer_without_greeting_is_closed_and_not_told(void **state)
{
    (void)state;
    struct test_in_process *world = start(5000, 3000);
    struct test_ws *ws = test_ws_connect(world->url, NULL);
    assert_non_null(test_ws_result(ws, "get_data", NULL));
    test_in_process_stop_begin(world);
    assert_null(test_ws_recv(ws, PATIENCE_MS));
    assert_int_equal(test_ws_wait_closed(ws, PATIENCE_MS), 1001);
    test_ws_close(ws);
    test_in_process_free(world);
}

static void reconnect_hints_are_spread_over_the_time(void **state)
{
    (void)state;
    enum { PEERS = 40, SPREAD_MS = 8000, PARTS = 4 };
    struct test_in_process *world = start(5000, SPREAD_MS);
    struct test_ws *peers[PEERS];
    unsigned parts[PARTS] = {0};
    for (int i = 0; i < PEERS; i++)
        peers[i] = test_ws_connect_greeted(world->url);
    test_in_process_stop_begin(world);
    for (int i = 0; i < PEERS; i++) {
        uint64_t after_ms = number(expect_goaway(peers[i]), "reconnect_after_ms");
        assert_in_range(after_ms, 0, SPREAD_MS - 1);
        parts[after_ms * PARTS / SPREAD_MS]++;
    }
    /* Each worker divides the time evenly among its own: a quarter of them in each quarter, give or
     * take one a worker. */
    for (int i = 0; i < PARTS; i++)
        assert_in_range(parts[i], PEERS / PARTS - 4, PEERS / PARTS + 4);
    for (int i = 0; i < PEERS; i++)
        test_ws_close(peers[i]);
    test_in_process_free(world);
}

static void running_calls_finish_and_new_ones_are_refused(void **state)
{
    (void)state;
    struct test_in_process *world = start(8000, 1000);
    struct test_ws *ws = test_ws_connect_greeted(world->url);
    test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"id\":77,\"method\":\"demo.sleep\",\"params\":[700]}");
    assert_non_null(test_ws_result(ws, "get_data", NULL)); /* 77 has begun */
    test_in_process_stop_begin(world);
    (void)expect_goaway(ws);
    const struct weft_json *refused = weft__json_get(test_ws_call(ws, "get_data", NULL), "error");
    const struct weft_json *data = weft__json_get(refused, "data");
    assert_true(is(data, "code", "unavailable"));
    assert_true(is(data, "executed", "no"));
    assert_true(is(data, "reason", "weft.draining"));
    const struct weft_json *answer = test_ws_next(ws);
    assert_int_equal(number(answer, "id"), 77);
    assert_non_null(weft__json_get(answer, "result"));
    assert_int_equal(test_ws_wait_closed(ws, PATIENCE_MS), 1001);
    test_ws_close(ws);
    test_in_process_free(world);
}

static void calls_that_take_longer_end_with_an_unknown_outcome(void **state)
{
    (void)state;
    struct test_in_process *world = start(300, 1000);
    struct test_ws *ws = test_ws_connect_greeted(world->url);
    test_ws_send(ws,
                 "{\"jsonrpc\":\"2.0\",\"id\":78,\"method\":\"demo.sleep\",\"params\":[60000]}");
    assert_non_null(test_ws_result(ws, "get_data", NULL));
    int64_t begin = now_ms();
    test_in_process_stop_begin(world);
    (void)expect_goaway(ws);
    const struct weft_json *answer = test_ws_next(ws);
    const struct weft_json *data = weft__json_get(weft__json_get(answer, "error"), "data");
    assert_int_equal(number(answer, "id"), 78);
    assert_true(is(data, "code", "unavailable"));
    assert_true(is(data, "executed", "unknown"));
    assert_int_equal(test_ws_wait_closed(ws, PATIENCE_MS), 1001);
    test_ws_close(ws);
    test_in_process_free(world);
    assert_in_range(now_ms() - begin, 300, 5000);
}

static void a_peer_that_does_not_answer_the_close_is_not_waited_for(void **state)
{
    (void)state;
    struct test_in_process *world = start(200, 1000);
    struct test_ws *ws = test_ws_connect_greeted(world->url);
    int64_t begin = now_ms();
    test_in_process_free(world); /* stops it: nobody reads at the other end */
    assert_in_range(now_ms() - begin, 0, 8000);
    test_ws_cut(ws);
}

static void send_text(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* One HTTP answer that fits into a buffer. */
static void read_answer(int fd, char text[2048])
{
    size_t len = 0;
    text[0] = '\0';
    while (!strstr(text, "\r\n\r\n") || strlen(strstr(text, "\r\n\r\n")) == 4) {
        ssize_t n = recv(fd, text + len, 2047 - len, 0);
        if (n <= 0)
            break;
        len += (size_t)n;
        text[len] = '\0';
    }
}

static void readiness_ends_with_the_drain_and_new_connections_are_refused(void **state)
{
    (void)state;
    char answer[2048];
    struct test_in_process *world = start(8000, 1000);
    static const char request[] = "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    struct test_ws *ws = test_ws_connect_greeted(world->url);
    int probe = test_tcp_connect(world->url);
    send_text(probe, request);
    read_answer(probe, answer);
    assert_non_null(strstr(answer, "HTTP/1.1 200"));
    assert_non_null(strstr(answer, "Connection: keep-alive"));
    test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"id\":79,\"method\":\"demo.sleep\",\"params\":[900]}");
    assert_non_null(test_ws_result(ws, "get_data", NULL));
    test_in_process_stop_begin(world);
    (void)expect_goaway(ws);
    send_text(probe, request);
    read_answer(probe, answer);
    assert_non_null(strstr(answer, "HTTP/1.1 503"));
    assert_non_null(strstr(answer, "draining\n"));
    assert_non_null(strstr(answer, "Connection: close"));
    close(probe);
    assert_int_equal(test_ws_wait_closed(ws, PATIENCE_MS), 1001);
    test_ws_close(ws);
    test_in_process_free(world);
}

/* ---- The C client ---- */

struct told {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool goaway;
    bool closed;
    uint32_t reconnect_after_ms;
    unsigned code;
};

static void on_goaway(void *ctx, uint32_t grace_ms, uint32_t reconnect_after_ms)
{
    struct told *told = ctx;
    (void)grace_ms;
    pthread_mutex_lock(&told->mutex);
    told->goaway = true;
    told->reconnect_after_ms = reconnect_after_ms;
    pthread_cond_signal(&told->cond);
    pthread_mutex_unlock(&told->mutex);
}

static void on_closed(void *ctx, unsigned code, const char *reason)
{
    struct told *told = ctx;
    (void)reason;
    pthread_mutex_lock(&told->mutex);
    told->closed = true;
    told->code = code;
    pthread_cond_signal(&told->cond);
    pthread_mutex_unlock(&told->mutex);
}

static void wait_told(struct told *told, const bool *what)
{
    pthread_mutex_lock(&told->mutex);
    while (!*what)
        pthread_cond_wait(&told->cond, &told->mutex);
    pthread_mutex_unlock(&told->mutex);
}

static void on_slow_answer(void *ctx, const struct weft_answer *answer)
{
    *(int *)ctx = answer->status;
}

static void the_c_client_hears_of_the_end_and_calls_no_more(void **state)
{
    (void)state;
    struct told told = {.mutex = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};
    struct test_in_process *world = start(8000, 2000);
    struct weft_client_options options;
    struct weft_client *client = NULL;
    struct weft_answer *answer = NULL;
    int slow = -1;
    weft_client_options_init(&options);
    options.url = world->url;
    options.goaway = on_goaway;
    options.closed = on_closed;
    options.closed_ctx = &told;
    assert_ok(weft_client_connect(&options, &client, NULL, 0));
    assert_ok(weft_client_call(client, "demo.sleep", "[700]", 0, on_slow_answer, &slow));
    assert_ok(weft_client_call_wait(client, "get_data", NULL, 0, &answer));
    weft_answer_free(answer);
    test_in_process_stop_begin(world);
    wait_told(&told, &told.goaway);
    assert_in_range(told.reconnect_after_ms, 0, 1999);
    assert_ok(weft_client_call_wait(client, "get_data", NULL, 0, &answer));
    assert_int_equal(answer->status, WEFT_STATUS_UNAVAILABLE);
    assert_int_equal(answer->executed, WEFT_EXECUTED_NO);
    assert_string_equal(answer->reason, "weft.draining");
    weft_answer_free(answer);
    wait_told(&told, &told.closed);
    assert_int_equal(told.code, 1001);
    weft_client_close(client);
    assert_int_equal(slow, WEFT_STATUS_OK); /* what ran was finished */
    test_in_process_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions_are_told_and_then_closed_with_1001),
        cmocka_unit_test(a_peer_without_greeting_is_closed_and_not_told),
        cmocka_unit_test(reconnect_hints_are_spread_over_the_time),
        cmocka_unit_test(running_calls_finish_and_new_ones_are_refused),
        cmocka_unit_test(calls_that_take_longer_end_with_an_unknown_outcome),
        cmocka_unit_test(a_peer_that_does_not_answer_the_close_is_not_waited_for),
        cmocka_unit_test(readiness_ends_with_the_drain_and_new_connections_are_refused),
        cmocka_unit_test(the_c_client_hears_of_the_end_and_calls_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
