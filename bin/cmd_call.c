/* SPDX-License-Identifier: Apache-2.0 */
/* `weft call`: one call, its result on standard output. */
#include "codec/json.h"
#include "commands.h"
#include "remote.h"
#include "rpc/idempotency.h"

#include <stdint.h>

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

int weft_cmd_call(int argc, char **argv)
{
    static const struct args_option options[] = {
        REMOTE_OPTIONS,
        {"idem", "KEY", NULL, "idempotency key: however often it is given, one execution"},
    };
    static const struct args_command command = {
        .name = "call",
        .usage = "METHOD [JSON]",
        .summary =
            "Calls METHOD of a server with JSON, an array or object, as its parameters, and\n"
            "prints the result as JSON. An error answer goes to standard error, exit 1.",
        .options = options,
        .option_count = sizeof(options) / sizeof(options[0]),
        .rest_min = 1,
        .rest_max = 2,
    };
    struct args args;
    int status = args_parse(&args, argc, argv, &command);
    if (status >= 0)
        return status;
    const char *params = args.rest_count > 1 ? args.rest[1] : NULL;
    if (!args.rest[0][0])
        return args_fail(&command, "METHOD is empty");
    if (params && !check_params(&args, params))
        return ARGS_USAGE;
    const char *idem = args_get(&args, "idem", NULL);
    if (idem && !weft__rpc_idem_key_valid(weft__slice_str(idem)))
        return args_fail(&command, "--idem must be 1 to 128 visible characters of ASCII");
    struct weft_answer *answer = remote_call(&args, args.rest[0], params, idem, &status);
    if (answer)
        status = remote_print(&args, answer->result, answer->result_len, true);
    weft_answer_free(answer);
    return status;
}
