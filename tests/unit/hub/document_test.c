/* SPDX-License-Identifier: Apache-2.0 */
/* Documents as their peers see them: docs/protocol/documents.md over hubs without sockets. */
#include "lib/hub_world.h"
#include "lib/test.h"

static char epoch[32];

/* Opens document "d" as |client| and keeps its epoch. */
static const char *open_doc(struct test_peer *peer, const char *client)
{
    peer_say(peer,
             "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"doc.open\",\"params\":{\"doc\":\"d\","
             "\"type\":\"text\",\"create\":true,\"client\":\"%s\"}}",
             client);
    const char *answer = peer_hear(peer);
    json_text(answer, "epoch", epoch, sizeof(epoch));
    return answer;
}

static void submit(struct test_peer *peer, const char *client, int seq, int version, const char *op)
{
    static int id;
    peer_say(peer,
             "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"doc.submit\",\"params\":{\"doc\":\"d\","
             "\"epoch\":\"%s\",\"client\":\"%s\",\"seq\":%d,\"version\":%d,\"op\":%s}}",
             ++id, epoch, client, seq, version, op);
}

static void reopen(struct test_peer *peer, const char *client, int version)
{
    peer_say(peer,
             "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"doc.open\",\"params\":{\"doc\":\"d\","
             "\"client\":\"%s\",\"epoch\":\"%s\",\"version\":%d}}",
             client, epoch, version);
}

static void expect_text(struct test_peer *peer, const char *text)
{
    char got[256];
    peer_say(peer, "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"doc.fetch\",\"params\":{\"doc\":"
                   "\"d\"}}");
    json_text(peer_hear(peer), "snapshot", got, sizeof(got));
    assert_string_equal(got, text);
}

static void expect_error(const char *answer, const char *status, const char *reason)
{
    char got[64];
    assert_non_null(answer);
    json_text(answer, "reason", got, sizeof(got));
    assert_string_equal(got, reason);
    const char *data = strstr(answer, "\"data\":");
    assert_non_null(data);
    json_text(data, "code", got, sizeof(got));
    assert_string_equal(got, status);
}

static void opening_a_document_that_does_not_exist_needs_create(void **state)
{
    (void)state;
    struct test_world *world = world_new(1);
    struct test_peer *ada = world_connect(world, 0);
    peer_say(ada, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"doc.open\",\"params\":{\"doc\":"
                  "\"d\"}}");
    expect_error(peer_hear(ada), "not_found", "weft.doc.not_found");
    const char *answer = open_doc(ada, "a");
    assert_non_null(strstr(answer, "\"snapshot\":\"\""));
    assert_int_equal(json_number(answer, "version"), 0);
    assert_int_equal(json_number(answer, "applied"), 0);
    assert_int_equal(strlen(epoch), 16);
    world_free(world);
}

static void an_operation_is_acknowledged_to_its_author_and_sent_to_everybody_else(void **state)
{
    (void)state;
    struct test_world *world = world_new(2);
    struct test_peer *ada = world_connect(world, 0);
    struct test_peer *bob = world_connect(world, 1);
    open_doc(ada, "a");
    open_doc(bob, "b");
    submit(ada, "a", 1, 0, "[\"hi\"]");
    const char *answer = peer_hear(ada);
    assert_int_equal(json_number(answer, "version"), 1);
    assert_null(strstr(answer, "doc.op"));
    assert_null(peer_hear(ada));
    const char *op = peer_hear(bob);
    assert_non_null(strstr(op, "\"method\":\"doc.op\""));
    assert_non_null(strstr(op, "\"op\":[\"hi\"]"));
    assert_non_null(strstr(op, "\"client\":\"a\""));
    assert_int_equal(json_number(op, "version"), 1);
    expect_text(bob, "hi");
    world_free(world);
}

