/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Methods that connected peers provide (docs/protocol/rpc.md, section 10): `rpc.provide` and
 * `rpc.unprovide`, and who may say that. How calls get there is server/forward.h's.
 *
 *   rpc.provide ─► permission ─► table of the server (rpc/providers.h), behind a mutex
 *                                  ▲
 *   a call of a name that the registry does not have ─► resolver ─► forward ─► a provider
 *
 * A provider's peer lives on one worker, which keeps a *link* to it: only there it can be called.
 *
 * **Thread:** struct weft_provide any; struct weft_provide_worker its worker's.
 */
#ifndef WEFT_SERVER_PROVIDE_H
#define WEFT_SERVER_PROVIDE_H

#include "base/bytes.h"
#include "rpc/peer.h"
#include "rpc/providers.h"

#include <pthread.h>

struct weft_worker;

/* Of a server. */
struct weft_provide {
    pthread_mutex_t mutex;
    struct weft_rpc_providers table;
    const char *const *prefixes; /* of names that may be provided; "*": of any; empty: of none */
    bool made;
};

/* A peer of this worker that provides. */
struct weft_provide_link {
    struct weft_map_node node; /* by id */
    struct weft_rpc_peer_watch watch;
    struct weft_provide_worker *owner;
    struct weft_rpc_peer *peer;
    uint64_t id;            /* of the provider in the table */
    struct weft_timer away; /* runs while its session has no connection */
};

/* Of a worker. */
struct weft_provide_worker {
    struct weft_worker *worker;
    struct weft_map links;  /* struct weft_provide_link */
    struct weft_map served; /* struct weft_forward that providers of this worker have */
    size_t pending;         /* calls of this worker that are with providers */
    struct weft_rpc_resolver resolver;
};

/* |prefixes|, a NULL-terminated array, outlives it. |names|: so many may one client provide.
 * |alloc| is thread-safe. */
void weft__provide_init(struct weft_provide *provide, const struct weft_alloc *alloc,
                        struct weft_hash_key hash_key, const char *const *prefixes, size_t names);

/* All workers are gone. All zeroes is allowed. */
void weft__provide_done(struct weft_provide *provide);

/* Adds `rpc.provide` and `rpc.unprovide` to the worker's registry, and the resolver to its
 * environment. **Errors:** those of weft__rpc_registry_add. */
WEFT_MUST_USE int weft__provide_worker_init(struct weft_provide_worker *own,
                                            struct weft_worker *worker);

/* All peers are done. All zeroes is allowed. */
void weft__provide_worker_done(struct weft_provide_worker *own);

/* The link to the provider |id|, or NULL when it is not here any more. */
struct weft_provide_link *weft__provide_link(const struct weft_provide_worker *own, uint64_t id);

/* Appends the numbers in the Prometheus text format. **Errors:** sticky in |out|. */
void weft__provide_write(struct weft_bytes *out, struct weft_provide *provide);

#endif
