/* SPDX-License-Identifier: Apache-2.0 */
/* Topics: who gets what, in which order, in how many pieces, and what happens to the slow. */
#include "topic/topic.h"

#include "lib/random.h"
#include "lib/test.h"

enum { LOG_MAX = 4096 };

/* A subscriber that reads its messages, each a number in text, back out of the frames. */
struct reader {
    struct weft_topic_subscriber subscriber;
    unsigned got[LOG_MAX];
    size_t count;
    size_t sends;
    size_t unsent;
    struct weft_buf *last; /* not a reference: only compared */
    size_t held;
    bool lagged;
    bool compressed;
    bool recoded;
};

static struct reader *reader_of(const struct weft_topic_subscriber *subscriber)
{
    return WEFT_CONTAINER_OF(subscriber, struct reader, subscriber);
}

static void note(struct reader *reader, struct weft_slice payload)
{
    char text[16] = "";
    memcpy(text, payload.ptr, WEFT_MIN(payload.len, sizeof(text) - 1));
    assert_true(reader->count < LOG_MAX);
    reader->got[reader->count++] = (unsigned)strtoul(text, NULL, 10);
}

static void on_send(struct weft_topic_subscriber *subscriber, struct weft_slice frames,
                    struct weft_buf *owner, size_t count)
{
    struct reader *reader = reader_of(subscriber);
    const uint8_t *begin = weft__buf_data(owner);
    assert_true(frames.ptr >= begin && frames.ptr + frames.len <= begin + owner->len);
    reader->sends++;
    reader->last = owner;
    reader->compressed = (frames.ptr[0] & 0x40) != 0;
    reader->recoded = (frames.ptr[0] & 0x0f) == WEFT_WS_OPCODE_BINARY;
    while (frames.len) {
        struct weft_ws_head head;
        ptrdiff_t used = weft__ws_head_decode(frames.ptr, frames.len, &head);
        assert_true(used > 0 && (size_t)used + head.len <= frames.len);
        size_t len = (size_t)head.len;
        note(reader, weft__slice(frames.ptr + used, len));
        frames = weft__slice(frames.ptr + used + len, frames.len - (size_t)used - len);
        count--;
    }
    assert_int_equal(count, 0);
}

static void on_send_message(struct weft_topic_subscriber *subscriber,
                            struct weft_ws_message *message)
{
    reader_of(subscriber)->sends++;
    note(reader_of(subscriber), weft__ws_message_payload(message));
}

static size_t on_unsent(const struct weft_topic_subscriber *subscriber)
{
    return reader_of(subscriber)->unsent;
}

static void on_held(struct weft_topic_subscriber *subscriber)
{
    reader_of(subscriber)->held++;
}

static void on_lagged(struct weft_topic_subscriber *subscriber)
{
    reader_of(subscriber)->lagged = true;
    weft__topic_unsubscribe(subscriber);
}

static const struct weft_topic_ops ops = {on_send, on_send_message, on_unsent, on_held, on_lagged};

struct world {
    struct test_alloc mem;
    struct weft_topics topics;
    struct weft_topic topic;
    unsigned deflated;
    unsigned recoded;
    bool no_recoding; /* there is no memory for it */
};

/* "Compresses" by setting RSV1. */
static void deflate(void *ctx, struct weft_ws_message *message)
{
    struct world *world = ctx;
    world->deflated++;
    struct weft_buf *frame = weft__buf_new_copy(message->alloc, weft__buf_slice(message->plain));
    assert_non_null(frame);
    weft__buf_data(frame)[0] |= 0x40;
    weft__ws_message_set_deflated(message, frame);
    weft__buf_unref(frame);
}

/* The other wire of this test is the same text as binary messages. */
static void recode(void *ctx, struct weft_ws_message *message)
{
    struct world *world = ctx;
    world->recoded++;
    struct weft_ws_message *recoded =
        world->no_recoding ? NULL
                           : weft__ws_message_new(message->alloc, WEFT_WS_OPCODE_BINARY,
                                                  weft__ws_message_payload(message));
    if (recoded)
        weft__ws_message_set_recoded(message, recoded);
}

static void world_init(struct world *world, const struct weft_topics_options *options)
{
    struct weft_topics_options own = options ? *options : (struct weft_topics_options){0};
    test_alloc_init(&world->mem);
    own.alloc = &world->mem.alloc;
    own.deflate = deflate;
    own.deflate_ctx = world;
    own.recode = recode;
    own.recode_ctx = world;
    world->deflated = 0;
    world->recoded = 0;
    world->no_recoding = false;
    weft__topics_init(&world->topics, &own);
    weft__topic_init(&world->topic, &world->topics);
}

