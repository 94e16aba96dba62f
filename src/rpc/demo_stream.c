/* SPDX-License-Identifier: Apache-2.0 */
/* The development methods with items: one for each direction. */
#include "rpc/demo.h"

#include "rpc/peer.h"

enum { COUNT_MAX = 10 * 1000 * 1000 };

static void no_memory(struct weft_rpc_call *call)
{
    weft__rpc_call_error(call, WEFT_STATUS_RESOURCE_EXHAUSTED, "weft.memory", "out of memory");
}

static void refuse(struct weft_rpc_call *call, const char *rule)
{
    const struct weft_rpc_violation violation = {.field = "", .rule = rule};
    weft__rpc_call_fail(call, &(struct weft_rpc_failure){.status = WEFT_STATUS_INVALID_ARGUMENT,
                                                         .message = "Invalid params",
                                                         .violations = &violation,
                                                         .violation_count = 1});
}

/* |number| as JSON, in |room|. */
static struct weft_slice digits_of(int64_t number, uint8_t room[24])
{
    struct weft_bytes out = {.ptr = room, .cap = 24, .limit = 24};
    weft__bytes_append_i64(&out, number);
    return weft__bytes_slice(&out);
}

/* ---- demo.count: [n] gives the items 1 … n ---- */

struct counting {
    const struct weft_alloc *alloc;
    uint64_t next;
    uint64_t last;
};

/* Sends as long as there is credit; answers with how many there were. */
static void count_on(struct weft_rpc_call *call, void *ctx)
{
    struct counting *counting = ctx;
    uint8_t room[24];
    while (counting->next <= counting->last) {
        if (weft__rpc_call_send(call, digits_of((int64_t)counting->next, room)))
            return;
        counting->next++;
    }
    struct weft_slice answer = digits_of((int64_t)counting->last, room);
    weft__mem_free(counting->alloc, counting, sizeof(*counting));
    weft__rpc_call_result(call, answer);
}

static void count_unwanted(struct weft_rpc_call *call, int status, void *ctx)
{
    struct counting *counting = ctx;
    weft__mem_free(counting->alloc, counting, sizeof(*counting));
    weft__rpc_call_error(call, status, NULL, NULL);
}

static void count(struct weft_rpc_call *call, void *ctx)
{
    static const struct weft_rpc_stream_ops ops = {.writable = count_on};
    const struct weft_alloc *alloc = call->env->alloc;
    uint64_t last;
    (void)ctx;
    if (!weft__json_u53(weft__json_at(weft__rpc_call_params(call), 0), &last) || last > COUNT_MAX) {
        refuse(call, "[n], at most 10000000");
        return;
    }
    struct counting *counting = weft__mem_alloc(alloc, sizeof(*counting));
    if (!counting || weft__rpc_call_defer(call, count_unwanted, counting)) {
        weft__mem_free(alloc, counting, sizeof(*counting));
        no_memory(call);
        return;
    }
    *counting = (struct counting){.alloc = alloc, .next = 1, .last = last};
    weft__rpc_call_stream(call, &ops);
    count_on(call, counting);
}

/* ---- demo.total: the sum of the items that come ---- */

struct totalling {
    const struct weft_alloc *alloc;
    int64_t total;
};

static void end_totalling(struct totalling *totalling)
{
    weft__mem_free(totalling->alloc, totalling, sizeof(*totalling));
}

static void total_item(struct weft_rpc_call *call, const struct weft_json *value, void *ctx)
{
    struct totalling *totalling = ctx;
    int64_t number;
    if (weft__json_i64(value, &number) &&
        !WEFT_ADD_OVERFLOW(totalling->total, number, &totalling->total))
        return;
    end_totalling(totalling);
    refuse(call, "items are integers whose sum fits 64 bits");
}

static void total_end(struct weft_rpc_call *call, void *ctx)
{
    struct totalling *totalling = ctx;
    uint8_t room[24];
    struct weft_slice answer = digits_of(totalling->total, room);
    end_totalling(totalling);
    weft__rpc_call_result(call, answer);
}

static void total_unwanted(struct weft_rpc_call *call, int status, void *ctx)
{
    end_totalling(ctx);
    weft__rpc_call_error(call, status, NULL, NULL);
}

