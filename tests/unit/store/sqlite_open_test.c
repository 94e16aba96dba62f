/* SPDX-License-Identifier: Apache-2.0 */
/* What the SQLite store opens, what it refuses, and what it says then. */
#include "unit/store/store_support.h"

#include <sqlite3.h>
#include <sys/wait.h>

struct world {
    struct test_folder folder;
    char file[128]; /* the database */
    char message[256];
    struct weft_sqlite_options options;
    struct weft_store *store;
};

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    test_folder_make(&w->folder);
    snprintf(w->file, sizeof(w->file), "%s/weft.db", w->folder.data);
    w->options = (struct weft_sqlite_options){
        .alloc = weft_alloc_default(),
        .folder = w->folder.data,
    };
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    test_folder_remove(&w->folder);
    free(w);
    return 0;
}

static int open_store(struct world *w)
{
    memset(w->message, '?', sizeof(w->message));
    return weft__sqlite_store_open(&w->options, &w->store, w->message, sizeof(w->message));
}

/* Makes a store and closes it again. */
static void make_store(struct world *w)
{
    assert_ok(open_store(w));
    weft__store_free(w->store);
}

/* Runs |sql| in the database, which is made when it is missing. */
static void run_sql(struct world *w, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(w->file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void write_file(const char *path, const void *data, size_t len)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static mode_t mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 0777;
}

static void assert_says(const struct world *w, const char *part)
{
    assert_non_null(memchr(w->message, 0, sizeof(w->message)));
    if (!strstr(w->message, part))
        fail_msg("\"%s\" does not say \"%s\"", w->message, part);
}

static void folder_and_files_are_for_the_user_alone(void **state)
{
    struct world *w = *state;
    char path[160];
    assert_ok(open_store(w));
    assert_string_equal(w->message, "");
    assert_string_equal(w->store->name, "sqlite");
    assert_string_equal(w->store->durability, "fsync");
    assert_int_equal(mode_of(w->folder.data), 0700);
    assert_int_equal(mode_of(w->file), 0600);
    snprintf(path, sizeof(path), "%s-wal", w->file);
    assert_int_equal(mode_of(path), 0600);
    snprintf(path, sizeof(path), "%s/lock", w->folder.data);
    assert_int_equal(mode_of(path), 0600);
    weft__store_free(w->store);
}

static void closing_leaves_the_database_without_a_log(void **state)
{
    struct world *w = *state;
    char path[160];
    struct stat st;
    make_store(w);
    snprintf(path, sizeof(path), "%s-wal", w->file);
    assert_int_not_equal(stat(path, &st), 0);
    assert_int_equal(stat(w->file, &st), 0);
    assert_ok(open_store(w));
    weft__store_free(w->store);
}

static void second_instance_is_busy_and_told_who_has_it(void **state)
{
    struct world *w = *state;
    struct world second = *w;
    char pid[32];
    assert_ok(open_store(w));
    snprintf(pid, sizeof(pid), "process %ld", (long)getpid());
    assert_err(open_store(&second), WEFT_ERR_BUSY);
    assert_says(&second, w->folder.data);
    assert_says(&second, pid);
    weft__store_free(w->store);
    assert_ok(open_store(&second));
    weft__store_free(second.store);
}

static void message_may_be_left_out(void **state)
{
    struct world *w = *state;
    struct weft_store *second;
    assert_ok(weft__sqlite_store_open(&w->options, &w->store, NULL, 0));
    assert_err(weft__sqlite_store_open(&w->options, &second, NULL, 0), WEFT_ERR_BUSY);
    char one[1] = {'?'};
    assert_err(weft__sqlite_store_open(&w->options, &second, one, 1), WEFT_ERR_BUSY);
    assert_int_equal(one[0], 0);
    weft__store_free(w->store);
    w->options.folder = "";
    assert_err(weft__sqlite_store_open(&w->options, &second, NULL, 0), WEFT_ERR_USAGE);
}

static void folder_that_cannot_be_made_is_named(void **state)
{
    struct world *w = *state;
    char path[128];
    snprintf(path, sizeof(path), "%s/missing/data", w->folder.path);
    w->options.folder = path;
    assert_err(open_store(w), WEFT_ERR_SYSTEM);
    assert_says(w, path);
    assert_says(w, "No such file");
}

static void file_in_the_place_of_the_folder_is_refused(void **state)
{
    struct world *w = *state;
    write_file(w->folder.data, "x", 1);
    assert_err(open_store(w), WEFT_ERR_SYSTEM);
    assert_says(w, w->folder.data);
}

/* Root may write everywhere: gives its rights up, after giving the files away. */
static bool become_somebody(const struct world *w)
{
    char lock[160];
    snprintf(lock, sizeof(lock), "%s/lock", w->folder.data);
    return geteuid() != 0 ||
           (chown(w->folder.data, 65534, 65534) == 0 && chown(w->file, 65534, 65534) == 0 &&
            chown(lock, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
}

static void what_cannot_be_written_is_denied(void **state)
{
    struct world *w = *state;
    static const struct {
        mode_t folder, file;
    } modes[] = {{0500, 0400}, {0700, 0400}, {0000, 0600}};
    make_store(w);
    assert_int_equal(chmod(w->folder.path, 0755), 0);
    for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
        int status;
        assert_int_equal(chmod(w->file, modes[i].file), 0);
        assert_int_equal(chmod(w->folder.data, modes[i].folder), 0);
        pid_t child = fork();
        if (child == 0) {
            if (!become_somebody(w))
                _exit(2);
            int err = open_store(w);
            if (err != WEFT_ERR_DENIED || !strstr(w->message, w->folder.data))
                print_error("%s: %s\n", weft_err_name(err), w->message);
            _exit(err == WEFT_ERR_DENIED && strstr(w->message, w->folder.data) ? 0 : 1);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(chmod(w->folder.data, 0700), 0);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
}

static void file_that_is_no_database_is_refused_and_kept(void **state)
{
    struct world *w = *state;
    char garbage[8192];
    char after[sizeof(garbage)];
    memset(garbage, 'g', sizeof(garbage));
    assert_int_equal(mkdir(w->folder.data, 0700), 0);
    write_file(w->file, garbage, sizeof(garbage));
    assert_err(open_store(w), WEFT_ERR_CORRUPT);
    assert_says(w, "weft.db is damaged or not a database");
    FILE *file = fopen(w->file, "rb");
    assert_int_equal(fread(after, 1, sizeof(after), file), sizeof(after));
    fclose(file);
    assert_memory_equal(after, garbage, sizeof(garbage));
}

static void database_of_another_program_is_refused_and_kept(void **state)
{
    struct world *w = *state;
    static const char *const others[] = {
        "CREATE TABLE addresses (name TEXT)",
        "PRAGMA application_id = 252006674",
        "PRAGMA user_version = 3",
    };
    assert_int_equal(mkdir(w->folder.data, 0700), 0);
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        run_sql(w, others[i]);
        assert_err(open_store(w), WEFT_ERR_UNSUPPORTED);
        assert_says(w, "another program");
        assert_says(w, w->file);
        unlink(w->file);
    }
    make_store(w); /* The lock was given back. */
}

static void format_of_a_newer_weft_is_refused(void **state)
{
    struct world *w = *state;
    make_store(w);
    run_sql(w, "PRAGMA user_version = 3");
    assert_err(open_store(w), WEFT_ERR_UNSUPPORTED);
    assert_says(w, "newer weft");
    assert_says(w, "format 3");
    run_sql(w, "PRAGMA user_version = 2");
    make_store(w);
}

/* A weft that knows no segments must not open what may hold them. */
static void format_1_becomes_format_2(void **state)
{
    struct world *w = *state;
    make_store(w);
    run_sql(w, "PRAGMA user_version = 1");
    make_store(w);
    sqlite3 *db;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open(w->file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &statement, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(statement, 0), 2);
    sqlite3_finalize(statement);
    sqlite3_close(db);
}

static void format_that_never_was_is_damage(void **state)
{
    struct world *w = *state;
    make_store(w);
    run_sql(w, "PRAGMA user_version = 0");
    assert_err(open_store(w), WEFT_ERR_CORRUPT);
    run_sql(w, "PRAGMA user_version = -1");
    assert_err(open_store(w), WEFT_ERR_CORRUPT);
}

static void missing_table_is_damage(void **state)
{
    struct world *w = *state;
    make_store(w);
    run_sql(w, "DROP TABLE chunks");
    assert_err(open_store(w), WEFT_ERR_CORRUPT);
    assert_says(w, "chunks");
}

static void truncated_database_is_damage(void **state)
{
    struct world *w = *state;
    make_store(w);
    assert_int_equal(truncate(w->file, 100), 0);
    assert_true(open_store(w) < 0);
    assert_int_equal(truncate(w->file, 5000), 0);
    assert_true(open_store(w) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(folder_and_files_are_for_the_user_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(closing_leaves_the_database_without_a_log, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(second_instance_is_busy_and_told_who_has_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(message_may_be_left_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(folder_that_cannot_be_made_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(file_in_the_place_of_the_folder_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_written_is_denied, set_up, tear_down),
        cmocka_unit_test_setup_teardown(file_that_is_no_database_is_refused_and_kept, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(database_of_another_program_is_refused_and_kept, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(format_of_a_newer_weft_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(format_1_becomes_format_2, set_up, tear_down),
        cmocka_unit_test_setup_teardown(format_that_never_was_is_damage, set_up, tear_down),
        cmocka_unit_test_setup_teardown(missing_table_is_damage, set_up, tear_down),
        cmocka_unit_test_setup_teardown(truncated_database_is_damage, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
