/* SPDX-License-Identifier: Apache-2.0 */
/* The binary wire's form: every kind of frame there and back, bytes that stay for ever, and what is
 * refused. */
#include "lib/fault_alloc.h"
#include "lib/random.h"
#include "lib/test.h"

#include "rpc/binary.h"

static struct weft_arena arena;
static struct weft_bytes out;
static const struct weft_rpc_decode_options defaults;

static int set_up(void **state)
{
    (void)state;
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    weft__arena_done(&arena);
    weft__bytes_done(&out);
    return 0;
}

/* Writes a frame with |payload|, JSON or NULL. **Lifetime:** until the next one. */
static struct weft_slice encode(struct weft_rpc_head head, uint32_t id, const char *payload)
{
    static uint8_t raw[4];
    weft__rpc_binary_put_id(id, raw);
    head.id = weft__slice(raw, id ? 4 : 0);
    head.has_payload = payload != NULL;
    weft__bytes_clear(&out);
    weft__rpc_binary_begin(&out, &head);
    if (payload)
        weft__bytes_append_str(&out, payload);
    struct weft_slice message = weft__rpc_binary_end(&out, &head);
    assert_ok(weft__bytes_error(&out));
    return message;
}

static int decode(struct weft_slice message, struct weft_rpc_message *ret_message)
{
    return weft__rpc_binary_decode(message, &arena, &defaults, ret_message);
}

static const struct weft_rpc_frame *decode_one(struct weft_slice message)
{
    struct weft_rpc_message decoded;
    assert_ok(decode(message, &decoded));
    assert_int_equal(decoded.count, 1);
    assert_false(decoded.batch);
    return &decoded.frames[0];
}

static const struct weft_rpc_meta full_meta = {.has_timeout = true,
                                               .timeout_ms = 5000,
                                               .idem = {(const uint8_t *)"key", 3},
                                               .traceparent = {(const uint8_t *)"00-1", 4},
                                               .order = {(const uint8_t *)"room", 4}};

static void calls_keep_all_they_say(void **state)
{
    (void)state;
    const struct weft_rpc_frame *frame =
        decode_one(encode((struct weft_rpc_head){.kind = WEFT_RPC_KIND_CALL,
                                                 .method = WEFT_SLICE_LIT("a.b"),
                                                 .meta = &full_meta,
                                                 .seq = 7,
                                                 .ack = 300},
                          0xfffffffd, "{\"x\":[1]}"));
    assert_int_equal(frame->kind, WEFT_RPC_KIND_CALL);
    assert_int_equal(weft__rpc_binary_id(frame->id.raw), 0xfffffffd);
    assert_true(weft__slice_eq_str(frame->method, "a.b"));
    assert_true(weft__slice_eq_str(weft__json_raw(frame->params), "{\"x\":[1]}"));
    assert_true(frame->meta.has_timeout && !frame->meta.malformed);
    assert_int_equal(frame->meta.timeout_ms, 5000);
    assert_true(weft__slice_eq_str(frame->meta.idem, "key"));
    assert_true(weft__slice_eq_str(frame->meta.traceparent, "00-1"));
    assert_true(weft__slice_eq_str(frame->meta.order, "room"));
    assert_int_equal(frame->seq, 7);
    assert_int_equal(frame->ack, 300);
}

static void a_timeout_of_0_is_one(void **state)
{
    (void)state;
    const struct weft_rpc_meta meta = {.has_timeout = true};
    const struct weft_rpc_frame *frame = decode_one(encode(
        (struct weft_rpc_head){
            .kind = WEFT_RPC_KIND_CALL, .method = WEFT_SLICE_LIT("m"), .meta = &meta},
        1, NULL));
    assert_true(frame->meta.has_timeout);
    assert_int_equal(frame->meta.timeout_ms, 0);
    assert_null(frame->params);
}

