/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The binary wire: one WebSocket binary message is 1 … n times varint(length) Frame, a protobuf
 * message (proto/weft/v1/wire.proto, docs/protocol/binary.md). Payloads are JSON.
 *
 *   varint(length) │ id flags seq ack │ payload tag and length │ payload │ body
 *   └─────────── written last, right before the payload ──────┘          └ Call, Error, … by tag
 *
 * The payload is written where it stays: what comes before it is small and of bounded size, what
 * can be long comes behind it. **Thread:** any; no state is kept.
 */
#ifndef WEFT_RPC_BINARY_H
#define WEFT_RPC_BINARY_H

#include "rpc/frame.h"

/* "weft.v1.pb". */
extern const struct weft_rpc_wire weft__rpc_wire_binary;

/* Numbers of the fields of Frame. */
enum weft_rpc_binary_field {
    WEFT_RPC_BINARY_ID = 1,
    WEFT_RPC_BINARY_FLAGS = 2,
    WEFT_RPC_BINARY_SEQ = 3,
    WEFT_RPC_BINARY_ACK = 4,
    WEFT_RPC_BINARY_PAYLOAD = 5,
    WEFT_RPC_BINARY_CALL = 6, /* from here on: the body, one of them */
    WEFT_RPC_BINARY_RESULT = 7,
    WEFT_RPC_BINARY_ERROR = 8,
    WEFT_RPC_BINARY_ITEM = 9,
    WEFT_RPC_BINARY_END = 10,
    WEFT_RPC_BINARY_CANCEL = 11,
    WEFT_RPC_BINARY_CREDIT = 12,
    WEFT_RPC_BINARY_PONG = 15,
    WEFT_RPC_BINARY_PING = 21,
    WEFT_RPC_BINARY_BODY_MAX = 31, /* later ones are no bodies */
};

enum weft_rpc_binary_flags {
    WEFT_RPC_BINARY_NOTIFY = 1,     /* a call without an answer */
    WEFT_RPC_BINARY_LAST = 2,       /* an item, and the end behind it */
    WEFT_RPC_BINARY_COMPRESSED = 4, /* a payload that is; refused so far */
    WEFT_RPC_BINARY_JSON = 8,       /* a payload that is JSON */
};

/* Its parts; see struct weft_rpc_wire. */
WEFT_MUST_USE int weft__rpc_binary_decode(struct weft_slice message, struct weft_arena *arena,
                                          const struct weft_rpc_decode_options *options,
                                          struct weft_rpc_message *ret_message);
void weft__rpc_binary_begin(struct weft_bytes *out, const struct weft_rpc_head *head);
struct weft_slice weft__rpc_binary_end(struct weft_bytes *out, const struct weft_rpc_head *head);

/* Ids: four bytes, little endian; a client's are odd. */
static inline uint32_t weft__rpc_binary_id(struct weft_slice raw)
{
    const uint8_t *p = raw.ptr;
    return raw.len != 4
               ? 0
               : (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline void weft__rpc_binary_put_id(uint32_t id, uint8_t raw[4])
{
    for (unsigned i = 0; i < 4; ++i)
        raw[i] = (uint8_t)(id >> (8 * i));
}

#endif
