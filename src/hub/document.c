/* SPDX-License-Identifier: Apache-2.0 */
/* Life of a document and where its requests go. */
#include "hub/document.h"

#include "base/assert.h"
#include "hub/internal.h"

int weft__document_new(struct weft_hub *hub, const struct weft_doc_key *key,
                       struct weft_document **ret_document)
{
    const struct weft_alloc *alloc = hub->options.alloc;
    unsigned workers = weft__mesh_workers(hub->options.port);
    struct weft_document *document = weft__mem_zalloc(alloc, sizeof(*document));
    if (!document)
        return WEFT_ERR_NOMEM;
    document->worker_counts = weft__mem_zalloc(alloc, workers * sizeof(unsigned));
    if (!document->worker_counts) {
        weft__mem_free(alloc, document, sizeof(*document));
        return WEFT_ERR_NOMEM;
    }
    document->hub = hub;
    document->key = *key;
    weft__list_init(&document->dirty_node);
    weft__list_init(&document->waiting);
    weft__list_init(&document->blocked);
    weft__list_init(&document->unsettled);
    weft__list_init(&document->deleting);
    weft__list_init(&document->subscribers);
    weft__list_init(&document->jobs);
    weft__history_init(&document->history, alloc);
    weft__client_table_init(&document->clients, alloc, hub->options.hash_key);
    weft__bytes_init(&document->record, alloc, SIZE_MAX);
    weft__bytes_init(&document->snapshot_value, alloc, SIZE_MAX);
    *ret_document = document;
    return 0;
}

static void free_subscribers(struct weft_document *document)
{
    struct weft_list *node;
    while ((node = weft__list_pop(&document->subscribers)))
        weft__mem_free(document->hub->options.alloc,
                       WEFT_CONTAINER_OF(node, struct weft_doc_subscriber, node),
                       sizeof(struct weft_doc_subscriber));
}

void weft__document_free(struct weft_document *document)
{
    const struct weft_alloc *alloc = document->hub->options.alloc;
    WEFT_ASSERT(!weft__document_busy(document));
    WEFT_ASSERT(weft__list_empty(&document->waiting) && weft__list_empty(&document->blocked) &&
                weft__list_empty(&document->unsettled) && weft__list_empty(&document->deleting));
    free_subscribers(document);
    weft__list_remove(&document->dirty_node);
    if (document->type) {
        document->type->doc_free(document->head);
        document->type->doc_free(document->committed);
    }
    weft__history_done(&document->history);
    weft__client_table_done(&document->clients);
    weft__bytes_done(&document->record);
    weft__bytes_done(&document->snapshot_value);
    weft__mem_free(alloc, document->worker_counts,
                   weft__mesh_workers(document->hub->options.port) * sizeof(unsigned));
    weft__mem_free(alloc, document, sizeof(*document));
}

bool weft__document_loading(const struct weft_document *document)
{
    return document->state == WEFT_DOC_STATE_OPENING ||
           document->state == WEFT_DOC_STATE_SNAPSHOT || document->state == WEFT_DOC_STATE_TAIL ||
           document->state == WEFT_DOC_STATE_DELETING;
}

bool weft__document_busy(const struct weft_document *document)
{
    return weft__document_loading(document) || document->append_busy || document->snapshot_busy ||
           document->seal || !weft__list_empty(&document->jobs);
}

bool weft__document_idle(const struct weft_document *document)
{
    return !weft__document_busy(document) && document->subscriber_count == 0 &&
           weft__list_empty(&document->waiting) && weft__list_empty(&document->blocked) &&
           weft__list_empty(&document->unsettled) && weft__list_empty(&document->deleting);
}

void weft__document_answer(struct weft_document *document, struct weft_doc_request *request)
{
    if (request->kind == WEFT_DOC_SUBMIT && request->status)
        document->hub->stats.refused++;
    weft__hub_answer(document->hub, request);
}

static void dispatch(struct weft_document *document, struct weft_doc_request *request)
{
    switch (request->kind) {
    case WEFT_DOC_OPEN:
        weft__document_open(document, request);
        break;
    case WEFT_DOC_SUBMIT:
        weft__document_submit(document, request);
        break;
    case WEFT_DOC_FETCH:
        weft__document_fetch(document, request);
        break;
    case WEFT_DOC_HISTORY:
    case WEFT_DOC_DIFF:
    case WEFT_DOC_RESTORE:
        weft__document_query(document, request);
        break;
    case WEFT_DOC_PRESENCE:
        weft__document_presence(document, request);
        break;
    case WEFT_DOC_DELETE:
        weft__document_delete(document, request);
        break;
    case WEFT_DOC_CLOSE:
        weft__document_unsubscribe(document, request->worker, request->subscription);
        weft__document_answer(document, request);
        break;
    }
}

/* Whether requests are served now; nothing is begun once the document is to be deleted. */
static bool serves(const struct weft_document *document)
{
    return document->state == WEFT_DOC_STATE_READY && weft__list_empty(&document->deleting);
}

void weft__document_request(struct weft_document *document, struct weft_doc_request *request)
{
    document->used_ns = weft__clock_monotonic_ns(document->hub->options.clock);
    if (serves(document) || request->kind == WEFT_DOC_CLOSE) {
        dispatch(document, request);
        return;
    }
    weft__list_push(&document->waiting, &request->node);
    if (!weft__document_loading(document) && document->state != WEFT_DOC_STATE_READY)
        weft__document_load(document, NULL);
}

/* What a request hears when its document could not be loaded. */
static void refuse_unloaded(struct weft_document *document, struct weft_doc_request *request,
                            enum weft_doc_state state)
{
    if (state == WEFT_DOC_STATE_ABSENT)
        weft__doc_request_fail(request, WEFT_STATUS_NOT_FOUND, "weft.doc.not_found",
                               "no such document");
    else if (document->load.result == WEFT_ERR_CORRUPT)
        weft__doc_request_fail(request, WEFT_STATUS_DATA_LOSS, "weft.doc.corrupt",
                               "the stored document is damaged");
    else
        weft__doc_request_fail(request, WEFT_STATUS_UNAVAILABLE, "weft.store",
                               "the store cannot give the document now");
    weft__document_answer(document, request);
}

/* Goes on with the requests that waited for the document. One that creates it makes it load again;
 * those behind it wait for that. */
void weft__document_loaded(struct weft_document *document, enum weft_doc_state state)
{
    struct weft_list waiting;
    struct weft_list *node;
    document->state = state;
    weft__list_init(&waiting);
    weft__list_splice(&waiting, &document->waiting);
    if (state == WEFT_DOC_STATE_READY)
        weft__document_try_delete(document);
    else
        weft__document_refuse_deletes(document);
    while ((node = weft__list_pop(&waiting))) {
        struct weft_doc_request *request = WEFT_CONTAINER_OF(node, struct weft_doc_request, node);
        bool creates = request->kind == WEFT_DOC_OPEN && request->create;
        if (serves(document)) {
            dispatch(document, request);
        } else if (weft__document_loading(document) || document->state == WEFT_DOC_STATE_READY) {
            weft__list_push(&document->waiting, node);
        } else if (document->state == WEFT_DOC_STATE_ABSENT && creates) {
            weft__list_push(&document->waiting, node);
            weft__document_load(document, request->type[0] ? request->type : "text");
        } else {
            refuse_unloaded(document, request, document->state);
        }
    }
}
