/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scanning what most JSON consists of: strings without escapes and short integers, as inline
 * functions for the loops that read millions of them. Whatever is not so simple, faults among it,
 * they leave to codec/json.h. **Thread:** any.
 */
#ifndef WEFT_CODEC_JSON_SCAN_H
#define WEFT_CODEC_JSON_SCAN_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stdint.h>

#define WEFT_JSON_BYTES(b) (UINT64_C(0x0101010101010101) * (b))

enum { WEFT_JSON_SHORT_DIGITS = 18 /* any integer of so many digits fits int64_t */ };

/* Eight bytes as a little-endian number, whatever the machine; compilers make it one load. */
static inline uint64_t weft__json_load64(const uint8_t *p)
{
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 |
           (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 |
           (uint64_t)p[7] << 56;
}

/* The high bit of the first byte of |v| that is a quote, a backslash or a control character; bits
 * above the first may be wrong. Bytes from 0x80 up never are one. */
static inline uint64_t weft__json_string_stops(uint64_t v)
{
    uint64_t quote = v ^ WEFT_JSON_BYTES(0x22);
    uint64_t backslash = v ^ WEFT_JSON_BYTES(0x5c);
    uint64_t hits = (quote - WEFT_JSON_BYTES(1)) | (backslash - WEFT_JSON_BYTES(1)) |
                    (v - WEFT_JSON_BYTES(0x20));
    return hits & ~v & WEFT_JSON_BYTES(0x80);
}

/* The first quote, backslash or control character from |at| on, or |end|. Adds to |seen| the bits
 * of what lies before it (and perhaps of a few bytes behind). */
static inline const uint8_t *weft__json_string_stop(const uint8_t *at, const uint8_t *end,
                                                    uint64_t *seen)
{
    while (end - at >= 8) {
        uint64_t v = weft__json_load64(at);
        uint64_t stops = weft__json_string_stops(v);
        *seen |= v;
        if (stops)
            return at + weft__ctz_u64(stops) / 8;
        at += 8;
    }
    while (at < end && *at >= 0x20 && *at != '"' && *at != '\\')
        *seen |= *at++;
    return at;
}

/* The closing quote of the string whose first byte behind the opening one is at |at|, when there is
 * nothing but ASCII between them, or |utf8|, what has been checked; and no escape. Else NULL. */
static inline const uint8_t *weft__json_scan_string(const uint8_t *at, const uint8_t *end,
                                                    bool utf8)
{
    uint64_t seen = 0;
    const uint8_t *stop = weft__json_string_stop(at, end, &seen);
    bool plain = stop < end && *stop == '"' && (utf8 || !(seen & WEFT_JSON_BYTES(0x80)));
    return plain ? stop : NULL;
}

/* Reads the integer at |at|, which ends before |end| does. Returns where it ends, or NULL for
 * anything but an integer of few digits. */
static inline const uint8_t *weft__json_scan_integer(const uint8_t *at, const uint8_t *end,
                                                     int64_t *ret_integer)
{
    bool negative = at < end && *at == '-';
    const uint8_t *digits = at + negative;
    const uint8_t *most =
        end - digits > WEFT_JSON_SHORT_DIGITS ? digits + WEFT_JSON_SHORT_DIGITS : end;
    int64_t integer = 0;
    unsigned digit = 0;
    for (at = digits; at < most && (digit = (unsigned)*at - '0') <= 9; ++at)
        integer = integer * 10 + digit;
    /* One more digit, a point or an exponent; RFC 8259 §6: no zero before other digits. */
    if (at == digits || at == end || digit <= 9 || *at == '.' || (*at | 0x20) == 'e' ||
        (*digits == '0' && at > digits + 1))
        return NULL;
    *ret_integer = negative ? -integer : integer;
    return at;
}

#endif
