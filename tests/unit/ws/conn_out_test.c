/* SPDX-License-Identifier: Apache-2.0 */
/* The sending half of a connection: frames of both roles, pongs and close frames that wait, and the
 * closing handshake between two endpoints. RFC 6455 §5.1, §5.4, §5.5, §7. */
#include "unit/ws/conn_log.h"

static const struct weft_slice nothing = {NULL, 0};

/* Two endpoints in memory, |a| the one under test. */
struct pair {
    struct test_alloc mem;
    struct weft_ws_options options;
    struct weft_ws_conn a;
    struct weft_ws_conn b;
    struct weft_bytes from_a;
    struct weft_bytes from_b;
    struct conn_log log_a; /* what |a| received and answered */
    struct conn_log log_b;
};

static void pair_init(struct pair *p, enum weft_ws_role role)
{
    test_alloc_init(&p->mem);
    p->options = log_options(&p->mem.alloc);
    weft__ws_conn_init(&p->a, role, &p->options);
    weft__ws_conn_init(&p->b, log_other(role), &p->options);
    weft__bytes_init(&p->from_a, &p->mem.alloc, SIZE_MAX);
    weft__bytes_init(&p->from_b, &p->mem.alloc, SIZE_MAX);
    log_init(&p->log_a);
    log_init(&p->log_b);
}

static void pair_done(struct pair *p)
{
    weft__ws_conn_done(&p->a);
    weft__ws_conn_done(&p->b);
    weft__bytes_done(&p->from_a);
    weft__bytes_done(&p->from_b);
    log_done(&p->log_a);
    log_done(&p->log_b);
    test_alloc_done(&p->mem);
}

/* Puts what waits in |conn| behind |out|. */
static void drain(struct weft_ws_conn *conn, struct weft_bytes *out)
{
    assert_ok(weft__ws_conn_take_control(conn, out));
    assert_false(weft__ws_conn_has_control(conn));
}

/* |to| reads all of |bytes|. */
static void deliver(struct weft_ws_conn *to, struct conn_log *log, struct weft_bytes *bytes)
{
    struct weft_ws_event event;
    size_t at = 0;
    do {
        at += weft__ws_conn_read(to, bytes->ptr + at, bytes->len - at, &event);
        log_event(log, &event);
    } while (event.type != WEFT_WS_EVENT_NONE);
    assert_int_equal(at, bytes->len);
    weft__bytes_clear(bytes);
}

static void a_to_b(struct pair *p)
{
    drain(&p->a, &p->from_a);
    deliver(&p->b, &p->log_b, &p->from_a);
}

static void b_to_a(struct pair *p)
{
    drain(&p->b, &p->from_b);
    deliver(&p->a, &p->log_a, &p->from_b);
}

static void both(void (*check)(enum weft_ws_role role))
{
    check(WEFT_WS_ROLE_SERVER);
    check(WEFT_WS_ROLE_CLIENT);
}

static void check_messages(enum weft_ws_role role)
{
    struct pair p;
    pair_init(&p, role);
    uint8_t big[70000];
    memset(big, 'x', sizeof(big));
    assert_ok(weft__ws_conn_send(&p.a, &p.from_a, WEFT_WS_OPCODE_TEXT, WEFT_SLICE_LIT("Hello")));
    assert_ok(weft__ws_conn_send(&p.a, &p.from_a, WEFT_WS_OPCODE_BINARY, nothing));
    assert_ok(weft__ws_conn_ping(&p.a, &p.from_a, WEFT_SLICE_LIT("p")));
    assert_ok(
        weft__ws_conn_send(&p.a, &p.from_a, WEFT_WS_OPCODE_BINARY, weft__slice(big, sizeof(big))));
    a_to_b(&p);
    b_to_a(&p);
    struct conn_log want;
    log_init(&want);
    weft__bytes_append_str(&want.events, "text:Hello binary: ping:p");
    log_entry(&want.events, "binary", 0, weft__slice(big, sizeof(big)));
    weft__bytes_append_byte(&want.events, 0);
    log_expect(&p.log_b.events, (const char *)want.events.ptr);
    log_done(&want);
    log_expect(&p.log_a.events, "pong:p");
    pair_done(&p);
}

