/* SPDX-License-Identifier: Apache-2.0 */
/* What somebody is told who was away: docs/protocol/documents.md, "Catching up". */
#include "lib/hub_world.h"
#include "lib/test.h"

static char epoch[32];

/* The next answer; notifications before it are passed over. */
static const char *answer_of(struct test_peer *peer)
{
    const char *heard;
    do {
        heard = peer_hear(peer);
        assert_non_null(heard);
    } while (strstr(heard, "\"method\""));
    return heard;
}

static const char *open_doc(struct test_peer *peer, const char *type, const char *client)
{
    peer_say(peer,
             "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"doc.open\",\"params\":{\"doc\":\"d\","
             "\"type\":\"%s\",\"create\":true,\"client\":\"%s\"}}",
             type, client);
    const char *answer = answer_of(peer);
    json_text(answer, "epoch", epoch, sizeof(epoch));
    return answer;
}

/* Opens again at |version|. The answer from `ops` or `snapshot` on. */
static const char *reopen(struct test_peer *peer, const char *client, int version)
{
    peer_say(peer,
             "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"doc.open\",\"params\":{\"doc\":\"d\","
             "\"client\":\"%s\",\"epoch\":\"%s\",\"version\":%d}}",
             client, epoch, version);
    const char *answer = answer_of(peer);
    const char *ops = strstr(answer, "\"ops\"");
    return ops ? ops : strstr(answer, "\"snapshot\"");
}

static void submit(struct test_peer *peer, const char *client, int seq, int version, const char *op)
{
    peer_say(peer,
             "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"doc.submit\",\"params\":{\"doc\":\"d\","
             "\"epoch\":\"%s\",\"client\":\"%s\",\"seq\":%d,\"version\":%d,\"op\":%s}}",
             epoch, client, seq, version, op);
    assert_true(json_number(answer_of(peer), "version") > version);
}

static void type_letters(struct test_peer *peer, const char *client, int seq, int version,
                         int count)
{
    for (int i = 0; i < count; i++)
        submit(peer, client, seq + i, version + i, "[\"x\"]");
}

static void assert_begins(const char *answer, const char *want)
{
    if (strncmp(answer, want, strlen(want)) != 0)
        fail_msg("%.300s", answer);
}

static void what_follows_ones_own_last_operation_comes_as_one(void **state)
{
    (void)state;
    struct test_world *world = world_new(2);
    struct test_peer *ada = world_connect(world, 0);
    struct test_peer *bob = world_connect(world, 1);
    open_doc(ada, "text", "a");
    open_doc(bob, "text", "b");
    submit(ada, "a", 1, 0, "[\"1\"]");
    submit(bob, "b", 1, 1, "[1,\"2\"]");
    submit(ada, "a", 2, 2, "[2,\"3\"]");
    submit(ada, "a", 3, 3, "[3,\"4\"]");
    submit(ada, "a", 4, 4, "[{\"d\":1}]");
    peer_disconnect(bob);
    bob = world_connect(world, 1);
    const char *ops = reopen(bob, "b", 0);
    assert_begins(ops, "\"ops\":[{\"version\":1,\"op\":[\"1\"],\"by\":");
    const char *own = strstr(ops, "{\"version\":2");
    assert_begins(own, "{\"version\":2,\"seq\":1},"
                       "{\"from\":2,\"version\":5,\"op\":[{\"d\":1},1,\"34\"]}]");
    world_free(world);
}

static void one_operation_keeps_its_author(void **state)
{
    (void)state;
    struct test_world *world = world_new(1);
    struct test_peer *ada = world_connect(world, 0);
    struct test_peer *bob = world_connect(world, 0);
    open_doc(ada, "text", "a");
    type_letters(ada, "a", 1, 0, 3);
    const char *ops = reopen(bob, "b", 2);
    assert_begins(ops, "\"ops\":[{\"version\":3,\"op\":[\"x\"],\"by\":{");
    world_free(world);
}

