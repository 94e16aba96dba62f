/* SPDX-License-Identifier: Apache-2.0 */
/* Streams of server-sent events, docs/protocol/http.md, section 4, with real sockets. */
#include "lib/http_client.h"
#include "lib/in_process.h"
#include "lib/test.h"

#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct test_in_process *world;

static int start_world(void **state)
{
    struct weft_server_options options;
    (void)state;
    test_in_process_options(&options);
    world = test_in_process_start(&options);
    return 0;
}

static int stop_world(void **state)
{
    (void)state;
    test_in_process_free(world);
    return 0;
}

static void pause_ms(long ms)
{
    const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static struct test_http_client *get_from(struct test_in_process *server, const char *target,
                                         const char *headers)
{
    char request[9000];
    struct test_http_client *http = test_http_open(server->url);
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", target,
             headers);
    assert_true(test_http_print(http, request));
    return http;
}

static struct test_http_client *get(const char *target, const char *headers)
{
    return get_from(world, target, headers);
}

static void expect_line(struct test_http_client *http, const char *want)
{
    const char *line = test_http_line(http);
    if (!line || strcmp(line, want) != 0)
        fail_msg("wanted '%s', got '%s'", want, line ? line : "the end");
}

/* The next event, whose data begin with |data|. */
static void expect_event(struct test_http_client *http, const char *name, unsigned id,
                         const char *data)
{
    char want[64];
    snprintf(want, sizeof(want), "event: %s", name);
    expect_line(http, want);
    snprintf(want, sizeof(want), "id: %u", id);
    expect_line(http, want);
    const char *line = test_http_line(http);
    if (!line || strncmp(line, "data: ", 6) != 0 || strncmp(line + 6, data, strlen(data)) != 0)
        fail_msg("wanted data: %s, got '%s'", data, line ? line : "the end");
    expect_line(http, "");
}

static void expect_items(struct test_http_client *http, unsigned from, unsigned to)
{
    for (unsigned i = from; i <= to; i++) {
        char data[16];
        snprintf(data, sizeof(data), "%u", i);
        expect_event(http, "item", i, data);
    }
}

/* The answer to a GET is |status|, and |part| is in its body. */
static void expect_refused(const char *target, const char *headers, int status, const char *part)
{
    struct test_http_client *http = get(target, headers);
    int got = test_http_answer(http);
    if (got != status || !strstr(test_http_body(http), part))
        fail_msg("%s: %d %s", target, got, test_http_body(http));
    test_http_close(http);
}

/* ---- Streams ---- */

static void items_come_as_events_and_the_result_ends_them(void **state)
{
    (void)state;
    struct test_http_client *http = get("/sse/demo.count?params=%5B3%5D", "");
    assert_int_equal(test_http_answer(http), 200);
    assert_string_equal(test_http_header(http, "Content-Type"), "text/event-stream");
    assert_string_equal(test_http_header(http, "Cache-Control"), "no-store");
    assert_string_equal(test_http_header(http, "Connection"), "close");
    expect_items(http, 1, 3);
    expect_event(http, "end", 4, "3");
    assert_null(test_http_line(http));
    test_http_close(http);
}

static void more_items_than_a_window_come_whole_and_in_order(void **state)
{
    (void)state;
    struct test_http_client *http = get("/sse/demo.count?a=b&params=[20000]", "");
    assert_int_equal(test_http_answer(http), 200);
    expect_items(http, 1, 20000);
    expect_event(http, "end", 20001, "20000");
    test_http_close(http);
}

static void parameters_may_come_in_a_body(void **state)
{
    (void)state;
    struct test_http_client *http = test_http_open(world->url);
    test_http_post(http, "/sse/demo.tick", "", "[5,2]");
    assert_int_equal(test_http_answer(http), 200);
    expect_items(http, 1, 2);
    expect_event(http, "end", 3, "2");
    test_http_close(http);
}

static void the_answer_begins_before_the_first_item(void **state)
{
    (void)state;
    struct test_http_client *http = get("/sse/demo.tick?params=[60000,1]", "");
    assert_int_equal(test_http_answer(http), 200);
    test_http_close(http);
}

