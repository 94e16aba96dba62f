/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scanning what most JSON consists of: strings without escapes and short integers, as inline
 * functions for the loops that read millions of them. Whatever is not so simple, faults among it,
 * they leave to codec/json_lex.h. **Thread:** any.
 */
#ifndef WEFT_CODEC_JSON_SCAN_H
#define WEFT_CODEC_JSON_SCAN_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { WEFT_JSON_SHORT_DIGITS = 18 /* any integer of so many digits fits int64_t */ };

#if WEFT_HAS_U8X16
/* Bit i says of the i-th of the sixteen bytes at |at| that it is a quote, a backslash, a control
 * character or, unless |utf8|, not ASCII. */
static inline unsigned weft__json_string_stops16(const uint8_t *at, bool utf8)
{
    weft__u8x16 v;
    memcpy(&v, at, sizeof(v));
    weft__u8x16 stops = (weft__u8x16)((v == '"') | (v == '\\') | (v < 0x20));
    return weft__u8x16_mask(utf8 ? stops : stops | v);
}
#endif

/* As weft__json_scan_string, where fewer than sixteen bytes are left or can be compared. */
const uint8_t *weft__json_scan_string_end(const uint8_t *at, const uint8_t *end, bool utf8);

/* The closing quote of the string whose first byte behind the opening one is at |at|, when there is
 * nothing but ASCII between them, or |utf8|, what has been checked; and no escape. Else NULL.
 * |begin|: where the text begins, of which |at| is a part. */
static WEFT_ALWAYS_INLINE const uint8_t *
weft__json_scan_string(const uint8_t *begin, const uint8_t *at, const uint8_t *end, bool utf8)
{
#if WEFT_HAS_U8X16
    unsigned stops = 0;
    for (; end - at >= 16; at += 16) {
        stops = weft__json_string_stops16(at, utf8);
        if (stops)
            break;
    }
    /* The last sixteen bytes, without those before |at|. */
    if (!stops && end - begin >= 16)
        stops = weft__json_string_stops16(end - 16, utf8) >> (16 - (end - at));
    if (stops) {
        at += weft__ctz_u64(stops);
        return *at == '"' ? at : NULL;
    }
#else
    (void)begin;
#endif
    return weft__json_scan_string_end(at, end, utf8);
}

/* Whether |byte| behind digits belongs to the number, too. */
static inline bool weft__json_number_goes_on(uint8_t byte)
{
    return (unsigned)byte - '0' <= 9 || byte == '.' || (byte | 0x20) == 'e';
}

/* Reads the integer at |at|. Returns where it ends, or NULL for anything but an integer of few
 * digits. */
static inline const uint8_t *weft__json_scan_integer(const uint8_t *at, const uint8_t *end,
                                                     int64_t *ret_integer)
{
    bool negative = at < end && *at == '-';
    const uint8_t *digits = at + negative;
    const uint8_t *most =
        end - digits > WEFT_JSON_SHORT_DIGITS ? digits + WEFT_JSON_SHORT_DIGITS : end;
    int64_t integer = 0;
    for (at = digits; at < most && *at >= '0' && *at <= '9'; ++at)
        integer = integer * 10 + (*at - '0');
    /* RFC 8259 §6: no zero before other digits. */
    if (at == digits || (at < end && weft__json_number_goes_on(*at)) ||
        (*digits == '0' && at > digits + 1))
        return NULL;
    *ret_integer = negative ? -integer : integer;
    return at;
}

#endif
