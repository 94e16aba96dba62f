/* SPDX-License-Identifier: Apache-2.0 */
/* Errors that an application answers with: checked, and kept for another thread. **Thread:** any.
 */
#ifndef WEFT_PEER_FAILURE_H
#define WEFT_PEER_FAILURE_H

#include "base/mem.h"
#include "rpc/frame.h"

#include <weft/rpc.h>

enum { WEFT_FAILURE_VIOLATIONS_MAX = 32 /* more are left out */ };

/* Checks |failure| and stores what it says, with |rules| for its violations. **Errors:**
 * WEFT_ERR_USAGE, WEFT_ERR_UTF8. **Lifetime:** that of |failure| and |rules|. */
WEFT_MUST_USE int weft__failure_read(const struct weft_failure *failure,
                                     struct weft_rpc_violation rules[WEFT_FAILURE_VIOLATIONS_MAX],
                                     struct weft_rpc_failure *ret_failure);

struct weft_kept_failure {
    struct weft_rpc_failure failure;
    struct weft_rpc_violation rules[WEFT_FAILURE_VIOLATIONS_MAX];
    size_t size;
    char texts[];
};

/* A copy of |failure|, strings and all; NULL when out of memory. */
struct weft_kept_failure *weft__kept_failure_new(const struct weft_alloc *alloc,
                                                 const struct weft_rpc_failure *failure);

/* NULL is allowed. */
void weft__kept_failure_free(const struct weft_alloc *alloc, struct weft_kept_failure *kept);

#endif
