/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls over HTTP, without HTTP: two wires between requests and a peer, so that handlers, limits
 * and interceptors are those of every other connection (docs/protocol/http.md).
 *
 *   request ─► struct weft_rpc_http_request ─► weft__rpc_http_receive ─► peer ─► handler
 *   answer  ◄─ struct weft_rpc_http_answer  ◄─ weft__rpc_http_answer  ◄─ events.send ◄─┘
 *
 * On the wire *plain* a request is one call: the method and what HTTP's headers say stand beside
 * the parameters, and the answer is the bare result, item or error. At most one call of a peer
 * waits for its answer. On the wire *jsonrpc* a request is a whole message of JSON-RPC 2.0, and so
 * is the one answer; what comes in the lane of control is for nobody.
 *
 * Nobody can be called or notified over HTTP: weft__rpc_peer_call and weft__rpc_peer_notify say
 * WEFT_ERR_STATE. Peers are made with options.greeted, since there is no greeting, and those that
 * cannot carry items with options.no_streams.
 *
 * **Thread:** that of the peer.
 */
#ifndef WEFT_RPC_HTTP_H
#define WEFT_RPC_HTTP_H

#include "rpc/peer.h"

extern const struct weft_rpc_wire weft__rpc_wire_http_plain;
extern const struct weft_rpc_wire weft__rpc_wire_http_jsonrpc;

enum weft_rpc_http_kind {
    WEFT_RPC_HTTP_CALL,
    WEFT_RPC_HTTP_CREDIT, /* plain: more items may be sent on the call that runs */
};

struct weft_rpc_http_request {
    enum weft_rpc_http_kind kind;
    struct weft_slice method;  /* plain, CALL */
    struct weft_slice body;    /* CALL: the parameters, maybe empty, or the message */
    struct weft_rpc_meta meta; /* CALL: from headers; what a message says itself goes first */
    uint64_t items_total;      /* CREDIT: as of rpc/stream.h */
    uint64_t bytes_total;
};

/* Takes |request|, as weft__rpc_peer_receive does. The body need not be valid UTF-8. */
WEFT_MUST_USE int weft__rpc_http_receive(struct weft_rpc_peer *peer,
                                         const struct weft_rpc_http_request *request,
                                         uint64_t now_ns);

/* What events.send of a peer with the plain wire got. */
struct weft_rpc_http_answer {
    enum weft_rpc_kind kind; /* RESULT, ERROR, ITEM; others mean nothing over HTTP */
    int status;              /* ERROR: enum weft_status */
    uint32_t retry_after_ms; /* ERROR: 0 = no hint */
    struct weft_slice body;  /* JSON: the result, the item, or an object about the error */
};

/* Takes |message| apart. **Lifetime:** that of |message|. */
struct weft_rpc_http_answer weft__rpc_http_answer(struct weft_slice message);

/* Whether a call that |peer| received has no answer yet. */
static inline bool weft__rpc_http_waits(const struct weft_rpc_peer *peer)
{
    return peer->incoming.count > 0;
}

/* The method that a request may name: any but those of the protocol that are about a connection.
 * NULL: there is none of this name. */
const struct weft_rpc_method *weft__rpc_http_method(const struct weft_rpc_env *env,
                                                    struct weft_slice name);

/* The HTTP status for |status|, an enum weft_status: the table of the Connect protocol. */
int weft__rpc_http_status(int status);

/* Writes the object about an error that never reached a peer. **Errors:** sticky in |out|. */
void weft__rpc_http_write_failure(struct weft_bytes *out, const struct weft_rpc_failure *failure);

#endif
