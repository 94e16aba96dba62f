/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The items that flow beside a call, before its answer: from the caller (uploads), to the caller
 * (tokens, rows, progress), or both ways at once. Servers and clients use the same functions.
 *
 *   caller   weft_peer_open ──► struct weft_stream ──► send … end,  receive …,  answer
 *   handler  weft_call_stream ─► struct weft_stream ──► receive …,   send …,    weft_call_finish
 *
 * Items are JSON values. Each direction has a window: so many items and bytes may be under way that
 * the other side has not received yet, so a slow receiver slows the sender down and nothing piles
 * up. Nothing here blocks but the functions that end in `_wait`; the others return WEFT_ERR_AGAIN
 * when they would have to, and weft_stream_on_ready tells when to come back.
 *
 * **Thread:** any, unless a function says otherwise. Items that one thread sends arrive in that
 * order. Since: 0.1.
 */
#ifndef WEFT_STREAM_H
#define WEFT_STREAM_H

#include <weft/rpc.h>

#ifdef __cplusplus
extern "C" {
#endif

struct weft_stream;

/* One item that came. */
struct weft_item {
    const char *value; /* JSON, with a zero byte behind it */
    size_t len;        /* bytes of it */
};

/* NULL is allowed. */
WEFT_API void weft_item_free(struct weft_item *item);

/* ---- A call with items ---- */

/*
 * Calls |method| like weft_peer_call, and opens the items beside it; also for a method without any,
 * to be able to cancel it. A timeout of 0 means none: the call lasts until it is answered, canceled
 * or its connection (or session) is over, or there is no memory for an item (`resource_exhausted`).
 * |*ret_stream| is the caller's to give up with weft_stream_unref. Whatever goes wrong later is
 * told by the answer.
 * **Errors:** as weft_peer_call.
 */
WEFT_API WEFT_MUST_USE int weft_peer_open(struct weft_peer *peer, const char *method,
                                          const char *params,
                                          const struct weft_call_options *options,
                                          struct weft_stream **ret_stream);

/* No more items follow from this side of a call made with weft_peer_open; what was sent still
 * arrives. A handler says it with its answer. Harmless when it was said, or the call is over. */
WEFT_API void weft_stream_end(struct weft_stream *stream);

/* Gives up a call made with weft_peer_open: its answer is `canceled`, unless another is already
 * here. Items that were not received are dropped. */
WEFT_API void weft_stream_cancel(struct weft_stream *stream);

/* How the call made with weft_peer_open ended; NULL while it has not. It may be here before the
 * last items have been received. **Lifetime:** that of |stream|. */
WEFT_API const struct weft_answer *weft_stream_answer(struct weft_stream *stream);

/* Waits for the answer and drops the items that come until then, and those not received.
 * **Errors:** WEFT_ERR_STATE (a connection's thread, a handler's stream), WEFT_ERR_NOMEM (there was
 * no memory for the answer). **Thread:** any but those of connections. **Lifetime:** as above. */
WEFT_API WEFT_MUST_USE int weft_stream_answer_wait(struct weft_stream *stream,
                                                   const struct weft_answer **ret_answer);

/* ---- A handler's items ---- */

/* The items beside |call|, whose method has WEFT_METHOD_RECEIVES or WEFT_METHOD_SENDS; NULL
 * otherwise. What was sent leaves before the answer. **Lifetime:** the call's; longer with
 * weft_stream_ref. */
WEFT_API struct weft_stream *weft_call_stream(const struct weft_call *call);

/* ---- Both ---- */

/* One more reference, and one less. A call made with weft_peer_open that nobody refers to any more
 * is canceled. NULL is allowed. */
WEFT_API struct weft_stream *weft_stream_ref(struct weft_stream *stream);
WEFT_API void weft_stream_unref(struct weft_stream *stream);

/*
 * Sends |value|, one JSON value; copied. Some 256 KiB wait on this side when the other one is slow.
 * **Errors:** WEFT_ERR_AGAIN (so much waits; not sent), WEFT_ERR_JSON, WEFT_ERR_TOO_BIG (more
 * than the server takes in a message; not sent), WEFT_ERR_STATE (this side has ended or answered,
 * or the method takes no items), WEFT_ERR_CLOSED (nobody takes items any more: the call is over),
 * WEFT_ERR_NOMEM.
 */
WEFT_API WEFT_MUST_USE int weft_stream_send(struct weft_stream *stream, const char *value);

/* The same, and waits for room. **Errors:** as weft_stream_send without WEFT_ERR_AGAIN, and
 * WEFT_ERR_STATE on a connection's thread. **Thread:** any but those of connections. */
WEFT_API WEFT_MUST_USE int weft_stream_send_wait(struct weft_stream *stream, const char *value);

/*
 * Takes the next item: |*ret_item|, to be freed with weft_item_free; NULL when there are no more.
 * Taking an item lets the other side send another one.
 * **Errors:** WEFT_ERR_AGAIN (none is here yet), WEFT_ERR_CLOSED (in a handler: the work is no
 * longer wanted, or was answered).
 */
WEFT_API WEFT_MUST_USE int weft_stream_receive(struct weft_stream *stream,
                                               struct weft_item **ret_item);

/* The same, and waits for one. **Errors:** WEFT_ERR_CLOSED, and WEFT_ERR_STATE on a connection's
 * thread. **Thread:** any but those of connections. */
WEFT_API WEFT_MUST_USE int weft_stream_receive_wait(struct weft_stream *stream,
                                                    struct weft_item **ret_item);

/*
 * |fn| is called on the connection's thread, and must not block, when one of these comes true: an
 * item can be received where there was none, the items have ended, there is room after a send that
 * was refused, the call is over, the answer is here. It is called once soon after it was set, too.
 * NULL takes it away, though a call of it may just be running. Another one replaces it.
 */
WEFT_API void weft_stream_on_ready(struct weft_stream *stream,
                                   void (*fn)(struct weft_stream *stream, void *ctx), void *ctx);

#ifdef __cplusplus
}
#endif

#endif
