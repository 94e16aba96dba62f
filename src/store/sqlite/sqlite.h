/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The embedded store: one SQLite database in a folder of its own. Acknowledged means synced: the
 * database is in WAL mode, every commit syncs its log, and |done| runs only after the commit. What
 * the files hold, and how to look after them: docs/guides/storage.md.
 *
 *   submit ─► lanes (order per document) ─┬─► writer thread   one transaction for all that waits
 *                                         └─► reader thread   never waits for a commit
 *                                             keeper thread   checkpoints, off the commit path
 */
#ifndef WEFT_STORE_SQLITE_SQLITE_H
#define WEFT_STORE_SQLITE_SQLITE_H

#include "port/log.h"
#include "port/store.h"

/* All zeroes but |alloc| and |folder| is a good configuration. The strings need live only during
 * the call. */
struct weft_sqlite_options {
    const struct weft_alloc *alloc; /* thread-safe */
    const char *folder;             /* made, for the user alone (0700), when it is missing */
    const struct weft_log *log;     /* may be NULL */

    /* Limits of one transaction; 0 takes the default. */
    size_t batch_requests;       /* 1,024 */
    size_t batch_bytes;          /* of records; 4 MiB */
    size_t snapshot_slice_bytes; /* of a snapshot; 256 KiB */

    /* Pages of 4 KiB in the write-ahead log; 0 takes the default. */
    unsigned checkpoint_pages; /* copied to the database in the background: 1,000 */
    unsigned restart_pages;    /* the writer itself sees to it that the log starts anew: 16,000 */

    /* For tests. */
    const char *vfs;     /* name of the VFS; NULL: SQLite's own */
    bool unsafe_no_sync; /* nothing is ever synced */
};

/* Opens the store in |options->folder|, which it locks until it is freed. On failure
 * |ret_message|, |message_size| bytes, has a sentence for people; it may be NULL. **Errors:**
 * WEFT_ERR_BUSY: another process has it; WEFT_ERR_CORRUPT: damaged, or not a database;
 * WEFT_ERR_UNSUPPORTED: not weft's, or written by a newer weft; WEFT_ERR_DENIED: no permission, or
 * read-only; WEFT_ERR_SYSTEM, WEFT_ERR_STORE, WEFT_ERR_NOMEM, WEFT_ERR_USAGE. */
WEFT_MUST_USE int weft__sqlite_store_open(const struct weft_sqlite_options *options,
                                          struct weft_store **ret_store, char *ret_message,
                                          size_t message_size);

#endif
