/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signing in on a connection: who a peer is, until when, and how it stays so
 * (docs/protocol/auth.md).
 *
 *   Authorization, or nothing ─► weft__rpc_peer_present ─┐
 *   `$/hello` with token ───────────────────────────────┼─► authenticator ─► grant ─► identity
 *   `$/auth.refresh` ───────────────────────────────────┘                              │
 *              60 s before the end: `$/auth.expiring`;  at the end: events.expired ◄───┘
 *
 * An environment without an authenticator knows no identities: everybody is NULL (rpc/principal.h)
 * and may call anything. With one, a peer without an identity, or whose identity is over, gets
 * `unauthenticated` for every method but those of the protocol. Somebody stays the same somebody: a
 * token of another principal is refused, so that what runs, waits or is subscribed to never changes
 * hands. A guest who has not done anything yet is nobody in particular, and may sign in.
 *
 * Tokens are passed on and forgotten: nothing here keeps or prints one. **Thread:** that of the
 * environment.
 */
#ifndef WEFT_RPC_AUTH_H
#define WEFT_RPC_AUTH_H

#include "rpc/peer.h"
#include "rpc/principal.h"

enum {
    WEFT_RPC_AUTH_WARN_MS = 60000,  /* `$/auth.expiring` comes so long before the end; at half time
                                       for what lasts less than twice as long */
    WEFT_RPC_AUTH_REFUSED_MAX = 5,  /* tokens refused of one peer before it is sent away */
    WEFT_RPC_AUTH_TOKEN_MAX = 8192, /* bytes of a token */
};

#define WEFT_RPC_AUTH_NEVER UINT64_MAX

/* What a token stands for. */
struct weft_rpc_grant {
    struct weft_rpc_principal *principal; /* one reference, the receiver's */
    uint64_t expires_in_ms;               /* WEFT_RPC_AUTH_NEVER: it does not */
};

/* Who judges tokens. */
struct weft_rpc_authenticator {
    /*
     * Judges |token|; an empty one: none was presented, and somebody without may be let in as, say,
     * a guest. **Errors:** WEFT_ERR_DENIED: refused. Anything else: it could not be judged now, and
     * another attempt may work.
     */
    int (*judge)(void *ctx, struct weft_slice token, struct weft_rpc_grant *ret_grant);
    void *ctx;
    struct weft_rpc_interceptor interceptor; /* private */
};

/* From now on peers of |env| have to sign in. To be called before any other interceptor is added;
 * |authenticator|, judge and ctx set, outlives it. */
void weft__rpc_env_authenticate(struct weft_rpc_env *env,
                                struct weft_rpc_authenticator *authenticator);

/* Judges |token|, and counts. **Errors:** those of judge; WEFT_ERR_DENIED for a token that is too
 * long. */
WEFT_MUST_USE int weft__rpc_auth_judge(struct weft_rpc_env *env, struct weft_slice token,
                                       struct weft_rpc_grant *ret_grant);

/* |peer| is |principal|, whose reference stays the caller's, until |expires_ns|
 * (WEFT_RPC_AUTH_NEVER: for ever). It may have been somebody else: that the principal stays the
 * same is the caller's to see to where that matters. **Errors:** WEFT_ERR_NOMEM; nothing changed.
 */
WEFT_MUST_USE int weft__rpc_peer_identify(struct weft_rpc_peer *peer,
                                          struct weft_rpc_principal *principal,
                                          uint64_t expires_ns);

/* Nobody presented a token for the identity that |peer| has just got: until it is made use of, a
 * token may still say who it is. */
void weft__rpc_peer_assume(struct weft_rpc_peer *peer);

/* Takes the identity away: nobody has signed in. */
void weft__rpc_peer_forget(struct weft_rpc_peer *peer);

/* |peer| goes on over the connection of |fresh|, which has the same principal: it lasts as long. */
void weft__rpc_peer_renew(struct weft_rpc_peer *peer, const struct weft_rpc_peer *fresh);

/* Who |peer| is; NULL: nobody has signed in. **Lifetime:** until the identity changes. */
struct weft_rpc_principal *weft__rpc_peer_principal(const struct weft_rpc_peer *peer);

/* When the identity of |peer| ends, by the clock of the wheel; WEFT_RPC_AUTH_NEVER: it does not, or
 * there is none. */
uint64_t weft__rpc_peer_expires_ns(const struct weft_rpc_peer *peer);

/* The end, by the clock of the wheel, of what lasts |expires_in_ms| from |now_ns| on. */
uint64_t weft__rpc_auth_end_ns(uint64_t now_ns, uint64_t expires_in_ms);

#endif
