/* SPDX-License-Identifier: Apache-2.0 */
/* Connections and listeners over real sockets, on both backends. */
#include "integration/io_support.h"

#include "io/tcp.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

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

static uint64_t mix(uint64_t sum, const uint8_t *data, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sum = sum * 31 + data[i];
    return sum;
}

static void maybe_stop(struct world *world)
{
    if (world->open == 0 && world->count >= world->stop_at)
        weft__loop_stop(world->loop);
}

static void close_end(struct end *end)
{
    if (!end->closed) {
        end->closed = true;
        weft__tcp_close(&end->tcp);
    }
}

static void on_recv(struct weft_tcp *tcp, uint8_t *data, ptrdiff_t n)
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

static void on_sent(struct weft_tcp *tcp, ptrdiff_t n)
{
    struct end *end = WEFT_CONTAINER_OF(tcp, struct end, tcp);
    assert_false(end->closed);
    end->last_sent = n;
    end->sent_calls++;
    if (end->sent)
        end->sent(end, n);
}

static void on_connected(struct weft_tcp *tcp, int err)
{
    struct end *end = WEFT_CONTAINER_OF(tcp, struct end, tcp);
    assert_false(end->closed);
    end->connect_err = err;
    if (end->connected)
        end->connected(end, err);
    else if (err)
        close_end(end);
}

static void on_closed(struct weft_tcp *tcp)
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

static struct end *end_new(struct world *world)
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

static void on_accept(struct weft_listener *listener, int fd, const struct weft_address *peer)
{
    struct world *world = WEFT_CONTAINER_OF(listener, struct world, listener);
    assert_true(peer->u.any.sa_family == AF_UNSPEC || weft__address_is_loopback(peer));
    struct end *end = end_new(world);
    assert_ok(weft__tcp_open(&end->tcp, world->loop, fd, &end_callbacks));
    if (world->accepted)
        world->accepted(end);
}

static void on_listener_closed(struct weft_listener *listener)
{
    struct world *world = WEFT_CONTAINER_OF(listener, struct world, listener);
    world->listener_closed = true;
    weft__loop_stop(world->loop);
}

static const struct weft_listener_callbacks listener_callbacks = {on_accept, on_listener_closed};

static void world_init_with(struct world *world, void **state, unsigned buffers, unsigned size,
                            const char *address)
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

static void world_init(struct world *world, void **state)
{
    world_init_with(world, state, 0, 0, "127.0.0.1:0");
}

static void world_done(struct world *world)
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

