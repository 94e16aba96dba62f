/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A histogram of durations with a bounded relative error: exact below 128 ns, from there on 128
 * buckets of equal width for each power of two, up to WEFT_HISTOGRAM_MAX (18 minutes). The idea,
 * logarithmic groups of linear buckets indexed by the position of the highest bit, is that of
 * Gil Tene's HdrHistogram (http://hdrhistogram.org); the code is our own.
 *
 *     value        0 … 127   128 … 255   256 … 511   512 … 1023   …
 *     bucket       0 … 127   128 … 255   256 … 383   384 …  511   …
 *     its width    1         1           2           4            …
 *
 * A bucket answers with its largest value: never less than what was recorded, and more by less than
 * 1/128 (0.78 %). The maximum is kept exactly. Histograms of several threads are recorded
 * apart and merged.
 *
 * **Thread:** one at a time.
 */
#ifndef WEFT_BASE_HISTOGRAM_H
#define WEFT_BASE_HISTOGRAM_H

#include "base/compiler.h"

#include <stdint.h>

enum {
    WEFT_HISTOGRAM_BITS = 7,      /* of a value that tell it from others of its power of two */
    WEFT_HISTOGRAM_MAX_BITS = 40, /* values are shorter */
    /* Groups of 128: the exact one, and one for each power of two from 2^7 to 2^39. */
    WEFT_HISTOGRAM_BUCKETS =
        (1 << WEFT_HISTOGRAM_BITS) * (WEFT_HISTOGRAM_MAX_BITS - WEFT_HISTOGRAM_BITS + 1),
};

/* The largest value; larger ones are recorded as this. */
#define WEFT_HISTOGRAM_MAX ((UINT64_C(1) << WEFT_HISTOGRAM_MAX_BITS) - 1)

/* All zeroes is an empty one. */
struct weft_histogram {
    uint64_t count;
    uint64_t max; /* 0 when empty */
    double sum;
    uint64_t buckets[WEFT_HISTOGRAM_BUCKETS];
};

/* Makes it empty. */
void weft__histogram_clear(struct weft_histogram *h);

/* The bucket of |value|, which is at most WEFT_HISTOGRAM_MAX. */
static inline unsigned weft__histogram_bucket(uint64_t value)
{
    enum { LINEAR = 1 << WEFT_HISTOGRAM_BITS };
    if (value < LINEAR)
        return (unsigned)value;
    unsigned shift = weft__log2_u64(value) - WEFT_HISTOGRAM_BITS;
    return (shift << WEFT_HISTOGRAM_BITS) + (unsigned)(value >> shift);
}

/* The largest value of |bucket|, which is below WEFT_HISTOGRAM_BUCKETS. */
uint64_t weft__histogram_bucket_top(unsigned bucket);

/* Records |value| |times| times. O(1). */
static inline void weft__histogram_record(struct weft_histogram *h, uint64_t value, uint64_t times)
{
    value = WEFT_MIN(value, WEFT_HISTOGRAM_MAX);
    h->count += times;
    h->sum += (double)value * (double)times;
    h->max = WEFT_MAX(h->max, value);
    h->buckets[weft__histogram_bucket(value)] += times;
}

/* Adds everything that |from| holds to |h|. */
void weft__histogram_merge(struct weft_histogram *h, const struct weft_histogram *from);

/*
 * The smallest value that at least the share |q| (0 to 1) of the recorded ones do not exceed, that
 * is the value of rank ⌈q × count⌉ in sorted order (of the first for q = 0), rounded up to the top
 * of its bucket but never above the maximum. 0 when empty.
 */
uint64_t weft__histogram_quantile(const struct weft_histogram *h, double q);

/* The mean of what was recorded, 0 when empty. */
double weft__histogram_mean(const struct weft_histogram *h);

#endif
