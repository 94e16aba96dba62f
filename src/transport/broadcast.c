/* SPDX-License-Identifier: Apache-2.0 */
/* Handing what a topic publishes to a transport. */
#include "transport/broadcast.h"

#include "transport/deflate.h"

static struct weft_transport_subscription *of(const struct weft_topic_subscriber *subscriber)
{
    return WEFT_CONTAINER_OF(subscriber, struct weft_transport_subscription, subscriber);
}

/* A failed send has ended the connection, which its owner hears. */
static void ignore(int err)
{
    (void)err;
}

static void on_send(struct weft_topic_subscriber *subscriber, struct weft_slice frames,
                    struct weft_buf *owner, size_t count)
{
    ignore(weft__transport_send_frames(of(subscriber)->transport, frames, owner, count));
}

static void on_send_message(struct weft_topic_subscriber *subscriber,
                            struct weft_ws_message *message)
{
    ignore(weft__transport_send(of(subscriber)->transport, message->opcode,
                                weft__ws_message_payload(message)));
}

static size_t on_unsent(const struct weft_topic_subscriber *subscriber)
{
    return weft__transport_unsent(of(subscriber)->transport);
}

static void on_held(struct weft_topic_subscriber *subscriber)
{
    weft__transport_want_drain(of(subscriber)->transport);
}

static void on_lagged(struct weft_topic_subscriber *subscriber)
{
    struct weft_transport_subscription *subscription = of(subscriber);
    weft__transport_unsubscribe(subscription);
    weft__transport_close(subscription->transport, WEFT_WS_CLOSE_POLICY,
                          WEFT_SLICE_LIT("reads too slowly"));
}

enum weft_topic_variant weft__transport_topic_variant(const struct weft_transport *transport)
{
    switch (weft__transport_variant(transport)) {
    case WEFT_TRANSPORT_DEFLATED:
        return WEFT_TOPIC_DEFLATED;
    case WEFT_TRANSPORT_OWN:
        return WEFT_TOPIC_OWN;
    case WEFT_TRANSPORT_PLAIN:
    default:
        return WEFT_TOPIC_PLAIN;
    }
}

void weft__transport_topic_deflate(void *set, struct weft_ws_message *message)
{
    weft__transport_deflate_shared(set, message);
}

void weft__transport_subscribe(struct weft_transport_subscription *subscription,
                               struct weft_transport *transport, struct weft_topic *topic)
{
    static const struct weft_topic_ops ops = {on_send, on_send_message, on_unsent, on_held,
                                              on_lagged};
    subscription->transport = transport;
    weft__topic_subscribe(topic, &subscription->subscriber, &ops,
                          weft__transport_topic_variant(transport));
}

void weft__transport_unsubscribe(struct weft_transport_subscription *subscription)
{
    if (!subscription->subscriber.topic)
        return;
    weft__topic_unsubscribe(&subscription->subscriber);
    subscription->subscriber.topic = NULL;
}

void weft__transport_subscription_drained(struct weft_transport_subscription *subscription)
{
    if (subscription->subscriber.topic)
        weft__topic_ready(&subscription->subscriber);
}
