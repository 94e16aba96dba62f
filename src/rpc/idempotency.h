/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers that are kept so that a call made again with its idempotency key is answered again and
 * not executed again (docs/protocol/rpc.md, section 9).
 *
 *   begin ─┬─ RUN ──────► running ──┬─► finish ──► kept ──► STORED for repeats … expired, evicted
 *          ├─ STORED                └─► forget           the next call with this key runs
 *          ├─ RUNNING: it waits, or is refused
 *          ├─ MISMATCH: the key was used with other parameters
 *          └─ FULL
 *
 * An entry is found by (principal, method, key) and bound to its parameters by a keyed hash of
 * their bytes. Entries and bytes are bounded, in all and for each principal. To make room the kept
 * answer that was used least recently is evicted; running entries never are, so while nothing but
 * running ones is left, new keys are refused. What is no answer of the method never gets in here:
 * which those are is decided in rpc/idempotent_calls.h.
 *
 * Invariant: an entry is either running and in no list, or kept, has an answer and is in the list
 * of ages and in the lists of use of the cache and of its principal. All functions take constant
 * time, amortised. No locks: **Thread:** one at a time, but an answer may be read and let go by any
 * thread, and |waiters| of a running entry belong to its owner.
 */
#ifndef WEFT_RPC_IDEMPOTENCY_H
#define WEFT_RPC_IDEMPOTENCY_H

#include "base/list.h"
#include "base/map.h"
#include "rpc/outcome.h"
#include "rpc/principal.h"

enum {
    WEFT_RPC_IDEM_KEY_MAX = 128,                      /* bytes of a key */
    WEFT_RPC_IDEM_PRINCIPAL_MAX = WEFT_RPC_SCOPE_MAX, /* bytes of a principal */
};

struct weft_rpc_idem_limits {
    size_t entries;
    size_t bytes; /* of entries and answers */
    size_t principal_entries;
    size_t principal_bytes;
    uint64_t ttl_ns; /* that an answer is kept; UINT64_MAX: until it is evicted */
};

/* The defaults. */
#define WEFT_RPC_IDEM_LIMITS_DEFAULT                                                               \
    ((struct weft_rpc_idem_limits){.entries = 65536,                                               \
                                   .bytes = (size_t)64 * 1024 * 1024,                              \
                                   .principal_entries = 16384,                                     \
                                   .principal_bytes = (size_t)16 * 1024 * 1024,                    \
                                   .ttl_ns = 86400 * UINT64_C(1000000000)})

struct weft_rpc_idem_stats {
    uint64_t hits;       /* repeats given a kept answer */
    uint64_t stored;     /* answers kept */
    uint64_t forgotten;  /* calls that ended without an answer to keep */
    uint64_t joined;     /* repeats that wait for the running call */
    uint64_t busy;       /* repeats refused because the call runs elsewhere */
    uint64_t mismatches; /* keys used again with other parameters */
    uint64_t evicted;    /* answers that made room before their time */
    uint64_t expired;    /* answers kept to the end */
    uint64_t full;       /* calls refused for want of room */
    uint64_t lost;       /* answers too large, or without memory: only that they were is kept */
    size_t entries;      /* now, running ones included */
    size_t running;      /* of these */
    size_t bytes;        /* now */
};

struct weft_rpc_idem_cache {
    const struct weft_alloc *alloc;
    struct weft_hash_key params_key;
    struct weft_rpc_idem_limits limits;
    struct weft_rpc_idem_stats stats;
    struct weft_map entries;
    struct weft_map principals;
    struct weft_list uses; /* kept entries, least recently used first */
    struct weft_list ages; /* kept entries, oldest first */
};

struct weft_rpc_idem_principal;

/* Fields but |waiters| and |turn| are private to idempotency.c. */
struct weft_rpc_idem_entry {
    struct weft_map_node node;
    struct weft_list use;     /* in cache->uses */
    struct weft_list own_use; /* in principal->uses */
    struct weft_list age;
    struct weft_rpc_idem_principal *principal;
    const void *owner;        /* who runs it */
    struct weft_list waiters; /* the owner's, while it runs: repeats that wait for it */
    struct weft_list turn;    /* the owner's, likewise */
    uint64_t params_hash;
    size_t params_len;
    uint64_t expires_ns;
    struct weft_rpc_kept *answer; /* NULL: running */
    size_t size;                  /* bytes that it counts for, answer included */
    size_t key_len;
    uint8_t key[];
};

/* An empty cache. |alloc| outlives it, and all answers. |hash_key| is random. */
void weft__rpc_idem_init(struct weft_rpc_idem_cache *cache, const struct weft_alloc *alloc,
                         struct weft_hash_key hash_key, const struct weft_rpc_idem_limits *limits);

/* Frees everything. Nothing may be running. */
void weft__rpc_idem_done(struct weft_rpc_idem_cache *cache);

/* True for 1 to WEFT_RPC_IDEM_KEY_MAX bytes of visible ASCII. */
bool weft__rpc_idem_key_valid(struct weft_slice key);

/* A call that has a key. */
struct weft_rpc_idem_call {
    struct weft_slice principal; /* at most WEFT_RPC_IDEM_PRINCIPAL_MAX bytes */
    struct weft_slice method;    /* at most WEFT_RPC_METHOD_NAME_MAX bytes */
    struct weft_slice key;       /* valid */
    struct weft_slice params;    /* as received; empty when absent */
    const void *owner;           /* who would run it */
};

enum weft_rpc_idem_verdict {
    WEFT_RPC_IDEM_RUN,      /* run it; |entry| is its, until finish or forget */
    WEFT_RPC_IDEM_STORED,   /* answer it with |answer|, a reference that is the caller's */
    WEFT_RPC_IDEM_RUNNING,  /* it runs; |entry| when |owner| runs it, else NULL */
    WEFT_RPC_IDEM_MISMATCH, /* the same key with other parameters */
    WEFT_RPC_IDEM_FULL,     /* no room, or out of memory */
};

struct weft_rpc_idem_found {
    struct weft_rpc_idem_entry *entry;
    struct weft_rpc_kept *answer;
};

/* |call| is about to start. |ret_found| is set in any case. */
enum weft_rpc_idem_verdict weft__rpc_idem_begin(struct weft_rpc_idem_cache *cache,
                                                const struct weft_rpc_idem_call *call,
                                                uint64_t now_ns,
                                                struct weft_rpc_idem_found *ret_found);

/*
 * The call of |entry|, which runs and has no waiters any more, was answered. Takes over |answer|;
 * NULL when there was no memory for it. One that is lost, or has no room, is kept as the error
 * `failed_precondition`, reason `weft.idem.answer_lost`, so that the call is not run again;
 * |is_result| says whether it was a result.
 */
void weft__rpc_idem_finish(struct weft_rpc_idem_cache *cache, struct weft_rpc_idem_entry *entry,
                           struct weft_rpc_kept *answer, bool is_result, uint64_t now_ns);

/* The call of |entry|, which runs and has no waiters, ended without an answer worth keeping. */
void weft__rpc_idem_forget(struct weft_rpc_idem_cache *cache, struct weft_rpc_idem_entry *entry);

/* Frees what is past its time. To be called now and then. */
void weft__rpc_idem_tick(struct weft_rpc_idem_cache *cache, uint64_t now_ns);

#endif
