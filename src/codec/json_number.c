/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers of JSON, exactly: which ones are whole whatever their spelling, and the double nearest to
 * the others. Short integers, nearly all there are, are read in json_scan.h. For the rest the
 * digits are brought to the form m × 10^e with no zero at either end of m:
 *
 *   120.50e3  ─►  m = 1205, e = 2     whole when e ≥ 0
 *
 * A small m and e give the double in one exact multiplication or division; what remains goes to
 * strtod without a decimal point, whose spelling would depend on the locale.
 */
#include "codec/json_lex.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    WORD_DIGITS = 19,  /* and any of so many fits uint64_t */
    EXACT_POWER = 22,  /* 10^22 is the last power of ten that a double holds exactly */
    KEPT_DIGITS = 780, /* more than the 767 that can decide a rounding */
    EXPONENT_CAP = 1000000000
};

static const double powers_of_ten[EXACT_POWER + 1] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* The places of a number's parts in the text, found by its grammar. */
struct spelling {
    const uint8_t *digits; /* first digit of the integer part */
    const uint8_t *end;    /* behind the last digit of the fraction, or of the integer part */
    const uint8_t *point;  /* the decimal point, or |end| */
    int64_t exponent;      /* what stands behind the e, within ±EXPONENT_CAP */
    bool negative;
};

/* The digits of a number without zeroes at either end. */
struct decimal {
    uint64_t mantissa; /* valid while |count| ≤ WORD_DIGITS */
    size_t count;      /* digits; 0 for zero */
    int64_t exponent;
    char digits[KEPT_DIGITS];
};

static inline bool is_digit(const uint8_t *at, const uint8_t *end)
{
    return at < end && *at >= '0' && *at <= '9';
}

/* RFC 8259 §6: exp = e [ minus / plus ] 1*DIGIT. |at| is behind the e. */
static const uint8_t *scan_exponent(struct weft_json_lexer *lexer, const uint8_t *at,
                                    struct spelling *number)
{
    bool negative = false;
    if (at < lexer->end && (*at == '-' || *at == '+'))
        negative = *at++ == '-';
    if (!is_digit(at, lexer->end))
        return weft__json_lex_unexpected(lexer, at, "an exponent needs a digit");
    int64_t exponent = 0;
    for (; is_digit(at, lexer->end); ++at) {
        if (exponent < EXPONENT_CAP)
            exponent = exponent * 10 + (*at - '0');
    }
    number->exponent = negative ? -exponent : exponent;
    return at;
}

/* RFC 8259 §6: frac = decimal-point 1*DIGIT, then exp; each may be missing. */
static const uint8_t *scan_tail(struct weft_json_lexer *lexer, const uint8_t *at,
                                struct spelling *number)
{
    number->point = number->end = at;
    number->exponent = 0;
    if (at < lexer->end && *at == '.') {
        ++at;
        if (!is_digit(at, lexer->end))
            return weft__json_lex_unexpected(lexer, at, "a decimal point needs a digit behind it");
        while (is_digit(at, lexer->end))
            ++at;
        number->end = at;
    }
    if (at < lexer->end && (*at | 0x20) == 'e')
        return scan_exponent(lexer, at + 1, number);
    return at;
}

/* Adds one digit behind the others; those past KEPT_DIGITS are only counted. */
static void add_digit(struct decimal *decimal, unsigned digit)
{
    if (decimal->count < WORD_DIGITS)
        decimal->mantissa = decimal->mantissa * 10 + digit;
    if (decimal->count < KEPT_DIGITS)
        decimal->digits[decimal->count] = (char)('0' + digit);
    ++decimal->count;
}

static void collect_digits(const struct spelling *number, struct decimal *ret_decimal)
{
    struct decimal *decimal = ret_decimal;
    decimal->mantissa = 0;
    decimal->count = 0;
    size_t zeroes = 0; /* seen, but not yet known to be inside */
    for (const uint8_t *at = number->digits; at < number->end; ++at) {
        if (at == number->point)
            continue;
        if (*at == '0') {
            ++zeroes;
            continue;
        }
        /* Zeroes before the first other digit mean nothing. */
        for (; zeroes > 0 && decimal->count > 0; --zeroes)
            add_digit(decimal, 0);
        zeroes = 0;
        add_digit(decimal, *at - (unsigned)'0');
    }
    int64_t fraction = number->end > number->point ? (int64_t)(number->end - number->point) - 1 : 0;
    decimal->exponent = number->exponent - fraction + (int64_t)zeroes;
}

