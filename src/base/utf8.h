/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UTF-8 as The Unicode Standard, table 3-7, defines it: no overlong forms, no surrogates, nothing
 * above U+10FFFF. The incremental validator refuses at the first byte that cannot belong to any
 * valid text, so a connection can be failed at once (RFC 6455 §8.1).
 */
#ifndef WEFT_BASE_UTF8_H
#define WEFT_BASE_UTF8_H

#include "base/slice.h"

/* An incremental validator; all zeroes is the start state. */
struct weft_utf8 {
    uint8_t need; /* continuation bytes still to come */
    uint8_t low;  /* range of the next one, valid while need > 0 */
    uint8_t high;
};

/* Checks |len| more bytes. False at the first byte that makes the text invalid; the state is then
 * undefined. */
bool weft__utf8_feed(struct weft_utf8 *state, const uint8_t *ptr, size_t len);

/* True when the text so far does not end inside a character. */
static inline bool weft__utf8_complete(const struct weft_utf8 *state)
{
    return state->need == 0;
}

/* True when all of |ptr|, |len| bytes, is valid. */
bool weft__utf8_valid(const uint8_t *ptr, size_t len);

/* The number of code points in valid text. */
size_t weft__utf8_count(const uint8_t *ptr, size_t len);

/* The number of characters that take four bytes, that is, two units of UTF-16, in valid text. */
size_t weft__utf8_count_astral(const uint8_t *ptr, size_t len);

/* The byte offset of code point |index| in valid text; |len| when there are no more than |index|.
 */
size_t weft__utf8_offset(const uint8_t *ptr, size_t len, size_t index);

/* Bytes of the character that begins with |lead| in valid text: 1 to 4. */
static inline size_t weft__utf8_lead_len(uint8_t lead)
{
    return lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

/* Writes |code_point|, a Unicode scalar value, and returns the bytes written, 1 to 4. */
size_t weft__utf8_encode(uint32_t code_point, uint8_t ret_bytes[4]);

/* Reads the character at |ptr| in valid text; its length is weft__utf8_lead_len(*ptr). */
uint32_t weft__utf8_decode(const uint8_t *ptr);

#endif
