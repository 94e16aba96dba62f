/* SPDX-License-Identifier: Apache-2.0 */
/* What peers may do slowly or often, and who is given up first when room is needed: the limits of
 * one loop's connections, each with the peer that stays just inside. On both backends. */
#include "integration/io_transport.h"

/* ---- Peers by hand ---- */

/* Sends one frame, masked with zeroes. */
static void frame(int fd, uint8_t head, const void *payload, uint8_t len)
{
    uint8_t bytes[6 + 125] = {head, (uint8_t)(0x80 | len)};
    assert_in_range(len, 0, 125);
    if (len)
        memcpy(bytes + 6, payload, len);
    raw_send(fd, bytes, 6u + len);
}

static uint64_t reached(const struct world *world, enum weft_transport_limit limit)
{
    return world->set.stats.limits[limit];
}

static uint64_t reached_any(const struct world *world)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < WEFT_TRANSPORT_LIMIT_COUNT; i++)
        sum += world->set.stats.limits[i];
    return sum;
}

/* Runs until all is closed; what the server said at last must be a close frame with |code|. */
static void expect_close(struct world *world, int fd, unsigned code)
{
    static uint8_t got[1 << 16];
    size_t len = raw_rest(world, fd, got, sizeof(got));
    for (size_t at = 0; at + 4 <= len; at += 2u + got[at + 1]) {
        assert_in_range(got[at + 1], 0, 125);
        if (got[at] != 0x88)
            continue;
        assert_int_equal(got[at + 2] << 8 | got[at + 3], code);
        (void)close(fd);
        return;
    }
    fail_msg("no close frame in %zu bytes", len);
}

static void start(struct world *world, void **state, struct weft_transport_options options)
{
    world_init_with(world, state, options);
    world->stop_at = SIZE_MAX;
}

/* ---- The head ---- */

static void a_dribbled_head_has_one_deadline(void **state)
{
    struct world world;
    start(&world, state, (struct weft_transport_options){.handshake_ms = 80});
    int fd = raw_connect(&world);
    uint64_t before_ns = weft__clock_now_ns();
    size_t sent = 0;
    char answer[512] = "";
    bool end = false;
    size_t got = 0;
    for (int i = 0; i < 200 && !got; i++) {
        if (sent < sizeof(upgrade) - 10 && world.open + (world.count == 0))
            (void)!send(fd, upgrade + sent++, 1, MSG_NOSIGNAL);
        pass(&world, 5);
        got = raw_read(fd, answer, sizeof(answer) - 1, &end);
    }
    assert_in_range((weft__clock_now_ns() - before_ns) / WEFT_NS_PER_MS, 75, 600);
    assert_true(strncmp(answer, "HTTP/1.1 408 ", 13) == 0);
    pass(&world, 20);
    assert_int_equal(world.open, 0);
    assert_int_equal(reached(&world, WEFT_TRANSPORT_LIMIT_HANDSHAKE), 1);
    (void)close(fd);
    world_done(&world);
}

static void a_connection_that_says_nothing_ends_at_the_deadline(void **state)
{
    struct world world;
    start(&world, state, (struct weft_transport_options){.handshake_ms = 50});
    int fd = raw_connect(&world);
    pass(&world, 20);
    assert_int_equal(world.open, 1);
    pass(&world, 80);
    assert_int_equal(world.open, 0);
    assert_int_equal(reached(&world, WEFT_TRANSPORT_LIMIT_HANDSHAKE), 1);
    (void)close(fd);
    world_done(&world);
}

