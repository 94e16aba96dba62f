/* SPDX-License-Identifier: Apache-2.0 */
/* `weft call`: one call, its result on standard output. */
#include "call_items.h"
#include "codec/json.h"
#include "commands.h"
#include "remote.h"
#include "rpc/idempotency.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARAMS_MAX = 64 * 1024 * 1024, DEADLINE_MAX_MS = 24 * 60 * 60 * 1000 };

/* Whether |params| is JSON that a call can carry; a mistake is reported here, with its place. */
static bool check_params(const struct args *args, const char *params)
{
    struct weft_arena arena;
    struct weft_json_error error;
    const struct weft_json *value = NULL;
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    int err = weft__json_parse(weft__slice_str(params), &arena, NULL, &error, &value);
    bool fits = weft__json_is(value, WEFT_JSON_ARRAY) || weft__json_is(value, WEFT_JSON_OBJECT);
    weft__arena_done(&arena);
    if (err)
        args_fail(args->command, "the parameters are not valid JSON: %s at byte %zu", error.message,
                  error.offset);
    else if (!fits)
        args_fail(args->command, "the parameters must be a JSON array or object");
    return !err && fits;
}

/* The file that |word| names: "@FILE", or "-" for standard input. NULL when there is none. */
static FILE *open_input(const char *word)
{
    return strcmp(word, "-") == 0 ? stdin : fopen(word + 1, "rbe");
}

static void close_input(FILE *file)
{
    if (file && file != stdin)
        (void)fclose(file);
}

/* All of |file|, zero-terminated, to be freed; NULL when it cannot be read. */
static char *read_all(FILE *file)
{
    size_t cap = 4096;
    size_t len = 0;
    char *text = malloc(cap);
    while (text) {
        len += fread(text + len, 1, cap - len - 1, file);
        if (len + 1 < cap)
            break;
        char *larger = cap < PARAMS_MAX ? realloc(text, cap * 2) : NULL;
        if (!larger)
            free(text);
        text = larger;
        cap *= 2;
    }
    if (text)
        text[len] = '\0';
    if (text && (ferror(file) || strlen(text) != len)) {
        free(text);
        text = NULL;
    }
    return text;
}

/* The parameters that |word| names: JSON itself, "@FILE", or "-" for standard input. To be freed;
 * NULL after a mistake, which was reported. */
static char *read_params(const struct args *args, const char *word)
{
    char *text = NULL;
    if (word[0] != '@' && strcmp(word, "-") != 0)
        return strdup(word);
    FILE *file = open_input(word);
    if (file)
        text = read_all(file);
    close_input(file);
    if (!text)
        args_fail(args->command, "cannot read the parameters from %s",
                  word[0] == '@' ? word + 1 : "standard input");
    return text;
}

/* Makes the call, its parameters checked. Returns the exit status. */
static int make_call(const struct args *args, const struct remote_call *call)
{
    const char *word = args_get(args, "items", NULL);
    if (args_has(args, "notify"))
        return word ? args_fail(args->command, "a notification has no items")
                    : remote_notify(args, call);
    if (word && word[0] != '@' && strcmp(word, "-") != 0)
        return args_fail(args->command, "--items must be @FILE or -");
    FILE *items = word ? open_input(word) : NULL;
    if (word && !items)
        return args_fail(args->command, "cannot read the items from %s", word + 1);
    /* The file is left open: the sending thread may read it until the program ends. */
    return call_with_items(args, call, items);
}

int weft_cmd_call(int argc, char **argv)
{
    static const struct args_option options[] = {
        REMOTE_OPTIONS,
        {"items", "@FILE|-", NULL, "sends each line, a JSON value, as an item beside the call"},
        {"deadline", "MS", NULL, "for the answer, told to the server; 0: none (--timeout)"},
        {"idem", "KEY", NULL, "idempotency key: however often it is given, one execution"},
        {"notify", NULL, NULL, "as a notification: nobody answers"},
    };
    static const struct args_command command = {
        .name = "call",
        .usage = "METHOD [JSON | @FILE | -]",
        .summary =
            "Calls METHOD of a server with JSON, an array or object, as its parameters, and\n"
            "prints the result as JSON, behind the items that come beside the call, a line each.\n"
            "Parameters may lie in a FILE, or come from standard input (-). An error answer goes\n"
            "to standard error, exit 1.",
        .options = options,
        .option_count = sizeof(options) / sizeof(options[0]),
        .rest_min = 1,
        .rest_max = 2,
    };
    struct args args;
    unsigned long long deadline_ms;
    int status = args_parse(&args, argc, argv, &command);
    if (status >= 0)
        return status;
    if (!args.rest[0][0])
        return args_fail(&command, "METHOD is empty");
    if (!args_number(&args, "deadline", 0, DEADLINE_MAX_MS, 0, &deadline_ms))
        return ARGS_USAGE;
    const char *idem = args_get(&args, "idem", NULL);
    if (idem && !weft__rpc_idem_key_valid(weft__slice_str(idem)))
        return args_fail(&command, "--idem must be 1 to 128 visible characters of ASCII");
    char *params = args.rest_count > 1 ? read_params(&args, args.rest[1]) : NULL;
    if (args.rest_count > 1 && !params)
        return ARGS_USAGE;
    const struct remote_call call = {.method = args.rest[0],
                                     .params = params,
                                     .idem = idem,
                                     .deadline_ms = (uint32_t)deadline_ms,
                                     .no_deadline = args_has(&args, "deadline") && !deadline_ms};
    status = params && !check_params(&args, params) ? ARGS_USAGE : make_call(&args, &call);
    free(params);
    return status;
}
