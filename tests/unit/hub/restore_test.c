/* SPDX-License-Identifier: Apache-2.0 */
/* Comparing versions and going back to one, over hubs without sockets. */
#include "lib/hub_world.h"
#include "lib/test.h"

static char epoch[32];

/* The next answer; notifications before it are passed over. */
static const char *ask(struct test_peer *peer, const char *method, const char *params)
{
    const char *heard;
    peer_say(peer, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"%s\",\"params\":%s}", method,
             params);
    do {
        heard = peer_hear(peer);
        assert_non_null(heard);
    } while (strstr(heard, "\"method\""));
    return heard;
}

static void open_doc(struct test_peer *peer, const char *type, const char *client)
{
    char params[200];
    snprintf(params, sizeof(params),
             "{\"doc\":\"d\",\"type\":\"%s\",\"create\":true,\"client\":\"%s\"}", type, client);
    json_text(ask(peer, "doc.open", params), "epoch", epoch, sizeof(epoch));
}

static void submit(struct test_peer *peer, const char *client, int seq, int version, const char *op)
{
    char params[300];
    snprintf(
        params, sizeof(params),
        "{\"doc\":\"d\",\"epoch\":\"%s\",\"client\":\"%s\",\"seq\":%d,\"version\":%d,\"op\":%s}",
        epoch, client, seq, version, op);
    assert_int_equal(json_number(ask(peer, "doc.submit", params), "version"), version + 1);
}

static void expect(const char *heard, const char *part)
{
    if (!heard || !strstr(heard, part))
        fail_msg("no %s in %s", part, heard ? heard : "nothing");
}

/* "one" at version 1, "one two" at 2, "two" at 3. */
static struct test_peer *three_versions(struct test_world *world)
{
    struct test_peer *ada = world_connect(world, 0);
    open_doc(ada, "text", "a");
    submit(ada, "a", 1, 0, "[\"one\"]");
    submit(ada, "a", 2, 1, "[3,\" two\"]");
    submit(ada, "a", 3, 2, "[{\"d\":4}]");
    return ada;
}

static void difference_leads_from_one_version_to_another(void **state)
{
    (void)state;
    struct test_world *world = world_new(2);
    struct test_peer *ada = three_versions(world);
    expect(ask(ada, "doc.diff", "{\"doc\":\"d\",\"from\":1}"),
           "\"type\":\"text\",\"from\":1,\"version\":3,\"op\":");
    expect(ask(ada, "doc.diff", "{\"doc\":\"d\",\"from\":1,\"version\":2}"),
           "\"from\":1,\"version\":2,\"op\":[3,\" two\"]}");
    expect(ask(ada, "doc.diff", "{\"doc\":\"d\",\"from\":2,\"version\":1}"),
           "\"from\":2,\"version\":1,\"op\":[3,{\"d\":\" two\"}]}");
    expect(ask(ada, "doc.diff", "{\"doc\":\"d\",\"from\":0,\"version\":2}"),
           "\"op\":[\"one two\"]}");
    expect(ask(ada, "doc.diff", "{\"doc\":\"d\",\"from\":2,\"version\":2}"), "\"op\":[]}");
    expect(ask(ada, "doc.diff", "{\"doc\":\"d\",\"from\":0,\"version\":0}"), "\"op\":[]}");
    expect(ask(ada, "doc.diff", "{\"doc\":\"d\",\"from\":4}"), "weft.doc.version_unknown");
    expect(ask(ada, "doc.diff", "{\"doc\":\"d\"}"), "\"field\":\"from\"");
    world_free(world);
}

static void restoring_is_an_operation_that_everybody_hears_of(void **state)
{
    char params[128];
    (void)state;
    struct test_world *world = world_new(2);
    struct test_peer *ada = three_versions(world);
    struct test_peer *bob = world_connect(world, 1);
    open_doc(bob, "text", "b");
    snprintf(params, sizeof(params), "{\"doc\":\"d\",\"epoch\":\"%s\",\"version\":2}", epoch);
    expect(ask(ada, "doc.restore", params), "\"result\":{\"version\":4}");
    const char *heard = peer_hear(bob);
    expect(heard, "\"method\":\"doc.op\"");
    expect(heard, "\"version\":4,\"op\":[\"one \"],\"by\":{");
    expect(heard, "\"client\":\"\",\"seq\":0,");
    expect(heard, "\"restore\":true}");
    expect(ask(bob, "doc.fetch", "{\"doc\":\"d\"}"), "\"snapshot\":\"one two\"");
    /* It is that already: nothing is done. */
    expect(ask(ada, "doc.restore", params), "\"result\":{\"version\":4}");
    expect(ask(ada, "doc.history", "{\"doc\":\"d\",\"from\":3}"), "\"restore\":true");
    /* Edits go on, and so they do after a restart. */
    submit(ada, "a", 4, 4, "[\"x\"]");
    peer_disconnect(ada);
    peer_disconnect(bob);
    world_restart(world);
    ada = world_connect(world, 0);
    open_doc(ada, "text", "a");
    submit(ada, "a", 5, 5, "[\"y\"]");
    expect(ask(ada, "doc.fetch", "{\"doc\":\"d\"}"), "\"snapshot\":\"yxone two\"");
    world_free(world);
}

