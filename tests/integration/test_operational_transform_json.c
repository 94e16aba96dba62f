/* SPDX-License-Identifier: Apache-2.0 */
/* JSON documents over real connections: several people edit at once and see one document; a refused
 * operation changes nothing. */
#include "lib/doc_client.h"
#include "lib/server_process.h"
#include "unit/ot/json_model.h"

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

/* A replica of a JSON document. It edits first, at the version it knows, and moves operations of
 * others past its own as they come in. */
struct replica {
    struct test_doc doc;
    struct weft_tree_value *value;
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
             "{\"doc\":\"%s\",\"client\":\"%s\",\"type\":\"json\",\"create\":true}", name, client);
    const struct weft_json *result = test_ws_result(r->doc.ws, "doc.open", params);
    assert_true(weft__json_string_is(weft__json_get(result, "type"), "json"));
    struct weft_slice epoch = weft__json_string(weft__json_get(result, "epoch"));
    snprintf(r->doc.epoch, sizeof(r->doc.epoch), "%.*s", (int)epoch.len, (const char *)epoch.ptr);
    assert_true(weft__json_u53(weft__json_get(result, "applied"), &r->doc.seq));
    result = fetch(r);
    assert_true(weft__json_u53(weft__json_get(result, "version"), &r->seen));
    assert_ok(weft__tree_from_json(weft_alloc_default(), weft__json_get(result, "snapshot"),
                                   &r->value, NULL));
}

static void replica_close(struct replica *r)
{
    test_ws_close(r->doc.ws);
    weft__tree_unref(r->value);
}

static void replica_apply(struct replica *r, const struct weft_tree_op *op)
{
    struct weft_tree_value *next = after(r->value, op);
    weft__tree_unref(r->value);
    r->value = next;
}

static struct weft_tree_op *transform(const struct weft_tree_op *op,
                                      const struct weft_tree_op *other, enum weft_ot_side side)
{
    struct weft_tree_op *result;
    assert_ok(weft__tree_transform(weft_alloc_default(), op, other, side, NULL, &result, NULL));
    return result;
}

/* Takes the next operation of others; |*pending| is placed behind it. */
static void replica_take(struct replica *r, struct weft_tree_op **pending)
{
    const struct weft_json *params = test_doc_wait(&r->doc, "doc.op", 5000);
    struct weft_tree_op *op;
    uint64_t version = 0;
    assert_non_null(params);
    assert_true(weft__json_u53(weft__json_get(params, "version"), &version));
    assert_int_equal(version, r->seen + 1);
    assert_ok(weft__tree_parse(weft_alloc_default(), weft__json_get(params, "op"), &op, NULL));
    if (pending) {
        struct weft_tree_op *seen = transform(op, *pending, WEFT_OT_SIDE_RIGHT);
        struct weft_tree_op *rebased = transform(*pending, op, WEFT_OT_SIDE_LEFT);
        weft__tree_op_free(*pending);
        weft__tree_op_free(op);
        *pending = rebased;
        op = seen;
    }
    replica_apply(r, op);
    weft__tree_op_free(op);
    r->seen = version;
}

/* Edits with |op|, which it frees, and settles it with the server. */
static void replica_edit(struct replica *r, struct weft_tree_op *op)
{
    char *json = json_of(op, NULL);
    replica_apply(r, op);
    r->doc.version = r->seen;
    uint64_t version = test_doc_submit(&r->doc, json);
    while (r->seen + 1 < version)
        replica_take(r, &op);
    assert_int_equal(version, r->seen + 1);
    r->seen = version;
    weft__tree_op_free(op);
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
    struct weft_tree_value *value;
    assert_true(weft__json_u53(weft__json_get(result, "version"), &version));
    assert_int_equal(version, r->seen);
    assert_ok(weft__tree_from_json(weft_alloc_default(), weft__json_get(result, "snapshot"), &value,
                                   NULL));
    assert_true(weft__tree_equal(value, r->value));
    weft__tree_unref(value);
}

static void two_people_edit_at_once_and_see_one_document(void **state)
{
    (void)state;
    struct replica a;
    struct replica b;
    replica_open(&a, "json-two", "a");
    replica_edit(&a, op_of("[{\"r\":true,\"i\":{\"list\":[1,2,3],\"title\":\"plan\"}}]"));
    replica_open(&b, "json-two", "b");
    replica_edit(&a, op_of("[[\"first\",{\"d\":0}],[\"list\",0,{\"p\":0}]]"));
    replica_edit(&a, op_of("[\"title\",{\"es\":[4,\"!\"]}]"));
    replica_edit(&b, op_of("[[\"list\",0,{\"ena\":41}],[\"title\",{\"es\":[\"the \"]}]]"));
    replica_follow(&a, b.seen);
    assert_value_is(a.value, "{\"first\":42,\"list\":[2,3],\"title\":\"the plan!\"}");
    assert_value_is(b.value, "{\"first\":42,\"list\":[2,3],\"title\":\"the plan!\"}");
    assert_settled(&a);
    replica_close(&a);
    replica_close(&b);
}

static void refused_operation_changes_nothing(void **state)
{
    (void)state;
    static const char *const ops[] = {"5",
                                      "[]",
                                      "[1e300,\"x\"]",
                                      "[\"a\",{\"r\":true}]",
                                      "[\"a\",{\"es\":[\"x\"]}]",
                                      "[7,{\"i\":1}]"};
    struct replica a;
    replica_open(&a, "json-refused", "a");
    for (size_t i = 0; i < WEFT_ARRAY_LEN(ops); i++) {
        char params[512];
        snprintf(params, sizeof(params),
                 "{\"doc\":\"%s\",\"epoch\":\"%s\",\"client\":\"a\",\"seq\":1,\"version\":0,"
                 "\"op\":%s}",
                 a.doc.name, a.doc.epoch, ops[i]);
        assert_string_equal(test_ws_error(a.doc.ws, "doc.submit", params),
                            i < 3 ? "invalid_argument" : "failed_precondition");
    }
    assert_settled(&a);
    replica_edit(&a, op_of("[{\"i\":{\"__proto__\":1}}]"));
    assert_settled(&a);
    replica_close(&a);
}

static void random_edits_converge(void **state)
{
    (void)state;
    enum { ROUNDS = 200 };
    struct replica replicas[3];
    uint64_t head = 0;
    struct test_random rng;
    test_random_init(&rng, "json replicas");
    for (size_t i = 0; i < WEFT_ARRAY_LEN(replicas); i++) {
        char client[16];
        snprintf(client, sizeof(client), "client-%zu", i);
        replica_open(&replicas[i], "json-random", client);
    }
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct replica *r = &replicas[test_random_below(&rng, WEFT_ARRAY_LEN(replicas))];
        if (test_random_one_in(&rng, 3))
            replica_follow(r, r->seen + test_random_size(&rng, 0, (size_t)(head - r->seen)));
        bool fresh = !weft__tree_is_container(r->value);
        replica_edit(r, fresh ? op_of("[{\"r\":true,\"i\":{\"list\":[1,\"two\"],\"a\":{}}}]")
                              : random_part(&rng, r->value));
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
        cmocka_unit_test(random_edits_converge),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
