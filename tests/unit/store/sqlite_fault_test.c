/* SPDX-License-Identifier: Apache-2.0 */
/* The SQLite store when its disk fails: full, syncs that report errors, and rows that changed. */
#include "unit/store/powercut_vfs.h"

struct world {
    struct test_folder folder;
    struct power power;
    struct test_log log;
    struct test_store t;
    struct weft_sqlite_options options;
};

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    test_folder_make(&w->folder);
    test_log_init(&w->log);
    power_init(&w->power, "faulty", 1);
    w->options = (struct weft_sqlite_options){
        .alloc = weft_alloc_default(),
        .folder = w->folder.data,
        .log = &w->log.log,
        .vfs = "faulty",
    };
    test_store_begin_sqlite(&w->t, &w->options);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    test_store_end(&w->t);
    power_done(&w->power);
    test_folder_remove(&w->folder);
    free(w);
    return 0;
}

static struct weft_slice text(const char *content)
{
    return weft__slice_str(content);
}

/* ---- Disk full, failing syncs ---- */

static void set_full(struct world *w, bool full)
{
    pthread_mutex_lock(&w->power.mutex);
    w->power.full = full;
    pthread_mutex_unlock(&w->power.mutex);
}

static void fail_syncs(struct world *w, int count)
{
    pthread_mutex_lock(&w->power.mutex);
    w->power.fail_syncs = count;
    pthread_mutex_unlock(&w->power.mutex);
}

static size_t lines_with(struct world *w, const char *part)
{
    size_t count = 0;
    pthread_mutex_lock(&w->log.mutex);
    for (const char *at = w->log.text; (at = strstr(at, part)); at++)
        count++;
    pthread_mutex_unlock(&w->log.mutex);
    return count;
}

static void full_disk_refuses_and_the_store_goes_on_when_there_is_room(void **state)
{
    struct world *w = *state;
    struct weft_store_state s, seen;
    struct weft_buf *content = NULL;
    uint64_t version = 0;
    static uint8_t big[700000];
    assert_ok(test_store_open(&w->t, "a", true, &s));
    assert_ok(test_store_append(&w->t, "a", &s, 1, text("before")));
    set_full(w, true);
    for (int i = 0; i < 3; i++)
        assert_err(test_store_append(&w->t, "a", &s, 1, text("no room")), WEFT_ERR_UNAVAILABLE);
    assert_err(test_store_open(&w->t, "b", true, NULL), WEFT_ERR_UNAVAILABLE);
    assert_err(test_store_put(&w->t, "a", 1, weft__slice(big, sizeof(big))), WEFT_ERR_UNAVAILABLE);
    assert_err(test_store_purge(&w->t, "a"), WEFT_ERR_UNAVAILABLE);
    assert_err(test_store_seal(&w->t, "a", 0, 1, text("sealed")), WEFT_ERR_UNAVAILABLE);
    /* Nothing of it was done, and reading goes on. */
    assert_ok(test_store_open(&w->t, "a", false, &seen));
    assert_int_equal(seen.token, s.token);
    assert_ok(test_store_read(&w->t, "a", 0, 9, SIZE_MAX));
    assert_int_equal(test_store_drop(&w->t), 1);
    set_full(w, false);
    assert_ok(test_store_append(&w->t, "a", &s, 1, text("after")));
    assert_ok(test_store_put(&w->t, "a", 2, weft__slice(big, sizeof(big))));
    assert_ok(test_store_get(&w->t, "a", &version, &content));
    assert_int_equal(content->len, sizeof(big));
    weft__buf_unref(content);
    assert_int_equal(lines_with(w, "store.write_failed"), 1);
    assert_int_equal(lines_with(w, "store.writes_again"), 1);
    assert_int_equal(w->t.store->failed, 3);
}

