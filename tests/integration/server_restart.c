/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes that end, begin, and take over from one another: nobody who connects meanwhile is
 * refused. Sockets and notifications of a service manager; Unix sockets.
 */
#include "lib/server_process.h"
#include "lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000, TEXT_SIZE = 512, ARGS_MAX = 24 };

/* A `weft serve` or `weft dev`. */
struct process {
    pid_t pid;
    int output; /* what it says, both streams */
    char said[8192];
    size_t len;
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void sleep_ms(long ms)
{
    const struct timespec step = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    nanosleep(&step, NULL);
}

/* Starts weft with |args|; |socket| ≥ 0 is handed over as a service manager does. */
static void spawn(struct process *process, int socket, const char *const *args)
{
    const char *argv[ARGS_MAX] = {test_binary()};
    int ends[2];
    for (int i = 0; args[i]; i++)
        argv[i + 1] = args[i];
    *process = (struct process){0};
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fflush(NULL);
    pid_t parent = getpid();
    process->pid = fork();
    if (process->pid == 0) {
        char pid[16];
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        snprintf(pid, sizeof(pid), "%d", (int)getpid());
        bool ok = getppid() == parent && dup2(ends[1], 1) >= 0 && dup2(ends[1], 2) >= 0;
        if (socket >= 0) {
            /* A descriptor duplicated onto itself would stay close-on-exec. */
            int away = fcntl(socket, F_DUPFD, 10);
            ok = ok && dup2(away, 3) == 3 && !setenv("LISTEN_PID", pid, 1) &&
                 !setenv("LISTEN_FDS", "1", 1) && !close(away);
        }
        if (ok)
            execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    assert_true(process->pid > 0);
    close(ends[1]);
    process->output = ends[0];
}

/* Waits until it has said |text|. */
static const char *wait_said(struct process *process, const char *text)
{
    int64_t end_ms = now_ms() + PATIENCE_MS;
    const char *found;
    while (!(found = strstr(process->said, text))) {
        struct pollfd wait = {.fd = process->output, .events = POLLIN};
        int64_t left = end_ms - now_ms();
        ssize_t got = 0;
        if (left > 0 && poll(&wait, 1, (int)left) > 0)
            got = read(process->output, process->said + process->len,
                       sizeof(process->said) - 1 - process->len);
        if (got <= 0)
            fail_msg("process %d did not say \"%s\" but: %s", (int)process->pid, text,
                     process->said);
        process->len += (size_t)got;
        process->said[process->len] = '\0';
    }
    return found;
}

/* Waits for its end. Returns the exit status, or 128 + the signal. */
static int wait_end(struct process *process)
{
    int64_t end_ms = now_ms() + PATIENCE_MS;
    int status = 0;
    while (waitpid(process->pid, &status, WNOHANG) != process->pid) {
        if (now_ms() > end_ms) {
            kill(process->pid, SIGKILL);
            waitpid(process->pid, &status, 0);
            fail_msg("process %d did not end; it said: %s", (int)process->pid, process->said);
        }
        sleep_ms(2);
    }
    close(process->output);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int end_with(struct process *process, int signal)
{
    kill(process->pid, signal);
    return wait_end(process);
}

/* ---- A data folder for each test ---- */

struct place {
    char folder[64];
    char data[96];
    unsigned port;
    char url[64];
};

static void place_init(struct place *place)
{
    *place = (struct place){0};
    snprintf(place->folder, sizeof(place->folder), "/tmp/weft-restart-XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    snprintf(place->data, sizeof(place->data), "%s/data", place->folder);
}

static void place_done(const struct place *place)
{
    const char *argv[] = {"/bin/rm", "-rf", place->folder, NULL};
    assert_int_equal(test_run_program(argv, NULL, NULL), 0);
}

/* Reads the port from the start line. */
static void wait_listening(struct process *process, struct place *place)
{
    const char *line = wait_said(process, "listening on http://127.0.0.1:");
    (void)wait_said(process, "worker");
    place->port = (unsigned)strtoul(strstr(line, "127.0.0.1:") + 10, NULL, 10);
    snprintf(place->url, sizeof(place->url), "ws://127.0.0.1:%u/ws", place->port);
}

static void start(struct process *process, const struct place *place, const char *workers,
                  bool takeover)
{
    char listen[32];
    snprintf(listen, sizeof(listen), "127.0.0.1:%u", place->port);
    const char *args[] = {
        "dev",    "--listen",  listen,      "--data", place->data,
        "--loop", test_loop(), "--workers", workers,  takeover ? "--takeover" : NULL,
        NULL};
    spawn(process, -1, args);
}

/* ---- Somebody who connects all the time ---- */

struct visitor {
    pthread_t thread;
    unsigned port;
    atomic_bool stop;
    atomic_uint served;
    unsigned refused;
    unsigned unanswered;
    int sys; /* of the first refusal */
};

static bool visit(struct visitor *visitor)
{
    static const char request[] =
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)visitor->port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    char answer[TEXT_SIZE];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
        visitor->refused++;
        visitor->sys = visitor->sys ? visitor->sys : errno;
        close(fd);
        return false;
    }
    bool ok = send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) > 0 &&
              recv(fd, answer, sizeof(answer), 0) > 12 && memcmp(answer, "HTTP/1.1 200", 12) == 0;
    visitor->unanswered += !ok;
    close(fd);
    return ok;
}

static void *visit_again_and_again(void *arg)
{
    struct visitor *visitor = arg;
    while (!atomic_load(&visitor->stop)) {
        if (visit(visitor))
            atomic_fetch_add(&visitor->served, 1);
        sleep_ms(1);
    }
    return NULL;
}

static void visitor_start(struct visitor *visitor, unsigned port)
{
    *visitor = (struct visitor){.port = port};
    assert_int_equal(pthread_create(&visitor->thread, NULL, visit_again_and_again, visitor), 0);
}

/* Waits until |count| more visits were served. */
static void visitor_wait(struct visitor *visitor, unsigned count)
{
    unsigned want = atomic_load(&visitor->served) + count;
    int64_t end_ms = now_ms() + PATIENCE_MS;
    while (atomic_load(&visitor->served) < want) {
        assert_true(now_ms() < end_ms);
        sleep_ms(2);
    }
}

static void visitor_end(struct visitor *visitor)
{
    atomic_store(&visitor->stop, true);
    pthread_join(visitor->thread, NULL);
    if (visitor->refused || visitor->unanswered)
        fail_msg("%u visits were refused (%s), %u were not answered", visitor->refused,
                 strerror(visitor->sys), visitor->unanswered);
}

/* ---- Takeover ---- */

static void nobody_is_refused_while_processes_take_over(void **state)
{
    (void)state;
    static const char *const workers[] = {"1", "3", "2", "4"};
    struct place place;
    struct process processes[4];
    struct visitor visitor;
    place_init(&place);
    /* With nobody to take over from it is an ordinary start. */
    start(&processes[0], &place, workers[0], true);
    wait_listening(&processes[0], &place);
    struct test_ws *ws = test_ws_connect_greeted(place.url);
    assert_non_null(test_ws_result(ws, "doc.open", "{\"doc\":\"d\",\"create\":true}"));
    test_ws_close(ws);
    visitor_start(&visitor, place.port);
    for (int i = 1; i < 4; i++) {
        visitor_wait(&visitor, 20);
        start(&processes[i], &place, workers[i], true);
        (void)wait_said(&processes[i], "listening on http://127.0.0.1:");
        assert_int_equal(wait_end(&processes[i - 1]), 0);
        visitor_wait(&visitor, 20);
    }
    ws = test_ws_connect_greeted(place.url);
    assert_non_null(test_ws_result(ws, "doc.open", "{\"doc\":\"d\"}"));
    test_ws_close(ws);
    visitor_end(&visitor);
    assert_int_equal(end_with(&processes[3], SIGTERM), 0);
    place_done(&place);
}

/* Connects to the control socket as a successor would. */
static int knock(const struct place *place)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    int len = snprintf(address.sun_path, sizeof(address.sun_path), "%s/control.sock", place->data);
    assert_in_range(len, 1, sizeof(address.sun_path) - 1);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* Waits for the sockets; they are dropped. */
static void take_offer(int fd)
{
    char offer[64];
    assert_true(recv(fd, offer, sizeof(offer), 0) >= 12);
    assert_memory_equal(offer, "weft", 4);
}

static void a_successor_that_is_lost_changes_nothing(void **state)
{
    (void)state;
    struct place place;
    struct process process;
    struct visitor visitor;
    place_init(&place);
    start(&process, &place, "2", false);
    wait_listening(&process, &place);
    visitor_start(&visitor, place.port);
    int fd = knock(&place); /* goes away before it says that it wants to */
    take_offer(fd);
    close(fd);
    visitor_wait(&visitor, 20);
    fd = knock(&place); /* and after it has made us end */
    take_offer(fd);
    assert_int_equal(send(fd, "G", 1, MSG_NOSIGNAL), 1);
    (void)wait_said(&process, "handing over");
    close(fd);
    (void)wait_said(&process, "serving again");
    visitor_wait(&visitor, 20);
    fd = knock(&place); /* who talks nonsense is not a successor */
    take_offer(fd);
    assert_int_equal(send(fd, "?", 1, MSG_NOSIGNAL), 1);
    visitor_wait(&visitor, 20);
    close(fd);
    struct process next; /* the control socket is there again */
    start(&next, &place, "2", true);
    (void)wait_said(&next, "listening on");
    assert_int_equal(wait_end(&process), 0);
    visitor_wait(&visitor, 20);
    visitor_end(&visitor);
    assert_int_equal(end_with(&next, SIGTERM), 0);
    place_done(&place);
}

static void a_successor_killed_while_it_waits_is_replaced_by_the_old_process(void **state)
{
    (void)state;
    struct place place;
    struct process process;
    struct process next;
    place_init(&place);
    start(&process, &place, "1", false);
    wait_listening(&process, &place);
    struct test_ws *ws = test_ws_connect_greeted(place.url);
    test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"demo.sleep\",\"params\":[800]}");
    assert_non_null(test_ws_result(ws, "get_data", NULL));
    start(&next, &place, "1", true);
    (void)wait_said(&process, "handing over"); /* the call holds it up */
    assert_int_equal(end_with(&next, SIGKILL), 128 + SIGKILL);
    (void)wait_said(&process, "serving again");
    assert_int_equal(test_ws_wait_closed(ws, PATIENCE_MS), 1001);
    test_ws_close(ws);
    ws = test_ws_connect_greeted(place.url);
    assert_non_null(test_ws_result(ws, "get_data", NULL));
    test_ws_close(ws);
    assert_int_equal(end_with(&process, SIGTERM), 0);
    place_done(&place);
}

