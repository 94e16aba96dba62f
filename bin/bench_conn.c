/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection of the load generator.
 *
 *   CLOSED ─► CONNECTING ─► (TLS ─►) HEAD ─► (GREET ─►) OPEN ─► CLOSING ─► ENDING ─► CLOSED
 *                 └──────────┴─────────┴─────────┴── fail ───────────────►
 *
 * Output is written at once: when bytes came, everything their answers allow to be sent goes out in
 * one write, unless one is still in flight.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "bench_handshake.h"
#include "bench_stream.h"
#include "io/clock.h"

#include <stdio.h>

static struct bench_conn *conn_of(struct weft_tcp *tcp)
{
    return WEFT_CONTAINER_OF(tcp, struct bench_conn, tcp);
}

static void flush(struct bench_conn *conn);

/* ---- The end ---- */

static void end(struct bench_conn *conn, bool abort)
{
    if (conn->state == BENCH_ENDING || conn->state == BENCH_CLOSED)
        return;
    bool settling = conn->state < BENCH_OPEN;
    if (conn->state == BENCH_OPEN)
        conn->worker->open--;
    conn->state = BENCH_ENDING;
    weft__loop_timer_stop(conn->worker->loop, &conn->timer);
    if (abort)
        weft__tcp_abort(&conn->tcp);
    else
        weft__tcp_close(&conn->tcp);
    if (settling)
        bench_worker_settled(conn->worker);
}

void bench_conn_abort(struct bench_conn *conn)
{
    end(conn, true);
}

void bench_conn_fail(struct bench_conn *conn, enum bench_error error, const char *text)
{
    if (conn->state == BENCH_ENDING || conn->state == BENCH_CLOSED)
        return;
    bench_worker_error(conn->worker, error, text);
    end(conn, true);
}

void bench_conn_close(struct bench_conn *conn)
{
    if (conn->state == BENCH_OPEN && conn->worker->options->raw) {
        end(conn, false);
    } else if (conn->state == BENCH_OPEN) {
        conn->state = BENCH_CLOSING;
        conn->worker->open--;
        conn->close_due = true;
        weft__loop_timer_start(conn->worker->loop, &conn->timer, BENCH_CLOSE_MS);
        flush(conn);
    } else if (conn->state < BENCH_OPEN) {
        end(conn, true);
    }
}

static void on_closed(struct weft_tcp *tcp)
{
    struct bench_conn *conn = conn_of(tcp);
    weft__tls_done(&conn->tls);
    bench_frames_done(&conn->frames);
    weft__deflate_history_done(&conn->history, weft_alloc_default());
    conn->history = (struct weft_deflate_history){0};
    weft__bytes_done(&conn->in);
    weft__bytes_done(&conn->request);
    weft__bytes_done(&conn->notes);
    weft__bytes_done(&conn->noted);
    weft__bytes_done(&conn->wire);
    weft__bytes_done(&conn->on_wire);
    conn->state = BENCH_CLOSED;
    bench_worker_closed(conn->worker, conn);
}

/* Took too long to connect, or the server does not answer our close frame. */
static void on_timer(struct weft_timer *timer)
{
    struct bench_conn *conn = WEFT_CONTAINER_OF(timer, struct bench_conn, timer);
    if (conn->state == BENCH_CLOSED && conn->worker->scenario->retry)
        conn->worker->scenario->retry(conn);
    else if (conn->state == BENCH_CLOSING)
        end(conn, true);
    else
        bench_conn_fail(conn, BENCH_ERROR_HANDSHAKE, "no answer to the handshake in time");
}

/* ---- Output ---- */

/* Sends |count| slices of |iov|; the stream is free. */
static void send_plain(struct bench_conn *conn, int count)
{
    struct bench_worker *worker = conn->worker;
    size_t bytes = 0;
    for (int i = 0; i < count; i++)
        bytes += conn->iov[i].iov_len;
    int result = weft__tcp_send(&conn->tcp, conn->iov, count);
    if (result < 0)
        bench_conn_fail(conn, BENCH_ERROR_CLOSED, "the connection broke");
    else if (bench_measuring(worker, worker->now_ns))
        worker->stats.bytes_out += bytes;
}

/* Sends what was encrypted. */
static void send_wire(struct bench_conn *conn)
{
    struct weft_bytes empty = conn->on_wire;
    if (!conn->wire.len || weft__tcp_sending(&conn->tcp) || conn->state == BENCH_ENDING)
        return;
    weft__bytes_clear(&empty);
    conn->on_wire = conn->wire;
    conn->wire = empty;
    conn->iov[0] = (struct iovec){conn->on_wire.ptr, conn->on_wire.len};
    send_plain(conn, 1);
}

