/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's own structs, for the files of this folder alone. The loop's thread owns everything
 * but what is marked; other threads reach it through posted tasks.
 *
 *   any thread ── request ─► loop: request_run ─► rpc peer ─► session ─► transport
 *              ◄── callback (on the loop's thread) ◄── answer, notification
 */
#ifndef WEFT_CLIENT_CLIENT_INTERNAL_H
#define WEFT_CLIENT_CLIENT_INTERNAL_H

#include "client/reconnect.h"
#include "io/loop.h"
#include "io/url.h"
#include "peer/answer.h"
#include "peer/handle.h"
#include "peer/methods.h"
#include "peer/wait.h"
#include "session/session.h"
#include "transport/transport.h"

#include <pthread.h>
#include <stdatomic.h>
#include <weft/client.h>

enum {
    WEFT_CLIENT_URLS_MAX = 8,
    WEFT_CLIENT_ADDRESSES_MAX = 4, /* of one host */
    WEFT_CLIENT_MESSAGE_SIZE = 512,
};

_Static_assert(WEFT_CLIENT_URLS_MAX *WEFT_CLIENT_ADDRESSES_MAX <= WEFT_RECONNECT_ADDRESSES_MAX,
               "every address has its circuit breaker");

struct weft_client_server {
    const char *text; /* the URL */
    struct weft_url url;
};

struct weft_client_target {
    struct weft_address address;
    size_t server; /* index */
};

/* Where the connection is. */
enum weft_client_state {
    WEFT_CLIENT_IDLE,     /* nothing is dialled */
    WEFT_CLIENT_DIALING,  /* up to the open WebSocket */
    WEFT_CLIENT_GREETING, /* up to the answer to `$/hello` */
    WEFT_CLIENT_OPEN,
    WEFT_CLIENT_OVER, /* the WebSocket has ended */
};

struct weft_client {
    /* Constant while the thread runs. */
    const struct weft_alloc *alloc;
    struct weft_arena strings; /* what the options point to */
    struct weft_client_options options;
    struct weft_client_server *servers;
    size_t server_count;
    struct weft_client_target targets[WEFT_RECONNECT_ADDRESSES_MAX];
    int target_count;
    struct weft_slice protocol;
    struct weft_tls_context *tls; /* NULL: ws */
    pthread_t thread;
    struct weft_loop *loop;

    /* Any thread. */
    atomic_bool open;      /* there is a connection */
    atomic_bool accepting; /* calls are taken: it is open, or the session waits for the next one */

    /* The loop's thread. */
    enum weft_client_state state;
    bool dialed;           /* |transport| is between dial and on_closed */
    bool closing;          /* weft_client_close was called */
    bool was_open;         /* weft_client_connect succeeded */
    bool leaving;          /* the server announced the end … */
    uint32_t come_back_ms; /* … and asked for so much patience */
    bool timed_out;        /* |deadline| fired */
    bool has_result;       /* |connected| was told */
    bool retry;            /* another connection follows */
    bool session_live;     /* |session| exists */
    int tried;             /* addresses, for the first connection */
    int target;            /* of the present connection */
    struct weft_reconnect reconnect;
    struct weft_timer retry_timer;
    struct weft_transport_set transports;
    struct weft_transport transport;
    struct weft_transport_dial dial;
    struct weft_ws_request request;
    struct weft_rpc_registry registry;
    struct weft_rpc_env env;
    struct weft_pool *pool; /* for methods that block; NULL: there are none */
    struct weft_domain *domain;
    struct weft_served *served;
    struct weft_peer *peer; /* the server */
    struct weft_session session;
    char *token; /* of the next greeting; NULL: none */
    struct weft_timer deadline;
    struct weft_list docs;
    struct weft_arena scratch; /* strings of the notification at hand */
    struct weft_task start_task;
    struct weft_task close_task;

    /* The result of connecting: written on the loop's thread before |connected| is told. */
    struct weft_wait connected;
    int connect_err;
    char connect_message[WEFT_CLIENT_MESSAGE_SIZE];
};

/* Whether this is the client's own thread. */
bool weft__client_on_loop(const struct weft_client *client);

/* Ends the connection because the server broke a rule. */
void weft__client_fail(struct weft_client *client, const char *reason);

/* ---- options.c ---- */

/* Copies and checks |options|. **Errors:** WEFT_ERR_USAGE, WEFT_ERR_UTF8, WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__client_copy_options(struct weft_client *client,
                                            const struct weft_client_options *options);

/* ---- connection.c ---- */

/* Nothing is dialled yet; the addresses are known. */
void weft__client_connection_init(struct weft_client *client);

/* Begins to connect; client->connected tells. */
void weft__client_dial_first(struct weft_client *client);

/* Ends everything; the loop stops when that is done. */
void weft__client_connection_close(struct weft_client *client);

/* ---- token.c ---- */

/* **Errors:** WEFT_ERR_USAGE (too long), WEFT_ERR_UTF8. */
WEFT_MUST_USE int weft__client_token_check(const char *token);

/* Later greetings have a copy of |token|; NULL: none. **Errors:** WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__client_token_set(struct weft_client *client, const char *token);

/* Frees it. */
void weft__client_token_done(struct weft_client *client);

/* Tells the application. */
void weft__client_token_wanted(struct weft_client *client, uint64_t in_ms);

/* ---- request.c ---- */

struct weft_client_request;
typedef void weft_client_request_fn(struct weft_client_request *request,
                                    const struct weft_rpc_answer *answer);
typedef bool weft_client_admit_fn(struct weft_client_request *request,
                                  struct weft_rpc_answer *ret_refusal);

/* A call on its way; embedded in what it is for. */
struct weft_client_request {
    struct weft_task task;
    struct weft_client *client;
    struct weft_bytes text; /* method and parameters, one behind the other */
    size_t method_len;
    uint32_t timeout_ms;
    /* On the loop's thread, before it is sent; false ends it with |ret_refusal|. May be NULL. */
    weft_client_admit_fn *admit;
    weft_client_request_fn *done; /* exactly once, on the loop's thread; NULL: a notification,
                                     which is freed as |size| bytes */
    size_t size;
};

/* Prepares a request for |method|. The parameters are appended to request->text by the caller,
 * whose failures are reported by weft__client_request_start. */
void weft__client_request_init(struct weft_client_request *request, struct weft_client *client,
                               const char *method, uint32_t timeout_ms,
                               weft_client_request_fn *done);

/* Sends it. **Errors:** WEFT_ERR_CLOSED, WEFT_ERR_TOO_BIG, WEFT_ERR_UTF8, WEFT_ERR_NOMEM: |done| is
 * not called, and the request is the caller's to free. **Thread:** any. */
WEFT_MUST_USE int weft__client_request_start(struct weft_client_request *request);

/* Releases its text. */
void weft__client_request_done(struct weft_client_request *request);

/* ---- doc.c ---- */

struct weft_client_edit;

struct weft_client_doc {
    struct weft_client *client;
    struct weft_list link; /* in client->docs, or alone */
    struct weft_arena strings;
    const char *name;
    const char *replica;
    const char *type;
    const char *epoch;
    const char *snapshot;
    size_t snapshot_len;
    uint64_t snapshot_version;
    struct weft_client_doc_callbacks callbacks;
    void *ctx;
    /* Any thread. */
    atomic_uint_fast64_t version;
    atomic_bool busy;   /* an edit is under way */
    atomic_bool unsure; /* the outcome of the last edit is not known */
    atomic_bool ended;  /* the subscription is over */
    /* Whoever set |busy|, and the loop's thread before it clears that. */
    uint64_t applied;              /* the last seq in the log */
    struct weft_client_edit *edit; /* the one under way */
    /* The loop's thread. */
    bool opening;           /* the answer to doc.open has not come */
    bool gone;              /* closed in one of its own callbacks */
    unsigned depth;         /* callbacks running */
    struct weft_list early; /* operations that came before their turn */
    size_t early_count;
};

/* Tells the server that nobody listens to the document called |name| any more. */
void weft__client_doc_unsubscribe(struct weft_client *client, const char *name);

/* Frees |doc|, which is in no list. */
void weft__client_doc_free(struct weft_client_doc *doc);

/* Brackets a callback of |doc|, in which it may be closed. Leaving frees a document that was. */
void weft__client_doc_enter(struct weft_client_doc *doc);
void weft__client_doc_leave(struct weft_client_doc *doc);

/* The document called |name|, or NULL. */
struct weft_client_doc *weft__client_doc_find(const struct weft_client *client,
                                              struct weft_slice name);

/* ---- doc_notify.c ---- */

/* Registers the notifications of documents. **Errors:** WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__client_docs_register(struct weft_client *client);

/* An edit is over: tells the operations that had to wait for it. What still waits can only wait for
 * an operation that never comes, which ends the subscription. Called between enter and leave. */
void weft__client_doc_edit_over(struct weft_client_doc *doc);

/* Takes all operations that came early away. */
void weft__client_doc_forget_early(struct weft_client_doc *doc);

/* Ends the subscription of |doc|, or of all documents, for |reason|. */
void weft__client_doc_end(struct weft_client_doc *doc, const char *reason);
void weft__client_docs_end(struct weft_client *client, const char *reason);

#endif
