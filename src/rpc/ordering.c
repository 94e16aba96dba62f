/* SPDX-License-Identifier: Apache-2.0 */
/* Queues of calls, one for each ordering key in use on a connection. */
#include "rpc/ordering.h"

#include "rpc/peer_internal.h"

struct weft_rpc_order {
    struct weft_map_node node;
    struct weft_rpc_env *env;
    struct weft_rpc_peer *peer; /* NULL when it is gone */
    struct weft_list waiting;   /* calls, by order_link */
    bool busy;                  /* one runs */
    bool turning;               /* turn() is on the stack */
    size_t key_len;
    uint8_t key[];
};

static struct weft_rpc_order *new_order(struct weft_rpc_peer *peer, struct weft_slice key)
{
    const struct weft_alloc *alloc = peer->env->alloc;
    struct weft_rpc_order *order = weft__mem_alloc(alloc, sizeof(*order) + key.len);
    if (!order)
        return NULL;
    *order = (struct weft_rpc_order){.env = peer->env, .peer = peer, .key_len = key.len};
    weft__list_init(&order->waiting);
    memcpy(order->key, key.ptr, key.len);
    if (weft__map_add(&peer->orders, &order->node, weft__slice(order->key, key.len))) {
        weft__mem_free(alloc, order, sizeof(*order) + key.len);
        return NULL;
    }
    return order;
}

/* Frees |order| when nobody needs it any more. */
static void end_order(struct weft_rpc_order *order)
{
    if (order->busy || !weft__list_empty(&order->waiting))
        return;
    if (order->peer)
        weft__map_remove(&order->peer->orders, &order->node);
    weft__mem_free(order->env->alloc, order, sizeof(*order) + order->key_len);
}

/* Lets the next one run; a loop, since each may be answered at once. */
static void turn(struct weft_rpc_order *order)
{
    if (order->turning)
        return;
    order->turning = true;
    /* Of a connection that ends, those that wait are being told. */
    bool open = order->peer && !order->peer->closed;
    while (open && !order->busy && !weft__list_empty(&order->waiting)) {
        struct weft_list *link = weft__list_pop(&order->waiting);
        order->busy = true;
        weft__rpc_call_run(WEFT_CONTAINER_OF(link, struct weft_rpc_call, order_link));
    }
    order->turning = false;
    end_order(order);
}

/* A call that waits is not wanted any more: nothing of it was executed. */
static void waited_in_vain(struct weft_rpc_call *call, int status, void *ctx)
{
    struct weft_rpc_order *order = ctx;
    weft__list_remove(&call->order_link);
    call->order = NULL;
    weft__rpc_call_fail(
        call, &(struct weft_rpc_failure){.status = status, .executed = WEFT_RPC_EXECUTED_NO});
    if (!order->turning)
        end_order(order);
}

enum weft_rpc_turn weft__rpc_order_enter(struct weft_rpc_call *call)
{
    struct weft_rpc_peer *peer = call->peer;
    struct weft_map_node *node = weft__map_get(&peer->orders, call->meta.order);
    if (!node) {
        call->order = new_order(peer, call->meta.order);
        if (!call->order)
            return WEFT_RPC_TURN_NEVER;
        call->order->busy = true;
        return WEFT_RPC_TURN_NOW;
    }
    struct weft_rpc_order *order = WEFT_CONTAINER_OF(node, struct weft_rpc_order, node);
    if (weft__rpc_call_wait(call, waited_in_vain, order))
        return WEFT_RPC_TURN_NEVER;
    call->order = order;
    weft__list_push(&order->waiting, &call->order_link);
    return WEFT_RPC_TURN_LATER;
}

void weft__rpc_order_leave(struct weft_rpc_call *call)
{
    struct weft_rpc_order *order = call->order;
    call->order = NULL;
    order->busy = false;
    turn(order);
}

void weft__rpc_orders_done(struct weft_rpc_peer *peer)
{
    for (struct weft_map_node *node; (node = weft__map_first(&peer->orders)) != NULL;) {
        struct weft_rpc_order *order = WEFT_CONTAINER_OF(node, struct weft_rpc_order, node);
        WEFT_ASSERT(weft__list_empty(&order->waiting));
        weft__map_remove(&peer->orders, node);
        order->peer = NULL;
        end_order(order);
    }
    weft__map_done(&peer->orders);
}
