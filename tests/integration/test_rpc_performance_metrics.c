/* SPDX-License-Identifier: Apache-2.0 */
/* The numbers of each method at /metrics, after real calls of several connections. */
#include "lib/server_process.h"
#include "lib/test.h"

#include <unistd.h>

static char *metrics(void)
{
    return test_http(group_server->url,
                     "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
}

/* Workers publish once a second: waits until /metrics has |line|. */
static void expect_line(const char *line)
{
    enum { TRIES = 100, PAUSE_US = 50000 };
    char want[256];
    snprintf(want, sizeof(want), "\n%s\n", line);
    char *text = metrics();
    for (int i = 0; i < TRIES && !strstr(text, want); i++) {
        (void)usleep(PAUSE_US);
        free(text);
        text = metrics();
    }
    if (!strstr(text, want))
        fail_msg("no line %s in\n%s", line, text);
    free(text);
}

static void calls_errors_and_bytes_are_counted_by_method(void **state)
{
    (void)state;
    enum { CONNECTIONS = 3, CALLS = 20 };
    for (int c = 0; c < CONNECTIONS; c++) {
        struct test_ws *ws = test_ws_connect(group_server->url, NULL);
        for (int i = 0; i < CALLS; i++)
            (void)test_ws_result(ws, "demo.echo", "[\"ten bytes\"]");
        assert_string_equal(test_ws_error(ws, "demo.fail", "{\"code\":\"aborted\"}"), "aborted");
        assert_string_equal(test_ws_error(ws, "subtract", "[1]"), "invalid_argument");
        test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"method\":\"update\",\"params\":[1]}");
        (void)test_ws_result(ws, "sum", "[1]");
        test_ws_close(ws);
    }
    expect_line("weft_rpc_calls_total{method=\"demo.echo\"} 60");
    expect_line("weft_rpc_calls_total{method=\"demo.fail\"} 3");
    expect_line("weft_rpc_errors_total{method=\"demo.fail\",code=\"aborted\"} 3");
    expect_line("weft_rpc_errors_total{method=\"subtract\",code=\"invalid_argument\"} 3");
    expect_line("weft_rpc_notifications_total{method=\"update\"} 3");
    expect_line("weft_rpc_received_bytes_total{method=\"demo.echo\"} 780");
    expect_line("weft_rpc_sent_bytes_total{method=\"demo.echo\"} 780");
    expect_line("weft_rpc_duration_seconds_count{method=\"demo.echo\"} 60");
    expect_line("weft_rpc_duration_seconds_bucket{method=\"demo.echo\",le=\"+Inf\"} 60");
}

static void calls_in_flight_and_their_duration(void **state)
{
    (void)state;
    struct test_ws *ws = test_ws_connect(group_server->url, NULL);
    test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"demo.sleep\",\"params\":[2500]}");
    expect_line("weft_rpc_in_flight{method=\"demo.sleep\"} 1");
    assert_non_null(test_ws_recv(ws, 10000));
    expect_line("weft_rpc_in_flight{method=\"demo.sleep\"} 0");
    expect_line("weft_rpc_duration_seconds_bucket{method=\"demo.sleep\",le=\"0.500000000\"} 0");
    expect_line("weft_rpc_duration_seconds_bucket{method=\"demo.sleep\",le=\"10.000000000\"} 1");
    test_ws_close(ws);
}

static void a_method_never_called_takes_no_line(void **state)
{
    (void)state;
    char *text = metrics();
    assert_null(strstr(text, "method=\"get_data\""));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_errors_and_bytes_are_counted_by_method),
        cmocka_unit_test(calls_in_flight_and_their_duration),
        cmocka_unit_test(a_method_never_called_takes_no_line),
    };
    return cmocka_run_group_tests(tests, test_server_group_start, test_server_group_stop);
}
