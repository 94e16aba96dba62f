/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session: what lets a peer go on over another connection as if none had been cut (PROTOCOL §5).
 * It joins the numbering of frames (rpc/delivery.h) and the tokens (rpc/resume_token.h) to a peer.
 *
 *            begin                     detach                       resume
 *   (none) ────────► OPEN ◄──────────────────────► NONE ──► GREETING ──────► OPEN
 *                    data is numbered,             (client)  hello and its   what the other side
 *                    kept and sent                           answer only     has not seen goes
 *                                                                            out again
 *
 * While there is no connection, data goes on being numbered and kept, and control frames are
 * dropped: credit and cancellations are said again, as they stand, when the session is resumed.
 *
 * *Server*: the owner of the peers has a table of sessions. A greeting that asks for one gets to it
 * as events.session; it begins one for the peer that was greeted, or takes up an old one, whose
 * peer gets the connection as soon as the welcome is out.
 * *Client*: one peer lives through all connections. weft__rpc_peer_greet begins, resumes or, when
 * the server knows the session no more, ends it and begins another; events.session_ended tells.
 *
 * **Thread:** that of the peer.
 */
#ifndef WEFT_RPC_SESSION_H
#define WEFT_RPC_SESSION_H

#include "rpc/delivery.h"
#include "rpc/peer.h"
#include "rpc/resume_token.h"

enum {
    WEFT_RPC_REPLAY_BYTES = 256 * 1024, /* kept for a resume unless somebody says otherwise */
    WEFT_RPC_CANCELED_MAX = 1024,       /* of our calls, canceled, whose answer is awaited */
};

struct weft_rpc_session {
    struct weft_rpc_peer *peer;
    struct weft_rpc_delivery delivery;
    struct weft_rpc_resume resume;              /* server */
    char token[WEFT_RPC_SESSION_TOKEN_MAX + 1]; /* client: that of the last welcome */
    uint64_t transmitted;                       /* the last number given to a connection */
    struct weft_map canceled;                   /* struct canceled, by the id of the call */
    struct weft_list canceled_list;
    uint32_t canceled_count;
};

/*
 * From now on |peer|, which has none, has a session and keeps at most |cap| bytes. |resume|,
 * copied, is the server's part of the tokens; a client has NULL. **Errors:** WEFT_ERR_NOMEM.
 */
WEFT_MUST_USE int weft__rpc_session_begin(struct weft_rpc_peer *peer, size_t cap,
                                          const struct weft_rpc_resume *resume);

/* The connection is gone and the session lives on. Not inside a callback of the peer. */
void weft__rpc_session_detach(struct weft_rpc_peer *peer);

/*
 * Server: somebody with |wire| and |principal|, who has seen all up to |seen|, asks for the session
 * that |id| names: |session|, or NULL when there is none any more. On OK the session waits for
 * weft__rpc_session_attach and |ret_token| is the next token; a connection that it still has must
 * be detached before that. OVERFLOW and UNKNOWN end a session: the caller does that.
 */
enum weft_rpc_resume_result
weft__rpc_session_take_up(struct weft_rpc_session *session, const struct weft_rpc_resume_id *id,
                          const struct weft_rpc_wire *wire, struct weft_slice principal,
                          uint64_t seen, char ret_token[WEFT_RPC_RESUME_TOKEN_LEN + 1]);

/* Server: the welcome is out. Sends again what was not seen, then credit and cancellations as they
 * stand. */
void weft__rpc_session_attach(struct weft_rpc_peer *peer);

/* Bytes it takes. */
size_t weft__rpc_session_memory(const struct weft_rpc_session *session);

#endif
