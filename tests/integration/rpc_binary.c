/* SPDX-License-Identifier: Apache-2.0 */
/* The binary wire over a real connection: greeting, calls, errors, streams, documents beside a text
 * client. */
#include "lib/server_process.h"
#include "lib/test.h"

#include "rpc/binary.h"

enum { WAIT_MS = 10000 };

static struct weft_arena arena;

/* Sends a frame with |payload|, JSON or NULL. */
static void send_frame(struct test_ws *ws, struct weft_rpc_head head, uint32_t id,
                       const char *payload)
{
    struct weft_bytes out;
    uint8_t raw[4];
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    weft__rpc_binary_put_id(id, raw);
    head.id = weft__slice(raw, id ? 4 : 0);
    head.has_payload = payload != NULL;
    weft__rpc_binary_begin(&out, &head);
    if (payload)
        weft__bytes_append_str(&out, payload);
    struct weft_slice message = weft__rpc_binary_end(&out, &head);
    assert_ok(weft__bytes_error(&out));
    test_ws_send_binary(ws, message.ptr, message.len);
    weft__bytes_done(&out);
}

static void send_call(struct test_ws *ws, uint32_t id, const char *method, const char *params)
{
    send_frame(
        ws, (struct weft_rpc_head){.kind = WEFT_RPC_KIND_CALL, .method = weft__slice_str(method)},
        id, params);
}

/* The next message, which holds one frame, of |kind|. */
static const struct weft_rpc_frame *next_frame(struct test_ws *ws, enum weft_rpc_kind kind)
{
    static const struct weft_rpc_decode_options options = {.max_batch = 1};
    struct weft_rpc_message message;
    struct weft_slice data = test_ws_recv_binary(ws, WAIT_MS);
    assert_true(data.len > 0);
    assert_ok(weft__rpc_binary_decode(data, &arena, &options, &message));
    assert_int_equal(message.count, 1);
    assert_int_equal(message.frames[0].kind, kind);
    return &message.frames[0];
}

static const struct weft_json *next_result(struct test_ws *ws, uint32_t id)
{
    const struct weft_rpc_frame *frame = next_frame(ws, WEFT_RPC_KIND_RESULT);
    assert_int_equal(weft__rpc_binary_id(frame->id.raw), id);
    return frame->value;
}

static struct test_ws *connect_binary(void)
{
    struct test_ws *ws = test_ws_connect(group_server->url, "weft.v1.pb");
    send_call(ws, 1, "$/hello", "{\"v\":[1,1],\"features\":[]}");
    assert_non_null(weft__json_get(next_result(ws, 1), "limits"));
    return ws;
}

static void calls_are_answered(void **state)
{
    (void)state;
    struct test_ws *ws = connect_binary();
    send_call(ws, 3, "sum", "[1,2,4]");
    assert_true(weft__slice_eq_str(weft__json_raw(next_result(ws, 3)), "7"));
    send_call(ws, 5, "demo.echo", "{\"a\":\"\xc3\xa9\"}");
    assert_true(weft__slice_eq_str(weft__json_raw(next_result(ws, 5)), "{\"a\":\"\xc3\xa9\"}"));
    test_ws_close(ws);
}

