/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP head phase. A head that arrives whole is parsed where it was received; only one that
 * comes in pieces is gathered in memory of the connection. What follows a head belongs to whatever
 * the answer makes of the connection, so it is looked at again after on_request:
 *
 *   answered with 101 ─► WebSocket frames      answered, kept alive ─► the next request
 *   answered, ends    ─► dropped               not answered yet     ─► kept (`early`)
 *   its body is wanted ─► the body (body.c), and behind that the same again
 */
#include "transport/core.h"
#include "transport/deflate.h"

/* Most bytes kept behind an unanswered request: what may be delivered after reading is paused. */
enum { EARLY_MAX = 8 << 20 };

/* ---- Answering ---- */

/* Appends what |bytes| holds to the output and releases it. */
static int send_bytes(struct weft_transport *t, struct weft_bytes *bytes)
{
    struct weft_bytes out;
    int err = weft__bytes_error(bytes);
    if (!err)
        err = weft__outq_open(&t->out, &t->set->pool, bytes->len, &out);
    if (!err) {
        weft__bytes_append_slice(&out, weft__bytes_slice(bytes));
        weft__outq_close(&t->out, &out);
    }
    weft__bytes_done(bytes);
    return err;
}

void weft__transport_answered(struct weft_transport *t)
{
    if (!t->reading && !t->paused)
        weft__tcp_resume(&t->tcp);
    weft__transport_arm(t);
    weft__transport_touch(t);
}

int weft__transport_accept(struct weft_transport *t, const struct weft_ws_upgrade *upgrade,
                           const struct weft_http1_header *extra, size_t count)
{
    if (t->state != WEFT_TRANSPORT_ANSWERING)
        return WEFT_ERR_STATE;
    struct weft_ws_deflate_params deflate = weft__transport_deflate_answer(t->set, &upgrade->offer);
    struct weft_bytes head;
    weft__bytes_init(&head, t->set->options.alloc, SIZE_MAX);
    int err =
        weft__ws_upgrade_accept(&head, upgrade, t->set->options.crypto, &deflate, extra, count);
    if (err) {
        weft__bytes_done(&head);
        return err;
    }
    err = send_bytes(t, &head);
    if (err)
        return err;
    /* A client that does not wait for the answer may have a ping behind its request. */
    weft__outq_bar(&t->out);
    weft__transport_ws_begin(t);
    weft__transport_deflate_begin(t, &deflate);
    weft__transport_answered(t);
    return 0;
}

static int refuse(struct weft_transport *t, int status, const char *text,
                  const struct weft_http1_header *extra, size_t count)
{
    struct weft_bytes answer;
    weft__bytes_init(&answer, t->set->options.alloc, SIZE_MAX);
    int err = weft__ws_upgrade_refuse(&answer, status, text, extra, count);
    if (err) {
        weft__bytes_done(&answer);
        return err;
    }
    return send_bytes(t, &answer);
}

int weft__transport_refuse(struct weft_transport *t, int status, const char *text,
                           const struct weft_http1_header *extra, size_t count)
{
    if (t->state != WEFT_TRANSPORT_ANSWERING)
        return WEFT_ERR_STATE;
    int err = refuse(t, status, text, extra, count);
    if (!err)
        weft__transport_wind_up(t, 0);
    return err;
}

void weft__transport_head_refuse(struct weft_transport *t, int status, const char *text, int err)
{
    const struct weft_transport_options *options = &t->set->options;
    if (!status || refuse(t, status, text, options->refusal_headers, options->refusal_header_count))
        weft__transport_finish(t, err);
    else
        weft__transport_wind_up(t, err);
}

int weft__transport_respond(struct weft_transport *t, struct weft_slice head,
                            struct weft_slice body, struct weft_buf *owner, bool close)
{
    if (t->state != WEFT_TRANSPORT_ANSWERING)
        return WEFT_ERR_STATE;
    struct weft_bytes out;
    int err = weft__outq_open(&t->out, &t->set->pool, head.len, &out);
    if (!err) {
        weft__bytes_append_slice(&out, head);
        weft__outq_close(&t->out, &out);
        err = weft__outq_append(&t->out, &t->set->pool, body, owner);
    }
    if (err) {
        weft__transport_finish(t, err);
        return err;
    }
    if (close || !t->keep_alive) {
        weft__transport_wind_up(t, 0);
        return 0;
    }
    t->state = WEFT_TRANSPORT_HEAD;
    t->since_ns = weft__loop_now_ns(t->set->loop);
    t->answer_unsent = true;
    weft__transport_answered(t);
    return 0;
}

