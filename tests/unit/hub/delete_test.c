/* SPDX-License-Identifier: Apache-2.0 */
/* Deleting and listing documents, over hubs without sockets. */
#include "lib/hub_world.h"
#include "lib/test.h"

static char epoch[32];

static const char *ask(struct test_peer *peer, const char *method, const char *params)
{
    peer_say(peer, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"%s\",\"params\":%s}", method,
             params);
    return peer_hear(peer);
}

static void open_doc(struct test_peer *peer, const char *doc, const char *client)
{
    char params[200];
    snprintf(params, sizeof(params), "{\"doc\":\"%s\",\"create\":true,\"client\":\"%s\"}", doc,
             client);
    json_text(ask(peer, "doc.open", params), "epoch", epoch, sizeof(epoch));
}

static void submit(struct test_peer *peer, int id, const char *client, int seq, int version)
{
    peer_say(peer,
             "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"doc.submit\",\"params\":{\"doc\":\"d\","
             "\"epoch\":\"%s\",\"client\":\"%s\",\"seq\":%d,\"version\":%d,\"op\":[\"x\"]}}",
             id, epoch, client, seq, version);
}

static void expect_part(const char *answer, const char *part)
{
    if (!answer || !strstr(answer, part))
        fail_msg("no %s in %s", part, answer ? answer : "nothing");
}

static void deleted_document_is_gone_and_everybody_is_told(void **state)
{
    char before[32], params[100];
    (void)state;
    struct test_world *world = world_new(2);
    struct test_peer *ada = world_connect(world, 0);
    struct test_peer *bob = world_connect(world, 1);
    open_doc(ada, "d", "a");
    open_doc(bob, "d", "b");
    submit(ada, 1, "a", 1, 0);
    expect_part(peer_hear(ada), "\"version\":1");
    (void)peer_hear(bob);
    memcpy(before, epoch, sizeof(before));
    snprintf(params, sizeof(params), "{\"doc\":\"d\",\"epoch\":\"%s\"}", epoch);
    peer_say(bob, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"doc.delete\",\"params\":%s}", params);
    expect_part(peer_hear(bob), "\"method\":\"doc.closed\",\"params\":{\"doc\":\"d\","
                                "\"reason\":\"deleted\",\"reopen\":false}");
    expect_part(peer_hear(bob), "\"result\":{\"doc\":\"d\",\"epoch\":");
    expect_part(peer_hear(ada), "\"reason\":\"deleted\"");
    expect_part(ask(ada, "doc.fetch", "{\"doc\":\"d\"}"), "weft.doc.not_found");
    expect_part(ask(ada, "doc.delete", "{\"doc\":\"d\"}"), "weft.doc.not_found");
    submit(ada, 3, "a", 2, 1);
    expect_part(peer_hear(ada), "weft.doc.closed");
    open_doc(ada, "d", "a");
    assert_string_not_equal(epoch, before);
    expect_part(ask(ada, "doc.fetch", "{\"doc\":\"d\"}"), "\"snapshot\":\"\"");
    world_free(world);
}

static void another_epoch_is_not_deleted(void **state)
{
    (void)state;
    struct test_world *world = world_new(1);
    struct test_peer *ada = world_connect(world, 0);
    open_doc(ada, "d", "a");
    expect_part(ask(ada, "doc.delete", "{\"doc\":\"d\",\"epoch\":\"0123456789abcdef\"}"),
                "weft.doc.epoch_changed");
    expect_part(ask(ada, "doc.fetch", "{\"doc\":\"d\"}"), "\"version\":0");
    world_free(world);
}

/* What was acknowledged before stays so, and what comes behind the delete finds nothing. */
static void delete_waits_for_what_is_at_the_store(void **state)
{
    (void)state;
    struct test_world *world = world_new(1);
    struct test_peer *ada = world_connect(world, 0);
    struct test_peer *bob = world_connect(world, 0);
    open_doc(ada, "d", "a");
    world_store_hold(world);
    submit(ada, 1, "a", 1, 0);
    peer_say(bob, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"doc.delete\",\"params\":{\"doc\":"
                  "\"d\"}}");
    peer_say(bob, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"doc.fetch\",\"params\":{\"doc\":"
                  "\"d\"}}");
    peer_say(bob, "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"doc.open\",\"params\":{\"doc\":"
                  "\"d\",\"create\":true}}");
    assert_null(peer_hear(ada));
    assert_null(peer_hear(bob));
    world_store_release(world);
    expect_part(peer_hear(ada), "\"id\":1,\"result\":{\"version\":1}");
    expect_part(peer_hear(ada), "\"reason\":\"deleted\"");
    expect_part(peer_hear(bob), "\"id\":2,\"result\"");
    expect_part(peer_hear(bob), "\"id\":3,\"error\"");
    expect_part(peer_hear(bob), "\"id\":4,\"result\"");
    expect_part(ask(bob, "doc.fetch", "{\"doc\":\"d\"}"), "\"version\":0");
    world_free(world);
}

static void deleted_document_stays_away_after_a_restart(void **state)
{
    (void)state;
    struct test_world *world = world_new(1);
    struct test_peer *ada = world_connect(world, 0);
    open_doc(ada, "d", "a");
    expect_part(ask(ada, "doc.delete", "{\"doc\":\"d\"}"), "\"doc.closed\"");
    expect_part(peer_hear(ada), "\"result\"");
    peer_disconnect(ada);
    world_restart(world);
    ada = world_connect(world, 0);
    expect_part(ask(ada, "doc.fetch", "{\"doc\":\"d\"}"), "weft.doc.not_found");
    world_free(world);
}

static void documents_are_listed_in_pages(void **state)
{
    static const char *const names[] = {"b/2", "a", "b/1", "c"};
    (void)state;
    struct test_world *world = world_new(2);
    struct test_peer *ada = world_connect(world, 0);
    expect_part(ask(ada, "doc.list", "{}"), "\"result\":{\"docs\":[]}");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        open_doc(ada, names[i], "x");
    const char *answer = ask(ada, "doc.list", "{\"limit\":2}");
    expect_part(answer, "{\"doc\":\"a\",\"type\":\"text\",\"epoch\":\"");
    expect_part(answer, "{\"doc\":\"b/1\",");
    expect_part(answer, "\"next\":\"b/1\"}");
    answer = ask(ada, "doc.list", "{\"limit\":2,\"page\":\"b/1\"}");
    expect_part(answer, "[{\"doc\":\"b/2\",");
    expect_part(answer, "\"doc\":\"c\",");
    assert_null(strstr(answer, "\"next\""));
    answer = ask(ada, "doc.list", "{\"prefix\":\"b/\"}");
    expect_part(answer, "[{\"doc\":\"b/1\",");
    assert_null(strstr(answer, "\"doc\":\"c\""));
    expect_part(ask(ada, "doc.list", "{\"limit\":0}"), "\"violations\":[{\"field\":\"limit\"");
    expect_part(ask(ada, "doc.list", "{\"prefix\":1}"), "\"violations\":[{\"field\":\"prefix\"");
    peer_say(ada, "{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"doc.list\"}");
    expect_part(peer_hear(ada), "\"docs\":[{\"doc\":\"a\"");
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deleted_document_is_gone_and_everybody_is_told),
        cmocka_unit_test(another_epoch_is_not_deleted),
        cmocka_unit_test(delete_waits_for_what_is_at_the_store),
        cmocka_unit_test(deleted_document_stays_away_after_a_restart),
        cmocka_unit_test(documents_are_listed_in_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
