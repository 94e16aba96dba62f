/* SPDX-License-Identifier: Apache-2.0 */
/* The turn of a loop: what is common to all backends. The order within a turn is in loop.h. */
#include "io/loop.h"

#include "io/backend.h"
#include "io/clock.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { RECV_BUFFERS_MAX = 32768 };

static int init_backend(struct weft_loop *loop, enum weft_loop_backend backend)
{
    if (backend == WEFT_LOOP_EPOLL)
        return weft__epoll_init(loop);
    int err = weft__uring_init(loop);
    if (err == WEFT_ERR_UNAVAILABLE && backend == WEFT_LOOP_AUTO)
        err = weft__epoll_init(loop);
    return err;
}

int weft__loop_new(const struct weft_loop_options *options, struct weft_loop **ret_loop)
{
    unsigned count = options->recv_buffer_count;
    if (count > RECV_BUFFERS_MAX || (count & (count - 1)) != 0 ||
        options->recv_buffer_size > 16u << 20)
        return WEFT_ERR_USAGE;
    const struct weft_alloc *alloc = options->alloc ? options->alloc : weft_alloc_default();
    struct weft_loop *loop = weft__mem_zalloc(alloc, sizeof(*loop));
    if (!loop)
        return WEFT_ERR_NOMEM;
    loop->alloc = alloc;
    loop->recv_buffer_count = count;
    loop->recv_buffer_size = options->recv_buffer_size;
    loop->avoid = options->uring_avoid;
    loop->now_ns = weft__clock_now_ns();
    weft__timer_wheel_init(&loop->timers, loop->now_ns);
    weft__list_init(&loop->hooks);
    weft__list_init(&loop->closed_tcps);
    weft__list_init(&loop->closed_listeners);
    atomic_init(&loop->tasks, NULL);
    atomic_init(&loop->sleeping, 0);
    int err = WEFT_ERR_SYSTEM;
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->wake_fd >= 0)
        err = init_backend(loop, options->backend);
    if (err) {
        if (loop->wake_fd >= 0)
            (void)close(loop->wake_fd);
        weft__mem_free(alloc, loop, sizeof(*loop));
        return err;
    }
    *ret_loop = loop;
    return 0;
}

/* Runs what was posted so far, oldest first. */
static void run_tasks(struct weft_loop *loop)
{
    if (!atomic_load_explicit(&loop->tasks, memory_order_relaxed))
        return;
    struct weft_task *newest = atomic_exchange_explicit(&loop->tasks, NULL, memory_order_acquire);
    struct weft_task *oldest = NULL;
    while (newest) {
        struct weft_task *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest) {
        struct weft_task *task = oldest;
        oldest = task->next;
        task->next = NULL;
        loop->stats.tasks++;
        task->fn(task);
    }
}

void weft__loop_free(struct weft_loop *loop)
{
    if (!loop)
        return;
    run_tasks(loop);
    WEFT_ASSERT(loop->stats.open_handles == 0);
    loop->ops->done(loop);
    (void)close(loop->wake_fd);
    weft__mem_free(loop->alloc, loop, sizeof(*loop));
}

static void report_closed(struct weft_loop *loop)
{
    struct weft_list *node;
    while ((node = weft__list_pop(&loop->closed_tcps))) {
        struct weft_tcp *tcp = WEFT_CONTAINER_OF(node, struct weft_tcp, node);
        loop->stats.open_handles--;
        tcp->callbacks->on_closed(tcp);
    }
    while ((node = weft__list_pop(&loop->closed_listeners))) {
        struct weft_listener *listener = WEFT_CONTAINER_OF(node, struct weft_listener, node);
        loop->stats.open_handles--;
        listener->callbacks->on_closed(listener);
    }
}

static void run_hooks(struct weft_loop *loop)
{
    WEFT_LIST_EACH_SAFE (node, &loop->hooks) {
        struct weft_loop_hook *hook = WEFT_CONTAINER_OF(node, struct weft_loop_hook, node);
        hook->fn(hook);
    }
}

