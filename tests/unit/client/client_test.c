/* SPDX-License-Identifier: Apache-2.0 */
/* The client against servers that refuse, are silent, or die: connecting and calls. */
#include "scripted_server.h"

#include <weft/client.h>

enum { MESSAGE_SIZE = 512, SHORT_MS = 150 };

static char message[MESSAGE_SIZE];

static int connect_to(const struct script *script, struct weft_client **ret_client)
{
    struct weft_client_options options;
    weft_client_options_init(&options);
    options.url = script->url;
    return weft_client_connect(&options, ret_client, message, sizeof(message));
}

/* ---- Connecting ---- */

static void urls_that_are_none_are_refused_before_anything_happens(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "127.0.0.1:8080",
                                      "http://127.0.0.1/ws",
                                      "ws://",
                                      "ws://user@127.0.0.1/ws",
                                      "ws://127.0.0.1/ws#there",
                                      "ws://127.0.0.1:99999/ws",
                                      "ws://127.0.0.1/a b"};
    struct weft_client_options options;
    struct weft_client *client = NULL;
    weft_client_options_init(&options);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        options.url = bad[i];
        assert_err(weft_client_connect(&options, &client, message, sizeof(message)),
                   WEFT_ERR_USAGE);
        assert_non_null(strstr(message, "is no URL"));
    }
    assert_null(client);
}

static void options_out_of_range_are_refused(void **state)
{
    (void)state;
    struct weft_client_options options;
    struct weft_client *client = NULL;
    const struct weft_client_handler ours = {.method = "doc.op", .notify = NULL};
    weft_client_options_init(&options);
    options.url = "ws://127.0.0.1:1/";
    options.loop = 7;
    assert_err(weft_client_connect(&options, &client, NULL, 0), WEFT_ERR_USAGE);
    options.loop = WEFT_CLIENT_LOOP_EPOLL;
    options.call_timeout_ms = 0;
    assert_err(weft_client_connect(&options, &client, NULL, 0), WEFT_ERR_USAGE);
    options.call_timeout_ms = 1;
    options.handlers = &ours;
    options.handler_count = 1;
    assert_err(weft_client_connect(&options, &client, NULL, 0), WEFT_ERR_USAGE);
    options.handler_count = 0;
    options.name = "\xff";
    assert_err(weft_client_connect(&options, &client, NULL, 0), WEFT_ERR_UTF8);
}

static void nobody_there_is_unavailable(void **state)
{
    (void)state;
    struct script script = {0};
    struct weft_client *client = NULL;
    script_start(&script);
    script_stop(&script);
    assert_err(connect_to(&script, &client), WEFT_ERR_UNAVAILABLE);
    assert_non_null(strstr(message, "nobody answers"));
    assert_null(client);
}

static void a_refused_upgrade_tells_the_status(void **state)
{
    (void)state;
    struct script script = {.status = 403};
    struct weft_client *client = NULL;
    script_start(&script);
    assert_err(connect_to(&script, &client), WEFT_ERR_HANDSHAKE);
    assert_non_null(strstr(message, "HTTP status 403"));
    script_stop(&script);
}

static void a_server_without_our_subprotocol_is_refused(void **state)
{
    (void)state;
    struct script script = {.no_protocol = true};
    struct weft_client *client = NULL;
    script_start(&script);
    assert_err(connect_to(&script, &client), WEFT_ERR_HANDSHAKE);
    assert_non_null(strstr(message, "weft.v1.json"));
    script_stop(&script);
}

static void a_refused_greeting_tells_why(void **state)
{
    (void)state;
    struct script script = {
        .hello = "\"error\":{\"code\":-32009,\"message\":\"no protocol version in common\"}"};
    struct weft_client *client = NULL;
    script_start(&script);
    assert_err(connect_to(&script, &client), WEFT_ERR_HANDSHAKE);
    assert_non_null(strstr(message, "no protocol version in common"));
    script_stop(&script);
}

static void a_silent_server_is_given_up(void **state)
{
    (void)state;
    struct script script = {.mute = true};
    struct weft_client *client = NULL;
    struct weft_client_options options;
    script_start(&script);
    weft_client_options_init(&options);
    options.url = script.url;
    options.connect_timeout_ms = SHORT_MS;
    assert_err(weft_client_connect(&options, &client, message, sizeof(message)), WEFT_ERR_TIMEOUT);
    script_stop(&script);
}

