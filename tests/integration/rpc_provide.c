/* SPDX-License-Identifier: Apache-2.0 */
/* Methods that connected peers provide, over real connections to two workers: who gets which call,
 * what travels with it, and what becomes of it when a provider is lost. */
#include "provide_support.h"

#include <unistd.h>

/* ---- calls ---- */

static void a_call_reaches_its_provider_and_the_answer_the_caller(void **state)
{
    (void)state;
    for (unsigned from = 0; from < 2; from++)
        for (unsigned to = 0; to < 2; to++) {
            struct test_ws *worker = provide(to, "{\"methods\":[{\"name\":\"app.add\"}]}");
            struct test_ws *ws = caller(from);
            rpc_send(ws, 5, "app.add", "{\"a\": [1,2]}",
                     "\"timeout_ms\":60000,\"idem\":\"\",\"traceparent\":\"00-ab-cd-01\"");
            const struct weft_json *call = next_call(worker, "app.add");
            const struct weft_json *meta = weft__json_get(call, "meta");
            uint64_t left = 0;
            assert_true(weft__slice_eq_str(weft__json_raw(weft__json_get(call, "params")),
                                           "{\"a\": [1,2]}"));
            assert_true(weft__json_string_is(weft__json_get(meta, "traceparent"), "00-ab-cd-01"));
            assert_null(weft__json_get(meta, "idem"));
            assert_true(weft__json_u53(weft__json_get(meta, "timeout_ms"), &left));
            assert_true(left > 0 && left <= 60000);
            answer(worker, call, "\"result\":{\"sum\":3}");
            const struct weft_json *result = weft__json_get(rpc_next(ws, 5), "result");
            assert_true(weft__slice_eq_str(weft__json_raw(result), "{\"sum\":3}"));
            test_ws_close(ws);
            test_ws_close(worker);
        }
}

static void calls_without_parameters_or_deadline_have_none_there(void **state)
{
    (void)state;
    struct test_ws *worker = provide(0, "{\"methods\":[\"app.bare\"]}");
    struct test_ws *ws = test_ws_connect(world->url, NULL); /* without a greeting, too */
    test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"app.bare\"}");
    const struct weft_json *call = next_call(worker, "app.bare");
    assert_null(weft__json_get(call, "params"));
    assert_null(weft__json_get(call, "meta"));
    answer(worker, call, "\"result\":null");
    assert_true(weft__json_is(weft__json_get(rpc_next(ws, 1), "result"), WEFT_JSON_NULL));
    test_ws_close(ws);
    test_ws_close(worker);
}

static void errors_are_passed_on_unchanged(void **state)
{
    (void)state;
    static const char error[] =
        "{\"code\":-32010,\"message\":\"not now\",\"data\":{\"code\":\"aborted\","
        "\"reason\":\"acme.race\",\"retryable\":true,\"retry_after_ms\":30,\"executed\":\"yes\","
        "\"violations\":[{\"field\":\"a\",\"rule\":\"b\"}],\"details\":[1,{\"x\":\"y\"}]}}";
    static const char plain[] = "{\"code\":-32050,\"message\":\"of my own\"}";
    struct test_ws *worker = provide(1, "{\"methods\":[{\"name\":\"app.err\"}]}");
    struct test_ws *ws = caller(0);
    char member[512];
    rpc_send(ws, 1, "app.err", "[]", "");
    snprintf(member, sizeof(member), "\"error\":%s", error);
    answer(worker, next_call(worker, "app.err"), member);
    const struct weft_json *got = weft__json_get(rpc_next(ws, 1), "error");
    assert_true(weft__slice_eq_str(weft__json_raw(got), error));
    rpc_send(ws, 2, "app.err", "[]", "");
    snprintf(member, sizeof(member), "\"error\":%s", plain);
    answer(worker, next_call(worker, "app.err"), member);
    got = weft__json_get(rpc_next(ws, 2), "error");
    int64_t number = 0;
    assert_true(weft__json_i64(weft__json_get(got, "code"), &number));
    assert_int_equal(number, -32050);
    assert_true(weft__json_string_is(weft__json_get(got, "message"), "of my own"));
    assert_true(said(weft__json_get(got, "data"), "unknown"));
    test_ws_close(ws);
    test_ws_close(worker);
}

static void calls_are_spread_evenly(void **state)
{
    (void)state;
    enum { WORKERS = 3, CALLS = 30 };
    struct test_ws *workers[WORKERS];
    struct test_ws *ws = caller(0);
    const struct weft_json *calls[CALLS];
    for (unsigned w = 0; w < WORKERS; w++)
        workers[w] = provide(w % 2, "{\"methods\":[{\"name\":\"app.spread\"}]}");
    for (int i = 0; i < CALLS; i++)
        rpc_send(ws, i, "app.spread", "[]", "");
    for (int i = 0; i < CALLS; i++)
        calls[i] = next_call(workers[i % WORKERS], "app.spread");
    /* One is done with its calls, so all that follow are its. */
    for (int i = 0; i < CALLS; i += WORKERS)
        answer(workers[0], calls[i], "\"result\":0");
    for (int i = 0; i < CALLS / WORKERS; i++)
        (void)test_ws_next(ws);
    for (int i = 0; i < CALLS / WORKERS; i++) {
        rpc_send(ws, 100 + i, "app.spread", "[]", "");
        answer(workers[0], next_call(workers[0], "app.spread"), "\"result\":1");
        assert_int_equal(rpc_next_number(ws, 100 + i), 1);
    }
    assert_int_equal(metric("weft_provide_forwarded_total{method=\"app.spread\"}"), 40);
    for (unsigned w = 0; w < WORKERS; w++)
        test_ws_close(workers[w]);
    test_ws_close(ws);
}

