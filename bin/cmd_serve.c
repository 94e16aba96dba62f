/* SPDX-License-Identifier: Apache-2.0 */
/* `weft dev` and `weft serve`: from the configuration to a serving process. */
#include "commands.h"
#include "config_args.h"
#include "log_writer.h"
#include "serve_lifecycle.h"
#include "token_file.h"

#include <stdio.h>
#include <unistd.h>
#include <weft/server.h>

/* Who may use the server, when |config| names a file that says so. False when it cannot be used,
 * which was reported. */
static bool open_tokens(const char *name, const struct config *config,
                        struct weft_server_options *options, struct token_file **ret_tokens)
{
    char message[512] = "out of memory";
    *ret_tokens = NULL;
    if (!config->tokens)
        return true;
    *ret_tokens = token_file_new(config->tokens);
    if (!*ret_tokens || token_file_read(*ret_tokens, message, sizeof(message))) {
        fprintf(stderr, "weft %s: %s\n", name, message);
        token_file_free(*ret_tokens);
        return false;
    }
    options->authenticate = token_file_authenticate;
    options->authenticate_ctx = *ret_tokens;
    return true;
}

/* Serves with what |config| says; log lines go to standard error through a thread of their own. */
static int serve(const char *name, struct config *config, bool development, bool takeover)
{
    struct weft_server_options *options = &config->options;
    struct token_file *tokens;
    struct log_writer *log;
    if (!open_tokens(name, config, options, &tokens))
        return 1;
    if (log_writer_new(STDERR_FILENO, options->log_format, &log)) {
        fprintf(stderr, "weft %s: out of memory\n", name);
        token_file_free(tokens);
        return 1;
    }
    options->development = development;
    options->log = log_writer_write;
    options->log_ctx = log;
    const struct serve_lifecycle lifecycle = {
        .command = name,
        .options = options,
        .open_to_others = config->open_to_others,
        .tokens = tokens,
        .takeover = takeover,
    };
    int status = serve_lifecycle_run(&lifecycle);
    log_writer_free(log);
    token_file_free(tokens);
    return status;
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
    if (status < 0)
        status = serve(name, &config, development, args_has(&args, "takeover"));
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
