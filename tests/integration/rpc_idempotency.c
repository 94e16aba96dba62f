/* SPDX-License-Identifier: Apache-2.0 */
/* Idempotency keys over real connections: repeats on another one, on another worker, on the other
 * wire. */
#include "rpc_support.h"

#include "rpc/binary.h"

enum { WAIT_MS = 10000 };

static struct test_in_process *world;

static struct test_ws *connect_to(unsigned worker)
{
    return rpc_connect(world->url, worker);
}

static uint64_t metric(const char *name)
{
    return rpc_metric(world->url, name);
}

static void send_keyed(struct test_ws *ws, int id, const char *method, const char *params,
                       const char *key)
{
    char meta[64];
    snprintf(meta, sizeof(meta), "\"idem\":\"%s\"", key);
    rpc_send(ws, id, method, params, meta);
}

/* ---- tests ---- */

static void a_repeat_on_another_connection_gets_the_first_answer(void **state)
{
    (void)state;
    uint64_t hits = metric("weft_idem_hits_total");
    uint64_t stored = metric("weft_idem_stored_total");
    struct test_ws *ws = connect_to(0);
    send_keyed(ws, 1, "demo.serial", "[]", "reconnect-1");
    int64_t first = rpc_next_number(ws, 1);
    test_ws_cut(ws);
    ws = connect_to(0);
    send_keyed(ws, 9, "demo.serial", "[]", "reconnect-1");
    assert_int_equal(rpc_next_number(ws, 9), first);
    send_keyed(ws, 10, "demo.serial", "[]", "reconnect-2");
    assert_int_not_equal(rpc_next_number(ws, 10), first);
    test_ws_close(ws);
    assert_int_equal(metric("weft_idem_hits_total"), hits + 1);
    assert_int_equal(metric("weft_idem_stored_total"), stored + 2);
}

static void a_repeat_on_another_worker_gets_the_first_answer(void **state)
{
    (void)state;
    struct test_ws *zero = connect_to(0);
    struct test_ws *one = connect_to(1);
    send_keyed(zero, 1, "demo.serial", "[]", "worker-1");
    int64_t first = rpc_next_number(zero, 1);
    send_keyed(one, 1, "demo.serial", "[]", "worker-1");
    assert_int_equal(rpc_next_number(one, 1), first);
    send_keyed(one, 2, "demo.serial", "[1]", "worker-1");
    (void)rpc_next_error(one, 2, "failed_precondition", "weft.idem.mismatch");
    test_ws_close(zero);
    test_ws_close(one);
}

static void a_repeat_of_a_running_call_waits_on_its_worker_and_is_refused_on_others(void **state)
{
    (void)state;
    uint64_t joined = metric("weft_idem_joined_total");
    struct test_ws *first = connect_to(0);
    struct test_ws *same = connect_to(0);
    struct test_ws *other = connect_to(1);
    send_keyed(first, 1, "demo.sleep", "[30000]", "running-1");
    /* An answer to a later call shows that the first one runs. */
    send_keyed(first, 2, "demo.serial", "[]", "running-2");
    (void)rpc_next_number(first, 2);
    send_keyed(same, 1, "demo.sleep", "[30000]", "running-1");
    send_keyed(same, 2, "demo.serial", "[]", "running-3");
    (void)rpc_next_number(same, 2);
    assert_int_equal(metric("weft_idem_joined_total"), joined + 1);
    send_keyed(other, 1, "demo.sleep", "[30000]", "running-1");
    (void)rpc_next_error(other, 1, "aborted", "weft.idem.in_progress");
    /* Both give up, one after the other: then there is nothing to wait for. */
    test_ws_send(first, "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancel\",\"params\":{\"id\":1}}");
    assert_non_null(weft__json_get(rpc_next(first, 1), "error"));
    test_ws_send(same, "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancel\",\"params\":{\"id\":1}}");
    assert_non_null(weft__json_get(rpc_next(same, 1), "error"));
    for (int i = 0; i < RPC_TRIES && metric("weft_idem_running") > 0; i++)
        (void)rpc_next((send_keyed(same, 3, "demo.echo", "[]", ""), same), 3);
    assert_int_equal(metric("weft_idem_running"), 0);
    test_ws_close(first);
    test_ws_close(same);
    test_ws_close(other);
}

