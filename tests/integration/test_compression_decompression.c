/* SPDX-License-Identifier: Apache-2.0 */
/* Compression over real sockets: negotiation in both roles, contexts, shared messages, bombs, and
 * the options and numbers of the server. RFC 7692. */
#include "integration/io_transport.h"

#include "lib/ws_client.h"
#include "transport/deflate.h"

#include <weft/client.h>
#include <weft/server.h>

enum { MESSAGES = 40, LENGTH = 3000, MESSAGE_MAX = 100000 };

/* ---- Both roles of ours ---- */

/* Letters without repetitions, but nearly the same in each message. */
static void fill(uint8_t *data, size_t len, size_t number)
{
    struct test_random rng;
    test_random_seed(&rng, 1);
    for (size_t i = 0; i < len; i++)
        data[i] = (uint8_t)("abcdefghijklmnop"[test_random_below(&rng, 16)]);
    if (len)
        data[number % len] = 'X';
}

static void send_message(struct side *side)
{
    uint8_t data[LENGTH];
    fill(data, sizeof(data), side->messages);
    assert_ok(weft__transport_send(&side->transport, WEFT_WS_OPCODE_TEXT,
                                   weft__slice(data, sizeof(data))));
}

static void check_and_send(struct side *side, enum weft_ws_opcode opcode, struct weft_slice data)
{
    uint8_t want[LENGTH];
    fill(want, sizeof(want), side->messages - 1);
    assert_int_equal(opcode, WEFT_WS_OPCODE_TEXT);
    assert_bytes(data.ptr, data.len, want, sizeof(want));
    if (side->messages < MESSAGES)
        send_message(side);
}

/* Converses under |options|; leaves what became of it in |world|. */
static void converse(struct world *world, void **state, struct weft_transport_options options)
{
    options.max_message = MESSAGE_MAX;
    world_init_with(world, state, options);
    world->client_open = send_message;
    world->client_message = check_and_send;
    world->goal = MESSAGES;
    struct side *client = dial(world);
    io_run(world->loop, 10000);
    assert_int_equal(client->messages, MESSAGES);
    assert_int_equal(client->end_code, 1000);
}

static void compressed_messages_come_back_as_they_were(void **state)
{
    uint64_t before = (uint64_t)2 * MESSAGES * LENGTH;
    uint64_t after[3] = {0};
    for (unsigned i = 0; i < WEFT_ARRAY_LEN(after); i++) {
        enum weft_transport_deflate mode = (enum weft_transport_deflate)i;
        struct world world;
        converse(&world, state, (struct weft_transport_options){.deflate = mode});
        const struct weft_deflate_stats *stats = &world.set.deflate.stats;
        bool on = mode != WEFT_TRANSPORT_DEFLATE_OFF;
        assert_int_equal(world.set.stats.deflate_upgrades, on ? 2 : 0);
        assert_int_equal(stats->deflated, on ? 2 * MESSAGES : 0);
        assert_int_equal(stats->inflated, stats->deflated);
        assert_int_equal(stats->deflated_from, on ? before : 0);
        assert_int_equal(stats->inflated_to, stats->deflated_from);
        assert_int_equal(stats->inflated_from, stats->deflated_to);
        after[mode] = stats->deflated_to;
        world_done(&world);
    }
    assert_true(after[WEFT_TRANSPORT_DEFLATE_SHARED] < before * 2 / 3);
    assert_true(after[WEFT_TRANSPORT_DEFLATE_TAKEOVER] < before / 8);
}

static void messages_below_the_minimum_are_not_compressed(void **state)
{
    struct world world;
    converse(&world, state,
             (struct weft_transport_options){.deflate = WEFT_TRANSPORT_DEFLATE_SHARED,
                                             .deflate_min = LENGTH + 1});
    assert_int_equal(world.set.stats.deflate_upgrades, 2);
    assert_int_equal(world.set.deflate.stats.deflated, 0);
    world_done(&world);
}

