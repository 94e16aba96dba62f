/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who serves methods for others (docs/protocol/rpc.md, section 10): names, the providers behind
 * each, and which of them gets the next call. No peers, no calls and no locks in here.
 *
 *   provider ──┬─ offer ──► name        pick: of those behind a name that are not away and have
 *              └─ offer ──► name        room, the one with the fewest calls; among equals the one
 *   provider ──── offer ──────┘         whose turn is longest ago
 *
 * A call is counted for its provider from pick to done. A name lives, and its struct stays where it
 * is, as long as somebody offers it or holds it, as each call of it does. Names that are offered
 * are bounded in number, others by the calls that hold them.
 *
 * Picking takes time in the number of a name's providers, making an offer also in the number of the
 * provider's own, the rest is constant. **Thread:** one at a time; the |method| and |name| of what
 * is held may be read by any.
 */
#ifndef WEFT_RPC_PROVIDERS_H
#define WEFT_RPC_PROVIDERS_H

#include "base/list.h"
#include "base/map.h"
#include "rpc/frame.h"
#include "rpc/registry.h"

enum {
    WEFT_RPC_PROVIDED_NAMES_MAX = 4096,
    WEFT_RPC_PROVIDERS_MAX = 1024,     /* behind one name */
    WEFT_RPC_PROVIDER_OFFERS = 256,    /* of one provider, unless the table says otherwise */
    WEFT_RPC_PROVIDER_CAPACITY = 1024, /* unless it says otherwise */
    WEFT_RPC_FAILOVERS_MAX = 3,        /* of one call */
};

/* A name that somebody provides or calls. */
struct weft_rpc_provided {
    struct weft_map_node node;
    struct weft_rpc_method method; /* what calls of it point at */
    struct weft_list offers;       /* whose turn is longest ago first */
    size_t offer_count;
    size_t holders;
    uint64_t forwarded; /* calls given to a provider, again ones included */
    char name[WEFT_RPC_METHOD_NAME_MAX + 1];
};

struct weft_rpc_provider {
    struct weft_map_node node;
    uint64_t id;
    unsigned worker;         /* where its peer lives, for the owner of the table */
    uint32_t capacity;       /* calls at a time */
    uint32_t outstanding;    /* calls now */
    bool away;               /* gets no calls */
    struct weft_list offers; /* its own */
    size_t offer_count;
};

struct weft_rpc_providers_stats {
    uint64_t forwarded; /* calls given to providers, again ones included */
    uint64_t failovers; /* of these, because another provider was lost */
    uint64_t lost;      /* calls that failed because theirs was */
    uint64_t busy;      /* calls refused because all had enough */
    uint64_t unserved;  /* calls refused because nobody was there */
    size_t names;       /* that are offered now */
    size_t providers;   /* now */
    size_t outstanding; /* calls with providers now */
};

struct weft_rpc_providers {
    const struct weft_alloc *alloc;
    struct weft_rpc_method method; /* as which new names are made: handler, context, flags */
    size_t offers_max;             /* of one provider */
    struct weft_map names;
    struct weft_map providers;
    struct weft_rpc_providers_stats stats;
};

/* An empty table. Every name gets a method like |method|, called by that name and with itself (the
 * struct weft_rpc_provided) as its context. */
void weft__rpc_providers_init(struct weft_rpc_providers *table, const struct weft_alloc *alloc,
                              struct weft_hash_key hash_key, const struct weft_rpc_method *method);

/* Frees everything. No name is held any more. */
void weft__rpc_providers_done(struct weft_rpc_providers *table);

/* A provider without offers; |id| was not used before. **Errors:** WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__rpc_provider_add(struct weft_rpc_providers *table, uint64_t id,
                                         unsigned worker, struct weft_rpc_provider **ret_provider);

/* The provider, or NULL when it left. **Lifetime:** until weft__rpc_provider_remove. */
struct weft_rpc_provider *weft__rpc_provider_find(const struct weft_rpc_providers *table,
                                                  uint64_t id);

