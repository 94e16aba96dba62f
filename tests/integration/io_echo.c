/* SPDX-License-Identifier: Apache-2.0 */
/* `weft echo` as a process, in both roles: what it prints, sends back, and ends with. */
#include "integration/echo_process.h"

#include "io/crypto.h"
#include "transport/transport.h"

/* ---- This end ---- */

struct peer {
    struct weft_loop *loop;
    struct weft_transport_set set;
    struct weft_listener listener;
    struct weft_transport transport;
    struct weft_transport_dial dial;
    struct weft_ws_request request;
    size_t sent;
    size_t received;
    unsigned end_code;
    bool refuse;
    bool closed;
};

enum { MESSAGES = 1000 };

static struct peer *peer_of(struct weft_transport *transport)
{
    return WEFT_CONTAINER_OF(transport, struct peer, transport);
}

static void on_request(struct weft_transport *transport, const struct weft_http1_head *head)
{
    struct weft_ws_upgrade upgrade;
    int status = 400;
    assert_ok(weft__ws_upgrade_check(head, NULL, 0, &upgrade, &status));
    assert_true(weft__slice_eq_str(head->target, "/path?query=1"));
    if (peer_of(transport)->refuse)
        assert_ok(weft__transport_refuse(transport, 403, NULL, NULL, 0));
    else
        assert_ok(weft__transport_accept(transport, &upgrade, NULL, 0));
}

static void on_open(struct weft_transport *transport)
{
    struct peer *peer = peer_of(transport);
    for (uint32_t i = 0; i < MESSAGES; i++)
        assert_ok(
            weft__transport_send(transport, WEFT_WS_OPCODE_BINARY, weft__slice(&i, sizeof(i))));
    peer->sent = MESSAGES;
}

static void on_message(struct weft_transport *transport, enum weft_ws_opcode opcode,
                       struct weft_slice data)
{
    struct peer *peer = peer_of(transport);
    uint32_t number;
    assert_int_equal(opcode, WEFT_WS_OPCODE_BINARY);
    assert_int_equal(data.len, sizeof(number));
    memcpy(&number, data.ptr, sizeof(number));
    assert_int_equal(number, peer->received);
    if (++peer->received < MESSAGES)
        return;
    if (transport->role == WEFT_WS_ROLE_SERVER)
        weft__transport_close(transport, WEFT_WS_CLOSE_NORMAL, weft__slice_str("done"));
    else
        weft__loop_stop(peer->loop);
}

static void on_end(struct weft_transport *transport, unsigned code, struct weft_slice reason)
{
    (void)reason;
    peer_of(transport)->end_code = code;
}

static void on_closed(struct weft_transport *transport)
{
    peer_of(transport)->closed = true;
    weft__loop_stop(peer_of(transport)->loop);
}

static const struct weft_transport_callbacks callbacks = {.on_request = on_request,
                                                          .on_open = on_open,
                                                          .on_message = on_message,
                                                          .on_end = on_end,
                                                          .on_closed = on_closed};

static void peer_init(struct peer *peer)
{
    *peer = (struct peer){.loop = io_loop_new(WEFT_LOOP_EPOLL, NULL, 0, 0)};
    struct weft_transport_options options = {.crypto = weft__crypto_openssl()};
    weft__transport_set_init(&peer->set, peer->loop, &options);
}

static void peer_done(struct peer *peer)
{
    weft__transport_set_done(&peer->set);
    weft__loop_free(peer->loop);
}

static void on_accept(struct weft_listener *listener, int fd, const struct weft_address *from)
{
    (void)from;
    struct peer *peer = WEFT_CONTAINER_OF(listener, struct peer, listener);
    assert_ok(weft__transport_serve(&peer->transport, &peer->set, fd, &callbacks));
}

static void on_listener_closed(struct weft_listener *listener)
{
    struct peer *peer = WEFT_CONTAINER_OF(listener, struct peer, listener);
    weft__loop_stop(peer->loop);
}

static const struct weft_listener_callbacks listener_callbacks = {on_accept, on_listener_closed};

/* ---- Cases ---- */

