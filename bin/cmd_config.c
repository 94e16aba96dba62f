/* SPDX-License-Identifier: Apache-2.0 */
/* `weft config`: what a server would be started with, and whether a file is right. */
#include "commands.h"
#include "config_args.h"

#include <stdio.h>
#include <string.h>

static const struct args_option OWN[] = {
    {"check", "FILE", NULL, "only say whether FILE is right"},
    {"json", NULL, NULL, "print JSON"},
    {"reference", "FORMAT", NULL, "print the list of all settings: markdown or man"},
};

static int print(const struct weft_bytes *out, const struct args_command *command)
{
    if (weft__bytes_error(out)) {
        fprintf(stderr, "weft %s: %s\n", command->name, weft_err_message(weft__bytes_error(out)));
        return 1;
    }
    return fwrite(out->ptr, 1, out->len, stdout) == out->len && fflush(stdout) == 0 ? 0 : 1;
}

static int check(struct config *config, const char *file)
{
    int wrong = config_read_file(config, file);
    int unfit = config_finish(config);
    if (!wrong && !unfit) {
        printf("%s: ok\n", file);
        return 0;
    }
    fputs(config_errors(config), stderr);
    return 1;
}

static int print_reference(const struct args *args, const char *format)
{
    struct weft_bytes out;
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    int status;
    if (strcmp(format, "markdown") == 0) {
        config_print_markdown(&out);
        status = print(&out, args->command);
    } else if (strcmp(format, "man") == 0) {
        config_print_man(&out);
        status = print(&out, args->command);
    } else {
        status = args_fail(args->command, "--reference must be markdown or man");
    }
    weft__bytes_done(&out);
    return status;
}

static int run(const struct config_args *table, const struct args *args, struct config *config)
{
    const char *file = args_get(args, "check", NULL);
    const char *format = args_get(args, "reference", NULL);
    struct weft_bytes out;
    if (format)
        return print_reference(args, format);
    if (file)
        return check(config, file);
    int status = config_from_args(config, table, args);
    if (status >= 0)
        return status;
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    if (args_has(args, "json"))
        config_print_json(config, &out);
    else
        config_print_yaml(config, &out);
    status = print(&out, args->command);
    weft__bytes_done(&out);
    return status;
}

int weft_cmd_config(int argc, char **argv)
{
    struct config_args table;
    struct config config;
    struct args args;
    if (!config_args_init(&table, OWN, sizeof(OWN) / sizeof(OWN[0]))) {
        fprintf(stderr, "weft config: out of memory\n");
        config_args_done(&table);
        return 1;
    }
    const struct args_command command = {
        .name = "config",
        .usage = "",
        .summary =
            "Prints what 'weft serve' with the same options would be started with, and where\n"
            "each value comes from, as a YAML file that --config takes.",
        .options = table.options,
        .option_count = table.count,
    };
    config_init(&config);
    int status = args_parse(&args, argc, argv, &command);
    if (status < 0)
        status = run(&table, &args, &config);
    config_done(&config);
    config_args_done(&table);
    return status;
}
