/* SPDX-License-Identifier: Apache-2.0 */
/* Replaying a document's log, with nothing believed. */
#include "hub/audit.h"

#include "hub/log_reader.h"

enum { AUDIT_ARENA = 64 * 1024 * 1024 /* bytes for one stored operation or snapshot */ };

static int wrong(struct weft_audit *audit, int err, const char *what)
{
    audit->what = err == WEFT_ERR_NOMEM ? "out of memory" : what;
    return err;
}

void weft__audit_begin(struct weft_audit *audit, const struct weft_alloc *alloc,
                       const struct weft_store_state *state)
{
    *audit = (struct weft_audit){.alloc = alloc, .state = *state, .version = state->oldest};
    audit->type = weft__ot_type_find(weft__slice_str(state->type));
    weft__client_table_init(&audit->clients, alloc, (struct weft_hash_key){0});
    weft__client_table_init(&audit->snapshot_clients, alloc, (struct weft_hash_key){0});
    weft__arena_init(&audit->arena, alloc, AUDIT_ARENA);
}

void weft__audit_done(struct weft_audit *audit)
{
    if (audit->type)
        audit->type->doc_free(audit->doc);
    weft__client_table_done(&audit->clients);
    weft__client_table_done(&audit->snapshot_clients);
    weft__arena_done(&audit->arena);
}

/* A new document with the content |json|. */
static int make_doc(struct weft_audit *audit, struct weft_slice json, void **ret_doc)
{
    const struct weft_json *value;
    weft__arena_reset(&audit->arena);
    int err = weft__json_parse(json, &audit->arena, NULL, NULL, &value);
    return err ? err : audit->type->doc_new(audit->alloc, value, ret_doc, NULL);
}

/* ---- The snapshot ---- */

static int write_doc(const struct weft_audit *audit, void *doc, struct weft_bytes *b)
{
    struct weft_json_writer w;
    weft__bytes_init(b, audit->alloc, SIZE_MAX);
    weft__json_writer_init(&w, b);
    audit->type->doc_write(doc, &w);
    return weft__bytes_error(b);
}

/* Whether the content applied so far is that of the snapshot. */
static int compare_content(struct weft_audit *audit)
{
    struct weft_bytes replayed;
    struct weft_bytes stored;
    void *doc;
    int err = make_doc(audit, audit->snapshot.content, &doc);
    if (err)
        return wrong(audit, err, "the snapshot's content is not one of its type");
    err = write_doc(audit, audit->doc, &replayed);
    int other = write_doc(audit, doc, &stored);
    if (err || other)
        err = wrong(audit, err ? err : other, "the content cannot be written");
    else if (!weft__slice_eq(weft__bytes_slice(&replayed), weft__bytes_slice(&stored)))
        err = wrong(audit, WEFT_ERR_CORRUPT, "the snapshot is not what the log leads to");
    weft__bytes_done(&replayed);
    weft__bytes_done(&stored);
    audit->type->doc_free(doc);
    return err;
}

/* Of clients the snapshot may have forgotten some, and segments have the hashes of few. */
static int compare_clients(struct weft_audit *audit)
{
    const struct weft_map *map = &audit->snapshot_clients.map;
    for (struct weft_map_node *node = weft__map_first(map); node;
         node = weft__map_next(map, node)) {
        const struct weft_client_entry *stored =
            WEFT_CONTAINER_OF(node, struct weft_client_entry, node);
        const struct weft_client_entry *entry =
            weft__client_table_get(&audit->clients, weft__slice(stored->id, stored->id_len));
        if (!entry || entry->seq != stored->seq || entry->version != stored->version ||
            (entry->hash != stored->hash && entry->hash != 0))
            return wrong(audit, WEFT_ERR_CORRUPT,
                         "the snapshot's table of clients is not what the log leads to");
    }
    return 0;
}

