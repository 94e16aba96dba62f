/* SPDX-License-Identifier: Apache-2.0 */
/* A ring of recent operations. */
#include "hub/history.h"

#include "base/assert.h"

enum { HISTORY_FIRST = 16 };

static size_t op_memory(const struct weft_doc_op *op)
{
    return sizeof(*op) + op->client_len + op->sub_len + op->json_len;
}

struct weft_doc_op *weft__doc_op_new(const struct weft_alloc *alloc,
                                     const struct weft_record_op *record, void *op)
{
    WEFT_ASSERT(record->client.len <= WEFT_CLIENT_ID_MAX && record->principal.len <= UINT16_MAX);
    WEFT_ASSERT(record->op.len <= UINT32_MAX);
    size_t text = record->client.len + record->principal.len + record->op.len;
    struct weft_doc_op *made = weft__mem_zalloc(alloc, sizeof(*made) + text);
    if (!made)
        return NULL;
    weft__list_init(&made->waiters);
    made->op = op;
    made->seq = record->seq;
    made->base_version = record->base;
    made->hash = record->hash;
    made->flags = record->flags;
    made->client_len = (uint16_t)record->client.len;
    made->sub_len = (uint16_t)record->principal.len;
    made->json_len = (uint32_t)record->op.len;
    uint8_t *at = made->text;
    weft__mem_copy(at, record->client.ptr, record->client.len);
    at += record->client.len;
    weft__mem_copy(at, record->principal.ptr, record->principal.len);
    at += record->principal.len;
    weft__mem_copy(at, record->op.ptr, record->op.len);
    return made;
}

void weft__doc_op_free(const struct weft_alloc *alloc, const struct weft_ot_type *type,
                       struct weft_doc_op *op)
{
    if (!op)
        return;
    WEFT_ASSERT(weft__list_empty(&op->waiters));
    type->op_free(op->op);
    weft__mem_free(alloc, op, op_memory(op));
}

struct weft_record_op weft__doc_op_record(const struct weft_doc_op *op)
{
    return (struct weft_record_op){
        .client = weft__doc_op_client(op),
        .seq = op->seq,
        .principal = weft__doc_op_sub(op),
        .base = op->base_version,
        .hash = op->hash,
        .flags = op->flags,
        .op = weft__doc_op_json(op),
    };
}

void weft__history_init(struct weft_history *history, const struct weft_alloc *alloc)
{
    *history = (struct weft_history){.alloc = alloc};
}

static struct weft_doc_op **slot(const struct weft_history *history, size_t index)
{
    return &history->ops[(history->start + index) & (history->capacity - 1)];
}

static void drop(struct weft_history *history, struct weft_doc_op *op)
{
    history->bytes -= op_memory(op) + history->type->op_memory(op->op);
    weft__doc_op_free(history->alloc, history->type, op);
}

void weft__history_reset(struct weft_history *history, const struct weft_ot_type *type,
                         uint64_t base)
{
    weft__history_truncate(history, history->base);
    WEFT_ASSERT(history->bytes == 0);
    history->type = type;
    history->base = base;
    history->start = 0;
}

void weft__history_done(struct weft_history *history)
{
    weft__history_truncate(history, history->base);
    weft__mem_free(history->alloc, history->ops, history->capacity * sizeof(*history->ops));
    history->ops = NULL;
    history->capacity = 0;
}

struct weft_doc_op *weft__history_get(const struct weft_history *history, uint64_t version)
{
    WEFT_ASSERT(version > history->base && version <= weft__history_head(history));
    return *slot(history, (size_t)(version - history->base - 1));
}

int weft__history_reserve(struct weft_history *history)
{
    if (history->count < history->capacity)
        return 0;
    size_t capacity = history->capacity ? history->capacity * 2 : HISTORY_FIRST;
    struct weft_doc_op **ops = weft__mem_alloc_array(history->alloc, capacity, sizeof(*ops));
    if (!ops)
        return WEFT_ERR_NOMEM;
    for (size_t i = 0; i < history->count; i++)
        ops[i] = *slot(history, i);
    weft__mem_free(history->alloc, history->ops, history->capacity * sizeof(*ops));
    history->ops = ops;
    history->capacity = capacity;
    history->start = 0;
    return 0;
}

void weft__history_push(struct weft_history *history, struct weft_doc_op *op)
{
    WEFT_ASSERT(history->count < history->capacity);
    WEFT_ASSERT(op->version == weft__history_head(history) + 1);
    *slot(history, history->count) = op;
    history->count++;
    history->bytes += op_memory(op) + history->type->op_memory(op->op);
}

void weft__history_truncate(struct weft_history *history, uint64_t version)
{
    while (history->count && weft__history_head(history) > version) {
        history->count--;
        drop(history, *slot(history, history->count));
    }
}

void weft__history_trim(struct weft_history *history, uint64_t limit, size_t keep,
                        size_t keep_bytes)
{
    while (history->count && history->base < limit &&
           (history->count > keep || history->bytes > keep_bytes)) {
        drop(history, *slot(history, 0));
        history->start = (history->start + 1) & (history->capacity - 1);
        history->count--;
        history->base++;
    }
}