/* True, and |ret_integer| stored, for a whole number that fits. */
static bool decimal_to_integer(const struct decimal *decimal, bool negative, int64_t *ret_integer)
{
    /* More digits than a word holds, and the last is not zero: too large, or not whole. */
    if (decimal->count > WORD_DIGITS || decimal->exponent < 0 ||
        decimal->exponent > WEFT_JSON_SHORT_DIGITS)
        return false;
    uint64_t magnitude = decimal->mantissa;
    for (int64_t i = 0; i < decimal->exponent; ++i) {
        if (WEFT_MUL_OVERFLOW(magnitude, (uint64_t)10, &magnitude))
            return false;
    }
    uint64_t most = (uint64_t)INT64_MAX + (negative ? 1u : 0u);
    if (magnitude > most)
        return false;
    *ret_integer = negative ? (int64_t)(0u - magnitude) : (int64_t)magnitude;
    return true;
}

double weft__json_decimal_to_double(const char *digits, size_t count, int64_t exponent)
{
    /* Beyond these bounds the result is certain, and what strtod reads stays short. */
    int64_t magnitude = (int64_t)count + exponent; /* value < 10^magnitude */
    if (magnitude > 310)
        return (double)INFINITY;
    if (magnitude < -330)
        return 0.0;
    char text[KEPT_DIGITS + 32];
    size_t kept = WEFT_MIN(count, (size_t)KEPT_DIGITS);
    memcpy(text, digits, kept);
    size_t len = kept;
    if (count > kept) {
        /* What was cut is not zero, so it lies above any tie: one more digit says that. */
        text[len++] = '1';
        exponent += (int64_t)(count - kept) - 1;
    }
    /* The bounds above leave an exponent of four digits at most. */
    snprintf(text + len, sizeof(text) - len, "e%d", (int)exponent);
    return strtod(text, NULL);
}

static double decimal_to_double(const struct decimal *decimal)
{
    if (decimal->count == 0)
        return 0.0;
    /* Both operands are exact, so IEEE 754 rounds the one operation correctly (W. D. Clinger, "How
     * to read floating point numbers accurately", 1990). */
    if (decimal->count <= WORD_DIGITS && decimal->mantissa <= (uint64_t)1 << 53) {
        double mantissa = (double)decimal->mantissa;
        if (decimal->exponent >= 0 && decimal->exponent <= EXACT_POWER)
            return mantissa * powers_of_ten[decimal->exponent];
        if (decimal->exponent < 0 && decimal->exponent >= -EXACT_POWER)
            return mantissa / powers_of_ten[-decimal->exponent];
    }
    return weft__json_decimal_to_double(decimal->digits, decimal->count, decimal->exponent);
}

static bool convert(struct weft_json_lexer *lexer, const struct spelling *number,
                    struct weft_json *value)
{
    struct decimal decimal;
    collect_digits(number, &decimal);
    int64_t integer;
    if (decimal.count == 0)
        decimal.exponent = 0;
    if (decimal_to_integer(&decimal, number->negative, &integer)) {
        value->flags = WEFT_JSON_FLAG_INTEGER;
        value->as.integer = integer;
        return true;
    }
    double real = decimal_to_double(&decimal);
    if (isinf(real))
        return weft__json_lex_fail(lexer, WEFT_JSON_FAULT_NUMBER, value->raw,
                                   "number beyond the range of double");
    value->as.real = number->negative ? -real : real;
    return true;
}

const uint8_t *weft__json_lex_any_number(struct weft_json_lexer *lexer, const uint8_t *at,
                                         struct weft_json *ret_value)
{
    struct spelling number = {.negative = *at == '-'};
    const uint8_t *start = at;
    if (number.negative)
        ++at;
    number.digits = at;
    if (!is_digit(at, lexer->end))
        return weft__json_lex_unexpected(lexer, at, "a minus sign needs a digit behind it");
    while (is_digit(at, lexer->end))
        ++at;
    /* RFC 8259 §6: int = zero / ( digit1-9 *DIGIT ). */
    if (*number.digits == '0' && at - number.digits > 1)
        return weft__json_lex_fail(lexer, WEFT_JSON_FAULT_SYNTAX, number.digits,
                                   "a number may not begin with zero");
    at = scan_tail(lexer, at, &number);
    if (!at)
        return NULL;
    *ret_value = (struct weft_json){
        .type = WEFT_JSON_NUMBER, .span = 1, .raw = start, .raw_len = (uint32_t)(at - start)};
    return convert(lexer, &number, ret_value) ? at : NULL;
}
