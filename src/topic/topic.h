/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Topics: handing a message to all subscribers of one worker. A broadcast is a tree: whoever
 * publishes hands one message to each worker with subscribers, and a topic there, the relay, hands
 * it on.
 *
 *                    ┌─► topic (worker 0) ─► subscriber, subscriber, …
 *   publisher ───────┤
 *   (one message)    └─► topic (worker 1) ─► subscriber, …
 *
 * What is published during a tick waits in the topic's ring until weft__topics_flush at the tick's
 * end. Then the frames of the ring are packed into one buffer, and every subscriber gets that
 * buffer by reference: one encoding, one compression, one packing, and one send for each receiver,
 * however many messages there were.
 *
 *   ring:  │ m4 │ m5 │ m6 │ m7 │ m8 │
 *            ▲              ▲         ▲ next
 *            │              flushed: where everybody in step stands
 *            cursor of a subscriber that is behind
 *
 * A subscriber with too many unsent bytes falls *behind*: it keeps a cursor into the ring and gets
 * many messages in one buffer once it has read. The ring is bounded; one whose cursor falls off its
 * end has *lagged*, and its owner decides what that means. Messages that only the newest of matters
 * (presence) are skipped for who is behind.
 *
 * **Thread:** a worker's topics belong to it.
 */
#ifndef WEFT_TOPIC_TOPIC_H
#define WEFT_TOPIC_TOPIC_H

#include "base/list.h"
#include "ws/message.h"

enum {
    WEFT_TOPIC_MAX_BYTES = 1024 * 1024, /* defaults of the options below */
    WEFT_TOPIC_MAX_MESSAGES = 8192,
    WEFT_TOPIC_HOLD_BYTES = 1024 * 1024,
    WEFT_TOPIC_PACK_BYTES = 64 * 1024, /* longer runs of messages are not copied together */
};

/* Which frames a subscriber gets. */
enum weft_topic_variant {
    WEFT_TOPIC_PLAIN,
    WEFT_TOPIC_DEFLATED, /* frames that stand alone; the plain one where compressing does not pay */
    WEFT_TOPIC_RECODED,  /* on the other wire: what the option |recode| makes of a message */
    WEFT_TOPIC_RECODED_DEFLATED,
    WEFT_TOPIC_OWN, /* it encodes each message for itself: its compression has a context */
};

struct weft_topic_subscriber;

struct weft_topic_ops {
    /* Sends |frames|, whole frames of |count| messages one behind the other, which lie in |owner|:
     * takes a reference to that if it keeps them. */
    void (*send)(struct weft_topic_subscriber *subscriber, struct weft_slice frames,
                 struct weft_buf *owner, size_t count);
    /* The same for one message, to a subscriber of the variant OWN, or when there was no memory to
     * recode it. */
    void (*send_message)(struct weft_topic_subscriber *subscriber, struct weft_ws_message *message);
    /* Bytes it was given that are not sent. */
    size_t (*unsent)(const struct weft_topic_subscriber *subscriber);
    /* These are more than |hold_bytes|, and it gets nothing more: its owner calls weft__topic_ready
     * when they have fallen below half of that. */
    void (*held)(struct weft_topic_subscriber *subscriber);
    /* Messages it did not get are gone. The callee unsubscribes it, and nobody else. */
    void (*lagged)(struct weft_topic_subscriber *subscriber);
};

struct weft_topics_options {
    const struct weft_alloc *alloc;
    size_t max_bytes;      /* of frames that a ring keeps for who is behind; 0: default */
    unsigned max_messages; /* the same in messages, a power of two; 0: default */
    size_t hold_bytes;     /* unsent bytes with which a subscriber falls behind; 0: default */
    /* Tries to compress |message| (weft__ws_message_set_deflated); NULL: nothing is compressed. */
    void (*deflate)(void *ctx, struct weft_ws_message *message);
    void *deflate_ctx;
    /* Says |message| on the other wire (weft__ws_message_set_recoded), if there is memory. Must be
     * there when a subscriber wants what is recoded. */
    void (*recode)(void *ctx, struct weft_ws_message *message);
    void *recode_ctx;
};

