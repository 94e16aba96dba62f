/* SPDX-License-Identifier: Apache-2.0 */
/* Deletions in a text document over real connections: what they take, beside what others do, and
 * which are refused. */
#include "ot_replica.h"

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

/* Two people in |name|, which holds |text|, both at version 1. */
static void two_people(struct replica *a, struct replica *b, const char *name, const char *text)
{
    char op[256];
    snprintf(op, sizeof(op), "[\"%s\"]", text);
    replica_open(a, server->url, name, "a");
    replica_edit(a, op);
    replica_open(b, server->url, name, "b");
}

/* |a_op| comes first, |b_op| was made without knowing it; both must see |want|. */
static void assert_concurrent(const char *name, const char *text, const char *a_op,
                              const char *b_op, const char *want)
{
    struct replica a;
    struct replica b;
    two_people(&a, &b, name, text);
    replica_edit(&a, a_op);
    replica_edit(&b, b_op);
    replica_follow(&a, 3);
    assert_replica_is(&a, want);
    assert_replica_is(&b, want);
    replica_close(&a);
    replica_close(&b);
}

static void deletion_reaches_the_document_and_everybody_else(void **state)
{
    (void)state;
    struct replica a;
    struct replica b;
    two_people(&a, &b, "delete-plain", "hello world");
    replica_edit(&a, "[5,{\"d\":6}]");
    replica_follow(&b, 2);
    assert_replica_is(&b, "hello");
    replica_edit(&b, "[{\"d\":1},3,{\"d\":1}]");
    replica_follow(&a, 3);
    assert_replica_is(&a, "ell");
    replica_edit(&a, "[{\"d\":3}]");
    replica_follow(&b, 4);
    assert_replica_is(&a, "");
    assert_replica_is(&b, "");
    replica_close(&a);
    replica_close(&b);
}

static void text_deleted_by_two_people_is_deleted_once(void **state)
{
    (void)state;
    assert_concurrent("delete-same", "abcdef", "[2,{\"d\":2}]", "[2,{\"d\":2}]", "abef");
    assert_concurrent("delete-overlap", "abcdefgh", "[1,{\"d\":4}]", "[3,{\"d\":4}]", "ah");
    assert_concurrent("delete-inside", "abcdefgh", "[1,{\"d\":6}]", "[3,{\"d\":2}]", "ah");
    assert_concurrent("delete-around", "abcdefgh", "[3,{\"d\":2}]", "[1,{\"d\":6}]", "ah");
    assert_concurrent("delete-apart", "abcdefgh", "[{\"d\":2}]", "[6,{\"d\":2}]", "cdef");
    assert_concurrent("delete-all", "abcdefgh", "[{\"d\":8}]", "[{\"d\":8}]", "");
}

static void deletion_around_an_insertion_leaves_that_insertion(void **state)
{
    (void)state;
    assert_concurrent("delete-insert-inside", "abcdef", "[3,\"NEW\"]", "[1,{\"d\":4}]", "aNEWf");
    assert_concurrent("delete-insert-before", "abcdef", "[1,\"NEW\"]", "[1,{\"d\":4}]", "aNEWf");
    assert_concurrent("delete-insert-behind", "abcdef", "[5,\"NEW\"]", "[1,{\"d\":4}]", "aNEWf");
    assert_concurrent("delete-many-insert", "abcdef", "[2,\"1\",1,\"2\",1,\"3\"]", "[1,{\"d\":4}]",
                      "a123f");
}

static void replacement_beside_replacement_keeps_both_new_texts(void **state)
{
    (void)state;
    assert_concurrent("delete-replace", "abcdef", "[1,{\"d\":4},\"A\"]", "[1,{\"d\":4},\"B\"]",
                      "aBAf");
}

static void deletions_count_code_points(void **state)
{
    (void)state;
    assert_concurrent("delete-unicode", "a\\ud83d\\ude00\xe6\xbc\xa2z", "[1,{\"d\":1}]",
                      "[2,{\"d\":1}]", "az");
}

static void recorded_text_must_be_what_stands_there(void **state)
{
    (void)state;
    struct replica a;
    struct replica b;
    two_people(&a, &b, "delete-recorded",
               "abc\xf0\x9f\x98\x80"
               "def");
    assert_string_equal(replica_refused(&a, "[{\"d\":\"abd\"}]"), "failed_precondition");
    assert_string_equal(replica_refused(&a, "[5,{\"d\":\"ef?\"}]"), "out_of_range");
    replica_edit(&a, "[2,{\"d\":\"c\\ud83d\\ude00\"}]");
    /* Made before that: of the text it names, the rest is still there. */
    replica_edit(&b, "[1,{\"d\":\"bc\\ud83d\\ude00"
                     "d\"}]");
    replica_follow(&a, 3);
    assert_replica_is(&a, "aef");
    assert_replica_is(&b, "aef");
    replica_close(&a);
    replica_close(&b);
}

static void malformed_deletions_are_refused_and_change_nothing(void **state)
{
    (void)state;
    static const char *const malformed[] = {
        "[{}]",
        "[{\"d\":0}]",
        "[{\"d\":-1}]",
        "[{\"d\":1.5}]",
        "[{\"d\":1e300}]",
        "[{\"d\":99999999999}]",
        "[{\"d\":\"\"}]",
        "[{\"d\":null}]",
        "[{\"d\":[1]}]",
        "[{\"d\":1,\"x\":2}]",
        "[{\"i\":1}]",
        "{\"d\":1}",
        "[{\"d\":1},1]",
    };
    struct replica a;
    struct replica b;
    two_people(&a, &b, "delete-refused", "abc");
    for (size_t i = 0; i < WEFT_ARRAY_LEN(malformed); i++)
        assert_string_equal(replica_refused(&a, malformed[i]), "invalid_argument");
    assert_string_equal(replica_refused(&a, "[{\"d\":4}]"), "out_of_range");
    assert_string_equal(replica_refused(&a, "[3,{\"d\":1}]"), "out_of_range");
    assert_string_equal(replica_refused(&a, "[{\"d\":2147483647}]"), "out_of_range");
    replica_edit(&a, "[{\"d\":1}]"); /* the same seq, now a good operation */
    replica_follow(&b, 2);
    assert_replica_is(&a, "bc");
    assert_replica_is(&b, "bc");
    replica_close(&a);
    replica_close(&b);
}

/* Deletions and insertions in one operation, in any number: op_random makes them. */
static void random_edits_of_several_people_converge(void **state)
{
    (void)state;
    struct test_random rng;
    test_random_init(&rng, "random_edits_of_several_people_converge");
    replicas_converge(server->url, "delete-random", 400, &rng, op_random);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deletion_reaches_the_document_and_everybody_else),
        cmocka_unit_test(text_deleted_by_two_people_is_deleted_once),
        cmocka_unit_test(deletion_around_an_insertion_leaves_that_insertion),
        cmocka_unit_test(replacement_beside_replacement_keeps_both_new_texts),
        cmocka_unit_test(deletions_count_code_points),
        cmocka_unit_test(recorded_text_must_be_what_stands_there),
        cmocka_unit_test(malformed_deletions_are_refused_and_change_nothing),
        cmocka_unit_test(random_edits_of_several_people_converge),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
