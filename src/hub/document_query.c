/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks over the stored log, a page at a time, for one request each:
 *
 *   OPEN     operations from the client's version to where the history begins, then the history's
 *   SUBMIT   the operation is transformed over them, then submitted as if it were newer
 *   FETCH    they are applied from the beginning up to the version asked for
 *   DIFF     the same; the content at two versions is compared
 *   RESTORE  the same; what leads there from the head becomes an operation
 *   HISTORY  they are listed
 */
#include "hub/document.h"

#include "hub/answers.h"
#include "hub/catch_up.h"
#include "hub/internal.h"
#include "hub/log_reader.h"

struct weft_doc_job {
    struct weft_list node;
    struct weft_document *document;
    struct weft_doc_request *request;
    const struct weft_ot_type *type;
    struct weft_store_request read;
    struct weft_json_writer w;     /* OPEN, HISTORY: into request->result */
    struct weft_catch_up catch_up; /* OPEN */
    uint64_t cursor;               /* operations up to here are done */
    uint64_t to;                   /* and have to be done up to here */
    size_t written;                /* HISTORY: bytes of operations written */
    void *content;                 /* FETCH, DIFF, RESTORE: at |cursor| */
    void *earlier;                 /* DIFF: at the earlier one of both versions */
    bool full;                     /* no more fits the answer */
    struct weft_ot_error error;
};

static void job_end(struct weft_doc_job *job)
{
    struct weft_document *document = job->document;
    weft__list_remove(&job->node);
    job->type->doc_free(job->content);
    job->type->doc_free(job->earlier);
    weft__catch_up_done(&job->catch_up);
    weft__mem_free(document->hub->options.alloc, job, sizeof(*job));
    weft__document_try_delete(document);
}

static void job_fail(struct weft_doc_job *job, int err)
{
    struct weft_document *document = job->document;
    struct weft_doc_request *request = job->request;
    if (job->error.status)
        weft__doc_request_fail(request, job->error.status, "weft.doc.op_invalid",
                               job->error.message);
    else if (err == WEFT_ERR_NOT_FOUND)
        weft__doc_request_fail(request, WEFT_STATUS_OUT_OF_RANGE, "weft.doc.version_unknown",
                               "that part of the history is gone");
    else
        weft__doc_request_fail(request, weft_status_from_err(err), NULL, weft_err_message(err));
    job_end(job);
    weft__document_answer(document, request);
}

static void job_read(struct weft_doc_job *job);

/* The answer of a fetch: |content| is what the document was at |version|. */
static void answer_fetch(struct weft_document *document, struct weft_doc_request *request,
                         const struct weft_ot_type *type, void *content, uint64_t version)
{
    struct weft_json_writer w;
    weft__answer_begin(&w, document, &request->result);
    weft__json_key(&w, "type");
    weft__json_put_str(&w, type->name);
    weft__json_key(&w, "version");
    weft__json_put_u64(&w, version);
    weft__json_key(&w, "snapshot");
    type->doc_write(content, &w);
    weft__json_end_object(&w);
    if (weft__bytes_error(&request->result))
        weft__doc_request_fail(request, WEFT_STATUS_RESOURCE_EXHAUSTED, "weft.memory",
                               "out of memory");
    weft__document_answer(document, request);
}

void weft__document_fetch(struct weft_document *document, struct weft_doc_request *request)
{
    if (request->has_version && request->version > document->committed_version) {
        weft__doc_request_fail(request, WEFT_STATUS_OUT_OF_RANGE, "weft.doc.version_unknown",
                               "no such version yet");
        weft__document_answer(document, request);
    } else if (request->has_version && request->version < document->committed_version) {
        weft__document_query(document, request);
    } else {
        answer_fetch(document, request, document->type, document->committed,
                     document->committed_version);
    }
}

/* Begins again; |whole|: for a snapshot. */
static void open_again(struct weft_doc_job *job, bool whole)
{
    struct weft_document *document = job->document;
    struct weft_doc_request *request = job->request;
    request->has_version = request->has_version && !whole;
    weft__bytes_clear(&request->result);
    job_end(job);
    weft__document_request(document, request);
}

/* Adds what the history holds. */
static int add_recent(struct weft_doc_job *job)
{
    struct weft_document *document = job->document;
    int err = 0;
    while (!err && job->cursor < document->committed_version) {
        struct weft_doc_op *op = weft__history_get(&document->history, ++job->cursor);
        struct weft_record_op record = weft__doc_op_record(op);
        err =
            weft__catch_up_add(&job->catch_up, document, &record, op->op, job->cursor, op->time_ms);
    }
    return err ? err : weft__catch_up_end(&job->catch_up);
}

