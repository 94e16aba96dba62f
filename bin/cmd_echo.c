/* SPDX-License-Identifier: Apache-2.0 */
/* `weft echo`: its command line, and what both roles share. */
#include "cmd_echo.h"

#include "echo.h"
#include "io/crypto.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_USAGE = 2, WORKERS_MAX = 256, MESSAGE_DEFAULT = 16 << 20 };

static const char usage[] =
    "Usage: weft echo --listen HOST:PORT [options]   send every WebSocket message back\n"
    "       weft echo --connect URL [options]        the same as a client, until the server "
    "closes\n"
    "\n"
    "Options:\n"
    "  --workers N          threads that serve, each on a core (default: all cores)\n"
    "  --loop BACKEND       auto, uring or epoll (default: auto)\n"
    "  --max-message BYTES  the largest message that is accepted (default: 16777216)\n"
    "  --help               show this\n";

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

static bool parse_number(const char *text, unsigned long max, unsigned long *ret_value)
{
    char *end;
    if (*text < '0' || *text > '9')
        return false;
    unsigned long value = strtoul(text, &end, 10);
    if (*end || value < 1 || value > max)
        return false;
    *ret_value = value;
    return true;
}

/* Takes over one option with its value; false when it is not one. */
static bool set_option(struct echo_options *options, const char *name, const char *value)
{
    unsigned long number = 0;
    if (strcmp(name, "--listen") == 0) {
        options->listen = value;
    } else if (strcmp(name, "--connect") == 0) {
        options->connect = value;
    } else if (strcmp(name, "--loop") == 0) {
        return weft__loop_backend_parse(value, &options->backend) == 0;
    } else if (strcmp(name, "--workers") == 0) {
        if (!parse_number(value, WORKERS_MAX, &number))
            return false;
        options->workers = (unsigned)number;
    } else if (strcmp(name, "--max-message") == 0) {
        if (!parse_number(value, 1ul << 40, &number))
            return false;
        options->max_message = number;
    } else {
        return false;
    }
    return true;
}

int weft_cmd_echo(int argc, char **argv)
{
    struct echo_options options = {.max_message = MESSAGE_DEFAULT};
    for (int i = 1; i < argc; i += 2) {
        if (strcmp(argv[i], "--help") == 0) {
            (void)fputs(usage, stdout);
            return 0;
        }
        if (i + 1 == argc || !set_option(&options, argv[i], argv[i + 1])) {
            (void)fprintf(stderr, "weft echo: cannot use %s %s\n%s", argv[i],
                          i + 1 < argc ? argv[i + 1] : "without a value", usage);
            return EXIT_USAGE;
        }
    }
    if (!options.listen == !options.connect) {
        (void)fprintf(stderr, "weft echo: one of --listen and --connect is needed\n%s", usage);
        return EXIT_USAGE;
    }
    if (!options.workers)
        options.workers = cores();
    return options.listen ? echo_serve(&options) : echo_connect(&options);
}
