/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing: folder, connections, threads, and the way back. */
#include "store/sqlite/store.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

enum {
    BATCH_REQUESTS = 1024,
    BATCH_BYTES = 4 * 1024 * 1024,
    SNAPSHOT_SLICE = 256 * 1024,
    CHECKPOINT_PAGES = 1000,
    RESTART_PAGES = 16000,
    MAX_RECORD = 64 * 1024 * 1024,
    MESSAGE_SIZE = 512,
};

static void sqlite_submit(struct weft_store *base, struct weft_store_request *request);
static void sqlite_free(struct weft_store *base);

static const struct weft_store_ops OPS = {sqlite_submit, sqlite_free};

static struct weft_sqlite_store *store_of(struct weft_store *base)
{
    return WEFT_CONTAINER_OF(base, struct weft_sqlite_store, base);
}

static void sqlite_submit(struct weft_store *base, struct weft_store_request *request)
{
    struct weft_sqlite_store *store = store_of(base);
    int err = weft__store_request_check(base, request);
    if (!err) {
        weft__sqlite_lanes_submit(store, request);
        return;
    }
    if (request->kind == WEFT_STORE_APPEND)
        atomic_fetch_add_explicit(&base->failed, 1, memory_order_relaxed);
    weft__sqlite_lanes_post(request, err);
}

/* ---- The way back: works from every point of opening ---- */

static void stop_threads(struct weft_sqlite_store *store)
{
    pthread_mutex_lock(&store->mutex);
    store->stopping = true;
    pthread_cond_broadcast(&store->writer_wake);
    pthread_cond_broadcast(&store->reader_wake);
    pthread_cond_broadcast(&store->keeper_wake);
    pthread_mutex_unlock(&store->mutex);
    if (store->threads > 0)
        pthread_join(store->writer, NULL);
    if (store->threads > 1)
        pthread_join(store->reader, NULL);
    if (store->threads > 2)
        pthread_join(store->keeper, NULL);
}

/* Leaves one file behind, without a log that the next start would have to read. */
static void close_connections(struct weft_sqlite_store *store)
{
    weft__sqlite_db_close(&store->keeper_db);
    weft__sqlite_db_close(&store->read_db);
    if (store->threads == 3) {
        int rc = sqlite3_wal_checkpoint_v2(store->write_db.handle, NULL, SQLITE_CHECKPOINT_TRUNCATE,
                                           NULL, NULL);
        if (rc != SQLITE_OK)
            WEFT_LOG(store->log, WEFT_LOG_WARN, "store.log_stays",
                     weft__log_str("error", sqlite3_errstr(rc)));
    }
    weft__sqlite_db_close(&store->write_db);
}

static void sqlite_free(struct weft_store *base)
{
    struct weft_sqlite_store *store = store_of(base);
    const struct weft_alloc *alloc = store->alloc;
    stop_threads(store);
    close_connections(store);
    if (store->lock_fd >= 0)
        close(store->lock_fd); /* The lock ends with it. */
    pthread_cond_destroy(&store->writer_wake);
    pthread_cond_destroy(&store->reader_wake);
    pthread_cond_destroy(&store->keeper_wake);
    pthread_mutex_destroy(&store->mutex);
    weft__mem_free(alloc, store->ends, (store->options.batch_requests + 1) * sizeof(*store->ends));
    weft__mem_free(alloc, store->path, store->path_size);
    weft__mem_free(alloc, store, sizeof(*store));
}

/* ---- Opening ---- */

static void take_options(struct weft_sqlite_store *store, const struct weft_sqlite_options *options)
{
    struct weft_sqlite_options *own = &store->options;
    *own = *options;
    own->batch_requests = own->batch_requests ? own->batch_requests : BATCH_REQUESTS;
    own->batch_bytes = own->batch_bytes ? own->batch_bytes : BATCH_BYTES;
    size_t slice = own->snapshot_slice_bytes ? own->snapshot_slice_bytes : SNAPSHOT_SLICE;
    /* Whole parts, at least one. */
    slice = WEFT_MIN(slice, (size_t)MAX_RECORD) + WEFT_SQLITE_PART_SIZE - 1;
    own->snapshot_slice_bytes = slice - slice % WEFT_SQLITE_PART_SIZE;
    own->checkpoint_pages = own->checkpoint_pages ? own->checkpoint_pages : CHECKPOINT_PAGES;
    own->restart_pages = own->restart_pages ? own->restart_pages : RESTART_PAGES;
    store->wal_next = own->checkpoint_pages;
}

