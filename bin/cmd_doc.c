/* SPDX-License-Identifier: Apache-2.0 */
/* `weft doc`: documents of a server, or of a data folder. */
#include "codec/json.h"
#include "commands.h"
#include "doc_check.h"
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

static int doc_delete(const struct args *args, const char *name)
{
    struct weft_bytes params;
    struct weft_answer *answer = NULL;
    int status = 0;
    weft__bytes_init(&params, weft_alloc_default(), SIZE_MAX);
    if (write_params(&params, name))
        status = args_fail(args->command, "NAME is not valid UTF-8");
    else
        answer = remote_call(
            args, &(struct remote_call){.method = "doc.delete", .params = (const char *)params.ptr},
            &status);
    weft_answer_free(answer);
    weft__bytes_done(&params);
    return status;
}

/* {"prefix":PREFIX,"page":PAGE,"limit":1000}, zero-terminated. */
static int write_list(struct weft_bytes *out, const char *prefix, struct weft_slice page)
{
    struct weft_json_writer json;
    weft__bytes_clear(out);
    weft__json_writer_init(&json, out);
    weft__json_begin_object(&json);
    weft__json_key(&json, "prefix");
    weft__json_put_str(&json, prefix);
    weft__json_key(&json, "page");
    weft__json_put_string(&json, page);
    weft__json_key(&json, "limit");
    weft__json_put_u64(&json, 1000);
    weft__json_end_object(&json);
    weft__bytes_append_byte(out, '\0');
    return weft__bytes_error(out);
}

/* Prints the names in |answer|, a line each, and prepares |params| for those behind them;
 * |*ret_more|: there are some. */
static int print_names(const struct args *args, const struct weft_answer *answer,
                       const char *prefix, struct weft_bytes *params, bool *ret_more)
{
    struct weft_arena arena;
    const struct weft_json *result;
    int status = 0;
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    int err = weft__json_parse(weft__slice(answer->result, answer->result_len), &arena, NULL, NULL,
                               &result);
    WEFT_JSON_EACH (document, err ? NULL : weft__json_get(result, "docs")) {
        struct weft_slice name = weft__json_string(weft__json_get(document, "doc"));
        status = status ? status : remote_print(args, name.ptr, name.len, true);
    }
    const struct weft_json *next = err ? NULL : weft__json_get(result, "next");
    *ret_more = weft__json_is(next, WEFT_JSON_STRING) && !status;
    if (*ret_more && write_list(params, prefix, weft__json_string(next)))
        status = remote_tell_failure(args, WEFT_ERR_NOMEM);
    weft__arena_done(&arena);
    return status;
}

static int doc_list(const struct args *args, const char *prefix)
{
    struct weft_bytes params;
    bool more = true;
    int status = 0;
    weft__bytes_init(&params, weft_alloc_default(), SIZE_MAX);
    if (write_list(&params, prefix, weft__slice(NULL, 0)))
        status = args_fail(args->command, "PREFIX is not valid UTF-8");
    while (!status && more) {
        const struct remote_call call = {.method = "doc.list", .params = (const char *)params.ptr};
        struct weft_answer *answer = remote_call(args, &call, &status);
        if (answer)
            status = print_names(args, answer, prefix, &params, &more);
        weft_answer_free(answer);
    }
    weft__bytes_done(&params);
    return status;
}

int weft_cmd_doc(int argc, char **argv)
{
    static const struct args_option options[] = {REMOTE_OPTIONS};
    static const struct args_command command = {
        .name = "doc",
        .usage = "cat|delete NAME, list [PREFIX], check DATA",
        .summary =
            "cat prints the content of document NAME: text exactly as it is, without a\n"
            "newline added. A document that does not exist is an error, exit 1, and is not\n"
            "created. delete deletes it for good: whoever has it open is told so. list prints\n"
            "the names of all documents, or of those that begin with PREFIX, a line each.\n"
            "check reads everything in the data folder DATA, which no server may be using,\n"
            "applies every operation, and prints a line for whatever is damaged; exit 1 then.",
        .options = options,
        .option_count = sizeof(options) / sizeof(options[0]),
        .rest_min = 1,
        .rest_max = 2,
    };
    struct args args;
    int status = args_parse(&args, argc, argv, &command);
    if (status >= 0)
        return status;
    const char *verb = args.rest[0];
    bool named = args.rest_count == 2;
    if (strcmp(verb, "list") == 0)
        return doc_list(&args, named ? args.rest[1] : "");
    bool check = strcmp(verb, "check") == 0;
    if (check && named)
        return doc_check(&args, args.rest[1]);
    if (check)
        return args_fail(&command, "'doc check' needs the data folder");
    if (strcmp(verb, "cat") != 0 && strcmp(verb, "delete") != 0)
        return args_fail(&command, "there is no 'doc %s'; try 'weft doc cat NAME'", verb);
    if (!named)
        return args_fail(&command, "'doc %s' needs the NAME of a document", verb);
    return verb[0] == 'c' ? doc_cat(&args, args.rest[1]) : doc_delete(&args, args.rest[1]);
}
