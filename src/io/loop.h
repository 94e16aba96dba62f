/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop: one a thread. Everything above it speaks in completions ("submit with a buffer,
 * hear when it is done"), so that io_uring and epoll look the same from above; what exists on it is
 * in io/tcp.h, timers, posted tasks and hooks are here.
 *
 * One turn ("tick") of weft__loop_run:
 *
 *      ┌─► wait ─► completions ─► posted tasks ─► due timers ─► on_closed of closed handles ─┐
 *      └────────────────────────── hooks (owners flush what they corked) ◄───────────────────┘
 *
 * So whatever is queued by any callback of a tick goes out in the hooks of the same tick, with one
 * submission on io_uring.
 *
 * **Thread:** a loop, and everything opened on it, belongs to the thread that runs it. Before that
 * it belongs to the thread that made it, which may open handles, start timers and add hooks, and
 * then starts the running thread. From any other thread only weft__loop_post may be called.
 */
#ifndef WEFT_IO_LOOP_H
#define WEFT_IO_LOOP_H

#include "base/list.h"
#include "base/timer.h"
#include "port/exec.h"

#include <stdatomic.h>
#include <stdint.h>
#include <weft/alloc.h>
#include <weft/err.h>

struct weft_loop;

enum weft_loop_backend {
    WEFT_LOOP_AUTO, /* io_uring when the kernel has all that is needed, else epoll */
    WEFT_LOOP_EPOLL,
    WEFT_LOOP_URING,
};

/* What io_uring is used for only in newer kernels, and can be told not to use, so that tests find
 * the ways of older ones too. */
enum weft_uring_feature {
    WEFT_URING_SHARING = 1, /* Linux 6.16: receives share and span buffers */
    WEFT_URING_DEFER = 2,   /* Linux 6.1: completions wait until the loop asks for them */
};

struct weft_loop_options {
    enum weft_loop_backend backend;
    const struct weft_alloc *alloc; /* NULL: weft_alloc_default() */
    /* io_uring: buffers in the pool, a power of two; 0: a pool of 1 or 2 MiB. */
    unsigned recv_buffer_count;
    unsigned recv_buffer_size; /* bytes of one receive buffer; 0: the backend's default */
    unsigned uring_avoid;      /* enum weft_uring_feature, or'ed */
};

/* What a loop did since it was made. Read on the loop's thread. */
struct weft_loop_stats {
    uint64_t ticks;        /* turns of the loop */
    uint64_t wakeups;      /* turns ended by another thread's post */
    uint64_t tasks;        /* posted tasks run */
    uint64_t accepts;      /* connections accepted */
    uint64_t accept_waits; /* times accepting stopped for want of descriptors or memory */
    uint64_t receives;     /* completed receives with data */
    uint64_t bytes_in;
    uint64_t sends; /* completed sends */
    uint64_t bytes_out;
    uint64_t buffer_waits; /* receives that found the buffer pool empty and were repeated */
    uint64_t open_handles; /* connections and listeners opened and not yet closed */
};

/*
 * Makes a loop. A backend that is asked for by name is used or refused, never replaced.
 * **Errors:** WEFT_ERR_UNAVAILABLE (the backend asked for is missing in this kernel or forbidden to
 * this process), WEFT_ERR_NOMEM, WEFT_ERR_SYSTEM (descriptors exhausted and the like),
 * WEFT_ERR_USAGE (recv_buffer_count not a power of two up to 32,768).
 */
WEFT_MUST_USE int weft__loop_new(const struct weft_loop_options *options,
                                 struct weft_loop **ret_loop);

/*
 * Frees |loop|, which is not running; NULL is allowed. Every handle must have been closed and have
 * seen its on_closed, and no other thread may post any more. Tasks still in the queue are run once,
 * so that what they carry can be released; they must not open anything.
 */
void weft__loop_free(struct weft_loop *loop);

/* Turns until weft__loop_stop; may be called again afterwards, on the same thread.
 * **Errors:** WEFT_ERR_SYSTEM when waiting itself failed, which leaves the loop unusable. */
WEFT_MUST_USE int weft__loop_run(struct weft_loop *loop);

/* Makes weft__loop_run return at the end of this tick, after its hooks. */
void weft__loop_stop(struct weft_loop *loop);

/* "uring" or "epoll": what the loop really uses. **Lifetime:** static. */
const char *weft__loop_backend_name(const struct weft_loop *loop);

/* Reads a backend's name: "auto", "epoll" or "uring". **Errors:** WEFT_ERR_USAGE. */
WEFT_MUST_USE int weft__loop_backend_parse(const char *name, enum weft_loop_backend *ret_backend);

/* The monotonic time of this tick, in nanoseconds; read from the clock once a tick. */
uint64_t weft__loop_now_ns(const struct weft_loop *loop);

/* The allocator that was given or the default one. */
const struct weft_alloc *weft__loop_alloc(const struct weft_loop *loop);

/* **Lifetime:** the loop's. */
const struct weft_loop_stats *weft__loop_stats(const struct weft_loop *loop);

/* A free slot for the owner of the loop (a worker), to be found again from any callback. */
void weft__loop_set_owner(struct weft_loop *loop, void *owner);
void *weft__loop_owner(const struct weft_loop *loop);

/* ---- Timers. weft__timer_init (base/timer.h) prepares one; it lies in the owner's object. ---- */

/* Starts |timer|, or moves it when it runs, to fire |delay_ms| after this tick's time. O(1). The
 * callback may start, stop and free any timer. */
void weft__loop_timer_start(struct weft_loop *loop, struct weft_timer *timer, uint64_t delay_ms);

/* The same with an absolute monotonic time. */
void weft__loop_timer_start_at(struct weft_loop *loop, struct weft_timer *timer, uint64_t due_ns);

/* Stops |timer|; harmless when it is stopped. O(1). */
void weft__loop_timer_stop(struct weft_loop *loop, struct weft_timer *timer);

/* The wheel itself, for modules below that start timers without knowing the loop.
 * **Lifetime:** the loop's. */
struct weft_timer_wheel *weft__loop_wheel(struct weft_loop *loop);

/* ---- Tasks (port/exec.h): the way into a loop from another thread. ---- */

/*
 * Queues |task| and wakes the loop if it sleeps; a burst of posts costs one wake-up. Tasks of one
 * thread run in the order in which it posted them. What the poster wrote before is visible to the
 * task. Does not allocate and cannot fail. A task that is posted during a tick runs in that tick or
 * the next one, before the loop sleeps.
 * **Lifetime:** |task| belongs to the queue until its function is called; never post it twice.
 * **Thread:** any. The loop must outlive the call, so a loop is freed only after the threads that
 * post to it have ended or are known to be done with it.
 */
void weft__loop_post(struct weft_loop *loop, struct weft_task *task);

/* The same as an interface for cores. **Lifetime:** copied out; valid while the loop exists. */
struct weft_exec weft__loop_exec(struct weft_loop *loop);

/* ---- Hooks: called once a tick, last before the loop waits. ---- */

struct weft_loop_hook;
typedef void weft_loop_hook_fn(struct weft_loop_hook *hook);

/* Embedded in the object that flushes. */
struct weft_loop_hook {
    struct weft_list node;
    weft_loop_hook_fn *fn;
};

/* Adds |hook|, which calls |fn| in every tick, in the order of adding. A hook may not add or remove
 * other hooks, but may remove itself. */
void weft__loop_hook_add(struct weft_loop *loop, struct weft_loop_hook *hook,
                         weft_loop_hook_fn *fn);

/* Harmless for a hook that was removed; one that was never added must be zeroed. */
void weft__loop_hook_remove(struct weft_loop_hook *hook);

/* Makes the coming wait return at once: for a hook that left work behind for the next tick. */
void weft__loop_again(struct weft_loop *loop);

#endif
