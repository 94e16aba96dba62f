/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connections' side of documents: one relay for each document that somebody on this worker has
 * open. What the owner sends once, the relay publishes on its topic (topic/topic.h), which hands it
 * to each subscription at the end of the tick.
 *
 *   member ──┬─ subscription ─┐
 *            └─ subscription ─┼─ relay: topic ◄── deliveries of the document's owner
 *   member ──── subscription ─┘
 *
 * A subscription is OPENING until the owner's answer to doc.open is back; only then does it
 * subscribe to the topic. Answers and deliveries come over one ring, so it misses nothing and gets
 * nothing twice; before an answer is sent it is handed what came before. A subscription that cannot
 * follow is closed (`lagged`).
 */
#ifndef WEFT_HUB_RELAY_H
#define WEFT_HUB_RELAY_H

#include "hub/internal.h"
#include "ot/type.h"

struct weft_relay {
    struct weft_map_node node; /* in the hub's relays */
    struct weft_doc_key key;
    struct weft_topic topic;
    struct weft_list subscriptions; /* struct weft_subscription, by relay_node */
    bool delivering;                /* must not be freed */
};

struct weft_subscription {
    struct weft_topic_subscriber feed; /* while it is live */
    struct weft_map_node node;         /* in the hub's subscriptions */
    struct weft_list relay_node;
    struct weft_list member_node;
    struct weft_relay *relay;
    struct weft_hub_member *member;
    struct weft_doc_request *close;  /* made at the beginning, so that closing cannot fail */
    const struct weft_ot_type *type; /* NULL while OPENING */
    uint64_t id; /* larger than that of every subscription made before, on any worker */
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

/* The one with |id|, or NULL. */
struct weft_subscription *weft__subscription_find(struct weft_hub *hub, uint64_t id);

/* The document, of the type |type|, was opened: it gets what is delivered from now on. */
void weft__subscription_live(struct weft_subscription *subscription,
                             const struct weft_ot_type *type);

/* Hands it what was delivered before now, so that an answer does not overtake it. Harmless while
 * OPENING. */
void weft__subscription_catch_up(struct weft_subscription *subscription);

/* As weft__hub_member_drained. */
void weft__subscription_drained(struct weft_subscription *subscription);

/* The one |member| has in document |key|, or NULL. */
struct weft_subscription *weft__subscription_of(struct weft_hub_member *member,
                                                const struct weft_doc_key *key);

/* Notes that it has presence, or none any more, and tells its member when that matters. */
void weft__subscription_present(struct weft_subscription *subscription, bool present);

/* Sends |delivery| to the relay of worker |to|. **Thread:** the port's. */
void weft__relay_deliver(struct weft_mesh_port *port, unsigned to, struct weft_delivery *delivery);

#endif
