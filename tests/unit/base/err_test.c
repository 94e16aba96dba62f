/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of weft/err.h: every entry is reachable by number and by name, and nothing else is. */
#include "lib/test.h"

struct err {
    int number;
    const char *name;
    const char *text;
};

static const struct err ERRS[] = {
#define ROW(name, number, text) {number, #name, text},
    WEFT_ERR_TABLE(ROW)
#undef ROW
};

struct status {
    int number;
    const char *name;
    int rpc;
};

static const struct status STATUSES[] = {
#define ROW(name, number, text, rpc) {number, text, rpc},
    WEFT_STATUS_TABLE(ROW)
#undef ROW
};

enum {
    ERR_COUNT = sizeof(ERRS) / sizeof(*ERRS),
    STATUS_COUNT = sizeof(STATUSES) / sizeof(*STATUSES),
};

static void every_error_has_its_name_and_text(void **state)
{
    (void)state;
    for (int i = 0; i < ERR_COUNT; i++) {
        assert_string_equal(weft_err_name(ERRS[i].number), ERRS[i].name);
        assert_string_equal(weft_err_message(ERRS[i].number), ERRS[i].text);
        assert_true(ERRS[i].text[strlen(ERRS[i].text) - 1] != '.');
        for (int j = 0; j < i; j++)
            assert_int_not_equal(ERRS[i].number, ERRS[j].number);
    }
    assert_int_equal(WEFT_ERR_CONFLICT, -305);
}

static void success_and_counts_are_ok(void **state)
{
    (void)state;
    assert_string_equal(weft_err_name(0), "OK");
    assert_string_equal(weft_err_name(42), "OK");
    assert_string_equal(weft_err_message(0), "success");
}

static void numbers_outside_the_table_are_unknown(void **state)
{
    (void)state;
    const int numbers[] = {-1, -100, -199, -999, -1000000, INT32_MIN};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
        assert_string_equal(weft_err_name(numbers[i]), "?");
        assert_string_equal(weft_err_message(numbers[i]), "unknown error");
        assert_int_equal(weft_status_from_err(numbers[i]), WEFT_STATUS_INTERNAL);
    }
}

static void statuses_are_one_to_sixteen(void **state)
{
    (void)state;
    assert_int_equal(STATUS_COUNT, 16);
    for (int i = 0; i < STATUS_COUNT; i++) {
        assert_int_equal(STATUSES[i].number, i + 1);
        assert_string_equal(weft_status_name(i + 1), STATUSES[i].name);
        assert_int_equal(weft_status_jsonrpc(i + 1), STATUSES[i].rpc);
        for (int j = 0; j < i; j++)
            assert_int_not_equal(STATUSES[i].rpc, STATUSES[j].rpc);
    }
    assert_string_equal(weft_status_name(0), "ok");
    assert_string_equal(weft_status_name(17), "unknown");
    assert_string_equal(weft_status_name(-1), "unknown");
    assert_int_equal(weft_status_jsonrpc(0), -32002);
    assert_int_equal(weft_status_jsonrpc(17), -32002);
}

/* The specification of JSON-RPC 2.0, section 5.1, keeps -32768 to -32000 for itself and names five
 * of them. */
static void predefined_jsonrpc_numbers_keep_their_meaning(void **state)
{
    (void)state;
    assert_int_equal(weft_status_jsonrpc(WEFT_STATUS_UNIMPLEMENTED), -32601);
    assert_int_equal(weft_status_jsonrpc(WEFT_STATUS_INVALID_ARGUMENT), -32602);
    assert_int_equal(weft_status_jsonrpc(WEFT_STATUS_INTERNAL), -32603);
}

static void status_is_found_by_its_exact_name(void **state)
{
    (void)state;
    for (int i = 0; i < STATUS_COUNT; i++) {
        const char *name = STATUSES[i].name;
        assert_int_equal(weft_status_from_name(name, strlen(name)), STATUSES[i].number);
        assert_int_equal(weft_status_from_name(name, strlen(name) - 1), WEFT_STATUS_UNKNOWN);
    }
    assert_int_equal(weft_status_from_name("aborted ", 8), WEFT_STATUS_UNKNOWN);
    assert_int_equal(weft_status_from_name("ABORTED", 7), WEFT_STATUS_UNKNOWN);
    assert_int_equal(weft_status_from_name("", 0), WEFT_STATUS_UNKNOWN);
    assert_int_equal(weft_status_from_name("aborted, and more", 7), WEFT_STATUS_ABORTED);
}

static void every_error_tells_a_caller_something(void **state)
{
    (void)state;
    assert_int_equal(weft_status_from_err(0), WEFT_STATUS_OK);
    for (int i = 0; i < ERR_COUNT; i++) {
        int status = weft_status_from_err(ERRS[i].number);
        assert_in_range(status, 1, 16);
    }
    assert_int_equal(weft_status_from_err(WEFT_ERR_OP), WEFT_STATUS_INVALID_ARGUMENT);
    assert_int_equal(weft_status_from_err(WEFT_ERR_CORRUPT), WEFT_STATUS_DATA_LOSS);
    assert_int_equal(weft_status_from_err(WEFT_ERR_STORE), WEFT_STATUS_UNAVAILABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_has_its_name_and_text),
        cmocka_unit_test(success_and_counts_are_ok),
        cmocka_unit_test(numbers_outside_the_table_are_unknown),
        cmocka_unit_test(statuses_are_one_to_sixteen),
        cmocka_unit_test(predefined_jsonrpc_numbers_keep_their_meaning),
        cmocka_unit_test(status_is_found_by_its_exact_name),
        cmocka_unit_test(every_error_tells_a_caller_something),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
