/* SPDX-License-Identifier: Apache-2.0 */
/* WebSocket transports over real sockets: both roles against each other, and the server against a
 * peer written by hand that breaks rules, stalls or stays silent. On both backends. */
#include "integration/io_transport.h"

/* ---- Messages ---- */

enum { MANY = 10000, LARGE = 1 << 20 };

static uint8_t large[LARGE];

static void send_mix(struct side *side)
{
    struct weft_transport *t = &side->transport;
    assert_ok(weft__transport_send(t, WEFT_WS_OPCODE_TEXT, WEFT_SLICE_LIT("hello")));
    assert_ok(weft__transport_send(t, WEFT_WS_OPCODE_BINARY, weft__slice(large, LARGE)));
    assert_ok(weft__transport_send(t, WEFT_WS_OPCODE_TEXT, (struct weft_slice){0}));
    assert_ok(weft__transport_send(t, WEFT_WS_OPCODE_BINARY, weft__slice(large, 70000)));
}

static void check_mix(struct side *side, enum weft_ws_opcode opcode, struct weft_slice data)
{
    static const size_t lengths[] = {5, LARGE, 0, 70000};
    size_t index = side->messages - 1;
    assert_int_equal(data.len, lengths[index]);
    assert_int_equal(opcode, index % 2 ? WEFT_WS_OPCODE_BINARY : WEFT_WS_OPCODE_TEXT);
    if (opcode == WEFT_WS_OPCODE_BINARY)
        assert_memory_equal(data.ptr, large, data.len);
}

static void messages_of_all_sizes_come_back_unchanged(void **state)
{
    for (size_t i = 0; i < LARGE; i++)
        large[i] = (uint8_t)(i * 13 + (i >> 9));
    struct world world;
    world_init(&world, state);
    world.client_open = send_mix;
    world.client_message = check_mix;
    world.goal = 4;
    struct side *client = dial(&world);
    io_run(world.loop, 10000);
    assert_int_equal(client->messages, 4);
    assert_int_equal(client->transport.err, 0);
    assert_int_equal(client->end_code, WEFT_WS_CLOSE_NORMAL);
    assert_int_equal(find(&world, true)->end_code, WEFT_WS_CLOSE_NORMAL);
    assert_string_equal(find(&world, true)->end_reason, "done");
    assert_int_equal(find(&world, true)->transport.err, 0);
    assert_int_equal(world.set.stats.messages_in, 8);
    assert_int_equal(world.set.stats.messages_out, 8);
    world_done(&world);
}

static void send_many(struct side *side)
{
    for (uint32_t i = 0; i < MANY; i++)
        assert_ok(weft__transport_send(&side->transport, WEFT_WS_OPCODE_BINARY,
                                       weft__slice(&i, sizeof(i))));
}

static void check_order(struct side *side, enum weft_ws_opcode opcode, struct weft_slice data)
{
    (void)opcode;
    uint32_t number;
    assert_int_equal(data.len, sizeof(number));
    memcpy(&number, data.ptr, sizeof(number));
    assert_int_equal(number, side->messages - 1);
}

static void small_messages_of_a_tick_share_few_sends(void **state)
{
    struct world world;
    world_init(&world, state);
    world.client_open = send_many;
    world.client_message = check_order;
    world.goal = MANY;
    struct side *client = dial(&world);
    io_run(world.loop, 10000);
    assert_int_equal(client->messages, MANY);
    assert_in_range(weft__loop_stats(world.loop)->sends, 4, 200);
    world_done(&world);
}

static struct weft_buf *frame;

static void send_frames(struct side *side)
{
    for (int i = 0; i < 3; i++)
        assert_ok(weft__transport_send_frame(&side->transport, frame));
}

