/* SPDX-License-Identifier: Apache-2.0 */
/* Documents of a client: opening, editing, closing. Parameters are written on the calling thread,
 * answers are read on the loop's. */
#include "base/assert.h"
#include "base/utf8.h"
#include "client/client_internal.h"
#include "io/crypto.h"

enum { REPLICA_BYTES = 16, REPLICA_MAX = 64, DOC_NAME_MAX = 255 };

/* ---- A document ---- */

void weft__client_doc_free(struct weft_client_doc *doc)
{
    weft__client_doc_forget_early(doc);
    weft__arena_done(&doc->strings);
    weft__mem_free(doc->client->alloc, doc, sizeof(*doc));
}

void weft__client_doc_enter(struct weft_client_doc *doc)
{
    doc->depth++;
}

void weft__client_doc_leave(struct weft_client_doc *doc)
{
    WEFT_ASSERT(doc->depth > 0);
    if (--doc->depth == 0 && doc->gone)
        weft__client_doc_free(doc);
}

struct weft_client_doc *weft__client_doc_find(const struct weft_client *client,
                                              struct weft_slice name)
{
    WEFT_LIST_EACH (node, &client->docs) {
        struct weft_client_doc *doc = WEFT_CONTAINER_OF(node, struct weft_client_doc, link);
        if (weft__slice_eq_str(name, doc->name))
            return doc;
    }
    return NULL;
}

const char *weft_client_doc_name(const struct weft_client_doc *doc)
{
    return doc->name;
}

const char *weft_client_doc_type(const struct weft_client_doc *doc)
{
    return doc->type;
}

const char *weft_client_doc_epoch(const struct weft_client_doc *doc)
{
    return doc->epoch;
}

const char *weft_client_doc_client(const struct weft_client_doc *doc)
{
    return doc->replica;
}

const char *weft_client_doc_snapshot(const struct weft_client_doc *doc, size_t *ret_len)
{
    if (ret_len)
        *ret_len = doc->snapshot_len;
    return doc->snapshot;
}

uint64_t weft_client_doc_snapshot_version(const struct weft_client_doc *doc)
{
    return doc->snapshot_version;
}

uint64_t weft_client_doc_version(const struct weft_client_doc *doc)
{
    return atomic_load(&doc->version);
}

/* What still comes finds no document and is dropped, so a failure does no harm. */
void weft__client_doc_unsubscribe(struct weft_client *client, const char *name)
{
    struct weft_bytes params;
    struct weft_json_writer json;
    weft__bytes_init(&params, client->alloc, SIZE_MAX);
    weft__json_writer_init(&json, &params);
    weft__json_begin_object(&json);
    weft__json_key(&json, "doc");
    weft__json_put_str(&json, name);
    weft__json_end_object(&json);
    weft__bytes_append_byte(&params, '\0');
    int err = weft__bytes_error(&params);
    if (!err)
        err = weft_client_call(client, "doc.close", (const char *)params.ptr, 0, NULL, NULL);
    (void)err;
    weft__bytes_done(&params);
}

/* ---- Opening ---- */

struct doc_open {
    struct weft_client_request request;
    struct weft_client_doc *doc;
    weft_client_doc_opened_fn *opened;
    void *ctx;
};

void weft_client_doc_options_init(struct weft_client_doc_options *options)
{
    *options = (struct weft_client_doc_options){.struct_size = sizeof(*options)};
}

/* The name is taken when the call goes out, so that no document is opened twice at once. */
static bool open_admit(struct weft_client_request *request, struct weft_rpc_answer *ret_refusal)
{
    struct doc_open *open = WEFT_CONTAINER_OF(request, struct doc_open, request);
    struct weft_client *client = request->client;
    if (weft__client_doc_find(client, weft__slice_str(open->doc->name))) {
        *ret_refusal = weft__answer_local(WEFT_STATUS_ALREADY_EXISTS, "weft.client.open",
                                          "this client has the document open");
        return false;
    }
    weft__list_push(&client->docs, &open->doc->link);
    return true;
}

