/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reliable delivery of the data frames between two peers over connections that may be cut at any
 * byte, without I/O (PROTOCOL §5). Each side of a session has one of these. It numbers what goes
 * out, keeps it until it is acknowledged, and judges the numbers that come in.
 *
 *   out  next ─► encode ─► keep ─► send        gone ≤ first kept … sent; acked ≤ sent
 *        `ack` of the other side ─► acked
 *   in   frame.seq ─► received ─► NEW: process it      seen: the last one processed
 *        wants_ack, or the callback ack_due ─► take_ack ─► send
 *   cut  detach … (next and keep go on) … resume(seen of the other side) ─► replay
 *
 * What was given out as a number and kept arrives exactly once and in order, as long as every
 * resume succeeds: a message is either seen by the other side, or still kept here, or the session
 * says that it cannot be resumed.
 *
 * *Sending.* A number belongs to a frame only once `keep` was called: when encoding fails in
 * between, no number is lost. So numbers are taken when a message goes out, never earlier: the
 * answers to a batch get theirs when the last of them is there, and are kept as one message.
 * Whatever is kept while a connection is there goes to it in the same order. The acknowledgements
 * that kept messages carry are old when they are replayed, which is harmless.
 *
 * *Resuming*, as a server does it with the `seen` of the greeting:
 *   1. end the old connection if there is one (fencing), weft__rpc_delivery_detach;
 *   2. weft__rpc_delivery_resume(d, seen); on WEFT_ERR_LIMIT answer `overflow`, end the session;
 *   3. send the welcome with weft__rpc_delivery_seen(d);
 *   4. weft__rpc_delivery_replay, then credits and cancels, then go on.
 * A client detaches, sends its own `seen` in the greeting, and does 2 and 4 with the `seen` of the
 * welcome; on an error it gives the session up. A session that is not resumed needs a new object.
 *
 * *Memory.* Nothing while all is acknowledged. Messages are copied into chunks that double in size
 * up to 64 KiB; a chunk is freed once all in it is acknowledged. Over the cap, or when memory is
 * out, the oldest messages are dropped: the session has *overflowed* and cannot be resumed until
 * the other side has acknowledged what was dropped. Sending is never held up by this. While the
 * unacknowledged messages, and WEFT_RPC_DELIVERY_OVERHEAD bytes more for each, take no more than a
 * third of the cap, none is dropped for it.
 *
 * All functions take constant time, amortised; resume and replay that of what they drop and hand
 * over. **Thread:** that of the wheel.
 */
#ifndef WEFT_RPC_DELIVERY_H
#define WEFT_RPC_DELIVERY_H

#include "base/mem.h"
#include "base/slice.h"
#include "base/timer.h"

#include <weft/err.h>

/* An acknowledgement is due after so much, whatever comes first (PROTOCOL §5). */
enum {
    WEFT_RPC_ACK_FRAMES = 32,
    WEFT_RPC_ACK_BYTES = 16 * 1024,
    WEFT_RPC_ACK_MS = 200,
};

enum { WEFT_RPC_DELIVERY_OVERHEAD = 64, WEFT_RPC_DELIVERY_CHUNK_MAX = 64 * 1024 };

struct weft_rpc_delivery;
struct weft_rpc_delivery_chunk;

/* WEFT_RPC_ACK_MS have passed since the first frame that is not acknowledged: call
 * weft__rpc_delivery_take_ack and send what it gives. Called by the wheel. */
typedef void weft_rpc_ack_due_fn(struct weft_rpc_delivery *delivery);

/* Embedded in the session; does not move while it lives. Fields are private. */
struct weft_rpc_delivery {
    const struct weft_alloc *alloc;
    struct weft_timer_wheel *wheel;
    weft_rpc_ack_due_fn *ack_due;
    /* out */
    size_t cap;
    size_t memory; /* bytes of all chunks */
    struct weft_rpc_delivery_chunk *head;
    struct weft_rpc_delivery_chunk *tail;
    uint64_t sent;  /* the last number given to a frame */
    uint64_t acked; /* the highest number the other side has acknowledged */
    uint64_t gone;  /* messages up to this number are not kept any more */
    bool replaying;
    /* in */
    uint64_t seen;       /* the last number that came */
    uint64_t told;       /* the last one acknowledged by us */
    uint64_t told_bytes; /* size of what came since */
    struct weft_timer timer;
};

/* A session that has neither sent nor received. At most |cap| bytes are taken from |alloc|; 0 keeps
 * nothing. |alloc| and |wheel| outlive it. */
