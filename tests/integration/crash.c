/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kill -9 of the server at any moment loses nothing acknowledged and doubles nothing: a writer
 * appends letters, one operation each; after every crash the server's text, the writer's count of
 * acknowledgements and `applied` must agree, and an operation that was on its way is resent.
 */
#include "lib/doc_client.h"
#include "lib/server_process.h"
#include "lib/test.h"

#include <time.h>

enum { CRASHES = 8, BURST_MS = 120 };

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void say_submit(struct test_doc *doc, uint64_t seq)
{
    char text[512];
    snprintf(text, sizeof(text),
             "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"doc.submit\",\"params\":{\"doc\":"
             "\"%s\",\"epoch\":\"%s\",\"client\":\"%s\",\"seq\":%llu,\"version\":%llu,\"op\":"
             "[\"x\"]}}",
             (unsigned long long)seq, doc->name, doc->epoch, doc->client, (unsigned long long)seq,
             (unsigned long long)(seq - 1));
    test_ws_send(doc->ws, text);
}

/* Submits for a while, then sends one more and kills the server before its answer is looked at.
 * Returns the last seq that was acknowledged. */
static uint64_t write_and_crash(struct test_server *server, struct test_doc *doc)
{
    uint64_t acknowledged = doc->applied;
    int64_t end = now_ms() + BURST_MS;
    while (now_ms() < end) {
        say_submit(doc, acknowledged + 1);
        const struct weft_json *answer = test_ws_next(doc->ws);
        assert_non_null(weft__json_get(answer, "result"));
        acknowledged++;
    }
    say_submit(doc, acknowledged + 1);
    test_server_kill(server);
    test_ws_cut(doc->ws);
    return acknowledged;
}

static void nothing_acknowledged_is_lost_and_nothing_is_doubled(void **state)
{
    (void)state;
    /* Segments of a few operations, so that it is also killed while it seals. */
    static const char *const args[] = {"--seal-ops", "8", NULL};
    struct test_server *server = test_server_new(args);
    uint64_t acknowledged = 0;
    for (unsigned i = 0; i < CRASHES; i++) {
        struct test_doc doc;
        test_doc_open(&doc, server->url, "crash", "writer");
        /* What was acknowledged is there; what was on its way is there or not. */
        assert_in_range(doc.applied, acknowledged, acknowledged + 1);
        assert_int_equal(doc.version, doc.applied);
        assert_int_equal(strlen(test_doc_text(&doc)), doc.applied);
        if (i > 0) {
            /* The resend of the one on its way: recognised, or applied now, once. */
            say_submit(&doc, acknowledged + 1);
            uint64_t version;
            const struct weft_json *result = weft__json_get(test_ws_next(doc.ws), "result");
            assert_true(weft__json_u53(weft__json_get(result, "version"), &version));
            assert_int_equal(version, acknowledged + 1);
            assert_int_equal(strlen(test_doc_text(&doc)), acknowledged + 1);
            doc.applied = acknowledged + 1;
        }
        acknowledged = write_and_crash(server, &doc);
        test_server_start(server);
    }
    assert_true(acknowledged > CRASHES);
    test_server_free(server);
}

static void a_clean_stop_keeps_everything(void **state)
{
    (void)state;
    struct test_server *server = test_server_new(NULL);
    struct test_doc doc;
    test_doc_open(&doc, server->url, "clean", "writer");
    for (unsigned i = 0; i < 20; i++)
        test_doc_submit(&doc, "[\"x\"]");
    test_server_stop(server);
    test_ws_close(doc.ws);
    test_server_start(server);
    test_doc_open(&doc, server->url, "clean", "writer");
    assert_int_equal(doc.applied, 20);
    test_ws_close(doc.ws);
    test_server_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_acknowledged_is_lost_and_nothing_is_doubled),
        cmocka_unit_test(a_clean_stop_keeps_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
