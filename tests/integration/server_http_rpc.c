/* SPDX-License-Identifier: Apache-2.0 */
/* Calls over plain HTTP, docs/protocol/http.md, with real sockets. */
#include "lib/http_client.h"
#include "lib/in_process.h"
#include "lib/test.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_MESSAGE = 65536 };

static struct test_in_process *world;
static struct test_random rng;

static int start_world(void **state)
{
    struct weft_server_options options;
    (void)state;
    test_in_process_options(&options);
    options.limits.max_message = MAX_MESSAGE;
    world = test_in_process_start(&options);
    test_random_init(&rng, "server_http_rpc");
    return 0;
}

static int stop_world(void **state)
{
    (void)state;
    test_in_process_free(world);
    return 0;
}

/* One request on a connection of its own; the answer's status and body are checked. */
static void expect(const char *path, const char *headers, const char *body, int status,
                   const char *want)
{
    struct test_http_client *http = test_http_open(world->url);
    test_http_post(http, path, headers, body);
    int got = test_http_answer(http);
    if (got != status || strcmp(test_http_body(http), want) != 0)
        fail_msg("%s of %s: %d %s", path, body, got, test_http_body(http));
    test_http_close(http);
}

/* The same for an error, of which |want| is a part. */
static void expect_part(const char *path, const char *headers, const char *body, int status,
                        const char *want)
{
    struct test_http_client *http = test_http_open(world->url);
    test_http_post(http, path, headers, body);
    int got = test_http_answer(http);
    if (got != status || !strstr(test_http_body(http), want))
        fail_msg("%s of %s: %d %s", path, body, got, test_http_body(http));
    assert_string_equal(test_http_header(http, "Content-Type"), "application/json");
    assert_string_equal(test_http_header(http, "Cache-Control"), "no-store");
    test_http_close(http);
}

/* Sends |request| as it is and returns the status of the answer. */
static int status_of(const char *request)
{
    struct test_http_client *http = test_http_open(world->url);
    assert_true(test_http_print(http, request));
    int status = test_http_answer(http);
    test_http_close(http);
    return status;
}

