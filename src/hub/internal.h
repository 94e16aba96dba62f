/* SPDX-License-Identifier: Apache-2.0 */
/* The hub's own fields, for its files alone. */
#ifndef WEFT_HUB_INTERNAL_H
#define WEFT_HUB_INTERNAL_H

#include "base/map.h"
#include "hub/hub.h"
#include "hub/request.h"
#include "ot/type.h"

struct weft_hub {
    struct weft_hub_options options;
    struct weft_map documents;     /* struct weft_document, by key: those this worker owns */
    struct weft_map relays;        /* struct weft_relay, by key */
    struct weft_map subscriptions; /* struct weft_subscription, by id */
    struct weft_topics topics;     /* one in each relay */
    struct weft_list dirty;        /* documents with presence to be sent */
    struct weft_bytes scratch;     /* for writing notifications */
    struct weft_arena arena;       /* for parsing what the store gave */
    uint64_t asked;                /* requests that have not come back */
    struct weft_hub_stats stats;
};

/* The worker that owns the document called |key|. */
unsigned weft__hub_owner(const struct weft_hub *hub, const struct weft_doc_key *key);

/* Reads an operation of |type| back from what the store holds of it. **Errors:** WEFT_ERR_CORRUPT,
 * WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__hub_parse_op(struct weft_hub *hub, const struct weft_ot_type *type,
                                     struct weft_slice json, void **ret_op);

/* Sends |request| to the owner of its document; request->done follows on this worker. */
void weft__hub_ask(struct weft_hub *hub, struct weft_doc_request *request);

/* Sends |request|, which came from another worker or this one, back as its own answer. */
void weft__hub_answer(struct weft_hub *hub, struct weft_doc_request *request);

#endif