/* It leaves, with all its offers. NULL is allowed. */
void weft__rpc_provider_remove(struct weft_rpc_providers *table,
                               struct weft_rpc_provider *provider);

/* It is unreachable for a time, or back. */
void weft__rpc_provider_set_away(struct weft_rpc_provider *provider, bool away);

/* Offers to serve |name|, a valid one; an offer made before is changed. |idempotent|: a call may be
 * given to another provider when this one is lost. **Errors:** WEFT_ERR_NOMEM, WEFT_ERR_DENIED (it
 * offers as many as it may), WEFT_ERR_LIMIT (too many names, or providers of this one); nothing was
 * offered then. */
WEFT_MUST_USE int weft__rpc_provider_offer(struct weft_rpc_providers *table,
                                           struct weft_rpc_provider *provider,
                                           struct weft_slice name, bool idempotent);

/* Whether it offers |name|. */
bool weft__rpc_provider_offers(const struct weft_rpc_providers *table,
                               const struct weft_rpc_provider *provider, struct weft_slice name);

/* Takes an offer back. False when there was none. Calls under way are not disturbed. */
bool weft__rpc_provider_withdraw(struct weft_rpc_providers *table,
                                 struct weft_rpc_provider *provider, struct weft_slice name);

/* Takes all its offers back. */
void weft__rpc_provider_withdraw_all(struct weft_rpc_providers *table,
                                     struct weft_rpc_provider *provider);

/* The name, when somebody offers or holds it, or NULL. */
struct weft_rpc_provided *weft__rpc_provided_find(const struct weft_rpc_providers *table,
                                                  struct weft_slice name);

/* Whether somebody provides it now. */
static inline bool weft__rpc_provided_is_offered(const struct weft_rpc_provided *name)
{
    return name->offer_count > 0;
}

/* Holds the name |text|, a valid one, for a call. One that nobody offers is made when it is
 * |expected|. NULL when there is none, or no memory. */
struct weft_rpc_provided *weft__rpc_provided_hold(struct weft_rpc_providers *table,
                                                  struct weft_slice text, bool expected);

/* The call is over: undoes one weft__rpc_provided_hold. */
void weft__rpc_provided_release(struct weft_rpc_providers *table, struct weft_rpc_provided *name);

/* Calls |fn| for the method of each name that somebody provides now, in no particular order. */
void weft__rpc_provided_each(const struct weft_rpc_providers *table,
                             void (*fn)(const struct weft_rpc_method *method, void *arg),
                             void *arg);

struct weft_rpc_pick {
    uint64_t provider;
    unsigned worker;
    bool idempotent;
};

/* Chooses who gets the next call of |name|, and counts it. **Errors:** WEFT_ERR_NOT_FOUND (nobody
 * is there), WEFT_ERR_BUSY (all have enough). */
WEFT_MUST_USE int weft__rpc_provided_pick(struct weft_rpc_providers *table,
                                          struct weft_rpc_provided *name,
                                          struct weft_rpc_pick *ret_pick);

/* Whether weft__rpc_provided_pick would find somebody for |name|. */
bool weft__rpc_provided_has_room(const struct weft_rpc_provided *name);

/* A call is over for |provider|, which may have left. */
void weft__rpc_provider_release(struct weft_rpc_providers *table, uint64_t provider);

/* What is known of a call whose provider was lost. */
struct weft_rpc_attempt {
    unsigned failovers;              /* so far */
    enum weft_rpc_executed executed; /* NO: this one did not begin with it */
    bool idempotent;                 /* the method, as its provider said */
    bool has_key;                    /* the call has an idempotency key */
};

/* Whether another provider may be given the call: when nobody executed it, or executing it twice is
 * harmless, and not endlessly. */
bool weft__rpc_attempt_may_fail_over(const struct weft_rpc_attempt *attempt);

#endif