static void pause_ms(long ms)
{
    const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

/* ---- POST /rpc/<method> ---- */

static void a_call_is_answered_with_the_bare_result(void **state)
{
    (void)state;
    expect("/rpc/subtract", "", "[42,23]", 200, "19");
    expect("/rpc/demo.echo", "", " {\"a\" : [\"\\u00e9\"]} ", 200, "{\"a\" : [\"\\u00e9\"]}");
    expect("/rpc/demo.echo", "", "", 200, "null");
    expect("/rpc/demo.echo", "", "null", 200, "null");
    expect("/rpc/demo%2Eecho?ignored=1", "", "[]", 200, "[]");
    expect("/rpc/demo.sleep", "", "[20]", 200, "null");
    expect_part("/rpc/rpc.discover", "", "", 200, "\"demo.echo\"");
    expect_part("/rpc/weft.v1.Documents/Fetch", "", "{\"doc\":\"none\"}", 404,
                "weft.doc.not_found");
}

static void each_code_has_the_http_status_of_the_connect_protocol(void **state)
{
    (void)state;
    static const struct {
        const char *code;
        int status;
    } table[] = {
        {"canceled", 499},
        {"unknown", 500},
        {"invalid_argument", 400},
        {"deadline_exceeded", 504},
        {"not_found", 404},
        {"already_exists", 409},
        {"permission_denied", 403},
        {"resource_exhausted", 429},
        {"failed_precondition", 400},
        {"aborted", 409},
        {"out_of_range", 400},
        {"unimplemented", 501},
        {"internal", 500},
        {"unavailable", 503},
        {"data_loss", 500},
        {"unauthenticated", 401},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        char params[100];
        char want[100];
        snprintf(params, sizeof(params), "{\"code\":\"%s\",\"message\":\"so\"}", table[i].code);
        snprintf(want, sizeof(want),
                 "{\"code\":\"%s\",\"message\":\"so\",\"retryable\":", table[i].code);
        expect_part("/rpc/demo.fail", "", params, table[i].status, want);
    }
}

static void an_error_says_what_error_data_says(void **state)
{
    (void)state;
    expect(
        "/rpc/demo.fail", "",
        "{\"code\":\"invalid_argument\",\"reason\":\"acme.name\",\"details\":{\"a\":[1]},"
        "\"violations\":[{\"field\":\"name\",\"rule\":\"string.max_len\"}]}",
        400,
        "{\"code\":\"invalid_argument\",\"message\":\"invalid_argument\",\"reason\":\"acme.name\","
        "\"retryable\":false,\"executed\":\"no\",\"violations\":[{\"field\":\"name\","
        "\"rule\":\"string.max_len\"}],\"details\":{\"a\":[1]}}");
}

static void retry_after_is_said_with_429_and_503(void **state)
{
    (void)state;
    static const struct {
        const char *code;
        const char *want;
    } cases[] = {{"resource_exhausted", "2"}, {"unavailable", "2"}, {"aborted", NULL}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char params[100];
        struct test_http_client *http = test_http_open(world->url);
        snprintf(params, sizeof(params), "{\"code\":\"%s\",\"retry_after_ms\":1001}",
                 cases[i].code);
        test_http_post(http, "/rpc/demo.fail", "", params);
        (void)test_http_answer(http);
        const char *got = test_http_header(http, "Retry-After");
        if (cases[i].want)
            assert_string_equal(got, cases[i].want);
        else
            assert_null(got);
        test_http_close(http);
    }
}

static void a_method_that_is_not_there_is_404(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "/rpc/nope",     "/rpc/",           "/rpc/$/hello", "/rpc/%24/ping",
        "/rpc/rpc.nope", "/rpc/demo.echo/", "/rpc/%zz",     "/rpc/demo.echo%00"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        expect_part(paths[i], "", "[]", 404, "{\"code\":\"unimplemented\",\"message\":\"Method");
    assert_int_equal(status_of("POST /rpcx HTTP/1.1\r\nHost: localhost\r\n\r\n"), 405);
}

static void methods_with_items_are_refused(void **state)
{
    (void)state;
    expect_part("/rpc/demo.count", "", "[3]", 400, "weft.rpc.streams_unsupported");
    expect_part("/rpc/demo.total", "", "", 400, "weft.rpc.streams_unsupported");
}

static void malformed_parameters_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"{",    "7",          "\"text\"",
                                      "[1]x", "[\"\xff\"]", "{\"a\":1,\"a\":2}"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect_part("/rpc/demo.echo", "", bad[i], 400, "{\"code\":\"invalid_argument\",");
}

/* ---- What is refused ---- */

static void other_verbs_are_405_with_allow(void **state)
{
    (void)state;
    static const char *const verbs[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"};
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        char request[200];
        struct test_http_client *http = test_http_open(world->url);
        snprintf(request, sizeof(request), "%s /rpc/subtract HTTP/1.1\r\nHost: localhost\r\n\r\n",
                 verbs[i]);
        assert_true(test_http_print(http, request));
        int status = test_http_answer(http);
        assert_int_equal(status, 405);
        assert_string_equal(test_http_header(http, "Allow"), "POST");
        test_http_close(http);
    }
}

static int with_type(const char *headers)
{
    char request[400];
    snprintf(request, sizeof(request),
             "POST /rpc/subtract HTTP/1.1\r\nHost: localhost\r\nContent-Length: 7\r\n%s\r\n[42,23]",
             headers);
    return status_of(request);
}

static void bodies_that_are_not_json_are_415(void **state)
{
    (void)state;
    assert_int_equal(with_type("Content-Type: application/json\r\n"), 200);
    assert_int_equal(with_type("Content-Type: Application/JSON; Charset=UTF-8\r\n"), 200);
    assert_int_equal(with_type("Content-Type: application/json;charset=\"utf-8\"\r\n"), 200);
    assert_int_equal(with_type(""), 415);
    assert_int_equal(with_type("Content-Type: text/plain\r\n"), 415);
    assert_int_equal(with_type("Content-Type: application/jsonp\r\n"), 415);
    assert_int_equal(with_type("Content-Type: application/x-www-form-urlencoded\r\n"), 415);
    assert_int_equal(with_type("Content-Type: text/plain; application/json\r\n"), 415);
    assert_int_equal(with_type("Content-Type: application/json; charset=latin1\r\n"), 415);
    assert_int_equal(with_type("Content-Type: application/json\r\nContent-Type: a/b\r\n"), 415);
    assert_int_equal(with_type("Content-Type: application/json\r\nContent-Encoding: gzip\r\n"),
                     415);
}

