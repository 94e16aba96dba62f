/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A WebSocket server on a thread of its own that serves one connection and says exactly what a test
 * tells it to, also what no server of ours would say; and a log that callbacks write and tests wait
 * for. A mistake on the server's thread ends the program: cmocka's assertions belong to the main
 * one.
 */
#ifndef WEFT_TESTS_UNIT_CLIENT_SCRIPTED_SERVER_H
#define WEFT_TESTS_UNIT_CLIENT_SCRIPTED_SERVER_H

#include "codec/http1.h"
#include "codec/json.h"
#include "io/crypto.h"
#include "lib/test.h"
#include "ws/conn.h"
#include "ws/handshake.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct script {
    /* Set by the test before script_start. */
    void (*run)(struct script *script); /* on an open WebSocket, after the greeting; may be NULL */
    int status;                         /* answer the upgrade with this instead of 101 */
    bool no_protocol;                   /* choose no subprotocol */
    bool mute;                          /* answer nothing at all */
    const char *hello;                  /* members of the answer to `$/hello`, NULL: a result */
    void *ctx;

    char url[64];
    int listener;
    int fd;
    pthread_t thread;
    struct weft_ws_options options;
    struct weft_ws_conn conn;
    struct weft_arena arena;
    uint8_t in[65536];
    size_t in_len;
};

#define SCRIPT_CHECK(cond)                                                                         \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            fprintf(stderr, "scripted server, line %d: %s\n", __LINE__, #cond);                    \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* Ends in an error when the client is gone, which is no mistake. */
static void script_write(struct script *script, struct weft_bytes *out)
{
    SCRIPT_CHECK(weft__bytes_error(out) == 0);
    for (size_t at = 0; at < out->len;) {
        ssize_t sent = send(script->fd, out->ptr + at, out->len - at, MSG_NOSIGNAL);
        if (sent <= 0)
            break;
        at += (size_t)sent;
    }
    weft__bytes_done(out);
}

