/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages in and out. Everything sent during a tick gathers in the output queue; the set's hook
 * flushes each touched transport once. Control frames wait in the ws connection until then; they
 * and messages of the lane of control go out before data that was not begun (outq.h).
 */
#include "transport/core.h"

void weft__transport_ws_begin(struct weft_transport *t)
{
    weft__bytes_done(&t->http.in);
    weft__ws_conn_init(&t->ws, (enum weft_ws_role)t->role, &t->set->ws);
    t->is_ws = true;
    t->state = WEFT_TRANSPORT_OPEN;
    t->since_ns = 0;
    weft__list_remove(&t->node);
    weft__list_push(&t->set->all, &t->node);
}

void weft__transport_ws_opened(struct weft_transport *t)
{
    t->opened = true;
    t->set->stats.upgrades++;
    t->set->stats.open++;
    if (t->callbacks->on_open)
        t->callbacks->on_open(t);
}

/* ---- In ---- */

/* The limit behind an error that the ws connection reported, or WEFT_TRANSPORT_LIMIT_COUNT. */
static enum weft_transport_limit limit_of(const struct weft_transport *t, int err)
{
    if (err != WEFT_ERR_TOO_BIG)
        return WEFT_TRANSPORT_LIMIT_COUNT;
    return weft__ws_conn_fragments(&t->ws) >= t->set->options.max_fragments
               ? WEFT_TRANSPORT_LIMIT_FRAGMENTS
               : WEFT_TRANSPORT_LIMIT_MESSAGE;
}

static void failed(struct weft_transport *t, const struct weft_ws_event *event)
{
    enum weft_transport_limit limit = limit_of(t, event->err);
    t->set->stats.protocol_errors++;
    if (limit != WEFT_TRANSPORT_LIMIT_COUNT)
        weft__transport_limit(t, limit);
    t->err = event->err;
    weft__transport_tell_end(t, event->code, event->data);
}

static void handle_event(struct weft_transport *t, const struct weft_ws_event *event)
{
    switch (event->type) {
    case WEFT_WS_EVENT_MESSAGE:
        t->set->stats.messages_in++;
        t->callbacks->on_message(t, event->opcode, event->data);
        break;
    case WEFT_WS_EVENT_CLOSE:
        weft__transport_tell_end(t, event->code, event->data);
        break;
    case WEFT_WS_EVENT_ERROR:
        failed(t, event);
        break;
    case WEFT_WS_EVENT_PING:
    case WEFT_WS_EVENT_PONG:
        weft__transport_control_came(t);
        break;
    case WEFT_WS_EVENT_NONE:
    default:
        break;
    }
}

void weft__transport_ws_input(struct weft_transport *t, uint8_t *data, size_t len)
{
    struct weft_ws_event event;
    bool fresh = false;
    do {
        size_t used = weft__ws_conn_read(&t->ws, data, len, &event);
        data += used;
        len -= used;
        fresh = fresh || (event.type != WEFT_WS_EVENT_NONE && !weft__ws_conn_in_message(&t->ws));
        handle_event(t, &event);
    } while (event.type != WEFT_WS_EVENT_NONE && t->state == WEFT_TRANSPORT_OPEN);
    if (t->state != WEFT_TRANSPORT_OPEN)
        return;
    if (weft__ws_conn_has_control(&t->ws) || weft__ws_conn_should_drop(&t->ws))
        weft__transport_touch(t);
    weft__transport_message_time(t, fresh);
}

/* ---- Out ---- */

/* More than |pause_bytes| wait: the owner hears of it when they are gone, and a server stops
 * reading until then. */
static void press(struct weft_transport *t)
{
    t->pressed = true;
    if (t->role == WEFT_WS_ROLE_SERVER && !t->paused &&
        (t->state == WEFT_TRANSPORT_OPEN || t->state == WEFT_TRANSPORT_HEAD)) {
        t->paused = true;
        weft__tcp_pause(&t->tcp);
        weft__transport_arm(t);
    }
}

static void relieve(struct weft_transport *t)
{
    if (t->paused) {
        t->paused = false;
        /* The peer could not be heard meanwhile. */
        t->heard_ns = weft__loop_now_ns(t->set->loop);
        t->pings = 0;
        if (t->since_ns)
            t->since_ns = t->heard_ns;
        if (t->state != WEFT_TRANSPORT_ANSWERING)
            weft__tcp_resume(&t->tcp);
        weft__transport_arm(t);
        if (t->state == WEFT_TRANSPORT_HEAD && t->early)
            weft__transport_touch(t); /* Requests wait that came meanwhile. */
    }
    t->pressed = false;
    if (t->opened && !t->end_told && t->callbacks->on_drain)
        t->callbacks->on_drain(t);
}

void weft__transport_touch(struct weft_transport *t)
{
    if (weft__list_empty(&t->dirty))
        weft__list_push(&t->set->dirty, &t->dirty);
    if (weft__transport_unsent(t) > t->set->options.pause_bytes)
        press(t);
}

