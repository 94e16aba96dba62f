/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Completions on top of epoll's readiness: level-triggered, one receive of at most one shared
 * buffer for each ready connection and tick, sends tried at once and finished when the socket is
 * writable again. A connection that waits for nothing stays in the set edge-triggered, because
 * EPOLLERR and EPOLLHUP are reported whether asked for or not; so only its first registration can
 * fail.
 *
 * The pointer in an event says what it belongs to in its low bits. A handle that is closed while
 * its event waits in the batch still exists: on_closed comes after the batch.
 */
#include "io/backend.h"
#include "io/clock.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS_MAX = 256, RECV_SIZE_DEFAULT = 64 * 1024 };

/* Registered, but waiting for nothing. */
static const uint32_t EVENTS_IDLE = EPOLLET;

enum tag { TAG_TCP, TAG_LISTENER, TAG_WAKE, TAG_MASK = 3 };

struct epoll_backend {
    int fd;
    uint32_t recv_size;
    struct epoll_event events[EVENTS_MAX];
    uint8_t recv[]; /* shared by all connections */
};

static void *tagged(void *ptr, enum tag tag)
{
    return (uint8_t *)ptr + tag;
}

/* Makes |events| the ones waited for; 0 takes the descriptor out. */
static int watch(struct weft_loop *loop, int fd, void *ptr, uint32_t before, uint32_t events)
{
    struct epoll_backend *backend = loop->backend;
    if (before == events)
        return 0;
    int op = !before ? EPOLL_CTL_ADD : !events ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
    struct epoll_event event = {.events = events, .data = {.ptr = ptr}};
    return epoll_ctl(backend->fd, op, fd, &event) ? WEFT_ERR_SYSTEM : 0;
}

static int tcp_watch(struct weft_tcp *tcp, uint32_t events)
{
    int err = watch(tcp->loop, tcp->fd, tagged(tcp, TAG_TCP), tcp->events, events);
    if (!err)
        tcp->events = events;
    return err;
}

/* Waits for what the connection's state asks for. */
static void tcp_interest(struct weft_tcp *tcp)
{
    uint32_t events = 0;
    if ((tcp->flags & WEFT_TCP_RECEIVING) && !(tcp->flags & WEFT_TCP_ENDED))
        events |= EPOLLIN;
    if (tcp->flags & WEFT_TCP_SENDING)
        events |= EPOLLOUT;
    /* Cannot fail: the descriptor is in the set, and changing its entry needs no memory. */
    (void)tcp_watch(tcp, events ? events : EVENTS_IDLE);
}

static int tcp_open(struct weft_tcp *tcp)
{
    return tcp_watch(tcp, EPOLLIN);
}

static int tcp_connect(struct weft_tcp *tcp)
{
    const struct weft_address *address = &tcp->connector->address;
    int result;
    do {
        result = connect(tcp->fd, &address->u.any, weft__address_len(address));
    } while (result && errno == EINTR);
    if (result && errno != EINPROGRESS)
        return weft__io_error(errno);
    return tcp_watch(tcp, EPOLLOUT);
}

static void tcp_connect_cancel(struct weft_tcp *tcp)
{
    if (tcp->events)
        (void)tcp_watch(tcp, EVENTS_IDLE);
}

static void connect_ready(struct weft_tcp *tcp)
{
    int sys = 0;
    socklen_t len = sizeof(sys);
    if (getsockopt(tcp->fd, SOL_SOCKET, SO_ERROR, &sys, &len))
        sys = errno;
    int err = sys == ETIMEDOUT ? WEFT_ERR_TIMEOUT : sys ? weft__io_error(sys) : 0;
    if (err)
        (void)tcp_watch(tcp, EVENTS_IDLE);
    weft__tcp_connect_done(tcp, err);
}