static void every_other_kind_comes_back(void **state)
{
    (void)state;
    static const enum weft_rpc_kind kinds[] = {
        WEFT_RPC_KIND_RESULT, WEFT_RPC_KIND_ITEM,   WEFT_RPC_KIND_END,
        WEFT_RPC_KIND_CANCEL, WEFT_RPC_KIND_CREDIT, WEFT_RPC_KIND_NOTIFY,
        WEFT_RPC_KIND_PING,   WEFT_RPC_KIND_PONG,   WEFT_RPC_KIND_ACK};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(kinds); i++) {
        bool payload = kinds[i] == WEFT_RPC_KIND_RESULT || kinds[i] == WEFT_RPC_KIND_ITEM;
        bool about = i < 5;
        const struct weft_rpc_frame *frame =
            decode_one(encode((struct weft_rpc_head){.kind = kinds[i],
                                                     .method = WEFT_SLICE_LIT("n"),
                                                     .ack = 9,
                                                     .items_total = (UINT64_C(1) << 53) - 1,
                                                     .bytes_total = 1},
                              about ? 6 : 0, payload ? "\"v\"" : NULL));
        assert_int_equal(frame->kind, kinds[i]);
        assert_int_equal(frame->ack, 9);
        assert_int_equal(weft__rpc_binary_id(frame->id.raw), about ? 6 : 0);
        if (payload)
            assert_true(weft__json_string_is(frame->value, "v"));
        if (kinds[i] == WEFT_RPC_KIND_CREDIT)
            assert_true(frame->items_total == (UINT64_C(1) << 53) - 1 && frame->bytes_total == 1);
    }
}

static void numbers_that_the_text_wire_cannot_say_are_refused(void **state)
{
    (void)state;
    static const uint64_t numbers[] = {UINT64_C(1) << 53, UINT64_C(1) << 63, UINT64_MAX};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(numbers); i++) {
        struct weft_rpc_head credit = {
            .kind = WEFT_RPC_KIND_CREDIT, .items_total = numbers[i], .bytes_total = 1};
        assert_int_equal(decode_one(encode(credit, 3, NULL))->kind, WEFT_RPC_KIND_IGNORED);
        credit = (struct weft_rpc_head){
            .kind = WEFT_RPC_KIND_CREDIT, .items_total = 1, .bytes_total = numbers[i]};
        assert_int_equal(decode_one(encode(credit, 3, NULL))->kind, WEFT_RPC_KIND_IGNORED);
        const struct weft_rpc_meta meta = {.has_timeout = true, .timeout_ms = numbers[i]};
        assert_true(decode_one(encode((struct weft_rpc_head){.kind = WEFT_RPC_KIND_CALL,
                                                             .method = WEFT_SLICE_LIT("m"),
                                                             .meta = &meta},
                                      1, NULL))
                        ->meta.malformed);
    }
}

static void errors_keep_all_they_say(void **state)
{
    (void)state;
    static const struct weft_rpc_violation rules[] = {{"a", "b"}, {"", "\xc3\xa9"}};
    static const struct weft_rpc_failure failure = {.status = WEFT_STATUS_UNAVAILABLE,
                                                    .number = -32600,
                                                    .message = "m",
                                                    .reason = "weft.x",
                                                    .executed = WEFT_RPC_EXECUTED_YES,
                                                    .retry_after_ms = 70000,
                                                    .violations = rules,
                                                    .violation_count = 2,
                                                    .details = {(const uint8_t *)"[{}]", 4}};
    const struct weft_rpc_error *e =
        &decode_one(encode((struct weft_rpc_head){.kind = WEFT_RPC_KIND_ERROR, .failure = &failure},
                           5, NULL))
             ->error;
    assert_int_equal(e->status, WEFT_STATUS_UNAVAILABLE);
    assert_int_equal(e->number, -32600);
    assert_true(weft__slice_eq_str(e->message, "m") && weft__slice_eq_str(e->reason, "weft.x"));
    assert_int_equal(e->executed, WEFT_RPC_EXECUTED_YES);
    assert_true(e->retryable);
    assert_int_equal(e->retry_after_ms, 70000);
    assert_int_equal(e->violation_count, 2);
    assert_true(weft__slice_eq_str(e->violations[1].rule, "\xc3\xa9"));
    assert_true(weft__slice_eq_str(weft__json_raw(e->details), "[{}]"));
}