static void requests_of_other_sites_are_403(void **state)
{
    (void)state;
    char own[200];
    const char *host = strstr(world->url, "//") + 2;
    snprintf(own, sizeof(own),
             "POST /rpc/subtract HTTP/1.1\r\nHost: %.*s\r\nOrigin: http://%.*s\r\n"
             "Content-Type: application/json\r\nContent-Length: 7\r\n\r\n[42,23]",
             (int)strcspn(host, "/"), host, (int)strcspn(host, "/"), host);
    assert_int_equal(status_of(own), 200);
    expect_part("/rpc/subtract", "Origin: http://evil.example\r\n", "[42,23]", 403,
                "weft.http.origin");
    expect_part("/rpc/subtract", "Origin: null\r\n", "[42,23]", 403, "permission_denied");
    expect_part("/rpc/subtract", "Sec-Fetch-Site: cross-site\r\n", "[42,23]", 403,
                "weft.http.origin");
    expect("/rpc/subtract", "Sec-Fetch-Site: same-origin\r\n", "[42,23]", 200, "19");
    assert_int_equal(status_of("POST /rpc/subtract HTTP/1.1\r\nHost: evil.example\r\n"
                               "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n[]"),
                     403);
}

static void pages_of_configured_origins_may_ask_and_read(void **state)
{
    static const char *const origins[] = {"https://friend.example", NULL};
    struct weft_server_options options;
    (void)state;
    test_in_process_options(&options);
    options.origins = origins;
    struct test_in_process *friendly = test_in_process_start(&options);
    struct test_http_client *http = test_http_open(friendly->url);
    assert_true(test_http_print(http, "OPTIONS /rpc/subtract HTTP/1.1\r\nHost: localhost\r\n"
                                      "Origin: https://friend.example\r\n"
                                      "Access-Control-Request-Method: POST\r\n"
                                      "Access-Control-Request-Headers: content-type\r\n\r\n"));
    assert_int_equal(test_http_answer(http), 204);
    assert_string_equal(test_http_header(http, "Access-Control-Allow-Origin"),
                        "https://friend.example");
    assert_string_equal(test_http_header(http, "Access-Control-Allow-Methods"), "POST");
    assert_non_null(strstr(test_http_header(http, "Access-Control-Allow-Headers"), "Content-Type"));
    test_http_post(http, "/rpc/demo.sleep", "Origin: https://friend.example\r\n", "[20]");
    assert_int_equal(test_http_answer(http), 200);
    assert_string_equal(test_http_header(http, "Access-Control-Allow-Origin"),
                        "https://friend.example");
    assert_null(test_http_header(http, "Access-Control-Allow-Credentials"));
    /* Of the next request it is not said, and a stranger is told nothing. */
    test_http_post(http, "/rpc/subtract", "", "[42,23]");
    assert_int_equal(test_http_answer(http), 200);
    assert_null(test_http_header(http, "Access-Control-Allow-Origin"));
    test_http_post(http, "/rpc/nope", "Origin: https://friend.example\r\n", "[20]");
    assert_int_equal(test_http_answer(http), 404);
    assert_non_null(test_http_header(http, "Access-Control-Allow-Origin"));
    test_http_close(http);
    http = test_http_open(friendly->url);
    assert_true(test_http_print(http, "OPTIONS /rpc/subtract HTTP/1.1\r\nHost: localhost\r\n"
                                      "Origin: https://evil.example\r\n"
                                      "Access-Control-Request-Method: POST\r\n\r\n"));
    assert_int_equal(test_http_answer(http), 403);
    assert_null(test_http_header(http, "Access-Control-Allow-Origin"));
    test_http_close(http);
    test_in_process_free(friendly);
}