static void send_out(struct bench_conn *conn, int count)
{
    if (!conn->worker->run->tls)
        send_plain(conn, count);
    else if (bench_stream_write(conn, conn->iov, count))
        bench_conn_fail(conn, BENCH_ERROR_CLOSED, "TLS broke");
    else
        send_wire(conn);
}

/* A masked control frame in conn->control. Returns its length. */
static size_t write_control(struct bench_conn *conn, unsigned opcode, struct weft_slice payload)
{
    struct weft_ws_head head = {.len = payload.len, .opcode = (uint8_t)opcode, .fin = true};
    head.masked = true;
    memcpy(head.mask, bench_mask, sizeof(head.mask));
    size_t at = weft__ws_head_encode(&head, conn->control);
    weft__ws_mask_copy(conn->control + at, payload.ptr, payload.len, bench_mask, 0);
    return at + payload.len;
}

/* One control frame that is due, the pong first. Returns its length, or 0. */
static size_t next_control(struct bench_conn *conn)
{
    static const uint8_t normal[2] = {1000 >> 8, 1000 & 0xff};
    if (conn->pong_due) {
        conn->pong_due = false;
        return write_control(conn, WEFT_WS_OPCODE_PONG, weft__slice(conn->ping, conn->ping_len));
    }
    if (conn->close_due) {
        conn->close_due = false;
        return write_control(conn, WEFT_WS_OPCODE_CLOSE, weft__slice(normal, sizeof(normal)));
    }
    return 0;
}

/* Takes what is noted to be sent before messages. */
static struct iovec take_notes(struct bench_conn *conn)
{
    struct weft_bytes empty = conn->noted;
    weft__bytes_clear(&empty);
    conn->noted = conn->notes;
    conn->notes = empty;
    return (struct iovec){conn->noted.ptr, conn->noted.len};
}

/* The time that message |number| of the connection counts from. */
static uint64_t stamp(const struct bench_conn *conn, uint64_t number)
{
    const struct bench_worker *worker = conn->worker;
    if (worker->options->scenario == BENCH_STORM)
        return conn->start_ns;
    if (worker->options->rate > 0)
        return bench_due_ns(worker, conn->index - worker->first + number * worker->count);
    return worker->now_ns;
}

/* Takes the next slot for a message that is sent now. */
static uint32_t take_slot(struct bench_conn *conn)
{
    uint32_t place = conn->put;
    uint32_t slot = conn->free ? conn->free[place] : place;
    conn->put = place + 1 == conn->images->count ? 0 : place + 1;
    conn->times[slot] = stamp(conn, conn->sent);
    if (conn->items)
        bench_calls_sent(conn, slot);
    conn->sent++;
    conn->wanted--;
    return slot;
}

/* Adds messages with the same frames: all in one slice. Returns the new count of slices. */
static int add_alike(struct bench_conn *conn, int count)
{
    const struct bench_images *images = conn->images;
    uint32_t run = WEFT_MIN(conn->wanted, images->count);
    if (conn->worker->interval_ns > 0) {
        for (uint32_t i = 0; i < run; i++)
            (void)take_slot(conn);
    } else {
        /* The same for all at once: most of what this program does. */
        uint64_t since_ns = stamp(conn, conn->sent);
        uint32_t place = conn->put;
        for (uint32_t i = 0; i < run; i++) {
            conn->times[place] = since_ns;
            place = place + 1 == images->count ? 0 : place + 1;
        }
        conn->put = place;
        conn->sent += run;
        conn->wanted -= run;
    }
    if (run)
        conn->iov[count++] = (struct iovec){images->frames.ptr, images->offsets[run]};
    return count;
}

/* Adds messages to |iov| from |count| on, as many as are wanted and fit: a slice for each run of
 * neighbouring slots. Returns the new count of slices. */
static int add_messages(struct bench_conn *conn, int count)
{
    const struct bench_images *images = conn->images;
    uint32_t behind = UINT32_MAX; /* the frame that would make the last run longer */
    if (images->alike)
        return add_alike(conn, count);
    while (conn->wanted) {
        uint32_t frame = conn->free ? conn->free[conn->put] : conn->put;
        if (conn->turns)
            frame += conn->turns[frame] * images->count;
        if (frame != behind && count == BENCH_IOV_MAX)
            break;
        if (frame != behind)
            conn->iov[count++] = (struct iovec){images->frames.ptr + images->offsets[frame], 0};
        conn->iov[count - 1].iov_len += images->offsets[frame + 1] - images->offsets[frame];
        behind = frame + 1;
        (void)take_slot(conn);
    }
    return count;
}

