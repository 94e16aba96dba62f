/* SPDX-License-Identifier: Apache-2.0 */
/* Segments of the log: operations come back as they were, damage is noticed, and a day of typing
 * takes about a byte a character. */
#include "hub/log_reader.h"
#include "hub/segment.h"

#include "codec/json.h"
#include "hub/sealed.h"
#include "hub/segment_shape.h"
#include "lib/test.h"

static const char epoch[] = "0123456789abcdef";

static struct weft_slice str(const char *text)
{
    return weft__slice_str(text);
}

/* Operations of each shape, of none, and such that nearly have one. */
static const char *const OPS[] = {
    "[\"a\"]",
    "[1,\"b\"]",
    "[7,{\"d\":1}]",
    "[6,{\"d\":1}]",
    "[{\"d\":2},\"x\"]",
    "[\"x\",{\"d\":2}]",
    "[12,{\"d\":3},\"\\\"q\\\\\"]",
    "[12,\"\xc3\xa9\\n\\u00e9\",{\"d\":3}]",
    "[999999999999999,\"far\"]",
    "[9999999999999999,\"too far\"]",
    "[3,\"a\",4,\"b\"]",
    "[3,{\"d\":\"abc\"}]",
    "[]",
    "",
    "[03,\"a\"]",
    "[3,\"\"]",
    "[3,{\"d\":0}]",
    "[3,\"a\"",
    "[3,\"a]",
    "[3,\"a\\",
    "[3,\"a\"] ",
    "[{\"insert\":\"x\",\"attributes\":{\"bold\":true}}]",
    "{\"p\":[\"k\"],\"i\":1}",
};

enum { OP_COUNT = sizeof(OPS) / sizeof(OPS[0]) };

static struct weft_record_op op_at(size_t i)
{
    static const char *const clients[] = {"ada-laptop", "bob", "", "ada-phone"};
    static const char *const principals[] = {"ada", "bob", "", "ada"};
    size_t author = i / 3 % 4;
    return (struct weft_record_op){
        .client = str(clients[author]),
        .seq = author == 2 ? 0 : i * i % 1000 + 1,
        .principal = str(principals[i == 5 ? 0 : author]),
        .base = i % 7 == 0 ? UINT64_MAX - i : 41 + i / 2,
        .hash = i * 0x9e3779b97f4a7c15u,
        .flags = i % 5 == 0 ? i : 0,
        .op = str(OPS[i % OP_COUNT]),
    };
}

static uint64_t time_at(size_t i)
{
    return 1700000000000 + i * i * 37 - (i % 11 == 3 ? 5000 : 0);
}

static int write_some(struct weft_bytes *b, size_t count)
{
    struct weft_segment_writer writer;
    weft__segment_begin(&writer, b->alloc, str(epoch), 41);
    for (size_t i = 0; i < count; i++) {
        struct weft_record_op op = op_at(i);
        weft__segment_add(&writer, &op, time_at(i));
    }
    int err = weft__segment_finish(&writer, b);
    weft__segment_done(&writer);
    return err;
}

/* Reads all operations; 0 when every column was right to its end. */
static int walk(const struct weft_alloc *alloc, struct weft_slice input, uint64_t *ret_count)
{
    struct weft_segment_reader reader;
    struct weft_record_head head;
    struct weft_record_op op;
    uint64_t time_ms;
    int err = weft__segment_open(&reader, alloc, input, &head);
    if (err)
        return err;
    *ret_count = 0;
    while ((err = weft__segment_next(&reader, &op, &time_ms)) > 0)
        ++*ret_count;
    weft__segment_close(&reader);
    return err;
}

static void assert_comes_back(size_t count)
{
    struct test_alloc mem;
    struct weft_bytes b;
    struct weft_segment_reader reader;
    struct weft_record_head head;
    struct weft_record_op op;
    uint64_t time_ms;
    test_alloc_init(&mem);
    weft__bytes_init(&b, &mem.alloc, SIZE_MAX);
    assert_ok(write_some(&b, count));
    assert_ok(weft__segment_open(&reader, &mem.alloc, weft__bytes_slice(&b), &head));
    assert_true(weft__slice_eq_str(head.epoch, epoch));
    assert_int_equal(head.first, 41);
    for (size_t i = 0; i < count; i++) {
        struct weft_record_op want = op_at(i);
        assert_int_equal(weft__segment_next(&reader, &op, &time_ms), 1);
        assert_true(weft__slice_eq(op.client, want.client));
        assert_true(weft__slice_eq(op.principal, want.principal));
        assert_true(weft__slice_eq(op.op, want.op));
        assert_true(op.seq == want.seq && op.base == want.base && op.flags == want.flags);
        assert_true(time_ms == time_at(i));
        assert_true(op.hash == want.hash || op.hash == 0);
    }
    assert_int_equal(weft__segment_next(&reader, &op, &time_ms), 0);
    weft__segment_close(&reader);
    weft__bytes_done(&b);
    test_alloc_done(&mem);
}