static void total(struct weft_rpc_call *call, void *ctx)
{
    static const struct weft_rpc_stream_ops ops = {.item = total_item, .end = total_end};
    const struct weft_alloc *alloc = call->env->alloc;
    (void)ctx;
    struct totalling *totalling = weft__mem_alloc(alloc, sizeof(*totalling));
    if (!totalling || weft__rpc_call_defer(call, total_unwanted, totalling)) {
        weft__mem_free(alloc, totalling, sizeof(*totalling));
        no_memory(call);
        return;
    }
    *totalling = (struct totalling){.alloc = alloc};
    weft__rpc_call_stream(call, &ops);
}

/* ---- demo.mirror: gives back every item that comes ---- */

/* Items that came and could not be sent on yet; bounded by the window, since credit is given only
 * for what was sent on. */
struct mirror {
    const struct weft_alloc *alloc;
    struct weft_bytes waiting; /* a length and so many bytes of JSON, again and again */
    size_t sent;               /* of |waiting| */
    bool ended;
};

static void end_mirror(struct mirror *mirror)
{
    weft__bytes_done(&mirror->waiting);
    weft__mem_free(mirror->alloc, mirror, sizeof(*mirror));
}

/* Lets go of what was sent once that is the larger part. */
static void forget_sent(struct mirror *mirror)
{
    size_t left = mirror->waiting.len - mirror->sent;
    if (left > mirror->sent)
        return;
    if (left > 0)
        memmove(mirror->waiting.ptr, mirror->waiting.ptr + mirror->sent, left);
    mirror->waiting.len = left;
    mirror->sent = 0;
}

static void mirror_on(struct weft_rpc_call *call, void *ctx)
{
    struct mirror *mirror = ctx;
    while (mirror->sent < mirror->waiting.len) {
        const uint8_t *at = mirror->waiting.ptr + mirror->sent;
        size_t len;
        memcpy(&len, at, sizeof(len));
        if (weft__rpc_call_send(call, weft__slice(at + sizeof(len), len)))
            break;
        mirror->sent += sizeof(len) + len;
        weft__rpc_call_consumed(call, 1, len);
    }
    forget_sent(mirror);
    if (mirror->waiting.len > 0)
        return;
    if (!mirror->ended)
        return;
    end_mirror(mirror);
    weft__rpc_call_result(call, WEFT_SLICE_LIT("null"));
}

static void mirror_item(struct weft_rpc_call *call, const struct weft_json *value, void *ctx)
{
    struct mirror *mirror = ctx;
    struct weft_slice json = weft__json_raw(value);
    weft__bytes_append(&mirror->waiting, &json.len, sizeof(json.len));
    weft__bytes_append_slice(&mirror->waiting, json);
    if (weft__bytes_error(&mirror->waiting)) {
        end_mirror(mirror);
        no_memory(call);
        return;
    }
    mirror_on(call, mirror);
}

static void mirror_end(struct weft_rpc_call *call, void *ctx)
{
    ((struct mirror *)ctx)->ended = true;
    mirror_on(call, ctx);
}

static void mirror_unwanted(struct weft_rpc_call *call, int status, void *ctx)
{
    end_mirror(ctx);
    weft__rpc_call_error(call, status, NULL, NULL);
}

static void mirror(struct weft_rpc_call *call, void *ctx)
{
    static const struct weft_rpc_stream_ops ops = {
        .item = mirror_item, .end = mirror_end, .writable = mirror_on};
    const struct weft_alloc *alloc = call->env->alloc;
    (void)ctx;
    struct mirror *mirror = weft__mem_alloc(alloc, sizeof(*mirror));
    if (!mirror || weft__rpc_call_defer(call, mirror_unwanted, mirror)) {
        weft__mem_free(alloc, mirror, sizeof(*mirror));
        no_memory(call);
        return;
    }
    *mirror = (struct mirror){.alloc = alloc};
    weft__bytes_init(&mirror->waiting, alloc, SIZE_MAX);
    weft__rpc_call_stream(call, &ops);
    weft__rpc_call_hold_credit(call);
}

int weft__rpc_demo_register_streams(struct weft_rpc_registry *registry)
{
    static const struct weft_rpc_method methods[] = {
        {.name = "demo.count",
         .handler = count,
         .flags = WEFT_RPC_METHOD_SENDS,
         .summary = "gives 1 to [n]"},
        {.name = "demo.total",
         .handler = total,
         .flags = WEFT_RPC_METHOD_RECEIVES,
         .summary = "the sum of what it takes"},
        {.name = "demo.mirror",
         .handler = mirror,
         .flags = WEFT_RPC_METHOD_RECEIVES | WEFT_RPC_METHOD_SENDS,
         .summary = "gives back what it takes"},
    };
    return weft__rpc_registry_add_all(registry, methods, WEFT_ARRAY_LEN(methods));
}
