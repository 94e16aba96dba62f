/* SPDX-License-Identifier: Apache-2.0 */
/* The two roles of `weft echo`. What both do with a message is the same: send it back. */
#ifndef WEFT_BIN_ECHO_H
#define WEFT_BIN_ECHO_H

#include "transport/transport.h"

struct echo_options {
    const char *listen;  /* HOST:PORT, or NULL */
    const char *connect; /* URL, or NULL */
    unsigned workers;
    enum weft_loop_backend backend;
    size_t max_message;
    bool broadcast; /* every message goes to every connection */
};

/* Serves until SIGINT or SIGTERM. Returns the exit status. */
int echo_serve(const struct echo_options *options);

/* Echoes as a client until the other side closes. Returns the exit status. */
int echo_connect(const struct echo_options *options);

/* Sends |data| back. */
void echo_message(struct weft_transport *transport, enum weft_ws_opcode opcode,
                  struct weft_slice data);

/* Fills |ret_options| for the transports of either role. */
void echo_transport_options(const struct echo_options *options,
                            struct weft_transport_options *ret_options);

/* Prints "weft echo: WHAT: text of |err|" on standard error. */
void echo_complain(const char *what, int err);

#endif
