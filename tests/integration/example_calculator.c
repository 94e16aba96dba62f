/* SPDX-License-Identifier: Apache-2.0 */
/* examples/calculator.c as a process: called as its comments say. */
#include "integration/echo_process.h"
#include "lib/test.h"
#include "lib/ws_client.h"

#include <libgen.h>

static struct process process;
static char url[80];

static int start(void **state)
{
    char binary[512];
    char path[600];
    char line[64];
    (void)state;
    snprintf(binary, sizeof(binary), "%s", test_binary());
    snprintf(path, sizeof(path), "%s/../examples/calculator", dirname(binary));
    char *argv[] = {path, (char *)(uintptr_t) "127.0.0.1:0", NULL};
    int fds[2];
    posix_spawn_file_actions_t actions;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO), 0);
    assert_int_equal(posix_spawn_file_actions_addclose(&actions, fds[0]), 0);
    assert_int_equal(posix_spawn(&process.pid, path, &actions, NULL, argv, environ), 0);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(fds[1]);
    process.out = fds[0];
    read_line(process.out, line, sizeof(line));
    assert_memory_equal(line, "calculator: ws://", 17);
    snprintf(url, sizeof(url), "%s", line + 12);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    assert_int_equal(kill(process.pid, SIGTERM), 0);
    assert_int_equal(wait_exit(&process), 0);
    return 0;
}

static void it_calculates(void **state)
{
    (void)state;
    double value;
    struct test_ws *ws = test_ws_connect(url, NULL);
    assert_true(weft__json_double(test_ws_result(ws, "calc.add", "[20.5, 21.5]"), &value));
    assert_true(value == 42);
    assert_true(weft__json_double(test_ws_result(ws, "calc.divide", "[22, 7]"), &value));
    assert_true(value == 22.0 / 7.0);
    assert_true(weft__json_double(test_ws_result(ws, "calc.primes", "[1000]"), &value));
    assert_true(value == 168);
    test_ws_close(ws);
}

static void it_says_what_is_wrong(void **state)
{
    (void)state;
    struct test_ws *ws = test_ws_connect(url, NULL);
    assert_string_equal(test_ws_error(ws, "calc.add", "[\"x\"]"), "invalid_argument");
    assert_string_equal(test_ws_error(ws, "calc.divide", "[1, 0]"), "out_of_range");
    assert_string_equal(test_ws_error(ws, "calc.primes", "[99999999]"), "invalid_argument");
    test_ws_close(ws);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_calculates),
        cmocka_unit_test(it_says_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
