/* SPDX-License-Identifier: Apache-2.0 */
/* Messages without a WebSocket, docs/protocol/http.md, section 5, with real sockets. */
#include "lib/doc_client.h"
#include "lib/http_client.h"
#include "lib/in_process.h"
#include "lib/test.h"

#include <time.h>

static struct test_in_process *world;

static int start_world(void **state)
{
    struct weft_server_options options;
    (void)state;
    test_in_process_options(&options);
    options.operations.drain_ms = 2000;
    world = test_in_process_start(&options);
    return 0;
}

static int stop_world(void **state)
{
    (void)state;
    test_in_process_free(world);
    return 0;
}

/* ---- a tunnel ---- */

struct tunnel {
    struct test_http_client *events;
    struct test_http_client *posts;
    bool ended; /* the server ends |posts| with the last answer */
    char name[64];
    unsigned sequence;
    unsigned long event;
};

/* The data of the next event, which is a |name|. **Lifetime:** until the next line is read. */
static const char *next_event(struct tunnel *tunnel, const char *name)
{
    char want[64];
    const char *line;
    while ((line = test_http_line(tunnel->events)) && (line[0] == ':' || !line[0]))
        continue;
    snprintf(want, sizeof(want), "event: %s", name);
    if (!line || strcmp(line, want) != 0)
        fail_msg("wanted '%s', got '%s'", want, line ? line : "the end");
    line = test_http_line(tunnel->events);
    assert_non_null(line);
    assert_int_equal(sscanf(line, "id: %lu", &tunnel->event), 1);
    line = test_http_line(tunnel->events);
    assert_non_null(line);
    assert_memory_equal(line, "data: ", 6);
    return line + 6;
}

static const char *next_message(struct tunnel *tunnel)
{
    return next_event(tunnel, "message");
}

static void expect_message(struct tunnel *tunnel, const char *part)
{
    const char *message = next_message(tunnel);
    if (!strstr(message, part))
        fail_msg("wanted %s, got %s", part, message);
}

/* The same, over messages about the connection itself. */
static void expect_data(struct tunnel *tunnel, const char *part)
{
    const char *message;
    do
        message = next_message(tunnel);
    while (strstr(message, "\"$/ack\"") || strstr(message, "\"$/goaway\""));
    if (!strstr(message, part))
        fail_msg("wanted %s, got %s", part, message);
}