static struct end *connect_end(struct world *world, const struct weft_address *address,
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
static void send_copy(struct end *end, const void *data, size_t n)
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

/* ---- Echo ---- */

static void echo_back(struct end *end, uint8_t *data, ptrdiff_t n)
{
    if (n <= 0)
        close_end(end);
    else
        send_copy(end, data, (size_t)n);
}

static void serve_echo(struct end *end)
{
    end->recv = echo_back;
}

static void ping_next(struct end *end, uint8_t *data, ptrdiff_t n)
{
    assert_bytes(data, (size_t)n, "hello", 5);
    if (end->received < 5 * 100)
        send_copy(end, "hello", 5);
    else
        close_end(end);
}

static void ping_first(struct end *end, int err)
{
    assert_ok(err);
    send_copy(end, "hello", 5);
}

static void echo_returns_every_byte(void **state)
{
    struct world world;
    world_init(&world, state);
    world.accepted = serve_echo;
    struct end *client = connect_end(&world, &world.address, 1000);
    client->connected = ping_first;
    client->recv = ping_next;
    io_run(world.loop, 5000);
    assert_int_equal(client->received, 500);
    const struct weft_loop_stats *stats = weft__loop_stats(world.loop);
    assert_int_equal(stats->accepts, 1);
    assert_int_equal(stats->bytes_in, 1000);
    assert_int_equal(stats->bytes_out, 1000);
    assert_int_equal(stats->sends, 200);
    world_done(&world);
}

static void echo_works_over_ipv6(void **state)
{
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 loopback = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    bool has_ipv6 =
        fd >= 0 && bind(fd, (struct sockaddr *)(void *)&loopback, sizeof(loopback)) == 0;
    if (fd >= 0)
        (void)close(fd);
    struct world world;
    world_init_with(&world, state, 0, 0, has_ipv6 ? "[::1]:0" : "127.0.0.1:0");
    world.accepted = serve_echo;
    struct end *client = connect_end(&world, &world.address, 1000);
    client->connected = ping_first;
    client->recv = ping_next;
    io_run(world.loop, 5000);
    assert_int_equal(client->received, 500);
    world_done(&world);
}

/* ---- Half-close ---- */

enum { HALF_BYTES = 1 << 20 };

static void send_after_end(struct end *end, uint8_t *data, ptrdiff_t n)
{
    (void)data;
    if (n > 0)
        return;
    assert_int_equal(n, 0);
    uint8_t *bytes = calloc(1, HALF_BYTES);
    assert_non_null(bytes);
    send_copy(end, bytes, HALF_BYTES);
    free(bytes);
}

static void close_when_sent(struct end *end, ptrdiff_t n)
{
    assert_int_equal(n, HALF_BYTES);
    close_end(end);
}

static void serve_after_end(struct end *end)
{
    end->recv = send_after_end;
    end->sent = close_when_sent;
}

static void end_stream(struct end *end, int err)
{
    assert_ok(err);
    weft__tcp_shutdown_write(&end->tcp);
}

static void data_still_flows_to_a_peer_that_ended_its_stream(void **state)
{
    struct world world;
    world_init(&world, state);
    world.accepted = serve_after_end;
    struct end *client = connect_end(&world, &world.address, 1000);
    client->connected = end_stream;
    io_run(world.loop, 5000);
    assert_int_equal(client->received, HALF_BYTES);
    assert_int_equal(client->last_recv, 0);
    world_done(&world);
}

/* ---- A large send to a slow reader ---- */

enum { BIG_SLICES = 24, BIG_BYTES = 12 << 20 };

static void big_sent(struct end *end, ptrdiff_t n)
{
    assert_int_equal(n, BIG_BYTES);
    close_end(end);
}

static void serve_big(struct end *end)
{
    end->keep = malloc(BIG_BYTES);
    assert_non_null(end->keep);
    for (size_t i = 0; i < BIG_BYTES; i++)
        end->keep[i] = (uint8_t)(i * 7 + (i >> 11));
    end->sum = mix(0, end->keep, BIG_BYTES);
    end->sent = big_sent;
    size_t at = 0;
    for (int i = 0; i < BIG_SLICES; i++) {
        /* Uneven sizes, an empty slice among them. */
        size_t n = i == 3 ? 0 : (size_t)(i * 37441 + 1);
        if (i == BIG_SLICES - 1)
            n = BIG_BYTES - at;
        end->iov[i] = (struct iovec){end->keep + at, n};
        at += n;
    }
    int result = weft__tcp_send(&end->tcp, end->iov, BIG_SLICES);
    /* So much never fits the socket's buffer. */
    assert_int_equal(result, 0);
    assert_true(weft__tcp_sending(&end->tcp));
}

static void read_on(struct weft_timer *timer)
{
    struct end *end = WEFT_CONTAINER_OF(timer, struct end, timer);
    weft__tcp_resume(&end->tcp);
}

static void read_slowly(struct end *end, uint8_t *data, ptrdiff_t n)
{
    (void)data;
    if (n <= 0) {
        close_end(end);
        return;
    }
    weft__tcp_pause(&end->tcp);
    if (!weft__timer_running(&end->timer))
        weft__loop_timer_start(end->world->loop, &end->timer, 1);
}

static void large_send_to_a_slow_reader_completes_once_and_whole(void **state)
{
    struct world world;
    world_init(&world, state);
    world.accepted = serve_big;
    struct end *client = connect_end(&world, &world.address, 1000);
    client->recv = read_slowly;
    weft__timer_init(&client->timer, read_on);
    io_run(world.loop, 20000);
    struct end *server = world.ends[1];
    assert_int_equal(server->sent_calls, 1);
    assert_int_equal(client->received, BIG_BYTES);
    assert_true(client->sum == server->sum);
    world_done(&world);
}

/* ---- Pause and resume ---- */

enum { PAUSE_BYTES = 8 << 20 };

static size_t paused_at;

static void pause_over(struct weft_timer *timer)
{
    struct end *end = WEFT_CONTAINER_OF(timer, struct end, timer);
    /* One receive on epoll, the pool of buffers on io_uring. */
    size_t most = 4u << 20;
    assert_in_range(end->received, paused_at, most);
    paused_at = end->received;
    end->recv = NULL;
    weft__tcp_resume(&end->tcp);
    weft__tcp_resume(&end->tcp);
}

static void pause_at_once(struct end *end, uint8_t *data, ptrdiff_t n)
{
    (void)data;
    assert_true(n > 0);
    if (weft__timer_running(&end->timer))
        return;
    paused_at = end->received;
    weft__tcp_pause(&end->tcp);
    weft__tcp_pause(&end->tcp);
    weft__timer_init(&end->timer, pause_over);
    weft__loop_timer_start(end->world->loop, &end->timer, 60);
}

static void serve_pausing(struct end *end)
{
    end->recv = pause_at_once;
}

static void client_sent_all(struct end *end, ptrdiff_t n)
{
    assert_int_equal(n, PAUSE_BYTES);
    close_end(end);
}

static void client_sends_much(struct end *end, int err)
{
    assert_ok(err);
    end->sent = client_sent_all;
    uint8_t *bytes = calloc(1, PAUSE_BYTES);
    assert_non_null(bytes);
    send_copy(end, bytes, PAUSE_BYTES);
    free(bytes);
}

static void paused_connection_receives_nothing_until_resumed(void **state)
{
    struct world world;
    world_init(&world, state);
    world.accepted = serve_pausing;
    struct end *client = connect_end(&world, &world.address, 1000);
    client->connected = client_sends_much;
    io_run(world.loop, 10000);
    struct end *server = world.ends[1];
    assert_true(paused_at < PAUSE_BYTES);
    assert_int_equal(server->received, PAUSE_BYTES);
    world_done(&world);
}

static void flap(struct end *end, uint8_t *data, ptrdiff_t n)
{
    (void)data;
    if (n <= 0) {
        close_end(end);
        return;
    }
    weft__tcp_pause(&end->tcp);
    weft__tcp_resume(&end->tcp);
    weft__tcp_pause(&end->tcp);
    weft__tcp_resume(&end->tcp);
}

static void serve_flapping(struct end *end)
{
    end->recv = flap;
}

static void pausing_and_resuming_in_a_callback_loses_nothing(void **state)
{
    struct world world;
    world_init(&world, state);
    world.accepted = serve_flapping;
    struct end *client = connect_end(&world, &world.address, 1000);
    client->connected = client_sends_much;
    io_run(world.loop, 10000);
    assert_int_equal(world.ends[1]->received, PAUSE_BYTES);
    world_done(&world);
}

/* ---- Closing in callbacks ---- */

static void say_one_word(struct end *end, int err)
{
    assert_ok(err);
    send_copy(end, "x", 1);
}

static void close_on_data(struct end *end, uint8_t *data, ptrdiff_t n)
{
    (void)data;
    (void)n;
    close_end(end);
}

static void serve_closing(struct end *end)
{
    end->recv = close_on_data;
}

static void serve_not_at_all(struct end *end)
{
    close_end(end);
}

static void close_on_connected(struct end *end, int err)
{
    assert_ok(err);
    close_end(end);
}

static void closing_inside_on_recv_ends_the_connection(void **state)
{
    struct world world;
    world_init(&world, state);
    world.accepted = serve_closing;
    struct end *client = connect_end(&world, &world.address, 1000);
    client->connected = say_one_word;
    io_run(world.loop, 5000);
    assert_int_equal(world.ends[1]->received, 1);
    world_done(&world);
}

static void closing_inside_on_accept_ends_the_connection(void **state)
{
    struct world world;
    world_init(&world, state);
    world.accepted = serve_not_at_all;
    struct end *client = connect_end(&world, &world.address, 1000);
    io_run(world.loop, 5000);
    assert_int_equal(client->last_recv, 0);
    world_done(&world);
}

static void closing_inside_on_connected_ends_the_connection(void **state)
{
    struct world world;
    world_init(&world, state);
    struct end *client = connect_end(&world, &world.address, 1000);
    client->connected = close_on_connected;
    io_run(world.loop, 5000);
    assert_int_equal(world.ends[1]->last_recv, 0);
    world_done(&world);
}

static void closing_while_connecting_calls_only_on_closed(void **state)
{
    struct world world;
    world_init(&world, state);
    world.stop_at = 1;
    struct end *client = connect_end(&world, &world.address, 1000);
    close_end(client);
    io_run(world.loop, 5000);
    assert_int_equal(client->connect_err, 1);
    world_done(&world);
}

static void close_later(struct weft_timer *timer)
{
    close_end(WEFT_CONTAINER_OF(timer, struct end, timer));
}

static void serve_stuck(struct end *end)
{
    serve_big(end);
    weft__timer_init(&end->timer, close_later);
    weft__loop_timer_start(end->world->loop, &end->timer, 20);
}

static void never_read(struct end *end, int err)
{
    assert_ok(err);
    weft__tcp_pause(&end->tcp);
    weft__timer_init(&end->timer, close_later);
    weft__loop_timer_start(end->world->loop, &end->timer, 60);
}

static void closing_with_a_send_in_flight_drops_it_without_on_sent(void **state)
{
    struct world world;
    world_init(&world, state);
    world.accepted = serve_stuck;
    struct end *client = connect_end(&world, &world.address, 1000);
    client->connected = never_read;
    io_run(world.loop, 5000);
    assert_int_equal(world.ends[1]->sent_calls, 0);
    world_done(&world);
}

/* ---- Broken connections ---- */

static void reset_on_data(struct end *end, uint8_t *data, ptrdiff_t n)
{
    (void)data;
    assert_true(n > 0);
    end->closed = true;
    weft__tcp_abort(&end->tcp);
}

static void serve_reset(struct end *end)
{
    end->recv = reset_on_data;
}

static void reset_by_the_peer_is_reported_as_closed(void **state)
{
    struct world world;
    world_init(&world, state);
    world.accepted = serve_reset;
    struct end *client = connect_end(&world, &world.address, 1000);
    client->connected = say_one_word;
    io_run(world.loop, 5000);
    assert_int_equal(client->last_recv, WEFT_ERR_CLOSED);
    world_done(&world);
}

static void send_until_broken(struct end *end, ptrdiff_t n)
{
    if (n < 0) {
        assert_int_equal(n, WEFT_ERR_CLOSED);
        close_end(end);
    }
}

static void serve_pushing(struct end *end)
{
    serve_big(end);
    end->sent = send_until_broken;
}

static void ignore(struct end *end, uint8_t *data, ptrdiff_t n)
{
    (void)end;
    (void)data;
    (void)n;
}

static void serve_pushing_deaf(struct end *end)
{
    serve_pushing(end);
    end->recv = ignore;
}

static void abort_later(struct weft_timer *timer)
{
    struct end *end = WEFT_CONTAINER_OF(timer, struct end, timer);
    end->closed = true;
    weft__tcp_abort(&end->tcp);
}

static void abort_soon(struct end *end, int err)
{
    assert_ok(err);
    weft__tcp_pause(&end->tcp);
    weft__timer_init(&end->timer, abort_later);
    weft__loop_timer_start(end->world->loop, &end->timer, 20);
}

static void send_in_flight_fails_when_the_peer_resets(void **state)
{
    struct world world;
    world_init(&world, state);
    world.accepted = serve_pushing_deaf;
    struct end *client = connect_end(&world, &world.address, 1000);
    client->connected = abort_soon;
    io_run(world.loop, 5000);
    assert_int_equal(world.ends[1]->sent_calls, 1);
    assert_int_equal(world.ends[1]->last_sent, WEFT_ERR_CLOSED);
    world_done(&world);
}

/* ---- Connecting ---- */

/* A port of this machine where nobody listens. */
static struct weft_address free_address(void)
{
    struct weft_address address;
    assert_ok(weft__address_parse("127.0.0.1:0", &address));
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, &address.u.any, weft__address_len(&address)), 0);
    socklen_t len = sizeof(address);
    assert_int_equal(getsockname(fd, &address.u.any, &len), 0);
    (void)close(fd);
    return address;
}

