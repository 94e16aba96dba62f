/* SPDX-License-Identifier: Apache-2.0 */
/* Groups of those that wait. */
#include "server/waiting.h"

#include "base/assert.h"
#include "base/mem.h"

#include <string.h>

enum { KEY_SIZE = 1 + sizeof(uint64_t) };

struct waiting_group {
    struct weft_map_node node;
    struct weft_list places; /* oldest first */
    size_t count;
    uint8_t key[KEY_SIZE]; /* the kind, then whose it is */
};

void weft__waiting_init(struct weft_waiting *waiting, const struct weft_alloc *alloc,
                        struct weft_hash_key hash_key)
{
    waiting->alloc = alloc;
    weft__map_init(&waiting->groups, alloc, hash_key);
}

void weft__waiting_done(struct weft_waiting *waiting)
{
    WEFT_ASSERT(waiting->groups.count == 0);
    weft__map_done(&waiting->groups);
}

void weft__waiting_place_init(struct weft_waiting_place *place)
{
    place->group = NULL;
    weft__list_init(&place->link);
}

/* The group with |key|, made when it is new; NULL when out of memory. */
static struct waiting_group *group_get(struct weft_waiting *waiting, const uint8_t key[KEY_SIZE])
{
    struct weft_map_node *node = weft__map_get(&waiting->groups, weft__slice(key, KEY_SIZE));
    if (node)
        return WEFT_CONTAINER_OF(node, struct waiting_group, node);
    struct waiting_group *group = weft__mem_zalloc(waiting->alloc, sizeof(*group));
    if (!group)
        return NULL;
    memcpy(group->key, key, KEY_SIZE);
    weft__list_init(&group->places);
    if (weft__map_add(&waiting->groups, &group->node, weft__slice(group->key, KEY_SIZE))) {
        weft__mem_free(waiting->alloc, group, sizeof(*group));
        return NULL;
    }
    return group;
}

int weft__waiting_enter(struct weft_waiting *waiting, struct weft_waiting_place *place,
                        enum weft_waiting_kind kind, uint64_t key, size_t max,
                        struct weft_waiting_place **ret_oldest)
{
    uint8_t bytes[KEY_SIZE] = {(uint8_t)kind};
    memcpy(bytes + 1, &key, sizeof(key));
    WEFT_ASSERT(!place->group);
    struct waiting_group *group = group_get(waiting, bytes);
    if (!group)
        return WEFT_ERR_NOMEM;
    weft__list_push(&group->places, &place->link);
    place->group = group;
    *ret_oldest = ++group->count > max
                      ? WEFT_CONTAINER_OF(group->places.next, struct weft_waiting_place, link)
                      : NULL;
    return 0;
}

void weft__waiting_leave(struct weft_waiting *waiting, struct weft_waiting_place *place)
{
    struct waiting_group *group = place->group;
    if (!group)
        return;
    place->group = NULL;
    weft__list_remove(&place->link);
    if (--group->count > 0)
        return;
    weft__map_remove(&waiting->groups, &group->node);
    weft__mem_free(waiting->alloc, group, sizeof(*group));
}
