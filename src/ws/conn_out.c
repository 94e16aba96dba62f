/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sending half of a connection: frames of either role, the pongs and the close frame that wait,
 * and the closing handshake. What waits is bounded: pongs by number, the close frame is one.
 */
#include "ws/conn_out.h"

#include "base/assert.h"
#include "base/mem.h"
#include "base/utf8.h"

const char *weft__ws_state_name(enum weft_ws_state state)
{
    static const char *const names[] = {
        [WEFT_WS_STATE_OPEN] = "open",
        [WEFT_WS_STATE_CLOSE_SENT] = "close_sent",
        [WEFT_WS_STATE_CLOSE_RECEIVED] = "close_received",
        [WEFT_WS_STATE_CLOSED] = "closed",
    };
    return (unsigned)state < WEFT_ARRAY_LEN(names) ? names[state] : "?";
}

/* The transitions drawn in conn.h. */
static bool may_follow(enum weft_ws_state from, enum weft_ws_state to)
{
    switch (to) {
    case WEFT_WS_STATE_CLOSE_SENT:
    case WEFT_WS_STATE_CLOSE_RECEIVED:
        return from == WEFT_WS_STATE_OPEN;
    case WEFT_WS_STATE_CLOSED:
        return from != WEFT_WS_STATE_CLOSED;
    default:
        return false;
    }
}

/* The only place where the state changes. */
static void set_state(struct weft_ws_conn *conn, enum weft_ws_state state)
{
    WEFT_ASSERT(may_follow((enum weft_ws_state)conn->state, state));
    conn->state = (uint8_t)state;
}

static void release_pongs(struct weft_ws_conn *conn)
{
    weft__mem_free(conn->options->alloc, conn->pong_out, conn->pong_len);
    conn->pong_out = NULL;
    conn->pong_len = 0;
    conn->pong_count = 0;
}

static void release_close(struct weft_ws_conn *conn)
{
    if (conn->close_text_owned) {
        /* The cast takes back what weft__ws_conn_close allocated as mutable memory. */
        weft__mem_free(conn->options->alloc, (void *)(uintptr_t)conn->close_text,
                       conn->close_text_len);
    }
    conn->close_text = NULL;
    conn->close_text_len = 0;
    conn->close_text_owned = false;
    conn->close_waits = false;
}

void weft__ws_conn_drop_out(struct weft_ws_conn *conn)
{
    release_pongs(conn);
    release_close(conn);
}

bool weft__ws_conn_queue_pong(struct weft_ws_conn *conn, struct weft_slice payload)
{
    WEFT_ASSERT(payload.len <= WEFT_WS_CONTROL_MAX);
    /* RFC 6455 §5.5.3: of several pings only the most recent need be answered. */
    if (conn->pong_count == WEFT_WS_PONGS_MAX)
        release_pongs(conn);
    size_t len = conn->pong_len + 2 + payload.len;
    uint8_t *p = weft__mem_realloc(conn->options->alloc, conn->pong_out, conn->pong_len, len);
    if (!p)
        return false;
    conn->pong_out = p;
    struct weft_ws_head head = {.len = payload.len, .opcode = WEFT_WS_OPCODE_PONG, .fin = true};
    size_t n = weft__ws_head_encode(&head, p + conn->pong_len);
    /* RFC 6455 §5.5.3: a pong has the same application data as its ping. */
    weft__mem_copy(p + conn->pong_len + n, payload.ptr, payload.len);
    conn->pong_len = (uint16_t)len;
    conn->pong_count++;
    return true;
}

static void queue_close(struct weft_ws_conn *conn, unsigned code)
{
    WEFT_ASSERT(!conn->close_waits);
    conn->close_waits = true;
    conn->close_code = (uint16_t)code;
}

