/* SPDX-License-Identifier: Apache-2.0 */
/* Items beside calls, between two peers joined by queues: in both directions, over every wire. */
#include "rpc/binary.h"
#include "rpc/jsonrpc.h"
#include "rpc_world.h"

static const struct weft_rpc_greeting greeting = {.name = "test", .version = "1"};

enum { ITEMS_MAX = 4096 };

/* Messages under way; a length before each. */
struct pipe {
    struct weft_bytes bytes;
    size_t messages;
};

struct end {
    struct pipe control;     /* what passes |out| */
    enum weft_rpc_lane lane; /* of the newest message */
    struct weft_timer_wheel wheel;
    struct weft_rpc_registry registry;
    struct weft_rpc_env env;
    struct weft_rpc_peer peer;
    struct pipe out;
    int err; /* what receiving said */
};

/* A call of the client's and what it was told. */
struct stream_call {
    uint64_t number;
    int64_t items[ITEMS_MAX];
    size_t item_count;
    int answers;
    int status;
    char text[256];
    int writable;
    uint64_t next; /* to be sent, while |last| is not reached */
    uint64_t last;
    bool stop_at_first;
};

static struct end client, server;
static struct stream_call the_call;
static const struct weft_rpc_wire *wire;

static void end_send(void *ctx, struct weft_slice message, enum weft_rpc_lane lane)
{
    struct end *end = ctx;
    struct pipe *out = lane == WEFT_RPC_LANE_DATA ? &end->out : &end->control;
    end->lane = lane;
    weft__bytes_append(&out->bytes, &message.len, sizeof(message.len));
    weft__bytes_append_slice(&out->bytes, message);
    ++out->messages;
}

static const struct weft_rpc_peer_events end_events = {.send = end_send};

static void end_init(struct end *end, const struct weft_alloc *alloc, bool is_server)
{
    static const struct weft_hash_key key = {.k0 = 1, .k1 = 2};
    *end = (struct end){.err = 0};
    weft__bytes_init(&end->out.bytes, weft_alloc_default(), SIZE_MAX);
    weft__bytes_init(&end->control.bytes, weft_alloc_default(), SIZE_MAX);
    weft__timer_wheel_init(&end->wheel, WEFT_NS_PER_S);
    weft__rpc_registry_init(&end->registry, weft_alloc_default(), key);
    assert_ok(weft__rpc_demo_register(&end->registry));
    weft__rpc_env_init(&end->env, alloc, &end->registry, &end->wheel, key);
    const struct weft_rpc_peer_options options = {.is_server = is_server,
                                                  .wire = wire,
                                                  .session = "s_1",
                                                  .events = &end_events,
                                                  .events_ctx = end};
    weft__rpc_peer_init(&end->peer, &end->env, &options);
}

static void end_done(struct end *end)
{
    weft__rpc_peer_done(&end->peer);
    weft__rpc_env_done(&end->env);
    weft__rpc_registry_done(&end->registry);
    weft__bytes_done(&end->out.bytes);
    weft__bytes_done(&end->control.bytes);
}

/* Hands all that |pipe| holds to |to|. */
static bool pump_pipe(struct pipe *pipe, struct end *to)
{
    struct weft_bytes bytes = pipe->bytes;
    weft__bytes_init(&pipe->bytes, weft_alloc_default(), SIZE_MAX);
    pipe->messages = 0;
    size_t at = 0, len;
    while (at < bytes.len && !to->err) {
        memcpy(&len, bytes.ptr + at, sizeof(len));
        at += sizeof(len);
        to->err =
            weft__rpc_peer_receive(&to->peer, weft__slice(bytes.ptr + at, len), WEFT_NS_PER_S);
        at += len;
    }
    weft__bytes_done(&bytes);
    return at > 0;
}

/* Hands all that |from| sent to |to|: control passes all data, as far as any transport lets it. */
static bool pump(struct end *from, struct end *to)
{
    bool busy = pump_pipe(&from->control, to);
    return pump_pipe(&from->out, to) || busy;
}

static void run_until_quiet(void)
{
    bool busy = true;
    while (busy) {
        busy = pump(&client, &server);
        busy = pump(&server, &client) || busy;
    }
}

/* ---- the client's call ---- */

