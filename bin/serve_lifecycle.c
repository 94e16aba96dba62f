/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting, watching and ending a server. The main thread does nothing but wait here, so signals
 * are descriptors in its poll set; the drain, which blocks, has a thread of its own.
 */
#include "serve_lifecycle.h"

#include "base/timer.h"
#include "io/address.h"
#include "io/clock.h"
#include "systemd.h"
#include "takeover.h"
#include "token_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

enum { MESSAGE_SIZE = 512, NOTE_SIZE = 256, LOCK_MS = 5000, LOCK_STEP_MS = 20 };

struct life {
    const struct serve_lifecycle *lifecycle;
    struct weft_server_options options; /* with the sockets handed over */
    struct weft_server *server;
    int fds[TAKEOVER_FDS_MAX];
    int signals;  /* signalfd */
    int finished; /* eventfd: the stopping thread is done */
    int control;  /* where a successor knocks; -1: nowhere */
    int heir;     /* the successor that has our sockets; -1: none */
    pid_t heir_pid;
    int elder;      /* the process that we take over from; -1: none */
    bool took_over; /* the file of a Unix socket is ours to remove */
    bool handed_over;
};

_Static_assert((int)SYSTEMD_FDS_MAX <= (int)TAKEOVER_FDS_MAX, "room for both kinds");

/* Why a server ends. */
enum end { END_SIGNAL, END_HEIR };

/* ---- Small things ---- */

bool serve_is_local(const char *text)
{
    struct weft_address address;
    return weft__address_parse(text, &address) || weft__address_is_loopback(&address);
}

/* One descriptor a connection: as many as the system lets us have. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Blocks our signals in every thread to come and makes them readable. */
static int open_signals(struct life *life)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    life->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    life->finished = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return life->signals >= 0 && life->finished >= 0 ? 0 : -1;
}

/* The next signal that came, or 0. */
static int take_signal(const struct life *life)
{
    struct signalfd_siginfo info;
    return read(life->signals, &info, sizeof(info)) == sizeof(info) ? (int)info.ssi_signo : 0;
}

static int fail(const struct life *life, const char *message)
{
    fprintf(stderr, "weft %s: %s\n", life->lifecycle->command, message);
    return EXIT_FAILURE;
}

/* ---- Sockets that were handed over ---- */

/* Nobody who is not on this machine gets in without signing in. */
static int check_sockets(const struct life *life, char *ret_message)
{
    for (size_t i = 0; i < life->options.operations.listen_fd_count; i++) {
        struct weft_address address = {0};
        char text[WEFT_ADDRESS_TEXT_SIZE];
        socklen_t len = sizeof(address);
        if (getsockname(life->fds[i], &address.u.any, &len)) {
            snprintf(ret_message, MESSAGE_SIZE, "a socket handed over has no address");
            return -1;
        }
        if (life->lifecycle->open_to_others || weft__address_is_loopback(&address))
            continue;
        weft__address_format(&address, text);
        snprintf(ret_message, MESSAGE_SIZE,
                 "the socket handed over for %s can be reached from other machines, and there is "
                 "no authentication: name --tokens, or say --insecure-no-auth",
                 text);
        return -1;
    }
    return 0;
}

static void use_sockets(struct life *life, size_t count)
{
    life->options.operations.listen_fds = life->fds;
    life->options.operations.listen_fd_count = count;
}

/* Asks the process that serves our data folder for its sockets. */
static int take_over(struct life *life, char *ret_message)
{
    size_t count = 0;
    pid_t pid = 0;
    const char *folder = life->options.data_folder;
    if (!life->lifecycle->takeover)
        return 0;
    if (!folder) {
        snprintf(ret_message, MESSAGE_SIZE, "documents in memory cannot be taken over");
        return -1;
    }
    life->elder = takeover_ask(folder, life->fds, &count, &pid, ret_message, MESSAGE_SIZE);
    if (life->elder == -2)
        return -1;
    if (life->elder < 0)
        return 0;
    use_sockets(life, count);
    life->took_over = true;
    printf("weft %s: taking over from process %d\n", life->lifecycle->command, (int)pid);
    fflush(stdout);
    return 0;
}

static int take_sockets(struct life *life, char *ret_message)
{
    int count = systemd_listen_fds(life->fds, ret_message, MESSAGE_SIZE);
    if (count < 0)
        return -1;
    if (count)
        use_sockets(life, (size_t)count);
    else if (take_over(life, ret_message))
        return -1;
    return check_sockets(life, ret_message);
}

/* Waits until |connection| says something. False when a signal wants the end. */
static bool wait_for_word(const struct life *life, int connection, enum takeover_word *ret_word)
{
    struct pollfd wait[2] = {{.fd = connection, .events = POLLIN},
                             {.fd = life->signals, .events = POLLIN}};
    for (;;) {
        int ready = poll(wait, 2, -1);
        int number = ready > 0 && wait[1].revents ? take_signal(life) : 0;
        if (number == SIGTERM || number == SIGINT)
            return false;
        if (ready > 0 && wait[0].revents) {
            *ret_word = takeover_hear(connection);
            return true;
        }
    }
}