static void world_done(struct world *world)
{
    weft__topic_done(&world->topic);
    test_alloc_done(&world->mem);
}

static void join(struct world *world, struct reader *reader)
{
    *reader = (struct reader){0};
    weft__topic_subscribe(&world->topic, &reader->subscriber, &ops, WEFT_TOPIC_PLAIN);
}

static void publish(struct world *world, unsigned number, size_t padding, struct reader *except,
                    unsigned flags)
{
    char text[70000];
    memset(text, ' ', sizeof(text));
    int len = snprintf(text, sizeof(text), "%u", number);
    text[len] = ' ';
    struct weft_ws_message *message = weft__ws_message_new(
        &world->mem.alloc, WEFT_WS_OPCODE_TEXT, weft__slice(text, (size_t)len + padding));
    assert_non_null(message);
    assert_ok(
        weft__topic_publish(&world->topic, message, except ? &except->subscriber : NULL, flags));
    weft__ws_message_unref(message);
}

static void say(struct world *world, unsigned number)
{
    publish(world, number, 0, NULL, 0);
}

static void assert_got(const struct reader *reader, size_t count, const unsigned *numbers)
{
    assert_int_equal(reader->count, count);
    assert_memory_equal(reader->got, numbers, count * sizeof(*numbers));
}

static void everybody_gets_what_a_tick_brought_in_one_buffer(void **state)
{
    (void)state;
    struct world world;
    struct reader readers[3];
    world_init(&world, NULL);
    for (size_t i = 0; i < 3; i++)
        join(&world, &readers[i]);
    for (unsigned n = 1; n <= 5; n++)
        say(&world, n);
    assert_int_equal(readers[0].count, 0);
    weft__topics_flush(&world.topics);
    for (size_t i = 0; i < 3; i++) {
        assert_got(&readers[i], 5, (const unsigned[]){1, 2, 3, 4, 5});
        assert_int_equal(readers[i].sends, 1);
        assert_ptr_equal(readers[i].last, readers[0].last);
        weft__topic_unsubscribe(&readers[i].subscriber);
    }
    assert_int_equal(world.topics.stats.deliveries, 15);
    assert_int_equal(world.topics.stats.sends, 3);
    world_done(&world);
}

static void single_message_is_shared_without_a_copy(void **state)
{
    (void)state;
    struct world world;
    struct reader a;
    struct reader b;
    world_init(&world, NULL);
    join(&world, &a);
    join(&world, &b);
    say(&world, 7);
    weft__topics_flush(&world.topics);
    assert_ptr_equal(a.last, b.last);
    assert_int_equal(world.topics.stats.packed, 0);
    weft__topic_unsubscribe(&a.subscriber);
    weft__topic_unsubscribe(&b.subscriber);
    world_done(&world);
}

static void author_gets_everything_but_its_own(void **state)
{
    (void)state;
    struct world world;
    struct reader author;
    struct reader other;
    world_init(&world, NULL);
    join(&world, &author);
    join(&world, &other);
    say(&world, 1);
    say(&world, 2);
    publish(&world, 3, 0, &author, 0);
    publish(&world, 4, 0, &author, 0);
    say(&world, 5);
    publish(&world, 6, 0, &author, 0);
    say(&world, 7);
    weft__topics_flush(&world.topics);
    assert_got(&author, 4, (const unsigned[]){1, 2, 5, 7});
    assert_got(&other, 7, (const unsigned[]){1, 2, 3, 4, 5, 6, 7});
    weft__topic_unsubscribe(&author.subscriber);
    weft__topic_unsubscribe(&other.subscriber);
    world_done(&world);
}

static void two_authors_taking_turns_get_each_others(void **state)
{
    (void)state;
    enum { TURNS = 200 };
    struct world world;
    struct reader readers[2];
    world_init(&world, NULL);
    join(&world, &readers[0]);
    join(&world, &readers[1]);
    publish(&world, 0, 0, &readers[0], 0);
    for (unsigned n = 1; n < TURNS; n++)
        publish(&world, n, 0, &readers[n % 50 != 0], 0);
    weft__topics_flush(&world.topics);
    assert_int_equal(readers[0].count + readers[1].count, TURNS);
    for (size_t i = 0; i < 2; i++) {
        for (size_t n = 1; n < readers[i].count; n++)
            assert_true(readers[i].got[n - 1] < readers[i].got[n]);
        weft__topic_unsubscribe(&readers[i].subscriber);
    }
    world_done(&world);
}

