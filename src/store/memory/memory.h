/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store without durability: documents live in memory and end with the process. It keeps every
 * promise of port/store.h but that one, for tests, benchmarks and servers without a data folder.
 * A request is carried out inside submit, under a lock; its end is posted, never called inline.
 */
#ifndef WEFT_STORE_MEMORY_MEMORY_H
#define WEFT_STORE_MEMORY_MEMORY_H

#include "port/store.h"

/* An empty store. |alloc| is thread-safe. **Errors:** WEFT_ERR_NOMEM. **Lifetime:** the caller's,
 * until weft__store_free. */
WEFT_MUST_USE int weft__memory_store_open(const struct weft_alloc *alloc,
                                          struct weft_store **ret_store);

#endif