/* Writes what is left. WEFT_TCP_SENT, 0 when the socket is full, or an error. */
static int write_out(struct weft_tcp *tcp)
{
    for (;;) {
        ssize_t n;
        if (tcp->iov_count == 1) {
            n = send(tcp->fd, tcp->iov->iov_base, tcp->iov->iov_len, MSG_DONTWAIT | MSG_NOSIGNAL);
        } else {
            struct msghdr msg = {.msg_iov = tcp->iov, .msg_iovlen = (size_t)tcp->iov_count};
            n = sendmsg(tcp->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
        }
        if (n >= 0) {
            if (weft__tcp_advance(tcp, (size_t)n))
                return WEFT_TCP_SENT;
        } else if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM) {
            return 0;
        } else if (errno != EINTR) {
            return weft__io_error(errno);
        }
    }
}

static int tcp_send(struct weft_tcp *tcp)
{
    int result = write_out(tcp);
    if (result == 0)
        (void)tcp_watch(tcp, (tcp->events & ~EVENTS_IDLE) | EPOLLOUT);
    return result;
}

static void send_ready(struct weft_tcp *tcp)
{
    int result = write_out(tcp);
    if (result == 0)
        return;
    weft__tcp_send_done(tcp, result < 0 ? result : 0);
    /* The owner may have started the next send or closed. */
    if (!(tcp->flags & WEFT_TCP_CLOSING))
        tcp_interest(tcp);
}

