/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of io share: the insides of a loop and the table of operations that a backend
 * fills in. loop.c, tcp.c and listener.c hold what is common; loop_epoll.c and loop_uring.c hold
 * the operations. Not for other modules.
 */
#ifndef WEFT_IO_BACKEND_H
#define WEFT_IO_BACKEND_H

#include "base/assert.h"
#include "base/mem.h"
#include "io/loop.h"
#include "io/tcp.h"

enum weft_tcp_flag {
    WEFT_TCP_CONNECTING = 1,  /* on_connected is to come */
    WEFT_TCP_FAILED = 2,      /* connecting failed: may only be closed */
    WEFT_TCP_RECEIVING = 4,   /* the owner wants data (not paused) */
    WEFT_TCP_ENDED = 8,       /* end of stream or error was delivered */
    WEFT_TCP_SENDING = 16,    /* on_sent is to come */
    WEFT_TCP_CLOSING = 32,    /* closed by the owner: only on_closed may come */
    WEFT_TCP_RECV_ARMED = 64, /* io_uring: the receive operation is out */
    WEFT_TCP_CANCELING = 128, /* io_uring: and its cancellation too */
};

enum weft_listener_state {
    WEFT_LISTENER_ARMED = 256, /* accepting; behind the public flags */
    WEFT_LISTENER_CLOSING = 512,
    WEFT_LISTENER_PAUSED = 1024,
    WEFT_LISTENER_CANCELING = 2048, /* io_uring: the cancellation of the accept is out */
};

/* Handles that may be opened before the loop runs: they fit the submission queue. */
enum { WEFT_LOOP_EARLY_HANDLES = 256 };

struct weft_backend_ops {
    const char *name;
    /* Called on the running thread before the first wait. */
    int (*start)(struct weft_loop *loop);
    void (*done)(struct weft_loop *loop);
    /* Submits what is queued, waits up to |timeout_ns| (UINT64_MAX: for ever) for a completion and
     * dispatches all there are. */
    int (*wait)(struct weft_loop *loop, uint64_t timeout_ns);
    /* Begins receiving on a fresh connection. */
    int (*tcp_open)(struct weft_tcp *tcp);
    /* Begins connecting to tcp->connector->address. */
    int (*tcp_connect)(struct weft_tcp *tcp);
    /* Gives up connecting; on_connected was called. */
    void (*tcp_connect_cancel)(struct weft_tcp *tcp);
    /* Sends tcp->iov; results as weft__tcp_send. */
    int (*tcp_send)(struct weft_tcp *tcp);
    /* WEFT_TCP_RECEIVING changed. */
    void (*tcp_interest)(struct weft_tcp *tcp);
    /* Ends all operations and then calls weft__tcp_finish, at once or later. */
    void (*tcp_close)(struct weft_tcp *tcp);
    /* Begins or goes on accepting. */
    int (*listener_arm)(struct weft_listener *listener);
    /* Stops accepting, at once or, after a weft__listener_failed, later. */
    void (*listener_disarm)(struct weft_listener *listener);
    /* Stops accepting and then calls weft__listener_finish, at once or later. */
    void (*listener_close)(struct weft_listener *listener);
    /* A system call for one send is no more than what a queued one costs. */
    bool sends_at_once;
    /* Additional flags of socket() for sockets that connect or listen. */
    int socket_flags;
};

struct weft_loop {
    const struct weft_alloc *alloc;
    const struct weft_backend_ops *ops;
    void *backend; /* the backend's own state */
    void *owner;
    uint64_t now_ns;
    bool stopping;
    bool started; /* the backend's start was called */
    bool again;   /* the coming wait must not sleep */
    int wake_fd;  /* eventfd; written by weft__loop_post */
    unsigned recv_buffer_count;
    unsigned recv_buffer_size;
    unsigned avoid; /* enum weft_uring_feature */
    struct weft_loop_stats stats;
    struct weft_timer_wheel timers;
    struct weft_list hooks;
    struct weft_list closed_tcps; /* on_closed is to be called */
    struct weft_list closed_listeners;
    /* Written by other threads, so on a cache line of their own. Not by alignment, which allocators
     * do not promise. */
    uint8_t before_tasks[64];
    _Atomic(struct weft_task *) tasks; /* newest first */
    atomic_int sleeping;               /* a post must write wake_fd */
    uint8_t behind_tasks[64];
};

/* Make the backend's state of |loop|. **Errors:** as weft__loop_new. */
WEFT_MUST_USE int weft__epoll_init(struct weft_loop *loop);
WEFT_MUST_USE int weft__uring_init(struct weft_loop *loop);

/* The code for |sys|, an errno of a receive, send or similar call on a connection. */
int weft__io_error(int sys);

/* ---- What backends report; all from within their wait. ---- */

/* |data| of |n| bytes, or the end, arrived for an open connection. */
void weft__tcp_received(struct weft_tcp *tcp, uint8_t *data, ptrdiff_t n);

/* |n| more bytes of the send in flight are out: moves tcp->iov on. True when that was all. */
bool weft__tcp_advance(struct weft_tcp *tcp, size_t n);

/* The send in flight ended: |err| or 0. Calls on_sent. */
void weft__tcp_send_done(struct weft_tcp *tcp, int err);

/* Connecting ended with |err| or 0. Calls on_connected; after a 0 begins receiving. */
void weft__tcp_connect_done(struct weft_tcp *tcp, int err);

/* No operation is out any more: closes the socket and queues on_closed. */
void weft__tcp_finish(struct weft_tcp *tcp);

/* |fd| was accepted. */
void weft__listener_accepted(struct weft_listener *listener, int fd,
                             const struct weft_address *peer);

/* Accepting failed with |sys| and is not armed any more: goes on at once or after a pause. */
void weft__listener_failed(struct weft_listener *listener, int sys);

/* As weft__tcp_finish. */
void weft__listener_finish(struct weft_listener *listener);

#endif