static void what_one_end_sends_the_other_receives(void **state)
{
    (void)state;
    both(check_messages);
}

static void check_masks(enum weft_ws_role role)
{
    struct pair p;
    pair_init(&p, role);
    uint8_t keys[2][4];
    for (unsigned i = 0; i < 2; i++) {
        weft__bytes_clear(&p.from_a);
        assert_ok(weft__ws_conn_send(&p.a, &p.from_a, WEFT_WS_OPCODE_TEXT, WEFT_SLICE_LIT("abcd")));
        struct weft_ws_head head;
        assert_true(weft__ws_head_decode(p.from_a.ptr, p.from_a.len, &head) > 0);
        assert_int_equal(head.masked, role == WEFT_WS_ROLE_CLIENT);
        memcpy(keys[i], head.mask, 4);
    }
    if (role == WEFT_WS_ROLE_CLIENT)
        assert_memory_not_equal(keys[0], keys[1], 4);
    pair_done(&p);
}

static void client_masks_every_frame_with_a_fresh_key_and_server_none(void **state)
{
    (void)state;
    both(check_masks);
}

static void check_fragments(enum weft_ws_role role)
{
    struct pair p;
    pair_init(&p, role);
    const enum weft_ws_opcode text = WEFT_WS_OPCODE_TEXT;
    const enum weft_ws_opcode more = WEFT_WS_OPCODE_CONTINUATION;
    assert_err(weft__ws_conn_frame(&p.a, &p.from_a, more, true, nothing), WEFT_ERR_USAGE);
    assert_err(weft__ws_conn_frame(&p.a, &p.from_a, WEFT_WS_OPCODE_PING, true, nothing),
               WEFT_ERR_USAGE);
    assert_ok(weft__ws_conn_frame(&p.a, &p.from_a, text, false, WEFT_SLICE_LIT("Hel")));
    assert_err(weft__ws_conn_frame(&p.a, &p.from_a, text, true, nothing), WEFT_ERR_USAGE);
    assert_ok(weft__ws_conn_ping(&p.a, &p.from_a, nothing));
    assert_ok(weft__ws_conn_frame(&p.a, &p.from_a, more, false, WEFT_SLICE_LIT("lo")));
    assert_ok(weft__ws_conn_frame(&p.a, &p.from_a, more, true, nothing));
    assert_ok(weft__ws_conn_send(&p.a, &p.from_a, text, WEFT_SLICE_LIT("next")));
    a_to_b(&p);
    log_expect(&p.log_b.events, "ping: text:Hello text:next");
    pair_done(&p);
}

static void header_alone_is_that_of_the_whole_message(void **state)
{
    (void)state;
    static const size_t lens[] = {0, 125, 126, 65535, 65536};
    struct pair p;
    pair_init(&p, WEFT_WS_ROLE_SERVER);
    static uint8_t payload[65536];
    for (size_t i = 0; i < WEFT_ARRAY_LEN(lens); i++) {
        struct weft_bytes whole;
        weft__bytes_init(&whole, &p.mem.alloc, SIZE_MAX);
        struct weft_slice data = weft__slice(payload, lens[i]);
        assert_ok(weft__ws_conn_send(&p.a, &whole, WEFT_WS_OPCODE_BINARY, data));
        weft__bytes_clear(&p.from_a);
        assert_ok(weft__ws_conn_message_head(&p.a, &p.from_a, WEFT_WS_OPCODE_BINARY, lens[i]));
        assert_int_equal(p.from_a.len + lens[i], whole.len);
        assert_memory_equal(p.from_a.ptr, whole.ptr, p.from_a.len);
        weft__bytes_done(&whole);
    }
    assert_err(weft__ws_conn_message_head(&p.a, &p.from_a, WEFT_WS_OPCODE_CONTINUATION, 1),
               WEFT_ERR_USAGE);
    assert_ok(weft__ws_conn_close(&p.a, WEFT_WS_CLOSE_NORMAL, nothing));
    assert_err(weft__ws_conn_message_head(&p.a, &p.from_a, WEFT_WS_OPCODE_BINARY, 1),
               WEFT_ERR_STATE);
    pair_done(&p);
}