static void bodies_beyond_the_limit_of_a_message_are_413(void **state)
{
    (void)state;
    static char body[MAX_MESSAGE + 2];
    memset(body, ' ', sizeof(body) - 1);
    memcpy(body, "[1]", 3);
    expect_part("/rpc/demo.echo", "", body, 413, "weft.http.too_large");
    body[MAX_MESSAGE] = '\0';
    expect("/rpc/demo.echo", "", body, 200, "[1]");
    /* What is announced is enough; nobody has to send it. */
    assert_int_equal(status_of("POST /rpc/demo.echo HTTP/1.1\r\nHost: localhost\r\n"
                               "Content-Type: application/json\r\n"
                               "Content-Length: 99999999999999\r\n\r\n"),
                     413);
    assert_int_equal(status_of("POST /rpc/demo.echo HTTP/1.1\r\nHost: localhost\r\n"
                               "Content-Type: application/json\r\n"
                               "Transfer-Encoding: chunked\r\n\r\nFFFFFFF\r\n"),
                     413);
}

static void a_slow_body_is_408(void **state)
{
    (void)state;
    struct weft_server_options options;
    test_in_process_options(&options);
    options.limits.message_ms = 100;
    struct test_in_process *hasty = test_in_process_start(&options);
    struct test_http_client *http = test_http_open(hasty->url);
    assert_true(test_http_print(http, "POST /rpc/demo.echo HTTP/1.1\r\nHost: localhost\r\n"
                                      "Content-Type: application/json\r\n"
                                      "Content-Length: 1000\r\n\r\n[1"));
    assert_int_equal(test_http_answer(http), 408);
    assert_non_null(strstr(test_http_body(http), "weft.http.slow"));
    assert_string_equal(test_http_header(http, "Connection"), "close");
    test_http_expect_end(http);
    test_http_close(http);
    test_in_process_free(hasty);
}

/* ---- Bodies ---- */

#define CHUNKED                                                                                    \
    "POST /rpc/subtract HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"         \
    "Transfer-Encoding: chunked\r\n\r\n"

static void chunked_bodies_are_joined(void **state)
{
    (void)state;
    static const char request[] = CHUNKED "3;x=y\r\n[42\r\n1\r\n,\r\n3\r\n23]\r\n0\r\nA: b\r\n\r\n";
    struct test_http_client *http = test_http_open(world->url);
    for (size_t i = 0; i < sizeof(request) - 1; i++)
        assert_true(test_http_write(http, request + i, 1));
    assert_int_equal(test_http_answer(http), 200);
    assert_string_equal(test_http_body(http), "19");
    for (unsigned round = 0; round < 50; round++) {
        for (size_t at = 0; at < sizeof(request) - 1;) {
            size_t n = 1 + test_random_below(&rng, 40);
            n = n < sizeof(request) - 1 - at ? n : sizeof(request) - 1 - at;
            assert_true(test_http_write(http, request + at, n));
            at += n;
        }
        assert_int_equal(test_http_answer(http), 200);
        assert_string_equal(test_http_body(http), "19");
    }
    test_http_close(http);
}

static void malformed_chunks_are_400_and_the_end(void **state)
{
    (void)state;
    static const char *const bad[] = {CHUNKED "x\r\n", CHUNKED "2\n[]\n0\n\n",
                                      CHUNKED "2\r\n[]0\r\n\r\nGET /healthz HTTP/1.1\r\n"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct test_http_client *http = test_http_open(world->url);
        assert_true(test_http_print(http, bad[i]));
        assert_int_equal(test_http_answer(http), 400);
        assert_string_equal(test_http_header(http, "Connection"), "close");
        test_http_expect_end(http);
        test_http_close(http);
    }
}

static void a_client_that_waits_is_told_to_go_on(void **state)
{
    (void)state;
    struct test_http_client *http = test_http_open(world->url);
    assert_true(test_http_print(http, "POST /rpc/subtract HTTP/1.1\r\nHost: localhost\r\n"
                                      "Content-Type: application/json\r\nContent-Length: 7\r\n"
                                      "Expect: 100-continue\r\n\r\n"));
    assert_int_equal(test_http_answer(http), 100);
    assert_true(test_http_print(http, "[42,23]"));
    assert_int_equal(test_http_answer(http), 200);
    test_http_close(http);
}

/* ---- The connection ---- */

