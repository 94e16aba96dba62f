/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One WebSocket connection after its opening handshake, either end, without I/O: received bytes go
 * in, events come out, and the control frames that RFC 6455 asks for are kept for the caller to
 * send. The loop around it is always
 *
 *     do {
 *         size_t used = weft__ws_conn_read(conn, data, len, &event);
 *         data += used;
 *         len -= used;
 *         … handle event …
 *     } while (event.type != WEFT_WS_EVENT_NONE);
 *     if (weft__ws_conn_has_control(conn))
 *         … weft__ws_conn_take_control(conn, &out), send out …
 *     if (weft__ws_conn_should_drop(conn))
 *         … close the TCP connection once everything is sent …
 *
 * The call that yields NONE has consumed everything and released the memory of the last message:
 * an idle connection owns no buffer. A message that lies whole in |data| is a slice of it, unmasked
 * in place; only one that came in pieces is gathered in memory of the connection.
 *
 * With permessage-deflate (RFC 7692), compressed messages are gathered as they are on the wire and
 * inflated when they are whole; then the message lies in the pool that all connections share, so
 * the event is to be handled before another connection is read.
 *
 * The closing handshake (RFC 6455 §7), state → event → state:
 *
 *     OPEN ── weft__ws_conn_close ──► CLOSE_SENT ── peer's close ──► CLOSED
 *     OPEN ── peer's close ──► CLOSE_RECEIVED ── the reply was taken ──► CLOSED
 *     OPEN, CLOSE_SENT ── the peer broke a rule (event ERROR) ──► CLOSED, failed
 *
 * In CLOSE_SENT messages still arrive and pings are still answered. After the peer's close, or a
 * failure, received bytes are dropped unread.
 *
 * **Thread:** one at a time.
 */
#ifndef WEFT_WS_CONN_H
#define WEFT_WS_CONN_H

#include "base/bytes.h"
#include "base/slice.h"
#include "base/utf8.h"
#include "codec/deflate.h"
#include "ws/extension.h"
#include "ws/frame.h"

#include <weft/alloc.h>
#include <weft/err.h>

enum weft_ws_role {
    WEFT_WS_ROLE_SERVER, /* frames come masked, go out plain */
    WEFT_WS_ROLE_CLIENT, /* frames come plain, go out masked */
};

enum weft_ws_state {
    WEFT_WS_STATE_OPEN,
    WEFT_WS_STATE_CLOSE_SENT,
    WEFT_WS_STATE_CLOSE_RECEIVED,
    WEFT_WS_STATE_CLOSED,
};

/* RFC 6455 §7.4.1 and the registry it set up. */
enum weft_ws_close_code {
    WEFT_WS_CLOSE_NORMAL = 1000,
    WEFT_WS_CLOSE_GOING_AWAY = 1001,
    WEFT_WS_CLOSE_PROTOCOL = 1002,
    WEFT_WS_CLOSE_UNSUPPORTED = 1003,
    WEFT_WS_CLOSE_NONE = 1005,     /* never on the wire: the close frame held no code */
    WEFT_WS_CLOSE_ABNORMAL = 1006, /* never on the wire: no close frame came */
    WEFT_WS_CLOSE_INVALID_DATA = 1007,
    WEFT_WS_CLOSE_POLICY = 1008,
    WEFT_WS_CLOSE_TOO_BIG = 1009,
    WEFT_WS_CLOSE_EXTENSION = 1010,
    WEFT_WS_CLOSE_INTERNAL = 1011,
    WEFT_WS_CLOSE_RESTART = 1012,
    WEFT_WS_CLOSE_TRY_LATER = 1013,
};

enum {
    WEFT_WS_MAX_MESSAGE_DEFAULT = 1024 * 1024,
    WEFT_WS_MAX_FRAGMENTS_DEFAULT = 131072,
    WEFT_WS_PONGS_MAX = 16,   /* pings answered one by one while the answers wait */
    WEFT_WS_REASON_MAX = 123, /* bytes of a close reason, RFC 6455 §5.5.1 */
};

/* What connections have in common; one object serves any number of them. */
struct weft_ws_options {
    const struct weft_alloc *alloc;
    /* |len| unpredictable bytes (RFC 6455 §10.3), for the masks of clients; may be NULL when there
     * are only servers. Called once a frame: a source that keeps a stock is worth it. */
    void (*random)(void *ctx, void *ret_bytes, size_t len);
    void *random_ctx;
    size_t max_message;     /* bytes of a message; larger ones end the connection with 1009 */
    uint32_t max_fragments; /* frames of a message, empty ones counted; more end it with 1009 */
    bool check_utf8;        /* refuse text that is not UTF-8 (1007); off only for benchmarks */
    struct weft_deflate_pool *deflate; /* NULL: no connection may compress */
    size_t deflate_min;                /* bytes: shorter messages are sent as they are */
};

