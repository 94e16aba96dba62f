/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The output queue of a connection: bytes in order, partly copied into pooled chunks ("corked"),
 * partly referenced where they lie. A connection with nothing to send owns no memory.
 *
 *   head ─► [chunk: frame frame] ─► [reference: frame] ─► [chunk: frame, room ···] ◄─ tail
 *             ▲ off: sent so far                                       ▲ len
 *
 * Every segment holds whole frames, so between two segments others may be put in: those of the lane
 * of control. While a send is in flight it waits beside the queue; then it goes behind what was
 * begun and behind the control before it. It passes all data but what shares a chunk with
 * either: so what is sent stays in order within each lane, and a queue without control pays
 * nothing.
 *
 *   control ─► [chunk: frame frame]
 *                     ╰─► head ─► [begun ···] ─► [control] ◄─ control_end ─► [data] ◄─ tail
 *
 * **Thread:** that of the pool's loop.
 */
#ifndef WEFT_TRANSPORT_OUTQ_H
#define WEFT_TRANSPORT_OUTQ_H

#include "base/assert.h"
#include "base/buf.h"
#include "base/bytes.h"

#include <sys/uio.h>

enum {
    WEFT_OUTQ_CHUNK = 16 * 1024 + 512,      /* bytes of a pooled chunk, its header included */
    WEFT_OUTQ_BATCH_BYTES = 64 * 1024,      /* most bytes of one send */
    WEFT_OUTQ_BATCH_SLICES = 64,            /* most slices of one send */
    WEFT_OUTQ_POOL_BYTES = 8 * 1024 * 1024, /* most unused memory that a pool keeps */
};

struct weft_outq_segment {
    struct weft_outq_segment *next;
    struct weft_buf *owner; /* reference: what keeps it alive; may be NULL */
    uint8_t *ptr;
    size_t off;       /* bytes sent */
    size_t len;       /* bytes in use */
    size_t cap;       /* chunk: bytes at ptr; reference: 0 */
    struct iovec iov; /* used while it is sent alone */
};

/* What a pooled chunk has room for. */
enum { WEFT_OUTQ_CHUNK_ROOM = WEFT_OUTQ_CHUNK - sizeof(struct weft_outq_segment) };

struct weft_outq_batch {
    struct weft_outq_batch *next;
    struct iovec iov[WEFT_OUTQ_BATCH_SLICES];
};

/* What the queues of one loop share: unused chunks, references and batches. */
struct weft_outq_pool {
    const struct weft_alloc *alloc;
    struct weft_outq_segment *chunks;
    struct weft_outq_segment *references;
    struct weft_outq_batch *batches;
    size_t unused; /* bytes in these lists */
};

struct weft_outq {
    struct weft_outq_segment *head;
    struct weft_outq_segment *tail;
    struct weft_outq_batch *batch; /* slices of the send in flight, when they are several */
    /* Control that waits for the end of the send in flight, oldest first. */
    struct weft_outq_segment *control;
    struct weft_outq_segment *control_tail;
    /* The last segment that control may not pass; NULL: it may pass all that was not begun. */
    struct weft_outq_segment *control_end;
    size_t bytes;     /* unsent, control among them */
    size_t in_flight; /* of these, gathered and not yet reported sent */
};

void weft__outq_pool_init(struct weft_outq_pool *pool, const struct weft_alloc *alloc);

/* Every queue must be clear. */
void weft__outq_pool_done(struct weft_outq_pool *pool);

/* Frees unused memory until at most |keep| bytes of it are left. */
void weft__outq_pool_trim(struct weft_outq_pool *pool, size_t keep);

/* Drops everything; nothing of it may be in flight. */
void weft__outq_clear(struct weft_outq *q, struct weft_outq_pool *pool);

static inline bool weft__outq_empty(const struct weft_outq *q)
{
    return q->bytes == 0;
}

/* Puts an empty chunk with at least |room| bytes behind the others. **Errors:** WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__outq_extend(struct weft_outq *q, struct weft_outq_pool *pool, size_t room);

/*
 * Opens the end of the queue for writing at least |room| bytes: |ret_bytes| appends there and fails
 * (WEFT_ERR_TOO_BIG) rather than grow. weft__outq_close takes over what was written; nothing else
 * may touch the queue between the two. **Errors:** WEFT_ERR_NOMEM.
 */
WEFT_MUST_USE static inline int weft__outq_open(struct weft_outq *q, struct weft_outq_pool *pool,
                                                size_t room, struct weft_bytes *ret_bytes)
{
    /* A reference has no room: its |cap| is 0, and its |len| is not. */
    struct weft_outq_segment *tail = q->tail;
    if (!tail || tail->cap < tail->len + room) {
        int err = weft__outq_extend(q, pool, room);
        if (err)
            return err;
        tail = q->tail;
    }
    size_t left = tail->cap - tail->len;
    *ret_bytes = (struct weft_bytes){
        .alloc = pool->alloc, .ptr = tail->ptr + tail->len, .cap = left, .limit = left};
    return 0;
}

static inline void weft__outq_close(struct weft_outq *q, const struct weft_bytes *bytes)
{
    WEFT_ASSERT(q->tail && bytes->ptr == q->tail->ptr + q->tail->len &&
                bytes->len <= q->tail->cap - q->tail->len);
    q->tail->len += bytes->len;
    q->bytes += bytes->len;
}

/* Appends |slice|, kept alive by one more reference to |owner| (NULL: it is static).
 * **Errors:** WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__outq_append(struct weft_outq *q, struct weft_outq_pool *pool,
                                    struct weft_slice slice, struct weft_buf *owner);

/* Keeps what of |count| slices, which are one frame, lies behind its first |sent| bytes: they are
 * out already. The queue is empty. **Errors:** WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__outq_rest(struct weft_outq *q, struct weft_outq_pool *pool,
                                  const struct iovec *iov, size_t count, size_t sent);

/*
 * The same for the lane of control: what is written, whole frames, leaves before the data of which
 * nothing was gathered, and behind the control written before. weft__outq_close_control takes it
 * over. **Errors:** WEFT_ERR_NOMEM.
 */
WEFT_MUST_USE int weft__outq_open_control(struct weft_outq *q, struct weft_outq_pool *pool,
                                          size_t room, struct weft_bytes *ret_bytes);
void weft__outq_close_control(struct weft_outq *q, struct weft_outq_pool *pool,
                              const struct weft_bytes *bytes);

/* What the queue holds now is not passed by control. */
static inline void weft__outq_bar(struct weft_outq *q)
{
    WEFT_ASSERT(!q->control);
    q->control_end = q->tail;
}

/* The next slices to send, at most WEFT_OUTQ_BATCH_BYTES in all, from a queue that is not empty.
 * They stay until weft__outq_sent; the queue may grow meanwhile. Returns their count. */
int weft__outq_gather(struct weft_outq *q, struct weft_outq_pool *pool, struct iovec **ret_iov);

/* Everything that was gathered is out. */
void weft__outq_sent(struct weft_outq *q, struct weft_outq_pool *pool);

#endif