/* Formats are for ever. */
static void these_bytes_stay(void **state)
{
    (void)state;
    static const uint8_t call[] = {0x13, 0x08, 0x01, 0x10, 0x08, 0x2a, 0x03, '[',  '1',  ']',
                                   0x32, 0x08, 0x12, 0x03, 's',  'u',  'm',  0x18, 0x88, 0x27};
    static const uint8_t item[] = {0x0b, 0x08, 0x03, 0x10, 0x08, 0x18,
                                   0x05, 0x2a, 0x03, '1',  '2',  '3'};
    static const uint8_t error[] = {0x21, 0x08, 0x05, 0x42, 0x1d, 0x08, 0x05, 0x12, 0x01,
                                    'm',  0x1a, 0x01, 'r',  0x20, 0x01, 0x28, 0x07, 0x30,
                                    0x01, 0x3a, 0x06, 0x0a, 0x01, 'f',  0x12, 0x01, 'x',
                                    0x42, 0x01, '1',  0x48, 0xaf, 0xfd, 0x03};
    static const uint8_t credit[] = {0x09, 0x08, 0x05, 0x62, 0x05, 0x08, 0x30, 0x10, 0x80, 0x08};
    static const uint8_t result[] = {0x09, 0x08, 0x05, 0x10, 0x08, 0x2a, 0x01, '1', 0x3a, 0x00};
    static const struct weft_rpc_violation rule = {"f", "x"};
    static const struct weft_rpc_failure failure = {.status = WEFT_STATUS_NOT_FOUND,
                                                    .number = -32600,
                                                    .message = "m",
                                                    .reason = "r",
                                                    .retryable = true,
                                                    .retry_after_ms = 7,
                                                    .violations = &rule,
                                                    .violation_count = 1,
                                                    .details = {(const uint8_t *)"1", 1}};
    static const uint8_t ping[] = {0x03, 0xaa, 0x01, 0x00};
    const struct weft_rpc_meta meta = {.has_timeout = true, .timeout_ms = 5000};
    struct weft_slice got = encode((struct weft_rpc_head){.kind = WEFT_RPC_KIND_CALL,
                                                          .method = WEFT_SLICE_LIT("sum"),
                                                          .meta = &meta},
                                   1, "[1]");
    assert_bytes(got.ptr, got.len, call, sizeof(call));
    got = encode((struct weft_rpc_head){.kind = WEFT_RPC_KIND_ITEM, .seq = 5}, 3, "123");
    assert_bytes(got.ptr, got.len, item, sizeof(item));
    got = encode((struct weft_rpc_head){.kind = WEFT_RPC_KIND_ERROR, .failure = &failure}, 5, NULL);
    assert_bytes(got.ptr, got.len, error, sizeof(error));
    got = encode((struct weft_rpc_head){.kind = WEFT_RPC_KIND_CREDIT,
                                        .items_total = 48,
                                        .bytes_total = 1024},
                 5, NULL);
    assert_bytes(got.ptr, got.len, credit, sizeof(credit));
    got = encode((struct weft_rpc_head){.kind = WEFT_RPC_KIND_RESULT}, 5, "1");
    assert_bytes(got.ptr, got.len, result, sizeof(result));
    got = encode((struct weft_rpc_head){.kind = WEFT_RPC_KIND_PING}, 0, NULL);
    assert_bytes(got.ptr, got.len, ping, sizeof(ping));
}

static void an_item_costs_at_most_ten_bytes(void **state)
{
    (void)state;
    struct weft_slice got =
        encode((struct weft_rpc_head){.kind = WEFT_RPC_KIND_ITEM, .seq = 100}, 101, "\"0123456\"");
    assert_in_range(got.len - 9, 1, 10);
}

static void several_frames_come_in_order_and_numbers_count_on(void **state)
{
    (void)state;
    struct weft_bytes packed;
    struct weft_rpc_message message;
    weft__bytes_init(&packed, weft_alloc_default(), SIZE_MAX);
    for (uint32_t i = 0; i < 5; i++)
        weft__bytes_append_slice(&packed,
                                 encode((struct weft_rpc_head){.kind = i == 2 ? WEFT_RPC_KIND_CREDIT
                                                                              : WEFT_RPC_KIND_ITEM,
                                                               .seq = i == 0 ? 50 : 0},
                                        2 * i + 1, i == 2 ? NULL : "0"));
    assert_ok(decode(weft__bytes_slice(&packed), &message));
    static const uint64_t want[] = {50, 51, 0, 52, 53};
    assert_int_equal(message.count, 5);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(weft__rpc_binary_id(message.frames[i].id.raw), 2 * i + 1);
        assert_int_equal(message.frames[i].seq, want[i]);
    }
    weft__bytes_done(&packed);
}

