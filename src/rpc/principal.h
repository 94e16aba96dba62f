/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who somebody is: the subject, who acts, and the tenant, whose data it acts on. Constant, counted
 * by reference, and shared by all that act for the same somebody. NULL stands for everybody where
 * nobody signs in: the subject "anonymous" of the default tenant.
 *
 * **Thread:** any.
 */
#ifndef WEFT_RPC_PRINCIPAL_H
#define WEFT_RPC_PRINCIPAL_H

#include "base/slice.h"

#include <weft/alloc.h>
#include <weft/err.h>

enum {
    WEFT_RPC_TENANT_MAX = 63, /* bytes */
    WEFT_RPC_SUBJECT_MAX = 255,
    WEFT_RPC_SCOPE_MAX = WEFT_RPC_TENANT_MAX + 1 + WEFT_RPC_SUBJECT_MAX,
};

struct weft_rpc_principal;

/*
 * Makes one with one reference. |tenant| may be empty, the default one. **Errors:** WEFT_ERR_USAGE
 * (too long, no subject, control characters), WEFT_ERR_UTF8, WEFT_ERR_NOMEM.
 * **Lifetime:** |alloc|, thread-safe, outlives it.
 */
WEFT_MUST_USE int weft__rpc_principal_new(const struct weft_alloc *alloc, struct weft_slice tenant,
                                          struct weft_slice subject,
                                          struct weft_rpc_principal **ret_principal);

/* One more reference, and one less. NULL is allowed. */
struct weft_rpc_principal *weft__rpc_principal_ref(struct weft_rpc_principal *principal);
void weft__rpc_principal_unref(struct weft_rpc_principal *principal);

/* Each with a zero byte behind it. **Lifetime:** that of |principal|; static for NULL. */
struct weft_slice weft__rpc_principal_tenant(const struct weft_rpc_principal *principal);
struct weft_slice weft__rpc_principal_subject(const struct weft_rpc_principal *principal);

/* Tenant and subject in one, for telling principals apart; at most WEFT_RPC_SCOPE_MAX bytes. */
struct weft_slice weft__rpc_principal_scope(const struct weft_rpc_principal *principal);

/* Whether both are the same somebody. */
bool weft__rpc_principal_equal(const struct weft_rpc_principal *one,
                               const struct weft_rpc_principal *other);

#endif