/* What a machine would find that dies now, after the disk has written everything it was given. */
static void assert_version_after_crash(struct world *w, uint64_t version)
{
    struct test_store t;
    struct weft_store_state s;
    char restored[96];
    snprintf(restored, sizeof(restored), "%s/restored", w->folder.path);
    power_off(&w->power);
    power_restore(&w->power, POWER_FATE_ALL, restored);
    const struct weft_sqlite_options options = {.alloc = weft_alloc_default(), .folder = restored};
    test_store_begin_sqlite(&t, &options);
    assert_ok(test_store_open(&t, "a", false, &s));
    assert_int_equal(s.version, version);
    test_store_end(&t);
}

static void append_whose_sync_failed_is_not_there_even_after_a_crash(void **state)
{
    struct world *w = *state;
    struct weft_store_state s, seen;
    assert_ok(test_store_open(&w->t, "a", true, &s));
    assert_ok(test_store_append(&w->t, "a", &s, 1, text("one")));
    fail_syncs(w, 1);
    assert_err(test_store_append(&w->t, "a", &s, 1, text("two")), WEFT_ERR_UNAVAILABLE);
    assert_ok(test_store_open(&w->t, "a", false, &seen));
    assert_int_equal(seen.token, s.token);
    assert_version_after_crash(w, 1);
}

static void append_is_unknown_while_no_sync_works(void **state)
{
    struct world *w = *state;
    struct weft_store_state s, seen;
    assert_ok(test_store_open(&w->t, "a", true, &s));
    assert_ok(test_store_append(&w->t, "a", &s, 1, text("one")));
    fail_syncs(w, 1000000);
    assert_err(test_store_append(&w->t, "a", &s, 1, text("two")), WEFT_ERR_STORE);
    /* Nobody may be told a version that a crash could change. */
    assert_err(test_store_open(&w->t, "a", false, &seen), WEFT_ERR_UNAVAILABLE);
    assert_err(test_store_append(&w->t, "a", &s, 1, text("two")), WEFT_ERR_UNAVAILABLE);
    fail_syncs(w, 0);
    /* It finds out by itself that the disk works. */
    int err = WEFT_ERR_UNAVAILABLE;
    for (int i = 0; i < 500 && err; i++) {
        usleep(10000);
        err = test_store_open(&w->t, "a", false, &seen);
    }
    assert_ok(err);
    assert_int_equal(seen.token, s.token);
    assert_ok(test_store_append(&w->t, "a", &s, 1, text("two")));
    assert_version_after_crash(w, 2);
}

/* Whether the seal was carried out or not, the log says the same; here it was not. */
static void seal_whose_sync_failed_leaves_the_records(void **state)
{
    struct world *w = *state;
    struct weft_store_state s;
    assert_ok(test_store_open(&w->t, "a", true, &s));
    assert_ok(test_store_append(&w->t, "a", &s, 1, text("one")));
    assert_ok(test_store_append(&w->t, "a", &s, 1, text("two")));
    fail_syncs(w, 1);
    assert_err(test_store_seal(&w->t, "a", 0, 2, text("both")), WEFT_ERR_UNAVAILABLE);
    assert_ok(test_store_read(&w->t, "a", 0, 2, SIZE_MAX));
    assert_int_equal(test_store_drop(&w->t), 2);
    assert_ok(test_store_seal(&w->t, "a", 0, 2, text("both")));
    assert_ok(test_store_read(&w->t, "a", 0, 2, SIZE_MAX));
    assert_int_equal(test_store_drop(&w->t), 1);
    assert_version_after_crash(w, 2);
}

/* ---- Batches ---- */

static void conflict_of_one_document_fails_no_other(void **state)
{
    struct world *w = *state;
    enum { COUNT = 200 };
    static struct test_request r[COUNT];
    static char names[COUNT][16];
    for (int i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof(names[i]), "d%d", i);
        assert_ok(test_store_open(&w->t, names[i], true, NULL));
    }
    uint64_t commits = w->t.store->commits;
    for (int i = 0; i < COUNT; i++) {
        test_request_init(&r[i], &w->t.loop, WEFT_STORE_APPEND, names[i]);
        r[i].r.u.append.token = weft__store_token(TEST_EPOCH, 0) + (i % 3 == 0 ? 1 : 0);
        r[i].r.u.append.count = 1;
        r[i].r.u.append.record = text("x");
        weft__store_submit(w->t.store, &r[i].r);
    }
    for (int i = 0; i < COUNT; i++)
        assert_err(test_request_wait(&w->t.loop, &r[i]), i % 3 == 0 ? WEFT_ERR_CONFLICT : 0);
    assert_int_equal(w->t.store->records, COUNT - (COUNT + 2) / 3);
    assert_int_equal(w->t.store->failed, (COUNT + 2) / 3);
    /* They were grouped. */
    assert_true(w->t.store->commits - commits < COUNT / 3);
}

