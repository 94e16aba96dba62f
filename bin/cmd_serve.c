/* SPDX-License-Identifier: Apache-2.0 */
/* `weft dev` and `weft serve`: from the configuration to a serving process. */
#include "commands.h"
#include "config_args.h"
#include "serve_lifecycle.h"

#include <stdio.h>
#include <time.h>
#include <weft/server.h>

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

/* What is asked of a command, and is no setting. */
static const struct args_option EXTRA[] = {
    {"takeover", NULL, NULL, "take over from the process that serves the same data folder"},
};

static int start(const char *name, const char *summary, int argc, char **argv, bool development)
{
    struct config_args table;
    struct config config;
    struct args args;
    config_init(&config);
    if (!config_args_init(&table, EXTRA, sizeof(EXTRA) / sizeof(EXTRA[0]))) {
        fprintf(stderr, "weft %s: out of memory\n", name);
        config_args_done(&table);
        config_done(&config);
        return 1;
    }
    const struct args_command command = {
        .name = name,
        .usage = "",
        .summary = summary,
        .options = table.options,
        .option_count = table.count,
    };
    int status = args_parse(&args, argc, argv, &command);
    if (status < 0)
        status = config_from_args(&config, &table, &args);
    if (status < 0) {
        config.options.development = development;
        config.options.log = write_log;
        const struct serve_lifecycle lifecycle = {.command = name,
                                                  .options = &config.options,
                                                  .open_to_others = config.open_to_others,
                                                  .takeover = args_has(&args, "takeover")};
        status = serve_lifecycle_run(&lifecycle);
    }
    config_done(&config);
    config_args_done(&table);
    return status;
}

int weft_cmd_dev(int argc, char **argv)
{
    return start("dev",
                 "Starts a server for development: documents in ./weft-data, a page to edit them\n"
                 "at http://127.0.0.1:8080/, WebSocket at /ws, methods to try.",
                 argc, argv, true);
}

int weft_cmd_serve(int argc, char **argv)
{
    return start("serve", "Starts a server: WebSocket at /ws, /healthz, /readyz, /metrics.", argc,
                 argv, false);
}
