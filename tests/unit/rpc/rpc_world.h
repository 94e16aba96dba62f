/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server peer in a world of its own: a clock that is moved by hand, the methods of the test and
 * those of rpc/demo.h, and a log of all that was sent, compared as text.
 */
#ifndef WEFT_TESTS_UNIT_RPC_WORLD_H
#define WEFT_TESTS_UNIT_RPC_WORLD_H

#include "lib/test.h"

#include "base/bytes.h"
#include "rpc/demo.h"
#include "rpc/peer.h"

enum { WORLD_HELD_MAX = 2048 };

struct world {
    const struct weft_alloc *alloc;
    struct weft_timer_wheel wheel;
    struct weft_rpc_registry registry;
    struct weft_rpc_env env;
    struct weft_rpc_peer peer;
    uint64_t now_ns;
    struct weft_bytes sent; /* messages, a newline behind each */
    size_t sent_count;
    enum weft_rpc_lane lane; /* of the newest message */
    int failed;              /* what the failed event said */
    int greetings;
    int pongs;
    /* calls deferred by test.hold and test.hold_cancel, in their order */
    struct weft_rpc_call *held[WORLD_HELD_MAX];
    size_t held_count;
    int cancel_status; /* what the newest cancel callback said */
    int cancel_count;
    int runs; /* of the test's own handlers */
};

static inline void world_send(void *ctx, struct weft_slice message, enum weft_rpc_lane lane)
{
    struct world *world = ctx;
    weft__bytes_append_slice(&world->sent, message);
    weft__bytes_append_byte(&world->sent, '\n');
    ++world->sent_count;
    world->lane = lane;
}

static inline void world_failed(void *ctx, int err)
{
    ((struct world *)ctx)->failed = err;
}

static inline void world_greeted(void *ctx, const struct weft_json *params)
{
    assert_non_null(params);
    ++((struct world *)ctx)->greetings;
}

static inline void world_pong(void *ctx)
{
    ++((struct world *)ctx)->pongs;
}

static const struct weft_rpc_peer_events world_events = {
    .send = world_send, .failed = world_failed, .greeted = world_greeted, .pong = world_pong};

static inline void world_cancel(struct weft_rpc_call *call, int status, void *ctx)
{
    struct world *world = ctx;
    assert_true(weft__rpc_call_is_canceled(call));
    world->cancel_status = status;
    ++world->cancel_count;
}

static inline void world_defer(struct world *world, struct weft_rpc_call *call,
                               weft_rpc_cancel_fn *cancel)
{
    ++world->runs;
    assert_true(world->held_count < WORLD_HELD_MAX);
    if (weft__rpc_call_defer(call, cancel, world) == 0)
        world->held[world->held_count++] = call;
    else
        weft__rpc_call_error(call, WEFT_STATUS_RESOURCE_EXHAUSTED, NULL, NULL);
}

/* Keeps the call; a cancellation is the peer's business. */
static inline void serve_hold(struct weft_rpc_call *call, void *ctx)
{
    world_defer(ctx, call, NULL);
}

/* Keeps the call and wants to hear of cancellations. */
static inline void serve_hold_cancel(struct weft_rpc_call *call, void *ctx)
{
    world_defer(ctx, call, world_cancel);
}

/* Neither answers nor defers. */
static inline void serve_forget(struct weft_rpc_call *call, void *ctx)
{
    (void)call;
    ++((struct world *)ctx)->runs;
}

/* Defers and answers before it returns. */
static inline void serve_hurry(struct weft_rpc_call *call, void *ctx)
{
    ++((struct world *)ctx)->runs;
    if (weft__rpc_call_defer(call, NULL, NULL) == 0)
        weft__rpc_call_result(call, WEFT_SLICE_LIT("\"early\""));
    else
        weft__rpc_call_error(call, WEFT_STATUS_RESOURCE_EXHAUSTED, NULL, NULL);
}

/* Writes a result that is no UTF-8. */
static inline void serve_garble(struct weft_rpc_call *call, void *ctx)
{
    struct weft_rpc_reply reply;
    (void)ctx;
    weft__json_put_str(weft__rpc_reply_begin(&reply, call), "\xff");
    weft__rpc_reply_send(&reply);
}

