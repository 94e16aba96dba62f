/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of a call to the peer that provides its method, and back.
 *
 *   caller's worker                          provider's worker
 *   handler: pick a provider ── arrived ───► call the peer
 *        │                                       │ its answer, or its end
 *        └── answer the call ◄── came back ──────┘
 *            or, when the provider was lost, pick another one
 *
 * The request travels as a task; whichever side has it owns it. The caller's cancellation overtakes
 * it as a message of its own, which finds the request by its number, or nothing. The call itself is
 * touched on the caller's worker alone, and stays deferred until the request is back.
 *
 * **Thread:** that of the worker whose call, or whose provider, it is.
 */
#ifndef WEFT_SERVER_FORWARD_H
#define WEFT_SERVER_FORWARD_H

#include "rpc/peer.h"

struct weft_provide_link;

/* The handler of every provided name; |name| is its struct weft_rpc_provided. */
void weft__forward_call(struct weft_rpc_call *call, void *name);

/* The provider behind |link| has been away for a while: of its calls, those that do no harm
 * elsewhere go to somebody who is there. Returns how many it keeps. */
size_t weft__forward_move(struct weft_provide_link *link);

#endif
