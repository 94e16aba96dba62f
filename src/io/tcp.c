/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a connection as both backends share it: states, the rest of a send, what may still be
 * reported. A flag of enum weft_tcp_flag is set and cleared here unless its comment says otherwise.
 */
#include "io/tcp.h"

#include "io/backend.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SEND_SLICES_MAX = 1024 };

int weft__io_error(int sys)
{
    switch (sys) {
    case ECONNRESET:
    case EPIPE:
    case ETIMEDOUT:
    case ECONNABORTED:
    case ENOTCONN:
    case ESHUTDOWN:
        return WEFT_ERR_CLOSED;
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EADDRNOTAVAIL:
    case ENETDOWN:
        return WEFT_ERR_UNAVAILABLE;
    case ENOMEM:
    case ENOBUFS:
        return WEFT_ERR_NOMEM;
    default:
        return WEFT_ERR_SYSTEM;
    }
}

static void prepare(struct weft_tcp *tcp, struct weft_loop *loop, int fd,
                    const struct weft_tcp_callbacks *callbacks)
{
    *tcp = (struct weft_tcp){.loop = loop, .callbacks = callbacks, .fd = fd};
    weft__list_init(&tcp->node);
    int one = 1;
    /* Fails on sockets that are not TCP, which have no such delay. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

int weft__tcp_open(struct weft_tcp *tcp, struct weft_loop *loop, int fd,
                   const struct weft_tcp_callbacks *callbacks)
{
    prepare(tcp, loop, fd, callbacks);
    tcp->flags = WEFT_TCP_RECEIVING;
    int err = loop->ops->tcp_open(tcp);
    if (!err)
        loop->stats.open_handles++;
    return err;
}

/* ---- Connecting ---- */

static void connect_deadline(struct weft_timer *timer)
{
    struct weft_tcp_connector *connector =
        WEFT_CONTAINER_OF(timer, struct weft_tcp_connector, deadline);
    struct weft_tcp *tcp = connector->tcp;
    tcp->loop->ops->tcp_connect_cancel(tcp);
    weft__tcp_connect_done(tcp, connector->result);
}

/* Gives |fd| its own address. The port is chosen only with the destination known, so that the range
 * of ports counts for each destination and not once for the source. */
static int bind_source(int fd, const struct weft_address *source)
{
    int one = 1;
    /* Harmless when it fails: ports are then scarcer. */
    (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
    if (!bind(fd, &source->u.any, weft__address_len(source)))
        return 0;
    return errno == EADDRINUSE ? WEFT_ERR_BUSY : weft__io_error(errno);
}

int weft__tcp_connect(struct weft_tcp *tcp, struct weft_loop *loop,
                      const struct weft_address *address, uint64_t timeout_ms,
                      struct weft_tcp_connector *connector,
                      const struct weft_tcp_callbacks *callbacks)
{
    return weft__tcp_connect_from(tcp, loop, NULL, address, timeout_ms, connector, callbacks);
}

int weft__tcp_connect_from(struct weft_tcp *tcp, struct weft_loop *loop,
                           const struct weft_address *source, const struct weft_address *address,
                           uint64_t timeout_ms, struct weft_tcp_connector *connector,
                           const struct weft_tcp_callbacks *callbacks)
{
    int type = SOCK_STREAM | SOCK_CLOEXEC | loop->ops->socket_flags;
    int fd = socket(address->u.any.sa_family, type, 0);
    if (fd < 0)
        return WEFT_ERR_SYSTEM;
    int bound = source ? bind_source(fd, source) : 0;
    if (bound) {
        (void)close(fd);
        return bound;
    }
    prepare(tcp, loop, fd, callbacks);
    tcp->flags = WEFT_TCP_CONNECTING | WEFT_TCP_RECEIVING;
    tcp->connector = connector;
    *connector =
        (struct weft_tcp_connector){.tcp = tcp, .address = *address, .result = WEFT_ERR_TIMEOUT};
    weft__timer_init(&connector->deadline, connect_deadline);
    int err = loop->ops->tcp_connect(tcp);
    if (err == WEFT_ERR_LIMIT) {
        (void)close(fd);
        return err;
    }
    loop->stats.open_handles++;
    /* A refusal at once is reported like a later one: from the tick, by the timer. */
    if (err)
        connector->result = err;
    weft__loop_timer_start(loop, &connector->deadline, err ? 0 : timeout_ms);
    return 0;
}

void weft__tcp_connect_done(struct weft_tcp *tcp, int err)
{
    weft__timer_stop(&tcp->loop->timers, &tcp->connector->deadline);
    tcp->connector = NULL;
    tcp->flags &= (uint16_t)~WEFT_TCP_CONNECTING;
    if (!err)
        err = tcp->loop->ops->tcp_open(tcp);
    if (err)
        tcp->flags |= WEFT_TCP_FAILED;
    else if (!(tcp->flags & WEFT_TCP_RECEIVING))
        tcp->loop->ops->tcp_interest(tcp); /* paused while connecting */
    tcp->callbacks->on_connected(tcp, err);
}

/* ---- Receiving ---- */

void weft__tcp_received(struct weft_tcp *tcp, uint8_t *data, ptrdiff_t n)
{
    if (tcp->flags & (WEFT_TCP_CLOSING | WEFT_TCP_ENDED))
        return;
    if (n > 0) {
        tcp->loop->stats.receives++;
        tcp->loop->stats.bytes_in += (uint64_t)n;
    } else {
        tcp->flags |= WEFT_TCP_ENDED;
    }
    tcp->callbacks->on_recv(tcp, data, n);
}

void weft__tcp_pause(struct weft_tcp *tcp)
{
    if (!(tcp->flags & WEFT_TCP_RECEIVING))
        return;
    tcp->flags &= (uint16_t)~WEFT_TCP_RECEIVING;
    if (!(tcp->flags & (WEFT_TCP_CONNECTING | WEFT_TCP_FAILED | WEFT_TCP_ENDED | WEFT_TCP_CLOSING)))
        tcp->loop->ops->tcp_interest(tcp);
}

void weft__tcp_resume(struct weft_tcp *tcp)
{
    if (tcp->flags & WEFT_TCP_RECEIVING)
        return;
    tcp->flags |= WEFT_TCP_RECEIVING;
    if (!(tcp->flags & (WEFT_TCP_CONNECTING | WEFT_TCP_FAILED | WEFT_TCP_ENDED | WEFT_TCP_CLOSING)))
        tcp->loop->ops->tcp_interest(tcp);
}

/* ---- Sending ---- */

int weft__tcp_send(struct weft_tcp *tcp, struct iovec *iov, int count)
{
    WEFT_ASSERT(count >= 1 && count <= SEND_SLICES_MAX);
    WEFT_ASSERT(!(tcp->flags & (WEFT_TCP_SENDING | WEFT_TCP_CONNECTING | WEFT_TCP_CLOSING)));
    if (tcp->flags & WEFT_TCP_FAILED)
        return WEFT_ERR_CLOSED;
    tcp->iov = iov;
    tcp->iov_count = count;
    tcp->sent = 0;
    int result = tcp->loop->ops->tcp_send(tcp);
    if (result == 0) {
        tcp->flags |= WEFT_TCP_SENDING;
    } else if (result > 0) {
        tcp->loop->stats.sends++;
        tcp->loop->stats.bytes_out += tcp->sent;
    }
    return result;
}

bool weft__tcp_sends_at_once(const struct weft_tcp *tcp)
{
    return tcp->loop->ops->sends_at_once;
}

ptrdiff_t weft__tcp_send_now(struct weft_tcp *tcp, const struct iovec *iov, int count)
{
    WEFT_ASSERT(count >= 1 && count <= SEND_SLICES_MAX);
    WEFT_ASSERT(!(tcp->flags & (WEFT_TCP_SENDING | WEFT_TCP_CONNECTING | WEFT_TCP_CLOSING)));
    if (tcp->flags & WEFT_TCP_FAILED)
        return WEFT_ERR_CLOSED;
    /* The cast: struct msghdr knows no const. */
    struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)count};
    ssize_t n;
    do {
        n = sendmsg(tcp->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM ? 0 : weft__io_error(errno);
    tcp->loop->stats.sends++;
    tcp->loop->stats.bytes_out += (uint64_t)n;
    return n;
}

bool weft__tcp_sending(const struct weft_tcp *tcp)
{
    return (tcp->flags & WEFT_TCP_SENDING) != 0;
}

bool weft__tcp_advance(struct weft_tcp *tcp, size_t n)
{
    tcp->sent += n;
    while (tcp->iov_count && n >= tcp->iov->iov_len) {
        n -= tcp->iov->iov_len;
        tcp->iov++;
        tcp->iov_count--;
    }
    if (!tcp->iov_count)
        return true;
    tcp->iov->iov_base = (uint8_t *)tcp->iov->iov_base + n;
    tcp->iov->iov_len -= n;
    return false;
}

void weft__tcp_send_done(struct weft_tcp *tcp, int err)
{
    tcp->flags &= (uint16_t)~WEFT_TCP_SENDING;
    if (tcp->flags & WEFT_TCP_CLOSING)
        return;
    if (!err) {
        tcp->loop->stats.sends++;
        tcp->loop->stats.bytes_out += tcp->sent;
    }
    tcp->callbacks->on_sent(tcp, err ? err : (ptrdiff_t)tcp->sent);
}

/* ---- The end ---- */

void weft__tcp_shutdown_write(struct weft_tcp *tcp)
{
    WEFT_ASSERT(!(tcp->flags & (WEFT_TCP_SENDING | WEFT_TCP_CONNECTING | WEFT_TCP_CLOSING)));
    /* Fails when the connection is broken, which receiving reports. */
    (void)shutdown(tcp->fd, SHUT_WR);
}

void weft__tcp_close(struct weft_tcp *tcp)
{
    WEFT_ASSERT(!(tcp->flags & WEFT_TCP_CLOSING));
    tcp->flags |= WEFT_TCP_CLOSING;
    if (tcp->flags & WEFT_TCP_CONNECTING)
        weft__timer_stop(&tcp->loop->timers, &tcp->connector->deadline);
    tcp->loop->ops->tcp_close(tcp);
}

void weft__tcp_abort(struct weft_tcp *tcp)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(tcp->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    weft__tcp_close(tcp);
}

void weft__tcp_finish(struct weft_tcp *tcp)
{
    (void)close(tcp->fd);
    tcp->fd = -1;
    weft__list_push(&tcp->loop->closed_tcps, &tcp->node);
}
