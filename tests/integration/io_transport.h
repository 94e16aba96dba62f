/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The world of the transport's tests: a loop with a server, the sides of connections in both roles,
 * and a peer written by hand on a socket that is used between runs of the loop.
 */
#ifndef WEFT_TESTS_INTEGRATION_IO_TRANSPORT_H
#define WEFT_TESTS_INTEGRATION_IO_TRANSPORT_H

#include "integration/io_support.h"

#include "io/clock.h"
#include "io/crypto.h"
#include "transport/transport.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

struct side {
    struct weft_transport transport;
    struct weft_transport_dial dial;
    struct weft_ws_request request;
    struct world *world;
    size_t messages;
    size_t bytes;
    uint8_t last[64]; /* beginning of the last message */
    size_t last_len;
    enum weft_ws_opcode last_opcode;
    unsigned end_code;
    char end_reason[128];
    int opens;
    int ends;
    int drains;
    bool closed;
    struct weft_timer timer;
};

/* A loop with a server, its sides, and what a case wants done in the callbacks. */
struct world {
    struct test_alloc mem;
    struct weft_loop *loop;
    struct weft_transport_set set;
    struct weft_listener listener;
    struct weft_address address;
    struct side *sides[256];
    size_t count;
    size_t open;
    size_t stop_at;
    bool listener_closed;
    void (*request)(struct side *side, const struct weft_http1_head *head);
    void (*server_open)(struct side *side);
    void (*client_open)(struct side *side);
    void (*server_message)(struct side *side, enum weft_ws_opcode opcode, struct weft_slice data);
    void (*client_message)(struct side *side, enum weft_ws_opcode opcode, struct weft_slice data);
    size_t goal; /* messages after which a client closes */
};

static inline bool is_server(const struct side *side)
{
    return side->transport.role == WEFT_WS_ROLE_SERVER;
}

static inline struct side *side_of(struct weft_transport *transport)
{
    return WEFT_CONTAINER_OF(transport, struct side, transport);
}

/* ---- What sides do unless a case says otherwise ---- */

static inline void accept_request(struct side *side, const struct weft_http1_head *head)
{
    struct weft_ws_upgrade upgrade;
    int status = 426;
    int err = WEFT_ERR_HANDSHAKE;
    if (weft__ws_upgrade_wanted(head))
        err = weft__ws_upgrade_check(head, NULL, 0, &upgrade, &status);
    if (err)
        err = weft__transport_refuse(&side->transport, status, NULL, NULL, 0);
    else
        err = weft__transport_accept(&side->transport, &upgrade, NULL, 0);
    assert_true(err == 0 || err == WEFT_ERR_NOMEM);
    if (err)
        weft__transport_abort(&side->transport, err);
}

static inline void echo(struct side *side, enum weft_ws_opcode opcode, struct weft_slice data)
{
    int err = weft__transport_send(&side->transport, opcode, data);
    assert_true(err == 0 || err == WEFT_ERR_STATE || err == WEFT_ERR_LIMIT ||
                err == WEFT_ERR_NOMEM);
}

static inline void close_side(struct side *side, unsigned code, const char *reason)
{
    weft__transport_close(&side->transport, code, weft__slice_str(reason));
}

static inline void on_request(struct weft_transport *transport, const struct weft_http1_head *head)
{
    struct side *side = side_of(transport);
    assert_int_equal(transport->state, WEFT_TRANSPORT_ANSWERING);
    if (side->world->request)
        side->world->request(side, head);
    else
        accept_request(side, head);
}

static inline void on_open(struct weft_transport *transport)
{
    struct side *side = side_of(transport);
    struct world *world = side->world;
    assert_int_equal(side->opens++, 0);
    if (is_server(side) && world->server_open)
        world->server_open(side);
    if (!is_server(side) && world->client_open)
        world->client_open(side);
}

static inline void on_message(struct weft_transport *transport, enum weft_ws_opcode opcode,
                              struct weft_slice data)
{
    struct side *side = side_of(transport);
    struct world *world = side->world;
    assert_int_equal(side->opens, 1);
    assert_int_equal(side->ends, 0);
    side->messages++;
    side->bytes += data.len;
    side->last_opcode = opcode;
    side->last_len = data.len < sizeof(side->last) ? data.len : sizeof(side->last);
    if (side->last_len)
        memcpy(side->last, data.ptr, side->last_len);
    if (is_server(side)) {
        if (world->server_message)
            world->server_message(side, opcode, data);
        else
            echo(side, opcode, data);
        return;
    }
    if (world->client_message)
        world->client_message(side, opcode, data);
    if (side->messages == world->goal)
        close_side(side, WEFT_WS_CLOSE_NORMAL, "done");
}

static inline void on_end(struct weft_transport *transport, unsigned code, struct weft_slice reason)
{
    struct side *side = side_of(transport);
    assert_int_equal(side->opens, 1);
    assert_int_equal(side->ends++, 0);
    side->end_code = code;
    assert_in_range(reason.len, 0, sizeof(side->end_reason) - 1);
    if (reason.len)
        memcpy(side->end_reason, reason.ptr, reason.len);
}

static inline void on_drain(struct weft_transport *transport)
{
    side_of(transport)->drains++;
}

static inline void on_closed(struct weft_transport *transport)
{
    struct side *side = side_of(transport);
    struct world *world = side->world;
    assert_false(side->closed);
    assert_int_equal(side->opens, side->ends);
    side->closed = true;
    weft__loop_timer_stop(world->loop, &side->timer);
    world->open--;
    if (!world->open && world->count >= world->stop_at)
        weft__loop_stop(world->loop);
}

