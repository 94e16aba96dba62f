/* SPDX-License-Identifier: Apache-2.0 */
/* The output queue: segments, and the memory they come from. */
#include "transport/outq.h"

void weft__outq_pool_init(struct weft_outq_pool *pool, const struct weft_alloc *alloc)
{
    *pool = (struct weft_outq_pool){.alloc = alloc};
}

static void free_segments(struct weft_outq_pool *pool, struct weft_outq_segment *list, size_t size)
{
    while (list) {
        struct weft_outq_segment *next = list->next;
        weft__mem_free(pool->alloc, list, size);
        list = next;
    }
}

void weft__outq_pool_done(struct weft_outq_pool *pool)
{
    free_segments(pool, pool->chunks, WEFT_OUTQ_CHUNK);
    free_segments(pool, pool->references, sizeof(struct weft_outq_segment));
    while (pool->batches) {
        struct weft_outq_batch *next = pool->batches->next;
        weft__mem_free(pool->alloc, pool->batches, sizeof(*pool->batches));
        pool->batches = next;
    }
    *pool = (struct weft_outq_pool){.alloc = pool->alloc};
}

void weft__outq_pool_trim(struct weft_outq_pool *pool, size_t keep)
{
    while (pool->unused > keep && pool->chunks) {
        struct weft_outq_segment *segment = pool->chunks;
        pool->chunks = segment->next;
        pool->unused -= WEFT_OUTQ_CHUNK;
        weft__mem_free(pool->alloc, segment, WEFT_OUTQ_CHUNK);
    }
    while (pool->unused > keep && pool->references) {
        struct weft_outq_segment *segment = pool->references;
        pool->references = segment->next;
        pool->unused -= sizeof(*segment);
        weft__mem_free(pool->alloc, segment, sizeof(*segment));
    }
}

/* ---- Segments ---- */

/* An empty chunk with at least |room| bytes. */
static struct weft_outq_segment *new_chunk(struct weft_outq_pool *pool, size_t room)
{
    size_t cap = WEFT_MAX(room, (size_t)WEFT_OUTQ_CHUNK_ROOM);
    struct weft_outq_segment *segment = cap == WEFT_OUTQ_CHUNK_ROOM ? pool->chunks : NULL;
    if (segment) {
        pool->chunks = segment->next;
        pool->unused -= WEFT_OUTQ_CHUNK;
    } else {
        size_t size;
        if (WEFT_ADD_OVERFLOW(cap, sizeof(*segment), &size))
            return NULL;
        segment = weft__mem_alloc(pool->alloc, size);
        if (!segment)
            return NULL;
    }
    *segment = (struct weft_outq_segment){.ptr = (uint8_t *)(segment + 1), .cap = cap};
    return segment;
}

static struct weft_outq_segment *new_reference(struct weft_outq_pool *pool)
{
    struct weft_outq_segment *segment = pool->references;
    if (segment) {
        pool->references = segment->next;
        pool->unused -= sizeof(*segment);
    } else {
        segment = weft__mem_alloc(pool->alloc, sizeof(*segment));
    }
    return segment;
}

static void release(struct weft_outq_pool *pool, struct weft_outq_segment *segment)
{
    size_t size = sizeof(*segment) + segment->cap;
    weft__buf_unref(segment->owner);
    bool pooled = !segment->cap || segment->cap == WEFT_OUTQ_CHUNK_ROOM;
    if (!pooled || pool->unused + size > WEFT_OUTQ_POOL_BYTES) {
        weft__mem_free(pool->alloc, segment, size);
        return;
    }
    struct weft_outq_segment **list = segment->cap ? &pool->chunks : &pool->references;
    segment->next = *list;
    *list = segment;
    pool->unused += size;
}

static void push(struct weft_outq *q, struct weft_outq_segment *segment)
{
    if (q->tail)
        q->tail->next = segment;
    else
        q->head = segment;
    q->tail = segment;
}

