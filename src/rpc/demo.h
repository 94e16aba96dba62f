/* SPDX-License-Identifier: Apache-2.0 */
/* Methods for development: those of the examples of the JSON-RPC 2.0 specification (§7), and an
 * echo, so that any client has something to call. */
#ifndef WEFT_RPC_DEMO_H
#define WEFT_RPC_DEMO_H

#include "rpc/registry.h"

/*
 * Adds
 *   subtract      [minuend, subtrahend] or {"minuend", "subtrahend"} → their difference
 *   sum           [number, …] → the sum
 *   get_data      nothing → ["hello", 5]
 *   update        anything → null
 *   notify_hello  anything → null
 *   demo.echo     anything → its parameters, byte for byte; null without
 *   demo.sleep    [milliseconds], at most a minute → null, after so long
 * **Errors:** as weft__rpc_registry_add.
 */
WEFT_MUST_USE int weft__rpc_demo_register(struct weft_rpc_registry *registry);

/*
 * Part of it: adds methods with items beside the call
 *   demo.count    [n], at most 10,000,000 ─► items 1 … n → n
 *   demo.total    ◄─ integers → their sum
 *   demo.mirror   ◄─ anything ─► the same → null
 * **Errors:** as weft__rpc_registry_add.
 */
WEFT_MUST_USE int weft__rpc_demo_register_streams(struct weft_rpc_registry *registry);

/*
 * Part of it: adds
 *   demo.tick     [milliseconds, n], at most a minute and 10,000,000 ─► items 1 … n, one each so
 *                 many milliseconds → n
 * **Errors:** as weft__rpc_registry_add.
 */
WEFT_MUST_USE int weft__rpc_demo_register_tick(struct weft_rpc_registry *registry);

/*
 * Part of it: adds
 *   demo.fail     {"code", "message"?, "reason"?, "retryable"?, "retry_after_ms"?, "violations"?,
 *                 "details"?} → that error; "unknown" for a code that is none
 * **Errors:** as weft__rpc_registry_add.
 */
WEFT_MUST_USE int weft__rpc_demo_register_fail(struct weft_rpc_registry *registry);

#endif
