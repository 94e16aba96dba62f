/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One WebSocket connection over TCP, either end: the HTTP head phase, the handshake, messages in
 * and out, liveness, and the end. A server also reads the bodies of requests and gives answers
 * whose end is not known yet. It joins io/tcp.h, codec/http1.h and the sans-I/O ws/conn.h; what
 * a message means is the owner's affair. A `struct weft_transport` lies in its owner's object,
 * which callbacks find again with WEFT_CONTAINER_OF; those of one loop share a `struct
 * weft_transport_set`.
 *
 *   server:  weft__transport_serve ─► HEAD ─► on_request ─┬ accept  ─► on_open ─► OPEN
 *                                      ▲                  ├ refuse  ─► FLUSHING
 *                                      ├─── keep alive ───┼ respond
 *                                      │                  ├ stream  ─► STREAMING ─► FLUSHING
 *                                      │                  └ receive ─► BODY ─► on_body ─┬ respond
 *                                      └─────────────────── keep alive ─────────────────┘ stream
 *   client:  weft__transport_dial ─► CONNECTING ─► HEAD ─► on_open ─► OPEN
 *
 *   OPEN ── peer's close, weft__transport_close, error, silence ─► FLUSHING
 *   FLUSHING ─► our end shut down: LINGERING ─► peer's end seen, or a while ─► CLOSED: on_closed
 *
 * Output is corked: what is sent during a tick is copied into one pooled buffer (small messages) or
 * referenced (shared frames) and leaves in one system call at the end of the tick. One send is in
 * flight; control frames and messages sent as control go out before data that was not begun: behind
 * the one send in flight (64 KiB), the message of which a part is out, and at most a chunk (16 KiB)
 * that it shares.
 *
 * Rules:
 * - No callback is called from inside a call of this header; they come from the loop's tick.
 * - Every function may be called in every callback and state; what does not fit the state is
 * refused with WEFT_ERR_STATE or has no effect, as said there.
 * - on_open is followed by exactly one on_end, and that by no more messages. on_closed comes last,
 *   exactly once, also when there was no on_open; only then may the memory be freed.
 *
 * **Thread:** the loop's.
 */
#ifndef WEFT_TRANSPORT_TRANSPORT_H
#define WEFT_TRANSPORT_TRANSPORT_H

#include "base/buf.h"
#include "codec/deflate.h"
#include "codec/http1_body.h"
#include "codec/proxy.h"
#include "io/tcp.h"
#include "io/tls.h"
#include "port/crypto.h"
#include "port/log.h"
#include "transport/outq.h"
#include "ws/conn.h"
#include "ws/handshake.h"

enum {
    WEFT_TRANSPORT_HANDSHAKE_MS = 5000, /* defaults of the options below */
    WEFT_TRANSPORT_PING_MS = 25000,
    WEFT_TRANSPORT_PINGS_MISSED = 2,
    WEFT_TRANSPORT_MESSAGE_MS = 60000,
    WEFT_TRANSPORT_MAX_CONTROL = 100,
    WEFT_TRANSPORT_CLOSE_MS = 5000,
    WEFT_TRANSPORT_STALL_MS = 30000,
    WEFT_TRANSPORT_PAUSE_BYTES = 1024 * 1024,
    WEFT_TRANSPORT_DEFLATE_MIN = 256,
};

/* Compression by permessage-deflate (RFC 7692). */
enum weft_transport_deflate {
    WEFT_TRANSPORT_DEFLATE_OFF,      /* neither offered nor accepted */
    WEFT_TRANSPORT_DEFLATE_SHARED,   /* every message stands alone: no memory for a connection */
    WEFT_TRANSPORT_DEFLATE_TAKEOVER, /* messages may refer to earlier ones if the peer agrees: up to
                                        4 KiB for those sent, 32 KiB for those received */
};

struct weft_transport;

/* The limits that a peer can run into; X(identifier). What each means stands at the option. */
#define WEFT_TRANSPORT_LIMIT_TABLE(X)                                                              \
    X(HANDSHAKE) /* handshake_ms */                                                                \
    X(HEAD)      /* WEFT_HTTP1_HEAD_MAX and its like */                                            \
    X(MESSAGE)   /* max_message */                                                                 \
    X(FRAGMENTS) /* max_fragments */                                                               \
    X(CONTROL)   /* max_control */                                                                 \
    X(SLOW)      /* message_ms */                                                                  \
    X(SILENCE)   /* pings_missed */                                                                \
    X(STALL)     /* stall_ms */                                                                    \
    X(UNSENT)    /* drop_bytes */

