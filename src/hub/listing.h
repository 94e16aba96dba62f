/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doc.list: the names of a tenant's documents, a page at a time. It asks the store, no document's
 * owner: what it says of a document is what was durable when it looked.
 *
 * **Thread:** the hub's.
 */
#ifndef WEFT_HUB_LISTING_H
#define WEFT_HUB_LISTING_H

#include "rpc/call.h"

/* Serves doc.list; |ctx| is the hub. */
void weft__doc_list(struct weft_rpc_call *call, void *ctx);

#endif