static void connecting_to_a_closed_port_is_unavailable(void **state)
{
    struct world world;
    world_init(&world, state);
    world.stop_at = 1;
    struct weft_address address = free_address();
    struct end *client = connect_end(&world, &address, 1000);
    io_run(world.loop, 5000);
    assert_int_equal(client->connect_err, WEFT_ERR_UNAVAILABLE);
    world_done(&world);
}

static void connecting_past_its_deadline_times_out(void **state)
{
    struct world world;
    world_init(&world, state);
    world.stop_at = 1;
    /* A listener with a full backlog does not answer further connections. */
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct weft_address address;
    assert_ok(weft__address_parse("127.0.0.1:0", &address));
    assert_int_equal(bind(listener, &address.u.any, weft__address_len(&address)), 0);
    assert_int_equal(listen(listener, 0), 0);
    socklen_t len = sizeof(address);
    assert_int_equal(getsockname(listener, &address.u.any, &len), 0);
    int fill[3];
    for (int i = 0; i < 3; i++) {
        fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(fill[i], &address.u.any, weft__address_len(&address));
    }
    uint64_t before_ns = weft__loop_now_ns(world.loop);
    struct end *client = connect_end(&world, &address, 80);
    io_run(world.loop, 5000);
    assert_int_equal(client->connect_err, WEFT_ERR_TIMEOUT);
    assert_true(weft__loop_now_ns(world.loop) - before_ns >= 80 * WEFT_NS_PER_MS);
    for (int i = 0; i < 3; i++)
        (void)close(fill[i]);
    (void)close(listener);
    world_done(&world);
}

