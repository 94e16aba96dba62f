/* SPDX-License-Identifier: Apache-2.0 */
/* The receiving half of a connection: every rule of RFC 6455 §5, §7.1.5 and §8.1 for both roles,
 * with the stream whole, byte by byte and in random pieces. */
#include "unit/ws/conn_log.h"

struct expectation {
    const struct weft_ws_options *options; /* without allocator; NULL: defaults */
    enum weft_ws_role role;
    const char *events;
    const char *sent;
};

static struct test_random rng;

/* One run of one split: a new connection, everything fed, transcript and memory compared. */
static void run_split(const struct test_piece *pieces, size_t count, void *ctx)
{
    const struct expectation *want = ctx;
    struct test_alloc mem;
    test_alloc_init(&mem);
    struct weft_ws_options options = log_options(&mem.alloc);
    if (want->options) {
        options.max_message = want->options->max_message;
        options.max_fragments = want->options->max_fragments;
        options.check_utf8 = want->options->check_utf8;
    }
    struct weft_ws_conn conn;
    weft__ws_conn_init(&conn, want->role, &options);
    struct conn_log log;
    log_init(&log);
    for (size_t i = 0; i < count; i++)
        log_feed(&log, &conn, pieces[i].data, pieces[i].len);
    log_expect(&log.events, want->events);
    log_expect(&log.sent, want->sent);
    bool failed = strstr(want->events, "error:") != NULL;
    bool closed = failed || strstr(want->events, "close:") != NULL;
    assert_int_equal(weft__ws_conn_state(&conn),
                     closed ? WEFT_WS_STATE_CLOSED : WEFT_WS_STATE_OPEN);
    assert_int_equal(weft__ws_conn_should_drop(&conn),
                     failed || (closed && want->role == WEFT_WS_ROLE_SERVER));
    /* An idle connection owns no memory, and neither does a closed one. */
    if (closed || (!conn.in_frame && !conn.message_opcode))
        assert_int_equal(mem.live_blocks, 0);
    weft__ws_conn_done(&conn);
    test_alloc_done(&mem);
    log_done(&log);
}

static void check_role(struct expectation want, const struct log_frame *frames, size_t count)
{
    struct weft_bytes stream;
    weft__bytes_init(&stream, weft_alloc_default(), SIZE_MAX);
    for (size_t i = 0; i < count; i++)
        log_write_frame(&stream, &frames[i], log_other(want.role));
    test_each_split(stream.ptr, stream.len, &rng, 20, run_split, &want);
    weft__bytes_done(&stream);
}

static void check_with(const struct weft_ws_options *options, const char *events, const char *sent,
                       const struct log_frame *frames, size_t count)
{
    check_role((struct expectation){options, WEFT_WS_ROLE_SERVER, events, sent}, frames, count);
    check_role((struct expectation){options, WEFT_WS_ROLE_CLIENT, events, sent}, frames, count);
}

/* Both roles receive |...|, frames, and must report |events| and send |sent|. */
#define CHECK_WITH(options, events, sent, ...)                                                     \
    check_with((options), (events), (sent), (const struct log_frame[]){__VA_ARGS__},               \
               sizeof((const struct log_frame[]){__VA_ARGS__}) / sizeof(struct log_frame))
#define CHECK(events, sent, ...) CHECK_WITH(NULL, events, sent, __VA_ARGS__)

/* |role| receives the bytes |hex|. */
static void check_hex(enum weft_ws_role role, const char *hex, const char *events, const char *sent)
{
    struct expectation want = {NULL, role, events, sent};
    size_t len;
    uint8_t *data = test_hex_decode(hex, &len);
    test_each_split(data, len, &rng, 5, run_split, &want);
    free(data);
}

static void messages_of_one_frame(void **state)
{
    (void)state;
    CHECK("text:Hello", "", FRAME(0x81, "Hello"));
    CHECK("binary:\\00\\ff", "", FRAME(0x82, "\0\xff"));
    CHECK("text:", "", FRAME(0x81, ""));
    CHECK("binary:", "", FRAME(0x82, ""));
    CHECK("text:a binary:b text:c", "", FRAME(0x81, "a"), FRAME(0x82, "b"), FRAME(0x81, "c"));
}

