/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `weft bench`: what its parts share.
 *
 *   cmd_bench.c         the command line
 *   bench_run.c         the run: threads, phases, the server's process, progress
 *   bench_worker.c      one thread: its loop, its connections, what is due
 *   bench_conn.c        one connection: connecting, handshake, bytes in and out, the end
 *   bench_stream.c      TLS below it
 *   bench_handshake.c   the request and the answer to it, with its extension
 *   bench_frames.c      counting the frames that come
 *   bench_images.c      the frames that are sent, made once
 *   bench_payload.c     the content of messages
 *   bench_scenarios.c   what each scenario does with a connection
 *   bench_calls.c       the same for calls and streams: greeting, answers, items, credit
 *   bench_wire_*.c      what calls look like on each wire
 *   bench_process.c     the server's CPU time and memory
 *   bench_report.c      the table and the JSON
 *
 * It is a client of its own on io/tcp.h and not one on src/transport: a generator has to be cheaper
 * than the server it measures. Frames are masked and encoded once, before the run, and sent by
 * reference, all that a connection may send at once in one write; what comes back is counted by its
 * headers, and looked into only with --check or where the protocol needs it.
 *
 * RFC 6455 §5.3 wants masks that nobody can predict, against pages that would use a browser to put
 * bytes of their choice before a proxy's cache. Here the payload is the program's own, so one mask
 * made at the start serves all frames; it is not zero, so that the server has the full work of
 * unmasking.
 */
#ifndef WEFT_BIN_BENCH_H
#define WEFT_BIN_BENCH_H

#include "base/histogram.h"
#include "bench_frames.h"
#include "bench_wire.h"
#include "codec/deflate.h"
#include "io/tcp.h"
#include "io/tls.h"
#include "io/url.h"
#include "ws/handshake.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

enum {
    BENCH_SOURCES_MAX = 64,
    BENCH_HEADERS_MAX = 16,
    BENCH_IOV_MAX = 8,
    BENCH_CONTROL_ROOM = 140,     /* a masked control frame */
    BENCH_CONNECT_MS = 10000,     /* to connect and for the handshake together */
    BENCH_CLOSE_MS = 2000,        /* for the closing handshakes at the end */
    BENCH_DRAIN_MS = 2000,        /* for answers that are due when the time is over */
    BENCH_CONNECTING_MAX = 64,    /* handshakes under way at a time, for each worker */
    BENCH_WINDOW_BYTES = 4 << 20, /* --stream: bytes of items that may be under way */
};

enum bench_scenario_id { BENCH_ECHO, BENCH_RPC, BENCH_BROADCAST, BENCH_IDLE, BENCH_STORM };

/* What can go wrong with a connection or a message; each is counted. X(NAME, "json_name") */
#define BENCH_ERROR_TABLE(X)                                                                       \
    X(CONNECT, "connect")       /* refused, unreachable, timed out */                              \
    X(HANDSHAKE, "handshake")   /* TLS or WebSocket */                                             \
    X(CLOSED, "closed")         /* the server ended an open connection */                          \
    X(PROTOCOL, "protocol")     /* frames that make no sense */                                    \
    X(CONTENT, "content")       /* --check: not what was sent */                                   \
    X(ANSWER, "answer")         /* rpc: an error answer */                                         \
    X(CREDIT, "credit")         /* --stream: an item beyond the credit given */                    \
    X(UNANSWERED, "unanswered") /* --rate: due, but not answered when the run ended */

enum bench_error {
#define BENCH_ERROR_ENUM(name, text) BENCH_ERROR_##name,
    BENCH_ERROR_TABLE(BENCH_ERROR_ENUM)
#undef BENCH_ERROR_ENUM
        BENCH_ERROR_COUNT
};

