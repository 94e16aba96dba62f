/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions over real connections that are cut, as a client written by hand keeps them
 * (docs/protocol/sessions.md). */
#include "lib/server_process.h"
#include "lib/test.h"

#include <time.h>

enum { WAIT_MS = 5000 };

struct client {
    struct test_ws *ws;
    char token[64];
    uint64_t seen; /* last number that came */
    uint64_t sent; /* last number given */
    unsigned worker;
};

static void pause_ms(long ms)
{
    const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

/* The answer to hello; remembers its token. */
static const struct weft_json *greet(struct client *client, const char *resume)
{
    char text[400];
    snprintf(text, sizeof(text),
             "{\"jsonrpc\":\"2.0\",\"id\":\"h\",\"method\":\"$/hello\",\"params\":{\"v\":[1,1],"
             "\"features\":[\"resume\"]%s}}",
             resume);
    test_ws_send(client->ws, text);
    const struct weft_json *message = test_ws_next(client->ws);
    assert_true(weft__json_string_is(weft__json_get(message, "id"), "h"));
    assert_null(weft__json_get(message, "seq"));
    const struct weft_json *result = weft__json_get(message, "result");
    assert_non_null(result);
    struct weft_slice token = weft__json_string(weft__json_get(result, "resume_token"));
    assert_true(token.len < sizeof(client->token));
    memset(client->token, 0, sizeof(client->token));
    weft__mem_copy(client->token, token.ptr, token.len);
    struct weft_slice name = weft__json_string(weft__json_get(result, "session"));
    assert_true(name.len > 2);
    client->worker = (unsigned)strtoul((const char *)name.ptr + 2, NULL, 10);
    return result;
}

static struct client open_session(const struct test_server *server)
{
    struct client client = {.ws = test_ws_connect(server->url, "weft.v1.json")};
    const struct weft_json *welcome = greet(&client, "");
    bool resumed = true;
    assert_true(weft__json_bool(weft__json_get(welcome, "resumed"), &resumed) && !resumed);
    assert_int_equal(strlen(client.token), 51);
    return client;
}

/* Connects anew and asks for the session that |token| names; the result of hello. */
static const struct weft_json *come_back(struct client *client, const struct test_server *server,
                                         const char *token)
{
    char resume[160];
    client->ws = test_ws_connect(server->url, "weft.v1.json");
    snprintf(resume, sizeof(resume), ",\"resume\":{\"token\":\"%s\",\"seen\":%llu}", token,
             (unsigned long long)client->seen);
    return greet(client, resume);
}

/* Cuts and resumes, which must go well; returns what the server has seen. */
static uint64_t cut_and_resume(struct client *client, const struct test_server *server)
{
    uint64_t seen;
    bool resumed = false;
    char token[64];
    memcpy(token, client->token, sizeof(token));
    test_ws_cut(client->ws);
    const struct weft_json *welcome = come_back(client, server, token);
    assert_true(weft__json_bool(weft__json_get(welcome, "resumed"), &resumed) && resumed);
    assert_true(weft__json_u53(weft__json_get(welcome, "seen"), &seen));
    assert_string_not_equal(client->token, token);
    return seen;
}

static void expect_refusal(struct client *client, const struct test_server *server,
                           const char *token, const char *reason)
{
    const struct weft_json *welcome = come_back(client, server, token);
    bool resumed = true;
    assert_true(weft__json_bool(weft__json_get(welcome, "resumed"), &resumed) && !resumed);
    if (!weft__json_string_is(weft__json_get(welcome, "reason"), reason))
        fail_msg("not refused as %s", reason);
    assert_int_equal(strlen(client->token), 51);
}

static void call(struct client *client, const char *id, const char *method, const char *params)
{
    char text[300];
    snprintf(text, sizeof(text),
             "{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"%s\",\"params\":%s,\"seq\":%llu}", id,
             method, params, (unsigned long long)++client->sent);
    test_ws_send(client->ws, text);
}

/* The next message that is data; others (acknowledgements) are passed over. */
static const struct weft_json *next_data(struct client *client)
{
    uint64_t seq;
    const struct weft_json *message;
    do {
        const char *text = test_ws_recv(client->ws, WAIT_MS);
        assert_non_null(text);
        message = test_ws_parse(client->ws, text);
    } while (!weft__json_get(message, "seq"));
    assert_true(weft__json_u53(weft__json_get(message, "seq"), &seq));
    assert_int_equal(seq, client->seen + 1);
    client->seen = seq;
    return message;
}

static void expect_result(struct client *client, const char *id, const char *result)
{
    const struct weft_json *answer = next_data(client);
    assert_true(weft__slice_eq_str(weft__json_raw(weft__json_get(answer, "id")), id));
    assert_true(weft__slice_eq_str(weft__json_raw(weft__json_get(answer, "result")), result));
}

static void acknowledge(struct client *client)
{
    char text[120];
    snprintf(text, sizeof(text),
             "{\"jsonrpc\":\"2.0\",\"method\":\"$/ack\",\"params\":{\"seq\":%llu}}",
             (unsigned long long)client->seen);
    test_ws_send(client->ws, text);
}

/* The number at /metrics, summed over workers. */
static uint64_t metric(const struct test_server *server, const char *name)
{
    char request[160];
    snprintf(request, sizeof(request),
             "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nConnection: close\r\n\r\n",
             server->port);
    char *text = test_http(server->url, request);
    uint64_t sum = 0;
    size_t len = strlen(name);
    for (const char *at = text; (at = strstr(at, name)) != NULL; at += len) {
        const char *value = at[len] == '{' ? strchr(at, '}') : NULL;
        if (value && at > text && at[-1] == '\n')
            sum += strtoull(value + 2, NULL, 10);
    }
    free(text);
    return sum;
}

/* Waits until the number is |wanted|: published once a tick. */
static void expect_metric(const struct test_server *server, const char *name, uint64_t wanted)
{
    uint64_t is = 0;
    for (int i = 0; i < 100; i++) {
        is = metric(server, name);
        if (is == wanted)
            return;
        pause_ms(20);
    }
    fail_msg("%s is %llu, not %llu", name, (unsigned long long)is, (unsigned long long)wanted);
}

/* ---- resuming ---- */

static void an_answer_finds_its_caller_on_the_next_connection(void **state)
{
    (void)state;
    struct client client = open_session(group_server);
    call(&client, "7", "demo.sleep", "[200]");
    call(&client, "8", "sum", "[1,2]");
    expect_result(&client, "8", "3");
    assert_int_equal(cut_and_resume(&client, group_server), 2);
    expect_result(&client, "7", "null");
    test_ws_close(client.ws);
}

static void what_was_not_seen_comes_again(void **state)
{
    (void)state;
    struct client client = open_session(group_server);
    call(&client, "1", "sum", "[1]");
    call(&client, "2", "sum", "[2]");
    expect_result(&client, "1", "1");
    expect_result(&client, "2", "2");
    client.seen = 1; /* as if the second one had been lost */
    cut_and_resume(&client, group_server);
    expect_result(&client, "2", "2");
    /* A call that comes again is not made again. */
    client.sent = 1;
    call(&client, "2", "sum", "[2]");
    call(&client, "3", "sum", "[3]");
    expect_result(&client, "3", "3");
    assert_true(metric(group_server, "weft_session_duplicates_total") >= 1);
    test_ws_close(client.ws);
}

static void streams_go_on_over_many_connections(void **state)
{
    (void)state;
    struct client client = open_session(group_server);
    call(&client, "\"c\"", "demo.count", "[300]");
    for (int64_t i = 1; i <= 300; i++) {
        char credit[160];
        int64_t value;
        const struct weft_json *message = next_data(&client);
        const struct weft_json *params = weft__json_get(message, "params");
        assert_true(weft__json_i64(weft__json_get(params, "value"), &value));
        assert_int_equal(value, i);
        if (i % 13 == 0)
            cut_and_resume(&client, group_server);
        snprintf(credit, sizeof(credit),
                 "{\"jsonrpc\":\"2.0\",\"method\":\"$/credit\",\"params\":{\"id\":\"c\","
                 "\"items_total\":%lld,\"bytes_total\":1000000}}",
                 (long long)i + 16);
        test_ws_send(client.ws, credit);
    }
    expect_result(&client, "\"c\"", "300");
    test_ws_close(client.ws);
}

static void the_old_token_is_good_until_the_new_one_arrived(void **state)
{
    (void)state;
    struct client client = open_session(group_server);
    char first[64];
    char second[64];
    memcpy(first, client.token, sizeof(first));
    cut_and_resume(&client, group_server);
    memcpy(second, client.token, sizeof(second));
    /* The answer with the second one never arrived, as far as the server knows. */
    test_ws_cut(client.ws);
    memcpy(client.token, first, sizeof(first));
    client.ws = test_ws_connect(group_server->url, NULL);
    cut_and_resume(&client, group_server);
    /* A numbered frame proves that it has. */
    call(&client, "1", "sum", "[1]");
    expect_result(&client, "1", "1");
    test_ws_cut(client.ws);
    expect_refusal(&client, group_server, first, "fenced");
    test_ws_close(client.ws);
}

static void a_new_connection_fences_the_old_one(void **state)
{
    (void)state;
    struct client client = open_session(group_server);
    struct client other = client;
    call(&client, "1", "demo.sleep", "[300]");
    other.sent = client.sent;
    bool resumed = false;
    const struct weft_json *welcome = come_back(&other, group_server, client.token);
    assert_true(weft__json_bool(weft__json_get(welcome, "resumed"), &resumed) && resumed);
    assert_int_equal(test_ws_wait_closed(client.ws, WAIT_MS), 4001);
    expect_result(&other, "1", "null");
    test_ws_close(other.ws);
    test_ws_close(client.ws);
}

/* ---- not resuming ---- */

static void why_a_session_is_not_resumed_is_said(void **state)
{
    (void)state;
    struct test_server *server = test_server_new(NULL);
    struct client client = open_session(server);
    char token[64];
    memcpy(token, client.token, sizeof(token));
    test_ws_close(client.ws); /* with good-bye */
    expect_metric(server, "weft_sessions", 0);
    expect_refusal(&client, server, token, "expired");
    test_ws_cut(client.ws);
    token[20] = token[20] == 'A' ? 'B' : 'A';
    expect_refusal(&client, server, token, "unknown");
    client.seen = 5; /* never sent */
    memcpy(token, client.token, sizeof(token));
    test_ws_cut(client.ws);
    expect_refusal(&client, server, token, "unknown");
    test_ws_close(client.ws);
    test_server_free(server);
}

static void violations_end_the_session(void **state)
{
    (void)state;
    struct client client = open_session(group_server);
    char token[64];
    memcpy(token, client.token, sizeof(token));
    client.sent = 5;
    call(&client, "1", "sum", "[1]");
    assert_int_equal(test_ws_wait_closed(client.ws, WAIT_MS), 1008);
    test_ws_close(client.ws);
    expect_refusal(&client, group_server, token, "expired");
    client.seen = 9;
    acknowledge(&client);
    assert_int_equal(test_ws_wait_closed(client.ws, WAIT_MS), 1008);
    test_ws_close(client.ws);
}

static void without_the_feature_nothing_is_numbered(void **state)
{
    (void)state;
    struct test_ws *ws = test_ws_connect_greeted(group_server->url);
    assert_null(weft__json_get(test_ws_call(ws, "sum", "[1]"), "seq"));
    test_ws_close(ws);
}

/* ---- limits ---- */

static void sessions_wait_for_a_while(void **state)
{
    (void)state;
    static const char *const args[] = {"--resume-window", "150ms", NULL};
    struct test_server *server = test_server_new(args);
    struct client client = open_session(server);
    char token[64];
    memcpy(token, client.token, sizeof(token));
    test_ws_cut(client.ws);
    expect_metric(server, "weft_sessions_expired_total", 1);
    expect_refusal(&client, server, token, "expired");
    test_ws_close(client.ws);
    expect_metric(server, "weft_sessions", 0);
    test_server_free(server);
}

static void sessions_can_be_turned_off(void **state)
{
    (void)state;
    static const char *const args[] = {"--resume-window", "none", NULL};
    struct test_server *server = test_server_new(args);
    struct client client = {.ws = test_ws_connect(server->url, "weft.v1.json")};
    const struct weft_json *welcome = greet(&client, "");
    assert_null(weft__json_get(welcome, "resume_token"));
    assert_null(weft__json_get(test_ws_call(client.ws, "sum", "[1]"), "seq"));
    test_ws_close(client.ws);
    test_server_free(server);
}

static void one_address_may_leave_so_many(void **state)
{
    (void)state;
    static const char *const args[] = {"--max-per-address", "4", "--workers", "1", NULL};
    struct test_server *server = test_server_new(args);
    struct client clients[5];
    for (size_t i = 0; i < WEFT_ARRAY_LEN(clients); i++) {
        clients[i] = open_session(server);
        test_ws_cut(clients[i].ws);
        expect_metric(server, "weft_sessions_waiting", WEFT_MIN(i + 1, (size_t)4));
    }
    char token[64];
    memcpy(token, clients[0].token, sizeof(token));
    expect_refusal(&clients[0], server, token, "expired");
    test_ws_close(clients[0].ws);
    memcpy(token, clients[4].token, sizeof(token));
    const struct weft_json *welcome = come_back(&clients[4], server, token);
    bool resumed = false;
    assert_true(weft__json_bool(weft__json_get(welcome, "resumed"), &resumed) && resumed);
    test_ws_close(clients[4].ws);
    test_server_free(server);
}

static void what_is_kept_is_bounded(void **state)
{
    (void)state;
    static const char *const args[] = {"--replay-bytes", "8KiB", NULL};
    struct test_server *server = test_server_new(args);
    struct client client = open_session(server);
    char token[64];
    memcpy(token, client.token, sizeof(token));
    for (int i = 0; i < 300; i++)
        call(&client, "1", "demo.echo", "[\"0123456789012345678901234567890123456789\"]");
    for (int i = 0; i < 300; i++)
        (void)next_data(&client);
    client.seen = 0;
    test_ws_cut(client.ws);
    expect_refusal(&client, server, token, "overflow");
    test_ws_close(client.ws);
    test_server_free(server);
}

/* ---- acknowledgements ---- */

static void frames_are_acknowledged_after_a_while(void **state)
{
    (void)state;
    struct client client = open_session(group_server);
    call(&client, "1", "sum", "[1]");
    expect_result(&client, "1", "1");
    const char *text = test_ws_recv(client.ws, WAIT_MS);
    assert_non_null(text);
    assert_string_equal(text, "{\"jsonrpc\":\"2.0\",\"method\":\"$/ack\",\"params\":{\"seq\":1}}");
    test_ws_close(client.ws);
}

/* ---- documents ---- */

static void documents_are_opened_again(void **state)
{
    (void)state;
    struct client client = open_session(group_server);
    call(&client, "1", "doc.open", "{\"doc\":\"sessions/a\",\"type\":\"text\",\"create\":true}");
    (void)next_data(&client);
    cut_and_resume(&client, group_server);
    call(&client, "2", "doc.submit",
         "{\"doc\":\"sessions/"
         "a\",\"epoch\":\"x\",\"client\":\"c\",\"seq\":1,\"version\":0,\"op\":[]}");
    assert_non_null(weft__json_get(next_data(&client), "error"));
    call(&client, "3", "doc.open", "{\"doc\":\"sessions/a\",\"type\":\"text\",\"create\":true}");
    assert_non_null(weft__json_get(next_data(&client), "result"));
    test_ws_close(client.ws);
}

/* ---- other workers ---- */

static void any_worker_takes_up_a_session(void **state)
{
    (void)state;
    static const char *const args[] = {"--workers", "4", NULL};
    struct test_server *server = test_server_new(args);
    struct client clients[8];
    bool linked = false;
    for (size_t i = 0; i < WEFT_ARRAY_LEN(clients); i++)
        clients[i] = open_session(server);
    for (int round = 0; round < 12; round++) {
        for (size_t i = 0; i < WEFT_ARRAY_LEN(clients); i++) {
            struct client *client = &clients[i];
            unsigned worker = client->worker;
            call(client, "1", "demo.sleep", "[20]");
            call(client, "2", "sum", "[20,22]");
            expect_result(client, "2", "42");
            cut_and_resume(client, server);
            assert_int_equal(client->worker, worker);
            expect_result(client, "1", "null");
        }
        linked = linked || metric(server, "weft_session_links") > 0;
    }
    assert_true(linked);
    /* Documents, whose frames are shared, also go through. */
    call(&clients[0], "9", "doc.open", "{\"doc\":\"links/a\",\"type\":\"text\",\"create\":true}");
    assert_non_null(weft__json_get(next_data(&clients[0]), "result"));
    for (size_t i = 0; i < WEFT_ARRAY_LEN(clients) / 2; i++)
        test_ws_close(clients[i].ws);
    expect_metric(server, "weft_sessions", WEFT_ARRAY_LEN(clients) / 2);
    test_server_stop(server); /* with the rest connected */
    for (size_t i = WEFT_ARRAY_LEN(clients) / 2; i < WEFT_ARRAY_LEN(clients); i++)
        test_ws_close(clients[i].ws);
    test_server_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_finds_its_caller_on_the_next_connection),
        cmocka_unit_test(what_was_not_seen_comes_again),
        cmocka_unit_test(streams_go_on_over_many_connections),
        cmocka_unit_test(the_old_token_is_good_until_the_new_one_arrived),
        cmocka_unit_test(a_new_connection_fences_the_old_one),
        cmocka_unit_test(why_a_session_is_not_resumed_is_said),
        cmocka_unit_test(violations_end_the_session),
        cmocka_unit_test(without_the_feature_nothing_is_numbered),
        cmocka_unit_test(sessions_wait_for_a_while),
        cmocka_unit_test(sessions_can_be_turned_off),
        cmocka_unit_test(one_address_may_leave_so_many),
        cmocka_unit_test(what_is_kept_is_bounded),
        cmocka_unit_test(frames_are_acknowledged_after_a_while),
        cmocka_unit_test(documents_are_opened_again),
        cmocka_unit_test(any_worker_takes_up_a_session),
    };
    return cmocka_run_group_tests(tests, test_server_group_start, test_server_group_stop);
}
