/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operations an open is answered with (docs/protocol/documents.md, "Catching up"):
 *
 *   version of    │ singly, up to the client's │ composed into one
 *   the client    │ own last operation         │ {from, version, op}
 *
 * Up to its own last operation the client must repeat what the server did, one by one: composed and
 * one-by-one transforms differ where insertions meet. Of what follows, the server saw nothing of
 * the client's, so any way that leads to the same content is good, and one operation is the
 * cheapest. Kinds of documents that cannot be composed get all of them singly.
 *
 * **Thread:** the document's owner.
 */
#ifndef WEFT_HUB_CATCH_UP_H
#define WEFT_HUB_CATCH_UP_H

#include "hub/document.h"
#include "ot/fold.h"

struct weft_catch_up {
    struct weft_json_writer *out;
    const struct weft_ot_type *type;
    struct weft_slice own; /* the client that opens */
    uint64_t singly;       /* versions up to this one are written singly */
    uint64_t from;         /* the version before the first composed one */
    uint64_t to;           /* that after the last one; = |from| when there is none */
    size_t bytes;          /* of what was written or is being composed */
    bool full;             /* too much, or it cannot be told in operations: only a snapshot helps */
    struct weft_ot_fold fold;
};

/* Begins with what comes after |version| for the client of |request|: the member `ops`. |*out| must
 * stay until the end. */
void weft__catch_up_begin(struct weft_catch_up *catch_up, const struct weft_document *document,
                          const struct weft_doc_request *request, struct weft_json_writer *out);

/* The operation that led to |version|. |op| is the parsed one, lent until the end, or NULL: then
 * it is parsed if need be, with the hub's arena. **Errors:** WEFT_ERR_NOMEM, WEFT_ERR_CORRUPT. */
WEFT_MUST_USE int weft__catch_up_add(struct weft_catch_up *catch_up,
                                     const struct weft_document *document,
                                     const struct weft_record_op *record, const void *op,
                                     uint64_t version, uint64_t time_ms);

/* Writes what was composed, and ends `ops`. **Errors:** WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__catch_up_end(struct weft_catch_up *catch_up);

/* Frees what is held; nothing more is written. */
void weft__catch_up_done(struct weft_catch_up *catch_up);

#endif