static void on_item(void *ctx, uint64_t number, const struct weft_json *value)
{
    struct stream_call *call = ctx;
    assert_int_equal(call->answers, 0);
    assert_true(call->item_count < ITEMS_MAX);
    if (!weft__json_i64(value, &call->items[call->item_count++]))
        call->items[call->item_count - 1] = -1;
    if (call->stop_at_first)
        weft__rpc_peer_cancel(&client.peer, number);
}

static void send_more(struct stream_call *call)
{
    char text[24];
    while (call->next <= call->last) {
        int len = snprintf(text, sizeof(text), "%llu", (unsigned long long)call->next);
        int err = weft__rpc_peer_send(&client.peer, call->number, weft__slice(text, (size_t)len));
        if (err) {
            assert_err(err, WEFT_ERR_LIMIT);
            return;
        }
        ++call->next;
    }
    weft__rpc_peer_end(&client.peer, call->number);
}

static void on_writable(void *ctx, uint64_t number)
{
    struct stream_call *call = ctx;
    assert_int_equal(number, call->number);
    ++call->writable;
    send_more(call);
}

static void on_answer(void *ctx, const struct weft_rpc_answer *answer)
{
    struct stream_call *call = ctx;
    ++call->answers;
    call->status = answer->error.status;
    struct weft_slice text = answer->result ? weft__json_raw(answer->result) : answer->error.reason;
    snprintf(call->text, sizeof(call->text), "%.*s", (int)text.len, (const char *)text.ptr);
}

static const struct weft_rpc_outgoing_ops stream_ops = {.item = on_item, .writable = on_writable};

static int start(const char *method, const char *params, bool sends)
{
    const struct weft_rpc_call_options options = {.method = weft__slice_str(method),
                                                  .params = weft__slice_str(params),
                                                  .answer = on_answer,
                                                  .ctx = &the_call,
                                                  .stream = &stream_ops,
                                                  .sends = sends};
    return weft__rpc_peer_call(&client.peer, &options, WEFT_NS_PER_S, &the_call.number);
}

static void greet(void)
{
    assert_ok(weft__rpc_peer_greet(&client.peer, &greeting, NULL, NULL, WEFT_NS_PER_S));
    run_until_quiet();
    assert_true(client.peer.greeted && server.peer.greeted);
}

static int set_up(void **state)
{
    wire = *state;
    memset(&the_call, 0, sizeof(the_call));
    the_call.next = 1;
    end_init(&client, weft_alloc_default(), false);
    end_init(&server, weft_alloc_default(), true);
    greet();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    end_done(&client);
    end_done(&server);
    return 0;
}

/* ---- the tests ---- */

static void a_server_stream_comes_in_order_and_whole(void **state)
{
    (void)state;
    assert_ok(start("demo.count", "[1000]", false));
    run_until_quiet();
    assert_int_equal(the_call.item_count, 1000);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(the_call.items[i], i + 1);
    assert_int_equal(the_call.answers, 1);
    assert_string_equal(the_call.text, "1000");
    assert_int_equal(server.peer.streams, 0);
}

static void a_client_stream_waits_for_credit(void **state)
{
    (void)state;
    the_call.last = 1000;
    assert_ok(start("demo.total", "", true));
    send_more(&the_call);
    assert_int_equal(the_call.next, 17); /* the window of the greeting */
    run_until_quiet();
    assert_int_equal(the_call.answers, 1);
    assert_string_equal(the_call.text, "500500");
    assert_true(the_call.writable > 0);
}

static void both_directions_at_once(void **state)
{
    (void)state;
    the_call.last = 1000;
    assert_ok(start("demo.mirror", "", true));
    send_more(&the_call);
    run_until_quiet();
    assert_int_equal(the_call.item_count, 1000);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(the_call.items[i], i + 1);
    assert_int_equal(the_call.answers, 1);
    assert_string_equal(the_call.text, "null");
}

