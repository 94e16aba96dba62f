/* SPDX-License-Identifier: Apache-2.0 */
/* Serving calls: ids, deferred answers, cancellation, deadlines, batches, limits, lost peers. */
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

#define CALL(id, method) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"" method "\"}"
#define CALL_WITH(id, method, rest)                                                                \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"" method "\"," rest "}"
#define NOTE_WITH(method, rest) "{\"jsonrpc\":\"2.0\",\"method\":\"" method "\"," rest "}"
#define RESULT(id, value) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":" value "}"
#define CANCEL(id) NOTE_WITH("$/cancel", "\"params\":{\"id\":" id "}")
#define CANCELED(id)                                                                               \
    ERROR_TEXT(id, "-32800", "canceled",                                                           \
               "\"code\":\"canceled\",\"retryable\":false,\"executed\":\"unknown\"")

/* ---- ids ---- */

static void ids_are_echoed_byte_for_byte(void **state)
{
    (void)state;
    static const char *const ids[] = {"0",
                                      "-0",
                                      "-7",
                                      "9007199254740992",
                                      "-9007199254740992",
                                      "\"\"",
                                      "\"a b\"",
                                      "\"\\u0061\\n\\ud83d\\ude00\"",
                                      "\"\xf0\x9f\x98\x80\""};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(ids); ++i) {
        char text[256], want[256];
        snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\": %s ,\"method\":\"update\"}",
                 ids[i]);
        snprintf(want, sizeof(want), "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":null}\n", ids[i]);
        assert_exchange(&world, text, want);
    }
}

static void what_is_no_id_is_an_invalid_request(void **state)
{
    (void)state;
    static const char *const ids[] = {
        "null", "true", "1.0", "1.5", "1e2", "9007199254740993", "-9007199254740993", "[1]", "{}"};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(ids); ++i) {
        char text[256];
        snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"update\"}",
                 ids[i]);
        assert_exchange(&world, text, INVALID_REQUEST("null") "\n");
    }
}

static void a_string_id_has_128_bytes_at_most(void **state)
{
    (void)state;
    char text[512], want[512];
    snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":\"%0128d\",\"method\":\"update\"}",
             0);
    snprintf(want, sizeof(want), "{\"jsonrpc\":\"2.0\",\"id\":\"%0128d\",\"result\":null}\n", 0);
    assert_exchange(&world, text, want);
    snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":\"%0129d\",\"method\":\"update\"}",
             0);
    assert_exchange(&world, text, INVALID_REQUEST("null") "\n");
}

static void ids_of_the_server_are_refused_from_clients(void **state)
{
    (void)state;
    static const char want[] =
        ERROR_TEXT("null", "-32600", "ids beginning with $s are the server's",
                   "\"code\":\"invalid_argument\",\"retryable\":false,\"executed\":\"no\"") "\n";
    assert_exchange(&world, CALL("\"$s1\"", "update"), want);
    assert_exchange(&world, CALL("\"\\u0024s1\"", "update"), want);
    assert_exchange(&world, CALL("\"$t1\"", "update"), RESULT("\"$t1\"", "null") "\n");
}

static void a_live_id_is_refused_with_a_null_id(void **state)
{
    (void)state;
    static const char want[] =
        ERROR_TEXT("null", "-32600", "a call with this id is in flight",
                   "\"code\":\"invalid_argument\",\"reason\":\"weft.rpc.duplicate_id\","
                   "\"retryable\":false,\"executed\":\"no\"") "\n";
    assert_exchange(&world, CALL("\"a\"", "test.hold"), "");
    assert_exchange(&world, CALL("\"a\"", "update"), want);
    assert_exchange(&world, CALL("\"\\u0061\"", "update"), want);
    assert_exchange(&world, CALL("5", "test.hold"), "");
    assert_exchange(&world, CALL("\"5\"", "update"), RESULT("\"5\"", "null") "\n");
    weft__rpc_call_result(world_take(&world, 0), WEFT_SLICE_LIT("1"));
    assert_sent(&world, RESULT("\"a\"", "1") "\n");
    assert_exchange(&world, CALL("\"a\"", "update"), RESULT("\"a\"", "null") "\n");
    assert_int_equal(weft__rpc_peer_in_flight(&world.peer), 1);
}

/* ---- form ---- */

