/* SPDX-License-Identifier: Apache-2.0 */
/* Several messages in one write: of one connection, and of a broadcast to many. Over real sockets,
 * on both loops. */
#include "integration/echo_process.h"
#include "integration/io_transport.h"

#include "lib/ws_client.h"
#include "transport/broadcast.h"

enum { READERS = 20, TICK_MESSAGES = 50 };

/* ---- One connection ---- */

enum { BURST = 2000, BURST_BYTES = 100 };

static void send_burst(struct side *side)
{
    uint8_t message[BURST_BYTES] = {0};
    for (unsigned i = 0; i < BURST; i++)
        assert_ok(weft__transport_send(&side->transport, WEFT_WS_OPCODE_BINARY,
                                       weft__slice(message, sizeof(message))));
}

static void nothing(struct side *side, enum weft_ws_opcode opcode, struct weft_slice data)
{
    (void)opcode;
    (void)data;
    if (side->messages == BURST)
        weft__transport_close(&side->transport, WEFT_WS_CLOSE_NORMAL, (struct weft_slice){0});
}

/* Size trigger: 200,000 bytes of one tick leave in sends of 64 KiB. Time trigger: they leave at its
 * end, none of them alone. */
static void messages_of_one_tick_leave_in_few_bounded_writes(void **state)
{
    struct world world;
    world_init(&world, state);
    world.client_open = send_burst;
    world.server_message = nothing;
    (void)dial(&world);
    io_run(world.loop, 10000);
    assert_int_equal(find(&world, true)->messages, BURST);
    size_t bytes = BURST * (BURST_BYTES + 6);
    size_t least = bytes / WEFT_OUTQ_BATCH_BYTES;
    /* And the two halves of the handshake, and the close frames. */
    assert_in_range(weft__loop_stats(world.loop)->sends, least, least + 8);
    world_done(&world);
}

/* ---- Broadcasts ---- */

struct crowd {
    struct process server;
    char url[64];
    struct test_ws *readers[READERS];
};

static void crowd_init(struct crowd *crowd, void **state, size_t readers)
{
    unsigned port;
    static const char *const args[] = {"--broadcast", "--workers", "2", NULL};
    *crowd = (struct crowd){0};
    crowd->server = run_echo_server(state, args, &port);
    (void)snprintf(crowd->url, sizeof(crowd->url), "ws://127.0.0.1:%u/", port);
    for (size_t i = 0; i < readers; i++)
        crowd->readers[i] = test_ws_connect(crowd->url, NULL);
    /* Each has seen itself: from here on all are subscribed. */
    for (size_t i = 0; i < readers; i++) {
        char hello[32];
        (void)snprintf(hello, sizeof(hello), "hello %zu", i);
        test_ws_send(crowd->readers[i], hello);
        for (size_t n = 0; n < readers; n++) {
            const char *text;
            do {
                text = test_ws_recv(crowd->readers[n], 10000);
                assert_non_null(text);
            } while (strcmp(text, hello) != 0);
        }
    }
}

static void crowd_done(struct crowd *crowd)
{
    for (size_t i = 0; i < READERS; i++)
        test_ws_close(crowd->readers[i]);
    assert_int_equal(kill(crowd->server.pid, SIGTERM), 0);
    assert_int_equal(wait_exit(&crowd->server), 0);
}

/* One TCP write with many messages: they are read in one tick. */
static void send_together(struct test_ws *ws, unsigned count)
{
    uint8_t frames[TICK_MESSAGES * 16];
    size_t len = 0;
    for (unsigned i = 0; i < count; i++) {
        char text[8];
        int n = snprintf(text, sizeof(text), "m%u", i);
        frames[len++] = 0x81;
        frames[len++] = (uint8_t)(0x80 | n);
        memset(frames + len, 0, 4); /* a mask of zeroes */
        memcpy(frames + len + 4, text, (size_t)n);
        len += 4 + (size_t)n;
    }
    test_ws_send_raw(ws, frames, len);
}

static void broadcast_reaches_everybody_on_every_worker_in_order(void **state)
{
    struct crowd crowd;
    crowd_init(&crowd, state, READERS);
    for (unsigned round = 0; round < 5; round++) {
        send_together(crowd.readers[round], TICK_MESSAGES);
        for (size_t i = 0; i < READERS; i++) {
            for (unsigned n = 0; n < TICK_MESSAGES; n++) {
                char want[8];
                (void)snprintf(want, sizeof(want), "m%u", n);
                const char *got = test_ws_recv(crowd.readers[i], 10000);
                assert_non_null(got);
                assert_string_equal(got, want);
            }
        }
    }
    crowd_done(&crowd);
}

static void reader_that_does_not_read_is_closed_and_nobody_waits_for_it(void **state)
{
    enum { LARGE_MESSAGE = 60000, LARGE_COUNT = 400 };
    struct crowd crowd;
    crowd_init(&crowd, state, 3);
    uint8_t *data = calloc(1, LARGE_MESSAGE);
    for (unsigned n = 0; n < LARGE_COUNT; n++) {
        memset(data, 'a' + (int)(n % 26), LARGE_MESSAGE - 1);
        test_ws_send(crowd.readers[0], (const char *)data);
        for (size_t i = 0; i < 2; i++) {
            const char *got = test_ws_recv(crowd.readers[i], 10000);
            assert_non_null(got);
            assert_string_equal(got, (const char *)data);
        }
    }
    free(data);
    /* It had at most what it was given before it fell behind, then the reason. */
    unsigned got = 0;
    while (test_ws_recv(crowd.readers[2], 10000))
        got++;
    assert_in_range(got, 1, LARGE_COUNT - 1);
    assert_int_equal(test_ws_wait_closed(crowd.readers[2], 10000), WEFT_WS_CLOSE_POLICY);
    crowd_done(&crowd);
}

static void broadcast_is_for_servers(void **state)
{
    (void)state;
    static const char *const args[] = {"--connect", "ws://127.0.0.1:1", "--broadcast", NULL};
    struct process process = run_echo(args);
    assert_int_equal(wait_exit(&process), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_of_one_tick_leave_in_few_bounded_writes),
        cmocka_unit_test(broadcast_reaches_everybody_on_every_worker_in_order),
        cmocka_unit_test(reader_that_does_not_read_is_closed_and_nobody_waits_for_it),
        cmocka_unit_test(broadcast_is_for_servers),
    };
    return io_run_tests_above("test_message_batching", tests, WEFT_ARRAY_LEN(tests));
}
