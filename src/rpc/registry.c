/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of methods. A name node holds a copy of its method, so that a lookup touches one.
 *
 * Every call looks for its method, in |table|, by a hash that takes a few instructions. It has no
 * key: the names in the table are the program's own, so nobody outside can make them collide, and
 * a lookup takes at most as many steps as names were registered.
 */
#include "rpc/registry.h"

enum { FIRST_SLOTS = 16 };

struct registry_name {
    struct weft_map_node node;
    uint64_t hash;
    struct weft_rpc_method method;
};

static uint64_t load64(const uint8_t *p)
{
    uint64_t x;
    memcpy(&x, p, sizeof(x));
    return x;
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

static uint64_t hash_name(struct weft_slice name)
{
    uint64_t hash = name.len;
    size_t at = 0;
    for (; at + 8 < name.len; at += 8)
        hash = mix(hash, load64(name.ptr + at));
    if (name.len >= 8)
        return mix(hash, load64(name.ptr + name.len - 8));
    uint64_t word = 0;
    for (size_t i = 0; i < name.len; ++i)
        word = word << 8 | name.ptr[i];
    return mix(hash, word);
}

/* The slot of |name|, or the empty one in which it belongs. The table is not full. */
static struct registry_name **slot_of(const struct weft_rpc_registry *registry, uint64_t hash,
                                      struct weft_slice name)
{
    size_t at = hash & (registry->table_size - 1);
    while (registry->table[at] && !(registry->table[at]->hash == hash &&
                                    weft__slice_eq(registry->table[at]->node.key, name)))
        at = (at + 1) & (registry->table_size - 1);
    return &registry->table[at];
}

/* Makes room in the table for one more name. */
static int grow_table(struct weft_rpc_registry *registry)
{
    struct weft_rpc_registry larger = *registry;
    if (2 * (registry->names.count + 1) <= registry->table_size)
        return 0;
    larger.table_size = registry->table_size ? 2 * registry->table_size : FIRST_SLOTS;
    larger.table = weft__mem_zalloc(registry->alloc, larger.table_size * sizeof(*larger.table));
    if (!larger.table)
        return WEFT_ERR_NOMEM;
    for (size_t i = 0; i < registry->table_size; ++i) {
        struct registry_name *name = registry->table[i];
        if (name)
            *slot_of(&larger, name->hash, name->node.key) = name;
    }
    weft__mem_free(registry->alloc, registry->table,
                   registry->table_size * sizeof(*registry->table));
    registry->table = larger.table;
    registry->table_size = larger.table_size;
    return 0;
}

void weft__rpc_registry_init(struct weft_rpc_registry *registry, const struct weft_alloc *alloc,
                             struct weft_hash_key hash_key)
{
    *registry = (struct weft_rpc_registry){.alloc = alloc};
    weft__map_init(&registry->names, alloc, hash_key);
}

void weft__rpc_registry_done(struct weft_rpc_registry *registry)
{
    struct weft_map_node *next;
    for (struct weft_map_node *node = weft__map_first(&registry->names); node; node = next) {
        next = weft__map_next(&registry->names, node);
        struct registry_name *name = WEFT_CONTAINER_OF(node, struct registry_name, node);
        weft__map_remove(&registry->names, node);
        weft__mem_free(registry->alloc, name, sizeof(*name));
    }
    weft__map_done(&registry->names);
    weft__mem_free(registry->alloc, registry->table,
                   registry->table_size * sizeof(*registry->table));
    registry->table = NULL;
    registry->table_size = 0;
}

static bool has_prefix(struct weft_slice name, struct weft_slice prefix)
{
    return name.len >= prefix.len && memcmp(name.ptr, prefix.ptr, prefix.len) == 0;
}

bool weft__rpc_name_is_reserved(struct weft_slice name)
{
    return has_prefix(name, WEFT_SLICE_LIT("$/")) || has_prefix(name, WEFT_SLICE_LIT("rpc."));
}

bool weft__rpc_name_is_protocol(struct weft_slice name)
{
    return has_prefix(name, WEFT_SLICE_LIT("$/"));
}

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_name_byte(uint8_t c)
{
    return is_letter(c) || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-' || c == '/';
}

static bool name_is_valid(struct weft_slice name, unsigned flags)
{
    bool reserved = weft__rpc_name_is_reserved(name);
    if (reserved != !!(flags & WEFT_RPC_METHOD_RESERVED))
        return false;
    if (name.len == 0 || name.len > WEFT_RPC_METHOD_NAME_MAX)
        return false;
    if (!is_letter(name.ptr[0]) && !reserved)
        return false;
    for (size_t i = 1; i < name.len; ++i) {
        if (!is_name_byte(name.ptr[i]))
            return false;
    }
    return true;
}

bool weft__rpc_name_is_valid(struct weft_slice name)
{
    return name_is_valid(name, 0);
}

static int add_name(struct weft_rpc_registry *registry, const char *text,
                    const struct weft_rpc_method *method)
{
    struct weft_slice key = weft__slice_str(text);
    if (!method->handler || !name_is_valid(key, method->flags))
        return WEFT_ERR_USAGE;
    struct registry_name *name = weft__mem_zalloc(registry->alloc, sizeof(*name));
    if (!name)
        return WEFT_ERR_NOMEM;
    name->method = *method;
    name->hash = hash_name(key);
    int err = grow_table(registry);
    if (!err)
        err = weft__map_add(&registry->names, &name->node, key);
    if (err)
        weft__mem_free(registry->alloc, name, sizeof(*name));
    else
        *slot_of(registry, name->hash, key) = name;
    return err;
}

int weft__rpc_registry_add(struct weft_rpc_registry *registry, const struct weft_rpc_method *method)
{
    struct weft_rpc_method copy = *method;
    copy.index = registry->count;
    int err = add_name(registry, copy.name, &copy);
    if (!err)
        ++registry->count;
    return err;
}

int weft__rpc_registry_add_all(struct weft_rpc_registry *registry,
                               const struct weft_rpc_method *methods, size_t count)
{
    int err = 0;
    for (size_t i = 0; i < count && !err; ++i)
        err = weft__rpc_registry_add(registry, &methods[i]);
    return err;
}

int weft__rpc_registry_alias(struct weft_rpc_registry *registry, const char *alias,
                             const char *name)
{
    struct weft_map_node *node = weft__map_get(&registry->names, weft__slice_str(name));
    if (!node)
        return WEFT_ERR_NOT_FOUND;
    struct weft_rpc_method *method = &WEFT_CONTAINER_OF(node, struct registry_name, node)->method;
    int err = add_name(registry, alias, method);
    if (!err)
        method->alias = alias;
    return err;
}

const struct weft_rpc_method *weft__rpc_registry_find(const struct weft_rpc_registry *registry,
                                                      struct weft_slice name)
{
    if (!registry->table_size)
        return NULL;
    const struct registry_name *found = *slot_of(registry, hash_name(name), name);
    return found ? &found->method : NULL;
}

void weft__rpc_registry_each(const struct weft_rpc_registry *registry,
                             void (*fn)(const struct weft_rpc_method *method, void *ctx), void *ctx)
{
    for (struct weft_map_node *node = weft__map_first(&registry->names); node;
         node = weft__map_next(&registry->names, node)) {
        const struct weft_rpc_method *method =
            &WEFT_CONTAINER_OF(node, struct registry_name, node)->method;
        if (weft__slice_eq_str(node->key, method->name))
            fn(method, ctx);
    }
}
