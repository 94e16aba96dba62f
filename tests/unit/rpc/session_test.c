/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions over connections that are cut at any moment: a client and a server, both real peers,
 * joined by queues of messages that a cut shortens at random. Whatever happens, each call ends once
 * and each item comes once and in order.
 */
#include "io/crypto.h"
#include "lib/random.h"
#include "lib/test.h"
#include "rpc/binary.h"
#include "rpc/demo.h"
#include "rpc/jsonrpc.h"
#include "rpc/session.h"

static const struct weft_rpc_greeting greeting = {.name = "test", .version = "1"};

enum { CALLS_MAX = 256, QUEUE_MAX = 65536, REPLAY = 1024 * 1024 };

/* Messages under way in one direction. */
struct queue {
    struct weft_slice messages[QUEUE_MAX];
    size_t first, count;
    size_t control; /* of these, in front: what passed the others */
};

/* A connection's end at the server: a peer that may have taken over a session. */
struct accepted {
    struct weft_rpc_peer peer;
    bool used;
    bool attached;
};

struct side {
    struct weft_timer_wheel wheel;
    struct weft_rpc_registry registry;
    struct weft_rpc_env env;
    struct queue out;
};

/* A call and what it was told. */
struct told {
    uint64_t number;
    int64_t next; /* item expected */
    uint64_t to_send, sent;
    int answers;
    int status;
    enum weft_rpc_executed executed;
    int64_t value;
    int64_t expected;
    int64_t items;
    bool canceled;
    bool reverse; /* the server's call */
};

static struct {
    const struct weft_rpc_wire *wire;
    uint64_t now_ns;
    struct side client, server;
    struct weft_rpc_peer peer;   /* the client's */
    struct accepted accepted[2]; /* the one that has the session, and the one being greeted */
    struct accepted *current;    /* that messages go to; NULL: no connection */
    struct accepted *owner;      /* of the session; NULL: none */
    struct weft_rpc_resume_key key;
    uint64_t sessions;
    char token[WEFT_RPC_RESUME_TOKEN_LEN + 1];
    bool taken_up;
    size_t replay;    /* bytes the server keeps */
    bool no_sessions; /* the server has none */
    int ended;        /* sessions that the client lost */
    char reason[32];
    struct told calls[CALLS_MAX]; /* the client's, then the server's */
    size_t call_count;
} w;

static struct test_random rng;

/* ---- queues ---- */

static void queue_push(struct queue *queue, struct weft_slice message)
{
    assert_true(queue->count < QUEUE_MAX);
    uint8_t *copy = malloc(message.len + 1);
    assert_non_null(copy);
    memcpy(copy, message.ptr, message.len);
    queue->messages[(queue->first + queue->count++) % QUEUE_MAX] = weft__slice(copy, message.len);
}

/* In its lane: control passes all data, as far as any transport lets it. */
static void queue_push_in(struct queue *queue, struct weft_slice message, enum weft_rpc_lane lane)
{
    queue_push(queue, message);
    if (lane == WEFT_RPC_LANE_DATA)
        return;
    struct weft_slice *messages = queue->messages;
    for (size_t i = queue->count - 1; i > queue->control; i--) {
        struct weft_slice *at = &messages[(queue->first + i) % QUEUE_MAX];
        struct weft_slice *before = &messages[(queue->first + i - 1) % QUEUE_MAX];
        struct weft_slice passed = *before;
        *before = *at;
        *at = passed;
    }
    queue->control++;
}

static struct weft_slice queue_pop(struct queue *queue)
{
    queue->control -= queue->control > 0;
    struct weft_slice message = queue->messages[queue->first];
    queue->first = (queue->first + 1) % QUEUE_MAX;
    queue->count--;
    return message;
}

static void queue_clear(struct queue *queue)
{
    while (queue->count)
        free((void *)queue_pop(queue).ptr);
}

static void client_send(void *ctx, struct weft_slice message, enum weft_rpc_lane lane)
{
    (void)ctx;
    if (w.current)
        queue_push_in(&w.client.out, message, lane);
}

static void server_send(void *ctx, struct weft_slice message, enum weft_rpc_lane lane)
{
    (void)ctx;
    if (w.current)
        queue_push_in(&w.server.out, message, lane);
}

