/* SPDX-License-Identifier: Apache-2.0 */
/* Server-sent events. */
#include "codec/event_stream.h"

enum { AROUND_MAX = 96 /* bytes of an event beside its data */ };

void weft__event_stream_write(struct weft_bytes *out, const char *name, uint64_t id,
                              struct weft_slice json)
{
    if (!weft__bytes_reserve(out, json.len + AROUND_MAX))
        return;
    weft__bytes_append_str(out, "event: ");
    weft__bytes_append_str(out, name);
    weft__bytes_append_str(out, "\nid: ");
    weft__bytes_append_u64(out, id);
    weft__bytes_append_str(out, "\ndata: ");
    uint8_t *data = weft__bytes_extend(out, json.len);
    if (!data)
        return;
    for (size_t i = 0; i < json.len; i++)
        data[i] = json.ptr[i] == '\n' || json.ptr[i] == '\r' ? ' ' : json.ptr[i];
    weft__bytes_append_str(out, "\n\n");
}
