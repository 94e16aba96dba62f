/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of an operation through its document:
 *
 *   admit ─► transform over what came in between ─► apply at the head ─► append ─► commit:
 *   (known client, next seq, not fenced)            one record a batch    author acknowledged,
 *                                                                         everybody else told
 */
#include "hub/document.h"

#include "base/assert.h"
#include "hub/answers.h"
#include "hub/internal.h"

struct weft_doc_op *weft__document_pending(const struct weft_document *document,
                                           struct weft_slice client)
{
    for (uint64_t v = weft__history_head(&document->history); v > document->committed_version;
         v--) {
        struct weft_doc_op *op = weft__history_get(&document->history, v);
        if (client.len && weft__slice_eq(weft__doc_op_client(op), client))
            return op;
    }
    return NULL;
}

static void refuse(struct weft_document *document, struct weft_doc_request *request, int status,
                   const char *reason, const char *text)
{
    weft__doc_request_fail(request, status, reason, text);
    weft__document_answer(document, request);
}

static void refuse_nomem(struct weft_document *document, struct weft_doc_request *request)
{
    refuse(document, request, WEFT_STATUS_RESOURCE_EXHAUSTED, "weft.memory", "out of memory");
}

static void acknowledge(struct weft_document *document, struct weft_doc_request *request,
                        uint64_t version)
{
    struct weft_json_writer w;
    weft__json_writer_init(&w, &request->result);
    weft__json_begin_object(&w);
    weft__json_key(&w, "version");
    weft__json_put_u64(&w, version);
    weft__json_end_object(&w);
    weft__document_answer(document, request);
}

/* A number that was used before: the same operation again is answered again, another one under an
 * old number is refused. */
static void resubmitted(struct weft_document *document, struct weft_doc_request *request,
                        struct weft_doc_op *pending, const struct weft_client_entry *entry)
{
    if (pending && request->seq == pending->seq && request->hash == pending->hash)
        weft__list_push(&pending->waiters, &request->node);
    else if (!pending && entry && request->seq == entry->seq && request->hash == entry->hash)
        acknowledge(document, request, entry->version);
    else
        refuse(document, request, WEFT_STATUS_ALREADY_EXISTS, "weft.doc.seq_used",
               "another operation has this seq");
}

/* Whether |request| may be the next operation of its client; answers it otherwise. */
static bool admit(struct weft_document *document, struct weft_doc_request *request)
{
    struct weft_slice client = weft__doc_request_client(request);
    struct weft_doc_subscriber *subscriber =
        weft__document_subscriber(document, request->worker, request->subscription);
    if (strcmp(request->epoch, document->stored.epoch) != 0) {
        refuse(document, request, WEFT_STATUS_ABORTED, "weft.doc.epoch_changed",
               "the document was made anew");
        return false;
    }
    if (!subscriber || subscriber->fenced) {
        refuse(document, request, WEFT_STATUS_ABORTED,
               subscriber ? "weft.doc.fenced" : "weft.doc.closed",
               subscriber ? "this client opened the document again elsewhere"
                          : "the document is not open here");
        return false;
    }
    struct weft_doc_op *pending = weft__document_pending(document, client);
    const struct weft_client_entry *entry = weft__client_table_get(&document->clients, client);
    uint64_t last = pending ? pending->seq : entry ? entry->seq : 0;
    if (request->seq <= last) {
        resubmitted(document, request, pending, entry);
        return false;
    }
    if (request->seq != last + 1) {
        refuse(document, request, WEFT_STATUS_FAILED_PRECONDITION, "weft.doc.seq_gap",
               "seq is not the next one of this client");
        return false;
    }
    if (request->version > document->committed_version) {
        refuse(document, request, WEFT_STATUS_OUT_OF_RANGE, "weft.doc.version_unknown",
               "no such version yet");
        return false;
    }
    return true;
}