/* ---- the server's table of one session ---- */

static void on_session(void *ctx, const struct weft_rpc_session_request *request,
                       struct weft_rpc_welcome *welcome)
{
    struct accepted *fresh = ctx;
    struct weft_slice nobody = WEFT_SLICE_LIT("nobody");
    enum weft_rpc_resume_result result = WEFT_RPC_RESUME_OK;
    if (w.no_sessions)
        return;
    welcome->resume_ms = 1000;
    welcome->token = w.token;
    if (request->token.len) {
        struct weft_rpc_resume_id id;
        struct weft_rpc_session *session = NULL;
        if (weft__rpc_resume_token_read(&w.key, request->token, &id))
            result = WEFT_RPC_RESUME_UNKNOWN;
        else if (w.owner && w.owner->peer.session->resume.id.session == id.session)
            session = w.owner->peer.session;
        if (result == WEFT_RPC_RESUME_OK)
            result =
                weft__rpc_session_take_up(session, &id, w.wire, nobody, request->seen, w.token);
        if (result == WEFT_RPC_RESUME_OK) {
            welcome->resumed = true;
            welcome->seen = weft__rpc_delivery_seen(&session->delivery);
            w.taken_up = true;
            return;
        }
        welcome->reason = weft__rpc_resume_result_name(result);
    }
    struct weft_rpc_resume resume;
    weft__rpc_resume_init(&resume, &w.key, 0, ++w.sessions, w.wire, nobody);
    assert_ok(weft__rpc_resume_issue(&resume, w.token));
    assert_ok(weft__rpc_session_begin(&fresh->peer, w.replay, &resume));
}

static void server_failed(void *ctx, int err)
{
    (void)ctx;
    fail_msg("the server failed: %s", weft_err_message(err));
}

static void on_session_ended(void *ctx, struct weft_slice reason)
{
    (void)ctx;
    w.ended++;
    snprintf(w.reason, sizeof(w.reason), "%.*s", (int)reason.len, (const char *)reason.ptr);
}

static const struct weft_rpc_peer_events server_events = {
    .send = server_send, .failed = server_failed, .session = on_session};
static const struct weft_rpc_peer_events client_events = {.send = client_send,
                                                          .session_ended = on_session_ended};

/* ---- connections ---- */

static void accepted_end(struct accepted *accepted)
{
    weft__rpc_peer_done(&accepted->peer);
    accepted->used = false;
    if (w.owner == accepted)
        w.owner = NULL;
}

static void connect_again(void)
{
    struct accepted *fresh = w.accepted[0].used ? &w.accepted[1] : &w.accepted[0];
    const struct weft_rpc_peer_options options = {.is_server = true,
                                                  .wire = w.wire,
                                                  .session = "s_1",
                                                  .events = &server_events,
                                                  .events_ctx = fresh};
    assert_false(fresh->used);
    *fresh = (struct accepted){.used = true};
    weft__rpc_peer_init(&fresh->peer, &w.server.env, &options);
    w.current = fresh;
    assert_ok(weft__rpc_peer_greet(&w.peer, &greeting, NULL, NULL, w.now_ns));
}

/* The connection is gone, and what was under way with it. */
static void cut(void)
{
    struct accepted *was = w.current;
    if (!was)
        return;
    queue_clear(&w.client.out);
    queue_clear(&w.server.out);
    w.current = NULL;
    if (w.peer.session)
        weft__rpc_session_detach(&w.peer);
    if (was != w.owner)
        accepted_end(was); /* it never was greeted */
    else
        weft__rpc_session_detach(&was->peer);
}

/* The server has dealt with a message: did that change who has the session? */
static void after_message(void)
{
    struct accepted *fresh = w.current;
    if (w.taken_up) {
        w.taken_up = false;
        assert_ptr_not_equal(fresh, w.owner);
        accepted_end(fresh);
        w.current = w.owner;
        weft__rpc_session_attach(&w.owner->peer);
    } else if (fresh->peer.session && w.owner != fresh) {
        if (w.owner)
            accepted_end(w.owner); /* it was given up */
        w.owner = fresh;
    }
}

static bool deliver_to_server(void)
{
    if (!w.client.out.count)
        return false;
    struct weft_slice message = queue_pop(&w.client.out);
    assert_ok(weft__rpc_peer_receive(&w.current->peer, message, w.now_ns));
    free((void *)message.ptr);
    after_message();
    return true;
}

