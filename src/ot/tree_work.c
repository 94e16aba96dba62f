/* SPDX-License-Identifier: Apache-2.0 */
/* Memory, walks and containers of the functions on JSON operations. */
#include "ot/tree_work.h"

#include "base/assert.h"
#include "base/mem.h"

struct weft_tree_owned {
    struct weft_tree_owned *next;
    struct weft_tree_value *value;
};

static void *scratch_alloc(void *ctx, size_t size)
{
    return weft__arena_alloc(ctx, size);
}

static void *scratch_realloc(void *ctx, void *ptr, size_t old_size, size_t new_size)
{
    if (new_size <= old_size)
        return ptr;
    void *copy = weft__arena_alloc(ctx, new_size);
    if (copy)
        memcpy(copy, ptr, old_size);
    return copy;
}

static void scratch_free(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)ptr;
    (void)size;
}

void weft__tree_work_init(struct weft_tree_work *work, const struct weft_alloc *alloc)
{
    work->alloc = alloc;
    work->owned = NULL;
    work->err = 0;
    work->error = (struct weft_ot_error){0};
    work->sink = (struct weft_tree_node){0};
    work->scratch = (struct weft_alloc){scratch_alloc, scratch_realloc, scratch_free, &work->arena};
    weft__arena_init(&work->arena, alloc, SIZE_MAX);
    work->arena.at = work->few;
    work->arena.end = work->few + sizeof(work->few);
}

void weft__tree_work_done(struct weft_tree_work *work)
{
    for (struct weft_tree_owned *owned = work->owned; owned; owned = owned->next)
        weft__tree_unref(owned->value);
    weft__arena_done(&work->arena);
}

void weft__tree_fail(struct weft_tree_work *work, int err, int status, const char *message)
{
    if (!work->err)
        work->err = weft__ot_fail(&work->error, err, status, message);
}

void weft__tree_misfit(struct weft_tree_work *work)
{
    weft__tree_fail(work, WEFT_ERR_OP, WEFT_STATUS_FAILED_PRECONDITION,
                    "the operations do not fit each other");
}

void *weft__tree_zalloc(struct weft_tree_work *work, size_t count, size_t size)
{
    if (count == 0)
        return NULL;
    void *memory = weft__arena_alloc_array(&work->arena, count, size);
    if (!memory) {
        weft__tree_fail(work, WEFT_ERR_NOMEM, WEFT_STATUS_RESOURCE_EXHAUSTED, "out of memory");
        return NULL;
    }
    memset(memory, 0, count * size);
    return memory;
}

struct weft_tree_value *weft__tree_own(struct weft_tree_work *work, struct weft_tree_value *value)
{
    struct weft_tree_owned *owned = NULL;
    if (value)
        owned = weft__arena_alloc(&work->arena, sizeof(*owned));
    if (!owned) {
        weft__tree_unref(value);
        weft__tree_fail(work, WEFT_ERR_NOMEM, WEFT_STATUS_RESOURCE_EXHAUSTED, "out of memory");
        return NULL;
    }
    *owned = (struct weft_tree_owned){work->owned, value};
    work->owned = owned;
    return value;
}

int weft__tree_order(struct weft_tree_key a, struct weft_tree_key b)
{
    if (!a.name || !b.name) {
        if (a.name || b.name)
            return a.name ? 1 : -1;
        return a.n < b.n ? -1 : a.n > b.n;
    }
    return weft__tree_key_compare((struct weft_slice){a.name, (size_t)a.n},
                                  (struct weft_slice){b.name, (size_t)b.n});
}

const struct weft_tree_node *weft__tree_walk_to(struct weft_tree_walk *walk,
                                                struct weft_tree_key key)
{
    for (; walk->at; walk->at = walk->at->next) {
        const struct weft_tree_node *node = walk->at;
        bool counted = !node->key.name && WEFT_TREE_HAS(node, walk->counts);
        struct weft_tree_key here = node->key;
        if (walk->shifted)
            here = weft__tree_shift(here, -walk->passed);
        int order = weft__tree_order(here, key);
        if (order > 0)
            return NULL;
        if (order == 0 && !(walk->shifted && counted))
            return node;
        walk->passed += counted;
    }
    return NULL;
}

