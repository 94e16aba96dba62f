/* SPDX-License-Identifier: Apache-2.0 */
/* The splits, the random numbers and the hexadecimal digits that other tests rely on. */
#include "lib/test.h"

struct seen {
    const uint8_t *data;
    size_t len;
    unsigned runs;
    unsigned runs_with_empty_pieces;
    size_t most_pieces;
};

static void join_and_compare(const struct test_piece *pieces, size_t count, void *ctx)
{
    struct seen *seen = ctx;
    size_t offset = 0;
    bool has_empty = false;
    for (size_t i = 0; i < count; i++) {
        assert_true(pieces[i].len <= seen->len - offset);
        assert_memory_equal(pieces[i].data, seen->data + offset, pieces[i].len);
        offset += pieces[i].len;
        has_empty = has_empty || pieces[i].len == 0;
    }
    assert_int_equal(offset, seen->len);
    seen->runs++;
    seen->runs_with_empty_pieces += has_empty;
    if (count > seen->most_pieces)
        seen->most_pieces = count;
}

static void every_split_joins_to_the_input(void **state)
{
    (void)state;
    struct test_random rng;
    test_random_init(&rng, "splits");
    uint8_t data[100];
    test_random_bytes(&rng, data, sizeof(data));
    struct seen seen = {.data = data, .len = sizeof(data)};
    test_each_split(data, sizeof(data), &rng, 200, join_and_compare, &seen);
    /* Whole, byte by byte, 99 cuts, and the random ones. */
    assert_int_equal(seen.runs, 1 + 1 + 99 + 200);
    assert_true(seen.runs_with_empty_pieces > 0);
    assert_true(seen.most_pieces >= sizeof(data));
}

static void empty_input_is_split_too(void **state)
{
    (void)state;
    struct seen seen = {.data = (const uint8_t *)"", .len = 0};
    test_each_split("", 0, NULL, 0, join_and_compare, &seen);
    assert_int_equal(seen.runs, 2);
}

static void same_seed_gives_same_numbers(void **state)
{
    (void)state;
    struct test_random a;
    struct test_random b;
    test_random_seed(&a, 42);
    test_random_seed(&b, 42);
    for (int i = 0; i < 100; i++)
        assert_true(test_random_u64(&a) == test_random_u64(&b));
    test_random_seed(&b, 43);
    assert_true(test_random_u64(&a) != test_random_u64(&b));
}

static void bounds_are_kept_and_reached(void **state)
{
    (void)state;
    struct test_random rng;
    test_random_seed(&rng, 1);
    bool reached[5] = {false};
    for (int i = 0; i < 1000; i++) {
        size_t n = test_random_size(&rng, 3, 7);
        assert_in_range(n, 3, 7);
        reached[n - 3] = true;
    }
    for (size_t i = 0; i < 5; i++)
        assert_true(reached[i]);
}

static void hex_there_and_back(void **state)
{
    (void)state;
    size_t len;
    uint8_t *bytes = test_hex_decode("81 05 48656C6c6f", &len);
    assert_bytes(bytes, len, "\x81\x05Hello", 7);
    char *text = test_hex_encode(bytes, len);
    assert_string_equal(text, "810548656c6c6f");
    free(text);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_split_joins_to_the_input),
        cmocka_unit_test(empty_input_is_split_too),
        cmocka_unit_test(same_seed_gives_same_numbers),
        cmocka_unit_test(bounds_are_kept_and_reached),
        cmocka_unit_test(hex_there_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
