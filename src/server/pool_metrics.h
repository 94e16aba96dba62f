/* SPDX-License-Identifier: Apache-2.0 */
/* The pool of methods that block, at /metrics. **Thread:** any. */
#ifndef WEFT_SERVER_POOL_METRICS_H
#define WEFT_SERVER_POOL_METRICS_H

#include "base/bytes.h"
#include "io/pool.h"

/* Appends the numbers of |pool|; nothing when it is NULL: no method blocks. **Errors:** sticky in
 * |out|. */
void weft__pool_metrics_write(struct weft_bytes *out, struct weft_pool *pool);

#endif