static void pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    enum { CALLS = 40 };
    static char all[CALLS * 200];
    size_t len = 0;
    for (int i = 0; i < CALLS; i++) {
        char body[32];
        /* Every fourth takes a while, so that the next ones wait behind it. */
        snprintf(body, sizeof(body), i % 4 ? "[%d]" : "[%d]    ", i % 4 ? i : 5);
        len += (size_t)snprintf(all + len, sizeof(all) - len,
                                "POST /rpc/%s HTTP/1.1\r\nHost: localhost\r\n"
                                "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                                i % 4 ? "demo.echo" : "demo.sleep", strlen(body), body);
    }
    struct test_http_client *http = test_http_open(world->url);
    assert_true(test_http_write(http, all, len));
    for (int i = 0; i < CALLS; i++) {
        char want[32];
        snprintf(want, sizeof(want), i % 4 ? "[%d]" : "null", i);
        assert_int_equal(test_http_answer(http), 200);
        assert_string_equal(test_http_body(http), want);
        assert_string_equal(test_http_header(http, "Connection"), "keep-alive");
    }
    test_http_close(http);
}

static void close_and_http_1_0_end_the_connection(void **state)
{
    (void)state;
    struct test_http_client *http = test_http_open(world->url);
    test_http_post(http, "/rpc/subtract", "Connection: close\r\n", "[42,23]");
    assert_int_equal(test_http_answer(http), 200);
    assert_string_equal(test_http_header(http, "Connection"), "close");
    test_http_expect_end(http);
    test_http_close(http);
    http = test_http_open(world->url);
    assert_true(test_http_print(http, "POST /rpc/demo.sleep HTTP/1.0\r\nHost: localhost\r\n"
                                      "Content-Type: application/json\r\nContent-Length: 3\r\n\r\n"
                                      "[9]"));
    assert_int_equal(test_http_answer(http), 200);
    test_http_expect_end(http);
    test_http_close(http);
}

static void a_client_that_ended_its_side_still_gets_its_answer(void **state)
{
    (void)state;
    struct test_http_client *http = test_http_open(world->url);
    test_http_post(http, "/rpc/demo.sleep", "", "[50]");
    shutdown(test_http_fd(http), SHUT_WR);
    assert_int_equal(test_http_answer(http), 200);
    test_http_expect_end(http);
    test_http_close(http);
}

/* The number behind |name| at /metrics, summed over the workers. */
static double metric(const char *name)
{
    char *text = test_http(world->url, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n"
                                       "Connection: close\r\n\r\n");
    double sum = 0;
    size_t len = strlen(name);
    for (char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        char *value = strncmp(line, name, len) == 0 ? strchr(line, ' ') : NULL;
        if (value)
            sum += strtod(value, NULL);
        else if (!*line)
            break;
    }
    free(text);
    return sum;
}

static void wait_for_metric(const char *name, double want)
{
    for (int i = 0; i < 1000; i++) {
        if (metric(name) == want)
            return;
        pause_ms(10);
    }
    fail_msg("%s does not become %g", name, want);
}

static void a_client_that_leaves_cancels_its_call(void **state)
{
    (void)state;
    static const char in_flight[] = "weft_rpc_in_flight{method=\"demo.sleep\"";
    struct test_http_client *http = test_http_open(world->url);
    test_http_post(http, "/rpc/demo.sleep", "", "[50000]");
    wait_for_metric(in_flight, 1);
    test_http_cut(http);
    wait_for_metric(in_flight, 0);
}

static void answers_are_counted_by_class(void **state)
{
    (void)state;
    double good = metric("weft_http_answers_total{class=\"2xx\"");
    double bad = metric("weft_http_answers_total{class=\"5xx\"");
    expect_part("/rpc/demo.fail", "", "{\"code\":\"internal\"}", 500, "internal");
    wait_for_metric("weft_http_answers_total{class=\"5xx\"", bad + 1);
    assert_true(metric("weft_http_answers_total{class=\"2xx\"") > good);
}

/* ---- Headers ---- */

