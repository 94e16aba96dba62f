/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any binary messages to a server peer that greeted, two bytes of length before each. What is sent
 * must be frames that decode again, and in the end nothing may be in flight.
 */
#include "base/assert.h"
#include "rpc/binary.h"
#include "rpc/demo.h"
#include "rpc/peer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_send(void *ctx, struct weft_slice message, enum weft_rpc_lane lane)
{
    static const struct weft_rpc_decode_options options = {.max_batch = 1};
    struct weft_arena arena;
    struct weft_rpc_message decoded;
    (void)ctx;
    (void)lane;
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    WEFT_ASSERT(weft__rpc_binary_decode(message, &arena, &options, &decoded) == 0);
    WEFT_ASSERT(decoded.count == 1 && decoded.frames[0].kind > WEFT_RPC_KIND_IGNORED);
    weft__arena_done(&arena);
}

static void receive_all(struct weft_rpc_peer *peer, struct weft_timer_wheel *wheel,
                        struct weft_slice rest)
{
    uint64_t now_ns = 0;
    while (rest.len >= 2) {
        size_t len = WEFT_MIN((size_t)rest.ptr[0] | (size_t)rest.ptr[1] << 8, rest.len - 2);
        (void)!weft__rpc_peer_receive(peer, weft__slice(rest.ptr + 2, len), now_ns);
        rest = weft__slice(rest.ptr + 2 + len, rest.len - 2 - len);
        now_ns += 10 * WEFT_NS_PER_MS;
        weft__timer_wheel_advance(wheel, now_ns);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct weft_hash_key key = {1, 2};
    static const struct weft_rpc_peer_events events = {.send = on_send};
    static const struct weft_rpc_peer_options options = {
        .is_server = true, .wire = &weft__rpc_wire_binary, .events = &events};
    struct weft_timer_wheel wheel;
    struct weft_rpc_registry registry;
    struct weft_rpc_env env;
    struct weft_rpc_peer peer;
    weft__timer_wheel_init(&wheel, 0);
    weft__rpc_registry_init(&registry, weft_alloc_default(), key);
    if (weft__rpc_demo_register(&registry))
        return 0;
    weft__rpc_env_init(&env, weft_alloc_default(), &registry, &wheel, key);
    weft__rpc_peer_init(&peer, &env, &options);
    peer.greeted = true;
    receive_all(&peer, &wheel, weft__slice(data, size));
    weft__rpc_peer_done(&peer);
    WEFT_ASSERT(env.counters.in_flight == 0);
    weft__rpc_env_done(&env);
    weft__rpc_registry_done(&registry);
    return 0;
}
