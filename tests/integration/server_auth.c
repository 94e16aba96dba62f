/* SPDX-License-Identifier: Apache-2.0 */
/* Signing in over real connections: requests, greetings, refreshing, expiry, whose things are whose
 * (docs/protocol/auth.md). */
#include "rpc_support.h"

#include "lib/http_client.h"

#include <stdatomic.h>

enum { WAIT_MS = 5000 };

static struct test_in_process *world;
static atomic_bool guests, unable;

/* Tokens are "subject@tenant", "subject@tenant:milliseconds" for those that end; "!" is refused. */
static int authenticate(void *ctx, const char *token, struct weft_identity *ret_identity)
{
    (void)ctx;
    if (atomic_load(&unable))
        return WEFT_ERR_UNAVAILABLE;
    if (!token && atomic_load(&guests))
        token = "guest@acme";
    if (!token || token[0] == '!')
        return WEFT_ERR_DENIED;
    const char *at = strchr(token, '@');
    const char *colon = strchr(token, ':');
    if (!at)
        return WEFT_ERR_DENIED;
    size_t end = colon ? (size_t)(colon - at) : strlen(at);
    memcpy(ret_identity->subject, token, (size_t)(at - token));
    memcpy(ret_identity->tenant, at + 1, end - 1);
    ret_identity->expires_in_ms = colon ? strtoull(colon + 1, NULL, 10) : 0;
    return 0;
}

static void serve_who(struct weft_call *call, void *ctx)
{
    char text[400];
    (void)ctx;
    snprintf(text, sizeof(text), "\"%s@%s\"", weft_call_subject(call), weft_call_tenant(call));
    assert_ok(weft_call_finish(call, text));
}

static atomic_int counter;

static void serve_count(struct weft_call *call, void *ctx)
{
    char text[32];
    (void)ctx;
    snprintf(text, sizeof(text), "%d", atomic_fetch_add(&counter, 1) + 1);
    assert_ok(weft_call_finish(call, text));
}

static _Atomic(struct weft_call *) kept;

static void serve_keep(struct weft_call *call, void *ctx)
{
    (void)ctx;
    atomic_store(&kept, weft_call_keep(call));
}

static int setup(void **state)
{
    static const struct weft_method methods[] = {
        {.name = "test.keep", .handler = serve_keep},
        {.name = "test.who", .handler = serve_who},
        {.name = "test.who_blocking", .handler = serve_who, .flags = WEFT_METHOD_BLOCKING},
        {.name = "test.count", .handler = serve_count},
    };
    struct weft_server_options options;
    (void)state;
    test_in_process_options(&options);
    options.authenticate = authenticate;
    options.sessions.per_principal = 4;
    options.methods = methods;
    options.method_count = WEFT_ARRAY_LEN(methods);
    atomic_store(&guests, false);
    atomic_store(&unable, false);
    atomic_store(&counter, 0);
    world = test_in_process_start(&options);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    test_in_process_free(world);
    return 0;
}

/* ---- helpers ---- */

/* Greets with |token| and the further members |more| (",…"); the whole answer. */
static const struct weft_json *hello(struct test_ws *ws, const char *token, const char *more)
{
    char params[600];
    int len = snprintf(params, sizeof(params),
                       "{\"v\":[1,1],\"features\":[\"resume\"],\"token\":\"%s\"%s}", token, more);
    assert_true(len > 0 && len < (int)sizeof(params));
    return test_ws_call(ws, "$/hello", params);
}

static struct test_ws *sign_in(const char *token)
{
    struct test_ws *ws = test_ws_connect(world->url, "weft.v1.json");
    assert_non_null(weft__json_get(hello(ws, token, ""), "result"));
    return ws;
}

static void expect_text(const struct weft_json *value, const char *want)
{
    if (!weft__json_string_is(value, want))
        fail_msg("%.*s, not %s", (int)weft__json_raw(value).len,
                 (const char *)weft__json_raw(value).ptr, want);
}

static void expect_reason(const struct weft_json *answer, const char *reason)
{
    const struct weft_json *error = weft__json_get(answer, "error");
    expect_text(weft__json_get(weft__json_get(error, "data"), "reason"), reason);
}

