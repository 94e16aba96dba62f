/* SPDX-License-Identifier: Apache-2.0 */
/* Calls in flight: a map by id, a list by age, a timer each. */
#include "rpc/correlation.h"

#include "base/assert.h"

void weft__rpc_correlation_init(struct weft_rpc_correlation *correlation,
                                const struct weft_alloc *alloc, struct weft_hash_key hash_key,
                                struct weft_timer_wheel *wheel, weft_rpc_expired_fn *expired,
                                const struct weft_rpc_wire *wire, bool is_server)
{
    weft__map_init(&correlation->by_id, alloc, hash_key);
    weft__list_init(&correlation->in_flight);
    correlation->wheel = wheel;
    correlation->expired = expired;
    correlation->wire = wire;
    correlation->last = 0;
    correlation->is_server = is_server;
}

void weft__rpc_correlation_done(struct weft_rpc_correlation *correlation)
{
    WEFT_ASSERT(weft__list_empty(&correlation->in_flight));
    weft__map_done(&correlation->by_id);
}

/* The key of an id: the id itself, but a string without its closing quote. */
struct weft_slice weft__rpc_outgoing_key(const struct weft_rpc_correlation *correlation,
                                         const struct weft_rpc_outgoing *outgoing)
{
    bool is_string = correlation->wire->is_text && outgoing->raw[0] == '"';
    return weft__slice(outgoing->raw, outgoing->raw_len - (is_string ? 1u : 0u));
}

static void set_id(const struct weft_rpc_correlation *correlation,
                   struct weft_rpc_outgoing *outgoing, uint64_t number)
{
    outgoing->number = number;
    outgoing->raw_len =
        (uint8_t)correlation->wire->write_id(number, correlation->is_server, outgoing->raw);
}

static void end(struct weft_rpc_outgoing *outgoing)
{
    weft__map_remove(&outgoing->correlation->by_id, &outgoing->node);
    weft__list_remove(&outgoing->link);
    weft__timer_stop(outgoing->correlation->wheel, &outgoing->timer);
    outgoing->correlation = NULL;
}

static void on_deadline(struct weft_timer *timer)
{
    struct weft_rpc_outgoing *outgoing = WEFT_CONTAINER_OF(timer, struct weft_rpc_outgoing, timer);
    weft_rpc_expired_fn *expired = outgoing->correlation->expired;
    end(outgoing);
    expired(outgoing);
}

int weft__rpc_correlation_add(struct weft_rpc_correlation *correlation,
                              struct weft_rpc_outgoing *outgoing, uint64_t deadline_ns)
{
    weft__timer_init(&outgoing->timer, on_deadline);
    weft__list_init(&outgoing->link);
    outgoing->correlation = NULL;
    int err;
    do {
        set_id(correlation, outgoing, ++correlation->last);
        err = weft__map_add(&correlation->by_id, &outgoing->node,
                            weft__rpc_outgoing_key(correlation, outgoing));
        /* After a turn through all ids one may still belong to a call of long ago. */
    } while (err == WEFT_ERR_EXISTS);
    if (err)
        return err;
    outgoing->correlation = correlation;
    weft__list_push(&correlation->in_flight, &outgoing->link);
    if (deadline_ns != WEFT_RPC_NO_DEADLINE)
        weft__timer_start(correlation->wheel, &outgoing->timer, deadline_ns);
    return 0;
}

struct weft_rpc_outgoing *weft__rpc_correlation_find(const struct weft_rpc_correlation *correlation,
                                                     struct weft_slice key)
{
    struct weft_map_node *node = weft__map_get(&correlation->by_id, key);
    return node ? WEFT_CONTAINER_OF(node, struct weft_rpc_outgoing, node) : NULL;
}

struct weft_rpc_outgoing *
weft__rpc_correlation_find_number(const struct weft_rpc_correlation *correlation, uint64_t number)
{
    if (number == 0 || number > correlation->last)
        return NULL;
    struct weft_rpc_outgoing probe;
    set_id(correlation, &probe, number);
    struct weft_rpc_outgoing *outgoing =
        weft__rpc_correlation_find(correlation, weft__rpc_outgoing_key(correlation, &probe));
    return outgoing && outgoing->number == number ? outgoing : NULL;
}

void weft__rpc_correlation_remove(struct weft_rpc_outgoing *outgoing)
{
    end(outgoing);
}

struct weft_rpc_outgoing *
weft__rpc_correlation_first(const struct weft_rpc_correlation *correlation)
{
    return weft__list_empty(&correlation->in_flight)
               ? NULL
               : WEFT_CONTAINER_OF(correlation->in_flight.next, struct weft_rpc_outgoing, link);
}
