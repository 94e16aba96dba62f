/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recent operations of an open document, newest last, without holes:
 *
 *   base │ base+1 ‥ committed │ committed+1 ‥ appended │ appended+1 ‥ head
 *        │ durable, sent      │ in the append in flight │ waiting for the next one
 *
 * What is older than the base is read from the store. **Thread:** the document's owner.
 */
#ifndef WEFT_HUB_HISTORY_H
#define WEFT_HUB_HISTORY_H

#include "base/list.h"
#include "base/mem.h"
#include "hub/client_table.h"
#include "hub/record.h"
#include "ot/type.h"

/* One operation as it was applied. */
struct weft_doc_op {
    uint64_t version;         /* after it */
    void *op;                 /* owned */
    struct weft_list waiters; /* struct weft_doc_request: submits to be answered at commit */
    unsigned author_worker;   /* whose connection it came from; not for operations read back */
    uint64_t author_id;       /* that subscription; 0 for operations read back */
    uint64_t seq;
    uint64_t base_version;
    uint64_t hash;
    uint64_t flags;
    uint64_t time_ms;
    uint16_t client_len;
    uint16_t sub_len;
    uint32_t json_len;
    uint8_t text[]; /* client, sub, then the operation's JSON */
};

static inline struct weft_slice weft__doc_op_client(const struct weft_doc_op *op)
{
    return weft__slice(op->text, op->client_len);
}

static inline struct weft_slice weft__doc_op_sub(const struct weft_doc_op *op)
{
    return weft__slice(op->text + op->client_len, op->sub_len);
}

static inline struct weft_slice weft__doc_op_json(const struct weft_doc_op *op)
{
    return weft__slice(op->text + op->client_len + op->sub_len, op->json_len);
}

/* Makes an operation from what a record holds of it, and takes |op|. NULL when out of memory; |op|
 * is the caller's still then. */
struct weft_doc_op *weft__doc_op_new(const struct weft_alloc *alloc,
                                     const struct weft_record_op *record, void *op);

/* NULL is allowed. Its waiters must have been taken. */
void weft__doc_op_free(const struct weft_alloc *alloc, const struct weft_ot_type *type,
                       struct weft_doc_op *op);

/* Its fields as a record wants them. The slices borrow |op|. */
struct weft_record_op weft__doc_op_record(const struct weft_doc_op *op);

struct weft_history {
    const struct weft_alloc *alloc;
    const struct weft_ot_type *type;
    struct weft_doc_op **ops; /* a ring: ops[(start + i) & mask] has version base + 1 + i */
    size_t capacity;          /* 0 or a power of two */
    size_t start;
    size_t count;
    size_t bytes; /* memory of the operations */
    uint64_t base;
};

void weft__history_init(struct weft_history *history, const struct weft_alloc *alloc);
void weft__history_done(struct weft_history *history);

/* Drops everything and begins again behind |base|, for operations of |type|. */
void weft__history_reset(struct weft_history *history, const struct weft_ot_type *type,
                         uint64_t base);

/* The version after the newest operation. */
static inline uint64_t weft__history_head(const struct weft_history *history)
{
    return history->base + history->count;
}

/* The operation that leads to |version|, base < version ≤ head. */
struct weft_doc_op *weft__history_get(const struct weft_history *history, uint64_t version);

/* Room for one more, so that the next push cannot fail. **Errors:** WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__history_reserve(struct weft_history *history);

/* Takes |op|, whose version is head + 1; room was reserved. */
void weft__history_push(struct weft_history *history, struct weft_doc_op *op);

/* Drops operations newer than |version|. */
void weft__history_truncate(struct weft_history *history, uint64_t version);

/* Drops the oldest operations up to |limit| (a version) while more than |keep| operations or more
 * than |keep_bytes| are held. */
void weft__history_trim(struct weft_history *history, uint64_t limit, size_t keep,
                        size_t keep_bytes);

#endif
