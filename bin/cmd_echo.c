/* SPDX-License-Identifier: Apache-2.0 */
/* `weft echo`: its command line, and what both roles share. */
#include "args.h"
#include "commands.h"
#include "echo.h"
#include "io/crypto.h"

#include <sched.h>
#include <stdio.h>

enum { WORKERS_MAX = 256, MESSAGE_DEFAULT = 16 << 20 };

void echo_complain(const char *what, int err)
{
    (void)fprintf(stderr, "weft echo: %s: %s\n", what, weft_err_message(err));
}

void echo_message(struct weft_transport *transport, enum weft_ws_opcode opcode,
                  struct weft_slice data)
{
    /* Fails when the connection is closing or breaks, which on_closed tells. */
    int err = weft__transport_send(transport, opcode, data);
    (void)err;
}

void echo_transport_options(const struct echo_options *options,
                            struct weft_transport_options *ret_options)
{
    *ret_options = (struct weft_transport_options){
        .alloc = weft_alloc_default(),
        .crypto = weft__crypto_openssl(),
        .max_message = options->max_message,
    };
}

/* The cores this process may use. */
static unsigned cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set))
        return 1;
    int count = CPU_COUNT(&set);
    return count < 1 ? 1 : (unsigned)count;
}

int weft_cmd_echo(int argc, char **argv)
{
    static const struct args_option table[] = {
        {"listen", "HOST:PORT", NULL, "send every WebSocket message back"},
        {"connect", "URL", NULL, "the same as a client, until the server closes"},
        {"workers", "N", NULL, "threads that serve (one a core)"},
        {"loop", "LOOP", "WEFT_LOOP", "uring, epoll or auto (auto)"},
        {"broadcast", NULL, NULL, "send every message to every connection, its sender included"},
        {"max-message", "BYTES", NULL, "the largest message that is accepted (16777216)"},
    };
    static const struct args_command command = {
        .name = "echo",
        .usage = "",
        .summary = "Echoes WebSocket messages, as a server (--listen) or as a client (--connect):\n"
                   "for benchmarks and conformance tests.",
        .options = table,
        .option_count = sizeof(table) / sizeof(table[0]),
    };
    struct args args;
    unsigned long long workers;
    unsigned long long max_message;
    int done = args_parse(&args, argc, argv, &command);
    if (done >= 0)
        return done;
    struct echo_options options = {
        .listen = args_get(&args, "listen", NULL),
        .connect = args_get(&args, "connect", NULL),
        .broadcast = args_has(&args, "broadcast"),
    };
    if (!options.listen == !options.connect)
        return args_fail(&command, "one of --listen and --connect is needed");
    if (options.broadcast && options.connect)
        return args_fail(&command, "--broadcast is for servers: --listen");
    if (weft__loop_backend_parse(args_get(&args, "loop", "auto"), &options.backend))
        return args_fail(&command, "--loop must be auto, uring or epoll");
    if (!args_number(&args, "workers", 1, WORKERS_MAX, cores(), &workers) ||
        !args_number(&args, "max-message", 1, 1ull << 40, MESSAGE_DEFAULT, &max_message))
        return ARGS_USAGE;
    options.workers = (unsigned)workers;
    options.max_message = max_message;
    return options.listen ? echo_serve(&options) : echo_connect(&options);
}