static void newcomer_gets_nothing_older_than_itself(void **state)
{
    (void)state;
    struct world world;
    struct reader old;
    struct reader late;
    world_init(&world, NULL);
    join(&world, &old);
    say(&world, 1);
    join(&world, &late);
    say(&world, 2);
    publish(&world, 3, 0, &late, 0);
    say(&world, 4);
    weft__topics_flush(&world.topics);
    assert_got(&late, 2, (const unsigned[]){2, 4});
    assert_got(&old, 4, (const unsigned[]){1, 2, 3, 4});
    weft__topic_unsubscribe(&old.subscriber);
    weft__topic_unsubscribe(&late.subscriber);
    world_done(&world);
}

static void catching_up_comes_before_the_end_of_the_tick(void **state)
{
    (void)state;
    struct world world;
    struct reader a;
    world_init(&world, NULL);
    join(&world, &a);
    say(&world, 1);
    weft__topic_catch_up(&a.subscriber);
    assert_got(&a, 1, (const unsigned[]){1});
    say(&world, 2);
    weft__topics_flush(&world.topics);
    assert_got(&a, 2, (const unsigned[]){1, 2});
    weft__topic_unsubscribe(&a.subscriber);
    world_done(&world);
}

static void slow_reader_is_passed_over_and_gets_the_rest_later(void **state)
{
    (void)state;
    struct world world;
    struct reader slow;
    struct reader fast;
    world_init(&world, &(struct weft_topics_options){.hold_bytes = 100});
    join(&world, &slow);
    join(&world, &fast);
    slow.unsent = 101;
    for (unsigned n = 1; n <= 6; n++) {
        publish(&world, n, 0, NULL, n == 2 ? WEFT_TOPIC_DROPPABLE : 0);
        weft__topics_flush(&world.topics);
    }
    assert_int_equal(slow.count, 0);
    assert_int_equal(fast.count, 6);
    assert_int_equal(world.topics.stats.held, 1);
    assert_int_equal(slow.held, 1);
    slow.unsent = 60;
    weft__topic_ready(&slow.subscriber);
    assert_int_equal(slow.count, 0);
    assert_int_equal(slow.held, 2);
    slow.unsent = 10;
    weft__topic_ready(&slow.subscriber);
    assert_got(&slow, 5, (const unsigned[]){1, 3, 4, 5, 6});
    assert_int_equal(slow.sends, 2);
    say(&world, 7);
    weft__topics_flush(&world.topics);
    assert_int_equal(slow.got[5], 7);
    weft__topic_unsubscribe(&slow.subscriber);
    weft__topic_unsubscribe(&fast.subscriber);
    world_done(&world);
}

static void reader_that_falls_off_the_ring_has_lagged(void **state)
{
    (void)state;
    struct world world;
    struct reader slow;
    struct reader fast;
    world_init(&world, &(struct weft_topics_options){.hold_bytes = 100, .max_bytes = 10010});
    join(&world, &slow);
    join(&world, &fast);
    slow.unsent = 101;
    for (unsigned n = 1; n <= 11; n++) {
        publish(&world, n, 995, NULL, 0);
        weft__topics_flush(&world.topics);
        assert_true(slow.lagged == (n == 11));
    }
    assert_int_equal(slow.count, 0);
    assert_int_equal(fast.count, 11);
    assert_int_equal(world.topics.stats.lagged, 1);
    weft__topic_unsubscribe(&fast.subscriber);
    world_done(&world);
}

static void more_than_a_ring_in_one_tick_loses_nothing(void **state)
{
    (void)state;
    struct world world;
    struct reader a;
    world_init(&world, &(struct weft_topics_options){.max_messages = 8, .max_bytes = 500000});
    join(&world, &a);
    for (unsigned n = 1; n <= 100; n++)
        publish(&world, n, n % 7 == 0 ? 60000 : 0, NULL, 0);
    weft__topics_flush(&world.topics);
    assert_int_equal(a.count, 100);
    for (unsigned n = 0; n < 100; n++)
        assert_int_equal(a.got[n], n + 1);
    weft__topic_unsubscribe(&a.subscriber);
    world_done(&world);
}

