/* SPDX-License-Identifier: Apache-2.0 */
/* The SQL of the store, and the few shapes in which statements are run. */
#include "store/sqlite/db.h"

#include <weft/err.h>

enum { BUSY_MS = 10000 }; /* patience with an administrator's own connection */

static const char *const SQL[WEFT_SQLITE_SQL_COUNT] = {
    [WEFT_SQLITE_BEGIN_READ] = "BEGIN",
    [WEFT_SQLITE_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [WEFT_SQLITE_COMMIT] = "COMMIT",
    [WEFT_SQLITE_ROLLBACK] = "ROLLBACK",
    [WEFT_SQLITE_SAVE] = "SAVEPOINT request",
    [WEFT_SQLITE_SAVE_KEEP] = "RELEASE request",
    [WEFT_SQLITE_SAVE_UNDO] = "ROLLBACK TO request",
    [WEFT_SQLITE_SETTLE] = "UPDATE settled SET times = times + 1",
    [WEFT_SQLITE_DOC_GET] = "SELECT id, type, epoch, version, oldest, blob, blob_version, "
                            "blob_size, crc FROM documents WHERE tenant = ?1 AND name = ?2",
    [WEFT_SQLITE_DOC_ADD] =
        "INSERT INTO documents (tenant, name, type, epoch, version, oldest, blob, blob_version, "
        "blob_size, crc) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    [WEFT_SQLITE_DOC_SET] = "UPDATE documents SET version = ?2, oldest = ?3, blob = ?4, "
                            "blob_version = ?5, blob_size = ?6, crc = ?7 WHERE id = ?1",
    [WEFT_SQLITE_DOC_DEL] = "DELETE FROM documents WHERE id = ?1",
    [WEFT_SQLITE_DOC_LIST] =
        "SELECT id, type, epoch, version, oldest, blob, blob_version, blob_size, crc, name "
        "FROM documents WHERE tenant = ?1 AND name >= ?2 AND name > ?3 ORDER BY name",
    [WEFT_SQLITE_RECORD_ADD] = "INSERT INTO records (doc, first, count, crc, content) "
                               "VALUES (?1, ?2, ?3, ?4, ?5)",
    [WEFT_SQLITE_RECORD_LAST] =
        "SELECT first, count FROM records WHERE doc = ?1 ORDER BY first DESC LIMIT 1",
    [WEFT_SQLITE_RECORD_RANGE] =
        "SELECT first, count, crc, content FROM records WHERE doc = ?1 AND first < ?3 AND first >= "
        "ifnull((SELECT max(first) FROM records WHERE doc = ?1 AND first <= ?2), 0) "
        "ORDER BY first",
    [WEFT_SQLITE_RECORD_SIZES] = "SELECT first, count, length(content) FROM records WHERE doc = ?1 "
                                 "AND first >= ?2 AND first < ?3 ORDER BY first",
    [WEFT_SQLITE_RECORD_DEL] = "DELETE FROM records WHERE doc = ?1 AND first >= ?2 AND first < ?3",
    [WEFT_SQLITE_CHUNK_ADD] = "INSERT INTO chunks (blob, part, crc, content) "
                              "VALUES (?1, ?2, ?3, ?4)",
    [WEFT_SQLITE_CHUNK_ALL] = "SELECT part, crc, content FROM chunks WHERE blob = ?1 ORDER BY part",
    [WEFT_SQLITE_DEAD_BLOB_NEW] = "INSERT INTO dead_blobs (id) VALUES (NULL)",
    [WEFT_SQLITE_DEAD_BLOB_ADD] = "INSERT INTO dead_blobs (id) VALUES (?1)",
    [WEFT_SQLITE_DEAD_BLOB_ANY] = "SELECT id FROM dead_blobs WHERE id <> ?1 LIMIT 1",
    [WEFT_SQLITE_DEAD_BLOB_DEL] = "DELETE FROM dead_blobs WHERE id = ?1",
    [WEFT_SQLITE_DEAD_CHUNKS_DEL] =
        "DELETE FROM chunks WHERE blob = ?1 AND part IN "
        "(SELECT part FROM chunks WHERE blob = ?1 ORDER BY part LIMIT 8)",
    [WEFT_SQLITE_DEAD_DOC_ADD] = "INSERT INTO dead_documents (id) VALUES (?1)",
    [WEFT_SQLITE_DEAD_DOC_ANY] = "SELECT id FROM dead_documents WHERE id <> ?1 LIMIT 1",
    [WEFT_SQLITE_DEAD_DOC_DEL] = "DELETE FROM dead_documents WHERE id = ?1",
    [WEFT_SQLITE_DEAD_RECORDS_DEL] =
        "DELETE FROM records WHERE doc = ?1 AND first IN "
        "(SELECT first FROM records WHERE doc = ?1 ORDER BY first LIMIT 512)",
};

int weft__sqlite_db_open(struct weft_sqlite_db *db, const char *path, const char *vfs)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    int rc = sqlite3_open_v2(path, &db->handle, flags, vfs);
    if (rc != SQLITE_OK)
        return db->handle ? sqlite3_extended_errcode(db->handle) : rc;
    sqlite3_extended_result_codes(db->handle, 1);
    return sqlite3_busy_timeout(db->handle, BUSY_MS);
}