static void deadlines_come_as_headers(void **state)
{
    (void)state;
    expect_part("/rpc/demo.sleep", "Weft-Timeout-Ms: 30\r\n", "[50000]", 504,
                "\"executed\":\"unknown\"");
    expect_part("/rpc/demo.sleep", "Connect-Timeout-Ms: 30\r\n", "[50000]", 504,
                "deadline_exceeded");
    expect_part("/rpc/demo.sleep", "Connect-Timeout-Ms: 0\r\n", "[1]", 504, "\"executed\":\"no\"");
    expect("/rpc/demo.sleep", "Connect-Timeout-Ms: 0\r\nWeft-Timeout-Ms: 50000\r\n", "[1]", 200,
           "null");
    expect_part("/rpc/demo.sleep", "Weft-Timeout-Ms: soon\r\n", "[1]", 400, "weft.http.header");
    expect_part("/rpc/demo.sleep", "Weft-Timeout-Ms: 12345678901\r\n", "[1]", 400,
                "weft.http.header");
    expect_part("/rpc", "Weft-Timeout-Ms: 30\r\n",
                "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"demo.sleep\",\"params\":[50000]}", 200,
                "\"code\":\"deadline_exceeded\"");
}

/* ---- POST /rpc ---- */

static void a_json_rpc_message_is_answered_as_one(void **state)
{
    (void)state;
    expect("/rpc", "",
           "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"subtract\",\"params\":[5,3]}", 200,
           "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"result\":2}");
    expect("/rpc", "", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"demo.sleep\",\"params\":[20]}",
           200, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":null}");
    expect_part("/rpc", "", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"nope\"}", 200,
                "\"code\":-32601");
    expect_part("/rpc", "", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"demo.count\"}", 200,
                "weft.rpc.streams_unsupported");
    expect_part("/rpc", "", "nonsense", 200, "\"code\":-32700");
    expect_part("/rpc", "", "[\"\xff\"]", 200, "\"code\":-32700");
    expect_part("/rpc", "", "", 200, "\"code\":-32700");
    expect_part("/rpc", "", "[]", 200, "\"code\":-32600");
}

static void a_batch_is_answered_as_an_array(void **state)
{
    (void)state;
    expect("/rpc", "",
           "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"demo.sleep\",\"params\":[30]},"
           "{\"jsonrpc\":\"2.0\",\"method\":\"update\"},"
           "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"subtract\",\"params\":[5,3]}]",
           200,
           "[{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":2},"
           "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":null}]");
}

static void notifications_alone_are_204(void **state)
{
    (void)state;
    static const char *const silent[] = {
        "{\"jsonrpc\":\"2.0\",\"method\":\"update\"}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"demo.sleep\",\"params\":[100]}",
        "[{\"jsonrpc\":\"2.0\",\"method\":\"update\"},{\"jsonrpc\":\"2.0\",\"method\":\"nope\"}]",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":2}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"$/ping\"}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"$/item\",\"params\":{\"id\":1,\"value\":2}}",
    };
    struct test_http_client *http = test_http_open(world->url);
    for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++) {
        test_http_post(http, "/rpc", "", silent[i]);
        assert_int_equal(test_http_answer(http), 204);
        assert_null(test_http_header(http, "Content-Length"));
        test_http_post(http, "/rpc/subtract", "", "[42,23]");
        assert_int_equal(test_http_answer(http), 200);
    }
    test_http_close(http);
}

static void a_document_can_be_edited_over_one_connection(void **state)
{
    (void)state;
    struct test_http_client *http = test_http_open(world->url);
    test_http_post(http, "/rpc/doc.open", "",
                   "{\"doc\":\"letter\",\"create\":true,\"client\":\"curl\"}");
    assert_int_equal(test_http_answer(http), 200);
    const char *epoch = strstr(test_http_body(http), "\"epoch\":\"") + 9;
    char params[300];
    snprintf(params, sizeof(params),
             "{\"doc\":\"letter\",\"client\":\"curl\",\"seq\":1,\"version\":0,\"epoch\":\"%.*s\","
             "\"op\":[\"dear\"]}",
             (int)strcspn(epoch, "\""), epoch);
    test_http_post(http, "/rpc/doc.submit", "", params);
    if (test_http_answer(http) != 200)
        fail_msg("%s", test_http_body(http));
    test_http_post(http, "/rpc/doc.fetch", "", "{\"doc\":\"letter\"}");
    assert_int_equal(test_http_answer(http), 200);
    assert_non_null(strstr(test_http_body(http), "\"dear\""));
    test_http_close(http);
}

