/* SPDX-License-Identifier: Apache-2.0 */
/* Changes reach everybody, in order, once, on whatever worker the document and its readers are. */
#include "lib/doc_client.h"
#include "lib/server_process.h"
#include "lib/test.h"

static struct test_server *server;

static int start(void **state)
{
    static const char *const args[] = {"--workers", "2", NULL};
    (void)state;
    server = test_server_new(args);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    test_server_free(server);
    return 0;
}

static void every_subscriber_gets_every_operation_once_and_in_order(void **state)
{
    (void)state;
    enum { READERS = 20, OPS = 50 };
    struct test_doc writer;
    struct test_doc readers[READERS];
    char name[16];
    test_doc_open(&writer, server->url, "broadcast", "writer");
    for (unsigned i = 0; i < READERS; i++) {
        snprintf(name, sizeof(name), "reader-%u", i);
        test_doc_open(&readers[i], server->url, "broadcast", name);
    }
    for (unsigned i = 0; i < OPS; i++)
        assert_int_equal(test_doc_submit(&writer, "[\"x\"]"), i + 1);
    for (unsigned i = 0; i < READERS; i++) {
        for (unsigned v = 1; v <= OPS; v++) {
            uint64_t version;
            const struct weft_json *params = test_doc_wait(&readers[i], "doc.op", 5000);
            assert_non_null(params);
            assert_true(weft__json_u53(weft__json_get(params, "version"), &version));
            assert_int_equal(version, v);
            assert_true(weft__json_string_is(weft__json_get(weft__json_get(params, "by"), "client"),
                                             "writer"));
        }
        test_ws_close(readers[i].ws);
    }
    assert_null(test_ws_recv(writer.ws, 100));
    test_ws_close(writer.ws);
}

static void a_late_reader_opens_at_the_present_version_and_misses_nothing(void **state)
{
    (void)state;
    struct test_doc writer;
    struct test_doc reader;
    uint64_t version;
    test_doc_open(&writer, server->url, "late", "writer");
    for (unsigned i = 0; i < 10; i++)
        test_doc_submit(&writer, "[\"x\"]");
    test_doc_open(&reader, server->url, "late", "reader");
    assert_int_equal(reader.version, 10);
    test_doc_submit(&writer, "[\"y\"]");
    const struct weft_json *params = test_doc_wait(&reader, "doc.op", 5000);
    assert_true(weft__json_u53(weft__json_get(params, "version"), &version));
    assert_int_equal(version, 11);
    assert_string_equal(test_doc_text(&reader), "yxxxxxxxxxx");
    test_ws_close(writer.ws);
    test_ws_close(reader.ws);
}

static void a_closed_document_sends_no_more(void **state)
{
    (void)state;
    struct test_doc writer;
    struct test_doc reader;
    test_doc_open(&writer, server->url, "closing", "writer");
    test_doc_open(&reader, server->url, "closing", "reader");
    test_ws_result(reader.ws, "doc.close", "{\"doc\":\"closing\"}");
    test_doc_submit(&writer, "[\"x\"]");
    assert_null(test_ws_recv(reader.ws, 200));
    test_ws_close(writer.ws);
    test_ws_close(reader.ws);
}

static uint64_t metric(const char *metrics, const char *name, unsigned worker)
{
    char want[96];
    snprintf(want, sizeof(want), "\n%s{worker=\"%u\"} ", name, worker);
    const char *at = strstr(metrics, want);
    assert_non_null(at);
    return strtoull(at + strlen(want), NULL, 10);
}

/* Edits documents until each worker has owned one that a connection of the other worker edited; the
 * counters of the workers prove it. */
static void documents_are_edited_from_workers_that_do_not_own_them(void **state)
{
    (void)state;
    enum { DOCUMENTS = 24 };
    uint64_t sent[2];
    uint64_t received[2];
    uint64_t submits[2];
    char name[32];
    for (unsigned i = 0; i < DOCUMENTS; i++) {
        struct test_doc doc;
        snprintf(name, sizeof(name), "worker-%u", i);
        test_doc_open(&doc, server->url, name, "writer");
        assert_int_equal(test_doc_submit(&doc, "[\"hello\"]"), 1);
        assert_string_equal(test_doc_text(&doc), "hello");
        test_ws_close(doc.ws);
    }
    char *metrics = test_http(server->url, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n"
                                           "Connection: close\r\n\r\n");
    for (unsigned w = 0; w < 2; w++) {
        sent[w] = metric(metrics, "weft_worker_messages_sent_total", w);
        received[w] = metric(metrics, "weft_worker_messages_received_total", w);
        submits[w] = metric(metrics, "weft_doc_submits_total", w);
    }
    free(metrics);
    /* Both own documents, and both were asked by the other one. */
    assert_true(submits[0] > 0 && submits[1] > 0);
    assert_true(submits[0] + submits[1] >= DOCUMENTS);
    assert_true(sent[0] + sent[1] > 0);
    assert_true(received[0] + received[1] > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_subscriber_gets_every_operation_once_and_in_order),
        cmocka_unit_test(a_late_reader_opens_at_the_present_version_and_misses_nothing),
        cmocka_unit_test(a_closed_document_sends_no_more),
        cmocka_unit_test(documents_are_edited_from_workers_that_do_not_own_them),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