static void more_calls_than_capacity_are_refused(void **state)
{
    (void)state;
    struct test_ws *worker = provide(0, "{\"methods\":[{\"name\":\"app.few\"}],\"capacity\":2}");
    struct test_ws *ws = caller(1);
    for (int i = 1; i <= 3; i++)
        rpc_send(ws, i, "app.few", "[]", "");
    const struct weft_json *data = rpc_next_error(ws, 3, "resource_exhausted", "weft.provide.busy");
    bool retryable = false;
    assert_true(weft__json_bool(weft__json_get(data, "retryable"), &retryable) && retryable);
    assert_true(said(data, "no"));
    answer(worker, next_call(worker, "app.few"), "\"result\":1");
    assert_int_equal(rpc_next_number(ws, 1), 1);
    rpc_send(ws, 4, "app.few", "[]", "");
    answer(worker, next_call(worker, "app.few"), "\"result\":2");
    assert_int_equal(rpc_next_number(ws, 2), 2);
    answer(worker, next_call(worker, "app.few"), "\"result\":4");
    assert_int_equal(rpc_next_number(ws, 4), 4);
    test_ws_close(ws);
    test_ws_close(worker);
}

static void a_cancellation_is_passed_on(void **state)
{
    (void)state;
    for (unsigned from = 0; from < 2; from++) {
        struct test_ws *worker = provide(0, "{\"methods\":[{\"name\":\"app.slow\"}]}");
        struct test_ws *ws = caller(from);
        rpc_send(ws, 1, "app.slow", "[]", "");
        const struct weft_json *call = next_call(worker, "app.slow");
        test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancel\",\"params\":{\"id\":1}}");
        (void)rpc_next_error(ws, 1, "canceled", NULL);
        const struct weft_json *cancel = test_ws_next(worker);
        assert_true(weft__json_string_is(weft__json_get(cancel, "method"), "$/cancel"));
        assert_true(weft__slice_eq(
            weft__json_string(weft__json_get(weft__json_get(cancel, "params"), "id")),
            weft__json_string(weft__json_get(call, "id"))));
        answer(worker, call, "\"result\":\"late\""); /* harmless */
        rpc_send(ws, 2, "app.slow", "[]", "");
        answer(worker, next_call(worker, "app.slow"), "\"result\":2");
        assert_int_equal(rpc_next_number(ws, 2), 2);
        test_ws_close(ws);
        test_ws_close(worker);
    }
}

static void a_deadline_ends_the_call_on_both_sides(void **state)
{
    (void)state;
    struct test_ws *worker = provide(1, "{\"methods\":[{\"name\":\"app.late\"}]}");
    struct test_ws *ws = caller(0);
    rpc_send(ws, 1, "app.late", "[]", "\"timeout_ms\":30");
    (void)next_call(worker, "app.late");
    (void)rpc_next_error(ws, 1, "deadline_exceeded", NULL);
    const struct weft_json *cancel = test_ws_next(worker);
    assert_true(weft__json_string_is(weft__json_get(cancel, "method"), "$/cancel"));
    await_metric("weft_provide_in_flight", 0);
    test_ws_close(ws);
    test_ws_close(worker);
}

static void a_caller_that_leaves_is_not_worked_for(void **state)
{
    (void)state;
    struct test_ws *worker = provide(1, "{\"methods\":[{\"name\":\"app.gone\"}]}");
    struct test_ws *ws = caller(0);
    rpc_send(ws, 1, "app.gone", "[]", "");
    (void)next_call(worker, "app.gone");
    test_ws_cut(ws);
    const struct weft_json *cancel = test_ws_next(worker);
    assert_true(weft__json_string_is(weft__json_get(cancel, "method"), "$/cancel"));
    test_ws_close(worker);
}

static bool is_listed(struct test_ws *ws, const char *name)
{
    const struct weft_json *methods =
        weft__json_get(test_ws_result(ws, "rpc.discover", NULL), "methods");
    bool found = false;
    WEFT_JSON_EACH (method, methods)
        found = found || weft__json_string_is(weft__json_get(method, "name"), name);
    return found;
}