/* The elder drains and lets go of the data folder. One that is lost has let go, too. */
static bool wait_for_elder(struct life *life)
{
    enum takeover_word word;
    if (life->elder < 0)
        return true;
    takeover_say(life->elder, TAKEOVER_GO);
    return wait_for_word(life, life->elder, &word);
}

/* ---- Start ---- */

static int start_once(struct life *life, char *ret_message)
{
    int err = weft_server_new(&life->options, &life->server, ret_message, MESSAGE_SIZE);
    if (err)
        return err;
    err = weft_server_start(life->server);
    if (err)
        snprintf(ret_message, MESSAGE_SIZE, "cannot listen on %s: %s",
                 life->options.operations.listen_fd_count ? "the sockets handed over"
                                                          : life->options.listen,
                 weft_err_message(err));
    return err;
}

/* Where sockets went from process to process, the folder's lock may still be on its way. */
static int start(struct life *life, char *ret_message)
{
    const struct timespec step = {.tv_nsec = LOCK_STEP_MS * 1000000L};
    int err = start_once(life, ret_message);
    bool wait = life->took_over || life->handed_over;
    for (int ms = 0; wait && err == WEFT_ERR_BUSY && ms < LOCK_MS; ms += LOCK_STEP_MS) {
        weft_server_free(life->server);
        life->server = NULL;
        nanosleep(&step, NULL);
        err = start_once(life, ret_message);
    }
    if (err)
        return err;
    life->handed_over = false;
    if (life->options.data_folder)
        life->control = takeover_listen(life->options.data_folder);
    if (life->elder >= 0) {
        takeover_say(life->elder, TAKEOVER_SERVING);
        close(life->elder);
        life->elder = -1;
    }
    return 0;
}

static void announce(const struct life *life)
{
    const struct weft_server *server = life->server;
    const char *address = weft_server_address(server);
    const char *scheme = strncmp(address, "unix:", 5) == 0 ? ""
                         : weft_server_is_secure(server)   ? "https://"
                                                           : "http://";
    char note[NOTE_SIZE];
    printf("weft %s: listening on %s%s (loop %s, %u worker%s)\n", life->lifecycle->command, scheme,
           address, weft_server_loop_name(server), weft_server_workers(server),
           weft_server_workers(server) == 1 ? "" : "s");
    fflush(stdout);
    snprintf(note, sizeof(note), "READY=1\nSTATUS=listening on %.150s", address);
    systemd_notify(note);
}

/* ---- Serving ---- */

/* A file that is wrong changes nothing. */
static void reload_tokens(const struct serve_lifecycle *lifecycle)
{
    char message[MESSAGE_SIZE];
    if (lifecycle->tokens && token_file_read(lifecycle->tokens, message, sizeof(message)))
        fprintf(stderr, "weft %s: %s\n", lifecycle->command, message);
}

