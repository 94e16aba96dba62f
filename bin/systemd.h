/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a service manager and a service tell each other through the environment (sd_notify(3),
 * sd_listen_fds(3)), without its library: both are a few lines.
 *
 *   NOTIFY_SOCKET             datagrams "READY=1" … go there; a path, or '@' and an abstract name
 *   WATCHDOG_USEC, _PID       "WATCHDOG=1" is expected at least that often
 *   LISTEN_FDS, LISTEN_PID    so many listening sockets are open, from descriptor 3 on
 */
#ifndef WEFT_BIN_SYSTEMD_H
#define WEFT_BIN_SYSTEMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SYSTEMD_FDS_MAX = 64 };

/* Sends |state|, lines of NAME=VALUE. Without a manager, or when it does not listen, nothing
 * happens: nobody depends on it. */
void systemd_notify(const char *state);

/* How often, in milliseconds, a sign of life has to be sent: half of what the manager allows. 0:
 * never. */
uint64_t systemd_watchdog_ms(void);

/*
 * Fills in the sockets that were handed over and makes them close-on-exec; takes the variables out
 * of the environment, so that children do not believe them. Returns how many there are, or -1 when
 * there are too many or one is no listening stream socket, with a sentence in |ret_message|.
 */
int systemd_listen_fds(int ret_fds[SYSTEMD_FDS_MAX], char *ret_message, size_t message_size);

#endif
