/* SPDX-License-Identifier: Apache-2.0 */
/* Documents of the client against a server that says things in every order. */
#include "scripted_server.h"

#include <weft/client.h>

static const char OPENED[] = "\"result\":{\"doc\":\"d\",\"epoch\":\"e0\",\"type\":\"text\","
                             "\"version\":5,\"applied\":3,\"snapshot\":\"a\\nb\"}";

struct world {
    struct script script;
    struct event_log log;
    struct weft_client *client;
    struct weft_client_doc *doc;
    struct weft_client_doc_options options;
    bool close_in_op; /* the callback of an operation closes the document */
};

/* ---- Callbacks ---- */

static void on_op(void *ctx, struct weft_client_doc *doc, const struct weft_client_doc_op *op)
{
    struct world *world = ctx;
    uint64_t version = weft_client_doc_version(doc);
    /* Closed first: the test goes on as soon as the log says so. */
    if (world->close_in_op)
        weft_client_doc_close(doc);
    log_add(&world->log, "op%llu:%s by %s/%s/%llu ", (unsigned long long)op->version, op->op,
            op->author, op->client, (unsigned long long)op->seq);
    if (version != op->version)
        log_add(&world->log, "(version %llu) ", (unsigned long long)version);
}

static void on_presence(void *ctx, struct weft_client_doc *doc, const char *params, size_t len)
{
    struct world *world = ctx;
    (void)doc;
    log_add(&world->log, "presence:%.*s ", (int)len, params);
}

static void on_doc_closed(void *ctx, struct weft_client_doc *doc, const char *reason)
{
    struct world *world = ctx;
    (void)doc;
    log_add(&world->log, "closed:%s ", reason);
}

static void on_edited(void *ctx, struct weft_client_doc *doc, uint64_t version,
                      const struct weft_answer *answer)
{
    struct world *world = ctx;
    log_add(&world->log, "edited%llu:%s%s ", (unsigned long long)version,
            weft_status_name(answer->status), doc ? "" : ":gone");
}

static const struct weft_client_doc_callbacks callbacks = {
    .op = on_op, .presence = on_presence, .closed = on_doc_closed};

/* ---- The world ---- */

static void world_init(struct world *world, void (*run)(struct script *script))
{
    struct weft_client_options options;
    *world = (struct world){.script = {.run = run}};
    log_init(&world->log);
    script_start(&world->script);
    weft_client_options_init(&options);
    options.url = world->script.url;
    options.call_timeout_ms = 5000;
    assert_ok(weft_client_connect(&options, &world->client, NULL, 0));
    weft_client_doc_options_init(&world->options);
    world->options.name = "d";
    world->options.client = "me";
    world->options.create = 1;
    world->options.callbacks = &callbacks;
    world->options.ctx = world;
}

static void world_open(struct world *world)
{
    struct weft_answer *answer = NULL;
    assert_ok(weft_client_doc_open_wait(world->client, &world->options, &world->doc, &answer));
    assert_int_equal(answer->status, 0);
    assert_non_null(world->doc);
    weft_answer_free(answer);
}

static void world_done(struct world *world)
{
    weft_client_close(world->client);
    script_stop(&world->script);
    log_done(&world->log);
}

static void send_op(struct script *script, unsigned version, const char *op)
{
    script_send(script,
                "{\"jsonrpc\":\"2.0\",\"method\":\"doc.op\",\"params\":{\"doc\":\"d\",\"epoch\":"
                "\"e0\",\"version\":%u,\"op\":%s,\"by\":{\"sub\":\"u\",\"client\":\"c\",\"seq\":%u,"
                "\"time\":1700000000000}}}",
                version, op, version);
}

static void answer_open(struct script *script)
{
    script_answer(script, script_expect(script, "doc.open"), OPENED);
}

/* ---- Opening ---- */

static void serve_open(struct script *script)
{
    const struct weft_json *call = script_expect(script, "doc.open");
    const struct weft_json *params = weft__json_get(call, "params");
    bool create = false;
    SCRIPT_CHECK(weft__json_string_is(weft__json_get(params, "doc"), "d"));
    SCRIPT_CHECK(weft__json_string_is(weft__json_get(params, "client"), "me"));
    SCRIPT_CHECK(weft__json_bool(weft__json_get(params, "create"), &create) && create);
    script_answer(script, call, OPENED);
    script_answer(script, script_expect(script, "doc.close"), "\"result\":{}");
}

