/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deleting a document for good. The store's requests of one document may be carried out in any
 * order, so what is on its way there, an append, a snapshot or a segment, ends first: it must not
 * come to a document that is made anew under the same name. Requests that come meanwhile wait, and
 * find the document gone.
 */
#include "hub/document.h"

#include "base/assert.h"
#include "hub/answers.h"
#include "hub/internal.h"

/* Answers all who asked, with |status| unless it is 0. */
static void answer_all(struct weft_document *document, int status, const char *reason,
                       const char *text)
{
    struct weft_list *node;
    while ((node = weft__list_pop(&document->deleting))) {
        struct weft_doc_request *request = WEFT_CONTAINER_OF(node, struct weft_doc_request, node);
        struct weft_json_writer w;
        if (status) {
            weft__doc_request_fail(request, status, reason, text);
            request->executed_unknown = true;
        } else {
            weft__answer_begin(&w, document, &request->result);
            weft__json_end_object(&w);
        }
        weft__document_answer(document, request);
    }
}

static void purged(struct weft_store_request *request)
{
    struct weft_document *document = WEFT_CONTAINER_OF(request, struct weft_document, load);
    int err = request->result == WEFT_ERR_NOT_FOUND ? 0 : request->result;
    if (err) {
        WEFT_LOG(document->hub->options.log, WEFT_LOG_ERROR, "doc.delete_failed",
                 weft__log_slice("doc", weft__doc_key_name(&document->key)),
                 weft__log_str("error", weft_err_message(err)));
        answer_all(document, WEFT_STATUS_UNAVAILABLE, "weft.store",
                   "the store did not delete the document");
        document->state = WEFT_DOC_STATE_READY;
        weft__document_reload(document); /* what is true is read again */
        return;
    }
    document->hub->stats.deletes++;
    weft__document_close_all(document, "deleted", false);
    answer_all(document, 0, NULL, NULL);
    weft__document_forget(document);
    weft__document_loaded(document, WEFT_DOC_STATE_ABSENT);
}

void weft__document_try_delete(struct weft_document *document)
{
    if (weft__list_empty(&document->deleting) || document->state != WEFT_DOC_STATE_READY ||
        document->append_busy || document->snapshot_busy || document->seal ||
        !weft__list_empty(&document->jobs) ||
        weft__history_head(&document->history) != document->committed_version)
        return;
    document->state = WEFT_DOC_STATE_DELETING;
    document->load.kind = WEFT_STORE_PURGE;
    document->load.exec = document->hub->options.exec;
    document->load.done = purged;
    document->load.key = weft__doc_key_store(&document->key);
    weft__store_submit(document->hub->options.store, &document->load);
}

void weft__document_refuse_deletes(struct weft_document *document)
{
    answer_all(document, WEFT_STATUS_UNAVAILABLE, "weft.store",
               "the store cannot give the document now");
}

void weft__document_delete(struct weft_document *document, struct weft_doc_request *request)
{
    if (request->has_epoch && strcmp(request->epoch, document->stored.epoch) != 0) {
        weft__doc_request_fail(request, WEFT_STATUS_ABORTED, "weft.doc.epoch_changed",
                               "the document was made anew");
        weft__document_answer(document, request);
        return;
    }
    weft__list_push(&document->deleting, &request->node);
    weft__document_try_delete(document);
}