static void fragments_are_sent_in_order_or_refused(void **state)
{
    (void)state;
    both(check_fragments);
}

static void check_close(enum weft_ws_role role)
{
    struct pair p;
    pair_init(&p, role);
    assert_ok(weft__ws_conn_close(&p.a, 1000, WEFT_SLICE_LIT("bye")));
    assert_int_equal(weft__ws_conn_state(&p.a), WEFT_WS_STATE_CLOSE_SENT);
    assert_false(weft__ws_conn_is_open(&p.a));
    assert_false(weft__ws_conn_should_drop(&p.a));
    /* RFC 6455 §5.5.1: no data after a close frame, and no second close frame. */
    assert_err(weft__ws_conn_send(&p.a, &p.from_a, WEFT_WS_OPCODE_TEXT, nothing), WEFT_ERR_STATE);
    assert_err(weft__ws_conn_ping(&p.a, &p.from_a, nothing), WEFT_ERR_STATE);
    assert_err(weft__ws_conn_close(&p.a, 1000, nothing), WEFT_ERR_STATE);
    assert_int_equal(p.from_a.len, 0);
    a_to_b(&p);
    assert_int_equal(weft__ws_conn_state(&p.b), WEFT_WS_STATE_CLOSE_RECEIVED);
    assert_err(weft__ws_conn_send(&p.b, &p.from_b, WEFT_WS_OPCODE_TEXT, nothing), WEFT_ERR_STATE);
    assert_err(weft__ws_conn_close(&p.b, 1000, nothing), WEFT_ERR_STATE);
    assert_false(weft__ws_conn_should_drop(&p.b));
    b_to_a(&p);
    log_expect(&p.log_b.events, "close:1000:bye");
    log_expect(&p.log_a.events, "close:1000:");
    assert_int_equal(weft__ws_conn_state(&p.a), WEFT_WS_STATE_CLOSED);
    assert_int_equal(weft__ws_conn_state(&p.b), WEFT_WS_STATE_CLOSED);
    /* RFC 6455 §7.1.1: the server drops the TCP connection first. */
    assert_int_equal(weft__ws_conn_should_drop(&p.a), role == WEFT_WS_ROLE_SERVER);
    assert_int_equal(weft__ws_conn_should_drop(&p.b), role == WEFT_WS_ROLE_CLIENT);
    pair_done(&p);
}

static void closing_handshake_ends_in_closed_and_the_server_drops(void **state)
{
    (void)state;
    both(check_close);
}

static void check_simultaneous(enum weft_ws_role role)
{
    struct pair p;
    pair_init(&p, role);
    assert_ok(weft__ws_conn_close(&p.a, 1001, nothing));
    assert_ok(weft__ws_conn_close(&p.b, 4000, WEFT_SLICE_LIT("mine")));
    drain(&p.a, &p.from_a);
    drain(&p.b, &p.from_b);
    deliver(&p.b, &p.log_b, &p.from_a);
    deliver(&p.a, &p.log_a, &p.from_b);
    log_expect(&p.log_b.events, "close:1001:");
    log_expect(&p.log_a.events, "close:4000:mine");
    assert_false(weft__ws_conn_has_control(&p.a) || weft__ws_conn_has_control(&p.b));
    assert_int_equal(weft__ws_conn_state(&p.a), WEFT_WS_STATE_CLOSED);
    assert_int_equal(weft__ws_conn_state(&p.b), WEFT_WS_STATE_CLOSED);
    pair_done(&p);
}

static void both_ends_may_close_at_once(void **state)
{
    (void)state;
    both(check_simultaneous);
}