/* At the snapshot's version: it is compared, or everything begins with it. */
static int meet_snapshot(struct weft_audit *audit)
{
    if (!audit->has_snapshot || audit->version != audit->snapshot.version || !audit->type)
        return 0;
    if (!audit->doc) {
        int err = make_doc(audit, audit->snapshot.content, &audit->doc);
        return err ? wrong(audit, err, "the snapshot's content is not one of its type") : 0;
    }
    int err = compare_content(audit);
    return err || audit->state.oldest ? err : compare_clients(audit);
}

int weft__audit_snapshot(struct weft_audit *audit, uint64_t version, struct weft_slice content)
{
    struct weft_snapshot snapshot;
    int err = weft__snapshot_read(content, &audit->snapshot_clients, &snapshot);
    if (err)
        return wrong(audit, err, "the snapshot is damaged");
    if (!weft__slice_eq_str(snapshot.epoch, audit->state.epoch) ||
        !weft__slice_eq_str(snapshot.type, audit->state.type) || snapshot.version != version ||
        snapshot.version > audit->state.version)
        return wrong(audit, WEFT_ERR_CORRUPT, "the snapshot is one of something else");
    audit->snapshot = snapshot;
    audit->has_snapshot = true;
    return 0;
}

/* ---- The log ---- */

static int apply(struct weft_audit *audit, struct weft_slice json)
{
    const struct weft_json *value;
    void *op;
    weft__arena_reset(&audit->arena);
    int err = weft__json_parse(json, &audit->arena, NULL, NULL, &value);
    if (err)
        return err;
    err = audit->type->op_parse(audit->alloc, value, &op, NULL);
    if (err)
        return err;
    err = audit->type->doc_apply(audit->doc, op, NULL);
    audit->type->op_free(op);
    return err;
}

/* The operation that leads to |audit->version|. */
static int take_op(struct weft_audit *audit, const struct weft_record_op *op, uint64_t time_ms)
{
    if (op->client.len > WEFT_CLIENT_ID_MAX || op->principal.len > 255)
        return wrong(audit, WEFT_ERR_CORRUPT, "the author's name is too long");
    if (!audit->type || !audit->doc)
        return 0;
    int err = apply(audit, op->op);
    if (err)
        return wrong(audit, err, "the operation does not fit the document");
    err = weft__client_table_put(&audit->clients, op->client, op->seq, audit->version, op->hash,
                                 time_ms);
    return err ? wrong(audit, err, "") : 0;
}

/* Makes what the first row is applied to. */
static int start(struct weft_audit *audit, const struct weft_store_record *row)
{
    if (row->first <= audit->version)
        audit->version = row->first; /* A segment may begin before what is kept. */
    if (audit->version == 0 && audit->type) {
        int err = audit->type->doc_new(audit->alloc, NULL, &audit->doc, NULL);
        if (err)
            return wrong(audit, err, "");
    }
    return meet_snapshot(audit);
}

int weft__audit_row(struct weft_audit *audit, const struct weft_store_record *row)
{
    struct weft_log_reader reader;
    struct weft_record_op op;
    uint64_t time_ms;
    audit->what = NULL;
    int err = audit->records == 0 ? start(audit, row) : 0;
    if (err)
        return err;
    if (row->first != audit->version)
        return wrong(audit, WEFT_ERR_CORRUPT, "versions are missing");
    bool segment = weft__segment_is(weft__buf_slice(row->content));
    err = weft__log_open(&reader, audit->alloc, row, audit->state.epoch);
    if (err) {
        audit->version++;
        return wrong(audit, err, segment ? "the segment is damaged" : "the record is damaged");
    }
    audit->records++;
    audit->segments += segment;
    while (!err && (err = weft__log_next(&reader, &op, &time_ms)) > 0) {
        audit->version++;
        err = take_op(audit, &op, time_ms);
        if (!err)
            err = meet_snapshot(audit);
    }
    weft__log_close(&reader);
    if (err && !audit->what)
        wrong(audit, err, segment ? "the segment is damaged" : "the record is damaged");
    return err;
}

int weft__audit_end(struct weft_audit *audit)
{
    if (audit->version != audit->state.version)
        return wrong(audit, WEFT_ERR_CORRUPT, "the log does not reach its version");
    return audit->records == 0 ? meet_snapshot(audit) : 0;
}
