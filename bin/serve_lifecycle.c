/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting, watching and ending a server. The main thread does nothing but wait here, so signals
 * are descriptors in its poll set; the drain, which blocks, has a thread of its own.
 */
#include "serve_lifecycle.h"

#include "io/address.h"
#include "systemd.h"

#include <errno.h>
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

enum { MESSAGE_SIZE = 512, NOTE_SIZE = 256 };

struct life {
    const struct serve_lifecycle *lifecycle;
    struct weft_server_options options; /* with the sockets handed over */
    struct weft_server *server;
    int fds[SYSTEMD_FDS_MAX];
    int signals;  /* signalfd */
    int finished; /* eventfd: the stopping thread is done */
};

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
                 "no authentication: say --insecure-no-auth",
                 text);
        return -1;
    }
    return 0;
}

static int take_sockets(struct life *life, char *ret_message)
{
    int count = systemd_listen_fds(life->fds, ret_message, MESSAGE_SIZE);
    if (count < 0)
        return -1;
    if (count) {
        life->options.operations.listen_fds = life->fds;
        life->options.operations.listen_fd_count = (size_t)count;
    }
    return check_sockets(life, ret_message);
}

/* ---- Start ---- */

static int start(struct life *life, char *ret_message)
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

static void reload(const struct life *life)
{
    struct timespec now;
    char note[NOTE_SIZE];
    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(note, sizeof(note), "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    systemd_notify(note);
    (void)weft_server_reload(life->server); /* which logs what was wrong */
    systemd_notify("READY=1");
}

/* Until a signal asks for the end. */
static void serve(const struct life *life)
{
    uint64_t watchdog_ms = systemd_watchdog_ms();
    int timeout = watchdog_ms ? (int)(watchdog_ms < 60000 ? watchdog_ms : 60000) : -1;
    for (;;) {
        struct pollfd wait = {.fd = life->signals, .events = POLLIN};
        int ready = poll(&wait, 1, timeout);
        if (ready == 0 && weft_server_is_alive(life->server))
            systemd_notify("WATCHDOG=1");
        int number = ready > 0 ? take_signal(life) : 0;
        if (number == SIGHUP)
            reload(life);
        else if (number)
            return;
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

/* Drains and ends the server; whoever signals again does not want to wait. What was acknowledged is
 * on disk at any moment. */
static void stop(struct life *life)
{
    pthread_t thread;
    printf("weft %s: stopping\n", life->lifecycle->command);
    fflush(stdout);
    systemd_notify("STOPPING=1\nSTATUS=draining");
    if (pthread_create(&thread, NULL, stop_server, life)) {
        weft_server_stop(life->server);
    } else {
        struct pollfd wait[2] = {{.fd = life->finished, .events = POLLIN},
                                 {.fd = life->signals, .events = POLLIN}};
        while (!(wait[0].revents & POLLIN)) {
            int number = poll(wait, 2, -1) > 0 && wait[1].revents ? take_signal(life) : 0;
            if (number == SIGTERM || number == SIGINT) {
                (void)fail(life, "ended at once by a second signal");
                fflush(NULL);
                _exit(EXIT_FAILURE);
            }
        }
        pthread_join(thread, NULL);
    }
    weft_server_free(life->server);
    life->server = NULL;
}

int serve_lifecycle_run(const struct serve_lifecycle *lifecycle)
{
    struct life life = {.lifecycle = lifecycle, .options = *lifecycle->options};
    char message[MESSAGE_SIZE] = "";
    if (open_signals(&life))
        return fail(&life, "out of descriptors");
    raise_descriptor_limit();
    if (take_sockets(&life, message) || start(&life, message)) {
        weft_server_free(life.server);
        return fail(&life, message);
    }
    announce(&life);
    serve(&life);
    stop(&life);
    return EXIT_SUCCESS;
}