static void append_does_not_wait_for_a_snapshot(void **state)
{
    struct world *w = *state;
    enum { BIG = 12 * 1024 * 1024, APPENDS = 5 };
    struct weft_store_state s;
    struct test_request put;
    uint8_t *big = calloc(1, BIG);
    assert_ok(test_store_open(&w->t, "a", true, &s));
    assert_ok(test_store_append(&w->t, "a", &s, 1, text("x")));
    test_request_init(&put, &w->t.loop, WEFT_STORE_PUT_SNAPSHOT, "a");
    put.r.u.put_snapshot.version = 1;
    put.r.u.put_snapshot.content = weft__slice(big, BIG);
    weft__store_submit(w->t.store, &put.r);
    for (int i = 0; i < APPENDS; i++)
        assert_ok(test_store_append(&w->t, "a", &s, 1, text("x")));
    assert_false(put.over);
    /* A look at the document waits for it. */
    assert_ok(test_store_open(&w->t, "a", false, &s));
    assert_true(put.over);
    assert_ok(put.r.result);
    assert_int_equal(s.snapshot_version, 1);
    assert_int_equal(s.version, 1 + APPENDS);
    free(big);
}

/* ---- Housekeeping ---- */

static int64_t count_rows(struct world *w, const char *table)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    char path[160];
    char sql[64];
    snprintf(path, sizeof(path), "%s/weft.db", w->folder.data);
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", table);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t count = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return count;
}

static void wait_for_rows(struct world *w, const char *table, int64_t count)
{
    int64_t rows = -1;
    for (int i = 0; i < 500; i++) {
        rows = count_rows(w, table);
        if (rows == count)
            return;
        usleep(10000);
    }
    assert_int_equal(rows, count);
}

static void purged_and_replaced_rows_go_away(void **state)
{
    struct world *w = *state;
    enum { PART = 64 * 1024, PARTS = 20 };
    static uint8_t big[PARTS * PART];
    struct weft_store_state s;
    assert_ok(test_store_open(&w->t, "kept", true, &s));
    assert_ok(test_store_append(&w->t, "kept", &s, 1, text("x")));
    for (int i = 0; i < 3; i++)
        assert_ok(test_store_put(&w->t, "kept", 1, weft__slice(big, sizeof(big))));
    assert_ok(test_store_open(&w->t, "purged", true, &s));
    for (int i = 0; i < 700; i++)
        assert_ok(test_store_append(&w->t, "purged", &s, 1, text("x")));
    assert_ok(test_store_put(&w->t, "purged", 1, weft__slice(big, sizeof(big))));
    assert_ok(test_store_purge(&w->t, "purged"));
    wait_for_rows(w, "chunks", PARTS);
    wait_for_rows(w, "records", 1);
    wait_for_rows(w, "dead_blobs", 0);
    wait_for_rows(w, "dead_documents", 0);
}

static void rows_left_by_a_crash_are_collected_at_the_next_start(void **state)
{
    struct world *w = *state;
    sqlite3 *db;
    char path[160];
    snprintf(path, sizeof(path), "%s/weft.db", w->folder.data);
    test_store_end(&w->t);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "INSERT INTO dead_blobs (id) VALUES (7);"
                                  "INSERT INTO chunks VALUES (7, 0, 0, x'00'), (7, 1, 0, x'00');"
                                  "INSERT INTO dead_documents (id) VALUES (9);"
                                  "INSERT INTO records VALUES (9, 0, 1, 0, x'00')",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    power_done(&w->power); /* It knows the file as it was. */
    power_init(&w->power, "faulty", 1);
    test_store_begin_sqlite(&w->t, &w->options);
    wait_for_rows(w, "chunks", 0);
    wait_for_rows(w, "records", 0);
    wait_for_rows(w, "dead_blobs", 0);
    wait_for_rows(w, "dead_documents", 0);
}