enum weft_ws_event_type {
    WEFT_WS_EVENT_NONE,    /* everything consumed, nothing to report */
    WEFT_WS_EVENT_MESSAGE, /* opcode (text or binary), data */
    WEFT_WS_EVENT_PING,    /* data; the pong is already queued */
    WEFT_WS_EVENT_PONG,    /* data */
    WEFT_WS_EVENT_CLOSE,   /* code (1005 when none was sent), data is the reason; reply queued */
    WEFT_WS_EVENT_ERROR,   /* err, code; the close frame with code is queued */
};

/* **Lifetime:** |data| is valid until the next weft__ws_conn_read or weft__ws_conn_done, and while
 * the received bytes are; a message that was compressed also until another connection with the same
 * pool is read. */
struct weft_ws_event {
    enum weft_ws_event_type type;
    enum weft_ws_opcode opcode;
    uint16_t code;
    int err; /* WEFT_ERR_PROTOCOL, _UTF8, _TOO_BIG or _NOMEM; static text in |data| says more */
    struct weft_slice data;
};

/* Its members are the connection's own affair; see conn.c. */
struct weft_ws_conn {
    const struct weft_ws_options *options;
    uint8_t *message;                  /* what is gathered of the message, or was given out last */
    size_t message_len;                /* bytes in it */
    size_t message_cap;                /* bytes allocated */
    uint8_t *control_in;               /* gathers a control frame's payload that comes in pieces */
    uint8_t *pong_out;                 /* pongs that wait, frames without masks */
    const char *close_text;            /* reason of the close frame that waits */
    struct weft_ws_contexts *contexts; /* NULL until a message needs one */
    uint64_t frame_len;                /* payload bytes of the frame being read */
    uint64_t frame_at;                 /* how many of them were seen */
    uint32_t fragments;                /* frames of the message so far */
    uint16_t pong_len;                 /* bytes in |pong_out|, all it has */
    uint16_t close_code;               /* of the close frame that waits */
    uint8_t pong_count;
    uint8_t close_text_len;
    bool close_waits;
    bool close_text_owned;
    uint8_t mask[4];
    uint8_t head[WEFT_WS_HEAD_MAX]; /* a header that comes in pieces */
    uint8_t head_len;
    uint8_t state; /* enum weft_ws_state */
    uint8_t role;  /* enum weft_ws_role */
    uint8_t frame_opcode;
    uint8_t message_opcode; /* text or binary while a message is unfinished, else 0 */
    struct weft_utf8 utf8;
    bool frame_fin;
    bool in_frame;    /* the header is complete, the payload is not */
    bool out_message; /* a message being sent is unfinished */
    bool failed;
    bool compressed; /* the message being received is */
    struct weft_ws_deflate deflate;
};

/* Fills |ret_options| with |alloc| and the defaults above; text is checked. */
void weft__ws_options_init(struct weft_ws_options *ret_options, const struct weft_alloc *alloc);

/* An open connection. |options| must outlive it; a client needs options->random. */
void weft__ws_conn_init(struct weft_ws_conn *conn, enum weft_ws_role role,
                        const struct weft_ws_options *options);

/* Messages are compressed as |deflate| says; called before the first of them. */
void weft__ws_conn_set_deflate(struct weft_ws_conn *conn, const struct weft_ws_deflate *deflate);

/* Releases its memory. What still waits to be sent is lost. */
void weft__ws_conn_done(struct weft_ws_conn *conn);

/* Reads up to |len| bytes at |data|, which are changed in place (unmasked), and yields at most one
 * event. Returns the bytes consumed; fewer than |len| only together with an event. Never fails:
 * what the peer does wrong is an event of type ERROR. |len| may be 0. */
WEFT_MUST_USE size_t weft__ws_conn_read(struct weft_ws_conn *conn, uint8_t *data, size_t len,
                                        struct weft_ws_event *ret_event);

/* Appends one frame of a message to |out|, never compressed, masked when this is a client. |opcode|
 * is text or binary for a message's first frame, continuation for the others; |fin| marks its last.
 * **Errors:** WEFT_ERR_STATE when the connection is no longer open, WEFT_ERR_USAGE when |opcode|
 * does not continue what was sent before; those of |out|, which is then as it was. */
WEFT_MUST_USE int weft__ws_conn_frame(struct weft_ws_conn *conn, struct weft_bytes *out,
                                      enum weft_ws_opcode opcode, bool fin,
                                      struct weft_slice payload);

/* Bytes that |out| must be able to take for a message of |len| bytes: its frame, and what the
 * compressor needs while it works. */
static inline size_t weft__ws_conn_room(const struct weft_ws_conn *conn, size_t len)
{
    return len + WEFT_WS_HEAD_MAX + (conn->deflate.on ? (size_t)WEFT_DEFLATE_SLACK : 0);
}