static void pop(struct weft_outq *q, struct weft_outq_pool *pool)
{
    struct weft_outq_segment *segment = q->head;
    q->head = segment->next;
    if (!q->head)
        q->tail = NULL;
    if (q->control_end == segment)
        q->control_end = NULL;
    release(pool, segment);
}

/* ---- Filling ---- */

int weft__outq_extend(struct weft_outq *q, struct weft_outq_pool *pool, size_t room)
{
    struct weft_outq_segment *tail = new_chunk(pool, room);
    if (!tail)
        return WEFT_ERR_NOMEM;
    push(q, tail);
    return 0;
}

int weft__outq_append(struct weft_outq *q, struct weft_outq_pool *pool, struct weft_slice slice,
                      struct weft_buf *owner)
{
    if (!slice.len)
        return 0;
    struct weft_outq_segment *segment = new_reference(pool);
    if (!segment)
        return WEFT_ERR_NOMEM;
    *segment = (struct weft_outq_segment){
        .owner = owner ? weft__buf_ref(owner) : NULL,
        .ptr = (uint8_t *)(uintptr_t)slice.ptr, /* only read: iovec knows no const */
        .len = slice.len,
    };
    push(q, segment);
    q->bytes += slice.len;
    return 0;
}

int weft__outq_rest(struct weft_outq *q, struct weft_outq_pool *pool, const struct iovec *iov,
                    size_t count, size_t sent)
{
    WEFT_ASSERT(weft__outq_empty(q) && !q->in_flight);
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += iov[i].iov_len;
    WEFT_ASSERT(sent <= total);
    if (sent == total)
        return 0;
    /* One byte that is out stays before the others: the segment counts as begun. */
    size_t begun = sent ? 1 : 0;
    size_t skip = sent - begun;
    struct weft_outq_segment *segment = new_chunk(pool, total - skip);
    if (!segment)
        return WEFT_ERR_NOMEM;
    for (size_t i = 0; i < count; i++) {
        size_t cut = WEFT_MIN(skip, iov[i].iov_len);
        skip -= cut;
        size_t n = iov[i].iov_len - cut;
        weft__mem_copy(segment->ptr + segment->len, (const uint8_t *)iov[i].iov_base + cut, n);
        segment->len += n;
    }
    segment->off = begun;
    /* Chunks that were opened and not written to must not come before it. */
    weft__outq_clear(q, pool);
    push(q, segment);
    q->bytes = total - sent;
    return 0;
}

/* ---- Control ---- */

int weft__outq_open_control(struct weft_outq *q, struct weft_outq_pool *pool, size_t room,
                            struct weft_bytes *ret_bytes)
{
    if (weft__outq_empty(q)) {
        int err = weft__outq_open(q, pool, room, ret_bytes);
        if (!err)
            q->control_end = q->tail;
        return err;
    }
    struct weft_outq_segment *tail = q->control_tail;
    if (!tail || tail->cap - tail->len < room) {
        tail = new_chunk(pool, room);
        if (!tail)
            return WEFT_ERR_NOMEM;
        *(q->control_tail ? &q->control_tail->next : &q->control) = tail;
        q->control_tail = tail;
    }
    size_t left = tail->cap - tail->len;
    *ret_bytes = (struct weft_bytes){
        .alloc = pool->alloc, .ptr = tail->ptr + tail->len, .cap = left, .limit = left};
    return 0;
}

