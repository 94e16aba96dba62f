/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of our calls an answer belongs to. Every outgoing call gets an id that was not used for
 * the last 2^31 calls, so an answer that is late, repeated or invented finds nothing and harms
 * nothing.
 *
 *   add ──► in flight ──► remove (found: an answer came; or given up)
 *                    └──► expired (its deadline passed)
 *
 * Adding, finding and expiring are O(1) whatever the number in flight. **Thread:** one at a time.
 */
#ifndef WEFT_RPC_CORRELATION_H
#define WEFT_RPC_CORRELATION_H

#include "base/list.h"
#include "base/map.h"
#include "base/timer.h"
#include "rpc/frame.h"

#include <weft/err.h>

#define WEFT_RPC_NO_DEADLINE UINT64_MAX

/* Embedded in what waits for an answer. */
struct weft_rpc_outgoing {
    struct weft_map_node node;
    struct weft_list link;
    struct weft_timer timer;
    struct weft_rpc_correlation *correlation; /* NULL unless in flight */
    uint64_t number;                          /* 1, 2, … */
    uint8_t raw[WEFT_RPC_OWN_ID_MAX];         /* the id as the wire has it: 7, or "$s7" */
    uint8_t raw_len;
};

/* |outgoing| is no longer in flight: its deadline passed. It may be freed. */
typedef void weft_rpc_expired_fn(struct weft_rpc_outgoing *outgoing);

struct weft_rpc_correlation {
    struct weft_map by_id;
    struct weft_list in_flight; /* oldest first */
    struct weft_timer_wheel *wheel;
    weft_rpc_expired_fn *expired;
    const struct weft_rpc_wire *wire;
    uint64_t last; /* number of the newest call */
    bool is_server;
};

/* Nothing in flight. Ids are |wire|'s for a server or a client. |wheel|, which the
 * caller advances, fires the deadlines. */
void weft__rpc_correlation_init(struct weft_rpc_correlation *correlation,
                                const struct weft_alloc *alloc, struct weft_hash_key hash_key,
                                struct weft_timer_wheel *wheel, weft_rpc_expired_fn *expired,
                                const struct weft_rpc_wire *wire, bool is_server);

/* Nothing may be in flight. */
void weft__rpc_correlation_done(struct weft_rpc_correlation *correlation);

/* Gives |outgoing| its id and puts it in flight until |deadline_ns| or WEFT_RPC_NO_DEADLINE.
 * **Errors:** WEFT_ERR_NOMEM; |outgoing| is not in flight then. */
WEFT_MUST_USE int weft__rpc_correlation_add(struct weft_rpc_correlation *correlation,
                                            struct weft_rpc_outgoing *outgoing,
                                            uint64_t deadline_ns);

/* The one whose id has |key| (see struct weft_rpc_id), or NULL. */
struct weft_rpc_outgoing *weft__rpc_correlation_find(const struct weft_rpc_correlation *correlation,
                                                     struct weft_slice key);

/* The |number|th call, or NULL. */
struct weft_rpc_outgoing *
weft__rpc_correlation_find_number(const struct weft_rpc_correlation *correlation, uint64_t number);

/* Ends |outgoing|, which must be in flight. */
void weft__rpc_correlation_remove(struct weft_rpc_outgoing *outgoing);

/* The oldest one; NULL when nothing is in flight. */
struct weft_rpc_outgoing *
weft__rpc_correlation_first(const struct weft_rpc_correlation *correlation);

static inline size_t weft__rpc_correlation_count(const struct weft_rpc_correlation *correlation)
{
    return correlation->by_id.count;
}

/* Its id as the wire has it. **Lifetime:** that of |outgoing|. */
static inline struct weft_slice weft__rpc_outgoing_id(const struct weft_rpc_outgoing *outgoing)
{
    return weft__slice(outgoing->raw, outgoing->raw_len);
}

/* And as struct weft_rpc_id has it for a key: a part of the former. In flight or not any more. */
struct weft_slice weft__rpc_outgoing_key(const struct weft_rpc_correlation *correlation,
                                         const struct weft_rpc_outgoing *outgoing);

#endif