static void message_is_compressed_once_for_all_who_want_it(void **state)
{
    (void)state;
    struct world world;
    struct reader readers[4];
    world_init(&world, NULL);
    for (size_t i = 0; i < 4; i++) {
        readers[i] = (struct reader){0};
        weft__topic_subscribe(&world.topic, &readers[i].subscriber, &ops,
                              i < 2    ? WEFT_TOPIC_DEFLATED
                              : i == 2 ? WEFT_TOPIC_PLAIN
                                       : WEFT_TOPIC_OWN);
    }
    say(&world, 1);
    say(&world, 2);
    weft__topics_flush(&world.topics);
    assert_int_equal(world.deflated, 2);
    assert_true(readers[0].compressed && readers[1].compressed && !readers[2].compressed);
    assert_ptr_equal(readers[0].last, readers[1].last);
    assert_int_equal(readers[3].sends, 2);
    for (size_t i = 0; i < 4; i++) {
        assert_got(&readers[i], 2, (const unsigned[]){1, 2});
        weft__topic_unsubscribe(&readers[i].subscriber);
    }
    world_done(&world);
}

static void message_is_recoded_once_for_all_on_the_other_wire(void **state)
{
    (void)state;
    struct world world;
    struct reader readers[4];
    world_init(&world, NULL);
    for (size_t i = 0; i < 4; i++) {
        readers[i] = (struct reader){0};
        weft__topic_subscribe(&world.topic, &readers[i].subscriber, &ops,
                              i < 2    ? WEFT_TOPIC_RECODED
                              : i == 2 ? WEFT_TOPIC_RECODED_DEFLATED
                                       : WEFT_TOPIC_PLAIN);
    }
    say(&world, 1);
    say(&world, 2);
    weft__topics_flush(&world.topics);
    assert_int_equal(world.recoded, 2);
    assert_int_equal(world.deflated, 2);
    assert_ptr_equal(readers[0].last, readers[1].last);
    assert_true(readers[0].recoded && !readers[0].compressed);
    assert_true(readers[2].recoded && readers[2].compressed);
    assert_false(readers[3].recoded || readers[3].compressed);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(readers[i].sends, 1);
        assert_got(&readers[i], 2, (const unsigned[]){1, 2});
        weft__topic_unsubscribe(&readers[i].subscriber);
    }
    world_done(&world);
}

static void what_cannot_be_recoded_is_handed_over_as_it_is(void **state)
{
    (void)state;
    struct world world;
    struct reader reader = {0};
    world_init(&world, NULL);
    world.no_recoding = true;
    weft__topic_subscribe(&world.topic, &reader.subscriber, &ops, WEFT_TOPIC_RECODED);
    say(&world, 1);
    say(&world, 2);
    weft__topics_flush(&world.topics);
    assert_int_equal(reader.sends, 2);
    assert_got(&reader, 2, (const unsigned[]){1, 2});
    weft__topic_unsubscribe(&reader.subscriber);
    world_done(&world);
}

static void nobody_subscribed_means_nothing_is_kept(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    size_t before = world.mem.live_blocks;
    say(&world, 1);
    assert_int_equal(world.mem.live_blocks, before);
    weft__topics_flush(&world.topics);
    world_done(&world);
}

static int publish_some(const struct weft_alloc *alloc, void *ctx)
{
    (void)ctx;
    struct weft_topics topics;
    struct weft_topic topic;
    struct reader a = {0};
    int err = 0;
    weft__topics_init(&topics, &(struct weft_topics_options){.alloc = alloc});
    weft__topic_init(&topic, &topics);
    weft__topic_subscribe(&topic, &a.subscriber, &ops, WEFT_TOPIC_PLAIN);
    size_t published = 0;
    for (unsigned n = 0; n < 20 && !err; n++) {
        struct weft_ws_message *message =
            weft__ws_message_new(alloc, WEFT_WS_OPCODE_TEXT, WEFT_SLICE_LIT("1"));
        err = message ? weft__topic_publish(&topic, message, NULL, 0) : WEFT_ERR_NOMEM;
        published += err == 0;
        weft__ws_message_unref(message);
    }
    weft__topics_flush(&topics);
    assert_int_equal(a.count, published);
    weft__topic_unsubscribe(&a.subscriber);
    weft__topic_done(&topic);
    return err;
}

static void lack_of_memory_loses_nothing_that_was_published(void **state)
{
    (void)state;
    (void)test_each_alloc_failure(publish_some, NULL);
}

/* ---- Against a model ---- */

enum { READERS = 6, STEPS = 600 };

struct model {
    unsigned want[LOG_MAX];
    bool may_drop[LOG_MAX];
    size_t count;
    bool joined;
};

