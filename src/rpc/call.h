/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call being served, as its handler sees it. The handler answers exactly once: before it returns,
 * or later after weft__rpc_call_defer.
 *
 *   handler ──► answer                                     answered, gone when the handler returns
 *           ├─► defer ──► … ──► answer                     gone with the answer
 *           ├─► defer, the handler returns
 *           │      └─► cancel callback ──► … ──► answer    see weft_rpc_cancel_fn
 *           └─► neither                                    answered `internal`
 *
 * "Answer" is one of weft__rpc_call_result, _error, _fail, _drop and weft__rpc_reply_send;
 * answering a second time is a mistake and asserted. A notification is served in the same way and
 * its answer thrown away, so a handler need not know the difference.
 *
 * **Lifetime:** slices and trees of a call live until the handler first returns; deferring copies
 * them, and then they live until the answer. A deferred call must be answered even when its peer is
 * gone (nothing is sent then). **Thread:** that of the peer.
 */
#ifndef WEFT_RPC_CALL_H
#define WEFT_RPC_CALL_H

#include "base/list.h"
#include "base/map.h"
#include "base/timer.h"
#include "rpc/frame.h"
#include "rpc/registry.h"
#include "rpc/stream.h"

struct weft_rpc_batch;
struct weft_rpc_env;
struct weft_rpc_idem_entry;
struct weft_rpc_order;
struct weft_rpc_peer;

/*
 * Tells the holder of a deferred call that nobody waits for the work any more. |status|:
 *   CANCELED           the caller sent `$/cancel` and still waits for an answer: whatever comes
 *                      first, a result or `canceled`;
 *   DEADLINE_EXCEEDED  the caller's time is over, it has been answered;
 *   UNAVAILABLE        the peer is gone.
 * The callback may answer the call, or leave that for later. It is called at most once for each
 * status, and never after the answer.
 */
typedef void weft_rpc_cancel_fn(struct weft_rpc_call *call, int status, void *ctx);

/* What the items of a call are given to. Each may be NULL; |ctx| is that of weft__rpc_call_defer.
 * Any of them may send, end or answer. */
struct weft_rpc_stream_ops {
    /* The next item. **Lifetime:** |value| until it returns. */
    void (*item)(struct weft_rpc_call *call, const struct weft_json *value, void *ctx);
    /* There are no more items. */
    void (*end)(struct weft_rpc_call *call, void *ctx);
    /* After weft__rpc_call_send returned WEFT_ERR_LIMIT: there is credit. */
    void (*writable)(struct weft_rpc_call *call, void *ctx);
};

/* Read it through the functions below. */
struct weft_rpc_call {
    uint32_t magic;
    bool running;  /* the handler has not returned */
    bool deferred; /* the handler wants to answer later, or the call waits for its turn */
    bool waiting;  /* for its turn, or has had it and was not deferred by the handler */
    bool answered; /* by the handler */
    bool settled;  /* the peer expects no answer: it has one, or never wanted one, or is gone */
    bool canceled;
    bool resolved;       /* |method| is one of env->resolver, to be given back */
    uint8_t intercepted; /* interceptors that were asked */
    struct weft_rpc_env *env;
    struct weft_rpc_peer *peer; /* NULL when it is gone */
    const struct weft_rpc_wire *wire;
    struct weft_rpc_batch *batch;
    const struct weft_rpc_method *method;
    struct weft_rpc_id id; /* empty for a notification */
    const struct weft_json *params;
    struct weft_rpc_meta meta;
    uint64_t now_ns;
    uint64_t deadline_ns;
    weft_rpc_cancel_fn *cancel;
    void *ctx;                      /* of |cancel| and |stream_ops| */
    struct weft_rpc_stream *stream; /* NULL unless the method has items */
    const struct weft_rpc_stream_ops *stream_ops;
    struct weft_map_node node; /* among the peer's deferred calls, by id */
    struct weft_list link;     /* among the peer's deferred calls and notifications */
    struct weft_timer timer;
    struct weft_rpc_order *order; /* it runs or waits in; NULL: none */
    struct weft_list order_link;
    struct weft_rpc_idem_entry *idem; /* where its answer is kept; NULL: nowhere */
    uint64_t started_ns;              /* by env->clock */
    void *copy;                       /* what a deferred call keeps of its message */
    size_t copy_size;
};

/* The method's full name, whatever alias it was called by. */
static inline const char *weft__rpc_call_method(const struct weft_rpc_call *call)
{
    return call->method->name;
}

