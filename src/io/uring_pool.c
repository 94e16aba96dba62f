/* SPDX-License-Identifier: Apache-2.0 */
/* The receive buffers of an io_uring loop: the order that uring_pool.h draws. */
#include "io/uring_pool.h"

#include "base/assert.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/utsname.h>

/* What liburing 2.3 does not know yet. */
enum {
    RECVSEND_BUNDLE = 1 << 4,       /* sqe->ioprio, Linux 6.10: one receive fills many buffers */
    PBUF_RING_INC = 2,              /* flag of the registration, Linux 6.12: many share one */
    FEAT_RECVSEND_BUNDLE = 1 << 14, /* of a ring */
};

enum {
    SHARED_SIZE = 64 * 1024, /* 1 MiB in all: what a core's second-level cache holds */
    SHARED_COUNT = 16,
    SINGLE_SIZE = 32 * 1024,
    SINGLE_COUNT = 64,
};

bool weft__uring_kernel_can_share(const char *release)
{
    enum { MAJOR = 6, MINOR = 16 };
    char *end;
    unsigned long major = strtoul(release, &end, 10);
    if (end == release || *end != '.')
        return false;
    unsigned long minor = strtoul(end + 1, NULL, 10);
    return major > MAJOR || (major == MAJOR && minor >= MINOR);
}

static bool can_share(const struct io_uring *ring)
{
    struct utsname name;
    return (ring->features & FEAT_RECVSEND_BUNDLE) != 0 && uname(&name) == 0 &&
           weft__uring_kernel_can_share(name.release);
}

static void *map(size_t size)
{
    void *ptr = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return ptr == MAP_FAILED ? NULL : ptr;
}

/* Gives the |count| buffers from |next| on back. */
static void give_back(struct weft_uring_pool *pool, unsigned count)
{
    int mask = io_uring_buf_ring_mask(pool->count);
    for (unsigned i = 0; i < count; i++) {
        unsigned id = pool->next;
        /* Written anew each time: the kernel changes entries that it used in part. */
        io_uring_buf_ring_add(pool->ring, pool->memory + (size_t)id * pool->size, pool->size,
                              (unsigned short)id, mask, (int)i);
        pool->next = (id + 1) & (pool->count - 1);
    }
    if (count)
        io_uring_buf_ring_advance(pool->ring, (int)count);
}

static int allocate(struct weft_uring_pool *pool, unsigned count, unsigned size)
{
    pool->count = count ? count : pool->sharing ? SHARED_COUNT : SINGLE_COUNT;
    pool->size = size ? size : pool->sharing ? SHARED_SIZE : SINGLE_SIZE;
    pool->ring_size = pool->count * sizeof(struct io_uring_buf);
    pool->memory_size = (size_t)pool->count * pool->size;
    pool->ring = map(pool->ring_size);
    pool->memory = map(pool->memory_size);
    return pool->ring && pool->memory ? 0 : WEFT_ERR_NOMEM;
}

static bool enroll(struct weft_uring_pool *pool, struct io_uring *ring)
{
    struct io_uring_buf_reg reg = {
        .ring_addr = (uint64_t)(uintptr_t)pool->ring,
        .ring_entries = pool->count,
        .bgid = WEFT_URING_POOL_GROUP,
        .pad = pool->sharing ? PBUF_RING_INC : 0, /* called "flags" since */
    };
    return io_uring_register_buf_ring(ring, &reg, 0) == 0;
}

int weft__uring_pool_init(struct weft_uring_pool *pool, struct io_uring *ring, unsigned count,
                          unsigned size, bool may_share)
{
    *pool = (struct weft_uring_pool){.sharing = may_share && can_share(ring)};
    int err = allocate(pool, count, size);
    if (err)
        return err;
    if (!enroll(pool, ring)) {
        if (!pool->sharing)
            return WEFT_ERR_UNAVAILABLE;
        weft__uring_pool_done(pool);
        return weft__uring_pool_init(pool, ring, count, size, false);
    }
    io_uring_buf_ring_init(pool->ring);
    give_back(pool, pool->count);
    return 0;
}

void weft__uring_pool_done(struct weft_uring_pool *pool)
{
    if (pool->ring)
        (void)munmap(pool->ring, pool->ring_size);
    if (pool->memory)
        (void)munmap(pool->memory, pool->memory_size);
    *pool = (struct weft_uring_pool){0};
}

void weft__uring_pool_use(const struct weft_uring_pool *pool, struct io_uring_sqe *sqe)
{
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = WEFT_URING_POOL_GROUP;
    if (pool->sharing)
        sqe->ioprio |= RECVSEND_BUNDLE;
}

void weft__uring_pool_begin(struct weft_uring_pool *pool, unsigned id)
{
    WEFT_ASSERT(id < pool->count);
    if (id == pool->next)
        return;
    /* Buffers between were taken for receives that ended without bytes. */
    give_back(pool, (id - pool->next) & (pool->count - 1));
    pool->used = 0;
}

size_t weft__uring_pool_slice(const struct weft_uring_pool *pool, size_t offset, size_t n,
                              uint8_t **ret_data)
{
    size_t at = (size_t)pool->next * pool->size + pool->used + offset;
    if (at >= pool->memory_size)
        at -= pool->memory_size;
    *ret_data = pool->memory + at;
    return WEFT_MIN(n - offset, pool->memory_size - at);
}

void weft__uring_pool_end(struct weft_uring_pool *pool, size_t n)
{
    if (!pool->sharing) {
        give_back(pool, 1);
        return;
    }
    size_t used = pool->used + n;
    give_back(pool, (unsigned)(used / pool->size));
    pool->used = (unsigned)(used % pool->size);
}
