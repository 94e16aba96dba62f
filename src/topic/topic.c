/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ring of a topic and the cursors into it. Positions are message numbers that only grow:
 * first ≤ cursor of who is behind ≤ flushed ≤ next.
 */
#include "topic/topic.h"

enum {
    RING_MIN = 8,
    RING_KEPT = 32, /* a larger ring is given back when it is empty */
};

void weft__topics_init(struct weft_topics *topics, const struct weft_topics_options *options)
{
    *topics = (struct weft_topics){.options = *options};
    struct weft_topics_options *own = &topics->options;
    if (!own->max_bytes)
        own->max_bytes = WEFT_TOPIC_MAX_BYTES;
    if (!own->max_messages)
        own->max_messages = WEFT_TOPIC_MAX_MESSAGES;
    if (!own->hold_bytes)
        own->hold_bytes = WEFT_TOPIC_HOLD_BYTES;
    WEFT_ASSERT(own->max_messages >= RING_MIN &&
                (own->max_messages & (own->max_messages - 1)) == 0);
    weft__list_init(&topics->dirty);
}

void weft__topic_init(struct weft_topic *topic, struct weft_topics *topics)
{
    *topic = (struct weft_topic){.topics = topics};
    weft__list_init(&topic->dirty);
    weft__list_init(&topic->current);
    weft__list_init(&topic->behind);
}

static struct weft_topic_subscriber *subscriber_of(struct weft_list *node)
{
    return WEFT_CONTAINER_OF(node, struct weft_topic_subscriber, node);
}

/* ---- The ring ---- */

static struct weft_topic_entry *entry_at(const struct weft_topic *topic, uint64_t n)
{
    return &topic->ring[n & (topic->cap - 1)];
}

static void free_ring(struct weft_topic *topic)
{
    weft__mem_free(topic->topics->options.alloc, topic->ring, topic->cap * sizeof(*topic->ring));
    topic->ring = NULL;
    topic->cap = 0;
}

/* Drops messages before |n|. */
static void trim_to(struct weft_topic *topic, uint64_t n)
{
    for (; topic->first < n; topic->first++) {
        struct weft_topic_entry *entry = entry_at(topic, topic->first);
        topic->bytes -= entry->message->plain->len;
        weft__ws_message_unref(entry->message);
    }
}

/* Drops what nobody needs any more. */
static void trim(struct weft_topic *topic)
{
    uint64_t needed = topic->flushed;
    WEFT_LIST_EACH (node, &topic->behind)
        needed = WEFT_MIN(needed, subscriber_of(node)->cursor);
    trim_to(topic, needed);
    if (topic->first == topic->next && topic->cap > RING_KEPT)
        free_ring(topic);
}

/* Makes room for one more entry. */
static bool grow(struct weft_topic *topic)
{
    if (topic->next - topic->first < topic->cap)
        return true;
    size_t cap = topic->cap ? topic->cap * 2 : RING_MIN;
    struct weft_topic_entry *ring =
        weft__mem_alloc_array(topic->topics->options.alloc, cap, sizeof(*ring));
    if (!ring)
        return false;
    for (uint64_t n = topic->first; n < topic->next; n++)
        ring[n & (cap - 1)] = *entry_at(topic, n);
    free_ring(topic);
    topic->ring = ring;
    topic->cap = cap;
    return true;
}

void weft__topic_done(struct weft_topic *topic)
{
    WEFT_ASSERT(weft__topic_empty(topic));
    trim_to(topic, topic->next);
    free_ring(topic);
    weft__list_remove(&topic->dirty);
}

/* ---- Frames ---- */

static bool is_recoded(enum weft_topic_variant variant)
{
    return variant == WEFT_TOPIC_RECODED || variant == WEFT_TOPIC_RECODED_DEFLATED;
}

