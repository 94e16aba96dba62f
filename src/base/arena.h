/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An arena: allocations that live together and go together, the memory of one inbound message or
 * one asynchronous call. Chunks grow geometrically; reset keeps the largest for the next message,
 * so the steady state allocates nothing.
 *
 *   chunk ──► [ used ....... | free ]     newest chunk first; older ones are full
 *
 * **Thread:** one at a time.
 */
#ifndef WEFT_BASE_ARENA_H
#define WEFT_BASE_ARENA_H

#include "base/mem.h"
#include "base/slice.h"

struct weft_arena_chunk {
    struct weft_arena_chunk *next;
    size_t size; /* bytes allocated, this header included */
};

struct weft_arena {
    const struct weft_alloc *alloc;
    struct weft_arena_chunk *chunks;
    uint8_t *at;
    uint8_t *end;
    size_t total; /* bytes allocated over all chunks */
    size_t limit; /* most bytes over all chunks; an allocation past it fails */
};

/* Starts empty, without memory. */
void weft__arena_init(struct weft_arena *arena, const struct weft_alloc *alloc, size_t limit);

/* Frees everything. Every pointer into the arena is dead. */
void weft__arena_done(struct weft_arena *arena);

/* Empties it for reuse; keeps its newest chunk when that is at most 64 KiB. */
void weft__arena_reset(struct weft_arena *arena);

/* Out of line part of weft__arena_alloc. */
void *weft__arena_alloc_slow(struct weft_arena *arena, size_t size);

/* |size| bytes aligned to 8, not initialised; NULL when out of memory or over the limit.
 * |size| 0 gives a valid pointer. **Lifetime:** until reset or done. */
static inline void *weft__arena_alloc(struct weft_arena *arena, size_t size)
{
    size_t rounded = (WEFT_MAX(size, (size_t)1) + 7u) & ~(size_t)7u;
    if (WEFT_LIKELY(rounded >= size && rounded <= (size_t)(arena->end - arena->at))) {
        void *p = arena->at;
        arena->at += rounded;
        return p;
    }
    return weft__arena_alloc_slow(arena, size);
}

/* As weft__arena_alloc for |count| × |size| bytes; NULL also on overflow. */
static inline void *weft__arena_alloc_array(struct weft_arena *arena, size_t count, size_t size)
{
    size_t bytes;
    if (WEFT_MUL_OVERFLOW(count, size, &bytes))
        return NULL;
    return weft__arena_alloc(arena, bytes);
}

/* A copy of |len| bytes followed by a zero byte (not counted); NULL when out of memory. */
char *weft__arena_copy(struct weft_arena *arena, const void *src, size_t len);

#endif
