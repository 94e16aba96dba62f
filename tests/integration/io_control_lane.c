/* SPDX-License-Identifier: Apache-2.0 */
/* The lane of control over real connections, in both directions, plain, compressed with contexts,
 * and encrypted: it passes data that waits for a slow reader, and both lanes stay in order and
 * whole. */
#include "integration/io_tls.h"

#include "lib/random.h"

struct tls_files files;

enum {
    PART = 32 * 1024,
    MOST = 100000,
    WAITING = 1024 * 1024, /* bytes that control has to pass */
    /* What it cannot pass: the send in flight, the message and the chunk that were begun, and with
     * TLS the records made of a send. */
    BEGUN = 2 * WEFT_OUTQ_BATCH_BYTES + WEFT_OUTQ_CHUNK + PART,
    TURNS = 20000,
};

/* The beginning of each message. */
struct head {
    uint32_t lane;
    uint32_t number;
    uint32_t len;
};

/* One case: |from| sends, |to| receives. */
static struct {
    struct test_random random;
    uint32_t sent[2];
    uint32_t came[2];
    uint32_t data_before; /* that had come when the first control did */
    uint8_t message[MOST];
} lanes;

/* Hexadecimal digits that depend on |number|: they compress to half of them. */
static uint8_t content(uint32_t number, size_t i)
{
    uint32_t x = (number * UINT32_C(2654435761)) ^ ((uint32_t)i * UINT32_C(2246822519));
    x ^= x >> 15;
    x *= UINT32_C(2246822519);
    return (uint8_t)("0123456789abcdef"[x >> 28]);
}

static struct weft_slice make_message(bool control, size_t len)
{
    struct head head = {control, lanes.sent[control]++, (uint32_t)len};
    assert_in_range(len, sizeof(head), MOST);
    memcpy(lanes.message, &head, sizeof(head));
    for (size_t i = sizeof(head); i < len; i++)
        lanes.message[i] = content(head.number, i);
    return weft__slice(lanes.message, len);
}

static void send_one(struct side *from, bool control, size_t len)
{
    struct weft_slice message = make_message(control, len);
    if (control)
        assert_ok(weft__transport_send_control(&from->transport, WEFT_WS_OPCODE_BINARY, message));
    else
        assert_ok(weft__transport_send(&from->transport, WEFT_WS_OPCODE_BINARY, message));
}

static void received(struct side *side, enum weft_ws_opcode opcode, struct weft_slice data)
{
    struct head head;
    (void)side;
    assert_int_equal(opcode, WEFT_WS_OPCODE_BINARY);
    assert_true(data.len >= sizeof(head));
    memcpy(&head, data.ptr, sizeof(head));
    assert_in_range(head.lane, 0, 1);
    assert_int_equal(head.len, data.len);
    assert_int_equal(head.number, lanes.came[head.lane]++);
    for (size_t i = sizeof(head); i < data.len; i++)
        if (data.ptr[i] != content(head.number, i))
            fail_msg("byte %zu of message %u is another", i, head.number);
    if (head.lane && !head.number)
        lanes.data_before = lanes.came[0];
}

struct kind {
    const char *name;
    bool encrypted;
    enum weft_transport_deflate deflate;
};

static const struct kind kinds[] = {
    {"plain", false, WEFT_TRANSPORT_DEFLATE_OFF},
    {"deflate", false, WEFT_TRANSPORT_DEFLATE_TAKEOVER},
    {"tls", true, WEFT_TRANSPORT_DEFLATE_OFF},
    {"tls, deflate", true, WEFT_TRANSPORT_DEFLATE_TAKEOVER},
};

static void begin(struct world *world, void **state, const struct kind *kind,
                  struct side *ret_sides[2])
{
    struct weft_transport_options options = {.deflate = kind->deflate, .drop_bytes = 64 << 20};
    memset(lanes.sent, 0, sizeof(lanes.sent));
    memset(lanes.came, 0, sizeof(lanes.came));
    if (kind->encrypted)
        tls_world_init(world, state, options, NULL, NULL);
    else
        world_init_with(world, state, options);
    world->server_message = received;
    world->client_message = received;
    ret_sides[0] = dial(world);
    for (int i = 0;
         i < TURNS && !(world->count == 2 && world->sides[1]->opens && world->sides[0]->opens); i++)
        pass(world, 1);
    ret_sides[1] = find(world, true);
    assert_int_equal(ret_sides[1]->opens, 1);
}

static void end(struct world *world, struct side *sides[2], const struct kind *kind)
{
    for (int i = 0; i < TURNS && memcmp(lanes.came, lanes.sent, sizeof(lanes.sent)) != 0; i++)
        pass(world, 1);
    assert_memory_equal(lanes.came, lanes.sent, sizeof(lanes.sent));
    close_side(sides[0], 1000, "");
    io_run(world->loop, 5000);
    assert_int_equal(sides[0]->transport.err, 0);
    if (kind->encrypted)
        tls_world_done(world);
    else
        world_done(world);
}

/* ---- Cases ---- */