static void closing_without_a_word_works(void **state)
{
    (void)state;
    struct script script = {0};
    struct weft_client *client = NULL;
    script_start(&script);
    assert_ok(connect_to(&script, &client));
    assert_true(weft_client_is_open(client));
    weft_client_close(client);
    weft_client_close(NULL);
    script_stop(&script);
}

/* ---- Calls ---- */

static void serve_echo(struct script *script)
{
    const struct weft_json *call = script_expect(script, "echo");
    struct weft_slice params = weft__json_raw(weft__json_get(call, "params"));
    char members[256];
    snprintf(members, sizeof(members), "\"result\":%.*s", (int)params.len,
             (const char *)params.ptr);
    script_answer(script, call, members);
    script_answer(script, script_expect(script, "bare"), "\"result\":null");
    script_answer(script, script_expect(script, "fail"),
                  "\"error\":{\"code\":-32008,\"message\":\"slow down\",\"data\":{\"code\":"
                  "\"resource_exhausted\",\"reason\":\"acme.quota\",\"executed\":\"no\","
                  "\"retryable\":true,\"retry_after_ms\":1200}}");
}

static void an_answer_comes_as_it_was_sent(void **state)
{
    (void)state;
    struct script script = {.run = serve_echo};
    struct weft_client *client = NULL;
    struct weft_answer *answer = NULL;
    script_start(&script);
    assert_ok(connect_to(&script, &client));
    assert_ok(weft_client_call_wait(client, "echo", "[1, \"\\u00e9\"]", 0, &answer));
    assert_int_equal(answer->status, 0);
    assert_string_equal(answer->result, "[1, \"\\u00e9\"]");
    assert_int_equal(answer->result_len, strlen(answer->result));
    assert_string_equal(answer->message, "");
    weft_answer_free(answer);
    assert_ok(weft_client_call_wait(client, "bare", NULL, 0, &answer));
    assert_string_equal(answer->result, "null");
    weft_answer_free(answer);
    assert_ok(weft_client_call_wait(client, "fail", "{}", 0, &answer));
    assert_int_equal(answer->status, WEFT_STATUS_RESOURCE_EXHAUSTED);
    assert_null(answer->result);
    assert_string_equal(answer->message, "slow down");
    assert_string_equal(answer->reason, "acme.quota");
    assert_int_equal(answer->executed, WEFT_EXECUTED_NO);
    assert_true(answer->retryable);
    assert_int_equal(answer->retry_after_ms, 1200);
    assert_non_null(strstr(answer->data, "\"retry_after_ms\":1200"));
    weft_answer_free(answer);
    weft_client_close(client);
    script_stop(&script);
}

static void calls_that_cannot_be_sent_are_refused_here(void **state)
{
    (void)state;
    struct script script = {0};
    struct weft_client *client = NULL;
    struct weft_answer *answer = NULL;
    char big[5000] = "[\"";
    script_start(&script);
    assert_ok(connect_to(&script, &client));
    assert_err(weft_client_call_wait(client, "a", "[1", 0, &answer), WEFT_ERR_JSON);
    assert_err(weft_client_call_wait(client, "a", "7", 0, &answer), WEFT_ERR_USAGE);
    assert_err(weft_client_call_wait(client, "", "[]", 0, &answer), WEFT_ERR_USAGE);
    assert_err(weft_client_call_wait(client, "\xc0", "[]", 0, &answer), WEFT_ERR_UTF8);
    assert_err(weft_client_call_wait(client, "a", "[\"\xff\"]", 0, &answer), WEFT_ERR_UTF8);
    /* The greeting said 4,096 bytes; sending more would end the connection. */
    memset(big + 2, 'x', sizeof(big) - 5);
    memcpy(big + sizeof(big) - 3, "\"]", 3);
    assert_err(weft_client_call_wait(client, "a", big, 0, &answer), WEFT_ERR_TOO_BIG);
    assert_err(weft_client_notify(client, "a", "true"), WEFT_ERR_USAGE);
    assert_null(answer);
    weft_client_close(client);
    script_stop(&script);
}

