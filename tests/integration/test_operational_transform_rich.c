/* SPDX-License-Identifier: Apache-2.0 */
/* Rich text over real connections: several people edit at once and see one document; a refused
 * operation changes nothing. */
#include "lib/doc_client.h"
#include "lib/server_process.h"
#include "unit/ot/rich_model.h"

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

/* A replica of a rich text. It edits first, at the version it knows, and moves operations of others
 * past its own as they come in: what the server has goes first. */
struct replica {
    struct test_doc doc;
    void *text;
    uint64_t seen;
};

static const struct weft_json *fetch(struct replica *r)
{
    char params[128];
    snprintf(params, sizeof(params), "{\"doc\":\"%s\"}", r->doc.name);
    return test_ws_result(r->doc.ws, "doc.fetch", params);
}

static void replica_open(struct replica *r, const char *name, const char *client)
{
    char params[256];
    *r = (struct replica){.doc = {.ws = test_ws_connect_greeted(server->url)}};
    snprintf(r->doc.name, sizeof(r->doc.name), "%s", name);
    snprintf(r->doc.client, sizeof(r->doc.client), "%s", client);
    snprintf(params, sizeof(params),
             "{\"doc\":\"%s\",\"client\":\"%s\",\"type\":\"rich\",\"create\":true}", name, client);
    const struct weft_json *result = test_ws_result(r->doc.ws, "doc.open", params);
    assert_true(weft__json_string_is(weft__json_get(result, "type"), "rich"));
    struct weft_slice epoch = weft__json_string(weft__json_get(result, "epoch"));
    snprintf(r->doc.epoch, sizeof(r->doc.epoch), "%.*s", (int)epoch.len, (const char *)epoch.ptr);
    assert_true(weft__json_u53(weft__json_get(result, "applied"), &r->doc.seq));
    result = fetch(r);
    assert_true(weft__json_u53(weft__json_get(result, "version"), &r->seen));
    assert_ok(
        rich->doc_new(weft_alloc_default(), weft__json_get(result, "snapshot"), &r->text, NULL));
}

static void replica_close(struct replica *r)
{
    test_ws_close(r->doc.ws);
    rich->doc_free(r->text);
}

/* Takes the next operation of others; |*pending| is placed behind it. */
static void replica_take(struct replica *r, void **pending)
{
    const struct weft_json *params = test_doc_wait(&r->doc, "doc.op", 5000);
    void *op;
    uint64_t version = 0;
    assert_non_null(params);
    assert_true(weft__json_u53(weft__json_get(params, "version"), &version));
    assert_int_equal(version, r->seen + 1);
    assert_ok(rich->op_parse(weft_alloc_default(), weft__json_get(params, "op"), &op, NULL));
    if (pending) {
        void *seen = transform(op, *pending, WEFT_OT_SIDE_LEFT);
        void *rebased = transform(*pending, op, WEFT_OT_SIDE_RIGHT);
        rich->op_free(*pending);
        rich->op_free(op);
        *pending = rebased;
        op = seen;
    }
    assert_ok(rich->doc_apply(r->text, op, NULL));
    rich->op_free(op);
    r->seen = version;
}

/* Edits with |op|, which it frees, and settles it with the server. */
static void replica_edit(struct replica *r, void *op)
{
    char *json = json_of(op, NULL);
    assert_ok(rich->doc_apply(r->text, op, NULL));
    r->doc.version = r->seen;
    uint64_t version = test_doc_submit(&r->doc, json);
    while (r->seen + 1 < version)
        replica_take(r, &op);
    assert_int_equal(version, r->seen + 1);
    r->seen = version;
    rich->op_free(op);
    free(json);
}

static void replica_follow(struct replica *r, uint64_t version)
{
    while (r->seen < version)
        replica_take(r, NULL);
}

/* The server has what |r| has, at the same version. */
static void assert_settled(struct replica *r)
{
    const struct weft_json *result = fetch(r);
    uint64_t version = 0;
    void *text;
    assert_true(weft__json_u53(weft__json_get(result, "version"), &version));
    assert_int_equal(version, r->seen);
    assert_ok(rich->doc_new(weft_alloc_default(), weft__json_get(result, "snapshot"), &text, NULL));
    assert_true(same_docs(text, r->text));
    rich->doc_free(text);
}

/* Both insert at the beginning, colour the same word and edit inside one embed. */
static void two_people_edit_at_once_and_see_one_document(void **state)
{
    (void)state;
    static const char want[] =
        "[{\"insert\":\"AB\"},"
        "{\"insert\":\"plan\",\"attributes\":{\"bold\":true,\"color\":\"red\"}},"
        "{\"insert\":{\"delta\":[{\"insert\":\"1c2\"}]}},{\"insert\":\"\\n\"}]";
    struct replica a;
    struct replica b;
    replica_open(&a, "rich-two", "a");
    replica_edit(&a, op_of("{\"ops\":[{\"insert\":\"plan\"},"
                           "{\"insert\":{\"delta\":[{\"insert\":\"c\"}]}},{\"insert\":\"\\n\"}]}"));
    replica_open(&b, "rich-two", "b");
    replica_edit(&a, op_of("{\"ops\":[{\"insert\":\"A\"},"
                           "{\"retain\":4,\"attributes\":{\"color\":\"blue\",\"bold\":true}},"
                           "{\"retain\":{\"delta\":[{\"insert\":\"1\"}]}}]}"));
    replica_edit(&a, op_of("{\"ops\":[{\"retain\":1},"
                           "{\"retain\":4,\"attributes\":{\"color\":\"red\"}}]}"));
    replica_edit(&b, op_of("{\"ops\":[{\"insert\":\"B\"},"
                           "{\"retain\":4,\"attributes\":{\"color\":\"green\"}},"
                           "{\"retain\":{\"delta\":[{\"retain\":1},{\"insert\":\"2\"}]}}]}"));
    replica_follow(&a, b.seen);
    assert_true(same_docs(a.text, b.text));
    assert_settled(&a);
    assert_settled(&b);
    assert_doc_is(a.text, want);
    replica_close(&a);
    replica_close(&b);
}

