/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A message for many receivers: its frame is encoded once, compressed at most once, and shared by
 * reference between connections and threads.
 *
 *   weft__ws_message_new ─► plain frame, the same bytes for every receiver (servers do not mask)
 *                        ├► deflated frame: made by whoever needs it first, kept for the others
 *                        └► recoded: the same said on another wire, a message of its own; likewise
 *
 * The deflated frame stands alone (RFC 7692 §7.2.3.3: nothing before it is referred to), so it is
 * right for every receiver that negotiated permessage-deflate and whose window holds the payload.
 *
 * **Thread:** references, the deflated frame and the recoded message may be taken, set and dropped
 * on any thread.
 */
#ifndef WEFT_WS_MESSAGE_H
#define WEFT_WS_MESSAGE_H

#include "base/buf.h"
#include "ws/frame.h"

struct weft_ws_message {
    const struct weft_alloc *alloc;
    atomic_uint refs;
    uint8_t opcode;         /* enum weft_ws_opcode: text or binary */
    struct weft_buf *plain; /* the whole frame */
    size_t payload_at;      /* where in |plain| the payload begins */
    /* What compressing gave: the deflated frame, or |plain| when it did not pay; NULL: not tried.
     * Once set it stays, since those who pack frames count on lengths that they added up before. */
    _Atomic(struct weft_buf *) chosen;
    _Atomic(struct weft_ws_message *) recoded; /* NULL: not made. Once set it stays */
};

/* A message with one reference, holding a copy of |payload|. |alloc| is thread-safe. NULL when out
 * of memory. */
struct weft_ws_message *weft__ws_message_new(const struct weft_alloc *alloc,
                                             enum weft_ws_opcode opcode, struct weft_slice payload);

/* The same around |frame|, one whole frame without a mask: takes a reference to it. */
struct weft_ws_message *weft__ws_message_of_frame(const struct weft_alloc *alloc,
                                                  struct weft_buf *frame);

/* Takes one more reference and returns |message|. */
struct weft_ws_message *weft__ws_message_ref(struct weft_ws_message *message);

/* Drops one reference; the last one frees it. NULL is allowed. */
void weft__ws_message_unref(struct weft_ws_message *message);

/* **Lifetime:** the message's. */
static inline struct weft_slice weft__ws_message_payload(const struct weft_ws_message *message)
{
    return weft__slice(weft__buf_data(message->plain) + message->payload_at,
                       message->plain->len - message->payload_at);
}

/* Whether somebody tried to compress it already. */
static inline bool weft__ws_message_tried(const struct weft_ws_message *message)
{
    return atomic_load_explicit(&message->chosen, memory_order_acquire) != NULL;
}

/* The deflated frame, or NULL: not made, or larger than the plain one. **Lifetime:** the
 * message's. */
static inline struct weft_buf *weft__ws_message_deflated(const struct weft_ws_message *message)
{
    struct weft_buf *chosen = atomic_load_explicit(&message->chosen, memory_order_acquire);
    return chosen == message->plain ? NULL : chosen;
}

/* Says what compressing gave: |frame|, of which a reference is taken, or NULL when it did not pay.
 * Of two that did it at the same time the first is kept. */
void weft__ws_message_set_deflated(struct weft_ws_message *message, struct weft_buf *frame);

/* The same on the other wire, or NULL: nobody made it. **Lifetime:** the message's. */
static inline struct weft_ws_message *
weft__ws_message_recoded(const struct weft_ws_message *message)
{
    return atomic_load_explicit(&message->recoded, memory_order_acquire);
}

/* Says what |message| is on the other wire: takes over the reference to |recoded|. Of two that did
 * it at the same time the first is kept. */
void weft__ws_message_set_recoded(struct weft_ws_message *message, struct weft_ws_message *recoded);

#endif