static void what_is_provided_is_discovered(void **state)
{
    (void)state;
    struct test_ws *worker = provide(0, "{\"methods\":[\"app.listed\"]}");
    struct test_ws *ws = caller(1);
    assert_true(is_listed(ws, "demo.echo"));
    assert_true(is_listed(ws, "app.listed"));
    assert_false(is_listed(ws, "rpc.provide"));
    (void)test_ws_result(worker, "rpc.unprovide", NULL);
    assert_false(is_listed(ws, "app.listed"));
    test_ws_close(ws);
    test_ws_close(worker);
}

static void a_provider_may_call_what_it_provides(void **state)
{
    (void)state;
    struct test_ws *worker = provide(0, "{\"methods\":[{\"name\":\"app.self\"}]}");
    rpc_send(worker, 3, "app.self", "[]", "");
    answer(worker, next_call(worker, "app.self"), "\"result\":9");
    assert_int_equal(rpc_next_number(worker, 3), 9);
    test_ws_close(worker);
}

/* ---- providers that are lost ---- */

/* Two providers of |name|, and a call that the first one has; then that one is cut. */
static struct test_ws *lose_provider(const char *params, const char *name, const char *meta,
                                     struct test_ws **ret_other)
{
    struct test_ws *one = provide(0, params);
    struct test_ws *ws = caller(1);
    rpc_send(ws, 1, name, "[7]", meta);
    (void)next_call(one, name);
    *ret_other = provide(1, params);
    test_ws_cut(one);
    return ws;
}

static void an_idempotent_call_fails_over_exactly_once(void **state)
{
    (void)state;
    struct test_ws *other;
    uint64_t before = metric("weft_provide_failovers_total");
    struct test_ws *ws = lose_provider(
        "{\"methods\":[{\"name\":\"app.safe\",\"idempotent\":true}]}", "app.safe", "", &other);
    const struct weft_json *call = next_call(other, "app.safe");
    assert_true(weft__slice_eq_str(weft__json_raw(weft__json_get(call, "params")), "[7]"));
    answer(other, call, "\"result\":70");
    assert_int_equal(rpc_next_number(ws, 1), 70);
    assert_int_equal(metric("weft_provide_failovers_total"), before + 1);
    assert_int_equal(metric("weft_provide_forwarded_total{method=\"app.safe\"}"), 2);
    /* The next call is the next message: nothing came twice. */
    rpc_send(ws, 2, "app.safe", "[8]", "");
    call = next_call(other, "app.safe");
    assert_true(weft__slice_eq_str(weft__json_raw(weft__json_get(call, "params")), "[8]"));
    answer(other, call, "\"result\":80");
    assert_int_equal(rpc_next_number(ws, 2), 80);
    test_ws_close(ws);
    test_ws_close(other);
}

static void another_call_fails_and_says_that_it_may_have_been_executed(void **state)
{
    (void)state;
    struct test_ws *other;
    uint64_t before = metric("weft_provide_lost_total");
    struct test_ws *ws =
        lose_provider("{\"methods\":[{\"name\":\"app.once\"}]}", "app.once", "", &other);
    assert_true(said(rpc_next_error(ws, 1, "unavailable", "weft.provide.lost"), "unknown"));
    assert_int_equal(metric("weft_provide_lost_total"), before + 1);
    rpc_send(ws, 2, "app.once", "[8]", "");
    const struct weft_json *call = next_call(other, "app.once");
    assert_true(weft__slice_eq_str(weft__json_raw(weft__json_get(call, "params")), "[8]"));
    answer(other, call, "\"result\":80");
    assert_int_equal(rpc_next_number(ws, 2), 80);
    test_ws_close(ws);
    test_ws_close(other);
}

static void a_call_with_a_key_fails_over_with_it(void **state)
{
    (void)state;
    struct test_ws *other;
    struct test_ws *ws = lose_provider("{\"methods\":[{\"name\":\"app.keyed\"}]}", "app.keyed",
                                       "\"idem\":\"key-1\"", &other);
    const struct weft_json *call = next_call(other, "app.keyed");
    assert_true(
        weft__json_string_is(weft__json_get(weft__json_get(call, "meta"), "idem"), "key-1"));
    answer(other, call, "\"result\":1");
    assert_int_equal(rpc_next_number(ws, 1), 1);
    test_ws_close(ws);
    test_ws_close(other);
}

static void a_call_does_not_fail_over_for_ever(void **state)
{
    (void)state;
    static const char params[] = "{\"methods\":[{\"name\":\"app.mortal\",\"idempotent\":true}]}";
    enum { ATTEMPTS = 4 };
    struct test_ws *one = provide(0, params);
    struct test_ws *ws = caller(0);
    rpc_send(ws, 1, "app.mortal", "[]", "");
    for (int i = 0; i < ATTEMPTS; i++) {
        (void)next_call(one, "app.mortal");
        struct test_ws *next = provide((unsigned)i % 2, params);
        test_ws_cut(one);
        one = next;
    }
    assert_true(said(rpc_next_error(ws, 1, "unavailable", "weft.provide.lost"), "unknown"));
    test_ws_close(one);
    test_ws_close(ws);
}