int weft__transport_check_unsent(struct weft_transport *t, size_t more)
{
    if (more > t->set->options.drop_bytes - WEFT_MIN(t->out.bytes, t->set->options.drop_bytes)) {
        t->set->stats.stalls++;
        weft__transport_limit(t, WEFT_TRANSPORT_LIMIT_UNSENT);
        weft__transport_abort(t, WEFT_ERR_LIMIT);
        return WEFT_ERR_LIMIT;
    }
    return 0;
}

/* Whether |more| bytes of a message may be added. */
static int check_send(struct weft_transport *t, size_t more)
{
    if (t->state != WEFT_TRANSPORT_OPEN || !weft__ws_conn_is_open(&t->ws))
        return WEFT_ERR_STATE;
    return weft__transport_check_unsent(t, more);
}

static int sent_or_drop(struct weft_transport *t, size_t count, int err)
{
    if (err) {
        weft__transport_abort(t, err);
        return err;
    }
    t->set->stats.messages_out += count;
    weft__transport_touch(t);
    return 0;
}

/* From here on copying a message costs more than a system call of its own. */
enum { DIRECT_MIN = 4096 };

/* Whether a message that is not masked may pass by the queue: nothing is before it. */
static bool may_send_directly(const struct weft_transport *t, size_t len)
{
    return len >= DIRECT_MIN && t->role == WEFT_WS_ROLE_SERVER && weft__outq_empty(&t->out) &&
           !t->secure && !t->ws.deflate.on && !weft__tcp_sending(&t->tcp) &&
           weft__tcp_sends_at_once(&t->tcp) && !weft__ws_conn_has_control(&t->ws);
}

/* Sends a large message from where it lies; only what the socket has no room for is copied. */
static int send_directly(struct weft_transport *t, enum weft_ws_opcode opcode,
                         struct weft_slice data)
{
    uint8_t head[WEFT_WS_HEAD_MAX];
    struct weft_bytes out = {.ptr = head, .cap = sizeof(head), .limit = sizeof(head)};
    int err = weft__ws_conn_message_head(&t->ws, &out, opcode, data.len);
    if (err)
        return err;
    struct iovec iov[] = {{head, out.len}, {(void *)(uintptr_t)data.ptr, data.len}};
    ptrdiff_t n = weft__tcp_send_now(&t->tcp, iov, WEFT_ARRAY_LEN(iov));
    if (n < 0)
        return (int)n;
    return weft__outq_rest(&t->out, &t->set->pool, iov, WEFT_ARRAY_LEN(iov), (size_t)n);
}

/* A large message that may become much smaller: the queue must not keep the room for the whole. */
static int send_exactly(struct weft_transport *t, enum weft_ws_opcode opcode,
                        struct weft_slice data, size_t room)
{
    struct weft_bytes frame, out;
    weft__bytes_init(&frame, t->set->pool.alloc, room);
    int err = weft__bytes_reserve(&frame, room) ? 0 : weft__bytes_error(&frame);
    if (!err)
        err = weft__ws_conn_send(&t->ws, &frame, opcode, data);
    if (!err)
        err = weft__outq_open(&t->out, &t->set->pool, frame.len, &out);
    if (!err) {
        weft__bytes_append_slice(&out, weft__bytes_slice(&frame));
        weft__outq_close(&t->out, &out);
    }
    weft__bytes_done(&frame);
    return err;
}

int weft__transport_send(struct weft_transport *t, enum weft_ws_opcode opcode,
                         struct weft_slice data)
{
    int err = check_send(t, data.len);
    if (err)
        return err;
    if (may_send_directly(t, data.len))
        return sent_or_drop(t, 1, send_directly(t, opcode, data));
    size_t room = weft__ws_conn_room(&t->ws, data.len);
    if (t->ws.deflate.on && room > WEFT_OUTQ_CHUNK_ROOM)
        return sent_or_drop(t, 1, send_exactly(t, opcode, data, room));
    struct weft_bytes out;
    err = weft__outq_open(&t->out, &t->set->pool, room, &out);
    if (!err) {
        err = weft__ws_conn_send(&t->ws, &out, opcode, data);
        weft__outq_close(&t->out, &out);
    }
    return sent_or_drop(t, 1, err);
}

int weft__transport_send_control(struct weft_transport *t, enum weft_ws_opcode opcode,
                                 struct weft_slice data)
{
    int err = check_send(t, data.len);
    if (err)
        return err;
    struct weft_bytes out;
    err = weft__outq_open_control(&t->out, &t->set->pool, data.len + WEFT_WS_HEAD_MAX, &out);
    if (!err) {
        /* RFC 7692 §6: without RSV1 a message is no part of the compressor's context, whose
         * messages have to arrive in the order in which they were compressed. */
        err = weft__ws_conn_frame(&t->ws, &out, opcode, true, data);
        weft__outq_close_control(&t->out, &t->set->pool, &out);
    }
    return sent_or_drop(t, 1, err);
}

