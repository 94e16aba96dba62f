/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writer thread: group commit. Everything that has queued up while the last commit was synced
 * goes into the next transaction, up to the limits of a batch, so the busier the store, the fewer
 * syncs a request costs. No request waits for others to join it.
 */
#include "store/sqlite/store.h"

#include "base/assert.h"

#include <time.h>

enum {
    COLLECT_EVERY = 8, /* batches, while there is other work */
    DOUBT_RETRY_S = 1,
};

struct batch {
    bool idle;    /* nothing but background work */
    bool restart; /* the log should start anew */
    size_t bytes;
};

static bool has_work(const struct weft_sqlite_store *store)
{
    return !weft__list_empty(&store->write_queue) || !weft__list_empty(&store->puts) ||
           store->restart_due || (store->garbage && !store->stopping);
}

static void wait_for_work(struct weft_sqlite_store *store)
{
    if (!atomic_load_explicit(&store->doubt, memory_order_relaxed)) {
        pthread_cond_wait(&store->writer_wake, &store->mutex);
        return;
    }
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += DOUBT_RETRY_S;
    if (pthread_cond_timedwait(&store->writer_wake, &store->mutex, &until))
        store->restart_due = true; /* Time to try again. */
}

/* Moves requests from the queue to the batch until a limit is reached. */
static void fill_batch(struct weft_sqlite_store *store, struct batch *batch)
{
    struct weft_list *node;
    while (store->end_count < store->options.batch_requests &&
           batch->bytes < store->options.batch_bytes &&
           (node = weft__list_pop(&store->write_queue))) {
        struct weft_store_request *request =
            WEFT_CONTAINER_OF(node, struct weft_store_request, node);
        if (request->kind == WEFT_STORE_PUT_SNAPSHOT) {
            weft__list_push(&store->puts, node);
            continue;
        }
        if (request->kind == WEFT_STORE_APPEND)
            batch->bytes += request->u.append.record.len;
        else if (request->kind == WEFT_STORE_SEAL)
            batch->bytes += request->u.seal.segment.len;
        store->ends[store->end_count++] = (struct weft_sqlite_end){.request = request};
    }
}

/* Waits for work and takes it. False when everything is done and the store is to end. */
static bool take_batch(struct weft_sqlite_store *store, struct batch *ret_batch)
{
    struct batch batch = {0};
    bool more = true;
    store->end_count = 0;
    pthread_mutex_lock(&store->mutex);
    while (!has_work(store) && more) {
        more = !(store->stopping && store->unfinished == 0);
        if (more)
            wait_for_work(store);
    }
    if (more)
        fill_batch(store, &batch);
    batch.idle = store->end_count == 0;
    batch.restart = store->restart_due;
    pthread_mutex_unlock(&store->mutex);
    *ret_batch = batch;
    return more;
}

/* Adds the end of the snapshot under way. */
static void end_put(struct weft_sqlite_store *store, int result)
{
    struct weft_list *node = weft__list_pop(&store->puts);
    WEFT_ASSERT(node && store->end_count <= store->options.batch_requests);
    store->ends[store->end_count++] = (struct weft_sqlite_end){
        WEFT_CONTAINER_OF(node, struct weft_store_request, node),
        result,
    };
    store->put_blob = 0;
    store->put_at = 0;
}

static void report_failure(struct weft_sqlite_store *store, int rc)
{
    if (!store->failing)
        WEFT_LOG(store->log, WEFT_LOG_ERROR, "store.write_failed",
                 weft__log_str("error", sqlite3_errstr(rc)), weft__log_i64("code", rc),
                 weft__log_str("detail", sqlite3_errmsg(store->write_db.handle)));
    store->failing = true;
    atomic_store_explicit(&store->base.refusing, true, memory_order_relaxed);
}

static void report_success(struct weft_sqlite_store *store)
{
    if (store->failing)
        weft__log_event(store->log, WEFT_LOG_INFO, "store.writes_again", NULL, 0);
    store->failing = false;
    atomic_store_explicit(&store->base.refusing, false, memory_order_relaxed);
}