static void one_frame_is_shared_by_many_receivers(void **state)
{
    enum { RECEIVERS = 50 };
    struct world world;
    world_init(&world, state);
    world.stop_at = 2 * RECEIVERS;
    world.server_open = send_frames;
    world.goal = 3;
    frame = weft__buf_new(&world.mem.alloc, WEFT_WS_HEADROOM + 1000);
    assert_non_null(frame);
    uint8_t *payload = weft__buf_data(frame) + WEFT_WS_HEADROOM;
    memset(payload, 'f', 1000);
    struct weft_slice sealed = weft__ws_frame_seal(payload, 1000, WEFT_WS_OPCODE_TEXT, true);
    memmove(weft__buf_data(frame), sealed.ptr, sealed.len);
    frame->len = sealed.len;
    for (int i = 0; i < RECEIVERS; i++)
        (void)dial(&world);
    io_run(world.loop, 10000);
    for (size_t i = 0; i < world.count; i++)
        if (!is_server(world.sides[i]))
            assert_int_equal(world.sides[i]->bytes, 3000);
    assert_int_equal(atomic_load(&frame->refs), 1);
    weft__buf_unref(frame);
    world_done(&world);
}

/* ---- The head phase ---- */

static void check_answer(struct world *world, const char *request, const char *want)
{
    char answer[4096] = {0};
    int fd = raw_connect(world);
    raw_send(fd, request, strlen(request));
    size_t len = raw_rest(world, fd, answer, sizeof(answer) - 1);
    (void)close(fd);
    assert_true(len >= strlen(want));
    assert_memory_equal(answer, want, strlen(want));
    assert_non_null(strstr(answer, "close"));
    assert_non_null(strstr(answer, "Connection: "));
}

static void requests_that_cannot_be_served_get_an_http_answer(void **state)
{
    struct world world;
    world_init(&world, state);
    world.stop_at = SIZE_MAX;
    check_answer(&world, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 426 ");
    check_answer(&world, "nonsense\r\n\r\n", "HTTP/1.1 400 ");
    check_answer(&world,
                 "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Version: 12\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                 "HTTP/1.1 426 ");
    static char huge[20000];
    memset(huge, 'a', sizeof(huge) - 1);
    memcpy(huge, "GET / HTTP/1.1\r\nA: ", 19);
    check_answer(&world, huge, "HTTP/1.1 431 ");
    assert_int_equal(world.set.stats.protocol_errors, 2);
    world_done(&world);
}

static void upgrade_may_come_byte_by_byte_with_a_message_behind_it(void **state)
{
    struct world world;
    world_init(&world, state);
    world.stop_at = SIZE_MAX;
    /* A masked text frame "hi" with a mask of zeroes. */
    static const uint8_t hi[] = {0x81, 0x82, 0, 0, 0, 0, 'h', 'i'};
    int fd = raw_connect(&world);
    for (size_t i = 0; i < sizeof(upgrade) - 3; i++) {
        raw_send(fd, &upgrade[i], 1);
        if (i % 16 == 0)
            pass(&world, 1);
    }
    pass(&world, 5);
    uint8_t tail[2 + sizeof(hi)] = {'\r', '\n'};
    memcpy(tail, &upgrade[sizeof(upgrade) - 3], 2);
    memcpy(tail + 2, hi, sizeof(hi));
    raw_send(fd, tail, sizeof(tail));
    pass(&world, 20);
    uint8_t answer[1024];
    bool end;
    size_t len = raw_read(fd, answer, sizeof(answer), &end);
    static const uint8_t want[] = {0x81, 2, 'h', 'i'};
    assert_true(len > 50);
    assert_memory_equal(answer, "HTTP/1.1 101 ", 13);
    assert_memory_equal(answer + len - sizeof(want), want, sizeof(want));
    (void)close(fd);
    pass(&world, 20);
    assert_int_equal(find(&world, true)->end_code, WEFT_WS_CLOSE_ABNORMAL);
    assert_int_equal(find(&world, true)->transport.err, WEFT_ERR_CLOSED);
    world_done(&world);
}

static void respond(struct side *side, const struct weft_http1_head *head)
{
    assert_true(side->transport.keep_alive);
    bool last = weft__slice_eq_str(head->target, "/last");
    const char *answer = last ? "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\n"
                              : "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    assert_ok(weft__transport_respond(&side->transport, weft__slice_str(answer),
                                      weft__slice_str(last ? "last" : "first"), NULL, last));
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    struct world world;
    world_init(&world, state);
    world.stop_at = SIZE_MAX;
    world.request = respond;
    int fd = raw_connect(&world);
    static const char requests[] =
        "GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n"
        "\r\nGET /last HTTP/1.1\r\nHost: x\r\n\r\n";
    raw_send(fd, requests, 40);
    pass(&world, 10);
    raw_send(fd, requests + 40, sizeof(requests) - 1 - 40);
    char answer[1024] = {0};
    (void)raw_rest(&world, fd, answer, sizeof(answer) - 1);
    (void)close(fd);
    assert_string_equal(answer, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst"
                                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst"
                                "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\n"
                                "last");
    assert_int_equal(world.set.stats.requests, 3);
    assert_int_equal(find(&world, true)->transport.err, 0);
    world_done(&world);
}

