/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The format of the database: whose it is, which version, and the schema. A change that older
 * programs cannot read raises FORMAT and brings a migration from every version before.
 */
#include "store/sqlite/store.h"

#include <stdio.h>

enum {
    APPLICATION_ID = 0x77656674, /* "weft" */
    FORMAT = 2,                  /* 1: no segments among the records (hub/segment.h) */
};

static const char SCHEMA[] = "BEGIN IMMEDIATE;"
                             "CREATE TABLE documents ("
                             " id INTEGER PRIMARY KEY AUTOINCREMENT,"
                             " tenant BLOB NOT NULL,"
                             " name BLOB NOT NULL,"
                             " type TEXT NOT NULL,"
                             " epoch TEXT NOT NULL,"
                             " version INTEGER NOT NULL," /* operations since creation */
                             " oldest INTEGER NOT NULL,"  /* later ones can be read singly */
                             " blob INTEGER NOT NULL," /* of the newest snapshot; 0 without one */
                             " blob_version INTEGER NOT NULL," /* which that snapshot stands for */
                             " blob_size INTEGER NOT NULL,"    /* bytes */
                             " crc INTEGER NOT NULL,"
                             " UNIQUE (tenant, name));"
                             "CREATE TABLE records ("
                             " doc INTEGER NOT NULL,"
                             " first INTEGER NOT NULL,"
                             " count INTEGER NOT NULL,"
                             " crc INTEGER NOT NULL,"
                             " content BLOB NOT NULL,"
                             " PRIMARY KEY (doc, first)) WITHOUT ROWID;"
                             "CREATE TABLE chunks ("
                             " blob INTEGER NOT NULL,"
                             " part INTEGER NOT NULL,"
                             " crc INTEGER NOT NULL,"
                             " content BLOB NOT NULL,"
                             " PRIMARY KEY (blob, part)) WITHOUT ROWID;"
                             "CREATE TABLE dead_documents (id INTEGER PRIMARY KEY);"
                             "CREATE TABLE dead_blobs (id INTEGER PRIMARY KEY AUTOINCREMENT);"
                             "CREATE TABLE settled (times INTEGER NOT NULL);"
                             "INSERT INTO settled (times) VALUES (0);"
                             "PRAGMA application_id = 0x77656674;" /* APPLICATION_ID */
                             "PRAGMA user_version = 2;"            /* FORMAT */
                             "COMMIT;";

/* Whatever else stands in the file is somebody's: it is not touched. */
static int foreign(int64_t id, const char *path, char *ret_message, size_t message_size)
{
    snprintf(ret_message, message_size,
             "%s is a database of another program (application id %lld); it was not touched", path,
             (long long)id);
    return WEFT_ERR_UNSUPPORTED;
}

static int unreadable(struct weft_sqlite_db *db, int rc, const char *path, char *ret_message,
                      size_t message_size)
{
    int err = weft__sqlite_err(rc);
    if ((rc & 0xff) == SQLITE_NOTADB)
        snprintf(ret_message, message_size, "%s is damaged or not a database", path);
    else
        snprintf(ret_message, message_size, "cannot read %s: %s", path, sqlite3_errmsg(db->handle));
    if ((rc & 0xff) == SQLITE_READONLY || (rc & 0xff) == SQLITE_PERM)
        return WEFT_ERR_DENIED;
    return err == WEFT_ERR_UNAVAILABLE ? WEFT_ERR_STORE : err;
}

int weft__sqlite_format_check(struct weft_sqlite_db *db, const char *path, char *ret_message,
                              size_t message_size)
{
    int64_t id = 0;
    int64_t format = 0;
    int64_t things = 0;
    int rc = weft__sqlite_db_number(db, "PRAGMA application_id", &id);
    if (rc == SQLITE_OK)
        rc = weft__sqlite_db_number(db, "PRAGMA user_version", &format);
    if (rc == SQLITE_OK)
        rc = weft__sqlite_db_number(db, "SELECT count(*) FROM sqlite_schema", &things);
    if (rc != SQLITE_OK)
        return unreadable(db, rc, path, ret_message, message_size);
    bool fresh = id == 0 && format == 0 && things == 0;
    if (!fresh && id != APPLICATION_ID)
        return foreign(id, path, ret_message, message_size);
    if (!fresh && format > FORMAT) {
        snprintf(ret_message, message_size,
                 "%s was written by a newer weft (format %lld; this one knows formats up to %d)",
                 path, (long long)format, FORMAT);
        return WEFT_ERR_UNSUPPORTED;
    }
    if (!fresh && format < 1) {
        snprintf(ret_message, message_size, "%s has an impossible format version", path);
        return WEFT_ERR_CORRUPT;
    }
    if (fresh)
        rc = weft__sqlite_db_exec(db, SCHEMA);
    else if (format < FORMAT)
        rc = weft__sqlite_db_exec(db, "PRAGMA user_version = 2"); /* The tables are the same. */
    return rc == SQLITE_OK ? 0 : unreadable(db, rc, path, ret_message, message_size);
}
