/* SPDX-License-Identifier: Apache-2.0 */
/* Items from lines of a file, and to lines of the output. */
#include "call_items.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <weft/stream.h>

/* What the sending thread works on. It may be left waiting for its next line when the program
 * ends. */
struct sender {
    struct weft_stream *stream;
    FILE *items;
    const struct args *args;
    unsigned long line;
    int err; /* of |line|; read after the answer has come */
};

/* Sends a line; empty ones are passed over. */
static int send_line(struct sender *sender, char *line, size_t len)
{
    while (len > 0 && strchr(" \t\r\n", line[len - 1]))
        line[--len] = '\0';
    sender->line++;
    if (strlen(line) != len)
        return WEFT_ERR_JSON;
    return len > 0 ? weft_stream_send_wait(sender->stream, line) : 0;
}

static void *send_items(void *arg)
{
    struct sender *sender = arg;
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    int err = 0;
    while (!err && (len = getline(&line, &cap, sender->items)) >= 0)
        err = send_line(sender, line, (size_t)len);
    free(line);
    if (err == WEFT_ERR_JSON) {
        /* The call cannot be finished as it was meant. */
        sender->err = err;
        weft_stream_cancel(sender->stream);
    } else {
        weft_stream_end(sender->stream);
    }
    weft_stream_unref(sender->stream);
    return NULL;
}

static int print_items(const struct args *args, struct weft_stream *stream)
{
    struct weft_item *item;
    int status = 0;
    while (!status && weft_stream_receive_wait(stream, &item) == 0 && item) {
        status = remote_print(args, item->value, item->len, true);
        weft_item_free(item);
    }
    return status;
}

static int finish(const struct args *args, const struct sender *sender, struct weft_stream *stream)
{
    const struct weft_answer *answer = NULL;
    int status = print_items(args, stream);
    if (status)
        weft_stream_cancel(stream);
    int err = weft_stream_answer_wait(stream, &answer);
    if (status)
        return status;
    if (err)
        return remote_tell_failure(args, err);
    if (answer->status == WEFT_STATUS_CANCELED && sender->err) {
        fprintf(stderr, "weft %s: line %lu of the items is not valid JSON\n", args->command->name,
                sender->line);
        return ARGS_USAGE;
    }
    if (answer->status) {
        remote_tell_error(args, answer);
        return 1;
    }
    return remote_print(args, answer->result, answer->result_len, true);
}

/* Nobody waits for the thread: it may wait for a line that never comes. */
static int start_sender(struct sender *sender, struct weft_stream *stream)
{
    pthread_t thread;
    sender->stream = weft_stream_ref(stream);
    if (pthread_create(&thread, NULL, send_items, sender) == 0) {
        (void)pthread_detach(thread);
        return 0;
    }
    weft_stream_unref(stream);
    return WEFT_ERR_SYSTEM;
}

int call_with_items(const struct args *args, const struct remote_call *call, FILE *items)
{
    static struct sender sender;
    struct weft_call_options options;
    struct weft_stream *stream = NULL;
    uint32_t timeout_ms;
    int status;
    struct weft_client *client = remote_connect(args, &timeout_ms, &status);
    if (!client)
        return status;
    weft_call_options_init(&options);
    options.timeout_ms = call->deadline_ms ? call->deadline_ms : timeout_ms;
    if (call->no_deadline)
        options.timeout_ms = 0;
    options.idempotency_key = call->idem;
    int err =
        weft_peer_open(weft_client_peer(client), call->method, call->params, &options, &stream);
    sender = (struct sender){.items = items, .args = args};
    if (!err && items)
        err = start_sender(&sender, stream);
    status = err ? remote_tell_failure(args, err) : finish(args, &sender, stream);
    weft_stream_unref(stream);
    weft_client_close(client);
    return status;
}
