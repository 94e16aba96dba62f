/* SPDX-License-Identifier: Apache-2.0 */
/* `weft echo`: its command line, and what both roles share. */
#include "args.h"
#include "commands.h"
#include "echo.h"
#include "io/crypto.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

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

int echo_tls(const struct echo_options *options, enum weft_tls_role role,
             struct weft_tls_context **ret_tls)
{
    char message[WEFT_TLS_MESSAGE_SIZE];
    const struct weft_tls_certificate certificate = {options->cert_file, options->key_file};
    const struct weft_tls_options tls = {
        .role = role,
        .certificates = &certificate,
        .certificate_count = role == WEFT_TLS_SERVER,
        .ca_file = options->ca_file,
        .accept_any = options->insecure,
    };
    int err = weft__tls_context_new(&tls, ret_tls, message, sizeof(message));
    if (err)
        (void)fprintf(stderr, "weft echo: %s\n", message[0] ? message : weft_err_message(err));
    return err;
}

void echo_transport_options(const struct echo_options *options, struct weft_tls_context *tls,
                            struct weft_transport_options *ret_options)
{
    *ret_options = (struct weft_transport_options){
        .alloc = weft_alloc_default(),
        .crypto = weft__crypto_openssl(),
        .max_message = options->max_message,
        .max_control = UINT32_MAX, /* tests may ping as often as they like */
        .tls_serve = options->listen ? tls : NULL,
        .tls_dial = options->listen ? NULL : tls,
        .deflate = options->deflate,
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

static bool parse_deflate(const char *text, enum weft_transport_deflate *ret_deflate)
{
    static const char *const names[] = {
        [WEFT_TRANSPORT_DEFLATE_OFF] = "off",
        [WEFT_TRANSPORT_DEFLATE_SHARED] = "shared",
        [WEFT_TRANSPORT_DEFLATE_TAKEOVER] = "takeover",
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i]) != 0)
            continue;
        *ret_deflate = (enum weft_transport_deflate)i;
        return true;
    }
    return false;
}

int weft_cmd_echo(int argc, char **argv)
{
    static const struct args_option table[] = {
        {"listen", "HOST:PORT", NULL, "send every WebSocket message back"},
        {"connect", "URL", NULL, "the same as a client, until the server closes"},
        {"workers", "N", NULL, "threads that serve (one a core)"},
        {"loop", "LOOP", "WEFT_LOOP", "uring, epoll or auto (auto)"},
        {"broadcast", NULL, NULL, "send every message to every connection, its sender included"},
        {"deflate", "MODE", NULL, "off, shared or takeover: compression (shared)"},
        {"max-message", "BYTES", NULL, "the largest message that is accepted (16777216)"},
        {"tls", "CERT KEY", NULL, "PEM files: serve wss:// with this certificate and key"},
        {"ca", "FILE", NULL, "PEM file: trust servers that these authorities signed"},
        {"insecure", NULL, NULL, "connect to any server without verifying it; for tests"},
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
        .cert_file = args_get(&args, "tls", NULL),
        .key_file = args_get_second(&args, "tls"),
        .ca_file = args_get(&args, "ca", NULL),
        .insecure = args_has(&args, "insecure"),
    };
    if (!options.listen == !options.connect)
        return args_fail(&command, "one of --listen and --connect is needed");
    if (options.broadcast && options.connect)
        return args_fail(&command, "--broadcast is for servers: --listen");
    if (options.cert_file && !options.listen)
        return args_fail(&command, "--tls goes with --listen; --connect takes a wss:// URL");
    if ((options.ca_file || options.insecure) && !options.connect)
        return args_fail(&command, "--ca and --insecure go with --connect");
    if (weft__loop_backend_parse(args_get(&args, "loop", "auto"), &options.backend))
        return args_fail(&command, "--loop must be auto, uring or epoll");
    if (!parse_deflate(args_get(&args, "deflate", "shared"), &options.deflate))
        return args_fail(&command, "--deflate must be off, shared or takeover");
    if (!args_number(&args, "workers", 1, WORKERS_MAX, cores(), &workers) ||
        !args_number(&args, "max-message", 1, 1ull << 40, MESSAGE_DEFAULT, &max_message))
        return ARGS_USAGE;
    options.workers = (unsigned)workers;
    options.max_message = max_message;
    return options.listen ? echo_serve(&options) : echo_connect(&options);
}
