/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every block has a header in front that remembers its size and a magic number:
 *
 *     [ size | magic | … 16-byte aligned payload of size bytes ]
 */
#include "lib/test.h"

enum {
    HEADER_SIZE = 32,
    TOO_MANY_RUNS = 100000,
};

#define MAGIC_LIVE UINT64_C(0x77656674204c4956)
#define MAGIC_DEAD UINT64_C(0x7765667444454144)

struct header {
    size_t size;
    uint64_t magic;
    struct test_alloc *owner;
};

_Static_assert(sizeof(struct header) <= HEADER_SIZE, "the payload would overlap the header");

static struct header *header_of(void *ptr)
{
    return (struct header *)(void *)((char *)ptr - HEADER_SIZE);
}

/* Whether the present call is to fail. */
static bool must_fail(struct test_alloc *mem, size_t grow)
{
    mem->calls++;
    bool fail = mem->fail_at != 0 &&
                (mem->calls == mem->fail_at || (mem->fail_after && mem->calls > mem->fail_at));
    if (mem->limit_bytes != 0 && mem->live_bytes + grow > mem->limit_bytes)
        fail = true;
    if (fail)
        mem->failures++;
    return fail;
}

static void check_block(const struct test_alloc *mem, void *ptr, size_t size)
{
    const struct header *header = header_of(ptr);
    if (header->magic == MAGIC_DEAD)
        fail_msg("block %p is freed twice", ptr);
    if (header->magic != MAGIC_LIVE || header->owner != mem)
        fail_msg("pointer %p was not allocated here", ptr);
    if (header->size != size)
        fail_msg("block %p of %zu bytes is given back as one of %zu", ptr, header->size, size);
}

static void *fault_alloc(void *ctx, size_t size)
{
    struct test_alloc *mem = ctx;
    if (size == 0)
        fail_msg("an allocation of 0 bytes");
    if (must_fail(mem, size))
        return NULL;
    if (size > SIZE_MAX / 2)
        return NULL;
    char *raw = malloc(HEADER_SIZE + size);
    if (!raw)
        return NULL;
    *(struct header *)(void *)raw =
        (struct header){.size = size, .magic = MAGIC_LIVE, .owner = mem};
    memset(raw + HEADER_SIZE, 0xa5, size);
    mem->live_blocks++;
    mem->live_bytes += size;
    if (mem->live_bytes > mem->peak_bytes)
        mem->peak_bytes = mem->live_bytes;
    return raw + HEADER_SIZE;
}

static void fault_free(void *ctx, void *ptr, size_t size)
{
    struct test_alloc *mem = ctx;
    if (!ptr)
        fail_msg("NULL is given to free");
    check_block(mem, ptr, size);
    mem->live_blocks--;
    mem->live_bytes -= size;
    header_of(ptr)->magic = MAGIC_DEAD;
    free(header_of(ptr));
}

/* Always moves the block, so that a stale pointer into it is found. */
static void *fault_realloc(void *ctx, void *ptr, size_t old_size, size_t new_size)
{
    struct test_alloc *mem = ctx;
    if (!ptr)
        fail_msg("NULL is given to realloc");
    check_block(mem, ptr, old_size);
    void *moved = fault_alloc(ctx, new_size);
    if (!moved)
        return NULL;
    memcpy(moved, ptr, old_size < new_size ? old_size : new_size);
    fault_free(ctx, ptr, old_size);
    return moved;
}

void test_alloc_init(struct test_alloc *mem)
{
    *mem = (struct test_alloc){
        .alloc = {.alloc = fault_alloc, .realloc = fault_realloc, .free = fault_free, .ctx = mem},
    };
}

void test_alloc_done(struct test_alloc *mem)
{
    if (mem->live_blocks != 0)
        fail_msg("%zu blocks (%zu bytes) are still allocated", mem->live_blocks, mem->live_bytes);
}

/* One run with call |fail_at| failing. True when that call was reached. */
static bool run_once(int (*step)(const struct weft_alloc *alloc, void *ctx), void *ctx,
                     size_t fail_at, bool fail_after, size_t *ret_calls)
{
    struct test_alloc mem;
    test_alloc_init(&mem);
    mem.fail_at = fail_at;
    mem.fail_after = fail_after;
    int err = step(&mem.alloc, ctx);
    if (mem.live_blocks != 0)
        fail_msg("with allocation %zu failing, %zu blocks (%zu bytes) leak", fail_at,
                 mem.live_blocks, mem.live_bytes);
    bool reached = mem.failures != 0;
    if (reached ? err != WEFT_ERR_NOMEM && err != WEFT_OK : err != WEFT_OK)
        fail_msg("with allocation %zu %s, the result is %s (%d)", fail_at,
                 reached ? "failing" : "never reached", weft_err_name(err), err);
    *ret_calls = mem.calls;
    return reached;
}

size_t test_each_alloc_failure(int (*step)(const struct weft_alloc *alloc, void *ctx), void *ctx)
{
    size_t calls = 0;
    for (size_t n = 1; n <= TOO_MANY_RUNS; n++) {
        bool one = run_once(step, ctx, n, false, &calls);
        size_t ignored;
        bool rest = run_once(step, ctx, n, true, &ignored);
        if (!one && !rest)
            return calls;
    }
    fail_msg("more than %d allocations", TOO_MANY_RUNS);
    return 0;
}
