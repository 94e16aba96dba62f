/* SPDX-License-Identifier: Apache-2.0 */
/* The first connection, when there are several servers: one of them is enough. */
#include "scripted_server.h"

#include <weft/client.h>

static char message[256];

static int connect_to(const struct script *first, const struct script *second,
                      struct weft_client **ret_client)
{
    const char *const more[] = {second->url, NULL};
    struct weft_client_options options;
    weft_client_options_init(&options);
    options.url = first->url;
    options.more_urls = more;
    return weft_client_connect(&options, ret_client, message, sizeof(message));
}

static void serve_one(struct script *script)
{
    script_answer(script, script_expect(script, "who"), "\"result\":\"second\"");
}

/* Connects to |bad|, and to a good one behind it. */
static void check_passed_over(struct script *bad)
{
    struct script good = {.run = serve_one};
    struct weft_client *client = NULL;
    struct weft_answer *answer = NULL;
    script_start(bad);
    script_start(&good);
    int err = connect_to(bad, &good, &client);
    if (!err) {
        assert_ok(weft_client_call_wait(client, "who", NULL, 0, &answer));
        assert_string_equal(answer->result, "\"second\"");
        weft_answer_free(answer);
        weft_client_close(client);
    }
    script_stop(bad);
    script_stop(&good);
    assert_string_equal(message, "");
    assert_ok(err);
}

static void a_server_that_refuses_the_upgrade_is_passed_over(void **state)
{
    (void)state;
    struct script bad = {.status = 503};
    check_passed_over(&bad);
}

static void a_server_without_our_subprotocol_is_passed_over(void **state)
{
    (void)state;
    struct script bad = {.no_protocol = true};
    check_passed_over(&bad);
}

static void a_server_that_refuses_the_greeting_for_now_is_passed_over(void **state)
{
    (void)state;
    struct script bad = {.hello = "\"error\":{\"code\":-32014,\"message\":\"stopping\",\"data\":{"
                                  "\"status\":\"unavailable\"}}"};
    check_passed_over(&bad);
}

static void the_last_refusal_is_told_when_all_refuse(void **state)
{
    (void)state;
    struct script first = {.status = 503};
    struct script second = {.status = 404};
    struct weft_client *client = NULL;
    script_start(&first);
    script_start(&second);
    assert_err(connect_to(&first, &second, &client), WEFT_ERR_HANDSHAKE);
    assert_non_null(strstr(message, second.url));
    assert_non_null(strstr(message, "404"));
    script_stop(&first);
    script_stop(&second);
}

static void who_is_not_let_in_need_not_ask_elsewhere(void **state)
{
    (void)state;
    struct script first = {.hello = "\"error\":{\"code\":-32016,\"message\":\"no\",\"data\":{"
                                    "\"status\":\"unauthenticated\"}}"};
    struct script second = {.run = serve_one};
    struct weft_client *client = NULL;
    script_start(&first);
    script_start(&second);
    assert_err(connect_to(&first, &second, &client), WEFT_ERR_DENIED);
    script_stop(&first);
    script_stop(&second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_that_refuses_the_upgrade_is_passed_over),
        cmocka_unit_test(a_server_without_our_subprotocol_is_passed_over),
        cmocka_unit_test(a_server_that_refuses_the_greeting_for_now_is_passed_over),
        cmocka_unit_test(the_last_refusal_is_told_when_all_refuse),
        cmocka_unit_test(who_is_not_let_in_need_not_ask_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