struct bench_options {
    enum bench_scenario_id scenario;
    const char *scenario_name;
    const char *url_text;
    struct weft_url url;
    struct weft_address address; /* of the URL's host */
    struct weft_address sources[BENCH_SOURCES_MAX];
    size_t source_count;
    struct weft_ws_request request;
    struct weft_http1_header headers[BENCH_HEADERS_MAX];
    struct weft_slice protocol;
    uint32_t connections; /* storm: --concurrency */
    uint32_t depth;       /* messages in flight on a connection; storm: 1 */
    uint32_t workers;
    uint32_t senders;   /* broadcast */
    uint32_t in_flight; /* broadcast */
    size_t size;
    bool text;
    bool deflate;
    bool check;
    bool json;
    bool quiet;
    bool insecure;
    bool raw;    /* tcp://: no handshake; as many bytes come back as a frame has */
    bool rpc;    /* messages are calls: rpc, or storm with --method */
    bool stream; /* rpc: calls whose items are counted */
    bool greets; /* rpc: connections are open when the greeting is answered */
    const struct bench_wire *wire;
    uint32_t window; /* --stream: items that may be under way */
    const char *ca;
    const char *method;
    const char *params; /* NULL: made of |size| bytes */
    double rate;        /* messages or handshakes a second; 0: closed loop */
    uint64_t duration_ns;
    uint64_t warmup_ns;
    enum weft_loop_backend backend;
    pid_t server_pid; /* 0: not looked at */
};

/* ---- Frames to be sent (bench_images.c), and their content (bench_payload.c) ---- */

/* Appends the content of the message for slot |slot| of connection |index|; rpc: |slot| is the
 * number of the call, slot + turn × depth, and the connection does not matter.
 * **Errors:** sticky in |out|. */
void bench_payload_append(struct weft_bytes *out, const struct bench_options *options,
                          uint32_t index, uint32_t slot);

/* Appends the parameters of the calls of slot |slot|. **Errors:** sticky in |out|. */
void bench_payload_append_params(struct weft_bytes *out, const struct bench_options *options,
                                 uint32_t slot);

/*
 * The frames for the slots of a connection, masked, one behind the other. Shared by all
 * connections, but with --check each has its own, so that an answer that went to the wrong one is
 * noticed.
 */
struct bench_images {
    struct weft_bytes frames;
    struct weft_bytes plain; /* with --check: the payloads, or parameters, to compare with */
    size_t *offsets;         /* of the frames, |count| × |turns| + 1 of them */
    size_t payload_len;      /* of each, uncompressed */
    size_t plain_len;        /* of each in |plain| */
    uint32_t count;
    uint32_t turns; /* rpc: each slot has a frame for each turn */
    bool alike;     /* every slot has the same frame */
};

/* The mask of all frames; not zero. */
extern const uint8_t bench_mask[4];

/* Whether each connection has its own. */
bool bench_images_own(const struct bench_options *options);

/* Makes them for connection |index|; |pool| compresses. **Errors:** WEFT_ERR_NOMEM. */
WEFT_MUST_USE int bench_images_init(struct bench_images *images,
                                    const struct bench_options *options,
                                    struct weft_deflate_pool *pool, uint32_t index);
void bench_images_done(struct bench_images *images);

/* Whether |data| is what slot |slot| sends; rpc: what the call has as parameters. */
bool bench_images_match(const struct bench_images *images, uint32_t slot, struct weft_slice data);

/* Appends a masked frame around |payload|. **Errors:** sticky in |out|. */
void bench_frame_append(struct weft_bytes *out, bool text, struct weft_slice payload);

/* ---- One thread ---- */

/* Counters of what happened within the time of measuring. */
struct bench_stats {
    uint64_t messages;
    uint64_t streams; /* --stream: that ended; their items are the messages */
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint64_t errors[BENCH_ERROR_COUNT]; /* at any time */
    struct weft_histogram latency;      /* ns */
};

struct bench_worker;
struct bench_conn;

/* What a scenario does. All are called on the worker's thread. */
struct bench_scenario {
    bool connects; /* the connections are opened before the run begins */
    /* The run begins; may be NULL. */
    void (*begin)(struct bench_worker *worker);
    /* |conn| is open, the run may not have begun; may be NULL. */
    void (*opened)(struct bench_conn *conn);
    /* |count| messages came whole at worker->now_ns. */
    void (*arrived)(struct bench_conn *conn, uint32_t count);
    /* Looks into each message before; NULL: not needed without --check. */
    void (*message)(struct bench_conn *conn, unsigned opcode, struct weft_slice data);
    /* |conn| is gone. May be NULL. */
    void (*closed)(struct bench_conn *conn);
    /* --rate: starts message |number| of this worker, due at |due_ns|. False when it cannot yet:
     * it is asked again. */
    bool (*due)(struct bench_worker *worker, uint64_t number, uint64_t due_ns);
    /* Whether something that was due waits for its answer. */
    bool (*busy)(const struct bench_worker *worker);
    /* A connection that failed may be tried again. May be NULL. */
    void (*retry)(struct bench_conn *conn);
    /* Counts what is still waiting when no more time is given. May be NULL. */
    void (*abandon)(struct bench_worker *worker);
};

