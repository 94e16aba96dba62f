/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions that wait for their clients, counted for whoever they belong to: an address, a
 * principal. Each is a place in the group of its kind and key, oldest first, so that the one that
 * has waited longest goes when there are too many.
 *
 * **Thread:** one.
 */
#ifndef WEFT_SERVER_WAITING_H
#define WEFT_SERVER_WAITING_H

#include "base/list.h"
#include "base/map.h"

#include <weft/err.h>

struct waiting_group;

enum weft_waiting_kind {
    WEFT_WAITING_ADDRESS,
    WEFT_WAITING_PRINCIPAL,
    WEFT_WAITING_KINDS,
};

/* Embedded in the session, one for each kind. */
struct weft_waiting_place {
    struct waiting_group *group; /* NULL: it does not wait, or nobody counts it */
    struct weft_list link;
};

struct weft_waiting {
    const struct weft_alloc *alloc;
    struct weft_map groups;
};

void weft__waiting_init(struct weft_waiting *waiting, const struct weft_alloc *alloc,
                        struct weft_hash_key hash_key);

/* Nobody waits any more. */
void weft__waiting_done(struct weft_waiting *waiting);

void weft__waiting_place_init(struct weft_waiting_place *place);

/*
 * |place| waits in the group of |kind| and |key|, behind those that do already. When there are more
 * than |max| then, |*ret_oldest| is the first of them, else NULL. **Errors:** WEFT_ERR_NOMEM.
 */
WEFT_MUST_USE int weft__waiting_enter(struct weft_waiting *waiting,
                                      struct weft_waiting_place *place, enum weft_waiting_kind kind,
                                      uint64_t key, size_t max,
                                      struct weft_waiting_place **ret_oldest);

/* It does not wait any more. Harmless when it does not. */
void weft__waiting_leave(struct weft_waiting *waiting, struct weft_waiting_place *place);

#endif
