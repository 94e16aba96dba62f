/* SPDX-License-Identifier: Apache-2.0 */
/* `weft bench` as a process, what it says, and servers for it that say what a test wants. */
#ifndef WEFT_TESTS_INTEGRATION_BENCH_PROCESS_H
#define WEFT_TESTS_INTEGRATION_BENCH_PROCESS_H

#include "integration/echo_process.h"
#include "lib/server_process.h"

#include "codec/json.h"
#include "io/crypto.h"
#include "ws/handshake.h"

#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

/* ---- Running it ---- */

/* What a run gave; done() frees it. */
struct run {
    int status;
    char *out;
    char *err;
    struct weft_arena arena;
    const struct weft_json *json; /* of its output; NULL when that is not JSON */
};

/* Runs `weft bench ARGS…` on the loop of the case, without warm-up and for a short time unless
 * |args| says otherwise. */
#define BENCH(state, ...) run_bench(state, (const char *const[]){__VA_ARGS__, NULL})

static inline struct run run_bench(void **state, const char *const *args)
{
    const char *argv[32] = {test_binary(), "bench",    "--loop", loop_name(state),
                            "--json",      "--warmup", "0",      "--duration",
                            "0.3"};
    size_t count = 9;
    struct run run = {0};
    for (size_t i = 0; args[i]; i++) {
        assert_true(count + 1 < WEFT_ARRAY_LEN(argv));
        argv[count++] = args[i];
    }
    run.status = test_run_program(argv, &run.out, &run.err);
    weft__arena_init(&run.arena, weft_alloc_default(), SIZE_MAX);
    struct weft_json_error error;
    if (weft__json_parse(weft__slice_str(run.out), &run.arena, NULL, &error, &run.json))
        run.json = NULL;
    return run;
}

static inline void done(struct run *run)
{
    weft__arena_done(&run->arena);
    free(run->out);
    free(run->err);
}

/* A number of the result, by its key. */
static inline double number(const struct run *run, const char *key)
{
    double value = -1;
    const struct weft_json *found = weft__json_get(run->json, key);
    if (!weft__json_double(found, &value))
        fail_msg("no number %s in: %s%s", key, run->out, run->err);
    return value;
}

static inline double latency(const struct run *run, const char *key)
{
    double value = -1;
    const struct weft_json *all = weft__json_get(run->json, "latency_us");
    if (!weft__json_double(weft__json_get(all, key), &value))
        fail_msg("no latency %s in: %s%s", key, run->out, run->err);
    return value;
}

static inline double errors_of(const struct run *run, const char *kind)
{
    double value = -1;
    const struct weft_json *all = weft__json_get(run->json, "error_counts");
    if (!weft__json_double(weft__json_get(all, kind), &value))
        fail_msg("no errors %s in: %s%s", kind, run->out, run->err);
    return value;
}

/* The run went well and something was answered. */
static inline void check_good(const struct run *run)
{
    if (run->status != 0)
        fail_msg("status %d: %s%s", run->status, run->out, run->err);
    assert_string_equal(run->err, "");
    assert_true(number(run, "errors") == 0);
    assert_true(number(run, "messages") > 0);
    assert_true(number(run, "messages_per_s") > 0);
    assert_true(latency(run, "p50") > 0);
    assert_true(latency(run, "p50") <= latency(run, "p90"));
    assert_true(latency(run, "p90") <= latency(run, "p99"));
    assert_true(latency(run, "p99") <= latency(run, "p999"));
    assert_true(latency(run, "p999") <= latency(run, "max"));
    assert_true(latency(run, "mean") <= latency(run, "max"));
}

/* ---- Servers that misbehave ---- */

/* A server of one connection that answers the request and then says |bytes|. */
struct script {
    int listener;
    char url[64];
    bool upgrade; /* a proper answer to the handshake comes first */
    const char *bytes;
    size_t len;
    pthread_t thread;
};

static inline void write_all(int fd, const void *data, size_t len)
{
    size_t at = 0;
    while (at < len) {
        ssize_t n = send(fd, (const uint8_t *)data + at, len - at, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        at += (size_t)n;
    }
}

static inline void answer(int fd, const uint8_t *request, size_t len)
{
    struct weft_http1_head head;
    struct weft_ws_upgrade upgrade;
    const struct weft_ws_deflate_params plain = {0};
    struct weft_bytes out;
    size_t scanned = 0;
    int status;
    if (weft__http1_read_request(request, len, &scanned, &head, &status) <= 0 ||
        weft__ws_upgrade_check(&head, NULL, 0, &upgrade, &status))
        return;
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    if (!weft__ws_upgrade_accept(&out, &upgrade, weft__crypto_openssl(), &plain, NULL, 0))
        write_all(fd, out.ptr, out.len);
    weft__bytes_done(&out);
}

static inline void *play(void *arg)
{
    const struct script *script = arg;
    uint8_t request[4096];
    int fd = accept(script->listener, NULL, NULL);
    ssize_t n = recv(fd, request, sizeof(request), 0);
    if (n > 0 && script->upgrade)
        answer(fd, request, (size_t)n);
    write_all(fd, script->bytes, script->len);
    (void)shutdown(fd, SHUT_WR);
    while (recv(fd, request, sizeof(request), 0) > 0)
        continue;
    (void)close(fd);
    return NULL;
}

static inline void listen_script(struct script *script)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    script->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(script->listener >= 0);
    assert_int_equal(bind(script->listener, (const struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(script->listener, 4), 0);
    assert_int_equal(getsockname(script->listener, (struct sockaddr *)&address, &len), 0);
    (void)snprintf(script->url, sizeof(script->url), "ws://127.0.0.1:%u/", ntohs(address.sin_port));
}

static inline void start_script(struct script *script)
{
    listen_script(script);
    assert_int_equal(pthread_create(&script->thread, NULL, play, script), 0);
}

#endif
