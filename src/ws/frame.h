/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One WebSocket frame: its header, its mask, and writing it behind other bytes (RFC 6455 §5.2).
 *
 *   byte 0           byte 1          then                    then
 *   FIN RSV1-3 op    MASK length-7   0, 2 or 8 length bytes  4 mask bytes when MASK
 *
 * A frame without a mask (every frame of a server) is the same bytes for every receiver, so it is
 * encoded once: weft__ws_frame_begin leaves room for the header at the end of a struct weft_bytes,
 * the payload is appended by any encoder, weft__ws_frame_finish writes the header before it. In a
 * buffer that was made with WEFT_WS_HEADROOM free bytes before the payload, weft__ws_frame_seal
 * does the same without ever moving the payload.
 *
 * **Thread:** pure functions; any thread.
 */
#ifndef WEFT_WS_FRAME_H
#define WEFT_WS_FRAME_H

#include "base/bytes.h"
#include "base/slice.h"

enum {
    WEFT_WS_HEAD_MAX = 14,     /* the longest header: 2 + 8 length bytes + 4 mask bytes */
    WEFT_WS_HEADROOM = 10,     /* the longest header of a frame without a mask */
    WEFT_WS_CONTROL_MAX = 125, /* most payload of a control frame, RFC 6455 §5.5 */
};

/* RFC 6455 §11.8. Bit 3 marks control frames. */
enum weft_ws_opcode {
    WEFT_WS_OPCODE_CONTINUATION = 0x0,
    WEFT_WS_OPCODE_TEXT = 0x1,
    WEFT_WS_OPCODE_BINARY = 0x2,
    WEFT_WS_OPCODE_CLOSE = 0x8,
    WEFT_WS_OPCODE_PING = 0x9,
    WEFT_WS_OPCODE_PONG = 0xa,
};

/* Or-ed to the opcode of a message's first frame that is written: RSV1, the message is compressed
 * (RFC 7692 §6). */
enum { WEFT_WS_COMPRESSED = 0x40 };

enum { WEFT_WS_RSV1 = 4 }; /* in struct weft_ws_head.rsv */

/* A frame header, decoded. */
struct weft_ws_head {
    uint64_t len;   /* payload bytes, below 2^63 */
    uint8_t opcode; /* 0 to 15, maybe a reserved one */
    uint8_t rsv;    /* bits RSV1 RSV2 RSV3 as 4, 2, 1 */
    bool fin;
    bool masked;
    uint8_t mask[4]; /* the masking key; zeroes when not masked */
};

/* The name of |opcode| for people: "text", "close", …; "reserved" for the others.
 * **Lifetime:** static. */
const char *weft__ws_opcode_name(unsigned opcode);

static inline bool weft__ws_opcode_is_control(unsigned opcode)
{
    return (opcode & 0x8) != 0;
}

/* Bytes of the header that starts with |byte1| as its second byte: 2 to WEFT_WS_HEAD_MAX. */
size_t weft__ws_head_len(uint8_t byte1);

/* Decodes the header at |data|. Returns its length, or 0 when |len| bytes are not all of it.
 * What a header alone can get wrong is refused, everything else is the connection's matter.
 * **Errors:** WEFT_ERR_PROTOCOL for a length not in its shortest form or of 2^63 and more. */
WEFT_MUST_USE ptrdiff_t weft__ws_head_decode(const uint8_t *data, size_t len,
                                             struct weft_ws_head *ret_head);

/* Writes |head| in its shortest form to |ret_data|, at least WEFT_WS_HEAD_MAX bytes, and returns
 * the bytes written. |head->len| is below 2^63. */
size_t weft__ws_head_encode(const struct weft_ws_head *head, uint8_t *ret_data);

/* Masks or unmasks |len| bytes in place. |offset| is the position of |data| in the payload, so that
 * a payload may be treated piece by piece. */
void weft__ws_mask(uint8_t *data, size_t len, const uint8_t key[4], uint64_t offset);

/* The same, from |src| to |ret_dst|, which do not overlap. */
void weft__ws_mask_copy(uint8_t *ret_dst, const uint8_t *src, size_t len, const uint8_t key[4],
                        uint64_t offset);

/* Appends a whole frame. |mask| is a fresh unpredictable key (client) or NULL (server).
 * **Errors:** sticky in |out|. */
void weft__ws_frame_append(struct weft_bytes *out, unsigned opcode, bool fin,
                           struct weft_slice payload, const uint8_t *mask);

/* Begins a frame at the end of |out| and returns its position, which is given to
 * weft__ws_frame_finish after the payload was appended to |out|. |expect| is a guess of the payload
 * length: room for the header of such a frame is left; a wrong guess costs one move of the payload.
 * |masked|: room for a mask too. **Errors:** sticky in |out|. */
size_t weft__ws_frame_begin(struct weft_bytes *out, size_t expect, bool masked);

/* Completes the frame begun at |at|: everything in |out| behind its header room is the payload.
 * |expect| and |mask| (NULL when not masked) as at begin. The frame ends up at |at| without gaps.
 * **Errors:** sticky in |out|. */
void weft__ws_frame_finish(struct weft_bytes *out, size_t at, size_t expect, unsigned opcode,
                           bool fin, const uint8_t *mask);

/* Writes the header of a frame without a mask directly before |payload|, which is |len| bytes with
 * at least WEFT_WS_HEADROOM writable bytes before it, and returns the whole frame. */
struct weft_slice weft__ws_frame_seal(uint8_t *payload, size_t len, unsigned opcode, bool fin);

#endif