static void refused_operation_changes_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *op;
        const char *status;
    } cases[] = {
        {"5", "invalid_argument"},
        {"null", "invalid_argument"},
        {"[1e300,\"x\"]", "invalid_argument"},
        {"[{\"insert\":\"\"}]", "invalid_argument"},
        {"[{\"retain\":1e300}]", "invalid_argument"},
        {"[{\"retain\":2},{\"insert\":\"x\"}]", "invalid_argument"}, /* inside a character */
        {"[{\"delete\":5}]", "out_of_range"},
        {"[{\"retain\":{\"delta\":[{\"insert\":\"x\"}]}}]", "failed_precondition"},
    };
    struct replica a;
    replica_open(&a, "rich-refused", "a");
    replica_edit(&a, op_of("[{\"insert\":\"a\xf0\x9f\x98\x80!\"}]"));
    for (size_t i = 0; i < WEFT_ARRAY_LEN(cases); i++) {
        char params[512];
        snprintf(params, sizeof(params),
                 "{\"doc\":\"%s\",\"epoch\":\"%s\",\"client\":\"a\",\"seq\":2,\"version\":1,"
                 "\"op\":%s}",
                 a.doc.name, a.doc.epoch, cases[i].op);
        assert_string_equal(test_ws_error(a.doc.ws, "doc.submit", params), cases[i].status);
    }
    assert_settled(&a);
    replica_edit(&a, op_of("[{\"retain\":3},{\"delete\":1}]"));
    assert_settled(&a);
    replica_close(&a);
}

/* Attributes stay with each of many short runs: a small operation cannot make a large document. */
static void attributes_count_as_content(void **state)
{
    (void)state;
    enum { RUNS = 200 };
    static char params[32 * 1024];
    struct replica a;
    struct weft_bytes runs;
    replica_open(&a, "rich-large", "a");
    weft__bytes_init(&runs, weft_alloc_default(), SIZE_MAX);
    weft__bytes_append_byte(&runs, '[');
    for (unsigned i = 0; i < RUNS; i++) {
        weft__bytes_append_str(&runs, i ? "," : "");
        weft__bytes_append_str(&runs, i % 2 ? "{\"insert\":\"b\",\"attributes\":{\"b\":1}}"
                                            : "{\"insert\":\"a\"}");
    }
    weft__bytes_append_byte(&runs, ']');
    weft__bytes_append_byte(&runs, 0);
    assert_ok(weft__bytes_error(&runs));
    replica_edit(&a, op_of((const char *)runs.ptr));
    weft__bytes_done(&runs);
    snprintf(params, sizeof(params),
             "{\"doc\":\"%s\",\"epoch\":\"%s\",\"client\":\"a\",\"seq\":2,\"version\":1,"
             "\"op\":[{\"retain\":%d,\"attributes\":{\"x\":\"%015000d\"}}]}",
             a.doc.name, a.doc.epoch, RUNS, 0);
    assert_string_equal(test_ws_error(a.doc.ws, "doc.submit", params), "out_of_range");
    assert_settled(&a);
    replica_close(&a);
}

static void random_edits_converge(void **state)
{
    (void)state;
    enum { ROUNDS = 200, LONG = 100 };
    struct replica replicas[3];
    uint64_t head = 0;
    struct test_random rng;
    test_random_init(&rng, "rich replicas");
    for (size_t i = 0; i < WEFT_ARRAY_LEN(replicas); i++) {
        char client[16];
        snprintf(client, sizeof(client), "client-%zu", i);
        replica_open(&replicas[i], "rich-random", client);
    }
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct replica *r = &replicas[test_random_below(&rng, WEFT_ARRAY_LEN(replicas))];
        char shorten[64];
        if (test_random_one_in(&rng, 3))
            replica_follow(r, r->seen + test_random_size(&rng, 0, (size_t)(head - r->seen)));
        uint64_t length = rich->doc_length(r->text);
        snprintf(shorten, sizeof(shorten), "[{\"delete\":%llu}]", (unsigned long long)length);
        replica_edit(r, length > LONG ? op_of(shorten) : random_op(&rng, r->text, 4));
        head = r->seen;
    }
    for (size_t i = 0; i < WEFT_ARRAY_LEN(replicas); i++) {
        replica_follow(&replicas[i], head);
        assert_settled(&replicas[i]);
        replica_close(&replicas[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_people_edit_at_once_and_see_one_document),
        cmocka_unit_test(refused_operation_changes_nothing),
        cmocka_unit_test(attributes_count_as_content),
        cmocka_unit_test(random_edits_converge),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