static void a_receiver_that_does_not_consume_stops_the_sender(void **state)
{
    (void)state;
    assert_ok(start("demo.count", "[1000]", false));
    weft__rpc_peer_hold_credit(&client.peer, the_call.number);
    run_until_quiet();
    assert_int_equal(the_call.item_count, 16);
    assert_int_equal(the_call.answers, 0);
    weft__rpc_peer_consumed(&client.peer, the_call.number, 10, 10);
    run_until_quiet();
    assert_int_equal(the_call.item_count, 26);
    weft__rpc_peer_cancel(&client.peer, the_call.number);
    run_until_quiet();
    assert_int_equal(server.env.counters.in_flight, 0);
}

/* A wider window is granted right behind the call, and must not come before it. */
static void early_credit_and_cancellations_stay_behind_their_call(void **state)
{
    (void)state;
    const struct weft_rpc_call_options options = {.method = WEFT_SLICE_LIT("demo.count"),
                                                  .params = WEFT_SLICE_LIT("[300]"),
                                                  .answer = on_answer,
                                                  .ctx = &the_call,
                                                  .stream = &stream_ops,
                                                  .window_items = 200,
                                                  .window_bytes = 1000000};
    assert_ok(weft__rpc_peer_call(&client.peer, &options, WEFT_NS_PER_S, &the_call.number));
    assert_int_equal(client.out.messages, 2);
    assert_int_equal(client.control.messages, 0);
    weft__rpc_peer_hold_credit(&client.peer, the_call.number);
    run_until_quiet();
    assert_int_equal(the_call.item_count, 200);
    /* Once an item has come the call is known over there. */
    weft__rpc_peer_consumed(&client.peer, the_call.number, 150, 150);
    assert_int_equal(client.lane, WEFT_RPC_LANE_CONTROL);
    assert_int_equal(client.control.messages, 1);
    run_until_quiet();
    assert_int_equal(the_call.item_count, 300);
    assert_ok(start("demo.mirror", "", true));
    weft__rpc_peer_cancel(&client.peer, the_call.number);
    assert_int_equal(client.control.messages, 0);
    run_until_quiet();
    assert_int_equal(server.env.counters.in_flight, 0);
}

static void leaving_early_cancels(void **state)
{
    (void)state;
    the_call.stop_at_first = true;
    assert_ok(start("demo.count", "[1000]", false));
    run_until_quiet();
    assert_int_equal(the_call.item_count, 1);
    assert_int_equal(the_call.answers, 1);
    assert_int_equal(the_call.status, WEFT_STATUS_CANCELED);
    assert_int_equal(server.env.counters.in_flight, 0);
    assert_int_equal(server.peer.streams, 0);
    assert_int_equal(client.env.counters.strays,
                     1); /* the server's own answer to the cancellation */
}

static void streams_are_limited(void **state)
{
    (void)state;
    server.env.limits.streams = 1;
    assert_ok(start("demo.total", "", true));
    uint64_t first = the_call.number;
    assert_ok(start("demo.total", "", true));
    run_until_quiet();
    assert_int_equal(the_call.answers, 1);
    assert_int_equal(the_call.status, WEFT_STATUS_RESOURCE_EXHAUSTED);
    assert_string_equal(the_call.text, "weft.rpc.streams");
    weft__rpc_peer_end(&client.peer, first);
    run_until_quiet();
    assert_int_equal(the_call.answers, 2);
    assert_string_equal(the_call.text, "0");
}

/* As a client that knows no credit sends it: the server's own totals stay behind. */
static void force_items(size_t count)
{
    struct weft_rpc_head head = {.kind = WEFT_RPC_KIND_ITEM};
    struct weft_bytes out;
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    uint8_t id[WEFT_RPC_OWN_ID_MAX];
    head.id = weft__slice(id, wire->write_id(the_call.number, false, id));
    for (size_t i = 0; i < count; i++) {
        weft__bytes_clear(&out);
        wire->begin(&out, &head);
        weft__bytes_append_byte(&out, '1');
        end_send(&client, wire->end(&out, &head), WEFT_RPC_LANE_DATA);
    }
    weft__bytes_done(&out);
}

static void an_item_without_credit_ends_the_connection(void **state)
{
    (void)state;
    /* The mirror is done with as many items as it has credit for; we give it no more. */
    assert_ok(start("demo.mirror", "", true));
    force_items(32);
    pump(&client, &server);
    assert_ok(server.err);
    force_items(1);
    pump(&client, &server);
    assert_err(server.err, WEFT_ERR_PROTOCOL);
    assert_string_equal(server.peer.violation, "an item without credit");
}

