/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strings of JSON. The closing quote is found first, eight bytes at a time; only a string that
 * holds an escape is decoded, into the arena. All others stay slices of the text.
 */
#include "codec/json_lex.h"

#include "base/utf8.h"

#define BYTES(b) (0x0101010101010101ull * (b))

/* The high bit of the first byte of |v| that is a quote, a backslash or a control character; bits
 * above the first may be wrong. Bytes from 0x80 up never are one. */
static inline uint64_t string_stops(uint64_t v)
{
    uint64_t quote = v ^ BYTES(0x22);
    uint64_t backslash = v ^ BYTES(0x5c);
    uint64_t hits = (quote - BYTES(1)) | (backslash - BYTES(1)) | (v - BYTES(0x20));
    return hits & ~v & BYTES(0x80);
}

/* The first quote, backslash or control character from |at| on, or |end|. Adds to |seen| the bits
 * of what lies before it. */
static inline const uint8_t *find_stop(const uint8_t *at, const uint8_t *end, uint64_t *seen)
{
    while (end - at >= 8) {
        uint64_t v = weft__json_load64(at);
        uint64_t stops = string_stops(v);
        *seen |= stops ? v & ((stops & (0 - stops)) - 1) : v;
        if (stops)
            return at + weft__ctz_u64(stops) / 8;
        at += 8;
    }
    while (at < end && *at >= 0x20 && *at != '"' && *at != '\\')
        *seen |= *at++;
    return at;
}

const uint8_t *weft__json_scan_string_end(const uint8_t *at, const uint8_t *end, bool utf8)
{
    uint64_t seen = 0;
    const uint8_t *stop = find_stop(at, end, &seen);
    bool plain = stop < end && *stop == '"' && (utf8 || !(seen & BYTES(0x80)));
    return plain ? stop : NULL;
}

/* The value of |digit|, or 16 when it is not hexadecimal. */
static uint32_t hex_digit(uint8_t digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - (uint32_t)'0';
    uint8_t lower = digit | 0x20;
    if (lower >= 'a' && lower <= 'f')
        return lower - (uint32_t)'a' + 10;
    return 16;
}

/* The four hexadecimal digits at |at|; a value above 0xffff when they are not there. */
static uint32_t hex_unit(const uint8_t *at, const uint8_t *end)
{
    if (end - at < 4)
        return UINT32_MAX;
    uint32_t unit = 0;
    for (int i = 0; i < 4; ++i) {
        uint32_t digit = hex_digit(at[i]);
        if (digit > 15)
            return UINT32_MAX;
        unit = unit << 4 | digit;
    }
    return unit;
}

/* Decodes the escape \uXXXX, or a pair of them, whose first digit is at |*at|. */
static bool decode_unicode(struct weft_json_lexer *lexer, const uint8_t **at, const uint8_t *end,
                           uint8_t **out)
{
    const uint8_t *digits = *at;
    uint32_t code = hex_unit(digits, end);
    if (code > 0xffff)
        return weft__json_lex_fail(lexer, WEFT_JSON_FAULT_SYNTAX, digits,
                                   "\\u needs four hexadecimal digits");
    *at = digits + 4;
    if (code >= 0xd800 && code <= 0xdfff) {
        /* RFC 8259 §7: a character outside the basic plane is a pair of escapes. §8.2 leaves a
         * lone half unpredictable; we refuse it, since no UTF-8 can carry it on. */
        uint32_t low = UINT32_MAX;
        if (code < 0xdc00 && end - *at >= 6 && (*at)[0] == '\\' && (*at)[1] == 'u')
            low = hex_unit(*at + 2, end);
        if (low < 0xdc00 || low > 0xdfff)
            return weft__json_lex_fail(lexer, WEFT_JSON_FAULT_SURROGATE, digits - 2,
                                       "half of a surrogate pair");
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        *at += 6;
    }
    *out += weft__utf8_encode(code, *out);
    return true;
}

/* The byte that the escape \|letter| stands for; 0 when there is no such escape. */
static uint8_t simple_escape(uint8_t letter)
{
    switch (letter) {
    case '"':
    case '\\':
    case '/':
        return letter;
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return 0;
    }
}

/* Decodes what is between the quotes, [at, end), into the arena. Never grows: an escape is longer
 * than what it stands for. */
static bool decode(struct weft_json_lexer *lexer, const uint8_t *at, const uint8_t *end,
                   struct weft_json *value)
{
    uint8_t *decoded = weft__arena_alloc(lexer->arena, (size_t)(end - at));
    if (!decoded)
        return weft__json_lex_fail(lexer, WEFT_JSON_FAULT_MEMORY, at, "out of memory");
    uint8_t *out = decoded;
    uint64_t seen = 0;
    while (at < end) {
        const uint8_t *stop = find_stop(at, end, &seen);
        weft__mem_copy(out, at, (size_t)(stop - at));
        out += stop - at;
        at = stop;
        if (at == end)
            break;
        uint8_t byte = simple_escape(at[1]);
        if (byte) {
            *out++ = byte;
            at += 2;
        } else if (at[1] != 'u') {
            return weft__json_lex_fail(lexer, WEFT_JSON_FAULT_SYNTAX, at, "no such escape");
        } else {
            at += 2;
            if (!decode_unicode(lexer, &at, end, &out))
                return false;
        }
    }
    value->as.string = decoded;
    value->count = (uint32_t)(out - decoded);
    return true;
}

/* The closing quote of the string whose first byte behind the opening one is at |at|. */
static const uint8_t *find_close(struct weft_json_lexer *lexer, const uint8_t *at, uint64_t *seen,
                                 bool *escaped)
{
    for (;;) {
        at = find_stop(at, lexer->end, seen);
        if (at == lexer->end)
            break;
        if (*at == '"')
            return at;
        if (*at != '\\')
            return weft__json_lex_fail(lexer, WEFT_JSON_FAULT_SYNTAX, at,
                                       "control character in a string");
        *escaped = true;
        if (lexer->end - at < 2)
            break;
        /* RFC 8259 §7: control characters must be escaped, and a backslash does not do that. */
        if (at[1] < 0x20)
            return weft__json_lex_fail(lexer, WEFT_JSON_FAULT_SYNTAX, at, "no such escape");
        at += 2;
    }
    return weft__json_lex_fail(lexer, WEFT_JSON_FAULT_TRUNCATED, lexer->end, "unfinished string");
}

const uint8_t *weft__json_lex_any_string(struct weft_json_lexer *lexer, const uint8_t *at,
                                         struct weft_json *ret_value)
{
    uint64_t seen = 0;
    bool escaped = false;
    const uint8_t *begin = at + 1;
    const uint8_t *close = find_close(lexer, begin, &seen, &escaped);
    if (!close)
        return NULL;
    size_t len = (size_t)(close - begin);
    if ((seen & BYTES(0x80)) && !lexer->text_is_utf8 && !weft__utf8_valid(begin, len))
        return weft__json_lex_fail(lexer, WEFT_JSON_FAULT_UTF8, at, "string is not UTF-8");
    *ret_value = (struct weft_json){.type = WEFT_JSON_STRING,
                                    .span = 1,
                                    .count = (uint32_t)len,
                                    .raw_len = (uint32_t)len + 2,
                                    .raw = at,
                                    .as.string = begin};
    return !escaped || decode(lexer, begin, close, ret_value) ? close + 1 : NULL;
}
