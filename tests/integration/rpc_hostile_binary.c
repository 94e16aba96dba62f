/* SPDX-License-Identifier: Apache-2.0 */
/* What somebody sends who means harm, on the binary wire over a real connection. What has a meaning
 * that can be answered is answered, and the connection goes on; the rest closes it with 1008
 * (docs/protocol/binary.md 1.2). The text wire: rpc_hostile.c. */
#include "rpc_support.h"

#include "codec/pb_wire.h"
#include "rpc/binary.h"

#include <unistd.h>

enum {
    WAIT_MS = 10000,
    DEEP = 100000,
    LONG = 1000000,
    MEMORY_SLACK = 256 * 1024,
    ITEM_FLAGS = WEFT_RPC_BINARY_JSON,
};

static struct test_in_process *world;
static struct weft_arena arena;
static char long_text[LONG + 1];

/* ---- Frames, written field by field ---- */

static struct weft_bytes one;     /* the frame being written */
static struct weft_bytes message; /* finished frames */

static void begin(uint64_t id, uint64_t flags)
{
    weft__bytes_clear(&one);
    weft__pb_write_varint(&one, WEFT_RPC_BINARY_ID, id);
    if (flags)
        weft__pb_write_varint(&one, WEFT_RPC_BINARY_FLAGS, flags);
}

static void put(uint32_t field, const char *value)
{
    weft__pb_write_bytes(&one, field, weft__slice_str(value));
}

/* A Call with a method and perhaps one more number. */
static void put_call(const char *method, uint32_t field, uint64_t value)
{
    struct weft_bytes inside;
    weft__bytes_init(&inside, weft_alloc_default(), SIZE_MAX);
    weft__pb_write_bytes(&inside, 2, weft__slice_str(method));
    if (field)
        weft__pb_write_varint(&inside, field, value);
    weft__pb_write_bytes(&one, WEFT_RPC_BINARY_CALL, weft__bytes_slice(&inside));
    weft__bytes_done(&inside);
}

static void put_credit(uint64_t items, uint64_t bytes)
{
    struct weft_bytes inside;
    weft__bytes_init(&inside, weft_alloc_default(), SIZE_MAX);
    weft__pb_write_varint(&inside, 1, items);
    weft__pb_write_varint(&inside, 2, bytes);
    weft__pb_write_bytes(&one, WEFT_RPC_BINARY_CREDIT, weft__bytes_slice(&inside));
    weft__bytes_done(&inside);
}

static void end(void)
{
    weft__pb_append_varint(&message, one.len);
    weft__bytes_append_slice(&message, weft__bytes_slice(&one));
    assert_ok(weft__bytes_error(&message));
}

static void send_message(struct test_ws *ws)
{
    test_ws_send_binary(ws, message.ptr, message.len);
    weft__bytes_clear(&message);
}

static void end_and_send(struct test_ws *ws)
{
    end();
    send_message(ws);
}

/* A call with |params|, JSON or NULL. */
static void call(struct test_ws *ws, uint64_t id, const char *method, const char *params)
{
    begin(id, WEFT_RPC_BINARY_JSON);
    if (params)
        put(WEFT_RPC_BINARY_PAYLOAD, params);
    put_call(method, 0, 0);
    end_and_send(ws);
}

/* ---- Expectations ---- */

static const struct weft_rpc_frame *next(struct test_ws *ws, enum weft_rpc_kind kind, uint32_t id)
{
    static const struct weft_rpc_decode_options options = {.max_batch = 1};
    struct weft_rpc_message got;
    struct weft_slice data = test_ws_recv_binary(ws, WAIT_MS);
    assert_true(data.len > 0);
    weft__arena_reset(&arena);
    assert_ok(weft__rpc_binary_decode(data, &arena, &options, &got));
    assert_int_equal(got.count, 1);
    assert_int_equal(got.frames[0].kind, kind);
    assert_int_equal(weft__rpc_binary_id(got.frames[0].id.raw), id);
    return &got.frames[0];
}

static void expect_result(struct test_ws *ws, uint32_t id, const char *value)
{
    assert_true(
        weft__slice_eq_str(weft__json_raw(next(ws, WEFT_RPC_KIND_RESULT, id)->value), value));
}

