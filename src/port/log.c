/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines: one event as text or JSON in a buffer on the stack, complete or cut at a field. */
#include "port/log.h"

#include "base/utf8.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    TAIL = 24, /* room kept for ,"truncated":true} and the zero */
    TIME_SIZE = 32,
};

static const char REPLACEMENT[] = "\xef\xbf\xbd"; /* U+FFFD */

/* The line being made. What does not fit sets |full| and is rolled back by the caller. */
struct line {
    char text[WEFT_LOG_LINE_MAX + 1];
    size_t len;
    size_t limit;
    bool full;
};

static void put(struct line *line, const void *bytes, size_t len)
{
    if (line->full || len > line->limit - line->len) {
        line->full = true;
        return;
    }
    memcpy(line->text + line->len, bytes, len);
    line->len += len;
}

static void put_str(struct line *line, const char *text)
{
    put(line, text, strlen(text));
}

/* ---- Time ---- */

/* The Gregorian date of a day counted from 1970-01-01, by eras of 400 years that begin in March. */
static void date_of(uint64_t day, unsigned *ret_year, unsigned *ret_month, unsigned *ret_day)
{
    enum { DAYS_TO_1970 = 719468, ERA_DAYS = 146097 };
    uint64_t era = (day + DAYS_TO_1970) / ERA_DAYS;
    unsigned of_era = (unsigned)((day + DAYS_TO_1970) % ERA_DAYS);
    unsigned year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    unsigned of_year = of_era - (365 * year + year / 4 - year / 100);
    unsigned month = (5 * of_year + 2) / 153; /* 0: March */
    *ret_day = of_year - (153 * month + 2) / 5 + 1;
    *ret_month = month < 10 ? month + 3 : month - 9;
    *ret_year = (unsigned)(era * 400) + year + (*ret_month <= 2);
}

static void put_time(struct line *line, const struct weft_clock *clock)
{
    enum { MS_A_DAY = 86400000 };
    char text[TIME_SIZE * 2];
    uint64_t now = weft__clock_wall_ms(clock);
    unsigned rest = (unsigned)(now % MS_A_DAY);
    unsigned year;
    unsigned month;
    unsigned day;
    date_of(now / MS_A_DAY, &year, &month, &day);
    snprintf(text, sizeof(text), "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", year, month, day,
             rest / 3600000, rest / 60000 % 60, rest / 1000 % 60, rest % 1000);
    put_str(line, text);
}

/* ---- Strings ---- */

/* Bytes of the valid character at the front of |text|, 0 when it is none. */
static size_t character_len(struct weft_slice text)
{
    size_t len = text.ptr[0] < 0xc2 ? 1 : weft__utf8_lead_len(text.ptr[0]);
    return len <= text.len && weft__utf8_valid(text.ptr, len) ? len : 0;
}

/* Characters that a terminal or a reader could take for something else: C0, DEL, C1, line and
 * paragraph separators, and those that change the direction of writing. */
static bool is_dangerous(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x200e || c == 0x200f || c == 0x061c ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

static void put_escaped(struct line *line, struct weft_slice text)
{
    bool cut = text.len > WEFT_LOG_STRING_MAX;
    size_t end = cut ? WEFT_LOG_STRING_MAX : text.len;
    for (size_t at = 0; at < end;) {
        size_t len = character_len(weft__slice(text.ptr + at, text.len - at));
        uint32_t c = len ? weft__utf8_decode(text.ptr + at) : 0;
        char escape[16];
        snprintf(escape, sizeof(escape), "\\u%04" PRIx32, c);
        if (!len)
            put_str(line, REPLACEMENT);
        else if (c == '"' || c == '\\')
            put_str(line, c == '"' ? "\\\"" : "\\\\");
        else if (c == '\n')
            put_str(line, "\\n");
        else if (is_dangerous(c))
            put_str(line, escape);
        else
            put(line, text.ptr + at, len);
        at += len ? len : 1;
    }
    if (cut)
        put_str(line, "...");
}

/* Whether |text| may stand without quotes. */
static bool is_plain(struct weft_slice text)
{
    static const char marks[] = "._-:/@+,%[]~*";
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     (c && strchr(marks, c));
        if (!plain)
            return false;
    }
    return text.len > 0 && text.len <= WEFT_LOG_STRING_MAX;
}

/* ---- Lines ---- */

static void put_value(struct line *line, const struct weft_log_field *field, bool json)
{
    char number[TIME_SIZE];
    switch (field->type) {
    case WEFT_LOG_STRING: {
        bool bare = !json && is_plain(field->as.string);
        put_str(line, bare ? "" : "\"");
        put_escaped(line, field->as.string);
        put_str(line, bare ? "" : "\"");
        return;
    }
    case WEFT_LOG_BOOL:
        put_str(line, field->as.boolean ? "true" : "false");
        return;
    case WEFT_LOG_I64:
        snprintf(number, sizeof(number), "%" PRId64, field->as.i64);
        break;
    case WEFT_LOG_U64:
        snprintf(number, sizeof(number), "%" PRIu64, field->as.u64);
        break;
    }
    put_str(line, number);
}

static void put_key(struct line *line, const char *key, bool json)
{
    put_str(line, json ? ",\"" : " ");
    put_str(line, key);
    put_str(line, json ? "\":" : "=");
}

static void put_head(struct line *line, const struct weft_log *log, enum weft_log_level level,
                     const char *event)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    bool json = log->format == WEFT_LOG_JSON;
    put_str(line, json ? "{" : "");
    if (log->clock) {
        put_str(line, json ? "\"time\":\"" : "");
        put_time(line, log->clock);
        put_str(line, json ? "\"," : " ");
    }
    put_str(line, json ? "\"level\":\"" : "");
    put_str(line, names[level]);
    put_str(line, json ? "\",\"event\":\"" : " ");
    put_str(line, event);
    put_str(line, json ? "\"" : "");
}

void weft__log_event(const struct weft_log *log, enum weft_log_level level, const char *event,
                     const struct weft_log_field *fields, size_t count)
{
    if (!weft__log_wants(log, level))
        return;
    struct line line;
    bool json = log->format == WEFT_LOG_JSON;
    bool truncated = false;
    line.len = 0;
    line.limit = WEFT_LOG_LINE_MAX - TAIL;
    line.full = false;
    put_head(&line, log, level, event);
    for (size_t i = 0; i < count; i++) {
        size_t before = line.len;
        put_key(&line, fields[i].key, json);
        put_value(&line, &fields[i], json);
        if (line.full) { /* Whole or not at all: half a value would be a lie. */
            line.len = before;
            line.full = false;
            truncated = true;
        }
    }
    line.limit = WEFT_LOG_LINE_MAX;
    if (truncated)
        put_str(&line, json ? ",\"truncated\":true" : " truncated=true");
    put_str(&line, json ? "}" : "");
    line.text[line.len] = '\0';
    log->write(log->ctx, level, line.text);
}