/* An array or an object, or NULL when there are no parameters. */
static inline const struct weft_json *weft__rpc_call_params(const struct weft_rpc_call *call)
{
    return call->params;
}

/* True for a notification: answers go nowhere. */
static inline bool weft__rpc_call_is_notification(const struct weft_rpc_call *call)
{
    return call->id.raw.len == 0;
}

/* Timeout, idempotency key and trace of the call; empty for a peer without greeting. */
static inline const struct weft_rpc_meta *weft__rpc_call_meta(const struct weft_rpc_call *call)
{
    return &call->meta;
}

/* When the caller stops waiting, or UINT64_MAX. */
static inline uint64_t weft__rpc_call_deadline_ns(const struct weft_rpc_call *call)
{
    return call->deadline_ns;
}

/* The time at which the call arrived. */
static inline uint64_t weft__rpc_call_now_ns(const struct weft_rpc_call *call)
{
    return call->now_ns;
}

/* Who called; NULL once the peer is gone. */
static inline struct weft_rpc_peer *weft__rpc_call_peer(const struct weft_rpc_call *call)
{
    return call->peer;
}

/* True when the work is no longer wanted (see weft_rpc_cancel_fn). */
static inline bool weft__rpc_call_is_canceled(const struct weft_rpc_call *call)
{
    return call->canceled;
}

/* What the owner of the peer keeps for it: its principal, its connection. NULL once it is gone. */
void *weft__rpc_call_user(const struct weft_rpc_call *call);

/*
 * Lets the handler return without an answer and keeps the call, its parameters copied. To be called
 * by the handler, once. |cancel| may be NULL; then a `$/cancel` is answered `canceled` at once.
 * **Errors:** WEFT_ERR_NOMEM; the call must be answered before the handler returns then.
 */
WEFT_MUST_USE int weft__rpc_call_defer(struct weft_rpc_call *call, weft_rpc_cancel_fn *cancel,
                                       void *ctx);

/*
 * Receives and sends items beside a deferred call of a method with WEFT_RPC_METHOD_RECEIVES or
 * _SENDS. To be called by the handler, after weft__rpc_call_defer. |ops| must outlive the call; the
 * peer grants credit as soon as ops->item returns.
 */
void weft__rpc_call_stream(struct weft_rpc_call *call, const struct weft_rpc_stream_ops *ops);

/* From now on credit is granted only for what weft__rpc_call_consumed says. */
void weft__rpc_call_hold_credit(struct weft_rpc_call *call);

/* |items| of together |bytes| (of their JSON) have been dealt with; after
 * weft__rpc_call_hold_credit. */
void weft__rpc_call_consumed(struct weft_rpc_call *call, uint64_t items, uint64_t bytes);

/* How much the caller may have under way; more than the greeting says makes fast streams. */
void weft__rpc_call_set_window(struct weft_rpc_call *call, uint32_t items, uint32_t bytes);

/*
 * Sends an item, one complete JSON value that the caller vouches for. The answer ends the stream.
 * **Errors:** WEFT_ERR_LIMIT without credit (ops->writable follows), WEFT_ERR_STATE when nobody
 * waits for items any more or the method sends none.
 */
WEFT_MUST_USE int weft__rpc_call_send(struct weft_rpc_call *call, struct weft_slice value);

/* Answers with |result|, one complete JSON value that the caller vouches for. */
void weft__rpc_call_result(struct weft_rpc_call *call, struct weft_slice result);

/* Answers with an error. |reason| and |message| may be NULL. */
void weft__rpc_call_error(struct weft_rpc_call *call, int status, const char *reason,
                          const char *message);

/* Answers with an error that says more. */
void weft__rpc_call_fail(struct weft_rpc_call *call, const struct weft_rpc_failure *failure);

/* Answers `internal`: for a holder that has to give up. NULL is allowed. */
void weft__rpc_call_drop(struct weft_rpc_call *call);

/* An answer written piece by piece; on the stack of whoever answers. */
struct weft_rpc_reply {
    struct weft_rpc_call *call;
    struct weft_rpc_head head;
    struct weft_bytes out;
    size_t payload_at;
    struct weft_json_writer json;
};

/* Starts a result; the caller writes one value with the writer returned, then calls
 * weft__rpc_reply_send. The call must not be answered in another way in between. */
struct weft_json_writer *weft__rpc_reply_begin(struct weft_rpc_reply *reply,
                                               struct weft_rpc_call *call);

/* Answers with what was written; `internal` when that failed. */
void weft__rpc_reply_send(struct weft_rpc_reply *reply);

#endif
