/* SPDX-License-Identifier: Apache-2.0 */
/* Starting, watching and ending processes for tests. */
#include "lib/server_process.h"

#include "lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000, LINE_SIZE = 512, FOLDERS_OPEN = 16, READ_SIZE = 4096 };

static struct test_server *servers;

/* ---- Small things ---- */

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info;
    (void)kind;
    (void)at;
    return remove(path);
}

static void remove_folder(const char *path)
{
    if (nftw(path, remove_entry, FOLDERS_OPEN, FTW_DEPTH | FTW_PHYS) && errno != ENOENT)
        print_error("cannot remove %s: %s\n", path, strerror(errno));
}

/* Waits for |pid| until |end_ms|. False when it still runs. */
static bool wait_until(pid_t pid, int64_t end_ms, int *ret_status)
{
    const struct timespec step = {.tv_nsec = 2000000};
    for (;;) {
        pid_t got = waitpid(pid, ret_status, WNOHANG);
        if (got == pid)
            return true;
        assert_int_equal(got, 0);
        if (now_ms() > end_ms)
            return false;
        nanosleep(&step, NULL);
    }
}

/* In the child: becomes |argv| with the given descriptors, and dies with the test program. */
static void become(const char *const *argv, pid_t parent, int in, int out, int err)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
        (err >= 0 && dup2(err, STDERR_FILENO) < 0))
        _exit(127);
    execv(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

static pid_t spawn(const char *const *argv, int out, int err)
{
    int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(in >= 0);
    fflush(NULL);
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0)
        become(argv, parent, in, out, err);
    assert_true(pid > 0);
    close(in);
    return pid;
}

/* ---- The server ---- */

static void forget(struct test_server *server)
{
    struct test_server **at = &servers;
    while (*at && *at != server)
        at = &(*at)->next;
    if (*at)
        *at = server->next;
}

static void clean_up(void)
{
    while (servers) {
        struct test_server *server = servers;
        servers = server->next;
        if (server->pid) {
            kill(server->pid, SIGKILL);
            waitpid(server->pid, NULL, 0);
        }
        remove_folder(server->folder);
        free(server);
    }
}

/* Reads one line, without its newline, until |end_ms|. */
static bool read_line(int fd, int64_t end_ms, char line[LINE_SIZE])
{
    for (size_t len = 0; len < LINE_SIZE - 1;) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        int64_t left = end_ms - now_ms();
        if (left <= 0 || poll(&wait, 1, (int)left) <= 0 || read(fd, line + len, 1) != 1)
            return false;
        if (line[len] == '\n') {
            line[len] = '\0';
            return true;
        }
        len++;
    }
    return false;
}

static bool read_start_line(struct test_server *server, char line[LINE_SIZE])
{
    char scheme[6];
    bool found =
        read_line(server->output, now_ms() + PATIENCE_MS, line) &&
        sscanf(line, "weft dev: listening on %5[htps]://127.0.0.1:%5u (loop %15[a-z], %3u worker",
               scheme, &server->port, server->loop, &server->workers) == 4;
    server->secure = found && strcmp(scheme, "https") == 0;
    return found;
}

void test_server_start(struct test_server *server)
{
    char listen[32];
    char data[80];
    char line[LINE_SIZE] = "";
    int ends[2];
    const char *binary = test_binary();
    assert_non_null(binary);
    assert_int_equal(server->pid, 0);
    snprintf(listen, sizeof(listen), "127.0.0.1:%u", server->port);
    snprintf(data, sizeof(data), "%s/data", server->folder);
    const char *argv[10 + TEST_SERVER_ARGS_MAX] = {binary,   "dev", "--listen", listen,
                                                   "--data", data,  "--loop",   test_loop()};
    for (size_t i = 0; server->args[i]; i++)
        argv[8 + i] = server->args[i];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    server->pid = spawn(argv, ends[1], -1);
    server->output = ends[0];
    close(ends[1]);
    if (!read_start_line(server, line)) {
        print_error("the server did not start; it said: %s\n", line);
        test_server_kill(server);
        fail();
    }
    const char *s = server->secure ? "s" : "";
    snprintf(server->url, sizeof(server->url), "ws%s://127.0.0.1:%u/ws", s, server->port);
    snprintf(server->origin, sizeof(server->origin), "http%s://127.0.0.1:%u", s, server->port);
}