enum { FLOOD = 2000, FLOOD_BODY = 10000, FLOOD_PAUSE = 64 * 1024 };

static void respond_much(struct side *side, const struct weft_http1_head *head)
{
    static const char body[FLOOD_BODY];
    bool last = weft__slice_eq_str(head->target, "/last");
    const char *answer =
        last ? "HTTP/1.1 200 OK\r\nContent-Length: 10000\r\nConnection: close\r\n\r\n"
             : "HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n";
    /* No answer is made while more than |pause_bytes| wait. */
    assert_in_range(weft__transport_unsent(&side->transport), 0, FLOOD_PAUSE);
    assert_ok(weft__transport_respond(&side->transport, weft__slice_str(answer),
                                      weft__slice(body, sizeof(body)), NULL, last));
}

static void requests_wait_while_their_answers_are_not_read(void **state)
{
    static const char request[] = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
    static const char last[] = "GET /last HTTP/1.1\r\nHost: x\r\n\r\n";
    struct world world;
    world_init_with(&world, state, (struct weft_transport_options){.pause_bytes = FLOOD_PAUSE});
    world.stop_at = SIZE_MAX;
    world.request = respond_much;
    int fd = raw_connect(&world);
    char *requests = calloc(FLOOD, sizeof(request) - 1);
    for (size_t i = 0; i < FLOOD; i++)
        memcpy(requests + i * (sizeof(request) - 1), request, sizeof(request) - 1);
    raw_send(fd, requests, FLOOD * (sizeof(request) - 1));
    raw_send(fd, last, sizeof(last) - 1);
    pass(&world, 50);
    assert_in_range(world.set.stats.requests, 1, FLOOD);
    size_t cap = (size_t)(FLOOD + 2) * (FLOOD_BODY + 100);
    char *answers = malloc(cap);
    size_t len = raw_rest(&world, fd, answers, cap);
    (void)close(fd);
    assert_int_equal(world.set.stats.requests, FLOOD + 1);
    assert_in_range(len, (size_t)(FLOOD + 1) * FLOOD_BODY, cap);
    free(requests);
    free(answers);
    world_done(&world);
}

static void answer_late(struct weft_timer *timer)
{
    struct side *side = WEFT_CONTAINER_OF(timer, struct side, timer);
    struct weft_ws_upgrade asked = {.key = WEFT_SLICE_LIT("dGhlIHNhbXBsZSBub25jZQ==")};
    assert_ok(weft__transport_accept(&side->transport, &asked, NULL, 0));
    assert_err(weft__transport_accept(&side->transport, &asked, NULL, 0), WEFT_ERR_STATE);
    assert_int_equal(side->opens, 0);
}

