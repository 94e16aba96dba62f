/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls, both ways: methods that a server or a client serves, and the other end of a connection as
 * something that can be called. Servers and clients use the same functions.
 *
 *   struct weft_method ─ options.methods ─► the other side calls it ─► handler(call)
 *                                                                        ├─ weft_call_finish, _fail
 *                                                                        └─ weft_call_keep … later,
 *                                                                           from any thread
 *   weft_call_peer, weft_client_peer ─► struct weft_peer ─► weft_peer_call, weft_peer_notify
 *
 * Parameters and results are JSON. **Thread:** every function here may be called from any thread
 * unless it says otherwise; callbacks come on the thread of the connection, must not block, and may
 * call anything but the functions that end in `_wait`. Since: 0.1.
 */
#ifndef WEFT_RPC_H
#define WEFT_RPC_H

#include <stddef.h>
#include <stdint.h>
#include <weft/alloc.h>
#include <weft/err.h>
#include <weft/export.h>

#ifdef __cplusplus
extern "C" {
#endif

struct weft_call;
struct weft_peer;

/* ---- Answers ---- */

/* Whether a method ran that was answered with an error. Only NO may be tried again as it is. */
enum weft_executed { WEFT_EXECUTED_UNKNOWN = 0, WEFT_EXECUTED_NO = 1, WEFT_EXECUTED_YES = 2 };

/*
 * How a call ended: with a result, or with a status that is not 0. A call that ends on this side
 * has one, too: `deadline_exceeded` when its time was over, `unavailable` when the connection is.
 * Made by the library alone; it may grow at its end. Strings end with a zero byte and are never
 * NULL but for |result|.
 */
struct weft_answer {
    int status;              /* enum weft_status; 0: a result */
    const char *result;      /* JSON; NULL for an error */
    size_t result_len;       /* bytes of |result| */
    const char *message;     /* for people; "" when there is none */
    const char *reason;      /* stable detail to branch on, "weft.doc.seq_gap"; "" when none */
    const char *data;        /* all the error says about itself, JSON; "" when it says nothing */
    size_t data_len;         /* bytes of |data| */
    int executed;            /* enum weft_executed */
    int retryable;           /* not 0: the server thinks it may work later */
    uint64_t retry_after_ms; /* 0: no hint */
};

/* Called exactly once for each call that was started. **Lifetime:** |answer| until it returns. */
typedef void weft_answer_fn(void *ctx, const struct weft_answer *answer);

/* Frees what a `_wait` function returned. NULL is allowed. */
WEFT_API void weft_answer_free(struct weft_answer *answer);

/* ---- Serving ---- */

enum weft_method_flags {
    /* The handler may block: it runs on one of the server's or client's pool threads. */
    WEFT_METHOD_BLOCKING = 1,
    /* Takes items beside the call, and gives some before its answer (weft/stream.h). The caller has
     * to greet for either. */
    WEFT_METHOD_RECEIVES = 2,
    WEFT_METHOD_SENDS = 4
};

/*
 * Serves one call or notification. It answers with weft_call_finish or weft_call_fail before it
 * returns, or takes weft_call_keep and answers later. A call that nobody can answer any more is
 * answered `internal`. Notifications are served in the same way, and their answers go nowhere.
 * **Lifetime:** |call| until it returns, longer with weft_call_keep. **Thread:** that of the
 * connection, which must not be blocked; with WEFT_METHOD_BLOCKING one of the pool.
 */
typedef void weft_handler_fn(struct weft_call *call, void *ctx);

/* A method that is served. Zero what is not used. */
struct weft_method {
    const char *name; /* letters, digits and `. _ - /`, at most 128, a letter first: "chat.send",
                         "acme.chat.v1.Chat/Send" */
    weft_handler_fn *handler;
    void *ctx;
    unsigned flags;      /* enum weft_method_flags */
    const char *summary; /* a few words for people (`weft describe`); may be NULL */
    void *reserved[3];   /* NULL */
};

/* The full name of the method, and the parameters: JSON, an array or an object, with a zero byte
 * behind it; "" when there are none. |ret_len| may be NULL. **Lifetime:** the call's. */
WEFT_API const char *weft_call_method(const struct weft_call *call);
WEFT_API const char *weft_call_params(const struct weft_call *call, size_t *ret_len);

/* Milliseconds until the caller stops waiting; UINT64_MAX when it waits for ever, 0 when it does
 * not wait any more. */
WEFT_API uint64_t weft_call_time_left_ms(const struct weft_call *call);

/* The idempotency key and the W3C trace context that came with it; "" when none did.
 * **Lifetime:** the call's. */
WEFT_API const char *weft_call_idempotency_key(const struct weft_call *call);
WEFT_API const char *weft_call_traceparent(const struct weft_call *call);

/* Who calls, and the tenant whose data is meant: what weft_server_options.authenticate said about
 * the caller when the call came. "anonymous" and "" where nobody signs in, and on a client.
 * **Lifetime:** the call's. */
WEFT_API const char *weft_call_subject(const struct weft_call *call);
WEFT_API const char *weft_call_tenant(const struct weft_call *call);

/* Not 0 for a notification: nobody waits for an answer. */
WEFT_API int weft_call_is_notification(const struct weft_call *call);

/* Who calls. **Lifetime:** the call's; longer with weft_peer_ref. */
WEFT_API struct weft_peer *weft_call_peer(const struct weft_call *call);

/* Memory that is freed with the call, aligned for anything; NULL when there is none. **Thread:** by
 * one at a time. */
WEFT_API void *weft_call_alloc(struct weft_call *call, size_t size);

/* Not 0 when the work is no longer wanted: canceled, late, or the caller is gone. */
WEFT_API int weft_call_is_canceled(const struct weft_call *call);

/*
 * |fn| is told, once and on the connection's thread, when the work is no longer wanted; at once
 * when that is so already. A call that was canceled by its caller is still to be answered, at best
 * with `canceled`; without |fn| that happens by itself. To be set before the handler returns or the
 * call is answered. **Thread:** that of the handler.
 */
WEFT_API void weft_call_on_cancel(struct weft_call *call,
                                  void (*fn)(struct weft_call *call, void *ctx), void *ctx);

/* The call lives on after its handler has returned, until weft_call_release. Returns |call|. */
WEFT_API struct weft_call *weft_call_keep(struct weft_call *call);

/* Gives up what weft_call_keep took. The last one answers `internal` when nobody has answered, and
 * `resource_exhausted` when somebody tried and had no memory. NULL is allowed. */
WEFT_API void weft_call_release(struct weft_call *call);

/*
 * Answers with |result|, one JSON value; NULL is null. Copied.
 * **Errors:** WEFT_ERR_JSON (the call is not answered then), WEFT_ERR_TOO_BIG (the server takes no
 * such message; not answered), WEFT_ERR_STATE (answered before), WEFT_ERR_CLOSED (nobody waits any
 * more: no mistake), WEFT_ERR_NOMEM (not answered).
 */
WEFT_API int weft_call_finish(struct weft_call *call, const char *result);

/* A rule that a parameter breaks. */
struct weft_violation {
    const char *field; /* "user.name" */
    const char *rule;  /* "string.max_len" */
};

/* Why a call fails. All zero but |status| is complete. */
struct weft_failure {
    int status;          /* enum weft_status, not OK */
    const char *message; /* for people; NULL: the name of the status */
    const char *reason;  /* stable detail to branch on, "shop.sold_out"; NULL: none */
    const char *details; /* JSON for the application; NULL: none */
    const struct weft_violation *violations;
    size_t violation_count;
    int retryable;           /* not 0: may work later; so do unavailable and resource_exhausted */
    uint32_t retry_after_ms; /* 0: no hint */
    int executed;            /* enum weft_executed; 0: as the status suggests */
    void *reserved[2];       /* NULL */
};

/* Answers with an error; |failure| is copied. **Errors:** as weft_call_finish, and WEFT_ERR_USAGE
 * (no such status), WEFT_ERR_UTF8 (a string; not answered). */
WEFT_API int weft_call_fail(struct weft_call *call, const struct weft_failure *failure);

/* ---- Calling ---- */

/* One more reference, and one less; the last one frees it. NULL is allowed. A peer whose connection
 * (or session) is over can be kept; calls to it end `unavailable`. */
WEFT_API struct weft_peer *weft_peer_ref(struct weft_peer *peer);
WEFT_API void weft_peer_unref(struct weft_peer *peer);

struct weft_call_options {
    size_t struct_size;  /* set by weft_call_options_init */
    uint32_t timeout_ms; /* 0: 30,000 */
    /* 1 to 128 visible characters of ASCII that nobody can guess, such as a UUID: the call is
     * executed at most once however often it is made with this key, and gets the same answer for a
     * day. NULL: none. */
    const char *idempotency_key;
    const char *traceparent; /* NULL: none */
    /* weft_peer_open: items, and bytes of them, that may be under way to us. At least what the
     * greeting says (16 and 65,536), which is also meant by 0. */
    uint32_t window_items;
    uint32_t window_bytes;
};

WEFT_API void weft_call_options_init(struct weft_call_options *options);

/*
 * Calls |method| of the other side with |params|, a JSON array or object, or NULL for none.
 * |options| may be NULL, and so may |answer|. Strings are copied.
 * **Errors:** WEFT_ERR_JSON (|params|), WEFT_ERR_USAGE (an empty method, an unfit key, |params|
 * is no array or object), WEFT_ERR_UTF8, WEFT_ERR_TOO_BIG (more than the server takes in a
 * message), WEFT_ERR_CLOSED (the server or client has ended), WEFT_ERR_NOMEM; |answer| is not
 * called then.
 */
WEFT_API WEFT_MUST_USE int weft_peer_call(struct weft_peer *peer, const char *method,
                                          const char *params,
                                          const struct weft_call_options *options,
                                          weft_answer_fn *answer, void *ctx);

/* The same, and waits for the answer, also one with an error; free it with weft_answer_free.
 * **Errors:** as weft_peer_call, and WEFT_ERR_STATE on a connection's thread. **Thread:** any but
 * those of connections: a handler that waits has WEFT_METHOD_BLOCKING. */
WEFT_API WEFT_MUST_USE int weft_peer_call_wait(struct weft_peer *peer, const char *method,
                                               const char *params,
                                               const struct weft_call_options *options,
                                               struct weft_answer **ret_answer);

/* Sends a notification, which has no answer. **Errors:** as weft_peer_call. */
WEFT_API WEFT_MUST_USE int weft_peer_notify(struct weft_peer *peer, const char *method,
                                            const char *params);

#ifdef __cplusplus
}
#endif

#endif
