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
    weft__topic_init(&relay->topic, &hub->topics);
    if (weft__map_add(&hub->relays, &relay->node, weft__doc_key_bytes(&relay->key))) {
        weft__mem_free(hub->options.alloc, relay, sizeof(*relay));
        return NULL;
    }
    return relay;
}

static void relay_release(struct weft_hub *hub, struct weft_relay *relay)
{
    if (relay->delivering || !weft__list_empty(&relay->subscriptions))
        return;
    weft__topic_done(&relay->topic);
    weft__map_remove(&hub->relays, &relay->node);
    weft__mem_free(hub->options.alloc, relay, sizeof(*relay));
}

/* Nobody waits for the answer to a close that the end of a subscription caused. */
static void closed(struct weft_hub *hub, struct weft_doc_request *request)
{
    (void)hub;
    weft__doc_request_free(request);
}

static struct weft_slice id_bytes(const uint64_t *id)
{
    return weft__slice(id, sizeof(*id));
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
    struct weft_relay *relay = NULL;
    if (subscription && close) {
        subscription->id = weft__mesh_next_id(hub->options.port);
        if (!weft__map_add(&hub->subscriptions, &subscription->node, id_bytes(&subscription->id)))
            relay = relay_get(hub, key);
        if (!relay && subscription->node.key.len)
            weft__map_remove(&hub->subscriptions, &subscription->node);
    }
    if (!relay) {
        weft__mem_free(alloc, subscription, sizeof(*subscription));
        weft__doc_request_free(close);
        return NULL;
    }
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
    if (subscription->type)
        weft__topic_unsubscribe(&subscription->feed);
    weft__map_remove(&hub->subscriptions, &subscription->node);
    weft__list_remove(&subscription->relay_node);
    weft__list_remove(&subscription->member_node);
    subscription->member->subscription_count--;
    weft__mem_free(hub->options.alloc, subscription, sizeof(*subscription));
    relay_release(hub, relay);
}

