/* SPDX-License-Identifier: Apache-2.0 */
/* `weft dev` and `weft serve`: the options of a server. */
#include "args.h"
#include "commands.h"
#include "serve_lifecycle.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <weft/server.h>

enum { NAMES_MAX = 32, NAMES_SIZE = 2048 };

/* Comma-separated names, split in place. */
struct names {
    char text[NAMES_SIZE];
    const char *list[NAMES_MAX + 1];
};

static void write_log(void *ctx, int level, const char *line)
{
    static const char *const levels[] = {"error", "warn", "info", "debug"};
    struct timespec now;
    struct tm utc;
    char when[32];
    (void)ctx;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &utc);
    fprintf(stderr, "%s.%03ldZ %s %s\n", when, now.tv_nsec / 1000000, levels[level & 3], line);
}

static bool split_names(struct names *names, const char *text)
{
    size_t count = 0;
    if (strlen(text) >= sizeof(names->text))
        return false;
    snprintf(names->text, sizeof(names->text), "%s", text);
    char *rest = names->text;
    for (char *name; (name = strsep(&rest, ","));) {
        if (!*name)
            continue;
        if (count == NAMES_MAX)
            return false;
        names->list[count++] = name;
    }
    names->list[count] = NULL;
    return true;
}

static bool parse_loop(const char *text, int *ret_loop)
{
    static const char *const loops[] = {"auto", "epoll", "uring"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(text, loops[i]) == 0) {
            *ret_loop = i;
            return true;
        }
    }
    return false;
}

static int start(const struct args_command *command, int argc, char **argv, bool development)
{
    struct args args;
    struct names hosts;
    struct names origins;
    unsigned long long workers;
    struct weft_server_options options;
    int done = args_parse(&args, argc, argv, command);
    if (done >= 0)
        return done;
    weft_server_options_init(&options);
    options.listen = args_get(&args, "listen", "127.0.0.1:8080");
    options.data_folder = args_get(&args, "data", "./weft-data");
    if (strcmp(options.data_folder, ":memory:") == 0)
        options.data_folder = NULL;
    options.development = development;
    options.log = write_log;
    if (!args_number(&args, "workers", 1, 256, 0, &workers))
        return ARGS_USAGE;
    options.workers = (unsigned)workers;
    if (!parse_loop(args_get(&args, "loop", "auto"), &options.loop))
        return args_fail(command, "--loop must be auto, uring or epoll");
    if (!split_names(&hosts, args_get(&args, "host", "")) ||
        !split_names(&origins, args_get(&args, "origin", "")))
        return args_fail(command, "--host and --origin take at most 32 names");
    options.hosts = hosts.list;
    options.origins = origins.list;
    bool open_to_others = args_has(&args, "insecure-no-auth");
    /* Nobody who is not on this machine gets in without signing in. */
    if (!open_to_others && !serve_is_local(options.listen))
        return args_fail(command,
                         "%s can be reached from other machines, and there is no authentication: "
                         "listen on 127.0.0.1, or say --insecure-no-auth",
                         options.listen);
    const struct serve_lifecycle lifecycle = {
        .command = command->name, .options = &options, .open_to_others = open_to_others};
    return serve_lifecycle_run(&lifecycle);
}

static const struct args_option OPTIONS[] = {
    {"listen", "HOST:PORT", "WEFT_LISTEN", "address to listen on (127.0.0.1:8080)"},
    {"data", "DIR", "WEFT_DATA", "folder of the documents (./weft-data), or :memory:"},
    {"workers", "N", "WEFT_WORKERS", "threads (one a core)"},
    {"loop", "LOOP", "WEFT_LOOP", "uring, epoll or auto (auto)"},
    {"host", "NAME,...", "WEFT_HOST", "host names that requests may use"},
    {"origin", "ORIGIN,...", "WEFT_ORIGIN", "other origins whose pages may connect"},
    {"insecure-no-auth", NULL, "WEFT_INSECURE_NO_AUTH",
     "let other machines in without authentication"},
};

int weft_cmd_dev(int argc, char **argv)
{
    static const struct args_command command = {
        .name = "dev",
        .usage = "",
        .summary =
            "Starts a server for development: documents in ./weft-data, a page to edit them\n"
            "at http://127.0.0.1:8080/, WebSocket at /ws, methods to try.",
        .options = OPTIONS,
        .option_count = sizeof(OPTIONS) / sizeof(OPTIONS[0]),
    };
    return start(&command, argc, argv, true);
}

int weft_cmd_serve(int argc, char **argv)
{
    static const struct args_command command = {
        .name = "serve",
        .usage = "",
        .summary = "Starts a server: WebSocket at /ws, /healthz, /readyz, /metrics.",
        .options = OPTIONS,
        .option_count = sizeof(OPTIONS) / sizeof(OPTIONS[0]),
    };
    return start(&command, argc, argv, false);
}