static void expect_error(struct test_ws *ws, uint32_t id, int64_t number, const char *reason)
{
    const struct weft_rpc_error *error = &next(ws, WEFT_RPC_KIND_ERROR, id)->error;
    assert_int_equal(error->number, number);
    assert_true(weft__slice_eq_str(error->reason, reason ? reason : ""));
    assert_int_equal(error->executed, WEFT_RPC_EXECUTED_NO);
}

static void still_serves(struct test_ws *ws)
{
    call(ws, 4294967295, "sum", "[1,2]");
    expect_result(ws, 4294967295, "3");
}

static struct test_ws *connect_plain(void)
{
    return test_ws_connect(world->url, "weft.v1.pb");
}

static struct test_ws *connect_greeted(const char *hello)
{
    struct test_ws *ws = connect_plain();
    call(ws, 1, "$/hello", hello);
    assert_non_null(weft__json_get(next(ws, WEFT_RPC_KIND_RESULT, 1)->value, "limits"));
    return ws;
}

static struct test_ws *connect_any(void)
{
    return connect_greeted("{\"v\":[1,1]}");
}

/* ---- What closes the connection ---- */

/* Raw bytes of a message; it closes the connection. */
static void closes(const void *bytes, size_t len)
{
    struct test_ws *ws = connect_plain();
    test_ws_send_binary(ws, bytes, len);
    unsigned code = test_ws_wait_closed(ws, WAIT_MS);
    if (code != 1008)
        fail_msg("%zu bytes, %02x %02x …: closed with %u", len, ((const uint8_t *)bytes)[0],
                 ((const uint8_t *)bytes)[1], code);
    test_ws_close(ws);
}

/* What is in |message|, on a connection that greeted; it closes it. */
static void message_closes(void)
{
    struct weft_bytes evil = message;
    weft__bytes_init(&message, weft_alloc_default(), SIZE_MAX);
    struct test_ws *ws = connect_any();
    test_ws_send_binary(ws, evil.ptr, evil.len);
    weft__bytes_done(&evil);
    assert_int_equal(test_ws_wait_closed(ws, WAIT_MS), 1008);
    test_ws_close(ws);
}

static void lengths_that_do_not_add_up_close_the_connection(void **state)
{
    (void)state;
    static const struct {
        uint8_t len;
        uint8_t bytes[16];
    } cases[] = {
        {5, {0x80, 0x80, 0x80, 0x80, 0x10}},                                /* a frame of 4 GiB */
        {5, {0xff, 0xff, 0xff, 0xff, 0x0f}},                                /* one less */
        {10, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}}, /* 2^64 − 1 */
        {10, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}}, /* more than that */
        {12, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
        {1, {0x80}},                                     /* half a length */
        {1, {0}},                                        /* an empty frame */
        {8, {2, 8, 3, 0, 2, 8, 3, 0}},                   /* one in between */
        {8, {7, 0x2a, 0x80, 0x80, 0x80, 0x80, 0x10, 1}}, /* a payload of 4 GiB */
        {13, {12, 0x2a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 1}},
        {8, {7, 0x32, 0x80, 0x80, 0x80, 0x80, 0x10, 1}}, /* a body of 4 GiB */
        {8, {7, 8, 0x80, 0x80, 0x80, 0x80, 0x10, 0}},    /* id 2^32 */
        {12, {11, 8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}}, /* id 2^64 − 1 */
        {12, {11, 8, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 2}}, /* id 2^64 */
        {12, {11, 8, 0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 2}}, /* id 2^64 + 1 */
        {13, {12, 8, 0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1}},
        {11, {10, 0x18, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10, 0}}, /* seq 2^53 */
        {11, {10, 0x20, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10, 0}}, /* ack 2^53 */
        {3, {2, 0x0a, 0}},                                                   /* an id of bytes */
        {3, {2, 0x28, 1}},    /* a payload that is a number */
        {3, {2, 0x0b, 0x0c}}, /* a group */
        {3, {2, 0x0f, 0}},    /* type 7 */
        {3, {2, 0, 0}},       /* field 0 */
        {4, {3, 0x2a, 0, 8}}, /* a tag without value */
    };
    for (size_t i = 0; i < WEFT_ARRAY_LEN(cases); i++)
        closes(cases[i].bytes, cases[i].len);
}

