/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two deliveries joined by a link that is cut at random: nothing is lost, doubled or out of order,
 * and when a session cannot go on, it says so.
 */
#include "base/compiler.h"
#include "lib/test.h"
#include "rpc/delivery.h"

enum { QUEUE_MAX = 4096, FRAMES_MAX = 5 };

/* On the wire: a data message of |frames| numbers, or an acknowledgement alone. */
struct packet {
    uint64_t first; /* 0: no data */
    uint64_t ack;   /* 0: not said */
    uint64_t item;  /* of its first frame: the application counts, too */
    uint32_t frames;
    uint32_t len; /* bytes behind this head */
};

struct message {
    uint8_t *bytes;
    size_t len;
};

struct end {
    struct world *world;
    struct weft_rpc_delivery delivery;
    struct end *peer;
    uint64_t items_sent;
    uint64_t items_received;
    struct message queue[QUEUE_MAX]; /* on the way to this end */
    size_t first;
    size_t count;
};

struct world {
    struct test_alloc mem;
    struct weft_timer_wheel wheel;
    struct test_random rng;
    struct end ends[2];
    size_t cap;
    bool connected;
    uint64_t now_ms;
    size_t cuts, resumes, replayed, duplicates, overflows;
};

/* ---- the link ---- */

static void transmit(struct end *to, const void *bytes, size_t len)
{
    assert_true(to->count < QUEUE_MAX);
    struct message *message = &to->queue[(to->first + to->count++) % QUEUE_MAX];
    *message = (struct message){.bytes = malloc(len), .len = len};
    assert_non_null(message->bytes);
    memcpy(message->bytes, bytes, len);
}

static struct message take(struct end *end)
{
    struct message message = end->queue[end->first];
    end->first = (end->first + 1) % QUEUE_MAX;
    --end->count;
    return message;
}

static void lose_all(struct end *end)
{
    while (end->count)
        free(take(end).bytes);
}

/* ---- an end ---- */

static void send_ack(struct end *end)
{
    struct packet packet = {.ack = weft__rpc_delivery_take_ack(&end->delivery)};
    if (packet.ack)
        transmit(end->peer, &packet, sizeof(packet));
}

static void ack_due(struct weft_rpc_delivery *delivery)
{
    struct end *end = WEFT_CONTAINER_OF(delivery, struct end, delivery);
    assert_true(end->world->connected);
    send_ack(end);
}

static void send_data(struct end *end)
{
    static uint8_t bytes[sizeof(struct packet) + 4096];
    struct test_random *rng = &end->world->rng;
    struct packet packet = {
        .first = weft__rpc_delivery_next(&end->delivery),
        .item = end->items_sent + 1,
        .frames = test_random_one_in(rng, 4) ? (uint32_t)test_random_size(rng, 2, FRAMES_MAX) : 1,
        .len = (uint32_t)test_random_size(rng, 0, test_random_one_in(rng, 10) ? 4096 : 100)};
    if (end->world->connected && test_random_one_in(rng, 2))
        packet.ack = weft__rpc_delivery_take_ack(&end->delivery);
    memcpy(bytes, &packet, sizeof(packet));
    memset(bytes + sizeof(packet), (int)(packet.item & 0xff), packet.len);
    weft__rpc_delivery_keep(&end->delivery, weft__slice(bytes, sizeof(packet) + packet.len),
                            packet.frames);
    end->items_sent += packet.frames;
    if (end->world->connected)
        transmit(end->peer, bytes, sizeof(packet) + packet.len);
}

static void receive_frames(struct end *end, const struct packet *packet, size_t len)
{
    struct world *world = end->world;
    for (uint32_t i = 0; i < packet->frames; ++i) {
        enum weft_rpc_delivery_verdict verdict = weft__rpc_delivery_received(
            &end->delivery, packet->first + i, i ? 0 : len, world->now_ms * WEFT_NS_PER_MS);
        assert_int_not_equal(verdict, WEFT_RPC_DELIVERY_GAP);
        if (verdict == WEFT_RPC_DELIVERY_NEW) {
            assert_int_equal(packet->item + i, end->items_received + 1);
            ++end->items_received;
        } else {
            assert_true(packet->item + i <= end->items_received);
            ++world->duplicates;
        }
    }
}

static void receive(struct end *end)
{
    struct message message = take(end);
    struct packet packet;
    assert_true(message.len >= sizeof(packet));
    memcpy(&packet, message.bytes, sizeof(packet));
    assert_int_equal(message.len, sizeof(packet) + packet.len);
    for (size_t i = sizeof(packet); i < message.len; ++i)
        assert_int_equal(message.bytes[i], packet.item & 0xff);
    if (packet.ack)
        assert_ok(weft__rpc_delivery_acked(&end->delivery, packet.ack));
    if (packet.first)
        receive_frames(end, &packet, message.len);
    free(message.bytes);
    if (weft__rpc_delivery_wants_ack(&end->delivery))
        send_ack(end);
}

/* ---- cuts and resumes ---- */

/* What is on the way is lost; the two ends notice. */
static void cut(struct world *world)
{
    world->connected = false;
    ++world->cuts;
    for (int i = 0; i < 2; ++i) {
        lose_all(&world->ends[i]);
        weft__rpc_delivery_detach(&world->ends[i].delivery);
    }
}

static void replay_one(void *ctx, struct weft_slice message)
{
    struct end *end = ctx;
    ++end->world->replayed;
    transmit(end->peer, message.ptr, message.len);
}

