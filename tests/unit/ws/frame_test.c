/* SPDX-License-Identifier: Apache-2.0 */
/* Frame headers, masks and frames in buffers: RFC 6455 §5.2, §5.3, §5.7. */
#include "ws/frame.h"

#include "lib/test.h"

static const uint64_t lengths[] = {0, 1, 125, 126, 127, 128, 65535, 65536, 65537, UINT64_MAX >> 1};

static void every_header_decodes_to_what_was_encoded(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        for (unsigned bits = 0; bits < 512; bits++) {
            struct weft_ws_head head = {.len = lengths[i],
                                        .opcode = bits & 15,
                                        .rsv = (uint8_t)(bits >> 4 & 7),
                                        .fin = (bits & 128) != 0,
                                        .masked = (bits & 256) != 0};
            if (head.masked)
                memcpy(head.mask, "\x01\xfe\x80\x7f", 4);
            uint8_t data[WEFT_WS_HEAD_MAX];
            size_t len = weft__ws_head_encode(&head, data);
            size_t want = (lengths[i] < 126     ? 2u
                           : lengths[i] < 65536 ? 4u
                                                : 10u) +
                          (head.masked ? 4u : 0u);
            assert_int_equal(len, want);
            assert_int_equal(weft__ws_head_len(data[1]), want);
            struct weft_ws_head got;
            for (size_t part = 0; part < len; part++)
                assert_int_equal(weft__ws_head_decode(data, part, &got), 0);
            assert_int_equal(weft__ws_head_decode(data, len, &got), len);
            assert_true(got.len == head.len && got.opcode == head.opcode && got.rsv == head.rsv &&
                        got.fin == head.fin && got.masked == head.masked);
            assert_memory_equal(got.mask, head.mask, 4);
        }
    }
}

static void length_not_in_its_shortest_form_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "81 7e 0000",
        "81 7e 007d",
        "82 fe 0005 01020304",
        "81 7f 0000000000000000",
        "81 7f 000000000000007d",
        "81 7f 000000000000007e",
        "81 7f 000000000000ffff",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        size_t len;
        uint8_t *data = test_hex_decode(bad[i], &len);
        struct weft_ws_head head;
        assert_err((int)weft__ws_head_decode(data, len, &head), WEFT_ERR_PROTOCOL);
        free(data);
    }
}

static void length_with_its_top_bit_set_is_refused(void **state)
{
    (void)state;
    static const uint8_t data[] = {0x82, 0x7f, 0x80, 0, 0, 0, 0, 1, 0, 0};
    struct weft_ws_head head;
    assert_err((int)weft__ws_head_decode(data, sizeof(data), &head), WEFT_ERR_PROTOCOL);
}

/* Lengths from |least| to |most|, by |step|. */
static void check_masks(size_t least, size_t most, size_t step)
{
    enum { SIZE = 1200 };
    static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};
    assert_true(most + 9 <= SIZE);
    uint8_t plain[SIZE];
    for (size_t i = 0; i < sizeof(plain); i++)
        plain[i] = (uint8_t)(i * 7);
    for (size_t start = 0; start < 9; start++) {
        for (size_t len = least; len <= most; len += step) {
            for (uint64_t offset = 0; offset < 5; offset++) {
                uint8_t want[SIZE];
                uint8_t got[SIZE];
                memcpy(want, plain, sizeof(plain));
                for (size_t i = 0; i < len; i++)
                    want[start + i] ^= key[(offset + i) & 3];
                memcpy(got, plain, sizeof(plain));
                weft__ws_mask(got + start, len, key, offset);
                assert_memory_equal(got, want, sizeof(got));
                memcpy(got, plain, sizeof(plain));
                weft__ws_mask_copy(got + start, plain + start, len, key, offset);
                assert_memory_equal(got, want, sizeof(got));
                size_t cut = len / 3;
                weft__ws_mask(got + start, cut, key, offset);
                weft__ws_mask(got + start + cut, len - cut, key, offset + cut);
                assert_memory_equal(got, plain, sizeof(got));
            }
        }
    }
}

static void mask_is_the_same_whole_in_pieces_and_copied(void **state)
{
    (void)state;
    check_masks(0, 300, 1);
    /* Where wide vectors are used, with every rest behind them. */
    check_masks(300, 1190, 37);
}