static void without_a_provider_calls_are_unavailable(void **state)
{
    (void)state;
    static const char *const prefixes[] = {"app.", NULL};
    struct weft_server_options options;
    test_in_process_options(&options);
    options.rpc.provide = prefixes;
    struct test_in_process *before = begin_world(&options);
    struct test_ws *worker = provide(0, "{\"methods\":[{\"name\":\"app.left\"},\"app.stays\"]}");
    struct test_ws *ws = caller(1);
    const struct weft_json *result =
        test_ws_result(worker, "rpc.unprovide", "{\"methods\":[\"app.left\"]}");
    int64_t left = 0;
    assert_true(weft__json_i64(weft__json_get(result, "methods"), &left));
    assert_int_equal(left, 1);
    rpc_send(ws, 1, "app.left", "[]", "");
    const struct weft_json *data = rpc_next_error(ws, 1, "unavailable", "weft.provide.nobody");
    assert_true(said(data, "no"));
    rpc_send(ws, 2, "app.stays", "[]", "\"idem\":\"stays-1\"");
    const struct weft_json *call = next_call(worker, "app.stays");
    (void)test_ws_result(worker, "rpc.unprovide", NULL);
    answer(worker, call, "\"result\":2"); /* what runs goes on */
    assert_int_equal(rpc_next_number(ws, 2), 2);
    rpc_send(ws, 3, "app.stays", "[]", "");
    (void)rpc_next_error(ws, 3, "unavailable", "weft.provide.nobody");
    rpc_send(ws, 4, "app.stays", "[]", "\"idem\":\"stays-1\"");
    assert_int_equal(rpc_next_number(ws, 4), 2); /* its answer is kept */
    rpc_send(ws, 5, "other.never", "[]", "");
    (void)rpc_next_error(ws, 5, "unimplemented", NULL);
    test_ws_close(ws);
    test_ws_close(worker);
    end_world(before);
}

/* It has taken all back, and what it offers then is refused: its calls are still its. */
static void a_refused_offer_does_not_end_what_runs(void **state)
{
    (void)state;
    struct weft_server_options options;
    test_in_process_options(&options);
    options.rpc.provide_names = 1;
    struct test_in_process *before = begin_world(&options);
    struct test_ws *worker = provide(0, "{\"methods\":[\"app.runs\"]}");
    struct test_ws *ws = caller(1);
    rpc_send(ws, 1, "app.runs", "[]", "");
    const struct weft_json *call = next_call(worker, "app.runs");
    rpc_send(ws, 2, "app.runs", "[]", "");
    (void)next_call(worker, "app.runs");
    (void)test_ws_result(worker, "rpc.unprovide", NULL);
    assert_string_equal(
        test_ws_error(worker, "rpc.provide", "{\"methods\":[\"app.more\",\"app.most\"]}"),
        "resource_exhausted");
    assert_int_equal(metric("weft_providers"), 1);
    assert_int_equal(metric("weft_provide_in_flight"), 2);
    test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancel\",\"params\":{\"id\":1}}");
    (void)rpc_next_error(ws, 1, "canceled", NULL);
    const struct weft_json *cancel = test_ws_next(worker);
    assert_true(weft__json_string_is(weft__json_get(cancel, "method"), "$/cancel"));
    answer(worker, call, "\"result\":0"); /* harmless */
    await_metric("weft_provide_in_flight", 1);
    test_ws_close(ws);
    test_ws_close(worker);
    end_world(before);
}

/* ---- providers that come back ---- */

/* Greets with the feature "resume"; |resume| is empty, or the member of that name. */
static struct test_ws *open_session(const char *resume, char ret_token[64], bool *ret_resumed)
{
    char text[300];
    struct test_ws *ws = test_ws_connect(world->url, "weft.v1.json");
    snprintf(text, sizeof(text), "{\"v\":[1,1],\"features\":[\"resume\"]%s}", resume);
    const struct weft_json *welcome = test_ws_result(ws, "$/hello", text);
    struct weft_slice token = weft__json_string(weft__json_get(welcome, "resume_token"));
    assert_true(token.len > 0 && token.len < 64);
    memcpy(ret_token, token.ptr, token.len);
    ret_token[token.len] = '\0';
    assert_true(weft__json_bool(weft__json_get(welcome, "resumed"), ret_resumed));
    return ws;
}

/* The next call to |ws| of a session, whose control frames are passed over. */
static const struct weft_json *next_data_call(struct test_ws *ws, const char *method)
{
    const struct weft_json *call = test_ws_next(ws);
    while (!weft__json_string_is(weft__json_get(call, "method"), method))
        call = test_ws_next(ws);
    return call;
}

/* Calls until the server has noticed that the provider is away; returns how many it still took. */
static int call_until_away(struct test_ws *ws, int id)
{
    enum { TRIES = 100, WAIT_MS = 50 };
    for (int i = 0; i < TRIES; i++) {
        rpc_send(ws, id + i, "app.resumed", "[]", "");
        const char *text = test_ws_recv(ws, WAIT_MS);
        if (!text)
            continue;
        assert_non_null(strstr(text, "weft.provide.nobody"));
        return i;
    }
    fail_msg("the provider was not away");
    return 0;
}

