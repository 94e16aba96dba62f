/* SPDX-License-Identifier: Apache-2.0 */
/* Growth and decimal output of struct weft_bytes. */
#include "base/bytes.h"

bool weft__bytes_grow(struct weft_bytes *b, size_t more)
{
    if (b->err)
        return false;
    if (more <= b->cap - b->len)
        return true;
    size_t need;
    if (WEFT_ADD_OVERFLOW(b->len, more, &need) || need > b->limit) {
        b->err = WEFT_ERR_TOO_BIG;
        return false;
    }
    size_t cap = b->cap < 64 ? 64 : b->cap;
    while (cap < need)
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    /* Never more than the limit: the append functions look at the room alone. */
    cap = WEFT_MIN(cap, b->limit);
    uint8_t *ptr = weft__mem_realloc(b->alloc, b->ptr, b->cap, cap);
    if (!ptr) {
        b->err = WEFT_ERR_NOMEM;
        return false;
    }
    b->ptr = ptr;
    b->cap = cap;
    return true;
}

void weft__bytes_append_u64(struct weft_bytes *b, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    weft__bytes_append(b, digits + at, sizeof(digits) - at);
}

void weft__bytes_append_i64(struct weft_bytes *b, int64_t value)
{
    if (value < 0)
        weft__bytes_append_byte(b, '-');
    weft__bytes_append_u64(b, value < 0 ? 0u - (uint64_t)value : (uint64_t)value);
}
