/* SPDX-License-Identifier: Apache-2.0 */
/* Who has a document open: opening, closing, and sending to all of them. */
#include "hub/document.h"

#include "base/assert.h"
#include "hub/answers.h"
#include "hub/catch_up.h"
#include "hub/internal.h"

struct weft_doc_subscriber *weft__document_subscriber(const struct weft_document *document,
                                                      unsigned worker, uint64_t id)
{
    WEFT_LIST_EACH (node, &document->subscribers) {
        struct weft_doc_subscriber *subscriber =
            WEFT_CONTAINER_OF(node, struct weft_doc_subscriber, node);
        if (subscriber->id == id && subscriber->worker == worker)
            return subscriber;
    }
    return NULL;
}

/* Earlier connections of the same client may read on, but no longer submit. Ids tell which is the
 * earlier one: opens of different workers may arrive in any order. Returns whether the one with
 * |id| is itself an earlier one. */
static bool fence(struct weft_document *document, struct weft_slice client, uint64_t id)
{
    bool fenced = false;
    WEFT_LIST_EACH (node, &document->subscribers) {
        struct weft_doc_subscriber *subscriber =
            WEFT_CONTAINER_OF(node, struct weft_doc_subscriber, node);
        if (!client.len ||
            !weft__slice_eq(client, weft__slice(subscriber->client, subscriber->client_len)))
            continue;
        subscriber->fenced = subscriber->fenced || subscriber->id < id;
        fenced = fenced || subscriber->id > id;
    }
    return fenced;
}

/* Writes the operations after the version asked for, all at hand. False when they are too many, or
 * memory is short; what was written is of no use then. */
static bool write_ops(struct weft_document *document, const struct weft_doc_request *request,
                      struct weft_json_writer *w)
{
    struct weft_catch_up catch_up;
    int err = 0;
    weft__catch_up_begin(&catch_up, document, request, w);
    for (uint64_t v = request->version + 1; v <= document->committed_version && !err; v++) {
        struct weft_doc_op *op = weft__history_get(&document->history, v);
        struct weft_record_op record = weft__doc_op_record(op);
        err = weft__catch_up_add(&catch_up, document, &record, op->op, v, op->time_ms);
    }
    if (!err)
        err = weft__catch_up_end(&catch_up);
    weft__catch_up_done(&catch_up);
    return !err && !catch_up.full;
}

/* Answers an open at the committed version: with operations where |ops| allows, else with a
 * snapshot. */
static void answer_open(struct weft_document *document, struct weft_doc_request *request, bool ops)
{
    struct weft_json_writer w;
    weft__answer_begin(&w, document, &request->result);
    weft__answer_state(&w, document, weft__doc_request_client(request));
    if (ops && !write_ops(document, request, &w)) {
        weft__bytes_clear(&request->result);
        answer_open(document, request, false);
        return;
    }
    if (!ops) {
        weft__json_key(&w, "snapshot");
        document->type->doc_write(document->committed, &w);
    }
    weft__json_end_object(&w);
    weft__document_subscribe(document, request);
}

void weft__document_open(struct weft_document *document, struct weft_doc_request *request)
{
    struct weft_slice client = weft__doc_request_client(request);
    if (request->type[0] && strcmp(request->type, document->stored.type) != 0) {
        weft__doc_request_fail(request, WEFT_STATUS_FAILED_PRECONDITION, "weft.doc.type",
                               "the document is of another type");
        weft__document_answer(document, request);
        return;
    }
    if (request->has_epoch && strcmp(request->epoch, document->stored.epoch) != 0) {
        weft__doc_request_fail(request, WEFT_STATUS_ABORTED, "weft.doc.epoch_changed",
                               "the document was made anew");
        weft__document_answer(document, request);
        return;
    }
    (void)fence(document, client, request->subscription);
    if (weft__document_pending(document, client)) {
        weft__list_push(&document->blocked, &request->node);
        return;
    }
    uint64_t committed = document->committed_version;
    bool near = request->has_version && request->version <= committed &&
                committed - request->version <= WEFT_DOC_OPEN_BEHIND_MAX;
    if (near && request->version < document->history.base)
        weft__document_query(document, request);
    else
        answer_open(document, request, near);
}

static struct weft_doc_subscriber *add_subscriber(struct weft_document *document,
                                                  const struct weft_doc_request *request)
{
    struct weft_doc_subscriber *subscriber =
        weft__mem_zalloc(document->hub->options.alloc, sizeof(*subscriber));
    if (!subscriber)
        return NULL;
    subscriber->worker = request->worker;
    subscriber->id = request->subscription;
    subscriber->client_len = request->client_len;
    memcpy(subscriber->client, request->client, request->client_len);
    subscriber->sub_len = request->sub_len;
    memcpy(subscriber->sub, request->sub, request->sub_len);
    subscriber->fenced = fence(document, weft__doc_request_client(request), subscriber->id);
    weft__list_push(&document->subscribers, &subscriber->node);
    document->subscriber_count++;
    document->worker_counts[request->worker]++;
    return subscriber;
}

