/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader thread. Each request reads in a transaction of its own, that is, one state of the
 * database, and checks what it reads: damage is an error and never a wrong answer.
 */
#include "store/sqlite/store.h"

static int read_open(struct weft_sqlite_store *store, struct weft_store_request *request)
{
    struct weft_sqlite_document document;
    if (atomic_load_explicit(&store->doubt, memory_order_acquire))
        return WEFT_ERR_UNAVAILABLE;
    int err = weft__sqlite_document_get(&store->read_db, &request->key, &document);
    if (!err)
        err = weft__sqlite_document_check_log(&store->read_db, &document);
    if (err)
        return err;
    request->u.open.ret_created = false;
    request->state = document.state;
    return 0;
}

/* ---- READ ---- */

static void drop_records(struct weft_sqlite_store *store, struct weft_list *records)
{
    struct weft_list *node;
    while ((node = weft__list_pop(records)))
        weft__store_record_free(store->alloc,
                                WEFT_CONTAINER_OF(node, struct weft_store_record, node));
}

/* Takes over the present row, which must go on at |*at|, the version reached. */
static int take_record(struct weft_sqlite_store *store, sqlite3_stmt *statement, const char *epoch,
                       struct weft_list *records, uint64_t *at)
{
    uint64_t first = (uint64_t)sqlite3_column_int64(statement, 0);
    uint64_t count = (uint64_t)sqlite3_column_int64(statement, 1);
    struct weft_slice content = weft__sqlite_column_slice(statement, 3);
    if (content.len && !content.ptr)
        return WEFT_ERR_NOMEM;
    /* Only the first record may begin before the version asked for. */
    bool fits = weft__list_empty(records) ? first <= *at : first == *at;
    if (!fits || count == 0 || first + count <= *at ||
        (uint32_t)sqlite3_column_int64(statement, 2) !=
            weft__sqlite_row_crc(epoch, first, count, content))
        return WEFT_ERR_CORRUPT;
    struct weft_store_record *record = weft__mem_zalloc(store->alloc, sizeof(*record));
    if (!record)
        return WEFT_ERR_NOMEM;
    record->first = first;
    record->count = count;
    record->content = weft__buf_new_copy(store->alloc, content);
    if (!record->content) {
        weft__store_record_free(store->alloc, record);
        return WEFT_ERR_NOMEM;
    }
    weft__list_push(records, &record->node);
    *at = first + count;
    return 0;
}

/* Walks the rows from |at| to |to|, which both lie within the log. */
static int walk_records(struct weft_sqlite_store *store, struct weft_store_request *request,
                        const struct weft_sqlite_document *document, uint64_t at, uint64_t to)
{
    sqlite3_stmt *statement = weft__sqlite_db_get(&store->read_db, WEFT_SQLITE_RECORD_RANGE);
    struct weft_list *records = &request->u.read.ret_records;
    size_t bytes = 0;
    uint64_t ops = 0;
    int err = 0;
    int rc = SQLITE_ROW;
    sqlite3_bind_int64(statement, 1, document->id);
    weft__sqlite_bind_u64(statement, 2, at);
    weft__sqlite_bind_u64(statement, 3, to);
    while (!err && at < to && !request->u.read.ret_more &&
           (rc = sqlite3_step(statement)) == SQLITE_ROW) {
        size_t len = (size_t)sqlite3_column_bytes(statement, 3);
        uint64_t count = (uint64_t)sqlite3_column_int64(statement, 1);
        bool many = request->u.read.max_count && count > request->u.read.max_count - ops;
        if (!weft__list_empty(records) && (many || len > request->u.read.max_bytes - bytes))
            request->u.read.ret_more = true;
        else
            err = take_record(store, statement, document->state.epoch, records, &at);
        bytes += WEFT_MIN(len, request->u.read.max_bytes - bytes);
        ops += WEFT_MIN(count, request->u.read.max_count - ops);
    }
    weft__sqlite_db_end(statement);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return weft__sqlite_err(rc);
    if (!err && at < to && !request->u.read.ret_more)
        return WEFT_ERR_CORRUPT; /* The log ends before its version. */
    return err;
}