static void a_last_item_brings_its_end(void **state)
{
    (void)state;
    static const uint8_t last[] = {0x08, 0x08, 0x03, 0x10, 0x0a, 0x2a, 0x02, '1', '2'};
    struct weft_rpc_message message;
    assert_ok(decode(weft__slice(last, sizeof(last)), &message));
    assert_int_equal(message.count, 2);
    assert_int_equal(message.frames[0].kind, WEFT_RPC_KIND_ITEM);
    assert_int_equal(message.frames[1].kind, WEFT_RPC_KIND_END);
    assert_int_equal(weft__rpc_binary_id(message.frames[1].id.raw), 3);
}

static void calls_that_cannot_be_read_are_answered(void **state)
{
    (void)state;
    static const struct {
        const char *params;
        const char *method;
        uint32_t id;
        int number;
    } cases[] = {
        {"[1", "m", 1, WEFT_RPC_PARSE_ERROR},
        {"7", "m", 1, WEFT_RPC_INVALID_REQUEST},
        {"[]", "m", 0, WEFT_RPC_INVALID_REQUEST},
        {"{\"a\":1,\"a\":2}", "m", 1, WEFT_RPC_PARSE_ERROR},
        {"[\"\xff\"]", "m", 1, WEFT_RPC_PARSE_ERROR},
    };
    for (size_t i = 0; i < WEFT_ARRAY_LEN(cases); i++) {
        const struct weft_rpc_frame *frame =
            decode_one(encode((struct weft_rpc_head){.kind = WEFT_RPC_KIND_CALL,
                                                     .method = weft__slice_str(cases[i].method)},
                              cases[i].id, cases[i].params));
        assert_int_equal(frame->kind, WEFT_RPC_KIND_INVALID);
        assert_int_equal(frame->failure.number, cases[i].number);
        assert_int_equal(weft__rpc_binary_id(frame->id.raw), cases[i].id);
    }
    assert_null(decode_one(encode((struct weft_rpc_head){.kind = WEFT_RPC_KIND_CALL,
                                                         .method = WEFT_SLICE_LIT("m")},
                                  1, "null"))
                    ->params);
}

static void a_method_that_is_no_text_is_an_invalid_request(void **state)
{
    (void)state;
    static const uint8_t call[] = {0x07, 0x08, 0x01, 0x32, 0x03, 0x12, 0x01, 0xff};
    const struct weft_rpc_frame *frame = decode_one(weft__slice(call, sizeof(call)));
    assert_int_equal(frame->kind, WEFT_RPC_KIND_INVALID);
    assert_int_equal(frame->failure.number, WEFT_RPC_INVALID_REQUEST);
    assert_int_equal(weft__rpc_binary_id(frame->id.raw), 1);
}

static int error_of(struct weft_rpc_head head)
{
    weft__bytes_clear(&out);
    weft__rpc_binary_begin(&out, &head);
    struct weft_slice message = weft__rpc_binary_end(&out, &head);
    assert_int_equal(message.len, 0);
    return weft__bytes_error(&out);
}

static void what_is_no_text_is_never_written(void **state)
{
    (void)state;
    static const struct weft_rpc_violation rule = {"a", "\xc3"};
    static const struct weft_rpc_failure failures[] = {
        {.status = WEFT_STATUS_ABORTED, .message = "\xff"},
        {.status = WEFT_STATUS_ABORTED, .reason = "\xed\xa0\x80"},
        {.status = WEFT_STATUS_ABORTED, .violations = &rule, .violation_count = 1}};
    const struct weft_rpc_meta meta = {.order = WEFT_SLICE_LIT("\xff")};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(failures); i++)
        assert_err(
            error_of((struct weft_rpc_head){.kind = WEFT_RPC_KIND_ERROR, .failure = &failures[i]}),
            WEFT_ERR_UTF8);
    assert_err(error_of((struct weft_rpc_head){.kind = WEFT_RPC_KIND_NOTIFY,
                                               .method = WEFT_SLICE_LIT("\xff")}),
               WEFT_ERR_UTF8);
    assert_err(error_of((struct weft_rpc_head){
                   .kind = WEFT_RPC_KIND_NOTIFY, .method = WEFT_SLICE_LIT("m"), .meta = &meta}),
               WEFT_ERR_UTF8);
}

