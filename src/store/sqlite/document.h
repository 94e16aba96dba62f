/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The row of a document, and the checksums of the three kinds of rows. Every checksum includes the
 * document's epoch, so that a row that belongs to another document is found out too.
 */
#ifndef WEFT_STORE_SQLITE_DOCUMENT_H
#define WEFT_STORE_SQLITE_DOCUMENT_H

#include "port/store.h"
#include "store/sqlite/db.h"

struct weft_sqlite_document {
    int64_t id; /* never used again after a purge */
    struct weft_store_state state;
    int64_t blob; /* the chunks of the newest snapshot; 0 when there is none */
    uint64_t blob_size;
};

/* Reads and checks the row of |key|. **Errors:** WEFT_ERR_NOT_FOUND, WEFT_ERR_CORRUPT,
 * WEFT_ERR_NOMEM, WEFT_ERR_UNAVAILABLE. */
int weft__sqlite_document_get(struct weft_sqlite_db *db, const struct weft_store_key *key,
                              struct weft_sqlite_document *ret_document);

/* Checks and takes over the present row of WEFT_SQLITE_DOC_GET or _LIST. **Errors:**
 * WEFT_ERR_CORRUPT. */
int weft__sqlite_document_read(sqlite3_stmt *statement, const struct weft_store_key *key,
                               struct weft_sqlite_document *ret_document);

/* Add the row of |document|, whose id is set then, and update it. Both return |rc|. */
int weft__sqlite_document_add(struct weft_sqlite_db *db, const struct weft_store_key *key,
                              struct weft_sqlite_document *document);
int weft__sqlite_document_set(struct weft_sqlite_db *db, const struct weft_store_key *key,
                              const struct weft_sqlite_document *document);

/* Whether the last record ends at the version of the document. Errors as of get. */
int weft__sqlite_document_check_log(struct weft_sqlite_db *db,
                                    const struct weft_sqlite_document *document);

/* The checksum of a row of |content| that is number |at|, |count| long, of a document's. */
uint32_t weft__sqlite_row_crc(const char *epoch, uint64_t at, uint64_t count,
                              struct weft_slice content);

#endif