int weft__sqlite_db_prepare(struct weft_sqlite_db *db)
{
    int rc = SQLITE_OK;
    for (int i = 0; i < WEFT_SQLITE_SQL_COUNT && rc == SQLITE_OK; i++)
        rc = sqlite3_prepare_v3(db->handle, SQL[i], -1, SQLITE_PREPARE_PERSISTENT,
                                &db->statements[i], NULL);
    return rc;
}

void weft__sqlite_db_close(struct weft_sqlite_db *db)
{
    for (int i = 0; i < WEFT_SQLITE_SQL_COUNT; i++)
        sqlite3_finalize(db->statements[i]);
    sqlite3_close(db->handle);
    *db = (struct weft_sqlite_db){0};
}

int weft__sqlite_db_exec(struct weft_sqlite_db *db, const char *sql)
{
    return sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
}

int weft__sqlite_db_number(struct weft_sqlite_db *db, const char *sql, int64_t *ret_number)
{
    sqlite3_stmt *statement;
    int rc = sqlite3_prepare_v2(db->handle, sql, -1, &statement, NULL);
    if (rc != SQLITE_OK)
        return rc;
    if (sqlite3_step(statement) == SQLITE_ROW)
        *ret_number = sqlite3_column_int64(statement, 0);
    return sqlite3_finalize(statement);
}

int weft__sqlite_bind_slice(sqlite3_stmt *statement, int index, struct weft_slice value)
{
    if (value.len == 0)
        return sqlite3_bind_zeroblob(statement, index, 0);
    return sqlite3_bind_blob64(statement, index, value.ptr, value.len, SQLITE_STATIC);
}

int weft__sqlite_bind_u64(sqlite3_stmt *statement, int index, uint64_t value)
{
    return sqlite3_bind_int64(statement, index, (sqlite3_int64)value);
}

void weft__sqlite_db_end(sqlite3_stmt *statement)
{
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
}

int weft__sqlite_db_step(sqlite3_stmt *statement)
{
    int rc = sqlite3_step(statement);
    weft__sqlite_db_end(statement);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int weft__sqlite_db_run(struct weft_sqlite_db *db, enum weft_sqlite_sql sql)
{
    return weft__sqlite_db_step(db->statements[sql]);
}

int weft__sqlite_db_run_id(struct weft_sqlite_db *db, enum weft_sqlite_sql sql, int64_t id)
{
    sqlite3_bind_int64(db->statements[sql], 1, id);
    return weft__sqlite_db_step(db->statements[sql]);
}

int weft__sqlite_db_find_id(struct weft_sqlite_db *db, enum weft_sqlite_sql sql, int64_t id,
                            int64_t *ret_id)
{
    sqlite3_stmt *statement = db->statements[sql];
    sqlite3_bind_int64(statement, 1, id);
    int rc = sqlite3_step(statement);
    int64_t found = rc == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    weft__sqlite_db_end(statement);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return rc;
    *ret_id = found;
    return SQLITE_OK;
}

struct weft_slice weft__sqlite_column_slice(sqlite3_stmt *statement, int column)
{
    const void *ptr = sqlite3_column_blob(statement, column);
    return weft__slice(ptr, (size_t)sqlite3_column_bytes(statement, column));
}

int weft__sqlite_err(int rc)
{
    switch (rc & 0xff) { /* The low byte of an extended code is the primary one. */
    case SQLITE_OK:
        return 0;
    case SQLITE_NOMEM:
        return WEFT_ERR_NOMEM;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return WEFT_ERR_CORRUPT;
    default:
        return WEFT_ERR_UNAVAILABLE;
    }
}
