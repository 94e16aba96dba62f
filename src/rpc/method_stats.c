/* SPDX-License-Identifier: Apache-2.0 */
/* Counting the calls of a method. */
#include "rpc/method_stats.h"

#define US UINT64_C(1000)
#define MS (UINT64_C(1000) * US)

const uint64_t weft__rpc_latency_bounds_ns[WEFT_RPC_LATENCY_BOUNDS] = {
    25 * US, 50 * US, 100 * US, 250 * US, 500 * US, 1 * MS,    2500 * US,
    5 * MS,  10 * MS, 25 * MS,  100 * MS, 500 * MS, 2500 * MS, 10000 * MS,
};

void weft__rpc_method_stats_end(struct weft_rpc_method_stats *stats, int status,
                                uint64_t latency_ns)
{
    unsigned bucket = 0;
    while (bucket < WEFT_RPC_LATENCY_BOUNDS && latency_ns > weft__rpc_latency_bounds_ns[bucket])
        ++bucket;
    ++stats->ended;
    ++stats->statuses[status];
    ++stats->latency[bucket];
    stats->latency_sum_ns += latency_ns;
}