static int read_records(struct weft_sqlite_store *store, struct weft_store_request *request)
{
    struct weft_sqlite_document document;
    weft__list_init(&request->u.read.ret_records);
    request->u.read.ret_more = false;
    int err = weft__sqlite_document_get(&store->read_db, &request->key, &document);
    if (err)
        return err;
    uint64_t at = WEFT_MAX(request->u.read.from, document.state.oldest);
    uint64_t to = WEFT_MIN(request->u.read.to, document.state.version);
    if (at < to)
        err = walk_records(store, request, &document, at, to);
    if (err)
        drop_records(store, &request->u.read.ret_records);
    else
        request->state = document.state;
    return err;
}

/* ---- GET_SNAPSHOT ---- */

static int walk_chunks(struct weft_sqlite_store *store, const struct weft_sqlite_document *document,
                       struct weft_buf *content)
{
    sqlite3_stmt *statement = weft__sqlite_db_get(&store->read_db, WEFT_SQLITE_CHUNK_ALL);
    uint64_t part = 0;
    size_t at = 0;
    int err = 0;
    int rc = SQLITE_ROW;
    sqlite3_bind_int64(statement, 1, document->blob);
    while (!err && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
        struct weft_slice chunk = weft__sqlite_column_slice(statement, 2);
        if ((uint64_t)sqlite3_column_int64(statement, 0) != part || chunk.len > content->len - at ||
            (chunk.len && !chunk.ptr) ||
            (uint32_t)sqlite3_column_int64(statement, 1) !=
                weft__sqlite_row_crc(document->state.epoch, part, chunk.len, chunk)) {
            err = WEFT_ERR_CORRUPT;
        } else {
            weft__mem_copy(weft__buf_data(content) + at, chunk.ptr, chunk.len);
            at += chunk.len;
            part++;
        }
    }
    weft__sqlite_db_end(statement);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return weft__sqlite_err(rc);
    return !err && at != content->len ? WEFT_ERR_CORRUPT : err;
}

static int read_snapshot(struct weft_sqlite_store *store, struct weft_store_request *request)
{
    struct weft_sqlite_document document;
    int err = weft__sqlite_document_get(&store->read_db, &request->key, &document);
    if (err)
        return err;
    if (!document.blob)
        return WEFT_ERR_NOT_FOUND;
    struct weft_buf *content = weft__buf_new(store->alloc, (size_t)document.blob_size);
    if (!content)
        return WEFT_ERR_NOMEM;
    err = walk_chunks(store, &document, content);
    if (err) {
        weft__buf_unref(content);
        return err;
    }
    request->u.get_snapshot.ret_version = document.state.snapshot_version;
    request->u.get_snapshot.ret_content = content;
    request->state = document.state;
    return 0;
}

/* ---- LIST ---- */

static int take_name(struct weft_sqlite_store *store, sqlite3_stmt *statement,
                     const struct weft_store_key *key, struct weft_list *names)
{
    struct weft_sqlite_document document;
    int err = weft__sqlite_document_read(statement, key, &document);
    if (err)
        return err;
    struct weft_store_name *name = weft__mem_zalloc(store->alloc, sizeof(*name));
    if (!name)
        return WEFT_ERR_NOMEM;
    name->state = document.state;
    name->name = weft__buf_new_copy(store->alloc, key->name);
    if (!name->name) {
        weft__store_name_free(store->alloc, name);
        return WEFT_ERR_NOMEM;
    }
    weft__list_push(names, &name->node);
    return 0;
}