/* A session of its own; what the old one did not bring is known to be lost. */
static void start_anew(struct world *world)
{
    for (int i = 0; i < 2; ++i) {
        struct end *end = &world->ends[i];
        weft__rpc_delivery_done(&end->delivery);
        weft__rpc_delivery_init(&end->delivery, &world->mem.alloc, &world->wheel, world->cap,
                                ack_due);
        end->items_received = end->peer->items_sent;
    }
}

static void resume(struct world *world)
{
    struct end *client = &world->ends[0], *server = &world->ends[1];
    uint64_t client_seen = weft__rpc_delivery_seen(&client->delivery);
    uint64_t server_seen = weft__rpc_delivery_seen(&server->delivery);
    int err = weft__rpc_delivery_resume(&server->delivery, client_seen);
    if (!err) {
        if (test_random_one_in(&world->rng, 4)) {
            /* The welcome is lost, and perhaps the client sends more before it tries again. */
            ++world->cuts;
            weft__rpc_delivery_detach(&server->delivery);
            return;
        }
        err = weft__rpc_delivery_resume(&client->delivery, server_seen);
    }
    world->connected = true;
    ++world->resumes;
    if (err) {
        /* Nobody is told that a session cannot go on while it could. */
        assert_int_equal(err, WEFT_ERR_LIMIT);
        assert_true(weft__rpc_delivery_overflowed(&client->delivery) ||
                    weft__rpc_delivery_overflowed(&server->delivery));
        ++world->overflows;
        start_anew(world);
        return;
    }
    weft__rpc_delivery_replay(&server->delivery, replay_one, server);
    weft__rpc_delivery_replay(&client->delivery, replay_one, client);
}

/* ---- the property ---- */

static void check(const struct world *world)
{
    size_t held = 0;
    for (int i = 0; i < 2; ++i) {
        const struct end *end = &world->ends[i];
        assert_true(end->items_received <= end->peer->items_sent);
        assert_in_range(weft__rpc_delivery_memory(&end->delivery), 0, world->cap);
        held += weft__rpc_delivery_memory(&end->delivery);
    }
    assert_int_equal(held, world->mem.live_bytes);
}

static void step(struct world *world)
{
    struct test_random *rng = &world->rng;
    struct end *end = &world->ends[test_random_below(rng, 2)];
    switch (test_random_below(rng, 8)) {
    case 0:
    case 1:
    case 2:
        if (end->peer->count < QUEUE_MAX / 8)
            send_data(end);
        break;
    case 3:
        world->now_ms += test_random_below(rng, 60);
        weft__timer_wheel_advance(&world->wheel, world->now_ms * WEFT_NS_PER_MS);
        break;
    default:
        for (size_t n = test_random_size(rng, 1, 4); end->count && n; --n)
            receive(end);
        break;
    }
    if (!world->connected && test_random_one_in(rng, 10))
        resume(world);
    else if (world->connected && test_random_one_in(rng, 60))
        cut(world);
    check(world);
}

static void settle(struct world *world)
{
    while (!world->connected)
        resume(world);
    for (int round = 0; round < 10; ++round) {
        for (int i = 0; i < 2; ++i) {
            while (world->ends[i].count)
                receive(&world->ends[i]);
        }
        world->now_ms += WEFT_RPC_ACK_MS + 2;
        weft__timer_wheel_advance(&world->wheel, world->now_ms * WEFT_NS_PER_MS);
    }
}

static struct world world;

static void run(const char *name, size_t cap, size_t memory_limit, size_t steps)
{
    memset(&world, 0, sizeof(world));
    world.cap = cap;
    world.connected = true;
    test_alloc_init(&world.mem);
    world.mem.limit_bytes = memory_limit;
    test_random_init(&world.rng, name);
    weft__timer_wheel_init(&world.wheel, 0);
    for (int i = 0; i < 2; ++i) {
        world.ends[i].world = &world;
        world.ends[i].peer = &world.ends[1 - i];
        weft__rpc_delivery_init(&world.ends[i].delivery, &world.mem.alloc, &world.wheel, cap,
                                ack_due);
    }
    while (steps--)
        step(&world);
    settle(&world);
    for (int i = 0; i < 2; ++i) {
        assert_int_equal(world.ends[i].items_received, world.ends[i].peer->items_sent);
        /* All is acknowledged, so nothing is kept. */
        assert_int_equal(weft__rpc_delivery_memory(&world.ends[i].delivery), 0);
        weft__rpc_delivery_done(&world.ends[i].delivery);
    }
    assert_int_equal(world.wheel.count, 0);
    test_alloc_done(&world.mem);
    assert_true(world.cuts > 100 && world.resumes > 100 && world.replayed > 100);
}

static void nothing_is_lost_doubled_or_out_of_order_over_cuts(void **state)
{
    (void)state;
    run("nothing_is_lost_doubled_or_out_of_order_over_cuts", (size_t)1 << 20, 0, 200000);
    assert_int_equal(world.overflows, 0);
}

static void with_little_room_the_session_says_when_it_cannot_go_on(void **state)
{
    (void)state;
    run("with_little_room_the_session_says_when_it_cannot_go_on", 3000, 0, 200000);
    assert_true(world.overflows > 10 && world.overflows < world.resumes);
}

static void with_little_memory_the_session_says_when_it_cannot_go_on(void **state)
{
    (void)state;
    run("with_little_memory_the_session_says_when_it_cannot_go_on", (size_t)1 << 20, 6000, 200000);
    assert_true(world.mem.failures > 10);
    assert_true(world.overflows > 10 && world.overflows < world.resumes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost_doubled_or_out_of_order_over_cuts),
        cmocka_unit_test(with_little_room_the_session_says_when_it_cannot_go_on),
        cmocka_unit_test(with_little_memory_the_session_says_when_it_cannot_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
