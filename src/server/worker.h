/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker: one thread, one loop, one listener, its connections, its hub. Workers share nothing but
 * the store and the mesh.
 *
 *   run:   each tick ends with  hub → mesh → published numbers → transports (one submission)
 *   stop:  drain (drain.h: no new connections, sessions told and closed with 1001) ─► calm
 *          ─► when all workers are calm: hang up (what is left is closed, then cut) ─► quiet: no
 *          connection, nothing at the store, no request under way
 *          ─► when all workers are quiet: the loop ends
 */
#ifndef WEFT_SERVER_WORKER_H
#define WEFT_SERVER_WORKER_H

#include "hub/hub.h"
#include "io/loop.h"
#include "io/tcp.h"
#include "peer/methods.h"
#include "rpc/auth.h"
#include "rpc/peer.h"
#include "server/admission.h"
#include "server/drain.h"
#include "server/metrics.h"
#include "server/notices.h"
#include "server/pressure.h"
#include "server/server_internal.h"
#include "server/sessions.h"
#include "transport/transport.h"

#include <pthread.h>

struct weft_worker {
    struct weft_server *server;
    unsigned index;
    pthread_t thread;
    struct weft_loop *loop;
    struct weft_exec exec;
    struct weft_listener *listeners;
    unsigned listener_count; /* in |listeners| */
    unsigned listening;      /* of these, not closed */
    bool draining;
    struct weft_drain drain;
    struct weft_loop_hook hook;
    struct weft_timer second;   /* fires once a second */
    struct weft_timer patience; /* runs after hanging up */
    struct weft_transport_set transports;
    struct weft_rpc_registry registry;
    struct weft_domain *domain; /* this loop, for calls and peers that others hold */
    struct weft_served *served; /* the application's methods */
    struct weft_rpc_env rpc;
    struct weft_rpc_authenticator authenticator; /* when somebody has to sign in */
    struct weft_rpc_idem_calls idem_calls;
    struct weft_provide_worker provide;
    struct weft_hub *hub;
    struct weft_mesh_port *port;
    struct weft_metrics metrics;
    struct weft_method_metrics method_metrics;
    struct weft_admission admission;
    struct weft_pressure pressure;
    struct weft_notices notices;
    struct weft_sessions sessions;
    struct weft_list far_links;    /* struct weft_link of sessions here; see link.h */
    size_t near_links;             /* of connections here */
    struct weft_map tunnels;       /* struct weft_tunnel, by name */
    size_t tunnel_posts;           /* requests for tunnels that are with their workers */
    enum weft_memory_level memory; /* of the server, as this worker sees it */
    struct weft_task drain_task;
    struct weft_task hang_up_task;
    struct weft_task stop_task;
    atomic_bool calm;
    atomic_bool quiet;
    atomic_uint_fast64_t beat_ns; /* the loop's time, about once a second */
    /* Counted here, published as metrics. */
    uint64_t refused;
    uint64_t http;
    uint64_t answers[WEFT_METRICS_ANSWERS]; /* of HTTP, by the first digit of the status */
    uint64_t sse_streams;                   /* open now */
    uint64_t timeouts;
    uint64_t seconds; /* that |second| has fired */
};

/* A worker that does not run yet. **Errors:** WEFT_ERR_NOMEM, WEFT_ERR_UNAVAILABLE (the loop asked
 * for), WEFT_ERR_SYSTEM. */
WEFT_MUST_USE int weft__worker_new(struct weft_server *server, unsigned index,
                                   struct weft_worker **ret_worker);

/* Accepts from its share of server->listen. **Errors:** WEFT_ERR_NOMEM, those of
 * weft__listener_adopt; listeners that were opened are open then. */
WEFT_MUST_USE int weft__worker_listen(struct weft_worker *worker);

/* Starts its thread. **Errors:** WEFT_ERR_SYSTEM. */
WEFT_MUST_USE int weft__worker_start(struct weft_worker *worker);

/* It is about to be started: counts as a turn of its loop. */
void weft__worker_beat(struct weft_worker *worker);

/* How long ago its loop turned, in milliseconds, to about a second. Any thread. */
uint64_t weft__worker_silent_ms(const struct weft_worker *worker);

/* Begins to drain. Any thread, once. */
void weft__worker_drain(struct weft_worker *worker);

/* Closes every connection that is left. Any thread, once, after weft__worker_drain. */
void weft__worker_hang_up(struct weft_worker *worker);

/* Ends its loop; the thread can be joined. Any thread, once. */
void weft__worker_stop(struct weft_worker *worker);

/* The thread has ended or was never started. NULL is allowed. */
void weft__worker_free(struct weft_worker *worker);

#endif