static void serve_late(struct script *script)
{
    const struct weft_json *call = script_expect(script, "slow");
    const struct weft_json *meta = weft__json_get(call, "meta");
    int64_t timeout_ms = 0;
    SCRIPT_CHECK(weft__json_i64(weft__json_get(meta, "timeout_ms"), &timeout_ms));
    SCRIPT_CHECK(timeout_ms == SHORT_MS);
    script_expect(script, "$/cancel");
    script_answer(script, call, "\"result\":\"too late\"");
    script_answer(script, script_expect(script, "next"), "\"result\":\"in time\"");
}

static void a_call_ends_at_its_deadline_and_is_cancelled(void **state)
{
    (void)state;
    struct script script = {.run = serve_late};
    struct weft_client *client = NULL;
    struct weft_answer *answer = NULL;
    script_start(&script);
    assert_ok(connect_to(&script, &client));
    assert_ok(weft_client_call_wait(client, "slow", NULL, SHORT_MS, &answer));
    assert_int_equal(answer->status, WEFT_STATUS_DEADLINE_EXCEEDED);
    assert_int_equal(answer->executed, WEFT_EXECUTED_UNKNOWN);
    weft_answer_free(answer);
    assert_ok(weft_client_call_wait(client, "next", NULL, 0, &answer));
    assert_string_equal(answer->result, "\"in time\"");
    weft_answer_free(answer);
    weft_client_close(client);
    script_stop(&script);
}

static void on_answer(void *ctx, const struct weft_answer *answer)
{
    log_add(ctx, "%s ", weft_status_name(answer->status));
}

static void on_lost(void *ctx, unsigned code, const char *reason)
{
    log_add(ctx, "closed %u '%s' ", code, reason);
}

static void serve_death(struct script *script)
{
    script_expect(script, "a");
    script_expect(script, "b");
    shutdown(script->fd, SHUT_RDWR);
}

static void a_lost_connection_ends_every_call_and_then_tells(void **state)
{
    (void)state;
    struct script script = {.run = serve_death};
    struct weft_client *client = NULL;
    struct weft_answer *answer = NULL;
    struct weft_client_options options;
    struct event_log log;
    log_init(&log);
    script_start(&script);
    weft_client_options_init(&options);
    options.url = script.url;
    options.closed = on_lost;
    options.closed_ctx = &log;
    assert_ok(weft_client_connect(&options, &client, message, sizeof(message)));
    assert_ok(weft_client_call(client, "a", NULL, 0, on_answer, &log));
    assert_ok(weft_client_call(client, "b", NULL, 0, on_answer, &log));
    log_wait(&log, "unavailable unavailable closed 1006 '' ");
    assert_false(weft_client_is_open(client));
    assert_err(weft_client_call_wait(client, "c", NULL, 0, &answer), WEFT_ERR_CLOSED);
    assert_err(weft_client_notify(client, "c", NULL), WEFT_ERR_CLOSED);
    weft_client_close(client);
    script_stop(&script);
    log_done(&log);
}

static void closing_ends_calls_under_way(void **state)
{
    (void)state;
    struct script script = {0};
    struct weft_client *client = NULL;
    struct event_log log;
    log_init(&log);
    script_start(&script);
    assert_ok(connect_to(&script, &client));
    assert_ok(weft_client_call(client, "a", NULL, 0, on_answer, &log));
    assert_ok(weft_client_call(client, "b", NULL, 0, on_answer, &log));
    weft_client_close(client);
    assert_string_equal(log.text, "unavailable unavailable ");
    script_stop(&script);
    log_done(&log);
}

static void wait_in_callback(void *ctx, const struct weft_answer *answer)
{
    struct weft_client *client = *(struct weft_client **)ctx;
    struct weft_answer *other = NULL;
    (void)answer;
    SCRIPT_CHECK(weft_client_call_wait(client, "a", NULL, 0, &other) == WEFT_ERR_STATE);
    SCRIPT_CHECK(weft_client_call(client, "from.callback", NULL, 0, NULL, NULL) == 0);
}