static void a_provider_that_resumes_keeps_its_calls(void **state)
{
    (void)state;
    char token[64], resume[128];
    bool resumed = true;
    struct test_ws *worker = open_session("", token, &resumed);
    assert_false(resumed);
    (void)test_ws_result(worker, "rpc.provide", "{\"methods\":[\"app.resumed\"]}");
    struct test_ws *ws = caller(0);
    rpc_send(ws, 1, "app.resumed", "[]", "");
    char id[32];
    struct weft_slice raw =
        weft__json_raw(weft__json_get(next_data_call(worker, "app.resumed"), "id"));
    snprintf(id, sizeof(id), "%.*s", (int)raw.len, (const char *)raw.ptr);
    test_ws_cut(worker);
    int taken = call_until_away(ws, 2);
    /* It has seen two numbered frames: the answer to rpc.provide and the call. */
    snprintf(resume, sizeof(resume), ",\"resume\":{\"token\":\"%s\",\"seen\":2}", token);
    worker = open_session(resume, token, &resumed);
    assert_true(resumed);
    char text[100];
    snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":1}", id);
    test_ws_send(worker, text);
    assert_int_equal(rpc_next_number(ws, 1), 1);
    for (int i = 0; i < taken; i++) {
        answer(worker, next_data_call(worker, "app.resumed"), "\"result\":2");
        assert_int_equal(rpc_next_number(ws, 2 + i), 2);
    }
    rpc_send(ws, 200, "app.resumed", "[]", "");
    answer(worker, next_data_call(worker, "app.resumed"), "\"result\":200");
    assert_int_equal(rpc_next_number(ws, 200), 200);
    test_ws_close(ws);
    test_ws_close(worker);
}

static void harmless_calls_do_not_wait_for_a_provider_that_is_away(void **state)
{
    (void)state;
    static const char offer[] =
        "{\"methods\":[{\"name\":\"app.moves\",\"idempotent\":true},\"app.stays\"]}";
    char token[64], resume[128];
    bool resumed = true;
    uint64_t before = metric("weft_provide_failovers_total");
    struct test_ws *away = open_session("", token, &resumed);
    (void)test_ws_result(away, "rpc.provide", offer);
    struct test_ws *ws = caller(0);
    rpc_send(ws, 1, "app.moves", "[1]", "");
    (void)next_data_call(away, "app.moves");
    rpc_send(ws, 2, "app.stays", "[2]", "");
    char id[32];
    struct weft_slice raw = weft__json_raw(weft__json_get(next_data_call(away, "app.stays"), "id"));
    snprintf(id, sizeof(id), "%.*s", (int)raw.len, (const char *)raw.ptr);
    struct test_ws *other = provide(1, offer);
    test_ws_cut(away);
    answer(other, next_call(other, "app.moves"), "\"result\":10");
    assert_int_equal(rpc_next_number(ws, 1), 10);
    assert_int_equal(metric("weft_provide_failovers_total"), before + 1);
    /* It comes back, is told that one call is not wanted any more, and answers the other one. */
    snprintf(resume, sizeof(resume), ",\"resume\":{\"token\":\"%s\",\"seen\":3}", token);
    away = open_session(resume, token, &resumed);
    assert_true(resumed);
    (void)next_data_call(away, "$/cancel");
    char text[100];
    snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":20}", id);
    test_ws_send(away, text);
    assert_int_equal(rpc_next_number(ws, 2), 20);
    test_ws_close(ws);
    test_ws_close(other);
    test_ws_close(away);
}

static void a_provider_that_does_not_come_back_is_lost(void **state)
{
    (void)state;
    char token[64];
    bool resumed;
    struct weft_server_options options;
    struct test_in_process *before = world;
    test_in_process_options(&options);
    options.sessions.resume_ms = 100;
    world = test_in_process_start(&options);
    struct test_ws *worker = open_session("", token, &resumed);
    (void)test_ws_result(worker, "rpc.provide", "{\"methods\":[\"app.resumed\"]}");
    struct test_ws *ws = caller(1);
    rpc_send(ws, 1, "app.resumed", "[]", "");
    (void)next_data_call(worker, "app.resumed");
    test_ws_cut(worker);
    assert_true(said(rpc_next_error(ws, 1, "unavailable", "weft.provide.lost"), "unknown"));
    await_metric("weft_providers", 0);
    test_ws_close(ws);
    test_in_process_free(world);
    world = before;
}

/* ---- idempotency keys ---- */

/* The connection of the caller is lost while a provider works. The call is executed once, and the
 * caller gets its answer all the same. */
