/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection to the database with its prepared statements. Each thread of the store has its
 * own. Functions that return |rc| return SQLite's extended result codes.
 */
#ifndef WEFT_STORE_SQLITE_DB_H
#define WEFT_STORE_SQLITE_DB_H

#include "base/slice.h"

#include <sqlite3.h>

enum weft_sqlite_sql {
    WEFT_SQLITE_BEGIN_READ,
    WEFT_SQLITE_BEGIN_WRITE,
    WEFT_SQLITE_COMMIT,
    WEFT_SQLITE_ROLLBACK,
    WEFT_SQLITE_SAVE,
    WEFT_SQLITE_SAVE_KEEP,
    WEFT_SQLITE_SAVE_UNDO,
    WEFT_SQLITE_SETTLE,
    WEFT_SQLITE_DOC_GET,
    WEFT_SQLITE_DOC_ADD,
    WEFT_SQLITE_DOC_SET,
    WEFT_SQLITE_DOC_DEL,
    WEFT_SQLITE_DOC_LIST,
    WEFT_SQLITE_RECORD_ADD,
    WEFT_SQLITE_RECORD_LAST,
    WEFT_SQLITE_RECORD_RANGE,
    WEFT_SQLITE_RECORD_SIZES,
    WEFT_SQLITE_RECORD_DEL,
    WEFT_SQLITE_CHUNK_ADD,
    WEFT_SQLITE_CHUNK_ALL,
    WEFT_SQLITE_DEAD_BLOB_NEW,
    WEFT_SQLITE_DEAD_BLOB_ADD,
    WEFT_SQLITE_DEAD_BLOB_ANY,
    WEFT_SQLITE_DEAD_BLOB_DEL,
    WEFT_SQLITE_DEAD_CHUNKS_DEL,
    WEFT_SQLITE_DEAD_DOC_ADD,
    WEFT_SQLITE_DEAD_DOC_ANY,
    WEFT_SQLITE_DEAD_DOC_DEL,
    WEFT_SQLITE_DEAD_RECORDS_DEL,
    WEFT_SQLITE_SQL_COUNT,
};

struct weft_sqlite_db {
    sqlite3 *handle;
    sqlite3_stmt *statements[WEFT_SQLITE_SQL_COUNT];
};

/* Opens an existing file. |db| is all zeroes before. */
int weft__sqlite_db_open(struct weft_sqlite_db *db, const char *path, const char *vfs);

/* Prepares all statements; the schema must exist. */
int weft__sqlite_db_prepare(struct weft_sqlite_db *db);

/* Closes what is open; harmless on all zeroes. */
void weft__sqlite_db_close(struct weft_sqlite_db *db);

/* Runs |sql|, one or several statements without results. */
int weft__sqlite_db_exec(struct weft_sqlite_db *db, const char *sql);

/* The single number that |sql| answers with. */
int weft__sqlite_db_number(struct weft_sqlite_db *db, const char *sql, int64_t *ret_number);

/* Binds |value|, an empty one as empty and not as NULL. The bytes must live until the step. */
int weft__sqlite_bind_slice(sqlite3_stmt *statement, int index, struct weft_slice value);
int weft__sqlite_bind_u64(sqlite3_stmt *statement, int index, uint64_t value);

/* A statement to bind, and to be ended with weft__sqlite_db_end. */
static inline sqlite3_stmt *weft__sqlite_db_get(struct weft_sqlite_db *db, enum weft_sqlite_sql sql)
{
    return db->statements[sql];
}

/* Forgets bindings and results. */
void weft__sqlite_db_end(sqlite3_stmt *statement);

/* Steps a bound statement that has no results to its end: SQLITE_OK, or what went wrong. */
int weft__sqlite_db_step(sqlite3_stmt *statement);

/* The same for a statement without parameters, or with one. */
int weft__sqlite_db_run(struct weft_sqlite_db *db, enum weft_sqlite_sql sql);
int weft__sqlite_db_run_id(struct weft_sqlite_db *db, enum weft_sqlite_sql sql, int64_t id);

/* The first column of the first row of |sql| with |id| as ?1, or 0 when there is none. */
int weft__sqlite_db_find_id(struct weft_sqlite_db *db, enum weft_sqlite_sql sql, int64_t id,
                            int64_t *ret_id);

/* The bytes of column |column| of the present row; they live until the next step. */
struct weft_slice weft__sqlite_column_slice(sqlite3_stmt *statement, int column);

/* The enum weft_err that |rc| of a statement becomes: NOMEM, CORRUPT, or UNAVAILABLE. */
int weft__sqlite_err(int rc);

#endif
