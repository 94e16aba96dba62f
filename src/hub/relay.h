/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connections' side of documents: one relay for each document that somebody on this worker has
 * open. What the owner sends once, the relay hands to each subscription.
 *
 *   member ──┬─ subscription ─┐
 *            └─ subscription ─┼─ relay ◄── deliveries of the document's owner
 *   member ──── subscription ─┘
 *
 * A subscription is OPENING until the owner's answer to doc.open is back; only then do deliveries
 * concern it. Answers and deliveries come over one ring, so it misses nothing and gets nothing
 * twice. A subscription whose connection has too much unsent is closed (`lagged`).
 */
#ifndef WEFT_HUB_RELAY_H
#define WEFT_HUB_RELAY_H

#include "hub/internal.h"
#include "ot/type.h"

struct weft_relay {
    struct weft_map_node node; /* in the hub's relays */
    struct weft_doc_key key;
    struct weft_list subscriptions; /* struct weft_subscription, by relay_node */
};

struct weft_subscription {
    struct weft_list relay_node;
    struct weft_list member_node;
    struct weft_relay *relay;
    struct weft_hub_member *member;
    struct weft_doc_request *close;  /* made at the beginning, so that closing cannot fail */
    const struct weft_ot_type *type; /* NULL while OPENING */
    uint64_t id;      /* larger than that of every subscription made before, on any worker */
    uint64_t version; /* the newest one handed over */
    bool present;
    uint8_t client_len;
    uint8_t client[WEFT_CLIENT_ID_MAX];
};

/* A new subscription, OPENING, of |member| to the document |key|. NULL when out of memory. */
struct weft_subscription *weft__subscription_new(struct weft_hub *hub,
                                                 struct weft_hub_member *member,
                                                 const struct weft_doc_key *key,
                                                 struct weft_slice client);

/* Ends it. |tell|: the owner still has it and is told. */
void weft__subscription_end(struct weft_hub *hub, struct weft_subscription *subscription,
                            bool tell);

/* The one with |id| in document |key|, or NULL. */
struct weft_subscription *weft__subscription_find(struct weft_hub *hub,
                                                  const struct weft_doc_key *key, uint64_t id);

/* The one |member| has in document |key|, or NULL. */
struct weft_subscription *weft__subscription_of(struct weft_hub_member *member,
                                                const struct weft_doc_key *key);

/* Notes that it has presence, or none any more, and tells its member when that matters. */
void weft__subscription_present(struct weft_subscription *subscription, bool present);

/* Sends |delivery| to the relay of worker |to|. **Thread:** the port's. */
void weft__relay_deliver(struct weft_mesh_port *port, unsigned to, struct weft_delivery *delivery);

#endif
