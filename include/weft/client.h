/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client: one connection to a server, calls, and documents without a replica (the application
 * keeps the content and transforms its own operations).
 *
 *   weft_client_connect ──► weft_client_call …, weft_client_doc_open … ──► weft_client_close
 *
 * **Thread:** a client runs a thread of its own, and every callback is called on it. Every function
 * here may be called from any thread unless it says otherwise. A callback must not block; the
 * functions that end in `_wait`, weft_client_connect and weft_client_close wait, and refuse to be
 * called in a callback. What a program starts on one thread happens in the order in which it was
 * started.
 *
 * A lost connection is made again when the options say |reconnect|: calls and what was called for
 * go on where they were (docs/protocol/sessions.md), calls may be made meanwhile, and |status|
 * tells. Without, what is under way ends, |closed| tells, and the program connects anew. Documents
 * are closed with the connection in either case (`connection`) and opened again by the program.
 * Since: 0.1.
 */
#ifndef WEFT_CLIENT_H
#define WEFT_CLIENT_H

#include <stddef.h>
#include <stdint.h>
#include <weft/alloc.h>
#include <weft/err.h>
#include <weft/export.h>
#include <weft/rpc.h>

#ifdef __cplusplus
extern "C" {
#endif

struct weft_client;
struct weft_client_doc;

/* ---- Connecting ---- */

/* Which system interface the client's thread uses. */
enum weft_client_loop {
    WEFT_CLIENT_LOOP_AUTO = 0,  /* io_uring where the kernel has what is needed, else epoll */
    WEFT_CLIENT_LOOP_EPOLL = 1, /* epoll, or connecting fails */
    WEFT_CLIENT_LOOP_URING = 2  /* io_uring, or connecting fails */
};

/* A notification from the server: |params| is JSON of |params_len| bytes with a zero byte behind
 * it, or NULL when there is none. **Lifetime:** |method| and |params| until it returns. */
typedef void weft_client_notify_fn(void *ctx, const char *method, const char *params,
                                   size_t params_len);

/* Names one kind of notification and who is told of it. */
struct weft_client_handler {
    const char *method; /* as sent by the server; names of documents ("doc.op") are the library's */
    weft_client_notify_fn *notify;
    void *ctx;
};

/* Compression of messages by permessage-deflate (RFC 7692), where the server agrees. Off by
 * default: it is worth its time (about 10 µs for a message of 1 KiB, at each end) and memory (300
 * KiB, once) on slow links; and over TLS the lengths of compressed messages can tell who listens
 * what they share, so secrets should not stand beside what strangers choose. */
enum weft_client_deflate {
    WEFT_CLIENT_DEFLATE_OFF = 0,
    WEFT_CLIENT_DEFLATE_SHARED = 1,   /* every message stands alone */
    WEFT_CLIENT_DEFLATE_TAKEOVER = 2, /* messages may refer to earlier ones: smaller, and the server
                                         keeps memory for it */
};

/* What |status| of the options tells. */
enum weft_client_status {
    WEFT_CLIENT_CONNECTED = 1,    /* again */
    WEFT_CLIENT_RECONNECTING = 2, /* the connection is lost, another one will be made */
    /* The server does not know the session any more, which is the |reason| ("expired", "unknown"
     * …): calls that were under way have ended `unavailable`. CONNECTED follows. */
    WEFT_CLIENT_SESSION_LOST = 3
};

/* What a client is made with. Strings and |handlers| are copied by weft_client_connect. */
struct weft_client_options {
    size_t struct_size;          /* set by weft_client_options_init */
    const char *url;             /* "wss://HOST:PORT/ws", "ws://…" or "ws+unix:SOCKET" */
    const char *name;            /* of the program, told to the server */
    const char *version;         /* of the program */
    uint32_t connect_timeout_ms; /* for all of connecting but the look-up of the name; > 0 */
    uint32_t call_timeout_ms;    /* of a call that names none; > 0 */
    size_t max_message;          /* bytes of a message from the server, > 0 */
    int loop;                    /* enum weft_client_loop */
    const struct weft_client_handler *handlers;
    size_t handler_count;
    /* The connection is over, once; not called when connecting failed or for weft_client_close.
     * |code| is the close code (1006: the connection broke), |reason| the server's, valid until it
     * returns. May be NULL. */
    void (*closed)(void *ctx, unsigned code, const char *reason);
    void *closed_ctx;
    /* The server is about to stop (`$/goaway`), at most once: what runs may go on for |grace_ms|,
     * calls made from now on end `unavailable` without being sent, and |closed| follows with 1001.
     * Who wants to come back should wait |reconnect_after_ms| from then on: servers spread these
     * times. Gets |closed_ctx|. May be NULL. */
    void (*goaway)(void *ctx, uint32_t grace_ms, uint32_t reconnect_after_ms);
    const struct weft_alloc *alloc; /* thread-safe; NULL = weft_alloc_default() */
    /* wss. The server's certificate is verified: its chain, its dates, and that it is for the host
     * of |url|. */
    const char *ca_file;   /* PEM: trusted authorities instead of the system's; NULL: those */
    const char *cert_file; /* PEM: the client's own certificate and chain, or NULL */
    const char *key_file;  /* PEM: its key, without a passphrase */
    /* Not 0: any server is believed to be who it says, so anybody in between can read and change
     * everything. For tests on one machine alone. */
    int insecure_accept_any_certificate;
    int deflate; /* enum weft_client_deflate */
    /* Not 0: a connection that is lost is made again, until weft_client_close, after random times
     * that grow from up to |reconnect_min_ms| to up to |reconnect_max_ms|, or when a server that
     * stops has asked for it. |closed| is only called when another client took over the session
     * (4001). */
    int reconnect;
    uint32_t reconnect_min_ms; /* > 0 */
    uint32_t reconnect_max_ms; /* at least the former */
    size_t replay_bytes;       /* kept of what the server has not acknowledged; 0: no session */
    /* More servers with the same sessions, as |url|, at most 7; NULL-terminated, or NULL. The first
     * connection is made to the first one that takes it. Later, one that fails three times in a row
     * is left alone for a while. Names are looked up once. */
    const char *const *more_urls;
    /* With |reconnect|: enum weft_client_status, the close code and the reason of RECONNECTING.
     * **Lifetime:** |reason| until it returns. Gets |closed_ctx|. May be NULL. */
    void (*status)(void *ctx, int status, unsigned code, const char *reason);
    /* Methods that the server may call; copied, but for what |ctx| points to. */
    const struct weft_method *methods;
    size_t method_count;
    unsigned pool_threads; /* for methods with WEFT_METHOD_BLOCKING; 0: 1 */
    /* Who we are, for a server that wants to know: sent with every greeting. At most 8,192 bytes;
     * NULL: nothing. weft_client_set_token replaces it. */
    const char *token;
    /* The server wants another token: it will end the connection in |in_ms|, or it has refused the
     * one that it got, with |in_ms| 0 (a client with |reconnect| goes on trying). To be answered
     * with weft_client_set_token, here or later. Gets |closed_ctx|. May be NULL. */
    void (*token_wanted)(void *ctx, uint32_t in_ms);
};

/* Sets the defaults: ws://127.0.0.1:8080/ws, 5 s to connect, 30 s for a call, 16 MiB, loop AUTO,
 * no compression, no reconnecting; with it 500 ms to 30 s, and 256 KiB. */
WEFT_API void weft_client_options_init(struct weft_client_options *options);

/*
 * Looks the host up, connects, and greets; returns when calls can be made. |options| is read during
 * the call. When it fails and |ret_message| is not NULL, a sentence for people is written there, at
 * most |message_size| bytes with the terminating zero.
 *
 * **Errors:** WEFT_ERR_USAGE (an option, or the URL, is out of range; a file is missing or wrong),
 * WEFT_ERR_TLS (the server's certificate is refused, or ours), WEFT_ERR_NOT_FOUND (no such host),
 * WEFT_ERR_UNAVAILABLE (nobody listens there, or the loop asked for does not exist here),
 * WEFT_ERR_HANDSHAKE (it is no weft server or refuses us), WEFT_ERR_DENIED (it refuses our token,
 * or wants one), WEFT_ERR_TIMEOUT, WEFT_ERR_CLOSED,
 * WEFT_ERR_NOMEM, WEFT_ERR_SYSTEM.
 * **Lifetime:** the caller's, until weft_client_close. **Thread:** any; blocks.
 */
WEFT_API WEFT_MUST_USE int weft_client_connect(const struct weft_client_options *options,
                                               struct weft_client **ret_client, char *ret_message,
                                               size_t message_size);

/*
 * Ends what is under way (calls end `unavailable`, their callbacks are called), closes the
 * connection with 1000, waits for the thread, and frees the client and its documents. No callback
 * comes afterwards. NULL is allowed. **Thread:** any but in a callback; no other thread may use the
 * client any more, but for methods that run on its pool: it waits until they have returned. Blocks,
 * at most about a second beside that.
 */
WEFT_API void weft_client_close(struct weft_client *client);

/*
 * From now on |token| says who we are; NULL: nothing does. The connection there is gets it at once
 * (`$/auth.refresh`), later ones greet with it. It has to be for the same principal: a server does
 * not let a connection change hands. Copied. **Errors:** WEFT_ERR_USAGE (longer than 8,192 bytes),
 * WEFT_ERR_UTF8, WEFT_ERR_CLOSED (the client is being closed), WEFT_ERR_NOMEM; nothing changed
 * then. **Thread:** any, also in a callback.
 */
WEFT_API WEFT_MUST_USE int weft_client_set_token(struct weft_client *client, const char *token);

/* Not 0 while there is a connection. */
WEFT_API int weft_client_is_open(const struct weft_client *client);

/* ---- Calls ---- */

/*
 * Calls |method| with |params|, a JSON array or object, or NULL for none. |timeout_ms| 0 is
 * call_timeout_ms of the options. |answer| may be NULL. Strings are copied.
 * **Errors:** WEFT_ERR_CLOSED (the connection is over), WEFT_ERR_JSON (|params|), WEFT_ERR_USAGE
 * (an empty method, |params| is no array or object), WEFT_ERR_UTF8, WEFT_ERR_TOO_BIG,
 * WEFT_ERR_NOMEM; |answer| is not called then.
 */
WEFT_API WEFT_MUST_USE int weft_client_call(struct weft_client *client, const char *method,
                                            const char *params, uint32_t timeout_ms,
                                            weft_answer_fn *answer, void *ctx);

/*
 * The same, and waits for the answer. Returns 0 when there is one, also one with an error: look at
 * its status. Free it with weft_answer_free.
 * **Errors:** as weft_client_call, and WEFT_ERR_STATE in a callback. **Thread:** any but in a
 * callback.
 */
WEFT_API WEFT_MUST_USE int weft_client_call_wait(struct weft_client *client, const char *method,
                                                 const char *params, uint32_t timeout_ms,
                                                 struct weft_answer **ret_answer);

/* Sends a notification, which has no answer. **Errors:** as weft_client_call. */
WEFT_API WEFT_MUST_USE int weft_client_notify(struct weft_client *client, const char *method,
                                              const char *params);

/* The server as a peer (weft/rpc.h). A client that connects again without its session is another
 * peer to the server, but the same one here. **Lifetime:** the client's; longer with weft_peer_ref.
 */
WEFT_API struct weft_peer *weft_client_peer(struct weft_client *client);

/* ---- Documents ---- */

/* An operation that somebody applied. **Lifetime:** until the callback returns. */
struct weft_client_doc_op {
    uint64_t version;   /* of the document after it */
    const char *op;     /* JSON, in the format of the document's type */
    size_t op_len;      /* bytes of |op| */
    const char *author; /* the principal, "" when unknown */
    const char *client; /* the author's replica */
    uint64_t seq;       /* its number there */
    uint64_t time_ms;   /* wall time in milliseconds since 1970 */
};

/* What a document tells. Each may be NULL. */
struct weft_client_doc_callbacks {
    /* The next operation of somebody else: versions come in order, without gaps but for one's own
     * edits, which end in their own callback. */
    void (*op)(void *ctx, struct weft_client_doc *doc, const struct weft_client_doc_op *op);
    /* Somebody came, moved or left: |params| is the JSON of `doc.presence`
     * (docs/protocol/documents.md). */
    void (*presence)(void *ctx, struct weft_client_doc *doc, const char *params, size_t params_len);
    /* The last one: the subscription ended. |reason| is the server's word ("lagged"); "connection"
     * when that is lost; "gap" when an operation is missing, which happens after an edit whose
     * outcome is not known. The document takes no edits any more; weft_client_doc_close frees it.
     * Not called for weft_client_doc_close. */
    void (*closed)(void *ctx, struct weft_client_doc *doc, const char *reason);
};

/* What a document is opened with. Strings are copied. */
struct weft_client_doc_options {
    size_t struct_size;  /* set by weft_client_doc_options_init */
    const char *name;    /* 1–255 bytes of UTF-8, normalisation form C */
    const char *client;  /* names this replica, 1–64 bytes; NULL: a random one */
    const char *type;    /* of a document that is created; NULL: "text" */
    int create;          /* not 0: create it if it does not exist */
    uint32_t timeout_ms; /* 0: call_timeout_ms of the client */
    const struct weft_client_doc_callbacks *callbacks; /* copied; NULL: none */
    void *ctx;                                         /* of the callbacks */
};

/* Sets the defaults: no name, a random replica, nothing is created, no callbacks. */
WEFT_API void weft_client_doc_options_init(struct weft_client_doc_options *options);

/* The end of weft_client_doc_open. |doc| is NULL when |answer| is an error (`not_found`, …), else
 * the caller's until weft_client_doc_close or weft_client_close; its callbacks begin afterwards.
 * **Lifetime:** |answer| until it returns. */
typedef void weft_client_doc_opened_fn(void *ctx, struct weft_client_doc *doc,
                                       const struct weft_answer *answer);

/*
 * Opens a document and subscribes to it. |opened| is called exactly once; |opened_ctx| is its own.
 * **Errors:** as weft_client_call; |opened| is not called then. A document that this client has
 * open is answered `already_exists`, reason "weft.client.open".
 */
WEFT_API WEFT_MUST_USE int weft_client_doc_open(struct weft_client *client,
                                                const struct weft_client_doc_options *options,
                                                weft_client_doc_opened_fn *opened,
                                                void *opened_ctx);

/*
 * The same, and waits. Returns 0 when there is an answer: |*ret_doc| is NULL when that is an error.
 * Callbacks of the document may come before it returns. Free |*ret_answer|.
 * **Errors:** as weft_client_call_wait. **Thread:** any but in a callback.
 */
WEFT_API WEFT_MUST_USE int weft_client_doc_open_wait(struct weft_client *client,
                                                     const struct weft_client_doc_options *options,
                                                     struct weft_client_doc **ret_doc,
                                                     struct weft_answer **ret_answer);

/* What the document was opened as. **Lifetime:** the document's. */
WEFT_API const char *weft_client_doc_name(const struct weft_client_doc *doc);
WEFT_API const char *weft_client_doc_type(const struct weft_client_doc *doc);
WEFT_API const char *weft_client_doc_epoch(const struct weft_client_doc *doc);
WEFT_API const char *weft_client_doc_client(const struct weft_client_doc *doc);

/* The content at the version it was opened at, as JSON, zero-terminated. |ret_len| may be NULL.
 * **Lifetime:** the document's. */
WEFT_API const char *weft_client_doc_snapshot(const struct weft_client_doc *doc, size_t *ret_len);

/* The version of |weft_client_doc_snapshot|. */
WEFT_API uint64_t weft_client_doc_snapshot_version(const struct weft_client_doc *doc);

/* The newest version this client has been told of. */
WEFT_API uint64_t weft_client_doc_version(const struct weft_client_doc *doc);

/* The end of an edit: |version| is that of the document after it, 0 when it was not made or that is
 * not known. |doc| is NULL when it was closed meanwhile. **Lifetime:** |answer| until it returns.
 */
typedef void weft_client_doc_edited_fn(void *ctx, struct weft_client_doc *doc, uint64_t version,
                                       const struct weft_answer *answer);

/*
 * Submits |op|, JSON in the format of the document's type, made at |version|: the content with
 * every operation up to that one. The server transforms it over what came later, operations that
 * this client is told of before |edited|; the application transforms its own copy likewise.
 * |edited| is called exactly once.
 *
 * One edit is under way at a time. An error answer with `executed` NO leaves everything as it was.
 * After any other error answer it is not known whether the edit was made: further edits are refused
 * until the document is closed and opened again with the same |client|.
 *
 * **Errors:** WEFT_ERR_STATE (an edit is under way, or the outcome of the last one is unknown), and
 * as weft_client_call; |edited| is not called then.
 */
WEFT_API WEFT_MUST_USE int weft_client_doc_edit(struct weft_client_doc *doc, uint64_t version,
                                                const char *op, weft_client_doc_edited_fn *edited,
                                                void *ctx);

/*
 * The same, and waits. Returns 0 when there is an answer: |*ret_version| is 0 when that is an
 * error. Free |*ret_answer|. **Errors:** as weft_client_doc_edit. **Thread:** any but in a
 * callback; no other thread may close the document meanwhile.
 */
WEFT_API WEFT_MUST_USE int weft_client_doc_edit_wait(struct weft_client_doc *doc, uint64_t version,
                                                     const char *op, uint64_t *ret_version,
                                                     struct weft_answer **ret_answer);

/*
 * Ends the subscription and frees the document; an edit under way is still made. When it returns,
 * no callback of the document is running or comes (in a callback: but that one). NULL is allowed.
 * **Thread:** any; no other thread may use the document any more.
 */
WEFT_API void weft_client_doc_close(struct weft_client_doc *doc);

#ifdef __cplusplus
}
#endif

#endif
