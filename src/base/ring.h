/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded ring of pointers from one producing thread to one consuming thread, without locks.
 *
 *   tail (consumer) ──► [ . x x x . . ] ◄── head (producer)       count = head - tail ≤ capacity
 *
 * Head and tail only grow; each side writes its own and reads the other's. Padding keeps them on
 * different cache lines of 64 bytes. Everything the producer wrote before a push is seen by the
 * consumer after the pop.
 */
#ifndef WEFT_BASE_RING_H
#define WEFT_BASE_RING_H

#include "base/mem.h"

#include <stdatomic.h>
#include <stdbool.h>

struct weft_ring {
    const struct weft_alloc *alloc;
    void **slots;
    size_t mask; /* capacity - 1 */
    char pad_head[64];
    atomic_size_t head; /* the producer's */
    char pad_tail[64];
    atomic_size_t tail; /* the consumer's */
    char pad_end[64];
};

/* An empty ring of |capacity| pointers, a power of two. **Errors:** WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__ring_init(struct weft_ring *ring, const struct weft_alloc *alloc,
                                  size_t capacity);

/* Frees the slots; what is still in the ring belongs to the caller. */
void weft__ring_done(struct weft_ring *ring);

/* Producer: adds |item|, which is not NULL; false when the ring is full. */
bool weft__ring_push(struct weft_ring *ring, void *item);

/* Consumer: takes the oldest item; NULL when the ring is empty. */
void *weft__ring_pop(struct weft_ring *ring);

#endif