static void log_stays_bounded_while_writing_never_pauses(void **state)
{
    struct world *w = *state;
    enum { DOCS = 16, TOTAL = 4000 };
    static struct test_request r[DOCS];
    static char names[DOCS][16];
    static uint8_t record[2000];
    char path[160];
    struct stat st;
    off_t largest = 0;
    test_store_end(&w->t);
    w->options.checkpoint_pages = 100;
    w->options.restart_pages = 400;
    test_store_begin_sqlite(&w->t, &w->options);
    snprintf(path, sizeof(path), "%s/weft.db-wal", w->folder.data);
    for (int i = 0; i < DOCS; i++) {
        snprintf(names[i], sizeof(names[i]), "d%d", i);
        assert_ok(test_store_open(&w->t, names[i], true, NULL));
        test_request_init(&r[i], &w->t.loop, WEFT_STORE_APPEND, names[i]);
        r[i].r.u.append.token = weft__store_token(TEST_EPOCH, 0);
        r[i].r.u.append.count = 1;
        r[i].r.u.append.record = weft__slice(record, sizeof(record));
        weft__store_submit(w->t.store, &r[i].r);
    }
    for (int done = 0, on_way = DOCS; on_way; done++) {
        struct test_request *q = &r[done % DOCS];
        assert_ok(test_request_wait(&w->t.loop, q));
        on_way--;
        if (done % 50 == 0 && stat(path, &st) == 0 && st.st_size > largest)
            largest = st.st_size;
        if (done + on_way >= TOTAL)
            continue;
        q->over = false;
        q->r.u.append.token = q->r.u.append.ret_token;
        q->r.u.append.first++;
        weft__store_submit(w->t.store, &q->r);
        on_way++;
    }
    /* All the pages written would be many times as much. */
    assert_true(largest > 0);
    assert_in_range(largest, 0, 2000 * 4120);
}

/* ---- Damage ---- */

/* Makes the documents a (three records, a snapshot of two parts), b (one record), runs |sql| on the
 * closed database and opens it again. */
static void damage(struct world *w, const char *sql)
{
    static uint8_t snapshot[100000];
    struct weft_store_state s;
    sqlite3 *db;
    char path[160];
    assert_ok(test_store_open(&w->t, "a", true, &s));
    for (int i = 0; i < 3; i++)
        assert_ok(test_store_append(&w->t, "a", &s, 2, text("record")));
    assert_ok(test_store_put(&w->t, "a", 6, weft__slice(snapshot, sizeof(snapshot))));
    test_request_init(&w->t.last, &w->t.loop, WEFT_STORE_OPEN, "b");
    w->t.last.r.u.open.create_type = "text";
    w->t.last.r.u.open.create_epoch = "fedcba9876543210";
    assert_ok(test_store_run(&w->t));
    s = w->t.last.r.state;
    assert_ok(test_store_append(&w->t, "b", &s, 2, text("record")));
    test_store_end(&w->t);
    snprintf(path, sizeof(path), "%s/weft.db", w->folder.data);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_true(sqlite3_changes(db) > 0);
    sqlite3_close(db);
    power_done(&w->power);
    power_init(&w->power, "faulty", 1);
    test_store_begin_sqlite(&w->t, &w->options);
}