static void concurrent_insertions_put_the_incoming_one_first(void **state)
{
    (void)state;
    struct test_world *world = world_new(2);
    struct test_peer *ada = world_connect(world, 0);
    struct test_peer *bob = world_connect(world, 1);
    open_doc(ada, "a");
    open_doc(bob, "b");
    submit(ada, "a", 1, 0, "[\"A\"]");
    assert_int_equal(json_number(peer_hear(ada), "version"), 1);
    submit(bob, "b", 1, 0, "[\"B\"]");
    /* All smaller versions precede the answer to a submit. */
    assert_int_equal(json_number(strstr(peer_hear(bob), "params"), "version"), 1);
    assert_int_equal(json_number(peer_hear(bob), "version"), 2);
    expect_text(bob, "BA");
    world_free(world);
}

static void a_resend_is_answered_again_and_not_applied_twice(void **state)
{
    (void)state;
    struct test_world *world = world_new(1);
    struct test_peer *ada = world_connect(world, 0);
    open_doc(ada, "a");
    submit(ada, "a", 1, 0, "[\"x\"]");
    submit(ada, "a", 1, 0, "[\"x\"]");
    assert_int_equal(json_number(peer_hear(ada), "version"), 1);
    assert_int_equal(json_number(peer_hear(ada), "version"), 1);
    submit(ada, "a", 1, 0, "[\"x\"]");
    assert_int_equal(json_number(peer_hear(ada), "version"), 1);
    submit(ada, "a", 1, 0, "[\"y\"]");
    expect_error(peer_hear(ada), "already_exists", "weft.doc.seq_used");
    submit(ada, "a", 3, 1, "[\"y\"]");
    expect_error(peer_hear(ada), "failed_precondition", "weft.doc.seq_gap");
    expect_text(ada, "x");
    world_free(world);
}

static void a_resend_is_recognised_after_a_restart(void **state)
{
    (void)state;
    struct test_world *world = world_new(2);
    struct test_peer *ada = world_connect(world, 0);
    open_doc(ada, "a");
    submit(ada, "a", 1, 0, "[\"x\"]");
    world_run(world);
    peer_disconnect(ada);
    world_restart(world);
    ada = world_connect(world, 1);
    reopen(ada, "a", 0);
    const char *answer = peer_hear(ada);
    assert_int_equal(json_number(answer, "applied"), 1);
    assert_non_null(strstr(answer, "\"ops\":[{\"version\":1,\"seq\":1}]"));
    submit(ada, "a", 1, 0, "[\"x\"]");
    assert_int_equal(json_number(peer_hear(ada), "version"), 1);
    expect_text(ada, "x");
    world_free(world);
}

static void an_append_of_unknown_outcome_is_settled_by_what_the_log_holds(void **state)
{
    (void)state;
    for (int executed = 0; executed < 2; executed++) {
        struct test_world *world = world_new(2);
        struct test_peer *ada = world_connect(world, 0);
        struct test_peer *bob = world_connect(world, 1);
        open_doc(ada, "a");
        open_doc(bob, "b");
        world_fail_append(world, 1, WEFT_ERR_STORE, executed);
        submit(ada, "a", 1, 0, "[\"x\"]");
        const char *answer = peer_hear(ada);
        if (executed) {
            assert_int_equal(json_number(answer, "version"), 1);
            assert_non_null(strstr(peer_hear(bob), "\"op\":[\"x\"]"));
            assert_null(peer_hear(ada));
        } else {
            expect_error(answer, "unavailable", "weft.doc.not_committed");
            assert_non_null(strstr(answer, "\"executed\":\"no\""));
            assert_null(peer_hear(bob));
            submit(ada, "a", 1, 0, "[\"x\"]");
            assert_int_equal(json_number(peer_hear(ada), "version"), 1);
            assert_non_null(strstr(peer_hear(bob), "\"op\":[\"x\"]"));
        }
        expect_text(bob, "x");
        world_free(world);
    }
}

static void nothing_is_told_before_it_is_durable(void **state)
{
    (void)state;
    struct test_world *world = world_new(1);
    struct test_peer *ada = world_connect(world, 0);
    struct test_peer *bob = world_connect(world, 0);
    open_doc(ada, "a");
    open_doc(bob, "b");
    world_store_hold(world);
    submit(ada, "a", 1, 0, "[\"x\"]");
    assert_null(peer_hear(ada));
    assert_null(peer_hear(bob));
    expect_text(bob, "");
    world_store_release(world);
    assert_int_equal(json_number(peer_hear(ada), "version"), 1);
    assert_non_null(strstr(peer_hear(bob), "doc.op"));
    world_free(world);
}

