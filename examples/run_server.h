/* SPDX-License-Identifier: Apache-2.0 */
/* What the examples that are servers have in common: they run until they are told to stop. */
#ifndef WEFT_EXAMPLES_RUN_SERVER_H
#define WEFT_EXAMPLES_RUN_SERVER_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <weft/weft.h>

/* Blocks SIGINT and SIGTERM for this thread and those that it starts. */
static inline void block_signals(sigset_t *ret_signals)
{
    sigemptyset(ret_signals);
    sigaddset(ret_signals, SIGINT);
    sigaddset(ret_signals, SIGTERM);
    sigprocmask(SIG_BLOCK, ret_signals, NULL);
}

/* Serves |methods| at |listen| (NULL: 127.0.0.1:8080) until SIGINT or SIGTERM comes. Returns the
 * exit status of the program called |name|. */
static inline int run_server(const char *name, const char *listen,
                             const struct weft_method *methods, size_t count)
{
    struct weft_server_options options;
    struct weft_server *server;
    char message[256];
    sigset_t signals;
    int signal;
    weft_server_options_init(&options);
    if (listen)
        options.listen = listen;
    options.methods = methods;
    options.method_count = count;
    block_signals(&signals);
    if (weft_server_new(&options, &server, message, sizeof(message))) {
        fprintf(stderr, "%s: %s\n", name, message);
        return EXIT_FAILURE;
    }
    int err = weft_server_start(server);
    if (err)
        fprintf(stderr, "%s: %s: %s\n", name, options.listen, weft_err_message(err));
    else
        printf("%s: ws://%s/ws\n", name, weft_server_address(server));
    fflush(stdout);
    if (!err)
        sigwait(&signals, &signal);
    weft_server_free(server);
    return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