static bool deliver_to_client(void)
{
    if (!w.server.out.count)
        return false;
    struct weft_slice message = queue_pop(&w.server.out);
    assert_ok(weft__rpc_peer_receive(&w.peer, message, w.now_ns));
    free((void *)message.ptr);
    return true;
}

static void pass_ms(uint64_t ms)
{
    w.now_ns += ms * WEFT_NS_PER_MS;
    weft__timer_wheel_advance(&w.client.wheel, w.now_ns);
    weft__timer_wheel_advance(&w.server.wheel, w.now_ns);
}

static void run_until_quiet(void)
{
    for (int idle = 0; idle < 5;) {
        bool busy = deliver_to_server();
        busy = deliver_to_client() || busy;
        idle = busy ? 0 : idle + 1;
        if (!busy)
            pass_ms(300);
    }
}

/* ---- calls ---- */

static void on_item(void *ctx, uint64_t number, const struct weft_json *value)
{
    struct told *told = ctx;
    int64_t item;
    assert_int_equal(told->answers, 0);
    assert_true(weft__json_i64(value, &item));
    assert_int_equal(item, told->next);
    assert_int_equal(number, told->number);
    told->next++;
}

static void send_more(struct told *told)
{
    char text[24];
    while (told->sent < told->to_send) {
        int len = snprintf(text, sizeof(text), "%llu", (unsigned long long)told->sent + 1);
        if (weft__rpc_peer_send(&w.peer, told->number, weft__slice(text, (size_t)len)))
            return;
        told->sent++;
    }
    weft__rpc_peer_end(&w.peer, told->number);
}

static void on_writable(void *ctx, uint64_t number)
{
    (void)number;
    send_more(ctx);
}

static void on_answer(void *ctx, const struct weft_rpc_answer *answer)
{
    struct told *told = ctx;
    told->answers++;
    told->status = answer->error.status;
    told->executed = answer->error.executed;
    if (answer->result && !weft__json_i64(answer->result, &told->value))
        told->value = -1;
}

static const struct weft_rpc_outgoing_ops stream_ops = {.item = on_item, .writable = on_writable};

enum what { SUM, COUNT, TOTAL, MIRROR, SLEEP, REVERSE_SUM };

static struct told *start(enum what what, uint64_t n, uint64_t timeout_ms)
{
    static const char *const methods[] = {"sum",         "demo.count", "demo.total",
                                          "demo.mirror", "demo.sleep", "sum"};
    struct told *told = &w.calls[w.call_count++];
    char params[48] = "";
    assert_true(w.call_count <= CALLS_MAX);
    *told = (struct told){.next = 1, .reverse = what == REVERSE_SUM};
    if (what == SUM || what == REVERSE_SUM || what == COUNT || what == SLEEP)
        snprintf(params, sizeof(params), "[%llu]", (unsigned long long)n);
    else
        told->to_send = n;
    bool streams = what == COUNT || what == TOTAL || what == MIRROR;
    const struct weft_rpc_call_options options = {
        .method = weft__slice_str(methods[what]),
        .params = weft__slice_str(params),
        .meta = {.has_timeout = timeout_ms > 0, .timeout_ms = timeout_ms},
        .answer = on_answer,
        .ctx = told,
        .stream = streams ? &stream_ops : NULL,
        .sends = what == TOTAL || what == MIRROR,
    };
    struct weft_rpc_peer *peer = told->reverse ? &w.owner->peer : &w.peer;
    assert_ok(weft__rpc_peer_call(peer, &options, w.now_ns, &told->number));
    if (options.sends)
        send_more(told);
    return told;
}

/* ---- the world ---- */

static void side_init(struct side *side)
{
    static const struct weft_hash_key key = {.k0 = 1, .k1 = 2};
    weft__timer_wheel_init(&side->wheel, w.now_ns);
    weft__rpc_registry_init(&side->registry, weft_alloc_default(), key);
    assert_ok(weft__rpc_demo_register(&side->registry));
    weft__rpc_env_init(&side->env, weft_alloc_default(), &side->registry, &side->wheel, key);
}

