/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Completions as io_uring gives them: one multishot accept for each listener, one multishot receive
 * for each connection out of a ring of provided buffers, sends that the kernel finishes by itself.
 *
 * What is queued during a tick is submitted by the wait of the tick, in one system call. An
 * operation's user_data is its handle's address with the kind of operation in the low bits; 0 is
 * for completions nobody needs (cancellations). A handle counts its operations (`ops`), each until
 * its last completion was dispatched, and is finished when it is closing and the count is 0.
 *
 * Buffers (uring_pool.h) go back as soon as the callback returns, so the pool is whole between two
 * ticks: a receive that found it empty (ENOBUFS) is simply started again.
 */
#include "io/backend.h"
#include "io/clock.h"
#include "io/uring_pool.h"

#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SQ_ENTRIES = 1024, CQ_ENTRIES = 8192 };

enum op { OP_NONE, OP_RECV, OP_SEND, OP_CONNECT, OP_ACCEPT, OP_WAKE, OP_MASK = 7 };

struct uring_backend {
    struct io_uring ring;
    struct weft_uring_pool pool; /* what is received into */
    struct msghdr *messages;     /* one for each entry of the submission queue */
    bool enabled;                /* submitting is allowed: the loop runs */
};

/* ---- Submitting ---- */

/* A free entry of the submission queue; NULL when it is full before the loop runs. */
static struct io_uring_sqe *new_sqe(struct weft_loop *loop)
{
    struct uring_backend *backend = loop->backend;
    struct io_uring_sqe *sqe = io_uring_get_sqe(&backend->ring);
    while (!sqe && backend->enabled) {
        int result = io_uring_submit(&backend->ring);
        /* The kernel may be short of memory for a moment; without any progress nothing could be
         * promised to anybody. */
        WEFT_ASSERT(result >= 0 || result == -EAGAIN || result == -EBUSY || result == -EINTR);
        if (result < 0)
            (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        sqe = io_uring_get_sqe(&backend->ring);
    }
    return sqe;
}

/* The same for a running loop. */
static struct io_uring_sqe *need_sqe(struct weft_loop *loop)
{
    struct io_uring_sqe *sqe = new_sqe(loop);
    WEFT_ASSERT(sqe);
    return sqe;
}

static uint64_t user_data(void *handle, enum op op)
{
    return (uint64_t)(uintptr_t)handle | (uint64_t)op;
}

static void cancel(struct weft_loop *loop, void *handle, enum op op)
{
    struct io_uring_sqe *sqe = need_sqe(loop);
    io_uring_prep_cancel64(sqe, user_data(handle, op), 0);
    io_uring_sqe_set_data64(sqe, OP_NONE);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
}

static int arm_recv(struct weft_tcp *tcp)
{
    struct uring_backend *backend = tcp->loop->backend;
    struct io_uring_sqe *sqe = new_sqe(tcp->loop);
    if (!sqe)
        return WEFT_ERR_LIMIT;
    io_uring_prep_recv_multishot(sqe, tcp->fd, NULL, 0, 0);
    weft__uring_pool_use(&backend->pool, sqe);
    io_uring_sqe_set_data64(sqe, user_data(tcp, OP_RECV));
    tcp->flags |= WEFT_TCP_RECV_ARMED;
    tcp->ops++;
    return 0;
}

static void submit_send(struct weft_tcp *tcp)
{
    struct uring_backend *backend = tcp->loop->backend;
    struct io_uring_sqe *sqe = need_sqe(tcp->loop);
    int flags = MSG_NOSIGNAL | MSG_WAITALL;
    if (tcp->iov_count == 1) {
        io_uring_prep_send(sqe, tcp->fd, tcp->iov->iov_base, tcp->iov->iov_len, flags);
    } else {
        /* The header is read when the entry is submitted, which is before the entry is reused. */
        struct msghdr *msg = &backend->messages[sqe - backend->ring.sq.sqes];
        *msg = (struct msghdr){.msg_iov = tcp->iov, .msg_iovlen = (size_t)tcp->iov_count};
        io_uring_prep_sendmsg(sqe, tcp->fd, msg, (unsigned)flags);
    }
    io_uring_sqe_set_data64(sqe, user_data(tcp, OP_SEND));
    tcp->ops++;
}

/* ---- Operations of the table ---- */

static int tcp_open(struct weft_tcp *tcp)
{
    return arm_recv(tcp);
}

static int tcp_send(struct weft_tcp *tcp)
{
    submit_send(tcp);
    return 0;
}

static void tcp_interest(struct weft_tcp *tcp)
{
    if (tcp->flags & WEFT_TCP_RECEIVING) {
        if (!(tcp->flags & WEFT_TCP_RECV_ARMED)) {
            int err = arm_recv(tcp);
            WEFT_ASSERT(!err);
        }
    } else if ((tcp->flags & (WEFT_TCP_RECV_ARMED | WEFT_TCP_CANCELING)) == WEFT_TCP_RECV_ARMED) {
        tcp->flags |= WEFT_TCP_CANCELING;
        cancel(tcp->loop, tcp, OP_RECV);
    }
}

static int tcp_connect(struct weft_tcp *tcp)
{
    struct io_uring_sqe *sqe = new_sqe(tcp->loop);
    if (!sqe)
        return WEFT_ERR_LIMIT;
    const struct weft_address *address = &tcp->connector->address;
    io_uring_prep_connect(sqe, tcp->fd, &address->u.any, weft__address_len(address));
    io_uring_sqe_set_data64(sqe, user_data(tcp, OP_CONNECT));
    tcp->ops++;
    return 0;
}

static void tcp_connect_cancel(struct weft_tcp *tcp)
{
    cancel(tcp->loop, tcp, OP_CONNECT);
}

static void tcp_close(struct weft_tcp *tcp)
{
    if ((tcp->flags & (WEFT_TCP_RECV_ARMED | WEFT_TCP_CANCELING)) == WEFT_TCP_RECV_ARMED)
        cancel(tcp->loop, tcp, OP_RECV);
    if (tcp->flags & WEFT_TCP_SENDING)
        cancel(tcp->loop, tcp, OP_SEND);
    if (tcp->flags & WEFT_TCP_CONNECTING)
        cancel(tcp->loop, tcp, OP_CONNECT);
    if (!tcp->ops)
        weft__tcp_finish(tcp);
}

static int listener_arm(struct weft_listener *listener)
{
    struct io_uring_sqe *sqe = new_sqe(listener->loop);
    if (!sqe)
        return WEFT_ERR_LIMIT;
    if (listener->flags & WEFT_LISTENER_STEPWISE)
        io_uring_prep_accept(sqe, listener->fd, NULL, NULL, SOCK_CLOEXEC);
    else
        io_uring_prep_multishot_accept(sqe, listener->fd, NULL, NULL, SOCK_CLOEXEC);
    io_uring_sqe_set_data64(sqe, user_data(listener, OP_ACCEPT));
    listener->flags |= WEFT_LISTENER_ARMED;
    listener->ops++;
    return 0;
}

static void listener_disarm(struct weft_listener *listener)
{
    if ((listener->flags & (WEFT_LISTENER_ARMED | WEFT_LISTENER_CANCELING)) != WEFT_LISTENER_ARMED)
        return;
    listener->flags |= WEFT_LISTENER_CANCELING;
    cancel(listener->loop, listener, OP_ACCEPT);
}

static void listener_close(struct weft_listener *listener)
{
    listener_disarm(listener);
    if (!listener->ops)
        weft__listener_finish(listener);
}

static void arm_wake(struct weft_loop *loop)
{
    struct io_uring_sqe *sqe = need_sqe(loop);
    io_uring_prep_poll_multishot(sqe, loop->wake_fd, POLLIN);
    io_uring_sqe_set_data64(sqe, user_data(loop, OP_WAKE));
}

/* ---- Completions ---- */

/* An operation of |tcp| saw its last completion. The count is lowered only after the callbacks, so
 * that closing in one of them does not finish the connection under our feet. */
static void tcp_op_done(struct weft_tcp *tcp)
{
    WEFT_ASSERT(tcp->ops > 0);
    tcp->ops--;
    if (!tcp->ops && (tcp->flags & WEFT_TCP_CLOSING))
        weft__tcp_finish(tcp);
}

/* Gives the |n| bytes that begin in buffer |id| to the owner, and the buffers back. */
static void deliver(struct weft_tcp *tcp, unsigned id, size_t n)
{
    struct weft_uring_pool *pool = &((struct uring_backend *)tcp->loop->backend)->pool;
    weft__uring_pool_begin(pool, id);
    for (size_t at = 0; at < n;) {
        uint8_t *data;
        size_t len = weft__uring_pool_slice(pool, at, n, &data);
        weft__tcp_received(tcp, data, (ptrdiff_t)len);
        at += len;
    }
    weft__uring_pool_end(pool, n);
}

static void recv_done(struct weft_tcp *tcp, int result, unsigned flags)
{
    bool last = !(flags & IORING_CQE_F_MORE);
    if (last)
        tcp->flags &= (uint16_t) ~(WEFT_TCP_RECV_ARMED | WEFT_TCP_CANCELING);
    if (flags & IORING_CQE_F_BUFFER)
        deliver(tcp, flags >> IORING_CQE_BUFFER_SHIFT, result > 0 ? (size_t)result : 0);
    if (!last)
        return;
    if (result == -ENOBUFS)
        tcp->loop->stats.buffer_waits++;
    else if (result <= 0 && result != -ECANCELED && result != -EINTR && result != -EAGAIN)
        weft__tcp_received(tcp, NULL, result ? weft__io_error(-result) : 0);
    /* A multishot receive may end without an error, for example when completions pile up. */
    uint16_t state = WEFT_TCP_RECEIVING | WEFT_TCP_RECV_ARMED | WEFT_TCP_ENDED | WEFT_TCP_CLOSING;
    if ((tcp->flags & state) == WEFT_TCP_RECEIVING)
        tcp_interest(tcp);
    tcp_op_done(tcp);
}

static void send_done(struct weft_tcp *tcp, int result)
{
    bool all = result >= 0 && weft__tcp_advance(tcp, (size_t)result);
    bool again = result > 0 || result == -EAGAIN || result == -EINTR;
    if (all)
        weft__tcp_send_done(tcp, 0);
    else if (again && !(tcp->flags & WEFT_TCP_CLOSING))
        submit_send(tcp);
    else
        weft__tcp_send_done(tcp, result ? weft__io_error(-result) : WEFT_ERR_SYSTEM);
    tcp_op_done(tcp);
}

static void connect_done(struct weft_tcp *tcp, int result)
{
    int err = result == -ETIMEDOUT ? WEFT_ERR_TIMEOUT : result ? weft__io_error(-result) : 0;
    if ((tcp->flags & (WEFT_TCP_CONNECTING | WEFT_TCP_CLOSING)) == WEFT_TCP_CONNECTING)
        weft__tcp_connect_done(tcp, err);
    tcp_op_done(tcp);
}

static void accept_done(struct weft_listener *listener, int result, unsigned flags)
{
    if (result >= 0) {
        /* Multishot accept has one place for the address of all, so it is asked for here. */
        struct weft_address peer = {0};
        (void)weft__address_of_peer(result, &peer);
        weft__listener_accepted(listener, result, &peer);
    }
    if (flags & IORING_CQE_F_MORE)
        return;
    listener->flags &= (uint16_t) ~(WEFT_LISTENER_ARMED | WEFT_LISTENER_CANCELING);
    weft__listener_failed(listener, result < 0 ? -result : 0);
    listener->ops--;
    if (!listener->ops && (listener->flags & WEFT_LISTENER_CLOSING))
        weft__listener_finish(listener);
}

static void wake_done(struct weft_loop *loop, unsigned flags)
{
    /* There may be two completions for one write: the second finds nothing to read. */
    uint64_t count;
    loop->stats.wakeups++;
    while (read(loop->wake_fd, &count, sizeof(count)) < 0 && errno == EINTR)
        continue;
    if (!(flags & IORING_CQE_F_MORE))
        arm_wake(loop);
}

static void dispatch(const struct io_uring_cqe *cqe)
{
    void *handle = (void *)(uintptr_t)(cqe->user_data & ~(uint64_t)OP_MASK);
    switch ((enum op)(cqe->user_data & OP_MASK)) {
    case OP_RECV:
        recv_done(handle, cqe->res, cqe->flags);
        break;
    case OP_SEND:
        send_done(handle, cqe->res);
        break;
    case OP_CONNECT:
        connect_done(handle, cqe->res);
        break;
    case OP_ACCEPT:
        accept_done(handle, cqe->res, cqe->flags);
        break;
    case OP_WAKE:
        wake_done(handle, cqe->flags);
        break;
    case OP_NONE:
    case OP_MASK:
    default:
        break;
    }
}

/* ---- The wait ---- */

static int submit_and_wait(struct io_uring *ring, uint64_t timeout_ns)
{
    if (timeout_ns == 0)
        return io_uring_submit_and_get_events(ring);
    if (timeout_ns == UINT64_MAX)
        return io_uring_submit_and_wait(ring, 1);
    struct __kernel_timespec ts = {
        .tv_sec = (long long)(timeout_ns / WEFT_NS_PER_S),
        .tv_nsec = (long long)(timeout_ns % WEFT_NS_PER_S),
    };
    struct io_uring_cqe *cqe;
    return io_uring_submit_and_wait_timeout(ring, &cqe, 1, &ts, NULL);
}

static int uring_wait(struct weft_loop *loop, uint64_t timeout_ns)
{
    struct uring_backend *backend = loop->backend;
    int result = submit_and_wait(&backend->ring, timeout_ns);
    atomic_store_explicit(&loop->sleeping, 0, memory_order_relaxed);
    loop->now_ns = weft__clock_now_ns();
    if (result < 0 && result != -ETIME && result != -EINTR && result != -EAGAIN && result != -EBUSY)
        return WEFT_ERR_SYSTEM;
    /* Only what is there now: what the callbacks cause belongs to the next tick. */
    unsigned ready = io_uring_cq_ready(&backend->ring);
    while (ready) {
        struct io_uring_cqe *cqes[64];
        unsigned n = io_uring_peek_batch_cqe(&backend->ring, cqes,
                                             WEFT_MIN(ready, (unsigned)WEFT_ARRAY_LEN(cqes)));
        for (unsigned i = 0; i < n; i++)
            dispatch(cqes[i]);
        io_uring_cq_advance(&backend->ring, n);
        ready -= n;
    }
    return 0;
}

/* ---- Birth and death ---- */

static int uring_start(struct weft_loop *loop)
{
    struct uring_backend *backend = loop->backend;
    /* liburing's own wrapper is missing from the shared library of 2.3. */
    if (io_uring_register((unsigned)backend->ring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0))
        return WEFT_ERR_SYSTEM;
    backend->enabled = true;
    /* Saves looking up the ring's descriptor in every call; does not matter when it fails. */
    (void)io_uring_register_ring_fd(&backend->ring);
    arm_wake(loop);
    return 0;
}

static void uring_done(struct weft_loop *loop)
{
    struct uring_backend *backend = loop->backend;
    if (!backend)
        return;
    if (backend->ring.ring_fd > 0)
        io_uring_queue_exit(&backend->ring);
    weft__uring_pool_done(&backend->pool);
    weft__mem_free(loop->alloc, backend->messages, SQ_ENTRIES * sizeof(*backend->messages));
    weft__mem_free(loop->alloc, backend, sizeof(*backend));
    loop->backend = NULL;
}

/*
 * The ring itself. Single issuer came with the same kernel (6.0) as multishot receive, so that one
 * is the probe of the other; deferred task work (6.1) is wanted, but not needed.
 */
static int init_ring(struct uring_backend *backend, unsigned avoid)
{
    static const unsigned wishes[] = {
        IORING_SETUP_DEFER_TASKRUN,
        IORING_SETUP_COOP_TASKRUN,
    };
    int result = -EINVAL;
    size_t first = avoid & WEFT_URING_DEFER ? 1 : 0;
    for (size_t i = first; i < WEFT_ARRAY_LEN(wishes) && result == -EINVAL; i++) {
        struct io_uring_params params = {
            .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE |
                     IORING_SETUP_SUBMIT_ALL | wishes[i],
            .cq_entries = CQ_ENTRIES,
        };
        result = io_uring_queue_init_params(SQ_ENTRIES, &backend->ring, &params);
    }
    if (!result) {
        unsigned needed = IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE | IORING_FEAT_EXT_ARG |
                          IORING_FEAT_CQE_SKIP;
        return (backend->ring.features & needed) == needed ? 0 : WEFT_ERR_UNAVAILABLE;
    }
    backend->ring.ring_fd = -1;
    switch (result) {
    case -EMFILE:
    case -ENFILE:
        return WEFT_ERR_SYSTEM;
    default: /* no such call, no such flag, forbidden, no memory may be locked */
        return WEFT_ERR_UNAVAILABLE;
    }
}

int weft__uring_init(struct weft_loop *loop)
{
    static const struct weft_backend_ops ops = {
        .name = "uring",
        .start = uring_start,
        .done = uring_done,
        .wait = uring_wait,
        .tcp_open = tcp_open,
        .tcp_connect = tcp_connect,
        .tcp_connect_cancel = tcp_connect_cancel,
        .tcp_send = tcp_send,
        .tcp_interest = tcp_interest,
        .tcp_close = tcp_close,
        .listener_arm = listener_arm,
        .listener_disarm = listener_disarm,
        .listener_close = listener_close,
    };
    struct uring_backend *backend = weft__mem_zalloc(loop->alloc, sizeof(*backend));
    if (!backend)
        return WEFT_ERR_NOMEM;
    loop->ops = &ops;
    loop->backend = backend;
    backend->messages = weft__mem_alloc_array(loop->alloc, SQ_ENTRIES, sizeof(*backend->messages));
    int err = backend->messages ? init_ring(backend, loop->avoid) : WEFT_ERR_NOMEM;
    if (!err)
        err = weft__uring_pool_init(&backend->pool, &backend->ring, loop->recv_buffer_count,
                                    loop->recv_buffer_size, !(loop->avoid & WEFT_URING_SHARING));
    if (err)
        uring_done(loop);
    return err;
}