static void wait_a_little(struct side *side, const struct weft_http1_head *head)
{
    assert_true(weft__ws_upgrade_wanted(head));
    weft__timer_init(&side->timer, answer_late);
    weft__loop_timer_start(side->world->loop, &side->timer, 30);
}

static void request_may_be_answered_later_and_keeps_what_came_behind_it(void **state)
{
    struct world world;
    world_init(&world, state);
    world.stop_at = SIZE_MAX;
    world.request = wait_a_little;
    static const uint8_t hi[] = {0x81, 0x82, 0, 0, 0, 0, 'h', 'i'};
    int fd = raw_connect(&world);
    uint8_t both[sizeof(upgrade) - 1 + 4];
    memcpy(both, upgrade, sizeof(upgrade) - 1);
    memcpy(both + sizeof(upgrade) - 1, hi, 4);
    raw_send(fd, both, sizeof(both));
    pass(&world, 10);
    raw_send(fd, hi + 4, 4);
    pass(&world, 60);
    assert_int_equal(find(&world, true)->messages, 1);
    uint8_t answer[1024];
    bool end;
    size_t len = raw_read(fd, answer, sizeof(answer), &end);
    static const uint8_t want[] = {0x81, 2, 'h', 'i'};
    assert_true(len > sizeof(want));
    assert_memory_equal(answer + len - sizeof(want), want, sizeof(want));
    (void)close(fd);
    pass(&world, 20);
    world_done(&world);
}

static void refuse_it(struct side *side, const struct weft_http1_head *head)
{
    (void)head;
    assert_ok(weft__transport_refuse(&side->transport, 403, "not you", NULL, 0));
}

static void refused_client_learns_the_status(void **state)
{
    struct world world;
    world_init(&world, state);
    world.request = refuse_it;
    struct side *client = dial(&world);
    io_run(world.loop, 5000);
    assert_int_equal(client->transport.status, 403);
    assert_int_equal(client->transport.err, WEFT_ERR_HANDSHAKE);
    assert_int_equal(client->opens, 0);
    world_done(&world);
}

static void client_without_a_server_is_told(void **state)
{
    struct world world;
    world_init(&world, state);
    world.stop_at = 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct weft_address saved = world.address;
    weft__address_set_port(&world.address, 0);
    assert_int_equal(bind(fd, &world.address.u.any, weft__address_len(&world.address)), 0);
    socklen_t len = sizeof(world.address);
    assert_int_equal(getsockname(fd, &world.address.u.any, &len), 0);
    (void)close(fd);
    struct side *client = dial(&world);
    io_run(world.loop, 5000);
    assert_int_equal(client->transport.err, WEFT_ERR_UNAVAILABLE);
    world.address = saved;
    world_done(&world);
}

static void silent_connection_is_dropped_after_the_handshake_time(void **state)
{
    struct world world;
    world_init_with(&world, state, (struct weft_transport_options){.handshake_ms = 60});
    world.stop_at = 1;
    int fd = raw_connect(&world);
    raw_send(fd, "GET / HT", 8);
    uint64_t before_ns = weft__clock_now_ns();
    io_run(world.loop, 5000);
    assert_true(weft__clock_now_ns() - before_ns >= 55 * WEFT_NS_PER_MS);
    assert_int_equal(find(&world, true)->transport.err, WEFT_ERR_TIMEOUT);
    (void)close(fd);
    world_done(&world);
}

/* ---- Liveness ---- */

static void silent_peer_is_pinged_and_then_lost(void **state)
{
    struct world world;
    world_init_with(&world, state, (struct weft_transport_options){.ping_ms = 30});
    world.stop_at = 1;
    int fd = raw_upgrade(&world);
    uint64_t before_ns = weft__clock_now_ns();
    io_run(world.loop, 5000);
    /* The first ping after one period of silence, lost a period after the second. */
    assert_true(weft__clock_now_ns() - before_ns >= 60 * WEFT_NS_PER_MS);
    uint8_t pings[16];
    bool end;
    assert_int_equal(raw_read(fd, pings, sizeof(pings), &end), 4);
    static const uint8_t want[] = {0x89, 0, 0x89, 0};
    assert_memory_equal(pings, want, sizeof(want));
    assert_int_equal(find(&world, true)->transport.err, WEFT_ERR_TIMEOUT);
    assert_int_equal(find(&world, true)->end_code, WEFT_WS_CLOSE_ABNORMAL);
    assert_int_equal(world.set.stats.lost, 1);
    (void)close(fd);
    world_done(&world);
}