static int walk_names(struct weft_sqlite_store *store, struct weft_store_request *request)
{
    sqlite3_stmt *statement = weft__sqlite_db_get(&store->read_db, WEFT_SQLITE_DOC_LIST);
    struct weft_slice prefix = request->key.name;
    size_t count = 0;
    int err = 0;
    int rc = SQLITE_ROW;
    weft__sqlite_bind_slice(statement, 1, request->key.tenant);
    weft__sqlite_bind_slice(statement, 2, prefix);
    weft__sqlite_bind_slice(statement, 3, request->u.list.after);
    while (!err && !request->u.list.ret_more && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
        struct weft_store_key key = {
            .tenant = request->key.tenant,
            .name = weft__sqlite_column_slice(statement, 9),
        };
        if (key.name.len < prefix.len ||
            !weft__slice_eq(weft__slice(key.name.ptr, prefix.len), prefix))
            break;
        if (count++ == request->u.list.limit)
            request->u.list.ret_more = true;
        else
            err = take_name(store, statement, &key, &request->u.list.ret_names);
    }
    weft__sqlite_db_end(statement);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return weft__sqlite_err(rc);
    return err;
}

static int read_names(struct weft_sqlite_store *store, struct weft_store_request *request)
{
    struct weft_list *names = &request->u.list.ret_names;
    struct weft_list *node;
    weft__list_init(names);
    request->u.list.ret_more = false;
    int err = walk_names(store, request);
    while (err && (node = weft__list_pop(names)))
        weft__store_name_free(store->alloc, WEFT_CONTAINER_OF(node, struct weft_store_name, node));
    return err;
}

/* ---- The thread ---- */

static int read_one(struct weft_sqlite_store *store, struct weft_store_request *request)
{
    switch (request->kind) {
    case WEFT_STORE_OPEN:
        return read_open(store, request);
    case WEFT_STORE_READ:
        return read_records(store, request);
    case WEFT_STORE_GET_SNAPSHOT:
        return read_snapshot(store, request);
    case WEFT_STORE_LIST:
        return read_names(store, request);
    default:
        return WEFT_ERR_INTERNAL;
    }
}

static int read_transaction(struct weft_sqlite_store *store, struct weft_store_request *request)
{
    int rc = weft__sqlite_db_run(&store->read_db, WEFT_SQLITE_BEGIN_READ);
    if (rc != SQLITE_OK)
        return weft__sqlite_err(rc);
    int err = read_one(store, request);
    weft__sqlite_db_run(&store->read_db, WEFT_SQLITE_COMMIT);
    return err;
}

static void report(struct weft_sqlite_store *store, const struct weft_store_request *request,
                   int err)
{
    if (err == WEFT_ERR_CORRUPT)
        WEFT_LOG(store->log, WEFT_LOG_ERROR, "store.data_damaged",
                 weft__log_slice("doc", request->key.name));
    else if (err == WEFT_ERR_UNAVAILABLE)
        WEFT_LOG(store->log, WEFT_LOG_ERROR, "store.read_failed",
                 weft__log_str("error", sqlite3_errmsg(store->read_db.handle)));
}

void *weft__sqlite_reader_main(void *arg)
{
    struct weft_sqlite_store *store = arg;
    for (;;) {
        struct weft_list *node;
        pthread_mutex_lock(&store->mutex);
        while (!(node = weft__list_pop(&store->read_queue)) &&
               !(store->stopping && store->unfinished == 0))
            pthread_cond_wait(&store->reader_wake, &store->mutex);
        pthread_mutex_unlock(&store->mutex);
        if (!node)
            return NULL;
        struct weft_store_request *request =
            WEFT_CONTAINER_OF(node, struct weft_store_request, node);
        struct weft_sqlite_end end = {request, read_transaction(store, request)};
        if (end.result == WEFT_ERR_NOT_FOUND && request->kind == WEFT_STORE_OPEN &&
            request->u.open.create_type) {
            weft__sqlite_lanes_to_writer(store, request);
            continue;
        }
        report(store, request, end.result);
        weft__sqlite_lanes_end(store, &end, 1);
    }
}
