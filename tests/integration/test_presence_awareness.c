/* SPDX-License-Identifier: Apache-2.0 */
/* Who is here: arrival, several devices of one person, and leaving, by will or by death. */
#include "lib/doc_client.h"
#include "lib/server_process.h"
#include "lib/test.h"

#include <time.h>

/* The next presence of |client| is "gone", and comes within |timeout_ms|. */
static void expect_gone(struct test_doc *doc, const char *client, int timeout_ms)
{
    const struct weft_json *params = test_doc_wait(doc, "doc.presence", timeout_ms);
    assert_non_null(params);
    assert_true(weft__json_is(weft__json_get(params, "state"), WEFT_JSON_NULL));
    assert_true(
        weft__json_string_is(weft__json_get(weft__json_get(params, "by"), "client"), client));
}

static void open_two(struct test_doc *ada, struct test_doc *bob, const char *name)
{
    test_doc_open(ada, group_server->url, name, "ada");
    test_doc_open(bob, group_server->url, name, "bob");
    test_doc_present(ada, "Ada", 0, 0);
    assert_non_null(test_doc_wait(bob, "doc.presence", 5000));
}

static void closing_the_document_ends_presence(void **state)
{
    (void)state;
    struct test_doc ada;
    struct test_doc bob;
    open_two(&ada, &bob, "close");
    test_ws_result(ada.ws, "doc.close", "{\"doc\":\"close\"}");
    expect_gone(&bob, "ada", 1000);
    test_ws_close(ada.ws);
    test_ws_close(bob.ws);
}

static void a_killed_client_is_gone_within_a_second(void **state)
{
    (void)state;
    struct test_doc ada;
    struct test_doc bob;
    open_two(&ada, &bob, "kill");
    test_ws_cut(ada.ws);
    expect_gone(&bob, "ada", 1000);
    test_ws_close(bob.ws);
}

static void a_state_of_null_ends_presence_but_not_the_subscription(void **state)
{
    (void)state;
    struct test_doc ada;
    struct test_doc bob;
    char params[160];
    open_two(&ada, &bob, "null");
    snprintf(params, sizeof(params),
             "{\"doc\":\"null\",\"epoch\":\"%s\",\"version\":0,\"state\":null}", ada.epoch);
    test_ws_result(ada.ws, "doc.presence", params);
    expect_gone(&bob, "ada", 1000);
    test_doc_submit(&bob, "[\"x\"]");
    assert_non_null(test_doc_wait(&ada, "doc.op", 1000));
    test_ws_close(ada.ws);
    test_ws_close(bob.ws);
}

static void devices_of_one_person_come_and_go_each_for_itself(void **state)
{
    (void)state;
    struct test_doc ada;
    struct test_doc phone;
    struct test_doc bob;
    open_two(&ada, &bob, "devices");
    test_doc_open(&phone, group_server->url, "devices", "phone");
    test_doc_present(&phone, "Ada", 0, 0);
    const struct weft_json *params = test_doc_wait(&bob, "doc.presence", 5000);
    assert_true(
        weft__json_string_is(weft__json_get(weft__json_get(params, "by"), "client"), "phone"));
    test_ws_cut(phone.ws);
    expect_gone(&bob, "phone", 1000);
    assert_null(test_doc_wait(&bob, "doc.presence", 200));
    test_ws_close(ada.ws);
    test_ws_close(bob.ws);
}

/* Silent from now on: the socket stays, nothing is read or answered any more. */
static void a_client_that_falls_silent_is_gone_within_twelve_seconds(void **state)
{
    (void)state;
    struct test_doc ada;
    struct test_doc bob;
    open_two(&ada, &bob, "silent");
    expect_gone(&bob, "ada", 12000);
    /* Bob, who has no presence, is left in peace. */
    assert_string_equal(test_doc_text(&bob), "");
    test_ws_close(ada.ws);
    test_ws_close(bob.ws);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closing_the_document_ends_presence),
        cmocka_unit_test(a_killed_client_is_gone_within_a_second),
        cmocka_unit_test(a_state_of_null_ends_presence_but_not_the_subscription),
        cmocka_unit_test(devices_of_one_person_come_and_go_each_for_itself),
        cmocka_unit_test(a_client_that_falls_silent_is_gone_within_twelve_seconds),
    };
    return cmocka_run_group_tests(tests, test_server_group_start, test_server_group_stop);
}
