/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that are uploaded: the items beside a call are pieces of a file, strings of base64. They
 * are written as they come, and a slow disk slows the sender down. A file is there when its last
 * piece is; an upload that breaks off leaves none.
 *
 *     upload DIRECTORY [HOST:PORT]                       (127.0.0.1:8080)
 *     base64 -w 48000 photo.jpg | jq -R . | weft call files.put '["photo.jpg"]' --items -
 */
#include "run_server.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { NAME_MAX_BYTES = 64, FILE_MAX_BYTES = 256 * 1024 * 1024, PATH_MAX_BYTES = 4096 };

static int directory; /* a descriptor of it */

struct upload {
    char name[NAME_MAX_BYTES + 1];
    char part[NAME_MAX_BYTES + 32]; /* its name while it is not complete */
    int fd;
    long long size;
};

/* The value of a base64 digit; -1 for another character. */
static int digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* Decodes |item|, a JSON string of base64, over itself (RFC 4648 §4). Returns its length, or -1. */
static long decode(char *item, size_t len)
{
    long out = 0;
    unsigned bits = 0;
    size_t digits = len - 2; /* without the quotes */
    if (len < 2 || item[0] != '"' || digits % 4 != 0)
        return -1;
    while (digits > 0 && len - 2 - digits < 2 && item[digits] == '=')
        digits--;
    for (size_t i = 0; i < digits; i++) {
        int value = digit(item[1 + i]);
        if (value < 0)
            return -1;
        bits = bits << 6 | (unsigned)value;
        if (i % 4 != 0)
            item[out++] = (char)(bits >> (6 - i % 4 * 2) & 0xff);
    }
    return out;
}

static const char *write_piece(struct upload *upload, struct weft_item *item)
{
    char *text = strdup(item->value);
    long len = text ? decode(text, item->len) : -1;
    const char *wrong = NULL;
    if (len < 0)
        wrong = "items must be strings of base64";
    else if (upload->size + len > FILE_MAX_BYTES)
        wrong = "the file is too large";
    else if (write(upload->fd, text, (size_t)len) != len)
        wrong = "the disk is full";
    upload->size += len;
    free(text);
    return wrong;
}

static void fail(struct weft_call *call, int status, const char *message)
{
    const struct weft_failure failure = {.status = status, .message = message};
    weft_call_fail(call, &failure);
}

/* Takes all pieces; returns what was wrong with one, and |*ret_err| when the caller is gone. */
static const char *take_pieces(struct weft_call *call, struct upload *upload, int *ret_err)
{
    struct weft_item *item;
    const char *wrong = NULL;
    while (!wrong && !(*ret_err = weft_stream_receive_wait(weft_call_stream(call), &item)) &&
           item) {
        wrong = write_piece(upload, item);
        weft_item_free(item);
    }
    return wrong;
}

/* On a thread of the pool. */
static void put(struct weft_call *call, void *ctx)
{
    struct upload upload = {.size = 0};
    char text[40];
    int err = 0;
    char end = 0;
    (void)ctx;
    if (sscanf(weft_call_params(call, NULL), " [ \"%64[A-Za-z0-9._-]\" %c", upload.name, &end) !=
            2 ||
        end != ']' || upload.name[0] == '.') {
        fail(call, WEFT_STATUS_INVALID_ARGUMENT, "[name]: letters, digits and . _ -, no dot first");
        return;
    }
    snprintf(upload.part, sizeof(upload.part), ".%s.%p", upload.name, (void *)call);
    upload.fd = openat(directory, upload.part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (upload.fd < 0) {
        fail(call, WEFT_STATUS_INTERNAL, "the file cannot be made");
        return;
    }
    const char *wrong = take_pieces(call, &upload, &err);
    if (!wrong && !err &&
        (fsync(upload.fd) || renameat(directory, upload.part, directory, upload.name)))
        wrong = "the file cannot be kept";
    if (wrong || err)
        (void)unlinkat(directory, upload.part, 0);
    (void)close(upload.fd);
    snprintf(text, sizeof(text), "{\"bytes\":%lld}", upload.size);
    if (wrong)
        fail(call, WEFT_STATUS_INVALID_ARGUMENT, wrong);
    else if (!err)
        weft_call_finish(call, text);
}

static const struct weft_method methods[] = {
    {.name = "files.put",
     .handler = put,
     .flags = WEFT_METHOD_RECEIVES | WEFT_METHOD_BLOCKING,
     .summary = "keeps a file, whose pieces come as strings of base64"},
};

int main(int argc, char **argv)
{
    directory = argc > 1 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (directory < 0) {
        fprintf(stderr, "usage: upload DIRECTORY [HOST:PORT]\n");
        return 2;
    }
    return run_server("upload", argc > 2 ? argv[2] : NULL, methods,
                      sizeof(methods) / sizeof(methods[0]));
}