static void answer_plainly(struct side *side, const struct weft_http1_head *head)
{
    (void)head;
    assert_ok(weft__transport_respond(
        &side->transport, WEFT_SLICE_LIT("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        weft__slice(NULL, 0), NULL, false));
}

static void a_kept_connection_without_a_request_did_nothing_wrong(void **state)
{
    struct world world;
    start(&world, state, (struct weft_transport_options){.handshake_ms = 50});
    world.request = answer_plainly;
    int fd = raw_connect(&world);
    static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    raw_send(fd, request, sizeof(request) - 1);
    pass(&world, 120);
    assert_int_equal(world.open, 0);
    assert_int_equal(reached_any(&world), 0);
    assert_int_equal(find(&world, true)->transport.err, 0);
    (void)close(fd);
    world_done(&world);
}

static void a_head_over_its_limit_is_431(void **state)
{
    struct world world;
    char answer[512] = "";
    bool end = false;
    size_t got = 0;
    world_init(&world, state);
    world.stop_at = SIZE_MAX;
    int fd = raw_connect(&world);
    static char head[WEFT_HTTP1_HEAD_MAX + 1];
    memset(head, 'a', sizeof(head));
    memcpy(head, "GET / HTTP/1.1\r\nX: ", 19);
    raw_send(fd, head, sizeof(head));
    for (int i = 0; i < 100 && !got; i++) {
        pass(&world, 5);
        got = raw_read(fd, answer, sizeof(answer) - 1, &end);
    }
    assert_true(strncmp(answer, "HTTP/1.1 431 ", 13) == 0);
    assert_int_equal(reached(&world, WEFT_TRANSPORT_LIMIT_HEAD), 1);
    (void)close(fd);
    pass(&world, 20);
    world_done(&world);
}

/* ---- Messages ---- */

static void a_message_over_its_limit_is_1009_and_counted(void **state)
{
    struct world world;
    start(&world, state, (struct weft_transport_options){.max_message = 100});
    int fd = raw_upgrade(&world);
    char text[125];
    memset(text, 'x', sizeof(text));
    frame(fd, 0x81, text, 100);
    pass(&world, 20);
    assert_int_equal(find(&world, true)->messages, 1);
    frame(fd, 0x81, text, 101);
    expect_close(&world, fd, 1009);
    assert_int_equal(reached(&world, WEFT_TRANSPORT_LIMIT_MESSAGE), 1);
    world_done(&world);
}

static void fragments_over_their_limit_are_1009_and_counted(void **state)
{
    struct world world;
    start(&world, state, (struct weft_transport_options){.max_fragments = 3});
    int fd = raw_upgrade(&world);
    for (int i = 0; i < 2; i++) {
        frame(fd, 0x01, "a", 1);
        frame(fd, 0x00, "b", 1);
        frame(fd, i ? 0x00 : 0x80, "c", 1);
    }
    frame(fd, 0x80, "d", 1);
    expect_close(&world, fd, 1009);
    assert_int_equal(find(&world, true)->messages, 1);
    assert_int_equal(reached(&world, WEFT_TRANSPORT_LIMIT_FRAGMENTS), 1);
    world_done(&world);
}

static void a_dribbled_message_is_1008(void **state)
{
    struct world world;
    start(&world, state, (struct weft_transport_options){.message_ms = 100});
    int fd = raw_upgrade(&world);
    uint64_t before_ns = weft__clock_now_ns();
    for (int i = 0; i < 200 && !find(&world, true)->ends; i++) {
        frame(fd, i ? 0x00 : 0x01, "x", 1);
        frame(fd, 0x89, NULL, 0); /* being busy in other ways does not help */
        pass(&world, 10);
    }
    assert_in_range((weft__clock_now_ns() - before_ns) / WEFT_NS_PER_MS, 95, 800);
    assert_int_equal(find(&world, true)->end_code, 1008);
    expect_close(&world, fd, 1008);
    assert_int_equal(reached(&world, WEFT_TRANSPORT_LIMIT_SLOW), 1);
    assert_int_equal(reached_any(&world), 1);
    world_done(&world);
}

static void a_dribbled_header_is_a_slow_message_too(void **state)
{
    struct world world;
    start(&world, state, (struct weft_transport_options){.message_ms = 60});
    int fd = raw_upgrade(&world);
    raw_send(fd, "\x81", 1);
    expect_close(&world, fd, 1008);
    assert_int_equal(reached(&world, WEFT_TRANSPORT_LIMIT_SLOW), 1);
    world_done(&world);
}

static void many_messages_without_a_pause_are_not_slow(void **state)
{
    struct world world;
    start(&world, state, (struct weft_transport_options){.message_ms = 500});
    int fd = raw_upgrade(&world);
    struct side *server = find(&world, true);
    /* Every piece ends one message and begins the next. */
    static const uint8_t piece[] = {0x80, 0x81, 0, 0, 0, 0, 'b', 0x01, 0x81, 0, 0, 0, 0, 'a'};
    raw_send(fd, piece + 7, 7);
    for (int i = 0; i < 120; i++) {
        uint8_t got[256];
        bool end;
        raw_send(fd, piece, sizeof(piece));
        pass(&world, 5);
        (void)raw_read(fd, got, sizeof(got), &end);
        assert_false(end);
    }
    assert_int_equal(server->messages, 120);
    assert_int_equal(reached_any(&world), 0);
    raw_send(fd, piece, 7);
    pass(&world, 600);
    assert_int_equal(server->ends, 0);
    (void)close(fd);
    pass(&world, 20);
    world_done(&world);
}

/* ---- Control frames ---- */

static void a_flood_of_control_frames_is_1008(void **state)
{
    static const uint8_t heads[] = {0x89, 0x8a};
    for (size_t i = 0; i < sizeof(heads); i++) {
        struct world world;
        start(&world, state, (struct weft_transport_options){.max_control = 20});
        int fd = raw_upgrade(&world);
        for (int j = 0; j < 21; j++)
            frame(fd, heads[i], "flood", 5);
        expect_close(&world, fd, 1008);
        assert_int_equal(find(&world, true)->end_code, 1008);
        assert_int_equal(reached(&world, WEFT_TRANSPORT_LIMIT_CONTROL), 1);
        world_done(&world);
    }
}

static void the_rate_of_pings_holds_after_our_close_frame(void **state)
{
    struct world world;
    start(&world, state, (struct weft_transport_options){.max_control = 20});
    int fd = raw_upgrade(&world);
    weft__transport_close(&find(&world, true)->transport, 1000, weft__slice(NULL, 0));
    for (int j = 0; j < 25; j++)
        frame(fd, 0x89, "flood", 5);
    for (int i = 0; i < 250 && world.open; i++)
        pass(&world, 2);
    assert_int_equal(world.open, 0);
    assert_int_equal(reached(&world, WEFT_TRANSPORT_LIMIT_CONTROL), 1);
    (void)close(fd);
    world_done(&world);
}

static void pings_within_their_rate_are_answered(void **state)
{
    struct world world;
    size_t answered = 0;
    start(&world, state, (struct weft_transport_options){.max_control = 50});
    int fd = raw_upgrade(&world);
    for (int i = 0; i < 60; i++) {
        uint8_t got[64];
        bool end;
        frame(fd, 0x89, "p", 1);
        pass(&world, 25);
        answered += raw_read(fd, got, sizeof(got), &end) / 3;
    }
    assert_int_equal(answered, 60);
    assert_int_equal(reached_any(&world), 0);
    (void)close(fd);
    pass(&world, 20);
    world_done(&world);
}

/* ---- Silence ---- */

static void one_missed_ping_may_be_enough(void **state)
{
    struct world world;
    start(&world, state, (struct weft_transport_options){.ping_ms = 50, .pings_missed = 1});
    int fd = raw_upgrade(&world);
    pass(&world, 70);
    assert_int_equal(world.open, 1);
    pass(&world, 80);
    assert_int_equal(world.open, 0);
    assert_int_equal(reached(&world, WEFT_TRANSPORT_LIMIT_SILENCE), 1);
    uint8_t got[16];
    bool end;
    assert_int_equal(raw_read(fd, got, sizeof(got), &end), 2);
    (void)close(fd);
    world_done(&world);
}

static void connections_made_together_do_not_ping_together(void **state)
{
    enum { COUNT = 100, PING_MS = 10000 };
    struct world world;
    unsigned tenths[3] = {0};
    start(&world, state, (struct weft_transport_options){.ping_ms = PING_MS});
    for (int i = 0; i < COUNT; i++)
        (void)dial(&world);
    for (int i = 0; i < 100 && world.set.stats.open < 2 * COUNT; i++)
        pass(&world, 20);
    for (size_t i = 0; i < world.count; i++) {
        const struct weft_transport *t = &world.sides[i]->transport;
        assert_int_equal(t->state, WEFT_TRANSPORT_OPEN);
        uint64_t wait_ms = t->timer.due_ms - t->heard_ns / WEFT_NS_PER_MS;
        assert_in_range(wait_ms, PING_MS * 85 / 100, PING_MS * 11 / 10 + 10);
        tenths[wait_ms < 9600 ? 0 : wait_ms < 10300 ? 1 : 2]++;
    }
    for (size_t i = 0; i < 3; i++)
        assert_true(tenths[i] > COUNT / 5);
    for (size_t i = 0; i < world.count; i++)
        if (!is_server(world.sides[i]))
            close_side(world.sides[i], 1000, "");
    for (int i = 0; i < 100 && world.open; i++)
        pass(&world, 20);
    world_done(&world);
}

/* ---- Output that does not move ---- */

/* A socket whose buffers hold little, upgraded. */
static int small_upgrade(struct world *world)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int size = 4096;
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
    assert_int_equal(connect(fd, &world->address.u.any, weft__address_len(&world->address)), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    raw_send(fd, upgrade, sizeof(upgrade) - 1);
    char answer[1024];
    bool end;
    for (int i = 0; i < 200; i++) {
        pass(world, 2);
        if (raw_read(fd, answer, sizeof(answer), &end))
            break;
    }
    struct side *server = world->sides[world->count - 1];
    assert_true(is_server(server) && server->opens == 1);
    size = 4096;
    assert_int_equal(
        setsockopt(server->transport.tcp.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
    return fd;
}

static void queue_bytes(struct side *side, size_t len)
{
    static uint8_t zeroes[64 * 1024];
    for (; len; len -= WEFT_MIN(len, sizeof(zeroes)))
        assert_ok(weft__transport_send(&side->transport, WEFT_WS_OPCODE_BINARY,
                                       weft__slice(zeroes, WEFT_MIN(len, sizeof(zeroes)))));
}

static void little_that_does_not_move_is_a_stall_too(void **state)
{
    struct world world;
    start(&world, state, (struct weft_transport_options){.pause_bytes = 64 << 20, .stall_ms = 100});
    int fd = small_upgrade(&world);
    struct side *server = find(&world, true);
    queue_bytes(server, 256 * 1024);
    uint64_t before_ns = weft__clock_now_ns();
    for (int i = 0; i < 100 && world.open; i++) {
        frame(fd, 0x8a, NULL, 0); /* talking does not replace reading */
        pass(&world, 10);
    }
    assert_in_range((weft__clock_now_ns() - before_ns) / WEFT_NS_PER_MS, 95, 800);
    assert_int_equal(world.open, 0);
    assert_int_equal(reached(&world, WEFT_TRANSPORT_LIMIT_STALL), 1);
    (void)close(fd);
    world_done(&world);
}

static void a_peer_that_reads_slowly_but_reads_stays(void **state)
{
    enum { ALL = 512 * 1024 };
    struct world world;
    size_t total = 0;
    start(&world, state,
          (struct weft_transport_options){.pause_bytes = 128 * 1024, .stall_ms = 400});
    int fd = small_upgrade(&world);
    queue_bytes(find(&world, true), ALL);
    uint64_t before_ns = weft__clock_now_ns();
    while (total < ALL) {
        static uint8_t got[6 * 1024];
        bool end;
        total += raw_read(fd, got, sizeof(got), &end);
        assert_false(end);
        pass(&world, 10);
    }
    assert_true(weft__clock_now_ns() - before_ns > 400 * WEFT_NS_PER_MS);
    assert_int_equal(reached_any(&world), 0);
    (void)close(fd);
    pass(&world, 20);
    world_done(&world);
}

static void output_beyond_all_bounds_ends_the_connection(void **state)
{
    struct world world;
    int err = 0;
    start(&world, state,
          (struct weft_transport_options){.pause_bytes = 64 * 1024, .drop_bytes = 1 << 20});
    int fd = small_upgrade(&world);
    struct side *server = find(&world, true);
    static uint8_t zeroes[64 * 1024];
    for (int i = 0; i < 100 && !err; i++)
        err = weft__transport_send(&server->transport, WEFT_WS_OPCODE_BINARY,
                                   weft__slice(zeroes, sizeof(zeroes)));
    assert_err(err, WEFT_ERR_LIMIT);
    assert_int_equal(reached(&world, WEFT_TRANSPORT_LIMIT_UNSENT), 1);
    pass(&world, 20);
    assert_int_equal(world.open, 0);
    (void)close(fd);
    world_done(&world);
}

/* ---- Making room ---- */

static void only_old_unfinished_handshakes_are_evicted(void **state)
{
    struct world world;
    start(&world, state, (struct weft_transport_options){0});
    int open = raw_upgrade(&world);
    int old = raw_connect(&world);
    pass(&world, 60);
    int young = raw_connect(&world);
    pass(&world, 10);
    assert_int_equal(world.open, 3);
    assert_int_equal(weft__transport_set_evict(&world.set, 10, 50), 1);
    pass(&world, 10);
    assert_int_equal(world.open, 2);
    assert_true(world.sides[1]->closed);
    assert_int_equal(weft__transport_set_evict(&world.set, 0, 0), 0);
    assert_int_equal(weft__transport_set_evict(&world.set, 10, 0), 1);
    assert_int_equal(world.set.stats.evicted, 2);
    (void)close(open);
    (void)close(old);
    (void)close(young);
    pass(&world, 20);
    world_done(&world);
}

static void whoever_holds_most_is_shed_first(void **state)
{
    struct world world;
    int fds[3];
    static const size_t bytes[3] = {100 * 1024, 900 * 1024, 300 * 1024};
    start(&world, state, (struct weft_transport_options){0});
    for (int i = 0; i < 3; i++)
        fds[i] = small_upgrade(&world);
    int idle = raw_upgrade(&world);
    for (int i = 0; i < 3; i++)
        queue_bytes(world.sides[i], bytes[i]);
    pass(&world, 20);
    /* Those that moved a moment ago are left alone when asked for. */
    assert_int_equal(weft__transport_set_shed(&world.set, 1, 10000), 0);
    assert_true(weft__transport_set_shed(&world.set, 1, 0) > 700 * 1024);
    pass(&world, 20);
    assert_true(world.sides[1]->closed && world.open == 3);
    assert_true(weft__transport_set_shed(&world.set, 250 * 1024, 0) >= 200 * 1024);
    pass(&world, 20);
    assert_true(world.sides[2]->closed);
    /* Who holds next to nothing is not the trouble. */
    (void)weft__transport_set_shed(&world.set, SIZE_MAX, 0);
    pass(&world, 20);
    assert_int_equal(world.open, 1);
    assert_false(world.sides[3]->closed);
    (void)close(idle);
    for (int i = 0; i < 3; i++)
        (void)close(fds[i]);
    pass(&world, 20);
    assert_int_equal(world.open, 0);
    world_done(&world);
}

/* ---- What compresses well ---- */

enum { SHRUNK = 50, SHRUNK_SIZE = 200 * 1024 };

static void compress_from_now_on(struct side *side)
{
    const struct weft_ws_deflate deflate = {.on = true, .out_bits = 15, .in_bits = 15};
    weft__ws_conn_set_deflate(&side->transport.ws, &deflate);
}

static void send_zeroes(struct side *side)
{
    static const uint8_t zeroes[SHRUNK_SIZE];
    const struct test_alloc *mem = &side->world->mem;
    compress_from_now_on(side);
    size_t before = mem->live_bytes;
    for (int i = 0; i < SHRUNK; i++)
        assert_ok(weft__transport_send(&side->transport, WEFT_WS_OPCODE_BINARY,
                                       weft__slice(zeroes, SHRUNK_SIZE)));
    size_t unsent = weft__transport_unsent(&side->transport);
    assert_in_range(unsent, 1, SHRUNK * 2048);
    /* Beside the queue there is a compressor, and chunks are taken whole. */
    assert_in_range(mem->live_bytes - before, 0, 2 * unsent + 512 * 1024);
}

static void queued_messages_take_what_they_were_compressed_to(void **state)
{
    struct world world;
    world_init_with(&world, state,
                    (struct weft_transport_options){.deflate = WEFT_TRANSPORT_DEFLATE_SHARED});
    world.server_open = send_zeroes;
    world.client_open = compress_from_now_on;
    world.goal = SHRUNK;
    struct side *client = dial(&world);
    io_run(world.loop, 10000);
    assert_int_equal(client->messages, SHRUNK);
    assert_int_equal(client->bytes, (size_t)SHRUNK * SHRUNK_SIZE);
    world_done(&world);
}

static void gathered_input_counts_as_held(void **state)
{
    struct world world;
    start(&world, state, (struct weft_transport_options){0});
    int fd = raw_upgrade(&world);
    static uint8_t begin[200 * 1024] = {0x82, 0xff, 0, 0, 0, 0, 0, 4, 0, 0};
    size_t sent = 0;
    while (sent < sizeof(begin)) {
        ssize_t n = send(fd, begin + sent, sizeof(begin) - sent, MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
        pass(&world, 1);
    }
    pass(&world, 20);
    assert_true(weft__transport_set_shed(&world.set, 1, 0) >= 190 * 1024);
    pass(&world, 20);
    assert_int_equal(world.open, 0);
    (void)close(fd);
    world_done(&world);
}

static void unused_buffers_are_given_back(void **state)
{
    struct world world;
    start(&world, state, (struct weft_transport_options){.pause_bytes = 64 << 20});
    int fd = small_upgrade(&world);
    for (int i = 0; i < 100; i++)
        queue_bytes(find(&world, true), 10000);
    (void)close(fd);
    pass(&world, 50);
    assert_int_equal(world.open, 0);
    size_t before = world.mem.live_bytes;
    size_t unused = world.set.pool.unused;
    assert_true(unused > 500 * 1024);
    weft__transport_set_trim(&world.set, 100 * 1024);
    assert_true(world.set.pool.unused <= 100 * 1024);
    assert_int_equal(before - world.mem.live_bytes, unused - world.set.pool.unused);
    weft__transport_set_trim(&world.set, 0);
    assert_int_equal(world.set.pool.unused, 0);
    world_done(&world);
}

/* ---- The backlog ---- */

static void a_paused_listener_leaves_connections_waiting(void **state)
{
    struct world world;
    int fds[3];
    start(&world, state, (struct weft_transport_options){0});
    fds[0] = raw_connect(&world);
    pass(&world, 20);
    assert_int_equal(world.count, 1);
    weft__listener_pause(&world.listener);
    weft__listener_pause(&world.listener);
    pass(&world, 20);
    fds[1] = raw_connect(&world);
    fds[2] = raw_connect(&world);
    pass(&world, 50);
    assert_int_equal(world.count, 1);
    weft__listener_resume(&world.listener);
    weft__listener_resume(&world.listener);
    pass(&world, 50);
    assert_int_equal(world.count, 3);
    /* In one tick, in both orders. */
    weft__listener_pause(&world.listener);
    weft__listener_resume(&world.listener);
    pass(&world, 20);
    int late = raw_connect(&world);
    pass(&world, 20);
    assert_int_equal(world.count, 4);
    weft__listener_pause(&world.listener);
    (void)close(late);
    for (int i = 0; i < 3; i++)
        (void)close(fds[i]);
    pass(&world, 20);
    world_done(&world);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dribbled_head_has_one_deadline),
        cmocka_unit_test(a_connection_that_says_nothing_ends_at_the_deadline),
        cmocka_unit_test(a_kept_connection_without_a_request_did_nothing_wrong),
        cmocka_unit_test(a_head_over_its_limit_is_431),
        cmocka_unit_test(a_message_over_its_limit_is_1009_and_counted),
        cmocka_unit_test(fragments_over_their_limit_are_1009_and_counted),
        cmocka_unit_test(a_dribbled_message_is_1008),
        cmocka_unit_test(a_dribbled_header_is_a_slow_message_too),
        cmocka_unit_test(many_messages_without_a_pause_are_not_slow),
        cmocka_unit_test(a_flood_of_control_frames_is_1008),
        cmocka_unit_test(the_rate_of_pings_holds_after_our_close_frame),
        cmocka_unit_test(pings_within_their_rate_are_answered),
        cmocka_unit_test(one_missed_ping_may_be_enough),
        cmocka_unit_test(connections_made_together_do_not_ping_together),
        cmocka_unit_test(little_that_does_not_move_is_a_stall_too),
        cmocka_unit_test(a_peer_that_reads_slowly_but_reads_stays),
        cmocka_unit_test(output_beyond_all_bounds_ends_the_connection),
        cmocka_unit_test(only_old_unfinished_handshakes_are_evicted),
        cmocka_unit_test(whoever_holds_most_is_shed_first),
        cmocka_unit_test(queued_messages_take_what_they_were_compressed_to),
        cmocka_unit_test(gathered_input_counts_as_held),
        cmocka_unit_test(unused_buffers_are_given_back),
        cmocka_unit_test(a_paused_listener_leaves_connections_waiting),
    };
    return io_run_tests_above("limits", tests, WEFT_ARRAY_LEN(tests));
}