enum weft_transport_limit {
#define WEFT_TRANSPORT_LIMIT_ENUM(id) WEFT_TRANSPORT_LIMIT_##id,
    WEFT_TRANSPORT_LIMIT_TABLE(WEFT_TRANSPORT_LIMIT_ENUM)
#undef WEFT_TRANSPORT_LIMIT_ENUM
        WEFT_TRANSPORT_LIMIT_COUNT
};

/* UINT64_MAX, SIZE_MAX and UINT32_MAX stand for no limit. */
struct weft_transport_options {
    const struct weft_alloc *alloc; /* NULL: the loop's */
    const struct weft_crypto *crypto;
    size_t max_message;     /* bytes, 0: WEFT_WS_MAX_MESSAGE_DEFAULT */
    uint32_t max_fragments; /* 0: WEFT_WS_MAX_FRAGMENTS_DEFAULT */
    /* Pings and pongs that a peer may send, a second and at once; more are closed with 1008.
     * 0: default. */
    uint32_t max_control;
    /* From accept to a complete request head, and from one answered request to the next: not from
     * byte to byte, so that dribbling a head gains nothing. A client: from the sent request to the
     * answer. 0: default. */
    uint64_t handshake_ms;
    /* From a message's first byte to its last, without the time during which we did not read;
     * longer ones are closed with 1008. 0: default. */
    uint64_t message_ms;
    /* A peer silent for this long, for each connection up to a tenth less or more, is pinged; one
     * that leaves |pings_missed| pings in a row without any sign of life is lost. 0: default;
     * UINT64_MAX: never. */
    uint64_t ping_ms;
    uint32_t pings_missed;
    /* From our close frame, or from the end of our output, to the peer's end. 0: default. */
    uint64_t close_ms;
    /* A server stops reading while more than |pause_bytes| wait to be sent. A peer that takes
     * nothing of what waits for |stall_ms| is given up, however little waits. A client always
     * reads. 0: defaults. */
    size_t pause_bytes;
    uint64_t stall_ms;
    /* Unsent bytes at which a connection is given up: a backstop, since owners look at
     * weft__transport_unsent. 0: pause_bytes + 4 × max_message. */
    size_t drop_bytes;
    /* Every connection that is served begins with a header of the PROXY protocol, before TLS. */
    bool proxied;
    /* Encrypt every connection that is served or dialled (NULL: none). Must outlive the set. */
    struct weft_tls_context *tls_serve;
    struct weft_tls_context *tls_dial;
    const struct weft_log *log; /* why handshakes fail, at level debug; may be NULL */
    enum weft_transport_deflate deflate;
    size_t deflate_min; /* bytes: shorter messages are sent as they are; 0: default */
    /* More headers of the answers that the transport gives by itself: to malformed heads. Must
     * outlive the set. */
    const struct weft_http1_header *refusal_headers;
    size_t refusal_header_count;
    /* A peer ran into |limit|: for counting and logging. Unlike the callbacks below it may come
     * from inside a call of this header, so it may only look at |transport|. May be NULL. */
    void (*on_limit)(void *ctx, struct weft_transport *transport, enum weft_transport_limit limit);
    void *on_limit_ctx;
};

struct weft_transport_stats {
    uint64_t messages_in;
    uint64_t messages_out;
    uint64_t requests;         /* HTTP requests, upgrades among them */
    uint64_t upgrades;         /* WebSockets opened, either role */
    uint64_t deflate_upgrades; /* of these, with permessage-deflate */
    uint64_t protocol_errors;  /* connections failed because the peer broke a rule */
    uint64_t proxy_errors;     /* of these, without a proper PROXY header */
    uint64_t lost;             /* connections lost to silence */
    uint64_t stalls;           /* connections given up because the peer did not read */
    uint64_t tls_handshakes;   /* completed */
    uint64_t tls_resumed;      /* of these, those that went on with an earlier session */
    uint64_t tls_failures;     /* handshakes that failed */
    uint64_t evicted;          /* connections given up to make room: weft__transport_set_evict */
    uint64_t shed;             /* and to free memory: weft__transport_set_shed */
    uint64_t limits[WEFT_TRANSPORT_LIMIT_COUNT]; /* times that peers ran into each */
    size_t count;                                /* transports that have not seen on_closed */
    size_t open;                                 /* of these, open WebSockets */
};

