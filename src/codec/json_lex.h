/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scalars of JSON, private to the codec: what json_parse.c does not see of strings and numbers.
 * A lexer is a window on the text. Where scanning stands is passed from function to function, so
 * that it stays in a register: each takes the place |at| and returns the one behind what it read,
 * or NULL when it failed and left a description in |error|.
 */
#ifndef WEFT_CODEC_JSON_LEX_H
#define WEFT_CODEC_JSON_LEX_H

#include "codec/json.h"
#include "codec/json_scan.h"

/* Private bits of weft_json.flags. */
enum {
    WEFT_JSON_FLAG_INTEGER = 1,     /* a number kept in as.integer */
    WEFT_JSON_FLAG_UNIQUE_KEYS = 2, /* an object known to have no key twice */
    WEFT_JSON_FLAG_DIGITS = 4,      /* an integer without fraction and exponent, and short */
};

struct weft_json_lexer {
    const uint8_t *begin;
    const uint8_t *end;
    bool text_is_utf8;
    struct weft_arena *arena;
    struct weft_json_error error;
};

/* Notes what is wrong at |place|, a pointer into the text. Returns NULL, for `return …_fail(…)`,
 * where that means false, too. */
const uint8_t *weft__json_lex_fail(struct weft_json_lexer *lexer, enum weft_json_fault fault,
                                   const uint8_t *place, const char *message);

/* As weft__json_lex_fail for something unexpected at |at|: says "truncated" at the end of text. */
const uint8_t *weft__json_lex_unexpected(struct weft_json_lexer *lexer, const uint8_t *at,
                                         const char *message);

/* Read the string whose opening quote is at |at|, or the number that begins there with a minus sign
 * or a digit, into |ret_value|: any of them, those that are wrong included. */
const uint8_t *weft__json_lex_any_string(struct weft_json_lexer *lexer, const uint8_t *at,
                                         struct weft_json *ret_value);
const uint8_t *weft__json_lex_any_number(struct weft_json_lexer *lexer, const uint8_t *at,
                                         struct weft_json *ret_value);

/* As weft__json_lex_any_string, for the usual ones inline. */
static WEFT_ALWAYS_INLINE const uint8_t *
weft__json_lex_string(struct weft_json_lexer *lexer, const uint8_t *at, struct weft_json *ret_value)
{
    const uint8_t *close =
        weft__json_scan_string(lexer->begin, at + 1, lexer->end, lexer->text_is_utf8);
    if (WEFT_UNLIKELY(!close))
        return weft__json_lex_any_string(lexer, at, ret_value);
    uint32_t raw_len = (uint32_t)(close + 1 - at);
    *ret_value = (struct weft_json){.type = WEFT_JSON_STRING,
                                    .span = 1,
                                    .count = raw_len - 2,
                                    .raw_len = raw_len,
                                    .raw = at,
                                    .as.string = at + 1};
    return close + 1;
}

/* As weft__json_lex_any_number, for the usual ones inline. */
static WEFT_ALWAYS_INLINE const uint8_t *
weft__json_lex_number(struct weft_json_lexer *lexer, const uint8_t *at, struct weft_json *ret_value)
{
    int64_t integer;
    const uint8_t *behind = weft__json_scan_integer(at, lexer->end, &integer);
    if (WEFT_UNLIKELY(!behind))
        return weft__json_lex_any_number(lexer, at, ret_value);
    *ret_value = (struct weft_json){.type = WEFT_JSON_NUMBER,
                                    .flags = WEFT_JSON_FLAG_INTEGER | WEFT_JSON_FLAG_DIGITS,
                                    .span = 1,
                                    .raw_len = (uint32_t)(behind - at),
                                    .raw = at,
                                    .as.integer = integer};
    return behind;
}

/* Parses the value that begins at |at|, inside |depth| containers, by |options|. The limit of
 * values counts those of this one alone. */
const uint8_t *weft__json_lex_value(struct weft_json_lexer *lexer, const uint8_t *at,
                                    const struct weft_json_options *options, uint32_t depth,
                                    const struct weft_json **ret_value);

/*
 * The double nearest to |digits| × 10^|exponent|, correctly rounded; infinity when it is too large.
 * |count| ≥ 1 decimal digits without leading zeroes. Independent of the locale.
 */
double weft__json_decimal_to_double(const char *digits, size_t count, int64_t exponent);

/* Eight bytes as a little-endian number, whatever the machine; compilers make it one load. */
static inline uint64_t weft__json_load64(const uint8_t *p)
{
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 |
           (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 |
           (uint64_t)p[7] << 56;
}

#endif