static void a_canceled_submit_is_answered_by_what_became_of_it(void **state)
{
    (void)state;
    struct test_world *world = world_new(1);
    struct test_peer *ada = world_connect(world, 0);
    open_doc(ada, "a");
    world_store_hold(world);
    peer_say(ada,
             "{\"jsonrpc\":\"2.0\",\"id\":\"s\",\"method\":\"doc.submit\",\"params\":{\"doc\":"
             "\"d\",\"epoch\":\"%s\",\"client\":\"a\",\"seq\":1,\"version\":0,\"op\":[\"x\"]}}",
             epoch);
    world_run(world);
    peer_say(ada, "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancel\",\"params\":{\"id\":\"s\"}}");
    assert_null(peer_hear(ada));
    world_store_release(world);
    assert_int_equal(json_number(peer_hear(ada), "version"), 1);
    assert_null(peer_hear(ada));
    world_free(world);
}

static void opening_again_fences_the_old_connection_and_settles_its_submits_first(void **state)
{
    (void)state;
    struct test_world *world = world_new(2);
    struct test_peer *old = world_connect(world, 0);
    struct test_peer *new = world_connect(world, 1);
    open_doc(old, "a");
    world_store_hold(world);
    submit(old, "a", 1, 0, "[\"x\"]");
    world_run(world);
    reopen(new, "a", 0);
    assert_null(peer_hear(new));
    world_store_release(world);
    assert_int_equal(json_number(peer_hear(new), "applied"), 1);
    assert_int_equal(json_number(peer_hear(old), "version"), 1);
    submit(old, "a", 2, 1, "[\"y\"]");
    expect_error(peer_hear(old), "aborted", "weft.doc.fenced");
    world_free(world);
}

static void hostile_operations_are_refused_and_change_nothing(void **state)
{
    (void)state;
    static const char *const ops[] = {
        "[1e300,\"x\"]", "[5,\"x\"]", "[{\"d\":7}]", "[-1]",   "[1.5,\"x\"]",
        "\"x\"",         "{}",        "[\"\"]",      "[null]", "[{\"d\":\"toolong\"}]",
    };
    struct test_world *world = world_new(1);
    struct test_peer *ada = world_connect(world, 0);
    open_doc(ada, "a");
    submit(ada, "a", 1, 0, "[\"abc\"]");
    assert_int_equal(json_number(peer_hear(ada), "version"), 1);
    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        submit(ada, "a", 2, 1, ops[i]);
        const char *answer = peer_hear(ada);
        assert_non_null(answer);
        assert_non_null(strstr(answer, "\"error\""));
    }
    submit(ada, "a", 2, 99, "[\"x\"]");
    expect_error(peer_hear(ada), "out_of_range", "weft.doc.version_unknown");
    submit(ada, "a", 2, 1, "[\"!\"]");
    assert_int_equal(json_number(peer_hear(ada), "version"), 2);
    expect_text(ada, "!abc");
    world_free(world);
}

static void every_version_can_be_fetched(void **state)
{
    (void)state;
    char got[64];
    struct test_world *world = world_new(1);
    struct test_peer *ada = world_connect(world, 0);
    open_doc(ada, "a");
    submit(ada, "a", 1, 0, "[\"a\"]");
    peer_hear(ada);
    submit(ada, "a", 2, 1, "[1,\"b\"]");
    peer_hear(ada);
    static const char *const want[] = {"", "a", "ab"};
    for (int v = 0; v <= 2; v++) {
        peer_say(ada,
                 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"doc.fetch\",\"params\":{\"doc\":"
                 "\"d\",\"version\":%d}}",
                 v);
        const char *answer = peer_hear(ada);
        json_text(answer, "snapshot", got, sizeof(got));
        assert_string_equal(got, want[v]);
        assert_int_equal(json_number(answer, "version"), v);
    }
    world_free(world);
}