static void messages_of_every_length_form(void **state)
{
    (void)state;
    static const size_t sizes[] = {125, 126, 127, 128, 300, 65535, 65536};
    uint8_t *payload = malloc(65536);
    for (size_t i = 0; i < 65536; i++)
        payload[i] = (uint8_t)(i * 13);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct weft_bytes want;
        weft__bytes_init(&want, weft_alloc_default(), SIZE_MAX);
        log_entry(&want, "binary", 0, weft__slice(payload, sizes[i]));
        weft__bytes_append_byte(&want, 0);
        const struct log_frame frame = {0x82, payload, sizes[i]};
        check_with(NULL, (const char *)want.ptr, "", &frame, 1);
        weft__bytes_done(&want);
    }
    free(payload);
}

static void fragments_make_one_message(void **state)
{
    (void)state;
    CHECK("text:Hello", "", FRAME(0x01, "Hel"), FRAME(0x80, "lo"));
    CHECK("binary:abc", "", FRAME(0x02, "a"), FRAME(0x00, "b"), FRAME(0x80, "c"));
    CHECK("text:x", "", FRAME(0x01, ""), FRAME(0x00, ""), FRAME(0x00, "x"), FRAME(0x80, ""));
    CHECK("text: text:y", "", FRAME(0x01, ""), FRAME(0x00, ""), FRAME(0x80, ""), FRAME(0x81, "y"));
}

static void control_frames_may_come_inside_a_fragmented_message(void **state)
{
    (void)state;
    CHECK("ping:p pong:q text:Hello", "pong:p", FRAME(0x01, "Hel"), FRAME(0x89, "p"),
          FRAME(0x8a, "q"), FRAME(0x80, "lo"));
    CHECK("ping:1 ping:2 text:ab", "pong:1 pong:2", FRAME(0x01, "a"), FRAME(0x89, "1"),
          FRAME(0x00, ""), FRAME(0x89, "2"), FRAME(0x80, "b"));
}

static void ping_is_answered_with_the_same_payload(void **state)
{
    (void)state;
    uint8_t payload[125];
    memset(payload, 0xfe, sizeof(payload));
    struct weft_bytes want;
    weft__bytes_init(&want, weft_alloc_default(), SIZE_MAX);
    log_entry(&want, "ping", 0, weft__slice(payload, 125));
    weft__bytes_append_byte(&want, 0);
    char *answer = strdup((const char *)want.ptr);
    answer[1] = 'o';
    const struct log_frame frame = {0x89, payload, 125};
    check_with(NULL, (const char *)want.ptr, answer, &frame, 1);
    free(answer);
    weft__bytes_done(&want);
    CHECK("ping:", "pong:", FRAME(0x89, ""));
}

static void unsolicited_pong_is_reported_and_not_answered(void **state)
{
    (void)state;
    CHECK("pong: pong:x text:a", "", FRAME(0x8a, ""), FRAME(0x8a, "x"), FRAME(0x81, "a"));
}

static void reserved_bits_are_protocol_errors(void **state)
{
    (void)state;
    CHECK("error:1002:", "close:1002:", FRAME(0x91, "a"));
    CHECK("error:1002:", "close:1002:", FRAME(0xa2, "a"));
    CHECK("text:a error:1002:", "close:1002:", FRAME(0x81, "a"), FRAME(0xc1, "b"));
    CHECK("error:1002:", "close:1002:", FRAME(0xb9, "ping"));
    CHECK("error:1002:", "close:1002:", FRAME(0xf8, ""));
    CHECK("error:1002:", "close:1002:", FRAME(0x01, "a"), FRAME(0xc0, "b"));
}

static void reserved_opcodes_are_protocol_errors(void **state)
{
    (void)state;
    for (unsigned opcode = 3; opcode < 16; opcode++) {
        if (opcode >= 8 && opcode <= 10)
            continue;
        CHECK("error:1002:", "close:1002:", {0x80 | opcode, "", 0});
        CHECK("text:a error:1002:", "close:1002:", FRAME(0x81, "a"), {0x80 | opcode, "xyz", 3},
              FRAME(0x89, ""));
        CHECK("error:1002:", "close:1002:", {opcode, "x", 1});
    }
}

