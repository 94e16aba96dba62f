/* SPDX-License-Identifier: Apache-2.0 */
/* Birth and death of refcounted buffers. */
#include "base/buf.h"

struct weft_buf *weft__buf_new(const struct weft_alloc *alloc, size_t len)
{
    size_t size;
    if (WEFT_ADD_OVERFLOW(len, sizeof(struct weft_buf), &size))
        return NULL;
    struct weft_buf *buf = weft__mem_alloc(alloc, size);
    if (!buf)
        return NULL;
    buf->alloc = alloc;
    atomic_init(&buf->refs, 1);
    buf->len = len;
    buf->cap = len;
    return buf;
}

struct weft_buf *weft__buf_new_copy(const struct weft_alloc *alloc, struct weft_slice content)
{
    struct weft_buf *buf = weft__buf_new(alloc, content.len);
    if (buf)
        weft__mem_copy(weft__buf_data(buf), content.ptr, content.len);
    return buf;
}

void weft__buf_unref(struct weft_buf *buf)
{
    if (!buf)
        return;
    unsigned before = atomic_fetch_sub_explicit(&buf->refs, 1, memory_order_acq_rel);
    WEFT_ASSERT(before > 0);
    if (before == 1)
        weft__mem_free(buf->alloc, buf, sizeof(*buf) + buf->cap);
}