void weft__document_subscribe(struct weft_document *document, struct weft_doc_request *request)
{
    if (weft__bytes_error(&request->result) ||
        (request->subscription && !add_subscriber(document, request)))
        weft__doc_request_fail(request, WEFT_STATUS_RESOURCE_EXHAUSTED, "weft.memory",
                               "out of memory");
    else if (!request->subscription)
        weft__doc_request_fail(request, WEFT_STATUS_CANCELED, NULL, "closed meanwhile");
    else
        document->hub->stats.opens++;
    unsigned worker = request->worker;
    uint64_t id = request->status ? 0 : request->subscription;
    request->version = document->committed_version;
    memcpy(request->type, document->stored.type, sizeof(request->type));
    weft__document_answer(document, request);
    if (id)
        weft__document_presence_greet(document, worker, id);
}

/* An open that still waits must not subscribe a connection that is gone. */
static void forget_open(struct weft_list *list, unsigned worker, uint64_t id)
{
    WEFT_LIST_EACH (node, list) {
        struct weft_doc_request *request = WEFT_CONTAINER_OF(node, struct weft_doc_request, node);
        if (request->kind == WEFT_DOC_OPEN && request->worker == worker &&
            request->subscription == id)
            request->subscription = 0;
    }
}

static void remove_subscriber(struct weft_document *document,
                              struct weft_doc_subscriber *subscriber)
{
    WEFT_ASSERT(document->worker_counts[subscriber->worker] > 0);
    weft__list_remove(&subscriber->node);
    document->subscriber_count--;
    document->worker_counts[subscriber->worker]--;
}

void weft__document_unsubscribe(struct weft_document *document, unsigned worker, uint64_t id)
{
    struct weft_doc_subscriber *subscriber = weft__document_subscriber(document, worker, id);
    forget_open(&document->waiting, worker, id);
    forget_open(&document->blocked, worker, id);
    weft__document_query_forget(document, worker, id);
    if (!subscriber)
        return;
    remove_subscriber(document, subscriber);
    if (subscriber->has_presence)
        weft__document_presence_left(document, subscriber);
    weft__mem_free(document->hub->options.alloc, subscriber, sizeof(*subscriber));
}

void weft__document_deliver(struct weft_document *document, enum weft_delivery_kind kind,
                            struct weft_buf *frame, unsigned worker, uint64_t except)
{
    struct weft_mesh_port *port = document->hub->options.port;
    const struct weft_alloc *alloc = document->hub->options.alloc;
    if (!document->subscriber_count)
        return;
    struct weft_ws_message *content = weft__ws_message_of_frame(alloc, frame);
    /* Without memory for these few bytes the process ends: who is connected comes back and gets
     * everything that was acknowledged. A hole that nobody notices would be worse. */
    bool may_be_lost = kind == WEFT_DELIVERY_PRESENCE || kind == WEFT_DELIVERY_LEFT;
    WEFT_ASSERT(content || may_be_lost);
    for (unsigned to = 0; content && to < weft__mesh_workers(port); to++) {
        if (!document->worker_counts[to])
            continue;
        struct weft_delivery *delivery = weft__delivery_new(alloc, kind, &document->key, content);
        WEFT_ASSERT(delivery || may_be_lost);
        if (!delivery)
            break;
        delivery->except = to == worker ? except : 0;
        weft__relay_deliver(port, to, delivery);
    }
    weft__ws_message_unref(content);
}

void weft__document_close_all(struct weft_document *document, const char *reason, bool reopen)
{
    if (!document->subscriber_count)
        return;
    struct weft_buf *frame = weft__notify_closed(document->hub, &document->key, reason, reopen);
    WEFT_ASSERT(frame); /* As in weft__document_deliver. */
    weft__document_deliver(document, WEFT_DELIVERY_CLOSED, frame, 0, 0);
    weft__buf_unref(frame);
    while (!weft__list_empty(&document->subscribers)) {
        struct weft_doc_subscriber *subscriber =
            WEFT_CONTAINER_OF(document->subscribers.next, struct weft_doc_subscriber, node);
        remove_subscriber(document, subscriber);
        weft__mem_free(document->hub->options.alloc, subscriber, sizeof(*subscriber));
    }
}
