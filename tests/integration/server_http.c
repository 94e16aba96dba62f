/* SPDX-License-Identifier: Apache-2.0 */
/* What a server says over HTTP, whom it lets in, and how it starts and refuses to start. */
#include "lib/server_process.h"
#include "lib/test.h"

/* The answer to a request for |target| with the Host |host|. */
static char *get(const char *target, const char *host)
{
    char request[512];
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
             target, host);
    return test_http(group_server->url, request);
}

static void expect(const char *target, const char *host, const char *status, const char *text)
{
    char *answer = get(target, host);
    if (strncmp(answer, status, strlen(status)) != 0 || !strstr(answer, text))
        fail_msg("%s of %s: %s", target, host, answer);
    free(answer);
}

static void probes_and_metrics_answer(void **state)
{
    (void)state;
    expect("/healthz", "localhost", "HTTP/1.1 200", "\r\n\r\nok\n");
    expect("/readyz", "localhost", "HTTP/1.1 200", "\r\n\r\nready\n");
    expect("/healthz?verbose", "localhost", "HTTP/1.1 200", "{\"status\":\"ok\",\"workers\":[{");
    expect("/readyz?verbose", "localhost", "HTTP/1.1 200",
           "{\"status\":\"ready\",\"store\":{\"name\":\"sqlite\",");
    expect("/metrics", "localhost", "HTTP/1.1 200", "# TYPE weft_connections gauge\n");
    expect("/metrics", "localhost", "HTTP/1.1 200", "\nweft_draining 0\n");
    expect("/metrics", "localhost", "HTTP/1.1 200", "weft_store_commits_total ");
    expect("/nothing", "localhost", "HTTP/1.1 404", "not found");
    expect("/../etc/passwd", "localhost", "HTTP/1.1 404", "not found");
    expect("/ws", "localhost", "HTTP/1.1 426", "upgrade");
}

static void every_answer_carries_the_security_headers(void **state)
{
    (void)state;
    static const char *const targets[] = {"/", "/healthz", "/nothing", "/ws"};
    static const char *const headers[] = {
        "\r\nX-Content-Type-Options: nosniff\r\n",
        "\r\nX-Frame-Options: DENY\r\n",
        "\r\nReferrer-Policy: no-referrer\r\n",
        "\r\nContent-Security-Policy: default-src 'none'; script-src 'self'; ",
        "\r\nCross-Origin-Opener-Policy: same-origin\r\n",
    };
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        char *answer = get(targets[i], "localhost");
        for (size_t j = 0; j < sizeof(headers) / sizeof(headers[0]); j++)
            assert_non_null(strstr(answer, headers[j]));
        free(answer);
    }
}

/* The page's script: in the coding that |accept| allows, or as it is. */
static void expect_coding(const char *accept, const char *coding)
{
    char request[512];
    snprintf(request, sizeof(request),
             "GET /app.js HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s\r\n", accept);
    char *answer = test_http(group_server->url, request);
    char want[64];
    snprintf(want, sizeof(want), "\r\nContent-Encoding: %s\r\n", coding ? coding : "");
    assert_memory_equal(answer, "HTTP/1.1 200", 12);
    assert_non_null(strstr(answer, "\r\nVary: Accept-Encoding\r\n"));
    if (coding)
        assert_non_null(strstr(answer, want));
    else
        assert_null(strstr(answer, "\r\nContent-Encoding:"));
    free(answer);
}

static void files_are_compressed_as_the_request_allows(void **state)
{
    (void)state;
    expect_coding("", NULL);
    expect_coding("Accept-Encoding: gzip, deflate, br\r\n", "br");
    expect_coding("Accept-Encoding: gzip\r\n", "gzip");
    expect_coding("Accept-Encoding: br;q=0, gzip;q=0\r\n", NULL);
}

static void hosts_that_are_not_ours_are_refused(void **state)
{
    (void)state;
    expect("/", "evil.example", "HTTP/1.1 403", "not served here");
    expect("/metrics", "evil.example:80", "HTTP/1.1 403", "not served here");
    expect("/healthz", "127.0.0.1.evil.example", "HTTP/1.1 403", "not served here");
}

static void other_methods_and_bodies_are_refused(void **state)
{
    (void)state;
    char *answer = test_http(group_server->url, "POST /healthz HTTP/1.1\r\nHost: localhost\r\n"
                                                "Content-Length: 3\r\n\r\nabc");
    assert_true(strncmp(answer, "HTTP/1.1 405", 12) == 0);
    assert_non_null(strstr(answer, "\r\nAllow: GET, HEAD\r\n"));
    assert_non_null(strstr(answer, "\r\nConnection: close\r\n"));
    free(answer);
    answer =
        test_http(group_server->url, "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n"
                                     "Transfer-Encoding: chunked\r\n\r\n");
    assert_true(strncmp(answer, "HTTP/1.1 400", 12) == 0);
    free(answer);
    answer = test_http(group_server->url, "HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n"
                                          "Connection: close\r\n\r\n");
    assert_non_null(strstr(answer, "\r\nContent-Length: 3\r\n"));
    assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
    free(answer);
}

