/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resume tokens: the secrets by which a client takes up its session over another connection
 * (PROTOCOL §5).
 *
 *   rs_ base64url( worker u32 | session u64 | generation u64 | first 16 bytes of
 *                  HMAC-SHA256(key, what stands before) )             integers little endian
 *
 * The key is 256 random bits, made when the process starts and shared by its workers. So a token
 * names the worker that has the session; any worker can tell a forged one (`unknown`) from one of a
 * session that is over (`expired`); and a session keeps two numbers instead of its tokens:
 *
 *   proven ≤ generation ≤ issued      valid
 *            generation < proven      fenced: a later token is known to have arrived
 *
 * Each welcome brings a new token (`issue`). The old one stays valid until the new one is known to
 * have arrived: when it is presented, or at the first frame that the other side can have sent only
 * after the welcome (`proved`): one with a number, or an acknowledgement. What may be sent before,
 * such as a ping, proves nothing. When several greetings were under way at once, each of their
 * tokens is valid until then, so it does not matter which welcome the client saw.
 *
 *   hello with resume:  token_read ─► worker id.worker: find the session id.session ─► judge
 *                       ─► weft__rpc_delivery_resume ─► issue ─► welcome
 *
 * **Thread:** the key is read-only after init and may be used by any; a session's part belongs to
 * the thread of the session.
 */
#ifndef WEFT_RPC_RESUME_TOKEN_H
#define WEFT_RPC_RESUME_TOKEN_H

#include "port/crypto.h"
#include "rpc/frame.h"

enum {
    WEFT_RPC_RESUME_KEY_SIZE = 32,
    WEFT_RPC_RESUME_TOKEN_LEN = 3 + 48, /* characters, always */
};

struct weft_rpc_resume_key {
    const struct weft_crypto *crypto;
    uint8_t bytes[WEFT_RPC_RESUME_KEY_SIZE];
};

/* A new random key. |crypto| outlives it. */
void weft__rpc_resume_key_init(struct weft_rpc_resume_key *key, const struct weft_crypto *crypto);

/* What a token says. */
struct weft_rpc_resume_id {
    uint32_t worker;
    uint64_t session; /* a number that no other session of the worker has or had */
    uint64_t generation;
};

/* Writes the token that says |id|, with a terminating zero. **Errors:** as those of
 * weft_crypto.sha256. */
WEFT_MUST_USE int weft__rpc_resume_token_write(const struct weft_rpc_resume_key *key,
                                               const struct weft_rpc_resume_id *id,
                                               char ret_token[WEFT_RPC_RESUME_TOKEN_LEN + 1]);

/* Reads a token, comparing in constant time. **Errors:** WEFT_ERR_NOT_FOUND when it was not made
 * with |key|: the result is UNKNOWN; those of weft_crypto.sha256. */
WEFT_MUST_USE int weft__rpc_resume_token_read(const struct weft_rpc_resume_key *key,
                                              struct weft_slice token,
                                              struct weft_rpc_resume_id *ret_id);

/* Whether a session is resumed, and if not, why. */
enum weft_rpc_resume_result {
    WEFT_RPC_RESUME_OK,
    WEFT_RPC_RESUME_UNKNOWN,   /* no token of ours */
    WEFT_RPC_RESUME_EXPIRED,   /* the session is over */
    WEFT_RPC_RESUME_FENCED,    /* the session has gone on with a later token */
    WEFT_RPC_RESUME_OVERFLOW,  /* weft__rpc_delivery_resume: WEFT_ERR_LIMIT */
    WEFT_RPC_RESUME_WIRE,      /* it speaks the other wire */
    WEFT_RPC_RESUME_PRINCIPAL, /* it is somebody else's */
};

/* As the answer to hello says it; "ok" for OK. **Lifetime:** static. */
const char *weft__rpc_resume_result_name(enum weft_rpc_resume_result result);

/* A session's part. Fields are private. */
struct weft_rpc_resume {
    const struct weft_rpc_resume_key *key;
    struct weft_rpc_resume_id id; /* of the last token issued; generation 0: none was */
    uint64_t proven;
    const struct weft_rpc_wire *wire;
    struct weft_slice principal;
};

/* A session without a token. **Lifetime:** |key| and |principal|, which may be empty, outlive it.
 */
void weft__rpc_resume_init(struct weft_rpc_resume *resume, const struct weft_rpc_resume_key *key,
                           uint32_t worker, uint64_t session, const struct weft_rpc_wire *wire,
                           struct weft_slice principal);

/* The token for a welcome, as weft__rpc_resume_token_write; on failure nothing changed. */
WEFT_MUST_USE int weft__rpc_resume_issue(struct weft_rpc_resume *resume,
                                         char ret_token[WEFT_RPC_RESUME_TOKEN_LEN + 1]);

/* The last token issued has arrived; see above. To be called for frames of the connection whose
 * welcome brought it, that is of the present one, and as often as one likes. */
static inline void weft__rpc_resume_proved(struct weft_rpc_resume *resume)
{
    resume->proven = resume->id.generation;
}

/*
 * Whether the token that said |id| lets somebody with |wire| and |principal| take up |resume|, the
 * session with number |id|->session on worker |id|->worker; NULL when there is none any more. On OK
 * the token is known to have arrived.
 */
enum weft_rpc_resume_result weft__rpc_resume_judge(struct weft_rpc_resume *resume,
                                                   const struct weft_rpc_resume_id *id,
                                                   const struct weft_rpc_wire *wire,
                                                   struct weft_slice principal);

#endif
