/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking into the database behind the store's back, for checking: which documents of whatever
 * tenant there are, and what SQLite itself says of its file. Nothing is changed.
 */
#ifndef WEFT_STORE_SQLITE_INSPECT_H
#define WEFT_STORE_SQLITE_INSPECT_H

#include "port/store.h"

struct weft_sqlite_inspector {
    /* A document. The store may be asked meanwhile. */
    void (*document)(void *ctx, const struct weft_store_key *key);
    /* A sentence on damage of the file, at most 100 of them. */
    void (*damage)(void *ctx, const char *what);
    void *ctx;
};

/* Tells |inspector| all there is in the database of |folder|. **Errors:** WEFT_ERR_NOT_FOUND: there
 * is none; WEFT_ERR_CORRUPT: not everything could be read; WEFT_ERR_SYSTEM, WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__sqlite_inspect(const char *folder,
                                       const struct weft_sqlite_inspector *inspector);

#endif