/* ---- Many ---- */

enum { STORM = 2000 };

static void raise_descriptor_limit(rlim_t want)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur >= want)
        return;
    limit.rlim_cur = want < limit.rlim_max ? want : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void close_on_answer(struct end *end, uint8_t *data, ptrdiff_t n)
{
    assert_bytes(data, (size_t)n, "x", 1);
    close_end(end);
}

static void storm_of_2000_connections_is_served(void **state)
{
    raise_descriptor_limit(2 * STORM + 100);
    struct world world;
    world_init(&world, state);
    world.accepted = serve_echo;
    world.stop_at = 2 * STORM;
    for (int i = 0; i < STORM; i++) {
        /* More than 256 handles are allowed only from within the running loop. */
        if (i == 200) {
            world.stop_at = 400;
            io_run(world.loop, 5000);
            world.stop_at = 2 * STORM;
        }
        struct end *client = connect_end(&world, &world.address, 20000);
        client->connected = say_one_word;
        client->recv = close_on_answer;
    }
    io_run(world.loop, 30000);
    assert_int_equal(weft__loop_stats(world.loop)->accepts, STORM);
    world_done(&world);
}

static void accepting_goes_on_after_descriptors_ran_out(void **state)
{
    enum { CLIENTS = 20, ALLOWED = 5 };
    struct world world;
    world_init(&world, state);
    world.stop_at = SIZE_MAX;
    int clients[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(
            connect(clients[i], &world.address.u.any, weft__address_len(&world.address)), 0);
    }
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit tight = before;
    tight.rlim_cur = (rlim_t)clients[CLIENTS - 1] + 1 + ALLOWED;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    struct io_guard pause = {.loop = world.loop};
    weft__timer_init(&pause.timer, io_guard_fired);
    weft__loop_timer_start(world.loop, &pause.timer, 120);
    assert_ok(weft__loop_run(world.loop));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(weft__loop_stats(world.loop)->accepts, ALLOWED);
    /* It waits between its attempts instead of turning idly. */
    assert_in_range(weft__loop_stats(world.loop)->accept_waits, 1, 5);
    assert_in_range(weft__loop_stats(world.loop)->ticks, 1, 60);
    for (int i = 0; i < CLIENTS; i++)
        (void)close(clients[i]);
    world.stop_at = CLIENTS;
    io_run(world.loop, 5000);
    assert_int_equal(weft__loop_stats(world.loop)->accepts, CLIENTS);
    world_done(&world);
}

