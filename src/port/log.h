/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the modules below the composition roots say what happened. They call weft__log with one
 * line of text in |msg| without a newline; who receives it adds time and level and writes it.
 * **Thread:** a sink is called from every thread and must be thread-safe.
 */
#ifndef WEFT_PORT_LOG_H
#define WEFT_PORT_LOG_H

#include "base/compiler.h"

enum weft_log_level {
    WEFT_LOG_ERROR, /* somebody has to act */
    WEFT_LOG_WARN,  /* odd, survived */
    WEFT_LOG_INFO,  /* start, stop, configuration */
    WEFT_LOG_DEBUG, /* every connection */
};

struct weft_log {
    void (*write)(void *ctx, enum weft_log_level level, const char *msg);
    void *ctx;
    enum weft_log_level level; /* lines above this one are dropped */
};

/* Formats one line, cut at 1,000 bytes. |log| may be NULL. */
void weft__log(const struct weft_log *log, enum weft_log_level level, const char *fmt, ...)
    WEFT_PRINTF(3, 4);

#endif
