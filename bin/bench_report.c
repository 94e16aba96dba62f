/* SPDX-License-Identifier: Apache-2.0 */
/* What a run gave, for people and for programs. */
#include "bench.h"
#include "codec/json.h"

#include <inttypes.h>
#include <stdio.h>

static double seconds_of(uint64_t ns)
{
    return (double)ns / (double)WEFT_NS_PER_S;
}

static double per_second(const struct bench_run *run, uint64_t count)
{
    return run->measured_ns ? (double)count / seconds_of(run->measured_ns) : 0;
}

static double us(uint64_t ns)
{
    return (double)ns / 1000;
}

/* What can be said about the server; negative: nothing. */
static double server_cpu_ns(const struct bench_run *run)
{
    if (!run->options->server_pid || !run->total.messages)
        return -1;
    return (double)run->server_cpu_ns / (double)run->total.messages;
}

static double server_bytes(const struct bench_run *run)
{
    if (!run->memory_before || !run->memory_after || !run->opened)
        return -1;
    double grown = (double)run->memory_after - (double)run->memory_before;
    return (grown > 0 ? grown : 0) / run->opened;
}

static const char *const error_names[] = {
#define BENCH_ERROR_NAME(name, text) text,
    BENCH_ERROR_TABLE(BENCH_ERROR_NAME)
#undef BENCH_ERROR_NAME
};

/* ---- The table ---- */

/* Writes |number| with separators of thousands to |text|. */
static const char *grouped(uint64_t number, char text[32])
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%" PRIu64, number);
    char *out = text;
    for (int i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0)
            *out++ = ',';
        *out++ = digits[i];
    }
    *out = '\0';
    return text;
}

static const char *noun(const struct bench_options *options)
{
    switch (options->scenario) {
    case BENCH_RPC:
        return options->stream ? "items" : "calls";
    case BENCH_BROADCAST:
        return "deliveries";
    case BENCH_STORM:
        return "handshakes";
    case BENCH_ECHO:
    case BENCH_IDLE:
    default:
        return "messages";
    }
}

static void print_settings(const struct bench_run *run)
{
    const struct bench_options *options = run->options;
    printf("weft bench %s %s\n", options->scenario_name, options->url_text);
    printf("  %u %s", options->connections,
           options->scenario == BENCH_STORM ? "at a time" : "connections");
    if (options->scenario == BENCH_BROADCAST)
        printf(", %u sending, %u messages in flight", options->senders, options->in_flight);
    else if (options->scenario == BENCH_ECHO || options->scenario == BENCH_RPC)
        printf(", depth %u", options->depth);
    bool text = options->rpc ? !options->wire->binary : options->text || options->deflate;
    if (options->scenario != BENCH_IDLE)
        printf(", %zu bytes %s", run->workers[0].images.payload_len, text ? "text" : "binary");
    if (options->stream)
        printf(", window %u", options->window);
    if (options->rate > 0)
        printf(", %.0f/s due", options->rate);
    printf("%s%s\n", options->deflate ? ", deflate" : "", options->url.secure ? ", TLS" : "");
    printf("  %.2f s after %.2f s of warm-up; %u %s on %s\n\n", seconds_of(run->measured_ns),
           seconds_of(options->warmup_ns), options->workers,
           options->workers == 1 ? "worker" : "workers", run->loop_name);
}

static void print_latency(const struct bench_run *run)
{
    const struct weft_histogram *latency = &run->total.latency;
    printf("  latency, us   p50 %.1f   p90 %.1f   p99 %.1f   p99.9 %.1f   max %.1f   mean %.1f\n",
           us(weft__histogram_quantile(latency, 0.5)), us(weft__histogram_quantile(latency, 0.9)),
           us(weft__histogram_quantile(latency, 0.99)),
           us(weft__histogram_quantile(latency, 0.999)), us(latency->max),
           weft__histogram_mean(latency) / 1000);
    if (run->options->stream)
        printf("                of the %" PRIu64 " streams that ended, %s\n", run->total.streams,
               run->options->rate > 0 ? "from when each was due" : "from calling");
    else if (run->options->rate > 0)
        printf("                from when each was due\n");
    else if (run->options->scenario == BENCH_STORM)
        printf("                closed loop: from connecting to the answer\n");
    else
        printf("                closed loop: from sending, which waits for earlier answers\n");
}

static void print_errors(const struct bench_run *run)
{
    uint64_t sum = bench_error_sum(&run->total);
    printf("  errors        %" PRIu64, sum);
    for (int i = 0; i < BENCH_ERROR_COUNT; i++)
        if (run->total.errors[i])
            printf("   %s %" PRIu64, error_names[i], run->total.errors[i]);
    printf("\n");
    if (sum)
        printf("                first: %s\n", run->first_error);
}

