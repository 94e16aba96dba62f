/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command-line arguments of one command, from a table that is also its help text.
 *
 *     static const struct args_option options[] = {
 *         {"listen", "HOST:PORT", "WEFT_LISTEN", "address to listen on"},
 *         {"verbose", NULL, NULL, "say more"},
 *     };
 *     struct args args;
 *     int done = args_parse(&args, argc, argv, &command);
 *     if (done >= 0)
 *         return done;
 *
 * `--name VALUE` and `--name=VALUE` are the same. An option whose |value| is two words ("CERT KEY")
 * takes the next two arguments. An option that is not given takes the value of
 * its environment variable. `--` ends the options.
 */
#ifndef WEFT_BIN_ARGS_H
#define WEFT_BIN_ARGS_H

#include <stdbool.h>
#include <stddef.h>

enum {
    ARGS_OPTIONS_MAX = 64,
    ARGS_GIVEN_MAX = 128, /* options in one command line */
    ARGS_REST_MAX = 16,
    ARGS_USAGE = 2, /* exit status of wrong usage */
};

struct args_option {
    const char *name;        /* without the dashes */
    const char *value;       /* what it takes, for the help: "HOST:PORT", "CERT KEY" (two values, no
                                environment); NULL: a switch */
    const char *environment; /* the variable that is its default, or NULL */
    const char *help;        /* one line */
};

struct args_command {
    const char *name;    /* "serve" */
    const char *usage;   /* behind "weft serve [options]": "NAME", or "" */
    const char *summary; /* what it does, a sentence or more */
    const struct args_option *options;
    size_t option_count;
    size_t rest_min; /* arguments that are no options: at least, at most */
    size_t rest_max;
};

/* One option of the command line. */
struct args_given {
    size_t place; /* in the table */
    const char *value;
};

struct args {
    const struct args_command *command;
    struct args_given given[ARGS_GIVEN_MAX]; /* in order, repeated ones included */
    size_t given_count;
    const char *values[ARGS_OPTIONS_MAX];  /* by place in the table; a switch has "" */
    const char *seconds[ARGS_OPTIONS_MAX]; /* of those that take two */
    const char *rest[ARGS_REST_MAX];
    size_t rest_count;
};

/* Parses argv[1] and on; argv[0] is the command's name. Returns -1 when the command should go on,
 * otherwise the exit status: 0 after --help, ARGS_USAGE after a mistake, which was reported. */
int args_parse(struct args *args, int argc, char **argv, const struct args_command *command);

/* The value of option |name|, or |fallback| when it was not given. */
const char *args_get(const struct args *args, const char *name, const char *fallback);

/* The second value of option |name|; NULL when it was not given. */
const char *args_get_second(const struct args *args, const char *name);

/* Whether the switch |name| was given. An environment variable counts unless it is "", "0" or
 * "false". */
bool args_has(const struct args *args, const char *name);

/* The value of option |name| as a number from |min| to |max|, |fallback| when it was not given.
 * False when it is something else, which was reported. */
bool args_number(const struct args *args, const char *name, unsigned long long min,
                 unsigned long long max, unsigned long long fallback,
                 unsigned long long *ret_number);

/* Reports a mistake in the way all mistakes are reported and returns ARGS_USAGE. */
int args_fail(const struct args_command *command, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