static struct weft_sqlite_store *store_new(const struct weft_sqlite_options *options)
{
    static const char file[] = "/weft.db";
    struct weft_sqlite_store *store = weft__mem_zalloc(options->alloc, sizeof(*store));
    if (!store)
        return NULL;
    store->base.ops = &OPS;
    store->base.name = "sqlite";
    store->base.durability = options->unsafe_no_sync ? "none" : "fsync";
    store->base.max_record = MAX_RECORD;
    store->alloc = options->alloc;
    store->log = options->log;
    store->lock_fd = -1;
    store->garbage = true; /* of the last run, perhaps */
    take_options(store, options);
    weft__sqlite_lanes_init(store);
    pthread_mutex_init(&store->mutex, NULL);
    pthread_cond_init(&store->writer_wake, NULL);
    pthread_cond_init(&store->reader_wake, NULL);
    pthread_cond_init(&store->keeper_wake, NULL);
    store->path_size = strlen(options->folder) + sizeof(file);
    store->path = weft__mem_alloc(options->alloc, store->path_size);
    store->ends = weft__mem_alloc_array(options->alloc, store->options.batch_requests + 1,
                                        sizeof(*store->ends));
    if (!store->path || !store->ends) {
        sqlite_free(&store->base);
        return NULL;
    }
    snprintf(store->path, store->path_size, "%s%s", options->folder, file);
    return store;
}

static int say_rc(struct weft_sqlite_store *store, struct weft_sqlite_db *db, int rc,
                  char *ret_message, size_t message_size)
{
    snprintf(ret_message, message_size, "cannot open %s: %s", store->path,
             db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(rc));
    int err = weft__sqlite_err(rc);
    if ((rc & 0xff) == SQLITE_ERROR) /* A table or column is missing. */
        err = WEFT_ERR_CORRUPT;
    return err == WEFT_ERR_UNAVAILABLE ? WEFT_ERR_STORE : err;
}

/* What every connection wants. synchronous=EXTRA is FULL, and also syncs the folder after the
 * journal of a new database was deleted: it must not come back after a power cut. Damage shows as
 * an error and not as a wrong answer; the schema of a damaged file is not trusted to run functions;
 * nothing but the keeper checkpoints. */
static int set_up(struct weft_sqlite_store *store, struct weft_sqlite_db *db)
{
    int rc = weft__sqlite_db_exec(db, "PRAGMA cell_size_check = ON;"
                                      "PRAGMA trusted_schema = OFF;"
                                      "PRAGMA temp_store = MEMORY;"
                                      "PRAGMA cache_size = -8192;"
                                      "PRAGMA wal_autocheckpoint = 0;"
                                      "PRAGMA secure_delete = ON;"
                                      "PRAGMA journal_size_limit = 67108864;");
    if (rc == SQLITE_OK)
        rc = weft__sqlite_db_exec(db, store->options.unsafe_no_sync ? "PRAGMA synchronous = OFF"
                                                                    : "PRAGMA synchronous = EXTRA");
    return rc;
}

/* Switches the log on; it stays on in the file. */
static int use_wal(struct weft_sqlite_store *store, char *ret_message, size_t message_size)
{
    sqlite3_stmt *statement;
    struct weft_sqlite_db *db = &store->write_db;
    int rc = sqlite3_prepare_v2(db->handle, "PRAGMA journal_mode = WAL", -1, &statement, NULL);
    bool wal = false;
    if (rc == SQLITE_OK) {
        if (sqlite3_step(statement) == SQLITE_ROW)
            wal = weft__slice_eq_str(weft__sqlite_column_slice(statement, 0), "wal");
        rc = sqlite3_finalize(statement);
    }
    if (rc != SQLITE_OK)
        return say_rc(store, db, rc, ret_message, message_size);
    if (wal)
        return 0;
    snprintf(ret_message, message_size,
             "%s: this file system cannot hold a write-ahead log (it lacks shared memory)",
             store->path);
    return WEFT_ERR_STORE;
}

