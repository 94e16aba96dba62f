/* SPDX-License-Identifier: Apache-2.0 */
/* Chunks of an arena. */
#include "base/arena.h"

#include "base/assert.h"

enum {
    ARENA_FIRST = 4096,    /* bytes of the first chunk */
    ARENA_KEPT = 64 * 1024 /* a chunk up to this size survives a reset */
};

_Static_assert(sizeof(struct weft_arena_chunk) % 8 == 0, "chunk data is aligned to 8");

void weft__arena_init(struct weft_arena *arena, const struct weft_alloc *alloc, size_t limit)
{
    *arena = (struct weft_arena){.alloc = alloc, .limit = limit};
}

static void free_chunks(struct weft_arena *arena, struct weft_arena_chunk *chunk)
{
    while (chunk) {
        struct weft_arena_chunk *next = chunk->next;
        arena->total -= chunk->size;
        weft__mem_free(arena->alloc, chunk, chunk->size);
        chunk = next;
    }
}

void weft__arena_done(struct weft_arena *arena)
{
    free_chunks(arena, arena->chunks);
    arena->chunks = NULL;
    arena->at = arena->end = NULL;
    WEFT_ASSERT(arena->total == 0);
}

static void use_chunk(struct weft_arena *arena, struct weft_arena_chunk *chunk)
{
    arena->at = (uint8_t *)(chunk + 1);
    arena->end = (uint8_t *)chunk + chunk->size;
}

void weft__arena_reset(struct weft_arena *arena)
{
    struct weft_arena_chunk *newest = arena->chunks;
    if (!newest)
        return;
    if (newest->size > ARENA_KEPT) {
        weft__arena_done(arena);
        return;
    }
    free_chunks(arena, newest->next);
    newest->next = NULL;
    use_chunk(arena, newest);
}

void *weft__arena_alloc_slow(struct weft_arena *arena, size_t size)
{
    size_t need;
    if (WEFT_ADD_OVERFLOW(size, sizeof(struct weft_arena_chunk) + 8, &need))
        return NULL;
    size_t want = arena->chunks ? arena->chunks->size * 2 : ARENA_FIRST;
    if (want < need)
        want = need;
    if (arena->total > arena->limit || want > arena->limit - arena->total)
        want = need;
    if (arena->total > arena->limit || want > arena->limit - arena->total)
        return NULL;
    struct weft_arena_chunk *chunk = weft__mem_alloc(arena->alloc, want);
    if (!chunk)
        return NULL;
    chunk->size = want;
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    arena->total += want;
    use_chunk(arena, chunk);
    void *p = arena->at;
    arena->at += (WEFT_MAX(size, (size_t)1) + 7u) & ~(size_t)7u;
    WEFT_ASSERT(arena->at <= arena->end);
    return p;
}

char *weft__arena_copy(struct weft_arena *arena, const void *src, size_t len)
{
    if (len == SIZE_MAX)
        return NULL;
    char *copy = weft__arena_alloc(arena, len + 1);
    if (!copy)
        return NULL;
    weft__mem_copy(copy, src, len);
    copy[len] = '\0';
    return copy;
}