/* The client loses its connection in the middle of a call, and asks again on another one. */
static void a_call_cut_off_is_answered_to_its_repeat(void **state)
{
    (void)state;
    struct test_ws *ws = connect_to(0);
    send_keyed(ws, 1, "demo.sleep", "[100]", "cut-1");
    test_ws_cut(ws);
    for (unsigned worker = 0; worker < 2; worker++) {
        const struct weft_json *result = NULL;
        ws = connect_to(worker);
        for (int id = 1; id < RPC_TRIES && !result; id++) {
            send_keyed(ws, id, "demo.sleep", "[100]", "cut-1");
            result = weft__json_get(rpc_next(ws, id), "result");
        }
        assert_true(weft__json_is(result, WEFT_JSON_NULL));
        test_ws_close(ws);
    }
}

static void both_wires_share_answers(void **state)
{
    (void)state;
    struct test_ws *text = connect_to(0);
    send_keyed(text, 1, "demo.serial", "[]", "wire-1");
    int64_t first = rpc_next_number(text, 1);
    struct test_ws *binary = test_ws_connect(world->url, "weft.v1.pb");
    struct weft_arena arena;
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    for (uint32_t id = 1; id <= 3; id += 2) {
        static const struct weft_rpc_decode_options options = {.max_batch = 1};
        struct weft_rpc_message message;
        struct weft_bytes out;
        uint8_t raw[4];
        weft__rpc_binary_put_id(id, raw);
        const struct weft_rpc_meta meta = {.idem = WEFT_SLICE_LIT("wire-1")};
        const struct weft_rpc_head head = {
            .kind = WEFT_RPC_KIND_CALL,
            .id = {raw, sizeof(raw)},
            .method = id == 1 ? WEFT_SLICE_LIT("$/hello") : WEFT_SLICE_LIT("demo.serial"),
            .meta = id == 1 ? NULL : &meta,
            .has_payload = true,
        };
        weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
        weft__rpc_binary_begin(&out, &head);
        weft__bytes_append_str(&out, id == 1 ? "{\"v\":[1,1]}" : "[]");
        struct weft_slice sent = weft__rpc_binary_end(&out, &head);
        assert_ok(weft__bytes_error(&out));
        test_ws_send_binary(binary, sent.ptr, sent.len);
        weft__bytes_done(&out);
        struct weft_slice got = test_ws_recv_binary(binary, WAIT_MS);
        assert_ok(weft__rpc_binary_decode(got, &arena, &options, &message));
        assert_int_equal(message.frames[0].kind, WEFT_RPC_KIND_RESULT);
        int64_t number = 0;
        if (id == 3) {
            assert_true(weft__json_i64(message.frames[0].value, &number));
            assert_int_equal(number, first);
        }
    }
    weft__arena_done(&arena);
    test_ws_close(binary);
    test_ws_close(text);
}

static void calls_over_http_share_them_too(void **state)
{
    (void)state;
    char *first = rpc_post(world->url, "/rpc/demo.serial", "Idempotency-Key: http-1\r\n", "[]");
    assert_non_null(strstr(first, " 200 "));
    const char *body = strstr(first, "\r\n\r\n");
    assert_non_null(body);
    int64_t number = strtoll(body, NULL, 10);
    assert_true(number > 0);
    struct test_ws *ws = connect_to(1);
    send_keyed(ws, 1, "demo.serial", "[]", "http-1");
    assert_int_equal(rpc_next_number(ws, 1), number);
    test_ws_close(ws);
    free(first);
}