struct weft_buf *weft__topics_frame(struct weft_topics *topics, struct weft_ws_message *message,
                                    enum weft_topic_variant variant)
{
    const struct weft_topics_options *options = &topics->options;
    if (variant == WEFT_TOPIC_OWN)
        return NULL;
    if (is_recoded(variant)) {
        if (!weft__ws_message_recoded(message))
            options->recode(options->recode_ctx, message);
        message = weft__ws_message_recoded(message);
    }
    if (!message)
        return NULL;
    if (variant == WEFT_TOPIC_PLAIN || variant == WEFT_TOPIC_RECODED || !options->deflate)
        return message->plain;
    if (!weft__ws_message_tried(message))
        options->deflate(options->deflate_ctx, message);
    struct weft_buf *deflated = weft__ws_message_deflated(message);
    return deflated ? deflated : message->plain;
}

static struct weft_buf *frame_of(struct weft_topic *topic, uint64_t n, unsigned variant)
{
    return weft__topics_frame(topic->topics, entry_at(topic, n)->message,
                              (enum weft_topic_variant)variant);
}

/* More than WEFT_TOPIC_PACK_BYTES also when one of them cannot be made. */
static size_t frames_len(struct weft_topic *topic, uint64_t from, uint64_t to, unsigned variant)
{
    size_t len = 0;
    for (uint64_t n = from; n < to && len <= WEFT_TOPIC_PACK_BYTES; n++) {
        const struct weft_buf *frame = frame_of(topic, n, variant);
        len += frame ? frame->len : WEFT_TOPIC_PACK_BYTES + 1;
    }
    return len;
}

/* The frames from |from| to before |to| in one buffer, or NULL when they are better sent one by
 * one: too long to be copied, or there is no memory. */
static struct weft_topic_pack *pack(struct weft_topic *topic, uint64_t from, uint64_t to,
                                    unsigned variant)
{
    struct weft_topic_pack *have = &topic->packs[variant];
    if (have->frames && have->from == from && have->to == to)
        return have;
    size_t len = frames_len(topic, from, to, variant);
    if (len > WEFT_TOPIC_PACK_BYTES)
        return NULL;
    struct weft_buf *frames = weft__buf_new(topic->topics->options.alloc, len);
    if (!frames)
        return NULL;
    uint8_t *at = weft__buf_data(frames);
    for (uint64_t n = from; n < to; n++) {
        struct weft_buf *frame = frame_of(topic, n, variant);
        memcpy(at, weft__buf_data(frame), frame->len);
        at += frame->len;
    }
    topic->topics->stats.packed += len;
    weft__buf_unref(have->frames);
    *have = (struct weft_topic_pack){frames, from, to};
    return have;
}

static void drop_packs(struct weft_topic *topic)
{
    for (size_t i = 0; i < WEFT_ARRAY_LEN(topic->packs); i++) {
        weft__buf_unref(topic->packs[i].frames);
        topic->packs[i] = (struct weft_topic_pack){0};
    }
}

/* ---- Handing over ---- */

static void hand_one(struct weft_topic *topic, struct weft_topic_subscriber *subscriber, uint64_t n)
{
    struct weft_buf *frame = frame_of(topic, n, subscriber->variant);
    topic->topics->stats.deliveries++;
    topic->topics->stats.sends++;
    if (frame)
        subscriber->ops->send(subscriber, weft__buf_slice(frame), frame, 1);
    else
        subscriber->ops->send_message(subscriber, entry_at(topic, n)->message);
}

/* Hands over everything from |from| to before |to|, none of which is spared. */
static void hand_run(struct weft_topic *topic, struct weft_topic_subscriber *subscriber,
                     uint64_t from, uint64_t to)
{
    /* Who is in step gets a part of what all the others get. */
    bool in_step = from >= topic->flushed;
    struct weft_topic_pack *whole = NULL;
    if (to - from > 1 && subscriber->variant != WEFT_TOPIC_OWN)
        whole = pack(topic, in_step ? topic->flushed : from, in_step ? topic->next : to,
                     subscriber->variant);
    if (!whole) {
        for (uint64_t n = from; n < to; n++)
            hand_one(topic, subscriber, n);
        return;
    }
    size_t at = frames_len(topic, whole->from, from, subscriber->variant);
    size_t len = whole->frames->len - at - frames_len(topic, to, whole->to, subscriber->variant);
    topic->topics->stats.deliveries += to - from;
    topic->topics->stats.sends++;
    subscriber->ops->send(subscriber, weft__slice(weft__buf_data(whole->frames) + at, len),
                          whole->frames, (size_t)(to - from));
}