/* Ends everything of the batch that had gone well so far, and the snapshot under way. */
static void fail_batch(struct weft_sqlite_store *store, int err)
{
    for (size_t i = 0; i < store->end_count; i++)
        if (store->ends[i].result == 0)
            store->ends[i].result = err;
    if (!weft__list_empty(&store->puts))
        end_put(store, err);
    store->garbage = false; /* No use in trying again at once, with nobody waiting. */
}

static void rollback(struct weft_sqlite_store *store)
{
    if (!sqlite3_get_autocommit(store->write_db.handle))
        weft__sqlite_db_run(&store->write_db, WEFT_SQLITE_ROLLBACK);
}

/* Writes a commit over one whose outcome is in doubt. True when that one is certainly gone. */
static bool settle(struct weft_sqlite_store *store)
{
    int rc = weft__sqlite_db_run(&store->write_db, WEFT_SQLITE_BEGIN_WRITE);
    if (rc == SQLITE_OK)
        rc = weft__sqlite_db_run(&store->write_db, WEFT_SQLITE_SETTLE);
    if (rc == SQLITE_OK)
        rc = weft__sqlite_db_run(&store->write_db, WEFT_SQLITE_COMMIT);
    if (rc != SQLITE_OK) {
        report_failure(store, rc);
        rollback(store);
    }
    atomic_store_explicit(&store->doubt, rc != SQLITE_OK, memory_order_release);
    return rc == SQLITE_OK;
}

/* The commit failed with |rc|: finds out what that means. */
static int outcome(struct weft_sqlite_store *store, int rc)
{
    int primary = rc & 0xff;
    report_failure(store, rc);
    rollback(store);
    /* Without room, the frame that makes a commit of those before it was not written; it is the
     * last one. Busy: nothing was begun. */
    if (primary == SQLITE_FULL || primary == SQLITE_BUSY)
        return WEFT_ERR_UNAVAILABLE;
    return settle(store) ? WEFT_ERR_UNAVAILABLE : WEFT_ERR_STORE;
}

static void count(struct weft_sqlite_store *store)
{
    uint64_t records = 0;
    uint64_t bytes = 0;
    uint64_t failed = 0;
    for (size_t i = 0; i < store->end_count; i++) {
        const struct weft_store_request *request = store->ends[i].request;
        if (request->kind == WEFT_STORE_SEAL && store->ends[i].result == 0)
            weft__store_count_seal(&store->base, request);
        if (request->kind != WEFT_STORE_APPEND)
            continue;
        failed += store->ends[i].result != 0;
        records += store->ends[i].result == 0;
        bytes += store->ends[i].result == 0 ? request->u.append.record.len : 0;
    }
    atomic_fetch_add_explicit(&store->base.records, records, memory_order_relaxed);
    atomic_fetch_add_explicit(&store->base.bytes, bytes, memory_order_relaxed);
    atomic_fetch_add_explicit(&store->base.failed, failed, memory_order_relaxed);
}

/* Executes the requests of the batch and background work. False when the transaction is lost. */
static bool execute(struct weft_sqlite_store *store, const struct batch *batch)
{
    sqlite3 *handle = store->write_db.handle;
    for (size_t i = 0; i < store->end_count && !sqlite3_get_autocommit(handle); i++)
        store->ends[i].result = weft__sqlite_write(store, store->ends[i].request);
    if (store->garbage && !sqlite3_get_autocommit(handle) &&
        (batch->idle || store->batches % COLLECT_EVERY == 0))
        weft__sqlite_write_collect(store);
    return !sqlite3_get_autocommit(handle);
}