/* Reads the result of doc.open. **Errors:** WEFT_ERR_PROTOCOL, WEFT_ERR_NOMEM. */
static int read_state(struct weft_client_doc *doc, const struct weft_json *result)
{
    uint64_t version;
    struct weft_slice epoch = weft__json_string(weft__json_get(result, "epoch"));
    struct weft_slice type = weft__json_string(weft__json_get(result, "type"));
    struct weft_slice snapshot = weft__json_raw(weft__json_get(result, "snapshot"));
    if (!weft__json_u53(weft__json_get(result, "version"), &version) ||
        !weft__json_u53(weft__json_get(result, "applied"), &doc->applied) || !epoch.len ||
        !type.len || !snapshot.len)
        return WEFT_ERR_PROTOCOL;
    doc->epoch = weft__arena_copy(&doc->strings, epoch.ptr, epoch.len);
    doc->type = weft__arena_copy(&doc->strings, type.ptr, type.len);
    doc->snapshot = weft__arena_copy(&doc->strings, snapshot.ptr, snapshot.len);
    doc->snapshot_len = snapshot.len;
    doc->snapshot_version = version;
    atomic_store(&doc->version, version);
    return doc->epoch && doc->type && doc->snapshot ? 0 : WEFT_ERR_NOMEM;
}

static void open_free(struct doc_open *open)
{
    const struct weft_alloc *alloc = open->request.client->alloc;
    weft__client_request_done(&open->request);
    weft__mem_free(alloc, open, sizeof(*open));
}

static void open_done(struct weft_client_request *request, const struct weft_rpc_answer *from)
{
    struct doc_open *open = WEFT_CONTAINER_OF(request, struct doc_open, request);
    struct weft_client *client = request->client;
    struct weft_client_doc *doc = open->doc;
    struct weft_rpc_answer local;
    int err = from->result ? read_state(doc, from->result) : 0;
    if (from->result && atomic_load(&doc->ended)) {
        /* The session has brought the answer over a cut, which has ended the subscription. */
        err = WEFT_ERR_CLOSED;
        local = weft__answer_local(WEFT_STATUS_UNAVAILABLE, "weft.client.cut",
                                   "the connection was cut meanwhile");
        from = &local;
    } else if (err) {
        local = weft__answer_local(weft_status_from_err(err), "weft.client.open_failed",
                                   weft_err_message(err));
        from = &local;
    }
    /* The server may think that we listen. */
    if (err || (!from->result && from->error.executed != WEFT_RPC_EXECUTED_NO))
        weft__client_doc_unsubscribe(client, doc->name);
    const struct weft_answer *answer = weft__answer_new(client->alloc, from);
    /* Without memory for the answer it says so, and the document is given up, too. */
    if (from->result && answer->status)
        weft__client_doc_unsubscribe(client, doc->name);
    if (!answer->status) {
        doc->opening = false;
        weft__client_doc_enter(doc);
        open->opened(open->ctx, doc, answer);
        weft__client_doc_leave(doc);
    } else {
        weft__list_remove(&doc->link);
        weft__client_doc_free(doc);
        open->opened(open->ctx, NULL, answer);
    }
    weft__answer_drop(answer);
    open_free(open);
}

static void write_open(struct weft_bytes *out, const struct weft_client_doc_options *options,
                       const char *replica)
{
    struct weft_json_writer json;
    weft__json_writer_init(&json, out);
    weft__json_begin_object(&json);
    weft__json_key(&json, "doc");
    weft__json_put_str(&json, options->name);
    weft__json_key(&json, "client");
    weft__json_put_str(&json, replica);
    if (options->type) {
        weft__json_key(&json, "type");
        weft__json_put_str(&json, options->type);
    }
    if (options->create) {
        weft__json_key(&json, "create");
        weft__json_put_bool(&json, true);
    }
    weft__json_end_object(&json);
}

