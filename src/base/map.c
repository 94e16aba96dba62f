/* SPDX-License-Identifier: Apache-2.0 */
/* Chained hash map with doubling. */
#include "base/map.h"

#include "base/assert.h"

#include <weft/err.h>

enum { MAP_FIRST_BUCKETS = 8 };

void weft__map_init(struct weft_map *map, const struct weft_alloc *alloc,
                    struct weft_hash_key hash_key)
{
    *map = (struct weft_map){.alloc = alloc, .hash_key = hash_key};
}

void weft__map_done(struct weft_map *map)
{
    if (map->buckets)
        weft__mem_free(map->alloc, map->buckets, map->bucket_count * sizeof(*map->buckets));
    map->buckets = NULL;
    map->bucket_count = map->count = 0;
}

static struct weft_map_node **bucket_of(const struct weft_map *map, uint64_t hash)
{
    return &map->buckets[hash & (map->bucket_count - 1)];
}

static struct weft_map_node *find(const struct weft_map *map, uint64_t hash, struct weft_slice key)
{
    if (!map->bucket_count)
        return NULL;
    struct weft_map_node *node = *bucket_of(map, hash);
    while (node && !(node->hash == hash && weft__slice_eq(node->key, key)))
        node = node->next;
    return node;
}

struct weft_map_node *weft__map_get(const struct weft_map *map, struct weft_slice key)
{
    return map->count ? find(map, weft__hash(&map->hash_key, key), key) : NULL;
}

/* Doubles the buckets. A map that has some goes on with them when memory is short. */
static int grow(struct weft_map *map)
{
    size_t old_count = map->bucket_count;
    size_t count = old_count ? old_count * 2 : MAP_FIRST_BUCKETS;
    size_t bytes = count * sizeof(*map->buckets);
    struct weft_map_node **old = map->buckets;
    struct weft_map_node **buckets = weft__mem_zalloc(map->alloc, bytes);
    if (!buckets)
        return old ? 0 : WEFT_ERR_NOMEM;
    map->buckets = buckets;
    map->bucket_count = count;
    for (size_t i = 0; i < old_count; i++) {
        for (struct weft_map_node *node = old[i], *next; node; node = next) {
            next = node->next;
            struct weft_map_node **bucket = bucket_of(map, node->hash);
            node->next = *bucket;
            *bucket = node;
        }
    }
    weft__mem_free(map->alloc, old, old_count * sizeof(*old));
    return 0;
}

int weft__map_add(struct weft_map *map, struct weft_map_node *node, struct weft_slice key)
{
    uint64_t hash = weft__hash(&map->hash_key, key);
    if (find(map, hash, key))
        return WEFT_ERR_EXISTS;
    if (map->count >= map->bucket_count) {
        int err = grow(map);
        if (err)
            return err;
    }
    struct weft_map_node **bucket = bucket_of(map, hash);
    *node = (struct weft_map_node){.next = *bucket, .hash = hash, .key = key};
    *bucket = node;
    map->count++;
    return 0;
}

void weft__map_remove(struct weft_map *map, struct weft_map_node *node)
{
    WEFT_ASSERT(map->count > 0);
    struct weft_map_node **at = bucket_of(map, node->hash);
    while (*at && *at != node)
        at = &(*at)->next;
    WEFT_ASSERT(*at == node);
    *at = node->next;
    node->next = NULL;
    map->count--;
}

static struct weft_map_node *first_from(const struct weft_map *map, size_t bucket)
{
    for (; bucket < map->bucket_count; bucket++)
        if (map->buckets[bucket])
            return map->buckets[bucket];
    return NULL;
}

struct weft_map_node *weft__map_first(const struct weft_map *map)
{
    return first_from(map, 0);
}

struct weft_map_node *weft__map_next(const struct weft_map *map, const struct weft_map_node *node)
{
    if (node->next)
        return node->next;
    return first_from(map, (size_t)(node->hash & (map->bucket_count - 1)) + 1);
}
