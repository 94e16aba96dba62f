/* SPDX-License-Identifier: Apache-2.0 */
/* What of the histogram is not on a hot path. */
#include "base/histogram.h"

#include "base/assert.h"

#include <string.h>

void weft__histogram_clear(struct weft_histogram *h)
{
    memset(h, 0, sizeof(*h));
}

uint64_t weft__histogram_bucket_top(unsigned bucket)
{
    enum { LINEAR = 1 << WEFT_HISTOGRAM_BITS };
    WEFT_ASSERT(bucket < WEFT_HISTOGRAM_BUCKETS);
    if (bucket < 2 * LINEAR)
        return bucket;
    unsigned shift = (bucket >> WEFT_HISTOGRAM_BITS) - 1;
    uint64_t first = (uint64_t)(bucket & (LINEAR - 1)) + LINEAR;
    return ((first + 1) << shift) - 1;
}

void weft__histogram_merge(struct weft_histogram *h, const struct weft_histogram *from)
{
    h->count += from->count;
    h->sum += from->sum;
    h->max = WEFT_MAX(h->max, from->max);
    for (unsigned i = 0; i < WEFT_HISTOGRAM_BUCKETS; i++)
        h->buckets[i] += from->buckets[i];
}

uint64_t weft__histogram_quantile(const struct weft_histogram *h, double q)
{
    WEFT_ASSERT(q >= 0 && q <= 1);
    if (!h->count)
        return 0;
    double share = q * (double)h->count;
    uint64_t rank = (uint64_t)share;
    rank += (double)rank < share || !rank;
    uint64_t seen = 0;
    for (unsigned i = 0; i < WEFT_HISTOGRAM_BUCKETS; i++) {
        seen += h->buckets[i];
        if (seen >= rank)
            return WEFT_MIN(weft__histogram_bucket_top(i), h->max);
    }
    return h->max;
}

double weft__histogram_mean(const struct weft_histogram *h)
{
    return h->count ? h->sum / (double)h->count : 0;
}
