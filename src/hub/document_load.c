/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading a document: its state, its newest snapshot, the log behind that. A damaged snapshot costs
 * time, not data, as long as the log reaches back to the beginning.
 */
#include "hub/document.h"

#include "base/assert.h"
#include "hub/internal.h"
#include "hub/log_reader.h"
#include "hub/snapshot.h"

#include <stdio.h>

static void load_submit(struct weft_document *document, enum weft_store_kind kind,
                        void (*done)(struct weft_store_request *))
{
    struct weft_hub *hub = document->hub;
    document->load.kind = kind;
    document->load.exec = hub->options.exec;
    document->load.done = done;
    document->load.key = weft__doc_key_store(&document->key);
    weft__store_submit(hub->options.store, &document->load);
}

static struct weft_document *loading(struct weft_store_request *request)
{
    return WEFT_CONTAINER_OF(request, struct weft_document, load);
}

static void load_failed(struct weft_document *document, int err, const char *what)
{
    document->load.result = err;
    WEFT_LOG(document->hub->options.log, WEFT_LOG_ERROR, "doc.load_failed",
             weft__log_slice("doc", weft__doc_key_name(&document->key)),
             weft__log_str("what", what), weft__log_str("error", weft_err_message(err)));
    /* Nobody may go on with a state that cannot be proved; who still wants it opens it again. */
    weft__document_close_all(document, "moved", true);
    document->state = WEFT_DOC_STATE_FAILED;
    weft__document_settle(document);
    document->reloading = false;
    weft__document_loaded(document, WEFT_DOC_STATE_FAILED);
}

/* All operations are applied: what is at the head is committed. */
static void load_complete(struct weft_document *document)
{
    uint64_t head = weft__history_head(&document->history);
    if (head != document->stored.version) {
        load_failed(document, WEFT_ERR_CORRUPT, "the log does not reach its version");
        return;
    }
    int err = document->type->doc_snapshot(document->head, &document->committed);
    if (err) {
        load_failed(document, err, "loading");
        return;
    }
    document->committed_version = document->appended = head;
    document->state = WEFT_DOC_STATE_READY;
    if (document->reloading)
        weft__document_settle(document);
    document->reloading = false;
    weft__document_loaded(document, WEFT_DOC_STATE_READY);
    weft__document_seal(document);
}

static int apply_op(struct weft_document *document, const struct weft_record_op *record,
                    uint64_t time_ms)
{
    const struct weft_alloc *alloc = document->hub->options.alloc;
    void *op = NULL;
    if (record->client.len > WEFT_CLIENT_ID_MAX || record->principal.len > 255)
        return WEFT_ERR_CORRUPT;
    int err = weft__hub_parse_op(document->hub, document->type, record->op, &op);
    if (!err)
        err = document->type->doc_apply(document->head, op, NULL);
    if (!err)
        err = weft__history_reserve(&document->history);
    struct weft_doc_op *made = err ? NULL : weft__doc_op_new(alloc, record, op);
    if (!made) {
        document->type->op_free(op);
        return err && err != WEFT_ERR_NOMEM ? WEFT_ERR_CORRUPT : WEFT_ERR_NOMEM;
    }
    made->version = weft__history_head(&document->history) + 1;
    made->time_ms = time_ms;
    weft__history_push(&document->history, made);
    document->time_ms = time_ms;
    document->snapshot_bytes += record->op.len;
    if (!record->client.len)
        return 0;
    return weft__client_table_put(&document->clients, record->client, record->seq, made->version,
                                  record->hash, time_ms);
}

static int apply_record(struct weft_document *document, const struct weft_store_record *row)
{
    struct weft_log_reader reader;
    struct weft_record_op op;
    uint64_t time_ms;
    uint64_t at = weft__history_head(&document->history);
    int err = weft__log_open(&reader, document->hub->options.alloc, row, document->stored.epoch);
    if (err)
        return err;
    /* A segment may begin before the snapshot. */
    if (row->first > at)
        err = WEFT_ERR_CORRUPT;
    for (uint64_t version = row->first; !err && (err = weft__log_next(&reader, &op, &time_ms)) > 0;
         version++)
        err = version < at ? 0 : apply_op(document, &op, time_ms);
    weft__log_close(&reader);
    if (err)
        return err;
    /* A reload needs what came after its beginning, to send it. */
    uint64_t limit = weft__history_head(&document->history);
    if (document->reloading)
        limit = WEFT_MIN(limit, document->reload_from);
    weft__history_trim(&document->history, limit, WEFT_DOC_RECENT_OPS, WEFT_DOC_RECENT_BYTES);
    return err;
}

static void tail_read(struct weft_store_request *request);

static void read_tail(struct weft_document *document)
{
    uint64_t from = weft__history_head(&document->history);
    document->state = WEFT_DOC_STATE_TAIL;
    if (from >= document->stored.version) {
        load_complete(document);
        return;
    }
    document->load.u.read.from = from;
    document->load.u.read.to = document->stored.version;
    document->load.u.read.max_bytes = WEFT_DOC_PAGE_BYTES;
    document->load.u.read.max_count = WEFT_DOC_PAGE_OPS;
    load_submit(document, WEFT_STORE_READ, tail_read);
}

