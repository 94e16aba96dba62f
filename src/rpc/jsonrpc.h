/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text wire: JSON-RPC 2.0 (docs/protocol/rpc.md). Decoding judges form alone: what is a call,
 * an answer, a notification of the protocol, none of these.
 *
 * **Thread:** any; no state is kept.
 */
#ifndef WEFT_RPC_JSONRPC_H
#define WEFT_RPC_JSONRPC_H

#include "rpc/frame.h"

/* "weft.v1.json". */
extern const struct weft_rpc_wire weft__rpc_wire_json;

/* Its parts; see struct weft_rpc_wire. */
WEFT_MUST_USE int weft__jsonrpc_decode(struct weft_slice text, struct weft_arena *arena,
                                       const struct weft_rpc_decode_options *options,
                                       struct weft_rpc_message *ret_message);
void weft__jsonrpc_begin(struct weft_bytes *out, const struct weft_rpc_head *head);
struct weft_slice weft__jsonrpc_end(struct weft_bytes *out, const struct weft_rpc_head *head);

/* Writes the members of an error's `data` (docs/protocol/rpc.md, section 5) into the object that is
 * open in |w|. |message|: a member for people behind `code`, as other wires want it; NULL: none. */
void weft__jsonrpc_put_failure(struct weft_json_writer *w, const struct weft_rpc_failure *failure,
                               const char *message);

/* Reads the error object of an answer; whatever is missing or odd gets a default. Lists of rules
 * come from |arena|. **Errors:** WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__jsonrpc_read_error(const struct weft_json *error, struct weft_arena *arena,
                                           struct weft_rpc_error *ret_error);

#endif
