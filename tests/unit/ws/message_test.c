/* SPDX-License-Identifier: Apache-2.0 */
/* Messages for many receivers: their frames and their references. */
#include "ws/message.h"

#include "lib/test.h"

static void payload_of_every_length_form_is_found_in_the_frame(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 125, 126, 65535, 65536};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(lengths); i++) {
        struct test_alloc mem;
        test_alloc_init(&mem);
        uint8_t *payload = calloc(1, lengths[i] + 1);
        if (lengths[i])
            payload[0] = payload[lengths[i] - 1] = 0xab;
        struct weft_ws_message *message = weft__ws_message_new(&mem.alloc, WEFT_WS_OPCODE_BINARY,
                                                               weft__slice(payload, lengths[i]));
        assert_non_null(message);
        assert_true(
            weft__slice_eq(weft__ws_message_payload(message), weft__slice(payload, lengths[i])));
        struct weft_ws_head head;
        ptrdiff_t used =
            weft__ws_head_decode(weft__buf_data(message->plain), message->plain->len, &head);
        assert_int_equal((size_t)used + lengths[i], message->plain->len);
        assert_true(head.fin && !head.masked && head.opcode == WEFT_WS_OPCODE_BINARY);
        weft__ws_message_unref(message);
        free(payload);
        test_alloc_done(&mem);
    }
}

static void message_around_a_frame_shares_it(void **state)
{
    (void)state;
    struct test_alloc mem;
    test_alloc_init(&mem);
    struct weft_buf *frame = weft__buf_new_copy(&mem.alloc, weft__slice("\x81\x02hi", 4));
    struct weft_ws_message *message = weft__ws_message_of_frame(&mem.alloc, frame);
    weft__buf_unref(frame);
    assert_ptr_equal(message->plain, frame);
    assert_int_equal(message->opcode, WEFT_WS_OPCODE_TEXT);
    assert_true(weft__slice_eq(weft__ws_message_payload(message), WEFT_SLICE_LIT("hi")));
    weft__ws_message_unref(message);
    weft__ws_message_unref(NULL);
    test_alloc_done(&mem);
}

static void first_deflated_frame_is_kept_for_all(void **state)
{
    (void)state;
    struct test_alloc mem;
    test_alloc_init(&mem);
    struct weft_ws_message *message =
        weft__ws_message_new(&mem.alloc, WEFT_WS_OPCODE_TEXT, WEFT_SLICE_LIT("hello"));
    struct weft_buf *first = weft__buf_new_copy(&mem.alloc, WEFT_SLICE_LIT("\xc1\x01x"));
    struct weft_buf *second = weft__buf_new_copy(&mem.alloc, WEFT_SLICE_LIT("\xc1\x01y"));
    assert_false(weft__ws_message_tried(message));
    weft__ws_message_set_deflated(message, first);
    weft__ws_message_set_deflated(message, second);
    weft__ws_message_set_deflated(message, NULL);
    weft__buf_unref(first);
    weft__buf_unref(second);
    assert_true(weft__ws_message_tried(message));
    assert_ptr_equal(weft__ws_message_deflated(message), first);
    struct weft_ws_message *again = weft__ws_message_ref(message);
    weft__ws_message_unref(message);
    assert_ptr_equal(weft__ws_message_deflated(again), first);
    weft__ws_message_unref(again);
    test_alloc_done(&mem);
}

static void message_that_does_not_compress_is_tried_once(void **state)
{
    (void)state;
    struct test_alloc mem;
    test_alloc_init(&mem);
    struct weft_ws_message *message =
        weft__ws_message_new(&mem.alloc, WEFT_WS_OPCODE_TEXT, WEFT_SLICE_LIT("?"));
    weft__ws_message_set_deflated(message, NULL);
    assert_true(weft__ws_message_tried(message));
    assert_null(weft__ws_message_deflated(message));
    /* Somebody else had more luck, but lengths have been added up meanwhile. */
    struct weft_buf *late = weft__buf_new_copy(&mem.alloc, WEFT_SLICE_LIT("\xc1\x01x"));
    weft__ws_message_set_deflated(message, late);
    weft__buf_unref(late);
    assert_null(weft__ws_message_deflated(message));
    weft__ws_message_unref(message);
    test_alloc_done(&mem);
}

static int make(const struct weft_alloc *alloc, void *ctx)
{
    (void)ctx;
    struct weft_ws_message *message =
        weft__ws_message_new(alloc, WEFT_WS_OPCODE_TEXT, WEFT_SLICE_LIT("hello"));
    weft__ws_message_unref(message);
    return message ? 0 : WEFT_ERR_NOMEM;
}

static void lack_of_memory_leaks_nothing(void **state)
{
    (void)state;
    assert_int_equal(test_each_alloc_failure(make, NULL), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(payload_of_every_length_form_is_found_in_the_frame),
        cmocka_unit_test(message_around_a_frame_shares_it),
        cmocka_unit_test(first_deflated_frame_is_kept_for_all),
        cmocka_unit_test(message_that_does_not_compress_is_tried_once),
        cmocka_unit_test(lack_of_memory_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