static void tail_read(struct weft_store_request *request)
{
    struct weft_document *document = loading(request);
    int err = request->result;
    if (err) {
        load_failed(document, err, "reading the log");
        return;
    }
    uint64_t before = weft__history_head(&document->history);
    struct weft_list *node;
    while ((node = weft__list_pop(&request->u.read.ret_records))) {
        struct weft_store_record *record = WEFT_CONTAINER_OF(node, struct weft_store_record, node);
        if (!err)
            err = apply_record(document, record);
        weft__store_record_free(document->hub->options.alloc, record);
    }
    if (!err && weft__history_head(&document->history) == before)
        err = WEFT_ERR_CORRUPT;
    if (err)
        load_failed(document, err, "the log");
    else
        read_tail(document);
}

static int use_snapshot(struct weft_document *document, struct weft_slice stored)
{
    struct weft_snapshot snapshot;
    const struct weft_json *json;
    int err = weft__snapshot_read(stored, &document->clients, &snapshot);
    if (err)
        return err;
    if (!weft__slice_eq_str(snapshot.epoch, document->stored.epoch) ||
        !weft__slice_eq_str(snapshot.type, document->stored.type) ||
        snapshot.version > document->stored.version)
        return WEFT_ERR_CORRUPT;
    weft__arena_reset(&document->hub->arena);
    err = weft__json_parse(snapshot.content, &document->hub->arena, NULL, NULL, &json);
    if (!err)
        err = document->type->doc_new(document->hub->options.alloc, json, &document->head, NULL);
    if (err)
        return err == WEFT_ERR_NOMEM ? err : WEFT_ERR_CORRUPT;
    document->time_ms = snapshot.time_ms;
    document->snapshot_version = snapshot.version;
    if (!document->seal)
        document->sealed = document->seal_after = WEFT_MIN(snapshot.sealed, snapshot.version);
    weft__history_reset(&document->history, document->type, snapshot.version);
    return 0;
}

/* Begins with the empty document. */
static void start_empty(struct weft_document *document)
{
    int err = document->type->doc_new(document->hub->options.alloc, NULL, &document->head, NULL);
    if (err) {
        load_failed(document, err, "loading");
        return;
    }
    weft__client_table_done(&document->clients);
    if (!document->seal)
        document->sealed = document->seal_after = 0;
    weft__history_reset(&document->history, document->type, 0);
    read_tail(document);
}

static void snapshot_read(struct weft_store_request *request)
{
    struct weft_document *document = loading(request);
    int err = request->result;
    if (!err) {
        struct weft_buf *content = request->u.get_snapshot.ret_content;
        err = use_snapshot(document, weft__buf_slice(content));
        weft__buf_unref(content);
    }
    if (!err) {
        read_tail(document);
    } else if (err == WEFT_ERR_CORRUPT && document->stored.oldest == 0) {
        WEFT_LOG(document->hub->options.log, WEFT_LOG_WARN, "doc.snapshot_damaged",
                 weft__log_slice("doc", weft__doc_key_name(&document->key)));
        start_empty(document);
    } else {
        load_failed(document, err, "the snapshot");
    }
}

static void opened(struct weft_store_request *request)
{
    struct weft_document *document = loading(request);
    if (request->result == WEFT_ERR_NOT_FOUND && !document->reloading) {
        weft__document_loaded(document, WEFT_DOC_STATE_ABSENT);
        return;
    }
    if (request->result) {
        load_failed(document, request->result, "opening");
        return;
    }
    document->stored = request->state;
    document->type = weft__ot_type_find(weft__slice_str(document->stored.type));
    if (!document->type) {
        load_failed(document, WEFT_ERR_UNSUPPORTED, "its type");
        return;
    }
    if (document->stored.snapshot_version) {
        document->state = WEFT_DOC_STATE_SNAPSHOT;
        load_submit(document, WEFT_STORE_GET_SNAPSHOT, snapshot_read);
    } else {
        start_empty(document);
    }
}

static void make_epoch(struct weft_document *document)
{
    const struct weft_crypto *crypto = document->hub->options.crypto;
    uint8_t random[WEFT_STORE_EPOCH_SIZE / 2];
    crypto->random(crypto->ctx, random, sizeof(random));
    for (unsigned i = 0; i < sizeof(random); i++)
        snprintf(document->create_epoch + 2 * (size_t)i, 3, "%02x", random[i]);
}

void weft__document_forget(struct weft_document *document)
{
    if (document->type) {
        weft__history_truncate(&document->history, document->history.base);
        document->type->doc_free(document->head);
        document->type->doc_free(document->committed);
        document->type->doc_free(document->appending);
    }
    document->head = document->committed = document->appending = NULL;
    document->type = NULL;
    document->snapshot_version = document->snapshot_bytes = 0;
    weft__client_table_done(&document->clients);
}

void weft__document_load(struct weft_document *document, const char *create)
{
    WEFT_ASSERT(!weft__document_loading(document) && !document->append_busy);
    weft__document_forget(document);
    document->state = WEFT_DOC_STATE_OPENING;
    memset(&document->load.u, 0, sizeof(document->load.u));
    if (create) {
        snprintf(document->create_type, sizeof(document->create_type), "%s", create);
        make_epoch(document);
        document->load.u.open.create_type = document->create_type;
        document->load.u.open.create_epoch = document->create_epoch;
    }
    load_submit(document, WEFT_STORE_OPEN, opened);
}

void weft__document_reload(struct weft_document *document)
{
    WEFT_ASSERT(document->state == WEFT_DOC_STATE_READY && !document->append_busy);
    uint64_t head = weft__history_head(&document->history);
    for (uint64_t v = document->committed_version + 1; v <= head; v++)
        weft__list_splice(&document->unsettled, &weft__history_get(&document->history, v)->waiters);
    weft__list_splice(&document->waiting, &document->blocked);
    document->reloading = true;
    document->reload_from = document->committed_version;
    weft__document_load(document, NULL);
}
