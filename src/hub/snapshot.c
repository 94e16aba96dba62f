/* SPDX-License-Identifier: Apache-2.0 */
/* Encoding and decoding of stored snapshots. */
#include "hub/snapshot.h"

#include "codec/pb_wire.h"
#include "hub/sealed.h"

enum snapshot_field {
    SNAPSHOT_EPOCH = 1,
    SNAPSHOT_VERSION = 2,
    SNAPSHOT_TYPE = 3,
    SNAPSHOT_CONTENT = 4,
    SNAPSHOT_CLIENT = 5,
    SNAPSHOT_TIME = 6,
    SNAPSHOT_SEALED = 7,
};

enum client_field {
    CLIENT_ID = 1,
    CLIENT_SEQ = 2,
    CLIENT_VERSION = 3,
    CLIENT_HASH = 4,
    CLIENT_TIME = 5,
};

static void write_client(struct weft_bytes *b, const struct weft_client_entry *entry)
{
    struct weft_slice id = weft__slice(entry->id, entry->id_len);
    size_t len = 1 + weft__pb_varint_size(id.len) + id.len + 1 + weft__pb_varint_size(entry->seq) +
                 1 + weft__pb_varint_size(entry->version) + 9 + 1 +
                 weft__pb_varint_size(entry->time_ms);
    weft__pb_append_varint(b, (uint64_t)SNAPSHOT_CLIENT << 3 | WEFT_PB_BYTES);
    weft__pb_append_varint(b, len);
    weft__pb_write_bytes(b, CLIENT_ID, id);
    weft__pb_write_varint(b, CLIENT_SEQ, entry->seq);
    weft__pb_write_varint(b, CLIENT_VERSION, entry->version);
    weft__pb_write_fixed64(b, CLIENT_HASH, entry->hash);
    weft__pb_write_varint(b, CLIENT_TIME, entry->time_ms);
}

int weft__snapshot_write(struct weft_bytes *b, const struct weft_snapshot *snapshot,
                         const struct weft_client_table *clients)
{
    weft__sealed_begin(b, WEFT_SNAPSHOT_FORMAT);
    weft__pb_write_bytes(b, SNAPSHOT_EPOCH, snapshot->epoch);
    weft__pb_write_varint(b, SNAPSHOT_VERSION, snapshot->version);
    weft__pb_write_bytes(b, SNAPSHOT_TYPE, snapshot->type);
    weft__pb_write_bytes(b, SNAPSHOT_CONTENT, snapshot->content);
    weft__pb_write_varint(b, SNAPSHOT_TIME, snapshot->time_ms);
    if (snapshot->sealed)
        weft__pb_write_varint(b, SNAPSHOT_SEALED, snapshot->sealed);
    for (struct weft_map_node *node = weft__map_first(&clients->map); node;
         node = weft__map_next(&clients->map, node)) {
        struct weft_client_entry *entry = WEFT_CONTAINER_OF(node, struct weft_client_entry, node);
        if (entry->seq)
            write_client(b, entry);
    }
    return weft__sealed_finish(b);
}

static int read_client(struct weft_slice input, struct weft_client_table *clients)
{
    struct weft_slice id = {0};
    uint64_t numbers[CLIENT_TIME + 1] = {0};
    struct weft_pb_reader fields;
    struct weft_pb_field field;
    weft__pb_reader_init(&fields, input);
    while (weft__pb_read(&fields, &field)) {
        if (field.number == CLIENT_ID && field.type == WEFT_PB_BYTES)
            id = field.bytes;
        else if (field.number <= CLIENT_TIME && field.type != WEFT_PB_BYTES)
            numbers[field.number] = field.value;
    }
    if (fields.err || id.len > WEFT_CLIENT_ID_MAX)
        return WEFT_ERR_CORRUPT;
    return weft__client_table_put(clients, id, numbers[CLIENT_SEQ], numbers[CLIENT_VERSION],
                                  numbers[CLIENT_HASH], numbers[CLIENT_TIME]);
}

int weft__snapshot_read(struct weft_slice input, struct weft_client_table *clients,
                        struct weft_snapshot *ret_snapshot)
{
    struct weft_slice content;
    int err = weft__sealed_open(input, WEFT_SNAPSHOT_FORMAT, &content);
    if (err)
        return err;
    struct weft_snapshot snapshot = {0};
    struct weft_pb_reader fields;
    struct weft_pb_field field;
    weft__pb_reader_init(&fields, content);
    while (weft__pb_read(&fields, &field)) {
        bool bytes = field.type == WEFT_PB_BYTES;
        if (field.number == SNAPSHOT_EPOCH && bytes)
            snapshot.epoch = field.bytes;
        else if (field.number == SNAPSHOT_TYPE && bytes)
            snapshot.type = field.bytes;
        else if (field.number == SNAPSHOT_CONTENT && bytes)
            snapshot.content = field.bytes;
        else if (field.number == SNAPSHOT_VERSION && !bytes)
            snapshot.version = field.value;
        else if (field.number == SNAPSHOT_TIME && !bytes)
            snapshot.time_ms = field.value;
        else if (field.number == SNAPSHOT_SEALED && !bytes)
            snapshot.sealed = field.value;
        else if (field.number == SNAPSHOT_CLIENT && bytes)
            err = read_client(field.bytes, clients);
        if (err)
            return err;
    }
    if (fields.err)
        return WEFT_ERR_CORRUPT;
    *ret_snapshot = snapshot;
    return 0;
}