struct test_server *test_server_new(const char *const *args)
{
    static bool registered;
    if (!registered)
        atexit(clean_up);
    registered = true;
    struct test_server *server = calloc(1, sizeof(*server));
    assert_non_null(server);
    snprintf(server->folder, sizeof(server->folder), "/tmp/weft-test-XXXXXX");
    assert_non_null(mkdtemp(server->folder));
    server->next = servers;
    servers = server;
    for (size_t i = 0; args && args[i]; i++) {
        assert_true(i < TEST_SERVER_ARGS_MAX);
        server->args[i] = args[i];
    }
    test_server_start(server);
    return server;
}

static void gone(struct test_server *server)
{
    server->pid = 0;
    close(server->output);
}

void test_server_kill(struct test_server *server)
{
    int status;
    if (!server->pid)
        return;
    kill(server->pid, SIGKILL);
    assert_int_equal(waitpid(server->pid, &status, 0), server->pid);
    gone(server);
}

void test_server_stop(struct test_server *server)
{
    int status = 0;
    if (!server->pid)
        return;
    kill(server->pid, SIGTERM);
    if (!wait_until(server->pid, now_ms() + PATIENCE_MS, &status)) {
        print_error("the server did not stop within %d ms\n", PATIENCE_MS);
        test_server_kill(server);
        fail();
    }
    gone(server);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        print_error("the server ended with wait status %#x\n", (unsigned)status);
        fail();
    }
}

void test_server_free(struct test_server *server)
{
    if (!server)
        return;
    test_server_stop(server);
    forget(server);
    remove_folder(server->folder);
    free(server);
}

/* ---- Programs that end ---- */

struct output {
    int fd; /* -1: its end was seen */
    char *text;
    size_t len;
};

static void read_some(struct output *output)
{
    output->text = realloc(output->text, output->len + READ_SIZE + 1);
    assert_non_null(output->text);
    ssize_t got = read(output->fd, output->text + output->len, READ_SIZE);
    assert_true(got >= 0);
    output->len += (size_t)got;
    output->text[output->len] = '\0';
    if (got == 0) {
        close(output->fd);
        output->fd = -1;
    }
}

/* Reads both to their ends. False when that takes too long. */
static bool read_all(struct output outputs[2], int64_t end_ms)
{
    while (outputs[0].fd >= 0 || outputs[1].fd >= 0) {
        struct pollfd wait[2] = {{.fd = outputs[0].fd, .events = POLLIN},
                                 {.fd = outputs[1].fd, .events = POLLIN}};
        int64_t left = end_ms - now_ms();
        if (left <= 0 || poll(wait, 2, (int)left) <= 0)
            return false;
        for (int i = 0; i < 2; i++)
            if (outputs[i].fd >= 0 && wait[i].revents)
                read_some(&outputs[i]);
    }
    return true;
}

int test_run_program(const char *const *argv, char **ret_out, char **ret_err)
{
    int out[2];
    int err[2];
    int status = 0;
    int64_t end_ms = now_ms() + PATIENCE_MS;
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(err, O_CLOEXEC), 0);
    pid_t pid = spawn(argv, out[1], err[1]);
    close(out[1]);
    close(err[1]);
    struct output outputs[2] = {{.fd = out[0]}, {.fd = err[0]}};
    bool ended = read_all(outputs, end_ms) && wait_until(pid, end_ms, &status);
    if (!ended) {
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        print_error("%s %s did not end within %d ms\n", argv[0], argv[1] ? argv[1] : "",
                    PATIENCE_MS);
        fail();
    }
    if (ret_out)
        *ret_out = outputs[0].text;
    else
        free(outputs[0].text);
    if (ret_err)
        *ret_err = outputs[1].text;
    else
        free(outputs[1].text);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

struct test_server *group_server;

int test_server_group_start(void **state)
{
    (void)state;
    group_server = test_server_new(NULL);
    return 0;
}

int test_server_group_stop(void **state)
{
    (void)state;
    test_server_free(group_server);
    return 0;
}