static void idle_peer_that_answers_pings_stays(void **state)
{
    struct world world;
    world_init_with(&world, state, (struct weft_transport_options){.ping_ms = 20});
    struct side *client = dial(&world);
    pass(&world, 250);
    assert_int_equal(client->opens, 1);
    assert_int_equal(client->ends, 0);
    close_side(client, 1000, "");
    io_run(world.loop, 5000);
    assert_int_equal(world.set.stats.lost, 0);
    world_done(&world);
}

/* Stops the whole process for a while, as a suspended machine does. */
static void suspend(struct weft_timer *timer)
{
    (void)timer;
    (void)usleep(150 * 1000);
}

static void pause_of_the_process_loses_nobody(void **state)
{
    struct world world;
    world_init_with(&world, state, (struct weft_transport_options){.ping_ms = 30});
    struct side *client = dial(&world);
    pass(&world, 15);
    struct weft_timer pause;
    weft__timer_init(&pause, suspend);
    weft__loop_timer_start(world.loop, &pause, 0);
    pass(&world, 200);
    assert_int_equal(client->opens, 1);
    assert_int_equal(client->ends, 0);
    close_side(client, 1000, "");
    io_run(world.loop, 5000);
    assert_int_equal(world.set.stats.lost, 0);
    world_done(&world);
}

/* ---- The end ---- */

static void close_politely(struct side *side)
{
    struct weft_transport *t = &side->transport;
    assert_ok(weft__transport_send(t, WEFT_WS_OPCODE_TEXT, WEFT_SLICE_LIT("last words")));
    close_side(side, 4001, "enough");
    close_side(side, 4002, "again");
    assert_err(weft__transport_send(t, WEFT_WS_OPCODE_TEXT, WEFT_SLICE_LIT("x")), WEFT_ERR_STATE);
}

static void closing_sends_what_was_queued_then_code_and_reason(void **state)
{
    struct world world;
    world_init(&world, state);
    world.server_open = close_politely;
    struct side *client = dial(&world);
    io_run(world.loop, 5000);
    assert_int_equal(client->messages, 1);
    assert_int_equal(client->end_code, 4001);
    assert_string_equal(client->end_reason, "enough");
    assert_int_equal(client->transport.err, 0);
    assert_int_equal(find(&world, true)->end_code, 4001);
    assert_int_equal(find(&world, true)->transport.err, 0);
    world_done(&world);
}

static void peer_that_does_not_answer_a_close_is_dropped(void **state)
{
    struct world world;
    world_init_with(&world, state, (struct weft_transport_options){.close_ms = 60});
    world.stop_at = 1;
    int fd = raw_upgrade(&world);
    struct side *server = find(&world, true);
    close_side(server, 1000, "");
    /* Chatting on does not win time. */
    static const uint8_t ping[] = {0x89, 0x80, 0, 0, 0, 0};
    uint64_t before_ns = weft__clock_now_ns();
    for (int i = 0; i < 40 && world.open; i++) {
        raw_send(fd, ping, sizeof(ping));
        pass(&world, 5);
    }
    assert_int_equal(world.open, 0);
    assert_in_range((weft__clock_now_ns() - before_ns) / WEFT_NS_PER_MS, 55, 1000);
    assert_int_equal(server->transport.err, WEFT_ERR_TIMEOUT);
    (void)close(fd);
    world_done(&world);
}

