/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers, acknowledgements and the messages kept for replay.
 *
 *   head ─► chunk ─► chunk ◄─ tail       chunk: [ dropped | record record record | free ]
 *                                                         start                used    size
 *
 * Records are in order of their numbers. A chunk without records is freed, so none is empty. A
 * record lies in one chunk: replay hands out slices without copying.
 */
#include "rpc/delivery.h"

#include "base/assert.h"

enum { CHUNK_MIN = 512, CHUNKS_OF_CAP = 8 /* at least so many fit below the cap */ };

struct weft_rpc_delivery_chunk {
    struct weft_rpc_delivery_chunk *next;
    size_t size; /* bytes of |room| */
    size_t start;
    size_t used;
    uint64_t last;   /* number of the last frame in it */
    uint64_t room[]; /* records, each beginning at a multiple of eight bytes */
};

/* A message follows. */
struct record {
    uint64_t last; /* the number of its last frame */
    size_t len;
};

static size_t chunk_bytes(size_t room)
{
    return sizeof(struct weft_rpc_delivery_chunk) + room;
}

/* What a message of |len| bytes takes of a chunk. */
static size_t record_bytes(size_t len)
{
    return (sizeof(struct record) + len + 7) & ~(size_t)7;
}

static struct record *record_at(struct weft_rpc_delivery_chunk *chunk, size_t offset)
{
    return (struct record *)(void *)((uint8_t *)chunk->room + offset);
}

static void ack_timer(struct weft_timer *timer)
{
    struct weft_rpc_delivery *d = WEFT_CONTAINER_OF(timer, struct weft_rpc_delivery, timer);
    d->ack_due(d);
}

void weft__rpc_delivery_init(struct weft_rpc_delivery *d, const struct weft_alloc *alloc,
                             struct weft_timer_wheel *wheel, size_t cap,
                             weft_rpc_ack_due_fn *ack_due)
{
    WEFT_ASSERT(cap <= SIZE_MAX / 2 && ack_due);
    *d = (struct weft_rpc_delivery){.alloc = alloc, .wheel = wheel, .cap = cap, .ack_due = ack_due};
    weft__timer_init(&d->timer, ack_timer);
}

/* ---- chunks ---- */

static void free_head(struct weft_rpc_delivery *d)
{
    struct weft_rpc_delivery_chunk *chunk = d->head;
    d->head = chunk->next;
    if (!d->head)
        d->tail = NULL;
    d->memory -= chunk_bytes(chunk->size);
    weft__mem_free(d->alloc, chunk, chunk_bytes(chunk->size));
}

/* Drops the oldest record. */
static void drop_record(struct weft_rpc_delivery *d)
{
    struct weft_rpc_delivery_chunk *chunk = d->head;
    const struct record *record = record_at(chunk, chunk->start);
    d->gone = record->last;
    chunk->start += record_bytes(record->len);
    if (chunk->start == chunk->used)
        free_head(d);
}

/* Drops the oldest chunk with all its records. */
static void drop_chunk(struct weft_rpc_delivery *d)
{
    d->gone = d->head->last;
    free_head(d);
}

/* Nothing sent so far is kept: what came last found no room, so what came before is of no use. */
static void drop_all(struct weft_rpc_delivery *d)
{
    while (d->head)
        free_head(d);
    d->gone = d->sent;
}

/* Adds an empty chunk with room for at least |need| bytes, as far as the cap allows in place of the
 * oldest ones. False when there is no memory. */
static bool add_chunk(struct weft_rpc_delivery *d, size_t need)
{
    while (d->head && chunk_bytes(need) > d->cap - d->memory)
        drop_chunk(d);
    /* As much again as there is: the whole doubles. */
    size_t want = WEFT_MIN(WEFT_MAX(d->memory, CHUNK_MIN), WEFT_RPC_DELIVERY_CHUNK_MAX);
    want = WEFT_MIN(want, WEFT_MIN(d->cap / CHUNKS_OF_CAP, d->cap - d->memory)) & ~(size_t)7;
    size_t bytes = WEFT_MAX(want, chunk_bytes(need));
    struct weft_rpc_delivery_chunk *chunk = weft__mem_alloc(d->alloc, bytes);
    if (!chunk)
        return false;
    *chunk = (struct weft_rpc_delivery_chunk){.size = bytes - chunk_bytes(0)};
    if (d->tail)
        d->tail->next = chunk;
    else
        d->head = chunk;
    d->tail = chunk;
    d->memory += bytes;
    return true;
}

