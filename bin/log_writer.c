/* SPDX-License-Identifier: Apache-2.0 */
/* A ring of bytes between those who log and one writing thread. Lines are in it whole or not at
 * all. */
#include "log_writer.h"

#include "io/clock.h"
#include "port/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <weft/server.h>

enum { STEP_MS = 50 /* between two looks at a descriptor that takes nothing */ };

struct log_writer {
    int fd;
    enum weft_log_format format;
    pthread_t thread;
    pthread_mutex_t mutex; /* of everything below */
    pthread_cond_t filled;
    pthread_cond_t written;
    uint64_t in;      /* bytes ever queued */
    uint64_t out;     /* bytes ever written */
    uint64_t dropped; /* lines, since the last that was queued */
    bool stuck;       /* somebody has waited in vain since the last byte was written */
    bool ending;
    bool giving_up; /* the thread may leave with lines unwritten */
    char ring[LOG_WRITER_BYTES];
};

static void copy_in(struct log_writer *writer, const char *bytes, size_t len)
{
    size_t at = (size_t)(writer->in % LOG_WRITER_BYTES);
    size_t first = WEFT_MIN(len, LOG_WRITER_BYTES - at);
    memcpy(writer->ring + at, bytes, first);
    memcpy(writer->ring, bytes + first, len - first);
    writer->in += len;
}

static bool has_room(const struct log_writer *writer, size_t len)
{
    return len <= LOG_WRITER_BYTES - (size_t)(writer->in - writer->out);
}

static void queue_line(void *ctx, enum weft_log_level level, const char *line)
{
    struct log_writer *writer = ctx;
    (void)level;
    copy_in(writer, line, strlen(line));
    copy_in(writer, "\n", 1);
}

static void tell_dropped(struct log_writer *writer)
{
    const struct weft_log log = {
        .write = queue_line,
        .ctx = writer,
        .level = WEFT_LOG_WARN,
        .format = writer->format,
        .clock = weft__clock_system(),
    };
    if (writer->dropped)
        WEFT_LOG(&log, WEFT_LOG_WARN, "log.dropped", weft__log_u64("lines", writer->dropped));
    writer->dropped = 0;
}

static struct timespec from_now(unsigned ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    until.tv_sec += ms / 1000 + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    return until;
}

/* Waits until everything up to |position| is written. False after |ms|. */
static bool wait_written(struct log_writer *writer, uint64_t position, unsigned ms)
{
    struct timespec until = from_now(ms);
    while (writer->out < position)
        if (pthread_cond_timedwait(&writer->written, &writer->mutex, &until) == ETIMEDOUT)
            return writer->out >= position;
    return true;
}

void log_writer_write(void *ctx, int level, const char *line)
{
    struct log_writer *writer = ctx;
    size_t len = strlen(line) + 1;
    pthread_mutex_lock(&writer->mutex);
    /* The line about those before it needs room, too. */
    if (!has_room(writer, len + (writer->dropped ? WEFT_LOG_LINE_MAX + 1 : 0))) {
        writer->dropped++;
    } else {
        tell_dropped(writer);
        queue_line(writer, WEFT_LOG_INFO, line);
        pthread_cond_signal(&writer->filled);
    }
    if (level == WEFT_SERVER_LOG_ERROR && !writer->stuck)
        writer->stuck = !wait_written(writer, writer->in, LOG_WRITER_ERROR_MS);
    pthread_mutex_unlock(&writer->mutex);
}

/* Writes a part of what waits, without the mutex. Gives the bytes written, 0 when |fd| takes none
 * now, -1 when it never will. */
static ssize_t write_some(struct log_writer *writer, size_t at, size_t len)
{
    struct pollfd wait = {.fd = writer->fd, .events = POLLOUT};
    if (poll(&wait, 1, STEP_MS) <= 0)
        return 0;
    ssize_t n = write(writer->fd, writer->ring + at, len);
    return n >= 0 ? n : errno == EINTR || errno == EAGAIN ? 0 : -1;
}

static void *run(void *arg)
{
    struct log_writer *writer = arg;
    pthread_mutex_lock(&writer->mutex);
    for (;;) {
        /* What was dropped last is told when everything else is written, if not before. */
        if (writer->in == writer->out)
            tell_dropped(writer);
        if (writer->giving_up || (writer->ending && writer->in == writer->out))
            break;
        if (writer->in == writer->out) {
            pthread_cond_wait(&writer->filled, &writer->mutex);
            continue;
        }
        size_t at = (size_t)(writer->out % LOG_WRITER_BYTES);
        size_t len = WEFT_MIN((size_t)(writer->in - writer->out), LOG_WRITER_BYTES - at);
        /* A pipe that has room for something takes PIPE_BUF at once without blocking. */
        len = WEFT_MIN(len, (size_t)4096);
        pthread_mutex_unlock(&writer->mutex);
        ssize_t n = write_some(writer, at, len);
        pthread_mutex_lock(&writer->mutex);
        /* A descriptor that is broken takes everything to nowhere. */
        writer->out += n < 0 ? len : (size_t)n;
        if (n) {
            writer->stuck = false;
            pthread_cond_broadcast(&writer->written);
        }
    }
    pthread_mutex_unlock(&writer->mutex);
    return NULL;
}

int log_writer_new(int fd, int format, struct log_writer **ret_writer)
{
    struct log_writer *writer = calloc(1, sizeof(*writer));
    pthread_condattr_t monotonic;
    sigset_t all;
    sigset_t before;
    if (!writer)
        return WEFT_ERR_NOMEM;
    writer->fd = fd;
    writer->format = format == WEFT_SERVER_LOG_JSON ? WEFT_LOG_JSON : WEFT_LOG_TEXT;
    pthread_mutex_init(&writer->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&writer->filled, &monotonic);
    pthread_cond_init(&writer->written, &monotonic);
    pthread_condattr_destroy(&monotonic);
    /* Signals are for the main thread. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&writer->thread, NULL, run, writer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed) {
        pthread_mutex_destroy(&writer->mutex);
        pthread_cond_destroy(&writer->filled);
        pthread_cond_destroy(&writer->written);
        free(writer);
        return WEFT_ERR_SYSTEM;
    }
    *ret_writer = writer;
    return 0;
}

void log_writer_free(struct log_writer *writer)
{
    if (!writer)
        return;
    pthread_mutex_lock(&writer->mutex);
    writer->ending = true;
    pthread_cond_signal(&writer->filled);
    writer->giving_up = !wait_written(writer, writer->in, LOG_WRITER_END_MS);
    pthread_mutex_unlock(&writer->mutex);
    pthread_join(writer->thread, NULL);
    pthread_mutex_destroy(&writer->mutex);
    pthread_cond_destroy(&writer->filled);
    pthread_cond_destroy(&writer->written);
    free(writer);
}