extern const struct bench_scenario bench_scenarios[];

enum bench_phase {
    BENCH_PHASE_CONNECT, /* connections are opened */
    BENCH_PHASE_RUN,
    BENCH_PHASE_DRAIN, /* nothing new is due */
    BENCH_PHASE_CLOSE,
};

struct bench_run;

struct bench_worker {
    struct bench_run *run;
    const struct bench_options *options;
    const struct bench_scenario *scenario;
    struct weft_loop *loop;
    struct weft_loop_hook hook;
    struct weft_timer timer; /* wakes for what is due; ends draining and closing */
    struct weft_task begin_task;
    struct weft_task finish_task;
    pthread_t thread;
    enum bench_phase phase;
    uint64_t now_ns;   /* when the bytes at hand were received */
    uint64_t begin_ns; /* as in the run, from BENCH_PHASE_RUN on; never before */
    uint64_t measure_ns;
    uint64_t end_ns;
    uint32_t index;
    uint32_t first; /* of its connections among all */
    uint32_t count;
    uint32_t next;       /* to be connected */
    uint32_t connecting; /* under way */
    uint32_t open;
    uint32_t alive; /* have a socket */
    bool ready;     /* connecting is over */
    bool looks;     /* messages are looked into */
    struct bench_conn *conns;
    struct bench_images images; /* of all connections, without --check */
    struct weft_tls_io tls_io;
    uint8_t *plain; /* TLS: room for what a receive can bring */
    struct weft_deflate_pool deflate;
    struct weft_http1_head head;
    /* --rate */
    double interval_ns;
    uint64_t due_next;     /* number of the next message */
    uint64_t sent;         /* broadcast: messages, of which … */
    uint64_t completed;    /* … so many came to everybody */
    uint32_t released;     /* broadcast: complete, and to be followed by another */
    struct weft_list idle; /* storm: with a rate, connections that can be begun */
    struct bench_stats stats;
    char first_error[160];
    /* For the main thread to read at any time. */
    _Atomic uint64_t live_messages;
    _Atomic uint64_t live_errors;
    _Atomic uint32_t live_open;
};

/* One message to all, from its sending to the last copy. */
struct bench_broadcast {
    struct weft_task task; /* runs where the senders are when it is complete */
    struct bench_run *run;
    _Atomic uint64_t sent_ns; /* due, with --rate */
    _Atomic uint32_t copies;  /* still to come */
};

/* What the threads share; fields without a comment are set before they start. */
struct bench_run {
    const struct bench_options *options;
    struct bench_worker *workers;
    struct weft_tls_context *tls;
    struct bench_broadcast *broadcasts; /* options->in_flight of them */
    uint64_t begin_ns;                  /* set before begin_task is posted, as the next two */
    uint64_t measure_ns;                /* from here … */
    uint64_t end_ns;                    /* … until here is measured */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint32_t ready;         /* locked: workers whose connections are tried */
    uint32_t lost;          /* locked: workers without any connection left */
    bool broken;            /* locked: the scenario cannot go on */
    uint64_t server_cpu_ns; /* within the time of measuring */
    uint64_t client_cpu_ns;
    uint64_t memory_before; /* of the server, bytes; 0: unknown */
    uint64_t memory_after;
    uint64_t connect_ns; /* for opening all connections */
    uint32_t opened;     /* connections open when the run began */
    uint64_t measured_ns;
    const char *loop_name;
    struct bench_stats total;
    char first_error[160];
};

/* Prepares |broadcast|: nothing is under way. */
void bench_broadcast_init(struct bench_broadcast *broadcast, struct bench_run *run);

/* Prepares worker |index| of |run|. **Errors:** those of weft__loop_new, WEFT_ERR_NOMEM. */
WEFT_MUST_USE int bench_worker_init(struct bench_worker *worker, struct bench_run *run,
                                    uint32_t index);
void bench_worker_done(struct bench_worker *worker);

/* The body of its thread: connects, then does what the tasks say until it is finished. */
void *bench_worker_main(void *worker);

