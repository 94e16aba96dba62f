/* SPDX-License-Identifier: Apache-2.0 */
/* The Prometheus text format. */
#include "server/metrics.h"

struct metric_text {
    const char *name;
    const char *type;
    const char *help;
};

static const struct metric_text METRICS[WEFT_METRIC_COUNT] = {
#define METRIC_TEXT(id, name, type, help) {name, type, help},
    WEFT_METRIC_TABLE(METRIC_TEXT)
#undef METRIC_TEXT
};

static void write_head(struct weft_bytes *out, const struct metric_text *text)
{
    weft__bytes_append_str(out, "# HELP ");
    weft__bytes_append_str(out, text->name);
    weft__bytes_append_byte(out, ' ');
    weft__bytes_append_str(out, text->help);
    weft__bytes_append_str(out, "\n# TYPE ");
    weft__bytes_append_str(out, text->name);
    weft__bytes_append_byte(out, ' ');
    weft__bytes_append_str(out, text->type);
    weft__bytes_append_byte(out, '\n');
}

void weft__metrics_write(struct weft_bytes *out, struct weft_metrics *const *metrics,
                         unsigned workers)
{
    for (unsigned i = 0; i < WEFT_METRIC_COUNT; i++) {
        write_head(out, &METRICS[i]);
        for (unsigned w = 0; w < workers; w++) {
            weft__bytes_append_str(out, METRICS[i].name);
            weft__bytes_append_str(out, "{worker=\"");
            weft__bytes_append_u64(out, w);
            weft__bytes_append_str(out, "\"} ");
            weft__bytes_append_u64(
                out, atomic_load_explicit(&metrics[w]->values[i], memory_order_relaxed));
            weft__bytes_append_byte(out, '\n');
        }
    }
}

void weft__metrics_write_limits(struct weft_bytes *out, struct weft_metrics *const *metrics,
                                unsigned workers)
{
    static const struct metric_text text = {"weft_limit_reached_total", "counter",
                                            "Times that a limit was reached"};
    write_head(out, &text);
    for (unsigned i = 0; i < WEFT_LIMIT_COUNT; i++)
        for (unsigned w = 0; w < workers; w++) {
            weft__bytes_append_str(out, text.name);
            weft__bytes_append_str(out, "{limit=\"");
            weft__bytes_append_str(out, weft__limit_name((enum weft_limit)i));
            weft__bytes_append_str(out, "\",worker=\"");
            weft__bytes_append_u64(out, w);
            weft__bytes_append_str(out, "\"} ");
            weft__bytes_append_u64(
                out, atomic_load_explicit(&metrics[w]->limits[i], memory_order_relaxed));
            weft__bytes_append_byte(out, '\n');
        }
}

void weft__metrics_write_answers(struct weft_bytes *out, struct weft_metrics *const *metrics,
                                 unsigned workers)
{
    static const struct metric_text text = {"weft_http_answers_total", "counter",
                                            "Answers to plain HTTP requests, by class of status"};
    write_head(out, &text);
    for (unsigned i = 2; i < WEFT_METRICS_ANSWERS; i++)
        for (unsigned w = 0; w < workers; w++) {
            weft__bytes_append_str(out, text.name);
            weft__bytes_append_str(out, "{class=\"");
            weft__bytes_append_u64(out, i);
            weft__bytes_append_str(out, "xx\",worker=\"");
            weft__bytes_append_u64(out, w);
            weft__bytes_append_str(out, "\"} ");
            weft__bytes_append_u64(
                out, atomic_load_explicit(&metrics[w]->answers[i], memory_order_relaxed));
            weft__bytes_append_byte(out, '\n');
        }
}

void weft__metrics_write_one(struct weft_bytes *out, const char *name, const char *type,
                             const char *help, uint64_t value)
{
    const struct metric_text text = {name, type, help};
    write_head(out, &text);
    weft__bytes_append_str(out, name);
    weft__bytes_append_byte(out, ' ');
    weft__bytes_append_u64(out, value);
    weft__bytes_append_byte(out, '\n');
}

void weft__metrics_append_seconds(struct weft_bytes *out, uint64_t ns)
{
    enum { DIGITS = 9 };
    char digits[DIGITS];
    uint64_t rest = ns % 1000000000;
    for (int i = DIGITS; i-- > 0; rest /= 10)
        digits[i] = (char)('0' + rest % 10);
    weft__bytes_append_u64(out, ns / 1000000000);
    weft__bytes_append_byte(out, '.');
    weft__bytes_append(out, digits, DIGITS);
}
