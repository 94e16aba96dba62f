/* SPDX-License-Identifier: Apache-2.0 */
/* What is stored: records and snapshots come back as they were, damage is noticed, and fields of
 * later versions are skipped. */
#include "hub/record.h"
#include "hub/sealed.h"
#include "hub/snapshot.h"
#include "lib/test.h"

static struct weft_slice str(const char *text)
{
    return weft__slice_str(text);
}

static void write_record(struct weft_bytes *b, size_t ops)
{
    const struct weft_record_head head = {str("0123456789abcdef"), 41, 1700000000000};
    weft__record_begin(b, &head);
    for (size_t i = 0; i < ops; i++) {
        const struct weft_record_op op = {
            .client = str("client"),
            .seq = i + 1,
            .principal = str("ada"),
            .base = 41,
            .hash = 0xfedcba9876543210u,
            .flags = i % 2,
            .op = str("[3,\"x\"]"),
        };
        weft__record_add(b, &op);
    }
}

static void a_record_comes_back_as_it_was(void **state)
{
    (void)state;
    struct test_alloc mem;
    struct weft_bytes b;
    struct weft_record_reader reader;
    struct weft_record_head head;
    struct weft_record_op op;
    test_alloc_init(&mem);
    weft__bytes_init(&b, &mem.alloc, SIZE_MAX);
    write_record(&b, 3);
    assert_ok(weft__record_finish(&b));
    assert_ok(weft__record_open(&reader, weft__bytes_slice(&b), &head));
    assert_true(weft__slice_eq_str(head.epoch, "0123456789abcdef"));
    assert_int_equal(head.first, 41);
    assert_int_equal(head.time_ms, 1700000000000);
    for (uint64_t i = 0; i < 3; i++) {
        assert_int_equal(weft__record_next(&reader, &op), 1);
        assert_int_equal(op.seq, i + 1);
        assert_int_equal(op.flags, i % 2);
        assert_int_equal(op.hash, 0xfedcba9876543210u);
        assert_true(weft__slice_eq_str(op.client, "client"));
        assert_true(weft__slice_eq_str(op.principal, "ada"));
        assert_true(weft__slice_eq_str(op.op, "[3,\"x\"]"));
    }
    assert_int_equal(weft__record_next(&reader, &op), 0);
    weft__bytes_done(&b);
    test_alloc_done(&mem);
}

