/* SPDX-License-Identifier: Apache-2.0 */
/* The development methods, beyond the specification's examples: strict parameters, exact sums. */
#include "rpc_world.h"

static struct world world;

static int set_up(void **state)
{
    (void)state;
    return world_init(&world, weft_alloc_default(), true);
}

static int tear_down(void **state)
{
    (void)state;
    world_done(&world);
    return 0;
}

static void assert_result(const char *method, const char *params, const char *want)
{
    char text[256], answer[256];
    snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}",
             method, params);
    snprintf(answer, sizeof(answer), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":%s}\n", want);
    assert_exchange(&world, text, answer);
}

static void assert_refused(const char *method, const char *params, int number)
{
    char text[256], want[64];
    snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}",
             method, params);
    assert_ok(world_receive(&world, text));
    snprintf(want, sizeof(want), "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":%d,", number);
    assert_memory_equal(world.sent.ptr, want, strlen(want));
    weft__bytes_clear(&world.sent);
}

static void whole_numbers_stay_whole(void **state)
{
    (void)state;
    assert_result("sum", "[]", "0");
    assert_result("sum", "[9007199254740993,1]", "9007199254740994");
    assert_result("sum", "[1.0,2e0]", "3");
    assert_result("sum", "[0.5,0.25]", "0.75");
    assert_result("sum", "[9223372036854775807,1]", "9223372036854776000");
    assert_result("subtract", "[-9223372036854775807,1]", "-9223372036854775808");
    assert_result("subtract", "[1.5,0.5]", "1");
}

static void bad_parameters_are_invalid_arguments(void **state)
{
    (void)state;
    assert_refused("subtract", "[1]", -32602);
    assert_refused("subtract", "[1,2,3]", -32602);
    assert_refused("subtract", "[1,\"2\"]", -32602);
    assert_refused("subtract", "{\"minuend\":1}", -32602);
    assert_refused("subtract", "{\"minuend\":1,\"subtrahend\":null}", -32602);
    assert_refused("subtract", "{\"minuend\":1,\"other\":2}", -32602);
    assert_refused("subtract", "{\"minuend\":1,\"subtrahend\":2,\"more\":3}", -32602);
    assert_refused("subtract", "null", -32602);
    assert_refused("sum", "{}", -32602);
    assert_refused("sum", "[1,null]", -32602);
    assert_refused("sum", "null", -32602);
    assert_refused("get_data", "[1]", -32602);
    assert_refused("sum", "[1.7e308,1.7e308]", -32011);
}

static void violations_name_the_field(void **state)
{
    (void)state;
    assert_exchange(&world,
                    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"subtract\",\"params\":"
                    "{\"minuend\":1,\"subtrahend\":\"x\"}}",
                    ERROR_TEXT("1", "-32602", "Invalid params",
                               "\"code\":\"invalid_argument\",\"retryable\":false,"
                               "\"executed\":\"no\",\"violations\":[{\"field\":\"subtrahend\","
                               "\"rule\":\"number\"}]") "\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(whole_numbers_stay_whole),
        TEST(bad_parameters_are_invalid_arguments),
        TEST(violations_name_the_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