static void idle_connections_cost_the_same_with_and_without_compression(void **state)
{
    size_t live[2];
    for (int on = 0; on < 2; on++) {
        struct world world;
        world_init_with(
            &world, state,
            (struct weft_transport_options){.deflate = on ? WEFT_TRANSPORT_DEFLATE_SHARED
                                                          : WEFT_TRANSPORT_DEFLATE_OFF});
        world.client_open = send_message;
        struct side *client = dial(&world);
        for (int i = 0; i < 200 && !client->messages; i++)
            pass(&world, 5);
        assert_int_equal(client->messages, 1);
        assert_int_equal(world.set.deflate.stats.deflated, on * 2);
        /* What belongs to the loop. */
        weft__deflate_pool_done(&world.set.deflate);
        live[on] = world.mem.live_bytes;
        close_side(client, WEFT_WS_CLOSE_NORMAL, "");
        io_run(world.loop, 5000);
        world_done(&world);
    }
    assert_int_equal(live[0], live[1]);
}

/* ---- Messages for many ---- */

static struct weft_ws_message *shared;

/* What a relay does for each of its receivers. */
static void hand_over(struct side *side)
{
    struct weft_transport *t = &side->transport;
    weft__transport_deflate_shared(t->set, shared);
    struct weft_buf *deflated = weft__ws_message_deflated(shared);
    switch (weft__transport_variant(t)) {
    case WEFT_TRANSPORT_PLAIN:
        assert_ok(weft__transport_send_frame(t, shared->plain));
        break;
    case WEFT_TRANSPORT_DEFLATED:
        assert_ok(weft__transport_send_frame(t, deflated ? deflated : shared->plain));
        break;
    case WEFT_TRANSPORT_OWN:
        assert_ok(weft__transport_send(t, shared->opcode, weft__ws_message_payload(shared)));
        break;
    }
}

static void check_shared(struct side *side, enum weft_ws_opcode opcode, struct weft_slice data)
{
    struct weft_slice want = weft__ws_message_payload(shared);
    assert_int_equal(opcode, shared->opcode);
    assert_bytes(data.ptr, data.len, want.ptr, want.len);
    close_side(side, WEFT_WS_CLOSE_NORMAL, "");
}

static void share(void **state, enum weft_transport_deflate deflate, size_t len,
                  uint64_t want_deflated)
{
    enum { RECEIVERS = 20 };
    uint8_t payload[LENGTH];
    struct world world;
    world_init_with(&world, state, (struct weft_transport_options){.deflate = deflate});
    fill(payload, len, 3);
    shared = weft__ws_message_new(&world.mem.alloc, WEFT_WS_OPCODE_TEXT, weft__slice(payload, len));
    assert_non_null(shared);
    world.stop_at = 2 * RECEIVERS;
    world.server_open = hand_over;
    world.client_message = check_shared;
    for (int i = 0; i < RECEIVERS; i++)
        (void)dial(&world);
    io_run(world.loop, 10000);
    assert_int_equal(world.set.deflate.stats.deflated, want_deflated);
    assert_true(weft__ws_message_tried(shared));
    weft__ws_message_unref(shared);
    world_done(&world);
}

static void a_message_for_many_is_compressed_once(void **state)
{
    share(state, WEFT_TRANSPORT_DEFLATE_SHARED, LENGTH, 1);
    share(state, WEFT_TRANSPORT_DEFLATE_SHARED, 100, 0);
    share(state, WEFT_TRANSPORT_DEFLATE_OFF, 100, 0);
    /* Each with a context compresses for itself, beside the one that was asked for. */
    share(state, WEFT_TRANSPORT_DEFLATE_TAKEOVER, LENGTH, 21);
}

/* ---- Strangers ---- */

/* Upgrades by hand with |offer|; what the server says is in |ret_answer|. */
static int upgrade_with(struct world *world, const char *offer, char *ret_answer, size_t size)
{
    char request[1024];
    bool end;
    int fd = raw_connect(world);
    snprintf(request, sizeof(request), "%.*sSec-WebSocket-Extensions: %s\r\n\r\n",
             (int)sizeof(upgrade) - 3, upgrade, offer);
    raw_send(fd, request, strlen(request));
    size_t len = 0;
    for (int i = 0; i < 500 && !len; i++) {
        pass(world, 2);
        len = raw_read(fd, ret_answer, size - 1, &end);
    }
    ret_answer[len] = '\0';
    return fd;
}

