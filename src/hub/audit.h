/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checking what a store holds of one document: every row of its log and its newest snapshot by
 * their checksums, the versions for gaps, the operations by applying them all from the beginning,
 * and the snapshot by comparing it with what they led to.
 *
 *   begin ─► row, row, … in order ─► end ─► done       after an error only done
 *
 * A log that no longer reaches back to the beginning is applied from the snapshot on. Operations of
 * a type that is not known here are read, not applied.
 *
 * **Thread:** any; nothing is shared.
 */
#ifndef WEFT_HUB_AUDIT_H
#define WEFT_HUB_AUDIT_H

#include "hub/snapshot.h"
#include "ot/type.h"
#include "port/store.h"

struct weft_audit {
    const struct weft_alloc *alloc;
    const struct weft_ot_type *type; /* NULL: not known */
    struct weft_store_state state;
    const char *what;  /* after an error: what is wrong, a short sentence */
    uint64_t version;  /* looked at so far; after an error of a row, of the bad operation */
    uint64_t records;  /* read so far */
    uint64_t segments; /* among them */

    /* Private. */
    void *doc; /* content at |version|; NULL while nothing is applied */
    bool has_snapshot;
    struct weft_snapshot snapshot;
    struct weft_client_table clients;          /* after |version| */
    struct weft_client_table snapshot_clients; /* as the snapshot has them */
    struct weft_arena arena;
};

/* Begins with a document that is in |state|. */
void weft__audit_begin(struct weft_audit *audit, const struct weft_alloc *alloc,
                       const struct weft_store_state *state);

/* Its newest snapshot, if it has one, before any row. |content| must outlive the audit. May fail
 * without harm to what follows: it is left out then. **Errors:** WEFT_ERR_CORRUPT,
 * WEFT_ERR_UNSUPPORTED, WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__audit_snapshot(struct weft_audit *audit, uint64_t version,
                                       struct weft_slice content);

/* The next row of the log. **Errors:** as above. */
WEFT_MUST_USE int weft__audit_row(struct weft_audit *audit, const struct weft_store_record *row);

/* There are no more. **Errors:** WEFT_ERR_CORRUPT. */
WEFT_MUST_USE int weft__audit_end(struct weft_audit *audit);

void weft__audit_done(struct weft_audit *audit);

#endif