static void upgrades_need_an_origin_of_ours_or_none(void **state)
{
    (void)state;
    char own[128];
    snprintf(own, sizeof(own), "Origin: %s\r\n", group_server->origin);
    assert_int_equal(test_ws_try(group_server->url, ""), 101);
    assert_int_equal(test_ws_try(group_server->url, own), 101);
    assert_int_equal(test_ws_try(group_server->url, "Origin: http://evil.example\r\n"), 403);
    assert_int_equal(test_ws_try(group_server->url, "Origin: null\r\n"), 403);
    assert_int_equal(test_ws_try(group_server->url, "Origin: http://127.0.0.1:1\r\n"), 403);
}

static void a_binary_message_on_the_text_wire_is_closed_with_1003(void **state)
{
    (void)state;
    struct test_ws *ws = test_ws_connect(group_server->url, "weft.v1.json");
    test_ws_send_binary(ws, "x", 1);
    assert_int_equal(test_ws_wait_closed(ws, 5000), 1003);
    test_ws_close(ws);
}

static void a_message_over_the_limit_is_closed_with_1009(void **state)
{
    (void)state;
    enum { SIZE = 1024 * 1024 + 1 };
    char *text = malloc(SIZE + 1);
    struct test_ws *ws = test_ws_connect(group_server->url, NULL);
    memset(text, ' ', SIZE);
    text[SIZE] = '\0';
    test_ws_send(ws, text);
    assert_int_equal(test_ws_wait_closed(ws, 5000), 1009);
    test_ws_close(ws);
    free(text);
}

static int run_weft(char **ret_err, const char *a, const char *b, const char *c, const char *d,
                    const char *e)
{
    const char *argv[] = {test_binary(), a, b, c, d, e, NULL};
    return test_run_program(argv, NULL, ret_err);
}

static void a_second_server_on_the_same_data_says_who_has_it(void **state)
{
    (void)state;
    char folder[128];
    char *err;
    snprintf(folder, sizeof(folder), "%s/data", group_server->folder);
    assert_int_equal(run_weft(&err, "serve", "--listen", "127.0.0.1:0", "--data", folder), 1);
    assert_non_null(strstr(err, "in use by"));
    free(err);
}

static void a_second_server_on_the_same_address_says_so(void **state)
{
    (void)state;
    char address[64];
    char *err;
    snprintf(address, sizeof(address), "127.0.0.1:%u", group_server->port);
    assert_int_equal(run_weft(&err, "serve", "--listen", address, "--data", ":memory:"), 1);
    assert_non_null(strstr(err, "cannot listen on 127.0.0.1:"));
    free(err);
}

static void serving_other_machines_without_authentication_has_to_be_said(void **state)
{
    (void)state;
    char *err;
    assert_int_equal(run_weft(&err, "serve", "--listen", "0.0.0.0:0", "--data", ":memory:"), 2);
    assert_non_null(strstr(err, "--insecure-no-auth"));
    free(err);
    assert_int_equal(run_weft(&err, "serve", "--listen", ":0", "--data", ":memory:"), 2);
    assert_non_null(strstr(err, "--insecure-no-auth"));
    free(err);
}

static void wrong_usage_is_reported_with_status_2(void **state)
{
    (void)state;
    char *err;
    assert_int_equal(run_weft(&err, "serve", "--nope", NULL, NULL, NULL), 2);
    assert_non_null(strstr(err, "unknown option '--nope'"));
    free(err);
    assert_int_equal(run_weft(&err, "serve", "--workers", "many", NULL, NULL), 2);
    assert_non_null(strstr(err, "--workers must be a number"));
    free(err);
    assert_int_equal(run_weft(&err, "serve", "--loop", "kqueue", NULL, NULL), 2);
    free(err);
    assert_int_equal(run_weft(&err, "nonsense", NULL, NULL, NULL, NULL), 2);
    free(err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probes_and_metrics_answer),
        cmocka_unit_test(every_answer_carries_the_security_headers),
        cmocka_unit_test(files_are_compressed_as_the_request_allows),
        cmocka_unit_test(hosts_that_are_not_ours_are_refused),
        cmocka_unit_test(other_methods_and_bodies_are_refused),
        cmocka_unit_test(upgrades_need_an_origin_of_ours_or_none),
        cmocka_unit_test(a_binary_message_on_the_text_wire_is_closed_with_1003),
        cmocka_unit_test(a_message_over_the_limit_is_closed_with_1009),
        cmocka_unit_test(a_second_server_on_the_same_data_says_who_has_it),
        cmocka_unit_test(a_second_server_on_the_same_address_says_so),
        cmocka_unit_test(serving_other_machines_without_authentication_has_to_be_said),
        cmocka_unit_test(wrong_usage_is_reported_with_status_2),
    };
    return cmocka_run_group_tests(tests, test_server_group_start, test_server_group_stop);
}
