/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who applied what last: for every client that ever changed a document, the number, version and
 * hash of its last operation. With it a resend is recognised, also after a restart of the server
 * (docs/protocol/documents.md, "Submit"). Entries are kept for at least 30 days after the client's
 * last operation, in snapshots too.
 *
 * **Thread:** the document's owner.
 */
#ifndef WEFT_HUB_CLIENT_TABLE_H
#define WEFT_HUB_CLIENT_TABLE_H

#include "base/bytes.h"
#include "base/map.h"

enum {
    WEFT_CLIENT_ID_MAX = 64, /* bytes of a client's id */
};

#define WEFT_CLIENT_KEPT_MS (30ull * 24 * 3600 * 1000)

struct weft_client_entry {
    struct weft_map_node node; /* key: id */
    uint64_t seq;              /* of its last operation; 0 before the first */
    uint64_t version;          /* after that operation */
    uint64_t hash;             /* of that operation's bytes as submitted */
    uint64_t time_ms;          /* wall time of that operation */
    size_t id_len;
    uint8_t id[];
};

struct weft_client_table {
    const struct weft_alloc *alloc;
    struct weft_map map;
    size_t bytes; /* memory of all entries */
};

void weft__client_table_init(struct weft_client_table *table, const struct weft_alloc *alloc,
                             struct weft_hash_key hash_key);
void weft__client_table_done(struct weft_client_table *table);

/* The entry of |client|, or NULL. **Lifetime:** until the table changes. */
struct weft_client_entry *weft__client_table_get(const struct weft_client_table *table,
                                                 struct weft_slice client);

/* Makes an entry for |client| if it has none, so that weft__client_table_put cannot fail. An entry
 * with seq 0 stands for no operation. **Errors:** WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__client_table_reserve(struct weft_client_table *table,
                                             struct weft_slice client);

/* Makes |client|'s last operation (|seq|, |version|, |hash|, |time_ms|).
 * **Errors:** WEFT_ERR_NOMEM; the table is unchanged then. */
WEFT_MUST_USE int weft__client_table_put(struct weft_client_table *table, struct weft_slice client,
                                         uint64_t seq, uint64_t version, uint64_t hash,
                                         uint64_t time_ms);

/* Forgets clients whose last operation is older than 30 days at |now_ms|. */
void weft__client_table_expire(struct weft_client_table *table, uint64_t now_ms);

#endif