static void fragmented_control_frames_are_protocol_errors(void **state)
{
    (void)state;
    CHECK("error:1002:", "close:1002:", FRAME(0x08, ""));
    CHECK("error:1002:", "close:1002:", FRAME(0x09, "a"), FRAME(0x80, "b"));
    CHECK("error:1002:", "close:1002:", FRAME(0x0a, "a"), FRAME(0x80, "b"));
}

static void control_frames_over_125_bytes_are_protocol_errors(void **state)
{
    (void)state;
    uint8_t payload[300];
    memset(payload, 'x', sizeof(payload));
    for (unsigned opcode = 8; opcode <= 10; opcode++) {
        CHECK("error:1002:", "close:1002:", {0x80 | opcode, payload, 126});
        CHECK("error:1002:", "close:1002:", {0x80 | opcode, payload, 300});
    }
}

static void length_not_in_its_shortest_form_is_protocol_error(void **state)
{
    (void)state;
    check_hex(WEFT_WS_ROLE_CLIENT, "81 7e 0005 48656c6c6f", "error:1002:", "close:1002:");
    check_hex(WEFT_WS_ROLE_CLIENT, "82 7f 0000000000000001 00", "error:1002:", "close:1002:");
    check_hex(WEFT_WS_ROLE_SERVER, "82 fe 0001 00000000 00", "error:1002:", "close:1002:");
    check_hex(WEFT_WS_ROLE_SERVER, "82 ff 8000000000000000 00000000", "error:1002:", "close:1002:");
    check_hex(WEFT_WS_ROLE_CLIENT, "89 7e 0003 616263", "error:1002:", "close:1002:");
}

static void unmasked_frame_from_a_client_is_protocol_error(void **state)
{
    (void)state;
    check_hex(WEFT_WS_ROLE_SERVER, "81 05 48656c6c6f", "error:1002:", "close:1002:");
    check_hex(WEFT_WS_ROLE_SERVER, "89 00", "error:1002:", "close:1002:");
    check_hex(WEFT_WS_ROLE_SERVER, "88 02 03e8", "error:1002:", "close:1002:");
}

static void masked_frame_from_a_server_is_protocol_error(void **state)
{
    (void)state;
    check_hex(WEFT_WS_ROLE_CLIENT, "81 85 37fa213d 7f9f4d5158", "error:1002:", "close:1002:");
    check_hex(WEFT_WS_ROLE_CLIENT, "8a 80 00000000", "error:1002:", "close:1002:");
}

static void continuation_of_nothing_is_protocol_error(void **state)
{
    (void)state;
    CHECK("error:1002:", "close:1002:", FRAME(0x80, "a"));
    CHECK("error:1002:", "close:1002:", FRAME(0x00, "a"), FRAME(0x81, "b"));
    CHECK("text:ab error:1002:", "close:1002:", FRAME(0x01, "a"), FRAME(0x80, "b"),
          FRAME(0x00, "c"), FRAME(0x81, "d"));
    CHECK("text:a error:1002:", "close:1002:", FRAME(0x81, "a"), FRAME(0x80, "b"));
}

static void new_message_inside_a_fragmented_one_is_protocol_error(void **state)
{
    (void)state;
    CHECK("error:1002:", "close:1002:", FRAME(0x01, "a"), FRAME(0x81, "b"));
    CHECK("error:1002:", "close:1002:", FRAME(0x01, "a"), FRAME(0x02, "b"));
    CHECK("ping: error:1002:", "pong: close:1002:", FRAME(0x02, "a"), FRAME(0x00, "b"),
          FRAME(0x89, ""), FRAME(0x82, "c"));
}

static void text_that_is_not_utf8_is_invalid_data(void **state)
{
    (void)state;
    CHECK("error:1007:", "close:1007:", FRAME(0x81, "\xce\xba\xe1\xbd\xb9\xf4\x90\x80\x80"));
    CHECK("error:1007:", "close:1007:", FRAME(0x81, "\xff"));
    CHECK("error:1007:", "close:1007:", FRAME(0x81, "\xed\xa0\x80"));
    CHECK("error:1007:", "close:1007:", FRAME(0x81, "\xc0\xaf"));
    CHECK("error:1007:", "close:1007:", FRAME(0x81, "a\xce"));
    CHECK("error:1007:", "close:1007:", FRAME(0x01, "a\xce"), FRAME(0x80, ""));
    CHECK("error:1007:", "close:1007:", FRAME(0x01, "a\xce"), FRAME(0x80, "x"));
    CHECK("error:1007:", "close:1007:", FRAME(0x01, "ok"), FRAME(0x00, "\x80"), FRAME(0x80, ""));
    CHECK("binary:\\ff\\fe", "", FRAME(0x82, "\xff\xfe"));
}

