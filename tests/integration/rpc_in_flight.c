/* SPDX-License-Identifier: Apache-2.0 */
/* Very many calls of one connection at a time, answered in any order. */
#include "lib/random.h"
#include "lib/server_process.h"
#include "lib/test.h"

enum { CALLS = 10000, WAIT_MS = 20000 };

static void answer_of(struct test_ws *ws, bool seen[CALLS], size_t *ret_id)
{
    uint64_t id;
    const char *text = test_ws_recv(ws, WAIT_MS);
    assert_non_null(text);
    const struct weft_json *answer = test_ws_parse(ws, text);
    if (!weft__json_get(answer, "result"))
        fail_msg("no result: %s", text);
    assert_true(weft__json_u53(weft__json_get(answer, "id"), &id));
    assert_true(id < CALLS && !seen[id]);
    seen[id] = true;
    *ret_id = (size_t)id;
}

static void ten_thousand_calls_are_answered_in_any_order(void **state)
{
    (void)state;
    static const char *const args[] = {"--in-flight", "10000", NULL};
    static bool seen[CALLS];
    struct test_random rng;
    struct test_server *server = test_server_new(args);
    struct test_ws *ws = test_ws_connect(server->url, "weft.v1.json");
    char text[128];
    size_t out_of_order = 0;
    size_t last = 0;
    test_random_init(&rng, "in flight");
    memset(seen, 0, sizeof(seen));
    for (unsigned i = 0; i < CALLS; i++) {
        snprintf(text, sizeof(text),
                 "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"demo.sleep\",\"params\":[%u]}", i,
                 1000 + (unsigned)test_random_below(&rng, 1000));
        test_ws_send(ws, text);
    }
    for (unsigned i = 0; i < CALLS; i++) {
        size_t id;
        answer_of(ws, seen, &id);
        out_of_order += id < last;
        last = id;
    }
    assert_true(out_of_order > CALLS / 20);
    test_ws_close(ws);
    test_server_free(server);
}

static void the_limits_are_announced(void **state)
{
    (void)state;
    static const char *const args[] = {"--in-flight",   "7",    "--streams", "3", "--batch", "5",
                                       "--max-message", "2MiB", NULL};
    struct test_server *server = test_server_new(args);
    struct test_ws *ws = test_ws_connect(server->url, "weft.v1.json");
    const struct weft_json *limits =
        weft__json_get(test_ws_result(ws, "$/hello", "{\"v\":[1,1]}"), "limits");
    static const struct {
        const char *name;
        uint64_t value;
    } expected[] = {{"in_flight", 7}, {"streams", 3}, {"batch", 5}, {"message_bytes", 2097152}};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(expected); i++) {
        uint64_t value = 0;
        assert_true(weft__json_u53(weft__json_get(limits, expected[i].name), &value));
        assert_int_equal(value, expected[i].value);
    }
    for (int i = 0; i < 7; i++)
        test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"method\":\"demo.sleep\",\"params\":[2000]}");
    assert_string_equal(test_ws_error(ws, "sum", "[1]"), "resource_exhausted");
    test_ws_close(ws);
    test_server_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_thousand_calls_are_answered_in_any_order),
        cmocka_unit_test(the_limits_are_announced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
