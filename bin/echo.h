/* SPDX-License-Identifier: Apache-2.0 */
/* The two roles of `weft echo`. What both do with a message is the same: send it back. */
#ifndef WEFT_BIN_ECHO_H
#define WEFT_BIN_ECHO_H

#include "transport/transport.h"

struct echo_options {
    const char *listen;    /* HOST:PORT, or NULL */
    const char *connect;   /* URL, or NULL */
    const char *cert_file; /* server: PEM; NULL: no TLS */
    const char *key_file;
    const char *ca_file; /* client, wss: who signs servers; NULL: whom the system trusts */
    bool insecure;       /* client, wss: verifies nothing */
    unsigned workers;
    enum weft_loop_backend backend;
    size_t max_message;
    enum weft_transport_deflate deflate;
    bool broadcast; /* every message goes to every connection */
};

/* Serves until SIGINT or SIGTERM. Returns the exit status. */
int echo_serve(const struct echo_options *options);

/* Echoes as a client until the other side closes. Returns the exit status. */
int echo_connect(const struct echo_options *options);

/* Sends |data| back. */
void echo_message(struct weft_transport *transport, enum weft_ws_opcode opcode,
                  struct weft_slice data);

/* Fills |ret_options| for the transports of either role. |tls| may be NULL. */
void echo_transport_options(const struct echo_options *options, struct weft_tls_context *tls,
                            struct weft_transport_options *ret_options);

/* Makes the TLS context of |role|. Failures are reported. */
int echo_tls(const struct echo_options *options, enum weft_tls_role role,
             struct weft_tls_context **ret_tls);

/* Prints "weft echo: WHAT: text of |err|" on standard error. */
void echo_complain(const char *what, int err);

#endif