static void edits_made_before_are_carried_over_what_was_restored(void **state)
{
    (void)state;
    struct test_world *world = world_new(1);
    struct test_peer *ada = three_versions(world);
    struct test_peer *bob = world_connect(world, 0);
    char params[200];
    open_doc(bob, "text", "b");
    expect(ask(ada, "doc.restore", "{\"doc\":\"d\",\"version\":2}"), "\"version\":4");
    snprintf(params, sizeof(params),
             "{\"doc\":\"d\",\"epoch\":\"%s\",\"client\":\"b\",\"seq\":1,\"version\":3,"
             "\"op\":[3,\"!\"]}",
             epoch);
    assert_int_equal(json_number(ask(bob, "doc.submit", params), "version"), 5);
    expect(ask(bob, "doc.fetch", "{\"doc\":\"d\"}"), "\"snapshot\":\"one two!\"");
    world_free(world);
}

static void every_type_can_be_restored(void **state)
{
    (void)state;
    static const struct {
        const char *type, *first, *second, *want;
    } cases[] = {
        {"json", "[{\"r\":true,\"i\":{\"a\":[1,2],\"b\":\"text\"}}]",
         "[[\"a\",0,{\"r\":true}],[\"b\",{\"es\":[{\"d\":2}]}]]",
         "\"snapshot\":{\"a\":[1,2],\"b\":\"text\"}"},
        {"rich", "[{\"insert\":\"ab\",\"attributes\":{\"bold\":true}}]",
         "[{\"retain\":1,\"attributes\":{\"bold\":null}},{\"delete\":1}]",
         "\"snapshot\":[{\"insert\":\"ab\",\"attributes\":{\"bold\":true}}]"},
    };
    for (size_t i = 0; i < WEFT_ARRAY_LEN(cases); i++) {
        struct test_world *world = world_new(1);
        struct test_peer *ada = world_connect(world, 0);
        open_doc(ada, cases[i].type, "a");
        submit(ada, "a", 1, 0, cases[i].first);
        submit(ada, "a", 2, 1, cases[i].second);
        expect(ask(ada, "doc.restore", "{\"doc\":\"d\",\"version\":1}"), "\"version\":3");
        expect(ask(ada, "doc.fetch", "{\"doc\":\"d\"}"), cases[i].want);
        world_free(world);
    }
}

static void what_cannot_be_restored_is_refused(void **state)
{
    (void)state;
    struct test_world *world = world_new(1);
    struct test_peer *ada = three_versions(world);
    expect(ask(ada, "doc.restore", "{\"doc\":\"d\",\"version\":4}"), "weft.doc.version_unknown");
    expect(ask(ada, "doc.restore", "{\"doc\":\"d\"}"), "\"field\":\"version\"");
    expect(ask(ada, "doc.restore", "{\"doc\":\"d\",\"epoch\":\"0000000000000000\",\"version\":1}"),
           "weft.doc.epoch_changed");
    expect(ask(ada, "doc.restore", "{\"doc\":\"other\",\"version\":0}"), "weft.doc.not_found");
    expect(ask(ada, "doc.fetch", "{\"doc\":\"d\"}"), "\"version\":3");
    world_free(world);
}

/* Of an append that may or may not have been carried out, the log tells. */
static void restore_of_unknown_outcome_is_settled_by_the_log(void **state)
{
    (void)state;
    for (int executed = 0; executed < 2; executed++) {
        struct test_world *world = world_new(1);
        struct test_peer *ada = three_versions(world);
        world_fail_append(world, 1, WEFT_ERR_STORE, executed);
        expect(ask(ada, "doc.restore", "{\"doc\":\"d\",\"version\":2}"),
               executed ? "\"result\":{\"version\":4}" : "weft.doc.not_committed");
        expect(ask(ada, "doc.fetch", "{\"doc\":\"d\"}"),
               executed ? "\"snapshot\":\"one two\"" : "\"snapshot\":\"two\"");
        world_free(world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(difference_leads_from_one_version_to_another),
        cmocka_unit_test(restoring_is_an_operation_that_everybody_hears_of),
        cmocka_unit_test(edits_made_before_are_carried_over_what_was_restored),
        cmocka_unit_test(every_type_can_be_restored),
        cmocka_unit_test(what_cannot_be_restored_is_refused),
        cmocka_unit_test(restore_of_unknown_outcome_is_settled_by_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