void bench_report_table(const struct bench_run *run)
{
    const struct bench_options *options = run->options;
    char a[32];
    char b[32];
    print_settings(run);
    if (options->scenario != BENCH_IDLE) {
        printf("  %-13s %s   %s/s\n", noun(options), grouped(run->total.messages, a),
               grouped((uint64_t)(per_second(run, run->total.messages) + 0.5), b));
        print_latency(run);
    }
    if (options->scenario != BENCH_STORM)
        printf("  connections   %u open, in %.3f s\n", run->opened, seconds_of(run->connect_ns));
    printf("  bytes         %s in, %s out\n", grouped(run->total.bytes_in, a),
           grouped(run->total.bytes_out, b));
    if (server_cpu_ns(run) >= 0)
        printf("  server CPU    %.3f s, %.0f ns a message\n", seconds_of(run->server_cpu_ns),
               server_cpu_ns(run));
    if (server_bytes(run) >= 0)
        printf("  server memory %.0f bytes a connection\n", server_bytes(run));
    printf("  client CPU    %.3f s\n", seconds_of(run->client_cpu_ns));
    print_errors(run);
}

/* ---- JSON ---- */

/* |number| with |digits| decimals; null when it is negative, which is to say: unknown. */
static void put_number(struct weft_json_writer *w, const char *key, double number, int digits)
{
    char text[64];
    weft__json_key(w, key);
    if (number < 0) {
        weft__json_put_null(w);
        return;
    }
    (void)snprintf(text, sizeof(text), "%.*f", digits, number);
    weft__json_put_raw(w, weft__slice_str(text));
}

static void put_u64(struct weft_json_writer *w, const char *key, uint64_t number)
{
    weft__json_key(w, key);
    weft__json_put_u64(w, number);
}

static void put_string(struct weft_json_writer *w, const char *key, const char *value)
{
    weft__json_key(w, key);
    weft__json_put_str(w, value);
}

static void put_latency(struct weft_json_writer *w, const struct weft_histogram *latency)
{
    weft__json_key(w, "latency_us");
    weft__json_begin_object(w);
    put_number(w, "p50", us(weft__histogram_quantile(latency, 0.5)), 3);
    put_number(w, "p90", us(weft__histogram_quantile(latency, 0.9)), 3);
    put_number(w, "p99", us(weft__histogram_quantile(latency, 0.99)), 3);
    put_number(w, "p999", us(weft__histogram_quantile(latency, 0.999)), 3);
    put_number(w, "max", us(latency->max), 3);
    put_number(w, "mean", weft__histogram_mean(latency) / 1000, 3);
    weft__json_end_object(w);
}

static void put_errors(struct weft_json_writer *w, const struct bench_run *run)
{
    put_u64(w, "errors", bench_error_sum(&run->total));
    weft__json_key(w, "error_counts");
    weft__json_begin_object(w);
    for (int i = 0; i < BENCH_ERROR_COUNT; i++)
        put_u64(w, error_names[i], run->total.errors[i]);
    weft__json_end_object(w);
    weft__json_key(w, "first_error");
    if (run->first_error[0])
        weft__json_put_str(w, run->first_error);
    else
        weft__json_put_null(w);
}

static void put_run(struct weft_json_writer *w, const struct bench_run *run)
{
    const struct bench_options *options = run->options;
    weft__json_begin_object(w);
    put_string(w, "scenario", options->scenario_name);
    put_string(w, "url", options->url_text);
    put_u64(w, "connections", options->connections);
    put_u64(w, "opened", run->opened);
    put_u64(w, "depth", options->depth);
    put_u64(w, "size", run->workers[0].images.payload_len);
    put_number(w, "rate", options->rate > 0 ? options->rate : -1, 3);
    put_number(w, "duration_s", seconds_of(run->measured_ns), 3);
    put_number(w, "connect_s", seconds_of(run->connect_ns), 3);
    weft__json_key(w, "wire");
    if (options->rpc)
        weft__json_put_str(w, options->wire->name);
    else
        weft__json_put_null(w);
    put_number(w, "streams", options->stream ? (double)run->total.streams : -1, 0);
    put_u64(w, "messages", run->total.messages);
    put_number(w, "messages_per_s", per_second(run, run->total.messages), 1);
    put_u64(w, "bytes_in", run->total.bytes_in);
    put_u64(w, "bytes_out", run->total.bytes_out);
    put_latency(w, &run->total.latency);
    put_string(w, "latency_from", options->rate > 0 ? "due" : "sent");
    put_errors(w, run);
    put_number(w, "server_cpu_ns_per_message", server_cpu_ns(run), 1);
    put_number(w, "server_bytes_per_connection", server_bytes(run), 1);
    put_number(w, "client_cpu_s", seconds_of(run->client_cpu_ns), 3);
    put_u64(w, "workers", options->workers);
    put_string(w, "loop", run->loop_name);
    weft__json_end_object(w);
}

void bench_report_json(const struct bench_run *run)
{
    struct weft_bytes out;
    struct weft_json_writer writer;
    weft__bytes_init(&out, weft_alloc_default(), SIZE_MAX);
    weft__json_writer_init(&writer, &out);
    put_run(&writer, run);
    weft__bytes_append_byte(&out, '\n');
    if (!weft__bytes_error(&out))
        (void)fwrite(out.ptr, 1, out.len, stdout);
    weft__bytes_done(&out);
}