static const char *random_replica(struct weft_client_doc *doc)
{
    static const char digits[] = "0123456789abcdef";
    const struct weft_crypto *crypto = weft__crypto_openssl();
    uint8_t random[REPLICA_BYTES];
    char text[2 * REPLICA_BYTES];
    crypto->random(crypto->ctx, random, sizeof(random));
    for (size_t i = 0; i < sizeof(random); i++) {
        text[2 * i] = digits[random[i] >> 4];
        text[2 * i + 1] = digits[random[i] & 15];
    }
    return weft__arena_copy(&doc->strings, text, sizeof(text));
}

/* A document that is being opened. NULL when out of memory. */
static struct weft_client_doc *doc_new(struct weft_client *client,
                                       const struct weft_client_doc_options *options)
{
    struct weft_client_doc *doc = weft__mem_zalloc(client->alloc, sizeof(*doc));
    if (!doc)
        return NULL;
    doc->client = client;
    doc->opening = true;
    doc->ctx = options->ctx;
    if (options->callbacks)
        doc->callbacks = *options->callbacks;
    weft__list_init(&doc->link);
    weft__list_init(&doc->early);
    weft__arena_init(&doc->strings, client->alloc, SIZE_MAX);
    doc->name = weft__arena_copy(&doc->strings, options->name, strlen(options->name));
    doc->replica = options->client
                       ? weft__arena_copy(&doc->strings, options->client, strlen(options->client))
                       : random_replica(doc);
    if (doc->name && doc->replica)
        return doc;
    weft__client_doc_free(doc);
    return NULL;
}

static int check_open(const struct weft_client_doc_options *options)
{
    if (!options->name || !*options->name || strlen(options->name) > DOC_NAME_MAX)
        return WEFT_ERR_USAGE;
    if (options->client && (!*options->client || strlen(options->client) > REPLICA_MAX))
        return WEFT_ERR_USAGE;
    return weft__utf8_valid((const uint8_t *)options->name, strlen(options->name)) ? 0
                                                                                   : WEFT_ERR_UTF8;
}

int weft_client_doc_open(struct weft_client *client, const struct weft_client_doc_options *given,
                         weft_client_doc_opened_fn *opened, void *opened_ctx)
{
    struct weft_client_doc_options options;
    weft_client_doc_options_init(&options);
    memcpy(&options, given, WEFT_MIN(given->struct_size, sizeof(options)));
    int err = check_open(&options);
    if (err)
        return err;
    struct doc_open *open = weft__mem_zalloc(client->alloc, sizeof(*open));
    if (!open)
        return WEFT_ERR_NOMEM;
    weft__client_request_init(&open->request, client, "doc.open", options.timeout_ms, open_done);
    open->request.admit = open_admit;
    open->opened = opened;
    open->ctx = opened_ctx;
    open->doc = doc_new(client, &options);
    if (!open->doc) {
        open_free(open);
        return WEFT_ERR_NOMEM;
    }
    write_open(&open->request.text, &options, open->doc->replica);
    struct weft_client_doc *doc = open->doc;
    err = weft__client_request_start(&open->request);
    if (err) {
        weft__client_doc_free(doc);
        open_free(open);
    }
    return err;
}

/* ---- Editing ---- */

struct weft_client_edit {
    struct weft_client_request request;
    struct weft_client_doc *doc; /* NULL once it is closed */
    uint64_t seq;
    weft_client_doc_edited_fn *edited;
    void *ctx;
};

static void edit_free(struct weft_client_edit *edit)
{
    const struct weft_alloc *alloc = edit->request.client->alloc;
    weft__client_request_done(&edit->request);
    weft__mem_free(alloc, edit, sizeof(*edit));
}

/* Notes how an edit ended; |version| is 0 for an error. */
static void edit_settle(struct weft_client_edit *edit, uint64_t version, int executed)
{
    struct weft_client_doc *doc = edit->doc;
    uint64_t before = atomic_load(&doc->version);
    if (version)
        doc->applied = edit->seq;
    else if (executed != WEFT_EXECUTED_NO)
        atomic_store(&doc->unsure, true);
    if (version == before + 1)
        atomic_store(&doc->version, version);
    else if (version > before && !atomic_load(&doc->ended))
        /* docs/protocol/documents.md, "Order": all smaller versions precede the answer. */
        weft__client_fail(doc->client, "an answer overtook operations");
    doc->edit = NULL;
    atomic_store(&doc->busy, false);
}

