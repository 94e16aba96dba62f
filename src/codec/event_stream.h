/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing server-sent events (WHATWG HTML, "Server-sent events", §9.2.5):
 *
 *   event: item
 *   id: 7
 *   data: {"any":"JSON"}
 *   (an empty line)
 *
 * **Thread:** any.
 */
#ifndef WEFT_CODEC_EVENT_STREAM_H
#define WEFT_CODEC_EVENT_STREAM_H

#include "base/bytes.h"

/* A comment: it means nothing to the reader, and shows that the stream lives. */
#define WEFT_EVENT_STREAM_COMMENT ":\n\n"

/*
 * Appends an event called |name|, a literal of one line, with |json|, one JSON value, as its data.
 * Line ends, which can only stand between the tokens of JSON, become spaces: as data they would end
 * the line. **Errors:** sticky in |out|.
 */
void weft__event_stream_write(struct weft_bytes *out, const char *name, uint64_t id,
                              struct weft_slice json);

#endif