static void examples_of_rfc_6455_section_5_7(void **state)
{
    (void)state;
    static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};
    struct weft_bytes out;
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    weft__ws_frame_append(&out, WEFT_WS_OPCODE_TEXT, true, WEFT_SLICE_LIT("Hello"), NULL);
    assert_bytes(out.ptr, out.len, "\x81\x05\x48\x65\x6c\x6c\x6f", 7);
    weft__bytes_clear(&out);
    weft__ws_frame_append(&out, WEFT_WS_OPCODE_TEXT, true, WEFT_SLICE_LIT("Hello"), key);
    assert_bytes(out.ptr, out.len, "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11);
    weft__bytes_clear(&out);
    weft__ws_frame_append(&out, WEFT_WS_OPCODE_TEXT, false, WEFT_SLICE_LIT("Hel"), NULL);
    weft__ws_frame_append(&out, WEFT_WS_OPCODE_CONTINUATION, true, WEFT_SLICE_LIT("lo"), NULL);
    assert_bytes(out.ptr, out.len, "\x01\x03\x48\x65\x6c\x80\x02\x6c\x6f", 9);
    weft__bytes_clear(&out);
    weft__ws_frame_append(&out, WEFT_WS_OPCODE_PONG, true, WEFT_SLICE_LIT("Hello"), key);
    assert_bytes(out.ptr, out.len, "\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11);
    weft__bytes_done(&out);
}

/* The frame of |len| bytes of payload made in the three ways there are. */
static void check_all_ways(size_t len, const uint8_t *mask)
{
    static const size_t guesses[] = {0, 125, 126, 65535, 65536, 1 << 20};
    uint8_t *room = malloc(WEFT_WS_HEADROOM + len);
    uint8_t *payload = room + WEFT_WS_HEADROOM;
    for (size_t i = 0; i < len; i++)
        payload[i] = (uint8_t)(i * 31 + 5);
    struct weft_bytes want;
    struct weft_bytes got;
    weft__bytes_init(&want, weft_alloc_default(), SIZE_MAX);
    weft__bytes_init(&got, weft_alloc_default(), SIZE_MAX);
    weft__ws_frame_append(&want, WEFT_WS_OPCODE_BINARY, true, weft__slice(payload, len), mask);
    assert_ok(weft__bytes_error(&want));
    for (size_t i = 0; i < sizeof(guesses) / sizeof(guesses[0]); i++) {
        weft__bytes_clear(&got);
        weft__bytes_append_str(&got, "before");
        size_t at = weft__ws_frame_begin(&got, guesses[i], mask != NULL);
        assert_int_equal(at, 6);
        weft__bytes_append(&got, payload, len);
        weft__ws_frame_finish(&got, at, guesses[i], WEFT_WS_OPCODE_BINARY, true, mask);
        assert_ok(weft__bytes_error(&got));
        assert_bytes(got.ptr + 6, got.len - 6, want.ptr, want.len);
    }
    if (!mask) {
        struct weft_slice frame = weft__ws_frame_seal(payload, len, WEFT_WS_OPCODE_BINARY, true);
        assert_ptr_equal(frame.ptr + frame.len, payload + len);
        assert_bytes(frame.ptr, frame.len, want.ptr, want.len);
    }
    weft__bytes_done(&want);
    weft__bytes_done(&got);
    free(room);
}

static void frame_is_the_same_however_it_is_written(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 125, 126, 127, 65535, 65536, 70000};
    static const uint8_t key[4] = {9, 200, 3, 77};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        check_all_ways(sizes[i], NULL);
        check_all_ways(sizes[i], key);
    }
}

static int write_frames(const struct weft_alloc *alloc, void *ctx)
{
    (void)ctx;
    static const uint8_t payload[300] = {1, 2, 3};
    struct weft_bytes out;
    weft__bytes_init(&out, alloc, SIZE_MAX);
    weft__ws_frame_append(&out, WEFT_WS_OPCODE_TEXT, true, weft__slice(payload, 30), NULL);
    size_t at = weft__ws_frame_begin(&out, 0, true);
    weft__bytes_append(&out, payload, sizeof(payload));
    weft__ws_frame_finish(&out, at, 0, WEFT_WS_OPCODE_BINARY, true, payload);
    int rc = weft__bytes_error(&out);
    weft__bytes_done(&out);
    return rc;
}

static void writing_frames_without_memory_is_reported_once(void **state)
{
    (void)state;
    assert_true(test_each_alloc_failure(write_frames, NULL) >= 2);
}

static void frame_over_the_limit_of_its_buffer_is_refused(void **state)
{
    (void)state;
    struct weft_bytes out;
    weft__bytes_init(&out, weft_alloc_default(), 6);
    weft__ws_frame_append(&out, WEFT_WS_OPCODE_TEXT, true, WEFT_SLICE_LIT("12345"), NULL);
    assert_err(weft__bytes_error(&out), WEFT_ERR_TOO_BIG);
    weft__bytes_done(&out);
}

static void opcodes_have_names(void **state)
{
    (void)state;
    static const char *const names[16] = {"continuation", "text",     "binary",   "reserved",
                                          "reserved",     "reserved", "reserved", "reserved",
                                          "close",        "ping",     "pong",     "reserved",
                                          "reserved",     "reserved", "reserved", "reserved"};
    for (unsigned i = 0; i < 16; i++) {
        assert_string_equal(weft__ws_opcode_name(i), names[i]);
        assert_int_equal(weft__ws_opcode_is_control(i), i >= 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_header_decodes_to_what_was_encoded),
        cmocka_unit_test(length_not_in_its_shortest_form_is_refused),
        cmocka_unit_test(length_with_its_top_bit_set_is_refused),
        cmocka_unit_test(mask_is_the_same_whole_in_pieces_and_copied),
        cmocka_unit_test(examples_of_rfc_6455_section_5_7),
        cmocka_unit_test(frame_is_the_same_however_it_is_written),
        cmocka_unit_test(writing_frames_without_memory_is_reported_once),
        cmocka_unit_test(frame_over_the_limit_of_its_buffer_is_refused),
        cmocka_unit_test(opcodes_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
