/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON of the document service: results, and notifications as finished WebSocket text frames
 * that every receiver shares (docs/protocol/documents.md).
 */
#ifndef WEFT_HUB_ANSWERS_H
#define WEFT_HUB_ANSWERS_H

#include "hub/document.h"

/* Begins a result object with doc and epoch. */
void weft__answer_begin(struct weft_json_writer *w, const struct weft_document *document,
                        struct weft_bytes *out);

/* The members type, version (committed) and applied of the answer to doc.open by |client|. */
void weft__answer_state(struct weft_json_writer *w, const struct weft_document *document,
                        struct weft_slice client);

/* One element of `ops`: {version, op, by}, or {version, seq} for one of |own|, a client's. */
void weft__answer_op(struct weft_json_writer *w, const struct weft_record_op *op, uint64_t version,
                     uint64_t time_ms, struct weft_slice own);

/* ← doc.op. A reference, the caller's; NULL when out of memory. */
struct weft_buf *weft__notify_op(struct weft_document *document, const struct weft_doc_op *op);

/* ← doc.presence; |present| false: state null. As weft__notify_op. */
struct weft_buf *weft__notify_presence(struct weft_document *document,
                                       const struct weft_doc_subscriber *subscriber, bool present);

/* ← doc.closed. As weft__notify_op. */
struct weft_buf *weft__notify_closed(struct weft_hub *hub, const struct weft_doc_key *key,
                                     const char *reason, bool reopen);

#endif
