/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the modules below the composition roots say what happened: an event with a stable dotted
 * name and typed fields. A log makes one complete line of it, which the sink only has to write.
 *
 *     WEFT_LOG(log, WEFT_LOG_INFO, "server.start", weft__log_str("address", address),
 *              weft__log_u64("workers", workers));
 *
 *   text: 2026-01-01T00:00:00.000Z info server.start address=127.0.0.1:8080 workers=2
 *   JSON: {"time":"2026-01-01T00:00:00.000Z","level":"info","event":"server.start",
 *          "address":"127.0.0.1:8080","workers":2}
 *
 * Nothing is allocated. What peers sent cannot forge lines, fields or terminal sequences: text
 * values that are not plain are quoted, control and format characters escaped, invalid UTF-8
 * replaced by U+FFFD. A string is cut behind WEFT_LOG_STRING_MAX bytes; fields that no longer fit
 * in WEFT_LOG_LINE_MAX are left out, and truncated=true says so. docs/guides/logging.md lists the
 * events.
 *
 * **Thread:** a sink is called from every thread and must be thread-safe.
 */
#ifndef WEFT_PORT_LOG_H
#define WEFT_PORT_LOG_H

#include "base/slice.h"
#include "port/clock.h"

enum {
    WEFT_LOG_STRING_MAX = 512, /* bytes of one value that are looked at */
    WEFT_LOG_LINE_MAX = 2048,  /* bytes of a line, without newline and zero */
};

enum weft_log_level {
    WEFT_LOG_ERROR, /* somebody has to act */
    WEFT_LOG_WARN,  /* odd, survived */
    WEFT_LOG_INFO,  /* start, stop, configuration */
    WEFT_LOG_DEBUG, /* every connection */
};

enum weft_log_format { WEFT_LOG_TEXT, WEFT_LOG_JSON };

struct weft_log {
    /* One line without newline, zero-terminated, valid during the call. */
    void (*write)(void *ctx, enum weft_log_level level, const char *line);
    void *ctx;
    enum weft_log_level level; /* lines above this one are dropped */
    enum weft_log_format format;
    const struct weft_clock *clock; /* NULL: lines have no time */
};

enum weft_log_type { WEFT_LOG_STRING, WEFT_LOG_I64, WEFT_LOG_U64, WEFT_LOG_BOOL };

/* Made by the functions below. Keys are literals of a-z, 0-9 and '_'. */
struct weft_log_field {
    const char *key;
    enum weft_log_type type;
    union {
        struct weft_slice string;
        int64_t i64;
        uint64_t u64;
        bool boolean;
    } as;
};

static inline struct weft_log_field weft__log_slice(const char *key, struct weft_slice value)
{
    return (struct weft_log_field){.key = key, .type = WEFT_LOG_STRING, .as.string = value};
}

static inline struct weft_log_field weft__log_str(const char *key, const char *value)
{
    return weft__log_slice(key, weft__slice_str(value));
}

static inline struct weft_log_field weft__log_i64(const char *key, int64_t value)
{
    return (struct weft_log_field){.key = key, .type = WEFT_LOG_I64, .as.i64 = value};
}

static inline struct weft_log_field weft__log_u64(const char *key, uint64_t value)
{
    return (struct weft_log_field){.key = key, .type = WEFT_LOG_U64, .as.u64 = value};
}

static inline struct weft_log_field weft__log_bool(const char *key, bool value)
{
    return (struct weft_log_field){.key = key, .type = WEFT_LOG_BOOL, .as.boolean = value};
}

/* Whether an event of |level| would be written; |log| may be NULL. */
static inline bool weft__log_wants(const struct weft_log *log, enum weft_log_level level)
{
    return log && log->write && level <= log->level;
}

/* Writes an event with |count| fields. |log| may be NULL. */
void weft__log_event(const struct weft_log *log, enum weft_log_level level, const char *event,
                     const struct weft_log_field *fields, size_t count);

/* The same with at least one field as an argument; none is evaluated when the event is dropped. */
#define WEFT_LOG(log, level, event, ...)                                                           \
    do {                                                                                           \
        const struct weft_log *weft_log_ = (log);                                                  \
        if (weft__log_wants(weft_log_, (level))) {                                                 \
            const struct weft_log_field weft_log_fields_[] = {__VA_ARGS__};                        \
            weft__log_event(weft_log_, (level), (event), weft_log_fields_,                         \
                            WEFT_ARRAY_LEN(weft_log_fields_));                                     \
        }                                                                                          \
    } while (0)

#endif
