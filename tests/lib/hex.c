/* SPDX-License-Identifier: Apache-2.0 */
/* Hexadecimal digits to bytes and back. */
#include "lib/test.h"

#include <ctype.h>

static unsigned digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (unsigned)(c - 'a') + 10;
    if (c >= 'A' && c <= 'F')
        return (unsigned)(c - 'A') + 10;
    fail_msg("'%c' is not a hexadecimal digit", c);
    return 0;
}

uint8_t *test_hex_decode(const char *hex, size_t *ret_len)
{
    uint8_t *out = malloc(strlen(hex) / 2 + 1);
    if (!out)
        fail_msg("out of memory");
    size_t digits = 0;
    for (const char *p = hex; *p; p++) {
        if (isspace((unsigned char)*p))
            continue;
        unsigned value = digit_value(*p);
        if (digits % 2 == 0)
            out[digits / 2] = (uint8_t)(value << 4);
        else
            out[digits / 2] = (uint8_t)(out[digits / 2] | value);
        digits++;
    }
    if (digits % 2 != 0)
        fail_msg("an odd number of hexadecimal digits: %s", hex);
    *ret_len = digits / 2;
    return out;
}

char *test_hex_encode(const void *data, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *in = data;
    char *out = malloc(len * 2 + 1);
    if (!out)
        fail_msg("out of memory");
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[in[i] >> 4];
        out[2 * i + 1] = digits[in[i] & 15];
    }
    out[2 * len] = '\0';
    return out;
}