static int open_writer(struct weft_sqlite_store *store, char *ret_message, size_t message_size)
{
    struct weft_sqlite_db *db = &store->write_db;
    int rc = weft__sqlite_db_open(db, store->path, store->options.vfs);
    if (rc == SQLITE_OK)
        rc = set_up(store, db);
    if (rc != SQLITE_OK && (rc & 0xff) != SQLITE_NOTADB)
        return say_rc(store, db, rc, ret_message, message_size);
    if (sqlite3_db_readonly(db->handle, "main") == 1) {
        snprintf(ret_message, message_size, "%s cannot be written", store->path);
        return WEFT_ERR_DENIED;
    }
    int err = weft__sqlite_format_check(db, store->path, ret_message, message_size);
    if (!err)
        err = use_wal(store, ret_message, message_size);
    if (err)
        return err;
    rc = weft__sqlite_db_prepare(db);
    return rc == SQLITE_OK ? 0 : say_rc(store, db, rc, ret_message, message_size);
}

static int open_other(struct weft_sqlite_store *store, struct weft_sqlite_db *db, bool prepare,
                      char *ret_message, size_t message_size)
{
    int rc = weft__sqlite_db_open(db, store->path, store->options.vfs);
    if (rc == SQLITE_OK)
        rc = set_up(store, db);
    if (rc == SQLITE_OK && prepare)
        rc = weft__sqlite_db_prepare(db);
    return rc == SQLITE_OK ? 0 : say_rc(store, db, rc, ret_message, message_size);
}

static int start_threads(struct weft_sqlite_store *store, char *ret_message, size_t message_size)
{
    sigset_t all;
    sigset_t before;
    /* Signals are for the thread that waits for them. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&store->writer, NULL, weft__sqlite_writer_main, store);
    store->threads += !error;
    if (!error)
        error = pthread_create(&store->reader, NULL, weft__sqlite_reader_main, store);
    store->threads += store->threads == 1 && !error;
    if (!error)
        error = pthread_create(&store->keeper, NULL, weft__sqlite_keeper_main, store);
    store->threads += store->threads == 2 && !error;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!error)
        return 0;
    snprintf(ret_message, message_size, "cannot start the threads of the store");
    return WEFT_ERR_SYSTEM;
}

static int open_all(struct weft_sqlite_store *store, char *ret_message, size_t message_size)
{
    if (getrandom(&store->hash_key, sizeof(store->hash_key), 0) != sizeof(store->hash_key)) {
        snprintf(ret_message, message_size, "the system has no random numbers");
        return WEFT_ERR_SYSTEM;
    }
    int err =
        weft__sqlite_folder_open(store->options.folder, &store->lock_fd, ret_message, message_size);
    if (!err)
        err = open_writer(store, ret_message, message_size);
    if (!err)
        err = open_other(store, &store->read_db, true, ret_message, message_size);
    if (!err)
        err = open_other(store, &store->keeper_db, false, ret_message, message_size);
    if (!err)
        err = start_threads(store, ret_message, message_size);
    return err;
}

int weft__sqlite_store_open(const struct weft_sqlite_options *options,
                            struct weft_store **ret_store, char *ret_message, size_t message_size)
{
    char unwanted[MESSAGE_SIZE];
    if (!ret_message || !message_size) {
        ret_message = unwanted;
        message_size = sizeof(unwanted);
    }
    if (!options->alloc || !options->folder || !options->folder[0]) {
        snprintf(ret_message, message_size, "the store needs the name of its data folder");
        return WEFT_ERR_USAGE;
    }
    snprintf(ret_message, message_size, "out of memory");
    struct weft_sqlite_store *store = store_new(options);
    if (!store)
        return WEFT_ERR_NOMEM;
    int err = open_all(store, ret_message, message_size);
    if (err) {
        sqlite_free(&store->base);
        return err;
    }
    store->options.folder = NULL;
    store->options.vfs = NULL;
    ret_message[0] = '\0';
    *ret_store = &store->base;
    return 0;
}
