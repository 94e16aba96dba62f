/* SPDX-License-Identifier: Apache-2.0 */
/* examples/calculator.c as a process: called as its comments say. */
#include "integration/example_process.h"

static struct example example;
static const char *const url = example.url;

static int start(void **state)
{
    (void)state;
    example_start_server(&example, "calculator", NULL);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    example_stop(&example);
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