static void edit_done(struct weft_client_request *request, const struct weft_rpc_answer *from)
{
    struct weft_client_edit *edit = WEFT_CONTAINER_OF(request, struct weft_client_edit, request);
    struct weft_client *client = request->client;
    struct weft_client_doc *doc = edit->doc;
    struct weft_rpc_answer local;
    uint64_t version = 0;
    if (from->result &&
        (!weft__json_u53(weft__json_get(from->result, "version"), &version) || version == 0)) {
        local = weft__answer_local(WEFT_STATUS_INTERNAL, "", "the answer has no version");
        local.error.executed = WEFT_RPC_EXECUTED_UNKNOWN;
        from = &local;
    }
    const struct weft_answer *answer = weft__answer_new(client->alloc, from);
    if (doc) {
        weft__client_doc_enter(doc);
        edit_settle(edit, version, answer->executed);
    }
    if (edit->edited)
        edit->edited(edit->ctx, doc, version, answer);
    weft__answer_drop(answer);
    if (doc) {
        weft__client_doc_edit_over(doc);
        weft__client_doc_leave(doc);
    }
    edit_free(edit);
}

static void write_submit(struct weft_bytes *out, const struct weft_client_doc *doc, uint64_t seq,
                         uint64_t version, const char *op)
{
    struct weft_json_writer json;
    weft__json_writer_init(&json, out);
    weft__json_begin_object(&json);
    weft__json_key(&json, "doc");
    weft__json_put_str(&json, doc->name);
    weft__json_key(&json, "epoch");
    weft__json_put_str(&json, doc->epoch);
    weft__json_key(&json, "client");
    weft__json_put_str(&json, doc->replica);
    weft__json_key(&json, "seq");
    weft__json_put_u64(&json, seq);
    weft__json_key(&json, "version");
    weft__json_put_u64(&json, version);
    weft__json_key(&json, "op");
    weft__json_put_raw(&json, weft__slice_str(op));
    weft__json_end_object(&json);
}

static int check_op(const struct weft_client *client, const char *op)
{
    struct weft_arena arena;
    const struct weft_json *value;
    if (!op)
        return WEFT_ERR_USAGE;
    weft__arena_init(&arena, client->alloc, SIZE_MAX);
    int err = weft__json_parse(weft__slice_str(op), &arena, NULL, NULL, &value);
    weft__arena_done(&arena);
    return err;
}

/* Starts an edit; the caller has set |busy|. */
static int edit_start(struct weft_client_doc *doc, uint64_t version, const char *op,
                      weft_client_doc_edited_fn *edited, void *ctx)
{
    struct weft_client *client = doc->client;
    struct weft_client_edit *edit = weft__mem_zalloc(client->alloc, sizeof(*edit));
    if (!edit)
        return WEFT_ERR_NOMEM;
    weft__client_request_init(&edit->request, client, "doc.submit", 0, edit_done);
    edit->doc = doc;
    edit->seq = doc->applied + 1;
    edit->edited = edited;
    edit->ctx = ctx;
    write_submit(&edit->request.text, doc, edit->seq, version, op);
    doc->edit = edit;
    int err = weft__client_request_start(&edit->request);
    if (err) {
        doc->edit = NULL;
        edit_free(edit);
    }
    return err;
}

int weft_client_doc_edit(struct weft_client_doc *doc, uint64_t version, const char *op,
                         weft_client_doc_edited_fn *edited, void *ctx)
{
    int err = check_op(doc->client, op);
    if (err)
        return err;
    if (atomic_load(&doc->ended))
        return WEFT_ERR_CLOSED;
    if (atomic_exchange(&doc->busy, true))
        return WEFT_ERR_STATE;
    err = atomic_load(&doc->unsure) ? WEFT_ERR_STATE : edit_start(doc, version, op, edited, ctx);
    if (err)
        atomic_store(&doc->busy, false);
    return err;
}

