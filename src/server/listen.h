/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sockets a server listens at, and who accepts from which.
 *
 *   own, IP      one socket for each worker, sharing the port: the kernel spreads connections
 *   own, Unix    one socket, shared by all workers
 *   handed over  as many as there are
 *
 * Each socket has a queue of connections of its own, and one nobody accepts from would strand them.
 * So listener j of max(sockets, workers) listens at socket j mod sockets, on worker j mod workers:
 * every socket has a worker, and every worker has a socket.
 *
 * The descriptors here are kept to be handed on; workers listen at duplicates of them.
 */
#ifndef WEFT_SERVER_LISTEN_H
#define WEFT_SERVER_LISTEN_H

#include "io/address.h"

#include <stddef.h>
#include <weft/server.h>

enum { WEFT_LISTEN_FDS_MAX = 256 };

struct weft_listen {
    int fds[WEFT_LISTEN_FDS_MAX];
    size_t count;
    bool has_file;    /* the file of a Unix socket is ours to remove */
    bool handed_over; /* another process has the sockets too */
    uint64_t file[2]; /* what it was when we made it: device and inode */
};

/*
 * Opens the sockets that |options| ask for, or takes over those that are handed over. |address| is
 * where, and gets the real port. Nothing was taken over when it fails.
 * **Errors:** as weft_server_start.
 */
WEFT_MUST_USE int weft__listen_open(struct weft_listen *listen,
                                    const struct weft_server_options *options, unsigned workers,
                                    struct weft_address *address);

/* A descriptor for listener |index|. **Errors:** WEFT_ERR_SYSTEM. */
WEFT_MUST_USE int weft__listen_dup(const struct weft_listen *listen, unsigned index, int *ret_fd);

/* How many listeners worker |index| of |workers| has. */
unsigned weft__listen_share(const struct weft_listen *listen, unsigned index, unsigned workers);

/* Closes what weft__listen_open opened; what was handed over stays open when |keep_given| says so.
 * Removes the file of a Unix socket of our own unless the socket was handed on. */
void weft__listen_close(struct weft_listen *listen, const struct weft_server_options *options,
                        const struct weft_address *address, bool keep_given);

#endif
