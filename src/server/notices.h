/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker says and counts when somebody runs into a limit. Every time is counted; a line is
 * written at most once a second for each limit, so that a flood does not become a flood of lines:
 *
 *   limit.reached limit=max_control peer=192.0.2.7
 *   limit.reached limit=max_control peer=192.0.2.9 more=41873    (not written since the last line)
 *
 * **Thread:** the worker's.
 */
#ifndef WEFT_SERVER_NOTICES_H
#define WEFT_SERVER_NOTICES_H

#include "port/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(identifier, name, level). The names stand in logs and metrics and in docs/guides/limits.md. The
 * first are enum weft_transport_limit, in its order. */
#define WEFT_LIMIT_TABLE(X)                                                                        \
    X(HANDSHAKE, "handshake_ms", INFO)                                                             \
    X(HEAD, "head", WARN)                                                                          \
    X(MESSAGE, "max_message", WARN)                                                                \
    X(FRAGMENTS, "max_fragments", WARN)                                                            \
    X(CONTROL, "max_control", WARN)                                                                \
    X(SLOW, "message_ms", WARN)                                                                    \
    X(SILENCE, "pings_missed", INFO)                                                               \
    X(STALL, "stall_ms", WARN)                                                                     \
    X(UNSENT, "max_unsent", WARN)                                                                  \
    X(CONNECTIONS, "max_connections", WARN)                                                        \
    X(ADDRESS, "max_per_address", WARN)                                                            \
    X(ACCEPTS, "max_accepts", WARN)                                                                \
    X(PROXIES, "trusted_proxies", WARN)                                                            \
    X(DESCRIPTORS, "descriptors", ERROR)                                                           \
    X(WAITING, "waiting_sessions", WARN)                                                           \
    X(EVICTED, "evicted", WARN)                                                                    \
    X(MEMORY_CONNECT, "memory_connect", WARN)                                                      \
    X(MEMORY_DOCUMENT, "memory_document", WARN)                                                    \
    X(MEMORY_SHED, "memory_shed", WARN)                                                            \
    X(MEMORY_SPENT, "memory_spent", ERROR)

enum weft_limit {
#define WEFT_LIMIT_ENUM(id, name, level) WEFT_LIMIT_##id,
    WEFT_LIMIT_TABLE(WEFT_LIMIT_ENUM)
#undef WEFT_LIMIT_ENUM
        WEFT_LIMIT_COUNT
};

/* The name of |limit|. **Lifetime:** static. */
const char *weft__limit_name(enum weft_limit limit);

struct weft_notices {
    const struct weft_log *log;
    uint64_t counts[WEFT_LIMIT_COUNT]; /* times each limit was reached; others may read it */
    uint64_t held[WEFT_LIMIT_COUNT];   /* of these, not written of */
    uint64_t due_ns[WEFT_LIMIT_COUNT]; /* when the next line may be written */
};

/* Nothing was reached yet. |log| must outlive |notices|. */
void weft__notices_init(struct weft_notices *notices, const struct weft_log *log);

/* Counts |times| more times that |limit| was reached. True when a line may be written: then the
 * caller calls weft__notice_write. */
bool weft__notice(struct weft_notices *notices, enum weft_limit limit, uint64_t times,
                  uint64_t now_ns);

/* Writes the line for |limit| with |detail|, which may be NULL. */
void weft__notice_write(struct weft_notices *notices, enum weft_limit limit,
                        const struct weft_log_field *detail);

/* Writes the lines that were held back and are due. Called about once a second. */
void weft__notices_tick(struct weft_notices *notices, uint64_t now_ns);

#endif
