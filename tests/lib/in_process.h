/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server inside of the test program, for options that no flag sets, on the loop of test_loop():
 *
 *     struct weft_server_options options;
 *     test_in_process_options(&options);
 *     options.operations.drain_ms = 100;
 *     struct test_in_process *world = test_in_process_start(&options);
 *     … test_ws_connect(world->url, NULL) …
 *     test_in_process_stop_begin(world);     (in a thread of its own)
 *     test_in_process_free(world);           (waits for it)
 */
#ifndef WEFT_TESTS_LIB_IN_PROCESS_H
#define WEFT_TESTS_LIB_IN_PROCESS_H

#include "lib/ws_client.h"

#include <pthread.h>
#include <weft/server.h>

struct test_in_process {
    struct weft_server *server;
    char url[160];
    pthread_t thread;
    bool stopping;
};

/* The defaults but: a free port of 127.0.0.1, two workers, development, memory. */
void test_in_process_options(struct weft_server_options *options);

/* Makes and starts a server; both must succeed. */
struct test_in_process *test_in_process_start(const struct weft_server_options *options);

/* Begins to stop it. */
void test_in_process_stop_begin(struct test_in_process *world);

/* Waits until weft_server_stop has returned. */
void test_in_process_stop_wait(struct test_in_process *world);

/* Stops it if need be and frees it. */
void test_in_process_free(struct test_in_process *world);

#endif