static void peer_that_breaks_a_rule_while_sending_still_reads_why(void **state)
{
    struct world world;
    world_init(&world, state);
    world.stop_at = SIZE_MAX;
    int fd = raw_upgrade(&world);
    /* An unmasked frame, then much more than is ever read. */
    static uint8_t junk[200000] = {0x82, 0x7e, 0xff, 0xff};
    raw_send(fd, junk, sizeof(junk));
    pass(&world, 10);
    raw_send(fd, junk, 1000);
    uint8_t answer[256];
    size_t len = raw_rest(&world, fd, answer, sizeof(answer));
    (void)close(fd);
    assert_true(len >= 4);
    assert_int_equal(answer[0], 0x88);
    assert_int_equal(answer[2] << 8 | answer[3], WEFT_WS_CLOSE_PROTOCOL);
    assert_int_equal(find(&world, true)->transport.err, WEFT_ERR_PROTOCOL);
    assert_int_equal(find(&world, true)->end_code, WEFT_WS_CLOSE_PROTOCOL);
    world_done(&world);
}

static void abort_on_message(struct side *side, enum weft_ws_opcode opcode, struct weft_slice data)
{
    (void)opcode;
    (void)data;
    weft__transport_abort(&side->transport, WEFT_ERR_ABORTED);
    weft__transport_abort(&side->transport, WEFT_ERR_INTERNAL);
}

static void aborting_inside_on_message_ends_it_at_once(void **state)
{
    struct world world;
    world_init(&world, state);
    world.client_open = send_many;
    world.server_message = abort_on_message;
    struct side *client = dial(&world);
    io_run(world.loop, 5000);
    assert_int_equal(find(&world, true)->messages, 1);
    assert_int_equal(find(&world, true)->transport.err, WEFT_ERR_ABORTED);
    assert_int_equal(client->transport.err, WEFT_ERR_CLOSED);
    world_done(&world);
}

static void whole_set_can_be_closed(void **state)
{
    enum { CLIENTS = 20 };
    struct world world;
    world_init(&world, state);
    world.stop_at = 2 * CLIENTS + 1;
    for (int i = 0; i < CLIENTS; i++)
        (void)dial(&world);
    int fd = raw_connect(&world);
    pass(&world, 100);
    assert_int_equal(world.set.stats.open, 2 * CLIENTS);
    weft__transport_set_close(&world.set, WEFT_WS_CLOSE_GOING_AWAY, "bye");
    io_run(world.loop, 5000);
    assert_int_equal(world.set.stats.count, 0);
    for (size_t i = 0; i < world.count; i++)
        if (world.sides[i]->opens)
            assert_int_equal(world.sides[i]->end_code, WEFT_WS_CLOSE_GOING_AWAY);
    (void)close(fd);
    world_done(&world);
}

/* ---- Slow readers ---- */

enum { FLOOD_MESSAGES = 600, FLOOD_BYTES = 16 * 1024 };

/* Sends masked messages until the server takes no more. Returns the bytes the kernel took. */
static size_t flood(struct world *world, int fd)
{
    static uint8_t message[8 + FLOOD_BYTES] = {0x82, 0xfe, FLOOD_BYTES >> 8, FLOOD_BYTES & 0xff};
    size_t total = 0;
    size_t want = FLOOD_MESSAGES * sizeof(message);
    int idle = 0;
    while (total < want && idle < 10) {
        size_t at = total % sizeof(message);
        ssize_t n = send(fd, message + at, sizeof(message) - at, MSG_NOSIGNAL);
        if (n > 0) {
            total += (size_t)n;
            idle = 0;
        } else {
            idle++;
        }
        pass(world, n > 0 ? 0 : 3);
    }
    return total;
}

static int small_window_upgrade(struct world *world)
{
    int fd = raw_upgrade(world);
    int size = 32 * 1024;
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
    return fd;
}