/* The walk of an open has reached the history: the rest is there. */
static void open_done(struct weft_doc_job *job)
{
    struct weft_document *document = job->document;
    struct weft_doc_request *request = job->request;
    if (document->state != WEFT_DOC_STATE_READY ||
        weft__document_pending(document, weft__doc_request_client(request))) {
        /* The document was read anew, or an operation of this client is on its way. */
        open_again(job, job->catch_up.full);
        return;
    }
    int err = job->catch_up.full ? 0 : add_recent(job);
    if (err) {
        job_fail(job, err);
        return;
    }
    if (job->catch_up.full) {
        open_again(job, true);
        return;
    }
    weft__answer_state(&job->w, document, weft__doc_request_client(request));
    weft__json_end_object(&job->w);
    job_end(job);
    weft__document_subscribe(document, request);
}

static void history_done(struct weft_doc_job *job)
{
    struct weft_document *document = job->document;
    struct weft_doc_request *request = job->request;
    weft__json_end_array(&job->w);
    weft__json_key(&job->w, "version");
    weft__json_put_u64(&job->w, document->committed_version);
    weft__json_key(&job->w, "more");
    weft__json_put_bool(&job->w, job->cursor < document->committed_version);
    weft__json_end_object(&job->w);
    if (weft__bytes_error(&request->result))
        weft__doc_request_fail(request, WEFT_STATUS_RESOURCE_EXHAUSTED, "weft.memory",
                               "out of memory");
    job_end(job);
    weft__document_answer(document, request);
}

/* {doc, epoch, type, from, version, op} */
static void answer_diff(struct weft_doc_job *job, const void *op)
{
    struct weft_doc_request *request = job->request;
    struct weft_json_writer w;
    weft__answer_begin(&w, job->document, &request->result);
    weft__json_key(&w, "type");
    weft__json_put_str(&w, job->type->name);
    weft__json_key(&w, "from");
    weft__json_put_u64(&w, request->from);
    weft__json_key(&w, "version");
    weft__json_put_u64(&w, request->version);
    weft__json_key(&w, "op");
    job->type->op_write(op, &w);
    weft__json_end_object(&w);
    if (weft__bytes_error(&request->result))
        weft__doc_request_fail(request, WEFT_STATUS_RESOURCE_EXHAUSTED, "weft.memory",
                               "out of memory");
}

static void diff_done(struct weft_doc_job *job)
{
    struct weft_document *document = job->document;
    struct weft_doc_request *request = job->request;
    void *op;
    void *earlier = job->earlier ? job->earlier : job->content; /* they are the same version */
    bool back = request->from > request->version;
    int err = job->type->doc_diff(document->hub->options.alloc, back ? job->content : earlier,
                                  back ? earlier : job->content, &op, &job->error);
    if (err) {
        job_fail(job, err);
        return;
    }
    answer_diff(job, op);
    job->type->op_free(op);
    job_end(job);
    weft__document_answer(document, request);
}

/* Nothing is to be done: the content is that already. */
static void answer_restored(struct weft_document *document, struct weft_doc_request *request)
{
    struct weft_json_writer w;
    weft__json_writer_init(&w, &request->result);
    weft__json_begin_object(&w);
    weft__json_key(&w, "version");
    weft__json_put_u64(&w, document->committed_version);
    weft__json_end_object(&w);
    weft__document_answer(document, request);
}

/* Makes what leads from the head to the content of the job the operation of its request, or none
 * when nothing does. */
static int make_restore(struct weft_doc_job *job)
{
    struct weft_document *document = job->document;
    struct weft_doc_request *request = job->request;
    struct weft_bytes *scratch = &document->hub->scratch;
    struct weft_json_writer w;
    void *op;
    int err = job->type->doc_diff(document->hub->options.alloc, document->head, job->content, &op,
                                  &job->error);
    if (err)
        return err;
    if (job->type->op_is_empty(op)) {
        job->type->op_free(op);
        return 0;
    }
    request->op = op;
    memcpy(request->type, document->stored.type, sizeof(request->type));
    weft__bytes_clear(scratch);
    weft__json_writer_init(&w, scratch);
    job->type->op_write(op, &w);
    request->hash = weft__record_hash(weft__bytes_slice(scratch));
    request->flags = WEFT_RECORD_FLAG_RESTORE;
    request->base_version = weft__history_head(&document->history);
    return weft__bytes_error(scratch);
}

static void restore_done(struct weft_doc_job *job)
{
    struct weft_document *document = job->document;
    struct weft_doc_request *request = job->request;
    if (document->state != WEFT_DOC_STATE_READY) {
        job_end(job);
        weft__document_request(document, request);
        return;
    }
    bool full = weft__document_full(document);
    int err = full ? 0 : make_restore(job);
    if (err) {
        job_fail(job, err);
        return;
    }
    job_end(job);
    if (request->op)
        weft__document_place(document, request);
    else if (!full && weft__history_head(&document->history) == document->committed_version)
        answer_restored(document, request);
    else /* What makes it unnecessary is not durable yet, or there is no room. */
        weft__list_push(&document->blocked, &request->node);
}