enum { CROWD = 16, CROWD_BYTES = 64 * 1024 };

static void crowd_sent(struct end *end, ptrdiff_t n)
{
    assert_int_equal(n, CROWD_BYTES);
    close_end(end);
}

static void crowd_sends(struct end *end, int err)
{
    assert_ok(err);
    end->sent = crowd_sent;
    uint8_t bytes[CROWD_BYTES];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i ^ (i >> 8));
    send_copy(end, bytes, sizeof(bytes));
}

static void more_ready_connections_than_buffers_all_get_their_bytes(void **state)
{
    struct world world;
    world_init_with(&world, state, 2, 4096, "127.0.0.1:0");
    world.stop_at = 2 * CROWD;
    for (int i = 0; i < CROWD; i++)
        connect_end(&world, &world.address, 5000)->connected = crowd_sends;
    io_run(world.loop, 20000);
    uint8_t bytes[CROWD_BYTES];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i ^ (i >> 8));
    uint64_t sum = mix(0, bytes, sizeof(bytes));
    for (size_t i = 0; i < world.count; i++) {
        if (world.ends[i]->is_client)
            continue;
        assert_int_equal(world.ends[i]->received, CROWD_BYTES);
        assert_true(world.ends[i]->sum == sum);
    }
    if (io_backend(state) == WEFT_LOOP_URING)
        assert_true(weft__loop_stats(world.loop)->buffer_waits > 0);
    world_done(&world);
}

