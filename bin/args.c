/* SPDX-License-Identifier: Apache-2.0 */
/* Parsing of options and their help text. */
#include "args.h"
#include "suggest.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_help(const struct args_command *command)
{
    printf("weft %s%s%s%s\n\n%s\n", command->name, command->option_count ? " [options]" : "",
           command->usage[0] ? " " : "", command->usage, command->summary);
    if (command->option_count)
        printf("\nOptions:\n");
    for (size_t i = 0; i < command->option_count; i++) {
        const struct args_option *option = &command->options[i];
        char left[64];
        snprintf(left, sizeof(left), "--%s%s%s", option->name, option->value ? " " : "",
                 option->value ? option->value : "");
        printf("  %-28s %s", left, option->help);
        if (option->environment)
            printf(" [%s]", option->environment);
        printf("\n");
    }
}

int args_fail(const struct args_command *command, const char *fmt, ...)
{
    va_list list;
    fprintf(stderr, "weft %s: ", command->name);
    va_start(list, fmt);
    vfprintf(stderr, fmt, list);
    va_end(list);
    fprintf(stderr, "\nTry 'weft %s --help'.\n", command->name);
    return ARGS_USAGE;
}

/* The place of the option called by the |len| bytes at |name|; -1 when there is none. */
static int find(const struct args_command *command, const char *name, size_t len)
{
    for (size_t i = 0; i < command->option_count; i++)
        if (strlen(command->options[i].name) == len &&
            memcmp(command->options[i].name, name, len) == 0)
            return (int)i;
    return -1;
}

static int unknown_option(const struct args_command *command, const char *written, size_t len)
{
    struct suggest suggest = {.name = written + 2, .len = len};
    for (size_t i = 0; i < command->option_count; i++)
        suggest_offer(&suggest, command->options[i].name);
    if (suggest.best)
        return args_fail(command, "unknown option '%s'; did you mean --%s?", written, suggest.best);
    return args_fail(command, "unknown option '%s'", written);
}

/* Takes one option, which may take the next argument, too. */
static int take_option(struct args *args, int argc, char **argv, int *at)
{
    const struct args_command *command = args->command;
    const char *name = argv[*at] + 2;
    const char *equals = strchr(name, '=');
    size_t len = equals ? (size_t)(equals - name) : strlen(name);
    int place = find(command, name, len);
    if (place < 0)
        return unknown_option(command, argv[*at], len);
    if (args->given_count == ARGS_GIVEN_MAX)
        return args_fail(command, "there are more than %d options", ARGS_GIVEN_MAX);
    struct args_given *given = &args->given[args->given_count++];
    *given = (struct args_given){.place = (size_t)place, .value = ""};
    if (!command->options[place].value) {
        if (equals)
            return args_fail(command, "--%.*s takes no value", (int)len, name);
        args->values[place] = "";
        return -1;
    }
    const char *value = command->options[place].value;
    bool two = strchr(value, ' ') != NULL;
    if (two && equals)
        return args_fail(command, "--%.*s needs two arguments: %s", (int)len, name, value);
    if (!equals && *at + 1 + two >= argc)
        return args_fail(command, "--%s needs %s: %s", name, two ? "two values" : "a value", value);
    given->value = equals ? equals + 1 : argv[++*at];
    args->values[place] = given->value;
    if (two)
        args->seconds[place] = argv[++*at];
    return -1;
}

static void take_environment(struct args *args)
{
    for (size_t i = 0; i < args->command->option_count; i++) {
        const struct args_option *option = &args->command->options[i];
        const char *value = option->environment ? getenv(option->environment) : NULL;
        bool off = value && !option->value &&
                   (!*value || strcmp(value, "0") == 0 || strcmp(value, "false") == 0);
        if (value && *value && !off && !args->values[i])
            args->values[i] = value;
    }
}

int args_parse(struct args *args, int argc, char **argv, const struct args_command *command)
{
    bool options = true;
    *args = (struct args){.command = command};
    for (int at = 1; at < argc; at++) {
        if (options && (strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "-h") == 0)) {
            print_help(command);
            return 0;
        }
        if (options && strcmp(argv[at], "--") == 0) {
            options = false;
            continue;
        }
        if (options && argv[at][0] == '-' && argv[at][1] == '-') {
            int failed = take_option(args, argc, argv, &at);
            if (failed >= 0)
                return failed;
            continue;
        }
        if (args->rest_count >= command->rest_max || args->rest_count >= ARGS_REST_MAX)
            return args_fail(command, "unexpected argument '%s'", argv[at]);
        args->rest[args->rest_count++] = argv[at];
    }
    if (args->rest_count < command->rest_min)
        return args_fail(command, "missing argument: %s", command->usage);
    take_environment(args);
    return -1;
}

const char *args_get(const struct args *args, const char *name, const char *fallback)
{
    int place = find(args->command, name, strlen(name));
    return place >= 0 && args->values[place] ? args->values[place] : fallback;
}

const char *args_get_second(const struct args *args, const char *name)
{
    int place = find(args->command, name, strlen(name));
    return place >= 0 ? args->seconds[place] : NULL;
}

bool args_has(const struct args *args, const char *name)
{
    return args_get(args, name, NULL) != NULL;
}

bool args_number(const struct args *args, const char *name, unsigned long long min,
                 unsigned long long max, unsigned long long fallback,
                 unsigned long long *ret_number)
{
    const char *text = args_get(args, name, NULL);
    char *end;
    *ret_number = fallback;
    if (!text)
        return true;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (errno || *end || end == text || text[0] == '-' || number < min || number > max) {
        args_fail(args->command, "--%s must be a number from %llu to %llu, not '%s'", name, min,
                  max, text);
        return false;
    }
    *ret_number = number;
    return true;
}
