/* SPDX-License-Identifier: Apache-2.0 */
/* Telling sessions, waiting for their calls, closing them. */
#include "server/drain.h"

#include "io/crypto.h"
#include "server/conn.h"
#include "server/http_rpc.h"

enum {
    STEP_MS = 10,
    STEPS = 50,       /* in which everybody is told */
    BATCH_MIN = 64,   /* told in a step, however few there are */
    SETTLE_MS = 100,  /* from being told to being closed: calls under way still get an answer */
    REQUEST_MS = 500, /* for the request of a connection that has made none */
};

static struct weft_worker *worker_of(struct weft_timer *timer)
{
    return WEFT_CONTAINER_OF(timer, struct weft_worker, drain.timer);
}

/* A number below |limit|. */
static uint32_t random_below(uint32_t limit)
{
    const struct weft_crypto *crypto = weft__crypto_openssl();
    uint32_t number;
    crypto->random(crypto->ctx, &number, sizeof(number));
    return limit ? number % limit : 0;
}

/* The next of |total| hints: each has its own part of the time, and a random moment in it. */
static uint32_t next_hint(struct weft_drain *drain)
{
    uint64_t total = WEFT_MAX(drain->total, (size_t)1);
    uint64_t k = drain->hints++ % total;
    uint64_t from = drain->reconnect_ms * k / total;
    uint64_t to = drain->reconnect_ms * (k + 1) / total;
    return (uint32_t)from + random_below((uint32_t)(to - from));
}

/* NULL for a session of another worker. */
static struct weft_rpc_peer *peer_of(const struct weft_conn *conn)
{
    return conn->outlet.session ? &conn->outlet.session->session.peer : NULL;
}

static bool is_busy(const struct weft_conn *conn)
{
    return conn->link ? weft__link_in_flight(conn->link) > 0
                      : weft__rpc_peer_under_way(peer_of(conn)) > 0;
}

static void tell(struct weft_conn *conn)
{
    struct weft_drain *drain = &conn->worker->drain;
    uint64_t now_ns = weft__loop_now_ns(conn->worker->loop);
    uint64_t left_ms = now_ns < drain->end_ns ? (drain->end_ns - now_ns) / WEFT_NS_PER_MS : 0;
    const struct weft_rpc_goaway goaway = {
        .grace_ms = (uint32_t)left_ms,
        .reconnect_after_ms = next_hint(drain),
    };
    conn->told_ns = now_ns;
    drain->goaways++;
    if (conn->link)
        weft__link_goaway(conn->link, &goaway);
    else if (!conn->outlet.session)
        weft__http_rpc_goaway(conn, &goaway);
    else if (weft__rpc_peer_goaway(peer_of(conn), &goaway) == WEFT_ERR_NOMEM)
        weft__transport_abort(&conn->transport, WEFT_ERR_NOMEM);
}

static void tell_some(struct weft_drain *drain)
{
    struct weft_list *node;
    for (size_t i = 0; i < drain->batch && (node = weft__list_pop(&drain->conns)); i++) {
        struct weft_conn *conn = WEFT_CONTAINER_OF(node, struct weft_conn, node);
        weft__list_push(&drain->told, node);
        if (weft__conn_joined(conn) || weft__http_rpc_streams(conn))
            tell(conn);
    }
}

/* Closes |conn| when it is time. True when it has to be waited for. */
static bool wait_for(struct weft_conn *conn, uint64_t now_ns)
{
    struct weft_drain *drain = &conn->worker->drain;
    if (conn->leaving)
        return false;
    bool late = now_ns >= drain->end_ns;
    if (!weft__conn_joined(conn) && !conn->asked)
        return now_ns < conn->accepted_ns + REQUEST_MS * WEFT_NS_PER_MS;
    if (!weft__conn_joined(conn))
        return weft__http_rpc_busy(conn, late, &drain->cut_off);
    if (!late && (is_busy(conn) || now_ns < conn->told_ns + SETTLE_MS * WEFT_NS_PER_MS))
        return true;
    if (conn->outlet.session)
        drain->cut_off += weft__rpc_peer_cut_off(peer_of(conn));
    conn->leaving = true;
    weft__conn_close(conn, WEFT_WS_CLOSE_GOING_AWAY, "shutting down");
    return false;
}

static void step(struct weft_timer *timer)
{
    struct weft_worker *worker = worker_of(timer);
    struct weft_drain *drain = &worker->drain;
    uint64_t now_ns = weft__loop_now_ns(worker->loop);
    bool waiting = false;
    tell_some(drain);
    WEFT_LIST_EACH_SAFE (node, &drain->told)
        waiting |= wait_for(WEFT_CONTAINER_OF(node, struct weft_conn, node), now_ns);
    bool calm = !waiting && weft__list_empty(&drain->conns) && !worker->listening;
    atomic_store(&worker->calm, calm);
    weft__loop_timer_start(worker->loop, timer, STEP_MS);
}

void weft__drain_init(struct weft_worker *worker)
{
    struct weft_drain *drain = &worker->drain;
    weft__list_init(&drain->conns);
    weft__list_init(&drain->told);
    weft__timer_init(&drain->timer, step);
    atomic_init(&worker->calm, false);
}

void weft__drain_done(struct weft_worker *worker)
{
    weft__loop_timer_stop(worker->loop, &worker->drain.timer);
}

void weft__drain_begin(struct weft_worker *worker)
{
    struct weft_drain *drain = &worker->drain;
    const struct weft_server_operations *operations = &worker->server->options.operations;
    drain->begun = true;
    drain->grace_ms = operations->drain_ms;
    drain->reconnect_ms = operations->reconnect_ms;
    drain->end_ns = weft__loop_now_ns(worker->loop) + drain->grace_ms * WEFT_NS_PER_MS;
    drain->total = worker->transports.stats.count;
    drain->batch = WEFT_MAX(drain->total / STEPS + 1, (size_t)BATCH_MIN);
    step(&drain->timer);
}

void weft__drain_add(struct weft_conn *conn)
{
    struct weft_drain *drain = &conn->worker->drain;
    weft__list_push(drain->begun ? &drain->told : &drain->conns, &conn->node);
}

void weft__drain_joined(struct weft_conn *conn)
{
    if (conn->worker->drain.begun)
        tell(conn);
}
