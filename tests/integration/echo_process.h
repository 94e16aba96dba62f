/* SPDX-License-Identifier: Apache-2.0 */
/* `weft echo` as a process: starting it, reading what it prints, waiting for its end. */
#ifndef WEFT_TESTS_INTEGRATION_ECHO_PROCESS_H
#define WEFT_TESTS_INTEGRATION_ECHO_PROCESS_H

#include "integration/io_support.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct process {
    pid_t pid;
    int out; /* its standard output */
};

/* Starts `weft echo ARGS…` (at most 8, ended by NULL). */
static inline struct process run_echo(const char *const *args)
{
    const char *binary = test_binary();
    assert_non_null(binary);
    char *argv[12] = {(char *)(uintptr_t)binary, (char *)(uintptr_t) "echo"};
    for (int i = 0; args[i]; i++)
        argv[i + 2] = (char *)(uintptr_t)args[i];
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    posix_spawn_file_actions_t actions;
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO), 0);
    assert_int_equal(posix_spawn_file_actions_addclose(&actions, fds[0]), 0);
    assert_int_equal(posix_spawn_file_actions_addclose(&actions, fds[1]), 0);
    struct process process = {.out = fds[0]};
    assert_int_equal(posix_spawn(&process.pid, binary, &actions, NULL, argv, environ), 0);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(fds[1]);
    return process;
}

static inline int wait_exit(struct process *process)
{
    int status = 0;
    assert_int_equal(waitpid(process->pid, &status, 0), process->pid);
    (void)close(process->out);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static inline void read_line(int fd, char *line, size_t cap)
{
    size_t len = 0;
    while (len + 1 < cap && read(fd, line + len, 1) == 1 && line[len] != '\n')
        len++;
    line[len] = '\0';
}

static inline const char *loop_name(void **state)
{
    return io_backend(state) == WEFT_LOOP_URING ? "uring" : "epoll";
}

/* Starts a server with |args| behind the usual ones (at most 3, ended by NULL); gives its port. */
static inline struct process run_echo_server(void **state, const char *const *args,
                                             unsigned *ret_port)
{
    static const char prefix[] = "weft echo: listening on ws://127.0.0.1:";
    const char *all[8] = {"--listen", "127.0.0.1:0", "--loop", loop_name(state)};
    char line[256];
    for (size_t i = 0; args[i]; i++)
        all[4 + i] = args[i];
    struct process server = run_echo(all);
    read_line(server.out, line, sizeof(line));
    assert_memory_equal(line, prefix, sizeof(prefix) - 1);
    *ret_port = (unsigned)strtoul(line + sizeof(prefix) - 1, NULL, 10);
    assert_in_range(*ret_port, 1, 65535);
    return server;
}

#endif
