/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration of a server. One table (config_table.c) names every setting once: its place in
 * a YAML file, its flag, its environment variable, its type, default, range and help; everything
 * that reads, checks, prints or documents settings goes through it.
 *
 *     struct config config;
 *     config_init(&config);
 *     (void)config_read_file(&config, "weft.yaml");        a layer over the defaults
 *     (void)config_read_environment(&config);              over the file
 *     (void)config_set(&config, setting, CONFIG_FLAG, "5s");   over everything
 *     if (config_finish(&config))
 *         fputs(config_errors(&config), stderr);
 *     else
 *         weft_server_new(&config.options, …);
 *     config_done(&config);
 *
 * A layer wins over those before it, setting by setting; lists are replaced, not joined. Mistakes
 * are gathered, one a line, each with its place; the functions return WEFT_ERR_USAGE after one.
 */
#ifndef WEFT_BIN_CONFIG_H
#define WEFT_BIN_CONFIG_H

#include "base/arena.h"
#include "base/bytes.h"

#include <weft/server.h>

enum {
    CONFIG_SETTINGS_MAX = 64,
    CONFIG_LIST_MAX = 64,            /* elements of a list */
    CONFIG_TEXT_MAX = 4096,          /* bytes of one value */
    CONFIG_FILE_MAX = 64 * 1024,     /* bytes of a file */
    CONFIG_ERRORS_MAX = 20,          /* mistakes told in one go */
    CONFIG_MEMORY_MAX = 1024 * 1024, /* bytes that all values together may take */
};

enum config_type {
    CONFIG_TEXT,
    CONFIG_NUMBER,   /* a count */
    CONFIG_SIZE,     /* bytes: "4096", "64KiB", "1MiB", "2GiB" */
    CONFIG_DURATION, /* milliseconds: "250", "250ms", "5s", "2m", "1h" */
    CONFIG_CHOICE,
    CONFIG_SWITCH, /* true or false; a flag without value */
    CONFIG_MODE,   /* octal permissions */
    CONFIG_LIST,   /* texts; with commas in flags and the environment, a sequence in a file */
};

/* Words instead of a value. */
enum {
    CONFIG_AUTO = 1, /* "auto": the server decides (0 in the options) */
    CONFIG_NONE = 2, /* "none": no limit (the field's largest number) */
};

struct config_choice {
    const char *name;
    int value;
};

struct config_setting {
    const char *path;        /* in a file: "limits.max_message", "tls.certificates[].cert" */
    const char *flag;        /* without the dashes: "max-message" */
    const char *environment; /* "WEFT_MAX_MESSAGE" */
    const char *value;       /* for the help: "SIZE" */
    enum config_type type;
    const char *fallback; /* the default as text; NULL: no text */
    unsigned words;       /* CONFIG_AUTO, CONFIG_NONE */
    uint64_t min;         /* of numbers */
    uint64_t max;
    const struct config_choice *choices; /* ended by a NULL name */
    const char *field;                   /* of struct weft_server_options; NULL: the command's */
    size_t offset;                       /* of that field */
    size_t width;                        /* its size in bytes */
    const char *automatic;               /* what "auto" means */
    const char *help;                    /* one line */
    bool secret;                         /* never printed */
};

extern const struct config_setting config_settings[];
extern const size_t config_setting_count;

enum config_source { CONFIG_DEFAULT, CONFIG_FILE, CONFIG_ENVIRONMENT, CONFIG_FLAG };

struct config_value {
    enum config_source source;
    unsigned line;           /* in the file, from 1 */
    unsigned word;           /* CONFIG_AUTO, CONFIG_NONE or 0 */
    uint64_t number;         /* numbers, choices (their value), switches */
    const char *text;        /* texts; NULL: none */
    const char *const *list; /* NULL-terminated */
    size_t count;            /* its elements */
};

/* Read |options|, |open_to_others| and |tokens| after config_finish; the rest is config*.c's. */
struct config {
    struct weft_server_options options;
    bool open_to_others; /* may listen beyond this machine */
    const char *tokens;  /* file of those who may use the server; NULL: everybody may */
    struct config_value values[CONFIG_SETTINGS_MAX];
    const char *file; /* the name of the file read, or NULL */
    struct weft_arena arena;
    struct weft_bytes errors;
    size_t error_count;
};

/* Starts with the defaults. */
void config_init(struct config *config);
void config_done(struct config *config);

/* The setting with that path; NULL when there is none. */
const struct config_setting *config_find(const char *path);

/* What |setting| is now. */
static inline struct config_value *config_value(struct config *config,
                                                const struct config_setting *setting)
{
    return &config->values[setting - config_settings];
}

/* Reads the YAML file |path|. */
WEFT_MUST_USE int config_read_file(struct config *config, const char *path);

/* As config_read_file for text that is there already; |name| is for messages and must stay. */
WEFT_MUST_USE int config_read_yaml(struct config *config, const char *name, struct weft_slice text);

/* Takes what environment variables say; empty ones count as not set. */
WEFT_MUST_USE int config_read_environment(struct config *config);

/* Gives |setting| the value written |text|, from an environment variable or a flag. */
WEFT_MUST_USE int config_set(struct config *config, const struct config_setting *setting,
                             enum config_source source, const char *text);

/* Checks what concerns several settings and fills |options|, whose strings live as long as the
 * configuration. **Errors:** WEFT_ERR_USAGE when this or anything before found a mistake. */
WEFT_MUST_USE int config_finish(struct config *config);

/* The mistakes so far, a line each; "" when there is none. */
const char *config_errors(struct config *config);

/* Adds a mistake. */
void config_fail(struct config *config, const char *fmt, ...) WEFT_PRINTF(2, 3);

/* ---- Values (config_value.c) ---- */

enum { CONFIG_PROBLEM_SIZE = 320, CONFIG_NUMBER_SIZE = 32 };

/* Reads |text| as |setting|'s type into |ret_value|, whose source and line stay as they are; texts
 * are copied to |arena|. Lists are read with commas. **Errors:** WEFT_ERR_USAGE, with half a
 * sentence ("must be …") in |ret_problem|; WEFT_ERR_NOMEM. */
WEFT_MUST_USE int config_value_parse(const struct config_setting *setting, const char *text,
                                     struct weft_arena *arena, struct config_value *ret_value,
                                     char ret_problem[CONFIG_PROBLEM_SIZE]);

/* Writes the value of a setting that is no text and no list, as config_value_parse reads it. */
void config_value_format(const struct config_setting *setting, const struct config_value *value,
                         char ret_text[CONFIG_NUMBER_SIZE]);

/* ---- Printing (config_print.c) ---- */

/* "default", "weft.yaml:3", "environment WEFT_LISTEN", "flag --listen"; of a value of |config|. */
void config_origin(const struct config *config, const struct config_setting *setting,
                   struct weft_bytes *out);

/* All values as YAML that can be read again, each with its origin in a comment. */
void config_print_yaml(struct config *config, struct weft_bytes *out);

/* The same as one JSON object: {"limits.max_message":{"value":1048576,"origin":"default"},…}. */
void config_print_json(struct config *config, struct weft_bytes *out);

/* The reference of all settings, for docs/guides/configuration.md and docs/man/weft.1. */
void config_print_markdown(struct weft_bytes *out);
void config_print_man(struct weft_bytes *out);

/* One line for --help, with the default. */
void config_help(const struct config_setting *setting, struct weft_bytes *out);

#endif