static void malformed_requests_are_refused_with_their_id(void **state)
{
    (void)state;
    assert_exchange(&world, "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":1}",
                    INVALID_REQUEST("5") "\n");
    assert_exchange(&world, CALL_WITH("5", "update", "\"params\":\"bar\""),
                    INVALID_REQUEST("5") "\n");
    assert_exchange(&world, "{\"id\":5,\"method\":\"update\"}", INVALID_REQUEST("null") "\n");
    assert_exchange(&world, "{\"jsonrpc\":\"1.0\",\"id\":5,\"method\":\"update\"}",
                    INVALID_REQUEST("null") "\n");
    assert_exchange(&world, "{\"jsonrpc\":2.0,\"id\":5,\"method\":\"update\"}",
                    INVALID_REQUEST("null") "\n");
    assert_exchange(&world, CALL_WITH("5", "update", "\"result\":1"), INVALID_REQUEST("5") "\n");
    assert_exchange(&world, "{\"jsonrpc\":\"2.0\",\"id\":5}", INVALID_REQUEST("5") "\n");
    assert_exchange(&world, "\"text\"", INVALID_REQUEST("null") "\n");
}

static void texts_that_are_not_strict_json_are_parse_errors(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "{",
        "\xef\xbb\xbf{}",
        CALL_WITH("1", "update", "\"id\":2"),
        CALL_WITH("1", "update", "\"params\":[1e400]"),
        CALL_WITH("1", "update", "\"params\":[\"\\ud800\"]"),
        CALL_WITH("1", "update", "\"params\":[\"\xff\"]"),
        CALL_WITH("1", "update", "\"params\":[0],\"x\":{\"a\":1,\"a\":1}"),
        CALL("1", "update") "x"};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(texts); ++i)
        assert_exchange(&world, texts[i], PARSE_ERROR "\n");
    char deep[512] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"demo.echo\",\"params\":";
    size_t len = strlen(deep);
    memset(deep + len, '[', 64);
    memset(deep + len + 64, ']', 64);
    strcpy(deep + len + 128, "}");
    assert_exchange(&world, deep, PARSE_ERROR "\n");
}

static void unknown_members_and_null_parameters_are_ignored(void **state)
{
    (void)state;
    assert_exchange(&world, CALL_WITH("1", "get_data", "\"params\":null,\"seq\":7,\"x\":{}"),
                    RESULT("1", "[\"hello\",5]") "\n");
    assert_exchange(&world, CALL_WITH("1", "update", "\"meta\":{\"timeout_ms\":\"soon\"}"),
                    RESULT("1", "null") "\n");
}

static void answers_that_nobody_waits_for_are_ignored(void **state)
{
    (void)state;
    assert_exchange(&world, RESULT("1", "2"), "");
    assert_exchange(&world, RESULT("\"$s1\"", "2"), "");
    assert_exchange(&world, METHOD_NOT_FOUND("null"), "");
    assert_exchange(&world, "[" RESULT("1", "2") "," RESULT("1", "2") "]", "");
    assert_int_equal(world.env.counters.strays, 5);
}

/* ---- answers ---- */

static void parameters_are_echoed_byte_for_byte(void **state)
{
    (void)state;
    assert_exchange(&world,
                    CALL_WITH("1", "demo.echo", "\"params\":{ \"a\" : 1.50e0,\"\\u0062\":[]}"),
                    RESULT("1", "{ \"a\" : 1.50e0,\"\\u0062\":[]}") "\n");
    assert_exchange(&world, CALL("1", "demo.echo"), RESULT("1", "null") "\n");
}

static void a_deferred_call_keeps_its_message(void **state)
{
    (void)state;
    world_greet(&world);
    assert_exchange(&world,
                    CALL_WITH("\"i\\u0064\"", "test.hold",
                              "\"params\":{\"a\\n\":[1,\"x\\ty\"]},\"meta\":{\"idem\":\"key\","
                              "\"traceparent\":\"00-\\u0061b\"}"),
                    "");
    struct weft_rpc_call *call = world_take(&world, 0);
    const struct weft_json *list = weft__json_get(weft__rpc_call_params(call), "a\n");
    assert_true(weft__json_string_is(weft__json_at(list, 1), "x\ty"));
    assert_true(weft__slice_eq_str(weft__rpc_call_meta(call)->idem, "key"));
    assert_true(weft__slice_eq_str(weft__rpc_call_meta(call)->traceparent, "00-ab"));
    assert_string_equal(weft__rpc_call_method(call), "test.hold");
    assert_ptr_equal(weft__rpc_call_user(call), &world);
    weft__rpc_call_result(call, weft__json_raw(weft__rpc_call_params(call)));
    assert_sent(&world, RESULT("\"i\\u0064\"", "{\"a\\n\":[1,\"x\\ty\"]}") "\n");
    assert_int_equal(weft__rpc_peer_in_flight(&world.peer), 0);
}