static void a_repeat_with_a_key_gets_what_was_done_meanwhile(void **state)
{
    (void)state;
    static const char meta[] = "\"idem\":\"0190b6e8-pay\"";
    struct test_ws *worker = provide(0, "{\"methods\":[{\"name\":\"app.pay\"}]}");
    struct test_ws *ws = caller(1);
    rpc_send(ws, 1, "app.pay", "[100]", meta);
    const struct weft_json *call = next_call(worker, "app.pay");
    test_ws_cut(ws);
    for (unsigned from = 0; from < 2; from++) {
        ws = caller(from);
        if (from == 0) {
            rpc_send(ws, 1, "app.pay", "[100]", meta);
            (void)rpc_next_error(ws, 1, "aborted", "weft.idem.in_progress");
            answer(worker, call, "\"result\":1");
            await_metric("weft_idem_running", 0);
        }
        rpc_send(ws, 2, "app.pay", "[100]", meta);
        assert_int_equal(rpc_next_number(ws, 2), 1);
        test_ws_close(ws);
    }
    assert_int_equal(metric("weft_provide_forwarded_total{method=\"app.pay\"}"), 1);
    test_ws_close(worker);
}

enum { PAYMENTS = 40, PAY_WORKERS = 2 };

static struct {
    struct test_ws *workers[PAY_WORKERS];
    int executed[PAYMENTS];
    int total;
} pay;

/* Lets the providers do what they have been given: each payment gets a number. */
static void do_payments(int wait_ms)
{
    for (int w = 0; w < PAY_WORKERS; w++)
        for (const char *text; (text = test_ws_recv(pay.workers[w], wait_ms)) != NULL;) {
            const struct weft_json *call = test_ws_parse(pay.workers[w], text);
            int64_t payment = -1;
            char member[32];
            assert_true(weft__json_i64(weft__json_at(weft__json_get(call, "params"), 0), &payment));
            ++pay.executed[payment];
            snprintf(member, sizeof(member), "\"result\":%d", ++pay.total);
            answer(pay.workers[w], call, member);
        }
}

/* The result of |payment|, asked for on any connection until there is one; some are cut. */
static int64_t pay_once(struct test_random *rng, int payment)
{
    enum { TURNS = 3000 /* of some milliseconds, on a busy machine */ };
    char meta[48], params[16];
    int64_t result = 0;
    snprintf(meta, sizeof(meta), "\"idem\":\"payment-%d\"", payment);
    snprintf(params, sizeof(params), "[%d]", payment);
    for (int id = 1; result == 0 && id < RPC_TRIES; id++) {
        struct test_ws *ws = caller((unsigned)test_random_below(rng, 2));
        rpc_send(ws, id, "app.exact", params, meta);
        if (test_random_one_in(rng, 2))
            do_payments((int)test_random_below(rng, 3));
        if (test_random_one_in(rng, 2)) {
            test_ws_cut(ws);
            continue;
        }
        const char *text = NULL;
        for (int i = 0; i < TURNS && !text; i++) {
            do_payments(1);
            text = test_ws_recv(ws, 1);
        }
        assert_non_null(text);
        const struct weft_json *got = test_ws_parse(ws, text);
        const struct weft_json *data = weft__json_get(weft__json_get(got, "error"), "data");
        if (data)
            assert_true(
                weft__json_string_is(weft__json_get(data, "reason"), "weft.idem.in_progress"));
        else
            assert_true(weft__json_i64(weft__json_get(got, "result"), &result));
        test_ws_close(ws);
    }
    assert_true(result > 0);
    return result;
}

/* Callers lose their connections at random and ask again: whatever happens, each payment is made
 * once, and everybody is told the same. */
static void whoever_is_cut_off_each_keyed_call_is_executed_once(void **state)
{
    (void)state;
    struct test_random rng;
    int64_t results[PAYMENTS];
    test_random_init(&rng, "payments");
    for (unsigned w = 0; w < PAY_WORKERS; w++)
        pay.workers[w] = provide(w, "{\"methods\":[\"app.exact\"]}");
    for (int i = 0; i < PAYMENTS; i++)
        results[i] = pay_once(&rng, i);
    for (int i = 0; i < PAYMENTS; i++) {
        assert_int_equal(pay_once(&rng, i), results[i]);
        assert_int_equal(pay.executed[i], 1);
    }
    for (unsigned w = 0; w < PAY_WORKERS; w++)
        test_ws_close(pay.workers[w]);
}

/* ---- permission ---- */

static void expect_refused(struct test_ws *ws, const char *params, const char *code)
{
    assert_string_equal(test_ws_error(ws, "rpc.provide", params), code);
}

