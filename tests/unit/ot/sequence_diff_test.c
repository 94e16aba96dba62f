/* SPDX-License-Identifier: Apache-2.0 */
/* Differences of sequences and of texts: they lead where they should, and none is shorter. */
#include "lib/fault_alloc.h"
#include "lib/test.h"
#include "ot/sequence_diff.h"
#include "ot/text.h"

enum { ROUNDS = 2000, LONGEST = 40 };

struct check {
    struct weft_sequence a;
    struct weft_sequence b;
    uint32_t at_a; /* behind the last run */
    uint32_t at_b;
    uint32_t kept;
    uint32_t runs;
};

static void kept(void *ctx, uint32_t from, uint32_t to, uint32_t count)
{
    struct check *c = ctx;
    assert_true(count > 0 && from >= c->at_a && to >= c->at_b);
    assert_true(c->runs == 0 || from > c->at_a || to > c->at_b);
    assert_true(from + count <= c->a.count && to + count <= c->b.count);
    assert_memory_equal(c->a.items + from, c->b.items + to, count * sizeof(uint32_t));
    c->at_a = from + count;
    c->at_b = to + count;
    c->kept += count;
    c->runs++;
}

static uint32_t count_kept(struct weft_sequence a, struct weft_sequence b)
{
    struct check c = {.a = a, .b = b};
    assert_ok(weft__sequence_diff(weft_alloc_default(), a, b, kept, &c));
    return c.kept;
}

/* The length of the longest common subsequence, in the most obvious way. */
static uint32_t longest_common(struct weft_sequence a, struct weft_sequence b)
{
    uint32_t table[LONGEST + 1][LONGEST + 1] = {0};
    for (uint32_t i = 0; i < a.count; i++) {
        for (uint32_t k = 0; k < b.count; k++) {
            uint32_t best = WEFT_MAX(table[i][k + 1], table[i + 1][k]);
            table[i + 1][k + 1] = a.items[i] == b.items[k] ? table[i][k] + 1 : best;
        }
    }
    return table[a.count][b.count];
}

static void nothing_is_kept_less_than_possible(void **state)
{
    (void)state;
    struct test_random rng;
    uint32_t items[2][LONGEST];
    test_random_init(&rng, "sequences");
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct weft_sequence s[2];
        uint64_t letters = 1 + test_random_below(&rng, 6);
        for (size_t i = 0; i < 2; i++) {
            s[i] = (struct weft_sequence){items[i], (uint32_t)test_random_below(&rng, LONGEST + 1)};
            for (uint32_t k = 0; k < s[i].count; k++)
                items[i][k] = (uint32_t)test_random_below(&rng, letters);
        }
        assert_int_equal(count_kept(s[0], s[1]), longest_common(s[0], s[1]));
    }
}

static void too_many_differences_are_not_searched(void **state)
{
    (void)state;
    enum { COUNT = 200000 };
    uint32_t *a = calloc(COUNT, sizeof(*a));
    uint32_t *b = calloc(COUNT, sizeof(*b));
    assert_true(a && b);
    for (uint32_t i = 0; i < COUNT; i++) {
        a[i] = i < 10 || i >= COUNT - 10 ? 7 : i * 2;
        b[i] = i < 10 || i >= COUNT - 10 ? 7 : i * 2 + 1;
    }
    assert_int_equal(count_kept((struct weft_sequence){a, COUNT}, (struct weft_sequence){b, COUNT}),
                     20);
    /* A few in very many are found wherever they are. */
    memcpy(b, a, COUNT * sizeof(*a));
    for (uint32_t i = 0; i < 100; i++)
        b[i * 1999 + 50] = 1;
    assert_int_equal(count_kept((struct weft_sequence){a, COUNT}, (struct weft_sequence){b, COUNT}),
                     COUNT - 100);
    free(b);
    free(a);
}

static void write_random(struct test_random *rng, char *text)
{
    static const char *const letters[] = {"a", "b", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    text[0] = '\0';
    for (uint64_t i = test_random_below(rng, LONGEST); i > 0; i--)
        strcat(text, letters[test_random_below(rng, WEFT_ARRAY_LEN(letters))]);
}

static void difference_of_texts_leads_from_one_to_the_other(void **state)
{
    (void)state;
    struct test_random rng;
    char text[2][4 * LONGEST + 1];
    test_random_init(&rng, "texts");
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct weft_rope rope;
        struct weft_text_op *op;
        struct weft_bytes got;
        write_random(&rng, text[0]);
        write_random(&rng, text[1]);
        assert_ok(weft__text_diff(weft_alloc_default(), weft__slice_str(text[0]),
                                  weft__slice_str(text[1]), &op, NULL));
        weft__rope_init(&rope, weft_alloc_default());
        assert_ok(weft__rope_insert(&rope, 0, weft__slice_str(text[0])));
        assert_ok(weft__text_apply(&rope, op, NULL));
        weft__bytes_init(&got, weft_alloc_default(), SIZE_MAX);
        weft__rope_copy(&rope, 0, SIZE_MAX, &got);
        assert_bytes(got.ptr, got.len, text[1], strlen(text[1]));
        weft__bytes_done(&got);
        weft__rope_done(&rope);
        weft__text_free(op);
    }
}

static int diff_texts(const struct weft_alloc *alloc, void *ctx)
{
    struct weft_text_op *op;
    (void)ctx;
    int err = weft__text_diff(alloc, WEFT_SLICE_LIT("some text"), WEFT_SLICE_LIT("another one"),
                              &op, NULL);
    if (!err)
        weft__text_free(op);
    return err;
}

static void lack_of_memory_is_told_and_leaks_nothing(void **state)
{
    (void)state;
    assert_true(test_each_alloc_failure(diff_texts, NULL) >= 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_kept_less_than_possible),
        cmocka_unit_test(too_many_differences_are_not_searched),
        cmocka_unit_test(difference_of_texts_leads_from_one_to_the_other),
        cmocka_unit_test(lack_of_memory_is_told_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