/* ---- Small buffers ---- */

enum { SMALL_COUNT = 4, SMALL_SIZE = 4096, STREAM_BYTES = 4 << 20 };

static uint8_t stream_byte(size_t at)
{
    return (uint8_t)(at * 31 ^ at >> 8 ^ at >> 16);
}

static ptrdiff_t longest_receive;

static void check_stream(struct end *end, uint8_t *data, ptrdiff_t n)
{
    if (n <= 0) {
        close_end(end);
        return;
    }
    if (n > longest_receive)
        longest_receive = n;
    size_t at = end->received - (size_t)n;
    for (size_t i = 0; i < (size_t)n; i++)
        assert_true(data[i] == stream_byte(at + i));
    /* The bytes are ours until the return. */
    memset(data, 0xee, (size_t)n);
}

static void serve_checking(struct end *end)
{
    end->recv = check_stream;
}

static void stream_sent(struct end *end, ptrdiff_t n)
{
    assert_int_equal(n, STREAM_BYTES);
    close_end(end);
}

static void stream_sends(struct end *end, int err)
{
    assert_ok(err);
    end->sent = stream_sent;
    uint8_t *bytes = malloc(STREAM_BYTES);
    assert_non_null(bytes);
    for (size_t i = 0; i < STREAM_BYTES; i++)
        bytes[i] = stream_byte(i);
    send_copy(end, bytes, STREAM_BYTES);
    free(bytes);
}

