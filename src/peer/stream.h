/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The items beside a call in the form that an application holds (weft/stream.h): two bounded queues
 * between any threads and the loop, and the loop's call as their carrier.
 *
 *   application ─ send ─► [out] ─ pump, on the loop, as there is credit ─► carrier
 *   application ◄ receive ─ [in] ◄─ push, on the loop ───────────────────── rpc call
 *                     └─ what was received becomes credit at the next pump
 *
 * The window that was granted bounds |in|, a limit of its own |out|. Whoever is on the loop and
 * finds |out| empty sends past it.
 *
 * **Thread:** that of the domain, unless noted.
 */
#ifndef WEFT_PEER_STREAM_H
#define WEFT_PEER_STREAM_H

#include "peer/domain.h"
#include "rpc/peer.h"

#include <weft/stream.h>

/* What carries items: a call being served, or one of ours. */
struct weft_stream_carrier {
    /* Sends an item. **Errors:** WEFT_ERR_LIMIT: no credit, weft__stream_pump follows. */
    int (*send)(void *owner, struct weft_slice value);
    /* The application has taken so many items. */
    void (*consumed)(void *owner, uint64_t items, uint64_t bytes);
    /* Everything has left, and this side has ended. May detach. */
    void (*drained)(void *owner);
    /* The application gives up; callers alone. May detach. */
    void (*give_up)(void *owner);
    /* There is no memory for an item, which is lost, so the call has to end. May detach. */
    void (*no_memory)(void *owner);
    bool is_caller;
};

/* A stream with one reference, which carries nothing yet. NULL when out of memory. Any thread. */
struct weft_stream *weft__stream_new(struct weft_domain *domain,
                                     const struct weft_stream_carrier *carrier, bool receives,
                                     bool sends);

/* For whoever carries it; does not keep a call alive. Any thread. */
void weft__stream_hold(struct weft_stream *stream);
void weft__stream_let_go(struct weft_stream *stream);

/* |owner| carries items from now on. */
void weft__stream_attach(struct weft_stream *stream, void *owner);

/* Nobody does any more: what waits is dropped, whoever waits is told. */
void weft__stream_detach(struct weft_stream *stream);

/* An item came, its JSON is |value|. */
void weft__stream_push(struct weft_stream *stream, struct weft_slice value);

/* No more will come. */
void weft__stream_ended(struct weft_stream *stream);

/* Sends what can be sent, grants what was taken. */
void weft__stream_pump(struct weft_stream *stream);

/* This side sends no more; what waits still goes out. Any thread. */
void weft__stream_seal(struct weft_stream *stream);

/* Nothing waits to be sent. */
bool weft__stream_is_drained(struct weft_stream *stream);

/* The answer to a caller; detaches. */
void weft__stream_answered(struct weft_stream *stream, const struct weft_rpc_answer *answer);

#endif