/* Sends what is due, as long as nothing is in flight. */
static void flush(struct bench_conn *conn)
{
    while (conn->state >= BENCH_GREET && conn->state <= BENCH_CLOSING &&
           !weft__tcp_sending(&conn->tcp)) {
        int count = 0;
        size_t control = next_control(conn);
        if (control)
            conn->iov[count++] = (struct iovec){conn->control, control};
        if (conn->notes.len && conn->state != BENCH_CLOSING)
            conn->iov[count++] = take_notes(conn);
        if (conn->state == BENCH_OPEN)
            count = add_messages(conn, count);
        if (!count)
            break;
        send_out(conn, count);
    }
}

static void on_sent(struct weft_tcp *tcp, ptrdiff_t n)
{
    struct bench_conn *conn = conn_of(tcp);
    if (n < 0) {
        bench_conn_fail(conn, BENCH_ERROR_CLOSED, "the connection broke");
        return;
    }
    if (conn->wire.len)
        send_wire(conn);
    if (conn->wanted || conn->notes.len || conn->pong_due || conn->close_due) {
        conn->worker->now_ns = weft__clock_now_ns();
        flush(conn);
    }
}

void bench_conn_flush(struct bench_conn *conn)
{
    flush(conn);
}

void bench_conn_want(struct bench_conn *conn, uint32_t count)
{
    conn->wanted += count;
    flush(conn);
}

/* ---- Connecting ---- */

static bool start_request(struct bench_conn *conn)
{
    if (conn->worker->run->tls)
        weft__tls_rest(&conn->tls);
    if (bench_handshake_write(conn)) {
        bench_conn_fail(conn, BENCH_ERROR_HANDSHAKE, "the request cannot be written");
        return false;
    }
    conn->state = BENCH_HEAD;
    conn->iov[0] = (struct iovec){conn->request.ptr, conn->request.len};
    send_out(conn, 1);
    return conn->state == BENCH_HEAD;
}

/* The handshakes are over. */
static void open_conn(struct bench_conn *conn)
{
    struct bench_worker *worker = conn->worker;
    weft__loop_timer_stop(worker->loop, &conn->timer);
    conn->state = BENCH_OPEN;
    worker->open++;
    bench_worker_settled(worker);
    if (conn->state == BENCH_OPEN && worker->scenario->opened)
        worker->scenario->opened(conn);
}

void bench_conn_greeted(struct bench_conn *conn)
{
    open_conn(conn);
}

/* The WebSocket is there. */
static void upgraded(struct bench_conn *conn)
{
    if (!conn->worker->options->greets) {
        open_conn(conn);
        return;
    }
    conn->state = BENCH_GREET;
    bench_calls_greet(conn);
    flush(conn);
}

static void on_connected(struct weft_tcp *tcp, int err)
{
    struct bench_conn *conn = conn_of(tcp);
    char text[160];
    if (err) {
        (void)snprintf(text, sizeof(text), "cannot connect: %s", weft_err_message(err));
        bench_conn_fail(conn, BENCH_ERROR_CONNECT, text);
    } else if (conn->worker->run->tls) {
        conn->state = BENCH_TLS;
        if (bench_stream_begin(conn))
            bench_conn_fail(conn, BENCH_ERROR_HANDSHAKE, "TLS cannot begin");
        else
            send_wire(conn);
    } else if (conn->worker->options->raw) {
        open_conn(conn);
    } else {
        (void)start_request(conn);
    }
}

/* Takes bytes of the answer's head; what lies behind it is |*data| and |*len| afterwards. False
 * when the connection is not open afterwards. */