/* Transforms the operation over everything after its version. */
static int catch_up(struct weft_document *document, struct weft_doc_request *request,
                    struct weft_ot_error *error)
{
    const struct weft_ot_type *type = document->type;
    enum weft_ot_side side = type->logged_first ? WEFT_OT_SIDE_RIGHT : WEFT_OT_SIDE_LEFT;
    uint64_t head = weft__history_head(&document->history);
    while (request->version < head) {
        struct weft_doc_op *other = weft__history_get(&document->history, request->version + 1);
        void *moved;
        int err = type->op_transform(document->hub->options.alloc, request->op, other->op, side,
                                     &moved, error);
        if (err)
            return err;
        type->op_free(request->op);
        request->op = moved;
        request->version++;
    }
    return 0;
}

/* Applies |op| to the head unless it becomes too large. |json_bytes| is the size of |op|. */
static int apply_bounded(struct weft_document *document, const void *op, size_t json_bytes,
                         struct weft_ot_error *error)
{
    const struct weft_ot_type *type = document->type;
    size_t max = document->hub->options.max_document;
    uint64_t growth = type->op_growth ? type->op_growth(op) : json_bytes;
    void *before;
    if (type->doc_bytes(document->head) + growth <= max)
        return type->doc_apply(document->head, op, error);
    int err = type->doc_snapshot(document->head, &before);
    if (err)
        return err;
    err = type->doc_apply(document->head, op, error);
    if (!err && type->doc_bytes(document->head) > max &&
        type->doc_bytes(document->head) > type->doc_bytes(before)) {
        type->doc_free(document->head);
        document->head = before;
        return weft__ot_fail(error, WEFT_ERR_TOO_BIG, WEFT_STATUS_OUT_OF_RANGE,
                             "the document would become too large");
    }
    type->doc_free(before);
    return err;
}

/* Makes the operation the newest one of the history. Takes request->op in any case. */
static int place(struct weft_document *document, struct weft_doc_request *request,
                 struct weft_ot_error *error)
{
    struct weft_hub *hub = document->hub;
    struct weft_json_writer w;
    void *op = request->op;
    request->op = NULL;
    weft__bytes_clear(&hub->scratch);
    weft__json_writer_init(&w, &hub->scratch);
    document->type->op_write(op, &w);
    struct weft_record_op record = {
        .client = weft__doc_request_client(request),
        .seq = request->seq,
        .principal = weft__doc_request_sub(request),
        .base = request->base_version,
        .hash = request->hash,
        .flags = request->flags,
        .op = weft__bytes_slice(&hub->scratch),
    };
    int err = weft__bytes_error(&hub->scratch);
    if (!err)
        err = weft__history_reserve(&document->history);
    if (!err && record.client.len)
        err = weft__client_table_reserve(&document->clients, record.client);
    struct weft_doc_op *made = err ? NULL : weft__doc_op_new(hub->options.alloc, &record, op);
    if (!made) {
        document->type->op_free(op);
        return err ? err : WEFT_ERR_NOMEM;
    }
    err = apply_bounded(document, op, record.op.len, error);
    if (err) {
        weft__doc_op_free(hub->options.alloc, document->type, made);
        return err;
    }
    made->version = weft__history_head(&document->history) + 1;
    made->author_worker = request->worker;
    made->author_id = request->subscription;
    weft__history_push(&document->history, made);
    weft__list_push(&made->waiters, &request->node);
    return 0;
}

static void append_next(struct weft_document *document);

/* Whether the batch that gathers behind the append in flight is full. */
static bool batch_is_full(const struct weft_document *document)
{
    size_t bytes = 0;
    uint64_t head = weft__history_head(&document->history);
    if (head - document->appended >= WEFT_DOC_BATCH_OPS)
        return true;
    for (uint64_t v = document->appended + 1; v <= head; v++)
        bytes += weft__history_get(&document->history, v)->json_len;
    return bytes >= WEFT_DOC_BATCH_BYTES;
}

/* Answers a submit whose operation could not be taken. */
static void refuse_op(struct weft_document *document, struct weft_doc_request *request, int err,
                      const struct weft_ot_error *error)
{
    if (err == WEFT_ERR_NOMEM)
        refuse_nomem(document, request);
    else
        refuse(document, request, error->status ? error->status : weft_status_from_err(err),
               err == WEFT_ERR_TOO_BIG ? "weft.doc.too_large" : "weft.doc.op_invalid",
               error->message ? error->message : weft_err_message(err));
}