static void nesting_without_end_is_a_parse_error(void **state)
{
    (void)state;
    enum { DEEP = 100000 };
    char *text = malloc(DEEP + 1);
    assert_non_null(text);
    memset(text, '[', DEEP);
    text[DEEP] = '\0';
    const struct weft_rpc_frame *frame = decode_one(
        encode((struct weft_rpc_head){.kind = WEFT_RPC_KIND_CALL, .method = WEFT_SLICE_LIT("m")}, 1,
               text));
    free(text);
    assert_int_equal(frame->failure.number, WEFT_RPC_PARSE_ERROR);
}

static void answers_that_cannot_be_read_are_data_loss(void **state)
{
    (void)state;
    const struct weft_rpc_frame *frame =
        decode_one(encode((struct weft_rpc_head){.kind = WEFT_RPC_KIND_RESULT}, 1, "[1"));
    assert_int_equal(frame->kind, WEFT_RPC_KIND_ERROR);
    assert_int_equal(frame->error.status, WEFT_STATUS_DATA_LOSS);
}

static void what_has_no_meaning_is_refused(void **state)
{
    (void)state;
    static const struct {
        size_t len;
        uint8_t bytes[16];
    } bad[] = {
        {0, {0}},                                  /* nothing */
        {1, {0}},                                  /* a frame of length 0 */
        {2, {5, 8}},                               /* shorter than it says */
        {5, {0xff, 0xff, 0xff, 0xff, 0x0f}},       /* 4 GiB */
        {6, {0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}}, /* a length of more bytes */
        {7, {6, 8, 0xff, 0xff, 0xff, 0xff, 0x1f}}, /* an id of 33 bits */
        {12, {11, 8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}}, /* of 64 */
        {4, {3, 0x0a, 1, 0}},                                                   /* an id of bytes */
        {3, {2, 0x28, 0}},                /* a payload that is a number */
        {4, {3, 0x2a, 1, '1'}},           /* an item that is not said to be JSON */
        {6, {5, 0x10, 8, 0x2a, 1, '['}},  /* an item that is no JSON */
        {6, {5, 0x10, 12, 0x2a, 1, '1'}}, /* a compressed one */
        {3, {2, 0x0b, 8}},                /* a group */
        {5, {4, 0x62, 2, 0x0a, 0}},       /* credit of bytes */
    };
    for (size_t i = 0; i < WEFT_ARRAY_LEN(bad); i++) {
        struct weft_rpc_message message;
        if (decode(weft__slice(bad[i].bytes, bad[i].len), &message) != WEFT_ERR_PROTOCOL)
            fail_msg("case %zu was not refused", i);
    }
}

static void later_versions_are_understood_as_far_as_possible(void **state)
{
    (void)state;
    static const uint8_t unknown_body[] = {0x03, 0x6a, 0x01, 'x'};
    static const uint8_t unknown_field[] = {0x0a, 0x08, 0x01, 0x5a, 0x00, 0xc0,
                                            0x3e, 0x01, 0xd0, 0x3e, 0x01};
    assert_int_equal(decode_one(weft__slice(unknown_body, sizeof(unknown_body)))->kind,
                     WEFT_RPC_KIND_IGNORED);
    assert_int_equal(decode_one(weft__slice(unknown_field, sizeof(unknown_field)))->kind,
                     WEFT_RPC_KIND_CANCEL);
}

static void too_many_frames_are_refused_before_memory_is_taken(void **state)
{
    (void)state;
    uint8_t many[4 * (WEFT_RPC_BATCH_MAX + 1)];
    struct weft_rpc_message message;
    for (size_t i = 0; i < sizeof(many); i += 4)
        memcpy(many + i, "\x03\xaa\x01\x00", 4);
    assert_ok(decode(weft__slice(many, sizeof(many) - 4), &message));
    assert_int_equal(message.count, WEFT_RPC_BATCH_MAX);
    assert_err(decode(weft__slice(many, sizeof(many)), &message), WEFT_ERR_PROTOCOL);
}

