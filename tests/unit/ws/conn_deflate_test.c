/* SPDX-License-Identifier: Apache-2.0 */
/* Compressed messages of a connection, RFC 7692 §6 and §7.2, both ways and both roles. */
#include "unit/ws/conn_log.h"

#include "base/mem.h"

enum { MESSAGE_MAX = 20000 };

/* "Hello" compressed, RFC 7692 §7.2.3.1, and again in the context of the first, §7.2.3.2. */
#define HELLO "\xf2\x48\xcd\xc9\xc9\x07\x00"
#define HELLO_AGAIN "\xf2\x00\x11\x00\x00"

/* Two ends in memory with a pool each. */
struct pair {
    struct test_alloc mem;
    struct weft_deflate_pool pool_a;
    struct weft_deflate_pool pool_b;
    struct weft_ws_options options_a;
    struct weft_ws_options options_b;
    struct weft_ws_conn a;
    struct weft_ws_conn b;
    struct conn_log log; /* of |b| */
};

static const struct weft_ws_deflate alone = {.on = true, .out_bits = 15, .in_bits = 15};
static const struct weft_ws_deflate takeover = {
    .on = true, .out_takeover = true, .in_takeover = true, .out_bits = 15, .in_bits = 15};

static void pair_init(struct pair *p, enum weft_ws_role role_of_b,
                      const struct weft_ws_deflate *of_b)
{
    test_alloc_init(&p->mem);
    weft__deflate_pool_init(&p->pool_a, &p->mem.alloc);
    weft__deflate_pool_init(&p->pool_b, &p->mem.alloc);
    p->options_a = p->options_b = log_options(&p->mem.alloc);
    p->options_a.max_message = p->options_b.max_message = MESSAGE_MAX;
    p->options_a.deflate = &p->pool_a;
    p->options_b.deflate = &p->pool_b;
    p->options_a.deflate_min = p->options_b.deflate_min = 1;
    const struct weft_ws_deflate of_a = {
        .on = of_b->on,
        .out_takeover = of_b->in_takeover,
        .in_takeover = of_b->out_takeover,
        .out_bits = of_b->in_bits,
        .in_bits = of_b->out_bits,
    };
    weft__ws_conn_init(&p->a, log_other(role_of_b), &p->options_a);
    weft__ws_conn_init(&p->b, role_of_b, &p->options_b);
    weft__ws_conn_set_deflate(&p->a, &of_a);
    weft__ws_conn_set_deflate(&p->b, of_b);
    log_init(&p->log);
}

static void pair_done(struct pair *p)
{
    weft__ws_conn_done(&p->a);
    weft__ws_conn_done(&p->b);
    weft__deflate_pool_done(&p->pool_a);
    weft__deflate_pool_done(&p->pool_b);
    log_done(&p->log);
    test_alloc_done(&p->mem);
}

/* ---- Receiving ---- */

struct stream {
    const struct log_frame *frames;
    size_t count;
    const struct weft_ws_deflate *deflate;
    const char *events;
    const char *sent;
    enum weft_ws_role role;
};

static void run_pieces(const struct test_piece *pieces, size_t count, void *ctx)
{
    const struct stream *stream = ctx;
    struct pair p;
    pair_init(&p, stream->role, stream->deflate);
    for (size_t i = 0; i < count; i++)
        log_feed(&p.log, &p.b, pieces[i].data, pieces[i].len);
    log_expect(&p.log.events, stream->events);
    log_expect(&p.log.sent, stream->sent);
    pair_done(&p);
}

/* What |frames| are for either role, in every split. */
static void expect(const struct weft_ws_deflate *deflate, const struct log_frame *frames,
                   size_t count, const char *events, const char *sent)
{
    struct test_random rng;
    test_random_init(&rng, "compressed frames");
    for (unsigned role = WEFT_WS_ROLE_SERVER; role <= WEFT_WS_ROLE_CLIENT; role++) {
        struct stream stream = {frames, count, deflate, events, sent, (enum weft_ws_role)role};
        struct weft_bytes bytes;
        weft__bytes_init(&bytes, weft_alloc_default(), SIZE_MAX);
        for (size_t i = 0; i < count; i++)
            log_write_frame(&bytes, &frames[i], log_other(stream.role));
        test_each_split(bytes.ptr, bytes.len, &rng, 8, run_pieces, &stream);
        weft__bytes_done(&bytes);
    }
}

