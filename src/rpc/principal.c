/* SPDX-License-Identifier: Apache-2.0 */
/* Names of principals. */
#include "rpc/principal.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <stdatomic.h>
#include <string.h>

struct weft_rpc_principal {
    const struct weft_alloc *alloc;
    atomic_size_t refs;
    size_t tenant_len;
    size_t subject_len;
    char scope[]; /* the tenant, a zero byte, the subject, a zero byte */
};

static bool has_control(struct weft_slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
            return true;
    return false;
}

static size_t size_of(size_t tenant_len, size_t subject_len)
{
    return sizeof(struct weft_rpc_principal) + tenant_len + subject_len + 2;
}

int weft__rpc_principal_new(const struct weft_alloc *alloc, struct weft_slice tenant,
                            struct weft_slice subject, struct weft_rpc_principal **ret_principal)
{
    if (tenant.len > WEFT_RPC_TENANT_MAX || subject.len == 0 ||
        subject.len > WEFT_RPC_SUBJECT_MAX || has_control(tenant) || has_control(subject))
        return WEFT_ERR_USAGE;
    if (!weft__utf8_valid(tenant.ptr, tenant.len) || !weft__utf8_valid(subject.ptr, subject.len))
        return WEFT_ERR_UTF8;
    struct weft_rpc_principal *principal =
        weft__mem_zalloc(alloc, size_of(tenant.len, subject.len));
    if (!principal)
        return WEFT_ERR_NOMEM;
    principal->alloc = alloc;
    atomic_init(&principal->refs, 1);
    principal->tenant_len = tenant.len;
    principal->subject_len = subject.len;
    weft__mem_copy(principal->scope, tenant.ptr, tenant.len);
    weft__mem_copy(principal->scope + tenant.len + 1, subject.ptr, subject.len);
    *ret_principal = principal;
    return 0;
}

struct weft_rpc_principal *weft__rpc_principal_ref(struct weft_rpc_principal *principal)
{
    if (principal)
        atomic_fetch_add_explicit(&principal->refs, 1, memory_order_relaxed);
    return principal;
}

void weft__rpc_principal_unref(struct weft_rpc_principal *principal)
{
    if (principal && atomic_fetch_sub_explicit(&principal->refs, 1, memory_order_acq_rel) == 1)
        weft__mem_free(principal->alloc, principal,
                       size_of(principal->tenant_len, principal->subject_len));
}

struct weft_slice weft__rpc_principal_tenant(const struct weft_rpc_principal *principal)
{
    return principal ? weft__slice(principal->scope, principal->tenant_len) : WEFT_SLICE_LIT("");
}

struct weft_slice weft__rpc_principal_subject(const struct weft_rpc_principal *principal)
{
    return principal
               ? weft__slice(principal->scope + principal->tenant_len + 1, principal->subject_len)
               : WEFT_SLICE_LIT("anonymous");
}

struct weft_slice weft__rpc_principal_scope(const struct weft_rpc_principal *principal)
{
    return principal
               ? weft__slice(principal->scope, principal->tenant_len + 1 + principal->subject_len)
               : WEFT_SLICE_LIT("anonymous");
}

bool weft__rpc_principal_equal(const struct weft_rpc_principal *one,
                               const struct weft_rpc_principal *other)
{
    return one == other ||
           (one && other &&
            weft__slice_eq(weft__rpc_principal_scope(one), weft__rpc_principal_scope(other)));
}