static void serve_two(struct script *script)
{
    script_answer(script, script_expect(script, "first"), "\"result\":1");
    script_answer(script, script_expect(script, "from.callback"), "\"result\":2");
    script_answer(script, script_expect(script, "last"), "\"result\":3");
}

static void callbacks_may_call_but_not_wait(void **state)
{
    (void)state;
    struct script script = {.run = serve_two};
    struct weft_client *client = NULL;
    struct weft_answer *answer = NULL;
    struct event_log log;
    log_init(&log);
    script_start(&script);
    assert_ok(connect_to(&script, &client));
    assert_ok(weft_client_call(client, "first", NULL, 0, wait_in_callback, &client));
    /* "last" must come behind what the callback starts. */
    struct timespec pause = {.tv_nsec = 100 * 1000000};
    nanosleep(&pause, NULL);
    assert_ok(weft_client_call_wait(client, "last", NULL, 0, &answer));
    assert_string_equal(answer->result, "3");
    weft_answer_free(answer);
    weft_client_close(client);
    script_stop(&script);
    log_done(&log);
}

/* ---- Notifications ---- */

static void on_notify(void *ctx, const char *method, const char *params, size_t len)
{
    log_add(ctx, "%s(%s:%zu) ", method, params ? params : "-", len);
}

static void serve_notifications(struct script *script)
{
    script_send(script, "{\"jsonrpc\":\"2.0\",\"method\":\"news\",\"params\":[\"a\"]}");
    script_send(script, "{\"jsonrpc\":\"2.0\",\"method\":\"unknown\"}");
    script_send(script, "{\"jsonrpc\":\"2.0\",\"method\":\"doc.op\",\"params\":{\"doc\":\"x\"}}");
    script_send(script, "{\"jsonrpc\":\"2.0\",\"method\":\"bell\"}");
    script_send(script, "{\"jsonrpc\":\"2.0\",\"id\":\"$s1\",\"method\":\"bell\"}");
    const struct weft_json *answer = script_recv(script);
    const struct weft_json *data = weft__json_get(weft__json_get(answer, "error"), "data");
    SCRIPT_CHECK(weft__json_string_is(weft__json_get(data, "code"), "unimplemented"));
    const struct weft_json *hello = script_expect(script, "hello");
    SCRIPT_CHECK(!weft__json_get(hello, "id"));
    script_send(script, "{\"jsonrpc\":\"2.0\",\"method\":\"bell\",\"params\":{\"n\":1}}");
}

static void notifications_reach_their_handlers(void **state)
{
    (void)state;
    struct script script = {.run = serve_notifications};
    struct weft_client *client = NULL;
    struct weft_client_options options;
    struct event_log log;
    log_init(&log);
    const struct weft_client_handler handlers[] = {
        {.method = "news", .notify = on_notify, .ctx = &log},
        {.method = "bell", .notify = on_notify, .ctx = &log}};
    script_start(&script);
    weft_client_options_init(&options);
    options.url = script.url;
    options.handlers = handlers;
    options.handler_count = 2;
    assert_ok(weft_client_connect(&options, &client, message, sizeof(message)));
    log_wait(&log, "news([\"a\"]:5) bell(-:0) ");
    assert_ok(weft_client_notify(client, "hello", NULL));
    log_wait(&log, "news([\"a\"]:5) bell(-:0) bell({\"n\":1}:7) ");
    weft_client_close(client);
    script_stop(&script);
    log_done(&log);
}

/* ---- Memory ---- */

/* test_alloc for two threads, and the number of failures that one run is given. */
struct locked_alloc {
    struct weft_alloc alloc;
    struct test_alloc inner;
    pthread_mutex_t mutex;
};

static void *locked_malloc(void *ctx, size_t size)
{
    struct locked_alloc *locked = ctx;
    pthread_mutex_lock(&locked->mutex);
    void *ptr = locked->inner.alloc.alloc(locked->inner.alloc.ctx, size);
    pthread_mutex_unlock(&locked->mutex);
    return ptr;
}