static void operations_come_back_as_they_were(void **state)
{
    (void)state;
    for (size_t count = 1; count <= 3 * OP_COUNT; count++)
        assert_comes_back(count);
    assert_comes_back(20000);
}

static void the_hash_of_each_authors_last_operation_is_kept(void **state)
{
    (void)state;
    struct weft_bytes b;
    struct weft_segment_reader reader;
    struct weft_record_head head;
    struct weft_record_op op;
    uint64_t time_ms;
    weft__bytes_init(&b, weft_alloc_default(), SIZE_MAX);
    assert_ok(write_some(&b, 24));
    assert_ok(weft__segment_open(&reader, weft_alloc_default(), weft__bytes_slice(&b), &head));
    for (size_t i = 0; i < 24; i++) {
        assert_int_equal(weft__segment_next(&reader, &op, &time_ms), 1);
        /* The authors take turns of three; operation 5 is the only one of its own. */
        bool last = i == 5 || i == 14 || i == 17 || i == 20 || i == 23;
        assert_true(op.hash == (last ? op_at(i).hash : 0));
    }
    weft__segment_close(&reader);
    weft__bytes_done(&b);
}

static void every_shape_is_written_as_it_was_read(void **state)
{
    (void)state;
    struct weft_bytes b;
    unsigned known = 0;
    weft__bytes_init(&b, weft_alloc_default(), SIZE_MAX);
    for (size_t i = 0; i < OP_COUNT; i++) {
        struct weft_shape shape = weft__shape_of(str(OPS[i]));
        if (shape.kind == WEFT_SHAPE_OTHER)
            continue;
        known++;
        weft__bytes_clear(&b);
        weft__shape_write(&b, &shape);
        assert_true(weft__slice_eq_str(weft__bytes_slice(&b), OPS[i]));
    }
    assert_int_equal(known, 9);
    weft__bytes_done(&b);
}