/* What the transports of one loop share. The fields are private but |stats|. */
struct weft_transport_set {
    struct weft_loop *loop;
    struct weft_transport_options options;
    struct weft_ws_options ws;
    struct weft_transport_stats stats;
    struct weft_loop_hook hook;
    struct weft_list all;
    struct weft_list young; /* instead: servers' that are not WebSockets yet, oldest first */
    struct weft_list dirty; /* have output that was not submitted */
    struct weft_outq_pool pool;
    struct weft_deflate_pool deflate;         /* its |stats| may be read */
    struct weft_http1_head head;              /* the request or answer being looked at */
    struct weft_transport_secure_set *secure; /* NULL until the first encrypted connection */
    uint8_t random[256];                      /* a stock of random bytes for masks */
    size_t random_left;
};

struct weft_transport_callbacks {
    /* The PROXY header was read (options.proxied): whose connection it is. The owner may abort it
     * in here. May be NULL. */
    void (*on_proxied)(struct weft_transport *transport, const struct weft_proxy_header *header);
    /*
     * Server: a request is complete. |head| is valid during the call. The owner answers with
     * weft__transport_accept, _refuse, _respond or _stream, now or later; until then no other
     * request is looked at. A body is read only when weft__transport_receive asks for it; without,
     * the connection ends after the answer to a request that has one.
     */
    void (*on_request)(struct weft_transport *transport, const struct weft_http1_head *head);
    /*
     * Server, after weft__transport_receive: the body is complete, |status| 0, or it is none that
     * could be read: 400 (malformed), 408 (too slow), 413 (too large); the connection ends after
     * the answer then. |body| is valid during the call. The request waits for its answer as in
     * on_request.
     */
    void (*on_body)(struct weft_transport *transport, struct weft_slice body, int status);
    /* The WebSocket is open: messages may be sent. May be NULL. */
    void (*on_open)(struct weft_transport *transport);
    /* A whole message. |opcode| is text (valid UTF-8) or binary. |data| is valid during the call.
     */
    void (*on_message)(struct weft_transport *transport, enum weft_ws_opcode opcode,
                       struct weft_slice data);
    /* No message comes any more and none can be sent. |code| is the peer's close code (1005: none
     * given), 1006 when there was no closing handshake, or the one sent to it because it broke a
     * rule; |reason| is valid during the call. May be NULL. */
    void (*on_end)(struct weft_transport *transport, unsigned code, struct weft_slice reason);
    /* Everything is over; transport->err says how. The memory may be freed. */
    void (*on_closed)(struct weft_transport *transport);
    /* Unsent bytes had exceeded |pause_bytes| and fell below half of it. While STREAMING: nothing
     * is unsent any more. May be NULL. */
    void (*on_drain)(struct weft_transport *transport);
};

enum weft_transport_state {
    WEFT_TRANSPORT_CONNECTING, /* client: TCP */
    WEFT_TRANSPORT_HEAD,       /* reading a request's or answer's head */
    WEFT_TRANSPORT_BODY,       /* server: reading the body of a request */
    WEFT_TRANSPORT_ANSWERING,  /* server: between on_request or on_body and the answer */
    WEFT_TRANSPORT_STREAMING,  /* server: the answer is sent piece by piece, input is dropped */
    WEFT_TRANSPORT_OPEN,       /* WebSocket, the closing handshake included */
    WEFT_TRANSPORT_FLUSHING,   /* nothing is read any more, output is still sent */
    WEFT_TRANSPORT_LINGERING,  /* our end is shut down, the peer's is awaited */
    WEFT_TRANSPORT_CLOSED,
};

/* What only a client needs, while it connects. */
struct weft_transport_dial {
    struct weft_tcp_connector connector;
    struct weft_ws_request request;
    char key[WEFT_WS_KEY_LEN + 1];
    /* For the owner, in on_closed with WEFT_ERR_TLS: what was wrong, for people; "" otherwise. */
    char failure[WEFT_TLS_FAILURE_SIZE];
};

