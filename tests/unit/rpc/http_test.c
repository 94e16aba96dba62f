/* SPDX-License-Identifier: Apache-2.0 */
/* Calls over HTTP without HTTP: what the two wires make of requests and answers. */
#include "rpc/http.h"

#include "lib/test.h"
#include "rpc/demo.h"

/* A peer with one of the wires, and what it sent last. */
struct fixture {
    const struct weft_alloc *alloc;
    struct weft_timer_wheel wheel;
    struct weft_rpc_registry registry;
    struct weft_rpc_env env;
    struct weft_rpc_peer peer;
    bool plain;
    char body[2000];
    enum weft_rpc_kind kind;
    int status;
    uint32_t retry_after_ms;
    unsigned sent;
    enum weft_rpc_lane lane;
};

static void sent(void *ctx, struct weft_slice message, enum weft_rpc_lane lane)
{
    struct fixture *f = ctx;
    if (f->plain) {
        struct weft_rpc_http_answer answer = weft__rpc_http_answer(message);
        f->kind = answer.kind;
        f->status = answer.status;
        f->retry_after_ms = answer.retry_after_ms;
        message = answer.body;
    }
    assert_true(message.len < sizeof(f->body));
    weft__mem_copy(f->body, message.ptr, message.len);
    f->body[message.len] = '\0';
    f->lane = lane;
    f->sent++;
}

static struct weft_rpc_meta seen;
static char seen_idem[64], seen_trace[64];

/* Notes what a call says about itself. */
static void serve_meta(struct weft_rpc_call *call, void *ctx)
{
    (void)ctx;
    seen = *weft__rpc_call_meta(call);
    snprintf(seen_idem, sizeof(seen_idem), "%.*s", (int)seen.idem.len,
             seen.idem.ptr ? (const char *)seen.idem.ptr : "");
    snprintf(seen_trace, sizeof(seen_trace), "%.*s", (int)seen.traceparent.len,
             seen.traceparent.ptr ? (const char *)seen.traceparent.ptr : "");
    weft__rpc_call_result(call, WEFT_SLICE_LIT("true"));
}

/* Tries to call back. */
static void serve_back(struct weft_rpc_call *call, void *ctx)
{
    struct weft_rpc_peer *peer = weft__rpc_call_peer(call);
    const struct weft_rpc_call_options options = {.method = WEFT_SLICE_LIT("hello")};
    (void)ctx;
    assert_err(weft__rpc_peer_call(peer, &options, weft__rpc_call_now_ns(call), NULL),
               WEFT_ERR_STATE);
    assert_err(weft__rpc_peer_notify(peer, WEFT_SLICE_LIT("hello"), weft__slice(NULL, 0)),
               WEFT_ERR_STATE);
    weft__rpc_call_result(call, WEFT_SLICE_LIT("false"));
}

static int begin(struct fixture *f, const struct weft_alloc *alloc, bool plain, bool no_streams)
{
    static const struct weft_hash_key key = {.k0 = 1, .k1 = 2};
    static const struct weft_rpc_peer_events events = {.send = sent};
    static const struct weft_rpc_method methods[] = {
        {.name = "test.meta", .handler = serve_meta},
        {.name = "test.back", .handler = serve_back},
    };
    *f = (struct fixture){.alloc = alloc, .plain = plain};
    weft__timer_wheel_init(&f->wheel, WEFT_NS_PER_S);
    weft__rpc_registry_init(&f->registry, alloc, key);
    weft__rpc_env_init(&f->env, alloc, &f->registry, &f->wheel, key);
    f->env.decode.text_is_utf8 = true; /* as for WebSockets: nobody has checked a body */
    const struct weft_rpc_peer_options options = {
        .is_server = true,
        .greeted = true,
        .no_streams = no_streams,
        .wire = plain ? &weft__rpc_wire_http_plain : &weft__rpc_wire_http_jsonrpc,
        .events = &events,
        .events_ctx = f,
    };
    weft__rpc_peer_init(&f->peer, &f->env, &options);
    int err = weft__rpc_demo_register(&f->registry);
    return err ? err : weft__rpc_registry_add_all(&f->registry, methods, WEFT_ARRAY_LEN(methods));
}

