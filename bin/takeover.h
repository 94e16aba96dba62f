/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a server's process hands its listening sockets to the next one, over the Unix socket
 * `control.sock` in the data folder (sequenced packets; mode 0600; the same user or root).
 *
 *   running process                              new process
 *                       ◄── connects ──
 *     sockets           ──────────────►          checks them
 *                       ◄── GO ────────
 *     drains, closes the store, lets go of the folder's lock
 *     RELEASED          ──────────────►          opens the store, serves
 *                       ◄── SERVING ───
 *     ends
 *
 * From GO to SERVING nobody accepts; connections wait in the sockets' queues, which both processes
 * hold open. When the new process is lost before SERVING, the running one serves again; when the
 * running one is lost, the new one has what it needs already. So nobody is refused whichever dies.
 */
#ifndef WEFT_BIN_TAKEOVER_H
#define WEFT_BIN_TAKEOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { TAKEOVER_FDS_MAX = 256 };

/* The words, and what takeover_hear says when there is none. */
enum takeover_word {
    TAKEOVER_LOST = 0, /* the other process is gone, or talks nonsense */
    TAKEOVER_GO = 'G',
    TAKEOVER_RELEASED = 'R',
    TAKEOVER_SERVING = 'S',
};

/* Listens for a successor in |folder|, which this process has locked: a socket that is there is
 * nobody's. Returns the descriptor, or -1: then a successor cannot take over. */
int takeover_listen(const char *folder);

/* A successor knocked at |control|: takes it in and sends it |count| sockets. Returns the
 * connection, or -1 when it may not have them or is gone. */
int takeover_offer(int control, const int *fds, size_t count, pid_t *ret_pid);

/*
 * Asks the process that serves |folder| for its sockets: |*ret_count| of them, close-on-exec.
 * Returns the connection; -1 when nobody serves there; -2 with a sentence in |ret_message| when
 * somebody does and does not hand them over.
 */
int takeover_ask(const char *folder, int ret_fds[TAKEOVER_FDS_MAX], size_t *ret_count,
                 pid_t *ret_pid, char *ret_message, size_t message_size);

/* Says |word|; a process that is gone does not hear it. */
void takeover_say(int connection, enum takeover_word word);

/* What the other process says, waiting for it. */
enum takeover_word takeover_hear(int connection);

#endif