static void reload(const struct life *life)
{
    struct timespec now;
    char note[NOTE_SIZE];
    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(note, sizeof(note), "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    systemd_notify(note);
    (void)weft_server_reload(life->server); /* which logs what was wrong */
    reload_tokens(life->lifecycle);
    systemd_notify("READY=1");
}

static void drop_heir(struct life *life)
{
    close(life->heir);
    life->heir = -1;
}

/* A successor knocks: it gets our sockets, and we go on until it says so. */
static void meet_heir(struct life *life)
{
    int fds[TAKEOVER_FDS_MAX];
    size_t count = weft_server_listen_fds(life->server, fds, TAKEOVER_FDS_MAX);
    if (life->heir >= 0)
        drop_heir(life); /* One that hesitates so long does not come. */
    life->heir = takeover_offer(life->control, fds, count, &life->heir_pid);
}

/* Until a signal or a successor asks for the end. */
static enum end serve(struct life *life)
{
    uint64_t watchdog_ms = systemd_watchdog_ms();
    int timeout = watchdog_ms ? (int)(watchdog_ms < 60000 ? watchdog_ms : 60000) : -1;
    uint64_t beat_ns = weft__clock_now_ns();
    for (;;) {
        struct pollfd wait[3] = {{.fd = life->signals, .events = POLLIN},
                                 {.fd = life->control, .events = POLLIN},
                                 {.fd = life->heir, .events = POLLIN}};
        int ready = poll(wait, 3, timeout);
        if (watchdog_ms && weft__clock_now_ns() - beat_ns >= watchdog_ms * WEFT_NS_PER_MS / 2 &&
            weft_server_is_alive(life->server)) {
            beat_ns = weft__clock_now_ns();
            systemd_notify("WATCHDOG=1");
        }
        if (ready <= 0)
            continue;
        int number = wait[0].revents ? take_signal(life) : 0;
        if (number == SIGHUP)
            reload(life);
        else if (number)
            return END_SIGNAL;
        if (wait[2].revents && takeover_hear(life->heir) == TAKEOVER_GO)
            return END_HEIR;
        if (wait[2].revents)
            drop_heir(life);
        if (wait[1].revents)
            meet_heir(life);
    }
}

/* ---- The end ---- */

static void *stop_server(void *arg)
{
    struct life *life = arg;
    uint64_t one = 1;
    weft_server_stop(life->server);
    while (write(life->finished, &one, sizeof(one)) < 0 && errno == EINTR)
        continue;
    return NULL;
}

/* Waits for the thread that stops the server; whoever signals again does not want to wait. What was
 * acknowledged is on disk at any moment. */
static void wait_stopped(struct life *life)
{
    struct pollfd wait[2] = {{.fd = life->finished, .events = POLLIN},
                             {.fd = life->signals, .events = POLLIN}};
    uint64_t count;
    /* One that ends for a successor has not been signalled yet. */
    bool asked = life->heir < 0;
    while (read(life->finished, &count, sizeof(count)) < 0) {
        int number = poll(wait, 2, -1) > 0 && wait[1].revents ? take_signal(life) : 0;
        if (number != SIGTERM && number != SIGINT)
            continue;
        if (asked) {
            (void)fail(life, "ended at once by a second signal");
            fflush(NULL);
            _exit(EXIT_FAILURE);
        }
        asked = true;
    }
}

/* Drains and ends the server. */
static void stop(struct life *life, const char *why)
{
    char file[MESSAGE_SIZE] = "";
    pthread_t thread;
    const char *address = weft_server_address(life->server);
    /* A server removes the file of a Unix socket that it has made itself. */
    if (life->took_over && life->heir < 0 && strncmp(address, "unix:", 5) == 0)
        snprintf(file, sizeof(file), "%s", address + 5);
    printf("weft %s: %s\n", life->lifecycle->command, why);
    fflush(stdout);
    if (life->control >= 0)
        close(life->control);
    life->control = -1;
    if (pthread_create(&thread, NULL, stop_server, life)) {
        weft_server_stop(life->server);
    } else {
        wait_stopped(life);
        pthread_join(thread, NULL);
    }
    weft_server_free(life->server);
    life->server = NULL;
    if (file[0])
        (void)unlink(file);
}

/* ---- A successor ---- */

/* Keeps the sockets open for the case that the successor is lost. */
static void keep_sockets(struct life *life)
{
    int fds[TAKEOVER_FDS_MAX];
    size_t count = weft_server_listen_fds(life->server, fds, TAKEOVER_FDS_MAX);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        int fd = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
        if (fd >= 0)
            life->fds[kept++] = fd;
    }
    use_sockets(life, kept);
}

/* Ends for the successor. True when it serves; false when it is lost, and this process has to serve
 * again. A signal ends both: |ret_signal|. */
static bool hand_over(struct life *life, bool *ret_signal)
{
    enum takeover_word word = TAKEOVER_LOST;
    char note[NOTE_SIZE];
    systemd_notify("STATUS=handing over");
    keep_sockets(life);
    weft_server_hand_over(life->server);
    life->handed_over = true;
    stop(life, "handing over");
    takeover_say(life->heir, TAKEOVER_RELEASED);
    *ret_signal = !wait_for_word(life, life->heir, &word);
    drop_heir(life);
    if (word != TAKEOVER_SERVING)
        return false;
    snprintf(note, sizeof(note), "MAINPID=%d", (int)life->heir_pid);
    systemd_notify(note);
    printf("weft %s: handed over to process %d\n", life->lifecycle->command, (int)life->heir_pid);
    return true;
}

/* Serves, again and again when successors fail. Returns the exit status. */
static int live(struct life *life)
{
    char message[MESSAGE_SIZE] = "";
    for (;;) {
        bool signaled = false;
        if (start(life, message)) {
            weft_server_free(life->server);
            return fail(life, message);
        }
        announce(life);
        if (serve(life) == END_SIGNAL) {
            systemd_notify("STOPPING=1\nSTATUS=draining");
            stop(life, "stopping");
            return EXIT_SUCCESS;
        }
        if (hand_over(life, &signaled) || signaled)
            return EXIT_SUCCESS;
        (void)fail(life, "the process that was to take over is lost: serving again");
        life->took_over = true;
    }
}

int serve_lifecycle_run(const struct serve_lifecycle *lifecycle)
{
    struct life life = {
        .lifecycle = lifecycle,
        .options = *lifecycle->options,
        .control = -1,
        .heir = -1,
        .elder = -1,
    };
    char message[MESSAGE_SIZE] = "";
    if (open_signals(&life))
        return fail(&life, "out of descriptors");
    raise_descriptor_limit();
    if (take_sockets(&life, message))
        return fail(&life, message);
    return wait_for_elder(&life) ? live(&life) : EXIT_SUCCESS;
}