static void end(struct fixture *f)
{
    weft__rpc_peer_done(&f->peer);
    weft__rpc_env_done(&f->env);
    weft__rpc_registry_done(&f->registry);
}

static int ask(struct fixture *f, const char *method, const char *body)
{
    const struct weft_rpc_http_request request = {
        .method = weft__slice_str(method),
        .body = weft__slice_str(body),
        .meta = {.has_timeout = true,
                 .timeout_ms = 5,
                 .idem = WEFT_SLICE_LIT("key"),
                 .traceparent = WEFT_SLICE_LIT("00-1")},
    };
    f->sent = 0;
    f->body[0] = '\0';
    return weft__rpc_http_receive(&f->peer, &request, WEFT_NS_PER_S);
}

static void the_plain_wire_answers_with_the_bare_result(void **state)
{
    struct fixture f;
    (void)state;
    assert_ok(begin(&f, weft_alloc_default(), true, true));
    assert_ok(ask(&f, "demo.echo", "[1, 2]"));
    assert_int_equal(f.sent, 1);
    assert_int_equal(f.kind, WEFT_RPC_KIND_RESULT);
    assert_string_equal(f.body, "[1, 2]");
    assert_false(weft__rpc_http_waits(&f.peer));
    assert_ok(ask(&f, "demo.echo", ""));
    assert_string_equal(f.body, "null");
    end(&f);
}

static void the_plain_wire_says_status_and_hint_beside_an_error(void **state)
{
    struct fixture f;
    (void)state;
    assert_ok(begin(&f, weft_alloc_default(), true, true));
    assert_ok(ask(&f, "demo.fail",
                  "{\"code\":\"unavailable\",\"message\":\"later\",\"retry_after_ms\":7}"));
    assert_int_equal(f.kind, WEFT_RPC_KIND_ERROR);
    assert_int_equal(f.status, WEFT_STATUS_UNAVAILABLE);
    assert_int_equal(f.retry_after_ms, 7);
    assert_string_equal(f.body,
                        "{\"code\":\"unavailable\",\"message\":\"later\",\"retryable\":true,"
                        "\"retry_after_ms\":7,\"executed\":\"unknown\"}");
    static const char *const bad[] = {"[", "7", "[\"\xff\"]"};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(bad); i++) {
        assert_ok(ask(&f, "demo.echo", bad[i]));
        assert_int_equal(f.kind, WEFT_RPC_KIND_ERROR);
        assert_int_equal(f.status, WEFT_STATUS_INVALID_ARGUMENT);
    }
    end(&f);
}

static void headers_become_meta_and_messages_go_first(void **state)
{
    struct fixture f;
    (void)state;
    assert_ok(begin(&f, weft_alloc_default(), true, true));
    assert_ok(ask(&f, "test.meta", ""));
    assert_int_equal(seen.timeout_ms, 5);
    assert_string_equal(seen_idem, "key");
    assert_string_equal(seen_trace, "00-1");
    end(&f);
    assert_ok(begin(&f, weft_alloc_default(), false, true));
    assert_ok(ask(&f, "",
                  "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"test.meta\","
                  "\"meta\":{\"timeout_ms\":9,\"traceparent\":\"00-2\"}}"));
    assert_int_equal(seen.timeout_ms, 9);
    assert_string_equal(seen_idem, "key");
    assert_string_equal(seen_trace, "00-2");
    /* One key cannot be that of several calls. */
    assert_ok(ask(&f, "", "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"test.meta\"}]"));
    assert_int_equal(seen.timeout_ms, 5);
    assert_string_equal(seen_idem, "");
    end(&f);
}

static void the_jsonrpc_wire_checks_utf_8_by_itself(void **state)
{
    struct fixture f;
    (void)state;
    assert_ok(begin(&f, weft_alloc_default(), false, true));
    assert_ok(ask(&f, "", "{\"jsonrpc\":\"2.0\",\"id\":\"\xff\",\"method\":\"get_data\"}"));
    assert_non_null(strstr(f.body, "-32700"));
    assert_ok(ask(&f, "", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"demo.count\"}"));
    assert_non_null(strstr(f.body, "weft.rpc.streams_unsupported"));
    /* What is no answer goes out in the lane of control. */
    assert_ok(ask(&f, "", "{\"jsonrpc\":\"2.0\",\"method\":\"$/ping\"}"));
    assert_int_equal(f.lane, WEFT_RPC_LANE_CONTROL);
    end(&f);
}

