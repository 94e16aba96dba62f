/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the transport share: transport.c is its life and its clock, head.c
 * the HTTP head phase, messages.c messages and output. Not for others. */
#ifndef WEFT_TRANSPORT_CORE_H
#define WEFT_TRANSPORT_CORE_H

#include "transport/transport.h"

/* ---- transport.c ---- */

/* Sets the timer that belongs to the state. */
void weft__transport_arm(struct weft_transport *t);

/* Closes the socket; on_closed follows with |err|. Without effect when it is closed. */
void weft__transport_finish(struct weft_transport *t, int err);

/* Output still goes out, input is dropped, then the connection ends with |err|. */
void weft__transport_wind_up(struct weft_transport *t, int err);

/* The peer's stream ended, properly (0) or not. */
void weft__transport_input_ended(struct weft_transport *t, int err);

/* Everything is sent and nothing more will be: shuts our end down and waits for the peer's. */
void weft__transport_linger(struct weft_transport *t);

/* Calls on_end once, if there was an on_open. */
void weft__transport_tell_end(struct weft_transport *t, unsigned code, struct weft_slice reason);

/* ---- head.c ---- */

/* Looks at |len| bytes received in state HEAD, and at what remains of them in later states. */
void weft__transport_head_input(struct weft_transport *t, uint8_t *data, size_t len);

/* Keeps bytes that came while a request waits for its answer. */
void weft__transport_head_stash(struct weft_transport *t, const uint8_t *data, size_t len);

/* Goes on after an answer that was given outside of on_request. */
void weft__transport_head_resume(struct weft_transport *t);

/* Client, connected: sends the request. */
void weft__transport_head_request(struct weft_transport *t);

/* ---- messages.c ---- */

/* Turns into a WebSocket; on_open is still to be called. */
void weft__transport_ws_begin(struct weft_transport *t);

/* Calls on_open. */
void weft__transport_ws_opened(struct weft_transport *t);

/* Reads |len| bytes in state OPEN. */
void weft__transport_ws_input(struct weft_transport *t, uint8_t *data, size_t len);

/* Output was added: it leaves at the end of the tick, and too much of it stops reading. */
void weft__transport_touch(struct weft_transport *t);

/* Sends what waits, then does what its end asks for. */
void weft__transport_flush(struct weft_transport *t);

#endif
