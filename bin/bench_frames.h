/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a server sends, counted: messages by the headers of their frames, whose payload is skipped
 * unless somebody wants to see it. It accepts what RFC 6455 allows a server to send, in any pieces;
 * text is not checked for UTF-8. ws/conn.h would do all this and more, for more cycles.
 *
 * **Thread:** one at a time.
 */
#ifndef WEFT_BIN_BENCH_FRAMES_H
#define WEFT_BIN_BENCH_FRAMES_H

#include "base/bytes.h"
#include "ws/frame.h"

#include <weft/alloc.h>

/* Most bytes of a message that is looked into. */
enum { BENCH_MESSAGE_MAX = 256 << 20 };

/* The fields are private. All zeroes but |message| is ready for a new connection. */
struct bench_frames {
    uint64_t left;             /* payload bytes of the frame that are to come */
    struct weft_ws_head frame; /* the frame, when |in_frame| */
    struct weft_bytes message; /* payload of a message that came in pieces */
    uint8_t head[WEFT_WS_HEAD_MAX];
    uint8_t head_len;
    uint8_t opcode; /* of the message that is under way; 0: none is */
    uint8_t control_len;
    bool in_frame;
    bool compressed;    /* the message under way has RSV1, RFC 7692 §6 */
    bool allow_deflate; /* permessage-deflate was agreed on: RSV1 means something */
    uint8_t control[WEFT_WS_CONTROL_MAX];
};

/* Who hears of what came; slices are valid during the call. */
struct bench_frames_sink {
    /* A whole message; NULL: they are only counted. */
    void (*message)(void *ctx, unsigned opcode, bool compressed, struct weft_slice data);
    /* A ping, pong or close. */
    void (*control)(void *ctx, unsigned opcode, struct weft_slice data);
    void *ctx;
};

void bench_frames_init(struct bench_frames *frames);
void bench_frames_done(struct bench_frames *frames);

/*
 * Takes |len| more bytes. |ret_messages| is how many messages ended in them.
 * **Errors:** WEFT_ERR_PROTOCOL, WEFT_ERR_TOO_BIG, WEFT_ERR_NOMEM: the connection is of no more
 * use.
 */
WEFT_MUST_USE int bench_frames_read(struct bench_frames *frames,
                                    const struct bench_frames_sink *sink, const uint8_t *data,
                                    size_t len, uint32_t *ret_messages);

#endif
