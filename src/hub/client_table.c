/* SPDX-License-Identifier: Apache-2.0 */
/* The table client → last operation. */
#include "hub/client_table.h"

static struct weft_client_entry *entry_of(struct weft_map_node *node)
{
    return node ? WEFT_CONTAINER_OF(node, struct weft_client_entry, node) : NULL;
}

static size_t entry_size(const struct weft_client_entry *entry)
{
    return sizeof(*entry) + entry->id_len;
}

void weft__client_table_init(struct weft_client_table *table, const struct weft_alloc *alloc,
                             struct weft_hash_key hash_key)
{
    *table = (struct weft_client_table){.alloc = alloc};
    weft__map_init(&table->map, alloc, hash_key);
}

static void remove_entry(struct weft_client_table *table, struct weft_client_entry *entry)
{
    weft__map_remove(&table->map, &entry->node);
    table->bytes -= entry_size(entry);
    weft__mem_free(table->alloc, entry, entry_size(entry));
}

void weft__client_table_done(struct weft_client_table *table)
{
    struct weft_map_node *node;
    while ((node = weft__map_first(&table->map)))
        remove_entry(table, entry_of(node));
    weft__map_done(&table->map);
}

struct weft_client_entry *weft__client_table_get(const struct weft_client_table *table,
                                                 struct weft_slice client)
{
    return entry_of(weft__map_get(&table->map, client));
}

static struct weft_client_entry *add_entry(struct weft_client_table *table,
                                           struct weft_slice client)
{
    struct weft_client_entry *entry = weft__mem_zalloc(table->alloc, sizeof(*entry) + client.len);
    if (!entry)
        return NULL;
    entry->id_len = client.len;
    weft__mem_copy(entry->id, client.ptr, client.len);
    if (weft__map_add(&table->map, &entry->node, weft__slice(entry->id, entry->id_len))) {
        weft__mem_free(table->alloc, entry, entry_size(entry));
        return NULL;
    }
    table->bytes += entry_size(entry);
    return entry;
}

int weft__client_table_reserve(struct weft_client_table *table, struct weft_slice client)
{
    if (weft__client_table_get(table, client) || add_entry(table, client))
        return 0;
    return WEFT_ERR_NOMEM;
}

int weft__client_table_put(struct weft_client_table *table, struct weft_slice client, uint64_t seq,
                           uint64_t version, uint64_t hash, uint64_t time_ms)
{
    struct weft_client_entry *entry = weft__client_table_get(table, client);
    if (!entry)
        entry = add_entry(table, client);
    if (!entry)
        return WEFT_ERR_NOMEM;
    entry->seq = seq;
    entry->version = version;
    entry->hash = hash;
    entry->time_ms = time_ms;
    return 0;
}

void weft__client_table_expire(struct weft_client_table *table, uint64_t now_ms)
{
    struct weft_map_node *next;
    for (struct weft_map_node *node = weft__map_first(&table->map); node; node = next) {
        next = weft__map_next(&table->map, node);
        struct weft_client_entry *entry = entry_of(node);
        if (now_ms > entry->time_ms && now_ms - entry->time_ms > WEFT_CLIENT_KEPT_MS)
            remove_entry(table, entry);
    }
}