static void history_lists_operations_with_author_and_time(void **state)
{
    (void)state;
    struct test_world *world = world_new(1);
    struct test_peer *ada = world_connect(world, 0);
    open_doc(ada, "a");
    for (int i = 0; i < 3; i++) {
        submit(ada, "a", i + 1, i, "[\"x\"]");
        peer_hear(ada);
    }
    peer_say(ada, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"doc.history\",\"params\":{\"doc\":"
                  "\"d\",\"from\":1,\"limit\":1}}");
    const char *answer = peer_hear(ada);
    assert_non_null(strstr(answer, "\"ops\":[{\"version\":2,\"op\":[\"x\"],\"by\":{\"sub\":"
                                   "\"anonymous\",\"client\":\"a\",\"seq\":2,\"time\":17"));
    assert_non_null(strstr(answer, "\"more\":true"));
    world_free(world);
}

static void idle_documents_leave_memory_and_come_back_from_a_snapshot(void **state)
{
    (void)state;
    struct test_world *world = world_new(1);
    struct test_peer *ada = world_connect(world, 0);
    open_doc(ada, "a");
    for (int i = 0; i < 100; i++) {
        submit(ada, "a", i + 1, i, "[\"x\"]");
        peer_hear(ada);
    }
    peer_disconnect(ada);
    world_run(world);
    assert_int_equal(world_stats(world).documents, 1);
    world_pass(world, 31000);
    world_pass(world, 1000);
    assert_int_equal(world_stats(world).documents, 0);
    ada = world_connect(world, 0);
    reopen(ada, "a", 100);
    const char *answer = peer_hear(ada);
    assert_int_equal(json_number(answer, "applied"), 100);
    assert_non_null(strstr(answer, "\"ops\":[]"));
    world_free(world);
}

enum { SLOW_UNSENT = 2 * 1024 * 1024, SLOW_PIECE = 50000 };

/* Inserts and deletes SLOW_PIECE characters: two operations, the document stays as it is. */
static void submit_much(struct test_peer *peer, const char *client, int *seq)
{
    char *op = malloc(SLOW_PIECE + 16);
    op[0] = '[';
    op[1] = '"';
    memset(op + 2, 'x', SLOW_PIECE);
    memcpy(op + 2 + SLOW_PIECE, "\"]", 3);
    submit(peer, client, *seq + 1, *seq, op);
    assert_int_equal(json_number(peer_hear(peer), "version"), *seq + 1);
    (void)snprintf(op, 32, "[{\"d\":%d}]", SLOW_PIECE);
    submit(peer, client, *seq + 2, *seq + 1, op);
    assert_int_equal(json_number(peer_hear(peer), "version"), *seq + 2);
    *seq += 2;
    free(op);
}

static void a_subscriber_that_reads_slowly_gets_everything_when_it_has_read(void **state)
{
    (void)state;
    struct test_world *world = world_new(2);
    struct test_peer *ada = world_connect(world, 0);
    struct test_peer *bob = world_connect(world, 1);
    int seq = 0;
    open_doc(ada, "a");
    open_doc(bob, "b");
    peer_set_unsent(bob, SLOW_UNSENT);
    for (int i = 0; i < 5; i++)
        submit_much(ada, "a", &seq);
    assert_null(peer_hear(bob));
    peer_set_unsent(bob, 0);
    for (int version = 1; version <= seq; version++)
        assert_int_equal(json_number(peer_hear(bob), "version"), version);
    submit(ada, "a", seq + 1, seq, "[\"y\"]");
    assert_int_equal(json_number(peer_hear(bob), "version"), seq + 1);
    assert_null(peer_hear(bob));
    assert_int_equal(world_stats(world).lagged, 0);
    world_free(world);
}

static void an_answer_does_not_overtake_what_a_slow_author_missed(void **state)
{
    (void)state;
    struct test_world *world = world_new(1);
    struct test_peer *ada = world_connect(world, 0);
    struct test_peer *bob = world_connect(world, 0);
    open_doc(ada, "a");
    open_doc(bob, "b");
    peer_set_unsent(bob, SLOW_UNSENT);
    submit(ada, "a", 1, 0, "[\"x\"]");
    assert_null(peer_hear(bob));
    submit(bob, "b", 1, 0, "[\"y\"]");
    assert_int_equal(json_number(peer_hear(bob), "version"), 1);
    world_free(world);
}