static void answers_go_out_in_any_order(void **state)
{
    (void)state;
    assert_exchange(&world, CALL("1", "test.hold"), "");
    assert_exchange(&world, CALL("2", "test.hold"), "");
    assert_exchange(&world, CALL("3", "update"), RESULT("3", "null") "\n");
    weft__rpc_call_result(world_take(&world, 1), WEFT_SLICE_LIT("\"b\""));
    weft__rpc_call_result(world_take(&world, 0), WEFT_SLICE_LIT("\"a\""));
    assert_sent(&world, RESULT("2", "\"b\"") "\n" RESULT("1", "\"a\"") "\n");
    assert_int_equal(world.lane, WEFT_RPC_LANE_DATA);
}

static void a_call_left_without_an_answer_is_internal(void **state)
{
    (void)state;
    static const char data[] = "\"code\":\"internal\",\"retryable\":false,\"executed\":\"unknown\"";
    char want[512];
    snprintf(
        want, sizeof(want), "%s%s%s",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32603,\"message\":\"the method gave "
        "no answer\",\"data\":{",
        data, "}}}\n");
    assert_exchange(&world, CALL("1", "test.forget"), want);
    assert_exchange(&world, NOTE_WITH("test.forget", "\"params\":[]"), "");
    assert_int_equal(world.runs, 2);
    assert_exchange(&world, CALL("1", "test.hold"), "");
    weft__rpc_call_drop(world_take(&world, 0));
    assert_sent(&world, want);
}

static void a_result_that_cannot_be_written_is_internal(void **state)
{
    (void)state;
    assert_exchange(
        &world, CALL("1", "test.garble"),
        ERROR_TEXT("1", "-32603", "the result could not be written",
                   "\"code\":\"internal\",\"retryable\":false,\"executed\":\"unknown\"") "\n");
}

static void deferring_and_answering_at_once_is_allowed(void **state)
{
    (void)state;
    assert_exchange(&world, CALL("1", "test.hurry"), RESULT("1", "\"early\"") "\n");
    assert_exchange(&world, NOTE_WITH("test.hurry", "\"params\":[]"), "");
    assert_int_equal(weft__rpc_peer_in_flight(&world.peer), 0);
}

static void errors_carry_all_that_is_known(void **state)
{
    (void)state;
    static const struct weft_rpc_violation violations[] = {{"text", "string.max_len"},
                                                           {"room", "required"}};
    struct weft_rpc_failure failure = {.status = WEFT_STATUS_RESOURCE_EXHAUSTED,
                                       .message = "slow \"down\"",
                                       .reason = "acme.quota",
                                       .executed = WEFT_RPC_EXECUTED_YES,
                                       .retry_after_ms = 1200,
                                       .violations = violations,
                                       .violation_count = 2};
    assert_exchange(&world, CALL("1", "test.hold"), "");
    weft__rpc_call_fail(world_take(&world, 0), &failure);
    assert_sent(&world,
                ERROR_TEXT("1", "-32008", "slow \\\"down\\\"",
                           "\"code\":\"resource_exhausted\",\"reason\":\"acme.quota\","
                           "\"retryable\":true,\"retry_after_ms\":1200,\"executed\":\"yes\","
                           "\"violations\":[{\"field\":\"text\",\"rule\":\"string.max_len\"},"
                           "{\"field\":\"room\",\"rule\":\"required\"}]") "\n");
}

static void every_status_has_its_number_and_name(void **state)
{
    (void)state;
    for (int status = WEFT_STATUS_CANCELED; status <= WEFT_STATUS_UNAUTHENTICATED; ++status) {
        char want[128];
        world.held_count = 0;
        assert_exchange(&world, CALL("1", "test.hold"), "");
        weft__rpc_call_error(world_take(&world, 0), status, NULL, NULL);
        snprintf(want, sizeof(want),
                 "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":%d,\"message\":\"%s\",\"data\":"
                 "{\"code\":\"%s\",",
                 weft_status_jsonrpc(status), weft_status_name(status), weft_status_name(status));
        assert_memory_equal(world.sent.ptr, want, strlen(want));
        weft__bytes_clear(&world.sent);
        assert_int_equal(world.env.counters.errors[status], 1);
    }
}

