/* SPDX-License-Identifier: Apache-2.0 */
/* Insertions in a text document over real connections: where they land, in which order, and which
 * are refused. */
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

static void insertion_reaches_the_document_and_everybody_else(void **state)
{
    (void)state;
    struct replica a;
    struct replica b;
    replica_open(&a, server->url, "insert-plain", "a");
    replica_open(&b, server->url, "insert-plain", "b");
    replica_edit(&a, "[\"hello\"]");
    replica_follow(&b, 1);
    replica_edit(&b, "[5,\" world\"]");
    replica_follow(&a, 2);
    replica_edit(&a, "[\"> \",5,\",\",6,\"!\"]");
    replica_follow(&b, 3);
    assert_replica_is(&a, "> hello, world!");
    assert_replica_is(&b, "> hello, world!");
    replica_close(&a);
    replica_close(&b);
}

/* At one place the operation that comes in later goes first (docs/protocol/text.md). */
static void insertions_at_one_place_have_one_order_everywhere(void **state)
{
    (void)state;
    struct replica a;
    struct replica b;
    struct replica c;
    replica_open(&a, server->url, "insert-tie", "a");
    replica_open(&b, server->url, "insert-tie", "b");
    replica_open(&c, server->url, "insert-tie", "c");
    replica_edit(&a, "[\"first\"]");
    replica_edit(&b, "[\"second\"]");
    replica_edit(&c, "[\"third\"]");
    replica_follow(&a, 3);
    replica_follow(&b, 3);
    assert_replica_is(&a, "thirdsecondfirst");
    assert_replica_is(&b, "thirdsecondfirst");
    assert_replica_is(&c, "thirdsecondfirst");
    replica_close(&a);
    replica_close(&b);
    replica_close(&c);
}

static void insertion_made_at_an_old_version_lands_where_it_was_meant(void **state)
{
    (void)state;
    struct replica a;
    struct replica b;
    replica_open(&a, server->url, "insert-old", "a");
    replica_edit(&a, "[\"one three\"]");
    replica_open(&b, server->url, "insert-old", "b");
    replica_edit(&a, "[\"zero \"]");
    replica_edit(&a, "[\"- \"]");
    replica_edit(&a, "[16,\" four\"]");
    replica_edit(&b, "[4,\"two \"]"); /* b has seen none of these */
    replica_follow(&a, 5);
    assert_replica_is(&a, "- zero one two three four");
    assert_replica_is(&b, "- zero one two three four");
    replica_close(&a);
    replica_close(&b);
}

static void insertion_inside_text_that_somebody_deletes_stays(void **state)
{
    (void)state;
    struct replica a;
    struct replica b;
    replica_open(&a, server->url, "insert-deleted", "a");
    replica_edit(&a, "[\"keep gone keep\"]");
    replica_open(&b, server->url, "insert-deleted", "b");
    replica_edit(&a, "[5,{\"d\":5}]");
    replica_edit(&b, "[7,\"NEW \"]");
    replica_follow(&a, 3);
    assert_replica_is(&a, "keep NEW keep");
    assert_replica_is(&b, "keep NEW keep");
    replica_close(&a);
    replica_close(&b);
}

/* Positions count code points, whatever units a client's own strings have. */
static void positions_count_code_points_of_any_length(void **state)
{
    (void)state;
    struct replica a;
    struct replica b;
    replica_open(&a, server->url, "insert-unicode", "a");
    replica_edit(&a, "[\"a\\ud83d\\ude00b\\r\\n\xe6\xbc\xa2\xe2\x80\xa8z\"]");
    replica_open(&b, server->url, "insert-unicode", "b");
    replica_edit(&b, "[2,\"1\",1,\"2\",2,\"3\",1,\"4\",1,\"5\"]");
    replica_edit(&a, "[8,\"\\u0000end\"]");
    replica_follow(&b, 3);
    struct weft_bytes text = model_utf8(&a.text);
    static const char want[] = "a\xf0\x9f\x98\x80"
                               "1b2\r\n3\xe6\xbc\xa2"
                               "4\xe2\x80\xa8"
                               "5z\0end";
    assert_bytes(text.ptr, text.len, want, sizeof(want) - 1);
    assert_true(model_eq(&a.text, &b.text));
    weft__bytes_done(&text);
    replica_close(&a);
    replica_close(&b);
}