/* A counter of all workers. */
static uint64_t total(const char *name)
{
    char want[96];
    uint64_t sum = 0;
    char *text = test_http(world->url, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n"
                                       "Connection: close\r\n\r\n");
    snprintf(want, sizeof(want), "\n%s{worker=", name);
    const char *at = strstr(text, want);
    assert_non_null(at);
    for (; at; at = strstr(at + 1, want))
        sum += strtoull(strchr(at, '}') + 1, NULL, 10);
    free(text);
    return sum;
}

static void expect_post(const char *path, const char *headers, int status, const char *body)
{
    struct test_http_client *http = test_http_open(world->url);
    test_http_post(http, path, headers, "[]");
    assert_int_equal(test_http_answer(http), status);
    if (!strstr(test_http_body(http), body))
        fail_msg("%s", test_http_body(http));
    if (status == 401)
        assert_string_equal(test_http_header(http, "WWW-Authenticate"), "Bearer");
    test_http_close(http);
}

/* A connection to worker 0 that was signed in, and in |ret_resume| how its session is resumed. */
static struct test_ws *sign_in_at_zero(const char *token, char ret_resume[200])
{
    for (int i = 0; i < RPC_TRIES; i++) {
        struct test_ws *ws = test_ws_connect(world->url, "weft.v1.json");
        const struct weft_json *welcome = weft__json_get(hello(ws, token, ""), "result");
        struct weft_slice name = weft__json_string(weft__json_get(welcome, "session"));
        struct weft_slice resume = weft__json_string(weft__json_get(welcome, "resume_token"));
        snprintf(ret_resume, 200, ",\"resume\":{\"token\":\"%.*s\",\"seen\":0}", (int)resume.len,
                 (const char *)resume.ptr);
        if (name.len > 2 && name.ptr[2] == '0')
            return ws;
        test_ws_close(ws);
    }
    fail_msg("no connection to worker 0");
    return NULL;
}

/* ---- requests ---- */

static void requests_carry_bearer_tokens(void **state)
{
    (void)state;
    expect_post("/rpc/test.who", "", 401, "weft.auth.required");
    expect_post("/rpc/test.who", "Authorization: Basic YTpi\r\n", 401, "weft.auth.required");
    expect_post("/rpc/test.who", "Authorization: Bearer !\r\n", 401, "weft.auth.refused");
    expect_post("/rpc/test.who", "Authorization: Bearer \r\n", 401, "weft.auth");
    expect_post("/rpc/test.who", "Authorization: Bearer a@b\r\nAuthorization: Bearer a@b\r\n", 401,
                "weft.auth.refused");
    expect_post("/rpc/test.who", "Authorization: bearer ann@acme\r\n", 200, "\"ann@acme\"");
    expect_post("/rpc/test.who_blocking", "Authorization: Bearer ann@acme\r\n", 200,
                "\"ann@acme\"");
    expect_post("/rpc/rpc.discover", "", 401, "weft.auth.required");
    assert_int_equal(total("weft_auth_refused_total"), 1);
}