static void a_process_killed_while_it_drains_is_taken_over_all_the_same(void **state)
{
    (void)state;
    struct place place;
    struct process process;
    struct process next;
    place_init(&place);
    start(&process, &place, "2", false);
    wait_listening(&process, &place);
    struct test_ws *ws = test_ws_connect_greeted(place.url);
    test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"demo.sleep\",\"params\":[9000]}");
    assert_non_null(test_ws_result(ws, "get_data", NULL));
    start(&next, &place, "2", true);
    (void)wait_said(&process, "handing over");
    assert_int_equal(end_with(&process, SIGKILL), 128 + SIGKILL);
    test_ws_cut(ws);
    (void)wait_said(&next, "listening on");
    ws = test_ws_connect_greeted(place.url);
    assert_non_null(test_ws_result(ws, "get_data", NULL));
    test_ws_close(ws);
    assert_int_equal(end_with(&next, SIGTERM), 0);
    place_done(&place);
}

static void a_second_signal_ends_at_once(void **state)
{
    (void)state;
    struct place place;
    struct process process;
    place_init(&place);
    start(&process, &place, "1", false);
    wait_listening(&process, &place);
    struct test_ws *ws = test_ws_connect_greeted(place.url);
    test_ws_send(ws, "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"demo.sleep\",\"params\":[9000]}");
    assert_non_null(test_ws_result(ws, "get_data", NULL));
    int64_t begin = now_ms();
    kill(process.pid, SIGTERM);
    (void)wait_said(&process, "stopping");
    assert_int_equal(end_with(&process, SIGINT), 1);
    assert_in_range(now_ms() - begin, 0, 4000);
    test_ws_cut(ws);
    place_done(&place);
}