/* Takes the control that waits into the queue. Nothing is in flight. */
static void take_control(struct weft_outq *q, struct weft_outq_pool *pool)
{
    struct weft_outq_segment *first = q->control;
    /* A segment that was begun may end inside a frame. */
    struct weft_outq_segment *begun = q->head && q->head->off ? q->head : NULL;
    struct weft_outq_segment *after = q->control_end ? q->control_end : begun;
    /* A little more of it needs no segment of its own. A reference has no room: its |cap| is 0. */
    bool fits = q->control_end && first == q->control_tail &&
                q->control_end->cap >= q->control_end->len + first->len;
    q->control = NULL;
    if (fits) {
        weft__mem_copy(after->ptr + after->len, first->ptr, first->len);
        after->len += first->len;
        release(pool, first);
    } else {
        struct weft_outq_segment **link = after ? &after->next : &q->head;
        q->control_tail->next = *link;
        *link = first;
        if (!q->control_tail->next)
            q->tail = q->control_tail;
        q->control_end = q->control_tail;
    }
    q->control_tail = NULL;
}

void weft__outq_close_control(struct weft_outq *q, struct weft_outq_pool *pool,
                              const struct weft_bytes *bytes)
{
    struct weft_outq_segment *tail = q->control_tail;
    if (!tail) {
        weft__outq_close(q, bytes);
        return;
    }
    WEFT_ASSERT(bytes->ptr == tail->ptr + tail->len && bytes->len <= tail->cap - tail->len);
    tail->len += bytes->len;
    q->bytes += bytes->len;
    if (!q->in_flight)
        take_control(q, pool);
}

/* ---- Emptying ---- */

static void release_batch(struct weft_outq *q, struct weft_outq_pool *pool)
{
    if (!q->batch)
        return;
    q->batch->next = pool->batches;
    pool->batches = q->batch;
    q->batch = NULL;
}

/* NULL when out of memory: then segments are sent one by one. */
static struct weft_outq_batch *new_batch(struct weft_outq_pool *pool)
{
    struct weft_outq_batch *batch = pool->batches;
    if (batch)
        pool->batches = batch->next;
    else
        batch = weft__mem_alloc(pool->alloc, sizeof(*batch));
    return batch;
}

int weft__outq_gather(struct weft_outq *q, struct weft_outq_pool *pool, struct iovec **ret_iov)
{
    WEFT_ASSERT(q->bytes && !q->in_flight && !q->batch);
    if (q->control)
        take_control(q, pool);
    /* Chunks that were opened and not written to. */
    while (q->head->off == q->head->len)
        pop(q, pool);
    struct weft_outq_segment *at = q->head;
    size_t n = WEFT_MIN(at->len - at->off, (size_t)WEFT_OUTQ_BATCH_BYTES);
    if (at->next && n < WEFT_OUTQ_BATCH_BYTES)
        q->batch = new_batch(pool);
    if (!q->batch) {
        at->iov = (struct iovec){at->ptr + at->off, n};
        q->in_flight = n;
        *ret_iov = &at->iov;
        return 1;
    }
    int count = 0;
    for (; at && count < WEFT_OUTQ_BATCH_SLICES && q->in_flight < WEFT_OUTQ_BATCH_BYTES;
         at = at->next) {
        n = WEFT_MIN(at->len - at->off, WEFT_OUTQ_BATCH_BYTES - q->in_flight);
        if (!n)
            continue;
        q->batch->iov[count++] = (struct iovec){at->ptr + at->off, n};
        q->in_flight += n;
    }
    *ret_iov = q->batch->iov;
    return count;
}

void weft__outq_sent(struct weft_outq *q, struct weft_outq_pool *pool)
{
    size_t n = q->in_flight;
    q->bytes -= n;
    q->in_flight = 0;
    release_batch(q, pool);
    while (q->head) {
        size_t part = WEFT_MIN(q->head->len - q->head->off, n);
        q->head->off += part;
        n -= part;
        if (q->head->off < q->head->len)
            break;
        pop(q, pool);
    }
    WEFT_ASSERT(n == 0);
}

void weft__outq_clear(struct weft_outq *q, struct weft_outq_pool *pool)
{
    release_batch(q, pool);
    while (q->head)
        pop(q, pool);
    while (q->control) {
        struct weft_outq_segment *next = q->control->next;
        release(pool, q->control);
        q->control = next;
    }
    *q = (struct weft_outq){0};
}