static inline int world_register(struct world *world)
{
    const struct weft_rpc_method methods[] = {
        {.name = "test.hold", .handler = serve_hold, .ctx = world},
        {.name = "test.hold_cancel", .handler = serve_hold_cancel, .ctx = world},
        {.name = "test.forget", .handler = serve_forget, .ctx = world},
        {.name = "test.hurry", .handler = serve_hurry, .ctx = world},
        {.name = "test.garble", .handler = serve_garble},
        {.name = "test.greeted",
         .handler = serve_hold,
         .ctx = world,
         .flags = WEFT_RPC_METHOD_GREETED},
    };
    int err = weft__rpc_demo_register(&world->registry);
    if (!err)
        err = weft__rpc_registry_add_all(&world->registry, methods, WEFT_ARRAY_LEN(methods));
    return err;
}

/* |alloc| serves weft; the world's own log does not use it. Returns what registration returned. */
static inline int world_init(struct world *world, const struct weft_alloc *alloc, bool is_server)
{
    static const struct weft_hash_key key = {.k0 = 1, .k1 = 2};
    *world = (struct world){.alloc = alloc, .now_ns = WEFT_NS_PER_S};
    weft__bytes_init(&world->sent, weft_alloc_default(), SIZE_MAX);
    weft__timer_wheel_init(&world->wheel, world->now_ns);
    weft__rpc_registry_init(&world->registry, alloc, key);
    weft__rpc_env_init(&world->env, alloc, &world->registry, &world->wheel, key);
    struct weft_rpc_peer_options options = {.is_server = is_server,
                                            .session = "s_1",
                                            .events = &world_events,
                                            .events_ctx = world,
                                            .user = world};
    weft__rpc_peer_init(&world->peer, &world->env, &options);
    return world_register(world);
}

/* Ends the connection, then whatever handlers still hold. */
static inline void world_done(struct world *world)
{
    weft__rpc_peer_done(&world->peer);
    for (size_t i = 0; i < world->held_count; ++i)
        weft__rpc_call_drop(world->held[i]);
    weft__rpc_env_done(&world->env);
    weft__rpc_registry_done(&world->registry);
    weft__bytes_done(&world->sent);
}

static inline int world_receive(struct world *world, const char *text)
{
    /* A block of the exact size, gone afterwards: nothing may point into it. */
    size_t len = strlen(text);
    char *copy = malloc(len ? len : 1);
    if (!copy)
        abort();
    memcpy(copy, text, len);
    int err = weft__rpc_peer_receive(&world->peer, weft__slice(copy, len), world->now_ns);
    memset(copy, 'x', len);
    free(copy);
    return err;
}

/* What was sent since the last look must be |want|: messages with a newline behind each. */
static inline void assert_sent(struct world *world, const char *want)
{
    weft__bytes_append_byte(&world->sent, '\0');
    assert_string_equal(want, world->sent.ptr);
    weft__bytes_clear(&world->sent);
    world->sent_count = 0;
}

/* Receives |text| and requires that exactly |want| is sent. */
static inline void assert_exchange(struct world *world, const char *text, const char *want)
{
    assert_ok(world_receive(world, text));
    assert_sent(world, want);
}

static inline void world_advance_ms(struct world *world, uint64_t ms)
{
    world->now_ns += ms * WEFT_NS_PER_MS;
    weft__timer_wheel_advance(&world->wheel, world->now_ns);
}

/* Takes the held call at |index| out of the world's hands. */
static inline struct weft_rpc_call *world_take(struct world *world, size_t index)
{
    struct weft_rpc_call *call = world->held[index];
    world->held[index] = NULL;
    return call;
}

static inline void world_greet(struct world *world)
{
    assert_ok(world_receive(world, "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"$/hello\","
                                   "\"params\":{\"v\":[1,1]}}"));
    assert_true(world->peer.greeted);
    weft__bytes_clear(&world->sent);
    world->sent_count = 0;
}

/* An error answer as the wire has it. */
#define ERROR_TEXT(id, number, message, data)                                                      \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"error\":{\"code\":" number ",\"message\":\"" message     \
    "\",\"data\":{" data "}}}"

#define INVALID_REQUEST(id)                                                                        \
    ERROR_TEXT(id, "-32600", "Invalid Request",                                                    \
               "\"code\":\"invalid_argument\",\"retryable\":false,\"executed\":\"no\"")

#define PARSE_ERROR                                                                                \
    ERROR_TEXT("null", "-32700", "Parse error",                                                    \
               "\"code\":\"invalid_argument\",\"retryable\":false,\"executed\":\"no\"")

#define METHOD_NOT_FOUND(id)                                                                       \
    ERROR_TEXT(id, "-32601", "Method not found",                                                   \
               "\"code\":\"unimplemented\",\"retryable\":false,\"executed\":\"no\"")

#endif