static void characters_may_be_split_between_frames(void **state)
{
    (void)state;
    CHECK("text:\\f0\\9f\\98\\80", "", FRAME(0x01, "\xf0"), FRAME(0x00, "\x9f"), FRAME(0x00, ""),
          FRAME(0x00, "\x98"), FRAME(0x80, "\x80"));
    CHECK("ping: text:\\c3\\a9 text:\\c3\\a9", "pong:", FRAME(0x01, "\xc3"), FRAME(0x89, ""),
          FRAME(0x80, "\xa9"), FRAME(0x81, "\xc3\xa9"));
}

static void utf8_check_can_be_switched_off(void **state)
{
    (void)state;
    struct weft_ws_options options = log_options(NULL);
    options.check_utf8 = false;
    CHECK_WITH(&options, "text:\\ff", "", FRAME(0x81, "\xff"));
    CHECK_WITH(&options, "text:\\ce", "", FRAME(0x01, "\xce"), FRAME(0x80, ""));
}

/* What a connection reports when only |len| bytes of a stream have come. */
static void check_early(const char *hex, const char *events)
{
    struct weft_ws_options options = log_options(weft_alloc_default());
    struct weft_ws_conn conn;
    weft__ws_conn_init(&conn, WEFT_WS_ROLE_CLIENT, &options);
    struct conn_log log;
    log_init(&log);
    size_t len;
    uint8_t *data = test_hex_decode(hex, &len);
    log_feed(&log, &conn, data, len);
    log_expect(&log.events, events);
    free(data);
    weft__ws_conn_done(&conn);
    log_done(&log);
}

static void invalid_text_fails_before_its_frame_is_complete(void **state)
{
    (void)state;
    check_early("81 15 cebae1bdb9cf83cebcceb5", "");
    check_early("81 15 cebae1bdb9cf83cebcceb5 f490", "error:1007:");
    check_early("81 15 cebae1bdb9cf83cebcceb5 f4", "");
    check_early("01 0b cebae1bdb9cf83cebcceb5 00 04 f490", "error:1007:");
}

static void close_frames_are_reported_and_echoed(void **state)
{
    (void)state;
    CHECK("close:1005:", "close:", FRAME(0x88, ""));
    CHECK("close:1000:", "close:1000:", FRAME(0x88, "\x03\xe8"));
    CHECK("close:1000:bye", "close:1000:",
          FRAME(0x88, "\x03\xe8"
                      "bye"));
    CHECK("close:4999:\\c3\\a9", "close:4999:", FRAME(0x88, "\x13\x87\xc3\xa9"));
    char payload[125] = "\x03\xe8";
    memset(payload + 2, '*', 123);
    struct weft_bytes want;
    weft__bytes_init(&want, weft_alloc_default(), SIZE_MAX);
    log_entry(&want, "close", 1000, weft__slice(payload + 2, 123));
    weft__bytes_append_byte(&want, 0);
    CHECK((const char *)want.ptr, "close:1000:", {0x88, payload, 125});
    weft__bytes_done(&want);
}

static void every_close_code_is_judged(void **state)
{
    (void)state;
    for (unsigned code = 0; code <= 65535; code += code < 1100 || code > 4990 ? 1 : 7) {
        if (code == 5100)
            code = 65530;
        char payload[2] = {(char)(code >> 8), (char)(code & 0xff)};
        bool valid = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
                     (code >= 3000 && code <= 4999);
        assert_int_equal(weft__ws_close_code_valid(code), valid);
        char events[32] = "error:1002:";
        char sent[32] = "close:1002:";
        if (valid) {
            snprintf(events, sizeof(events), "close:%u:", code);
            snprintf(sent, sizeof(sent), "close:%u:", code);
        }
        struct log_frame frame = {0x88, payload, 2};
        check_with(NULL, events, sent, &frame, 1);
    }
}

