/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Beyond heads: the bodies of requests, and answers that are sent piece by piece. A body that
 * arrives whole is handed on where it was received; one that comes in pieces is gathered where
 * heads are, and never holds more than was allowed for it.
 */
#include "transport/core.h"

/* ---- Bodies ---- */

/* Gathering ends: the room is a head's again. The caller frees what is returned. */
static struct weft_bytes take_gathered(struct weft_transport *t)
{
    struct weft_bytes gathered = t->http.in;
    weft__bytes_init(&t->http.in, t->set->options.alloc, WEFT_HTTP1_HEAD_MAX);
    return gathered;
}

/* The body ended in one way or another: tells the owner, whose answer is awaited now. */
static void ended(struct weft_transport *t, struct weft_slice body, int status)
{
    if (status)
        t->keep_alive = false;
    t->state = WEFT_TRANSPORT_ANSWERING;
    weft__transport_arm(t);
    t->callbacks->on_body(t, body, status);
}

static void failed(struct weft_transport *t, int err)
{
    struct weft_bytes gathered = take_gathered(t);
    weft__bytes_done(&gathered);
    if (err == WEFT_ERR_NOMEM) {
        weft__transport_finish(t, err);
        return;
    }
    if (err == WEFT_ERR_TOO_BIG)
        weft__transport_limit(t, WEFT_TRANSPORT_LIMIT_MESSAGE);
    else
        t->set->stats.protocol_errors++;
    ended(t, weft__slice(NULL, 0), err == WEFT_ERR_TOO_BIG ? 413 : 400);
}

/* All of the body was read, |last| being the end of its content. */
static void complete(struct weft_transport *t, struct weft_slice last)
{
    struct weft_bytes gathered = take_gathered(t);
    if (gathered.len) {
        weft__bytes_append_slice(&gathered, last);
        last = weft__bytes_slice(&gathered);
    }
    if (gathered.err)
        weft__transport_finish(t, gathered.err);
    else
        ended(t, last, 0);
    weft__bytes_done(&gathered);
}

size_t weft__transport_body_read(struct weft_transport *t, const uint8_t *data, size_t len)
{
    size_t at = 0;
    while (t->state == WEFT_TRANSPORT_BODY) {
        struct weft_slice content;
        ptrdiff_t used = weft__http1_body_read(&t->http.body, data + at, len - at, &content);
        if (used < 0) {
            failed(t, (int)used);
            return len;
        }
        at += (size_t)used;
        if (weft__http1_body_is_done(&t->http.body)) {
            complete(t, content);
        } else {
            /* Room is made for what came, not for what was announced: announcing is cheap. */
            weft__bytes_append_slice(&t->http.in, content);
            if (t->http.in.err)
                weft__transport_finish(t, t->http.in.err);
            if (at == len)
                break;
        }
    }
    return at;
}

void weft__transport_body_late(struct weft_transport *t)
{
    struct weft_bytes gathered = take_gathered(t);
    weft__bytes_done(&gathered);
    weft__transport_limit(t, WEFT_TRANSPORT_LIMIT_SLOW);
    /* Such a peer is told, but not waited for once more. */
    t->in_ended = true;
    ended(t, weft__slice(NULL, 0), 408);
}

static int say_continue(struct weft_transport *t)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct weft_bytes out;
    int err = weft__outq_open(&t->out, &t->set->pool, sizeof(text) - 1, &out);
    if (err)
        return err;
    weft__bytes_append_str(&out, text);
    weft__outq_close(&t->out, &out);
    weft__transport_touch(t);
    return 0;
}

int weft__transport_receive(struct weft_transport *t, size_t limit)
{
    const struct weft_http1_head *head = &t->set->head;
    if (t->state != WEFT_TRANSPORT_ANSWERING || !t->reading)
        return WEFT_ERR_STATE;
    int err = weft__http1_body_init(&t->http.body, head, limit);
    if (err)
        weft__transport_limit(t, WEFT_TRANSPORT_LIMIT_MESSAGE);
    else if (!weft__http1_body_is_done(&t->http.body) && head->minor == 1 &&
             weft__http1_has_token(head, "Expect", "100-continue"))
        err = say_continue(t);
    if (err)
        return err;
    t->http.in.limit = limit;
    t->keep_alive = head->keep_alive;
    t->state = WEFT_TRANSPORT_BODY;
    t->since_ns = weft__loop_now_ns(t->set->loop);
    weft__transport_arm(t);
    return 0;
}

/* ---- Answers without a known end ---- */

static int queue(struct weft_transport *t, struct weft_slice data)
{
    struct weft_bytes out;
    int err = weft__outq_open(&t->out, &t->set->pool, data.len, &out);
    if (err) {
        weft__transport_finish(t, err);
        return err;
    }
    weft__bytes_append_slice(&out, data);
    weft__outq_close(&t->out, &out);
    weft__transport_touch(t);
    return 0;
}

int weft__transport_stream(struct weft_transport *t, struct weft_slice head)
{
    if (t->state != WEFT_TRANSPORT_ANSWERING)
        return WEFT_ERR_STATE;
    int err = queue(t, head);
    if (err)
        return err;
    t->state = WEFT_TRANSPORT_STREAMING;
    weft__buf_unref(t->early); /* Requests behind one whose answer ends the connection. */
    t->early = NULL;
    weft__transport_answered(t);
    if (t->in_ended)
        weft__transport_finish(t, WEFT_ERR_CLOSED);
    return 0;
}

int weft__transport_stream_send(struct weft_transport *t, struct weft_slice data)
{
    if (t->state != WEFT_TRANSPORT_STREAMING)
        return WEFT_ERR_STATE;
    int err = weft__transport_check_unsent(t, data.len);
    return err ? err : queue(t, data);
}

void weft__transport_stream_end(struct weft_transport *t)
{
    if (t->state == WEFT_TRANSPORT_STREAMING)
        weft__transport_wind_up(t, 0);
}
