/* SPDX-License-Identifier: Apache-2.0 */
/* A loop with a listener and connections between both ends of it, for tests of io/tcp.h: cases set
 * what an end does in its callbacks, the rules that hold for all are checked here. */
#ifndef WEFT_TESTS_INTEGRATION_IO_WORLD_H
#define WEFT_TESTS_INTEGRATION_IO_WORLD_H

#include "integration/io_support.h"

#include "io/tcp.h"

/* One end of a connection. What it does is set by the case through the functions. */
struct end {
    struct weft_tcp tcp;
    struct weft_tcp_connector connector;
    struct world *world;
    void (*recv)(struct end *end, uint8_t *data, ptrdiff_t n);
    void (*sent)(struct end *end, ptrdiff_t n);
    void (*connected)(struct end *end, int err);
    size_t received;
    uint64_t sum; /* of what was received, order-dependent */
    ptrdiff_t last_recv;
    ptrdiff_t last_sent;
    int sent_calls;
    int connect_err;
    bool is_client;
    bool closed;
    struct iovec iov[32];
    uint8_t *keep; /* freed at the end */
    struct weft_timer timer;
};

/* A loop with a listener, the ends of a case, and how many of them are still open. */
struct world {
    struct test_alloc mem;
    struct weft_loop *loop;
    struct weft_listener listener;
    struct weft_address address;
    void (*accepted)(struct end *end);
    struct end **ends;
    size_t count;
    size_t cap;
    size_t open;
    size_t served;
    size_t stop_at; /* stop the loop when so many ends were made and all are closed */
    bool listener_closed;
};

static inline uint64_t mix(uint64_t sum, const uint8_t *data, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sum = sum * 31 + data[i];
    return sum;
}

static inline void maybe_stop(struct world *world)
{
    if (world->open == 0 && world->count >= world->stop_at)
        weft__loop_stop(world->loop);
}

static inline void close_end(struct end *end)
{
    if (!end->closed) {
        end->closed = true;
        weft__tcp_close(&end->tcp);
    }
}

static inline void on_recv(struct weft_tcp *tcp, uint8_t *data, ptrdiff_t n)
{
    struct end *end = WEFT_CONTAINER_OF(tcp, struct end, tcp);
    assert_false(end->closed);
    end->last_recv = n;
    if (n > 0) {
        end->received += (size_t)n;
        end->sum = mix(end->sum, data, (size_t)n);
    }
    if (end->recv)
        end->recv(end, data, n);
    else if (n <= 0)
        close_end(end);
}

static inline void on_sent(struct weft_tcp *tcp, ptrdiff_t n)
{
    struct end *end = WEFT_CONTAINER_OF(tcp, struct end, tcp);
    assert_false(end->closed);
    end->last_sent = n;
    end->sent_calls++;
    if (end->sent)
        end->sent(end, n);
}

static inline void on_connected(struct weft_tcp *tcp, int err)
{
    struct end *end = WEFT_CONTAINER_OF(tcp, struct end, tcp);
    assert_false(end->closed);
    end->connect_err = err;
    if (end->connected)
        end->connected(end, err);
    else if (err)
        close_end(end);
}

static inline void on_closed(struct weft_tcp *tcp)
{
    struct end *end = WEFT_CONTAINER_OF(tcp, struct end, tcp);
    assert_true(end->closed);
    weft__loop_timer_stop(end->world->loop, &end->timer);
    /* The last callback: using the struct from now on would be a mistake that this shows. */
    memset(tcp, 0xee, sizeof(*tcp));
    end->world->open--;
    maybe_stop(end->world);
}

static const struct weft_tcp_callbacks end_callbacks = {
    .on_recv = on_recv, .on_sent = on_sent, .on_closed = on_closed, .on_connected = on_connected};

static inline struct end *end_new(struct world *world)
{
    if (world->count == world->cap) {
        world->cap = world->cap ? world->cap * 2 : 16;
        world->ends = realloc(world->ends, world->cap * sizeof(struct end *));
        assert_non_null(world->ends);
    }
    struct end *end = calloc(1, sizeof(*end));
    assert_non_null(end);
    end->world = world;
    weft__list_init(&end->timer.node);
    world->ends[world->count++] = end;
    world->open++;
    return end;
}

static inline void on_accept(struct weft_listener *listener, int fd,
                             const struct weft_address *peer)
{
    struct world *world = WEFT_CONTAINER_OF(listener, struct world, listener);
    assert_true(peer->u.any.sa_family == AF_UNSPEC || weft__address_is_loopback(peer));
    struct end *end = end_new(world);
    assert_ok(weft__tcp_open(&end->tcp, world->loop, fd, &end_callbacks));
    if (world->accepted)
        world->accepted(end);
}

static inline void on_listener_closed(struct weft_listener *listener)
{
    struct world *world = WEFT_CONTAINER_OF(listener, struct world, listener);
    world->listener_closed = true;
    weft__loop_stop(world->loop);
}

static const struct weft_listener_callbacks listener_callbacks = {on_accept, on_listener_closed};

static inline void world_init_with(struct world *world, void **state, unsigned buffers,
                                   unsigned size, const char *address)
{
    *world = (struct world){.stop_at = 2};
    test_alloc_init(&world->mem);
    world->loop = io_loop_new(io_backend(state), &world->mem.alloc, buffers, size);
    assert_ok(weft__address_parse(address, &world->address));
    assert_ok(weft__listener_open(&world->listener, world->loop, &world->address, 0,
                                  &listener_callbacks));
    assert_ok(weft__listener_address(&world->listener, &world->address));
    assert_int_not_equal(weft__address_port(&world->address), 0);
}

static inline void world_init(struct world *world, void **state)
{
    world_init_with(world, state, 0, 0, "127.0.0.1:0");
}

static inline void world_done(struct world *world)
{
    if (!world->listener_closed) {
        weft__listener_close(&world->listener);
        io_run(world->loop, 5000);
    }
    assert_true(world->listener_closed);
    assert_int_equal(weft__loop_stats(world->loop)->open_handles, 0);
    weft__loop_free(world->loop);
    for (size_t i = 0; i < world->count; i++) {
        free(world->ends[i]->keep);
        free(world->ends[i]);
    }
    free(world->ends);
    test_alloc_done(&world->mem);
}

static inline struct end *connect_end(struct world *world, const struct weft_address *address,
                                      uint64_t timeout_ms)
{
    struct end *end = end_new(world);
    end->is_client = true;
    end->connect_err = 1;
    assert_ok(weft__tcp_connect(&end->tcp, world->loop, address, timeout_ms, &end->connector,
                                &end_callbacks));
    return end;
}

/* Sends a copy of |n| bytes; completion inline or by on_sent looks the same to the case. */
static inline void send_copy(struct end *end, const void *data, size_t n)
{
    free(end->keep);
    end->keep = malloc(n);
    assert_non_null(end->keep);
    memcpy(end->keep, data, n);
    end->iov[0] = (struct iovec){end->keep, n};
    int result = weft__tcp_send(&end->tcp, end->iov, 1);
    assert_true(result >= 0);
    if (result == WEFT_TCP_SENT)
        on_sent(&end->tcp, (ptrdiff_t)n);
}

#endif