static void a_subscriber_that_lags_is_told_so_and_closed(void **state)
{
    (void)state;
    struct test_world *world = world_new(1);
    struct test_peer *ada = world_connect(world, 0);
    struct test_peer *bob = world_connect(world, 0);
    int seq = 0;
    open_doc(ada, "a");
    open_doc(bob, "b");
    peer_set_unsent(bob, SLOW_UNSENT);
    while (!world_stats(world).lagged && seq < 100)
        submit_much(ada, "a", &seq);
    assert_in_range((size_t)seq / 2 * SLOW_PIECE, WEFT_TOPIC_MAX_BYTES / 2,
                    WEFT_TOPIC_MAX_BYTES * 2);
    const char *closed = peer_hear(bob);
    assert_non_null(strstr(closed, "\"method\":\"doc.closed\""));
    assert_non_null(strstr(closed, "\"reason\":\"lagged\",\"reopen\":true"));
    submit_much(ada, "a", &seq);
    assert_null(peer_hear(bob));
    assert_int_equal(world_stats(world).lagged, 1);
    world_free(world);
}

static void a_document_larger_than_its_limit_refuses_what_makes_it_grow(void **state)
{
    (void)state;
    enum { PIECE = 50000 };
    struct test_world *world = world_new(1);
    struct test_peer *ada = world_connect(world, 0);
    char *op = malloc(PIECE + 16);
    int seq = 0;
    op[0] = '[';
    op[1] = '"';
    memset(op + 2, 'x', PIECE);
    memcpy(op + 2 + PIECE, "\"]", 3);
    open_doc(ada, "a");
    for (; seq < 20; seq++) {
        submit(ada, "a", seq + 1, seq, op);
        assert_int_equal(json_number(peer_hear(ada), "version"), seq + 1);
    }
    submit(ada, "a", seq + 1, seq, op);
    expect_error(peer_hear(ada), "out_of_range", "weft.doc.too_large");
    submit(ada, "a", seq + 1, seq, "[{\"d\":1}]");
    assert_int_equal(json_number(peer_hear(ada), "version"), seq + 1);
    free(op);
    world_free(world);
}

static void presence_reaches_others_moves_with_operations_and_ends_with_the_connection(void **state)
{
    (void)state;
    struct test_world *world = world_new(2);
    struct test_peer *ada = world_connect(world, 0);
    struct test_peer *bob = world_connect(world, 1);
    open_doc(ada, "a");
    open_doc(bob, "b");
    submit(bob, "b", 1, 0, "[\"hello\"]");
    peer_hear(bob);
    peer_hear(ada);
    peer_say(ada,
             "{\"jsonrpc\":\"2.0\",\"method\":\"doc.presence\",\"params\":{\"doc\":\"d\",\"epoch\":"
             "\"%s\",\"version\":1,\"state\":{\"selections\":[{\"anchor\":1,\"head\":3}],\"name\":"
             "\"Ada\",\"color\":\"#123\",\"status\":\"active\",\"more\":1}}}",
             epoch);
    const char *presence = peer_hear(bob);
    assert_non_null(strstr(presence,
                           "\"version\":1,\"state\":{\"selections\":[{\"anchor\":1,"
                           "\"head\":3}],\"name\":\"Ada\",\"color\":\"#123\",\"status\":"
                           "\"active\"},\"by\":{\"sub\":\"anonymous\",\"client\":\"a\"}"));
    assert_null(peer_hear(ada));
    submit(bob, "b", 2, 1, "[\"__\"]");
    peer_hear(bob);
    struct test_peer *eve = world_connect(world, 0);
    open_doc(eve, "e");
    assert_non_null(strstr(peer_hear(eve), "\"anchor\":3,\"head\":5"));
    peer_disconnect(ada);
    assert_non_null(strstr(peer_hear(bob), "\"state\":null,\"by\":{\"sub\":\"anonymous\","
                                           "\"client\":\"a\"}"));
    assert_non_null(strstr(peer_hear(eve), "\"state\":null"));
    world_free(world);
}