/* ---- out ---- */

void weft__rpc_delivery_keep(struct weft_rpc_delivery *d, struct weft_slice message,
                             uint32_t frames)
{
    WEFT_ASSERT(frames > 0 && !d->replaying);
    d->sent += frames;
    if (message.len > d->cap || chunk_bytes(record_bytes(message.len)) > d->cap) {
        drop_all(d);
        return;
    }
    size_t need = record_bytes(message.len);
    if ((!d->tail || need > d->tail->size - d->tail->used) && !add_chunk(d, need)) {
        drop_all(d);
        return;
    }
    struct record *record = record_at(d->tail, d->tail->used);
    *record = (struct record){.last = d->sent, .len = message.len};
    weft__mem_copy(record + 1, message.ptr, message.len);
    d->tail->used += need;
    d->tail->last = d->sent;
}

int weft__rpc_delivery_acked(struct weft_rpc_delivery *d, uint64_t seq)
{
    WEFT_ASSERT(!d->replaying);
    if (seq > d->sent)
        return WEFT_ERR_PROTOCOL;
    if (seq <= d->acked)
        return 0;
    d->acked = seq;
    while (d->head && record_at(d->head, d->head->start)->last <= seq)
        drop_record(d);
    return 0;
}

int weft__rpc_delivery_resume(struct weft_rpc_delivery *d, uint64_t seen)
{
    if (seen > d->sent)
        return WEFT_ERR_PROTOCOL;
    if (seen < d->gone)
        return WEFT_ERR_LIMIT;
    weft__rpc_delivery_detach(d);
    return weft__rpc_delivery_acked(d, seen);
}

void weft__rpc_delivery_replay(struct weft_rpc_delivery *d, weft_rpc_replay_fn *each, void *ctx)
{
    d->replaying = true;
    for (struct weft_rpc_delivery_chunk *chunk = d->head; chunk; chunk = chunk->next) {
        for (size_t at = chunk->start; at < chunk->used;) {
            const struct record *record = record_at(chunk, at);
            each(ctx, weft__slice(record + 1, record->len));
            at += record_bytes(record->len);
        }
    }
    d->replaying = false;
}

/* ---- in ---- */

enum weft_rpc_delivery_verdict
weft__rpc_delivery_received(struct weft_rpc_delivery *d, uint64_t seq, size_t size, uint64_t now_ns)
{
    if (seq == 0 || seq > d->seen + 1)
        return WEFT_RPC_DELIVERY_GAP;
    if (seq <= d->seen)
        return WEFT_RPC_DELIVERY_DUPLICATE;
    d->seen = seq;
    d->told_bytes += size;
    if (!weft__timer_running(&d->timer))
        weft__timer_start(d->wheel, &d->timer, now_ns + WEFT_RPC_ACK_MS * WEFT_NS_PER_MS);
    return WEFT_RPC_DELIVERY_NEW;
}

/* All that came counts as acknowledged. */
static void clear_ack(struct weft_rpc_delivery *d)
{
    d->told = d->seen;
    d->told_bytes = 0;
    weft__timer_stop(d->wheel, &d->timer);
}

uint64_t weft__rpc_delivery_take_ack(struct weft_rpc_delivery *d)
{
    if (d->told == d->seen)
        return 0;
    clear_ack(d);
    return d->seen;
}

void weft__rpc_delivery_detach(struct weft_rpc_delivery *d)
{
    clear_ack(d);
}

void weft__rpc_delivery_done(struct weft_rpc_delivery *d)
{
    WEFT_ASSERT(!d->replaying);
    weft__timer_stop(d->wheel, &d->timer);
    drop_all(d);
}
