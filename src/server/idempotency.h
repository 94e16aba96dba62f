/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answers kept by idempotency key, one cache for all workers: a client that comes back lands on
 * any of them. Behind a mutex, held for a look-up in a table; calls without a key do not touch it.
 *
 * **Thread:** any, but init and done.
 */
#ifndef WEFT_SERVER_IDEMPOTENCY_H
#define WEFT_SERVER_IDEMPOTENCY_H

#include "base/bytes.h"
#include "rpc/idempotent_calls.h"

#include <pthread.h>
#include <weft/server.h>

struct weft_idempotency {
    pthread_mutex_t mutex;
    struct weft_rpc_idem_cache cache;
    struct weft_rpc_idem_guard guard; /* enters and leaves |mutex| */
    bool made;
};

/* With what |asked| says, 0 being the defaults. |alloc| is thread-safe, |memory| the budget of the
 * server. */
void weft__idempotency_init(struct weft_idempotency *idem, const struct weft_alloc *alloc,
                            struct weft_hash_key hash_key, const struct weft_server_rpc *asked,
                            size_t memory);

/* No call is running any more. All zeroes is allowed. */
void weft__idempotency_done(struct weft_idempotency *idem);

/* Frees what is past its time. About once a second, on one worker. */
void weft__idempotency_tick(struct weft_idempotency *idem, uint64_t now_ns);

/* Appends the numbers of the cache in the Prometheus text format. **Errors:** sticky in |out|. */
void weft__idempotency_write(struct weft_bytes *out, struct weft_idempotency *idem);

#endif