static void check_close_sent(enum weft_ws_role role)
{
    struct pair p;
    pair_init(&p, role);
    assert_ok(weft__ws_conn_close(&p.a, WEFT_WS_CLOSE_NONE, nothing));
    drain(&p.a, &p.from_a);
    assert_ok(weft__ws_conn_send(&p.b, &p.from_b, WEFT_WS_OPCODE_TEXT, WEFT_SLICE_LIT("late")));
    assert_ok(weft__ws_conn_ping(&p.b, &p.from_b, WEFT_SLICE_LIT("there?")));
    deliver(&p.a, &p.log_a, &p.from_b);
    /* RFC 6455 §5.5.2: a pong is due until a close frame was *received*. */
    log_expect(&p.log_a.events, "text:late ping:there?");
    log_take_control(&p.log_a, &p.a);
    log_expect(&p.log_a.sent, "pong:there?");
    deliver(&p.b, &p.log_b, &p.from_a);
    log_expect(&p.log_b.events, "close:1005:");
    b_to_a(&p);
    log_expect(&p.log_a.events, "text:late ping:there? close:1005:");
    pair_done(&p);
}

static void messages_and_pings_still_count_until_the_peer_closes(void **state)
{
    (void)state;
    both(check_close_sent);
}

static void check_failure_after_close(enum weft_ws_role role)
{
    struct pair p;
    pair_init(&p, role);
    assert_ok(weft__ws_conn_close(&p.a, 1000, nothing));
    drain(&p.a, &p.from_a);
    const struct log_frame bad = FRAME(0x83, "");
    log_write_frame(&p.from_b, &bad, log_other(role));
    deliver(&p.a, &p.log_a, &p.from_b);
    log_expect(&p.log_a.events, "error:1002:");
    /* One close frame is all that is ever sent. */
    assert_false(weft__ws_conn_has_control(&p.a));
    assert_true(weft__ws_conn_should_drop(&p.a));
    pair_done(&p);
}

static void failure_after_a_close_frame_sends_no_second_one(void **state)
{
    (void)state;
    both(check_failure_after_close);
}

static void check_failure(enum weft_ws_role role)
{
    struct pair p;
    pair_init(&p, role);
    const struct log_frame bad[] = {FRAME(0x89, "p"), FRAME(0x83, "")};
    log_write_frame(&p.from_b, &bad[0], log_other(role));
    log_write_frame(&p.from_b, &bad[1], log_other(role));
    deliver(&p.a, &p.log_a, &p.from_b);
    assert_false(weft__ws_conn_should_drop(&p.a));
    a_to_b(&p);
    log_expect(&p.log_b.events, "pong:p close:1002:reserved opcode");
    assert_true(weft__ws_conn_should_drop(&p.a));
    pair_done(&p);
}

static void failing_side_says_why_and_drops(void **state)
{
    (void)state;
    both(check_failure);
}

static void codes_that_must_not_be_sent_are_refused(void **state)
{
    (void)state;
    struct pair p;
    pair_init(&p, WEFT_WS_ROLE_SERVER);
    static const unsigned bad[] = {0, 999, 1004, 1006, 1015, 1016, 2999, 5000, 65536 + 1000};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_err(weft__ws_conn_close(&p.a, bad[i], nothing), WEFT_ERR_USAGE);
    assert_err(weft__ws_conn_close(&p.a, WEFT_WS_CLOSE_NONE, WEFT_SLICE_LIT("why")),
               WEFT_ERR_USAGE);
    assert_err(weft__ws_conn_close(&p.a, 1000, WEFT_SLICE_LIT("\xff")), WEFT_ERR_USAGE);
    assert_true(weft__ws_conn_is_open(&p.a) && !weft__ws_conn_has_control(&p.a));
    pair_done(&p);
}

