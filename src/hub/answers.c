/* SPDX-License-Identifier: Apache-2.0 */
/* Writers of results and notifications. */
#include "hub/answers.h"

#include "hub/internal.h"
#include "ws/frame.h"

void weft__answer_begin(struct weft_json_writer *w, const struct weft_document *document,
                        struct weft_bytes *out)
{
    weft__json_writer_init(w, out);
    weft__json_begin_object(w);
    weft__json_key(w, "doc");
    weft__json_put_string(w, weft__doc_key_name(&document->key));
    weft__json_key(w, "epoch");
    weft__json_put_str(w, document->stored.epoch);
}

void weft__answer_state(struct weft_json_writer *w, const struct weft_document *document,
                        struct weft_slice client)
{
    const struct weft_client_entry *entry = weft__client_table_get(&document->clients, client);
    weft__json_key(w, "type");
    weft__json_put_str(w, document->stored.type);
    weft__json_key(w, "version");
    weft__json_put_u64(w, document->committed_version);
    weft__json_key(w, "applied");
    weft__json_put_u64(w, entry ? entry->seq : 0);
}

static void put_by(struct weft_json_writer *w, const struct weft_record_op *op, uint64_t time_ms)
{
    weft__json_key(w, "by");
    weft__json_begin_object(w);
    weft__json_key(w, "sub");
    weft__json_put_string(w, op->principal);
    weft__json_key(w, "client");
    weft__json_put_string(w, op->client);
    weft__json_key(w, "seq");
    weft__json_put_u64(w, op->seq);
    weft__json_key(w, "time");
    weft__json_put_u64(w, time_ms);
    if (op->flags & WEFT_RECORD_FLAG_RESTORE) {
        weft__json_key(w, "restore");
        weft__json_put_bool(w, true);
    }
    weft__json_end_object(w);
}

void weft__answer_op(struct weft_json_writer *w, const struct weft_record_op *op, uint64_t version,
                     uint64_t time_ms, struct weft_slice own)
{
    weft__json_begin_object(w);
    weft__json_key(w, "version");
    weft__json_put_u64(w, version);
    if (own.len && weft__slice_eq(own, op->client)) {
        weft__json_key(w, "seq");
        weft__json_put_u64(w, op->seq);
    } else {
        weft__json_key(w, "op");
        weft__json_put_raw(w, op->op);
        put_by(w, op, time_ms);
    }
    weft__json_end_object(w);
}

/* Begins a notification in the hub's scratch memory, behind room for a frame header. */
static void notify_begin(struct weft_json_writer *w, struct weft_hub *hub, const char *method,
                         const struct weft_doc_key *key)
{
    weft__bytes_clear(&hub->scratch);
    (void)weft__bytes_extend(&hub->scratch, WEFT_WS_HEADROOM);
    weft__json_writer_init(w, &hub->scratch);
    weft__json_begin_object(w);
    weft__json_key(w, "jsonrpc");
    weft__json_put_str(w, "2.0");
    weft__json_key(w, "method");
    weft__json_put_str(w, method);
    weft__json_key(w, "params");
    weft__json_begin_object(w);
    weft__json_key(w, "doc");
    weft__json_put_string(w, weft__doc_key_name(key));
}

/* Ends the notification and puts it into a frame. */
static struct weft_buf *notify_end(struct weft_json_writer *w, struct weft_hub *hub)
{
    weft__json_end_object(w);
    weft__json_end_object(w);
    struct weft_bytes *out = &hub->scratch;
    if (weft__bytes_error(out))
        return NULL;
    struct weft_slice frame = weft__ws_frame_seal(
        out->ptr + WEFT_WS_HEADROOM, out->len - WEFT_WS_HEADROOM, WEFT_WS_OPCODE_TEXT, true);
    return weft__buf_new_copy(hub->options.alloc, frame);
}

static void put_state(struct weft_json_writer *w, const struct weft_document *document,
                      uint64_t version)
{
    weft__json_key(w, "epoch");
    weft__json_put_str(w, document->stored.epoch);
    weft__json_key(w, "version");
    weft__json_put_u64(w, version);
}

struct weft_buf *weft__notify_op(struct weft_document *document, const struct weft_doc_op *op)
{
    struct weft_json_writer w;
    struct weft_record_op record = weft__doc_op_record(op);
    notify_begin(&w, document->hub, "doc.op", &document->key);
    put_state(&w, document, op->version);
    weft__json_key(&w, "op");
    weft__json_put_raw(&w, record.op);
    put_by(&w, &record, op->time_ms);
    return notify_end(&w, document->hub);
}

struct weft_buf *weft__notify_presence(struct weft_document *document,
                                       const struct weft_doc_subscriber *subscriber, bool present)
{
    struct weft_json_writer w;
    notify_begin(&w, document->hub, "doc.presence", &document->key);
    put_state(&w, document, document->committed_version);
    weft__json_key(&w, "state");
    if (present)
        weft__presence_write(&w, &subscriber->presence);
    else
        weft__json_put_null(&w);
    weft__json_key(&w, "by");
    weft__json_begin_object(&w);
    weft__json_key(&w, "sub");
    weft__json_put_string(&w, weft__slice(subscriber->sub, subscriber->sub_len));
    weft__json_key(&w, "client");
    weft__json_put_string(&w, weft__slice(subscriber->client, subscriber->client_len));
    weft__json_end_object(&w);
    return notify_end(&w, document->hub);
}

struct weft_buf *weft__notify_closed(struct weft_hub *hub, const struct weft_doc_key *key,
                                     const char *reason, bool reopen)
{
    struct weft_json_writer w;
    notify_begin(&w, hub, "doc.closed", key);
    weft__json_key(&w, "reason");
    weft__json_put_str(&w, reason);
    weft__json_key(&w, "reopen");
    weft__json_put_bool(&w, reopen);
    return notify_end(&w, hub);
}
