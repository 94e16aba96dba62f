/* SPDX-License-Identifier: Apache-2.0 */
/* The histogram against sorted arrays. */
#include "lib/test.h"

#include "base/histogram.h"

static struct weft_histogram histogram; /* too large for a stack */
static struct weft_histogram other;

/* |top| must not be less than |value| and more by less than 1/128 of it. */
static void check_bound(uint64_t top, uint64_t value)
{
    if (top < value || (top - value) * 128 > value)
        fail_msg("%llu for %llu", (unsigned long long)top, (unsigned long long)value);
}

static void empty_histogram_answers_zero(void **state)
{
    (void)state;
    weft__histogram_clear(&histogram);
    assert_true(weft__histogram_quantile(&histogram, 0) == 0);
    assert_true(weft__histogram_quantile(&histogram, 1) == 0);
    assert_true(weft__histogram_mean(&histogram) == 0);
}

static void values_below_256_are_exact(void **state)
{
    (void)state;
    for (uint64_t value = 0; value < 256; value++) {
        weft__histogram_clear(&histogram);
        weft__histogram_record(&histogram, value, 1);
        weft__histogram_record(&histogram, 1000, 1);
        assert_true(weft__histogram_quantile(&histogram, 0.5) == value);
    }
}

static void buckets_follow_one_another_without_gaps(void **state)
{
    (void)state;
    uint64_t first = 0;
    for (unsigned bucket = 0; bucket < WEFT_HISTOGRAM_BUCKETS; bucket++) {
        uint64_t top = weft__histogram_bucket_top(bucket);
        assert_true(top >= first);
        assert_int_equal(weft__histogram_bucket(first), bucket);
        assert_int_equal(weft__histogram_bucket(top), bucket);
        check_bound(top, first);
        first = top + 1;
    }
    assert_true(first == WEFT_HISTOGRAM_MAX + 1);
}

static void values_beyond_the_largest_count_as_the_largest(void **state)
{
    (void)state;
    weft__histogram_clear(&histogram);
    weft__histogram_record(&histogram, UINT64_MAX, 3);
    assert_true(histogram.count == 3);
    assert_true(histogram.max == WEFT_HISTOGRAM_MAX);
    assert_true(weft__histogram_quantile(&histogram, 0.5) == WEFT_HISTOGRAM_MAX);
}

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;
    return (*x > *y) - (*x < *y);
}

/* A value whose logarithm is spread evenly from 1 ns to 10 minutes. */
static uint64_t random_duration(struct test_random *random)
{
    unsigned bits = (unsigned)test_random_below(random, 40);
    return (UINT64_C(1) << bits) + test_random_below(random, UINT64_C(1) << bits) % 600000000000;
}

static void quantiles_are_those_of_the_sorted_values_within_one_percent(void **state)
{
    enum { COUNT = 20000 };
    static const double shares[] = {0, 0.001, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 0.9999, 1};
    static uint64_t values[COUNT];
    struct test_random random;
    double sum = 0;
    (void)state;
    test_random_init(&random, "histogram");
    weft__histogram_clear(&histogram);
    for (size_t i = 0; i < COUNT; i++) {
        values[i] = WEFT_MIN(random_duration(&random), WEFT_HISTOGRAM_MAX);
        sum += (double)values[i];
        weft__histogram_record(&histogram, values[i], 1);
    }
    qsort(values, COUNT, sizeof(values[0]), compare);
    for (size_t i = 0; i < WEFT_ARRAY_LEN(shares); i++) {
        size_t rank = (size_t)(shares[i] * COUNT + 0.999999);
        check_bound(weft__histogram_quantile(&histogram, shares[i]), values[rank ? rank - 1 : 0]);
    }
    assert_true(weft__histogram_quantile(&histogram, 1) == values[COUNT - 1]);
    assert_true(weft__histogram_mean(&histogram) > sum / COUNT * 0.999999);
    assert_true(weft__histogram_mean(&histogram) < sum / COUNT * 1.000001);
}

static void recording_many_at_once_is_recording_each(void **state)
{
    (void)state;
    weft__histogram_clear(&histogram);
    weft__histogram_clear(&other);
    weft__histogram_record(&histogram, 12345, 1000);
    for (int i = 0; i < 1000; i++)
        weft__histogram_record(&other, 12345, 1);
    assert_memory_equal(histogram.buckets, other.buckets, sizeof(other.buckets));
    assert_true(histogram.count == other.count && histogram.max == other.max);
}

static void merged_histograms_are_that_of_all_values(void **state)
{
    static struct weft_histogram all;
    struct test_random random;
    (void)state;
    test_random_init(&random, "histogram");
    weft__histogram_clear(&histogram);
    weft__histogram_clear(&other);
    weft__histogram_clear(&all);
    for (int i = 0; i < 10000; i++) {
        uint64_t value = random_duration(&random);
        weft__histogram_record(i % 3 ? &histogram : &other, value, 1);
        weft__histogram_record(&all, value, 1);
    }
    weft__histogram_merge(&histogram, &other);
    assert_memory_equal(histogram.buckets, all.buckets, sizeof(all.buckets));
    assert_true(histogram.count == all.count && histogram.max == all.max);
    /* Merging an empty one changes nothing. */
    weft__histogram_clear(&other);
    weft__histogram_merge(&histogram, &other);
    assert_true(histogram.count == all.count && histogram.max == all.max);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_histogram_answers_zero),
        cmocka_unit_test(values_below_256_are_exact),
        cmocka_unit_test(buckets_follow_one_another_without_gaps),
        cmocka_unit_test(values_beyond_the_largest_count_as_the_largest),
        cmocka_unit_test(quantiles_are_those_of_the_sorted_values_within_one_percent),
        cmocka_unit_test(recording_many_at_once_is_recording_each),
        cmocka_unit_test(merged_histograms_are_that_of_all_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