struct weft_tree_value *weft__tree_child(const struct weft_tree_value *value,
                                         struct weft_tree_key key, uint32_t *ret_at)
{
    bool found;
    *ret_at = 0;
    if (!value)
        return NULL;
    if (!key.name) {
        *ret_at = (uint32_t)key.n;
        return value->type == WEFT_TREE_LIST && key.n >= 0 && key.n < (int64_t)value->count
                   ? weft__tree_items(value)[key.n]
                   : NULL;
    }
    if (value->type != WEFT_TREE_OBJECT)
        return NULL;
    *ret_at = weft__tree_find(value, (struct weft_slice){key.name, (size_t)key.n}, &found);
    return found ? weft__tree_members(value)[*ret_at].value : NULL;
}

/* The items or members of the new container while they are put in. */
struct rebuild {
    struct weft_tree_value *to;
    const struct weft_tree_value *from;
    uint32_t at;   /* of |from| */
    uint32_t done; /* of |to| */
};

static void keep_until(struct rebuild *r, uint32_t end)
{
    for (; r->at < end; r->at++, r->done++) {
        if (r->to->type == WEFT_TREE_LIST) {
            weft__tree_items(r->to)[r->done] = weft__tree_ref(weft__tree_items(r->from)[r->at]);
            continue;
        }
        const struct weft_tree_member *member = &weft__tree_members(r->from)[r->at];
        weft__tree_members(r->to)[r->done] =
            (struct weft_tree_member){weft__tree_ref(member->key), weft__tree_ref(member->value)};
    }
}

/* Puts in the value of |change|. False when out of memory. */
static bool put_change(struct rebuild *r, struct weft_tree_change *change)
{
    if (r->to->type == WEFT_TREE_LIST) {
        weft__tree_items(r->to)[r->done++] = change->value;
        change->value = NULL;
        return true;
    }
    struct weft_tree_value *key =
        change->insert
            ? weft__tree_new_string(r->to->alloc,
                                    (struct weft_slice){change->key.name, (size_t)change->key.n})
            : weft__tree_ref(weft__tree_members(r->from)[change->at].key);
    if (!key)
        return false;
    weft__tree_members(r->to)[r->done++] = (struct weft_tree_member){key, change->value};
    change->value = NULL;
    return true;
}

static bool put_changes(struct rebuild *r, struct weft_tree_change *changes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct weft_tree_change *change = &changes[i];
        WEFT_ASSERT(change->at >= r->at && change->at <= r->from->count);
        keep_until(r, change->at);
        if (change->value && !put_change(r, change))
            return false;
        if (!change->insert)
            r->at++;
    }
    keep_until(r, r->from->count);
    return true;
}

struct weft_tree_value *weft__tree_rebuild(const struct weft_alloc *alloc,
                                           const struct weft_tree_value *old,
                                           struct weft_tree_change *changes, size_t count)
{
    size_t size = old->count;
    for (size_t i = 0; i < count; i++)
        size = size + (changes[i].insert ? 1 : 0) - (!changes[i].insert && !changes[i].value);
    struct rebuild r = {.from = old};
    r.to = size <= UINT32_MAX ? weft__tree_open(alloc, old->type, size) : NULL;
    bool ok = r.to && put_changes(&r, changes, count);
    for (size_t i = 0; i < count; i++) {
        weft__tree_unref(changes[i].value);
        changes[i].value = NULL;
    }
    if (!r.to)
        return NULL;
    r.to->count = r.done;
    if (!ok) {
        weft__tree_unref(r.to);
        return NULL;
    }
    weft__tree_close(r.to);
    return r.to;
}
