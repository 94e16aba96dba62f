/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What became of the calls of one method: the numbers behind its metrics. **Thread:** that of the
 * environment.
 */
#ifndef WEFT_RPC_METHOD_STATS_H
#define WEFT_RPC_METHOD_STATS_H

#include <weft/err.h>

#include <stdint.h>

enum { WEFT_RPC_LATENCY_BOUNDS = 14 };

/* Upper bounds of the buckets of latency, in nanoseconds, in ascending order. */
extern const uint64_t weft__rpc_latency_bounds_ns[WEFT_RPC_LATENCY_BOUNDS];

struct weft_rpc_method_stats {
    uint64_t calls;         /* started or refused by an interceptor */
    uint64_t notifications; /* started */
    uint64_t ended;         /* calls that have their answer, or nobody to answer */
    uint64_t statuses[WEFT_STATUS_UNAUTHENTICATED + 1]; /* of these; 0: results */
    uint64_t bytes_in;                                  /* of parameters and items */
    uint64_t bytes_out;                                 /* of results and items */
    /* Ended calls by how long they took; the last bucket is for all beyond the last bound. */
    uint64_t latency[WEFT_RPC_LATENCY_BOUNDS + 1];
    uint64_t latency_sum_ns;
};

/* A call ended with |status| after |latency_ns|. */
void weft__rpc_method_stats_end(struct weft_rpc_method_stats *stats, int status,
                                uint64_t latency_ns);

#endif