/* Private but for the commented block at the end, which owners may read. */
struct weft_transport {
    struct weft_tcp tcp;
    struct weft_transport_set *set;
    const struct weft_transport_callbacks *callbacks;
    struct weft_list node;  /* in set->all or set->young */
    struct weft_list dirty; /* in set->dirty, or alone */
    struct weft_timer timer;
    struct weft_outq out;
    struct weft_transport_secure *secure; /* TLS, or NULL */
    struct weft_buf *early; /* server: what came behind a request that waits for its answer */
    union {
        struct weft_ws_conn ws; /* when |is_ws| */
        struct {
            struct weft_bytes in; /* a head or body that comes in pieces */
            size_t scanned;
            struct weft_http1_body body;
            struct weft_transport_dial *dial;
        } http;
    };
    uint64_t heard_ns;   /* when something last came */
    uint64_t since_ns;   /* when the head or message being read began; 0: no message */
    uint64_t sent_ns;    /* when the send in flight began */
    uint64_t control_ns; /* until when the control frames received use up their rate */
    uint8_t pings;       /* sent since then */
    uint8_t role;        /* enum weft_ws_role */
    bool proxy;          /* a PROXY header has to come first */
    bool is_ws;          /* |ws| is alive */
    bool paused;         /* reading stopped because of unsent bytes */
    bool pressed;        /* on_drain is owed */
    bool in_ended;       /* the peer's end of the stream was seen */
    bool end_told;       /* on_end was called */
    bool opened;         /* on_open was called or is due */
    bool answer_unsent;  /* of HTTP, on its way */
    bool close_timed;    /* the time for the closing handshake runs */
    bool reading;        /* inside the processing of received bytes */
    /* For the owner to read. */
    uint8_t state;       /* enum weft_transport_state */
    bool keep_alive;     /* on_request: the connection can serve another request afterwards */
    uint16_t close_code; /* what on_end said */
    int status;          /* client: the HTTP status of the answer, 0 before it */
    int err;             /* on_closed: 0 after a proper end, else an enum weft_err */
    struct weft_slice protocol; /* client, on_open: the subprotocol of the request chosen */
};

/* Prepares |set| on |loop| and adds its hook. **Lifetime:** |set| and what |options| points to must
 * outlive its transports; |options| itself is copied. */
void weft__transport_set_init(struct weft_transport_set *set, struct weft_loop *loop,
                              const struct weft_transport_options *options);

/* Every transport must have seen on_closed. */
void weft__transport_set_done(struct weft_transport_set *set);

/* weft__transport_close for every transport; those not open are dropped. For shutdown: afterwards
 * wait until set->stats.count is 0. */
void weft__transport_set_close(struct weft_transport_set *set, unsigned code, const char *reason);

/* weft__transport_abort for every transport: for the end of a shutdown's patience. */
void weft__transport_set_abort(struct weft_transport_set *set, int err);

/* Makes room for other connections: aborts up to |max| of those that for |age_ms| or longer have
 * not completed a request, oldest first. Returns how many. */
size_t weft__transport_set_evict(struct weft_transport_set *set, size_t max, uint64_t age_ms);

/* Makes room in memory: aborts those connections that hold the most, in unsent output and gathered
 * input, and have not moved for |still_ms|, until they held |bytes|; those that hold little are
 * left alone. Returns the bytes they held, which are free a few ticks later. */
size_t weft__transport_set_shed(struct weft_transport_set *set, size_t bytes, uint64_t still_ms);

/* Gives back unused memory that was kept for the next burst, all but |keep| bytes. */
void weft__transport_set_trim(struct weft_transport_set *set, size_t keep);

/* Takes over the accepted socket |fd| as a server. **Errors:** as weft__tcp_open, WEFT_ERR_NOMEM;
 * |fd| stays the caller's then and no callback comes. */
WEFT_MUST_USE int weft__transport_serve(struct weft_transport *transport,
                                        struct weft_transport_set *set, int fd,
                                        const struct weft_transport_callbacks *callbacks);

/*
 * Connects to |address| as a client and asks for |request|. |dial| is the caller's and needs no
 * preparation; it and what |request| points to must stay until on_open or on_closed. A refusal is
 * an on_closed with err: WEFT_ERR_HANDSHAKE (see status), WEFT_ERR_TIMEOUT, WEFT_ERR_UNAVAILABLE,
 * WEFT_ERR_TLS (see dial->failure), ….
 * **Errors:** as weft__tcp_connect, WEFT_ERR_NOMEM; no callback comes then.
 */
WEFT_MUST_USE int weft__transport_dial(struct weft_transport *transport,
                                       struct weft_transport_set *set,
                                       const struct weft_address *address,
                                       const struct weft_ws_request *request,
                                       struct weft_transport_dial *dial,
                                       const struct weft_transport_callbacks *callbacks);

/*
 * Answers a request with 101 and |count| more headers |extra|; on_open follows. |upgrade| comes
 * from weft__ws_upgrade_check. **Errors:** WEFT_ERR_STATE when no request waits, those of
 * weft__ws_upgrade_accept; the request then still waits for its answer.
 */
WEFT_MUST_USE int weft__transport_accept(struct weft_transport *transport,
                                         const struct weft_ws_upgrade *upgrade,
                                         const struct weft_http1_header *extra, size_t count);

/* Answers a request with an error |status|, |text| (NULL: the status' own phrase) as its body and
 * |count| more headers, and ends the connection. **Errors:** as weft__transport_accept. */
