/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets, and what happens when accepting fails. */
#include "io/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BACKLOG = 4096, BACKOFF_MS = 50, SOCKET_MODE = 0600 };

static void backoff_over(struct weft_timer *timer)
{
    struct weft_listener *listener = WEFT_CONTAINER_OF(timer, struct weft_listener, backoff);
    if (listener->loop->ops->listener_arm(listener))
        weft__loop_timer_start(listener->loop, timer, BACKOFF_MS);
}

static int bind_error(int sys)
{
    switch (sys) {
    case EADDRINUSE:
        return WEFT_ERR_BUSY;
    case EACCES:
    case EPERM:
        return WEFT_ERR_DENIED;
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
    case ENOENT:
    case ENOTDIR:
        return WEFT_ERR_UNAVAILABLE;
    default:
        return WEFT_ERR_SYSTEM;
    }
}

static int listen_at(int fd, const struct weft_address *address)
{
    if (bind(fd, &address->u.any, weft__address_len(address)) || listen(fd, BACKLOG))
        return bind_error(errno);
    return 0;
}

static int bind_ip(int fd, const struct weft_address *address, unsigned flags)
{
    int one = 1;
    int zero = 0;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)))
        return WEFT_ERR_SYSTEM;
    if ((flags & WEFT_LISTENER_REUSEPORT) &&
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)))
        return WEFT_ERR_SYSTEM;
    /* The empty host means IPv4 too. */
    if (address->u.any.sa_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
    return listen_at(fd, address);
}

/* Removes the file at |address| when it is a socket at which nobody listens: its process died
 * without removing it. */
static int remove_stale(const struct weft_address *address)
{
    struct stat info;
    const char *path = address->u.local.sun_path;
    if (lstat(path, &info) || !S_ISSOCK(info.st_mode))
        return WEFT_ERR_BUSY;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return bind_error(errno);
    int sys = connect(fd, &address->u.any, weft__address_len(address)) ? errno : 0;
    (void)close(fd);
    if (sys != ECONNREFUSED)
        return WEFT_ERR_BUSY;
    return unlink(path) && errno != ENOENT ? bind_error(errno) : 0;
}

static int bind_unix(int fd, const struct weft_address *address, unsigned mode)
{
    mode_t wanted = mode ? (mode_t)mode : SOCKET_MODE;
    /* The file gets the permissions of the socket but what the umask takes: never more than was
     * asked for, not even for a moment. */
    if (fchmod(fd, wanted))
        return WEFT_ERR_SYSTEM;
    int err = listen_at(fd, address);
    if (err == WEFT_ERR_BUSY) {
        err = remove_stale(address);
        if (!err)
            err = listen_at(fd, address);
    }
    if (!err && chmod(address->u.local.sun_path, wanted))
        err = bind_error(errno);
    return err;
}

int weft__listener_bind(const struct weft_address *address, unsigned flags, unsigned mode,
                        int *ret_fd)
{
    int fd = socket(address->u.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return bind_error(errno);
    int err =
        weft__address_is_unix(address) ? bind_unix(fd, address, mode) : bind_ip(fd, address, flags);
    if (err)
        (void)close(fd);
    else
        *ret_fd = fd;
    return err;
}

/* epoll accepts until there is nothing, io_uring waits inside of the kernel. */
static int set_blocking(int fd, bool blocking)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0)
        return WEFT_ERR_SYSTEM;
    int wanted = blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;
    return wanted != flags && fcntl(fd, F_SETFL, wanted) ? WEFT_ERR_SYSTEM : 0;
}

int weft__listener_adopt(struct weft_listener *listener, struct weft_loop *loop, int fd,
                         unsigned flags, const struct weft_listener_callbacks *callbacks)
{
    *listener =
        (struct weft_listener){.loop = loop,
                               .callbacks = callbacks,
                               .fd = fd,
                               .flags = flags & (WEFT_LISTENER_REUSEPORT | WEFT_LISTENER_STEPWISE)};
    weft__list_init(&listener->node);
    weft__timer_init(&listener->backoff, backoff_over);
    int err = set_blocking(fd, !(loop->ops->socket_flags & SOCK_NONBLOCK));
    if (!err)
        err = loop->ops->listener_arm(listener);
    if (!err)
        loop->stats.open_handles++;
    return err;
}

int weft__listener_open(struct weft_listener *listener, struct weft_loop *loop,
                        const struct weft_address *address, unsigned flags,
                        const struct weft_listener_callbacks *callbacks)
{
    int fd = -1;
    int err = weft__listener_bind(address, flags, 0, &fd);
    if (err)
        return err;
    err = weft__listener_adopt(listener, loop, fd, flags, callbacks);
    if (err)
        (void)close(fd);
    return err;
}

int weft__listener_probe(const struct weft_address *address)
{
    int fd;
    int err = weft__listener_bind(address, 0, 0, &fd);
    if (!err)
        (void)close(fd);
    return err;
}

int weft__listener_address(const struct weft_listener *listener, struct weft_address *ret_address)
{
    struct weft_address address = {0};
    socklen_t len = sizeof(address);
    if (getsockname(listener->fd, &address.u.any, &len))
        return WEFT_ERR_SYSTEM;
    *ret_address = address;
    return 0;
}

void weft__listener_accepted(struct weft_listener *listener, int fd,
                             const struct weft_address *peer)
{
    /* Also while closing: somebody made this connection and believes in it. */
    listener->loop->stats.accepts++;
    listener->callbacks->on_accept(listener, fd, peer);
}

void weft__listener_failed(struct weft_listener *listener, int sys)
{
    if (listener->flags & (WEFT_LISTENER_CLOSING | WEFT_LISTENER_PAUSED))
        return;
    /* The connection that was to be accepted is gone already: the next may be fine. */
    bool at_once = sys == 0 || sys == ECONNABORTED || sys == EINTR || sys == EAGAIN ||
                   sys == EPROTO || sys == ECANCELED; /* paused and resumed */
    if (at_once && !listener->loop->ops->listener_arm(listener))
        return;
    listener->loop->stats.accept_waits++;
    weft__loop_timer_start(listener->loop, &listener->backoff, BACKOFF_MS);
}

void weft__listener_pause(struct weft_listener *listener)
{
    if (listener->flags & (WEFT_LISTENER_PAUSED | WEFT_LISTENER_CLOSING))
        return;
    listener->flags |= WEFT_LISTENER_PAUSED;
    weft__timer_stop(&listener->loop->timers, &listener->backoff);
    listener->loop->ops->listener_disarm(listener);
}

void weft__listener_resume(struct weft_listener *listener)
{
    if (!(listener->flags & WEFT_LISTENER_PAUSED) || (listener->flags & WEFT_LISTENER_CLOSING))
        return;
    listener->flags &= (uint16_t)~WEFT_LISTENER_PAUSED;
    /* While the cancellation is out, its end arms it again. */
    if (!(listener->flags & WEFT_LISTENER_ARMED))
        weft__listener_failed(listener, 0);
}

void weft__listener_close(struct weft_listener *listener)
{
    WEFT_ASSERT(!(listener->flags & WEFT_LISTENER_CLOSING));
    listener->flags |= WEFT_LISTENER_CLOSING;
    weft__timer_stop(&listener->loop->timers, &listener->backoff);
    listener->loop->ops->listener_close(listener);
}

void weft__listener_finish(struct weft_listener *listener)
{
    (void)close(listener->fd);
    listener->fd = -1;
    weft__list_push(&listener->loop->closed_listeners, &listener->node);
}