static void errors_say_all_that_they_say_as_text(void **state)
{
    (void)state;
    struct test_ws *ws = connect_binary();
    send_call(ws, 3, "demo.fail",
              "{\"code\":\"resource_exhausted\",\"message\":\"slow\",\"reason\":\"acme.quota\","
              "\"retry_after_ms\":1200,\"violations\":[{\"field\":\"text\",\"rule\":\"max_len\"}],"
              "\"details\":[10,20]}");
    const struct weft_rpc_error *error = &next_frame(ws, WEFT_RPC_KIND_ERROR)->error;
    assert_int_equal(error->status, WEFT_STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(error->number, -32008);
    assert_true(weft__slice_eq_str(error->message, "slow"));
    assert_true(weft__slice_eq_str(error->reason, "acme.quota"));
    assert_true(error->retryable);
    assert_int_equal(error->retry_after_ms, 1200);
    assert_int_equal(error->executed, WEFT_RPC_EXECUTED_NO);
    assert_int_equal(error->violation_count, 1);
    assert_true(weft__slice_eq_str(error->violations[0].rule, "max_len"));
    assert_true(weft__slice_eq_str(weft__json_raw(error->details), "[10,20]"));
    send_call(ws, 5, "no.such", NULL);
    assert_int_equal(next_frame(ws, WEFT_RPC_KIND_ERROR)->error.status, WEFT_STATUS_UNIMPLEMENTED);
    send_call(ws, 7, "sum", "not json");
    assert_int_equal(next_frame(ws, WEFT_RPC_KIND_ERROR)->error.number, WEFT_RPC_PARSE_ERROR);
    test_ws_close(ws);
}

static void streams_flow_with_credit(void **state)
{
    (void)state;
    struct test_ws *ws = connect_binary();
    send_call(ws, 3, "demo.count", "[20]");
    for (int64_t i = 1; i <= 20; i++) {
        int64_t value = 0;
        if (i == 17)
            send_frame(ws,
                       (struct weft_rpc_head){
                           .kind = WEFT_RPC_KIND_CREDIT, .items_total = 100, .bytes_total = 100000},
                       3, NULL);
        assert_true(weft__json_i64(next_frame(ws, WEFT_RPC_KIND_ITEM)->value, &value));
        assert_int_equal(value, i);
    }
    assert_true(weft__slice_eq_str(weft__json_raw(next_result(ws, 3)), "20"));
    send_call(ws, 5, "demo.total", NULL);
    send_frame(ws, (struct weft_rpc_head){.kind = WEFT_RPC_KIND_ITEM}, 5, "40");
    send_frame(ws, (struct weft_rpc_head){.kind = WEFT_RPC_KIND_ITEM}, 5, "2");
    send_frame(ws, (struct weft_rpc_head){.kind = WEFT_RPC_KIND_END}, 5, NULL);
    assert_true(weft__slice_eq_str(weft__json_raw(next_result(ws, 5)), "42"));
    test_ws_close(ws);
}

static void pings_and_cancellations(void **state)
{
    (void)state;
    struct test_ws *ws = connect_binary();
    send_frame(ws, (struct weft_rpc_head){.kind = WEFT_RPC_KIND_PING}, 0, NULL);
    (void)next_frame(ws, WEFT_RPC_KIND_PONG);
    send_call(ws, 3, "demo.sleep", "[30000]");
    send_frame(ws, (struct weft_rpc_head){.kind = WEFT_RPC_KIND_CANCEL}, 3, NULL);
    assert_int_equal(next_frame(ws, WEFT_RPC_KIND_ERROR)->error.status, WEFT_STATUS_CANCELED);
    test_ws_close(ws);
}

static void operations_reach_both_wires(void **state)
{
    (void)state;
    struct test_ws *binary = connect_binary();
    struct test_ws *text = test_ws_connect_greeted(group_server->url);
    const struct weft_json *opened =
        test_ws_result(text, "doc.open", "{\"doc\":\"both\",\"create\":true,\"client\":\"t\"}");
    struct weft_slice epoch = weft__json_string(weft__json_get(opened, "epoch"));
    send_call(binary, 3, "doc.open", "{\"doc\":\"both\",\"client\":\"b\"}");
    (void)next_result(binary, 3);
    char params[256];
    for (int i = 1; i <= 3; i++) {
        snprintf(params, sizeof(params),
                 "{\"doc\":\"both\",\"epoch\":\"%.*s\",\"client\":\"t\",\"seq\":%d,\"version\":%d,"
                 "\"op\":[\"x\"]}",
                 (int)epoch.len, (const char *)epoch.ptr, i, i - 1);
        (void)test_ws_result(text, "doc.submit", params);
    }
    for (int64_t i = 1; i <= 3; i++) {
        const struct weft_rpc_frame *frame = next_frame(binary, WEFT_RPC_KIND_NOTIFY);
        int64_t version = 0;
        assert_true(weft__slice_eq_str(frame->method, "doc.op"));
        assert_true(weft__json_i64(weft__json_get(frame->params, "version"), &version));
        assert_int_equal(version, i);
    }
    snprintf(params, sizeof(params),
             "{\"doc\":\"both\",\"epoch\":\"%.*s\",\"client\":\"b\",\"seq\":1,\"version\":3,"
             "\"op\":[\"y\"]}",
             (int)epoch.len, (const char *)epoch.ptr);
    send_call(binary, 5, "doc.submit", params);
    (void)next_result(binary, 5);
    assert_true(weft__json_string_is(weft__json_get(test_ws_next(text), "method"), "doc.op"));
    test_ws_close(binary);
    test_ws_close(text);
}

/* Submits |op|, the inside of an operation's array, made at |version|. */
static void submit(struct test_ws *ws, struct weft_slice epoch, int seq, int version,
                   const char *op)
{
    struct weft_bytes params;
    weft__bytes_init(&params, weft_alloc_default(), SIZE_MAX);
    weft__bytes_append_str(&params, "{\"doc\":\"grown\",\"epoch\":\"");
    weft__bytes_append_slice(&params, epoch);
    weft__bytes_append_str(&params, "\",\"client\":\"t\",\"seq\":");
    weft__bytes_append_u64(&params, (uint64_t)seq);
    weft__bytes_append_str(&params, ",\"version\":");
    weft__bytes_append_u64(&params, (uint64_t)version);
    weft__bytes_append_str(&params, ",\"op\":[");
    weft__bytes_append_str(&params, op);
    weft__bytes_append(&params, "]}", 3);
    assert_ok(weft__bytes_error(&params));
    (void)test_ws_result(ws, "doc.submit", (const char *)params.ptr);
    weft__bytes_done(&params);
}

/* |part|, |count| times, with |between|. Free it. */
static char *repeated(const char *part, const char *between, size_t count)
{
    struct weft_bytes text;
    weft__bytes_init(&text, weft_alloc_default(), SIZE_MAX);
    for (size_t i = 0; i < count; i++) {
        weft__bytes_append_str(&text, i ? between : "");
        weft__bytes_append_str(&text, part);
    }
    weft__bytes_append_byte(&text, 0);
    assert_ok(weft__bytes_error(&text));
    char *copy = strdup((const char *)text.ptr);
    assert_non_null(copy);
    weft__bytes_done(&text);
    return copy;
}

/* A deletion is divided by every insertion that came before it. */
static void operations_that_grow_beyond_the_limits_of_a_message_are_sent(void **state)
{
    (void)state;
    enum { INSERTIONS = 80000 };
    struct test_ws *binary = connect_binary();
    struct test_ws *text = test_ws_connect_greeted(group_server->url);
    const struct weft_json *opened =
        test_ws_result(text, "doc.open", "{\"doc\":\"grown\",\"create\":true,\"client\":\"t\"}");
    struct weft_slice epoch = weft__json_string(weft__json_get(opened, "epoch"));
    char *content = repeated("xx", "", INSERTIONS);
    char *quoted = malloc(2 * INSERTIONS + 3);
    assert_non_null(quoted);
    snprintf(quoted, 2 * INSERTIONS + 3, "\"%s\"", content);
    submit(text, epoch, 1, 0, quoted);
    send_call(binary, 3, "doc.open", "{\"doc\":\"grown\",\"client\":\"b\"}");
    (void)next_result(binary, 3);
    char *insertions = repeated("1,\"a\"", ",", INSERTIONS);
    submit(text, epoch, 2, 1, insertions);
    submit(text, epoch, 3, 1, "{\"d\":160000}");
    (void)next_frame(binary, WEFT_RPC_KIND_NOTIFY);
    struct weft_slice grown = test_ws_recv_binary(binary, WAIT_MS);
    assert_true(grown.len > 10 * INSERTIONS);
    send_call(binary, 5, "sum", "[1,2]");
    assert_true(weft__slice_eq_str(weft__json_raw(next_result(binary, 5)), "3"));
    free(content);
    free(quoted);
    free(insertions);
    test_ws_close(binary);
    test_ws_close(text);
}

static void what_is_no_frame_closes_the_connection(void **state)
{
    (void)state;
    static const uint8_t truncated[] = {5, 8, 3};
    static const uint8_t wide_id[] = {7, 8, 0xff, 0xff, 0xff, 0xff, 0x7f, 0};
    struct test_ws *ws = test_ws_connect(group_server->url, "weft.v1.pb");
    test_ws_send_binary(ws, truncated, sizeof(truncated));
    assert_int_equal(test_ws_wait_closed(ws, WAIT_MS), 1008);
    test_ws_close(ws);
    ws = test_ws_connect(group_server->url, "weft.v1.pb");
    test_ws_send_binary(ws, wide_id, sizeof(wide_id));
    assert_int_equal(test_ws_wait_closed(ws, WAIT_MS), 1008);
    test_ws_close(ws);
    ws = test_ws_connect(group_server->url, "weft.v1.pb");
    test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sum\",\"params\":[1]}");
    assert_int_equal(test_ws_wait_closed(ws, WAIT_MS), 1003);
    test_ws_close(ws);
}

static int start(void **state)
{
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    return test_server_group_start(state);
}

static int stop(void **state)
{
    weft__arena_done(&arena);
    return test_server_group_stop(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_answered),
        cmocka_unit_test(errors_say_all_that_they_say_as_text),
        cmocka_unit_test(streams_flow_with_credit),
        cmocka_unit_test(pings_and_cancellations),
        cmocka_unit_test(operations_reach_both_wires),
        cmocka_unit_test(operations_that_grow_beyond_the_limits_of_a_message_are_sent),
        cmocka_unit_test(what_is_no_frame_closes_the_connection),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
