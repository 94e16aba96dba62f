/* SPDX-License-Identifier: Apache-2.0 */
/* Registering the methods of an application. */
#include "peer/methods.h"

#include "peer/call.h"

struct weft_served {
    const struct weft_alloc *alloc;
    size_t count;
    struct weft_served_method methods[];
};

int weft__methods_register(struct weft_domain *domain, struct weft_rpc_registry *registry,
                           const struct weft_method *methods, size_t count,
                           struct weft_served **ret_served)
{
    const struct weft_alloc *alloc = weft__domain_alloc(domain);
    struct weft_served *served =
        weft__mem_zalloc(alloc, sizeof(*served) + count * sizeof(served->methods[0]));
    *ret_served = served;
    if (!served)
        return WEFT_ERR_NOMEM;
    served->alloc = alloc;
    served->count = count;
    for (size_t i = 0; i < count; i++) {
        const struct weft_method *method = &methods[i];
        served->methods[i] = (struct weft_served_method){method, domain};
        bool blocking = method->flags & WEFT_METHOD_BLOCKING;
        if (!method->handler || (blocking && !weft__domain_pool(domain)))
            return WEFT_ERR_USAGE;
        const struct weft_rpc_method own = {
            .name = method->name,
            .handler = weft__call_serve,
            .ctx = &served->methods[i],
            .flags = (method->flags & WEFT_METHOD_RECEIVES ? WEFT_RPC_METHOD_RECEIVES : 0u) |
                     (method->flags & WEFT_METHOD_SENDS ? WEFT_RPC_METHOD_SENDS : 0u),
            .summary = method->summary};
        int err = weft__rpc_registry_add(registry, &own);
        if (err)
            return err == WEFT_ERR_EXISTS ? WEFT_ERR_USAGE : err;
    }
    return 0;
}

void weft__served_free(struct weft_served *served)
{
    if (served)
        weft__mem_free(served->alloc, served,
                       sizeof(*served) + served->count * sizeof(served->methods[0]));
}

const struct weft_method *weft__methods_copy(struct weft_arena *arena,
                                             const struct weft_method *methods, size_t count)
{
    struct weft_method *copy = weft__arena_alloc_array(arena, count + 1, sizeof(*copy));
    for (size_t i = 0; copy && i < count; i++) {
        copy[i] = methods[i];
        const char *name = methods[i].name ? methods[i].name : "";
        copy[i].name = weft__arena_copy(arena, name, strlen(name));
        if (methods[i].summary)
            copy[i].summary =
                weft__arena_copy(arena, methods[i].summary, strlen(methods[i].summary));
        if (!copy[i].name || (methods[i].summary && !copy[i].summary))
            return NULL;
    }
    return copy;
}
