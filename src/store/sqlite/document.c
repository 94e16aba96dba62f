/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of documents: reading is checking. */
#include "store/sqlite/document.h"

#include "base/crc32c.h"

static uint32_t crc_u64(uint32_t crc, uint64_t value)
{
    uint8_t bytes[8];
    for (unsigned i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
    return weft__crc32c(crc, bytes, sizeof(bytes));
}

static uint32_t crc_slice(uint32_t crc, struct weft_slice value)
{
    return weft__crc32c(crc_u64(crc, value.len), value.ptr, value.len);
}

uint32_t weft__sqlite_row_crc(const char *epoch, uint64_t at, uint64_t count,
                              struct weft_slice content)
{
    uint32_t crc = crc_slice(0, weft__slice_str(epoch));
    return crc_slice(crc_u64(crc_u64(crc, at), count), content);
}

static uint32_t document_crc(const struct weft_store_key *key,
                             const struct weft_sqlite_document *document)
{
    uint32_t crc = crc_slice(0, key->tenant);
    crc = crc_slice(crc, key->name);
    crc = crc_slice(crc, weft__slice_str(document->state.type));
    crc = crc_slice(crc, weft__slice_str(document->state.epoch));
    crc = crc_u64(crc, document->state.version);
    crc = crc_u64(crc, document->state.oldest);
    crc = crc_u64(crc, (uint64_t)document->blob);
    crc = crc_u64(crc, document->state.snapshot_version);
    return crc_u64(crc, document->blob_size);
}

static bool take_string(sqlite3_stmt *statement, int column, char *ret_string, size_t size)
{
    struct weft_slice value = weft__sqlite_column_slice(statement, column);
    if (value.len == 0 || value.len >= size || memchr(value.ptr, 0, value.len))
        return false;
    memcpy(ret_string, value.ptr, value.len);
    ret_string[value.len] = '\0';
    return true;
}

int weft__sqlite_document_read(sqlite3_stmt *statement, const struct weft_store_key *key,
                               struct weft_sqlite_document *ret_document)
{
    struct weft_sqlite_document document = {
        .id = sqlite3_column_int64(statement, 0),
        .state.version = (uint64_t)sqlite3_column_int64(statement, 3),
        .state.oldest = (uint64_t)sqlite3_column_int64(statement, 4),
        .blob = sqlite3_column_int64(statement, 5),
        .state.snapshot_version = (uint64_t)sqlite3_column_int64(statement, 6),
        .blob_size = (uint64_t)sqlite3_column_int64(statement, 7),
    };
    struct weft_store_state *state = &document.state;
    bool fine = take_string(statement, 1, state->type, sizeof(state->type)) &&
                take_string(statement, 2, state->epoch, sizeof(state->epoch)) &&
                strspn(state->epoch, "0123456789abcdef") == WEFT_STORE_EPOCH_SIZE &&
                state->version <= INT64_MAX && state->oldest <= state->version &&
                state->snapshot_version <= state->version && document.blob_size <= INT64_MAX &&
                document_crc(key, &document) == (uint32_t)sqlite3_column_int64(statement, 8);
    if (!fine)
        return WEFT_ERR_CORRUPT;
    state->token = weft__store_token(state->epoch, state->version);
    *ret_document = document;
    return 0;
}

int weft__sqlite_document_get(struct weft_sqlite_db *db, const struct weft_store_key *key,
                              struct weft_sqlite_document *ret_document)
{
    sqlite3_stmt *statement = weft__sqlite_db_get(db, WEFT_SQLITE_DOC_GET);
    weft__sqlite_bind_slice(statement, 1, key->tenant);
    weft__sqlite_bind_slice(statement, 2, key->name);
    int rc = sqlite3_step(statement);
    int err = WEFT_ERR_NOT_FOUND;
    if (rc == SQLITE_ROW)
        err = weft__sqlite_document_read(statement, key, ret_document);
    else if (rc != SQLITE_DONE)
        err = weft__sqlite_err(rc);
    weft__sqlite_db_end(statement);
    return err;
}

int weft__sqlite_document_add(struct weft_sqlite_db *db, const struct weft_store_key *key,
                              struct weft_sqlite_document *document)
{
    sqlite3_stmt *statement = weft__sqlite_db_get(db, WEFT_SQLITE_DOC_ADD);
    const struct weft_store_state *state = &document->state;
    weft__sqlite_bind_slice(statement, 1, key->tenant);
    weft__sqlite_bind_slice(statement, 2, key->name);
    sqlite3_bind_text(statement, 3, state->type, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 4, state->epoch, -1, SQLITE_STATIC);
    weft__sqlite_bind_u64(statement, 5, state->version);
    weft__sqlite_bind_u64(statement, 6, state->oldest);
    sqlite3_bind_int64(statement, 7, document->blob);
    weft__sqlite_bind_u64(statement, 8, state->snapshot_version);
    weft__sqlite_bind_u64(statement, 9, document->blob_size);
    sqlite3_bind_int64(statement, 10, document_crc(key, document));
    int rc = weft__sqlite_db_step(statement);
    if (rc == SQLITE_OK)
        document->id = sqlite3_last_insert_rowid(db->handle);
    return rc;
}

int weft__sqlite_document_set(struct weft_sqlite_db *db, const struct weft_store_key *key,
                              const struct weft_sqlite_document *document)
{
    sqlite3_stmt *statement = weft__sqlite_db_get(db, WEFT_SQLITE_DOC_SET);
    sqlite3_bind_int64(statement, 1, document->id);
    weft__sqlite_bind_u64(statement, 2, document->state.version);
    weft__sqlite_bind_u64(statement, 3, document->state.oldest);
    sqlite3_bind_int64(statement, 4, document->blob);
    weft__sqlite_bind_u64(statement, 5, document->state.snapshot_version);
    weft__sqlite_bind_u64(statement, 6, document->blob_size);
    sqlite3_bind_int64(statement, 7, document_crc(key, document));
    return weft__sqlite_db_step(statement);
}

int weft__sqlite_document_check_log(struct weft_sqlite_db *db,
                                    const struct weft_sqlite_document *document)
{
    sqlite3_stmt *statement = weft__sqlite_db_get(db, WEFT_SQLITE_RECORD_LAST);
    sqlite3_bind_int64(statement, 1, document->id);
    int rc = sqlite3_step(statement);
    uint64_t end = document->state.oldest;
    if (rc == SQLITE_ROW)
        end = (uint64_t)sqlite3_column_int64(statement, 0) +
              (uint64_t)sqlite3_column_int64(statement, 1);
    weft__sqlite_db_end(statement);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return weft__sqlite_err(rc);
    return end == document->state.version ? 0 : WEFT_ERR_CORRUPT;
}
