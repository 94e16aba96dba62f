/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages of tests/vectors/binary, which the TypeScript client and protoc check as well: each
 * is decoded and encoded again, to the same bytes or to those that it says mean the same.
 */
#include "lib/file.h"
#include "lib/hex.h"
#include "lib/test.h"

#include "rpc/binary.h"

static struct weft_arena arena;

static int set_up(void **state)
{
    (void)state;
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    weft__arena_done(&arena);
    return 0;
}

/* |text| with a zero behind it; NULL when it is empty. */
static char *string_of(struct weft_slice text)
{
    if (!text.len)
        return NULL;
    char *copy = weft__arena_alloc_array(&arena, text.len + 1, 1);
    assert_non_null(copy);
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return copy;
}

static struct weft_rpc_failure failure_of(const struct weft_rpc_error *e)
{
    bool own_number = e->number != weft_status_jsonrpc(e->status);
    struct weft_rpc_violation *rules =
        weft__arena_alloc_array(&arena, e->violation_count + 1, sizeof(*rules));
    assert_non_null(rules);
    for (size_t i = 0; i < e->violation_count; i++)
        rules[i] = (struct weft_rpc_violation){string_of(e->violations[i].field),
                                               string_of(e->violations[i].rule)};
    return (struct weft_rpc_failure){.status = e->status,
                                     .number = own_number ? (int)e->number : 0,
                                     .message = string_of(e->message),
                                     .reason = string_of(e->reason),
                                     .executed = e->executed,
                                     .retryable = e->retryable,
                                     .retry_after_ms = (uint32_t)e->retry_after_ms,
                                     .violations = rules,
                                     .violation_count = e->violation_count,
                                     .details = weft__json_raw(e->details)};
}

/* Appends |frame|, written anew, to |packed|. */
static void write_again(const struct weft_rpc_frame *frame, struct weft_bytes *packed)
{
    struct weft_rpc_failure failure = {.status = WEFT_STATUS_OK};
    if (frame->kind == WEFT_RPC_KIND_ERROR)
        failure = failure_of(&frame->error);
    struct weft_rpc_head head = {.kind = frame->kind,
                                 .id = frame->id.raw,
                                 .method = frame->method,
                                 .meta = &frame->meta,
                                 .failure = &failure,
                                 .seq = frame->seq,
                                 .ack = frame->ack,
                                 .items_total = frame->items_total,
                                 .bytes_total = frame->bytes_total};
    if (frame->kind == WEFT_RPC_KIND_IGNORED && !frame->ack)
        return;
    if (frame->kind == WEFT_RPC_KIND_IGNORED)
        head = (struct weft_rpc_head){.kind = WEFT_RPC_KIND_ACK, .ack = frame->ack};
    struct weft_slice payload = weft__json_raw(frame->params ? frame->params : frame->value);
    struct weft_bytes out;
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    weft__rpc_binary_begin(&out, &head);
    weft__bytes_append_slice(&out, payload);
    weft__bytes_append_slice(packed, weft__rpc_binary_end(&out, &head));
    assert_ok(weft__bytes_error(&out));
    weft__bytes_done(&out);
}

static void check_same(const char *name, const struct weft_rpc_message *message, const char *want)
{
    struct weft_bytes packed;
    weft__bytes_init(&packed, weft_alloc_default(), SIZE_MAX);
    for (size_t i = 0; i < message->count; i++) {
        if (message->frames[i].kind == WEFT_RPC_KIND_INVALID)
            fail_msg("%s: it cannot be read", name);
        write_again(&message->frames[i], &packed);
    }
    assert_ok(weft__bytes_error(&packed));
    char *got = test_hex_encode(packed.ptr, packed.len);
    if (strcmp(got, want) != 0)
        fail_msg("%s: %s instead of %s", name, got, want);
    free(got);
    weft__bytes_done(&packed);
}

/* Returns whether the message is one to be refused. */
static bool check_line(const struct weft_json *line)
{
    static const struct weft_rpc_decode_options defaults;
    const char *name = string_of(weft__json_string(weft__json_get(line, "name")));
    const char *hex = string_of(weft__json_string(weft__json_get(line, "hex")));
    const struct weft_json *same = weft__json_get(line, "same");
    bool refused = weft__json_get(line, "refused") != NULL;
    size_t len;
    uint8_t *bytes = test_hex_decode(hex ? hex : "", &len);
    struct weft_rpc_message message;
    int err = weft__rpc_binary_decode(weft__slice(bytes, len), &arena, &defaults, &message);
    if (err != (refused ? WEFT_ERR_PROTOCOL : 0))
        fail_msg("%s: %s", name, weft_err_message(err));
    if (!refused) {
        const char *want = same ? string_of(weft__json_string(same)) : hex;
        check_same(name, &message, want ? want : "");
    }
    free(bytes);
    return refused;
}

static void every_message_means_what_it_says(void **state)
{
    (void)state;
    size_t len, lines = 0, refused = 0;
    char *text = test_file_load("vectors/binary/messages.jsonl", &len);
    for (char *at = text; at < text + len; lines++) {
        char *end = strchr(at, '\n');
        const struct weft_json *line;
        assert_non_null(end);
        assert_ok(weft__json_parse(weft__slice(at, (size_t)(end - at)), &arena, NULL, NULL, &line));
        refused += check_line(line);
        weft__arena_reset(&arena);
        at = end + 1;
    }
    free(text);
    assert_true(refused > 30 && lines - refused > 35);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_message_means_what_it_says, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
