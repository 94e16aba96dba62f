/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a server's process: what it is started with beyond its options, signals, and what the
 * service manager is told.
 *
 *   start ─► READY=1 ─► serve ── SIGTERM, SIGINT ─► STOPPING=1, drain ─► exit 0
 *                        │ ▲                             └── a second one ─► exit at once
 *                        └─┴── SIGHUP: reload certificates and tokens
 *
 * Listening sockets that the service manager opened (systemd.h), or that the process which serves
 * the same data folder hands over (takeover.h), are used instead of options.listen.
 */
#ifndef WEFT_BIN_SERVE_LIFECYCLE_H
#define WEFT_BIN_SERVE_LIFECYCLE_H

#include <stdbool.h>
#include <weft/server.h>

struct token_file;

struct serve_lifecycle {
    const char *command;                       /* "serve", for messages */
    const struct weft_server_options *options; /* operations.listen_fds are set in here */
    bool takeover; /* takes over from the process that serves the data folder, if there is one */
    bool open_to_others;       /* sockets handed over may be reached from other machines */
    struct token_file *tokens; /* read again with everything else; NULL: none */
};

/* Whether |address| (HOST:PORT, unix:PATH) is reached from this machine alone. One that does not
 * parse counts: the server reports it. */
bool serve_is_local(const char *address);

/* Serves until a signal ends it. Returns the exit status; what went wrong was reported. */
int serve_lifecycle_run(const struct serve_lifecycle *lifecycle);

#endif
