/* SPDX-License-Identifier: Apache-2.0 */
/* The service manager's protocols: notification and socket activation. */
#include "systemd.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { FIRST_FD = 3 /* sd_listen_fds(3): SD_LISTEN_FDS_START */ };

/* ---- Notification ---- */

/* The manager's address. False when there is none. */
static bool notify_address(struct sockaddr_un *ret_address, socklen_t *ret_len)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!path || (path[0] != '/' && path[0] != '@') || !path[1])
        return false;
    size_t len = strlen(path);
    if (len >= sizeof(address.sun_path))
        return false;
    memcpy(address.sun_path, path, len);
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    *ret_address = address;
    /* An abstract name ends where the address ends; a path may. */
    *ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    return true;
}

void systemd_notify(const char *state)
{
    struct sockaddr_un address;
    socklen_t len;
    if (!notify_address(&address, &len))
        return;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&address, len);
    close(fd);
}

/* Reads a whole number without sign. */
static bool read_number(const char *text, unsigned long long *ret_number)
{
    char *end;
    if (!text || text[0] < '0' || text[0] > '9')
        return false;
    unsigned long long number = strtoull(text, &end, 10);
    if (*end || number == ULLONG_MAX)
        return false;
    *ret_number = number;
    return true;
}

/* Whether the variable |name| names this process; |missing| when there is none. */
static bool is_for_us(const char *name, bool missing)
{
    unsigned long long pid;
    const char *text = getenv(name);
    if (!text)
        return missing;
    return read_number(text, &pid) && pid == (unsigned long long)getpid();
}

uint64_t systemd_watchdog_ms(void)
{
    unsigned long long usec;
    if (!read_number(getenv("WATCHDOG_USEC"), &usec) || !usec || !is_for_us("WATCHDOG_PID", true))
        return 0;
    unsigned long long half_ms = usec / 2000;
    return half_ms ? half_ms : 1;
}

/* ---- Socket activation ---- */

static bool is_listening(int fd)
{
    int listening = 0;
    int type = 0;
    socklen_t len = sizeof(listening);
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) || !listening)
        return false;
    len = sizeof(type);
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM;
}

int systemd_listen_fds(int ret_fds[SYSTEMD_FDS_MAX], char *ret_message, size_t message_size)
{
    unsigned long long count = 0;
    bool given = is_for_us("LISTEN_PID", false) && read_number(getenv("LISTEN_FDS"), &count);
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    if (!given)
        return 0;
    if (count > SYSTEMD_FDS_MAX) {
        snprintf(ret_message, message_size, "%llu sockets were handed over; at most %d can be",
                 count, SYSTEMD_FDS_MAX);
        return -1;
    }
    for (int i = 0; i < (int)count; i++) {
        int fd = FIRST_FD + i;
        if (!is_listening(fd) || fcntl(fd, F_SETFD, FD_CLOEXEC)) {
            snprintf(ret_message, message_size,
                     "descriptor %d that was handed over is no listening stream socket", fd);
            return -1;
        }
        ret_fds[i] = fd;
    }
    return (int)count;
}