/* ---- cancellation and deadlines ---- */

static void cancel_answers_a_call_that_cannot_be_told(void **state)
{
    (void)state;
    assert_exchange(&world, CALL("\"a\"", "test.hold"), "");
    assert_exchange(&world, CANCEL("\"\\u0061\""), CANCELED("\"a\"") "\n");
    assert_true(weft__rpc_call_is_canceled(world.held[0]));
    weft__rpc_call_result(world_take(&world, 0), WEFT_SLICE_LIT("1"));
    assert_sent(&world, "");
}

static void cancel_leaves_the_answer_to_a_handler_that_is_told(void **state)
{
    (void)state;
    assert_exchange(&world, CALL("7", "test.hold_cancel"), "");
    assert_exchange(&world, CANCEL("7"), "");
    assert_exchange(&world, CANCEL("7"), "");
    assert_int_equal(world.cancel_count, 1);
    assert_int_equal(world.cancel_status, WEFT_STATUS_CANCELED);
    weft__rpc_call_error(world_take(&world, 0), WEFT_STATUS_CANCELED, NULL, NULL);
    assert_sent(&world, CANCELED("7") "\n");
}

static void cancel_of_what_is_not_in_flight_is_ignored(void **state)
{
    (void)state;
    assert_exchange(&world, CANCEL("7"), "");
    assert_exchange(&world, CANCEL("null"), "");
    assert_exchange(&world, NOTE_WITH("$/cancel", "\"params\":[7]"), "");
    assert_exchange(&world, "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancel\"}", "");
    assert_exchange(&world, CALL("7", "test.hold"), "");
    assert_exchange(&world, CANCEL("\"7\""), "");
    assert_exchange(&world, CANCEL("8"), "");
}

#define EXPIRED(id, executed)                                                                      \
    ERROR_TEXT(id, "-32004", "deadline_exceeded",                                                  \
               "\"code\":\"deadline_exceeded\",\"retryable\":false,\"executed\":\"" executed "\"")

static void a_deadline_answers_and_tells_the_handler(void **state)
{
    (void)state;
    world_greet(&world);
    assert_exchange(&world, CALL_WITH("7", "test.hold_cancel", "\"meta\":{\"timeout_ms\":50}"), "");
    world_advance_ms(&world, 49);
    assert_sent(&world, "");
    world_advance_ms(&world, 3);
    assert_sent(&world, EXPIRED("7", "unknown") "\n");
    assert_int_equal(world.cancel_status, WEFT_STATUS_DEADLINE_EXCEEDED);
    /* The id is free again, though the handler still holds the first call. */
    assert_exchange(&world, CALL("7", "update"), RESULT("7", "null") "\n");
    assert_int_equal(weft__rpc_peer_in_flight(&world.peer), 1);
    weft__rpc_call_result(world_take(&world, 0), WEFT_SLICE_LIT("1"));
    assert_sent(&world, "");
    assert_int_equal(weft__rpc_peer_in_flight(&world.peer), 0);
}

static void an_answer_in_time_stops_the_clock(void **state)
{
    (void)state;
    world_greet(&world);
    assert_exchange(&world, CALL_WITH("7", "test.hold_cancel", "\"meta\":{\"timeout_ms\":50}"), "");
    weft__rpc_call_result(world_take(&world, 0), WEFT_SLICE_LIT("1"));
    assert_sent(&world, RESULT("7", "1") "\n");
    world_advance_ms(&world, 1000);
    assert_sent(&world, "");
    assert_int_equal(world.cancel_count, 0);
}

static void a_timeout_of_zero_never_starts(void **state)
{
    (void)state;
    world_greet(&world);
    assert_exchange(&world, CALL_WITH("7", "test.hold", "\"meta\":{\"timeout_ms\":0}"),
                    EXPIRED("7", "no") "\n");
    assert_int_equal(world.runs, 0);
}

static void malformed_meta_is_refused_after_a_greeting(void **state)
{
    (void)state;
    static const char *const metas[] = {"1", "{\"timeout_ms\":-1}", "{\"timeout_ms\":1.5}",
                                        "{\"idem\":7}", "{\"traceparent\":[]}"};
    world_greet(&world);
    for (size_t i = 0; i < WEFT_ARRAY_LEN(metas); ++i) {
        char text[128];
        snprintf(text, sizeof(text),
                 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"update\",\"meta\":%s}", metas[i]);
        assert_exchange(
            &world, text,
            ERROR_TEXT(
                "1", "-32600", "malformed meta",
                "\"code\":\"invalid_argument\",\"retryable\":false,\"executed\":\"no\"") "\n");
    }
    assert_exchange(&world, CALL_WITH("1", "update", "\"meta\":{\"timeout_ms\":9,\"new\":[]}"),
                    RESULT("1", "null") "\n");
}

