/* SPDX-License-Identifier: Apache-2.0 */
/* The server's own fields, for its files alone. Constant while the workers run, but |stopping|. */
#ifndef WEFT_SERVER_SERVER_INTERNAL_H
#define WEFT_SERVER_SERVER_INTERNAL_H

#include "base/hash.h"
#include "hub/mesh.h"
#include "io/address.h"
#include "io/pool.h"
#include "io/tls_context.h"
#include "peer/methods.h"
#include "port/log.h"
#include "port/store.h"
#include "rpc/resume_token.h"
#include "server/idempotency.h"
#include "server/limits.h"
#include "server/listen.h"
#include "server/method_metrics.h"
#include "server/metrics.h"
#include "server/networks.h"
#include "server/origin.h"
#include "server/provide.h"

#include <stdatomic.h>
#include <weft/server.h>

struct weft_worker;

struct weft_server {
    const struct weft_alloc *base;  /* what was given, or the default */
    const struct weft_alloc *alloc; /* counts for shared_memory; before that the same as |base| */
    struct weft_limits limits;
    struct weft_budget_account connection_memory; /* connections, their queues and calls: hard */
    struct weft_budget_account shared_memory;     /* documents and everything else */
    struct weft_log log;
    struct weft_server_options options; /* strings are copies in |strings| */
    struct weft_arena strings;
    struct weft_address address; /* to listen on; with the real port after the start */
    char address_text[WEFT_ADDRESS_TEXT_SIZE];
    struct weft_listen listen;
    struct weft_networks proxies; /* who may say whose connection it is */
    struct weft_origin_policy origins;
    struct weft_tls_context *tls; /* NULL: plain */
    struct weft_hash_key hash_key;
    struct weft_rpc_resume_key resume_key;
    struct weft_store *store;
    struct weft_mesh *mesh;
    struct weft_pool *pool; /* for methods that block; NULL: there are none */
    struct weft_idempotency idempotency;
    struct weft_provide provide;
    struct weft_worker **workers;
    struct weft_metrics **metrics; /* of each worker */
    struct weft_method_metrics **method_metrics;
    unsigned worker_count;
    atomic_bool started; /* read by /healthz while weft_server_start ends */
    bool stopped;
    atomic_bool draining; /* readiness: no longer ready */
};

/* ---- options.c ---- */

/* Copies and checks |options|, and reads the address and the number of workers. **Errors:**
 * WEFT_ERR_USAGE, WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__server_copy_options(struct weft_server *server,
                                            const struct weft_server_options *options,
                                            char *ret_message, size_t message_size);

/* Writes a sentence for people where the caller of the library wants it. */
void weft__server_say(char *ret_message, size_t size, const char *text);

#endif