static void side_done(struct side *side)
{
    queue_clear(&side->out);
    weft__rpc_env_done(&side->env);
    weft__rpc_registry_done(&side->registry);
}

static void build_world(const struct weft_rpc_wire *wire, size_t replay, bool sessions)
{
    memset(&w, 0, sizeof(w));
    w.wire = wire;
    w.now_ns = WEFT_NS_PER_S;
    w.replay = replay;
    w.no_sessions = !sessions;
    weft__rpc_resume_key_init(&w.key, weft__crypto_openssl());
    side_init(&w.client);
    side_init(&w.server);
    w.server.env.limits.streams = CALLS_MAX;
    const struct weft_rpc_peer_options options = {
        .wire = wire, .events = &client_events, .replay_bytes = REPLAY};
    weft__rpc_peer_init(&w.peer, &w.client.env, &options);
    connect_again();
    run_until_quiet();
    assert_true(w.peer.greeted);
    assert_int_equal(w.peer.session != NULL, sessions);
}

static int set_up(void **state)
{
    build_world(*state, REPLAY, true);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    w.current = NULL;
    weft__rpc_peer_done(&w.peer);
    for (size_t i = 0; i < WEFT_ARRAY_LEN(w.accepted); i++) {
        if (w.accepted[i].used)
            accepted_end(&w.accepted[i]);
    }
    side_done(&w.client);
    side_done(&w.server);
    return 0;
}

static void check_good(const struct told *told, int64_t value)
{
    assert_int_equal(told->answers, 1);
    assert_int_equal(told->status, 0);
    assert_int_equal(told->value, value);
}

/* ---- the tests ---- */

static void an_answer_that_was_lost_comes_after_the_resume(void **state)
{
    (void)state;
    struct told *told = start(SUM, 7, 0);
    deliver_to_server();
    assert_int_equal(w.server.out.count, 1);
    cut();
    connect_again();
    run_until_quiet();
    check_good(told, 7);
    assert_int_equal(w.server.env.counters.calls, 2 + 1); /* two greetings and it */
    assert_int_equal(w.ended, 0);
}

static void a_call_that_was_lost_is_made_after_the_resume(void **state)
{
    (void)state;
    struct told *lost = start(SUM, 7, 0);
    cut();
    struct told *between = start(SUM, 8, 0);
    connect_again();
    struct told *while_greeting = start(SUM, 9, 0);
    run_until_quiet();
    check_good(lost, 7);
    check_good(between, 8);
    check_good(while_greeting, 9);
}

static void what_was_seen_is_not_processed_again(void **state)
{
    (void)state;
    struct told *told = start(SUM, 7, 0);
    deliver_to_server();
    deliver_to_client();
    check_good(told, 7);
    cut(); /* before anything was acknowledged */
    connect_again();
    run_until_quiet();
    assert_int_equal(told->answers, 1);
    assert_int_equal(w.server.env.counters.calls, 3);
    assert_int_equal(weft__rpc_delivery_memory(&w.peer.session->delivery), 0);
}

static void streams_go_on_where_they_were(void **state)
{
    (void)state;
    struct told *count = start(COUNT, 300, 0);
    struct told *total = start(TOTAL, 300, 0);
    struct told *mirror = start(MIRROR, 300, 0);
    for (int i = 0; i < 40; i++) {
        for (int k = 0; k < 30; k++) {
            deliver_to_server();
            deliver_to_client();
        }
        cut();
        connect_again();
    }
    run_until_quiet();
    check_good(count, 300);
    check_good(total, 300 * 301 / 2);
    check_good(mirror, -1);
    assert_int_equal(count->next, 301);
    assert_int_equal(mirror->next, 301);
    assert_int_equal(w.ended, 0);
}

static void a_cancellation_that_was_lost_is_repeated(void **state)
{
    (void)state;
    struct told *told = start(SLEEP, 60000, 0);
    struct told *late = start(SLEEP, 60000, 100);
    run_until_quiet();
    assert_int_equal(w.server.env.counters.in_flight, 1);
    (void)late;
    cut();
    weft__rpc_peer_cancel(&w.peer, told->number);
    assert_int_equal(told->answers, 1);
    connect_again();
    run_until_quiet();
    assert_int_equal(w.server.env.counters.in_flight, 0);
    assert_int_equal(w.client.env.counters.strays, 0);
    assert_int_equal(w.peer.session->canceled_count, 0);
}