static bool take_head(struct bench_conn *conn, uint8_t **data, size_t *len)
{
    struct bench_worker *worker = conn->worker;
    char text[160];
    size_t before = conn->in.len;
    weft__bytes_append(&conn->in, *data, *len);
    ptrdiff_t n = weft__bytes_error(&conn->in);
    if (!n)
        n = weft__http1_read_response(conn->in.ptr, conn->in.len, &conn->scanned, &worker->head);
    if (n < 0) {
        bench_conn_fail(conn, BENCH_ERROR_HANDSHAKE, "the answer is not HTTP");
        return false;
    }
    if (n == 0)
        return false;
    if (!bench_handshake_check(conn, text, sizeof(text))) {
        bench_conn_fail(conn, BENCH_ERROR_HANDSHAKE, text);
        return false;
    }
    *data += (size_t)n - before;
    *len -= (size_t)n - before;
    weft__bytes_done(&conn->in);
    weft__bytes_init(&conn->in, weft_alloc_default(), WEFT_HTTP1_HEAD_MAX);
    upgraded(conn);
    return conn->state == BENCH_OPEN || conn->state == BENCH_GREET;
}

/* ---- Input ---- */

static bool inflate(struct bench_conn *conn, struct weft_slice packed, struct weft_slice *ret_data)
{
    int err = weft__inflate(&conn->worker->deflate, weft__deflate_history_slice(&conn->history),
                            packed, BENCH_MESSAGE_MAX, ret_data);
    if (!err && conn->takeover)
        err = weft__deflate_history_add(&conn->history, weft_alloc_default(), WEFT_DEFLATE_BITS_MAX,
                                        *ret_data);
    return !err;
}

static void on_message(void *ctx, unsigned opcode, bool compressed, struct weft_slice data)
{
    struct bench_conn *conn = ctx;
    if (conn->state != BENCH_OPEN && conn->state != BENCH_GREET)
        return;
    if (compressed && !inflate(conn, data, &data))
        bench_conn_fail(conn, BENCH_ERROR_PROTOCOL, "a compressed message is not valid");
    else if (conn->state == BENCH_GREET)
        bench_calls_greeted(conn, data);
    else
        conn->worker->scenario->message(conn, opcode, data);
}

static void on_control(void *ctx, unsigned opcode, struct weft_slice data)
{
    struct bench_conn *conn = ctx;
    if (opcode == WEFT_WS_OPCODE_PING) {
        weft__mem_copy(conn->ping, data.ptr, data.len);
        conn->ping_len = (uint8_t)data.len;
        conn->pong_due = true;
    } else if (opcode == WEFT_WS_OPCODE_CLOSE &&
               (conn->state == BENCH_OPEN || conn->state == BENCH_GREET)) {
        char text[64];
        unsigned code = data.len >= 2 ? (unsigned)data.ptr[0] << 8 | data.ptr[1] : 1005;
        (void)snprintf(text, sizeof(text), "closed by the server with code %u", code);
        bench_conn_fail(conn, BENCH_ERROR_CLOSED, text);
    } else if (opcode == WEFT_WS_OPCODE_CLOSE) {
        conn->closed_by_peer = true;
    }
}

/* tcp://: |len| bytes of messages came, which are as long as those that were sent. */
static void take_raw(struct bench_conn *conn, size_t len)
{
    size_t size = conn->images->offsets[1];
    size_t have = conn->raw_bytes + len;
    conn->raw_bytes = have % size;
    if (conn->state == BENCH_OPEN && have >= size)
        conn->worker->scenario->arrived(conn, (uint32_t)(have / size));
}

/* Takes |len| bytes of the stream, after TLS. False when the connection is gone. */
static bool take(struct bench_conn *conn, uint8_t *data, size_t len)
{
    struct bench_worker *worker = conn->worker;
    struct bench_frames_sink sink = {worker->looks ? on_message : NULL, on_control, conn};
    uint32_t count = 0;
    if (conn->state == BENCH_HEAD && !take_head(conn, &data, &len))
        return conn->state != BENCH_ENDING;
    if (bench_frames_read(&conn->frames, &sink, data, len, &count))
        bench_conn_fail(conn, BENCH_ERROR_PROTOCOL, "the server sent a frame that is not valid");
    else if (count && conn->state == BENCH_OPEN)
        worker->scenario->arrived(conn, count);
    if (conn->pong_due)
        flush(conn);
    return conn->state != BENCH_ENDING;
}

/* The server ended the stream. */
static void ended(struct bench_conn *conn)
{
    if (conn->state == BENCH_CLOSING)
        end(conn, false);
    else if (conn->state == BENCH_OPEN)
        bench_conn_fail(conn, BENCH_ERROR_CLOSED, "closed by the server");
    else
        bench_conn_fail(conn, BENCH_ERROR_HANDSHAKE, "closed by the server in the handshake");
}

