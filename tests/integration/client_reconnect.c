/* SPDX-License-Identifier: Apache-2.0 */
/* The C library's client through connections that break: what it promises its program. */
#include "lib/cut_proxy.h"
#include "lib/random.h"
#include "lib/server_process.h"
#include "lib/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <weft/client.h>

enum { WAIT_MS = 20000 };

/* What the status callback said. */
struct told {
    atomic_int connected;
    atomic_int reconnecting;
    atomic_int lost;
    atomic_int closed;
    atomic_uint code;
    char reason[64]; /* of the last session lost; written before |lost| */
};

static void pause_ms(long ms)
{
    const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static void wait_until(atomic_int *value, int wanted)
{
    for (int i = 0; i < WAIT_MS / 10 && atomic_load(value) < wanted; i++)
        pause_ms(10);
    assert_true(atomic_load(value) >= wanted);
}

static void on_status(void *ctx, int status, unsigned code, const char *reason)
{
    struct told *told = ctx;
    if (status == WEFT_CLIENT_SESSION_LOST) {
        snprintf(told->reason, sizeof(told->reason), "%s", reason);
        atomic_fetch_add(&told->lost, 1);
    } else if (status == WEFT_CLIENT_RECONNECTING) {
        atomic_store(&told->code, code);
        atomic_fetch_add(&told->reconnecting, 1);
    } else {
        atomic_fetch_add(&told->connected, 1);
    }
}

static void on_closed(void *ctx, unsigned code, const char *reason)
{
    struct told *told = ctx;
    (void)reason;
    atomic_store(&told->code, code);
    atomic_fetch_add(&told->closed, 1);
}

static void init_options(struct weft_client_options *options, struct told *told)
{
    weft_client_options_init(options);
    options->loop =
        strcmp(test_loop(), "uring") == 0 ? WEFT_CLIENT_LOOP_URING : WEFT_CLIENT_LOOP_EPOLL;
    options->reconnect = 1;
    options->reconnect_min_ms = 10;
    options->reconnect_max_ms = 100;
    options->status = on_status;
    options->closed = on_closed;
    options->closed_ctx = told;
}

/* |tries|: the first connection is not made again by the library. */
static struct weft_client *connect_to(unsigned port, struct told *told, int tries)
{
    struct weft_client_options options;
    struct weft_client *client = NULL;
    char url[64];
    char message[256];
    snprintf(url, sizeof(url), "ws://127.0.0.1:%u/ws", port);
    init_options(&options, told);
    options.url = url;
    while (weft_client_connect(&options, &client, message, sizeof(message))) {
        if (--tries == 0)
            fail_msg("%s", message);
    }
    return client;
}

/* One number at /metrics of the real server, summed. */
static uint64_t metric(const char *name)
{
    char request[160];
    snprintf(request, sizeof(request),
             "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nConnection: close\r\n\r\n",
             group_server->port);
    char *text = test_http(group_server->url, request);
    uint64_t sum = 0;
    for (const char *at = text; (at = strstr(at, name)) != NULL; at++) {
        const char *value = at > text && at[-1] == '\n' ? strchr(at, '}') : NULL;
        if (value)
            sum += strtoull(value + 2, NULL, 10);
    }
    free(text);
    return sum;
}

/* ---- one cut ---- */

static void a_call_is_answered_over_the_next_connection(void **state)
{
    (void)state;
    struct told told = {.connected = 0};
    struct test_cut_proxy *proxy =
        test_cut_proxy_start(group_server->port, &(struct test_cut_proxy_options){.seed = 1});
    struct weft_client *client = connect_to(test_cut_proxy_port(proxy), &told, 1);
    struct weft_answer *answer = NULL;
    test_cut_proxy_cut(proxy); /* at any time during the call */
    assert_ok(weft_client_call_wait(client, "demo.sleep", "[300]", 10000, &answer));
    assert_int_equal(answer->status, 0);
    assert_string_equal(answer->result, "null");
    weft_answer_free(answer);
    wait_until(&told.connected, 1);
    assert_int_equal(told.reconnecting, 1);
    assert_int_equal(told.lost, 0);
    assert_int_equal(told.code, 1006);
    weft_client_close(client);
    assert_int_equal(told.closed, 0);
    test_cut_proxy_stop(proxy);
}

static void calls_may_be_made_without_a_connection(void **state)
{
    (void)state;
    struct told told = {.connected = 0};
    struct test_cut_proxy *proxy =
        test_cut_proxy_start(group_server->port, &(struct test_cut_proxy_options){.seed = 1});
    struct weft_client *client = connect_to(test_cut_proxy_port(proxy), &told, 1);
    struct weft_answer *answer = NULL;
    test_cut_proxy_refuse(proxy, true);
    wait_until(&told.reconnecting, 1);
    assert_false(weft_client_is_open(client));
    assert_ok(weft_client_call_wait(client, "sum", "[1]", 200, &answer));
    assert_int_equal(answer->status, WEFT_STATUS_DEADLINE_EXCEEDED);
    weft_answer_free(answer);
    /* That one may still be made: it was numbered. The next one finds a connection. */
    test_cut_proxy_refuse(proxy, false);
    assert_ok(weft_client_call_wait(client, "sum", "[1,2]", 10000, &answer));
    assert_string_equal(answer->result, "3");
    weft_answer_free(answer);
    assert_true(weft_client_is_open(client));
    weft_client_close(client);
    test_cut_proxy_stop(proxy);
}

static void closing_ends_what_waits_for_a_connection(void **state)
{
    (void)state;
    struct told told = {.connected = 0};
    struct test_cut_proxy *proxy =
        test_cut_proxy_start(group_server->port, &(struct test_cut_proxy_options){.seed = 1});
    struct weft_client *client = connect_to(test_cut_proxy_port(proxy), &told, 1);
    test_cut_proxy_refuse(proxy, true);
    wait_until(&told.reconnecting, 1);
    assert_ok(weft_client_call(client, "sum", "[1]", 10000, NULL, NULL));
    assert_ok(weft_client_notify(client, "update", NULL));
    weft_client_close(client);
    test_cut_proxy_stop(proxy);
}

/* ---- sessions that are over ---- */

struct ended {
    atomic_int count;
    atomic_int status;
    atomic_int executed;
};

static void on_ended(void *ctx, const struct weft_answer *answer)
{
    struct ended *ended = ctx;
    atomic_store(&ended->status, answer->status);
    atomic_store(&ended->executed, answer->executed);
    atomic_fetch_add(&ended->count, 1);
}

static void a_server_that_was_restarted_knows_no_session(void **state)
{
    (void)state;
    struct told told = {.connected = 0};
    struct ended sent = {.count = 0};
    struct ended unsent = {.count = 0};
    struct test_server *server = test_server_new(NULL);
    struct weft_client *client = connect_to(server->port, &told, 1);
    assert_ok(weft_client_call(client, "demo.sleep", "[20000]", 30000, on_ended, &sent));
    struct weft_answer *answer = NULL;
    assert_ok(weft_client_call_wait(client, "sum", "[1]", 5000, &answer));
    weft_answer_free(answer);
    test_server_kill(server);
    wait_until(&told.reconnecting, 1);
    assert_ok(weft_client_call(client, "sum", "[1]", 30000, on_ended, &unsent));
    test_server_start(server);
    wait_until(&told.connected, 1);
    wait_until(&sent.count, 1);
    wait_until(&unsent.count, 1);
    assert_int_equal(told.lost, 1);
    assert_string_equal(told.reason, "unknown");
    assert_int_equal(sent.status, WEFT_STATUS_UNAVAILABLE);
    assert_int_equal(sent.executed, WEFT_EXECUTED_UNKNOWN);
    assert_int_equal(unsent.status, WEFT_STATUS_UNAVAILABLE);
    assert_int_equal(unsent.executed, WEFT_EXECUTED_NO);
    assert_ok(weft_client_call_wait(client, "sum", "[4,5]", 5000, &answer));
    assert_string_equal(answer->result, "9");
    weft_answer_free(answer);
    weft_client_close(client);
    test_server_free(server);
}

static void a_server_without_sessions_is_reconnected_to(void **state)
{
    (void)state;
    static const char *const args[] = {"--resume-window", "none", NULL};
    struct told told = {.connected = 0};
    struct test_server *server = test_server_new(args);
    struct test_cut_proxy *proxy =
        test_cut_proxy_start(server->port, &(struct test_cut_proxy_options){.seed = 1});
    struct weft_client *client = connect_to(test_cut_proxy_port(proxy), &told, 1);
    struct ended ended = {.count = 0};
    assert_ok(weft_client_call(client, "demo.sleep", "[5000]", 10000, on_ended, &ended));
    test_cut_proxy_cut(proxy);
    wait_until(&ended.count, 1);
    assert_int_equal(ended.status, WEFT_STATUS_UNAVAILABLE);
    wait_until(&told.connected, 1);
    assert_int_equal(told.lost, 0);
    struct weft_answer *answer = NULL;
    assert_ok(weft_client_call_wait(client, "sum", "[4,5]", 5000, &answer));
    assert_string_equal(answer->result, "9");
    weft_answer_free(answer);
    weft_client_close(client);
    test_cut_proxy_stop(proxy);
    test_server_free(server);
}

/* ---- documents ---- */

static void on_doc_closed(void *ctx, struct weft_client_doc *doc, const char *reason)
{
    (void)doc;
    assert_string_equal(reason, "connection");
    atomic_fetch_add((atomic_int *)ctx, 1);
}

static void documents_end_with_the_connection(void **state)
{
    (void)state;
    static const struct weft_client_doc_callbacks callbacks = {.closed = on_doc_closed};
    struct told told = {.connected = 0};
    atomic_int closed = 0;
    struct test_cut_proxy *proxy =
        test_cut_proxy_start(group_server->port, &(struct test_cut_proxy_options){.seed = 1});
    struct weft_client *client = connect_to(test_cut_proxy_port(proxy), &told, 1);
    struct weft_client_doc_options options;
    struct weft_client_doc *doc = NULL;
    struct weft_answer *answer = NULL;
    uint64_t version = 0;
    weft_client_doc_options_init(&options);
    options.name = "reconnect/a";
    options.type = "text";
    options.create = 1;
    options.callbacks = &callbacks;
    options.ctx = &closed;
    assert_ok(weft_client_doc_open_wait(client, &options, &doc, &answer));
    assert_int_equal(answer->status, 0);
    weft_answer_free(answer);
    test_cut_proxy_cut(proxy);
    wait_until(&closed, 1);
    weft_client_doc_close(doc);
    doc = NULL;
    wait_until(&told.connected, 1);
    assert_ok(weft_client_doc_open_wait(client, &options, &doc, &answer));
    assert_int_equal(answer->status, 0);
    weft_answer_free(answer);
    assert_ok(weft_client_doc_edit_wait(doc, 0, "[\"hello\"]", &version, &answer));
    assert_int_equal(answer->status, 0);
    weft_answer_free(answer);
    weft_client_doc_close(doc);
    weft_client_close(client);
    test_cut_proxy_stop(proxy);
}

/* ---- several servers ---- */

static void another_server_takes_over(void **state)
{
    (void)state;
    struct told told = {.connected = 0};
    struct test_server *second = test_server_new(NULL);
    struct test_cut_proxy *first =
        test_cut_proxy_start(group_server->port, &(struct test_cut_proxy_options){.seed = 1});
    struct weft_client_options options;
    struct weft_client *client = NULL;
    struct weft_answer *answer = NULL;
    char url[64];
    const char *const more[] = {second->url, NULL};
    snprintf(url, sizeof(url), "ws://127.0.0.1:%u/ws", test_cut_proxy_port(first));
    init_options(&options, &told);
    options.url = url;
    options.more_urls = more;
    assert_ok(weft_client_connect(&options, &client, NULL, 0));
    test_cut_proxy_refuse(first, true);
    wait_until(&told.connected, 1);
    assert_int_equal(told.lost, 1);
    assert_ok(weft_client_call_wait(client, "sum", "[4,5]", 5000, &answer));
    assert_string_equal(answer->result, "9");
    weft_answer_free(answer);
    weft_client_close(client);
    test_cut_proxy_stop(first);
    test_server_free(second);
}

static void options_out_of_range_are_refused(void **state)
{
    (void)state;
    struct told told = {.connected = 0};
    struct weft_client_options options;
    struct weft_client *client = NULL;
    char message[256];
    init_options(&options, &told);
    options.reconnect_min_ms = 0;
    assert_err(weft_client_connect(&options, &client, NULL, 0), WEFT_ERR_USAGE);
    options.reconnect_min_ms = 200;
    assert_err(weft_client_connect(&options, &client, NULL, 0), WEFT_ERR_USAGE);
    init_options(&options, &told);
    const char *const secure[] = {"wss://127.0.0.1:1/ws", NULL};
    options.more_urls = secure;
    assert_err(weft_client_connect(&options, &client, message, sizeof(message)), WEFT_ERR_USAGE);
    assert_string_equal(message, "either all servers are reached by wss or none");
    const char *const many[] = {"ws://a", "ws://a", "ws://a", "ws://a", "ws://a",
                                "ws://a", "ws://a", "ws://a", NULL};
    options.more_urls = many;
    assert_err(weft_client_connect(&options, &client, NULL, 0), WEFT_ERR_USAGE);
}

/* ---- the checker ---- */

enum { CALLERS = 3, CALLS_EACH = 400, UNDER_WAY = 16 };

struct caller {
    struct weft_client *client;
    unsigned index;
    atomic_int answered;
    atomic_int wrong;
};

struct checked_call {
    struct caller *caller;
    char expected[64];
    atomic_int *answers;
};

static void on_checked(void *ctx, const struct weft_answer *answer)
{
    struct checked_call *call = ctx;
    if (answer->status || strcmp(answer->result, call->expected) != 0)
        atomic_fetch_add(&call->caller->wrong, 1);
    if (atomic_fetch_add(call->answers, 1) != 0)
        atomic_fetch_add(&call->caller->wrong, 1);
    atomic_fetch_add(&call->caller->answered, 1);
}

static void *make_calls(void *arg)
{
    struct caller *caller = arg;
    struct checked_call *calls = calloc(CALLS_EACH, sizeof(*calls));
    atomic_int *answers = calloc(CALLS_EACH, sizeof(*answers));
    for (int i = 0; i < CALLS_EACH; i++) {
        calls[i].caller = caller;
        calls[i].answers = &answers[i];
        snprintf(calls[i].expected, sizeof(calls[i].expected), "[%u,%d,\"0123456789\"]",
                 caller->index, i);
        while (i - atomic_load(&caller->answered) >= UNDER_WAY)
            pause_ms(1);
        if (weft_client_call(caller->client, "demo.echo", calls[i].expected, 60000, on_checked,
                             &calls[i]))
            atomic_fetch_add(&caller->wrong, 1);
    }
    for (int i = 0; i < WAIT_MS * 2 && atomic_load(&caller->answered) < CALLS_EACH; i++)
        pause_ms(1);
    int left = CALLS_EACH - atomic_load(&caller->answered);
    weft_client_close(caller->client); /* whatever is left ends in here */
    atomic_fetch_add(&caller->wrong, left);
    free(calls);
    free(answers);
    return NULL;
}

/* A proxy cuts, delays and chops; every call is made once, answered once, with its own answer. */
static void nothing_is_lost_or_doubled_through_a_bad_network(void **state)
{
    (void)state;
    struct test_random rng;
    struct caller callers[CALLERS];
    struct told told[CALLERS];
    pthread_t threads[CALLERS];
    test_random_init(&rng, "bad network");
    const struct test_cut_proxy_options bad = {
        .seed = rng.seed, .cut_bytes = 12000, .chunk_bytes = 700, .delay_ms = 3};
    struct test_cut_proxy *proxy = test_cut_proxy_start(group_server->port, &bad);
    const char *name = "weft_rpc_calls_total{method=\"demo.echo\"";
    uint64_t before = metric(name);
    memset(callers, 0, sizeof(callers));
    memset(told, 0, sizeof(told));
    for (unsigned i = 0; i < CALLERS; i++) {
        callers[i].index = i;
        callers[i].client = connect_to(test_cut_proxy_port(proxy), &told[i], 100);
        assert_int_equal(pthread_create(&threads[i], NULL, make_calls, &callers[i]), 0);
    }
    for (unsigned i = 0; i < CALLERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (unsigned i = 0; i < CALLERS; i++) {
        assert_int_equal(atomic_load(&callers[i].wrong), 0);
        assert_int_equal(atomic_load(&told[i].lost), 0);
    }
    assert_true(test_cut_proxy_cuts(proxy) > 10);
    test_cut_proxy_stop(proxy);
    uint64_t made = 0;
    for (int i = 0; i < 150 && (made = metric(name) - before) < (uint64_t)CALLERS * CALLS_EACH; i++)
        pause_ms(20); /* these numbers are published once a second */
    assert_int_equal(made, CALLERS * CALLS_EACH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_is_answered_over_the_next_connection),
        cmocka_unit_test(calls_may_be_made_without_a_connection),
        cmocka_unit_test(closing_ends_what_waits_for_a_connection),
        cmocka_unit_test(a_server_that_was_restarted_knows_no_session),
        cmocka_unit_test(a_server_without_sessions_is_reconnected_to),
        cmocka_unit_test(documents_end_with_the_connection),
        cmocka_unit_test(another_server_takes_over),
        cmocka_unit_test(options_out_of_range_are_refused),
        cmocka_unit_test(nothing_is_lost_or_doubled_through_a_bad_network),
    };
    return cmocka_run_group_tests(tests, test_server_group_start, test_server_group_stop);
}
