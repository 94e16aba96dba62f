/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sealing: old records of a document's log are packed into segments (segment.h), which take their
 * place in the store.
 *
 *   READ the oldest records ─► pack ─► deflate a column a turn ─► unpack, compare ─► SEAL
 *
 * Only what is durable is sealed, so nothing waits for it and whatever goes wrong changes nothing:
 * a crash finds either the records or the segment, which say the same. The records are thrown away
 * only after the segment was read back and compared with them. Between two steps the worker does
 * its other work.
 */
#include "hub/document.h"

#include "base/assert.h"
#include "hub/internal.h"
#include "hub/log_reader.h"

struct weft_doc_seal {
    struct weft_document *document;
    struct weft_store_request request;
    struct weft_task task;
    struct weft_list records; /* struct weft_store_record: what is being packed */
    struct weft_segment_writer writer;
    struct weft_bytes segment;
    char epoch[WEFT_STORE_EPOCH_SIZE + 1];
    uint64_t from;
    uint64_t to;
};

static void seal_end(struct weft_doc_seal *seal)
{
    struct weft_document *document = seal->document;
    const struct weft_alloc *alloc = document->hub->options.alloc;
    struct weft_list *node;
    while ((node = weft__list_pop(&seal->records)))
        weft__store_record_free(alloc, WEFT_CONTAINER_OF(node, struct weft_store_record, node));
    weft__segment_done(&seal->writer);
    weft__bytes_done(&seal->segment);
    document->seal = NULL;
    weft__mem_free(alloc, seal, sizeof(*seal));
    weft__document_try_delete(document);
}

/* The log is whole as it is: tried again after as many operations. */
static void seal_failed(struct weft_doc_seal *seal, int err)
{
    struct weft_document *document = seal->document;
    WEFT_LOG(document->hub->options.log, WEFT_LOG_WARN, "doc.seal_failed",
             weft__log_slice("doc", weft__doc_key_name(&document->key)),
             weft__log_str("error", weft_err_message(err)));
    document->seal_after = document->committed_version;
    document->seal_bytes = 0;
    seal_end(seal);
}

static void sealed(struct weft_store_request *request)
{
    struct weft_doc_seal *seal = WEFT_CONTAINER_OF(request, struct weft_doc_seal, request);
    struct weft_document *document = seal->document;
    if (request->result) {
        seal_failed(seal, request->result);
        return;
    }
    document->sealed = document->seal_after = seal->to;
    seal_end(seal);
    weft__document_seal(document);
}

/* ---- Packing ---- */

static bool same_op(const struct weft_record_op *a, const struct weft_record_op *b)
{
    return weft__slice_eq(a->client, b->client) && weft__slice_eq(a->principal, b->principal) &&
           weft__slice_eq(a->op, b->op) && a->seq == b->seq && a->base == b->base &&
           a->flags == b->flags && (a->hash == b->hash || b->hash == 0);
}

/* What is done with each operation of the records; with |read| NULL it is packed, otherwise it is
 * compared. */
static int each_op(struct weft_doc_seal *seal, struct weft_segment_reader *read,
                   const struct weft_record_op *op, uint64_t time_ms)
{
    struct weft_record_op other;
    uint64_t other_ms;
    if (!read) {
        weft__segment_add(&seal->writer, op, time_ms);
        return 0;
    }
    int err = weft__segment_next(read, &other, &other_ms);
    if (err < 0)
        return err;
    return err == 1 && same_op(op, &other) && time_ms == other_ms ? 0 : WEFT_ERR_INTERNAL;
}

static int each_of_record(struct weft_doc_seal *seal, struct weft_segment_reader *read,
                          const struct weft_store_record *record)
{
    const struct weft_alloc *alloc = seal->document->hub->options.alloc;
    struct weft_log_reader reader;
    struct weft_record_op op;
    uint64_t time_ms;
    int err = weft__log_open(&reader, alloc, record, seal->epoch);
    if (err)
        return err;
    while (!err && (err = weft__log_next(&reader, &op, &time_ms)) > 0)
        err = each_op(seal, read, &op, time_ms);
    if (!err && weft__log_unknown(&reader))
        err = WEFT_ERR_UNSUPPORTED; /* A newer weft wrote it, and may seal it one day. */
    weft__log_close(&reader);
    return err;
}

static int each_record(struct weft_doc_seal *seal, struct weft_segment_reader *read)
{
    int err = 0;
    WEFT_LIST_EACH (node, &seal->records) {
        err = each_of_record(seal, read, WEFT_CONTAINER_OF(node, struct weft_store_record, node));
        if (err)
            break;
    }
    return err;
}

/* Whether the segment says what the records say. */
static int compare(struct weft_doc_seal *seal)
{
    struct weft_segment_reader reader;
    struct weft_record_head head;
    struct weft_record_op op;
    uint64_t time_ms;
    int err = weft__segment_open(&reader, seal->document->hub->options.alloc,
                                 weft__bytes_slice(&seal->segment), &head);
    if (err)
        return err;
    err = each_record(seal, &reader);
    if (!err)
        err = weft__segment_next(&reader, &op, &time_ms);
    weft__segment_close(&reader);
    return err > 0 ? WEFT_ERR_INTERNAL : err;
}

