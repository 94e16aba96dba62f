/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text that is made while its reader waits, word by word, as language models do. A reader who has
 * enough leaves, and the work stops.
 *
 *     tokens [HOST:PORT]                                 (127.0.0.1:8080)
 *     weft call text.generate '[20]'                     twenty words, as they are made
 *     curl -N 'http://127.0.0.1:8080/sse/text.generate?params=%5B20%5D'
 */
#include "run_server.h"

#include <stdatomic.h>
#include <time.h>

enum { WORDS_MAX = 100000, PACE_MS = 5 };

static atomic_long made; /* words, since the program began */

/* The work: it takes its time. */
static const char *next_word(unsigned *state)
{
    static const char *const words[] = {"warp", "weft",   "thread", "loom",    "shuttle",
                                        "reed", "heddle", "cloth",  "pattern", "selvedge"};
    const struct timespec pace = {.tv_nsec = PACE_MS * 1000000L};
    nanosleep(&pace, NULL);
    *state = *state * 1103515245u + 12345u;
    return words[(*state >> 16) % (sizeof(words) / sizeof(words[0]))];
}

/* On a thread of the pool, which waits for a reader who is slow. */
static void generate(struct weft_call *call, void *ctx)
{
    static const struct weft_failure unfit = {.status = WEFT_STATUS_INVALID_ARGUMENT,
                                              .message = "how many words: [1 to 100000]"};
    unsigned state = 1;
    long count = 0;
    char text[64];
    (void)ctx;
    if (sscanf(weft_call_params(call, NULL), " [ %ld ", &count) != 1 || count < 1 ||
        count > WORDS_MAX) {
        weft_call_fail(call, &unfit);
        return;
    }
    for (long i = 0; i < count; i++) {
        snprintf(text, sizeof(text), "\"%s\"", next_word(&state));
        atomic_fetch_add(&made, 1);
        if (weft_stream_send_wait(weft_call_stream(call), text))
            return; /* the reader has left */
    }
    snprintf(text, sizeof(text), "{\"words\":%ld}", count);
    weft_call_finish(call, text);
}

static void tell_made(struct weft_call *call, void *ctx)
{
    char text[32];
    (void)ctx;
    snprintf(text, sizeof(text), "%ld", atomic_load(&made));
    weft_call_finish(call, text);
}

static const struct weft_method methods[] = {
    {.name = "text.generate",
     .handler = generate,
     .flags = WEFT_METHOD_SENDS | WEFT_METHOD_BLOCKING,
     .summary = "makes so many words"},
    {.name = "text.made", .handler = tell_made, .summary = "how many words were made"},
};

int main(int argc, char **argv)
{
    return run_server("tokens", argc > 1 ? argv[1] : NULL, methods,
                      sizeof(methods) / sizeof(methods[0]));
}
