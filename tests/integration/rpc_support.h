/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of calls share: connections to a certain worker, calls with `meta`, their answers. */
#ifndef WEFT_TESTS_INTEGRATION_RPC_SUPPORT_H
#define WEFT_TESTS_INTEGRATION_RPC_SUPPORT_H

#include "lib/in_process.h"
#include "lib/test.h"

enum { RPC_TRIES = 200 };

/* A greeted connection; the name of its session, `s_WORKER_NUMBER`, tells its worker. */
static inline struct test_ws *rpc_connect_any(const char *url, unsigned *ret_worker)
{
    struct test_ws *ws = test_ws_connect(url, "weft.v1.json");
    const struct weft_json *hello = test_ws_result(ws, "$/hello", "{\"v\":[1,1]}");
    struct weft_slice name = weft__json_string(weft__json_get(hello, "session"));
    assert_true(name.len > 3 && memcmp(name.ptr, "s_", 2) == 0);
    *ret_worker = (unsigned)(name.ptr[2] - '0');
    return ws;
}

/* A greeted connection to worker |want|. */
static inline struct test_ws *rpc_connect(const char *url, unsigned want)
{
    unsigned worker;
    for (int i = 0; i < RPC_TRIES; i++) {
        struct test_ws *ws = rpc_connect_any(url, &worker);
        if (worker == want)
            return ws;
        test_ws_close(ws);
    }
    fail_msg("no connection to worker %u in %d tries", want, RPC_TRIES);
    return NULL;
}

/* Sends a call with |meta|, the inside of an object, and returns at once. */
static inline void rpc_send(struct test_ws *ws, int id, const char *method, const char *params,
                            const char *meta)
{
    char text[512];
    snprintf(text, sizeof(text),
             "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"%s\",\"params\":%s,\"meta\":{%s}}", id,
             method, params, meta);
    test_ws_send(ws, text);
}

/* The next message, the answer to |id|. */
static inline const struct weft_json *rpc_next(struct test_ws *ws, int id)
{
    int64_t got = -1;
    const struct weft_json *answer = test_ws_next(ws);
    assert_true(weft__json_i64(weft__json_get(answer, "id"), &got));
    assert_int_equal(got, id);
    return answer;
}

/* The next message, a result of |id| that is a whole number. */
static inline int64_t rpc_next_number(struct test_ws *ws, int id)
{
    int64_t number = 0;
    assert_true(weft__json_i64(weft__json_get(rpc_next(ws, id), "result"), &number));
    return number;
}

/* The next message, an error answer to |id|; returns its `data`. |reason| NULL: it has none. */
static inline const struct weft_json *rpc_next_error(struct test_ws *ws, int id, const char *code,
                                                     const char *reason)
{
    const struct weft_json *error = weft__json_get(rpc_next(ws, id), "error");
    const struct weft_json *data = weft__json_get(error, "data");
    if (!weft__json_string_is(weft__json_get(data, "code"), code) ||
        (reason && !weft__json_string_is(weft__json_get(data, "reason"), reason)))
        fail_msg("not %s, %s: %.*s", code, reason ? reason : "-", (int)weft__json_raw(data).len,
                 (const char *)weft__json_raw(data).ptr);
    assert_true(reason || !weft__json_get(data, "reason"));
    return data;
}

/* POSTs |body| with the header lines |headers|; free what is returned, head and all. */
static inline char *rpc_post(const char *url, const char *path, const char *headers,
                             const char *body)
{
    char request[600];
    snprintf(request, sizeof(request),
             "POST %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
             "Content-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n%s",
             path, headers, strlen(body), body);
    return test_http(url, request);
}

/* The number |name| of /metrics. */
static inline uint64_t rpc_metric(const char *url, const char *name)
{
    char want[96];
    char *text =
        test_http(url, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    snprintf(want, sizeof(want), "\n%s ", name);
    const char *at = strstr(text, want);
    if (!at)
        fail_msg("no number %s", name);
    uint64_t value = at ? strtoull(at + strlen(want), NULL, 10) : 0;
    free(text);
    return value;
}

#endif