static void submit(struct weft_doc_seal *seal)
{
    struct weft_document *document = seal->document;
    seal->request = (struct weft_store_request){
        .kind = WEFT_STORE_SEAL,
        .exec = document->hub->options.exec,
        .done = sealed,
        .key = weft__doc_key_store(&document->key),
        .u.seal = {.epoch = seal->epoch,
                   .from = seal->from,
                   .to = seal->to,
                   .segment = weft__bytes_slice(&seal->segment)},
    };
    weft__store_submit(document->hub->options.store, &seal->request);
}

static void check(struct weft_task *task)
{
    struct weft_doc_seal *seal = WEFT_CONTAINER_OF(task, struct weft_doc_seal, task);
    int err = compare(seal);
    if (err)
        seal_failed(seal, err);
    else
        submit(seal);
}

static void go_on(struct weft_doc_seal *seal, weft_task_fn *fn)
{
    weft__task_init(&seal->task, fn);
    weft__exec_post(seal->document->hub->options.exec, &seal->task);
}

static void deflate_column(struct weft_task *task)
{
    struct weft_doc_seal *seal = WEFT_CONTAINER_OF(task, struct weft_doc_seal, task);
    int err = weft__segment_finish_step(&seal->writer, &seal->segment);
    if (err < 0)
        seal_failed(seal, err);
    else
        go_on(seal, err ? deflate_column : check);
}

/* ---- Reading ---- */

static void seal_read(struct weft_doc_seal *seal);

/* Leaves the records in front of the first segment. True when that is what the range begins with:
 * it was sealed before. */
static bool skip_sealed(struct weft_doc_seal *seal)
{
    const struct weft_alloc *alloc = seal->document->hub->options.alloc;
    struct weft_list all;
    struct weft_list *node;
    bool over = false;
    bool skipped = false;
    weft__list_init(&all);
    weft__list_splice(&all, &seal->records);
    seal->to = seal->from;
    while ((node = weft__list_pop(&all))) {
        struct weft_store_record *record = WEFT_CONTAINER_OF(node, struct weft_store_record, node);
        bool segment = weft__segment_is(weft__buf_slice(record->content));
        if (segment && weft__list_empty(&seal->records) && !over) {
            seal->document->sealed = record->first + record->count;
            skipped = true;
        }
        over = over || segment;
        if (over) {
            weft__store_record_free(alloc, record);
            continue;
        }
        if (weft__list_empty(&seal->records))
            seal->from = record->first;
        seal->to = record->first + record->count;
        weft__list_push(&seal->records, node);
    }
    return skipped;
}

static void records_read(struct weft_store_request *request)
{
    struct weft_doc_seal *seal = WEFT_CONTAINER_OF(request, struct weft_doc_seal, request);
    struct weft_document *document = seal->document;
    if (request->result) {
        seal_failed(seal, request->result);
        return;
    }
    weft__list_splice(&seal->records, &request->u.read.ret_records);
    if (skip_sealed(seal)) {
        if (document->committed_version - document->sealed >= document->hub->options.seal_ops) {
            seal_read(seal);
        } else {
            document->seal_after = document->sealed;
            seal_end(seal);
        }
        return;
    }
    if (weft__list_empty(&seal->records)) {
        seal_failed(seal, WEFT_ERR_CORRUPT);
        return;
    }
    weft__segment_begin(&seal->writer, document->hub->options.alloc, weft__slice_str(seal->epoch),
                        seal->from);
    int err = each_record(seal, NULL);
    if (err)
        seal_failed(seal, err);
    else
        go_on(seal, deflate_column);
}

static void seal_read(struct weft_doc_seal *seal)
{
    struct weft_document *document = seal->document;
    seal->from = document->sealed;
    seal->request = (struct weft_store_request){
        .kind = WEFT_STORE_READ,
        .exec = document->hub->options.exec,
        .done = records_read,
        .key = weft__doc_key_store(&document->key),
        .u.read = {.from = document->sealed,
                   .to = document->committed_version,
                   .max_bytes = WEFT_DOC_SEAL_BYTES,
                   .max_count = document->hub->options.seal_ops},
    };
    weft__store_submit(document->hub->options.store, &seal->request);
}

void weft__document_seal(struct weft_document *document)
{
    const struct weft_hub_options *options = &document->hub->options;
    uint64_t since = document->committed_version - document->seal_after;
    if (document->seal || document->state != WEFT_DOC_STATE_READY || since == 0 ||
        !weft__list_empty(&document->deleting) ||
        (since < options->seal_ops && document->seal_bytes < WEFT_DOC_SEAL_BYTES))
        return;
    struct weft_doc_seal *seal = weft__mem_zalloc(options->alloc, sizeof(*seal));
    if (!seal)
        return; /* The next operation tries again. */
    seal->document = document;
    memcpy(seal->epoch, document->stored.epoch, sizeof(seal->epoch));
    weft__list_init(&seal->records);
    weft__bytes_init(&seal->segment, options->alloc, SIZE_MAX);
    document->seal = seal;
    document->seal_bytes = 0;
    seal_read(seal);
}
