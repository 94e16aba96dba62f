/* SPDX-License-Identifier: Apache-2.0 */
/* `weft doc check` over the data folder of a real server: whole, in use, damaged, missing. */
#include "lib/doc_client.h"
#include "lib/server_process.h"
#include "lib/test.h"

#include <sqlite3.h>

enum { EDITS = 50 };

static struct test_server *server;
static char data[100];

/* A server with segments of a few operations and the documents "a" and "b", stopped. */
static int setup(void **state)
{
    static const char *const args[] = {"--seal-ops", "8", NULL};
    (void)state;
    server = test_server_new(args);
    snprintf(data, sizeof(data), "%s/data", server->folder);
    for (int i = 0; i < 2; i++) {
        struct test_doc doc;
        test_doc_open(&doc, server->url, i ? "b" : "a", "writer");
        for (int edit = 0; edit < EDITS; edit++)
            (void)test_doc_submit(&doc, "[\"x\"]");
        test_ws_close(doc.ws);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    test_server_free(server);
    return 0;
}

/* Runs the check over |folder|; its exit status, and what it said, to be freed. */
static int check(const char *folder, char **ret_out, char **ret_err)
{
    const char *argv[] = {test_binary(), "doc", "check", folder, NULL};
    return test_run_program(argv, ret_out, ret_err);
}

static void run_sql(const char *sql)
{
    sqlite3 *db;
    char path[120];
    snprintf(path, sizeof(path), "%s/weft.db", data);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_true(sqlite3_changes(db) > 0);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void expect_part(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no \"%s\" in: %s", part, text);
}

static void a_whole_folder_passes_and_one_in_use_is_refused(void **state)
{
    char *out;
    char *err;
    (void)state;
    assert_int_equal(check(data, &out, &err), 1);
    expect_part(err, "is in use by process");
    free(out);
    free(err);
    test_server_kill(server);
    assert_int_equal(check(data, &out, NULL), 0);
    expect_part(out, "2 documents, 100 operations in ");
    expect_part(out, " segments: all is well\n");
    assert_null(strstr(out, " 0 segments"));
    free(out);
    test_server_start(server);
}

static void damage_is_told_with_document_and_version(void **state)
{
    static const struct {
        const char *sql;
        const char *line;
    } cases[] = {
        {"UPDATE records SET content = zeroblob(length(content)) WHERE doc = 1 AND first = 0",
         "\"a\": version 1: a row of the log is damaged or missing\n"},
        {"DELETE FROM records WHERE doc = 1 AND first = (SELECT min(first) FROM records "
         "WHERE doc = 1 AND first > 20)",
         "a row of the log is damaged or missing\n"},
        {"UPDATE documents SET version = 49 WHERE id = 1",
         "\"a\": version 0: its row in the table of documents is damaged"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char *out;
        test_server_stop(server);
        run_sql(cases[i].sql);
        assert_int_equal(check(data, &out, NULL), 1);
        expect_part(out, cases[i].line);
        expect_part(out, "1 documents damaged\n");
        assert_null(strstr(out, "\"b\""));
        free(out);
        test_server_free(server);
        (void)setup(state);
    }
}

static void a_folder_without_documents_is_an_error_and_stays_as_it_is(void **state)
{
    char *err;
    char missing[120];
    (void)state;
    snprintf(missing, sizeof(missing), "%s/missing", server->folder);
    assert_int_equal(check(missing, NULL, &err), 1);
    expect_part(err, "there are no documents in ");
    free(err);
    assert_int_equal(check(missing, NULL, NULL), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_whole_folder_passes_and_one_in_use_is_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(damage_is_told_with_document_and_version, setup, teardown),
        cmocka_unit_test_setup_teardown(a_folder_without_documents_is_an_error_and_stays_as_it_is,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
