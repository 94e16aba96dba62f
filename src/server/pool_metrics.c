/* SPDX-License-Identifier: Apache-2.0 */
/* What the pool tells of itself. */
#include "server/pool_metrics.h"

#include "server/metrics.h"

static void write_waits(struct weft_bytes *out, const struct weft_pool_stats *stats)
{
    uint64_t sum = 0;
    weft__bytes_append_str(out, "# HELP weft_pool_wait_seconds How long calls waited for a thread\n"
                                "# TYPE weft_pool_wait_seconds histogram\n");
    for (size_t i = 0; i <= WEFT_POOL_WAIT_BOUNDS; i++) {
        sum += stats->waits[i];
        weft__bytes_append_str(out, "weft_pool_wait_seconds_bucket{le=\"");
        if (i < WEFT_POOL_WAIT_BOUNDS)
            weft__metrics_append_seconds(out, weft__pool_wait_bounds_ns[i]);
        else
            weft__bytes_append_str(out, "+Inf");
        weft__bytes_append_str(out, "\"} ");
        weft__bytes_append_u64(out, sum);
        weft__bytes_append_byte(out, '\n');
    }
    weft__bytes_append_str(out, "weft_pool_wait_seconds_sum ");
    weft__metrics_append_seconds(out, stats->wait_sum_ns);
    weft__bytes_append_str(out, "\nweft_pool_wait_seconds_count ");
    weft__bytes_append_u64(out, sum);
    weft__bytes_append_byte(out, '\n');
}

void weft__pool_metrics_write(struct weft_bytes *out, struct weft_pool *pool)
{
    struct weft_pool_stats stats;
    if (!pool)
        return;
    weft__pool_read_stats(pool, &stats);
    weft__metrics_write_one(out, "weft_pool_threads", "gauge", "Threads for methods that block",
                            stats.threads);
    weft__metrics_write_one(out, "weft_pool_running", "gauge", "Calls at work on them",
                            stats.running);
    weft__metrics_write_one(out, "weft_pool_queued", "gauge", "Calls that wait for a thread",
                            stats.queued);
    weft__metrics_write_one(out, "weft_pool_refused_total", "counter",
                            "Calls refused because too many waited", stats.refused);
    write_waits(out, &stats);
}