static void every_flipped_bit_and_every_cut_of_a_record_is_noticed(void **state)
{
    (void)state;
    struct weft_bytes b;
    struct weft_record_reader reader;
    struct weft_record_head head;
    weft__bytes_init(&b, weft_alloc_default(), SIZE_MAX);
    write_record(&b, 2);
    assert_ok(weft__record_finish(&b));
    for (size_t bit = 0; bit < b.len * 8; bit++) {
        b.ptr[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_true(weft__record_open(&reader, weft__bytes_slice(&b), &head) < 0);
        b.ptr[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t len = 0; len < b.len; len++)
        assert_true(weft__record_open(&reader, weft__slice(b.ptr, len), &head) < 0);
    assert_ok(weft__record_open(&reader, weft__bytes_slice(&b), &head));
    weft__bytes_done(&b);
}

static void a_newer_format_is_unsupported_and_unknown_fields_are_skipped(void **state)
{
    (void)state;
    struct weft_bytes b;
    struct weft_record_reader reader;
    struct weft_record_head head;
    struct weft_record_op op;
    weft__bytes_init(&b, weft_alloc_default(), SIZE_MAX);
    write_record(&b, 1);
    weft__pb_write_varint(&b, 900, 7);
    weft__pb_write_bytes(&b, 901, str("later"));
    assert_ok(weft__record_finish(&b));
    assert_ok(weft__record_open(&reader, weft__bytes_slice(&b), &head));
    assert_int_equal(weft__record_next(&reader, &op), 1);
    assert_int_equal(weft__record_next(&reader, &op), 0);
    b.ptr[0] = WEFT_RECORD_FORMAT + 1;
    assert_err(weft__record_open(&reader, weft__bytes_slice(&b), &head), WEFT_ERR_UNSUPPORTED);
    weft__bytes_done(&b);
}

/* The hash of submitted bytes is part of the format: it may never change. */
static void the_hash_of_an_operation_is_fixed(void **state)
{
    (void)state;
    uint64_t hash = weft__record_hash(str("[\"a\"]"));
    assert_int_equal(hash, weft__record_hash(str("[\"a\"]")));
    assert_int_not_equal(hash, weft__record_hash(str("[\"b\"]")));
    /* SipHash-1-3 of no bytes under a key of zeroes. */
    assert_int_equal(weft__record_hash(str("")), 0xd1fba762150c532cu);
}

static void a_snapshot_comes_back_with_its_clients(void **state)
{
    (void)state;
    const struct weft_hash_key key = {3, 4};
    const struct weft_snapshot snapshot = {
        .epoch = str("0123456789abcdef"),
        .type = str("text"),
        .content = str("\"hello\""),
        .version = 1000,
        .time_ms = 5,
    };
    struct test_alloc mem;
    struct weft_client_table clients;
    struct weft_client_table back;
    struct weft_snapshot got;
    struct weft_bytes b;
    char name[16];
    test_alloc_init(&mem);
    weft__client_table_init(&clients, &mem.alloc, key);
    weft__client_table_init(&back, &mem.alloc, key);
    weft__bytes_init(&b, &mem.alloc, SIZE_MAX);
    for (unsigned i = 1; i <= 100; i++) {
        snprintf(name, sizeof(name), "client-%u", i);
        assert_ok(weft__client_table_put(&clients, str(name), i, i * 2, i * 3, i * 4));
    }
    assert_ok(weft__client_table_reserve(&clients, str("never wrote")));
    assert_ok(weft__snapshot_write(&b, &snapshot, &clients));
    assert_ok(weft__snapshot_read(weft__bytes_slice(&b), &back, &got));
    assert_true(weft__slice_eq_str(got.content, "\"hello\""));
    assert_int_equal(got.version, 1000);
    assert_int_equal(back.map.count, 100);
    const struct weft_client_entry *entry = weft__client_table_get(&back, str("client-7"));
    assert_non_null(entry);
    assert_int_equal(entry->seq, 7);
    assert_int_equal(entry->version, 14);
    assert_int_equal(entry->hash, 21);
    assert_int_equal(entry->time_ms, 28);
    weft__bytes_done(&b);
    weft__client_table_done(&clients);
    weft__client_table_done(&back);
    test_alloc_done(&mem);
}

static void clients_are_forgotten_after_thirty_days_not_before(void **state)
{
    (void)state;
    struct weft_client_table clients;
    weft__client_table_init(&clients, weft_alloc_default(), (struct weft_hash_key){1, 1});
    assert_ok(weft__client_table_put(&clients, str("old"), 1, 1, 1, 1000));
    assert_ok(weft__client_table_put(&clients, str("new"), 1, 1, 1, 2000));
    weft__client_table_expire(&clients, 1000 + WEFT_CLIENT_KEPT_MS);
    assert_int_equal(clients.map.count, 2);
    weft__client_table_expire(&clients, 1001 + WEFT_CLIENT_KEPT_MS);
    assert_int_equal(clients.map.count, 1);
    assert_non_null(weft__client_table_get(&clients, str("new")));
    weft__client_table_done(&clients);
}

static int fill_table(const struct weft_alloc *alloc, void *ctx)
{
    struct weft_client_table clients;
    struct weft_bytes b;
    const struct weft_snapshot snapshot = {.type = str("text")};
    char name[16];
    int err = 0;
    (void)ctx;
    weft__client_table_init(&clients, alloc, (struct weft_hash_key){1, 1});
    weft__bytes_init(&b, alloc, SIZE_MAX);
    for (unsigned i = 0; i < 20 && !err; i++) {
        snprintf(name, sizeof(name), "%u", i);
        err = weft__client_table_put(&clients, str(name), 1, 1, 1, 1);
    }
    if (!err)
        err = weft__snapshot_write(&b, &snapshot, &clients);
    weft__bytes_done(&b);
    weft__client_table_done(&clients);
    return err;
}

static void out_of_memory_is_reported_and_nothing_leaks(void **state)
{
    (void)state;
    assert_in_range(test_each_alloc_failure(fill_table, NULL), 20, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_comes_back_as_it_was),
        cmocka_unit_test(every_flipped_bit_and_every_cut_of_a_record_is_noticed),
        cmocka_unit_test(a_newer_format_is_unsupported_and_unknown_fields_are_skipped),
        cmocka_unit_test(the_hash_of_an_operation_is_fixed),
        cmocka_unit_test(a_snapshot_comes_back_with_its_clients),
        cmocka_unit_test(clients_are_forgotten_after_thirty_days_not_before),
        cmocka_unit_test(out_of_memory_is_reported_and_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