struct weft_subscription *weft__subscription_find(struct weft_hub *hub, uint64_t id)
{
    struct weft_map_node *node = weft__map_get(&hub->subscriptions, id_bytes(&id));
    return node ? WEFT_CONTAINER_OF(node, struct weft_subscription, node) : NULL;
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

/* ---- The topic's subscribers ---- */

static struct weft_subscription *of_feed(const struct weft_topic_subscriber *feed)
{
    return WEFT_CONTAINER_OF(feed, struct weft_subscription, feed);
}

static void on_send(struct weft_topic_subscriber *feed, struct weft_slice frames,
                    struct weft_buf *owner, size_t count)
{
    struct weft_hub_member *member = of_feed(feed)->member;
    member->ops->send(member, frames, owner, count);
}

static void on_send_message(struct weft_topic_subscriber *feed, struct weft_ws_message *message)
{
    struct weft_hub_member *member = of_feed(feed)->member;
    member->ops->send_message(member, message);
}

static size_t on_unsent(const struct weft_topic_subscriber *feed)
{
    struct weft_hub_member *member = of_feed(feed)->member;
    return member->ops->unsent(member);
}

static void on_held(struct weft_topic_subscriber *feed)
{
    struct weft_hub_member *member = of_feed(feed)->member;
    member->ops->held(member);
}

/* To one alone, past the topic. */
static void send_one(struct weft_hub_member *member, struct weft_ws_message *message)
{
    struct weft_buf *frame =
        weft__topics_frame(&member->hub->topics, message, (enum weft_topic_variant)member->variant);
    if (frame)
        member->ops->send(member, weft__buf_slice(frame), frame, 1);
    else
        member->ops->send_message(member, message);
}

static void on_lagged(struct weft_topic_subscriber *feed)
{
    struct weft_subscription *subscription = of_feed(feed);
    struct weft_hub_member *member = subscription->member;
    struct weft_hub *hub = member->hub;
    struct weft_buf *frame = weft__notify_closed(hub, &subscription->relay->key, "lagged", true);
    struct weft_ws_message *message =
        frame ? weft__ws_message_of_frame(hub->options.alloc, frame) : NULL;
    WEFT_ASSERT(message); /* As in weft__document_deliver. */
    weft__buf_unref(frame);
    weft__subscription_end(hub, subscription, true);
    send_one(member, message);
    weft__ws_message_unref(message);
}

void weft__subscription_live(struct weft_subscription *subscription,
                             const struct weft_ot_type *type)
{
    static const struct weft_topic_ops ops = {on_send, on_send_message, on_unsent, on_held,
                                              on_lagged};
    WEFT_ASSERT(type && !subscription->type);
    subscription->type = type;
    weft__topic_subscribe(&subscription->relay->topic, &subscription->feed, &ops,
                          (enum weft_topic_variant)subscription->member->variant);
}

void weft__subscription_catch_up(struct weft_subscription *subscription)
{
    if (subscription->type)
        weft__topic_catch_up(&subscription->feed);
}

void weft__subscription_drained(struct weft_subscription *subscription)
{
    if (subscription->type)
        weft__topic_ready(&subscription->feed);
}

/* ---- Deliveries ---- */

static struct weft_subscription *find_live(struct weft_hub *hub, uint64_t id)
{
    struct weft_subscription *subscription = id ? weft__subscription_find(hub, id) : NULL;
    return subscription && subscription->type ? subscription : NULL;
}

static void publish(struct weft_hub *hub, struct weft_relay *relay,
                    const struct weft_delivery *delivery)
{
    struct weft_subscription *except = find_live(hub, delivery->except);
    bool may_be_lost = delivery->kind != WEFT_DELIVERY_OP;
    int err =
        weft__topic_publish(&relay->topic, delivery->content, except ? &except->feed : NULL,
                            delivery->kind == WEFT_DELIVERY_PRESENCE ? WEFT_TOPIC_DROPPABLE : 0);
    WEFT_ASSERT(!err || may_be_lost); /* As in weft__document_deliver. */
}

static void publish_to_one(struct weft_hub *hub, const struct weft_delivery *delivery)
{
    struct weft_subscription *subscription = find_live(hub, delivery->only);
    if (!subscription)
        return;
    weft__subscription_catch_up(subscription);
    send_one(subscription->member, delivery->content);
}

/* The owner has closed the document: every subscription that it knows ends. */
static void end_all(struct weft_hub *hub, struct weft_relay *relay,
                    const struct weft_delivery *delivery)
{
    WEFT_LIST_EACH_SAFE (node, &relay->subscriptions) {
        struct weft_subscription *subscription =
            WEFT_CONTAINER_OF(node, struct weft_subscription, relay_node);
        struct weft_hub_member *member = subscription->member;
        if (!subscription->type)
            continue;
        weft__subscription_catch_up(subscription);
        weft__subscription_end(hub, subscription, false);
        send_one(member, delivery->content);
    }
}

static void deliver(struct weft_mesh_message *message, void *owner)
{
    struct weft_delivery *delivery = WEFT_CONTAINER_OF(message, struct weft_delivery, message);
    struct weft_hub *hub = owner;
    struct weft_relay *relay = hub ? relay_find(hub, &delivery->key) : NULL;
    if (relay) {
        /* Subscriptions may end meanwhile, and the last one ends the relay. */
        relay->delivering = true;
        if (delivery->kind == WEFT_DELIVERY_CLOSED)
            end_all(hub, relay, delivery);
        else if (delivery->only)
            publish_to_one(hub, delivery);
        else
            publish(hub, relay, delivery);
        relay->delivering = false;
        relay_release(hub, relay);
    }
    weft__delivery_free(delivery);
}

void weft__relay_deliver(struct weft_mesh_port *port, unsigned to, struct weft_delivery *delivery)
{
    delivery->message.run = deliver;
    weft__mesh_send(port, to, &delivery->message);
}