static void received_secure(struct bench_conn *conn, uint8_t *data, size_t len)
{
    char text[WEFT_TLS_FAILURE_SIZE];
    int err = bench_stream_read(conn, data, len, start_request, take, text);
    if (err == WEFT_ERR_CLOSED)
        ended(conn);
    else if (err)
        bench_conn_fail(conn,
                        conn->state < BENCH_OPEN ? BENCH_ERROR_HANDSHAKE : BENCH_ERROR_PROTOCOL,
                        err == WEFT_ERR_TLS ? text : weft_err_message(err));
    send_wire(conn);
}

static void on_recv(struct weft_tcp *tcp, uint8_t *data, ptrdiff_t n)
{
    struct bench_conn *conn = conn_of(tcp);
    struct bench_worker *worker = conn->worker;
    if (n <= 0) {
        ended(conn);
        return;
    }
    /* The time of the tick is older by all that the tick has done so far. */
    worker->now_ns = weft__clock_now_ns();
    if (bench_measuring(worker, worker->now_ns))
        worker->stats.bytes_in += (uint64_t)n;
    if (worker->run->tls)
        received_secure(conn, data, (size_t)n);
    else if (worker->options->raw)
        take_raw(conn, (size_t)n);
    else
        (void)take(conn, data, (size_t)n);
    if (conn->closed_by_peer)
        end(conn, false);
}

/* ---- Life ---- */

static const struct weft_tcp_callbacks callbacks = {
    .on_recv = on_recv, .on_sent = on_sent, .on_closed = on_closed, .on_connected = on_connected};

void bench_conn_start(struct bench_conn *conn)
{
    struct bench_worker *worker = conn->worker;
    const struct bench_options *options = worker->options;
    WEFT_ASSERT(conn->state == BENCH_CLOSED);
    conn->sent = conn->done = conn->due = conn->checked = 0;
    conn->put = conn->get = 0;
    conn->wanted = 0;
    conn->scanned = 0;
    conn->raw_bytes = 0;
    conn->pong_due = conn->close_due = conn->replied = conn->closed_by_peer = false;
    if (options->rpc)
        bench_calls_start(conn);
    bench_frames_init(&conn->frames);
    weft__bytes_init(&conn->in, weft_alloc_default(), WEFT_HTTP1_HEAD_MAX);
    weft__bytes_init(&conn->request, weft_alloc_default(), SIZE_MAX);
    weft__bytes_init(&conn->notes, weft_alloc_default(), SIZE_MAX);
    weft__bytes_init(&conn->noted, weft_alloc_default(), SIZE_MAX);
    weft__bytes_init(&conn->wire, weft_alloc_default(), SIZE_MAX);
    weft__bytes_init(&conn->on_wire, weft_alloc_default(), SIZE_MAX);
    const struct weft_address *source = NULL;
    if (options->source_count)
        source = &options->sources[conn->index % options->source_count];
    worker->connecting++;
    int err = weft__tcp_connect_from(&conn->tcp, worker->loop, source, &options->address,
                                     BENCH_CONNECT_MS, &conn->connector, &callbacks);
    if (err) {
        char text[160];
        (void)snprintf(text, sizeof(text), "cannot connect: %s", weft_err_message(err));
        bench_worker_error(worker, BENCH_ERROR_CONNECT, text);
        bench_worker_settled(worker);
        return;
    }
    conn->state = BENCH_CONNECTING;
    worker->alive++;
    weft__loop_timer_start(worker->loop, &conn->timer, BENCH_CONNECT_MS + 1000);
}

int bench_conn_init(struct bench_conn *conn, struct bench_worker *worker, uint32_t index)
{
    const struct bench_options *options = worker->options;
    const struct weft_alloc *alloc = weft_alloc_default();
    *conn = (struct bench_conn){.worker = worker, .index = index, .images = &worker->images};
    weft__timer_init(&conn->timer, on_timer);
    weft__list_init(&conn->node);
    conn->times = weft__mem_alloc_array(alloc, options->depth, sizeof(*conn->times));
    if (!conn->times || (options->rpc && bench_calls_init(conn)))
        return WEFT_ERR_NOMEM;
    if (!bench_images_own(options))
        return 0;
    conn->images = &conn->own;
    return bench_images_init(&conn->own, options, &worker->deflate, index);
}

void bench_conn_done(struct bench_conn *conn)
{
    uint32_t depth = conn->worker->options->depth;
    const struct weft_alloc *alloc = weft_alloc_default();
    bench_images_done(&conn->own);
    weft__mem_free(alloc, conn->times, depth * sizeof(*conn->times));
    bench_calls_done(conn);
}
