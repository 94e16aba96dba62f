/* SPDX-License-Identifier: Apache-2.0 */
/* demo.tick: items that come one after the other, as those of a slow source do. */
#include "base/assert.h"
#include "rpc/demo.h"
#include "rpc/peer.h"

enum { TICK_MAX_MS = 60000, TICKS_MAX = 10 * 1000 * 1000 };

struct ticking {
    struct weft_timer timer;
    struct weft_rpc_call *call;
    const struct weft_alloc *alloc;
    uint64_t ms;
    uint64_t next;
    uint64_t last;
};

static void wait(struct ticking *ticking)
{
    struct weft_timer_wheel *wheel = ticking->call->env->wheel;
    weft__timer_start(wheel, &ticking->timer, (wheel->now_ms + ticking->ms) * WEFT_NS_PER_MS);
}

static void end_ticking(struct ticking *ticking)
{
    weft__timer_stop(ticking->call->env->wheel, &ticking->timer);
    weft__mem_free(ticking->alloc, ticking, sizeof(*ticking));
}

/* Sends the next item, or waits for the credit to do so. */
static void tick_on(struct weft_rpc_call *call, void *ctx)
{
    struct ticking *ticking = ctx;
    uint8_t room[24];
    struct weft_bytes out = {.ptr = room, .cap = sizeof(room), .limit = sizeof(room)};
    weft__bytes_append_u64(&out, ticking->next);
    if (ticking->next <= ticking->last) {
        if (weft__rpc_call_send(call, weft__bytes_slice(&out)))
            return;
        ticking->next++;
    }
    if (ticking->next <= ticking->last) {
        wait(ticking);
        return;
    }
    weft__bytes_clear(&out);
    weft__bytes_append_u64(&out, ticking->last);
    end_ticking(ticking);
    weft__rpc_call_result(call, weft__bytes_slice(&out));
}

static void due(struct weft_timer *timer)
{
    struct ticking *ticking = WEFT_CONTAINER_OF(timer, struct ticking, timer);
    tick_on(ticking->call, ticking);
}

static void unwanted(struct weft_rpc_call *call, int status, void *ctx)
{
    end_ticking(ctx);
    weft__rpc_call_error(call, status, NULL, NULL);
}

static void tick(struct weft_rpc_call *call, void *ctx)
{
    static const struct weft_rpc_stream_ops ops = {.writable = tick_on};
    const struct weft_alloc *alloc = call->env->alloc;
    const struct weft_json *params = weft__rpc_call_params(call);
    uint64_t ms, last;
    (void)ctx;
    if (!weft__json_u53(weft__json_at(params, 0), &ms) || ms > TICK_MAX_MS ||
        !weft__json_u53(weft__json_at(params, 1), &last) || last > TICKS_MAX) {
        weft__rpc_call_error(call, WEFT_STATUS_INVALID_ARGUMENT, NULL,
                             "[milliseconds, n], at most a minute and 10000000");
        return;
    }
    struct ticking *ticking = weft__mem_alloc(alloc, sizeof(*ticking));
    if (!ticking || weft__rpc_call_defer(call, unwanted, ticking)) {
        weft__mem_free(alloc, ticking, sizeof(*ticking));
        weft__rpc_call_error(call, WEFT_STATUS_RESOURCE_EXHAUSTED, "weft.memory", "out of memory");
        return;
    }
    *ticking = (struct ticking){.call = call, .alloc = alloc, .ms = ms, .next = 1, .last = last};
    weft__timer_init(&ticking->timer, due);
    weft__rpc_call_stream(call, &ops);
    wait(ticking);
}

int weft__rpc_demo_register_tick(struct weft_rpc_registry *registry)
{
    static const struct weft_rpc_method method = {.name = "demo.tick",
                                                  .handler = tick,
                                                  .flags = WEFT_RPC_METHOD_SENDS,
                                                  .summary = "gives 1 to n, [ms, n], slowly"};
    return weft__rpc_registry_add(registry, &method);
}
