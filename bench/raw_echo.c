/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plain TCP echo on one thread, the limit of what any echo server on epoll can do: one read and one
 * write per ready socket, no protocol.
 *
 *     raw_echo [PORT]
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS_MAX = 512, BUFFER_SIZE = 256 << 10 };

/* Sends all of |data|; waits only where the socket is full, which a depth that fits never causes.
 */
static int send_all(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EAGAIN)
            n = poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1) < 0 ? -1 : 0;
        if (n < 0)
            return -1;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

static void add(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
        (void)close(fd);
}

int main(int argc, char **argv)
{
    static char buffer[BUFFER_SIZE];
    struct epoll_event events[EVENTS_MAX];
    const int one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 0)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    int epoll = epoll_create1(0);
    (void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (epoll < 0 || bind(listener, (struct sockaddr *)&address, size) || listen(listener, 4096) ||
        getsockname(listener, (struct sockaddr *)&address, &size))
        return perror("listen"), 1;
    add(epoll, listener);

    (void)printf("listening on %u\n", (unsigned)ntohs(address.sin_port));
    (void)fflush(stdout);
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS_MAX, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
                (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
                add(epoll, fd);
                continue;
            }
            ssize_t n = read(fd, buffer, sizeof(buffer));
            if (n == 0 || (n < 0 && errno != EAGAIN) || (n > 0 && send_all(fd, buffer, (size_t)n)))
                (void)close(fd);
        }
    }
}