static void methods_about_the_connection_take_no_key(void **state)
{
    (void)state;
    struct test_ws *ws = connect_to(0);
    send_keyed(ws, 1, "doc.open", "{\"doc\":\"d\"}", "doc-1");
    (void)rpc_next_error(ws, 1, "invalid_argument", "weft.idem.method");
    send_keyed(ws, 2, "demo.count", "[2]", "stream-1");
    (void)rpc_next_error(ws, 2, "invalid_argument", "weft.idem.method");
    test_ws_close(ws);
}

/* It met the call at work on another worker. */
static void assert_busy(const struct weft_json *answer)
{
    const struct weft_json *data = weft__json_get(weft__json_get(answer, "error"), "data");
    assert_true(weft__json_string_is(weft__json_get(data, "reason"), "weft.idem.in_progress"));
}

/* The same calls on every connection at once: whoever is first, all get one answer. */
static void many_connections_agree_about_each_key(void **state)
{
    (void)state;
    enum { CONNECTIONS = 6, KEYS = 200 };
    struct test_ws *ws[CONNECTIONS];
    int64_t results[KEYS];
    memset(results, 0, sizeof(results));
    for (unsigned c = 0; c < CONNECTIONS; c++)
        ws[c] = connect_to(c % 2);
    for (int k = 0; k < KEYS; k++)
        for (unsigned c = 0; c < CONNECTIONS; c++) {
            char key[24];
            snprintf(key, sizeof(key), "many-%d", k);
            send_keyed(ws[c], k, "demo.serial", "[]", key);
        }
    for (unsigned c = 0; c < CONNECTIONS; c++)
        for (int k = 0; k < KEYS; k++) {
            int64_t number = 0;
            const struct weft_json *answer = rpc_next(ws[c], k);
            if (!weft__json_i64(weft__json_get(answer, "result"), &number)) {
                assert_busy(answer);
                continue;
            }
            assert_true(results[k] == 0 || results[k] == number);
            results[k] = number;
        }
    for (unsigned c = 0; c < CONNECTIONS; c++)
        test_ws_close(ws[c]);
}

static void the_cache_is_as_large_as_the_settings_say(void **state)
{
    (void)state;
    struct weft_server_options options;
    struct test_in_process *before = world;
    test_in_process_options(&options);
    options.rpc.idem_entries = 8;
    options.rpc.idem_per_principal = 8;
    options.workers = 1;
    world = test_in_process_start(&options);
    struct test_ws *ws = connect_to(0);
    int64_t results[10];
    char key[24];
    for (int i = 0; i < 10; i++) {
        snprintf(key, sizeof(key), "small-%d", i);
        send_keyed(ws, i, "demo.serial", "[]", key);
        results[i] = rpc_next_number(ws, i);
    }
    assert_int_equal(metric("weft_idem_entries"), 8);
    assert_int_equal(metric("weft_idem_evicted_total"), 2);
    send_keyed(ws, 10, "demo.serial", "[]", "small-2");
    assert_int_equal(rpc_next_number(ws, 10), results[2]);
    send_keyed(ws, 11, "demo.serial", "[]", "small-0");
    assert_true(rpc_next_number(ws, 11) > results[9]);
    test_ws_close(ws);
    test_in_process_free(world);
    world = before;
}

static int start(void **state)
{
    struct weft_server_options options;
    (void)state;
    test_in_process_options(&options);
    world = test_in_process_start(&options);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    test_in_process_free(world);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_repeat_on_another_connection_gets_the_first_answer),
        cmocka_unit_test(a_repeat_on_another_worker_gets_the_first_answer),
        cmocka_unit_test(a_repeat_of_a_running_call_waits_on_its_worker_and_is_refused_on_others),
        cmocka_unit_test(a_call_cut_off_is_answered_to_its_repeat),
        cmocka_unit_test(both_wires_share_answers),
        cmocka_unit_test(calls_over_http_share_them_too),
        cmocka_unit_test(methods_about_the_connection_take_no_key),
        cmocka_unit_test(many_connections_agree_about_each_key),
        cmocka_unit_test(the_cache_is_as_large_as_the_settings_say),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
