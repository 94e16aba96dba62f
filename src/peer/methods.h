/* SPDX-License-Identifier: Apache-2.0 */
/* The methods of an application (weft/rpc.h) in the registry of a loop. **Thread:** before the loop
 * runs. */
#ifndef WEFT_PEER_METHODS_H
#define WEFT_PEER_METHODS_H

#include "base/arena.h"
#include "peer/domain.h"
#include "rpc/registry.h"

#include <weft/rpc.h>

/* What a loop serves an application's method with. Private. */
struct weft_served;

/*
 * Registers |count| |methods|, which outlive the registry, with |registry| for the loop of
 * |domain|.
 * |*ret_served| is freed with weft__served_free after the registry.
 * **Errors:** WEFT_ERR_USAGE (a name, or one that exists; a handler is missing;
 * WEFT_METHOD_BLOCKING without a pool), WEFT_ERR_NOMEM.
 */
WEFT_MUST_USE int weft__methods_register(struct weft_domain *domain,
                                         struct weft_rpc_registry *registry,
                                         const struct weft_method *methods, size_t count,
                                         struct weft_served **ret_served);

/* NULL is allowed. */
void weft__served_free(struct weft_served *served);

/* A copy of |methods| whose strings and array lie in |arena|; NULL when out of memory. */
const struct weft_method *weft__methods_copy(struct weft_arena *arena,
                                             const struct weft_method *methods, size_t count);

#endif
