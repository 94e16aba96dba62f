/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An intrusive hash map from byte strings to objects. An object embeds a weft_map_node that points
 * at its key; the map owns only its bucket array.
 *
 *   buckets ──► node ──► node          chained, at most one node a bucket on average
 *
 * The key a node points at must not change or move while the node is in the map.
 * **Thread:** one at a time.
 */
#ifndef WEFT_BASE_MAP_H
#define WEFT_BASE_MAP_H

#include "base/hash.h"
#include "base/mem.h"

struct weft_map_node {
    struct weft_map_node *next;
    uint64_t hash;
    struct weft_slice key;
};

struct weft_map {
    const struct weft_alloc *alloc;
    struct weft_map_node **buckets;
    size_t bucket_count; /* 0 or a power of two */
    size_t count;        /* nodes in the map */
    struct weft_hash_key hash_key;
};

/* An empty map, without memory. |hash_key| should be random where peers choose the keys. */
void weft__map_init(struct weft_map *map, const struct weft_alloc *alloc,
                    struct weft_hash_key hash_key);

/* Frees the bucket array. The nodes belong to their objects: the map need not be empty. */
void weft__map_done(struct weft_map *map);

/* The node with |key|, or NULL. */
struct weft_map_node *weft__map_get(const struct weft_map *map, struct weft_slice key);

/* Adds |node| under |key|, whose bytes must live as long as the node is in the map.
 * **Errors:** WEFT_ERR_EXISTS, WEFT_ERR_NOMEM; the map is unchanged then. */
WEFT_MUST_USE int weft__map_add(struct weft_map *map, struct weft_map_node *node,
                                struct weft_slice key);

/* Takes out |node|, which must be in the map. */
void weft__map_remove(struct weft_map *map, struct weft_map_node *node);

/* Iteration in no particular order: the first node, or the one after |node|; NULL at the end. The
 * node given may be removed after its successor was asked for. */
struct weft_map_node *weft__map_first(const struct weft_map *map);
struct weft_map_node *weft__map_next(const struct weft_map *map, const struct weft_map_node *node);

#endif