/* Neighbouring insertions are accepted and stored as one. */
static void operations_are_broadcast_in_canonical_form(void **state)
{
    (void)state;
    struct replica a;
    struct replica b;
    replica_open(&a, server->url, "insert-canonical", "a");
    replica_open(&b, server->url, "insert-canonical", "b");
    test_doc_submit(&a.doc, "[\"x\",\"y\",\"z\"]");
    const struct weft_json *params = test_doc_wait(&b.doc, "doc.op", 5000);
    struct weft_slice op = weft__json_raw(weft__json_get(params, "op"));
    assert_bytes(op.ptr, op.len, "[\"xyz\"]", 7);
    replica_close(&a);
    replica_close(&b);
}

static void malformed_insertions_are_refused_and_change_nothing(void **state)
{
    (void)state;
    static const char *const malformed[] = {
        "null",
        "\"x\"",
        "{}",
        "[0,\"x\"]",
        "[-1,\"x\"]",
        "[1.5,\"x\"]",
        "[1e300,\"x\"]",
        "[99999999999,\"x\"]",
        "[\"\"]",
        "[1]",
        "[\"x\",1]",
        "[1,1,\"x\"]",
        "[null]",
        "[true]",
        "[[\"x\"]]",
    };
    struct replica a;
    struct replica b;
    replica_open(&a, server->url, "insert-refused", "a");
    replica_open(&b, server->url, "insert-refused", "b");
    replica_edit(&a, "[\"abc\"]");
    for (size_t i = 0; i < WEFT_ARRAY_LEN(malformed); i++)
        assert_string_equal(replica_refused(&a, malformed[i]), "invalid_argument");
    assert_string_equal(replica_refused(&a, "[4,\"x\"]"), "out_of_range");
    assert_string_equal(replica_refused(&a, "[2147483647,\"x\"]"), "out_of_range");
    replica_edit(&a, "[3,\"d\"]"); /* the same seq, now a good operation */
    replica_follow(&b, 2);
    assert_replica_is(&a, "abcd");
    assert_replica_is(&b, "abcd");
    replica_close(&a);
    replica_close(&b);
}

/* Half a surrogate pair is no JSON text for us; the connection lives on. */
static void half_a_surrogate_pair_is_refused(void **state)
{
    (void)state;
    struct replica a;
    replica_open(&a, server->url, "insert-surrogate", "a");
    replica_edit(&a, "[\"abc\"]");
    test_ws_send(a.doc.ws, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"doc.submit\",\"params\":"
                           "{\"op\":[\"\\ud83d\"]}}");
    const struct weft_json *answer = test_ws_next(a.doc.ws);
    assert_true(weft__json_is(weft__json_get(answer, "error"), WEFT_JSON_OBJECT));
    replica_edit(&a, "[3,\"\\ud83d\\ude00\"]");
    assert_replica_is(&a, "abc\xf0\x9f\x98\x80");
    replica_close(&a);
}

/* One insertion of one to four characters anywhere. */
static struct weft_text_op *random_insertion(struct test_random *rng, const struct model *m)
{
    struct weft_bytes out;
    struct weft_json_writer w;
    struct model text = model_random(rng, test_random_size(rng, 1, 4));
    size_t pos = test_random_size(rng, 0, m->len);
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    weft__json_writer_init(&w, &out);
    weft__json_begin_array(&w);
    if (pos > 0)
        weft__json_put_u64(&w, pos);
    write_range(&w, &text, 0, text.len);
    weft__json_end_array(&w);
    weft__bytes_append_byte(&out, 0);
    struct weft_text_op *op = op_of((const char *)out.ptr);
    weft__bytes_done(&out);
    model_done(&text);
    return op;
}

static void random_insertions_of_several_people_converge(void **state)
{
    (void)state;
    struct test_random rng;
    test_random_init(&rng, "random_insertions_of_several_people_converge");
    replicas_converge(server->url, "insert-random", 400, &rng, random_insertion);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(insertion_reaches_the_document_and_everybody_else),
        cmocka_unit_test(insertions_at_one_place_have_one_order_everywhere),
        cmocka_unit_test(insertion_made_at_an_old_version_lands_where_it_was_meant),
        cmocka_unit_test(insertion_inside_text_that_somebody_deletes_stays),
        cmocka_unit_test(positions_count_code_points_of_any_length),
        cmocka_unit_test(operations_are_broadcast_in_canonical_form),
        cmocka_unit_test(malformed_insertions_are_refused_and_change_nothing),
        cmocka_unit_test(half_a_surrogate_pair_is_refused),
        cmocka_unit_test(random_insertions_of_several_people_converge),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