static void an_opened_document_shows_what_the_server_said(void **state)
{
    (void)state;
    struct world world;
    size_t len;
    world_init(&world, serve_open);
    world_open(&world);
    assert_string_equal(weft_client_doc_name(world.doc), "d");
    assert_string_equal(weft_client_doc_type(world.doc), "text");
    assert_string_equal(weft_client_doc_epoch(world.doc), "e0");
    assert_string_equal(weft_client_doc_client(world.doc), "me");
    assert_string_equal(weft_client_doc_snapshot(world.doc, &len), "\"a\\nb\"");
    assert_int_equal(len, 6);
    assert_int_equal(weft_client_doc_snapshot_version(world.doc), 5);
    assert_int_equal(weft_client_doc_version(world.doc), 5);
    weft_client_doc_close(world.doc);
    weft_client_doc_close(NULL);
    world_done(&world);
}

static void serve_missing(struct script *script)
{
    script_answer(script, script_expect(script, "doc.open"),
                  "\"error\":{\"code\":-32005,\"message\":\"no such document\",\"data\":{\"code\":"
                  "\"not_found\",\"executed\":\"no\"}}");
    /* A name that is free again: the next open reaches the server. */
    answer_open(script);
}

static void a_refused_open_leaves_nothing_behind(void **state)
{
    (void)state;
    struct world world;
    struct weft_answer *answer = NULL;
    world_init(&world, serve_missing);
    assert_ok(weft_client_doc_open_wait(world.client, &world.options, &world.doc, &answer));
    assert_null(world.doc);
    assert_int_equal(answer->status, WEFT_STATUS_NOT_FOUND);
    weft_answer_free(answer);
    world_open(&world);
    world_done(&world);
}

static void a_document_is_open_once(void **state)
{
    (void)state;
    struct world world;
    struct weft_client_doc *second = NULL;
    struct weft_answer *answer = NULL;
    world_init(&world, answer_open);
    world_open(&world);
    assert_ok(weft_client_doc_open_wait(world.client, &world.options, &second, &answer));
    assert_null(second);
    assert_int_equal(answer->status, WEFT_STATUS_ALREADY_EXISTS);
    assert_string_equal(answer->reason, "weft.client.open");
    weft_answer_free(answer);
    world_done(&world);
}

static void serve_nonsense(struct script *script)
{
    script_answer(script, script_expect(script, "doc.open"), "\"result\":{\"doc\":\"d\"}");
    script_expect(script, "doc.close");
}

static void an_answer_that_says_nothing_is_an_error(void **state)
{
    (void)state;
    struct world world;
    struct weft_answer *answer = NULL;
    world_init(&world, serve_nonsense);
    assert_ok(weft_client_doc_open_wait(world.client, &world.options, &world.doc, &answer));
    assert_null(world.doc);
    assert_string_equal(answer->reason, "weft.client.open_failed");
    weft_answer_free(answer);
    world_done(&world);
}

static void names_and_replicas_out_of_range_are_refused(void **state)
{
    (void)state;
    struct world world;
    struct weft_answer *answer = NULL;
    char name[257];
    world_init(&world, NULL);
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    static const char *const bad[] = {NULL, ""};
    for (size_t i = 0; i < 2; i++) {
        world.options.name = bad[i];
        assert_err(weft_client_doc_open_wait(world.client, &world.options, &world.doc, &answer),
                   WEFT_ERR_USAGE);
    }
    world.options.name = name;
    assert_err(weft_client_doc_open_wait(world.client, &world.options, &world.doc, &answer),
               WEFT_ERR_USAGE);
    world.options.name = "\xed\xa0\x80";
    assert_err(weft_client_doc_open_wait(world.client, &world.options, &world.doc, &answer),
               WEFT_ERR_UTF8);
    world.options.name = "d";
    world.options.client = "";
    assert_err(weft_client_doc_open_wait(world.client, &world.options, &world.doc, &answer),
               WEFT_ERR_USAGE);
    world_done(&world);
}

/* ---- Operations ---- */

static void serve_ops(struct script *script)
{
    answer_open(script);
    send_op(script, 6, "[\"x\"]");
    send_op(script, 6, "[\"again\"]");
    send_op(script, 4, "[\"old\"]");
    send_op(script, 7, "[{\"d\":1}]");
    script_send(script, "{\"jsonrpc\":\"2.0\",\"method\":\"doc.op\",\"params\":{\"doc\":\"other\","
                        "\"version\":8,\"op\":[]}}");
    script_send(script, "{\"jsonrpc\":\"2.0\",\"method\":\"doc.presence\",\"params\":{\"doc\":"
                        "\"d\",\"state\":null}}");
}