static void job_done(struct weft_doc_job *job)
{
    struct weft_document *document = job->document;
    struct weft_doc_request *request = job->request;
    switch (request->kind) {
    case WEFT_DOC_OPEN:
        open_done(job);
        break;
    case WEFT_DOC_SUBMIT:
        request->version = job->cursor;
        job_end(job);
        weft__document_request(document, request);
        break;
    case WEFT_DOC_FETCH:
        answer_fetch(document, request, job->type, job->content, job->cursor);
        job_end(job);
        break;
    case WEFT_DOC_DIFF:
        diff_done(job);
        break;
    case WEFT_DOC_RESTORE:
        restore_done(job);
        break;
    default:
        history_done(job);
        break;
    }
}

/* Where the walk ends; for opens and submits the history may have moved on meanwhile. */
static uint64_t job_target(struct weft_doc_job *job)
{
    enum weft_doc_request_kind kind = job->request->kind;
    bool moving = kind == WEFT_DOC_OPEN || kind == WEFT_DOC_SUBMIT;
    if (moving && job->document->state == WEFT_DOC_STATE_READY)
        job->to = WEFT_MAX(job->to, job->document->history.base);
    return job->to;
}

static int step_submit(struct weft_doc_job *job, const struct weft_record_op *record)
{
    void *other;
    void *moved;
    enum weft_ot_side side = job->type->logged_first ? WEFT_OT_SIDE_RIGHT : WEFT_OT_SIDE_LEFT;
    int err = weft__hub_parse_op(job->document->hub, job->type, record->op, &other);
    if (err)
        return err;
    err = job->type->op_transform(job->document->hub->options.alloc, job->request->op, other, side,
                                  &moved, &job->error);
    job->type->op_free(other);
    if (err)
        return err;
    job->type->op_free(job->request->op);
    job->request->op = moved;
    return 0;
}

static int step_fetch(struct weft_doc_job *job, const struct weft_record_op *record)
{
    const struct weft_doc_request *request = job->request;
    void *op;
    int err = 0;
    if (request->kind == WEFT_DOC_DIFF && job->cursor == WEFT_MIN(request->from, request->version))
        err = job->type->doc_snapshot(job->content, &job->earlier);
    if (!err)
        err = weft__hub_parse_op(job->document->hub, job->type, record->op, &op);
    if (err)
        return err;
    err = job->type->doc_apply(job->content, op, NULL);
    job->type->op_free(op);
    return err && err != WEFT_ERR_NOMEM ? WEFT_ERR_CORRUPT : err;
}

static int step_open(struct weft_doc_job *job, const struct weft_record_op *record,
                     uint64_t time_ms)
{
    int err =
        weft__catch_up_add(&job->catch_up, job->document, record, NULL, job->cursor + 1, time_ms);
    job->full = job->catch_up.full;
    return err;
}

/* Writes one operation unless the answer is full. */
static int step_history(struct weft_doc_job *job, const struct weft_record_op *record,
                        uint64_t time_ms)
{
    job->written += record->op.len;
    job->full = job->written > WEFT_DOC_BEHIND_BYTES;
    if (!job->full)
        weft__answer_op(&job->w, record, job->cursor + 1, time_ms, weft__slice(NULL, 0));
    return 0;
}

static int step(struct weft_doc_job *job, const struct weft_record_op *record, uint64_t time_ms)
{
    switch (job->request->kind) {
    case WEFT_DOC_SUBMIT:
        return step_submit(job, record);
    case WEFT_DOC_FETCH:
    case WEFT_DOC_DIFF:
    case WEFT_DOC_RESTORE:
        return step_fetch(job, record);
    case WEFT_DOC_OPEN:
        return step_open(job, record, time_ms);
    default:
        return step_history(job, record, time_ms);
    }
}

static int walk_record(struct weft_doc_job *job, const struct weft_store_record *row)
{
    struct weft_log_reader reader;
    struct weft_record_op op;
    uint64_t time_ms;
    int err = weft__log_open(&reader, job->document->hub->options.alloc, row,
                             job->document->stored.epoch);
    if (err)
        return err;
    uint64_t version = row->first;
    while (!err && job->cursor < job->to && !job->full &&
           (err = weft__log_next(&reader, &op, &time_ms)) > 0) {
        err = 0;
        version++;
        if (version <= job->cursor)
            continue;
        err = version == job->cursor + 1 ? step(job, &op, time_ms) : WEFT_ERR_CORRUPT;
        if (!err && !job->full)
            job->cursor = version;
    }
    weft__log_close(&reader);
    return err;
}