static void long_close_reason_is_cut_at_a_character(void **state)
{
    (void)state;
    for (size_t lead = 0; lead < 4; lead++) {
        struct pair p;
        pair_init(&p, WEFT_WS_ROLE_CLIENT);
        char reason[400];
        size_t len = 0;
        while (len < lead)
            reason[len++] = 'x';
        while (len + 4 <= 300) {
            memcpy(reason + len, "\xf0\x9f\x98\x80", 4);
            len += 4;
        }
        assert_ok(weft__ws_conn_close(&p.a, 3000, weft__slice(reason, len)));
        drain(&p.a, &p.from_a);
        struct weft_ws_event event;
        assert_int_equal(weft__ws_conn_read(&p.b, p.from_a.ptr, p.from_a.len, &event),
                         p.from_a.len);
        assert_int_equal(event.type, WEFT_WS_EVENT_CLOSE);
        assert_true(event.data.len <= WEFT_WS_REASON_MAX && event.data.len > 119);
        assert_int_equal((event.data.len - lead) % 4, 0);
        pair_done(&p);
    }
}

static void check_ping_flood(enum weft_ws_role role)
{
    struct pair p;
    pair_init(&p, role);
    uint8_t payload[125] = {0};
    for (unsigned i = 0; i < 1000; i++) {
        payload[0] = (uint8_t)i;
        payload[1] = (uint8_t)(i >> 8);
        assert_ok(weft__ws_conn_ping(&p.b, &p.from_b, weft__slice(payload, sizeof(payload))));
        struct weft_ws_event event;
        assert_int_equal(weft__ws_conn_read(&p.a, p.from_b.ptr, p.from_b.len, &event),
                         p.from_b.len);
        assert_int_equal(event.type, WEFT_WS_EVENT_PING);
        weft__bytes_clear(&p.from_b);
    }
    drain(&p.a, &p.from_a);
    assert_true(p.from_a.len <= 16 * (125 + 6));
    unsigned last = 0;
    unsigned count = 0;
    struct weft_ws_event event;
    size_t at = 0;
    for (;;) {
        at += weft__ws_conn_read(&p.b, p.from_a.ptr + at, p.from_a.len - at, &event);
        if (event.type == WEFT_WS_EVENT_NONE)
            break;
        assert_int_equal(event.type, WEFT_WS_EVENT_PONG);
        unsigned number = event.data.ptr[0] | (unsigned)event.data.ptr[1] << 8;
        assert_true(count == 0 || number == last + 1);
        last = number;
        count++;
    }
    /* RFC 6455 §5.5.3: of the pings that waited, the most recent is answered in any case. */
    assert_int_equal(last, 999);
    assert_in_range(count, 1, WEFT_WS_PONGS_MAX);
    pair_done(&p);
}

static void pongs_that_wait_are_bounded_and_the_latest_is_sent(void **state)
{
    (void)state;
    both(check_ping_flood);
}

static void sixteen_pings_are_answered_one_by_one(void **state)
{
    (void)state;
    struct pair p;
    pair_init(&p, WEFT_WS_ROLE_SERVER);
    for (unsigned i = 0; i < 16; i++) {
        char text[3] = {(char)('a' + i), 0, 0};
        assert_ok(weft__ws_conn_ping(&p.b, &p.from_b, weft__slice(text, 1)));
    }
    deliver(&p.a, &p.log_a, &p.from_b);
    a_to_b(&p);
    log_expect(&p.log_b.events,
               "pong:a pong:b pong:c pong:d pong:e pong:f pong:g pong:h pong:i pong:j pong:k "
               "pong:l pong:m pong:n pong:o pong:p");
    pair_done(&p);
}

static void ping_over_125_bytes_is_refused(void **state)
{
    (void)state;
    struct pair p;
    pair_init(&p, WEFT_WS_ROLE_CLIENT);
    static const uint8_t payload[126] = {0};
    assert_err(weft__ws_conn_ping(&p.a, &p.from_a, weft__slice(payload, 126)), WEFT_ERR_USAGE);
    assert_ok(weft__ws_conn_ping(&p.a, &p.from_a, weft__slice(payload, 125)));
    pair_done(&p);
}

