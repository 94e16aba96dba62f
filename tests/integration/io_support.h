/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of io share: every case runs on each backend (or on the one that WEFT_TEST_LOOP
 * names), on io_uring once more as an older kernel would have it, and stops with a failure when it
 * takes too long.
 */
#ifndef WEFT_TESTS_INTEGRATION_IO_SUPPORT_H
#define WEFT_TESTS_INTEGRATION_IO_SUPPORT_H

#include "lib/test.h"

#include "io/loop.h"
#include "io/uring_pool.h"

#include <sys/utsname.h>

/* The backend of a case, from its cmocka state. */
static inline enum weft_loop_backend io_backend(void **state)
{
    return *(enum weft_loop_backend *)*state;
}

/* What the loops of the running cases shall not use: enum weft_uring_feature. */
static unsigned io_avoid;

/* Whether a receive on the loops of this case may span buffers. */
static inline bool io_shares_buffers(void **state)
{
    struct utsname name;
    return io_backend(state) == WEFT_LOOP_URING && !(io_avoid & WEFT_URING_SHARING) &&
           uname(&name) == 0 && weft__uring_kernel_can_share(name.release);
}

/* Runs |loop| until it is stopped; fails the test after |limit_ms|. */
struct io_guard {
    struct weft_timer timer;
    struct weft_loop *loop;
    bool expired;
};

static void io_guard_fired(struct weft_timer *timer)
{
    struct io_guard *guard = WEFT_CONTAINER_OF(timer, struct io_guard, timer);
    guard->expired = true;
    weft__loop_stop(guard->loop);
}

static inline void io_run(struct weft_loop *loop, uint64_t limit_ms)
{
    struct io_guard guard = {.loop = loop};
    weft__timer_init(&guard.timer, io_guard_fired);
    weft__loop_timer_start(loop, &guard.timer, limit_ms);
    assert_ok(weft__loop_run(loop));
    weft__loop_timer_stop(loop, &guard.timer);
    assert_false(guard.expired);
}

/* A loop with that backend and, on io_uring, |buffers| receive buffers of |size| bytes (0: the
 * defaults). */
static inline struct weft_loop *io_loop_new(enum weft_loop_backend backend,
                                            const struct weft_alloc *alloc, unsigned buffers,
                                            unsigned size)
{
    struct weft_loop_options options = {.backend = backend,
                                        .alloc = alloc,
                                        .recv_buffer_count = buffers,
                                        .recv_buffer_size = size,
                                        .uring_avoid = io_avoid};
    struct weft_loop *loop = NULL;
    assert_ok(weft__loop_new(&options, &loop));
    return loop;
}

/* Runs |tests| on every backend that this machine has and the environment allows, those of older
 * kernels among them when |older| says so; returns the number of failures. epoll is always there.
 */
static inline int io_run_on(const char *name, const struct CMUnitTest *tests, size_t count,
                            bool older)
{
    static const struct {
        const char *label; /* begins with the backend's name */
        enum weft_loop_backend backend;
        unsigned avoid;
    } variants[] = {
        {"epoll", WEFT_LOOP_EPOLL, 0},
        {"uring", WEFT_LOOP_URING, 0},
        {"uring of Linux 6.15", WEFT_LOOP_URING, WEFT_URING_SHARING},
        {"uring of Linux 6.0", WEFT_LOOP_URING, WEFT_URING_SHARING | WEFT_URING_DEFER},
    };
    const char *only = getenv("WEFT_TEST_LOOP");
    int failures = 0;
    for (size_t i = 0; i < WEFT_ARRAY_LEN(variants); i++) {
        if ((only && strncmp(only, variants[i].label, strlen(only)) != 0) ||
            (variants[i].avoid && !older))
            continue;
        io_avoid = variants[i].avoid;
        struct weft_loop_options options = {.backend = variants[i].backend};
        struct weft_loop *probe = NULL;
        int err = weft__loop_new(&options, &probe);
        if (err == WEFT_ERR_UNAVAILABLE && !only) {
            printf("%s: this kernel has no %s\n", name, variants[i].label);
            continue;
        }
        weft__loop_free(probe);
        struct CMUnitTest *copy = calloc(count, sizeof(*copy));
        if (!copy)
            return failures + 1;
        memcpy(copy, tests, count * sizeof(*copy));
        for (size_t j = 0; j < count; j++)
            copy[j].initial_state = (void *)(uintptr_t)&variants[i].backend;
        char title[128];
        (void)snprintf(title, sizeof(title), "%s on %s", name, variants[i].label);
        failures += _cmocka_run_group_tests(title, copy, count, NULL, NULL);
        free(copy);
    }
    return failures;
}

/* For tests of what the kernel does. */
static inline int io_run_tests(const char *name, const struct CMUnitTest *tests, size_t count)
{
    return io_run_on(name, tests, count, true);
}

/* For tests of what lies above, or of another process. */
static inline int io_run_tests_above(const char *name, const struct CMUnitTest *tests, size_t count)
{
    return io_run_on(name, tests, count, false);
}

#endif