void weft__document_place(struct weft_document *document, struct weft_doc_request *request)
{
    struct weft_ot_error error = {0};
    int err = place(document, request, &error);
    if (err)
        refuse_op(document, request, err, &error);
    else
        append_next(document);
}

bool weft__document_full(const struct weft_document *document)
{
    return document->append_busy && batch_is_full(document);
}

void weft__document_submit(struct weft_document *document, struct weft_doc_request *request)
{
    struct weft_ot_error error = {0};
    if (!admit(document, request))
        return;
    if (weft__document_full(document)) {
        weft__list_push(&document->blocked, &request->node);
        return;
    }
    if (document->committed_version - request->version > WEFT_DOC_BEHIND_MAX) {
        refuse(document, request, WEFT_STATUS_ABORTED, "weft.doc.too_far_behind",
               "too many operations came since that version: open the document again");
        return;
    }
    if (request->version < document->history.base) {
        weft__document_query(document, request);
        return;
    }
    int err = catch_up(document, request, &error);
    if (err)
        refuse_op(document, request, err, &error);
    else
        weft__document_place(document, request);
}

void weft__document_broadcast(struct weft_document *document, const struct weft_doc_op *op)
{
    unsigned worker = op->author_worker;
    uint64_t author = op->author_id;
    if (document->subscriber_count == 0 ||
        (document->subscriber_count == 1 &&
         weft__document_subscriber(document, worker, author) != NULL))
        return;
    struct weft_buf *frame = weft__notify_op(document, op);
    if (!frame) {
        /* Nobody may get a silent hole. */
        weft__document_close_all(document, "lagged", true);
        return;
    }
    weft__document_deliver(document, WEFT_DELIVERY_OP, frame, worker, author);
    weft__buf_unref(frame);
}

/* One operation has become durable. */
static void commit_op(struct weft_document *document, struct weft_doc_op *op)
{
    struct weft_list *node;
    struct weft_slice client = weft__doc_op_client(op);
    int err = client.len ? weft__client_table_put(&document->clients, client, op->seq, op->version,
                                                  op->hash, op->time_ms)
                         : 0;
    WEFT_ASSERT(err == 0); /* The entry was reserved when the operation was placed. */
    document->committed_version = op->version;
    document->snapshot_bytes += op->json_len;
    document->seal_bytes += op->json_len;
    document->hub->stats.commits++;
    weft__document_presence_transform(document, op);
    weft__document_broadcast(document, op);
    while ((node = weft__list_pop(&op->waiters)))
        acknowledge(document, WEFT_CONTAINER_OF(node, struct weft_doc_request, node), op->version);
}

static void appended(struct weft_store_request *request)
{
    struct weft_document *document = WEFT_CONTAINER_OF(request, struct weft_document, append);
    struct weft_list blocked;
    struct weft_list *node;
    document->append_busy = false;
    document->used_ns = weft__clock_monotonic_ns(document->hub->options.clock);
    if (request->result) {
        WEFT_LOG(document->hub->options.log, WEFT_LOG_ERROR, "doc.append_failed",
                 weft__log_slice("doc", weft__doc_key_name(&document->key)),
                 weft__log_str("error", weft_err_message(request->result)));
        weft__document_reload(document);
        return;
    }
    document->stored.token = request->u.append.ret_token;
    document->stored.version = document->appended;
    document->type->doc_free(document->committed);
    document->committed = document->appending;
    document->appending = NULL;
    while (document->committed_version < document->appended)
        commit_op(document, weft__history_get(&document->history, document->committed_version + 1));
    weft__history_trim(&document->history, document->committed_version, WEFT_DOC_RECENT_OPS,
                       WEFT_DOC_RECENT_BYTES);
    weft__document_snapshot(document, WEFT_DOC_SNAPSHOT_OPS);
    weft__document_seal(document);
    weft__list_init(&blocked);
    weft__list_splice(&blocked, &document->blocked);
    while ((node = weft__list_pop(&blocked)))
        weft__document_request(document, WEFT_CONTAINER_OF(node, struct weft_doc_request, node));
    append_next(document);
    weft__document_try_delete(document);
}

