/* SPDX-License-Identifier: Apache-2.0 */
/* Selections of others, moved by every operation. */
#include "lib/doc_client.h"
#include "lib/server_process.h"
#include "lib/test.h"

static void expect_selection(const struct weft_json *params, uint64_t version, uint64_t anchor,
                             uint64_t head)
{
    uint64_t got;
    assert_non_null(params);
    const struct weft_json *selection =
        weft__json_at(weft__json_get(weft__json_get(params, "state"), "selections"), 0);
    assert_true(weft__json_u53(weft__json_get(params, "version"), &got));
    assert_int_equal(got, version);
    assert_true(weft__json_u53(weft__json_get(selection, "anchor"), &got));
    assert_int_equal(got, anchor);
    assert_true(weft__json_u53(weft__json_get(selection, "head"), &got));
    assert_int_equal(got, head);
}

static void a_selection_reaches_the_others_with_name_and_colour(void **state)
{
    (void)state;
    struct test_doc ada;
    struct test_doc bob;
    test_doc_open(&ada, group_server->url, "cursor", "ada");
    test_doc_open(&bob, group_server->url, "cursor", "bob");
    test_doc_submit(&ada, "[\"hello\"]");
    assert_non_null(test_doc_wait(&bob, "doc.op", 5000));
    test_doc_present(&ada, "Ada", 1, 4);
    const struct weft_json *params = test_doc_wait(&bob, "doc.presence", 5000);
    expect_selection(params, 1, 1, 4);
    const struct weft_json *shown = weft__json_get(params, "state");
    assert_true(weft__json_string_is(weft__json_get(shown, "name"), "Ada"));
    assert_true(weft__json_string_is(weft__json_get(shown, "color"), "#345"));
    test_ws_close(ada.ws);
    test_ws_close(bob.ws);
}

static void a_selection_is_moved_over_operations_its_sender_had_not_seen(void **state)
{
    (void)state;
    struct test_doc ada;
    struct test_doc bob;
    test_doc_open(&ada, group_server->url, "behind", "ada");
    test_doc_open(&bob, group_server->url, "behind", "bob");
    test_doc_submit(&ada, "[\"hello\"]");
    assert_non_null(test_doc_wait(&bob, "doc.op", 5000));
    bob.version = 1;
    test_doc_submit(&bob, "[\"__\"]");
    /* Ada speaks of version 1; what Bob gets is at version 2, two characters further. */
    test_doc_present(&ada, "Ada", 0, 5);
    expect_selection(test_doc_wait(&bob, "doc.presence", 5000), 2, 0, 7);
    test_doc_present(&ada, "Ada", 2, 2);
    expect_selection(test_doc_wait(&bob, "doc.presence", 5000), 2, 4, 4);
    test_ws_close(ada.ws);
    test_ws_close(bob.ws);
}

static void a_newcomer_is_told_where_everybody_is_now(void **state)
{
    (void)state;
    struct test_doc ada;
    struct test_doc bob;
    struct test_doc eve;
    test_doc_open(&ada, group_server->url, "newcomer", "ada");
    test_doc_open(&bob, group_server->url, "newcomer", "bob");
    test_doc_submit(&ada, "[\"hello\"]");
    test_doc_present(&ada, "Ada", 3, 3);
    assert_non_null(test_doc_wait(&bob, "doc.presence", 5000));
    bob.version = 1;
    test_doc_submit(&bob, "[1,{\"d\":1}]");
    test_doc_open(&eve, group_server->url, "newcomer", "eve");
    expect_selection(test_doc_wait(&eve, "doc.presence", 5000), 2, 2, 2);
    test_ws_close(ada.ws);
    test_ws_close(bob.ws);
    test_ws_close(eve.ws);
}

static void a_selection_that_is_malformed_is_refused_and_shown_to_nobody(void **state)
{
    (void)state;
    static const char *const states[] = {
        "7",
        "{\"selections\":7}",
        "{\"selections\":[{\"anchor\":-1,\"head\":0}]}",
        "{\"selections\":[{\"anchor\":1.5,\"head\":0}]}",
        "{\"name\":7}",
    };
    char params[256];
    struct test_doc ada;
    test_doc_open(&ada, group_server->url, "malformed", "ada");
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        snprintf(params, sizeof(params),
                 "{\"doc\":\"malformed\",\"epoch\":\"%s\",\"version\":0,\"state\":%s}", ada.epoch,
                 states[i]);
        assert_string_equal(test_ws_error(ada.ws, "doc.presence", params), "invalid_argument");
    }
    test_ws_close(ada.ws);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_selection_reaches_the_others_with_name_and_colour),
        cmocka_unit_test(a_selection_is_moved_over_operations_its_sender_had_not_seen),
        cmocka_unit_test(a_newcomer_is_told_where_everybody_is_now),
        cmocka_unit_test(a_selection_that_is_malformed_is_refused_and_shown_to_nobody),
    };
    return cmocka_run_group_tests(tests, test_server_group_start, test_server_group_stop);
}
