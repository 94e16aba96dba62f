/* SPDX-License-Identifier: Apache-2.0 */
/* Letting connections in, and keeping them waiting. */
#include "server/admission.h"

#include "server/conn.h"
#include "server/http_answer.h"
#include "ws/handshake.h"

#include <limits.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    PAUSE_MS = 20,      /* between two looks whether there is room again */
    EVICT_AGE_MS = 500, /* handshakes that took longer make room */
    EVICT_MAX = 1024,   /* of them at one look */
    AHEAD_MAX = 16384,  /* connections: a full backlog for each of some workers */
};

/* ---- Saying no ---- */

/* Writes a whole answer with |status| and ends the connection. It is not waited for: a peer that
 * has not even sent its request gets what fits into the socket. One that wants TLS gets nothing:
 * the handshake is what would cost. */
static void turn_off(struct weft_worker *worker, int fd, int status)
{
    if (worker->server->tls) {
        (void)close(fd);
        return;
    }
    size_t count;
    const struct weft_http1_header *headers = weft__http_busy_headers(&count);
    struct weft_bytes answer;
    weft__bytes_init(&answer, worker->server->alloc, SIZE_MAX);
    if (!weft__ws_upgrade_refuse(&answer, status, NULL, headers, count))
        (void)!send(fd, answer.ptr, answer.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    /* Closing with unread input would take the answer back with a reset. */
    char unread[4096];
    (void)!recv(fd, unread, sizeof(unread), MSG_DONTWAIT);
    weft__bytes_done(&answer);
    (void)shutdown(fd, SHUT_WR);
    (void)close(fd);
}

static void notice(struct weft_worker *worker, enum weft_limit limit,
                   const struct weft_address *peer)
{
    char host[WEFT_ADDRESS_TEXT_SIZE];
    struct weft_log_field detail = {0};
    if (!weft__notice(&worker->notices, limit, 1, weft__loop_now_ns(worker->loop)))
        return;
    if (peer) {
        weft__address_format_host(peer, host);
        detail = weft__log_str("peer", host);
    }
    weft__notice_write(&worker->notices, limit, peer ? &detail : NULL);
}

/* ---- Keeping others waiting ---- */

static void pause_for(struct weft_worker *worker, uint64_t ns)
{
    struct weft_admission *admission = &worker->admission;
    uint64_t ms = WEFT_MAX(ns / WEFT_NS_PER_MS + 1, (uint64_t)1);
    if (weft__timer_running(&admission->timer) || !worker->listening || worker->draining)
        return;
    admission->pauses++;
    for (unsigned i = 0; i < worker->listening; i++)
        weft__listener_pause(&worker->listeners[i]);
    weft__loop_timer_start(worker->loop, &admission->timer, WEFT_MIN(ms, (uint64_t)PAUSE_MS));
}

/* Gives up handshakes that are slow, so that others get their turn: who has the whole table full of
 * unfinished ones must not keep everybody else out. */
static void make_room(struct weft_worker *worker)
{
    size_t count = weft__transport_set_evict(&worker->transports, EVICT_MAX, EVICT_AGE_MS);
    if (count &&
        weft__notice(&worker->notices, WEFT_LIMIT_EVICTED, count, weft__loop_now_ns(worker->loop)))
        weft__notice_write(&worker->notices, WEFT_LIMIT_EVICTED, NULL);
}

static void resume(struct weft_worker *worker)
{
    weft__loop_timer_stop(worker->loop, &worker->admission.timer);
    for (unsigned i = 0; i < worker->listening; i++)
        weft__listener_resume(&worker->listeners[i]);
}

static void look_again(struct weft_timer *timer)
{
    struct weft_admission *admission = WEFT_CONTAINER_OF(timer, struct weft_admission, timer);
    struct weft_worker *worker = WEFT_CONTAINER_OF(admission, struct weft_worker, admission);
    uint64_t now_ns = weft__loop_now_ns(worker->loop);
    bool full = weft__limits_full(&worker->server->limits);
    if (!worker->listening || worker->draining)
        return;
    if (full)
        make_room(worker);
    if (full || now_ns < admission->late_ns) {
        uint64_t wait_ns = now_ns < admission->late_ns ? admission->late_ns - now_ns : 0;
        uint64_t wait_ms = full ? PAUSE_MS : wait_ns / WEFT_NS_PER_MS + 1;
        weft__loop_timer_start(worker->loop, timer, WEFT_MIN(wait_ms, (uint64_t)PAUSE_MS));
        return;
    }
    resume(worker);
}

/* ---- Letting in ---- */

/* Looks whether the next connection has to wait after this one. */
static void look_ahead(struct weft_worker *worker)
{
    struct weft_admission *admission = &worker->admission;
    struct weft_limits *limits = &worker->server->limits;
    uint64_t now_ns = weft__loop_now_ns(worker->loop);
    uint64_t wait_ns = weft__limits_accepted(limits, now_ns);
    if (wait_ns) {
        admission->late_ns = now_ns + wait_ns;
        notice(worker, WEFT_LIMIT_ACCEPTS, NULL);
        pause_for(worker, wait_ns);
    }
    if (weft__limits_full(limits)) {
        notice(worker, WEFT_LIMIT_CONNECTIONS, NULL);
        pause_for(worker, PAUSE_MS * WEFT_NS_PER_MS);
    }
}

/* What a proxy says is believed of trusted ones alone: anybody else could be anybody. */
static bool is_trusted(const struct weft_worker *worker, const struct weft_address *peer)
{
    return weft__address_is_unix(peer) || weft__networks_have(&worker->server->proxies, peer);
}

/* Ends a connection without a word. */
static void reset(int fd)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    (void)close(fd);
}