static void items_after_the_answer_are_harmless(void **state)
{
    (void)state;
    the_call.last = 100;
    assert_ok(start("demo.total", "", true));
    assert_ok(weft__rpc_peer_send(&client.peer, the_call.number, WEFT_SLICE_LIT("\"no number\"")));
    send_more(&the_call); /* crosses the error */
    run_until_quiet();
    assert_int_equal(the_call.answers, 1);
    assert_int_equal(the_call.status, WEFT_STATUS_INVALID_ARGUMENT);
    assert_ok(server.err);
    assert_err(weft__rpc_peer_send(&client.peer, the_call.number, WEFT_SLICE_LIT("1")),
               WEFT_ERR_STATE);
}

static void a_unary_method_takes_no_items(void **state)
{
    (void)state;
    assert_ok(start("demo.sleep", "[1000]", true));
    assert_ok(weft__rpc_peer_send(&client.peer, the_call.number, WEFT_SLICE_LIT("1")));
    pump(&client, &server);
    assert_err(server.err, WEFT_ERR_PROTOCOL);
}

static void the_end_of_a_connection_ends_streams(void **state)
{
    (void)state;
    assert_ok(start("demo.mirror", "", true));
    run_until_quiet();
    weft__rpc_peer_done(&client.peer);
    weft__rpc_peer_done(&server.peer);
    assert_int_equal(the_call.answers, 1);
    assert_int_equal(the_call.status, WEFT_STATUS_UNAVAILABLE);
    assert_int_equal(server.env.counters.in_flight, 0);
    const struct weft_rpc_peer_options options = {.events = &end_events, .wire = wire};
    weft__rpc_peer_init(&client.peer, &client.env, &options);
    weft__rpc_peer_init(&server.peer, &server.env, &options);
}

static void items_need_a_greeting(void **state)
{
    (void)state;
    weft__rpc_peer_done(&server.peer);
    weft__rpc_peer_done(&client.peer);
    const struct weft_rpc_peer_options on_server = {
        .events = &end_events, .events_ctx = &server, .wire = wire, .is_server = true};
    const struct weft_rpc_peer_options on_client = {
        .events = &end_events, .events_ctx = &client, .wire = wire};
    weft__rpc_peer_init(&server.peer, &server.env, &on_server);
    weft__rpc_peer_init(&client.peer, &client.env, &on_client);
    assert_err(start("demo.count", "[3]", false), WEFT_ERR_STATE);
    /* A plain client is told. */
    const struct weft_rpc_call_options plain = {.method = WEFT_SLICE_LIT("demo.count"),
                                                .params = WEFT_SLICE_LIT("[3]"),
                                                .answer = on_answer,
                                                .ctx = &the_call};
    assert_ok(weft__rpc_peer_call(&client.peer, &plain, WEFT_NS_PER_S, NULL));
    run_until_quiet();
    assert_string_equal(the_call.text, "weft.rpc.not_greeted");
}

#define OVER(wire, test)                                                                           \
    {                                                                                              \
        .name = #test " (" #wire ")", .test_func = test, .setup_func = set_up,                     \
        .teardown_func = tear_down, .initial_state = (void *)(uintptr_t)&weft__rpc_wire_##wire     \
    }

#define EVERY_TEST(wire)                                                                           \
    OVER(wire, a_server_stream_comes_in_order_and_whole),                                          \
        OVER(wire, a_client_stream_waits_for_credit), OVER(wire, both_directions_at_once),         \
        OVER(wire, a_receiver_that_does_not_consume_stops_the_sender),                             \
        OVER(wire, early_credit_and_cancellations_stay_behind_their_call),                         \
        OVER(wire, leaving_early_cancels), OVER(wire, streams_are_limited),                        \
        OVER(wire, an_item_without_credit_ends_the_connection),                                    \
        OVER(wire, items_after_the_answer_are_harmless),                                           \
        OVER(wire, a_unary_method_takes_no_items),                                                 \
        OVER(wire, the_end_of_a_connection_ends_streams), OVER(wire, items_need_a_greeting)

int main(void)
{
    const struct CMUnitTest tests[] = {EVERY_TEST(json), EVERY_TEST(binary)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
