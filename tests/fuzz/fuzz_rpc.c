/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any messages, one a line, to a server peer. Every fourth call of `test.hold` is answered later or
 * never; time goes on between messages. What is sent must be JSON, and in the end nothing may be in
 * flight.
 */
#include "base/assert.h"
#include "rpc/demo.h"
#include "rpc/peer.h"

enum { HELD_MAX = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz {
    struct weft_rpc_call *held[HELD_MAX];
    size_t held_count;
};

static void on_send(void *ctx, struct weft_slice message, enum weft_rpc_lane lane)
{
    struct weft_arena arena;
    const struct weft_json *value;
    (void)ctx;
    (void)lane;
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    WEFT_ASSERT(weft__json_parse(message, &arena, NULL, NULL, &value) == 0);
    weft__arena_done(&arena);
}

static void on_cancel(struct weft_rpc_call *call, int status, void *ctx)
{
    (void)call;
    (void)status;
    (void)ctx;
}

static void serve_hold(struct weft_rpc_call *call, void *ctx)
{
    struct fuzz *fuzz = ctx;
    if (fuzz->held_count == HELD_MAX ||
        weft__rpc_call_defer(call, fuzz->held_count % 2 ? on_cancel : NULL, fuzz))
        weft__rpc_call_error(call, WEFT_STATUS_RESOURCE_EXHAUSTED, "acme.full", NULL);
    else
        fuzz->held[fuzz->held_count++] = call;
}

static void answer_one(struct fuzz *fuzz)
{
    if (fuzz->held_count == 0)
        return;
    struct weft_rpc_call *call = fuzz->held[--fuzz->held_count];
    const struct weft_json *params = weft__rpc_call_params(call);
    weft__rpc_call_result(call, params ? weft__json_raw(params) : WEFT_SLICE_LIT("null"));
}

static void receive_lines(struct weft_rpc_peer *peer, struct weft_timer_wheel *wheel,
                          struct fuzz *fuzz, struct weft_slice lines)
{
    uint64_t now_ns = 0;
    for (size_t turn = 1; lines.len > 0; ++turn) {
        const uint8_t *end = memchr(lines.ptr, '\n', lines.len);
        size_t len = end ? (size_t)(end - lines.ptr) : lines.len;
        (void)!weft__rpc_peer_receive(peer, weft__slice(lines.ptr, len), now_ns);
        now_ns += 10 * WEFT_NS_PER_MS;
        weft__timer_wheel_advance(wheel, now_ns);
        if (turn % 4 == 0)
            answer_one(fuzz);
        len += end ? 1 : 0;
        lines = weft__slice(lines.ptr + len, lines.len - len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct weft_hash_key key = {1, 2};
    static const struct weft_rpc_peer_events events = {.send = on_send};
    struct fuzz fuzz = {.held_count = 0};
    struct weft_rpc_method hold = {.name = "test.hold", .handler = serve_hold, .ctx = &fuzz};
    struct weft_rpc_peer_options options = {.is_server = true, .events = &events};
    struct weft_timer_wheel wheel;
    struct weft_rpc_registry registry;
    struct weft_rpc_env env;
    struct weft_rpc_peer peer;
    weft__timer_wheel_init(&wheel, 0);
    weft__rpc_registry_init(&registry, weft_alloc_default(), key);
    if (weft__rpc_demo_register(&registry) || weft__rpc_registry_add(&registry, &hold))
        return 0;
    weft__rpc_env_init(&env, weft_alloc_default(), &registry, &wheel, key);
    weft__rpc_peer_init(&peer, &env, &options);
    receive_lines(&peer, &wheel, &fuzz, weft__slice(data, size));
    weft__rpc_peer_done(&peer);
    while (fuzz.held_count)
        answer_one(&fuzz);
    weft__rpc_env_done(&env);
    weft__rpc_registry_done(&registry);
    return 0;
}
