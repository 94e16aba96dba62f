/* SPDX-License-Identifier: Apache-2.0 */
/* Close codes: RFC 6455 §7.4. */
#include "unit/ws/conn_log.h"

static void codes_that_may_be_on_the_wire(void **state)
{
    (void)state;
    static const struct {
        unsigned first, last;
    } ranges[] = {{1000, 1003}, {1007, 1014}, {3000, 4999}};
    for (unsigned code = 0; code < 70000; code++) {
        bool want = false;
        for (size_t i = 0; i < 3; i++)
            want = want || (code >= ranges[i].first && code <= ranges[i].last);
        assert_int_equal(weft__ws_close_code_valid(code), want);
    }
}

static void every_error_has_a_close_code(void **state)
{
    (void)state;
    assert_int_equal(weft__ws_close_code_from_err(WEFT_ERR_PROTOCOL), 1002);
    assert_int_equal(weft__ws_close_code_from_err(WEFT_ERR_JSON), 1002);
    assert_int_equal(weft__ws_close_code_from_err(WEFT_ERR_UTF8), 1007);
    assert_int_equal(weft__ws_close_code_from_err(WEFT_ERR_TOO_BIG), 1009);
    assert_int_equal(weft__ws_close_code_from_err(WEFT_ERR_UNSUPPORTED), 1003);
    assert_int_equal(weft__ws_close_code_from_err(WEFT_ERR_LIMIT), 1008);
    assert_int_equal(weft__ws_close_code_from_err(WEFT_ERR_DENIED), 1008);
    assert_int_equal(weft__ws_close_code_from_err(WEFT_ERR_NOMEM), 1011);
    assert_int_equal(weft__ws_close_code_from_err(WEFT_ERR_INTERNAL), 1011);
#define CHECK_ERR(name, number, text)                                                              \
    assert_true(weft__ws_close_code_valid(weft__ws_close_code_from_err(number)));
    WEFT_ERR_TABLE(CHECK_ERR)
#undef CHECK_ERR
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_that_may_be_on_the_wire),
        cmocka_unit_test(every_error_has_a_close_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
