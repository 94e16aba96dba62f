/* SPDX-License-Identifier: Apache-2.0 */
/* Writing JSON. Two bit masks, one bit a level, are all the state that commas and nesting need. */
#include "base/assert.h"
#include "base/utf8.h"
#include "codec/json_lex.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

/* The first failure stays. */
static void set_error(struct weft_bytes *out, int err)
{
    if (!out->err)
        out->err = err;
}

static inline uint64_t level_bit(const struct weft_json_writer *w)
{
    return (uint64_t)1 << (w->depth - 1);
}

/* Writes the comma before an element or key, if there is one before it. */
static inline void separate(struct weft_json_writer *w)
{
    if (w->has_items & level_bit(w))
        weft__bytes_append_byte(w->out, ',');
    w->has_items |= level_bit(w);
}

/* Called before every value: nothing at the top or behind a key, a comma between elements. */
static inline void begin_value(struct weft_json_writer *w)
{
    if (w->after_key) {
        w->after_key = false;
        return;
    }
    if (w->depth == 0)
        return;
    WEFT_ASSERT(!(w->in_object & level_bit(w)));
    separate(w);
}

static void open_container(struct weft_json_writer *w, uint8_t bracket, bool is_object)
{
    begin_value(w);
    WEFT_ASSERT(w->depth < WEFT_JSON_WRITER_DEPTH);
    ++w->depth;
    w->has_items &= ~level_bit(w);
    w->in_object = is_object ? w->in_object | level_bit(w) : w->in_object & ~level_bit(w);
    weft__bytes_append_byte(w->out, bracket);
}

static void close_container(struct weft_json_writer *w, uint8_t bracket, bool is_object)
{
    WEFT_ASSERT(w->depth > 0 && !w->after_key);
    WEFT_ASSERT(!!(w->in_object & level_bit(w)) == is_object);
    --w->depth;
    weft__bytes_append_byte(w->out, bracket);
}

void weft__json_begin_object(struct weft_json_writer *w)
{
    open_container(w, '{', true);
}

void weft__json_end_object(struct weft_json_writer *w)
{
    close_container(w, '}', true);
}

void weft__json_begin_array(struct weft_json_writer *w)
{
    open_container(w, '[', false);
}

void weft__json_end_array(struct weft_json_writer *w)
{
    close_container(w, ']', false);
}