/* Writes everything that is not yet on its way to the store into one record. */
static int make_record(struct weft_document *document)
{
    uint64_t head = weft__history_head(&document->history);
    uint64_t now_ms = weft__clock_wall_ms(document->hub->options.clock);
    document->time_ms = WEFT_MAX(document->time_ms, now_ms);
    const struct weft_record_head record = {
        .epoch = weft__slice_str(document->stored.epoch),
        .first = document->committed_version,
        .time_ms = document->time_ms,
    };
    weft__bytes_clear(&document->record);
    weft__record_begin(&document->record, &record);
    for (uint64_t v = document->committed_version + 1; v <= head; v++) {
        struct weft_doc_op *op = weft__history_get(&document->history, v);
        op->time_ms = document->time_ms;
        const struct weft_record_op fields = weft__doc_op_record(op);
        weft__record_add(&document->record, &fields);
    }
    return weft__record_finish(&document->record);
}

static void append_next(struct weft_document *document)
{
    uint64_t head = weft__history_head(&document->history);
    if (document->append_busy || document->state != WEFT_DOC_STATE_READY ||
        head == document->committed_version)
        return;
    int err = make_record(document);
    if (!err)
        err = document->type->doc_snapshot(document->head, &document->appending);
    if (err) {
        weft__document_reload(document);
        return;
    }
    document->append = (struct weft_store_request){
        .kind = WEFT_STORE_APPEND,
        .exec = document->hub->options.exec,
        .done = appended,
        .key = weft__doc_key_store(&document->key),
        .u.append = {.token = document->stored.token,
                     .first = document->committed_version,
                     .count = head - document->committed_version,
                     .record = weft__bytes_slice(&document->record)},
    };
    document->appended = head;
    document->append_busy = true;
    weft__store_submit(document->hub->options.store, &document->append);
}

/* Sends what the log holds beyond what subscribers have seen. */
static void announce_found(struct weft_document *document)
{
    if (document->history.base > document->reload_from ||
        document->reload_from > document->committed_version) {
        weft__document_close_all(document, "moved", true);
        return;
    }
    for (uint64_t v = document->reload_from + 1; v <= document->committed_version; v++) {
        struct weft_doc_op *op = weft__history_get(&document->history, v);
        WEFT_LIST_EACH (node, &document->subscribers) {
            struct weft_doc_subscriber *subscriber =
                WEFT_CONTAINER_OF(node, struct weft_doc_subscriber, node);
            struct weft_slice client = weft__slice(subscriber->client, subscriber->client_len);
            if (subscriber->fenced || !weft__slice_eq(client, weft__doc_op_client(op)))
                continue;
            op->author_worker = subscriber->worker;
            op->author_id = subscriber->id;
        }
        weft__document_presence_transform(document, op);
        weft__document_broadcast(document, op);
    }
}

/* The version of an unsettled operation that the log holds; 0: it does not. Those of the server's
 * own have no number; they are known by what they do. */
static uint64_t find_settled(const struct weft_document *document,
                             const struct weft_doc_request *request)
{
    struct weft_slice client = weft__doc_request_client(request);
    if (client.len) {
        const struct weft_client_entry *entry = weft__client_table_get(&document->clients, client);
        bool found = entry && entry->seq == request->seq && entry->hash == request->hash;
        return found ? entry->version : 0;
    }
    for (uint64_t v = document->committed_version; v > document->history.base; v--) {
        const struct weft_doc_op *op = weft__history_get(&document->history, v);
        if (op->client_len == 0 && op->base_version == request->base_version &&
            op->hash == request->hash)
            return v;
    }
    return 0;
}

void weft__document_settle(struct weft_document *document)
{
    struct weft_list *node;
    bool ready = document->state == WEFT_DOC_STATE_READY;
    if (ready) {
        announce_found(document);
        weft__document_presence_flush(document);
    }
    while ((node = weft__list_pop(&document->unsettled))) {
        struct weft_doc_request *request = WEFT_CONTAINER_OF(node, struct weft_doc_request, node);
        uint64_t version = ready ? find_settled(document, request) : 0;
        if (version) {
            acknowledge(document, request, version);
        } else {
            request->executed_unknown = !ready;
            refuse(document, request, WEFT_STATUS_UNAVAILABLE, "weft.doc.not_committed",
                   "the store did not take the operation");
        }
    }
}
