/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The numbers of each method, told at /metrics. A worker publishes its own once a second; whoever
 * is asked adds up those of all workers.
 */
#ifndef WEFT_SERVER_METHOD_METRICS_H
#define WEFT_SERVER_METHOD_METRICS_H

#include "base/bytes.h"
#include "rpc/peer.h"

#include <stdatomic.h>

struct weft_method_metrics {
    const struct weft_alloc *alloc;
    size_t count;              /* methods */
    const char **names;        /* by index. **Lifetime:** the registry's */
    _Atomic(uint64_t) *values; /* of a struct weft_rpc_method_stats for each method */
};

/* For the methods of |env|, whose numbers are kept. **Errors:** WEFT_ERR_NOMEM. */
WEFT_MUST_USE int weft__method_metrics_init(struct weft_method_metrics *metrics,
                                            const struct weft_alloc *alloc,
                                            const struct weft_rpc_env *env);

/* All zeroes is allowed. */
void weft__method_metrics_done(struct weft_method_metrics *metrics);

/* Publishes the numbers of |env|. **Thread:** that of |env|. */
void weft__method_metrics_publish(struct weft_method_metrics *metrics,
                                  const struct weft_rpc_env *env);

/* Appends the sums over |workers| in the Prometheus text format; methods that were never called are
 * left out. All were made for equal registries. **Thread:** any. */
void weft__method_metrics_write(struct weft_bytes *out, struct weft_method_metrics *const *metrics,
                                unsigned workers);

#endif