static void the_server_calls_across_a_cut(void **state)
{
    (void)state;
    cut();
    struct told *told = start(REVERSE_SUM, 5, 0);
    connect_again();
    run_until_quiet();
    check_good(told, 5);
}

static void answers_to_a_batch_are_numbered_when_they_are_sent(void **state)
{
    (void)state;
    if (!w.wire->is_text)
        return; /* there are no arrays */
    uint64_t seen = weft__rpc_delivery_seen(&w.peer.session->delivery);
    queue_push(
        &w.client.out,
        WEFT_SLICE_LIT("[{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"sum\",\"params\":[1],"
                       "\"seq\":1},{\"jsonrpc\":\"2.0\",\"id\":\"b\",\"method\":\"demo.sleep\","
                       "\"params\":[50],\"seq\":2}]"));
    deliver_to_server();
    queue_push(&w.client.out, WEFT_SLICE_LIT("{\"jsonrpc\":\"2.0\",\"id\":\"c\",\"method\":\"sum\","
                                             "\"params\":[3],\"seq\":3}"));
    deliver_to_server();
    pass_ms(60);
    assert_int_equal(w.server.out.count, 2);
    struct weft_slice text = w.server.out.messages[w.server.out.first];
    assert_true(
        weft__slice_eq_str(text, "{\"jsonrpc\":\"2.0\",\"id\":\"c\",\"result\":3,\"seq\":1}"));
    text = w.server.out.messages[w.server.out.first + 1];
    assert_true(weft__slice_eq_str(text,
                                   "[{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"result\":1,\"seq\":2},"
                                   "{\"jsonrpc\":\"2.0\",\"id\":\"b\",\"result\":null,"
                                   "\"seq\":3}]"));
    deliver_to_client();
    deliver_to_client();
    assert_int_equal(weft__rpc_delivery_seen(&w.peer.session->delivery), seen + 3);
}

/* What the client says when the server knows its session no more. */
static void a_session_that_is_over_ends_its_calls(void **state)
{
    (void)state;
    struct told *sent = start(SLEEP, 60000, 0);
    deliver_to_server();
    cut();
    struct told *unsent = start(SUM, 1, 0);
    accepted_end(w.owner);
    connect_again();
    run_until_quiet();
    assert_int_equal(w.ended, 1);
    assert_string_equal(w.reason, "expired");
    assert_int_equal(sent->answers, 1);
    assert_int_equal(sent->status, WEFT_STATUS_UNAVAILABLE);
    assert_int_equal(sent->executed, WEFT_RPC_EXECUTED_UNKNOWN);
    assert_int_equal(unsent->answers, 1);
    assert_int_equal(unsent->executed, WEFT_RPC_EXECUTED_NO);
    struct told *anew = start(SUM, 2, 0);
    run_until_quiet();
    check_good(anew, 2);
}

static void too_much_to_keep_is_said(void **state)
{
    build_world(*state, 2048, true);
    for (int i = 0; i < 100; i++)
        start(SUM, 1, 0);
    while (deliver_to_server())
        ;
    cut();
    connect_again();
    run_until_quiet();
    assert_int_equal(w.ended, 1);
    assert_string_equal(w.reason, "overflow");
    for (size_t i = 0; i < w.call_count; i++)
        assert_int_equal(w.calls[i].answers, 1);
    tear_down(NULL);
}

static void without_sessions_nothing_is_numbered(void **state)
{
    build_world(*state, 0, false);
    struct told *told = start(SUM, 7, 0);
    run_until_quiet();
    check_good(told, 7);
    tear_down(NULL);
}

static void a_number_left_out_ends_the_connection(void **state)
{
    (void)state;
    start(SUM, 1, 0);
    start(SUM, 2, 0);
    free((void *)queue_pop(&w.client.out).ptr);
    struct weft_slice message = queue_pop(&w.client.out);
    assert_err(weft__rpc_peer_receive(&w.current->peer, message, w.now_ns), WEFT_ERR_PROTOCOL);
    assert_string_equal(w.current->peer.violation, "a number was left out");
    free((void *)message.ptr);
}

/* ---- at random ---- */

