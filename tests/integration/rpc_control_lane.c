/* SPDX-License-Identifier: Apache-2.0 */
/* A client that reads too slowly hears what the server has to say about the connection before the
 * answers that wait for it. */
#include "rpc_support.h"

#include "base/bytes.h"

#include <sys/socket.h>
#include <unistd.h>

enum {
    CALLS_MAX = 40,
    WAITING = 1024 * 1024,
    TEXT = 900000,
    CALL_MS = 30,
    WAIT_MS = 10000,
    STEP_MS = 10
};

/* A document with |TEXT| bytes, so that small calls have large answers. */
static void make_document(const char *url)
{
    struct test_ws *ws = test_ws_connect_greeted(url);
    struct weft_bytes params;
    const struct weft_json *opened =
        test_ws_result(ws, "doc.open", "{\"doc\":\"large\",\"create\":true,\"client\":\"c\"}");
    weft__bytes_init(&params, weft_alloc_default(), SIZE_MAX);
    weft__bytes_append_str(&params, "{\"doc\":\"large\",\"client\":\"c\",\"seq\":1,\"version\":0,"
                                    "\"epoch\":");
    weft__bytes_append_slice(&params, weft__json_raw(weft__json_get(opened, "epoch")));
    weft__bytes_append_str(&params, ",\"op\":[\"");
    for (int i = 0; i < TEXT; i++)
        weft__bytes_append_byte(&params, 'x');
    weft__bytes_append(&params, "\"]}", 4);
    assert_ok(weft__bytes_error(&params));
    (void)test_ws_result(ws, "doc.submit", (const char *)params.ptr);
    weft__bytes_done(&params);
    test_ws_close(ws);
}

static uint64_t memory(const char *url)
{
    return rpc_metric(url, "weft_memory_connection_bytes");
}

/* Waits until only the connection that asks is there: what earlier ones held is freed. */
static void wait_alone(const char *url)
{
    for (int i = 0; i < WAIT_MS / STEP_MS; i++) {
        if (rpc_metric(url, "weft_connections{worker=\"0\"}") == 1)
            return;
        usleep(STEP_MS * 1000);
    }
    fail_msg("earlier connections do not end");
}

/* Waits until the connections hold |bytes|. */
static bool wait_memory(const char *url, uint64_t bytes, int wait_ms)
{
    for (int i = 0; i < wait_ms / STEP_MS; i++) {
        if (memory(url) >= bytes)
            return true;
        usleep(STEP_MS * 1000);
    }
    return memory(url) >= bytes;
}

static void goaway_passes_the_answers_that_wait(void **state)
{
    (void)state;
    struct weft_server_options options;
    test_in_process_options(&options);
    options.workers = 1;
    options.operations.drain_ms = 5000;
    struct test_in_process *world = test_in_process_start(&options);
    make_document(world->url);
    wait_alone(world->url);
    struct test_ws *ws = test_ws_connect_greeted(world->url);
    int size = 16 * 1024;
    assert_int_equal(setsockopt(test_ws_fd(ws), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
    /* One after the other until more waits at the server than one answer is, so one is not begun.
     */
    uint64_t base = memory(world->url);
    int calls = 0;
    for (; calls < CALLS_MAX && !wait_memory(world->url, base + WAITING, CALL_MS); calls++)
        rpc_send(ws, 100 + calls, "doc.fetch", "{\"doc\":\"large\"}", "");
    assert_true(wait_memory(world->url, base + WAITING, WAIT_MS));
    test_in_process_stop_begin(world);
    int before = 0, answers = 0;
    bool told = false;
    while (answers < calls) {
        const struct weft_json *message = test_ws_next(ws);
        if (weft__json_string_is(weft__json_get(message, "method"), "$/goaway"))
            told = true;
        else if (weft__json_get(message, "result"))
            answers++;
        else
            fail_msg("%.*s", 200, (const char *)weft__json_raw(message).ptr);
        before += !told;
    }
    assert_true(told);
    assert_true(before < calls);
    assert_int_equal(test_ws_wait_closed(ws, WAIT_MS), 1001);
    test_ws_close(ws);
    test_in_process_stop_wait(world);
    test_in_process_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goaway_passes_the_answers_that_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
