/* SPDX-License-Identifier: Apache-2.0 */
/* Making room for others: which connections are given up first when descriptors or memory run
 * short. */
#include "transport/core.h"

enum { SHED_MIN = 16 * 1024 /* who holds less than this is not the trouble */ };

size_t weft__transport_set_evict(struct weft_transport_set *set, size_t max, uint64_t age_ms)
{
    uint64_t now = weft__loop_now_ns(set->loop);
    size_t count = 0;
    WEFT_LIST_EACH (node, &set->young) {
        struct weft_transport *t = WEFT_CONTAINER_OF(node, struct weft_transport, node);
        if (count == max)
            break;
        if (t->state != WEFT_TRANSPORT_HEAD || weft__transport_after(t->since_ns, age_ms) > now)
            continue;
        weft__transport_abort(t, WEFT_ERR_LIMIT);
        count++;
    }
    set->stats.evicted += count;
    return count;
}

/* What a connection costs beyond its existence. */
static size_t held(const struct weft_transport *t)
{
    size_t in = t->is_ws ? weft__ws_conn_gathered(&t->ws) : t->http.in.cap;
    return t->state == WEFT_TRANSPORT_CLOSED
               ? 0
               : weft__transport_unsent(t) + in + (t->early ? t->early->cap : 0);
}

static size_t most_held(const struct weft_list *list)
{
    size_t most = 0;
    WEFT_LIST_EACH (node, list)
        most = WEFT_MAX(most, held(WEFT_CONTAINER_OF(node, struct weft_transport, node)));
    return most;
}

/* Aborts those of |list| that hold at least |least|, until they held |bytes|. */
static size_t shed(struct weft_transport_set *set, const struct weft_list *list, size_t least,
                   size_t bytes)
{
    size_t freed = 0;
    WEFT_LIST_EACH (node, list) {
        struct weft_transport *t = WEFT_CONTAINER_OF(node, struct weft_transport, node);
        size_t holds = held(t);
        if (freed >= bytes)
            break;
        if (holds < least)
            continue;
        freed += holds;
        set->stats.shed++;
        weft__transport_abort(t, WEFT_ERR_LIMIT);
    }
    return freed;
}

size_t weft__transport_set_shed(struct weft_transport_set *set, size_t bytes)
{
    size_t freed = 0;
    /* The greediest half first; then what is greediest among the rest. */
    while (freed < bytes) {
        size_t most = WEFT_MAX(most_held(&set->all), most_held(&set->young));
        size_t least = WEFT_MAX(most / 2, (size_t)SHED_MIN);
        if (most < least)
            break;
        freed += shed(set, &set->all, least, bytes - freed);
        if (freed < bytes)
            freed += shed(set, &set->young, least, bytes - freed);
    }
    return freed;
}

void weft__transport_set_trim(struct weft_transport_set *set, size_t keep)
{
    weft__outq_pool_trim(&set->pool, keep);
}
