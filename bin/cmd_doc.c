/* SPDX-License-Identifier: Apache-2.0 */
/* `weft doc`: documents of a server. */
#include "codec/json.h"
#include "commands.h"
#include "remote.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* {"doc":NAME}, zero-terminated. **Errors:** those of |out|. */
static int write_params(struct weft_bytes *out, const char *name)
{
    struct weft_json_writer json;
    weft__json_writer_init(&json, out);
    weft__json_begin_object(&json);
    weft__json_key(&json, "doc");
    weft__json_put_str(&json, name);
    weft__json_end_object(&json);
    weft__bytes_append_byte(out, '\0');
    return weft__bytes_error(out);
}

/* Prints the content of a document: text as it is, byte for byte; other types as JSON. */
static int print_snapshot(const struct args *args, const struct weft_answer *answer)
{
    struct weft_arena arena;
    const struct weft_json *result;
    int status = 1;
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    int err = weft__json_parse(weft__slice(answer->result, answer->result_len), &arena, NULL, NULL,
                               &result);
    const struct weft_json *snapshot = err ? NULL : weft__json_get(result, "snapshot");
    if (weft__json_is(snapshot, WEFT_JSON_STRING)) {
        struct weft_slice text = weft__json_string(snapshot);
        status = remote_print(args, text.ptr, text.len, false);
    } else if (snapshot) {
        struct weft_slice json = weft__json_raw(snapshot);
        status = remote_print(args, json.ptr, json.len, true);
    } else {
        fprintf(stderr, "weft doc: the answer holds no content\n");
    }
    weft__arena_done(&arena);
    return status;
}

static int doc_cat(const struct args *args, const char *name)
{
    struct weft_bytes params;
    struct weft_answer *answer = NULL;
    int status = 0;
    weft__bytes_init(&params, weft_alloc_default(), SIZE_MAX);
    if (write_params(&params, name))
        status = args_fail(args->command, "NAME is not valid UTF-8");
    else
        answer = remote_call(
            args, &(struct remote_call){.method = "doc.fetch", .params = (const char *)params.ptr},
            &status);
    if (answer)
        status = print_snapshot(args, answer);
    weft_answer_free(answer);
    weft__bytes_done(&params);
    return status;
}

int weft_cmd_doc(int argc, char **argv)
{
    static const struct args_option options[] = {REMOTE_OPTIONS};
    static const struct args_command command = {
        .name = "doc",
        .usage = "cat NAME",
        .summary = "Prints the content of document NAME: text exactly as it is, without a newline\n"
                   "added. A document that does not exist is an error, exit 1, and is not created.",
        .options = options,
        .option_count = sizeof(options) / sizeof(options[0]),
        .rest_min = 2,
        .rest_max = 2,
    };
    struct args args;
    int status = args_parse(&args, argc, argv, &command);
    if (status >= 0)
        return status;
    if (strcmp(args.rest[0], "cat") != 0)
        return args_fail(&command, "there is no 'doc %s'; try 'weft doc cat NAME'", args.rest[0]);
    return doc_cat(&args, args.rest[1]);
}
