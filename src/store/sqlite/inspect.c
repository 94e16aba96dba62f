/* SPDX-License-Identifier: Apache-2.0 */
/* A connection of its own, which only reads. */
#include "store/sqlite/inspect.h"

#include "store/sqlite/db.h"

#include <stdio.h>
#include <unistd.h>
#include <weft/err.h>

enum { PATH_SIZE = 4096 };

static int failed(int rc)
{
    return rc == SQLITE_OK || rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : weft__sqlite_err(rc);
}

static int check_file(sqlite3 *db, const struct weft_sqlite_inspector *inspector)
{
    sqlite3_stmt *statement;
    int rc = sqlite3_prepare_v2(db, "PRAGMA integrity_check(100)", -1, &statement, NULL);
    if (rc != SQLITE_OK)
        return failed(rc);
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *line = (const char *)sqlite3_column_text(statement, 0);
        if (line && strcmp(line, "ok") != 0)
            inspector->damage(inspector->ctx, line);
    }
    sqlite3_finalize(statement);
    return failed(rc);
}

static int each_document(sqlite3 *db, const struct weft_sqlite_inspector *inspector)
{
    sqlite3_stmt *statement;
    int rc = sqlite3_prepare_v2(db, "SELECT tenant, name FROM documents ORDER BY tenant, name", -1,
                                &statement, NULL);
    if (rc != SQLITE_OK)
        return failed(rc);
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
        const struct weft_store_key key = {
            .tenant = weft__sqlite_column_slice(statement, 0),
            .name = weft__sqlite_column_slice(statement, 1),
        };
        inspector->document(inspector->ctx, &key);
    }
    sqlite3_finalize(statement);
    return failed(rc);
}

int weft__sqlite_inspect(const char *folder, const struct weft_sqlite_inspector *inspector)
{
    char path[PATH_SIZE];
    sqlite3 *db = NULL;
    int len = snprintf(path, sizeof(path), "%s/weft.db", folder);
    if (len < 0 || (size_t)len >= sizeof(path) || access(path, F_OK) != 0)
        return WEFT_ERR_NOT_FOUND;
    int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
    int err = failed(rc);
    if (!err) {
        int file = check_file(db, inspector);
        err = each_document(db, inspector);
        err = err ? err : file;
    }
    sqlite3_close(db);
    return err;
}
