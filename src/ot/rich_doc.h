/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A rich text document: a list of chunks of a few kilobytes, each an operation of insertions that
 * is never written again. An edit makes the chunks anew that it touches; a snapshot shares the
 * list, and the first edit after it copies the list, not the chunks.
 *
 *   doc ─► list [units|chunk] × n ─► chunk: reference count, operation
 *
 * Runs that are equal on both sides of a chunk's border are joined when the document is read.
 *
 * **Thread:** a document belongs to one thread; a snapshot may be read and freed on another one if
 * the allocator is thread-safe.
 */
#ifndef WEFT_OT_RICH_DOC_H
#define WEFT_OT_RICH_DOC_H

#include "ot/rich.h"

struct weft_rich_doc;

/* |content|, an operation of insertions, is taken in any case; NULL: the empty document.
 * **Errors:** WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__rich_doc_new(const struct weft_alloc *alloc, struct weft_rich_op *content,
                                     struct weft_rich_doc **ret_doc, struct weft_ot_error *error);

/* NULL is allowed. */
void weft__rich_doc_free(struct weft_rich_doc *doc);

/* **Errors:** WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__rich_doc_snapshot(const struct weft_rich_doc *doc,
                                          struct weft_rich_doc **ret_doc);

/* Applies |op| whole or not at all. **Errors:** WEFT_ERR_OP (past the end, inside a character, not
 * the embed it is for), WEFT_ERR_TOO_BIG, WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__rich_doc_apply(struct weft_rich_doc *doc, const struct weft_rich_op *op,
                                       struct weft_ot_error *error);

/* The whole content as one operation of insertions. */
WEFT_MUST_USE int weft__rich_doc_content(const struct weft_rich_doc *doc,
                                         struct weft_rich_op **ret_op, struct weft_ot_error *error);

/* What leads back to |doc| from apply(|doc|, |op|); only chunks that |op| touches are looked at. */
WEFT_MUST_USE int weft__rich_doc_invert(const struct weft_alloc *alloc,
                                        const struct weft_rich_op *op,
                                        const struct weft_rich_doc *doc,
                                        struct weft_rich_op **ret_op, struct weft_ot_error *error);

/* What leads from |from| to |to|; chunks that both share are not looked at. */
WEFT_MUST_USE int weft__rich_doc_diff(const struct weft_alloc *alloc,
                                      const struct weft_rich_doc *from,
                                      const struct weft_rich_doc *to, struct weft_rich_op **ret_op,
                                      struct weft_ot_error *error);

/* Most bytes that |op| adds to any document. */
uint64_t weft__rich_doc_growth(const struct weft_rich_op *op);

/* Of text, embeds and attributes, as they are kept. */
size_t weft__rich_doc_bytes(const struct weft_rich_doc *doc);
uint64_t weft__rich_doc_length(const struct weft_rich_doc *doc);

#endif
