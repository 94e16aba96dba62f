/* SPDX-License-Identifier: Apache-2.0 */
/* The C client against a real server: calls from many threads, documents of two clients. */
#include "lib/server_process.h"
#include "lib/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <weft/client.h>

enum { THREADS = 4, CALLS = 500, PATIENCE_MS = 10000 };

static struct test_server *server;

static void connect_with(struct weft_client **ret_client, struct weft_client_options *options)
{
    char message[256] = "";
    options->url = server->url;
    options->name = "test";
    options->loop =
        strcmp(test_loop(), "uring") == 0 ? WEFT_CLIENT_LOOP_URING : WEFT_CLIENT_LOOP_EPOLL;
    int err = weft_client_connect(options, ret_client, message, sizeof(message));
    if (err)
        fail_msg("%s: %s", weft_err_name(err), message);
}

static struct weft_client *connect_client(void)
{
    struct weft_client *client = NULL;
    struct weft_client_options options;
    weft_client_options_init(&options);
    connect_with(&client, &options);
    return client;
}

/* Waits until |*counter| is |want|. */
static void wait_count(atomic_uint *counter, unsigned want)
{
    const struct timespec step = {.tv_nsec = 1000000};
    for (int i = 0; i < PATIENCE_MS && atomic_load(counter) < want; i++)
        nanosleep(&step, NULL);
    assert_int_equal(atomic_load(counter), want);
}

/* ---- Calls ---- */

struct caller {
    struct weft_client *client;
    int number;
    atomic_uint answered;
    atomic_uint wrong;
    int first_err;
};

struct one_call {
    struct caller *caller;
    int minuend;
};

static void on_answer(void *ctx, const struct weft_answer *answer)
{
    struct one_call *call = ctx;
    char want[32];
    snprintf(want, sizeof(want), "%d", call->minuend - call->caller->number);
    if (answer->status || strcmp(answer->result, want) != 0)
        atomic_fetch_add(&call->caller->wrong, 1);
    atomic_fetch_add(&call->caller->answered, 1);
    free(call);
}

static void *make_calls(void *arg)
{
    struct caller *caller = arg;
    for (int i = 0; i < CALLS; i++) {
        char params[64];
        struct one_call *call = malloc(sizeof(*call));
        *call = (struct one_call){caller, i * 1000};
        snprintf(params, sizeof(params), "[%d,%d]", call->minuend, caller->number);
        int err = weft_client_call(caller->client, "subtract", params, 0, on_answer, call);
        if (err && !caller->first_err)
            caller->first_err = err;
        if (err)
            free(call);
    }
    return NULL;
}

