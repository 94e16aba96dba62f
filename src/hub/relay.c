/* SPDX-License-Identifier: Apache-2.0 */
/* Subscriptions of one worker, and handing deliveries to them. */
#include "hub/relay.h"

#include "base/assert.h"
#include "hub/answers.h"

static struct weft_relay *relay_find(struct weft_hub *hub, const struct weft_doc_key *key)
{
    struct weft_map_node *node = weft__map_get(&hub->relays, weft__doc_key_bytes(key));
    return node ? WEFT_CONTAINER_OF(node, struct weft_relay, node) : NULL;
}

static struct weft_relay *relay_get(struct weft_hub *hub, const struct weft_doc_key *key)
{
    struct weft_relay *relay = relay_find(hub, key);
    if (relay)
        return relay;
    relay = weft__mem_zalloc(hub->options.alloc, sizeof(*relay));
    if (!relay)
        return NULL;
    relay->key = *key;
    weft__list_init(&relay->subscriptions);
    if (weft__map_add(&hub->relays, &relay->node, weft__doc_key_bytes(&relay->key))) {
        weft__mem_free(hub->options.alloc, relay, sizeof(*relay));
        return NULL;
    }
    return relay;
}

static void relay_release(struct weft_hub *hub, struct weft_relay *relay)
{
    if (!weft__list_empty(&relay->subscriptions))
        return;
    weft__map_remove(&hub->relays, &relay->node);
    weft__mem_free(hub->options.alloc, relay, sizeof(*relay));
}

/* Nobody waits for the answer to a close that the end of a subscription caused. */
static void closed(struct weft_hub *hub, struct weft_doc_request *request)
{
    (void)hub;
    weft__doc_request_free(request);
}

struct weft_subscription *weft__subscription_new(struct weft_hub *hub,
                                                 struct weft_hub_member *member,
                                                 const struct weft_doc_key *key,
                                                 struct weft_slice client)
{
    const struct weft_alloc *alloc = hub->options.alloc;
    WEFT_ASSERT(client.len <= WEFT_CLIENT_ID_MAX);
    struct weft_subscription *subscription = weft__mem_zalloc(alloc, sizeof(*subscription));
    struct weft_doc_request *close = weft__doc_request_new(alloc, WEFT_DOC_CLOSE);
    struct weft_relay *relay = subscription && close ? relay_get(hub, key) : NULL;
    if (!relay) {
        weft__mem_free(alloc, subscription, sizeof(*subscription));
        weft__doc_request_free(close);
        return NULL;
    }
    subscription->id = weft__mesh_next_id(hub->options.port);
    subscription->relay = relay;
    subscription->member = member;
    subscription->client_len = (uint8_t)client.len;
    weft__mem_copy(subscription->client, client.ptr, client.len);
    subscription->close = close;
    close->key = *key;
    close->subscription = subscription->id;
    close->done = closed;
    weft__list_push(&relay->subscriptions, &subscription->relay_node);
    weft__list_push(&member->subscriptions, &subscription->member_node);
    member->subscription_count++;
    return subscription;
}

void weft__subscription_present(struct weft_subscription *subscription, bool present)
{
    struct weft_hub_member *member = subscription->member;
    if (subscription->present == present)
        return;
    subscription->present = present;
    if (present && member->present_count++ == 0)
        member->ops->present(member, true);
    else if (!present && --member->present_count == 0)
        member->ops->present(member, false);
}

void weft__subscription_end(struct weft_hub *hub, struct weft_subscription *subscription, bool tell)
{
    struct weft_relay *relay = subscription->relay;
    weft__subscription_present(subscription, false);
    if (tell)
        weft__hub_ask(hub, subscription->close);
    else
        weft__doc_request_free(subscription->close);
    weft__list_remove(&subscription->relay_node);
    weft__list_remove(&subscription->member_node);
    subscription->member->subscription_count--;
    weft__mem_free(hub->options.alloc, subscription, sizeof(*subscription));
    relay_release(hub, relay);
}

struct weft_subscription *weft__subscription_find(struct weft_hub *hub,
                                                  const struct weft_doc_key *key, uint64_t id)
{
    struct weft_relay *relay = relay_find(hub, key);
    if (!relay)
        return NULL;
    WEFT_LIST_EACH (node, &relay->subscriptions) {
        struct weft_subscription *subscription =
            WEFT_CONTAINER_OF(node, struct weft_subscription, relay_node);
        if (subscription->id == id)
            return subscription;
    }
    return NULL;
}

struct weft_subscription *weft__subscription_of(struct weft_hub_member *member,
                                                const struct weft_doc_key *key)
{
    WEFT_LIST_EACH (node, &member->subscriptions) {
        struct weft_subscription *subscription =
            WEFT_CONTAINER_OF(node, struct weft_subscription, member_node);
        if (weft__slice_eq(weft__doc_key_bytes(&subscription->relay->key),
                           weft__doc_key_bytes(key)))
            return subscription;
    }
    return NULL;
}

static void end_lagging(struct weft_hub *hub, struct weft_subscription *subscription)
{
    struct weft_hub_member *member = subscription->member;
    struct weft_buf *frame = weft__notify_closed(hub, &subscription->relay->key, "lagged", true);
    WEFT_ASSERT(frame); /* As in weft__document_deliver. */
    hub->stats.lagged++;
    weft__subscription_end(hub, subscription, true);
    member->ops->send(member, frame);
    weft__buf_unref(frame);
}

static void hand_over(struct weft_hub *hub, struct weft_subscription *subscription,
                      const struct weft_delivery *delivery)
{
    struct weft_hub_member *member = subscription->member;
    bool lags = member->ops->unsent(member) > WEFT_HUB_MAX_UNSENT;
    if (!subscription->type || subscription->id == delivery->except ||
        (delivery->only && subscription->id != delivery->only))
        return;
    switch (delivery->kind) {
    case WEFT_DELIVERY_OP:
        if (delivery->version <= subscription->version)
            return;
        if (lags) {
            end_lagging(hub, subscription);
            return;
        }
        subscription->version = delivery->version;
        hub->stats.deliveries++;
        member->ops->send(member, delivery->frame);
        return;
    case WEFT_DELIVERY_PRESENCE:
        if (!lags)
            member->ops->send(member, delivery->frame);
        return;
    case WEFT_DELIVERY_CLOSED:
        weft__subscription_end(hub, subscription, false);
        member->ops->send(member, delivery->frame);
        return;
    }
}

static void deliver(struct weft_mesh_message *message, void *owner)
{
    struct weft_delivery *delivery = WEFT_CONTAINER_OF(message, struct weft_delivery, message);
    struct weft_hub *hub = owner;
    struct weft_relay *relay = hub ? relay_find(hub, &delivery->key) : NULL;
    struct weft_list *next;
    /* Handing over may end the subscription at hand, and the last one ends the relay. */
    for (struct weft_list *node = relay ? relay->subscriptions.next : NULL; node; node = next) {
        next = node->next == &relay->subscriptions ? NULL : node->next;
        hand_over(hub, WEFT_CONTAINER_OF(node, struct weft_subscription, relay_node), delivery);
    }
    weft__delivery_free(delivery);
}

void weft__relay_deliver(struct weft_mesh_port *port, unsigned to, struct weft_delivery *delivery)
{
    delivery->message.run = deliver;
    weft__mesh_send(port, to, &delivery->message);
}