static void script_send(struct script *script, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void script_send(struct script *script, const char *fmt, ...)
{
    char text[4096];
    struct weft_bytes out;
    va_list list;
    va_start(list, fmt);
    int len = vsnprintf(text, sizeof(text), fmt, list);
    va_end(list);
    SCRIPT_CHECK(len > 0 && (size_t)len < sizeof(text));
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    SCRIPT_CHECK(
        weft__ws_conn_send(&script->conn, &out, WEFT_WS_OPCODE_TEXT, weft__slice_str(text)) == 0);
    script_write(script, &out);
}

static void script_control(struct script *script)
{
    struct weft_bytes out;
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    SCRIPT_CHECK(weft__ws_conn_take_control(&script->conn, &out) == 0);
    script_write(script, &out);
}

/* The next message, parsed; NULL when the client closed or is gone. */
static const struct weft_json *script_recv(struct script *script)
{
    struct weft_ws_event event;
    for (;;) {
        size_t used = weft__ws_conn_read(&script->conn, script->in, script->in_len, &event);
        const struct weft_json *value = NULL;
        if (event.type == WEFT_WS_EVENT_MESSAGE) {
            const char *text = weft__arena_copy(&script->arena, event.data.ptr, event.data.len);
            SCRIPT_CHECK(text);
            SCRIPT_CHECK(weft__json_parse(weft__slice(text, event.data.len), &script->arena, NULL,
                                          NULL, &value) == 0);
        }
        script->in_len -= used;
        memmove(script->in, script->in + used, script->in_len);
        SCRIPT_CHECK(event.type != WEFT_WS_EVENT_ERROR);
        if (value)
            return value;
        script_control(script);
        if (event.type == WEFT_WS_EVENT_CLOSE)
            return NULL;
        if (event.type != WEFT_WS_EVENT_NONE)
            continue;
        ssize_t got = recv(script->fd, script->in, sizeof(script->in), 0);
        if (got <= 0)
            return NULL;
        script->in_len = (size_t)got;
    }
}

/* The next message, which must be a call or notification of |method|. */
static inline const struct weft_json *script_expect(struct script *script, const char *method)
{
    const struct weft_json *message = script_recv(script);
    SCRIPT_CHECK(message);
    if (!weft__json_string_is(weft__json_get(message, "method"), method)) {
        struct weft_slice raw = weft__json_raw(message);
        fprintf(stderr, "expected %s, got %.*s\n", method, (int)raw.len, (const char *)raw.ptr);
        abort();
    }
    return message;
}

/* Answers |call| with |members|: "\"result\":7". */
static void script_answer(struct script *script, const struct weft_json *call, const char *members)
{
    struct weft_slice id = weft__json_raw(weft__json_get(call, "id"));
    script_send(script, "{\"jsonrpc\":\"2.0\",\"id\":%.*s,%s}", (int)id.len, (const char *)id.ptr,
                members);
}

/* Reads until the client has closed. */
static void script_drain(struct script *script)
{
    while (script_recv(script))
        ;
}

/* ---- The thread ---- */

static void script_respond(struct script *script, const struct weft_http1_head *head)
{
    const struct weft_slice protocol = WEFT_SLICE_LIT("weft.v1.json");
    struct weft_ws_upgrade upgrade;
    struct weft_bytes out;
    int status;
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    SCRIPT_CHECK(weft__ws_upgrade_check(head, &protocol, script->no_protocol ? 0 : 1, &upgrade,
                                        &status) == 0);
    if (script->status)
        SCRIPT_CHECK(weft__ws_upgrade_refuse(&out, script->status, NULL, NULL, 0) == 0);
    else
        SCRIPT_CHECK(
            weft__ws_upgrade_accept(&out, &upgrade, weft__crypto_openssl(), NULL, NULL, 0) == 0);
    script_write(script, &out);
}

/* False when the client is gone. */
static bool script_handshake(struct script *script)
{
    struct weft_http1_head head;
    size_t scanned = 0;
    int status;
    for (;;) {
        ssize_t got =
            recv(script->fd, script->in + script->in_len, sizeof(script->in) - script->in_len, 0);
        if (got <= 0)
            return false;
        script->in_len += (size_t)got;
        ptrdiff_t len =
            weft__http1_read_request(script->in, script->in_len, &scanned, &head, &status);
        SCRIPT_CHECK(len >= 0);
        if (len == 0 || script->mute)
            continue;
        script_respond(script, &head);
        script->in_len -= (size_t)len;
        memmove(script->in, script->in + len, script->in_len);
        return script->status == 0;
    }
}

static void *script_main(void *arg)
{
    struct script *script = arg;
    script->fd = accept(script->listener, NULL, NULL);
    if (script->fd < 0)
        return NULL;
    if (script_handshake(script)) {
        weft__ws_conn_init(&script->conn, WEFT_WS_ROLE_SERVER, &script->options);
        const struct weft_json *hello = script_recv(script);
        if (hello) {
            script_answer(script, hello,
                          script->hello
                              ? script->hello
                              : "\"result\":{\"v\":1,\"limits\":{\"message_bytes\":4096}}");
            if (script->run)
                script->run(script);
            script_drain(script);
        }
        weft__ws_conn_done(&script->conn);
    }
    close(script->fd);
    return NULL;
}

static void script_start(struct script *script)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    script->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(script->listener >= 0);
    assert_int_equal(bind(script->listener, (const struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(script->listener, 4), 0);
    assert_int_equal(getsockname(script->listener, (struct sockaddr *)&address, &len), 0);
    snprintf(script->url, sizeof(script->url), "ws://127.0.0.1:%u/ws", ntohs(address.sin_port));
    script->in_len = 0;
    weft__ws_options_init(&script->options, weft_alloc_default());
    weft__arena_init(&script->arena, weft_alloc_default(), SIZE_MAX);
    assert_int_equal(pthread_create(&script->thread, NULL, script_main, script), 0);
}

/* The client is closed; waits for the thread. */
static void script_stop(struct script *script)
{
    /* Wakes an accept that nobody came for. */
    shutdown(script->listener, SHUT_RDWR);
    pthread_join(script->thread, NULL);
    close(script->listener);
    weft__arena_done(&script->arena);
}

/* ---- What callbacks saw ---- */

struct event_log {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    char text[2048];
};

static inline void log_init(struct event_log *log)
{
    pthread_mutex_init(&log->mutex, NULL);
    pthread_cond_init(&log->cond, NULL);
    log->text[0] = '\0';
}

static inline void log_done(struct event_log *log)
{
    pthread_cond_destroy(&log->cond);
    pthread_mutex_destroy(&log->mutex);
}

static inline void log_add(struct event_log *log, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static inline void log_add(struct event_log *log, const char *fmt, ...)
{
    va_list list;
    va_start(list, fmt);
    pthread_mutex_lock(&log->mutex);
    size_t len = strlen(log->text);
    vsnprintf(log->text + len, sizeof(log->text) - len, fmt, list);
    pthread_cond_broadcast(&log->cond);
    pthread_mutex_unlock(&log->mutex);
    va_end(list);
}

/* Waits at most 10 s until the log is |want|. */
static inline void log_wait(struct event_log *log, const char *want)
{
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 10;
    pthread_mutex_lock(&log->mutex);
    while (strcmp(log->text, want) != 0)
        if (pthread_cond_timedwait(&log->cond, &log->mutex, &end))
            break;
    pthread_mutex_unlock(&log->mutex);
    assert_string_equal(log->text, want);
}

#endif
