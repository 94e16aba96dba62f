/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record: what one append to a document's log holds, a run of consecutive operations. Stored for
 * ever, so it has a format version, a checksum, and fields that older readers skip.
 *
 *   head (hub/sealed.h), format version 1
 *   protobuf fields: 1 epoch, 2 first version, 3 server time, 4 parents (absent: the version
 *   before), 5 one operation each: 1 client, 2 seq, 3 principal, 4 base version, 5 hash, 6 flags,
 *   7 bytes of the type
 *
 * **Thread:** any; nothing is shared.
 */
#ifndef WEFT_HUB_RECORD_H
#define WEFT_HUB_RECORD_H

#include "base/bytes.h"
#include "codec/pb_wire.h"

enum { WEFT_RECORD_FORMAT = 1 };

/* Bits of |flags|. Unknown ones are kept. */
enum {
    WEFT_RECORD_FLAG_RESTORE = 1 << 2, /* leads back to an earlier version */
};

/* One operation of a record. All slices are borrowed. */
struct weft_record_op {
    struct weft_slice client;    /* who numbered it; empty for the server's own */
    uint64_t seq;                /* in that client's numbering, from 1 */
    struct weft_slice principal; /* who submitted it */
    uint64_t base;               /* the version it was made at */
    uint64_t hash;               /* of the bytes as submitted */
    uint64_t flags;
    struct weft_slice op; /* as applied, in the type's own format */
};

struct weft_record_head {
    struct weft_slice epoch;
    uint64_t first;   /* the version before the first operation */
    uint64_t time_ms; /* server's wall time, never decreasing within a log */
};

/* The hash by which the same submit is recognised again: SipHash-1-3 with a key of zeroes, part of
 * the format. Who constructs collisions deceives only its own client. */
uint64_t weft__record_hash(struct weft_slice op);

/* Begins a record in |b|, which is empty. */
void weft__record_begin(struct weft_bytes *b, const struct weft_record_head *head);

/* Adds one operation. */
void weft__record_add(struct weft_bytes *b, const struct weft_record_op *op);

/* Puts the checksum in. **Errors:** what |b| met: WEFT_ERR_NOMEM, WEFT_ERR_TOO_BIG. */
WEFT_MUST_USE int weft__record_finish(struct weft_bytes *b);

struct weft_record_reader {
    struct weft_pb_reader fields;
    bool unknown; /* there were fields, in the head or an operation read, that are not listed above
                   */
};

/* Checks format and checksum and reads the head. The head and every operation borrow |input|.
 * **Errors:** WEFT_ERR_CORRUPT; WEFT_ERR_UNSUPPORTED for a newer format. */
WEFT_MUST_USE int weft__record_open(struct weft_record_reader *reader, struct weft_slice input,
                                    struct weft_record_head *ret_head);

/* The next operation: 1, or 0 at the end. **Errors:** WEFT_ERR_CORRUPT. */
WEFT_MUST_USE int weft__record_next(struct weft_record_reader *reader,
                                    struct weft_record_op *ret_op);

#endif