static void recv_ready(struct weft_tcp *tcp)
{
    struct epoll_backend *backend = tcp->loop->backend;
    ssize_t n;
    do {
        n = recv(tcp->fd, backend->recv, backend->recv_size, MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return;
    weft__tcp_received(tcp, backend->recv, n < 0 ? weft__io_error(errno) : n);
    if (n <= 0 && !(tcp->flags & WEFT_TCP_CLOSING))
        tcp_interest(tcp);
}

static void tcp_ready(struct weft_tcp *tcp, uint32_t events)
{
    uint32_t broken = events & (EPOLLERR | EPOLLHUP);
    if (tcp->flags & WEFT_TCP_CONNECTING) {
        connect_ready(tcp);
        return;
    }
    /* Every state may have changed in the callback before. Errors show up in whatever is tried. */
    if ((tcp->flags & WEFT_TCP_SENDING) && !(tcp->flags & WEFT_TCP_CLOSING) &&
        (broken || (events & EPOLLOUT)))
        send_ready(tcp);
    if ((tcp->flags & WEFT_TCP_RECEIVING) && !(tcp->flags & (WEFT_TCP_CLOSING | WEFT_TCP_ENDED)) &&
        (broken || (events & EPOLLIN)))
        recv_ready(tcp);
}

static void tcp_close(struct weft_tcp *tcp)
{
    /* Closing the descriptor takes it out of the set only if it is the last one: a child of a fork
     * may hold another, and an event would then come for a connection that is freed. */
    if (tcp->events)
        (void)tcp_watch(tcp, 0);
    weft__tcp_finish(tcp);
}

static int listener_arm(struct weft_listener *listener)
{
    int err = watch(listener->loop, listener->fd, tagged(listener, TAG_LISTENER), 0, EPOLLIN);
    if (!err)
        listener->flags |= WEFT_LISTENER_ARMED;
    return err;
}

static void listener_disarm(struct weft_listener *listener)
{
    if (listener->flags & WEFT_LISTENER_ARMED)
        (void)watch(listener->loop, listener->fd, NULL, EPOLLIN, 0);
    listener->flags &= (uint16_t)~WEFT_LISTENER_ARMED;
}

static void listener_close(struct weft_listener *listener)
{
    listener_disarm(listener);
    weft__listener_finish(listener);
}

static void accept_ready(struct weft_listener *listener)
{
    /* Enough for a storm, few enough for the established connections not to wait. */
    enum { ACCEPTS_A_TICK = 64 };
    const uint16_t stopped = WEFT_LISTENER_CLOSING | WEFT_LISTENER_PAUSED;
    for (int i = 0; i < ACCEPTS_A_TICK && !(listener->flags & stopped); i++) {
        struct weft_address peer = {0};
        socklen_t len = sizeof(peer);
        int fd = accept4(listener->fd, &peer.u.any, &len, SOCK_CLOEXEC);
        if (fd >= 0) {
            weft__listener_accepted(listener, fd, &peer);
        } else if (errno == EAGAIN) {
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            int sys = errno;
            listener_disarm(listener);
            weft__listener_failed(listener, sys);
            return;
        }
    }
}

static void drain_wake(struct weft_loop *loop)
{
    uint64_t count;
    loop->stats.wakeups++;
    while (read(loop->wake_fd, &count, sizeof(count)) < 0 && errno == EINTR)
        continue;
}

static void dispatch(struct weft_loop *loop, const struct epoll_event *event)
{
    uintptr_t bits = (uintptr_t)event->data.ptr & TAG_MASK;
    void *ptr = (uint8_t *)event->data.ptr - bits;
    switch ((enum tag)bits) {
    case TAG_TCP: {
        struct weft_tcp *tcp = ptr;
        if (!(tcp->flags & (WEFT_TCP_CLOSING | WEFT_TCP_FAILED)))
            tcp_ready(tcp, event->events);
        break;
    }
    case TAG_LISTENER:
        accept_ready(ptr);
        break;
    case TAG_WAKE:
    default:
        drain_wake(loop);
        break;
    }
}

static int wait_ms(uint64_t timeout_ns)
{
    enum { LONGEST_MS = 3600 * 1000 };
    uint64_t ms = timeout_ns / WEFT_NS_PER_MS + (timeout_ns % WEFT_NS_PER_MS != 0);
    return timeout_ns == UINT64_MAX ? -1 : (int)WEFT_MIN(ms, (uint64_t)LONGEST_MS);
}

static int epoll_wait_once(struct weft_loop *loop, uint64_t timeout_ns)
{
    struct epoll_backend *backend = loop->backend;
    int n = epoll_wait(backend->fd, backend->events, EVENTS_MAX, wait_ms(timeout_ns));
    int sys = errno;
    atomic_store_explicit(&loop->sleeping, 0, memory_order_relaxed);
    loop->now_ns = weft__clock_now_ns();
    if (n < 0)
        return sys == EINTR ? 0 : WEFT_ERR_SYSTEM;
    for (int i = 0; i < n; i++)
        dispatch(loop, &backend->events[i]);
    return 0;
}

static int epoll_start(struct weft_loop *loop)
{
    (void)loop;
    return 0;
}

static void epoll_done(struct weft_loop *loop)
{
    struct epoll_backend *backend = loop->backend;
    (void)close(backend->fd);
    weft__mem_free(loop->alloc, backend, sizeof(*backend) + backend->recv_size);
}

int weft__epoll_init(struct weft_loop *loop)
{
    static const struct weft_backend_ops ops = {
        .name = "epoll",
        .start = epoll_start,
        .done = epoll_done,
        .wait = epoll_wait_once,
        .tcp_open = tcp_open,
        .tcp_connect = tcp_connect,
        .tcp_connect_cancel = tcp_connect_cancel,
        .tcp_send = tcp_send,
        .tcp_interest = tcp_interest,
        .tcp_close = tcp_close,
        .listener_arm = listener_arm,
        .listener_disarm = listener_disarm,
        .listener_close = listener_close,
        .sends_at_once = true,
        .socket_flags = SOCK_NONBLOCK,
    };
    uint32_t recv_size = loop->recv_buffer_size ? loop->recv_buffer_size : RECV_SIZE_DEFAULT;
    struct epoll_backend *backend = weft__mem_alloc(loop->alloc, sizeof(*backend) + recv_size);
    if (!backend)
        return WEFT_ERR_NOMEM;
    backend->recv_size = recv_size;
    backend->fd = epoll_create1(EPOLL_CLOEXEC);
    loop->backend = backend;
    loop->ops = &ops;
    if (backend->fd >= 0 && !watch(loop, loop->wake_fd, tagged(loop, TAG_WAKE), 0, EPOLLIN))
        return 0;
    if (backend->fd >= 0)
        (void)close(backend->fd);
    weft__mem_free(loop->alloc, backend, sizeof(*backend) + recv_size);
    return WEFT_ERR_SYSTEM;
}