static void each_request_of_a_connection_is_somebodys_own(void **state)
{
    static const char *const who[] = {"ann@acme", "bob@acme", "ann@other", "ann@acme"};
    char header[64], want[32];
    (void)state;
    struct test_http_client *http = test_http_open(world->url);
    for (size_t i = 0; i < WEFT_ARRAY_LEN(who); i++) {
        snprintf(header, sizeof(header), "Authorization: Bearer %s\r\n", who[i]);
        snprintf(want, sizeof(want), "\"%s\"", who[i]);
        test_http_post(http, "/rpc/test.who", header, "[]");
        assert_int_equal(test_http_answer(http), 200);
        assert_string_equal(test_http_body(http), want);
        /* No body: with one that is not read the connection would end. */
        assert_true(
            test_http_print(http, "GET /sse/demo.tick HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        assert_int_equal(test_http_answer(http), 401);
    }
    test_http_close(http);
}

static void judge_that_cannot_tell_answers_503(void **state)
{
    (void)state;
    atomic_store(&unable, true);
    expect_post("/rpc/test.who", "Authorization: Bearer ann@acme\r\n", 503,
                "weft.auth.unavailable");
    assert_int_equal(test_ws_try(world->url, "Authorization: Bearer ann@acme\r\n"), 503);
}

static void probes_need_no_token(void **state)
{
    (void)state;
    char *text = test_http(world->url, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
                                       "Connection: close\r\n\r\n");
    assert_non_null(strstr(text, " 200 "));
    free(text);
}

static void upgrade_may_carry_the_token(void **state)
{
    (void)state;
    assert_int_equal(test_ws_try(world->url, "Authorization: Bearer !\r\n"), 401);
    assert_int_equal(test_ws_try(world->url, "Authorization: Bearer ann@acme\r\n"), 101);
    assert_int_equal(test_ws_try(world->url, ""), 101); /* the greeting may bring it */
}

/* ---- greetings ---- */

static void nobody_calls_before_signing_in(void **state)
{
    (void)state;
    struct test_ws *ws = test_ws_connect(world->url, NULL);
    expect_reason(test_ws_call(ws, "test.who", "[]"), "weft.auth.required");
    expect_reason(test_ws_call(ws, "doc.open", "{\"doc\":\"a\",\"create\":true}"),
                  "weft.auth.required");
    expect_reason(test_ws_call(ws, "$/hello", "{\"v\":[1,1]}"), "weft.auth.required");
    expect_reason(hello(ws, "!", ""), "weft.auth.refused");
    const struct weft_json *auth =
        weft__json_get(weft__json_get(hello(ws, "ann@acme", ""), "result"), "auth");
    expect_text(weft__json_get(auth, "sub"), "ann");
    assert_null(weft__json_get(auth, "expires_in_ms"));
    expect_text(test_ws_result(ws, "test.who", "[]"), "ann@acme");
    test_ws_close(ws);
}

static void guests_are_let_in_where_that_is_wanted(void **state)
{
    (void)state;
    atomic_store(&guests, true);
    struct test_ws *ws = test_ws_connect(world->url, NULL);
    expect_text(test_ws_result(ws, "test.who", "[]"), "guest@acme");
    /* A connection stays with its principal, also with a guest. */
    expect_reason(hello(ws, "ann@acme", ""), "weft.auth.principal");
    test_ws_close(ws);
}

static void guest_who_has_done_nothing_may_sign_in(void **state)
{
    (void)state;
    atomic_store(&guests, true);
    /* A browser cannot set a header: its greeting is the first that tells. */
    struct test_ws *ws = sign_in("ann@other");
    expect_text(test_ws_result(ws, "test.who", "[]"), "ann@other");
    struct test_ws *neighbour = sign_in("guest@acme");
    (void)test_ws_result(ws, "doc.open", "{\"doc\":\"mine\",\"create\":true,\"client\":\"a\"}");
    assert_string_equal(test_ws_error(neighbour, "doc.open", "{\"doc\":\"mine\",\"client\":\"b\"}"),
                        "not_found");
    test_ws_close(neighbour);
    test_ws_close(ws);

    ws = test_ws_connect(world->url, NULL);
    (void)test_ws_result(ws, "$/auth.refresh", "{\"token\":\"bob@acme\"}");
    expect_reason(test_ws_call(ws, "$/auth.refresh", "{\"token\":\"ann@acme\"}"),
                  "weft.auth.principal");
    expect_text(test_ws_result(ws, "test.who", "[]"), "bob@acme");
    test_ws_close(ws);

    /* Whoever greeted as a guest is one. */
    ws = test_ws_connect(world->url, NULL);
    (void)test_ws_result(ws, "$/hello", "{\"v\":[1,1]}");
    expect_reason(test_ws_call(ws, "$/auth.refresh", "{\"token\":\"ann@acme\"}"),
                  "weft.auth.principal");
    test_ws_close(ws);
}

static void strangers_do_not_learn_which_methods_there_are(void **state)
{
    (void)state;
    expect_post("/rpc/test.nothing", "", 401, "weft.auth.required");
    expect_post("/sse/test.nothing", "", 401, "weft.auth.required");
    expect_post("/sse/demo.tick", "", 401, "weft.auth.required");
    struct test_ws *ws = test_ws_connect(world->url, NULL);
    expect_reason(test_ws_call(ws, "test.nothing", "[]"), "weft.auth.required");
    expect_reason(test_ws_call(ws, "demo.tick", "[]"), "weft.auth.required");
    expect_reason(test_ws_call(ws, "rpc.provide", "[]"), "weft.auth.required");
    expect_reason(test_ws_call(ws, "$/nothing", "[]"), "weft.auth.required");
    test_ws_close(ws);
}

static void header_without_its_token_is_no_guest(void **state)
{
    (void)state;
    atomic_store(&guests, true);
    expect_post("/rpc/test.who", "", 200, "guest@acme");
    expect_post("/rpc/test.who", "Authorization: Basic YTpi\r\n", 200, "guest@acme");
    expect_post("/rpc/test.who", "Authorization: Bearers ann@acme\r\n", 200, "guest@acme");
    expect_post("/rpc/test.who", "Authorization: Bearer\r\n", 401, "weft.auth.refused");
    expect_post("/rpc/test.who", "Authorization: Bearer \r\n", 401, "weft.auth.refused");
    assert_int_equal(test_ws_try(world->url, "Authorization: Bearer\r\n"), 401);
}

static void who_guesses_tokens_is_sent_away(void **state)
{
    (void)state;
    struct test_ws *ws = test_ws_connect(world->url, NULL);
    for (int i = 0; i < 4; i++)
        expect_reason(test_ws_call(ws, "$/auth.refresh", "{\"token\":\"!\"}"), "weft.auth.refused");
    test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"$/auth.refresh\","
                     "\"params\":{\"token\":\"!\"}}");
    assert_int_equal(test_ws_wait_closed(ws, WAIT_MS), 1008);
    test_ws_close(ws);
}

/* ---- expiry ---- */

static void refreshed_token_keeps_the_connection(void **state)
{
    (void)state;
    struct test_ws *ws = sign_in("ann@acme:3000");
    for (int i = 0; i < 3; i++) {
        const struct weft_json *notice = test_ws_next(ws);
        expect_text(weft__json_get(notice, "method"), "$/auth.expiring");
        assert_non_null(weft__json_get(weft__json_get(notice, "params"), "in_ms"));
        expect_reason(test_ws_call(ws, "$/auth.refresh", "{\"token\":\"bob@acme\"}"),
                      "weft.auth.principal");
        const struct weft_json *auth = weft__json_get(
            test_ws_result(ws, "$/auth.refresh",
                           i < 2 ? "{\"token\":\"ann@acme:3000\"}" : "{\"token\":\"ann@acme\"}"),
            "auth");
        expect_text(weft__json_get(auth, "sub"), "ann");
    }
    expect_text(test_ws_result(ws, "test.who", "[]"), "ann@acme");
    test_ws_close(ws);
}

static void expiry_ends_the_connection_and_not_the_session(void **state)
{
    char resume[200];
    bool resumed = false;
    (void)state;
    struct test_ws *ws = test_ws_connect(world->url, "weft.v1.json");
    const struct weft_json *welcome = weft__json_get(hello(ws, "ann@acme:300", ""), "result");
    struct weft_slice token = weft__json_string(weft__json_get(welcome, "resume_token"));
    snprintf(resume, sizeof(resume), ",\"resume\":{\"token\":\"%.*s\",\"seen\":0}", (int)token.len,
             (const char *)token.ptr);
    assert_int_equal(test_ws_wait_closed(ws, WAIT_MS), 4002);
    test_ws_close(ws);
    assert_int_equal(total("weft_auth_expired_total"), 1);

    ws = test_ws_connect(world->url, "weft.v1.json");
    welcome = weft__json_get(hello(ws, "ann@acme", resume), "result");
    assert_true(weft__json_bool(weft__json_get(welcome, "resumed"), &resumed) && resumed);
    expect_text(test_ws_result(ws, "test.who", "[]"), "ann@acme");
    test_ws_close(ws);
}

static void items_over_http_end_with_the_token(void **state)
{
    const char *line;
    bool refused = false;
    (void)state;
    struct test_http_client *http = test_http_open(world->url);
    assert_true(test_http_print(http, "GET /sse/demo.tick?params=%5B20,100000%5D HTTP/1.1\r\n"
                                      "Host: localhost\r\n"
                                      "Authorization: Bearer ann@acme:300\r\n\r\n"));
    assert_int_equal(test_http_answer(http), 200);
    while ((line = test_http_line(http)))
        refused = refused || strstr(line, "weft.auth.expired");
    assert_true(refused);
    test_http_close(http);
}

/* ---- whose is what ---- */

static void session_is_its_principals_alone(void **state)
{
    bool resumed = true;
    (void)state;
    for (int i = 0; i < 8; i++) { /* so that some are on the other worker */
        char resume[200];
        struct test_ws *ws = test_ws_connect(world->url, "weft.v1.json");
        const struct weft_json *welcome = weft__json_get(hello(ws, "ann@acme", ""), "result");
        struct weft_slice token = weft__json_string(weft__json_get(welcome, "resume_token"));
        snprintf(resume, sizeof(resume), ",\"resume\":{\"token\":\"%.*s\",\"seen\":0}",
                 (int)token.len, (const char *)token.ptr);
        test_ws_cut(ws);

        ws = test_ws_connect(world->url, "weft.v1.json");
        welcome = weft__json_get(hello(ws, i % 2 ? "ann@other" : "bob@acme", resume), "result");
        assert_true(weft__json_bool(weft__json_get(welcome, "resumed"), &resumed) && !resumed);
        expect_text(weft__json_get(welcome, "reason"), "principal");
        test_ws_close(ws);

        ws = test_ws_connect(world->url, "weft.v1.json");
        welcome = weft__json_get(hello(ws, "ann@acme:60000", resume), "result");
        assert_true(weft__json_bool(weft__json_get(welcome, "resumed"), &resumed) && resumed);
        expect_text(test_ws_result(ws, "test.who", "[]"), "ann@acme");
        test_ws_close(ws);
    }
}

static void session_is_resumed_after_signing_in_by_refresh(void **state)
{
    bool resumed = false;
    (void)state;
    for (int i = 0; i < 8; i++) { /* so that some are on the other worker */
        char resume[300];
        struct test_ws *ws = test_ws_connect(world->url, "weft.v1.json");
        const struct weft_json *welcome = weft__json_get(hello(ws, "ann@acme", ""), "result");
        struct weft_slice token = weft__json_string(weft__json_get(welcome, "resume_token"));
        snprintf(resume, sizeof(resume),
                 "{\"v\":[1,1],\"features\":[\"resume\"],"
                 "\"resume\":{\"token\":\"%.*s\",\"seen\":0}}",
                 (int)token.len, (const char *)token.ptr);
        test_ws_cut(ws);
        ws = test_ws_connect(world->url, "weft.v1.json");
        (void)test_ws_result(ws, "$/auth.refresh", "{\"token\":\"ann@acme:60000\"}");
        welcome = test_ws_result(ws, "$/hello", resume);
        assert_true(weft__json_bool(weft__json_get(welcome, "resumed"), &resumed) && resumed);
        assert_non_null(weft__json_get(weft__json_get(welcome, "auth"), "expires_in_ms"));
        expect_text(test_ws_result(ws, "test.who", "[]"), "ann@acme");
        test_ws_close(ws);
    }
}

static void oldest_session_goes_when_too_many_of_a_principal_wait(void **state)
{
    enum { MANY = 5 };
    char resume[MANY][200];
    bool resumed;
    int lost = 0;
    (void)state;
    /* At most four of Ann's, two on each worker; Bob's is his own. */
    for (int i = 0; i < MANY; i++) {
        struct test_ws *ws = sign_in_at_zero(i == 0 ? "bob@acme" : "ann@acme", resume[i]);
        test_ws_cut(ws);
        for (int tries = 0; total("weft_sessions_waiting") < (uint64_t)(i < 3 ? i + 1 : 3); tries++)
            assert_true(tries < 500);
    }
    for (int i = 0; i < MANY; i++) {
        struct test_ws *ws = test_ws_connect(world->url, "weft.v1.json");
        const struct weft_json *welcome =
            weft__json_get(hello(ws, i == 0 ? "bob@acme" : "ann@acme", resume[i]), "result");
        assert_true(weft__json_bool(weft__json_get(welcome, "resumed"), &resumed));
        assert_int_equal(resumed, i == 0 || i >= MANY - 2);
        lost += !resumed;
        test_ws_close(ws);
    }
    assert_int_equal(lost, 2);
}

static void tenants_have_documents_of_their_own(void **state)
{
    (void)state;
    struct test_ws *ann = sign_in("ann@acme"), *bob = sign_in("bob@acme"),
                   *eve = sign_in("ann@other");
    const struct weft_json *opened =
        test_ws_result(ann, "doc.open", "{\"doc\":\"plan\",\"create\":true,\"client\":\"a\"}");
    struct weft_slice epoch = weft__json_string(weft__json_get(opened, "epoch"));
    (void)test_ws_result(bob, "doc.open", "{\"doc\":\"plan\",\"client\":\"b\"}");
    assert_string_equal(test_ws_error(eve, "doc.open", "{\"doc\":\"plan\",\"client\":\"e\"}"),
                        "not_found");
    char params[200];
    snprintf(params, sizeof(params),
             "{\"doc\":\"plan\",\"epoch\":\"%.*s\",\"client\":\"a\",\"seq\":1,\"version\":0,"
             "\"op\":[\"x\"]}",
             (int)epoch.len, (const char *)epoch.ptr);
    (void)test_ws_result(ann, "doc.submit", params);
    const struct weft_json *op = test_ws_next(bob);
    expect_text(weft__json_get(op, "method"), "doc.op");
    expect_text(weft__json_get(weft__json_get(weft__json_get(op, "params"), "by"), "sub"), "ann");
    test_ws_close(ann);
    test_ws_close(bob);
    test_ws_close(eve);
}

static void idempotency_keys_are_their_principals_own(void **state)
{
    static const char *const who[] = {"ann@acme", "bob@acme", "ann@other", "ann@acme"};
    static const char *const want[] = {"1", "2", "3", "1"};
    char headers[128];
    (void)state;
    for (size_t i = 0; i < WEFT_ARRAY_LEN(who); i++) {
        snprintf(headers, sizeof(headers),
                 "Authorization: Bearer %s\r\nIdempotency-Key: the-same\r\n", who[i]);
        struct test_http_client *http = test_http_open(world->url);
        test_http_post(http, "/rpc/test.count", headers, "[]");
        assert_int_equal(test_http_answer(http), 200);
        assert_string_equal(test_http_body(http), want[i]);
        test_http_close(http);
    }
}

static void subject_of_a_call_outlives_the_server(void **state)
{
    struct weft_call *call;
    struct test_ws *ws = sign_in("ann@acme");
    atomic_store(&kept, NULL);
    test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"test.keep\"}");
    while (!(call = atomic_load(&kept)))
        (void)test_ws_result(ws, "test.who", "[]");
    test_ws_cut(ws);
    test_in_process_free(world);
    assert_string_equal(weft_call_subject(call), "ann");
    assert_string_equal(weft_call_tenant(call), "acme");
    weft_call_release(call);
    assert_int_equal(setup(state), 0); /* for the teardown */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(requests_carry_bearer_tokens, setup, teardown),
        cmocka_unit_test_setup_teardown(each_request_of_a_connection_is_somebodys_own, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(judge_that_cannot_tell_answers_503, setup, teardown),
        cmocka_unit_test_setup_teardown(probes_need_no_token, setup, teardown),
        cmocka_unit_test_setup_teardown(upgrade_may_carry_the_token, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_calls_before_signing_in, setup, teardown),
        cmocka_unit_test_setup_teardown(guests_are_let_in_where_that_is_wanted, setup, teardown),
        cmocka_unit_test_setup_teardown(guest_who_has_done_nothing_may_sign_in, setup, teardown),
        cmocka_unit_test_setup_teardown(strangers_do_not_learn_which_methods_there_are, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(header_without_its_token_is_no_guest, setup, teardown),
        cmocka_unit_test_setup_teardown(subject_of_a_call_outlives_the_server, setup, teardown),
        cmocka_unit_test_setup_teardown(session_is_resumed_after_signing_in_by_refresh, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(who_guesses_tokens_is_sent_away, setup, teardown),
        cmocka_unit_test_setup_teardown(refreshed_token_keeps_the_connection, setup, teardown),
        cmocka_unit_test_setup_teardown(expiry_ends_the_connection_and_not_the_session, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(items_over_http_end_with_the_token, setup, teardown),
        cmocka_unit_test_setup_teardown(session_is_its_principals_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(oldest_session_goes_when_too_many_of_a_principal_wait,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(tenants_have_documents_of_their_own, setup, teardown),
        cmocka_unit_test_setup_teardown(idempotency_keys_are_their_principals_own, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