/* ---- Closing ---- */

static void close_now(struct weft_client_doc *doc)
{
    if (doc->edit)
        doc->edit->doc = NULL;
    if (!atomic_load(&doc->ended))
        weft__client_doc_unsubscribe(doc->client, doc->name);
    weft__list_remove(&doc->link);
    doc->gone = true;
    if (doc->depth == 0)
        weft__client_doc_free(doc);
}

struct doc_close {
    struct weft_task task;
    struct weft_wait wait;
    struct weft_client_doc *doc;
};

static void close_run(struct weft_task *task)
{
    struct doc_close *closing = WEFT_CONTAINER_OF(task, struct doc_close, task);
    close_now(closing->doc);
    weft__wait_tell(&closing->wait);
}

void weft_client_doc_close(struct weft_client_doc *doc)
{
    if (!doc)
        return;
    if (weft__client_on_loop(doc->client)) {
        close_now(doc);
        return;
    }
    struct doc_close closing = {.doc = doc};
    weft__wait_init(&closing.wait);
    weft__task_init(&closing.task, close_run);
    /* When the loop has ended, weft_client_close frees the document. */
    if (weft__domain_post(doc->client->domain, &closing.task))
        weft__wait_for(&closing.wait);
    weft__wait_done(&closing.wait);
}

/* ---- Waiting ---- */

struct waiting_doc {
    struct weft_wait wait;
    struct weft_answer *answer; /* NULL: there was no memory for it */
    struct weft_client_doc *doc;
    uint64_t version;
};

static void waiting_opened(void *ctx, struct weft_client_doc *doc, const struct weft_answer *answer)
{
    struct waiting_doc *waiting = ctx;
    waiting->doc = doc;
    waiting->answer = weft__answer_keep(answer);
    /* Without an answer the caller learns nothing of the document either. */
    if (!waiting->answer)
        weft_client_doc_close(doc);
    weft__wait_tell(&waiting->wait);
}

int weft_client_doc_open_wait(struct weft_client *client,
                              const struct weft_client_doc_options *options,
                              struct weft_client_doc **ret_doc, struct weft_answer **ret_answer)
{
    struct waiting_doc waiting = {.answer = NULL};
    if (weft__client_on_loop(client))
        return WEFT_ERR_STATE;
    weft__wait_init(&waiting.wait);
    int err = weft_client_doc_open(client, options, waiting_opened, &waiting);
    if (!err) {
        weft__wait_for(&waiting.wait);
        if (waiting.answer) {
            *ret_doc = waiting.doc;
            *ret_answer = waiting.answer;
        } else {
            err = WEFT_ERR_NOMEM;
        }
    }
    weft__wait_done(&waiting.wait);
    return err;
}

static void waiting_edited(void *ctx, struct weft_client_doc *doc, uint64_t version,
                           const struct weft_answer *answer)
{
    struct waiting_doc *waiting = ctx;
    (void)doc;
    waiting->version = version;
    waiting->answer = weft__answer_keep(answer);
    weft__wait_tell(&waiting->wait);
}

int weft_client_doc_edit_wait(struct weft_client_doc *doc, uint64_t version, const char *op,
                              uint64_t *ret_version, struct weft_answer **ret_answer)
{
    struct waiting_doc waiting = {.answer = NULL};
    if (weft__client_on_loop(doc->client))
        return WEFT_ERR_STATE;
    weft__wait_init(&waiting.wait);
    int err = weft_client_doc_edit(doc, version, op, waiting_edited, &waiting);
    if (!err) {
        weft__wait_for(&waiting.wait);
        if (waiting.answer) {
            *ret_version = waiting.version;
            *ret_answer = waiting.answer;
        } else {
            err = WEFT_ERR_NOMEM;
        }
    }
    weft__wait_done(&waiting.wait);
    return err;
}
