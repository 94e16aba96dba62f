/* SPDX-License-Identifier: Apache-2.0 */
/* A server inside of the test program. */
#include "lib/in_process.h"

#include "lib/test.h"

static void write_log(void *ctx, int level, const char *line)
{
    (void)ctx;
    if (level <= WEFT_SERVER_LOG_ERROR)
        print_error("server: %s\n", line);
}

void test_in_process_options(struct weft_server_options *options)
{
    weft_server_options_init(options);
    options->listen = "127.0.0.1:0";
    options->workers = 2;
    options->development = 1;
    options->log = write_log;
    options->loop =
        strcmp(test_loop(), "uring") == 0 ? WEFT_SERVER_LOOP_URING : WEFT_SERVER_LOOP_EPOLL;
}

struct test_in_process *test_in_process_start(const struct weft_server_options *options)
{
    char message[256] = "";
    struct test_in_process *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    if (weft_server_new(options, &world->server, message, sizeof(message)))
        fail_msg("weft_server_new: %s", message);
    assert_ok(weft_server_start(world->server));
    snprintf(world->url, sizeof(world->url), "ws://%s/ws", weft_server_address(world->server));
    return world;
}

static void *stop(void *arg)
{
    weft_server_stop(arg);
    return NULL;
}

void test_in_process_stop_begin(struct test_in_process *world)
{
    assert_int_equal(pthread_create(&world->thread, NULL, stop, world->server), 0);
    world->stopping = true;
}

void test_in_process_stop_wait(struct test_in_process *world)
{
    if (world->stopping)
        pthread_join(world->thread, NULL);
    world->stopping = false;
}

void test_in_process_free(struct test_in_process *world)
{
    test_in_process_stop_wait(world);
    weft_server_free(world->server);
    free(world);
}