/* Counts an error; |text| about the first one is kept. */
void bench_worker_error(struct bench_worker *worker, enum bench_error error, const char *text);

/* Whether |ns| is within the time of measuring. */
static inline bool bench_measuring(const struct bench_worker *worker, uint64_t ns)
{
    return ns - worker->measure_ns < worker->end_ns - worker->measure_ns;
}

/* When message |number| of this worker is due. */
static inline uint64_t bench_due_ns(const struct bench_worker *worker, uint64_t number)
{
    return worker->begin_ns + (uint64_t)((double)number * worker->interval_ns);
}

/* Counts |times| messages that are answered now and count from |since_ns| on. Those within the time
 * of measuring are recorded: closed loop: that end in it; --rate: the latency of those due in it.
 * With --stream they are streams, whose items are counted as messages when they come. */
static inline void bench_worker_latency(struct bench_worker *worker, uint64_t since_ns,
                                        uint64_t times)
{
    bool now = bench_measuring(worker, worker->now_ns);
    bool then = worker->options->rate > 0 ? bench_measuring(worker, since_ns) : now;
    if (now)
        *(worker->options->stream ? &worker->stats.streams : &worker->stats.messages) += times;
    if (then)
        weft__histogram_record(&worker->stats.latency,
                               worker->now_ns > since_ns ? worker->now_ns - since_ns : 0, times);
}

/* The scenario cannot go on: the run ends. */
void bench_worker_break(struct bench_worker *worker);

/* Open connection |number| of this worker, counted round; NULL when none is. */
struct bench_conn *bench_worker_open_conn(struct bench_worker *worker, uint64_t number);

/* A connection is settled for the first time, open or not: connects the next. */
void bench_worker_settled(struct bench_worker *worker);

/* A connection is gone. */
void bench_worker_closed(struct bench_worker *worker, struct bench_conn *conn);

/* ---- The server's process (bench_process.c) ---- */

/* The CPU time that process |pid| has used in all its threads, ns. False when it is not there. */
bool bench_process_cpu(pid_t pid, uint64_t *ret_ns);

/* Its memory in bytes: its proportional share of what is in RAM (PSS), or where that may not be
 * read, all that is (RSS). False when it is not there. */
bool bench_process_memory(pid_t pid, uint64_t *ret_bytes);

/* ---- The run (bench_run.c) and what is said about it (bench_report.c) ---- */

/* Runs the scenario and prints the result. Returns the exit status. */
int bench_run(const struct bench_options *options);

/* Prints |run|, which is over, to standard output. */
void bench_report_table(const struct bench_run *run);
void bench_report_json(const struct bench_run *run);

/* All errors of |stats|. */
uint64_t bench_error_sum(const struct bench_stats *stats);

/* ---- One connection ---- */

enum bench_state {
    BENCH_CLOSED, /* no socket */
    BENCH_CONNECTING,
    BENCH_TLS,   /* the TLS handshake */
    BENCH_HEAD,  /* the request is out */
    BENCH_GREET, /* the greeting is */
    BENCH_OPEN,
    BENCH_CLOSING, /* our close frame is out or due; nothing else is sent */
    BENCH_ENDING,  /* waits for on_closed */
};

/* --stream: the call of a slot. */
struct bench_items {
    uint64_t items; /* that came */
    uint64_t bytes;
    uint64_t items_total; /* credit */
    uint64_t bytes_total;
    uint32_t next; /* behind it in conn->tight; UINT32_MAX: none */
    bool tight;    /* gets more when the bytes at hand are read */
};

