/* SPDX-License-Identifier: Apache-2.0 */
/* One call to a server, for commands. */
#include "remote.h"

#include "codec/json.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <weft/version.h>

enum {
    MESSAGE_SIZE = 512,
    TOKEN_SIZE = 8194,
    TIMEOUT_MS = 30000,
    TIMEOUT_MAX_MS = 24 * 60 * 60 * 1000
};

/* Prints text of the server's, which a terminal must not obey: control characters become '?'. */
static void print_foreign(struct weft_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.ptr[i];
        /* U+0080 to U+009F are control characters, too: C2 80 to C2 9F. */
        bool c1 = byte == 0xc2 && i + 1 < text.len && text.ptr[i + 1] < 0xa0;
        fputc(byte < ' ' || byte == 0x7f || c1 ? '?' : byte, stderr);
        i += c1;
    }
}

/* "  doc is required": each parameter that is wrong on a line of its own. */
static void tell_violations(const struct weft_answer *answer)
{
    struct weft_arena arena;
    const struct weft_json *data = NULL;
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    int err =
        weft__json_parse(weft__slice(answer->data, answer->data_len), &arena, NULL, NULL, &data);
    const struct weft_json *violations = err ? NULL : weft__json_get(data, "violations");
    WEFT_JSON_EACH (violation, violations) {
        fputs("  ", stderr);
        print_foreign(weft__json_string(weft__json_get(violation, "field")));
        fputc(' ', stderr);
        print_foreign(weft__json_string(weft__json_get(violation, "rule")));
        fputc('\n', stderr);
    }
    weft__arena_done(&arena);
}

void remote_tell_error(const struct args *args, const struct weft_answer *answer)
{
    const char *name = weft_status_name(answer->status);
    fprintf(stderr, "weft %s: %s (%d)", args->command->name, name,
            weft_status_jsonrpc(answer->status));
    if (answer->message[0]) {
        fputs(": ", stderr);
        print_foreign(weft__slice_str(answer->message));
    }
    if (answer->reason[0]) {
        fputs(" (", stderr);
        print_foreign(weft__slice_str(answer->reason));
        fputc(')', stderr);
    }
    fputc('\n', stderr);
    tell_violations(answer);
}

/* The first line of the file |path|, in |room|. False when it has none, which was reported. */
static bool read_line(const struct args *args, const char *path, char *room, size_t size)
{
    FILE *in = fopen(path, "re");
    bool fine = in && fgets(room, (int)size, in);
    if (!fine)
        fprintf(stderr, "weft %s: no token in %s\n", args->command->name, path);
    else
        room[strcspn(room, "\r\n")] = '\0';
    if (in)
        fclose(in);
    return fine;
}

struct weft_client *remote_connect(const struct args *args, uint32_t *ret_timeout_ms,
                                   int *ret_status)
{
    struct weft_client_options options;
    struct weft_client *client = NULL;
    unsigned long long timeout_ms;
    char message[MESSAGE_SIZE];
    char line[TOKEN_SIZE];
    const char *token = args_get(args, "token", NULL);
    *ret_status = ARGS_USAGE;
    if (token && token[0] == '@') {
        if (!read_line(args, token + 1, line, sizeof(line)))
            return NULL;
        token = line;
    }
    if (!args_number(args, "timeout", 1, TIMEOUT_MAX_MS, TIMEOUT_MS, &timeout_ms))
        return NULL;
    *ret_timeout_ms = (uint32_t)timeout_ms;
    weft_client_options_init(&options);
    options.url = args_get(args, "url", options.url);
    options.ca_file = args_get(args, "ca", NULL);
    options.token = token;
    options.name = "weft";
    options.version = weft_version();
    options.connect_timeout_ms = (uint32_t)timeout_ms;
    options.call_timeout_ms = (uint32_t)timeout_ms;
    /* One connection for one call: the cheapest loop to make. */
    options.loop = WEFT_CLIENT_LOOP_EPOLL;
    int err = weft_client_connect(&options, &client, message, sizeof(message));
    if (!err)
        return client;
    if (err == WEFT_ERR_USAGE) {
        *ret_status = args_fail(args->command, "%s", message);
        return NULL;
    }
    *ret_status = 1;
    fprintf(stderr, "weft %s: ", args->command->name);
    print_foreign(weft__slice_str(message));
    fputc('\n', stderr);
    return NULL;
}

int remote_tell_failure(const struct args *args, int err)
{
    fprintf(stderr, "weft %s: %s\n", args->command->name, weft_err_message(err));
    return 1;
}

struct weft_answer *remote_call(const struct args *args, const struct remote_call *call,
                                int *ret_status)
{
    struct weft_call_options options;
    struct weft_answer *answer = NULL;
    uint32_t timeout_ms;
    struct weft_client *client = remote_connect(args, &timeout_ms, ret_status);
    if (!client)
        return NULL;
    *ret_status = 1;
    weft_call_options_init(&options);
    options.timeout_ms = call->deadline_ms ? call->deadline_ms : timeout_ms;
    options.idempotency_key = call->idem;
    int err = weft_peer_call_wait(weft_client_peer(client), call->method, call->params, &options,
                                  &answer);
    if (err)
        (void)remote_tell_failure(args, err);
    else if (answer->status)
        remote_tell_error(args, answer);
    weft_client_close(client);
    if (answer && answer->status) {
        weft_answer_free(answer);
        answer = NULL;
    }
    if (answer)
        *ret_status = 0;
    return answer;
}

int remote_notify(const struct args *args, const struct remote_call *call)
{
    uint32_t timeout_ms;
    int status;
    struct weft_client *client = remote_connect(args, &timeout_ms, &status);
    if (!client)
        return status;
    int err = weft_peer_notify(weft_client_peer(client), call->method, call->params);
    /* Closing sends first what was handed over before. */
    weft_client_close(client);
    return err ? remote_tell_failure(args, err) : 0;
}

int remote_print(const struct args *args, const void *data, size_t len, bool newline)
{
    bool ok = fwrite(data, 1, len, stdout) == len && (!newline || putchar('\n') != EOF);
    if (fflush(stdout) || !ok) {
        fprintf(stderr, "weft %s: cannot write to standard output\n", args->command->name);
        return 1;
    }
    return 0;
}