/* ---- Reading heads ---- */

/* A request head of |used| bytes was read into the set's head: asks the owner. */
static void request_read(struct weft_transport *t)
{
    const struct weft_http1_head *head = &t->set->head;
    t->set->stats.requests++;
    t->keep_alive = head->keep_alive && head->content_length <= 0 && !head->chunked;
    t->state = WEFT_TRANSPORT_ANSWERING;
    weft__transport_arm(t);
    t->callbacks->on_request(t, head);
}

static void response_read(struct weft_transport *t)
{
    struct weft_transport_dial *dial = t->http.dial;
    const struct weft_http1_head *head = &t->set->head;
    struct weft_ws_deflate_params deflate;
    t->status = head->status;
    /* RFC 9110 §15.2: interim answers may come before the final one. How many is limited by the
     * time for the handshake. */
    if (head->status < 200 && head->status != 101)
        return;
    int err = weft__ws_response_check(head, &dial->request, dial->key, t->set->options.crypto,
                                      &t->protocol, &deflate);
    if (err) {
        weft__transport_finish(t, err);
        return;
    }
    weft__transport_ws_begin(t);
    weft__transport_deflate_begin(t, &deflate);
    weft__transport_arm(t);
}

/* Reads one head off the front of |data|. Returns its length, 0 when it is not complete, or an
 * error after which the connection ends. */
static ptrdiff_t read_head(struct weft_transport *t, const uint8_t *data, size_t len)
{
    int status = 0;
    ptrdiff_t used;
    if (t->role == WEFT_WS_ROLE_SERVER)
        used = weft__http1_read_request(data, len, &t->http.scanned, &t->set->head, &status);
    else
        used = weft__http1_read_response(data, len, &t->http.scanned, &t->set->head);
    if (used >= 0)
        return used;
    t->set->stats.protocol_errors++;
    if (status == 431 || status == 414 || used == WEFT_ERR_TOO_BIG)
        weft__transport_limit(t, WEFT_TRANSPORT_LIMIT_HEAD);
    weft__transport_head_refuse(t, status, NULL, (int)used);
    return used;
}

void weft__transport_head_late(struct weft_transport *t)
{
    bool begun = t->http.in.len > 0;
    /* A connection kept for another request that never came did no harm. */
    if (!begun && t->keep_alive) {
        weft__transport_finish(t, 0);
        return;
    }
    weft__transport_limit(t, WEFT_TRANSPORT_LIMIT_HANDSHAKE);
    /* What came is no request, and the peer a proxy. */
    if (t->proxy) {
        weft__transport_abort(t, WEFT_ERR_TIMEOUT);
        return;
    }
    /* Such a peer is told, but not waited for once more. */
    t->in_ended = true;
    weft__transport_head_refuse(t, begun ? 408 : 0, NULL, WEFT_ERR_TIMEOUT);
}

/* |rest| came behind a head that the owner was asked about. False when it is to be read as a head
 * again. */
static bool rest_read(struct weft_transport *t, uint8_t *rest, size_t len)
{
    switch ((enum weft_transport_state)t->state) {
    case WEFT_TRANSPORT_HEAD:
        return false;
    case WEFT_TRANSPORT_OPEN:
        weft__transport_ws_opened(t);
        if (len && t->state == WEFT_TRANSPORT_OPEN)
            weft__transport_ws_input(t, rest, len);
        return true;
    case WEFT_TRANSPORT_ANSWERING:
        weft__transport_head_stash(t, rest, len);
        return true;
    default: /* BODY: nothing is left. */
        return true;
    }
}

/* Reads heads from |data| while there are whole ones. Returns how many bytes are used up; the rest
 * is the beginning of a head. */
static size_t read_heads(struct weft_transport *t, uint8_t *data, size_t len)
{
    size_t at = 0;
    while (at < len) {
        if (t->paused) { /* More answers would only be kept: the rest waits for their turn. */
            weft__transport_head_stash(t, data + at, len - at);
            return len;
        }
        ptrdiff_t used = read_head(t, data + at, len - at);
        if (used <= 0)
            return used < 0 ? len : at;
        at += (size_t)used;
        t->http.scanned = 0;
        t->reading = true;
        if (t->role == WEFT_WS_ROLE_SERVER)
            request_read(t);
        else
            response_read(t);
        at += weft__transport_body_read(t, data + at, len - at);
        t->reading = false;
        if (rest_read(t, data + at, len - at))
            return len;
    }
    return at;
}