/* The same, but what is not meant for |subscriber| is left out. */
static void hand_over(struct weft_topic *topic, struct weft_topic_subscriber *subscriber,
                      uint64_t from, uint64_t to)
{
    uint64_t spared_from = WEFT_MAX(subscriber->spared_from, from);
    uint64_t spared_to = WEFT_MIN(subscriber->spared_to, to);
    if (spared_from >= spared_to) {
        if (from < to)
            hand_run(topic, subscriber, from, to);
        return;
    }
    if (from < spared_from)
        hand_run(topic, subscriber, from, spared_from);
    if (spared_to < to)
        hand_run(topic, subscriber, spared_to, to);
}

/* The end of the next piece for a subscriber that is behind: messages that belong together, up to
 * |WEFT_TOPIC_PACK_BYTES|. |ret_from| skips what it does without. */
static uint64_t next_piece(const struct weft_topic *topic, uint64_t cursor, uint64_t *ret_from)
{
    while (cursor < topic->flushed && entry_at(topic, cursor)->droppable)
        cursor++;
    *ret_from = cursor;
    size_t len = 0;
    for (; cursor < topic->flushed && !entry_at(topic, cursor)->droppable; cursor++) {
        len += entry_at(topic, cursor)->message->plain->len;
        if (len > WEFT_TOPIC_PACK_BYTES && cursor > *ret_from)
            break;
    }
    return cursor;
}

static void rejoin(struct weft_topic *topic, struct weft_topic_subscriber *subscriber)
{
    subscriber->is_behind = false;
    weft__list_remove(&subscriber->node);
    weft__list_push(&topic->current, &subscriber->node);
}

/* Gives a subscriber that is behind what it has room for, or everything. */
static void advance(struct weft_topic *topic, struct weft_topic_subscriber *subscriber, bool all)
{
    size_t room = topic->topics->options.hold_bytes / 2;
    while (subscriber->cursor < topic->flushed &&
           (all || subscriber->ops->unsent(subscriber) <= room)) {
        uint64_t from;
        uint64_t to = next_piece(topic, subscriber->cursor, &from);
        hand_over(topic, subscriber, from, to);
        subscriber->cursor = to;
    }
    if (subscriber->cursor == topic->flushed)
        rejoin(topic, subscriber);
    else
        subscriber->ops->held(subscriber);
}

static void fall_behind(struct weft_topic *topic, struct weft_topic_subscriber *subscriber)
{
    topic->topics->stats.held++;
    subscriber->is_behind = true;
    subscriber->cursor = topic->flushed;
    weft__list_remove(&subscriber->node);
    weft__list_push(&topic->behind, &subscriber->node);
    subscriber->ops->held(subscriber);
}

static void flush(struct weft_topic *topic)
{
    const struct weft_topics_options *options = &topic->topics->options;
    weft__list_remove(&topic->dirty);
    WEFT_LIST_EACH_SAFE (node, &topic->current) {
        struct weft_topic_subscriber *subscriber = subscriber_of(node);
        if (subscriber->ops->unsent(subscriber) > options->hold_bytes)
            fall_behind(topic, subscriber);
        else
            hand_over(topic, subscriber, topic->flushed, topic->next);
    }
    topic->flushed = topic->next;
    drop_packs(topic);
    trim(topic);
}

void weft__topics_flush(struct weft_topics *topics)
{
    struct weft_list *node;
    while ((node = weft__list_pop(&topics->dirty)))
        flush(WEFT_CONTAINER_OF(node, struct weft_topic, dirty));
}

void weft__topic_catch_up(struct weft_topic_subscriber *subscriber)
{
    struct weft_topic *topic = subscriber->topic;
    if (!weft__list_empty(&topic->dirty))
        flush(topic);
    if (!subscriber->is_behind)
        return;
    advance(topic, subscriber, true);
    drop_packs(topic);
    trim(topic);
}