static void items_that_cannot_be_read_close_the_connection(void **state)
{
    (void)state;
    static const char *const payloads[] = {
        "", "[", "{\"a\":1,\"a\":2}", "\"\xff\"", "\"\\ud800\"", "1e400", "1 2", long_text};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(payloads); i++) {
        begin(3, ITEM_FLAGS);
        put(WEFT_RPC_BINARY_PAYLOAD, payloads[i]);
        end();
        message_closes();
    }
    begin(3, ITEM_FLAGS | WEFT_RPC_BINARY_COMPRESSED);
    put(WEFT_RPC_BINARY_PAYLOAD, "1");
    end();
    message_closes();
    begin(3, ITEM_FLAGS);
    weft__pb_write_bytes(&one, WEFT_RPC_BINARY_PAYLOAD, weft__slice("\"\0\"", 3));
    end();
    message_closes();
}

static void nothing_of_a_message_that_closes_takes_effect(void **state)
{
    (void)state;
    struct test_ws *ws = connect_any();
    begin(3, WEFT_RPC_BINARY_JSON);
    put(WEFT_RPC_BINARY_PAYLOAD, "[1]");
    put_call("sum", 0, 0);
    end();
    begin(3, ITEM_FLAGS);
    put(WEFT_RPC_BINARY_PAYLOAD, "[");
    end();
    send_message(ws);
    assert_int_equal(test_ws_recv_binary(ws, WAIT_MS).len, 0);
    assert_int_equal(test_ws_wait_closed(ws, WAIT_MS), 1008);
    test_ws_close(ws);
}

static void many_frames_close_the_connection(void **state)
{
    (void)state;
    static const size_t counts[] = {101, DEEP};
    for (size_t n = 0; n < WEFT_ARRAY_LEN(counts); n++) {
        for (size_t i = 0; i < counts[n]; i++) {
            begin(2 * i + 1, WEFT_RPC_BINARY_NOTIFY);
            end();
        }
        message_closes();
    }
}

static void credit_items_and_numbers_that_are_violations(void **state)
{
    (void)state;
    struct test_ws *ws = connect_any();
    call(ws, 3, "demo.sleep", "[30000]");
    begin(3, ITEM_FLAGS);
    put(WEFT_RPC_BINARY_PAYLOAD, "1");
    end_and_send(ws);
    assert_int_equal(test_ws_wait_closed(ws, WAIT_MS), 1008);
    test_ws_close(ws);
    for (int field = WEFT_RPC_BINARY_SEQ; field <= WEFT_RPC_BINARY_ACK; field++) {
        static const uint64_t ahead[] = {2, 9007199254740991};
        for (size_t i = 0; i < WEFT_ARRAY_LEN(ahead); i++) {
            ws = connect_greeted("{\"v\":[1,1],\"features\":[\"resume\"]}");
            begin(3, WEFT_RPC_BINARY_JSON);
            weft__pb_write_varint(&one, (uint32_t)field, ahead[i]);
            put_call("sum", 0, 0);
            end_and_send(ws);
            assert_int_equal(test_ws_wait_closed(ws, WAIT_MS), 1008);
            test_ws_close(ws);
        }
    }
}

/* ---- What is answered ---- */

static void payloads_that_cannot_be_read_are_parse_errors(void **state)
{
    (void)state;
    static const char *const payloads[] = {
        "[",
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"\\u0061\":2}",
        "[\"\xff\"]",
        "[\"\xed\xa0\x80\"]",
        "[\"\\ud800\"]",
        "[1e400]",
        "[1][2]",
        "not json",
        "\xef\xbb\xbf[1]",
        long_text,
    };
    struct test_ws *ws = connect_any();
    for (size_t i = 0; i < WEFT_ARRAY_LEN(payloads); i++) {
        call(ws, 3, "demo.echo", payloads[i]);
        expect_error(ws, 3, -32700, NULL);
        still_serves(ws);
    }
    begin(3, WEFT_RPC_BINARY_JSON);
    weft__pb_write_bytes(&one, WEFT_RPC_BINARY_PAYLOAD, weft__slice("[\"\0\"]", 5));
    put_call("demo.echo", 0, 0);
    end_and_send(ws);
    expect_error(ws, 3, -32700, NULL);
    begin(3, 0); /* a payload that is not said to be JSON */
    put(WEFT_RPC_BINARY_PAYLOAD, "[1]");
    put_call("demo.echo", 0, 0);
    end_and_send(ws);
    expect_error(ws, 3, -32700, NULL);
    static const char params[] = "{\"__proto__\":{\"a\":1},\"constructor\":2,\"a\\u0000\":3}";
    call(ws, 3, "demo.echo", params);
    expect_result(ws, 3, params);
    test_ws_close(ws);
}

