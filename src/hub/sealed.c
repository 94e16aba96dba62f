/* SPDX-License-Identifier: Apache-2.0 */
/* Format version and checksum of stored values. */
#include "hub/sealed.h"

#include "base/assert.h"
#include "base/crc32c.h"

void weft__sealed_begin(struct weft_bytes *b, uint8_t format)
{
    WEFT_ASSERT(b->len == 0);
    uint8_t head[WEFT_SEALED_HEAD] = {format};
    weft__bytes_append(b, head, sizeof(head));
}

int weft__sealed_finish(struct weft_bytes *b)
{
    int err = weft__bytes_error(b);
    if (err)
        return err;
    uint32_t crc = weft__crc32c(0, b->ptr + WEFT_SEALED_HEAD, b->len - WEFT_SEALED_HEAD);
    for (unsigned i = 0; i < 4; i++)
        b->ptr[1 + i] = (uint8_t)(crc >> (8 * i));
    return 0;
}

int weft__sealed_open(struct weft_slice input, uint8_t newest, struct weft_slice *ret_content)
{
    if (input.len < WEFT_SEALED_HEAD || input.ptr[0] == 0)
        return WEFT_ERR_CORRUPT;
    if (input.ptr[0] > newest)
        return WEFT_ERR_UNSUPPORTED;
    struct weft_slice content = {input.ptr + WEFT_SEALED_HEAD, input.len - WEFT_SEALED_HEAD};
    uint32_t stored = 0;
    for (unsigned i = 0; i < 4; i++)
        stored |= (uint32_t)input.ptr[1 + i] << (8 * i);
    if (weft__crc32c(0, content.ptr, content.len) != stored)
        return WEFT_ERR_CORRUPT;
    *ret_content = content;
    return 0;
}