static void close_frame_with_one_byte_payload_is_protocol_error(void **state)
{
    (void)state;
    CHECK("error:1002:", "close:1002:", FRAME(0x88, "\x03"));
}

static void close_reason_that_is_not_utf8_is_invalid_data(void **state)
{
    (void)state;
    CHECK("error:1007:", "close:1007:", FRAME(0x88, "\x03\xe8\xff"));
    CHECK("error:1007:", "close:1007:",
          FRAME(0x88, "\x03\xe8"
                      "caf\xc3"));
}

static void nothing_counts_after_a_close_frame(void **state)
{
    (void)state;
    CHECK("close:1000:", "close:1000:", FRAME(0x88, "\x03\xe8"), FRAME(0x81, "late"),
          FRAME(0x89, "late"), FRAME(0x88, ""), FRAME(0xff, "?"));
    CHECK("close:1000:", "close:1000:", FRAME(0x01, "half"), FRAME(0x88, "\x03\xe8"),
          FRAME(0x80, "rest"));
}

static void nothing_counts_after_a_failure(void **state)
{
    (void)state;
    CHECK("error:1002:", "close:1002:", FRAME(0x83, ""), FRAME(0x81, "late"),
          FRAME(0x88, "\x03\xe8"));
}

static void message_over_the_limit_is_too_big(void **state)
{
    (void)state;
    struct weft_ws_options options = log_options(NULL);
    options.max_message = 5;
    CHECK_WITH(&options, "text:12345", "", FRAME(0x81, "12345"));
    CHECK_WITH(&options, "text:12345", "", FRAME(0x01, "123"), FRAME(0x80, "45"));
    CHECK_WITH(&options, "error:1009:", "close:1009:", FRAME(0x81, "123456"));
    CHECK_WITH(&options, "error:1009:", "close:1009:", FRAME(0x01, "123"), FRAME(0x80, "456"));
    CHECK_WITH(&options, "text: error:1009:", "close:1009:", FRAME(0x81, ""), FRAME(0x02, "12345"),
               FRAME(0x00, ""), FRAME(0x00, "6"));
    options.max_message = 0;
    CHECK_WITH(&options, "text: error:1009:", "close:1009:", FRAME(0x81, ""), FRAME(0x81, "1"));
}

static void announced_length_is_refused_before_memory_is_taken(void **state)
{
    (void)state;
    static const char *const heads[] = {
        "82 7f 0000000000100001",
        "82 7f 7fffffffffffffff",
        "01 02 6161 80 7f 7fffffffffffffff",
        "01 02 6161 80 7f 00000000000fffff",
    };
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        struct test_alloc mem;
        test_alloc_init(&mem);
        struct weft_ws_options options = log_options(&mem.alloc);
        struct weft_ws_conn conn;
        weft__ws_conn_init(&conn, WEFT_WS_ROLE_CLIENT, &options);
        struct conn_log log;
        log_init(&log);
        size_t len;
        uint8_t *data = test_hex_decode(heads[i], &len);
        log_feed(&log, &conn, data, len);
        log_expect(&log.events, "error:1009:");
        assert_true(mem.peak_bytes <= 1024);
        free(data);
        weft__ws_conn_done(&conn);
        log_done(&log);
        test_alloc_done(&mem);
    }
}

static void announcement_alone_costs_no_memory(void **state)
{
    (void)state;
    struct test_alloc mem;
    test_alloc_init(&mem);
    struct weft_ws_options options = log_options(&mem.alloc);
    options.max_message = 16 * 1024 * 1024;
    struct weft_ws_conn conn;
    weft__ws_conn_init(&conn, WEFT_WS_ROLE_CLIENT, &options);
    struct weft_ws_event event;
    uint8_t head[] = {0x82, 0x7f, 0, 0, 0, 0, 1, 0, 0, 0};
    assert_int_equal(weft__ws_conn_read(&conn, head, sizeof(head), &event), sizeof(head));
    assert_int_equal(mem.live_bytes, 0);
    uint8_t piece[1000] = {0};
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(weft__ws_conn_read(&conn, piece, sizeof(piece), &event), sizeof(piece));
    assert_true(mem.live_bytes <= 2 * 100 * sizeof(piece) + 256);
    weft__ws_conn_done(&conn);
    test_alloc_done(&mem);
}