static void page_read(struct weft_store_request *read)
{
    struct weft_doc_job *job = WEFT_CONTAINER_OF(read, struct weft_doc_job, read);
    uint64_t before = job->cursor;
    int err = read->result;
    struct weft_list *node;
    while (!read->result && (node = weft__list_pop(&read->u.read.ret_records))) {
        struct weft_store_record *record = WEFT_CONTAINER_OF(node, struct weft_store_record, node);
        if (!err)
            err = walk_record(job, record);
        weft__store_record_free(job->document->hub->options.alloc, record);
    }
    if (!err && job->cursor == before && !job->full)
        err = WEFT_ERR_NOT_FOUND;
    if (err)
        job_fail(job, err);
    else if (job->full || job->cursor >= job_target(job))
        job_done(job);
    else
        job_read(job);
}

static void job_read(struct weft_doc_job *job)
{
    struct weft_document *document = job->document;
    job->read = (struct weft_store_request){
        .kind = WEFT_STORE_READ,
        .exec = document->hub->options.exec,
        .done = page_read,
        .key = weft__doc_key_store(&document->key),
        .u.read = {.from = job->cursor,
                   .to = job->to,
                   .max_bytes = WEFT_DOC_PAGE_BYTES,
                   .max_count = WEFT_DOC_PAGE_OPS},
    };
    weft__store_submit(document->hub->options.store, &job->read);
}

/* Comparing and restoring speak of versions that there are. */
static bool admit(struct weft_document *document, struct weft_doc_request *request)
{
    if (request->kind != WEFT_DOC_DIFF && request->kind != WEFT_DOC_RESTORE)
        return true;
    if (request->has_epoch && strcmp(request->epoch, document->stored.epoch) != 0) {
        weft__doc_request_fail(request, WEFT_STATUS_ABORTED, "weft.doc.epoch_changed",
                               "the document was made anew");
        return false;
    }
    if (!request->has_version)
        request->version = document->committed_version;
    request->has_version = true;
    if (WEFT_MAX(request->version, request->from) > document->committed_version) {
        weft__doc_request_fail(request, WEFT_STATUS_OUT_OF_RANGE, "weft.doc.version_unknown",
                               "no such version yet");
        return false;
    }
    return true;
}

/* From where to where, and what has to be ready before the first page. */
static int job_start(struct weft_doc_job *job)
{
    struct weft_document *document = job->document;
    struct weft_doc_request *request = job->request;
    switch (request->kind) {
    case WEFT_DOC_FETCH:
    case WEFT_DOC_DIFF:
    case WEFT_DOC_RESTORE:
        job->to = WEFT_MAX(request->version, request->from);
        return job->type->doc_new(document->hub->options.alloc, NULL, &job->content, NULL);
    case WEFT_DOC_HISTORY:
        job->cursor = WEFT_MIN(request->from, document->committed_version);
        job->to = job->cursor + WEFT_MIN(request->limit, document->committed_version - job->cursor);
        break;
    default:
        job->cursor = request->version;
        job->to = document->history.base;
        break;
    }
    if (request->kind == WEFT_DOC_SUBMIT)
        return 0;
    weft__answer_begin(&job->w, document, &request->result);
    if (request->kind == WEFT_DOC_OPEN) {
        weft__catch_up_begin(&job->catch_up, document, request, &job->w);
    } else {
        weft__json_key(&job->w, "ops");
        weft__json_begin_array(&job->w);
    }
    return 0;
}

void weft__document_query(struct weft_document *document, struct weft_doc_request *request)
{
    if (!admit(document, request)) {
        weft__document_answer(document, request);
        return;
    }
    struct weft_doc_job *job = weft__mem_zalloc(document->hub->options.alloc, sizeof(*job));
    if (!job) {
        weft__doc_request_fail(request, WEFT_STATUS_RESOURCE_EXHAUSTED, "weft.memory",
                               "out of memory");
        weft__document_answer(document, request);
        return;
    }
    job->document = document;
    job->request = request;
    job->type = document->type;
    weft__list_push(&document->jobs, &job->node);
    int err = job_start(job);
    if (err)
        job_fail(job, err);
    else if (job->cursor >= job->to)
        job_done(job);
    else
        job_read(job);
}

void weft__document_query_forget(struct weft_document *document, unsigned worker, uint64_t id)
{
    WEFT_LIST_EACH (node, &document->jobs) {
        struct weft_doc_request *request =
            WEFT_CONTAINER_OF(node, struct weft_doc_job, node)->request;
        if (request->kind == WEFT_DOC_OPEN && request->worker == worker &&
            request->subscription == id)
            request->subscription = 0;
    }
}