static void reading_stops_while_too_much_output_waits(void **state)
{
    struct world world;
    world_init_with(&world, state,
                    (struct weft_transport_options){.pause_bytes = 256 * 1024, .ping_ms = 100});
    world.stop_at = SIZE_MAX;
    int fd = small_window_upgrade(&world);
    struct side *server = find(&world, true);
    size_t sent = flood(&world, fd);
    /* More than the limit may wait by what had been received when it was reached. */
    assert_true(server->messages < FLOOD_MESSAGES);
    assert_in_range(weft__transport_unsent(&server->transport), 256 * 1024, 6 << 20);
    /* While it cannot read, silence is not held against the peer. */
    pass(&world, 400);
    assert_false(server->closed);
    static uint8_t got[1 << 20];
    size_t total = 0;
    size_t want = (size_t)FLOOD_MESSAGES * (4 + FLOOD_BYTES);
    static uint8_t message[8 + FLOOD_BYTES] = {0x82, 0xfe, FLOOD_BYTES >> 8, FLOOD_BYTES & 0xff};
    for (int i = 0; i < 20000 && total < want; i++) {
        bool end;
        total += raw_read(fd, got, sizeof(got), &end);
        assert_false(end);
        if (sent < FLOOD_MESSAGES * sizeof(message)) {
            size_t at = sent % sizeof(message);
            ssize_t n = send(fd, message + at, sizeof(message) - at, MSG_NOSIGNAL);
            sent += n > 0 ? (size_t)n : 0;
        }
        pass(&world, 0);
    }
    /* On a slow machine a ping may have found its way in between. */
    assert_in_range(total, want, want + 8);
    assert_int_equal(server->messages, FLOOD_MESSAGES);
    assert_true(server->drains > 0);
    (void)close(fd);
    pass(&world, 20);
    world_done(&world);
}

static void peer_that_never_reads_is_given_up(void **state)
{
    struct world world;
    world_init_with(&world, state,
                    (struct weft_transport_options){.pause_bytes = 256 * 1024, .stall_ms = 100});
    world.stop_at = SIZE_MAX;
    int fd = small_window_upgrade(&world);
    (void)flood(&world, fd);
    pass(&world, 200);
    assert_int_equal(world.open, 0);
    assert_int_equal(world.set.stats.stalls, 1);
    assert_int_equal(find(&world, true)->transport.err, WEFT_ERR_TIMEOUT);
    (void)close(fd);
    world_done(&world);
}

static void push_without_end(struct side *side)
{
    int err = 0;
    for (int i = 0; i < 1000 && !err; i++)
        err = weft__transport_send(&side->transport, WEFT_WS_OPCODE_BINARY,
                                   weft__slice(large, 65536));
    assert_err(err, WEFT_ERR_LIMIT);
    err = weft__transport_send(&side->transport, WEFT_WS_OPCODE_TEXT, WEFT_SLICE_LIT("x"));
    assert_err(err, WEFT_ERR_STATE);
}

static void output_beyond_the_backstop_drops_the_connection(void **state)
{
    struct world world;
    world_init_with(&world, state, (struct weft_transport_options){.drop_bytes = 4 << 20});
    world.server_open = push_without_end;
    (void)dial(&world);
    io_run(world.loop, 5000);
    assert_int_equal(find(&world, true)->transport.err, WEFT_ERR_LIMIT);
    world_done(&world);
}

/* ---- Memory ---- */

static void idle_connection_owns_no_memory(void **state)
{
    struct world world;
    world_init(&world, state);
    size_t before = world.mem.live_bytes;
    struct side *client = dial(&world);
    pass(&world, 50);
    send_mix(client);
    for (int i = 0; i < 200 && client->messages < 4; i++)
        pass(&world, 20);
    pass(&world, 20);
    assert_int_equal(client->messages, 4);
    assert_int_equal(world.mem.live_bytes,
                     before + world.set.pool.unused +
                         sizeof(struct weft_outq_batch) * (world.set.pool.batches != NULL));
    close_side(client, 1000, "");
    io_run(world.loop, 5000);
    assert_in_range(sizeof(struct weft_transport), 1, 512);
    world_done(&world);
}