static void too_many_fragments_are_too_big(void **state)
{
    (void)state;
    struct weft_ws_options options = log_options(NULL);
    options.max_fragments = 3;
    CHECK_WITH(&options, "text:ab text:c", "", FRAME(0x01, "a"), FRAME(0x00, ""), FRAME(0x80, "b"),
               FRAME(0x81, "c"));
    CHECK_WITH(&options, "ping: error:1009:", "pong: close:1009:", FRAME(0x01, "a"),
               FRAME(0x00, ""), FRAME(0x89, ""), FRAME(0x00, ""), FRAME(0x00, ""));
}

static void whole_message_is_delivered_where_it_lies_without_memory(void **state)
{
    (void)state;
    struct test_alloc mem;
    test_alloc_init(&mem);
    struct weft_ws_options options = log_options(&mem.alloc);
    struct weft_ws_conn conn;
    weft__ws_conn_init(&conn, WEFT_WS_ROLE_SERVER, &options);
    uint8_t data[] = {0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58, 0x82};
    struct weft_ws_event event;
    assert_int_equal(weft__ws_conn_read(&conn, data, sizeof(data), &event), 11);
    assert_int_equal(event.type, WEFT_WS_EVENT_MESSAGE);
    assert_ptr_equal(event.data.ptr, data + 6);
    assert_bytes(event.data.ptr, event.data.len, "Hello", 5);
    assert_int_equal(weft__ws_conn_read(&conn, data + 11, 1, &event), 1);
    assert_int_equal(mem.calls, 0);
    weft__ws_conn_done(&conn);
    test_alloc_done(&mem);
}

static void random_streams_read_the_same_in_any_split(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "a", "hello world", "caf\xc3\xa9 \xf0\x9f\x98\x80"};
    for (unsigned run = 0; run < 100; run++) {
        /* At most as many pings as are answered one by one when the stream is read whole. */
        struct log_frame frames[WEFT_WS_PONGS_MAX];
        size_t count = test_random_size(&rng, 1, WEFT_WS_PONGS_MAX);
        bool open = false;
        for (size_t i = 0; i < count; i++) {
            const char *text = texts[test_random_below(&rng, 4)];
            unsigned byte0 = open ? 0x00 : test_random_one_in(&rng, 2) ? 0x01 : 0x02;
            if (test_random_one_in(&rng, 4)) {
                byte0 = test_random_one_in(&rng, 2) ? 0x89 : 0x8a;
            } else if (test_random_one_in(&rng, 2)) {
                byte0 |= 0x80;
                open = false;
            } else {
                open = true;
            }
            if (test_random_one_in(&rng, 100))
                byte0 = (unsigned)test_random_below(&rng, 256);
            frames[i] = (struct log_frame){byte0, text, strlen(text)};
        }
        /* What comes of the whole stream is what must come of every split of it. */
        struct weft_bytes stream;
        weft__bytes_init(&stream, weft_alloc_default(), SIZE_MAX);
        for (size_t i = 0; i < count; i++)
            log_write_frame(&stream, &frames[i], WEFT_WS_ROLE_CLIENT);
        struct weft_ws_options options = log_options(weft_alloc_default());
        struct weft_ws_conn conn;
        weft__ws_conn_init(&conn, WEFT_WS_ROLE_SERVER, &options);
        struct conn_log log;
        log_init(&log);
        uint8_t *copy = malloc(stream.len);
        memcpy(copy, stream.ptr, stream.len);
        log_feed(&log, &conn, copy, stream.len);
        weft__bytes_append_byte(&log.events, 0);
        weft__bytes_append_byte(&log.sent, 0);
        struct expectation want = {NULL, WEFT_WS_ROLE_SERVER, (char *)log.events.ptr,
                                   (char *)log.sent.ptr};
        test_each_split(stream.ptr, stream.len, &rng, 10, run_split, &want);
        free(copy);
        weft__ws_conn_done(&conn);
        log_done(&log);
        weft__bytes_done(&stream);
    }
}