/* How long the coming wait may sleep; when it may, posts write wake_fd from here on. */
static uint64_t prepare_sleep(struct weft_loop *loop)
{
    if (loop->again || loop->stopping || !weft__list_empty(&loop->closed_tcps) ||
        !weft__list_empty(&loop->closed_listeners))
        return 0;
    uint64_t next_ns = weft__timer_wheel_next_ns(&loop->timers);
    if (next_ns <= loop->now_ns)
        return 0;
    /* Either we see the task here or its poster sees that we sleep: both are ordered. */
    atomic_store(&loop->sleeping, 1);
    if (atomic_load(&loop->tasks))
        return 0;
    return next_ns == UINT64_MAX ? UINT64_MAX : next_ns - loop->now_ns;
}

int weft__loop_run(struct weft_loop *loop)
{
    int err = 0;
    if (!loop->started) {
        err = loop->ops->start(loop);
        loop->started = err == 0;
    }
    while (!err) {
        report_closed(loop);
        run_hooks(loop);
        uint64_t timeout_ns = prepare_sleep(loop);
        if (loop->stopping)
            break;
        loop->again = false;
        err = loop->ops->wait(loop, timeout_ns);
        run_tasks(loop);
        weft__timer_wheel_advance(&loop->timers, loop->now_ns);
        loop->stats.ticks++;
    }
    loop->stopping = false;
    return err;
}

void weft__loop_stop(struct weft_loop *loop)
{
    loop->stopping = true;
}

void weft__loop_post(struct weft_loop *loop, struct weft_task *task)
{
    struct weft_task *head = atomic_load_explicit(&loop->tasks, memory_order_relaxed);
    do {
        task->next = head;
    } while (!atomic_compare_exchange_weak(&loop->tasks, &head, task));
    if (atomic_load(&loop->sleeping) && atomic_exchange(&loop->sleeping, 0)) {
        uint64_t one = 1;
        /* Cannot fail but by a signal: the counter is far from its maximum. */
        while (write(loop->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
            continue;
    }
}

static void exec_post(void *ctx, struct weft_task *task)
{
    weft__loop_post(ctx, task);
}

struct weft_exec weft__loop_exec(struct weft_loop *loop)
{
    return (struct weft_exec){.post = exec_post, .ctx = loop};
}

const char *weft__loop_backend_name(const struct weft_loop *loop)
{
    return loop->ops->name;
}

int weft__loop_backend_parse(const char *name, enum weft_loop_backend *ret_backend)
{
    static const char *const names[] = {"auto", "epoll", "uring"};
    for (int i = 0; i < (int)WEFT_ARRAY_LEN(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            *ret_backend = (enum weft_loop_backend)i;
            return 0;
        }
    }
    return WEFT_ERR_USAGE;
}

uint64_t weft__loop_now_ns(const struct weft_loop *loop)
{
    return loop->now_ns;
}

const struct weft_alloc *weft__loop_alloc(const struct weft_loop *loop)
{
    return loop->alloc;
}

const struct weft_loop_stats *weft__loop_stats(const struct weft_loop *loop)
{
    return &loop->stats;
}

void weft__loop_set_owner(struct weft_loop *loop, void *owner)
{
    loop->owner = owner;
}

void *weft__loop_owner(const struct weft_loop *loop)
{
    return loop->owner;
}

void weft__loop_timer_start(struct weft_loop *loop, struct weft_timer *timer, uint64_t delay_ms)
{
    uint64_t due_ns;
    if (WEFT_MUL_OVERFLOW(delay_ms, WEFT_NS_PER_MS, &due_ns) ||
        WEFT_ADD_OVERFLOW(due_ns, loop->now_ns, &due_ns))
        due_ns = UINT64_MAX;
    weft__timer_start(&loop->timers, timer, due_ns);
}

void weft__loop_timer_start_at(struct weft_loop *loop, struct weft_timer *timer, uint64_t due_ns)
{
    weft__timer_start(&loop->timers, timer, due_ns);
}

void weft__loop_timer_stop(struct weft_loop *loop, struct weft_timer *timer)
{
    weft__timer_stop(&loop->timers, timer);
}

struct weft_timer_wheel *weft__loop_wheel(struct weft_loop *loop)
{
    return &loop->timers;
}

void weft__loop_hook_add(struct weft_loop *loop, struct weft_loop_hook *hook, weft_loop_hook_fn *fn)
{
    hook->fn = fn;
    weft__list_push(&loop->hooks, &hook->node);
}

void weft__loop_hook_remove(struct weft_loop_hook *hook)
{
    if (hook->node.next)
        weft__list_remove(&hook->node);
}

void weft__loop_again(struct weft_loop *loop)
{
    loop->again = true;
}
