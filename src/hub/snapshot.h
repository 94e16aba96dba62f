/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stored snapshot: a document's content at one version with the table of its clients, so that
 * opening needs only the log's tail behind it.
 *
 *   head (hub/sealed.h), format version 1
 *   protobuf fields: 1 epoch, 2 version, 3 type, 4 content, 5 one client each: 1 id, 2 seq,
 *   3 version, 4 hash, 5 time of its last operation; 6 server time of the last operation,
 *   7 version up to which the log was sealed
 */
#ifndef WEFT_HUB_SNAPSHOT_H
#define WEFT_HUB_SNAPSHOT_H

#include "hub/client_table.h"

enum { WEFT_SNAPSHOT_FORMAT = 1 };

struct weft_snapshot {
    struct weft_slice epoch;
    struct weft_slice type;
    struct weft_slice content; /* in the type's own format */
    uint64_t version;
    uint64_t time_ms; /* of the last operation */
    uint64_t sealed;  /* up to here the log was sealed, at least: saves looking for it */
};

/* Writes |snapshot| and |clients| into |b|, which is empty.
 * **Errors:** what |b| met: WEFT_ERR_NOMEM, WEFT_ERR_TOO_BIG. */
WEFT_MUST_USE int weft__snapshot_write(struct weft_bytes *b, const struct weft_snapshot *snapshot,
                                       const struct weft_client_table *clients);

/* Reads one; its slices borrow |input|. The clients are added to |clients|, which is empty and may
 * be partly filled after an error. **Errors:** WEFT_ERR_CORRUPT, WEFT_ERR_UNSUPPORTED,
 * WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__snapshot_read(struct weft_slice input, struct weft_client_table *clients,
                                      struct weft_snapshot *ret_snapshot);

#endif
