/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of provided methods share: a server, clients that provide, and those who call. */
#ifndef WEFT_TESTS_INTEGRATION_PROVIDE_SUPPORT_H
#define WEFT_TESTS_INTEGRATION_PROVIDE_SUPPORT_H

#include "rpc_support.h"

static struct test_in_process *world;

/* A connection to |worker| that has provided |params|. */
static inline struct test_ws *provide(unsigned worker, const char *params)
{
    struct test_ws *ws = rpc_connect(world->url, worker);
    (void)test_ws_result(ws, "rpc.provide", params);
    return ws;
}

/* The next call that the server makes of |method|. */
static inline const struct weft_json *next_call(struct test_ws *ws, const char *method)
{
    const struct weft_json *call = test_ws_next(ws);
    assert_true(weft__json_string_is(weft__json_get(call, "method"), method));
    assert_true(weft__json_is(weft__json_get(call, "id"), WEFT_JSON_STRING));
    return call;
}

/* Answers |call| with |member|, "\"result\":…" or "\"error\":…". */
static inline void answer(struct test_ws *ws, const struct weft_json *call, const char *member)
{
    struct weft_slice id = weft__json_raw(weft__json_get(call, "id"));
    char text[800];
    snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%.*s,%s}", (int)id.len,
             (const char *)id.ptr, member);
    test_ws_send(ws, text);
}

static inline struct test_ws *caller(unsigned worker)
{
    return rpc_connect(world->url, worker);
}

static inline bool said(const struct weft_json *data, const char *executed)
{
    return weft__json_string_is(weft__json_get(data, "executed"), executed);
}

static inline uint64_t metric(const char *name)
{
    return rpc_metric(world->url, name);
}

/* Waits until |name| is |want|. */
static inline void await_metric(const char *name, uint64_t want)
{
    for (int i = 0; i < 10 * RPC_TRIES && metric(name) != want; i++)
        ;
    assert_int_equal(metric(name), want);
}

/* A server of its own, with |options| changed as the test needs it; ended by end_world. */
static inline struct test_in_process *begin_world(const struct weft_server_options *options)
{
    struct test_in_process *before = world;
    world = test_in_process_start(options);
    return before;
}

static inline void end_world(struct test_in_process *before)
{
    test_in_process_free(world);
    world = before;
}

/* Answers all calls that |worker| has, each with its first parameter. Returns how many. */
static inline int work(struct test_ws *worker)
{
    int count = 0;
    for (const char *text; (text = test_ws_recv(worker, 20)) != NULL; count++) {
        const struct weft_json *call = test_ws_parse(worker, text);
        struct weft_slice value = weft__json_raw(weft__json_at(weft__json_get(call, "params"), 0));
        char member[64];
        snprintf(member, sizeof(member), "\"result\":%.*s", (int)value.len,
                 (const char *)value.ptr);
        answer(worker, call, member);
    }
    return count;
}

static inline int start(void **state)
{
    struct weft_server_options options;
    (void)state;
    test_in_process_options(&options);
    world = test_in_process_start(&options);
    return 0;
}

static inline int stop(void **state)
{
    (void)state;
    test_in_process_free(world);
    return 0;
}

#endif