struct bench_conn {
    struct weft_tcp tcp;
    struct bench_worker *worker;
    struct weft_timer timer; /* to connect; to close */
    struct weft_list node;   /* storm: in worker->idle */
    enum bench_state state;
    uint32_t index; /* among all connections */
    struct bench_frames frames;
    struct weft_deflate_history history; /* of what was inflated, where the server keeps it */
    bool takeover;                       /* the server does */
    struct weft_bytes in;                /* the answer's head, as far as it came */
    size_t scanned;
    const struct bench_images *images;
    struct bench_images own; /* with --check */
    /* Slots: a message in flight has one, which says when it was sent or due. */
    uint64_t *times;
    uint32_t *free;            /* rpc: ring of free slots; answers come in any order */
    uint8_t *turns;            /* rpc: of each slot, that of its next or present call */
    struct bench_items *items; /* --stream: of each slot */
    uint32_t put;              /* place of the next message in the ring of slots */
    uint32_t get; /* place of the oldest in flight; rpc: of the next slot that becomes free */
    uint64_t sent;
    uint64_t done;
    uint64_t due;          /* --rate: messages that are due, from the first on */
    uint64_t checked;      /* --check: messages looked at */
    size_t raw_bytes;      /* tcp://: that came of a message which is not complete */
    uint64_t start_ns;     /* storm: due or begun */
    uint32_t answered;     /* rpc: calls, within the bytes at hand */
    uint64_t came;         /* --stream: items, within the bytes at hand */
    uint32_t tight;        /* --stream: first slot whose stream needs credit, or UINT32_MAX */
    uint64_t window_items; /* --stream: what the server begins with, as it says */
    uint64_t window_bytes;
    uint32_t wanted; /* messages that may be sent now: slots are free for them */
    bool replied;    /* storm: the round trip is complete */
    bool pong_due;
    bool close_due;
    bool closed_by_peer;
    uint8_t ping_len;
    uint8_t ping[WEFT_WS_CONTROL_MAX]; /* to be answered */
    /* Output in flight. */
    struct iovec iov[BENCH_IOV_MAX];
    uint8_t control[BENCH_CONTROL_ROOM];
    struct weft_bytes request; /* the request's head, while it is in flight */
    struct weft_bytes notes;   /* rpc: frames that go before messages: greeting, credit, pong */
    struct weft_bytes noted;   /* in flight */
    /* What only connecting needs. */
    struct weft_tcp_connector connector;
    char key[WEFT_WS_KEY_LEN + 1];
    /* TLS */
    struct weft_tls tls;
    struct weft_bytes wire;    /* encrypted, to be sent */
    struct weft_bytes on_wire; /* in flight */
};

/* Prepares |conn|. **Errors:** WEFT_ERR_NOMEM. */
WEFT_MUST_USE int bench_conn_init(struct bench_conn *conn, struct bench_worker *worker,
                                  uint32_t index);
void bench_conn_done(struct bench_conn *conn);

/* Connects a closed one. Failures are counted and followed by `closed` like later ones. */
void bench_conn_start(struct bench_conn *conn);

/* Sends |count| more messages as soon as the socket is free; slots for them must be. With --rate
 * |due| says since when they are due in times. */
void bench_conn_want(struct bench_conn *conn, uint32_t count);

/* Sends what is due as soon as the socket is free. */
void bench_conn_flush(struct bench_conn *conn);

/* The greeting is answered: |conn| is open. */
void bench_conn_greeted(struct bench_conn *conn);

/* Begins the closing handshake of an open one; drops one that is not open yet. */
void bench_conn_close(struct bench_conn *conn);

/* Drops it at once. */
void bench_conn_abort(struct bench_conn *conn);

/* Counts |error| and drops the connection. */
void bench_conn_fail(struct bench_conn *conn, enum bench_error error, const char *text);

/* ---- Calls (bench_calls.c) ---- */

/* Memory for the slots of |conn|. **Errors:** WEFT_ERR_NOMEM. */
WEFT_MUST_USE int bench_calls_init(struct bench_conn *conn);
void bench_calls_done(struct bench_conn *conn);

/* |conn| begins to connect: all slots are free. */
void bench_calls_start(struct bench_conn *conn);

/* Appends the greeting to conn->notes. */
void bench_calls_greet(struct bench_conn *conn);

/* Takes a message that comes before the connection is open. */
void bench_calls_greeted(struct bench_conn *conn, struct weft_slice data);

/* The call of |slot| is sent now. */
void bench_calls_sent(struct bench_conn *conn, uint32_t slot);

/* Counts the error answer |event|. */
void bench_calls_refused(struct bench_conn *conn, const struct bench_event *event);

/* What bench_scenario calls. */
void bench_calls_arrived(struct bench_conn *conn, uint32_t count);
void bench_calls_message(struct bench_conn *conn, unsigned opcode, struct weft_slice data);

/* Sends what may be sent after |count| answers (bench_scenarios.c). */
void bench_flood_go_on(struct bench_conn *conn, uint32_t count);

#endif
