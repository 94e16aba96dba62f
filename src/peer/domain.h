/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread that connections belong to, for objects that outlive it: calls and peers may be held
 * by an application when their worker or client has long ended.
 *
 *   new ─► enter (the thread itself) ─► post … from any thread ─► close ─► unref by the last holder
 *
 * **Thread:** any, unless noted.
 */
#ifndef WEFT_PEER_DOMAIN_H
#define WEFT_PEER_DOMAIN_H

#include "base/mem.h"
#include "io/loop.h"
#include "io/pool.h"

struct weft_domain;

/* |loop| is that of the thread; |alloc| is thread-safe and outlives every reference; |pool| runs
 * blocking handlers (NULL: there is none). NULL when out of memory. One reference. */
struct weft_domain *weft__domain_new(const struct weft_alloc *alloc, struct weft_loop *loop,
                                     struct weft_pool *pool);

struct weft_domain *weft__domain_ref(struct weft_domain *domain);
void weft__domain_unref(struct weft_domain *domain);

/* The calling thread is the domain's. */
void weft__domain_enter(struct weft_domain *domain);

/* Whether the calling thread is that of |domain|, or of any. */
bool weft__domain_here(const struct weft_domain *domain);
bool weft__domain_anywhere(void);

/* Runs |task| on the thread, or returns false: it has ended. */
bool weft__domain_post(struct weft_domain *domain, struct weft_task *task);

/* Nothing is posted from now on. The loop still runs what was. */
void weft__domain_close(struct weft_domain *domain);

/* The other side takes messages of |bytes| at most; in the beginning of any length. Any thread. */
void weft__domain_set_message_max(struct weft_domain *domain, size_t bytes);

/* Whether it takes one with |bytes| of names, parameters, items or results of ours. */
bool weft__domain_takes(const struct weft_domain *domain, size_t bytes);

const struct weft_alloc *weft__domain_alloc(const struct weft_domain *domain);
struct weft_loop *weft__domain_loop(const struct weft_domain *domain);
struct weft_pool *weft__domain_pool(const struct weft_domain *domain);

#endif