void weft__ws_conn_on_close(struct weft_ws_conn *conn, unsigned code)
{
    if (conn->state == WEFT_WS_STATE_CLOSE_SENT) {
        set_state(conn, WEFT_WS_STATE_CLOSED);
        return;
    }
    /* RFC 6455 §5.5.1: the reply typically echoes the code that was received; none to none. */
    queue_close(conn, code);
    set_state(conn, WEFT_WS_STATE_CLOSE_RECEIVED);
}

void weft__ws_conn_fail(struct weft_ws_conn *conn, unsigned code, const char *text)
{
    /* RFC 6455 §7.1.7: once the connection is established, a close frame with the reason SHOULD be
     * sent first; a second one never is. */
    if (conn->state == WEFT_WS_STATE_OPEN) {
        queue_close(conn, code);
        conn->close_text = text;
        conn->close_text_len = (uint8_t)strlen(text);
        WEFT_ASSERT(strlen(text) <= WEFT_WS_REASON_MAX);
    }
    conn->failed = true;
    set_state(conn, WEFT_WS_STATE_CLOSED);
}

/* Whether a frame with |opcode| may go out now. */
static int check_out(const struct weft_ws_conn *conn, enum weft_ws_opcode opcode)
{
    /* RFC 6455 §5.5.1: no data frames after a close frame. */
    if (conn->state != WEFT_WS_STATE_OPEN)
        return WEFT_ERR_STATE;
    /* RFC 6455 §5.4: first frame, continuations, and no other message between them. */
    if (opcode > WEFT_WS_OPCODE_BINARY ||
        (opcode == WEFT_WS_OPCODE_CONTINUATION) != conn->out_message)
        return WEFT_ERR_USAGE;
    return 0;
}

int weft__ws_conn_message_head(struct weft_ws_conn *conn, struct weft_bytes *out,
                               enum weft_ws_opcode opcode, size_t len)
{
    WEFT_ASSERT(conn->role == WEFT_WS_ROLE_SERVER);
    int err = check_out(conn, opcode);
    if (err)
        return err;
    struct weft_ws_head head = {.len = len, .opcode = (uint8_t)opcode, .fin = true};
    uint8_t bytes[WEFT_WS_HEAD_MAX];
    weft__bytes_append(out, bytes, weft__ws_head_encode(&head, bytes));
    return weft__bytes_error(out);
}

/* A fresh mask for a client's frame, or NULL for a server's. RFC 6455 §5.1, §5.3, §10.3: every
 * frame of a client is masked with a new key that nobody can predict. */
const uint8_t *weft__ws_conn_mask(const struct weft_ws_conn *conn, uint8_t key[4])
{
    if (conn->role == WEFT_WS_ROLE_SERVER)
        return NULL;
    conn->options->random(conn->options->random_ctx, key, 4);
    return key;
}

int weft__ws_conn_frame(struct weft_ws_conn *conn, struct weft_bytes *out,
                        enum weft_ws_opcode opcode, bool fin, struct weft_slice payload)
{
    int err = check_out(conn, opcode);
    if (err)
        return err;
    uint8_t key[4];
    weft__ws_frame_append(out, opcode, fin, payload, weft__ws_conn_mask(conn, key));
    int rc = weft__bytes_error(out);
    if (rc == 0)
        conn->out_message = !fin;
    return rc;
}

int weft__ws_conn_ping(struct weft_ws_conn *conn, struct weft_bytes *out, struct weft_slice payload)
{
    if (conn->state != WEFT_WS_STATE_OPEN)
        return WEFT_ERR_STATE;
    if (payload.len > WEFT_WS_CONTROL_MAX)
        return WEFT_ERR_USAGE;
    uint8_t key[4];
    weft__ws_frame_append(out, WEFT_WS_OPCODE_PING, true, payload, weft__ws_conn_mask(conn, key));
    return weft__bytes_error(out);
}

/* |reason| cut to what a close frame holds, not inside a character. */
static struct weft_slice cut_reason(struct weft_slice reason)
{
    if (reason.len <= WEFT_WS_REASON_MAX)
        return reason;
    size_t len = WEFT_WS_REASON_MAX;
    while (len > 0 && (reason.ptr[len] & 0xc0) == 0x80)
        len--;
    return weft__slice(reason.ptr, len);
}

