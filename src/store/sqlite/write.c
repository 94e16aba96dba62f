/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What requests do inside the writer's transaction. Each checks first and then writes between a
 * savepoint and its release, so that a failure leaves the transaction as it was before.
 *
 * A snapshot is written as chunks under a number (blob) that is on the list of the dead from the
 * beginning, in slices of several transactions; the last one takes it off that list and puts the
 * one before it on. So whatever a crash or an error leaves behind is collected, and no search for
 * it is ever needed. Documents that are purged go the same way.
 */
#include "store/sqlite/store.h"

static int save_begin(struct weft_sqlite_store *store)
{
    return weft__sqlite_db_run(&store->write_db, WEFT_SQLITE_SAVE);
}

/* Keeps or undoes what was written since save_begin, and says with which result. A savepoint that
 * can be neither kept nor undone takes the whole transaction with it; the writer looks for that. */
static int save_end(struct weft_sqlite_store *store, int rc)
{
    struct weft_sqlite_db *db = &store->write_db;
    if (sqlite3_get_autocommit(db->handle))
        return weft__sqlite_err(rc); /* SQLite itself has rolled everything back. */
    int ended = SQLITE_OK;
    if (rc != SQLITE_OK)
        ended = weft__sqlite_db_run(db, WEFT_SQLITE_SAVE_UNDO);
    if (ended == SQLITE_OK)
        ended = weft__sqlite_db_run(db, WEFT_SQLITE_SAVE_KEEP);
    if (ended != SQLITE_OK)
        weft__sqlite_db_run(db, WEFT_SQLITE_ROLLBACK);
    return weft__sqlite_err(rc != SQLITE_OK ? rc : ended);
}

static int write_open(struct weft_sqlite_store *store, struct weft_store_request *request)
{
    struct weft_sqlite_document document;
    int err = weft__sqlite_document_get(&store->write_db, &request->key, &document);
    if (err != WEFT_ERR_NOT_FOUND) {
        if (!err) {
            request->u.open.ret_created = false;
            request->state = document.state;
        }
        return err;
    }
    document = (struct weft_sqlite_document){0};
    /* The sizes were checked with the request. */
    memcpy(document.state.type, request->u.open.create_type,
           strlen(request->u.open.create_type) + 1);
    memcpy(document.state.epoch, request->u.open.create_epoch,
           strlen(request->u.open.create_epoch) + 1);
    document.state.token = weft__store_token(document.state.epoch, 0);
    int rc = save_begin(store);
    if (rc == SQLITE_OK)
        rc = weft__sqlite_document_add(&store->write_db, &request->key, &document);
    err = save_end(store, rc);
    if (!err) {
        request->u.open.ret_created = true;
        request->state = document.state;
    }
    return err;
}

static int add_record(struct weft_sqlite_db *db, const struct weft_sqlite_document *document,
                      uint64_t first, uint64_t count, struct weft_slice record)
{
    sqlite3_stmt *statement = weft__sqlite_db_get(db, WEFT_SQLITE_RECORD_ADD);
    sqlite3_bind_int64(statement, 1, document->id);
    weft__sqlite_bind_u64(statement, 2, first);
    weft__sqlite_bind_u64(statement, 3, count);
    sqlite3_bind_int64(statement, 4,
                       weft__sqlite_row_crc(document->state.epoch, first, count, record));
    weft__sqlite_bind_slice(statement, 5, record);
    return weft__sqlite_db_step(statement);
}

static int write_append(struct weft_sqlite_store *store, struct weft_store_request *request)
{
    struct weft_sqlite_db *db = &store->write_db;
    struct weft_sqlite_document document;
    int err = weft__sqlite_document_get(db, &request->key, &document);
    if (err)
        return err == WEFT_ERR_NOT_FOUND ? WEFT_ERR_CONFLICT : err;
    if (request->u.append.token != document.state.token)
        return WEFT_ERR_CONFLICT;
    if (request->u.append.first != document.state.version)
        return WEFT_ERR_USAGE;
    int rc = save_begin(store);
    if (rc == SQLITE_OK)
        rc = add_record(db, &document, request->u.append.first, request->u.append.count,
                        request->u.append.record);
    document.state.version += request->u.append.count;
    document.state.token = weft__store_token(document.state.epoch, document.state.version);
    if (rc == SQLITE_OK)
        rc = weft__sqlite_document_set(db, &request->key, &document);
    err = save_end(store, rc);
    if (!err) {
        request->u.append.ret_token = document.state.token;
        request->state = document.state;
    }
    return err;
}

