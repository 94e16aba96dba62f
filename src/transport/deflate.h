/* SPDX-License-Identifier: Apache-2.0 */
/*
 * permessage-deflate (RFC 7692) of transports: what is negotiated, and frames for many receivers.
 * The machines belong to the set: a connection that negotiated it without contexts costs what any
 * other costs.
 *
 * **Thread:** the loop's.
 */
#ifndef WEFT_TRANSPORT_DEFLATE_H
#define WEFT_TRANSPORT_DEFLATE_H

#include "transport/transport.h"
#include "ws/message.h"

/* Which form of a message for many receivers is right for one of them. */
enum weft_transport_variant {
    WEFT_TRANSPORT_PLAIN,    /* the plain frame */
    WEFT_TRANSPORT_DEFLATED, /* the deflated one if there is one, else the plain */
    WEFT_TRANSPORT_OWN,      /* weft__transport_send: it has a context, or too small a window */
};

/* For |transport|, from on_open on. */
enum weft_transport_variant weft__transport_variant(const struct weft_transport *transport);

/* Makes the deflated frame of |message| unless somebody tried before; it has none afterwards when
 * it is short, does not get smaller, or memory is short. */
void weft__transport_deflate_shared(struct weft_transport_set *set,
                                    struct weft_ws_message *message);

/* What a server of |set| answers to |offer|, and what a client of it offers. */
struct weft_ws_deflate_params
weft__transport_deflate_answer(const struct weft_transport_set *set,
                               const struct weft_ws_deflate_params *offer);
struct weft_ws_deflate_params weft__transport_deflate_offer(const struct weft_transport_set *set);

/* |answer| was sent or received: messages are compressed as it says. */
void weft__transport_deflate_begin(struct weft_transport *transport,
                                   const struct weft_ws_deflate_params *answer);

#endif