/* ---- batches ---- */

static void a_batch_is_answered_when_its_last_call_is(void **state)
{
    (void)state;
    assert_exchange(
        &world, "[" CALL("1", "test.hold") "," CALL("2", "update") "," CALL("3", "test.hold") "]",
        "");
    weft__rpc_call_result(world_take(&world, 1), WEFT_SLICE_LIT("\"c\""));
    assert_sent(&world, "");
    assert_exchange(&world, CALL("4", "update"), RESULT("4", "null") "\n");
    weft__rpc_call_result(world_take(&world, 0), WEFT_SLICE_LIT("\"a\""));
    assert_sent(&world,
                "[" RESULT("2", "null") "," RESULT("3", "\"c\"") "," RESULT("1", "\"a\"") "]\n");
}

static void a_canceled_member_does_not_hold_up_its_batch(void **state)
{
    (void)state;
    world_greet(&world);
    assert_exchange(&world,
                    "[" CALL("1", "test.hold") "," CALL_WITH("2", "test.hold",
                                                             "\"meta\":{"
                                                             "\"timeout_ms\":20}") "]",
                    "");
    assert_exchange(&world, CANCEL("1"), "");
    world_advance_ms(&world, 30);
    assert_sent(&world, "[" CANCELED("1") "," EXPIRED("2", "unknown") "]\n");
}

static void members_of_a_batch_may_not_share_an_id(void **state)
{
    (void)state;
    assert_exchange(&world, "[" CALL("1", "test.hold") "," CALL("1", "test.hold") "]", "");
    assert_int_equal(world.held_count, 1);
    weft__rpc_call_result(world_take(&world, 0), WEFT_SLICE_LIT("1"));
    assert_sent(&world, "[" ERROR_TEXT("null", "-32600", "a call with this id is in flight",
                                       "\"code\":\"invalid_argument\",\"reason\":"
                                       "\"weft.rpc.duplicate_id\",\"retryable\":false,"
                                       "\"executed\":\"no\"") "," RESULT("1", "1") "]\n");
}

static void methods_of_the_protocol_are_refused_in_a_batch(void **state)
{
    (void)state;
    assert_exchange(
        &world,
        "[" CALL_WITH("1", "$/hello",
                      "\"params\":{\"v\":[1,1]}") ",{\"jsonrpc\":\"2.0\",\"method\":"
                                                  "\"$/ping\"}]",
        "[" ERROR_TEXT(
            "1", "-32600", "not allowed in a batch",
            "\"code\":\"invalid_argument\",\"retryable\":false,\"executed\":\"no\"") "]\n");
    assert_false(world.peer.greeted);
    assert_exchange(&world, "[" CALL("1", "rpc.unknown") "]", "[" METHOD_NOT_FOUND("1") "]\n");
}

static void batch_of(size_t count, char *ret_text)
{
    strcpy(ret_text, "[");
    for (size_t i = 0; i < count; ++i)
        strcat(ret_text, i ? ",{\"jsonrpc\":\"2.0\",\"method\":\"test.forget\"}"
                           : "{\"jsonrpc\":\"2.0\",\"method\":\"test.forget\"}");
    strcat(ret_text, "]");
}

static void a_batch_has_100_members_at_most(void **state)
{
    (void)state;
    char text[101 * 48];
    batch_of(100, text);
    assert_exchange(&world, text, "");
    assert_int_equal(world.runs, 100);
    batch_of(101, text);
    assert_exchange(&world, text,
                    ERROR_TEXT("null", "-32008", "batch too large",
                               "\"code\":\"resource_exhausted\",\"reason\":\"weft.rpc.batch\","
                               "\"retryable\":true,\"executed\":\"no\"") "\n");
    assert_int_equal(world.runs, 100);
}

/* ---- limits ---- */