static void presence_of_one_tick_is_sent_once(void **state)
{
    (void)state;
    struct test_world *world = world_new(1);
    struct test_peer *ada = world_connect(world, 0);
    struct test_peer *bob = world_connect(world, 0);
    open_doc(ada, "a");
    open_doc(bob, "b");
    for (int i = 0; i < 5; i++)
        peer_say(ada,
                 "{\"jsonrpc\":\"2.0\",\"method\":\"doc.presence\",\"params\":{\"doc\":\"d\","
                 "\"epoch\":\"%s\",\"version\":0,\"state\":{\"name\":\"%d\"}}}",
                 epoch, i);
    assert_non_null(strstr(peer_hear(bob), "\"name\":\"4\""));
    assert_null(peer_hear(bob));
    world_free(world);
}

static void a_connection_that_goes_while_its_open_waits_leaves_no_subscriber(void **state)
{
    (void)state;
    struct test_world *world = world_new(2);
    struct test_peer *ada = world_connect(world, 0);
    world_store_hold(world);
    peer_say(ada, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"doc.open\",\"params\":{\"doc\":\"d\","
                  "\"create\":true,\"client\":\"a\"}}");
    world_run(world);
    peer_disconnect(ada);
    world_run(world);
    world_store_release(world);
    world_run(world);
    world_pass(world, 31000);
    world_pass(world, 1000);
    assert_int_equal(world_stats(world).documents, 0);
    world_free(world);
}

static void wrong_parameters_are_named(void **state)
{
    (void)state;
    static const char *const params[] = {
        "{}",
        "{\"doc\":\"\"}",
        "{\"doc\":\"$x\"}",
        "{\"doc\":7}",
        "[\"d\"]",
        "{\"doc\":\"a//b\"}",
        "{\"doc\":\"e\\u0301\"}",
        "{\"doc\":\"d\",\"version\":1}",
        "{\"doc\":\"d\",\"type\":\"nope\"}",
        "{\"doc\":\"d\",\"create\":1}",
        "{\"doc\":\"\\u0007\"}",
    };
    struct test_world *world = world_new(1);
    struct test_peer *ada = world_connect(world, 0);
    for (size_t i = 0; i < sizeof(params) / sizeof(params[0]); i++) {
        peer_say(ada, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"doc.open\",\"params\":%s}",
                 params[i]);
        const char *answer = peer_hear(ada);
        assert_non_null(strstr(answer, "\"code\":\"invalid_argument\""));
        assert_non_null(strstr(answer, "\"violations\":[{\"field\":"));
    }
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opening_a_document_that_does_not_exist_needs_create),
        cmocka_unit_test(an_operation_is_acknowledged_to_its_author_and_sent_to_everybody_else),
        cmocka_unit_test(concurrent_insertions_put_the_incoming_one_first),
        cmocka_unit_test(a_resend_is_answered_again_and_not_applied_twice),
        cmocka_unit_test(a_resend_is_recognised_after_a_restart),
        cmocka_unit_test(an_append_of_unknown_outcome_is_settled_by_what_the_log_holds),
        cmocka_unit_test(nothing_is_told_before_it_is_durable),
        cmocka_unit_test(a_canceled_submit_is_answered_by_what_became_of_it),
        cmocka_unit_test(opening_again_fences_the_old_connection_and_settles_its_submits_first),
        cmocka_unit_test(hostile_operations_are_refused_and_change_nothing),
        cmocka_unit_test(every_version_can_be_fetched),
        cmocka_unit_test(history_lists_operations_with_author_and_time),
        cmocka_unit_test(idle_documents_leave_memory_and_come_back_from_a_snapshot),
        cmocka_unit_test(a_subscriber_that_reads_slowly_gets_everything_when_it_has_read),
        cmocka_unit_test(an_answer_does_not_overtake_what_a_slow_author_missed),
        cmocka_unit_test(a_subscriber_that_lags_is_told_so_and_closed),
        cmocka_unit_test(a_document_larger_than_its_limit_refuses_what_makes_it_grow),
        cmocka_unit_test(
            presence_reaches_others_moves_with_operations_and_ends_with_the_connection),
        cmocka_unit_test(presence_of_one_tick_is_sent_once),
        cmocka_unit_test(a_connection_that_goes_while_its_open_waits_leaves_no_subscriber),
        cmocka_unit_test(wrong_parameters_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
