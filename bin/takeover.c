/* SPDX-License-Identifier: Apache-2.0 */
/* Handing listening sockets from one process to another (SCM_RIGHTS, unix(7)). */
#include "takeover.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    VERSION = 1,
    FDS_A_PACKET = 128, /* the kernel takes 253 */
    PATIENCE_S = 5,     /* for a process that answers at once or not at all */
};

/* The head of each packet with sockets. */
struct offer {
    char magic[4];
    unsigned char version;
    unsigned char reserved[3];
    unsigned total; /* sockets in all packets */
};

static const char MAGIC[4] = {'w', 'e', 'f', 't'};

static bool make_address(const char *folder, struct sockaddr_un *ret_address)
{
    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    int len =
        snprintf(ret_address->sun_path, sizeof(ret_address->sun_path), "%s/control.sock", folder);
    return len > 0 && (size_t)len < sizeof(ret_address->sun_path);
}

static int open_socket(void)
{
    return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
}

static void be_patient(int fd)
{
    const struct timeval limit = {.tv_sec = PATIENCE_S};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

static void be_endlessly_patient(int fd)
{
    const struct timeval none = {0};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof(none));
}

/* The process at the other end. False when it is another user's, or unknown. */
static bool may_talk(int fd, pid_t *ret_pid)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len))
        return false;
    *ret_pid = peer.pid;
    return peer.uid == geteuid() || peer.uid == 0;
}

/* ---- The running process ---- */

int takeover_listen(const char *folder)
{
    struct sockaddr_un address;
    if (!make_address(folder, &address))
        return -1;
    int fd = open_socket();
    if (fd < 0)
        return -1;
    /* Whoever left it there does not have the folder's lock any more. */
    (void)unlink(address.sun_path);
    if (fchmod(fd, 0600) || bind(fd, (const struct sockaddr *)&address, sizeof(address)) ||
        listen(fd, 1)) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool send_sockets(int connection, unsigned total, const int *fds, size_t count)
{
    struct offer offer = {.version = VERSION, .total = total};
    struct iovec iov = {.iov_base = &offer, .iov_len = sizeof(offer)};
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(FDS_A_PACKET * sizeof(int))] = {0};
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = CMSG_SPACE(count * sizeof(int))};
    memcpy(offer.magic, MAGIC, sizeof(MAGIC));
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(rights), fds, count * sizeof(int));
    return sendmsg(connection, &message, MSG_NOSIGNAL) == (ssize_t)sizeof(offer);
}

int takeover_offer(int control, const int *fds, size_t count, pid_t *ret_pid)
{
    int connection = accept4(control, NULL, NULL, SOCK_CLOEXEC);
    if (connection < 0)
        return -1;
    be_patient(connection);
    bool ok = may_talk(connection, ret_pid) && count > 0;
    for (size_t at = 0; ok && at < count; at += FDS_A_PACKET) {
        size_t some = count - at < FDS_A_PACKET ? count - at : FDS_A_PACKET;
        ok = send_sockets(connection, (unsigned)count, fds + at, some);
    }
    if (ok)
        return connection;
    close(connection);
    return -1;
}

/* ---- The new process ---- */

/* Takes in one packet's sockets. False when it is malformed; those that came are counted. */
static bool receive_sockets(int connection, int fds[TAKEOVER_FDS_MAX], size_t *count,
                            unsigned *ret_total)
{
    struct offer offer;
    struct iovec iov = {.iov_base = &offer, .iov_len = sizeof(offer)};
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(FDS_A_PACKET * sizeof(int))];
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    ssize_t got;
    do {
        got = recvmsg(connection, &message, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return false;
    size_t before = *count;
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    if (rights && rights->cmsg_level == SOL_SOCKET && rights->cmsg_type == SCM_RIGHTS) {
        size_t some = (rights->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        if (some > TAKEOVER_FDS_MAX - *count)
            return false;
        memcpy(fds + *count, CMSG_DATA(rights), some * sizeof(int));
        *count += some;
    }
    *ret_total = offer.total;
    return got == (ssize_t)sizeof(offer) && memcmp(offer.magic, MAGIC, sizeof(MAGIC)) == 0 &&
           offer.version == VERSION && !(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) &&
           *count > before && offer.total <= TAKEOVER_FDS_MAX && *count <= offer.total;
}

static int connect_to(const struct sockaddr_un *address)
{
    int fd = open_socket();
    if (fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address))) {
        close(fd);
        fd = -1;
    }
    return fd;
}

int takeover_ask(const char *folder, int ret_fds[TAKEOVER_FDS_MAX], size_t *ret_count,
                 pid_t *ret_pid, char *ret_message, size_t message_size)
{
    struct sockaddr_un address;
    int connection = make_address(folder, &address) ? connect_to(&address) : -1;
    if (connection < 0)
        return -1;
    size_t count = 0;
    unsigned total = 0;
    be_patient(connection);
    bool ok = may_talk(connection, ret_pid);
    do {
        ok = ok && receive_sockets(connection, ret_fds, &count, &total);
    } while (ok && count < total);
    if (ok) {
        *ret_count = count;
        return connection;
    }
    for (size_t i = 0; i < count; i++)
        close(ret_fds[i]);
    close(connection);
    snprintf(ret_message, message_size, "the process that serves %s does not hand over its sockets",
             folder);
    return -2;
}

/* ---- Words ---- */

void takeover_say(int connection, enum takeover_word word)
{
    char text = (char)word;
    (void)!send(connection, &text, 1, MSG_NOSIGNAL);
}

enum takeover_word takeover_hear(int connection)
{
    char text = 0;
    ssize_t got;
    be_endlessly_patient(connection);
    do {
        got = recv(connection, &text, 1, 0);
    } while (got < 0 && errno == EINTR);
    if (got != 1 || (text != TAKEOVER_GO && text != TAKEOVER_RELEASED && text != TAKEOVER_SERVING))
        return TAKEOVER_LOST;
    return (enum takeover_word)text;
}
