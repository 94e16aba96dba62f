/* SPDX-License-Identifier: Apache-2.0 */
/* A server that knows its users from a file, and the commands that sign in to it. */
#include "lib/server_process.h"
#include "lib/test.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

/* SHA-256 of "test" and of "other". */
#define TEST "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
#define OTHER "d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa"

static char path[] = "/tmp/weft-tokens-XXXXXX";
static const char *const args[] = {"--tokens", path, NULL};
static struct test_server *server;

static void put(const char *text)
{
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
}

static int setup(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    put(TEST " ann\n");
    server = test_server_new(args);
    return server ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    test_server_free(server);
    int err = unlink(path);
    memcpy(path + sizeof(path) - 7, "XXXXXX", 6);
    return err;
}

/* `weft call sum [1,2] --token TOKEN`; its exit status. |part| is somewhere in what it wrote. */
static int call(const char *token, const char *part)
{
    const char *argv[] = {
        test_binary(), "call", "sum", "[1,2]", "--url", server->url, token ? "--token" : NULL,
        token,         NULL};
    char *out, *err;
    int status = test_run_program(argv, &out, &err);
    if (!strstr(out, part) && !strstr(err, part))
        fail_msg("no \"%s\" in: %s%s", part, out, err);
    free(out);
    free(err);
    return status;
}

static void commands_sign_in_with_a_token(void **state)
{
    char file[] = "/tmp/weft-token-XXXXXX";
    char word[40];
    (void)state;
    assert_int_equal(call(NULL, "sign in first"), 1);
    assert_int_equal(call("nobody", "this token is not accepted"), 1);
    assert_int_equal(call("test", "3\n"), 0);
    int fd = mkstemp(file);
    assert_int_equal(write(fd, "test\nx\n", 7), 7);
    assert_int_equal(close(fd), 0);
    snprintf(word, sizeof(word), "@%s", file);
    assert_int_equal(call(word, "3\n"), 0);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(call(word, "no token in"), 2);
}

static void tokens_are_read_again_on_sighup(void **state)
{
    const struct timespec pause = {.tv_nsec = 20000000};
    (void)state;
    put(OTHER " bob\n");
    assert_int_equal(kill(server->pid, SIGHUP), 0);
    for (int i = 0; i < 200; i++) {
        char *out, *err;
        const char *argv[] = {test_binary(), "call",    "sum",   "[1]", "--url",
                              server->url,   "--token", "other", NULL};
        int status = test_run_program(argv, &out, &err);
        free(out);
        free(err);
        if (status == 0)
            break;
        nanosleep(&pause, NULL);
    }
    assert_int_equal(call("other", "3\n"), 0);
    assert_int_equal(call("test", "this token is not accepted"), 1);
    put("wrong\n");
    assert_int_equal(kill(server->pid, SIGHUP), 0);
    assert_int_equal(call("other", "3\n"), 0);
}

static void file_that_is_wrong_stops_the_start(void **state)
{
    const char *argv[] = {test_binary(), "serve", "--data", ":memory:", "--tokens", path, NULL};
    char *err;
    (void)state;
    put("wrong\n");
    assert_int_equal(test_run_program(argv, NULL, &err), 1);
    assert_non_null(strstr(err, ":1: a line begins with 64 hexadecimal digits"));
    free(err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(commands_sign_in_with_a_token, setup, teardown),
        cmocka_unit_test_setup_teardown(tokens_are_read_again_on_sighup, setup, teardown),
        cmocka_unit_test_setup_teardown(file_that_is_wrong_stops_the_start, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