static void stream_larger_than_all_buffers_keeps_its_order(void **state)
{
    struct world world;
    world_init_with(&world, state, SMALL_COUNT, SMALL_SIZE, "127.0.0.1:0");
    world.accepted = serve_checking;
    world.stop_at = 6;
    longest_receive = 0;
    for (int i = 0; i < 3; i++)
        connect_end(&world, &world.address, 1000)->connected = stream_sends;
    io_run(world.loop, 20000);
    for (size_t i = 0; i < world.count; i++) {
        if (!world.ends[i]->is_client)
            assert_int_equal(world.ends[i]->received, STREAM_BYTES);
    }
    /* One slice for several buffers, never more than all. */
    if (io_shares_buffers(state))
        assert_in_range(longest_receive, SMALL_SIZE + 1, SMALL_COUNT * SMALL_SIZE);
    else
        assert_in_range(longest_receive, 1, SMALL_SIZE);
    world_done(&world);
}

static void resume_soon(struct weft_timer *timer)
{
    weft__tcp_resume(&WEFT_CONTAINER_OF(timer, struct end, timer)->tcp);
}

static void flapping_check(struct end *end, uint8_t *data, ptrdiff_t n)
{
    check_stream(end, data, n);
    if (n > 0 && !weft__timer_running(&end->timer)) {
        weft__tcp_pause(&end->tcp);
        weft__timer_init(&end->timer, resume_soon);
        weft__loop_timer_start(end->world->loop, &end->timer, 0);
    }
}

static void serve_flapping_check(struct end *end)
{
    end->recv = flapping_check;
}

static void pausing_after_each_receive_keeps_the_order(void **state)
{
    struct world world;
    world_init_with(&world, state, SMALL_COUNT, SMALL_SIZE, "127.0.0.1:0");
    world.accepted = serve_flapping_check;
    connect_end(&world, &world.address, 1000)->connected = stream_sends;
    io_run(world.loop, 20000);
    assert_int_equal(world.ends[1]->received, STREAM_BYTES);
    world_done(&world);
}

static void close_amid(struct end *end, uint8_t *data, ptrdiff_t n)
{
    (void)data;
    if (n <= 0 || end->received > 3 * SMALL_SIZE)
        close_end(end);
}

/* The first that is served stays, the others hang up amid their streams. */
static void serve_one_of_all(struct end *end)
{
    bool first = end->world->served++ == 0;
    end->recv = first ? check_stream : close_amid;
}

static void stream_pushed(struct end *end, ptrdiff_t n)
{
    if (n > 0)
        assert_int_equal(n, STREAM_BYTES);
    close_end(end);
}

static void stream_pushes(struct end *end, int err)
{
    stream_sends(end, err);
    end->sent = stream_pushed;
}

static void closing_amid_a_stream_leaves_the_others_whole(void **state)
{
    enum { STREAMS = 20 };
    struct world world;
    world_init_with(&world, state, SMALL_COUNT, SMALL_SIZE, "127.0.0.1:0");
    world.accepted = serve_one_of_all;
    world.stop_at = 2 * STREAMS;
    for (int i = 0; i < STREAMS; i++) {
        struct end *client = connect_end(&world, &world.address, 5000);
        client->connected = stream_pushes;
    }
    io_run(world.loop, 20000);
    size_t whole = 0;
    for (size_t i = 0; i < world.count; i++)
        whole += !world.ends[i]->is_client && world.ends[i]->received == STREAM_BYTES;
    assert_true(whole >= 1);
    world_done(&world);
}

static void ends_of_streams_cost_no_buffers(void **state)
{
    enum { ENDS = 200 };
    struct world world;
    world_init_with(&world, state, SMALL_COUNT, SMALL_SIZE, "127.0.0.1:0");
    world.stop_at = SIZE_MAX;
    for (int i = 0; i < ENDS; i++) {
        world.stop_at = 2 * (size_t)(i + 1);
        connect_end(&world, &world.address, 1000)->connected = close_on_connected;
        io_run(world.loop, 5000);
    }
    world.accepted = serve_checking;
    world.stop_at += 2;
    connect_end(&world, &world.address, 1000)->connected = stream_sends;
    io_run(world.loop, 20000);
    assert_int_equal(world.ends[world.count - 1]->received, STREAM_BYTES);
    world_done(&world);
}