static void only_names_that_are_free_may_be_provided(void **state)
{
    (void)state;
    struct test_ws *ws = caller(0);
    expect_refused(ws, NULL, "invalid_argument");
    expect_refused(ws, "{\"methods\":[]}", "invalid_argument");
    expect_refused(ws, "{\"methods\":[7]}", "invalid_argument");
    expect_refused(ws, "{\"methods\":[{\"name\":\"a b\"}]}", "invalid_argument");
    expect_refused(ws, "{\"methods\":[{\"name\":\"rpc.mine\"}]}", "invalid_argument");
    expect_refused(ws, "{\"methods\":[{\"name\":\"$/hello\"}]}", "invalid_argument");
    expect_refused(ws, "{\"methods\":[{\"name\":\"demo.echo\"}]}", "permission_denied");
    expect_refused(ws, "{\"methods\":[{\"name\":\"doc.open\"}]}", "permission_denied");
    expect_refused(ws, "{\"methods\":[\"app.ok\",{\"name\":\"doc.open\"}]}", "permission_denied");
    expect_refused(ws, "{\"methods\":[{\"name\":\"a\",\"idempotent\":1}]}", "invalid_argument");
    expect_refused(ws, "{\"methods\":[\"app.ok\"],\"capacity\":0}", "invalid_argument");
    expect_refused(ws, "{\"methods\":[{\"name\":\"app.s\",\"stream\":\"server\"}]}",
                   "unimplemented");
    assert_string_equal(test_ws_error(ws, "app.ok", NULL), "unimplemented");
    test_ws_close(ws);
    ws = test_ws_connect(world->url, NULL);
    expect_refused(ws, "{\"methods\":[\"app.ok\"]}", "failed_precondition");
    test_ws_close(ws);
}

/* Sends |body| to |path|; the answer must have |part|. */
static void expect_post(const char *path, const char *body, const char *part)
{
    char *text = rpc_post(world->url, path, "", body);
    if (!strstr(text, part))
        fail_msg("no %s in %s", part, text);
    free(text);
}

/* Nobody could call it there. */
static void nothing_is_provided_over_plain_http(void **state)
{
    (void)state;
    expect_post("/rpc/rpc.provide", "{\"methods\":[\"app.http\"]}", "unimplemented");
    expect_post("/rpc",
                "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"rpc.provide\","
                "\"params\":{\"methods\":[\"app.http\"]}}",
                "weft.provide.connection");
    expect_post("/rpc/app.http", "{}", "unimplemented");
}

static void a_setting_says_which_names(void **state)
{
    (void)state;
    static const char *const prefixes[] = {"jobs.", NULL};
    struct weft_server_options options;
    struct test_in_process *before = world;
    for (int some = 0; some < 2; some++) {
        test_in_process_options(&options);
        options.development = 0;
        options.rpc.provide = some ? prefixes : NULL;
        world = test_in_process_start(&options);
        struct test_ws *ws = caller(0);
        expect_refused(ws, "{\"methods\":[\"other.a\"]}", "permission_denied");
        expect_refused(ws, "{\"methods\":[\"jobs.\"]}", "permission_denied");
        if (some) {
            /* Somebody will provide it: to be tried again. */
            rpc_send(ws, 50, "jobs.a", "[]", "");
            (void)rpc_next_error(ws, 50, "unavailable", "weft.provide.nobody");
            (void)test_ws_result(ws, "rpc.provide", "{\"methods\":[\"jobs.a\"]}");
        } else {
            expect_refused(ws, "{\"methods\":[\"jobs.a\"]}", "permission_denied");
            assert_string_equal(test_ws_error(ws, "jobs.a", NULL), "unimplemented");
        }
        test_ws_close(ws);
        test_in_process_free(world);
    }
    world = before;
}

/* ---- load, and the end ---- */

static void under_load_every_call_is_answered_once_though_a_provider_dies(void **state)
{
    (void)state;
    enum { WORKERS = 4, CALLERS = 4, CALLS = 250 };
    static const char params[] = "{\"methods\":[{\"name\":\"app.load\",\"idempotent\":true}]}";
    struct test_ws *workers[WORKERS];
    struct test_ws *callers[CALLERS];
    char own[32];
    int done = 0;
    for (unsigned w = 0; w < WORKERS; w++)
        workers[w] = provide(w % 2, params);
    for (unsigned c = 0; c < CALLERS; c++)
        callers[c] = caller(c % 2);
    for (int i = 0; i < CALLS; i++)
        for (int c = 0; c < CALLERS; c++) {
            snprintf(own, sizeof(own), "[%d]", c * 1000 + i);
            rpc_send(callers[c], i, "app.load", own, "");
        }
    for (int i = 0; i < 20; i++)
        (void)next_call(workers[0], "app.load");
    test_ws_cut(workers[0]);
    while (done < CALLERS * CALLS)
        for (unsigned w = 1; w < WORKERS; w++)
            done += work(workers[w]);
    assert_int_equal(done, CALLERS * CALLS);
    for (int c = 0; c < CALLERS; c++) {
        bool seen[CALLS] = {false};
        for (int i = 0; i < CALLS; i++) {
            int64_t id = -1, result = -1;
            const struct weft_json *got = test_ws_next(callers[c]);
            assert_true(weft__json_i64(weft__json_get(got, "id"), &id));
            assert_true(weft__json_i64(weft__json_get(got, "result"), &result));
            assert_true(id >= 0 && id < CALLS && !seen[id]);
            seen[id] = true;
            assert_int_equal(result, c * 1000 + id);
        }
        assert_null(test_ws_recv(callers[c], 0));
        test_ws_close(callers[c]);
    }
    for (unsigned w = 1; w < WORKERS; w++)
        test_ws_close(workers[w]);
    await_metric("weft_provide_in_flight", 0);
    await_metric("weft_providers", 0);
}

