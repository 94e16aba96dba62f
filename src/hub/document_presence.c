/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Presence of a document's subscribers. A state arrives expressed at some version, is moved to the
 * committed one, and goes out at the end of the tick: however often it changed meanwhile, once.
 */
#include "hub/document.h"

#include "hub/answers.h"
#include "hub/internal.h"

static void mark_dirty(struct weft_document *document, struct weft_doc_subscriber *subscriber)
{
    subscriber->presence_dirty = true;
    if (weft__list_empty(&document->dirty_node))
        weft__list_push(&document->hub->dirty, &document->dirty_node);
}

/* Moves a state made at |version| to the committed version. False when that is too far back. */
static bool bring_up(struct weft_document *document, struct weft_presence *presence,
                     uint64_t version, struct weft_slice client)
{
    if (version > document->committed_version || version < document->history.base)
        return false;
    for (uint64_t v = version + 1; v <= document->committed_version; v++) {
        const struct weft_doc_op *op = weft__history_get(&document->history, v);
        bool own = weft__slice_eq(client, weft__doc_op_client(op));
        weft__presence_transform(presence, document->type, op->op, own);
    }
    return true;
}

void weft__document_presence(struct weft_document *document, struct weft_doc_request *request)
{
    struct weft_doc_subscriber *subscriber =
        weft__document_subscriber(document, request->worker, request->subscription);
    document->hub->stats.presence++;
    if (!subscriber) {
        weft__doc_request_fail(request, WEFT_STATUS_FAILED_PRECONDITION, "weft.doc.closed",
                               "the document is not open here");
    } else if (strcmp(request->epoch, document->stored.epoch) != 0) {
        weft__doc_request_fail(request, WEFT_STATUS_ABORTED, "weft.doc.epoch_changed",
                               "the document was made anew");
    } else if (!request->has_presence) {
        if (subscriber->has_presence)
            weft__document_presence_left(document, subscriber);
        subscriber->has_presence = subscriber->presence_dirty = false;
    } else if (bring_up(document, &request->presence, request->version,
                        weft__doc_request_client(request))) {
        subscriber->presence = request->presence;
        subscriber->has_presence = true;
        mark_dirty(document, subscriber);
    } else {
        weft__doc_request_fail(request, WEFT_STATUS_OUT_OF_RANGE, "weft.doc.version_unknown",
                               "no such version at hand");
    }
    if (!request->status)
        weft__bytes_append_str(&request->result, "{}");
    weft__document_answer(document, request);
}

void weft__document_presence_transform(struct weft_document *document, const struct weft_doc_op *op)
{
    WEFT_LIST_EACH (node, &document->subscribers) {
        struct weft_doc_subscriber *subscriber =
            WEFT_CONTAINER_OF(node, struct weft_doc_subscriber, node);
        if (!subscriber->has_presence)
            continue;
        bool own = weft__slice_eq(weft__slice(subscriber->client, subscriber->client_len),
                                  weft__doc_op_client(op));
        weft__presence_transform(&subscriber->presence, document->type, op->op, own);
    }
}

static void send_one(struct weft_document *document, struct weft_doc_subscriber *subscriber)
{
    subscriber->presence_dirty = false;
    struct weft_buf *frame = weft__notify_presence(document, subscriber, true);
    if (!frame)
        return; /* Presence may be lost; the next change tells it again. */
    weft__document_deliver(document, WEFT_DELIVERY_PRESENCE, frame, subscriber->worker,
                           subscriber->id);
    weft__buf_unref(frame);
}

void weft__document_presence_flush(struct weft_document *document)
{
    if (document->state != WEFT_DOC_STATE_READY)
        return; /* Once it has been read again: weft__document_settle. */
    WEFT_LIST_EACH (node, &document->subscribers) {
        struct weft_doc_subscriber *subscriber =
            WEFT_CONTAINER_OF(node, struct weft_doc_subscriber, node);
        if (subscriber->presence_dirty)
            send_one(document, subscriber);
    }
}

/* What tells a newcomer of |subscriber|. NULL when out of memory. */
static struct weft_delivery *greeting(struct weft_document *document,
                                      const struct weft_doc_subscriber *subscriber)
{
    const struct weft_alloc *alloc = document->hub->options.alloc;
    struct weft_delivery *delivery = NULL;
    struct weft_buf *frame = weft__notify_presence(document, subscriber, true);
    struct weft_ws_message *content = frame ? weft__ws_message_of_frame(alloc, frame) : NULL;
    if (content)
        delivery = weft__delivery_new(alloc, WEFT_DELIVERY_PRESENCE, &document->key, content);
    weft__ws_message_unref(content);
    weft__buf_unref(frame);
    return delivery;
}

void weft__document_presence_greet(struct weft_document *document, unsigned worker, uint64_t id)
{
    WEFT_LIST_EACH (node, &document->subscribers) {
        struct weft_doc_subscriber *subscriber =
            WEFT_CONTAINER_OF(node, struct weft_doc_subscriber, node);
        if (!subscriber->has_presence)
            continue;
        struct weft_delivery *delivery = greeting(document, subscriber);
        if (!delivery)
            return;
        delivery->only = id;
        weft__relay_deliver(document->hub->options.port, worker, delivery);
    }
}

void weft__document_presence_left(struct weft_document *document,
                                  const struct weft_doc_subscriber *subscriber)
{
    struct weft_buf *frame = weft__notify_presence(document, subscriber, false);
    if (!frame)
        return;
    weft__document_deliver(document, WEFT_DELIVERY_LEFT, frame, subscriber->worker, subscriber->id);
    weft__buf_unref(frame);
}