WEFT_MUST_USE int weft__transport_refuse(struct weft_transport *transport, int status,
                                         const char *text, const struct weft_http1_header *extra,
                                         size_t count);

/*
 * Answers a request with the complete response head |head| and |body|. |owner| keeps |body| alive
 * and gets one more reference for as long; NULL: it is static. The connection ends afterwards when
 * |close| says so or transport->keep_alive was false, which the head must say too.
 * **Errors:** WEFT_ERR_STATE when no request waits, WEFT_ERR_NOMEM (the connection ends).
 */
WEFT_MUST_USE int weft__transport_respond(struct weft_transport *transport, struct weft_slice head,
                                          struct weft_slice body, struct weft_buf *owner,
                                          bool close);

/*
 * In on_request alone: reads the request's body, of at most |limit| bytes, within message_ms;
 * on_body follows. A client that waits for it is told to go on (RFC 9110 §10.1.1).
 * **Errors:** WEFT_ERR_TOO_BIG (the head announces more), WEFT_ERR_STATE (no request waits),
 * WEFT_ERR_NOMEM; the request then still waits for its answer, without its body.
 */
WEFT_MUST_USE int weft__transport_receive(struct weft_transport *transport, size_t limit);

/*
 * Begins an answer that has no end yet with the complete response head |head|, which says that the
 * connection closes behind it. Until the end input is dropped; when the peer ends its side, the
 * connection is over. **Errors:** as weft__transport_respond.
 */
WEFT_MUST_USE int weft__transport_stream(struct weft_transport *transport, struct weft_slice head);

/* Sends more of such an answer; |data| is copied. **Errors:** WEFT_ERR_STATE when the connection is
 * not STREAMING, WEFT_ERR_NOMEM and WEFT_ERR_LIMIT (drop_bytes), which end it. */
WEFT_MUST_USE int weft__transport_stream_send(struct weft_transport *transport,
                                              struct weft_slice data);

/* Ends such an answer: what was sent goes out, then the connection ends. Without effect in any
 * other state. */
void weft__transport_stream_end(struct weft_transport *transport);

/*
 * Sends a message, text or binary; |data| is copied. **Errors:** WEFT_ERR_STATE when the WebSocket
 * is not open any more (the message is dropped), WEFT_ERR_NOMEM and WEFT_ERR_LIMIT (drop_bytes),
 * which end the connection.
 */
WEFT_MUST_USE int weft__transport_send(struct weft_transport *transport, enum weft_ws_opcode opcode,
                                       struct weft_slice data);

/*
 * The same in the lane of control: the message goes out before data messages that were not begun,
 * and behind control that was sent before it. It is never compressed. For short messages alone,
 * since nothing passes them. **Errors:** as weft__transport_send.
 */
WEFT_MUST_USE int weft__transport_send_control(struct weft_transport *transport,
                                               enum weft_ws_opcode opcode, struct weft_slice data);

/*
 * Sends |frame|, one or more complete frames without masks that are shared between receivers, by
 * reference: takes one more reference to it until it is sent. Servers only.
 * **Errors:** as weft__transport_send.
 */
WEFT_MUST_USE int weft__transport_send_frame(struct weft_transport *transport,
                                             struct weft_buf *frame);

/* The same for |frames|, the frames of |count| messages that lie in |owner|. */
WEFT_MUST_USE int weft__transport_send_frames(struct weft_transport *transport,
                                              struct weft_slice frames, struct weft_buf *owner,
                                              size_t count);

/* The address a PROXY header names as the source. **Errors:** WEFT_ERR_NOT_FOUND: none. */
WEFT_MUST_USE int weft__transport_proxy_source(const struct weft_proxy_header *header,
                                               struct weft_address *ret_address);

/* Asks for an on_drain as soon as few enough bytes are unsent, also when there were never more than
 * |pause_bytes|. Without effect on a closed one. */
void weft__transport_want_drain(struct weft_transport *transport);

/* Bytes sent by the owner that the kernel did not take yet. */
size_t weft__transport_unsent(const struct weft_transport *transport);

/*
 * Begins the closing handshake, or ends what is not a WebSocket yet at once. What was sent before
 * goes out first; messages still come in until on_end. |code| as in weft__ws_conn_close; a reason
 * that does not fit is cut. Without effect when it was called before.
 */
void weft__transport_close(struct weft_transport *transport, unsigned code,
                           struct weft_slice reason);

/* Drops the connection: no closing handshake, unsent output is lost, the peer gets a reset. |err|
 * is what on_closed finds. Without effect on a closed one. */
void weft__transport_abort(struct weft_transport *transport, int err);

#endif
