/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, spreading and closing the sockets a server listens at. */
#include "server/listen.h"

#include "base/mem.h"
#include "io/clock.h"
#include "io/tcp.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    ADDRESS_MS = 1000, /* for the address to become free */
    ADDRESS_STEP_MS = 20,
};

/* ---- Our own ---- */

static void pause_ms(long ms)
{
    const struct timespec step = {.tv_nsec = ms * 1000000L};
    nanosleep(&step, NULL);
}

/*
 * Binds the first socket. The sockets of a process that was killed a moment ago may still be held
 * by its io_uring, which the kernel takes apart after the process is gone, so a busy address is
 * tried again. Sockets that share a port do not notice those of another process: one that does not
 * share is tried before.
 */
static int bind_first(struct weft_listen *listen, const struct weft_server_options *options,
                      const struct weft_address *address, unsigned flags)
{
    uint64_t end_ns = weft__clock_now_ns() + ADDRESS_MS * WEFT_NS_PER_MS;
    for (;;) {
        int err = flags ? weft__listener_probe(address) : 0;
        if (!err)
            err = weft__listener_bind(address, flags, options->operations.socket_mode,
                                      &listen->fds[0]);
        if (err != WEFT_ERR_BUSY || weft__clock_now_ns() >= end_ns) {
            listen->count = err ? 0 : 1;
            return err;
        }
        pause_ms(ADDRESS_STEP_MS);
    }
}

static int read_address(int fd, struct weft_address *ret_address)
{
    struct weft_address address = {0};
    socklen_t len = sizeof(address);
    if (getsockname(fd, &address.u.any, &len))
        return WEFT_ERR_SYSTEM;
    *ret_address = address;
    return 0;
}

static int open_own(struct weft_listen *listen, const struct weft_server_options *options,
                    unsigned workers, struct weft_address *address)
{
    bool local = weft__address_is_unix(address);
    unsigned flags = local ? 0 : WEFT_LISTENER_REUSEPORT;
    int err = bind_first(listen, options, address, flags);
    if (err)
        return err;
    struct stat info;
    if (local && lstat(address->u.local.sun_path, &info) == 0) {
        listen->has_file = true;
        listen->file[0] = (uint64_t)info.st_dev;
        listen->file[1] = (uint64_t)info.st_ino;
    }
    /* The first socket gets the port, the others share it. */
    err = read_address(listen->fds[0], address);
    unsigned wanted = local ? 1 : WEFT_MIN(workers, (unsigned)WEFT_LISTEN_FDS_MAX);
    while (!err && listen->count < wanted) {
        err = weft__listener_bind(address, flags, 0, &listen->fds[listen->count]);
        listen->count += err == 0;
    }
    return err;
}

/* ---- Handed over ---- */

static int take_given(struct weft_listen *listen, const struct weft_server_options *options,
                      struct weft_address *address)
{
    const struct weft_server_operations *operations = &options->operations;
    for (size_t i = 0; i < operations->listen_fd_count; i++) {
        int listening = 0;
        socklen_t len = sizeof(listening);
        int fd = operations->listen_fds[i];
        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) || !listening ||
            fcntl(fd, F_SETFD, FD_CLOEXEC))
            return WEFT_ERR_USAGE;
        listen->fds[i] = fd;
    }
    listen->count = operations->listen_fd_count;
    return read_address(listen->fds[0], address);
}

int weft__listen_open(struct weft_listen *listen, const struct weft_server_options *options,
                      unsigned workers, struct weft_address *address)
{
    if (options->operations.listen_fd_count)
        return take_given(listen, options, address);
    int err = open_own(listen, options, workers, address);
    if (err)
        weft__listen_close(listen, options, address, false);
    return err;
}

/* ---- Spreading and closing ---- */

int weft__listen_dup(const struct weft_listen *listen, unsigned index, int *ret_fd)
{
    int fd = fcntl(listen->fds[index % listen->count], F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return WEFT_ERR_SYSTEM;
    *ret_fd = fd;
    return 0;
}

unsigned weft__listen_share(const struct weft_listen *listen, unsigned index, unsigned workers)
{
    unsigned total = WEFT_MAX((unsigned)listen->count, workers);
    return (total - index + workers - 1) / workers;
}

/* Another process may have replaced the file meanwhile. */
static void remove_file(const struct weft_listen *listen, const struct weft_address *address)
{
    struct stat info;
    const char *path = address->u.local.sun_path;
    if (lstat(path, &info) == 0 && (uint64_t)info.st_dev == listen->file[0] &&
        (uint64_t)info.st_ino == listen->file[1])
        (void)unlink(path);
}

void weft__listen_close(struct weft_listen *listen, const struct weft_server_options *options,
                        const struct weft_address *address, bool keep_given)
{
    if (listen->has_file && !listen->handed_over)
        remove_file(listen, address);
    listen->has_file = false;
    bool keep = keep_given && options->operations.listen_fd_count;
    for (size_t i = 0; !keep && i < listen->count; i++)
        (void)close(listen->fds[i]);
    listen->count = 0;
}
