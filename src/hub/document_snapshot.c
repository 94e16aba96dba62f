/* SPDX-License-Identifier: Apache-2.0 */
/* Storing snapshots of the committed state, so that opening reads a short log. */
#include "hub/document.h"

#include "hub/internal.h"
#include "hub/snapshot.h"

static void stored(struct weft_store_request *request)
{
    struct weft_document *document = WEFT_CONTAINER_OF(request, struct weft_document, snapshot);
    document->snapshot_busy = false;
    weft__bytes_done(&document->snapshot_value);
    /* The log has everything: a snapshot that failed is tried again after as many operations. */
    if (request->result)
        WEFT_LOG(document->hub->options.log, WEFT_LOG_WARN, "doc.snapshot_failed",
                 weft__log_slice("doc", weft__doc_key_name(&document->key)),
                 weft__log_str("error", weft_err_message(request->result)));
    weft__document_try_delete(document);
}

/* Writes the value; empty when out of memory. */
static void write_value(struct weft_document *document)
{
    struct weft_hub *hub = document->hub;
    struct weft_json_writer w;
    weft__bytes_clear(&hub->scratch);
    weft__json_writer_init(&w, &hub->scratch);
    document->type->doc_write(document->committed, &w);
    const struct weft_snapshot snapshot = {
        .epoch = weft__slice_str(document->stored.epoch),
        .type = weft__slice_str(document->stored.type),
        .content = weft__bytes_slice(&hub->scratch),
        .version = document->committed_version,
        .time_ms = document->time_ms,
        .sealed = document->sealed,
    };
    weft__client_table_expire(&document->clients, weft__clock_wall_ms(hub->options.clock));
    if (weft__bytes_error(&hub->scratch) ||
        weft__snapshot_write(&document->snapshot_value, &snapshot, &document->clients))
        weft__bytes_done(&document->snapshot_value);
}

void weft__document_snapshot(struct weft_document *document, uint64_t ops)
{
    uint64_t since = document->committed_version - document->snapshot_version;
    if (document->snapshot_busy || document->state != WEFT_DOC_STATE_READY || since == 0 ||
        !weft__list_empty(&document->deleting) ||
        (since < ops && document->snapshot_bytes < WEFT_DOC_SNAPSHOT_BYTES))
        return;
    weft__bytes_init(&document->snapshot_value, document->hub->options.alloc, SIZE_MAX);
    write_value(document);
    if (!document->snapshot_value.len)
        return;
    document->snapshot = (struct weft_store_request){
        .kind = WEFT_STORE_PUT_SNAPSHOT,
        .exec = document->hub->options.exec,
        .done = stored,
        .key = weft__doc_key_store(&document->key),
        .u.put_snapshot = {.version = document->committed_version,
                           .content = weft__bytes_slice(&document->snapshot_value)},
    };
    document->snapshot_version = document->committed_version;
    document->snapshot_bytes = 0;
    document->snapshot_busy = true;
    weft__store_submit(document->hub->options.store, &document->snapshot);
}