#define EXPECT(deflate, events, sent, ...)                                                         \
    do {                                                                                           \
        const struct log_frame frames[] = {__VA_ARGS__};                                           \
        expect((deflate), frames, sizeof(frames) / sizeof(frames[0]), (events), (sent));           \
    } while (0)

static void compressed_messages_come_in_one_frame_or_many(void **state)
{
    (void)state;
    EXPECT(&alone, "text:Hello", "", FRAME(0xc1, HELLO));
    EXPECT(&alone, "binary:Hello", "", FRAME(0xc2, HELLO));
    EXPECT(&alone, "text:Hello", "", FRAME(0x41, "\xf2\x48\xcd"), FRAME(0x80, "\xc9\xc9\x07\x00"));
    EXPECT(&alone, "text:Hello", "", FRAME(0x41, ""), FRAME(0x00, "\xf2\x48\xcd\xc9\xc9"),
           FRAME(0x00, ""), FRAME(0x80, "\x07\x00"));
    EXPECT(&alone, "text: binary:", "", FRAME(0xc1, "\x00"), FRAME(0xc2, "\x00"));
    EXPECT(&alone, "text:plain text:Hello text:plain", "", FRAME(0x81, "plain"), FRAME(0xc1, HELLO),
           FRAME(0x81, "plain"));
}

static void control_frames_may_come_between_the_fragments(void **state)
{
    (void)state;
    EXPECT(&alone,
           "ping:x text:Hello close:1000:", "pong:x close:1000:", FRAME(0x41, "\xf2\x48\xcd"),
           FRAME(0x89, "x"), FRAME(0x80, "\xc9\xc9\x07\x00"), FRAME(0x88, "\x03\xe8"));
}