static void one_far_behind_gets_what_is_only_in_the_log(void **state)
{
    (void)state;
    struct test_world *world = world_new(1);
    struct test_peer *ada = world_connect(world, 0);
    struct test_peer *bob = world_connect(world, 0);
    open_doc(ada, "text", "a");
    type_letters(ada, "a", 1, 0, 700);
    const char *ops = reopen(bob, "b", 3);
    assert_begins(ops, "\"ops\":[{\"from\":3,\"version\":700,\"op\":[\"xxx");
    assert_int_equal(strspn(strstr(ops, "xxx"), "x"), 697);
    /* The log's author has to hear of each. */
    ops = reopen(ada, "a", 3);
    assert_begins(ops, "\"ops\":[{\"version\":4,\"seq\":4},");
    /* A submit from before what is in memory is transformed over the log. */
    submit(bob, "b", 1, 3, "[3,\"B\"]");
    world_free(world);
}

static void after_a_restart_the_log_alone_is_enough(void **state)
{
    (void)state;
    struct test_world *world = world_new(1);
    struct test_peer *ada = world_connect(world, 0);
    open_doc(ada, "text", "a");
    type_letters(ada, "a", 1, 0, 5);
    peer_disconnect(ada);
    world_restart(world);
    struct test_peer *bob = world_connect(world, 0);
    assert_begins(reopen(bob, "b", 1), "\"ops\":[{\"from\":1,\"version\":5,\"op\":[\"xxxx\"]}]");
    world_free(world);
}

static void json_documents_are_caught_up_the_same_way(void **state)
{
    (void)state;
    struct test_world *world = world_new(1);
    struct test_peer *ada = world_connect(world, 0);
    struct test_peer *bob = world_connect(world, 0);
    open_doc(ada, "json", "a");
    submit(ada, "a", 1, 0, "[{\"r\":true,\"i\":{}}]");
    submit(ada, "a", 2, 1, "[\"x\",{\"i\":1}]");
    submit(ada, "a", 3, 2, "[\"y\",{\"i\":2}]");
    assert_begins(
        reopen(bob, "b", 1),
        "\"ops\":[{\"from\":1,\"version\":3,\"op\":[[\"x\",{\"i\":1}],[\"y\",{\"i\":2}]]}]");
    world_free(world);
}

static void more_than_can_be_composed_comes_as_a_snapshot(void **state)
{
    (void)state;
    enum { LARGE = 60 * 1024, ROUNDS = 80 };
    struct test_world *world = world_new(1);
    struct test_peer *ada = world_connect(world, 0);
    struct test_peer *bob = world_connect(world, 0);
    char *op = calloc(1, LARGE + 64);
    open_doc(ada, "text", "a");
    for (int i = 0; i < 2 * ROUNDS; i += 2) {
        int at = snprintf(op, 64, "[\"");
        memset(op + at, 'x', LARGE);
        memcpy(op + at + LARGE, "\"]", 3);
        submit(ada, "a", i + 1, i, op);
        snprintf(op, 64, "[{\"d\":%d}]", LARGE);
        submit(ada, "a", i + 2, i + 1, op);
    }
    /* What is in the log is 4.7 MiB, and nothing when composed. */
    assert_begins(reopen(bob, "b", 0), "\"ops\":[{\"from\":0,\"version\":160,\"op\":[]}]");
    /* Its author would get all of it singly. */
    assert_begins(reopen(ada, "a", 0), "\"snapshot\":\"\"");
    free(op);
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_follows_ones_own_last_operation_comes_as_one),
        cmocka_unit_test(one_operation_keeps_its_author),
        cmocka_unit_test(one_far_behind_gets_what_is_only_in_the_log),
        cmocka_unit_test(after_a_restart_the_log_alone_is_enough),
        cmocka_unit_test(json_documents_are_caught_up_the_same_way),
        cmocka_unit_test(more_than_can_be_composed_comes_as_a_snapshot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
