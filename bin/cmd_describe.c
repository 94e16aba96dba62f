/* SPDX-License-Identifier: Apache-2.0 */
/* `weft describe`: what a server can be called for. */
#include "codec/json.h"
#include "commands.h"
#include "remote.h"

#include <stdio.h>

static void append_padded(struct weft_bytes *out, struct weft_slice text, size_t width)
{
    weft__bytes_append_slice(out, text);
    for (size_t i = text.len; i < width; i++)
        weft__bytes_append_byte(out, ' ');
}

/* One line: the name that people use, which items flow, what it does. */
static void append_method(struct weft_bytes *out, const struct weft_json *method)
{
    enum { NAME_WIDTH = 16, STREAM_WIDTH = 8 };
    struct weft_slice alias = weft__json_string(weft__json_get(method, "x-weft-alias"));
    struct weft_slice name = weft__json_string(weft__json_get(method, "name"));
    append_padded(out, alias.len ? alias : name, NAME_WIDTH);
    weft__bytes_append_byte(out, ' ');
    append_padded(out, weft__json_string(weft__json_get(method, "x-weft-stream")), STREAM_WIDTH);
    weft__bytes_append_slice(out, weft__json_string(weft__json_get(method, "summary")));
    weft__bytes_append_byte(out, '\n');
}

/* The methods of an OpenRPC document as lines. */
static int print_list(const struct args *args, const struct weft_answer *answer)
{
    struct weft_arena arena;
    struct weft_bytes out;
    const struct weft_json *document = NULL;
    int status = 1;
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    int err = weft__json_parse(weft__slice(answer->result, answer->result_len), &arena, NULL, NULL,
                               &document);
    const struct weft_json *methods = weft__json_get(document, "methods");
    if (weft__json_is(methods, WEFT_JSON_ARRAY))
        WEFT_JSON_EACH (method, methods)
            append_method(&out, method);
    if (err || !weft__json_is(methods, WEFT_JSON_ARRAY) || weft__bytes_error(&out))
        args_fail(args->command, "the server's description is not an OpenRPC document");
    else
        status = remote_print(args, out.ptr, out.len, false);
    weft__bytes_done(&out);
    weft__arena_done(&arena);
    return status;
}

int weft_cmd_describe(int argc, char **argv)
{
    static const struct args_option options[] = {
        {"json", NULL, NULL, "the whole description, an OpenRPC document"},
        REMOTE_OPTIONS,
    };
    static const struct args_command command = {
        .name = "describe",
        .usage = "",
        .summary = "Prints the methods of a server: name, which side sends items beside the call\n"
                   "(client, server, both), and what it is for.",
        .options = options,
        .option_count = sizeof(options) / sizeof(options[0]),
    };
    struct args args;
    int status = args_parse(&args, argc, argv, &command);
    if (status >= 0)
        return status;
    struct weft_answer *answer =
        remote_call(&args, &(struct remote_call){.method = "rpc.discover"}, &status);
    if (answer)
        status = args_has(&args, "json")
                     ? remote_print(&args, answer->result, answer->result_len, true)
                     : print_list(&args, answer);
    weft_answer_free(answer);
    return status;
}