/* One transaction. */
static void run_batch(struct weft_sqlite_store *store, const struct batch *batch)
{
    struct weft_sqlite_db *db = &store->write_db;
    bool put = !weft__list_empty(&store->puts);
    bool put_over = false;
    int put_result = 0;
    int64_t blob = store->put_blob;
    size_t at = store->put_at;
    int64_t before = sqlite3_total_changes64(db->handle);
    int rc = weft__sqlite_db_run(db, WEFT_SQLITE_BEGIN_WRITE);
    if (rc != SQLITE_OK) {
        report_failure(store, rc);
        fail_batch(store, weft__sqlite_err(rc));
        return;
    }
    bool alive = execute(store, batch);
    if (alive && put)
        put_over = weft__sqlite_write_slice(
            store, WEFT_CONTAINER_OF(store->puts.next, struct weft_store_request, node),
            &put_result, &blob, &at);
    if (!alive || sqlite3_get_autocommit(db->handle)) {
        report_failure(store, sqlite3_extended_errcode(db->handle));
        rollback(store);
        fail_batch(store, WEFT_ERR_UNAVAILABLE);
        return;
    }
    rc = weft__sqlite_db_run(db, WEFT_SQLITE_COMMIT);
    if (rc != SQLITE_OK) {
        fail_batch(store, outcome(store, rc));
        return;
    }
    store->put_blob = blob;
    store->put_at = at;
    if (put_over)
        end_put(store, put_result);
    if (sqlite3_total_changes64(db->handle) != before) {
        atomic_fetch_add_explicit(&store->base.commits, 1, memory_order_relaxed);
        report_success(store);
    }
}

/* Wakes the keeper each time that the log has grown by so many pages. */
static void watch_log(struct weft_sqlite_store *store, unsigned pages_before)
{
    if (store->wal_pages < pages_before)
        store->wal_next = store->options.checkpoint_pages;
    if (store->wal_pages < store->wal_next)
        return;
    store->wal_next = store->wal_pages + store->options.checkpoint_pages;
    pthread_mutex_lock(&store->mutex);
    store->checkpoint_due = true;
    pthread_cond_signal(&store->keeper_wake);
    pthread_mutex_unlock(&store->mutex);
}

/* The keeper has copied most of the log, but the writer is always ahead of it. While nobody writes,
 * the little that is left is copied, and the next transaction starts the log anew. The keeper rests
 * until that is done. */
static void finish_log(struct weft_sqlite_store *store)
{
    sqlite3_wal_checkpoint_v2(store->write_db.handle, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    pthread_mutex_lock(&store->mutex);
    store->restart_due = false;
    pthread_cond_signal(&store->keeper_wake);
    pthread_mutex_unlock(&store->mutex);
}

static int on_commit(void *ctx, sqlite3 *handle, const char *name, int pages)
{
    struct weft_sqlite_store *store = ctx;
    (void)handle;
    (void)name;
    store->wal_pages = (unsigned)pages;
    return SQLITE_OK;
}

void *weft__sqlite_writer_main(void *arg)
{
    struct weft_sqlite_store *store = arg;
    struct batch batch;
    sqlite3_wal_hook(store->write_db.handle, on_commit, store);
    while (take_batch(store, &batch)) {
        unsigned pages_before = store->wal_pages;
        if (atomic_load_explicit(&store->doubt, memory_order_relaxed) && !settle(store))
            fail_batch(store, WEFT_ERR_UNAVAILABLE);
        else if (!batch.idle || !weft__list_empty(&store->puts) || store->garbage)
            run_batch(store, &batch);
        count(store);
        weft__sqlite_lanes_end(store, store->ends, store->end_count);
        watch_log(store, pages_before);
        if (batch.restart)
            finish_log(store);
        store->batches++;
    }
    return NULL;
}

void *weft__sqlite_keeper_main(void *arg)
{
    struct weft_sqlite_store *store = arg;
    pthread_mutex_lock(&store->mutex);
    while (!store->stopping) {
        if (!store->checkpoint_due || store->restart_due) {
            pthread_cond_wait(&store->keeper_wake, &store->mutex);
            continue;
        }
        store->checkpoint_due = false;
        pthread_mutex_unlock(&store->mutex);
        int pages = 0;
        int rc = sqlite3_wal_checkpoint_v2(store->keeper_db.handle, NULL, SQLITE_CHECKPOINT_PASSIVE,
                                           &pages, NULL);
        if (rc != SQLITE_OK && rc != SQLITE_BUSY)
            WEFT_LOG(store->log, WEFT_LOG_WARN, "store.checkpoint_failed",
                     weft__log_str("error", sqlite3_errstr(rc)));
        pthread_mutex_lock(&store->mutex);
        if (rc == SQLITE_OK && (unsigned)pages >= store->options.restart_pages) {
            store->restart_due = true;
            pthread_cond_signal(&store->writer_wake);
        }
    }
    pthread_mutex_unlock(&store->mutex);
    return NULL;
}