int weft__transport_send_frames(struct weft_transport *t, struct weft_slice frames,
                                struct weft_buf *owner, size_t count)
{
    WEFT_ASSERT(t->role == WEFT_WS_ROLE_SERVER);
    int err = check_send(t, frames.len);
    if (err)
        return err;
    return sent_or_drop(t, count, weft__outq_append(&t->out, &t->set->pool, frames, owner));
}

int weft__transport_send_frame(struct weft_transport *t, struct weft_buf *frame)
{
    return weft__transport_send_frames(t, weft__buf_slice(frame), frame, 1);
}

void weft__transport_want_drain(struct weft_transport *t)
{
    t->pressed = true;
    if (t->state != WEFT_TRANSPORT_CLOSED && weft__list_empty(&t->dirty))
        weft__list_push(&t->set->dirty, &t->dirty);
}

size_t weft__transport_unsent(const struct weft_transport *t)
{
    return t->out.bytes + (t->secure ? weft__transport_secure_unsent(t) : 0);
}

/* Moves the waiting control frames into the queue: a close frame behind everything, pongs alone
 * before what was not begun. */
static int queue_control(struct weft_transport *t)
{
    enum { CONTROL_MAX = 4096 };
    struct weft_bytes out;
    bool last = t->ws.close_waits;
    int err = last ? weft__outq_open(&t->out, &t->set->pool, CONTROL_MAX, &out)
                   : weft__outq_open_control(&t->out, &t->set->pool, CONTROL_MAX, &out);
    if (err)
        return err;
    err = weft__ws_conn_take_control(&t->ws, &out);
    if (last)
        weft__outq_close(&t->out, &out);
    else
        weft__outq_close_control(&t->out, &t->set->pool, &out);
    return err;
}

int weft__transport_send_batch(struct weft_transport *t, struct weft_outq *q)
{
    struct iovec *iov;
    int count = weft__outq_gather(q, &t->set->pool, &iov);
    t->sent_ns = weft__loop_now_ns(t->set->loop);
    int result = weft__tcp_send(&t->tcp, iov, count);
    if (result > 0)
        weft__outq_sent(q, &t->set->pool);
    else if (result == 0)
        weft__transport_arm_by(t, weft__transport_after(t->sent_ns, t->set->options.stall_ms));
    else
        weft__transport_finish(t, result);
    return result;
}

/* Sends until something is in flight or nothing is left. True when nothing is. */
static bool send_out(struct weft_transport *t)
{
    if (t->secure)
        return weft__transport_secure_send(t);
    while (!weft__outq_empty(&t->out))
        if (weft__transport_send_batch(t, &t->out) <= 0)
            return false;
    return true;
}

bool weft__transport_is_ending(const struct weft_transport *t)
{
    return t->state == WEFT_TRANSPORT_FLUSHING ||
           (t->state == WEFT_TRANSPORT_OPEN && weft__ws_conn_should_drop(&t->ws));
}

/* Whether control frames wait, and can still be sent. */
static bool has_control(const struct weft_transport *t)
{
    return t->is_ws && weft__ws_conn_has_control(&t->ws) &&
           !(t->secure && weft__transport_secure_failed(t));
}

/* Everything is out: does what was waiting for that. */
static void all_sent(struct weft_transport *t)
{
    if (weft__transport_is_ending(t)) {
        weft__transport_linger(t);
        return;
    }
    if (t->state == WEFT_TRANSPORT_HEAD) {
        /* The time for the next request begins with the end of an answer, and with nothing else
         * that went out: a peer could have TLS say something again and again. */
        if (t->answer_unsent)
            t->since_ns = weft__loop_now_ns(t->set->loop);
        t->answer_unsent = false;
        weft__transport_arm(t);
        return;
    }
    if (t->state == WEFT_TRANSPORT_STREAMING) {
        if (t->callbacks->on_drain)
            t->callbacks->on_drain(t);
        return;
    }
    /* From here on the peer has its time for the closing handshake, and no more than that. */
    if (t->state == WEFT_TRANSPORT_OPEN && !weft__ws_conn_is_open(&t->ws) && !t->close_timed) {
        t->close_timed = true;
        weft__transport_arm(t);
    }
}

void weft__transport_flush(struct weft_transport *t)
{
    if (t->state == WEFT_TRANSPORT_CLOSED || t->state == WEFT_TRANSPORT_LINGERING)
        return;
    /* Answered outside of on_request: what that entails was left to this tick. */
    if ((t->state == WEFT_TRANSPORT_OPEN && !t->opened) ||
        (t->state == WEFT_TRANSPORT_HEAD && (t->early || t->in_ended) && !t->paused))
        weft__transport_head_resume(t);
    if (t->state == WEFT_TRANSPORT_CLOSED || weft__tcp_sending(&t->tcp))
        return;
    if (has_control(t)) {
        int err = queue_control(t);
        if (err) {
            weft__transport_finish(t, err);
            return;
        }
    }
    bool all = send_out(t);
    if (t->state == WEFT_TRANSPORT_CLOSED)
        return;
    if (t->pressed && weft__transport_unsent(t) < t->set->options.pause_bytes / 2)
        relieve(t);
    if (all && weft__outq_empty(&t->out) && !has_control(t))
        all_sent(t);
}