void weft__transport_head_input(struct weft_transport *t, uint8_t *data, size_t len)
{
    if (!t->http.in.len) {
        size_t used = read_heads(t, data, len);
        if (used < len)
            weft__bytes_append(&t->http.in, data + used, len - used);
    } else {
        /* The limit of a head is the limit of what is gathered, but one receive may bring more than
         * a head: what does not fit is either too much, or belongs to what comes next. */
        struct weft_bytes in = t->http.in;
        in.limit = SIZE_MAX;
        weft__bytes_init(&t->http.in, t->set->options.alloc, WEFT_HTTP1_HEAD_MAX);
        weft__bytes_append(&in, data, len);
        size_t used = in.err ? in.len : read_heads(t, in.ptr, in.len);
        int err = in.err;
        if (!err && used < in.len)
            weft__bytes_append(&t->http.in, in.ptr + used, in.len - used);
        weft__bytes_done(&in);
        if (err)
            weft__transport_finish(t, err);
    }
    if (t->state == WEFT_TRANSPORT_HEAD && t->http.in.err)
        weft__transport_finish(t, t->http.in.err);
}

void weft__transport_head_go_on(struct weft_transport *t, uint8_t *data, size_t len)
{
    t->reading = true;
    size_t used = weft__transport_body_read(t, data, len);
    t->reading = false;
    if (!rest_read(t, data + used, len - used))
        weft__transport_head_input(t, data + used, len - used);
}

void weft__transport_head_stash(struct weft_transport *t, const uint8_t *data, size_t len)
{
    if (!len)
        return;
    /* One request is served at a time. Until another comes reading goes on, since that tells when
     * the peer is gone. */
    if (t->state == WEFT_TRANSPORT_ANSWERING)
        weft__tcp_pause(&t->tcp);
    struct weft_buf *before = t->early;
    size_t kept = before ? before->len : 0;
    struct weft_buf *both = NULL;
    if (len <= EARLY_MAX - kept)
        both = weft__buf_new(t->set->options.alloc, kept + len);
    if (!both) {
        weft__transport_finish(t, len <= EARLY_MAX - kept ? WEFT_ERR_NOMEM : WEFT_ERR_LIMIT);
        return;
    }
    if (before)
        memcpy(weft__buf_data(both), weft__buf_data(before), kept);
    memcpy(weft__buf_data(both) + kept, data, len);
    weft__buf_unref(before);
    t->early = both;
}

void weft__transport_head_resume(struct weft_transport *t)
{
    struct weft_buf *early = t->early;
    t->early = NULL;
    uint8_t *data = early ? weft__buf_data(early) : NULL;
    size_t len = early ? early->len : 0;
    if (t->state == WEFT_TRANSPORT_OPEN)
        (void)rest_read(t, data, len);
    else if (t->state == WEFT_TRANSPORT_HEAD && len)
        weft__transport_head_input(t, data, len);
    weft__buf_unref(early);
    /* The end of the stream was seen while an answer was awaited. */
    if (t->in_ended && !t->early)
        weft__transport_input_ended(t, 0);
}

void weft__transport_head_request(struct weft_transport *t)
{
    struct weft_transport_dial *dial = t->http.dial;
    const struct weft_crypto *crypto = t->set->options.crypto;
    uint8_t nonce[WEFT_WS_NONCE_LEN];
    crypto->random(crypto->ctx, nonce, sizeof(nonce));
    struct weft_bytes head;
    weft__bytes_init(&head, t->set->options.alloc, SIZE_MAX);
    int err = weft__ws_request_write(&head, &dial->request, nonce, dial->key);
    if (err)
        weft__bytes_done(&head);
    else
        err = send_bytes(t, &head);
    if (err) {
        weft__transport_finish(t, err);
        return;
    }
    t->state = WEFT_TRANSPORT_HEAD;
    t->since_ns = weft__loop_now_ns(t->set->loop);
    weft__transport_arm(t);
    weft__transport_touch(t);
}
