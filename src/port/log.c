/* SPDX-License-Identifier: Apache-2.0 */
/* Formatting of log lines, so that a sink gets finished text. */
#include "port/log.h"

#include <stdarg.h>
#include <stdio.h>

enum { LOG_LINE = 1000 };

void weft__log(const struct weft_log *log, enum weft_log_level level, const char *fmt, ...)
{
    if (!log || !log->write || level > log->level)
        return;
    char line[LOG_LINE];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    if (len < 0)
        return;
    for (char *p = line; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?'; /* What peers sent must not forge lines or terminal sequences. */
    log->write(log->ctx, level, line);
}
