/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The receive buffers of an io_uring loop: one piece of memory, cut into buffers that the kernel
 * takes from a ring in order and gets back in order, so buffer i always lies at place i of both.
 *
 *   memory  ├─ buffer 0 ─┼─ buffer 1 ─┼─ buffer 2 ─┼─ buffer 3 ─┤
 *                            ▲ next, used: here the next receive begins
 *
 * With sharing (Linux 6.16: bundles and incremental buffers) one receive goes on from buffer to
 * buffer and the next one begins where it ended. What a receive brings is then one slice, however
 * long, but where it passes the end of the memory; and small receives lie side by side, so that few
 * cache lines serve them all. Without sharing each receive takes one buffer.
 *
 * **Thread:** the loop's.
 */
#ifndef WEFT_IO_URING_POOL_H
#define WEFT_IO_URING_POOL_H

#include <liburing.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weft/err.h>

#include "base/compiler.h"

enum { WEFT_URING_POOL_GROUP = 0 };

struct weft_uring_pool {
    struct io_uring_buf_ring *ring;
    uint8_t *memory;
    size_t memory_size;
    size_t ring_size;
    unsigned size;  /* bytes of one buffer */
    unsigned count; /* a power of two */
    unsigned next;  /* the buffer in which the next receive begins */
    unsigned used;  /* sharing: bytes of it that were taken */
    bool sharing;
};

/*
 * Whether a kernel that calls itself |release| ("6.18.1-amd64") may be trusted with sharing. It is
 * there since 6.12, but kernels up to 6.15 took up a bundle again behind the bytes of another one
 * or counted its bytes twice, so that streams lost their order, and stable releases got that too:
 * https://github.com/axboe/liburing/issues/1409 and /1423. The features of a ring do not tell.
 */
bool weft__uring_kernel_can_share(const char *release);

/* Registers |count| buffers (a power of two) of |size| bytes with |ring|, 0: default; with sharing
 * when |may_share| and this kernel may be trusted with it. **Errors:** WEFT_ERR_NOMEM,
 * WEFT_ERR_UNAVAILABLE (this kernel has no such rings). The pool is to be done in any case. */
WEFT_MUST_USE int weft__uring_pool_init(struct weft_uring_pool *pool, struct io_uring *ring,
                                        unsigned count, unsigned size, bool may_share);

/* The ring that it was registered with is gone. */
void weft__uring_pool_done(struct weft_uring_pool *pool);

/* Makes |sqe|, a multishot receive, use the pool. */
void weft__uring_pool_use(const struct weft_uring_pool *pool, struct io_uring_sqe *sqe);

/* Where the receive that began in buffer |id| put its bytes. Completions are looked at in their
 * order, each once: weft__uring_pool_begin, _slice until all is seen, then _end. */
void weft__uring_pool_begin(struct weft_uring_pool *pool, unsigned id);

/* The contiguous bytes at |offset| < |n| of the |n| that were received; returns how many.
 * **Lifetime:** until weft__uring_pool_end. */
size_t weft__uring_pool_slice(const struct weft_uring_pool *pool, size_t offset, size_t n,
                              uint8_t **ret_data);

/* Gives the buffers of these |n| ≥ 0 bytes back to the kernel. */
void weft__uring_pool_end(struct weft_uring_pool *pool, size_t n);

#endif