static void blocks_of_every_kind_are_read(void **state)
{
    (void)state;
    EXPECT(&alone, "text:Hello", "", FRAME(0xc1, "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"));
    EXPECT(&alone, "text:Hello text:Hello", "", FRAME(0xc1, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"),
           FRAME(0xc1, HELLO));
    EXPECT(&alone, "text:Hello", "",
           FRAME(0xc1, "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"));
}

static void a_context_is_kept_where_it_was_agreed_on_and_nowhere_else(void **state)
{
    (void)state;
    EXPECT(&takeover, "text:Hello text:Hello", "", FRAME(0xc1, HELLO), FRAME(0xc1, HELLO_AGAIN));
    EXPECT(&takeover, "text:Hello text:plain text:Hello", "", FRAME(0xc1, HELLO),
           FRAME(0x81, "plain"), FRAME(0xc1, HELLO_AGAIN));
    EXPECT(&alone, "text:Hello error:1002:", "close:1002:", FRAME(0xc1, HELLO),
           FRAME(0xc1, HELLO_AGAIN));
    EXPECT(&takeover, "error:1002:", "close:1002:", FRAME(0xc1, HELLO_AGAIN));
}

static void rsv1_belongs_to_the_first_frame_of_a_data_message(void **state)
{
    (void)state;
    static const struct weft_ws_deflate off = {0};
    EXPECT(&off, "error:1002:", "close:1002:", FRAME(0xc1, HELLO));
    EXPECT(&alone, "error:1002:", "close:1002:", FRAME(0x41, "\xf2"), FRAME(0xc0, "\x00"));
    EXPECT(&alone, "error:1002:", "close:1002:", FRAME(0x01, "a"), FRAME(0xc0, "b"));
    EXPECT(&alone, "error:1002:", "close:1002:", FRAME(0xc9, "ping"));
    EXPECT(&alone, "error:1002:", "close:1002:", FRAME(0xc8, "\x03\xe8"));
    EXPECT(&alone, "error:1002:", "close:1002:", FRAME(0xa1, HELLO));
    EXPECT(&alone, "error:1002:", "close:1002:", FRAME(0xd1, HELLO));
    EXPECT(&alone, "error:1002:", "close:1002:", FRAME(0xe1, HELLO));
}

static void what_does_not_inflate_is_protocol_error(void **state)
{
    (void)state;
    EXPECT(&alone, "error:1002:", "close:1002:", FRAME(0xc1, ""));
    EXPECT(&alone, "error:1002:", "close:1002:", FRAME(0xc1, "\x07"));
    EXPECT(&alone, "error:1002:", "close:1002:", FRAME(0xc1, "\xf2\x48\xcd\xc9\xc9"));
    EXPECT(&alone, "error:1002:", "close:1002:", FRAME(0x42, "\xff\xff"), FRAME(0x80, "\xff\xff"));
}

static void inflated_text_is_checked_for_utf8(void **state)
{
    (void)state;
    /* Stored blocks with "\xc3\xa4", with "\xff", and with half a character. */
    EXPECT(&alone, "text:\\c3\\a4", "", FRAME(0xc1, "\x00\x02\x00\xfd\xff\xc3\xa4\x00"));
    EXPECT(&alone, "error:1007:", "close:1007:", FRAME(0xc1, "\x00\x01\x00\xfe\xff\xff\x00"));
    EXPECT(&alone, "error:1007:", "close:1007:", FRAME(0xc1, "\x00\x01\x00\xfe\xff\xc3\x00"));
    EXPECT(&alone, "binary:\\ff", "", FRAME(0xc2, "\x00\x01\x00\xfe\xff\xff\x00"));
}

/* A compressed frame of |len| zeroes. */
static size_t put_zeroes(uint8_t *wire, size_t len)
{
    struct weft_deflate_pool pool;
    uint8_t *zeroes = calloc(1, len);
    uint8_t *room = malloc(len + WEFT_DEFLATE_SLACK);
    weft__deflate_pool_init(&pool, weft_alloc_default());
    size_t n = weft__deflate(&pool, 15, weft__slice(NULL, 0), weft__slice(zeroes, len), room);
    assert_true(n > 0 && n < 4000);
    memcpy(wire, room, n);
    weft__deflate_pool_done(&pool);
    free(zeroes);
    free(room);
    return n;
}

static void a_bomb_is_too_big_and_costs_no_memory(void **state)
{
    (void)state;
    enum { BOMB = 1 << 20 };
    uint8_t wire[4000];
    const struct log_frame bomb = {0xc2, wire, put_zeroes(wire, BOMB)};
    for (unsigned role = WEFT_WS_ROLE_SERVER; role <= WEFT_WS_ROLE_CLIENT; role++) {
        struct pair p;
        struct weft_bytes bytes;
        pair_init(&p, (enum weft_ws_role)role, &alone);
        weft__bytes_init(&bytes, weft_alloc_default(), SIZE_MAX);
        log_write_frame(&bytes, &bomb, log_other((enum weft_ws_role)role));
        log_feed(&p.log, &p.b, bytes.ptr, bytes.len);
        log_expect(&p.log.events, "error:1009:");
        log_expect(&p.log.sent, "close:1009:");
        assert_true(p.mem.peak_bytes < (size_t)MESSAGE_MAX * 3 + 128 * 1024);
        weft__bytes_done(&bytes);
        pair_done(&p);
    }
}

static void the_limit_holds_to_the_byte(void **state)
{
    (void)state;
    for (size_t len = MESSAGE_MAX; len <= MESSAGE_MAX + 1; len++) {
        uint8_t wire[4000];
        const struct log_frame frame = {0xc2, wire, put_zeroes(wire, len)};
        struct pair p;
        struct weft_bytes bytes;
        pair_init(&p, WEFT_WS_ROLE_SERVER, &alone);
        weft__bytes_init(&bytes, weft_alloc_default(), SIZE_MAX);
        log_write_frame(&bytes, &frame, WEFT_WS_ROLE_CLIENT);
        log_feed(&p.log, &p.b, bytes.ptr, bytes.len);
        if (len == MESSAGE_MAX)
            assert_memory_equal(p.log.events.ptr, "binary:[20000 ", 14);
        else
            log_expect(&p.log.events, "error:1009:");
        weft__bytes_done(&bytes);
        pair_done(&p);
    }
}

static void compressed_input_over_its_own_limit_is_refused_at_its_header(void **state)
{
    (void)state;
    struct pair p;
    pair_init(&p, WEFT_WS_ROLE_CLIENT, &alone);
    /* Noise as large as a message may be is a little larger on the wire. */
    uint8_t fits[] = {0xc2, 126, (MESSAGE_MAX + 100) >> 8, (MESSAGE_MAX + 100) & 0xff};
    log_feed(&p.log, &p.b, fits, sizeof(fits));
    log_expect(&p.log.events, "");
    pair_done(&p);
    pair_init(&p, WEFT_WS_ROLE_CLIENT, &alone);
    uint8_t too_big[] = {0xc2, 126, (MESSAGE_MAX * 5 / 4) >> 8, (MESSAGE_MAX * 5 / 4) & 0xff};
    log_feed(&p.log, &p.b, too_big, sizeof(too_big));
    log_expect(&p.log.events, "error:1009:");
    assert_int_equal(p.mem.peak_bytes, 0);
    pair_done(&p);
}

/* ---- Sending ---- */

/* |a| sends; returns the frame's first byte after |b| has read it. */
static unsigned send(struct pair *p, enum weft_ws_opcode opcode, struct weft_slice payload)
{
    struct weft_bytes out;
    weft__bytes_init(&out, &p->mem.alloc, weft__ws_conn_room(&p->a, payload.len));
    assert_ok(weft__ws_conn_send(&p->a, &out, opcode, payload));
    unsigned byte0 = out.ptr[0];
    struct weft_ws_event event;
    size_t used = weft__ws_conn_read(&p->b, out.ptr, out.len, &event);
    assert_int_equal(used, out.len);
    assert_int_equal(event.type, WEFT_WS_EVENT_MESSAGE);
    assert_int_equal(event.opcode, opcode);
    assert_bytes(event.data.ptr, event.data.len, payload.ptr, payload.len);
    assert_int_equal(weft__ws_conn_read(&p->b, NULL, 0, &event), 0);
    weft__bytes_done(&out);
    return byte0;
}

static void random_content(uint8_t *dst, size_t len, struct test_random *rng)
{
    if (test_random_one_in(rng, 6)) {
        test_random_bytes(rng, dst, len);
        return;
    }
    for (size_t i = 0; i < len; i++)
        dst[i] = (uint8_t)("abcdefgh {}[]:,"[test_random_below(rng, 15)]);
    for (size_t i = len / 2; i < len; i++)
        dst[i] = dst[i / 3];
}

static void sequences_arrive_under_all_parameters(void **state)
{
    (void)state;
    struct test_random rng;
    test_random_init(&rng, "compressed sequences");
    uint8_t *content = malloc(MESSAGE_MAX);
    for (unsigned i = 0; i < 60; i++) {
        struct pair p;
        const struct weft_ws_deflate deflate = {
            .on = true,
            .out_takeover = test_random_one_in(&rng, 2),
            .in_takeover = test_random_one_in(&rng, 2),
            .out_bits = (uint8_t)test_random_size(&rng, 8, 15),
            .in_bits = (uint8_t)test_random_size(&rng, 8, 15),
        };
        pair_init(&p, i % 2 ? WEFT_WS_ROLE_SERVER : WEFT_WS_ROLE_CLIENT, &deflate);
        p.options_a.deflate_min = i % 3 ? 1 : 300;
        unsigned compressed = 0;
        for (unsigned n = 0; n < 15; n++) {
            size_t len = test_random_size(&rng, 0, n % 5 ? 900 : MESSAGE_MAX);
            random_content(content, len, &rng);
            compressed += send(&p, WEFT_WS_OPCODE_BINARY, weft__slice(content, len)) == 0xc2;
        }
        assert_true(compressed > 0);
        pair_done(&p);
    }
    free(content);
}

static void short_and_incompressible_messages_go_as_they_are(void **state)
{
    (void)state;
    uint8_t noise[2000];
    struct test_random rng;
    struct pair p;
    test_random_init(&rng, "noise");
    test_random_bytes(&rng, noise, sizeof(noise));
    pair_init(&p, WEFT_WS_ROLE_SERVER, &takeover);
    p.options_a.deflate_min = 100;
    uint8_t text[100];
    memset(text, 'a', sizeof(text));
    assert_int_equal(send(&p, WEFT_WS_OPCODE_TEXT, weft__slice(text, 99)), 0x81);
    assert_int_equal(send(&p, WEFT_WS_OPCODE_TEXT, weft__slice(text, 100)), 0xc1);
    assert_int_equal(send(&p, WEFT_WS_OPCODE_BINARY, weft__slice(noise, sizeof(noise))), 0x82);
    assert_int_equal(send(&p, WEFT_WS_OPCODE_TEXT, weft__slice(text, 100)), 0xc1);
    assert_int_equal(send(&p, WEFT_WS_OPCODE_TEXT, weft__slice(NULL, 0)), 0x81);
    assert_int_equal(p.pool_a.stats.deflated, 2);
    assert_int_equal(p.pool_a.stats.deflated_from, 200);
    assert_true(p.pool_a.stats.deflated_to < 40);
    assert_int_equal(p.pool_b.stats.inflated, 2);
    assert_int_equal(p.pool_b.stats.inflated_from, p.pool_a.stats.deflated_to);
    assert_int_equal(p.pool_b.stats.inflated_to, 200);
    pair_done(&p);
}

static void an_idle_connection_without_contexts_owns_nothing(void **state)
{
    (void)state;
    struct pair p;
    uint8_t text[5000];
    memset(text, 'a', sizeof(text));
    pair_init(&p, WEFT_WS_ROLE_SERVER, &alone);
    (void)send(&p, WEFT_WS_OPCODE_TEXT, weft__slice(text, sizeof(text)));
    size_t pooled = p.mem.live_bytes;
    weft__deflate_pool_done(&p.pool_a);
    weft__deflate_pool_done(&p.pool_b);
    assert_true(pooled > 0);
    assert_int_equal(p.mem.live_bytes, 0);
    pair_done(&p);
}

static void a_context_costs_no_more_than_its_window(void **state)
{
    (void)state;
    struct pair p;
    uint8_t text[10000];
    struct weft_ws_deflate small = takeover;
    small.in_bits = 9;
    small.out_bits = 8;
    memset(text, 'a', sizeof(text));
    pair_init(&p, WEFT_WS_ROLE_SERVER, &small);
    for (unsigned i = 0; i < 4; i++)
        (void)send(&p, WEFT_WS_OPCODE_TEXT, weft__slice(text, sizeof(text)));
    weft__deflate_pool_done(&p.pool_a);
    weft__deflate_pool_done(&p.pool_b);
    assert_in_range(p.mem.live_bytes, 1, 2 * 512 + 256);
    pair_done(&p);
}

static void frames_sent_one_by_one_are_never_compressed(void **state)
{
    (void)state;
    struct pair p;
    struct weft_bytes out;
    pair_init(&p, WEFT_WS_ROLE_CLIENT, &alone);
    weft__bytes_init(&out, &p.mem.alloc, SIZE_MAX);
    assert_ok(weft__ws_conn_frame(&p.a, &out, WEFT_WS_OPCODE_TEXT, false, WEFT_SLICE_LIT("aaaa")));
    assert_int_equal(out.ptr[0], 0x01);
    /* Inside of a message no other begins. */
    assert_err(weft__ws_conn_send(&p.a, &out, WEFT_WS_OPCODE_TEXT, WEFT_SLICE_LIT("aaaa")),
               WEFT_ERR_USAGE);
    weft__bytes_done(&out);
    pair_done(&p);
}

/* ---- Failing allocations ---- */

/* A conversation with contexts. Sending does without memory where it can; receiving fails. */
static int converse(const struct weft_alloc *alloc, void *ctx)
{
    (void)ctx;
    struct weft_deflate_pool pool;
    weft__deflate_pool_init(&pool, alloc);
    struct weft_ws_options options = log_options(alloc);
    options.deflate = &pool;
    options.deflate_min = 1;
    struct weft_ws_conn a;
    struct weft_ws_conn b;
    weft__ws_conn_init(&a, WEFT_WS_ROLE_CLIENT, &options);
    weft__ws_conn_init(&b, WEFT_WS_ROLE_SERVER, &options);
    weft__ws_conn_set_deflate(&a, &takeover);
    weft__ws_conn_set_deflate(&b, &takeover);
    int err = 0;
    unsigned compressed = 0;
    for (unsigned i = 0; i < 6 && !err; i++) {
        uint8_t text[1500];
        uint8_t room[1600];
        memset(text, 'a' + (int)i / 2, sizeof(text));
        struct weft_bytes out = {.alloc = alloc, .ptr = room, .cap = sizeof(room), .limit = 1600};
        assert_ok(weft__ws_conn_send(&a, &out, WEFT_WS_OPCODE_TEXT, weft__slice(text, 1500)));
        compressed += room[0] == 0xc1;
        struct weft_ws_event event;
        for (size_t at = 0; at < out.len; at += 400) {
            size_t n = out.len - at < 400 ? out.len - at : 400;
            assert_int_equal(weft__ws_conn_read(&b, room + at, n, &event), n);
        }
        if (event.type == WEFT_WS_EVENT_MESSAGE)
            assert_bytes(event.data.ptr, event.data.len, text, sizeof(text));
        else
            err = event.err ? event.err : WEFT_ERR_NOMEM;
    }
    weft__ws_conn_done(&a);
    weft__ws_conn_done(&b);
    weft__deflate_pool_done(&pool);
    assert_true(err == 0 || err == WEFT_ERR_NOMEM);
    /* What could not be compressed went as it was: that is a failure met, too. */
    return err || compressed < 6 ? WEFT_ERR_NOMEM : 0;
}

static void each_single_failing_allocation_is_survived(void **state)
{
    (void)state;
    for (size_t n = 1; n < 40; n++) {
        struct test_alloc mem;
        test_alloc_init(&mem);
        mem.fail_at = n;
        (void)converse(&mem.alloc, NULL);
        test_alloc_done(&mem);
    }
    struct test_alloc mem;
    test_alloc_init(&mem);
    assert_ok(converse(&mem.alloc, NULL));
    assert_in_range(mem.calls, 6, 39);
    test_alloc_done(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compressed_messages_come_in_one_frame_or_many),
        cmocka_unit_test(control_frames_may_come_between_the_fragments),
        cmocka_unit_test(blocks_of_every_kind_are_read),
        cmocka_unit_test(a_context_is_kept_where_it_was_agreed_on_and_nowhere_else),
        cmocka_unit_test(rsv1_belongs_to_the_first_frame_of_a_data_message),
        cmocka_unit_test(what_does_not_inflate_is_protocol_error),
        cmocka_unit_test(inflated_text_is_checked_for_utf8),
        cmocka_unit_test(a_bomb_is_too_big_and_costs_no_memory),
        cmocka_unit_test(the_limit_holds_to_the_byte),
        cmocka_unit_test(compressed_input_over_its_own_limit_is_refused_at_its_header),
        cmocka_unit_test(sequences_arrive_under_all_parameters),
        cmocka_unit_test(short_and_incompressible_messages_go_as_they_are),
        cmocka_unit_test(an_idle_connection_without_contexts_owns_nothing),
        cmocka_unit_test(a_context_costs_no_more_than_its_window),
        cmocka_unit_test(frames_sent_one_by_one_are_never_compressed),
        cmocka_unit_test(each_single_failing_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
