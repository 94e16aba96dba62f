/* SPDX-License-Identifier: Apache-2.0 */
/* Receiving more than a loop's buffers hold: nothing is lost, mixed up or delivered twice, however
 * the pool is used. Four buffers of 4 KiB serve streams of 4 MiB. */
#include "integration/io_world.h"

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

static void close_at_once(struct end *end, int err)
{
    assert_ok(err);
    close_end(end);
}

static void ends_of_streams_cost_no_buffers(void **state)
{
    enum { ENDS = 200 };
    struct world world;
    world_init_with(&world, state, SMALL_COUNT, SMALL_SIZE, "127.0.0.1:0");
    world.stop_at = SIZE_MAX;
    for (int i = 0; i < ENDS; i++) {
        world.stop_at = 2 * (size_t)(i + 1);
        connect_end(&world, &world.address, 1000)->connected = close_at_once;
        io_run(world.loop, 5000);
    }
    world.accepted = serve_checking;
    world.stop_at += 2;
    connect_end(&world, &world.address, 1000)->connected = stream_sends;
    io_run(world.loop, 20000);
    assert_int_equal(world.ends[world.count - 1]->received, STREAM_BYTES);
    world_done(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stream_larger_than_all_buffers_keeps_its_order),
        cmocka_unit_test(pausing_after_each_receive_keeps_the_order),
        cmocka_unit_test(closing_amid_a_stream_leaves_the_others_whole),
        cmocka_unit_test(ends_of_streams_cost_no_buffers),
    };
    return io_run_tests("io_buffers", tests, WEFT_ARRAY_LEN(tests));
}