/* weft__ws_conn_send when messages may be compressed. */
WEFT_MUST_USE int weft__ws_conn_send_deflated(struct weft_ws_conn *conn, struct weft_bytes *out,
                                              enum weft_ws_opcode opcode,
                                              struct weft_slice payload);

/* A whole message in one frame, compressed when that was agreed on, the message is not short, and
 * it gets smaller by that. As weft__ws_conn_frame. */
WEFT_MUST_USE static inline int weft__ws_conn_send(struct weft_ws_conn *conn,
                                                   struct weft_bytes *out,
                                                   enum weft_ws_opcode opcode,
                                                   struct weft_slice payload)
{
    if (conn->deflate.on && payload.len >= conn->options->deflate_min)
        return weft__ws_conn_send_deflated(conn, out, opcode, payload);
    return weft__ws_conn_frame(conn, out, opcode, true, payload);
}

/* Only the header of such a message of |len| bytes, for a server that sends the payload from where
 * it lies. As weft__ws_conn_frame. */
WEFT_MUST_USE int weft__ws_conn_message_head(struct weft_ws_conn *conn, struct weft_bytes *out,
                                             enum weft_ws_opcode opcode, size_t len);

/* Appends a ping with |payload|, at most WEFT_WS_CONTROL_MAX bytes, to |out|.
 * **Errors:** WEFT_ERR_USAGE, WEFT_ERR_STATE as for a frame; those of |out|. */
WEFT_MUST_USE int weft__ws_conn_ping(struct weft_ws_conn *conn, struct weft_bytes *out,
                                     struct weft_slice payload);

/* Begins the closing handshake: queues a close frame with |code| (WEFT_WS_CLOSE_NONE: without
 * one) and |reason|, valid UTF-8, cut to WEFT_WS_REASON_MAX bytes at a character. It goes out with
 * the next weft__ws_conn_take_control, so bytes that shall precede it are put into the output
 * first.
 * **Errors:** WEFT_ERR_USAGE for a code that may not be sent or a reason that is not UTF-8,
 * WEFT_ERR_STATE when the connection is no longer open, WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__ws_conn_close(struct weft_ws_conn *conn, unsigned code,
                                      struct weft_slice reason);

/* Whether control frames wait to be sent. */
static inline bool weft__ws_conn_has_control(const struct weft_ws_conn *conn)
{
    return conn->pong_count || conn->close_waits;
}

/* Appends the waiting control frames to |out|: pongs in the order of their pings, then the close
 * frame. They may go between any two frames, also inside a fragmented message; no data may follow a
 * close frame. At most WEFT_WS_PONGS_MAX pongs wait: a ping beyond them replaces them all
 * by its own pong (RFC 6455 §5.5.3), so what waits never exceeds 2 KiB.
 * **Errors:** those of |out|; the frames then still wait. */
WEFT_MUST_USE int weft__ws_conn_take_control(struct weft_ws_conn *conn, struct weft_bytes *out);

/* Whether this side now has to close the TCP connection, after what was taken is sent: a server
 * when the closing handshake is complete (RFC 6455 §7.1.1), either side when it failed the
 * connection. A client whose handshake is complete waits (a while) for the server to do it. */
bool weft__ws_conn_should_drop(const struct weft_ws_conn *conn);

/* Whether data frames may still be sent. */
static inline bool weft__ws_conn_is_open(const struct weft_ws_conn *conn)
{
    return conn->state == WEFT_WS_STATE_OPEN;
}

/* Whether a message, or a frame of any kind, was begun and is not complete. */
static inline bool weft__ws_conn_in_message(const struct weft_ws_conn *conn)
{
    return conn->message_opcode || conn->in_frame || conn->head_len;
}

/* Frames of the unfinished message; 0 when there is none. */
static inline uint32_t weft__ws_conn_fragments(const struct weft_ws_conn *conn)
{
    return conn->message_opcode ? conn->fragments : 0;
}

/* Bytes of memory that what was received of a message takes. */
static inline size_t weft__ws_conn_gathered(const struct weft_ws_conn *conn)
{
    return conn->message_cap;
}

/* Its place in the closing handshake. */
static inline enum weft_ws_state weft__ws_conn_state(const struct weft_ws_conn *conn)
{
    return (enum weft_ws_state)conn->state;
}

/* "open", "close_sent", "close_received", "closed". **Lifetime:** static. */
const char *weft__ws_state_name(enum weft_ws_state state);

/* Whether |code| may stand in a close frame (RFC 6455 §7.4): 1000–1003, 1007–1014, 3000–4999. */
bool weft__ws_close_code_valid(unsigned code);

/* The close code that tells a peer about |err|: 1002, 1007, 1009, 1003, 1008 or 1011. */
unsigned weft__ws_close_code_from_err(int err);

#endif
