/* SPDX-License-Identifier: Apache-2.0 */
/* Formatting of log lines, so that a sink gets finished text. */
#include "port/log.h"

#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>

enum { LOG_LINE = 1000 };

/* Shortens |line|, whose end was cut off behind |len| bytes, by the beginning of a character. */
static void cut_at_character(char *line, size_t len)
{
    size_t at = len;
    while (at > 0 && len - at < 4 && ((unsigned char)line[at - 1] & 0xc0) == 0x80)
        at--;
    if (at == 0 || (unsigned char)line[at - 1] < 0xc0)
        return;
    if (at - 1 + weft__utf8_lead_len((uint8_t)line[at - 1]) > len)
        line[at - 1] = '\0';
}

/* What peers sent must not forge lines or terminal sequences: neither with the control characters
 * of ASCII nor with U+0080 to U+009F, which are C2 80 to C2 9F. */
static void replace_controls(char *line)
{
    for (unsigned char *p = (unsigned char *)line; *p; p++) {
        if (*p < 0x20 || *p == 0x7f)
            *p = '?';
        if (*p == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f)
            p[0] = p[1] = '?';
    }
}

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
    if ((size_t)len >= sizeof(line))
        cut_at_character(line, sizeof(line) - 1);
    replace_controls(line);
    log->write(log->ctx, level, line);
}