static void calls_over_the_limit_are_refused_at_once(void **state)
{
    (void)state;
    char text[128];
    for (int i = 0; i < 1024; ++i) {
        snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"test.hold\"}", i);
        assert_exchange(&world, text, "");
    }
    assert_exchange(&world, CALL("1024", "update"),
                    ERROR_TEXT("1024", "-32008", "too many calls in flight",
                               "\"code\":\"resource_exhausted\",\"reason\":\"weft.rpc.in_flight\","
                               "\"retryable\":true,\"executed\":\"no\"") "\n");
    assert_exchange(&world, CANCEL("5"), CANCELED("5") "\n");
    weft__rpc_call_drop(world_take(&world, 5));
    assert_exchange(&world, CALL("1024", "update"), RESULT("1024", "null") "\n");
    assert_int_equal(world.env.counters.in_flight, 1023);
}

static void deferred_notifications_count_against_the_limit(void **state)
{
    (void)state;
    world.env.limits.in_flight = 3;
    for (int i = 0; i < 5; ++i)
        assert_exchange(&world, NOTE_WITH("test.hold_cancel", "\"params\":[1]"), "");
    assert_int_equal(world.held_count, 3);
    assert_true(weft__rpc_call_is_notification(world.held[0]));
    for (size_t i = 0; i < 3; ++i)
        weft__rpc_call_result(world_take(&world, i), WEFT_SLICE_LIT("1"));
    assert_sent(&world, "");
    assert_int_equal(weft__rpc_peer_in_flight(&world.peer), 0);
}

/* ---- the end ---- */

static void a_lost_peer_detaches_its_calls(void **state)
{
    (void)state;
    struct world w;
    assert_ok(world_init(&w, weft_alloc_default(), true));
    assert_exchange(&w, CALL("1", "test.hold_cancel"), "");
    assert_exchange(&w, "[" CALL("2", "test.hold") "," CALL("3", "test.hold") "]", "");
    assert_exchange(&w, NOTE_WITH("test.hold_cancel", "\"params\":[1]"), "");
    weft__rpc_peer_done(&w.peer);
    assert_int_equal(w.cancel_count, 2);
    assert_int_equal(w.cancel_status, WEFT_STATUS_UNAVAILABLE);
    assert_int_equal(w.env.counters.in_flight, 4);
    for (size_t i = 0; i < 4; ++i) {
        struct weft_rpc_call *call = world_take(&w, i);
        assert_null(weft__rpc_call_peer(call));
        assert_null(weft__rpc_call_user(call));
        weft__rpc_call_result(call, WEFT_SLICE_LIT("1"));
    }
    assert_sent(&w, "");
    assert_int_equal(w.env.counters.in_flight, 0);
    weft__rpc_peer_init(&w.peer, &w.env, &(struct weft_rpc_peer_options){.events = &world_events});
    world_done(&w);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(ids_are_echoed_byte_for_byte),
        TEST(what_is_no_id_is_an_invalid_request),
        TEST(a_string_id_has_128_bytes_at_most),
        TEST(ids_of_the_server_are_refused_from_clients),
        TEST(a_live_id_is_refused_with_a_null_id),
        TEST(malformed_requests_are_refused_with_their_id),
        TEST(texts_that_are_not_strict_json_are_parse_errors),
        TEST(unknown_members_and_null_parameters_are_ignored),
        TEST(answers_that_nobody_waits_for_are_ignored),
        TEST(parameters_are_echoed_byte_for_byte),
        TEST(a_deferred_call_keeps_its_message),
        TEST(answers_go_out_in_any_order),
        TEST(a_call_left_without_an_answer_is_internal),
        TEST(a_result_that_cannot_be_written_is_internal),
        TEST(deferring_and_answering_at_once_is_allowed),
        TEST(errors_carry_all_that_is_known),
        TEST(every_status_has_its_number_and_name),
        TEST(cancel_answers_a_call_that_cannot_be_told),
        TEST(cancel_leaves_the_answer_to_a_handler_that_is_told),
        TEST(cancel_of_what_is_not_in_flight_is_ignored),
        TEST(a_deadline_answers_and_tells_the_handler),
        TEST(an_answer_in_time_stops_the_clock),
        TEST(a_timeout_of_zero_never_starts),
        TEST(malformed_meta_is_refused_after_a_greeting),
        TEST(a_batch_is_answered_when_its_last_call_is),
        TEST(a_canceled_member_does_not_hold_up_its_batch),
        TEST(members_of_a_batch_may_not_share_an_id),
        TEST(methods_of_the_protocol_are_refused_in_a_batch),
        TEST(a_batch_has_100_members_at_most),
        TEST(calls_over_the_limit_are_refused_at_once),
        TEST(deferred_notifications_count_against_the_limit),
        TEST(a_lost_peer_detaches_its_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