void weft__rpc_delivery_init(struct weft_rpc_delivery *delivery, const struct weft_alloc *alloc,
                             struct weft_timer_wheel *wheel, size_t cap,
                             weft_rpc_ack_due_fn *ack_due);

/* Frees what is kept and stops the timer. */
void weft__rpc_delivery_done(struct weft_rpc_delivery *delivery);

/* ---- out ---- */

/* The number of the next frame; a message of several numbers them on from here. Asking again before
 * weft__rpc_delivery_keep gives the same one. */
static inline uint64_t weft__rpc_delivery_next(const struct weft_rpc_delivery *delivery)
{
    return delivery->sent + 1;
}

/*
 * Takes the next |frames| > 0 numbers for |message|, encoded with them, and keeps a copy of it. The
 * caller sends it if there is a connection. Cannot fail: what finds no room makes the session
 * overflow. Not allowed inside the callback of weft__rpc_delivery_replay.
 */
void weft__rpc_delivery_keep(struct weft_rpc_delivery *delivery, struct weft_slice message,
                             uint32_t frames);

/* The other side has seen all frames up to |seq|. One said before, or an older one, changes
 * nothing.
 * **Errors:** WEFT_ERR_PROTOCOL: it was never sent; nothing changed. */
WEFT_MUST_USE int weft__rpc_delivery_acked(struct weft_rpc_delivery *delivery, uint64_t seq);

/* Whether messages were dropped that are not acknowledged. Without a connection such a session can
 * only be resumed by a client that has seen them all the same. */
static inline bool weft__rpc_delivery_overflowed(const struct weft_rpc_delivery *delivery)
{
    return delivery->gone > delivery->acked;
}

/* Bytes of memory held now; at most the cap. */
static inline size_t weft__rpc_delivery_memory(const struct weft_rpc_delivery *delivery)
{
    return delivery->memory;
}

/* ---- in ---- */

enum weft_rpc_delivery_verdict {
    WEFT_RPC_DELIVERY_NEW,       /* process it */
    WEFT_RPC_DELIVERY_DUPLICATE, /* drop it: it was processed before */
    WEFT_RPC_DELIVERY_GAP,       /* a number was left out, or it is 0: close the connection */
};

/* A data frame with number |seq| came at |now_ns|, monotonic; |size| are its bytes (those of a
 * message of several frames may all be counted with one). NEW is to be processed now: the number
 * counts as seen. */
enum weft_rpc_delivery_verdict weft__rpc_delivery_received(struct weft_rpc_delivery *delivery,
                                                           uint64_t seq, size_t size,
                                                           uint64_t now_ns);

/* Whether so much came that it should be acknowledged at once. To be asked when a message was dealt
 * with: what was sent meanwhile may have carried the acknowledgement. */
static inline bool weft__rpc_delivery_wants_ack(const struct weft_rpc_delivery *delivery)
{
    return delivery->seen - delivery->told >= WEFT_RPC_ACK_FRAMES ||
           delivery->told_bytes >= WEFT_RPC_ACK_BYTES;
}

/* The number to acknowledge in a frame that goes out now, alone or on something else; 0 when there
 * is nothing new to say. Counting begins anew, so what it gives must be sent. */
uint64_t weft__rpc_delivery_take_ack(struct weft_rpc_delivery *delivery);

/* ---- over reconnects ---- */

/* For a greeting or a welcome: the last frame that came. */
static inline uint64_t weft__rpc_delivery_seen(const struct weft_rpc_delivery *delivery)
{
    return delivery->seen;
}

/* The connection is gone. No acknowledgement is due until frames come over another one. */
void weft__rpc_delivery_detach(struct weft_rpc_delivery *delivery);

/*
 * There is another connection, and the other side says that it has seen all frames up to |seen|:
 * they are dropped. **Errors:** the session cannot be resumed, and nothing changed.
 * WEFT_ERR_PROTOCOL: |seen| was never sent; WEFT_ERR_LIMIT: what follows it is not kept any more,
 * because of overflow or because the other side had acknowledged it.
 */
WEFT_MUST_USE int weft__rpc_delivery_resume(struct weft_rpc_delivery *delivery, uint64_t seen);

/* Takes the next message to be sent again. **Lifetime:** |message| until it returns. */
typedef void weft_rpc_replay_fn(void *ctx, struct weft_slice message);

/* Hands over, in order, every message that is kept. The first may begin with frames that the other
 * side has seen, when it saw a part of a batch; it knows them by their numbers. |each| calls no
 * function of |delivery| that changes it. */
void weft__rpc_delivery_replay(struct weft_rpc_delivery *delivery, weft_rpc_replay_fn *each,
                               void *ctx);

#endif
