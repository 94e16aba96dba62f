/* SPDX-License-Identifier: Apache-2.0 */
/* Base64, both ways. Decoding finds a character's value by its ranges, without a table. */
#include "codec/base64.h"

size_t weft__base64_encode(enum weft_base64_alphabet alphabet, const uint8_t *bytes, size_t len,
                           char *ret_text)
{
    static const char standard[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static const char url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const char *letters = alphabet == WEFT_BASE64_URL ? url : standard;
    size_t at = 0;
    for (size_t i = 0; i < len; i += 3) {
        size_t have = WEFT_MIN(len - i, (size_t)3);
        uint32_t group = (uint32_t)bytes[i] << 16;
        if (have > 1)
            group |= (uint32_t)bytes[i + 1] << 8;
        if (have > 2)
            group |= bytes[i + 2];
        for (size_t c = 0; c <= have; ++c)
            ret_text[at++] = letters[group >> (18 - 6 * c) & 63];
        for (size_t c = have; c < 3 && alphabet == WEFT_BASE64_STANDARD; ++c)
            ret_text[at++] = '=';
    }
    return at;
}

/* The six bits of |c|, or 64 when it is not in the alphabet. */
static uint32_t letter_value(enum weft_base64_alphabet alphabet, uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - (uint32_t)'A';
    if (c >= 'a' && c <= 'z')
        return c - (uint32_t)'a' + 26;
    if (c >= '0' && c <= '9')
        return c - (uint32_t)'0' + 52;
    bool url = alphabet == WEFT_BASE64_URL;
    if (c == (url ? '-' : '+'))
        return 62;
    if (c == (url ? '_' : '/'))
        return 63;
    return 64;
}

/* Decodes one group of |have| characters, 2 to 4, into |have| - 1 bytes. */
static bool decode_group(enum weft_base64_alphabet alphabet, const uint8_t *text, size_t have,
                         uint8_t *ret_bytes)
{
    uint32_t group = 0;
    for (size_t c = 0; c < have; ++c) {
        uint32_t value = letter_value(alphabet, text[c]);
        if (value > 63)
            return false;
        group |= value << (18 - 6 * c);
    }
    /* RFC 4648 §3.5: the bits behind the last byte must be zero. */
    if (group & (0xffffffu >> (8 * (have - 1))) && have < 4)
        return false;
    for (size_t b = 0; b + 1 < have; ++b)
        ret_bytes[b] = (uint8_t)(group >> (16 - 8 * b));
    return true;
}

/* Characters of |text| before its padding, or SIZE_MAX when the padding is not as it must be. */
static size_t unpadded_len(enum weft_base64_alphabet alphabet, struct weft_slice text)
{
    size_t len = text.len;
    if (alphabet == WEFT_BASE64_STANDARD) {
        if (len % 4 != 0)
            return SIZE_MAX;
        for (int i = 0; i < 2 && len > 0 && text.ptr[len - 1] == '='; ++i)
            --len;
    }
    return len % 4 == 1 ? SIZE_MAX : len;
}

ptrdiff_t weft__base64_decode(enum weft_base64_alphabet alphabet, struct weft_slice text,
                              uint8_t *ret_bytes)
{
    size_t len = unpadded_len(alphabet, text);
    if (len == SIZE_MAX)
        return WEFT_ERR_PROTOCOL;
    size_t at = 0;
    for (size_t i = 0; i < len; i += 4) {
        size_t have = WEFT_MIN(len - i, (size_t)4);
        if (!decode_group(alphabet, text.ptr + i, have, ret_bytes + at))
            return WEFT_ERR_PROTOCOL;
        at += have - 1;
    }
    return (ptrdiff_t)at;
}