/* ---- Service manager ---- */

static int listen_on(uint32_t host, unsigned *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(host)}};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(fd, 64), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

/* A socket for notifications at |name| (a path, or '@' and an abstract name), which is put into the
 * environment. */
static int listen_for_notes(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(name);
    const struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    memcpy(address.sun_path, name, len);
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    assert_int_equal(bind(fd, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
                     0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
    return fd;
}

/* Waits for a note with |text|. */
static void expect_note(int notes, const char *text)
{
    for (;;) {
        char note[TEXT_SIZE] = "";
        if (recv(notes, note, sizeof(note) - 1, 0) <= 0)
            fail_msg("no note with %s", text);
        if (strstr(note, text))
            return;
    }
}

static void check_service(const char *notes_name, struct place *place)
{
    struct process process;
    struct visitor visitor;
    int notes = listen_for_notes(notes_name);
    int fd = listen_on(INADDR_LOOPBACK, &place->port);
    const char *args[] = {"dev",    "--data",    ":memory:",  "--listen", "127.0.0.1:1",
                          "--loop", test_loop(), "--workers", "3",        NULL};
    setenv("WATCHDOG_USEC", "200000", 1);
    spawn(&process, fd, args);
    unsetenv("WATCHDOG_USEC");
    unsetenv("NOTIFY_SOCKET");
    unsigned port = place->port;
    wait_listening(&process, place);
    assert_int_equal(place->port, port);
    expect_note(notes, "READY=1\nSTATUS=listening on 127.0.0.1:");
    expect_note(notes, "WATCHDOG=1");
    expect_note(notes, "WATCHDOG=1");
    visitor_start(&visitor, place->port);
    visitor_wait(&visitor, 60);
    visitor_end(&visitor);
    kill(process.pid, SIGHUP);
    expect_note(notes, "RELOADING=1\nMONOTONIC_USEC=");
    expect_note(notes, "READY=1");
    kill(process.pid, SIGTERM);
    expect_note(notes, "STOPPING=1");
    assert_int_equal(wait_end(&process), 0);
    close(notes);
    close(fd);
}

static void sockets_and_notifications_of_a_service_manager_are_used(void **state)
{
    (void)state;
    struct place place;
    char name[96];
    place_init(&place);
    snprintf(name, sizeof(name), "%s/notify", place.folder);
    check_service(name, &place);
    snprintf(name, sizeof(name), "@weft-test-%d", (int)getpid());
    check_service(name, &place);
    place_done(&place);
}

static void a_socket_kept_by_the_manager_loses_nobody_over_a_restart(void **state)
{
    (void)state;
    struct place place;
    struct process process;
    struct visitor visitor;
    place_init(&place);
    int fd = listen_on(INADDR_LOOPBACK, &place.port);
    const char *args[] = {"serve",     "--data",    place.data, "--loop",
                          test_loop(), "--workers", "2",        NULL};
    visitor_start(&visitor, place.port); /* waits in the queue until somebody accepts */
    for (int i = 0; i < 3; i++) {
        spawn(&process, fd, args);
        visitor_wait(&visitor, 20);
        assert_int_equal(end_with(&process, SIGTERM), 0);
    }
    spawn(&process, fd, args);
    visitor_wait(&visitor, 20);
    visitor_end(&visitor);
    assert_int_equal(end_with(&process, SIGTERM), 0);
    close(fd);
    place_done(&place);
}

static void a_socket_handed_over_that_others_reach_has_to_be_allowed(void **state)
{
    (void)state;
    unsigned port;
    struct process process;
    int fd = listen_on(INADDR_ANY, &port);
    const char *args[] = {"serve", "--data", ":memory:", NULL};
    spawn(&process, fd, args);
    (void)wait_said(&process, "can be reached from other machines");
    assert_int_equal(wait_end(&process), 1);
    close(fd);
}

/* ---- Unix sockets ---- */

static bool visit_unix(const char *path)
{
    static const char request[] =
        "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char answer[TEXT_SIZE];
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    bool ok = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
              send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) > 0 &&
              recv(fd, answer, sizeof(answer), 0) > 12 && memcmp(answer, "HTTP/1.1 200", 12) == 0;
    close(fd);
    return ok;
}

static void a_unix_socket_is_private_and_replaced_when_nobody_listens(void **state)
{
    (void)state;
    struct place place;
    struct process process;
    struct process other;
    struct stat info;
    char listen[128];
    place_init(&place);
    snprintf(listen, sizeof(listen), "unix:%s/weft.sock", place.folder);
    const char *path = listen + 5;
    const char *args[] = {"serve",  "--listen",  listen,      "--data", ":memory:",
                          "--loop", test_loop(), "--workers", "3",      NULL};
    spawn(&process, -1, args);
    (void)wait_said(&process, "listening on unix:/tmp/");
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    for (int i = 0; i < 12; i++)
        assert_true(visit_unix(path));
    char url[160];
    char *answer;
    snprintf(url, sizeof(url), "ws+unix:%s", path);
    const char *call[] = {test_binary(),     "call", "--url", url, "doc.fetch",
                          "{\"doc\":\"x\"}", NULL};
    assert_int_equal(test_run_program(call, NULL, &answer), 1); /* there is no such document */
    assert_non_null(strstr(answer, "not_found"));
    free(answer);
    spawn(&other, -1, args); /* somebody listens */
    (void)wait_said(&other, "cannot listen on unix:");
    assert_int_equal(wait_end(&other), 1);
    assert_true(visit_unix(path));
    assert_int_equal(end_with(&process, SIGKILL), 128 + SIGKILL);
    spawn(&process, -1, args); /* nobody does, but the file is there */
    (void)wait_said(&process, "listening on unix:/tmp/");
    assert_true(visit_unix(path));
    assert_int_equal(end_with(&process, SIGTERM), 0);
    assert_int_equal(stat(path, &info), -1);
    place_done(&place);
}

static void a_unix_socket_is_taken_over_with_its_file(void **state)
{
    (void)state;
    struct place place;
    struct process process;
    struct process next;
    struct stat info;
    char listen[128];
    place_init(&place);
    snprintf(listen, sizeof(listen), "unix:%s/weft.sock", place.folder);
    const char *path = listen + 5;
    const char *args[] = {"serve",    "--takeover", "--listen",  listen, "--data",
                          place.data, "--loop",     test_loop(), NULL};
    spawn(&process, -1, args);
    (void)wait_said(&process, "listening on unix:/tmp/");
    spawn(&next, -1, args);
    (void)wait_said(&next, "listening on unix:/tmp/");
    assert_int_equal(wait_end(&process), 0);
    assert_true(visit_unix(path));
    assert_int_equal(end_with(&next, SIGTERM), 0);
    assert_int_equal(stat(path, &info), -1);
    place_done(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_is_refused_while_processes_take_over),
        cmocka_unit_test(a_successor_that_is_lost_changes_nothing),
        cmocka_unit_test(a_successor_killed_while_it_waits_is_replaced_by_the_old_process),
        cmocka_unit_test(a_process_killed_while_it_drains_is_taken_over_all_the_same),
        cmocka_unit_test(a_second_signal_ends_at_once),
        cmocka_unit_test(sockets_and_notifications_of_a_service_manager_are_used),
        cmocka_unit_test(a_socket_kept_by_the_manager_loses_nobody_over_a_restart),
        cmocka_unit_test(a_socket_handed_over_that_others_reach_has_to_be_allowed),
        cmocka_unit_test(a_unix_socket_is_private_and_replaced_when_nobody_listens),
        cmocka_unit_test(a_unix_socket_is_taken_over_with_its_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
