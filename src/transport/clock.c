/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The timer of a transport, and the limits of time and rate. There is one timer, set to the first
 * of the times that matter in the state; receiving and sending only note when they happened, and
 * what became late meanwhile is found out when the timer fires.
 *
 *   HEAD       the whole head: handshake_ms     OPEN   silence: ping_ms, the message being read:
 *   BODY       the whole body: message_ms              message_ms, progress of output: stall_ms
 *   FLUSHING   progress: stall_ms               STREAMING  progress of output: stall_ms
 *   LINGERING  the peer's end: close_ms
 */
#include "transport/core.h"

enum { PINGS_COUNTED = 254 /* unanswered pings, at most: what fits the counter */ };

static uint64_t now_ns(const struct weft_transport *t)
{
    return weft__loop_now_ns(t->set->loop);
}

/* ---- The times that matter ---- */

/* A tenth less or more, different for each connection, so that those made in one moment are not
 * all pinged in one moment. */
static uint64_t jittered_ns(const struct weft_transport *t, uint64_t ms)
{
    uint64_t hash = ((uintptr_t)t >> 4) * 0x9e3779b97f4a7c15ull;
    uint64_t thousandths = 900 + (hash >> 40) % 201;
    return ms > UINT64_MAX / WEFT_NS_PER_MS / 2 ? UINT64_MAX
                                                : ms * (WEFT_NS_PER_MS / 1000) * thousandths;
}

/* When the next ping is due, or patience ends. */
static uint64_t silence_ns(const struct weft_transport *t)
{
    uint64_t due;
    uint64_t wait = jittered_ns(t, t->set->options.ping_ms);
    return WEFT_MUL_OVERFLOW(wait, t->pings + 1u, &due) || WEFT_ADD_OVERFLOW(due, t->heard_ns, &due)
               ? UINT64_MAX
               : due;
}

static uint64_t message_ns(const struct weft_transport *t)
{
    return t->since_ns ? weft__transport_after(t->since_ns, t->set->options.message_ms)
                       : UINT64_MAX;
}

/* When waiting output has not moved for too long. */
static uint64_t stall_ns(const struct weft_transport *t)
{
    if (!weft__transport_unsent(t))
        return UINT64_MAX;
    uint64_t moved = weft__tcp_sending(&t->tcp) ? t->sent_ns : now_ns(t);
    return weft__transport_after(moved, t->set->options.stall_ms);
}

static uint64_t open_ns(const struct weft_transport *t)
{
    uint64_t stall = stall_ns(t);
    if (t->paused)
        return stall;
    uint64_t in = WEFT_MIN(silence_ns(t), message_ns(t));
    return WEFT_MIN(in, stall);
}

static uint64_t due_ns(const struct weft_transport *t)
{
    const struct weft_transport_options *options = &t->set->options;
    switch ((enum weft_transport_state)t->state) {
    case WEFT_TRANSPORT_HEAD:
        /* While an answer is still on its way, the next request is not late. */
        return t->answer_unsent ? stall_ns(t)
                                : weft__transport_after(t->since_ns, options->handshake_ms);
    case WEFT_TRANSPORT_BODY:
        return WEFT_MIN(message_ns(t), stall_ns(t));
    case WEFT_TRANSPORT_STREAMING:
        return stall_ns(t);
    case WEFT_TRANSPORT_OPEN:
        if (weft__ws_conn_is_open(&t->ws))
            return open_ns(t);
        return weft__transport_unsent(t) ? stall_ns(t)
                                         : weft__transport_after(now_ns(t), options->close_ms);
    case WEFT_TRANSPORT_FLUSHING:
        return weft__transport_unsent(t) ? stall_ns(t)
                                         : weft__transport_after(now_ns(t), options->stall_ms);
    case WEFT_TRANSPORT_LINGERING:
        return weft__transport_after(now_ns(t), options->close_ms);
    case WEFT_TRANSPORT_CONNECTING: /* the TCP connection has its own */
    case WEFT_TRANSPORT_ANSWERING:  /* the owner's affair */
    case WEFT_TRANSPORT_CLOSED:
    default:
        return UINT64_MAX;
    }
}

void weft__transport_arm(struct weft_transport *t)
{
    uint64_t due = due_ns(t);
    if (due == UINT64_MAX)
        weft__loop_timer_stop(t->set->loop, &t->timer);
    else
        weft__loop_timer_start_at(t->set->loop, &t->timer, due);
}

void weft__transport_arm_by(struct weft_transport *t, uint64_t due)
{
    if (due != UINT64_MAX &&
        (!weft__timer_running(&t->timer) || t->timer.due_ms > due / WEFT_NS_PER_MS + 1))
        weft__loop_timer_start_at(t->set->loop, &t->timer, due);
}

/* ---- Limits ---- */

void weft__transport_limit(struct weft_transport *t, enum weft_transport_limit limit)
{
    const struct weft_transport_options *options = &t->set->options;
    t->set->stats.limits[limit]++;
    if (options->on_limit)
        options->on_limit(options->on_limit_ctx, t, limit);
}

