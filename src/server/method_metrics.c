/* SPDX-License-Identifier: Apache-2.0 */
/* Publishing and writing the numbers of methods. */
#include "server/method_metrics.h"

#include "base/assert.h"
#include "server/metrics.h"

enum { FIELDS = sizeof(struct weft_rpc_method_stats) / sizeof(uint64_t) };
_Static_assert(sizeof(struct weft_rpc_method_stats) == FIELDS * sizeof(uint64_t),
               "the numbers of a method are copied one by one");

static void take_name(const struct weft_rpc_method *method, void *ctx)
{
    struct weft_method_metrics *metrics = ctx;
    WEFT_ASSERT(method->index < metrics->count);
    metrics->names[method->index] = method->name;
}

int weft__method_metrics_init(struct weft_method_metrics *metrics, const struct weft_alloc *alloc,
                              const struct weft_rpc_env *env)
{
    *metrics = (struct weft_method_metrics){.alloc = alloc, .count = env->method_count};
    metrics->names = weft__mem_zalloc(alloc, metrics->count * sizeof(*metrics->names));
    metrics->values = weft__mem_zalloc(alloc, metrics->count * FIELDS * sizeof(uint64_t));
    if (!metrics->names || !metrics->values) {
        weft__method_metrics_done(metrics);
        return WEFT_ERR_NOMEM;
    }
    weft__rpc_registry_each(env->registry, take_name, metrics);
    return 0;
}

void weft__method_metrics_done(struct weft_method_metrics *metrics)
{
    if (metrics->names)
        weft__mem_free(metrics->alloc, metrics->names, metrics->count * sizeof(*metrics->names));
    if (metrics->values)
        weft__mem_free(metrics->alloc, metrics->values, metrics->count * FIELDS * sizeof(uint64_t));
    *metrics = (struct weft_method_metrics){.count = 0};
}

void weft__method_metrics_publish(struct weft_method_metrics *metrics,
                                  const struct weft_rpc_env *env)
{
    WEFT_ASSERT(metrics->count == env->method_count);
    const uint64_t *from = (const uint64_t *)env->method_stats;
    for (size_t i = 0; i < metrics->count * FIELDS; i++)
        atomic_store_explicit(&metrics->values[i], from[i], memory_order_relaxed);
}

/* ---- Writing ---- */

/* The sums of all methods, for one answer. */
struct sums {
    const char *const *names;
    struct weft_rpc_method_stats *stats;
    size_t count;
};

static void add_up(struct sums *sums, struct weft_method_metrics *const *metrics, unsigned workers)
{
    uint64_t *to = (uint64_t *)sums->stats;
    for (unsigned w = 0; w < workers; w++)
        for (size_t i = 0; i < sums->count * FIELDS; i++)
            to[i] += atomic_load_explicit(&metrics[w]->values[i], memory_order_relaxed);
}

static void write_head(struct weft_bytes *out, const char *name, const char *type, const char *help)
{
    weft__bytes_append_str(out, "# HELP ");
    weft__bytes_append_str(out, name);
    weft__bytes_append_byte(out, ' ');
    weft__bytes_append_str(out, help);
    weft__bytes_append_str(out, "\n# TYPE ");
    weft__bytes_append_str(out, name);
    weft__bytes_append_byte(out, ' ');
    weft__bytes_append_str(out, type);
    weft__bytes_append_byte(out, '\n');
}

/* The name of a series as far as its first label; the caller closes it. */
static void open_series(struct weft_bytes *out, const char *name, const char *method)
{
    weft__bytes_append_str(out, name);
    weft__bytes_append_str(out, "{method=\"");
    weft__bytes_append_str(out, method);
    weft__bytes_append_byte(out, '"');
}

static void close_series(struct weft_bytes *out, uint64_t value)
{
    weft__bytes_append_str(out, "} ");
    weft__bytes_append_u64(out, value);
    weft__bytes_append_byte(out, '\n');
}

static bool was_called(const struct weft_rpc_method_stats *stats)
{
    return stats->calls + stats->notifications > 0;
}

/* One number for each method. */
static void write_counter(struct weft_bytes *out, const struct sums *sums, const char *name,
                          const char *type, const char *help,
                          uint64_t (*get)(const struct weft_rpc_method_stats *))
{
    write_head(out, name, type, help);
    for (size_t i = 0; i < sums->count; i++)
        if (was_called(&sums->stats[i])) {
            open_series(out, name, sums->names[i]);
            close_series(out, get(&sums->stats[i]));
        }
}