struct weft_topics_stats {
    uint64_t published;  /* messages */
    uint64_t deliveries; /* messages handed to a subscriber */
    uint64_t sends;      /* buffers they were handed over in */
    uint64_t packed;     /* bytes copied together */
    uint64_t held;       /* times a subscriber fell behind */
    uint64_t lagged;     /* subscribers that lost messages */
};

/* The topics of one worker. */
struct weft_topics {
    struct weft_topics_options options;
    struct weft_topics_stats stats;
    struct weft_list dirty; /* topics with messages to be handed over */
};

struct weft_topic_entry {
    struct weft_ws_message *message; /* a reference */
    bool droppable;
};

/* A buffer of several messages, made for one flush. */
struct weft_topic_pack {
    struct weft_buf *frames;
    uint64_t from;
    uint64_t to;
};

struct weft_topic {
    struct weft_topics *topics;
    struct weft_list dirty;   /* in topics->dirty, or alone */
    struct weft_list current; /* subscribers in step, at |flushed| */
    struct weft_list behind;
    struct weft_topic_entry *ring; /* message n at n & (cap - 1); memory only while it is needed */
    size_t cap;
    size_t bytes;     /* of the plain frames in it */
    uint64_t first;   /* the oldest message kept */
    uint64_t flushed; /* the first that those in step did not get */
    uint64_t next;
    struct weft_topic_pack packs[WEFT_TOPIC_OWN]; /* by variant */
};

struct weft_topic_subscriber {
    struct weft_list node; /* in one of the topic's lists */
    struct weft_topic *topic;
    const struct weft_topic_ops *ops;
    uint64_t cursor;      /* while behind: the next message */
    uint64_t spared_from; /* messages not meant for it: the first and the last of a run */
    uint64_t spared_to;
    bool is_behind;
    uint8_t variant; /* enum weft_topic_variant */
};

void weft__topics_init(struct weft_topics *topics, const struct weft_topics_options *options);

/* Hands over what was published. Called once at the end of a tick, before output is sent. */
void weft__topics_flush(struct weft_topics *topics);

/* A topic without subscribers. */
void weft__topic_init(struct weft_topic *topic, struct weft_topics *topics);

/* Drops what it keeps. It has no subscribers. */
void weft__topic_done(struct weft_topic *topic);

/* Whether somebody subscribes. */
static inline bool weft__topic_empty(const struct weft_topic *topic)
{
    return weft__list_empty(&topic->current) && weft__list_empty(&topic->behind);
}

/* Subscribes: it gets what is published from now on. |ops| outlives it. */
void weft__topic_subscribe(struct weft_topic *topic, struct weft_topic_subscriber *subscriber,
                           const struct weft_topic_ops *ops, enum weft_topic_variant variant);

/* Ends it; what it did not get yet it does not get any more. */
void weft__topic_unsubscribe(struct weft_topic_subscriber *subscriber);

enum weft_topic_publish_flag {
    WEFT_TOPIC_DROPPABLE = 1, /* subscribers that are behind do without it */
};

/*
 * Publishes |message| to every subscriber but |except| (NULL: to all); takes a reference. May hand
 * over earlier messages, and end subscribers that lagged.
 * **Errors:** WEFT_ERR_NOMEM: it was handed to nobody.
 */
WEFT_MUST_USE int weft__topic_publish(struct weft_topic *topic, struct weft_ws_message *message,
                                      struct weft_topic_subscriber *except, unsigned flags);

/* The frame of |message| for a receiver of |variant|, made if need be. NULL: it encodes messages
 * for itself, or has to, since there was no memory. **Lifetime:** the message's. */
struct weft_buf *weft__topics_frame(struct weft_topics *topics, struct weft_ws_message *message,
                                    enum weft_topic_variant variant);

/* Hands |subscriber| everything published before now, at once: for what must not overtake it, such
 * as the answer to a call. */
void weft__topic_catch_up(struct weft_topic_subscriber *subscriber);

/* The subscriber's unsent bytes have fallen: it gets more of what it missed. Harmless when it is
 * not behind. */
void weft__topic_ready(struct weft_topic_subscriber *subscriber);

#endif