static int run_session(const struct weft_alloc *alloc, void *ctx)
{
    struct world world = {.stop_at = 2, .goal = 4};
    enum weft_loop_backend backend = *(enum weft_loop_backend *)ctx;
    struct weft_transport_options options = {.alloc = alloc, .crypto = weft__crypto_openssl()};
    world.loop = io_loop_new(backend, NULL, 0, 0);
    weft__transport_set_init(&world.set, world.loop, &options);
    assert_ok(weft__address_parse("127.0.0.1:0", &world.address));
    assert_ok(
        weft__listener_open(&world.listener, world.loop, &world.address, 0, &listener_callbacks));
    assert_ok(weft__listener_address(&world.listener, &world.address));
    struct side *client = dial(&world);
    for (int i = 0; i < 400 && world.open + (world.count < 2); i++) {
        pass(&world, 1);
        if (client->opens && !client->messages && !client->ends) {
            int err = weft__transport_send(&client->transport, WEFT_WS_OPCODE_BINARY,
                                           weft__slice(large, 70000));
            if (!err)
                err = weft__transport_send(&client->transport, WEFT_WS_OPCODE_TEXT,
                                           WEFT_SLICE_LIT("x"));
            assert_true(err == 0 || err == WEFT_ERR_NOMEM || err == WEFT_ERR_STATE);
            pass(&world, 5);
            close_side(client, 1000, "bye");
        }
    }
    assert_int_equal(world.open, 0);
    int err = client->messages == 2 && !client->transport.err ? 0 : WEFT_ERR_NOMEM;
    weft__listener_close(&world.listener);
    io_run(world.loop, 5000);
    weft__transport_set_done(&world.set);
    weft__loop_free(world.loop);
    for (size_t i = 0; i < world.count; i++)
        free(world.sides[i]);
    return err;
}

static void any_failed_allocation_ends_only_the_connection(void **state)
{
    assert_true(test_each_alloc_failure(run_session, *state) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_of_all_sizes_come_back_unchanged),
        cmocka_unit_test(small_messages_of_a_tick_share_few_sends),
        cmocka_unit_test(one_frame_is_shared_by_many_receivers),
        cmocka_unit_test(requests_that_cannot_be_served_get_an_http_answer),
        cmocka_unit_test(upgrade_may_come_byte_by_byte_with_a_message_behind_it),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(requests_wait_while_their_answers_are_not_read),
        cmocka_unit_test(request_may_be_answered_later_and_keeps_what_came_behind_it),
        cmocka_unit_test(refused_client_learns_the_status),
        cmocka_unit_test(client_without_a_server_is_told),
        cmocka_unit_test(silent_connection_is_dropped_after_the_handshake_time),
        cmocka_unit_test(silent_peer_is_pinged_and_then_lost),
        cmocka_unit_test(idle_peer_that_answers_pings_stays),
        cmocka_unit_test(pause_of_the_process_loses_nobody),
        cmocka_unit_test(closing_sends_what_was_queued_then_code_and_reason),
        cmocka_unit_test(peer_that_does_not_answer_a_close_is_dropped),
        cmocka_unit_test(peer_that_breaks_a_rule_while_sending_still_reads_why),
        cmocka_unit_test(aborting_inside_on_message_ends_it_at_once),
        cmocka_unit_test(whole_set_can_be_closed),
        cmocka_unit_test(reading_stops_while_too_much_output_waits),
        cmocka_unit_test(peer_that_never_reads_is_given_up),
        cmocka_unit_test(output_beyond_the_backstop_drops_the_connection),
        cmocka_unit_test(idle_connection_owns_no_memory),
        cmocka_unit_test(any_failed_allocation_ends_only_the_connection),
    };
    return io_run_tests("io_transport", tests, WEFT_ARRAY_LEN(tests));
}