static void control_frames_wait_when_the_output_has_no_room(void **state)
{
    (void)state;
    struct pair p;
    pair_init(&p, WEFT_WS_ROLE_SERVER);
    assert_ok(weft__ws_conn_close(&p.a, 1000, WEFT_SLICE_LIT("bye")));
    struct weft_bytes small;
    weft__bytes_init(&small, &p.mem.alloc, 3);
    assert_err(weft__ws_conn_take_control(&p.a, &small), WEFT_ERR_TOO_BIG);
    assert_int_equal(small.len, 0);
    assert_true(weft__ws_conn_has_control(&p.a));
    weft__bytes_done(&small);
    a_to_b(&p);
    log_expect(&p.log_b.events, "close:1000:bye");
    pair_done(&p);
}

static void states_have_names(void **state)
{
    (void)state;
    assert_string_equal(weft__ws_state_name(WEFT_WS_STATE_OPEN), "open");
    assert_string_equal(weft__ws_state_name(WEFT_WS_STATE_CLOSE_SENT), "close_sent");
    assert_string_equal(weft__ws_state_name(WEFT_WS_STATE_CLOSE_RECEIVED), "close_received");
    assert_string_equal(weft__ws_state_name(WEFT_WS_STATE_CLOSED), "closed");
    assert_string_equal(weft__ws_state_name((enum weft_ws_state)9), "?");
}

/* Everything that takes memory while sending. */
static int send_everything(const struct weft_alloc *alloc, void *ctx)
{
    const enum weft_ws_role *role = ctx;
    struct weft_ws_options options = log_options(alloc);
    struct weft_ws_conn conn;
    weft__ws_conn_init(&conn, *role, &options);
    struct weft_bytes out;
    weft__bytes_init(&out, alloc, SIZE_MAX);
    static const uint8_t payload[200] = {0};
    int rc = weft__ws_conn_send(&conn, &out, WEFT_WS_OPCODE_BINARY, weft__slice(payload, 200));
    weft__bytes_clear(&out);
    if (rc == 0)
        rc = weft__ws_conn_ping(&conn, &out, weft__slice(payload, 100));
    if (rc == 0)
        rc = weft__ws_conn_close(&conn, 1000, WEFT_SLICE_LIT("bye"));
    if (rc == 0)
        rc = weft__ws_conn_take_control(&conn, &out);
    weft__bytes_done(&out);
    weft__ws_conn_done(&conn);
    return rc;
}

static void sending_without_memory_is_reported(void **state)
{
    (void)state;
    enum weft_ws_role role = WEFT_WS_ROLE_SERVER;
    assert_true(test_each_alloc_failure(send_everything, &role) >= 2);
    role = WEFT_WS_ROLE_CLIENT;
    assert_true(test_each_alloc_failure(send_everything, &role) >= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_one_end_sends_the_other_receives),
        cmocka_unit_test(client_masks_every_frame_with_a_fresh_key_and_server_none),
        cmocka_unit_test(header_alone_is_that_of_the_whole_message),
        cmocka_unit_test(fragments_are_sent_in_order_or_refused),
        cmocka_unit_test(closing_handshake_ends_in_closed_and_the_server_drops),
        cmocka_unit_test(both_ends_may_close_at_once),
        cmocka_unit_test(messages_and_pings_still_count_until_the_peer_closes),
        cmocka_unit_test(failure_after_a_close_frame_sends_no_second_one),
        cmocka_unit_test(failing_side_says_why_and_drops),
        cmocka_unit_test(codes_that_must_not_be_sent_are_refused),
        cmocka_unit_test(long_close_reason_is_cut_at_a_character),
        cmocka_unit_test(pongs_that_wait_are_bounded_and_the_latest_is_sent),
        cmocka_unit_test(sixteen_pings_are_answered_one_by_one),
        cmocka_unit_test(ping_over_125_bytes_is_refused),
        cmocka_unit_test(control_frames_wait_when_the_output_has_no_room),
        cmocka_unit_test(states_have_names),
        cmocka_unit_test(sending_without_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