static void an_error_before_the_first_event_has_its_status(void **state)
{
    (void)state;
    expect_refused("/sse/demo.count?params=[-1]", "", 400, "{\"code\":\"invalid_argument\",");
    expect_refused("/sse/demo.count", "", 400, "invalid_argument");
    expect_refused("/sse/demo.count?params=[", "", 400, "the body is not JSON");
    expect_refused("/sse/demo.tick?params=[1,1]", "Weft-Timeout-Ms: 0\r\n", 504,
                   "\"executed\":\"no\"");
}

static void an_error_behind_it_is_an_event(void **state)
{
    (void)state;
    struct test_http_client *http =
        get("/sse/demo.tick?params=[1,10000000]", "Weft-Timeout-Ms: 300\r\n");
    assert_int_equal(test_http_answer(http), 200);
    const char *line;
    do
        line = test_http_line(http);
    while (line && strcmp(line, "event: error") != 0);
    assert_non_null(line);
    assert_non_null(strstr(test_http_line(http), "id: "));
    assert_non_null(strstr(test_http_line(http), "data: {\"code\":\"deadline_exceeded\","));
    expect_line(http, "");
    assert_null(test_http_line(http));
    test_http_close(http);
}

/* ---- What is refused ---- */

static void what_is_no_stream_is_refused(void **state)
{
    (void)state;
    expect_refused("/sse/subtract?params=[1,2]", "", 400, "weft.http.no_stream");
    expect_refused("/sse/demo.total", "", 400, "weft.rpc.streams_unsupported");
    expect_refused("/sse/demo.mirror", "", 400, "weft.rpc.streams_unsupported");
    expect_refused("/sse/nope", "", 404, "unimplemented");
    expect_refused("/sse/$/hello", "", 404, "unimplemented");
    expect_refused("/sse/demo.count?params=%5", "", 400, "weft.http.query");
    expect_refused("/sses", "", 404, "not found"); /* /sse is for messages */
    struct test_http_client *http = test_http_open(world->url);
    assert_true(test_http_print(http, "HEAD /sse/demo.count HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    int status = test_http_answer(http);
    assert_int_equal(status, 405);
    assert_string_equal(test_http_header(http, "Allow"), "GET, POST");
    test_http_close(http);
}

static void pages_of_other_sites_get_no_stream(void **state)
{
    (void)state;
    expect_refused("/sse/demo.count?params=[1]", "Origin: http://evil.example\r\n", 403,
                   "weft.http.origin");
    expect_refused("/sse/demo.count?params=[1]", "Sec-Fetch-Site: cross-site\r\n", 403,
                   "weft.http.origin");
    struct test_http_client *http =
        get("/sse/demo.count?params=[1]", "Sec-Fetch-Site: same-origin\r\n");
    assert_int_equal(test_http_answer(http), 200);
    test_http_close(http);
}

static void an_event_source_that_comes_back_is_told_to_stop(void **state)
{
    (void)state;
    struct test_http_client *http = get("/sse/demo.count?params=[3]", "Last-Event-ID: 4\r\n");
    assert_int_equal(test_http_answer(http), 204);
    test_http_close(http);
}

/* ---- The connection ---- */

/* The number behind |name| at /metrics, summed over the workers. */
static double metric(const char *name)
{
    char *text = test_http(world->url, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n"
                                       "Connection: close\r\n\r\n");
    double sum = 0;
    size_t len = strlen(name);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        if (strncmp(line, name, len) == 0)
            sum += strtod(strrchr(line, ' '), NULL);
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

static const char ticking[] = "weft_rpc_in_flight{method=\"demo.tick\"";
static const char counting[] = "weft_rpc_in_flight{method=\"demo.count\"";

static void a_client_that_leaves_cancels_the_call(void **state)
{
    (void)state;
    static const int cut[] = {0, 1};
    wait_for_metric(ticking, 0);
    for (size_t i = 0; i < sizeof(cut) / sizeof(cut[0]); i++) {
        struct test_http_client *http = get("/sse/demo.tick?params=[60000,2]", "");
        assert_int_equal(test_http_answer(http), 200);
        wait_for_metric(ticking, 1);
        wait_for_metric("weft_sse_streams", 1);
        if (cut[i])
            test_http_cut(http);
        else
            test_http_close(http);
        wait_for_metric(ticking, 0);
        wait_for_metric("weft_sse_streams", 0);
    }
}

static void a_slow_reader_slows_the_method_down(void **state)
{
    (void)state;
    static const char sent[] = "weft_rpc_sent_bytes_total{method=\"demo.count\"";
    enum { ITEMS = 10000000, MEMORY_MAX = 2 * 1024 * 1024 };
    struct test_http_client *http = get("/sse/demo.count?params=[10000000]", "");
    double before;
    double now = -1;
    assert_int_equal(test_http_answer(http), 200);
    /* These numbers are as much as a second old. */
    do {
        before = now;
        pause_ms(1200);
        now = metric(sent);
    } while (now != before);
    assert_true(metric(counting) == 1);
    assert_true(metric("weft_memory_connection_bytes") < MEMORY_MAX);
    /* Its buffers and the kernel's are full, and there is much more to come. */
    assert_true(now > 0 && now < ITEMS * 7.0);
    expect_items(http, 1, 50000);
    test_http_cut(http);
    wait_for_metric(counting, 0);
}

static void what_comes_behind_the_request_is_dropped(void **state)
{
    (void)state;
    static const char both[] =
        "GET /sse/demo.tick?params=[20,2] HTTP/1.1\r\nHost: localhost\r\n\r\n"
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    struct test_http_client *http = test_http_open(world->url);
    assert_true(test_http_print(http, both));
    assert_int_equal(test_http_answer(http), 200);
    assert_true(test_http_print(http, "more of it"));
    expect_items(http, 1, 2);
    expect_event(http, "end", 3, "2");
    assert_null(test_http_line(http));
    test_http_close(http);
}

static void a_silent_stream_says_something_now_and_then(void **state)
{
    (void)state;
    struct test_http_client *http = get("/sse/demo.tick?params=[60000,1]", "");
    assert_int_equal(test_http_answer(http), 200);
    expect_line(http, ":");
    expect_line(http, "");
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

static void a_drain_is_announced_and_waits_for_the_stream(void **state)
{
    (void)state;
    struct test_in_process *leaving = start_draining(10000);
    struct test_http_client *http = get_from(leaving, "/sse/demo.tick?params=[400,2]", "");
    assert_int_equal(test_http_answer(http), 200);
    expect_event(http, "item", 1, "1");
    test_in_process_stop_begin(leaving);
    expect_event(http, "goaway", 2, "{\"reason\":\"drain\",\"grace_ms\":");
    expect_event(http, "item", 3, "2");
    expect_event(http, "end", 4, "2");
    assert_null(test_http_line(http));
    test_http_close(http);
    test_in_process_free(leaving);
}

static void a_stream_longer_than_the_drain_is_cut_off(void **state)
{
    (void)state;
    struct test_in_process *leaving = start_draining(100);
    struct test_http_client *http = get_from(leaving, "/sse/demo.tick?params=[60000,2]", "");
    assert_int_equal(test_http_answer(http), 200);
    test_in_process_stop_begin(leaving);
    expect_event(http, "goaway", 1, "{");
    expect_event(http, "error", 2, "{\"code\":\"unavailable\",");
    assert_null(test_http_line(http));
    test_http_close(http);
    test_in_process_free(leaving);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_as_events_and_the_result_ends_them),
        cmocka_unit_test(more_items_than_a_window_come_whole_and_in_order),
        cmocka_unit_test(parameters_may_come_in_a_body),
        cmocka_unit_test(the_answer_begins_before_the_first_item),
        cmocka_unit_test(an_error_before_the_first_event_has_its_status),
        cmocka_unit_test(an_error_behind_it_is_an_event),
        cmocka_unit_test(what_is_no_stream_is_refused),
        cmocka_unit_test(pages_of_other_sites_get_no_stream),
        cmocka_unit_test(an_event_source_that_comes_back_is_told_to_stop),
        cmocka_unit_test(a_client_that_leaves_cancels_the_call),
        cmocka_unit_test(a_slow_reader_slows_the_method_down),
        cmocka_unit_test(what_comes_behind_the_request_is_dropped),
        cmocka_unit_test(a_silent_stream_says_something_now_and_then),
        cmocka_unit_test(a_drain_is_announced_and_waits_for_the_stream),
        cmocka_unit_test(a_stream_longer_than_the_drain_is_cut_off),
    };
    return cmocka_run_group_tests(tests, start_world, stop_world);
}
