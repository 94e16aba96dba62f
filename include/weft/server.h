/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server: one process, one worker thread a core, each with its own loop and listener. Documents
 * are kept in a data folder or, without one, in memory.
 *
 *   weft_server_new ──► weft_server_start ──► weft_server_stop ──► weft_server_free
 *
 * **Thread:** one thread makes, starts and frees a server; weft_server_stop may be called from any
 * thread, not from a signal handler. Since: 0.1.
 */
#ifndef WEFT_SERVER_H
#define WEFT_SERVER_H

#include <stddef.h>
#include <weft/alloc.h>
#include <weft/err.h>
#include <weft/export.h>
#include <weft/rpc.h>

#ifdef __cplusplus
extern "C" {
#endif

struct weft_server;

/* Which system interface the loops use. */
enum weft_server_loop {
    WEFT_SERVER_LOOP_AUTO = 0,  /* io_uring where the kernel has what is needed, else epoll */
    WEFT_SERVER_LOOP_EPOLL = 1, /* epoll, or the start fails */
    WEFT_SERVER_LOOP_URING = 2  /* io_uring, or the start fails */
};

/* Severity of a line that weft_server_options.log receives. */
enum weft_server_log_level {
    WEFT_SERVER_LOG_ERROR = 0,
    WEFT_SERVER_LOG_WARN = 1,
    WEFT_SERVER_LOG_INFO = 2,
    WEFT_SERVER_LOG_DEBUG = 3
};

/* How a log line is written. */
enum weft_server_log_format {
    WEFT_SERVER_LOG_TEXT = 0, /* event, then key=value */
    WEFT_SERVER_LOG_JSON = 1, /* one JSON object: time, level, event and the same keys */
};

/* Compression of messages by permessage-deflate (RFC 7692). */
enum weft_server_deflate {
    WEFT_SERVER_DEFLATE_SHARED = 0,   /* no context takeover: every message stands alone */
    WEFT_SERVER_DEFLATE_OFF = 1,      /* not negotiated */
    WEFT_SERVER_DEFLATE_TAKEOVER = 2, /* contexts are kept where the client wants it: smaller
                                         messages, memory for each connection */
};

/* Certificates of clients. */
enum weft_server_client_cert {
    WEFT_SERVER_CLIENT_CERT_NONE = 0,     /* not asked for */
    WEFT_SERVER_CLIENT_CERT_OPTIONAL = 1, /* checked when there is one */
    WEFT_SERVER_CLIENT_CERT_REQUIRED = 2, /* without one the handshake fails */
};

/* Whether connections begin with a PROXY protocol header (version 1 or 2). */
enum weft_server_proxy_protocol {
    WEFT_SERVER_PROXY_PROTOCOL_OFF = 0,
    WEFT_SERVER_PROXY_PROTOCOL_REQUIRED = 1, /* from |trusted_proxies|; others are refused */
};

/* A certificate and its key, both PEM files. The names in the certificate choose it (SNI). */
struct weft_server_certificate {
    const char *cert_file; /* the certificate, then its chain */
    const char *key_file;
};

/* Encryption. All zero: none. Files are read at weft_server_new and weft_server_reload. */
struct weft_server_tls {
    const struct weft_server_certificate *certificates; /* ended by {NULL, NULL}; the first is the
                                                            default; NULL: no TLS */
    const char *client_ca_file; /* PEM: who signs the certificates of clients */
    int client_cert;            /* enum weft_server_client_cert */
    int min_version;            /* 12 or 13; 0: 12 */
};

/* What peers may cost. 0 is the default named; UINT_MAX and SIZE_MAX stand for no limit. */
struct weft_server_limits {
    size_t max_message;       /* bytes of a message, decompressed; 1 MiB */
    unsigned max_fragments;   /* frames of a message; 131,072 */
    unsigned max_control;     /* pings and pongs a second of one connection; 100 */
    unsigned handshake_ms;    /* from accept to a complete request, TLS included; 5,000 */
    unsigned ping_ms;         /* silence after which a peer is pinged, ±10 %; 25,000 */
    unsigned pings_missed;    /* unanswered in a row until a peer is lost; 2 */
    unsigned stall_ms;        /* a peer that reads nothing for so long is given up; 30,000 */
    unsigned message_ms;      /* from a message's first byte to its last; 60,000 */
    size_t max_unsent;        /* bytes waiting for one peer before policy applies; 1 MiB */
    unsigned max_connections; /* in all; nine tenths of the descriptors allowed */
    unsigned max_per_address; /* of one IPv4 address or IPv6 /64; 1,000, loopback: no limit */
    unsigned max_accepts;     /* new connections a second; more wait in the backlog; no limit */
    size_t memory;            /* bytes of all connections, queues and documents; half the memory
                                 of this machine or of its control group */
};

/* Sessions that outlive their connections. 0 is the default named. */
struct weft_server_sessions {
    unsigned resume_ms;  /* so long one waits for its client; 120,000; UINT_MAX: there are none */
    size_t replay_bytes; /* kept for each, at most, until its client has seen it; 256 KiB */
    unsigned per_principal; /* that wait, of one who has signed in; 1,000; UINT_MAX: no limit */
};

/* Running it. */
struct weft_server_operations {
    unsigned drain_ms;     /* patience of weft_server_stop with running calls; 10,000 */
    unsigned reconnect_ms; /* clients are asked to come back spread over this time; 5,000 */
    int proxy_protocol;    /* enum weft_server_proxy_protocol */
    const char *const *trusted_proxies; /* addresses or networks ("10.0.0.0/8"); NULL-terminated */
    const int *listen_fds; /* listening sockets handed over (by systemd, by another process)
                              instead of |listen|; taken over when the start succeeds */
    size_t listen_fd_count;
    unsigned socket_mode; /* permissions of a Unix socket; 0: 0600 */
};

/* Calls. 0 is the default named. */
struct weft_server_rpc {
    unsigned in_flight;          /* calls of one connection that run; 1,024 */
    unsigned streams;            /* of these, with items; 32 */
    unsigned batch;              /* members of one message; 100 */
    unsigned idem_entries;       /* idempotency keys known at a time; 65,536 */
    size_t idem_bytes;           /* memory of their answers; 64 MiB, at most an eighth of
                                    limits.memory */
    unsigned idem_per_principal; /* keys of one principal; a quarter of |idem_entries| */
    unsigned idem_ms;            /* that an answer is kept; a day; UINT_MAX: until it makes room */
    /* Beginnings of names ("jobs.") of methods that clients may provide to each other, "*" for all;
     * NULL-terminated. NULL: none, with |development| all. */
    const char *const *provide;
    unsigned provide_names; /* that one client may provide; 256; at most 4,096 */
};

/* Who somebody is. Zeroed before it is filled in. */
struct weft_identity {
    char subject[256];      /* who acts: 1 to 255 bytes of UTF-8 without control characters */
    char tenant[64];        /* whose data it acts on, as |subject|; "": the default tenant */
    uint64_t expires_in_ms; /* when the token has to be renewed, from now; 0: never */
    void *reserved[4];      /* NULL */
};

/*
 * Judges |token|, which somebody presents: a bearer token of a request (RFC 6750), the `token` of a
 * greeting or of `$/auth.refresh` (docs/protocol/auth.md). NULL: none was presented, and somebody
 * without may be let in as, say, a guest. At most 8,192 bytes; it may be judged more than once.
 * Returns 0 with |ret_identity| filled in, WEFT_ERR_DENIED to refuse it, and anything else when it
 * cannot be judged now, so that the client tries again later. **Lifetime:** |token| until it
 * returns. **Thread:** any worker's, several at once; it must not block.
 */
typedef int weft_authenticate_fn(void *ctx, const char *token, struct weft_identity *ret_identity);

/* What a server is made with. Strings and arrays are copied by weft_server_new. */
struct weft_server_options {
    size_t struct_size;      /* set by weft_server_options_init */
    const char *listen;      /* "HOST:PORT", "[ADDRESS]:PORT", ":PORT" or "unix:PATH"; port 0 = any
                                free one */
    const char *data_folder; /* NULL: documents live in memory and end with the process */
    unsigned seal_ops;       /* operations of a document packed into one segment; 8,192 */
    unsigned workers;        /* threads, 1–256; 0 = one a core */
    int loop;                /* enum weft_server_loop */
    int development;         /* not 0: the playground at "/" and the demonstration methods */
    /* Host names (without port) a request may name besides the address listened on and, there,
     * "localhost"; NULL-terminated array or NULL. */
    const char *const *hosts;
    /* Origins ("https://app.example") that may connect besides the server's own; as |hosts|. */
    const char *const *origins;
    /* One finished line of text without newline, from any thread; NULL: lines are dropped. */
    void (*log)(void *ctx, int level, const char *line);
    void *log_ctx;
    int log_level;                  /* enum weft_server_log_level: lines above it are dropped */
    const struct weft_alloc *alloc; /* thread-safe; NULL = weft_alloc_default() */
    int deflate;                    /* enum weft_server_deflate */
    unsigned deflate_min;           /* bytes: shorter messages are sent as they are; 0: 256 */
    int log_format;                 /* enum weft_server_log_format */
    struct weft_server_tls tls;
    struct weft_server_limits limits;
    struct weft_server_operations operations;
    struct weft_server_sessions sessions;
    /* Methods that clients may call, besides the server's own; copied, but for what |ctx| points
     * to, which outlives the server. */
    const struct weft_method *methods;
    size_t method_count;
    unsigned pool_threads; /* for methods with WEFT_METHOD_BLOCKING, in all; 0: 4 */
    unsigned pool_queue;   /* calls of those that may wait for a thread; 0: 1,024 */
    struct weft_server_rpc rpc;
    /* Who may use the server; NULL: everybody, and all are "anonymous". With it nothing but the
     * pages and probes of HTTP answers somebody who has not signed in. */
    weft_authenticate_fn *authenticate;
    void *authenticate_ctx;
};

/* Sets the defaults: 127.0.0.1:8080, memory, one worker a core, loop chosen, no development. */
WEFT_API void weft_server_options_init(struct weft_server_options *options);

/*
 * Makes a server: opens the data folder (and its lock) and makes the workers' loops; does not
 * listen yet. |options| is read during the call. When it fails and |ret_message| is not NULL, a
 * sentence for people is written there, at most |message_size| bytes with the terminating zero.
 *
 * **Errors:** WEFT_ERR_USAGE (an option is out of range, a method has an unfit name or one that
 * exists, or a file of |tls| is missing or wrong),
 * WEFT_ERR_BUSY (another process has the data folder), WEFT_ERR_UNAVAILABLE (the loop asked for
 * does not exist here), WEFT_ERR_STORE, WEFT_ERR_CORRUPT, WEFT_ERR_UNSUPPORTED (data of a newer
 * version), WEFT_ERR_NOMEM, WEFT_ERR_SYSTEM.
 * **Lifetime:** the caller's, until weft_server_free.
 */
WEFT_API WEFT_MUST_USE int weft_server_new(const struct weft_server_options *options,
                                           struct weft_server **ret_server, char *ret_message,
                                           size_t message_size);

/*
 * Listens and starts the workers' threads. When it returns 0, connections are accepted.
 * **Errors:** WEFT_ERR_BUSY (address in use), WEFT_ERR_DENIED, WEFT_ERR_UNAVAILABLE (not an address
 * of this machine), WEFT_ERR_STATE (started before), WEFT_ERR_USAGE (a descriptor handed over is no
 * listening socket), WEFT_ERR_NOMEM, WEFT_ERR_SYSTEM; the server can only be freed then.
 */
WEFT_API WEFT_MUST_USE int weft_server_start(struct weft_server *server);

/*
 * Lends the listening sockets, to be handed to another process: fills in at most |max| and returns
 * how many there are. **Lifetime:** open until weft_server_stop. **Thread:** that of the start.
 */
WEFT_API size_t weft_server_listen_fds(const struct weft_server *server, int *ret_fds, size_t max);

/* Another process has the listening sockets now: weft_server_stop leaves the file of a Unix socket
 * where it is. **Thread:** that of the start. */
WEFT_API void weft_server_hand_over(struct weft_server *server);

/* The address listened on, with the real port: "127.0.0.1:8080". "" before the start.
 * **Lifetime:** the server's. */
WEFT_API const char *weft_server_address(const struct weft_server *server);

/* Not 0 when it serves https and wss. */
WEFT_API int weft_server_is_secure(const struct weft_server *server);

/* The loop in use: "uring" or "epoll". **Lifetime:** static. */
WEFT_API const char *weft_server_loop_name(const struct weft_server *server);

/* The number of workers. */
WEFT_API unsigned weft_server_workers(const struct weft_server *server);

/* Whether every worker's loop has turned within the last seconds: what /healthz says. **Thread:**
 * any. */
WEFT_API int weft_server_is_alive(const struct weft_server *server);

/*
 * Stops gracefully: no new connections; sessions are told (`$/goaway`) and start no more calls;
 * those that run end, or are cut off after operations.drain_ms; everything acknowledged is on disk;
 * connections are closed with 1001; the threads end. Blocks until then: with idle peers some tenths
 * of a second, at most drain_ms and about 15 s. Calling it again is harmless.
 * **Thread:** any but a worker's.
 */
WEFT_API void weft_server_stop(struct weft_server *server);

/*
 * Reads the files of |tls| again. Connections that exist go on as they are; those made from now on
 * get the new certificates. When a file is missing or wrong, everything stays as it was, and the
 * log and the return value say so. Without TLS there is nothing to read, which is no error.
 * **Errors:** WEFT_ERR_USAGE (a file), WEFT_ERR_NOMEM. **Thread:** any, between weft_server_new and
 * weft_server_free; blocks while it reads. Since: 0.1.
 */
WEFT_API int weft_server_reload(struct weft_server *server);

/* Stops |server| if need be, closes the store and frees everything. NULL is allowed. */
WEFT_API void weft_server_free(struct weft_server *server);

#ifdef __cplusplus
}
#endif

#endif