static void damage_of_rows_is_found(void **state)
{
    struct world *w = *state;
    enum { OPEN = 1, READ = 2, GET = 4 };
    static const struct {
        const char *sql;
        int fails;
    } cases[] = {
        {"UPDATE records SET content = x'7265636f7264ff' WHERE doc = 1 AND first = 2", READ},
        {"UPDATE records SET content = CAST('recore' AS BLOB) WHERE doc = 1 AND first = 4", READ},
        {"UPDATE records SET crc = crc + 1 WHERE doc = 1 AND first = 0", READ},
        {"UPDATE records SET count = 1 WHERE doc = 1 AND first = 2", READ},
        {"UPDATE records SET first = 3 WHERE doc = 1 AND first = 2", READ},
        {"DELETE FROM records WHERE doc = 1 AND first = 2", READ},
        {"DELETE FROM records WHERE doc = 1 AND first = 0", READ},
        {"DELETE FROM records WHERE doc = 1 AND first = 4", OPEN | READ},
        {"DELETE FROM records WHERE doc = 1", OPEN | READ},
        {"UPDATE records SET doc = doc + 10 WHERE first = 0;"
         "UPDATE records SET doc = 13 - doc WHERE doc > 10",
         READ},
        {"UPDATE documents SET version = 5 WHERE id = 1", OPEN | READ | GET},
        {"UPDATE documents SET epoch = '0123456789abcdee' WHERE id = 1", OPEN | READ | GET},
        {"UPDATE documents SET epoch = 'x' WHERE id = 1", OPEN | READ | GET},
        {"UPDATE documents SET type = '' WHERE id = 1", OPEN | READ | GET},
        {"UPDATE documents SET type = 'a type far too long' WHERE id = 1", OPEN | READ | GET},
        {"UPDATE documents SET oldest = 3 WHERE id = 1", OPEN | READ | GET},
        {"UPDATE documents SET version = -1 WHERE id = 1", OPEN | READ | GET},
        {"UPDATE documents SET blob_size = 99999 WHERE id = 1", OPEN | READ | GET},
        {"UPDATE documents SET blob = 5 WHERE id = 1", OPEN | READ | GET},
        {"UPDATE documents SET id = 5 WHERE id = 1", OPEN | READ},
        {"UPDATE chunks SET content = zeroblob(65535) WHERE part = 0", GET},
        {"UPDATE chunks SET content = CAST(x'01' || zeroblob(65535) AS BLOB) WHERE part = 0", GET},
        {"UPDATE chunks SET crc = 0 WHERE part = 1", GET},
        {"UPDATE chunks SET part = 1 - part + 2", GET},
        {"DELETE FROM chunks WHERE part = 1", GET},
        {"DELETE FROM chunks", GET},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct weft_buf *content = NULL;
        uint64_t version = 0;
        damage(w, cases[i].sql);
        int open = test_store_open(&w->t, "a", false, NULL);
        int read = test_store_read(&w->t, "a", 0, 6, SIZE_MAX);
        if (!read)
            test_store_drop(&w->t);
        int get = test_store_get(&w->t, "a", &version, &content);
        if (!get)
            weft__buf_unref(content);
        print_message("%s\n", cases[i].sql);
        assert_err(open, cases[i].fails & OPEN ? WEFT_ERR_CORRUPT : 0);
        assert_err(read, cases[i].fails & READ ? WEFT_ERR_CORRUPT : 0);
        assert_err(get, cases[i].fails & GET ? WEFT_ERR_CORRUPT : 0);
        /* Another document is not concerned, unless its rows were exchanged. */
        if (!strstr(cases[i].sql, "13 - doc")) {
            assert_ok(test_store_open(&w->t, "b", false, NULL));
            assert_ok(test_store_read(&w->t, "b", 0, 2, SIZE_MAX));
            assert_int_equal(test_store_drop(&w->t), 1);
        }
        assert_true(lines_with(w, "damaged") > 0);
        tear_down(state);
        set_up(state);
        w = *state;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(full_disk_refuses_and_the_store_goes_on_when_there_is_room,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(append_whose_sync_failed_is_not_there_even_after_a_crash,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(seal_whose_sync_failed_leaves_the_records, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(append_is_unknown_while_no_sync_works, set_up, tear_down),
        cmocka_unit_test_setup_teardown(conflict_of_one_document_fails_no_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(append_does_not_wait_for_a_snapshot, set_up, tear_down),
        cmocka_unit_test_setup_teardown(purged_and_replaced_rows_go_away, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rows_left_by_a_crash_are_collected_at_the_next_start,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(log_stays_bounded_while_writing_never_pauses, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(damage_of_rows_is_found, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