static void calls_that_are_none_are_invalid_requests(void **state)
{
    (void)state;
    struct test_ws *ws = connect_any();
    static const char *const no_text[] = {"\xff", "sum\xc0\x80", "\xed\xa0\x80"};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(no_text); i++) {
        call(ws, 3, no_text[i], "[1]");
        expect_error(ws, 3, -32600, NULL);
        still_serves(ws);
    }
    call(ws, 3, "sum", "7");
    expect_error(ws, 3, -32600, NULL);
    call(ws, 0, "sum", "[7]");
    expect_error(ws, 0, -32600, NULL);
    call(ws, 2, "sum", "[7]"); /* an id of the server */
    expect_error(ws, 0, -32600, NULL);
    static const char *const insides[] = {
        "\x12\xff\xff\xff\xff\x0fsum", /* a method of 4 GiB */
        "\x12\x04sum",                 /* one that is cut off */
        "\x10\x03",                    /* one that is a number */
        "",                            /* none */
        "\x12\x03sum\x1a\x03sum",      /* a time that is text */
        "\x12\x03sum\x20\x07",         /* a key that is a number */
        "\x12\x03sum\x22\x01\xff",     /* one that is no text */
    };
    for (size_t i = 0; i < WEFT_ARRAY_LEN(insides); i++) {
        begin(3, 0);
        put(WEFT_RPC_BINARY_CALL, insides[i]);
        end_and_send(ws);
        expect_error(ws, 3, -32600, NULL);
        still_serves(ws);
    }
    /* Numbers as on the text wire: up to 2^53 − 1. */
    static const uint64_t times[] = {UINT64_MAX, UINT64_C(1) << 63, UINT64_C(1) << 53};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(times); i++) {
        begin(3, 0);
        put_call("sum", 3, times[i]);
        end_and_send(ws);
        expect_error(ws, 3, -32600, NULL);
    }
    begin(3, WEFT_RPC_BINARY_JSON);
    put(WEFT_RPC_BINARY_PAYLOAD, "[9]");
    put_call("sum", 3, (UINT64_C(1) << 53) - 1);
    end_and_send(ws);
    expect_result(ws, 3, "9");
    still_serves(ws);
    test_ws_close(ws);
}

static void names_of_nothing_are_unimplemented(void **state)
{
    (void)state;
    /* U+202E, right-to-left override. */
    static const char reversed[] = {(char)0xe2, (char)0x80, (char)0xae, 's', 'u', 'm', 0};
    static const char *const names[] = {"\x01",      "sum\n", "__proto__", "constructor",
                                        "$/nothing", "rpc.x", reversed,    long_text};
    struct test_ws *ws = connect_any();
    for (size_t i = 0; i < WEFT_ARRAY_LEN(names); i++) {
        call(ws, 3, names[i], "[1]");
        expect_error(ws, 3, -32601, NULL);
        still_serves(ws);
    }
    test_ws_close(ws);
}

static void ids_in_use_are_refused(void **state)
{
    (void)state;
    struct test_ws *ws = connect_any();
    struct test_ws *other = connect_any();
    call(ws, 7, "demo.sleep", "[30000]");
    call(ws, 7, "sum", "[1]");
    expect_error(ws, 0, -32600, "weft.rpc.duplicate_id");
    begin(7, 0); /* of another connection */
    put(WEFT_RPC_BINARY_CANCEL, "");
    end_and_send(other);
    still_serves(other);
    still_serves(ws);
    begin(7, 0);
    put(WEFT_RPC_BINARY_CANCEL, "");
    end_and_send(ws);
    assert_int_equal(next(ws, WEFT_RPC_KIND_ERROR, 7)->error.number, -32800);
    test_ws_close(ws);
    test_ws_close(other);
}

/* ---- What is ignored ---- */