static void init_server(struct world *world, void **state, enum weft_transport_deflate deflate)
{
    world_init_with(
        world, state,
        (struct weft_transport_options){.deflate = deflate, .max_message = MESSAGE_MAX});
    world->stop_at = SIZE_MAX;
}

static void check_answer(struct world *world, const char *offer, const char *want)
{
    char answer[2048];
    char rest[64];
    int fd = upgrade_with(world, offer, answer, sizeof(answer));
    if (!strstr(answer, want))
        fail_msg("%s: %s", offer, answer);
    if (!strstr(want, "permessage-deflate"))
        assert_null(strstr(answer, "Extensions"));
    (void)shutdown(fd, SHUT_WR);
    (void)raw_rest(world, fd, rest, sizeof(rest));
    (void)close(fd);
}

static void offers_are_answered_as_the_option_says(void **state)
{
    struct world world;
    init_server(&world, state, WEFT_TRANSPORT_DEFLATE_SHARED);
    check_answer(&world, "permessage-deflate",
                 "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; "
                 "client_no_context_takeover\r\n");
    check_answer(&world, "permessage-deflate; server_max_window_bits=7", "HTTP/1.1 101 ");
    check_answer(&world, "x-other", "HTTP/1.1 101 ");
    check_answer(&world, "permessage-deflate; ;", "HTTP/1.1 400 ");
    world_done(&world);
    init_server(&world, state, WEFT_TRANSPORT_DEFLATE_TAKEOVER);
    check_answer(&world, "permessage-deflate; client_max_window_bits; server_max_window_bits=12",
                 "Extensions: permessage-deflate; server_max_window_bits=12\r\n");
    world_done(&world);
    init_server(&world, state, WEFT_TRANSPORT_DEFLATE_OFF);
    check_answer(&world, "permessage-deflate", "HTTP/1.1 101 ");
    world_done(&world);
}

/* Sends one binary message, |wire| as it is, with a mask of zeroes; returns the server's answer. */
static size_t send_wire(struct world *world, struct weft_slice wire, uint8_t *ret, size_t size)
{
    char answer[2048];
    uint8_t head[WEFT_WS_HEAD_MAX];
    const struct weft_ws_head fields = {.len = wire.len,
                                        .opcode = WEFT_WS_OPCODE_BINARY,
                                        .rsv = WEFT_WS_RSV1,
                                        .fin = true,
                                        .masked = true};
    int fd = upgrade_with(world, "permessage-deflate", answer, sizeof(answer));
    assert_non_null(strstr(answer, "permessage-deflate"));
    raw_send(fd, head, weft__ws_head_encode(&fields, head));
    raw_send(fd, wire.ptr, wire.len);
    size_t len = raw_rest(world, fd, ret, size);
    (void)close(fd);
    return len;
}

static void check_close(const uint8_t *frame, size_t len, unsigned code)
{
    assert_true(len >= 4);
    assert_int_equal(frame[0], 0x88);
    assert_int_equal(frame[2] << 8 | frame[3], code);
}

static void bombs_and_garbage_end_the_connection_and_nothing_else(void **state)
{
    enum { BOMB = 64 << 20 };
    struct world world;
    uint8_t answer[1024];
    struct weft_deflate_pool pool;
    uint8_t *zeroes = calloc(1, BOMB);
    uint8_t *wire = malloc(BOMB + WEFT_DEFLATE_SLACK);
    weft__deflate_pool_init(&pool, weft_alloc_default());
    size_t len = weft__deflate(&pool, 15, weft__slice(NULL, 0), weft__slice(zeroes, BOMB), wire);
    assert_true(len > 0);
    weft__deflate_pool_done(&pool);
    free(zeroes);
    init_server(&world, state, WEFT_TRANSPORT_DEFLATE_SHARED);
    /* More than may be compressed is refused by its announcement; so many of it as may come are
     * still a thousand times as much inflated. */
    size_t n = send_wire(&world, weft__slice(wire, WEFT_MIN(len, (size_t)MESSAGE_MAX)), answer,
                         sizeof(answer));
    check_close(answer, n, 1009);
    assert_true(world.mem.peak_bytes < 8u << 20);
    memset(wire, 0xff, 1000);
    n = send_wire(&world, weft__slice(wire, 1000), answer, sizeof(answer));
    check_close(answer, n, 1002);
    free(wire);
    assert_int_equal(world.set.stats.protocol_errors, 2);
    world.stop_at = world.count + 2;
    world.client_open = send_message;
    world.client_message = check_and_send;
    world.goal = MESSAGES;
    struct side *client = dial(&world);
    io_run(world.loop, 10000);
    assert_int_equal(client->messages, MESSAGES);
    world_done(&world);
}