int weft__ws_conn_close(struct weft_ws_conn *conn, unsigned code, struct weft_slice reason)
{
    if (code != WEFT_WS_CLOSE_NONE && !weft__ws_close_code_valid(code))
        return WEFT_ERR_USAGE;
    if ((code == WEFT_WS_CLOSE_NONE && reason.len) || !weft__utf8_valid(reason.ptr, reason.len))
        return WEFT_ERR_USAGE;
    if (conn->state != WEFT_WS_STATE_OPEN)
        return WEFT_ERR_STATE;
    reason = cut_reason(reason);
    if (reason.len) {
        char *text = weft__mem_alloc(conn->options->alloc, reason.len);
        if (!text)
            return WEFT_ERR_NOMEM;
        memcpy(text, reason.ptr, reason.len);
        conn->close_text = text;
        conn->close_text_len = (uint8_t)reason.len;
        conn->close_text_owned = true;
    }
    queue_close(conn, code);
    set_state(conn, WEFT_WS_STATE_CLOSE_SENT);
    return 0;
}

/* Appends every waiting pong to |out|, masked when this is a client. */
static void append_pongs(const struct weft_ws_conn *conn, struct weft_bytes *out)
{
    if (conn->role == WEFT_WS_ROLE_SERVER) {
        weft__bytes_append(out, conn->pong_out, conn->pong_len);
        return;
    }
    for (size_t at = 0; at < conn->pong_len;) {
        size_t len = conn->pong_out[at + 1];
        uint8_t key[4];
        weft__ws_frame_append(out, WEFT_WS_OPCODE_PONG, true,
                              weft__slice(conn->pong_out + at + 2, len),
                              weft__ws_conn_mask(conn, key));
        at += 2 + len;
    }
}

static void append_close(const struct weft_ws_conn *conn, struct weft_bytes *out)
{
    uint8_t payload[WEFT_WS_CONTROL_MAX];
    size_t len = 0;
    if (conn->close_code != WEFT_WS_CLOSE_NONE) {
        payload[0] = (uint8_t)(conn->close_code >> 8);
        payload[1] = (uint8_t)conn->close_code;
        weft__mem_copy(payload + 2, conn->close_text, conn->close_text_len);
        len = 2u + conn->close_text_len;
    }
    uint8_t key[4];
    weft__ws_frame_append(out, WEFT_WS_OPCODE_CLOSE, true, weft__slice(payload, len),
                          weft__ws_conn_mask(conn, key));
}

int weft__ws_conn_take_control(struct weft_ws_conn *conn, struct weft_bytes *out)
{
    /* Room for everything first, so that a failure leaves the frames waiting. */
    size_t most = conn->pong_len + 4u * conn->pong_count + WEFT_WS_HEAD_MAX + WEFT_WS_CONTROL_MAX;
    if (!weft__ws_conn_has_control(conn))
        return 0;
    if (!weft__bytes_reserve(out, most))
        return weft__bytes_error(out);
    append_pongs(conn, out);
    release_pongs(conn);
    if (conn->close_waits) {
        append_close(conn, out);
        release_close(conn);
        if (conn->state == WEFT_WS_STATE_CLOSE_RECEIVED)
            set_state(conn, WEFT_WS_STATE_CLOSED);
    }
    return weft__bytes_error(out);
}

bool weft__ws_conn_should_drop(const struct weft_ws_conn *conn)
{
    if (conn->state != WEFT_WS_STATE_CLOSED || weft__ws_conn_has_control(conn))
        return false;
    /* RFC 6455 §7.1.1: the server closes the TCP connection first, so that it and not the client
     * holds the TIME_WAIT. §7.1.7: who fails the connection closes it. */
    return conn->role == WEFT_WS_ROLE_SERVER || conn->failed;
}