static void operations_come_in_order_and_once(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, serve_ops);
    world_open(&world);
    log_wait(&world.log, "op6:[\"x\"] by u/c/6 op7:[{\"d\":1}] by u/c/7 "
                         "presence:{\"doc\":\"d\",\"state\":null} ");
    assert_int_equal(weft_client_doc_version(world.doc), 7);
    world_done(&world);
}

static void check_submit(const struct weft_json *call, int64_t seq, int64_t version)
{
    const struct weft_json *params = weft__json_get(call, "params");
    int64_t number = -1;
    SCRIPT_CHECK(weft__json_string_is(weft__json_get(params, "doc"), "d"));
    SCRIPT_CHECK(weft__json_string_is(weft__json_get(params, "epoch"), "e0"));
    SCRIPT_CHECK(weft__json_string_is(weft__json_get(params, "client"), "me"));
    SCRIPT_CHECK(weft__json_i64(weft__json_get(params, "seq"), &number) && number == seq);
    SCRIPT_CHECK(weft__json_i64(weft__json_get(params, "version"), &number) && number == version);
    SCRIPT_CHECK(weft__slice_eq_str(weft__json_raw(weft__json_get(params, "op")), "[\"mine\"]"));
}

static void serve_early(struct script *script)
{
    answer_open(script);
    const struct weft_json *submit = script_expect(script, "doc.submit");
    check_submit(submit, 4, 5);
    send_op(script, 6, "[\"before\"]");
    send_op(script, 9, "[\"late\"]");
    send_op(script, 8, "[\"after\"]");
    script_answer(script, submit, "\"result\":{\"version\":7}");
    submit = script_expect(script, "doc.submit");
    check_submit(submit, 5, 9);
    script_answer(script, submit, "\"result\":{\"version\":10}");
}

static void operations_that_come_early_wait_for_ones_own(void **state)
{
    (void)state;
    struct world world;
    uint64_t version = 0;
    struct weft_answer *answer = NULL;
    world_init(&world, serve_early);
    world_open(&world);
    assert_ok(weft_client_doc_edit(world.doc, 5, "[\"mine\"]", on_edited, &world));
    log_wait(&world.log, "op6:[\"before\"] by u/c/6 edited7:ok op8:[\"after\"] by u/c/8 "
                         "op9:[\"late\"] by u/c/9 ");
    assert_ok(weft_client_doc_edit_wait(world.doc, 9, "[\"mine\"]", &version, &answer));
    assert_int_equal(version, 10);
    assert_int_equal(weft_client_doc_version(world.doc), 10);
    weft_answer_free(answer);
    world_done(&world);
}

static void serve_overtaking(struct script *script)
{
    answer_open(script);
    script_answer(script, script_expect(script, "doc.submit"), "\"result\":{\"version\":9}");
}

static void an_answer_that_overtakes_operations_ends_the_connection(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, serve_overtaking);
    world_open(&world);
    assert_ok(weft_client_doc_edit(world.doc, 5, "[\"mine\"]", on_edited, &world));
    log_wait(&world.log, "edited9:ok closed:connection ");
    assert_false(weft_client_is_open(world.client));
    world_done(&world);
}

/* ---- Edits ---- */

static void serve_refusals(struct script *script)
{
    answer_open(script);
    const struct weft_json *submit = script_expect(script, "doc.submit");
    check_submit(submit, 4, 5);
    script_answer(script, submit,
                  "\"error\":{\"code\":-32602,\"message\":\"no\",\"data\":{\"code\":"
                  "\"invalid_argument\",\"executed\":\"no\"}}");
    /* A refused edit used up no number. */
    submit = script_expect(script, "doc.submit");
    check_submit(submit, 4, 5);
    script_answer(script, submit,
                  "\"error\":{\"code\":-32014,\"message\":\"?\",\"data\":{\"code\":"
                  "\"unavailable\",\"executed\":\"unknown\"}}");
}

static void an_edit_of_unknown_outcome_stops_further_ones(void **state)
{
    (void)state;
    struct world world;
    uint64_t version = 77;
    struct weft_answer *answer = NULL;
    world_init(&world, serve_refusals);
    world_open(&world);
    assert_ok(weft_client_doc_edit_wait(world.doc, 5, "[\"mine\"]", &version, &answer));
    assert_int_equal(answer->status, WEFT_STATUS_INVALID_ARGUMENT);
    assert_int_equal(version, 0);
    weft_answer_free(answer);
    assert_ok(weft_client_doc_edit_wait(world.doc, 5, "[\"mine\"]", &version, &answer));
    assert_int_equal(answer->status, WEFT_STATUS_UNAVAILABLE);
    weft_answer_free(answer);
    assert_err(weft_client_doc_edit_wait(world.doc, 5, "[\"mine\"]", &version, &answer),
               WEFT_ERR_STATE);
    world_done(&world);
}