/* Walks the records that a segment replaces, which must cover its versions exactly. */
static int measure(struct weft_sqlite_db *db, const struct weft_sqlite_document *document,
                   struct weft_store_request *request)
{
    sqlite3_stmt *statement = weft__sqlite_db_get(db, WEFT_SQLITE_RECORD_SIZES);
    uint64_t at = request->u.seal.from;
    int rc;
    bool fits = true;
    request->u.seal.ret_records = request->u.seal.ret_bytes = 0;
    sqlite3_bind_int64(statement, 1, document->id);
    weft__sqlite_bind_u64(statement, 2, request->u.seal.from);
    weft__sqlite_bind_u64(statement, 3, request->u.seal.to);
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW && fits) {
        fits = (uint64_t)sqlite3_column_int64(statement, 0) == at;
        at += (uint64_t)sqlite3_column_int64(statement, 1);
        request->u.seal.ret_records++;
        request->u.seal.ret_bytes += (uint64_t)sqlite3_column_int64(statement, 2);
    }
    weft__sqlite_db_end(statement);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return weft__sqlite_err(rc);
    return fits && at == request->u.seal.to ? 0 : WEFT_ERR_USAGE;
}

static int write_seal(struct weft_sqlite_store *store, struct weft_store_request *request)
{
    struct weft_sqlite_db *db = &store->write_db;
    struct weft_sqlite_document document;
    int err = weft__sqlite_document_get(db, &request->key, &document);
    if (err)
        return err == WEFT_ERR_NOT_FOUND ? WEFT_ERR_CONFLICT : err;
    if (strcmp(request->u.seal.epoch, document.state.epoch) != 0)
        return WEFT_ERR_CONFLICT;
    err = measure(db, &document, request);
    if (err)
        return err;
    sqlite3_stmt *statement = weft__sqlite_db_get(db, WEFT_SQLITE_RECORD_DEL);
    int rc = save_begin(store);
    if (rc == SQLITE_OK) {
        sqlite3_bind_int64(statement, 1, document.id);
        weft__sqlite_bind_u64(statement, 2, request->u.seal.from);
        weft__sqlite_bind_u64(statement, 3, request->u.seal.to);
        rc = weft__sqlite_db_step(statement);
    }
    if (rc == SQLITE_OK)
        rc = add_record(db, &document, request->u.seal.from,
                        request->u.seal.to - request->u.seal.from, request->u.seal.segment);
    err = save_end(store, rc);
    if (!err)
        request->state = document.state;
    return err;
}

static int write_purge(struct weft_sqlite_store *store, struct weft_store_request *request)
{
    struct weft_sqlite_db *db = &store->write_db;
    struct weft_sqlite_document document;
    int err = weft__sqlite_document_get(db, &request->key, &document);
    if (err)
        return err;
    int rc = save_begin(store);
    if (rc == SQLITE_OK)
        rc = weft__sqlite_db_run_id(db, WEFT_SQLITE_DOC_DEL, document.id);
    if (rc == SQLITE_OK)
        rc = weft__sqlite_db_run_id(db, WEFT_SQLITE_DEAD_DOC_ADD, document.id);
    if (rc == SQLITE_OK && document.blob)
        rc = weft__sqlite_db_run_id(db, WEFT_SQLITE_DEAD_BLOB_ADD, document.blob);
    store->garbage = true;
    return save_end(store, rc);
}

int weft__sqlite_write(struct weft_sqlite_store *store, struct weft_store_request *request)
{
    switch (request->kind) {
    case WEFT_STORE_OPEN:
        return write_open(store, request);
    case WEFT_STORE_APPEND:
        return write_append(store, request);
    case WEFT_STORE_SEAL:
        return write_seal(store, request);
    case WEFT_STORE_PURGE:
        return write_purge(store, request);
    default:
        return WEFT_ERR_INTERNAL;
    }
}

/* ---- Snapshots ---- */

static int add_chunk(struct weft_sqlite_db *db, const struct weft_sqlite_document *document,
                     int64_t blob, uint64_t part, struct weft_slice content)
{
    sqlite3_stmt *statement = weft__sqlite_db_get(db, WEFT_SQLITE_CHUNK_ADD);
    sqlite3_bind_int64(statement, 1, blob);
    weft__sqlite_bind_u64(statement, 2, part);
    sqlite3_bind_int64(statement, 3,
                       weft__sqlite_row_crc(document->state.epoch, part, content.len, content));
    weft__sqlite_bind_slice(statement, 4, content);
    return weft__sqlite_db_step(statement);
}