/* ---- The drain ---- */

static struct test_in_process *start_draining(unsigned drain_ms)
{
    struct weft_server_options options;
    test_in_process_options(&options);
    options.operations.drain_ms = drain_ms;
    return test_in_process_start(&options);
}

static void a_drain_waits_for_calls_and_refuses_new_ones(void **state)
{
    (void)state;
    struct test_in_process *leaving = start_draining(10000);
    struct test_http_client *http = test_http_open(leaving->url);
    struct test_http_client *late = test_http_open(leaving->url);
    test_http_post(late, "/rpc/subtract", "", "[42,23]");
    assert_int_equal(test_http_answer(late), 200);
    test_http_post(http, "/rpc/demo.sleep", "", "[400]");
    /* The probe is answered behind the call's start, on whichever worker. */
    pause_ms(50);
    test_in_process_stop_begin(leaving);
    pause_ms(50);
    test_http_post(late, "/rpc/subtract", "", "[42,23]");
    assert_int_equal(test_http_answer(late), 503);
    assert_non_null(strstr(test_http_body(late), "weft.draining"));
    assert_non_null(test_http_header(late, "Retry-After"));
    test_http_expect_end(late);
    assert_int_equal(test_http_answer(http), 200);
    assert_string_equal(test_http_header(http, "Connection"), "close");
    test_http_expect_end(http);
    test_http_close(http);
    test_http_close(late);
    test_in_process_free(leaving);
}

static void what_takes_longer_than_the_drain_is_503(void **state)
{
    (void)state;
    struct test_in_process *leaving = start_draining(100);
    struct test_http_client *http = test_http_open(leaving->url);
    test_http_post(http, "/rpc/demo.sleep", "", "[50000]");
    pause_ms(50);
    test_in_process_stop_begin(leaving);
    assert_int_equal(test_http_answer(http), 503);
    assert_non_null(strstr(test_http_body(http), "\"executed\":\"unknown\""));
    test_http_expect_end(http);
    test_http_close(http);
    test_in_process_free(leaving);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_is_answered_with_the_bare_result),
        cmocka_unit_test(each_code_has_the_http_status_of_the_connect_protocol),
        cmocka_unit_test(an_error_says_what_error_data_says),
        cmocka_unit_test(retry_after_is_said_with_429_and_503),
        cmocka_unit_test(a_method_that_is_not_there_is_404),
        cmocka_unit_test(methods_with_items_are_refused),
        cmocka_unit_test(malformed_parameters_are_refused),
        cmocka_unit_test(other_verbs_are_405_with_allow),
        cmocka_unit_test(bodies_that_are_not_json_are_415),
        cmocka_unit_test(requests_of_other_sites_are_403),
        cmocka_unit_test(pages_of_configured_origins_may_ask_and_read),
        cmocka_unit_test(bodies_beyond_the_limit_of_a_message_are_413),
        cmocka_unit_test(a_slow_body_is_408),
        cmocka_unit_test(chunked_bodies_are_joined),
        cmocka_unit_test(malformed_chunks_are_400_and_the_end),
        cmocka_unit_test(a_client_that_waits_is_told_to_go_on),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(close_and_http_1_0_end_the_connection),
        cmocka_unit_test(a_client_that_ended_its_side_still_gets_its_answer),
        cmocka_unit_test(a_client_that_leaves_cancels_its_call),
        cmocka_unit_test(answers_are_counted_by_class),
        cmocka_unit_test(deadlines_come_as_headers),
        cmocka_unit_test(a_json_rpc_message_is_answered_as_one),
        cmocka_unit_test(a_batch_is_answered_as_an_array),
        cmocka_unit_test(notifications_alone_are_204),
        cmocka_unit_test(a_document_can_be_edited_over_one_connection),
        cmocka_unit_test(a_drain_waits_for_calls_and_refuses_new_ones),
        cmocka_unit_test(what_takes_longer_than_the_drain_is_503),
    };
    return cmocka_run_group_tests(tests, start_world, stop_world);
}