static void frames_of_nobody_are_ignored(void **state)
{
    (void)state;
    static const uint32_t ids[] = {0, 1, 2, 3, 4294967294, 4294967295};
    struct test_ws *ws = connect_any();
    for (size_t i = 0; i < WEFT_ARRAY_LEN(ids); i++) {
        for (uint32_t field = WEFT_RPC_BINARY_RESULT; field <= WEFT_RPC_BINARY_BODY_MAX; field++) {
            if (field == WEFT_RPC_BINARY_PING)
                continue;
            begin(ids[i], WEFT_RPC_BINARY_JSON);
            put(WEFT_RPC_BINARY_PAYLOAD, "{\"a\":1}");
            if (field == WEFT_RPC_BINARY_CREDIT)
                put_credit(UINT64_MAX, UINT64_MAX);
            else
                put(field, "");
            end_and_send(ws);
        }
        begin(ids[i], WEFT_RPC_BINARY_JSON | WEFT_RPC_BINARY_LAST);
        put(WEFT_RPC_BINARY_PAYLOAD, "1");
        end_and_send(ws);
        begin(ids[i], UINT64_MAX);
        put(WEFT_RPC_BINARY_RESULT, "");
        put(1000, "of a later version");
        weft__pb_write_fixed64(&one, 999, UINT64_MAX);
        end_and_send(ws);
        still_serves(ws);
    }
    test_ws_close(ws);
}

static void credit_that_is_no_total_is_ignored(void **state)
{
    (void)state;
    static const uint64_t odd[] = {UINT64_C(1) << 63, UINT64_MAX, UINT64_C(1) << 53, 0, 15};
    struct test_ws *ws = connect_any();
    call(ws, 3, "demo.count", "[40]");
    for (int i = 0; i < 16; i++)
        (void)next(ws, WEFT_RPC_KIND_ITEM, 3);
    for (size_t i = 0; i < WEFT_ARRAY_LEN(odd); i++) {
        begin(3, 0);
        put_credit(odd[i], odd[i]);
        end_and_send(ws);
        begin(3, 0);
        put_credit(odd[i], 100000);
        end_and_send(ws);
    }
    still_serves(ws);
    begin(3, 0);
    put_credit((UINT64_C(1) << 53) - 1, (UINT64_C(1) << 53) - 1);
    end_and_send(ws);
    for (int i = 0; i < 24; i++)
        (void)next(ws, WEFT_RPC_KIND_ITEM, 3);
    expect_result(ws, 3, "40");
    test_ws_close(ws);
}

/* ---- Afterwards ---- */

static uint64_t memory(void)
{
    return rpc_metric(world->url, "weft_memory_connection_bytes");
}

static void memory_is_given_back(void **state)
{
    (void)state;
    payloads_that_cannot_be_read_are_parse_errors(state);
    uint64_t before = memory();
    for (int i = 0; i < 3; i++) {
        payloads_that_cannot_be_read_are_parse_errors(state);
        items_that_cannot_be_read_close_the_connection(state);
        many_frames_close_the_connection(state);
        names_of_nothing_are_unimplemented(state);
        frames_of_nobody_are_ignored(state);
    }
    uint64_t after = memory();
    for (int i = 0; i < 100 && after > before + MEMORY_SLACK; i++) {
        usleep(20000);
        after = memory();
    }
    if (after > before + MEMORY_SLACK)
        fail_msg("%llu bytes before, %llu after", (unsigned long long)before,
                 (unsigned long long)after);
}

static int start(void **state)
{
    struct weft_server_options options;
    (void)state;
    memset(long_text, '[', LONG);
    test_in_process_options(&options);
    options.workers = 1;
    world = test_in_process_start(&options);
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    weft__bytes_init(&one, weft_alloc_default(), SIZE_MAX);
    weft__bytes_init(&message, weft_alloc_default(), SIZE_MAX);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    test_in_process_free(world);
    weft__arena_done(&arena);
    weft__bytes_done(&one);
    weft__bytes_done(&message);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_that_do_not_add_up_close_the_connection),
        cmocka_unit_test(items_that_cannot_be_read_close_the_connection),
        cmocka_unit_test(nothing_of_a_message_that_closes_takes_effect),
        cmocka_unit_test(many_frames_close_the_connection),
        cmocka_unit_test(credit_items_and_numbers_that_are_violations),
        cmocka_unit_test(payloads_that_cannot_be_read_are_parse_errors),
        cmocka_unit_test(calls_that_are_none_are_invalid_requests),
        cmocka_unit_test(names_of_nothing_are_unimplemented),
        cmocka_unit_test(ids_in_use_are_refused),
        cmocka_unit_test(frames_of_nobody_are_ignored),
        cmocka_unit_test(credit_that_is_no_total_is_ignored),
        cmocka_unit_test(memory_is_given_back),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