/* The next message that is no `$/goaway`. */
static const struct weft_json *next_but_goaway(struct test_ws *ws)
{
    const struct weft_json *message = test_ws_next(ws);
    while (weft__json_string_is(weft__json_get(message, "method"), "$/goaway"))
        message = test_ws_next(ws);
    return message;
}

static void a_server_that_stops_lets_providers_finish(void **state)
{
    (void)state;
    enum { WORK_US = 400000 /* a connection without work would be closed before */ };
    struct weft_server_options options;
    struct test_in_process *before = world;
    test_in_process_options(&options);
    world = test_in_process_start(&options);
    struct test_ws *worker = provide(0, "{\"methods\":[{\"name\":\"app.finish\"}]}");
    struct test_ws *ws = caller(1);
    rpc_send(ws, 1, "app.finish", "[]", "");
    const struct weft_json *call = next_call(worker, "app.finish");
    test_in_process_stop_begin(world);
    (void)usleep(WORK_US);
    answer(worker, call, "\"result\":1");
    int64_t result = 0;
    assert_true(weft__json_i64(weft__json_get(next_but_goaway(ws), "result"), &result));
    assert_int_equal(result, 1);
    assert_int_equal(test_ws_wait_closed(worker, 10000), 1001);
    assert_int_equal(test_ws_wait_closed(ws, 10000), 1001);
    test_ws_close(ws);
    test_ws_close(worker);
    test_in_process_free(world);
    world = before;
}

static void a_server_that_stops_ends_calls_that_are_with_providers(void **state)
{
    (void)state;
    struct weft_server_options options;
    struct test_in_process *before = world;
    test_in_process_options(&options);
    options.operations.drain_ms = 50;
    world = test_in_process_start(&options);
    struct test_ws *worker = provide(0, "{\"methods\":[{\"name\":\"app.stop\"}]}");
    struct test_ws *callers[2] = {caller(0), caller(1)};
    for (int c = 0; c < 2; c++) {
        rpc_send(callers[c], 1, "app.stop", "[]", c ? "\"idem\":\"stop-1\"" : "");
        (void)next_call(worker, "app.stop");
    }
    test_in_process_stop_begin(world);
    for (int c = 0; c < 2; c++) {
        const char *text;
        while ((text = test_ws_recv(callers[c], 10000)) && strstr(text, "$/goaway"))
            ;
        assert_non_null(text);
        assert_non_null(strstr(text, "\"executed\":\"unknown\""));
    }
    (void)test_ws_wait_closed(worker, 10000);
    test_in_process_stop_wait(world);
    for (int c = 0; c < 2; c++)
        test_ws_close(callers[c]);
    test_ws_close(worker);
    test_in_process_free(world);
    world = before;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_reaches_its_provider_and_the_answer_the_caller),
        cmocka_unit_test(calls_without_parameters_or_deadline_have_none_there),
        cmocka_unit_test(errors_are_passed_on_unchanged),
        cmocka_unit_test(calls_are_spread_evenly),
        cmocka_unit_test(more_calls_than_capacity_are_refused),
        cmocka_unit_test(a_cancellation_is_passed_on),
        cmocka_unit_test(a_deadline_ends_the_call_on_both_sides),
        cmocka_unit_test(a_caller_that_leaves_is_not_worked_for),
        cmocka_unit_test(what_is_provided_is_discovered),
        cmocka_unit_test(a_provider_may_call_what_it_provides),
        cmocka_unit_test(an_idempotent_call_fails_over_exactly_once),
        cmocka_unit_test(another_call_fails_and_says_that_it_may_have_been_executed),
        cmocka_unit_test(a_call_with_a_key_fails_over_with_it),
        cmocka_unit_test(a_call_does_not_fail_over_for_ever),
        cmocka_unit_test(without_a_provider_calls_are_unavailable),
        cmocka_unit_test(a_refused_offer_does_not_end_what_runs),
        cmocka_unit_test(a_provider_that_resumes_keeps_its_calls),
        cmocka_unit_test(harmless_calls_do_not_wait_for_a_provider_that_is_away),
        cmocka_unit_test(a_provider_that_does_not_come_back_is_lost),
        cmocka_unit_test(a_repeat_with_a_key_gets_what_was_done_meanwhile),
        cmocka_unit_test(whoever_is_cut_off_each_keyed_call_is_executed_once),
        cmocka_unit_test(only_names_that_are_free_may_be_provided),
        cmocka_unit_test(nothing_is_provided_over_plain_http),
        cmocka_unit_test(a_setting_says_which_names),
        cmocka_unit_test(under_load_every_call_is_answered_once_though_a_provider_dies),
        cmocka_unit_test(a_server_that_stops_lets_providers_finish),
        cmocka_unit_test(a_server_that_stops_ends_calls_that_are_with_providers),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
