/* SPDX-License-Identifier: Apache-2.0 */
/* Compression of transports: negotiation by the set's options, and shared messages. */
#include "transport/deflate.h"

static bool wants_takeover(const struct weft_transport_set *set)
{
    return set->options.deflate == WEFT_TRANSPORT_DEFLATE_TAKEOVER;
}

struct weft_ws_deflate_params
weft__transport_deflate_answer(const struct weft_transport_set *set,
                               const struct weft_ws_deflate_params *offer)
{
    if (set->options.deflate == WEFT_TRANSPORT_DEFLATE_OFF)
        return (struct weft_ws_deflate_params){0};
    return weft__ws_deflate_answer(offer, wants_takeover(set));
}

struct weft_ws_deflate_params weft__transport_deflate_offer(const struct weft_transport_set *set)
{
    if (set->options.deflate == WEFT_TRANSPORT_DEFLATE_OFF)
        return (struct weft_ws_deflate_params){0};
    return (struct weft_ws_deflate_params){
        .on = true,
        .server_no_takeover = !wants_takeover(set),
        .client_no_takeover = !wants_takeover(set),
        /* RFC 7692 §7.1.2.2: a server may ask for a smaller window only when this is there. */
        .client_bits = WEFT_WS_DEFLATE_BITS_ANY,
    };
}

void weft__transport_deflate_begin(struct weft_transport *t,
                                   const struct weft_ws_deflate_params *answer)
{
    struct weft_ws_deflate deflate =
        weft__ws_deflate_agreed(answer, t->role == WEFT_WS_ROLE_SERVER, wants_takeover(t->set));
    weft__ws_conn_set_deflate(&t->ws, &deflate);
    if (deflate.on)
        t->set->stats.deflate_upgrades++;
}

enum weft_transport_variant weft__transport_variant(const struct weft_transport *t)
{
    if (!t->is_ws || !t->ws.deflate.on)
        return WEFT_TRANSPORT_PLAIN;
    if (t->ws.deflate.out_takeover || t->ws.deflate.out_bits < WEFT_DEFLATE_BITS_MAX)
        return WEFT_TRANSPORT_OWN;
    return WEFT_TRANSPORT_DEFLATED;
}

/* The deflated frame of |message|, or NULL. */
static struct weft_buf *make_deflated(struct weft_transport_set *set,
                                      const struct weft_ws_message *message)
{
    struct weft_slice payload = weft__ws_message_payload(message);
    if (payload.len < set->options.deflate_min ||
        payload.len > SIZE_MAX - WEFT_WS_HEADROOM - WEFT_DEFLATE_SLACK)
        return NULL;
    struct weft_buf *room =
        weft__buf_new(message->alloc, WEFT_WS_HEADROOM + payload.len + WEFT_DEFLATE_SLACK);
    if (!room)
        return NULL;
    uint8_t *deflated = weft__buf_data(room) + WEFT_WS_HEADROOM;
    size_t len = weft__deflate(&set->deflate, WEFT_DEFLATE_BITS_MAX, weft__slice(NULL, 0), payload,
                               deflated);
    struct weft_buf *frame = NULL;
    if (len)
        frame = weft__buf_new_copy(
            message->alloc,
            weft__ws_frame_seal(deflated, len, message->opcode | (unsigned)WEFT_WS_COMPRESSED,
                                true));
    weft__buf_unref(room);
    return frame;
}

void weft__transport_deflate_shared(struct weft_transport_set *set, struct weft_ws_message *message)
{
    if (weft__ws_message_tried(message))
        return;
    struct weft_buf *frame = make_deflated(set, message);
    weft__ws_message_set_deflated(message, frame);
    weft__buf_unref(frame);
}
