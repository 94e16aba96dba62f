/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How work gets onto a thread: a task is posted to the loop of a worker and runs there once. The
 * task is embedded in the object it is about, so posting allocates nothing and cannot fail.
 */
#ifndef WEFT_PORT_EXEC_H
#define WEFT_PORT_EXEC_H

#include <stddef.h>

struct weft_task;

/* Called on the loop's thread; |task| is out of the queue then and may be posted again or freed. */
typedef void weft_task_fn(struct weft_task *task);

/* Embedded in the object that travels. */
struct weft_task {
    struct weft_task *next; /* the queue's while posted */
    weft_task_fn *fn;
};

static inline void weft__task_init(struct weft_task *task, weft_task_fn *fn)
{
    task->next = NULL;
    task->fn = fn;
}

/* One worker's loop, seen from any thread. */
struct weft_exec {
    /* Runs |task|, which must not be posted already, on the worker soon; tasks posted by one thread
     * run in their order. What the poster wrote before is visible to the task. **Thread:** any. */
    void (*post)(void *ctx, struct weft_task *task);
    void *ctx;
};

static inline void weft__exec_post(const struct weft_exec *exec, struct weft_task *task)
{
    exec->post(exec->ctx, task);
}

#endif
