/* SPDX-License-Identifier: Apache-2.0 */
/* A document of which an operation is missing ends and says so: nobody gets a silent hole, and
 * nobody waits for ever. */
#include "scripted_server.h"

#include <weft/client.h>

struct world {
    struct script script;
    struct event_log log;
    struct weft_client *client;
    struct weft_client_doc *doc;
};

static void on_op(void *ctx, struct weft_client_doc *doc, const struct weft_client_doc_op *op)
{
    struct world *world = ctx;
    (void)doc;
    log_add(&world->log, "op%llu ", (unsigned long long)op->version);
}

static void on_doc_closed(void *ctx, struct weft_client_doc *doc, const char *reason)
{
    struct world *world = ctx;
    uint64_t version;
    struct weft_answer *answer;
    log_add(&world->log, "closed:%s ", reason);
    /* No edit is taken any more, nor would waiting be possible in here. */
    if (weft_client_doc_edit(doc, 1, "[]", NULL, NULL) != WEFT_ERR_CLOSED ||
        weft_client_doc_edit_wait(doc, 1, "[]", &version, &answer) != WEFT_ERR_STATE)
        log_add(&world->log, "(not refused) ");
}

static void on_edited(void *ctx, struct weft_client_doc *doc, uint64_t version,
                      const struct weft_answer *answer)
{
    struct world *world = ctx;
    (void)doc;
    log_add(&world->log, "edited%llu:%s ", (unsigned long long)version,
            weft_status_name(answer->status));
}

/* Connects and opens the document "d" at version 0. */
static void world_init(struct world *world, void (*run)(struct script *script))
{
    static const struct weft_client_doc_callbacks callbacks = {.op = on_op,
                                                               .closed = on_doc_closed};
    struct weft_client_options options;
    struct weft_client_doc_options doc_options;
    struct weft_answer *answer = NULL;
    *world = (struct world){.script = {.run = run}};
    log_init(&world->log);
    script_start(&world->script);
    weft_client_options_init(&options);
    options.url = world->script.url;
    assert_ok(weft_client_connect(&options, &world->client, NULL, 0));
    weft_client_doc_options_init(&doc_options);
    doc_options.name = "d";
    doc_options.callbacks = &callbacks;
    doc_options.ctx = world;
    assert_ok(weft_client_doc_open_wait(world->client, &doc_options, &world->doc, &answer));
    assert_int_equal(answer->status, 0);
    weft_answer_free(answer);
}

static void world_done(struct world *world)
{
    weft_client_doc_close(world->doc);
    weft_client_close(world->client);
    script_stop(&world->script);
    log_done(&world->log);
}

static void answer_open(struct script *script)
{
    script_answer(script, script_expect(script, "doc.open"),
                  "\"result\":{\"doc\":\"d\",\"epoch\":\"e\",\"type\":\"text\",\"version\":0,"
                  "\"applied\":0,\"snapshot\":\"\"}");
}

static void send_op(struct script *script, unsigned version)
{
    script_send(script,
                "{\"jsonrpc\":\"2.0\",\"method\":\"doc.op\",\"params\":{\"doc\":\"d\",\"epoch\":"
                "\"e\",\"version\":%u,\"op\":[],\"by\":{\"sub\":\"u\",\"client\":\"c\",\"seq\":1,"
                "\"time\":1}}}",
                version);
}

static void serve_hole(struct script *script)
{
    answer_open(script);
    send_op(script, 1);
    send_op(script, 3);
    /* It says that it does not listen any more, once; what comes nevertheless is dropped. */
    script_expect(script, "doc.close");
    send_op(script, 2);
    send_op(script, 4);
}

static void a_missing_operation_ends_the_document(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, serve_hole);
    log_wait(&world.log, "op1 closed:gap ");
    assert_true(weft_client_is_open(world.client));
    world_done(&world);
}

static void serve_unknown_outcome(struct script *script)
{
    answer_open(script);
    script_answer(script, script_expect(script, "doc.submit"),
                  "\"error\":{\"code\":-32014,\"message\":\"?\",\"data\":{\"code\":\"unavailable\","
                  "\"executed\":\"unknown\"}}");
    /* It had been made after all: version 1. */
    send_op(script, 2);
    script_expect(script, "doc.close");
}

static void an_edit_that_was_made_after_all_leaves_a_gap_that_is_told(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, serve_unknown_outcome);
    assert_ok(weft_client_doc_edit(world.doc, 0, "[\"mine\"]", on_edited, &world));
    log_wait(&world.log, "edited0:unavailable closed:gap ");
    world_done(&world);
}

static void serve_hole_during_edit(struct script *script)
{
    answer_open(script);
    const struct weft_json *submit = script_expect(script, "doc.submit");
    /* Could be the operation behind the edit, but the edit is refused. */
    send_op(script, 2);
    script_answer(script, submit,
                  "\"error\":{\"code\":-32602,\"message\":\"no\",\"data\":{\"code\":"
                  "\"invalid_argument\",\"executed\":\"no\"}}");
    script_expect(script, "doc.close");
}

static void an_operation_that_waited_for_a_refused_edit_shows_the_gap(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, serve_hole_during_edit);
    assert_ok(weft_client_doc_edit(world.doc, 0, "[\"mine\"]", on_edited, &world));
    log_wait(&world.log, "edited0:invalid_argument closed:gap ");
    world_done(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_operation_ends_the_document),
        cmocka_unit_test(an_edit_that_was_made_after_all_leaves_a_gap_that_is_told),
        cmocka_unit_test(an_operation_that_waited_for_a_refused_edit_shows_the_gap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