void weft__topic_ready(struct weft_topic_subscriber *subscriber)
{
    struct weft_topic *topic = subscriber->topic;
    if (!subscriber->is_behind)
        return;
    advance(topic, subscriber, false);
    drop_packs(topic);
    trim(topic);
}

/* ---- Publishing ---- */

static bool full(const struct weft_topic *topic, size_t more)
{
    const struct weft_topics_options *options = &topic->topics->options;
    return topic->next - topic->first >= options->max_messages ||
           (topic->next != topic->first && topic->bytes + more > options->max_bytes);
}

/* Makes the ring fit |more| bytes: what was not handed over is, then whoever needs the oldest
 * messages has lagged; |except| becomes NULL when it is among them. */
static void make_room(struct weft_topic *topic, size_t more, struct weft_topic_subscriber **except)
{
    if (!full(topic, more))
        return;
    flush(topic);
    while (full(topic, more)) {
        uint64_t oldest = topic->first;
        WEFT_LIST_EACH_SAFE (node, &topic->behind) {
            struct weft_topic_subscriber *subscriber = subscriber_of(node);
            if (subscriber->cursor > oldest)
                continue;
            if (subscriber == *except)
                *except = NULL;
            topic->topics->stats.lagged++;
            subscriber->ops->lagged(subscriber);
        }
        trim(topic);
        WEFT_ASSERT(topic->first > oldest); /* Who lagged was unsubscribed. */
    }
}

/* Whether the run of messages that |subscriber| is spared goes on with the next one. */
static bool run_goes_on(const struct weft_topic *topic,
                        const struct weft_topic_subscriber *subscriber)
{
    return subscriber->spared_to == topic->next;
}

/* Only one run is noted: what lies before a new one is handed over first. */
static void settle(struct weft_topic *topic, struct weft_topic_subscriber *subscriber)
{
    uint64_t at = subscriber->is_behind ? subscriber->cursor : topic->flushed;
    if (!run_goes_on(topic, subscriber) && subscriber->spared_to > at)
        weft__topic_catch_up(subscriber);
}

/* The next message is not meant for |subscriber|. */
static void spare(struct weft_topic *topic, struct weft_topic_subscriber *subscriber)
{
    if (!run_goes_on(topic, subscriber))
        subscriber->spared_from = topic->next;
    subscriber->spared_to = topic->next + 1;
}

int weft__topic_publish(struct weft_topic *topic, struct weft_ws_message *message,
                        struct weft_topic_subscriber *except, unsigned flags)
{
    make_room(topic, message->plain->len, &except);
    if (weft__topic_empty(topic))
        return 0;
    if (except)
        settle(topic, except);
    if (!grow(topic))
        return WEFT_ERR_NOMEM;
    if (except)
        spare(topic, except);
    *entry_at(topic, topic->next) = (struct weft_topic_entry){
        .message = weft__ws_message_ref(message),
        .droppable = (flags & WEFT_TOPIC_DROPPABLE) != 0,
    };
    topic->next++;
    topic->bytes += message->plain->len;
    topic->topics->stats.published++;
    if (weft__list_empty(&topic->dirty))
        weft__list_push(&topic->topics->dirty, &topic->dirty);
    return 0;
}

/* ---- Subscribers ---- */

void weft__topic_subscribe(struct weft_topic *topic, struct weft_topic_subscriber *subscriber,
                           const struct weft_topic_ops *ops, enum weft_topic_variant variant)
{
    /* Those in step stand at |flushed|: what is newer was not meant for this one. */
    *subscriber = (struct weft_topic_subscriber){
        .topic = topic,
        .ops = ops,
        .spared_from = topic->flushed,
        .spared_to = topic->next,
        .variant = (uint8_t)variant,
    };
    weft__list_push(&topic->current, &subscriber->node);
}

void weft__topic_unsubscribe(struct weft_topic_subscriber *subscriber)
{
    weft__list_remove(&subscriber->node);
    trim(subscriber->topic);
}