static void append_escape(struct weft_bytes *out, uint8_t byte)
{
    static const char hex[] = "0123456789abcdef";
    static const char letters[32] = {
        ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    if (byte >= 0x20 || letters[byte]) {
        const char pair[2] = {'\\', byte >= 0x20 ? (char)byte : letters[byte]};
        weft__bytes_append(out, pair, sizeof(pair));
        return;
    }
    const char unit[6] = {'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]};
    weft__bytes_append(out, unit, sizeof(unit));
}

static inline bool needs_escape(uint8_t byte)
{
    return byte < 0x20 || byte == '"' || byte == '\\';
}

static void append_string(struct weft_bytes *out, struct weft_slice string)
{
    if (!weft__utf8_valid(string.ptr, string.len)) {
        set_error(out, WEFT_ERR_UTF8);
        return;
    }
    weft__bytes_append_byte(out, '"');
    size_t done = 0;
    for (size_t i = 0; i < string.len; ++i) {
        if (!needs_escape(string.ptr[i]))
            continue;
        weft__bytes_append(out, string.ptr + done, i - done);
        append_escape(out, string.ptr[i]);
        done = i + 1;
    }
    if (done < string.len)
        weft__bytes_append(out, string.ptr + done, string.len - done);
    weft__bytes_append_byte(out, '"');
}

void weft__json_key_slice(struct weft_json_writer *w, struct weft_slice key)
{
    WEFT_ASSERT(w->depth > 0 && (w->in_object & level_bit(w)) && !w->after_key);
    separate(w);
    append_string(w->out, key);
    weft__bytes_append_byte(w->out, ':');
    w->after_key = true;
}

void weft__json_key(struct weft_json_writer *w, const char *key)
{
    weft__json_key_slice(w, weft__slice_str(key));
}

void weft__json_put_null(struct weft_json_writer *w)
{
    begin_value(w);
    weft__bytes_append(w->out, "null", 4);
}

void weft__json_put_bool(struct weft_json_writer *w, bool value)
{
    begin_value(w);
    weft__bytes_append_str(w->out, value ? "true" : "false");
}

void weft__json_put_i64(struct weft_json_writer *w, int64_t value)
{
    begin_value(w);
    weft__bytes_append_i64(w->out, value);
}

void weft__json_put_u64(struct weft_json_writer *w, uint64_t value)
{
    begin_value(w);
    weft__bytes_append_u64(w->out, value);
}

void weft__json_put_string(struct weft_json_writer *w, struct weft_slice value)
{
    begin_value(w);
    append_string(w->out, value);
}

void weft__json_put_str(struct weft_json_writer *w, const char *value)
{
    weft__json_put_string(w, weft__slice_str(value));
}

void weft__json_put_raw(struct weft_json_writer *w, struct weft_slice json)
{
    begin_value(w);
    weft__bytes_append_slice(w->out, json);
}

/* ---- doubles ---- */

enum { DOUBLE_DIGITS = 17 /* as many tell any two doubles apart */ };

/* A positive double as 0.DIGITS × 10^point. */
struct short_double {
    char digits[DOUBLE_DIGITS];
    int count;
    int point;
};

/* Takes digits and exponent out of the form that "%.*e" prints, whatever the decimal point of the
 * locale looks like. */
static void read_scientific(const char *text, struct short_double *ret_short)
{
    ret_short->count = 0;
    for (; *text != 'e'; ++text) {
        if (*text >= '0' && *text <= '9')
            ret_short->digits[ret_short->count++] = *text;
    }
    bool negative = text[1] == '-';
    int exponent = 0;
    for (text += 2; *text; ++text)
        exponent = exponent * 10 + (*text - '0');
    ret_short->point = (negative ? -exponent : exponent) + 1;
    while (ret_short->count > 1 && ret_short->digits[ret_short->count - 1] == '0')
        --ret_short->count;
}

/* The shortest digits that read back as |value| > 0. */
static struct short_double shorten(double value)
{
    struct short_double s = {.count = 0};
    /* 15 digits survive a trip through any double but the subnormal ones. */
    for (int digits = value < DBL_MIN ? 1 : DBL_DIG; digits <= DOUBLE_DIGITS; ++digits) {
        char text[64];
        snprintf(text, sizeof(text), "%.*e", digits - 1, value);
        read_scientific(text, &s);
        double back =
            weft__json_decimal_to_double(s.digits, (size_t)s.count, (int64_t)s.point - s.count);
        if (!(back < value) && !(back > value))
            break;
    }
    return s;
}

static void append_zeroes(struct weft_bytes *out, int count)
{
    for (int i = 0; i < count; ++i)
        weft__bytes_append_byte(out, '0');
}

/* The layout of ECMA-262, Number::toString, so that servers and browsers print alike. */
static void append_short_double(struct weft_bytes *out, const struct short_double *s)
{
    size_t count = (size_t)s->count;
    if (s->point > 21 || s->point < -5) {
        weft__bytes_append(out, s->digits, 1);
        if (count > 1) {
            weft__bytes_append_byte(out, '.');
            weft__bytes_append(out, s->digits + 1, count - 1);
        }
        weft__bytes_append_str(out, s->point > 0 ? "e+" : "e");
        weft__bytes_append_i64(out, s->point - 1);
    } else if (s->point <= 0) {
        weft__bytes_append_str(out, "0.");
        append_zeroes(out, -s->point);
        weft__bytes_append(out, s->digits, count);
    } else if (s->point >= s->count) {
        weft__bytes_append(out, s->digits, count);
        append_zeroes(out, s->point - s->count);
    } else {
        size_t whole = (size_t)s->point;
        weft__bytes_append(out, s->digits, whole);
        weft__bytes_append_byte(out, '.');
        weft__bytes_append(out, s->digits + whole, count - whole);
    }
}

void weft__json_put_double(struct weft_json_writer *w, double value)
{
    begin_value(w);
    if (!isfinite(value)) {
        set_error(w->out, WEFT_ERR_USAGE);
        return;
    }
    if (signbit(value))
        weft__bytes_append_byte(w->out, '-');
    value = fabs(value);
    if (value < 0x1p53 && (double)(uint64_t)value >= value) {
        weft__bytes_append_u64(w->out, (uint64_t)value);
        return;
    }
    struct short_double s = shorten(value);
    append_short_double(w->out, &s);
}
