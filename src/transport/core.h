/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the transport share: transport.c is its life, clock.c its timer and
 * limits of time and rate, proxy.c what comes before all, head.c the HTTP head phase, body.c
 * bodies of requests and answers without a known end, messages.c messages and output, room.c making
 * room. Not for others. */
#ifndef WEFT_TRANSPORT_CORE_H
#define WEFT_TRANSPORT_CORE_H

#include "transport/transport.h"

/* ---- transport.c ---- */

/* Bytes of HTTP or WebSocket arrived, in any state. */
void weft__transport_received(struct weft_transport *t, uint8_t *data, size_t len);

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

/* ---- clock.c ---- */

/* Sets the timer that belongs to the state. */
void weft__transport_arm(struct weft_transport *t);

/* Sees to it that the timer fires at |due_ns| at the latest. */
void weft__transport_arm_by(struct weft_transport *t, uint64_t due_ns);

void weft__transport_timer_fired(struct weft_timer *timer);

/* |ms| after |from_ns|; UINT64_MAX when either is. */
static inline uint64_t weft__transport_after(uint64_t from_ns, uint64_t ms)
{
    return from_ns == UINT64_MAX || ms > (UINT64_MAX - from_ns) / WEFT_NS_PER_MS
               ? UINT64_MAX
               : from_ns + ms * WEFT_NS_PER_MS;
}

/* Counts that the peer ran into |limit|. */
void weft__transport_limit(struct weft_transport *t, enum weft_transport_limit limit);

/* The same on an open connection, which is closed with 1008 and |reason|. */
void weft__transport_violated(struct weft_transport *t, enum weft_transport_limit limit,
                              const char *reason);

/* A ping or pong came: closes the connection when there are too many. */
void weft__transport_control_came(struct weft_transport *t);

/* Bytes of messages came; |fresh| when a message ended or none was going on. Keeps the time of the
 * one that is unfinished now. */
void weft__transport_message_time(struct weft_transport *t, bool fresh);

/* ---- proxy.c ---- */

/* |n| > 0 bytes arrived while a PROXY header is to come, or the stream ended. */
void weft__transport_proxy_input(struct weft_transport *t, uint8_t *data, ptrdiff_t n);

/* ---- head.c ---- */

/* Server: the head took too long. */
void weft__transport_head_late(struct weft_transport *t);

/* Looks at |len| bytes received in state HEAD, and at what remains of them in later states. */
void weft__transport_head_input(struct weft_transport *t, uint8_t *data, size_t len);

/* Keeps bytes that came while a request waits for its answer. */
void weft__transport_head_stash(struct weft_transport *t, const uint8_t *data, size_t len);

/* Goes on after an answer that was given outside of on_request. */
void weft__transport_head_resume(struct weft_transport *t);

/* Client, connected: sends the request. */
void weft__transport_head_request(struct weft_transport *t);

/* Answers what is no request with |status| (0: without a word) and |text| (NULL: the status' own
 * phrase) and ends with |err|. */
void weft__transport_head_refuse(struct weft_transport *t, int status, const char *text, int err);

/* What follows |len| bytes that were looked at in other states: the connection was answered, or
 * reads a body. */
void weft__transport_head_go_on(struct weft_transport *t, uint8_t *data, size_t len);

/* An answer was given in state ANSWERING; inside of on_request and on_body the caller goes on by
 * itself. */
void weft__transport_answered(struct weft_transport *t);

/* ---- body.c ---- */

/* Reads in state BODY, and calls on_body at the end. Returns how many bytes were the body's; 0 in
 * any other state. */
size_t weft__transport_body_read(struct weft_transport *t, const uint8_t *data, size_t len);

/* Server: the body took too long. */
void weft__transport_body_late(struct weft_transport *t);

/* ---- messages.c ---- */

/* Whether |more| bytes may be queued; ends the connection when not. **Errors:** WEFT_ERR_LIMIT. */
WEFT_MUST_USE int weft__transport_check_unsent(struct weft_transport *t, size_t more);

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

/* Sends the next batch of |q|, which is not empty: the output queue or what TLS made of it. Returns
 * as weft__tcp_send; the connection ended when that is an error. */
int weft__transport_send_batch(struct weft_transport *t, struct weft_outq *q);

/* Whether nothing more will be written behind what the output queue holds. */
bool weft__transport_is_ending(const struct weft_transport *t);

/* ---- secure.c: t->secure is not NULL but where said ---- */

/* Makes t->secure, with the set's context. |authority| is whom a client wants to reach.
 * **Errors:** WEFT_ERR_NOMEM, WEFT_ERR_USAGE. */
WEFT_MUST_USE int weft__transport_secure_new(struct weft_transport *t, struct weft_slice authority);

/* Frees t->secure, which may be NULL. */
void weft__transport_secure_free(struct weft_transport *t);

/* What the secure transports of |set| shared. */
void weft__transport_secure_set_done(struct weft_transport_set *set);

/* Client, connected: begins the handshake; the request follows it. */
void weft__transport_secure_connect(struct weft_transport *t);

/* |n| > 0 bytes arrived, or the stream ended: as on_recv of io/tcp.h. */
void weft__transport_secure_input(struct weft_transport *t, uint8_t *data, ptrdiff_t n);

/* Encrypts and sends until something is in flight or nothing is left. True when nothing is. */
bool weft__transport_secure_send(struct weft_transport *t);

/* The send in flight is out. */
void weft__transport_secure_sent(struct weft_transport *t);

/* Encrypted bytes that the kernel did not take yet. */
size_t weft__transport_secure_unsent(const struct weft_transport *t);

/* TLS broke: only what is encrypted can be sent. */
bool weft__transport_secure_failed(const struct weft_transport *t);

#endif