/* The receiver does not read until much waits at the sender; then control is sent. */
static void passes(void **state, const struct kind *kind, unsigned from)
{
    struct world world;
    struct side *sides[2];
    begin(&world, state, kind, sides);
    struct weft_transport *sender = &sides[from]->transport;
    struct weft_transport *receiver = &sides[!from]->transport;
    weft__tcp_pause(&receiver->tcp);
    size_t unsent = 0;
    for (int i = 0; i < TURNS && unsent < WAITING; i++) {
        send_one(sides[from], false, PART);
        pass(&world, 0);
        unsent = weft__transport_unsent(sender);
    }
    /* The socket took all that it could. */
    for (size_t before = 0; before != unsent;) {
        before = unsent;
        pass(&world, 20);
        unsent = weft__transport_unsent(sender);
    }
    while (unsent < WAITING) {
        send_one(sides[from], false, PART);
        unsent = weft__transport_unsent(sender);
    }
    uint32_t data = lanes.sent[0];
    send_one(sides[from], true, 40);
    send_one(sides[from], false, PART);
    send_one(sides[from], true, 50);
    weft__tcp_resume(&receiver->tcp);
    end(&world, sides, kind);
    /* A message compresses to no less than a third. */
    uint32_t behind = data - lanes.data_before;
    if (behind < (unsent - BEGUN) / PART)
        fail_msg("%s, from %u: %u of %u messages came before control, %zu bytes waited", kind->name,
                 from, lanes.data_before, data, unsent);
}

static void control_passes_what_waits_for_a_slow_reader(void **state)
{
    for (size_t i = 0; i < WEFT_ARRAY_LEN(kinds); i++)
        for (unsigned from = 0; from < 2; from++)
            passes(state, &kinds[i], from);
}

/* Sends at random in both lanes; the receiver reads at random. */
static void mixes(void **state, const struct kind *kind, unsigned from)
{
    enum { STEPS = 1500 };
    struct world world;
    struct side *sides[2];
    begin(&world, state, kind, sides);
    struct weft_transport *receiver = &sides[!from]->transport;
    bool reads = true;
    for (int i = 0; i < STEPS; i++) {
        bool control = test_random_below(&lanes.random, 3) == 0;
        size_t most = control ? 300 : test_random_below(&lanes.random, 20) ? 3000 : MOST;
        send_one(sides[from], control,
                 sizeof(struct head) +
                     test_random_below(&lanes.random, (uint32_t)(most - sizeof(struct head))));
        if (test_random_below(&lanes.random, 8) == 0)
            pass(&world, 0);
        if (test_random_below(&lanes.random, 50) == 0) {
            reads = !reads;
            if (reads)
                weft__tcp_resume(&receiver->tcp);
            else
                weft__tcp_pause(&receiver->tcp);
        }
        if (weft__transport_unsent(&sides[from]->transport) > 8 << 20 && !reads) {
            reads = true;
            weft__tcp_resume(&receiver->tcp);
        }
    }
    if (!reads)
        weft__tcp_resume(&receiver->tcp);
    end(&world, sides, kind);
}

static void lanes_stay_in_order_and_messages_whole(void **state)
{
    test_random_init(&lanes.random, "lanes");
    for (size_t i = 0; i < WEFT_ARRAY_LEN(kinds); i++)
        for (unsigned from = 0; from < 2; from++)
            mixes(state, &kinds[i], from);
}

/* Frames shared by many receivers are passed as well, and stay whole. */
static void control_passes_shared_frames(void **state)
{
    struct world world;
    struct side *sides[2];
    struct weft_buf *frames[64];
    begin(&world, state, &kinds[0], sides);
    weft__tcp_pause(&sides[0]->transport.tcp);
    size_t unsent = 0;
    while (unsent < 2 * WAITING) {
        for (size_t i = 0; i < WEFT_ARRAY_LEN(frames); i++) {
            uint8_t room[WEFT_WS_HEADROOM + 1024];
            struct weft_slice message = make_message(false, 1024);
            memcpy(room + WEFT_WS_HEADROOM, message.ptr, message.len);
            frames[i] = weft__buf_new_copy(
                weft_alloc_default(),
                weft__ws_frame_seal(room + WEFT_WS_HEADROOM, 1024, WEFT_WS_OPCODE_BINARY, true));
            assert_non_null(frames[i]);
            assert_ok(weft__transport_send_frame(&sides[1]->transport, frames[i]));
            weft__buf_unref(frames[i]);
        }
        pass(&world, 1);
        unsent = weft__transport_unsent(&sides[1]->transport);
    }
    uint32_t data = lanes.sent[0];
    send_one(sides[1], true, 40);
    weft__tcp_resume(&sides[0]->transport.tcp);
    end(&world, sides, &kinds[0]);
    assert_in_range(lanes.data_before, 0, data - (2 * WAITING - BEGUN) / 1024);
}

static void nothing_passes_the_answer_to_the_upgrade(void **state)
{
    static const uint8_t ping[] = {0x89, 0x80, 1, 2, 3, 4};
    uint8_t request[sizeof(upgrade) - 1 + sizeof(ping)];
    struct world world;
    world_init(&world, state);
    world.stop_at = 1;
    memcpy(request, upgrade, sizeof(upgrade) - 1);
    memcpy(request + sizeof(upgrade) - 1, ping, sizeof(ping));
    int fd = raw_connect(&world);
    raw_send(fd, request, sizeof(request));
    uint8_t got[1024];
    size_t len = 0;
    bool over = false;
    for (int i = 0; i < 500 && !(len > 4 && memcmp(got + len - 2, "\x8a\x00", 2) == 0); i++) {
        pass(&world, 2);
        len += raw_read(fd, got + len, sizeof(got) - len, &over);
    }
    assert_true(len > 20 && memcmp(got, "HTTP/1.1 101 ", 13) == 0);
    assert_memory_equal(got + len - 6, "\r\n\r\n\x8a\x00", 6);
    (void)close(fd);
    io_run(world.loop, 5000);
    world_done(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(control_passes_what_waits_for_a_slow_reader),
        cmocka_unit_test(lanes_stay_in_order_and_messages_whole),
        cmocka_unit_test(control_passes_shared_frames),
        cmocka_unit_test(nothing_passes_the_answer_to_the_upgrade),
    };
    (void)tls_files_make();
    int failures = io_run_tests_above("io_control_lane", tests, WEFT_ARRAY_LEN(tests));
    test_certs_done(&files.certs);
    return failures;
}