/* A message in pieces, a ping in pieces, a close: everything that takes memory while reading. */
static int read_in_pieces(const struct weft_alloc *alloc, void *ctx)
{
    (void)ctx;
    const struct log_frame frames[] = {FRAME(0x01, "Hello, "), FRAME(0x89, "ping"),
                                       FRAME(0x80, "world"), FRAME(0x82, "again"),
                                       FRAME(0x88, "\x03\xe8")};
    struct weft_bytes stream;
    weft__bytes_init(&stream, weft_alloc_default(), SIZE_MAX);
    for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++)
        log_write_frame(&stream, &frames[i], WEFT_WS_ROLE_CLIENT);
    struct weft_ws_options options = log_options(alloc);
    struct weft_ws_conn conn;
    weft__ws_conn_init(&conn, WEFT_WS_ROLE_SERVER, &options);
    struct weft_ws_event event;
    int rc = 0;
    for (size_t i = 0; i < stream.len; i++) {
        size_t used = 0;
        do {
            used += weft__ws_conn_read(&conn, stream.ptr + i + used, 1 - used, &event);
            if (event.type == WEFT_WS_EVENT_ERROR) {
                rc = event.err;
                assert_int_equal(event.code, WEFT_WS_CLOSE_INTERNAL);
                assert_true(weft__ws_conn_has_control(&conn));
            }
        } while (event.type != WEFT_WS_EVENT_NONE);
    }
    weft__ws_conn_done(&conn);
    weft__bytes_done(&stream);
    return rc;
}

static void reading_without_memory_ends_with_internal_error(void **state)
{
    (void)state;
    assert_true(test_each_alloc_failure(read_in_pieces, NULL) >= 4);
}

static int seed(void **state)
{
    (void)state;
    test_random_init(&rng, "conn_test");
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_of_one_frame),
        cmocka_unit_test(messages_of_every_length_form),
        cmocka_unit_test(fragments_make_one_message),
        cmocka_unit_test(control_frames_may_come_inside_a_fragmented_message),
        cmocka_unit_test(ping_is_answered_with_the_same_payload),
        cmocka_unit_test(unsolicited_pong_is_reported_and_not_answered),
        cmocka_unit_test(reserved_bits_are_protocol_errors),
        cmocka_unit_test(reserved_opcodes_are_protocol_errors),
        cmocka_unit_test(fragmented_control_frames_are_protocol_errors),
        cmocka_unit_test(control_frames_over_125_bytes_are_protocol_errors),
        cmocka_unit_test(length_not_in_its_shortest_form_is_protocol_error),
        cmocka_unit_test(unmasked_frame_from_a_client_is_protocol_error),
        cmocka_unit_test(masked_frame_from_a_server_is_protocol_error),
        cmocka_unit_test(continuation_of_nothing_is_protocol_error),
        cmocka_unit_test(new_message_inside_a_fragmented_one_is_protocol_error),
        cmocka_unit_test(text_that_is_not_utf8_is_invalid_data),
        cmocka_unit_test(characters_may_be_split_between_frames),
        cmocka_unit_test(utf8_check_can_be_switched_off),
        cmocka_unit_test(invalid_text_fails_before_its_frame_is_complete),
        cmocka_unit_test(close_frames_are_reported_and_echoed),
        cmocka_unit_test(every_close_code_is_judged),
        cmocka_unit_test(close_frame_with_one_byte_payload_is_protocol_error),
        cmocka_unit_test(close_reason_that_is_not_utf8_is_invalid_data),
        cmocka_unit_test(nothing_counts_after_a_close_frame),
        cmocka_unit_test(nothing_counts_after_a_failure),
        cmocka_unit_test(message_over_the_limit_is_too_big),
        cmocka_unit_test(announced_length_is_refused_before_memory_is_taken),
        cmocka_unit_test(announcement_alone_costs_no_memory),
        cmocka_unit_test(too_many_fragments_are_too_big),
        cmocka_unit_test(whole_message_is_delivered_where_it_lies_without_memory),
        cmocka_unit_test(random_streams_read_the_same_in_any_split),
        cmocka_unit_test(reading_without_memory_ends_with_internal_error),
    };
    return cmocka_run_group_tests(tests, seed, NULL);
}