static void every_flipped_bit_and_every_cut_is_noticed(void **state)
{
    (void)state;
    struct weft_bytes b;
    uint64_t count;
    weft__bytes_init(&b, weft_alloc_default(), SIZE_MAX);
    assert_ok(write_some(&b, 60));
    for (size_t bit = 0; bit < b.len * 8; bit++) {
        b.ptr[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_true(walk(weft_alloc_default(), weft__bytes_slice(&b), &count) < 0);
        b.ptr[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t len = 0; len < b.len; len++)
        assert_true(walk(weft_alloc_default(), weft__slice(b.ptr, len), &count) < 0);
    assert_ok(walk(weft_alloc_default(), weft__bytes_slice(&b), &count));
    assert_int_equal(count, 60);
    weft__bytes_done(&b);
}

/* Damage under a right checksum: whatever it is, it ends in an error or in operations. */
static void damage_with_a_right_checksum_ends_cleanly(void **state)
{
    (void)state;
    struct test_random rng;
    struct weft_bytes good;
    struct weft_bytes bad;
    uint64_t count;
    test_random_init(&rng, "segment damage");
    weft__bytes_init(&good, weft_alloc_default(), SIZE_MAX);
    weft__bytes_init(&bad, weft_alloc_default(), SIZE_MAX);
    assert_ok(write_some(&good, 200));
    for (unsigned run = 0; run < 20000; run++) {
        struct test_alloc mem;
        weft__bytes_clear(&bad);
        weft__bytes_append(&bad, good.ptr,
                           test_random_one_in(&rng, 4) ? test_random_size(&rng, 5, good.len)
                                                       : good.len);
        for (uint64_t flips = test_random_below(&rng, 4); flips > 0 && bad.len > 5; flips--)
            bad.ptr[test_random_size(&rng, 5, bad.len - 1)] ^=
                (uint8_t)(1u << test_random_below(&rng, 8));
        assert_ok(weft__sealed_finish(&bad));
        test_alloc_init(&mem);
        int err = walk(&mem.alloc, weft__bytes_slice(&bad), &count);
        assert_true(err == 0 || err == WEFT_ERR_CORRUPT);
        assert_true(mem.peak_bytes < 80 * 1024 * 1024);
        test_alloc_done(&mem);
    }
    weft__bytes_done(&good);
    weft__bytes_done(&bad);
}

static void a_newer_format_is_unsupported_and_unknown_fields_are_skipped(void **state)
{
    (void)state;
    struct weft_bytes b;
    uint64_t count;
    weft__bytes_init(&b, weft_alloc_default(), SIZE_MAX);
    assert_ok(write_some(&b, 10));
    weft__pb_write_varint(&b, 900, 7);
    weft__pb_write_bytes(&b, 901, str("later"));
    weft__pb_write_bytes(&b, 4, str("\x08\x63\x12\x01x")); /* column 99 */
    assert_ok(weft__sealed_finish(&b));
    assert_ok(walk(weft_alloc_default(), weft__bytes_slice(&b), &count));
    assert_int_equal(count, 10);
    b.ptr[0] = WEFT_SEGMENT_FORMAT + 1;
    assert_err(walk(weft_alloc_default(), weft__bytes_slice(&b), &count), WEFT_ERR_UNSUPPORTED);
    b.ptr[0] = WEFT_RECORD_FORMAT;
    assert_err(walk(weft_alloc_default(), weft__bytes_slice(&b), &count), WEFT_ERR_CORRUPT);
    weft__bytes_done(&b);
}

static void what_fits_no_segment_is_refused(void **state)
{
    (void)state;
    struct weft_bytes b;
    struct weft_segment_writer writer;
    struct weft_record_op op = op_at(0);
    char name[257];
    weft__bytes_init(&b, weft_alloc_default(), SIZE_MAX);
    assert_err(write_some(&b, 0), WEFT_ERR_USAGE);
    assert_err(write_some(&b, WEFT_SEGMENT_OPS_MAX + 1), WEFT_ERR_TOO_BIG);
    memset(name, 'n', sizeof(name));
    op.client = weft__slice(name, 256);
    weft__segment_begin(&writer, weft_alloc_default(), str(epoch), 0);
    weft__segment_add(&writer, &op, 1);
    assert_err(weft__segment_finish(&writer, &b), WEFT_ERR_USAGE);
    weft__segment_done(&writer);
    weft__segment_begin(&writer, weft_alloc_default(), str("short"), 0);
    assert_err(weft__segment_finish(&writer, &b), WEFT_ERR_USAGE);
    weft__segment_done(&writer);
    weft__bytes_done(&b);
}

static int write_and_walk(const struct weft_alloc *alloc, void *ctx)
{
    struct weft_bytes b;
    uint64_t count;
    (void)ctx;
    weft__bytes_init(&b, alloc, SIZE_MAX);
    int err = write_some(&b, 100);
    if (!err)
        err = walk(alloc, weft__bytes_slice(&b), &count);
    weft__bytes_done(&b);
    return err;
}

static void out_of_memory_is_reported_and_nothing_leaks(void **state)
{
    (void)state;
    assert_in_range(test_each_alloc_failure(write_and_walk, NULL), 20, 400);
}

/* The patches of a recorded session, one operation each; every fifth writer is another one. */
static uint64_t write_trace(struct weft_segment_writer *writer, const struct weft_json *root)
{
    struct weft_bytes op;
    struct weft_json_writer w;
    uint64_t count = 0;
    weft__bytes_init(&op, weft_alloc_default(), SIZE_MAX);
    WEFT_JSON_EACH (txn, weft__json_get(root, "txns")) {
        WEFT_JSON_EACH (patch, weft__json_get(txn, "patches")) {
            uint64_t place;
            uint64_t deleted;
            struct weft_slice text = weft__json_string(weft__json_at(patch, 2));
            assert_true(weft__json_u53(weft__json_at(patch, 0), &place));
            assert_true(weft__json_u53(weft__json_at(patch, 1), &deleted));
            weft__bytes_clear(&op);
            weft__json_writer_init(&w, &op);
            weft__json_begin_array(&w);
            if (place)
                weft__json_put_u64(&w, place);
            if (deleted) {
                weft__json_begin_object(&w);
                weft__json_key(&w, "d");
                weft__json_put_u64(&w, deleted);
                weft__json_end_object(&w);
            }
            if (text.len)
                weft__json_put_string(&w, text);
            weft__json_end_array(&w);
            const struct weft_record_op record = {
                .client = str("Zx81k2-laptop"),
                .seq = count + 1,
                .principal = str("ada@example.org"),
                .base = count,
                .hash = weft__record_hash(weft__bytes_slice(&op)),
                .op = weft__bytes_slice(&op),
            };
            count++;
            weft__segment_add(writer, &record, 1700000000000 + count * 130 + count * count % 61);
        }
    }
    weft__bytes_done(&op);
    return count;
}

static void a_recorded_session_takes_about_a_byte_an_operation(void **state)
{
    (void)state;
    struct weft_arena arena;
    const struct weft_json *root;
    struct weft_segment_writer writer;
    struct weft_bytes b;
    size_t len;
    char *text = test_file_load("vectors/traces/sveltecomponent-head.json", &len);
    weft__arena_init(&arena, weft_alloc_default(), SIZE_MAX);
    weft__bytes_init(&b, weft_alloc_default(), SIZE_MAX);
    assert_ok(weft__json_parse(weft__slice(text, len), &arena, NULL, NULL, &root));
    weft__segment_begin(&writer, weft_alloc_default(), str(epoch), 0);
    uint64_t count = write_trace(&writer, root);
    assert_ok(weft__segment_finish(&writer, &b));
    print_message("%llu operations: %zu bytes\n", (unsigned long long)count, b.len);
    assert_true(count > 1000);
    assert_true(b.len < 2 * count);
    weft__segment_done(&writer);
    weft__bytes_done(&b);
    weft__arena_done(&arena);
    free(text);
}

/* A value of the log that says something else than the row it stands in is damage. */
static void a_row_must_agree_with_what_it_holds(void **state)
{
    (void)state;
    static const struct {
        const char *epoch;
        uint64_t first;
        uint64_t count;
        int err;
    } rows[] = {
        {"0123456789abcdef", 7, 3, 0},
        {"0123456789abcdee", 7, 3, WEFT_ERR_CORRUPT},
        {"0123456789abcdef", 6, 3, WEFT_ERR_CORRUPT},
        {"0123456789abcdef", 7, 2, WEFT_ERR_CORRUPT},
        {"0123456789abcdef", 7, 4, WEFT_ERR_CORRUPT},
    };
    const struct weft_record_op op = {.client = str("a"), .seq = 1, .op = str("[1,\"x\"]")};
    const struct weft_record_head head = {str("0123456789abcdef"), 7, 5};
    for (int sealed = 0; sealed < 2; sealed++) {
        struct weft_segment_writer writer;
        struct weft_bytes b;
        weft__bytes_init(&b, weft_alloc_default(), SIZE_MAX);
        weft__segment_begin(&writer, weft_alloc_default(), head.epoch, head.first);
        if (!sealed)
            weft__record_begin(&b, &head);
        for (int i = 0; i < 3; i++) {
            if (sealed)
                weft__segment_add(&writer, &op, 5);
            else
                weft__record_add(&b, &op);
        }
        assert_ok(sealed ? weft__segment_finish(&writer, &b) : weft__record_finish(&b));
        weft__segment_done(&writer);
        struct weft_buf *content = weft__buf_new_copy(weft_alloc_default(), weft__bytes_slice(&b));
        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
            const struct weft_store_record row = {
                .first = rows[i].first, .count = rows[i].count, .content = content};
            struct weft_log_reader reader;
            struct weft_record_op read;
            uint64_t time_ms;
            int err = weft__log_open(&reader, weft_alloc_default(), &row, rows[i].epoch);
            if (!err) {
                while ((err = weft__log_next(&reader, &read, &time_ms)) > 0)
                    assert_int_equal(time_ms, 5);
                weft__log_close(&reader);
            }
            assert_err(err, rows[i].err);
        }
        weft__buf_unref(content);
        weft__bytes_done(&b);
    }
}

/* A segment would lose them, so whoever seals must know. */
static void fields_of_a_newer_record_are_noticed(void **state)
{
    (void)state;
    const struct weft_record_op op = {.client = str("a"), .seq = 1, .op = str("[\"x\"]")};
    const struct weft_record_head head = {str("0123456789abcdef"), 0, 5};
    for (int newer = 0; newer < 2; newer++) {
        struct weft_bytes b;
        weft__bytes_init(&b, weft_alloc_default(), SIZE_MAX);
        weft__record_begin(&b, &head);
        weft__record_add(&b, &op);
        if (newer)
            weft__pb_write_varint(&b, 4, 1);
        assert_ok(weft__record_finish(&b));
        struct weft_store_record row = {
            .count = 1, .content = weft__buf_new_copy(weft_alloc_default(), weft__bytes_slice(&b))};
        struct weft_log_reader reader;
        struct weft_record_op read;
        uint64_t time_ms;
        assert_ok(weft__log_open(&reader, weft_alloc_default(), &row, "0123456789abcdef"));
        while (weft__log_next(&reader, &read, &time_ms) > 0)
            ;
        assert_int_equal(weft__log_unknown(&reader), newer);
        weft__log_close(&reader);
        weft__buf_unref(row.content);
        weft__bytes_done(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations_come_back_as_they_were),
        cmocka_unit_test(the_hash_of_each_authors_last_operation_is_kept),
        cmocka_unit_test(every_shape_is_written_as_it_was_read),
        cmocka_unit_test(every_flipped_bit_and_every_cut_is_noticed),
        cmocka_unit_test(damage_with_a_right_checksum_ends_cleanly),
        cmocka_unit_test(a_newer_format_is_unsupported_and_unknown_fields_are_skipped),
        cmocka_unit_test(what_fits_no_segment_is_refused),
        cmocka_unit_test(a_recorded_session_takes_about_a_byte_an_operation),
        cmocka_unit_test(a_row_must_agree_with_what_it_holds),
        cmocka_unit_test(fields_of_a_newer_record_are_noticed),
        cmocka_unit_test(out_of_memory_is_reported_and_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
