/* SPDX-License-Identifier: Apache-2.0 */
/* Programs of examples/ as processes. */
#ifndef WEFT_TESTS_INTEGRATION_EXAMPLE_PROCESS_H
#define WEFT_TESTS_INTEGRATION_EXAMPLE_PROCESS_H

#include "integration/echo_process.h"
#include "lib/test.h"
#include "lib/ws_client.h"

#include <libgen.h>
#include <weft/weft.h>

struct example {
    struct process process;
    char line[160]; /* what it said first */
    char url[160];  /* of a server */
};

/* Starts the example |name| with up to two arguments; returns once it has said a line. */
static inline void example_start(struct example *example, const char *name, const char *first,
                                 const char *second)
{
    char binary[512];
    char path[600];
    int fds[2];
    posix_spawn_file_actions_t actions;
    snprintf(binary, sizeof(binary), "%s", test_binary());
    snprintf(path, sizeof(path), "%s/../examples/%s", dirname(binary), name);
    char *argv[] = {path, (char *)(uintptr_t)first, (char *)(uintptr_t)second, NULL};
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO), 0);
    assert_int_equal(posix_spawn_file_actions_addclose(&actions, fds[0]), 0);
    assert_int_equal(posix_spawn(&example->process.pid, path, &actions, NULL, argv, environ), 0);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(fds[1]);
    example->process.out = fds[0];
    read_line(example->process.out, example->line, sizeof(example->line));
}

/* The same for a server at a free port; |first| (may be NULL) comes before the address. */
static inline void example_start_server(struct example *example, const char *name,
                                        const char *first)
{
    static const char address[] = "127.0.0.1:0";
    example_start(example, name, first ? first : address, first ? address : NULL);
    const char *at = strstr(example->line, "ws://");
    assert_non_null(at);
    snprintf(example->url, sizeof(example->url), "%s", at);
}

static inline void example_stop(struct example *example)
{
    assert_int_equal(kill(example->process.pid, SIGTERM), 0);
    assert_int_equal(wait_exit(&example->process), 0);
}

/* A client of the C library at |url|. */
static inline struct weft_client *example_connect(const char *url)
{
    struct weft_client_options options;
    struct weft_client *client = NULL;
    char message[256];
    weft_client_options_init(&options);
    options.loop =
        strcmp(test_loop(), "uring") == 0 ? WEFT_CLIENT_LOOP_URING : WEFT_CLIENT_LOOP_EPOLL;
    options.url = url;
    if (weft_client_connect(&options, &client, message, sizeof(message)))
        fail_msg("%s", message);
    return client;
}

static inline struct weft_stream *example_open(struct weft_client *client, const char *method,
                                               const char *params)
{
    struct weft_stream *stream = NULL;
    assert_ok(weft_peer_open(weft_client_peer(client), method, params, NULL, &stream));
    return stream;
}

/* The next item of |stream| is |text|. */
static inline void example_expect_item(struct weft_stream *stream, const char *text)
{
    struct weft_item *item = NULL;
    assert_ok(weft_stream_receive_wait(stream, &item));
    assert_non_null(item);
    assert_string_equal(item->value, text);
    weft_item_free(item);
}

/* The answer to a call; a result must be |result| (NULL: whatever). */
static inline void example_expect_call(struct weft_client *client, const char *method,
                                       const char *params, int status, const char *result)
{
    struct weft_answer *answer = NULL;
    assert_ok(weft_peer_call_wait(weft_client_peer(client), method, params, NULL, &answer));
    if (answer->status != status)
        fail_msg("%s: %d %s", method, answer->status, answer->message);
    if (result)
        assert_string_equal(answer->result, result);
    weft_answer_free(answer);
}

#endif
