/* SPDX-License-Identifier: Apache-2.0 */
/* Single producer, single consumer ring. */
#include "base/ring.h"

#include "base/assert.h"

#include <weft/err.h>

int weft__ring_init(struct weft_ring *ring, const struct weft_alloc *alloc, size_t capacity)
{
    WEFT_ASSERT(capacity > 0 && (capacity & (capacity - 1)) == 0);
    void **slots = weft__mem_alloc_array(alloc, capacity, sizeof(*slots));
    if (!slots)
        return WEFT_ERR_NOMEM;
    ring->alloc = alloc;
    ring->slots = slots;
    ring->mask = capacity - 1;
    atomic_init(&ring->head, 0);
    atomic_init(&ring->tail, 0);
    return 0;
}

void weft__ring_done(struct weft_ring *ring)
{
    if (ring->slots)
        weft__mem_free(ring->alloc, ring->slots, (ring->mask + 1) * sizeof(*ring->slots));
    ring->slots = NULL;
}

bool weft__ring_push(struct weft_ring *ring, void *item)
{
    WEFT_ASSERT(item);
    size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
    if (head - tail > ring->mask)
        return false;
    ring->slots[head & ring->mask] = item;
    atomic_store_explicit(&ring->head, head + 1, memory_order_release);
    return true;
}

void *weft__ring_pop(struct weft_ring *ring)
{
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    size_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
    if (head == tail)
        return NULL;
    void *item = ring->slots[tail & ring->mask];
    atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
    return item;
}
