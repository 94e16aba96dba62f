/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls of one connection that name the same ordering key (`meta.order`) run one after the other,
 * in order of arrival: the next one starts when the one before has been answered by its method.
 *
 *   enter ─┬─ nobody is running ──► runs ──► leave ──► the next one runs
 *          └─ somebody is ────────► waits, and can be canceled or late meanwhile
 *
 * **Thread:** that of the peer.
 */
#ifndef WEFT_RPC_ORDERING_H
#define WEFT_RPC_ORDERING_H

#include "base/list.h"
#include "base/map.h"

#include <weft/err.h>

struct weft_rpc_call;
struct weft_rpc_peer;

enum { WEFT_RPC_ORDER_MAX = 128 /* bytes of a key */ };

enum weft_rpc_turn {
    WEFT_RPC_TURN_NOW,   /* run it */
    WEFT_RPC_TURN_LATER, /* it will be run; it may be over already when this is returned */
    WEFT_RPC_TURN_NEVER, /* out of memory: answer it */
};

/* |call|, which has an ordering key, may run or is made to wait. */
enum weft_rpc_turn weft__rpc_order_enter(struct weft_rpc_call *call);

/* |call| has been answered by its method; others may run in here. */
void weft__rpc_order_leave(struct weft_rpc_call *call);

/* The connection is gone and every waiting call with it. */
void weft__rpc_orders_done(struct weft_rpc_peer *peer);

#endif
