/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames in, transcript out: what a connection makes of a stream of bytes, as one line of text that
 * a test compares. Events are "text:Hello", "binary:…", "ping:…", "pong:…", "close:1000:reason",
 * "error:1002"; what the connection sends by itself is "<pong:…", "<close:1000:reason". Long
 * payloads are shown as their length and a hash.
 */
#ifndef WEFT_TESTS_UNIT_WS_CONN_LOG_H
#define WEFT_TESTS_UNIT_WS_CONN_LOG_H

#include "lib/test.h"
#include "ws/conn.h"

/* One frame of a stream: the whole first byte (FIN, RSV, opcode), and its payload. */
struct log_frame {
    unsigned byte0;
    const void *payload;
    size_t len;
};

/* A frame whose payload is a string literal. */
#define FRAME(byte0, literal)                                                                      \
    {                                                                                              \
        (byte0), (literal), sizeof(literal) - 1                                                    \
    }

struct conn_log {
    struct weft_bytes events; /* what came in */
    struct weft_bytes sent;   /* what the connection answered by itself */
};

static inline void log_init(struct conn_log *log)
{
    weft__bytes_init(&log->events, weft_alloc_default(), SIZE_MAX);
    weft__bytes_init(&log->sent, weft_alloc_default(), SIZE_MAX);
}

static inline void log_done(struct conn_log *log)
{
    weft__bytes_done(&log->events);
    weft__bytes_done(&log->sent);
}

static inline void log_payload(struct weft_bytes *out, struct weft_slice s)
{
    char text[64];
    if (s.len > 130) {
        uint64_t hash = 0;
        for (size_t i = 0; i < s.len; i++)
            hash = (hash ^ s.ptr[i]) * 0x100000001b3u;
        snprintf(text, sizeof(text), "[%zu %016llx]", s.len, (unsigned long long)hash);
        weft__bytes_append_str(out, text);
        return;
    }
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] >= ' ' && s.ptr[i] < 0x7f)
            weft__bytes_append_byte(out, s.ptr[i]);
        else {
            snprintf(text, sizeof(text), "\\%02x", s.ptr[i]);
            weft__bytes_append_str(out, text);
        }
    }
}

static inline void log_entry(struct weft_bytes *out, const char *what, int code,
                             struct weft_slice payload)
{
    if (out->len)
        weft__bytes_append_byte(out, ' ');
    weft__bytes_append_str(out, what);
    weft__bytes_append_byte(out, ':');
    if (code) {
        weft__bytes_append_u64(out, (uint64_t)code);
        weft__bytes_append_byte(out, ':');
    }
    log_payload(out, payload);
}

static inline void log_event(struct conn_log *log, const struct weft_ws_event *event)
{
    const struct weft_slice nothing = {NULL, 0};
    switch (event->type) {
    case WEFT_WS_EVENT_NONE:
        break;
    case WEFT_WS_EVENT_MESSAGE:
        log_entry(&log->events, weft__ws_opcode_name(event->opcode), 0, event->data);
        break;
    case WEFT_WS_EVENT_PING:
        log_entry(&log->events, "ping", 0, event->data);
        break;
    case WEFT_WS_EVENT_PONG:
        log_entry(&log->events, "pong", 0, event->data);
        break;
    case WEFT_WS_EVENT_CLOSE:
        log_entry(&log->events, "close", event->code, event->data);
        break;
    case WEFT_WS_EVENT_ERROR:
        assert_true(event->err < 0 && event->data.len > 0);
        log_entry(&log->events, "error", event->code, nothing);
        break;
    }
}

/* Takes what waits in |conn| and logs it; checks that every frame is masked exactly when it has to
 * be. Reasons of close frames are left out of the log when |failed| (they are words for people). */
static inline void log_take_control(struct conn_log *log, struct weft_ws_conn *conn)
{
    struct weft_bytes out;
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    assert_ok(weft__ws_conn_take_control(conn, &out));
    assert_false(weft__ws_conn_has_control(conn));
    for (size_t at = 0; at < out.len;) {
        struct weft_ws_head head;
        ptrdiff_t n = weft__ws_head_decode(out.ptr + at, out.len - at, &head);
        assert_true(n > 0);
        at += (size_t)n;
        assert_true(head.fin && head.rsv == 0 && head.len <= out.len - at);
        assert_int_equal(head.masked, conn->role == WEFT_WS_ROLE_CLIENT);
        weft__ws_mask(out.ptr + at, (size_t)head.len, head.mask, 0);
        struct weft_slice payload = {out.ptr + at, (size_t)head.len};
        at += payload.len;
        int code = 0;
        if (head.opcode == WEFT_WS_OPCODE_CLOSE && payload.len) {
            assert_true(payload.len >= 2);
            code = payload.ptr[0] << 8 | payload.ptr[1];
            payload = (struct weft_slice){payload.ptr + 2, conn->failed ? 0 : payload.len - 2};
        }
        log_entry(&log->sent, weft__ws_opcode_name(head.opcode), code, payload);
    }
    weft__bytes_done(&out);
}

/* Feeds |len| bytes, which are changed, the way conn.h says, and takes the answers after them. */
static inline void log_feed(struct conn_log *log, struct weft_ws_conn *conn, uint8_t *data,
                            size_t len)
{
    struct weft_ws_event event;
    do {
        size_t used = weft__ws_conn_read(conn, data, len, &event);
        assert_true(used <= len);
        assert_true(used == len || event.type != WEFT_WS_EVENT_NONE);
        log_event(log, &event);
        data += used;
        len -= used;
    } while (event.type != WEFT_WS_EVENT_NONE);
    assert_int_equal(len, 0);
    log_take_control(log, conn);
}

static inline void log_expect(struct weft_bytes *got, const char *want)
{
    weft__bytes_append_byte(got, 0);
    assert_ok(weft__bytes_error(got));
    assert_string_equal((const char *)got->ptr, want);
    got->len--;
}

/* A source of "random" masks for clients; counts up so that tests can be repeated. */
static inline void log_random(void *ctx, void *ret_bytes, size_t len)
{
    static uint8_t next = 1;
    (void)ctx;
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)ret_bytes)[i] = next += 37;
}

static inline struct weft_ws_options log_options(const struct weft_alloc *alloc)
{
    struct weft_ws_options options;
    weft__ws_options_init(&options, alloc);
    options.random = log_random;
    return options;
}

/* Appends |frame| as |from| sends it. */
static inline void log_write_frame(struct weft_bytes *out, const struct log_frame *frame,
                                   enum weft_ws_role from)
{
    uint8_t key[4] = {0};
    if (from == WEFT_WS_ROLE_CLIENT)
        log_random(NULL, key, 4);
    size_t at = out->len;
    weft__ws_frame_append(out, frame->byte0 & 0x0f, (frame->byte0 & 0x80) != 0,
                          weft__slice(frame->payload, frame->len),
                          from == WEFT_WS_ROLE_CLIENT ? key : NULL);
    assert_ok(weft__bytes_error(out));
    out->ptr[at] = (uint8_t)frame->byte0;
}

static inline enum weft_ws_role log_other(enum weft_ws_role role)
{
    return role == WEFT_WS_ROLE_SERVER ? WEFT_WS_ROLE_CLIENT : WEFT_WS_ROLE_SERVER;
}

#endif
