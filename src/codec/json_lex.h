/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scalars of JSON, private to the codec: what json_parse.c does not see of strings and numbers.
 * A lexer is a window on the text; scanning moves |at| behind what was read, or fails and leaves a
 * description in |error|.
 */
#ifndef WEFT_CODEC_JSON_LEX_H
#define WEFT_CODEC_JSON_LEX_H

#include "codec/json.h"

/* Private bits of weft_json.flags. */
enum {
    WEFT_JSON_FLAG_INTEGER = 1,     /* a number kept in as.integer */
    WEFT_JSON_FLAG_UNIQUE_KEYS = 2, /* an object known to have no key twice */
};

struct weft_json_lexer {
    const uint8_t *begin;
    const uint8_t *at;
    const uint8_t *end;
    bool text_is_utf8;
    struct weft_arena *arena;
    struct weft_json_error error;
};

/* Notes what is wrong at |place|, a pointer into the text. Returns false, for `return …_fail(…)`.
 */
bool weft__json_lex_fail(struct weft_json_lexer *lexer, enum weft_json_fault fault,
                         const uint8_t *place, const char *message);

/* As weft__json_lex_fail for something unexpected at |at|: says "truncated" at the end of text. */
bool weft__json_lex_unexpected(struct weft_json_lexer *lexer, const char *message);

/* Reads the string whose opening quote is at |at| into |ret_value|. */
bool weft__json_lex_string(struct weft_json_lexer *lexer, struct weft_json *ret_value);

/* Reads the number that begins at |at|, at a minus sign or a digit, into |ret_value|. */
bool weft__json_lex_number(struct weft_json_lexer *lexer, struct weft_json *ret_value);

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
