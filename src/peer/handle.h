/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other end of a connection as an application holds it (weft/rpc.h): a reference-counted object
 * that any thread may call, and that outlives the connection.
 *
 *   weft_peer_call ─► request ─► posted ─► rpc peer ─► … answer ─► the application's callback
 *
 * **Thread:** that of the domain, but for the public functions.
 */
#ifndef WEFT_PEER_HANDLE_H
#define WEFT_PEER_HANDLE_H

#include "peer/domain.h"
#include "rpc/peer.h"

#include <weft/rpc.h>

/* The handle of |peer|, made when it is asked for the first time, with one more reference; NULL
 * when out of memory. It lets go of |peer| when that is done. */
struct weft_peer *weft__peer_of(struct weft_rpc_peer *peer, struct weft_domain *domain);

/* A handle without a peer, with one reference; NULL when out of memory. Any thread. */
struct weft_peer *weft__peer_new(struct weft_domain *domain);

/* |peer| is the one that |handle| stands for from now on; it had none. */
void weft__peer_attach(struct weft_peer *handle, struct weft_rpc_peer *peer);

#endif
