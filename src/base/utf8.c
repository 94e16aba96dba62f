/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 validation and counting, eight bytes at a time where the text is ASCII. */
#include "base/utf8.h"

#include "base/assert.h"

#define HIGH_BITS 0x8080808080808080u
#define LOW_BITS 0x0101010101010101u

static uint64_t load8(const uint8_t *p)
{
    uint64_t x;
    memcpy(&x, p, 8);
    return x;
}

/* Begins a character with |lead| ≥ 0x80: how many bytes follow, and the range of the first of them
 * (The Unicode Standard, table 3-7). False for a byte that begins nothing. */
static bool begin(struct weft_utf8 *state, uint8_t lead)
{
    state->low = 0x80;
    state->high = 0xbf;
    if (lead >= 0xc2 && lead <= 0xdf) {
        state->need = 1;
    } else if (lead >= 0xe0 && lead <= 0xef) {
        state->need = 2;
        if (lead == 0xe0)
            state->low = 0xa0;
        else if (lead == 0xed)
            state->high = 0x9f;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
        state->need = 3;
        if (lead == 0xf0)
            state->low = 0x90;
        else if (lead == 0xf4)
            state->high = 0x8f;
    } else {
        return false;
    }
    return true;
}

/* Whether |len| ≥ 8 bytes are ASCII, as nearly all messages are. */
static bool is_ascii(const uint8_t *ptr, size_t len)
{
    uint64_t all = load8(ptr + len - 8);
    size_t at = 0;
    for (; len - at >= 32; at += 32) {
        all |=
            (load8(ptr + at) | load8(ptr + at + 8)) | (load8(ptr + at + 16) | load8(ptr + at + 24));
        if (all & HIGH_BITS)
            return false;
    }
    for (; len - at >= 8; at += 8)
        all |= load8(ptr + at);
    return !(all & HIGH_BITS);
}

bool weft__utf8_feed(struct weft_utf8 *state, const uint8_t *ptr, size_t len)
{
    if (len == 0)
        return true; /* |ptr| may be NULL, which has no end to compute */
    if (len >= 8 && !state->need && is_ascii(ptr, len))
        return true;
    const uint8_t *end = ptr + len;
    while (ptr < end) {
        if (state->need) {
            if (*ptr < state->low || *ptr > state->high)
                return false;
            state->need--;
            state->low = 0x80;
            state->high = 0xbf;
            ptr++;
        } else if (*ptr < 0x80) {
            while (end - ptr >= 8 && !(load8(ptr) & HIGH_BITS))
                ptr += 8;
            while (ptr < end && *ptr < 0x80)
                ptr++;
        } else if (!begin(state, *ptr++)) {
            return false;
        }
    }
    return true;
}

bool weft__utf8_valid(const uint8_t *ptr, size_t len)
{
    struct weft_utf8 state = {0};
    return weft__utf8_feed(&state, ptr, len) && weft__utf8_complete(&state);
}

size_t weft__utf8_count(const uint8_t *ptr, size_t len)
{
    size_t continuations = 0;
    size_t at = 0;
    for (; len - at >= 8; at += 8) {
        uint64_t x = load8(ptr + at);
        /* A continuation byte is 10xxxxxx: bit 7 set, bit 6 clear. */
        continuations += weft__popcount_u64((x >> 7) & ~(x >> 6) & LOW_BITS);
    }
    for (; at < len; at++)
        continuations += (ptr[at] & 0xc0) == 0x80;
    return len - continuations;
}

size_t weft__utf8_count_astral(const uint8_t *ptr, size_t len)
{
    size_t count = 0;
    size_t at = 0;
    for (; len - at >= 8; at += 8) {
        uint64_t x = load8(ptr + at);
        /* The lead byte of four is 11110xxx: the only byte of valid text with bits 7 to 4 set. */
        count += weft__popcount_u64((x >> 7) & (x >> 6) & (x >> 5) & (x >> 4) & LOW_BITS);
    }
    for (; at < len; at++)
        count += ptr[at] >= 0xf0;
    return count;
}

size_t weft__utf8_offset(const uint8_t *ptr, size_t len, size_t index)
{
    size_t at = 0;
    while (index && at < len) {
        if (len - at >= 8 && index >= 8 && !(load8(ptr + at) & HIGH_BITS)) {
            at += 8;
            index -= 8;
        } else {
            at += weft__utf8_lead_len(ptr[at]);
            index--;
        }
    }
    return at < len ? at : len;
}

size_t weft__utf8_encode(uint32_t code_point, uint8_t ret_bytes[4])
{
    WEFT_ASSERT(code_point <= 0x10ffff && !(code_point >= 0xd800 && code_point <= 0xdfff));
    if (code_point < 0x80) {
        ret_bytes[0] = (uint8_t)code_point;
        return 1;
    }
    if (code_point < 0x800) {
        ret_bytes[0] = (uint8_t)(0xc0 | code_point >> 6);
        ret_bytes[1] = (uint8_t)(0x80 | (code_point & 0x3f));
        return 2;
    }
    if (code_point < 0x10000) {
        ret_bytes[0] = (uint8_t)(0xe0 | code_point >> 12);
        ret_bytes[1] = (uint8_t)(0x80 | (code_point >> 6 & 0x3f));
        ret_bytes[2] = (uint8_t)(0x80 | (code_point & 0x3f));
        return 3;
    }
    ret_bytes[0] = (uint8_t)(0xf0 | code_point >> 18);
    ret_bytes[1] = (uint8_t)(0x80 | (code_point >> 12 & 0x3f));
    ret_bytes[2] = (uint8_t)(0x80 | (code_point >> 6 & 0x3f));
    ret_bytes[3] = (uint8_t)(0x80 | (code_point & 0x3f));
    return 4;
}

uint32_t weft__utf8_decode(const uint8_t *ptr)
{
    switch (weft__utf8_lead_len(ptr[0])) {
    case 1:
        return ptr[0];
    case 2:
        return (uint32_t)(ptr[0] & 0x1f) << 6 | (ptr[1] & 0x3fu);
    case 3:
        return (uint32_t)(ptr[0] & 0x0f) << 12 | (uint32_t)(ptr[1] & 0x3f) << 6 | (ptr[2] & 0x3fu);
    default:
        return (uint32_t)(ptr[0] & 0x07) << 18 | (uint32_t)(ptr[1] & 0x3f) << 12 |
               (uint32_t)(ptr[2] & 0x3f) << 6 | (ptr[3] & 0x3fu);
    }
}
