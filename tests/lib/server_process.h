/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real `weft dev` for integration tests, on a free port of 127.0.0.1 with the loop of test_loop()
 * and a data folder of its own.
 *
 *     struct test_server *server = test_server_new(NULL);
 *     … connect to server->url (lib/ws_client.h) …
 *     test_server_kill(server);      (kill -9)
 *     test_server_start(server);     (again, on the same data and port)
 *     test_server_free(server);      (SIGTERM, which must end it with status 0; removes the data)
 *
 * Whatever goes wrong fails the test. A server that a failed test left behind is killed when the
 * test program ends, however that ends, and its folder removed unless that was a crash.
 */
#ifndef WEFT_TESTS_LIB_SERVER_PROCESS_H
#define WEFT_TESTS_LIB_SERVER_PROCESS_H

#include "lib/ws_client.h"

#include <sys/types.h>

enum { TEST_SERVER_ARGS_MAX = 16 };

/* The fields may be read. */
struct test_server {
    struct test_server *next;
    pid_t pid; /* 0: it does not run */
    int output;
    unsigned port;
    unsigned workers;
    bool secure;     /* it says https */
    char loop[16];   /* of the start line: "epoll" or "uring" */
    char url[64];    /* "ws://127.0.0.1:PORT/ws", or wss */
    char origin[64]; /* "http://127.0.0.1:PORT" */
    char folder[64]; /* temporary; the data is in "data" inside it */
    const char *args[TEST_SERVER_ARGS_MAX + 1];
};

/* Starts a server with |args|, a NULL-terminated array or NULL, behind the usual ones; they must
 * stay until test_server_free. Returns when it listens. */
struct test_server *test_server_new(const char *const *args);

/* Starts a server that was stopped or killed, on the same data, port and arguments. */
void test_server_start(struct test_server *server);

/* SIGTERM; it must end within 20 s with status 0. Harmless when it does not run. */
void test_server_stop(struct test_server *server);

/* SIGKILL, and waits until it is gone. Harmless when it does not run. */
void test_server_kill(struct test_server *server);

/* Stops it if need be and removes its data. */
void test_server_free(struct test_server *server);

/* One server for all tests of a program: setup and teardown for cmocka_run_group_tests. */
extern struct test_server *group_server;
int test_server_group_start(void **state);
int test_server_group_stop(void **state);

/*
 * Runs the program |argv| (argv[0] is its path; NULL-terminated) to its end, at most 20 s, with
 * nothing on its standard input. Returns its exit status, 128 + the signal that killed it. What it
 * wrote goes to |ret_out| and |ret_err|, zero-terminated; free both. Either may be NULL.
 */
int test_run_program(const char *const *argv, char **ret_out, char **ret_err);

#endif