static void many_threads_share_one_client(void **state)
{
    (void)state;
    struct caller callers[THREADS] = {0};
    pthread_t threads[THREADS];
    struct weft_client *client = connect_client();
    for (int i = 0; i < THREADS; i++) {
        callers[i].client = client;
        callers[i].number = i + 1;
        assert_int_equal(pthread_create(&threads[i], NULL, make_calls, &callers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_ok(callers[i].first_err);
        wait_count(&callers[i].answered, CALLS);
        assert_int_equal(atomic_load(&callers[i].wrong), 0);
    }
    weft_client_close(client);
}

static void errors_come_with_all_they_say(void **state)
{
    (void)state;
    struct weft_answer *answer = NULL;
    struct weft_client *client = connect_client();
    assert_ok(weft_client_call_wait(client, "no.such.method", NULL, 0, &answer));
    assert_int_equal(answer->status, WEFT_STATUS_UNIMPLEMENTED);
    assert_int_equal(answer->executed, WEFT_EXECUTED_NO);
    assert_string_equal(answer->message, "Method not found");
    weft_answer_free(answer);
    assert_ok(weft_client_call_wait(client, "doc.fetch", "{\"doc\":\"nowhere\"}", 0, &answer));
    assert_int_equal(answer->status, WEFT_STATUS_NOT_FOUND);
    assert_string_equal(answer->reason, "weft.doc.not_found");
    weft_answer_free(answer);
    weft_client_close(client);
}

static void calls_with_a_key_are_executed_once(void **state)
{
    (void)state;
    struct weft_answer *first = NULL, *again = NULL, *other = NULL;
    struct weft_call_options options;
    struct weft_client *client = connect_client();
    weft_call_options_init(&options);
    options.idempotency_key = "library-1";
    assert_ok(weft_peer_call_wait(weft_client_peer(client), "demo.serial", NULL, &options, &first));
    assert_int_equal(first->status, 0);
    weft_client_close(client);
    client = connect_client();
    assert_ok(weft_peer_call_wait(weft_client_peer(client), "demo.serial", NULL, &options, &again));
    assert_string_equal(again->result, first->result);
    assert_ok(
        weft_peer_call_wait(weft_client_peer(client), "demo.serial", "[1]", &options, &other));
    assert_string_equal(other->reason, "weft.idem.mismatch");
    weft_answer_free(other);
    weft_answer_free(again);
    weft_answer_free(first);
    options.idempotency_key = "not a key";
    assert_err(weft_peer_call_wait(weft_client_peer(client), "demo.serial", NULL, &options, &other),
               WEFT_ERR_USAGE);
    weft_client_close(client);
}

static void a_message_over_the_servers_limit_is_not_sent(void **state)
{
    (void)state;
    struct weft_answer *answer = NULL;
    struct weft_client *client = connect_client();
    size_t len = 1024 * 1024;
    char *params = malloc(len + 5);
    assert_non_null(params);
    memset(params, 'x', len + 4);
    memcpy(params, "[\"", 2);
    memcpy(params + len + 2, "\"]", 3);
    assert_err(weft_client_call_wait(client, "demo.echo", params, 0, &answer), WEFT_ERR_TOO_BIG);
    /* Nearly as much goes there and back. */
    len -= 1024;
    memcpy(params + len + 2, "\"]", 3);
    assert_ok(weft_client_call_wait(client, "demo.echo", params, 0, &answer));
    assert_int_equal(answer->status, 0);
    assert_string_equal(answer->result, params);
    weft_answer_free(answer);
    free(params);
    weft_client_close(client);
}

static void localhost_finds_the_address_that_listens(void **state)
{
    (void)state;
    struct weft_client_options options;
    struct weft_client *client = NULL;
    char url[64];
    snprintf(url, sizeof(url), "ws://localhost:%u/ws", server->port);
    weft_client_options_init(&options);
    options.url = url;
    assert_ok(weft_client_connect(&options, &client, NULL, 0));
    weft_client_close(client);
}

/* ---- Documents ---- */

struct writer {
    struct weft_client *client;
    struct weft_client_doc *doc;
    pthread_mutex_t mutex;
    char seen[1024]; /* operations of others, in order */
    atomic_uint ops;
    atomic_uint presences;
    atomic_uint closed;
    char reason[32];
};

static void on_op(void *ctx, struct weft_client_doc *doc, const struct weft_client_doc_op *op)
{
    struct writer *writer = ctx;
    (void)doc;
    pthread_mutex_lock(&writer->mutex);
    size_t len = strlen(writer->seen);
    snprintf(writer->seen + len, sizeof(writer->seen) - len, "%llu%s ",
             (unsigned long long)op->version, op->op);
    pthread_mutex_unlock(&writer->mutex);
    atomic_fetch_add(&writer->ops, 1);
}

static void on_presence(void *ctx, struct weft_client_doc *doc, const char *params, size_t len)
{
    struct writer *writer = ctx;
    (void)doc;
    (void)params;
    (void)len;
    atomic_fetch_add(&writer->presences, 1);
}

static void on_closed(void *ctx, struct weft_client_doc *doc, const char *reason)
{
    struct writer *writer = ctx;
    (void)doc;
    snprintf(writer->reason, sizeof(writer->reason), "%s", reason);
    atomic_fetch_add(&writer->closed, 1);
}

static void writer_open(struct writer *writer, const char *name, const char *replica)
{
    static const struct weft_client_doc_callbacks callbacks = {on_op, on_presence, on_closed};
    struct weft_client_doc_options options;
    struct weft_answer *answer = NULL;
    weft_client_doc_options_init(&options);
    options.name = name;
    options.client = replica;
    options.create = 1;
    options.callbacks = &callbacks;
    options.ctx = writer;
    assert_ok(weft_client_doc_open_wait(writer->client, &options, &writer->doc, &answer));
    assert_int_equal(answer->status, 0);
    weft_answer_free(answer);
}

static void writer_init(struct writer *writer, const char *name, const char *replica)
{
    *writer = (struct writer){.mutex = PTHREAD_MUTEX_INITIALIZER};
    writer->client = connect_client();
    writer_open(writer, name, replica);
}

static uint64_t edit(struct writer *writer, uint64_t version, const char *op)
{
    uint64_t after = 0;
    struct weft_answer *answer = NULL;
    assert_ok(weft_client_doc_edit_wait(writer->doc, version, op, &after, &answer));
    if (answer->status)
        fail_msg("%s: %s", weft_status_name(answer->status), answer->message);
    weft_answer_free(answer);
    return after;
}

static void check_content(struct weft_client *client, const char *name, const char *want)
{
    char params[128];
    struct weft_answer *answer = NULL;
    snprintf(params, sizeof(params), "{\"doc\":\"%s\"}", name);
    assert_ok(weft_client_call_wait(client, "doc.fetch", params, 0, &answer));
    assert_int_equal(answer->status, 0);
    if (!strstr(answer->result, want))
        fail_msg("no %s in %s", want, answer->result);
    weft_answer_free(answer);
}

static void two_clients_see_each_others_edits(void **state)
{
    (void)state;
    struct writer a;
    struct writer b;
    writer_init(&a, "library/two", "a");
    writer_init(&b, "library/two", NULL);
    assert_string_equal(weft_client_doc_snapshot(a.doc, NULL), "\"\"");
    assert_int_equal(strlen(weft_client_doc_client(b.doc)), 32);
    assert_int_equal(edit(&a, 0, "[\"Hello\"]"), 1);
    wait_count(&b.ops, 1);
    assert_int_equal(edit(&b, 1, "[5,\" world\"]"), 2);
    wait_count(&a.ops, 1);
    /* Made at an old version: the server transforms it, and both are told their share. */
    assert_int_equal(edit(&a, 1, "[\"> \"]"), 3);
    wait_count(&b.ops, 2);
    assert_string_equal(a.seen, "2[5,\" world\"] ");
    assert_string_equal(b.seen, "1[\"Hello\"] 3[\"> \"] ");
    assert_int_equal(weft_client_doc_version(b.doc), 3);
    check_content(a.client, "library/two", "\"snapshot\":\"> Hello world\"");
    weft_client_doc_close(b.doc);
    assert_int_equal(edit(&a, 3, "[\"!\"]"), 4);
    assert_int_equal(atomic_load(&b.ops), 2);
    weft_client_close(a.client);
    weft_client_close(b.client);
}

static void presence_of_others_is_told(void **state)
{
    (void)state;
    struct writer a;
    struct writer b;
    char params[256];
    writer_init(&a, "library/presence", "a");
    writer_init(&b, "library/presence", "b");
    snprintf(params, sizeof(params),
             "{\"doc\":\"library/presence\",\"epoch\":\"%s\",\"version\":0,\"state\":{"
             "\"selections\":[{\"anchor\":0,\"head\":0}],\"name\":\"Ada\",\"color\":\"#08f\"}}",
             weft_client_doc_epoch(a.doc));
    assert_ok(weft_client_notify(a.client, "doc.presence", params));
    wait_count(&b.presences, 1);
    /* Who leaves is told as well. */
    weft_client_close(a.client);
    wait_count(&b.presences, 2);
    weft_client_close(b.client);
}

static void a_document_can_be_closed_and_opened_many_times(void **state)
{
    (void)state;
    struct writer a;
    writer_init(&a, "library/again", "a");
    for (uint64_t i = 0; i < 20; i++) {
        assert_int_equal(weft_client_doc_snapshot_version(a.doc), i);
        assert_int_equal(edit(&a, i, "[\"x\"]"), i + 1);
        weft_client_doc_close(a.doc);
        writer_open(&a, "library/again", "a");
    }
    assert_string_equal(weft_client_doc_snapshot(a.doc, NULL), "\"xxxxxxxxxxxxxxxxxxxx\"");
    weft_client_close(a.client);
}

static void hostile_operations_are_refused_and_the_next_edit_works(void **state)
{
    (void)state;
    static const char *const bad[] = {"[99]",       "[{\"d\":5}]", "[1.5,\"x\"]", "[1e300,\"x\"]",
                                      "[-1,\"x\"]", "{}",          "7",           "[\"\"]"};
    struct writer a;
    writer_init(&a, "library/hostile", "a");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint64_t version = 77;
        struct weft_answer *answer = NULL;
        assert_ok(weft_client_doc_edit_wait(a.doc, 0, bad[i], &version, &answer));
        assert_int_not_equal(answer->status, 0);
        assert_int_equal(answer->executed, WEFT_EXECUTED_NO);
        assert_int_equal(version, 0);
        weft_answer_free(answer);
    }
    assert_int_equal(edit(&a, 0, "[\"fine\"]"), 1);
    weft_client_close(a.client);
}

/* ---- The end ---- */

struct ending {
    atomic_uint closed;
    unsigned code;
};

static void on_lost(void *ctx, unsigned code, const char *reason)
{
    struct ending *ending = ctx;
    (void)reason;
    ending->code = code;
    atomic_fetch_add(&ending->closed, 1);
}

static void a_killed_server_is_noticed_and_its_successor_knows_the_edits(void **state)
{
    (void)state;
    struct writer a = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    struct ending ending = {0};
    struct weft_client_options options;
    weft_client_options_init(&options);
    options.closed = on_lost;
    options.closed_ctx = &ending;
    connect_with(&a.client, &options);
    writer_open(&a, "library/killed", "a");
    assert_int_equal(edit(&a, 0, "[\"kept\"]"), 1);
    test_server_kill(server);
    wait_count(&ending.closed, 1);
    assert_int_equal(ending.code, 1006);
    assert_int_equal(atomic_load(&a.closed), 1);
    assert_string_equal(a.reason, "connection");
    weft_client_close(a.client);
    test_server_start(server);
    a.client = connect_client();
    writer_open(&a, "library/killed", "a");
    assert_string_equal(weft_client_doc_snapshot(a.doc, NULL), "\"kept\"");
    assert_int_equal(edit(&a, 1, "[4,\"!\"]"), 2);
    weft_client_close(a.client);
}

static void a_stopping_server_says_going_away(void **state)
{
    (void)state;
    struct ending ending = {0};
    struct weft_client_options options;
    struct weft_client *client = NULL;
    weft_client_options_init(&options);
    options.closed = on_lost;
    options.closed_ctx = &ending;
    connect_with(&client, &options);
    test_server_stop(server);
    wait_count(&ending.closed, 1);
    assert_int_equal(ending.code, 1001);
    weft_client_close(client);
    test_server_start(server);
}

/* ---- */

static int start_server(void **state)
{
    (void)state;
    server = test_server_new(NULL);
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    test_server_free(server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_threads_share_one_client),
        cmocka_unit_test(errors_come_with_all_they_say),
        cmocka_unit_test(calls_with_a_key_are_executed_once),
        cmocka_unit_test(a_message_over_the_servers_limit_is_not_sent),
        cmocka_unit_test(localhost_finds_the_address_that_listens),
        cmocka_unit_test(two_clients_see_each_others_edits),
        cmocka_unit_test(presence_of_others_is_told),
        cmocka_unit_test(a_document_can_be_closed_and_opened_many_times),
        cmocka_unit_test(hostile_operations_are_refused_and_the_next_edit_works),
        cmocka_unit_test(a_killed_server_is_noticed_and_its_successor_knows_the_edits),
        cmocka_unit_test(a_stopping_server_says_going_away),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