/* What a reader got is what the model wants, but for droppable messages. */
static void check(const struct reader *reader, const struct model *model, bool complete)
{
    size_t at = 0;
    for (size_t i = 0; i < reader->count; i++) {
        while (at < model->count && model->want[at] != reader->got[i]) {
            assert_true(model->may_drop[at]);
            at++;
        }
        assert_true(at < model->count);
        at++;
    }
    for (; complete && at < model->count; at++)
        assert_true(model->may_drop[at]);
}

static void random_publish(struct world *world, struct test_random *rng, struct reader *readers,
                           struct model *models, unsigned number)
{
    size_t author = test_random_below(rng, READERS);
    bool except = models[author].joined && test_random_one_in(rng, 2);
    bool droppable = test_random_one_in(rng, 4);
    for (size_t i = 0; i < READERS; i++) {
        struct model *model = &models[i];
        if (!model->joined || (except && i == author))
            continue;
        model->may_drop[model->count] = droppable;
        model->want[model->count++] = number;
    }
    publish(world, number, test_random_one_in(rng, 10) ? test_random_size(rng, 0, 60000) : 3,
            except ? &readers[author] : NULL, droppable ? WEFT_TOPIC_DROPPABLE : 0);
}

static void random_step(struct world *world, struct test_random *rng, struct reader *readers,
                        struct model *models, unsigned step)
{
    size_t i = test_random_below(rng, READERS);
    switch (test_random_below(rng, 10)) {
    case 0:
        if (!models[i].joined) {
            models[i] = (struct model){.joined = true};
            join(world, &readers[i]);
        } else {
            check(&readers[i], &models[i], false);
            weft__topic_unsubscribe(&readers[i].subscriber);
            models[i].joined = false;
        }
        break;
    case 1:
        if (models[i].joined)
            readers[i].unsent = test_random_one_in(rng, 2) ? 1000 : 0;
        break;
    case 2:
        if (models[i].joined && readers[i].unsent == 0)
            weft__topic_ready(&readers[i].subscriber);
        break;
    case 3:
        if (models[i].joined) {
            weft__topic_catch_up(&readers[i].subscriber);
            check(&readers[i], &models[i], true);
        }
        break;
    case 4:
        weft__topics_flush(&world->topics);
        break;
    default:
        random_publish(world, rng, readers, models, step + 1);
        break;
    }
    for (size_t n = 0; n < READERS; n++) {
        if (models[n].joined && readers[n].lagged)
            models[n].joined = false;
    }
}

static void random_life_agrees_with_a_model(void **state)
{
    (void)state;
    struct test_random rng;
    test_random_init(&rng, "topic");
    static struct reader readers[READERS];
    static struct model models[READERS];
    for (unsigned run = 0; run < 40; run++) {
        struct world world;
        world_init(&world, &(struct weft_topics_options){
                               .hold_bytes = 500, .max_messages = 32, .max_bytes = 200000});
        memset(models, 0, sizeof(models));
        for (unsigned step = 0; step < STEPS; step++)
            random_step(&world, &rng, readers, models, step);
        weft__topics_flush(&world.topics);
        for (size_t i = 0; i < READERS; i++) {
            if (!models[i].joined)
                continue;
            weft__topic_catch_up(&readers[i].subscriber);
            check(&readers[i], &models[i], true);
            weft__topic_unsubscribe(&readers[i].subscriber);
        }
        world_done(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everybody_gets_what_a_tick_brought_in_one_buffer),
        cmocka_unit_test(single_message_is_shared_without_a_copy),
        cmocka_unit_test(author_gets_everything_but_its_own),
        cmocka_unit_test(two_authors_taking_turns_get_each_others),
        cmocka_unit_test(newcomer_gets_nothing_older_than_itself),
        cmocka_unit_test(catching_up_comes_before_the_end_of_the_tick),
        cmocka_unit_test(slow_reader_is_passed_over_and_gets_the_rest_later),
        cmocka_unit_test(reader_that_falls_off_the_ring_has_lagged),
        cmocka_unit_test(more_than_a_ring_in_one_tick_loses_nothing),
        cmocka_unit_test(message_is_compressed_once_for_all_who_want_it),
        cmocka_unit_test(message_is_recoded_once_for_all_on_the_other_wire),
        cmocka_unit_test(what_cannot_be_recoded_is_handed_over_as_it_is),
        cmocka_unit_test(nobody_subscribed_means_nothing_is_kept),
        cmocka_unit_test(lack_of_memory_loses_nothing_that_was_published),
        cmocka_unit_test(random_life_agrees_with_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