static void serve_slow_edit(struct script *script)
{
    answer_open(script);
    const struct weft_json *submit = script_expect(script, "doc.submit");
    /* The document is closed, the edit goes on. */
    script_expect(script, "doc.close");
    script_answer(script, submit, "\"result\":{\"version\":6}");
}

static void one_edit_at_a_time_and_its_end_comes_after_a_close(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, serve_slow_edit);
    world_open(&world);
    assert_err(weft_client_doc_edit(world.doc, 5, "[", on_edited, &world), WEFT_ERR_JSON);
    assert_err(weft_client_doc_edit(world.doc, 5, NULL, on_edited, &world), WEFT_ERR_USAGE);
    assert_ok(weft_client_doc_edit(world.doc, 5, "[\"mine\"]", on_edited, &world));
    assert_err(weft_client_doc_edit(world.doc, 5, "[\"mine\"]", on_edited, &world), WEFT_ERR_STATE);
    weft_client_doc_close(world.doc);
    log_wait(&world.log, "edited6:ok:gone ");
    world_done(&world);
}

/* ---- The end ---- */

static void serve_closing(struct script *script)
{
    answer_open(script);
    script_send(script, "{\"jsonrpc\":\"2.0\",\"method\":\"doc.closed\",\"params\":{\"doc\":\"d\","
                        "\"reason\":\"lagged\",\"reopen\":true}}");
    send_op(script, 6, "[\"behind the end\"]");
    answer_open(script);
}

static void a_document_that_the_server_closed_can_be_opened_again(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, serve_closing);
    world_open(&world);
    log_wait(&world.log, "closed:lagged ");
    assert_err(weft_client_doc_edit(world.doc, 5, "[\"mine\"]", on_edited, &world),
               WEFT_ERR_CLOSED);
    weft_client_doc_close(world.doc);
    world_open(&world);
    assert_string_equal(world.log.text, "closed:lagged ");
    world_done(&world);
}

static void serve_two_ops(struct script *script)
{
    answer_open(script);
    send_op(script, 6, "[\"x\"]");
    send_op(script, 7, "[\"y\"]");
    script_expect(script, "doc.close");
    script_answer(script, script_expect(script, "after"), "\"result\":1");
}

static void a_document_may_be_closed_in_its_own_callback(void **state)
{
    (void)state;
    struct world world;
    struct weft_answer *answer = NULL;
    world_init(&world, serve_two_ops);
    world.close_in_op = true;
    world_open(&world);
    log_wait(&world.log, "op6:[\"x\"] by u/c/6 ");
    assert_ok(weft_client_call_wait(world.client, "after", NULL, 0, &answer));
    weft_answer_free(answer);
    assert_string_equal(world.log.text, "op6:[\"x\"] by u/c/6 ");
    world_done(&world);
}

static void serve_open_and_die(struct script *script)
{
    answer_open(script);
    script_expect(script, "doc.submit");
    shutdown(script->fd, SHUT_RDWR);
}

static void a_lost_connection_ends_documents(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, serve_open_and_die);
    world_open(&world);
    assert_ok(weft_client_doc_edit(world.doc, 5, "[\"mine\"]", on_edited, &world));
    log_wait(&world.log, "edited0:unavailable closed:connection ");
    weft_client_doc_close(world.doc);
    world_done(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_opened_document_shows_what_the_server_said),
        cmocka_unit_test(a_refused_open_leaves_nothing_behind),
        cmocka_unit_test(a_document_is_open_once),
        cmocka_unit_test(an_answer_that_says_nothing_is_an_error),
        cmocka_unit_test(names_and_replicas_out_of_range_are_refused),
        cmocka_unit_test(operations_come_in_order_and_once),
        cmocka_unit_test(operations_that_come_early_wait_for_ones_own),
        cmocka_unit_test(an_answer_that_overtakes_operations_ends_the_connection),
        cmocka_unit_test(an_edit_of_unknown_outcome_stops_further_ones),
        cmocka_unit_test(one_edit_at_a_time_and_its_end_comes_after_a_close),
        cmocka_unit_test(a_document_that_the_server_closed_can_be_opened_again),
        cmocka_unit_test(a_document_may_be_closed_in_its_own_callback),
        cmocka_unit_test(a_lost_connection_ends_documents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