static void every_truncation_and_mutation_is_survived(void **state)
{
    (void)state;
    struct test_random rng;
    test_random_init(&rng, "binary_test");
    struct weft_slice whole = encode((struct weft_rpc_head){.kind = WEFT_RPC_KIND_CALL,
                                                            .method = WEFT_SLICE_LIT("a.b"),
                                                            .meta = &full_meta,
                                                            .seq = 7},
                                     9, "{\"x\":[1,\"\\u00e9\"]}");
    for (size_t len = 0; len < whole.len; len++) {
        struct weft_rpc_message message;
        uint8_t *exact = malloc(len ? len : 1);
        assert_non_null(exact);
        memcpy(exact, whole.ptr, len);
        assert_err(decode(weft__slice(exact, len), &message), WEFT_ERR_PROTOCOL);
        free(exact);
    }
    for (int turn = 0; turn < 20000; turn++) {
        struct weft_rpc_message message;
        uint8_t *copy = malloc(whole.len);
        assert_non_null(copy);
        memcpy(copy, whole.ptr, whole.len);
        for (uint64_t n = test_random_below(&rng, 4) + 1; n-- > 0;)
            copy[test_random_below(&rng, whole.len)] = (uint8_t)test_random_below(&rng, 256);
        int err = decode(weft__slice(copy, whole.len), &message);
        assert_true(err == 0 || err == WEFT_ERR_PROTOCOL);
        free(copy);
        weft__arena_reset(&arena);
    }
}

static void ids_go_round_without_0(void **state)
{
    (void)state;
    static const struct {
        uint64_t number;
        uint32_t client, server;
    } cases[] = {{1, 1, 2},
                 {2, 3, 4},
                 {0x7fffffff, 0xfffffffd, 0xfffffffe},
                 {0x80000000, 1, 2},
                 {UINT64_C(0x7fffffff) * 5 + 3, 5, 6}};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(cases); i++) {
        uint8_t raw[WEFT_RPC_OWN_ID_MAX];
        assert_int_equal(weft__rpc_wire_binary.write_id(cases[i].number, false, raw), 4);
        assert_int_equal(weft__rpc_binary_id(weft__slice(raw, 4)), cases[i].client);
        assert_false(weft__rpc_wire_binary.is_server_id(weft__slice(raw, 4)));
        (void)weft__rpc_wire_binary.write_id(cases[i].number, true, raw);
        assert_int_equal(weft__rpc_binary_id(weft__slice(raw, 4)), cases[i].server);
        assert_true(weft__rpc_wire_binary.is_server_id(weft__slice(raw, 4)));
    }
}

static int encode_and_decode(const struct weft_alloc *alloc, void *ctx)
{
    static const struct weft_rpc_violation rule = {"field", "rule"};
    static const struct weft_rpc_failure failure = {.status = WEFT_STATUS_ABORTED,
                                                    .violations = &rule,
                                                    .violation_count = 1,
                                                    .details = {(const uint8_t *)"[1]", 3}};
    const struct weft_rpc_head head = {
        .kind = WEFT_RPC_KIND_ERROR, .id = {(const uint8_t *)"\1\0\0", 4}, .failure = &failure};
    struct weft_bytes bytes;
    struct weft_arena small;
    struct weft_rpc_message message;
    (void)ctx;
    weft__bytes_init(&bytes, alloc, SIZE_MAX);
    weft__arena_init(&small, alloc, SIZE_MAX);
    weft__rpc_binary_begin(&bytes, &head);
    struct weft_slice encoded = weft__rpc_binary_end(&bytes, &head);
    int err = weft__bytes_error(&bytes);
    if (!err)
        err = weft__rpc_binary_decode(encoded, &small, &defaults, &message);
    weft__arena_done(&small);
    weft__bytes_done(&bytes);
    return err;
}

static void lack_of_memory_leaks_nothing(void **state)
{
    (void)state;
    assert_true(test_each_alloc_failure(encode_and_decode, NULL) >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(calls_keep_all_they_say, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_timeout_of_0_is_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_other_kind_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(numbers_that_the_text_wire_cannot_say_are_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(errors_keep_all_they_say, set_up, tear_down),
        cmocka_unit_test_setup_teardown(these_bytes_stay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_item_costs_at_most_ten_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(several_frames_come_in_order_and_numbers_count_on, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_last_item_brings_its_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(calls_that_cannot_be_read_are_answered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_method_that_is_no_text_is_an_invalid_request, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_text_is_never_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nesting_without_end_is_a_parse_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(answers_that_cannot_be_read_are_data_loss, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_has_no_meaning_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(later_versions_are_understood_as_far_as_possible, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(too_many_frames_are_refused_before_memory_is_taken, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(every_truncation_and_mutation_is_survived, set_up,
                                        tear_down),
        cmocka_unit_test(ids_go_round_without_0),
        cmocka_unit_test(lack_of_memory_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