static void nobody_can_be_called_over_http(void **state)
{
    struct fixture f;
    (void)state;
    for (int plain = 0; plain < 2; plain++) {
        assert_ok(begin(&f, weft_alloc_default(), plain, true));
        assert_ok(ask(&f, "test.back",
                      plain ? ""
                            : "{\"jsonrpc\":\"2.0\",\"id\":1,"
                              "\"method\":\"test.back\"}"));
        assert_int_equal(f.sent, 1);
        assert_non_null(strstr(f.body, "false"));
        end(&f);
    }
}

static void items_need_credit_which_comes_as_a_request(void **state)
{
    struct fixture f;
    (void)state;
    assert_ok(begin(&f, weft_alloc_default(), true, false));
    assert_ok(ask(&f, "demo.count", "[40]"));
    assert_int_equal(f.sent, 16);
    assert_int_equal(f.kind, WEFT_RPC_KIND_ITEM);
    assert_string_equal(f.body, "16");
    assert_true(weft__rpc_http_waits(&f.peer));
    struct weft_rpc_http_request credit = {
        .kind = WEFT_RPC_HTTP_CREDIT, .items_total = 30, .bytes_total = 65536};
    assert_ok(weft__rpc_http_receive(&f.peer, &credit, WEFT_NS_PER_S));
    assert_string_equal(f.body, "30");
    credit.items_total = 100;
    assert_ok(weft__rpc_http_receive(&f.peer, &credit, WEFT_NS_PER_S));
    assert_int_equal(f.kind, WEFT_RPC_KIND_RESULT);
    assert_string_equal(f.body, "40");
    assert_int_equal(f.sent, 41);
    assert_false(weft__rpc_http_waits(&f.peer));
    assert_ok(weft__rpc_http_receive(&f.peer, &credit, WEFT_NS_PER_S));
    assert_int_equal(f.sent, 41);
    end(&f);
}

static void methods_about_a_connection_are_not_there(void **state)
{
    struct fixture f;
    (void)state;
    assert_ok(begin(&f, weft_alloc_default(), true, true));
    assert_non_null(weft__rpc_http_method(&f.env, WEFT_SLICE_LIT("demo.echo")));
    assert_non_null(weft__rpc_http_method(&f.env, WEFT_SLICE_LIT("rpc.discover")));
    assert_null(weft__rpc_http_method(&f.env, WEFT_SLICE_LIT("rpc.nope")));
    assert_null(weft__rpc_http_method(&f.env, WEFT_SLICE_LIT("$/hello")));
    assert_null(weft__rpc_http_method(&f.env, WEFT_SLICE_LIT("nope")));
    end(&f);
}

static void statuses_are_those_of_the_connect_protocol(void **state)
{
    (void)state;
    static const int want[] = {200, 499, 500, 400, 504, 404, 409, 403, 429,
                               400, 409, 400, 501, 500, 503, 500, 401};
    for (int i = 0; i <= WEFT_STATUS_UNAUTHENTICATED; i++)
        assert_int_equal(weft__rpc_http_status(i), want[i]);
}

static int calls_with(const struct weft_alloc *alloc, void *ctx)
{
    struct fixture f;
    (void)ctx;
    int err = begin(&f, alloc, true, false);
    if (!err)
        err = ask(&f, "demo.count", "[10]");
    if (!err)
        err = ask(&f, "demo.echo", "{\"a\":[1,2,3]}");
    end(&f);
    return err;
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    test_each_alloc_failure(calls_with, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_plain_wire_answers_with_the_bare_result),
        cmocka_unit_test(the_plain_wire_says_status_and_hint_beside_an_error),
        cmocka_unit_test(headers_become_meta_and_messages_go_first),
        cmocka_unit_test(the_jsonrpc_wire_checks_utf_8_by_itself),
        cmocka_unit_test(nobody_can_be_called_over_http),
        cmocka_unit_test(items_need_credit_which_comes_as_a_request),
        cmocka_unit_test(methods_about_a_connection_are_not_there),
        cmocka_unit_test(statuses_are_those_of_the_connect_protocol),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