static const struct weft_transport_callbacks callbacks = {.on_request = on_request,
                                                          .on_open = on_open,
                                                          .on_message = on_message,
                                                          .on_end = on_end,
                                                          .on_closed = on_closed,
                                                          .on_drain = on_drain};

/* ---- The world ---- */

static inline struct side *side_new(struct world *world)
{
    assert_in_range(world->count, 0, WEFT_ARRAY_LEN(world->sides) - 1);
    struct side *side = calloc(1, sizeof(*side));
    assert_non_null(side);
    side->world = world;
    weft__list_init(&side->timer.node);
    world->sides[world->count++] = side;
    world->open++;
    return side;
}

static inline void on_accept(struct weft_listener *listener, int fd,
                             const struct weft_address *peer)
{
    (void)peer;
    struct world *world = WEFT_CONTAINER_OF(listener, struct world, listener);
    struct side *side = side_new(world);
    assert_ok(weft__transport_serve(&side->transport, &world->set, fd, &callbacks));
}

static inline void on_listener_closed(struct weft_listener *listener)
{
    struct world *world = WEFT_CONTAINER_OF(listener, struct world, listener);
    world->listener_closed = true;
    weft__loop_stop(world->loop);
}

static const struct weft_listener_callbacks listener_callbacks = {on_accept, on_listener_closed};

static inline void world_init_with(struct world *world, void **state,
                                   struct weft_transport_options options)
{
    *world = (struct world){.stop_at = 2};
    test_alloc_init(&world->mem);
    world->loop = io_loop_new(io_backend(state), &world->mem.alloc, 0, 0);
    options.crypto = weft__crypto_openssl();
    weft__transport_set_init(&world->set, world->loop, &options);
    assert_ok(weft__address_parse("127.0.0.1:0", &world->address));
    assert_ok(weft__listener_open(&world->listener, world->loop, &world->address, 0,
                                  &listener_callbacks));
    assert_ok(weft__listener_address(&world->listener, &world->address));
}

static inline void world_init(struct world *world, void **state)
{
    world_init_with(world, state, (struct weft_transport_options){0});
}

static inline void world_done(struct world *world)
{
    weft__listener_close(&world->listener);
    io_run(world->loop, 5000);
    assert_true(world->listener_closed);
    assert_int_equal(world->set.stats.open, 0);
    weft__transport_set_done(&world->set);
    weft__loop_free(world->loop);
    for (size_t i = 0; i < world->count; i++) {
        assert_true(world->sides[i]->closed);
        free(world->sides[i]);
    }
    test_alloc_done(&world->mem);
}

static inline struct side *dial(struct world *world)
{
    struct side *side = side_new(world);
    side->request =
        (struct weft_ws_request){.host = WEFT_SLICE_LIT("test"), .target = WEFT_SLICE_LIT("/ws")};
    assert_ok(weft__transport_dial(&side->transport, &world->set, &world->address, &side->request,
                                   &side->dial, &callbacks));
    return side;
}

/* The first side with that role. */
static inline struct side *find(struct world *world, bool server)
{
    for (size_t i = 0; i < world->count; i++)
        if (is_server(world->sides[i]) == server)
            return world->sides[i];
    fail_msg("no such side");
    return NULL;
}

/* ---- A peer by hand: a blocking socket that is used between runs of the loop ---- */

static const char upgrade[] = "GET /ws HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\n"
                              "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

static inline int raw_connect(struct world *world)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    const struct weft_address *address = &world->address;
    assert_int_equal(connect(fd, &address->u.any, weft__address_len(address)), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

static inline void raw_send(int fd, const void *data, size_t len)
{
    assert_int_equal(send(fd, data, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* Lets the loop run for |ms|. */
static inline void pass(struct world *world, uint64_t ms)
{
    struct io_guard pause = {.loop = world->loop};
    weft__timer_init(&pause.timer, io_guard_fired);
    weft__loop_timer_start(world->loop, &pause.timer, ms);
    while (!pause.expired)
        assert_ok(weft__loop_run(world->loop));
}

/* Reads what is there; |ret_end| tells whether the stream ended. */
static inline size_t raw_read(int fd, void *data, size_t cap, bool *ret_end)
{
    size_t len = 0;
    *ret_end = false;
    while (len < cap) {
        ssize_t n = recv(fd, (uint8_t *)data + len, cap - len, 0);
        if (n <= 0) {
            *ret_end = n == 0;
            break;
        }
        len += (size_t)n;
    }
    return len;
}

/* Connects and upgrades by hand; the answer is read off. */
static inline int raw_upgrade(struct world *world)
{
    int fd = raw_connect(world);
    raw_send(fd, upgrade, sizeof(upgrade) - 1);
    char answer[1024];
    bool end;
    for (int i = 0; i < 100; i++) {
        pass(world, 2);
        size_t len = raw_read(fd, answer, sizeof(answer), &end);
        if (len) {
            assert_true(len > 16 && memcmp(answer, "HTTP/1.1 101 ", 13) == 0);
            return fd;
        }
    }
    fail_msg("no answer to the upgrade");
    return fd;
}

/* Runs until every side is closed, reading off what the server sends; returns that. */
static inline size_t raw_rest(struct world *world, int fd, void *data, size_t cap)
{
    size_t len = 0;
    bool end = false;
    for (int i = 0; i < 1000 && (world->open || !end); i++) {
        pass(world, 2);
        if (!end)
            len += raw_read(fd, (uint8_t *)data + len, cap - len, &end);
        if (end && fd >= 0)
            (void)shutdown(fd, SHUT_WR);
    }
    assert_int_equal(world->open, 0);
    return len;
}

#endif