static void *locked_realloc(void *ctx, void *ptr, size_t old_size, size_t new_size)
{
    struct locked_alloc *locked = ctx;
    pthread_mutex_lock(&locked->mutex);
    void *fresh = locked->inner.alloc.realloc(locked->inner.alloc.ctx, ptr, old_size, new_size);
    pthread_mutex_unlock(&locked->mutex);
    return fresh;
}

static void locked_free(void *ctx, void *ptr, size_t size)
{
    struct locked_alloc *locked = ctx;
    pthread_mutex_lock(&locked->mutex);
    locked->inner.alloc.free(locked->inner.alloc.ctx, ptr, size);
    pthread_mutex_unlock(&locked->mutex);
}

static void serve_anything(struct script *script)
{
    const struct weft_json *call;
    while ((call = script_recv(script))) {
        if (weft__json_string_is(weft__json_get(call, "method"), "doc.open"))
            script_answer(script, call,
                          "\"result\":{\"doc\":\"d\",\"epoch\":\"e\",\"type\":\"text\","
                          "\"version\":0,\"applied\":0,\"snapshot\":\"\"}");
        else if (weft__json_get(call, "id"))
            script_answer(script, call, "\"result\":{\"version\":1}");
    }
}

/* A whole life; every step may fail for want of memory. Returns whether all went well. */
static bool live(const struct weft_alloc *alloc)
{
    struct script script = {.run = serve_anything};
    struct weft_client_options options;
    struct weft_client_doc_options doc_options;
    struct weft_client *client = NULL;
    struct weft_client_doc *doc = NULL;
    struct weft_answer *answer = NULL;
    uint64_t version = 0;
    script_start(&script);
    weft_client_options_init(&options);
    weft_client_doc_options_init(&doc_options);
    options.url = script.url;
    options.alloc = alloc;
    options.loop = WEFT_CLIENT_LOOP_EPOLL;
    options.call_timeout_ms = 1000;
    doc_options.name = "d";
    bool ok = weft_client_connect(&options, &client, NULL, 0) == 0;
    if (client) {
        ok = weft_client_call_wait(client, "sum", "[1,2]", 0, &answer) == 0 && !answer->status;
        weft_answer_free(answer);
        answer = NULL;
        ok = weft_client_doc_open_wait(client, &doc_options, &doc, &answer) == 0 && doc && ok;
        weft_answer_free(answer);
        answer = NULL;
    }
    if (doc) {
        ok = weft_client_doc_edit_wait(doc, 0, "[\"a\"]", &version, &answer) == 0 && ok &&
             version == 1;
        weft_answer_free(answer);
        weft_client_doc_close(doc);
    }
    weft_client_close(client);
    script_stop(&script);
    return ok && client;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    struct locked_alloc locked = {.alloc = {locked_malloc, locked_realloc, locked_free, &locked},
                                  .mutex = PTHREAD_MUTEX_INITIALIZER};
    size_t count = 0;
    for (size_t fail_at = 1;; fail_at++) {
        test_alloc_init(&locked.inner);
        locked.inner.fail_at = fail_at;
        bool ok = live(&locked.alloc);
        bool failed = locked.inner.failures > 0;
        test_alloc_done(&locked.inner);
        if (!failed) {
            assert_true(ok);
            break;
        }
        count++;
    }
    assert_true(count > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_that_are_none_are_refused_before_anything_happens),
        cmocka_unit_test(options_out_of_range_are_refused),
        cmocka_unit_test(nobody_there_is_unavailable),
        cmocka_unit_test(a_refused_upgrade_tells_the_status),
        cmocka_unit_test(a_server_without_our_subprotocol_is_refused),
        cmocka_unit_test(a_refused_greeting_tells_why),
        cmocka_unit_test(a_silent_server_is_given_up),
        cmocka_unit_test(closing_without_a_word_works),
        cmocka_unit_test(an_answer_comes_as_it_was_sent),
        cmocka_unit_test(calls_that_cannot_be_sent_are_refused_here),
        cmocka_unit_test(a_call_ends_at_its_deadline_and_is_cancelled),
        cmocka_unit_test(a_lost_connection_ends_every_call_and_then_tells),
        cmocka_unit_test(closing_ends_calls_under_way),
        cmocka_unit_test(callbacks_may_call_but_not_wait),
        cmocka_unit_test(notifications_reach_their_handlers),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