void weft__transport_violated(struct weft_transport *t, enum weft_transport_limit limit,
                              const char *reason)
{
    struct weft_slice text = weft__slice_str(reason);
    weft__transport_limit(t, limit);
    int err = weft__ws_conn_close(&t->ws, WEFT_WS_CLOSE_POLICY, text);
    if (err && err != WEFT_ERR_STATE) {
        weft__transport_abort(t, err);
        return;
    }
    weft__transport_tell_end(t, WEFT_WS_CLOSE_POLICY, text);
    weft__transport_wind_up(t, WEFT_ERR_LIMIT);
}

/* A bucket of |max_control| frames that fills within a second, kept as the time at which it will be
 * full again. */
void weft__transport_control_came(struct weft_transport *t)
{
    uint32_t max = t->set->options.max_control;
    if (max == UINT32_MAX)
        return;
    uint64_t now = now_ns(t);
    t->control_ns = WEFT_MAX(t->control_ns, now) + WEFT_NS_PER_S / max;
    if (t->control_ns - now <= WEFT_NS_PER_S)
        return;
    if (!weft__ws_conn_is_open(&t->ws)) {
        /* The close frame is out already, and pings are still answered. */
        weft__transport_limit(t, WEFT_TRANSPORT_LIMIT_CONTROL);
        weft__transport_abort(t, WEFT_ERR_LIMIT);
    } else {
        weft__transport_violated(t, WEFT_TRANSPORT_LIMIT_CONTROL, "too many control frames");
    }
}

void weft__transport_message_time(struct weft_transport *t, bool fresh)
{
    if (!weft__ws_conn_in_message(&t->ws)) {
        t->since_ns = 0;
        return;
    }
    if (!fresh && t->since_ns)
        return;
    t->since_ns = now_ns(t);
    if (!t->paused)
        weft__transport_arm_by(t, message_ns(t));
}

/* ---- The timer fires ---- */

/* Nothing was heard for a while: pings, or gives up. */
static void silent(struct weft_transport *t)
{
    uint32_t missed = t->set->options.pings_missed;
    if (missed != UINT32_MAX && t->pings >= WEFT_MIN(missed, (uint32_t)PINGS_COUNTED)) {
        t->set->stats.lost++;
        weft__transport_limit(t, WEFT_TRANSPORT_LIMIT_SILENCE);
        weft__transport_finish(t, WEFT_ERR_TIMEOUT);
        return;
    }
    struct weft_bytes out;
    int err = weft__outq_open(&t->out, &t->set->pool, WEFT_WS_HEAD_MAX, &out);
    if (!err) {
        err = weft__ws_conn_ping(&t->ws, &out, (struct weft_slice){0});
        weft__outq_close(&t->out, &out);
    }
    if (err) {
        weft__transport_finish(t, err);
        return;
    }
    /* Counted from this ping, however late it is: after a pause of the process or the machine the
     * peer has a period for each answer like at any other time. */
    t->pings = missed == UINT32_MAX ? 0 : (uint8_t)(t->pings + 1);
    t->heard_ns = now_ns(t) - jittered_ns(t, t->set->options.ping_ms) * t->pings;
    weft__transport_touch(t);
    weft__transport_arm(t);
}

static void stalled(struct weft_transport *t)
{
    t->set->stats.stalls++;
    weft__transport_limit(t, WEFT_TRANSPORT_LIMIT_STALL);
    weft__transport_abort(t, WEFT_ERR_TIMEOUT);
}

static void check_open(struct weft_transport *t)
{
    uint64_t now = now_ns(t);
    if (stall_ns(t) <= now)
        stalled(t);
    else if (!t->paused && message_ns(t) <= now)
        weft__transport_violated(t, WEFT_TRANSPORT_LIMIT_SLOW, "the message took too long");
    else if (!t->paused && silence_ns(t) <= now)
        silent(t);
    else
        weft__transport_arm(t);
}

void weft__transport_timer_fired(struct weft_timer *timer)
{
    struct weft_transport *t = WEFT_CONTAINER_OF(timer, struct weft_transport, timer);
    if (t->state == WEFT_TRANSPORT_OPEN && weft__ws_conn_is_open(&t->ws)) {
        check_open(t);
        return;
    }
    if (t->state == WEFT_TRANSPORT_LINGERING) {
        weft__transport_finish(t, t->err);
        return;
    }
    if (weft__transport_unsent(t) && stall_ns(t) <= now_ns(t)) {
        stalled(t);
        return;
    }
    if (t->state == WEFT_TRANSPORT_BODY && message_ns(t) <= now_ns(t)) {
        weft__transport_body_late(t);
        return;
    }
    if (weft__transport_unsent(t) || t->state == WEFT_TRANSPORT_BODY ||
        t->state == WEFT_TRANSPORT_STREAMING) {
        weft__transport_arm(t);
        return;
    }
    if (t->state == WEFT_TRANSPORT_HEAD && t->role == WEFT_WS_ROLE_SERVER) {
        weft__transport_head_late(t);
        return;
    }
    /* A client whose closing handshake is complete only waited for the server's end. */
    bool closed = t->is_ws && weft__ws_conn_state(&t->ws) == WEFT_WS_STATE_CLOSED;
    weft__transport_finish(t, closed ? t->err : WEFT_ERR_TIMEOUT);
}