/* Makes |blob|, which is complete, the snapshot of |document|. */
static int refer_to(struct weft_sqlite_db *db, const struct weft_store_request *request,
                    struct weft_sqlite_document *document, int64_t blob)
{
    int rc = weft__sqlite_db_run_id(db, WEFT_SQLITE_DEAD_BLOB_DEL, blob);
    if (rc == SQLITE_OK && document->blob)
        rc = weft__sqlite_db_run_id(db, WEFT_SQLITE_DEAD_BLOB_ADD, document->blob);
    document->blob = blob;
    document->blob_size = request->u.put_snapshot.content.len;
    document->state.snapshot_version = request->u.put_snapshot.version;
    if (rc == SQLITE_OK)
        rc = weft__sqlite_document_set(db, &request->key, document);
    return rc;
}

/* Writes one slice behind |*at| of |*blob|. */
static int add_slice(struct weft_sqlite_store *store, const struct weft_store_request *request,
                     struct weft_sqlite_document *document, int64_t *blob, size_t *at)
{
    struct weft_sqlite_db *db = &store->write_db;
    struct weft_slice content = request->u.put_snapshot.content;
    size_t end = content.len - *at > store->options.snapshot_slice_bytes
                     ? *at + store->options.snapshot_slice_bytes
                     : content.len;
    int rc = SQLITE_OK;
    if (*blob == 0) {
        rc = weft__sqlite_db_run(db, WEFT_SQLITE_DEAD_BLOB_NEW);
        *blob = sqlite3_last_insert_rowid(db->handle);
    }
    while (rc == SQLITE_OK && *at < end) {
        size_t len = WEFT_MIN((size_t)WEFT_SQLITE_PART_SIZE, content.len - *at);
        rc = add_chunk(db, document, *blob, *at / WEFT_SQLITE_PART_SIZE,
                       weft__slice(content.ptr + *at, len));
        *at += len;
    }
    if (rc == SQLITE_OK && *at == content.len)
        rc = refer_to(db, request, document, *blob);
    return rc;
}

bool weft__sqlite_write_slice(struct weft_sqlite_store *store, struct weft_store_request *request,
                              int *ret_result, int64_t *ret_blob, size_t *ret_at)
{
    struct weft_sqlite_document document;
    int64_t blob = store->put_blob;
    size_t at = store->put_at;
    int err = weft__sqlite_document_get(&store->write_db, &request->key, &document);
    bool over = true; /* nothing to be done, or nothing that could be */
    if (!err && request->u.put_snapshot.version > document.state.version) {
        err = WEFT_ERR_USAGE;
    } else if (!err && request->u.put_snapshot.version >= document.state.snapshot_version) {
        int rc = save_begin(store);
        if (rc == SQLITE_OK)
            rc = add_slice(store, request, &document, &blob, &at);
        err = save_end(store, rc);
        over = err || at == request->u.put_snapshot.content.len;
        store->garbage = true;
    }
    if (!err) {
        request->state = document.state;
        *ret_blob = blob;
        *ret_at = at;
    }
    *ret_result = err;
    return over;
}

/* ---- What nobody refers to any more ---- */

/* Removes some rows of the first of the dead but |except|; |*ret_found| is false when there is
 * none. */
static int collect(struct weft_sqlite_db *db, enum weft_sqlite_sql any, enum weft_sqlite_sql rows,
                   enum weft_sqlite_sql forget, int64_t except, bool *ret_found)
{
    int64_t id = 0;
    int rc = weft__sqlite_db_find_id(db, any, except, &id);
    *ret_found = id != 0;
    if (rc != SQLITE_OK || id == 0)
        return rc;
    rc = weft__sqlite_db_run_id(db, rows, id);
    if (rc == SQLITE_OK && sqlite3_changes(db->handle) == 0)
        rc = weft__sqlite_db_run_id(db, forget, id);
    return rc;
}

void weft__sqlite_write_collect(struct weft_sqlite_store *store)
{
    struct weft_sqlite_db *db = &store->write_db;
    bool blobs = false;
    bool documents = false;
    int rc = save_begin(store);
    if (rc == SQLITE_OK)
        rc = collect(db, WEFT_SQLITE_DEAD_BLOB_ANY, WEFT_SQLITE_DEAD_CHUNKS_DEL,
                     WEFT_SQLITE_DEAD_BLOB_DEL, store->put_blob, &blobs);
    if (rc == SQLITE_OK)
        rc = collect(db, WEFT_SQLITE_DEAD_DOC_ANY, WEFT_SQLITE_DEAD_RECORDS_DEL,
                     WEFT_SQLITE_DEAD_DOC_DEL, 0, &documents);
    rc = save_end(store, rc);
    /* After an error the rows stay until something is purged or replaced again. */
    store->garbage = rc == 0 && (blobs || documents);
}
