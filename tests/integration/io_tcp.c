/* SPDX-License-Identifier: Apache-2.0 */
/* Connections and listeners over real sockets, on both backends. */
#include "integration/io_world.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

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
        cmocka_unit_test(address_in_use_is_busy),
        cmocka_unit_test(shared_port_is_served_by_both_listeners),
    };
    return io_run_tests("io_tcp", tests, WEFT_ARRAY_LEN(tests));
}
