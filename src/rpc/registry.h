/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The methods that a peer may be called for: a name, the function that serves it, and what is known
 * about it. An alias is a second name for the same method (`doc.open`).
 *
 * A registry is filled once and then only read. **Thread:** one while it is filled, any number
 * afterwards.
 */
#ifndef WEFT_RPC_REGISTRY_H
#define WEFT_RPC_REGISTRY_H

#include "base/map.h"

#include <weft/err.h>

struct registry_name;
struct weft_rpc_call;

/* Serves a call, or a notification, whose answers go nowhere: see rpc/call.h for what a handler may
 * do. |ctx| is the method's. */
typedef void weft_rpc_handler_fn(struct weft_rpc_call *call, void *ctx);

enum { WEFT_RPC_METHOD_NAME_MAX = 128 };

enum weft_rpc_method_flags {
    /* Part of the protocol: its name may, and must, begin with "$/" or "rpc.". */
    WEFT_RPC_METHOD_RESERVED = 1,
    /* Only for peers that sent a greeting; others get `failed_precondition`. */
    WEFT_RPC_METHOD_GREETED = 2,
    /* Takes items beside the call; needs a greeting, as all that JSON-RPC 2.0 does not have. */
    WEFT_RPC_METHOD_RECEIVES = 4,
    /* Gives items before its answer; needs a greeting. */
    WEFT_RPC_METHOD_SENDS = 8,
    /* Refuses idempotency keys: what it does belongs to the connection, so that an answer kept for
     * another one would be wrong. */
    WEFT_RPC_METHOD_NO_IDEM = 16,
};

enum { WEFT_RPC_METHOD_STREAMS = WEFT_RPC_METHOD_RECEIVES | WEFT_RPC_METHOD_SENDS };

struct weft_rpc_method {
    const char *name; /* **Lifetime:** outlives the registry, as a literal does */
    weft_rpc_handler_fn *handler;
    void *ctx;
    unsigned flags;      /* enum weft_rpc_method_flags */
    const char *summary; /* a few words for people, lifetime as |name|; NULL: none */
    const char *alias;   /* set by the registry: its newest alias; NULL: none */
    uint32_t index; /* set by the registry: 0, 1, … in order of addition, for tables of counters */
};

struct weft_rpc_registry {
    const struct weft_alloc *alloc;
    struct weft_map names;        /* of struct registry_name, private to registry.c */
    struct registry_name **table; /* the same by hash, at most half full */
    size_t table_size;            /* 0 or a power of two */
    uint32_t count;               /* methods, aliases not counted */
};

/* An empty registry. */
void weft__rpc_registry_init(struct weft_rpc_registry *registry, const struct weft_alloc *alloc,
                             struct weft_hash_key hash_key);

/* Frees everything; methods found earlier are dead. */
void weft__rpc_registry_done(struct weft_rpc_registry *registry);

/*
 * Adds a copy of |method|. Names are 1 to WEFT_RPC_METHOD_NAME_MAX bytes, letters, digits and
 * `. _ - /`, and begin with a letter; `rpc.…` (JSON-RPC 2.0 §4.1) and `$/…` are for methods with
 * WEFT_RPC_METHOD_RESERVED alone.
 * **Errors:** WEFT_ERR_USAGE for such a name, WEFT_ERR_EXISTS, WEFT_ERR_NOMEM; nothing was added
 * then.
 */
WEFT_MUST_USE int weft__rpc_registry_add(struct weft_rpc_registry *registry,
                                         const struct weft_rpc_method *method);

/* Adds the |count| elements of |methods|. **Errors:** as weft__rpc_registry_add; those before the
 * one that failed stay. */
WEFT_MUST_USE int weft__rpc_registry_add_all(struct weft_rpc_registry *registry,
                                             const struct weft_rpc_method *methods, size_t count);

/* Makes |alias|, a literal, another name of the method called |name|.
 * **Errors:** WEFT_ERR_NOT_FOUND, and those of weft__rpc_registry_add. */
WEFT_MUST_USE int weft__rpc_registry_alias(struct weft_rpc_registry *registry, const char *alias,
                                           const char *name);

/* The method called |name|, or NULL. */
const struct weft_rpc_method *weft__rpc_registry_find(const struct weft_rpc_registry *registry,
                                                      struct weft_slice name);

/* Calls |fn| for each method, aliases not counted, in no particular order. */
void weft__rpc_registry_each(const struct weft_rpc_registry *registry,
                             void (*fn)(const struct weft_rpc_method *method, void *ctx),
                             void *ctx);

/* True for what an application method may be called. */
bool weft__rpc_name_is_valid(struct weft_slice name);

/* True for names that belong to the protocol: "$/…" and "rpc.…". */
bool weft__rpc_name_is_reserved(struct weft_slice name);

/* True for "$/…" alone, which no session numbers. */
bool weft__rpc_name_is_protocol(struct weft_slice name);

#endif