static uint64_t get_calls(const struct weft_rpc_method_stats *stats)
{
    return stats->calls;
}

static uint64_t get_notifications(const struct weft_rpc_method_stats *stats)
{
    return stats->notifications;
}

/* Workers publish at different moments, each of them both numbers at once. */
static uint64_t get_in_flight(const struct weft_rpc_method_stats *stats)
{
    return stats->calls - stats->ended;
}

static uint64_t get_bytes_in(const struct weft_rpc_method_stats *stats)
{
    return stats->bytes_in;
}

static uint64_t get_bytes_out(const struct weft_rpc_method_stats *stats)
{
    return stats->bytes_out;
}

static void write_errors(struct weft_bytes *out, const struct sums *sums)
{
    static const char name[] = "weft_rpc_errors_total";
    write_head(out, name, "counter", "Calls that ended with an error, by method and code");
    for (size_t i = 0; i < sums->count; i++)
        for (int status = 1; status <= WEFT_STATUS_UNAUTHENTICATED; status++) {
            if (!sums->stats[i].statuses[status])
                continue;
            open_series(out, name, sums->names[i]);
            weft__bytes_append_str(out, ",code=\"");
            weft__bytes_append_str(out, weft_status_name(status));
            weft__bytes_append_byte(out, '"');
            close_series(out, sums->stats[i].statuses[status]);
        }
}

static void write_buckets(struct weft_bytes *out, const char *method,
                          const struct weft_rpc_method_stats *stats)
{
    static const char name[] = "weft_rpc_duration_seconds";
    uint64_t sum = 0;
    for (size_t i = 0; i <= WEFT_RPC_LATENCY_BOUNDS; i++) {
        sum += stats->latency[i];
        weft__bytes_append_str(out, name);
        open_series(out, "_bucket", method);
        weft__bytes_append_str(out, ",le=\"");
        if (i < WEFT_RPC_LATENCY_BOUNDS)
            weft__metrics_append_seconds(out, weft__rpc_latency_bounds_ns[i]);
        else
            weft__bytes_append_str(out, "+Inf");
        weft__bytes_append_byte(out, '"');
        close_series(out, sum);
    }
    weft__bytes_append_str(out, name);
    open_series(out, "_sum", method);
    weft__bytes_append_str(out, "} ");
    weft__metrics_append_seconds(out, stats->latency_sum_ns);
    weft__bytes_append_byte(out, '\n');
    weft__bytes_append_str(out, name);
    open_series(out, "_count", method);
    close_series(out, sum);
}

static void write_all(struct weft_bytes *out, const struct sums *sums)
{
    write_counter(out, sums, "weft_rpc_calls_total", "counter", "Calls, by method", get_calls);
    write_counter(out, sums, "weft_rpc_notifications_total", "counter", "Notifications, by method",
                  get_notifications);
    write_counter(out, sums, "weft_rpc_in_flight", "gauge", "Calls without an answer, by method",
                  get_in_flight);
    write_counter(out, sums, "weft_rpc_received_bytes_total", "counter",
                  "Bytes of parameters and items received, by method", get_bytes_in);
    write_counter(out, sums, "weft_rpc_sent_bytes_total", "counter",
                  "Bytes of results and items sent, by method", get_bytes_out);
    write_errors(out, sums);
    write_head(out, "weft_rpc_duration_seconds", "histogram", "How long calls took, by method");
    for (size_t i = 0; i < sums->count; i++)
        if (sums->stats[i].ended)
            write_buckets(out, sums->names[i], &sums->stats[i]);
}

void weft__method_metrics_write(struct weft_bytes *out, struct weft_method_metrics *const *metrics,
                                unsigned workers)
{
    if (!workers || !metrics[0]->count)
        return;
    const struct weft_alloc *alloc = metrics[0]->alloc;
    struct sums sums = {.names = metrics[0]->names, .count = metrics[0]->count};
    size_t size = sums.count * sizeof(*sums.stats);
    sums.stats = weft__mem_zalloc(alloc, size);
    if (!sums.stats) {
        out->err = WEFT_ERR_NOMEM;
        return;
    }
    add_up(&sums, metrics, workers);
    write_all(out, &sums);
    weft__mem_free(alloc, sums.stats, size);
}