/* A server by hand that answers |extensions| to whatever was offered. */
static void answer_client(void **state, const char *extensions, int want_err)
{
    struct world world;
    init_server(&world, state, WEFT_TRANSPORT_DEFLATE_SHARED);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct weft_address real = world.address;
    assert_ok(weft__address_parse("127.0.0.1:0", &world.address));
    socklen_t size = weft__address_len(&world.address);
    assert_int_equal(bind(listener, &world.address.u.any, size), 0);
    assert_int_equal(getsockname(listener, &world.address.u.any, &size), 0);
    assert_int_equal(listen(listener, 1), 0);
    struct side *client = dial(&world);
    world.address = real;
    pass(&world, 20);
    int fd = accept(listener, NULL, NULL);
    assert_true(fd >= 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    char text[2048];
    char accept_value[WEFT_WS_ACCEPT_LEN];
    bool end;
    size_t len = 0;
    for (int i = 0; i < 500 && !len; i++) {
        pass(&world, 2);
        len = raw_read(fd, text, sizeof(text) - 1, &end);
    }
    text[len] = '\0';
    assert_non_null(strstr(text, "Sec-WebSocket-Extensions: permessage-deflate; "
                                 "server_no_context_takeover; client_no_context_takeover; "
                                 "client_max_window_bits\r\n"));
    const char *key = strstr(text, "Key: ") + 5;
    assert_ok(weft__ws_accept_value(weft__crypto_openssl(), weft__slice(key, WEFT_WS_KEY_LEN),
                                    accept_value));
    char reply[1024];
    int n = snprintf(reply, sizeof(reply),
                     "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Accept: %.*s\r\n%s\r\n",
                     WEFT_WS_ACCEPT_LEN, accept_value, extensions);
    raw_send(fd, reply, (size_t)n);
    for (int i = 0; i < 500 && !client->closed && !client->opens; i++)
        pass(&world, 2);
    assert_int_equal(client->opens, want_err ? 0 : 1);
    (void)close(fd);
    (void)close(listener);
    for (int i = 0; i < 500 && !client->closed; i++)
        pass(&world, 2);
    assert_true(client->closed);
    if (want_err)
        assert_err(client->transport.err, want_err);
    world_done(&world);
}

static void a_client_fails_on_answers_that_do_not_fit(void **state)
{
    static const char good[] = "Sec-WebSocket-Extensions: permessage-deflate; "
                               "server_no_context_takeover; client_max_window_bits=10\r\n";
    static const char more[] = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
    static const char wrong[] = "Sec-WebSocket-Extensions: x-other\r\n";
    answer_client(state, "", 0);
    answer_client(state, good, 0);
    answer_client(state, more, WEFT_ERR_HANDSHAKE);
    answer_client(state, wrong, WEFT_ERR_HANDSHAKE);
}

/* ---- The server and the C client ---- */

static void silent(void *ctx, int level, const char *line)
{
    (void)ctx;
    (void)level;
    (void)line;
}

static struct weft_server *start_server(void **state, int deflate, char *ret_url, size_t size)
{
    struct weft_server *server = NULL;
    struct weft_server_options options;
    weft_server_options_init(&options);
    options.listen = "127.0.0.1:0";
    options.workers = 1;
    options.development = 1;
    options.log = silent;
    options.deflate = deflate;
    options.loop =
        io_backend(state) == WEFT_LOOP_URING ? WEFT_SERVER_LOOP_URING : WEFT_SERVER_LOOP_EPOLL;
    assert_ok(weft_server_new(&options, &server, NULL, 0));
    assert_ok(weft_server_start(server));
    snprintf(ret_url, size, "ws://%s/ws", weft_server_address(server));
    return server;
}

static unsigned long metric(const char *url, const char *name)
{
    char *text = test_http(url, "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                                "Connection: close\r\n\r\n");
    char line[96];
    snprintf(line, sizeof(line), "\n%s{worker=\"0\"} ", name);
    const char *at = strstr(text, line);
    assert_non_null(at);
    unsigned long value = strtoul(at + strlen(line), NULL, 10);
    free(text);
    return value;
}

/* Calls `echo` with a long text through a client whose option is |deflate|. */
static void call(const char *url, int deflate)
{
    struct weft_client *client = NULL;
    struct weft_client_options options;
    char params[2100];
    char message[200] = "";
    weft_client_options_init(&options);
    options.url = url;
    options.deflate = deflate;
    memset(params, 'a', sizeof(params));
    memcpy(params, "{\"text\":\"", 9);
    strcpy(params + 2000, "\"}");
    if (weft_client_connect(&options, &client, message, sizeof(message)))
        fail_msg("%s", message);
    struct weft_answer *answer = NULL;
    for (int i = 0; i < 3; i++) {
        assert_ok(weft_client_call_wait(client, "demo.echo", params, 0, &answer));
        assert_int_equal(answer->status, 0);
        assert_string_equal(answer->result, params);
        weft_answer_free(answer);
    }
    weft_client_close(client);
}

static void the_server_compresses_for_whom_asks_and_counts_it(void **state)
{
    static const int options[] = {WEFT_SERVER_DEFLATE_SHARED, WEFT_SERVER_DEFLATE_OFF,
                                  WEFT_SERVER_DEFLATE_TAKEOVER};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(options); i++) {
        char url[100];
        struct weft_server *server = start_server(state, options[i], url, sizeof(url));
        bool on = options[i] != WEFT_SERVER_DEFLATE_OFF;
        call(url, WEFT_CLIENT_DEFLATE_OFF);
        assert_int_equal(metric(url, "weft_deflate_websockets_total"), 0);
        call(url, WEFT_CLIENT_DEFLATE_SHARED);
        call(url, WEFT_CLIENT_DEFLATE_TAKEOVER);
        assert_int_equal(metric(url, "weft_deflate_websockets_total"), on ? 2 : 0);
        /* Also what else is long enough, such as the greeting's answer. */
        unsigned long deflated = metric(url, "weft_deflated_messages_total");
        assert_true(on ? deflated >= 6 : deflated == 0);
        assert_int_equal(metric(url, "weft_inflated_messages_total"), on ? 6 : 0);
        if (on) {
            assert_true(metric(url, "weft_deflated_after_bytes_total") <
                        metric(url, "weft_deflated_before_bytes_total") / 10);
            assert_true(metric(url, "weft_inflated_after_bytes_total") >= 6 * 2000);
            assert_true(metric(url, "weft_inflated_before_bytes_total") < 2000);
        }
        weft_server_stop(server);
        weft_server_free(server);
    }
}

static void options_out_of_range_are_refused(void **state)
{
    (void)state;
    struct weft_server *server = NULL;
    struct weft_server_options options;
    char message[200] = "";
    weft_server_options_init(&options);
    options.deflate = 3;
    assert_err(weft_server_new(&options, &server, message, sizeof(message)), WEFT_ERR_USAGE);
    assert_non_null(strstr(message, "deflate"));
    struct weft_client *client = NULL;
    struct weft_client_options client_options;
    weft_client_options_init(&client_options);
    client_options.deflate = -1;
    assert_err(weft_client_connect(&client_options, &client, NULL, 0), WEFT_ERR_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compressed_messages_come_back_as_they_were),
        cmocka_unit_test(messages_below_the_minimum_are_not_compressed),
        cmocka_unit_test(idle_connections_cost_the_same_with_and_without_compression),
        cmocka_unit_test(a_message_for_many_is_compressed_once),
        cmocka_unit_test(offers_are_answered_as_the_option_says),
        cmocka_unit_test(bombs_and_garbage_end_the_connection_and_nothing_else),
        cmocka_unit_test(a_client_fails_on_answers_that_do_not_fit),
        cmocka_unit_test(the_server_compresses_for_whom_asks_and_counts_it),
        cmocka_unit_test(options_out_of_range_are_refused),
    };
    return io_run_tests_above("test_compression_decompression", tests, WEFT_ARRAY_LEN(tests));
}
