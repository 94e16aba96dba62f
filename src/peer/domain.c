/* SPDX-License-Identifier: Apache-2.0 */
/* A loop behind a lock: posting to it and its end exclude each other. */
#include "peer/domain.h"

#include "base/assert.h"

#include <pthread.h>
#include <stdatomic.h>

enum { ENVELOPE_MAX = 256 /* bytes of a message around what is ours */ };

struct weft_domain {
    const struct weft_alloc *alloc;
    struct weft_loop *loop;
    struct weft_pool *pool;
    atomic_uint refs;
    atomic_size_t message_max;
    pthread_mutex_t mutex;
    bool closed;
};

static _Thread_local const struct weft_domain *current;

struct weft_domain *weft__domain_new(const struct weft_alloc *alloc, struct weft_loop *loop,
                                     struct weft_pool *pool)
{
    struct weft_domain *domain = weft__mem_zalloc(alloc, sizeof(*domain));
    if (!domain)
        return NULL;
    domain->alloc = alloc;
    domain->loop = loop;
    domain->pool = pool;
    atomic_init(&domain->refs, 1);
    atomic_init(&domain->message_max, SIZE_MAX);
    pthread_mutex_init(&domain->mutex, NULL);
    return domain;
}

struct weft_domain *weft__domain_ref(struct weft_domain *domain)
{
    atomic_fetch_add_explicit(&domain->refs, 1, memory_order_relaxed);
    return domain;
}

void weft__domain_unref(struct weft_domain *domain)
{
    if (!domain || atomic_fetch_sub_explicit(&domain->refs, 1, memory_order_acq_rel) > 1)
        return;
    WEFT_ASSERT(domain->closed);
    pthread_mutex_destroy(&domain->mutex);
    weft__mem_free(domain->alloc, domain, sizeof(*domain));
}

void weft__domain_enter(struct weft_domain *domain)
{
    current = domain;
}

bool weft__domain_here(const struct weft_domain *domain)
{
    return current == domain;
}

bool weft__domain_anywhere(void)
{
    return current != NULL;
}

bool weft__domain_post(struct weft_domain *domain, struct weft_task *task)
{
    pthread_mutex_lock(&domain->mutex);
    bool open = !domain->closed;
    if (open)
        weft__loop_post(domain->loop, task);
    pthread_mutex_unlock(&domain->mutex);
    return open;
}

void weft__domain_close(struct weft_domain *domain)
{
    pthread_mutex_lock(&domain->mutex);
    domain->closed = true;
    pthread_mutex_unlock(&domain->mutex);
}

void weft__domain_set_message_max(struct weft_domain *domain, size_t bytes)
{
    atomic_store_explicit(&domain->message_max, bytes, memory_order_relaxed);
}

bool weft__domain_takes(const struct weft_domain *domain, size_t bytes)
{
    size_t max = atomic_load_explicit(&domain->message_max, memory_order_relaxed);
    return max >= ENVELOPE_MAX && bytes <= max - ENVELOPE_MAX;
}

const struct weft_alloc *weft__domain_alloc(const struct weft_domain *domain)
{
    return domain->alloc;
}

struct weft_loop *weft__domain_loop(const struct weft_domain *domain)
{
    return domain->loop;
}

struct weft_pool *weft__domain_pool(const struct weft_domain *domain)
{
    return domain->pool;
}
