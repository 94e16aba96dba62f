/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transports as subscribers of topics (topic/topic.h): what a topic hands over goes by reference
 * into the output queue and leaves with the tick's other output.
 *
 * **Thread:** the loop's.
 */
#ifndef WEFT_TRANSPORT_BROADCAST_H
#define WEFT_TRANSPORT_BROADCAST_H

#include "topic/topic.h"
#include "transport/transport.h"

/* Embedded in the connection. */
struct weft_transport_subscription {
    struct weft_topic_subscriber subscriber;
    struct weft_transport *transport;
};

/* Subscribes the open |transport|, a server's, to |topic|. When it falls so far behind that
 * messages are lost, it is unsubscribed and closed with 1008. */
void weft__transport_subscribe(struct weft_transport_subscription *subscription,
                               struct weft_transport *transport, struct weft_topic *topic);

/* Which form of a message for many receivers is right for |transport|, from on_open on. */
enum weft_topic_variant weft__transport_topic_variant(const struct weft_transport *transport);

/* The |deflate| of struct weft_topics_options, with a struct weft_transport_set as its context. */
void weft__transport_topic_deflate(void *set, struct weft_ws_message *message);

/* Ends it; harmless when it has ended. To be called in on_end at the latest. */
void weft__transport_unsubscribe(struct weft_transport_subscription *subscription);

/* To be called in on_drain: it gets what it missed. */
void weft__transport_subscription_drained(struct weft_transport_subscription *subscription);

#endif
