/* SPDX-License-Identifier: Apache-2.0 */
/* Messages for many receivers: their making, their references, their second form. */
#include "ws/message.h"

struct weft_ws_message *weft__ws_message_of_frame(const struct weft_alloc *alloc,
                                                  struct weft_buf *frame)
{
    struct weft_ws_head head;
    ptrdiff_t used = weft__ws_head_decode(weft__buf_data(frame), frame->len, &head);
    WEFT_ASSERT(used > 0 && !head.masked && (uint64_t)used + head.len == frame->len);
    struct weft_ws_message *message = weft__mem_zalloc(alloc, sizeof(*message));
    if (!message)
        return NULL;
    message->alloc = alloc;
    atomic_init(&message->refs, 1);
    message->opcode = head.opcode;
    message->plain = weft__buf_ref(frame);
    message->payload_at = (size_t)used;
    atomic_init(&message->chosen, NULL);
    atomic_init(&message->recoded, NULL);
    return message;
}

struct weft_ws_message *weft__ws_message_new(const struct weft_alloc *alloc,
                                             enum weft_ws_opcode opcode, struct weft_slice payload)
{
    uint8_t head[WEFT_WS_HEAD_MAX];
    const struct weft_ws_head fields = {.len = payload.len, .opcode = (uint8_t)opcode, .fin = true};
    size_t head_len = weft__ws_head_encode(&fields, head);
    size_t len;
    if (WEFT_ADD_OVERFLOW(payload.len, head_len, &len))
        return NULL;
    struct weft_buf *frame = weft__buf_new(alloc, len);
    if (!frame)
        return NULL;
    memcpy(weft__buf_data(frame), head, head_len);
    weft__mem_copy(weft__buf_data(frame) + head_len, payload.ptr, payload.len);
    struct weft_ws_message *message = weft__ws_message_of_frame(alloc, frame);
    weft__buf_unref(frame);
    return message;
}

struct weft_ws_message *weft__ws_message_ref(struct weft_ws_message *message)
{
    unsigned before = atomic_fetch_add_explicit(&message->refs, 1, memory_order_relaxed);
    WEFT_ASSERT(before > 0 && before < 0x7fffffffu);
    return message;
}

void weft__ws_message_unref(struct weft_ws_message *message)
{
    if (!message || atomic_fetch_sub_explicit(&message->refs, 1, memory_order_acq_rel) != 1)
        return;
    weft__buf_unref(atomic_load_explicit(&message->chosen, memory_order_relaxed));
    weft__ws_message_unref(atomic_load_explicit(&message->recoded, memory_order_relaxed));
    weft__buf_unref(message->plain);
    weft__mem_free(message->alloc, message, sizeof(*message));
}

void weft__ws_message_set_deflated(struct weft_ws_message *message, struct weft_buf *frame)
{
    struct weft_buf *none = NULL;
    struct weft_buf *chosen = frame ? frame : message->plain;
    /* Before it is stored: whoever sees it may drop the last reference to the message. */
    (void)weft__buf_ref(chosen);
    if (!atomic_compare_exchange_strong_explicit(&message->chosen, &none, chosen,
                                                 memory_order_acq_rel, memory_order_acquire))
        weft__buf_unref(chosen);
}

void weft__ws_message_set_recoded(struct weft_ws_message *message, struct weft_ws_message *recoded)
{
    struct weft_ws_message *none = NULL;
    if (!atomic_compare_exchange_strong_explicit(&message->recoded, &none, recoded,
                                                 memory_order_acq_rel, memory_order_acquire))
        weft__ws_message_unref(recoded);
}
