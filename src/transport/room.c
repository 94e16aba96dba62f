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
        if ((t->state != WEFT_TRANSPORT_HEAD && t->state != WEFT_TRANSPORT_BODY) ||
            weft__transport_after(t->since_ns, age_ms) > now)
            continue;
        weft__transport_abort(t, WEFT_ERR_LIMIT);
        count++;
    }
    set->stats.evicted += count;
    return count;
}

/* What a connection costs beyond its existence; 0 for one that moved within |still_ms|. */
static size_t held(const struct weft_transport *t, uint64_t still_ms)
{
    uint64_t moved = weft__tcp_sending(&t->tcp) ? t->sent_ns : t->heard_ns;
    if (t->state == WEFT_TRANSPORT_CLOSED ||
        weft__transport_after(moved, still_ms) > weft__loop_now_ns(t->set->loop))
        return 0;
    size_t in = t->is_ws ? weft__ws_conn_gathered(&t->ws) : t->http.in.cap;
    return weft__transport_unsent(t) + in + (t->early ? t->early->cap : 0);
}

static size_t most_held(const struct weft_list *list, uint64_t still_ms)
{
    size_t most = 0;
    WEFT_LIST_EACH (node, list) {
        size_t holds = held(WEFT_CONTAINER_OF(node, struct weft_transport, node), still_ms);
        most = WEFT_MAX(most, holds);
    }
    return most;
}

/* Aborts those of |list| that hold at least |least|, until they held |bytes|. */
static size_t shed(struct weft_transport_set *set, const struct weft_list *list, size_t least,
                   size_t bytes, uint64_t still_ms)
{
    size_t freed = 0;
    WEFT_LIST_EACH (node, list) {
        struct weft_transport *t = WEFT_CONTAINER_OF(node, struct weft_transport, node);
        size_t holds = held(t, still_ms);
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

size_t weft__transport_set_shed(struct weft_transport_set *set, size_t bytes, uint64_t still_ms)
{
    size_t freed = 0;
    /* The greediest half first; then what is greediest among the rest. */
    while (freed < bytes) {
        size_t most = most_held(&set->all, still_ms);
        size_t most_young = most_held(&set->young, still_ms);
        size_t least = WEFT_MAX(WEFT_MAX(most, most_young) / 2, (size_t)SHED_MIN);
        if (WEFT_MAX(most, most_young) < least)
            break;
        freed += shed(set, &set->all, least, bytes - freed, still_ms);
        if (freed < bytes)
            freed += shed(set, &set->young, least, bytes - freed, still_ms);
    }
    return freed;
}

void weft__transport_set_trim(struct weft_transport_set *set, size_t keep)
{
    weft__outq_pool_trim(&set->pool, keep);
}