static void start_something(void)
{
    uint64_t n = test_random_below(&rng, 60);
    enum what what = (enum what)test_random_below(&rng, 6);
    if (w.call_count == CALLS_MAX || (what == REVERSE_SUM && (!w.owner || !w.owner->peer.greeted)))
        return;
    uint64_t timeout_ms = test_random_one_in(&rng, 6) ? 1 + test_random_below(&rng, 400) : 0;
    struct told *told = start(what, n, timeout_ms);
    told->canceled = timeout_ms > 0;
    told->expected = what == TOTAL ? (int64_t)(n * (n + 1) / 2) : (int64_t)n;
    told->items = what == COUNT || what == MIRROR ? (int64_t)n : 0;
    if (what == MIRROR || what == SLEEP)
        told->expected = -1; /* null */
}

static void cancel_something(void)
{
    struct told *told = w.call_count ? &w.calls[test_random_below(&rng, w.call_count)] : NULL;
    if (!told || told->answers || told->reverse)
        return;
    told->canceled = true;
    weft__rpc_peer_cancel(&w.peer, told->number);
}

static void step(void)
{
    switch (test_random_below(&rng, 24)) {
    case 0:
    case 1:
        start_something();
        break;
    case 2:
        pass_ms(test_random_below(&rng, 120));
        break;
    case 3:
        if (test_random_one_in(&rng, 4))
            cut();
        break;
    case 4:
        if (test_random_one_in(&rng, 4))
            cancel_something();
        break;
    case 5:
    case 6:
        if (!w.current)
            connect_again();
        break;
    default:
        if (test_random_one_in(&rng, 2))
            deliver_to_server();
        else
            deliver_to_client();
    }
}

static void nothing_is_lost_or_doubled_whatever_is_cut(void **state)
{
    test_random_init(&rng, "session");
    for (int round = 0; round < 60; round++) {
        build_world(*state, REPLAY, true);
        for (int i = 0; i < 3000; i++)
            step();
        if (!w.current)
            connect_again();
        run_until_quiet();
        pass_ms(61000);
        run_until_quiet();
        assert_int_equal(w.ended, 0);
        for (size_t i = 0; i < w.call_count; i++) {
            const struct told *told = &w.calls[i];
            assert_int_equal(told->answers, 1);
            if (told->canceled)
                continue;
            check_good(told, told->expected);
            assert_int_equal(told->next - 1, told->items);
        }
        assert_int_equal(w.server.env.counters.in_flight, 0);
        assert_int_equal(w.client.env.counters.strays, 0);
        assert_int_equal(weft__rpc_delivery_memory(&w.peer.session->delivery), 0);
        assert_int_equal(weft__rpc_delivery_memory(&w.owner->peer.session->delivery), 0);
        assert_int_equal(w.peer.session->canceled_count, 0);
        tear_down(NULL);
    }
}

#define OVER(wire, test, before, after)                                                            \
    {                                                                                              \
        .name = #test " (" #wire ")", .test_func = test, .setup_func = before,                     \
        .teardown_func = after, .initial_state = (void *)(uintptr_t)&weft__rpc_wire_##wire         \
    }

#define BOTH_WIRES(test) OVER(json, test, set_up, tear_down), OVER(binary, test, set_up, tear_down)

/* Makes its own worlds. */
#define BOTH_WIRES_ALONE(test) OVER(json, test, NULL, NULL), OVER(binary, test, NULL, NULL)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH_WIRES(an_answer_that_was_lost_comes_after_the_resume),
        BOTH_WIRES(a_call_that_was_lost_is_made_after_the_resume),
        BOTH_WIRES(what_was_seen_is_not_processed_again),
        BOTH_WIRES(streams_go_on_where_they_were),
        BOTH_WIRES(a_cancellation_that_was_lost_is_repeated),
        BOTH_WIRES(the_server_calls_across_a_cut),
        BOTH_WIRES(answers_to_a_batch_are_numbered_when_they_are_sent),
        BOTH_WIRES(a_session_that_is_over_ends_its_calls),
        BOTH_WIRES_ALONE(too_much_to_keep_is_said),
        BOTH_WIRES_ALONE(without_sessions_nothing_is_numbered),
        BOTH_WIRES(a_number_left_out_ends_the_connection),
        BOTH_WIRES_ALONE(nothing_is_lost_or_doubled_whatever_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
