/* SPDX-License-Identifier: Apache-2.0 */
/* The command `weft`: finds the subcommand and runs it. */
#include "commands.h"

#include <stdio.h>
#include <string.h>
#include <weft/version.h>

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
};

static int cmd_help(int argc, char **argv);

static int cmd_version(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--help") == 0)
        printf("weft version\n\nPrints the version.\n");
    else
        printf("weft %s\n", weft_version());
    return 0;
}

static const struct command COMMANDS[] = {
    {"dev", weft_cmd_dev, "start a development server with a page to try it"},
    {"serve", weft_cmd_serve, "start a server"},
    {"config", weft_cmd_config, "print or check the configuration of a server"},
    {"call", weft_cmd_call, "call a method of a server"},
    {"describe", weft_cmd_describe, "the methods of a server"},
    {"doc", weft_cmd_doc, "look at documents of a server"},
    {"echo", weft_cmd_echo, "echo WebSocket messages, as server or client"},
    {"bench", weft_cmd_bench, "put load on a WebSocket server and measure it"},
    {"ot", weft_cmd_ot, "run operational transforms over lines of JSON"},
    {"version", cmd_version, "print the version"},
    {"help", cmd_help, "this text, or 'weft help COMMAND'"},
};

enum { COMMAND_COUNT = sizeof(COMMANDS) / sizeof(COMMANDS[0]), USAGE_STATUS = 2 };

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(COMMANDS[i].name, name) == 0)
            return &COMMANDS[i];
    return NULL;
}

static void print_help(FILE *out)
{
    fprintf(out, "weft: realtime server: documents edited together, two-way RPC, over WebSocket\n\n"
                 "Usage: weft COMMAND [options]\n\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(out, "  %-9s %s\n", COMMANDS[i].name, COMMANDS[i].help);
    fprintf(out, "\n'weft COMMAND --help' says more.\n");
}

static int cmd_help(int argc, char **argv)
{
    const struct command *command = argc > 1 ? find(argv[1]) : NULL;
    if (command && command->run != cmd_help) {
        char help[] = "--help";
        char *args[] = {argv[1], help, NULL};
        return command->run(2, args);
    }
    if (argc > 1 && !command && argv[1][0] != '-') {
        fprintf(stderr, "weft help: no command '%s'\n", argv[1]);
        return USAGE_STATUS;
    }
    print_help(stdout);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return USAGE_STATUS;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return cmd_help(1, argv);
    if (strcmp(argv[1], "--version") == 0)
        return cmd_version(1, argv);
    const struct command *command = find(argv[1]);
    if (!command) {
        fprintf(stderr, "weft: no command '%s'\nTry 'weft --help'.\n", argv[1]);
        return USAGE_STATUS;
    }
    return command->run(argc - 1, argv + 1);
}