/* ---- Listeners ---- */

static void address_in_use_is_busy(void **state)
{
    struct world world;
    world_init(&world, state);
    struct weft_listener second;
    assert_err(weft__listener_open(&second, world.loop, &world.address, 0, &listener_callbacks),
               WEFT_ERR_BUSY);
    assert_int_equal(weft__loop_stats(world.loop)->open_handles, 1);
    world_done(&world);
}

static void shared_port_is_served_by_both_listeners(void **state)
{
    struct world world;
    struct world other = {.stop_at = SIZE_MAX};
    world_init(&world, state);
    weft__listener_close(&world.listener);
    io_run(world.loop, 5000);
    world.listener_closed = false;
    other.loop = world.loop;
    struct weft_address *address = &world.address;
    assert_ok(weft__listener_open(&world.listener, world.loop, address, WEFT_LISTENER_REUSEPORT,
                                  &listener_callbacks));
    assert_ok(weft__listener_open(&other.listener, world.loop, address, WEFT_LISTENER_REUSEPORT,
                                  &listener_callbacks));
    world.accepted = serve_echo;
    other.accepted = serve_echo;
    world.stop_at = SIZE_MAX;
    for (int i = 0; i < 64; i++) {
        struct end *client = connect_end(&world, address, 1000);
        client->connected = say_one_word;
        client->recv = close_on_answer;
    }
    struct io_guard pause = {.loop = world.loop};
    weft__timer_init(&pause.timer, io_guard_fired);
    weft__loop_timer_start(world.loop, &pause.timer, 200);
    assert_ok(weft__loop_run(world.loop));
    assert_int_equal(world.open + other.open, 0);
    assert_int_equal(world.count + other.count, 128);
    assert_true(other.count > 0 && world.count > 64);
    weft__listener_close(&other.listener);
    io_run(world.loop, 5000);
    assert_true(other.listener_closed);
    for (size_t i = 0; i < other.count; i++) {
        free(other.ends[i]->keep);
        free(other.ends[i]);
    }
    free(other.ends);
    world_done(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(echo_returns_every_byte),
        cmocka_unit_test(echo_works_over_ipv6),
        cmocka_unit_test(data_still_flows_to_a_peer_that_ended_its_stream),
        cmocka_unit_test(large_send_to_a_slow_reader_completes_once_and_whole),
        cmocka_unit_test(paused_connection_receives_nothing_until_resumed),
        cmocka_unit_test(pausing_and_resuming_in_a_callback_loses_nothing),
        cmocka_unit_test(closing_inside_on_recv_ends_the_connection),
        cmocka_unit_test(closing_inside_on_accept_ends_the_connection),
        cmocka_unit_test(closing_inside_on_connected_ends_the_connection),
        cmocka_unit_test(closing_while_connecting_calls_only_on_closed),
        cmocka_unit_test(closing_with_a_send_in_flight_drops_it_without_on_sent),
        cmocka_unit_test(reset_by_the_peer_is_reported_as_closed),
        cmocka_unit_test(send_in_flight_fails_when_the_peer_resets),
        cmocka_unit_test(connecting_to_a_closed_port_is_unavailable),
        cmocka_unit_test(connecting_past_its_deadline_times_out),
        cmocka_unit_test(storm_of_2000_connections_is_served),
        cmocka_unit_test(accepting_goes_on_after_descriptors_ran_out),
        cmocka_unit_test(more_ready_connections_than_buffers_all_get_their_bytes),
        cmocka_unit_test(stream_larger_than_all_buffers_keeps_its_order),
        cmocka_unit_test(pausing_after_each_receive_keeps_the_order),
        cmocka_unit_test(closing_amid_a_stream_leaves_the_others_whole),
        cmocka_unit_test(ends_of_streams_cost_no_buffers),
        cmocka_unit_test(address_in_use_is_busy),
        cmocka_unit_test(shared_port_is_served_by_both_listeners),
    };
    return io_run_tests("io_tcp", tests, WEFT_ARRAY_LEN(tests));
}