void weft__admission_accept(struct weft_worker *worker, int fd, const struct weft_address *peer)
{
    struct weft_limits *limits = &worker->server->limits;
    struct weft_limits_address *address = NULL;
    bool proxied = worker->transports.options.proxied;
    (void)weft__limits_enter(limits);
    look_ahead(worker);
    if (proxied && !is_trusted(worker, peer)) {
        notice(worker, WEFT_LIMIT_PROXIES, peer);
        reset(fd);
        (void)weft__limits_leave(limits);
        return;
    }
    if (worker->memory >= WEFT_MEMORY_SCARCE) {
        notice(worker, WEFT_LIMIT_MEMORY_CONNECT, peer);
        turn_off(worker, fd, 503);
        (void)weft__limits_leave(limits);
        return;
    }
    /* Connections of a proxy count for whomever it names. */
    if (!proxied && weft__limits_address_enter(limits, peer, &address)) {
        notice(worker, WEFT_LIMIT_ADDRESS, peer);
        turn_off(worker, fd, 429);
        (void)weft__limits_leave(limits);
        return;
    }
    if (weft__conn_accept(worker, fd, address)) {
        notice(worker, WEFT_LIMIT_MEMORY_CONNECT, peer);
        (void)close(fd);
        weft__admission_left(worker, address);
    }
}

int weft__admission_proxied(struct weft_worker *worker, const struct weft_address *source,
                            struct weft_limits_address **ret_address)
{
    int err = weft__limits_address_enter(&worker->server->limits, source, ret_address);
    if (err == WEFT_ERR_LIMIT)
        notice(worker, WEFT_LIMIT_ADDRESS, source);
    return err;
}

void weft__admission_left(struct weft_worker *worker, struct weft_limits_address *address)
{
    struct weft_limits *limits = &worker->server->limits;
    weft__limits_address_leave(limits, address);
    bool room = weft__limits_leave(limits) < limits->set.max_connections;
    if (room && weft__timer_running(&worker->admission.timer) &&
        weft__loop_now_ns(worker->loop) >= worker->admission.late_ns)
        resume(worker);
}

void weft__admission_tick(struct weft_worker *worker)
{
    struct weft_admission *admission = &worker->admission;
    uint64_t waits = weft__loop_stats(worker->loop)->accept_waits;
    if (waits == admission->waits)
        return;
    if (weft__notice(&worker->notices, WEFT_LIMIT_DESCRIPTORS, waits - admission->waits,
                     weft__loop_now_ns(worker->loop)))
        weft__notice_write(&worker->notices, WEFT_LIMIT_DESCRIPTORS, NULL);
    admission->waits = waits;
    make_room(worker);
}

/* Where a limit is near, the kernel must not accept ahead of us. */
unsigned weft__admission_listener(const struct weft_worker *worker)
{
    const struct weft_server_limits *set = &worker->server->limits.set;
    bool near = set->max_accepts != UINT_MAX || set->max_connections < AHEAD_MAX;
    return near ? WEFT_LISTENER_STEPWISE : 0;
}

void weft__admission_init(struct weft_worker *worker)
{
    weft__timer_init(&worker->admission.timer, look_again);
}

void weft__admission_done(struct weft_worker *worker)
{
    weft__loop_timer_stop(worker->loop, &worker->admission.timer);
}
