/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of the SQLite store: what its three threads share.
 *
 * Order. "Requests about one document are carried out in the order submitted" is kept by lanes: a
 * document belongs to the lane that its key hashes to, and a request is handed to a thread only
 * when nothing that is under way in its lane stands against it (the table in lanes.c). Each thread
 * takes its requests first in, first out. Two documents in one lane may wait for one another
 * without need; nothing is allocated for a request.
 *
 * Some requests may overtake, because nobody can tell: an APPEND or a READ is carried out while a
 * PUT_SNAPSHOT of the same document is still being written, slice by slice; and a SEAL is carried
 * out beside everything but what creates or removes its document, since it changes no answer.
 *
 * Doubt. A commit that failed while syncing may still be found by the recovery after a crash. So
 * the writer first writes a commit of its own over it ("settle"): when that succeeds, the failed
 * one is certainly gone. Until then appends end with WEFT_ERR_STORE and no document can be opened.
 */
#ifndef WEFT_STORE_SQLITE_STORE_H
#define WEFT_STORE_SQLITE_STORE_H

#include "store/sqlite/db.h"
#include "store/sqlite/document.h"
#include "store/sqlite/sqlite.h"

#include "base/hash.h"

#include <pthread.h>
#include <stdatomic.h>

enum { WEFT_SQLITE_LANES = 1024, WEFT_SQLITE_PART_SIZE = 64 * 1024 };

/* What kind of work a request is to its lane. */
enum weft_sqlite_class {
    WEFT_SQLITE_CLASS_APPEND,
    WEFT_SQLITE_CLASS_READ,
    WEFT_SQLITE_CLASS_LOOK,  /* OPEN of what exists, GET_SNAPSHOT */
    WEFT_SQLITE_CLASS_PUT,   /* PUT_SNAPSHOT */
    WEFT_SQLITE_CLASS_SEAL,  /* SEAL */
    WEFT_SQLITE_CLASS_ALONE, /* OPEN that may create, PURGE */
    WEFT_SQLITE_CLASS_FREE,  /* LIST: about no document */
    WEFT_SQLITE_CLASS_COUNT,
};

struct weft_sqlite_lane {
    struct weft_list waiting; /* requests, in order */
    unsigned running[WEFT_SQLITE_CLASS_COUNT];
};

/* A request that is finished, in so far as its thread still has to say so. */
struct weft_sqlite_end {
    struct weft_store_request *request;
    int result;
};

struct weft_sqlite_store {
    struct weft_store base;
    const struct weft_alloc *alloc;
    const struct weft_log *log;
    struct weft_sqlite_options options; /* defaults filled in; the strings are not kept */
    char *path;                         /* of the database */
    size_t path_size;
    int lock_fd;
    struct weft_hash_key hash_key;

    pthread_t writer;
    pthread_t reader;
    pthread_t keeper;
    unsigned threads; /* how many of them run, in this order */

    pthread_mutex_t mutex; /* of everything up to the next blank line */
    pthread_cond_t writer_wake;
    pthread_cond_t reader_wake;
    pthread_cond_t keeper_wake;
    struct weft_sqlite_lane lanes[WEFT_SQLITE_LANES];
    struct weft_list write_queue;
    struct weft_list read_queue;
    size_t unfinished; /* requests submitted and not yet ended */
    bool stopping;
    bool checkpoint_due; /* for the keeper */
    bool restart_due;    /* for the writer; the keeper rests meanwhile */

    atomic_bool doubt; /* written by the writer */

    /* The writer's own. */
    struct weft_sqlite_db write_db;
    struct weft_sqlite_end *ends; /* of the batch; one more than batch_requests */
    size_t end_count;
    struct weft_list puts; /* PUT_SNAPSHOT requests; the first one is under way */
    int64_t put_blob;      /* its chunks; 0: not begun */
    size_t put_at;         /* bytes of it that are committed */
    bool garbage;          /* there may be dead rows */
    unsigned wal_pages;    /* in the log after the last commit */
    unsigned wal_next;     /* at which the keeper is woken again */
    bool failing;          /* the last commit failed: said once */
    uint64_t batches;

    struct weft_sqlite_db read_db;   /* the reader's own */
    struct weft_sqlite_db keeper_db; /* the keeper's own */
};

/* lanes.c */

void weft__sqlite_lanes_init(struct weft_sqlite_store *store);

/* Hands |request| to its thread, now or when its turn comes. **Thread:** any. */
void weft__sqlite_lanes_submit(struct weft_sqlite_store *store, struct weft_store_request *request);

/* Posts the done of |request|, which may be gone on return. **Thread:** any. */
void weft__sqlite_lanes_post(struct weft_store_request *request, int err);

/* Moves |request|, which the reader has taken, to the writer. **Thread:** reader. */
void weft__sqlite_lanes_to_writer(struct weft_sqlite_store *store,
                                  struct weft_store_request *request);

/* Posts the done of each request and then lets those go on that waited for them. **Thread:** the
 * one that has them. */
void weft__sqlite_lanes_end(struct weft_sqlite_store *store, const struct weft_sqlite_end *ends,
                            size_t count);

/* write.c: what a request does inside the writer's transaction. The result is an enum weft_err;
 * nothing of a failed one stays behind. */

int weft__sqlite_write(struct weft_sqlite_store *store, struct weft_store_request *request);

/* The next slice of the snapshot under way. True when it was the last one, or failed: |*ret_result|
 * is its result then. |*ret_blob| and |*ret_at| become the progress once it is committed. */
bool weft__sqlite_write_slice(struct weft_sqlite_store *store, struct weft_store_request *request,
                              int *ret_result, int64_t *ret_blob, size_t *ret_at);

/* Removes some rows of what was purged or replaced. To be called before weft__sqlite_write_slice:
 * it spares the blob that store->put_blob names, and no other. */
void weft__sqlite_write_collect(struct weft_sqlite_store *store);

/* The three threads. */

void *weft__sqlite_writer_main(void *store);
void *weft__sqlite_reader_main(void *store);
void *weft__sqlite_keeper_main(void *store);

/* folder.c */

/* Makes the folder if need be, locks it, makes an empty database file if there is none.
 * |*ret_lock_fd| holds the lock. Errors and message as of weft__sqlite_store_open. */
int weft__sqlite_folder_open(const char *folder, int *ret_lock_fd, char *ret_message,
                             size_t message_size);

/* format.c */

/* Checks that |db| is a store that can be read, and makes the schema when it is empty. */
int weft__sqlite_format_check(struct weft_sqlite_db *db, const char *path, char *ret_message,
                              size_t message_size);

#endif