static void server_names_its_loop_echoes_and_says_goodbye(void **state)
{
    const char *args[] = {"--listen",  "127.0.0.1:0", "--loop", loop_name(state),
                          "--workers", "2",           NULL};
    struct process server = run_echo(args);
    char line[256];
    char want[256];
    read_line(server.out, line, sizeof(line));
    unsigned port = 0;
    static const char prefix[] = "weft echo: listening on ws://127.0.0.1:";
    assert_memory_equal(line, prefix, sizeof(prefix) - 1);
    port = (unsigned)strtoul(line + sizeof(prefix) - 1, NULL, 10);
    assert_in_range(port, 1, 65535);
    (void)snprintf(want, sizeof(want), "%s%u (loop %s, 2 workers)", prefix, port, loop_name(state));
    assert_string_equal(line, want);

    struct peer peer;
    peer_init(&peer);
    struct weft_address address;
    assert_ok(weft__address_from_numeric("127.0.0.1", (uint16_t)port, &address));
    peer.request = (struct weft_ws_request){.host = WEFT_SLICE_LIT("127.0.0.1"),
                                            .target = WEFT_SLICE_LIT("/any/path")};
    assert_ok(weft__transport_dial(&peer.transport, &peer.set, &address, &peer.request, &peer.dial,
                                   &callbacks));
    io_run(peer.loop, 10000);
    assert_int_equal(peer.received, MESSAGES);
    assert_int_equal(kill(server.pid, SIGTERM), 0);
    io_run(peer.loop, 10000);
    assert_true(peer.closed);
    assert_int_equal(peer.end_code, WEFT_WS_CLOSE_GOING_AWAY);
    assert_int_equal(wait_exit(&server), 0);
    peer_done(&peer);
}

/* Runs a client against a server in this process; returns its exit status. */
static int run_client(void **state, struct peer *peer)
{
    struct weft_address address;
    assert_ok(weft__address_parse("127.0.0.1:0", &address));
    assert_ok(weft__listener_open(&peer->listener, peer->loop, &address, 0, &listener_callbacks));
    assert_ok(weft__listener_address(&peer->listener, &address));
    char url[128];
    (void)snprintf(url, sizeof(url), "ws://localhost:%u/path?query=1",
                   (unsigned)weft__address_port(&address));
    const char *args[] = {"--connect", url, "--loop", loop_name(state), NULL};
    struct process client = run_echo(args);
    io_run(peer->loop, 10000);
    int status = wait_exit(&client);
    weft__listener_close(&peer->listener);
    io_run(peer->loop, 5000);
    return status;
}

static void client_echoes_until_the_server_closes(void **state)
{
    struct peer peer;
    peer_init(&peer);
    assert_int_equal(run_client(state, &peer), 0);
    assert_int_equal(peer.received, MESSAGES);
    assert_int_equal(peer.end_code, WEFT_WS_CLOSE_NORMAL);
    peer_done(&peer);
}

static void refused_client_exits_with_1(void **state)
{
    struct peer peer;
    peer_init(&peer);
    peer.refuse = true;
    assert_int_equal(run_client(state, &peer), 1);
    peer_done(&peer);
}

static void wrong_usage_exits_with_2(void **state)
{
    (void)state;
    static const char *const cases[][4] = {
        {NULL},
        {"--listen", NULL},
        {"--listen", "127.0.0.1:0", "--connect", "ws://x"},
        {"--loop", "kqueue", NULL},
        {"--workers", "0", NULL},
        {"--max-message", "-1", NULL},
        {"--what", "x", NULL},
    };
    for (size_t i = 0; i < WEFT_ARRAY_LEN(cases); i++) {
        const char *args[5] = {cases[i][0], cases[i][1], cases[i][2], cases[i][3], NULL};
        struct process process = run_echo(args);
        assert_int_equal(wait_exit(&process), 2);
    }
}

static void address_that_cannot_be_used_exits_with_1(void **state)
{
    static const char *const bad[] = {"127.0.0.1:x", "192.0.2.1:1"};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(bad); i++) {
        const char *args[] = {"--listen", bad[i], "--loop", loop_name(state), NULL};
        struct process process = run_echo(args);
        assert_int_equal(wait_exit(&process), 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(server_names_its_loop_echoes_and_says_goodbye),
        cmocka_unit_test(client_echoes_until_the_server_closes),
        cmocka_unit_test(refused_client_exits_with_1),
        cmocka_unit_test(wrong_usage_exits_with_2),
        cmocka_unit_test(address_that_cannot_be_used_exits_with_1),
    };
    return io_run_tests_above("io_echo", tests, WEFT_ARRAY_LEN(tests));
}