static void open_tunnel(struct tunnel *tunnel)
{
    *tunnel =
        (struct tunnel){.events = test_http_open(world->url), .posts = test_http_open(world->url)};
    assert_true(test_http_print(tunnel->events, "GET /sse HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    assert_int_equal(test_http_answer(tunnel->events), 200);
    assert_string_equal(test_http_header(tunnel->events, "Content-Type"), "text/event-stream");
    assert_int_equal(
        sscanf(next_event(tunnel, "open"), "{\"connection\":\"%63[^\"]\"}", tunnel->name), 1);
}

static void close_tunnel(struct tunnel *tunnel)
{
    test_http_close(tunnel->events);
    test_http_close(tunnel->posts);
}

static int post_as(struct tunnel *tunnel, const char *name, unsigned sequence, const char *type,
                   const char *lines)
{
    char request[4096];
    snprintf(request, sizeof(request),
             "POST /sse HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\n"
             "Weft-Connection: %s\r\nWeft-Sequence: %u\r\nContent-Length: %zu\r\n\r\n%s",
             type, name, sequence, strlen(lines), lines);
    if (tunnel->ended) {
        test_http_close(tunnel->posts);
        tunnel->posts = test_http_open(world->url);
    }
    assert_true(test_http_print(tunnel->posts, request));
    int status = test_http_answer(tunnel->posts);
    tunnel->ended = strcmp(test_http_header(tunnel->posts, "Connection"), "close") == 0;
    return status;
}

static void post(struct tunnel *tunnel, const char *lines)
{
    assert_int_equal(
        post_as(tunnel, tunnel->name, ++tunnel->sequence, "application/x-ndjson", lines), 204);
}

static void greet(struct tunnel *tunnel, const char *more)
{
    char text[600];
    snprintf(text, sizeof(text),
             "{\"jsonrpc\":\"2.0\",\"id\":\"h\",\"method\":\"$/hello\",\"params\":{\"v\":[1,1]%s}}",
             more);
    post(tunnel, text);
}

/* The metric, of both workers. */
static unsigned long open_tunnels(void)
{
    static const char name[] = "\nweft_tunnels{worker=";
    const struct timespec pause = {.tv_nsec = 50000000};
    nanosleep(&pause, NULL); /* numbers are published at the end of a tick */
    char *text = test_http(world->url, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n"
                                       "Connection: close\r\n\r\n");
    unsigned long sum = 0;
    for (const char *at = text; (at = strstr(at, name)) != NULL; at++)
        sum += strtoul(at + sizeof(name) + 4, NULL, 10);
    free(text);
    return sum;
}

/* ---- tests ---- */

static void it_carries_calls_and_their_answers(void **state)
{
    (void)state;
    struct tunnel tunnel;
    open_tunnel(&tunnel);
    post(&tunnel, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"subtract\",\"params\":[42,23]}");
    expect_message(&tunnel, "\"id\":1,\"result\":19");
    /* Several in one request, in their order; empty lines and CR are nothing. */
    post(&tunnel, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"sum\",\"params\":[1,2]}\r\n\n"
                  "{\"jsonrpc\":\"2.0\",\"method\":\"notify_hello\",\"params\":[7]}\n"
                  "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"sum\",\"params\":[3,4]}\n");
    expect_message(&tunnel, "\"id\":2,\"result\":3");
    expect_message(&tunnel, "\"id\":3,\"result\":7");
    post(&tunnel, "{");
    expect_message(&tunnel, "-32700");
    assert_int_equal(tunnel.event, 5); /* the opening was the first */
    assert_int_equal(open_tunnels(), 1);
    close_tunnel(&tunnel);
}

static void it_carries_items_both_ways(void **state)
{
    (void)state;
    struct tunnel tunnel;
    open_tunnel(&tunnel);
    greet(&tunnel, "");
    expect_message(&tunnel, "\"id\":\"h\",\"result\":{");
    post(&tunnel,
         "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"demo.mirror\"}\n"
         "{\"jsonrpc\":\"2.0\",\"method\":\"$/item\",\"params\":{\"id\":1,\"value\":{\"a\":"
         "[1]}}}\n"
         "{\"jsonrpc\":\"2.0\",\"method\":\"$/end\",\"params\":{\"id\":1}}");
    expect_message(&tunnel, "\"value\":{\"a\":[1]}");
    expect_message(&tunnel, "\"id\":1,\"result\":null");
    close_tunnel(&tunnel);
}

static void it_hears_of_changes_to_its_documents(void **state)
{
    (void)state;
    struct tunnel tunnel;
    struct test_doc doc;
    test_doc_open(&doc, world->url, "tunnel", "other-client-000000001");
    open_tunnel(&tunnel);
    greet(&tunnel, "");
    expect_message(&tunnel, "\"id\":\"h\",\"result\":{");
    post(&tunnel, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"doc.open\",\"params\":{\"doc\":"
                  "\"tunnel\",\"client\":\"tunnel-client-00000001\"}}");
    expect_message(&tunnel, "\"id\":1,\"result\":{");
    for (unsigned i = 1; i <= 50; i++) {
        char want[32];
        const char *message;
        (void)test_doc_submit(&doc, "[\"x\"]");
        snprintf(want, sizeof(want), "\"version\":%u", i);
        do
            message = next_message(&tunnel);
        while (!strstr(message, "\"doc.op\""));
        assert_non_null(strstr(message, want));
    }
    test_ws_close(doc.ws);
    close_tunnel(&tunnel);
}

static void a_session_goes_on_over_the_next_one_whatever_its_worker(void **state)
{
    (void)state;
    unsigned workers[2] = {0, 0};
    for (int i = 0; i < 40 && (workers[0] < 3 || workers[1] < 3); i++) {
        struct tunnel one, two;
        char token[128] = "", resume[200];
        open_tunnel(&one);
        greet(&one, ",\"features\":[\"resume\"]");
        const char *at = strstr(next_message(&one), "\"resume_token\":\"");
        assert_non_null(at);
        assert_int_equal(sscanf(at, "\"resume_token\":\"%127[^\"]\"", token), 1);
        post(&one, "{\"jsonrpc\":\"2.0\",\"id\":1,\"n\":1,\"method\":\"demo.sleep\",\"params\":["
                   "50]}");
        test_http_cut(one.events);
        test_http_close(one.posts);
        open_tunnel(&two);
        snprintf(resume, sizeof(resume),
                 ",\"features\":[\"resume\"],\"resume\":{\"token\":\"%s\",\"seen\":0}", token);
        greet(&two, resume);
        expect_data(&two, "\"resumed\":true");
        expect_data(&two, "\"id\":1,");
        workers[one.name[0] == two.name[0]]++;
        close_tunnel(&two);
    }
    assert_true(workers[0] >= 1 && workers[1] >= 1);
}

static void a_request_that_is_repeated_is_taken_once(void **state)
{
    (void)state;
    static const char call[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"demo.serial\"}";
    static const char next[] = "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"sum\",\"params\":[1]}";
    struct tunnel tunnel;
    open_tunnel(&tunnel);
    post(&tunnel, call);
    for (int i = 0; i < 3; i++)
        assert_int_equal(post_as(&tunnel, tunnel.name, 1, "application/x-ndjson", call), 204);
    assert_int_equal(post_as(&tunnel, tunnel.name, 3, "application/x-ndjson", call), 409);
    assert_non_null(strstr(test_http_body(tunnel.posts), "weft.http.sequence"));
    post(&tunnel, next);
    expect_message(&tunnel, "\"id\":1,");
    expect_message(&tunnel, "\"id\":2,");
    close_tunnel(&tunnel);
}

static void expect_refused(struct tunnel *tunnel, int status, const char *reason)
{
    if (!strstr(test_http_body(tunnel->posts), reason))
        fail_msg("no %s in %d %s", reason, status, test_http_body(tunnel->posts));
}

static void unfit_requests_are_refused_and_harm_nobody(void **state)
{
    (void)state;
    static const char *const names[] = {"9-x",         "x", "-", "0-", "0-AAAAAAAAAAAAAAAAAAAAAAAA",
                                        "4294967296-x"};
    static const char line[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sum\",\"params\":[1]}";
    struct tunnel tunnel;
    open_tunnel(&tunnel);
    for (size_t i = 0; i < WEFT_ARRAY_LEN(names); i++) {
        assert_int_equal(post_as(&tunnel, names[i], 1, "application/x-ndjson", line), 404);
        expect_refused(&tunnel, 404, "weft.http.connection");
    }
    assert_int_equal(post_as(&tunnel, tunnel.name, 1, "application/json", line), 415);
    assert_int_equal(post_as(&tunnel, tunnel.name, 0, "application/x-ndjson", line), 400);
    expect_refused(&tunnel, 400, "weft.http.header");
    assert_int_equal(post_as(&tunnel, "", 1, "application/x-ndjson", line), 400);
    post(&tunnel, line);
    expect_message(&tunnel, "\"id\":1,\"result\":1");
    close_tunnel(&tunnel);
}

static void only_those_who_may_get_one(void **state)
{
    (void)state;
    struct test_http_client *http = test_http_open(world->url);
    assert_true(test_http_print(http, "PUT /sse HTTP/1.1\r\nHost: localhost\r\n"
                                      "Content-Length: 0\r\n\r\n"));
    assert_int_equal(test_http_answer(http), 405);
    assert_string_equal(test_http_header(http, "Allow"), "GET, POST");
    test_http_close(http);
    http = test_http_open(world->url);
    assert_true(test_http_print(http, "GET /sse HTTP/1.1\r\nHost: localhost\r\n"
                                      "Origin: http://evil.example\r\n\r\n"));
    assert_int_equal(test_http_answer(http), 403);
    test_http_close(http);
    /* An EventSource that comes back is told to stop. */
    http = test_http_open(world->url);
    assert_true(test_http_print(http, "GET /sse HTTP/1.1\r\nHost: localhost\r\n"
                                      "Last-Event-ID: 4\r\n\r\n"));
    assert_int_equal(test_http_answer(http), 204);
    test_http_close(http);
}

static void text_that_is_not_utf_8_closes_it(void **state)
{
    (void)state;
    struct tunnel tunnel;
    open_tunnel(&tunnel);
    post(&tunnel, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sum\",\"params\":[\"\xff\"]}");
    assert_string_equal(next_event(&tunnel, "close"), "{\"code\":1007,\"reason\":\"not UTF-8\"}");
    assert_string_equal(test_http_line(tunnel.events), "");
    assert_null(test_http_line(tunnel.events));
    assert_int_equal(post_as(&tunnel, tunnel.name, 2, "application/x-ndjson", "{}"), 404);
    close_tunnel(&tunnel);
}

static void one_that_is_gone_is_unknown(void **state)
{
    (void)state;
    struct tunnel tunnel;
    open_tunnel(&tunnel);
    test_http_cut(tunnel.events);
    int status = 204;
    for (int i = 1; i <= 200 && status == 204; i++) {
        const struct timespec pause = {.tv_nsec = 5000000};
        nanosleep(&pause, NULL);
        status = post_as(&tunnel, tunnel.name, (unsigned)i, "application/x-ndjson", "\n");
    }
    assert_int_equal(status, 404);
    test_http_close(tunnel.posts);
}

static void clients_are_told_that_the_server_stops(void **state)
{
    (void)state;
    struct tunnel tunnel;
    open_tunnel(&tunnel);
    greet(&tunnel, "");
    expect_message(&tunnel, "\"id\":\"h\",\"result\":{");
    test_in_process_stop_begin(world);
    expect_message(&tunnel, "\"$/goaway\"");
    assert_non_null(strstr(next_event(&tunnel, "close"), "\"code\":1001"));
    close_tunnel(&tunnel);
    test_in_process_stop_wait(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_carries_calls_and_their_answers),
        cmocka_unit_test(it_carries_items_both_ways),
        cmocka_unit_test(it_hears_of_changes_to_its_documents),
        cmocka_unit_test(a_session_goes_on_over_the_next_one_whatever_its_worker),
        cmocka_unit_test(a_request_that_is_repeated_is_taken_once),
        cmocka_unit_test(unfit_requests_are_refused_and_harm_nobody),
        cmocka_unit_test(only_those_who_may_get_one),
        cmocka_unit_test(text_that_is_not_utf_8_closes_it),
        cmocka_unit_test(one_that_is_gone_is_unknown),
        cmocka_unit_test(clients_are_told_that_the_server_stops),
    };
    return cmocka_run_group_tests(tests, start_world, stop_world);
}
